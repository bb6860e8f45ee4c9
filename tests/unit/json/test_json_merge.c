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
#include "engine/json/json_merge.h"
#include "engine/json/json_tree.h"
#include "tests/unit/json/json_kit.h"

#include <yore/json.h>

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

/* -- diff -- */

typedef struct diff_case {
    const char *old_text;
    const char *new_text;
    const char *rows; /* "op path old new;" each */
} diff_case;

static const diff_case DIFFS[] = {
    {"{\"a\":1}", "{ \"\\u0061\" : 1 }", ""},
    {"1", "2", "~  1 2;"},
    {"{\"a\":1}", "[1]", "~  {\"a\":1} [1];"},
    {"{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":[4, 5]}", "- /a 1 ;~ /b 2 3;+ /c  [4, 5];"},
    {"{\"o\":{\"x\":1,\"y\":{}}}", "{\"o\":{\"x\":2,\"y\":{\"z\":1}}}", "~ /o/x 1 2;+ /o/y/z  1;"},
    {"{\"l\":[1,2]}", "{\"l\":[1,3]}", "~ /l [1,2] [1,3];"},
    {"{\"a/b\":{\"m~n\":null}}", "{\"a/b\":{}}", "- /a~1b/m~0n null ;"},
    {"{\"o\":{}}", "{\"o\":[]}", "~ /o {} [];"},
    {"{\"\":{\"\":1}}", "{\"\":{\"\":2}}", "~ // 1 2;"},
};

static void test_diffs_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof DIFFS / sizeof *DIFFS; i++) {
        yore_json_diff *diff = NULL;
        yore_json_change c = YORE_JSON_CHANGE_INIT;
        char rows[512] = "";
        assert_int_equal(yore_json_diff_open(yore_env_default(), yore_str(DIFFS[i].old_text),
                                             yore_str(DIFFS[i].new_text), &diff, NULL),
                         YORE_OK);
        while (yore_json_diff_next(diff, &c, NULL) == YORE_OK) {
            size_t used = strlen(rows);
            (void)snprintf(rows + used, sizeof rows - used, "%c %.*s %.*s %.*s;", " +~-"[c.op],
                           (int)c.path.size, (const char *)c.path.data, (int)c.old_text.size,
                           (const char *)c.old_text.data, (int)c.new_text.size,
                           (const char *)c.new_text.data);
        }
        yore_json_diff_close(diff);
        assert_string_equal(rows, DIFFS[i].rows);
    }
}

/* -- properties -- */

static yr_json_doc doc_of(yore_slice text)
{
    yr_json_doc doc;
    yore_error err = YORE_ERROR_INIT;
    if (yr_json_parse(yore_env_default(), text, &doc, &err) != YORE_OK) {
        fail_msg("%s: %.*s", err.message, (int)text.size, (const char *)text.data);
    }
    yr_json_check(&doc);
    return doc;
}

static bool says_the_same(yore_slice a, yore_slice b)
{
    yr_json_doc x = doc_of(a);
    yr_json_doc y = doc_of(b);
    bool is_equal = yr_json_equal(&x, 0, &y, 0);
    yr_json_deinit(&x);
    yr_json_deinit(&y);
    return is_equal;
}

static size_t diff_rows(yore_slice a, yore_slice b)
{
    yore_json_diff *diff = NULL;
    yore_json_change change = YORE_JSON_CHANGE_INIT;
    size_t count = 0;
    assert_int_equal(yore_json_diff_open(NULL, a, b, &diff, NULL), YORE_OK);
    while (yore_json_diff_next(diff, &change, NULL) == YORE_OK) count++;
    yore_json_diff_close(diff);
    return count;
}

static yr_json_merged merged_of(yore_slice base, yore_slice ours, yore_slice theirs, yr_json_prefer prefer)
{
    yr_json_sides sides = {base, ours, theirs};
    yr_json_merged merged;
    assert_int_equal(yr_json_merge(yore_env_default(), &sides, prefer, &merged, NULL), YORE_OK);
    return merged;
}

static void assert_bytes(yore_slice base, yore_slice ours, yore_slice theirs, yore_slice want)
{
    yr_json_merged merged = merged_of(base, ours, theirs, YR_JSON_STOP);
    assert_int_equal(merged.conflict_count, 0);
    assert_int_equal(merged.text.size, want.size);
    assert_memory_equal(merged.text.data, want.data, want.size);
    yr_json_merged_deinit(&merged);
}

