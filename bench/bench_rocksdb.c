/* RocksDB through its C API. The WAL is on; not durable means sync=false (written to the operating system at each
 * commit). A reader is one RocksDB snapshot, with one iterator it seeks again and again. */
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/data.h"

#define MEMTABLE_BYTES (64u << 20)
#define CACHE_BYTES (2ull << 30)

typedef struct rocks_store {
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_cache_t *cache;
    rocksdb_env_t *env;
    rocksdb_writeoptions_t *write;
    rocksdb_column_family_handle_t *family; /* the default one, which only the batched read asks for */
} rocks_store;

typedef struct rocks_writer {
    rocks_store *store;
    rocksdb_writebatch_t *batch;
} rocks_writer;

typedef struct rocks_reader {
    rocks_store *store;
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *iter;
    const uint64_t *versions;
} rocks_reader;

static void must(const char *message, const char *what)
{
    if (message != NULL) {
        bench_fatal("rocksdb: %s: %s", what, message);
    }
}

static void rocks_describe(bool durable, char *out, size_t size)
{
    snprintf(out, size,
             "RocksDB (C API), WAL on, sync=%s, memtable 64 MiB, block cache 2 GiB, bloom 10 bits a key, "
             "memtable bloom, hash index in data blocks, no compression (packed: zstd), 2 background threads",
             durable ? "true" : "false");
}

static void *rocks_open(const bench_store_options *options)
{
    rocks_store *store = bench_alloc(sizeof(*store));
    char *message = NULL;
    store->env = rocksdb_create_default_env();
    rocksdb_env_set_background_threads(store->env, 2);
    rocksdb_env_set_high_priority_background_threads(store->env, 1);
    /* Of a budget a quarter is for two memtables, the rest for blocks. Indexes and filters come on top, as is the
     * default: in a small cache they push each other out, and a missing key takes forty times as long. */
    uint64_t budget = options->budget_bytes;
    store->cache = rocksdb_cache_create_lru(budget == 0 ? CACHE_BYTES : budget - budget / 4);
    store->table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(store->table, store->cache);
    rocksdb_block_based_options_set_filter_policy(store->table, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_block_based_options_set_data_block_index_type(
        store->table, rocksdb_block_based_table_data_block_index_type_binary_search_and_hash);
    store->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(store->options, 1);
    rocksdb_options_set_env(store->options, store->env);
    rocksdb_options_set_write_buffer_size(store->options, budget == 0 ? MEMTABLE_BYTES : budget / 8);
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(store->options, 0.05);
    rocksdb_options_set_memtable_whole_key_filtering(store->options, 1);
    rocksdb_options_set_max_background_jobs(store->options, 2);
    rocksdb_options_set_compression(store->options,
                                    options->packed ? rocksdb_zstd_compression : rocksdb_no_compression);
    rocksdb_options_set_max_open_files(store->options, -1);
    rocksdb_options_set_block_based_table_factory(store->options, store->table);
    store->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(store->write, options->durable);
    const char *family_name = "default";
    const rocksdb_options_t *family_options = store->options;
    store->db = rocksdb_open_column_families(store->options, options->dir, 1, &family_name, &family_options,
                                             &store->family, &message);
    must(message, "open");
    return store;
}

/* Loading leaves flushes and compactions behind; wait for them, as they would take a CPU from the readers. */
static void rocks_settle(void *handle)
{
    rocks_store *store = handle;
    static const char *const busy[] = {"rocksdb.mem-table-flush-pending", "rocksdb.num-running-flushes",
                                       "rocksdb.compaction-pending", "rocksdb.num-running-compactions"};
    uint64_t total;
    do {
        bench_sleep_ms(20);
        total = 0;
        for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++) {
            uint64_t count = 0;
            if (rocksdb_property_int(store->db, busy[i], &count) == 0) {
                total += count;
            }
        }
    } while (total > 0);
}

static void rocks_compact(void *handle)
{
    rocks_store *store = handle;
    rocksdb_compactoptions_t *compact = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_bottommost_level_compaction(compact, 2); /* kForce */
    rocksdb_compact_range_opt(store->db, compact, NULL, 0, NULL, 0);
    rocksdb_compactoptions_destroy(compact);
    rocks_settle(handle);
}

static void rocks_close(void *handle)
{
    rocks_store *store = handle;
    rocksdb_column_family_handle_destroy(store->family);
    rocksdb_close(store->db);
    rocksdb_writeoptions_destroy(store->write);
    rocksdb_options_destroy(store->options);
    rocksdb_block_based_options_destroy(store->table);
    rocksdb_cache_destroy(store->cache);
    rocksdb_env_destroy(store->env);
    free(store);
}

static void *rocks_writer_open(void *store)
{
    rocks_writer *writer = bench_alloc(sizeof(*writer));
    writer->store = store;
    writer->batch = rocksdb_writebatch_create();
    return writer;
}

static void rocks_writer_close(void *handle)
{
    rocks_writer *writer = handle;
    rocksdb_writebatch_destroy(writer->batch);
    free(writer);
}

static void rocks_put(void *handle, bench_slice key, bench_slice value)
{
    rocks_writer *writer = handle;
    char *message = NULL;
    rocksdb_put(writer->store->db, writer->store->write, key.data, key.size, value.data, value.size,
                &message);
    must(message, "put");
}

