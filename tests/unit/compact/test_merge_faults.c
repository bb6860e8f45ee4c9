/* A merge that fails leaves nothing behind and its inputs as they were; one that succeeds has made everything durable.
 * Each allocation and each file operation fails in turn, the disk is full at every length, inputs are damaged, and the
 * job is cancelled. */
#include <errno.h>

#include "engine/format/file_name.h"
#include "tests/unit/compact/compact_world.h"

static world the_world; /* large */

static void few_runs(world *w, uint64_t seed, uint32_t commits)
{
    world_init(w, seed);
    for (uint32_t run = 0; run < 3; run++) {
        for (uint32_t i = 0; i < commits; i++) {
            if (i % 5 == 2) world_fork(w);
            world_commit(w);
        }
        world_ok(w, world_flush(w));
    }
    for (uint32_t i = 1; i < w->branch_count; i += 2) w->branches[i].horizon = w->version * 2 / 3;
    world_rules(w);
}

static void fixed_options(world *w, enum yr_segment_form form, yr_merge_options *options)
{
    world_options(w, options);
    options->keep = &w->keep;
    options->is_bottom = true;
    options->target_bytes = 6000;
    options->build.form = form;
    options->build.has_no_dictionary = true;
    w->merge_last = w->run_count - 1;
}

/* Merge everything, and take the output away again. */
static yore_status try_merge(world *w, const yr_merge_options *options)
{
    yr_merge_result result;
    yore_status status = yr_merge_runs(options, w->runs, w->run_count, &result, &w->err);
    if (status < 0) return status;
    assert_true(result.file_count > 1);
    assert_true(result.rows_out < result.rows_in);
    assert_int_equal(result.commits, w->flushed);
    yr_merge_result_remove(options, &result);
    yr_merge_result_deinit(w->env, &result);
    return status;
}

static void assert_clean(world *w, uint32_t names, const char *when, uint64_t nth)
{
    if (world_names(w) == names) return;
    print_error("%s %" PRIu64 ": %u names left, want %u\n", when, nth, world_names(w), names);
    fail();
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    world *w = &the_world;
    for (int round = 0; round < 3; round++) {
        yr_merge_options options;
        uint64_t hits = 1, nth = 0, failures = 0;
        few_runs(w, 3, 14);
        fixed_options(w, round == 1 ? YR_SEGMENT_COLD : YR_SEGMENT_HOT, &options);
        uint32_t names = world_names(w);
        while (hits) {
            nth++;
            yr_sim_fail_alloc(w->sim, nth, round == 2);
            yore_status status = try_merge(w, &options);
            hits = yr_sim_alloc_fault_hits(w->sim);
            yr_sim_fail_alloc(w->sim, 0, false);
            assert_true(status == YORE_ERR_NOMEM || status == YORE_OK);
            assert_clean(w, names, "allocation", nth);
            failures += status < 0;
        }
        print_message("%" PRIu64 " of %" PRIu64 " allocations made the merge fail\n", failures, nth - 1);
        assert_true(failures > 50);
        world_ok(w, world_merge(w, 0, w->run_count - 1, &w->keep));
        world_check(w);
        world_deinit(w);
    }
}

static void operations_fail(uint32_t kinds, int os_errno, bool sticky, bool is_short)
{
    world *w = &the_world;
    yr_merge_options options;
    uint64_t hits = 1, nth = 0;
    few_runs(w, 4, 14);
    fixed_options(w, YR_SEGMENT_HOT, &options);
    uint32_t names = world_names(w);
    while (hits) {
        nth++;
        yr_sim_set_fault(w->sim, (yr_sim_fault){kinds, nth, os_errno, sticky, is_short});
        yore_status status = try_merge(w, &options);
        hits = yr_sim_fault_hits(w->sim);
        yr_sim_set_fault(w->sim, (yr_sim_fault){0});
        yore_status want = os_errno == ENOSPC ? YORE_ERR_FULL : YORE_ERR_IO;
        assert_int_equal(status, hits && !is_short ? want : YORE_OK);
        assert_clean(w, names, "operation", nth);
    }
    assert_true(nth > 1);
    print_message("kind %u: %" PRIu64 " points\n", kinds, nth - 1);
    world_ok(w, world_merge(w, 0, w->run_count - 1, &w->keep));
    world_check(w);
    world_deinit(w);
}

