/* What a diff lists, fact by fact. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <yore.h>

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

/* -- one write a commit -- */

typedef struct put {
    const char *branch, *key, *value; /* value NULL: delete */
    const char *meta;
    uint32_t type, primitive;
    int64_t ttl_ns;
} put;

static uint64_t write_one(yore_db *db, put p)
{
    yore_txn *txn;
    yore_where where = YORE_WHERE_INIT;
    ok(yore_begin(db, yore_str(p.branch ? p.branch : "default"), NULL, &txn, &err));
    yore_key key = {.user = yore_str(p.key), .primitive = p.primitive};
    if (p.value) {
        yore_put_options how = YORE_PUT_OPTIONS_INIT;
        if (p.meta) how.meta = yore_str(p.meta);
        how.type = p.type;
        how.ttl_ns = p.ttl_ns;
        ok(yore_put(txn, key, yore_str(p.value), &how, &err));
    } else {
        ok(yore_del(txn, key, NULL, &err));
    }
    ok(yore_commit(txn, yore_str(""), &where, &err));
    return where.version;
}

static void fork_branch(yore_db *db, const char *name, const char *spec)
{
    yore_at from = YORE_AT_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    ok(yore_at_parse(db, spec, 0, 0, &from, &err));
    options.from = &from;
    ok(yore_branch_create(db, yore_str(name), &options, NULL, &err));
}

/* A diff in words: "+k=new -k=old k:old>new", one behind the other. */
typedef struct listing {
    char text[1024];
    yore_diff_info info;
} listing;

