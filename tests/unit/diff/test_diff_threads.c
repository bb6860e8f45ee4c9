/* Diffs while others write, fork, collect and compact: what is listed is what two snapshots of the same points differ
 * in. */
#define _DEFAULT_SOURCE /* mkdtemp */
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

enum { WRITERS = 2, READERS = 2, COMMITS = 1500, KEYS = 40, ROUNDS = 10 };

typedef struct world {
    yore_db *db;
    _Atomic uint64_t newest; /* a version that is there */
    _Atomic uint32_t branches;
    _Atomic bool stop;
    _Atomic uint64_t diffs, rows, refused;
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

static void *write_some(void *arg)
{
    const actor *a = arg;
    yr_rng rng = {a->seed};
    yore_error err = YORE_ERROR_INIT;
    for (uint32_t i = 0; i < COMMITS; i++) {
        char key[16], value[24], branch[16];
        yore_where where = YORE_WHERE_INIT;
        snprintf(key, sizeof key, "k%02u", (unsigned)yr_rng_below(&rng, KEYS));
        snprintf(value, sizeof value, "%u", (unsigned)yr_rng_below(&rng, 9));
        snprintf(branch, sizeof branch, "id:%u",
                 1 + (unsigned)yr_rng_below(&rng, atomic_load(&a->w->branches)));
        yore_status status =
            yr_rng_below(&rng, 4)
                ? yore_db_put(a->w->db, yore_str(branch), yore_str_key(key), yore_str(value), &where, &err)
                : yore_db_del(a->w->db, yore_str(branch), yore_str_key(key), &where, &err);
        if (status != YORE_NOT_FOUND) must_ok(status, &err, "write");
        if (status == YORE_OK) atomic_store(&a->w->newest, where.version);
    }
    return NULL;
}

static void *collect_some(void *arg)
{
    const actor *a = arg;
    yr_rng rng = {a->seed};
    yore_error err = YORE_ERROR_INIT;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        char name[16];
        yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
        yore_at from = YORE_AT_INIT;
        yore_retention keep = YORE_RETENTION_INIT;
        from.branch_id = 1 + (uint32_t)yr_rng_below(&rng, atomic_load(&a->w->branches));
        options.from = &from;
        snprintf(name, sizeof name, "b%u", i);
        must_ok(yore_branch_create(a->w->db, yore_str(name), &options, NULL, &err), &err, "fork");
        atomic_fetch_add(&a->w->branches, 1);
        keep.kind = YORE_RETENTION_VERSIONS;
        keep.versions = 60;
        must_ok(yore_branch_retention_set(a->w->db, yore_str(name), &keep, NULL, &err), &err, "rule");
        if (i % 3 == 0) must_ok(yore_gc(a->w->db, NULL, NULL, &err), &err, "gc");
        if (i % 3 == 1) must_ok(yore_compact(a->w->db, NULL, NULL, &err), &err, "compact");
        usleep(20000);
    }
    return NULL;
}

typedef struct shown {
    uint64_t version[KEYS];
    char value[KEYS][8];
} shown;

/* "k07" */
static uint32_t number_of(yore_slice key)
{
    const char *text = key.data;
    must(key.size == 3, "a key of three characters");
    return (uint32_t)(text[1] - '0') * 10 + (uint32_t)(text[2] - '0');
}

static void scan(yore_snap *snap, shown *out)
{
    yore_error err = YORE_ERROR_INIT;
    yore_iter *iter;
    yore_row row;
    size_t n;
    memset(out, 0, sizeof *out);
    must_ok(yore_scan(snap, NULL, &iter, &err), &err, "scan");
    while (yore_next(iter, &row, sizeof row, 1, &n, &err) == YORE_OK) {
        uint32_t k = number_of(row.key);
        out->version[k] = row.version;
        memcpy(out->value[k], row.value.data, row.value.size);
    }
    yore_iter_close(iter);
}

