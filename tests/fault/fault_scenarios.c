/* What the faults strike: every call of the public API, in small programs. A step whose groundwork failed is
 * left out; everything else goes on after a failure, as a careless user would. */
#include "tests/fault/fault_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* -- the base store -- */

static void need(yore_status status, const yore_error *err)
{
    if (status != YORE_OK) fail_msg("the base store: %s", err->message);
}

static yore_at at_version(const char *branch, uint64_t version)
{
    yore_at at = YORE_AT_INIT;
    snprintf(at.branch, sizeof at.branch, "%s", branch);
    at.kind = version ? YORE_AT_VERSION : YORE_AT_NOW;
    at.version = version;
    return at;
}

static void base_keys(yore_db *db, const char *value)
{
    yore_error err = YORE_ERROR_INIT;
    for (int i = 0; i < FAULT_BASE_KEYS; i++) {
        char key[16];
        snprintf(key, sizeof key, "base/%02d", i);
        need(yore_db_put(db, yore_str(""), yore_str_key(key), yore_str(value), NULL, &err), &err);
    }
}

void fault_base_make(uint64_t wal_bytes, uint32_t maintain, yr_sim_image *closed, yr_sim_image *killed)
{
    yr_sim *sim = yr_sim_create(5);
    fault_run run = {.sim = sim, .sync = YORE_SYNC_COMMIT, .wal_bytes = wal_bytes, .maintain = maintain};
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options;
    yore_db *db;
    yore_at tagged = at_version("default", FAULT_BASE_FORK);
    fault_options(&run, &options);
    need(yore_open("db", &options, &db, &err), &err);
    base_keys(db, "first");
    need(yore_branch_create(db, yore_str("exp"), NULL, NULL, &err), &err);
    base_keys(db, "second");
    need(yore_db_put(db, yore_str("exp"), yore_str_key("exp/own"), yore_str("mine"), NULL, &err), &err);
    need(yore_branch_create(db, yore_str("gone"), NULL, NULL, &err), &err);
    need(yore_branch_delete(db, yore_str("gone"), false, NULL, NULL, &err), &err);
    need(yore_tag_create(db, yore_str("rel"), &tagged, NULL, &err), &err);
    need(yore_config_set(db, "durability", "commit", NULL, &err), &err);
    need(yore_db_del(db, yore_str("exp"), yore_str_key("base/09"), NULL, &err), &err);
    assert_int_equal(fault_visible(&run, db), FAULT_BASE_VERSION);
    yr_sim_image_clone(killed, yr_sim_image_of(sim));
    yore_close(db);
    yr_sim_image_clone(closed, yr_sim_image_of(sim));
    yr_sim_destroy(sim);
}

/* -- steps -- */

static bool fork_branch(fault_run *run, const char *name, const char *from, uint64_t version)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at at = at_version(from, version);
    options.from = &at;
    return run->db &&
           fault_committed(run, "branch create",
                           yore_branch_create(run->db, yore_str(name), &options, &where, &err), &where, &err);
}

static bool delete_branch(fault_run *run, const char *name, bool cascade)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    return run->db &&
           fault_committed(run, "branch delete",
                           yore_branch_delete(run->db, yore_str(name), cascade, &where, NULL, &err), &where,
                           &err);
}

static bool recover_branch(fault_run *run, const char *which, const char *as)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    return run->db &&
           fault_committed(run, "branch recover",
                           yore_branch_recover(run->db, yore_str(which), yore_str(as), &where, &err), &where,
                           &err);
}

static bool rename_branch(fault_run *run, const char *from, const char *to)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    return run->db && fault_committed(run, "branch rename",
                                      yore_branch_rename(run->db, yore_str(from), yore_str(to), &where, &err),
                                      &where, &err);
}

static yore_txn *begin(fault_run *run, const char *branch, const yore_txn_options *options)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn = NULL;
    if (!run->db) return NULL;
    if (!fault_is(run, "begin", YORE_OK, yore_begin(run->db, yore_str(branch), options, &txn, &err), &err))
        return NULL;
    return txn;
}

static bool txn_put(fault_run *run, yore_txn *txn, const char *key, const char *value)
{
    yore_error err = YORE_ERROR_INIT;
    return fault_is(run, "put in a transaction", YORE_OK,
                    yore_put(txn, yore_str_key(key), yore_str(value), NULL, &err), &err);
}

