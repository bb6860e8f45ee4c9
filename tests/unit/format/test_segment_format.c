/* Commit and info blocks, and rows that refer to value files, as bytes alone: what goes in comes out, at every width of
 * a column, and what is cut or changed is refused or stays within its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/format/segment_block.h"
#include "engine/format/segment_commits.h"

static yr_commits_maker maker; /* large */

/* A block of `count` commits: branches up to `branches` above `base`, versions `step` apart. */
static yr_buf make_block(uint32_t count, uint32_t base, uint32_t branches, uint64_t step, uint64_t seed)
{
    yr_rng rng = {seed};
    yr_buf out;
    maker.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        yr_commit_head head = {.version = 1000 + i * step,
                               .time_ns = -5000 + (int64_t)i * 1000003,
                               .branch = base + (uint32_t)yr_rng_below(&rng, branches),
                               .kind = YORE_COMMIT_DATA};
        yr_commits_maker_add(&maker, &head, i % 3 ? head.version - i % 3 : 0,
                             (yr_info_ref){i / 100, i % 7 * 8});
    }
    yr_buf_init(&out, yore_env_default(), 1u << 20);
    assert_true(yr_commits_maker_finish(&maker, &out));
    return out;
}

static void test_commits_come_out_at_every_width(void **state)
{
    (void)state;
    static const uint32_t branches[] = {1, 2, 255, 257, 65537, 1u << 25};
    for (size_t b = 0; b < sizeof branches / sizeof *branches; b++) {
        for (uint64_t step = 1; step < 1000; step *= 9) {
            const uint32_t count = 1 + (uint32_t)(b * 100 + step) % YR_COMMITS_PER_BLOCK;
            yr_buf raw = make_block(count, 7, branches[b], step, b + step);
            yr_commits commits;
            yr_rng rng = {b + step};
            assert_true(yr_commits_open(yore_bytes(raw.data, raw.size), &commits));
            assert_int_equal(commits.count, count);
            for (uint32_t i = 0; i < count; i++) {
                yr_commit_head head;
                yr_info_ref info;
                uint64_t prev, version = 1000 + i * step;
                int64_t time_ns = 1;
                assert_true(yr_commits_describe(&commits, i, &head, &prev, &info));
                assert_true(head.version == version && head.time_ns == -5000 + (int64_t)i * 1000003);
                assert_int_equal(head.branch, 7 + (uint32_t)yr_rng_below(&rng, branches[b]));
                assert_int_equal(prev, i % 3 ? version - i % 3 : 0);
                assert_true(info.block == i / 100 && info.off == i % 7 * 8);
                assert_int_equal(yr_commits_rank(&commits, YR_COLUMN_VERSION, version), i + 1);
                assert_int_equal(yr_commits_rank(&commits, YR_COLUMN_VERSION, version - 1), i);
                assert_int_equal(yr_commits_rank(&commits, YR_COLUMN_TIME, (uint64_t)(head.time_ns + 1)),
                                 i + 1);
                bool is_direct = yr_commits_time(yore_bytes(raw.data, raw.size), version, &time_ns);
                assert_int_equal(is_direct, step == 1 || count == 1);
                if (is_direct) assert_true(time_ns == head.time_ns);
            }
            int64_t time_ns;
            assert_false(yr_commits_time(yore_bytes(raw.data, raw.size), 999, &time_ns));
            assert_false(yr_commits_time(yore_bytes(raw.data, raw.size), 1000 + count * step, &time_ns));
            yr_buf_deinit(&raw);
        }
    }
}

static void test_the_last_commit_of_a_branch_is_found_at_every_width(void **state)
{
    (void)state;
    static const uint32_t branches[] = {1, 3, 256, 300, 70000};
    for (size_t b = 0; b < sizeof branches / sizeof *branches; b++) {
        yr_buf raw = make_block(200, 1000, branches[b], 1, b);
        yr_commits commits;
        assert_true(yr_commits_open(yore_bytes(raw.data, raw.size), &commits));
        for (uint32_t end = 0; end <= 200; end += 13) {
            for (uint32_t branch = 990; branch < 1310; branch++) {
                uint32_t want = UINT32_MAX;
                for (uint32_t i = 0; i < end; i++) {
                    if (yr_commits_get(&commits, YR_COLUMN_BRANCH, i) == branch) want = i;
                }
                assert_int_equal(yr_commits_last_of(&commits, branch, end), want);
            }
        }
        yr_buf_deinit(&raw);
    }
}

