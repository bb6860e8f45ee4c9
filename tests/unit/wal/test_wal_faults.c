/* One operation fails, every one in turn: nothing acknowledged is lost, the log goes on or says that it is
 * poisoned, and the next open works. Full disks, failed syncs, and memory that runs out. */
#include <errno.h>
#include <inttypes.h>

#include "tests/unit/wal/wal_kit.h"

typedef struct progress {
    uint64_t acked; /* records behind a sync or seal that returned OK */
    uint64_t tried; /* records that may be there */
    bool failed;    /* some call failed */
} progress;

static bool is_expected_failure(yore_status status)
{
    return status == YORE_ERR_FULL || status == YORE_ERR_IO || status == YORE_ERR_POISONED ||
           status == YORE_ERR_NOMEM;
}

static void check(wal_kit *kit, progress *p, yore_status status)
{
    if (status == YORE_OK) return;
    if (!is_expected_failure(status)) fail_msg("%s: %s", yore_status_name(status), kit->err.message);
    if (status == YORE_ERR_POISONED) assert_true(yr_wal_is_poisoned(kit->wal));
    p->failed = true;
}

/* 40 records over several files, with everything a store does. The kit is open. */
static void work(wal_kit *kit, progress *p)
{
    for (int i = 0; i < 40; i++) {
        p->tried = kit->appended + 1;
        check(kit, p, kit_append(kit));
        if (yr_wal_wants_prepare(kit->wal)) check(kit, p, yr_wal_prepare(kit->wal, NULL, &kit->err));
        yore_status status = YORE_OK;
        if (i % 3 == 1) status = yr_wal_sync(kit->wal, &kit->err);
        if (i % 10 == 9) status = yr_wal_seal(kit->wal, &kit->err);
        check(kit, p, status);
        if (status == YORE_OK && i % 3 == 1) p->acked = kit->appended;
        yr_wal_publish(kit->wal, yr_wal_last_lsn(kit->wal));
    }
    p->tried = kit->appended + 1;
}

static void prepare_disk(yr_sim_image *image)
{
    wal_kit kit;
    kit_init(&kit, 41);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 12);
    kit_close(&kit); /* killed: the next open has a tail to copy */
    yr_sim_image_clone(image, yr_sim_image_of(kit.sim));
    kit_deinit(&kit);
}

/* Returns false when the nth operation was never reached. */
static bool fail_nth(const yr_sim_image *image, yr_sim_fault fault, bool mapped)
{
    wal_kit kit;
    kit_init(&kit, 42);
    kit_restart(&kit, image);
    kit.options.mapped = mapped;
    yr_sim_set_fault(kit.sim, fault);
    progress p = {.acked = 13, .tried = 13};
    yore_status status = kit_open(&kit);
    if (status == YORE_OK) {
        work(&kit, &p);
    } else if (!is_expected_failure(status)) {
        fail_msg("open: %s: %s", yore_status_name(status), kit.err.message);
    }
    bool hit = yr_sim_fault_hits(kit.sim) > 0;
    yr_sim_set_fault(kit.sim, (yr_sim_fault){0});
    /* the fault has passed: a log that is not poisoned goes on */
    if (kit.wal && !yr_wal_is_poisoned(kit.wal)) {
        kit_append_many(&kit, 3);
        assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
        p.acked = kit.appended;
        p.tried = kit.appended;
    }
    kit_close(&kit);
    kit.is_wrong = false;
    assert_ok(&kit, kit_open(&kit));
    assert_false(kit.is_wrong);
    if (kit.replayed < p.acked || kit.replayed > p.tried) {
        fail_msg("fault %" PRIu64 " of kind %u, errno %d: %" PRIu64 " records, %" PRIu64
                 " acknowledged, %" PRIu64 " tried",
                 fault.nth, fault.kinds, fault.os_errno, kit.replayed, p.acked, p.tried);
    }
    kit_append_many(&kit, 2);
    uint64_t all = kit.appended;
    assert_ok(&kit, kit_seal_and_close(&kit));
    assert_ok(&kit, kit_open(&kit));
    assert_int_equal(kit.replayed, all);
    kit_deinit(&kit);
    return hit;
}

