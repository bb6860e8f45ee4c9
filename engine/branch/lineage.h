/* Reading through a lineage: the branch's own key space, then its parent's capped at the fork version, and
 * so on; a cap is the minimum along the path (DESIGN: lineage, I4, I5). */
#ifndef YR_LINEAGE_H
#define YR_LINEAGE_H

#include "engine/base/planted.h"
#include "engine/branch/catalog.h"
#include "engine/layers/layers_find.h"

/* One branch as of one moment. Who keeps a view keeps a reference on its layers. */
typedef struct yr_view {
    yr_layers *layers;
    const yr_branch *branch;
    uint64_t cap;    /* versions <= cap */
    int64_t time_ns; /* decides expiry */
    bool past;       /* the cap is older than the tip: chains are asked for their history first */
} yr_view;

/* The cap one hop further down. */
static inline uint64_t yr_lineage_cap(const yr_branch *hop, uint64_t cap)
{
    if (YR_BUG(LINEAGE_CAP)) return hop->fork_version;
    return hop->fork_version < cap ? hop->fork_version : cap;
}

/* Layers that begin at or behind this version cannot have the key in the branch's own key space: 0 = none can,
 * UINT64_MAX = each may. */
static inline uint64_t yr_branch_absent_from(const yr_branch *branch, uint64_t key_hash)
{
    if (!branch->parent) return UINT64_MAX; /* the last hop has no filter */
    yr_filter_ref filter = atomic_load_explicit(&branch->filter, memory_order_acquire); /* note_key */
    if (filter && yr_branch_filter_may_contain(filter, key_hash)) return UINT64_MAX;
    /* after the filter: it rises before a filter that knows less is published */
    return atomic_load_explicit(&branch->filtered_from, memory_order_relaxed);
}

/* The newest version of a key at the view, whatever it is (a delete, something expired). Inside an epoch
 * section. YORE_OK with *out, to be released; YORE_NOT_FOUND when no hop has one; a run's failure. */
yore_status yr_lineage_find(const yr_view *view, const yr_lookup *key, yr_found *out, yore_error *err);

/* The hop that is asked first for a key. Inside an epoch section. */
const yr_branch *yr_lineage_first(const yr_branch *branch, uint64_t key_hash);

/* Does `id` lie in the lineage of a branch, and at which cap? False when not. */
bool yr_lineage_has(const yr_branch *branch, uint64_t cap, uint32_t id, uint64_t *hop_cap);

#endif
