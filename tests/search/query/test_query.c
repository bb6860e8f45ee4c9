/* The query language: text to tree, printed. Any text is a query, and what strict takes is the same tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "search/query/query.h"
#include "tests/search/query/query_print.h"
#include "tests/support/env_sim.h"

static const yore_env *env;
static yr_analyzer *english;
static yr_analyzer *none;

static int open_analyzers(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    env = yore_env_default();
    if (yr_analyzer_open(env, yore_str("english"), &english, &err) != YORE_OK) return -1;
    return yr_analyzer_open(env, yore_str("none"), &none, &err) == YORE_OK ? 0 : -1;
}

static int close_analyzers(void **state)
{
    (void)state;
    yr_analyzer_close(english);
    yr_analyzer_close(none);
    return 0;
}

/* The status of a parse; the printed tree in `out` when it is YORE_OK. */
static yore_status parse(yore_slice text, yr_query_options options, yr_analyzer *analyzer, char *out,
                         size_t size, yore_error *err)
{
    yr_arena arena;
    yr_query_node *root = NULL;
    yr_arena_init(&arena, env);
    yore_status status = yr_query_parse(text, &options, analyzer, &arena, &root, err);
    if (status == YORE_OK) query_print(root, out, size);
    yr_arena_deinit(&arena);
    return status;
}

typedef struct row {
    const char *text;
    const char *tree;
} row;

