/* LMDB. A commit is a write transaction of its own; a reader is one read transaction. Not durable: MDB_NOSYNC, with
 * and without MDB_WRITEMAP measured, the faster one (see docs/bench.md) is used. */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/data.h"

#define MAP_BYTES (64ull << 30)
#define FLAGS_FAST (MDB_NOSYNC | MDB_WRITEMAP | MDB_NOTLS | MDB_NORDAHEAD)
#define FLAGS_DURABLE (MDB_NOTLS | MDB_NORDAHEAD)

typedef struct lmdb_store {
    MDB_env *env;
    MDB_dbi dbi;
    unsigned flags;
    char dir[4096];
} lmdb_store;

typedef struct lmdb_reader {
    MDB_txn *txn;
    MDB_cursor *cursor;
    MDB_dbi dbi;
    const uint64_t *versions;
} lmdb_reader;

static void must(int rc, const char *what)
{
    if (rc != 0) {
        bench_fatal("lmdb: %s: %s", what, mdb_strerror(rc));
    }
}

static MDB_val as_val(bench_slice slice)
{
    MDB_val val;
    val.mv_size = slice.size;
    memcpy(&val.mv_data, &slice.data, sizeof(val.mv_data)); /* LMDB takes inputs as non-const */
    return val;
}

static void lmdb_describe(bool durable, char *out, size_t size)
{
    snprintf(out, size, "LMDB %d.%d.%d, %s, MDB_NOTLS|MDB_NORDAHEAD, map 64 GiB", MDB_VERSION_MAJOR,
             MDB_VERSION_MINOR, MDB_VERSION_PATCH,
             durable ? "default sync at each commit" : "MDB_NOSYNC|MDB_WRITEMAP");
}

static void open_env(lmdb_store *store)
{
    MDB_txn *txn = NULL;
    must(mdb_env_create(&store->env), "env_create");
    must(mdb_env_set_mapsize(store->env, MAP_BYTES), "set_mapsize");
    must(mdb_env_open(store->env, store->dir, store->flags, 0644), "env_open");
    must(mdb_txn_begin(store->env, NULL, 0, &txn), "txn_begin");
    must(mdb_dbi_open(txn, NULL, 0, &store->dbi), "dbi_open");
    must(mdb_txn_commit(txn), "commit");
}

static void *lmdb_open(const bench_store_options *options)
{
    lmdb_store *store = bench_alloc(sizeof(*store));
    store->flags = options->durable ? FLAGS_DURABLE : FLAGS_FAST;
    snprintf(store->dir, sizeof(store->dir), "%s", options->dir);
    open_env(store);
    return store;
}

/* A copy without free pages takes the store's place. */
static void lmdb_compact(void *handle)
{
    lmdb_store *store = handle;
    char copy_dir[4200];
    char copy[4300];
    char data[4300];
    snprintf(copy_dir, sizeof(copy_dir), "%s/copy", store->dir);
    snprintf(copy, sizeof(copy), "%s/data.mdb", copy_dir);
    snprintf(data, sizeof(data), "%s/data.mdb", store->dir);
    if (mkdir(copy_dir, 0755) != 0) {
        bench_fatal("lmdb: cannot make '%s'", copy_dir);
    }
    must(mdb_env_copy2(store->env, copy_dir, MDB_CP_COMPACT), "env_copy2");
    mdb_env_close(store->env);
    if (rename(copy, data) != 0 || rmdir(copy_dir) != 0) {
        bench_fatal("lmdb: cannot move '%s'", copy);
    }
    open_env(store);
}

static void lmdb_close(void *handle)
{
    lmdb_store *store = handle;
    mdb_env_close(store->env);
    free(store);
}

static void lmdb_settle(void *handle)
{
    (void)handle; /* no background work */
}

static void *lmdb_writer_open(void *store)
{
    return store;
}

static void lmdb_writer_close(void *writer)
{
    (void)writer;
}

static void lmdb_put_batch(void *writer, const bench_slice *keys, const bench_slice *values, size_t n)
{
    lmdb_store *store = writer;
    MDB_txn *txn = NULL;
    must(mdb_txn_begin(store->env, NULL, 0, &txn), "txn_begin");
    for (size_t i = 0; i < n; i++) {
        MDB_val key = as_val(keys[i]);
        MDB_val value = as_val(values[i]);
        must(mdb_put(txn, store->dbi, &key, &value, 0), "put");
    }
    must(mdb_txn_commit(txn), "commit");
}

