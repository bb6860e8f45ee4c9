/* A disk or a quota that fills up at every possible place, memory that does, and a file system that turns
 * read-only. FULL and NOMEM change nothing, what was acknowledged stays readable, deletes go on from the
 * log's reserve, and with room again writing resumes without reopening. */
#include "tests/fault/fault_kit.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum {
    FLUSH_EVERY = 12,
    VALUE_BYTES = 3000,
    PUTS_MAX = 250,
    WAL_BYTES = 65536 /* keeps 4 KiB for deletes */
};

static yr_sim_image closed_image, killed_image;
static uint32_t maintain; /* flush after so many commits and merge then; 0 = never */

/* A run whose failures are those of a full disk. */
static void begin_run(fault_run *run, const yr_sim_image *base, const char *name, int os_errno, uint32_t sync)
{
    *run = (fault_run){.scenario = name,
                       .plan = {.io = {.kinds = YR_SIM_OP_WRITE, .os_errno = os_errno}},
                       .sync = sync,
                       .wal_bytes = WAL_BYTES,
                       .maintain = maintain,
                       .has_store = base != NULL,
                       .acked = base ? FAULT_BASE_VERSION : 0};
    run->sim = yr_sim_create(21);
    yr_sim_reset(run->sim, base);
}

static void end_run(fault_run *run)
{
    fault_close(run);
    if (yr_sim_has_leaks(run->sim)) fault_wrong(run, "something is left behind");
    yr_sim_destroy(run->sim);
}

/* Put until the disk is full; returns how many went. */
static uint32_t put_until_full(fault_run *run)
{
    static char value[VALUE_BYTES + 1];
    memset(value, 'x', VALUE_BYTES);
    for (uint32_t i = 0; i < PUTS_MAX; i++) {
        char key[24];
        snprintf(key, sizeof key, "fill/%03u", i);
        if (!fault_put(run, "", key, value)) return i;
    }
    return PUTS_MAX;
}

static void check_all(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    fault_check_notes(run, run->db, run->acked);
    if (yore_check(run->db, YORE_CHECK_DEEP, NULL, &err) != YORE_OK) fault_wrong(run, err.message);
}

static bool delete_exp(fault_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    return fault_committed(run, "branch delete",
                           yore_branch_delete(run->db, yore_str("exp"), false, &where, NULL, &err), &where,
                           &err);
}

/* The disk has room for `spare` more bytes than the base store uses. */
static bool fill_up(uint64_t spare, int os_errno, bool from_kill, uint32_t sync)
{
    static fault_run run;
    begin_run(&run, from_kill ? &killed_image : &closed_image, "a full disk", os_errno, sync);
    yr_sim_set_capacity(run.sim, yr_sim_used_bytes(run.sim) + spare, os_errno);
    run.is_failing = true;
    if (!fault_open(&run)) { /* with no room at all for the tail of a killed writer */
        yr_sim_set_capacity(run.sim, UINT64_MAX, ENOSPC);
        run.is_failing = false;
        fault_open(&run);
        check_all(&run);
        end_run(&run);
        return true;
    }
    uint32_t done = put_until_full(&run);
    bool is_full = done < PUTS_MAX;
    if (is_full) {
        if (run.is_poisoned) fault_wrong(&run, "a full disk poisoned the store");
        check_all(&run);
        /* deletes, branch deletes: from the reserve, with not one byte free */
        run.is_failing = false;
        for (int i = 0; i < 3; i++) {
            char key[24];
            snprintf(key, sizeof key, "base/%02d", i);
            fault_del(&run, "", key);
        }
        delete_exp(&run);
        run.is_failing = true;
        static char value[4000];
        memset(value, 'y', sizeof value - 1);
        /* (a flush or a merge in one of the deletes may have made room) */
        if (fault_put(&run, "", "still full", value) && !maintain)
            fault_wrong(&run, "a put found room on a full disk");
        /* closing and opening a full store works, to read and to write */
        fault_close(&run);
        run.is_failing = false;
        fault_open(&run);
        check_all(&run);
        fault_del(&run, "", "base/04");
    }
    yr_sim_set_capacity(run.sim, UINT64_MAX, ENOSPC);
    run.is_failing = false;
    if (put_until_full(&run) < PUTS_MAX) fault_wrong(&run, "room again, but writing did not resume");
    check_all(&run);
    fault_close(&run);
    fault_open(&run);
    check_all(&run);
    end_run(&run);
    return is_full;
}

