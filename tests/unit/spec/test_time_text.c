/* yore/time.h: format, parse, spans, and that each refusal points at the place and offers a form that works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <yore/time.h>

#include "engine/base/rng.h"
#include "engine/base/time_text.h"

static int64_t parsed(const char *text, int32_t offset)
{
    int64_t ns = 0;
    yore_error err = YORE_ERROR_INIT;
    if (yore_time_parse(yore_str(text), offset, &ns, &err) != YORE_OK)
        fail_msg("'%s': %s", text, err.message);
    return ns;
}

static void test_format_writes_rfc_3339_in_the_display_zone(void **state)
{
    (void)state;
    static const struct {
        int64_t ns;
        int32_t offset;
        unsigned digits;
        const char *text;
    } rows[] = {
        {0, 0, 9, "1970-01-01T00:00:00.000000000Z"},
        {0, 0, 0, "1970-01-01T00:00:00Z"},
        {-1, 0, 9, "1969-12-31T23:59:59.999999999Z"},
        {-1, 0, 0, "1969-12-31T23:59:59Z"},
        {1769860800123456789, 0, 3, "2026-01-31T12:00:00.123Z"},
        {1769860800123456789, 3600, 1, "2026-01-31T13:00:00.1+01:00"},
        {1769860800123456789, -34200, 9, "2026-01-31T02:30:00.123456789-09:30"},
        {1769860800000000000, 86340, 0, "2026-02-01T11:59:00+23:59"},
        {1769860800000000000, 3599, 0, "2026-01-31T12:59:00+00:59"}, /* seconds of an offset are dropped */
        {1769860800000000000, 59, 0, "2026-01-31T12:00:00Z"},
        {1769860800000000000, 200000, 0, "2026-02-01T11:59:00+23:59"},
        {1769860800000000000, 0, 99, "2026-01-31T12:00:00.000000000Z"},
        {INT64_MIN, 0, 9, "1677-09-21T00:12:43.145224192Z"},
        {INT64_MIN, -86340, 9, "1677-09-20T00:13:43.145224192-23:59"},
        {INT64_MAX, 0, 9, "2262-04-11T23:47:16.854775807Z"},
        {INT64_MAX, 86340, 9, "2262-04-12T23:46:16.854775807+23:59"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[YORE_TIME_TEXT_SIZE];
        size_t length = yore_time_format(rows[i].ns, rows[i].offset, rows[i].digits, text, sizeof text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(length, strlen(text));
    }
    char small[8];
    assert_int_equal(yore_time_format(0, 0, 0, small, sizeof small), 20);
    assert_string_equal(small, "1970-01");
}

static void test_what_format_writes_parse_reads_back_to_the_nanosecond(void **state)
{
    (void)state;
    uint64_t seed = 42;
    print_message("seed %llu\n", (unsigned long long)seed);
    yr_rng rng = {seed};
    for (int i = 0; i < 300000; i++) {
        int64_t ns = (int64_t)yr_rng_next(&rng);
        if (i < 4) ns = i < 2 ? INT64_MIN + i : INT64_MAX - i + 2;
        int32_t offset = (int32_t)yr_rng_below(&rng, 2 * YORE_UTC_OFFSET_S_MAX + 1) - YORE_UTC_OFFSET_S_MAX;
        char text[YORE_TIME_TEXT_SIZE];
        yore_time_format(ns, i % 2 ? offset : 0, 9, text, sizeof text);
        assert_true(parsed(text, offset) == ns);
        unsigned digits = (unsigned)yr_rng_below(&rng, 9);
        int64_t unit = 1;
        for (unsigned d = digits; d < 9; d++) unit *= 10;
        if (ns < INT64_MIN + unit) continue; /* cut toward the past, which is before int64 here */
        int64_t below = ns % unit < 0 ? ns % unit + unit : ns % unit;
        yore_time_format(ns, offset, digits, text, sizeof text);
        assert_true(parsed(text, 0) == ns - below);
    }
}