static void check_rows(const row *rows, size_t count, yr_query_options options, yr_analyzer *analyzer)
{
    char got[8192];
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        yore_error err = YORE_ERROR_INIT;
        yore_status status = parse(yore_str(rows[i].text), options, analyzer, got, sizeof got, &err);
        if (status != YORE_OK) {
            print_error("<%s>: %s\n", rows[i].text, err.message);
            wrong++;
        } else if (strcmp(got, rows[i].tree) != 0) {
            print_error("<%s>: expected <%s>, got <%s>\n", rows[i].text, rows[i].tree, got);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}
#define CHECK_ROWS(rows, ...) \
    check_rows(rows, sizeof(rows) / sizeof *(rows), (yr_query_options){__VA_ARGS__}, none)

static void test_words_and_operators(void **state)
{
    (void)state;
    static const row rows[] = {
        {"", ""},
        {" \t\n", ""},
        {"storm", "storm"},
        {"Storm DAMAGE", "storm damage"},
        {"storm storm", "storm storm"},
        {"\"storm damage\"", "\"storm damage\""},
        {"\"storm\"", "storm"},
        {"\"\" x", "x"},
        {"+storm -damage", "+storm -damage"},
        {"+\"a b\" -\"c d\"", "+\"a b\" -\"c d\""},
        {"-storm", "-storm"},
        {"(a b) c", "(a b) c"},
        {"+(a -b) -(c d)", "+(a -b) -(c d)"},
        {"((a))", "((a))"},
        {"(a(b) c)", "(a b c)"},
        {"(a)(b)", "(a) (b)"},
        {"(a)-b", "(a) -b"},
        {"\"a b\"c", "\"a b\" c"},
        {"\"a b\"-c", "\"a b\" -c"},
        {"pre*", "pre*"},
        {"+PRE* -fix*", "+pre* -fix*"},
        {"(pre*)", "(pre*)"},
        {"a OR b", "a b"},
        {"a OR b c OR -d", "a b c -d"},
        {"a\xE3\x80\x80-b", "a -b"}, /* an ideographic space */
        {"a\xC2\xA0-b", "a -b"},     /* a no-break space */
    };
    CHECK_ROWS(rows, .strict = false);
}

static void test_all_requires_unmarked_clauses(void **state)
{
    (void)state;
    static const row rows[] = {
        {"a b", "+a +b"},
        {"a -b", "+a -b"},
        {"a OR b", "+(a b)"},
        {"a b OR c d", "+a +(b c) +d"},
        {"a OR b OR c", "+(a b c)"},
        {"a OR +b", "+(a +b)"},
        {"a OR -b", "+(a -b)"},
        {"a-b OR c", "+((+a +b) c)"},
        {"(a b)", "+(+a +b)"},
        {"(a OR b) c", "+(+(a b)) +c"},
        {"a OR (b c)", "+(a (+b +c))"},
        {"a OR \"b c\" OR d*", "+(a \"b c\" d*)"},
        {"a OR !", "+a"},
        {"! OR a b", "+a +b"},
        {"! OR ?", ""},
        {"-(a b)", "-(+a +b)"},
        {"a OR", "+a +or"},
    };
    CHECK_ROWS(rows, .all = true);
}

static void test_one_written_word_may_be_several_terms(void **state)
{
    (void)state;
    static const row rows[] = {
        {"state-of-art", "state of art"},
        {"+state-of-art", "+state +of +art"},
        {"-state-of-art", "-\"state of art\""},
        {"\xE6\x9D\xB1\xE4\xBA\xAC", "\xE6\x9D\xB1 \xE4\xBA\xAC"},
        {"-\xE6\x9D\xB1\xE4\xBA\xAC", "-\"\xE6\x9D\xB1 \xE4\xBA\xAC\""},
        {"\xE6\x9D\xB1\xE4\xBA\xAC*", "\xE6\x9D\xB1 \xE4\xBA\xAC*"},
        {"state-of-ar*", "state of ar*"},
        {"-of-ar*", "-(+of +ar*)"},
        {"-ar*", "-ar*"},
    };
    CHECK_ROWS(rows, .strict = false);
}

static void test_what_does_not_parse_is_text(void **state)
{
    (void)state;
    static const row rows[] = {
        {"*", ""},
        {"+", ""},
        {"-", ""},
        {"+ -", ""},
        {"\"", ""},
        {"(", ""},
        {")", ""},
        {"()", ""},
        {"( )", ""},
        {"+()", ""},
        {"-", ""},
        {"--", ""},
        {"***", ""},
        {"\"\"\"", ""},
        {"- a", "a"},
        {"a - b", "a b"},
        {"--a", "a"},
        {"+-a", "a"},
        {"a+b", "a b"},
        {"c++", "c"},
        {"\"a b", "a b"},
        {"a\" b", "a b"},
        {"a \"b", "a b"},
        {"\"a\" \"b", "a b"},
        {"a\"b c\"", "a b c"},
        {"(a b", "a b"},
        {"a b)", "a b"},
        {"(a (b c)", "a (b c)"},
        {"(a)) b", "(a) b"},
        {"-(a b", "a b"},
        {"-(", ""},
        {"f(x)", "f x"},
        {"(f(x) y)", "(f x y)"},
        {"*a", "a"},
        {"a*b", "a b"},
        {"a**", "a"},
        {"a-*", "a"},
        {"\"a b*\"", "\"a b\""},
        {"OR", "or"},
        {"OR a", "or a"},
        {"a OR OR b", "a or b"},
        {"+OR a", "+or a"},
        {"(a OR) b", "(a or) b"},
        {"a or b", "a or b"},
        {"a AND NOT b", "a and not b"},
        {"x: y", "x y"},
        {"a~1 b^2", "a 1 b 2"},
        {"[a TO b]", "a to b"},
        {"\\\"a b\\\"", "a b"},
    };
    CHECK_ROWS(rows, .strict = false);
}

static void test_plain_takes_every_character_as_text(void **state)
{
    (void)state;
    static const row rows[] = {
        {"+a -b", "a b"}, {"\"a b\"", "a b"}, {"pre*", "pre"}, {"a OR b", "a or b"}, {"(a", "a"}, {"", ""},
    };
    CHECK_ROWS(rows, .plain = true);
    CHECK_ROWS(rows, .plain = true, .strict = true);
    static const row all[] = {{"+a -b", "+a +b"}, {"a OR b", "+a +or +b"}};
    CHECK_ROWS(all, .plain = true, .all = true);
}

static void test_words_are_analysed(void **state)
{
    (void)state;
    static const row rows[] = {
        {"running storms", "run storm"},
        {"the", ""},
        {"the storm", "storm"},
        {"+the -of storm", "storm"},
        {"\"the storm\"", "storm"},
        {"\"storms of the sea\"", "\"storm _ _ sea\""},
        {"\"the of\"", ""},
        {"the*", "the*"},
        {"runnin*", "runnin*"},
        {"(the of)", ""},
        {"a OR (the) storm", "storm"},
        {"state-of-the-art", "state art"},
        {"-state-of-the-art", "-\"state _ _ art\""},
        {"of-the*", "the*"},
    };
    check_rows(rows, sizeof rows / sizeof *rows, (yr_query_options){0}, english);
    static const row all[] = {{"the storm OR of", "+storm"}, {"the OR storm OR sea", "+(storm sea)"}};
    check_rows(all, sizeof all / sizeof *all, (yr_query_options){.all = true}, english);
}

static void test_strict_says_where_and_what(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t offset;
        const char *what;
    } rows[] = {
        {"storm \"damage", 6, "'\"' without a second one behind it"},
        {"a\" b", 1, "'\"' inside a word"},
        {"(a b", 0, "'(' without a ')' behind it"},
        {"a (b (c)", 2, "'(' without a ')' behind it"},
        {"a b)", 3, "')' without a '(' before it"},
        {")", 0, "')' without a '(' before it"},
        {"a ()", 2, "a group with nothing in it"},
        {"f(x)", 1, "'(' inside a word"},
        {"+", 0, "no word, phrase or group right behind '+' or '-'"},
        {"a - b", 2, "no word, phrase or group right behind '+' or '-'"},
        {"--a", 0, "no word, phrase or group right behind '+' or '-'"},
        {"*", 0, "'*' without a word right before it"},
        {"a *b", 2, "'*' anywhere but at the end of a word"},
        {"a**", 1, "'*' anywhere but at the end of a word"},
        {"a-*", 2, "'*' without a word right before it"},
        {"OR a", 0, "OR without something on both sides"},
        {"a OR", 2, "OR without something on both sides"},
        {"\xC3\xA9 ) \"", 3, "')' without a '(' before it"}, /* the first of two; bytes, not characters */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[8192];
        yore_error err = YORE_ERROR_INIT;
        yore_status status =
            parse(yore_str(rows[i].text), (yr_query_options){.strict = true}, none, got, sizeof got, &err);
        if (status != YORE_ERR_QUERY || err.code != YORE_ERR_QUERY || err.offset != rows[i].offset ||
            strncmp(err.message, rows[i].what, strlen(rows[i].what)) != 0)
            fail_msg("<%s>: %d at %u: %s", rows[i].text, status, err.offset, err.message);
    }
    static const row fine[] = {
        {"+a -b \"c d\" (e OR f) g* x-y", "+a -b \"c d\" (e f) g* x y"},
        {"", ""},
        {"a+b c++", "a b c"},
    };
    CHECK_ROWS(fine, .strict = true);
}

