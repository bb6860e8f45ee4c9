/* Owns cursors: seek and step in both directions.
 *
 * A step keeps the order its node's children had when the cursor arrived. What is inserted later may be
 * missed; what was there throughout is met: a slot keeps its key byte for good (A2), and whatever subtree the
 * slot holds by now has those keys. A node that was replaced in the meantime stays as it was until the epoch
 * ends. Keys come strictly ascending, because every subtree's keys lie between its neighbours'.
 *
 * Order within a node: `end` first (the key itself), then the children by byte.
 */
#include "index/art_node.h"

#include "engine/base/mem.h"

#define INLINE_STEPS (sizeof(((yr_art_iter *)0)->inline_path) / sizeof(art_step))
_Static_assert(sizeof(art_step) == 16, "64 levels without memory of their own");

void yr_art_iter_init(yr_art_iter *iter, const yr_art *art)
{
    iter->art = art;
    iter->path = (art_step *)(void *)iter->inline_path;
    iter->depth = 0;
    iter->capacity = INLINE_STEPS;
    iter->failed = false;
}

void yr_art_iter_deinit(yr_art_iter *iter)
{
    if (iter->capacity > INLINE_STEPS) yr_free(iter->art->env, iter->path, iter->capacity * sizeof(art_step));
    iter->path = NULL;
}

static bool path_grow(yr_art_iter *iter)
{
    const yore_env *env = iter->art->env;
    size_t size = iter->capacity * sizeof(art_step);
    bool is_inline = iter->capacity == INLINE_STEPS;
    art_step *path = is_inline ? yr_alloc(env, size * 2) : yr_realloc(env, iter->path, size, size * 2);
    if (!path) {
        iter->failed = true;
        iter->depth = 0;
        return false;
    }
    if (is_inline) memcpy(path, iter->path, size);
    iter->path = path;
    iter->capacity *= 2;
    return true;
}

bool yr_art_push(yr_art_iter *iter, art_ptr ptr)
{
    if (YR_UNLIKELY(iter->depth == iter->capacity) && !path_grow(iter)) return false;
    const art_node *node = art_node_at(iter->art, art_ref(ptr));
    art_step *step = &iter->path[iter->depth++];
    *step = (art_step){.node = art_ref(ptr), .at = -1, .type = node->type};
    switch (node->type) {
    case ART_N2:
        step->order = 0x10;
        step->count = art_load(&((const art_node2 *)node)->child[1]) ? 2 : 1;
        break;
    case ART_N4: {
        uint64_t word = art_word(&((const art_node4 *)node)->word);
        step->order = art_word4_order(word);
        step->count = (uint8_t)art_word4_count(word);
        break;
    }
    case ART_N8:
    case ART_N16:
        step->order = art_word(&((const art_node16 *)node)->order);
        step->count = (uint8_t)art_order_count(step->order);
        break;
    default: break;
    }
    return true;
}

/* Have the inner nodes below a small node on their way: a walk will stand on them one after the other, and
 * each would be a miss of its own. */
static void prefetch_children(const yr_art *art, const art_step *step)
{
    if (step->type >= ART_N48) return;
    const _Atomic art_ptr *children = art_slots(art_node_at(art, step->node));
    for (uint32_t i = 0; i < step->count; i++) {
        art_ptr child = art_load(&children[i]);
        if (child && !art_is_leaf(child)) __builtin_prefetch(art_node_at(art, art_ref(child)));
    }
}

/* -- one step -- */

static uint8_t ordered_key(const art_node *node, uint32_t slot)
{
    if (node->type == ART_N2) return slot ? (uint8_t)(node->prefix_size >> 8) : node->count;
    if (node->type == ART_N4) return (uint8_t)(art_word(&((const art_node4 *)node)->word) >> (8 * slot));
    return (uint8_t)(art_word(&((const art_node16 *)node)->keys[slot / 8]) >> (8 * (slot % 8)));
}

