/* The log without faults: what goes in comes out, over reopens, file switches and every way of appending. */
#include <errno.h>

#include "tests/unit/wal/wal_kit.h"

static void reopen_and_expect(wal_kit *kit, uint64_t records)
{
    kit_close(kit);
    assert_ok(kit, kit_open(kit));
    assert_false(kit->is_wrong);
    assert_int_equal(kit->replayed, records);
}

static void test_a_new_log_holds_its_first_record(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 1);
    enum yr_store_kind kind;
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    assert_int_equal(kind, YR_STORE_EMPTY);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    assert_int_equal(kind, YR_STORE_PRESENT);
    assert_status(&kit, YORE_ERR_EXISTS, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    assert_int_equal(kit.replayed, 1);
    assert_int_equal(kit.report.last_lsn, 1);
    assert_int_equal(kit.report.durable_lsn, 1);
    assert_int_equal(kit.report.format_major, 1);
    assert_false(kit.report.sealed);
    kit_deinit(&kit);
}

static void append_over_reopens(bool mapped, bool sealed)
{
    wal_kit kit;
    kit_init(&kit, 2);
    kit.options.mapped = mapped;
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    for (uint64_t round = 0; round < 12; round++) {
        kit_append_many(&kit, 17 * round);
        if (round % 3 == 1) assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
        if (round % 4 == 2) assert_ok(&kit, yr_wal_prepare(kit.wal, NULL, &kit.err));
        if (sealed) assert_ok(&kit, yr_wal_seal(kit.wal, &kit.err));
        uint64_t records;
        uint64_t bytes;
        assert_ok(&kit, yr_wal_verify(kit.wal, &records, &bytes, &kit.err));
        assert_int_equal(records, yr_wal_last_lsn(kit.wal));
        reopen_and_expect(&kit, kit.appended);
        assert_int_equal(kit.report.sealed, sealed);
        assert_int_equal(kit.report.cut_bytes, 0);
        assert_int_equal(kit.report.bytes, bytes);
    }
    kit_deinit(&kit);
}

static void test_records_survive_reopens_sealed_and_mapped(void **state)
{
    (void)state;
    append_over_reopens(true, true);
}

static void test_records_survive_reopens_unsealed_and_mapped(void **state)
{
    (void)state;
    append_over_reopens(true, false);
}

static void test_records_survive_reopens_sealed_and_written(void **state)
{
    (void)state;
    append_over_reopens(false, true);
}

static void test_records_survive_reopens_unsealed_and_written(void **state)
{
    (void)state;
    append_over_reopens(false, false);
}

static void test_a_sealed_log_is_opened_without_a_write_to_its_files(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 3);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 30);
    assert_ok(&kit, kit_seal_and_close(&kit));
    assert_ok(&kit, kit_open(&kit)); /* LOCK is whole now */
    kit_close(&kit);
    uint64_t before =
        yr_sim_op_count(kit.sim, YR_SIM_OP_SYNC | YR_SIM_OP_DIR_SYNC | YR_SIM_OP_RENAME | YR_SIM_OP_UNLINK);
    assert_ok(&kit, kit_open(&kit));
    assert_ok(&kit, kit_seal_and_close(&kit));
    assert_int_equal(
        yr_sim_op_count(kit.sim, YR_SIM_OP_SYNC | YR_SIM_OP_DIR_SYNC | YR_SIM_OP_RENAME | YR_SIM_OP_UNLINK),
        before);
    kit_deinit(&kit);
}

static void test_a_store_that_is_killed_often_does_not_gather_files(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 4);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    for (int i = 0; i < 100; i++) {
        kit_append_many(&kit, 1);
        reopen_and_expect(&kit, kit.appended);
        assert_true(kit.report.files <= 2 + kit.report.bytes / 4096);
    }
    assert_null(
        yr_sim_dir_name(kit.sim, KIT_PATH, 3 + (uint32_t)kit.report.files)); /* LOCK, MANIFEST, logs */
    kit_deinit(&kit);
}

static void test_a_huge_record_gets_a_file_of_its_size(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 5);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    size_t size = 300000;
    uint8_t *huge = malloc(size);
    assert_non_null(huge);
    memset(huge, 0xA5, size);
    assert_ok(&kit, yr_wal_prepare(kit.wal, NULL, &kit.err));
    for (int i = 0; i < 3; i++) {
        uint64_t lsn;
        assert_ok(&kit, yr_wal_reserve(kit.wal, size, false, &kit.err));
        assert_ok(&kit, yr_wal_append(kit.wal, (yore_slice){huge, size}, &lsn, &kit.err));
        assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
    }
    uint64_t records;
    uint64_t bytes;
    assert_ok(&kit, yr_wal_verify(kit.wal, &records, &bytes, &kit.err));
    assert_int_equal(records, 4);
    kit_close(&kit);
    assert_ok(&kit, kit_open(&kit)); /* the payloads are not the kit's, their number is */
    assert_int_equal(kit.replayed, 4);
    assert_status(&kit, YORE_ERR_LIMIT, yr_wal_reserve(kit.wal, (UINT64_C(1) << 32) + 1, true, &kit.err));
    free(huge);
    kit_deinit(&kit);
}

