/* What is JSON and what is not, what two texts say alike, and that nothing leaks when memory runs out. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/json/json_merge.h"
#include "engine/json/json_tree.h"
#include "tests/support/env_sim.h"

#include <yore/json.h>

static yore_status parse(yore_slice text, yore_error *err)
{
    yr_json_doc doc;
    yore_status status = yr_json_parse(yore_env_default(), text, &doc, err);
    if (status == YORE_OK) {
        yr_json_check(&doc);
        yr_json_deinit(&doc);
    }
    return status;
}

static void test_texts_that_are_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        "[]",
        " null ",
        "true",
        "false\n",
        "-0",
        "1e-7",
        "123456789012345678901234567890",
        "\"\"",
        "\"\\ud83d\\ude00\"",
        "{\"a\":{\"b\":[1,{\"c\":\"\\u0000\"}]}}",
        "{\"a\":1,\"A\":2,\"\":3}",
        "\t[ 1 , 2 ]\r\n",
        "\"\x7f\"",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        yore_error err = YORE_ERROR_INIT;
        if (parse(yore_str(texts[i]), &err) != YORE_OK) fail_msg("%s: %s", texts[i], err.message);
    }
}

typedef struct refused {
    const char *text;
    uint32_t offset;
    const char *why;
} refused;

static void test_texts_that_are_not(void **state)
{
    (void)state;
    static const refused texts[] = {
        {"", 0, "premature EOF"},
        {"  ", 2, "premature EOF"},
        {"{\"a\":1,\"\\u0061\":2}", 7, "a name stands twice in one object"},
        {"[\"\xc0\x80\"]", 2, "bytes that are not UTF-8"},
        {"\"\xed\xa0\x80\"", 1, "bytes that are not UTF-8"},
        {"[\"\\ud800\"]", 1, "half of a surrogate pair"},
        {"{\"\\udc00x\":1}", 1, "half of a surrogate pair"},
        {"\"\\ud83dx\\ude00\"", 0, "half of a surrogate pair"},
        {"[1,\v2]", 3, "a control character"},
        {"[1 2]", 3, NULL},
        {"{\"a\":1", 6, NULL},
        {"\"abc", 4, NULL},
        {"01", 2, NULL},
        {"1.", 2, NULL},
        {"nul", 3, NULL},
        {"{\"a\":1}}", 7, NULL},
        {"/* x */ 1", 0, NULL},
        {"{} \"a", 3, "trailing garbage"},
        {"\"\" tru", 6, "trailing garbage"},
        {"1 2", 3, "trailing garbage"},
        {"[1,]", 3, NULL},
        {"\"\n\"", 0, NULL},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        yore_error err = YORE_ERROR_INIT;
        if (parse(yore_str(texts[i].text), &err) != YORE_ERR_INPUT) fail_msg("accepted: %s", texts[i].text);
        if (texts[i].why && !strstr(err.message, texts[i].why))
            fail_msg("%s: %s", texts[i].text, err.message);
        if (err.offset != texts[i].offset) fail_msg("%s: at %u: %s", texts[i].text, err.offset, err.message);
    }
}

static void test_depth_and_size_have_an_end(void **state)
{
    (void)state;
    size_t size = YR_JSON_BYTES_MAX + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '[', YR_JSON_DEPTH_MAX);
    memset(text + YR_JSON_DEPTH_MAX, ']', YR_JSON_DEPTH_MAX);
    assert_int_equal(parse(yore_bytes(text, 2 * YR_JSON_DEPTH_MAX), NULL), YORE_OK);
    memset(text, '[', size);
    yore_error err = YORE_ERROR_INIT;
    assert_int_equal(parse(yore_bytes(text, 1000000), &err), YORE_ERR_LIMIT);
    assert_int_equal(err.offset, YR_JSON_DEPTH_MAX);
    assert_non_null(strstr(err.message, "512 levels"));
    memset(text, ' ', size);
    text[0] = '1';
    assert_int_equal(parse(yore_bytes(text, YR_JSON_BYTES_MAX), NULL), YORE_OK);
    assert_int_equal(parse(yore_bytes(text, YR_JSON_BYTES_MAX + 1), NULL), YORE_ERR_LIMIT);
    free(text);
}

