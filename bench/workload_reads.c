/* The loops of reads that several workloads share, and the loads they read. */
#include <stdlib.h>

#include "bench/data.h"
#include "bench/workload.h"

static inline uint64_t key_number(const workload_reads *what, uint64_t i)
{
    uint64_t number = what->order != NULL ? what->order[i % what->count] : data_mix(i) % what->count;
    return what->first + number;
}

/* Warm-up comes from the other end of the permutation. */
static inline uint64_t key_number_before(const workload_reads *what, uint64_t i)
{
    return key_number(what, what->count - 1 - i % what->count);
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

uint64_t workload_load_versions(const bench_driver *driver, void *writer, uint64_t keys,
                                bench_latency *latency)
{
    data_key key;
    data_value value;
    uint32_t *order = data_order(keys, 2);
    uint64_t version = 0;
    data_value_init(&value);
    uint64_t start = bench_run_ns();
    for (uint64_t pass = 0; pass < BENCH_VERSIONS_PER_KEY; pass++) {
        for (uint64_t i = 0; i < keys; i++) {
            /* Every pass starts elsewhere in the permutation, so no two updates of a key are equally far apart. */
            uint64_t id = order[(i + pass * 7919u) % keys];
            bench_slice k = data_key_make(&key, id);
            bench_slice v = data_value_make(&value, id, pass);
            version++;
            if (latency != NULL && (version & WORKLOAD_SAMPLE_MASK) == 0) {
                uint64_t before = bench_now_ns();
                driver->put_version(writer, k, version, v);
                bench_latency_add(latency, bench_now_ns() - before);
            } else {
                driver->put_version(writer, k, version, v);
            }
        }
    }
    uint64_t elapsed = bench_run_ns() - start;
    free(order);
    return elapsed;
}

void workload_moments(uint64_t moments[BENCH_ASOF_SNAPSHOTS], uint64_t total)
{
    for (size_t i = 0; i < BENCH_ASOF_SNAPSHOTS; i++) {
        moments[i] = 1 + data_mix(i + 1000000) % total;
    }
}

void workload_get(enum bench_engine engine, const bench_driver *driver, void *reader,
                  const workload_reads *what, enum report_metric metric)
{
    bench_latency latency;
    data_key key;
    uint64_t sum = 0;
    uint64_t found = 0;
    bench_latency_init(&latency, what->reads / (WORKLOAD_SAMPLE_MASK + 1) + 1);
    for (uint64_t i = 0; i < what->warm_up; i++) {
        uint64_t unused = 0;
        driver->get(reader, data_key_make(&key, key_number_before(what, i)), &unused);
    }
    uint64_t start = bench_run_ns();
    for (uint64_t i = 0; i < what->reads; i++) {
        bench_slice k = data_key_make(&key, key_number(what, i));
        if ((i & WORKLOAD_SAMPLE_MASK) == 0) {
            uint64_t before = bench_now_ns();
            found += driver->get(reader, k, &sum);
            bench_latency_add(&latency, bench_now_ns() - before);
        } else {
            found += driver->get(reader, k, &sum);
        }
    }
    report_add(engine, metric, workload_rate(what->reads, bench_run_ns() - start), &latency);
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

void workload_get_many(enum bench_engine engine, const bench_driver *driver, void *reader,
                       const workload_reads *what, enum report_metric metric)
{
    bench_latency latency;
    data_key bytes[BENCH_MANY];
    bench_slice keys[BENCH_MANY];
    uint64_t groups = what->reads / BENCH_MANY;
    uint64_t warm_up = what->warm_up / BENCH_MANY;
    uint64_t sum = 0;
    uint64_t found = 0;
    uint64_t start = 0;
    bench_latency_init(&latency, groups / 4 + 1);
    for (uint64_t i = 0; i < groups + warm_up; i++) {
        uint64_t group = i < warm_up ? groups - 1 - i % groups : i - warm_up;
        if (i == warm_up) {
            found = 0;
            sum = 0;
            start = bench_run_ns();
        }
        for (size_t j = 0; j < BENCH_MANY; j++) {
            keys[j] = data_key_make(&bytes[j], key_number(what, group * BENCH_MANY + j));
        }
        if ((group & 3u) == 0) {
            uint64_t before = bench_now_ns();
            found += get_group(driver, reader, keys, &sum);
            bench_latency_add(&latency, bench_now_ns() - before);
        } else {
            found += get_group(driver, reader, keys, &sum);
        }
    }
    report_add(engine, metric, workload_rate(groups * BENCH_MANY, bench_run_ns() - start), &latency);
    report_answers(engine, metric, found, sum);
    bench_latency_deinit(&latency);
}

void workload_scan(enum bench_engine engine, const bench_driver *driver, void *reader,
                   const workload_reads *what, enum report_metric metric)
{
    bench_latency latency;
    data_key key;
    uint64_t scans = what->reads / 20;
    uint64_t sum = 0;
    uint64_t rows = 0;
    uint64_t unused = 0;
    bench_latency_init(&latency, scans);
    for (uint64_t i = 0; i < what->warm_up / 20; i++) {
        driver->scan(reader, data_key_make(&key, key_number_before(what, i)), BENCH_SCAN_ROWS, &unused);
    }
    uint64_t start = bench_run_ns();
    for (uint64_t i = 0; i < scans; i++) {
        bench_slice from = data_key_make(&key, key_number(what, i));
        uint64_t before = bench_now_ns();
        rows += driver->scan(reader, from, BENCH_SCAN_ROWS, &sum);
        bench_latency_add(&latency, bench_now_ns() - before);
    }
    report_add(engine, metric, workload_rate(rows, bench_run_ns() - start), &latency);
    report_answers(engine, metric, rows, sum);
    bench_latency_deinit(&latency);
}

void workload_get_version(enum bench_engine engine, const bench_driver *driver, void *reader,
                          const workload_reads *what, bool is_past, enum report_metric metric)
{
    bench_latency latency;
    data_key key;
    uint64_t sum = 0;
    uint64_t found = 0;
    uint64_t start = 0;
    bench_latency_init(&latency, (what->reads + what->warm_up) / (WORKLOAD_SAMPLE_MASK + 1) + 1);
    for (uint64_t i = 0; i < what->reads + what->warm_up; i++) {
        if (i == what->warm_up) {
            sum = 0;
            found = 0;
            start = bench_run_ns();
        }
        bench_slice k = data_key_make(&key, key_number(what, i));
        size_t moment = data_mix(i) % BENCH_ASOF_SNAPSHOTS;
        uint64_t before = (i & WORKLOAD_SAMPLE_MASK) == 0 ? bench_now_ns() : 0;
        found += is_past ? driver->get_asof(reader, k, moment, &sum) : driver->get_latest(reader, k, &sum);
        if (before != 0) {
            bench_latency_add(&latency, bench_now_ns() - before);
        }
    }
    report_add(engine, metric, workload_rate(what->reads, bench_run_ns() - start), &latency);
    report_answers(engine, metric, found, sum);
    bench_latency_deinit(&latency);
}
