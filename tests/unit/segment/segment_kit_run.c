/* Questions that only runs answer, asked of the run and of the model. */
#include <inttypes.h>

#include "engine/format/value_format.h"
#include "tests/unit/segment/segment_kit.h"

static uint32_t branch_of(const yr_segment_row *row)
{
    return yr_get_be32(row->tree_key.data);
}

/* What the model has of a branch, counted the slow way. */
static yr_run_branch model_branch(const kit_model *model, uint32_t branch)
{
    yr_run_branch b = {.branch = branch};
    for (uint32_t key = 0; key < model->key_count; key++) {
        const yr_segment_row *first = &model->rows[model->key_rows[key]];
        if (branch_of(first) != branch) continue;
        b.keys++;
        b.key_bytes += first->tree_key.size - 5;
        for (uint32_t i = model->key_rows[key]; i < model->key_rows[key + 1]; i++) {
            const yr_segment_row *row = &model->rows[i];
            yr_value_ref ref = {.bytes = row->value.size};
            if (row->is_reference) assert_true(yr_value_ref_decode(row->value, &ref));
            b.rows++;
            b.deletes += row->op == YORE_OP_DEL;
            b.value_bytes += ref.bytes + row->meta.size;
        }
    }
    for (uint32_t i = 0; i < model->commit_count; i++) {
        if (model->commits[i].head.branch != branch) continue;
        if (!b.first_commit) b.first_commit = model->commits[i].head.version;
        b.last_commit = model->commits[i].head.version;
    }
    return b;
}

static void compare_branches(kit *k, const kit_model *model)
{
    uint64_t keys = 0;
    for (uint32_t i = 0; i < yr_run_branch_count(k->run); i++) {
        const yr_run_branch *got = yr_run_branch_at(k->run, i);
        if (i) assert_true(yr_run_branch_at(k->run, i - 1)->branch < got->branch);
        assert_ptr_equal(yr_run_branch_find(k->run, got->branch), got);
        keys += got->keys;
        if (i > 20) continue; /* counting is slow */
        yr_run_branch want = model_branch(model, got->branch);
        assert_true(want.keys == got->keys && want.rows == got->rows && want.deletes == got->deletes);
        assert_true(want.key_bytes == got->key_bytes && want.value_bytes == got->value_bytes);
        assert_true(want.first_commit == got->first_commit && want.last_commit == got->last_commit);
    }
    assert_int_equal(keys, model->key_count);
    for (uint32_t branch = 0; branch < model->shape->branches + 5; branch++) {
        const yr_run_branch *got = yr_run_branch_find(k->run, branch);
        assert_int_equal(yr_run_has_branch(k->run, branch), got && got->rows);
        if (branch < 10 && !got) assert_int_equal(model_branch(model, branch).rows, 0);
    }
    assert_false(yr_run_has_branch(k->run, UINT32_MAX));
}

static void compare_head(kit *k, const kit_model *model, uint32_t branch, uint64_t version)
{
    uint64_t want = 0, got = 1;
    for (uint32_t i = 0; i < model->commit_count && model->commits[i].head.version <= version; i++) {
        if (model->commits[i].head.branch == branch) want = model->commits[i].head.version;
    }
    kit_ok(k, yr_run_head_at(k->run, branch, version, &got, &k->err));
    if (want != got)
        print_error("head of %u at %" PRIu64 ": want %" PRIu64 ", got %" PRIu64 "\n", branch, version, want,
                    got);
    assert_true(want == got);
}