static void compare(world *w, yore_iter *iter, const shown *a, const shown *b)
{
    yore_error err = YORE_ERROR_INIT;
    yore_diff_row row;
    size_t n;
    for (uint32_t k = 0; k < KEYS; k++) {
        if (strcmp(a->value[k], b->value[k]) == 0) continue;
        must_ok(yore_diff_next(iter, &row, sizeof row, 1, &n, &err), &err, "a row is missing");
        must(number_of(row.key) == k, "another key");
        must(row.old_version == a->version[k], "another old version");
        must(row.new_version == b->version[k], "another new version");
        atomic_fetch_add(&w->rows, 1);
    }
    must(yore_diff_next(iter, &row, sizeof row, 1, &n, &err) == YORE_END, "a row too many");
}

static yore_at any_point(world *w, yr_rng *rng)
{
    yore_at at = YORE_AT_INIT;
    at.branch_id = 1 + (uint32_t)yr_rng_below(rng, atomic_load(&w->branches));
    at.kind = YORE_AT_VERSION;
    at.version = 1 + yr_rng_below(rng, atomic_load(&w->newest));
    return at;
}

static void *compare_some(void *arg)
{
    const actor *a = arg;
    yr_rng rng = {a->seed};
    yore_error err = YORE_ERROR_INIT;
    shown of_a, of_b;
    while (!atomic_load(&a->w->stop)) {
        yore_at at_a = any_point(a->w, &rng), at_b = any_point(a->w, &rng), now = YORE_AT_INIT;
        yore_snap *snap_a = NULL, *snap_b = NULL;
        yore_iter *iter = NULL;
        yore_diff_row row;
        size_t n;
        yore_status status = yore_snap_open(a->w->db, &at_a, &snap_a, NULL, &err);
        if (status == YORE_OK) status = yore_snap_open(a->w->db, &at_b, &snap_b, NULL, &err);
        if (status == YORE_OK) status = yore_diff(a->w->db, &at_a, &at_b, NULL, &iter, NULL, NULL, &err);
        if (status == YORE_OK) {
            scan(snap_a, &of_a);
            scan(snap_b, &of_b);
            compare(a->w, iter, &of_a, &of_b);
            atomic_fetch_add(&a->w->diffs, 1);
        } else {
            must(status == YORE_ERR_TRIMMED, err.message);
            atomic_fetch_add(&a->w->refused, 1);
        }
        yore_iter_close(iter);
        yore_snap_close(snap_a);
        yore_snap_close(snap_b);
        now.branch_id = at_a.branch_id; /* both are found at one moment */
        must_ok(yore_diff(a->w->db, &now, &now, NULL, &iter, NULL, NULL, &err), &err, "diff of now");
        must(yore_diff_next(iter, &row, sizeof row, 1, &n, &err) == YORE_END, "now is now");
        yore_iter_close(iter);
    }
    return NULL;
}

static void diffs_are_right_while_the_store_is_changed(void **state)
{
    (void)state;
    char dir[] = "/tmp/yore-diff-threads-XXXXXX", path[64];
    world w = {.branches = 1, .newest = 1};
    pthread_t threads[WRITERS + READERS + 1];
    actor actors[WRITERS + READERS + 1];
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    uint64_t seed = (uint64_t)time(NULL);
    printf("seed %" PRIu64 "\n", seed);
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/db", dir);
    options.create = true;
    options.sync = YORE_SYNC_OS;
    options.maintain_every = 50;
    assert_int_equal(yore_open(path, &options, &w.db, &err), YORE_OK);
    for (uint32_t i = 0; i < WRITERS + READERS + 1; i++) {
        void *(*does)(void *) = i < WRITERS             ? write_some
                                : i < WRITERS + READERS ? compare_some
                                                        : collect_some;
        actors[i] = (actor){&w, seed + i, i};
        assert_int_equal(pthread_create(&threads[i], NULL, does, &actors[i]), 0);
    }
    for (uint32_t i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    pthread_join(threads[WRITERS + READERS], NULL);
    atomic_store(&w.stop, true);
    for (uint32_t i = 0; i < READERS; i++) pthread_join(threads[WRITERS + i], NULL);
    printf("%" PRIu64 " diffs of %" PRIu64 " rows, %" PRIu64 " refused\n", w.diffs, w.rows, w.refused);
    assert_true(w.diffs > 0 && w.rows > 0);
    yore_close(w.db);
    char command[80];
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(diffs_are_right_while_the_store_is_changed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
