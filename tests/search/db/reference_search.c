#include "tests/search/db/reference_search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "FAILED: the reference: %s\n", what);
    abort();
}

static void *grow(void *old, size_t *capacity, size_t count, size_t size)
{
    if (count < *capacity) return old;
    *capacity = *capacity ? *capacity * 2 : 64;
    void *grown = realloc(old, *capacity * size);
    if (!grown) give_up("out of memory");
    return grown;
}

/* -- reading a snapshot -- */

static uint32_t number_of(reference *r, yore_slice text)
{
    for (size_t i = 0; i < r->text_count; i++) {
        if (r->texts[i].size == text.size && memcmp(r->texts[i].data, text.data, text.size) == 0)
            return (uint32_t)i;
    }
    r->texts = grow(r->texts, &r->text_capacity, r->text_count, sizeof *r->texts);
    r->texts[r->text_count] = yore_bytes(yr_arena_copy(&r->arena, text.data, text.size), text.size);
    return (uint32_t)r->text_count++;
}

typedef struct reading {
    reference *r;
    reference_token *tokens;
    size_t count, capacity;
} reading;

static yore_status take_token(void *context, const yr_token *token, yore_error *err)
{
    (void)err;
    reading *in = context;
    in->tokens = grow(in->tokens, &in->capacity, in->count, sizeof *in->tokens);
    in->tokens[in->count++] = (reference_token){.term = number_of(in->r, token->term),
                                                .folded = number_of(in->r, token->folded),
                                                .position = token->position};
    return YORE_OK;
}

static void take_row(reference *r, const yore_row *row, yr_analyzer *analyzer)
{
    if (!yr_is_text(row->value)) return;
    reading in = {.r = r};
    if (yr_analyze(analyzer, row->value, take_token, &in, NULL) != YORE_OK)
        give_up("a value cannot be analysed");
    if (in.count == 0) {
        free(in.tokens);
        return;
    }
    r->docs = grow(r->docs, &r->doc_capacity, r->doc_count, sizeof *r->docs);
    r->docs[r->doc_count++] = (reference_doc){
        .key = yore_bytes(yr_arena_copy(&r->arena, row->key.data, row->key.size), row->key.size),
        .tokens = in.tokens,
        .token_count = in.count};
    r->total_length += in.count;
}

static bool is_indexed(yore_slice key, const reference_rule *rules, size_t rule_count)
{
    bool answer = true;
    size_t longest = 0;
    for (size_t i = 0; i < rule_count; i++) {
        yore_slice prefix = rules[i].prefix;
        if (prefix.size < longest || prefix.size > key.size) continue;
        if (prefix.size && memcmp(prefix.data, key.data, prefix.size) != 0) continue;
        answer = rules[i].is_indexed;
        longest = prefix.size;
    }
    return answer;
}

void reference_load(reference *r, yore_snap *snap, yr_analyzer *analyzer, const reference_rule *rules,
                    size_t rule_count)
{
    *r = (reference){0};
    yr_arena_init(&r->arena, yore_env_default());
    yore_iter *iter;
    yore_row rows[32];
    size_t n;
    yore_status status = yore_scan(snap, NULL, &iter, NULL);
    if (status != YORE_OK) give_up("no scan");
    while ((status = yore_next(iter, rows, sizeof rows[0], 32, &n, NULL)) == YORE_OK) {
        for (size_t i = 0; i < n; i++) {
            if (is_indexed(rows[i].key, rules, rule_count)) take_row(r, &rows[i], analyzer);
        }
    }
    if (status != YORE_END) give_up("a scan failed");
    yore_iter_close(iter);
}

void reference_close(reference *r)
{
    for (size_t i = 0; i < r->doc_count; i++) free(r->docs[i].tokens);
    free(r->docs);
    free(r->texts);
    yr_arena_deinit(&r->arena);
}

/* -- counting -- */

enum which { BY_TERM, BY_FOLDED };

static uint32_t text_of(const reference_token *token, enum which which)
{
    return which == BY_TERM ? token->term : token->folded;
}

static size_t tf_of(const reference_doc *doc, uint32_t text, enum which which)
{
    size_t tf = 0;
    for (size_t i = 0; i < doc->token_count; i++) tf += text_of(&doc->tokens[i], which) == text;
    return tf;
}

static size_t df_of(const reference *r, uint32_t text, enum which which)
{
    size_t df = 0;
    for (size_t i = 0; i < r->doc_count; i++) df += tf_of(&r->docs[i], text, which) > 0;
    return df;
}

static bool find_text(const reference *r, yore_slice text, uint32_t *number)
{
    for (size_t i = 0; i < r->text_count; i++) {
        if (r->texts[i].size == text.size && memcmp(r->texts[i].data, text.data, text.size) == 0) {
            *number = (uint32_t)i;
            return true;
        }
    }
    return false;
}

/* -- judging -- */

typedef struct judge {
    const reference *r;
    const reference_question *question;
    const reference_doc *doc;
} judge;

