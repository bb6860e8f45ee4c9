#include "engine/maintain/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/format/file_name.h"

yore_status yr_disk_init(yr_disk *disk, const yore_env *env, yore_dir *dir, const char *path,
                         uint64_t cache_bytes, yore_error *err)
{
    disk->env = env;
    disk->dir = dir;
    disk->path = path;
    disk->cache_bytes = cache_bytes;
    yore_status status = yr_block_cache_create(env, cache_bytes, &disk->cache, err);
    return status < 0 ? status : yr_decoders_create(env, &disk->decoders, err);
}

void yr_disk_deinit(yr_disk *disk)
{
    if (!disk->env) return;
    yr_block_cache_destroy(disk->cache);
    if (disk->decoders) yr_decoders_destroy(disk->decoders);
    disk->cache = NULL;
    disk->decoders = NULL;
}

static yore_status open_file(yr_disk *disk, const yr_store_file *file, char name[YR_FILE_NAME_BYTES],
                             yore_file **out, yore_error *err)
{
    const yore_env *env = disk->env;
    yr_file_name(file->kind, file->file_id, false, name);
    int rc = env->open(env->ctx, disk->dir, name, 0, out);
    if (rc == -ENOENT)
        return yr_fail(err, YORE_ERR_CORRUPT, "'%s/%s' is missing, which MANIFEST names", disk->path, name);
    return rc < 0 ? yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open '%s/%s'", disk->path, name) : YORE_OK;
}

static yore_status wrong_file(const yr_disk *disk, const char *name, yore_error *err)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "'%s/%s' is another file than the one MANIFEST names", disk->path,
                   name);
}

static bool is_segment_meant(const yr_segment_footer *footer, const yr_store_file *file)
{
    return footer->after_version == file->after_version && footer->last_version == file->last_version &&
           footer->file_bytes == file->file_bytes &&
           memcmp(footer->file_hash, file->file_hash, YR_FILE_HASH_BYTES) == 0;
}

yore_status yr_disk_open_segment(yr_disk *disk, const yr_store_file *file, const _Atomic bool *load,
                                 yr_segment **out, yore_error *err)
{
    char name[YR_FILE_NAME_BYTES];
    yore_file *handle;
    yr_segment *segment = NULL;
    const yr_segment_open_options options = {.env = disk->env,
                                             .cache = disk->cache,
                                             .decoders = disk->decoders,
                                             .uuid = disk->has_uuid ? disk->uuid : NULL,
                                             .file_id = file->file_id};
    yore_status status = open_file(disk, file, name, &handle, err);
    if (status < 0) return status;
    status = load ? yr_segment_load(&options, handle, name, load, &segment, err)
                  : yr_segment_open(&options, handle, name, &segment, err);
    if (status < 0) {
        disk->env->close(disk->env->ctx, handle);
        return status;
    }
    if (!is_segment_meant(yr_segment_facts(segment), file)) {
        yr_segment_close(segment);
        return wrong_file(disk, name, err);
    }
    *out = segment;
    return YORE_OK;
}

static bool is_value_file_meant(const yr_value_file *values, const yr_store_file *file)
{
    const yr_value_footer *footer = yr_value_file_facts(values);
    return footer->file_bytes == file->file_bytes &&
           memcmp(footer->file_hash, file->file_hash, YR_FILE_HASH_BYTES) == 0;
}

yore_status yr_disk_open_value_file(yr_disk *disk, const yr_store_file *file, yr_value_file **out,
                                    yore_error *err)
{
    char name[YR_FILE_NAME_BYTES];
    yore_file *handle;
    yr_value_file *values;
    const yr_value_open_options options = {.env = disk->env,
                                           .cache = disk->cache,
                                           .uuid = disk->has_uuid ? disk->uuid : NULL,
                                           .file_id = file->file_id};
    yore_status status = open_file(disk, file, name, &handle, err);
    if (status < 0) return status;
    status = yr_value_file_open(&options, handle, name, &values, err);
    if (status < 0) {
        disk->env->close(disk->env->ctx, handle);
        return status;
    }
    if (!is_value_file_meant(values, file)) {
        yr_value_file_unref(values);
        return wrong_file(disk, name, err);
    }
    *out = values;
    return YORE_OK;
}

void yr_disk_free_runs(yr_disk *disk, yr_run **runs, uint32_t run_count)
{
    for (uint32_t i = 0; runs && i < run_count; i++) yr_run_unref(runs[i]);
    yr_free(disk->env, runs, run_count * sizeof *runs);
}

/* How many files the run that begins at `i` has. */
static uint32_t run_length(const yr_store_state *state, uint32_t i)
{
    uint32_t n = 1;
    while (i + n < state->file_count && state->files[i + n].run_id == state->files[i].run_id) n++;
    return n;
}

/* -- files that are open already -- */

static yr_segment *find_open_segment(const yr_layers *open, const yr_store_file *file)
{
    for (uint32_t i = 0; open && i < open->run_count; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(open->runs[i]); k++) {
            yr_segment *segment = yr_run_file(open->runs[i], k);
            if (yr_segment_header(segment)->file_id == file->file_id &&
                is_segment_meant(yr_segment_facts(segment), file))
                return segment;
        }
    }
    return NULL;
}

static bool is_same_run(const yr_run *run, const yr_store_file *files, uint32_t count)
{
    bool same = yr_run_id(run) == files[0].run_id && yr_run_file_count(run) == count;
    for (uint32_t i = 0; same && i < count; i++) {
        const yr_segment *segment = yr_run_file(run, i);
        same = yr_segment_header(segment)->file_id == files[i].file_id &&
               is_segment_meant(yr_segment_facts(segment), &files[i]);
    }
    return same;
}

