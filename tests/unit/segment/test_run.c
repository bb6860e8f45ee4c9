/* Runs of several files: what cannot be one is refused; damage in one file ends a listing with a failure, never early;
 * loading into memory may be cancelled, and finds damage anywhere; each fault gives its status and leaves nothing. */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>

#include "tests/unit/segment/segment_kit.h"

static const kit_shape run_shape = {"run", 300, 700, 4, 24, 120, 3, 20, true, false, true};

static void run_init(kit *k, kit_model *model, uint32_t files, enum yr_segment_form form)
{
    yr_segment_build_options options;
    kit_model_make(model, &run_shape, 21);
    kit_init(k, 21, 1u << 20);
    k->file_count = files;
    kit_options(model, form, &options);
    options.main_block_bytes = 1024;
    options.history_block_bytes = 512;
    kit_ok(k, kit_build(k, model, &options));
}

/* -- what is one run -- */

/* A file of one or no key; false in has_commit: of its versions no commits. */
static yr_segment *one_file(kit *k, const char *name, const char *key, uint64_t last, uint64_t seed,
                            bool has_commit)
{
    yr_segment_builder *builder;
    yr_segment *segment;
    yore_file *file;
    uint8_t tree_key[8] = {0, 0, 0, 1, YORE_KV};
    yr_segment_build_options options = {
        .file_id = 1, .last_version = last, .hash_seed = seed, .form = YR_SEGMENT_HOT};
    kit_ok(k, yr_segment_builder_create(k->env, &options, k->dir, name, &builder, &k->err));
    if (key) tree_key[5] = (uint8_t)*key;
    yr_segment_row row = {.tree_key = {tree_key, 6}, .version = 1, .op = YORE_OP_DEL};
    if (key) kit_ok(k, yr_segment_builder_add(builder, &row, &k->err));
    yr_commit_head head = {.version = 1, .time_ns = 5, .branch = 1};
    if (has_commit) kit_ok(k, yr_segment_builder_commit(builder, &head, 0, &k->err));
    kit_ok(k, yr_segment_builder_finish(builder, NULL, &k->err));
    yr_segment_builder_destroy(builder);
    assert_int_equal(k->env->open(k->env->ctx, k->dir, name, 0, &file), 0);
    yr_segment_open_options open = {.env = k->env, .cache = k->cache, .decoders = k->decoders};
    kit_ok(k, yr_segment_open(&open, file, name, &segment, &k->err));
    return segment;
}

static void test_files_that_cannot_be_one_run_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *key;
        uint64_t last, seed;
        bool has_commit;
    } bad[] = {{"another version range", "c", 3, 7, false},
               {"another hash seed", "c", 2, 8, false},
               {"commits of its own", "c", 2, 7, true},
               {"no keys", NULL, 2, 7, false},
               {"overlap", "b", 2, 7, false},
               {"overlap", "a", 2, 7, false}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        kit k;
        yr_run *run = NULL;
        kit_init(&k, 1, 1u << 20);
        yr_segment *files[2] = {
            one_file(&k, "1.seg", "b", 2, 7, true),
            one_file(&k, "2.seg", bad[i].key, bad[i].last, bad[i].seed, bad[i].has_commit)};
        assert_int_equal(yr_run_create(k.env, 1, files, 2, &run, &k.err), YORE_ERR_CORRUPT);
        assert_non_null(strstr(k.err.message, bad[i].what));
        assert_non_null(strstr(k.err.message, "2.seg"));
        yr_segment_close(files[0]); /* still ours */
        yr_segment_close(files[1]);
        kit_deinit(&k);
    }
}

