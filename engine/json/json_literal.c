/* json_literal.h, and what json_tree.h does with names: literals are decoded a character at a time, never stored. */
#include "engine/json/json_literal.h"

#include <string.h>

#include "engine/base/yr_assert.h"
#include "engine/json/json_tree.h"

/* The inside of a literal on its way through. */
typedef struct reader {
    const uint8_t *at;
    const uint8_t *end;
    uint8_t bytes[4]; /* of the character that an escape stood for */
    uint32_t used;
    uint32_t count;
} reader;

static uint32_t hex4(const uint8_t *at)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = at[i];
        uint32_t digit = c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a') + 10u;
        value = value * 16u + digit;
    }
    return value;
}

bool yr_json_has_lone_surrogate(yore_slice literal)
{
    const uint8_t *at = literal.data;
    const uint8_t *end = at + literal.size;
    while ((at = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        if (at[1] != 'u') {
            at += 2;
            continue;
        }
        uint32_t unit = hex4(at + 2);
        at += 6;
        if (unit < 0xd800u || unit > 0xdfffu) continue;
        if (unit >= 0xdc00u || end - at < 6 || at[0] != '\\' || at[1] != 'u') return true;
        uint32_t low = hex4(at + 2);
        if (low < 0xdc00u || low > 0xdfffu) return true;
        at += 6;
    }
    return false;
}

static reader reader_of(yore_slice literal)
{
    YR_DASSERT(literal.size >= 2);
    const uint8_t *at = literal.data;
    return (reader){.at = at + 1, .end = at + literal.size - 1};
}

static void encode(reader *r, uint32_t code)
{
    static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    r->used = 0;
    r->count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (uint32_t i = r->count; i-- > 1; code >>= 6) r->bytes[i] = (uint8_t)(0x80 | (code & 0x3f));
    r->bytes[0] = (uint8_t)(first[r->count] | code);
}

static void read_escape(reader *r)
{
    static const char letters[] = "bfnrt";
    static const char meant[] = "\b\f\n\r\t";
    uint8_t c = *r->at++;
    if (c != 'u') {
        const char *letter = memchr(letters, c, 5);
        encode(r, letter ? (uint8_t)meant[letter - letters] : c);
        return;
    }
    uint32_t code = hex4(r->at);
    r->at += 4;
    if (code >= 0xd800u && code <= 0xdbffu) {
        code = 0x10000u + ((code - 0xd800u) << 10) + (hex4(r->at + 2) - 0xdc00u);
        r->at += 6;
    }
    encode(r, code);
}

/* The next byte of what the literal stands for; -1 at its end. */
static int next_byte(reader *r)
{
    if (r->used < r->count) return r->bytes[r->used++];
    if (r->at == r->end) return -1;
    if (*r->at != '\\') return *r->at++;
    r->at++;
    read_escape(r);
    return r->bytes[r->used++];
}

int yr_json_compare_literals(yore_slice a, yore_slice b)
{
    reader x = reader_of(a);
    reader y = reader_of(b);
    if (!memchr(x.at, '\\', a.size - 2) && !memchr(y.at, '\\', b.size - 2)) {
        size_t size = a.size < b.size ? a.size : b.size;
        int order = memcmp(x.at, y.at, size - 2);
        return order ? order : (a.size > b.size) - (a.size < b.size);
    }
    int p, q;
    do {
        p = next_byte(&x);
        q = next_byte(&y);
    } while (p == q && p >= 0);
    return (p > q) - (p < q);
}

bool yr_json_path_append(yr_buf *path, yore_slice name)
{
    reader r = reader_of(name);
    uint8_t *at;
    if (!yr_buf_reserve(path, 1 + 2 * name.size, &at)) return false;
    uint8_t *begin = at;
    *at++ = '/';
    for (int c; (c = next_byte(&r)) >= 0;) {
        if (c == '~' || c == '/') {
            *at++ = '~';
            *at++ = c == '~' ? '0' : '1';
        } else {
            *at++ = (uint8_t)c;
        }
    }
    path->size += (size_t)(at - begin);
    return true;
}
