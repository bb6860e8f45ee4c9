/* yore, through its public API. Not durable means mode `os` in a directory on disk: logged, survives a killed
 * process. */
#include <stdio.h>
#include <stdlib.h>

#include <yore.h>

#include "bench/data.h"
#include "bench/yore_help.h"

#define BUDGET_BYTES \
    (UINT64_C(4) << 30) /* as much as WiredTiger has; RocksDB has 2 GiB of cache, LMDB no bound */
#define SETTLE_STEP_MS 20u
#define SETTLE_STEPS 100u

typedef struct yore_store {
    yore_db *db;
    uint64_t first_version; /* of the store's first commit of data, 0 before it is known */
} yore_store;

typedef struct yore_reader {
    yore_snap *now;
    yore_snap **past;
    size_t past_count;
    yore_pin pins[BENCH_MANY];      /* of get_many, released between calls */
    yore_row rows[BENCH_SCAN_ROWS]; /* of scan */
} yore_reader;

void yore_help_must(yore_status status, const yore_error *err, const char *what)
{
    if (status != YORE_OK) {
        bench_fatal("yore: %s: %s %s", what, yore_status_name(status), err != NULL ? err->message : "");
    }
}

yore_db *yore_help_open(const char *dir, uint32_t sync)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_db *db = NULL;
    options.create = true;
    options.sync = sync;
    yore_help_must(yore_open(dir, &options, &db, &err), &err, "open");
    return db;
}

yore_db *yore_help_db(void *store)
{
    return ((yore_store *)store)->db;
}

yore_stats yore_help_stats(yore_db *db)
{
    yore_error err = YORE_ERROR_INIT;
    yore_stats stats;
    memset(&stats, 0, sizeof(stats));
    stats.struct_size = sizeof(stats);
    yore_help_must(yore_stats_get(db, &stats, &err), &err, "stats");
    return stats;
}

void yore_help_work(yore_db *db, char *out, size_t size)
{
    yore_stats stats = yore_help_stats(db);
    uint64_t flushed = stats.flushed_bytes > 0 ? stats.flushed_bytes : 1;
    snprintf(
        out, size,
        "%llu flushes, %llu compactions, %.2f B written to segments a flushed byte, %llu runs of %llu files, "
        "commits held up for %.1f s",
        (unsigned long long)stats.flushes, (unsigned long long)stats.compactions,
        (double)(stats.flushed_bytes + stats.compacted_bytes) / (double)flushed,
        (unsigned long long)stats.runs, (unsigned long long)stats.segments, (double)stats.stall_ns / 1e9);
}

static void describe(bool durable, char *out, size_t size)
{
    snprintf(out, size, "yore %s, mode %s, on disk, memory budget 4 GiB, all other options default",
             yore_version(), durable ? "commit" : "os");
}

/* Of a store that was here before: put_version's `version` 1 is the oldest data commit. */
static uint64_t first_data_version(yore_db *db)
{
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_iter *iter = NULL;
    yore_commit_info commit;
    memset(&commit, 0, sizeof(commit));
    commit.struct_size = sizeof(commit);
    options.all_branches = true;
    options.oldest_first = true;
    options.limit = 1;
    yore_help_must(yore_log(db, NULL, &options, &iter, &err), &err, "log");
    yore_status status = yore_log_next(iter, &commit, &err);
    yore_iter_close(iter);
    if (status == YORE_END) {
        return 0;
    }
    yore_help_must(status, &err, "log_next");
    return commit.version;
}

static void *store_open(const bench_store_options *options)
{
    char path[4096];
    yore_store *store = bench_alloc(sizeof(*store));
    yore_open_options open = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    snprintf(path, sizeof(path), "%s/store.yore", options->dir);
    open.create = !options->existing;
    open.sync = options->durable ? YORE_SYNC_COMMIT : YORE_SYNC_OS;
    open.memory_budget = options->budget_bytes ? options->budget_bytes : BUDGET_BYTES;
    yore_help_must(yore_open(path, &open, &store->db, &err), &err, "open");
    return store;
}

/* Done with what is due, and with what waits until nobody writes for a second. */
static void store_settle(void *handle)
{
    yore_store *store = handle;
    uint64_t before = UINT64_MAX;
    unsigned quiet = 0;
    while (quiet < SETTLE_STEPS) {
        yore_stats stats = yore_help_stats(store->db);
        uint64_t now = stats.flushes + stats.compactions + stats.flushed_bytes + stats.compacted_bytes;
        quiet = now == before && stats.at_work == 0 ? quiet + 1 : 0;
        before = now;
        bench_sleep_ms(SETTLE_STEP_MS);
    }
}

static void store_compact(void *handle)
{
    yore_store *store = handle;
    yore_error err = YORE_ERROR_INIT;
    yore_help_must(yore_compact(store->db, NULL, NULL, &err), &err, "compact");
}

static void store_close(void *handle)
{
    yore_store *store = handle;
    yore_close(store->db);
    free(store);
}

static void *writer_open(void *handle)
{
    return handle;
}

static void writer_close(void *handle)
{
    (void)handle;
}

static void put(void *handle, bench_slice key, bench_slice value)
{
    yore_store *store = handle;
    yore_status status = yore_db_put(store->db, yore_bytes("", 0), yore_bytes_key(key.data, key.size),
                                     yore_bytes(value.data, value.size), NULL, NULL);
    yore_help_must(status, NULL, "put");
}

