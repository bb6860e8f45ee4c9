/* Every allocation and every file operation of making and importing fails once, and from then on; a disk gets full at
 * every size. The call says so; there is no file, and no branch, that is not whole, also when the store is opened
 * again; and when the fault has passed the same call succeeds. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/bundle/bundle_kit.h"

typedef struct run {
    yr_sim *sim;
    yore_db *db;
    yore_bundle_options options;
    yore_error err;
} run;

typedef struct task {
    const char *name;
    const char *file; /* to import; NULL = make */
    bool history, has_base;
} task;

static const task tasks[] = {
    {"make a state", NULL, false, false},         {"make a history", NULL, true, false},
    {"make a difference", NULL, false, true},     {"import a state", "state", false, false},
    {"import a history", "history", true, false}, {"import on a base", "more", true, true},
};
enum { TASKS = sizeof tasks / sizeof tasks[0] };

static yr_sim_image base_image;
static uint64_t want;

static yore_status call(run *r, const task *t)
{
    const yore_at exp = kit_at("other-1"), base = kit_at_version("", 3);
    if (t->file) return yore_bundle_import(r->db, t->file, yore_str("x"), &r->options, NULL, NULL, &r->err);
    yore_bundle_options options = r->options;
    options.at = &exp;
    options.history = t->history;
    options.base = t->has_base ? &base : NULL;
    return yore_bundle_make(r->db, "made", &options, NULL, &r->err);
}

typedef struct plan {
    uint64_t alloc_nth;
    yr_sim_fault io;
    uint64_t capacity; /* more bytes than there are; UINT64_MAX = no limit */
    bool is_sticky;
} plan;

static void judge_branch(yore_db *db)
{
    const yore_at same = kit_at("x");
    assert_int_equal(kit_state(db, &same), want);
}

/* After a failure, and once more after opening the store again. */
static void judge_failure(run *r, const task *t, const plan *p)
{
    bool is_unknown = r->err.code == YORE_ERR_IO || r->err.code == YORE_ERR_POISONED ||
                      r->err.code == YORE_ERR_FULL;
    if (!t->file) {
        assert_int_equal(yr_sim_file_size(r->sim, "made"), -1);
        return;
    }
    assert_false(kit_has_branch(r->db, "x"));
    if (!is_unknown && !p->is_sticky) assert_false(kit_has_branch(r->db, "importing/x"));
    yore_close(r->db);
    r->db = kit_open(r->sim, "db", false);
    if (kit_has_branch(r->db, "x")) {
        assert_true(is_unknown);
        judge_branch(r->db);
    }
}

/* Run one task under one plan. False when the fault was never met. */
static bool run_plan(const task *t, const plan *p)
{
    run r = {.sim = yr_sim_create(4), .err = YORE_ERROR_INIT};
    yr_sim_reset(r.sim, &base_image);
    r.options = kit_bundle_options(yr_sim_env(r.sim));
    r.db = kit_open(r.sim, "db", !t->file);
    if (p->alloc_nth) yr_sim_fail_alloc(r.sim, p->alloc_nth, p->is_sticky);
    if (p->io.kinds) yr_sim_set_fault(r.sim, p->io);
    if (p->capacity != UINT64_MAX) yr_sim_set_capacity(r.sim, yr_sim_used_bytes(r.sim) + p->capacity, ENOSPC);
    yore_status status = call(&r, t);
    bool hit = (p->alloc_nth && yr_sim_alloc_fault_hits(r.sim)) ||
               (p->io.kinds && yr_sim_fault_hits(r.sim)) || (p->capacity != UINT64_MAX && status < 0);
    yr_sim_fail_alloc(r.sim, 0, false);
    yr_sim_set_fault(r.sim, (yr_sim_fault){0});
    yr_sim_set_capacity(r.sim, UINT64_MAX, ENOSPC);
    assert_true(status <= YORE_OK);
    if (status < 0) {
        assert_int_equal(r.err.code, status);
        assert_true(r.err.message[0]);
        judge_failure(&r, t, p);
        r.err = (yore_error)YORE_ERROR_INIT;
        if (t->file && kit_has_branch(r.db, "importing/x"))
            kit_need(yore_branch_delete(r.db, yore_str("importing/x"), false, NULL, NULL, &r.err), &r.err);
        if (!t->file || !kit_has_branch(r.db, "x")) kit_need(call(&r, t), &r.err);
    }
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT;
    if (t->file)
        judge_branch(r.db);
    else
        kit_need(yore_bundle_info_get("made", &r.options, &info, &r.err), &r.err);
    yore_close(r.db);
    assert_false(yr_sim_has_leaks(r.sim));
    yr_sim_destroy(r.sim);
    return hit;
}

static void test_any_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t points = 0;
    for (size_t i = 0; i < TASKS; i++) {
        for (int sticky = 0; sticky < 2; sticky++) {
            plan p = {.alloc_nth = 1, .is_sticky = sticky, .capacity = UINT64_MAX};
            for (; run_plan(&tasks[i], &p); p.alloc_nth++) points++;
        }
    }
    print_message("%" PRIu64 " allocations\n", points);
    assert_true(points > 100);
}

static void test_any_operation_may_fail(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {YR_SIM_OP_WRITE,    YR_SIM_OP_SYNC, YR_SIM_OP_OPEN, YR_SIM_OP_RENAME,
                                     YR_SIM_OP_DIR_SYNC, YR_SIM_OP_READ, YR_SIM_OP_DIR,  YR_SIM_OP_LOCK,
                                     YR_SIM_OP_APPEND,   YR_SIM_OP_MAP};
    uint64_t points = 0;
    for (size_t i = 0; i < TASKS; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            for (int sticky = 0; sticky < 2; sticky++) {
                plan p = {.capacity = UINT64_MAX,
                          .is_sticky = sticky,
                          .io = {.kinds = kinds[k], .nth = 1, .os_errno = EIO, .sticky = sticky}};
                for (; run_plan(&tasks[i], &p); p.io.nth++) points++;
            }
        }
    }
    print_message("%" PRIu64 " operations\n", points);
    assert_true(points > 50);
}

static void test_a_disk_may_fill_up_at_any_size(void **state)
{
    (void)state;
    uint64_t points = 0;
    for (size_t i = 0; i < TASKS; i++) {
        plan p = {0};
        for (; run_plan(&tasks[i], &p); p.capacity += 4096) points++;
    }
    print_message("%" PRIu64 " sizes\n", points);
    assert_true(points >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_allocation_may_fail),
        cmocka_unit_test(test_any_operation_may_fail),
        cmocka_unit_test(test_a_disk_may_fill_up_at_any_size),
    };
    yr_sim *sim = yr_sim_create(3);
    yore_error err = YORE_ERROR_INIT;
    yore_bundle_options options = kit_bundle_options(yr_sim_env(sim));
    const yore_at exp = kit_at("other-1"), base = kit_at_version("", 3);
    yore_db *db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    options.at = &exp;
    kit_need(yore_bundle_make(db, "state", &options, NULL, &err), &err);
    options.history = true;
    kit_need(yore_bundle_make(db, "history", &options, NULL, &err), &err);
    options.base = &base;
    kit_need(yore_bundle_make(db, "more", &options, NULL, &err), &err);
    want = kit_state(db, &exp);
    yore_close(db);
    yr_sim_image_clone(&base_image, yr_sim_image_of(sim));
    yr_sim_destroy(sim);
    int failed = cmocka_run_group_tests_name("bundle faults", tests, NULL, NULL);
    yr_sim_image_deinit(&base_image);
    return failed;
}