static yr_run *find_open_run(const yr_layers *open, const yr_store_file *files, uint32_t count)
{
    for (uint32_t i = 0; open && i < open->run_count; i++) {
        if (is_same_run(open->runs[i], files, count)) return open->runs[i];
    }
    return NULL;
}

static yore_status open_run(yr_disk *disk, const yr_store_file *files, uint32_t count,
                            const _Atomic bool *load, const yr_layers *open, yr_run **out, yore_error *err)
{
    yr_segment **segments = yr_alloc_zero(disk->env, count * sizeof *segments);
    yore_status status =
        segments ? YORE_OK
                 : yr_fail(err, YORE_ERR_NOMEM, "out of memory for a run of %" PRIu32 " files", count);
    for (uint32_t i = 0; i < count && status == YORE_OK; i++) {
        yr_segment *known = find_open_segment(open, &files[i]);
        if (known)
            segments[i] = yr_segment_ref(known);
        else
            status = yr_disk_open_segment(disk, &files[i], load, &segments[i], err);
    }
    if (status == YORE_OK) status = yr_run_create(disk->env, files[0].run_id, segments, count, out, err);
    for (uint32_t i = 0; status < 0 && segments && i < count; i++) yr_segment_close(segments[i]);
    yr_free(disk->env, segments, count * sizeof *segments);
    return status;
}

yore_status yr_disk_open_run(yr_disk *disk, const yr_store_file *files, uint32_t count,
                             const _Atomic bool *load, yr_run **out, yore_error *err)
{
    return open_run(disk, files, count, load, NULL, out, err);
}

static yore_status open_runs(yr_disk *disk, const yr_store_state *state, const yr_layers *open, uint32_t *at,
                             yr_run **runs, yore_error *err)
{
    yore_status status = YORE_OK;
    uint32_t n = 0;
    while (*at < state->file_count && state->files[*at].run_id && status == YORE_OK) {
        const yr_store_file *files = &state->files[*at];
        uint32_t length = run_length(state, *at);
        runs[n] = find_open_run(open, files, length);
        if (runs[n])
            yr_run_ref(runs[n]);
        else
            status = open_run(disk, files, length, NULL, open, &runs[n], err);
        *at += length;
        n++;
    }
    return status;
}

static yore_status open_values(yr_disk *disk, const yr_store_file *files, uint32_t count,
                               const yr_layers *open, yr_value_set **out, yore_error *err)
{
    *out = NULL;
    if (count == 0) return YORE_OK;
    yr_value_file **values = yr_alloc_zero(disk->env, count * sizeof *values);
    yore_status status =
        values ? YORE_OK : yr_fail(err, YORE_ERR_NOMEM, "out of memory for %" PRIu32 " value files", count);
    for (uint32_t i = 0; i < count && status == YORE_OK; i++) {
        yr_value_file *known = open && open->values ? yr_value_set_find(open->values, files[i].file_id)
                                                    : NULL;
        if (known && is_value_file_meant(known, &files[i])) {
            yr_value_file_ref(known);
            values[i] = known;
        } else {
            status = yr_disk_open_value_file(disk, &files[i], &values[i], err);
        }
    }
    if (status == YORE_OK) status = yr_value_set_create(disk->env, values, count, out, err);
    for (uint32_t i = 0; values && i < count; i++) yr_value_file_unref(values[i]);
    yr_free(disk->env, values, count * sizeof *values);
    return status;
}

yore_status yr_disk_open(yr_disk *disk, const yr_store_state *state, const yr_layers *open, yr_run ***runs,
                         uint32_t *run_count, yr_value_set **values, yore_error *err)
{
    uint32_t count = 0, at = 0;
    *runs = NULL;
    *run_count = 0;
    *values = NULL;
    while (at < state->file_count && state->files[at].run_id) {
        at += run_length(state, at);
        count++;
    }
    if (count == 0 && at == state->file_count) return YORE_OK;
    *runs = yr_alloc_zero(disk->env, count * sizeof **runs);
    if (count && !*runs) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for %" PRIu32 " runs", count);
    *run_count = count;
    at = 0;
    yore_status status = open_runs(disk, state, open, &at, *runs, err);
    if (status == YORE_OK)
        status = open_values(disk, state->files + at, state->file_count - at, open, values, err);
    if (status < 0) {
        yr_disk_free_runs(disk, *runs, count);
        *runs = NULL;
        *run_count = 0;
    }
    return status;
}

yore_status yr_disk_publish(yr_disk *disk, enum yr_file_kind kind, uint64_t id, yore_error *err)
{
    const yore_env *env = disk->env;
    char making[YR_FILE_NAME_BYTES], name[YR_FILE_NAME_BYTES];
    yr_file_name(kind, id, true, making);
    yr_file_name(kind, id, false, name);
    int rc = env->rename(env->ctx, disk->dir, making, disk->dir, name);
    if (rc == 0 && !YR_BUG(SEGMENT_NO_DIR_SYNC)) rc = env->dir_sync(env->ctx, disk->dir);
    return rc < 0 ? yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot name '%s/%s'", disk->path, name) : YORE_OK;
}

void yr_disk_remove(yr_disk *disk, enum yr_file_kind kind, uint64_t id, bool making)
{
    char name[YR_FILE_NAME_BYTES];
    yr_file_name(kind, id, making, name);
    (void)disk->env->unlink(disk->env->ctx, disk->dir, name);
}
