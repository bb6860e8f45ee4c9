/* Every allocation and every file operation of every scenario fails, once and for good.
 *     test_faults [--full] [--scenario NAME] */
#include "tests/fault/fault_kit.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static bool is_full;
static const char *only;
static yr_sim_image closed_image[2], killed_image[2]; /* in the log, in segments */

static const yr_sim_image *base_of(const fault_scenario *scenario)
{
    int with_segments = scenario->maintain != 0;
    return scenario->from_kill ? &killed_image[with_segments] : &closed_image[with_segments];
}

static bool is_wanted(const fault_scenario *scenario)
{
    return !only || strcmp(only, scenario->name) == 0;
}

static uint64_t fail_every(const fault_scenario *scenario, fault_plan plan)
{
    uint64_t points = 0, step = 1, first = 1;
    if (scenario->maintain) { /* many more places: some of them, others for each kind of failure */
        step = is_full ? 3 : 5;
        first += (plan.io.kinds * 7 + (uint64_t)plan.io.os_errno + plan.io.sticky + plan.is_sticky) % step;
    }
    for (uint64_t nth = first;; nth += step) {
        if (plan.io.kinds)
            plan.io.nth = nth;
        else
            plan.alloc_nth = nth;
        if (!fault_run_plan(scenario, base_of(scenario), &plan)) return points;
        points++;
    }
}

static void test_scenarios_run_without_a_fault(void **state)
{
    (void)state;
    for (size_t i = 0; i < fault_scenarios_count; i++) {
        if (!is_wanted(&fault_scenarios[i])) continue;
        for (int keep = 0; keep <= YR_CRASH_KEEP_RANDOM; keep++) {
            fault_plan plan = {.keep = keep};
            assert_false(fault_run_plan(&fault_scenarios[i], base_of(&fault_scenarios[i]), &plan));
        }
    }
}

static void test_any_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t total = 0;
    for (size_t i = 0; i < fault_scenarios_count; i++) {
        if (!is_wanted(&fault_scenarios[i])) continue;
        uint64_t points = fail_every(&fault_scenarios[i], (fault_plan){.is_sticky = false});
        points += fail_every(&fault_scenarios[i], (fault_plan){.is_sticky = true});
        if (is_full) print_message("%6" PRIu64 " allocations: %s\n", points, fault_scenarios[i].name);
        total += points;
    }
    print_message("%" PRIu64 " failed allocations\n", total);
    assert_true(only || total > 1000);
}

static void test_any_operation_may_fail(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {YR_SIM_OP_WRITE,  YR_SIM_OP_APPEND, YR_SIM_OP_SYNC, YR_SIM_OP_OPEN,
                                     YR_SIM_OP_RENAME, YR_SIM_OP_UNLINK, YR_SIM_OP_READ, YR_SIM_OP_DIR_SYNC,
                                     YR_SIM_OP_DIR,    YR_SIM_OP_MAP,    YR_SIM_OP_LOCK, YR_SIM_OP_ANY};
    static const int errnos[] = {EIO, ENOSPC, EDQUOT, EROFS};
    uint64_t total = 0;
    for (size_t i = 0; i < fault_scenarios_count; i++) {
        const fault_scenario *scenario = &fault_scenarios[i];
        if (!is_wanted(scenario)) continue;
        uint64_t points = 0;
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            bool is_any = kinds[k] == YR_SIM_OP_ANY;
            for (size_t e = 0; e < sizeof errnos / sizeof errnos[0]; e++) {
                for (int how = 0; how < 3; how++) { /* once, for good, short */
                    if (how == 2 && (kinds[k] != YR_SIM_OP_WRITE || e > 1)) continue;
                    /* once, of any kind, is once of each kind */
                    if (is_any && how == 0) continue;
                    if (!is_full && (e > 1 || (is_any && e > 0))) continue;
                    fault_plan plan = {.io = {.kinds = kinds[k],
                                              .os_errno = errnos[e],
                                              .sticky = how == 1,
                                              .is_short = how == 2}};
                    int keeps = is_full ? YR_CRASH_KEEP_RANDOM : 0;
                    for (plan.keep = 0; plan.keep <= keeps; plan.keep++) {
                        if (plan.keep && scenario->sync != YORE_SYNC_COMMIT) continue;
                        points += fail_every(scenario, plan);
                    }
                    /* the quick run cuts the power where it matters most: once in every way, and failed
                     * syncs */
                    bool is_sync = kinds[k] == YR_SIM_OP_SYNC || kinds[k] == YR_SIM_OP_DIR_SYNC;
                    if (keeps == 0 && scenario->sync == YORE_SYNC_COMMIT && (how == 0 || is_sync)) {
                        plan.keep = how == 0 ? YR_CRASH_KEEP_NONE : YR_CRASH_KEEP_RANDOM;
                        points += fail_every(scenario, plan);
                    }
                }
            }
        }
        if (is_full) print_message("%6" PRIu64 " operations: %s\n", points, scenario->name);
        total += points;
    }
    print_message("%" PRIu64 " failed operations\n", total);
    assert_true(only || total > 5000);
}

/* Killed between mkdir and the sync of its parent, a creation leaves a directory that the next one finds. */
static void test_a_directory_left_by_a_killed_creation_is_made_durable(void **state)
{
    (void)state;
    static fault_run run;
    run = (fault_run){
        .scenario = "a directory left behind", .sim = yr_sim_create(12), .sync = YORE_SYNC_COMMIT};
    const yore_env *env = yr_sim_env(run.sim);
    yore_dir *dir;
    yr_sim_trace_begin(run.sim);
    assert_int_equal(env->dir_open(env->ctx, "db", YORE_DIR_CREATE, NULL, &dir), 0);
    env->dir_close(env->ctx, dir);
    fault_open(&run);
    fault_put(&run, "", "a", "1");
    (void)yr_sim_trace_end(run.sim);
    fault_close(&run);
    yr_crash_cut(run.sim, YR_CRASH_KEEP_NONE, 1);
    if (!fault_open(&run)) fault_wrong(&run, "the store is gone");
    fault_check_notes(&run, run.db, run.acked);
    fault_close(&run);
    yr_sim_destroy(run.sim);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--full") == 0) {
            is_full = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--scenario") == 0) {
            only = argv[++i];
        } else {
            fprintf(stderr, "unknown argument '%s'\n", argv[i]);
            return 2;
        }
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenarios_run_without_a_fault),
        cmocka_unit_test(test_any_allocation_may_fail),
        cmocka_unit_test(test_any_operation_may_fail),
        cmocka_unit_test(test_a_directory_left_by_a_killed_creation_is_made_durable),
    };
    for (uint32_t i = 0; i < 2; i++) fault_base_make(0, i ? 6 : 0, &closed_image[i], &killed_image[i]);
    int failed = cmocka_run_group_tests_name("faults", tests, NULL, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        yr_sim_image_deinit(&closed_image[i]);
        yr_sim_image_deinit(&killed_image[i]);
    }
    return failed;
}
