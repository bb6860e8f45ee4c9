/* The change lists of a run's files, merged. Files are in key order, so of one version the first file's come first. */
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/segment/run_private.h"
#include "engine/segment/segment_private.h"

/* Learn the version of a file's next change. */
static yore_status next_load(yr_run_changes *changes, uint32_t i, yore_error *err)
{
    yore_status status = yr_segment_changes_peek(&changes->files[i], &changes->next[i], err);
    if (status == YORE_END) changes->next[i] = UINT64_MAX;
    return status < 0 ? status : YORE_OK;
}

yore_status yr_run_changes_open(yr_run *run, uint64_t after, yr_run_changes *changes, yore_error *err)
{
    uint32_t n = run->file_count;
    *changes = (yr_run_changes){.run = run,
                                .files = yr_alloc_zero(run->env, n * sizeof *changes->files),
                                .next = yr_alloc(run->env, n * sizeof *changes->next)};
    yore_status status = YORE_OK;
    if (!changes->files || !changes->next)
        status = yr_fail(err, YORE_ERR_NOMEM, "no memory to read changes of %u segments", n);
    for (uint32_t i = 0; i < n && status == YORE_OK; i++) {
        status = yr_segment_changes_open(yr_run_reads(run, i), after, &changes->files[i], err);
        if (status == YORE_OK) status = next_load(changes, i, err);
    }
    if (status < 0) yr_run_changes_close(changes);
    return status;
}

void yr_run_changes_keys_only(yr_run_changes *changes)
{
    for (uint32_t i = 0; i < changes->run->file_count; i++) changes->files[i].keys_only = true;
}

yore_status yr_run_changes_skip(yr_run_changes *changes, uint64_t after, yore_error *err)
{
    yore_status status = YORE_OK;
    for (uint32_t i = 0; i < changes->run->file_count && status == YORE_OK; i++) {
        if (changes->next[i] > after) continue;
        status = yr_segment_changes_skip(&changes->files[i], after, err);
        if (status == YORE_OK) status = next_load(changes, i, err);
    }
    if (status < 0) changes->status = status;
    return status;
}

uint64_t yr_run_changes_peek(const yr_run_changes *changes)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < changes->run->file_count; i++) {
        if (changes->next[i] < least) least = changes->next[i];
    }
    return least;
}

/* The file with the least next version, the first of those. The last row's file stays it as long as it goes on with the
 * same version. */
static uint32_t least(const yr_run_changes *changes, uint64_t version)
{
    if (changes->next[changes->at] == version) return changes->at;
    uint32_t at = 0;
    for (uint32_t i = 1; i < changes->run->file_count; i++) {
        if (changes->next[i] < changes->next[at]) at = i;
    }
    return at;
}

yore_status yr_run_changes_next(yr_run_changes *changes, yr_segment_row *row, yore_error *err)
{
    if (changes->status != YORE_OK) {
        if (changes->status == YORE_END) return YORE_END;
        return yr_fail(err, changes->status, "reading changes failed before");
    }
    uint32_t at = least(changes, changes->version);
    changes->at = at;
    changes->version = changes->next[at];
    if (changes->version == UINT64_MAX) {
        changes->status = YORE_END;
    } else {
        changes->status = yr_segment_changes_next(&changes->files[at], row, err);
    }
    /* Peeking ahead moves only the list, never what the row borrows. */
    if (changes->status == YORE_OK) changes->status = next_load(changes, at, err);
    return changes->status;
}

void yr_run_changes_close(yr_run_changes *changes)
{
    if (!changes->run) return;
    const yore_env *env = changes->run->env;
    uint32_t n = changes->run->file_count;
    for (uint32_t i = 0; i < n && changes->files; i++) yr_segment_changes_close(&changes->files[i]);
    yr_free(env, changes->files, n * sizeof *changes->files);
    yr_free(env, changes->next, n * sizeof *changes->next);
    *changes = (yr_run_changes){0};
}