/* All commits one by one, and the times of many at once. */
static void compare_commits(kit *k, const kit_model *model, yr_rng *rng)
{
    enum { TIMES = 40 };
    uint64_t versions[TIMES];
    int64_t times[TIMES];
    uint32_t at[TIMES];
    yr_run_commits commits;
    yr_segment_commit commit;
    kit_ok(k, yr_run_commits_open(k->run, &commits, &k->err));
    for (uint32_t i = 0; i < model->commit_count; i++) {
        kit_ok(k, yr_run_commits_next(&commits, &commit, &k->err));
        assert_true(kit_same_head(&commit.head, &model->commits[i].head));
        assert_int_equal(commit.prev, model->commits[i].prev);
    }
    assert_int_equal(yr_run_commits_next(&commits, &commit, &k->err), YORE_END);
    assert_int_equal(yr_run_commits_next(&commits, &commit, &k->err), YORE_END);
    yr_run_commits_close(&commits);
    for (uint32_t n = 0; n < 10; n++) {
        uint32_t count = (uint32_t)yr_rng_below(rng, TIMES + 1);
        for (uint32_t i = 0; i < count; i++) {
            at[i] = (uint32_t)yr_rng_below(rng, model->commit_count);
            versions[i] = model->commits[at[i]].head.version;
        }
        kit_ok(k, yr_run_commit_times(k->run, versions, times, count, &k->err));
        for (uint32_t i = 0; i < count; i++) assert_true(times[i] == model->commits[at[i]].head.time_ns);
    }
    versions[0] = model->last_version + 1;
    assert_int_equal(yr_run_commit_times(k->run, versions, times, 1, &k->err), YORE_NOT_FOUND);
}

static void compare_rows(kit *k, const kit_model *model)
{
    yr_run_rows rows;
    yr_segment_row row;
    kit_ok(k, yr_run_rows_open(k->run, &rows, &k->err));
    for (uint32_t i = 0; i < model->row_count; i++) {
        kit_ok(k, yr_run_rows_next(&rows, &row, &k->err));
        kit_expect_row(&model->rows[i], &row, "rows");
    }
    assert_int_equal(yr_run_rows_next(&rows, &row, &k->err), YORE_END);
    assert_int_equal(yr_run_rows_next(&rows, &row, &k->err), YORE_END);
    yr_run_rows_close(&rows);
}

/* Rows whose pins were taken stay what they were while the cursor goes on and the cache forgets. */
static void compare_pins(kit *k, const kit_model *model, yr_rng *rng)
{
    enum { KEPT = 12 };
    yr_run_cursor cursor;
    yr_segment_row rows[KEPT];
    uint32_t want[KEPT];
    yr_block_pin pins[KEPT];
    uint32_t n = 0;
    uint64_t cap = kit_some_cap(model, rng);
    bool is_back = yr_rng_below(rng, 2);
    yore_slice start = model->rows[yr_rng_below(rng, model->row_count)].tree_key;
    uint32_t key = kit_model_seek(model, start);
    yr_run_cursor_init(&cursor, k->run, cap, yore_bytes(NULL, 0));
    yr_segment_row row;
    yore_status status = is_back ? yr_run_cursor_seek_reverse(&cursor, start, &row, &k->err)
                                 : yr_run_cursor_seek(&cursor, start, &row, &k->err);
    while (status == YORE_OK && n < KEPT) {
        while (kit_model_find(model, key, cap) == UINT32_MAX) key += is_back ? UINT32_MAX : 1;
        rows[n] = row;
        want[n] = kit_model_find(model, key, cap);
        const yr_block_pin *held = yr_run_cursor_pin(&cursor);
        pins[n] = held ? yr_block_pin_copy(held) : (yr_block_pin){0};
        n++;
        key += is_back ? UINT32_MAX : 1;
        status = is_back ? yr_run_cursor_prev(&cursor, &row, &k->err)
                         : yr_run_cursor_next(&cursor, &row, &k->err);
    }
    assert_true(status == YORE_OK || status == YORE_END);
    yr_run_cursor_deinit(&cursor);
    for (uint32_t i = 0; i < n; i++) {
        kit_expect_row(&model->rows[want[i]], &rows[i], "a pinned row");
        yr_block_pin_release(&pins[i]);
    }
}

void kit_compare_run(kit *k, const kit_model *model, yr_rng *rng)
{
    compare_branches(k, model);
    for (uint32_t i = 0; i < 200; i++)
        compare_head(k, model, (uint32_t)yr_rng_below(rng, 6), kit_some_cap(model, rng));
    compare_commits(k, model, rng);
    compare_rows(k, model);
    for (uint32_t i = 0; i < 40; i++) compare_pins(k, model, rng);
}
