/* Experiments from a shared baseline, yore beside DoltLite (experiment.h).
 *
 * One store of each engine for all rounds: 10,000 keys in one commit of main, then 5,000 commits that
 * overwrite key 0 and one other key each. key_history: all versions of key 0. diff_5000: all keys that
 * differ between the first commit and the last. merge_10: 10 changes of a branch into another that has
 * changed 10 other keys. commit_bytes: what such a commit makes the store grow by. branch_fork_N: p50 of
 * forks in a store of 10,000 keys that has N branches. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/experiment.h"
#include "bench/workload.h"

#define MERGES 5u
#define MERGE_KEYS 10u
#define FORKS 20u
#define REPEATS 5u

static struct line_of_work {
    void *store;
    char dir[4096];
    uint64_t branches;
} history_stores[ENGINE_COUNT], fork_stores[ENGINE_COUNT];

static const experiment_driver *driver_of(enum bench_engine engine)
{
    return engine == ENGINE_YORE ? &experiment_yore : &experiment_doltlite;
}

static uint64_t commit_count(void)
{
    return bench_opt.quick ? 500 : 5000;
}

static void close_all(void)
{
    for (int engine = 0; engine < ENGINE_COUNT; engine++) {
        struct line_of_work *all[2] = {&history_stores[engine], &fork_stores[engine]};
        for (int i = 0; i < 2; i++) {
            if (all[i]->store != NULL) {
                driver_of((enum bench_engine)engine)->close(all[i]->store);
                bench_dir_remove(all[i]->dir);
            }
        }
    }
}

/* Opened in the first round, and kept. */
static bool is_opened(struct line_of_work *work, enum bench_engine engine, const bench_driver *driver)
{
    static bool registered;
    if (work->store != NULL) {
        return false;
    }
    if (!registered) {
        atexit(close_all);
        registered = true;
    }
    snprintf(work->dir, sizeof(work->dir), "%s", bench_dir_fresh(driver->name));
    work->store = driver_of(engine)->open(work->dir);
    driver_of(engine)->load(work->store);
    return true;
}

static void make_history(struct line_of_work *work, enum bench_engine engine, const bench_driver *driver)
{
    const experiment_driver *run = driver_of(engine);
    uint64_t commits = commit_count();
    uint64_t before = run->stored_bytes(work->store);
    uint64_t start = bench_now_ns();
    for (uint64_t i = 1; i <= commits; i++) {
        run->commit(work->store, i, i);
    }
    char key[32];
    snprintf(key, sizeof(key), "experiments, %s", driver->name);
    report_note(key, "%llu commits of two keys in %.2f s", (unsigned long long)commits,
                (double)(bench_now_ns() - start) / 1e9);
    report_add(engine, M_COMMIT_BYTES, (double)(run->stored_bytes(work->store) - before) / (double)commits,
               NULL);
}

/* The fastest of some runs in microseconds: the first ones may read what is in no cache yet. */
static void time_reads(struct line_of_work *work, enum bench_engine engine, enum report_metric metric)
{
    const experiment_driver *run = driver_of(engine);
    uint64_t best = UINT64_MAX;
    uint64_t count = 0;
    uint64_t bytes = 0;
    for (unsigned i = 0; i < REPEATS; i++) {
        bytes = 0;
        uint64_t start = bench_now_ns();
        count = metric == M_KEY_HISTORY ? run->history(work->store, &bytes)
                                        : run->diff(work->store, commit_count(), &bytes);
        uint64_t elapsed = bench_now_ns() - start;
        best = elapsed < best ? elapsed : best;
    }
    report_add(engine, metric, (double)best / 1e3, NULL);
    report_answers(engine, metric, count, bytes);
}

static void time_merges(struct line_of_work *work, enum bench_engine engine)
{
    const experiment_driver *run = driver_of(engine);
    bench_latency latency;
    bench_latency_init(&latency, MERGES);
    for (unsigned i = 0; i < MERGES; i++) {
        char from[32];
        char into[32];
        uint64_t number = work->branches++;
        snprintf(from, sizeof(from), "theirs-%llu", (unsigned long long)number);
        snprintf(into, sizeof(into), "ours-%llu", (unsigned long long)number);
        run->fork(work->store, from);
        run->fork(work->store, into);
        run->change(work->store, from, 1000, MERGE_KEYS);
        run->change(work->store, into, 8000, MERGE_KEYS);
        if (run->checkout != NULL) {
            run->checkout(work->store, into);
        }
        uint64_t start = bench_now_ns();
        run->merge(work->store, from, into);
        bench_latency_add(&latency, bench_now_ns() - start);
        if (run->checkout != NULL) {
            run->checkout(work->store, "main");
        }
    }
    report_add(engine, M_MERGE_10, bench_latency_at(&latency, 0.5) / 1e3, &latency);
    bench_latency_deinit(&latency);
}

/* Forks until there are `level` branches or `budget_ns` are over; then p50 of some more, in microseconds. */
static void time_forks(struct line_of_work *work, enum bench_engine engine, const bench_driver *driver,
                       enum report_metric metric, uint64_t level, uint64_t budget_ns)
{
    const experiment_driver *run = driver_of(engine);
    char name[32];
    bench_latency latency;
    uint64_t end = bench_now_ns() + budget_ns;
    for (; work->branches < level && bench_now_ns() < end; work->branches++) {
        snprintf(name, sizeof(name), "exp-%06llu", (unsigned long long)work->branches);
        run->fork(work->store, name);
    }
    if (work->branches < level && budget_ns > 0) {
        char key[32];
        snprintf(key, sizeof(key), "forks, %s", driver->name);
        report_note(key, "%s was measured with %llu branches: to make so many took %.0f s",
                    report_rows[metric].name, (unsigned long long)work->branches, (double)budget_ns / 1e9);
    }
    bench_latency_init(&latency, FORKS);
    for (unsigned i = 0; i < FORKS; i++, work->branches++) {
        snprintf(name, sizeof(name), "exp-%06llu", (unsigned long long)work->branches);
        uint64_t start = bench_now_ns();
        run->fork(work->store, name);
        bench_latency_add(&latency, bench_now_ns() - start);
    }
    report_add(engine, metric, bench_latency_at(&latency, 0.5) / 1e3, &latency);
    bench_latency_deinit(&latency);
}

void workload_experiments(enum bench_engine engine, const bench_driver *driver)
{
    if (bench_wants(M_COMMIT_BYTES) || bench_wants(M_KEY_HISTORY) || bench_wants(M_DIFF_5000) ||
        bench_wants(M_MERGE_10)) {
        struct line_of_work *work = &history_stores[engine];
        if (is_opened(work, engine, driver)) {
            make_history(work, engine, driver);
        }
        bench_pin(WORKLOAD_CPU);
        time_reads(work, engine, M_KEY_HISTORY);
        time_reads(work, engine, M_DIFF_5000);
        time_merges(work, engine);
        bench_unpin();
    }
    if (bench_wants_any(M_BRANCH_FORK_FIRST, M_BRANCH_FORK_MANY)) {
        struct line_of_work *work = &fork_stores[engine];
        uint64_t budget = (bench_opt.quick ? 10u : 240u) * 1000000000ull;
        is_opened(work, engine, driver);
        bench_pin(WORKLOAD_CPU);
        if (report_round_get() == 0) {
            time_forks(work, engine, driver, M_BRANCH_FORK_FIRST, 1, budget);
        }
        time_forks(work, engine, driver, M_BRANCH_FORK_MANY, 10000, report_round_get() == 0 ? budget : 0);
        bench_unpin();
    }
}