static double bm25(const judge *j, uint32_t text, enum which which)
{
    double documents = (double)j->r->doc_count, df = (double)df_of(j->r, text, which);
    double tf = (double)tf_of(j->doc, text, which), length = (double)j->doc->token_count;
    double average = (double)j->r->total_length / documents;
    double idf = log(1.0 + (documents - df + 0.5) / (df + 0.5));
    return idf * tf / (tf + j->question->k1 * (1.0 - j->question->b + j->question->b * length / average));
}

static bool judge_term(const judge *j, yore_slice term, double *score)
{
    uint32_t text;
    if (!find_text(j->r, term, &text) || !tf_of(j->doc, text, BY_TERM)) return false;
    *score += bm25(j, text, BY_TERM);
    return true;
}

/* The document's folded words with the prefix, in byte order: the least greater than the last, again and again. */
static bool judge_prefix(const judge *j, yore_slice prefix, double *score)
{
    const reference *r = j->r;
    bool any = false;
    uint32_t last = 0;
    for (;;) {
        bool found = false;
        uint32_t least = 0;
        for (size_t i = 0; i < j->doc->token_count; i++) {
            uint32_t text = j->doc->tokens[i].folded;
            yore_slice word = r->texts[text];
            if (word.size < prefix.size || memcmp(word.data, prefix.data, prefix.size) != 0) continue;
            for (int side = 0; side < 2; side++) { /* word > last, and word < least */
                if (side ? !found : !any) continue;
                yore_slice other = r->texts[side ? least : last];
                size_t size = word.size < other.size ? word.size : other.size;
                int order = memcmp(word.data, other.data, size);
                if (!order) order = (word.size > other.size) - (word.size < other.size);
                if (side ? order >= 0 : order <= 0) goto next;
            }
            least = text;
            found = true;
        next:;
        }
        if (!found) return any;
        *score += bm25(j, least, BY_FOLDED);
        last = least;
        any = true;
    }
}

static bool has_at(const judge *j, yore_slice term, uint64_t position)
{
    uint32_t text;
    if (!find_text(j->r, term, &text)) return false;
    for (size_t i = 0; i < j->doc->token_count; i++) {
        if (j->doc->tokens[i].term == text && j->doc->tokens[i].position == position) return true;
    }
    return false;
}

static bool judge_phrase(const judge *j, const yr_query_node *phrase, double *score)
{
    bool found = false;
    for (size_t i = 0; i < j->doc->token_count && !found; i++) {
        uint64_t start = j->doc->tokens[i].position;
        found = phrase->child_count > 0;
        for (uint32_t k = 0; k < phrase->child_count && found; k++) {
            const yr_query_node *child = &phrase->children[k];
            found = has_at(j, child->term, start + child->offset - phrase->children[0].offset);
        }
    }
    for (uint32_t k = 0; k < phrase->child_count && found; k++)
        judge_term(j, phrase->children[k].term, score);
    return found;
}

static bool judge_node(const judge *j, const yr_query_node *node, double *score);

static bool judge_group(const judge *j, const yr_query_node *group, double *score)
{
    uint32_t musts = 0, shoulds = 0;
    for (uint32_t i = 0; i < group->child_count; i++) {
        const yr_query_node *child = &group->children[i];
        double part = 0;
        bool matches = judge_node(j, child, &part);
        if (child->occur == YR_MUST && !matches) return false;
        if (child->occur == YR_MUST_NOT && matches) return false;
        if (child->occur == YR_MUST_NOT || !matches) continue;
        musts += child->occur == YR_MUST;
        shoulds += child->occur == YR_SHOULD;
        *score += part;
    }
    return musts || shoulds;
}

static bool judge_node(const judge *j, const yr_query_node *node, double *score)
{
    switch (node->kind) {
    case YR_QUERY_TERM: return judge_term(j, node->term, score);
    case YR_QUERY_PREFIX: return judge_prefix(j, node->term, score);
    case YR_QUERY_PHRASE: return judge_phrase(j, node, score);
    default: return judge_group(j, node, score);
    }
}

static int by_score(const void *a, const void *b)
{
    const reference_hit *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    size_t size = x->key.size < y->key.size ? x->key.size : y->key.size;
    int order = memcmp(x->key.data, y->key.data, size);
    return order ? order : (x->key.size > y->key.size) - (x->key.size < y->key.size);
}

size_t reference_search(const reference *r, const reference_question *question, reference_hit **hits)
{
    size_t count = 0;
    *hits = malloc((r->doc_count + 1) * sizeof **hits);
    if (!*hits) give_up("out of memory");
    for (size_t i = 0; i < r->doc_count; i++) {
        judge j = {.r = r, .question = question, .doc = &r->docs[i]};
        yore_slice key = j.doc->key, prefix = question->prefix;
        double score = 0;
        if (key.size < prefix.size || (prefix.size && memcmp(key.data, prefix.data, prefix.size) != 0))
            continue;
        if (!judge_node(&j, question->root, &score)) continue;
        (*hits)[count++] = (reference_hit){.key = key, .score = score, .length = j.doc->token_count};
    }
    qsort(*hits, count, sizeof **hits, by_score);
    return count;
}
