/* A diff that cannot have memory, or cannot read, or reads damaged bytes, says so or lists the right rows: never
 * others, and nothing stays behind. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "tests/support/env_sim.h"

#include <yore.h>

enum { KEYS = 300, LARGE = 70000, TEXT = 1 << 16, FLIPS = 400 };

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static yore_db *open_db(yr_sim *sim, bool read_only)
{
    yore_db *db;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(sim);
    options.create = !read_only;
    options.read_only = read_only;
    options.sync = YORE_SYNC_OS;
    ok(yore_open("db", &options, &db, &err));
    return db;
}

static void put_one(yore_db *db, const char *branch, uint32_t n, yore_slice value)
{
    char key[16];
    snprintf(key, sizeof key, "key%05u", n);
    ok(yore_db_put(db, yore_str(branch), yore_str_key(key), value, NULL, &err));
}

/* Changes on both sides of a fork, in a merged run, in another one, and in memory; some values in a value file. */
static void fill(yore_db *db)
{
    static uint8_t large[LARGE];
    for (uint32_t n = 0; n < KEYS; n++)
        put_one(db, "", n, yore_str("a value of some length to fill blocks with"));
    ok(yore_branch_create(db, yore_str("exp"), NULL, NULL, &err));
    for (uint32_t n = 0; n < 9; n++) put_one(db, "", n * 31, yore_str("trunk"));
    for (uint32_t n = 0; n < 9; n++)
        put_one(db, "exp", n * 29, n % 3 ? yore_str("branch") : yore_bytes(large, LARGE));
    ok(yore_compact(db, NULL, NULL, &err));
    for (uint32_t n = 0; n < 3; n++)
        put_one(db, n % 2 ? "" : "exp", n * 23 + 1, yore_bytes(large, LARGE - n));
}

typedef struct listing {
    char text[TEXT];
    size_t size;
} listing;

static void add_row(listing *out, const yore_diff_row *row)
{
    out->size += (size_t)snprintf(out->text + out->size, TEXT - out->size, "%u %.*s %zu %zu\n", row->op,
                                  (int)row->key.size, (const char *)row->key.data, row->old_value.size,
                                  row->new_value.size);
    assert_true(out->size < TEXT);
}

static yore_status list_with(yore_db *db, const yore_diff_options *options, listing *out)
{
    yore_iter *iter = NULL;
    yore_diff_row rows[7];
    yore_at a = YORE_AT_INIT, b = YORE_AT_INIT;
    size_t n;
    snprintf(b.branch, sizeof b.branch, "exp");
    out->size = 0;
    yore_status status = yore_diff(db, &a, &b, options, &iter, NULL, NULL, &err);
    while (status == YORE_OK) {
        status = yore_diff_next(iter, rows, sizeof rows[0], 7, &n, &err);
        for (size_t i = 0; status == YORE_OK && i < n; i++) add_row(out, &rows[i]);
    }
    if (status < 0 && iter) { /* it stays so */
        assert_int_equal(yore_diff_next(iter, rows, sizeof rows[0], 7, &n, NULL), status);
    }
    yore_iter_close(iter);
    return status;
}

static const yore_diff_options *any_primitive(void)
{
    static yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
    options.primitive = YORE_ANY_PRIMITIVE;
    options.from = yore_str("key");
    options.prefix = yore_str("key0");
    return &options;
}

