/* Settings with values by key prefix: which one holds, as of when, what is refused; and the table they are kept in. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/db/handle.h"
#include "tests/support/env_sim.h"

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static yore_db *opened(yr_sim *sim)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db;
    options.env = yr_sim_env(sim);
    options.create = true;
    options.memory_bytes_max = 64 << 20;
    options.wal_bytes_min = 16384;
    ok(yore_open("db", &options, &db, &err));
    return db;
}

static yore_db *open_memory(void)
{
    yore_db *db;
    ok(yore_open(":memory:", NULL, &db, &err));
    return db;
}

static uint64_t set(yore_db *db, const char *prefix, const char *value)
{
    yore_where where = YORE_WHERE_INIT;
    ok(yore_config_set_prefix(db, "search.index", yore_str(prefix), value, &where, &err));
    return where.version;
}

/* "PREFIX=VALUE" of what is in force for a key as of a version (0 = now), "default" when nothing is. */
static void holds(yore_db *db, uint64_t version, const char *key, const char *wanted)
{
    yore_config_value value = {.struct_size = sizeof value};
    yore_at at = YORE_AT_INIT;
    char shown[YORE_CONFIG_PREFIX_MAX + YORE_CONFIG_VALUE_SIZE + 2] = "default";
    at.kind = version ? YORE_AT_VERSION : YORE_AT_NOW;
    at.version = version;
    yore_status status = yore_config_get_prefix(db, "search.index", yore_str(key), &at, &value, &err);
    if (status != YORE_NOT_FOUND) {
        ok(status);
        snprintf(shown, sizeof shown, "%.*s=%s", (int)value.prefix_size, (const char *)value.prefix,
                 value.value);
    }
    assert_string_equal(shown, wanted);
}

/* "a=text b=none", in the order of prefixes. */
static void lists(yore_db *db, const char *wanted)
{
    yore_config_value value = {.struct_size = sizeof value};
    yore_status status;
    char shown[2048] = "";
    while ((status = yore_config_next_prefix(db, "search.index", yore_bytes(value.prefix, value.prefix_size),
                                             NULL, &value, &err)) == YORE_OK) {
        size_t used = strlen(shown);
        snprintf(shown + used, sizeof shown - used, "%s%.*s=%s", used ? " " : "", (int)value.prefix_size,
                 (const char *)value.prefix, value.value);
    }
    assert_int_equal(status, YORE_END);
    assert_string_equal(shown, wanted);
}

static void test_the_longest_prefix_holds_then_the_store_then_the_default(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    holds(db, 0, "log/a", "default");
    set(db, "log/", "none");
    set(db, "log/important", "text");
    set(db, "l", "text");
    holds(db, 0, "log/a", "log/=none");
    holds(db, 0, "log/important/7", "log/important=text");
    holds(db, 0, "log/important", "log/important=text");
    holds(db, 0, "log/importan", "log/=none");
    holds(db, 0, "log", "l=text");
    holds(db, 0, "doc", "default");
    holds(db, 0, "", "default");
    ok(yore_config_set(db, "search.index", "none", NULL, &err));
    holds(db, 0, "doc", "=none");
    holds(db, 0, "log/important", "log/important=text");
    lists(db, "l=text log/=none log/important=text");
    yore_close(db);
}

static void test_an_empty_value_takes_a_prefix_away_and_leaves_the_others(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    set(db, "b", "none");
    set(db, "a", "none");
    set(db, "c", "text");
    set(db, "b", "");
    lists(db, "a=none c=text");
    set(db, "nothing was set for this one", "");
    lists(db, "a=none c=text");
    set(db, "a", "text");
    set(db, "c", "");
    set(db, "a", "");
    lists(db, "");
    holds(db, 0, "a", "default");
    set(db, "a", "none");
    lists(db, "a=none");
    yore_close(db);
}

