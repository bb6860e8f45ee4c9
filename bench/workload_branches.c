/* What only yore has: forks and lineages.
 *
 * fork_N: p50 of the forks of default's tip made when the store has N branches (the next 200, or 1,000), one
 * commit each in mode os, in a store that holds a million keys (a fork must not care). fork_memory: what the store says
 * a branch took, from the second level to the last; fork_rss: what the process grew by meanwhile.
 *
 * depthD: reads on a chain of D branches (1 = default itself) of keys only the root has, and of keys nobody has. Every
 * hop below the root has overwritten 1,000 keys of its own, none of which are read. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/data.h"
#include "bench/workload.h"
#include "bench/yore_help.h"

#define HOPS 32u
#define HOP_KEYS 1000u
#define SAMPLE_MASK 15u
#define WARM_UP 16u

typedef struct branch_store {
    char dir[4096];
    void *loaded; /* the driver's store, which owns db */
    yore_db *db;
} branch_store;

/* A store whose default branch has the bench's keys. */
static void open_loaded(branch_store *store, const char *label)
{
    snprintf(store->dir, sizeof(store->dir), "%s", bench_dir_fresh(label));
    bench_store_options options = {.dir = store->dir};
    store->loaded = bench_driver_yore.open(&options);
    store->db = yore_help_db(store->loaded);
    void *writer = bench_driver_yore.writer_open(store->loaded);
    workload_load(&bench_driver_yore, writer, bench_opt.keys, NULL);
    bench_driver_yore.writer_close(writer);
}

static void close_loaded(branch_store *store)
{
    bench_unpin();
    bench_driver_yore.close(store->loaded);
    bench_dir_remove(store->dir);
}

static void fork_numbered(yore_db *db, uint64_t number, bench_latency *latency)
{
    char name[32];
    int length = snprintf(name, sizeof(name), "exp-%06llu", (unsigned long long)number);
    uint64_t before = bench_now_ns();
    yore_status status = yore_branch_create(db, yore_bytes(name, (size_t)length), NULL, NULL, NULL);
    uint64_t elapsed = bench_now_ns() - before;
    yore_help_must(status, NULL, "branch_create");
    if (latency != NULL) {
        bench_latency_add(latency, elapsed);
    }
}

void workload_forks(void)
{
    branch_store store;
    uint64_t branches = 1;
    uint64_t memory[3] = {0};
    uint64_t rss[3] = {0};
    double p50[3];
    open_loaded(&store, "forks");
    bench_pin(WORKLOAD_CPU);
    for (size_t level = 0; level < 3; level++) {
        uint64_t window = level == 0 ? 200 : 1000;
        bench_latency latency;
        bench_latency_init(&latency, window);
        for (; branches < bench_opt.fork_levels[level]; branches++) {
            fork_numbered(store.db, branches, NULL);
        }
        memory[level] = yore_help_stats(store.db).memory_bytes;
        rss[level] = bench_rss_anon_bytes();
        for (uint64_t i = 0; i < window; i++, branches++) {
            fork_numbered(store.db, branches, &latency);
        }
        p50[level] = bench_latency_at(&latency, 0.5) / 1e3;
        report_add(ENGINE_YORE, (enum report_metric)(M_FORK_FIRST + level), p50[level], &latency);
        bench_latency_deinit(&latency);
    }
    double made = (double)(bench_opt.fork_levels[2] - bench_opt.fork_levels[1]);
    double low = p50[0];
    double high = p50[0];
    for (size_t level = 1; level < 3; level++) {
        low = p50[level] < low ? p50[level] : low;
        high = p50[level] > high ? p50[level] : high;
    }
    report_add(ENGINE_YORE, M_FORK_FLAT, high / low, NULL);
    report_add(ENGINE_YORE, M_FORK_MEMORY, (double)(memory[2] - memory[1]) / made, NULL);
    report_add(ENGINE_YORE, M_FORK_RSS, ((double)rss[2] - (double)rss[1]) / made, NULL);
    close_loaded(&store);
}