static void add(listing *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(listing *out, const char *format, ...)
{
    va_list args;
    size_t at = strlen(out->text);
    va_start(args, format);
    vsnprintf(out->text + at, sizeof out->text - at, format, args);
    va_end(args);
}

static void add_row(listing *out, const yore_diff_row *row)
{
    int key = (int)row->key.size, old = (int)row->old_value.size, new_ = (int)row->new_value.size;
    const char *k = row->key.data, *o = old ? row->old_value.data : "", *n = new_ ? row->new_value.data : "";
    if (out->text[0]) add(out, " ");
    if (row->primitive != YORE_KV) add(out, "%u/", row->primitive);
    assert_int_equal(row->old_version == 0, row->op == YORE_DIFF_ADD);
    assert_int_equal(row->new_version == 0, row->op == YORE_DIFF_DEL);
    switch (row->op) {
    case YORE_DIFF_ADD: add(out, "+%.*s=%.*s", key, k, new_, n); break;
    case YORE_DIFF_DEL: add(out, "-%.*s=%.*s", key, k, old, o); break;
    case YORE_DIFF_CHANGE: add(out, "%.*s:%.*s>%.*s", key, k, old, o, new_, n); break;
    default: fail();
    }
}

static const char *diff_with(yore_db *db, const char *a, const char *b, const yore_diff_options *options,
                             size_t cap, listing *out)
{
    yore_iter *iter;
    yore_diff_row rows[8];
    yore_at at_a = YORE_AT_INIT, at_b = YORE_AT_INIT;
    size_t n;
    yore_status status;
    *out = (listing){.info = YORE_DIFF_INFO_INIT};
    ok(yore_at_parse(db, a, 0, 0, &at_a, &err));
    ok(yore_at_parse(db, b, 0, 0, &at_b, &err));
    ok(yore_diff(db, &at_a, &at_b, options, &iter, NULL, NULL, &err));
    while ((status = yore_diff_next(iter, rows, sizeof rows[0], cap, &n, &err)) == YORE_OK) {
        assert_true(n > 0 && n <= cap);
        for (size_t i = 0; i < n; i++) add_row(out, &rows[i]);
    }
    assert_int_equal(status, YORE_END);
    ok(yore_diff_info_get(iter, &out->info, &err));
    yore_iter_close(iter);
    return out->text;
}

static void assert_diff(yore_db *db, const char *a, const char *b, const char *expected)
{
    listing listed;
    assert_string_equal(diff_with(db, a, b, NULL, 8, &listed), expected);
    assert_string_equal(diff_with(db, a, b, NULL, 1, &listed), expected);
}

static void a_point_does_not_differ_from_itself(void **state)
{
    assert_diff(*state, "default", "default", "");
    write_one(*state, (put){.key = "a", .value = "1"});
    assert_diff(*state, "default", "default", "");
    assert_diff(*state, "@v2", "@v2", "");
}

static void keys_that_came_changed_and_went_are_listed_in_key_order(void **state)
{
    write_one(*state, (put){.key = "b", .value = "1"});
    write_one(*state, (put){.key = "c", .value = "1"});
    write_one(*state, (put){.key = "d", .value = "1"});
    write_one(*state, (put){.key = "c", .value = "2"});
    write_one(*state, (put){.key = "b"});
    write_one(*state, (put){.key = "a", .value = "1"});
    assert_diff(*state, "@v4", "default", "+a=1 -b=1 c:1>2");
    assert_diff(*state, "default", "@v4", "-a=1 +b=1 c:2>1");
    assert_diff(*state, "@v1", "default", "+a=1 +c=2 +d=1");
}

static void the_same_bytes_again_are_no_difference(void **state)
{
    write_one(*state, (put){.key = "a", .value = "1"});
    write_one(*state, (put){.key = "a", .value = "1"});
    write_one(*state, (put){.key = "b", .value = "1"});
    write_one(*state, (put){.key = "b"});
    assert_diff(*state, "@v2", "default", "");
    write_one(*state, (put){.key = "a", .value = "1", .ttl_ns = INT64_C(3600000000000)});
    assert_diff(*state, "@v2", "default", "");
}

static void type_and_metadata_are_differences(void **state)
{
    write_one(*state, (put){.key = "a", .value = "1"});
    write_one(*state, (put){.key = "b", .value = "1"});
    write_one(*state, (put){.key = "a", .value = "1", .meta = "m"});
    write_one(*state, (put){.key = "b", .value = "1", .type = YORE_TYPE_JSON});
    assert_diff(*state, "@v3", "default", "a:1>1 b:1>1");
}

static void a_branch_differs_from_its_fork_point_in_what_it_wrote(void **state)
{
    listing listed;
    write_one(*state, (put){.key = "a", .value = "1"});
    write_one(*state, (put){.key = "b", .value = "1"});
    fork_branch(*state, "exp", "default");
    write_one(*state, (put){.branch = "exp", .key = "b", .value = "2"});
    write_one(*state, (put){.key = "a", .value = "9"});
    assert_diff(*state, "exp@fork", "exp", "b:1>2");
    assert_diff(*state, "default@v3", "exp", "b:1>2");
    assert_diff(*state, "default", "exp", "a:9>1 b:1>2");
    assert_diff(*state, "exp", "default", "a:1>9 b:2>1");
    diff_with(*state, "exp", "default", NULL, 8, &listed);
    assert_int_equal(listed.info.common_branch_id, 1);
    assert_int_equal(listed.info.common_version, 3);
    assert_int_equal(listed.info.keys, 2);
}

static void points_of_a_branch_before_its_fork_are_its_parents(void **state)
{
    write_one(*state, (put){.key = "a", .value = "1"});
    write_one(*state, (put){.key = "a", .value = "2"});
    fork_branch(*state, "exp", "default");
    write_one(*state, (put){.branch = "exp", .key = "b", .value = "3"});
    assert_diff(*state, "exp@v2", "exp", "a:1>2 +b=3");
    assert_diff(*state, "exp@v2", "default@v3", "a:1>2");
    assert_diff(*state, "exp@v2", "default@v2", "");
}

static void siblings_differ_in_both_their_changes_and_in_the_parents_between_the_forks(void **state)
{
    listing listed;
    write_one(*state, (put){.key = "a", .value = "1"});
    fork_branch(*state, "one", "default");
    write_one(*state, (put){.key = "b", .value = "1"});
    fork_branch(*state, "two", "default");
    write_one(*state, (put){.branch = "one", .key = "x", .value = "1"});
    write_one(*state, (put){.branch = "two", .key = "y", .value = "1"});
    write_one(*state, (put){.key = "z", .value = "seen by none"});
    diff_with(*state, "one", "two", NULL, 8, &listed);
    assert_string_equal(listed.text, "+b=1 -x=1 +y=1");
    assert_int_equal(listed.info.common_branch_id, 1);
    assert_int_equal(listed.info.common_version, 2);
}

static void a_delete_on_a_branch_is_listed_and_one_of_nothing_is_not(void **state)
{
    write_one(*state, (put){.key = "a", .value = "1"});
    fork_branch(*state, "exp", "default");
    write_one(*state, (put){.branch = "exp", .key = "a"});
    write_one(*state, (put){.branch = "exp", .key = "nothing", .value = "1"});
    write_one(*state, (put){.branch = "exp", .key = "nothing"});
    assert_diff(*state, "default", "exp", "-a=1");
    assert_diff(*state, "exp", "default", "+a=1");
}

static void unrelated_roots_differ_in_all_they_have(void **state)
{
    listing listed;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    options.empty = true;
    write_one(*state, (put){.key = "a", .value = "1"});
    write_one(*state, (put){.key = "b", .value = "1"});
    ok(yore_branch_create(*state, yore_str("other"), &options, NULL, &err));
    write_one(*state, (put){.branch = "other", .key = "b", .value = "1"});
    write_one(*state, (put){.branch = "other", .key = "c", .value = "1"});
    diff_with(*state, "default", "other", NULL, 8, &listed);
    assert_string_equal(listed.text, "-a=1 +c=1");
    assert_int_equal(listed.info.common_branch_id, 0);
    assert_int_equal(listed.info.common_version, 0);
}

static void a_deleted_branch_is_compared_by_id(void **state)
{
    write_one(*state, (put){.key = "a", .value = "1"});
    fork_branch(*state, "exp", "default");
    write_one(*state, (put){.branch = "exp", .key = "a", .value = "2"});
    ok(yore_branch_delete(*state, yore_str("exp"), false, NULL, NULL, &err));
    assert_diff(*state, "default", "id:2", "a:1>2");
}

static void a_deep_lineage_is_compared_hop_by_hop(void **state)
{
    enum { DEPTH = 300 };
    yore_iter *iter;
    yore_diff_row rows[64];
    yore_diff_info info = YORE_DIFF_INFO_INIT;
    yore_at top = YORE_AT_INIT, tip = YORE_AT_INIT;
    size_t n, count = 0;
    char name[16] = "default", child[16], key[16];
    for (uint32_t i = 0; i < DEPTH; i++) {
        snprintf(child, sizeof child, "b%03u", i);
        snprintf(key, sizeof key, "k%03u", (i * 7) % DEPTH);
        fork_branch(*state, child, name);
        write_one(*state, (put){.branch = child, .key = key, .value = "1"});
        memcpy(name, child, sizeof name);
    }
    memcpy(tip.branch, name, sizeof name);
    ok(yore_diff(*state, &top, &tip, NULL, &iter, NULL, NULL, &err));
    while (yore_diff_next(iter, rows, sizeof rows[0], 64, &n, &err) == YORE_OK) {
        for (size_t i = 0; i < n; i++, count++) {
            snprintf(key, sizeof key, "k%03zu", count);
            assert_memory_equal(rows[i].key.data, key, 4);
            assert_int_equal(rows[i].op, YORE_DIFF_ADD);
        }
    }
    assert_int_equal(count, DEPTH);
    ok(yore_diff_info_get(iter, &info, &err));
    assert_int_equal(info.hops_walked + info.hops_scanned, DEPTH);
    assert_true(info.hops_scanned <= 16); /* each needs memory */
    assert_int_equal(info.common_branch_id, 1);
    yore_iter_close(iter);
}

static void ranges_limits_and_primitives_choose_rows(void **state)
{
    listing listed;
    const char *keys[] = {"a/1", "a/2", "b/1", "b/2", "c"};
    for (int i = 0; i < 5; i++) write_one(*state, (put){.key = keys[i], .value = "v"});
    write_one(*state, (put){.key = "e", .value = "event", .primitive = YORE_EVENT});
    write_one(*state, (put){.key = "z", .value = "254", .primitive = 254});
    yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
    options.prefix = yore_str("b/");
    assert_string_equal(diff_with(*state, "@v1", "default", &options, 8, &listed), "+b/1=v +b/2=v");
    options.from = yore_str("b/2");
    assert_string_equal(diff_with(*state, "@v1", "default", &options, 8, &listed), "+b/2=v");
    options = (yore_diff_options)YORE_DIFF_OPTIONS_INIT;
    options.to = yore_str("a/2");
    assert_string_equal(diff_with(*state, "@v1", "default", &options, 8, &listed), "+a/1=v");
    options = (yore_diff_options)YORE_DIFF_OPTIONS_INIT;
    options.limit = 2;
    options.keys_only = true;
    assert_string_equal(diff_with(*state, "@v1", "default", &options, 8, &listed), "+a/1= +a/2=");
    options = (yore_diff_options)YORE_DIFF_OPTIONS_INIT;
    options.primitive = YORE_EVENT;
    assert_string_equal(diff_with(*state, "@v1", "default", &options, 8, &listed), "2/+e=event");
    options.primitive = YORE_ANY_PRIMITIVE;
    assert_string_equal(diff_with(*state, "@v1", "default", &options, 8, &listed),
                        "+a/1=v +a/2=v +b/1=v +b/2=v +c=v 2/+e=event 254/+z=254");
    options.primitive = YORE_SYSTEM;
    yore_iter *iter;
    assert_int_equal(yore_diff(*state, NULL, NULL, &options, &iter, NULL, NULL, &err), YORE_ERR_REFUSED);
    options.primitive = 256;
    assert_int_equal(yore_diff(*state, NULL, NULL, &options, &iter, NULL, NULL, &err), YORE_ERR_MISUSE);
}

static void other_iterators_and_unprepared_structs_are_refused(void **state)
{
    yore_iter *iter;
    yore_diff_row row;
    yore_row plain;
    size_t n;
    yore_diff_info info = {0};
    ok(yore_log(*state, NULL, NULL, &iter, &err));
    assert_int_equal(yore_diff_next(iter, &row, sizeof row, 1, &n, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_diff_info_get(iter, &info, &err), YORE_ERR_MISUSE);
    yore_iter_close(iter);
    ok(yore_diff(*state, NULL, NULL, NULL, &iter, NULL, NULL, &err));
    assert_int_equal(yore_next(iter, &plain, sizeof plain, 1, &n, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_diff_info_get(iter, &info, &err), YORE_ERR_MISUSE);
    err = (yore_error)YORE_ERROR_INIT;
    assert_int_equal(yore_diff_info_get(iter, NULL, &err), YORE_ERR_MISUSE);
    assert_string_not_equal(err.message, "");
    yore_iter_close(iter);
    assert_int_equal(yore_diff_next(NULL, &row, sizeof row, 1, &n, &err), YORE_ERR_MISUSE);
    yore_diff_options options = {0};
    assert_int_equal(yore_diff(*state, NULL, NULL, &options, &iter, NULL, NULL, &err), YORE_ERR_MISUSE);
    yore_at at = YORE_AT_INIT;
    at.kind = YORE_AT_VERSION;
    at.version = 999;
    assert_int_equal(yore_diff(*state, NULL, &at, NULL, &iter, NULL, NULL, &err), YORE_ERR_TIME_RANGE);
}

#define DIFF_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* However many rows there is room for: values may be in memory for the rows alone. */
static void a_call_ends_with_the_row_that_comes_to_16_mib_of_values(void **state)
{
    yore_db *db = *state;
    enum { KEYS = 10, BYTES = 4 << 20 };
    static uint8_t value[BYTES];
    for (int i = 0; i < KEYS; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        ok(yore_db_put(db, yore_str(""), yore_str_key(key), yore_bytes(value, BYTES), NULL, &err));
    }
    yore_at from = YORE_AT_INIT;
    from.kind = YORE_AT_VERSION;
    from.version = 1;
    static const size_t counts[] = {4, 4, 2};
    yore_iter *iter;
    yore_diff_row rows[64];
    size_t n;
    ok(yore_diff(db, &from, NULL, NULL, &iter, NULL, NULL, &err));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        ok(yore_diff_next(iter, rows, sizeof rows[0], 64, &n, &err));
        assert_int_equal(n, counts[i]);
    }
    assert_int_equal(yore_diff_next(iter, rows, sizeof rows[0], 64, &n, &err), YORE_END);
    yore_iter_close(iter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DIFF_TEST(a_point_does_not_differ_from_itself),
        DIFF_TEST(keys_that_came_changed_and_went_are_listed_in_key_order),
        DIFF_TEST(the_same_bytes_again_are_no_difference),
        DIFF_TEST(type_and_metadata_are_differences),
        DIFF_TEST(a_branch_differs_from_its_fork_point_in_what_it_wrote),
        DIFF_TEST(points_of_a_branch_before_its_fork_are_its_parents),
        DIFF_TEST(siblings_differ_in_both_their_changes_and_in_the_parents_between_the_forks),
        DIFF_TEST(a_delete_on_a_branch_is_listed_and_one_of_nothing_is_not),
        DIFF_TEST(unrelated_roots_differ_in_all_they_have),
        DIFF_TEST(a_deleted_branch_is_compared_by_id),
        DIFF_TEST(a_deep_lineage_is_compared_hop_by_hop),
        DIFF_TEST(ranges_limits_and_primitives_choose_rows),
        DIFF_TEST(a_call_ends_with_the_row_that_comes_to_16_mib_of_values),
        DIFF_TEST(other_iterators_and_unprepared_structs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
