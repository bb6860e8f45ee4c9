#include "engine/wal/wal_walk.h"

#include <inttypes.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"

#define FILL_MIN_BYTES (64u << 10)
#define FILL_MAX_BYTES (1u << 20)
#define ZERO_BLOCK_BYTES 4096u
/* A record has the low 16 bits of a generation. More than this ahead is far behind. */
#define GENERATIONS_AHEAD_MAX 4096u
#define HELD_MAX \
    256u /* open files; where there are more the later ones are opened when the walk comes to them */

/* -- window -- */

void yr_wal_window_deinit(yr_wal_window *window, const yore_env *env)
{
    yr_free(env, window->data, window->capacity);
    *window = (yr_wal_window){0};
}

yore_status yr_wal_window_get(yr_wal_window *window, const yr_wal_place *place, const yr_wal_opened *opened,
                              uint64_t off, size_t size, yore_slice *at, yore_error *err)
{
    const yore_env *env = place->env;
    YR_ASSERT(off % 8 == 0 && off <= opened->bytes && size <= opened->bytes - off);
    if (window->size == 0 || off < window->off || off - window->off > window->size ||
        window->size - (off - window->off) < size) {
        size_t fill = window->next_fill < FILL_MIN_BYTES ? FILL_MIN_BYTES : window->next_fill;
        window->next_fill = fill < FILL_MAX_BYTES ? fill * 2 : fill;
        if (fill < size) fill = size;
        if (fill > opened->bytes - off) fill = (size_t)(opened->bytes - off);
        if (window->capacity < fill) {
            yr_free(env, window->data, window->capacity);
            *window = (yr_wal_window){.next_fill = window->next_fill};
            window->data = yr_alloc(env, fill);
            if (!window->data) {
                return yr_fail(err, YORE_ERR_NOMEM, "no memory for %zu bytes of the log in '%s'", fill,
                               place->path);
            }
            window->capacity = fill;
        }
        window->off = off;
        window->size = 0;
        int64_t n = yr_file_read_all(env, opened->file, window->data, fill, off);
        if (n < 0) {
            char name[YR_WAL_NAME_BYTES];
            yr_wal_file_name(opened->id, false, name);
            return yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read '%s/%s' at offset %" PRIu64,
                                 place->path, name, off);
        }
        window->size = (size_t)n;
    }
    size_t skip = (size_t)(off - window->off);
    size_t have = window->size > skip ? window->size - skip : 0;
    *at = (yore_slice){window->data + skip, have < size ? have : size};
    return YORE_OK;
}

/* -- walk -- */

void yr_wal_walk_init(yr_wal_walk *walk, const yr_wal_place *place, yr_manifest *manifest)
{
    *walk = (yr_wal_walk){.place = *place, .manifest = *manifest, .limit_lsn = YR_WAL_LIMIT_NONE};
    walk->proven = manifest->durable_lsn;
    walk->lsn = walk->skip_lsn = manifest->start_lsn;
    walk->chain = manifest->start_chain;
    walk->flushed_lsn = manifest->state.flushed_lsn;
    if (YR_BUG(FLUSHED_LSN) && walk->flushed_lsn) walk->flushed_lsn++;
    *manifest = (yr_manifest){0};
}

static void close_opened(const yr_wal_walk *walk, yr_wal_opened *opened)
{
    const yore_env *env = walk->place.env;
    if (opened->file && !opened->is_held) env->close(env->ctx, opened->file);
    opened->file = NULL;
}

void yr_wal_walk_leave_file(yr_wal_walk *walk)
{
    close_opened(walk, &walk->opened);
    walk->window.size = 0;
}

void yr_wal_walk_deinit(yr_wal_walk *walk)
{
    const yore_env *env = walk->place.env;
    if (!env) return;
    yr_wal_walk_leave_file(walk);
    for (uint32_t i = 0; i < walk->held_count; i++) env->close(env->ctx, walk->held[i].file);
    yr_free(env, walk->held, walk->held_capacity * sizeof(*walk->held));
    yr_wal_window_deinit(&walk->window, env);
    yr_manifest_deinit(&walk->manifest, env);
}

