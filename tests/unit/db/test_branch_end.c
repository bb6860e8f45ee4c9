/* Branches with a time to live: they go when it is over and not before, never while something needs them, by a commit
 * like any other; and they can be recovered. On the simulated disk and clock, and with the thread of a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/env_sim.h"

#include <yore.h>

#define SECOND INT64_C(1000000000)
#define DAY (86400 * SECOND)

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static yore_db *opened(yr_sim *sim, bool read_only)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db = NULL;
    options.env = yr_sim_env(sim);
    options.create = !read_only;
    options.read_only = read_only;
    options.memory_bytes_max = 64 << 20;
    ok(yore_open("db", &options, &db, &err));
    return db;
}

static void create(yore_db *db, const char *name, const char *parent, int64_t ttl_ns)
{
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    snprintf(from.branch, sizeof from.branch, "%s", parent);
    options.from = &from;
    options.ttl_ns = ttl_ns;
    ok(yore_branch_create(db, yore_str(name), &options, NULL, &err));
}

static bool lives(yore_db *db, const char *name)
{
    yore_branch_info info = {.struct_size = sizeof info};
    return yore_branch_info_get(db, yore_str(name), &info, &err) == YORE_OK && info.deleted_version == 0;
}

static void put(yore_db *db, const char *branch, const char *key)
{
    ok(yore_db_put(db, yore_str(branch), yore_str_key(key), yore_str("x"), NULL, &err));
}

/* Time goes by, and somebody commits. */
static void pass(yr_sim *sim, yore_db *db, int64_t ns)
{
    yr_sim_advance_ns(sim, ns);
    put(db, "default", "tick");
}

static void test_a_branch_goes_when_its_time_is_over(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(1);
    yore_db *db = opened(sim, false);
    create(db, "day", "default", DAY);
    create(db, "week", "default", 7 * DAY);
    create(db, "ever", "default", 0);
    create(db, "far", "default", INT64_MAX);
    put(db, "day", "k");
    pass(sim, db, DAY - SECOND);
    assert_true(lives(db, "day"));
    pass(sim, db, 2 * SECOND);
    assert_false(lives(db, "day"));
    assert_true(lives(db, "week"));
    pass(sim, db, 400 * DAY);
    assert_false(lives(db, "week"));
    assert_true(lives(db, "ever"));
    assert_true(lives(db, "far"));
    yore_close(db);
    db = opened(sim, false);
    assert_false(lives(db, "day"));
    assert_true(lives(db, "ever"));
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void test_it_goes_by_a_commit_and_can_be_recovered(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(2);
    yore_db *db = opened(sim, false);
    yore_pin pin = YORE_PIN_INIT;
    yore_branch_info info = {.struct_size = sizeof info};
    create(db, "day", "default", DAY);
    put(db, "day", "k");
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    snprintf(at.branch, sizeof at.branch, "day");
    ok(yore_snap_open(db, &at, &snap, NULL, &err));
    pass(sim, db, 2 * DAY);
    assert_false(lives(db, "day"));
    ok(yore_get(snap, yore_str_key("k"), &pin, &err)); /* an open snapshot is unharmed */
    yore_unpin(&pin);
    yore_snap_close(snap);
    ok(yore_branch_info_get(db, yore_str("id:2"), &info, &err));
    yore_commit_info commit = {.struct_size = sizeof commit};
    ok(yore_commit_get(db, info.deleted_version, &commit, &err));
    assert_int_equal(commit.kind, YORE_COMMIT_BRANCH);
    yore_commit_release(&commit);
    ok(yore_branch_recover(db, yore_str("day"), yore_str(""), NULL, &err));
    pass(sim, db, 2 * DAY);
    assert_true(lives(db, "day")); /* its time was over: it has none any more */
    ok(yore_db_get(db, yore_str("day"), yore_str_key("k"), &pin, &err));
    yore_unpin(&pin);
    ok(yore_branch_info_get(db, yore_str("day"), &info, &err));
    assert_int_equal(info.ttl_ns, 0);
    /* one that is recovered in time keeps its time */
    create(db, "soon", "default", DAY);
    ok(yore_branch_delete(db, yore_str("soon"), false, NULL, NULL, &err));
    ok(yore_branch_recover(db, yore_str("soon"), yore_str(""), NULL, &err));
    pass(sim, db, 2 * DAY);
    assert_false(lives(db, "soon"));
    yore_close(db);
    yr_sim_destroy(sim);
}

static void test_it_stays_while_it_has_children_or_is_written(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(3);
    yore_db *db = opened(sim, false);
    yore_txn *txn;
    create(db, "parent", "default", DAY);
    create(db, "child", "parent", 3 * DAY);
    create(db, "chain1", "default", DAY);
    create(db, "chain2", "chain1", DAY);
    create(db, "chain3", "chain2", DAY);
    create(db, "busy", "default", DAY);
    ok(yore_begin(db, yore_str("busy"), NULL, &txn, &err));
    ok(yore_put(txn, yore_str_key("k"), yore_str("v"), NULL, &err));
    pass(sim, db, DAY + SECOND);
    assert_true(lives(db, "parent"));
    assert_true(lives(db, "child"));
    assert_false(lives(db, "chain1")); /* all of it had ended: all at once */
    assert_false(lives(db, "chain2"));
    assert_false(lives(db, "chain3"));
    assert_true(lives(db, "busy"));
    ok(yore_commit(txn, yore_str(""), NULL, &err));
    pass(sim, db, 20 * SECOND);
    assert_false(lives(db, "busy"));
    pass(sim, db, 3 * DAY);
    assert_false(lives(db, "child"));
    assert_false(lives(db, "parent"));
    yore_close(db);
    yr_sim_destroy(sim);
}

static void test_a_writer_that_opens_deletes_what_ended_and_a_reader_does_not(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(4);
    yore_db *db = opened(sim, false);
    create(db, "day", "default", DAY);
    yore_close(db);
    yr_sim_advance_ns(sim, 2 * DAY);
    db = opened(sim, true);
    assert_true(lives(db, "day"));
    yore_close(db);
    db = opened(sim, false);
    assert_false(lives(db, "day"));
    yore_close(db);
    db = opened(sim, true);
    assert_false(lives(db, "day"));
    yore_close(db);
    yr_sim_destroy(sim);
}

/* More than go with one commit, with children and without. */
static void test_thousands_go_at_once(void **state)
{
    enum { MANY = 10000 };
    (void)state;
    yr_sim *sim = yr_sim_create(5);
    yore_db *db = opened(sim, false);
    char name[32], parent[32];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "b%d", i);
        snprintf(parent, sizeof parent, "b%d", i - 1);
        create(db, name, i % 4 ? parent : "default", DAY);
    }
    pass(sim, db, 2 * DAY);
    yore_stats stats = {.struct_size = sizeof stats};
    ok(yore_stats_get(db, &stats, &err));
    assert_int_equal(stats.branches, 1);
    yore_close(db);
    yr_sim_destroy(sim);
}