/* The same again, slowly: what the merge of three values says, without blanks. -1 = the value is absent. A conflict
 * adds its path to `conflicts`, in the order of names. */
typedef struct oracle {
    const yr_json_doc *base;
    const yr_json_doc *ours;
    const yr_json_doc *theirs;
    yr_buf conflicts;
    yr_buf path;
    yr_buf text;
} oracle;

static bool same(const yr_json_doc *a, int64_t x, const yr_json_doc *b, int64_t y)
{
    return x < 0 || y < 0 ? x < 0 && y < 0 : yr_json_equal(a, (uint32_t)x, b, (uint32_t)y);
}

static bool is_object(const yr_json_doc *doc, int64_t node)
{
    return node >= 0 && yr_json_at(doc, (uint32_t)node)->kind == YR_JSON_OBJECT;
}

static int64_t member(const yr_json_doc *doc, int64_t node, yore_slice name)
{
    uint32_t found = is_object(doc, node) ? yr_json_find(doc, (uint32_t)node, name) : 0;
    return found ? (int64_t)found : -1;
}

static void oracle_merge(oracle *k, int64_t b, int64_t o, int64_t t, bool is_member, bool *comma,
                         yore_slice name);

static void oracle_take(oracle *k, const yr_json_doc *doc, int64_t node, bool is_member, bool *comma,
                        yore_slice name)
{
    if (node < 0) return;
    if (*comma) json_kit_put(&k->text, ",");
    *comma = true;
    if (is_member) {
        (void)yr_buf_append(&k->text, name.data, name.size);
        json_kit_put(&k->text, ":");
    }
    yore_slice text = yr_json_text(doc, (uint32_t)node);
    (void)yr_buf_append(&k->text, text.data, text.size);
}

/* All names of two objects in order, each once. */
static void oracle_members(oracle *k, int64_t b, int64_t o, int64_t t)
{
    uint32_t i = 0;
    uint32_t j = 0;
    bool comma = false;
    while (i < yr_json_at(k->ours, (uint32_t)o)->count || j < yr_json_at(k->theirs, (uint32_t)t)->count) {
        bool has_i = i < yr_json_at(k->ours, (uint32_t)o)->count;
        bool has_j = j < yr_json_at(k->theirs, (uint32_t)t)->count;
        yore_slice x = has_i ? yr_json_name(k->ours, yr_json_member(k->ours, (uint32_t)o, i)) : yore_str("");
        yore_slice y = has_j ? yr_json_name(k->theirs, yr_json_member(k->theirs, (uint32_t)t, j))
                             : yore_str("");
        int order = !has_i ? 1 : !has_j ? -1 : yr_json_compare_literals(x, y);
        yore_slice name = order <= 0 ? x : y;
        size_t size = k->path.size;
        assert_true(yr_json_path_append(&k->path, name));
        oracle_merge(k, member(k->base, b, name), member(k->ours, o, name), member(k->theirs, t, name), true,
                     &comma, name);
        k->path.size = size;
        i += order <= 0;
        j += order >= 0;
    }
}

static void oracle_merge(oracle *k, int64_t b, int64_t o, int64_t t, bool is_member, bool *comma,
                         yore_slice name)
{
    if (same(k->base, b, k->ours, o)) {
        oracle_take(k, k->theirs, t, is_member, comma, name);
    } else if (same(k->base, b, k->theirs, t) || same(k->ours, o, k->theirs, t)) {
        oracle_take(k, k->ours, o, is_member, comma, name);
    } else if (is_object(k->ours, o) && is_object(k->theirs, t) && (b < 0 || is_object(k->base, b))) {
        if (*comma) json_kit_put(&k->text, ",");
        *comma = true;
        if (is_member) {
            (void)yr_buf_append(&k->text, name.data, name.size);
            json_kit_put(&k->text, ":");
        }
        json_kit_put(&k->text, "{");
        oracle_members(k, b, o, t);
        json_kit_put(&k->text, "}");
    } else {
        (void)yr_buf_append(&k->conflicts, k->path.data, k->path.size);
        json_kit_put(&k->conflicts, "\n");
    }
}

static int by_path(const void *a, const void *b)
{
    const yr_json_conflict *x = a;
    const yr_json_conflict *y = b;
    size_t size = x->path.size < y->path.size ? x->path.size : y->path.size;
    int order = memcmp(x->path.data, y->path.data, size);
    return order ? order : (x->path.size > y->path.size) - (x->path.size < y->path.size);
}

