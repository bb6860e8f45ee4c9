/* The log's whole records. A record is believed by its own checksums, which its file's salt, number and offset go
 * into; whether it is the store's is told by where it stands:
 *
 *   - behind the end that MANIFEST gives a closed file nothing counts, and neither does what a later file begins with
 *     or behind: recovery has copied it there, or cut it off (W4);
 *   - where records are missing and nothing says that they were durable, the tail was torn there: as at every open the
 *     log ends in front of them. Else they are lost, and the records behind them count. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/salvage/salvage_private.h"

#define STEP_BYTES ((size_t)4096)

/* -- opening -- */

/* As yr_wal_file_open, but a file may be shorter than it says. */
static yore_status open_log(const yr_salvage *s, uint64_t id, yr_wal_opened *out, yore_error *err)
{
    const yore_env *env = s->env;
    uint8_t start[YR_WAL_START_OFF];
    yr_file_header header;
    char name[YR_FILE_NAME_BYTES];
    yr_wal_file_name(id, false, name);
    *out = (yr_wal_opened){.id = id};
    int rc = env->open(env->ctx, s->dir, name, 0, &out->file);
    if (rc == -ENOENT) return yr_fail(err, YORE_ERR_CORRUPT, "log file '%s/%s' is missing", s->path, name);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open '%s/%s'", s->path, name);
    yore_status status = YORE_OK;
    int64_t n = yr_file_read_all(env, out->file, start, sizeof start, 0);
    int64_t size = n < 0 ? n : env->size(env->ctx, out->file);
    if (size < 0) {
        status = yr_fail_errno(err, YORE_ERR_IO, (int)-size, "cannot read '%s/%s'", s->path, name);
    } else if (n < (int64_t)sizeof start ||
               yr_file_header_decode(yore_bytes(start, YR_FILE_HEADER_BYTES), &header) != YR_HEADER_OK ||
               header.kind != YR_FILE_WAL || header.file_id != id ||
               memcmp(header.uuid, s->uuid, YR_UUID_BYTES) != 0) {
        status = yr_fail(err, YORE_ERR_CORRUPT, "log file '%s/%s' has no whole header", s->path, name);
    }
    if (status < 0) {
        env->close(env->ctx, out->file);
        out->file = NULL;
        return status;
    }
    out->seed = yr_file_seed(&header);
    out->bytes = (uint64_t)size & ~UINT64_C(7);
    yore_slice link = yore_bytes(start + YR_FILE_HEADER_BYTES, sizeof start - YR_FILE_HEADER_BYTES);
    if (!yr_wal_link_decode(link, out->seed, &out->link)) {
        out->link = (yr_wal_link){0};
    } else if (out->link.bytes < out->bytes) {
        out->bytes = out->link.bytes & ~UINT64_C(7);
    }
    return YORE_OK;
}

static const yr_manifest_entry *entry_of(const yr_salvage *s, uint64_t id)
{
    for (uint32_t i = 0; s->has_manifest && i < s->manifest.count; i++) {
        if (s->manifest.entries[i].id == id) return &s->manifest.entries[i];
    }
    return NULL;
}

static bool is_needed(const yr_salvage *s, const yr_manifest_entry *entry)
{
    return !entry || !entry->closed || entry->last_lsn > s->manifest.state.flushed_lsn;
}

static yore_status take_file(yr_salvage *s, uint64_t id, yore_error *err)
{
    yr_salvage_log_file file = {0};
    yore_error why = YORE_ERROR_INIT;
    const yr_manifest_entry *entry = entry_of(s, id);
    yore_status status = open_log(s, id, &file.opened, &why);
    if (yr_salvage_is_damage(status)) {
        char name[YR_FILE_NAME_BYTES];
        yr_wal_file_name(id, false, name);
        s->report.log_files_lost++;
        s->is_unsure = s->is_unsure || is_needed(s, entry);
        yr_salvage_tell(s, &(yore_salvage_loss){.kind = YORE_LOSS_FILE, .file = name, .text = why.message});
        return YORE_OK;
    }
    if (status < 0) {
        if (err) *err = why;
        return status;
    }
    s->report.log_files++;
    file.end_off = file.opened.bytes;
    if (entry && entry->closed && entry->end_off < file.end_off) file.end_off = entry->end_off;
    if (yr_buf_append(&s->logs, &file, sizeof file)) return YORE_OK;
    s->env->close(s->env->ctx, file.opened.file);
    return yr_salvage_no_memory(s, err);
}

/* -- reading -- */

