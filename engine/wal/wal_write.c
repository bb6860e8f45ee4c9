/* Appending, syncing, sealing, and what other threads may ask.
 *
 * An append is one header, two checksums and one copy: into the mapping, or one pwrite into bytes that were
 * written and synced before. Nothing here allocates. */
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"
#include "engine/format/lock_format.h"
#include "engine/wal/wal_internal.h"

yore_status yr_wal_fail_poisoned(const yr_wal *wal, yore_error *err)
{
    return yr_fail(err, YORE_ERR_POISONED,
                   "the log of '%s' failed earlier: close the store and open it again", wal->place.path);
}

yore_status yr_wal_fail_read_only(const yr_wal *wal, yore_error *err)
{
    return yr_fail(err, YORE_ERR_READONLY, "store '%s' is open read-only", wal->place.path);
}

/* Bytes of record that may still go into the current file. */
static uint64_t room_left(const yr_wal *wal, bool urgent)
{
    const yr_wal_file *tail =
        atomic_load_explicit(&wal->tail, memory_order_relaxed); /* the leader's own store */
    uint64_t keep = YR_WAL_SEAL_ROOM;
    /* with the next file in hand this one's reserve is no longer the last: use it up */
    if (!urgent && !atomic_load_explicit(&wal->prepared, memory_order_acquire))
        keep += yr_wal_spare_bytes(tail->bytes);
    uint64_t used = atomic_load_explicit(&wal->off, memory_order_relaxed);
    return tail->bytes > used + keep ? tail->bytes - used - keep : 0;
}

int yr_wal_file_put(const yr_wal *wal, const yr_wal_file *file, const void *bytes, size_t size, uint64_t off)
{
    const yore_env *env = wal->place.env;
    if (file->mapped) return env->map_append(env->ctx, file->file, bytes, size, off);
    return yr_file_write_all(env, file->file, bytes, size, off);
}

/* The seal the last writer closed with may be in the page cache only (its sync may have failed, F10). Written once
 * more its page is dirty, so the next sync takes it along. Its place is in the file the handle began with: it goes
 * there before the first append, and before the log moves on to another file. */
static int put_seal_again(yr_wal *wal)
{
    if (YR_LIKELY(!wal->seal_again_off)) return 0;
    const yr_wal_file *file = atomic_load_explicit(&wal->tail, memory_order_relaxed);
    int rc = yr_wal_file_put(wal, file, wal->seal_again, sizeof(wal->seal_again), wal->seal_again_off);
    if (rc == 0) wal->seal_again_off = 0;
    return rc;
}

yore_status yr_wal_get_ready(yr_wal *wal, yore_error *err)
{
    return YR_UNLIKELY(wal->is_manifest_unproven) ? yr_wal_prove_manifest(wal, err) : YORE_OK;
}

yore_status yr_wal_settle_seal(yr_wal *wal, yore_error *err)
{
    int rc = put_seal_again(wal);
    if (rc == 0) return YORE_OK;
    return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot write the last seal of '%s'", wal->place.path);
}

bool yr_wal_has_room(const yr_wal *wal, uint64_t payload_bytes, bool urgent)
{
    return !wal->is_manifest_unproven && payload_bytes <= YR_WAL_PAYLOAD_MAX &&
           yr_wal_record_bytes(payload_bytes) <= room_left(wal, urgent);
}

yore_status yr_wal_reserve(yr_wal *wal, uint64_t payload_bytes, bool urgent, yore_error *err)
{
    if (wal->options.read_only) return yr_wal_fail_read_only(wal, err);
    if (yr_wal_is_poisoned(wal)) return yr_wal_fail_poisoned(wal, err);
    if (payload_bytes > YR_WAL_PAYLOAD_MAX) {
        return yr_fail(err, YORE_ERR_LIMIT,
                       "a commit group of %" PRIu64 " bytes is more than one log record holds (%" PRIu64 ")",
                       payload_bytes, YR_WAL_PAYLOAD_MAX);
    }
    yore_status status = yr_wal_get_ready(wal, err);
    if (status < 0) return status;
    uint64_t need = yr_wal_record_bytes(payload_bytes);
    if (need <= room_left(wal, urgent)) return YORE_OK;
    status = yr_wal_settle_seal(wal, err);
    return status < 0 ? status : yr_wal_switch(wal, need, urgent, err);
}

