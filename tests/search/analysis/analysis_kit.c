#include "tests/search/analysis/analysis_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <unistr.h>

uint64_t kit_seed(uint64_t fallback)
{
    const char *given = getenv("YORE_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : fallback;
    printf("seed 0x%" PRIx64 "\n", seed);
    return seed;
}

bool kit_find_data(const char *name, char path[KIT_PATH_SIZE])
{
    const char *data = getenv("YORE_DATA"), *source = getenv("YORE_SOURCE_DIR");
    if (data && *data)
        snprintf(path, KIT_PATH_SIZE, "%s/%s", data, name);
    else
        snprintf(path, KIT_PATH_SIZE, "%s/../shared/data/%s", source ? source : ".", name);
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    fclose(file);
    return true;
}

bool kit_data_path(const char *name, char path[KIT_PATH_SIZE])
{
    if (kit_find_data(name, path)) return true;
    printf("skipped: no data\n");
    return false;
}

/* One of every kind that the word rules tell apart, and what normalisation does something to. */
static const uint32_t telling[] = {
    'a',     'b',     'I',     'Z',     '1',     '2',      ' ',    ' ',    '\n',   '\r',   '\t',
    '.',     ',',     ':',     ';',     '\'',    '"',      '_',    '-',    '!',    0x0B,   0x85,
    0x2028,  0xE9,    0xDF,    0x130,   0x131,   0x300,    0x308,  0x345,  0x3B1,  0x3A3,  0x3C2,
    0x436,   0x5D0,   0x5E9,   0x5F4,   0x627,   0x661,    0x66B,  0x66C,  0x915,  0x93F,  0x94D,
    0xE01,   0xE32,   0x1100,  0x1161,  0x11A8,  0xAC00,   0xAC01, 0x200B, 0x200C, 0x200D, 0xAD,
    0xFE0F,  0x3042,  0x30AB,  0x30FC,  0x3099,  0xFF76,   0xFF9E, 0x3300, 0x6F22, 0x5B57, 0x1F1E9,
    0x1F1EA, 0x1F1FA, 0x2764,  0x1F468, 0x1F466, 0x1F3FD,  0xFB01, 0xFF21, 0xFF11, 0xFF07, 0x2018,
    0x2019,  0x2024,  0xB7,    0x387,   0x55F,   0xFDFA,   0x24B6, 0x2460, 0xBD,   0xFEFF, 0x202E,
    0x203F,  0x3000,  0x1D400, 0x10400, 0x20000, 0x10FFFF, 0x115F, 0x3164, 0x2060, 0x180B,
};

static size_t put_code(uint32_t code, uint8_t *out)
{
    int size = u8_uctomb(out, code, 6);
    assert_true(size > 0);
    return (size_t)size;
}

size_t kit_random_text(yr_rng *rng, bool broken, uint8_t *out, size_t max)
{
    size_t size = 0, want = (size_t)yr_rng_below(rng, max + 1);
    while (size + 6 <= want) {
        uint64_t kind = yr_rng_below(rng, 16);
        uint32_t code = telling[yr_rng_below(rng, sizeof telling / sizeof telling[0])];
        if (kind == 0) code = (uint32_t)yr_rng_below(rng, 0x110000);
        if (kind == 1) code = (uint32_t)yr_rng_below(rng, 0x3100);
        if (kind == 2 || kind == 3) code = (uint32_t)yr_rng_below(rng, 0x80);
        if (code >= 0xD800 && code <= 0xDFFF) continue;
        if (broken && kind == 4)
            out[size++] = (uint8_t)(0x80 + yr_rng_below(rng, 0x80));
        else
            size += put_code(code, out + size);
    }
    return size;
}

size_t kit_random_ascii(yr_rng *rng, uint8_t *out, size_t max)
{
    static const char often[] = "aaabbbZ0019 .,:;'\"_-\n\r";
    size_t size = (size_t)yr_rng_below(rng, max + 1);
    for (size_t i = 0; i < size; i++) {
        bool is_any = yr_rng_below(rng, 8) == 0;
        out[i] = is_any ? (uint8_t)yr_rng_below(rng, 128)
                        : (uint8_t)often[yr_rng_below(rng, sizeof often - 1)];
    }
    return size;
}

yr_analyzer *kit_open(const char *language)
{
    yr_analyzer *analyzer = NULL;
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yr_analyzer_open(yore_env_default(), yore_str(language), &analyzer, &err);
    if (status != YORE_OK) fail_msg("%s: %s", language, err.message);
    return analyzer;
}

typedef struct list {
    char *text;
    size_t size;
    size_t capacity;
    unsigned what;
} list;

static void add(list *l, const char *bytes, size_t size)
{
    if (l->size + size + 1 > l->capacity) {
        l->capacity = 2 * (l->size + size + 1);
        l->text = realloc(l->text, l->capacity);
        assert_non_null(l->text);
    }
    memcpy(l->text + l->size, bytes, size);
    l->size += size;
    l->text[l->size] = '\0';
}

static yore_status add_token(void *context, const yr_token *token, yore_error *err)
{
    (void)err;
    list *l = context;
    char number[64];
    if (l->size) add(l, " ", 1);
    if (l->what & KIT_POSITIONS) {
        snprintf(number, sizeof number, "%" PRIu32 ":", token->position);
        add(l, number, strlen(number));
    }
    yore_slice word = l->what & KIT_FOLDED ? token->folded : token->term;
    if (l->what & (KIT_FOLDED | KIT_TERMS)) add(l, word.data, word.size);
    if (l->what & KIT_SPANS) {
        snprintf(number, sizeof number, "@%" PRIu64 "-%" PRIu64, token->from, token->to);
        add(l, number, strlen(number));
    }
    return YORE_OK;
}

const char *kit_terms(yr_analyzer *analyzer, const void *text, size_t size, unsigned what)
{
    static list l;
    l.size = 0;
    l.what = what;
    add(&l, "", 0);
    yore_error err = YORE_ERROR_INIT;
    assert_int_equal(yr_analyze(analyzer, yore_bytes(text, size), add_token, &l, &err), YORE_OK);
    return l.text;
}