static bool commit(fault_run *run, yore_txn *txn, yore_where *where)
{
    yore_error err = YORE_ERROR_INIT;
    *where = (yore_where)YORE_WHERE_INIT;
    return fault_committed(run, "commit", yore_commit(txn, yore_str("a note"), where, &err), where, &err);
}

static void expect_at(fault_run *run, yore_snap *snap, const char *key, const char *value)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = YORE_PIN_INIT;
    yore_status want = value ? YORE_OK : YORE_NOT_FOUND;
    if (!fault_is(run, key, want, yore_get(snap, yore_str_key(key), &pin, &err), &err) || !value) return;
    if (pin.value.size != strlen(value) || memcmp(pin.value.data, value, pin.value.size) != 0)
        fault_wrong(run, "a get gave another value");
    if (fault_is(run, "keep", YORE_OK, yore_pin_keep(&pin, &err), &err)) yore_unpin(&pin);
}

/* Count rows; false when a failure came between. */
static bool count_rows(fault_run *run, yore_iter *iter, uint64_t want)
{
    yore_error err = YORE_ERROR_INIT;
    yore_row rows[3];
    uint64_t count = 0;
    for (;;) {
        size_t n = 0;
        yore_status status = yore_next(iter, rows, sizeof rows[0], 3, &n, &err);
        if (status == YORE_END) break;
        if (!fault_is(run, "next", YORE_OK, status, &err)) return false;
        count += n;
    }
    if (count != want) fault_wrong(run, "a listing is too short or too long");
    return true;
}

static void scan(fault_run *run, yore_snap *snap, const yore_range *range, uint64_t want)
{
    yore_error err = YORE_ERROR_INIT;
    yore_iter *iter = NULL;
    if (!fault_is(run, "scan", YORE_OK, yore_scan(snap, range, &iter, &err), &err)) return;
    (void)count_rows(run, iter, want);
    yore_iter_close(iter);
}

static void scans(fault_run *run, yore_snap *snap)
{
    yore_range range = YORE_RANGE_INIT;
    range.prefix = yore_str("base/");
    scan(run, snap, &range, FAULT_BASE_KEYS - 1);
    range.reverse = true;
    scan(run, snap, &range, FAULT_BASE_KEYS - 1);
    range.with_deleted = true;
    scan(run, snap, &range, FAULT_BASE_KEYS);
    range.prefix = yore_str("");
    range.own_only = true;
    scan(run, snap, &range, 2);
}

static void get_many(fault_run *run, yore_snap *snap)
{
    yore_error err = YORE_ERROR_INIT;
    yore_key keys[4] = {yore_str_key("base/00"), yore_str_key("base/09"), yore_str_key("nothing"),
                        yore_str_key("exp/own")};
    yore_pin pins[4] = {YORE_PIN_INIT, YORE_PIN_INIT, YORE_PIN_INIT, YORE_PIN_INIT};
    yore_status each[4];
    const yore_status want[4] = {YORE_OK, YORE_NOT_FOUND, YORE_NOT_FOUND, YORE_OK};
    if (!fault_is(run, "get many", YORE_OK, yore_get_many(snap, keys, 4, pins, each, &err), &err)) return;
    for (int i = 0; i < 4; i++) {
        bool is_hit = run->plan.alloc_nth ? each[i] == YORE_ERR_NOMEM
                                          : each[i] == YORE_ERR_IO || each[i] == YORE_ERR_FULL ||
                                                each[i] == YORE_ERR_READONLY;
        is_hit = is_hit && run->is_failing;
        if (is_hit) run->failures++;
        if (!is_hit && each[i] != want[i]) fault_wrong(run, "get many gave wrong answers");
    }
}

static void read_snapshot(fault_run *run, yore_db *db)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = at_version("exp", FAULT_BASE_VERSION);
    yore_snap *snap = NULL;
    if (!fault_is(run, "snapshot", YORE_OK, yore_snap_open(db, &at, &snap, NULL, &err), &err)) return;
    expect_at(run, snap, "base/03", "first");
    expect_at(run, snap, "base/09", NULL);
    expect_at(run, snap, "exp/own", "mine");
    get_many(run, snap);
    scans(run, snap);
    yore_snap_close(snap);
}

