/* Three-way merges and diffs of JSON texts: tables written by hand, then properties that hold for any three texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "engine/base/yr_assert.h"
#include "engine/json/json_diff.h"
#include "engine/json/json_merge.h"
#include "engine/json/json_tree.h"

#define TEXT_MAX 8192u

static yore_slice text_of(const char *text)
{
    return text ? yore_str(text) : (yore_slice){NULL, 0};
}

static void assert_text(yore_slice got, const char *want)
{
    if (got.size == strlen(want) && memcmp(got.data, want, got.size) == 0) return;
    fail_msg("got %.*s, want %s", (int)got.size, (const char *)got.data, want);
}

/* -- merge -- */

typedef struct merge_case {
    const char *base;
    const char *ours;
    const char *theirs;
    const char *want;      /* the result, or */
    const char *conflicts; /* the paths, each behind a blank */
} merge_case;

static const merge_case MERGES[] = {
    /* one side changed: its bytes */
    {"{\"a\":1}", "{\"a\":1}", "{ \"a\" : 2 }", "{ \"a\" : 2 }", ""},
    {"{\"a\":1}", "{ \"a\" : 2 }", "{\"a\":1}", "{ \"a\" : 2 }", ""},
    {"{\"a\":1}", "{\"a\":1}", "{ \"a\":1}", "{ \"a\":1}", ""},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "{\"a\":1,\"b\":3}", "{\"a\":1,\"b\":3}", ""},
    {"1", "2", "1", "2", ""},
    {"1", "1", "[ ]", "[ ]", ""},
    /* both changed to the same, whatever its spelling */
    {"1", "2", "2", "2", ""},
    {"\"x\"", "\"\\u0041\"", "\"A\"", "\"\\u0041\"", ""},
    {"{\"a\":1}", "{\"a\":[1, 2]}", "{\"a\":[1,2]}", "{\"a\":[1, 2]}", ""},
    {"{\"a\":1,\"b\":1}", "{\"b\":1}", "{\"b\":1}", "{\"b\":1}", ""},
    {"{\"a\":1}", "{\"a\":1,\"x\":{\"p\":1,\"q\":2}}", "{\"a\":1,\"x\":{\"q\":2,\"p\":1}}",
     "{\"a\":1,\"x\":{\"p\":1,\"q\":2}}", ""},
    /* both changed, in different places */
    {"{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}", "{\"a\":1,\"b\":2}", "{\"a\":2,\"b\":2}", ""},
    {"{\"a\":1, \"b\":1}", "{\"a\":2, \"b\":1}", "{\"b\":{\"x\" : [1]},\"a\":1}",
     "{\"a\":2, \"b\":{\"x\" : [1]}}", ""},
    {"{\"a\":{\"x\":1,\"y\":1}}", "{\"a\":{\"x\":2,\"y\":1}}", "{\"a\":{\"x\":1,\"y\":2}}",
     "{\"a\":{\"x\":2,\"y\":2}}", ""},
    /* new members of theirs behind ours, spaced as ours */
    {"{}", "{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}", ""},
    {"{\"k\": 0}", "{\"k\": 0, \"a\": 1}", "{\"k\": 0, \"b\": 2}", "{\"k\": 0, \"a\": 1, \"b\": 2}", ""},
    {"{\n  \"k\": 0\n}", "{\n  \"k\": 1\n}", "{\n  \"k\": 0,\n  \"b\": 2\n}", "{\n  \"k\": 1,\n  \"b\": 2\n}",
     ""},
    {"{\"k\":0}", "{ }", "{\"k\":0,\"b\":2,\"c\":3}", "{\"b\":2,\"c\":3 }", ""},
    {"{\"k\":{}}", "{\"k\":{\"a\":1}}", "{\"k\":{\"b\":2, \"c\":3}}", "{\"k\":{\"a\":1,\"b\":2, \"c\":3}}",
     ""},
    /* members that one deleted */
    {"{\"a\":1,\"b\":1,\"c\":1}", "{\"a\":2,\"b\":1,\"c\":1}", "{\"a\":1,\"c\":1}", "{\"a\":2,\"c\":1}", ""},
    {"{\"a\":1,\"b\":1,\"c\":1}", "{\"a\":1,\"b\":1,\"c\":2}", "{\"c\":1}", "{\"c\":2}", ""},
    {"{\"a\":1,\"b\":1,\"c\":1}", "{\"a\":2,\"b\":1,\"c\":1}", "{\"a\":1}", "{\"a\":2}", ""},
    {"{\"a\":1, \"b\":1}", "{\"a\":1, \"b\":1, \"x\":1}", "{}", "{\"x\":1}", ""},
    {"{\"a\":1, \"b\":1}", "{\"x\":1, \"a\":1, \"b\":1}", "{\"y\":2}", "{\"x\":1, \"y\":2}", ""},
    {"{\"a\":1,\"b\":1,\"c\":1}", "{\"b\":1,\"c\":1}", "{\"a\":1,\"b\":1}", "{\"b\":1}", ""},
    {"{\"a\":1,\"b\":1}", "{\"b\":1}", "{\"a\":1}", "{}", ""},
    {"{\"a\":1,\"b\":1}", "{ \"b\":1}", "{\"a\":1,\"z\":[]}", "{ \"z\":[]}", ""},
    /* objects added by both */
    {"{}", "{\"d\":{\"h\":1}}", "{\"d\":{\"p\":2}}", "{\"d\":{\"h\":1,\"p\":2}}", ""},
    {NULL, "{\"h\":1}", "{\"p\":2}", "{\"h\":1,\"p\":2}", ""},
    {NULL, "{\"h\":1}", "{\"h\":1}", "{\"h\":1}", ""},
    /* conflicts: both changed */
    {"{\"a\":1}", "{\"a\":2}", "{\"a\":3}", NULL, " /a"},
    {"1", "2", "3", NULL, " "},
    {"{\"a\":[1]}", "{\"a\":[1,2]}", "{\"a\":[0,1]}", NULL, " /a"},
    {"{\"a\":1,\"b\":1,\"c\":{\"d\":1}}", "{\"a\":2,\"b\":2,\"c\":{\"d\":2}}",
     "{\"a\":3,\"b\":1,\"c\":{\"d\":3}}", NULL, " /a /c/d"},
    {"{\"a\":1}", "{\"a\":1.0}", "{\"a\":1.00}", NULL, " /a"},
    /* a kind change */
    {"{\"a\":{\"x\":1}}", "{\"a\":[]}", "{\"a\":{\"x\":2}}", NULL, " /a"},
    {"{\"a\":1}", "{\"a\":{\"x\":1}}", "{\"a\":{\"y\":1}}", NULL, " /a"},
    {"{\"a\":1}", "[]", "{\"a\":2}", NULL, " "},
    /* change against delete, both ways */
    {"{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}", "{\"b\":1}", NULL, " /a"},
    {"{\"a\":1,\"b\":1}", "{\"b\":1}", "{\"a\":2,\"b\":1}", NULL, " /a"},
    {"{\"a\":{\"x\":1},\"b\":1}", "{\"b\":2}", "{\"a\":{\"x\":2},\"b\":1}", NULL, " /a"},
    /* both added */
    {"{}", "{\"a\":1}", "{\"a\":2}", NULL, " /a"},
    {"{}", "{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"x\":2,\"z\":1}}", NULL, " /a/x"},
    {NULL, "1", "2", NULL, " "},
    /* paths are RFC 6901 */
    {"{\"a/b\":{\"m~n\":1}}", "{\"a/b\":{\"m~n\":2}}", "{\"a/b\":{\"m~n\":3}}", NULL, " /a~1b/m~0n"},
    {"{\"\":{\"\\u00e4\\ud83d\\ude00\":1}}", "{\"\":{\"ä\\ud83d\\ude00\":2}}", "{\"\":{\"ä😀\":3}}", NULL,
     " //ä😀"},
};

static void check_merge(const merge_case *c)
{
    yr_json_sides sides = {text_of(c->base), text_of(c->ours), text_of(c->theirs)};
    yr_json_merged merged;
    char paths[256] = "";
    assert_int_equal(yr_json_merge(yore_env_default(), &sides, YR_JSON_STOP, &merged, NULL), YORE_OK);
    assert_int_equal(merged.listed, merged.conflict_count);
    for (size_t i = 0; i < merged.listed; i++) {
        size_t used = strlen(paths);
        yore_slice path = merged.conflicts[i].path;
        (void)snprintf(paths + used, sizeof paths - used, " %.*s", (int)path.size, (const char *)path.data);
    }
    assert_string_equal(paths, c->conflicts);
    if (c->want) {
        assert_text(merged.text, c->want);
    } else {
        assert_int_equal(merged.text.size, 0);
    }
    yr_json_merged_deinit(&merged);
}

static void test_merges_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof MERGES / sizeof *MERGES; i++) check_merge(&MERGES[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
