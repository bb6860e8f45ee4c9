/* Reading through a lineage: the branch's own key space, then its parent's capped at the fork version, and
 * so on; a cap is the minimum along the path (DESIGN: lineage, I4, I5). */
#ifndef YR_LINEAGE_H
#define YR_LINEAGE_H

#include "engine/base/planted.h"
#include "engine/branch/catalog.h"
#include "engine/mem/memtable.h"

/* One branch as of one moment. */
typedef struct yr_view {
    const yr_memtable *mem;
    const yr_branch *branch;
    uint64_t cap;    /* versions <= cap */
    int64_t time_ns; /* decides expiry */
    bool past;       /* the cap is older than the tip: chains are asked for their history first */
} yr_view;

typedef struct yr_found {
    const yr_version *version;
    yr_ref entry;
    uint32_t branch;
} yr_found;

/* The cap one hop further down. */
static inline uint64_t yr_lineage_cap(const yr_branch *hop, uint64_t cap)
{
    if (YR_BUG(LINEAGE_CAP)) return hop->fork_version;
    return hop->fork_version < cap ? hop->fork_version : cap;
}

/* Can the branch's own key space hold the key at all? */
static inline bool yr_branch_may_hold(const yr_branch *branch, uint64_t key_hash)
{
    if (!branch->parent) return true; /* the last hop has no filter */
    yr_filter_ref filter = atomic_load_explicit(&branch->filter, memory_order_acquire); /* note_key */
    return filter && yr_branch_filter_may_contain(filter, key_hash);
}

/* The newest version of a key at the view, whatever it is (a delete, something expired). Inside an epoch
 * section. False when no hop has one. */
bool yr_lineage_find(const yr_view *view, uint64_t key_hash, uint32_t primitive, yore_slice user_key,
                     yr_found *out);

/* Does `id` lie in the lineage of a branch, and at which cap? False when not. */
bool yr_lineage_has(const yr_branch *branch, uint64_t cap, uint32_t id, uint64_t *hop_cap);

#endif
