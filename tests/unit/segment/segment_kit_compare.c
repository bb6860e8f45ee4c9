/* Questions that one segment answers as well as a run of them, asked of the run and of the model. */
#include <inttypes.h>

#include "tests/unit/segment/segment_kit.h"

void kit_expect_row(const yr_segment_row *want, const yr_segment_row *got, const char *what)
{
    if (kit_same_row(want, got)) return;
    print_error("%s: want version %" PRIu64 " of a key of %zu bytes, got version %" PRIu64 " of one of %zu\n",
                what, want->version, want->tree_key.size, got->version, got->tree_key.size);
    fail();
}

uint64_t kit_some_cap(const kit_model *model, yr_rng *rng)
{
    uint64_t range = model->last_version - model->after_version;
    switch (yr_rng_below(rng, 8)) {
    case 0: return UINT64_MAX;
    case 1: return model->after_version;
    case 2: return model->last_version;
    default: return model->after_version + yr_rng_below(rng, range + 2);
    }
}

static void compare_find(kit *k, const kit_model *model, uint32_t key, uint64_t cap)
{
    yr_segment_hit hit = {0};
    yore_slice tree_key = model->rows[model->key_rows[key]].tree_key;
    uint32_t want = kit_model_find(model, key, cap);
    yr_run_prefetch(k->run, tree_key, kit_hash(k, tree_key)); /* change nothing */
    yr_run_prefetch_record(k->run, tree_key, kit_hash(k, tree_key));
    yore_status status = yr_run_find(k->run, tree_key, kit_hash(k, tree_key), cap, &hit, &k->err);
    assert_kit_status(k, want == UINT32_MAX ? YORE_NOT_FOUND : YORE_OK, status, "find", __LINE__);
    if (status == YORE_OK) kit_expect_row(&model->rows[want], &hit.row, "find");
    yr_segment_hit_release(&hit);
}

static void compare_versions(kit *k, const kit_model *model, uint32_t key, uint64_t cap)
{
    yr_run_versions versions;
    yr_segment_row row;
    yore_slice tree_key = model->rows[model->key_rows[key]].tree_key;
    yore_status status =
        yr_run_versions_open(k->run, tree_key, kit_hash(k, tree_key), cap, &versions, &k->err);
    if (cap <= model->after_version) {
        assert_kit_status(k, YORE_NOT_FOUND, status, "versions_open", __LINE__);
        return;
    }
    kit_ok(k, status);
    uint32_t i = kit_model_find(model, key, cap);
    for (; i < model->key_rows[key + 1]; i++) {
        kit_ok(k, yr_run_versions_next(&versions, &row, &k->err));
        kit_expect_row(&model->rows[i], &row, "versions");
    }
    assert_int_equal(yr_run_versions_next(&versions, &row, &k->err), YORE_END);
    assert_int_equal(yr_run_versions_next(&versions, &row, &k->err), YORE_END);
    yr_run_versions_close(&versions);
}

yore_slice kit_some_key(const kit_model *model, yr_rng *rng, uint8_t to[YR_SEGMENT_TREE_KEY_MAX + 4])
{
    yore_slice key = model->rows[yr_rng_below(rng, model->row_count)].tree_key;
    memcpy(to, key.data, key.size);
    size_t size = key.size;
    switch (yr_rng_below(rng, 6)) {
    case 0: to[yr_rng_below(rng, size)] ^= (uint8_t)(1u << yr_rng_below(rng, 8)); break;
    case 1: size = 6 + (size_t)yr_rng_below(rng, size - 5); break;
    case 2: to[size++] = (uint8_t)yr_rng_next(rng); break;
    case 3: to[size - 1]++; break;
    default: break;
    }
    if (size > YR_SEGMENT_TREE_KEY_MAX) size = YR_SEGMENT_TREE_KEY_MAX;
    return yore_bytes(to, size);
}

