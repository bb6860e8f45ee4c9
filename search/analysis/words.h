/* UAX #29 word boundaries, one segment at a time, in constant memory.
 *
 * The rules are ours, the properties of characters are libunistring's; ASCII never leaves this file. A segment does
 * not depend on what stands before it, so a text of any size is read in one pass without a window: every boundary
 * equals that of u8_wordbreaks over the whole text (the tests compare them). A byte that is not valid UTF-8 is a
 * segment of its own and joins nothing.
 */
#ifndef YR_SEARCH_WORDS_H
#define YR_SEARCH_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

typedef struct yr_words {
    const uint8_t *text;
    size_t size;
    size_t at; /* a boundary */
} yr_words;

typedef struct yr_word {
    size_t from;
    size_t to;
    bool is_word;     /* holds a letter or a number: worth a term */
    bool is_ascii;    /* nothing but ASCII */
    bool is_syllabic; /* holds Katakana, or Hiragana that becomes several: each character is a word */
} yr_word;

static inline yr_words yr_words_of(yore_slice text)
{
    return (yr_words){.text = text.data, .size = text.size, .at = 0};
}

/* The next segment, whatever it is; false at the end. */
bool yr_words_next(yr_words *words, yr_word *out);

/* The next segment that is a word; false at the end. */
bool yr_words_next_word(yr_words *words, yr_word *out);

/* A character with everything that continues it (marks, joiners, the later jamo of a Hangul syllable), for words
 * that are cut: normalising such clusters one by one or all at once gives the same. Cut after CLUSTER_CODES_MAX
 * characters, as in the Stream-Safe Text Format (UAX #15), so that a run of marks cannot grow one without bound.
 * `at` is the cluster's end afterwards; valid UTF-8 only. */
#define YR_CLUSTER_CODES_MAX 32u
bool yr_words_next_cluster(yr_words *words, yr_word *out);

/* The ASCII part of the property table, for the tests. */
int yr_words_ascii_property(uint8_t c);

#endif