static void read_logs(fault_run *run, yore_db *db)
{
    yore_error err = YORE_ERROR_INIT;
    yore_at at = at_version("default", FAULT_BASE_VERSION);
    yore_iter *iter = NULL;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_range range = YORE_RANGE_INIT;
    if (fault_is(run, "history", YORE_OK, yore_history(db, &at, yore_str_key("base/05"), NULL, &iter, &err),
                 &err)) {
        (void)count_rows(run, iter, 2);
        yore_iter_close(iter);
    }
    options.prefix = yore_str("base/");
    if (fault_is(run, "log", YORE_OK, yore_log(db, &at, &options, &iter, &err), &err)) {
        uint64_t count = 0;
        yore_status status;
        while ((status = yore_log_next(iter, &info, &err)) == YORE_OK) count++;
        if (fault_is(run, "log next", YORE_END, status, &err) && count != 2 * FAULT_BASE_KEYS)
            fault_wrong(run, "the log is too short or too long");
        yore_iter_close(iter);
    }
    range.limit = FAULT_BASE_KEYS;
    if (fault_is(run, "changes", YORE_OK, yore_changes(db, 1, &range, &iter, &err), &err)) {
        (void)count_rows(run, iter, FAULT_BASE_KEYS);
        yore_iter_close(iter);
    }
    if (fault_is(run, "commit rows", YORE_OK, yore_commit_rows(db, 2, &iter, &err), &err)) {
        (void)count_rows(run, iter, 1);
        yore_iter_close(iter);
    }
    (void)fault_is(run, "commit", YORE_OK, yore_commit_get(db, 2, &info, &err), &err);
    yore_commit_release(&info);
}

static void read_registry(fault_run *run, yore_db *db)
{
    static const char *const specs[] = {"exp@v23", "tag:rel", "exp@fork", "back:1", "@start", "2h ago"};
    yore_error err = YORE_ERROR_INIT;
    yore_branch_info branch = {.struct_size = sizeof branch};
    yore_tag_info tag = {.struct_size = sizeof tag};
    yore_where where = YORE_WHERE_INIT;
    char value[32];
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        yore_at at = YORE_AT_INIT;
        if (!fault_is(run, specs[i], YORE_OK, yore_at_parse(db, specs[i], 0, 0, &at, &err), &err)) continue;
        if (i < 5) (void)fault_is(run, specs[i], YORE_OK, yore_at_resolve(db, &at, &where, &err), &err);
    }
    if (fault_is(run, "branch", YORE_OK, yore_branch_info_get(db, yore_str("exp"), &branch, &err), &err) &&
        branch.fork_version != FAULT_BASE_FORK)
        fault_wrong(run, "the branch was forked elsewhere");
    (void)fault_is(run, "tags", YORE_OK, yore_tag_next(db, yore_str(""), &tag, &err), &err);
    (void)fault_is(run, "config", YORE_OK, yore_config_get(db, "durability", NULL, value, sizeof value, &err),
                   &err);
}

static void read_all(fault_run *run, yore_db *db)
{
    read_snapshot(run, db);
    read_logs(run, db);
    read_registry(run, db);
}

static void sync_now(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    if (run->db) (void)fault_is(run, "sync", YORE_OK, yore_sync(run->db, &err), &err);
}

static void check(fault_run *run, uint32_t level)
{
    yore_error err = YORE_ERROR_INIT;
    yore_check_report report = {.struct_size = sizeof report};
    if (run->db) (void)fault_is(run, "check", YORE_OK, yore_check(run->db, level, &report, &err), &err);
}

static yore_db *open_reader(fault_run *run)
{
    yore_open_options options;
    yore_error err = YORE_ERROR_INIT;
    yore_db *reader = NULL;
    fault_options(run, &options);
    options.create = false;
    options.read_only = true;
    yore_status status = yore_open("db", &options, &reader, &err);
    return fault_is(run, "open read-only", YORE_OK, status, &err) ? reader : NULL;
}

/* -- scenarios -- */

