#include "search/index/dictionary.h"

#include <stdlib.h>

#include "engine/base/hash.h"

enum { SLOTS_MIN = 1024, UNSORTED_MIN = 2048 };

void yr_dictionary_init(yr_dictionary *dictionary, yr_space *space, uint64_t secret)
{
    *dictionary = (yr_dictionary){.space = space, .secret = secret};
    yr_arena_init(&dictionary->bytes, space->env);
    yr_space_watch(space, &dictionary->bytes);
}

void yr_dictionary_deinit(yr_dictionary *d)
{
    yr_space_free(d->space, d->words, d->word_capacity * sizeof *d->words);
    yr_space_free(d->space, d->terms, d->term_capacity * sizeof *d->terms);
    yr_space_free(d->space, d->word_slots, d->word_slot_count * sizeof *d->word_slots);
    yr_space_free(d->space, d->term_slots, d->term_slot_count * sizeof *d->term_slots);
    yr_space_free(d->space, d->sorted, d->sorted_capacity * sizeof *d->sorted);
    yr_arena_deinit(&d->bytes);
}

static uint32_t word_hash(const yr_dictionary *d, uint32_t id)
{
    return d->words[id].hash;
}
static uint32_t term_hash(const yr_dictionary *d, uint32_t id)
{
    return d->terms[id].hash;
}

/* Room for one more id, at most half full. */
static bool reserve_slot(yr_dictionary *d, uint32_t **slots, uint32_t *slot_count, uint32_t used,
                         uint32_t (*hash_of)(const yr_dictionary *d, uint32_t id))
{
    if (used < *slot_count / 2) return true;
    uint32_t wanted = *slot_count ? *slot_count * 2 : SLOTS_MIN;
    if (wanted < *slot_count) return false;
    uint32_t *grown = yr_space_alloc(d->space, wanted * sizeof *grown);
    if (!grown) return false;
    memset(grown, 0, wanted * sizeof *grown);
    for (uint32_t id = 0; id < used; id++) {
        uint32_t at = hash_of(d, id) & (wanted - 1);
        while (grown[at]) at = (at + 1) & (wanted - 1);
        grown[at] = id + 1;
    }
    yr_space_free(d->space, *slots, *slot_count * sizeof **slots);
    *slots = grown;
    *slot_count = wanted;
    return true;
}

/* The slot of a term: where it is, or the free one where it belongs. */
static uint32_t *term_slot(const yr_dictionary *d, const void *text, size_t size, uint32_t hash)
{
    uint32_t at = hash & (d->term_slot_count - 1);
    for (; d->term_slots[at]; at = (at + 1) & (d->term_slot_count - 1)) {
        const yr_term *term = &d->terms[d->term_slots[at] - 1];
        if (term->hash == hash && term->size == size && memcmp(term->text, text, size) == 0) break;
    }
    return &d->term_slots[at];
}

uint32_t yr_dictionary_term(const yr_dictionary *d, yore_slice term)
{
    if (!d->term_slot_count) return YR_NO_ID;
    uint32_t hash = (uint32_t)yr_hash64(term.data, term.size, d->secret);
    uint32_t slot = *term_slot(d, term.data, term.size, hash);
    return slot ? slot - 1 : YR_NO_ID;
}

/* `text` is the dictionary's copy when the term is written like the word, else NULL. */
static bool add_term(yr_dictionary *d, const yr_counted *counted, const uint8_t *text, uint32_t *id)
{
    uint32_t hash = yr_counted_is_stem(counted)
                        ? (uint32_t)counted->hash
                        : (uint32_t)yr_hash64(counted->term, counted->term_size, d->secret);
    if (!reserve_slot(d, &d->term_slots, &d->term_slot_count, d->term_count, term_hash)) return false;
    uint32_t *slot = term_slot(d, counted->term, counted->term_size, hash);
    if (*slot) {
        *id = *slot - 1;
        return true;
    }
    if (!yr_space_grow(d->space, &d->terms, &d->term_capacity, (uint64_t)d->term_count + 1, sizeof *d->terms))
        return false;
    if (!text) text = yr_arena_copy(&d->bytes, counted->term, counted->term_size);
    if (!text) return false;
    *id = d->term_count++;
    d->terms[*id] = (yr_term){.text = text, .hash = hash, .first_word = YR_NO_ID, .size = counted->term_size};
    *slot = *id + 1;
    return true;
}

/* Slot, word, text: each is found through the one before, so all words take each step together. Where a slot was taken
 * by another word first, the wrong line comes, which harms nothing. */
