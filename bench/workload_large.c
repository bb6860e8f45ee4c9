/* Larger than memory: `load_keys` keys in random order under a memory budget, in commits of 1,000.
 *
 * load_put: until the last commit returned; load_settled: until the background work was done and the store closed;
 * load_writes: pages the process made dirty, over the bytes of keys and values; load_rss: the most that was resident.
 * open_large: as open_* in workload_reopen.c. big_*: reads by a process that has a budget of an eighth of the data.
 * walk_*: yore alone under the load's budget: compaction, everything read in order, reads as of half-way. */
#include <stdlib.h>

#include <yore.h>

#include "bench/data.h"
#include "bench/workload.h"
#include "bench/yore_help.h"

#define USER_BYTES ((uint64_t)DATA_KEY_BYTES + DATA_VALUE_BYTES)
#define BIG_PART 8u
#define BUDGET_BYTES_MIN (16ull << 20)
#define WALK_ROWS 256u
/* Of disk for a user byte: a load and what a compaction needs beside it. */
#define DISK_FACTOR 5u

static void report_peak(enum bench_engine engine, enum report_metric metric, double unit)
{
    if (bench_wants(metric)) {
        report_add(engine, metric, (double)bench_rss_peak_bytes() / unit, NULL);
    }
}

static void run_load(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir, .budget_bytes = bench_opt.budget_bytes};
    uint64_t keys = bench_opt.load_keys;
    bench_latency latency;
    bench_latency_init(&latency, keys / BENCH_BATCH + 1);
    uint64_t written_before = bench_written_bytes();
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    bench_pin(WORKLOAD_CPU);
    uint64_t start = bench_process_ns();
    uint64_t elapsed = workload_load(driver, writer, keys, &latency);
    if (bench_wants(M_LOAD_PUT)) {
        report_add(engine, M_LOAD_PUT, workload_rate(keys, elapsed), &latency);
    }
    driver->writer_close(writer);
    driver->settle(store);
    bench_unpin();
    if (engine == ENGINE_YORE) {
        char work[256];
        yore_help_work(yore_help_db(store), work, sizeof(work));
        report_note("load, yore", "%s", work);
    }
    driver->close(store);
    if (bench_wants(M_LOAD_SETTLED)) {
        report_add(engine, M_LOAD_SETTLED, workload_rate(keys, bench_process_ns() - start), NULL);
    }
    if (bench_wants(M_LOAD_WRITES)) {
        double written = (double)(bench_written_bytes() - written_before);
        report_add(engine, M_LOAD_WRITES, written / (double)(keys * USER_BYTES), NULL);
    }
    report_peak(engine, M_LOAD_RSS, 1 << 20);
    bench_latency_deinit(&latency);
}

static void run_open(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    workload_open_times(engine, driver, dir, bench_opt.load_keys, M_OPEN_LARGE);
}

static void run_big(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    uint64_t keys = bench_opt.load_keys;
    uint64_t budget = keys * USER_BYTES / BIG_PART;
    bench_store_options options = {.dir = dir, .existing = true};
    options.budget_bytes = budget < BUDGET_BYTES_MIN ? BUDGET_BYTES_MIN : budget;
    workload_reads what = {NULL, keys, 0, bench_opt.reads, bench_opt.reads / 4};
    workload_reads missing = {NULL, keys, DATA_MISSING, bench_opt.reads, bench_opt.reads / WORKLOAD_WARM_UP};
    void *store = driver->open(&options);
    void *reader = driver->reader_open(store, NULL, 0);
    bench_pin(WORKLOAD_CPU);
    if (bench_wants(M_BIG_GET)) {
        workload_get(engine, driver, reader, &what, M_BIG_GET);
    }
    if (bench_wants(M_BIG_MISSING)) {
        workload_get(engine, driver, reader, &missing, M_BIG_MISSING);
    }
    if (bench_wants(M_BIG_SCAN)) {
        workload_scan(engine, driver, reader, &what, M_BIG_SCAN);
    }
    bench_unpin();
    driver->reader_close(reader);
    driver->close(store);
    report_peak(engine, M_BIG_RSS, (double)options.budget_bytes);
}