static void run_create(fault_run *run)
{
    /* Tried again after a failure: what the first try left must not be in the way. But a new name whose sync
     * failed is in doubt for ever, so the power stays on. */
    if (!fault_open(run)) {
        run->is_power_safe = false;
        fault_open(run);
    }
    fault_put(run, "", "a", "1");
    fault_close(run);
    if (run->has_store) fault_open(run);
    fault_put(run, "", "b", "2");
}

static void run_open_close(fault_run *run)
{
    fault_open(run);
    fault_close(run);
    fault_open(run);
}

static void run_puts(fault_run *run)
{
    fault_open(run);
    for (int i = 0; i < 6; i++) {
        char key[16];
        snprintf(key, sizeof key, "put/%d", i % 4);
        fault_put(run, i % 2 ? "exp" : "", key, i % 3 ? "a value" : "a somewhat longer value than the other");
    }
    fault_del(run, "exp", "base/00");
    fault_del(run, "", "base/01");
}

/* Enough to go through several log files. */
static void run_many_files(fault_run *run)
{
    static char value[900];
    memset(value, 'v', sizeof value - 1);
    fault_open(run);
    for (int i = 0; i < 24; i++) {
        char key[16];
        snprintf(key, sizeof key, "many/%02d", i);
        fault_put(run, "", key, value);
    }
    fault_close(run);
    fault_open(run);
    fault_put(run, "", "last", "one");
}

static void run_large_value(fault_run *run)
{
    enum { SIZE = 200000 };
    char *value = test_malloc(SIZE + 1);
    memset(value, 'L', SIZE);
    value[SIZE] = 0;
    fault_open(run);
    fault_put(run, "", "large", value);
    fault_put(run, "", "small", "after the large one");
    test_free(value);
}

static void run_transactions(fault_run *run)
{
    fault_open(run);
    for (int t = 0; t < 2; t++) {
        yore_txn_options options = YORE_TXN_OPTIONS_INIT;
        yore_where where;
        bool done[20] = {false};
        options.isolation = t ? YORE_ISOLATION_SERIALIZABLE : YORE_ISOLATION_SNAPSHOT;
        options.author = yore_str("an author");
        yore_txn *txn = begin(run, t ? "exp" : "", &options);
        char key[24];
        for (int i = 0; txn && i < 20; i++) {
            snprintf(key, sizeof key, "txn/%d/%02d", t, i);
            done[i] = txn_put(run, txn, key, "all or nothing");
        }
        bool any = false;
        for (int i = 0; i < 20; i++) any |= done[i];
        if (!any) yore_rollback(txn);
        if (!any || !commit(run, txn, &where)) continue;
        for (int i = 0; i < 20; i++) {
            snprintf(key, sizeof key, "txn/%d/%02d", t, i);
            if (done[i]) fault_note_put(run, &where, key, yore_str("all or nothing"));
        }
    }
}

static void run_rollback(fault_run *run)
{
    fault_open(run);
    yore_txn *txn = begin(run, "", NULL);
    if (!txn) return;
    (void)txn_put(run, txn, "never", "seen");
    yore_rollback(txn);
    txn = begin(run, "", NULL);
    if (!txn) return;
    (void)txn_put(run, txn, "never", "closed");
    fault_close(run); /* under an open transaction */
    yore_rollback(txn);
    fault_open(run);
}

static void run_txn_reads(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    options.isolation = YORE_ISOLATION_SERIALIZABLE;
    fault_open(run);
    yore_txn *txn = begin(run, "exp", &options);
    if (!txn) return;
    yore_pin pin = YORE_PIN_INIT;
    yore_iter *iter = NULL;
    bool wrote = txn_put(run, txn, "base/03", "changed");
    (void)fault_is(run, "get in a transaction", YORE_OK,
                   yore_txn_get(txn, yore_str_key("base/04"), &pin, &err), &err);
    yore_unpin(&pin);
    yore_range range = YORE_RANGE_INIT;
    range.prefix = yore_str("base/");
    if (fault_is(run, "scan in a transaction", YORE_OK, yore_txn_scan(txn, &range, &iter, &err), &err)) {
        (void)count_rows(run, iter, FAULT_BASE_KEYS - 1);
        yore_iter_close(iter);
    }
    if (!wrote)
        yore_rollback(txn);
    else if (commit(run, txn, &where))
        fault_note_put(run, &where, "base/03", yore_str("changed"));
}

