/* WiredTiger: one table, a session and a cursor a thread. Not durable: the log is on and written in the background
 * (transaction_sync off), which may lose the last moments to a killed process, so it is the weaker promise of the
 * table. A reader is one snapshot transaction. */
#include <stdio.h>
#include <stdlib.h>
#include <wiredtiger.h>

#include "bench/data.h"

#define TABLE_URI "table:kv"
#define TABLE_CONFIG "key_format=u,value_format=u,memory_page_max=1MB"

/* No log files made ahead, which space on disk would count. */
#define PACKED_LOG "file_max=1MB,prealloc=false"
/* Debian's has snappy and zlib; zlib is the smaller one. */
#ifdef BENCH_WIREDTIGER_ZLIB
#define PACKED_EXTENSION ",extensions=[\"" BENCH_WIREDTIGER_ZLIB "\"]"
#define PACKED_CONFIG ",block_compressor=zlib,prefix_compression=true"
#define PACKED_WORDS "zlib and prefix compression"
#else
#define PACKED_EXTENSION ""
#define PACKED_CONFIG ",prefix_compression=true"
#define PACKED_WORDS "prefix compression"
#endif

typedef struct wt_store {
    WT_CONNECTION *connection;
} wt_store;

typedef struct wt_session {
    WT_SESSION *session;
    WT_CURSOR *cursor;
    const uint64_t *versions;
} wt_session;

static void must(int rc, const char *what)
{
    if (rc != 0) {
        bench_fatal("wiredtiger: %s: %s", what, wiredtiger_strerror(rc));
    }
}

static WT_ITEM as_item(bench_slice slice)
{
    WT_ITEM item;
    memset(&item, 0, sizeof(item));
    item.data = slice.data;
    item.size = slice.size;
    return item;
}

static void wt_describe(bool durable, char *out, size_t size)
{
    snprintf(out, size,
             "WiredTiger %d.%d.%d, cache 4 GiB, memory_page_max 1 MiB, log on, %s; packed: " PACKED_WORDS,
             WIREDTIGER_VERSION_MAJOR, WIREDTIGER_VERSION_MINOR, WIREDTIGER_VERSION_PATCH,
             durable ? "transaction_sync=(enabled,method=fsync)" : "transaction_sync off");
}

static void *wt_open(const bench_store_options *options)
{
    wt_store *store = bench_alloc(sizeof(*store));
    WT_SESSION *session = NULL;
    char config[512];
    uint64_t cache_bytes = options->budget_bytes == 0 ? 4ull << 30 : options->budget_bytes;
    snprintf(config, sizeof(config),
             "create,cache_size=%llu,session_max=64,log=(enabled=true,%s),"
             "transaction_sync=(enabled=%s,method=fsync)%s",
             (unsigned long long)cache_bytes, options->packed ? PACKED_LOG : "file_max=100MB",
             options->durable ? "true" : "false", options->packed ? PACKED_EXTENSION : "");
    must(wiredtiger_open(options->dir, NULL, config, &store->connection), "open");
    must(store->connection->open_session(store->connection, NULL, NULL, &session), "open_session");
    must(session->create(session, TABLE_URI, options->packed ? TABLE_CONFIG PACKED_CONFIG : TABLE_CONFIG),
         "create");
    must(session->close(session, NULL), "close session");
    return store;
}

static void wt_settle(void *handle)
{
    (void)handle; /* nothing runs on its own but the log writer */
}

static void wt_compact(void *handle)
{
    wt_store *store = handle;
    WT_SESSION *session = NULL;
    must(store->connection->open_session(store->connection, NULL, NULL, &session), "open_session");
    must(session->checkpoint(session, NULL), "checkpoint");
    must(session->compact(session, TABLE_URI, "timeout=0"), "compact");
    must(session->close(session, NULL), "close session");
}

static void wt_close(void *handle)
{
    wt_store *store = handle;
    must(store->connection->close(store->connection, "leak_memory=true"), "close");
    free(store);
}

static void *session_open(void *handle)
{
    wt_store *store = handle;
    wt_session *session = bench_alloc(sizeof(*session));
    must(store->connection->open_session(store->connection, NULL, NULL, &session->session), "open_session");
    must(session->session->open_cursor(session->session, TABLE_URI, NULL, NULL, &session->cursor),
         "open_cursor");
    return session;
}

static void session_close(void *handle)
{
    wt_session *session = handle;
    must(session->session->close(session->session, NULL), "close session");
    free(session);
}

