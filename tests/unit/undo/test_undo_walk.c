/* Which commit undo and redo take back, by table; what marks say; what becomes of one key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/undo/undo_rule.h"
#include "engine/undo/undo_walk.h"

/* -- the stack -- */

/* A branch's own commits, oldest first, as words: "c" an ordinary one, "u2" undoes v2, "r3" redoes v3. The first is
 * v1. */
typedef struct stack_row {
    const char *commits;
    uint64_t undo, redo; /* the version each takes back next; 0 = none */
} stack_row;

static const stack_row stack_rows[] = {
    {"", 0, 0},
    {"c", 1, 0},
    {"c c", 2, 0},
    {"c u1", 0, 2},
    {"c c u2", 1, 3},
    {"c c u2 u1", 0, 4},
    {"c c u2 u1 r4", 5, 3},       /* one redone: v1 is back, v2 waits */
    {"c c u2 u1 r4 r3", 6, 0},    /* both redone */
    {"c c u2 u1 r4 r3 u6", 5, 7}, /* and undone again: what redid v1 is next */
    {"c c u2 u1 r4 r3 u6 u5", 0, 8},
    {"c c u2 u1 r4 u5", 0, 6},
    {"c c u2 u1 r4 u5 r6", 7, 3},
    {"c u1 r2", 3, 0},
    {"c u1 r2 u3", 0, 4},
    {"c u1 r2 u3 r4", 5, 0},
    {"c u1 r2 u3 r4 u5", 0, 6},
    {"c u1 c", 3, 0},    /* an ordinary commit leaves nothing to redo */
    {"c u1 c u3", 0, 4}, /* and undo passes over what is undone already */
    {"c c u2 c u4 ", 1, 5},
    {"c c u2 c u4 u1", 0, 6},
    {"c c u2 c u4 u1 r6", 7, 5}, /* both undos since v4 can be redone, the one before it cannot */
    {"c c u2 c u4 u1 r6 r5", 8, 0},
    {"c c c u1", 3, 4}, /* undo of one in the middle */
    {"c c c u1 u3", 2, 5},
    {"c c c u1 u3 u2", 0, 6},
    {"c c c u1 u3 r5", 6, 4},
    {"c c c u1 u3 r5 r4", 7, 0},
    {"c u1 u2", 1, 3}, /* undo of an undo by its number: v1 is back on the stack */
    {"c u1 u2 u1", 0, 4},
    {"c u1 u2 r3", 4, 2},
    {"c u9", 2, 0}, /* a mark of a version to come is no undo */
    {"c x1", 2, 0}, /* revert and its like are ordinary commits */
};

static yr_undo_mark mark_of(const char *word)
{
    char source[32];
    const char *verb = word[0] == 'u' ? "undo" : word[0] == 'r' ? "redo" : "revert";
    if (word[0] == 'c') return (yr_undo_mark){0};
    snprintf(source, sizeof source, "%s:v%.*s", verb, (int)strcspn(word + 1, " "), word + 1);
    return yr_undo_mark_parse(yore_str(source));
}

static uint64_t target(const char *commits, uint32_t kind)
{
    yr_undo_mark marks[32];
    size_t count = 0;
    for (const char *at = commits; *at; at += strspn(at, " ")) {
        marks[count++] = mark_of(at);
        at += strcspn(at, " ");
    }
    yr_undo_walk walk;
    yr_undo_walk_init(&walk, yore_env_default(), kind);
    yr_undo_step step = YR_UNDO_ON;
    uint64_t found = 0;
    for (uint64_t v = count; v > 0 && step == YR_UNDO_ON; v--) {
        step = yr_undo_walk_step(&walk, v, marks[v - 1]);
        if (step == YR_UNDO_FOUND) found = v;
    }
    assert_int_not_equal(step, YR_UNDO_NO_MEMORY);
    yr_undo_walk_deinit(&walk);
    return found;
}

static void test_undo_and_redo_walk_the_stack_that_the_marks_describe(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof stack_rows / sizeof *stack_rows; i++) {
        const stack_row *row = &stack_rows[i];
        uint64_t undo = target(row->commits, YORE_UNDO_UNDO), redo = target(row->commits, YORE_UNDO_REDO);
        if (undo != row->undo || redo != row->redo)
            print_error("\"%s\": undo v%d, redo v%d\n", row->commits, (int)undo, (int)redo);
        assert_int_equal(undo, row->undo);
        assert_int_equal(redo, row->redo);
    }
}

/* -- marks -- */

