/* Bundles: what comes out is what went in, with history and without, on a base and without; a base is found in a copy,
 * in what bundles brought, and where it is said to be, and nowhere else; and what must be refused leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/bundle/bundle_kit.h"

#define NEED(call) kit_need((call), &err)

static yr_sim *sim;
static yore_db *from, *to;
static yore_error err;
static yore_bundle_options options;

static int begin(void **state)
{
    (void)state;
    sim = yr_sim_create(5);
    err = (yore_error)YORE_ERROR_INIT;
    options = kit_bundle_options(yr_sim_env(sim));
    from = kit_open(sim, "from", false);
    kit_fill(from, 1);
    to = kit_open(sim, "to", false);
    return 0;
}

static int end(void **state)
{
    (void)state;
    yore_close(from);
    yore_close(to);
    bool leaks = yr_sim_has_leaks(sim);
    yr_sim_destroy(sim);
    return leaks ? -1 : 0;
}

static void make(const char *path, const yore_at *at, const yore_at *base, bool history)
{
    options.at = at;
    options.base = base;
    options.history = history;
    NEED(yore_bundle_make(from, path, &options, NULL, &err));
    options = kit_bundle_options(yr_sim_env(sim));
}

static yore_status import(const char *path, const char *name)
{
    err = (yore_error)YORE_ERROR_INIT;
    return yore_bundle_import(to, path, yore_str(name), &options, NULL, NULL, &err);
}

static void expect_refused(const char *path, const char *name, yore_status want, const char *words)
{
    uint32_t before = kit_branches(to);
    yore_status status = import(path, name);
    if (status != want || !strstr(err.message, words))
        fail_msg("%s %s", yore_status_name(status), err.message);
    assert_int_equal(kit_branches(to), before);
}

static void test_a_state_comes_out_as_it_went_in(void **state)
{
    (void)state;
    const yore_at exp = kit_at("other-1"), same = kit_at("exp");
    make("b", &exp, NULL, false);
    NEED(import("b", "exp"));
    assert_int_equal(kit_state(from, &exp), kit_state(to, &same));
    yore_branch_info info = {.struct_size = sizeof info};
    NEED(yore_branch_info_get(to, yore_str("exp"), &info, &err));
    assert_int_equal(info.parent_id, 0);
}

static void test_a_history_comes_out_as_it_went_in(void **state)
{
    (void)state;
    const yore_at exp = kit_at("other-1"), same = kit_at("exp");
    uint64_t there, here;
    make("b", &exp, NULL, true);
    NEED(import("b", "exp"));
    uint64_t want = kit_history(from, &exp, &there);
    assert_true(kit_history(to, &same, &here) == want);
    assert_int_equal(here, there);
}

static void test_a_point_of_the_past_can_be_bundled(void **state)
{
    (void)state;
    const yore_at now = kit_at("");
    yore_where where = YORE_WHERE_INIT;
    NEED(yore_at_resolve(from, &now, &where, &err));
    NEED(yore_db_put(from, yore_str(""), yore_str_key("later"), yore_str("x"), NULL, &err));
    const yore_at then = kit_at_version("", where.version), same = kit_at("past");
    make("b", &then, NULL, false);
    NEED(import("b", "past"));
    assert_int_equal(kit_state(from, &then), kit_state(to, &same));
}

static void test_info_says_what_it_is(void **state)
{
    (void)state;
    const yore_at exp = kit_at("other-1"), base = kit_at_version("", 3);
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT, made = YORE_BUNDLE_INFO_INIT;
    options.at = &exp;
    options.base = &base;
    options.history = true;
    NEED(yore_bundle_make(from, "b", &options, &made, &err));
    NEED(yore_bundle_info_get("b", &options, &info, &err));
    assert_memory_equal(&info, &made, sizeof info);
    assert_true(info.has_history && info.has_base && info.base_version == 3 && info.commits > 0 &&
                info.rows > 0);
    assert_string_equal(info.branch, "other-1");
    assert_string_equal(info.base_branch, "default");
    assert_int_equal(info.format_major, 1);
    assert_int_equal(info.file_bytes, yr_sim_file_size(sim, "b"));
}

/* The same versions: a copy of the store. */
static void test_the_base_is_found_in_a_copy(void **state)
{
    (void)state;
    yore_backup_options backup = kit_options(yr_sim_env(sim));
    const yore_at base = kit_at("");
    yore_where where = YORE_WHERE_INIT;
    NEED(yore_backup_make(from, "full", &backup, NULL, &err));
    NEED(yore_backup_restore("full", "copy", &backup, NULL, &err));
    yore_close(to);
    to = kit_open(sim, "copy", false);
    NEED(yore_db_put(to, yore_str(""), yore_str_key("here"), yore_str("x"), NULL, &err));
    NEED(yore_at_resolve(from, &base, &where, &err));
    const yore_at was = kit_at_version("", where.version);
    NEED(yore_db_put(from, yore_str(""), yore_str_key("new"), yore_str("x"), NULL, &err));
    NEED(yore_db_del(from, yore_str(""), yore_str_key("batch/1"), NULL, &err));
    for (int history = 0; history < 2; history++) {
        const char *name = history ? "with" : "without";
        const yore_at same = kit_at(name);
        yore_branch_info info = {.struct_size = sizeof info};
        make(name, &base, &was, history);
        NEED(import(name, name));
        assert_int_equal(kit_state(from, &base), kit_state(to, &same));
        NEED(yore_branch_info_get(to, yore_str(name), &info, &err));
        assert_string_equal(info.parent, "default");
        assert_int_equal(info.fork_version, where.version);
    }
}

