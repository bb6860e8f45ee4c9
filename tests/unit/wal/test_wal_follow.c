/* Readers beside a writer: they see what was published and nothing else, go on over file switches and restarts
 * of the writer, write nothing, and are not fooled by a torn or rotten end. */
#include <errno.h>

#include "engine/format/lock_format.h"
#include "engine/format/wal_format.h"
#include "tests/unit/wal/wal_kit.h"

/* A second look at the same machine. */
typedef struct reader {
    wal_kit kit;
} reader;

static void open_reader(reader *r, const wal_kit *writer)
{
    kit_attach(&r->kit, writer->sim);
    assert_ok(&r->kit, kit_open_reader(&r->kit));
    assert_false(r->kit.is_wrong);
}

static void close_reader(reader *r)
{
    kit_detach(&r->kit);
}

static void refresh(reader *r, uint64_t records)
{
    assert_ok(&r->kit, yr_wal_refresh(r->kit.wal, kit_apply, &r->kit, &r->kit.err));
    assert_false(r->kit.is_wrong);
    assert_int_equal(r->kit.replayed, records);
}

static void publish(wal_kit *writer)
{
    yr_wal_publish(writer->wal, yr_wal_last_lsn(writer->wal));
}

static void follow_a_writer(bool mapped)
{
    wal_kit writer;
    kit_init(&writer, 51);
    writer.options.mapped = mapped;
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    reader r;
    open_reader(&r, &writer);
    assert_int_equal(r.kit.replayed, 1);
    for (uint64_t i = 0; i < 80; i++) {
        kit_append_many(&writer, 1);
        refresh(&r, i + 1); /* appended, not acknowledged: not seen */
        publish(&writer);
        if (i % 9 == 3) assert_ok(&writer, yr_wal_seal(writer.wal, &writer.err));
        if (i % 7 == 2) assert_ok(&writer, yr_wal_prepare(writer.wal, NULL, &writer.err));
        refresh(&r, i + 2);
        refresh(&r, i + 2);
    }
    uint64_t records;
    uint64_t bytes;
    assert_ok(&r.kit, yr_wal_verify(r.kit.wal, &records, &bytes, &r.kit.err));
    assert_int_equal(records, yr_wal_last_lsn(r.kit.wal));
    close_reader(&r);
    kit_deinit(&writer);
}

static void test_a_reader_sees_exactly_what_was_published(void **state)
{
    (void)state;
    follow_a_writer(true);
    follow_a_writer(false);
}

static void test_a_reader_outlives_restarts_of_the_writer(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 52);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    reader r;
    open_reader(&r, &writer);
    for (int round = 0; round < 24; round++) {
        kit_append_many(&writer, 3 + (uint64_t)round % 5);
        publish(&writer);
        if (round % 2) refresh(&r, writer.appended);
        if (round % 3 == 0) {
            assert_ok(&writer, kit_seal_and_close(&writer));
        } else {
            kit_close(&writer); /* its tail is copied to another file at the next open */
        }
        if (round % 5 == 0) refresh(&r, writer.appended); /* with nobody writing */
        assert_ok(&writer, kit_open(&writer));
        if (round % 4 == 1) refresh(&r, writer.appended);
    }
    refresh(&r, writer.appended);
    close_reader(&r);
    kit_deinit(&writer);
}

static void test_a_reader_changes_nothing_and_needs_no_lock(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 53);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    kit_append_many(&writer, 30);
    kit_close(&writer);
    uint64_t used = kit_used_bytes(&writer, "db/wal-00000002.log");
    yr_sim_file_zero(writer.sim, "db/wal-00000002.log", (used - 30) & ~UINT64_C(7), 8); /* torn */
    uint64_t before = yr_sim_image_hash(yr_sim_image_of(writer.sim));
    reader r;
    open_reader(&r, &writer);
    assert_int_equal(r.kit.replayed, 30);           /* cut, in memory */
    assert_int_equal(r.kit.report.durable_lsn, 30); /* and what is served was synced first (F11) */
    refresh(&r, 30);
    close_reader(&r);
    assert_true(before == yr_sim_image_hash(yr_sim_image_of(writer.sim)));
    kit_deinit(&writer);
}

