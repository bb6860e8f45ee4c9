/* From the query to slots with statistics: which terms there are, how many documents of the snapshot hold each. */
#include <math.h>

#include "engine/base/error.h"
#include "search/score/score_private.h"

static yore_status no_memory(const score_run *run)
{
    return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for a search");
}

static bool add_slot(score_run *run, const score_slot *slot, uint32_t *out)
{
    if (run->slot_count == run->slot_capacity) {
        uint32_t wanted = run->slot_capacity ? run->slot_capacity * 2 : 16;
        score_slot *grown = yr_arena_alloc(run->scratch, wanted * sizeof *grown);
        if (!grown) return false;
        if (run->slot_count) memcpy(grown, run->slots, run->slot_count * sizeof *grown);
        run->slots = grown;
        run->slot_capacity = wanted;
    }
    *out = run->slot_count;
    run->slots[run->slot_count++] = *slot;
    return true;
}

static yore_status plan_term(score_run *run, yore_slice term, uint32_t *out)
{
    for (uint32_t i = 0; i < run->slot_count; i++) {
        const score_slot *slot = &run->slots[i];
        if (slot->is_word || slot->text.size != term.size ||
            memcmp(slot->text.data, term.data, term.size) != 0)
            continue;
        *out = i;
        return YORE_OK;
    }
    score_slot slot = {.id = yr_dictionary_term(&run->request->view.index->dictionary, term), .text = term};
    const yr_search_view *view = &run->request->view;
    int64_t df = 0;
    for (uint32_t i = 0; i < view->hop_count && slot.id != YR_NO_ID; i++) {
        df += yr_layer_term_df(view->hops[i].layer, &view->index->dictionary, slot.id, view->hops[i].cap,
                               view->time_ns);
    }
    slot.df = (uint64_t)df;
    return add_slot(run, &slot, out) ? YORE_OK : no_memory(run);
}

/* -- prefixes -- */

/* The words it covers are slots one behind the other, in the order of their bytes. */
typedef struct plan_prefix {
    yore_slice text;
    uint32_t slot;
    uint32_t slot_count;
} plan_prefix;

typedef struct plan {
    score_run *run;
    plan_prefix *prefixes; /* the shorter before the longer */
    uint32_t prefix_count;
} plan;

typedef struct expansion {
    score_run *run;
    yore_slice prefix;
    yore_status status;
} expansion;

/* Take a word that starts with the prefix if a document of the snapshot holds it. */
static bool expand_word(void *context, uint32_t word)
{
    expansion *e = context;
    const yr_search_view *view = &e->run->request->view;
    int64_t df = 0;
    for (uint32_t i = 0; i < view->hop_count; i++) {
        const yr_search_hop *hop = &view->hops[i];
        const yr_word_list *list = yr_layer_list(hop->layer, word);
        if (list) df += yr_layer_word_df(hop->layer, list, hop->cap, view->time_ns);
    }
    if (df <= 0) return true;
    if (e->run->expansions == YR_EXPANSIONS_MAX) {
        int size = e->prefix.size > 64 ? 64 : (int)e->prefix.size;
        e->status = yr_fail(e->run->err, YORE_ERR_LIMIT,
                            "the prefixes of the query cover more than %u words (at '%.*s*')",
                            YR_EXPANSIONS_MAX, size, (const char *)e->prefix.data);
        yr_hint(e->run->err, "write more of the word");
        return false;
    }
    score_slot slot = {.id = word,
                       .is_word = true,
                       .text = yr_word_text(&view->index->dictionary, word),
                       .df = (uint64_t)df};
    uint32_t at;
    if (!add_slot(e->run, &slot, &at)) {
        e->status = no_memory(e->run);
        return false;
    }
    e->run->expansions++;
    return true;
}

/* Slots [from, end) in the order of their words: heap sort, in place and without a worst case. */
static void sort_slots(score_slot *slots, uint32_t count)
{
    for (uint32_t end = count, start = count / 2; end > 1;) {
        uint32_t at;
        if (start) {
            at = --start;
        } else {
            score_slot top = slots[0];
            slots[0] = slots[--end];
            slots[end] = top;
            at = 0;
        }
        for (uint32_t child = 2 * at + 1; child < end; child = 2 * at + 1) {
            if (child + 1 < end && yr_slice_order(slots[child].text, slots[child + 1].text) < 0) child++;
            if (yr_slice_order(slots[at].text, slots[child].text) >= 0) break;
            score_slot moved = slots[at];
            slots[at] = slots[child];
            slots[child] = moved;
            at = child;
        }
    }
}

static bool starts_with(yore_slice text, yore_slice prefix)
{
    return text.size >= prefix.size && memcmp(text.data, prefix.data, prefix.size) == 0;
}

