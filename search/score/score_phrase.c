/* Phrases: a document that has all terms is analysed again, and their positions are compared.
 *
 * The index holds no positions: they would be the larger half of it, and an insertion at the front of a text would
 * change them all. A document is analysed once, for all phrases of the query, and only when the rest of the query
 * has not settled it. */
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "search/score/score_private.h"

typedef struct position {
    uint32_t term; /* index into phrase terms */
    uint32_t at;
} position;

struct score_positions {
    uint32_t *slots; /* of the phrases' distinct terms */
    uint32_t count;
    uint32_t *table; /* term text -> 1 + index, open addressing */
    uint32_t table_size;
    uint32_t *index_of; /* slot -> index, YR_NO_ID */
    bool is_loaded;
    yr_arena arena; /* of the document in hand */
    position *found;
    size_t found_count, found_capacity;
    uint32_t **at; /* by index: ascending positions */
    uint32_t *at_count;
};

static void count_phrase_terms(const score_node *node, uint32_t *count)
{
    if (node->kind == YR_QUERY_PHRASE) *count += node->child_count;
    if (node->kind != YR_QUERY_GROUP) return;
    for (uint32_t i = 0; i < node->child_count; i++) count_phrase_terms(&node->children[i], count);
}

static void add_phrase_terms(const score_run *run, score_positions *p, const score_node *node)
{
    if (node->kind == YR_QUERY_GROUP) {
        for (uint32_t i = 0; i < node->child_count; i++) add_phrase_terms(run, p, &node->children[i]);
    }
    if (node->kind != YR_QUERY_PHRASE) return;
    for (uint32_t i = 0; i < node->child_count; i++) {
        uint32_t slot = node->children[i].slot;
        if (p->index_of[slot] != YR_NO_ID) continue;
        yore_slice text = run->slots[slot].text;
        uint32_t at = (uint32_t)yr_hash64(text.data, text.size, 0) & (p->table_size - 1);
        while (p->table[at]) at = (at + 1) & (p->table_size - 1);
        p->index_of[slot] = p->count;
        p->slots[p->count++] = slot;
        p->table[at] = p->count;
    }
}

yore_status yr_score_phrases_init(score_run *run)
{
    uint32_t terms = 0;
    count_phrase_terms(run->root, &terms);
    if (!terms) return YORE_OK;
    score_positions *p = yr_arena_alloc(run->scratch, sizeof *p);
    if (!p) goto no_memory;
    *p = (score_positions){.table_size = 8};
    while (p->table_size < terms * 2) p->table_size *= 2;
    p->slots = yr_arena_alloc(run->scratch, terms * sizeof *p->slots);
    p->table = yr_arena_alloc(run->scratch, p->table_size * sizeof *p->table);
    p->index_of = yr_arena_alloc(run->scratch, run->slot_count * sizeof *p->index_of);
    p->at = yr_arena_alloc(run->scratch, terms * sizeof *p->at);
    p->at_count = yr_arena_alloc(run->scratch, terms * sizeof *p->at_count);
    if (!p->slots || !p->table || !p->index_of || !p->at || !p->at_count) goto no_memory;
    memset(p->table, 0, p->table_size * sizeof *p->table);
    for (uint32_t i = 0; i < run->slot_count; i++) p->index_of[i] = YR_NO_ID;
    add_phrase_terms(run, p, run->root);
    yr_arena_init(&p->arena, run->scratch->env);
    run->positions = p;
    return YORE_OK;
no_memory:
    return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for a search");
}

void yr_score_phrases_deinit(score_run *run)
{
    if (run->positions) yr_arena_deinit(&run->positions->arena);
    run->positions = NULL;
}

void yr_score_phrases_next_doc(score_run *run)
{
    if (run->positions) run->positions->is_loaded = false;
}

static yore_status note_position(void *context, const yr_token *token, yore_error *err)
{
    score_run *run = context;
    score_positions *p = run->positions;
    uint32_t at = (uint32_t)yr_hash64(token->term.data, token->term.size, 0) & (p->table_size - 1);
    for (; p->table[at]; at = (at + 1) & (p->table_size - 1)) {
        uint32_t term = p->table[at] - 1;
        yore_slice text = run->slots[p->slots[term]].text;
        if (text.size != token->term.size || memcmp(text.data, token->term.data, text.size) != 0) continue;
        if (p->found_count == p->found_capacity) {
            size_t wanted = p->found_capacity ? p->found_capacity * 2 : 64;
            position *grown = yr_arena_alloc(&p->arena, wanted * sizeof *grown);
            if (!grown) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the positions of a phrase");
            if (p->found_count) memcpy(grown, p->found, p->found_count * sizeof *grown);
            p->found = grown;
            p->found_capacity = wanted;
        }
        p->found[p->found_count++] = (position){.term = term, .at = token->position};
        p->at_count[term]++;
        break;
    }
    return YORE_OK;
}

/* Find the positions of every phrase term in the document in hand. */
static yore_status load_positions(score_run *run)
{
    score_positions *p = run->positions;
    const yr_score_request *request = run->request;
    yore_slice value;
    p->is_loaded = true;
    yr_arena_reset(&p->arena);
    p->found = NULL;
    p->found_count = p->found_capacity = 0;
    memset(p->at_count, 0, p->count * sizeof *p->at_count);
    yore_status status = request->value(
        request->value_context, yore_bytes(run->doc.doc->key, run->doc.doc->key_size), &value, run->err);
    if (status == YORE_OK) status = yr_analyze(request->analyzer, value, note_position, run, run->err);
    if (status < 0) return status;
    for (uint32_t i = 0; i < p->count; i++) {
        p->at[i] = yr_arena_alloc(&p->arena, p->at_count[i] * sizeof **p->at);
        if (!p->at[i])
            return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for the positions of a phrase");
        p->at_count[i] = 0;
    }
    for (size_t i = 0; i < p->found_count; i++) {
        uint32_t term = p->found[i].term;
        p->at[term][p->at_count[term]++] = p->found[i].at;
    }
    return YORE_OK;
}

static bool is_at(const score_positions *p, uint32_t term, uint64_t wanted)
{
    uint32_t low = 0, high = p->at_count[term];
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (p->at[term][mid] < wanted)
            low = mid + 1;
        else
            high = mid;
    }
    return low < p->at_count[term] && p->at[term][low] == wanted;
}

bool yr_score_phrase_is_in(score_run *run, const score_node *phrase)
{
    score_positions *p = run->positions;
    if (!p->is_loaded) run->status = load_positions(run);
    if (run->status < 0) return false;
    uint32_t first = p->index_of[phrase->children[0].slot];
    for (uint32_t i = 0; i < p->at_count[first]; i++) {
        uint64_t start = p->at[first][i];
        uint32_t k = 1;
        while (k < phrase->child_count &&
               is_at(p, p->index_of[phrase->children[k].slot],
                     start + phrase->children[k].offset - phrase->children[0].offset))
            k++;
        if (k == phrase->child_count) return true;
    }
    return false;
}
