/* Cluster boundaries: each line of Unicode's test, and the same answers as a reading from the start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unigbrk.h>
#include <unistr.h>

#include "engine/base/rng.h"
#include "search/snippet/grapheme.h"

#define TEXT_MAX 256u

static void check_searches(yore_slice text)
{
    for (size_t at = 0; at <= text.size; at++) {
        size_t below = at, above = at;
        while (!yr_grapheme_is_break(text, below)) below--;
        while (!yr_grapheme_is_break(text, above)) above++;
        assert_int_equal(yr_grapheme_floor(text, at), below);
        assert_int_equal(yr_grapheme_ceil(text, at), above);
    }
}

/* One line: code points in hex, each behind its sign; `is_break` says what is before each byte and at the end. */
static size_t read_line(const char *line, uint8_t *text, bool *is_break)
{
    size_t size = 0;
    memset(is_break, 0, TEXT_MAX);
    for (const char *at = line; *at && *at != '#' && *at != '\n';) {
        if (strncmp(at, "\xC3\xB7", 2) == 0) { /* the division sign: a boundary */
            is_break[size] = true;
            at += 2;
        } else if (strncmp(at, "\xC3\x97", 2) == 0) {
            at += 2;
        } else if (*at == ' ' || *at == '\t') {
            at++;
        } else {
            char *end;
            ucs4_t code = (ucs4_t)strtoul(at, &end, 16);
            assert_true(end > at);
            int bytes = u8_uctomb(text + size, code, (ptrdiff_t)(TEXT_MAX - size));
            assert_true(bytes > 0);
            size += (size_t)bytes;
            at = end;
        }
    }
    return size;
}

static void test_each_line_of_the_unicode_test(void **state)
{
    (void)state;
    const char *data = getenv("YORE_DATA");
    char path[4096], line[4096];
    (void)snprintf(path, sizeof path, "%s/suites/unicode-15.0/GraphemeBreakTest.txt",
                   data ? data : "../shared/data");
    FILE *file = fopen(path, "r");
    if (!file) {
        printf("skipped: no data\n");
        skip();
    }
    size_t lines = 0, wrong = 0;
    while (fgets(line, sizeof line, file)) {
        uint8_t bytes[TEXT_MAX];
        bool is_break[TEXT_MAX];
        if (line[0] == '#' || line[0] == '\n') continue;
        size_t size = read_line(line, bytes, is_break);
        yore_slice text = yore_bytes(bytes, size);
        lines++;
        for (size_t at = 0; at <= size; at++) {
            if (yr_grapheme_is_break(text, at) == is_break[at]) continue;
            print_error("at byte %zu of %s", at, line);
            wrong++;
        }
        check_searches(text);
    }
    (void)fclose(file);
    printf("%zu lines\n", lines);
    assert_true(lines >= 602);
    assert_int_equal(wrong, 0);
}

static void test_boundaries_are_those_of_a_reading_from_the_start(void **state)
{
    (void)state;
    static const ucs4_t codes[] = {'a',     ' ',    '\r',   '\n',   0x0301, 0x200D,  0x0600,  0x0903,
                                   0x1100,  0x1160, 0x11A8, 0xAC00, 0xAC01, 0x1F1E6, 0x1F1FF, 0x1F468,
                                   0x1F3FB, 0x2764, 0xFE0F, 0x0E33, 0x4E00, 0x0,     0xAD,    0x10FFFF};
    const char *given = getenv("YORE_TEST_SEED");
    yr_rng rng = {given ? strtoull(given, NULL, 0) : UINT64_C(0x6BA9)};
    printf("seed 0x%" PRIx64 "\n", rng.state);
    for (int round = 0; round < 50000; round++) {
        uint8_t bytes[TEXT_MAX];
        char expected[TEXT_MAX];
        size_t size = 0;
        for (uint64_t count = 1 + yr_rng_below(&rng, 12); count > 0; count--) {
            ucs4_t code = codes[yr_rng_below(&rng, sizeof codes / sizeof *codes)];
            size += (size_t)u8_uctomb(bytes + size, code, (ptrdiff_t)(TEXT_MAX - size));
        }
        u8_grapheme_breaks(bytes, size, expected);
        for (size_t at = 0; at < size; at++) {
            if (yr_grapheme_is_break(yore_bytes(bytes, size), at) == (expected[at] != 0)) continue;
            for (size_t i = 0; i < size; i++) printf("%02X ", bytes[i]);
            fail_msg("at byte %zu", at);
        }
    }
}

static void test_bytes_that_are_not_utf8_stand_alone(void **state)
{
    (void)state;
    yore_slice text = yore_bytes("a\x80\x80\xCC\x81\xE2\x80z\xF0\x9F", 10);
    static const bool is_break[] = {1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1};
    for (size_t at = 0; at <= text.size; at++) {
        if (yr_grapheme_is_break(text, at) != is_break[at]) fail_msg("at byte %zu", at);
    }
    check_searches(text);
}

static void test_an_endless_cluster_is_cut_between_code_points(void **state)
{
    (void)state;
    static uint8_t bytes[8 * YR_GRAPHEME_BYTES_MAX];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = i % 2 ? 0x81 : 0xCC;
    yore_slice text = yore_bytes(bytes, sizeof bytes);
    size_t middle = sizeof bytes / 2;
    assert_int_equal(yr_grapheme_floor(text, middle), middle);
    assert_int_equal(yr_grapheme_floor(text, middle + 1), middle);
    assert_int_equal(yr_grapheme_ceil(text, middle), middle);
    assert_int_equal(yr_grapheme_ceil(text, middle + 1), middle + 2);
    assert_int_equal(yr_grapheme_floor(text, 100), 0);
    assert_int_equal(yr_grapheme_ceil(text, sizeof bytes - 100), sizeof bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_line_of_the_unicode_test),
        cmocka_unit_test(test_boundaries_are_those_of_a_reading_from_the_start),
        cmocka_unit_test(test_bytes_that_are_not_utf8_stand_alone),
        cmocka_unit_test(test_an_endless_cluster_is_cut_between_code_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
