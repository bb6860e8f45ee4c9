/* After a reopen. reopen_*: a store of `keys` keys is loaded and closed by one process and read by another, first with
 * everything warm (a whole untimed pass), then (reopen_cold_get) by a third one after its files were removed from the
 * page cache; open_cold is its way to the first value. reopen_asof, reopen_latest: the same with 20 versions a key.
 * Other open_*: from the call that opens to the first value read, in a new process, files in the page cache, the median
 * of some opens. */
#include <stdlib.h>

#include "bench/data.h"
#include "bench/workload.h"

#define OPENS 9u

static void load(const bench_driver *driver, const char *dir, uint64_t keys)
{
    bench_store_options options = {.dir = dir};
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    bench_pin(WORKLOAD_CPU);
    workload_load(driver, writer, keys, NULL);
    driver->writer_close(writer);
    driver->settle(store);
    bench_unpin();
    driver->close(store);
}

static void run_load(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    (void)engine;
    load(driver, dir, bench_opt.keys);
}

static void run_load_small(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    (void)engine;
    load(driver, dir, BENCH_SMALL_KEYS);
}

static void run_load_versions(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir};
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    (void)engine;
    bench_pin(WORKLOAD_CPU);
    workload_load_versions(driver, writer, bench_opt.version_keys, NULL);
    driver->writer_close(writer);
    driver->settle(store);
    bench_unpin();
    driver->close(store);
}

static void run_hot(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir, .existing = true};
    uint32_t *order = data_order(bench_opt.keys, 1);
    workload_reads what = {order, bench_opt.keys, 0, bench_opt.reads, bench_opt.keys};
    workload_reads missing = {order, bench_opt.keys, DATA_MISSING, bench_opt.reads,
                              bench_opt.reads / WORKLOAD_WARM_UP};
    void *store = driver->open(&options);
    void *reader = driver->reader_open(store, NULL, 0);
    bench_pin(WORKLOAD_CPU);
    if (bench_wants(M_REOPEN_GET)) {
        workload_get(engine, driver, reader, &what, M_REOPEN_GET);
    }
    if (bench_wants(M_REOPEN_MANY)) {
        workload_get_many(engine, driver, reader, &what, M_REOPEN_MANY);
    }
    if (bench_wants(M_REOPEN_MISSING)) {
        workload_get(engine, driver, reader, &missing, M_REOPEN_MISSING);
    }
    if (bench_wants(M_REOPEN_SCAN)) {
        workload_scan(engine, driver, reader, &what, M_REOPEN_SCAN);
    }
    bench_unpin();
    driver->reader_close(reader);
    driver->close(store);
    free(order);
}

static void run_cold(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir, .existing = true};
    uint32_t *order = data_order(bench_opt.keys, 1);
    workload_reads what = {order, bench_opt.keys, 0, bench_opt.cold_reads, 0};
    data_key key;
    uint64_t sum = 0;
    bench_slice first = data_key_make(&key, order[bench_opt.keys - 1]);
    uint64_t start = bench_now_ns();
    void *store = driver->open(&options);
    void *reader = driver->reader_open(store, NULL, 0);
    if (!driver->get(reader, first, &sum)) {
        bench_fatal("%s: a key is not there after the store was opened again", driver->name);
    }
    if (bench_wants(M_OPEN_COLD)) {
        report_add(engine, M_OPEN_COLD, (double)(bench_now_ns() - start) / 1e6, NULL);
    }
    bench_pin(WORKLOAD_CPU);
    if (bench_wants(M_REOPEN_COLD)) {
        workload_get(engine, driver, reader, &what, M_REOPEN_COLD);
    }
    bench_unpin();
    driver->reader_close(reader);
    driver->close(store);
    free(order);
}

static void run_versions(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir, .existing = true};
    uint64_t moments[BENCH_ASOF_SNAPSHOTS];
    uint32_t *order = data_order(bench_opt.version_keys, 3);
    workload_reads what = {order, bench_opt.version_keys, 0, bench_opt.reads, bench_opt.reads};
    void *store = driver->open(&options);
    workload_moments(moments, bench_opt.version_keys * BENCH_VERSIONS_PER_KEY);
    void *reader = driver->reader_open(store, moments, BENCH_ASOF_SNAPSHOTS);
    bench_pin(WORKLOAD_CPU);
    if (bench_wants(M_REOPEN_ASOF)) {
        workload_get_version(engine, driver, reader, &what, true, M_REOPEN_ASOF);
    }
    if (bench_wants(M_REOPEN_LATEST)) {
        workload_get_version(engine, driver, reader, &what, false, M_REOPEN_LATEST);
    }
    bench_unpin();
    driver->reader_close(reader);
    driver->close(store);
    free(order);
}