static void test_any_operation_may_fail_once_or_for_good(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {YR_SIM_OP_WRITE,  YR_SIM_OP_APPEND, YR_SIM_OP_SYNC, YR_SIM_OP_OPEN,
                                     YR_SIM_OP_RENAME, YR_SIM_OP_UNLINK, YR_SIM_OP_READ, YR_SIM_OP_DIR_SYNC,
                                     YR_SIM_OP_DIR,    YR_SIM_OP_MAP,    YR_SIM_OP_LOCK};
    static const int errnos[] = {EIO, ENOSPC, EDQUOT, EINTR};
    yr_sim_image image;
    prepare_disk(&image);
    uint64_t points = 0;
    for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
        for (size_t e = 0; e < sizeof(errnos) / sizeof(errnos[0]); e++) {
            for (int how = 0; how < 4; how++) {
                bool sticky = how & 1;
                /* an EINTR that never ends is the kernel hanging */
                if (sticky && errnos[e] == EINTR) continue;
                for (uint64_t nth = 1;; nth++) {
                    yr_sim_fault fault = {
                        .kinds = kinds[k], .nth = nth, .os_errno = errnos[e], .sticky = sticky};
                    if (!fail_nth(&image, fault, how < 2)) break;
                    points++;
                }
            }
        }
    }
    for (uint64_t nth = 1;; nth++, points++) { /* half a write, and it says so */
        yr_sim_fault fault = {.kinds = YR_SIM_OP_WRITE, .nth = nth, .is_short = true};
        if (!fail_nth(&image, fault, nth % 2)) break;
    }
    print_message("%" PRIu64 " faults\n", points);
    assert_true(points > 1000);
    yr_sim_image_deinit(&image);
}

static void test_creation_may_fail_anywhere_and_be_tried_again(void **state)
{
    (void)state;
    static const int errnos[] = {EIO, ENOSPC};
    for (int e = 0; e < 2; e++) {
        for (uint64_t nth = 1;; nth++) {
            wal_kit kit;
            kit_init(&kit, 43);
            yr_sim_set_fault(kit.sim,
                             (yr_sim_fault){.kinds = YR_SIM_OP_ANY, .nth = nth, .os_errno = errnos[e]});
            yore_status status = kit_create(&kit);
            bool hit = yr_sim_fault_hits(kit.sim) > 0;
            yr_sim_set_fault(kit.sim, (yr_sim_fault){0});
            if (status < 0) {
                assert_true(is_expected_failure(status));
                enum yr_store_kind kind;
                assert_ok(&kit, yr_store_probe(kit.env, kit.dir, KIT_PATH, &kind, &kit.err));
                assert_true(kind == YR_STORE_EMPTY || kind == YR_STORE_PRESENT);
                if (kind == YR_STORE_EMPTY) assert_ok(&kit, kit_create(&kit));
            }
            assert_ok(&kit, kit_open(&kit));
            assert_int_equal(kit.replayed, 1);
            assert_false(kit.is_wrong);
            kit_deinit(&kit);
            if (!hit) break;
        }
    }
}

static void test_a_failed_sync_poisons_and_is_not_tried_again(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 44);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 2);
    yr_sim_set_fault(kit.sim, (yr_sim_fault){.kinds = YR_SIM_OP_SYNC, .nth = 1, .os_errno = EIO});
    assert_status(&kit, YORE_ERR_IO, yr_wal_sync(kit.wal, &kit.err));
    assert_says(&kit, "cannot sync 'db/wal-00000001.log'");
    assert_int_equal(kit.err.os_errno, EIO);
    assert_int_equal(yr_wal_durable_lsn(kit.wal), 1);
    uint64_t syncs = yr_sim_op_count(kit.sim, YR_SIM_OP_SYNC);
    assert_status(&kit, YORE_ERR_POISONED, yr_wal_sync(kit.wal, &kit.err));
    assert_status(&kit, YORE_ERR_POISONED, yr_wal_seal(kit.wal, &kit.err));
    assert_status(&kit, YORE_ERR_POISONED, yr_wal_reserve(kit.wal, 10, true, &kit.err));
    assert_status(&kit, YORE_ERR_POISONED, yr_wal_append(kit.wal, (yore_slice){"x", 1}, NULL, &kit.err));
    assert_false(yr_wal_wants_prepare(kit.wal));
    assert_ok(&kit, yr_wal_prepare(kit.wal, NULL, &kit.err));
    assert_int_equal(yr_sim_op_count(kit.sim, YR_SIM_OP_SYNC), syncs);
    kit_close(&kit);
    assert_ok(&kit, kit_open(&kit)); /* the records the cache still has are written anew, elsewhere */
    assert_int_equal(kit.replayed, 3);
    assert_int_equal(kit.report.durable_lsn, 3);
    assert_int_equal(yr_sim_file_size(kit.sim, "db/wal-00000001.log"), -1);
    assert_true(yr_sim_file_size(kit.sim, "db/wal-00000002.log") > 0);
    kit_deinit(&kit);
}

