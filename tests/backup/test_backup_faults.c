/* Every allocation and every file operation of every call fails once, and from then on; and a disk gets full at every
 * size. The call says so, there is nothing at the name it was to make, nothing is lost in memory, and when the fault
 * has passed the same call succeeds. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/backup/backup_kit.h"

typedef struct run {
    yr_sim *sim;
    yore_db *db; /* for make */
    yore_backup_options options;
    yore_error err;
} run;

typedef struct task {
    const char *name;
    const char *made; /* NULL = nothing */
    yore_status (*call)(run *r);
    bool needs_store;
} task;

static yr_sim_image base_image;
static uint64_t want;

static yore_status call_full(run *r)
{
    return yore_backup_make(r->db, "x", &r->options, NULL, &r->err);
}

static yore_status call_more(run *r)
{
    r->options.base = "b1";
    yore_status status = yore_backup_make(r->db, "x", &r->options, NULL, &r->err);
    r->options.base = NULL;
    return status;
}

static yore_status call_verify(run *r)
{
    return yore_backup_verify("b1", &r->options, NULL, &r->err);
}

static yore_status call_compare(run *r)
{
    r->options.compare = r->db;
    yore_status status = yore_backup_verify("b1", &r->options, NULL, &r->err);
    r->options.compare = NULL;
    return status;
}

static yore_status call_open(run *r)
{
    yore_db *db;
    uint64_t digest;
    yore_status status = yore_backup_open("b1", &r->options, &db, &r->err);
    if (status < 0) return status;
    yr_sim_fail_alloc(r->sim, 0, false); /* what follows is the judge's */
    assert_true(kit_digest(db, &digest) && digest == want);
    yore_close(db);
    return YORE_OK;
}

static yore_status call_restore(run *r)
{
    return yore_backup_restore("b1", "x", &r->options, NULL, &r->err);
}

static int count_one(void *arg, const char *name, const yore_backup_info *info, const yore_error *why)
{
    (void)name;
    (void)why;
    *(int *)arg += info != NULL;
    return 0;
}

static yore_status call_list(run *r)
{
    int count = 0;
    return yore_backup_list(".", &r->options, count_one, &count, &r->err);
}

static const task tasks[] = {
    {"make", "x", call_full, true},       {"make with a base", "x", call_more, true},
    {"verify", NULL, call_verify, false}, {"compare", NULL, call_compare, true},
    {"open", NULL, call_open, false},     {"restore", "x", call_restore, false},
    {"list", NULL, call_list, false},
};
enum { TASKS = sizeof tasks / sizeof tasks[0] };

static bool is_there(yr_sim *sim, const char *name)
{
    const char *found;
    for (uint32_t i = 0; (found = yr_sim_dir_name(sim, "", i)) != NULL; i++) {
        if (strcmp(found, name) == 0) return true;
    }
    return false;
}

static uint32_t names(yr_sim *sim)
{
    uint32_t count = 0;
    while (yr_sim_dir_name(sim, "", count)) count++;
    return count;
}

typedef struct plan {
    uint64_t alloc_nth;
    bool is_sticky;
    yr_sim_fault io;
    uint64_t capacity; /* more bytes than there are; UINT64_MAX = no limit */
} plan;

static void judge_made(run *r, const task *t)
{
    uint64_t digest = 0;
    if (t->call == call_restore) {
        assert_true(kit_digest_of(yr_sim_env(r->sim), "x", &digest));
    } else {
        yore_db *db;
        kit_need(yore_backup_open("x", &r->options, &db, &r->err), &r->err);
        assert_true(kit_digest(db, &digest));
        yore_close(db);
    }
    assert_true(digest == want);
}

