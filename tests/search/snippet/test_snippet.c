/* Which part of a value is shown, and where the query's words are in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/base/text.h"
#include "search/snippet/grapheme.h"
#include "search/snippet/snippet.h"
#include "tests/support/env_sim.h"

static const yore_env *env;
static yr_analyzer *english;
static yr_arena arena;

static int set_up(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    env = yore_env_default();
    yr_arena_init(&arena, env);
    return yr_analyzer_open(env, yore_str("english"), &english, &err) == YORE_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    yr_analyzer_close(english);
    yr_arena_deinit(&arena);
    return 0;
}

static yr_snippet snippet_of(const char *query, yore_slice value, uint32_t bytes)
{
    yore_error err = YORE_ERROR_INIT;
    yr_query_options options = {0};
    yr_query_node *root = NULL;
    yr_snippet_plan *plan = NULL;
    yr_snippet out;
    yr_arena_reset(&arena);
    assert_int_equal(yr_query_parse(yore_str(query), &options, english, &arena, &root, &err), YORE_OK);
    assert_int_equal(yr_snippet_plan_create(root, &arena, &plan, &err), YORE_OK);
    assert_int_equal(yr_snippet_make(plan, english, value, bytes, &arena, &out, &err), YORE_OK);
    return out;
}

/* The snippet with [marks]. */
static void show(const yr_snippet *snippet, char *out, size_t size)
{
    const char *text = snippet->text.data;
    size_t at = 0, next = 0;
    for (size_t i = 0; i <= snippet->text.size && at + 4 < size; i++) {
        if (next < snippet->span_count && snippet->spans[next].to == i) {
            out[at++] = ']';
            next++;
        }
        if (next < snippet->span_count && snippet->spans[next].from == i) out[at++] = '[';
        if (i < snippet->text.size) out[at++] = text[i];
    }
    out[at] = '\0';
}

static void check_spans(const yr_snippet *snippet, yore_slice value)
{
    uint64_t last = 0;
    assert_true(snippet->from + snippet->text.size <= value.size);
    if (snippet->text.size > 0)
        assert_ptr_equal(snippet->text.data, (const char *)value.data + snippet->from);
    for (size_t i = 0; i < snippet->span_count; i++) {
        const yore_text_span *span = &snippet->spans[i];
        assert_true(span->from >= last && span->from < span->to && span->to <= snippet->text.size);
        assert_int_equal(snippet->value_spans[i].from, span->from + snippet->from);
        assert_int_equal(snippet->value_spans[i].to, span->to + snippet->from);
        last = span->to;
    }
}

typedef struct row {
    const char *query;
    const char *value;
    uint32_t bytes;
    const char *shown;
} row;

