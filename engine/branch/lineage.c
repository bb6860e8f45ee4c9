#include "engine/branch/lineage.h"

yore_status yr_lineage_find(const yr_view *view, const yr_lookup *key, yr_found *out, yore_error *err)
{
    const yr_layers *layers = view->layers;
    uint64_t cap = view->cap;
    /* while the hops between are passed over, the last one's bucket arrives */
    if (view->branch->depth > 4) {
        uint64_t hash = yr_branch_hash(key->key_hash, view->branch->root_id);
        yr_hash_index_prefetch_bucket(layers->mems[0]->hash, hash);
    }
    for (const yr_branch *hop = view->branch; hop; hop = hop->parent) {
        uint64_t absent_from = yr_branch_absent_from(hop, key->key_hash);
        if (absent_from) {
            /* the first hop that has a version decides, a delete included (I4) */
            yore_status status = yr_layers_find(layers, key, hop->id, cap, absent_from, view->past, out, err);
            if (status != YORE_NOT_FOUND) return status;
        }
        cap = yr_lineage_cap(hop, cap);
    }
    return YORE_NOT_FOUND;
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
