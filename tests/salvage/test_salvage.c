/* Salvaging: what is refused, what is made up for a branch whose record is lost, and that a failure leaves nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/backup/backup_kit.h"

static yr_sim *sim;

static int set_up(void **state)
{
    (void)state;
    sim = yr_sim_create(7);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
    return 0;
}

static yore_salvage_options options_of(void)
{
    yore_salvage_options options = YORE_SALVAGE_OPTIONS_INIT;
    options.env = yr_sim_env(sim);
    return options;
}

static yore_status salvage(yore_salvage_report *report, yore_error *err)
{
    yore_salvage_options options = options_of();
    *err = (yore_error)YORE_ERROR_INIT;
    return yore_salvage("db", "new", &options, report, err);
}

/* A store with everything in one run and a log behind it. */
static void make_store(uint64_t *digest)
{
    yore_error err = YORE_ERROR_INIT;
    yore_db *db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    kit_fill(db, 2);
    kit_need(yore_compact(db, NULL, NULL, &err), &err);
    kit_fill(db, 3);
    if (digest) assert_true(kit_digest(db, digest));
    yore_close(db);
}

static const char *find_file(const char *ending)
{
    static char path[80];
    const char *name;
    for (uint32_t i = 0; (name = yr_sim_dir_name(sim, "db", i)) != NULL; i++) {
        size_t n = strlen(name), k = strlen(ending);
        if (n < k || strcmp(name + n - k, ending) != 0) continue;
        (void)snprintf(path, sizeof path, "db/%s", name);
        return path;
    }
    fail_msg("no %s", ending);
    return NULL;
}

static bool is_there(const char *path)
{
    return yr_sim_dir_name(sim, path, 0) != NULL;
}

static void test_a_whole_store_is_saved_whole(void **state)
{
    (void)state;
    yore_error err;
    yore_salvage_report report;
    uint64_t before, after;
    make_store(&before);
    uint64_t image = yr_sim_image_hash(yr_sim_image_of(sim));
    yr_sim_image copy;
    yr_sim_image_clone(&copy, yr_sim_image_of(sim));
    kit_need(salvage(&report, &err), &err);
    assert_true(report.complete && report.had_manifest);
    assert_int_equal(report.damages, 0);
    assert_true(kit_digest_of(yr_sim_env(sim), "new", &after));
    assert_true(before == after);
    yr_sim_reset(sim, &copy);
    assert_true(yr_sim_image_hash(yr_sim_image_of(sim)) == image);
    yr_sim_image_deinit(&copy);
}

static void test_without_a_manifest_everything_is_found(void **state)
{
    (void)state;
    yore_error err;
    yore_salvage_report report;
    uint64_t before, after;
    make_store(&before);
    assert_true(yr_sim_file_remove(sim, "db/MANIFEST"));
    assert_true(yr_sim_file_remove(sim, "db/MANIFEST.bak"));
    kit_need(salvage(&report, &err), &err);
    assert_true(report.complete && !report.had_manifest);
    assert_true(kit_digest_of(yr_sim_env(sim), "new", &after));
    assert_true(before == after);
}

static void test_files_of_another_store_are_left_alone(void **state)
{
    (void)state;
    static uint8_t bytes[1 << 20];
    yore_error err;
    yore_salvage_report report;
    uint64_t before, after;
    make_store(&before);
    yore_db *other = kit_open(sim, "other", false);
    kit_need(yore_db_put(other, yore_str(""), yore_str_key("foreign"), yore_str("x"), NULL, &err), &err);
    kit_need(yore_compact(other, NULL, NULL, &err), &err);
    yore_close(other);
    const char *name = yr_sim_dir_name(sim, "other", 0);
    for (uint32_t i = 0; name && !strstr(name, ".seg"); i++) name = yr_sim_dir_name(sim, "other", i);
    char path[80];
    (void)snprintf(path, sizeof path, "other/%s", name);
    size_t size = (size_t)yr_sim_file_size(sim, path);
    assert_true(size <= sizeof bytes && yr_sim_file_read(sim, path, bytes, size, 0));
    assert_true(yr_sim_file_create(sim, "db/00000999.seg"));
    assert_true(yr_sim_file_write(sim, "db/00000999.seg", bytes, size, 0));
    assert_true(yr_sim_file_remove(sim, "db/MANIFEST"));
    kit_need(salvage(&report, &err), &err);
    assert_true(report.complete);
    assert_int_equal(report.segments, 1);
    assert_true(kit_digest_of(yr_sim_env(sim), "new", &after));
    assert_true(before == after);
}

static void test_branches_without_records_keep_what_they_wrote(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    yore_salvage_report report;
    yore_db *db = kit_open(sim, "db", false);
    kit_need(yore_branch_create(db, yore_str("exp"), NULL, NULL, &err), &err);
    kit_need(yore_db_put(db, yore_str(""), yore_str_key("a"), yore_str("1"), NULL, &err), &err);
    kit_need(yore_compact(db, NULL, NULL, &err), &err);
    kit_need(yore_db_put(db, yore_str("exp"), yore_str_key("b"), yore_str("2"), NULL, &err), &err);
    yore_close(db);
    assert_true(yr_sim_file_remove(sim, find_file(".seg")));
    kit_need(salvage(&report, &err), &err);
    assert_false(report.complete);
    assert_int_equal(report.branches_lost, 2); /* `default` as well */
    db = kit_open(sim, "new", true);
    kit_need(yore_check(db, YORE_CHECK_DEEP, NULL, &err), &err);
    assert_int_equal(kit_version(db), 4);
    yore_pin pin = YORE_PIN_INIT;
    kit_need(yore_db_get(db, yore_str("lost-2"), yore_str_key("b"), &pin, &err), &err);
    assert_int_equal(pin.value.size, 1);
    yore_unpin(&pin);
    assert_int_equal(yore_db_get(db, yore_str(""), yore_str_key("a"), &pin, &err), YORE_NOT_FOUND);
    yore_close(db);
}