static void test_a_disk_full_at_any_byte_changes_nothing_and_writing_resumes(void **state)
{
    (void)state;
    static const int errnos[] = {ENOSPC, EDQUOT};
    uint32_t full = 0;
    uint32_t part =
        maintain ? 4 : 1; /* of these disks: they take long where everything is merged again and again */
    for (int e = 0; e < 2; e++) {
        uint64_t first = maintain && e ? 256 : 0; /* other places */
        for (uint64_t spare = first; spare < 640 << 10; spare += part * (spare < 8192 ? 512 : 16384)) {
            for (int how = 0; how < 4; how++) {
                full += fill_up(spare, errnos[e], how & 1, how & 2 ? YORE_SYNC_OS : YORE_SYNC_COMMIT);
            }
        }
    }
    print_message("%u full disks\n", full);
    assert_true(full > (maintain ? 40 : 100));
}

/* As above without closing between: the same handle goes on. */
static void test_writing_resumes_in_the_same_handle(void **state)
{
    (void)state;
    static fault_run run;
    begin_run(&run, &closed_image, "room again", EDQUOT, YORE_SYNC_COMMIT);
    fault_open(&run);
    for (int round = 0; round < 5; round++) {
        yr_sim_set_capacity(run.sim, yr_sim_used_bytes(run.sim), EDQUOT);
        run.is_failing = true;
        assert_true(put_until_full(&run) < PUTS_MAX);
        run.is_failing = false;
        yr_sim_set_capacity(run.sim, UINT64_MAX, ENOSPC);
        assert_true(fault_put(&run, "", "room", "again"));
    }
    check_all(&run);
    end_run(&run);
}

static void test_a_store_cannot_be_created_without_room_and_can_later(void **state)
{
    (void)state;
    static fault_run run;
    uint32_t refused = 0;
    for (uint64_t capacity = 0; capacity < 160 << 10; capacity += 1024) {
        begin_run(&run, NULL, "creation on a full disk", ENOSPC, YORE_SYNC_COMMIT);
        yr_sim_set_capacity(run.sim, capacity, ENOSPC);
        run.is_failing = true;
        refused += !fault_open(&run);
        fault_close(&run);
        yr_sim_set_capacity(run.sim, UINT64_MAX, ENOSPC);
        run.is_failing = false;
        fault_open(&run);
        fault_put(&run, "", "a", "1");
        check_all(&run);
        end_run(&run);
    }
    assert_true(refused > 3);
}

static void test_a_read_only_file_system_can_be_read_and_refuses_writers(void **state)
{
    (void)state;
    const yr_sim_image *bases[] = {&closed_image, &killed_image};
    for (int i = 0; i < 2; i++) {
        static fault_run run;
        begin_run(&run, bases[i], "a read-only file system", EROFS, YORE_SYNC_COMMIT);
        uint64_t before = yr_sim_image_hash(yr_sim_image_of(run.sim));
        yr_sim_set_read_only(run.sim, true);
        yore_open_options options;
        yore_error err = YORE_ERROR_INIT;
        yore_db *db = NULL;
        fault_options(&run, &options);
        yore_status status = yore_open("db", &options, &db, &err);
        assert_int_equal(status, YORE_ERR_READONLY);
        assert_int_equal(err.os_errno, EROFS);
        print_message("%s\n", err.message);
        options.read_only = true;
        if (yore_open("db", &options, &db, &err) != YORE_OK) fault_wrong(&run, err.message);
        assert_int_equal(fault_visible(&run, db), FAULT_BASE_VERSION);
        if (yore_check(db, YORE_CHECK_DEEP, NULL, &err) != YORE_OK) fault_wrong(&run, err.message);
        assert_int_equal(yore_refresh(db, &err), YORE_OK);
        status = yore_db_put(db, yore_str(""), yore_str_key("k"), yore_str("v"), NULL, &err);
        assert_int_equal(status, YORE_ERR_READONLY);
        yore_close(db);
        assert_true(before == yr_sim_image_hash(yr_sim_image_of(run.sim)));
        options.read_only = false;
        options.create = true;
        assert_int_equal(yore_open("other", &options, &db, &err), YORE_ERR_READONLY);
        end_run(&run);
    }
}

