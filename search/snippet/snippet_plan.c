#include "search/snippet/snippet_plan.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/yr_assert.h"

/* -- the plan -- */

/* The first of words[from, to) that is not below `word`. */
static uint16_t lower_bound(const yr_snippet_plan *plan, uint16_t from, uint16_t to, yore_slice word)
{
    while (from < to) {
        uint16_t middle = (uint16_t)((from + to) / 2);
        if (yr_slice_compare(plan->words[middle], word) < 0) {
            from = (uint16_t)(middle + 1);
        } else {
            to = middle;
        }
    }
    return from;
}

static uint16_t find_term(const yr_snippet_plan *plan, yore_slice term)
{
    uint16_t at = lower_bound(plan, 0, plan->term_count, term);
    return at < plan->term_count && yr_slice_equal(plan->words[at], term) ? at : YR_NO_WORD;
}

static bool begins_with(yore_slice word, yore_slice prefix)
{
    return word.size >= prefix.size && memcmp(word.data, prefix.data, prefix.size) == 0;
}

/* The prefix that `folded` begins with. No prefix begins with another, so it is the last one not above `folded`. */
static uint16_t find_prefix(const yr_snippet_plan *plan, yore_slice folded)
{
    uint16_t at = lower_bound(plan, plan->term_count, plan->word_count, folded);
    if (at < plan->word_count && yr_slice_equal(plan->words[at], folded)) return at;
    if (at == plan->term_count) return YR_NO_WORD;
    return begins_with(folded, plan->words[at - 1]) ? (uint16_t)(at - 1) : YR_NO_WORD;
}

static void insert_word(yr_snippet_plan *plan, uint16_t at, yore_slice word)
{
    YR_ASSERT(plan->word_count < YR_QUERY_TERMS_MAX);
    memmove(&plan->words[at + 1], &plan->words[at], (size_t)(plan->word_count - at) * sizeof *plan->words);
    memmove(&plan->alone[at + 1], &plan->alone[at], (size_t)(plan->word_count - at) * sizeof *plan->alone);
    plan->words[at] = word;
    plan->alone[at] = false;
    plan->word_count++;
}

static void add_term(yr_snippet_plan *plan, yore_slice term, bool alone)
{
    uint16_t at = find_term(plan, term);
    if (at == YR_NO_WORD) {
        at = lower_bound(plan, 0, plan->term_count, term);
        insert_word(plan, at, term);
        plan->term_count++;
    }
    plan->alone[at] |= alone;
}

static void add_prefix(yr_snippet_plan *plan, yore_slice prefix)
{
    if (find_prefix(plan, prefix) != YR_NO_WORD) return;
    uint16_t at = lower_bound(plan, plan->term_count, plan->word_count, prefix);
    uint16_t covered = at;
    while (covered < plan->word_count && begins_with(plan->words[covered], prefix)) covered++;
    if (covered > at) {
        plan->words[at] = prefix;
        memmove(&plan->words[at + 1], &plan->words[covered],
                (size_t)(plan->word_count - covered) * sizeof *plan->words);
        plan->word_count = (uint16_t)(plan->word_count - (covered - at - 1));
    } else {
        insert_word(plan, at, prefix);
    }
}

/* Gather the words of a tree. Recursion as deep as the tree: YR_QUERY_NODE_DEPTH_MAX. */
static void gather_words(yr_snippet_plan *plan, const yr_query_node *node, bool in_phrase)
{
    if (node->occur == YR_MUST_NOT) return;
    if (node->kind == YR_QUERY_TERM) {
        add_term(plan, node->term, !in_phrase);
    } else if (node->kind == YR_QUERY_PREFIX) {
        add_prefix(plan, node->term);
    }
    for (uint32_t i = 0; i < node->child_count; i++)
        gather_words(plan, &node->children[i], node->kind == YR_QUERY_PHRASE);
}

/* The phrases, once every term has its number. */
static bool gather_phrases(yr_snippet_plan *plan, const yr_query_node *node, yr_arena *arena)
{
    if (node->occur == YR_MUST_NOT) return true;
    if (node->kind != YR_QUERY_PHRASE) {
        for (uint32_t i = 0; i < node->child_count; i++) {
            if (!gather_phrases(plan, &node->children[i], arena)) return false;
        }
        return true;
    }
    uint16_t *words = yr_arena_alloc(arena, node->child_count * sizeof *words);
    if (!words) return false;
    for (uint32_t i = 0; i < node->child_count; i++) words[i] = find_term(plan, node->children[i].term);
    YR_ASSERT(plan->phrase_count < YR_QUERY_TERMS_MAX / 2);
    plan->phrases[plan->phrase_count++] = (yr_plan_phrase){node, words[node->child_count - 1], words};
    uint32_t reach = node->children[node->child_count - 1].offset + 1;
    if (reach > plan->reach) plan->reach = reach;
    return true;
}

