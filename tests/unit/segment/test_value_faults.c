/* Each allocation and each file operation of a value file's life fails in turn, once and for good; the disk fills up at
 * every page; the disk lies: the status is the one for the fault, nothing is left behind, and without the fault all is
 * well again. */
#include <errno.h>
#include <inttypes.h>

#include "tests/unit/segment/value_kit.h"

enum { COUNT = 5 };
static const vkit_value some[COUNT] = {{.stamp = 1, .bytes = 70000},
                                       {.stamp = 2, .bytes = 3 * YR_VALUE_CHUNK_BYTES + 1},
                                       {.stamp = 3, .bytes = 65537},
                                       {.stamp = 4, .bytes = 9},
                                       {.stamp = 5, .bytes = YR_VALUE_CHUNK_BYTES}};

static uint32_t names_in_dir(const vkit *k)
{
    uint32_t n = 0;
    while (yr_sim_dir_name(k->sim, "db", n)) n++;
    return n;
}

static yore_status touch(void *arg, yore_slice part, yore_error *err)
{
    (void)err;
    *(uint64_t *)arg += part.size;
    return YORE_OK;
}

static yore_status copy_all(vkit *k, const vkit_value *values)
{
    yr_value_write_options options = vkit_options(14);
    yr_value_writer *writer;
    yore_status status = yr_value_writer_create(k->env, &options, k->dir, "copy.tmp", &writer, &k->err);
    if (status < 0) return status;
    for (uint32_t i = 0; i < COUNT && status == YORE_OK; i++) {
        yr_value_ref ref;
        status = yr_value_writer_copy(writer, k->values, &values[i].ref, &ref, &k->err);
    }
    if (status == YORE_OK) status = yr_value_writer_finish(writer, NULL, &k->err);
    yr_value_writer_destroy(writer);
    if (status == YORE_OK && k->env->unlink(k->env->ctx, k->dir, "copy.tmp") < 0) status = YORE_ERR_IO;
    return status;
}

static yore_status read_some(vkit *k, const vkit_value *values)
{
    yr_value_set *set = NULL;
    yr_block_pin pin = {0};
    uint64_t bytes = 0;
    yore_status status = yr_value_set_create(k->env, &k->values, 1, &set, &k->err);
    for (uint32_t i = 0; i < COUNT && status == YORE_OK; i++) {
        status = yr_value_set_get(set, &values[i].ref, &pin, &k->err);
        if (status == YORE_OK) assert_true(vkit_is(&values[i], pin.data, pin.size));
        yr_block_pin_release(&pin);
    }
    yr_value_set_unref(set);
    if (status == YORE_OK) status = yr_value_file_stream(k->values, &values[1].ref, touch, &bytes, &k->err);
    if (status == YORE_OK) assert_int_equal(bytes, values[1].bytes);
    if (status == YORE_OK) status = yr_value_file_verify(k->values, &k->err);
    return status;
}

/* Write, open, read, copy, close. */
static yore_status live(vkit *k, const char **step)
{
    vkit_value values[COUNT];
    memcpy(values, some, sizeof values);
    *step = "write";
    yore_status status = vkit_write(k, VKIT_NAME, VKIT_FILE_ID, values, COUNT);
    if (status < 0) return status;
    *step = "open";
    status = vkit_open(k);
    if (status < 0) return status;
    *step = "read";
    status = read_some(k, values);
    if (status == YORE_OK) *step = "copy";
    if (status == YORE_OK) status = copy_all(k, values);
    vkit_close(k);
    return status;
}

static void judge(const vkit *k, const char *step, yore_status status, yore_status want, uint64_t nth)
{
    if (status == YORE_OK || status == want) return;
    print_error("fault %" PRIu64 " gave %s while it should %s: %s\n", nth, yore_status_name(status), step,
                k->err.message);
    fail();
}

/* What a failed step may leave: nothing while writing, else the written file alone. */
static void judge_names(const vkit *k, const char *step, yore_status status)
{
    if (status < 0) assert_int_equal(names_in_dir(k), strcmp(step, "write") != 0);
}

