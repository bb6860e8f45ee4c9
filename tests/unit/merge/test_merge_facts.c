/* Merges, fact by fact: what the model does not have. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <yore.h>

#include "engine/base/planted.h"

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s: %s\n", yore_status_name(status), err.message);
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

typedef struct put {
    const char *branch, *key, *value; /* value NULL: delete */
    const char *meta;
    uint32_t type;
    int64_t expiry_ns;
} put;

static uint64_t write_one(yore_db *db, put p)
{
    yore_txn *txn;
    yore_where where = YORE_WHERE_INIT;
    yore_put_options how = YORE_PUT_OPTIONS_INIT;
    ok(yore_begin(db, yore_str(p.branch), NULL, &txn, &err));
    if (p.meta) how.meta = yore_str(p.meta);
    how.type = p.type;
    how.expiry_ns = p.expiry_ns;
    if (p.value)
        ok(yore_put(txn, yore_str_key(p.key), yore_str(p.value), &how, &err));
    else
        ok(yore_del(txn, yore_str_key(p.key), NULL, &err));
    ok(yore_commit(txn, yore_str(""), &where, &err));
    return where.version;
}

static uint64_t write_value(yore_db *db, const char *branch, const char *key, const char *value)
{
    return write_one(db, (put){.branch = branch, .key = key, .value = value});
}

static void fork_branch(yore_db *db, const char *name, const char *from)
{
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at at = YORE_AT_INIT;
    (void)snprintf(at.branch, sizeof at.branch, "%s", from);
    options.from = &at;
    ok(yore_branch_create(db, yore_str(name), &options, NULL, &err));
}

static yore_at tip(const char *branch)
{
    yore_at at = YORE_AT_INIT;
    (void)snprintf(at.branch, sizeof at.branch, "%s", branch);
    return at;
}

static yore_merge_plan *planned(yore_db *db, const char *from, const char *into,
                                const yore_merge_options *options, yore_merge_info *info)
{
    yore_merge_plan *plan;
    const yore_at at = tip(from);
    *info = (yore_merge_info){.struct_size = sizeof *info};
    ok(yore_merge_plan_open(db, &at, yore_str(into), options, &plan, &err));
    ok(yore_merge_plan_info(plan, info, &err));
    return plan;
}

static yore_status merge(yore_db *db, const char *from, const char *into, const yore_merge_options *options,
                         yore_merge_info *info)
{
    const yore_at at = tip(from);
    *info = (yore_merge_info){.struct_size = sizeof *info};
    return yore_merge(db, &at, yore_str(into), options, yore_str(""), NULL, info, NULL, &err);
}

static void assert_value(yore_db *db, const char *branch, const char *key, const char *value)
{
    yore_pin pin = YORE_PIN_INIT;
    yore_status status = yore_db_get(db, yore_str(branch), yore_str_key(key), &pin, &err);
    assert_int_equal(status, value ? YORE_OK : YORE_NOT_FOUND);
    if (value) {
        assert_int_equal(pin.value.size, strlen(value));
        assert_memory_equal(pin.value.data, value, pin.value.size);
    }
    yore_unpin(&pin);
}

/* -- what makes no sense -- */

static void a_branch_is_not_merged_into_itself(void **state)
{
    yore_merge_info info;
    write_value(*state, "default", "a", "1");
    assert_int_equal(merge(*state, "default", "", NULL, &info), YORE_ERR_REFUSED);
}

static void an_ancestor_has_nothing_to_merge(void **state)
{
    yore_merge_info info;
    write_value(*state, "default", "a", "1");
    fork_branch(*state, "exp", "default");
    write_value(*state, "exp", "b", "1");
    ok(merge(*state, "default", "exp", NULL, &info));
    assert_true(info.is_nothing);
    assert_int_equal(info.base_version, info.theirs_version);
    yore_at past = tip("exp");
    past.kind = YORE_AT_VERSION;
    past.version = info.theirs_version;
    info = (yore_merge_info){.struct_size = sizeof info};
    ok(yore_merge(*state, &past, yore_str("exp"), NULL, yore_str(""), NULL, &info, NULL, &err));
    assert_true(info.is_nothing);
}