static void test_parse_reads_each_form_in_the_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t offset;
        int64_t ns;
    } rows[] = {
        {"2026-01-31", 0, 1769817600000000000},
        {"2026-01-31", 3600, 1769814000000000000},
        {"2026-01-31 12:00", 0, 1769860800000000000},
        {"2026-01-31T12:00", 0, 1769860800000000000},
        {"2026-01-31T12:00", -18000, 1769878800000000000},
        {"2026-01-31 12:00:01", 0, 1769860801000000000},
        {"2026-01-31 12:00:01.5", 0, 1769860801500000000},
        {"2026-01-31 12:00:01.000000001", 0, 1769860801000000001},
        {"2026-01-31T12:00:00Z", 7200, 1769860800000000000}, /* a zone in the text wins */
        {"2026-01-31t12:00:00z", 7200, 1769860800000000000},
        {"2026-01-31 12:00:00Z", 7200, 1769860800000000000},
        {"2026-01-31T13:00:00+01:00", 0, 1769860800000000000},
        {"2026-01-31T12:00:00-00:00", 3600, 1769860800000000000},
        {"2026-01-31T12:00:00.25-23:59", 0, 1769947140250000000},
        {"2024-02-29", 0, 1709164800000000000},
        {"1969-12-31T23:59:59.999999999Z", 0, -1},
        {"1677-09-21T00:12:43.145224192Z", 0, INT64_MIN},
        {"2262-04-11T23:47:16.854775807Z", 0, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (parsed(rows[i].text, rows[i].offset) != rows[i].ns) fail_msg("'%s'", rows[i].text);
    }
}

static const struct {
    const char *text;
    uint32_t offset;
    const char *nearest; /* "" = the general example */
} inexact[] = {
    {"", 0, ""},
    {"2026", 4, ""},
    {"2026-1-31", 6, "2026-01-31"},
    {"2026-01-3", 9, "2026-01-03"},
    {"2026-01-311", 10, ""},
    {"2026-02-30", 8, "2026-02-28"},
    {"2026-02-29", 8, "2026-02-28"},
    {"2026-04-31", 8, "2026-04-30"},
    {"2026-00-10", 5, ""},
    {"2026-13-01", 5, "2026-01-13"},
    {"2026-01-00", 8, ""},
    {"2026/01/31", 4, "2026-01-31"},
    {"31.01.2026", 2, "2026-01-31"},
    {"01/31/2026", 2, "2026-01-31"},
    {"03/04/2026", 2, ""}, /* april or march: no guess */
    {"04/04/2026", 2, "2026-04-04"},
    {"26-01-31", 2, ""},
    {" 2026-01-31", 0, "2026-01-31"},
    {"2026-01-31 ", 11, "2026-01-31"},
    {"2026-01-31T", 11, "2026-01-31"},
    {"2026-01-31  12:00", 11, "2026-01-31 12:00:00"},
    {"2026-01-31 9:30", 12, "2026-01-31 09:30:00"},
    {"2026-01-31 12", 13, "2026-01-31 12:00:00"},
    {"2026-01-31 12:0", 15, "2026-01-31 12:00:00"},
    {"2026-01-31 24:00", 11, "2026-01-31"},
    {"2026-01-31 12:60", 14, "2026-01-31"},
    {"2026-01-31 12:00:61", 17, "2026-01-31"},
    {"2026-06-30T23:59:60Z", 17, "2026-06-30T23:59:59Z"},
    {"2026-01-31 12:00:00.", 20, "2026-01-31 12:00:00"},
    {"2026-01-31 12:00:00,5", 19, "2026-01-31 12:00:00.5"},
    {"2026-01-31 12:00:00.1234567891", 29, "2026-01-31 12:00:00.123456789"},
    {"2026-01-31T12:00Z", 16, "2026-01-31T12:00:00Z"},
    {"2026-01-31T12:00:00 Z", 19, "2026-01-31T12:00:00Z"},
    {"2026-01-31 12:00:00 UTC", 19, "2026-01-31T12:00:00Z"},
    {"2026-01-31T12:00:00+0100", 22, "2026-01-31T12:00:00+01:00"},
    {"2026-01-31T12:00:00+1:00", 21, "2026-01-31T12:00:00+01:00"},
    {"2026-01-31T12:00:00+01", 22, "2026-01-31T12:00:00+01:00"},
    {"2026-01-31T12:00:00+24:00", 19, ""},
    {"2026-01-31T12:00:00Zx", 20, "2026-01-31T12:00:00Z"},
    {"2026-01-31_12:00", 10, "2026-01-31 12:00:00"},
    {"+2026-01-31", 0, ""},
    {"2h", 1, ""},
    {"now", 0, ""},
};