static void check_rows(const row *rows, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        char got[1024];
        yr_snippet snippet = snippet_of(rows[i].query, yore_str(rows[i].value), rows[i].bytes);
        check_spans(&snippet, yore_str(rows[i].value));
        show(&snippet, got, sizeof got);
        if (strcmp(got, rows[i].shown) == 0) continue;
        print_error("<%s> in <%s>: expected <%s>, got <%s>\n", rows[i].query, rows[i].value, rows[i].shown,
                    got);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void test_marks_are_the_words_that_match(void **state)
{
    (void)state;
    static const row rows[] = {
        {"storm", "A storm, STORMS and stormy days", YORE_SNIPPET_FULL,
         "A [storm], [STORMS] and stormy days"},
        {"storm*", "A storm, STORMS and stormy days", YORE_SNIPPET_FULL,
         "A [storm], [STORMS] and [stormy] days"},
        {"storm day", "A storm in stormy days", YORE_SNIPPET_FULL, "A [storm] in stormy [days]"},
        {"-storm day", "storm days", YORE_SNIPPET_FULL, "storm [days]"},
        {"+storm -(day OR week)", "storm days", YORE_SNIPPET_FULL, "[storm] days"},
        {"\"storm damage\"", "storm damage, damage storm", YORE_SNIPPET_FULL,
         "[storm] [damage], damage storm"},
        {"\"storm damage\" storm", "storm damage, damage storm", YORE_SNIPPET_FULL,
         "[storm] [damage], damage [storm]"},
        {"\"fall of the house\"", "the fall in a house, fall of house; the falls of the house",
         YORE_SNIPPET_FULL, "the [fall] in a [house], fall of house; the [falls] of the [house]"},
        {"\"a b a b\"", "a b a b a b", YORE_SNIPPET_FULL, "a [b] a [b] a [b]"},
        {"\"x y x\"", "x y x y x y y x", YORE_SNIPPET_FULL, "[x] [y] [x] [y] [x] y y x"},
        {"(storm (day OR week*))", "weeks, weekends, days, storms", YORE_SNIPPET_FULL,
         "[weeks], [weekends], [days], [storms]"},
        {"we* week* weekend*", "weeks weekends web wolf", YORE_SNIPPET_FULL, "[weeks] [weekends] [web] wolf"},
        {"week* wolf*", "weeks weekends web wolf", YORE_SNIPPET_FULL, "[weeks] [weekends] web [wolf]"},
        {"the", "the storm", YORE_SNIPPET_FULL, "the storm"},
        {"storm", "", YORE_SNIPPET_FULL, ""},
        {"storm", "", 10, ""},
        {"storm", "a storm", YORE_SNIPPET_NONE, ""},
        {"\xE6\x9D\xB1", "\xE6\x9D\xB1\xE4\xBA\xAC", YORE_SNIPPET_FULL, "[\xE6\x9D\xB1]\xE4\xBA\xAC"},
        {"\xE3\x83\xA1\xE3\x82\xAC", "a \xE3\x8D\x8B b", YORE_SNIPPET_FULL,
         "a [\xE3\x8D\x8B] b"}, /* one, two words */
        {"caf\xC3\xA9", "Cafe\xCC\x81!", YORE_SNIPPET_FULL, "[Cafe\xCC\x81]!"},
    };
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void test_window_shows_most_distinct_words_and_cuts_at_blanks(void **state)
{
    (void)state;
    static const char text[] =
        "The ship left at dawn. A storm rose and a storm fell and a storm rose. Damage came by "
        "night with the storm, and nobody saw the ship again.";
    static const row rows[] = {
        {"storm damage", text, 60, "A [storm] rose and a [storm] fell and a [storm] rose. [Damage]"},
        {"dawn", text, 40, "The ship left at [dawn]. A storm rose and"},
        {"again", text, 30, "and nobody saw the ship [again]."},
        {"storm", text, 30, "A [storm] rose and a [storm]"},
        {"storm", text, 5, "[storm]"},
        {"storm", text, 2, "[storm]"},
        {"damage", text, 6, "[Damage]"},
        {"zebra", text, 20, "The ship left at"},
        {"storm", "  a storm \n", 100, "a [storm]"},
        {"b", "aaaaaaaaaaaaaaaaaaaaaa b cccccccccccccccccccccccc", 11, "aaaa [b] cccc"},
        {"storm", "\xE6\x9D\xB1\xE4\xBA\xAC storm \xE6\x9D\xB1\xE4\xBA\xAC", 12, "[storm] \xE6\x9D\xB1"},
    };
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void test_cuts_leave_clusters_whole(void **state)
{
    (void)state;
    /* a family of four joined into one, no blanks around the word */
#define FAMILY \
    "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7\xE2\x80\x8D\xF0\x9F\x91\xA6"
#define FLAG "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA"
    static const row rows[] = {
        {"x", FAMILY FAMILY "x" FAMILY FAMILY, 60, FAMILY "[x]" FAMILY},
        {"x", FAMILY FAMILY "x" FAMILY FAMILY, 40, "[x]"},
        {"x", FLAG FLAG FLAG "x" FLAG FLAG FLAG, 27, FLAG "[x]" FLAG},
        {"x", FLAG FLAG FLAG "x" FLAG FLAG FLAG, 13, "[x]"},
        {"x", "a\r\nx\r\nb", 5, "[x]"},
    };
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void test_a_cluster_without_end_is_cut_all_the_same(void **state)
{
    (void)state;
    static char value[1u << 20];
    size_t size = 0;
    value[size++] = 'x';
    while (size + 2 <= sizeof value) {
        value[size++] = '\xCC';
        value[size++] = '\x81';
    }
    yr_snippet snippet = snippet_of("zebra", yore_bytes(value, size), 100);
    assert_int_equal(snippet.text.size, 0); /* the only boundary at or before byte 100 */
    snippet = snippet_of("x\xCC\x81", yore_bytes(value, size), 100);
    check_spans(&snippet, yore_bytes(value, size));
    assert_true(snippet.text.size <= 2 * YR_SNIPPET_CLUSTER_BYTES);
}

static void test_text_that_is_none_gives_a_valid_snippet(void **state)
{
    (void)state;
    static const row rows[] = {
        {"storm", "\xFFz storm \xC3\xA9\xFF tail", YORE_SNIPPET_FULL, "z [storm] \xC3\xA9"},
        {"storm", "storm\xFF", 20, "[storm]"},
        {"storm", "\x80\x80storm", 20, "[storm]"},
    };
    check_rows(rows, sizeof rows / sizeof *rows);
}

static void test_huge_values_stay_in_bounds(void **state)
{
    (void)state;
    size_t size = YR_SNIPPET_SCAN_BYTES + (1u << 20);
    char *value = malloc(size);
    assert_non_null(value);
    for (size_t i = 0; i < size; i++) value[i] = i % 8 == 7 ? ' ' : '.';
    memcpy(value + YR_SNIPPET_SCAN_BYTES + 100, "storm", 5);
    yr_snippet snippet = snippet_of("storm", yore_bytes(value, size), 64);
    assert_int_equal(snippet.from, 0);
    assert_int_equal(snippet.span_count, 0);
    assert_true(snippet.text.size > 0 && snippet.text.size <= 64);

    memcpy(value + YR_SNIPPET_SCAN_BYTES - 2, "storm", 5); /* cut by the end of what is looked at: no mark */
    snippet = snippet_of("st*", yore_bytes(value, size), 64);
    assert_int_equal(snippet.span_count, 0);

    memcpy(value + 5000, " storm ", 7);
    memcpy(value + 5000 + YR_SNIPPET_MORE_BYTES / 2, " storm damage ", 14);
    snippet = snippet_of("storm damage", yore_bytes(value, size), 64);
    assert_int_equal(snippet.span_count, 2);
    assert_true(snippet.from > 5000);

    for (size_t i = 0; i + 2 <= size; i += 2) memcpy(value + i, "b ", 2);
    snippet = snippet_of("b", yore_bytes(value, size), YORE_SNIPPET_FULL);
    assert_int_equal(snippet.text.size, size);
    assert_int_equal(snippet.span_count, YR_SNIPPET_SPANS_MAX);
    snippet = snippet_of("b", yore_bytes(value, size), 10);
    assert_int_equal(snippet.span_count, 5);
    free(value);
}

/* -- random values: every snippet keeps the promises, and its spans are those of the whole value -- */

static size_t random_value(yr_rng *rng, char *out, size_t max)
{
    static const char *const pieces[] = {
        "storm",
        "damage",
        "ship",
        "Storms",
        " ",
        " ",
        " ",
        "\n",
        ". ",
        "the ",
        "of ",
        "\xE6\x9D\xB1",
        "\xE4\xBA\xAC",
        "\xCC\x81",
        FAMILY,
        FLAG,
        "\xE2\x80\x8D",
        "\xE0\xB8\x81\xE0\xB8\xB3",
        "\xC3\xA9",
        "\r\n",
        "-",
        "'s",
        "1.5",
        "\xEA\xB0\x80",
        "\xE1\x84\x80",
        "\xE1\x85\xA1",
    };
    size_t size = 0;
    for (uint64_t count = yr_rng_below(rng, 80); count > 0; count--) {
        const char *piece = pieces[yr_rng_below(rng, sizeof pieces / sizeof *pieces)];
        if (size + strlen(piece) > max) break;
        memcpy(out + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return size;
}

static bool is_utf8(yore_slice text)
{
    uint32_t code;
    for (size_t at = 0, bytes; at < text.size; at += bytes) {
        bytes = yr_utf8_next((const char *)text.data + at, text.size - at, &code);
        if (bytes == 0) return false;
    }
    return true;
}

static void test_random_snippets_keep_the_promises(void **state)
{
    (void)state;
    static const char *const queries[] = {"storm",
                                          "storm damage",
                                          "\"storm damage\"",
                                          "st* -ship",
                                          "\"storm of ship\"",
                                          "\xE6\x9D\xB1 ship",
                                          "\"storm storm\" da*"};
    const char *given = getenv("YORE_TEST_SEED");
    yr_rng rng = {given ? strtoull(given, NULL, 0) : UINT64_C(0x51199E7)};
    printf("seed 0x%" PRIx64 "\n", rng.state);
    for (int round = 0; round < 20000; round++) {
        static char value[2048];
        size_t size = random_value(&rng, value, sizeof value);
        yore_slice text = yore_bytes(value, size);
        const char *query = queries[yr_rng_below(&rng, sizeof queries / sizeof *queries)];
        uint32_t bytes = (uint32_t)yr_rng_below(&rng, 200) + 1;

        yore_text_span all[1024];
        yr_snippet whole = snippet_of(query, text, YORE_SNIPPET_FULL);
        assert_int_equal(whole.text.size, size);
        check_spans(&whole, text);
        size_t count = whole.span_count;
        assert_true(count <= 1024);
        for (size_t i = 0; i < count; i++) all[i] = whole.spans[i];

        yr_snippet part = snippet_of(query, text, bytes);
        check_spans(&part, text);
        assert_true(is_utf8(part.text));
        assert_true(part.text.size == 0 || yr_grapheme_is_break(text, (size_t)part.from));
        assert_true(yr_grapheme_is_break(text, (size_t)part.from + part.text.size));
        if (count > 0) assert_true(part.span_count > 0);
        size_t inside = 0;
        for (size_t i = 0; i < count; i++) {
            if (all[i].from < part.from || all[i].to > part.from + part.text.size) continue;
            assert_true(inside < part.span_count);
            assert_int_equal(all[i].from, part.value_spans[inside].from);
            inside++;
        }
        assert_int_equal(inside, part.span_count);
        uint64_t first = part.span_count > 0 ? part.spans[0].to - part.spans[0].from : 0;
        assert_true(part.text.size <= bytes || part.text.size <= first + 2 * 64);
    }
}

static void test_each_allocation_that_fails_is_reported_and_leaves_nothing(void **state)
{
    (void)state;
    static char value[65536];
    for (size_t i = 0; i < sizeof value; i++) value[i] = i % 2 ? ' ' : 'b';
    yore_error err = YORE_ERROR_INIT;
    yr_query_options options = {0};
    yr_query_node *root = NULL;
    yr_arena_reset(&arena);
    assert_int_equal(yr_query_parse(yore_str("\"b c\" b d*"), &options, english, &arena, &root, &err),
                     YORE_OK);
    yr_sim *sim = yr_sim_create(1);
    assert_non_null(sim);
    uint64_t failures = 0;
    for (yore_status status = YORE_ERR_NOMEM; status != YORE_OK; failures++) {
        yr_arena room;
        yr_snippet_plan *plan = NULL;
        yr_snippet out;
        yr_arena_init(&room, yr_sim_env(sim));
        yr_sim_fail_alloc(sim, failures + 1, false);
        status = yr_snippet_plan_create(root, &room, &plan, &err);
        if (status == YORE_OK)
            status = yr_snippet_make(plan, english, yore_bytes(value, sizeof value), YORE_SNIPPET_FULL, &room,
                                     &out, &err);
        yr_sim_fail_alloc(sim, 0, false);
        if (status == YORE_OK) assert_int_equal(out.span_count, sizeof value / 2);
        yr_arena_deinit(&room);
        assert_true(status == YORE_OK || (status == YORE_ERR_NOMEM && err.code == status));
        assert_false(yr_sim_has_leaks(sim));
    }
    assert_true(failures > 5);
    yr_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marks_are_the_words_that_match),
        cmocka_unit_test(test_window_shows_most_distinct_words_and_cuts_at_blanks),
        cmocka_unit_test(test_cuts_leave_clusters_whole),
        cmocka_unit_test(test_a_cluster_without_end_is_cut_all_the_same),
        cmocka_unit_test(test_text_that_is_none_gives_a_valid_snippet),
        cmocka_unit_test(test_huge_values_stay_in_bounds),
        cmocka_unit_test(test_random_snippets_keep_the_promises),
        cmocka_unit_test(test_each_allocation_that_fails_is_reported_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
