/* What workload_*.c share. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/bench.h"

/* The CPU of every single-threaded workload; the second thread of a pair runs on CPU 0. */
#define WORKLOAD_CPU 1u

/* Thousands a second. */
static inline double workload_rate(uint64_t operations, uint64_t elapsed_ns)
{
    return (double)operations * 1e6 / (double)elapsed_ns;
}

/* Writes keys 0..keys-1 in commits of BENCH_BATCH; returns the time taken. latency (of a batch) may be NULL. */
uint64_t workload_load(const bench_driver *driver, void *writer, uint64_t keys, bench_latency *latency);

#endif