static void test_a_failed_append_poisons(void **state)
{
    (void)state;
    for (int mapped = 0; mapped < 2; mapped++) {
        wal_kit kit;
        kit_init(&kit, 45);
        kit.options.mapped = mapped == 1;
        assert_ok(&kit, kit_create(&kit));
        assert_ok(&kit, kit_open(&kit));
        kit_append_many(&kit, 2);
        uint32_t kinds = mapped ? YR_SIM_OP_APPEND : YR_SIM_OP_WRITE;
        yr_sim_set_fault(kit.sim, (yr_sim_fault){.kinds = kinds, .nth = 1, .os_errno = ENOSPC});
        assert_status(&kit, YORE_ERR_IO, kit_append(&kit));
        assert_status(&kit, YORE_ERR_POISONED, kit_append(&kit));
        kit_close(&kit);
        assert_ok(&kit, kit_open(&kit));
        assert_int_equal(kit.replayed, 3);
        kit_deinit(&kit);
    }
}

static void test_a_full_disk_keeps_room_for_deletes_and_goes_on_when_there_is_space(void **state)
{
    (void)state;
    for (int mapped = 0; mapped < 2; mapped++) {
        wal_kit kit;
        kit_init(&kit, 46);
        kit.options.mapped = mapped == 1;
        assert_ok(&kit, kit_create(&kit));
        assert_ok(&kit, kit_open(&kit));
        yr_sim_set_capacity(kit.sim, yr_sim_used_bytes(kit.sim), ENOSPC);
        yore_status status = YORE_OK;
        while (status == YORE_OK) status = kit_append(&kit);
        assert_int_equal(status, YORE_ERR_FULL);
        assert_false(yr_wal_is_poisoned(kit.wal));
        assert_ok(&kit, yr_wal_reserve(kit.wal, 60, true, &kit.err)); /* a delete's size */
        uint64_t files;
        uint64_t bytes;
        uint64_t syncs;
        yr_wal_stats(kit.wal, &files, &bytes, &syncs);
        assert_int_equal(files, 1);
        assert_status(&kit, YORE_ERR_FULL, kit_append(&kit));
        assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
        yr_sim_set_capacity(kit.sim, UINT64_MAX, 0);
        kit_append_many(&kit, 30);
        yr_sim_set_capacity(kit.sim, yr_sim_used_bytes(kit.sim), EDQUOT);
        while (kit_append(&kit) == YORE_OK) {}
        assert_ok(&kit, kit_seal_and_close(&kit)); /* always room for the seal */
        assert_ok(&kit, kit_open(&kit));           /* and for opening what was closed well */
        assert_int_equal(kit.replayed, kit.appended);
        assert_true(kit.report.sealed);
        kit_deinit(&kit);
    }
}

static void test_a_torn_log_opens_on_a_full_disk(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 47);
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    kit_append_many(&kit, 6);
    kit_close(&kit);
    uint64_t used = kit_used_bytes(&kit, "db/wal-00000001.log");
    yr_sim_file_zero(kit.sim, "db/wal-00000001.log", (used - 20) & ~UINT64_C(7), 8);
    yr_sim_set_capacity(kit.sim, yr_sim_used_bytes(kit.sim), ENOSPC);
    assert_ok(&kit, kit_open(&kit));
    assert_false(kit.is_wrong);
    assert_int_equal(kit.replayed, 6);
    assert_int_equal(kit.report.durable_lsn, 6);
    kit_append_many(&kit, 1);
    kit_close(&kit);
    assert_ok(&kit, kit_open(&kit));
    assert_int_equal(kit.replayed, 7);
    kit_deinit(&kit);
}

static void test_an_unsynced_log_of_several_files_opens_on_a_full_disk(void **state)
{
    (void)state;
    for (int torn = 0; torn < 2; torn++) {
        wal_kit kit;
        kit_init(&kit, 50);
        assert_ok(&kit, kit_create(&kit));
        assert_ok(&kit, kit_open(&kit));
        kit_append_many(&kit, 3);
        assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
        kit_append_many(&kit, 60);
        kit_close(&kit);
        char last[32] = "db/wal-00000001.log";
        char next[32] = "db/wal-00000002.log";
        for (uint32_t id = 2; yr_sim_file_size(kit.sim, next) > 0; id++) {
            memcpy(last, next, sizeof last);
            (void)snprintf(next, sizeof next, "db/wal-%08u.log", id + 1);
        }
        assert_string_not_equal(last, "db/wal-00000001.log");
        uint64_t used = kit_used_bytes(&kit, last);
        if (torn) yr_sim_file_zero(kit.sim, last, (used - 20) & ~UINT64_C(7), 8);
        uint64_t records = torn ? 63 : 64;
        yr_sim_set_capacity(kit.sim, yr_sim_used_bytes(kit.sim), ENOSPC);
        assert_ok(&kit, kit_open(&kit));
        assert_false(kit.is_wrong);
        assert_int_equal(kit.replayed, records);
        assert_int_equal(kit.report.durable_lsn, records); /* written again, and synced */
        kit_close(&kit);
        yr_sim_set_capacity(kit.sim, UINT64_MAX, ENOSPC);
        assert_ok(&kit, kit_open(&kit));
        kit_append_many(&kit, 20);
        kit_close(&kit);
        assert_ok(&kit, kit_open(&kit));
        assert_int_equal(kit.replayed, records + 20);
        kit_deinit(&kit);
    }
}