static void wait_gone(yore_db *db, const char *name)
{
    const yore_env *env = yore_env_default();
    for (int i = 0; i < 5000 && lives(db, name); i++) env->sleep_ns(env->ctx, 2000000);
    assert_false(lives(db, name));
}

/* Nobody commits: the thread wakes by itself. */
static void test_a_thread_does_it_where_there_are_threads(void **state)
{
    (void)state;
    yore_db *db;
    ok(yore_open(":memory:", NULL, &db, &err));
    create(db, "later", "default", 7 * DAY);
    create(db, "soon", "default", SECOND / 50);
    wait_gone(db, "soon");
    create(db, "next", "default", SECOND / 50);
    wait_gone(db, "next");
    assert_true(lives(db, "later"));
    yore_close(db);
}

/* What is deleted is not waited for, so that recovering it must say that it ends. */
static void test_the_thread_hears_of_one_that_is_recovered(void **state)
{
    (void)state;
    yore_db *db;
    ok(yore_open(":memory:", NULL, &db, &err));
    create(db, "again", "default", 3 * SECOND);
    create(db, "soon", "default", SECOND / 50);
    ok(yore_branch_delete(db, yore_str("again"), false, NULL, NULL, &err));
    wait_gone(db, "soon"); /* the thread has looked at all, and nothing else ends */
    ok(yore_branch_recover(db, yore_str("again"), yore_str(""), NULL, &err));
    wait_gone(db, "again");
    yore_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_branch_goes_when_its_time_is_over),
        cmocka_unit_test(test_it_goes_by_a_commit_and_can_be_recovered),
        cmocka_unit_test(test_it_stays_while_it_has_children_or_is_written),
        cmocka_unit_test(test_a_writer_that_opens_deletes_what_ended_and_a_reader_does_not),
        cmocka_unit_test(test_thousands_go_at_once),
        cmocka_unit_test(test_a_thread_does_it_where_there_are_threads),
        cmocka_unit_test(test_the_thread_hears_of_one_that_is_recovered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
