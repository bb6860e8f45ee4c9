/* Whether two code points part is known from the two alone, except for two regional indicators (a flag is two of them:
 * their number before counts) and for a pictograph behind a joiner (what the joiner joins it to counts). */
#include "search/snippet/grapheme.h"

#include <unictype.h>
#include <unigbrk.h>

#include "engine/base/text.h"

#define JOINER 0x200Du
#define NOT_TEXT 0xFFFFFFFFu

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The code point that begins at `at` and its bytes; NOT_TEXT and 1 where there is none. */
static uint32_t code_at(yore_slice text, size_t at, size_t *bytes)
{
    uint32_t code;

    *bytes = yr_utf8_next((const char *)text.data + at, text.size - at, &code);
    if (*bytes > 0) return code;
    *bytes = 1;
    return NOT_TEXT;
}

/* The code point that ends at `at` > 0. */
static uint32_t code_before(yore_slice text, size_t at, size_t *bytes)
{
    const uint8_t *data = text.data;
    size_t from = at - 1, found;

    while (from > 0 && at - from < 4 && is_continuation(data[from])) from--;
    uint32_t code = code_at(text, from, &found);
    *bytes = found == at - from ? found : 1;
    return found == at - from ? code : NOT_TEXT;
}

static bool is_flag_half(uint32_t code)
{
    return code >= 0x1F1E6 && code <= 0x1F1FF;
}

/* Is the number of regional indicators that end at `at` odd? */
static bool is_half_flag_before(yore_slice text, size_t at)
{
    size_t stop = at > 256u * YR_GRAPHEME_BYTES_MAX ? at - 256u * YR_GRAPHEME_BYTES_MAX : 0;
    bool is_odd = false;

    for (size_t bytes; at > stop && is_flag_half(code_before(text, at, &bytes)); at -= bytes)
        is_odd = !is_odd;
    return is_odd;
}

/* Does a pictograph, with marks or without, end at `at`? */
static bool is_pictograph_before(yore_slice text, size_t at)
{
    size_t stop = at > YR_GRAPHEME_BYTES_MAX ? at - YR_GRAPHEME_BYTES_MAX : 0;

    for (size_t bytes; at > stop; at -= bytes) {
        uint32_t code = code_before(text, at, &bytes);
        if (code == NOT_TEXT) return false;
        if (uc_is_property_extended_pictographic(code)) return true;
        if (uc_graphemeclusterbreak_property(code) != GBP_EXTEND) return false;
    }
    return false;
}

bool yr_grapheme_is_break(yore_slice text, size_t at)
{
    size_t before_bytes, after_bytes;

    if (at == 0 || at >= text.size) return true;
    if (is_continuation(((const uint8_t *)text.data)[at])) {
        /* Inside a code point, or a stray byte. */
        size_t from = at;
        while (from > 0 && at - from < 4 && is_continuation(((const uint8_t *)text.data)[from])) from--;
        (void)code_at(text, from, &after_bytes);
        if (from + after_bytes > at) return false;
    }
    uint32_t before = code_before(text, at, &before_bytes);
    uint32_t after = code_at(text, at, &after_bytes);
    if (before == NOT_TEXT || after == NOT_TEXT) return true;
    if (is_flag_half(before) && is_flag_half(after)) return !is_half_flag_before(text, at);
    if (before == JOINER && uc_is_property_extended_pictographic(after))
        return !is_pictograph_before(text, at - before_bytes);
    /* 0 means "no character here" to uc_is_grapheme_break; as a control character it always stands alone. */
    return before == 0 || after == 0 || uc_is_grapheme_break(before, after);
}

size_t yr_grapheme_floor(yore_slice text, size_t at)
{
    size_t stop = at > YR_GRAPHEME_BYTES_MAX ? at - YR_GRAPHEME_BYTES_MAX : 0;
    size_t whole = SIZE_MAX; /* the nearest start of a code point */

    for (; at > stop; at--) {
        if (yr_grapheme_is_break(text, at)) return at;
        if (whole == SIZE_MAX && !is_continuation(((const uint8_t *)text.data)[at])) whole = at;
    }
    return stop == 0 ? 0 : whole;
}

size_t yr_grapheme_ceil(yore_slice text, size_t at)
{
    size_t stop = text.size - at > YR_GRAPHEME_BYTES_MAX ? at + YR_GRAPHEME_BYTES_MAX : text.size;
    size_t whole = SIZE_MAX;

    for (; at < stop; at++) {
        if (yr_grapheme_is_break(text, at)) return at;
        if (whole == SIZE_MAX && !is_continuation(((const uint8_t *)text.data)[at])) whole = at;
    }
    return stop == text.size ? stop : whole;
}
