/* Making the tail of a log safe to append to (W4).
 *
 * Appending goes on in place only where everything is proven: the last record is durable by someone's word, or
 * it is a seal whose own word covers the record before it, and nothing but zeros follows. Otherwise the records
 * that are not proven, whole ones all, are copied into a new file under a new salt, which is synced, named and
 * listed in MANIFEST before anything is served. So after a failed sync nothing relies on pages that only the
 * cache has (F10), after a kill nothing is served that a power cut could still take (F11), and no byte of a torn
 * tail is ever in front of, between or behind new records (F7).
 *
 * A power cut anywhere in here leaves the old MANIFEST with the old files, or the new one with the new file.
 *
 * Where the disk has no room for the copy, the same is done in place: the unproven records are written once more
 * over themselves, the torn bytes are zeroed, and the file is synced. A cut in the middle of that leaves the same
 * records and a tail torn otherwise. */
#include "engine/wal/wal_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"

#define SAVE_BYTES_MAX (UINT64_C(16) << 20)
/* A file with no more proven bytes than this is copied whole and goes, or a store that is killed often would
 * gather files. */
#define COPY_WHOLE_BYTES_MAX (UINT64_C(4) << 20)
#define COPY_BUFFER_BYTES (256u << 10)

/* Where the copy begins. */
typedef struct plan {
    uint32_t from_index; /* the first file to read */
    uint64_t from_lsn;   /* the first record to copy */
    uint32_t keep;       /* entries that stay, closed */
} plan;

static uint64_t records_end(const yr_wal_walk *walk, uint32_t index)
{
    return index == walk->index ? walk->off : walk->manifest.entries[index].end_off;
}

/* The last file that begins at or before record `lsn`. */
static uint32_t index_of(const yr_wal_walk *walk, uint64_t lsn)
{
    uint32_t index = 0;
    for (uint32_t i = 0; i <= walk->index; i++) {
        uint64_t first = walk->manifest.entries[i].first_lsn;
        if (first && first <= lsn) index = i;
    }
    return index;
}

static plan make_plan(const yr_wal_walk *walk)
{
    plan p = {.from_lsn = walk->proven + 1};
    p.from_index = index_of(walk, p.from_lsn);
    if (records_end(walk, p.from_index) - YR_WAL_START_OFF <= COPY_WHOLE_BYTES_MAX) {
        p.from_lsn = walk->manifest.entries[p.from_index].first_lsn;
    }
    p.keep = p.from_lsn == walk->manifest.entries[p.from_index].first_lsn ? p.from_index : p.from_index + 1;
    return p;
}

/* -- lost+found -- */

static yore_status read_span(yr_wal_walk *walk, uint64_t off, size_t size, yore_slice *at)
{
    return yr_wal_window_get(&walk->window, &walk->place, &walk->opened, off, size, at, NULL);
}

/* Keep the torn bytes for people to look at. They were never acknowledged, so a store whose disk is full opens
 * without them being saved: failures are not reported. */
static void save_torn_bytes(yr_wal_walk *walk, const yr_wal_tail *tail)
{
    const yore_env *env = walk->place.env;
    yore_dir *lost = NULL;
    yore_file *file = NULL;
    if (tail->end_off <= walk->off) return;
    if (env->dir_open_at(env->ctx, walk->place.dir, YR_WAL_LOST_NAME, YORE_DIR_CREATE, &lost) < 0) return;
    char name[96];
    (void)snprintf(name, sizeof(name), "wal-%08" PRIu64 "-at-%" PRIu64 "-lsn-%" PRIu64 ".torn",
                   walk->opened.id, walk->off, walk->lsn + 1);
    uint64_t end = tail->end_off - walk->off > SAVE_BYTES_MAX ? walk->off + SAVE_BYTES_MAX : tail->end_off;
    int rc = env->open(env->ctx, lost, name, YORE_OPEN_WRITE | YORE_OPEN_CREATE, &file);
    for (uint64_t off = walk->off; rc == 0 && off < end;) {
        size_t n = end - off < COPY_BUFFER_BYTES ? (size_t)(end - off) : COPY_BUFFER_BYTES;
        yore_slice at;
        if (read_span(walk, off, n, &at) < 0 || at.size < n) break;
        rc = yr_file_write_all(env, file, at.data, n, off - walk->off);
        off += n;
    }
    if (file) {
        if (rc == 0) (void)env->sync(env->ctx, file);
        env->close(env->ctx, file);
    }
    if (rc < 0) (void)env->unlink(env->ctx, lost, name);
    env->dir_close(env->ctx, lost);
}

