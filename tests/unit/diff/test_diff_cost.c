/* A diff reads what was changed between its points, however large the store is and whatever happened elsewhere.
 *
 *     test_diff_cost [KEYS]      also says how long it took */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/env_sim.h"

#include <yore.h>

enum { CHANGES = 10, KEYS_A_COMMIT = 1000, TIMES = 200 };

static uint64_t key_count = 30000;
static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static void write_keys(yore_db *db, const char *branch, uint64_t first, uint64_t step, uint64_t count,
                       const char *value)
{
    yore_txn *txn;
    ok(yore_begin(db, yore_str(branch), NULL, &txn, &err));
    for (uint64_t i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof key, "user/%010" PRIu64 "/name", (first + i * step) % key_count);
        ok(yore_put(txn, yore_str_key(key), yore_str(value), NULL, &err));
    }
    ok(yore_commit(txn, yore_str("a note that is no news to anybody"), NULL, &err));
}

static void fork_now(yore_db *db, const char *name)
{
    ok(yore_branch_create(db, yore_str(name), NULL, NULL, &err));
}

/* Many keys; "exp" forked; ten commits on each side, among many others on a third branch and to the other side's keys;
 * many more since. */
static void fill(yore_db *db)
{
    for (uint64_t n = 0; n < key_count; n += KEYS_A_COMMIT) write_keys(db, "", n, 1, KEYS_A_COMMIT, "first");
    fork_now(db, "exp");
    fork_now(db, "busy");
    for (uint64_t n = 0; n < CHANGES; n++) {
        write_keys(db, "exp", n * 7919, 1, 1, "on the branch");
        write_keys(db, "busy", n * 31, 5, 50, "elsewhere");
        write_keys(db, "", n * 104729, 1, 1, "on the trunk");
    }
    for (uint64_t n = 0; n < key_count / 100; n++) write_keys(db, "busy", n * 17, 3, 3, "elsewhere, later");
}

static yore_at point(const char *branch, uint64_t version)
{
    yore_at at = YORE_AT_INIT;
    snprintf(at.branch, sizeof at.branch, "%s", branch);
    at.kind = version ? YORE_AT_VERSION : YORE_AT_NOW;
    at.version = version;
    return at;
}

static uint64_t count_rows(yore_db *db, const yore_at *a, const yore_at *b, uint32_t primitive,
                           yore_diff_info *info)
{
    yore_iter *iter;
    yore_diff_row rows[64];
    yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
    uint64_t count = 0;
    size_t n;
    options.primitive = primitive;
    ok(yore_diff(db, a, b, &options, &iter, NULL, NULL, &err));
    while (yore_diff_next(iter, rows, sizeof rows[0], 64, &n, &err) == YORE_OK) count += n;
    *info = (yore_diff_info)YORE_DIFF_INFO_INIT;
    ok(yore_diff_info_get(iter, info, &err));
    yore_iter_close(iter);
    return count;
}

static int64_t now_ns(void)
{
    const yore_env *env = yore_env_default();
    return env->monotonic_ns(env->ctx);
}

static void expect_cost(yore_db *db, const char *what, const yore_at *a, const yore_at *b, uint64_t rows,
                        uint64_t touched)
{
    yore_diff_info info;
    for (uint32_t i = 0; i < 2; i++) {
        int64_t first = 0, least = INT64_MAX;
        for (int k = 0; k < TIMES; k++) { /* others use the machine as well: the least is what it takes */
            int64_t begin = now_ns();
            assert_int_equal(count_rows(db, a, b, i ? YORE_ANY_PRIMITIVE : YORE_KV, &info), rows);
            int64_t taken = now_ns() - begin;
            if (k == 0) first = taken;
            if (taken < least) least = taken;
        }
        assert_true(info.commits + info.rows <= touched);
        assert_true(info.keys <= touched);
        printf("%-44s %s: %" PRIu64 " rows, %" PRIu64 " commits, %" PRIu64 " of their rows, %" PRIu64
               " keys, %u walked, %u scanned; %.3f ms, at best %.3f ms\n",
               what, i ? "any" : "kv ", rows, info.commits, info.rows, info.keys, info.hops_walked,
               info.hops_scanned, (double)first / 1e6, (double)least / 1e6);
    }
}

