/* Making the next file ahead of its use, and going on in it.
 *
 * A file is made whole (zeros to the end, synced, named, directory synced) and listed in MANIFEST before it
 * can take a record; so moving to it is a change in memory only, and no commit waits for a disk there unless
 * nobody prepared. A listed file without records is fine: recovery sees that the log does not go on in it.
 *
 * Behind: a file that ended is closed in MANIFEST with its end only once everything in it is durable. */
#include "engine/wal/wal_internal.h"

#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"

static bool map_file(const yr_wal *wal, yr_wal_file *file)
{
    const yore_env *env = wal->place.env;
    if (!file->has_map) file->has_map = env->map && env->map(env->ctx, file->file, file->bytes) == 0;
    return file->has_map;
}

yore_status yr_wal_adopt_file(yr_wal *wal, uint64_t id, yore_file *file, uint64_t bytes, uint64_t seed,
                              yr_wal_file **out, yore_error *err)
{
    const yore_env *env = wal->place.env;
    yr_wal_file *adopted = yr_alloc_zero(env, sizeof(*adopted));
    if (!adopted) return yr_fail(err, YORE_ERR_NOMEM, "no memory for a log file of '%s'", wal->place.path);
    *adopted = (yr_wal_file){.id = id, .file = file, .bytes = bytes, .seed = seed};
    adopted->mapped = wal->options.mapped && map_file(wal, adopted);
    *out = adopted;
    return YORE_OK;
}

void yr_wal_drop_file(yr_wal *wal, yr_wal_file *file)
{
    if (!file) return;
    const yore_env *env = wal->place.env;
    env->close(env->ctx, file->file);
    yr_free(env, file, sizeof(*file));
}

static bool fits(uint64_t file_bytes, uint64_t need, bool urgent)
{
    uint64_t keep = YR_WAL_START_OFF + YR_WAL_SEAL_ROOM + (urgent ? 0 : yr_wal_spare_bytes(file_bytes));
    return file_bytes > keep && need <= file_bytes - keep;
}

/* The size for the file after one of `last_bytes`: twice as large up to the maximum, or what `need` asks. Not more than
 * twice: a busy writer fills a file half as fast as the disk takes the zeros of the next one, or has to wait for it. */
static uint64_t next_size(const yr_wal *wal, uint64_t last_bytes, uint64_t need)
{
    uint64_t bytes = last_bytes >= wal->options.bytes_max / 2 ? wal->options.bytes_max : last_bytes * 2;
    if (bytes < wal->options.bytes_min) bytes = wal->options.bytes_min;
    while (!fits(bytes, need, false)) bytes *= 2;
    return bytes;
}

void yr_wal_note_manifest(yr_wal *wal)
{
    atomic_store_explicit(&wal->manifest_claim, (uint16_t)wal->manifest.generation, memory_order_relaxed);
}

void yr_wal_close_durable(yr_wal *wal)
{
    yr_manifest *manifest = &wal->manifest;
    uint64_t durable_lsn = yr_wal_durable_lsn(wal);
    if (durable_lsn > manifest->durable_lsn) manifest->durable_lsn = durable_lsn;
    for (uint32_t i = 0; i < manifest->count; i++) {
        yr_manifest_entry *entry = &manifest->entries[i];
        bool is_proven = entry->last_lsn <= manifest->durable_lsn || YR_BUG(LOG_CLOSE_UNPROVEN);
        if (entry->last_lsn && is_proven) entry->closed = true;
    }
}

yore_status yr_wal_not_full_when_poisoned(const yr_wal *wal, yore_status status, yore_error *err)
{
    if (status != YORE_ERR_FULL || !yr_wal_is_poisoned(wal)) return status;
    if (err) err->code = YORE_ERR_IO;
    return YORE_ERR_IO;
}

yore_status yr_wal_prove_manifest(yr_wal *wal, yore_error *err)
{
    yr_mutex_lock(&wal->prepare_mutex);
    yore_status status = YORE_OK;
    if (atomic_load_explicit(&wal->manifest_claim, memory_order_relaxed) == 0) {
        enum yr_manifest_outcome outcome;
        status = yr_manifest_store(&wal->place, &wal->manifest, &outcome, err);
        if (outcome == YR_MANIFEST_NEW) yr_wal_note_manifest(wal);
        if (outcome == YR_MANIFEST_UNKNOWN) yr_wal_poison(wal);
        if (status == YORE_ERR_FULL && outcome == YR_MANIFEST_SAME) {
            /* no room to write it again: sync the name it has, so that a full store still takes deletes */
            int rc = yr_wal_dir_sync(&wal->place);
            status = YORE_OK;
            if (rc < 0) {
                yr_wal_poison(wal);
                status = yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync directory '%s'", wal->place.path);
            }
        }
    }
    if (status == YORE_OK) wal->is_manifest_unproven = false;
    status = yr_wal_not_full_when_poisoned(wal, status, err);
    yr_mutex_unlock(&wal->prepare_mutex);
    return status;
}