static void put_batch(void *handle, const bench_slice *keys, const bench_slice *values, size_t n)
{
    yore_store *store = handle;
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn = NULL;
    yore_help_must(yore_begin(store->db, yore_bytes("", 0), NULL, &txn, &err), &err, "begin");
    for (size_t i = 0; i < n; i++) {
        yore_help_must(yore_put(txn, yore_bytes_key(keys[i].data, keys[i].size),
                                yore_bytes(values[i].data, values[i].size), NULL, &err),
                       &err, "put");
    }
    yore_help_must(yore_commit(txn, yore_bytes("", 0), NULL, &err), &err, "commit");
}

static void put_version(void *handle, bench_slice key, uint64_t version, bench_slice value)
{
    yore_store *store = handle;
    if (version > 1) {
        put(handle, key, value);
        return;
    }
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_help_must(yore_db_put(store->db, yore_bytes("", 0), yore_bytes_key(key.data, key.size),
                               yore_bytes(value.data, value.size), &where, &err),
                   &err, "put");
    store->first_version = where.version;
}

/* The n-th data commit has version first_version + n - 1: versions are dense and nothing else was committed. */
static void *reader_open(void *handle, const uint64_t *versions, size_t n)
{
    yore_store *store = handle;
    yore_reader *reader = bench_alloc(sizeof(*reader));
    yore_error err = YORE_ERROR_INIT;
    if (n > 0 && store->first_version == 0) {
        store->first_version = first_data_version(store->db);
    }
    reader->past = bench_alloc(n * sizeof(yore_snap *));
    reader->past_count = n;
    for (size_t i = 0; i < n; i++) {
        yore_at at = YORE_AT_INIT;
        at.kind = YORE_AT_VERSION;
        at.version = store->first_version + versions[i] - 1;
        yore_help_must(yore_snap_open(store->db, &at, &reader->past[i], NULL, &err), &err, "snap_open");
    }
    yore_help_must(yore_snap_open(store->db, NULL, &reader->now, NULL, &err), &err, "snap_open");
    return reader;
}

static void reader_close(void *handle)
{
    yore_reader *reader = handle;
    for (size_t i = 0; i < reader->past_count; i++) {
        yore_snap_close(reader->past[i]);
    }
    yore_snap_close(reader->now);
    free(reader->past);
    free(reader);
}

static bool get_at(yore_snap *snap, bench_slice key, uint64_t *sum)
{
    yore_pin pin = YORE_PIN_INIT;
    yore_status status = yore_get(snap, yore_bytes_key(key.data, key.size), &pin, NULL);
    if (status == YORE_NOT_FOUND) {
        return false;
    }
    yore_help_must(status, NULL, "get");
    bench_touch(pin.value.data, pin.value.size, sum);
    yore_unpin(&pin);
    return true;
}

static bool get(void *handle, bench_slice key, uint64_t *sum)
{
    yore_reader *reader = handle;
    return get_at(reader->now, key, sum);
}

static bool get_asof(void *handle, bench_slice key, size_t version_index, uint64_t *sum)
{
    yore_reader *reader = handle;
    return get_at(reader->past[version_index], key, sum);
}

static size_t get_many(void *handle, const bench_slice *keys, size_t n, uint64_t *sum)
{
    yore_reader *reader = handle;
    yore_pin *pins = reader->pins;
    yore_key asked[BENCH_MANY];
    yore_status each[BENCH_MANY];
    size_t found = 0;
    if (n == 0 || n > BENCH_MANY) {
        bench_fatal("yore: a group of %zu keys", n);
    }
    for (size_t i = 0; i < n; i++) {
        asked[i] = yore_bytes_key(keys[i].data, keys[i].size);
    }
    yore_help_must(yore_get_many(reader->now, asked, n, pins, each, NULL), NULL, "get_many");
    for (size_t i = 0; i < n; i++) {
        if (each[i] == YORE_OK) {
            bench_touch(pins[i].value.data, pins[i].value.size, sum);
            yore_unpin(&pins[i]);
            found++;
        }
    }
    return found;
}

static size_t scan(void *handle, bench_slice from, size_t rows, uint64_t *sum)
{
    yore_reader *reader = handle;
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter = NULL;
    size_t total = 0;
    size_t n = 0;
    range.from = yore_bytes(from.data, from.size);
    range.limit = rows;
    range.without_times = true; /* the peers have none */
    yore_help_must(yore_scan(reader->now, &range, &iter, NULL), NULL, "scan");
    while (total < rows) {
        yore_status status = yore_next(iter, reader->rows, sizeof(yore_row), BENCH_SCAN_ROWS, &n, NULL);
        if (status == YORE_END) {
            break;
        }
        yore_help_must(status, NULL, "next");
        for (size_t i = 0; i < n; i++) {
            bench_touch(reader->rows[i].key.data, reader->rows[i].key.size, sum);
            bench_touch(reader->rows[i].value.data, reader->rows[i].value.size, sum);
        }
        total += n;
    }
    yore_iter_close(iter);
    return total;
}

const bench_driver bench_driver_yore = {
    .name = "yore",
    .describe = describe,
    .open = store_open,
    .settle = store_settle,
    .compact = store_compact,
    .close = store_close,
    .writer_open = writer_open,
    .writer_close = writer_close,
    .put = put,
    .put_batch = put_batch,
    .put_version = put_version,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .get = get,
    .get_many = get_many,
    .scan = scan,
    .get_asof = get_asof,
    .get_latest = get,
};
