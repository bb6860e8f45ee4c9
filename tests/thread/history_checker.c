#include "tests/thread/history_checker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

static void *must(void *block)
{
    if (!block) abort();
    return block;
}

static void *zeroed(size_t count, size_t size)
{
    return must(calloc(count ? count : 1, size));
}

/* -- histories -- */

void history_init(history *h)
{
    memset(h, 0, sizeof *h);
}

void history_deinit(history *h)
{
    for (size_t i = 0; i < h->count; i++) {
        for (size_t j = 0; j < h->txns[i].op_count; j++) free(h->txns[i].ops[j].elems);
        free(h->txns[i].ops);
    }
    free(h->txns);
    memset(h, 0, sizeof *h);
}

history_txn *history_add(history *h, enum history_outcome outcome, uint64_t begin, uint64_t end,
                         uint64_t version)
{
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 64;
        h->txns = must(realloc(h->txns, h->cap * sizeof *h->txns));
    }
    history_txn *txn = &h->txns[h->count++];
    *txn = (history_txn){.outcome = outcome, .begin = begin, .end = end, .version = version};
    return txn;
}

void history_add_op(history_txn *txn, enum history_op_kind kind, uint32_t key, uint32_t value,
                    const uint32_t *elems, size_t count)
{
    if (txn->op_count == txn->op_cap) {
        txn->op_cap = txn->op_cap ? txn->op_cap * 2 : 4;
        txn->ops = must(realloc(txn->ops, txn->op_cap * sizeof *txn->ops));
    }
    history_op *op = &txn->ops[txn->op_count++];
    *op = (history_op){.kind = kind, .key = key, .value = value, .count = count};
    if (count) {
        op->elems = must(malloc(count * sizeof *elems));
        memcpy(op->elems, elems, count * sizeof *elems);
    }
}

void history_join(history *to, history *from)
{
    for (size_t i = 0; i < from->count; i++) {
        *history_add(to, HISTORY_ABORTED, 0, 0, 0) = from->txns[i];
    }
    free(from->txns);
    memset(from, 0, sizeof *from);
}

const char *history_anomaly_name(enum history_anomaly anomaly)
{
    static const char *const names[] = {"internal", "garbage",  "duplicate",     "order",
                                        "G1a",      "G1b",      "lost update",   "G0",
                                        "G1c",      "G-single", "G-nonadjacent", "G2"};
    return anomaly < HISTORY_ANOMALY_COUNT ? names[anomaly] : "?";
}

/* -- what the checker knows -- */

enum edge_kind { EDGE_WW, EDGE_WR, EDGE_RW, EDGE_RT };

typedef struct edge {
    uint32_t to;
    uint32_t kind;
    uint32_t key;
} edge;

typedef struct edges {
    edge *list;
    size_t count, cap;
} edges;

/* Where a value was written. */
typedef struct source {
    uint32_t txn;
    uint32_t key;
    bool is_last; /* the transaction's last write of that key */
} source;

typedef struct checker {
    const history *h;
    history_findings *out;
    uint32_t value_count, key_count;
    source *sources;   /* by value */
    uint32_t **orders; /* by key: values in version order */
    size_t *order_counts;
    bool *is_register; /* by key */
    edges *graph;      /* by transaction */
} checker;

static void find(checker *c, enum history_anomaly anomaly, uint32_t txn, uint32_t key, uint32_t value)
{
    bool is_new = !c->out->found;
    c->out->found |= HISTORY_BIT(anomaly);
    if (is_new)
        snprintf(c->out->first, sizeof c->out->first, "%s: T%u, key %u, value %u",
                 history_anomaly_name(anomaly), txn, key, value);
}

static bool is_committed(const checker *c, uint32_t txn)
{
    return c->h->txns[txn].outcome == HISTORY_COMMITTED;
}

static bool is_write(const history_op *op)
{
    return op->kind == HISTORY_APPEND || op->kind == HISTORY_WRITE;
}

