/* Bytes of value files and of references to them: fixed by example, checked in every bit, and not believed when their
 * sums are right and what they say cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/hash128.h"
#include "engine/format/value_format.h"

#define SEED UINT64_C(0x1234567890abcdef)

/* 30 values of 100 bytes: 64 + 30 * (104 + 32), two pages, footer. */
static const yr_value_footer sample = {.file_bytes = 64 + 30 * 136 + 2 * 512 + 128,
                                       .directory_off = 64 + 30 * 136,
                                       .values = 30,
                                       .value_bytes = 3000,
                                       .largest_bytes = 100,
                                       .after_version = 7,
                                       .last_version = 9,
                                       .file_hash = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static void hex(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* What stands in segments: may never change under format 1. */
static void test_a_reference_has_these_bytes(void **state)
{
    (void)state;
    uint8_t bytes[YR_VALUE_REF_BYTES];
    char text[2 * sizeof bytes + 1];
    yr_value_ref_encode(
        &(yr_value_ref){.file_id = 13, .off = 64, .bytes = 70000, .hash = UINT64_C(0xfedcba9876543210)},
        bytes);
    hex(bytes, sizeof bytes, text);
    assert_string_equal(text,
                        "01000000d27e3ffc0d00000000000000400000000000000070110100000000001032547698badcfe");
}

static void test_the_hash_of_a_value_is_this(void **state)
{
    (void)state;
    uint8_t digest[YR_HASH128_BYTES];
    yr_hash128_of("a value", 7, digest);
    assert_int_equal(yr_value_hash_of(digest), UINT64_C(0x4d100b8a73bc3302));
}

static void test_sizes_of_what_belongs_to_a_value(void **state)
{
    (void)state;
    static const struct {
        uint64_t bytes, record;
        uint32_t chunks;
    } cases[] = {{1, 8 + 32, 1},
                 {8, 8 + 32, 1},
                 {9, 16 + 32, 1},
                 {65537, 65544 + 32, 1},
                 {262144, 262144 + 32, 1},
                 {262145, 262152 + 40, 2},
                 {1u << 30, (UINT64_C(1) << 30) + 8 * 4096 + 24, 4096}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(yr_value_chunks(cases[i].bytes), cases[i].chunks);
        assert_int_equal(yr_value_record_bytes(cases[i].bytes), cases[i].record);
    }
}

/* -- footer -- */

static bool decodes(const uint8_t *bytes, uint64_t file_bytes, bool is_unchecked)
{
    yr_value_footer got;
    const char *why;
    return yr_value_footer_decode(yore_bytes(bytes, YR_VALUE_FOOTER_BYTES), file_bytes, SEED, is_unchecked,
                                  &got, &why);
}

static void test_a_footer_is_read_back_and_any_changed_bit_is_seen(void **state)
{
    (void)state;
    uint8_t bytes[YR_VALUE_FOOTER_BYTES];
    yr_value_footer got;
    const char *why;
    yr_value_footer_encode(&sample, SEED, bytes);
    assert_true(
        yr_value_footer_decode(yore_bytes(bytes, sizeof bytes), sample.file_bytes, SEED, false, &got, &why));
    assert_memory_equal(&got, &sample, sizeof got);
    for (uint32_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(decodes(bytes, sample.file_bytes, false));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_false(decodes(bytes, sample.file_bytes + 8, false)); /* at another place */
    assert_false(yr_value_footer_decode(yore_bytes(bytes, sizeof bytes), sample.file_bytes, SEED + 1, false,
                                        &got, &why)); /* of another file */
    assert_false(yr_value_footer_decode(yore_bytes(bytes, sizeof bytes - 1), sample.file_bytes, SEED, false,
                                        &got, &why));
    assert_false(yr_value_footer_decode(yore_bytes(bytes, sizeof bytes), 100, SEED, false, &got, &why));
}

static void refused(yr_value_footer lie, const char *want)
{
    uint8_t bytes[YR_VALUE_FOOTER_BYTES];
    yr_value_footer got;
    const char *why = "";
    yr_value_footer_encode(&lie, SEED, bytes);
    assert_false(
        yr_value_footer_decode(yore_bytes(bytes, sizeof bytes), lie.file_bytes, SEED, false, &got, &why));
    assert_string_equal(why, want);
}

static void test_footers_with_a_right_sum_that_cannot_be_are_refused(void **state)
{
    (void)state;
    const char *sum = "sizes do not add up", *values = "values do not fit their sizes";
    yr_value_footer lie = sample;
    lie.directory_off += 8, refused(lie, sum);
    lie = sample, lie.directory_off = 56, refused(lie, "directory out of range");
    lie = sample, lie.directory_off = UINT64_MAX - 7, refused(lie, "directory out of range");
    lie = sample, lie.directory_off += 4, refused(lie, "directory out of range");
    lie = sample, lie.values = 43, refused(lie, sum);
    lie = sample, lie.values = 0, refused(lie, sum);
    lie = sample, lie.values = 30 * 136 / 40 + 1, refused(lie, "too many values");
    lie = sample, lie.values = UINT64_MAX, refused(lie, "too many values");
    lie = sample, lie.largest_bytes = 0, refused(lie, values);
    lie = sample, lie.largest_bytes = 3001, refused(lie, values);
    lie = sample, lie.value_bytes = 99, refused(lie, values);
    lie = sample, lie.value_bytes = 30 * 136 + 1, refused(lie, "more bytes than the file has");
    lie = sample, lie.value_bytes = lie.largest_bytes = UINT64_MAX, refused(lie, values);
    lie = sample, lie.last_version = lie.after_version, refused(lie, "versions out of order");
    lie = sample, lie.file_bytes = YR_VALUE_FILE_BYTES_MAX + 8, refused(lie, "too large");
}

/* -- pages and tails -- */

static void test_a_page_is_read_back_and_any_changed_bit_is_seen(void **state)
{
    (void)state;
    for (uint32_t count = 0; count <= YR_VALUE_PAGE_ENTRIES; count += 7) {
        uint8_t page[YR_VALUE_PAGE_BYTES];
        yr_value_ref refs[YR_VALUE_PAGE_ENTRIES], got[YR_VALUE_PAGE_ENTRIES];
        memset(refs, 0, sizeof refs);
        for (uint32_t i = 0; i < count; i++) refs[i] = (yr_value_ref){13, 64 + 136 * i, 100, i * SEED};
        yr_value_page_encode(refs, count, SEED, 4096, page);
        assert_true(yr_value_page_decode(page, count, 13, SEED, 4096, false, got));
        assert_memory_equal(refs, got, count * sizeof *refs);
        assert_false(yr_value_page_decode(page, count, 13, SEED, 4608, false, got));
        assert_false(yr_value_page_decode(page, count, 13, SEED ^ 1, 4096, false, got));
        if (count) assert_false(yr_value_page_decode(page, count - 1, 13, SEED, 4096, false, got));
        for (uint32_t bit = 0; bit < 8 * sizeof page; bit++) {
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(yr_value_page_decode(page, count, 13, SEED, 4096, false, got));
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void test_a_tail_speaks_of_one_value_at_one_place(void **state)
{
    (void)state;
    yr_value_ref ref = {.file_id = 13, .off = 64, .bytes = 3 * YR_VALUE_CHUNK_BYTES - 5, .hash = 99}, other;
    uint8_t tail[3 * 8 + YR_VALUE_TAIL_BYTES] = {1, 2, 3};
    assert_int_equal(yr_value_tail_bytes(ref.bytes), sizeof tail);
    yr_value_tail_encode(&ref, SEED, 8192, tail);
    assert_true(yr_value_tail_check(&ref, tail, SEED, 8192, false));
    assert_false(yr_value_tail_check(&ref, tail, SEED, 8200, false));
    assert_false(yr_value_tail_check(&ref, tail, SEED + 1, 8192, false));
    other = ref, other.hash++;
    assert_false(yr_value_tail_check(&other, tail, SEED, 8192, true));
    other = ref, other.bytes--;
    assert_false(yr_value_tail_check(&other, tail, SEED, 8192, true));
    for (uint32_t bit = 0; bit < 8 * sizeof tail; bit++) {
        tail[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(yr_value_tail_check(&ref, tail, SEED, 8192, false));
        tail[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_references_are_held_against_the_footer(void **state)
{
    (void)state;
    const uint64_t end = sample.directory_off;
    static const uint64_t max = UINT64_MAX;
    const yr_value_ref good[] = {
        {13, 64, 100, 0}, {13, 64, 1, 0}, {13, end - 136, 100, 0}, {13, end - 40, 8, 0}};
    const yr_value_ref bad[] = {{13, 56, 100, 0},        {13, 0, 1, 0},         {13, 64, 0, 0},
                                {13, 64, 101, 0},        {13, 65, 100, 0},      {13, end, 1, 0},
                                {13, end - 128, 100, 0}, {13, end - 32, 8, 0},  {13, end + 8, 1, 0},
                                {13, max - 7, 8, 0},     {13, max - 7, 100, 0}, {13, 64, max, 0},
                                {13, 64, max - 31, 0}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(yr_value_ref_fits(&good[i], &sample));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(yr_value_ref_fits(&bad[i], &sample));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reference_has_these_bytes),
        cmocka_unit_test(test_the_hash_of_a_value_is_this),
        cmocka_unit_test(test_sizes_of_what_belongs_to_a_value),
        cmocka_unit_test(test_a_footer_is_read_back_and_any_changed_bit_is_seen),
        cmocka_unit_test(test_footers_with_a_right_sum_that_cannot_be_are_refused),
        cmocka_unit_test(test_a_page_is_read_back_and_any_changed_bit_is_seen),
        cmocka_unit_test(test_a_tail_speaks_of_one_value_at_one_place),
        cmocka_unit_test(test_references_are_held_against_the_footer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
