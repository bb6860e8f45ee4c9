#include "engine/format/manifest_format.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/format/wal_format.h"

#define ENTRY_CLOSED UINT64_C(1)
#define FIXED_BYTES_1_0 96u

static uint32_t fixed_bytes(const yr_manifest_fixed *fixed)
{
    return fixed->header.minor == 0 ? FIXED_BYTES_1_0 : YR_MANIFEST_FIXED_BYTES;
}

static uint8_t *encode_state(const yr_manifest_fixed *fixed, uint8_t *out)
{
    const yr_store_state *state = &fixed->state;
    yr_put_le64(out + 88, fixed->start_id);                     /* 88  8  the log file before the first one */
    yr_put_le64(out + 96, fixed->start_lsn);                    /* 96  8  its last lsn */
    yr_put_le64(out + 104, fixed->start_chain);                 /* 104 8  that record's header checksum */
    yr_put_le64(out + 112, state->hash_seed);                   /* 112 8  seed of the hash of keys */
    yr_put_le64(out + 120, state->flushed_version);             /* 120 8  versions up to here are in runs */
    yr_put_le64(out + 128, state->flushed_lsn);                 /* 128 8  records up to here are not needed */
    yr_put_le64(out + 136, (uint64_t)state->last_time_ns);      /* 136 8  time of the newest commit in runs */
    yr_put_le64(out + 144, (uint64_t)state->last_data_time_ns); /* 144 8  of the newest with data */
    yr_put_le64(out + 152, state->trimmed_version);             /* 152 8  history up to here may be gone */
    memset(out + 160, 0, 16);                                   /* 160 16 zero */
    return out + YR_MANIFEST_FIXED_BYTES;
}

static void encode_file(const yr_store_file *file, uint8_t *p)
{
    yr_put_le64(p + 0, file->file_id);
    yr_put_le64(p + 8, file->run_id);
    yr_put_le64(p + 16, file->after_version);
    yr_put_le64(p + 24, file->last_version);
    yr_put_le64(p + 32, file->file_bytes);
    memcpy(p + 40, file->file_hash, YR_FILE_HASH_BYTES);
    yr_put_le16(p + 56, file->kind);
    yr_put_le16(p + 58, file->level);
    memset(p + 60, 0, 12);
}

void yr_manifest_encode(const yr_manifest_fixed *fixed, const yr_manifest_entry *entries, uint8_t *out)
{
    yr_file_header header = fixed->header;
    header.minor = YR_MANIFEST_MINOR;
    header.must_understand |= YR_FORMAT_MUST_STATE;
    yr_file_header_encode(&header, out);
    yr_put_le64(out + 64, fixed->next_id);          /* 64  8  the next file's id */
    yr_put_le64(out + 72, fixed->durable_lsn);      /* 72  8  highest lsn known durable */
    yr_put_le32(out + 80, fixed->count);            /* 80  4  log files */
    yr_put_le32(out + 84, fixed->state.file_count); /* 84  4  segments and value files */
    uint8_t *p = encode_state(fixed, out);
    for (uint32_t i = 0; i < fixed->count; i++, p += YR_MANIFEST_ENTRY_BYTES) {
        yr_put_le64(p + 0, entries[i].id);
        /* a file whose first record is not durable may turn out to be empty, and begin with another one later */
        yr_put_le64(p + 8, entries[i].first_lsn <= fixed->durable_lsn ? entries[i].first_lsn : 0);
        yr_put_le64(p + 16, entries[i].closed ? entries[i].last_lsn : 0);
        yr_put_le64(p + 24, entries[i].closed ? entries[i].end_off : 0);
        yr_put_le64(p + 32, entries[i].closed ? entries[i].end_chain : 0);
        yr_put_le64(p + 40, entries[i].closed ? ENTRY_CLOSED : 0);
    }
    for (uint32_t i = 0; i < fixed->state.file_count; i++, p += YR_MANIFEST_FILE_BYTES) {
        encode_file(&fixed->state.files[i], p);
    }
    yr_put_le64(p, yr_hash64(out, (size_t)(p - out), yr_file_seed(&header)));
}

