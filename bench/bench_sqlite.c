/* SQLite: one WITHOUT ROWID table, prepared statements, WAL. One connection writes (threads take turns: a second
 * writing connection would only add waiting); each reader has a connection of its own with an open transaction. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/data.h"

typedef struct sql_store {
    sqlite3 *db;
    char path[4096];
    pthread_mutex_t lock; /* guards the write connection */
    sqlite3_stmt *put;
    sqlite3_stmt *begin;
    sqlite3_stmt *commit;
    uint64_t budget_bytes;
    bool durable;
} sql_store;

typedef struct sql_reader {
    sqlite3 *db;
    sqlite3_stmt *get;
    sqlite3_stmt *scan;
    sqlite3_stmt *seek;
    const uint64_t *versions;
} sql_reader;

static void must(int rc, sqlite3 *db, const char *what)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
        bench_fatal("sqlite: %s: %s", what, sqlite3_errmsg(db));
    }
}

static void sql_describe(bool durable, char *out, size_t size)
{
    snprintf(
        out, size,
        "SQLite %s, WITHOUT ROWID, WAL, synchronous=%s, wal_autocheckpoint=16000, mmap 8 GiB, cache 1 GiB, prepared",
        sqlite3_libversion(), durable ? "FULL" : "OFF");
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    must(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), db, sql);
    return statement;
}

static void execute(sqlite3 *db, const char *sql)
{
    must(sqlite3_exec(db, sql, NULL, NULL, NULL), db, sql);
}

static sqlite3 *connect(const sql_store *store)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    must(sqlite3_open_v2(store->path, &db, flags, NULL), db, "open");
    execute(db, "PRAGMA journal_mode=WAL");
    execute(db, store->durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF");
    if (store->budget_bytes == 0) {
        execute(db, "PRAGMA mmap_size=8589934592");
        execute(db, "PRAGMA cache_size=-1048576");
    } else {
        char cache[64];
        snprintf(cache, sizeof(cache), "PRAGMA cache_size=-%llu",
                 (unsigned long long)(store->budget_bytes >> 10));
        execute(db, cache);
    }
    execute(db, "PRAGMA wal_autocheckpoint=16000");
    sqlite3_busy_timeout(db, 10000);
    return db;
}

static void *sql_open(const bench_store_options *options)
{
    sql_store *store = bench_alloc(sizeof(*store));
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    snprintf(store->path, sizeof(store->path), "%s/bench.db", options->dir);
    store->durable = options->durable;
    store->budget_bytes = options->budget_bytes;
    pthread_mutex_init(&store->lock, NULL);
    store->db = connect(store);
    execute(store->db, "CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID");
    store->put =
        prepare(store->db, "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v");
    store->begin = prepare(store->db, "BEGIN IMMEDIATE");
    store->commit = prepare(store->db, "COMMIT");
    return store;
}

