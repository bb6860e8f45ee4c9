/* Backups through the public API: what is equal after a restore, what is refused, and what is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/backup/backup_kit.h"

static yr_sim *sim;
static yore_error err;
static yore_backup_options options;

static int set_up(void **state)
{
    (void)state;
    sim = yr_sim_create(5);
    options = kit_options(yr_sim_env(sim));
    err = (yore_error)YORE_ERROR_INIT;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
    return 0;
}

#define NEED(call) kit_need((call), &err)
#define REFUSED(call, status)                 \
    do {                                      \
        err = (yore_error)YORE_ERROR_INIT;    \
        assert_int_equal((call), (status));   \
        assert_int_equal(err.code, (status)); \
        assert_true(err.message[0] != '\0');  \
    } while (0)

static uint64_t digest_of_path(const char *path)
{
    uint64_t digest = 0;
    assert_true(kit_digest_of(yr_sim_env(sim), path, &digest));
    return digest;
}

static uint64_t digest_of(yore_db *db)
{
    uint64_t digest = 0;
    assert_true(kit_digest(db, &digest));
    return digest;
}

static void make(yore_db *db, const char *dest, const char *base)
{
    options.base = base;
    NEED(yore_backup_make(db, dest, &options, NULL, &err));
    options.base = NULL;
}

static uint32_t names_in(const char *dir)
{
    uint32_t count = 0;
    while (yr_sim_dir_name(sim, dir, count)) count++;
    return count;
}

static void test_a_restored_store_is_equal_in_everything(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    yore_backup_info info = YORE_BACKUP_INFO_INIT, restored = YORE_BACKUP_INFO_INIT;
    for (int round = 0; round < 4; round++) kit_fill(db, round);
    NEED(yore_backup_make(db, "full", &options, &info, &err));
    assert_int_equal(info.first_version, 1);
    assert_int_equal(info.last_version, kit_version(db));
    assert_int_equal(info.commits, info.last_version);
    assert_int_equal(info.file_bytes, yr_sim_file_size(sim, "full"));
    NEED(yore_backup_restore("full", "again", &options, &restored, &err));
    assert_int_equal(restored.last_version, info.last_version);
    assert_int_equal(restored.last_time_ns, info.last_time_ns);
    assert_true(digest_of_path("again") == digest_of(db));
    assert_int_equal(names_in(""), 3); /* db, full, again: nothing else was left */

    /* it goes on as any store does, and its own backups work */
    yore_db *again = kit_open(sim, "again", false);
    kit_fill(again, 9);
    make(again, "full2", NULL);
    NEED(yore_backup_restore("full2", "third", &options, NULL, &err));
    assert_true(digest_of_path("third") == digest_of(again));
    yore_close(again);
    yore_close(db);
}

static void test_an_empty_store_has_a_backup(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    make(db, "full", NULL);
    make(db, "more", "full");
    NEED(yore_backup_restore("more", "again", &options, NULL, &err));
    assert_true(digest_of_path("again") == digest_of(db));
    yore_close(db);
}

static void test_a_store_in_memory_and_a_reader_can_be_backed_up(void **state)
{
    (void)state;
    yore_db *memory = kit_open(sim, ":memory:", false);
    kit_fill(memory, 1);
    make(memory, "m1", NULL);
    kit_fill(memory, 2);
    make(memory, "m2", "m1");
    NEED(yore_backup_restore("m2", "again", &options, NULL, &err));
    assert_true(digest_of_path("again") == digest_of(memory));
    yore_close(memory);

    yore_db *db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    yore_db *reader = kit_open(sim, "db", true);
    uint64_t seen = digest_of(reader);
    kit_fill(db, 2);
    make(reader, "r1", NULL);
    NEED(yore_backup_restore("r1", "r", &options, NULL, &err));
    assert_true(digest_of_path("r") == seen);
    NEED(yore_refresh(reader, &err));
    make(reader, "r2", "r1");
    NEED(yore_backup_restore("r2", "rr", &options, NULL, &err));
    assert_true(digest_of_path("rr") == digest_of(db));
    yore_close(reader);
    yore_close(db);
}

static void test_a_commit_larger_than_many_chunks_comes_back(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    const size_t size = (5 << 20) + 77;
    char *value = malloc(size);
    assert_non_null(value);
    for (size_t i = 0; i < size; i++) value[i] = (char)(i * 2654435761u >> 13);
    NEED(yore_db_put(db, yore_str(""), yore_str_key("small"), yore_str("1"), NULL, &err));
    NEED(yore_db_put(db, yore_str(""), yore_str_key("large"), yore_bytes(value, size), NULL, &err));
    NEED(yore_db_put(db, yore_str(""), yore_str_key("small"), yore_str("2"), NULL, &err));
    free(value);
    make(db, "full", NULL);
    NEED(yore_backup_verify("full", &options, NULL, &err));
    NEED(yore_backup_restore("full", "again", &options, NULL, &err));
    assert_true(digest_of_path("again") == digest_of(db));
    yore_close(db);
}