static yore_status window_get(yr_salvage *s, uint32_t file, uint64_t off, size_t size, yore_slice *at,
                              yore_error *err)
{
    const yr_wal_place place = {.env = s->env, .dir = s->dir, .path = s->path};
    const yr_wal_opened *opened = &YR_SALVAGE_AT(s->logs, yr_salvage_log_file, file)->opened;
    if (s->window_file != file) s->window.size = 0;
    s->window_file = file;
    return yr_wal_window_get(&s->window, &place, opened, off, size, at, err);
}

/* The record at `off`, if there is a whole one. *bytes: its size, 0 = none. */
static yore_status take_record(yr_salvage *s, uint32_t i, uint64_t off, uint64_t *bytes, yore_error *err)
{
    const yr_salvage_log_file *file = YR_SALVAGE_AT(s->logs, yr_salvage_log_file, i);
    yr_wal_record_header header;
    yore_slice at;
    *bytes = 0;
    if (file->end_off - off < YR_WAL_RECORD_HEADER_BYTES) return YORE_OK;
    yore_status status = window_get(s, i, off, YR_WAL_RECORD_HEADER_BYTES, &at, err);
    if (status < 0) return status;
    if (!yr_wal_record_decode(at, file->opened.seed, off, &header)) return YORE_OK;
    uint64_t size = yr_wal_record_bytes(header.payload_bytes);
    if (size > file->end_off - off) return YORE_OK;
    status = window_get(s, i, off, (size_t)size, &at, err);
    if (status < 0) return status;
    if (at.size < size) return YORE_OK;
    yore_slice payload = {(const uint8_t *)at.data + YR_WAL_RECORD_HEADER_BYTES,
                          (size_t)header.payload_bytes};
    *bytes = size;
    if (yr_wal_payload_sum(payload, file->opened.seed, off) != header.payload_sum) return YORE_OK;
    const yr_salvage_record record = {.file = i,
                                      .lsn = header.lsn,
                                      .off = off,
                                      .payload_bytes = header.payload_bytes,
                                      .durable_lsn = header.durable_lsn};
    return yr_buf_append(&s->records, &record, sizeof record) ? YORE_OK : yr_salvage_no_memory(s, err);
}

