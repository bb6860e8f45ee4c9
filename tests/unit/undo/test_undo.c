/* Undo, redo, revert, cherry-pick, restore and reset, fact by fact. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <yore.h>

#include "tests/support/env_sim.h"

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static int setup(void **state)
{
    yore_db *db;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.create = true;
    if (yore_open(":memory:", &options, &db, &err) != YORE_OK) return -1;
    *state = db;
    return 0;
}

static int teardown(void **state)
{
    yore_close(*state);
    return 0;
}

/* -- writing and reading in words -- */

/* "a=1 b= -c": puts and deletes, one commit on a branch. */
static uint64_t commit(yore_db *db, const char *branch, const char *writes)
{
    yore_txn *txn;
    yore_where where = YORE_WHERE_INIT;
    ok(yore_begin(db, yore_str(branch), NULL, &txn, &err));
    for (const char *at = writes; *at; at += strspn(at, " ")) {
        size_t size = strcspn(at, " "), key = strcspn(at, "= ");
        if (*at == '-')
            ok(yore_del(txn, yore_bytes_key(at + 1, size - 1), NULL, &err));
        else
            ok(yore_put(txn, yore_bytes_key(at, key), yore_bytes(at + key + 1, size - key - 1), NULL, &err));
        at += size;
    }
    ok(yore_commit(txn, yore_str(""), &where, &err));
    return where.version;
}

/* A branch as of a version (0 = now) in the same words. */
static const char *state_at(yore_db *db, const char *branch, uint64_t version)
{
    static char text[512];
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    yore_iter *iter;
    yore_row row;
    size_t n, used = 0;
    snprintf(at.branch, sizeof at.branch, "%s", branch);
    at.kind = version ? YORE_AT_VERSION : YORE_AT_NOW;
    at.version = version;
    text[0] = 0;
    ok(yore_snap_open(db, &at, &snap, NULL, &err));
    ok(yore_scan(snap, NULL, &iter, &err));
    while (yore_next(iter, &row, sizeof row, 1, &n, &err) == YORE_OK) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s=%.*s", used ? " " : "",
                                 (int)row.key.size, (const char *)row.key.data, (int)row.value.size,
                                 row.value.size ? (const char *)row.value.data : "");
    }
    yore_iter_close(iter);
    yore_snap_close(snap);
    return text;
}

#define EXPECT(db, branch, words) assert_string_equal(state_at(db, branch, 0), words)

static yore_at point(yore_db *db, const char *spec)
{
    yore_at at = YORE_AT_INIT;
    ok(yore_at_parse(db, spec, 0, 0, &at, &err));
    return at;
}

static void fork_branch(yore_db *db, const char *name, const char *spec)
{
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = point(db, spec);
    options.from = &from;
    ok(yore_branch_create(db, yore_str(name), &options, NULL, &err));
}

/* -- the verbs -- */

static yore_undo *planned(yore_db *db, const char *branch, const yore_undo_options *options)
{
    yore_undo *plan;
    ok(yore_undo_open(db, yore_str(branch), options, &plan, &err));
    return plan;
}

static yore_status run(yore_db *db, const char *branch, const yore_undo_options *options, uint64_t *version)
{
    yore_undo *plan;
    yore_where where = YORE_WHERE_INIT;
    yore_status status = yore_undo_open(db, yore_str(branch), options, &plan, &err);
    if (status < 0) return status;
    status = yore_undo_apply(plan, NULL, yore_str(""), &where, &err);
    if (status == YORE_OK && version) *version = where.version;
    yore_undo_close(plan);
    return status;
}

static yore_status do_version(yore_db *db, const char *branch, uint32_t kind, uint64_t version)
{
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    options.kind = kind;
    options.version = version;
    return run(db, branch, &options, NULL);
}

static yore_status undo(yore_db *db, const char *branch)
{
    return do_version(db, branch, YORE_UNDO_UNDO, 0);
}

static yore_status redo(yore_db *db, const char *branch)
{
    return do_version(db, branch, YORE_UNDO_REDO, 0);
}

static yore_status restore(yore_db *db, const char *branch, const char *key, const char *prefix,
                           const char *spec)
{
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    yore_at at = point(db, spec);
    yore_key keys[1];
    options.kind = YORE_UNDO_RESTORE;
    options.at = &at;
    if (key) {
        keys[0] = yore_str_key(key);
        options.keys = keys;
        options.key_count = 1;
    }
    if (prefix) options.prefix = yore_str(prefix);
    return run(db, branch, &options, NULL);
}