/* yajl gets room for what it may ask for and no more: the inputs that make it ask for most. */
static void test_long_strings_with_escapes_fit_what_the_parser_is_given(void **state)
{
    (void)state;
    for (size_t size = 1; size < (3u << 20); size = size * 3 / 2 + 1) {
        char *text = malloc(size + 2);
        assert_non_null(text);
        for (size_t i = 0; i < size; i++) text[1 + i] = (i & 1) ? 'n' : '\\'; /* escapes all through */
        text[0] = '"';
        text[size + 1] = '"';
        if (size % 2 == 0) assert_int_equal(parse(yore_bytes(text, size + 2), NULL), YORE_OK);
        assert_int_equal(parse(yore_bytes(text, size + 1), NULL), YORE_ERR_INPUT); /* cut */
        memset(text + 1, 'x', size - 1);
        text[1] = '\\';
        text[2] = 'n';
        if (size > 2)
            assert_int_equal(parse(yore_bytes(text, size), NULL), YORE_ERR_INPUT); /* cut, one escape */
        memset(text, '1', size + 2);
        assert_int_equal(parse(yore_bytes(text, size + 2), NULL),
                         YORE_OK); /* a number that ends with the text */
        free(text);
    }
}

static void test_equality_is_of_what_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool is_equal;
    } pairs[] = {
        {"{\"a\":1,\"b\":[1,{}]}", "{ \"b\" : [1, { }],\"\\u0061\":1}", true},
        {"{\"a\":1}", "{\"b\":1}", false},
        {"[1,2]", "[2,1]", false},
        {"[1,[2]]", "[1,[2,3]]", false},
        {"1", "1.0", false},
        {"\"\\/\"", "\"/\"", true},
        {"\"ab\"", "\"abc\"", false},
        {"\"\\u0000\"", "\"\"", false},
        {"null", "false", false},
        {"{}", "[]", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        yr_json_doc a, b;
        assert_int_equal(yr_json_parse(yore_env_default(), yore_str(pairs[i].a), &a, NULL), YORE_OK);
        assert_int_equal(yr_json_parse(yore_env_default(), yore_str(pairs[i].b), &b, NULL), YORE_OK);
        if (yr_json_equal(&a, 0, &b, 0) != pairs[i].is_equal) fail_msg("%s %s", pairs[i].a, pairs[i].b);
        assert_int_equal(yr_json_equal(&b, 0, &a, 0), pairs[i].is_equal);
        yr_json_deinit(&a);
        yr_json_deinit(&b);
    }
}

static void test_literals_are_ordered_by_what_they_stand_for(void **state)
{
    (void)state;
    static const char *const rising[] = {
        "\"\"",  "\"\\u0000\"",        "\" \"", "\"A\"", "\"\\u0041b\"", "\"B\"", "\"\\u007f\"",
        "\"ä\"", "\"\\ud83d\\ude00\"", "\"😁\""};
    size_t count = sizeof rising / sizeof *rising;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            int order = yr_json_compare_literals(yore_str(rising[i]), yore_str(rising[k]));
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
}