static bool is_zero(const uint8_t *p, size_t size)
{
    return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

static void tell_unreadable(yr_salvage *s, const yr_salvage_log_file *file)
{
    char name[YR_FILE_NAME_BYTES];
    yr_wal_file_name(file->opened.id, false, name);
    yr_salvage_tell(s, &(yore_salvage_loss){.kind = YORE_LOSS_FILE,
                                            .file = name,
                                            .text = "the disk does not give all of the log file"});
}

/* All whole records of a file: behind a damaged one the next is looked for at every place where one can be. */
static yore_status scan_file(yr_salvage *s, uint32_t i, yore_error *err)
{
    const yr_salvage_log_file *file = YR_SALVAGE_AT(s->logs, yr_salvage_log_file, i);
    uint64_t off = YR_WAL_START_OFF;
    bool is_told = false;
    while (off < file->end_off) {
        uint64_t bytes = 0;
        yore_slice at;
        size_t step = file->end_off - off < STEP_BYTES ? (size_t)(file->end_off - off) : STEP_BYTES;
        yore_status status = window_get(s, i, off, step, &at, err);
        if (status == YORE_OK && at.size == step && is_zero(at.data, step)) {
            off += step;
            continue;
        }
        if (status == YORE_OK) status = take_record(s, i, off, &bytes, err);
        if (status == YORE_ERR_IO) { /* a place that the disk does not give */
            s->window.size = 0;
            if (!is_told) tell_unreadable(s, file);
            is_told = s->is_unsure = true;
            off = (off + STEP_BYTES) & ~(uint64_t)(STEP_BYTES - 1);
            continue;
        }
        if (status < 0) return status;
        off += bytes ? bytes : 8;
    }
    return YORE_OK;
}

/* -- which of them count -- */

static int compare_records(const void *a, const void *b)
{
    const yr_salvage_record *x = a, *y = b;
    if (x->lsn != y->lsn) return x->lsn < y->lsn ? -1 : 1;
    return x->file > y->file ? -1 : x->file < y->file; /* the later file's first */
}

/* Drop what later files begin with, or behind. */
static void drop_superseded(yr_salvage *s)
{
    uint32_t count = YR_SALVAGE_COUNT(s->records, yr_salvage_record), kept = count;
    uint64_t limit = UINT64_MAX; /* of the records of the files before */
    uint32_t end = count;
    while (end > 0) { /* the records of one file stand together, by offset */
        uint32_t file = YR_SALVAGE_AT(s->records, yr_salvage_record, end - 1)->file, begin = end;
        const yr_wal_link *link = &YR_SALVAGE_AT(s->logs, yr_salvage_log_file, file)->opened.link;
        uint64_t first = UINT64_MAX;
        while (begin > 0 && YR_SALVAGE_AT(s->records, yr_salvage_record, begin - 1)->file == file) begin--;
        for (uint32_t i = end; i-- > begin;) {
            const yr_salvage_record record = *YR_SALVAGE_AT(s->records, yr_salvage_record, i);
            if (record.lsn < limit) *YR_SALVAGE_AT(s->records, yr_salvage_record, --kept) = record;
            if (record.lsn < first) first = record.lsn;
        }
        if (link->prev_last_lsn && link->prev_last_lsn + 1 < first) first = link->prev_last_lsn + 1;
        if (first < limit) limit = first;
        end = begin;
    }
    size_t left = (count - kept) * sizeof(yr_salvage_record);
    if (left) memmove(s->records.data, YR_SALVAGE_AT(s->records, yr_salvage_record, kept), left);
    s->records.size = left;
}

static void tell_lost(yr_salvage *s, uint64_t first, uint64_t last)
{
    s->report.log_records_lost += last - first + 1;
    yr_salvage_tell(s, &(yore_salvage_loss){.kind = YORE_LOSS_LOG,
                                            .first_version = first,
                                            .last_version = last,
                                            .text = "log records are damaged or missing"});
}

/* Find the holes, and cut the log at the first one that may be a torn tail. */
static void judge_holes(yr_salvage *s)
{
    uint32_t count = YR_SALVAGE_COUNT(s->records, yr_salvage_record);
    uint64_t flushed = s->has_manifest ? s->manifest.state.flushed_lsn : 0;
    uint64_t durable = s->has_manifest ? s->manifest.durable_lsn : 0, last = flushed;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t claim = YR_SALVAGE_AT(s->records, yr_salvage_record, i)->durable_lsn;
        if (claim > durable) durable = claim;
    }
    if (!s->has_manifest && count) last = YR_SALVAGE_AT(s->records, yr_salvage_record, 0)->lsn - 1;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t lsn = YR_SALVAGE_AT(s->records, yr_salvage_record, i)->lsn;
        if (lsn <= last) continue;
        if (lsn > last + 1 && durable <= last) {
            s->records.size = i * sizeof(yr_salvage_record);
            return;
        }
        if (lsn > last + 1) tell_lost(s, last + 1, lsn - 1);
        last = lsn;
    }
    if (durable > last) tell_lost(s, last + 1, durable);
}

yore_status yr_salvage_read_logs(yr_salvage *s, yore_error *err)
{
    yore_status status = YORE_OK;
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->files, yr_salvage_file) && status == YORE_OK; i++) {
        const yr_salvage_file *file = YR_SALVAGE_AT(s->files, yr_salvage_file, i);
        if (file->kind == YR_FILE_WAL) status = take_file(s, file->id, err);
    }
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->logs, yr_salvage_log_file) && status == YORE_OK; i++)
        status = scan_file(s, i, err);
    if (status < 0) return status;
    drop_superseded(s);
    uint32_t count = YR_SALVAGE_COUNT(s->records, yr_salvage_record);
    if (count) qsort(s->records.data, count, sizeof(yr_salvage_record), compare_records);
    judge_holes(s);
    s->report.log_records = YR_SALVAGE_COUNT(s->records, yr_salvage_record);
    return YORE_OK;
}

yore_status yr_salvage_payload(yr_salvage *s, const yr_salvage_record *record, yore_slice *payload,
                               yore_error *err)
{
    yore_slice at;
    size_t size = YR_WAL_RECORD_HEADER_BYTES + (size_t)record->payload_bytes;
    yore_status status = window_get(s, record->file, record->off, size, &at, err);
    if (status < 0) return status;
    *payload =
        yore_bytes((const uint8_t *)at.data + YR_WAL_RECORD_HEADER_BYTES, (size_t)record->payload_bytes);
    const yr_wal_opened *opened = &YR_SALVAGE_AT(s->logs, yr_salvage_log_file, record->file)->opened;
    yr_wal_record_header header;
    if (at.size == size && yr_wal_record_decode(at, opened->seed, record->off, &header) &&
        yr_wal_payload_sum(*payload, opened->seed, record->off) == header.payload_sum)
        return YORE_OK;
    return yr_fail(err, YORE_ERR_IO, "the log of '%s' was changed while it was read", s->path);
}
