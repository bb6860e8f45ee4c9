/* Branch and tag names: what is legal, and that a refusal says why and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/base/text.h"
#include "engine/branch/name.h"

static void test_legal_names_are_taken(void **state)
{
    (void)state;
    static const char *const names[] = {
        "default",
        "exp",
        "a",
        "_",
        "_x",
        "A1",
        "feature/x",
        "a.b",
        "a-b",
        "a+b",
        "a#b",
        "release/1.2.3",
        "v",
        "v1x",
        "V12",
        "vv12",
        "v1.2",
        "side/17",
        "now",
        "start",
        "fork",
        "today",
        "yesterday",
        "ago",
        "tag",
        "id",
        "a.",
        "a-",
        "x/y/z",
        "caf\xC3\xA9",
        "\xC3\xA9t\xC3\xA9",
        "\xE6\x9D\xB1\xE4\xBA\xAC",
        "\xD0\xBF\xD1\x80\xD0\xBE\xD0\xB1\xD0\xB0",
        "x\xF0\xA0\x80\x80" /* U+20000 */,
        "feature%402",
        "%31st",
        "%76123",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        yore_error err = YORE_ERROR_INIT;
        if (yore_name_check(yore_str(names[i]), &err) != YORE_OK) fail_msg("'%s': %s", names[i], err.message);
    }
    char longest[YORE_BRANCH_NAME_MAX];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(yore_name_check(yore_bytes(longest, sizeof longest), NULL), YORE_OK);
}

static void test_illegal_names_are_refused_with_reason_and_place(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t offset;
        const char *reason;
    } rows[] = {
        {"", 0, "empty"},
        {"1x", 0, "may not begin it"},
        {"-x", 0, "may not begin it"},
        {".x", 0, "may not begin it"},
        {"/x", 0, "may not begin it"},
        {"+x", 0, "may not begin it"},
        {"#x", 0, "may not begin it"},
        {"v1", 0, "is a version"},
        {"v007", 0, "is a version"},
        {"v18446744073709551616", 0, "is a version"},
        {"a..b", 1, "'..'"},
        {"a//b", 1, "'//'"},
        {"a/", 1, "ends with '/'"},
        {"a b", 1, "' ' may not stand"},
        {"a@b", 1, "'@' may not stand"},
        {"a:b", 1, "':' may not stand"},
        {"a\tb", 1, "'?' may not stand"},
        {"a\nb", 1, "'?' may not stand"},
        {"a\x7F", 1, "'?' may not stand"},
        {"a*", 1, "'*' may not stand"},
        {"a~1", 1, "'~' may not stand"},
        {"a^", 1, "'^' may not stand"},
        {"a\\b", 1, "'\\' may not stand"},
        {"a%", 1, "'%' may not stand"},
        {"a%4", 1, "'%' may not stand"},
        {"a%zz", 1, "'%' may not stand"},
        {"a%4a", 1, "'%' may not stand"}, /* escapes have one spelling */
        {"a\xC2\xA0"
         "b",
         1, "may not stand"},                  /* no-break space */
        {"a\xE2\x80\x8B", 1, "may not stand"}, /* zero-width space */
        {"a\xE2\x80\xAE", 1, "may not stand"}, /* right-to-left override */
        {"\xEF\xBB\xBF"
         "a",
         0, "may not begin"},                      /* byte order mark */
        {"a\xC2\x85", 1, "may not stand"},         /* C1 control */
        {"a\xE3\x80\x80", 1, "may not stand"},     /* ideographic space */
        {"a\xF0\x9F\x98\x80", 1, "may not stand"}, /* emoji */
        {"a\xEF\xBF\xBF", 1, "may not stand"},     /* noncharacter */
        {"a\xFF", 1, "may not stand"},             /* not UTF-8 */
        {"a\xC3", 1, "may not stand"},             /* cut off */
        {"a\xC0\xAF", 1, "may not stand"},         /* overlong '/' */
        {"a\xED\xA0\x80", 1, "may not stand"},     /* surrogate */
        {"a\xF4\x90\x80\x80", 1, "may not stand"}, /* past U+10FFFF */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        yore_error err = YORE_ERROR_INIT;
        if (yore_name_check(yore_str(rows[i].name), &err) != YORE_ERR_NAME)
            fail_msg("'%s' was taken", rows[i].name);
        if (err.offset != rows[i].offset || !strstr(err.message, rows[i].reason) || !err.hint[0])
            fail_msg("'%s': offset %u: %s", rows[i].name, err.offset, err.message);
        assert_int_equal(yore_name_check(yore_str(rows[i].name), NULL), YORE_ERR_NAME);
    }
    char over[YORE_BRANCH_NAME_MAX + 1];
    memset(over, 'x', sizeof over);
    assert_int_equal(yore_name_check(yore_bytes(over, sizeof over), NULL), YORE_ERR_NAME);
    assert_int_equal(yore_name_check(yore_bytes("a\0b", 3), NULL), YORE_ERR_NAME);
}