/* hop-1 is a child of default, hop-2 of hop-1, and so on; each overwrites the next 1,000 keys of `order`. */
static void grow_chain(yore_db *db, const uint32_t *order)
{
    yore_error err = YORE_ERROR_INIT;
    data_value value;
    data_key key;
    data_value_init(&value);
    for (unsigned hop = 1; hop < HOPS; hop++) {
        yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
        yore_at from = YORE_AT_INIT;
        yore_txn *txn = NULL;
        char name[32];
        if (hop > 1) {
            snprintf(from.branch, sizeof(from.branch), "hop-%u", hop - 1);
        }
        options.from = &from;
        snprintf(name, sizeof(name), "hop-%u", hop);
        yore_help_must(yore_branch_create(db, yore_str(name), &options, NULL, &err), &err, "branch_create");
        yore_help_must(yore_begin(db, yore_str(name), NULL, &txn, &err), &err, "begin");
        for (uint64_t i = 0; i < HOP_KEYS; i++) {
            uint64_t id = order[(uint64_t)(hop - 1) * HOP_KEYS + i];
            bench_slice k = data_key_make(&key, id);
            bench_slice v = data_value_make(&value, id, hop);
            yore_help_must(
                yore_put(txn, yore_bytes_key(k.data, k.size), yore_bytes(v.data, v.size), NULL, &err), &err,
                "put");
        }
        yore_help_must(yore_commit(txn, yore_str(""), NULL, &err), &err, "commit");
    }
}

/* Nanoseconds a read at the end of a chain of `depth` branches. */
static void read_depth(yore_db *db, unsigned depth, const uint32_t *order, enum report_metric metric,
                       bool missing)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    yore_snap *snap = NULL;
    bench_latency latency;
    data_key key;
    uint64_t skip = (uint64_t)(HOPS - 1) * HOP_KEYS;
    uint64_t reads = bench_opt.reads / 2;
    uint64_t sum = 0;
    uint64_t found = 0;
    uint64_t start = 0;
    if (depth > 1) {
        snprintf(at.branch, sizeof(at.branch), "hop-%u", depth - 1);
    }
    yore_help_must(yore_snap_open(db, &at, &snap, NULL, &err), &err, "snap_open");
    bench_latency_init(&latency, reads / (SAMPLE_MASK + 1) + 1);
    for (uint64_t i = 0; i < reads + reads / WARM_UP; i++) {
        if (i == reads / WARM_UP) {
            found = 0;
            start = bench_run_ns();
        }
        uint64_t id = order[skip + i % (bench_opt.keys - skip)];
        bench_slice k = data_key_make(&key, missing ? DATA_MISSING + id : id);
        yore_pin pin = YORE_PIN_INIT;
        uint64_t before = (i & SAMPLE_MASK) == 0 ? bench_now_ns() : 0;
        if (yore_get(snap, yore_bytes_key(k.data, k.size), &pin, NULL) == YORE_OK) {
            bench_touch(pin.value.data, pin.value.size, &sum);
            yore_unpin(&pin);
            found++;
        }
        if (before != 0) {
            bench_latency_add(&latency, bench_now_ns() - before);
        }
    }
    report_add(ENGINE_YORE, metric, (double)(bench_run_ns() - start) / (double)reads, &latency);
    if (found != (missing ? 0 : reads)) {
        bench_fatal("yore: depth %u: found %llu of %llu", depth, (unsigned long long)found,
                    (unsigned long long)reads);
    }
    bench_latency_deinit(&latency);
    yore_snap_close(snap);
}

void workload_lineage(void)
{
    static const unsigned depths[3] = {1, 8, HOPS};
    branch_store store;
    if (bench_opt.keys < 2u * HOPS * HOP_KEYS) {
        report_note("lineage", "left out: needs at least %u keys", 2u * HOPS * HOP_KEYS);
        return;
    }
    uint32_t *order = data_order(bench_opt.keys, 5);
    open_loaded(&store, "lineage");
    grow_chain(store.db, order);
    bench_pin(WORKLOAD_CPU);
    for (unsigned i = 0; i < 3; i++) {
        read_depth(store.db, depths[i], order, (enum report_metric)(M_DEPTH_FOUND_1 + i), false);
    }
    for (unsigned i = 0; i < 3; i++) {
        read_depth(store.db, depths[i], order, (enum report_metric)(M_DEPTH_MISSING_1 + i), true);
    }
    close_loaded(&store);
    free(order);
}