/* Readers look in the database file, not in the log. */
static void sql_settle(void *handle)
{
    sql_store *store = handle;
    execute(store->db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static void sql_compact(void *handle)
{
    sql_store *store = handle;
    execute(store->db, "VACUUM");
    sql_settle(handle);
}

static void sql_close(void *handle)
{
    sql_store *store = handle;
    sqlite3_finalize(store->put);
    sqlite3_finalize(store->begin);
    sqlite3_finalize(store->commit);
    must(sqlite3_close(store->db), store->db, "close");
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static void *sql_writer_open(void *store)
{
    return store;
}

static void sql_writer_close(void *writer)
{
    (void)writer;
}

static void step_and_reset(sql_store *store, sqlite3_stmt *statement, const char *what)
{
    must(sqlite3_step(statement), store->db, what);
    must(sqlite3_reset(statement), store->db, what);
}

static void put_one(sql_store *store, bench_slice key, bench_slice value)
{
    sqlite3_bind_blob(store->put, 1, key.data, (int)key.size, SQLITE_STATIC);
    sqlite3_bind_blob(store->put, 2, value.data, (int)value.size, SQLITE_STATIC);
    step_and_reset(store, store->put, "insert");
}

static void sql_put(void *writer, bench_slice key, bench_slice value)
{
    sql_store *store = writer;
    pthread_mutex_lock(&store->lock);
    put_one(store, key, value);
    pthread_mutex_unlock(&store->lock);
}

static void sql_put_batch(void *writer, const bench_slice *keys, const bench_slice *values, size_t n)
{
    sql_store *store = writer;
    pthread_mutex_lock(&store->lock);
    step_and_reset(store, store->begin, "begin");
    for (size_t i = 0; i < n; i++) {
        put_one(store, keys[i], values[i]);
    }
    step_and_reset(store, store->commit, "commit");
    pthread_mutex_unlock(&store->lock);
}

static void sql_put_version(void *writer, bench_slice key, uint64_t version, bench_slice value)
{
    unsigned char bytes[DATA_VERSIONED_KEY_BYTES];
    bench_slice full = {bytes, data_versioned_key(bytes, key, version)};
    sql_put(writer, full, value);
}

static void *sql_reader_open(void *handle, const uint64_t *versions, size_t n)
{
    sql_store *store = handle;
    sql_reader *reader = bench_alloc(sizeof(*reader));
    (void)n;
    reader->versions = versions;
    reader->db = connect(store);
    reader->get = prepare(reader->db, "SELECT v FROM kv WHERE k = ?1");
    reader->scan = prepare(reader->db, "SELECT k, v FROM kv WHERE k >= ?1 ORDER BY k LIMIT ?2");
    reader->seek = prepare(reader->db, "SELECT v FROM kv WHERE k >= ?1 AND k <= ?2 ORDER BY k LIMIT 1");
    execute(reader->db, "BEGIN");
    execute(reader->db, "SELECT 1 FROM kv LIMIT 1"); /* the snapshot starts at the first read */
    return reader;
}

static void sql_reader_close(void *handle)
{
    sql_reader *reader = handle;
    sqlite3_finalize(reader->get);
    sqlite3_finalize(reader->scan);
    sqlite3_finalize(reader->seek);
    execute(reader->db, "COMMIT");
    must(sqlite3_close(reader->db), reader->db, "close");
    free(reader);
}

static void touch_column(sqlite3_stmt *statement, int column, uint64_t *sum)
{
    const void *data = sqlite3_column_blob(statement, column);
    bench_touch(data, (size_t)sqlite3_column_bytes(statement, column), sum);
}

static bool row_value(sql_reader *reader, sqlite3_stmt *statement, uint64_t *sum)
{
    int rc = sqlite3_step(statement);
    must(rc, reader->db, "select");
    if (rc == SQLITE_ROW) {
        touch_column(statement, 0, sum);
    }
    sqlite3_reset(statement);
    return rc == SQLITE_ROW;
}

static bool sql_get(void *handle, bench_slice key, uint64_t *sum)
{
    sql_reader *reader = handle;
    sqlite3_bind_blob(reader->get, 1, key.data, (int)key.size, SQLITE_STATIC);
    return row_value(reader, reader->get, sum);
}

static size_t sql_scan(void *handle, bench_slice from, size_t rows, uint64_t *sum)
{
    sql_reader *reader = handle;
    size_t n = 0;
    int rc;
    sqlite3_bind_blob(reader->scan, 1, from.data, (int)from.size, SQLITE_STATIC);
    sqlite3_bind_int64(reader->scan, 2, (sqlite3_int64)rows);
    while ((rc = sqlite3_step(reader->scan)) == SQLITE_ROW) {
        touch_column(reader->scan, 0, sum);
        touch_column(reader->scan, 1, sum);
        n++;
    }
    must(rc, reader->db, "scan");
    sqlite3_reset(reader->scan);
    return n;
}

static bool seek_version(sql_reader *reader, bench_slice key, uint64_t version, uint64_t *sum)
{
    unsigned char low[DATA_VERSIONED_KEY_BYTES];
    unsigned char high[DATA_VERSIONED_KEY_BYTES];
    size_t low_size = data_versioned_key(low, key, version);
    size_t high_size = data_versioned_key(high, key, 0);
    sqlite3_bind_blob(reader->seek, 1, low, (int)low_size, SQLITE_STATIC);
    sqlite3_bind_blob(reader->seek, 2, high, (int)high_size, SQLITE_STATIC);
    return row_value(reader, reader->seek, sum);
}

static bool sql_get_asof(void *handle, bench_slice key, size_t version_index, uint64_t *sum)
{
    sql_reader *reader = handle;
    return seek_version(reader, key, reader->versions[version_index], sum);
}

static bool sql_get_latest(void *handle, bench_slice key, uint64_t *sum)
{
    return seek_version(handle, key, UINT64_MAX, sum);
}

const bench_driver bench_driver_sqlite = {
    .name = "sqlite",
    .describe = sql_describe,
    .open = sql_open,
    .settle = sql_settle,
    .compact = sql_compact,
    .close = sql_close,
    .writer_open = sql_writer_open,
    .writer_close = sql_writer_close,
    .put = sql_put,
    .put_batch = sql_put_batch,
    .put_version = sql_put_version,
    .reader_open = sql_reader_open,
    .reader_close = sql_reader_close,
    .get = sql_get,
    .get_many = NULL,
    .scan = sql_scan,
    .get_asof = sql_get_asof,
    .get_latest = sql_get_latest,
};
