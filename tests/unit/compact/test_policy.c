/* Feeds the policy flushes and carries its plans out on numbers alone: how many runs there are, what was written. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/compact/policy.h"

#define RUNS_MAX 512u
#define MIB (UINT64_C(1) << 20)

/* A store of numbers. Every run is one file. */
typedef struct world {
    yr_compact_run runs[RUNS_MAX];
    yr_compact_file files[RUNS_MAX];
    uint32_t count;
    uint64_t version;
    uint64_t flushed;
    uint64_t written; /* flushes included */
    uint64_t merges;
    uint64_t rewrites;
} world;

static void world_link(world *w)
{
    assert_true(w->count < RUNS_MAX);
    for (uint32_t i = 0; i < w->count; i++) {
        w->runs[i].files = &w->files[i];
        w->runs[i].file_count = 1;
        assert_true(w->runs[i].after_version < w->runs[i].last_version);
        assert_int_equal(w->runs[i].after_version,
                         i + 1 < w->count ? w->runs[i + 1].last_version : 0); /* I3 */
    }
}

static void world_flush(world *w, uint64_t bytes)
{
    memmove(w->runs + 1, w->runs, w->count * sizeof *w->runs);
    memmove(w->files + 1, w->files, w->count * sizeof *w->files);
    w->runs[0] = (yr_compact_run){.after_version = w->version, .last_version = w->version + 1};
    w->files[0] = (yr_compact_file){.bytes = bytes, .is_hot = true};
    w->version++;
    w->count++;
    w->flushed += bytes;
    w->written += bytes;
    world_link(w);
}

/* The numbers of a plan are what it must be, whatever it plans. */
static void judge(const world *w, const yr_compact_plan *plan, const yr_compact_options *options)
{
    uint64_t bytes = 0;
    if (plan->kind == YR_COMPACT_NOTHING) return;
    assert_true(plan->first <= plan->last && plan->last < w->count);
    assert_true(plan->kind == YR_COMPACT_REWRITE ? plan->first == plan->last : plan->first < plan->last);
    for (uint32_t i = plan->first; i <= plan->last; i++) {
        assert_false(w->runs[i].is_busy);
        bytes += w->files[i].bytes;
    }
    assert_int_equal(plan->bytes, bytes);
    assert_true(plan->bytes <= options->budget_bytes);
    assert_int_equal(plan->is_bottom, plan->last + 1 == w->count);
    assert_true(w->runs[plan->first].last_version - w->runs[plan->last].after_version <= UINT32_MAX);
}

/* Install what the plan makes; what it removes of the bytes is garbage. */
static void world_install(world *w, const yr_compact_plan *plan)
{
    uint64_t bytes = 0;
    for (uint32_t i = plan->first; i <= plan->last; i++)
        bytes += w->files[i].bytes - w->files[i].garbage_bytes;
    w->written += bytes;
    w->merges += plan->kind == YR_COMPACT_MERGE;
    w->rewrites += plan->kind == YR_COMPACT_REWRITE;
    uint32_t gone = plan->last - plan->first, behind = w->count - plan->last - 1;
    w->runs[plan->first].after_version = w->runs[plan->last].after_version;
    w->runs[plan->first].level = plan->level;
    w->runs[plan->first].is_busy = false;
    w->files[plan->first] = (yr_compact_file){.bytes = bytes, .is_hot = !plan->is_cold, .is_tried = true};
    memmove(w->runs + plan->first + 1, w->runs + plan->last + 1, behind * sizeof *w->runs);
    memmove(w->files + plan->first + 1, w->files + plan->last + 1, behind * sizeof *w->files);
    w->count -= gone;
    world_link(w);
}

static void world_settle(world *w, const yr_compact_options *options)
{
    for (;;) {
        yr_compact_plan plan = yr_compact_next(w->runs, w->count, options);
        judge(w, &plan, options);
        if (plan.kind == YR_COMPACT_NOTHING) return;
        world_install(w, &plan);
    }
}

/* -- shapes of load -- */

enum shape { UNIFORM, SKEWED, TINY, GROWING, SHRINKING, ONE_GIANT, SHAPES };
static const char *const shape_names[] = {"uniform", "skewed", "tiny", "growing", "shrinking", "one giant"};

static uint64_t flush_bytes(enum shape shape, uint64_t i, yr_rng *rng)
{
    switch (shape) {
    case UNIFORM: return 64 * MIB;
    case SKEWED: return UINT64_C(1) << (10 + yr_rng_below(rng, 17));
    case TINY: return 8000 + yr_rng_below(rng, 4000);
    case GROWING: return 1000 * (i + 1) * (i + 1);
    case SHRINKING: return 2048 * MIB / ((i + 1) * (i + 1)) + 1000;
    case ONE_GIANT: return i == 7 ? 20000 * MIB : 16 * MIB;
    default: return 0;
    }
}

