#include "engine/format/manifest_format.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"

#define ENTRY_CLOSED UINT64_C(1)

void yr_manifest_encode(const yr_manifest_fixed *fixed, const yr_manifest_entry *entries, uint8_t *out)
{
    yr_file_header_encode(&fixed->header, out);
    yr_put_le64(out + 64, fixed->next_id);     /* 64  8  the next file's id */
    yr_put_le64(out + 72, fixed->durable_lsn); /* 72  8  highest lsn known durable */
    yr_put_le32(out + 80, fixed->count);       /* 80  4  files */
    memset(out + 84, 0, 12);                   /* 84 12  zero */
    uint8_t *p = out + YR_MANIFEST_FIXED_BYTES;
    for (uint32_t i = 0; i < fixed->count; i++, p += YR_MANIFEST_ENTRY_BYTES) {
        yr_put_le64(p + 0, entries[i].id);
        yr_put_le64(p + 8, entries[i].first_lsn);
        yr_put_le64(p + 16, entries[i].closed ? entries[i].last_lsn : 0);
        yr_put_le64(p + 24, entries[i].closed ? entries[i].end_off : 0);
        yr_put_le64(p + 32, entries[i].closed ? entries[i].end_chain : 0);
        yr_put_le64(p + 40, entries[i].closed ? ENTRY_CLOSED : 0);
    }
    yr_put_le64(p, yr_hash64(out, (size_t)(p - out), yr_file_seed(&fixed->header)));
}

void yr_manifest_decode_entry(yore_slice bytes, uint32_t index, yr_manifest_entry *entry)
{
    const uint8_t *p = (const uint8_t *)bytes.data + YR_MANIFEST_FIXED_BYTES;
    p += (size_t)index * YR_MANIFEST_ENTRY_BYTES;
    entry->id = yr_get_le64(p + 0);
    entry->first_lsn = yr_get_le64(p + 8);
    entry->last_lsn = yr_get_le64(p + 16);
    entry->end_off = yr_get_le64(p + 24);
    entry->end_chain = yr_get_le64(p + 32);
    entry->closed = (yr_get_le64(p + 40) & ENTRY_CLOSED) != 0;
}

static const char *check_entries(yore_slice bytes, const yr_manifest_fixed *fixed)
{
    yr_manifest_entry before = {.closed = true};
    for (uint32_t i = 0; i < fixed->count; i++) {
        yr_manifest_entry entry;
        yr_manifest_decode_entry(bytes, i, &entry);
        if (entry.id <= before.id || entry.id >= fixed->next_id) return "file ids out of order";
        if (entry.closed && !before.closed) return "a closed file behind an open one";
        const uint8_t *raw = (const uint8_t *)bytes.data + YR_MANIFEST_FIXED_BYTES +
                             (size_t)i * YR_MANIFEST_ENTRY_BYTES;
        if (yr_get_le64(raw + 40) & ~ENTRY_CLOSED) return "unknown fields";
        if (!entry.closed && (entry.last_lsn || entry.end_off || entry.end_chain))
            return "an open file with an end";
        if (entry.closed && (entry.last_lsn <= before.last_lsn || entry.end_off < 8))
            return "file ends out of order";
        before = entry;
    }
    return before.closed ? "no open file" : NULL;
}

enum yr_header_verdict yr_manifest_decode(yore_slice bytes, yr_manifest_fixed *fixed, const char **why)
{
    *why = "damaged header";
    enum yr_header_verdict verdict = yr_file_header_decode(bytes, &fixed->header);
    if (verdict != YR_HEADER_OK) return verdict;
    *why = "not a manifest";
    if (fixed->header.kind != YR_FILE_MANIFEST) return YR_HEADER_BAD;
    *why = "truncated";
    if (bytes.size < yr_manifest_bytes(0)) return YR_HEADER_BAD;
    const uint8_t *p = bytes.data;
    fixed->next_id = yr_get_le64(p + 64);
    fixed->durable_lsn = yr_get_le64(p + 72);
    fixed->count = yr_get_le32(p + 80);
    *why = "size does not fit its contents";
    if (fixed->count > YR_MANIFEST_FILES_MAX || bytes.size != yr_manifest_bytes(fixed->count))
        return YR_HEADER_BAD;
    *why = "checksum mismatch";
    uint64_t sum = yr_hash64(p, bytes.size - 8, yr_file_seed(&fixed->header));
    if (yr_get_le64(p + bytes.size - 8) != sum) return YR_HEADER_BAD;
    *why = "unknown fields";
    if (yr_get_le32(p + 84) != 0 || yr_get_le64(p + 88) != 0) return YR_HEADER_BAD;
    *why = "file ids out of range";
    if (fixed->next_id > YR_MANIFEST_ID_MAX) return YR_HEADER_BAD;
    *why = check_entries(bytes, fixed);
    return *why ? YR_HEADER_BAD : YR_HEADER_OK;
}
