/* What a three-way merge of two views over a base would do, key by key: for every key that theirs changed since the
 * base one item, in the order of primitives and keys. Only reads; the three views read one list of layers.
 *
 * Q1 An item that writes nothing is kept, too: the one who applies the plan has to see that ours has not changed there.
 * Q2 Values are read again when they are wanted; only those that are of neither side are kept here. */
#ifndef YR_MERGE_PLAN_H
#define YR_MERGE_PLAN_H

#include "engine/base/arena.h"
#include "engine/branch/lineage.h"
#include "engine/merge/three_way.h"

/* What becomes of ours. */
enum yr_merge_fate { YR_FATE_KEEP, YR_FATE_TAKE, YR_FATE_WRITE, YR_FATE_DELETE, YR_FATE_OPEN };

typedef struct yr_merge_item {
    yore_slice key;
    uint64_t key_hash;
    yore_slice value; /* WRITE: what; in the plan's arena */
    yore_slice meta;
    int64_t expiry_ns;
    uint8_t primitive;
    uint8_t type;
    uint8_t fate;    /* yr_merge_fate. TAKE: theirs' value. OPEN: a conflict nobody decided */
    uint8_t kind;    /* of conflict, 0 = it is none */
    uint8_t decided; /* a conflict's: YORE_MERGE_OURS or _THEIRS by on_conflict */
    bool is_by_path;
} yr_merge_item;

typedef struct yr_merge_plan {
    const yore_env *env;
    yr_view views[YR_SIDE_COUNT];
    yr_arena arena;
    yr_merge_item *items;
    size_t count, room;
    uint32_t *conflicts; /* which items are, */
    size_t conflict_count, conflict_room;
    uint32_t *changes; /* and which write */
    size_t change_count, change_room;
    size_t open, alike, by_path, puts, dels;
} yr_merge_plan;

/* A key read at the three views. */
typedef struct yr_merge_reads {
    yr_found found[YR_SIDE_COUNT];
    bool any[YR_SIDE_COUNT]; /* `found` is set */
    yr_merge_state states[YR_SIDE_COUNT];
} yr_merge_reads;

/* Fill a plan whose env, views and arena are set and the rest zero. YORE_OK; YORE_ERR_INPUT for resolutions that do not
 * fit; YORE_ERR_NOMEM, a run's failure. To be deinitialised in any case. */
yore_status yr_merge_plan_make(yr_merge_plan *plan, const yore_merge_options *options, yore_error *err);
void yr_merge_plan_deinit(yr_merge_plan *plan);

/* Read an item's key, at the sides of the mask (1 << YR_SIDE_...). Released by yr_merge_unread, after a failure too. */
yore_status yr_merge_read(const yr_merge_plan *plan, const yr_merge_item *item, uint32_t sides,
                          yr_merge_reads *out, yore_error *err);
void yr_merge_unread(yr_merge_reads *reads);

#endif