static void test_runs_stay_few_and_bytes_are_written_few_times(void **state)
{
    (void)state;
    const uint64_t counts[] = {1, 9, 19, 100, 1000, 4000};
    yr_compact_options options = {.budget_bytes = UINT64_MAX, .hot_bytes = 256 * MIB};
    for (int shape = 0; shape < SHAPES; shape++) {
        for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
            world w = {0};
            yr_rng rng = {7};
            for (uint64_t i = 0; i < counts[n]; i++) {
                world_flush(&w, flush_bytes((enum shape)shape, i, &rng));
                world_settle(&w, &options);
                assert_true(w.count <= YR_COMPACT_RUNS_MAX);
            }
            double amplification = (double)w.written / (double)w.flushed;
            print_message("%-9s %4" PRIu64 " flushes: %u runs, %" PRIu64
                          " merges, each byte written %.2f times\n",
                          shape_names[shape], counts[n], w.count, w.merges, amplification);
            /* Small runs are merged for their number: a MiB or two each time, whatever that is of the whole. */
            double small = (double)w.merges * 4.0 * (double)MIB / (double)w.flushed;
            double bound = 1.0 + log2((double)counts[n] + 1.0) / 1.7;
            assert_true(amplification <= bound + (shape == TINY ? small : 0));
        }
    }
}

/* 10 M keys of 21 and 100 bytes through a memtable of 64 MiB. */
static void test_ten_million_keys_are_written_twice(void **state)
{
    (void)state;
    world w = {0};
    yr_compact_options options = {.budget_bytes = UINT64_MAX, .hot_bytes = 256 * MIB};
    uint64_t left = UINT64_C(10000000) * 121;
    while (left) {
        uint64_t bytes = left < 64 * MIB ? left : 64 * MIB;
        world_flush(&w, bytes);
        world_settle(&w, &options);
        left -= bytes;
    }
    double amplification = (double)w.written / (double)w.flushed;
    print_message("10 M keys of 121 bytes: %u runs, %" PRIu64 " merges, each byte written %.2f times\n",
                  w.count, w.merges, amplification);
    assert_true(amplification < 2.5);
    options.is_idle = true;
    world_settle(&w, &options);
    print_message("and when idle: %u runs, %.2f times\n", w.count, (double)w.written / (double)w.flushed);
    assert_true(w.count <= 4);
}

/* Merging takes time, and flushes do not wait for it: `speed` bytes are merged while one is flushed. A merge goes on
 * in the runs it took; up to `jobs` at once share the speed. */
static uint32_t most_runs(uint64_t flushes, double speed, uint32_t jobs, yr_rng *rng)
{
    struct {
        uint64_t newest; /* last_version of its first run */
        double left;
    } job[2];
    world w = {0};
    uint32_t active = 0, most = 0;
    yr_compact_options options = {.budget_bytes = UINT64_MAX};
    for (uint64_t i = 0; i < flushes; i++) {
        uint64_t bytes = flush_bytes(UNIFORM, i, rng);
        double work = speed * (double)bytes;
        world_flush(&w, bytes);
        while (work > 0) {
            yr_compact_plan plan = {0};
            if (active < jobs) plan = yr_compact_next(w.runs, w.count, &options);
            judge(&w, &plan, &options);
            if (plan.kind == YR_COMPACT_MERGE) {
                job[active].newest = w.runs[plan.first].last_version;
                job[active++].left = (double)plan.bytes;
                for (uint32_t k = plan.first; k <= plan.last; k++) w.runs[k].is_busy = true;
                w.runs[plan.first].level = (uint16_t)(100 + plan.last - plan.first); /* its width */
                continue;
            }
            if (active == 0) break;
            uint32_t at = active - 1; /* the youngest job first: it is the smaller one */
            double done = job[at].left < work ? job[at].left : work;
            work -= done;
            job[at].left -= done;
            if (job[at].left > 0) continue;
            plan = (yr_compact_plan){.kind = YR_COMPACT_MERGE};
            while (w.runs[plan.first].last_version != job[at].newest) plan.first++;
            plan.last = plan.first + w.runs[plan.first].level - 100u;
            world_install(&w, &plan);
            active--;
        }
        if (w.count > most) most = w.count;
    }
    return most;
}