static yore_status reset(yore_db *db, const char *branch, const char *spec, const char *keep_as)
{
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    yore_at at = point(db, spec);
    options.kind = YORE_UNDO_RESET;
    options.at = &at;
    if (keep_as) options.keep_as = yore_str(keep_as);
    return run(db, branch, &options, NULL);
}

static uint64_t head(yore_db *db, const char *branch)
{
    yore_branch_info info = {.struct_size = sizeof info};
    ok(yore_branch_info_get(db, yore_str(branch), &info, &err));
    return info.head_version;
}

static void expect_source(yore_db *db, uint64_t version, const char *source)
{
    yore_commit_info info = {.struct_size = sizeof info};
    ok(yore_commit_get(db, version, &info, &err));
    assert_int_equal(info.source.size, strlen(source));
    assert_memory_equal(info.source.data, source, info.source.size);
    yore_commit_release(&info);
}

/* -- undo and redo -- */

static void test_undo_gives_the_commits_keys_the_state_before_it(void **state)
{
    yore_db *db = *state;
    commit(db, "default", "a=1 b=1 c=1");
    uint64_t second = commit(db, "default", "a=2 -b d=2");
    ok(undo(db, "default"));
    EXPECT(db, "default", "a=1 b=1 c=1");
    assert_string_equal(state_at(db, "default", second), "a=2 c=1 d=2");
    expect_source(db, head(db, "default"), "undo:v3");
    ok(redo(db, "default"));
    EXPECT(db, "default", "a=2 c=1 d=2");
    expect_source(db, head(db, "default"), "redo:v4");
}

static void test_undo_brings_back_type_metadata_and_expiry(void **state)
{
    yore_db *db = *state;
    yore_txn *txn;
    yore_put_options how = YORE_PUT_OPTIONS_INIT;
    how.type = YORE_TYPE_JSON;
    how.meta = yore_str("mode=7");
    how.ttl_ns = INT64_C(3600000000000);
    ok(yore_begin(db, yore_str(""), NULL, &txn, &err));
    ok(yore_put(txn, yore_str_key("a"), yore_str("{}"), &how, &err));
    ok(yore_commit(txn, yore_str(""), NULL, &err));
    yore_pin before = YORE_PIN_INIT, after = YORE_PIN_INIT;
    ok(yore_db_get(db, yore_str(""), yore_str_key("a"), &before, &err));
    commit(db, "default", "a={}"); /* the same bytes, without all that */
    ok(undo(db, "default"));
    ok(yore_db_get(db, yore_str(""), yore_str_key("a"), &after, &err));
    assert_int_equal(after.type, YORE_TYPE_JSON);
    assert_int_equal(after.meta.size, 6);
    assert_true(before.expiry_ns != 0 && after.expiry_ns == before.expiry_ns);
    yore_unpin(&before);
    yore_unpin(&after);
}

static void test_an_undo_that_changes_nothing_still_moves_the_stack(void **state)
{
    yore_db *db = *state;
    commit(db, "default", "a=1");
    commit(db, "default", "a=1");
    ok(undo(db, "default"));
    assert_int_equal(head(db, "default"), 4);
    ok(undo(db, "default"));
    EXPECT(db, "default", "");
    ok(redo(db, "default"));
    ok(redo(db, "default"));
    assert_int_equal(redo(db, "default"), YORE_ERR_REFUSED);
    EXPECT(db, "default", "a=1");
}

static void test_undo_of_an_earlier_commit_keeps_later_edits_and_redo_takes_it_back(void **state)
{
    yore_db *db = *state;
    uint64_t first = commit(db, "default", "a=1 b=1");
    commit(db, "default", "c=2");
    ok(do_version(db, "default", YORE_UNDO_UNDO, first));
    EXPECT(db, "default", "c=2");
    ok(undo(db, "default")); /* passes over what is undone */
    EXPECT(db, "default", "");
    ok(redo(db, "default"));
    ok(redo(db, "default"));
    EXPECT(db, "default", "a=1 b=1 c=2");
}