static void append_until_full(wal_kit *kit, size_t size, int count)
{
    static const uint8_t zeros[60000];
    yore_status status = YORE_OK;
    for (int i = 0; i < count && status == YORE_OK; i++) {
        status = yr_wal_reserve(kit->wal, size, false, &kit->err);
        if (status < 0) break;
        assert_ok(kit, yr_wal_append(kit->wal, (yore_slice){zeros, size}, NULL, &kit->err));
    }
    assert_true(status == YORE_OK || status == YORE_ERR_FULL);
}

static void test_a_file_made_small_enough_for_a_nearly_full_disk_can_be_read_again(void **state)
{
    (void)state;
    wal_kit kit;
    kit_init(&kit, 51);
    kit.options.bytes_max = 4096 * 1025; /* halved ten times it is no multiple of 8 */
    assert_ok(&kit, kit_create(&kit));
    assert_ok(&kit, kit_open(&kit));
    append_until_full(&kit, 60000, 120);
    yr_sim_set_capacity(kit.sim, yr_sim_used_bytes(kit.sim) + 3 * 4096, ENOSPC);
    append_until_full(&kit, 20, 20000);
    append_until_full(&kit, 20, 20000);
    assert_ok(&kit, yr_wal_sync(kit.wal, &kit.err));
    uint64_t last = yr_wal_last_lsn(kit.wal);
    kit_close(&kit);
    assert_ok(&kit, kit_open(&kit));
    assert_int_equal(kit.report.last_lsn, last);
    kit_deinit(&kit);
}

static void test_memory_may_run_out_anywhere(void **state)
{
    (void)state;
    yr_sim_image image;
    prepare_disk(&image);
    for (int sticky = 0; sticky < 2; sticky++) {
        for (uint64_t nth = 1;; nth++) {
            wal_kit kit;
            kit_init(&kit, 48);
            kit_restart(&kit, &image);
            yr_sim_fail_alloc(kit.sim, nth, sticky == 1);
            progress p = {.acked = 13};
            yore_status status = kit_open(&kit);
            if (status == YORE_OK) {
                work(&kit, &p);
            } else {
                assert_int_equal(status, YORE_ERR_NOMEM);
            }
            bool hit = yr_sim_alloc_fault_hits(kit.sim) > 0;
            yr_sim_fail_alloc(kit.sim, 0, false);
            kit_close(&kit);
            assert_ok(&kit, kit_open(&kit));
            assert_true(kit.replayed >= p.acked);
            assert_false(kit.is_wrong);
            kit_deinit(&kit);
            if (!hit) break;
        }
    }
    yr_sim_image_deinit(&image);
}

static void test_a_read_only_disk_can_be_read(void **state)
{
    (void)state;
    yr_sim_image image;
    prepare_disk(&image);
    wal_kit kit;
    kit_init(&kit, 49);
    kit_restart(&kit, &image);
    yr_sim_set_read_only(kit.sim, true);
    assert_ok(&kit, kit_open_reader(&kit));
    assert_int_equal(kit.replayed, 13);
    kit_append(&kit); /* refused below */
    assert_status(&kit, YORE_ERR_READONLY, yr_wal_append(kit.wal, (yore_slice){"x", 1}, NULL, &kit.err));
    assert_status(&kit, YORE_ERR_READONLY, yr_wal_sync(kit.wal, &kit.err));
    kit_close(&kit);
    assert_status(&kit, YORE_ERR_READONLY, kit_open(&kit));
    kit_deinit(&kit);
    yr_sim_image_deinit(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_operation_may_fail_once_or_for_good),
        cmocka_unit_test(test_creation_may_fail_anywhere_and_be_tried_again),
        cmocka_unit_test(test_a_failed_sync_poisons_and_is_not_tried_again),
        cmocka_unit_test(test_a_failed_append_poisons),
        cmocka_unit_test(test_a_full_disk_keeps_room_for_deletes_and_goes_on_when_there_is_space),
        cmocka_unit_test(test_a_torn_log_opens_on_a_full_disk),
        cmocka_unit_test(test_a_file_made_small_enough_for_a_nearly_full_disk_can_be_read_again),
        cmocka_unit_test(test_an_unsynced_log_of_several_files_opens_on_a_full_disk),
        cmocka_unit_test(test_memory_may_run_out_anywhere),
        cmocka_unit_test(test_a_read_only_disk_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
