#include "search/query/query_words.h"

#include "engine/base/error.h"

yore_status yr_query_nodes_push(yr_arena *arena, yr_query_nodes *nodes, const yr_query_node *node,
                                yore_error *err)
{
    if (nodes->count == nodes->capacity) {
        uint32_t capacity = nodes->capacity ? 2 * nodes->capacity : 4;
        yr_query_node *at = yr_arena_alloc(arena, capacity * sizeof *at);
        if (!at) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a query");
        for (uint32_t i = 0; i < nodes->count; i++) at[i] = nodes->at[i];
        nodes->at = at;
        nodes->capacity = capacity;
    }
    nodes->at[nodes->count++] = *node;
    return YORE_OK;
}

/* -- terms -- */

typedef struct gathering {
    yr_query_words *words;
    yr_query_nodes *out;
    uint32_t from; /* of the analysed part, in the query */
    uint32_t first_position;
} gathering;

static yore_status push_node(yr_query_words *words, yr_query_nodes *out, yr_query_node *node, yore_slice term,
                             yore_error *err)
{
    if (words->terms == YR_QUERY_TERMS_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "a query has at most %u terms; this one has more",
                       YR_QUERY_TERMS_MAX);
    words->terms++;
    const void *copy = yr_arena_copy(words->arena, term.data, term.size);
    if (!copy) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a query");
    node->term = yore_bytes(copy, term.size);
    return yr_query_nodes_push(words->arena, out, node, err);
}

static yore_status gather(void *context, const yr_token *token, yore_error *err)
{
    gathering *g = context;

    if (g->out->count == 0) g->first_position = token->position;
    yr_query_node node = {.kind = YR_QUERY_TERM,
                          .offset = token->position - g->first_position,
                          .from = g->from + (uint32_t)token->from,
                          .to = g->from + (uint32_t)token->to};
    return push_node(g->words, g->out, &node, token->term, err);
}

/* The terms of bytes [from, to) of the query; `offset` is their place among each other. */
static yore_status gather_terms(yr_query_words *words, uint32_t from, uint32_t to, yr_query_nodes *out,
                                yore_error *err)
{
    gathering g = {.words = words, .out = out, .from = from};

    if (from == to) return YORE_OK;
    return yr_analyze(words->analyzer, yore_bytes((const char *)words->text.data + from, to - from), gather,
                      &g, err);
}

/* -- prefixes -- */

typedef struct last_word {
    yr_arena *arena;
    yore_slice folded;
    uint64_t from, to;
} last_word;

static yore_status keep_last(void *context, const yr_token *token, yore_error *err)
{
    last_word *last = context;

    last->from = token->from;
    last->to = token->to;
    last->folded.size = token->folded.size;
    last->folded.data = yr_arena_copy(last->arena, token->folded.data, token->folded.size);
    return last->folded.data ? YORE_OK : yr_fail(err, YORE_ERR_NOMEM, "out of memory for a query");
}

/* The last word of a text, folded. Words only: "the*" is the beginning of "theory", though "the" is a stop word. */
static yore_status fold_last(const yr_query_words *words, yore_slice text, last_word *last, yore_error *err)
{
    yr_analyzer *folder = NULL;
    yore_status status = yr_analyzer_open(words->arena->env, yore_str("none"), &folder, err);

    if (status == YORE_OK) status = yr_analyze(folder, text, keep_last, last, err);
    yr_analyzer_close(folder);
    return status;
}

static yore_status prefix_terms(yr_query_words *words, const yr_query_token *token, yr_query_nodes *out,
                                yore_error *err)
{
    uint32_t star = token->to - 1;
    last_word last = {.arena = words->arena};

    yore_status status = fold_last(
        words, yore_bytes((const char *)words->text.data + token->from, star - token->from), &last, err);
    if (status < 0) return status;
    if (!last.folded.data || token->from + last.to != star) { /* "a-*": no word ends at the star */
        yr_query_complain(&words->complaint, star, "'*' without a word right before it");
        return gather_terms(words, token->from, star, out, err);
    }
    uint32_t from = token->from + (uint32_t)last.from;
    status = gather_terms(words, token->from, from, out, err);
    if (status < 0) return status;
    yr_query_node node = {.kind = YR_QUERY_PREFIX, .from = from, .to = token->to};
    return push_node(words, out, &node, last.folded, err);
}

/* -- what tokens become -- */

static void clear_offsets(yr_query_nodes *nodes)
{
    for (uint32_t i = 0; i < nodes->count; i++) nodes->at[i].offset = 0;
}

yore_status yr_query_words_terms(yr_query_words *words, const yr_query_token *token, yr_query_nodes *out,
                                 yore_error *err)
{
    yore_status status = token->is_prefix ? prefix_terms(words, token, out, err)
                                          : gather_terms(words, token->from, token->to, out, err);
    clear_offsets(out);
    return status;
}

/* One node above several, with the bytes they came from. */
static yore_status wrap(const yr_query_words *words, enum yr_query_node_kind kind,
                        const yr_query_nodes *inner, const yr_query_token *token, yr_query_nodes *out,
                        yore_error *err)
{
    yr_query_node node = {.kind = (uint8_t)kind,
                          .children = inner->at,
                          .child_count = inner->count,
                          .from = token->from,
                          .to = token->to};

    if (inner->count == 0) return YORE_OK;
    if (inner->count == 1) {
        node = inner->at[0];
        node.offset = 0;
    }
    return yr_query_nodes_push(words->arena, out, &node, err);
}

yore_status yr_query_words_phrase(yr_query_words *words, const yr_query_token *token, yr_query_nodes *out,
                                  yore_error *err)
{
    yr_query_nodes terms = {0};
    yore_status status = gather_terms(words, token->from + 1, token->to - 1, &terms, err);

    return status < 0 ? status : wrap(words, YR_QUERY_PHRASE, &terms, token, out, err);
}

yore_status yr_query_words_excluded(yr_query_words *words, const yr_query_token *token, yr_query_nodes *out,
                                    yore_error *err)
{
    yr_query_nodes terms = {0};
    yore_status status;

    if (!token->is_prefix) {
        status = gather_terms(words, token->from, token->to, &terms, err);
        return status < 0 ? status : wrap(words, YR_QUERY_PHRASE, &terms, token, out, err);
    }
    status = prefix_terms(words, token, &terms, err);
    if (status < 0) return status;
    clear_offsets(&terms);
    /* A phrase has no prefixes: where several words are to go, all of them must be there. */
    for (uint32_t i = 0; i < terms.count; i++) terms.at[i].occur = YR_MUST;
    return wrap(words, YR_QUERY_GROUP, &terms, token, out, err);
}
