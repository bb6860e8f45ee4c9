/* Memory a key, as the store counts it, over key and value bytes, for five kinds of keys.
 *
 * memory_KIND: one commit a key; the worst of 20 equally spaced moments from a tenth of the keys on, since tables grow
 * in steps. memory_KIND_later: mean over versions 2 to 20 of a twentieth of the keys; memory_user_second: version
 * 2 alone, where a key gets its history array. memory_user_batch1000: as memory_user, at the end, in commits of
 * 1,000 keys.
 * memory_rss: growth of the resident memory not backed by files, over the growth the store reports. */
#include <stdio.h>

#include "bench/data.h"
#include "bench/workload.h"
#include "bench/yore_help.h"

#define KINDS 5u
#define KIND_USER 4u
#define CHECKPOINTS 20u

typedef struct memory_store {
    char dir[4096];
    yore_db *db;
} memory_store;

static size_t decimal_key(char *out, size_t size, uint64_t number)
{
    return (size_t)snprintf(out, size, "%llu", (unsigned long long)(1000000000u + number));
}

static size_t base64_key(char *out, size_t size, uint64_t number)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t bits[2] = {data_mix(number), data_mix(number + DATA_MISSING)};
    size_t length = size < 22 ? size : 22; /* 128 random bits */
    for (size_t i = 0; i < length; i++) {
        out[i] = digits[(bits[i / 11] >> (i % 11 * 6 < 58 ? i % 11 * 6 : 58)) & 63u];
    }
    return length;
}

static size_t uuid_key(char *out, size_t size, uint64_t number)
{
    uint64_t high = data_mix(number);
    uint64_t low = data_mix(number + DATA_MISSING);
    return (size_t)snprintf(out, size, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(high >> 32),
                            (unsigned)(high >> 16) & 0xffffu, (unsigned)high & 0xfffu,
                            0x8000u | ((unsigned)(low >> 48) & 0x3fffu),
                            (unsigned long long)(low & 0xffffffffffffu));
}

/* A source tree: 8 top folders, some depth, files that share folders. */
static size_t path_key(char *out, size_t size, uint64_t number)
{
    static const char *const top[8] = {"src",   "include", "docs",    "tests",
                                       "tools", "lib",     "drivers", "examples"};
    static const char *const words[16] = {"net",    "core",    "util",  "parser", "index",  "cache",
                                          "format", "session", "table", "queue",  "stream", "worker",
                                          "codec",  "model",   "view",  "config"};
    static const char *const ends[4] = {"c", "h", "md", "txt"};
    uint64_t mixed = data_mix(number / 32);
    return (size_t)snprintf(out, size, "%s/%s/%s_%llu/%s_%llu.%s", top[mixed & 7], words[(mixed >> 3) & 15],
                            words[(mixed >> 7) & 15], (unsigned long long)(number / 32), words[number & 15],
                            (unsigned long long)(number % 32), ends[(mixed >> 11) & 3]);
}

static size_t user_key(char *out, size_t size, uint64_t number)
{
    data_key key;
    (void)size;
    bench_slice made = data_key_make(&key, number);
    memcpy(out, made.data, made.size);
    return made.size;
}

static const struct {
    const char *name;
    size_t (*make)(char *out, size_t size, uint64_t number);
} kinds[KINDS] = {{"decimal", decimal_key},
                  {"base64", base64_key},
                  {"uuid", uuid_key},
                  {"path", path_key},
                  {"user", user_key}};

static void open_empty(memory_store *store)
{
    char path[4160];
    snprintf(store->dir, sizeof(store->dir), "%s", bench_dir_fresh("memory"));
    snprintf(path, sizeof(path), "%s/store.yore", store->dir);
    store->db = yore_help_open(path, YORE_SYNC_OS);
}

static void close_empty(memory_store *store)
{
    yore_close(store->db);
    bench_dir_remove(store->dir);
}

