/* Postings to documents: what of each list is alive at the hop's cap, brought into document order. */
#include "engine/base/error.h"
#include "engine/base/planted.h"
#include "search/score/score_private.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, BUCKETS = 1024 };

static bool is_alive(const yr_run *run, uint32_t cap)
{
    if (YR_BUG(SEARCH_END_VERSION)) return run->begin <= cap && cap <= run->end;
    return run->begin <= cap && cap < run->end;
}

/* Walks the lists that hold postings of a query in a layer: of each slot the word's, or those of the term's words. */
typedef struct list_walk {
    const score_run *run;
    const yr_layer *layer;
    uint32_t slot;
    uint32_t word; /* the last one looked at, YR_NO_ID before the slot's first */
} list_walk;

static uint32_t next_word(const list_walk *walk, const score_slot *slot)
{
    const yr_dictionary *dictionary = &walk->run->request->view.index->dictionary;
    if (slot->id == YR_NO_ID) return YR_NO_ID;
    if (walk->word != YR_NO_ID) return slot->is_word ? YR_NO_ID : dictionary->words[walk->word].next_of_term;
    return slot->is_word ? slot->id : dictionary->terms[slot->id].first_word;
}

/* The next list, of slot walk->slot; NULL at the end. */
static const yr_word_list *next_list(list_walk *walk)
{
    while (walk->slot < walk->run->slot_count) {
        walk->word = next_word(walk, &walk->run->slots[walk->slot]);
        const yr_word_list *list = walk->word == YR_NO_ID ? NULL : yr_layer_list(walk->layer, walk->word);
        if (list) return list;
        if (walk->word == YR_NO_ID) walk->slot++;
    }
    return NULL;
}

static list_walk walk_lists(const score_run *run, const yr_layer *layer)
{
    return (list_walk){.run = run, .layer = layer, .word = YR_NO_ID};
}

/* -- ranges -- */

/* How many postings are alive in each BUCKETS-th part of the documents. */
static void count_buckets(const score_run *run, const yr_search_hop *hop, uint32_t width, size_t *buckets)
{
    list_walk walk = walk_lists(run, hop->layer);
    for (const yr_word_list *list; (list = next_list(&walk));) {
        for (uint32_t i = 0; i < list->run_count && list->runs[i].begin <= hop->cap; i++) {
            if (is_alive(&list->runs[i], hop->cap)) buckets[list->runs[i].doc / width]++;
        }
    }
}

yore_status yr_score_ranges(score_run *run, const yr_search_hop *hop, score_range **ranges, uint32_t *count)
{
    size_t most = run->request->gather_max ? run->request->gather_max : YR_GATHER_MAX;
    uint32_t docs = hop->layer->doc_count, width = docs / BUCKETS + 1;
    size_t *buckets = yr_arena_alloc(run->scratch, BUCKETS * sizeof *buckets), room = 0;
    score_range *out = *ranges = yr_arena_alloc(run->scratch, BUCKETS * sizeof *out);
    if (!buckets || !out) return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for a search");
    list_walk walk = walk_lists(run, hop->layer);
    for (const yr_word_list *list; (list = next_list(&walk));) room += list->run_count;
    *count = 1;
    out[0] = (score_range){.from = 0, .to = docs, .room = room};
    if (room <= most) return YORE_OK;
    memset(buckets, 0, BUCKETS * sizeof *buckets);
    count_buckets(run, hop, width, buckets);
    out[0] = (score_range){.from = 0, .to = width, .room = buckets[0]};
    for (uint32_t i = 1; i < BUCKETS; i++) {
        score_range *last = &out[*count - 1];
        if (last->room + buckets[i] > most) {
            out[(*count)++] = (score_range){.from = i * width, .to = (i + 1) * width, .room = buckets[i]};
        } else {
            last->to = (i + 1) * width;
            last->room += buckets[i];
        }
    }
    return YORE_OK;
}

/* -- a range -- */

/* Least significant digit first, stable, so slots stay in order within a document. */
static score_entry *sort_entries(score_entry *entries, score_entry *other, size_t count, uint32_t doc_count,
                                 size_t *digits)
{
    for (uint32_t shift = 0; shift < 32 && doc_count >> shift; shift += DIGIT_BITS) {
        memset(digits, 0, DIGITS * sizeof *digits);
        for (size_t i = 0; i < count; i++) digits[entries[i].doc >> shift & (DIGITS - 1)]++;
        size_t sum = 0;
        for (size_t d = 0; d < DIGITS; d++) {
            size_t here = digits[d];
            digits[d] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++)
            other[digits[entries[i].doc >> shift & (DIGITS - 1)]++] = entries[i];
        score_entry *sorted = other;
        other = entries;
        entries = sorted;
    }
    return entries;
}

yore_status yr_score_gather(score_run *run, const yr_search_hop *hop, const score_range *range,
                            score_entry **entries, size_t *count)
{
    yr_arena_reset(&run->gathered);
    *count = 0;
    if (!range->room) return YORE_OK;
    score_entry *all = yr_arena_alloc(&run->gathered, range->room * sizeof *all);
    if (!all) return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for a search");
    size_t n = 0;
    list_walk walk = walk_lists(run, hop->layer);
    for (const yr_word_list *list; (list = next_list(&walk));) {
        for (uint32_t i = 0; i < list->run_count && list->runs[i].begin <= hop->cap; i++) {
            const yr_run *r = &list->runs[i];
            if (r->doc < range->from || r->doc >= range->to || !is_alive(r, hop->cap)) continue;
            all[n++] = (score_entry){.doc = r->doc, .slot = walk.slot, .tf = r->tf};
        }
    }
    score_entry *other = yr_arena_alloc(&run->gathered, (n + 1) * sizeof *other);
    size_t *digits = yr_arena_alloc(&run->gathered, DIGITS * sizeof *digits);
    if (!other || !digits) return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for a search");
    *entries = sort_entries(all, other, n, hop->layer->doc_count, digits);
    *count = n;
    return YORE_OK;
}