static void expect_all(yore_db *db, const char *where)
{
    char what[64];
    yore_branch_info exp = {.struct_size = sizeof exp};
    ok(yore_branch_info_get(db, yore_str("exp"), &exp, &err));
    const yore_at trunk = point("", 0), branch = point("exp", 0), fork = point("", exp.fork_version);
    snprintf(what, sizeof what, "%s: trunk and branch", where);
    expect_cost(db, what, &trunk, &branch, 2 * CHANGES - 1, 3 * CHANGES); /* both wrote key 0 */
    snprintf(what, sizeof what, "%s: fork point and branch", where);
    expect_cost(db, what, &fork, &branch, CHANGES, CHANGES);
    snprintf(what, sizeof what, "%s: fork point and trunk", where);
    expect_cost(db, what, &fork, &trunk, CHANGES, 2 * CHANGES);
    snprintf(what, sizeof what, "%s: a day in the life of the trunk", where);
    const yore_at from = point("", exp.fork_version - 1);
    const yore_at to = point("", exp.fork_version);
    expect_cost(db, what, &from, &to, KEYS_A_COMMIT, KEYS_A_COMMIT + 1);
}

static void a_diff_reads_what_was_changed(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(1);
    yore_db *db;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(sim);
    options.create = true;
    options.sync = YORE_SYNC_OS;
    ok(yore_open("db", &options, &db, &err));
    fill(db);
    expect_all(db, "in memory");
    ok(yore_compact(db, NULL, NULL, &err));
    expect_all(db, "one run");
    yore_close(db);
    ok(yore_open("db", &options, &db, &err));
    expect_all(db, "opened again");
    yore_close(db);
    yr_sim_destroy(sim);
}

/* Most of the keys are as long as can be, and so many of them were written by each commit. */
static void expect_few_in_memory(uint32_t keys_a_commit)
{
    enum { KEYS = 3000, BYTES_MAX = 64 << 20 };
    static char text[YORE_KEY_BYTES_MAX];
    yr_sim *sim = yr_sim_create(2);
    yore_db *db;
    yore_txn *txn;
    yore_diff_info info;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(sim);
    options.create = true;
    options.sync = YORE_SYNC_OS;
    options.memory_budget = 128 << 20;
    memset(text, 'k', sizeof text);
    ok(yore_open("db", &options, &db, &err));
    ok(yore_db_put(db, yore_str(""), yore_str_key("first"), yore_str("1"), NULL, &err));
    for (uint32_t n = 0; n < KEYS;) {
        ok(yore_begin(db, yore_str(""), NULL, &txn, &err));
        for (uint32_t end = n + keys_a_commit; n < end; n++) {
            snprintf(text, 12, "%08u", n);
            ok(yore_put(txn, yore_bytes_key(text, sizeof text), yore_str("1"), NULL, &err));
        }
        ok(yore_commit(txn, yore_str(""), NULL, &err));
    }
    ok(yore_db_put(db, yore_str(""), yore_str_key("last"), yore_str("1"), NULL, &err));
    ok(yore_compact(db, NULL, NULL, &err));
    yore_where now = YORE_WHERE_INIT;
    ok(yore_at_resolve(db, NULL, &now, &err));
    const yore_at from = point("", 2), to = point("", now.version - 1);
    yore_iter *iter;
    ok(yore_diff(db, &from, &to, NULL, &iter, NULL, NULL, &err));
    yr_sim_leaks open = yr_sim_leaks_of(sim);
    yore_iter_close(iter);
    yr_sim_leaks closed = yr_sim_leaks_of(sim); /* with the block cache */
    assert_true(open.bytes > closed.bytes + BYTES_MAX / 2);
    assert_true(open.bytes < closed.bytes + BYTES_MAX + (8 << 20));
    assert_int_equal(count_rows(db, &from, &to, YORE_KV, &info), KEYS);
    assert_int_equal(info.hops_scanned, 1);
    assert_int_equal(info.commits, KEYS / keys_a_commit); /* they were few enough */
    yore_close(db);
    yr_sim_destroy(sim);
}

static void the_keys_of_many_commits_are_not_all_held_in_memory(void **state)
{
    (void)state;
    expect_few_in_memory(100);
}

static void the_keys_of_a_large_commit_are_not_all_held_in_memory(void **state)
{
    (void)state;
    expect_few_in_memory(3000);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_diff_reads_what_was_changed),
        cmocka_unit_test(the_keys_of_many_commits_are_not_all_held_in_memory),
        cmocka_unit_test(the_keys_of_a_large_commit_are_not_all_held_in_memory),
    };
    if (argc > 1) key_count = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