static void test_runs_are_bounded_while_merges_are_slow(void **state)
{
    (void)state;
    yr_rng rng = {3};
    const double speeds[] = {5, 6, 8, 10, 20};
    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++) {
        uint32_t one = most_runs(300, speeds[i], 1, &rng), two = most_runs(300, speeds[i], 2, &rng);
        print_message("merging %2.0f x as fast as flushing: at most %u runs with one job, %u with two\n",
                      speeds[i], one, two);
        assert_true(one <= 56);
        assert_true(two <= 24);
    }
}

/* -- single plans -- */

static void test_small_stores_merge_little(void **state)
{
    (void)state;
    world w = {0};
    yr_compact_options options = {.budget_bytes = UINT64_MAX};
    for (uint32_t i = 0; i < 50; i++) { /* opened, written a little, closed */
        uint64_t before = w.written;
        world_flush(&w, 4000);
        world_settle(&w, &options);
        assert_true(w.count <= YR_COMPACT_SMALL_RUNS);
        assert_true(w.written - before <= MIB);
    }
    w = (world){0}; /* and beside large data nothing large is touched */
    world_flush(&w, 1024 * MIB);
    for (uint32_t i = 0; i < 50; i++) {
        world_flush(&w, 4000);
        world_settle(&w, &options);
        assert_int_equal(w.files[w.count - 1].bytes, 1024 * MIB);
    }
    assert_true(w.written < 1030 * MIB);
}

static void test_garbage_is_rewritten_a_file_at_a_time_and_once(void **state)
{
    (void)state;
    yr_compact_file files[3] = {{.bytes = 100, .garbage_bytes = 10},
                                {.bytes = 100, .garbage_bytes = 31},
                                {.bytes = 100, .garbage_bytes = 60}};
    yr_compact_run runs[2] = {
        {.after_version = 5, .last_version = 9, .files = &(yr_compact_file){.bytes = 10}, .file_count = 1},
        {.after_version = 0, .last_version = 5, .level = 2, .files = files, .file_count = 3}};
    yr_compact_options options = {.budget_bytes = 1000};
    yr_compact_plan plan = yr_compact_next(runs, 2, &options);
    assert_int_equal(plan.kind, YR_COMPACT_REWRITE);
    assert_int_equal(plan.first, 1);
    assert_int_equal(plan.last, 1);
    assert_int_equal(plan.file, 2);
    assert_int_equal(plan.level, 2);
    assert_true(plan.is_bottom);
    assert_int_equal(plan.bytes, 100);
    files[2].is_tried = true;
    plan = yr_compact_next(runs, 2, &options);
    assert_int_equal(plan.kind, YR_COMPACT_REWRITE);
    assert_int_equal(plan.file, 1);
    files[1].garbage_bytes = 30; /* the ratio must be passed */
    assert_int_equal(yr_compact_next(runs, 2, &options).kind, YR_COMPACT_NOTHING);
    files[1].garbage_bytes = 31;
    options.budget_bytes = 99;
    assert_int_equal(yr_compact_next(runs, 2, &options).kind, YR_COMPACT_NOTHING);
    options.budget_bytes = 100;
    runs[1].is_busy = true;
    assert_int_equal(yr_compact_next(runs, 2, &options).kind, YR_COMPACT_NOTHING);
}

static void test_a_tight_budget_takes_the_best_that_fits(void **state)
{
    (void)state;
    world w = {0};
    const uint64_t sizes[] = {900, 800, 700, 600, 500, 40, 40, 10, 10, 10};
    yr_compact_options options = {.budget_bytes = 100 * MIB};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) world_flush(&w, sizes[i] * MIB);
    yr_compact_plan plan = yr_compact_next(w.runs, w.count, &options);
    judge(&w, &plan, &options);
    assert_int_equal(plan.kind, YR_COMPACT_MERGE);
    assert_true(plan.is_urgent);
    options.budget_bytes = 19 * MIB;
    plan = yr_compact_next(w.runs, w.count, &options);
    assert_int_equal(plan.kind, YR_COMPACT_NOTHING);
    assert_true(plan.is_urgent && plan.is_starved);
    options.budget_bytes = 0;
    assert_int_equal(yr_compact_next(w.runs, w.count, &options).kind, YR_COMPACT_NOTHING);
    assert_int_equal(yr_compact_next(NULL, 0, &options).kind, YR_COMPACT_NOTHING);
}

