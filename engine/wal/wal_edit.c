/* The store's state in MANIFEST, and the log's beginning: what the segments have is dropped.
 *
 * An edit is one new generation of MANIFEST. A power cut leaves the state before with the log files it needs, or
 * the state after: files are unlinked only once the generation without them is durable. */
#include "engine/wal/wal_internal.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"

uint64_t yr_wal_new_file_id(yr_wal *wal)
{
    yr_mutex_lock(&wal->prepare_mutex);
    uint64_t id = wal->manifest.next_id;
    if (id < YR_MANIFEST_ID_MAX) {
        wal->manifest.next_id++;
    } else {
        id = 0;
    }
    yr_mutex_unlock(&wal->prepare_mutex);
    return id;
}

/* How many of the oldest files end at or below flushed_lsn. Never the last listed one: it is being written, or the
 * one before it is, which has no end yet. */
static uint32_t count_droppable(const yr_manifest *manifest, uint64_t flushed_lsn)
{
    uint32_t n = 0;
    while (n + 1 < manifest->count && manifest->entries[n].last_lsn &&
           manifest->entries[n].last_lsn <= flushed_lsn) {
        n++;
    }
    return n;
}

/* The manifest after the edit, over the same entries. */
static yr_manifest after_edit(const yr_manifest *manifest, const yr_store_state *state, uint32_t drop)
{
    yr_manifest next = *manifest;
    next.state = *state;
    if (next.durable_lsn < state->flushed_lsn) next.durable_lsn = state->flushed_lsn;
    if (drop) {
        const yr_manifest_entry *last = &manifest->entries[drop - 1];
        next.start_id = last->id;
        next.start_lsn = last->last_lsn;
        next.start_chain = last->end_chain;
        next.entries += drop;
        next.count -= drop;
    }
    return next;
}

/* Files that were dropped need no sync any more. */
static void let_go(yr_wal *wal, uint64_t dropped_lsn)
{
    yr_mutex_lock(&wal->sync_mutex);
    for (;;) {
        yr_wal_file *file = wal->sync_from;
        /* pairs with yr_wal_switch, which fills last_lsn in before */
        yr_wal_file *next = atomic_load_explicit(&file->next, memory_order_acquire);
        if (!next || file->last_lsn > dropped_lsn) break;
        wal->sync_from = next;
        yr_wal_drop_file(wal, file);
    }
    if (dropped_lsn > atomic_load_explicit(&wal->durable_lsn, memory_order_relaxed)) {
        atomic_store_explicit(&wal->durable_lsn, dropped_lsn, memory_order_release); /* pairs with append */
    }
    yr_mutex_unlock(&wal->sync_mutex);
}

/* prepare_mutex held. `state` is taken over when MANIFEST is the new one. */
static yore_status put_in_place(yr_wal *wal, yr_store_state *state, uint32_t drop, yore_error *err)
{
    yr_manifest *manifest = &wal->manifest;
    yr_manifest next = after_edit(manifest, state, drop);
    enum yr_manifest_outcome outcome;
    yore_status status = yr_manifest_store(&wal->place, &next, &outcome, err);
    if (outcome == YR_MANIFEST_UNKNOWN) yr_wal_poison(wal);
    if (outcome != YR_MANIFEST_NEW) return yr_wal_not_full_when_poisoned(wal, status, err);
    uint64_t dropped = 0;
    for (uint32_t i = 0; i < drop; i++) dropped += manifest->entries[i].end_off - YR_WAL_START_OFF;
    atomic_fetch_add_explicit(&wal->dropped_bytes, dropped, memory_order_relaxed);
    yr_state_deinit(&manifest->state, wal->place.env);
    memmove(manifest->entries, next.entries, next.count * sizeof(*next.entries));
    next.entries = manifest->entries;
    *manifest = next;
    *state = (yr_store_state){0}; /* owned by the manifest now */
    yr_wal_note_manifest(wal);
    atomic_store_explicit(&wal->files, manifest->count, memory_order_relaxed);
    return YORE_OK;
}

/* Records up to flushed_lsn in files that stay are synced first. Else a power cut could leave the log ending
 * below flushed_lsn, and the numbers up to it would be given out again, to records that no replay would look at. A seal
 * found at open that is not proven does not get so by that; being no data it may stay above. */