/* The child of an N48 or N256 with the lowest byte >= `byte`. */
static art_ptr sparse_up(const art_node *node, art_step *step, uint32_t byte)
{
    for (; byte < 256; byte++) {
        art_ptr child = 0;
        if (node->type == ART_N48) {
            const art_node48 *n48 = (const art_node48 *)node;
            uint64_t word = art_word(&n48->slots[byte / 8]) >> (8 * (byte % 8));
            if (!word) {
                byte |= 7; /* nothing more in this word */
                continue;
            }
            byte += (uint32_t)__builtin_ctzll(word) / 8;
            child = art_load(&n48->child[(word >> (8 * ((uint32_t)__builtin_ctzll(word) / 8)) & 0xFF) - 1]);
        } else {
            child = art_load(&((const art_node256 *)node)->child[byte]);
        }
        if (child) {
            step->at = (int16_t)byte;
            return child;
        }
    }
    step->at = 256;
    return 0;
}

/* The child of an N48 or N256 with the highest byte <= `byte`. */
static art_ptr sparse_down(const art_node *node, art_step *step, int32_t byte)
{
    for (; byte >= 0; byte--) {
        art_ptr child = 0;
        if (node->type == ART_N48) {
            const art_node48 *n48 = (const art_node48 *)node;
            uint32_t slot = art_slot48(n48, (uint32_t)byte);
            if (slot) child = art_load(&n48->child[slot - 1]);
        } else {
            child = art_load(&((const art_node256 *)node)->child[byte]);
        }
        if (child) {
            step->at = (int16_t)byte;
            return child;
        }
    }
    step->at = -1;
    return 0;
}

art_ptr yr_art_step_next(const yr_art *art, art_step *step)
{
    art_node *node = art_node_at(art, step->node);
    if (step->type >= ART_N48) return sparse_up(node, step, (uint32_t)(step->at + 1));
    if (step->at + 1 >= step->count) return 0;
    step->at++;
    return art_load(&art_slots(node)[art_nibble(step->order, (uint32_t)step->at)]);
}

/* The child before the current one; 0 (and at = -1) when `end` is next. */
static art_ptr step_prev(const yr_art *art, art_step *step)
{
    art_node *node = art_node_at(art, step->node);
    if (step->type >= ART_N48) return sparse_down(node, step, step->at - 1);
    step->at--;
    if (step->at < 0) return 0;
    return art_load(&art_slots(node)[art_nibble(step->order, (uint32_t)step->at)]);
}

/* Place a step behind its last child. */
static void step_to_end(art_step *step)
{
    step->at = step->type >= ART_N48 ? 256 : step->count;
}

/* The first child with a byte >= `byte`; *equal tells which. 0 when there is none. */
static art_ptr step_seek(const yr_art *art, art_step *step, uint8_t byte, bool *equal)
{
    art_node *node = art_node_at(art, step->node);
    if (step->type >= ART_N48) {
        art_ptr child = sparse_up(node, step, byte);
        *equal = child && step->at == byte;
        return child;
    }
    const _Atomic art_ptr *children = art_slots(node);
    for (step->at = 0; step->at < step->count; step->at++) {
        uint32_t slot = art_nibble(step->order, (uint32_t)step->at);
        uint8_t key = ordered_key(node, slot);
        if (key < byte) continue;
        *equal = key == byte;
        return art_load(&children[slot]);
    }
    return 0;
}

/* -- walks -- */

/* The next entry behind the position the path stands on. */
static yr_ref walk_forward(yr_art_iter *iter)
{
    const yr_art *art = iter->art;
    while (iter->depth) {
        art_ptr child = yr_art_step_next(art, &iter->path[iter->depth - 1]);
        if (!child) {
            iter->depth--;
            continue;
        }
        if (art_is_leaf(child)) return art_ref(child);
        if (!yr_art_push(iter, child)) return 0;
        prefetch_children(art, &iter->path[iter->depth - 1]);
        yr_ref end = art_load(&art_node_at(art, art_ref(child))->end);
        if (end) return end;
    }
    return 0;
}

static yr_ref walk_backward(yr_art_iter *iter)
{
    const yr_art *art = iter->art;
    while (iter->depth) {
        art_step *step = &iter->path[iter->depth - 1];
        if (step->at < 0) {
            iter->depth--;
            continue;
        }
        art_ptr child = step_prev(art, step);
        if (!child) {
            yr_ref end = art_load(&art_node_at(art, step->node)->end);
            if (end) return end;
            continue;
        }
        if (art_is_leaf(child)) return art_ref(child);
        if (!yr_art_push(iter, child)) return 0;
        prefetch_children(art, &iter->path[iter->depth - 1]);
        step_to_end(&iter->path[iter->depth - 1]);
    }
    return 0;
}