static void test_limits_are_named(void **state)
{
    (void)state;
    static char text[10u << 20];
    static char got[16384];
    yore_error err = YORE_ERROR_INIT;
    memset(text, 'x', sizeof text);
    assert_int_equal(parse(yore_bytes(text, sizeof text), (yr_query_options){0}, none, got, sizeof got, &err),
                     YORE_ERR_LIMIT);
    assert_non_null(strstr(err.message, "4,096 bytes"));
    assert_int_equal(
        parse(yore_bytes(text, YR_QUERY_BYTES_MAX), (yr_query_options){0}, none, got, sizeof got, &err),
        YORE_OK);
    assert_int_equal(
        parse(yore_bytes(text, YR_QUERY_BYTES_MAX + 1), (yr_query_options){0}, none, got, sizeof got, &err),
        YORE_ERR_LIMIT);

    for (size_t i = 1; i < sizeof text; i += 2) text[i] = ' ';
    assert_int_equal(parse(yore_bytes(text, 2 * 100000), (yr_query_options){0}, none, got, sizeof got, &err),
                     YORE_ERR_LIMIT);
    assert_int_equal(
        parse(yore_bytes(text, 2 * YR_QUERY_TERMS_MAX), (yr_query_options){0}, none, got, sizeof got, &err),
        YORE_OK);
    assert_int_equal(parse(yore_bytes(text, 2 * (YR_QUERY_TERMS_MAX + 1)), (yr_query_options){0}, none, got,
                           sizeof got, &err),
                     YORE_ERR_LIMIT);
    assert_non_null(strstr(err.message, "256 terms"));
}

