/* Which value files go and which are rewritten: tables of sums and what they give, and random ones against the rules
 * said again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/segment/value_collect.h"

#define MIB (UINT64_C(1) << 20)

static uint64_t first_seed = 1;
static uint64_t seeds = 2000;

typedef struct one_case {
    const char *what;
    uint64_t all, live_count, live;
    uint32_t percent;
    enum yr_value_fate want;
} one_case;

static void test_one_file_is_judged_by_its_garbage(void **state)
{
    (void)state;
    static const one_case cases[] = {
        {"all alive", 100 * MIB, 100, 100 * MIB, 0, YR_VALUES_KEEP},
        {"nothing alive", 100 * MIB, 0, 0, 0, YR_VALUES_DEAD},
        {"an empty file", 0, 0, 0, 0, YR_VALUES_DEAD},
        {"half dead is not more than half", 100 * MIB, 50, 50 * MIB, 0, YR_VALUES_KEEP},
        {"a byte more than half", 100 * MIB, 50, 50 * MIB - 1, 0, YR_VALUES_REWRITE},
        {"a quarter, and the limit is a fifth", 100 * MIB, 50, 75 * MIB, 20, YR_VALUES_REWRITE},
        {"a quarter, and the limit is a quarter", 100 * MIB, 50, 75 * MIB, 25, YR_VALUES_KEEP},
        {"never", 100 * MIB, 1, 1, 100, YR_VALUES_KEEP},
        {"counted twice while a merge is under way", 100 * MIB, 90, 180 * MIB, 0, YR_VALUES_KEEP},
        {"as large as a file can be", UINT64_C(1) << 36, 1, 70000, 99, YR_VALUES_REWRITE},
        {"more to move than fits in one go", UINT64_C(1) << 36, 9, UINT64_C(1) << 34, 0, YR_VALUES_REWRITE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const one_case *c = &cases[i];
        yr_value_usage usage = {.file_id = 5, .file_bytes = c->all + 1000, .value_bytes = c->all};
        yr_value_policy policy = {.garbage_percent = c->percent};
        enum yr_value_fate fate;
        yr_value_plan plan;
        assert_true(yr_value_usage_add(&usage, 1, 5, c->live_count, c->live));
        yr_value_collect(&usage, 1, &policy, &fate, &plan);
        if (fate != c->want) print_error("%s: %d, not %d\n", c->what, (int)fate, (int)c->want);
        assert_int_equal(fate, c->want);
        assert_int_equal(plan.dead, c->want == YR_VALUES_DEAD);
        assert_int_equal(plan.freed_bytes, c->want == YR_VALUES_DEAD ? c->all + 1000 : 0);
        assert_int_equal(plan.rewrites, c->want == YR_VALUES_REWRITE);
        assert_int_equal(plan.moved_bytes, c->want == YR_VALUES_REWRITE ? c->live : 0);
        assert_int_equal(plan.saved_bytes, c->want == YR_VALUES_REWRITE ? c->all - c->live : 0);
    }
}

static void test_sums_of_several_segments_go_to_the_right_file(void **state)
{
    (void)state;
    yr_value_usage usages[3] = {{.file_id = 3}, {.file_id = 7}, {.file_id = 90}};
    assert_true(yr_value_usage_add(usages, 3, 7, 2, 200));
    assert_true(yr_value_usage_add(usages, 3, 90, 1, 1));
    assert_true(yr_value_usage_add(usages, 3, 3, 5, 50));
    assert_true(yr_value_usage_add(usages, 3, 7, 3, 300));
    assert_false(yr_value_usage_add(usages, 3, 8, 1, 1)); /* missing */
    assert_false(yr_value_usage_add(usages, 3, 91, 1, 1));
    assert_false(yr_value_usage_add(usages, 3, 1, 1, 1));
    assert_false(yr_value_usage_add(usages, 0, 1, 1, 1));
    assert_int_equal(usages[0].live_count, 5);
    assert_int_equal(usages[0].live_bytes, 50);
    assert_int_equal(usages[1].live_count, 5);
    assert_int_equal(usages[1].live_bytes, 500);
    assert_int_equal(usages[2].live_bytes, 1);
}