static void test_empty_and_tiny_payloads_keep_their_size(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 6);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    for (size_t size = 0; size < 40; size++) {
        uint64_t lsn;
        assert_ok(&kit, yr_wal_reserve(kit.wal, size, false, &kit.err));
        assert_ok(&kit, yr_wal_append(kit.wal, (yore_slice){"0123456789012345678901234567890123456789", size},
                                      &lsn, &kit.err));
        assert_int_equal(lsn, size + 2);
    }
    kit_close(&kit);
    assert_ok(&kit, kit_open(&kit));
    assert_int_equal(kit.replayed, 41);
    kit_deinit(&kit);
}

static void test_a_sync_covers_what_was_appended_before_it(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 7);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 60); /* over several files */
    assert_int_equal(yr_wal_durable_lsn(kit.wal), 1);
    assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
    assert_int_equal(yr_wal_durable_lsn(kit.wal), 61);
    uint64_t files;
    uint64_t bytes;
    uint64_t syncs;
    yr_wal_stats(kit.wal, &files, &bytes, &syncs);
    assert_true(files > 1);
    assert_true(syncs >= files);
    assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
    uint64_t again;
    yr_wal_stats(kit.wal, &files, &bytes, &again);
    assert_int_equal(again, syncs); /* nothing new, no sync */
    kit_deinit(&kit);
}

static void test_the_next_file_is_made_ahead_when_half_is_used(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 8);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    assert_false(yr_wal_wants_prepare(kit.wal));
    while (!yr_wal_wants_prepare(kit.wal)) kit_append_many(&kit, 1);
    assert_true(kit.appended > 3);
    assert_ok(&kit, yr_wal_prepare(kit.wal, NULL, &kit.err));
    assert_false(yr_wal_wants_prepare(kit.wal));
    uint64_t files;
    uint64_t bytes;
    uint64_t syncs;
    yr_wal_stats(kit.wal, &files, &bytes, &syncs);
    assert_int_equal(files, 2);
    uint64_t before = yr_sim_op_count(kit.sim, YR_SIM_OP_ANY & ~(YR_SIM_OP_APPEND | YR_SIM_OP_LOCK));
    kit_append_many(&kit, 20); /* the switch itself asks nothing of the disk */
    assert_int_equal(yr_sim_op_count(kit.sim, YR_SIM_OP_ANY & ~(YR_SIM_OP_APPEND | YR_SIM_OP_LOCK)), before);
    reopen_and_expect(&kit, kit.appended);
    kit_deinit(&kit);
}

static void test_a_file_prepared_before_a_clean_close_is_used_after_it(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 9);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    while (!yr_wal_wants_prepare(kit.wal)) kit_append_many(&kit, 1);
    assert_ok(&kit, yr_wal_prepare(kit.wal, NULL, &kit.err));
    assert_ok(&kit, kit_seal_and_close(&kit));
    assert_ok(&kit, kit_open(&kit));
    assert_int_equal(kit.report.files, 2);
    kit_append_many(&kit, 20);
    uint64_t files;
    uint64_t bytes;
    uint64_t syncs;
    yr_wal_stats(kit.wal, &files, &bytes, &syncs);
    assert_int_equal(files, 2);
    reopen_and_expect(&kit, kit.appended);
    kit_deinit(&kit);
}

static void test_the_way_of_appending_can_be_chosen_after_the_open(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 12);
    kit.options.mapped = false;
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    for (int i = 0; i < 6; i++) {
        yr_wal_set_mapped(kit.wal, i % 2 == 1);
        kit_append_many(&kit, 1); /* the first one writes MANIFEST too */
        uint64_t stores = yr_sim_op_count(kit.sim, YR_SIM_OP_APPEND);
        uint64_t writes = yr_sim_op_count(kit.sim, YR_SIM_OP_WRITE);
        kit_append_many(&kit, 1);
        assert_int_equal(yr_sim_op_count(kit.sim, YR_SIM_OP_APPEND) - stores, i % 2);
        assert_int_equal(yr_sim_op_count(kit.sim, YR_SIM_OP_WRITE) - writes, 1 - i % 2);
    }
    reopen_and_expect(&kit, 13);
    kit_deinit(&kit);
}