static const uint8_t *entry_at(yore_slice bytes, const yr_manifest_fixed *fixed, uint32_t index)
{
    return (const uint8_t *)bytes.data + fixed_bytes(fixed) + (size_t)index * YR_MANIFEST_ENTRY_BYTES;
}

void yr_manifest_decode_entry(yore_slice bytes, const yr_manifest_fixed *fixed, uint32_t index,
                              yr_manifest_entry *entry)
{
    const uint8_t *p = entry_at(bytes, fixed, index);
    entry->id = yr_get_le64(p + 0);
    entry->first_lsn = yr_get_le64(p + 8);
    entry->last_lsn = yr_get_le64(p + 16);
    entry->end_off = yr_get_le64(p + 24);
    entry->end_chain = yr_get_le64(p + 32);
    entry->closed = (yr_get_le64(p + 40) & ENTRY_CLOSED) != 0;
}

static const uint8_t *file_at(yore_slice bytes, const yr_manifest_fixed *fixed, uint32_t index)
{
    return entry_at(bytes, fixed, fixed->count) + (size_t)index * YR_MANIFEST_FILE_BYTES;
}

void yr_manifest_decode_file(yore_slice bytes, const yr_manifest_fixed *fixed, uint32_t index,
                             yr_store_file *file)
{
    const uint8_t *p = file_at(bytes, fixed, index);
    file->file_id = yr_get_le64(p + 0);
    file->run_id = yr_get_le64(p + 8);
    file->after_version = yr_get_le64(p + 16);
    file->last_version = yr_get_le64(p + 24);
    file->file_bytes = yr_get_le64(p + 32);
    memcpy(file->file_hash, p + 40, YR_FILE_HASH_BYTES);
    file->kind = yr_get_le16(p + 56);
    file->level = yr_get_le16(p + 58);
}

static const char *check_entries(yore_slice bytes, const yr_manifest_fixed *fixed)
{
    yr_manifest_entry before = {.id = fixed->start_id, .last_lsn = fixed->start_lsn, .closed = true};
    for (uint32_t i = 0; i < fixed->count; i++) {
        yr_manifest_entry entry;
        yr_manifest_decode_entry(bytes, fixed, i, &entry);
        if (entry.id <= before.id || entry.id >= fixed->next_id) return "file ids out of order";
        if (entry.closed && !before.closed) return "a closed file behind an open one";
        if (yr_get_le64(entry_at(bytes, fixed, i) + 40) & ~ENTRY_CLOSED) return "unknown fields";
        if (!entry.closed && (entry.last_lsn || entry.end_off || entry.end_chain))
            return "an open file with an end";
        bool is_empty = entry.end_off == YR_WAL_START_OFF;
        if (entry.closed &&
            (is_empty ? entry.last_lsn != before.last_lsn : entry.last_lsn <= before.last_lsn))
            return "file ends out of order";
        if (entry.closed && entry.end_off < YR_WAL_START_OFF) return "a file that ends in its header";
        before = entry;
    }
    return before.closed ? "no open file" : NULL;
}

/* A file and the one listed before it (kind 0: none). */
static const char *check_file(const yr_store_file *file, const yr_store_file *before,
                              const yr_store_state *state)
{
    if (file->kind == YR_FILE_VALUES) {
        return file->run_id == 0 && file->after_version <= file->last_version ? NULL
                                                                              : "a value file in a run";
    }
    if (file->kind != YR_FILE_SEGMENT) return "a file of an unknown kind";
    if (before->kind == YR_FILE_VALUES) return "a segment behind a value file";
    if (file->run_id == 0) return "a segment in no run";
    if (file->after_version >= file->last_version || file->last_version > state->flushed_version)
        return "a segment's versions out of range";
    if (before->kind == 0) return NULL;
    if (file->run_id == before->run_id) {
        bool same = file->after_version == before->after_version &&
                    file->last_version == before->last_version;
        return same ? NULL : "files of one run with different versions";
    }
    return file->last_version <= before->after_version ? NULL : "runs out of order";
}