static void test_random_bytes_never_make_a_name_that_breaks_a_rule(void **state)
{
    (void)state;
    yr_rng rng = {11};
    unsigned legal = 0;
    for (int i = 0; i < 500000; i++) {
        static const char alphabet[] = "ab/.v1 @:%4F\xC3\xA9\xFF_-";
        char name[8];
        size_t size = (size_t)yr_rng_below(&rng, sizeof name);
        for (size_t j = 0; j < size; j++) name[j] = alphabet[yr_rng_below(&rng, sizeof alphabet)];
        if (yore_name_check(yore_bytes(name, size), NULL) != YORE_OK) continue;
        legal++;
        assert_true(size > 0 && name[size - 1] != '/' && !memchr(name, ' ', size) &&
                    !memchr(name, '@', size));
        assert_null(memchr(name, ':', size));
        assert_null(memchr(name, '\0', size));
        assert_null(memchr(name, '\xFF', size));
        for (size_t j = 1; j < size; j++)
            assert_false(name[j] == name[j - 1] && (name[j] == '.' || name[j] == '/'));
        assert_false(yr_name_is_version(yore_bytes(name, size)));
    }
    assert_true(legal > 1000);
}

static void test_distance_counts_edits_and_swaps(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        unsigned distance;
    } rows[] = {
        {"", "", 0},         {"now", "now", 0},      {"now", "NOW", 0}, {"now", "nwo", 1},
        {"now", "no", 1},    {"now", "noww", 1},     {"now", "new", 1}, {"default", "defualt", 1},
        {"fork", "frok", 1}, {"fork", "spoon", 4},   {"", "abc", 3},    {"yesterday", "yestreday", 1},
        {"abcd", "badc", 2}, {"start", "stratt", 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(yr_text_distance(yore_str(rows[i].a), yore_str(rows[i].b), 5), rows[i].distance);
        assert_int_equal(yr_text_distance(yore_str(rows[i].b), yore_str(rows[i].a), 5), rows[i].distance);
    }
    assert_int_equal(yr_text_distance(yore_str("fork"), yore_str("spoon"), 2), 3);
    char big[200];
    memset(big, 'x', sizeof big);
    assert_int_equal(yr_text_distance(yore_bytes(big, sizeof big), yore_str("x"), 2), 3);
}

static void test_quoting_is_printable_and_bounded(void **state)
{
    (void)state;
    char out[YR_QUOTE_SIZE], big[500];
    assert_string_equal(yr_text_quote(yore_str("a\nb\x1B[31m\xFF"), out), "a?b?[31m?");
    assert_string_equal(yr_text_quote(yore_bytes("a\0b", 3), out), "a?b");
    memset(big, 'x', sizeof big);
    assert_int_equal(strlen(yr_text_quote(yore_bytes(big, sizeof big), out)), YR_QUOTE_SIZE - 1);
    assert_string_equal(out + YR_QUOTE_SIZE - 4, "...");
    for (size_t i = 0; i + 1 < sizeof big; i += 2) memcpy(big + i, "\xC3\xA9", 2);
    yr_text_quote(yore_bytes(big, sizeof big), out);
    for (size_t at = 0; out[at];) {
        uint32_t code;
        size_t length = yr_utf8_next(out + at, strlen(out + at), &code);
        assert_true(length > 0);
        at += length;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_legal_names_are_taken),
        cmocka_unit_test(test_illegal_names_are_refused_with_reason_and_place),
        cmocka_unit_test(test_random_bytes_never_make_a_name_that_breaks_a_rule),
        cmocka_unit_test(test_distance_counts_edits_and_swaps),
        cmocka_unit_test(test_quoting_is_printable_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
