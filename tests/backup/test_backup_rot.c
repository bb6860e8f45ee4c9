/* Every bit of a small chain of backups flipped, every length it can be cut to, and bytes added: each is reported by
 * verify, by restore and by open, and none of them leaves anything behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"
#include "engine/format/backup_format.h"
#include "tests/backup/backup_kit.h"

static yr_sim *sim;
static const char *const files[] = {"b0", "b1", "b2"};

static void make_chain(void)
{
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = kit_options(yr_sim_env(sim));
    yore_db *db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    kit_need(yore_backup_make(db, "b0", &options, NULL, &err), &err);
    kit_need(yore_db_put(db, yore_str(""), yore_str_key("k"), yore_str("v"), NULL, &err), &err);
    options.base = "b0";
    kit_need(yore_backup_make(db, "b1", &options, NULL, &err), &err);
    options.base = "b1";
    kit_need(yore_backup_make(db, "b2", &options, NULL, &err), &err); /* nothing new */
    yore_close(db);
    options.base = NULL;
    kit_need(yore_backup_verify("b2", &options, NULL, &err), &err);
}

static uint64_t names(void)
{
    uint32_t count = 0;
    while (yr_sim_dir_name(sim, "", count)) count++;
    return count;
}

/* Reported by all three calls? */
static bool is_reported(void)
{
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = kit_options(yr_sim_env(sim));
    yore_db *db = NULL;
    if (yore_backup_verify("b2", &options, NULL, &err) >= 0 || !err.message[0]) return false;
    if (yore_backup_restore("b2", "x", &options, NULL, &err) >= 0) return false;
    if (yore_backup_open("b2", &options, &db, &err) >= 0) return false;
    return names() == 4; /* db and the three files */
}

static void test_every_flipped_bit_is_reported(void **state)
{
    (void)state;
    uint64_t bits = 0;
    for (size_t f = 0; f < 3; f++) {
        uint64_t count = (uint64_t)yr_sim_file_size(sim, files[f]) * 8;
        for (uint64_t bit = 0; bit < count; bit++, bits++) {
            assert_true(yr_sim_file_flip(sim, files[f], bit));
            if (!is_reported()) fail_msg("bit %u of %s is silent", (unsigned)bit, files[f]);
            assert_true(yr_sim_file_flip(sim, files[f], bit));
        }
    }
    print_message("%u bits, each reported\n", (unsigned)bits);
}

static void test_every_cut_is_reported(void **state)
{
    (void)state;
    uint8_t bytes[8192];
    for (size_t f = 0; f < 3; f++) {
        size_t size = (size_t)yr_sim_file_size(sim, files[f]);
        assert_true(size <= sizeof bytes);
        assert_true(yr_sim_file_read(sim, files[f], bytes, size, 0));
        for (size_t cut = 0; cut < size; cut++) {
            assert_true(yr_sim_file_truncate(sim, files[f], cut));
            if (!is_reported()) fail_msg("%s cut to %u is silent", files[f], (unsigned)cut);
            assert_true(yr_sim_file_write(sim, files[f], bytes, size, 0));
        }
        assert_true(yr_sim_file_write(sim, files[f], "", 1, size));
        assert_true(is_reported());
        assert_true(yr_sim_file_truncate(sim, files[f], size));
    }
}

/* Chunks that are whole, but not where they belong: the checksums know their place. */
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
            assert_true(is_reported());
            assert_true(yr_sim_file_write(sim, files[f], bytes, size, 0));
        }
        for (size_t off = 32; off + 32 <= size; off += 32) {
            if (memcmp(bytes + off, bytes + off - 32, 32) == 0) continue;
            assert_true(yr_sim_file_write(sim, files[f], bytes + off - 32, 32, off));
            assert_true(is_reported());
            assert_true(yr_sim_file_write(sim, files[f], bytes, size, 0));
        }
    }
}