static void unrelated_branches_are_merged_on_request_only(void **state)
{
    yore_merge_info info;
    yore_branch_options empty = YORE_BRANCH_OPTIONS_INIT;
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    empty.empty = true;
    write_value(*state, "default", "a", "1");
    ok(yore_branch_create(*state, yore_str("other"), &empty, NULL, &err));
    ok(merge(*state, "other", "default", NULL, &info)); /* it has nothing at all */
    assert_true(info.is_nothing);
    write_value(*state, "other", "b", "2");
    assert_int_equal(merge(*state, "other", "default", NULL, &info), YORE_ERR_REFUSED);
    options.allow_unrelated = true;
    ok(merge(*state, "other", "default", &options, &info));
    assert_value(*state, "default", "a", "1");
    assert_value(*state, "default", "b", "2");
    write_value(*state, "other", "b", "3");
    ok(merge(*state, "other", "default", NULL, &info)); /* now they have something in common */
    assert_value(*state, "default", "b", "3");
}

static void a_branch_before_its_parents_first_commit_is_related(void **state)
{
    yore_merge_info info;
    fork_branch(*state, "exp", "default");
    write_value(*state, "exp", "a", "1");
    write_value(*state, "default", "b", "1");
    ok(merge(*state, "exp", "default", NULL, &info));
    assert_int_equal(info.base_version, 0);
    assert_value(*state, "default", "a", "1");
}

static void a_deleted_branch_is_not_merged(void **state)
{
    yore_merge_info info;
    write_value(*state, "default", "a", "1");
    fork_branch(*state, "exp", "default");
    write_value(*state, "exp", "a", "2");
    yore_merge_plan *plan = planned(*state, "exp", "default", NULL, &info);
    ok(yore_branch_delete(*state, yore_str("exp"), false, NULL, NULL, &err));
    assert_int_equal(merge(*state, "exp", "default", NULL, &info), YORE_ERR_NO_BRANCH);
    assert_int_equal(merge(*state, "id:2", "default", NULL, &info), YORE_ERR_NO_BRANCH);
    assert_int_equal(merge(*state, "default", "id:2", NULL, &info), YORE_ERR_NO_BRANCH);
    assert_int_equal(yore_merge_apply(plan, yore_str(""), NULL, NULL, &err), YORE_ERR_NO_BRANCH);
    yore_merge_plan_close(plan);
    assert_value(*state, "default", "a", "1");
}

/* -- plans -- */

static void a_plan_is_refused_when_a_branch_has_moved_on(void **state)
{
    yore_merge_info info;
    write_value(*state, "default", "a", "1");
    fork_branch(*state, "exp", "default");
    write_value(*state, "exp", "a", "2");
    yore_merge_plan *plan = planned(*state, "exp", "default", NULL, &info);
    fork_branch(*state, "elsewhere", "default"); /* moves neither */
    write_value(*state, "default", "z", "1");
    assert_int_equal(yore_merge_apply(plan, yore_str(""), NULL, NULL, &err), YORE_CONFLICT);
    assert_non_null(strstr(err.message, "stale"));
    yore_merge_plan_close(plan);
    plan = planned(*state, "exp", "default", NULL, &info);
    write_value(*state, "exp", "z", "1");
    assert_int_equal(yore_merge_apply(plan, yore_str(""), NULL, NULL, &err), YORE_CONFLICT);
    yore_merge_plan_close(plan);
    plan = planned(*state, "exp", "default", NULL, &info);
    fork_branch(*state, "third", "exp");
    ok(yore_merge_apply(plan, yore_str("won"), NULL, NULL, &err));
    yore_merge_plan_close(plan);
    assert_value(*state, "default", "a", "2");
}

static void a_plan_lists_what_it_writes(void **state)
{
    yore_merge_info info;
    yore_merge_change change = {.struct_size = sizeof change};
    write_value(*state, "default", "a", "1");
    write_value(*state, "default", "b", "1");
    fork_branch(*state, "exp", "default");
    write_value(*state, "exp", "a", NULL);
    uint64_t theirs = write_one(*state, (put){.branch = "exp", .key = "c", .value = "3", .meta = "m"});
    yore_merge_plan *plan = planned(*state, "exp", "default", NULL, &info);
    assert_int_equal(info.puts, 1);
    assert_int_equal(info.dels, 1);
    ok(yore_merge_plan_change(plan, 0, &change, &err));
    assert_int_equal(change.op, YORE_OP_DEL);
    assert_memory_equal(change.before.value.data, "1", 1);
    assert_int_equal(change.after.version, 0);
    ok(yore_merge_plan_change(plan, 1, &change, &err));
    assert_int_equal(change.op, YORE_OP_PUT);
    assert_int_equal(change.after.version, theirs);
    assert_memory_equal(change.after.meta.data, "m", 1);
    assert_int_equal(yore_merge_plan_change(plan, 2, &change, &err), YORE_END);
    yore_merge_plan_close(plan);
}