/* Other versions and times: what a bundle brought, as a state and as a history. */
static void test_the_base_is_found_where_a_bundle_brought_it(void **state)
{
    (void)state;
    const yore_at base = kit_at_version("", kit_version(from)), now = kit_at("");
    NEED(yore_db_put(to, yore_str(""), yore_str_key("mine"), yore_str("x"), NULL, &err));
    for (int history = 0; history < 2; history++) {
        const char *name = history ? "h" : "s", *more = history ? "h2" : "s2";
        const yore_at same = kit_at(more);
        yore_branch_info info = {.struct_size = sizeof info};
        make(name, &base, NULL, history);
        NEED(import(name, name));
        NEED(yore_db_put(to, yore_str(name), yore_str_key("mine"), yore_str("x"), NULL,
                         &err)); /* goes on alone */
        NEED(yore_db_put(from, yore_str(""), yore_str_key("new"), yore_str(name), NULL, &err));
        make(more, &now, &base, false);
        NEED(import(more, more));
        assert_int_equal(kit_state(from, &now), kit_state(to, &same));
        NEED(yore_branch_info_get(to, yore_str(more), &info, &err));
        assert_string_equal(info.parent, name);
        NEED(yore_branch_delete(to, yore_str(name), true, NULL, NULL,
                                &err)); /* so the next is found, not this */
    }
}

static void test_a_base_that_is_not_here_is_said(void **state)
{
    (void)state;
    const yore_at base = kit_at_version("", 3), now = kit_at("");
    make("b", &now, &base, false);
    expect_refused("b", "x", YORE_ERR_NO_BRANCH,
                   "goes on from default@v3 of its store, which is not in this one");
    const yore_at other = kit_at("");
    options.base = &other;
    expect_refused("b", "x", YORE_ERR_REFUSED, "is not what bundle 'b' was made on: the key");
    const yore_at nowhere = kit_at("nowhere");
    options.base = &nowhere;
    expect_refused("b", "x", YORE_ERR_NO_BRANCH, "nowhere");
}

static void test_a_base_is_believed_where_it_has_the_same_keys(void **state)
{
    (void)state;
    const yore_at base = kit_at_version("", 3), now = kit_at(""), mine = kit_at("mine"), same = kit_at("x");
    make("state", &base, NULL, false);
    NEED(import("state", "mine"));
    NEED(yore_branch_create(to, yore_str("root"),
                            &(yore_branch_options){sizeof(yore_branch_options), .empty = true}, NULL, &err));
    make("b", &now, &base, false);
    options.base = &mine;
    NEED(import("b", "x"));
    assert_int_equal(kit_state(from, &now), kit_state(to, &same));
}

static void test_a_bundle_of_its_base_is_the_base(void **state)
{
    (void)state;
    const yore_at now = kit_at(""), same = kit_at("x");
    make("all", &now, NULL, false);
    NEED(import("all", "all"));
    make("none", &now, &now, false);
    make("none2", &now, &now, true);
    NEED(import("none", "x"));
    assert_int_equal(kit_state(from, &now), kit_state(to, &same));
    NEED(import("none2", "y"));
}

static void test_an_empty_branch_makes_an_empty_branch(void **state)
{
    (void)state;
    const yore_at empty = kit_at("empty");
    yore_branch_options root = YORE_BRANCH_OPTIONS_INIT;
    root.empty = true;
    NEED(yore_branch_create(from, yore_str("empty"), &root, NULL, &err));
    make("b", &empty, NULL, true);
    make("b2", &empty, NULL, false);
    NEED(import("b", "empty"));
    NEED(import("b2", "empty2"));
    assert_true(kit_has_branch(to, "empty") && kit_has_branch(to, "empty2"));
    options.base = &empty;
    assert_int_equal(yore_bundle_make(from, "b3", &options, NULL, &err), YORE_ERR_REFUSED);
}