static void test_each_file_operation_may_fail(void **state)
{
    (void)state;
    operations_fail(YR_SIM_OP_WRITE, EIO, false, false);
    operations_fail(YR_SIM_OP_WRITE, ENOSPC, true, false);
    operations_fail(YR_SIM_OP_WRITE, EIO, false, true); /* a short write is gone on with */
    operations_fail(YR_SIM_OP_READ, EIO, false, false);
    operations_fail(YR_SIM_OP_READ, EIO, true, false);
    operations_fail(YR_SIM_OP_SYNC, EIO, false, false);
    operations_fail(YR_SIM_OP_OPEN, EIO, false, false);
    operations_fail(YR_SIM_OP_RENAME, EIO, true, false);
    operations_fail(YR_SIM_OP_DIR_SYNC, EIO, false, false);
}

static void test_a_disk_full_at_any_length_keeps_inputs_and_no_outputs(void **state)
{
    (void)state;
    world *w = &the_world;
    yr_merge_options options;
    few_runs(w, 5, 14);
    fixed_options(w, YR_SEGMENT_COLD, &options);
    uint32_t names = world_names(w), full = 0;
    uint64_t used = yr_sim_used_bytes(w->sim), room = 0;
    for (yore_status status = YORE_ERR_FULL; status < 0; room += YR_SIM_BLOCK_BYTES / 2) {
        yr_sim_set_capacity(w->sim, used + room, room % YR_SIM_BLOCK_BYTES ? EDQUOT : ENOSPC);
        status = try_merge(w, &options);
        assert_true(status == YORE_OK || status == YORE_ERR_FULL);
        assert_clean(w, names, "room", room);
        assert_int_equal(yr_sim_used_bytes(w->sim), used);
        full += status < 0;
    }
    assert_true(full > 3);
    yr_sim_set_capacity(w->sim, UINT64_MAX, 0);
    world_ok(w, world_merge(w, 0, w->run_count - 1, &w->keep));
    world_check(w);
    world_deinit(w);
}

/* -- damage -- */

/* A bit of an input is flipped: either nothing that a merge reads, and the output is whole, or the merge stops, says
 * where, and everything is as it was. */
static void test_a_damaged_input_stops_the_merge(void **state)
{
    (void)state;
    world *w = &the_world;
    yr_merge_options options;
    uint64_t stopped = 0, harmless = 0;
    few_runs(w, 6, 14);
    fixed_options(w, YR_SEGMENT_HOT, &options);
    uint32_t names = world_names(w);
    for (uint32_t run = 0; run < w->run_count; run++) {
        for (uint32_t k = 0; k < yr_run_file_count(w->runs[run]); k++) {
            yr_segment *segment = yr_run_file(w->runs[run], k);
            char path[80];
            (void)snprintf(path, sizeof path, "db/%s", yr_segment_name(segment));
            uint64_t bits = 8 * yr_segment_facts(segment)->file_bytes;
            for (uint64_t bit = 8 * 64 + yr_rng_below(&w->rng, 300); bit < bits;
                 bit += 1 + yr_rng_below(&w->rng, 900)) {
                assert_true(yr_sim_file_flip(w->sim, path, bit));
                yore_status status = try_merge(w, &options);
                assert_true(yr_sim_file_flip(w->sim, path, bit));
                assert_clean(w, names, "bit", bit);
                harmless += status == YORE_OK;
                stopped += status < 0;
                if (status == YORE_OK) continue;
                assert_int_equal(status, YORE_ERR_CORRUPT);
                assert_non_null(strstr(w->err.message, yr_segment_name(segment)));
            }
        }
    }
    print_message("%" PRIu64 " flips stopped the merge, %" PRIu64 " were in what it does not read\n", stopped,
                  harmless);
    assert_true(stopped > 50);
    world_ok(w, world_merge(w, 0, w->run_count - 1, NULL)); /* all there */
    assert_int_equal(w->rows_dropped, 0);
    world_deinit(w);
}

