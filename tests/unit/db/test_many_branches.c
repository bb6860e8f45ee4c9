/* More branches than anybody lists: what is known of each is the same after a close, whether its records lie in one run
 * or in many, and a store that is opened again goes on with the next id. On the simulated disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "tests/support/env_sim.h"

#include <yore.h>

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static yore_db *opened(yr_sim *sim, uint32_t every)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db = NULL;
    options.env = yr_sim_env(sim);
    options.create = true;
    options.sync = YORE_SYNC_OS;
    options.memory_bytes_max = 256 << 20;
    options.memtable_bytes = every;
    ok(yore_open("db", &options, &db, &err));
    return db;
}

static yore_branch_info *all_branches(yore_db *db, uint32_t count)
{
    yore_branch_info *infos = calloc(count + 1, sizeof *infos);
    assert_non_null(infos);
    for (uint32_t i = 0; i < count; i++) {
        infos[i].struct_size = sizeof *infos;
        ok(yore_branch_next(db, i, &infos[i], &err));
        assert_int_equal(infos[i].id, i + 1);
    }
    infos[count].struct_size = sizeof *infos;
    assert_int_equal(yore_branch_next(db, count, &infos[count], &err), YORE_END);
    return infos;
}

/* Renamed, deleted, recovered, with a rule of their own: some of each, long after they were made. */
static void change_some(yore_db *db, yr_rng *rng, uint32_t count)
{
    char name[32], other[32];
    for (uint32_t i = 0; i < count / 10; i++) {
        yore_retention keep = YORE_RETENTION_INIT;
        snprintf(name, sizeof name, "b%u", 2 + (uint32_t)yr_rng_below(rng, count - 1));
        snprintf(other, sizeof other, "renamed%u", i);
        switch (yr_rng_below(rng, 4)) {
        case 0: (void)!yore_branch_rename(db, yore_str(name), yore_str(other), NULL, &err); break;
        case 1: (void)!yore_branch_delete(db, yore_str(name), true, NULL, NULL, &err); break;
        case 2: (void)!yore_branch_recover(db, yore_str(name), yore_str(""), NULL, &err); break;
        default:
            keep.kind = YORE_RETENTION_ALL;
            (void)!yore_branch_retention_set(db, yore_str(name), &keep, NULL, &err);
        }
    }
}

static void branches_survive(uint32_t count, uint32_t memtable_bytes)
{
    yr_sim *sim = yr_sim_create(7);
    yr_rng rng = {count};
    yore_db *db = opened(sim, memtable_bytes);
    char name[32], parent[32];
    for (uint32_t id = 2; id <= count; id++) {
        yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
        yore_at from = YORE_AT_INIT;
        if (id > 2 && yr_rng_below(&rng, 3)) {
            snprintf(parent, sizeof parent, "id:%u", 1 + (uint32_t)yr_rng_below(&rng, id - 1));
            snprintf(from.branch, sizeof from.branch, "%s", parent);
        }
        options.from = &from;
        options.ttl_ns = (int64_t)(id % 3) * 1000000000;
        snprintf(name, sizeof name, "b%u", id);
        ok(yore_branch_create(db, yore_str(name), &options, NULL, &err));
        if (id % 5 == 0) ok(yore_db_put(db, yore_str(name), yore_str_key("k"), yore_str(name), NULL, &err));
    }
    change_some(db, &rng, count);
    yore_branch_info *before = all_branches(db, count);
    for (int i = 0; i < 2; i++) {
        yore_close(db);
        db = opened(sim, memtable_bytes);
        yore_branch_info *after = all_branches(db, count);
        for (uint32_t k = 0; k < count; k++)
            if (memcmp(&before[k], &after[k], sizeof before[k])) fail_msg("branch id:%u has changed", k + 1);
        free(after);
    }
    yore_where where = YORE_WHERE_INIT;
    ok(yore_branch_create(db, yore_str("next"), NULL, &where, &err));
    assert_int_equal(where.branch_id, count + 1);
    yore_check_report report = {.struct_size = sizeof report};
    ok(yore_check(db, YORE_CHECK_DEEP, &report, &err));
    yore_close(db);
    free(before);
    yr_sim_destroy(sim);
}

static void test_branches_of_one_run_survive(void **state)
{
    (void)state;
    branches_survive(6000, 0);
}

static void test_branches_of_many_runs_survive(void **state)
{
    (void)state;
    branches_survive(3000, 64 << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_branches_of_one_run_survive),
        cmocka_unit_test(test_branches_of_many_runs_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