static yore_status append(yr_wal *wal, uint8_t type, yore_slice payload, yore_error *err)
{
    const yr_wal_file *file = atomic_load_explicit(&wal->tail, memory_order_relaxed);
    uint64_t off = atomic_load_explicit(&wal->off, memory_order_relaxed);
    uint64_t last = atomic_load_explicit(&wal->last_lsn, memory_order_relaxed);
    uint64_t size = yr_wal_record_bytes(payload.size);
    YR_ASSERT(off <= file->bytes && size <= file->bytes - off); /* reserved by the caller */
    int rc = put_seal_again(wal);
    yr_wal_record_header header = {.type = type, .lsn = last + 1, .prev = wal->chain};
    header.durable_lsn =
        atomic_load_explicit(&wal->durable_lsn, memory_order_acquire); /* pairs with yr_wal_sync */
    header.manifest = (uint16_t)atomic_load_explicit(&wal->manifest_claim, memory_order_relaxed);
    yr_wal_record_encode(&header, payload, file->seed, off, wal->staging);
    /* the padding is not written: the file is full of zeros */
    size_t first = YR_WAL_STAGING_BYTES - YR_WAL_RECORD_HEADER_BYTES;
    if (payload.size < first) first = payload.size;
    if (first) memcpy(wal->staging + YR_WAL_RECORD_HEADER_BYTES, payload.data, first);
    if (rc == 0) rc = yr_wal_file_put(wal, file, wal->staging, YR_WAL_RECORD_HEADER_BYTES + first, off);
    if (rc == 0 && first < payload.size) {
        rc = yr_wal_file_put(wal, file, (const uint8_t *)payload.data + first, payload.size - first,
                             off + YR_WAL_RECORD_HEADER_BYTES + first);
    }
    if (YR_UNLIKELY(rc < 0)) {
        yr_wal_poison(wal);
        char name[YR_WAL_NAME_BYTES];
        yr_wal_file_name(file->id, false, name);
        (void)yr_fail_errno(err, YORE_ERR_IO, -rc,
                            "cannot append lsn %" PRIu64 " to '%s/%s' at offset %" PRIu64, header.lsn,
                            wal->place.path, name, off);
        if (err) err->code = YORE_ERR_IO;
        return YORE_ERR_IO;
    }
    wal->chain = header.sum;
    if (type == YR_WAL_GROUP) wal->has_data = true;
    atomic_store_explicit(&wal->off, off + size, memory_order_relaxed);
    atomic_store_explicit(&wal->bytes, atomic_load_explicit(&wal->bytes, memory_order_relaxed) + size,
                          memory_order_relaxed);
    atomic_store_explicit(&wal->is_sealed, type == YR_WAL_SEAL, memory_order_relaxed);
    atomic_store_explicit(&wal->last_lsn, header.lsn, memory_order_release); /* pairs with yr_wal_sync */
    return YORE_OK;
}

yore_status yr_wal_append(yr_wal *wal, yore_slice payload, uint64_t *lsn, yore_error *err)
{
    if (YR_UNLIKELY(wal->options.read_only)) return yr_wal_fail_read_only(wal, err);
    if (YR_UNLIKELY(yr_wal_is_poisoned(wal))) return yr_wal_fail_poisoned(wal, err);
    yore_status status = append(wal, YR_WAL_GROUP, payload, err);
    if (status == YORE_OK && lsn) *lsn = atomic_load_explicit(&wal->last_lsn, memory_order_relaxed);
    return status;
}

yore_status yr_wal_sync_files(yr_wal *wal, const yr_wal_file *last, yore_error *err)
{
    const yore_env *env = wal->place.env;
    for (yr_wal_file *file = wal->sync_from;;) {
        /* A file that ended is not appended to again. Written back while mapped, each of its pages would be
         * protected by itself, with an interrupt to every processor that runs the process. */
        if (file->has_map &&
            file != atomic_load_explicit(&wal->tail, memory_order_acquire)) { /* yr_wal_switch */
            int unmapped = env->map(env->ctx, file->file, 0);
            (void)unmapped;
            file->has_map = false;
        }
        int rc = env->sync(env->ctx, file->file);
        if (YR_BUG(RETRY_SYNC) && rc < 0) rc = env->sync(env->ctx, file->file);
        atomic_fetch_add_explicit(&wal->syncs, 1, memory_order_relaxed);
        if (rc < 0) {
            yr_wal_poison(wal); /* F10: what is on the disk now is anyone's guess */
            char name[YR_WAL_NAME_BYTES];
            yr_wal_file_name(file->id, false, name);
            (void)yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync '%s/%s'", wal->place.path, name);
            if (err) err->code = YORE_ERR_IO;
            return YORE_ERR_IO;
        }
        if (file == last) return YORE_OK;
        yr_wal_file *next =
            atomic_load_explicit(&file->next, memory_order_acquire); /* pairs with yr_wal_switch */
        YR_ASSERT(next); /* `last` is reachable: the leader linked it before anyone could see it */
        wal->sync_from = next;
        yr_wal_drop_file(wal, file);
        file = next;
    }
}

