/* put_random, get_random, get_many16, get_missing, scan100 and read-while-write on one store of `keys` keys, and
 * put_batch1000 on a store of its own. Loading is put_random itself when that is asked for, else batches. */
#include <stdlib.h>

#include "bench/data.h"
#include "bench/workload.h"

static void put_random(enum bench_engine engine, const bench_driver *driver, void *writer)
{
    data_key key;
    data_value value;
    bench_latency latency;
    data_value_init(&value);
    bench_latency_init(&latency, bench_opt.keys / (WORKLOAD_SAMPLE_MASK + 1) + 1);
    uint64_t start = bench_run_ns();
    for (uint64_t i = 0; i < bench_opt.keys; i++) {
        bench_slice k = data_key_make(&key, i);
        bench_slice v = data_value_make(&value, i, 0);
        if ((i & WORKLOAD_SAMPLE_MASK) == 0) {
            uint64_t before = bench_now_ns();
            driver->put(writer, k, v);
            bench_latency_add(&latency, bench_now_ns() - before);
        } else {
            driver->put(writer, k, v);
        }
    }
    report_add(engine, M_PUT_RANDOM, workload_rate(bench_opt.keys, bench_run_ns() - start), &latency);
    bench_latency_deinit(&latency);
}

static void read_all(enum bench_engine engine, const bench_driver *driver, void *store)
{
    uint32_t *order = data_order(bench_opt.keys, 1);
    workload_reads what = {order, bench_opt.keys, 0, bench_opt.reads, bench_opt.reads / WORKLOAD_WARM_UP};
    workload_reads missing = what;
    void *reader = driver->reader_open(store, NULL, 0);
    missing.first = DATA_MISSING;
    if (bench_wants(M_GET_RANDOM)) {
        workload_get(engine, driver, reader, &what, M_GET_RANDOM);
    }
    if (bench_wants(M_GET_MANY)) {
        workload_get_many(engine, driver, reader, &what, M_GET_MANY);
    }
    if (bench_wants(M_GET_MISSING)) {
        workload_get(engine, driver, reader, &missing, M_GET_MISSING);
    }
    if (bench_wants(M_SCAN)) {
        workload_scan(engine, driver, reader, &what, M_SCAN);
    }
    driver->reader_close(reader);
    free(order);
}

void workload_point(enum bench_engine engine, const bench_driver *driver)
{
    bench_store_options options = {.dir = bench_dir_fresh(driver->name)};
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    bench_pin(WORKLOAD_CPU);
    if (bench_wants(M_PUT_RANDOM)) {
        put_random(engine, driver, writer);
    } else {
        workload_load(driver, writer, bench_opt.keys, NULL);
    }
    driver->writer_close(writer);
    driver->settle(store);
    if (bench_wants_any(M_GET_RANDOM, M_SCAN)) {
        read_all(engine, driver, store);
    }
    if (bench_wants(M_SPACE_PLAIN)) {
        report_add(engine, M_SPACE_PLAIN, (double)bench_dir_bytes(options.dir) / 1e6, NULL);
    }
    if (bench_wants_any(M_MIXED_READ, M_MIXED_WRITE)) {
        workload_mixed(engine, driver, store);
    }
    bench_unpin();
    driver->close(store);
    bench_dir_remove(options.dir);
}

void workload_batch(enum bench_engine engine, const bench_driver *driver)
{
    bench_store_options options = {.dir = bench_dir_fresh(driver->name)};
    bench_latency latency;
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    bench_latency_init(&latency, bench_opt.keys / BENCH_BATCH + 1);
    bench_pin(WORKLOAD_CPU);
    uint64_t elapsed = workload_load(driver, writer, bench_opt.keys, &latency);
    report_add(engine, M_PUT_BATCH, workload_rate(bench_opt.keys, elapsed), &latency);
    bench_unpin();
    bench_latency_deinit(&latency);
    driver->writer_close(writer);
    driver->close(store);
    bench_dir_remove(options.dir);
}