static void test_a_mark_that_was_imported_is_a_commit_like_any_other(void **state)
{
    yore_db *db = *state;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_txn *txn;
    commit(db, "default", "a=1");
    commit(db, "default", "a=2");
    options.source = yore_str("undo:v2");
    options.has_source_time = true;
    options.source_time_ns = 5;
    ok(yore_begin(db, yore_str(""), &options, &txn, &err));
    ok(yore_put(txn, yore_str_key("b"), yore_str("3"), NULL, &err));
    ok(yore_commit(txn, yore_str(""), NULL, &err));
    assert_int_equal(redo(db, "default"), YORE_ERR_REFUSED);
    ok(undo(db, "default"));
    EXPECT(db, "default", "a=2");
    ok(undo(db, "default"));
    ok(undo(db, "default"));
    EXPECT(db, "default", "");
}

static void test_a_source_time_that_is_given_to_an_undo_does_not_make_it_an_imported_one(void **state)
{
    yore_db *db = *state;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    options.source_time_ns = 5;
    commit(db, "default", "a=1");
    commit(db, "default", "a=2");
    yore_undo *plan = planned(db, "default", NULL);
    ok(yore_undo_apply(plan, &options, yore_str(""), NULL, &err));
    yore_undo_close(plan);
    ok(undo(db, "default")); /* the commit before, not the undo */
    EXPECT(db, "default", "");
}

static void test_with_nothing_to_undo_or_redo_it_is_refused(void **state)
{
    yore_db *db = *state;
    assert_int_equal(undo(db, "default"), YORE_ERR_REFUSED);
    assert_int_equal(redo(db, "default"), YORE_ERR_REFUSED);
    commit(db, "default", "a=1");
    assert_int_equal(redo(db, "default"), YORE_ERR_REFUSED);
    ok(undo(db, "default"));
    assert_int_equal(undo(db, "default"), YORE_ERR_REFUSED);
    commit(db, "default", "b=1");
    assert_int_equal(redo(db, "default"), YORE_ERR_REFUSED); /* an ordinary commit cleared it */
    assert_int_equal(do_version(db, "default", YORE_UNDO_UNDO, 99), YORE_ERR_TIME_RANGE);
    assert_int_equal(do_version(db, "default", YORE_UNDO_UNDO, 1), YORE_ERR_REFUSED); /* the store's own */
    assert_int_equal(undo(db, "none"), YORE_ERR_NO_BRANCH);
}

static void test_a_fork_does_not_undo_what_it_inherited_but_reverts_it(void **state)
{
    yore_db *db = *state;
    uint64_t base = commit(db, "default", "a=1 b=1");
    fork_branch(db, "exp", "default@now");
    assert_int_equal(undo(db, "exp"), YORE_ERR_REFUSED);
    assert_non_null(strstr(err.message, "inherited"));
    assert_int_equal(do_version(db, "exp", YORE_UNDO_UNDO, base), YORE_ERR_REFUSED);
    uint64_t own = commit(db, "exp", "a=2");
    ok(undo(db, "exp"));
    EXPECT(db, "exp", "a=1 b=1");
    assert_int_equal(undo(db, "exp"), YORE_ERR_REFUSED);
    ok(do_version(db, "exp", YORE_UNDO_REVERT, base));
    EXPECT(db, "exp", "");
    EXPECT(db, "default", "a=1 b=1");
    assert_int_equal(do_version(db, "default", YORE_UNDO_REVERT, own),
                     YORE_ERR_REFUSED); /* not in its history */
    ok(undo(db, "exp"));
    EXPECT(db, "exp", "a=1 b=1");
}

static void test_undo_of_a_merge_gives_the_first_parents_side(void **state)
{
    yore_db *db = *state;
    commit(db, "default", "a=1 b=1");
    fork_branch(db, "exp", "default@now");
    uint64_t theirs = commit(db, "exp", "a=2 c=2");
    commit(db, "default", "b=3");
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_txn *txn;
    options.parents = &theirs;
    options.parent_count = 1;
    ok(yore_begin(db, yore_str(""), &options, &txn, &err));
    ok(yore_put(txn, yore_str_key("a"), yore_str("2"), NULL, &err));
    ok(yore_put(txn, yore_str_key("c"), yore_str("2"), NULL, &err));
    ok(yore_commit(txn, yore_str("merge"), NULL, &err));
    EXPECT(db, "default", "a=2 b=3 c=2");
    ok(undo(db, "default"));
    EXPECT(db, "default", "a=1 b=3");
}

