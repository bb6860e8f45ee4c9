/* What must not disturb.
 *
 * history_*: yore alone, after a reopen: get and scan100 of the present where every key has 20 versions, beside a store
 * of the same keys with one. stall_*: p99.9 of single puts: the first ones of an empty store, when nothing else happens
 * (idle); as many a second as the engine takes while it flushes and compacts under a small budget (full); half as many
 * a second (paced). backup_*: yore alone: overwriting puts a second while a full backup is made, and before and
 * after it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <yore.h>

#include "bench/data.h"
#include "bench/workload.h"
#include "bench/yore_help.h"

#define STALL_BUDGET_BYTES (64ull << 20)
#define STALL_WARM_UP 5000u
#define STALL_IDLE 50000u
#define CLOCK_MASK 63u

/* -- history -- */

static void *open_part(const bench_driver *driver, const char *dir, const char *part, bool existing)
{
    char path[4200];
    bench_store_options options = {.dir = path, .existing = existing};
    snprintf(path, sizeof(path), "%s/%s", dir, part);
    if (!existing && mkdir(path, 0755) != 0) {
        bench_fatal("cannot make '%s'", path);
    }
    return driver->open(&options);
}

static void run_history_load(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    (void)engine;
    for (int part = 0; part < 2; part++) {
        void *store = open_part(driver, dir, part == 0 ? "one" : "twenty", false);
        void *writer = driver->writer_open(store);
        bench_pin(WORKLOAD_CPU);
        if (part == 0) {
            workload_load(driver, writer, bench_opt.version_keys, NULL);
        } else {
            workload_load_versions(driver, writer, bench_opt.version_keys, NULL);
        }
        driver->writer_close(writer);
        driver->settle(store);
        bench_unpin();
        driver->close(store);
    }
}

/* Both stores in one process, each twice, by turns; the second time counts. Who goes first changes with the round. */
static void run_history(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    static const char *const parts[2] = {"one", "twenty"};
    uint32_t *order = data_order(bench_opt.version_keys, 3);
    workload_reads what = {order, bench_opt.version_keys, 0, bench_opt.reads, bench_opt.version_keys};
    void *stores[2];
    void *readers[2];
    for (int i = 0; i < 2; i++) {
        stores[i] = open_part(driver, dir, parts[i], true);
        readers[i] = driver->reader_open(stores[i], NULL, 0);
    }
    bench_pin(WORKLOAD_CPU);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t part = (i + report_round_get() + i / 2) % 2;
        workload_get(engine, driver, readers[part], &what, part == 0 ? M_HISTORY_GET_1 : M_HISTORY_GET_20);
    }
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t part = (i + report_round_get() + i / 2) % 2;
        workload_scan(engine, driver, readers[part], &what, part == 0 ? M_HISTORY_SCAN_1 : M_HISTORY_SCAN_20);
    }
    bench_unpin();
    for (int i = 0; i < 2; i++) {
        driver->reader_close(readers[i]);
        driver->close(stores[i]);
    }
    free(order);
}

/* -- stalls -- */

typedef struct stall_run {
    const bench_driver *driver;
    void *writer;
    uint64_t next; /* key number */
} stall_run;

/* Puts new keys, every call timed; no faster than one in interval_ns. Returns the time taken. */
static uint64_t put_timed(stall_run *run, uint64_t count, uint64_t interval_ns, bench_latency *latency)
{
    data_key key;
    data_value value;
    data_value_init(&value);
    uint64_t start = bench_now_ns();
    uint64_t now = start;
    for (uint64_t i = 0; i < count; i++, run->next++) {
        bench_slice k = data_key_make(&key, run->next);
        bench_slice v = data_value_make(&value, run->next, 0);
        while (now < start + i * interval_ns) {
            now = bench_now_ns();
        }
        uint64_t before = bench_now_ns();
        run->driver->put(run->writer, k, v);
        now = bench_now_ns();
        if (latency != NULL) {
            bench_latency_add(latency, now - before);
        }
    }
    return now - start;
}

/* One phase: p99.9 in microseconds as `metric`; returns the slowest call in microseconds. */
static double stall_phase(enum bench_engine engine, stall_run *run, uint64_t count, uint64_t interval_ns,
                          enum report_metric metric, uint64_t *elapsed_ns)
{
    bench_latency latency;
    bench_latency_init(&latency, count);
    *elapsed_ns = put_timed(run, count, interval_ns, &latency);
    double slowest = bench_latency_at(&latency, 1.0) / 1e3;
    if (bench_wants(metric)) {
        report_add(engine, metric, bench_latency_at(&latency, 0.999) / 1e3, &latency);
    }
    bench_latency_deinit(&latency);
    return slowest;
}