/* Puts one version of keys first..end-1 in commits of `batch` keys; returns their key bytes. */
static uint64_t put_keys(yore_db *db, size_t kind, uint64_t first, uint64_t end, uint64_t version,
                         uint64_t batch)
{
    yore_error err = YORE_ERROR_INIT;
    data_value value;
    char key[128];
    uint64_t key_bytes = 0;
    yore_txn *txn = NULL;
    data_value_init(&value);
    for (uint64_t i = first; i < end; i++) {
        size_t length = kinds[kind].make(key, sizeof(key), i);
        bench_slice v = data_value_make(&value, i, version);
        key_bytes += length;
        if (txn == NULL) {
            yore_help_must(yore_begin(db, yore_str(""), NULL, &txn, &err), &err, "begin");
        }
        yore_help_must(yore_put(txn, yore_bytes_key(key, length), yore_bytes(v.data, v.size), NULL, &err),
                       &err, "put");
        if ((i + 1) % batch == 0 || i + 1 == end) {
            yore_help_must(yore_commit(txn, yore_str(""), NULL, &err), &err, "commit");
            txn = NULL;
        }
    }
    return key_bytes;
}

static uint64_t memory_used(yore_db *db)
{
    return yore_help_stats(db).memory_bytes;
}

/* Bytes a key over key and value. */
static double overhead(uint64_t grown, uint64_t keys, uint64_t key_bytes)
{
    return ((double)grown - (double)key_bytes) / (double)keys - DATA_VALUE_BYTES;
}

static void first_versions(size_t kind)
{
    memory_store store;
    uint64_t keys = bench_opt.memory_keys;
    uint64_t done = 0;
    uint64_t key_bytes = 0;
    double worst = 0;
    uint64_t rss_before = bench_rss_anon_bytes();
    open_empty(&store);
    uint64_t before = memory_used(store.db);
    for (uint64_t step = 0; step <= CHECKPOINTS; step++) {
        uint64_t end = keys / 10 + (keys - keys / 10) * step / CHECKPOINTS;
        key_bytes += put_keys(store.db, kind, done, end, 0, 1);
        done = end;
        double over = overhead(memory_used(store.db) - before, done, key_bytes);
        worst = over > worst ? over : worst;
    }
    yore_stats stats = yore_help_stats(store.db);
    double count = (double)keys;
    report_add(ENGINE_YORE, (enum report_metric)(M_MEMORY_FIRST + kind), worst, NULL);
    char note[40];
    snprintf(note, sizeof(note), "memory_%s", kinds[kind].name);
    report_note(note,
                "at the end %.1f B over key (%.1f B) and value; entries %.1f, hash %.1f, tree %.1f B a key",
                overhead(stats.memory_bytes - before, keys, key_bytes), (double)key_bytes / count,
                (double)stats.entry_bytes / count, (double)stats.hash_bytes / count,
                (double)stats.tree_bytes / count);
    if (kind == KIND_USER) {
        double grown = (double)bench_rss_anon_bytes() - (double)rss_before;
        report_add(ENGINE_YORE, M_MEMORY_RSS, grown / (double)(stats.memory_bytes - before), NULL);
    }
    close_empty(&store);
}

static void later_versions(size_t kind)
{
    memory_store store;
    uint64_t keys = bench_opt.memory_keys / BENCH_VERSIONS_PER_KEY;
    open_empty(&store);
    put_keys(store.db, kind, 0, keys, 0, 1);
    uint64_t first = memory_used(store.db);
    for (uint64_t version = 1; version < BENCH_VERSIONS_PER_KEY; version++) {
        put_keys(store.db, kind, 0, keys, version, 1);
        if (version == 1 && kind == KIND_USER) {
            report_add(ENGINE_YORE, M_MEMORY_SECOND, overhead(memory_used(store.db) - first, keys, 0), NULL);
        }
    }
    uint64_t later = keys * (BENCH_VERSIONS_PER_KEY - 1);
    report_add(ENGINE_YORE, (enum report_metric)(M_MEMORY_LATER + kind),
               overhead(memory_used(store.db) - first, later, 0), NULL);
    close_empty(&store);
}

static void batched(void)
{
    memory_store store;
    open_empty(&store);
    uint64_t before = memory_used(store.db);
    uint64_t key_bytes = put_keys(store.db, KIND_USER, 0, bench_opt.memory_keys, 0, BENCH_BATCH);
    report_add(ENGINE_YORE, M_MEMORY_BATCH,
               overhead(memory_used(store.db) - before, bench_opt.memory_keys, key_bytes), NULL);
    close_empty(&store);
}

void workload_memory(void)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (bench_wants((enum report_metric)(M_MEMORY_FIRST + kind))) {
            first_versions(kind);
        }
        if (bench_wants((enum report_metric)(M_MEMORY_LATER + kind))) {
            later_versions(kind);
        }
    }
    if (bench_wants(M_MEMORY_BATCH)) {
        batched();
    }
}