static void test_swapped_files_are_the_same_chain(void **state)
{
    (void)state;
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = kit_options(yr_sim_env(sim));
    assert_true(yr_sim_file_rename(sim, "b0", "t"));
    assert_true(yr_sim_file_rename(sim, "b1", "b0"));
    assert_true(yr_sim_file_rename(sim, "t", "b1"));
    kit_need(yore_backup_verify("b2", &options, NULL, &err), &err);
    assert_true(yr_sim_file_rename(sim, "b0", "t"));
    assert_true(yr_sim_file_rename(sim, "b1", "b0"));
    assert_true(yr_sim_file_rename(sim, "t", "b1"));
    kit_need(yore_backup_verify("b2", &options, NULL, &err), &err);
}

/* A file's bytes, and what its checksums start from. */
typedef struct opened {
    uint8_t bytes[8192];
    size_t size;
    uint64_t seed;
} opened;

static void read_file(const char *name, opened *o)
{
    yr_file_header header;
    o->size = (size_t)yr_sim_file_size(sim, name);
    assert_true(o->size <= sizeof o->bytes && yr_sim_file_read(sim, name, o->bytes, o->size, 0));
    assert_int_equal(yr_file_header_decode(yore_bytes(o->bytes, o->size), &header), YR_HEADER_OK);
    o->seed = yr_file_seed(&header);
}

static void expect_problem(const char *words)
{
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = kit_options(yr_sim_env(sim));
    assert_int_equal(yore_backup_verify("b2", &options, NULL, &err), YORE_ERR_CORRUPT);
    if (!strstr(err.message, words)) fail_msg("%s", err.message);
    assert_true(is_reported());
}

static void put_sum_right(opened *o)
{
    uint64_t off = o->size - YR_BACKUP_MANIFEST_BYTES;
    uint8_t *manifest = o->bytes + off;
    yr_put_le64(manifest + 184, yr_hash64(manifest, 184, yr_offset_seed(o->seed, off)));
}

/* All sums fit, but the hash of everything is another one. */
static void test_a_file_that_does_not_match_its_hash_is_reported(void **state)
{
    (void)state;
    static opened before, o;
    read_file("b2", &before);
    o = before;
    o.bytes[o.size - YR_BACKUP_MANIFEST_BYTES + YR_BACKUP_MANIFEST_HASH_OFF] ^= 1;
    put_sum_right(&o);
    assert_true(yr_sim_file_write(sim, "b2", o.bytes, o.size, 0));
    expect_problem("does not match its hash");
    assert_true(yr_sim_file_write(sim, "b2", before.bytes, before.size, 0));
}

/* A base that is whole in itself, of the same id, but not the one that was there. */
static void test_a_forged_base_is_reported(void **state)
{
    (void)state;
    static opened before, o;
    read_file("b0", &before);
    o = before;
    uint64_t off = o.size - YR_BACKUP_MANIFEST_BYTES;
    uint8_t *manifest = o.bytes + off;
    manifest[64] ^= 1; /* when it was made */
    yr_hash128_of(o.bytes, (size_t)off + YR_BACKUP_MANIFEST_HASH_OFF, manifest + YR_BACKUP_MANIFEST_HASH_OFF);
    put_sum_right(&o);
    assert_true(yr_sim_file_write(sim, "b0", o.bytes, o.size, 0));
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = kit_options(yr_sim_env(sim));
    kit_need(yore_backup_verify("b0", &options, NULL, &err), &err);
    expect_problem("its base is not the one it was made on");
    assert_true(yr_sim_file_write(sim, "b0", before.bytes, before.size, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_flipped_bit_is_reported),
        cmocka_unit_test(test_every_cut_is_reported),
        cmocka_unit_test(test_bytes_of_another_place_or_file_are_reported),
        cmocka_unit_test(test_swapped_files_are_the_same_chain),
        cmocka_unit_test(test_a_file_that_does_not_match_its_hash_is_reported),
        cmocka_unit_test(test_a_forged_base_is_reported),
    };
    sim = yr_sim_create(11);
    make_chain();
    int failed = cmocka_run_group_tests_name("backup rot", tests, NULL, NULL);
    if (yr_sim_has_leaks(sim)) {
        print_error("something was not given back\n");
        failed++;
    }
    yr_sim_destroy(sim);
    return failed;
}