static void count_all(checker *c)
{
    for (size_t i = 0; i < c->h->count; i++) {
        for (size_t j = 0; j < c->h->txns[i].op_count; j++) {
            const history_op *op = &c->h->txns[i].ops[j];
            if (op->key >= c->key_count) c->key_count = op->key + 1;
            if (op->value >= c->value_count) c->value_count = op->value + 1;
            for (size_t k = 0; k < op->count; k++) {
                if (op->elems[k] >= c->value_count) c->value_count = op->elems[k] + 1;
            }
        }
    }
}

static void note_sources(checker *c)
{
    for (uint32_t v = 0; v < c->value_count; v++) c->sources[v].txn = NONE;
    for (uint32_t i = 0; i < c->h->count; i++) {
        const history_txn *txn = &c->h->txns[i];
        for (size_t j = 0; j < txn->op_count; j++) {
            const history_op *op = &txn->ops[j];
            if (op->kind == HISTORY_WRITE || op->kind == HISTORY_READ) c->is_register[op->key] = true;
            if (!is_write(op)) continue;
            for (size_t k = 0; k < j; k++) {
                if (is_write(&txn->ops[k]) && txn->ops[k].key == op->key)
                    c->sources[txn->ops[k].value].is_last = false;
            }
            c->sources[op->value] = (source){.txn = i, .key = op->key, .is_last = true};
        }
    }
}

/* -- inside one transaction -- */

/* How many elements at the end of a list this transaction appended itself before operation `at`. */
static size_t own_appends(const history_txn *txn, size_t at)
{
    size_t count = 0;
    for (size_t j = 0; j < at; j++)
        count += txn->ops[j].kind == HISTORY_APPEND && txn->ops[j].key == txn->ops[at].key;
    return count;
}

/* The last write or read of the same key before `at`, NULL if none. */
static const history_op *before(const history_txn *txn, size_t at)
{
    for (size_t j = at; j-- > 0;) {
        if (txn->ops[j].key == txn->ops[at].key) return &txn->ops[j];
    }
    return NULL;
}

static bool sees_own_list(const history_txn *txn, size_t at)
{
    const history_op *op = &txn->ops[at];
    size_t own = own_appends(txn, at), next = 0;
    if (op->count < own) return false;
    const uint32_t *tail = op->elems ? op->elems + (op->count - own) : NULL;
    for (size_t j = 0; j < at; j++) {
        const history_op *old = &txn->ops[j];
        if (old->key != op->key) continue;
        if (old->kind == HISTORY_APPEND && tail[next++] != old->value) return false;
        if (old->kind == HISTORY_READ_LIST) {
            size_t others = old->count - own_appends(txn, j);
            if (others != op->count - own ||
                (others && memcmp(old->elems, op->elems, others * sizeof *op->elems) != 0))
                return false;
        }
    }
    return true;
}

static void check_inside(checker *c, uint32_t id)
{
    const history_txn *txn = &c->h->txns[id];
    for (size_t j = 0; j < txn->op_count; j++) {
        const history_op *op = &txn->ops[j];
        const history_op *last = before(txn, j);
        if (op->kind == HISTORY_READ_LIST && !sees_own_list(txn, j))
            find(c, HISTORY_INTERNAL, id, op->key, 0);
        if (op->kind == HISTORY_READ && last && last->value != op->value)
            find(c, HISTORY_INTERNAL, id, op->key, op->value);
    }
}

/* -- what was read from whom: garbage, aborted and intermediate reads -- */

/* `value` is the newest one that `id` saw of the key. */
static void check_source(checker *c, uint32_t id, uint32_t key, uint32_t value, bool is_newest)
{
    const source *from = &c->sources[value];
    if (from->txn == NONE || from->key != key) {
        find(c, HISTORY_GARBAGE, id, key, value);
        return;
    }
    if (from->txn == id) return;
    if (!is_committed(c, from->txn))
        find(c, HISTORY_G1A, id, key, value);
    else if (is_newest && !from->is_last)
        find(c, HISTORY_G1B, id, key, value);
}