/* The words of `outer` that start with a longer prefix: they lie together. */
static void narrow(const score_run *run, const plan_prefix *outer, plan_prefix *inner)
{
    uint32_t low = outer->slot, end = outer->slot + outer->slot_count;
    for (uint32_t high = end; low < high;) {
        uint32_t mid = low + (high - low) / 2;
        if (yr_slice_order(run->slots[mid].text, inner->text) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    inner->slot = low;
    while (low < end && starts_with(run->slots[low].text, inner->text)) low++;
    inner->slot_count = low - inner->slot;
}

/* The dictionary may hold many words that the snapshot has not, and each costs a look. So no word is looked at twice,
 * however many prefixes cover it. */
static yore_status expand_prefix(const plan *p, uint32_t index)
{
    score_run *run = p->run;
    plan_prefix *prefix = &p->prefixes[index];
    for (uint32_t i = 0; i < index; i++) {
        if (!p->prefixes[i].text.size || !starts_with(prefix->text, p->prefixes[i].text)) continue;
        narrow(run, &p->prefixes[i], prefix);
        return YORE_OK;
    }
    expansion e = {.run = run, .prefix = prefix->text};
    prefix->slot = run->slot_count;
    if (prefix->text.size)
        yr_dictionary_prefix(&run->request->view.index->dictionary, prefix->text, expand_word, &e);
    if (e.status < 0) return e.status;
    prefix->slot_count = run->slot_count - prefix->slot;
    if (prefix->slot_count) sort_slots(run->slots + prefix->slot, prefix->slot_count);
    return YORE_OK;
}

static uint32_t count_prefixes(const yr_query_node *node)
{
    uint32_t count = node->kind == YR_QUERY_PREFIX;
    for (uint32_t i = 0; i < node->child_count; i++) count += count_prefixes(&node->children[i]);
    return count;
}

/* Shorter ones first, so that each comes after those that cover its words. */
static void collect_prefixes(plan *p, const yr_query_node *node)
{
    for (uint32_t i = 0; i < node->child_count; i++) collect_prefixes(p, &node->children[i]);
    if (node->kind != YR_QUERY_PREFIX) return;
    uint32_t at = p->prefix_count++;
    for (; at && p->prefixes[at - 1].text.size > node->term.size; at--) p->prefixes[at] = p->prefixes[at - 1];
    p->prefixes[at] = (plan_prefix){.text = node->term};
}

static yore_status plan_prefixes(plan *p)
{
    const score_run *run = p->run;
    uint32_t count = count_prefixes(run->request->root);
    p->prefixes = yr_arena_alloc(run->scratch, count * sizeof *p->prefixes);
    if (!p->prefixes) return no_memory(run);
    collect_prefixes(p, run->request->root);
    yore_status status = YORE_OK;
    for (uint32_t i = 0; i < p->prefix_count && status == YORE_OK; i++) status = expand_prefix(p, i);
    return status;
}

static void use_prefix(const plan *p, yore_slice text, score_node *to)
{
    const plan_prefix *prefix = p->prefixes;
    while (yr_slice_order(prefix->text, text) != 0) prefix++;
    to->slot = prefix->slot;
    to->slot_count = prefix->slot_count;
}

/* -- nodes -- */

/* Recursion is bounded by YR_QUERY_NODE_DEPTH_MAX. */
static yore_status plan_node(const plan *p, const yr_query_node *from, score_node *to)
{
    score_run *run = p->run;
    *to = (score_node){.kind = from->kind, .occur = from->occur, .offset = from->offset};
    if (from->kind == YR_QUERY_TERM) return plan_term(run, from->term, &to->slot);
    if (from->kind == YR_QUERY_PREFIX) {
        use_prefix(p, from->term, to);
        return YORE_OK;
    }
    to->children = yr_arena_alloc(run->scratch, from->child_count * sizeof *to->children);
    if (!to->children) return no_memory(run);
    for (uint32_t i = 0; i < from->child_count; i++) {
        yore_status status = plan_node(p, &from->children[i], &to->children[i]);
        if (status < 0) return status;
        to->child_count++;
    }
    return YORE_OK;
}

yore_status yr_score_plan(score_run *run, uint64_t documents)
{
    run->root = yr_arena_alloc(run->scratch, sizeof *run->root);
    if (!run->root) return no_memory(run);
    plan p = {.run = run};
    yore_status status = plan_prefixes(&p);
    if (status == YORE_OK) status = plan_node(&p, run->request->root, run->root);
    if (status < 0) return status;
    for (uint32_t i = 0; i < run->slot_count; i++) {
        double df = (double)run->slots[i].df;
        run->slots[i].idf = log(1.0 + ((double)documents - df + 0.5) / (df + 0.5));
    }
    size_t bytes = (run->slot_count + 1u) * sizeof *run->tf;
    run->tf = yr_arena_alloc(run->scratch, bytes);
    if (!run->tf) return no_memory(run);
    memset(run->tf, 0, bytes);
    return yr_score_phrases_init(run);
}
