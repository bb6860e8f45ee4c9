/* Tokens to the tree. No recursion: a frame for each open bracket. It gathers operands (a written word, a phrase, a
 * group); the clauses they become are known when the bracket closes, because only then is it known what OR joins. */
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/yr_assert.h"
#include "search/query/query_lex.h"
#include "search/query/query_words.h"

typedef struct operand {
    struct operand *next;
    yr_query_nodes nodes; /* several for a word of several terms */
    uint8_t mark;         /* YR_SHOULD where nothing was written */
    bool after_or;
} operand;

typedef struct frame {
    operand *first, *last;
    uint8_t mark; /* of the group itself, in the frame around it */
    bool after_or;
    uint32_t from;
} frame;

typedef struct parser {
    yr_query_words words;
    const yr_query_options *options;
    frame frames[YR_QUERY_DEPTH_MAX + 1];
    uint32_t depth;
    uint8_t mark; /* of the operand to come */
    bool after_or;
} parser;

static yore_status add_operand(parser *p, const yr_query_nodes *nodes, yore_error *err)
{
    frame *at = &p->frames[p->depth];
    operand *add = yr_arena_alloc(p->words.arena, sizeof *add);

    if (!add) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a query");
    *add = (operand){.nodes = *nodes, .mark = p->mark, .after_or = p->after_or};
    if (at->last) {
        at->last->next = add;
    } else {
        at->first = add;
    }
    at->last = add;
    p->mark = YR_SHOULD;
    p->after_or = false;
    return YORE_OK;
}

/* -- operands to clauses -- */

