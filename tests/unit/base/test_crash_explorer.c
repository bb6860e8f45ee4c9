/* The crash explorer finds every way the toy store can be told to lose data, and nothing when it is right. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/base/toy_store.h"

#define RECORDS 5u

typedef struct verifier {
    unsigned ways;
    uint64_t most_seen; /* records in the fullest state */
} verifier;

/* The toy opens, has all acknowledged records and none that was not asked for, and takes another one. */
static bool verify_toy(void *arg, yr_sim *disk, const yr_crash_point *point)
{
    verifier *v = arg;
    toy t;
    if (toy_open(&t, yr_sim_env(disk), v->ways) != 0) return false;
    bool is_fine = t.records >= point->acked && t.records <= point->begun;
    if (t.records > v->most_seen) v->most_seen = t.records;
    for (uint64_t n = 1; n <= t.records; n++) {
        uint8_t payload[48];
        if (!yr_sim_file_read(disk, "toy/log", payload, sizeof payload, (n - 1) * 64 + 16)) is_fine = false;
        for (size_t i = 0; i < sizeof payload; i++) is_fine = is_fine && payload[i] == n % 250 + 1;
    }
    uint64_t before = t.records;
    if (is_fine && before < 60) is_fine = toy_append(&t, disk) == 0;
    toy_close(&t);
    if (is_fine && before < 60) {
        is_fine = toy_open(&t, yr_sim_env(disk), v->ways) == 0 && t.records == before + 1;
        toy_close(&t);
    }
    return is_fine;
}

/* Create, append, rewrite, append, reopen, append; every acknowledged record marked. */
static void run_script(yr_sim *sim, unsigned ways)
{
    toy t;
    yr_sim_trace_begin(sim);
    assert_int_equal(toy_open(&t, yr_sim_env(sim), ways), 0);
    for (unsigned i = 0; i < RECORDS; i++) assert_int_equal(toy_append(&t, sim), 0);
    assert_int_equal(toy_rewrite(&t), 0);
    assert_int_equal(toy_append(&t, sim), 0);
    toy_close(&t);
    assert_int_equal(toy_open(&t, yr_sim_env(sim), ways), 0);
    assert_int_equal(toy_append(&t, sim), 0);
    toy_close(&t);
    assert_false(yr_sim_has_leaks(sim));
}

static yr_crash_report explore(unsigned ways, int depth, uint64_t states_max, bool is_quiet)
{
    yr_sim *sim = yr_sim_create(7);
    run_script(sim, ways);
    verifier v = {.ways = ways};
    yr_crash_options options = {.name = "toy",
                                .seed = 11,
                                .depth = depth,
                                .nested_every = 4,
                                .states_max = states_max,
                                .is_quiet = is_quiet};
    yr_crash_report report = {0};
    yr_crash_explore(yr_sim_trace_end(sim), &options, verify_toy, &v, &report);
    if (!report.violations && !states_max) assert_int_equal(v.most_seen, RECORDS + 2);
    yr_sim_destroy(sim);
    return report;
}

static void test_right_store_survives_every_cut(void **state)
{
    (void)state;
    for (unsigned mapped = 0; mapped < 2; mapped++) {
        yr_crash_report report = explore(mapped ? TOY_MAPPED : 0, 0, 0, false);
        yr_crash_report_print(mapped ? "toy, mapped" : "toy", &report, stdout);
        assert_int_equal(report.violations, 0);
        assert_true(report.distinct > 1000);
        assert_true(report.images > 100 && report.images <= report.distinct);
    }
}

static void test_right_store_survives_cuts_inside_recovery(void **state)
{
    (void)state;
    for (int depth = 1; depth <= 2; depth++) {
        yr_crash_report report = explore(TOY_MAPPED, depth, 5000, false);
        yr_crash_report_print("toy, cut again", &report, stdout);
        assert_int_equal(report.violations, 0);
        assert_true(report.nested > 1000);
    }
}

static void test_every_planted_bug_is_found(void **state)
{
    (void)state;
    static const struct {
        unsigned ways;
        const char *name;
    } bugs[] = {
        {TOY_NO_SYNC, "no sync"},
        {TOY_ACK_BEFORE_SYNC, "acknowledge before sync"},
        {TOY_ACK_BEFORE_SYNC | TOY_MAPPED, "acknowledge before sync, mapped"},
        {TOY_NO_DIR_SYNC, "no directory sync"},
        {TOY_NO_PARENT_SYNC, "no sync of the parent directory"},
        {TOY_RENAME_BEFORE_SYNC, "rename before sync"},
        {TOY_NO_CHECKSUM, "no checksum"},
        {TOY_NO_CHECKSUM | TOY_MAPPED, "no checksum, mapped"},
        {TOY_UNLINK_FIRST, "unlink before rename"},
        {TOY_REWRITE_IN_PLACE, "rewrite in place"},
        {TOY_KEEP_TORN_TAIL, "append behind a torn tail"},
    };
    for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        yr_crash_report report = explore(bugs[i].ways, 0, 0, true);
        printf("%-34s found at state %" PRIu64 "\n", bugs[i].name, report.first_violation);
        assert_int_equal(report.violations, 1);
    }
}