static void lmdb_put(void *writer, bench_slice key, bench_slice value)
{
    lmdb_put_batch(writer, &key, &value, 1);
}

static void lmdb_put_version(void *writer, bench_slice key, uint64_t version, bench_slice value)
{
    unsigned char bytes[DATA_VERSIONED_KEY_BYTES];
    bench_slice full = {bytes, data_versioned_key(bytes, key, version)};
    lmdb_put_batch(writer, &full, &value, 1);
}

static void *lmdb_reader_open(void *handle, const uint64_t *versions, size_t n)
{
    lmdb_store *store = handle;
    lmdb_reader *reader = bench_alloc(sizeof(*reader));
    (void)n;
    reader->dbi = store->dbi;
    reader->versions = versions;
    must(mdb_txn_begin(store->env, NULL, MDB_RDONLY, &reader->txn), "txn_begin");
    must(mdb_cursor_open(reader->txn, store->dbi, &reader->cursor), "cursor_open");
    return reader;
}

static void lmdb_reader_close(void *handle)
{
    lmdb_reader *reader = handle;
    mdb_cursor_close(reader->cursor);
    mdb_txn_abort(reader->txn);
    free(reader);
}

static bool lmdb_get(void *handle, bench_slice key, uint64_t *sum)
{
    lmdb_reader *reader = handle;
    MDB_val at = as_val(key);
    MDB_val value;
    int rc = mdb_get(reader->txn, reader->dbi, &at, &value);
    if (rc == MDB_NOTFOUND) {
        return false;
    }
    must(rc, "get");
    bench_touch(value.mv_data, value.mv_size, sum);
    return true;
}

static size_t lmdb_scan(void *handle, bench_slice from, size_t rows, uint64_t *sum)
{
    lmdb_reader *reader = handle;
    MDB_val key = as_val(from);
    MDB_val value;
    size_t n = 0;
    int rc = mdb_cursor_get(reader->cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0) {
        bench_touch(key.mv_data, key.mv_size, sum);
        bench_touch(value.mv_data, value.mv_size, sum);
        n++;
        if (n == rows) {
            return n;
        }
        rc = mdb_cursor_get(reader->cursor, &key, &value, MDB_NEXT);
    }
    if (rc != MDB_NOTFOUND) {
        must(rc, "cursor_get");
    }
    return n;
}

static bool seek_version(lmdb_reader *reader, bench_slice key, uint64_t version, uint64_t *sum)
{
    unsigned char bytes[DATA_VERSIONED_KEY_BYTES];
    MDB_val at = {data_versioned_key(bytes, key, version), bytes};
    MDB_val value;
    int rc = mdb_cursor_get(reader->cursor, &at, &value, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND || at.mv_size != key.size + 8 || memcmp(at.mv_data, key.data, key.size) != 0) {
        return false;
    }
    must(rc, "cursor_get");
    bench_touch(value.mv_data, value.mv_size, sum);
    return true;
}

static bool lmdb_get_asof(void *handle, bench_slice key, size_t version_index, uint64_t *sum)
{
    lmdb_reader *reader = handle;
    return seek_version(reader, key, reader->versions[version_index], sum);
}

static bool lmdb_get_latest(void *handle, bench_slice key, uint64_t *sum)
{
    return seek_version(handle, key, UINT64_MAX, sum);
}

const bench_driver bench_driver_lmdb = {
    .name = "lmdb",
    .describe = lmdb_describe,
    .open = lmdb_open,
    .settle = lmdb_settle,
    .compact = lmdb_compact,
    .close = lmdb_close,
    .writer_open = lmdb_writer_open,
    .writer_close = lmdb_writer_close,
    .put = lmdb_put,
    .put_batch = lmdb_put_batch,
    .put_version = lmdb_put_version,
    .reader_open = lmdb_reader_open,
    .reader_close = lmdb_reader_close,
    .get = lmdb_get,
    .get_many = NULL,
    .scan = lmdb_scan,
    .get_asof = lmdb_get_asof,
    .get_latest = lmdb_get_latest,
};
