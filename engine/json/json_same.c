/* json_tree.h: which values of two documents say the same. Both walks keep their own stack: depth is the input's. */
#include "engine/json/json_tree.h"

#include <string.h>

#include "engine/base/yr_assert.h"

typedef struct pair {
    uint32_t a; /* two arrays or objects of equal count */
    uint32_t b;
    uint32_t
        at_a; /* an array: the elements that come next. An object: at_a is the number of the next by name */
    uint32_t at_b;
} pair;

/* As far as two values can be told apart without looking inside. */
static bool looks_equal(const yr_json_doc *a, uint32_t node_a, const yr_json_doc *b, uint32_t node_b)
{
    const yr_json_node *x = &a->nodes[node_a];
    const yr_json_node *y = &b->nodes[node_b];
    if (x->kind != y->kind || x->count != y->count) return false;
    yore_slice p = yr_json_text(a, node_a);
    yore_slice q = yr_json_text(b, node_b);
    if (x->kind == YR_JSON_STRING) return yr_json_compare_literals(p, q) == 0;
    if (x->kind == YR_JSON_NUMBER) return p.size == q.size && memcmp(p.data, q.data, p.size) == 0;
    return true;
}

/* The next two to compare inside a pair. False when there are none, or their names differ: *differ. */
static bool next_inside(const yr_json_doc *a, const yr_json_doc *b, pair *p, uint32_t out[2], bool *differ)
{
    if (a->nodes[p->a].kind == YR_JSON_ARRAY) {
        out[0] = p->at_a;
        out[1] = p->at_b;
        if (p->at_a == 0) return false;
        p->at_a = a->nodes[p->at_a].next;
        p->at_b = b->nodes[p->at_b].next;
        return true;
    }
    if (p->at_a == a->nodes[p->a].count) return false;
    out[0] = yr_json_member(a, p->a, p->at_a);
    out[1] = yr_json_member(b, p->b, p->at_a);
    p->at_a++;
    *differ = yr_json_compare_literals(yr_json_name(a, out[0]), yr_json_name(b, out[1])) != 0;
    return !*differ;
}

bool yr_json_equal(const yr_json_doc *a, uint32_t node_a, const yr_json_doc *b, uint32_t node_b)
{
    pair stack[YR_JSON_DEPTH_MAX];
    uint32_t depth = 0;
    uint32_t at[2] = {node_a, node_b};
    bool differ = false;
    for (;;) {
        if (!looks_equal(a, at[0], b, at[1])) return false;
        if (a->nodes[at[0]].count > 0) {
            bool is_array = a->nodes[at[0]].kind == YR_JSON_ARRAY;
            YR_ASSERT(depth < YR_JSON_DEPTH_MAX);
            stack[depth++] = (pair){.a = at[0],
                                    .b = at[1],
                                    .at_a = is_array ? a->nodes[at[0]].child : 0,
                                    .at_b = is_array ? b->nodes[at[1]].child : 0};
        }
        while (depth > 0 && !next_inside(a, b, &stack[depth - 1], at, &differ)) {
            if (differ) return false;
            depth--;
        }
        if (depth == 0) return true;
    }
}

typedef struct match {
    uint32_t base; /* two objects */
    uint32_t node;
    uint32_t i; /* the next of each by name */
    uint32_t j;
    bool is_same; /* so far */
} match;

static bool both_objects(const yr_json_doc *base, uint32_t b, const yr_json_doc *doc, uint32_t n)
{
    return base->nodes[b].kind == YR_JSON_OBJECT && doc->nodes[n].kind == YR_JSON_OBJECT;
}

/* The next member that both have; members that one has are stepped over and noted. */
static bool next_match(const yr_json_doc *base, const yr_json_doc *doc, match *m, uint32_t *b, uint32_t *n)
{
    while (m->i < base->nodes[m->base].count && m->j < doc->nodes[m->node].count) {
        *b = yr_json_member(base, m->base, m->i);
        *n = yr_json_member(doc, m->node, m->j);
        int order = yr_json_compare_literals(yr_json_name(base, *b), yr_json_name(doc, *n));
        if (order <= 0) m->i++;
        if (order >= 0) m->j++;
        if (order == 0) return true;
        m->is_same = false;
    }
    return false;
}

void yr_json_mark(const yr_json_doc *base, yr_json_doc *doc)
{
    match stack[YR_JSON_DEPTH_MAX];
    uint32_t depth = 0;
    uint32_t b = 0;
    uint32_t n = 0;
    for (;;) {
        if (both_objects(base, b, doc, n)) {
            YR_ASSERT(depth < YR_JSON_DEPTH_MAX);
            stack[depth++] =
                (match){.base = b, .node = n, .is_same = base->nodes[b].count == doc->nodes[n].count};
        } else {
            doc->nodes[n].is_same = yr_json_equal(base, b, doc, n);
            if (depth > 0) stack[depth - 1].is_same &= doc->nodes[n].is_same;
        }
        while (depth > 0 && !next_match(base, doc, &stack[depth - 1], &b, &n)) {
            const match *m = &stack[--depth];
            doc->nodes[m->node].is_same = m->is_same;
            if (depth > 0) stack[depth - 1].is_same &= m->is_same;
        }
        if (depth == 0) return;
    }
}
