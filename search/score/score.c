/* One search: plan, gather hop by hop, judge each document, keep the best. */
#include "search/score/score.h"

#include "engine/base/error.h"
#include "engine/base/planted.h"
#include "search/score/score_private.h"

/* A document among the best so far. */
typedef struct candidate {
    double score;
    const yr_doc *doc;
    score_entry *entries; /* with `explain` the candidate's own, else of no use once it was judged */
    uint32_t entry_count, entry_capacity;
    uint32_t length;
} candidate;

typedef struct best {
    candidate *heap; /* the worst on top */
    size_t count, capacity;
    uint64_t k;
} best;

static yore_slice key_of(const yr_doc *doc)
{
    return yore_bytes(doc->key, doc->key_size);
}

/* S2 */
static bool is_worse(const candidate *a, const candidate *b)
{
    if (a->score != b->score) return a->score < b->score;
    return yr_slice_order(key_of(a->doc), key_of(b->doc)) > 0;
}

static void sift_down(candidate *heap, size_t count, size_t at)
{
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && is_worse(&heap[child + 1], &heap[child])) child++;
        if (!is_worse(&heap[child], &heap[at])) return;
        candidate moved = heap[at];
        heap[at] = heap[child];
        heap[child] = moved;
        at = child;
    }
}

/* Give a candidate that stays entries of its own, those of the one it drives out where they suffice. */
static bool own_entries(score_run *run, candidate *c, const candidate *out)
{
    if (!run->request->explain) return true;
    const score_entry *from = c->entries;
    bool fits = out && out->entry_capacity >= c->entry_count;
    c->entry_capacity = fits ? out->entry_capacity : c->entry_count;
    c->entries = fits ? out->entries : yr_arena_alloc(run->scratch, c->entry_count * sizeof *c->entries);
    if (c->entries) memcpy(c->entries, from, c->entry_count * sizeof *c->entries);
    return c->entries != NULL;
}

static bool keep(score_run *run, best *b, candidate *c)
{
    if (b->count == b->k) {
        if (!b->k || !is_worse(&b->heap[0], c)) return true;
        if (!own_entries(run, c, &b->heap[0])) return false;
        b->heap[0] = *c;
        sift_down(b->heap, b->count, 0);
        return true;
    }
    if (!own_entries(run, c, NULL)) return false;
    if (b->count == b->capacity) {
        size_t wanted = b->capacity ? b->capacity * 2 : 16;
        candidate *grown = yr_arena_alloc(run->scratch, wanted * sizeof *grown);
        if (!grown) return false;
        if (b->count) memcpy(grown, b->heap, b->count * sizeof *grown);
        b->heap = grown;
        b->capacity = wanted;
    }
    size_t at = b->count++;
    b->heap[at] = *c;
    while (at && is_worse(&b->heap[at], &b->heap[(at - 1) / 2])) {
        candidate moved = b->heap[at];
        b->heap[at] = b->heap[(at - 1) / 2];
        b->heap[(at - 1) / 2] = moved;
        at = (at - 1) / 2;
    }
    return true;
}

/* S1 */
static bool is_hidden(const yr_search_view *view, uint32_t hop, const yr_doc *doc)
{
    for (uint32_t i = 0; i < hop; i++) {
        const yr_layer *younger = view->hops[i].layer;
        uint32_t found = yr_layer_find(younger, key_of(doc), doc->hash);
        if (found == YR_NO_ID) continue;
        if (yr_layer_first(younger, found) <= view->hops[i].cap || YR_BUG(SEARCH_HIDE_CAP)) return true;
    }
    return false;
}

static void hold(score_run *run, const yr_doc *doc, const score_entry *entries, uint32_t count,
                 uint32_t length)
{
    const yr_score_request *request = run->request;
    run->doc = (score_doc){.doc = doc, .entries = entries, .entry_count = count, .length = length};
    run->doc.norm = request->k1 * (1.0 - request->b + request->b * (double)length / run->average_length);
    for (uint32_t i = 0; i < count; i++) run->tf[entries[i].slot] += entries[i].tf;
    yr_score_phrases_next_doc(run);
}

static void let_go(score_run *run)
{
    for (uint32_t i = 0; i < run->doc.entry_count; i++) run->tf[run->doc.entries[i].slot] = 0;
}

static bool starts_with(const yr_doc *doc, yore_slice prefix)
{
    return doc->key_size >= prefix.size && memcmp(doc->key, prefix.data, prefix.size) == 0;
}

/* Is the document one of the snapshot's that may be shown? Its length there. */
static bool is_wanted(const yr_score_request *request, uint32_t hop, uint32_t doc, uint32_t *length)
{
    const yr_search_hop *at = &request->view.hops[hop];
    if (request->prefix.size && !starts_with(&at->layer->docs[doc], request->prefix)) return false;
    const yr_doc_version *version = yr_layer_version(at->layer, doc, at->cap);
    if (!version || !yr_doc_version_is_live(at->layer, version, request->view.time_ns)) return false;
    *length = version->length;
    return hop == 0 || !is_hidden(&request->view, hop, &at->layer->docs[doc]);
}