/* A file MANIFEST no longer names: with `keep` it may hold something, so it moves to lost+found/. */
static void put_away(const yr_wal_place *place, uint64_t id, bool keep)
{
    const yore_env *env = place->env;
    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(id, false, name);
    yore_dir *lost = NULL;
    if (!keep) {
        (void)env->unlink(env->ctx, place->dir, name);
    } else if (env->dir_open_at(env->ctx, place->dir, YR_WAL_LOST_NAME, YORE_DIR_CREATE, &lost) == 0) {
        (void)env->rename(env->ctx, place->dir, name, lost, name);
        env->dir_close(env->ctx, lost);
    }
}

/* -- copying -- */

typedef struct copier {
    yr_wal_making making;
    uint8_t *buffer;
    size_t used;
    uint64_t buffer_off; /* of buffer[0] in the new file */
    uint64_t off;        /* of the next record */
    uint64_t chain;
} copier;

static int copier_flush(copier *c)
{
    if (c->used == 0) return 0;
    int rc = yr_file_write_all(c->making.place.env, c->making.file, c->buffer, c->used, c->buffer_off);
    c->buffer_off += c->used;
    c->used = 0;
    return rc;
}

static int copier_put(copier *c, const void *bytes, size_t size)
{
    int rc = 0;
    if (size > COPY_BUFFER_BYTES - c->used) rc = copier_flush(c);
    if (rc < 0) return rc;
    if (size > COPY_BUFFER_BYTES) {
        rc = yr_file_write_all(c->making.place.env, c->making.file, bytes, size, c->buffer_off);
        c->buffer_off += size;
        return rc;
    }
    if (size) memcpy(c->buffer + c->used, bytes, size);
    c->used += size;
    return 0;
}

static int copier_put_record(copier *c, const yr_wal_record *record, uint64_t proven)
{
    static const uint8_t padding[8];
    uint64_t lsn = record->header.lsn;
    yr_wal_record_header header = {.type = record->header.type, .lsn = lsn, .prev = c->chain};
    header.durable_lsn = proven < lsn ? proven : lsn - 1;
    uint8_t bytes[YR_WAL_RECORD_HEADER_BYTES];
    yr_wal_record_encode(&header, record->payload, c->making.seed, c->off, bytes);
    int rc = copier_put(c, bytes, sizeof(bytes));
    if (rc == 0) rc = copier_put(c, record->payload.data, record->payload.size);
    uint64_t size = yr_wal_record_bytes(record->payload.size);
    if (rc == 0) rc = copier_put(c, padding, (size_t)size - sizeof(bytes) - record->payload.size);
    c->off += size;
    c->chain = header.sum;
    return rc;
}

/* A second walk, standing in front of the first record to copy. */
static yore_status find_start(const yr_wal_walk *walk, const plan *p, yr_wal_walk *from, yore_error *err)
{
    const yore_env *env = walk->place.env;
    yr_manifest manifest = walk->manifest;
    manifest.entries = NULL;
    manifest.capacity = manifest.count = 0;
    manifest.state = (yr_store_state){0}; /* the walk's own */
    if (!yr_manifest_grow(&manifest, env, walk->manifest.count)) {
        return yr_fail(err, YORE_ERR_NOMEM, "no memory to open the log of '%s'", walk->place.path);
    }
    manifest.count = walk->manifest.count;
    memcpy(manifest.entries, walk->manifest.entries, manifest.count * sizeof(*manifest.entries));
    yr_wal_walk_init(from, &walk->place, &manifest);
    from->lsn = walk->manifest.entries[p->from_index].first_lsn - 1;
    if (p->from_index) from->chain = walk->manifest.entries[p->from_index - 1].end_chain;
    yore_status status = yr_wal_walk_enter(from, p->from_index, err);
    while (status == YORE_OK && from->lsn + 1 < p->from_lsn) {
        yr_wal_record record;
        status = yr_wal_walk_step(from, &record, err);
    }
    if (status == YORE_END) {
        status = yr_fail(err, YORE_ERR_IO, "the log of '%s' changed while it was read (lsn %" PRIu64 ")",
                         walk->place.path, from->lsn + 1);
    }
    return status;
}