/* The manifest's next generation: `id` as its last file, in place of a prepared one that is given up. */
static yore_status list_file(yr_wal *wal, uint64_t id, uint64_t drop_id, yore_error *err)
{
    yr_manifest *manifest = &wal->manifest;
    if (!yr_manifest_grow(manifest, wal->place.env, 1)) {
        return yr_fail(err, YORE_ERR_NOMEM, "no memory for another log file of '%s'", wal->place.path);
    }
    uint32_t count = manifest->count;
    yr_wal_close_durable(wal);
    yr_manifest_entry dropped = manifest->entries[manifest->count - 1];
    if (drop_id) {
        YR_ASSERT(dropped.id == drop_id);
        manifest->count--;
    }
    manifest->entries[manifest->count++] = (yr_manifest_entry){.id = id};
    enum yr_manifest_outcome outcome;
    yore_status status = yr_manifest_store(&wal->place, manifest, &outcome, err);
    if (outcome == YR_MANIFEST_NEW) yr_wal_note_manifest(wal);
    if (outcome == YR_MANIFEST_UNKNOWN) yr_wal_poison(wal);
    if (outcome == YR_MANIFEST_SAME) { /* what turned closed stays: it is true whatever the file says */
        manifest->count = count;
        if (drop_id) manifest->entries[count - 1] = dropped;
    }
    return status;
}

/* Make and list a file of `bytes`, as the successor of the current one. prepare_mutex held. */
static yore_status make_next(yr_wal *wal, uint64_t bytes, const yr_wal_pause *pause, yore_error *err)
{
    const yore_env *env = wal->place.env;
    yr_wal_file *old = atomic_load_explicit(&wal->prepared, memory_order_relaxed);
    const yr_wal_file *tail = atomic_load_explicit(&wal->tail, memory_order_acquire);
    yr_wal_making making;
    yr_wal_link link = {.prev_id = tail->id, .bytes = bytes};
    uint64_t id = wal->manifest.next_id; /* of nobody else, even when this comes to nothing */
    if (id < YR_MANIFEST_ID_MAX) wal->manifest.next_id++;
    yore_status status = yr_wal_make_begin(&making, &wal->place, wal->uuid, id, &link, err);
    making.pause = pause;
    if (status == YORE_OK) status = yr_wal_make_finish(&making, YR_WAL_START_OFF, err);
    if (making.sync_failed) yr_wal_poison(wal);
    /* in hand before it is listed: memory that runs out must change nothing */
    yr_wal_file *next = NULL;
    if (status == YORE_OK)
        status = yr_wal_adopt_file(wal, making.id, making.file, bytes, making.seed, &next, err);
    if (status == YORE_OK) status = list_file(wal, making.id, old ? old->id : 0, err);
    if (status < 0) {
        yr_free(env, next, sizeof(*next));
        if (!yr_wal_is_poisoned(wal)) {
            yr_wal_make_abandon(&making);
        } else if (making.file) { /* MANIFEST may name it: it stays, the next open knows what to do */
            env->close(env->ctx, making.file);
        }
        return status;
    }
    wal->prepared_bytes = bytes;
    atomic_store_explicit(&wal->prepared, next, memory_order_release); /* pairs with room_left */
    if (old) {
        char name[YR_WAL_NAME_BYTES];
        yr_wal_file_name(old->id, false, name);
        yr_wal_drop_file(wal, old);
        (void)env->unlink(env->ctx, wal->place.dir, name); /* else an orphan for the next open */
    }
    atomic_store_explicit(&wal->files, wal->manifest.count, memory_order_relaxed);
    return YORE_OK;
}

/* As make_next, content with a smaller file when the disk is nearly full. */
static yore_status make_next_that_fits(yr_wal *wal, uint64_t need, bool urgent, const yr_wal_pause *pause,
                                       yore_error *err)
{
    uint64_t bytes = next_size(wal, wal->prepared_bytes, need);
    for (;;) {
        yore_error why = YORE_ERROR_INIT;
        yore_status status = make_next(wal, bytes, pause, &why);
        uint64_t half = bytes / 2 & ~UINT64_C(7); /* sizes are multiples of 8 */
        bool smaller = status == YORE_ERR_FULL && half >= wal->options.bytes_min && fits(half, need, urgent);
        if (smaller && !yr_wal_is_poisoned(wal)) {
            bytes = half;
            continue;
        }
        if (status < 0 && err) *err = why;
        return yr_wal_not_full_when_poisoned(wal, status, err);
    }
}