void yr_dictionary_prefetch(const yr_dictionary *d, const yr_counted *words, uint32_t count)
{
    if (!d->word_slot_count) return;
    uint32_t mask = d->word_slot_count - 1;
    for (uint32_t i = 0; i < count; i++) __builtin_prefetch(&d->word_slots[(uint32_t)words[i].hash & mask]);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = d->word_slots[(uint32_t)words[i].hash & mask];
        if (slot) __builtin_prefetch(&d->words[slot - 1]);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = d->word_slots[(uint32_t)words[i].hash & mask];
        if (slot) __builtin_prefetch(d->words[slot - 1].text);
    }
}

bool yr_dictionary_add(yr_dictionary *d, const yr_counted *counted, uint32_t *id)
{
    uint32_t hash = (uint32_t)counted->hash;
    if (!reserve_slot(d, &d->word_slots, &d->word_slot_count, d->word_count, word_hash)) return false;
    uint32_t at = hash & (d->word_slot_count - 1);
    for (; d->word_slots[at]; at = (at + 1) & (d->word_slot_count - 1)) {
        const yr_word *word = &d->words[d->word_slots[at] - 1];
        if (word->hash == hash && word->size == counted->word_size &&
            memcmp(word->text, counted->word, word->size) == 0) {
            *id = d->word_slots[at] - 1;
            return true;
        }
    }
    uint32_t term;
    if (d->word_count >= UINT32_MAX / 4 || !yr_space_fits(d->space, counted->word_size)) return false;
    if (!yr_space_grow(d->space, &d->words, &d->word_capacity, (uint64_t)d->word_count + 1, sizeof *d->words))
        return false;
    const uint8_t *text = yr_arena_copy(&d->bytes, counted->word, counted->word_size);
    if (!text || !add_term(d, counted, yr_counted_is_stem(counted) ? text : NULL, &term)) return false;
    *id = d->word_count++;
    d->words[*id] = (yr_word){.text = text,
                              .hash = hash,
                              .term = term,
                              .next_of_term = d->terms[term].first_word,
                              .size = counted->word_size};
    d->terms[term].first_word = *id;
    d->word_slots[at] = *id + 1;
    return true;
}

/* -- order -- */

static int compare_words(const yr_dictionary *d, uint32_t a, uint32_t b)
{
    return yr_slice_order(yr_word_text(d, a), yr_word_text(d, b));
}

/* Merge sort of ids, bottom up: the order is needed by two callers with a context, which qsort has none of. */
static void sort_words(const yr_dictionary *d, uint32_t *ids, uint32_t *scratch, uint32_t count)
{
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t from = 0; from < count; from += 2 * width) {
            uint64_t mid = from + width < count ? from + width : count;
            uint64_t end = from + 2 * width < count ? from + 2 * width : count;
            uint64_t a = from, b = mid;
            for (uint64_t at = from; at < end; at++) {
                bool take_a = a < mid && (b >= end || compare_words(d, ids[a], ids[b]) <= 0);
                scratch[at] = take_a ? ids[a++] : ids[b++];
            }
        }
        memcpy(ids, scratch, count * sizeof *ids);
    }
}

bool yr_dictionary_sort(yr_dictionary *d)
{
    uint32_t fresh = d->word_count - d->sorted_count;
    if (fresh < UNSORTED_MIN || fresh < d->sorted_count / 8) return true;
    if (!yr_space_grow(d->space, &d->sorted, &d->sorted_capacity, d->word_count, sizeof *d->sorted))
        return false;
    size_t bytes = (size_t)fresh * 2 * sizeof(uint32_t);
    uint32_t *tail = yr_space_alloc(d->space, bytes);
    if (!tail) return false;
    for (uint32_t i = 0; i < fresh; i++) tail[i] = d->sorted_count + i;
    sort_words(d, tail, tail + fresh, fresh);
    /* from the end, so that nothing is overwritten before it is read */
    uint32_t a = d->sorted_count, b = fresh;
    for (uint32_t at = d->word_count; b;) {
        bool take_a = a && compare_words(d, d->sorted[a - 1], tail[b - 1]) > 0;
        d->sorted[--at] = take_a ? d->sorted[--a] : tail[--b];
    }
    d->sorted_count = d->word_count;
    yr_space_free(d->space, tail, bytes);
    return true;
}

static bool starts_with(yore_slice text, yore_slice prefix)
{
    return text.size >= prefix.size && memcmp(text.data, prefix.data, prefix.size) == 0;
}

void yr_dictionary_prefix(const yr_dictionary *d, yore_slice prefix, yr_word_fn each, void *context)
{
    uint32_t low = 0, high = d->sorted_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (yr_slice_order(yr_word_text(d, d->sorted[mid]), prefix) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    for (; low < d->sorted_count && starts_with(yr_word_text(d, d->sorted[low]), prefix); low++) {
        if (!each(context, d->sorted[low])) return;
    }
    for (uint32_t id = d->sorted_count; id < d->word_count; id++) {
        if (starts_with(yr_word_text(d, id), prefix) && !each(context, id)) return;
    }
}
