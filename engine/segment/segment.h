/* Reading a segment: an immutable sorted file that holds the rows and commits of the versions in (a, b].
 *
 *     yr_segment_open(&options, file, "000007.seg", &segment, &err)
 *     hash = yr_segment_key_hash(segment, branch, primitive, user_key)      or once for all segments of a seed
 *     if (yr_segment_find(segment, tree_key, hash, cap, &hit, &err) == YORE_OK) ... yr_segment_hit_release(&hit)
 *
 * Two ways to the bytes: pread through the block cache (always possible, and the only one for files that are not
 * trusted), or in place from an image of the file that the caller mapped. With an image, blocks that are not compressed
 * and the index are read where they are; each block's and page's checksum is verified when it is first touched.
 * Without one, everything is verified as it enters the cache.
 *
 * Rows are versions as they were written: a delete is a row, and so is one that has expired. What they mean at a
 * snapshot (I4) is the caller's business, who has other segments to ask.
 *
 * S1 a segment never changes; all calls may run at once on any number of threads, but cursors and iterators are one
 *    thread's.   S2 any byte that is not what was written gives YORE_ERR_CORRUPT with file and offset, never another
 *    answer.   S3 rows borrow the hit, cursor or iterator they came from: until it is released, moved or closed. */
#ifndef YR_SEGMENT_H
#define YR_SEGMENT_H

#include "engine/base/hash.h"
#include "engine/format/commit_format.h"
#include "engine/format/segment_block.h"
#include "engine/format/segment_changes.h"
#include "engine/segment/block_cache.h"
#include "engine/segment/segment_codec.h"

typedef struct yr_segment yr_segment;

typedef struct yr_segment_open_options {
    const yore_env *env;
    yr_block_cache *cache; /* both outlive the segment */
    yr_decoders *decoders; /* may be NULL for hot segments */
    yore_slice image; /* the whole file, mapped by the caller for as long as the segment is open; or empty */
    const uint8_t *uuid; /* the store the file must be of; NULL = any */
    uint64_t file_id;    /* the number it must have; 0 = any */
    bool borrows_file;   /* closing the segment leaves the file open */
    bool is_unchecked;   /* no checksums: for bytes that were verified a moment ago, and for fuzzing */
    bool
        is_salvaged; /* where a page of block tables is damaged its entries are read all the same: a block whose
                            sum is the one in its entry proves both. For salvage */
} yr_segment_open_options;

/* `file` (NULL with an image) becomes the segment's on success. `name` is for messages, and copied.
 * YORE_ERR_CORRUPT, YORE_ERR_FORMAT (from a newer yore), YORE_ERR_IO, YORE_ERR_NOMEM. Cost O(1) but for the sums of the
 * index pages (8 bytes per 4 KiB of index). */
yore_status yr_segment_open(const yr_segment_open_options *options, yore_file *file, const char *name,
                            yr_segment **out, yore_error *err);
/* As yr_segment_open of a file that is read whole into memory first, 1 MiB at a time, and compared with the hash of the
 * whole file: reads are in place from then on and check no sums. For hot segments. *cancel (NULL: never) is looked at
 * between the steps: YORE_ERR_CANCELLED. The file stays open, for verifying. */
yore_status yr_segment_load(const yr_segment_open_options *options, yore_file *file, const char *name,
                            const _Atomic bool *cancel, yr_segment **out, yore_error *err);
/* One more owner, each of whom closes it. Any thread. */
yr_segment *yr_segment_ref(yr_segment *segment);
/* The last owner's closes it: nothing of it may be in use then. NULL is allowed. */
void yr_segment_close(yr_segment *segment);
/* Bytes of the file held in memory by yr_segment_load. */
uint64_t yr_segment_image_bytes(const yr_segment *segment);
/* Bytes of tables held in memory besides, outside the block cache: some 50 a block, less before they were used. */
uint64_t yr_segment_index_bytes(const yr_segment *segment);

/* -- facts -- */
const yr_segment_footer *yr_segment_facts(const yr_segment *segment);
const yr_file_header *yr_segment_header(const yr_segment *segment);
const char *yr_segment_name(const yr_segment *segment);
uint32_t yr_segment_group_count(const yr_segment *segment);
yore_status yr_segment_group_get(yr_segment *segment, uint32_t i, yr_segment_group *group, yore_error *err);
/* The value files that rows refer to, by number. */
uint32_t yr_segment_value_file_count(const yr_segment *segment);
yore_status yr_segment_value_file_get(yr_segment *segment, uint32_t i, yr_segment_value_file *file,
                                      yore_error *err);
/* The least (or greatest) tree key, copied to `to`, which has YR_SEGMENT_TREE_KEY_MAX bytes. *size = 0: no keys. */
yore_status yr_segment_bound(yr_segment *segment, bool is_last, uint8_t *to, size_t *size, yore_error *err);

/* -- one key -- */
static inline uint64_t yr_segment_hash_of(uint64_t hash_seed, uint32_t branch, uint32_t primitive,
                                          yore_slice user_key)
{
    return yr_branch_hash(yr_key_hash(hash_seed, primitive, user_key.data, user_key.size), branch);
}

/* A row and what keeps its bytes where they are. */
typedef struct yr_segment_hit {
    yr_segment_row row;
    yr_block_pin record;
    yr_block_pin older;
} yr_segment_hit;

/* The newest version <= cap of a key. `hash` is yr_segment_hash_of with the segment's seed.
 * YORE_OK; YORE_NOT_FOUND (`hit` untouched); failures. */
