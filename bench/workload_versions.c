/* version_put: 20 passes over the keys, one commit each, a new version changes 8 of 100 bytes. asof_get: random key,
 * random one of 64 moments picked over the whole history. latest_get: the newest of 20 versions.
 *
 * yore opens its 64 snapshots beforehand, as a program that compares moments would; the peers, which keep versions as
 * key + complement of the version, seek with the version itself and need no snapshot of the past. */
#include <stdlib.h>

#include "bench/data.h"
#include "bench/workload.h"

void workload_versions(enum bench_engine engine, const bench_driver *driver)
{
    bench_store_options options = {.dir = bench_dir_fresh(driver->name)};
    uint64_t total = bench_opt.version_keys * BENCH_VERSIONS_PER_KEY;
    uint64_t moments[BENCH_ASOF_SNAPSHOTS];
    uint32_t *order = data_order(bench_opt.version_keys, 3);
    workload_reads what = {order, bench_opt.version_keys, 0, bench_opt.reads,
                           bench_opt.reads / WORKLOAD_WARM_UP};
    bench_latency latency;
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    workload_moments(moments, total);
    bench_latency_init(&latency, total / (WORKLOAD_SAMPLE_MASK + 1) + 1);
    bench_pin(WORKLOAD_CPU);
    uint64_t elapsed = workload_load_versions(driver, writer, bench_opt.version_keys, &latency);
    if (bench_wants(M_VERSION_PUT)) {
        report_add(engine, M_VERSION_PUT, workload_rate(total, elapsed), &latency);
    }
    bench_latency_deinit(&latency);
    driver->writer_close(writer);
    driver->settle(store);
    if (bench_wants_any(M_ASOF_GET, M_LATEST_GET)) {
        void *reader = driver->reader_open(store, moments, BENCH_ASOF_SNAPSHOTS);
        if (bench_wants(M_ASOF_GET)) {
            workload_get_version(engine, driver, reader, &what, true, M_ASOF_GET);
        }
        if (bench_wants(M_LATEST_GET)) {
            workload_get_version(engine, driver, reader, &what, false, M_LATEST_GET);
        }
        driver->reader_close(reader);
    }
    if (bench_wants(M_SPACE_VERSIONS)) {
        report_add(engine, M_SPACE_VERSIONS, (double)bench_dir_bytes(options.dir) / 1e6, NULL);
    }
    bench_unpin();
    driver->close(store);
    bench_dir_remove(options.dir);
    free(order);
}