static void rocks_put_batch(void *handle, const bench_slice *keys, const bench_slice *values, size_t n)
{
    rocks_writer *writer = handle;
    char *message = NULL;
    rocksdb_writebatch_clear(writer->batch);
    for (size_t i = 0; i < n; i++) {
        rocksdb_writebatch_put(writer->batch, keys[i].data, keys[i].size, values[i].data, values[i].size);
    }
    rocksdb_write(writer->store->db, writer->store->write, writer->batch, &message);
    must(message, "write");
}

static void rocks_put_version(void *writer, bench_slice key, uint64_t version, bench_slice value)
{
    unsigned char bytes[DATA_VERSIONED_KEY_BYTES];
    bench_slice full = {bytes, data_versioned_key(bytes, key, version)};
    rocks_put(writer, full, value);
}

static void *rocks_reader_open(void *handle, const uint64_t *versions, size_t n)
{
    rocks_store *store = handle;
    rocks_reader *reader = bench_alloc(sizeof(*reader));
    (void)n;
    reader->store = store;
    reader->versions = versions;
    reader->snapshot = rocksdb_create_snapshot(store->db);
    reader->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(reader->read, reader->snapshot);
    reader->iter = rocksdb_create_iterator(store->db, reader->read);
    return reader;
}

static void rocks_reader_close(void *handle)
{
    rocks_reader *reader = handle;
    rocksdb_iter_destroy(reader->iter);
    rocksdb_readoptions_destroy(reader->read);
    rocksdb_release_snapshot(reader->store->db, reader->snapshot);
    free(reader);
}

static bool touch_pinned(rocksdb_pinnableslice_t *value, uint64_t *sum)
{
    size_t size = 0;
    if (value == NULL) {
        return false;
    }
    const char *data = rocksdb_pinnableslice_value(value, &size);
    bench_touch(data, size, sum);
    rocksdb_pinnableslice_destroy(value);
    return true;
}

static bool rocks_get(void *handle, bench_slice key, uint64_t *sum)
{
    rocks_reader *reader = handle;
    char *message = NULL;
    rocksdb_pinnableslice_t *value =
        rocksdb_get_pinned(reader->store->db, reader->read, key.data, key.size, &message);
    must(message, "get");
    return touch_pinned(value, sum);
}

static size_t rocks_get_many(void *handle, const bench_slice *keys, size_t n, uint64_t *sum)
{
    rocks_reader *reader = handle;
    const char *data[BENCH_MANY] = {NULL};
    size_t sizes[BENCH_MANY] = {0};
    rocksdb_pinnableslice_t *values[BENCH_MANY];
    char *messages[BENCH_MANY];
    size_t found = 0;
    if (n > BENCH_MANY) {
        bench_fatal("rocksdb: a group of %zu keys", n);
    }
    for (size_t i = 0; i < n; i++) {
        data[i] = keys[i].data;
        sizes[i] = keys[i].size;
    }
    rocksdb_batched_multi_get_cf(reader->store->db, reader->read, reader->store->family, n, data, sizes,
                                 values, messages, false);
    for (size_t i = 0; i < n; i++) {
        must(messages[i], "multi_get");
        found += touch_pinned(values[i], sum);
    }
    return found;
}

static size_t rocks_scan(void *handle, bench_slice from, size_t rows, uint64_t *sum)
{
    rocks_reader *reader = handle;
    size_t n = 0;
    rocksdb_iter_seek(reader->iter, from.data, from.size);
    while (n < rows && rocksdb_iter_valid(reader->iter)) {
        size_t size = 0;
        const char *data = rocksdb_iter_key(reader->iter, &size);
        bench_touch(data, size, sum);
        data = rocksdb_iter_value(reader->iter, &size);
        bench_touch(data, size, sum);
        n++;
        rocksdb_iter_next(reader->iter);
    }
    return n;
}

static bool seek_version(rocks_reader *reader, bench_slice key, uint64_t version, uint64_t *sum)
{
    unsigned char bytes[DATA_VERSIONED_KEY_BYTES];
    size_t size = data_versioned_key(bytes, key, version);
    rocksdb_iter_seek(reader->iter, (const char *)bytes, size);
    if (!rocksdb_iter_valid(reader->iter)) {
        return false;
    }
    const char *data = rocksdb_iter_key(reader->iter, &size);
    if (size != key.size + 8 || memcmp(data, key.data, key.size) != 0) {
        return false;
    }
    data = rocksdb_iter_value(reader->iter, &size);
    bench_touch(data, size, sum);
    return true;
}

static bool rocks_get_asof(void *handle, bench_slice key, size_t version_index, uint64_t *sum)
{
    rocks_reader *reader = handle;
    return seek_version(reader, key, reader->versions[version_index], sum);
}

static bool rocks_get_latest(void *handle, bench_slice key, uint64_t *sum)
{
    return seek_version(handle, key, UINT64_MAX, sum);
}

const bench_driver bench_driver_rocksdb = {
    .name = "rocksdb",
    .describe = rocks_describe,
    .open = rocks_open,
    .settle = rocks_settle,
    .compact = rocks_compact,
    .close = rocks_close,
    .writer_open = rocks_writer_open,
    .writer_close = rocks_writer_close,
    .put = rocks_put,
    .put_batch = rocks_put_batch,
    .put_version = rocks_put_version,
    .reader_open = rocks_reader_open,
    .reader_close = rocks_reader_close,
    .get = rocks_get,
    .get_many = rocks_get_many,
    .scan = rocks_scan,
    .get_asof = rocks_get_asof,
    .get_latest = rocks_get_latest,
};
