/* A scan holds what the rows of its batch borrow, however many it passes over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/env_sim.h"

#include <yore.h>

enum { KEYS = 60000, KEYS_A_COMMIT = 2000, KEY_BYTES = 200, BUDGET = 16 << 20 };

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static void write_all(yore_db *db, const char *branch, bool deletes)
{
    char key[KEY_BYTES];
    memset(key, 'k', sizeof key);
    for (uint32_t n = 0; n < KEYS;) {
        yore_txn *txn;
        ok(yore_begin(db, yore_str(branch), NULL, &txn, &err));
        for (uint32_t end = n + KEYS_A_COMMIT; n < end; n++) {
            snprintf(key, 12, "%08u", n);
            yore_key at = yore_bytes_key(key, sizeof key);
            ok(deletes ? yore_del(txn, at, NULL, &err) : yore_put(txn, at, yore_str("1"), NULL, &err));
        }
        ok(yore_commit(txn, yore_str(""), NULL, &err));
    }
}

static void keys_that_do_not_show_are_passed_over_without_being_held(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(3);
    yore_db *db;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(sim);
    options.create = true;
    options.sync = YORE_SYNC_OS;
    options.memory_budget = BUDGET;
    ok(yore_open("db", &options, &db, &err));
    write_all(db, "", false);
    ok(yore_branch_create(db, yore_str("empty"), NULL, NULL, &err));
    write_all(db, "empty", true);
    ok(yore_compact(db, NULL, NULL, &err));
    yore_at at = YORE_AT_INIT;
    snprintf(at.branch, sizeof at.branch, "empty");
    for (int reverse = 0; reverse < 2; reverse++) {
        yore_snap *snap;
        yore_iter *iter;
        yore_row row;
        size_t n;
        yore_range range = YORE_RANGE_INIT;
        range.reverse = reverse;
        ok(yore_snap_open(db, &at, &snap, NULL, &err));
        ok(yore_scan(snap, &range, &iter, &err));
        yr_sim_leaks before = yr_sim_leaks_of(sim);
        assert_int_equal(yore_next(iter, &row, sizeof row, 1, &n, &err), YORE_END);
        yr_sim_leaks after = yr_sim_leaks_of(sim);
        /* the block cache has an eighth of the budget */
        assert_true(after.bytes < before.bytes + BUDGET / 4);
        yore_iter_close(iter);
        yore_snap_close(snap);
    }
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_do_not_show_are_passed_over_without_being_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