static yore_status search_range(score_run *run, uint32_t hop, const score_range *range, best *b,
                                uint64_t *matches)
{
    const yr_score_request *request = run->request;
    const yr_layer *layer = request->view.hops[hop].layer;
    score_entry *entries = NULL;
    size_t count;
    yore_status status = yr_score_gather(run, &request->view.hops[hop], range, &entries, &count);
    if (status < 0) return status;
    for (size_t from = 0, end; from < count; from = end) {
        for (end = from + 1; end < count && entries[end].doc == entries[from].doc;) end++;
        const yr_doc *doc = &layer->docs[entries[from].doc];
        candidate c = {.doc = doc, .entries = entries + from, .entry_count = (uint32_t)(end - from)};
        if (!is_wanted(request, hop, entries[from].doc, &c.length)) continue;
        hold(run, doc, c.entries, c.entry_count, c.length);
        bool matched = yr_score_eval(run, run->root, &c.score);
        let_go(run);
        if (run->status < 0) return run->status;
        if (!matched) continue;
        (*matches)++;
        if (!keep(run, b, &c)) return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for a search");
    }
    return YORE_OK;
}

static yore_status search_hop(score_run *run, uint32_t hop, best *b, uint64_t *matches)
{
    score_range *ranges;
    uint32_t count;
    yore_status status = yr_score_ranges(run, &run->request->view.hops[hop], &ranges, &count);
    for (uint32_t i = 0; i < count && status == YORE_OK; i++)
        status = search_range(run, hop, &ranges[i], b, matches);
    return status;
}

/* -- the answer -- */

/* What a document of at most so many entries can add to a score. */
static size_t count_leaves(const score_node *node, uint32_t entries)
{
    if (node->kind == YR_QUERY_TERM) return 1;
    if (node->kind == YR_QUERY_PREFIX) return node->slot_count < entries ? node->slot_count : entries;
    size_t count = 0;
    for (uint32_t i = 0; i < node->child_count; i++) count += count_leaves(&node->children[i], entries);
    return count;
}

/* Judge the hit once more, and write down what every term added. */
static bool explain(score_run *run, const candidate *c, yr_arena *out, yr_score_hit *hit)
{
    double ignored = 0;
    run->term_count = 0;
    hold(run, c->doc, c->entries, c->entry_count, c->length);
    bool matched = yr_score_eval(run, run->root, &ignored);
    let_go(run);
    if (!matched) return false;
    yore_term_score *terms = yr_arena_copy(out, run->terms, run->term_count * sizeof *terms);
    if (!terms) return false;
    for (size_t i = 0; i < run->term_count; i++) {
        terms[i].term.data = yr_arena_copy(out, terms[i].term.data, terms[i].term.size);
        if (!terms[i].term.data) return false;
    }
    hit->terms = terms;
    hit->term_count = run->term_count;
    return true;
}

static yore_status make_answer(score_run *run, best *b, yr_arena *out, yr_score_answer *answer)
{
    answer->hits = yr_arena_alloc(out, b->count * sizeof *answer->hits);
    if (!answer->hits) goto no_memory;
    answer->hit_count = b->count;
    for (size_t left = b->count; left; left--) { /* the worst comes off first */
        candidate worst = b->heap[0];
        b->heap[0] = b->heap[left - 1];
        sift_down(b->heap, left - 1, 0);
        yr_score_hit *hit = &answer->hits[left - 1];
        *hit = (yr_score_hit){.score = worst.score, .length = worst.length};
        hit->key = yore_bytes(yr_arena_copy(out, worst.doc->key, worst.doc->key_size), worst.doc->key_size);
        if (!hit->key.data) goto no_memory;
        if (run->request->explain && !explain(run, &worst, out, hit)) {
            if (run->status < 0) return run->status;
            goto no_memory;
        }
    }
    return YORE_OK;
no_memory:
    return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for the hits of a search");
}

yore_status yr_score(const yr_score_request *request, yr_arena *scratch, yr_arena *out,
                     yr_score_answer *answer, yore_error *err)
{
    score_run run = {.request = request, .scratch = scratch, .err = err};
    yr_arena_init(&run.gathered, scratch->env);
    best b = {.k = request->k};
    int64_t documents = 0, length = 0;
    for (uint32_t i = 0; i < request->view.hop_count; i++) {
        int64_t hop_documents, hop_length;
        yr_layer_totals(request->view.hops[i].layer, request->view.hops[i].cap, request->view.time_ns,
                        &hop_documents, &hop_length);
        documents += hop_documents;
        length += hop_length;
    }
    *answer = (yr_score_answer){.documents = (uint64_t)documents, .total_length = (uint64_t)length};
    if (documents > 0) answer->average_length = (double)length / (double)documents;
    run.average_length = answer->average_length;
    yore_status status = yr_score_plan(&run, answer->documents);
    for (uint32_t i = 0; i < request->view.hop_count && status == YORE_OK; i++) {
        status = search_hop(&run, i, &b, &answer->matches);
    }
    if (status == YORE_OK && request->explain) {
        uint32_t entries = 0;
        for (size_t i = 0; i < b.count; i++)
            if (b.heap[i].entry_count > entries) entries = b.heap[i].entry_count;
        run.term_capacity = count_leaves(run.root, entries);
        run.terms = yr_arena_alloc(scratch, run.term_capacity * sizeof *run.terms);
        if (!run.terms) status = yr_fail(err, YORE_ERR_NOMEM, "out of memory for a search");
    }
    yr_arena_deinit(&run.gathered);
    if (status == YORE_OK) status = make_answer(&run, &b, out, answer);
    return status;
}
