/* Collecting, erasing and compacting while others write, tag and read: what a reader is shown is right, or it is told
 * that it is gone. */
#define _DEFAULT_SOURCE /* mkdtemp, usleep */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/rng.h"

#include <yore.h>

enum { WRITERS = 2, READERS = 2, COMMITS = 1500, KEYS = 20, ROUNDS = 12 };

typedef struct world {
    yore_db *db;
    _Atomic uint64_t newest; /* a version that is there */
    _Atomic bool stop;
    _Atomic uint64_t shown, refused;
} world;

typedef struct actor {
    world *w;
    uint64_t seed;
    uint32_t id;
} actor;

/* In threads cmocka's own do not work: they jump. */
static void must(bool fact, const char *what)
{
    if (fact) return;
    fprintf(stderr, "failed: %s\n", what);
    abort();
}

static void must_ok(yore_status status, const yore_error *err, const char *what)
{
    if (status == YORE_OK) return;
    fprintf(stderr, "failed: %s: %s\n", what, status < 0 ? err->message : yore_status_name(status));
    abort();
}

/* A commit writes one key: its value is the version that the commit before saw, which is below its own. */
static void *write_some(void *arg)
{
    const actor *a = arg;
    yr_rng rng = {a->seed};
    yore_error err = YORE_ERROR_INIT;
    for (uint32_t i = 0; i < COMMITS; i++) {
        char key[16], value[24];
        yore_where where = YORE_WHERE_INIT;
        snprintf(key, sizeof key, "k%u", (unsigned)yr_rng_below(&rng, KEYS));
        snprintf(value, sizeof value, "%" PRIu64, atomic_load(&a->w->newest));
        const char *branch = yr_rng_below(&rng, 2) ? "default" : "exp";
        must_ok(yore_db_put(a->w->db, yore_str(branch), yore_str_key(key), yore_str(value), &where, &err),
                &err, "put");
        atomic_store(&a->w->newest, where.version);
        if (i % 200 == 0) {
            char tag[16];
            yore_at at = YORE_AT_INIT;
            at.kind = YORE_AT_VERSION;
            at.version = where.version;
            snprintf(tag, sizeof tag, "t%u-%u", a->id, i);
            yore_status status = yore_tag_create(a->w->db, yore_str(tag), &at, NULL, &err);
            must(status == YORE_OK || status == YORE_ERR_TRIMMED, "tag");
        }
    }
    return NULL;
}

/* Any point: it cannot be read, or what it shows is not from later, and the same when it is read again. */
static void *read_some(void *arg)
{
    const actor *a = arg;
    yr_rng rng = {a->seed};
    yore_error err = YORE_ERROR_INIT;
    while (!atomic_load(&a->w->stop)) {
        yore_at at = YORE_AT_INIT;
        yore_snap *snap;
        at.kind = YORE_AT_VERSION;
        at.version = 1 + yr_rng_below(&rng, atomic_load(&a->w->newest));
        if (yr_rng_below(&rng, 2)) memcpy(at.branch, "exp", 4);
        yore_status status = yore_snap_open(a->w->db, &at, &snap, NULL, &err);
        if (status == YORE_ERR_TRIMMED) {
            must(err.version > at.version, "the oldest point is later than the refused one");
            atomic_fetch_add(&a->w->refused, 1);
            continue;
        }
        must_ok(status, &err, "open");
        char key[16];
        yore_pin first = YORE_PIN_INIT, again = YORE_PIN_INIT;
        snprintf(key, sizeof key, "k%u", (unsigned)yr_rng_below(&rng, KEYS));
        status = yore_get(snap, yore_str_key(key), &first, &err);
        must(status == YORE_OK || status == YORE_NOT_FOUND, "get");
        if (status == YORE_OK) must(first.version <= at.version, "a value from later");
        usleep(100);
        must(yore_get(snap, yore_str_key(key), &again, &err) == status, "get again");
        if (status == YORE_OK) must(again.version == first.version, "another value");
        yore_unpin(&first);
        yore_unpin(&again);
        yore_snap_close(snap);
        atomic_fetch_add(&a->w->shown, 1);
    }
    return NULL;
}

static void *collect_some(void *arg)
{
    const actor *a = arg;
    yore_error err = YORE_ERROR_INIT;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        yore_retention keep = YORE_RETENTION_INIT;
        keep.kind = YORE_RETENTION_VERSIONS;
        keep.versions = 20 + i;
        must_ok(yore_branch_retention_set(a->w->db, yore_str(i % 2 ? "exp" : "default"), &keep, NULL, &err),
                &err, "rule");
        must_ok(yore_gc(a->w->db, NULL, NULL, &err), &err, "gc");
        if (i % 4 == 1) {
            yore_erase_options options = YORE_ERASE_OPTIONS_INIT;
            options.all_branches = true;
            must_ok(yore_erase(a->w->db, yore_str(""), yore_str_key("erased"), &options, NULL, &err), &err,
                    "erase");
        }
        if (i % 4 == 3) must_ok(yore_compact(a->w->db, NULL, NULL, &err), &err, "compact");
    }
    return NULL;
}

static void test_readers_are_right_or_refused_while_history_goes(void **state)
{
    (void)state;
    char path[] = "/tmp/yore-retention-XXXXXX";
    world w = {0};
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    uint64_t seed = (uint64_t)time(NULL);
    printf("seed %" PRIu64 "\n", seed);
    assert_non_null(mkdtemp(path));
    options.create = true;
    options.sync = YORE_SYNC_OS;
    options.memory_bytes_max = 64 << 20;
    options.memtable_bytes = 64 << 10;
    assert_int_equal(yore_open(path, &options, &w.db, &err), YORE_OK);
    assert_int_equal(yore_db_put(w.db, yore_str(""), yore_str_key("erased"), yore_str("x"), NULL, &err),
                     YORE_OK);
    assert_int_equal(yore_branch_create(w.db, yore_str("exp"), NULL, NULL, &err), YORE_OK);
    atomic_store(&w.newest, 3);
    pthread_t threads[WRITERS + READERS + 1];
    actor actors[WRITERS + READERS + 1];
    for (uint32_t i = 0; i < WRITERS + READERS + 1; i++) {
        actors[i] = (actor){.w = &w, .seed = seed + i, .id = i};
        void *(*run)(void *) = i < WRITERS ? write_some : i < WRITERS + READERS ? read_some : collect_some;
        assert_int_equal(pthread_create(&threads[i], NULL, run, &actors[i]), 0);
    }
    for (uint32_t i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    pthread_join(threads[WRITERS + READERS], NULL);
    atomic_store(&w.stop, true);
    for (uint32_t i = WRITERS; i < WRITERS + READERS; i++) pthread_join(threads[i], NULL);
    printf("%" PRIu64 " points read, %" PRIu64 " refused\n", atomic_load(&w.shown), atomic_load(&w.refused));
    yore_check_report report = {.struct_size = sizeof report};
    assert_int_equal(yore_check(w.db, YORE_CHECK_DEEP, &report, &err), YORE_OK);
    yore_close(w.db);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", path);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_are_right_or_refused_while_history_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
