/* Many branches, and few changes in much data; yore alone, in stages.
 *
 * open_branches: from the call that opens a store of 100,000 branches to the first value, by a process that
 * has read nothing of it. cascade_delete: a branch that has 10,000 below it, each with a key of its own, is
 * deleted with them. diff_small, merge_small: `--load-keys` keys, then 20 forks that change 10 keys each,
 * then a tenth of all keys changed on default, everything flushed, compacted and opened again: what a fork
 * changed, and a merge of it into default. */
#include <stdio.h>
#include <stdlib.h>

#include <yore.h>

#include "bench/data.h"
#include "bench/workload.h"
#include "bench/yore_help.h"

#define CASCADE 10000u
#define FORKS 20u
#define CHANGES 10u
#define ROWS 64u
#define DISK_BYTES_A_KEY 600u

static void make_branch(yore_db *db, const char *name, const char *parent)
{
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    snprintf(from.branch, sizeof(from.branch), "%s", parent);
    options.from = &from;
    yore_help_must(yore_branch_create(db, yore_str(name), &options, NULL, NULL), NULL, "branch_create");
}

static void put(yore_txn *txn, uint64_t number, uint64_t version)
{
    yore_error err = YORE_ERROR_INIT;
    data_key key;
    data_value value;
    data_value_init(&value);
    bench_slice k = data_key_make(&key, number);
    bench_slice v = data_value_make(&value, number, version);
    yore_help_must(yore_put(txn, yore_bytes_key(k.data, k.size), yore_bytes(v.data, v.size), NULL, &err),
                   &err, "put");
}

static void commit_range(yore_db *db, const char *branch, uint64_t first, uint64_t n, uint64_t step)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn = NULL;
    yore_help_must(yore_begin(db, yore_str(branch), NULL, &txn, &err), &err, "begin");
    for (uint64_t i = 0; i < n; i++) {
        put(txn, first + i * step, 1);
    }
    yore_help_must(yore_commit(txn, yore_str(""), NULL, &err), &err, "commit");
}

/* -- many branches -- */

static void run_many_load(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    (void)engine;
    char name[32];
    bench_store_options options = {.dir = dir};
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    workload_load(driver, writer, BENCH_SMALL_KEYS, NULL);
    driver->writer_close(writer);
    for (uint64_t i = 1; i < bench_opt.fork_levels[2]; i++) {
        snprintf(name, sizeof(name), "exp-%06llu", (unsigned long long)i);
        make_branch(yore_help_db(store), name, "default");
    }
    driver->settle(store);
    driver->close(store);
}

static void run_many_open(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    workload_open_times(engine, driver, dir, BENCH_SMALL_KEYS, M_OPEN_BRANCHES);
}

static void run_cascade(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    char name[32];
    yore_error err = YORE_ERROR_INIT;
    uint64_t count = 0;
    bench_store_options options = {.dir = dir, .existing = true};
    void *store = driver->open(&options);
    yore_db *db = yore_help_db(store);
    make_branch(db, "family", "default");
    for (uint64_t i = 0; i < CASCADE; i++) {
        snprintf(name, sizeof(name), "child-%05llu", (unsigned long long)i);
        make_branch(db, name, "family");
        commit_range(db, name, i % BENCH_SMALL_KEYS, 1, 1);
    }
    uint64_t start = bench_now_ns();
    yore_help_must(yore_branch_delete(db, yore_str("family"), true, NULL, &count, &err), &err,
                   "branch_delete");
    report_add(engine, M_CASCADE_DELETE, (double)(bench_now_ns() - start) / 1e6, NULL);
    if (count != CASCADE + 1) {
        bench_fatal("yore: %llu branches were deleted", (unsigned long long)count);
    }
    driver->close(store);
}

/* -- few changes in much data -- */

/* Forks change keys 0..199; default changes every tenth key behind them. */
static void run_small_load(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    (void)engine;
    char name[32];
    bench_store_options options = {.dir = dir, .budget_bytes = bench_opt.budget_bytes};
    void *store = driver->open(&options);
    yore_db *db = yore_help_db(store);
    void *writer = driver->writer_open(store);
    workload_load(driver, writer, bench_opt.load_keys, NULL);
    driver->writer_close(writer);
    for (uint64_t i = 0; i < FORKS; i++) {
        snprintf(name, sizeof(name), "exp-%llu", (unsigned long long)i);
        make_branch(db, name, "default");
        commit_range(db, name, i * CHANGES, CHANGES, 1);
    }
    for (uint64_t first = 1000; first + 10000 <= bench_opt.load_keys; first += 10000) {
        commit_range(db, "", first, BENCH_BATCH, 10);
    }
    driver->settle(store);
    driver->compact(store);
    driver->settle(store);
    driver->close(store);
}