static yore_status refuse(void *arg, uint64_t lsn, yore_slice payload, yore_error *err)
{
    (void)arg;
    (void)payload;
    (void)err;
    return lsn == 3 ? YORE_ERR_INPUT : YORE_OK;
}

static void test_a_failing_callback_stops_the_open(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 10);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 3);
    kit_close(&kit);
    for (int reader = 0; reader < 2; reader++) {
        kit.options.read_only = reader == 1;
        yr_wal *wal = NULL;
        assert_int_equal(yr_wal_open(&kit.options, NULL, refuse, NULL, &wal, NULL, &kit.err), YORE_ERR_INPUT);
        assert_null(wal);
    }
    kit_deinit(&kit);
}

static void test_probe_tells_other_peoples_files_and_damage(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 11);
    enum yr_store_kind kind;
    yr_sim_file_create(kit.sim, "db/notes.txt");
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    assert_int_equal(kind, YR_STORE_FOREIGN);
    assert_status(&kit, YORE_ERR_NOT_STORE, kit_create(&kit));
    yr_sim_file_remove(kit.sim, "db/notes.txt");
    yr_sim_file_create(kit.sim, "db/MANIFEST");
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    assert_int_equal(kind, YR_STORE_FOREIGN);
    yr_sim_file_remove(kit.sim, "db/MANIFEST");
    yr_sim_file_create(kit.sim, "db/MANIFEST.tmp");
    yr_sim_file_create(kit.sim, "db/wal-00000001.tmp");
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    assert_int_equal(kind, YR_STORE_EMPTY);
    assert_ok(&kit, kit_create(&kit));
    yr_sim_file_rename(kit.sim, "db/MANIFEST", "db/elsewhere");
    yr_sim_file_remove(kit.sim, "db/elsewhere");
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    assert_int_equal(kind, YR_STORE_DAMAGED); /* its copy says that there was one */
    yr_sim_file_remove(kit.sim, "db/MANIFEST.bak");
    yr_sim_file_create(kit.sim, "db/MANIFEST.bak.tmp");
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    assert_int_equal(kind, YR_STORE_EMPTY); /* what a cut before MANIFEST leaves */
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 1);
    kit_close(&kit);
    yr_sim_file_remove(kit.sim, "db/MANIFEST");
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    assert_int_equal(kind, YR_STORE_DAMAGED); /* a second record: it has been a store */
    kit_deinit(&kit);
}

/* The first append of a handle also writes the last seal once more: into the file it is in, though the append itself
 * may need the next one. */
static void test_a_first_append_into_the_next_file_leaves_no_seal_there(void **state)
{
    (void)state;
    for (uint64_t fill = 4; fill < 16; fill++) {
        wal_kit kit;
        kit_init(&kit, 13);
        kit.options.bytes_max = 4096;
        assert_ok(&kit, kit_create(&kit));
        assert_ok(&kit, kit_open(&kit));
        kit_append_many(&kit, fill);
        assert_ok(&kit, kit_seal_and_close(&kit));
        assert_ok(&kit, kit_open(&kit));
        uint8_t byte[3000] = {1};
        uint64_t lsn;
        assert_ok(&kit, yr_wal_reserve(kit.wal, sizeof byte, false, &kit.err));
        assert_ok(&kit, yr_wal_append(kit.wal, (yore_slice){byte, 1}, &lsn, &kit.err));
        assert_int_equal(kit_used_bytes(&kit, "db/wal-00000002.log"), 128 + 56 + 1);
        for (int i = 0; i < 40; i++) {
            assert_ok(&kit, yr_wal_reserve(kit.wal, 1, false, &kit.err));
            assert_ok(&kit, yr_wal_append(kit.wal, (yore_slice){byte, 1}, &lsn, &kit.err));
            assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
        }
        kit_close(&kit);
        assert_ok(&kit, kit_open(&kit)); /* the payloads are not the kit's, their number is */
        assert_int_equal(kit.replayed, fill + 42);
        kit_deinit(&kit);
    }
}