static void a_plan_outlives_its_store_s_handle(void **state)
{
    yore_db *db;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_merge_info info;
    yore_merge_change change = {.struct_size = sizeof change};
    (void)state;
    options.create = true;
    ok(yore_open(":memory:", &options, &db, &err));
    fork_branch(db, "exp", "default");
    write_value(db, "exp", "a", "1");
    yore_merge_plan *plan = planned(db, "exp", "default", NULL, &info);
    yore_close(db);
    ok(yore_merge_plan_change(plan, 0, &change, &err));
    assert_memory_equal(change.after.value.data, "1", 1);
    assert_true(yore_merge_apply(plan, yore_str(""), NULL, NULL, &err) < 0);
    yore_merge_plan_close(plan);
}

/* -- what is taken over -- */

static void type_metadata_and_expiry_come_with_the_value(void **state)
{
    const int64_t later = INT64_C(4000000000000000000);
    yore_merge_info info;
    write_value(*state, "default", "a", "1");
    fork_branch(*state, "exp", "default");
    write_one(*state, (put){"exp", "a", "2", "100755", YORE_TYPE_TEXT, later});
    write_one(*state, (put){"exp", "gone", "2", NULL, 0, 1}); /* has expired long ago */
    ok(merge(*state, "exp", "default", NULL, &info));
    assert_int_equal(info.puts, 1);
    yore_pin pin = YORE_PIN_INIT;
    ok(yore_db_get(*state, yore_str("default"), yore_str_key("a"), &pin, &err));
    assert_int_equal(pin.type, YORE_TYPE_TEXT);
    assert_int_equal(pin.expiry_ns, later);
    assert_int_equal(pin.meta.size, 6);
    yore_unpin(&pin);
    assert_value(*state, "default", "gone", NULL);
}

static void changes_that_lead_nowhere_are_merged_once(void **state)
{
    yore_merge_info info;
    yore_where where = YORE_WHERE_INIT;
    write_value(*state, "default", "a", "1");
    fork_branch(*state, "exp", "default");
    write_value(*state, "exp", "a", "2");
    write_value(*state, "exp", "a", "1");
    const yore_at at = tip("exp");
    info = (yore_merge_info){.struct_size = sizeof info};
    ok(yore_merge(*state, &at, yore_str(""), NULL, yore_str(""), NULL, &info, &where, &err));
    assert_false(info.is_nothing);
    assert_int_equal(info.puts + info.dels, 0);
    ok(merge(*state, "exp", "default", NULL, &info));
    assert_true(info.is_nothing);
    assert_int_equal(info.base_version, info.theirs_version);
}

static void notes_authors_and_sources_are_kept(void **state)
{
    yore_commit_info commit = {.struct_size = sizeof commit};
    yore_txn_options how = YORE_TXN_OPTIONS_INIT;
    yore_where where = YORE_WHERE_INIT;
    write_value(*state, "default", "a", "1");
    fork_branch(*state, "exp", "default");
    write_value(*state, "exp", "b", "1");
    const yore_at at = tip("exp");
    how.author = yore_str("ann");
    ok(yore_merge(*state, &at, yore_str(""), NULL, yore_str(""), &how, NULL, &where, &err));
    ok(yore_commit_get(*state, where.version, &commit, &err));
    assert_memory_equal(commit.note.data, "merge exp", 9);
    assert_memory_equal(commit.author.data, "ann", 3);
    assert_memory_equal(commit.source.data, "merge:exp@v4", 12);
    assert_int_equal(commit.parent_count, 2);
    yore_commit_release(&commit);
}

/* -- JSON -- */