static void check_reads(checker *c, uint32_t id)
{
    const history_txn *txn = &c->h->txns[id];
    for (size_t j = 0; j < txn->op_count; j++) {
        const history_op *op = &txn->ops[j];
        if (op->kind == HISTORY_READ && op->value) check_source(c, id, op->key, op->value, true);
        if (op->kind != HISTORY_READ_LIST) continue;
        size_t others = op->count - (own_appends(txn, j) < op->count ? own_appends(txn, j) : op->count);
        for (size_t k = 0; k < op->count; k++) {
            check_source(c, id, op->key, op->elems[k], k + 1 == others);
            for (size_t l = 0; op->count < 256 && l < k; l++) {
                if (op->elems[l] == op->elems[k]) find(c, HISTORY_DUPLICATE, id, op->key, op->elems[k]);
            }
        }
    }
}

/* -- the order of versions of each key -- */

static void order_lists(checker *c)
{
    /* The longest committed read of a list is its order; every other one must be the start of it. */
    for (uint32_t i = 0; i < c->h->count; i++) {
        for (size_t j = 0; is_committed(c, i) && j < c->h->txns[i].op_count; j++) {
            const history_op *op = &c->h->txns[i].ops[j];
            if (op->kind != HISTORY_READ_LIST || op->count <= c->order_counts[op->key]) continue;
            c->order_counts[op->key] = op->count;
            c->orders[op->key] = op->elems;
        }
    }
    for (uint32_t i = 0; i < c->h->count; i++) {
        for (size_t j = 0; is_committed(c, i) && j < c->h->txns[i].op_count; j++) {
            const history_op *op = &c->h->txns[i].ops[j];
            /* What a transaction appended itself may land behind others' appends made meanwhile. */
            size_t own = op->kind == HISTORY_READ_LIST ? own_appends(&c->h->txns[i], j) : 0;
            if (op->kind != HISTORY_READ_LIST || op->count <= own) continue;
            if (memcmp(op->elems, c->orders[op->key], (op->count - own) * sizeof *op->elems) != 0)
                find(c, HISTORY_ORDER, i, op->key, op->elems[op->count - 1]);
        }
    }
}

typedef struct placed {
    uint64_t version;
    uint32_t value;
    uint32_t key;
} placed;

static int by_key_and_version(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->version < y->version ? -1 : x->version > y->version;
}

/* Registers: the last write of each committed transaction, by commit version. Returns what owns the orders. */
static uint32_t *order_registers(checker *c)
{
    placed *all = zeroed(c->value_count, sizeof *all);
    uint32_t *values = zeroed(c->value_count, sizeof *values);
    size_t count = 0;
    for (uint32_t v = 1; v < c->value_count; v++) {
        const source *from = &c->sources[v];
        if (from->txn == NONE || !c->is_register[from->key] || !from->is_last || !is_committed(c, from->txn))
            continue;
        all[count++] = (placed){c->h->txns[from->txn].version, v, from->key};
    }
    if (count) qsort(all, count, sizeof *all, by_key_and_version);
    for (size_t i = 0; i < count; i++) {
        values[i] = all[i].value;
        if (!c->order_counts[all[i].key]) c->orders[all[i].key] = &values[i];
        c->order_counts[all[i].key]++;
    }
    free(all);
    return values;
}

/* -- edges -- */

static void add_edge(checker *c, uint32_t from, uint32_t to, enum edge_kind kind, uint32_t key)
{
    if (from == to || from == NONE || to == NONE || !is_committed(c, from) || !is_committed(c, to)) return;
    edges *e = &c->graph[from];
    if (e->count == e->cap) {
        e->cap = e->cap ? e->cap * 2 : 4;
        e->list = must(realloc(e->list, e->cap * sizeof *e->list));
    }
    e->list[e->count++] = (edge){.to = to, .kind = kind, .key = key};
    c->out->edges++;
}

/* The first value of the key's order, from `at` on, that another transaction than `not_by` wrote. */
static uint32_t writer_from(const checker *c, uint32_t key, size_t at, uint32_t not_by)
{
    for (; at < c->order_counts[key]; at++) {
        uint32_t txn = c->sources[c->orders[key][at]].txn;
        if (txn != not_by) return txn;
    }
    return NONE;
}

