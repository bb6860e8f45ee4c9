/* Owns prefetching for batches of inserts: walk all keys down together, one level at a time, so that the nodes of
 * one level arrive for all keys while none is waited for. Prefixes are skipped unread: a wrong guess costs a
 * prefetch, nothing else. */
#include "index/art_node.h"

enum { LEVELS_MAX = 12 }; /* deeper paths are rare and their upper nodes are in the cache by then */

static uint8_t byte_at(const yr_art_ahead *key, uint32_t depth)
{
    if (depth < YR_TREE_KEY_PREFIX) return key->head[depth];
    return ((const uint8_t *)key->user_key.data)[depth - YR_TREE_KEY_PREFIX];
}

/* One level down; false when this key's path ends. */
static bool step_down(const yr_art *art, yr_art_ahead *key)
{
    const art_node *node = art_node_at(art, art_ref(key->at));
    key->depth += art_prefix_size(node);
    if (key->depth >= YR_TREE_KEY_PREFIX + key->user_key.size) return false;
    const _Atomic art_ptr *child = art_child(art_node_at(art, art_ref(key->at)), byte_at(key, key->depth));
    art_ptr next = child ? art_load(child) : 0;
    if (!next) return false;
    key->depth++;
    key->at = next;
    const uint8_t *line = yr_region_at(art->region, art_ref(next));
    __builtin_prefetch(line);
    if (art_is_leaf(next)) return false; /* its key is compared when the tree splits there */
    __builtin_prefetch(line + 64);
    return true;
}

void yr_art_prefetch(const yr_art *art, yr_art_ahead *keys, uint32_t n)
{
    art_ptr root = art_load(&art->root);
    if (!root || art_is_leaf(root)) return;
    for (uint32_t i = 0; i < n; i++) {
        keys[i].at = root;
        keys[i].depth = 0;
    }
    uint32_t live = n;
    for (uint32_t level = 0; live && level < LEVELS_MAX; level++) {
        live = 0;
        for (uint32_t i = 0; i < n; i++) {
            if (!keys[i].at) continue;
            if (step_down(art, &keys[i]))
                live++;
            else
                keys[i].at = 0;
        }
    }
}