static void test_what_has_expired_meanwhile_is_absent_on_both_sides(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(7);
    const yore_env *env = yr_sim_env(sim);
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db;
    yore_txn *txn;
    yore_put_options how = YORE_PUT_OPTIONS_INIT;
    options.env = env;
    options.create = true;
    ok(yore_open(":memory:", &options, &db, &err));
    commit(db, "default", "b=0");
    how.ttl_ns = 1000000000;
    ok(yore_begin(db, yore_str(""), NULL, &txn, &err)); /* v3: both for a second */
    ok(yore_put(txn, yore_str_key("a"), yore_str("1"), &how, &err));
    ok(yore_put(txn, yore_str_key("b"), yore_str("1"), &how, &err));
    ok(yore_commit(txn, yore_str(""), NULL, &err));
    commit(db, "default", "a=2");
    env->sleep_ns(env->ctx, INT64_C(2000000000));
    ok(undo(db, "default")); /* of v4: a's state before has expired, so a goes */
    EXPECT(db, "default", "");
    ok(undo(db, "default")); /* of v3: what it left has expired, what it found has not */
    EXPECT(db, "default", "b=0");
    yore_close(db);
    yr_sim_destroy(sim);
}

/* -- revert and cherry-pick -- */

static void test_revert_keeps_later_edits_and_reports_a_clash(void **state)
{
    yore_db *db = *state;
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    yore_undo_row row;
    commit(db, "default", "a=1 b=1");
    options.version = commit(db, "default", "a=2 b=2 c=2");
    commit(db, "default", "d=3 b=3");
    options.kind = YORE_UNDO_REVERT;
    yore_undo *plan = planned(db, "default", &options);
    assert_int_equal(yore_undo_apply(plan, NULL, yore_str(""), NULL, &err), YORE_CONFLICT);
    assert_non_null(strstr(err.message, "'b'"));
    ok(yore_undo_next(plan, &row, &err)); /* a */
    assert_int_equal(row.op, YORE_DIFF_CHANGE);
    assert_false(row.clash);
    ok(yore_undo_next(plan, &row, &err)); /* b */
    assert_true(row.clash);
    assert_int_equal(row.now.version, 4);
    assert_int_equal(row.base.version, 3);
    assert_int_equal(row.then.version, 2);
    ok(yore_undo_next(plan, &row, &err)); /* c */
    assert_int_equal(row.op, YORE_DIFF_DEL);
    assert_int_equal(yore_undo_next(plan, &row, &err), YORE_END);
    yore_undo_close(plan);
    EXPECT(db, "default", "a=2 b=3 c=2 d=3");
    assert_int_equal(head(db, "default"), 4);

    commit(db, "default", "b=2"); /* as v3 left it again */
    ok(run(db, "default", &options, NULL));
    EXPECT(db, "default", "a=1 b=1 d=3");
    expect_source(db, head(db, "default"), "revert:v3");
    uint64_t made = 1;
    ok(run(db, "default", &options, &made)); /* it is reverted: nothing to do */
    assert_int_equal(made, 0);
    assert_int_equal(head(db, "default"), 6);
    ok(undo(db, "default"));
    EXPECT(db, "default", "a=2 b=2 c=2 d=3");
}

static void test_objects_changed_in_different_places_are_no_clash(void **state)
{
    yore_db *db = *state;
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    yore_undo_row row;
    commit(db, "default", "a={\"x\":1,\"y\":1}");
    options.version = commit(db, "default", "a={\"x\":2,\"y\":1}");
    commit(db, "default", "a={\"x\":2,\"y\":3}");
    options.kind = YORE_UNDO_REVERT;
    yore_undo *plan = planned(db, "default", &options);
    ok(yore_undo_next(plan, &row, &err));
    assert_true(row.merged);
    assert_false(row.clash);
    assert_int_equal(row.then.version, 2);
    ok(yore_undo_apply(plan, NULL, yore_str(""), NULL, &err));
    yore_undo_close(plan);
    EXPECT(db, "default", "a={\"x\":1,\"y\":3}");
    uint64_t made = 1;
    ok(run(db, "default", &options, &made));
    assert_int_equal(made, 0);
    commit(db, "default", "a={\"x\":7,\"y\":3}"); /* the same place */
    assert_int_equal(run(db, "default", &options, NULL), YORE_CONFLICT);
    commit(db, "default", "a={\"x\":2,\"y\":3"); /* no JSON: a value like any other */
    assert_int_equal(run(db, "default", &options, NULL), YORE_CONFLICT);
    EXPECT(db, "default", "a={\"x\":2,\"y\":3");
}

static void test_a_rewrite_of_the_same_value_has_nothing_to_revert(void **state)
{
    yore_db *db = *state;
    commit(db, "default", "a=1");
    uint64_t same = commit(db, "default", "a=1");
    commit(db, "default", "a=2");
    ok(do_version(db, "default", YORE_UNDO_REVERT, same));
    EXPECT(db, "default", "a=2");
}

