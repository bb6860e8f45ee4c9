/* Each allocation and each file operation of a segment's life fails in turn, once and for good: the status is the one
 * for the fault, nothing is left behind, no half-made file keeps its name, and without the fault all is well again.
 * And what the builder refuses. */
#include <errno.h>
#include <inttypes.h>

#include "engine/base/file_io.h"
#include "tests/unit/segment/segment_kit.h"

static const kit_shape fault_shape = {"faults", 120, 60, 8, 24, 300, 2, 5, true, false, true};

static void shape_options(const kit_model *model, enum yr_segment_form form,
                          yr_segment_build_options *options)
{
    kit_options(model, form, options);
    options->main_block_bytes = 1024;
    options->history_block_bytes = 1024;
    options->sample_bytes = 16384;
}

static uint32_t names_in_dir(const kit *k)
{
    uint32_t n = 0;
    while (yr_sim_dir_name(k->sim, "db", n)) n++;
    return n;
}

/* Read a bit of everything. The first failure. */
static yore_status read_some(kit *k, const kit_model *model)
{
    yr_segment_row row;
    yore_status status = YORE_OK;
    for (uint32_t key = 0; key < model->key_count && status >= 0; key += 7) {
        yr_segment_hit hit = {0};
        yore_slice tree_key = model->rows[model->key_rows[key]].tree_key;
        uint64_t cap = model->after_version + 30;
        status = yr_segment_find(k->segment, tree_key, kit_hash(k, tree_key), cap, &hit, &k->err);
        uint32_t want = kit_model_find(model, key, cap);
        if (status == YORE_OK) assert_true(kit_same_row(&hit.row, &model->rows[want]));
        if (status == YORE_NOT_FOUND) assert_int_equal(want, UINT32_MAX);
        yr_segment_hit_release(&hit);
    }
    if (status < 0) return status;
    yr_segment_cursor cursor;
    yr_segment_cursor_init(&cursor, k->segment, UINT64_MAX, yore_bytes(NULL, 0));
    status = yr_segment_cursor_seek(&cursor, yore_bytes(NULL, 0), &row, &k->err);
    while (status == YORE_OK) status = yr_segment_cursor_next(&cursor, &row, &k->err);
    yr_segment_cursor_deinit(&cursor);
    if (status < 0) return status;
    yr_segment_changes changes;
    status = yr_segment_changes_open(k->segment, 0, &changes, &k->err);
    while (status == YORE_OK) status = yr_segment_changes_next(&changes, &row, &k->err);
    yr_segment_changes_close(&changes);
    return status < 0 ? status : YORE_OK;
}

/* Build, open, read, close. */
static yore_status live(kit *k, const kit_model *model, const yr_segment_build_options *options,
                        const char **step)
{
    *step = "build";
    yore_status status = kit_build(k, model, options);
    if (status < 0) return status;
    *step = "open";
    status = kit_open(k, KIT_PREAD);
    if (status < 0) return status;
    *step = "read";
    status = read_some(k, model);
    kit_close(k);
    return status;
}

static void judge(kit *k, const char *step, yore_status status, yore_status want, uint64_t nth)
{
    if (status == YORE_OK || status == want) return;
    print_error("fault %" PRIu64 " gave %s while it should %s: %s\n", nth, yore_status_name(status), step,
                k->err.message);
    fail();
}

static void allocations_fail(enum yr_segment_form form, bool is_sticky)
{
    kit_model model;
    yr_segment_build_options options;
    uint64_t hits = 1, nth = 0, failures = 0;
    kit_model_make(&model, &fault_shape, 5);
    shape_options(&model, form, &options);
    while (hits) {
        kit k;
        const char *step;
        kit_init(&k, 5, 1u << 16);
        nth += is_sticky ? 5 : 1; /* training a dictionary takes most of the time */
        yr_sim_fail_alloc(k.sim, nth, is_sticky);
        yore_status status = live(&k, &model, &options, &step);
        hits = yr_sim_alloc_fault_hits(k.sim);
        judge(&k, step, status, YORE_ERR_NOMEM, nth);
        failures += status < 0;
        if (status < 0 && strcmp(step, "build") == 0) assert_int_equal(names_in_dir(&k), 0);
        yr_sim_fail_alloc(k.sim, 0, false);
        if (nth % 16 == 0) kit_ok(&k, live(&k, &model, &options, &step));
        kit_deinit(&k);
    }
    assert_true(failures > 30);
    print_message("%" PRIu64 " of %" PRIu64 " allocations made a call fail\n", failures, nth - 1);
    kit_model_free(&model);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    allocations_fail(YR_SEGMENT_HOT, false);
    allocations_fail(YR_SEGMENT_COLD, false);
    allocations_fail(YR_SEGMENT_COLD, true);
}