static void test_parse_refuses_what_is_not_exact_and_says_where(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof inexact / sizeof inexact[0]; i++) {
        int64_t ns = 7;
        yore_error err = YORE_ERROR_INIT;
        char hint[128];
        if (yore_time_parse(yore_str(inexact[i].text), 0, &ns, &err) != YORE_ERR_SPEC)
            fail_msg("'%s' was read", inexact[i].text);
        assert_int_equal(ns, 7);
        assert_int_equal(err.code, YORE_ERR_SPEC);
        if (err.offset != inexact[i].offset)
            fail_msg("'%s': offset %u, %s", inexact[i].text, err.offset, err.message);
        snprintf(hint, sizeof hint, "write %s",
                 inexact[i].nearest[0] ? inexact[i].nearest : "2026-01-31T12:00:00Z or '2026-01-31 12:00'");
        if (strcmp(err.hint, hint) != 0) fail_msg("'%s': hint '%s'", inexact[i].text, err.hint);
        if (inexact[i].text[0] && !strstr(err.message, inexact[i].text))
            fail_msg("'%s' not in '%s'", inexact[i].text, err.message);
        if (inexact[i].nearest[0]) (void)parsed(inexact[i].nearest, 0);
        assert_int_equal(yore_time_parse(yore_str(inexact[i].text), 0, &ns, NULL), YORE_ERR_SPEC);
    }
    yore_error err = YORE_ERROR_INIT;
    int64_t ns;
    assert_int_equal(yore_time_parse(yore_bytes("2026-01-31\0", 11), 0, &ns, &err), YORE_ERR_SPEC);
}

static void test_a_time_outside_int64_is_out_of_range_not_misspelt(void **state)
{
    (void)state;
    static const char *const rows[] = {"0000-01-01", "1677-09-21T00:12:43.145224191Z",
                                       "2262-04-11T23:47:16.854775808Z", "9999-12-31T23:59:59Z",
                                       "2262-04-12"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ns = 7;
        yore_error err = YORE_ERROR_INIT;
        assert_int_equal(yore_time_parse(yore_str(rows[i]), 0, &ns, &err), YORE_ERR_TIME_RANGE);
        assert_int_equal(ns, 7);
    }
}

static void test_spans_are_read_with_short_and_long_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t months;
        int64_t ns;
    } rows[] = {
        {"0s", 0, 0},
        {"5ns", 0, 5},
        {"5us", 0, 5000},
        {"5ms", 0, 5000000},
        {"90s", 0, 90 * YORE_NS_PER_S},
        {"5min", 0, 300 * YORE_NS_PER_S},
        {"2h", 0, 7200 * YORE_NS_PER_S},
        {"1d12h", 0, 129600 * YORE_NS_PER_S},
        {"1w", 0, 604800 * YORE_NS_PER_S},
        {"6mo", 6, 0},
        {"1y6mo", 18, 0},
        {"2 hours", 0, 7200 * YORE_NS_PER_S},
        {"1 hour", 0, 3600 * YORE_NS_PER_S},
        {"2 hour", 0, 7200 * YORE_NS_PER_S},
        {"1 day 12 hours", 0, 129600 * YORE_NS_PER_S},
        {"1d 12h", 0, 129600 * YORE_NS_PER_S},
        {"2minutes3seconds", 0, 123 * YORE_NS_PER_S},
        {"1 year 1 month 1 week 1 day", 13, 691200 * YORE_NS_PER_S},
        {"7 nanoseconds 7 microseconds 7 milliseconds", 0, 7007007},
        {"9223372036854775807ns", 0, INT64_MAX},
        {"4294967295mo", UINT32_MAX, 0},
        {"007s", 0, 7 * YORE_NS_PER_S},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yore_span span = YORE_SPAN_INIT;
        yore_error err = YORE_ERROR_INIT;
        if (yore_span_parse(yore_str(rows[i].text), &span, &err) != YORE_OK)
            fail_msg("'%s': %s", rows[i].text, err.message);
        assert_int_equal(span.months, rows[i].months);
        assert_true(span.ns == rows[i].ns);
    }
}

