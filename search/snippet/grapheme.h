/* Grapheme cluster boundaries (UAX #29, extended) around any byte of a text, without reading it from its start. */
#ifndef YR_SEARCH_GRAPHEME_H
#define YR_SEARCH_GRAPHEME_H

#include <stdbool.h>

#include <yore.h>

/* Bytes of one cluster; a longer one counts as cut between code points. Looking back for the parity of flags ends after
 * 256 of these. */
#define YR_GRAPHEME_BYTES_MAX 4096u

/* Is there a boundary before byte `at`? Bytes that are not UTF-8 are clusters of one. */
bool yr_grapheme_is_break(yore_slice text, size_t at);

/* The last boundary at or before `at`, and the first one at or behind it; at <= text.size. */
size_t yr_grapheme_floor(yore_slice text, size_t at);
size_t yr_grapheme_ceil(yore_slice text, size_t at);

#endif
