/* Owns removing. A node that loses a child is replaced by a copy (A2), smaller when it got sparse (A5), but for
 * an N256, whose slots belong to their byte and are cleared in place. A node left with one reference is merged
 * away. As in art_insert.c one store publishes, and nothing changes when memory is out. */
#include "index/art_node.h"

/* With fewer children a smaller node takes over: later than it grew, so as not to flutter. */
#define N8_MIN 4u
#define N16_MIN 7u
#define N48_MIN 13u
#define N256_MIN 38u

/* Where a key was found. */
typedef struct place {
    _Atomic art_ptr *slot;   /* holds the entry, or the node whose `end` it is */
    _Atomic art_ptr *parent; /* holds the node that `slot` is in; NULL when slot is the root */
    uint8_t byte;            /* of slot in that node */
    bool is_end;
    yr_ref entry;
} place;

/* As yr_art_find, remembering the way. */
static bool locate(yr_art *art, yore_slice key, place *found)
{
    size_t depth = 0;
    *found = (place){.slot = &art->root};
    for (;;) {
        art_ptr ptr = art_own_ptr(found->slot);
        if (!ptr) return false;
        if (art_is_leaf(ptr)) {
            found->entry = art_ref(ptr);
            break;
        }
        art_node *node = art_node_at(art, art_ref(ptr));
        depth += art_prefix_size(node);
        if (depth > key.size) return false;
        if (depth == key.size) {
            found->entry = art_own_ptr(&node->end);
            found->is_end = true;
            break;
        }
        found->parent = found->slot;
        found->byte = ((const uint8_t *)key.data)[depth++];
        found->slot = art_child(node, found->byte);
        if (!found->slot) return false;
    }
    return found->entry && yr_slice_equal(art_key_at(art, found->entry), key);
}

/* A copy of an only child that takes over its parent's prefix and key byte; 0 when memory is out. */
static art_ptr merge(yr_art *art, const art_node *parent, uint8_t byte, art_ptr child)
{
    const art_node *node = art_node_at(art, art_ref(child));
    art_shape shape;
    yr_art_node_shape(node, &shape);
    /* Both nodes keep enough of their prefixes for what the new one keeps: all of it when they add up to no more
     * than ART_PREFIX_INLINE, else the first ART_PREFIX_START bytes. */
    uint8_t prefix[ART_PREFIX_INLINE] = {0};
    uint32_t size = art_prefix_size(parent);
    uint32_t kept = art_prefix_kept(size + 1 + shape.prefix_size);
    for (uint32_t i = 0; i < kept; i++) {
        if (i < size) prefix[i] = art_prefix(parent)[i];
        if (i == size) prefix[i] = byte;
        if (i > size) prefix[i] = shape.prefix[i - size - 1];
    }
    shape.prefix = prefix;
    shape.prefix_size += size + 1;
    return yr_art_node_build(art, yr_art_node_fit(&shape), &shape);
}

/* The node in `slot` is left with the references in `rest`, which is one: put that in its place. */
static yore_status collapse(yr_art *art, _Atomic art_ptr *slot, const art_shape *rest)
{
    art_ptr old = art_own_ptr(slot);
    art_ptr child = rest->count ? rest->child[0] : 0;
    art_ptr fresh = child ? child : art_leaf(rest->end);
    if (!art_is_leaf(fresh)) fresh = merge(art, art_node_at(art, art_ref(old)), rest->keys[0], child);
    if (!fresh) return YORE_ERR_NOMEM;
    art_store(slot, fresh);
    if (child && !art_is_leaf(child)) yr_art_node_retire(art, child);
    yr_art_node_retire(art, old);
    return YORE_OK;
}

/* Is a node of this type still right with so many children? */
static bool fits_still(enum art_type type, uint32_t count)
{
    static const uint8_t least[] = {
        [ART_N8] = N8_MIN, [ART_N16] = N16_MIN, [ART_N48] = N48_MIN, [ART_N256] = N256_MIN};
    return least[type] && count >= least[type];
}

static void shape_drop(art_shape *shape, uint8_t byte)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < shape->count; i++) {
        if (shape->keys[i] == byte) continue;
        shape->keys[kept] = shape->keys[i];
        shape->child[kept++] = shape->child[i];
    }
    YR_ASSERT(kept + 1 == shape->count);
    shape->count = kept;
}

/* Take a leaf out of the node in `slot`. */
static yore_status remove_child(yr_art *art, _Atomic art_ptr *slot, uint8_t byte)
{
    art_ptr old = art_own_ptr(slot);
    art_node *node = art_node_at(art, art_ref(old));
    uint32_t left = art_count(node) - 1;
    bool fits = fits_still(node->type, left);
    if (fits && node->type == ART_N256) {
        art_store(art_child(node, byte), 0);
        node->count = (uint8_t)left;
        return YORE_OK;
    }
    art_shape shape;
    yr_art_node_shape(node, &shape);
    shape_drop(&shape, byte);
    if (left + (shape.end != 0) == 1) return collapse(art, slot, &shape);
    art_ptr fresh = yr_art_node_build(art, fits ? node->type : yr_art_node_fit(&shape), &shape);
    if (!fresh) return YORE_ERR_NOMEM;
    art_store(slot, fresh);
    yr_art_node_retire(art, old);
    return YORE_OK;
}

/* Take away the key that ends at the node in `slot`. */
static yore_status remove_end(yr_art *art, _Atomic art_ptr *slot)
{
    art_node *node = art_node_at(art, art_ref(art_own_ptr(slot)));
    if (art_count(node) == 1) {
        art_shape shape;
        yr_art_node_shape(node, &shape);
        shape.end = 0;
        return collapse(art, slot, &shape);
    }
    art_store(&node->end, 0);
    return YORE_OK;
}

yore_status yr_art_remove(yr_art *art, yore_slice tree_key, yr_ref *entry)
{
    place found;
    if (!locate(art, tree_key, &found)) return YORE_NOT_FOUND;
    yore_status status = YORE_OK;
    if (found.is_end) {
        status = remove_end(art, found.slot);
    } else if (found.parent) {
        status = remove_child(art, found.parent, found.byte);
    } else {
        art_store(found.slot, 0);
    }
    if (status < 0) return status;
    art_add_relaxed(&art->count, UINT64_MAX);
    if (entry) *entry = found.entry;
    return YORE_OK;
}
