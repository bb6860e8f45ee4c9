/* Every bit of small bundles flipped, every length they can be cut to, and bytes of other places and files: each is
 * reported, by info and by import, and no import leaves anything behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/format/file_header.h"
#include "tests/bundle/bundle_kit.h"

#define NEED(call) kit_need((call), &err)

static yr_sim *sim;
static yore_db *db;
static const char *const files[] = {"state", "history", "more"};

static void make_all(void)
{
    yore_error err = YORE_ERROR_INIT;
    yore_bundle_options options = kit_bundle_options(yr_sim_env(sim));
    const yore_at exp = kit_at("other-1"), base = kit_at_version("", 3);
    db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    options.at = &exp;
    NEED(yore_bundle_make(db, "state", &options, NULL, &err));
    options.history = true;
    NEED(yore_bundle_make(db, "history", &options, NULL, &err));
    options.base = &base;
    NEED(yore_bundle_make(db, "more", &options, NULL, &err));
}

static bool is_reported(const char *path)
{
    yore_error err = YORE_ERROR_INIT;
    yore_bundle_options options = kit_bundle_options(yr_sim_env(sim));
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT;
    uint32_t before = kit_branches(db);
    uint64_t version = kit_version(db);
    if (yore_bundle_info_get(path, &options, &info, &err) >= 0 || !err.message[0]) return false;
    if (yore_bundle_import(db, path, yore_str("x"), &options, NULL, NULL, &err) >= 0) return false;
    return kit_branches(db) == before && kit_version(db) == version;
}

static void test_every_flipped_bit_is_reported(void **state)
{
    (void)state;
    uint64_t bits = 0;
    for (size_t f = 0; f < 3; f++) {
        uint64_t count = (uint64_t)yr_sim_file_size(sim, files[f]) * 8;
        for (uint64_t bit = 0; bit < count; bit++, bits++) {
            assert_true(yr_sim_file_flip(sim, files[f], bit));
            if (!is_reported(files[f])) fail_msg("bit %u of %s is silent", (unsigned)bit, files[f]);
            assert_true(yr_sim_file_flip(sim, files[f], bit));
        }
    }
    print_message("%u bits, each reported\n", (unsigned)bits);
}

static void test_every_cut_and_every_addition_is_reported(void **state)
{
    (void)state;
    uint8_t bytes[8192];
    for (size_t f = 0; f < 3; f++) {
        size_t size = (size_t)yr_sim_file_size(sim, files[f]);
        assert_true(size <= sizeof bytes);
        assert_true(yr_sim_file_read(sim, files[f], bytes, size, 0));
        for (size_t cut = 0; cut < size; cut++) {
            assert_true(yr_sim_file_truncate(sim, files[f], cut));
            if (!is_reported(files[f])) fail_msg("%s cut to %u is silent", files[f], (unsigned)cut);
            assert_true(yr_sim_file_write(sim, files[f], bytes, size, 0));
        }
        assert_true(yr_sim_file_write(sim, files[f], "", 1, size));
        assert_true(is_reported(files[f]));
        assert_true(yr_sim_file_truncate(sim, files[f], size));
    }
}

static void test_bytes_of_another_place_or_file_are_reported(void **state)
{
    (void)state;
    uint8_t bytes[8192], other[8192];
    for (size_t f = 0; f < 3; f++) {
        size_t size = (size_t)yr_sim_file_size(sim, files[f]);
        const char *from = files[(f + 1) % 3];
        size_t from_size = (size_t)yr_sim_file_size(sim, from);
        assert_true(yr_sim_file_read(sim, files[f], bytes, size, 0));
        assert_true(yr_sim_file_read(sim, from, other, from_size, 0));
        for (size_t off = 0; off + 32 <= size && off + 32 <= from_size; off += 32) {
            if (memcmp(bytes + off, other + off, 32) == 0) continue;
            assert_true(yr_sim_file_write(sim, files[f], other + off, 32, off));
            assert_true(is_reported(files[f]));
            assert_true(yr_sim_file_write(sim, files[f], bytes, size, 0));
        }
    }
}

/* The header of a file, changed and its sum put right. */
static void set_header(const char *path, size_t off, uint32_t value)
{
    uint8_t header[YR_FILE_HEADER_BYTES];
    assert_true(yr_sim_file_read(sim, path, header, sizeof header, 0));
    header[off] = (uint8_t)value;
    yr_put_le64(header + 56, yr_hash64(header, 56, 0));
    assert_true(yr_sim_file_write(sim, path, header, sizeof header, 0));
}

static void test_a_newer_format_is_said(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    yore_bundle_options options = kit_bundle_options(yr_sim_env(sim));
    const struct {
        size_t off;
        uint32_t value, old;
    } changes[] = {{4, YR_FORMAT_MAJOR + 1, YR_FORMAT_MAJOR}, {15, 128, 0}};
    for (size_t i = 0; i < 2; i++) {
        set_header("state", changes[i].off, changes[i].value);
        assert_int_equal(yore_bundle_import(db, "state", yore_str("x"), &options, NULL, NULL, &err),
                         YORE_ERR_FORMAT);
        assert_non_null(strstr(err.message, "newer format"));
        assert_true(is_reported("state"));
        set_header("state", changes[i].off, changes[i].old);
    }
}

/* What is whole again is taken. */
static void test_they_were_good_all_along(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    yore_bundle_options options = kit_bundle_options(yr_sim_env(sim));
    const yore_at exp = kit_at("other-1");
    for (size_t f = 0; f < 3; f++) {
        const yore_at same = kit_at(files[f]);
        NEED(yore_bundle_import(db, files[f], yore_str(files[f]), &options, NULL, NULL, &err));
        assert_int_equal(kit_state(db, &exp), kit_state(db, &same));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_flipped_bit_is_reported),
        cmocka_unit_test(test_every_cut_and_every_addition_is_reported),
        cmocka_unit_test(test_bytes_of_another_place_or_file_are_reported),
        cmocka_unit_test(test_a_newer_format_is_said),
        cmocka_unit_test(test_they_were_good_all_along),
    };
    sim = yr_sim_create(12);
    make_all();
    int failed = cmocka_run_group_tests_name("bundle rot", tests, NULL, NULL);
    yore_close(db);
    if (yr_sim_has_leaks(sim)) {
        print_error("something was not given back\n");
        failed++;
    }
    yr_sim_destroy(sim);
    return failed;
}
