#include "tests/fault/fault_kit.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/hash.h"

/* -- judging one call -- */

static void describe(const fault_run *run, char *to, size_t size)
{
    const fault_plan *plan = &run->plan;
    int n = snprintf(to, size, "%s", run->scenario);
    if (plan->alloc_nth) {
        snprintf(to + n, size - (size_t)n, ", allocation %" PRIu64 " %s", plan->alloc_nth,
                 plan->is_sticky ? "and all later ones" : "alone");
    } else if (plan->io.kinds) {
        snprintf(to + n, size - (size_t)n, ", operation %" PRIu64 " of kinds 0x%x %s gives %s%s, keep %d",
                 plan->io.nth, plan->io.kinds, plan->io.sticky ? "and all later ones" : "alone",
                 plan->io.is_short ? "a short write or " : "", strerror(plan->io.os_errno), plan->keep);
    }
}

static void complain(const fault_run *run, const char *what, yore_status status, const yore_error *err)
{
    char where[256];
    describe(run, where, sizeof where);
    fail_msg("%s: %s gave %s '%s' (errno %d)%s", where, what, yore_status_name(status),
             err && status < 0 ? err->message : "", err ? err->os_errno : 0,
             run->is_recovered ? " after the fault" : "");
}

void fault_wrong(const fault_run *run, const char *what)
{
    char where[256];
    describe(run, where, sizeof where);
    fail_msg("%s: %s", where, what);
}

static bool is_space_errno(int os_errno)
{
    return os_errno == ENOSPC || os_errno == EDQUOT;
}

/* May a call fail like this under the plan? */
static bool is_allowed(const fault_run *run, yore_status status, const yore_error *err)
{
    const fault_plan *plan = &run->plan;
    if (plan->alloc_nth) return status == YORE_ERR_NOMEM;
    int os_errno = plan->io.os_errno;
    switch (status) {
    case YORE_ERR_IO: return err->os_errno == os_errno || (plan->io.is_short && err->os_errno);
    case YORE_ERR_FULL: return is_space_errno(os_errno) && err->os_errno == os_errno;
    case YORE_ERR_READONLY: return os_errno == EROFS;
    case YORE_ERR_POISONED:
        return run->failures > 0 || run->maintain; /* by a flush inside a commit that was fine */
    default: return false;
    }
}

static bool is_poisoned(yore_db *db)
{
    yore_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(yore_stats_get(db, &stats, NULL), YORE_OK);
    return stats.poisoned;
}

uint64_t fault_visible(const fault_run *run, yore_db *db)
{
    yore_stats stats = {.struct_size = sizeof stats};
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_stats_get(db, &stats, &err);
    if (status != YORE_OK) complain(run, "stats", status, &err);
    return stats.version;
}

bool fault_is(fault_run *run, const char *what, yore_status want, yore_status status, const yore_error *err)
{
    if (status == want) {
        if (status < 0 && !err->message[0]) complain(run, what, status, err);
        return true;
    }
    bool fine = run->is_failing && status < 0 && err->code == status && err->message[0] &&
                !strchr(err->message, '\n') && is_allowed(run, status, err);
    if (!fine) complain(run, what, status, err);
    run->failures++;
    if (run->db && fault_visible(run, run->db) != run->acked) {
        fault_wrong(run, "a call that failed moved the visible version");
    }
    if (run->db && is_poisoned(run->db)) {
        if (!run->is_poisoned && (status == YORE_ERR_FULL || status == YORE_ERR_NOMEM)) {
            complain(run, "a call that changed nothing poisoned the store:", status, err);
        }
        run->is_poisoned = true;
    } else if (status == YORE_ERR_POISONED) {
        complain(run, what, status, err);
    }
    return false;
}

bool fault_committed(fault_run *run, const char *what, yore_status status, const yore_where *where,
                     const yore_error *err)
{
    if (!fault_is(run, what, YORE_OK, status, err)) {
        run->unknown += status == YORE_ERR_IO;
        return false;
    }
    if (where->version != run->acked + 1) fault_wrong(run, "a commit got a version out of turn");
    run->acked = where->version;
    if (fault_visible(run, run->db) != run->acked) fault_wrong(run, "an acknowledged commit is not visible");
    if (run->maintain && is_poisoned(run->db)) run->is_poisoned = true; /* by the flush it asked for */
    return true;
}

/* -- notes -- */