/* A file whose footer, sums and all, promises one row more than there are, or one commit less. */
static void test_other_than_was_promised_stops_the_merge(void **state)
{
    (void)state;
    world *w = &the_world;
    for (int lie = 0; lie < 3; lie++) {
        yr_merge_options options;
        yr_merge_result result;
        yr_segment_layout layout;
        const char *why;
        char path[80];
        uint8_t last[YR_SEGMENT_FOOTER_BYTES];
        yore_file *file;
        yr_segment *segment;
        yr_run *run;
        few_runs(w, 11, 14);
        yr_segment *honest = yr_run_file(w->runs[0], 0);
        (void)snprintf(path, sizeof path, "db/%s", yr_segment_name(honest));
        yr_segment_footer footer = *yr_segment_facts(honest);
        uint64_t seed = yr_file_seed(yr_segment_header(honest)), off = footer.file_bytes - sizeof last;
        footer.rows += lie == 1;
        footer.commits -= lie == 2;
        yr_segment_footer_encode(&footer, seed, last);
        assert_true(yr_segment_footer_decode(yore_bytes(last, sizeof last), footer.file_bytes, seed, false,
                                             &footer, &layout, &why));
        assert_true(yr_sim_file_write(w->sim, path, last, sizeof last, off));
        assert_int_equal(w->env->open(w->env->ctx, w->dir, yr_segment_name(honest), 0, &file), 0);
        yr_segment_open_options open = {.env = w->env, .cache = w->cache, .decoders = w->decoders};
        world_ok(w, yr_segment_open(&open, file, "a lie", &segment, &w->err));
        world_ok(w, yr_run_create(w->env, 1, &segment, 1, &run, &w->err));
        fixed_options(w, YR_SEGMENT_HOT, &options);
        options.keep = NULL;
        uint32_t names = world_names(w);
        yore_status status = yr_merge_runs(&options, &run, 1, &result, &w->err);
        if (lie) {
            assert_int_equal(status, YORE_ERR_CORRUPT);
            assert_non_null(strstr(w->err.message, "a lie"));
            assert_int_equal(world_names(w), names);
        } else {
            world_ok(w, status);
            yr_merge_result_deinit(w->env, &result);
        }
        yr_run_unref(run);
        world_deinit(w);
    }
}

/* -- the rest -- */

static yore_status refuse(void *arg, yore_slice tree_key, bool *answer, yore_error *err)
{
    (void)arg, (void)tree_key, (void)answer, (void)err;
    return YORE_ERR_IO;
}

static void test_a_question_that_fails_ends_the_merge(void **state)
{
    (void)state;
    world *w = &the_world;
    yr_merge_options options;
    few_runs(w, 7, 14);
    fixed_options(w, YR_SEGMENT_HOT, &options);
    options.is_bottom = false;
    options.questions.has_older = refuse;
    uint32_t names = world_names(w);
    assert_int_equal(try_merge(w, &options), YORE_ERR_IO);
    assert_int_equal(world_names(w), names);
    world_deinit(w);
}

static void test_only_neighbours_are_merged(void **state)
{
    (void)state;
    world *w = &the_world;
    yr_merge_options options;
    yr_merge_result result;
    few_runs(w, 8, 5);
    fixed_options(w, YR_SEGMENT_HOT, &options);
    yr_run *apart[] = {w->runs[0], w->runs[2]}, *turned[] = {w->runs[1], w->runs[0]};
    assert_int_equal(yr_merge_runs(&options, apart, 2, &result, &w->err), YORE_ERR_MISUSE);
    assert_int_equal(yr_merge_runs(&options, turned, 2, &result, &w->err), YORE_ERR_MISUSE);
    world_deinit(w);
}

