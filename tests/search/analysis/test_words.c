/* Word boundaries: Unicode's own cases, and every boundary of random text compared with libunistring's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <unistr.h>
#include <uniwbrk.h>

#include "search/analysis/words.h"
#include "tests/search/analysis/analysis_kit.h"

#define TEXT_MAX 400u

/* breaks[i] = 1: a segment of ours begins at i. */
static void our_breaks(const uint8_t *text, size_t size, char *breaks)
{
    memset(breaks, 0, size);
    yr_words words = yr_words_of(yore_bytes(text, size));
    yr_word word;
    size_t at = 0;
    while (yr_words_next(&words, &word)) {
        assert_int_equal(word.from, at); /* nothing is left out */
        assert_true(word.to > word.from && word.to <= size);
        breaks[word.from] = 1;
        at = word.to;
    }
    assert_int_equal(at, size);
}

static void fail_on(const char *what, const uint8_t *text, size_t size)
{
    printf("%s:", what);
    for (size_t i = 0; i < size; i++) printf(" %02x", text[i]);
    printf("\n");
    fail();
}

/* One line of WordBreakTest.txt: "÷ 0061 × 0308 ÷", read into bytes and the breaks between them. */
static size_t read_case(const char *line, uint8_t *text, char *breaks)
{
    size_t size = 0;
    bool is_break = false;
    while (*line && *line != '#') {
        if (strncmp(line, "\xC3\xB7", 2) == 0 || strncmp(line, "\xC3\x97", 2) == 0) {
            is_break = line[1] == '\xB7';
            line += 2;
        } else if (strchr("0123456789ABCDEF", *line)) {
            char *end;
            int length = u8_uctomb(text + size, (ucs4_t)strtoul(line, &end, 16), 6);
            assert_true(length > 0);
            memset(breaks + size, 0, (size_t)length);
            breaks[size] = is_break;
            size += (size_t)length;
            line = end;
        } else {
            line++;
        }
    }
    return size;
}

static void test_every_line_of_unicodes_word_break_test(void **state)
{
    (void)state;
    char path[KIT_PATH_SIZE], line[4096], ours[TEXT_MAX], theirs[TEXT_MAX];
    uint8_t text[TEXT_MAX];
    if (!kit_data_path("suites/unicode-15.0/WordBreakTest.txt", path)) return;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    int cases = 0;
    while (fgets(line, sizeof line, file)) {
        size_t size = read_case(line, text, theirs);
        if (!size) continue;
        our_breaks(text, size, ours);
        if (memcmp(ours, theirs, size) != 0) fail_on(line, text, size);
        cases++;
    }
    fclose(file);
    assert_int_equal(cases, 1823);
}

static void expect_unistrings_breaks(const uint8_t *text, size_t size)
{
    char ours[TEXT_MAX], theirs[TEXT_MAX];
    our_breaks(text, size, ours);
    u8_wordbreaks(text, size, theirs);
    if (size) theirs[0] = 1; /* it says nothing about the start */
    if (memcmp(ours, theirs, size) != 0) fail_on("another boundary than libunistring's", text, size);
}

static void test_ascii_table_is_unistrings(void **state)
{
    (void)state;
    for (uint8_t c = 0; c < 128; c++) assert_int_equal(yr_words_ascii_property(c), uc_wordbreak_property(c));
}

static void test_random_ascii_breaks_as_in_unistring(void **state)
{
    (void)state;
    yr_rng rng = {kit_seed(1)};
    uint8_t text[TEXT_MAX];
    for (int i = 0; i < 100000; i++) expect_unistrings_breaks(text, kit_random_ascii(&rng, text, 60));
}

static void test_random_text_breaks_as_in_unistring(void **state)
{
    (void)state;
    yr_rng rng = {kit_seed(2)};
    uint8_t text[TEXT_MAX];
    for (int i = 0; i < 200000; i++) expect_unistrings_breaks(text, kit_random_text(&rng, false, text, 80));
    for (int i = 0; i < 5000; i++)
        expect_unistrings_breaks(text, kit_random_text(&rng, false, text, TEXT_MAX));
}