yore_status yr_snippet_plan_create(const yr_query_node *root, yr_arena *arena, yr_snippet_plan **out,
                                   yore_error *err)
{
    yr_snippet_plan *plan = yr_arena_alloc(arena, sizeof *plan);

    if (!plan) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a snippet");
    plan->term_count = plan->word_count = 0;
    plan->phrase_count = 0;
    plan->reach = 1;
    gather_words(plan, root, false);
    if (!gather_phrases(plan, root, arena))
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a snippet");
    *out = plan;
    return YORE_OK;
}

/* -- the walk -- */

/* A word of the value that matches; kept until no phrase can reach back to it. */
typedef struct ring_place {
    yr_mark mark;
    uint32_t position;
    bool is_marked;
} ring_place;

typedef struct walk {
    const yr_snippet_plan *plan;
    const yr_mark_sink *sink;
    ring_place *ring;    /* by position modulo plan->reach */
    uint32_t unfinished; /* the first position not yet given to the sink; the ring holds none before it */
    bool is_enough;      /* the sink wants no more */
    uint64_t end;        /* words that end here may be cut off: the value goes on behind it */
} walk;

static ring_place *place_of(const walk *w, uint32_t position)
{
    ring_place *place = &w->ring[position % w->plan->reach];
    return place->position == position && place->mark.span.to > 0 ? place : NULL;
}

/* Give the sink the marks before `position`. */
static yore_status finish_before(walk *w, uint32_t position, yore_error *err)
{
    yore_status status = YORE_OK;

    for (uint32_t i = 0; w->unfinished < position && status == YORE_OK; i++, w->unfinished++) {
        if (i == w->plan->reach) { /* once around: nothing older is kept */
            w->unfinished = position;
            break;
        }
        const ring_place *place = place_of(w, w->unfinished);
        if (place && place->is_marked) status = w->sink->take(w->sink->context, &place->mark, err);
    }
    w->is_enough = status == YORE_END;
    return status;
}

/* Mark the words of each phrase that ends at `position`. */
static void mark_phrases(walk *w, uint32_t position, uint16_t term)
{
    for (uint32_t i = 0; i < w->plan->phrase_count; i++) {
        const yr_plan_phrase *phrase = &w->plan->phrases[i];
        uint32_t count = phrase->node->child_count;
        uint32_t last = phrase->node->children[count - 1].offset;
        if (phrase->last != term || position < last) continue;
        uint32_t first = position - last, j = 0;
        for (; j < count; j++) {
            const ring_place *place = place_of(w, first + phrase->node->children[j].offset);
            if (!place || place->mark.term != phrase->words[j]) break;
        }
        if (j < count) continue;
        for (j = 0; j < count; j++) place_of(w, first + phrase->node->children[j].offset)->is_marked = true;
    }
}

static yore_status walk_word(void *context, const yr_token *token, yore_error *err)
{
    walk *w = context;

    if (token->to >= w->end || !w->sink->goes_on(w->sink->context, token->from)) return YORE_END;
    uint16_t term = find_term(w->plan, token->term);
    uint16_t prefix = find_prefix(w->plan, token->folded);
    if (term == YR_NO_WORD && prefix == YR_NO_WORD) return YORE_OK;

    if (token->position >= w->plan->reach) {
        yore_status status = finish_before(w, token->position - w->plan->reach + 1, err);
        if (status != YORE_OK) return status;
    }
    w->ring[token->position % w->plan->reach] =
        (ring_place){.mark = {{token->from, token->to}, term, prefix},
                     .position = token->position,
                     .is_marked = prefix != YR_NO_WORD || w->plan->alone[term]};
    if (term != YR_NO_WORD) mark_phrases(w, token->position, term);
    return YORE_OK;
}

yore_status yr_snippet_mark(const yr_snippet_plan *plan, yr_analyzer *analyzer, yore_slice value,
                            yr_arena *arena, const yr_mark_sink *sink, yore_error *err)
{
    walk w = {.plan = plan, .sink = sink, .end = UINT64_MAX};
    size_t ring_bytes = plan->reach * sizeof *w.ring;

    w.ring = yr_arena_alloc(arena, ring_bytes);
    if (!w.ring) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a snippet");
    memset(w.ring, 0, ring_bytes);
    if (value.size > YR_SNIPPET_SCAN_BYTES) {
        value.size = YR_SNIPPET_SCAN_BYTES;
        while (value.size > 0 && (((const uint8_t *)value.data)[value.size] & 0xC0) == 0x80) value.size--;
        w.end = value.size;
    }
    yore_status status = yr_analyze(analyzer, value, walk_word, &w, err);
    if (status >= 0 && !w.is_enough) status = finish_before(&w, UINT32_MAX, err);
    return status > 0 ? YORE_OK : status;
}
