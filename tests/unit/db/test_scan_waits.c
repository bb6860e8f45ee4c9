/* Nobody waits for a disk in the leader's place while new keys wait to be put in order: a scan would wait with them
 * (index/art.h, yr_store_settle). Every call that may touch a disk or sleep looks whether that is so. On the simulated
 * disk, without threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/db/background.c"
#include "engine/db/handle.h"
#include "tests/support/env_sim.h"

static struct {
    const yore_env *sim;
    yore_env env;
    yore_db *writer, *reader;
    uint64_t led;        /* calls made while one of the two is led */
    uint64_t would_wait; /* of those, while its keys wait */
    char what[64];
} watch;

static void look_at(const yore_db *db, const char *what)
{
    if (!db || !db->store.mem || !atomic_load(&db->store.leader)) return;
    watch.led++;
    if (yr_art_waiting(db->store.mem->art) == 0) return;
    if (watch.would_wait++ == 0) snprintf(watch.what, sizeof watch.what, "%s", what);
}

static void look(const char *what)
{
    look_at(watch.writer, what);
    look_at(watch.reader, what);
}

static int watched_sync(void *ctx, yore_file *file)
{
    look("sync");
    return watch.sim->sync(ctx, file);
}

static int watched_dir_sync(void *ctx, yore_dir *dir)
{
    look("dir_sync");
    return watch.sim->dir_sync(ctx, dir);
}

static int watched_open(void *ctx, yore_dir *dir, const char *name, uint32_t flags, yore_file **out)
{
    look("open");
    return watch.sim->open(ctx, dir, name, flags, out);
}

static int64_t watched_pread(void *ctx, yore_file *file, void *to, size_t size, uint64_t off)
{
    look("pread");
    return watch.sim->pread(ctx, file, to, size, off);
}

static void watched_sleep(void *ctx, int64_t ns)
{
    look("sleep");
    watch.sim->sleep_ns(ctx, ns);
}

static yore_db *opened(yr_sim *sim, uint32_t sync, bool read_only)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db = NULL;
    watch.sim = yr_sim_env(sim);
    watch.env = *watch.sim;
    watch.env.sync = watched_sync;
    watch.env.dir_sync = watched_dir_sync;
    watch.env.open = watched_open;
    watch.env.pread = watched_pread;
    watch.env.sleep_ns = watched_sleep;
    options.env = &watch.env;
    options.create = !read_only;
    options.read_only = read_only;
    options.sync = sync;
    options.memory_bytes_max = 64 << 20;
    options.wal_bytes_min = 16384;
    options.wal_bytes_max = 16384;
    options.maintain_every = UINT32_MAX; /* what is flushed does not wait */
    assert_int_equal(yore_open("db", &options, &db, NULL), YORE_OK);
    return db;
}

static void put_new(yore_db *db, uint32_t sync)
{
    static uint32_t last;
    char key[32];
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_txn *txn;
    options.sync = sync;
    snprintf(key, sizeof key, "key %u", ++last);
    assert_int_equal(yore_begin(db, yore_str(""), &options, &txn, NULL), YORE_OK);
    assert_int_equal(yore_put(txn, yore_str_key(key), yore_str("value"), NULL, NULL), YORE_OK);
    assert_int_equal(yore_commit(txn, yore_str(""), NULL, NULL), YORE_OK);
}

/* Somebody led and went to the disk, but not while keys waited. */
static void expect(uint64_t led_before)
{
    assert_true(watch.led > led_before); /* else nothing was tested */
    if (watch.would_wait) fail_msg("%s while keys waited", watch.what);
}

static void test_a_leader_that_waits_for_a_disk_has_settled(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(1);
    memset(&watch, 0, sizeof watch);
    yore_db *db = watch.writer = opened(sim, YORE_SYNC_GROUP, false);
    uint64_t led = watch.led;
    for (int i = 0; i < 1000; i++) put_new(db, YORE_SYNC_OS); /* moves on to other files */
    expect(led);

    led = watch.led;
    put_new(db, YORE_SYNC_OS);
    assert_true(yr_art_waiting(db->store.mem->art) > 0);
    put_new(db, YORE_SYNC_COMMIT);
    expect(led);

    led = watch.led;
    put_new(db, YORE_SYNC_GROUP);
    yr_sim_advance_ns(sim, INT64_C(100000000));
    put_new(db, YORE_SYNC_GROUP); /* late: the leader syncs */
    expect(led);

    put_new(db, YORE_SYNC_OS);
    yore_check_report report;
    assert_int_equal(yore_check(db, YORE_CHECK_DEEP, &report, NULL), YORE_OK);
    if (watch.would_wait) fail_msg("%s while keys waited", watch.what); /* if it leads at all */

    led = watch.led;
    put_new(db, YORE_SYNC_OS);
    yr_background background = {.store = &db->store};
    uint64_t seen = 0;
    uint32_t idle = 0;
    while (tick(&background, &seen, &idle)) {} /* until it seals */
    expect(led);

    led = watch.led;
    put_new(db, YORE_SYNC_OS);
    yore_snap *snap; /* keeps the handle */
    assert_int_equal(yore_snap_open(db, NULL, &snap, NULL, NULL), YORE_OK);
    yore_close(db);
    expect(led);
    watch.writer = NULL;
    yore_snap_close(snap);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void test_a_refresh_that_reads_has_settled(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(2);
    memset(&watch, 0, sizeof watch);
    yore_db *db = opened(sim, YORE_SYNC_OS, false);
    for (int i = 0; i < 3; i++) put_new(db, YORE_SYNC_OS);
    watch.reader = opened(sim, 0, true);
    uint64_t led = watch.led;
    for (int i = 0; i < 50; i++) {
        int puts = i == 30 ? 500 : i % 3; /* 500 fill several files */
        for (int j = 0; j < puts; j++) put_new(db, YORE_SYNC_OS);
        assert_int_equal(yore_refresh(watch.reader, NULL), YORE_OK);
    }
    expect(led);
    yore_db *reader = watch.reader;
    watch.reader = NULL;
    yore_close(reader);
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leader_that_waits_for_a_disk_has_settled),
        cmocka_unit_test(test_a_refresh_that_reads_has_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
