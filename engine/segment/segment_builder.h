/* Making a segment: rows in key order and commits in version order in, one verified, synced file out.
 *
 *     create -> add row ..., commit ... (in any mixture) -> finish -> destroy
 *
 * The file is written under the name it is given (a temporary one); giving it its own is the caller's, and the
 * order of things too: rename, directory sync, manifest. destroy closes the file, and removes it unless finish
 * succeeded. After a failure only destroy may be called.
 *
 * Memory: a block and an extent of each stream, up to `sample_bytes` of raw blocks in the cold form, and 20 bytes a
 * key, 8 a row (16 while they are sorted), 32 and the fence a block. */
#ifndef YR_SEGMENT_BUILDER_H
#define YR_SEGMENT_BUILDER_H

#include "engine/format/commit_format.h"
#include "engine/format/segment_block.h"
#include "engine/format/segment_format.h"

typedef struct yr_segment_builder yr_segment_builder;

typedef struct yr_segment_build_options {
    uint8_t uuid[YR_UUID_BYTES]; /* of the store */
    uint64_t file_id;
    uint64_t
        after_version; /* rows and commits are in (after_version, last_version], at most 2^32 - 1 apart */
    uint64_t last_version;
    uint64_t
        hash_seed; /* secret of the key hash, the same for all segments of a store; 0 = drawn for this one */
    enum yr_segment_form form;
    uint16_t level;               /* the caller's, kept in the footer */
    uint32_t main_block_bytes;    /* 0 = 16 KiB, which is also the most */
    uint32_t history_block_bytes; /* 0 = 16 KiB hot; cold 4 to 64 KiB, some 48 versions; at most 256 KiB */
    int zstd_level;               /* 0 = 1 */
    uint64_t sample_bytes;        /* what a dictionary is trained on: 0 = 8 MiB */
    bool has_no_dictionary;
    bool
        is_verified_by_row; /* look at every row again, not only at every byte: several times the cost of writing */
} yr_segment_build_options;

yore_status yr_segment_builder_create(const yore_env *env, const yr_segment_build_options *options,
                                      yore_dir *dir, const char *name, yr_segment_builder **out,
                                      yore_error *err);
/* Tree keys ascend; a key's versions descend. Values over YR_SEGMENT_VALUE_BYTES_MAX: YORE_ERR_LIMIT (they belong in
 * value files); so is more than a file can hold. YORE_ERR_MISUSE: out of order or out of range. */
yore_status yr_segment_builder_add(yr_segment_builder *builder, const yr_segment_row *row, yore_error *err);
/* Versions and times ascend. prev: version of the branch's own commit before, 0 = none. */
yore_status yr_segment_builder_commit(yr_segment_builder *builder, const yr_commit_head *head, uint64_t prev,
                                      yore_error *err);
/* About how large the file is by now: when to begin the next one of a run. */
uint64_t yr_segment_builder_bytes(const yr_segment_builder *builder);
/* Write the rest, sync, read everything back and compare. *footer (may be NULL) says what is in it. */
yore_status yr_segment_builder_finish(yr_segment_builder *builder, yr_segment_footer *footer,
                                      yore_error *err);
void yr_segment_builder_destroy(yr_segment_builder *builder);

#endif