static void test_names_that_are_taken_or_illegal_are_refused(void **state)
{
    (void)state;
    const yore_at now = kit_at("");
    make("b", &now, NULL, false);
    expect_refused("b", "default", YORE_ERR_EXISTS, "there is a branch 'default' already");
    expect_refused("b", "v12", YORE_ERR_NAME, "v12");
    expect_refused("b", "a..b", YORE_ERR_NAME, "a..b");
    expect_refused("b", "", YORE_ERR_NAME, "empty");
    NEED(yore_branch_create(to, yore_str("importing/x"), NULL, NULL, &err));
    expect_refused("b", "x", YORE_ERR_EXISTS, "is under way, or was killed");
    char name[YORE_BRANCH_NAME_MAX + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    NEED(import("b", name));
    assert_true(kit_has_branch(to, name));
}

static void test_with_history_a_base_must_be_in_the_past(void **state)
{
    (void)state;
    const yore_at now = kit_at(""), exp = kit_at("other-1");
    options.at = &now;
    options.base = &exp;
    options.history = true;
    assert_int_equal(yore_bundle_make(from, "b", &options, NULL, &err), YORE_ERR_REFUSED);
    assert_non_null(strstr(err.message, "is not in the past of default@v"));
    assert_int_equal(yr_sim_file_size(sim, "b"), -1);
    options.history = false; /* without it any two points will do */
    err = (yore_error)YORE_ERROR_INIT;
    NEED(yore_bundle_make(from, "b", &options, NULL, &err));
}

/* A base that is named by a version of another branch, or by a branch that stands still, is its newest commit. */
static void test_points_between_commits_are_the_commit_before(void **state)
{
    (void)state;
    const yore_at same = kit_at("x"), all = kit_at("all");
    yore_branch_options fork = YORE_BRANCH_OPTIONS_INIT;
    NEED(yore_branch_create(from, yore_str("still"), &fork, NULL, &err));
    const yore_at still = kit_at("still"), now = kit_at("on");
    fork.from = &still;
    NEED(yore_branch_create(from, yore_str("on"), &fork, NULL, &err));
    NEED(yore_db_put(from, yore_str("on"), yore_str_key("k"), yore_str("1"), NULL, &err));
    NEED(yore_db_put(from, yore_str(""), yore_str_key("elsewhere"), yore_str("1"), NULL, &err));
    const yore_at between = kit_at_version("on", kit_version(from));
    make("all", &still, NULL, true);
    NEED(import("all", "all"));
    assert_int_equal(kit_state(from, &still), kit_state(to, &all));
    make("b", &between, &still, true);
    NEED(import("b", "x"));
    assert_int_equal(kit_state(from, &now), kit_state(to, &same));
    make("b2", &between, &still, false);
    NEED(import("b2", "y"));
}

static void test_what_is_there_is_not_written_over(void **state)
{
    (void)state;
    make("b", NULL, NULL, false);
    int64_t size = yr_sim_file_size(sim, "b");
    assert_int_equal(yore_bundle_make(from, "b", NULL, NULL, &err), YORE_ERR_EXISTS);
    assert_int_equal(yr_sim_file_size(sim, "b"), size);
}

static void test_other_files_are_no_bundles(void **state)
{
    (void)state;
    yore_backup_options backup = kit_options(yr_sim_env(sim));
    NEED(yore_backup_make(from, "backup", &backup, NULL, &err));
    make("bundle", NULL, NULL, false);
    expect_refused("backup", "x", YORE_ERR_NOT_STORE, "is another file of yore's, not a bundle");
    expect_refused("from/MANIFEST", "x", YORE_ERR_NOT_STORE, "not a bundle");
    expect_refused("nothing", "x", YORE_ERR_NO_STORE, "no bundle at 'nothing'");
    assert_true(yr_sim_file_create(sim, "empty"));
    expect_refused("empty", "x", YORE_ERR_NOT_STORE, "'empty' is not a bundle");
    err = (yore_error)YORE_ERROR_INIT;
    assert_int_equal(yore_backup_verify("bundle", &backup, NULL, &err), YORE_ERR_NOT_STORE);
}

/* What is no longer kept is left out; the first state that is comes whole. */
static void test_trimmed_history_begins_with_the_first_state_that_is_kept(void **state)
{
    (void)state;
    const yore_at same = kit_at("x"), more = kit_at("more");
    yore_retention keep = YORE_RETENTION_INIT;
    yore_gc_options gc = YORE_GC_OPTIONS_INIT;
    yore_branch_options root = YORE_BRANCH_OPTIONS_INIT;
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT;
    char key[8];
    root.empty = true;
    NEED(yore_branch_create(from, yore_str("long"), &root, NULL, &err));
    const yore_at branch = kit_at("long");
    for (int i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "k%d", i % 7);
        NEED(yore_db_put(from, yore_str("long"), yore_str_key(key), yore_str("v"), NULL, &err));
    }
    const yore_at base = kit_at_version("long", kit_version(from) - 15);
    NEED(yore_tag_create(from, yore_str("pin"), &base, NULL, &err)); /* it can still be read */
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = 3;
    NEED(yore_branch_retention_set(from, yore_str("long"), &keep, NULL, &err));
    gc.now = true;
    NEED(yore_gc(from, &gc, NULL, &err));
    make("b", &branch, NULL, true);
    NEED(import("b", "x"));
    assert_int_equal(kit_state(from, &branch), kit_state(to, &same));
    NEED(yore_bundle_info_get("b", &options, &info, &err));
    assert_in_range(info.commits, 3, 10);
    make("pinned", &base, NULL, false);
    NEED(import("pinned", "pinned"));
    make("on", &branch, &base, true);
    NEED(import("on", "more"));
    assert_int_equal(kit_state(from, &branch), kit_state(to, &more));
}