/* Run one task under one plan. False when the fault was never met. */
static bool run_plan(const task *t, const plan *p)
{
    run r = {.sim = yr_sim_create(4), .err = YORE_ERROR_INIT};
    yr_sim_reset(r.sim, &base_image);
    r.options = kit_options(yr_sim_env(r.sim));
    if (t->needs_store) r.db = kit_open(r.sim, "db", true);
    uint32_t names_before = names(r.sim);
    yr_sim_leaks before = yr_sim_leaks_of(r.sim);
    if (p->alloc_nth) yr_sim_fail_alloc(r.sim, p->alloc_nth, p->is_sticky);
    if (p->io.kinds) yr_sim_set_fault(r.sim, p->io);
    if (p->capacity != UINT64_MAX) yr_sim_set_capacity(r.sim, yr_sim_used_bytes(r.sim) + p->capacity, ENOSPC);
    yore_status status = t->call(&r);
    bool hit = (p->alloc_nth && yr_sim_alloc_fault_hits(r.sim)) ||
               (p->io.kinds && yr_sim_fault_hits(r.sim)) || (p->capacity != UINT64_MAX && status < 0);
    yr_sim_fail_alloc(r.sim, 0, false);
    yr_sim_set_fault(r.sim, (yr_sim_fault){0});
    yr_sim_set_capacity(r.sim, UINT64_MAX, ENOSPC);
    assert_true(status <= YORE_OK);
    if (status < 0) {
        assert_int_equal(r.err.code, status);
        assert_true(r.err.message[0]);
        if (p->alloc_nth) assert_int_equal(status, YORE_ERR_NOMEM);
        if (p->capacity != UINT64_MAX) assert_int_equal(status, YORE_ERR_FULL);
        if (t->made) assert_false(is_there(r.sim, t->made));
        /* Nothing else is left either, unless it is the removing that fails, or it cannot be known whose it is. */
        bool may_remain = p->io.kinds & (YR_SIM_OP_UNLINK | YR_SIM_OP_DIR | YR_SIM_OP_LOCK) || p->io.sticky;
        if (!may_remain) assert_int_equal(names(r.sim), names_before);
    }
    yr_sim_leaks after = yr_sim_leaks_of(r.sim);
    assert_int_equal(after.blocks, before.blocks);
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(after.ranges, before.ranges);
    assert_int_equal(after.handles, before.handles);
    if (status < 0) {
        r.err = (yore_error)YORE_ERROR_INIT;
        kit_need(t->call(&r), &r.err);
    }
    if (t->made) judge_made(&r, t);
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
    assert_true(points > 200);
}

static void test_any_operation_may_fail(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {YR_SIM_OP_WRITE,  YR_SIM_OP_SYNC,     YR_SIM_OP_OPEN, YR_SIM_OP_RENAME,
                                     YR_SIM_OP_UNLINK, YR_SIM_OP_DIR_SYNC, YR_SIM_OP_READ, YR_SIM_OP_DIR,
                                     YR_SIM_OP_LOCK,   YR_SIM_OP_APPEND,   YR_SIM_OP_MAP};
    uint64_t points = 0;
    for (size_t i = 0; i < TASKS; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
            for (int how = 0; how < 3; how++) {
                plan p = {.capacity = UINT64_MAX,
                          .io = {.kinds = kinds[k],
                                 .nth = 1,
                                 .os_errno = how == 1 ? ENOSPC : EIO,
                                 .sticky = how == 2}};
                for (; run_plan(&tasks[i], &p); p.io.nth++) points++;
            }
        }
    }
    print_message("%" PRIu64 " operations\n", points);
    assert_true(points > 300);
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
    assert_true(points > 20);
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
    yore_backup_options options = kit_options(yr_sim_env(sim));
    yore_db *db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    kit_need(yore_backup_make(db, "b0", &options, NULL, &err), &err);
    kit_fill(db, 2);
    options.base = "b0";
    kit_need(yore_backup_make(db, "b1", &options, NULL, &err), &err);
    if (!kit_digest(db, &want)) return 1;
    yore_close(db);
    yr_sim_image_clone(&base_image, yr_sim_image_of(sim));
    yr_sim_destroy(sim);
    int failed = cmocka_run_group_tests_name("backup faults", tests, NULL, NULL);
    yr_sim_image_deinit(&base_image);
    return failed;
}
