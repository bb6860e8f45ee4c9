/* put_random, get_random, get_many16, get_missing, scan100 and read-while-write on one store of `keys` keys, and
 * put_batch1000 on a store of its own. Loading is put_random itself when that is asked for, else batches. */
#include <stdlib.h>

#include "bench/data.h"
#include "bench/report.h"
#include "bench/workload.h"

#define SAMPLE_MASK 15u /* one call in 16 is timed on its own */
#define WARM_UP 16u     /* a 16th of the operations runs first, untimed */

static void put_random(enum bench_engine engine, const bench_driver *driver, void *writer)
{
    data_key key;
    data_value value;
    bench_latency latency;
    data_value_init(&value);
    bench_latency_init(&latency, bench_opt.keys / (SAMPLE_MASK + 1) + 1);
    uint64_t start = bench_run_ns();
    for (uint64_t i = 0; i < bench_opt.keys; i++) {
        bench_slice k = data_key_make(&key, i);
        bench_slice v = data_value_make(&value, i, 0);
        if ((i & SAMPLE_MASK) == 0) {
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

uint64_t workload_load(const bench_driver *driver, void *writer, uint64_t keys, bench_latency *latency)
{
    data_key *key_bytes = bench_alloc(BENCH_BATCH * sizeof(*key_bytes));
    data_value *value_bytes = bench_alloc(BENCH_BATCH * sizeof(*value_bytes));
    bench_slice *key_slices = bench_alloc(BENCH_BATCH * sizeof(*key_slices));
    bench_slice *value_slices = bench_alloc(BENCH_BATCH * sizeof(*value_slices));
    for (size_t i = 0; i < BENCH_BATCH; i++) {
        data_value_init(&value_bytes[i]);
    }
    uint64_t start = bench_run_ns();
    for (uint64_t base = 0; base < keys; base += BENCH_BATCH) {
        size_t n = keys - base < BENCH_BATCH ? (size_t)(keys - base) : BENCH_BATCH;
        for (size_t i = 0; i < n; i++) {
            key_slices[i] = data_key_make(&key_bytes[i], base + i);
            value_slices[i] = data_value_make(&value_bytes[i], base + i, 0);
        }
        uint64_t before = bench_now_ns();
        driver->put_batch(writer, key_slices, value_slices, n);
        if (latency != NULL) {
            bench_latency_add(latency, bench_now_ns() - before);
        }
    }
    uint64_t elapsed = bench_run_ns() - start;
    free(key_bytes);
    free(value_bytes);
    free(key_slices);
    free(value_slices);
    return elapsed;
}

/* Point reads in the order of a permutation; `first` = DATA_MISSING asks for keys that are not there. */
static void get_loop(enum bench_engine engine, const bench_driver *driver, void *reader,
                     const uint32_t *order, enum report_metric metric, uint64_t first)
{
    bench_latency latency;
    data_key key;
    uint64_t sum = 0;
    uint64_t found = 0;
    bench_latency_init(&latency, bench_opt.reads / (SAMPLE_MASK + 1) + 1);
    for (uint64_t i = 0; i < bench_opt.reads / WARM_UP; i++) {
        uint64_t unused = 0;
        driver->get(reader, data_key_make(&key, first + order[bench_opt.keys - 1 - i % bench_opt.keys]),
                    &unused);
    }
    uint64_t start = bench_run_ns();
    for (uint64_t i = 0; i < bench_opt.reads; i++) {
        bench_slice k = data_key_make(&key, first + order[i % bench_opt.keys]);
        if ((i & SAMPLE_MASK) == 0) {
            uint64_t before = bench_now_ns();
            found += driver->get(reader, k, &sum);
            bench_latency_add(&latency, bench_now_ns() - before);
        } else {
            found += driver->get(reader, k, &sum);
        }
    }
    report_add(engine, metric, workload_rate(bench_opt.reads, bench_run_ns() - start), &latency);
    report_answers(engine, metric, found, sum);
    bench_latency_deinit(&latency);
}

static size_t get_group(const bench_driver *driver, void *reader, const bench_slice *keys, uint64_t *sum)
{
    size_t found = 0;
    if (driver->get_many != NULL) {
        return driver->get_many(reader, keys, BENCH_MANY, sum);
    }
    for (size_t j = 0; j < BENCH_MANY; j++) {
        found += driver->get(reader, keys[j], sum);
    }
    return found;
}

static void get_many(enum bench_engine engine, const bench_driver *driver, void *reader,
                     const uint32_t *order)
{
    bench_latency latency;
    data_key bytes[BENCH_MANY];
    bench_slice keys[BENCH_MANY];
    uint64_t groups = bench_opt.reads / BENCH_MANY;
    uint64_t sum = 0;
    uint64_t found = 0;
    uint64_t start = 0;
    bench_latency_init(&latency, groups / 4 + 1);
    for (uint64_t i = 0; i < groups + groups / WARM_UP; i++) {
        uint64_t group = i < groups / WARM_UP ? groups - 1 - i : i - groups / WARM_UP;
        if (i == groups / WARM_UP) {
            found = 0;
            sum = 0;
            start = bench_run_ns();
        }
        for (size_t j = 0; j < BENCH_MANY; j++) {
            keys[j] = data_key_make(&bytes[j], order[(group * BENCH_MANY + j) % bench_opt.keys]);
        }
        if ((group & 3u) == 0) {
            uint64_t before = bench_now_ns();
            found += get_group(driver, reader, keys, &sum);
            bench_latency_add(&latency, bench_now_ns() - before);
        } else {
            found += get_group(driver, reader, keys, &sum);
        }
    }
    report_add(engine, M_GET_MANY, workload_rate(groups * BENCH_MANY, bench_run_ns() - start), &latency);
    report_answers(engine, M_GET_MANY, found, sum);
    bench_latency_deinit(&latency);
}

static void scan(enum bench_engine engine, const bench_driver *driver, void *reader, const uint32_t *order)
{
    bench_latency latency;
    data_key key;
    uint64_t scans = bench_opt.reads / 20;
    uint64_t sum = 0;
    uint64_t rows = 0;
    uint64_t unused = 0;
    bench_latency_init(&latency, scans);
    for (uint64_t i = 0; i < scans / WARM_UP; i++) {
        bench_slice from = data_key_make(&key, order[bench_opt.keys - 1 - i % bench_opt.keys]);
        driver->scan(reader, from, BENCH_SCAN_ROWS, &unused);
    }
    uint64_t start = bench_run_ns();
    for (uint64_t i = 0; i < scans; i++) {
        bench_slice from = data_key_make(&key, order[i % bench_opt.keys]);
        uint64_t before = bench_now_ns();
        rows += driver->scan(reader, from, BENCH_SCAN_ROWS, &sum);
        bench_latency_add(&latency, bench_now_ns() - before);
    }
    report_add(engine, M_SCAN, workload_rate(rows, bench_run_ns() - start), &latency);
    report_answers(engine, M_SCAN, rows, sum);
    bench_latency_deinit(&latency);
}

static void read_all(enum bench_engine engine, const bench_driver *driver, void *store)
{
    uint32_t *order = data_order(bench_opt.keys, 1);
    void *reader = driver->reader_open(store, NULL, 0);
    if (bench_wants(M_GET_RANDOM)) {
        get_loop(engine, driver, reader, order, M_GET_RANDOM, 0);
    }
    if (bench_wants(M_GET_MANY)) {
        get_many(engine, driver, reader, order);
    }
    if (bench_wants(M_GET_MISSING)) {
        get_loop(engine, driver, reader, order, M_GET_MISSING, DATA_MISSING);
    }
    if (bench_wants(M_SCAN)) {
        scan(engine, driver, reader, order);
    }
    driver->reader_close(reader);
    free(order);
}

void workload_point(enum bench_engine engine, const bench_driver *driver)
{
    bench_store_options options = {bench_dir_fresh(driver->name), false};
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
    bench_store_options options = {bench_dir_fresh(driver->name), false};
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