/* The smallest and the greatest entry below `ptr`, which hangs below the path. */
static yr_ref first_below(yr_art_iter *iter, art_ptr ptr)
{
    if (art_is_leaf(ptr)) return art_ref(ptr);
    if (!yr_art_push(iter, ptr)) return 0;
    yr_ref end = art_load(&art_node_at(iter->art, art_ref(ptr))->end);
    return end ? end : walk_forward(iter);
}

static yr_ref last_below(yr_art_iter *iter, art_ptr ptr)
{
    if (art_is_leaf(ptr)) return art_ref(ptr);
    if (!yr_art_push(iter, ptr)) return 0;
    step_to_end(&iter->path[iter->depth - 1]);
    return walk_backward(iter);
}

/* Walk down as long as the key leads. It ends at one of
 *   - ptr != 0: everything below ptr compares `*order` with the key (0: one entry, the key itself)
 *   - ptr == 0: the top step stands where the key's byte would be: on the first child behind it, or past all
 *     children; or the tree is empty and so is the path. */
static art_ptr descend(yr_art_iter *iter, yore_slice key, int *order)
{
    const yr_art *art = iter->art;
    if (!key.size) key.data = ""; /* may be NULL, which pointer arithmetic does not like */
    const uint8_t *bytes = key.data;
    size_t depth = 0;
    iter->depth = 0;
    iter->failed = false;
    art_ptr ptr = art_load(&art->root);
    while (ptr) {
        if (art_is_leaf(ptr)) {
            *order = yr_slice_compare(art_key_at(art, art_ref(ptr)), key);
            return ptr;
        }
        const art_node *node = art_node_at(art, art_ref(ptr));
        uint32_t prefix_size = art_prefix_size(node);
        if (prefix_size) {
            const uint8_t *prefix;
            uint32_t same = yr_art_prefix_match(art, ptr, key, depth, &prefix);
            depth += same;
            if (same < prefix_size) {
                *order = depth == key.size || prefix[same] > bytes[depth] ? 1 : -1;
                return ptr;
            }
        }
        if (depth == key.size) {
            *order = 1; /* but for the entry at `end`, which is the key */
            return ptr;
        }
        if (!yr_art_push(iter, ptr)) return 0;
        bool equal = false;
        ptr = step_seek(art, &iter->path[iter->depth - 1], bytes[depth], &equal);
        if (!equal) return 0;
        depth++;
    }
    return 0;
}

yr_ref yr_art_seek(yr_art_iter *iter, yore_slice tree_key)
{
    int order = 0;
    art_ptr ptr = descend(iter, tree_key, &order);
    if (ptr) return order >= 0 ? first_below(iter, ptr) : walk_forward(iter);
    if (!iter->depth) return 0;
    /* The top step stands on the first child behind the key: step back, so that the walk takes it. */
    iter->path[iter->depth - 1].at--;
    return walk_forward(iter);
}

yr_ref yr_art_seek_reverse(yr_art_iter *iter, yore_slice tree_key)
{
    int order = 0;
    art_ptr ptr = descend(iter, tree_key, &order);
    if (!ptr) return walk_backward(iter);
    if (order <= 0) return last_below(iter, ptr);
    if (!art_is_leaf(ptr)) {
        yr_ref end = art_load(&art_node_at(iter->art, art_ref(ptr))->end);
        if (end && yr_slice_equal(art_key_at(iter->art, end), tree_key)) {
            return yr_art_push(iter, ptr) ? end : 0; /* pushed standing on `end` */
        }
    }
    return walk_backward(iter);
}

yr_ref yr_art_seek_last(yr_art_iter *iter)
{
    iter->depth = 0;
    iter->failed = false;
    art_ptr root = art_load(&iter->art->root);
    return root ? last_below(iter, root) : 0;
}

yr_ref yr_art_next(yr_art_iter *iter)
{
    return walk_forward(iter);
}

yr_ref yr_art_prev(yr_art_iter *iter)
{
    return walk_backward(iter);
}

uint32_t yr_art_next_many(yr_art_iter *iter, yr_ref *out, uint32_t cap)
{
    uint32_t count = 0;
    while (count < cap && (out[count] = walk_forward(iter))) count++;
    return count;
}

uint32_t yr_art_prev_many(yr_art_iter *iter, yr_ref *out, uint32_t cap)
{
    uint32_t count = 0;
    while (count < cap && (out[count] = walk_backward(iter))) count++;
    return count;
}