static void run_conflict(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    fault_open(run);
    yore_txn *txn = begin(run, "", NULL);
    if (!txn) return;
    bool wrote = txn_put(run, txn, "base/00", "late");
    bool first = fault_put(run, "", "base/00", "early");
    if (wrote && first)
        (void)fault_is(run, "a late commit", YORE_CONFLICT, yore_commit(txn, yore_str(""), NULL, &err), &err);
    else
        yore_rollback(txn);
}

static void run_resolved(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where;
    fault_open(run);
    yore_txn *txn = begin(run, "", NULL);
    if (!txn) return;
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    options.ttl_ns = INT64_C(3600000000000);
    options.meta = yore_str("metadata");
    bool added = fault_is(run, "incr", YORE_OK, yore_incr(txn, yore_str_key("n"), 7, &err), &err);
    bool appended = fault_is(run, "append", YORE_OK,
                             yore_append(txn, yore_str_key("base/02"), yore_str("+more"), &err), &err);
    bool swapped = fault_is(
        run, "cas", YORE_OK,
        yore_cas(txn, yore_str_key("base/03"), yore_str("second"), yore_str("third"), NULL, &err), &err);
    bool put = fault_is(run, "put with options", YORE_OK,
                        yore_put(txn, yore_str_key("ttl"), yore_str("soon gone"), &options, &err), &err);
    if (!added && !appended && !swapped && !put) {
        yore_rollback(txn);
        return;
    }
    if (!commit(run, txn, &where)) return;
    if (added) fault_note_put(run, &where, "n", yore_str("7"));
    if (appended) fault_note_put(run, &where, "base/02", yore_str("second+more"));
    if (swapped) fault_note_put(run, &where, "base/03", yore_str("third"));
    if (put) fault_note_put(run, &where, "ttl", yore_str("soon gone"));
}

static void run_branches(fault_run *run)
{
    fault_open(run);
    bool one = fork_branch(run, "one", "default", 5);
    if (one) fault_put(run, "one", "base/00", "on one");
    bool two = one && fork_branch(run, "two", "one", 0);
    if (two && rename_branch(run, "two", "deux")) fault_put(run, "deux", "k", "v");
    if (one && delete_branch(run, "one", true)) recover_branch(run, "one", "uno");
    recover_branch(run, "gone", "");
    delete_branch(run, "exp", false);
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    options.empty = true;
    if (run->db)
        (void)fault_committed(run, "empty branch",
                              yore_branch_create(run->db, yore_str("empty"), &options, &where, &err), &where,
                              &err);
}

/* exp deleted base/09 and has a key of its own; default changed base/09. */
static void merge_exp(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    yore_merge_plan *plan = NULL;
    yore_merge_conflict conflict = {.struct_size = sizeof conflict};
    yore_where where = YORE_WHERE_INIT;
    const yore_at exp = at_version("exp", 0);
    (void)fault_is(run, "a merge with a conflict", YORE_CONFLICT,
                   yore_merge(run->db, &exp, yore_str(""), &options, yore_str(""), NULL, NULL, NULL, &err),
                   &err);
    options.on_conflict = YORE_MERGE_THEIRS;
    if (!fault_is(run, "a plan", YORE_OK,
                  yore_merge_plan_open(run->db, &exp, yore_str(""), &options, &plan, &err), &err))
        return;
    if (fault_is(run, "a conflict of a plan", YORE_OK, yore_merge_plan_conflict(plan, 0, &conflict, &err),
                 &err) &&
        conflict.kind != YORE_MERGE_CHANGE_DELETE)
        fault_wrong(run, "the kind of a conflict");
    if (fault_committed(run, "a merge", yore_merge_apply(plan, yore_str("both"), NULL, &where, &err), &where,
                        &err)) {
        fault_note_put(run, &where, "exp/own", yore_str("mine"));
        fault_note_del(run, &where, "base/09");
    }
    yore_merge_plan_close(plan);
}

static void run_merges(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    const yore_at side = at_version("side", 0);
    if (!fault_open(run)) return;
    merge_exp(run);
    bool both = fault_put(run, "", "j", "{\"a\":1}") && fork_branch(run, "side", "default", 0) &&
                fault_put(run, "", "j", "{\"a\":2}") && fault_put(run, "side", "j", "{\"a\":1,\"b\":1}");
    if (both && fault_committed(
                    run, "a merge by path",
                    yore_merge(run->db, &side, yore_str(""), NULL, yore_str(""), NULL, NULL, &where, &err),
                    &where, &err))
        fault_note_put(run, &where, "j", yore_str("{\"a\":2,\"b\":1}"));
}