/* Every row once, in key order. */
static void scan_all(yore_db *db)
{
    yore_range range = YORE_RANGE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_snap *snap = NULL;
    yore_iter *iter = NULL;
    yore_row *rows = bench_alloc(WALK_ROWS * sizeof(*rows));
    uint64_t count = 0;
    uint64_t sum = 0;
    size_t n = 0;
    yore_help_must(yore_snap_open(db, NULL, &snap, NULL, &err), &err, "snap_open");
    range.without_times = true;
    uint64_t start = bench_run_ns();
    yore_help_must(yore_scan(snap, &range, &iter, &err), &err, "scan");
    for (;;) {
        yore_status status = yore_next(iter, rows, sizeof(*rows), WALK_ROWS, &n, &err);
        if (status == YORE_END) {
            break;
        }
        yore_help_must(status, &err, "next");
        for (size_t i = 0; i < n; i++) {
            bench_touch(rows[i].key.data, rows[i].key.size, &sum);
            bench_touch(rows[i].value.data, rows[i].value.size, &sum);
        }
        count += n;
    }
    if (bench_wants(M_WALK_SCAN)) {
        report_add(ENGINE_YORE, M_WALK_SCAN, workload_rate(count, bench_run_ns() - start), NULL);
    }
    if (count != bench_opt.load_keys) {
        bench_fatal("yore: a scan of everything found %llu rows", (unsigned long long)count);
    }
    yore_iter_close(iter);
    yore_snap_close(snap);
    free(rows);
}

/* As of half-way through the load: keys below half of them are there, the others are not. */
static void read_past(yore_db *db)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    yore_snap *snap = NULL;
    data_key key;
    uint64_t sum = 0;
    uint64_t wrong = 0;
    uint64_t commits = (bench_opt.load_keys + BENCH_BATCH - 1) / BENCH_BATCH;
    at.kind = YORE_AT_VERSION;
    at.version = yore_help_stats(db).version - commits / 2;
    uint64_t there = (commits - commits / 2) * BENCH_BATCH;
    yore_help_must(yore_snap_open(db, &at, &snap, NULL, &err), &err, "snap_open");
    uint64_t start = bench_run_ns();
    for (uint64_t i = 0; i < bench_opt.reads; i++) {
        uint64_t number = data_mix(i) % bench_opt.load_keys;
        bench_slice k = data_key_make(&key, number);
        yore_pin pin = YORE_PIN_INIT;
        yore_status status = yore_get(snap, yore_bytes_key(k.data, k.size), &pin, NULL);
        if (status == YORE_OK) {
            bench_touch(pin.value.data, pin.value.size, &sum);
            yore_unpin(&pin);
        }
        wrong += (status == YORE_OK) != (number < there);
    }
    if (bench_wants(M_WALK_PAST)) {
        report_add(ENGINE_YORE, M_WALK_PAST, workload_rate(bench_opt.reads, bench_run_ns() - start), NULL);
    }
    if (wrong != 0) {
        bench_fatal("yore: %llu reads of the past were wrong", (unsigned long long)wrong);
    }
    yore_snap_close(snap);
}

static void run_walk(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir, .existing = true, .budget_bytes = bench_opt.budget_bytes};
    void *store = driver->open(&options);
    if (driver->compact != NULL) {
        driver->compact(store);
    }
    bench_pin(WORKLOAD_CPU);
    scan_all(yore_help_db(store));
    read_past(yore_help_db(store));
    bench_unpin();
    driver->close(store);
    report_peak(engine, M_WALK_RSS, 1 << 20);
}

enum { LOAD, OPEN, BIG, WALK };

const workload_stage workload_large_stages[] = {[LOAD] = {"large_load", run_load},
                                                [OPEN] = {"large_open", run_open},
                                                [BIG] = {"large_big", run_big},
                                                [WALK] = {"large_walk", run_walk},
                                                {NULL, NULL}};

void workload_large(enum bench_engine engine, const bench_driver *driver)
{
    if (report_round_get() >= WORKLOAD_ROUNDS_MAX) {
        return;
    }
    if (bench_disk_free_bytes(bench_opt.data_dir) < bench_opt.load_keys * USER_BYTES * DISK_FACTOR) {
        report_note("load", "left out: not enough space on the disk");
        return;
    }
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_large_stages[LOAD], engine, dir);
    if (bench_wants(M_LOAD_SPACE)) {
        report_add(engine, M_LOAD_SPACE, (double)bench_dir_bytes(dir) / 1e6, NULL);
    }
    if (bench_wants(M_OPEN_LARGE)) {
        workload_stage_do(&workload_large_stages[OPEN], engine, dir);
    }
    if (bench_wants_any(M_BIG_GET, M_BIG_RSS)) {
        workload_stage_do(&workload_large_stages[BIG], engine, dir);
    }
    if (engine == ENGINE_YORE && bench_wants_any(M_WALK_SCAN, M_WALK_RSS)) {
        workload_stage_do(&workload_large_stages[WALK], engine, dir);
    }
    bench_dir_remove(dir);
}