static void three_objects(yore_db *db, const char *base, const char *ours, const char *theirs)
{
    write_one(db, (put){.branch = "default", .key = "j", .value = base});
    fork_branch(db, "exp", "default");
    write_one(db, (put){.branch = "default", .key = "j", .value = ours});
    write_one(db, (put){.branch = "exp", .key = "j", .value = theirs});
}

static void objects_are_merged_by_path(void **state)
{
    yore_merge_info info;
    three_objects(*state, "{\"a\":1,\"b\":{\"c\":1}}", "{\"a\":2,\"b\":{\"c\":1}}",
                  "{\"a\":1,\"b\":{\"c\":1,\"d\":[3]}}");
    ok(merge(*state, "exp", "default", NULL, &info));
    assert_int_equal(info.by_path, 1);
    assert_int_equal(info.conflicts, 0);
    assert_value(*state, "default", "j", "{\"a\":2,\"b\":{\"c\":1,\"d\":[3]}}");
}

static void a_path_that_both_changed_is_a_conflict_of_the_key(void **state)
{
    yore_merge_info info;
    yore_merge_conflict conflict = {.struct_size = sizeof conflict};
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    three_objects(*state, "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":2}", "{\"a\":3,\"b\":1,\"c\":1}");
    yore_merge_plan *plan = planned(*state, "exp", "default", NULL, &info);
    assert_int_equal(info.open_conflicts, 1);
    ok(yore_merge_plan_conflict(plan, 0, &conflict, &err));
    assert_int_equal(conflict.kind, YORE_MERGE_BOTH_CHANGED);
    assert_int_equal(conflict.path_count, 1);
    assert_memory_equal(conflict.paths[0].data, "/a", 2);
    assert_int_equal(yore_merge_apply(plan, yore_str(""), NULL, NULL, &err), YORE_CONFLICT);
    yore_merge_plan_close(plan);
    assert_value(*state, "default", "j", "{\"a\":2,\"b\":2}");
    options.on_conflict = YORE_MERGE_NEWEST; /* theirs */
    ok(merge(*state, "exp", "default", &options, &info));
    assert_int_equal(info.conflicts, 1);
    assert_int_equal(info.open_conflicts, 0);
    assert_value(*state, "default", "j", "{\"a\":3,\"b\":2,\"c\":1}");
}

static void objects_can_be_merged_as_a_whole(void **state)
{
    yore_merge_info info;
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    options.whole_values = true;
    three_objects(*state, "{\"a\":1,\"b\":1}", "{\"a\":2,\"b\":1}", "{\"a\":1,\"b\":2}");
    assert_int_equal(merge(*state, "exp", "default", &options, &info), YORE_CONFLICT);
    options.on_conflict = YORE_MERGE_THEIRS;
    ok(merge(*state, "exp", "default", &options, &info));
    assert_value(*state, "default", "j", "{\"a\":1,\"b\":2}");
}

static void what_only_looks_like_an_object_is_a_value(void **state)
{
    yore_merge_info info;
    three_objects(*state, "{}", "{\"a\":1", "{\"b\":1}");
    assert_int_equal(merge(*state, "exp", "default", NULL, &info), YORE_CONFLICT);
    assert_int_equal(info.open_conflicts, 1);
}

static void both_making_the_same_object_in_other_words_is_no_conflict(void **state)
{
    yore_merge_info info;
    three_objects(*state, "{\"a\":1}", "{\"a\":1,\"b\":2}", "{ \"b\": 2, \"a\": 1 }");
    ok(merge(*state, "exp", "default", NULL, &info));
    assert_int_equal(info.conflicts + info.puts, 0);
    assert_value(*state, "default", "j", "{\"a\":1,\"b\":2}");
}

/* -- resolutions -- */

static yore_status resolved_with(yore_db *db, const yore_merge_resolution *list, size_t n, size_t *refused)
{
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    yore_merge_info info;
    options.resolutions = list;
    options.resolution_count = n;
    options.refused = refused;
    *refused = SIZE_MAX;
    return merge(db, "exp", "default", &options, &info);
}