/* Plan and make a change of exp; base/03 is a put of `value` then, or gone. */
static bool bring_back(fault_run *run, const char *what, const yore_undo_options *options, const char *value)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_undo *plan = NULL;
    if (!run->db) return false;
    yore_status status = yore_undo_open(run->db, yore_str("exp"), options, &plan, &err);
    if (!fault_is(run, what, YORE_OK, status, &err)) return false;
    status = yore_undo_apply(plan, NULL, yore_str("a note"), &where, &err);
    bool done = fault_committed(run, what, status, &where, &err);
    if (done) fault_note_put(run, &where, "base/03", yore_str(value));
    yore_undo_close(plan);
    return done;
}

static void run_undos(fault_run *run)
{
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    yore_at fork = YORE_AT_INIT;
    fault_open(run);
    snprintf(fork.branch, sizeof fork.branch, "exp");
    fork.kind = YORE_AT_FORK;
    if (fault_put(run, "exp", "base/03", "changed") && bring_back(run, "undo", &options, "first")) {
        options.kind = YORE_UNDO_REDO;
        if (bring_back(run, "redo", &options, "changed")) {
            options.kind = YORE_UNDO_RESET;
            options.at = &fork;
            bring_back(run, "reset", &options, "first");
        }
    }
    fault_close(run);
}

static void run_tags_and_settings(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_at at = at_version("exp", 0);
    fault_open(run);
    if (!run->db) return;
    (void)fault_committed(run, "tag", yore_tag_create(run->db, yore_str("now"), &at, &where, &err), &where,
                          &err);
    (void)fault_committed(run, "untag", yore_tag_delete(run->db, yore_str("rel"), &where, &err), &where,
                          &err);
    (void)fault_committed(run, "set", yore_config_set(run->db, "durability", "os", &where, &err), &where,
                          &err);
    (void)fault_committed(run, "unset", yore_config_set(run->db, "durability", "", &where, &err), &where,
                          &err);
    for (const char *const *prefix = (const char *const[]){"b", "a", NULL}; *prefix; prefix++) {
        yore_status status =
            yore_config_set_prefix(run->db, "search.index", yore_str(*prefix), "none", &where, &err);
        (void)fault_committed(run, "set by prefix", status, &where, &err);
    }
}

static void run_reads(fault_run *run)
{
    fault_open(run);
    if (run->db) read_all(run, run->db);
}

static void run_reader(fault_run *run)
{
    yore_db *reader = open_reader(run);
    if (!reader) return;
    read_all(run, reader);
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_db_put(reader, yore_str(""), yore_str_key("k"), yore_str("v"), NULL, &err);
    (void)fault_is(run, "a write to a reader", YORE_ERR_READONLY, status, &err);
    (void)fault_is(run, "check of a reader", YORE_OK, yore_check(reader, YORE_CHECK_DEEP, NULL, &err), &err);
    yore_close(reader);
}

/* A reader beside a writer follows it, through file changes, and never sees more than was acknowledged. */
static void run_refresh(fault_run *run)
{
    static char value[700];
    memset(value, 'r', sizeof value - 1);
    yore_error err = YORE_ERROR_INIT;
    fault_open(run);
    yore_db *reader = open_reader(run);
    uint64_t seen = reader ? fault_visible(run, reader) : 0;
    bool has_failed = false;
    for (int i = 0; i < 8; i++) {
        char key[16];
        snprintf(key, sizeof key, "follow/%d", i);
        fault_put(run, "", key, value);
        if (!reader) continue;
        yore_status status = yore_refresh(reader, &err);
        if (status == YORE_ERR_POISONED && has_failed) { /* an earlier one stopped half way */
            yore_close(reader);
            reader = open_reader(run);
            has_failed = false;
            continue;
        }
        if (!fault_is(run, "refresh", YORE_OK, status, &err)) {
            has_failed = true;
            continue;
        }
        uint64_t now = fault_visible(run, reader);
        if (now < seen) fault_wrong(run, "a refresh went back");
        if (now > run->acked + run->unknown) fault_wrong(run, "a reader sees what nobody acknowledged");
        seen = now;
        fault_check_notes(run, reader, now);
    }
    if (reader) read_snapshot(run, reader);
    yore_close(reader);
}