static void test_cherry_pick_makes_a_commits_change_elsewhere(void **state)
{
    yore_db *db = *state;
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    commit(db, "default", "a=1 b=1");
    fork_branch(db, "exp", "default@now");
    uint64_t picked = commit(db, "exp", "a=2 -b c=2");
    commit(db, "exp", "d=5");
    options.kind = YORE_UNDO_PICK;
    options.version = picked;
    yore_key keys[2] = {yore_str_key("c"), yore_str_key("a")};
    options.keys = keys;
    options.key_count = 2;
    ok(run(db, "default", &options, NULL));
    EXPECT(db, "default", "a=2 b=1 c=2");
    keys[1] = yore_str_key("d");
    assert_int_equal(run(db, "default", &options, NULL), YORE_ERR_REFUSED); /* d is another commit's */
    options.keys = NULL;
    options.key_count = 0;
    ok(run(db, "default", &options, NULL)); /* what is there already is no clash */
    EXPECT(db, "default", "a=2 c=2");
    expect_source(db, head(db, "default"), "cherry-pick:v4");
    yore_at tip = point(db, "exp@now");
    options.version = 0;
    options.at = &tip;
    ok(run(db, "default", &options, NULL));
    EXPECT(db, "default", "a=2 c=2 d=5");
    commit(db, "default", "d=6");
    assert_int_equal(run(db, "default", &options, NULL), YORE_CONFLICT);
    EXPECT(db, "default", "a=2 c=2 d=6");
}

/* -- restore and reset -- */

static void test_restore_gives_keys_the_state_of_a_point(void **state)
{
    yore_db *db = *state;
    commit(db, "default", "p/a=1 p/b=1 q=1");
    commit(db, "default", "p/a=2 -p/b p/c=2 q=2");
    ok(restore(db, "default", "p/b", NULL, "@v2"));
    EXPECT(db, "default", "p/a=2 p/b=1 p/c=2 q=2");
    expect_source(db, head(db, "default"), "restore:v2");
    ok(restore(db, "default", NULL, "p/", "@v2"));
    EXPECT(db, "default", "p/a=1 p/b=1 q=2");
    ok(restore(db, "default", NULL, "p/", "@v2")); /* nothing to do: no commit */
    assert_int_equal(head(db, "default"), 5);
    fork_branch(db, "exp", "default@v3");
    commit(db, "exp", "q=9 p/z=9");
    ok(restore(db, "default", "q", NULL, "exp@now"));
    ok(restore(db, "default", NULL, "p/", "exp@now"));
    EXPECT(db, "default", "p/a=2 p/c=2 p/z=9 q=9");
    ok(undo(db, "default"));
    EXPECT(db, "default", "p/a=1 p/b=1 q=9");
}

static void test_restore_of_a_value_whose_expiry_alone_differs_brings_the_expiry_back(void **state)
{
    yore_db *db = *state;
    yore_pin pin = YORE_PIN_INIT;
    yore_txn *txn;
    yore_put_options how = YORE_PUT_OPTIONS_INIT;
    how.ttl_ns = INT64_C(3600000000000);
    commit(db, "default", "a=1");
    ok(yore_begin(db, yore_str(""), NULL, &txn, &err));
    ok(yore_put(txn, yore_str_key("a"), yore_str("1"), &how, &err));
    ok(yore_commit(txn, yore_str(""), NULL, &err));
    ok(reset(db, "default", "@v2", NULL));
    ok(yore_db_get(db, yore_str(""), yore_str_key("a"), &pin, &err));
    assert_true(pin.expiry_ns == 0);
    yore_unpin(&pin);
}

static void test_reset_gives_the_branch_the_state_of_a_point_and_keeps_its_history(void **state)
{
    yore_db *db = *state;
    commit(db, "default", "a=1 b=1");
    uint64_t tip = commit(db, "default", "a=2 -b c=2");
    ok(reset(db, "default", "@v2", "old"));
    EXPECT(db, "default", "a=1 b=1");
    EXPECT(db, "old", "a=2 c=2");
    assert_string_equal(state_at(db, "default", tip), "a=2 c=2");
    expect_source(db, head(db, "default"), "reset:v2");
    ok(undo(db, "default"));
    EXPECT(db, "default", "a=2 c=2");

    assert_int_equal(reset(db, "default", "@v2", "old"), YORE_ERR_EXISTS);
    assert_int_equal(reset(db, "default", "@v2", "a b"), YORE_ERR_NAME);
    EXPECT(db, "default", "a=2 c=2");
    commit(db, "old", "z=1");
    ok(reset(db, "default", "old@now", NULL)); /* of another branch */
    EXPECT(db, "default", "a=2 c=2 z=1");
    ok(reset(db, "old", "old@fork", NULL));
    EXPECT(db, "old", "a=2 c=2");
}

