#include "engine/base/text.h"

#include <string.h>

#include "engine/base/yr_assert.h"

#define DISTANCE_BYTES_MAX 128u

size_t yr_utf8_next(const char *text, size_t size, uint32_t *code)
{
    if (!size) return 0;
    uint8_t first = (uint8_t)text[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                    : (first & 0xF0) == 0xE0         ? 3
                    : first >= 0xF0 && first <= 0xF4 ? 4
                                                     : 0;
    if (!length || length > size) return 0;
    uint32_t value = first & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        uint8_t next = (uint8_t)text[i];
        if ((next & 0xC0) != 0x80) return 0;
        value = value << 6 | (next & 0x3Fu);
    }
    if (length == 3 && (value < 0x800 || (value >= 0xD800 && value <= 0xDFFF))) return 0;
    if (length == 4 && (value < 0x10000 || value > 0x10FFFF)) return 0;
    *code = value;
    return length;
}

const char *yr_text_quote(yore_slice text, char out[YR_QUOTE_SIZE])
{
    const char *from = text.data;
    size_t used = 0;
    for (size_t at = 0; at < text.size;) {
        uint32_t code = 0;
        size_t length = yr_utf8_next(from + at, text.size - at, &code);
        bool plain = length && code >= 0x20 && (code < 0x7F || code >= 0xA0);
        size_t shown = plain ? length : 1;
        if (used + shown > YR_QUOTE_SIZE - 4) { /* "..." and the NUL */
            memcpy(out + used, "...", 3);
            used += 3;
            break;
        }
        if (plain)
            memcpy(out + used, from + at, length);
        else
            out[used] = '?';
        used += shown;
        at += length ? length : 1;
    }
    YR_ASSERT(used < YR_QUOTE_SIZE);
    out[used] = '\0';
    return out;
}

static uint8_t lower(const char *text, size_t at)
{
    uint8_t c = (uint8_t)text[at];
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned yr_text_distance(yore_slice a, yore_slice b, unsigned limit)
{
    const char *x = a.data, *y = b.data;
    if (a.size > DISTANCE_BYTES_MAX || b.size > DISTANCE_BYTES_MAX) return limit + 1;
    /* Three rows of the edit table: this letter of `a`, the one before (for replacing), and the one before
     * that (for swapping neighbours). */
    unsigned rows[3][DISTANCE_BYTES_MAX + 1];
    for (size_t j = 0; j <= b.size; j++) rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.size; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.size; j++) {
            bool same = lower(x, i - 1) == lower(y, j - 1);
            now[j] = least(before[j - 1] + !same, least(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(x, i - 1) == lower(y, j - 2) && lower(x, i - 2) == lower(y, j - 1))
                now[j] = least(now[j], two_before[j - 2] + 1);
        }
    }
    return least(rows[a.size % 3][b.size], limit + 1);
}
