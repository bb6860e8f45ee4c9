/* What workload_*.c share. */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#include "bench/report.h"

/* The CPU of every single-threaded workload; the second thread of a pair runs on CPU 0. */
#define WORKLOAD_CPU 1u
#define WORKLOAD_SAMPLE_MASK 15u /* one call in 16 is timed on its own */
#define WORKLOAD_WARM_UP 16u     /* a 16th of the operations runs first, untimed */
#define WORKLOAD_ROUNDS_MAX 3u   /* of what takes minutes, or counts bytes */

/* Thousands a second. */
static inline double workload_rate(uint64_t operations, uint64_t elapsed_ns)
{
    return (double)operations * 1e6 / (double)elapsed_ns;
}

/* Writes keys 0..keys-1 in commits of BENCH_BATCH; returns the time taken. latency (of a batch) may be NULL. */
uint64_t workload_load(const bench_driver *driver, void *writer, uint64_t keys, bench_latency *latency);

/* Writes BENCH_VERSIONS_PER_KEY versions of keys 0..keys-1, a commit each, pass after pass; returns the time taken.
 * latency (of one call in 16) may be NULL. */
uint64_t workload_load_versions(const bench_driver *driver, void *writer, uint64_t keys,
                                bench_latency *latency);

/* The moments of as-of reads, spread at random over a history of `total` commits. */
void workload_moments(uint64_t moments[BENCH_ASOF_SNAPSHOTS], uint64_t total);

/* Which keys a run of reads asks for, and how many. */
typedef struct workload_reads {
    const uint32_t *order; /* a permutation of 0..count-1; NULL = drawn at random, where memory is watched */
    uint64_t count;
    uint64_t first; /* number of key 0; DATA_MISSING asks for keys that are not there */
    uint64_t reads;
    uint64_t warm_up; /* reads before the clock starts */
} workload_reads;

/* Each reports `metric`, with latencies and answers. */
void workload_get(enum bench_engine engine, const bench_driver *driver, void *reader,
                  const workload_reads *what, enum report_metric metric);
void workload_get_many(enum bench_engine engine, const bench_driver *driver, void *reader,
                       const workload_reads *what, enum report_metric metric);
/* As many scans of BENCH_SCAN_ROWS rows as a twentieth of what->reads; counted in rows. */
void workload_scan(enum bench_engine engine, const bench_driver *driver, void *reader,
                   const workload_reads *what, enum report_metric metric);
/* The newest version, or with is_past one of the reader's moments. */
void workload_get_version(enum bench_engine engine, const bench_driver *driver, void *reader,
                          const workload_reads *what, bool is_past, enum report_metric metric);

/* -- stages: parts of a workload that want a process of their own (stage.c) -- */

/* Works in `dir`, which stays from stage to stage of one engine and round. */
typedef void (*workload_stage_run)(enum bench_engine engine, const bench_driver *driver, const char *dir);

typedef struct workload_stage {
    const char *name;
    workload_stage_run run;
} workload_stage;

/* Runs a stage in a new process of this program and reports here what it reports there. */
void workload_stage_do(const workload_stage *stage, enum bench_engine engine, const char *dir);

/* Between stages: the store's files leave the page cache. False, and a note, where they do not (tmpfs). */
bool workload_drop_cache(const char *dir);

/* In a stage: open and first get of a store of `keys` keys, reported in ms. */
void workload_open_times(enum bench_engine engine, const bench_driver *driver, const char *dir, uint64_t keys,
                         enum report_metric metric);

/* Stages by file, each list ending with a NULL name. */
extern const workload_stage workload_reopen_stages[];
extern const workload_stage workload_packed_stages[];
extern const workload_stage workload_large_stages[];
extern const workload_stage workload_calm_stages[];
extern const workload_stage workload_many_stages[];

#endif
