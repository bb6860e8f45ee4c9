/* What becomes of one key, as a table over all combinations of three states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/merge/three_way.h"

enum { ABSENT, A, A_TEXT, A_META, B, STATES };

static yr_merge_state state(int which)
{
    yr_merge_state s = {.shows = which != ABSENT};
    if (s.shows) s.value = yore_str(which == B ? "b" : "a");
    if (which == A_TEXT) s.type = YORE_TYPE_TEXT;
    if (which == A_META) s.meta = yore_str("100755");
    return s;
}

static void test_a_key_goes_with_who_changed_it(void **unused)
{
    (void)unused;
    for (int base = 0; base < STATES; base++) {
        for (int ours = 0; ours < STATES; ours++) {
            for (int theirs = 0; theirs < STATES; theirs++) {
                const yr_merge_state sides[YR_SIDE_COUNT] = {state(base), state(ours), state(theirs)};
                yr_merge_verdict wanted = theirs == base   ? YR_MERGE_OURS
                                          : ours == base   ? YR_MERGE_THEIRS
                                          : ours == theirs ? YR_MERGE_ALIKE
                                                           : YR_MERGE_CONFLICT;
                assert_int_equal(yr_three_way(sides), wanted);
            }
        }
    }
}

static void test_conflicts_are_called_by_what_was_done(void **unused)
{
    (void)unused;
    const struct {
        int base, ours, theirs;
        uint32_t kind;
    } cases[] = {{ABSENT, A, B, YORE_MERGE_BOTH_ADDED},
                 {A, A_META, B, YORE_MERGE_BOTH_CHANGED},
                 {A, B, ABSENT, YORE_MERGE_CHANGE_DELETE},
                 {A, ABSENT, B, YORE_MERGE_DELETE_CHANGE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const yr_merge_state sides[YR_SIDE_COUNT] = {state(cases[i].base), state(cases[i].ours),
                                                     state(cases[i].theirs)};
        assert_int_equal(yr_three_way(sides), YR_MERGE_CONFLICT);
        assert_int_equal(yr_merge_conflict_kind(sides), cases[i].kind);
    }
}

static yr_merge_state valued(const char *value, uint32_t type)
{
    return (yr_merge_state){.shows = true, .value = yore_str(value), .type = type};
}

static void test_only_objects_that_nobody_called_text_are_merged_by_path(void **unused)
{
    (void)unused;
    yr_merge_state sides[YR_SIDE_COUNT] = {valued("{}", YORE_TYPE_BYTES),
                                           valued(" \n{\"a\":1}", YORE_TYPE_JSON),
                                           valued("{\"b\":1}", YORE_TYPE_BYTES)};
    assert_true(yr_merge_may_be_json(sides));
    sides[YR_SIDE_OURS] = valued("{\"a\":1}", YORE_TYPE_TEXT);
    assert_false(yr_merge_may_be_json(sides));
    sides[YR_SIDE_OURS] = valued("[1]", YORE_TYPE_JSON);
    assert_false(yr_merge_may_be_json(sides));
    sides[YR_SIDE_OURS] = valued("", YORE_TYPE_JSON);
    assert_false(yr_merge_may_be_json(sides));
    sides[YR_SIDE_OURS] = (yr_merge_state){.shows = false};
    assert_false(yr_merge_may_be_json(sides));
}

static void test_type_and_metadata_go_with_who_changed_them(void **unused)
{
    (void)unused;
    uint32_t type;
    yore_slice meta;
    yr_merge_state sides[YR_SIDE_COUNT] = {valued("{}", YORE_TYPE_BYTES), valued("{}", YORE_TYPE_JSON),
                                           valued("{}", YORE_TYPE_BYTES)};
    sides[YR_SIDE_THEIRS].meta = yore_str("m");
    assert_true(yr_merge_beside(sides, &type, &meta));
    assert_int_equal(type, YORE_TYPE_JSON);
    assert_true(yr_slice_equal(meta, yore_str("m")));
    sides[YR_SIDE_OURS].meta = yore_str("m");
    assert_true(yr_merge_beside(sides, &type, &meta));
    sides[YR_SIDE_OURS].meta = yore_str("n");
    assert_false(yr_merge_beside(sides, &type, &meta));
    sides[YR_SIDE_THEIRS].meta = yore_str("");
    assert_true(yr_merge_beside(sides, &type, &meta));
    assert_true(yr_slice_equal(meta, yore_str("n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_goes_with_who_changed_it),
        cmocka_unit_test(test_conflicts_are_called_by_what_was_done),
        cmocka_unit_test(test_only_objects_that_nobody_called_text_are_merged_by_path),
        cmocka_unit_test(test_type_and_metadata_go_with_who_changed_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