/* `count` times the byte `c`, then what `rest` says. */
static yore_slice many(char *text, char c, size_t count, const char *rest)
{
    memset(text, c, count);
    memcpy(text + count, rest, strlen(rest) + 1);
    return yore_bytes(text, count + strlen(rest));
}

static void test_brackets_past_the_depth_are_text(void **state)
{
    (void)state;
    static char text[8192], got[8192];
    yore_error err = YORE_ERROR_INIT;
    for (size_t depth = YR_QUERY_DEPTH_MAX - 1; depth <= YR_QUERY_DEPTH_MAX + 1; depth++) {
        yore_slice query = many(text, '(', depth, "a");
        memset(text + depth + 1, ')', depth);
        query.size += depth;
        size_t kept = depth < YR_QUERY_DEPTH_MAX ? depth : YR_QUERY_DEPTH_MAX;
        assert_int_equal(parse(query, (yr_query_options){0}, none, got, sizeof got, &err), YORE_OK);
        assert_int_equal(strlen(got), 2 * kept + 1);
        yore_status status = parse(query, (yr_query_options){.strict = true}, none, got, sizeof got, &err);
        assert_int_equal(status, depth > YR_QUERY_DEPTH_MAX ? YORE_ERR_QUERY : YORE_OK);
    }
    assert_int_equal(parse(many(text, '(', 4095, "a"), (yr_query_options){0}, none, got, sizeof got, &err),
                     YORE_OK);
    assert_string_equal(got, "a");
    assert_int_equal(parse(many(text, ')', 4095, "a"), (yr_query_options){0}, none, got, sizeof got, &err),
                     YORE_OK);
    assert_string_equal(got, "a");
    assert_int_equal(parse(many(text, '-', 4095, "a"), (yr_query_options){0}, none, got, sizeof got, &err),
                     YORE_OK);
    assert_string_equal(got, "a");
    assert_int_equal(parse(many(text, '"', 4095, "a"), (yr_query_options){0}, none, got, sizeof got, &err),
                     YORE_OK);
    assert_string_equal(got, "a");
}

static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    static const struct {
        yore_slice text;
        const char *tree;
    } rows[] = {
        {{"a\0b", 3}, "a b"},
        {{"+a\0-b", 5}, "+a +b"},
        {{"\xFF\xFE", 2}, ""},
        {{"a\xFFz", 3}, "a z"},
        {{"\xF0\x9F\x98\x80", 4}, ""}, /* an emoji */
        {{"\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D -x", 11},
         "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D -x"}, /* right to left */
        {{"-\xF0\x9F\x98\x80 x", 7}, "x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[1024];
        yore_error err = YORE_ERROR_INIT;
        assert_int_equal(parse(rows[i].text, (yr_query_options){0}, none, got, sizeof got, &err), YORE_OK);
        assert_string_equal(got, rows[i].tree);
    }
}

