/* Backups of a store that is being written: each is a prefix of the commits made, whole, whatever writers, a reader
 * and other backups do meanwhile. On real files, with threads; also run with ThreadSanitizer. */
#define _DEFAULT_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/backup/backup_kit.h"

#if defined(__SANITIZE_THREAD__)
#define SLOW_DOWN 4
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLOW_DOWN 4
#endif
#endif
#ifndef SLOW_DOWN
#define SLOW_DOWN 1
#endif

enum { WRITERS = 2, COMMITS = 20000 / SLOW_DOWN, BACKUPS_MAX = 2000 };

typedef struct shared {
    yore_db *db;
    _Atomic uint32_t writers_left;
} shared;

/* Two keys are always written together, with one value: half a commit would show. */
static void *write_on(void *arg)
{
    shared *s = arg;
    yore_error err = YORE_ERROR_INIT;
    char value[64];
    for (int i = 0; i < COMMITS; i++) {
        yore_txn *txn;
        const char *branch = i % 3 ? "" : "exp";
        yore_status status = YORE_CONFLICT;
        while (status == YORE_CONFLICT) {
            int size = snprintf(value, sizeof value, "%d of some writer", i);
            kit_need(yore_begin(s->db, yore_str(branch), NULL, &txn, &err), &err);
            kit_need(yore_put(txn, yore_str_key("a"), yore_bytes(value, (size_t)size), NULL, &err), &err);
            kit_need(yore_put(txn, yore_str_key("b"), yore_bytes(value, (size_t)size), NULL, &err), &err);
            status = yore_commit(txn, yore_str(""), NULL, &err);
        }
        kit_need(status, &err);
        if (i % 500 == 0) {
            char name[32];
            (void)snprintf(name, sizeof name, "t-%d-%p", i, (void *)&value);
            kit_need(yore_tag_create(s->db, yore_str(name), NULL, NULL, &err), &err);
        }
    }
    atomic_fetch_sub(&s->writers_left, 1);
    return NULL;
}

static void expect_same_value(yore_db *db, const char *branch, uint64_t version)
{
    yore_at at = YORE_AT_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_snap *snap;
    yore_pin a = YORE_PIN_INIT, b = YORE_PIN_INIT;
    (void)snprintf(at.branch, sizeof at.branch, "%s", branch);
    at.kind = YORE_AT_VERSION;
    at.version = version;
    kit_need(yore_snap_open(db, &at, &snap, NULL, &err), &err);
    yore_status first = yore_get(snap, yore_str_key("a"), &a, &err);
    yore_status second = yore_get(snap, yore_str_key("b"), &b, &err);
    if (first != second || a.value.size != b.value.size ||
        (a.value.size && memcmp(a.value.data, b.value.data, a.value.size) != 0)) {
        fprintf(stderr, "FAILED: half a commit at v%llu\n", (unsigned long long)version);
        abort();
    }
    yore_unpin(&a);
    yore_unpin(&b);
    yore_snap_close(snap);
}

static char *path_of(const char *dir, const char *name, int number)
{
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s%d", dir, name, number);
    return path;
}

/* The chain up to `number` against the store it is of, and read as a store of its own. */
static void check_backup(const char *dir, int number, yore_db *db)
{
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    yore_db *look;
    options.compare = db;
    kit_need(yore_backup_verify(path_of(dir, "b", number), &options, NULL, &err), &err);
    options.compare = NULL;
    kit_need(yore_backup_open(path_of(dir, "b", number), &options, &look, &err), &err);
    uint64_t last = kit_version(look);
    for (uint64_t i = 0; i < 20; i++)
        expect_same_value(look, i % 2 ? "exp" : "", last - last * i / 21 < 2 ? 2 : last - last * i / 21);
    yore_close(look);
}

int main(void)
{
    char dir[] = "/tmp/yore-backup-XXXXXX", command[64];
    yore_error err = YORE_ERROR_INIT;
    yore_open_options open = YORE_OPEN_OPTIONS_INIT;
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    shared s = {.writers_left = WRITERS};
    pthread_t writers[WRITERS];
    uint64_t want = 0, got = 0;
    if (!mkdtemp(dir)) abort();
    open.create = true;
    open.sync = YORE_SYNC_OS;
    open.memory_bytes_max = 1 << 30;
    kit_need(yore_open(path_of(dir, "db", 0), &open, &s.db, &err), &err);
    kit_need(yore_branch_create(s.db, yore_str("exp"), NULL, NULL, &err), &err);
    for (int i = 0; i < WRITERS; i++) {
        if (pthread_create(&writers[i], NULL, write_on, &s) != 0) abort();
    }
    int made = 0;
    for (; atomic_load(&s.writers_left) && made < BACKUPS_MAX; made++) {
        char base[256];
        (void)snprintf(base, sizeof base, "%s", path_of(dir, "b", made - 1));
        options.base = made % 8 ? base : NULL;
        kit_need(yore_backup_make(s.db, path_of(dir, "b", made), &options, NULL, &err), &err);
        if (made % 8 == 5) check_backup(dir, made, s.db);
    }
    for (int i = 0; i < WRITERS; i++) (void)pthread_join(writers[i], NULL);
    for (int i = 0; i < made; i += 7) check_backup(dir, i, s.db);
    options.base = NULL;
    kit_need(yore_backup_make(s.db, path_of(dir, "b", made), &options, NULL, &err), &err);
    kit_need(yore_backup_restore(path_of(dir, "b", made), path_of(dir, "again", 0), &options, NULL, &err),
             &err);
    bool ok = kit_digest(s.db, &want) && kit_digest_of(NULL, path_of(dir, "again", 0), &got) && got == want;
    if (made < 3) ok = false; /* they did not meet */
    printf("%d backups beside %d writers, v%llu: %s\n", made, WRITERS, (unsigned long long)kit_version(s.db),
           ok ? "passed" : "FAILED");
    yore_close(s.db);
    (void)snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command) != 0 || !ok;
}