static void run_check_and_upgrade(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options;
    fault_options(run, &options);
    (void)fault_is(run, "upgrade", YORE_OK, yore_upgrade("db", &options, NULL, NULL, &err), &err);
    fault_open(run);
    check(run, YORE_CHECK_QUICK);
    fault_put(run, "", "checked", "twice");
    check(run, YORE_CHECK_DEEP);
}

static void run_relaxed(fault_run *run)
{
    fault_open(run);
    for (int i = 0; i < 5; i++) {
        char key[16];
        snprintf(key, sizeof key, "os/%d", i);
        fault_put(run, "", key, "not synced yet, in the page cache only");
        if (i == 2) sync_now(run);
    }
    fault_close(run);
    fault_open(run);
    fault_put(run, "", "os/9", "again");
    sync_now(run);
}

static void run_two_writers(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options;
    yore_db *second = NULL;
    fault_options(run, &options);
    fault_open(run);
    if (!run->db) return;
    (void)fault_is(run, "a second writer", YORE_ERR_LOCKED, yore_open("db", &options, &second, &err), &err);
    fault_put(run, "", "still", "the first");
}

static void run_memory(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options;
    yore_db *db = NULL;
    yore_where where = YORE_WHERE_INIT;
    fault_options(run, &options);
    options.sync = 0;
    if (!fault_is(run, "open in memory", YORE_OK, yore_open(":memory:", &options, &db, &err), &err)) return;
    for (int i = 0; i < 4; i++) {
        char key[16];
        snprintf(key, sizeof key, "m/%d", i);
        uint64_t before = fault_visible(run, db);
        bool ok = fault_is(run, "put in memory", YORE_OK,
                           yore_db_put(db, yore_str(""), yore_str_key(key), yore_str("v"), &where, &err),
                           &err);
        if (fault_visible(run, db) != before + ok) fault_wrong(run, "a failed put in memory is visible");
    }
    (void)fault_is(run, "check in memory", YORE_OK, yore_check(db, YORE_CHECK_DEEP, NULL, &err), &err);
    yore_close(db);
}