static void test_damage_below_the_watermark_is_reported_to_a_reader(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 54);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    kit_append_many(&writer, 4);
    publish(&writer);
    uint64_t off = (kit_used_bytes(&writer, "db/wal-00000001.log") + 7) & ~UINT64_C(7);
    kit_append_many(&writer, 2);
    yr_sim_file_flip(writer.sim, "db/wal-00000001.log", (off + 60) * 8);
    reader r;
    open_reader(&r, &writer); /* the damage is above the mark */
    assert_int_equal(r.kit.replayed, 5);
    publish(&writer);
    assert_status(&r.kit, YORE_ERR_CORRUPT, yr_wal_refresh(r.kit.wal, kit_apply, &r.kit, &r.kit.err));
    assert_says(&r.kit, "wal-00000001.log");
    yr_sim_file_flip(writer.sim, "db/wal-00000001.log", (off + 60) * 8);
    refresh(&r, 7); /* it was only "not yet" */
    close_reader(&r);
    kit_deinit(&writer);
}

/* While a reader waits for a record, the writer finishes it. */
static void finish_record(void *arg, yr_sim *sim, uint32_t kind, const char *point)
{
    (void)point;
    uint64_t *state = arg; /* where the torn byte is; 0 = done */
    if (kind != YR_SIM_OP_LOCK || *state == 0) return;
    yr_sim_file_flip(sim, "db/wal-00000001.log", *state);
    *state = 0;
}

static void test_a_record_that_is_not_whole_yet_is_waited_for(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 55);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    reader r;
    open_reader(&r, &writer);
    uint64_t off = (kit_used_bytes(&writer, "db/wal-00000001.log") + 7) & ~UINT64_C(7);
    kit_append_many(&writer, 1);
    publish(&writer);
    uint64_t torn = (off + 57) * 8;
    yr_sim_file_flip(writer.sim, "db/wal-00000001.log", torn);
    yr_sim_set_hook(writer.sim, finish_record, &torn);
    refresh(&r, 2);
    assert_int_equal(torn, 0);
    yr_sim_set_hook(writer.sim, NULL, NULL);
    close_reader(&r);
    kit_deinit(&writer);
}

static void test_a_reader_works_without_a_lock_file(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 56);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    kit_append_many(&writer, 5);
    kit_close(&writer);
    yr_sim_file_remove(writer.sim, "db/LOCK");
    reader r;
    open_reader(&r, &writer);
    assert_int_equal(r.kit.replayed, 6);
    close_reader(&r);
    kit_deinit(&writer);
}

static void test_damage_to_the_lock_file_hides_and_invents_nothing(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 57);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    for (int i = 0; i < 3; i++) {
        kit_append_many(&writer, 1);
        publish(&writer);
    }
    kit_append_many(&writer, 1);
    for (uint64_t bit = 0; bit < YR_LOCK_BYTES * 8; bit += 3) {
        yr_sim_file_flip(writer.sim, "db/LOCK", bit);
        reader r;
        open_reader(&r, &writer);
        assert_true(r.kit.replayed >= 3 && r.kit.replayed <= 4);
        close_reader(&r);
        yr_sim_file_flip(writer.sim, "db/LOCK", bit);
    }
    kit_deinit(&writer);
}

static void test_a_reader_gives_the_error_when_reading_fails(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 58);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    kit_append_many(&writer, 30);
    publish(&writer);
    for (uint64_t nth = 1;; nth++) {
        yr_sim_set_fault(writer.sim, (yr_sim_fault){.kinds = YR_SIM_OP_READ, .nth = nth, .os_errno = EIO});
        reader r;
        kit_attach(&r.kit, writer.sim);
        yore_status status = kit_open_reader(&r.kit);
        bool hit = yr_sim_fault_hits(writer.sim) > 0;
        yr_sim_set_fault(writer.sim, (yr_sim_fault){0});
        assert_false(r.kit.is_wrong);
        if (status == YORE_OK) {
            assert_int_equal(r.kit.replayed, 31);
        } else {
            assert_int_equal(status, YORE_ERR_IO);
        }
        close_reader(&r);
        if (!hit) break;
    }
    kit_deinit(&writer);
}