static void test_a_segment_can_hold_the_versions_of_a_merge(void **state)
{
    (void)state;
    yr_compact_file file = {.bytes = 10 * MIB};
    yr_compact_run runs[9];
    yr_compact_options options = {.budget_bytes = UINT64_MAX};
    for (uint32_t i = 0; i < 9; i++) { /* 2^31 versions each: two of them are one too many */
        runs[i] = (yr_compact_run){.after_version = (8 - i) * (UINT64_C(1) << 31),
                                   .last_version = (9 - i) * (UINT64_C(1) << 31),
                                   .files = &file,
                                   .file_count = 1};
    }
    yr_compact_plan plan = yr_compact_next(runs, 9, &options);
    assert_int_equal(plan.kind, YR_COMPACT_NOTHING);
    assert_false(plan.is_starved);
    for (uint32_t i = 0; i < 9; i++) {
        runs[i].after_version /= 2;
        runs[i].last_version /= 2;
    }
    plan = yr_compact_next(runs, 9, &options);
    assert_int_equal(plan.kind, YR_COMPACT_MERGE);
    assert_true(plan.last - plan.first + 1 <= 3);
}

static void test_young_small_output_is_hot_and_the_rest_cold(void **state)
{
    (void)state;
    world w = {0};
    yr_compact_options options = {.budget_bytes = UINT64_MAX, .hot_bytes = 100 * MIB, .fan_out = 4};
    for (uint32_t i = 0; i < 4; i++) world_flush(&w, 16 * MIB);
    yr_compact_plan plan = yr_compact_next(w.runs, w.count, &options);
    assert_int_equal(plan.kind, YR_COMPACT_MERGE);
    assert_false(plan.is_cold);
    assert_int_equal(plan.level, 1);
    options.hot_bytes = 60 * MIB;
    assert_true(yr_compact_next(w.runs, w.count, &options).is_cold);
    options.cold_saving = 0.04;
    assert_false(yr_compact_next(w.runs, w.count, &options).is_cold);
    options.cold_saving = 0.2;
    assert_true(yr_compact_next(w.runs, w.count, &options).is_cold);
}

static void test_full_compaction_ends_in_one_cold_run_without_garbage(void **state)
{
    (void)state;
    yr_rng rng = {5};
    for (uint32_t round = 0; round < 200; round++) {
        world w = {0};
        yr_compact_options options = {.budget_bytes = UINT64_MAX, .hot_bytes = UINT64_MAX, .is_full = true};
        uint32_t flushes = 1 + (uint32_t)yr_rng_below(&rng, 12);
        for (uint32_t i = 0; i < flushes; i++) {
            world_flush(&w, flush_bytes(SKEWED, i, &rng));
            w.files[0].garbage_bytes = yr_rng_below(&rng, w.files[0].bytes / 8 + 1);
        }
        world_settle(&w, &options);
        assert_int_equal(w.count, 1);
        assert_false(w.files[0].is_hot);
        assert_int_equal(w.files[0].garbage_bytes, 0);
        assert_true(w.merges + w.rewrites == 1); /* all at once */
    }
}

static void test_old_hot_files_become_cold_when_nobody_waits(void **state)
{
    (void)state;
    world w = {0};
    yr_compact_options options = {
        .budget_bytes = UINT64_MAX, .hot_bytes = 100 * MIB, .hot_runs = 2, .idle_runs = 8};
    const uint64_t sizes[] = {40 * 1024, 5 * 1024, 600, 70, 8}; /* MiB; nothing to merge */
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) world_flush(&w, sizes[i] * MIB);
    world_settle(&w, &options);
    for (uint32_t i = 0; i < w.count; i++) assert_true(w.files[i].is_hot);
    options.is_idle = true;
    world_settle(&w, &options);
    assert_int_equal(w.count, 5);
    for (uint32_t i = 0; i < w.count; i++) assert_int_equal(w.files[i].is_hot, i < 2);
    assert_int_equal(w.rewrites, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_stay_few_and_bytes_are_written_few_times),
        cmocka_unit_test(test_ten_million_keys_are_written_twice),
        cmocka_unit_test(test_runs_are_bounded_while_merges_are_slow),
        cmocka_unit_test(test_small_stores_merge_little),
        cmocka_unit_test(test_garbage_is_rewritten_a_file_at_a_time_and_once),
        cmocka_unit_test(test_a_tight_budget_takes_the_best_that_fits),
        cmocka_unit_test(test_a_segment_can_hold_the_versions_of_a_merge),
        cmocka_unit_test(test_young_small_output_is_hot_and_the_rest_cold),
        cmocka_unit_test(test_full_compaction_ends_in_one_cold_run_without_garbage),
        cmocka_unit_test(test_old_hot_files_become_cold_when_nobody_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
