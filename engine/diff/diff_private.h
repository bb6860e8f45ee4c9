/* Where the keys of a diff come from. Private to engine/diff/. */
#ifndef YR_DIFF_PRIVATE_H
#define YR_DIFF_PRIVATE_H

#include "engine/base/arena.h"
#include "engine/branch/lineage_scan.h"
#include "engine/diff/view_diff.h"

enum { YR_DIFF_BATCH = 64 };

/* What one branch wrote in (after, cap], by a scan of its key space. */
typedef struct yr_diff_span {
    const yr_branch *hop;
    uint64_t after, cap;
    bool is_open; /* `scan` is to be ended */
    uint32_t at, count;
    yr_scan scan;                 /* of the current primitive */
    yore_row rows[YR_DIFF_BATCH]; /* taken from it */
} yr_diff_span;

/* A key that a commit wrote. */
typedef struct yr_diff_key {
    yore_slice key;
    uint32_t primitive;
} yr_diff_key;

struct yr_diff {
    const yore_env *env;
    yr_view a, b;
    yore_diff_options options;          /* its bytes are the arena's */
    uint32_t primitive, last_primitive; /* whose keys are being listed */
    uint64_t walk_max;                  /* 0 = by the size of the branch */
    yore_status failure;                /* of an earlier call: stays so */
    yr_arena arena;
    yr_diff_span **spans;
    size_t span_count, span_room;
    yr_diff_key *keys; /* of commits that were read, in order */
    size_t key_count, key_room, key_at;
    yr_diff_row row; /* the last one */
    bool minds_expiry;
    bool has_key; /* the key below was listed of this primitive */
    size_t key_bytes;
    uint8_t *key; /* room for one */
    yore_diff_info info;
};

/* -- diff_span.c -- */
/* Find what may differ. */
yore_status yr_diff_find_spans(yr_diff *diff, yore_error *err);
/* Begin with the first primitive above diff->primitive that has keys. YORE_OK, YORE_END, failures. */
yore_status yr_diff_next_primitive(yr_diff *diff, yore_error *err);
/* Begin with the keys of diff->primitive. */
yore_status yr_diff_start_spans(yr_diff *diff, yore_error *err);
/* The least key behind diff->key, which lasts until the next call. YORE_OK, YORE_END, failures. */
yore_status yr_diff_next_key(yr_diff *diff, yore_slice *key, yore_error *err);
void yr_diff_end_spans(yr_diff *diff);

/* -- diff_walk.c -- */
/* Add the keys that a branch's commits in (after, cap] wrote to diff->keys, unless that costs more than `most` commits
 * and rows of theirs, or too much memory: YORE_END, and none is added. */
yore_status yr_diff_walk(yr_diff *diff, const yr_branch *hop, uint64_t after, uint64_t cap, uint64_t most,
                         yore_error *err);
void yr_diff_sort_keys(yr_diff *diff);

/* Is it asked for such a key? */
static inline bool yr_diff_wants(const yr_diff *diff, uint32_t primitive, yore_slice key)
{
    const yore_diff_options *options = &diff->options;
    if (diff->primitive ? primitive != diff->primitive : primitive > diff->last_primitive) return false;
    if (key.size < options->prefix.size) return false;
    if (options->prefix.size && memcmp(key.data, options->prefix.data, options->prefix.size) != 0)
        return false;
    return yr_slice_compare(key, options->from) >= 0 &&
           (options->to.size == 0 || yr_slice_compare(key, options->to) < 0);
}

#endif