static void test_a_manifest_once_proven_durable_is_not_written_again(void **state)
{
    (void)state;
    const uint32_t kinds = YR_SIM_OP_SYNC | YR_SIM_OP_DIR_SYNC | YR_SIM_OP_RENAME;
    for (int killed = 0; killed < 2; killed++) {
        wal_kit kit;
        kit_init(&kit, 17);
        assert_ok(&kit, kit_create(&kit));
        for (int session = 0; session < 4; session++) {
            assert_ok(&kit, kit_open(&kit));
            uint64_t before = yr_sim_op_count(kit.sim, kinds);
            kit_append_many(&kit, 1);
            if (session > 0) assert_int_equal(yr_sim_op_count(kit.sim, kinds), before);
            if (!killed) assert_ok(&kit, yr_wal_seal(kit.wal, &kit.err));
            kit_close(&kit);
        }
        kit_deinit(&kit);
    }
}

static void test_files_of_any_asked_size_can_be_read_again(void **state)
{
    (void)state;
    static const uint64_t sizes[][2] = {{4096, 10001}, {5001, 1}, {1, 4097}, {8192, 12345}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        wal_kit kit;
        kit_init(&kit, 14);
        kit.options.bytes_min = sizes[i][0];
        kit.options.bytes_max = sizes[i][1];
        assert_ok(&kit, kit_create(&kit));
        assert_ok(&kit, kit_open(&kit));
        kit_append_many(&kit, 200);
        assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
        reopen_and_expect(&kit, 201);
        kit_deinit(&kit);
    }
}

static void test_a_file_larger_than_any_disk_is_refused_and_leaves_nothing(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 15);
    yr_sim_set_capacity(kit.sim, 1 << 20, ENOSPC);
    kit.options.bytes_min = kit.options.bytes_max = UINT64_MAX;
    assert_status(&kit, YORE_ERR_FULL, kit_create(&kit));
    enum yr_store_kind kind;
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    assert_int_equal(kind, YR_STORE_EMPTY);
    kit_deinit(&kit);
}

/* Whoever creates the store puts MANIFEST in its place just after the probe has listed the names. */
static void put_manifest_back(void *arg, yr_sim *sim, uint32_t kind, const char *point)
{
    (void)point;
    bool *is_done = arg;
    if (kind != YR_SIM_OP_OPEN || *is_done) return;
    *is_done = true;
    assert_true(yr_sim_file_rename(sim, "elsewhere/MANIFEST", "db/MANIFEST"));
}

static void test_a_store_created_while_it_is_probed_is_not_damage(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 16);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 2);
    kit_close(&kit);
    assert_true(yr_sim_file_create(kit.sim, "elsewhere/MANIFEST")); /* makes the directory */
    assert_true(yr_sim_file_remove(kit.sim, "elsewhere/MANIFEST"));
    assert_true(yr_sim_file_rename(kit.sim, "db/MANIFEST", "elsewhere/MANIFEST"));
    bool is_done = false;
    yr_sim_set_hook(kit.sim, put_manifest_back, &is_done);
    enum yr_store_kind kind;
    assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
    yr_sim_set_hook(kit.sim, NULL, NULL);
    assert_true(is_done);
    assert_int_equal(kind, YR_STORE_PRESENT);
    kit_deinit(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_log_holds_its_first_record),
        cmocka_unit_test(test_records_survive_reopens_sealed_and_mapped),
        cmocka_unit_test(test_records_survive_reopens_unsealed_and_mapped),
        cmocka_unit_test(test_records_survive_reopens_sealed_and_written),
        cmocka_unit_test(test_records_survive_reopens_unsealed_and_written),
        cmocka_unit_test(test_a_sealed_log_is_opened_without_a_write_to_its_files),
        cmocka_unit_test(test_a_store_that_is_killed_often_does_not_gather_files),
        cmocka_unit_test(test_a_huge_record_gets_a_file_of_its_size),
        cmocka_unit_test(test_empty_and_tiny_payloads_keep_their_size),
        cmocka_unit_test(test_a_sync_covers_what_was_appended_before_it),
        cmocka_unit_test(test_the_next_file_is_made_ahead_when_half_is_used),
        cmocka_unit_test(test_a_file_prepared_before_a_clean_close_is_used_after_it),
        cmocka_unit_test(test_the_way_of_appending_can_be_chosen_after_the_open),
        cmocka_unit_test(test_a_failing_callback_stops_the_open),
        cmocka_unit_test(test_probe_tells_other_peoples_files_and_damage),
        cmocka_unit_test(test_a_first_append_into_the_next_file_leaves_no_seal_there),
        cmocka_unit_test(test_a_manifest_once_proven_durable_is_not_written_again),
        cmocka_unit_test(test_files_of_any_asked_size_can_be_read_again),
        cmocka_unit_test(test_a_file_larger_than_any_disk_is_refused_and_leaves_nothing),
        cmocka_unit_test(test_a_store_created_while_it_is_probed_is_not_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