static void test_same_seed_explores_the_same_states(void **state)
{
    (void)state;
    yr_crash_report a = explore(TOY_MAPPED, 1, 3000, false), b = explore(TOY_MAPPED, 1, 3000, false);
    a.seconds = b.seconds = 0;
    assert_memory_equal(&a, &b, sizeof a);
}

/* After a failed sync the bytes are in doubt for ever, though the next sync says all is well. */
static void test_believing_a_second_sync_is_found(void **state)
{
    (void)state;
    for (unsigned retries = 0; retries < 2; retries++) {
        unsigned ways = retries ? TOY_RETRY_SYNC : 0;
        yr_sim *sim = yr_sim_create(3);
        toy t;
        yr_sim_trace_begin(sim);
        assert_int_equal(toy_open(&t, yr_sim_env(sim), ways), 0);
        assert_int_equal(toy_append(&t, sim), 0);
        yr_sim_set_fault(sim, (yr_sim_fault){.kinds = YR_SIM_OP_SYNC, .nth = 1, .os_errno = EIO});
        assert_int_equal(toy_append(&t, sim), retries ? 0 : -EIO);
        assert_int_equal(yr_sim_fault_hits(sim), 1);
        toy_close(&t);
        verifier v = {.ways = ways};
        yr_crash_options options = {.name = "failed sync", .seed = 1, .is_quiet = true};
        yr_crash_report report = {0};
        yr_crash_explore(yr_sim_trace_end(sim), &options, verify_toy, &v, &report);
        assert_int_equal(report.violations, retries);
        yr_sim_destroy(sim);
    }
}

static bool always_fine(void *arg, yr_sim *disk, const yr_crash_point *point)
{
    (void)disk;
    uint64_t *seen = arg;
    seen[0]++;
    if (point->acked > seen[1]) seen[1] = point->acked;
    return true;
}

/* One write of three sectors and nothing else: 2^3 subsets of sectors x 2 of the length, those that differ. */
static void test_counts_of_a_known_case(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(1);
    const yore_env *env = yr_sim_env(sim);
    uint8_t bytes[1536];
    memset(bytes, 7, sizeof bytes);
    assert_true(yr_sim_file_create(sim, "d/f"));
    yore_dir *dir;
    yore_file *file;
    assert_int_equal(env->dir_open(env->ctx, "d", 0, NULL, &dir), 0);
    assert_int_equal(env->open(env->ctx, dir, "f", YORE_OPEN_WRITE, &file), 0);
    yr_sim_trace_begin(sim);
    assert_int_equal(env->pwrite(env->ctx, file, bytes, sizeof bytes, 0), sizeof bytes);
    env->close(env->ctx, file);
    env->dir_close(env->ctx, dir);
    uint64_t seen[2] = {0};
    yr_crash_report report = {0};
    /* With `exhaustive_max` 4 the first pass is complete and the second, of 193 pieces, is sampled. */
    yr_crash_options options = {.name = "known", .exhaustive_max = 4, .structured_max = 1, .random_count = 1};
    assert_true(yr_crash_explore(yr_sim_trace_end(sim), &options, always_fine, seen, &report));
    /* sectors: empty file, and 8 ways to fill 1,536 bytes; pieces: all-but-the-last, the last alone (not the
     * length: an empty file), all-but-the-last again, the last alone again, and a random one */
    assert_int_equal(report.pieces_max, 193);
    assert_true(report.distinct >= 9 && report.distinct <= 9 + 3);
    assert_int_equal(seen[0], report.distinct);
    yr_sim_destroy(sim);
}

static void test_cut_keeps_what_was_synced(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        yr_sim *sim = yr_sim_create(seed);
        enum yr_crash_keep keep = seed == 0   ? YR_CRASH_KEEP_NONE
                                  : seed == 1 ? YR_CRASH_KEEP_ALL
                                              : YR_CRASH_KEEP_RANDOM;
        toy t;
        yr_sim_trace_begin(sim);
        assert_int_equal(toy_open(&t, yr_sim_env(sim), 0), 0);
        for (unsigned i = 0; i < RECORDS; i++) assert_int_equal(toy_append(&t, NULL), 0);
        t.ways = TOY_NO_SYNC;
        assert_int_equal(toy_append(&t, NULL), 0);
        toy_close(&t);
        yr_crash_cut(sim, keep, seed);
        assert_int_equal(toy_open(&t, yr_sim_env(sim), 0), 0);
        assert_in_range(t.records, RECORDS, RECORDS + 1);
        if (seed < 2) assert_int_equal(t.records, RECORDS + seed);
        toy_close(&t);
        yr_sim_destroy(sim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_store_survives_every_cut),
        cmocka_unit_test(test_right_store_survives_cuts_inside_recovery),
        cmocka_unit_test(test_every_planted_bug_is_found),
        cmocka_unit_test(test_same_seed_explores_the_same_states),
        cmocka_unit_test(test_believing_a_second_sync_is_found),
        cmocka_unit_test(test_counts_of_a_known_case),
        cmocka_unit_test(test_cut_keeps_what_was_synced),
    };
    return cmocka_run_group_tests_name("crash_explorer", tests, NULL, NULL);
}