static int stop_at(void *arg, uint64_t done, uint64_t total)
{
    uint64_t *left = arg;
    (void)done;
    (void)total;
    return *left == 0 ? 1 : (*left)-- == 0;
}

static void test_a_stopped_import_leaves_nothing(void **state)
{
    (void)state;
    make("b", NULL, NULL, true);
    yore_status status = YORE_ERR_CANCELLED;
    for (uint64_t steps = 0; status != YORE_OK; steps++) {
        uint64_t left = steps;
        options.progress = stop_at;
        options.progress_arg = &left;
        status = import("b", "x");
        assert_true(status == YORE_OK || status == YORE_ERR_CANCELLED);
        assert_int_equal(kit_branches(to), status == YORE_OK ? 2 : 1);
        assert_true(steps < 100);
    }
}

static void test_a_read_only_handle_makes_and_does_not_import(void **state)
{
    (void)state;
    yore_db *reader = kit_open(sim, "from", true);
    NEED(yore_bundle_make(reader, "b", NULL, NULL, &err));
    assert_int_equal(yore_bundle_import(reader, "b", yore_str("x"), NULL, NULL, NULL, &err),
                     YORE_ERR_READONLY);
    yore_close(reader);
}

/* Where nothing is logged no commit may ask for more than that. */
static void test_a_store_that_logs_nothing_imports(void **state)
{
    (void)state;
    yore_open_options how = YORE_OPEN_OPTIONS_INIT;
    const yore_at exp = kit_at("other-1"), same = kit_at("exp");
    make("b", &exp, NULL, true);
    yore_close(to);
    how.env = yr_sim_env(sim);
    how.sync = YORE_SYNC_NONE;
    NEED(yore_open("to", &how, &to, &err));
    NEED(import("b", "exp"));
    assert_int_equal(kit_state(from, &exp), kit_state(to, &same));
}

static void test_misuse(void **state)
{
    (void)state;
    yore_bundle_options zero = {0};
    yore_bundle_info info = {0};
    assert_int_equal(yore_bundle_make(NULL, "b", NULL, NULL, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_bundle_make(from, NULL, NULL, NULL, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_bundle_make(from, "b", &zero, NULL, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_bundle_info_get("b", NULL, &info, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_bundle_info_get(NULL, NULL, NULL, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_bundle_import(to, NULL, yore_str("x"), NULL, NULL, NULL, &err), YORE_ERR_MISUSE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_state_comes_out_as_it_went_in),
        TEST(test_a_history_comes_out_as_it_went_in),
        TEST(test_a_point_of_the_past_can_be_bundled),
        TEST(test_info_says_what_it_is),
        TEST(test_the_base_is_found_in_a_copy),
        TEST(test_the_base_is_found_where_a_bundle_brought_it),
        TEST(test_a_base_that_is_not_here_is_said),
        TEST(test_a_base_is_believed_where_it_has_the_same_keys),
        TEST(test_a_bundle_of_its_base_is_the_base),
        TEST(test_an_empty_branch_makes_an_empty_branch),
        TEST(test_names_that_are_taken_or_illegal_are_refused),
        TEST(test_with_history_a_base_must_be_in_the_past),
        TEST(test_points_between_commits_are_the_commit_before),
        TEST(test_what_is_there_is_not_written_over),
        TEST(test_other_files_are_no_bundles),
        TEST(test_trimmed_history_begins_with_the_first_state_that_is_kept),
        TEST(test_a_stopped_import_leaves_nothing),
        TEST(test_a_read_only_handle_makes_and_does_not_import),
        TEST(test_a_store_that_logs_nothing_imports),
        TEST(test_misuse),
    };
    return cmocka_run_group_tests_name("bundles", tests, NULL, NULL);
}