/* A run of about 6 MiB in large values. */
static void large_run(world *w)
{
    yr_segment_build_options build = {
        .after_version = 0, .last_version = 1, .uuid = {1, 2, 3}, .hash_seed = 5};
    yr_segment_builder *builder;
    yr_segment *segment;
    yore_file *file;
    static uint8_t value[60000];
    build.file_id = ++w->last_file_id;
    build.form = YR_SEGMENT_HOT;
    char name[YR_FILE_NAME_BYTES];
    yr_file_name(YR_FILE_SEGMENT, build.file_id, false, name);
    world_ok(w, yr_segment_builder_create(w->env, &build, w->dir, name, &builder, &w->err));
    yr_commit_head head = {
        .version = 1, .time_ns = 1, .branch = 1, .row_count = 100, .kind = YORE_COMMIT_DATA};
    world_ok(w, yr_segment_builder_commit(builder, &head, 0, &w->err));
    for (uint8_t i = 0; i < 100; i++) {
        uint8_t key[6] = {0, 0, 0, 1, YORE_KV, i};
        value[i] = i;
        yr_segment_row row = {
            .tree_key = {key, 6}, .value = {value, sizeof value}, .version = 1, .op = YORE_OP_PUT};
        world_ok(w, yr_segment_builder_add(builder, &row, &w->err));
    }
    world_ok(w, yr_segment_builder_finish(builder, NULL, &w->err));
    yr_segment_builder_destroy(builder);
    assert_int_equal(w->env->open(w->env->ctx, w->dir, name, 0, &file), 0);
    yr_segment_open_options open = {.env = w->env, .cache = w->cache, .decoders = w->decoders};
    world_ok(w, yr_segment_open(&open, file, name, &segment, &w->err));
    world_ok(w, yr_run_create(w->env, 1, &segment, 1, &w->runs[0], &w->err));
    w->run_count = 1;
}

static void test_it_reports_progress_and_can_be_cancelled(void **state)
{
    (void)state;
    world *w = &the_world;
    yr_merge_options options;
    yr_merge_result result;
    world_init(w, 9);
    large_run(w);
    world_options(w, &options);
    options.keep = NULL;
    options.build.form = YR_SEGMENT_HOT;
    options.target_bytes = UINT64_C(2) << 20;
    world_ok(w, yr_merge_runs(&options, w->runs, 1, &result, &w->err));
    assert_int_equal(result.rows_out, 100);
    assert_true(result.file_count >= 3);
    uint64_t calls = w->progress_calls;
    assert_in_range(calls, 5, 6);
    yr_merge_result_remove(&options, &result);
    yr_merge_result_deinit(w->env, &result);
    for (uint64_t after = 1; after <= calls; after++) {
        w->cancel_after = after;
        w->progress_calls = 0;
        assert_int_equal(yr_merge_runs(&options, w->runs, 1, &result, &w->err), YORE_ERR_CANCELLED);
        assert_int_equal(world_names(w), 1);
    }
    world_deinit(w);
}

/* Each output: written, synced, then named; all of it before the directory is synced, and nothing after. */
static void test_outputs_are_durable_when_it_returns(void **state)
{
    (void)state;
    world *w = &the_world;
    yr_merge_options options;
    yr_merge_result result;
    few_runs(w, 10, 14);
    fixed_options(w, YR_SEGMENT_COLD, &options);
    yr_sim_trace_begin(w->sim);
    world_ok(w, yr_merge_runs(&options, w->runs, w->run_count, &result, &w->err));
    const yr_sim_trace *trace = yr_sim_trace_end(w->sim);
    uint32_t renames = 0;
    for (uint32_t i = 0; i < trace->count; i++) {
        const yr_sim_op *op = &trace->ops[i];
        if (op->kind != YR_SIM_TRACE_RENAME) continue;
        bool is_synced = false;
        for (uint32_t k = 0; k < trace->count; k++) {
            if (trace->ops[k].ino != op->ino) continue;
            if (trace->ops[k].kind == YR_SIM_TRACE_WRITE) {
                assert_true(k < i);
                is_synced = false;
            }
            if (trace->ops[k].kind == YR_SIM_TRACE_SYNC && k < i) is_synced = true;
        }
        assert_true(is_synced);
        renames++;
    }
    assert_int_equal(renames, result.file_count);
    assert_int_equal(trace->ops[trace->count - 1].kind, YR_SIM_TRACE_DIR_SYNC);
    yr_merge_result_deinit(w->env, &result);
    world_deinit(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_each_file_operation_may_fail),
        cmocka_unit_test(test_a_disk_full_at_any_length_keeps_inputs_and_no_outputs),
        cmocka_unit_test(test_a_damaged_input_stops_the_merge),
        cmocka_unit_test(test_other_than_was_promised_stops_the_merge),
        cmocka_unit_test(test_a_question_that_fails_ends_the_merge),
        cmocka_unit_test(test_only_neighbours_are_merged),
        cmocka_unit_test(test_it_reports_progress_and_can_be_cancelled),
        cmocka_unit_test(test_outputs_are_durable_when_it_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
