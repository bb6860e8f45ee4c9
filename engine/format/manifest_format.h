/* Bytes of MANIFEST: which log files are live, in order, where the log begins, and the state of the store that the
 * log goes on from: its segments and value files. Rewritten whole and put in place by rename.
 *
 * M1  log file ids ascend; all ids are below next_id; no id is ever used twice, whatever the kind of file.
 * M2  closed files (ended, and every record known durable) come first; the last file is open.
 * M3  a closed file ends at end_off with record last_lsn, whose header checksum is end_chain; one without records ends
 *     where it begins, with those of the file before.
 * M4  the log begins behind record start_lsn, the last one of file start_id, with header checksum start_chain:
 *     zeros, or what was dropped because the segments have it. start_lsn <= flushed_lsn <= durable_lsn: what the
 *     segments have is gone from the log or durable in it.
 * M5  runs come first, newest first, with disjoint version ranges; the files of a run stand together; then value files.
 * Pure functions over bytes; no I/O. */
#ifndef YR_MANIFEST_FORMAT_H
#define YR_MANIFEST_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

#include "engine/format/file_header.h"

#define YR_MANIFEST_MINOR 1u /* of the format written; 1.0 has no state */

#define YR_MANIFEST_FIXED_BYTES 176u /* header, counts, state */
#define YR_MANIFEST_ENTRY_BYTES 48u
#define YR_MANIFEST_FILE_BYTES 72u
#define YR_MANIFEST_FILES_MAX (1u << 20)       /* of each kind: log files; segments and value files */
#define YR_MANIFEST_ID_MAX (UINT64_C(1) << 62) /* of next_id: nobody gets there, and nothing overflows */

#define YR_FILE_HASH_BYTES 16u

typedef struct yr_store_file { /* a segment or a value file */
    uint64_t file_id;
    uint64_t run_id; /* 0: a value file */
    uint64_t after_version, last_version;
    uint64_t file_bytes;
    uint8_t file_hash[YR_FILE_HASH_BYTES];
    uint16_t kind; /* YR_FILE_SEGMENT or YR_FILE_VALUES */
    uint16_t level;
} yr_store_file;

/* What the log goes on from. */
typedef struct yr_store_state {
    uint64_t hash_seed;       /* 0 in a 1.0 store: drawn by the opener, written by its next edit */
    uint64_t flushed_version; /* versions <= this are in runs */
    uint64_t flushed_lsn;     /* log records <= this are not needed any more */
    int64_t last_time_ns, last_data_time_ns; /* of the newest commit and data commit <= flushed_version */
    uint64_t trimmed_version;                /* 0; reserved for retention */
    yr_store_file *files;                    /* M5 */
    uint32_t file_count;
} yr_store_state;

typedef struct yr_manifest_entry {
    uint64_t id;
    uint64_t first_lsn; /* 0 = was not known, or not durable */
    uint64_t last_lsn;  /* the rest: of closed files */
    uint64_t end_off;
    uint64_t end_chain;
    bool closed;
} yr_manifest_entry;

typedef struct yr_manifest_fixed {
    yr_file_header header; /* its file_id counts the rewrites */
    uint64_t next_id;
    uint64_t durable_lsn;                      /* known durable when it was written */
    uint32_t count;                            /* log files */
    uint64_t start_id, start_lsn, start_chain; /* M4 */
    yr_store_state state;                      /* `files` only when encoding */
} yr_manifest_fixed;

static inline uint64_t yr_manifest_bytes(uint32_t count, uint32_t file_count)
{
    return YR_MANIFEST_FIXED_BYTES + (uint64_t)count * YR_MANIFEST_ENTRY_BYTES +
           (uint64_t)file_count * YR_MANIFEST_FILE_BYTES + 8;
}

/* `out` has yr_manifest_bytes bytes. Minor version and feature bits of the header are set here. */
void yr_manifest_encode(const yr_manifest_fixed *fixed, const yr_manifest_entry *entries, uint8_t *out);

/* Checks header, checksum, size and M1 to M5 (that the ids of segments and value files are different is for who
 * has the memory to sort them); *why names what is wrong with a BAD one. The entries and files are read afterwards,
 * one by one, from the same bytes. Reads 1.0 as well: an empty state. */
enum yr_header_verdict yr_manifest_decode(yore_slice bytes, yr_manifest_fixed *fixed, const char **why);
void yr_manifest_decode_entry(yore_slice bytes, const yr_manifest_fixed *fixed, uint32_t index,
                              yr_manifest_entry *entry);
void yr_manifest_decode_file(yore_slice bytes, const yr_manifest_fixed *fixed, uint32_t index,
                             yr_store_file *file);

#endif