static yore_status push_as(parser *p, yr_query_nodes *to, const yr_query_nodes *from,
                           enum yr_query_occur occur, yore_error *err)
{
    for (uint32_t i = 0; i < from->count; i++) {
        yr_query_node node = from->at[i];
        node.occur = (uint8_t)occur;
        yore_status status = yr_query_nodes_push(p->words.arena, to, &node, err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

static yr_query_node group_of(const yr_query_nodes *children, enum yr_query_occur occur)
{
    const yr_query_node *last = &children->at[children->count - 1];
    return (yr_query_node){.kind = YR_QUERY_GROUP,
                           .occur = (uint8_t)occur,
                           .children = children->at,
                           .child_count = children->count,
                           .from = children->at[0].from,
                           .to = last->to};
}

/* An operand of an OR that has to choose: a word of several terms stands for all of them. */
static yore_status push_alternative(parser *p, yr_query_nodes *to, const operand *one, yore_error *err)
{
    if (one->mark != YR_SHOULD || one->nodes.count == 1)
        return push_as(p, to, &one->nodes, (enum yr_query_occur)one->mark, err);
    yr_query_nodes terms = {0};
    yore_status status = push_as(p, &terms, &one->nodes, YR_MUST, err);
    if (status < 0) return status;
    yr_query_node group = group_of(&terms, YR_SHOULD);
    return yr_query_nodes_push(p->words.arena, to, &group, err);
}

/* One operand, or several with OR between them, from `first` to before `end`. */
static yore_status push_run(parser *p, yr_query_nodes *to, const operand *first, const operand *end,
                            yore_error *err)
{
    const operand *only = NULL;
    uint32_t filled = 0;
    yore_status status = YORE_OK;

    for (const operand *one = first; one != end; one = one->next) {
        if (one->nodes.count == 0) continue;
        filled++;
        only = one;
    }
    if (filled == 0) return YORE_OK;
    if (filled > 1 && p->options->all) {
        yr_query_nodes either = {0};
        for (const operand *one = first; one != end && status == YORE_OK; one = one->next) {
            if (one->nodes.count > 0) status = push_alternative(p, &either, one, err);
        }
        if (status < 0) return status;
        yr_query_node group = group_of(&either, YR_MUST);
        return yr_query_nodes_push(p->words.arena, to, &group, err);
    }
    YR_ASSERT(only);
    for (const operand *one = first; one != end && status == YORE_OK; one = one->next) {
        bool is_marked = one->mark != YR_SHOULD;
        status = push_as(p, to, &one->nodes,
                         is_marked         ? (enum yr_query_occur)one->mark
                         : p->options->all ? YR_MUST
                                           : YR_SHOULD,
                         err);
    }
    return status;
}

static yore_status clauses_of(parser *p, const frame *at, yr_query_nodes *out, yore_error *err)
{
    yore_status status = YORE_OK;

    for (const operand *first = at->first, *end; first && status == YORE_OK; first = end) {
        for (end = first->next; end && end->after_or;) end = end->next;
        status = push_run(p, out, first, end, err);
    }
    return status;
}

/* -- tokens to operands -- */

static yore_status close_group(parser *p, const yr_query_token *token, yore_error *err)
{
    frame *at = &p->frames[p->depth];
    yr_query_nodes children = {0}, group = {0};

    yore_status status = clauses_of(p, at, &children, err);
    if (status == YORE_OK && children.count > 0) {
        yr_query_node node = group_of(&children, YR_SHOULD);
        node.from = at->from;
        node.to = token->to;
        status = yr_query_nodes_push(p->words.arena, &group, &node, err);
    }
    if (status < 0) return status;
    p->mark = at->mark;
    p->after_or = at->after_or;
    p->depth--;
    return add_operand(p, &group, err);
}

static void open_group(parser *p, const yr_query_token *token)
{
    YR_ASSERT(p->depth < YR_QUERY_DEPTH_MAX);
    p->frames[++p->depth] = (frame){.mark = p->mark, .after_or = p->after_or, .from = token->from};
    p->mark = YR_SHOULD;
    p->after_or = false;
}

static yore_status take(parser *p, const yr_query_token *token, yore_error *err)
{
    yr_query_nodes nodes = {0};
    yore_status status;

    switch (token->kind) {
    case YR_TOKEN_MUST: p->mark = YR_MUST; return YORE_OK;
    case YR_TOKEN_NOT: p->mark = YR_MUST_NOT; return YORE_OK;
    case YR_TOKEN_OR: p->after_or = true; return YORE_OK;
    case YR_TOKEN_OPEN: open_group(p, token); return YORE_OK;
    case YR_TOKEN_CLOSE: return close_group(p, token, err);
    case YR_TOKEN_PHRASE: status = yr_query_words_phrase(&p->words, token, &nodes, err); break;
    default:
        status = p->mark == YR_MUST_NOT ? yr_query_words_excluded(&p->words, token, &nodes, err)
                                        : yr_query_words_terms(&p->words, token, &nodes, err);
        break;
    }
    return status < 0 ? status : add_operand(p, &nodes, err);
}

static yore_status check_text(yore_slice text, yore_error *err)
{
    if (text.size <= YR_QUERY_BYTES_MAX) return YORE_OK;
    (void)yr_fail(err, YORE_ERR_LIMIT, "a query has at most 4,096 bytes; this one has %zu", text.size);
    return YORE_ERR_LIMIT;
}

yore_status yr_query_parse(yore_slice text, const yr_query_options *options, yr_analyzer *analyzer,
                           yr_arena *arena, yr_query_node **out, yore_error *err)
{
    parser p = {.words = {.text = text, .analyzer = analyzer, .arena = arena}, .options = options};
    yore_status status = check_text(text, err);
    if (status < 0) return status;

    yr_query_token *tokens = yr_arena_alloc(arena, (text.size + 1) * sizeof *tokens);
    yr_query_node *root = yr_arena_alloc(arena, sizeof *root);
    if (!tokens || !root) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a query");

    size_t count = 1;
    if (options->plain) {
        tokens[0] = (yr_query_token){YR_TOKEN_WORD, false, 0, (uint32_t)text.size};
    } else {
        count = yr_query_lex(text, tokens, &p.words.complaint);
    }
    for (size_t i = 0; i < count && status == YORE_OK; i++) status = take(&p, &tokens[i], err);
    if (status < 0) return status;
    YR_ASSERT(p.depth == 0);

    if (options->strict && p.words.complaint.what) {
        (void)yr_fail(err, YORE_ERR_QUERY, "%s, at byte %" PRIu32 " of the query", p.words.complaint.what,
                      p.words.complaint.offset);
        if (err) err->offset = p.words.complaint.offset;
        return YORE_ERR_QUERY;
    }
    yr_query_nodes clauses = {0};
    status = clauses_of(&p, &p.frames[0], &clauses, err);
    if (status < 0) return status;
    *root = (yr_query_node){.kind = YR_QUERY_GROUP,
                            .children = clauses.at,
                            .child_count = clauses.count,
                            .to = (uint32_t)text.size};
    *out = root;
    return YORE_OK;
}