static void operations_fail(enum yr_segment_form form, uint32_t kinds, int os_errno, bool is_sticky,
                            bool is_short)
{
    kit_model model;
    yr_segment_build_options options;
    yore_status want = os_errno == ENOSPC ? YORE_ERR_FULL : YORE_ERR_IO;
    kit_model_make(&model, &fault_shape, 6);
    shape_options(&model, form, &options);
    uint64_t hits = 1;
    for (uint64_t nth = 1; hits; nth++) {
        kit k;
        const char *step;
        kit_init(&k, 6, 1u << 16);
        yr_sim_set_fault(k.sim, (yr_sim_fault){kinds, nth, os_errno, is_sticky, is_short});
        yore_status status = live(&k, &model, &options, &step);
        hits = yr_sim_fault_hits(k.sim);
        judge(&k, step, status, want, nth);
        bool is_harmless = is_short && !is_sticky; /* the rest is written by the next call */
        if (hits && !is_harmless) assert_true(status < 0);
        if (is_harmless) assert_int_equal(status, YORE_OK);
        if (status < 0 && strcmp(step, "build") == 0 && kinds != YR_SIM_OP_UNLINK)
            assert_int_equal(names_in_dir(&k), 0);
        yr_sim_set_fault(k.sim, (yr_sim_fault){0});
        kit_ok(&k, live(&k, &model, &options, &step));
        kit_deinit(&k);
    }
    kit_model_free(&model);
}

static void test_each_file_operation_may_fail(void **state)
{
    (void)state;
    for (int form = YR_SEGMENT_HOT; form <= YR_SEGMENT_COLD; form++) {
        enum yr_segment_form f = (enum yr_segment_form)form;
        operations_fail(f, YR_SIM_OP_WRITE, EIO, false, false);
        operations_fail(f, YR_SIM_OP_WRITE, ENOSPC, true, false);
        operations_fail(f, YR_SIM_OP_WRITE, EIO, false, true);
        operations_fail(f, YR_SIM_OP_READ, EIO, false, false);
        operations_fail(f, YR_SIM_OP_SYNC, EIO, false, false);
        operations_fail(f, YR_SIM_OP_OPEN, EIO, false, false);
    }
}

/* The disk takes other bytes than it was given: reading back finds it before anybody relies on the file. */
static void flip_while_writing(void *arg, yr_sim *sim, uint32_t kind, const char *point)
{
    (void)point;
    uint64_t *left = arg;
    if (kind != YR_SIM_OP_SYNC || *left == UINT64_MAX) return;
    (void)yr_sim_file_flip(sim, "db/making.tmp", *left);
}

static void test_a_disk_that_lies_is_found_by_reading_back(void **state)
{
    (void)state;
    kit_model model;
    yr_segment_build_options options;
    kit_model_make(&model, &fault_shape, 7);
    shape_options(&model, YR_SEGMENT_COLD, &options);
    for (uint64_t bit = 3; bit < 8 * 6000; bit += 997) {
        kit k;
        kit_init(&k, 7, 1u << 16);
        yr_sim_set_hook(k.sim, flip_while_writing, &bit);
        options.is_verified_by_row = bit % 2;
        assert_int_equal(kit_build(&k, &model, &options), YORE_ERR_CORRUPT);
        assert_int_equal(names_in_dir(&k), 0);
        kit_deinit(&k);
    }
    kit_model_free(&model);
}

/* -- what the builder refuses -- */

static yore_status add(kit *k, yr_segment_builder *builder, const char *key, uint64_t version,
                       size_t value_bytes)
{
    static uint8_t value[YR_SEGMENT_VALUE_BYTES_MAX + 1];
    uint8_t tree_key[64] = {0, 0, 0, 1, YORE_KV};
    memcpy(tree_key + 5, key, strlen(key));
    yr_segment_row row = {.tree_key = {tree_key, 5 + strlen(key)},
                          .value = {value, value_bytes},
                          .version = version,
                          .op = YORE_OP_PUT};
    return yr_segment_builder_add(builder, &row, &k->err);
}