/* It turns read-only under a writer, as file systems do when they meet an error. */
static void test_a_file_system_that_turns_read_only_stops_the_writer_only(void **state)
{
    (void)state;
    static fault_run run;
    begin_run(&run, &closed_image, "turning read-only", EROFS, YORE_SYNC_COMMIT);
    fault_open(&run);
    fault_put(&run, "", "before", "it turned");
    yr_sim_set_read_only(run.sim, true);
    run.is_failing = true;
    assert_false(fault_put(&run, "", "after", "it turned"));
    fault_check_notes(&run, run.db, run.acked);
    fault_close(&run);
    yr_sim_set_read_only(run.sim, false);
    run.is_failing = false;
    fault_open(&run);
    check_all(&run);
    fault_put(&run, "", "again", "writable");
    end_run(&run);
}

/* The memory store's address space runs out, in the middle of large transactions too. */
static void test_a_full_memory_store_changes_nothing(void **state)
{
    (void)state;
    static fault_run run;
    begin_run(&run, NULL, "full memory", ENOSPC, YORE_SYNC_OS);
    run.plan = (fault_plan){.alloc_nth = 1};
    yore_open_options options;
    yore_error err = YORE_ERROR_INIT;
    fault_options(&run, &options);
    options.memory_bytes_max = 4 << 20;
    options.memtable_bytes = UINT64_MAX; /* nothing is flushed */
    assert_int_equal(yore_open("db", &options, &run.db, &err), YORE_OK);
    run.acked = 1;
    run.is_failing = true;
    uint32_t refused = 0, made = 0;
    static char value[3000];
    memset(value, 'm', sizeof value - 1);
    for (uint32_t t = 0; refused < 8; t++) {
        yore_txn *txn = NULL;
        yore_where where = YORE_WHERE_INIT;
        char key[24];
        assert_true(t < 10000);
        if (!fault_is(&run, "begin", YORE_OK, yore_begin(run.db, yore_str(""), NULL, &txn, &err), &err))
            break;
        for (int i = 0; i < 20; i++) {
            snprintf(key, sizeof key, "m/%u/%d", t, i);
            assert_int_equal(yore_put(txn, yore_str_key(key), yore_str(value + t * 7 % 2500), NULL, &err),
                             YORE_OK);
        }
        bool ok = fault_committed(&run, "commit", yore_commit(txn, yore_str(""), &where, &err), &where, &err);
        made += ok;
        refused += !ok;
        if (ok && run.note_count < FAULT_NOTES_MAX)
            fault_note_put(&run, &where, key, yore_str(value + t * 7 % 2500));
    }
    print_message("%u transactions, then none\n", made);
    assert_true(made > 10);
    check_all(&run);
    fault_close(&run);
    run.is_failing = false;
    run.has_store = true;
    fault_open(&run); /* with more memory */
    check_all(&run);
    fault_put(&run, "", "room", "enough");
    end_run(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_disk_full_at_any_byte_changes_nothing_and_writing_resumes),
        cmocka_unit_test(test_writing_resumes_in_the_same_handle),
        cmocka_unit_test(test_a_store_cannot_be_created_without_room_and_can_later),
        cmocka_unit_test(test_a_read_only_file_system_can_be_read_and_refuses_writers),
        cmocka_unit_test(test_a_file_system_that_turns_read_only_stops_the_writer_only),
        cmocka_unit_test(test_a_full_memory_store_changes_nothing),
    };
    const struct CMUnitTest flushed[] = {
        cmocka_unit_test(test_a_disk_full_at_any_byte_changes_nothing_and_writing_resumes),
        cmocka_unit_test(test_writing_resumes_in_the_same_handle),
        cmocka_unit_test(test_a_store_cannot_be_created_without_room_and_can_later),
        cmocka_unit_test(test_a_read_only_file_system_can_be_read_and_refuses_writers),
        cmocka_unit_test(test_a_file_system_that_turns_read_only_stops_the_writer_only),
    };
    int failed = 0;
    for (maintain = 0; maintain <= FLUSH_EVERY; maintain += FLUSH_EVERY) {
        fault_base_make(WAL_BYTES, maintain, &closed_image, &killed_image);
        failed += maintain ? cmocka_run_group_tests_name("full disk, with flushes", flushed, NULL, NULL)
                           : cmocka_run_group_tests_name("full disk", tests, NULL, NULL);
        yr_sim_image_deinit(&closed_image);
        yr_sim_image_deinit(&killed_image);
    }
    return failed;
}
