/* Commit frames: any bytes are refused or give slices inside them; what is read, written again, reads the same. */
#include "tests/fuzz/fuzz_target.h"

#include "engine/base/yr_assert.h"
#include "engine/format/commit_format.h"

static bool same_slice(yore_slice a, yore_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool same_row(const yr_row *a, const yr_row *b)
{
    return same_slice(a->key, b->key) && same_slice(a->value, b->value) && same_slice(a->meta, b->meta) &&
           a->expiry_ns == b->expiry_ns && a->primitive == b->primitive && a->op == b->op &&
           a->type == b->type;
}

/* Encode the frame again and read it back beside the original. */
static void check_frame(const yr_commit_head *head, yr_reader rows)
{
    yr_buf buf;
    yr_buf_init(&buf, yore_env_default(), 1u << 20);
    size_t at = 0;
    bool fits = yr_frame_begin(&buf, head, &at);
    yr_reader original = rows;
    yr_row row;
    uint32_t count = 0;
    while (original.left > 0 && yr_row_take(&original, head->branch, &row)) {
        fuzz_touch(row.key.data, row.key.size);
        fuzz_touch(row.value.data, row.value.size);
        fuzz_touch(row.meta.data, row.meta.size);
        fits = fits && yr_frame_row(&buf, &row);
        count++;
    }
    bool whole = original.ok && original.left == 0 && count == head->row_count;
    if (whole && fits) {
        yr_frame_finish(&buf, at);
        yr_reader again = yr_reader_of(yore_bytes(buf.data, buf.size)), again_rows;
        yr_commit_head other;
        YR_ASSERT(yr_frame_take(&again, &other, &again_rows));
        YR_ASSERT(again.left == 0);
        YR_ASSERT(other.version == head->version && other.time_ns == head->time_ns);
        YR_ASSERT(other.row_count == head->row_count && other.parent_count == head->parent_count);
        YR_ASSERT(same_slice(other.note, head->note) && same_slice(other.source, head->source));
        for (uint32_t i = 0; i < count; i++) {
            yr_row one, two;
            YR_ASSERT(yr_row_take(&rows, head->branch, &one));
            YR_ASSERT(yr_row_take(&again_rows, head->branch, &two));
            YR_ASSERT(same_row(&one, &two));
        }
    }
    yr_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yr_reader payload = yr_reader_of(yore_bytes(data, size));
    yr_commit_head head;
    yr_reader rows;
    while (payload.left > 0 && yr_frame_take(&payload, &head, &rows)) {
        fuzz_touch(head.parents, 8u * (size_t)head.parent_count);
        fuzz_touch(head.note.data, head.note.size);
        fuzz_touch(head.author.data, head.author.size);
        fuzz_touch(head.source.data, head.source.size);
        check_frame(&head, rows);
    }
    return 0;
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static const char words[] = "the quick brown fox jumps over the lazy dog and lives to tell";
    yr_buf buf;
    yr_buf_init(&buf, yore_env_default(), FUZZ_INPUT_MAX);
    uint8_t parents[16] = {3, 0, 0, 0, 0, 0, 0, 0, 1};
    for (uint64_t frames = 1 + yr_rng_below(rng, 3); frames > 0; frames--) {
        yr_commit_head head = {
            .version = 1 + yr_rng_below(rng, 1000),
            .time_ns = (int64_t)(yr_rng_next(rng) >> 2),
            .source_time_ns = (int64_t)yr_rng_below(rng, 2),
            .branch = (uint32_t)yr_rng_below(rng, 9),
            .row_count = (uint32_t)yr_rng_below(rng, 5),
            .kind = YORE_COMMIT_DATA,
            .parent_count = (uint32_t)yr_rng_below(rng, 3),
            .parents = parents,
            .note = yore_bytes(words, yr_rng_below(rng, sizeof words)),
            .author = yore_bytes(words, yr_rng_below(rng, 20)),
            .source = yore_bytes(words, yr_rng_below(rng, 20)),
        };
        size_t at = 0;
        YR_ASSERT(yr_frame_begin(&buf, &head, &at));
        for (uint32_t i = 0; i < head.row_count; i++) {
            yr_row row = {
                .key = yore_bytes(words, 1 + yr_rng_below(rng, 30)),
                .value = yore_bytes(words, yr_rng_below(rng, sizeof words)),
                .meta = yore_bytes(words, yr_rng_below(rng, 8)),
                .expiry_ns = (int64_t)yr_rng_below(rng, 2),
                .branch = head.branch,
                .primitive = YORE_KV,
                .op = yr_rng_below(rng, 3) ? YORE_OP_PUT : YORE_OP_DEL,
                .type = (uint8_t)yr_rng_below(rng, 3),
            };
            YR_ASSERT(yr_frame_row(&buf, &row));
        }
        yr_frame_finish(&buf, at);
    }
    size_t size = buf.size;
    memcpy(out, buf.data, size);
    yr_buf_deinit(&buf);
    return size;
}
