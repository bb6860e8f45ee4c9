/* Phrases: a document that has all terms is analysed again, and their positions are compared.
 *
 * The index holds no positions: they would be the larger half of it, and an insertion at the front of a text would
 * change them all. A document is analysed once, for all phrases of the query, only when the rest of the query has
 * not settled it, and only until all are found. Memory: a place for each position that a phrase reaches over, whatever
 * the document. */
#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "search/score/score_private.h"

/* A phrase of the query. */
typedef struct phrase {
    const score_node *node;
    uint32_t *terms; /* by child: index of its term */
    uint32_t reach;  /* positions from its first word to its last, both counted */
    bool is_in;      /* found in the document in hand */
} phrase;

/* A word of the document in hand that is a term of a phrase. */
typedef struct place {
    uint32_t position; /* NO_POSITION: none */
    uint32_t term;
} place;

#define NO_POSITION UINT32_MAX

struct score_positions {
    phrase *phrases;
    uint32_t phrase_count;
    uint32_t left;   /* phrases not yet found in the document in hand */
    uint32_t *slots; /* of the phrases' distinct terms */
    uint32_t count;
    uint32_t *table; /* term text -> 1 + index, open addressing */
    uint32_t table_size;
    place *ring; /* the last words, by position modulo its size: as far as a phrase reaches */
    uint32_t ring_size;
    bool is_loaded; /* the document in hand was analysed */
};

static void count_phrases(const score_node *node, uint32_t *phrases, uint32_t *terms)
{
    if (node->kind == YR_QUERY_PHRASE) {
        ++*phrases;
        *terms += node->child_count;
    }
    if (node->kind != YR_QUERY_GROUP) return;
    for (uint32_t i = 0; i < node->child_count; i++) count_phrases(&node->children[i], phrases, terms);
}

/* The index of a slot's term, which is a new one where no phrase had it yet. */
static uint32_t index_of(const score_run *run, score_positions *p, uint32_t slot)
{
    yore_slice text = run->slots[slot].text;
    uint32_t at = (uint32_t)yr_hash64(text.data, text.size, 0) & (p->table_size - 1);
    for (; p->table[at]; at = (at + 1) & (p->table_size - 1)) {
        if (p->slots[p->table[at] - 1] == slot) return p->table[at] - 1;
    }
    p->slots[p->count] = slot;
    p->table[at] = ++p->count;
    return p->count - 1;
}

/* False when memory is out. */
static bool add_phrases(const score_run *run, score_positions *p, score_node *node)
{
    if (node->kind == YR_QUERY_GROUP) {
        for (uint32_t i = 0; i < node->child_count; i++) {
            if (!add_phrases(run, p, &node->children[i])) return false;
        }
    }
    if (node->kind != YR_QUERY_PHRASE) return true;
    phrase *add = &p->phrases[p->phrase_count];
    *add = (phrase){.node = node};
    add->terms = yr_arena_alloc(run->scratch, node->child_count * sizeof *add->terms);
    if (!add->terms) return false;
    for (uint32_t i = 0; i < node->child_count; i++) add->terms[i] = index_of(run, p, node->children[i].slot);
    add->reach = node->children[node->child_count - 1].offset - node->children[0].offset + 1;
    while (p->ring_size < add->reach) p->ring_size *= 2;
    node->slot = p->phrase_count++;
    return true;
}

yore_status yr_score_phrases_init(score_run *run)
{
    uint32_t phrases = 0, terms = 0;
    count_phrases(run->root, &phrases, &terms);
    if (!phrases) return YORE_OK;
    score_positions *p = yr_arena_alloc(run->scratch, sizeof *p);
    if (!p) goto no_memory;
    *p = (score_positions){.table_size = 8, .ring_size = 2};
    while (p->table_size < terms * 2) p->table_size *= 2;
    p->phrases = yr_arena_alloc(run->scratch, phrases * sizeof *p->phrases);
    p->slots = yr_arena_alloc(run->scratch, terms * sizeof *p->slots);
    p->table = yr_arena_alloc(run->scratch, p->table_size * sizeof *p->table);
    if (!p->phrases || !p->slots || !p->table) goto no_memory;
    memset(p->table, 0, p->table_size * sizeof *p->table);
    if (!add_phrases(run, p, run->root)) goto no_memory;
    p->ring = yr_arena_alloc(run->scratch, p->ring_size * sizeof *p->ring);
    if (!p->ring) goto no_memory;
    run->positions = p;
    return YORE_OK;
no_memory:
    return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for a search");
}

void yr_score_phrases_next_doc(score_run *run)
{
    if (run->positions) run->positions->is_loaded = false;
}

/* Does the phrase end at `position`? */
static bool ends_at(const score_positions *p, const phrase *of, uint32_t position)
{
    const score_node *children = of->node->children;
    if (position < of->reach - 1) return false;
    for (uint32_t i = 0; i < of->node->child_count; i++) {
        uint32_t at = position - (of->reach - 1) + (children[i].offset - children[0].offset);
        const place *word = &p->ring[at & (p->ring_size - 1)];
        if (word->position != at || word->term != of->terms[i]) return false;
    }
    return true;
}

static void note_word(score_positions *p, uint32_t position, uint32_t term)
{
    p->ring[position & (p->ring_size - 1)] = (place){.position = position, .term = term};
    for (uint32_t i = 0; i < p->phrase_count; i++) {
        phrase *each = &p->phrases[i];
        if (each->is_in || each->terms[each->node->child_count - 1] != term) continue;
        each->is_in = ends_at(p, each, position);
        p->left -= each->is_in;
    }
}

/* Ends the analysis once every phrase was found. */
static yore_status take_token(void *context, const yr_token *token, yore_error *err)
{
    (void)err;
    const score_run *run = context;
    score_positions *p = run->positions;
    uint32_t at = (uint32_t)yr_hash64(token->term.data, token->term.size, 0) & (p->table_size - 1);
    for (; p->table[at]; at = (at + 1) & (p->table_size - 1)) {
        uint32_t term = p->table[at] - 1;
        yore_slice text = run->slots[p->slots[term]].text;
        if (text.size != token->term.size || memcmp(text.data, token->term.data, text.size) != 0) continue;
        note_word(p, token->position, term);
        break;
    }
    return p->left ? YORE_OK : YORE_END;
}

/* Find out which phrases are in the document in hand. */
static yore_status load_positions(score_run *run)
{
    score_positions *p = run->positions;
    const yr_score_request *request = run->request;
    yore_slice key = yore_bytes(run->doc.doc->key, run->doc.doc->key_size), value;
    p->is_loaded = true;
    p->left = p->phrase_count;
    for (uint32_t i = 0; i < p->phrase_count; i++) p->phrases[i].is_in = false;
    for (uint32_t i = 0; i < p->ring_size; i++) p->ring[i].position = NO_POSITION;
    yore_status status = request->value(request->value_context, key, &value, run->err);
    if (status == YORE_OK) status = yr_analyze(request->analyzer, value, take_token, run, run->err);
    return status < 0 ? status : YORE_OK;
}

bool yr_score_phrase_is_in(score_run *run, const score_node *node)
{
    score_positions *p = run->positions;
    if (!p->is_loaded) run->status = load_positions(run);
    return run->status == YORE_OK && p->phrases[node->slot].is_in;
}