void workload_open_times(enum bench_engine engine, const bench_driver *driver, const char *dir, uint64_t keys,
                         enum report_metric metric)
{
    bench_store_options options = {.dir = dir, .existing = true};
    bench_latency latency;
    data_key key;
    uint64_t sum = 0;
    bench_latency_init(&latency, OPENS);
    for (uint64_t i = 0; i < OPENS; i++) {
        bench_slice k = data_key_make(&key, data_mix(i) % keys);
        uint64_t start = bench_now_ns();
        void *store = driver->open(&options);
        void *reader = driver->reader_open(store, NULL, 0);
        bool found = driver->get(reader, k, &sum);
        bench_latency_add(&latency, bench_now_ns() - start);
        if (!found) {
            bench_fatal("%s: a key is not there after the store was opened again", driver->name);
        }
        driver->reader_close(reader);
        driver->close(store);
    }
    report_add(engine, metric, bench_latency_at(&latency, 0.5) / 1e6, &latency);
    report_answers(engine, metric, OPENS, sum);
    bench_latency_deinit(&latency);
}

static void run_open_small(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    workload_open_times(engine, driver, dir, BENCH_SMALL_KEYS, M_OPEN_SMALL);
}

static void run_open_medium(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    workload_open_times(engine, driver, dir, bench_opt.keys, M_OPEN_MEDIUM);
}

enum { LOAD, LOAD_SMALL, LOAD_VERSIONS, HOT, COLD, VERSIONS, OPEN_SMALL, OPEN_MEDIUM };

const workload_stage workload_reopen_stages[] = {
    [LOAD] = {"reopen_load", run_load},
    [LOAD_SMALL] = {"reopen_load_small", run_load_small},
    [LOAD_VERSIONS] = {"reopen_load_versions", run_load_versions},
    [HOT] = {"reopen_hot", run_hot},
    [COLD] = {"reopen_cold", run_cold},
    [VERSIONS] = {"reopen_versions", run_versions},
    [OPEN_SMALL] = {"open_small", run_open_small},
    [OPEN_MEDIUM] = {"open_medium", run_open_medium},
    {NULL, NULL}};

bool workload_drop_cache(const char *dir)
{
    uint64_t left = bench_dir_drop_cache(dir);
    bool is_dropped = left <= bench_dir_bytes(dir) / 20;
    if (!is_dropped) {
        report_note("cold", "rows left out: %llu KiB of a store's files stayed in the page cache",
                    (unsigned long long)left >> 10);
    }
    return is_dropped;
}

void workload_reopen(enum bench_engine engine, const bench_driver *driver)
{
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_reopen_stages[LOAD], engine, dir);
    if (bench_wants(M_OPEN_MEDIUM)) {
        workload_stage_do(&workload_reopen_stages[OPEN_MEDIUM], engine, dir);
    }
    if (bench_wants_any(M_REOPEN_GET, M_REOPEN_SCAN)) {
        workload_stage_do(&workload_reopen_stages[HOT], engine, dir);
    }
    if ((bench_wants(M_REOPEN_COLD) || bench_wants(M_OPEN_COLD)) && workload_drop_cache(dir)) {
        workload_stage_do(&workload_reopen_stages[COLD], engine, dir);
    }
    bench_dir_remove(dir);
}

void workload_past(enum bench_engine engine, const bench_driver *driver)
{
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_reopen_stages[LOAD_VERSIONS], engine, dir);
    workload_stage_do(&workload_reopen_stages[VERSIONS], engine, dir);
    bench_dir_remove(dir);
}

void workload_small(enum bench_engine engine, const bench_driver *driver)
{
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_reopen_stages[LOAD_SMALL], engine, dir);
    workload_stage_do(&workload_reopen_stages[OPEN_SMALL], engine, dir);
    bench_dir_remove(dir);
}