static void test_reset_covers_every_primitive(void **state)
{
    yore_db *db = *state;
    yore_txn *txn;
    yore_pin pin = YORE_PIN_INIT;
    const yore_key json = {.user = yore_str("doc"), .primitive = YORE_JSON};
    commit(db, "default", "a=1");
    ok(yore_begin(db, yore_str(""), NULL, &txn, &err));
    ok(yore_put(txn, json, yore_str("{}"), NULL, &err));
    ok(yore_commit(txn, yore_str(""), NULL, &err));
    ok(reset(db, "default", "@v2", NULL));
    assert_int_equal(yore_db_get(db, yore_str(""), json, &pin, &err), YORE_NOT_FOUND);
    ok(undo(db, "default"));
    ok(yore_db_get(db, yore_str(""), json, &pin, &err));
    yore_unpin(&pin);
}

/* -- the horizon -- */

static void test_a_state_that_is_no_longer_kept_is_refused_as_trimmed(void **state)
{
    yore_db *db = *state;
    yore_retention keep = YORE_RETENTION_INIT;
    yore_gc_report report = {.struct_size = sizeof report};
    uint64_t first = commit(db, "default", "a=1");
    uint64_t second = commit(db, "default", "a=2 b=2");
    commit(db, "default", "c=3");
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = 2;
    ok(yore_branch_retention_set(db, yore_str("default"), &keep, NULL, &err));
    ok(yore_gc(db, NULL, &report, &err));
    yore_at at = YORE_AT_INIT;
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    assert_int_equal(do_version(db, "default", YORE_UNDO_REVERT, second), YORE_ERR_TRIMMED);
    assert_int_equal(do_version(db, "default", YORE_UNDO_PICK, second), YORE_ERR_TRIMMED);
    at.kind = YORE_AT_VERSION;
    at.version = first;
    options.kind = YORE_UNDO_RESET;
    options.at = &at;
    assert_int_equal(run(db, "default", &options, NULL), YORE_ERR_TRIMMED);
    ok(undo(db, "default")); /* of v4: the state before is kept */
    EXPECT(db, "default", "a=2 b=2");
    assert_int_equal(undo(db, "default"), YORE_ERR_TRIMMED);
}

/* -- others at work -- */

static void test_a_commit_on_a_key_of_the_plan_wins(void **state)
{
    yore_db *db = *state;
    commit(db, "default", "a=1 b=1");
    commit(db, "default", "a=2");
    yore_undo *plan = planned(db, "default", NULL);
    commit(db, "default", "b=3");
    yore_undo *late = planned(db, "default", NULL); /* would undo that commit */
    ok(yore_undo_apply(plan, NULL, yore_str(""), NULL, &err));
    EXPECT(db, "default", "a=1 b=3");
    commit(db, "default", "b=4");
    assert_int_equal(yore_undo_apply(late, NULL, yore_str(""), NULL, &err), YORE_CONFLICT);
    EXPECT(db, "default", "a=1 b=4");
    yore_undo_close(plan);
    yore_undo_close(late);
}

static void test_a_reset_loses_to_any_commit_of_the_branch_and_leaves_no_copy(void **state)
{
    yore_db *db = *state;
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    yore_branch_info info = {.struct_size = sizeof info};
    commit(db, "default", "a=1");
    commit(db, "default", "a=2");
    yore_at at = point(db, "@v2");
    options.kind = YORE_UNDO_RESET;
    options.at = &at;
    options.keep_as = yore_str("old");
    yore_undo *plan = planned(db, "default", &options);
    commit(db, "default", "z=1"); /* a key that the plan does not know */
    assert_int_equal(yore_undo_apply(plan, NULL, yore_str(""), NULL, &err), YORE_CONFLICT);
    yore_undo_close(plan);
    EXPECT(db, "default", "a=2 z=1");
    assert_int_equal(yore_branch_info_get(db, yore_str("old"), &info, &err), YORE_ERR_NO_BRANCH);
    fork_branch(db, "exp", "default@now");
    plan = planned(db, "default", &options);
    commit(db, "exp", "a=7"); /* other branches do not matter */
    ok(yore_undo_apply(plan, NULL, yore_str(""), NULL, &err));
    yore_undo_close(plan);
    EXPECT(db, "default", "a=1");
    EXPECT(db, "old", "a=2 z=1");
}

