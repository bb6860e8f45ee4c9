/* The cursors under a listing: one branch's own keys in one layer. Private to engine/branch/. */
#ifndef YR_SCAN_SOURCE_H
#define YR_SCAN_SOURCE_H

#include "engine/branch/lineage_scan.h"

enum {
    YR_SCAN_CHUNK =
        16, /* entries judged together; the first leaves taken from the tree, so that reading starts early */
    YR_SCAN_TAKE = 48, /* leaves taken at a time after that: walking the tree is fastest in long runs */
    YR_SCAN_AHEAD =
        24, /* leaves whose lines are on the way while one is read: fewer leave latency uncovered */
};

/* A memtable's: positions are kept within a batch only, since a tree changes. */
typedef struct yr_scan_leaves {
    const yr_memtable *mem;
    uint32_t cap;
    uint32_t at, count; /* of refs */
    uint32_t asked;     /* refs below this have their lines on the way */
    bool drained;       /* the tree has no more behind `refs` */
    yr_ref refs[YR_SCAN_AHEAD + YR_SCAN_TAKE];
    yr_art_iter iter;
} yr_scan_leaves;

/* A run's: it keeps its place. */
typedef struct yr_scan_rows {
    yr_run_cursor cursor;
    yr_segment_row row; /* where it stands, unless ended */
    bool is_placed;
    uint8_t prefix[YR_TREE_KEY_PREFIX];
} yr_scan_rows;

struct yr_scan_source {
    const yr_branch *branch;
    bool is_run;
    bool ended; /* nothing more inside the range */
    union {
        yr_scan_leaves leaves;
        yr_scan_rows rows;
    } u;
};

/* Is a key of the source's branch inside the range, in the scan's direction? */
static inline bool yr_scan_has(const yr_scan *scan, yore_slice user_key)
{
    if (scan->reverse) return yr_slice_compare(user_key, scan->lower) >= 0;
    return !scan->has_upper || yr_slice_compare(user_key, scan->upper) < 0;
}

/* branch, primitive, user key: in scan->seek_key */
yore_slice yr_scan_tree_key(yr_scan *scan, uint32_t branch, uint32_t primitive, yore_slice user_key);

/* -- scan_leaves.c -- */
void yr_scan_leaves_init(yr_scan_source *source, const yr_memtable *mem, uint64_t cap);
/* Position the source at its first key of this batch. */
void yr_scan_leaves_start(yr_scan *scan, yr_scan_source *source);
/* The current entry inside the range, or NULL when it has no more. `want`: rows that are still wanted. */
const yr_entry *yr_scan_leaves_peek(const yr_scan *scan, yr_scan_source *source, uint64_t want);
/* All of a listing that has only this source. */
void yr_scan_leaves_run(yr_scan *scan, yr_scan_source *source, void *rows, size_t row_size, size_t cap,
                        size_t *n);

/* -- scan_rows.c -- */
void yr_scan_rows_init(yr_scan_source *source, yr_run *run, uint32_t primitive, uint64_t cap);
/* To the first key of the range; once. */
yore_status yr_scan_rows_start(yr_scan *scan, yr_scan_source *source, yore_error *err);
yore_status yr_scan_rows_step(const yr_scan *scan, yr_scan_source *source, yore_error *err);
/* Keep what the current row borrows until the next batch, as its cursor holds it: neighbours share a block. False when
 * memory is out. */
bool yr_scan_rows_keep(yr_scan *scan, const yr_block_pin *held);
/* The same for a row that does not show, until the next one: there may be any number of them in a batch. */
void yr_scan_rows_hold(yr_scan *scan, const yr_block_pin *held);
/* Keep one more pin, which is released when memory is out. */
bool yr_scan_keep_pin(yr_scan *scan, yr_block_pin *pin);

/* -- lineage_scan.c -- */
/* A key with a version in a memtable: where a next batch goes on, and a row if it shows. */
void yr_scan_take_version(yr_scan *scan, const yr_memtable *mem, const yr_entry *entry, const yr_version *v,
                          void *rows, size_t row_size, size_t *n);

#endif