const fault_scenario fault_scenarios[] = {
    {.name = "create", .run = run_create, .sync = YORE_SYNC_COMMIT, .from_nothing = true},
    {.name = "open, close, open", .run = run_open_close, .sync = YORE_SYNC_COMMIT},
    {.name = "open after a kill", .run = run_open_close, .sync = YORE_SYNC_COMMIT, .from_kill = true},
    {.name = "puts", .run = run_puts, .sync = YORE_SYNC_COMMIT},
    {.name = "puts after a kill", .run = run_puts, .sync = YORE_SYNC_COMMIT, .from_kill = true},
    {.name = "puts in mode group", .run = run_puts, .sync = YORE_SYNC_GROUP},
    {.name = "puts in mode none", .run = run_puts, .sync = YORE_SYNC_NONE},
    {.name = "many log files", .run = run_many_files, .sync = YORE_SYNC_COMMIT},
    {.name = "many log files in mode os", .run = run_many_files, .sync = YORE_SYNC_OS, .from_kill = true},
    {.name = "a large value", .run = run_large_value, .sync = YORE_SYNC_COMMIT},
    {.name = "transactions", .run = run_transactions, .sync = YORE_SYNC_COMMIT},
    {.name = "rollback", .run = run_rollback, .sync = YORE_SYNC_COMMIT},
    {.name = "reads in a transaction", .run = run_txn_reads, .sync = YORE_SYNC_COMMIT},
    {.name = "a conflict", .run = run_conflict, .sync = YORE_SYNC_COMMIT},
    {.name = "operations resolved at commit", .run = run_resolved, .sync = YORE_SYNC_COMMIT},
    {.name = "branches", .run = run_branches, .sync = YORE_SYNC_COMMIT},
    {.name = "branches in mode os", .run = run_branches, .sync = YORE_SYNC_OS},
    {.name = "merges", .run = run_merges, .sync = YORE_SYNC_COMMIT},
    {.name = "merges in mode os", .run = run_merges, .sync = YORE_SYNC_OS, .from_kill = true},
    {.name = "undos", .run = run_undos, .sync = YORE_SYNC_COMMIT},
    {.name = "tags and settings", .run = run_tags_and_settings, .sync = YORE_SYNC_COMMIT},
    {.name = "reads", .run = run_reads, .sync = YORE_SYNC_COMMIT},
    {.name = "a reader alone", .run = run_reader, .sync = YORE_SYNC_COMMIT},
    {.name = "a reader after a kill", .run = run_reader, .sync = YORE_SYNC_COMMIT, .from_kill = true},
    {.name = "a reader beside a writer", .run = run_refresh, .sync = YORE_SYNC_COMMIT},
    {.name = "a reader beside a writer in mode os", .run = run_refresh, .sync = YORE_SYNC_OS},
    {.name = "check and upgrade", .run = run_check_and_upgrade, .sync = YORE_SYNC_COMMIT, .from_kill = true},
    {.name = "modes without a sync", .run = run_relaxed, .sync = YORE_SYNC_OS},
    {.name = "two writers", .run = run_two_writers, .sync = YORE_SYNC_COMMIT},
    {.name = "in memory", .run = run_memory, .sync = YORE_SYNC_COMMIT},
    /* and with segments */
    {.name = "create, flushed",
     .run = run_create,
     .sync = YORE_SYNC_COMMIT,
     .maintain = 1,
     .from_nothing = true},
    {.name = "open, close, open, flushed", .run = run_open_close, .sync = YORE_SYNC_COMMIT, .maintain = 3},
    {.name = "puts, flushed", .run = run_puts, .sync = YORE_SYNC_COMMIT, .maintain = 2},
    {.name = "puts after a kill, flushed",
     .run = run_puts,
     .sync = YORE_SYNC_COMMIT,
     .maintain = 3,
     .from_kill = true},
    {.name = "puts in mode group, flushed", .run = run_puts, .sync = YORE_SYNC_GROUP, .maintain = 4},
    {.name = "puts in mode os, flushed", .run = run_puts, .sync = YORE_SYNC_OS, .maintain = 3},
    {.name = "many log files, flushed", .run = run_many_files, .sync = YORE_SYNC_COMMIT, .maintain = 9},
    {.name = "a large value, flushed", .run = run_large_value, .sync = YORE_SYNC_COMMIT, .maintain = 1},
    {.name = "transactions, flushed", .run = run_transactions, .sync = YORE_SYNC_COMMIT, .maintain = 1},
    {.name = "reads in a transaction, flushed",
     .run = run_txn_reads,
     .sync = YORE_SYNC_COMMIT,
     .maintain = 1},
    {.name = "a conflict, flushed", .run = run_conflict, .sync = YORE_SYNC_COMMIT, .maintain = 1},
    {.name = "operations resolved at commit, flushed",
     .run = run_resolved,
     .sync = YORE_SYNC_COMMIT,
     .maintain = 1},
    {.name = "branches, flushed", .run = run_branches, .sync = YORE_SYNC_COMMIT, .maintain = 4},
    {.name = "merges, flushed", .run = run_merges, .sync = YORE_SYNC_COMMIT, .maintain = 3},
    {.name = "undos, flushed", .run = run_undos, .sync = YORE_SYNC_COMMIT, .maintain = 2},
    {.name = "tags and settings, flushed",
     .run = run_tags_and_settings,
     .sync = YORE_SYNC_COMMIT,
     .maintain = 3},
    {.name = "reads, flushed", .run = run_reads, .sync = YORE_SYNC_COMMIT, .maintain = 2},
    {.name = "a reader alone, flushed", .run = run_reader, .sync = YORE_SYNC_COMMIT, .maintain = 2},
    {.name = "a reader beside a writer, flushed",
     .run = run_refresh,
     .sync = YORE_SYNC_COMMIT,
     .maintain = 4},
    {.name = "check and upgrade, flushed",
     .run = run_check_and_upgrade,
     .sync = YORE_SYNC_COMMIT,
     .maintain = 2,
     .from_kill = true},
};
const size_t fault_scenarios_count = sizeof fault_scenarios / sizeof fault_scenarios[0];