static void note(fault_run *run, const yore_where *where, const char *key, uint64_t hash, bool is_deleted)
{
    assert_true(run->note_count < FAULT_NOTES_MAX);
    fault_note *n = &run->notes[run->note_count++];
    *n = (fault_note){
        .version = where->version, .hash = hash, .branch_id = where->branch_id, .is_deleted = is_deleted};
    snprintf(n->key, sizeof n->key, "%s", key);
}

void fault_note_put(fault_run *run, const yore_where *where, const char *key, yore_slice value)
{
    note(run, where, key, yr_hash64(value.data, value.size, 1), false);
}

void fault_note_del(fault_run *run, const yore_where *where, const char *key)
{
    note(run, where, key, 0, true);
}

void fault_check_notes(fault_run *run, yore_db *db, uint64_t upto)
{
    for (uint32_t i = 0; i < run->note_count; i++) {
        const fault_note *n = &run->notes[i];
        if (n->version > upto) continue;
        yore_at at = YORE_AT_INIT;
        yore_error err = YORE_ERROR_INIT;
        yore_pin pin = YORE_PIN_INIT;
        yore_snap *snap = NULL;
        at.kind = YORE_AT_VERSION;
        at.branch_id = n->branch_id;
        at.version = n->version;
        yore_status status = yore_snap_open(db, &at, &snap, NULL, &err);
        if (!fault_is(run, "reading an acknowledged commit", YORE_OK, status, &err)) continue;
        status = yore_get(snap, yore_str_key(n->key), &pin, &err);
        bool is_read =
            fault_is(run, "an acknowledged key", n->is_deleted ? YORE_NOT_FOUND : YORE_OK, status, &err);
        if (is_read && !n->is_deleted &&
            (pin.version != n->version || yr_hash64(pin.value.data, pin.value.size, 1) != n->hash))
            fault_wrong(run, "an acknowledged value reads back wrong");
        yore_snap_close(snap);
    }
}

/* -- opening, closing, writing -- */

void fault_options(const fault_run *run, yore_open_options *options)
{
    *options = (yore_open_options)YORE_OPEN_OPTIONS_INIT;
    options->env = yr_sim_env(run->sim);
    options->sync = run->sync;
    options->create = !run->has_store;
    options->memory_bytes_max = 64 << 20;
    options->wal_bytes_min = run->wal_bytes ? run->wal_bytes : 4096;
    options->maintain_every = run->maintain;
    options->memory_budget = 16 << 20;
    options->wal_bytes_max = 4 * options->wal_bytes_min;
}

bool fault_open(fault_run *run)
{
    yore_open_options options;
    yore_error err = YORE_ERROR_INIT;
    yore_db *db = NULL;
    fault_options(run, &options);
    if (!fault_is(run, "open", YORE_OK, yore_open("db", &options, &db, &err), &err)) return false;
    uint64_t version = fault_visible(run, db);
    uint64_t least = run->acked ? run->acked : 1;
    if (version < least || version > least + run->unknown) {
        char text[128];
        snprintf(text, sizeof text, "opened at v%" PRIu64 ", acknowledged v%" PRIu64 ", %u unknown", version,
                 run->acked, run->unknown);
        fault_wrong(run, text);
    }
    run->db = db;
    run->is_poisoned = false;
    run->acked = version;
    run->unknown = 0;
    run->has_store = true;
    return true;
}

void fault_close(fault_run *run)
{
    yore_close(run->db);
    if (run->db && run->sync == YORE_SYNC_NONE) { /* nothing was logged */
        run->acked = FAULT_BASE_VERSION;
        run->note_count = 0;
    }
    run->db = NULL;
}

bool fault_put(fault_run *run, const char *branch, const char *key, const char *value)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    if (!run->db) return false;
    yore_status status =
        yore_db_put(run->db, yore_str(branch), yore_str_key(key), yore_str(value), &where, &err);
    if (!fault_committed(run, "put", status, &where, &err)) return false;
    fault_note_put(run, &where, key, yore_str(value));
    return true;
}

bool fault_del(fault_run *run, const char *branch, const char *key)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    if (!run->db) return false;
    yore_status status = yore_db_del(run->db, yore_str(branch), yore_str_key(key), &where, &err);
    if (!fault_committed(run, "delete", status, &where, &err)) return false;
    fault_note_del(run, &where, key);
    return true;
}

/* -- a whole run -- */

static void check_leaks(const fault_run *run)
{
    yr_sim_leaks leaks = yr_sim_leaks_of(run->sim);
    if (!yr_sim_has_leaks(run->sim)) return;
    char text[128];
    snprintf(text, sizeof text,
             "%" PRIu64 " blocks (%" PRIu64 " bytes), %" PRIu64 " ranges and %" PRIu64 " handles left behind",
             leaks.blocks, leaks.bytes, leaks.ranges, leaks.handles);
    fault_wrong(run, text);
}