static void a_diff_without_memory_says_so(void **state)
{
    (void)state;
    static listing wanted, found;
    yr_sim *sim = yr_sim_create(1);
    yore_db *db = open_db(sim, false);
    fill(db);
    const yore_diff_options *each[] = {NULL, any_primitive()};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(list_with(db, each[i], &wanted), YORE_END);
        assert_true(wanted.size > 0);
        uint64_t failed = 0;
        for (uint64_t n = 2;; n++) {
            yr_sim_fail_alloc(sim, n / 2, n % 2);
            yore_status status = list_with(db, each[i], &found);
            uint64_t hits = yr_sim_alloc_fault_hits(sim);
            yr_sim_fail_alloc(sim, 0, false);
            if (hits == 0) break;
            failed += status == YORE_ERR_NOMEM;
            if (status != YORE_ERR_NOMEM) assert_int_equal(status, YORE_END);
            if (status == YORE_END) assert_string_equal(found.text, wanted.text);
        }
        assert_true(failed > 3);
        assert_int_equal(list_with(db, each[i], &found), YORE_END);
        assert_string_equal(found.text, wanted.text);
    }
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void a_diff_that_cannot_read_says_so(void **state)
{
    (void)state;
    static listing wanted, found;
    yr_sim *sim = yr_sim_create(2);
    yore_db *db = open_db(sim, false);
    fill(db);
    assert_int_equal(list_with(db, NULL, &wanted), YORE_END);
    yore_close(db);
    uint64_t failed = 0;
    for (uint64_t n = 2;; n++) {
        db = open_db(sim, true); /* nothing is in its cache */
        yr_sim_set_fault(
            sim, (yr_sim_fault){.kinds = YR_SIM_OP_READ, .nth = n / 2, .os_errno = EIO, .sticky = n % 2});
        yore_status status = list_with(db, NULL, &found);
        uint64_t hits = yr_sim_fault_hits(sim);
        yr_sim_set_fault(sim, (yr_sim_fault){0});
        if (status < 0) assert_int_equal(status, YORE_ERR_IO);
        failed += status < 0;
        if (status == YORE_END) assert_string_equal(found.text, wanted.text);
        assert_int_equal(list_with(db, NULL, &found), YORE_END);
        assert_string_equal(found.text, wanted.text);
        yore_close(db);
        if (hits == 0) break;
    }
    assert_true(failed > 3);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

/* The segment files of the store. */
static uint32_t find_segments(const yr_sim *sim, char paths[8][64])
{
    uint32_t count = 0;
    const char *name;
    for (uint32_t i = 0; (name = yr_sim_dir_name(sim, "db", i)) != NULL; i++) {
        if ((strstr(name, ".seg") || strstr(name, ".val")) && count < 8)
            snprintf(paths[count++], 64, "db/%s", name);
    }
    return count;
}

static void a_diff_of_damaged_files_lists_what_is_right_or_says_so(void **state)
{
    (void)state;
    static listing wanted, found;
    uint64_t seed = (uint64_t)time(NULL), failed = 0;
    yr_rng rng = {.state = seed};
    yr_sim *sim = yr_sim_create(3);
    yore_db *db = open_db(sim, false);
    char paths[8][64];
    printf("seed %" PRIu64 "\n", seed);
    fill(db);
    assert_int_equal(list_with(db, NULL, &wanted), YORE_END);
    yore_close(db);
    uint32_t files = find_segments(sim, paths);
    assert_true(files >= 2);
    for (int i = 0; i < FLIPS; i++) {
        const char *path = paths[yr_rng_below(&rng, files)];
        uint64_t bit = yr_rng_below(&rng, (uint64_t)yr_sim_file_size(sim, path) * 8);
        yore_open_options options = YORE_OPEN_OPTIONS_INIT;
        options.env = yr_sim_env(sim);
        options.read_only = true;
        assert_true(yr_sim_file_flip(sim, path, bit));
        yore_status status = yore_open("db", &options, &db, &err);
        if (status == YORE_OK) {
            status = list_with(db, NULL, &found);
            if (status == YORE_END) assert_string_equal(found.text, wanted.text);
            yore_close(db);
        }
        if (status < 0) assert_true(status == YORE_ERR_CORRUPT || status == YORE_ERR_FORMAT);
        failed += status < 0;
        assert_true(yr_sim_file_flip(sim, path, bit));
    }
    assert_true(failed > 0);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_diff_without_memory_says_so),
        cmocka_unit_test(a_diff_that_cannot_read_says_so),
        cmocka_unit_test(a_diff_of_damaged_files_lists_what_is_right_or_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
