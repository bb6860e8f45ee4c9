/* Small helpers for text people typed: reading UTF-8, quoting it in a message, and finding what they meant. */
#ifndef YR_TEXT_H
#define YR_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yore/types.h>

#define YR_QUOTE_SIZE 72u /* room for what yr_text_quote writes */

/* The code point at `text` and how many bytes it takes; 0 when they are not valid UTF-8 (overlong forms,
 * surrogates and numbers past U+10FFFF included) or `size` is 0. */
size_t yr_utf8_next(const char *text, size_t size, uint32_t *code);

/* Write text for a message: at most YR_QUOTE_SIZE - 1 bytes, cut with "..." between characters, with '?' for
 * control characters and for bytes that are not UTF-8. Returns `out`. */
const char *yr_text_quote(yore_slice text, char out[YR_QUOTE_SIZE]);

/* How many letters must be inserted, removed, replaced or swapped with a neighbour to make `a` of `b`;
 * `limit + 1` when it is more than `limit` or either is over 128 bytes. ASCII case counts as equal. */
unsigned yr_text_distance(yore_slice a, yore_slice b, unsigned limit);

#endif