yore_status yr_wal_switch(yr_wal *wal, uint64_t need, bool urgent, yore_error *err)
{
    yr_mutex_lock(&wal->prepare_mutex);
    yore_status status = YORE_OK;
    yr_wal_file *next = atomic_load_explicit(&wal->prepared, memory_order_relaxed);
    if (!next || !fits(next->bytes, need, urgent)) {
        status = make_next_that_fits(wal, need, urgent, NULL, err);
        next = atomic_load_explicit(&wal->prepared, memory_order_relaxed);
    }
    if (status < 0) goto out;

    yr_wal_file *tail = atomic_load_explicit(&wal->tail, memory_order_relaxed);
    YR_ASSERT(wal->manifest.count >= 2);
    yr_manifest_entry *entry = &wal->manifest.entries[wal->manifest.count - 2];
    YR_ASSERT(entry->id == tail->id);
    entry->last_lsn = atomic_load_explicit(&wal->last_lsn, memory_order_relaxed);
    entry->end_off = atomic_load_explicit(&wal->off, memory_order_relaxed);
    entry->end_chain = wal->chain;
    wal->manifest.entries[wal->manifest.count - 1].first_lsn = entry->last_lsn + 1;
    tail->last_lsn = entry->last_lsn;
    atomic_store_explicit(&tail->next, next, memory_order_release); /* pairs with yr_wal_sync_files */
    atomic_store_explicit(&wal->tail, next, memory_order_release);  /* pairs with yr_wal_sync */
    atomic_store_explicit(&wal->prepared, NULL, memory_order_release);
    atomic_store_explicit(&wal->off, YR_WAL_START_OFF, memory_order_relaxed);
    atomic_store_explicit(&wal->prepare_off, yr_wal_prepare_off(wal, next->bytes), memory_order_relaxed);
    atomic_store_explicit(&wal->prepare_again_off, 0, memory_order_relaxed);
    wal->has_data = false;
out:
    yr_mutex_unlock(&wal->prepare_mutex);
    return status;
}

bool yr_wal_wants_prepare(const yr_wal *wal)
{
    if (wal->options.read_only || yr_wal_is_poisoned(wal)) return false;
    if (atomic_load_explicit(&wal->prepared, memory_order_acquire)) return false;
    uint64_t used = atomic_load_explicit(&wal->off, memory_order_relaxed);
    uint64_t from = atomic_load_explicit(&wal->prepare_off, memory_order_relaxed);
    return used >= from && used >= atomic_load_explicit(&wal->prepare_again_off, memory_order_relaxed);
}

/* Files that ended but were never synced (modes os and none): make the oldest durable here, on the background
 * thread's time, once there are many bytes of them, so that a reopen after a crash has not too much to copy and
 * MANIFEST can close them. Not earlier: a burst would have to share the disk with it, and an idle log is synced whole
 * anyway. */
static yore_status sync_behind(yr_wal *wal, yore_error *err)
{
    yore_status status = YORE_OK;
    yr_mutex_lock(&wal->sync_mutex);
    const yr_wal_file *tail = atomic_load_explicit(&wal->tail, memory_order_acquire);
    uint64_t behind = 0;
    for (const yr_wal_file *file = wal->sync_from; file != tail;
         file = atomic_load_explicit(&file->next, memory_order_acquire)) {
        behind += file->bytes;
    }
    while (status == YORE_OK && behind > yr_wal_behind_max(wal) && !yr_wal_is_poisoned(wal)) {
        yr_wal_file *file = wal->sync_from;
        status = yr_wal_sync_files(wal, file, err);
        if (status < 0) break;
        behind -= file->bytes;
        if (file->last_lsn > atomic_load_explicit(&wal->durable_lsn, memory_order_relaxed)) {
            atomic_store_explicit(&wal->durable_lsn, file->last_lsn,
                                  memory_order_release); /* pairs with append */
        }
        wal->sync_from = atomic_load_explicit(&file->next, memory_order_acquire);
        yr_wal_drop_file(wal, file);
    }
    yr_mutex_unlock(&wal->sync_mutex);
    return status;
}

yore_status yr_wal_prepare(yr_wal *wal, const yr_wal_pause *pause, yore_error *err)
{
    if (!yr_wal_wants_prepare(wal)) return YORE_OK;
    yore_status status = YORE_OK;
    yr_mutex_lock(&wal->prepare_mutex);
    if (yr_wal_wants_prepare(wal)) {
        status = make_next_that_fits(wal, 0, false, pause, err);
        if (status < 0) { /* ask again when some more is used, not at every commit */
            uint64_t used = atomic_load_explicit(&wal->off, memory_order_relaxed);
            atomic_store_explicit(&wal->prepare_again_off, used + (64u << 10), memory_order_relaxed);
        }
    }
    yr_mutex_unlock(&wal->prepare_mutex);
    /* last: the leader may need the file soon, and nobody waits for this */
    return status < 0 ? status : sync_behind(wal, err);
}

yore_status yr_wal_prepare_small(yr_wal *wal, yore_error *err)
{
    yore_status status = YORE_OK;
    yr_mutex_lock(&wal->prepare_mutex);
    const yr_wal_file *next = atomic_load_explicit(&wal->prepared, memory_order_relaxed);
    if (!next || next->bytes > wal->options.bytes_min)
        status = make_next(wal, wal->options.bytes_min, NULL, err);
    yr_mutex_unlock(&wal->prepare_mutex);
    return status;
}

void yr_wal_set_mapped(yr_wal *wal, bool mapped)
{
    if (wal->options.read_only) return;
    wal->options.mapped = mapped;
    yr_wal_file *files[] = {atomic_load_explicit(&wal->tail, memory_order_relaxed),
                            atomic_load_explicit(&wal->prepared, memory_order_relaxed)};
    for (size_t i = 0; i < 2; i++) {
        if (files[i]) files[i]->mapped = mapped && map_file(wal, files[i]);
    }
}