static void test_values_are_read_as_of_any_version_and_survive_a_reopen(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(1);
    yore_db *db = opened(sim);
    uint64_t first = set(db, "a", "none");
    uint64_t second = set(db, "ab", "text");
    uint64_t third = set(db, "a", "");
    for (int round = 0; round < 2; round++) {
        holds(db, first - 1, "abc", "default");
        holds(db, first, "abc", "a=none");
        holds(db, second, "abc", "ab=text");
        holds(db, second, "a", "a=none");
        holds(db, third, "a", "default");
        lists(db, "ab=text");
        yore_close(db);
        db = opened(sim);
    }
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void test_a_prefix_is_any_bytes_and_an_empty_one_is_the_store(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    yore_config_value value = {.struct_size = sizeof value};
    static char longest[YORE_CONFIG_PREFIX_MAX + 1];
    const char odd[] = {0, (char)0xff, '\n', 0};
    memset(longest, 'x', sizeof longest);
    ok(yore_config_set_prefix(db, "search.index", yore_bytes(odd, 4), "none", NULL, &err));
    ok(yore_config_set_prefix(db, "search.index", yore_bytes(longest, sizeof longest - 1), "none", NULL,
                              &err));
    ok(yore_config_get_prefix(db, "search.index", yore_bytes(odd, 4), NULL, &value, &err));
    assert_int_equal(value.prefix_size, 4);
    assert_memory_equal(value.prefix, odd, 4);
    assert_int_equal(yore_config_get_prefix(db, "search.index", yore_bytes(odd, 3), NULL, &value, &err),
                     YORE_NOT_FOUND);
    ok(yore_config_get_prefix(db, "search.index", yore_bytes(longest, sizeof longest), NULL, &value, &err));
    assert_int_equal(value.prefix_size, YORE_CONFIG_PREFIX_MAX);
    assert_int_equal(
        yore_config_set_prefix(db, "search.index", yore_bytes(longest, sizeof longest), "none", NULL, &err),
        YORE_ERR_LIMIT);
    set(db, "", "none");
    char text[YR_SETTING_SIZE];
    ok(yore_config_get(db, "search.index", NULL, text, sizeof text, &err));
    assert_string_equal(text, "none");
    ok(yore_config_set_prefix(db, "durability", yore_str(""), "os", NULL, &err));
    yore_close(db);
}

static void test_what_has_no_prefixes_says_which_settings_have(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    static const char *const whole[][2] = {
        {"durability", "os"}, {"search.language", "none"}, {"search.k1", "1"}, {"search.b", "1"}};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        assert_int_equal(yore_config_set_prefix(db, whole[i][0], yore_str("a"), whole[i][1], NULL, &err),
                         YORE_ERR_INPUT);
        assert_non_null(strstr(err.message, whole[i][0]));
        assert_non_null(strstr(err.message, "search.index"));
        assert_int_equal(yore_config_set_prefix(db, whole[i][0], yore_str("a"), "", NULL, &err),
                         YORE_ERR_INPUT);
        yore_config_value value = {.struct_size = sizeof value};
        assert_int_equal(yore_config_next_prefix(db, whole[i][0], yore_str(""), NULL, &value, &err),
                         YORE_END);
        assert_int_equal(yore_config_get_prefix(db, whole[i][0], yore_str("a"), NULL, &value, &err),
                         YORE_NOT_FOUND);
        ok(yore_config_set(db, whole[i][0], whole[i][1], NULL, &err));
        ok(yore_config_get_prefix(db, whole[i][0], yore_str("a"), NULL, &value, &err));
        assert_string_equal(value.value, whole[i][1]);
    }
    assert_int_equal(yore_config_set_prefix(db, "search.idx", yore_str("a"), "none", NULL, &err),
                     YORE_ERR_NAME);
    assert_int_equal(yore_config_set_prefix(db, "search.index", yore_str("a"), "all", NULL, &err),
                     YORE_ERR_INPUT);
    lists(db, "");
    yore_close(db);
}

