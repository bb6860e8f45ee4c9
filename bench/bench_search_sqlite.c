/* Search in SQLite: an FTS5 table with its text, filled in one transaction. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/bench_search.h"

typedef struct fts_store {
    sqlite3 *db;
    sqlite3_stmt *insert;
    sqlite3_stmt *search;
    sqlite3_stmt *count;
} fts_store;

static void must(int rc, sqlite3 *db, const char *what)
{
    if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
        bench_fatal("sqlite: %s: %s", what, sqlite3_errmsg(db));
    }
}

static void execute(sqlite3 *db, const char *sql)
{
    must(sqlite3_exec(db, sql, NULL, NULL, NULL), db, sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    must(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), db, sql);
    return statement;
}

static void describe(char *out, size_t size)
{
    snprintf(
        out, size,
        "FTS5 of SQLite %s: porter unicode61, no stop words, positions; one transaction, WAL, synchronous=OFF, "
        "mmap 8 GiB, cache 1 GiB; 'optimize' before the searches; ORDER BY rank (BM25 k1 1.2, b 0.75)",
        sqlite3_libversion());
}

static void *open_store(const char *dir)
{
    fts_store *store = bench_alloc(sizeof(*store));
    char path[4096];
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    snprintf(path, sizeof(path), "%s/search.db", dir);
    must(sqlite3_open_v2(path, &store->db, flags, NULL), store->db, "open");
    execute(store->db, "PRAGMA journal_mode=WAL");
    execute(store->db, "PRAGMA synchronous=OFF");
    execute(store->db, "PRAGMA mmap_size=8589934592");
    execute(store->db, "PRAGMA cache_size=-1048576");
    execute(store->db,
            "CREATE VIRTUAL TABLE docs USING fts5(key UNINDEXED, body, tokenize='porter unicode61')");
    store->insert = prepare(store->db, "INSERT INTO docs VALUES (?1, ?2)");
    store->search =
        prepare(store->db, "SELECT key, rank FROM docs WHERE docs MATCH ?1 ORDER BY rank LIMIT ?2");
    store->count = prepare(store->db, "SELECT count(*) FROM docs WHERE docs MATCH ?1");
    return store;
}

static void close_store(void *handle)
{
    fts_store *store = handle;
    sqlite3_finalize(store->insert);
    sqlite3_finalize(store->search);
    sqlite3_finalize(store->count);
    must(sqlite3_close(store->db), store->db, "close");
    free(store);
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text, size_t size)
{
    sqlite3_bind_text(statement, column, text, (int)size, SQLITE_STATIC);
}

static void index_documents(void *handle, const search_document *documents, size_t n)
{
    fts_store *store = handle;
    execute(store->db, "BEGIN");
    for (size_t i = 0; i < n; i++) {
        bind_text(store->insert, 1, documents[i].key, strlen(documents[i].key));
        bind_text(store->insert, 2, documents[i].text, documents[i].size);
        must(sqlite3_step(store->insert), store->db, "insert");
        must(sqlite3_reset(store->insert), store->db, "insert");
    }
    execute(store->db, "COMMIT");
}

static void settle(void *handle)
{
    fts_store *store = handle;
    execute(store->db, "INSERT INTO docs (docs) VALUES ('optimize')");
    execute(store->db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

static uint64_t index_bytes(void *handle)
{
    fts_store *store = handle;
    sqlite3_stmt *sizes = prepare(
        store->db, "SELECT sum(pgsize) FROM dbstat WHERE name IN ('docs_data', 'docs_idx', 'docs_docsize')");
    must(sqlite3_step(sizes), store->db, "dbstat");
    uint64_t bytes = (uint64_t)sqlite3_column_int64(sizes, 0);
    sqlite3_finalize(sizes);
    return bytes;
}

/* Binds the query's text, which the caller keeps until the statement is reset. */
static void bind_query(sqlite3_stmt *statement, const search_query *query, char *text, size_t size)
{
    const char *quote = query->mode == SEARCH_PHRASE ? "\"" : "";
    const char *between = query->mode == SEARCH_OR ? " OR " : query->mode == SEARCH_AND ? " AND " : " ";
    search_text(query, quote, between, quote, text, size);
    bind_text(statement, 1, text, strlen(text));
}

static size_t search(void *handle, const search_query *query, double *score)
{
    fts_store *store = handle;
    char text[256];
    uint64_t keys = 0;
    size_t n = 0;
    int rc;
    bind_query(store->search, query, text, sizeof(text));
    sqlite3_bind_int64(store->search, 2, SEARCH_TOP);
    while ((rc = sqlite3_step(store->search)) == SQLITE_ROW) {
        bench_touch(sqlite3_column_text(store->search, 0), (size_t)sqlite3_column_bytes(store->search, 0),
                    &keys);
        *score -= sqlite3_column_double(store->search, 1); /* FTS5 counts down from zero */
        n++;
    }
    must(rc, store->db, "search");
    sqlite3_reset(store->search);
    return n;
}

static uint64_t count(void *handle, const search_query *query)
{
    fts_store *store = handle;
    char text[256];
    bind_query(store->count, query, text, sizeof(text));
    must(sqlite3_step(store->count), store->db, "count");
    uint64_t n = (uint64_t)sqlite3_column_int64(store->count, 0);
    sqlite3_reset(store->count);
    return n;
}

const search_engine search_engine_sqlite = {
    .describe = describe,
    .open = open_store,
    .close = close_store,
    .index = index_documents,
    .settle = settle,
    .index_bytes = index_bytes,
    .search = search,
    .count = count,
};
