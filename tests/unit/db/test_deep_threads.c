/* Readers of a deep lineage make its skips while the lineage grows and branches of it come and go. */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"

#include <yore.h>

enum { DEPTH = 90, GROWN = 120, READERS = 3, ROUNDS = 60, READS = 200 };

typedef struct world {
    yore_db *db;
    _Atomic uint32_t depth; /* branches b2 .. exist */
    _Atomic bool stop;
    _Atomic uint32_t wrong;
    _Atomic uint32_t rounds; /* of readers */
} world;

static void must(yore_status status, const yore_error *err)
{
    if (status == YORE_OK) return;
    fprintf(stderr, "%s\n", err->message);
    abort();
}

static void name_of(uint32_t depth, char name[YORE_BRANCH_NAME_MAX + 1])
{
    snprintf(name, YORE_BRANCH_NAME_MAX + 1, depth == 1 ? "default" : "b%" PRIu32, depth);
}

/* Each hop has a key of its own; the root has one that is never written again. */
static void grow(world *w)
{
    yore_error err = YORE_ERROR_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    char name[YORE_BRANCH_NAME_MAX + 1], key[16];
    uint32_t depth = atomic_load_explicit(&w->depth, memory_order_relaxed) + 1;
    name_of(depth - 1, from.branch);
    name_of(depth, name);
    options.from = &from;
    must(yore_branch_create(w->db, yore_str(name), &options, NULL, &err), &err);
    snprintf(key, sizeof key, "own%" PRIu32, depth);
    must(yore_db_put(w->db, yore_str(name), yore_str_key(key), yore_str(key), NULL, &err), &err);
    atomic_store_explicit(&w->depth, depth, memory_order_release);
}

static void *read_on(void *arg)
{
    world *w = arg;
    yore_error err = YORE_ERROR_INIT;
    yr_rng rng = {(uint64_t)(uintptr_t)&err};
    while (!atomic_load_explicit(&w->stop, memory_order_relaxed)) {
        yore_at at = YORE_AT_INIT;
        yore_snap *snap;
        char key[16];
        uint32_t depth = atomic_load_explicit(&w->depth, memory_order_acquire);
        if (yr_rng_below(&rng, 4) == 0) depth = 2 + (uint32_t)yr_rng_below(&rng, depth - 1);
        name_of(depth, at.branch);
        must(yore_snap_open(w->db, &at, &snap, NULL, &err), &err);
        for (uint32_t i = 0; i < READS; i++) {
            yore_pin pin = YORE_PIN_INIT;
            uint32_t own = 2 + (uint32_t)yr_rng_below(&rng, GROWN + 10);
            snprintf(key, sizeof key, "own%" PRIu32, own);
            yore_status status = yore_get(snap, yore_str_key(key), &pin, &err);
            if (status != (own <= depth ? YORE_OK : YORE_NOT_FOUND)) atomic_fetch_add(&w->wrong, 1);
            yore_unpin(&pin);
        }
        yore_snap_close(snap);
        atomic_fetch_add(&w->rounds, 1);
    }
    return NULL;
}

static void test_readers_flatten_while_a_lineage_grows(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    world w = {.depth = 1};
    pthread_t readers[READERS];
    yore_flatten_report report = {.struct_size = sizeof report};
    must(yore_open(":memory:", NULL, &w.db, &err), &err);
    while (w.depth < DEPTH) grow(&w);
    for (uint32_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, &w), 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
        yore_at from = YORE_AT_INIT;
        name_of(DEPTH, from.branch);
        options.from = &from;
        if (i % 2 == 0 && w.depth < GROWN) grow(&w);
        must(yore_branch_create(w.db, yore_str("side"), &options, NULL, &err), &err);
        must(yore_branch_flatten(w.db, yore_str("side"), NULL, &err), &err);
        must(yore_branch_delete(w.db, yore_str("side"), false, NULL, NULL, &err), &err); /* and its skip */
        while (atomic_load(&w.rounds) < i * READERS) sched_yield();
    }
    atomic_store(&w.stop, true);
    for (uint32_t i = 0; i < READERS; i++) assert_int_equal(pthread_join(readers[i], NULL), 0);
    assert_int_equal(w.wrong, 0);
    char name[YORE_BRANCH_NAME_MAX + 1];
    name_of(w.depth, name);
    must(yore_branch_flatten(w.db, yore_str(name), &report, &err), &err);
    assert_true(report.steps < 12);
    yore_close(w.db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readers_flatten_while_a_lineage_grows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
