/* Numbers to bytes and back, and the bounded reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"

static void test_numbers_come_back_in_both_orders(void **state)
{
    (void)state;
    yr_rng rng = {1};
    for (int i = 0; i < 10000; i++) {
        uint64_t v = yr_rng_next(&rng) >> yr_rng_below(&rng, 64);
        uint8_t at[8];
        yr_put_le16(at, (uint16_t)v);
        assert_int_equal(yr_get_le16(at), (uint16_t)v);
        yr_put_le32(at, (uint32_t)v);
        assert_int_equal(yr_get_le32(at), (uint32_t)v);
        yr_put_be32(at, (uint32_t)v);
        assert_int_equal(yr_get_be32(at), (uint32_t)v);
        yr_put_le64(at, v);
        assert_int_equal(yr_get_le64(at), v);
        yr_put_be64(at, v);
        assert_int_equal(yr_get_be64(at), v);
    }
}

static void test_byte_order_is_what_the_name_says(void **state)
{
    (void)state;
    const uint64_t v = UINT64_C(0x0102030405060708);
    uint8_t at[8];
    yr_put_le64(at, v);
    assert_memory_equal(at, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    yr_put_be64(at, v);
    assert_memory_equal(at, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    yr_put_le32(at, 0x01020304);
    assert_memory_equal(at, "\x04\x03\x02\x01", 4);
    yr_put_be32(at, 0x01020304);
    assert_memory_equal(at, "\x01\x02\x03\x04", 4);
    yr_put_le16(at, 0x0102);
    assert_memory_equal(at, "\x02\x01", 2);
}

static void test_slices_order_like_bytes_and_prefixes_first(void **state)
{
    (void)state;
    static const yore_slice rising[] = {{"", 0},   {"\0", 1}, {"a", 1},   {"a\0", 2},
                                        {"ab", 2}, {"b", 1},  {"\xFF", 1}};
    const int count = sizeof rising / sizeof rising[0];
    for (int i = 0; i < count; i++) {
        for (int j = 0; j < count; j++) {
            int order = yr_slice_compare(rising[i], rising[j]);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(yr_slice_equal(rising[i], rising[j]), i == j);
        }
    }
    assert_true(yr_slice_equal((yore_slice){NULL, 0}, (yore_slice){"", 0}));
}

static void test_reader_never_passes_the_end_and_stays_broken(void **state)
{
    (void)state;
    uint8_t bytes[15];
    memset(bytes, 0x11, sizeof bytes);
    yr_reader r = yr_reader_of(yore_bytes(bytes, sizeof bytes));
    assert_int_equal(yr_take_u8(&r), 0x11);
    assert_int_equal(yr_take_le16(&r), 0x1111);
    assert_int_equal(yr_take_le32(&r), 0x11111111);
    assert_int_equal(yr_take_le64(&r), UINT64_C(0x1111111111111111));
    assert_true(r.ok && r.left == 0);
    assert_int_equal(yr_take_u8(&r), 0);
    assert_false(r.ok);

    r = yr_reader_of(yore_bytes(bytes, sizeof bytes));
    assert_null(yr_take(&r, SIZE_MAX).data);
    assert_false(r.ok);
    assert_int_equal(yr_take_u8(&r), 0); /* though a byte is left */
    assert_int_equal(r.left, sizeof bytes);
}

static void test_sums_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    size_t sum = 7;
    assert_true(yr_add_size(SIZE_MAX - 1, 1, &sum));
    assert_int_equal(sum, SIZE_MAX);
    assert_false(yr_add_size(SIZE_MAX, 1, &sum));
}

static void test_bounded_random_numbers_stay_below_and_reach_all(void **state)
{
    (void)state;
    yr_rng rng = {5};
    uint32_t seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = yr_rng_below(&rng, 7);
        assert_true(v < 7);
        seen |= UINT32_C(1) << v;
    }
    assert_int_equal(seen, 0x7F);
    assert_int_equal(yr_rng_below(&rng, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_come_back_in_both_orders),
        cmocka_unit_test(test_byte_order_is_what_the_name_says),
        cmocka_unit_test(test_slices_order_like_bytes_and_prefixes_first),
        cmocka_unit_test(test_reader_never_passes_the_end_and_stays_broken),
        cmocka_unit_test(test_sums_that_do_not_fit_are_refused),
        cmocka_unit_test(test_bounded_random_numbers_stay_below_and_reach_all),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