static void run_stall(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir, .budget_bytes = STALL_BUDGET_BYTES};
    void *store = driver->open(&options);
    stall_run run = {driver, driver->writer_open(store), 0};
    uint64_t idle_ns = 0;
    uint64_t full_ns = 0;
    uint64_t paced_ns = 0;
    uint64_t full = bench_opt.keys * 2;
    bench_pin(WORKLOAD_CPU);
    put_timed(&run, STALL_WARM_UP, 0, NULL);
    stall_phase(engine, &run, STALL_IDLE, 0, M_STALL_IDLE, &idle_ns);
    double slowest = stall_phase(engine, &run, full, 0, M_STALL_FULL, &full_ns);
    driver->settle(store);
    double slowest_paced =
        stall_phase(engine, &run, bench_opt.keys, full_ns * 2 / full, M_STALL_PACED, &paced_ns);
    if (bench_wants(M_STALL_WORST)) {
        report_add(engine, M_STALL_WORST, slowest, NULL);
    }
    char key[32];
    snprintf(key, sizeof(key), "stall, %s", driver->name);
    report_note(key, "puts/s idle %.0f, full %.0f, paced %.0f; slowest put full %.0f us, paced %.0f us",
                workload_rate(STALL_IDLE, idle_ns) * 1e3, workload_rate(full, full_ns) * 1e3,
                workload_rate(bench_opt.keys, paced_ns) * 1e3, slowest, slowest_paced);
    if (engine == ENGINE_YORE) {
        char work[256];
        yore_help_work(yore_help_db(store), work, sizeof(work));
        report_note("stall, yore's work", "%s", work);
    }
    bench_unpin();
    driver->writer_close(run.writer);
    driver->close(store);
}

/* -- backup -- */

typedef struct backup_run {
    yore_db *db;
    char dest[4200];
    atomic_bool
        done; /* release by the backup's thread, acquire by the writer: elapsed_ns and bytes are set */
    uint64_t elapsed_ns;
    uint64_t bytes;
} backup_run;

static void *make_backup(void *argument)
{
    backup_run *self = argument;
    yore_backup_info info = YORE_BACKUP_INFO_INIT;
    yore_error err = YORE_ERROR_INIT;
    bench_unpin();
    uint64_t start = bench_now_ns();
    yore_help_must(yore_backup_make(self->db, self->dest, NULL, &info, &err), &err, "backup_make");
    self->elapsed_ns = bench_now_ns() - start;
    self->bytes = info.raw_bytes;
    atomic_store_explicit(&self->done, true, memory_order_release); /* pairs with overwrite */
    return NULL;
}

/* Overwrites random keys for duration_ns, or until *done; puts a second, in thousands. */
static double overwrite(const bench_driver *driver, void *writer, uint64_t *version, uint64_t duration_ns,
                        const atomic_bool *done)
{
    data_key key;
    data_value value;
    uint64_t count = 0;
    data_value_init(&value);
    uint64_t start = bench_now_ns();
    uint64_t now = start;
    for (;;) {
        uint64_t id = data_mix(*version) % bench_opt.keys;
        driver->put(writer, data_key_make(&key, id), data_value_make(&value, id, *version));
        ++*version;
        count++;
        if ((count & CLOCK_MASK) == 0) {
            now = bench_now_ns();
            if (done != NULL ? atomic_load_explicit(done, memory_order_acquire)
                             : now - start >= duration_ns) {
                return workload_rate(count, now - start);
            }
        }
    }
}

static void run_backup(enum bench_engine engine, const bench_driver *driver, const char *dir)
{
    bench_store_options options = {.dir = dir};
    uint64_t alone_ns = bench_opt.quick ? 300000000u : 1500000000u;
    uint64_t version = 1;
    void *store = driver->open(&options);
    void *writer = driver->writer_open(store);
    backup_run backup = {.db = yore_help_db(store)};
    pthread_t thread;
    snprintf(backup.dest, sizeof(backup.dest), "%s/backup.ybk", dir);
    atomic_init(&backup.done, false);
    bench_pin(WORKLOAD_CPU);
    workload_load(driver, writer, bench_opt.keys, NULL);
    overwrite(driver, writer, &version, alone_ns / 4, NULL);
    double before = overwrite(driver, writer, &version, alone_ns, NULL);
    if (pthread_create(&thread, NULL, make_backup, &backup) != 0) {
        bench_fatal("cannot start a thread");
    }
    double beside = overwrite(driver, writer, &version, 0, &backup.done);
    pthread_join(thread, NULL);
    double after = overwrite(driver, writer, &version, alone_ns, NULL);
    report_add(engine, M_BACKUP_ALONE, (before + after) / 2, NULL);
    report_add(engine, M_BACKUP_BESIDE, beside, NULL);
    report_note("backup", "%.0f MB of commits in %.2f s beside the writer; alone before %.0f, after %.0f k/s",
                (double)backup.bytes / 1e6, (double)backup.elapsed_ns / 1e9, before, after);
    bench_unpin();
    driver->writer_close(writer);
    driver->close(store);
    if (report_round_get() == 0) {
        yore_error err = YORE_ERROR_INIT;
        yore_help_must(yore_backup_verify(backup.dest, NULL, NULL, &err), &err, "backup_verify");
    }
}

enum { HISTORY_LOAD, HISTORY, STALL, BACKUP };

const workload_stage workload_calm_stages[] = {[HISTORY_LOAD] = {"history_load", run_history_load},
                                               [HISTORY] = {"history", run_history},
                                               [STALL] = {"stall", run_stall},
                                               [BACKUP] = {"backup", run_backup},
                                               {NULL, NULL}};

void workload_history(enum bench_engine engine, const bench_driver *driver)
{
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_calm_stages[HISTORY_LOAD], engine, dir);
    workload_stage_do(&workload_calm_stages[HISTORY], engine, dir);
    bench_dir_remove(dir);
}

void workload_stall(enum bench_engine engine, const bench_driver *driver)
{
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_calm_stages[STALL], engine, dir);
    bench_dir_remove(dir);
}

void workload_backup(enum bench_engine engine, const bench_driver *driver)
{
    const char *dir = bench_dir_fresh(driver->name);
    workload_stage_do(&workload_calm_stages[BACKUP], engine, dir);
    bench_dir_remove(dir);
}
