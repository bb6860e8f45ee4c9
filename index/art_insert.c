/* Owns inserting. Everything that may need memory is built first and published with one store, so a full
 * region leaves the tree as it was. */
#include "index/art_node.h"

/* Put a node in place of what `slot` holds, and let the replaced node go. */
static void replace(yr_art *art, _Atomic art_ptr *slot, art_ptr fresh)
{
    art_ptr old = art_own_ptr(slot);
    art_store(slot, fresh);
    if (!art_is_leaf(old)) yr_art_node_retire(art, old);
}

/* A key of `shape`'s children, in order; 0 children or 1 are there already. */
static void shape_put(art_shape *shape, uint8_t byte, art_ptr child)
{
    uint32_t at = shape->count;
    while (at > 0 && shape->keys[at - 1] > byte) {
        shape->keys[at] = shape->keys[at - 1];
        shape->child[at] = shape->child[at - 1];
        at--;
    }
    shape->keys[at] = byte;
    shape->child[at] = child;
    shape->count++;
}

/* Where a key goes in a new node at `depth`: it ends there, or continues with a byte. */
static void shape_put_key(art_shape *shape, yore_slice key, size_t depth, yr_ref entry)
{
    if (depth == key.size) {
        shape->end = entry;
    } else {
        shape_put(shape, ((const uint8_t *)key.data)[depth], art_leaf(entry));
    }
}

/* Two keys part below `slot`, which holds a leaf. */
static yore_status split_leaf(yr_art *art, _Atomic art_ptr *slot, yore_slice key, size_t depth, yr_ref entry)
{
    yr_ref other = art_ref(art_own_ptr(slot));
    yore_slice other_key = art_key_at(art, other);
    const uint8_t *a = key.data;
    const uint8_t *b = other_key.data;
    size_t most = key.size < other_key.size ? key.size : other_key.size;
    size_t at = depth;
    while (at < most && a[at] == b[at]) at++;
    if (at == key.size && at == other_key.size) return YORE_EXISTS;
    art_shape shape;
    shape.prefix = a + depth;
    shape.prefix_size = (uint32_t)(at - depth);
    shape.end = 0;
    shape.count = 0;
    shape_put_key(&shape, other_key, at, other);
    shape_put_key(&shape, key, at, entry);
    art_ptr fresh = yr_art_node_build(art, yr_art_node_fit(&shape), &shape);
    if (!fresh) return YORE_ERR_NOMEM;
    replace(art, slot, fresh);
    return YORE_OK;
}

/* The key leaves the prefix of the node in `slot` after `same` bytes: a new parent with the common part, over
 * a copy of the node with the rest (A1). */
static yore_status split_prefix(yr_art *art, _Atomic art_ptr *slot, yore_slice key, size_t depth,
                                uint32_t same, const uint8_t *prefix, yr_ref entry)
{
    art_ptr old = art_own_ptr(slot);
    const art_node *node = art_node_at(art, art_ref(old));
    art_shape shape;
    yr_art_node_shape(node, &shape);
    shape.prefix = prefix + same + 1;
    shape.prefix_size -= same + 1;
    art_ptr below = yr_art_node_build(art, yr_art_node_fit(&shape), &shape);
    if (!below) return YORE_ERR_NOMEM;
    shape.prefix = prefix;
    shape.prefix_size = same;
    shape.end = 0;
    shape.count = 0;
    shape_put(&shape, prefix[same], below);
    shape_put_key(&shape, key, depth + same, entry);
    art_ptr fresh = yr_art_node_build(art, yr_art_node_fit(&shape), &shape);
    if (!fresh) {
        yr_art_node_free(art, below);
        return YORE_ERR_NOMEM;
    }
    replace(art, slot, fresh);
    return YORE_OK;
}

static yore_status add_child(yr_art *art, _Atomic art_ptr *slot, uint8_t byte, yr_ref entry)
{
    art_node *node = art_node_at(art, art_ref(art_own_ptr(slot)));
    if (yr_art_node_add(node, byte, art_leaf(entry))) return YORE_OK;
    art_shape shape;
    yr_art_node_shape(node, &shape);
    shape_put(&shape, byte, art_leaf(entry));
    art_ptr fresh = yr_art_node_build(art, yr_art_node_fit(&shape), &shape);
    if (!fresh) return YORE_ERR_NOMEM;
    replace(art, slot, fresh);
    return YORE_OK;
}

static yore_status insert(yr_art *art, yore_slice key, yr_ref entry)
{
    _Atomic art_ptr *slot = &art->root;
    size_t depth = 0;
    for (;;) {
        art_ptr ptr = art_own_ptr(slot);
        if (!ptr) {
            art_store(slot, art_leaf(entry));
            return YORE_OK;
        }
        if (art_is_leaf(ptr)) return split_leaf(art, slot, key, depth, entry);
        art_node *node = art_node_at(art, art_ref(ptr));
        uint32_t prefix_size = art_prefix_size(node);
        if (prefix_size) {
            const uint8_t *prefix;
            uint32_t same = yr_art_prefix_match(art, ptr, key, depth, &prefix);
            if (same < prefix_size) return split_prefix(art, slot, key, depth, same, prefix, entry);
            depth += same;
        }
        if (depth == key.size) {
            if (art_own_ptr(&node->end)) return YORE_EXISTS;
            art_store(&node->end, entry);
            return YORE_OK;
        }
        uint8_t byte = ((const uint8_t *)key.data)[depth];
        _Atomic art_ptr *child = art_child(node, byte);
        if (!child || !art_own_ptr(child)) return add_child(art, slot, byte, entry);
        slot = child;
        depth++;
    }
}

yore_status yr_art_insert(yr_art *art, yr_ref entry)
{
    YR_ASSERT(entry != 0);
    YR_ASSERT(entry <= UINT32_MAX >> 1);
    yore_status status = insert(art, art_key_at(art, entry), entry);
    if (status == YORE_OK) art_add_relaxed(&art->count, 1);
    return status;
}