static void test_a_point_in_time_is_the_store_that_stopped_there(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    uint64_t versions[8], digests[8];
    char name[16], base[16] = "";
    for (int i = 0; i < 8; i++) {
        kit_fill(db, i);
        versions[i] = kit_version(db);
        digests[i] = digest_of(db);
        (void)snprintf(name, sizeof name, "b%d", i);
        make(db, name, base[0] ? base : NULL);
        (void)snprintf(base, sizeof base, "%s", name);
    }
    for (int i = 0; i < 8; i++) {
        yore_db *look;
        (void)snprintf(name, sizeof name, "at%d", i);
        options.last_version = versions[i];
        NEED(yore_backup_restore("b7", name, &options, NULL, &err));
        assert_true(digest_of_path(name) == digests[i]);
        NEED(yore_backup_open("b7", &options, &look, &err));
        assert_true(digest_of(look) == digests[i]);
        assert_int_equal(yore_db_put(look, yore_str(""), yore_str_key("k"), yore_str("v"), NULL, NULL),
                         YORE_ERR_READONLY);
        assert_int_equal(yore_refresh(look, NULL), YORE_OK);
        yore_close(look);
    }
    options.last_version = 1;
    NEED(yore_backup_restore("b7", "first", &options, NULL, &err));
    assert_true(digest_of_path("first") != digests[0]);
    options.last_version = versions[7] + 1;
    REFUSED(yore_backup_restore("b7", "beyond", &options, NULL, &err), YORE_ERR_TIME_RANGE);
    yore_close(db);
}

static void test_nothing_is_written_over(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    make(db, "full", NULL);
    assert_true(yr_sim_file_create(sim, "text"));
    REFUSED(yore_backup_make(db, "full", &options, NULL, &err), YORE_ERR_EXISTS);
    REFUSED(yore_backup_make(db, "text", &options, NULL, &err), YORE_ERR_EXISTS);
    REFUSED(yore_backup_make(db, "db", &options, NULL, &err), YORE_ERR_EXISTS);
    assert_int_equal(yr_sim_file_size(sim, "text"), 0);
    REFUSED(yore_backup_restore("full", "db", &options, NULL, &err), YORE_ERR_EXISTS);
    REFUSED(yore_backup_restore("full", "text", &options, NULL, &err), YORE_ERR_EXISTS);
    REFUSED(yore_backup_restore("full", "full", &options, NULL, &err), YORE_ERR_EXISTS);
    REFUSED(yore_backup_make(db, "no/where", &options, NULL, &err), YORE_ERR_NO_STORE);
    REFUSED(yore_backup_restore("full", "no/where", &options, NULL, &err), YORE_ERR_NO_STORE);
    REFUSED(yore_backup_make(db, "..", &options, NULL, &err), YORE_ERR_INPUT);
    REFUSED(yore_backup_make(db, "", &options, NULL, &err), YORE_ERR_INPUT);
    assert_int_equal(names_in(""), 3);
    yore_close(db);
}

static void test_a_base_must_be_of_this_history(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false), *other = kit_open(sim, "other", false);
    kit_fill(db, 1);
    kit_fill(other, 1);
    make(db, "full", NULL);
    options.base = "full";
    REFUSED(yore_backup_make(other, "x", &options, NULL, &err), YORE_ERR_REFUSED);
    options.base = "none";
    REFUSED(yore_backup_make(db, "x", &options, NULL, &err), YORE_ERR_NO_STORE);
    options.base = "db";
    REFUSED(yore_backup_make(db, "x", &options, NULL, &err), YORE_ERR_NOT_STORE);
    options.base = "db/MANIFEST";
    REFUSED(yore_backup_make(db, "x", &options, NULL, &err), YORE_ERR_NOT_STORE);
    /* what a restored store writes is its own: the next backup of it is a full one */
    options.base = NULL;
    NEED(yore_backup_restore("full", "again", &options, NULL, &err));
    yore_db *again = kit_open(sim, "again", false);
    options.base = "full";
    REFUSED(yore_backup_make(again, "x", &options, NULL, &err), YORE_ERR_REFUSED);
    yore_close(again);
    yore_close(other);
    yore_close(db);
}

