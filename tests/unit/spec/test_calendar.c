/* The calendar against the C library's timegm, which knows the same proleptic Gregorian one. */
#define _DEFAULT_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/calendar.h"
#include "engine/base/rng.h"

static void test_every_day_from_year_0_to_9999_has_the_number_libc_gives(void **state)
{
    (void)state;
    int64_t expected = yr_calendar_days(0, 1, 1);
    struct tm first = {.tm_year = -1900, .tm_mon = 0, .tm_mday = 1};
    assert_int_equal(expected, timegm(&first) / 86400);
    for (int32_t year = 0; year <= 9999; year++) {
        for (int32_t month = 1; month <= 12; month++) {
            struct tm next = {
                .tm_year = year - 1900, .tm_mon = month, .tm_mday = 1}; /* first of the month after */
            assert_int_equal(expected, yr_calendar_days(year, month, 1));
            expected += yr_calendar_days_in_month(year, month);
            assert_int_equal(expected, timegm(&next) / 86400);
        }
    }
}

static void test_from_ns_agrees_with_gmtime_over_the_whole_range(void **state)
{
    (void)state;
    yr_rng rng = {20260131};
    for (int i = 0; i < 200000; i++) {
        int64_t ns = (int64_t)yr_rng_next(&rng);
        if (i == 0) ns = INT64_MIN;
        if (i == 1) ns = INT64_MAX;
        if (i > 1 && i < 3000) ns = i - 1500; /* around 1970 */
        time_t seconds = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
        struct tm want;
        yr_civil got;
        assert_non_null(gmtime_r(&seconds, &want));
        yr_calendar_from_ns(ns, 0, &got);
        assert_int_equal(got.year, want.tm_year + 1900);
        assert_int_equal(got.month, want.tm_mon + 1);
        assert_int_equal(got.day, want.tm_mday);
        assert_int_equal(got.hour, want.tm_hour);
        assert_int_equal(got.minute, want.tm_min);
        assert_int_equal(got.second, want.tm_sec);
        int64_t back;
        assert_int_equal(yr_calendar_to_ns(&got, 0, &back), YR_CALENDAR_FITS);
        assert_int_equal(back, ns);
        int32_t offset = (int32_t)yr_rng_below(&rng, 172801) - 86400;
        yr_calendar_from_ns(ns, offset, &got);
        assert_true(yr_calendar_is_valid(&got));
        assert_int_equal(yr_calendar_to_ns(&got, offset, &back), YR_CALENDAR_FITS);
        assert_int_equal(back, ns);
    }
}

static void test_a_moment_outside_int64_says_which_side(void **state)
{
    (void)state;
    int64_t ns;
    yr_civil last = {2262, 4, 11, 23, 47, 16, 854775807};
    yr_civil after = {2262, 4, 11, 23, 47, 16, 854775808};
    yr_civil first = {1677, 9, 21, 0, 12, 43, 145224192};
    yr_civil before = {1677, 9, 21, 0, 12, 43, 145224191};
    yr_civil far = {9999, 12, 31, 23, 59, 59, 999999999};
    yr_civil year_zero = {0, 1, 1, 0, 0, 0, 0};
    assert_int_equal(yr_calendar_to_ns(&last, 0, &ns), YR_CALENDAR_FITS);
    assert_true(ns == INT64_MAX);
    assert_int_equal(yr_calendar_to_ns(&first, 0, &ns), YR_CALENDAR_FITS);
    assert_true(ns == INT64_MIN);
    assert_int_equal(yr_calendar_to_ns(&after, 0, &ns), YR_CALENDAR_AFTER);
    assert_true(ns == INT64_MAX);
    assert_int_equal(yr_calendar_to_ns(&before, 0, &ns), YR_CALENDAR_BEFORE);
    assert_true(ns == INT64_MIN);
    assert_int_equal(yr_calendar_to_ns(&far, 0, &ns), YR_CALENDAR_AFTER);
    assert_int_equal(yr_calendar_to_ns(&year_zero, 0, &ns), YR_CALENDAR_BEFORE);
}

static void test_months_are_added_by_the_calendar_and_clamp_to_the_last_day(void **state)
{
    (void)state;
    static const struct {
        yr_civil from;
        int64_t months;
        int32_t year, month, day;
    } rows[] = {
        {{2026, 1, 31, 1, 2, 3, 4}, 1, 2026, 2, 28},   {{2024, 1, 31, 0, 0, 0, 0}, 1, 2024, 2, 29},
        {{2024, 3, 31, 0, 0, 0, 0}, -1, 2024, 2, 29},  {{2024, 2, 29, 0, 0, 0, 0}, 12, 2025, 2, 28},
        {{2024, 2, 29, 0, 0, 0, 0}, -12, 2023, 2, 28}, {{2024, 2, 29, 0, 0, 0, 0}, 48, 2028, 2, 29},
        {{1900, 3, 30, 0, 0, 0, 0}, -1, 1900, 2, 28},  {{2026, 1, 15, 0, 0, 0, 0}, -1, 2025, 12, 15},
        {{2025, 12, 31, 0, 0, 0, 0}, 1, 2026, 1, 31},  {{2026, 5, 31, 0, 0, 0, 0}, 1, 2026, 6, 30},
        {{2026, 5, 31, 0, 0, 0, 0}, 0, 2026, 5, 31},   {{2026, 8, 31, 0, 0, 0, 0}, -30, 2024, 2, 29},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yr_civil civil = rows[i].from;
        yr_calendar_add_months(&civil, rows[i].months);
        assert_int_equal(civil.year, rows[i].year);
        assert_int_equal(civil.month, rows[i].month);
        assert_int_equal(civil.day, rows[i].day);
        assert_int_equal(civil.hour, rows[i].from.hour);
        assert_int_equal(civil.ns, rows[i].from.ns);
    }
}

static void test_validity_rejects_each_field_out_of_range(void **state)
{
    (void)state;
    static const yr_civil wrong[] = {
        {2026, 0, 1, 0, 0, 0, 0},  {2026, 13, 1, 0, 0, 0, 0},         {2026, 1, 0, 0, 0, 0, 0},
        {2026, 2, 29, 0, 0, 0, 0}, {2026, 4, 31, 0, 0, 0, 0},         {2026, 1, 1, 24, 0, 0, 0},
        {2026, 1, 1, -1, 0, 0, 0}, {2026, 1, 1, 0, 60, 0, 0},         {2026, 1, 1, 0, 0, 60, 0},
        {2026, 1, 1, 0, 0, 0, -1}, {2026, 1, 1, 0, 0, 0, 1000000000}, {40000, 1, 1, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) assert_false(yr_calendar_is_valid(&wrong[i]));
    yr_civil leap = {2024, 2, 29, 23, 59, 59, 999999999};
    assert_true(yr_calendar_is_valid(&leap));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day_from_year_0_to_9999_has_the_number_libc_gives),
        cmocka_unit_test(test_from_ns_agrees_with_gmtime_over_the_whole_range),
        cmocka_unit_test(test_a_moment_outside_int64_says_which_side),
        cmocka_unit_test(test_months_are_added_by_the_calendar_and_clamp_to_the_last_day),
        cmocka_unit_test(test_validity_rejects_each_field_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