/* Cutting a text at a boundary changes no other: why no window is needed, at any size. */
static void test_a_segment_does_not_depend_on_what_stands_before_it(void **state)
{
    (void)state;
    yr_rng rng = {kit_seed(3)};
    uint8_t text[TEXT_MAX];
    char whole[TEXT_MAX], rest[TEXT_MAX];
    for (int i = 0; i < 20000; i++) {
        size_t size = kit_random_text(&rng, true, text, 80);
        our_breaks(text, size, whole);
        for (size_t from = 0; from < size; from++) {
            if (!whole[from]) continue;
            our_breaks(text + from, size - from, rest);
            if (memcmp(rest, whole + from, size - from) != 0) fail_on("depends on its past", text, size);
        }
    }
}

static void test_bytes_that_are_not_utf8_stand_alone(void **state)
{
    (void)state;
    yr_rng rng = {kit_seed(4)};
    uint8_t text[TEXT_MAX];
    for (int i = 0; i < 50000; i++) {
        size_t size = kit_random_text(&rng, true, text, 80);
        yr_words words = yr_words_of(yore_bytes(text, size));
        yr_word word;
        while (yr_words_next(&words, &word)) {
            size_t length = word.to - word.from;
            bool valid = u8_check(text + word.from, length) == NULL;
            if (!valid && (length != 1 || word.is_word)) fail_on("a bad byte in a segment", text, size);
        }
    }
    char breaks[8];
    our_breaks((const uint8_t *)"ab\xFF"
                                "c\xE2\x82",
               6, breaks);
    assert_memory_equal(breaks, "\1\0\1\1\1\1", 6);
}

/* Skipping what is no word gives the words of the full walk, at the same places. */
static void test_next_word_finds_exactly_the_segments_that_are_words(void **state)
{
    (void)state;
    yr_rng rng = {kit_seed(5)};
    uint8_t text[TEXT_MAX];
    for (int i = 0; i < 100000; i++) {
        size_t size = i % 2 ? kit_random_text(&rng, true, text, 80) : kit_random_ascii(&rng, text, 60);
        yr_words all = yr_words_of(yore_bytes(text, size)), some = all;
        yr_word segment, word;
        while (yr_words_next(&all, &segment)) {
            if (!segment.is_word) continue;
            bool is_same = yr_words_next_word(&some, &word) && word.from == segment.from &&
                           word.to == segment.to && word.is_ascii == segment.is_ascii &&
                           word.is_syllabic == segment.is_syllabic && word.is_word;
            if (!is_same) fail_on("another word", text, size);
        }
        if (yr_words_next_word(&some, &word)) fail_on("a word too many", text, size);
    }
}

static void test_clusters_cover_a_text_and_keep_marks(void **state)
{
    (void)state;
    yr_rng rng = {kit_seed(6)};
    uint8_t text[TEXT_MAX];
    for (int i = 0; i < 20000; i++) {
        size_t size = kit_random_text(&rng, false, text, 120), at = 0;
        yr_words words = yr_words_of(yore_bytes(text, size));
        yr_word cluster;
        while (yr_words_next_cluster(&words, &cluster)) {
            assert_int_equal(cluster.from, at);
            assert_true(cluster.to > at);
            assert_null(u8_check(text + at, cluster.to - at));
            at = cluster.to;
        }
        assert_int_equal(at, size);
    }
    yr_words words = yr_words_of(yore_str("e\xCC\x81"
                                          "b"));
    yr_word cluster;
    assert_true(yr_words_next_cluster(&words, &cluster));
    assert_int_equal(cluster.to, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_line_of_unicodes_word_break_test),
        cmocka_unit_test(test_ascii_table_is_unistrings),
        cmocka_unit_test(test_random_ascii_breaks_as_in_unistring),
        cmocka_unit_test(test_random_text_breaks_as_in_unistring),
        cmocka_unit_test(test_a_segment_does_not_depend_on_what_stands_before_it),
        cmocka_unit_test(test_bytes_that_are_not_utf8_stand_alone),
        cmocka_unit_test(test_next_word_finds_exactly_the_segments_that_are_words),
        cmocka_unit_test(test_clusters_cover_a_text_and_keep_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
