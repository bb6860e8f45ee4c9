/* The words of the index, of all branches together, each once: its folded form, and the term it is stemmed to.
 *
 * D1 a word's term is a function of the word; words of one term are a list (`run`, `runs`, `running`).
 * D2 ids are dense from 0 and never change. Nothing is removed while the index lives.
 *
 * One writer (the follower, under the index's lock); readers look under the same lock. */
#ifndef YR_SEARCH_DICTIONARY_H
#define YR_SEARCH_DICTIONARY_H

#include "search/index/text_counts.h"

#define YR_NO_ID UINT32_MAX

typedef struct yr_word {
    const uint8_t *text;
    uint32_t hash;
    uint32_t term;
    uint32_t next_of_term; /* the next word with this term, YR_NO_ID at the end */
    uint16_t size;
} yr_word;

typedef struct yr_term {
    const uint8_t *text;
    uint32_t hash;
    uint32_t first_word;
    uint16_t size;
} yr_term;

typedef struct yr_dictionary {
    yr_space *space;
    uint64_t secret;
    yr_arena bytes;
    yr_word *words;
    uint32_t word_count, word_capacity;
    yr_term *terms;
    uint32_t term_count, term_capacity;
    uint32_t *word_slots; /* 1 + id, 0 = free */
    uint32_t word_slot_count;
    uint32_t *term_slots;
    uint32_t term_slot_count;
    uint32_t *sorted; /* words 0 .. sorted_count - 1 in the order of their bytes; later ones are not in it */
    uint32_t sorted_count, sorted_capacity;
} yr_dictionary;

void yr_dictionary_init(yr_dictionary *dictionary, yr_space *space, uint64_t secret);
void yr_dictionary_deinit(yr_dictionary *dictionary);

/* The words of one text will be added: overlap the cache misses of finding them. */
void yr_dictionary_prefetch(const yr_dictionary *dictionary, const yr_counted *words, uint32_t count);
/* Writer: the id of a counted word, new or known. False when memory is out. */
bool yr_dictionary_add(yr_dictionary *dictionary, const yr_counted *counted, uint32_t *id);
/* Writer, now and then: put the words that came since into the order, once they are worth it. */
bool yr_dictionary_sort(yr_dictionary *dictionary);

/* The id of a term, YR_NO_ID when no text ever held it. */
uint32_t yr_dictionary_term(const yr_dictionary *dictionary, yore_slice term);

static inline yore_slice yr_word_text(const yr_dictionary *dictionary, uint32_t id)
{
    return yore_bytes(dictionary->words[id].text, dictionary->words[id].size);
}

/* Call `each` for every word that starts with `prefix`, in no order. It returns false to stop. */
typedef bool (*yr_word_fn)(void *context, uint32_t word);
void yr_dictionary_prefix(const yr_dictionary *dictionary, yore_slice prefix, yr_word_fn each, void *context);

/* Byte order; a prefix comes first. */
static inline int yr_slice_order(yore_slice a, yore_slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

#endif
