/* The builder's state, shared by segment_builder.c (rows and commits) and segment_builder_index.c (what comes behind
 * them). Private to these. */
#ifndef YR_SEGMENT_BUILDER_PRIVATE_H
#define YR_SEGMENT_BUILDER_PRIVATE_H

#include "engine/base/hash.h"
#include "engine/format/segment_commits.h"
#include "engine/format/segment_hash.h"
#include "engine/segment/segment_builder.h"
#include "engine/segment/segment_writer.h"

struct yr_segment_builder {
    const yore_env *env;
    yr_segment_build_options options;
    yore_dir *dir; /* borrowed */
    yore_file *file;
    char *name;
    size_t name_bytes;
    bool is_finished;
    yr_segment_writer writer;

    /* the key whose versions are coming in */
    bool has_pending;
    bool has_chunk;     /* ref.block and ref.off are set */
    yr_segment_row row; /* its newest version, in `pending` */
    yr_history_ref ref;
    uint64_t last_row_version;
    yr_buf pending;
    yr_chunk_maker chunk; /* older versions that are in no block yet */

    yr_block_maker main;
    uint32_t main_blocks;
    uint32_t main_first; /* ordinal of the block's first key */
    yr_block_maker history;
    bool is_history_sized; /* blocks grow with the versions */
    uint64_t older;        /* versions in history, */
    uint64_t older_bytes;  /* and their values */
    uint32_t history_blocks;
    uint64_t history_key; /* newest version of the block's first chunk */
    yr_commits_maker commits;
    uint64_t commit_count;
    uint64_t last_commit;
    yr_buf info; /* infos of commits that are in no block yet */
    uint32_t info_blocks;
    uint64_t info_key; /* version of the first of them */
    yr_buf heads;      /* yr_segment_head */
    yr_buf block;      /* a commit or change block */

    uint64_t keys;
    uint64_t rows;
    yr_buf first_key;   /* the least tree key */
    yr_buf placed_key;  /* the last one written */
    yr_buf hashes;      /* u64 a key */
    yr_buf locations;   /* le32 a key */
    yr_buf changes;     /* u64 a row: version distance << 32 | ordinal */
    yr_buf fences;      /* u8 size, bytes a main block */
    yr_buf fence_offs;  /* le32 a main block */
    yr_buf groups;      /* yr_segment_group */
    yr_buf value_files; /* yr_segment_value_file */
};

/* The hash of a whole tree key, as yr_branch_hash(yr_key_hash()) gives it. */
static inline uint64_t yr_segment_tree_key_hash(uint64_t seed, yore_slice tree_key)
{
    const uint8_t *p = tree_key.data;
    return yr_branch_hash(yr_key_hash(seed, p[4], p + 5, tree_key.size - 5), yr_get_be32(p));
}

yore_status yr_builder_no_memory(const yr_segment_builder *builder, yore_error *err);
yore_status yr_builder_write_changes(yr_segment_builder *builder, yore_error *err);
yore_status yr_builder_write_index(yr_segment_builder *builder, yore_error *err);

#endif
