/* read-while-write: one thread overwrites random keys, one commit each, while another reads random keys from a
 * snapshot it opened before; each on a CPU of its own. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/data.h"
#include "bench/workload.h"

#define CLOCK_MASK 63u

typedef struct mixed_writer {
    const bench_driver *driver;
    void *store;
    const uint32_t *order;
    atomic_bool stop; /* relaxed: only says when */
    uint64_t done;
    uint64_t elapsed_ns;
} mixed_writer;

static void *run_writer(void *argument)
{
    mixed_writer *self = argument;
    data_key key;
    data_value value;
    data_value_init(&value);
    bench_pin(WORKLOAD_CPU + 1);
    void *writer = self->driver->writer_open(self->store);
    uint64_t start = bench_now_ns();
    while (!atomic_load_explicit(&self->stop, memory_order_relaxed)) {
        uint64_t id = self->order[bench_opt.keys - 1 - self->done % bench_opt.keys];
        bench_slice k = data_key_make(&key, id);
        self->driver->put(writer, k, data_value_make(&value, id, 1 + self->done / bench_opt.keys));
        self->done++;
    }
    self->elapsed_ns = bench_now_ns() - start;
    self->driver->writer_close(writer);
    return NULL;
}

void workload_mixed(enum bench_engine engine, const bench_driver *driver, void *store)
{
    uint32_t *order = data_order(bench_opt.keys, 4);
    void *reader = driver->reader_open(store, NULL, 0);
    mixed_writer writer = {driver, store, order, false, 0, 0};
    pthread_t thread;
    data_key key;
    uint64_t reads = 0;
    uint64_t found = 0;
    uint64_t sum = 0;
    if (pthread_create(&thread, NULL, run_writer, &writer) != 0) {
        bench_fatal("cannot start a thread");
    }
    uint64_t start = bench_now_ns();
    uint64_t now = start;
    while (now < start + bench_opt.mixed_ms * 1000000ull) {
        found += driver->get(reader, data_key_make(&key, order[reads % bench_opt.keys]), &sum);
        reads++;
        if ((reads & CLOCK_MASK) == 0) {
            now = bench_now_ns();
        }
    }
    atomic_store_explicit(&writer.stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    if (found != reads) {
        bench_fatal("%s: %llu of %llu keys vanished beside a writer", driver->name,
                    (unsigned long long)(reads - found), (unsigned long long)reads);
    }
    report_add(engine, M_MIXED_READ, workload_rate(reads, now - start), NULL);
    report_add(engine, M_MIXED_WRITE, workload_rate(writer.done, writer.elapsed_ns), NULL);
    driver->reader_close(reader);
    free(order);
}