/* Cut anywhere, a block is refused; changed anywhere, nothing is read outside of it (the sanitizers watch). */
static void test_damaged_commit_blocks_are_refused_or_stay_in_bounds(void **state)
{
    (void)state;
    yr_buf raw = make_block(40, 3, 300, 1, 4);
    yr_commits commits;
    uint8_t *exact = malloc(raw.size);
    assert_non_null(exact);
    memcpy(exact, raw.data, raw.size);
    for (size_t size = 0; size < raw.size; size++) {
        int64_t time_ns;
        assert_false(yr_commits_open(yore_bytes(exact, size), &commits));
        (void)yr_commits_time(yore_bytes(exact, size), 1039, &time_ns);
    }
    for (size_t bit = 0; bit < 8 * raw.size; bit++) {
        int64_t time_ns;
        exact[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        for (uint64_t v = 999; v < 1045; v++) (void)yr_commits_time(yore_bytes(exact, raw.size), v, &time_ns);
        if (yr_commits_open(yore_bytes(exact, raw.size), &commits)) {
            for (uint32_t i = 0; i < commits.count; i++) {
                yr_commit_head head;
                yr_info_ref info;
                uint64_t prev;
                (void)yr_commits_describe(&commits, i, &head, &prev, &info);
            }
            uint32_t at = yr_commits_last_of(&commits, 5, commits.count);
            assert_true(at == UINT32_MAX || at < commits.count);
            assert_true(yr_commits_rank(&commits, YR_COLUMN_VERSION, 1020) <= commits.count);
        }
        exact[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    free(exact);
    yr_buf_deinit(&raw);
}

static void test_infos_come_out_and_cut_ones_are_refused(void **state)
{
    (void)state;
    static const uint8_t parents[16] = {1, 0, 0, 0, 0, 0, 0, 0, 2};
    yr_buf raw;
    yr_commit_head heads[8] = {0}, got;
    uint32_t offs[8], end;
    yr_buf_init(&raw, yore_env_default(), 1u << 20);
    assert_true(yr_info_block_begin(&raw, 77));
    for (uint32_t i = 1; i < 8; i++) { /* every mixture */
        if (i & 1) heads[i].note = yore_str("a note");
        if (i & 2) heads[i].wall_ns = -3;
        if (i & 4) {
            heads[i].parents = parents;
            heads[i].parent_count = 2;
            heads[i].source_time_ns = 9;
            heads[i].author = yore_str("someone");
            heads[i].source = yore_str("somewhere");
        }
        offs[i] = (uint32_t)raw.size;
        assert_true(yr_info_append(&raw, &heads[i]));
        assert_int_equal(raw.size, offs[i] + yr_info_bytes(&heads[i]));
    }
    assert_int_equal(yr_info_bytes(&heads[0]), 0);
    for (uint32_t i = 1; i < 8; i++) {
        got = (yr_commit_head){0};
        assert_true(yr_info_take(yore_bytes(raw.data, raw.size), offs[i], &got, &end));
        assert_int_equal(end, i < 7 ? offs[i + 1] : raw.size);
        assert_true(yr_slice_equal(got.note, heads[i].note) && yr_slice_equal(got.author, heads[i].author));
        assert_true(yr_slice_equal(got.source, heads[i].source) && got.wall_ns == heads[i].wall_ns);
        assert_true(got.source_time_ns == heads[i].source_time_ns &&
                    got.parent_count == heads[i].parent_count);
        assert_true(!got.parent_count || memcmp(got.parents, parents, sizeof parents) == 0);
        for (uint32_t size = 0; size < end; size++) {
            uint8_t *exact = malloc(size ? size : 1);
            assert_non_null(exact);
            memcpy(exact, raw.data, size);
            assert_false(yr_info_take(yore_bytes(exact, size), offs[i], &got, &end));
            free(exact);
            end = (uint32_t)(offs[i] + yr_info_bytes(&heads[i]));
        }
    }
    assert_false(yr_info_take(yore_bytes(raw.data, raw.size), 0, &got, &end));
    yr_buf_deinit(&raw);
}

/* A reference is a put of its one size, in records and in chunks. */
static void test_references_are_of_one_size(void **state)
{
    (void)state;
    static const uint8_t value[YR_REFERENCE_BYTES + 4] = {1};
    static const yr_history_ref none = {0};
    for (size_t size = 0; size <= sizeof value; size++) {
        for (uint8_t op = YORE_OP_PUT; op <= YORE_OP_DEL; op++) {
            yr_buf out;
            yr_record record;
            yr_chunk_maker chunk_maker;
            yr_chunk chunk;
            yr_segment_row row = {.tree_key = yore_bytes("\0\0\0\1\1k", 6),
                                  .version = 5,
                                  .op = op,
                                  .value = yore_bytes(value, size),
                                  .is_reference = true},
                           got;
            bool is_sound = op == YORE_OP_PUT && size == YR_REFERENCE_BYTES;
            yr_buf_init(&out, yore_env_default(), 1u << 20);
            yr_chunk_maker_init(&chunk_maker, yore_env_default());
            assert_true(yr_record_append(&out, &row, &none));
            assert_int_equal(yr_record_take(yore_bytes(out.data, out.size), &record), is_sound);
            if (is_sound) assert_true(record.row.is_reference && yr_slice_equal(record.row.value, row.value));
            yr_buf_clear(&out);
            assert_true(yr_chunk_maker_add(&chunk_maker, &row));
            assert_true(yr_chunk_maker_append(&chunk_maker, row.tree_key, &out));
            assert_true(yr_chunk_take(yore_bytes(out.data, out.size), &chunk));
            assert_int_equal(yr_chunk_row(&chunk, 0, &got), is_sound);
            if (is_sound) assert_true(got.is_reference && yr_slice_equal(got.value, row.value));
            yr_chunk_maker_deinit(&chunk_maker);
            yr_buf_deinit(&out);
        }
    }
}

/* Readers copy keys to where there is room for the longest. */
static void test_keys_longer_than_any_can_be_are_refused(void **state)
{
    (void)state;
    static const uint8_t key[YR_SEGMENT_TREE_KEY_MAX + 1];
    static const yr_history_ref none = {0};
    static const size_t sizes[] = {4, 5, 6, YR_SEGMENT_TREE_KEY_MAX, YR_SEGMENT_TREE_KEY_MAX + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t size = sizes[i];
        bool is_sound = size > 5 && size <= YR_SEGMENT_TREE_KEY_MAX;
        yr_buf out;
        yr_record record;
        yr_chunk_maker chunk_maker;
        yr_chunk chunk;
        const yr_segment_row row = {.tree_key = yore_bytes(key, size), .version = 5, .op = YORE_OP_PUT};
        yr_buf_init(&out, yore_env_default(), 1u << 20);
        yr_chunk_maker_init(&chunk_maker, yore_env_default());
        assert_true(yr_record_append(&out, &row, &none));
        assert_int_equal(yr_record_take(yore_bytes(out.data, out.size), &record), is_sound);
        yr_buf_clear(&out);
        assert_true(yr_chunk_maker_add(&chunk_maker, &row));
        assert_true(yr_chunk_maker_append(&chunk_maker, row.tree_key, &out));
        assert_int_equal(yr_chunk_take(yore_bytes(out.data, out.size), &chunk), is_sound);
        yr_chunk_maker_deinit(&chunk_maker);
        yr_buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commits_come_out_at_every_width),
        cmocka_unit_test(test_the_last_commit_of_a_branch_is_found_at_every_width),
        cmocka_unit_test(test_damaged_commit_blocks_are_refused_or_stay_in_bounds),
        cmocka_unit_test(test_infos_come_out_and_cut_ones_are_refused),
        cmocka_unit_test(test_references_are_of_one_size),
        cmocka_unit_test(test_keys_longer_than_any_can_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