static void add_version_edges(checker *c, const uint32_t *positions)
{
    for (uint32_t key = 0; key < c->key_count; key++) {
        for (size_t i = 0; i + 1 < c->order_counts[key]; i++)
            add_edge(c, c->sources[c->orders[key][i]].txn, c->sources[c->orders[key][i + 1]].txn, EDGE_WW,
                     key);
    }
    /* Appends that no read shows come after all that one does. */
    for (uint32_t v = 1; v < c->value_count; v++) {
        const source *from = &c->sources[v];
        if (from->txn == NONE || positions[v] != NONE || c->is_register[from->key]) continue;
        size_t count = c->order_counts[from->key];
        if (count)
            add_edge(c, c->sources[c->orders[from->key][count - 1]].txn, from->txn, EDGE_WW, from->key);
    }
}

static void add_read_edges(checker *c, uint32_t id, const history_op *op, size_t others,
                           const uint32_t *positions, const uint32_t *unread_heads,
                           const uint32_t *unread_next)
{
    uint32_t newest = op->kind == HISTORY_READ ? op->value : others ? op->elems[others - 1] : 0;
    size_t next = 0;
    if (newest) {
        if (c->sources[newest].txn == NONE) return;
        add_edge(c, c->sources[newest].txn, id, EDGE_WR, op->key);
        if (positions[newest] == NONE) return;
        next = positions[newest] + 1u;
    }
    add_edge(c, id, writer_from(c, op->key, next, id), EDGE_RW, op->key);
    if (next < c->order_counts[op->key]) return;
    for (uint32_t v = unread_heads[op->key]; v != NONE; v = unread_next[v])
        add_edge(c, id, c->sources[v].txn, EDGE_RW, op->key);
}

static void add_data_edges(checker *c)
{
    uint32_t *positions = zeroed(c->value_count, sizeof *positions);
    uint32_t *heads = zeroed(c->key_count, sizeof *heads), *nexts = zeroed(c->value_count, sizeof *nexts);
    for (uint32_t v = 0; v < c->value_count; v++) positions[v] = NONE;
    for (uint32_t key = 0; key < c->key_count; key++) {
        heads[key] = NONE;
        for (uint32_t i = 0; i < c->order_counts[key]; i++) positions[c->orders[key][i]] = i;
    }
    for (uint32_t v = 1; v < c->value_count; v++) {
        const source *from = &c->sources[v];
        if (from->txn == NONE || positions[v] != NONE || c->is_register[from->key]) continue;
        nexts[v] = heads[from->key];
        heads[from->key] = v;
    }
    add_version_edges(c, positions);
    for (uint32_t i = 0; i < c->h->count; i++) {
        const history_txn *txn = &c->h->txns[i];
        for (size_t j = 0; j < txn->op_count; j++) {
            const history_op *op = &txn->ops[j];
            const history_op *last = before(txn, j);
            if (is_write(op) || (op->kind == HISTORY_READ && last && is_write(last))) continue;
            size_t own = op->kind == HISTORY_READ_LIST ? own_appends(txn, j) : 0;
            if (own > op->count) continue;
            add_read_edges(c, i, op, op->count - own, positions, heads, nexts);
        }
    }
    free(positions);
    free(heads);
    free(nexts);
}

typedef struct moment {
    uint64_t at;
    uint32_t txn;
    bool is_end;
} moment;

