/* What readers can see in the middle of a commit, at its named points and while its sync is under way:
 * nothing of it. A look from the simulated disk's hook, through a snapshot of the writer's handle and
 * through a reader of its own. In the build with planted bugs a publish before the sync, or before the rows,
 * must be noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <yore.h>

#include "engine/base/planted.h"
#include "tests/support/env_sim.h"

typedef struct look {
    yr_sim *sim;
    yore_db *db;
    uint64_t acked;   /* the newest acknowledged version */
    uint32_t looks;   /* into syncs and at named points */
    uint32_t too_new; /* looks that showed an unsynced commit */
    bool is_armed;
} look;

static yore_open_options options_for(yr_sim *sim)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(sim);
    options.memory_bytes_max = 16 << 20;
    options.wal_bytes_min = 4096;
    options.wal_bytes_max = 16384;
    options.sync = YORE_SYNC_COMMIT;
    options.maintain_every = UINT32_MAX; /* a look from the middle of a flush would show its own commit */
    return options;
}

static bool sees_more(const look *l, yore_db *db)
{
    yore_stats stats = {.struct_size = sizeof stats};
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_snap *snap = NULL;
    yore_pin pin = YORE_PIN_INIT;
    assert_int_equal(yore_stats_get(db, &stats, &err), YORE_OK);
    assert_int_equal(yore_snap_open(db, NULL, &snap, &where, &err), YORE_OK);
    char key[32];
    snprintf(key, sizeof key, "key/%llu", (unsigned long long)l->acked + 1);
    bool found = yore_get(snap, yore_str_key(key), &pin, &err) == YORE_OK;
    yore_snap_close(snap);
    return found || stats.version > l->acked || where.version > l->acked;
}

static void look_inside(void *arg, yr_sim *sim, uint32_t kind, const char *point)
{
    look *l = arg;
    if (!l->is_armed || !(kind == YR_SIM_OP_SYNC || point)) return;
    l->looks++;
    bool more = sees_more(l, l->db);
    yore_open_options options = options_for(sim);
    yore_error err = YORE_ERROR_INIT;
    yore_db *reader = NULL;
    options.read_only = true;
    assert_int_equal(yore_open("db", &options, &reader, &err), YORE_OK);
    more |= sees_more(l, reader);
    yore_close(reader);
    l->too_new += more;
}

static look run(void)
{
    look l = {.sim = yr_sim_create(3)};
    yore_open_options options = options_for(l.sim);
    yore_error err = YORE_ERROR_INIT;
    options.create = true;
    assert_int_equal(yore_open("db", &options, &l.db, &err), YORE_OK);
    l.acked = 1;
    yr_sim_set_hook(l.sim, look_inside, &l);
    for (int i = 0; i < 60; i++) {
        char key[32], name[32];
        yore_where where = YORE_WHERE_INIT;
        snprintf(key, sizeof key, "key/%llu", (unsigned long long)l.acked + 1);
        snprintf(name, sizeof name, "branch-%d", i);
        l.is_armed = true;
        yore_status status =
            i % 10 == 9 ? yore_branch_create(l.db, yore_str(name), NULL, &where, &err)
                        : yore_db_put(l.db, yore_str(""), yore_str_key(key), yore_str("v"), &where, &err);
        l.is_armed = false;
        assert_int_equal(status, YORE_OK);
        l.acked = where.version;
    }
    yr_sim_set_hook(l.sim, NULL, NULL);
    yore_close(l.db);
    assert_false(yr_sim_has_leaks(l.sim));
    yr_sim_destroy(l.sim);
    return l;
}

static void test_a_commit_is_invisible_until_it_is_written_and_synced(void **state)
{
    (void)state;
    look l = run();
    print_message("%u looks in the middle of a commit\n", l.looks);
    assert_true(l.looks >= 120);
    assert_int_equal(l.too_new, 0);
}

#ifdef YORE_PLANTED_BUGS
static void expect_caught(enum yr_bug bug, const char *name)
{
    yr_planted_bug = bug;
    look l = run();
    yr_planted_bug = YR_BUG_NONE;
    print_message("%s: caught, %u of %u looks in the middle of a commit showed it\n", name, l.too_new,
                  l.looks);
    assert_true(l.too_new > 0);
}

static void test_publishing_before_the_sync_is_caught(void **state)
{
    (void)state;
    expect_caught(YR_BUG_PUBLISH_BEFORE_SYNC, "publish before sync");
}

static void test_publishing_before_the_rows_is_caught(void **state)
{
    (void)state;
    expect_caught(YR_BUG_RELAXED_PUBLISH, "relaxed publish");
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_commit_is_invisible_until_it_is_written_and_synced),
#ifdef YORE_PLANTED_BUGS
        cmocka_unit_test(test_publishing_before_the_sync_is_caught),
        cmocka_unit_test(test_publishing_before_the_rows_is_caught),
#endif
    };
    return cmocka_run_group_tests_name("publish order", tests, NULL, NULL);
}