/* Every allocation fails once, in a merge and a diff that use all of the code. */
static void test_out_of_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    const char *base = "{\"a\":{\"x\":1,\"y\":[1]},\"b\":1,\"c\":\"\\n\"}";
    const char *ours = "{\"a\":{\"x\":2,\"y\":[1]},\"b\":2,\"c\":\"\\t\",\"n\":{\"m\":1}}";
    const char *theirs = "{\"a\":{\"x\":1,\"y\":[2],\"z\":0},\"b\":3,\"n\":{\"o\":1}}";
    yr_sim *sim = yr_sim_create(1);
    uint64_t failed = 0;
    for (uint64_t nth = 1; failed + 1 == nth; nth++) {
        yr_json_sides sides = {yore_str(base), yore_str(ours), yore_str(theirs)};
        yr_json_merged merged;
        yore_json_diff *diff = NULL;
        yore_json_change change = YORE_JSON_CHANGE_INIT;
        yr_sim_fail_alloc(sim, nth, false);
        yore_status status = yr_json_merge(yr_sim_env(sim), &sides, YR_JSON_OURS, &merged, NULL);
        if (status == YORE_OK) {
            assert_int_equal(merged.conflict_count, 2);
            yr_json_merged_deinit(&merged);
            status = yore_json_diff_open(yr_sim_env(sim), sides.base, sides.theirs, &diff, NULL);
        }
        while (status == YORE_OK) status = yore_json_diff_next(diff, &change, NULL);
        yore_json_diff_close(diff);
        yr_sim_fail_alloc(sim, 0, false);
        assert_true(status == YORE_END || status == YORE_ERR_NOMEM);
        assert_false(yr_sim_has_leaks(sim));
        failed += status == YORE_ERR_NOMEM;
    }
    assert_true(failed > 20);
    yr_sim_destroy(sim);
}

static void test_a_diff_goes_on_where_memory_was_out(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(2);
    yore_json_diff *diff;
    yore_json_change change = YORE_JSON_CHANGE_INIT;
    assert_int_equal(
        yore_json_diff_open(yr_sim_env(sim), yore_str("{\"a\":1}"), yore_str("{\"b\":1}"), &diff, NULL),
        YORE_OK);
    yr_sim_fail_alloc(sim, 1, false); /* room for the path */
    assert_int_equal(yore_json_diff_next(diff, &change, NULL), YORE_ERR_NOMEM);
    assert_int_equal(yore_json_diff_next(diff, &change, NULL), YORE_OK);
    assert_int_equal(change.op, YORE_DIFF_DEL);
    assert_int_equal(yore_json_diff_next(diff, &change, NULL), YORE_OK);
    assert_int_equal(change.op, YORE_DIFF_ADD);
    assert_int_equal(yore_json_diff_next(diff, &change, NULL), YORE_END);
    yore_json_diff_close(diff);
    yr_sim_destroy(sim);
}

/* JSONTestSuite: y_ must be taken, n_ refused; names say which. Doubled names are refused here on purpose. */
static void test_the_json_test_suite(void **state)
{
    (void)state;
    const char *data = getenv("YORE_DATA");
    const char *source = getenv("YORE_SOURCE_DIR");
    char folder[512];
    char path[1024];
    static char text[1 << 20];
    size_t count = 0;
    (void)snprintf(folder, sizeof folder, "%s%s/suites/JSONTestSuite/test_parsing",
                   data     ? data
                   : source ? source
                            : ".",
                   data ? "" : "/../shared/data");
    DIR *dir = opendir(folder);
    if (!dir) {
        print_message("skipped: no data\n");
        skip();
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] != 'y' && entry->d_name[0] != 'n' && entry->d_name[0] != 'i') continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t size = fread(text, 1, sizeof text, file);
        (void)fclose(file);
        yore_status status = parse(yore_bytes(text, size), NULL);
        bool doubled = strstr(entry->d_name, "duplicated_key") != NULL;
        if (entry->d_name[0] != 'i' && (status == YORE_OK) != (entry->d_name[0] == 'y' && !doubled)) {
            fail_msg("%s: %s", entry->d_name, yore_status_name(status));
        }
        count++;
    }
    (void)closedir(dir);
    assert_true(count > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_that_are_json),
        cmocka_unit_test(test_texts_that_are_not),
        cmocka_unit_test(test_depth_and_size_have_an_end),
        cmocka_unit_test(test_long_strings_with_escapes_fit_what_the_parser_is_given),
        cmocka_unit_test(test_equality_is_of_what_is_said),
        cmocka_unit_test(test_literals_are_ordered_by_what_they_stand_for),
        cmocka_unit_test(test_out_of_memory_leaves_nothing_behind),
        cmocka_unit_test(test_a_diff_goes_on_where_memory_was_out),
        cmocka_unit_test(test_the_json_test_suite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
