/* Bytes of MANIFEST: which log files are live, in order. Rewritten whole and put in place by rename.
 *
 * M1  ids ascend and are below next_id; no id is ever used twice.
 * M2  closed files (ended, and every record known durable) come first; the last file is open.
 * M3  a closed file ends at end_off with record last_lsn, whose header checksum is end_chain.
 * Pure functions over bytes; no I/O. */
#ifndef YR_MANIFEST_FORMAT_H
#define YR_MANIFEST_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

#include "engine/format/file_header.h"

#define YR_MANIFEST_FIXED_BYTES 96u /* header and counts */
#define YR_MANIFEST_ENTRY_BYTES 48u
#define YR_MANIFEST_FILES_MAX (1u << 20)
#define YR_MANIFEST_ID_MAX (UINT64_C(1) << 62) /* of next_id: nobody gets there, and nothing overflows */

typedef struct yr_manifest_entry {
    uint64_t id;
    uint64_t first_lsn; /* 0 = was not known */
    uint64_t last_lsn;  /* the rest: of closed files */
    uint64_t end_off;
    uint64_t end_chain;
    bool closed;
} yr_manifest_entry;

typedef struct yr_manifest_fixed {
    yr_file_header header; /* its file_id counts the rewrites */
    uint64_t next_id;
    uint64_t durable_lsn; /* known durable when it was written */
    uint32_t count;
} yr_manifest_fixed;

static inline uint64_t yr_manifest_bytes(uint32_t count)
{
    return YR_MANIFEST_FIXED_BYTES + (uint64_t)count * YR_MANIFEST_ENTRY_BYTES + 8;
}

/* `out` has yr_manifest_bytes(fixed->count) bytes. */
void yr_manifest_encode(const yr_manifest_fixed *fixed, const yr_manifest_entry *entries, uint8_t *out);

/* Checks header, checksum, size and M1, M2; *why names what is wrong with a BAD one. The entries are read
 * afterwards, one by one, from the same bytes. */
enum yr_header_verdict yr_manifest_decode(yore_slice bytes, yr_manifest_fixed *fixed, const char **why);
void yr_manifest_decode_entry(yore_slice bytes, uint32_t index, yr_manifest_entry *entry);

#endif