static void test_a_setting_has_at_most_so_many_prefixes(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(2);
    yore_db *db = opened(sim);
    char prefix[16];
    for (unsigned i = 0; i < YORE_CONFIG_PREFIXES_MAX; i++) {
        snprintf(prefix, sizeof prefix, "%03u", i * 7 % YORE_CONFIG_PREFIXES_MAX);
        set(db, prefix, "none");
    }
    assert_int_equal(yore_config_set_prefix(db, "search.index", yore_str("one more"), "none", NULL, &err),
                     YORE_ERR_LIMIT);
    set(db, "007", "text");
    set(db, "008", "");
    set(db, "one more", "none");
    yore_close(db);
    db = opened(sim);
    holds(db, 0, "007", "007=text");
    holds(db, 0, "008", "default");
    holds(db, 0, "one more!", "one more=none");
    yore_config_value value = {.struct_size = sizeof value};
    unsigned count = 0;
    while (yore_config_next_prefix(db, "search.index", yore_bytes(value.prefix, value.prefix_size), NULL,
                                   &value, &err) == YORE_OK)
        count++;
    assert_int_equal(count, YORE_CONFIG_PREFIXES_MAX);
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

typedef struct setter {
    yore_db *db;
    unsigned first;
    bool failed;
} setter;

enum { SETTERS = 3, SETTINGS_EACH = 60 };

static void *set_many(void *arg)
{
    setter *s = arg;
    char prefix[16];
    for (unsigned i = 0; i < SETTINGS_EACH; i++) {
        snprintf(prefix, sizeof prefix, "%03u", s->first + i);
        if (yore_config_set_prefix(s->db, "search.index", yore_str(prefix), "none", NULL, NULL) != YORE_OK)
            s->failed = true;
    }
    return NULL;
}

/* They share a row, but each is judged against the one before it. */
static void test_prefixes_set_by_several_threads_are_all_there(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    pthread_t threads[SETTERS];
    setter setters[SETTERS];
    for (unsigned i = 0; i < SETTERS; i++) {
        setters[i] = (setter){.db = db, .first = i * SETTINGS_EACH};
        assert_int_equal(pthread_create(&threads[i], NULL, set_many, &setters[i]), 0);
    }
    for (unsigned i = 0; i < SETTERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_false(setters[i].failed);
    }
    yore_config_value value = {.struct_size = sizeof value};
    unsigned count = 0;
    while (yore_config_next_prefix(db, "search.index", yore_bytes(value.prefix, value.prefix_size), NULL,
                                   &value, &err) == YORE_OK)
        count++;
    assert_int_equal(count, SETTERS * SETTINGS_EACH);
    yore_close(db);
}

static uint64_t since(const yore_db *db, uint64_t version)
{
    yr_buf table;
    yr_buf_init(&table, db->env, SIZE_MAX);
    assert_int_equal(yr_setting_prefixes(db, "search.index", version, &table, NULL), YORE_OK);
    uint64_t answer = yr_prefix_table_since(yore_bytes(table.data, table.size));
    yr_buf_deinit(&table);
    return answer;
}

/* What is derived from them is made again only then. */
static void test_the_table_tells_since_when_it_says_the_same(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    assert_int_equal(since(db, 1), 0);
    uint64_t first = set(db, "a", "none");
    uint64_t again = set(db, "a", "none");
    assert_int_equal(since(db, again), first);
    uint64_t nothing = set(db, "b", "");
    assert_int_equal(since(db, nothing), first);
    uint64_t changed = set(db, "a", "text");
    assert_int_equal(since(db, changed), changed);
    assert_int_equal(since(db, nothing), first);
    uint64_t gone = set(db, "a", "");
    assert_int_equal(since(db, gone), 0);
    yore_close(db);
}

/* -- the table -- */

static const yr_prefix_value three[] = {
    {.prefix = {"a", 1}, .text = {"none", 4}},
    {.prefix = {"ab", 2}, .text = {"text", 4}},
    {.prefix = {"b", 1}, .text = {"none", 4}},
};

static size_t encode(const yr_prefix_value *values, size_t count, uint8_t out[256])
{
    size_t size = yr_prefix_table_bytes(values, count);
    assert_true(size <= 256);
    yr_prefix_table_encode(values, count, 7, out);
    return size;
}

static void test_a_table_reads_back_and_is_good_at_no_other_length(void **state)
{
    (void)state;
    uint8_t bytes[257];
    size_t size = encode(three, 3, bytes), at = 0;
    yore_slice table = yore_bytes(bytes, size);
    yr_prefix_value value;
    bytes[size] = 0;
    assert_true(yr_prefix_table_check(table));
    assert_int_equal(yr_prefix_table_since(table), 7);
    for (size_t i = 0; i < 3; i++) {
        assert_true(yr_prefix_table_next(table, &at, &value));
        assert_true(yr_slice_equal(value.prefix, three[i].prefix) &&
                    yr_slice_equal(value.text, three[i].text));
    }
    assert_false(yr_prefix_table_next(table, &at, &value));
    for (size_t other = 0; other <= size + 1; other++)
        assert_int_equal(yr_prefix_table_check(yore_bytes(bytes, other)), other == size);
    /* a table with fewer values than bytes for them, and the other way round */
    bytes[2] = 2;
    assert_false(yr_prefix_table_check(table));
    bytes[2] = 4;
    assert_false(yr_prefix_table_check(table));
}

static void test_a_table_of_the_wrong_order_or_sizes_is_none(void **state)
{
    (void)state;
    static const char large[YORE_CONFIG_PREFIX_MAX + 1];
    static uint8_t bytes[4096];
    const yr_prefix_value bad[][2] = {
        {{.prefix = {"b", 1}, .text = {"none", 4}}, {.prefix = {"a", 1}, .text = {"none", 4}}},
        {{.prefix = {"a", 1}, .text = {"none", 4}}, {.prefix = {"a", 1}, .text = {"text", 4}}},
        {{.prefix = {"", 0}, .text = {"none", 4}}, {.prefix = {"a", 1}, .text = {"text", 4}}},
        {{.prefix = {"a", 1}, .text = {"", 0}}, {.prefix = {"b", 1}, .text = {"text", 4}}},
        {{.prefix = {"a", 1}, .text = {"no\0e", 4}}, {.prefix = {"b", 1}, .text = {"text", 4}}},
        {{.prefix = {large, sizeof large}, .text = {"none", 4}}, {.prefix = {"b", 1}, .text = {"text", 4}}},
        {{.prefix = {"a", 1}, .text = {"none", 4}}, {.prefix = {"b", 1}, .text = {large, YR_SETTING_SIZE}}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        yr_prefix_table_encode(bad[i], 2, 1, bytes);
        assert_false(yr_prefix_table_check(yore_bytes(bytes, yr_prefix_table_bytes(bad[i], 2))));
    }
    size_t size = encode(three, 3, bytes);
    bytes[0] = 2; /* a later record version */
    assert_false(yr_prefix_table_check(yore_bytes(bytes, size)));
    bytes[0] = 1;
    bytes[2] = 0; /* no values: then there is no row */
    assert_false(yr_prefix_table_check(yore_bytes(bytes, YR_PREFIX_TABLE_FIXED)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_longest_prefix_holds_then_the_store_then_the_default),
        cmocka_unit_test(test_an_empty_value_takes_a_prefix_away_and_leaves_the_others),
        cmocka_unit_test(test_values_are_read_as_of_any_version_and_survive_a_reopen),
        cmocka_unit_test(test_a_prefix_is_any_bytes_and_an_empty_one_is_the_store),
        cmocka_unit_test(test_what_has_no_prefixes_says_which_settings_have),
        cmocka_unit_test(test_a_setting_has_at_most_so_many_prefixes),
        cmocka_unit_test(test_prefixes_set_by_several_threads_are_all_there),
        cmocka_unit_test(test_the_table_tells_since_when_it_says_the_same),
        cmocka_unit_test(test_a_table_reads_back_and_is_good_at_no_other_length),
        cmocka_unit_test(test_a_table_of_the_wrong_order_or_sizes_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