static void check_places(const yr_query_node *node, yore_slice text)
{
    if (node->from > node->to || node->to > text.size) fail_msg("a node outside the query");
    for (uint32_t i = 0; i < node->child_count; i++) check_places(&node->children[i], text);
}

static void test_nodes_say_where_they_came_from(void **state)
{
    (void)state;
    yr_arena arena;
    yr_query_node *root = NULL;
    yore_error err = YORE_ERROR_INIT;
    yore_slice text = yore_str("+Storm \"of  war\" (x-y OR pre*)");
    yr_arena_init(&arena, env);
    yr_query_options options = {0};
    assert_int_equal(yr_query_parse(text, &options, none, &arena, &root, &err), YORE_OK);
    check_places(root, text);
    assert_int_equal(root->from, 0);
    assert_int_equal(root->to, text.size);
    assert_int_equal(root->child_count, 3);
    assert_int_equal(root->children[0].from, 1);
    assert_int_equal(root->children[0].to, 6);
    assert_int_equal(root->children[1].from, 7);
    assert_int_equal(root->children[1].to, 16);
    assert_int_equal(root->children[1].children[1].from, 12);
    assert_int_equal(root->children[2].from, 17);
    assert_int_equal(root->children[2].to, 30);
    assert_int_equal(root->children[2].children[2].to, 29); /* with its star */
    yr_arena_deinit(&arena);
}

static void test_each_allocation_that_fails_is_reported_and_leaves_nothing(void **state)
{
    (void)state;
    static char text[2048];
    size_t size = 0;
    for (int i = 0; i < 100; i++) /* enough for several chunks of the arena */
        size += (size_t)snprintf(text + size, sizeof text - size, "w%d -(a%d* b) ", i, i);
    yr_sim *sim = yr_sim_create(1);
    assert_non_null(sim);
    yr_analyzer *analyzer = NULL;
    assert_int_equal(yr_analyzer_open(yr_sim_env(sim), yore_str("english"), &analyzer, NULL), YORE_OK);
    uint64_t failures = 0;
    for (yore_status status = YORE_ERR_NOMEM; status != YORE_ERR_LIMIT; failures++) {
        yr_arena room;
        yr_query_node *root = NULL;
        yr_query_options options = {0};
        yore_error err = YORE_ERROR_INIT;
        yr_arena_init(&room, yr_sim_env(sim));
        yr_sim_fail_alloc(sim, failures + 1, false);
        status = yr_query_parse(yore_bytes(text, size), &options, analyzer, &room, &root, &err);
        yr_sim_fail_alloc(sim, 0, false);
        yr_arena_deinit(&room);
        assert_true(status == YORE_ERR_NOMEM || status == YORE_ERR_LIMIT);
        assert_int_equal(err.code, status);
        assert_null(root);
        yr_analyzer_close(analyzer); /* a fresh one: it allocates as it goes */
        assert_false(yr_sim_has_leaks(sim));
        assert_int_equal(yr_analyzer_open(yr_sim_env(sim), yore_str("english"), &analyzer, NULL), YORE_OK);
    }
    printf("%u allocations failed\n", (unsigned)failures - 1);
    assert_true(failures > 5);
    yr_analyzer_close(analyzer);
    yr_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_and_operators),
        cmocka_unit_test(test_all_requires_unmarked_clauses),
        cmocka_unit_test(test_one_written_word_may_be_several_terms),
        cmocka_unit_test(test_what_does_not_parse_is_text),
        cmocka_unit_test(test_plain_takes_every_character_as_text),
        cmocka_unit_test(test_words_are_analysed),
        cmocka_unit_test(test_strict_says_where_and_what),
        cmocka_unit_test(test_limits_are_named),
        cmocka_unit_test(test_brackets_past_the_depth_are_text),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_nodes_say_where_they_came_from),
        cmocka_unit_test(test_each_allocation_that_fails_is_reported_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, open_analyzers, close_analyzers);
}
