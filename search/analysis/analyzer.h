/* Text to terms.
 *
 * value -> is it text? -> UAX #29 words -> NFKC case folding -> stop words out -> Snowball stem -> term
 *
 * An analyzer is immutable after it was opened except for its stemmer's scratch: one thread at a time; open one per
 * thread. The same settings give the same terms for ever with one version of the libraries: what they were is in
 * yr_analyzer_describe, which an index records (newer Snowball releases stem differently).
 */
#ifndef YR_SEARCH_ANALYZER_H
#define YR_SEARCH_ANALYZER_H

#include <stdatomic.h>
#include <stdbool.h>

#include <yore.h>

typedef struct yr_analyzer yr_analyzer;

/* One term of a text. Borrows the analyzer's scratch: valid until the callback returns. */
typedef struct yr_token {
    yore_slice term;   /* folded and stemmed UTF-8, 1..YR_TERM_BYTES_MAX bytes */
    yore_slice folded; /* the same word before stemming: what `prefix*` compares with */
    uint64_t from;     /* bytes [from, to) of the analysed text */
    uint64_t to;
    uint32_t position; /* 0, 1, 2...; a stop word takes a position and gives no token */
} yr_token;

/* A word whose folded form is longer is cut into pieces of this many bytes at most (at code point boundaries), each
 * with a position of its own, so a megabyte without a space is a thousand terms and not one. */
#define YR_TERM_BYTES_MAX 255u

/* Returns YORE_OK to go on; anything else ends the analysis and is returned by it. */
typedef yore_status (*yr_token_fn)(void *context, const yr_token *token, yore_error *err);

/* language  a libstemmer language ("english", "german", "en" ...), or "none": no stemming, no stop words.
 * Returns YORE_OK; YORE_ERR_NAME naming the nearest languages; YORE_ERR_NOMEM. */
yore_status yr_analyzer_open(const yore_env *env, yore_slice language, yr_analyzer **out, yore_error *err);
void yr_analyzer_close(yr_analyzer *analyzer);

/* The terms of `text`, in order. Invalid UTF-8 separates words and is never part of one.
 * Cost O(text); memory does not grow with the text.
 * Returns YORE_OK; YORE_ERR_CANCELLED, YORE_ERR_NOMEM, or what `emit` returned. */
yore_status yr_analyze(yr_analyzer *analyzer, yore_slice text, yr_token_fn emit, void *context,
                       yore_error *err);

/* When *cancel turns 1, yr_analyze ends with YORE_ERR_CANCELLED after some thousand words, stop words too. NULL: never,
 * as at first. */
void yr_analyzer_cancel_with(yr_analyzer *analyzer, const _Atomic uint32_t *cancel);

/* Is a stored value text worth indexing? False for empty values, numbers alone, and binary (a NUL, or invalid
 * UTF-8). */
bool yr_is_text(yore_slice value);

/* Is `word` (folded) a stop word of the analyzer's language? */
bool yr_analyzer_is_stop(const yr_analyzer *analyzer, yore_slice word);

/* "english, snowball 2.2.0, unicode 15.0, unistring 1.0, rules 2": two analyzers that say the same make the same terms
 * of the same text. NUL-terminated, the analyzer's. */
const char *yr_analyzer_describe(const yr_analyzer *analyzer);

/* The n-th language, NULL past the last. */
const char *yr_analyzer_language(size_t n);

#endif
