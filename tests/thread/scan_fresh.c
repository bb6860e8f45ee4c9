/* Scans beside a writer of single new keys: a snapshot's scan has every key committed up to its version and no other,
 * though the newest ones wait to be put in order when it begins. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yore.h>

enum { READERS = 2, SCANS_LEAST = 20 };

typedef struct run {
    yore_db *db;
    uint64_t first; /* version of the first key */
    uint64_t keys;
    _Atomic bool done;
    _Atomic uint64_t scans, failures;
} run;

/* The i-th key: spread out, so that the tree splits everywhere. */
static size_t key_of(uint64_t i, char *key)
{
    return (size_t)snprintf(key, 32, "%016llx", (unsigned long long)((i + 1) * UINT64_C(0x9E3779B97F4A7C15)));
}

static void fail(run *r, const char *what, uint64_t got, uint64_t expected)
{
    if (atomic_fetch_add(&r->failures, 1) == 0) {
        fprintf(stderr, "%s: %llu, not %llu\n", what, (unsigned long long)got, (unsigned long long)expected);
    }
}

static void scan_once(run *r)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = {.struct_size = sizeof where};
    yore_snap *snap;
    yore_iter *iter;
    if (yore_snap_open(r->db, NULL, &snap, &where, &err) < 0) {
        fail(r, err.message, 0, 0);
        return;
    }
    uint64_t expected = where.version < r->first ? 0 : where.version - r->first + 1;
    uint64_t count = 0;
    uint64_t newest = 0;
    if (yore_scan(snap, NULL, &iter, &err) < 0) {
        fail(r, err.message, 0, 0);
    } else {
        yore_row rows[64];
        size_t n;
        while (yore_next(iter, rows, sizeof rows[0], 64, &n, &err) == YORE_OK) {
            for (size_t i = 0; i < n; i++) newest = rows[i].version > newest ? rows[i].version : newest;
            count += n;
        }
        yore_iter_close(iter);
        if (count != expected) fail(r, "rows", count, expected);
        if (expected && newest != where.version) fail(r, "newest version", newest, where.version);
    }
    yore_snap_close(snap);
    atomic_fetch_add(&r->scans, 1);
}

static void *read_on(void *arg)
{
    run *r = arg;
    while (!atomic_load(&r->done)) scan_once(r);
    return NULL;
}

static int run_store(const char *path, uint32_t sync, uint64_t keys)
{
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    run r = {.keys = keys};
    pthread_t readers[READERS];
    options.create = true;
    options.sync = sync;
    if (yore_open(path, &options, &r.db, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    /* until there were some scans beside it, however busy the machine */
    for (uint64_t i = 0; i < keys || (i < 100 * keys && atomic_load(&r.scans) < SCANS_LEAST); i++) {
        char key[32];
        size_t size = key_of(i, key);
        yore_where where = {.struct_size = sizeof where};
        if (yore_db_put(r.db, yore_bytes(NULL, 0), yore_bytes_key(key, size), yore_bytes(key, 4), &where,
                        &err)) {
            fail(&r, err.message, i, 0);
            break;
        }
        if (i > 0) continue;
        r.first = where.version;
        for (int t = 0; t < READERS; t++) {
            if (pthread_create(&readers[t], NULL, read_on, &r)) abort();
        }
    }
    atomic_store(&r.done, true);
    for (int t = 0; t < READERS; t++) pthread_join(readers[t], NULL);
    scan_once(&r);
    yore_close(r.db);
    printf("%s: %llu keys, %llu scans, %llu failures\n", path, (unsigned long long)keys,
           (unsigned long long)r.scans, (unsigned long long)r.failures);
    return r.failures || r.scans < SCANS_LEAST;
}

int main(void)
{
    char dir[] = "/tmp/yore-scan-fresh-XXXXXX";
    if (!mkdtemp(dir)) return 1;
    char path[64], command[96];
    snprintf(path, sizeof path, "%s/store", dir);
    int failed = run_store(":memory:", YORE_SYNC_NONE, 3000);
    failed |= run_store(path, YORE_SYNC_OS, 3000);
    snprintf(path, sizeof path, "%s/synced", dir);
    failed |= run_store(path, YORE_SYNC_COMMIT, 300);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    failed |= system(command) != 0;
    return failed;
}
