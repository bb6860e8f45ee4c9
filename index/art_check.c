/* Owns the walk over every invariant of the tree (A1..A6 in art_node.h). */
#include "index/art_node.h"

/* What the walk has seen so far. */
typedef struct check {
    const yr_art *art;
    yr_ref last; /* the entry before, 0 at the start */
    uint64_t entries, bytes;
    const char *problem;
} check;

static bool fail(check *c, const char *problem)
{
    if (!c->problem) c->problem = problem;
    return false;
}

static bool check_words2(check *c, const art_node *node)
{
    bool same = node->prefix_size >> 8 == node->count;
    return same == (art_count(node) == 1) || fail(c, "tree: an N2's key bytes");
}

static bool check_words4(check *c, const art_node4 *node)
{
    uint64_t word = art_word(&node->word);
    uint32_t count = art_word4_count(word);
    if (count != node->head.count || count > 4) return fail(c, "tree: an N4's count");
    uint32_t seen = 0;
    for (uint32_t i = 0; i < count; i++) seen |= 1u << art_nibble(art_word4_order(word), i);
    if (seen != (1u << count) - 1) return fail(c, "tree: an N4's order is no permutation");
    for (uint32_t slot = count; slot < 4; slot++) {
        if ((uint8_t)(word >> (8 * slot)) != (uint8_t)word)
            return fail(c, "tree: an unused key byte of an N4 (A4)");
    }
    return true;
}

/* N8 and N16 */
static bool check_ordered(check *c, const art_node *node)
{
    const art_node16 *like = (const art_node16 *)node;
    uint64_t order = art_word(&like->order);
    uint32_t count = art_order_count(order);
    if (count != node->count || count > art_capacity[node->type])
        return fail(c, "tree: an order word's count");
    uint32_t seen = 0;
    for (uint32_t i = 0; i < count; i++) seen |= 1u << art_nibble(order, i);
    if (seen != (1u << count) - 1) return fail(c, "tree: an order word is no permutation");
    for (uint32_t i = count; i < art_capacity[node->type]; i++) {
        uint8_t unused = (uint8_t)(art_word(&like->keys[i / 8]) >> (8 * (i % 8)));
        if (unused != (uint8_t)art_word(&like->keys[0])) return fail(c, "tree: an unused key byte (A4)");
    }
    return true;
}

static bool check_words(check *c, const art_node *node)
{
    static const uint8_t least[] = {1, 3, 4, 7, 13, 38};
    bool exempt = node->type == ART_N4 && node->prefix_size > ART_N2_PREFIX_MAX;
    if (art_count(node) < least[node->type] && !exempt)
        return fail(c, "tree: a node that should have shrunk (A5)");
    if (art_count(node) + (art_load(&node->end) != 0) < 2)
        return fail(c, "tree: a node with one reference (A5)");
    if (art_count(node) > art_capacity[node->type]) return fail(c, "tree: a node with too many children");
    if (node->type == ART_N2) return check_words2(c, node);
    if (node->type == ART_N4) return check_words4(c, (const art_node4 *)node);
    if (node->type == ART_N8 || node->type == ART_N16) return check_ordered(c, node);
    return true;
}

/* Every child is found under its byte, bytes ascend, and there are as many as counted. */
static bool check_children(check *c, art_node *node)
{
    art_shape shape;
    yr_art_node_shape(node, &shape);
    if (shape.count != art_count(node)) return fail(c, "tree: a node's count is not its children's");
    for (uint32_t i = 0; i < shape.count; i++) {
        if (i && shape.keys[i - 1] >= shape.keys[i]) return fail(c, "tree: key bytes out of order");
        _Atomic art_ptr *slot = art_child(node, shape.keys[i]);
        if (!slot || !shape.child[i] || art_load(slot) != shape.child[i]) {
            return fail(c, "tree: a child is not found under its byte");
        }
    }
    return true;
}

static bool check_node(check *c, art_ptr ptr, size_t depth)
{
    art_node *node = art_node_at(c->art, art_ref(ptr));
    if (node->type > ART_N256) return fail(c, "tree: no such node type");
    uint32_t prefix_size = art_prefix_size(node);
    c->bytes += art_node_bytes(node->type, prefix_size);
    if (!check_words(c, node) || !check_children(c, node)) return false;
    yore_slice key = art_key_at(c->art, yr_art_any_leaf(c->art, ptr));
    if (key.size < depth + prefix_size) return fail(c, "tree: a prefix longer than a key below it");
    const uint8_t *bytes = (const uint8_t *)key.data + depth;
    if (memcmp(art_prefix(node), bytes, art_prefix_kept(prefix_size)) != 0)
        return fail(c, "tree: a wrong prefix");
    return true;
}

static bool check_entry(check *c, yr_ref entry)
{
    yore_slice key = art_key_at(c->art, entry);
    if (c->last && yr_slice_compare(art_key_at(c->art, c->last), key) >= 0)
        return fail(c, "tree: keys out of order");
    if (yr_art_find(c->art, key) != entry) return fail(c, "tree: an entry is not found by its key");
    c->last = entry;
    c->entries++;
    return true;
}

static bool check_enter(check *c, yr_art_iter *iter, art_ptr ptr, size_t depth)
{
    if (!check_node(c, ptr, depth)) return false;
    if (!yr_art_push(iter, ptr)) return fail(c, YR_CHECK_NO_MEMORY);
    yr_ref end = art_load(&art_node_at(c->art, art_ref(ptr))->end);
    if (!end) return true;
    size_t ends = depth + art_prefix_size(art_node_at(c->art, art_ref(ptr)));
    if (art_key_at(c->art, end).size != ends) return fail(c, "tree: a key that does not end where it says");
    return check_entry(c, end);
}

static void check_below(check *c, yr_art_iter *iter, art_ptr root)
{
    size_t depth = 0; /* of the top node: key bytes before its prefix */
    if (!check_enter(c, iter, root, 0)) return;
    while (iter->depth) {
        art_step *top = &iter->path[iter->depth - 1];
        size_t below = depth + art_prefix_size(art_node_at(c->art, top->node)) + 1;
        art_ptr child = yr_art_step_next(c->art, top);
        if (!child) {
            iter->depth--;
            if (iter->depth)
                depth -= art_prefix_size(art_node_at(c->art, iter->path[iter->depth - 1].node)) + 1;
        } else if (art_is_leaf(child)) {
            if (!check_entry(c, art_ref(child))) return;
        } else {
            depth = below;
            if (!check_enter(c, iter, child, depth)) return;
        }
    }
}

bool yr_art_check(const yr_art *art, const char **problem)
{
    check c = {.art = art};
    yr_art_iter iter;
    yr_art_iter_init(&iter, art);
    art_ptr root = art_load(&art->root);
    if (root && art_is_leaf(root)) {
        (void)check_entry(&c, art_ref(root));
    } else if (root) {
        check_below(&c, &iter, root);
    }
    yr_art_iter_deinit(&iter);
    if (!c.problem && c.entries != yr_art_count(art)) (void)fail(&c, "tree: the count is not the entries");
    if (!c.problem && c.bytes != yr_art_bytes(art)) (void)fail(&c, "tree: the bytes are not the nodes'");
    if (!c.problem && c.entries && c.bytes > 40 * (c.entries - 1))
        (void)fail(&c, "tree: over 40 bytes a key (A5)");
    *problem = c.problem;
    return !c.problem;
}