static void check_deep(const fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_check(run->db, YORE_CHECK_DEEP, NULL, &err);
    if (status != YORE_OK) complain(run, "deep check", status, &err);
}

/* What waits to be flushed is, with one of the next commits. */
static void check_flushes(fault_run *run)
{
    yore_stats before = {.struct_size = sizeof before}, after = before;
    assert_int_equal(yore_stats_get(run->db, &before, NULL), YORE_OK);
    for (uint32_t i = 0; i < run->maintain; i++) {
        if (!fault_put(run, "", "flush", "this")) fault_wrong(run, "no write after the fault");
    }
    assert_int_equal(yore_stats_get(run->db, &after, NULL), YORE_OK);
    if (after.flushes == before.flushes) fault_wrong(run, "no flush after the fault");
    if (after.stall_reason != YORE_STALL_NONE) fault_wrong(run, "it still says that it waits");
}

/* The fault has passed. A handle that lived through it goes on, unless it says that it does not. */
static void go_on_live(fault_run *run)
{
    if (!run->db) return;
    yore_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(yore_stats_get(run->db, &stats, NULL), YORE_OK);
    fault_check_notes(run, run->db, run->acked);
    if (!stats.poisoned) {
        /* by a failure of the background's work, which a call may be the first to see */
        if (!fault_put(run, "", "after", "the fault")) fault_wrong(run, "no write after the fault");
        if (run->maintain && run->sync != YORE_SYNC_NONE) check_flushes(run);
        check_deep(run);
        return;
    }
    yore_error err = YORE_ERROR_INIT;
    if (run->plan.alloc_nth) fault_wrong(run, "poisoned by an allocation");
    yore_status status =
        yore_db_put(run->db, yore_str(""), yore_str_key("after"), yore_str("the fault"), NULL, &err);
    if (status != YORE_ERR_POISONED || !err.message[0])
        complain(run, "a write to a poisoned store", status, &err);
}

static void go_on_reopened(fault_run *run)
{
    run->is_recovered = true;
    if (!fault_open(run)) fault_wrong(run, "cannot be opened again");
    fault_check_notes(run, run->db, run->acked);
    check_deep(run);
    if (!fault_put(run, "", "reopened", "and written")) fault_wrong(run, "no write after reopening");
    fault_close(run);
    if (!fault_open(run)) fault_wrong(run, "cannot be opened a second time");
    fault_check_notes(run, run->db, run->acked);
    fault_close(run);
    check_leaks(run);
}

bool fault_run_plan(const fault_scenario *scenario, const yr_sim_image *base, const fault_plan *plan)
{
    static fault_run run;
    run = (fault_run){.scenario = scenario->name,
                      .plan = *plan,
                      .sync = scenario->sync,
                      .maintain = scenario->maintain,
                      .is_failing = true,
                      .has_store = !scenario->from_nothing,
                      .is_power_safe = scenario->sync == YORE_SYNC_COMMIT,
                      .acked = scenario->from_nothing ? 0 : FAULT_BASE_VERSION};
    run.sim = yr_sim_create(77);
    yr_sim_reset(run.sim, scenario->from_nothing ? NULL : base);
    bool cuts = plan->keep && run.is_power_safe;
    if (cuts) yr_sim_trace_begin(run.sim);
    if (plan->alloc_nth) yr_sim_fail_alloc(run.sim, plan->alloc_nth, plan->is_sticky);
    if (plan->io.kinds) yr_sim_set_fault(run.sim, plan->io);
    scenario->run(&run);
    bool hit = yr_sim_fault_hits(run.sim) > 0 || yr_sim_alloc_fault_hits(run.sim) > 0;
    if (!hit && run.failures) fault_wrong(&run, "a call failed without a fault");
    yr_sim_fail_alloc(run.sim, 0, false);
    yr_sim_set_fault(run.sim, (yr_sim_fault){0});
    run.is_failing = false;
    go_on_live(&run);
    if (cuts) (void)yr_sim_trace_end(run.sim);
    fault_close(&run);
    check_leaks(&run);
    if (cuts && run.is_power_safe) yr_crash_cut(run.sim, (enum yr_crash_keep)plan->keep, plan->io.nth);
    go_on_reopened(&run);
    yr_sim_destroy(run.sim);
    return hit;
}
