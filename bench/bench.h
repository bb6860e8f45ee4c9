/* What the parts of yore_bench share: the driver interface every engine fills in, the run's options, and
 * small helpers (clock, pinning, directories, latencies).
 *
 * A driver is a table of functions. A store is one fresh directory; a writer and a reader belong to one
 * thread each; a reader is one snapshot (or read transaction) for as long as it is open. Read functions add
 * every byte of every value they find to a sum, so no engine can skip the work, and the sums must agree
 * between engines. Anything unexpected ends the program: a bench that goes on after an error measures the error.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct bench_slice {
    const void *data;
    size_t size;
} bench_slice;

typedef struct bench_store_options {
    const char *dir; /* exists and is empty */
    bool durable;    /* every commit on stable storage before it returns; else survives a killed process */
    bool existing;   /* the store is in `dir` already; what follows is as when it was made */
    bool packed;     /* compressed as well as the engine does it, if it does */
    uint64_t
        budget_bytes; /* of caches and write buffers together, where an engine has such; 0 = as told by describe */
} bench_store_options;

typedef struct bench_driver {
    const char *name;
    /* One line: library version and settings as used. */
    void (*describe)(bool durable, char *out, size_t size);
    void *(*open)(const bench_store_options *options);
    /* Not timed, after loading: let background work finish. */
    void (*settle)(void *store);
    /* Not timed: make the store as small as the engine itself can. NULL = there is no such thing. */
    void (*compact)(void *store);
    void (*close)(void *store);

    void *(*writer_open)(void *store);
    void (*writer_close)(void *writer);
    /* One commit of one key. */
    void (*put)(void *writer, bench_slice key, bench_slice value);
    /* One commit of n keys. */
    void (*put_batch)(void *writer, const bench_slice *keys, const bench_slice *values, size_t n);
    /* One commit that adds a version of a key; `version` counts the store's commits from 1. */
    void (*put_version)(void *writer, bench_slice key, uint64_t version, bench_slice value);

    /* `versions` (n of them, kept by the caller) are the moments get_asof may name by their index. */
    void *(*reader_open)(void *store, const uint64_t *versions, size_t n);
    void (*reader_close)(void *reader);
    bool (*get)(void *reader, bench_slice key, uint64_t *sum);
    /* Returns how many were found; NULL where the engine has nothing better than a loop of get. */
    size_t (*get_many)(void *reader, const bench_slice *keys, size_t n, uint64_t *sum);
    /* Reads up to `rows` rows from `from` on, keys and values; returns how many there were. */
    size_t (*scan)(void *reader, bench_slice from, size_t rows, uint64_t *sum);
    bool (*get_asof)(void *reader, bench_slice key, size_t version_index, uint64_t *sum);
    bool (*get_latest)(void *reader, bench_slice key, uint64_t *sum);
} bench_driver;

extern const bench_driver bench_driver_yore;
extern const bench_driver bench_driver_lmdb;
extern const bench_driver bench_driver_rocksdb;
extern const bench_driver bench_driver_sqlite;
extern const bench_driver bench_driver_wiredtiger;
/* Only a name: searches have functions of their own (bench_search.h). */
extern const bench_driver bench_driver_xapian;
/* Likewise: experiments (experiment.h). */
extern const bench_driver bench_driver_doltlite;
extern const bench_driver bench_driver_bare;

/* Columns of the table. The bare loop only knows how to put, in durable mode; Xapian only
 * searches, and DoltLite only branches. */
enum bench_engine {
    ENGINE_YORE,
    ENGINE_LMDB,
    ENGINE_ROCKSDB,
    ENGINE_SQLITE,
    ENGINE_WIREDTIGER,
    ENGINE_XAPIAN,
    ENGINE_DOLTLITE,
    ENGINE_BARE,
    ENGINE_COUNT
};

typedef struct bench_options {
    uint64_t keys;
    uint64_t reads;        /* operations of a point-read workload */
    uint64_t version_keys; /* keys of the version workloads, 20 versions each */
    uint64_t durable_ops;  /* commits of durable_put, a thread */
    uint64_t fork_levels[3];
    uint64_t memory_keys;
    uint64_t documents;    /* of the search rows */
    uint64_t queries;      /* searches of each kind */
    uint64_t load_keys;    /* of load_*, big_*, walk_* and open_large */
    uint64_t budget_bytes; /* of load_* and walk_* */
    uint64_t cold_reads;   /* from the disk */
    uint32_t rounds;
    uint32_t mixed_ms; /* how long read-while-write runs */
    bool quick;
    bool cpu_time;
    const char *workloads; /* comma list, NULL = all */
    const char *engines;   /* comma list, NULL = all */
    const char *json_path;
    const char *data_dir;
} bench_options;

