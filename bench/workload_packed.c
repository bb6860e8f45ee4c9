/* Small on disk: stores that were loaded with compression on where the engine has it. left_*: bytes of their files once
 * background work was done and they were closed; packed_plain, packed_versions: then compacted by the engine's own
 * means. packed_get: reads of the first by a new process after a whole untimed pass; packed_cold_get: after its files
 * were removed from the page cache; packed_asof: reads of the second's past. */
#include <stdlib.h>

#include "bench/data.h"
#include "bench/workload.h"

static void load(const bench_driver *driver, const char *dir, bool has_versions)
{
    bench_store_options options = {.dir = dir, .packed = true};
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    bench_pin(WORKLOAD_CPU);
    if (has_versions) {
        workload_load_versions(driver, writer, bench_opt.version_keys, NULL);
    } else {
        workload_load(driver, writer, bench_opt.keys, NULL);
    }
    driver->writer_close(writer);
    driver->settle(store);
    bench_unpin();
    driver->close(store);
}

static void run_load(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    (void)engine;
    load(driver, dir, false);
}

static void run_load_versions(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    (void)engine;
    load(driver, dir, true);
}

static void run_compact(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir, .existing = true, .packed = true};
    void *store = driver->open(&options);
    (void)engine;
    if (driver->compact != NULL) {
        driver->compact(store);
    }
    driver->close(store);
}

static void read_plain(enum bench_engine engine, const bench_driver *driver, const char *dir,
                       const workload_reads *what, enum report_metric metric)
{
    bench_store_options options = {.dir = dir, .existing = true, .packed = true};
    void *store = driver->open(&options);
    void *reader = driver->reader_open(store, NULL, 0);
    bench_pin(WORKLOAD_CPU);
    workload_get(engine, driver, reader, what, metric);
    bench_unpin();
    driver->reader_close(reader);
    driver->close(store);
}

static void run_hot(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    uint32_t *order = data_order(bench_opt.keys, 1);
    workload_reads what = {order, bench_opt.keys, 0, bench_opt.reads, bench_opt.keys};
    read_plain(engine, driver, dir, &what, M_PACKED_GET);
    free(order);
}

static void run_cold(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    uint32_t *order = data_order(bench_opt.keys, 1);
    workload_reads what = {order, bench_opt.keys, 0, bench_opt.cold_reads, 0};
    read_plain(engine, driver, dir, &what, M_PACKED_COLD);
    free(order);
}

static void run_versions(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir, .existing = true, .packed = true};
    uint64_t moments[BENCH_ASOF_SNAPSHOTS];
    uint32_t *order = data_order(bench_opt.version_keys, 3);
    workload_reads what = {order, bench_opt.version_keys, 0, bench_opt.reads, bench_opt.reads};
    void *store = driver->open(&options);
    workload_moments(moments, bench_opt.version_keys * BENCH_VERSIONS_PER_KEY);
    void *reader = driver->reader_open(store, moments, BENCH_ASOF_SNAPSHOTS);
    bench_pin(WORKLOAD_CPU);
    workload_get_version(engine, driver, reader, &what, true, M_PACKED_ASOF);
    bench_unpin();
    driver->reader_close(reader);
    driver->close(store);
    free(order);
}

enum { LOAD, LOAD_VERSIONS, COMPACT, HOT, COLD, VERSIONS };

const workload_stage workload_packed_stages[] = {
    [LOAD] = {"packed_load", run_load},
    [LOAD_VERSIONS] = {"packed_load_versions", run_load_versions},
    [COMPACT] = {"packed_compact", run_compact},
    [HOT] = {"packed_hot", run_hot},
    [COLD] = {"packed_cold", run_cold},
    [VERSIONS] = {"packed_versions", run_versions},
    {NULL, NULL}};

static void report_space(enum bench_engine engine, const char *dir, enum report_metric metric)
{
    if (bench_wants(metric)) {
        report_add(engine, metric, (double)bench_dir_bytes(dir) / 1e6, NULL);
    }
}

static void plain(enum bench_engine engine, const bench_driver *driver)
{
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_packed_stages[LOAD], engine, dir);
    report_space(engine, dir, M_LEFT_PLAIN);
    if (bench_wants_any(M_PACKED_PLAIN, M_PACKED_COLD)) {
        workload_stage_do(&workload_packed_stages[COMPACT], engine, dir);
        report_space(engine, dir, M_PACKED_PLAIN);
    }
    if (bench_wants(M_PACKED_GET)) {
        workload_stage_do(&workload_packed_stages[HOT], engine, dir);
    }
    if (bench_wants(M_PACKED_COLD) && workload_drop_cache(dir)) {
        workload_stage_do(&workload_packed_stages[COLD], engine, dir);
    }
    bench_dir_remove(dir);
}

static void versions(enum bench_engine engine, const bench_driver *driver)
{
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_packed_stages[LOAD_VERSIONS], engine, dir);
    report_space(engine, dir, M_LEFT_VERSIONS);
    if (bench_wants_any(M_PACKED_VERSIONS, M_PACKED_ASOF)) {
        workload_stage_do(&workload_packed_stages[COMPACT], engine, dir);
        report_space(engine, dir, M_PACKED_VERSIONS);
    }
    if (bench_wants(M_PACKED_ASOF)) {
        workload_stage_do(&workload_packed_stages[VERSIONS], engine, dir);
    }
    bench_dir_remove(dir);
}

void workload_packed(enum bench_engine engine, const bench_driver *driver)
{
    if (report_round_get() >= WORKLOAD_ROUNDS_MAX) {
        return;
    }
    if (bench_wants(M_LEFT_PLAIN) || bench_wants_any(M_PACKED_PLAIN, M_PACKED_COLD)) {
        plain(engine, driver);
    }
    if (bench_wants(M_LEFT_VERSIONS) || bench_wants_any(M_PACKED_VERSIONS, M_PACKED_ASOF)) {
        versions(engine, driver);
    }
}