static void test_span_refusals_name_the_unit_and_the_nearest_form(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t offset;
        const char *in_message;
        const char *nearest;
    } rows[] = {
        {"", 0, "numbers with units", ""},
        {"h", 0, "numbers with units", ""},
        {"2", 1, "no unit", ""},
        {"1h2", 3, "no unit", ""},
        {"5m", 1, "minutes (5min) or months (5mo)", "5min"},
        {"1h5m", 3, "minutes (5min) or months (5mo)", "1h5min"},
        {"5m 3s", 1, "minutes (5min) or months (5mo)", "5min 3s"},
        {"5M", 1, "minutes (5min) or months (5mo)", "5min"},
        {"2H", 1, "'H' is no unit", "2h"},
        {"2hrs", 1, "'hrs' is no unit", "2h"},
        {"30 sec", 3, "'sec' is no unit", "30 s"},
        {"30 secnods", 3, "'secnods' is no unit", "30 s"},
        {"2 huors", 2, "'huors' is no unit", "2 h"},
        {"3 dyas", 2, "'dyas' is no unit", "3 d"},
        {"5mins", 1, "'mins' is no unit", "5min"},
        {"5\xC2\xB5s", 1, "is no unit", "5us"},
        {"2 fortnights", 2, "'fortnights' is no unit", ""},
        {"1.5h", 1, "whole numbers", ""},
        {"-2h", 0, "numbers with units", ""},
        {"2h ", 2, "a blank follows", ""},
        {" 2h", 0, "numbers with units", ""},
        {"2h,3s", 2, "numbers with units", ""},
        {"9223372036854775808ns", 0, "292 years", ""},
        {"99999999999999999999h", 0, "292 years", ""},
        {"4294967296mo", 0, "292 years", ""},
        {"9223372036s 1h", 12, "292 years", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yore_span span = {sizeof span, 77, 77};
        yore_error err = YORE_ERROR_INIT;
        char hint[128];
        if (yore_span_parse(yore_str(rows[i].text), &span, &err) != YORE_ERR_SPEC)
            fail_msg("'%s' was read", rows[i].text);
        assert_int_equal(span.months, 77);
        assert_true(span.ns == 77);
        if (err.offset != rows[i].offset)
            fail_msg("'%s': offset %u, %s", rows[i].text, err.offset, err.message);
        if (!strstr(err.message, rows[i].in_message)) fail_msg("'%s': %s", rows[i].text, err.message);
        snprintf(hint, sizeof hint, "write %s",
                 rows[i].nearest[0] ? rows[i].nearest : "90s, 5min, 1d12h, 2w or 1y6mo");
        if (strcmp(err.hint, hint) != 0) fail_msg("'%s': hint '%s'", rows[i].text, err.hint);
    }
}

