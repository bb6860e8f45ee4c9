/* Postings to documents: what of each list is alive at the hop's cap, brought into document order. */
#include "engine/base/error.h"
#include "engine/base/planted.h"
#include "search/score/score_private.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

static bool is_alive(const yr_run *run, uint32_t cap)
{
    if (YR_BUG(SEARCH_END_VERSION)) return run->begin <= cap && cap <= run->end;
    return run->begin <= cap && cap < run->end;
}

/* Call for every list that holds a slot's postings in a layer: one of a word, several of a term. */
static const yr_word_list *next_list(const yr_layer *layer, const yr_dictionary *dictionary,
                                     const score_slot *slot, uint32_t *word)
{
    if (slot->id == YR_NO_ID) return NULL;
    if (slot->is_word) {
        if (*word != YR_NO_ID) return NULL;
        *word = slot->id;
        return yr_layer_list(layer, slot->id);
    }
    for (;;) {
        *word = *word == YR_NO_ID ? dictionary->terms[slot->id].first_word
                                  : dictionary->words[*word].next_of_term;
        if (*word == YR_NO_ID) return NULL;
        const yr_word_list *list = yr_layer_list(layer, *word);
        if (list) return list;
    }
}

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

yore_status yr_score_gather(score_run *run, const yr_search_hop *hop, score_entry **entries, size_t *count)
{
    const yr_dictionary *dictionary = &run->request->view.index->dictionary;
    const yr_layer *layer = hop->layer;
    size_t room = 0;
    for (uint32_t s = 0; s < run->slot_count; s++) {
        uint32_t word = YR_NO_ID;
        const yr_word_list *list;
        while ((list = next_list(layer, dictionary, &run->slots[s], &word))) room += list->run_count;
    }
    *count = 0;
    if (!room) return YORE_OK;
    score_entry *all = yr_arena_alloc(run->scratch, room * sizeof *all);
    if (!all) return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for a search");
    size_t n = 0;
    for (uint32_t s = 0; s < run->slot_count; s++) {
        uint32_t word = YR_NO_ID;
        const yr_word_list *list;
        while ((list = next_list(layer, dictionary, &run->slots[s], &word))) {
            for (uint32_t i = 0; i < list->run_count && list->runs[i].begin <= hop->cap; i++) {
                const yr_run *r = &list->runs[i];
                if (is_alive(r, hop->cap)) all[n++] = (score_entry){.doc = r->doc, .slot = s, .tf = r->tf};
            }
        }
    }
    score_entry *other = yr_arena_alloc(run->scratch, (n + 1) * sizeof *other);
    size_t *digits = yr_arena_alloc(run->scratch, DIGITS * sizeof *digits);
    if (!other || !digits) return yr_fail(run->err, YORE_ERR_NOMEM, "out of memory for a search");
    *entries = sort_entries(all, other, n, layer->doc_count, digits);
    *count = n;
    return YORE_OK;
}