static int by_moment(const void *a, const void *b)
{
    const moment *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Real-time edges, without those that follow from others: only from transactions no later-begun one has ended
 * after. */
static void add_time_edges(checker *c)
{
    size_t count = 0, front = 0;
    moment *moments = zeroed(c->h->count * 2, sizeof *moments);
    uint32_t *frontier = zeroed(c->h->count, sizeof *frontier);
    for (uint32_t i = 0; i < c->h->count; i++) {
        if (!is_committed(c, i)) continue;
        moments[count++] = (moment){c->h->txns[i].begin, i, false};
        moments[count++] = (moment){c->h->txns[i].end, i, true};
    }
    if (count) qsort(moments, count, sizeof *moments, by_moment);
    for (size_t m = 0; m < count; m++) {
        uint32_t id = moments[m].txn;
        if (!moments[m].is_end) {
            for (size_t i = 0; i < front; i++) add_edge(c, frontier[i], id, EDGE_RT, 0);
            continue;
        }
        size_t kept = 0;
        for (size_t i = 0; i < front; i++) {
            if (c->h->txns[frontier[i]].end > c->h->txns[id].begin) frontier[kept++] = frontier[i];
        }
        front = kept;
        frontier[front++] = id;
    }
    free(moments);
    free(frontier);
}

/* -- cycles -- */

/* Strongly connected components by Tarjan, without recursion, over the states of a graph: a state is a transaction,
 * or with `split` a transaction and whether it was entered by rw; from one that was, no rw leads on. */
typedef struct tarjan {
    const checker *c;
    uint32_t kinds; /* bits of edge_kind */
    bool split;
    uint32_t *component; /* result, by state; NONE for states alone */
    uint32_t component_count;
    uint32_t *index, *low, *stack, *path;
    size_t *cursor;
    uint32_t next_index;
    size_t stack_count;
} tarjan;

static uint32_t txn_of(const tarjan *t, uint32_t state)
{
    return t->split ? state / 2 : state;
}

/* The state an edge leads to, NONE when it may not be taken. */
static uint32_t follow(const tarjan *t, uint32_t state, const edge *e)
{
    if (!(t->kinds & (1u << e->kind))) return NONE;
    if (!t->split) return e->to;
    bool is_rw = e->kind == EDGE_RW;
    if (is_rw && state % 2) return NONE;
    return e->to * 2 + is_rw;
}

static void pop_component(tarjan *t, uint32_t root)
{
    size_t size = 0;
    for (size_t i = t->stack_count; t->stack[--i] != root;) size++;
    do {
        uint32_t state = t->stack[--t->stack_count];
        t->component[state] = size ? t->component_count : NONE;
        t->low[state] = NONE; /* off the stack */
        if (state == root) break;
    } while (true);
    if (size) t->component_count++;
}

static void visit(tarjan *t, uint32_t root)
{
    size_t depth = 0;
    t->path[depth++] = root;
    t->index[root] = t->low[root] = ++t->next_index;
    t->stack[t->stack_count++] = root;
    while (depth) {
        uint32_t state = t->path[depth - 1];
        const edges *out = &t->c->graph[txn_of(t, state)];
        if (t->cursor[state] < out->count) {
            uint32_t to = follow(t, state, &out->list[t->cursor[state]++]);
            if (to == NONE) continue;
            if (!t->index[to]) {
                t->index[to] = t->low[to] = ++t->next_index;
                t->stack[t->stack_count++] = to;
                t->path[depth++] = to;
            } else if (t->low[to] != NONE && t->index[to] < t->low[state]) {
                t->low[state] = t->index[to];
            }
            continue;
        }
        uint32_t low = t->low[state];
        if (low == t->index[state]) pop_component(t, state);
        depth--;
        if (depth && low < t->low[t->path[depth - 1]]) t->low[t->path[depth - 1]] = low;
    }
}

/* Components of more than one state; `component` is the caller's, one entry a state. */
static uint32_t components(const checker *c, uint32_t kinds, bool split, uint32_t *component)
{
    size_t states = c->h->count * (split ? 2 : 1);
    tarjan t = {.c = c, .kinds = kinds, .split = split, .component = component};
    t.index = zeroed(states, sizeof *t.index);
    t.low = zeroed(states, sizeof *t.low);
    t.stack = zeroed(states, sizeof *t.stack);
    t.path = zeroed(states, sizeof *t.path);
    t.cursor = zeroed(states, sizeof *t.cursor);
    for (uint32_t s = 0; s < states; s++) component[s] = NONE;
    for (uint32_t s = 0; s < states; s++) {
        if (!t.index[s]) visit(&t, s);
    }
    free(t.index);
    free(t.low);
    free(t.stack);
    free(t.path);
    free(t.cursor);
    return t.component_count;
}

/* The shortest way from `from` to `to` over edges of `kinds`, put into words. False when there is none. */
static bool find_path(const checker *c, uint32_t kinds, uint32_t from, uint32_t to, char *words, size_t size)
{
    static const char *const names[] = {"ww", "wr", "rw", "rt"};
    uint32_t *parent = zeroed(c->h->count, sizeof *parent), *queue = zeroed(c->h->count, sizeof *queue);
    const edge **by = zeroed(c->h->count, sizeof *by);
    size_t head = 0, tail = 0;
    for (uint32_t i = 0; i < c->h->count; i++) parent[i] = NONE;
    queue[tail++] = from;
    parent[from] = from;
    while (head < tail && parent[to] == NONE) {
        uint32_t at = queue[head++];
        for (size_t i = 0; i < c->graph[at].count; i++) {
            const edge *e = &c->graph[at].list[i];
            if (!(kinds & (1u << e->kind)) || parent[e->to] != NONE) continue;
            parent[e->to] = at;
            by[e->to] = e;
            queue[tail++] = e->to;
        }
    }
    bool found = parent[to] != NONE;
    size_t length = 0;
    for (uint32_t at = to; found && at != from; at = parent[at]) queue[length++] = at;
    size_t used = strlen(words);
    while (found && length && used < size) {
        uint32_t at = queue[--length];
        used += (size_t)snprintf(words + used, size - used, " -%s(%u)-> T%u", names[by[at]->kind],
                                 by[at]->key, at);
    }
    free(parent);
    free(queue);
    free(by);
    return found;
}

#define WW_RT (1u << EDGE_WW | 1u << EDGE_RT)
#define WW_WR_RT (WW_RT | 1u << EDGE_WR)
#define ALL_EDGES (WW_WR_RT | 1u << EDGE_RW)

/* Put a cycle through an edge inside a component into words, with only one edge outside `kinds` if need be. */
static void describe(checker *c, uint32_t kinds, const uint32_t *component)
{
    for (uint32_t i = 0; i < c->h->count && !c->out->cycle[0]; i++) {
        for (size_t j = 0; component[i] != NONE && j < c->graph[i].count && !c->out->cycle[0]; j++) {
            const edge *e = &c->graph[i].list[j];
            static const char *const names[] = {"ww", "wr", "rw", "rt"};
            if (!(kinds & (1u << e->kind)) || component[e->to] != component[i]) continue;
            snprintf(c->out->cycle, sizeof c->out->cycle, "T%u -%s(%u)-> T%u", i, names[e->kind], e->key,
                     e->to);
            if (!find_path(c, kinds, e->to, i, c->out->cycle, sizeof c->out->cycle)) c->out->cycle[0] = '\0';
        }
    }
}

/* Is there a rw edge inside a component of the whole graph whose way back needs no other rw? */
static bool has_single(checker *c, const uint32_t *component)
{
    for (uint32_t i = 0; i < c->h->count; i++) {
        for (size_t j = 0; component[i] != NONE && j < c->graph[i].count; j++) {
            const edge *e = &c->graph[i].list[j];
            if (e->kind != EDGE_RW || component[e->to] != component[i]) continue;
            char words[sizeof c->out->cycle];
            snprintf(words, sizeof words, "T%u -rw(%u)-> T%u", i, e->key, e->to);
            if (!find_path(c, WW_WR_RT, e->to, i, words, sizeof words)) continue;
            if (!c->out->cycle[0]) snprintf(c->out->cycle, sizeof c->out->cycle, "%s", words);
            return true;
        }
    }
    return false;
}

static void find_cycles(checker *c)
{
    uint32_t *component = zeroed(c->h->count * 2, sizeof *component);
    bool explained = false;
    if (components(c, WW_RT, false, component)) {
        find(c, HISTORY_G0, 0, 0, 0);
        describe(c, WW_RT, component);
        explained = true;
    } else if (components(c, WW_WR_RT, false, component)) {
        find(c, HISTORY_G1C, 0, 0, 0);
        describe(c, WW_WR_RT, component);
        explained = true;
    }
    uint32_t cycles = components(c, ALL_EDGES, false, component);
    for (uint32_t i = 0; cycles && i < c->h->count; i++) c->out->cyclic += component[i] != NONE;
    if (cycles && has_single(c, component)) {
        find(c, HISTORY_G_SINGLE, 0, 0, 0);
        explained = true;
    }
    if (cycles && !explained) {
        uint32_t *split = zeroed(c->h->count * 2, sizeof *split);
        bool nonadjacent = components(c, ALL_EDGES, true, split) > 0;
        find(c, nonadjacent ? HISTORY_G_NONADJACENT : HISTORY_G2, 0, 0, 0);
        describe(c, ALL_EDGES, component);
        free(split);
    }
    free(component);
}

/* -- lost updates: two committed transactions that read one version of a key and wrote the next -- */

typedef struct update {
    uint32_t key;
    uint32_t read; /* the newest value read, 0 = nothing */
    uint32_t txn;
} update;

static int by_key_and_read(const void *a, const void *b)
{
    const update *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    if (x->read != y->read) return x->read < y->read ? -1 : 1;
    return x->txn < y->txn ? -1 : x->txn > y->txn;
}

static bool writes_later(const history_txn *txn, size_t at)
{
    for (size_t j = at + 1; j < txn->op_count; j++) {
        if (is_write(&txn->ops[j]) && txn->ops[j].key == txn->ops[at].key) return true;
    }
    return false;
}

static void find_lost_updates(checker *c)
{
    size_t count = 0, total = 0;
    for (size_t i = 0; i < c->h->count; i++) total += c->h->txns[i].op_count;
    update *updates = zeroed(total, sizeof *updates);
    for (uint32_t i = 0; i < c->h->count; i++) {
        const history_txn *txn = &c->h->txns[i];
        for (size_t j = 0; is_committed(c, i) && j < txn->op_count; j++) {
            const history_op *op = &txn->ops[j];
            if (is_write(op) || before(txn, j) || !writes_later(txn, j)) continue;
            uint32_t read = op->kind == HISTORY_READ ? op->value : op->count ? op->elems[op->count - 1] : 0;
            updates[count++] = (update){op->key, read, i};
        }
    }
    if (count) qsort(updates, count, sizeof *updates, by_key_and_read);
    for (size_t i = 1; i < count; i++) {
        if (updates[i].key == updates[i - 1].key && updates[i].read == updates[i - 1].read)
            find(c, HISTORY_LOST_UPDATE, updates[i].txn, updates[i].key, updates[i].read);
    }
    free(updates);
}

void history_check(const history *h, history_findings *out)
{
    memset(out, 0, sizeof *out);
    checker c = {.h = h, .out = out};
    count_all(&c);
    c.sources = zeroed(c.value_count, sizeof *c.sources);
    c.orders = zeroed(c.key_count, sizeof *c.orders);
    c.order_counts = zeroed(c.key_count, sizeof *c.order_counts);
    c.is_register = zeroed(c.key_count, sizeof *c.is_register);
    c.graph = zeroed(h->count, sizeof *c.graph);
    note_sources(&c);
    for (uint32_t i = 0; i < h->count; i++) {
        if (!is_committed(&c, i)) continue;
        check_inside(&c, i);
        check_reads(&c, i);
    }
    order_lists(&c);
    uint32_t *values = order_registers(&c);
    find_lost_updates(&c);
    add_data_edges(&c);
    add_time_edges(&c);
    find_cycles(&c);
    for (size_t i = 0; i < h->count; i++) free(c.graph[i].list);
    free(c.graph);
    free(c.sources);
    free(c.orders);
    free(c.order_counts);
    free(c.is_register);
    free(values);
}