static void test_spans_move_times_by_the_calendar_of_the_zone(void **state)
{
    (void)state;
    static const struct {
        const char *base;
        const char *span;
        int direction;
        int32_t offset;
        const char *result;
    } rows[] = {
        {"2026-01-31T12:00:00Z", "2h", -1, 0, "2026-01-31T10:00:00Z"},
        {"2026-03-31T12:00:00Z", "1mo", -1, 0, "2026-02-28T12:00:00Z"},
        {"2024-03-31T12:00:00Z", "1mo", -1, 0, "2024-02-29T12:00:00Z"},
        {"2024-02-29T12:00:00Z", "1y", 1, 0, "2025-02-28T12:00:00Z"},
        {"2026-03-31T12:00:00Z", "1mo1d", -1, 0, "2026-02-27T12:00:00Z"}, /* months first */
        {"2026-03-31T12:00:00Z", "1d1mo", -1, 0, "2026-02-27T12:00:00Z"}, /* in any order */
        {"2026-01-31T12:00:00Z", "7d", 1, 0, "2026-02-07T12:00:00Z"},
        /* 23:30 UTC on 28 February is 1 March in +01:00, so the month before is 1 February there. */
        {"2026-02-28T23:30:00Z", "1mo", -1, 3600, "2026-01-31T23:30:00Z"},
        {"2026-02-28T23:30:00Z", "1mo", -1, 0, "2026-01-28T23:30:00Z"},
        {"1970-01-01T00:00:00Z", "292y", 1, 0, "2262-01-01T00:00:00Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yore_span span = YORE_SPAN_INIT;
        int64_t ns = 0;
        char text[YORE_TIME_TEXT_SIZE];
        assert_int_equal(yore_span_parse(yore_str(rows[i].span), &span, NULL), YORE_OK);
        int64_t base = parsed(rows[i].base, 0);
        yore_status status = rows[i].direction > 0 ? yore_time_add(base, &span, rows[i].offset, &ns, NULL)
                                                   : yore_time_sub(base, &span, rows[i].offset, &ns, NULL);
        assert_int_equal(status, YORE_OK);
        yore_time_format(ns, 0, 0, text, sizeof text);
        assert_string_equal(text, rows[i].result);
    }
}

static void test_a_move_past_the_end_of_time_is_out_of_range(void **state)
{
    (void)state;
    yore_span years = {sizeof years, 12 * 300, 0}, ns = {sizeof ns, 0, INT64_MAX},
              never = {sizeof never, UINT32_MAX, 0};
    int64_t out = 7;
    assert_int_equal(yore_time_add(0, &years, 0, &out, NULL), YORE_ERR_TIME_RANGE);
    assert_int_equal(yore_time_sub(0, &years, 0, &out, NULL), YORE_ERR_TIME_RANGE);
    assert_int_equal(yore_time_add(1, &ns, 0, &out, NULL), YORE_ERR_TIME_RANGE);
    assert_int_equal(yore_time_sub(-2, &ns, 0, &out, NULL), YORE_ERR_TIME_RANGE);
    assert_int_equal(yore_time_add(0, &never, 0, &out, NULL), YORE_ERR_TIME_RANGE);
    assert_int_equal(yore_time_sub(0, &never, 0, &out, NULL), YORE_ERR_TIME_RANGE);
    assert_int_equal(out, 7);
    ns.ns = -1;
    assert_int_equal(yore_time_add(0, &ns, 0, &out, NULL), YORE_ERR_MISUSE);
    int64_t ignored;
    assert_int_equal(yr_span_apply(0, &years, 1, 0, &ignored), YR_CALENDAR_AFTER);
    assert_true(ignored == INT64_MAX);
    assert_int_equal(yr_span_apply(0, &years, -1, 0, &ignored), YR_CALENDAR_BEFORE);
    assert_true(ignored == INT64_MIN);
}

/* Any text at all: never a crash, and an offset inside the text. */
static void test_random_text_is_refused_or_read_back_to_itself(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789-:TZ .+hmsdwy/,oag\xC3\xA9\0";
    yr_rng rng = {7};
    for (int i = 0; i < 300000; i++) {
        char text[24];
        size_t size = (size_t)yr_rng_below(&rng, sizeof text);
        for (size_t j = 0; j < size; j++) text[j] = alphabet[yr_rng_below(&rng, sizeof alphabet)];
        yore_error err = YORE_ERROR_INIT;
        int64_t ns;
        yore_span span = YORE_SPAN_INIT;
        yore_status status = yore_time_parse(yore_bytes(text, size), 0, &ns, &err);
        if (status == YORE_ERR_SPEC) assert_true(err.offset <= size);
        status = yore_span_parse(yore_bytes(text, size), &span, &err);
        if (status == YORE_ERR_SPEC) assert_true(err.offset <= size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_writes_rfc_3339_in_the_display_zone),
        cmocka_unit_test(test_what_format_writes_parse_reads_back_to_the_nanosecond),
        cmocka_unit_test(test_parse_reads_each_form_in_the_grammar),
        cmocka_unit_test(test_parse_refuses_what_is_not_exact_and_says_where),
        cmocka_unit_test(test_a_time_outside_int64_is_out_of_range_not_misspelt),
        cmocka_unit_test(test_spans_are_read_with_short_and_long_units),
        cmocka_unit_test(test_span_refusals_name_the_unit_and_the_nearest_form),
        cmocka_unit_test(test_spans_move_times_by_the_calendar_of_the_zone),
        cmocka_unit_test(test_a_move_past_the_end_of_time_is_out_of_range),
        cmocka_unit_test(test_random_text_is_refused_or_read_back_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
