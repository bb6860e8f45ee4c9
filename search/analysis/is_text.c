#include "search/analysis/analyzer.h"

#include <string.h>

#include "engine/base/text.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static size_t skip_digits(const uint8_t *text, size_t at, size_t size)
{
    while (at < size && text[at] >= '0' && text[at] <= '9') at++;
    return at;
}

/* A decimal number and nothing else: sign, digits, fraction, exponent; blanks around it. */
static bool is_number(const uint8_t *text, size_t size)
{
    size_t at = 0;
    while (size && is_blank(text[size - 1])) size--;
    while (at < size && is_blank(text[at])) at++;
    if (at < size && (text[at] == '+' || text[at] == '-')) at++;
    size_t start = at;
    at = skip_digits(text, at, size);
    size_t digits = at - start;
    if (at < size && text[at] == '.') {
        start = ++at;
        at = skip_digits(text, at, size);
        digits += at - start;
    }
    if (!digits) return false;
    if (at < size && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < size && (text[at] == '+' || text[at] == '-')) at++;
        start = at;
        at = skip_digits(text, at, size);
        if (at == start) return false;
    }
    return at == size;
}

/* Valid UTF-8, eight ASCII bytes at a time. */
static bool is_utf8(const uint8_t *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint64_t eight;
        if (size - at >= sizeof eight) {
            memcpy(&eight, text + at, sizeof eight);
            if (!(eight & UINT64_C(0x8080808080808080))) {
                at += sizeof eight;
                continue;
            }
        }
        uint32_t code;
        size_t length = yr_utf8_next((const char *)text + at, size - at, &code);
        if (!length) return false;
        at += length;
    }
    return true;
}

bool yr_is_text(yore_slice value)
{
    if (!value.size || memchr(value.data, 0, value.size)) return false;
    return is_utf8(value.data, value.size) && !is_number(value.data, value.size);
}