static void test_a_restore_of_a_prefix_loses_to_commits_below_it_only(void **state)
{
    yore_db *db = *state;
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    commit(db, "default", "p/a=1 q=1");
    commit(db, "default", "p/a=2");
    yore_at at = point(db, "@v2");
    options.kind = YORE_UNDO_RESTORE;
    options.at = &at;
    options.prefix = yore_str("p/");
    yore_undo *first = planned(db, "default", &options), *second = planned(db, "default", &options);
    commit(db, "default", "p0=1 q=2"); /* just behind the prefix */
    ok(yore_undo_apply(first, NULL, yore_str(""), NULL, &err));
    EXPECT(db, "default", "p/a=1 p0=1 q=2");
    commit(db, "default", "p/new=1");
    assert_int_equal(yore_undo_apply(second, NULL, yore_str(""), NULL, &err), YORE_CONFLICT);
    yore_undo_close(first);
    yore_undo_close(second);
    EXPECT(db, "default", "p/a=1 p/new=1 p0=1 q=2");
}

enum { WRITERS = 3, ROUNDS = 150 };

typedef struct writer {
    yore_db *db;
    int id;
    int failures;
} writer;

/* Each puts a key of its own and reverts that: nobody else touches it, so no revert may lose. */
static void *put_and_revert(void *arg)
{
    writer *w = arg;
    for (int i = 0; i < ROUNDS; i++) {
        yore_error own = YORE_ERROR_INIT;
        yore_where where = YORE_WHERE_INIT;
        yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
        yore_undo *plan = NULL;
        char key[16];
        snprintf(key, sizeof key, "w%d/%d", w->id, i % 4);
        yore_status status = yore_db_put(w->db, yore_str(""), yore_str_key(key), yore_str("x"), &where, &own);
        options.kind = YORE_UNDO_REVERT;
        options.version = where.version;
        if (status == YORE_OK) status = yore_undo_open(w->db, yore_str(""), &options, &plan, &own);
        if (status == YORE_OK) status = yore_undo_apply(plan, NULL, yore_str(""), NULL, &own);
        yore_undo_close(plan);
        if (status != YORE_OK) w->failures++;
    }
    return NULL;
}

static void test_reverts_of_different_keys_never_lose_to_each_other(void **state)
{
    yore_db *db = *state;
    writer writers[WRITERS];
    pthread_t threads[WRITERS];
    commit(db, "default", "base=1");
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.db = db, .id = i};
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_revert, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(writers[i].failures, 0);
    }
    EXPECT(db, "default", "base=1");
}

/* Undo without a number takes whatever is newest: two that take the same commit are one undo and one conflict. */
static void *undo_all(void *arg)
{
    writer *w = arg;
    yore_error own = YORE_ERROR_INIT;
    for (;;) {
        yore_undo *plan;
        yore_status status = yore_undo_open(w->db, yore_str(""), NULL, &plan, &own);
        if (status == YORE_ERR_REFUSED) return NULL;
        if (status == YORE_OK) status = yore_undo_apply(plan, NULL, yore_str(""), NULL, &own);
        if (status >= 0) yore_undo_close(plan);
        if (status != YORE_OK && status != YORE_CONFLICT) {
            w->failures++;
            return NULL;
        }
    }
}

static void test_threads_that_undo_everything_undo_each_commit_once(void **state)
{
    yore_db *db = *state;
    writer writers[WRITERS];
    pthread_t threads[WRITERS];
    uint64_t last = 0;
    for (int i = 0; i < 60; i++) {
        char writes[32];
        snprintf(writes, sizeof writes, "k%d=%d", i % 7, i);
        last = commit(db, "default", writes);
    }
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.db = db, .id = i};
        assert_int_equal(pthread_create(&threads[i], NULL, undo_all, &writers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(writers[i].failures, 0);
    }
    EXPECT(db, "default", "");
    assert_int_equal(head(db, "default"), last + 60);
}

/* -- handles -- */