static void allocations_fail(bool is_sticky)
{
    uint64_t hits = 1, nth = 0, failures = 0;
    while (hits) {
        vkit k;
        const char *step;
        vkit_init(&k, 5, 1u << 20);
        yr_sim_fail_alloc(k.sim, ++nth, is_sticky);
        yore_status status = live(&k, &step);
        hits = yr_sim_alloc_fault_hits(k.sim);
        yr_sim_fail_alloc(k.sim, 0, false);
        judge(&k, step, status, YORE_ERR_NOMEM, nth);
        judge_names(&k, step, status);
        failures += status < 0;
        if (hits) assert_true(status < 0);
        (void)yr_sim_file_remove(k.sim, VKIT_PATH);
        vkit_ok(&k, live(&k, &step));
        vkit_deinit(&k);
    }
    assert_true(failures > 30);
    print_message("%" PRIu64 " of %" PRIu64 " allocations made a call fail\n", failures, nth - 1);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    allocations_fail(false);
    allocations_fail(true);
}

static void operations_fail(uint32_t kinds, int os_errno, bool is_sticky, bool is_short)
{
    yore_status want = os_errno == ENOSPC ? YORE_ERR_FULL : YORE_ERR_IO;
    uint64_t hits = 1;
    for (uint64_t nth = 1; hits; nth++) {
        vkit k;
        const char *step;
        vkit_init(&k, 6, 1u << 20);
        yr_sim_set_fault(k.sim, (yr_sim_fault){kinds, nth, os_errno, is_sticky, is_short});
        yore_status status = live(&k, &step);
        hits = yr_sim_fault_hits(k.sim);
        yr_sim_set_fault(k.sim, (yr_sim_fault){0});
        judge(&k, step, status, want, nth);
        judge_names(&k, step, status);
        bool is_harmless = is_short && !is_sticky; /* the rest is written by the next call */
        if (hits && !is_harmless) assert_true(status < 0);
        if (is_harmless) assert_int_equal(status, YORE_OK);
        (void)yr_sim_file_remove(k.sim, VKIT_PATH);
        vkit_ok(&k, live(&k, &step));
        vkit_deinit(&k);
    }
}

static void test_each_file_operation_may_fail(void **state)
{
    (void)state;
    operations_fail(YR_SIM_OP_WRITE, EIO, false, false);
    operations_fail(YR_SIM_OP_WRITE, EIO, true, false);
    operations_fail(YR_SIM_OP_WRITE, ENOSPC, false, false);
    operations_fail(YR_SIM_OP_WRITE, ENOSPC, true, false);
    operations_fail(YR_SIM_OP_WRITE, EIO, false, true);
    operations_fail(YR_SIM_OP_READ, EIO, false, false);
    operations_fail(YR_SIM_OP_READ, EIO, true, false);
    operations_fail(YR_SIM_OP_SYNC, EIO, false, false);
    operations_fail(YR_SIM_OP_OPEN, EIO, false, false);
}

static void test_a_disk_that_fills_up_anywhere_leaves_nothing_and_goes_on_later(void **state)
{
    (void)state;
    vkit k;
    const char *step;
    uint32_t full = 0;
    vkit_init(&k, 7, 1u << 20);
    yore_status status = YORE_ERR_FULL;
    for (uint64_t pages = 0; status != YORE_OK; pages += 5) {
        yr_sim_set_capacity(k.sim, pages * 4096, ENOSPC);
        vkit_value values[COUNT];
        memcpy(values, some, sizeof values);
        status = vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, values, COUNT);
        if (status == YORE_OK) break;
        assert_int_equal(status, YORE_ERR_FULL);
        assert_int_equal(names_in_dir(&k), 0);
        assert_int_equal(yr_sim_used_bytes(k.sim), 0);
        full++;
    }
    assert_true(full > 50);
    yr_sim_set_capacity(k.sim, UINT64_MAX, ENOSPC);
    assert_true(yr_sim_file_remove(k.sim, VKIT_PATH));
    vkit_ok(&k, live(&k, &step));
    vkit_deinit(&k);
}

