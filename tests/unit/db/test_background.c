/* The background thread's tick, called by hand on a simulated machine without threads, and what commits do in its
 * place there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/db/background.c"
#include "engine/db/handle.h"
#include "tests/support/env_sim.h"

static yore_db *opened(yr_sim *sim)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db = NULL;
    options.env = yr_sim_env(sim);
    options.create = true;
    options.sync = YORE_SYNC_GROUP;
    options.memory_bytes_max = 64 << 20;
    options.maintain_every = UINT32_MAX; /* flushes sync, too */
    assert_int_equal(yore_open("db", &options, &db, NULL), YORE_OK);
    return db;
}

static void closed(yr_sim *sim, yore_db *db)
{
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void put(yore_db *db)
{
    assert_int_equal(yore_db_put(db, yore_str(""), yore_str_key("k"), yore_str("v"), NULL, NULL), YORE_OK);
}

static bool is_durable(const yore_db *db)
{
    return yr_wal_durable_lsn(db->wal) == yr_wal_last_lsn(db->wal);
}

static uint64_t syncs(const yore_db *db)
{
    uint64_t files, bytes, n;
    yr_wal_stats(db->wal, &files, &bytes, &n);
    return n;
}

/* The leader appends and then finds the mark of an earlier commit still set, the thread takes the mark and then syncs:
 * neither order tells the processor to show the record to the sync. */
static void test_a_group_commit_that_the_sync_of_its_mark_missed_is_synced_a_tick_later(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(1);
    yore_db *db = opened(sim);
    yr_background background = {.store = &db->store};
    uint64_t seen = 0;
    uint32_t idle = 0;
    put(db);
    assert_false(is_durable(db));
    assert_true(tick(&background, &seen, &idle));
    assert_true(is_durable(db));
    put(db);
    atomic_store(&db->store.group_since_ns, 0); /* the mark went with the tick before */
    assert_true(tick(&background, &seen, &idle));
    assert_true(is_durable(db));
    uint64_t before = syncs(db);
    assert_true(tick(&background, &seen, &idle));
    assert_int_equal(syncs(db), before); /* nothing new, no sync */
    closed(sim, db);
}

static void test_without_a_thread_a_late_group_is_synced_once_not_ever_after(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(2);
    yore_db *db = opened(sim);
    put(db);
    for (int round = 0; round < 3; round++) {
        uint64_t before = syncs(db);
        put(db);
        assert_int_equal(syncs(db), before);
        yr_sim_advance_ns(sim, INT64_C(100000000));
        put(db);
        assert_int_equal(syncs(db), before + 1);
        assert_true(is_durable(db));
        put(db);
        assert_int_equal(syncs(db), before + 1);
    }
    closed(sim, db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_group_commit_that_the_sync_of_its_mark_missed_is_synced_a_tick_later),
        cmocka_unit_test(test_without_a_thread_a_late_group_is_synced_once_not_ever_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
