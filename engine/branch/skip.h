/* Skips: what lets a read pass over many hops of a lineage at once (decision 0025).
 *
 * Below a branch every read sees the same: the hops under it at caps that its fork fixed when it was made. So which of
 * the next hops has a key first is a fact that never changes, and a skip is a table of such facts, made once from the
 * layers and shared by all readers: the hash of a key to the first hop of the span that has it. A key that is not in
 * it is in none of these hops, and the read goes on behind the last one. It may know too much (history is trimmed, keys
 * are erased, a snapshot of the past sees less), never too little: where the hop it names has nothing to show, the walk
 * goes on from there hop by hop. The root is in no skip.
 *
 * One made after history of its hops was trimmed knows what shows at their caps, but not every key that had something
 * to show below them; a snapshot from before the trimming may still have it, in layers of its own. So only those made
 * before serve reads at lower caps.
 *
 *   depth of the branch    its span ends at the next lower depth (but 0) that is
 *   not a multiple of 32   a multiple of 32
 *   of 32, not of 224      a multiple of 224 (7 * 32)
 *   of 224                 a multiple of 224
 *
 * so that a lineage of 1,000 is six steps, and branches share the skips of what is below them. */
#ifndef YR_SKIP_H
#define YR_SKIP_H

#include "engine/branch/lineage.h"

#define YR_SKIP_DEPTH_MIN 4u /* branches less deep have none: walking is as fast */

typedef struct yr_skip_hop {
    const yr_branch *branch;
    uint64_t cap;
} yr_skip_hop;

struct yr_skip {
    uint64_t bytes;
    uint64_t key_count;
    uint32_t slot_count; /* power of two */
    uint32_t hop_count;  /* at least 1; the first is the branch's parent */
    bool is_complete;    /* it knows all keys that its hops ever had up to their caps */
    yr_skip_hop *hops;
    uint32_t slots[]; /* 23 bits of the hash, 9 of 1 + the hop; 0 = free */
};

enum { YR_SKIP_HOP_BITS = 9 };

/* 1 + the first hop that has the key, 0 = none has. */
static inline uint32_t yr_skip_find(const yr_skip *skip, uint64_t key_hash)
{
    uint32_t mask = skip->slot_count - 1, tag = (uint32_t)(key_hash >> 32) >> YR_SKIP_HOP_BITS;
    for (uint32_t i = (uint32_t)key_hash & mask;; i = (i + 1) & mask) {
        uint32_t slot = skip->slots[i];
        if (!slot) return 0;
        if (slot >> YR_SKIP_HOP_BITS == tag) return slot & ((1u << YR_SKIP_HOP_BITS) - 1);
    }
}

/* The branch's skip, NULL when it has none (yet). Inside an epoch section. */
static inline const yr_skip *yr_skip_of(const yr_branch *branch)
{
    if (branch->depth < YR_SKIP_DEPTH_MIN) return NULL;
    return atomic_load_explicit(&branch->skip, memory_order_acquire); /* pairs with yr_skip_build */
}

/* The branch's skip, when it serves a read that comes with this cap. */
static inline const yr_skip *yr_skip_for(const yr_branch *branch, uint64_t cap)
{
    const yr_skip *skip = yr_skip_of(branch);
    return skip && (skip->is_complete || cap >= branch->fork_version) ? skip : NULL;
}

/* How many keys the hops of a branch's span have, as they say. O(hops). */
uint64_t yr_skip_estimate(const yr_branch *branch);
/* Make the skip of a branch that is at least YR_SKIP_DEPTH_MIN deep, and give it to the branch, unless another thread
 * was faster. The layers have what was visible when the branch was created; the caller holds them and has settled the
 * trees.
 * bytes_max  of all skips of the catalog: past it YORE_ERR_LIMIT
 * YORE_OK; YORE_ERR_NOMEM, a run's failure. Any thread, outside of epoch sections. */
yore_status yr_skip_build(yr_catalog *catalog, const yr_layers *layers, yr_branch *branch, uint64_t bytes_max,
                          yore_error *err);
void yr_skip_destroy(const yore_env *env, yr_skip *skip);

/* -- which are worth making: readers count what walking costs them, in the time it takes to pass a filter by -- */

enum {
    YR_SKIP_ASKED = 16,  /* a hop that had to be asked */
    YR_SKIP_A_KEY = 16,  /* for one key of a skip that is made */
    YR_SKIP_FIRST = 4096 /* below this nobody thinks of making one */
};
#define YR_SKIP_NEVER UINT32_MAX

/* A read has walked from `start`, which has no skip; `reader` is the branch it began at, and finds in skip_wanted which
 * one to make. */
void yr_skip_note(const yr_branch *reader, const yr_branch *start, uint32_t cost);

#endif
