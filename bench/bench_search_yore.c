/* Search in yore: values put in commits of 1,000 (mode os), an index in memory that follows in a thread of its own. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench_search.h"
#include "bench/data.h"
#include "bench/yore_help.h"

typedef struct text_store {
    yore_db *db;
    yore_snap *snap; /* where searches look */
    uint64_t half;
    char path[4096];
} text_store;

static void describe(char *out, size_t size)
{
    snprintf(
        out, size,
        "yore %s, mode os, commits of %u, index in memory: English (Snowball), stop words; BM25 k1 1.2, b 0.75",
        yore_version(), BENCH_BATCH);
}

/* Runs a query; the hits are still to be taken. */
static yore_iter *start(text_store *store, const search_query *query, bool count_only)
{
    yore_query asked = YORE_QUERY_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_iter *iter = NULL;
    char text[256];
    const char *quote = query->mode == SEARCH_PHRASE ? "\"" : "";
    search_text(query, quote, " ", quote, text, sizeof(text));
    asked.text = yore_str(text);
    asked.k = SEARCH_TOP;
    asked.all = query->mode == SEARCH_AND;
    asked.count_only = count_only;
    asked.wait_ns = -1;
    yore_help_must(yore_search(store->snap, &asked, &iter, &err), &err, "search");
    return iter;
}

static size_t search(void *handle, const search_query *query, double *score)
{
    yore_hit hits[SEARCH_TOP];
    uint64_t keys = 0;
    size_t total = 0;
    size_t n = 0;
    yore_iter *iter = start(handle, query, false);
    while (yore_search_next(iter, hits, sizeof(hits[0]), SEARCH_TOP, &n, NULL) == YORE_OK) {
        for (size_t i = 0; i < n; i++) {
            bench_touch(hits[i].key.user.data, hits[i].key.user.size, &keys);
            *score += hits[i].score;
        }
        total += n;
    }
    yore_iter_close(iter);
    return total;
}

static uint64_t count(void *handle, const search_query *query)
{
    yore_search_info info = {.struct_size = sizeof(info)};
    yore_iter *iter = start(handle, query, true);
    yore_help_must(yore_search_info_get(iter, &info, NULL), NULL, "search_info");
    yore_iter_close(iter);
    return info.matches;
}

void search_yore_look(void *handle, const char *branch, uint64_t version)
{
    static const search_query any = {SEARCH_OR, 1, {"tobak"}};
    text_store *store = handle;
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    snprintf(at.branch, sizeof(at.branch), "%s", branch);
    at.kind = version > 0 ? YORE_AT_VERSION : YORE_AT_NOW;
    at.version = version;
    yore_snap_close(store->snap);
    yore_help_must(yore_snap_open(store->db, &at, &store->snap, NULL, &err), &err, "snap_open");
    count(store, &any);
}

/* The first search starts the follower, before the measuring thread is pinned. */
static void *open_store(const char *dir)
{
    text_store *store = bench_alloc(sizeof(*store));
    snprintf(store->path, sizeof(store->path), "%s/search.yore", dir);
    store->db = yore_help_open(store->path, YORE_SYNC_OS);
    search_yore_look(store, "default", 0);
    return store;
}

static void close_store(void *handle)
{
    text_store *store = handle;
    yore_snap_close(store->snap);
    yore_close(store->db);
    free(store);
}

void search_yore_reopen(void *handle)
{
    text_store *store = handle;
    yore_snap_close(store->snap);
    yore_close(store->db);
    store->snap = NULL;
    store->db = yore_help_open(store->path, YORE_SYNC_OS);
}

uint64_t search_yore_put(void *handle, const char *branch, const search_document *documents, size_t n)
{
    text_store *store = handle;
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    size_t done = 0;
    while (done < n) {
        size_t end = n - done < BENCH_BATCH ? n : done + BENCH_BATCH;
        yore_txn *txn = NULL;
        yore_help_must(yore_begin(store->db, yore_str(branch), NULL, &txn, &err), &err, "begin");
        for (size_t i = done; i < end; i++) {
            yore_help_must(yore_put(txn, yore_str_key(documents[i].key),
                                    yore_bytes(documents[i].text, documents[i].size), NULL, &err),
                           &err, "put");
        }
        yore_help_must(yore_commit(txn, yore_str(""), &where, &err), &err, "commit");
        if (store->half == 0 && end >= n / 2) {
            store->half = where.version;
        }
        done = end;
    }
    return where.version;
}

uint64_t search_yore_half(void *handle)
{
    return ((text_store *)handle)->half;
}

void search_yore_fork(void *handle, const char *branch)
{
    text_store *store = handle;
    yore_error err = YORE_ERROR_INIT;
    yore_help_must(yore_branch_create(store->db, yore_str(branch), NULL, NULL, &err), &err, "branch_create");
}

static void index_documents(void *handle, const search_document *documents, size_t n)
{
    search_yore_put(handle, "default", documents, n);
    search_yore_look(handle, "default", 0);
}

static void settle(void *handle)
{
    (void)handle;
}

static uint64_t index_bytes(void *handle)
{
    text_store *store = handle;
    yore_search_stats stats = {.struct_size = sizeof(stats)};
    yore_help_must(yore_search_stats_get(store->db, &stats, NULL), NULL, "search_stats");
    return stats.index_bytes;
}

const search_engine search_engine_yore = {
    .describe = describe,
    .open = open_store,
    .close = close_store,
    .index = index_documents,
    .settle = settle,
    .index_bytes = index_bytes,
    .search = search,
    .count = count,
};