void yr_wal_walk_forget(yr_wal_walk *walk)
{
    walk->window.size = 0;
    walk->window.next_fill = 0;
}

/* -- held files -- */

static const yr_wal_opened *find_held(const yr_wal_walk *walk, uint64_t id)
{
    for (uint32_t i = 0; i < walk->held_count; i++) {
        if (walk->held[i].id == id) return &walk->held[i];
    }
    return NULL;
}

void yr_wal_walk_let_go(yr_wal_walk *walk)
{
    const yr_manifest *manifest = &walk->manifest;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < walk->held_count; i++) {
        uint32_t at = walk->index;
        while (at < manifest->count && manifest->entries[at].id != walk->held[i].id) at++;
        if (at < manifest->count) {
            walk->held[kept++] = walk->held[i];
        } else {
            walk->place.env->close(walk->place.env->ctx, walk->held[i].file);
        }
    }
    walk->held_count = kept;
}

/* Takes over the handle, or closes it. */
static yore_status hold(yr_wal_walk *walk, yr_wal_opened *opened, yore_error *err)
{
    const yore_env *env = walk->place.env;
    if (!walk->holds_files || opened->is_held || walk->held_count >= HELD_MAX) {
        close_opened(walk, opened);
        return YORE_OK;
    }
    if (walk->held_count == walk->held_capacity) {
        uint32_t capacity = walk->held_capacity ? walk->held_capacity * 2 : 8;
        yr_wal_opened *held =
            yr_realloc(env, walk->held, walk->held_capacity * sizeof(*held), capacity * sizeof(*held));
        if (!held) {
            close_opened(walk, opened);
            return yr_fail(err, YORE_ERR_NOMEM, "no memory to open the log of '%s'", walk->place.path);
        }
        walk->held = held;
        walk->held_capacity = capacity;
    }
    opened->is_held = true;
    walk->held[walk->held_count++] = *opened;
    return YORE_OK;
}

/* -- entries -- */

/* Open entry `index` and compare its header with what the manifest and its neighbour say. */
static yore_status open_entry_of(yr_wal_walk *walk, const yr_manifest *manifest, uint32_t index,
                                 yr_wal_opened *out, yore_error *err)
{
    const yr_manifest_entry *entry = &manifest->entries[index];
    const yr_wal_opened *held = find_held(walk, entry->id);
    yore_status status = YORE_OK;
    if (held) {
        *out = *held;
    } else {
        status =
            yr_wal_file_open(&walk->place, manifest->uuid, entry->id, false, out, &walk->file_missing, err);
    }
    if (status < 0) return status;
    uint64_t prev_id = index ? manifest->entries[index - 1].id : manifest->start_id;
    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(entry->id, false, name);
    if (out->link.prev_id != prev_id) {
        status = yr_fail(err, YORE_ERR_CORRUPT,
                         "log file '%s/%s' follows file %" PRIu64 ", but MANIFEST lists file %" PRIu64
                         " before it",
                         walk->place.path, name, out->link.prev_id, prev_id);
    } else if (entry->closed && (entry->end_off > out->bytes || entry->end_off % 8 != 0)) {
        status = yr_fail(err, YORE_ERR_CORRUPT,
                         "log file '%s/%s' has %" PRIu64 " bytes, MANIFEST says its records end at %" PRIu64,
                         walk->place.path, name, out->bytes, entry->end_off);
    }
    if (status < 0) close_opened(walk, out);
    return status;
}

static yore_status open_entry(yr_wal_walk *walk, uint32_t index, yr_wal_opened *out, yore_error *err)
{
    return open_entry_of(walk, &walk->manifest, index, out, err);
}