static void wt_put(void *writer, bench_slice key, bench_slice value)
{
    wt_session *session = writer;
    WT_ITEM key_item = as_item(key);
    WT_ITEM value_item = as_item(value);
    session->cursor->set_key(session->cursor, &key_item);
    session->cursor->set_value(session->cursor, &value_item);
    must(session->cursor->insert(session->cursor), "insert");
}

static void wt_put_batch(void *writer, const bench_slice *keys, const bench_slice *values, size_t n)
{
    wt_session *session = writer;
    must(session->session->begin_transaction(session->session, NULL), "begin");
    for (size_t i = 0; i < n; i++) {
        wt_put(writer, keys[i], values[i]);
    }
    must(session->session->commit_transaction(session->session, NULL), "commit");
}

static void wt_put_version(void *writer, bench_slice key, uint64_t version, bench_slice value)
{
    unsigned char bytes[DATA_VERSIONED_KEY_BYTES];
    bench_slice full = {bytes, data_versioned_key(bytes, key, version)};
    wt_put(writer, full, value);
}

static void *wt_reader_open(void *store, const uint64_t *versions, size_t n)
{
    wt_session *session = session_open(store);
    (void)n;
    session->versions = versions;
    must(session->session->begin_transaction(session->session, "isolation=snapshot"), "begin");
    return session;
}

static void wt_reader_close(void *reader)
{
    wt_session *session = reader;
    must(session->session->rollback_transaction(session->session, NULL), "rollback");
    session_close(reader);
}

static void touch_value(wt_session *session, uint64_t *sum)
{
    WT_ITEM value;
    must(session->cursor->get_value(session->cursor, &value), "get_value");
    bench_touch(value.data, value.size, sum);
}

static bool wt_get(void *reader, bench_slice key, uint64_t *sum)
{
    wt_session *session = reader;
    WT_ITEM item = as_item(key);
    session->cursor->set_key(session->cursor, &item);
    int rc = session->cursor->search(session->cursor);
    if (rc == WT_NOTFOUND) {
        return false;
    }
    must(rc, "search");
    touch_value(session, sum);
    return true;
}

/* Moves to the first record at or after `from`. */
static bool seek(wt_session *session, bench_slice from)
{
    WT_ITEM item = as_item(from);
    int exact = 0;
    session->cursor->set_key(session->cursor, &item);
    int rc = session->cursor->search_near(session->cursor, &exact);
    if (rc == 0 && exact < 0) {
        rc = session->cursor->next(session->cursor);
    }
    if (rc != WT_NOTFOUND) {
        must(rc, "search_near");
    }
    return rc == 0;
}

static size_t wt_scan(void *reader, bench_slice from, size_t rows, uint64_t *sum)
{
    wt_session *session = reader;
    size_t n = 0;
    int rc = seek(session, from) ? 0 : WT_NOTFOUND;
    while (rc == 0) {
        WT_ITEM key;
        must(session->cursor->get_key(session->cursor, &key), "get_key");
        bench_touch(key.data, key.size, sum);
        touch_value(session, sum);
        n++;
        if (n == rows) {
            return n;
        }
        rc = session->cursor->next(session->cursor);
    }
    if (rc != WT_NOTFOUND) {
        must(rc, "next");
    }
    return n;
}

static bool seek_version(wt_session *session, bench_slice key, uint64_t version, uint64_t *sum)
{
    unsigned char bytes[DATA_VERSIONED_KEY_BYTES];
    bench_slice full = {bytes, data_versioned_key(bytes, key, version)};
    WT_ITEM found;
    if (!seek(session, full)) {
        return false;
    }
    must(session->cursor->get_key(session->cursor, &found), "get_key");
    if (found.size != full.size || memcmp(found.data, key.data, key.size) != 0) {
        return false;
    }
    touch_value(session, sum);
    return true;
}

static bool wt_get_asof(void *reader, bench_slice key, size_t version_index, uint64_t *sum)
{
    wt_session *session = reader;
    return seek_version(session, key, session->versions[version_index], sum);
}

static bool wt_get_latest(void *reader, bench_slice key, uint64_t *sum)
{
    return seek_version(reader, key, UINT64_MAX, sum);
}

const bench_driver bench_driver_wiredtiger = {
    .name = "wiredtiger",
    .describe = wt_describe,
    .open = wt_open,
    .settle = wt_settle,
    .compact = wt_compact,
    .close = wt_close,
    .writer_open = session_open,
    .writer_close = session_close,
    .put = wt_put,
    .put_batch = wt_put_batch,
    .put_version = wt_put_version,
    .reader_open = wt_reader_open,
    .reader_close = wt_reader_close,
    .get = wt_get,
    .get_many = NULL,
    .scan = wt_scan,
    .get_asof = wt_get_asof,
    .get_latest = wt_get_latest,
};
