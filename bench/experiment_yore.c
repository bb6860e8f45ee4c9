/* Experiments in yore, mode `os`. */
#include <stdio.h>
#include <stdlib.h>

#include <yore.h>

#include "bench/data.h"
#include "bench/experiment.h"
#include "bench/yore_help.h"

#define ROWS 256u

typedef struct store {
    yore_db *db;
    uint64_t loaded;    /* version of the first commit */
    uint64_t newest;    /* of main's newest one */
    uint64_t wal_bytes; /* before the first one */
} store;

static void *open_store(const char *dir)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/store", dir);
    store *self = bench_alloc(sizeof(*self));
    self->db = yore_help_open(path, YORE_SYNC_OS);
    self->wal_bytes = yore_help_stats(self->db).wal_bytes;
    return self;
}

static void close_store(void *handle)
{
    store *self = handle;
    yore_close(self->db);
    free(self);
}

static void put(yore_txn *txn, uint64_t number, uint64_t version)
{
    yore_error err = YORE_ERROR_INIT;
    data_key key;
    data_value value;
    data_value_init(&value);
    bench_slice k = data_key_make(&key, number);
    bench_slice v = data_value_make(&value, number, version);
    yore_help_must(yore_put(txn, yore_bytes_key(k.data, k.size), yore_bytes(v.data, v.size), NULL, &err),
                   &err, "put");
}

static yore_txn *begin(const store *self, const char *branch)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn = NULL;
    yore_help_must(yore_begin(self->db, yore_str(branch), NULL, &txn, &err), &err, "begin");
    return txn;
}

static uint64_t finish(yore_txn *txn)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_help_must(yore_commit(txn, yore_str(""), &where, &err), &err, "commit");
    return where.version;
}

static void load(void *handle)
{
    store *self = handle;
    yore_txn *txn = begin(self, "");
    for (uint64_t i = 0; i < EXPERIMENT_KEYS; i++) {
        put(txn, i, 0);
    }
    self->newest = self->loaded = finish(txn);
}

static void commit(void *handle, uint64_t number, uint64_t other)
{
    store *self = handle;
    yore_txn *txn = begin(self, "");
    put(txn, 0, number);
    put(txn, other, number);
    self->newest = finish(txn);
}

static void fork_main(void *handle, const char *name)
{
    const store *self = handle;
    yore_help_must(yore_branch_create(self->db, yore_str(name), NULL, NULL, NULL), NULL, "branch_create");
}

static void change(void *handle, const char *name, uint64_t first, uint64_t n)
{
    yore_txn *txn = begin(handle, name);
    for (uint64_t i = 0; i < n; i++) {
        put(txn, first + i, UINT64_MAX);
    }
    finish(txn);
}

static void merge(void *handle, const char *from, const char *into)
{
    const store *self = handle;
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT;
    snprintf(at.branch, sizeof(at.branch), "%s", from);
    yore_help_must(yore_merge(self->db, &at, yore_str(into), NULL, yore_str(""), NULL, NULL, NULL, &err),
                   &err, "merge");
}

static uint64_t history(void *handle, uint64_t *bytes)
{
    const store *self = handle;
    yore_error err = YORE_ERROR_INIT;
    yore_iter *iter = NULL;
    static yore_row rows[ROWS];
    data_key key;
    uint64_t count = 0;
    size_t n = 0;
    bench_slice k = data_key_make(&key, 0);
    yore_help_must(yore_history(self->db, NULL, yore_bytes_key(k.data, k.size), NULL, &iter, &err), &err,
                   "history");
    for (;;) {
        yore_status status = yore_next(iter, rows, sizeof(rows[0]), ROWS, &n, &err);
        if (status == YORE_END) {
            break;
        }
        yore_help_must(status, &err, "next");
        for (size_t i = 0; i < n; i++) {
            *bytes += rows[i].value.size;
        }
        count += n;
    }
    yore_iter_close(iter);
    return count;
}

static uint64_t diff(void *handle, uint64_t commits, uint64_t *bytes)
{
    const store *self = handle;
    yore_error err = YORE_ERROR_INIT;
    yore_at from = YORE_AT_INIT;
    yore_at to = YORE_AT_INIT;
    yore_iter *iter = NULL;
    static yore_diff_row rows[ROWS];
    uint64_t count = 0;
    size_t n = 0;
    from.kind = to.kind = YORE_AT_VERSION;
    from.version = self->loaded;
    to.version = self->loaded + commits;
    yore_help_must(yore_diff(self->db, &from, &to, NULL, &iter, NULL, NULL, &err), &err, "diff");
    for (;;) {
        yore_status status = yore_diff_next(iter, rows, sizeof(rows[0]), ROWS, &n, &err);
        if (status == YORE_END) {
            break;
        }
        yore_help_must(status, &err, "diff_next");
        for (size_t i = 0; i < n; i++) {
            *bytes += rows[i].new_value.size;
        }
        count += n;
    }
    yore_iter_close(iter);
    return count;
}

static uint64_t stored_bytes(void *handle)
{
    const store *self = handle;
    return yore_help_stats(self->db).wal_bytes - self->wal_bytes;
}

const experiment_driver experiment_yore = {.open = open_store,
                                           .close = close_store,
                                           .load = load,
                                           .commit = commit,
                                           .fork = fork_main,
                                           .change = change,
                                           .merge = merge,
                                           .history = history,
                                           .diff = diff,
                                           .stored_bytes = stored_bytes};