static void test_a_file_may_be_of_two_runs(void **state)
{
    (void)state;
    kit k;
    yr_run *first, *second;
    uint64_t head = 0;
    kit_init(&k, 1, 1u << 20);
    yr_segment *files[2] = {one_file(&k, "1.seg", "b", 2, 7, true), one_file(&k, "2.seg", "c", 2, 7, false)};
    kit_ok(&k, yr_run_create(k.env, 1, files, 2, &first, &k.err));
    yr_segment *shared[1] = {yr_segment_ref(files[0])};
    kit_ok(&k, yr_run_create(k.env, 2, shared, 1, &second, &k.err));
    yr_run_ref(first);
    yr_run_unref(first);
    yr_run_unref(first);
    kit_ok(&k, yr_run_head_at(second, 1, 9, &head, &k.err));
    assert_int_equal(head, 1);
    yr_run_unref(second);
    yr_run_unref(NULL);
    kit_deinit(&k);
}

/* -- damage -- */

/* A listing of `want` rows that was read up to `n` and then gave this. */
static void expect_end(kit *k, yore_status status, uint32_t n, uint32_t want, bool *is_hit)
{
    if (status == YORE_ERR_CORRUPT) {
        assert_non_null(strstr(k->err.message, ".seg"));
        *is_hit = true;
        return;
    }
    assert_int_equal(status, YORE_END);
    assert_int_equal(n, want);
}

static bool list_all(kit *k, const kit_model *model)
{
    bool is_hit = false;
    yr_segment_row row;
    for (int back = 0; back < 2; back++) {
        yr_run_cursor cursor;
        uint32_t n = 0;
        yore_slice none = {NULL, 0};
        yr_run_cursor_init(&cursor, k->run, UINT64_MAX, none);
        yore_status status = back ? yr_run_cursor_seek_reverse(&cursor, none, &row, &k->err)
                                  : yr_run_cursor_seek(&cursor, none, &row, &k->err);
        for (; status == YORE_OK; n++) {
            uint32_t key = back ? model->key_count - 1 - n : n;
            assert_true(key < model->key_count && kit_same_row(&row, &model->rows[model->key_rows[key]]));
            status = back ? yr_run_cursor_prev(&cursor, &row, &k->err)
                          : yr_run_cursor_next(&cursor, &row, &k->err);
        }
        expect_end(k, status, n, model->key_count, &is_hit);
        yr_run_cursor_deinit(&cursor);
    }
    yr_run_changes changes;
    uint32_t n = 0;
    yore_status status = yr_run_changes_open(k->run, 0, &changes, &k->err);
    if (status == YORE_OK) {
        while ((status = yr_run_changes_next(&changes, &row, &k->err)) == YORE_OK) {
            assert_true(kit_same_row(&row, &model->rows[model->by_version[n]]));
            n++;
        }
        if (status < 0) assert_int_equal(yr_run_changes_next(&changes, &row, NULL), status);
        yr_run_changes_close(&changes);
    }
    expect_end(k, status, n, model->row_count, &is_hit);
    return is_hit;
}

/* All rows, going on behind damage: how many are left out. None is made up. */
static uint32_t salvage_all(kit *k, const kit_model *model)
{
    yr_run_rows rows;
    yr_segment_row row;
    uint32_t at = 0, got = 0, skips = 0;
    yore_status status = YORE_OK;
    kit_ok(k, yr_run_rows_open(k->run, &rows, &k->err));
    while (status != YORE_END) {
        status = yr_run_rows_next(&rows, &row, &k->err);
        if (status == YORE_ERR_CORRUPT) {
            assert_int_equal(yr_run_rows_next(&rows, &row, &k->err), YORE_ERR_CORRUPT);
            yr_run_rows_skip(&rows);
            skips++;
        } else if (status == YORE_OK) {
            while (at < model->row_count && !kit_same_row(&row, &model->rows[at])) at++;
            assert_true(at < model->row_count);
            at++;
            got++;
        } else {
            assert_int_equal(status, YORE_END);
        }
    }
    yr_run_rows_close(&rows);
    assert_true(skips ? got < model->row_count : got == model->row_count);
    return model->row_count - got;
}

