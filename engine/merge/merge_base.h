/* The nearest common version of two points: the newest data commit that both descend from, a recorded merge's further
 * parents included.
 *
 * The commits form a graph whose links lead to older versions only: to the branch's own commit before, from a branch's
 * first commit into its parent at the fork, and from a merge to what it took in. So the common ancestor with the
 * greatest version descends from no other that would be nearer; where several are best (a criss-cross), it is the
 * newest of them.
 *
 * The walk goes down from both tips at once and touches neither the commits that are no merges nor what lies below the
 * base: own commits of a branch are a chain, and where both sides are on one chain, the lower entry is common. */
#ifndef YR_MERGE_BASE_H
#define YR_MERGE_BASE_H

#include "engine/mvcc/store.h"

/* A point of a branch: what it shows at versions <= cap. */
typedef struct yr_merge_tip {
    const yr_branch *branch;
    uint64_t cap;
} yr_merge_tip;

typedef struct yr_merge_base {
    bool is_related;         /* false: nothing in common, and nothing below is set but the heads */
    uint64_t heads[2];       /* the newest data commit at or before each tip, 0 = there is none */
    uint64_t version;        /* the base; 0: the two have a branch in common, of before its first commit */
    const yr_branch *branch; /* whose commit it is, or that branch */
    uint64_t cap;            /* the base is what `branch` shows at versions <= cap */
    uint64_t steps;          /* how many places of the graph were looked at */
} yr_merge_base;

/* known          a version at or above both caps that was visible before the layers were taken
 * passes_purged  a common commit of a branch whose data is gone is no base: the next older one is
 * YORE_OK; YORE_ERR_NOMEM, a run's failure. O(hops and merges above the base; of commits in runs their blocks). */
yore_status yr_merge_base_find(const yore_env *env, const yr_catalog *catalog, const yr_layers *layers,
                               uint64_t known, const yr_merge_tip tips[2], bool passes_purged,
                               yr_merge_base *out, yore_error *err);

#endif
