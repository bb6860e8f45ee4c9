/* version_put: 20 passes over the keys, one commit each, a new version changes 8 of 100 bytes. asof_get: random key,
 * random one of 64 moments picked over the whole history. latest_get: the newest of 20 versions.
 *
 * yore opens its 64 snapshots beforehand, as a program that compares moments would; the peers, which keep versions as
 * key + complement of the version, seek with the version itself and need no snapshot of the past. */
#include <stdlib.h>

#include "bench/data.h"
#include "bench/report.h"
#include "bench/workload.h"

#define SAMPLE_MASK 15u
#define WARM_UP 16u

static void put_versions(enum bench_engine engine, const bench_driver *driver, void *writer,
                         const uint32_t *order)
{
    data_key key;
    data_value value;
    bench_latency latency;
    uint64_t keys = bench_opt.version_keys;
    uint64_t total = keys * BENCH_VERSIONS_PER_KEY;
    uint64_t version = 0;
    data_value_init(&value);
    bench_latency_init(&latency, total / (SAMPLE_MASK + 1) + 1);
    uint64_t start = bench_run_ns();
    for (uint64_t pass = 0; pass < BENCH_VERSIONS_PER_KEY; pass++) {
        for (uint64_t i = 0; i < keys; i++) {
            /* Every pass starts elsewhere in the permutation, so no two updates of a key are equally far apart. */
            uint64_t id = order[(i + pass * 7919u) % keys];
            bench_slice k = data_key_make(&key, id);
            bench_slice v = data_value_make(&value, id, pass);
            version++;
            if ((version & SAMPLE_MASK) == 0) {
                uint64_t before = bench_now_ns();
                driver->put_version(writer, k, version, v);
                bench_latency_add(&latency, bench_now_ns() - before);
            } else {
                driver->put_version(writer, k, version, v);
            }
        }
    }
    uint64_t elapsed = bench_run_ns() - start;
    if (bench_wants(M_VERSION_PUT)) {
        report_add(engine, M_VERSION_PUT, workload_rate(total, elapsed), &latency);
    }
    bench_latency_deinit(&latency);
}

/* One permutation of the keys after another; as-of reads pick their moment at random. */
static void get_loop(enum bench_engine engine, const bench_driver *driver, void *reader,
                     const uint32_t *order, enum report_metric metric)
{
    bench_latency latency;
    data_key key;
    uint64_t reads = bench_opt.reads;
    uint64_t keys = bench_opt.version_keys;
    uint64_t sum = 0;
    uint64_t found = 0;
    uint64_t start = 0;
    bool asof = metric == M_ASOF_GET;
    bench_latency_init(&latency, reads / (SAMPLE_MASK + 1) + 1);
    for (uint64_t i = 0; i < reads + reads / WARM_UP; i++) {
        if (i == reads / WARM_UP) {
            sum = 0;
            found = 0;
            start = bench_run_ns();
        }
        bench_slice k = data_key_make(&key, order[i % keys]);
        size_t moment = data_mix(i) % BENCH_ASOF_SNAPSHOTS;
        uint64_t before = (i & SAMPLE_MASK) == 0 ? bench_now_ns() : 0;
        found += asof ? driver->get_asof(reader, k, moment, &sum) : driver->get_latest(reader, k, &sum);
        if (before != 0) {
            bench_latency_add(&latency, bench_now_ns() - before);
        }
    }
    report_add(engine, metric, workload_rate(reads, bench_run_ns() - start), &latency);
    report_answers(engine, metric, found, sum);
    bench_latency_deinit(&latency);
}

void workload_versions(enum bench_engine engine, const bench_driver *driver)
{
    bench_store_options options = {bench_dir_fresh(driver->name), false};
    uint64_t total = bench_opt.version_keys * BENCH_VERSIONS_PER_KEY;
    uint64_t moments[BENCH_ASOF_SNAPSHOTS];
    uint32_t *put_order = data_order(bench_opt.version_keys, 2);
    uint32_t *get_order = data_order(bench_opt.version_keys, 3);
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    for (size_t i = 0; i < BENCH_ASOF_SNAPSHOTS; i++) {
        moments[i] = 1 + data_mix(i + 1000000) % total;
    }
    bench_pin(WORKLOAD_CPU);
    put_versions(engine, driver, writer, put_order);
    driver->writer_close(writer);
    driver->settle(store);
    if (bench_wants_any(M_ASOF_GET, M_LATEST_GET)) {
        void *reader = driver->reader_open(store, moments, BENCH_ASOF_SNAPSHOTS);
        if (bench_wants(M_ASOF_GET)) {
            get_loop(engine, driver, reader, get_order, M_ASOF_GET);
        }
        if (bench_wants(M_LATEST_GET)) {
            get_loop(engine, driver, reader, get_order, M_LATEST_GET);
        }
        driver->reader_close(reader);
    }
    if (bench_wants(M_SPACE_VERSIONS)) {
        report_add(engine, M_SPACE_VERSIONS, (double)bench_dir_bytes(options.dir) / 1e6, NULL);
    }
    bench_unpin();
    driver->close(store);
    bench_dir_remove(options.dir);
    free(put_order);
    free(get_order);
}