yore_status yr_wal_walk_hold(yr_wal_walk *walk, const yr_manifest *manifest, uint32_t from, yore_error *err)
{
    yore_status status = YORE_OK;
    for (uint32_t i = from; status == YORE_OK && i < manifest->count; i++) {
        yr_wal_opened opened;
        status = open_entry_of(walk, manifest, i, &opened, err);
        if (status == YORE_OK) status = hold(walk, &opened, err);
    }
    return status;
}

yore_status yr_wal_walk_check_files(yr_wal_walk *walk, yore_error *err)
{
    return yr_wal_walk_hold(walk, &walk->manifest, 0, err);
}

yore_status yr_wal_walk_enter(yr_wal_walk *walk, uint32_t index, yore_error *err)
{
    YR_ASSERT(index < walk->manifest.count);
    yr_wal_opened opened;
    yore_status status = open_entry(walk, index, &opened, err);
    if (status < 0) return status;
    uint64_t first_lsn = walk->manifest.entries[index].first_lsn;
    if (first_lsn && first_lsn != walk->lsn + 1) {
        close_opened(walk, &opened);
        char name[YR_WAL_NAME_BYTES];
        yr_wal_file_name(opened.id, false, name);
        return yr_fail(err, YORE_ERR_CORRUPT,
                       "log file '%s/%s' should begin with lsn %" PRIu64 " by MANIFEST, but lsn %" PRIu64
                       " is next",
                       walk->place.path, name, first_lsn, walk->lsn + 1);
    }
    yr_wal_walk_leave_file(walk);
    walk->opened = opened;
    walk->index = index;
    walk->off = YR_WAL_START_OFF;
    yr_wal_walk_let_go(walk);
    return YORE_OK;
}

/* Where records of the open file must end. */
static uint64_t records_end(const yr_wal_walk *walk)
{
    const yr_manifest_entry *entry = &walk->manifest.entries[walk->index];
    return entry->closed ? entry->end_off : walk->opened.bytes;
}

