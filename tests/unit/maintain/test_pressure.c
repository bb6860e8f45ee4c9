/* How much writers are slowed: nothing while there is room, never a jump, and enough in the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/compact/policy.h"
#include "engine/maintain/pressure.h"

enum { MS = 1000000 };

static void test_nobody_waits_while_there_is_room(void **state)
{
    (void)state;
    assert_int_equal(yr_pressure_ns_per_mib(0, 4, 10 * MS), 0);
    assert_int_equal(yr_pressure_ns_per_mib(1, 0.4, 10 * MS), 0);
    for (uint32_t runs = 0; runs <= YR_PRESSURE_RUNS; runs++)
        assert_int_equal(yr_pressure_runs_ns_per_mib(runs, 10 * MS, true), 0);
    assert_true(YR_PRESSURE_RUNS >
                YR_COMPACT_RUNS_MAX); /* or a store would be slowed that is as it should be */
}

static void test_memory_slows_more_and_more_without_a_jump(void **state)
{
    (void)state;
    int64_t last = yr_pressure_ns_per_mib(1, 0, 10 * MS);
    for (int step = 1; step < 400; step++) {
        uint32_t frozen = step < 200 ? 1 : 2;
        double fill = (double)(step % 200) / 200;
        int64_t rate = yr_pressure_ns_per_mib(frozen, fill, 10 * MS);
        assert_true(rate >= last && rate <= last + 6 * MS);
        last = rate;
    }
    /* as many wait as may and the newest is full: slower than flushing is */
    assert_true(yr_pressure_ns_per_mib(YR_PRESSURE_FROZEN_MAX, 1, 10 * MS) > 10 * MS);
}

static void test_runs_slow_writers_to_less_than_merging_does(void **state)
{
    (void)state;
    int64_t last = 0;
    for (uint32_t runs = YR_PRESSURE_RUNS; runs < 100; runs++) {
        int64_t rate = yr_pressure_runs_ns_per_mib(runs, 10 * MS, true);
        assert_true(rate >= last && rate <= last + 5 * MS);
        last = rate;
    }
    assert_true(yr_pressure_runs_ns_per_mib(YR_PRESSURE_RUNS + 4, 10 * MS, true) >= 20 * MS);
    assert_true(last <= 200 * MS);                                         /* never stopped */
    assert_int_equal(yr_pressure_runs_ns_per_mib(100, 10 * MS, false), 0); /* for nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_waits_while_there_is_room),
        cmocka_unit_test(test_memory_slows_more_and_more_without_a_jump),
        cmocka_unit_test(test_runs_slow_writers_to_less_than_merging_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