static uint64_t new_file_size(const yr_wal_options *options, uint64_t bytes)
{
    uint64_t size = options->bytes_min;
    while (size < options->bytes_max && bytes > size / 2) size *= 2;
    while (size < YR_WAL_START_OFF + bytes + 2 * (uint64_t)YR_WAL_SEAL_ROOM + yr_wal_spare_bytes(size))
        size *= 2;
    return size;
}

static yore_status copy_records(const yr_wal_walk *walk, yr_wal_walk *from, copier *c, yore_error *err)
{
    while (from->lsn < walk->lsn) {
        yr_wal_record record;
        yore_status status = yr_wal_walk_step(from, &record, err);
        if (status < 0) return status;
        if (status == YORE_END) {
            return yr_fail(err, YORE_ERR_IO, "the log of '%s' changed while it was read (lsn %" PRIu64 ")",
                           walk->place.path, from->lsn + 1);
        }
        int rc = copier_put_record(c, &record, walk->proven);
        if (rc < 0)
            return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot copy the end of the log of '%s'",
                                 walk->place.path);
    }
    int rc = copier_flush(c);
    if (rc < 0)
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot copy the end of the log of '%s'",
                             walk->place.path);
    return YORE_OK;
}

/* MANIFEST's next generation: the kept files, closed, and the new one. */
static yore_status list_copy(yr_wal_walk *walk, const plan *p, const yr_wal_walk *from, uint64_t end_off,
                             uint64_t end_chain, uint64_t id, enum yr_manifest_outcome *outcome,
                             yore_error *err)
{
    yr_manifest next =
        from->manifest; /* its entries array is a copy of ours and this function may change it */
    for (uint32_t i = 0; i < p->keep; i++) next.entries[i].closed = true;
    if (p->keep > p->from_index) {
        yr_manifest_entry *last = &next.entries[p->keep - 1];
        last->last_lsn = p->from_lsn - 1;
        last->end_off = end_off;
        last->end_chain = end_chain;
    }
    YR_ASSERT(p->keep < next.capacity);
    next.entries[p->keep] = (yr_manifest_entry){.id = id, .first_lsn = p->from_lsn};
    next.count = p->keep + 1;
    next.next_id = id + 1;
    next.durable_lsn = walk->lsn;
    next.state = walk->manifest.state; /* borrowed */
    yore_status status = yr_manifest_store(&walk->place, &next, outcome, err);
    if (status < 0) return status;
    memcpy(walk->manifest.entries, next.entries, next.count * sizeof(*next.entries));
    walk->manifest.count = next.count;
    walk->manifest.next_id = next.next_id;
    walk->manifest.durable_lsn = next.durable_lsn;
    walk->manifest.generation = next.generation;
    walk->manifest.is_spare = next.is_spare;
    memcpy(walk->manifest.salt, next.salt, YR_SALT_BYTES);
    return YORE_OK;
}

