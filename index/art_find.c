/* Owns the tree's life and exact lookups.
 *
 * A lookup skips prefixes without comparing them and compares the whole key once, with the entry it ends at:
 * the fewest cache lines for a key that is there. */
#include "index/art_node.h"

#include "engine/base/mem.h"

yr_art *yr_art_create(const yore_env *env, yr_region *region)
{
    yr_art *art = yr_alloc_zero(env, sizeof *art);
    if (!art) return NULL;
    art->base = region->base;
    art->region = region;
    art->env = env;
    return art;
}

void yr_art_destroy(yr_art *art)
{
    if (art) yr_free(art->env, art, sizeof *art); /* the nodes go with the region */
}

uint64_t yr_art_count(const yr_art *art)
{
    return atomic_load_explicit(&art->count, memory_order_relaxed);
}

uint64_t yr_art_bytes(const yr_art *art)
{
    return atomic_load_explicit(&art->bytes, memory_order_relaxed);
}

yr_ref yr_art_find_key(const yr_art *art, uint32_t branch, uint32_t primitive, yore_slice user_key)
{
    uint8_t head[YR_TREE_KEY_PREFIX];
    yr_put_be32(head, branch);
    head[4] = (uint8_t)primitive;
    yr_ref waiting = yr_art_find_waiting(art, branch, primitive, user_key);
    if (YR_UNLIKELY(waiting)) return waiting;
    const uint8_t *user = user_key.data;
    size_t size = user_key.size + YR_TREE_KEY_PREFIX;
    size_t depth = 0;
    art_ptr ptr = art_load(&art->root);
    yr_ref ref = 0;
    while (ptr && !ref) {
        if (art_is_leaf(ptr)) {
            ref = art_ref(ptr);
            break;
        }
        art_node *node = art_node_at(art, art_ref(ptr));
        depth += art_prefix_size(node);
        if (depth > size) return 0;
        if (depth == size) {
            ref = art_load(&node->end);
            break;
        }
        uint8_t byte = depth < YR_TREE_KEY_PREFIX ? head[depth] : user[depth - YR_TREE_KEY_PREFIX];
        const _Atomic art_ptr *child = art_child(node, byte);
        ptr = child ? art_load(child) : 0;
        depth++;
    }
    return ref && yr_entry_is(art_entry_at(art, ref), branch, primitive, user_key) ? ref : 0;
}

yr_ref yr_art_find(const yr_art *art, yore_slice tree_key)
{
    if (tree_key.size < YR_TREE_KEY_PREFIX) return 0;
    const uint8_t *bytes = tree_key.data;
    return yr_art_find_key(art, yr_get_be32(bytes), bytes[4],
                           yore_bytes(bytes + YR_TREE_KEY_PREFIX, tree_key.size - YR_TREE_KEY_PREFIX));
}

/* The first child of an N256 in byte order. While the writer is at work a scan may meet only empty slots,
 * though the node always has children (A5): then look again. */
static art_ptr any_child256(const art_node256 *node)
{
    for (;;) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            art_ptr child = art_load(&node->child[byte]);
            if (child) return child;
        }
    }
}

yr_ref yr_art_any_leaf(const yr_art *art, art_ptr ptr)
{
    while (!art_is_leaf(ptr)) {
        art_node *node = art_node_at(art, art_ref(ptr));
        yr_ref end = art_load(&node->end);
        if (end) return end;
        switch (node->type) { /* slot 0 is always filled (A2) */
        case ART_N48: ptr = art_load(&((const art_node48 *)node)->child[0]); break;
        case ART_N256: ptr = any_child256((const art_node256 *)node); break;
        default: ptr = art_load(&art_slots(node)[0]);
        }
    }
    return art_ref(ptr);
}

uint32_t yr_art_prefix_match(const yr_art *art, art_ptr ptr, yore_slice key, size_t depth,
                             const uint8_t **prefix)
{
    const art_node *node = art_node_at(art, art_ref(ptr));
    const uint8_t *bytes = (const uint8_t *)key.data + depth;
    uint32_t size = art_prefix_size(node);
    uint32_t most = size < key.size - depth ? size : (uint32_t)(key.size - depth);
    uint32_t here = art_prefix_kept(size);
    if (here > most) here = most;
    *prefix = art_prefix(node);
    uint32_t same = 0;
    while (same < here && (*prefix)[same] == bytes[same]) same++;
    if (size <= ART_PREFIX_INLINE) return same;
    *prefix = (const uint8_t *)art_key_at(art, yr_art_any_leaf(art, ptr)).data + depth;
    if (same < here) return same;
    while (same < most && (*prefix)[same] == bytes[same]) same++;
    return same;
}