static void diff_fork(yore_db *db, const char *name)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at from = YORE_AT_INIT;
    yore_at to = YORE_AT_INIT;
    yore_iter *iter = NULL;
    static yore_diff_row rows[ROWS];
    size_t n = 0;
    snprintf(from.branch, sizeof(from.branch), "%s", name);
    from.kind = YORE_AT_FORK;
    snprintf(to.branch, sizeof(to.branch), "%s", name);
    yore_help_must(yore_diff(db, &from, &to, NULL, &iter, NULL, NULL, &err), &err, "diff");
    yore_help_must(yore_diff_next(iter, rows, sizeof(rows[0]), ROWS, &n, &err), &err, "diff_next");
    if (n != CHANGES || rows[0].old_value.size != DATA_VALUE_BYTES ||
        yore_diff_next(iter, rows, sizeof(rows[0]), ROWS, &n, &err) != YORE_END) {
        bench_fatal("yore: a diff is wrong");
    }
    yore_iter_close(iter);
}

static void merge_fork(yore_db *db, const char *name)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at from = YORE_AT_INIT;
    yore_merge_info info;
    memset(&info, 0, sizeof(info));
    info.struct_size = sizeof(info);
    snprintf(from.branch, sizeof(from.branch), "%s", name);
    yore_help_must(yore_merge(db, &from, yore_str(""), NULL, yore_str(""), NULL, &info, NULL, &err), &err,
                   "merge");
    if (info.puts != CHANGES) {
        bench_fatal("yore: a merge wrote %llu keys", (unsigned long long)info.puts);
    }
}

/* Each fork once, so that nothing of it is in a cache of the store. */
static void run_small(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_latency diffs;
    bench_latency merges;
    bench_store_options options = {.dir = dir, .existing = true, .budget_bytes = bench_opt.budget_bytes};
    void *store = driver->open(&options);
    bench_latency_init(&diffs, FORKS);
    bench_latency_init(&merges, FORKS);
    bench_pin(WORKLOAD_CPU);
    for (uint64_t i = 0; i < FORKS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "exp-%llu", (unsigned long long)i);
        uint64_t start = bench_now_ns();
        diff_fork(yore_help_db(store), name);
        uint64_t between = bench_now_ns();
        merge_fork(yore_help_db(store), name);
        bench_latency_add(&diffs, between - start);
        bench_latency_add(&merges, bench_now_ns() - between);
    }
    report_add(engine, M_DIFF_SMALL, bench_latency_at(&diffs, 0.5) / 1e6, &diffs);
    report_add(engine, M_MERGE_SMALL, bench_latency_at(&merges, 0.5) / 1e6, &merges);
    report_note("few changes", "the slowest of %u: diff %.3f ms, merge %.3f ms", FORKS,
                bench_latency_at(&diffs, 1.0) / 1e6, bench_latency_at(&merges, 1.0) / 1e6);
    bench_latency_deinit(&diffs);
    bench_latency_deinit(&merges);
    bench_unpin();
    driver->close(store);
}

enum { MANY_LOAD, MANY_OPEN, CASCADED, SMALL_LOAD, SMALL };

const workload_stage workload_many_stages[] = {[MANY_LOAD] = {"many_load", run_many_load},
                                               [MANY_OPEN] = {"many_open", run_many_open},
                                               [CASCADED] = {"many_cascade", run_cascade},
                                               [SMALL_LOAD] = {"small_load", run_small_load},
                                               [SMALL] = {"small", run_small},
                                               {NULL, NULL}};

void workload_many(enum bench_engine engine, const bench_driver *driver)
{
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_many_stages[MANY_LOAD], engine, dir);
    workload_stage_do(&workload_many_stages[MANY_OPEN], engine, dir);
    workload_stage_do(&workload_many_stages[CASCADED], engine, dir);
    bench_dir_remove(dir);
}

void workload_few_changes(enum bench_engine engine, const bench_driver *driver)
{
    if (report_round_get() >= WORKLOAD_ROUNDS_MAX) {
        return;
    }
    if (bench_disk_free_bytes(bench_opt.data_dir) < bench_opt.load_keys * DISK_BYTES_A_KEY) {
        report_note("few changes", "left out: not enough space on the disk");
        return;
    }
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_many_stages[SMALL_LOAD], engine, dir);
    workload_stage_do(&workload_many_stages[SMALL], engine, dir);
    bench_dir_remove(dir);
}