yore_status yr_segment_find(yr_segment *segment, yore_slice tree_key, uint64_t hash, uint64_t cap,
                            yr_segment_hit *hit, yore_error *err);
void yr_segment_hit_release(yr_segment_hit *hit);
/* Have the memory that find will look at on its way into the cache (images only). */
void yr_segment_prefetch(const yr_segment *segment, uint64_t hash);
/* When what that fetched has arrived, fetch the record it leads to (loaded segments only). */
void yr_segment_prefetch_record(const yr_segment *segment, uint64_t hash);

/* All versions <= cap of a key, newest first. */
typedef struct yr_segment_versions {
    yr_segment *segment;
    uint64_t cap;
    yr_record record;
    yr_chunk chunk;
    uint32_t block; /* the chunk's, from the first of the key */
    uint32_t at;    /* next position in the chunk */
    uint32_t state;
    yr_block_pin record_pin;
    yr_block_pin older_pin;
} yr_segment_versions;

/* YORE_OK, YORE_NOT_FOUND (nothing to close), failures. */
yore_status yr_segment_versions_open(yr_segment *segment, yore_slice tree_key, uint64_t hash, uint64_t cap,
                                     yr_segment_versions *versions, yore_error *err);
/* YORE_OK, YORE_END, failures. The row is valid until the next call. */
yore_status yr_segment_versions_next(yr_segment_versions *versions, yr_segment_row *row, yore_error *err);
void yr_segment_versions_close(yr_segment_versions *versions);

/* -- keys in order -- */
typedef struct yr_segment_cursor {
    yr_segment *segment;
    uint64_t cap;
    yore_slice prefix; /* borrowed: only keys that begin with it */
    uint32_t block_at;
    yr_block block;
    uint32_t group; /* of 16 records; their offsets are in offs */
    uint32_t group_size;
    uint32_t at; /* in the group */
    uint32_t offs[YR_BLOCK_RESTART];
    bool is_placed;
    bool is_older; /* the row is an older version: it borrows older_pin, else block_pin */
    yr_block_pin block_pin;
    yr_block_pin older_pin;
    uint32_t older_block; /* what older_pin holds */
} yr_segment_cursor;

/* Each key's newest version <= cap; keys that have none are passed over. */
void yr_segment_cursor_init(yr_segment_cursor *cursor, yr_segment *segment, uint64_t cap, yore_slice prefix);
void yr_segment_cursor_deinit(yr_segment_cursor *cursor);
/* Go to the first key >= tree_key (or the last one <= it) within the prefix; an empty key is the very first (the very
 * last). YORE_OK with its row; YORE_END; failures. After these two the cursor has no place. */
yore_status yr_segment_cursor_seek(yr_segment_cursor *cursor, yore_slice tree_key, yr_segment_row *row,
                                   yore_error *err);
yore_status yr_segment_cursor_seek_reverse(yr_segment_cursor *cursor, yore_slice tree_key,
                                           yr_segment_row *row, yore_error *err);
yore_status yr_segment_cursor_next(yr_segment_cursor *cursor, yr_segment_row *row, yore_error *err);
yore_status yr_segment_cursor_prev(yr_segment_cursor *cursor, yr_segment_row *row, yore_error *err);

/* -- commits -- */
typedef struct yr_segment_commit {
    yr_commit_head head; /* slices borrow */
    uint64_t prev;       /* the branch's own commit before, 0 = none */
    yr_block_pin pin;
} yr_segment_commit;

/* The commit of a version, or the newest one at or below it (is_exact false). YORE_OK, YORE_NOT_FOUND, failures. */
yore_status yr_segment_commit_find(yr_segment *segment, uint64_t version, bool is_exact,
                                   yr_segment_commit *commit, yore_error *err);
void yr_segment_commit_release(yr_segment_commit *commit);
/* Only its time. */
yore_status yr_segment_commit_time(yr_segment *segment, uint64_t version, int64_t *time_ns, yore_error *err);
/* The times of n versions; YORE_NOT_FOUND when one of them has no commit. */
yore_status yr_segment_commit_times(yr_segment *segment, const uint64_t *versions, int64_t *times, size_t n,
                                    yore_error *err);
/* The newest commit at or before a time. */
yore_status yr_segment_version_at(yr_segment *segment, int64_t time_ns, uint64_t *version, yore_error *err);

/* -- changes -- */
typedef struct yr_segment_changes {
    yr_segment *segment;
    uint64_t after;
    uint32_t block; /* the next one */
    bool is_open;
    bool is_peeked; /* `list` stands at the next change */
    bool keys_only; /* may be set before the first row: rows have their key and version, and nothing else */
    yr_changes list;
    yr_block record_block; /* the main block in record_pin, */
    uint32_t record_first; /* and the ordinal of its first key */
    yr_block_pin list_pin;
    yr_block_pin record_pin;
    yr_block_pin older_pin;
} yr_segment_changes;

/* Rows of versions above `after`, by version; those of one version in key order. */
yore_status yr_segment_changes_open(yr_segment *segment, uint64_t after, yr_segment_changes *changes,
                                    yore_error *err);
/* Go on with versions above `after`, without looking at the rows between. Back is no way. */
yore_status yr_segment_changes_skip(yr_segment_changes *changes, uint64_t after, yore_error *err);
/* YORE_OK, YORE_END, failures. The row is valid until the next call. */
yore_status yr_segment_changes_next(yr_segment_changes *changes, yr_segment_row *row, yore_error *err);
void yr_segment_changes_close(yr_segment_changes *changes);

#endif