static yore_status copy_tail(const yr_wal_options *options, yr_wal_recovery *recovery, yore_error *err)
{
    yr_wal_walk *walk = &recovery->walk;
    const yore_env *env = options->env;
    plan p = make_plan(walk);
    yr_wal_walk from = {0};
    copier c = {.buffer = yr_alloc(env, COPY_BUFFER_BYTES)};
    uint32_t files = walk->manifest.count;
    enum yr_manifest_outcome outcome = YR_MANIFEST_SAME;
    yore_status status;
    if (!c.buffer) {
        status = yr_fail(err, YORE_ERR_NOMEM, "no memory to open the log of '%s'", options->path);
        goto out;
    }
    save_torn_bytes(walk, &recovery->tail);
    status = find_start(walk, &p, &from, err);
    if (status < 0) goto out;
    uint64_t end_off = from.off;
    uint64_t end_chain = from.chain;
    uint64_t bytes = records_end(walk, p.from_index) - from.off;
    for (uint32_t i = p.from_index + 1; i <= walk->index; i++)
        bytes += records_end(walk, i) - YR_WAL_START_OFF;
    yr_wal_link link = {.prev_id = p.keep ? walk->manifest.entries[p.keep - 1].id : walk->manifest.start_id,
                        .prev_last_lsn = p.from_lsn - 1,
                        .prev_chain = end_chain,
                        .bytes = new_file_size(options, bytes)};
    status =
        yr_wal_make_begin(&c.making, &walk->place, walk->manifest.uuid, walk->manifest.next_id, &link, err);
    if (status < 0) goto out;
    c.off = c.buffer_off = YR_WAL_START_OFF;
    c.chain = end_chain;
    status = copy_records(walk, &from, &c, err);
    if (status == YORE_OK) status = yr_wal_make_finish(&c.making, c.off, err);
    if (status == YORE_OK) {
        uint32_t first_dropped = p.keep;
        uint64_t *dropped = yr_alloc(env, files * sizeof(*dropped));
        for (uint32_t i = first_dropped; dropped && i < files; i++) dropped[i] = walk->manifest.entries[i].id;
        uint32_t stop_index = walk->index;
        status = list_copy(walk, &p, &from, end_off, end_chain, c.making.id, &outcome, err);
        for (uint32_t i = first_dropped; dropped && status == YORE_OK && i < files; i++) {
            put_away(&walk->place, dropped[i], i > stop_index && recovery->tail.later_bytes > 0);
        }
        yr_free(env, dropped, files * sizeof(*dropped));
    }
    if (status < 0) goto out;
    recovery->current = (yr_wal_opened){
        .file = c.making.file, .id = c.making.id, .bytes = c.making.bytes, .seed = c.making.seed};
    c.making.file = NULL; /* owned by the recovery now */
    recovery->current_off = c.off;
    recovery->chain = c.chain;
    recovery->durable_lsn = walk->lsn;
out:
    recovery->is_copied = outcome != YR_MANIFEST_SAME;
    if (outcome == YR_MANIFEST_SAME) {
        yr_wal_make_abandon(&c.making);
    } else if (c.making.file) {
        env->close(env->ctx, c.making.file);
    }
    yr_wal_walk_deinit(&from);
    yr_free(env, c.buffer, COPY_BUFFER_BYTES);
    return status;
}

/* -- going on in place -- */

static yore_status go_on_in_place(yr_wal_recovery *recovery, uint64_t off, yore_error *err)
{
    yr_wal_walk *walk = &recovery->walk;
    const yr_manifest_entry *entry = &walk->manifest.entries[walk->index];
    yore_status status =
        yr_wal_file_open(&walk->place, walk->manifest.uuid, entry->id, true, &recovery->current, NULL, err);
    if (status < 0) return status;
    recovery->current_off = off;
    recovery->chain = walk->chain;
    recovery->durable_lsn = walk->proven < walk->lsn ? walk->proven : walk->lsn;
    recovery->rewrite_seal = walk->is_sealed && recovery->durable_lsn < walk->lsn;
    if (walk->index + 1 < walk->manifest.count)
        recovery->prepared_id = walk->manifest.entries[walk->index + 1].id;
    return YORE_OK;
}

static int write_zeros_over(const yore_env *env, yore_file *file, uint64_t off, uint64_t end)
{
    static const uint8_t zeros[4096];
    int rc = 0;
    while (rc == 0 && off < end) {
        size_t n = end - off < sizeof(zeros) ? (size_t)(end - off) : sizeof(zeros);
        rc = yr_file_write_all(env, file, zeros, n, off);
        off += n;
    }
    return rc;
}