static void resolutions_must_answer_every_conflict_and_nothing_else(void **state)
{
    uint64_t base[2], ours[2], theirs[2];
    const char *keys[2] = {"a", "b"};
    size_t refused;
    for (int i = 0; i < 2; i++) base[i] = write_value(*state, "default", keys[i], "0");
    fork_branch(*state, "exp", "default");
    for (int i = 0; i < 2; i++) ours[i] = write_value(*state, "default", keys[i], "1");
    for (int i = 0; i < 2; i++) theirs[i] = write_value(*state, "exp", keys[i], "2");
    write_value(*state, "exp", "clear", "2");
    yore_merge_resolution list[3];
    for (int i = 0; i < 2; i++)
        list[i] = (yore_merge_resolution){.key = yore_str_key(keys[i]),
                                          .base_version = base[i],
                                          .ours_version = ours[i],
                                          .theirs_version = theirs[i],
                                          .value = yore_str("both")};
    assert_int_equal(resolved_with(*state, list, 1, &refused), YORE_ERR_INPUT); /* misses one */
    assert_int_equal(refused, 1);
    list[2] = list[0];
    assert_int_equal(resolved_with(*state, list, 3, &refused), YORE_ERR_INPUT); /* one twice */
    assert_int_equal(refused, 2);
    list[2].key = yore_str_key("clear");
    assert_int_equal(resolved_with(*state, list, 3, &refused), YORE_ERR_INPUT); /* no conflict */
    assert_int_equal(refused, 2);
    list[2].key = yore_str_key("aa");
    assert_int_equal(resolved_with(*state, list, 3, &refused), YORE_ERR_INPUT); /* no key */
    assert_int_equal(refused, 2);
    list[1].ours_version--;
    assert_int_equal(resolved_with(*state, list, 2, &refused), YORE_ERR_INPUT); /* a stale version */
    assert_int_equal(refused, 1);
    assert_non_null(strstr(err.message, "stale"));
    list[1].ours_version++;
    list[1].is_delete = true;
    assert_value(*state, "default", "clear", NULL);
    ok(resolved_with(*state, list, 2, &refused));
    assert_value(*state, "default", "a", "both");
    assert_value(*state, "default", "b", NULL);
    assert_value(*state, "default", "clear", "2");
    assert_int_equal(resolved_with(*state, list, 2, &refused), YORE_ERR_INPUT); /* all are settled */
}

/* -- the graph -- */

static void a_later_merge_starts_from_the_last_one(void **state)
{
    yore_merge_info info;
    yore_merge_options theirs = YORE_MERGE_OPTIONS_INIT;
    theirs.on_conflict = YORE_MERGE_OURS;
    write_value(*state, "default", "a", "0");
    fork_branch(*state, "exp", "default");
    write_value(*state, "default", "a", "1");
    uint64_t merged = write_value(*state, "exp", "a", "2");
    ok(merge(*state, "exp", "default", &theirs, &info));
    write_value(*state, "exp", "b", "1");
    ok(merge(*state, "exp", "default", NULL, &info));
    assert_int_equal(info.base_version, merged);
    assert_value(*state, "default", "a", "1");
    assert_value(*state, "default", "b", "1");
}

static void the_base_of_a_criss_cross_is_the_newest(void **state)
{
    yore_merge_info info;
    write_value(*state, "default", "a", "0");
    fork_branch(*state, "exp", "default");
    write_value(*state, "default", "d", "1");
    uint64_t newest = write_value(*state, "exp", "e", "1");
    fork_branch(*state, "before", "default");
    ok(merge(*state, "exp", "default", NULL, &info));
    ok(merge(*state, "before", "exp", NULL, &info));
    write_value(*state, "default", "x", "1");
    write_value(*state, "exp", "y", "1");
    yore_merge_plan *plan = planned(*state, "exp", "default", NULL, &info);
    assert_int_equal(info.base_version, newest);
    yore_merge_plan_close(plan);
}