yore_status yr_wal_sync(yr_wal *wal, yore_error *err)
{
    if (wal->options.read_only) return yr_wal_fail_read_only(wal, err);
    yr_mutex_lock(&wal->sync_mutex);
    yore_status status = YORE_OK;
    /* lsn first, file second: the file loaded is the lsn's or a later one */
    uint64_t target = atomic_load_explicit(&wal->last_lsn, memory_order_acquire); /* pairs with append */
    const yr_wal_file *last =
        atomic_load_explicit(&wal->tail, memory_order_acquire); /* pairs with yr_wal_switch */
    if (yr_wal_is_poisoned(wal)) {
        status = yr_wal_fail_poisoned(wal, err);
    } else if (target == wal->opened_lsn) {
        /* Nothing was appended, so nothing is dirty: a seal that is not proven stays so until it is written again. */
    } else if (target > atomic_load_explicit(&wal->durable_lsn, memory_order_relaxed)) {
        status = yr_wal_sync_files(wal, last, err);
        if (status == YORE_OK) {
            /* W2: only now may records claim it; pairs with the load in append */
            atomic_store_explicit(&wal->durable_lsn, target, memory_order_release);
        }
    }
    yr_mutex_unlock(&wal->sync_mutex);
    return status;
}

yore_status yr_wal_seal(yr_wal *wal, yore_error *err)
{
    if (wal->options.read_only) return yr_wal_fail_read_only(wal, err);
    if (atomic_load_explicit(&wal->is_sealed, memory_order_relaxed)) return YORE_OK;
    if (wal->is_manifest_unproven) {
        /* should it fail, the sync below says what matters; the seal then just does not prove MANIFEST */
        yore_status ignored = yr_wal_prove_manifest(wal, NULL);
        (void)ignored;
    }
    yore_status status = yr_wal_sync(wal, err);
    if (status < 0) return status;
    const yr_wal_file *file = atomic_load_explicit(&wal->tail, memory_order_relaxed);
    uint64_t used = atomic_load_explicit(&wal->off, memory_order_relaxed);
    if (file->bytes - used < YR_WAL_RECORD_HEADER_BYTES)
        return YORE_OK; /* a foreign file with no room kept */
    status = append(wal, YR_WAL_SEAL, (yore_slice){NULL, 0}, err);
    if (status < 0) return status;
    return yr_wal_sync(wal, err);
}

void yr_wal_publish(yr_wal *wal, uint64_t lsn)
{
    if (!wal->lock_ready) return;
    uint8_t slot[YR_LOCK_SLOT_BYTES];
    yr_lock_slot_encode(lsn, wal->uuid, slot);
    uint64_t off = YR_LOCK_SLOT_OFF + wal->publish_slot * YR_LOCK_SLOT_STRIDE;
    wal->publish_slot ^= 1;
    const yore_env *env = wal->place.env;
    /* a failure leaves readers at the older mark, which is true too */
    if (wal->lock_mapped) {
        (void)env->map_append(env->ctx, wal->lock_file, slot, sizeof(slot), off);
    } else {
        (void)yr_file_write_all(env, wal->lock_file, slot, sizeof(slot), off);
    }
}

void yr_wal_poison(yr_wal *wal)
{
    atomic_store_explicit(&wal->poisoned, true, memory_order_relaxed);
}

uint64_t yr_wal_last_lsn(const yr_wal *wal)
{
    return atomic_load_explicit(&wal->last_lsn, memory_order_acquire);
}

uint64_t yr_wal_durable_lsn(const yr_wal *wal)
{
    return atomic_load_explicit(&wal->durable_lsn, memory_order_acquire);
}

bool yr_wal_is_poisoned(const yr_wal *wal)
{
    return atomic_load_explicit(&wal->poisoned, memory_order_relaxed);
}

bool yr_wal_is_sealed(const yr_wal *wal)
{
    return atomic_load_explicit(&wal->is_sealed, memory_order_relaxed);
}

void yr_wal_stats(const yr_wal *wal, uint64_t *files, uint64_t *bytes, uint64_t *syncs)
{
    *files = atomic_load_explicit(&wal->files, memory_order_relaxed);
    uint64_t all = atomic_load_explicit(&wal->bytes, memory_order_relaxed);
    uint64_t dropped = atomic_load_explicit(&wal->dropped_bytes, memory_order_relaxed);
    *bytes = all > dropped ? all - dropped : 0;
    *syncs = atomic_load_explicit(&wal->syncs, memory_order_relaxed);
}