static void test_a_reader_at_the_end_of_a_file_sees_what_a_writer_left_in_the_next_one(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 60);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    kit_append_many(&writer, 4);
    assert_ok(&writer, kit_seal_and_close(&writer));
    reader r;
    open_reader(&r, &writer);
    assert_int_equal(r.kit.replayed, 5);
    assert_ok(&writer, kit_open(&writer));
    assert_ok(&writer, yr_wal_reserve(writer.wal, 4000, false, &writer.err)); /* the next file */
    kit_append_many(&writer, 3);
    assert_ok(&writer, kit_seal_and_close(&writer));
    refresh(&r, 8);
    close_reader(&r);
    kit_deinit(&writer);
}

static void test_a_reader_sees_what_a_writer_left_in_a_copy_of_its_file(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 61);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    reader r;
    open_reader(&r, &writer);
    kit_append_many(&writer, 4);
    publish(&writer);
    refresh(&r, 5);
    kit_close(&writer); /* the records are copied to another file at the next open */
    assert_ok(&writer, kit_open(&writer));
    kit_append_many(&writer, 3);
    kit_close(&writer);
    refresh(&r, 8);
    close_reader(&r);
    kit_deinit(&writer);
}

/* The last record was read, then lost with the pages that held it, and another one has its number now. */
static void test_a_reader_does_not_go_on_over_another_record_than_it_has_read(void **state)
{
    (void)state;
    wal_kit writer;
    kit_init(&writer, 59);
    assert_ok(&writer, kit_create(&writer));
    assert_ok(&writer, kit_open(&writer));
    kit_append_many(&writer, 4);
    publish(&writer);
    reader r;
    open_reader(&r, &writer);
    assert_int_equal(r.kit.replayed, 5);
    uint64_t used = kit_used_bytes(&writer, "db/wal-00000001.log");
    kit_close(&writer);
    yr_sim_file_zero(writer.sim, "db/wal-00000001.log", (used - 16) & ~UINT64_C(7), 24);
    assert_ok(&writer, kit_open(&writer));
    assert_int_equal(writer.replayed, 4);
    writer.appended = 7; /* what the fifth record holds now */
    kit_append_many(&writer, 3);
    publish(&writer);
    for (int i = 0; i < 3; i++) {
        assert_status(&r.kit, YORE_ERR_CORRUPT, yr_wal_refresh(r.kit.wal, kit_apply, &r.kit, &r.kit.err));
        assert_says(&r.kit, "rewritten");
        assert_int_equal(r.kit.replayed, 5);
    }
    close_reader(&r);
    kit_deinit(&writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reader_sees_exactly_what_was_published),
        cmocka_unit_test(test_a_reader_outlives_restarts_of_the_writer),
        cmocka_unit_test(test_a_reader_changes_nothing_and_needs_no_lock),
        cmocka_unit_test(test_damage_below_the_watermark_is_reported_to_a_reader),
        cmocka_unit_test(test_a_record_that_is_not_whole_yet_is_waited_for),
        cmocka_unit_test(test_a_reader_works_without_a_lock_file),
        cmocka_unit_test(test_damage_to_the_lock_file_hides_and_invents_nothing),
        cmocka_unit_test(test_a_reader_gives_the_error_when_reading_fails),
        cmocka_unit_test(test_a_reader_at_the_end_of_a_file_sees_what_a_writer_left_in_the_next_one),
        cmocka_unit_test(test_a_reader_sees_what_a_writer_left_in_a_copy_of_its_file),
        cmocka_unit_test(test_a_reader_does_not_go_on_over_another_record_than_it_has_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