/* All commits, the same way. */
static uint32_t salvage_commits(kit *k, const kit_model *model)
{
    yr_run_commits commits;
    yr_segment_commit commit;
    uint32_t at = 0, got = 0, skips = 0;
    yore_status status = YORE_OK;
    kit_ok(k, yr_run_commits_open(k->run, &commits, &k->err));
    while (status != YORE_END) {
        status = yr_run_commits_next(&commits, &commit, &k->err);
        if (status == YORE_ERR_CORRUPT) {
            yr_run_commits_skip(&commits);
            skips++;
        } else if (status == YORE_OK) {
            while (at < model->commit_count && model->commits[at].head.version < commit.head.version) at++;
            assert_true(at < model->commit_count && kit_same_head(&commit.head, &model->commits[at].head));
            at++;
            got++;
        } else {
            assert_int_equal(status, YORE_END);
        }
    }
    yr_run_commits_close(&commits);
    assert_true(skips ? got < model->commit_count : got == model->commit_count);
    return model->commit_count - got;
}

static void damage_form(enum yr_segment_form form)
{
    static const char *const paths[] = {"db/000001.seg", "db/000002.seg", "db/000003.seg"};
    kit k;
    kit_model model;
    uint32_t listed = 0, salvaged = 0, tries = 0, unopened = 0;
    uint64_t lost = 0;
    run_init(&k, &model, 3, form);
    for (uint32_t f = 0; f < 3; f++) {
        uint64_t bits = 8 * (uint64_t)yr_sim_file_size(k.sim, paths[f]);
        for (uint64_t bit = 8 * YR_FILE_HEADER_BYTES; bit < bits; bit += 3001, tries++) {
            assert_true(yr_sim_file_flip(k.sim, paths[f], bit));
            yore_status status = kit_open(&k, KIT_PREAD);
            if (status == YORE_OK) {
                listed += list_all(&k, &model);
                kit_close(&k);
            } else {
                assert_int_equal(status, YORE_ERR_CORRUPT);
            }
            k.is_salvage = true;
            status = kit_open(&k, KIT_PREAD);
            k.is_salvage = false;
            if (status == YORE_OK) {
                uint32_t n = salvage_all(&k, &model), m = salvage_commits(&k, &model);
                salvaged += n > 0 || m > 0;
                lost += n;
                kit_close(&k);
            } else {
                unopened++;
            }
            assert_true(yr_sim_file_flip(k.sim, paths[f], bit));
        }
    }
    print_message("%u flips: %u ended a listing, %u were passed over at a loss of %" PRIu64
                  " of %u rows each\n",
                  tries, listed, salvaged, lost / salvaged, model.row_count);
    assert_true(listed > tries / 4 && salvaged > tries / 4);
    /* A block is a few rows; but a page of the block table is all that these small files have. */
    assert_true(lost / salvaged < model.row_count / 10);
    kit_deinit(&k);
    kit_model_free(&model);
}

static void test_damage_ends_a_listing_with_a_failure(void **state)
{
    (void)state;
    damage_form(YR_SEGMENT_HOT);
    damage_form(YR_SEGMENT_COLD);
}

/* -- loading -- */

static void test_loading_may_be_cancelled(void **state)
{
    (void)state;
    kit k;
    kit_model model;
    yr_segment *segment = NULL;
    yore_file *file;
    _Atomic bool cancel = true;
    run_init(&k, &model, 1, YR_SEGMENT_HOT);
    yr_segment_open_options options = {.env = k.env, .cache = k.cache, .decoders = k.decoders};
    assert_int_equal(k.env->open(k.env->ctx, k.dir, KIT_NAME, 0, &file), 0);
    assert_int_equal(yr_segment_load(&options, file, KIT_NAME, &cancel, &segment, &k.err),
                     YORE_ERR_CANCELLED);
    atomic_store(&cancel, false);
    kit_ok(&k, yr_segment_load(&options, file, KIT_NAME, &cancel, &segment, &k.err));
    assert_int_equal(yr_segment_image_bytes(segment), yr_segment_facts(segment)->file_bytes);
    assert_true(yr_segment_index_bytes(segment) > 0);
    yr_segment_close(segment);
    kit_deinit(&k);
    kit_model_free(&model);
}