uint32_t kit_model_seek(const kit_model *model, yore_slice key)
{
    uint32_t low = 0, high = model->key_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (yr_slice_compare(model->rows[model->key_rows[middle]].tree_key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void compare_missing(kit *k, const kit_model *model, yr_rng *rng)
{
    static uint8_t bytes[YR_SEGMENT_TREE_KEY_MAX + 4];
    yore_slice key = kit_some_key(model, rng, bytes);
    uint32_t at = kit_model_seek(model, key);
    if (at < model->key_count && yr_slice_equal(model->rows[model->key_rows[at]].tree_key, key)) return;
    yr_segment_hit hit = {0};
    yore_status status = yr_run_find(k->run, key, kit_hash(k, key), UINT64_MAX, &hit, &k->err);
    assert_kit_status(k, YORE_NOT_FOUND, status, "find of a missing key", __LINE__);
}

bool kit_has_prefix(const kit_model *model, uint32_t key, yore_slice prefix)
{
    yore_slice tree_key = model->rows[model->key_rows[key]].tree_key;
    return tree_key.size >= prefix.size &&
           (!prefix.size || memcmp(tree_key.data, prefix.data, prefix.size) == 0);
}

/* Walk up to `steps` rows from a key, forward or back, with turns. */
static void compare_scan(kit *k, const kit_model *model, yr_rng *rng, uint32_t steps)
{
    static uint8_t bytes[YR_SEGMENT_TREE_KEY_MAX + 4], prefix_bytes[YR_SEGMENT_TREE_KEY_MAX + 4];
    yore_slice key = kit_some_key(model, rng, bytes), prefix = {NULL, 0};
    if (yr_rng_below(rng, 10) == 0) key.size = 0;
    if (yr_rng_below(rng, 2)) {
        prefix = kit_some_key(model, rng, prefix_bytes);
        prefix.size = 1 + (size_t)yr_rng_below(rng, prefix.size);
        if (yr_rng_below(rng, 2) && key.size > prefix.size) memcpy(bytes, prefix_bytes, prefix.size);
    }
    uint64_t cap = kit_some_cap(model, rng);
    bool is_back = yr_rng_below(rng, 2);
    yr_run_cursor cursor;
    yr_segment_row row;
    yr_run_cursor_init(&cursor, k->run, cap, prefix);
    yore_status status = is_back ? yr_run_cursor_seek_reverse(&cursor, key, &row, &k->err)
                                 : yr_run_cursor_seek(&cursor, key, &row, &k->err);
    /* The model's place: a key index, one past either end counted with an offset of 1. */
    int64_t at = kit_model_seek(model, key);
    if (is_back) {
        bool is_there = at < model->key_count &&
                        yr_slice_equal(model->rows[model->key_rows[at]].tree_key, key);
        if (!is_there) at--;
        if (key.size == 0) at = (int64_t)model->key_count - 1;
        while (at >= 0 && !kit_has_prefix(model, (uint32_t)at, prefix) &&
               yr_slice_compare(model->rows[model->key_rows[at]].tree_key, prefix) > 0) {
            at--;
        }
    } else {
        while (at < model->key_count && !kit_has_prefix(model, (uint32_t)at, prefix) &&
               yr_slice_compare(model->rows[model->key_rows[at]].tree_key, prefix) < 0) {
            at++;
        }
    }
    for (;;) {
        int64_t step = is_back ? -1 : 1;
        while (at >= 0 && at < model->key_count && kit_has_prefix(model, (uint32_t)at, prefix) &&
               kit_model_find(model, (uint32_t)at, cap) == UINT32_MAX) {
            at += step;
        }
        bool is_in = at >= 0 && at < model->key_count && kit_has_prefix(model, (uint32_t)at, prefix);
        assert_kit_status(k, is_in ? YORE_OK : YORE_END, status, "scan", __LINE__);
        if (!is_in) break;
        kit_expect_row(&model->rows[kit_model_find(model, (uint32_t)at, cap)], &row, "scan");
        if (steps-- == 0) break;
        if (yr_rng_below(rng, 50) == 0) is_back = !is_back;
        at += is_back ? -1 : 1;
        status = is_back ? yr_run_cursor_prev(&cursor, &row, &k->err)
                         : yr_run_cursor_next(&cursor, &row, &k->err);
    }
    yr_run_cursor_deinit(&cursor);
}

bool kit_same_head(const yr_commit_head *a, const yr_commit_head *b)
{
    return a->version == b->version && a->time_ns == b->time_ns && a->source_time_ns == b->source_time_ns &&
           a->wall_ns == b->wall_ns && a->branch == b->branch && a->row_count == b->row_count &&
           a->kind == b->kind &&
           yr_slice_equal(yore_bytes(a->parents, 8 * (size_t)a->parent_count),
                          yore_bytes(b->parents, 8 * (size_t)b->parent_count)) &&
           yr_slice_equal(a->note, b->note) && yr_slice_equal(a->author, b->author) &&
           yr_slice_equal(a->source, b->source);
}

static void compare_commit(kit *k, const kit_model *model, uint64_t version)
{
    yr_segment_commit commit;
    int64_t time_ns = 0;
    uint32_t low = 0; /* commits at or below the version */
    while (low < model->commit_count && model->commits[low].head.version <= version) low++;
    bool is_there = low && model->commits[low - 1].head.version == version;
    yore_status status = yr_run_commit_find(k->run, version, false, &commit, &k->err);
    assert_kit_status(k, low ? YORE_OK : YORE_NOT_FOUND, status, "commit_find", __LINE__);
    if (low) {
        assert_true(kit_same_head(&commit.head, &model->commits[low - 1].head));
        assert_int_equal(commit.prev, model->commits[low - 1].prev);
        yr_segment_commit_release(&commit);
    }
    status = yr_run_commit_find(k->run, version, true, &commit, &k->err);
    assert_kit_status(k, is_there ? YORE_OK : YORE_NOT_FOUND, status, "commit_find exact", __LINE__);
    if (is_there) yr_segment_commit_release(&commit);
    status = yr_run_commit_time(k->run, version, &time_ns, &k->err);
    assert_kit_status(k, is_there ? YORE_OK : YORE_NOT_FOUND, status, "commit_time", __LINE__);
    if (is_there) assert_int_equal(time_ns, model->commits[low - 1].head.time_ns);
}

static void compare_time(kit *k, const kit_model *model, int64_t time_ns)
{
    uint64_t version = 0;
    uint32_t low = 0;
    while (low < model->commit_count && model->commits[low].head.time_ns <= time_ns) low++;
    yore_status status = yr_run_version_at(k->run, time_ns, &version, &k->err);
    assert_kit_status(k, low ? YORE_OK : YORE_NOT_FOUND, status, "version_at", __LINE__);
    if (low) assert_int_equal(version, model->commits[low - 1].head.version);
}

static void compare_changes(kit *k, const kit_model *model, uint64_t after, uint32_t most)
{
    yr_run_changes changes;
    yr_segment_row row;
    uint32_t i = 0;
    while (i < model->row_count && model->rows[model->by_version[i]].version <= after) i++;
    kit_ok(k, yr_run_changes_open(k->run, after, &changes, &k->err));
    for (; i < model->row_count && most; i++, most--) {
        kit_ok(k, yr_run_changes_next(&changes, &row, &k->err));
        kit_expect_row(&model->rows[model->by_version[i]], &row, "changes");
    }
    if (most) {
        assert_int_equal(yr_run_changes_next(&changes, &row, &k->err), YORE_END);
        assert_int_equal(yr_run_changes_next(&changes, &row, &k->err), YORE_END);
    }
    yr_run_changes_close(&changes);
}

/* Pieces of the list, each further on: by keys only, or whole rows. */
static void compare_skips(kit *k, const kit_model *model, yr_rng *rng, bool keys_only)
{
    yr_run_changes changes;
    yr_segment_row row;
    uint64_t after = 0;
    uint32_t i = 0;
    kit_ok(k, yr_run_changes_open(k->run, 0, &changes, &k->err));
    if (keys_only) yr_run_changes_keys_only(&changes);
    while (i < model->row_count) {
        uint64_t span = yr_rng_below(rng, 3) ? 20 : model->last_version - model->after_version;
        uint64_t skipped = after + yr_rng_below(rng, span);
        if (skipped < model->after_version) skipped = model->after_version;
        kit_ok(k, yr_run_changes_skip(&changes, skipped, &k->err));
        while (i < model->row_count && model->rows[model->by_version[i]].version <= skipped) i++;
        after = skipped;
        for (uint64_t n = yr_rng_below(rng, 5); n > 0 && i < model->row_count; n--, i++) {
            const yr_segment_row *want = &model->rows[model->by_version[i]];
            assert_int_equal(yr_run_changes_peek(&changes), want->version);
            kit_ok(k, yr_run_changes_next(&changes, &row, &k->err));
            after = want->version;
            if (!keys_only) kit_expect_row(want, &row, "changes behind a skip");
            assert_int_equal(row.version, want->version);
            assert_true(yr_slice_equal(row.tree_key, want->tree_key));
        }
    }
    assert_true(yr_run_changes_peek(&changes) == UINT64_MAX);
    assert_int_equal(yr_run_changes_next(&changes, &row, &k->err), YORE_END);
    yr_run_changes_close(&changes);
}

static void compare_facts(kit *k, const kit_model *model)
{
    static uint8_t bound[YR_SEGMENT_TREE_KEY_MAX];
    uint64_t keys = 0, rows = 0, commits = 0, group_keys = 0, group_rows = 0;
    assert_int_equal(yr_run_after(k->run), model->after_version);
    assert_int_equal(yr_run_last(k->run), model->last_version);
    assert_int_equal(yr_run_id(k->run), 9);
    for (uint32_t f = 0; f < yr_run_file_count(k->run); f++) {
        yr_segment *file = yr_run_file(k->run, f);
        const yr_segment_footer *facts = yr_segment_facts(file);
        uint64_t first = keys;
        keys += facts->keys;
        rows += facts->rows;
        commits += facts->commits;
        for (int last = 0; last < 2; last++) {
            size_t size = 0;
            kit_ok(k, yr_segment_bound(file, last, bound, &size, &k->err));
            if (facts->keys == 0) assert_int_equal(size, 0);
            if (facts->keys == 0) continue;
            yore_slice want = model->rows[model->key_rows[last ? keys - 1 : first]].tree_key;
            assert_true(yr_slice_equal(want, yore_bytes(bound, size)));
        }
        for (uint32_t i = 0; i < yr_segment_group_count(file); i++) {
            yr_segment_group group;
            kit_ok(k, yr_segment_group_get(file, i, &group, &k->err));
            group_keys += group.keys;
            group_rows += group.rows;
        }
    }
    assert_true(keys == model->key_count && group_keys == keys);
    assert_true(rows == model->row_count && group_rows == rows);
    assert_int_equal(commits, model->commit_count);
}

void kit_compare(kit *k, const kit_model *model, uint64_t seed)
{
    yr_rng rng = {seed};
    compare_facts(k, model);
    for (uint32_t key = 0; key < model->key_count; key++) {
        compare_find(k, model, key, UINT64_MAX);
        compare_find(k, model, key, kit_some_cap(model, &rng));
        if (yr_rng_below(&rng, 4) == 0) compare_versions(k, model, key, kit_some_cap(model, &rng));
        compare_missing(k, model, &rng);
    }
    for (uint32_t i = 0; i < 200; i++) {
        compare_find(k, model, (uint32_t)yr_rng_below(&rng, model->key_count), kit_some_cap(model, &rng));
        compare_scan(k, model, &rng, 60);
    }
    for (uint32_t i = 0; i < 5; i++) compare_scan(k, model, &rng, UINT32_MAX);
    for (uint32_t i = 0; i < 300; i++) {
        compare_commit(k, model, kit_some_cap(model, &rng));
        const yr_commit_head *head = &model->commits[yr_rng_below(&rng, model->commit_count)].head;
        compare_time(k, model, head->time_ns + (int64_t)yr_rng_below(&rng, 3) - 1);
    }
    compare_commit(k, model, 0);
    compare_time(k, model, INT64_MIN);
    compare_time(k, model, INT64_MAX);
    compare_changes(k, model, 0, UINT32_MAX);
    for (uint32_t i = 0; i < 10; i++) compare_changes(k, model, kit_some_cap(model, &rng), 50);
    for (uint32_t i = 0; i < 6; i++) compare_skips(k, model, &rng, i % 2);
    kit_compare_run(k, model, &rng);
}
