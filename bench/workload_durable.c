#define _POSIX_C_SOURCE 200809L
/* durable_put with 1 and 16 threads: one key a commit, on stable storage before the call returns. */
#include <pthread.h>

#include "bench/data.h"
#include "bench/workload.h"

#define WARM_UP 20u /* commits before the clock starts */

typedef struct durable_thread {
    const bench_driver *driver;
    void *store;
    unsigned index;
    uint64_t operations;
    pthread_barrier_t *gate;
    bench_latency latency;
    uint64_t started_ns;
    uint64_t ended_ns;
} durable_thread;

static void *run_thread(void *argument)
{
    durable_thread *self = argument;
    data_key key;
    data_value value;
    uint64_t first = (uint64_t)self->index << 32;
    data_value_init(&value);
    bench_pin(self->index + WORKLOAD_CPU);
    void *writer = self->driver->writer_open(self->store);
    for (uint64_t i = 0; i < self->operations + WARM_UP; i++) {
        if (i == WARM_UP) {
            pthread_barrier_wait(self->gate);
            self->started_ns = bench_now_ns();
        }
        bench_slice k = data_key_make(&key, first + i);
        bench_slice v = data_value_make(&value, first + i, 0);
        uint64_t before = bench_now_ns();
        self->driver->put(writer, k, v);
        if (i >= WARM_UP) {
            bench_latency_add(&self->latency, bench_now_ns() - before);
        }
    }
    self->ended_ns = bench_now_ns();
    self->driver->writer_close(writer);
    return NULL;
}

static void merge(bench_latency *into, bench_latency *from)
{
    for (size_t i = 0; i < from->count; i++) {
        bench_latency_add(into, from->ns[i]);
    }
}

static void run(enum bench_engine engine, const bench_driver *driver, unsigned count,
                enum report_metric metric)
{
    bench_store_options options = {.dir = bench_dir_fresh(driver->name), .durable = true};
    durable_thread threads[BENCH_THREADS];
    pthread_t ids[BENCH_THREADS];
    pthread_barrier_t gate;
    bench_latency all;
    uint64_t started = UINT64_MAX;
    uint64_t ended = 0;
    void *store = driver->open(&options);
    pthread_barrier_init(&gate, NULL, count);
    bench_latency_init(&all, bench_opt.durable_ops * count);
    for (unsigned i = 0; i < count; i++) {
        threads[i] =
            (durable_thread){driver, store, i, bench_opt.durable_ops, &gate, {NULL, 0, 0, false}, 0, 0};
        bench_latency_init(&threads[i].latency, bench_opt.durable_ops);
        if (pthread_create(&ids[i], NULL, run_thread, &threads[i]) != 0) {
            bench_fatal("cannot start a thread");
        }
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(ids[i], NULL);
        merge(&all, &threads[i].latency);
        started = threads[i].started_ns < started ? threads[i].started_ns : started;
        ended = threads[i].ended_ns > ended ? threads[i].ended_ns : ended;
        bench_latency_deinit(&threads[i].latency);
    }
    report_add(engine, metric, workload_rate(bench_opt.durable_ops * count, ended - started) * 1e3, &all);
    bench_latency_deinit(&all);
    pthread_barrier_destroy(&gate);
    driver->close(store);
    bench_dir_remove(options.dir);
}

void workload_durable(enum bench_engine engine, const bench_driver *driver)
{
    if (bench_wants(M_DURABLE_1)) {
        run(engine, driver, 1, M_DURABLE_1);
    }
    if (bench_wants(M_DURABLE_16) && engine != ENGINE_BARE) {
        run(engine, driver, BENCH_THREADS, M_DURABLE_16);
    }
}
