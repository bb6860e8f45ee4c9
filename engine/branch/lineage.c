#include "engine/branch/lineage.h"

bool yr_lineage_find(const yr_view *view, uint64_t key_hash, uint32_t primitive, yore_slice user_key,
                     yr_found *out)
{
    const yr_memtable *mem = view->mem;
    uint64_t cap = view->cap;
    bool past = view->past;
    /* while the hops between are passed over, the last one's bucket arrives */
    if (view->branch->depth > 4) {
        yr_hash_index_prefetch_bucket(mem->hash, yr_branch_hash(key_hash, view->branch->root_id));
    }
    for (const yr_branch *hop = view->branch; hop; hop = hop->parent) {
        if (yr_branch_may_hold(hop, key_hash)) {
            yr_ref ref = yr_memtable_find(mem, key_hash, hop->id, primitive, user_key);
            const yr_version *v = ref ? yr_chain_find(&mem->region, yr_entry_at(&mem->region, ref),
                                                      yr_memtable_cap(mem, cap), past)
                                      : NULL;
            if (v) {
                /* the first hop that has a version decides, a delete included (I4) */
                *out = (yr_found){.version = v, .entry = ref, .branch = hop->id};
                return true;
            }
        }
        cap = yr_lineage_cap(hop, cap);
    }
    return false;
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