/* Both merged a branch that was deleted and collected then: the base is known, and gone. */
static void a_base_that_went_with_its_branch_is_passed_over_on_request_only(void **state)
{
    yore_merge_info info;
    yore_merge_options anyhow = YORE_MERGE_OPTIONS_INIT;
    yore_gc_options now = YORE_GC_OPTIONS_INIT;
    anyhow.allow_unrelated = true;
    now.now = true;
    write_value(*state, "default", "a", "0");
    fork_branch(*state, "left", "default");
    fork_branch(*state, "right", "default");
    uint64_t before = write_value(*state, "default", "d", "1");
    fork_branch(*state, "gone", "default"); /* and so the two get that commit, too */
    uint64_t merged = write_value(*state, "gone", "g", "1");
    ok(merge(*state, "gone", "left", NULL, &info));
    ok(merge(*state, "gone", "right", NULL, &info));
    write_value(*state, "left", "l", "1");
    write_value(*state, "right", "r", "1");
    ok(yore_branch_delete(*state, yore_str("gone"), false, NULL, NULL, &err));
    yore_merge_plan_close(planned(*state, "left", "right", NULL, &info));
    assert_int_equal(info.base_version, merged); /* deleted, but not collected */
    yore_merge_plan_close(planned(*state, "left", "right", &anyhow, &info));
    assert_int_equal(info.base_version, merged);
    ok(yore_gc(*state, &now, NULL, &err));
    assert_int_equal(merge(*state, "left", "right", NULL, &info), YORE_ERR_TRIMMED);
    assert_non_null(strstr(err.hint, "--allow-unrelated"));
    ok(merge(*state, "left", "right", &anyhow, &info));
    assert_int_equal(info.base_version, before);
    assert_int_equal(info.conflicts, 0);
    assert_value(*state, "right", "l", "1");
    assert_value(*state, "right", "g", "1");
    ok(merge(*state, "right", "left", NULL, &info)); /* and from there on as always */
    assert_value(*state, "left", "r", "1");
}

static void a_long_history_above_the_base_is_not_walked(void **state)
{
    yore_merge_info info;
    write_value(*state, "default", "a", "0");
    fork_branch(*state, "exp", "default");
    write_value(*state, "exp", "e", "1");
    for (int i = 0; i < 20000; i++) write_value(*state, "default", "b", "1");
    yore_merge_plan *plan = planned(*state, "exp", "default", NULL, &info);
    assert_int_equal(info.puts, 1);
    assert_true(info.base_steps < 30);
    yore_merge_plan_close(plan);
}

/* -- commits while a merge is planned -- */

static yore_db *beside;
static const char *beside_key;
static const char *beside_branch;
static int beside_times;

static void commit_beside(void *ctx, const char *name)
{
    char value[8];
    (void)ctx;
    if (strcmp(name, "merge-planned") != 0 || beside_times == 0) return;
    (void)snprintf(value, sizeof value, "m%d", beside_times--);
    write_value(beside, beside_branch, beside_key, value);
}

static yore_db *opened_with_point(yore_env *env)
{
    yore_db *db;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    *env = *yore_env_default();
    env->point = commit_beside;
    options.env = env;
    options.create = true;
    ok(yore_open(":memory:", &options, &db, &err));
    return beside = db;
}

static yore_status merge_beside(const char *branch, const char *key, int times, uint32_t on_conflict,
                                yore_merge_info *info)
{
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    options.on_conflict = on_conflict;
    beside_branch = branch;
    beside_key = key;
    beside_times = times;
    return merge(beside, "exp", "default", &options, info);
}

static void commits_of_other_keys_do_not_hinder_a_merge(void **state)
{
    yore_env env;
    yore_merge_info info;
    yore_db *db = opened_with_point(&env);
    (void)state;
    write_value(db, "default", "a", "0");
    fork_branch(db, "exp", "default");
    write_value(db, "exp", "a", "1");
    ok(merge_beside("default", "other", 1, YORE_MERGE_STOP, &info));
    assert_value(db, "default", "a", "1");
    assert_value(db, "default", "other", "m1");
    yore_close(db);
}

static void a_merge_sees_what_was_committed_to_its_keys_meanwhile(void **state)
{
    yore_env env;
    yore_merge_info info;
    yore_db *db = opened_with_point(&env);
    (void)state;
    write_value(db, "default", "a", "0");
    fork_branch(db, "exp", "default");
    write_value(db, "exp", "a", "1");
    assert_int_equal(merge_beside("default", "a", 1, YORE_MERGE_STOP, &info), YORE_CONFLICT);
    assert_int_equal(info.open_conflicts, 1);
    assert_value(db, "default", "a", "m1");
    ok(merge_beside("default", "a", 2, YORE_MERGE_OURS, &info));
    assert_value(db, "default", "a", "m1");
    yore_close(db);
}