static void test_a_plan_is_described_applied_once_and_outlives_nothing(void **state)
{
    yore_db *db = *state;
    yore_undo_info info = {.struct_size = sizeof info};
    yore_where where = YORE_WHERE_INIT;
    yore_undo_row row;
    commit(db, "default", "a=1");
    yore_undo *plan = planned(db, "", NULL);
    ok(yore_undo_info_get(plan, &info, &err));
    assert_int_equal(info.kind, YORE_UNDO_UNDO);
    assert_int_equal(info.version, 2);
    assert_int_equal(info.snap_version, 2);
    assert_string_equal(info.source, "undo:v2");
    assert_string_equal(info.branch, "default");
    for (int pass = 0; pass < 2; pass++) { /* it begins anew behind its end */
        ok(yore_undo_next(plan, &row, &err));
        assert_int_equal(row.op, YORE_DIFF_DEL);
        assert_int_equal(yore_undo_next(plan, &row, &err), YORE_END);
    }
    ok(yore_undo_apply(plan, NULL, yore_str("why"), &where, &err));
    assert_int_equal(where.version, 3);
    assert_int_equal(yore_undo_apply(plan, NULL, yore_str(""), NULL, &err), YORE_ERR_MISUSE);
    yore_undo_close(plan);
    yore_undo_close(NULL);

    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    const yore_key key = yore_str_key("a");
    options.keys = &key;
    options.key_count = 1;
    assert_int_equal(yore_undo_open(db, yore_str(""), &options, &plan, &err), YORE_ERR_MISUSE);
    options.struct_size = 0;
    assert_int_equal(yore_undo_open(db, yore_str(""), &options, &plan, &err), YORE_ERR_MISUSE);
}

static void test_a_deleted_branch_changes_no_more_but_gives(void **state)
{
    yore_db *db = *state;
    commit(db, "default", "a=1");
    fork_branch(db, "exp", "default@now");
    uint64_t version = commit(db, "exp", "b=2");
    ok(yore_branch_delete(db, yore_str("exp"), false, NULL, NULL, &err));
    assert_int_equal(undo(db, "exp"), YORE_ERR_NO_BRANCH);
    assert_int_equal(undo(db, "id:2"), YORE_ERR_NO_BRANCH);
    ok(do_version(db, "default", YORE_UNDO_PICK, version));
    EXPECT(db, "default", "a=1 b=2");
    ok(reset(db, "default", "id:2@v2", NULL));
    EXPECT(db, "default", "a=1");
}

#define FACT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FACT(test_undo_gives_the_commits_keys_the_state_before_it),
        FACT(test_undo_brings_back_type_metadata_and_expiry),
        FACT(test_an_undo_that_changes_nothing_still_moves_the_stack),
        FACT(test_undo_of_an_earlier_commit_keeps_later_edits_and_redo_takes_it_back),
        FACT(test_a_mark_that_was_imported_is_a_commit_like_any_other),
        FACT(test_a_source_time_that_is_given_to_an_undo_does_not_make_it_an_imported_one),
        FACT(test_with_nothing_to_undo_or_redo_it_is_refused),
        FACT(test_a_fork_does_not_undo_what_it_inherited_but_reverts_it),
        FACT(test_undo_of_a_merge_gives_the_first_parents_side),
        cmocka_unit_test(test_what_has_expired_meanwhile_is_absent_on_both_sides),
        FACT(test_revert_keeps_later_edits_and_reports_a_clash),
        FACT(test_objects_changed_in_different_places_are_no_clash),
        FACT(test_a_rewrite_of_the_same_value_has_nothing_to_revert),
        FACT(test_cherry_pick_makes_a_commits_change_elsewhere),
        FACT(test_restore_gives_keys_the_state_of_a_point),
        FACT(test_restore_of_a_value_whose_expiry_alone_differs_brings_the_expiry_back),
        FACT(test_reset_gives_the_branch_the_state_of_a_point_and_keeps_its_history),
        FACT(test_reset_covers_every_primitive),
        FACT(test_a_state_that_is_no_longer_kept_is_refused_as_trimmed),
        FACT(test_a_commit_on_a_key_of_the_plan_wins),
        FACT(test_a_reset_loses_to_any_commit_of_the_branch_and_leaves_no_copy),
        FACT(test_a_restore_of_a_prefix_loses_to_commits_below_it_only),
        FACT(test_reverts_of_different_keys_never_lose_to_each_other),
        FACT(test_threads_that_undo_everything_undo_each_commit_once),
        FACT(test_a_plan_is_described_applied_once_and_outlives_nothing),
        FACT(test_a_deleted_branch_changes_no_more_but_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