/* -- faults -- */

/* Open and read some of everything. */
static yore_status live(kit *k, const kit_model *model, enum kit_way way)
{
    yr_segment_row row;
    yore_status status = kit_open(k, way);
    if (status < 0) return status;
    for (uint32_t key = 0; key < model->key_count && status >= 0; key += 9) {
        yr_segment_hit hit = {0};
        yore_slice tree_key = model->rows[model->key_rows[key]].tree_key;
        status = yr_run_find(k->run, tree_key, kit_hash(k, tree_key), UINT64_MAX, &hit, &k->err);
        if (status == YORE_OK) assert_true(kit_same_row(&hit.row, &model->rows[model->key_rows[key]]));
        yr_segment_hit_release(&hit);
    }
    yr_run_rows rows;
    yr_run_changes changes;
    yr_run_commits commits;
    yr_segment_commit commit;
    uint32_t n = 0;
    if (status >= 0) status = yr_run_rows_open(k->run, &rows, &k->err);
    if (status >= 0) {
        while ((status = yr_run_rows_next(&rows, &row, &k->err)) == YORE_OK)
            assert_true(kit_same_row(&row, &model->rows[n++]));
        yr_run_rows_close(&rows);
        if (status == YORE_END) assert_int_equal(n, model->row_count);
    }
    if (status >= 0) status = yr_run_changes_open(k->run, 0, &changes, &k->err);
    if (status >= 0) {
        while ((status = yr_run_changes_next(&changes, &row, &k->err)) == YORE_OK) n--;
        yr_run_changes_close(&changes);
        if (status == YORE_END) assert_int_equal(n, 0);
    }
    if (status >= 0) status = yr_run_commits_open(k->run, &commits, &k->err);
    if (status >= 0) {
        while ((status = yr_run_commits_next(&commits, &commit, &k->err)) == YORE_OK) n++;
        yr_run_commits_close(&commits);
        if (status == YORE_END) assert_int_equal(n, model->commit_count);
    }
    kit_close(k);
    return status < 0 ? status : YORE_OK;
}

static void test_each_allocation_and_read_may_fail(void **state)
{
    (void)state;
    static const enum kit_way ways[] = {KIT_PREAD, KIT_LOAD};
    kit k;
    kit_model model;
    run_init(&k, &model, 3, YR_SEGMENT_COLD);
    for (uint32_t w = 0; w < 2; w++) {
        uint64_t hits = 1, failures = 0;
        for (uint64_t nth = 1; hits; nth++) {
            yr_sim_fail_alloc(k.sim, nth, nth % 2);
            yore_status status = live(&k, &model, ways[w]);
            hits = yr_sim_alloc_fault_hits(k.sim);
            yr_sim_fail_alloc(k.sim, 0, false);
            if (status != YORE_OK) assert_int_equal(status, YORE_ERR_NOMEM);
            failures += status < 0;
        }
        assert_true(failures > 20);
        hits = 1;
        failures = 0;
        for (uint64_t nth = 1; hits; nth++) {
            yr_sim_set_fault(k.sim, (yr_sim_fault){YR_SIM_OP_READ, nth, EIO, nth % 2, false});
            yore_status status = live(&k, &model, ways[w]);
            hits = yr_sim_fault_hits(k.sim);
            yr_sim_set_fault(k.sim, (yr_sim_fault){0});
            if (status != YORE_OK) assert_int_equal(status, YORE_ERR_IO);
            failures += status < 0;
        }
        assert_true(failures > 10);
        kit_ok(&k, live(&k, &model, ways[w]));
    }
    kit_deinit(&k);
    kit_model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_that_cannot_be_one_run_are_refused),
        cmocka_unit_test(test_a_file_may_be_of_two_runs),
        cmocka_unit_test(test_damage_ends_a_listing_with_a_failure),
        cmocka_unit_test(test_loading_may_be_cancelled),
        cmocka_unit_test(test_each_allocation_and_read_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
