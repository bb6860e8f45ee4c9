/* One text as the index wants it: its distinct words with how often each occurs.
 *
 * Analysis is the slow part of indexing and needs nothing of the index, so the follower does it before it takes the
 * index's lock. The table of a counter is reused from text to text. */
#ifndef YR_SEARCH_TEXT_COUNTS_H
#define YR_SEARCH_TEXT_COUNTS_H

#include <stdatomic.h>

#include "search/analysis/analyzer.h"
#include "search/index/space.h"

/* A distinct folded word. Bytes are in the arena of the call. */
typedef struct yr_counted {
    const uint8_t *word;
    const uint8_t *term; /* what it is stemmed to; the same pointer when it is the same text */
    uint64_t hash;       /* of the word */
    uint32_t tf;
    uint16_t word_size;
    uint16_t term_size;
} yr_counted;

typedef struct yr_text_counts {
    yr_counted *words;
    uint32_t count;
    uint32_t length; /* tokens; 0 = not a document */
} yr_text_counts;

typedef struct yr_counter {
    yr_space *space; /* of the table, and the limit for it and the words */
    uint64_t secret; /* seeds the hash, so that nobody can choose words that collide */
    uint32_t *slots; /* 1 + index into the text's words, 0 = free; all free between texts */
    uint32_t slot_count;
    const _Atomic uint32_t *cancel; /* when it turns 1, calls end with YORE_ERR_CANCELLED; may be NULL */
    /* during a call */
    yr_arena *arena;
    yr_text_counts *out;
    uint32_t word_capacity;
} yr_counter;

void yr_counter_init(yr_counter *counter, yr_space *space, uint64_t secret);
void yr_counter_deinit(yr_counter *counter);

/* Count the words of a stored value. A value that is not text, or has no term, has length 0 and no words.
 * Everything lives in `arena`, which the counter's space watches.
 * Returns YORE_OK; YORE_ERR_LIMIT, YORE_ERR_NOMEM, YORE_ERR_CANCELLED. */
yore_status yr_count_text(yr_counter *counter, yr_analyzer *analyzer, yore_slice value, yr_arena *arena,
                          yr_text_counts *out, yore_error *err);

static inline bool yr_counted_is_stem(const yr_counted *word)
{
    return word->term == word->word;
}

#endif