/* The disk takes other bytes than it was given: reading back finds it before anybody relies on the file. */
static void flip_while_writing(void *arg, yr_sim *sim, uint32_t kind, const char *point)
{
    (void)point;
    if (kind == YR_SIM_OP_SYNC) (void)yr_sim_file_flip(sim, "db/making.tmp", *(const uint64_t *)arg);
}

static void test_a_disk_that_lies_is_found_by_reading_back(void **state)
{
    (void)state;
    vkit k;
    vkit_value values[COUNT];
    memcpy(values, some, sizeof values);
    vkit_init(&k, 7, 1u << 16);
    vkit_ok(&k, vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, values, COUNT));
    uint64_t bits = 8 * (uint64_t)yr_sim_file_size(k.sim, VKIT_PATH),
             footer = bits - 8 * YR_VALUE_FOOTER_BYTES;
    assert_true(yr_sim_file_remove(k.sim, VKIT_PATH));
    for (uint64_t bit = 3; bit < bits; bit += bit < footer ? 40009 : 17) {
        yr_sim_set_hook(k.sim, flip_while_writing, &bit);
        assert_int_equal(vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, values, COUNT), YORE_ERR_CORRUPT);
        assert_int_equal(names_in_dir(&k), 0);
        if (bit < footer && bit + 40009 >= footer) bit = footer - 17;
    }
    vkit_deinit(&k);
}

/* A damaged value stops a copy of it: a new file never holds wrong bytes under right sums. */
static void test_a_damaged_value_is_not_copied(void **state)
{
    (void)state;
    vkit k;
    vkit_value values[COUNT];
    memcpy(values, some, sizeof values);
    vkit_init(&k, 8, 1u << 16);
    vkit_ok(&k, vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, values, COUNT));
    for (uint64_t at = 0; at < values[1].bytes; at += 99991) {
        assert_true(yr_sim_file_flip(k.sim, VKIT_PATH, 8 * (values[1].ref.off + at)));
        vkit_ok(&k, vkit_open(&k));
        assert_int_equal(copy_all(&k, values), YORE_ERR_CORRUPT);
        assert_int_equal(names_in_dir(&k), 1);
        vkit_close(&k);
        assert_true(yr_sim_file_flip(k.sim, VKIT_PATH, 8 * (values[1].ref.off + at)));
    }
    vkit_deinit(&k);
}

static yore_status stop_at_two(void *arg, yore_slice part, yore_error *err)
{
    (void)part;
    return ++*(uint32_t *)arg == 2 ? yr_fail(err, YORE_ERR_CANCELLED, "enough") : YORE_OK;
}

static yore_status stop_at_once(void *arg, const yr_value_ref *ref, yore_error *err)
{
    (void)arg;
    (void)ref;
    (void)err;
    return YORE_END;
}

static void test_a_callback_ends_a_stream_and_a_list(void **state)
{
    (void)state;
    vkit k;
    vkit_value values[COUNT];
    uint32_t calls = 0;
    memcpy(values, some, sizeof values);
    vkit_init(&k, 8, 1u << 16);
    vkit_ok(&k, vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, values, COUNT));
    vkit_ok(&k, vkit_open(&k));
    assert_int_equal(yr_value_file_stream(k.values, &values[1].ref, stop_at_two, &calls, &k.err),
                     YORE_ERR_CANCELLED);
    assert_int_equal(calls, 2);
    assert_int_equal(yr_value_file_list(k.values, stop_at_once, NULL, &k.err), YORE_END);
    vkit_deinit(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_each_file_operation_may_fail),
        cmocka_unit_test(test_a_disk_that_fills_up_anywhere_leaves_nothing_and_goes_on_later),
        cmocka_unit_test(test_a_disk_that_lies_is_found_by_reading_back),
        cmocka_unit_test(test_a_damaged_value_is_not_copied),
        cmocka_unit_test(test_a_callback_ends_a_stream_and_a_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