static const char *check_files(yore_slice bytes, const yr_manifest_fixed *fixed)
{
    static const uint8_t zeros[12];
    yr_store_file before = {.kind = 0};
    for (uint32_t i = 0; i < fixed->state.file_count; i++) {
        yr_store_file file;
        yr_manifest_decode_file(bytes, fixed, i, &file);
        if (file.file_id == 0 || file.file_id >= fixed->next_id) return "file ids out of range";
        if (file.file_bytes == 0) return "an empty file";
        if (memcmp(file_at(bytes, fixed, i) + 60, zeros, sizeof(zeros)) != 0) return "unknown fields";
        const char *why = check_file(&file, &before, &fixed->state);
        if (why) return why;
        before = file;
    }
    return NULL;
}

/* Behind header and checksum: 1.0 has zeros where the state begins. */
static const char *decode_state(const uint8_t *p, yr_manifest_fixed *fixed)
{
    if (fixed->header.minor == 0) {
        return yr_get_le32(p + 84) != 0 || yr_get_le64(p + 88) != 0 ? "unknown fields" : NULL;
    }
    yr_store_state *state = &fixed->state;
    fixed->start_id = yr_get_le64(p + 88);
    fixed->start_lsn = yr_get_le64(p + 96);
    fixed->start_chain = yr_get_le64(p + 104);
    state->hash_seed = yr_get_le64(p + 112);
    state->flushed_version = yr_get_le64(p + 120);
    state->flushed_lsn = yr_get_le64(p + 128);
    state->last_time_ns = (int64_t)yr_get_le64(p + 136);
    state->last_data_time_ns = (int64_t)yr_get_le64(p + 144);
    state->trimmed_version = yr_get_le64(p + 152);
    if (yr_get_le64(p + 160) != 0 || yr_get_le64(p + 168) != 0) return "unknown fields";
    if ((fixed->start_id == 0) != (fixed->start_lsn == 0)) return "a log that begins nowhere";
    if (fixed->start_lsn > state->flushed_lsn) return "a log that begins behind what the segments have";
    if (state->flushed_lsn > fixed->durable_lsn) return "a log that ends before the segments do";
    if (state->trimmed_version > state->flushed_version) return "versions out of range";
    return NULL;
}

enum yr_header_verdict yr_manifest_decode(yore_slice bytes, yr_manifest_fixed *fixed, const char **why)
{
    *why = "damaged header";
    *fixed = (yr_manifest_fixed){0};
    enum yr_header_verdict verdict = yr_file_header_decode(bytes, &fixed->header);
    if (verdict != YR_HEADER_OK) return verdict;
    *why = "not a manifest";
    if (fixed->header.kind != YR_FILE_MANIFEST) return YR_HEADER_BAD;
    *why = "truncated";
    if (bytes.size < fixed_bytes(fixed) + 8) return YR_HEADER_BAD;
    const uint8_t *p = bytes.data;
    fixed->next_id = yr_get_le64(p + 64);
    fixed->durable_lsn = yr_get_le64(p + 72);
    fixed->count = yr_get_le32(p + 80);
    if (fixed->header.minor > 0) fixed->state.file_count = yr_get_le32(p + 84);
    *why = "size does not fit its contents";
    if (fixed->count > YR_MANIFEST_FILES_MAX || fixed->state.file_count > YR_MANIFEST_FILES_MAX)
        return YR_HEADER_BAD;
    uint64_t size = yr_manifest_bytes(fixed->count, fixed->state.file_count) - YR_MANIFEST_FIXED_BYTES +
                    fixed_bytes(fixed);
    if (bytes.size != size) return YR_HEADER_BAD;
    *why = "checksum mismatch";
    uint64_t sum = yr_hash64(p, bytes.size - 8, yr_file_seed(&fixed->header));
    if (yr_get_le64(p + bytes.size - 8) != sum) return YR_HEADER_BAD;
    *why = decode_state(p, fixed);
    if (*why) return YR_HEADER_BAD;
    *why = "file ids out of range";
    if (fixed->next_id > YR_MANIFEST_ID_MAX) return YR_HEADER_BAD;
    *why = check_entries(bytes, fixed);
    if (!*why) *why = check_files(bytes, fixed);
    return *why ? YR_HEADER_BAD : YR_HEADER_OK;
}