#define BENCH_VERSIONS_PER_KEY 20u
#define BENCH_ASOF_SNAPSHOTS 64u
#define BENCH_BATCH 1000u
#define BENCH_MANY 16u
#define BENCH_SCAN_ROWS 100u
#define BENCH_THREADS 16u
#define BENCH_SMALL_KEYS 10000u /* of open_small */

extern bench_options bench_opt;

/* -- helpers (util.c) -- */

void bench_fatal(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t bench_now_ns(void);
/* The clock of a whole single-threaded run: bench_now_ns, or the thread's CPU time with --cpu-time. */
uint64_t bench_run_ns(void);
/* The same for a run of several threads: with --cpu-time the CPU time of all of the process's. */
uint64_t bench_process_ns(void);
void bench_sleep_ms(unsigned ms);
/* Pins the calling thread to a CPU; threads it creates later inherit that, so stores are opened unpinned. */
void bench_pin(unsigned cpu);
void bench_unpin(void);
unsigned bench_cpu_count(void);
/* Makes an empty directory below the data directory; the name is good until the next call but one. */
const char *bench_dir_fresh(const char *label);
void bench_dir_remove(const char *path);
uint64_t bench_dir_bytes(const char *path);
/* Removes a directory's files from the page cache, for reads that go to the disk; says how much of them stayed. */
uint64_t bench_dir_drop_cache(const char *path);
/* What is left on the file system of a directory. */
uint64_t bench_disk_free_bytes(const char *path);
/* Resident memory that is not backed by files. */
uint64_t bench_rss_anon_bytes(void);
/* The most that was ever resident in this process, mapped files included. */
uint64_t bench_rss_peak_bytes(void);
/* What this process has written to files, in pages as they became dirty. */
uint64_t bench_written_bytes(void);
void *bench_alloc(size_t size);

/* Adds the bytes of a value to a sum, eight at a time. */
static inline void bench_touch(const void *data, size_t size, uint64_t *sum)
{
    const unsigned char *at = data;
    uint64_t total = 0;
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        total += word;
        at += 8;
        size -= 8;
    }
    while (size > 0) {
        total += *at;
        at++;
        size--;
    }
    *sum += total;
}

typedef struct bench_latency {
    uint32_t *ns;
    size_t count;
    size_t cap;
    bool sorted;
} bench_latency;

void bench_latency_init(bench_latency *latency, size_t cap);
void bench_latency_deinit(bench_latency *latency);
/* quantile in 0..1; 0 when there are no samples. */
double bench_latency_at(bench_latency *latency, double quantile);

static inline void bench_latency_add(bench_latency *latency, uint64_t ns)
{
    if (latency->count < latency->cap) {
        latency->ns[latency->count] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
        latency->count++;
        latency->sorted = false;
    }
}

/* -- workloads: each runs one engine for one round and reports its rows (report.h) that were asked for -- */

void workload_point(enum bench_engine engine, const bench_driver *driver);
void workload_batch(enum bench_engine engine, const bench_driver *driver);
void workload_versions(enum bench_engine engine, const bench_driver *driver);
void workload_durable(enum bench_engine engine, const bench_driver *driver);
void workload_search(enum bench_engine engine, const bench_driver *driver);
/* On a loaded store of workload_point. */
void workload_mixed(enum bench_engine engine, const bench_driver *driver, void *store);
/* In stages (workload.h): after a reopen, compressed, larger than memory. */
void workload_reopen(enum bench_engine engine, const bench_driver *driver);
void workload_past(enum bench_engine engine, const bench_driver *driver);
void workload_small(enum bench_engine engine, const bench_driver *driver);
void workload_packed(enum bench_engine engine, const bench_driver *driver);
void workload_large(enum bench_engine engine, const bench_driver *driver);
void workload_stall(enum bench_engine engine, const bench_driver *driver);
/* yore and DoltLite. */
void workload_experiments(enum bench_engine engine, const bench_driver *driver);
/* yore alone. */
void workload_history(enum bench_engine engine, const bench_driver *driver);
void workload_backup(enum bench_engine engine, const bench_driver *driver);
void workload_many(enum bench_engine engine, const bench_driver *driver);
void workload_few_changes(enum bench_engine engine, const bench_driver *driver);
void workload_writers(void);
void workload_beside(void);
void workload_forks(void);
void workload_lineage(void);
void workload_memory(void);
void workload_search_versions(void);

#endif