/* A copy of the store's directory has its id too. */
static void test_a_base_of_a_copy_that_went_on_alone_is_refused(void **state)
{
    (void)state;
    yr_sim_image before;
    yore_db *db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    yore_close(db);
    yr_sim_image_clone(&before, yr_sim_image_of(sim));
    yr_sim *copy = yr_sim_create(6);
    yr_sim_reset(copy, &before);
    yr_sim_image_deinit(&before);

    db = kit_open(sim, "db", false);
    NEED(yore_db_put(db, yore_str(""), yore_str_key("k"), yore_str("here"), NULL, &err));
    make(db, "full", NULL);
    int64_t size = yr_sim_file_size(sim, "full");
    char *bytes = malloc((size_t)size);
    assert_non_null(bytes);
    assert_true(yr_sim_file_read(sim, "full", bytes, (size_t)size, 0));
    assert_true(yr_sim_file_create(copy, "full"));
    assert_true(yr_sim_file_write(copy, "full", bytes, (size_t)size, 0));
    free(bytes);

    yore_db *alone = kit_open(copy, "db", false);
    options.base = "full";
    REFUSED(yore_backup_make(alone, "x", &options, NULL, &err), YORE_ERR_REFUSED); /* the base is ahead */
    NEED(yore_db_put(alone, yore_str(""), yore_str_key("k"), yore_str("there"), NULL, &err));
    REFUSED(yore_backup_make(alone, "x", &options, NULL, &err), YORE_ERR_REFUSED); /* another commit there */
    NEED(yore_db_put(alone, yore_str(""), yore_str_key("k"), yore_str("more"), NULL, &err));
    REFUSED(yore_backup_make(alone, "x", &options, NULL, &err), YORE_ERR_REFUSED);
    yore_close(alone);
    yore_close(db);
    assert_false(yr_sim_has_leaks(copy));
    yr_sim_destroy(copy);
}

static void test_a_chain_with_a_wrong_or_missing_link_is_refused(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    make(db, "b0", NULL);
    make(db, "c0", NULL); /* the same commits, but not what b1 was made on */
    kit_fill(db, 2);
    make(db, "b1", "b0");
    kit_fill(db, 3);
    make(db, "b2", "b1");
    yore_close(db);
    NEED(yore_backup_verify("b2", &options, NULL, &err));
    assert_true(yr_sim_file_rename(sim, "b1", "renamed")); /* names do not matter */
    NEED(yore_backup_verify("b2", &options, NULL, &err));
    assert_true(yr_sim_file_rename(sim, "b0", "away"));
    assert_true(yr_sim_file_remove(sim, "away"));
    REFUSED(yore_backup_verify("b2", &options, NULL, &err), YORE_ERR_NO_STORE);
    REFUSED(yore_backup_restore("b2", "x", &options, NULL, &err), YORE_ERR_NO_STORE);
    REFUSED(yore_backup_open("b2", &options, &db, &err), YORE_ERR_NO_STORE);
    NEED(yore_backup_verify("c0", &options, NULL, &err));
    assert_true(yr_sim_file_size(sim, "x/MANIFEST") < 0);
}

static int stop_at(void *arg, uint64_t done, uint64_t total)
{
    int *left = arg;
    assert_true(done <= total);
    return (*left)-- == 0;
}

static void test_what_is_cancelled_leaves_nothing(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    char value[3000];
    memset(value, 'v', sizeof value);
    for (int i = 0; i < 1200; i++) {
        NEED(yore_db_put(db, yore_str(""), yore_str_key("k"), yore_bytes(value, sizeof value), NULL, &err));
    }
    make(db, "full", NULL);
    int calls;
    for (int i = 0; i < 3; i++) {
        options.progress = stop_at;
        options.progress_arg = &calls;
        calls = i;
        REFUSED(yore_backup_make(db, "x", &options, NULL, &err), YORE_ERR_CANCELLED);
        calls = i;
        REFUSED(yore_backup_restore("full", "x", &options, NULL, &err), YORE_ERR_CANCELLED);
        calls = i;
        REFUSED(yore_backup_verify("full", &options, NULL, &err), YORE_ERR_CANCELLED);
    }
    assert_int_equal(names_in(""), 2);
    yore_close(db);
}

static void test_a_file_left_by_a_killed_process_is_in_nobodys_way(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    assert_true(yr_sim_file_create(sim, "full.tmp"));
    assert_true(yr_sim_file_write(sim, "full.tmp", "half a backup", 13, 500));
    make(db, "full", NULL);
    NEED(yore_backup_verify("full", &options, NULL, &err));
    assert_int_equal(yr_sim_file_size(sim, "full.tmp"), -1);
    /* one that is being written is left alone */
    const yore_env *env = yr_sim_env(sim);
    yore_dir *dir;
    yore_file *file;
    assert_int_equal(env->dir_open(env->ctx, ".", 0, NULL, &dir), 0);
    assert_int_equal(env->open(env->ctx, dir, "more.tmp", YORE_OPEN_WRITE | YORE_OPEN_CREATE, &file), 0);
    assert_int_equal(env->lock(env->ctx, file), 0);
    REFUSED(yore_backup_make(db, "more", &options, NULL, &err), YORE_ERR_LOCKED);
    assert_int_equal(yr_sim_file_size(sim, "more.tmp"), 0);
    env->close(env->ctx, file);
    env->dir_close(env->ctx, dir);
    yore_close(db);
}