static void test_a_torn_tail_is_no_loss(void **state)
{
    (void)state;
    static const uint8_t noise[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    yore_error err;
    yore_salvage_report report;
    uint64_t before, after, off = 0;
    make_store(&before);
    const char *log = find_file(".log");
    uint64_t size = (uint64_t)yr_sim_file_size(sim, log);
    for (uint64_t at = 0; at + 8 <= size; at += 8) {
        uint64_t word;
        assert_true(yr_sim_file_read(sim, log, &word, sizeof word, at));
        if (word) off = at + 8;
    }
    if (off + sizeof noise <= size) assert_true(yr_sim_file_write(sim, log, noise, sizeof noise, off));
    kit_need(salvage(&report, &err), &err);
    assert_true(report.complete);
    assert_true(kit_digest_of(yr_sim_env(sim), "new", &after));
    assert_true(before == after);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    yore_salvage_report report;
    yore_salvage_options bad = options_of();
    assert_int_equal(salvage(&report, &err), YORE_ERR_NO_STORE);
    assert_true(yr_sim_file_create(sim, "db/notes.txt"));
    assert_int_equal(salvage(&report, &err), YORE_ERR_NOT_STORE);
    assert_false(is_there("new"));
    assert_true(yr_sim_file_remove(sim, "db/notes.txt"));
    yore_db *db = kit_open(sim, "db", false);
    assert_int_equal(salvage(&report, &err), YORE_ERR_LOCKED);
    yore_close(db);
    assert_int_equal(yore_salvage("db", NULL, NULL, NULL, &err), YORE_ERR_MISUSE);
    bad.struct_size = 3;
    assert_int_equal(yore_salvage("db", "new", &bad, NULL, &err), YORE_ERR_MISUSE);
    kit_need(salvage(&report, &err), &err);
    assert_int_equal(salvage(&report, &err), YORE_ERR_EXISTS);
}

static int stop(void *arg, uint64_t done, uint64_t total)
{
    (void)arg;
    (void)done;
    (void)total;
    return 1;
}

static void test_stopping_leaves_nothing(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    yore_salvage_options options = options_of();
    make_store(NULL);
    options.progress = stop;
    assert_int_equal(yore_salvage("db", "new", &options, NULL, &err), YORE_ERR_CANCELLED);
    assert_null(yr_sim_dir_name(sim, "", 1)); /* nothing beside db */
}

/* Every allocation fails once, and every operation on the disk. */
static void test_a_failure_leaves_nothing(void **state)
{
    (void)state;
    yore_error err;
    yore_salvage_report report;
    yr_sim_image image;
    uint64_t before, after, n;
    make_store(&before);
    yr_sim_image_clone(&image, yr_sim_image_of(sim));
    for (n = 1;; n++) {
        yr_sim_reset(sim, &image);
        yr_sim_fail_alloc(sim, n, false);
        yore_status status = salvage(&report, &err);
        bool was_hit = yr_sim_alloc_fault_hits(sim) > 0;
        yr_sim_fail_alloc(sim, 0, false);
        assert_false(yr_sim_has_leaks(sim));
        if (!was_hit) break;
        if (status < 0) {
            if (status != YORE_ERR_NOMEM) fail_msg("allocation %u: %s", (unsigned)n, err.message);
            assert_null(yr_sim_dir_name(sim, "", 1));
        } else { /* somebody did without */
            assert_true(report.complete && kit_digest_of(yr_sim_env(sim), "new", &after) && before == after);
        }
    }
    print_message("%u allocations\n", (unsigned)n - 1);
    for (n = 1;; n++) {
        yr_sim_reset(sim, &image);
        yr_sim_set_fault(sim, (yr_sim_fault){.kinds = YR_SIM_OP_ANY, .nth = n, .os_errno = EIO});
        yore_status status = salvage(&report, &err);
        bool was_hit = yr_sim_fault_hits(sim) > 0;
        yr_sim_set_fault(sim, (yr_sim_fault){0});
        assert_false(yr_sim_has_leaks(sim));
        if (!was_hit) break;
        if (status < 0) continue;
        /* a place that could not be read is a loss that is told */
        assert_true(kit_digest_of(yr_sim_env(sim), "new", &after));
        if (report.complete && before != after) fail_msg("operation %u: a loss was not told", (unsigned)n);
    }
    print_message("%u operations\n", (unsigned)n - 1);
    yr_sim_image_deinit(&image);
}

int main(void)
{
#define SALVAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SALVAGE_TEST(test_a_whole_store_is_saved_whole),
        SALVAGE_TEST(test_without_a_manifest_everything_is_found),
        SALVAGE_TEST(test_files_of_another_store_are_left_alone),
        SALVAGE_TEST(test_branches_without_records_keep_what_they_wrote),
        SALVAGE_TEST(test_a_torn_tail_is_no_loss),
        SALVAGE_TEST(test_what_is_refused),
        SALVAGE_TEST(test_stopping_leaves_nothing),
        SALVAGE_TEST(test_a_failure_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