static bool is_zero(const uint8_t *p, size_t size)
{
    return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

/* The record at the walk's place, if it continues the log: YORE_OK and steps behind it, or YORE_END. */
static yore_status next_in_file(yr_wal_walk *walk, yr_wal_record *record, yore_error *err)
{
    uint64_t end = records_end(walk);
    if (walk->off >= end || end - walk->off < YR_WAL_RECORD_HEADER_BYTES) return YORE_END;
    yore_slice at;
    yore_status status = yr_wal_window_get(&walk->window, &walk->place, &walk->opened, walk->off,
                                           YR_WAL_RECORD_HEADER_BYTES, &at, err);
    if (status < 0) return status;
    uint64_t seed = walk->opened.seed;
    if (!yr_wal_record_decode(at, seed, walk->off, &record->header)) return YORE_END;
    const yr_wal_record_header *header = &record->header;
    if (header->lsn != walk->lsn + 1 || header->prev != walk->chain) return YORE_END;
    uint64_t size = yr_wal_record_bytes(header->payload_bytes);
    if (size > end - walk->off) return YORE_END;

    status = yr_wal_window_get(&walk->window, &walk->place, &walk->opened, walk->off, (size_t)size, &at, err);
    if (status < 0) return status;
    if (at.size < size) return YORE_END;
    const uint8_t *payload = (const uint8_t *)at.data + YR_WAL_RECORD_HEADER_BYTES;
    size_t payload_bytes = (size_t)header->payload_bytes;
    record->payload = (yore_slice){payload, payload_bytes};
    record->off = walk->off;
    if (yr_wal_payload_sum(record->payload, seed, walk->off) != header->payload_sum) return YORE_END;
    if (!is_zero(payload + payload_bytes, (size_t)size - YR_WAL_RECORD_HEADER_BYTES - payload_bytes))
        return YORE_END;

    if (walk->off == YR_WAL_START_OFF) walk->manifest.entries[walk->index].first_lsn = header->lsn;
    walk->off += size;
    walk->lsn = header->lsn;
    walk->chain = header->sum;
    if (header->durable_lsn > walk->proven) walk->proven = header->durable_lsn;
    walk->manifest_claim = header->manifest;
    walk->is_sealed = header->type == YR_WAL_SEAL;
    if (walk->is_sealed) {
        walk->seal_off = record->off;
    } else {
        walk->data_lsn = header->lsn;
    }
    walk->records++;
    walk->bytes += size;
    return YORE_OK;
}

bool yr_wal_walk_proves_manifest(const yr_wal_walk *walk)
{
    return walk->manifest_claim && walk->manifest_claim == (uint16_t)walk->manifest.generation;
}

/* At the end of a closed file: did it end where the manifest says? */
static yore_status check_closed_end(const yr_wal_walk *walk, yore_error *err)
{
    const yr_manifest_entry *entry = &walk->manifest.entries[walk->index];
    if (walk->off == entry->end_off && walk->lsn == entry->last_lsn && walk->chain == entry->end_chain)
        return YORE_OK;
    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(entry->id, false, name);
    return yr_fail(err, YORE_ERR_CORRUPT,
                   "log file '%s/%s': record lsn %" PRIu64 " at offset %" PRIu64
                   " is damaged (the file is closed, its last lsn is %" PRIu64 ")",
                   walk->place.path, name, walk->lsn + 1, walk->off, entry->last_lsn);
}

/* Does entry `index` begin with the record that continues the log? Only its header is looked at: where a
 * payload is torn the walk then stops inside that file, which is where the damage is. */
static yore_status continues_in(yr_wal_walk *walk, uint32_t index, bool *yes, yore_error *err)
{
    const yore_env *env = walk->place.env;
    yr_wal_opened opened;
    *yes = false;
    yore_status status = open_entry(walk, index, &opened, err);
    if (status < 0) return status;
    uint8_t bytes[YR_WAL_RECORD_HEADER_BYTES];
    int64_t n = 0;
    if (opened.bytes >= YR_WAL_START_OFF + sizeof(bytes)) {
        n = yr_file_read_all(env, opened.file, bytes, sizeof(bytes), YR_WAL_START_OFF);
    }
    yr_wal_record_header header;
    if (n < 0) {
        char name[YR_WAL_NAME_BYTES];
        yr_wal_file_name(opened.id, false, name);
        status = yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read '%s/%s'", walk->place.path, name);
    } else if (yr_wal_record_decode((yore_slice){bytes, (size_t)n}, opened.seed, YR_WAL_START_OFF, &header)) {
        *yes = header.lsn == walk->lsn + 1 && header.prev == walk->chain;
    }
    close_opened(walk, &opened);
    return status;
}

/* The open file has no more records: go to the next one if the log goes on there, or in one behind it: a file that was
 * too small for the record that came is left empty. */
static yore_status step_file(yr_wal_walk *walk, bool *stepped, yore_error *err)
{
    *stepped = false;
    yr_manifest_entry *entries = walk->manifest.entries;
    uint32_t next = walk->index + 1;
    if (entries[walk->index].closed) {
        yore_status status = check_closed_end(walk, err);
        if (status < 0) return status;
        *stepped = next < walk->manifest.count;
    }
    for (; !*stepped && next < walk->manifest.count; next += !*stepped) {
        yore_status status = continues_in(walk, next, stepped, err);
        if (status < 0) return status;
    }
    if (!*stepped) return YORE_OK;
    for (uint32_t i = walk->index; i < next; i++) {
        if (entries[i].closed) continue;
        entries[i].last_lsn = walk->lsn;
        entries[i].end_off = i == walk->index ? walk->off : YR_WAL_START_OFF;
        entries[i].end_chain = walk->chain;
    }
    return yr_wal_walk_enter(walk, next, err);
}

yore_status yr_wal_walk_step(yr_wal_walk *walk, yr_wal_record *record, yore_error *err)
{
    if (!walk->opened.file) {
        yore_status status = yr_wal_walk_enter(walk, walk->index, err);
        if (status < 0) return status;
    }
    for (;;) {
        yore_status status = next_in_file(walk, record, err);
        if (status != YORE_END) return status;
        bool stepped;
        status = step_file(walk, &stepped, err);
        if (status < 0) return status;
        if (!stepped) return YORE_END;
    }
}

static yore_status fail_rewritten(const yr_wal_walk *walk, yore_error *err)
{
    return yr_fail(err, YORE_ERR_CORRUPT,
                   "the log in '%s' was rewritten while it was read (lsn %" PRIu64 "): open it again",
                   walk->place.path, walk->skip_lsn);
}

yore_status yr_wal_walk_run(yr_wal_walk *walk, yr_wal_apply apply, void *arg, yore_error *err)
{
    if (walk->is_rewritten) return fail_rewritten(walk, err);
    while (walk->lsn < walk->limit_lsn) {
        yr_wal_record record;
        yore_status status = yr_wal_walk_step(walk, &record, err);
        if (status == YORE_END) return YORE_OK;
        if (status < 0) return status;
        if (walk->is_follower) {
            if (walk->lsn < walk->skip_lsn) continue;
            uint64_t hash = yr_hash64(record.payload.data, record.payload.size, record.header.type);
            if (walk->lsn == walk->skip_lsn) {
                walk->is_rewritten = hash != walk->payload_hash;
                if (walk->is_rewritten) return fail_rewritten(walk, err);
                continue;
            }
            walk->payload_hash = hash;
        }
        walk->skip_lsn = walk->lsn;
        if (record.header.type != YR_WAL_GROUP || !apply || walk->lsn <= walk->flushed_lsn) continue;
        status = apply(arg, walk->lsn, record.payload, err);
        walk->apply_failed = status < 0;
        if (status < 0) return status;
    }
    return YORE_OK;
}

/* -- the tail -- */

/* What a scan of one file found. */
typedef struct span {
    uint64_t first, end; /* bytes that are not zero lie in [first, end), multiples of 8 */
} span;

static void scan_words(yr_wal_tail *tail, span *found, const yr_wal_opened *opened, yore_slice at,
                       uint64_t off, size_t step)
{
    const uint8_t *p = at.data;
    for (size_t i = 0; i < step; i += 8) {
        if (yr_get_le64(p + i) == 0) continue;
        if (found->end == 0) found->first = off + i;
        found->end = off + i + 8;
        yr_wal_record_header header;
        /* a whole header says enough, and leaving the payload alone keeps the scan linear in the file */
        if (!yr_wal_record_decode((yore_slice){p + i, at.size - i}, opened->seed, off + i, &header)) continue;
        if (tail->claim_lsn && header.durable_lsn <= tail->claim) continue;
        tail->claim = header.durable_lsn;
        tail->claim_lsn = header.lsn;
        tail->claim_off = off + i;
        tail->claim_id = opened->id;
    }
}

static yore_status scan_file(yr_wal_window *window, const yr_wal_place *place, const yr_wal_opened *opened,
                             uint64_t off, yr_wal_tail *tail, span *found, yore_error *err)
{
    *found = (span){0};
    while (off < opened->bytes) {
        uint64_t left = opened->bytes - off;
        size_t step = left < ZERO_BLOCK_BYTES ? (size_t)left : ZERO_BLOCK_BYTES;
        /* a header may begin in the last word of this step */
        size_t want = left - step < YR_WAL_RECORD_HEADER_BYTES ? (size_t)left
                                                               : step + YR_WAL_RECORD_HEADER_BYTES;
        yore_slice at;
        yore_status status = yr_wal_window_get(window, place, opened, off, want, &at, err);
        if (status < 0) return status;
        if (at.size < step) {
            char name[YR_WAL_NAME_BYTES];
            yr_wal_file_name(opened->id, false, name);
            return yr_fail(err, YORE_ERR_CORRUPT, "log file '%s/%s' is truncated at offset %" PRIu64,
                           place->path, name, off + at.size);
        }
        if (!is_zero(at.data, step)) scan_words(tail, found, opened, at, off, step);
        off += step;
    }
    return YORE_OK;
}

yore_status yr_wal_walk_scan_tail(yr_wal_walk *walk, yr_wal_tail *tail, yore_error *err)
{
    span found;
    *tail = (yr_wal_tail){0};
    yr_wal_walk_forget(walk);
    yore_status status = scan_file(&walk->window, &walk->place, &walk->opened, walk->off, tail, &found, err);
    if (status < 0) return status;
    tail->bad_id = walk->opened.id;
    tail->bad_off = walk->off;
    tail->first_off = found.first;
    tail->end_off = found.end;
    tail->cut_bytes = found.end - found.first;
    for (uint32_t i = walk->index + 1; i < walk->manifest.count; i++) {
        yr_wal_opened opened;
        status = open_entry(walk, i, &opened, err);
        if (status < 0) return status;
        yr_wal_walk_forget(walk); /* the window is another file's */
        status = scan_file(&walk->window, &walk->place, &opened, YR_WAL_START_OFF, tail, &found, err);
        close_opened(walk, &opened);
        yr_wal_walk_forget(walk);
        if (status < 0) return status;
        if (found.end == 0) continue;
        if (tail->cut_bytes == 0) { /* the log had gone on here: the damage is at this file's beginning */
            tail->bad_id = opened.id;
            tail->bad_off = YR_WAL_START_OFF;
        }
        tail->cut_bytes += found.end - found.first;
        tail->later_bytes += found.end - found.first;
    }
    return YORE_OK;
}

yore_status yr_wal_scan_opened(yr_wal_window *window, const yr_wal_place *place, const yr_wal_opened *opened,
                               uint64_t off, yr_wal_tail *tail, yore_error *err)
{
    span found;
    *tail = (yr_wal_tail){0};
    yore_status status = scan_file(window, place, opened, off, tail, &found, err);
    if (status == YORE_OK) tail->cut_bytes = found.end - found.first;
    return status;
}

yore_status yr_wal_walk_judge(const yr_wal_walk *walk, const yr_wal_tail *tail, yore_error *err)
{
    if (YR_BUG(STOP_AT_FIRST_BAD)) return YORE_OK;
    uint64_t bad_lsn = walk->lsn + 1;
    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(tail->bad_id, false, name);
    if (tail->claim_lsn && tail->claim >= bad_lsn) {
        char by[YR_WAL_NAME_BYTES];
        yr_wal_file_name(tail->claim_id, false, by);
        return yr_fail(err, YORE_ERR_CORRUPT,
                       "log file '%s/%s': record lsn %" PRIu64 " at offset %" PRIu64
                       " is damaged; lsn %" PRIu64 " (%s, offset %" PRIu64 ") says it was durable",
                       walk->place.path, name, bad_lsn, tail->bad_off, tail->claim_lsn, by, tail->claim_off);
    }
    uint16_t ahead = (uint16_t)(walk->manifest_claim - (uint16_t)walk->manifest.generation);
    if (walk->manifest_claim && ahead > 0 && ahead < GENERATIONS_AHEAD_MAX) {
        return yr_fail(err, YORE_ERR_CORRUPT,
                       "'%s': MANIFEST is older than the log: lsn %" PRIu64
                       " says that a newer one was durable",
                       walk->place.path, walk->lsn);
    }
    if (walk->proven >= bad_lsn) {
        return yr_fail(err, YORE_ERR_CORRUPT,
                       "log file '%s/%s': record lsn %" PRIu64 " at offset %" PRIu64
                       " is damaged or gone; MANIFEST says lsn %" PRIu64 " was durable",
                       walk->place.path, name, bad_lsn, tail->bad_off, walk->proven);
    }
    return YORE_OK;
}