/* The paths of the conflicts, each with a newline, in byte order. */
static void sorted_paths(const yr_json_merged *merged, yr_buf *out)
{
    yr_json_conflict *copy = malloc((merged->listed + 1) * sizeof *copy);
    assert_non_null(copy);
    if (merged->listed) memcpy(copy, merged->conflicts, merged->listed * sizeof *copy);
    qsort(copy, merged->listed, sizeof *copy, by_path);
    out->size = 0;
    for (size_t i = 0; i < merged->listed; i++) {
        (void)yr_buf_append(out, copy[i].path.data, copy[i].path.size);
        json_kit_put(out, "\n");
    }
    free(copy);
}

static int by_line(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(yr_buf *lines)
{
    char *list[4096];
    size_t count = 0;
    assert_true(yr_buf_append(lines, "", 1));
    char *copy = malloc(lines->size);
    assert_non_null(copy);
    memcpy(copy, lines->data, lines->size);
    for (char *line = copy; *line; line = strchr(line, 0) + 1) {
        assert_true(count < sizeof list / sizeof *list);
        list[count++] = line;
        *strchr(line, '\n') = 0;
    }
    qsort(list, count, sizeof *list, by_line);
    lines->size = 0;
    for (size_t i = 0; i < count; i++) {
        json_kit_put(lines, list[i]);
        json_kit_put(lines, "\n");
    }
    free(copy);
}

static void check_against_oracle(yore_slice base, yore_slice ours, yore_slice theirs)
{
    yr_json_doc b = doc_of(base), o = doc_of(ours), t = doc_of(theirs);
    oracle k = {.base = &b, .ours = &o, .theirs = &t};
    yr_buf *bufs[] = {&k.conflicts, &k.path, &k.text};
    yr_buf paths;
    bool comma = false;
    for (size_t i = 0; i < 3; i++) yr_buf_init(bufs[i], yore_env_default(), 1u << 20);
    yr_buf_init(&paths, yore_env_default(), 1u << 20);
    oracle_merge(&k, 0, 0, 0, false, &comma, yore_str(""));
    sort_lines(&k.conflicts);

    yr_json_merged merged = merged_of(base, ours, theirs, YR_JSON_STOP);
    sorted_paths(&merged, &paths);
    assert_int_equal(paths.size, k.conflicts.size);
    if (paths.size) assert_memory_equal(paths.data, k.conflicts.data, paths.size);
    if (merged.conflict_count == 0)
        assert_true(says_the_same(merged.text, yore_bytes(k.text.data, k.text.size)));

    yr_json_merged back =
        merged_of(base, theirs, ours, YR_JSON_STOP); /* the conflicts are the same seen from there */
    sorted_paths(&back, &paths);
    assert_int_equal(paths.size, k.conflicts.size);
    if (paths.size) assert_memory_equal(paths.data, k.conflicts.data, paths.size);
    if (merged.conflict_count == 0) assert_true(says_the_same(merged.text, back.text));

    yr_json_merged kept = merged_of(base, ours, theirs, YR_JSON_OURS);
    yr_json_merged given = merged_of(base, theirs, ours, YR_JSON_THEIRS);
    assert_true(says_the_same(kept.text, given.text));
    yr_json_merged_deinit(&merged);
    yr_json_merged_deinit(&back);
    yr_json_merged_deinit(&kept);
    yr_json_merged_deinit(&given);
    for (size_t i = 0; i < 3; i++) yr_buf_deinit(bufs[i]);
    yr_buf_deinit(&paths);
    yr_json_deinit(&b);
    yr_json_deinit(&o);
    yr_json_deinit(&t);
}

static void test_what_holds_for_any_three_texts(void **state)
{
    (void)state;
    const char *given = getenv("YORE_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    yr_buf texts[3];
    size_t conflicting = 0;
    size_t merging = 0;
    yr_rng rng = {seed};
    print_message("seed %llu\n", (unsigned long long)seed);
    for (size_t i = 0; i < 3; i++) yr_buf_init(&texts[i], yore_env_default(), 1u << 20);
    for (int round = 0; round < 6000; round++) {
        for (size_t i = 0; i < 3; i++) texts[i].size = 0;
        json_kit_value(&rng, &texts[0], 3);
        yore_slice base = yore_bytes(texts[0].data, texts[0].size);
        yr_json_doc doc = doc_of(base);
        json_kit_variant(&rng, &doc, 0, &texts[1]);
        json_kit_variant(&rng, &doc, 0, &texts[2]);
        yr_json_deinit(&doc);
        yore_slice ours = yore_bytes(texts[1].data, texts[1].size);
        yore_slice theirs = yore_bytes(texts[2].data, texts[2].size);

        assert_bytes(base, ours, base, ours);
        assert_bytes(base, base, theirs, theirs);
        assert_bytes(base, ours, ours, ours);
        check_against_oracle(base, ours, theirs);
        assert_int_equal(diff_rows(base, ours) == 0, says_the_same(base, ours));
        assert_int_equal(diff_rows(ours, theirs), diff_rows(theirs, ours));
        yr_json_merged merged = merged_of(base, ours, theirs, YR_JSON_STOP);
        conflicting += merged.conflict_count > 0;
        merging += merged.conflict_count == 0 && diff_rows(base, ours) > 0 && diff_rows(base, theirs) > 0;
        yr_json_merged_deinit(&merged);
    }
    for (size_t i = 0; i < 3; i++) yr_buf_deinit(&texts[i]);
    print_message("%zu with conflicts, %zu merged from both\n", conflicting, merging);
    assert_true(conflicting > 300 && merging > 300);
}

/* -- bounds -- */

static void test_many_conflicts_are_counted_and_the_first_listed(void **state)
{
    (void)state;
    yr_buf texts[3];
    for (size_t i = 0; i < 3; i++) {
        yr_buf_init(&texts[i], yore_env_default(), 1u << 20);
        for (int k = 0; k < 3000; k++) {
            char part[48];
            (void)snprintf(part, sizeof part, "%c\"n%d\":%zu", k ? ',' : '{', k, i);
            json_kit_put(&texts[i], part);
        }
        json_kit_put(&texts[i], "}");
    }
    yr_json_merged merged = merged_of(yore_bytes(texts[0].data, texts[0].size),
                                      yore_bytes(texts[1].data, texts[1].size),
                                      yore_bytes(texts[2].data, texts[2].size), YR_JSON_STOP);
    assert_int_equal(merged.conflict_count, 3000);
    assert_int_equal(merged.listed, YR_JSON_CONFLICTS_LISTED);
    assert_text(merged.conflicts[999].path, "/n999");
    assert_text(merged.conflicts[999].at.theirs, "2");
    yr_json_merged_deinit(&merged);
    for (size_t i = 0; i < 3; i++) yr_buf_deinit(&texts[i]);
}

static void test_a_side_that_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const sides[3][3] = {{"{", "1", "1"}, {"1", "{", "1"}, {"1", "1", "{"}};
    for (size_t i = 0; i < 3; i++) {
        yr_json_sides s = {yore_str(sides[i][0]), yore_str(sides[i][1]), yore_str(sides[i][2])};
        yr_json_merged merged;
        yore_json_diff *diff = NULL;
        assert_int_equal(yr_json_merge(yore_env_default(), &s, YR_JSON_STOP, &merged, NULL), YORE_ERR_INPUT);
        if (i > 0)
            assert_int_equal(yore_json_diff_open(yore_env_default(), s.ours, s.theirs, &diff, NULL),
                             YORE_ERR_INPUT);
        assert_null(diff);
    }
}

static void test_a_conflict_can_be_given_to_a_side(void **state)
{
    (void)state;
    yore_slice base = yore_str("{\"a\":1,\"b\":1,\"c\":1,\"d\":1}");
    yore_slice ours = yore_str("{\"a\":2,\"c\":2,\"d\":1,\"o\":1}");
    yore_slice theirs = yore_str("{\"a\":3,\"b\":2,\"d\":2}");
    yr_json_merged merged = merged_of(base, ours, theirs, YR_JSON_OURS);
    assert_int_equal(merged.conflict_count, 3);
    assert_text(merged.text, "{\"a\":2,\"c\":2,\"d\":2,\"o\":1}");
    yr_json_merged_deinit(&merged);
    merged = merged_of(base, ours, theirs, YR_JSON_THEIRS);
    assert_int_equal(merged.conflict_count, 3);
    assert_text(merged.text, "{\"a\":3,\"d\":2,\"o\":1,\"b\":2}");
    yr_json_merged_deinit(&merged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges_of_the_table),
        cmocka_unit_test(test_diffs_of_the_table),
        cmocka_unit_test(test_a_conflict_can_be_given_to_a_side),
        cmocka_unit_test(test_a_side_that_is_not_json_is_refused),
        cmocka_unit_test(test_many_conflicts_are_counted_and_the_first_listed),
        cmocka_unit_test(test_what_holds_for_any_three_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