static void a_key_that_a_merge_leaves_is_watched_too(void **state)
{
    yore_env env;
    yore_merge_info info;
    yore_db *db = opened_with_point(&env);
    (void)state;
    write_value(db, "default", "a", "0");
    fork_branch(db, "exp", "default");
    write_value(db, "exp", "a", "1");
    write_value(db, "default", "a", "1"); /* alike, until it changes again */
    assert_int_equal(merge_beside("default", "a", 1, YORE_MERGE_STOP, &info), YORE_CONFLICT);
    assert_int_equal(info.open_conflicts, 1);
    yore_close(db);
}

static void a_merge_gives_up_when_others_never_stop(void **state)
{
    yore_env env;
    yore_merge_info info;
    yore_db *db = opened_with_point(&env);
    (void)state;
    write_value(db, "default", "a", "0");
    fork_branch(db, "exp", "default");
    write_value(db, "exp", "a", "1");
    assert_int_equal(merge_beside("default", "a", 1000, YORE_MERGE_THEIRS, &info), YORE_CONFLICT);
    assert_true(beside_times < 990);
    ok(merge_beside("exp", "a", 1, YORE_MERGE_THEIRS,
                    &info)); /* what theirs does meanwhile is for the next one */
    assert_value(db, "default", "a", "1");
    ok(merge_beside("exp", "z", 0, YORE_MERGE_STOP, &info));
    assert_value(db, "default", "a", "m1");
    yore_close(db);
}

#ifdef YORE_PLANTED_BUGS
static void an_unwatched_merge_is_caught(void **state)
{
    yore_env env;
    yore_merge_info info;
    yore_db *db = opened_with_point(&env);
    (void)state;
    yr_planted_bug = YR_BUG_MERGE_UNWATCHED;
    write_value(db, "default", "a", "0");
    fork_branch(db, "exp", "default");
    write_value(db, "exp", "a", "1");
    assert_int_equal(merge_beside("default", "a", 1, YORE_MERGE_STOP, &info), YORE_OK); /* not a conflict */
    assert_value(db, "default", "a", "1");
    yore_close(db);
}
#endif

#define MERGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
#ifdef YORE_PLANTED_BUGS
    if (argc > 1 && strcmp(argv[1], "--planted") == 0) {
        const struct CMUnitTest planted[] = {cmocka_unit_test(an_unwatched_merge_is_caught)};
        return cmocka_run_group_tests(planted, NULL, NULL);
    }
#endif
    (void)argc;
    (void)argv;
    const struct CMUnitTest tests[] = {
        MERGE_TEST(a_branch_is_not_merged_into_itself),
        MERGE_TEST(an_ancestor_has_nothing_to_merge),
        MERGE_TEST(unrelated_branches_are_merged_on_request_only),
        MERGE_TEST(a_branch_before_its_parents_first_commit_is_related),
        MERGE_TEST(a_deleted_branch_is_not_merged),
        MERGE_TEST(a_plan_is_refused_when_a_branch_has_moved_on),
        MERGE_TEST(a_plan_lists_what_it_writes),
        MERGE_TEST(a_plan_outlives_its_store_s_handle),
        MERGE_TEST(type_metadata_and_expiry_come_with_the_value),
        MERGE_TEST(changes_that_lead_nowhere_are_merged_once),
        MERGE_TEST(notes_authors_and_sources_are_kept),
        MERGE_TEST(objects_are_merged_by_path),
        MERGE_TEST(a_path_that_both_changed_is_a_conflict_of_the_key),
        MERGE_TEST(objects_can_be_merged_as_a_whole),
        MERGE_TEST(what_only_looks_like_an_object_is_a_value),
        MERGE_TEST(both_making_the_same_object_in_other_words_is_no_conflict),
        MERGE_TEST(resolutions_must_answer_every_conflict_and_nothing_else),
        MERGE_TEST(a_later_merge_starts_from_the_last_one),
        MERGE_TEST(the_base_of_a_criss_cross_is_the_newest),
        cmocka_unit_test(commits_of_other_keys_do_not_hinder_a_merge),
        cmocka_unit_test(a_merge_sees_what_was_committed_to_its_keys_meanwhile),
        cmocka_unit_test(a_key_that_a_merge_leaves_is_watched_too),
        cmocka_unit_test(a_merge_gives_up_when_others_never_stop),
        MERGE_TEST(a_base_that_went_with_its_branch_is_passed_over_on_request_only),
        MERGE_TEST(a_long_history_above_the_base_is_not_walked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