static void test_rows_that_cannot_be_are_refused(void **state)
{
    (void)state;
    kit k;
    yr_segment_builder *builder;
    yr_segment_build_options options = {
        .file_id = 1, .after_version = 10, .last_version = 20, .form = YR_SEGMENT_HOT};
    kit_init(&k, 1, 1u << 16);
    kit_ok(&k, yr_segment_builder_create(k.env, &options, k.dir, "a.tmp", &builder, &k.err));
    assert_int_equal(add(&k, builder, "b", 15, YR_SEGMENT_VALUE_BYTES_MAX + 1), YORE_ERR_LIMIT);
    kit_ok(&k, add(&k, builder, "b", 15, YR_SEGMENT_VALUE_BYTES_MAX));
    assert_int_equal(add(&k, builder, "b", 15, 1), YORE_ERR_MISUSE); /* twice */
    assert_int_equal(add(&k, builder, "b", 16, 1), YORE_ERR_MISUSE); /* newer behind older */
    assert_int_equal(add(&k, builder, "a", 12, 1), YORE_ERR_MISUSE); /* keys descend */
    assert_int_equal(add(&k, builder, "c", 10, 1), YORE_ERR_MISUSE); /* out of the range */
    assert_int_equal(add(&k, builder, "c", 21, 1), YORE_ERR_MISUSE);
    assert_int_equal(add(&k, builder, "", 12, 1), YORE_ERR_MISUSE); /* no user key */
    yr_commit_head head = {.version = 12, .time_ns = 100, .kind = YORE_COMMIT_DATA};
    kit_ok(&k, yr_segment_builder_commit(builder, &head, 0, &k.err));
    assert_int_equal(yr_segment_builder_commit(builder, &head, 0, &k.err), YORE_ERR_MISUSE);
    head.version = 13;
    assert_int_equal(yr_segment_builder_commit(builder, &head, 0, &k.err), YORE_ERR_MISUSE); /* same time */
    head.time_ns = 101;
    assert_int_equal(yr_segment_builder_commit(builder, &head, 13, &k.err),
                     YORE_ERR_MISUSE); /* before itself */
    kit_ok(&k, yr_segment_builder_commit(builder, &head, 12, &k.err));
    yr_segment_builder *second;
    assert_int_equal(yr_segment_builder_create(k.env, &options, k.dir, "a.tmp", &second, &k.err),
                     YORE_ERR_IO);
    yr_segment_builder_destroy(builder);
    assert_int_equal(names_in_dir(&k), 0);
    options.last_version = options.after_version + UINT32_MAX + UINT64_C(1);
    assert_int_equal(yr_segment_builder_create(k.env, &options, k.dir, "a.tmp", &builder, &k.err),
                     YORE_ERR_LIMIT);
    options.last_version = options.after_version;
    assert_int_equal(yr_segment_builder_create(k.env, &options, k.dir, "a.tmp", &builder, &k.err),
                     YORE_ERR_LIMIT);
    kit_deinit(&k);
}

/* A range in which nothing was written, or only commits without rows, is a segment too. */
static void test_an_empty_segment_reads_as_empty(void **state)
{
    (void)state;
    for (int commits = 0; commits < 2; commits++) {
        kit k;
        yr_segment_builder *builder;
        yr_segment_build_options options = {.file_id = 1, .last_version = 9, .form = YR_SEGMENT_COLD};
        options.is_verified_by_row = true;
        kit_init(&k, 1, 1u << 16);
        kit_ok(&k, yr_segment_builder_create(k.env, &options, k.dir, KIT_NAME, &builder, &k.err));
        yr_commit_head head = {.version = 5, .time_ns = -100, .kind = YORE_COMMIT_TAG};
        if (commits) kit_ok(&k, yr_segment_builder_commit(builder, &head, 3, &k.err));
        kit_ok(&k, yr_segment_builder_finish(builder, NULL, &k.err));
        yr_segment_builder_destroy(builder);
        kit_ok(&k, kit_open(&k, KIT_PREAD));
        uint8_t bytes[7] = {0, 0, 0, 1, 1, 'x', 'y'};
        yore_slice key = yore_bytes(bytes, sizeof bytes), none = yore_bytes(NULL, 0);
        yr_segment_hit hit = {0};
        yr_segment_row row;
        yr_segment_cursor cursor;
        yr_segment_changes changes;
        assert_int_equal(yr_segment_find(k.segment, key, kit_hash(&k, key), 9, &hit, &k.err), YORE_NOT_FOUND);
        yr_segment_cursor_init(&cursor, k.segment, 9, none);
        assert_int_equal(yr_segment_cursor_seek(&cursor, key, &row, &k.err), YORE_END);
        assert_int_equal(yr_segment_cursor_seek_reverse(&cursor, key, &row, &k.err), YORE_END);
        assert_int_equal(yr_segment_cursor_next(&cursor, &row, &k.err), YORE_END);
        kit_ok(&k, yr_segment_changes_open(k.segment, 0, &changes, &k.err));
        assert_int_equal(yr_segment_changes_next(&changes, &row, &k.err), YORE_END);
        int64_t time_ns = 0;
        yore_status want = commits ? YORE_OK : YORE_NOT_FOUND;
        assert_int_equal(yr_segment_commit_time(k.segment, 5, &time_ns, &k.err), want);
        assert_int_equal(time_ns, commits ? -100 : 0);
        kit_close(&k);
        kit_deinit(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_each_file_operation_may_fail),
        cmocka_unit_test(test_a_disk_that_lies_is_found_by_reading_back),
        cmocka_unit_test(test_rows_that_cannot_be_are_refused),
        cmocka_unit_test(test_an_empty_segment_reads_as_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
