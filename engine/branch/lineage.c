#include "engine/branch/lineage.h"

#include "engine/branch/skip.h"

/* Where a walk through a lineage is. */
typedef struct lineage_walk {
    const yr_branch *reader; /* where it began */
    const yr_branch *hop;
    uint64_t cap;
    bool is_passed; /* the hop is known not to have the key */
    const yr_branch
        *start;    /* since here no skip has helped; NULL: one has, it named this hop or one above it */
    uint32_t cost; /* since then (skip.h) */
} lineage_walk;

static inline void note_cost(const lineage_walk *walk)
{
    if (walk->cost >= 2 * YR_SKIP_ASKED && walk->start) yr_skip_note(walk->reader, walk->start, walk->cost);
}

/* To the next hop to ask, or to pass on from. False behind the last one. */
static inline bool step(lineage_walk *walk, uint64_t key_hash)
{
    const yr_skip *skip = yr_skip_for(walk->hop, walk->cap);
    if (skip) {
        note_cost(walk);
        uint32_t n = yr_skip_find(skip, key_hash);
        const yr_skip_hop *to = &skip->hops[n ? n - 1 : skip->hop_count - 1];
        walk->hop = to->branch;
        if (to->cap < walk->cap) walk->cap = to->cap;
        walk->is_passed = n == 0;
        walk->start = n ? NULL : to->branch;
        walk->cost = 0;
        return true;
    }
    if (!walk->hop->parent) return false;
    walk->cap = yr_lineage_cap(walk->hop, walk->cap);
    walk->hop = walk->hop->parent;
    walk->is_passed = false;
    walk->cost++;
    return true;
}

yore_status yr_lineage_find(const yr_view *view, const yr_lookup *key, yr_found *out, yore_error *err)
{
    const yr_layers *layers = view->layers;
    lineage_walk walk = {
        .reader = view->branch, .hop = view->branch, .cap = view->cap, .start = view->branch};
    yore_status status = YORE_NOT_FOUND;
    /* while the hops between are passed over, the last one's bucket arrives */
    if (view->branch->depth > 4) {
        uint64_t hash = yr_branch_hash(key->key_hash, view->branch->root_id);
        yr_hash_index_prefetch_bucket(layers->mems[0]->hash, hash);
    }
    do {
        uint64_t absent_from = walk.is_passed ? 0 : yr_branch_absent_from(walk.hop, key->key_hash);
        if (!absent_from) continue;
        if (walk.hop->parent) walk.cost += YR_SKIP_ASKED;
        /* the first hop that has a version decides, a delete included (I4) */
        status = yr_layers_find(layers, key, walk.hop->id, walk.cap, absent_from, view->past, out, err);
        if (status != YORE_NOT_FOUND) break;
    } while (step(&walk, key->key_hash));
    note_cost(&walk);
    return status;
}

const yr_branch *yr_lineage_first(const yr_branch *branch, uint64_t key_hash)
{
    lineage_walk walk = {.reader = branch, .hop = branch, .cap = UINT64_MAX};
    while (walk.hop->parent && (walk.is_passed || !yr_branch_absent_from(walk.hop, key_hash)))
        (void)step(&walk, key_hash);
    return walk.hop;
}

bool yr_lineage_has(const yr_branch *branch, uint64_t cap, uint32_t id, uint64_t *hop_cap)
{
    for (const yr_branch *hop = branch; hop; hop = hop->parent) {
        if (hop->id == id) {
            *hop_cap = cap;
            return true;
        }
        cap = yr_lineage_cap(hop, cap);
    }
    return false;
}