static yore_status sync_what_stays(yr_wal *wal, uint64_t *flushed_lsn, yore_error *err)
{
    yr_mutex_lock(&wal->prepare_mutex);
    uint32_t drop = count_droppable(&wal->manifest, *flushed_lsn);
    uint64_t begins = drop ? wal->manifest.entries[drop - 1].last_lsn : wal->manifest.start_lsn;
    yr_mutex_unlock(&wal->prepare_mutex);
    if (YR_BUG(FLUSHED_UNPROVEN)) return YORE_OK;
    if (*flushed_lsn <= begins || *flushed_lsn <= yr_wal_durable_lsn(wal)) return YORE_OK;
    yore_status status = yr_wal_sync(wal, err);
    uint64_t durable_lsn = yr_wal_durable_lsn(wal);
    if (status == YORE_OK && *flushed_lsn > durable_lsn) *flushed_lsn = durable_lsn;
    return status;
}

static void unlink_logs(const yr_wal *wal, const uint64_t *ids, uint32_t count)
{
    const yore_env *env = wal->place.env;
    for (uint32_t i = 0; i < count; i++) {
        char name[YR_WAL_NAME_BYTES];
        yr_wal_file_name(ids[i], false, name);
        (void)env->unlink(env->ctx, wal->place.dir, name); /* else an orphan for the next open */
    }
}

yore_status yr_wal_edit(yr_wal *wal, const yr_store_state *next, yore_error *err)
{
    if (wal->options.read_only) return yr_wal_fail_read_only(wal, err);
    const yore_env *env = wal->place.env;
    YR_ASSERT(next->flushed_lsn <= yr_wal_last_lsn(wal));
    yr_store_state state;
    uint64_t *dropped = NULL;
    uint32_t drop = 0;
    uint64_t dropped_lsn = 0;
    uint64_t flushed_lsn = next->flushed_lsn;
    yore_status status = sync_what_stays(wal, &flushed_lsn, err);
    if (status < 0) return status;
    bool has_memory = yr_state_copy(&state, next, env);
    state.flushed_lsn = flushed_lsn;
    yr_mutex_lock(&wal->prepare_mutex);
    YR_ASSERT(flushed_lsn >= wal->manifest.state.flushed_lsn);
    drop = count_droppable(&wal->manifest, flushed_lsn);
    if (has_memory && drop) {
        dropped = yr_alloc(env, drop * sizeof(*dropped));
        has_memory = dropped != NULL;
    }
    if (!has_memory) {
        status =
            yr_fail(err, YORE_ERR_NOMEM, "no memory to write '%s/%s'", wal->place.path, YR_WAL_MANIFEST_NAME);
    } else if (yr_wal_is_poisoned(wal)) {
        status = yr_wal_fail_poisoned(wal, err);
    } else {
        for (uint32_t i = 0; i < drop; i++) dropped[i] = wal->manifest.entries[i].id;
        if (drop) dropped_lsn = wal->manifest.entries[drop - 1].last_lsn;
        yr_wal_close_durable(wal);
        if (YR_BUG(LOG_DROP_EARLY)) unlink_logs(wal, dropped, drop);
        status = put_in_place(wal, &state, drop, err);
    }
    yr_mutex_unlock(&wal->prepare_mutex);

    if (status == YORE_OK && drop) let_go(wal, dropped_lsn);
    if (status == YORE_OK) unlink_logs(wal, dropped, drop);
    yr_free(env, dropped, drop * sizeof(*dropped));
    yr_state_deinit(&state, env);
    return status;
}

/* The log went on after `used` bytes of a file of `bytes`. One that was left early is no reason to make the
 * next one larger, and one that was hardly used is a reason to make it smaller. */
static void fit_size(yr_wal *wal, uint64_t used, uint64_t bytes)
{
    yr_mutex_lock(&wal->prepare_mutex);
    if (used < bytes / 2) wal->prepared_bytes = used < bytes / 8 ? bytes / 4 : bytes / 2; /* then doubled */
    yr_mutex_unlock(&wal->prepare_mutex);
}

yore_status yr_wal_rotate(yr_wal *wal, yore_error *err)
{
    if (wal->options.read_only) return yr_wal_fail_read_only(wal, err);
    if (yr_wal_is_poisoned(wal)) return yr_wal_fail_poisoned(wal, err);
    if (!wal->has_data) return YORE_OK;
    uint64_t bytes = atomic_load_explicit(&wal->tail, memory_order_relaxed)->bytes;
    uint64_t used = atomic_load_explicit(&wal->off, memory_order_relaxed);
    yore_status status = yr_wal_get_ready(wal, err);
    if (status == YORE_OK) status = yr_wal_settle_seal(wal, err);
    if (status == YORE_OK) status = yr_wal_switch(wal, 0, true, err);
    if (status == YORE_OK) fit_size(wal, used, bytes);
    return status;
}

yore_status yr_wal_state(yr_wal *wal, const yr_store_state **out)
{
    *out = wal->options.read_only ? &wal->walk.manifest.state : &wal->manifest.state;
    return YORE_OK;
}