static bool can_cut_in_place(const yr_wal_recovery *recovery)
{
    const yr_wal_walk *walk = &recovery->walk;
    return recovery->tail.later_bytes == 0 && walk->index + 2 >= walk->manifest.count;
}

static int sync_and_close(const yore_env *env, yr_wal_opened *opened)
{
    if (!opened->file) return 0;
    int rc = env->sync(env->ctx, opened->file);
    env->close(env->ctx, opened->file);
    opened->file = NULL;
    return rc;
}

/* Write the records behind `from` once more over themselves and sync each file they are in. */
static yore_status write_again(const yr_wal_walk *walk, yr_wal_walk *from, yore_error *err)
{
    const yore_env *env = walk->place.env;
    yr_wal_opened opened = {0};
    int rc = 0;
    yore_status status = YORE_OK;
    while (rc == 0 && from->lsn < walk->lsn) {
        yr_wal_record record;
        status = yr_wal_walk_step(from, &record, err);
        if (status == YORE_END)
            status = yr_fail(err, YORE_ERR_IO, "the log of '%s' changed while it was read", walk->place.path);
        if (status < 0) break;
        if (opened.file && opened.id != from->opened.id) rc = sync_and_close(env, &opened);
        if (rc == 0 && !opened.file) {
            status = yr_wal_file_open(&walk->place, walk->manifest.uuid, from->opened.id, true, &opened, NULL,
                                      err);
            if (status < 0) break;
        }
        const uint8_t *whole = (const uint8_t *)record.payload.data - YR_WAL_RECORD_HEADER_BYTES;
        size_t size = (size_t)yr_wal_record_bytes(record.payload.size);
        if (rc == 0) rc = yr_file_write_all(env, opened.file, whole, size, record.off);
    }
    int synced = sync_and_close(env, &opened);
    if (rc == 0) rc = synced;
    if (status == YORE_OK && rc < 0) {
        status = yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot write the end of the log of '%s' again",
                               walk->place.path);
    }
    return status;
}

static yore_status cut_in_place(yr_wal_recovery *recovery, yore_error *err)
{
    yr_wal_walk *walk = &recovery->walk;
    const yore_env *env = walk->place.env;
    plan p = {.from_lsn = walk->proven < walk->lsn ? walk->proven + 1 : walk->lsn};
    p.from_index = index_of(walk, p.from_lsn);
    yr_wal_walk from = {0};
    yore_status status = go_on_in_place(recovery, walk->off, err);
    if (status == YORE_OK) status = find_start(walk, &p, &from, err);
    if (status == YORE_OK) status = write_again(walk, &from, err);
    yr_wal_walk_deinit(&from);
    if (status < 0) return status;
    int rc = write_zeros_over(env, recovery->current.file, walk->off, recovery->tail.end_off);
    if (rc == 0) rc = env->sync(env->ctx, recovery->current.file);
    if (rc < 0)
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot cut the torn end of the log of '%s'",
                             walk->place.path);
    recovery->durable_lsn = walk->lsn;
    recovery->rewrite_seal = false;
    return YORE_OK;
}

yore_status yr_wal_settle_tail(const yr_wal_options *options, yr_wal_recovery *recovery, yore_error *err)
{
    const yr_wal_walk *walk = &recovery->walk;
    bool proven = walk->proven >= walk->lsn || (walk->is_sealed && walk->proven + 1 >= walk->lsn);
    bool last = walk->index + 2 >= walk->manifest.count; /* behind it one prepared file at most */
    bool clean = proven && last && recovery->tail.cut_bytes == 0;
    if (clean || YR_BUG(REUSE_WAL)) return go_on_in_place(recovery, walk->off, err);
    if (YR_BUG(APPEND_AFTER_TORN_TAIL)) {
        uint64_t end = recovery->tail.end_off;
        return go_on_in_place(recovery, end > walk->off ? end : walk->off, err);
    }
    yore_error why = YORE_ERROR_INIT;
    yore_status status = copy_tail(options, recovery, &why);
    if (status == YORE_ERR_FULL && !recovery->is_copied && can_cut_in_place(recovery))
        return cut_in_place(recovery, err);
    if (status < 0 && err) *err = why;
    return status;
}