static void test_verify_compares_with_a_store(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false), *other = kit_open(sim, "other", false);
    kit_fill(db, 1);
    make(db, "b0", NULL);
    kit_fill(db, 2);
    make(db, "b1", "b0");
    options.compare = db;
    NEED(yore_backup_verify("b1", &options, NULL, &err));
    kit_fill(db, 3); /* what came later is no difference */
    NEED(yore_backup_verify("b1", &options, NULL, &err));
    options.compare = other;
    REFUSED(yore_backup_verify("b1", &options, NULL, &err), YORE_ERR_CORRUPT);
    options.compare = NULL;
    options.last_version = 5;
    yore_db *look;
    NEED(yore_backup_open("b1", &options, &look, &err));
    options.compare = look;
    REFUSED(yore_backup_verify("b1", &options, NULL, &err), YORE_ERR_CORRUPT);
    options.compare = NULL;
    yore_close(look);
    yore_close(other);
    yore_close(db);
}

typedef struct listed {
    uint32_t whole, damaged;
} listed;

static int count_one(void *arg, const char *name, const yore_backup_info *info, const yore_error *why)
{
    listed *list = arg;
    assert_true((info != NULL) != (why != NULL));
    assert_true(name[0] != '\0');
    list->whole += info != NULL;
    list->damaged += info == NULL;
    return 0;
}

static void test_a_directory_lists_its_backups(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    listed list = {0};
    make(db, "b0", NULL);
    kit_fill(db, 1);
    make(db, "b1", "b0");
    make(db, "cut", NULL);
    yore_close(db);
    assert_true(yr_sim_file_truncate(sim, "cut", 300));
    assert_true(yr_sim_file_create(sim, "text"));
    NEED(yore_backup_list(".", &options, count_one, &list, &err));
    assert_int_equal(list.whole, 2);
    assert_int_equal(list.damaged, 1);
    REFUSED(yore_backup_list("none", &options, count_one, &list, &err), YORE_ERR_NO_STORE);
    yore_backup_info info = YORE_BACKUP_INFO_INIT;
    NEED(yore_backup_info_get("b1", &options, &info, &err));
    assert_true(info.first_version > 1 && info.last_version >= info.first_version);
    REFUSED(yore_backup_info_get("cut", &options, &info, &err), YORE_ERR_CORRUPT);
}

static void test_calls_that_are_not_initialised_are_refused(void **state)
{
    (void)state;
    yore_db *db = kit_open(sim, "db", false);
    yore_backup_options empty = {0};
    yore_backup_info none = {0};
    REFUSED(yore_backup_make(db, "x", &empty, NULL, &err), YORE_ERR_MISUSE);
    REFUSED(yore_backup_make(db, "x", &options, &none, &err), YORE_ERR_MISUSE);
    REFUSED(yore_backup_make(NULL, "x", &options, NULL, &err), YORE_ERR_MISUSE);
    REFUSED(yore_backup_make(db, NULL, &options, NULL, &err), YORE_ERR_MISUSE);
    REFUSED(yore_backup_verify(NULL, &options, NULL, &err), YORE_ERR_MISUSE);
    REFUSED(yore_backup_verify("x", &empty, NULL, &err), YORE_ERR_MISUSE);
    REFUSED(yore_backup_restore("x", NULL, &options, NULL, &err), YORE_ERR_MISUSE);
    REFUSED(yore_backup_open("x", &options, NULL, &err), YORE_ERR_MISUSE);
    REFUSED(yore_backup_list(".", &options, NULL, NULL, &err), YORE_ERR_MISUSE);
    REFUSED(yore_backup_info_get("x", &options, NULL, &err), YORE_ERR_MISUSE);
    yore_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_restored_store_is_equal_in_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_empty_store_has_a_backup, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_store_in_memory_and_a_reader_can_be_backed_up, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_commit_larger_than_many_chunks_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_point_in_time_is_the_store_that_stopped_there, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_written_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_base_must_be_of_this_history, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_base_of_a_copy_that_went_on_alone_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_chain_with_a_wrong_or_missing_link_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_cancelled_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_left_by_a_killed_process_is_in_nobodys_way, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_verify_compares_with_a_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_directory_lists_its_backups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_calls_that_are_not_initialised_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