static void test_the_worst_come_first_and_no_more_is_moved_than_allowed(void **state)
{
    (void)state;
    const yr_value_usage usages[] = {
        {1, 100 * MIB, 100 * MIB, 1, 40 * MIB}, {2, 100 * MIB, 100 * MIB, 1, 10 * MIB},
        {3, 100 * MIB, 100 * MIB, 0, 0},        {4, 100 * MIB, 100 * MIB, 1, 20 * MIB},
        {5, 100 * MIB, 100 * MIB, 1, 20 * MIB}, {6, 100 * MIB, 100 * MIB, 1, 90 * MIB}};
    enum yr_value_fate fates[6];
    yr_value_plan plan;
    yr_value_collect(usages, 6, &(yr_value_policy){.moved_bytes_max = 30 * MIB}, fates, &plan);
    const enum yr_value_fate want[6] = {YR_VALUES_KEEP,    YR_VALUES_REWRITE, YR_VALUES_DEAD,
                                        YR_VALUES_REWRITE, YR_VALUES_KEEP,    YR_VALUES_KEEP};
    assert_memory_equal(fates, want, sizeof want);
    assert_int_equal(plan.moved_bytes, 30 * MIB);
    assert_int_equal(plan.saved_bytes, 170 * MIB);
    yr_value_collect(usages, 6, &(yr_value_policy){0}, fates, &plan);
    assert_int_equal(plan.rewrites, 4);
    assert_int_equal(fates[5], YR_VALUES_KEEP);
    yr_value_collect(usages, 6, &(yr_value_policy){.moved_bytes_max = 1}, fates, &plan);
    assert_int_equal(plan.rewrites, 1); /* or nothing would ever be */
    assert_int_equal(fates[1], YR_VALUES_REWRITE);
    yr_value_collect(usages, 0, &(yr_value_policy){0}, fates, &plan);
    assert_int_equal(plan.dead + plan.rewrites, 0);
}

/* Each go unlinks what is dead and moves what is to be moved to a new file; in the end at most `percent` of all is
 * garbage, no live byte was lost, and each go moved no more than it may. */
static void test_repeated_goes_end_with_little_garbage(void **state)
{
    (void)state;
    enum { FILES = 40 };
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        yr_rng rng = {seed};
        yr_value_usage usages[2 * FILES];
        uint32_t count = 1 + (uint32_t)yr_rng_below(&rng, FILES), goes = 0;
        uint64_t live = 0, next_id = 1, largest = 0;
        yr_value_policy policy = {.garbage_percent = 1 + (uint32_t)yr_rng_below(&rng, 99),
                                  .moved_bytes_max = 1 + yr_rng_below(&rng, 100 * MIB)};
        for (uint32_t i = 0; i < count; i++) {
            uint64_t all = 70000 + yr_rng_below(&rng, 64 * MIB);
            uint64_t alive = yr_rng_below(&rng, 4) ? yr_rng_below(&rng, all + 1) : 0;
            usages[i] = (yr_value_usage){next_id, all + 500, all, alive > 0, alive};
            next_id += 1 + yr_rng_below(&rng, 5);
            live += alive;
            if (largest < alive) largest = alive;
        }
        for (;; goes++) {
            enum yr_value_fate fates[2 * FILES];
            yr_value_plan plan;
            yr_value_collect(usages, count, &policy, fates, &plan);
            if (plan.dead + plan.rewrites == 0) break;
            assert_true(goes < 3 * FILES);
            assert_true(plan.moved_bytes <= policy.moved_bytes_max || plan.rewrites == 1);
            uint32_t kept = 0;
            for (uint32_t i = 0; i < count; i++) {
                if (fates[i] == YR_VALUES_KEEP) usages[kept++] = usages[i];
            }
            count = kept;
            if (plan.rewrites) {
                uint64_t moved = plan.moved_bytes;
                usages[count++] = (yr_value_usage){next_id++, moved + 500, moved, 1, moved};
            }
        }
        uint64_t all = 0, alive = 0;
        for (uint32_t i = 0; i < count; i++) {
            all += usages[i].value_bytes;
            alive += usages[i].live_bytes;
        }
        bool is_right = alive == live && (all - alive) * 100 <= all * policy.garbage_percent;
        if (!is_right) print_error("seed %llu\n", (unsigned long long)seed);
        assert_true(is_right);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) seeds = strtoull(argv[1], NULL, 10);
    if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_file_is_judged_by_its_garbage),
        cmocka_unit_test(test_sums_of_several_segments_go_to_the_right_file),
        cmocka_unit_test(test_the_worst_come_first_and_no_more_is_moved_than_allowed),
        cmocka_unit_test(test_repeated_goes_end_with_little_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