static void test_a_mark_reads_back_as_it_was_written(void **state)
{
    (void)state;
    static const uint64_t versions[] = {1, 9, 10, 123456789, UINT64_MAX};
    for (uint32_t kind = YORE_UNDO_UNDO; kind <= YORE_UNDO_RESET; kind++) {
        for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
            char text[YR_UNDO_MARK_SIZE];
            size_t size = yr_undo_mark_format((yr_undo_mark){kind, versions[i]}, text);
            assert_int_equal(size, strlen(text));
            yr_undo_mark mark = yr_undo_mark_parse(yore_bytes(text, size));
            assert_int_equal(mark.kind, kind);
            assert_true(mark.version == versions[i]);
        }
    }
}

static void test_any_other_source_is_no_mark(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "undo",
                                        "undo:",
                                        "undo:v",
                                        "undo:12",
                                        "undo:v0",
                                        "undo:v012",
                                        "undo:v1 ",
                                        " undo:v1",
                                        "undo:v1x",
                                        "Undo:v1",
                                        "undo:V1",
                                        "undone:v1",
                                        "merge:v1",
                                        "4b825dc642cb6eb9a060",
                                        "undo:v-1",
                                        "redo v3",
                                        "reset:v",
                                        "undo:v18446744073709551616"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (yr_undo_mark_parse(yore_str(texts[i])).kind) print_error("'%s' was read as a mark\n", texts[i]);
        assert_int_equal(yr_undo_mark_parse(yore_str(texts[i])).kind, 0);
    }
    assert_int_equal(yr_undo_mark_parse(yore_bytes(NULL, 0)).kind, 0);
}

/* -- one key -- */

typedef struct rule_row {
    const char *now, *base, *then; /* NULL: absent */
    yr_undo_verdict verdict;
} rule_row;

static const rule_row rule_rows[] = {
    {"b", "b", "a", YR_UNDO_WRITE},  {"b", "b", NULL, YR_UNDO_WRITE}, {NULL, NULL, "a", YR_UNDO_WRITE},
    {"a", "b", "a", YR_UNDO_KEEP},   {NULL, "b", NULL, YR_UNDO_KEEP}, {"a", NULL, "a", YR_UNDO_KEEP},
    {"c", "b", "a", YR_UNDO_CLASH},  {"c", "b", NULL, YR_UNDO_CLASH}, {NULL, "b", "a", YR_UNDO_CLASH},
    {"c", NULL, "a", YR_UNDO_CLASH}, {"b", "b", "b", YR_UNDO_KEEP},   {NULL, NULL, NULL, YR_UNDO_KEEP},
    {"c", "b", "b", YR_UNDO_KEEP},   {"c", NULL, NULL, YR_UNDO_KEEP}, {NULL, "b", "b", YR_UNDO_KEEP},
    {"", NULL, "a", YR_UNDO_CLASH},  {"", "", NULL, YR_UNDO_WRITE},
};

static const yr_found *found_of(const char *value, yr_found *out)
{
    *out = (yr_found){.op = YORE_OP_PUT};
    if (!value) return NULL;
    out->value = yore_str(value);
    return out;
}

static void test_a_key_is_written_only_from_the_state_the_change_left(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rule_rows / sizeof *rule_rows; i++) {
        const rule_row *row = &rule_rows[i];
        yr_found now, base, then;
        assert_int_equal(
            yr_undo_decide(found_of(row->now, &now), found_of(row->base, &base), found_of(row->then, &then)),
            row->verdict);
    }
}

static void test_type_metadata_and_expiry_are_part_of_a_state_and_the_version_is_not(void **state)
{
    (void)state;
    const yr_found plain = {
        .value = yore_str("v"), .meta = yore_str("m"), .version = 3, .expiry_ns = 9, .type = 1};
    yr_found other = plain;
    other.version = 4;
    other.branch = 7;
    assert_true(yr_undo_same(&plain, &other));
    other.type = 2;
    assert_false(yr_undo_same(&plain, &other));
    other = plain;
    other.meta = yore_str("");
    assert_false(yr_undo_same(&plain, &other));
    other = plain;
    other.expiry_ns = 0;
    assert_false(yr_undo_same(&plain, &other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_undo_and_redo_walk_the_stack_that_the_marks_describe),
        cmocka_unit_test(test_a_mark_reads_back_as_it_was_written),
        cmocka_unit_test(test_any_other_source_is_no_mark),
        cmocka_unit_test(test_a_key_is_written_only_from_the_state_the_change_left),
        cmocka_unit_test(test_type_metadata_and_expiry_are_part_of_a_state_and_the_version_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
