/* A whole segment without its header (which has a checksum that cannot be switched off), read with all other checksums
 * switched off: any bytes are refused, or give well-formed rows; nothing is read outside the file or a block, and
 * nothing goes on for ever. */
#include "tests/fuzz/fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/yr_assert.h"
#include "engine/format/value_format.h"
#include "engine/segment/run.h"
#include "engine/segment/segment_builder.h"
#include "engine/segment/segment_verify.h"
#include "tests/support/env_sim.h"

#define EXAMPLES 24u

static const uint8_t *header_bytes(void)
{
    static uint8_t bytes[YR_FILE_HEADER_BYTES];
    yr_file_header header = {.major = YR_FORMAT_MAJOR, .minor = YR_FORMAT_MINOR, .kind = YR_FILE_SEGMENT};
    header.file_id = 1;
    yr_file_header_encode(&header, bytes);
    return bytes;
}

static void touch(const yr_segment_row *row)
{
    YR_ASSERT(row->op == YORE_OP_PUT || row->op == YORE_OP_DEL);
    YR_ASSERT(row->tree_key.size > 5);
    YR_ASSERT(!row->is_reference || row->value.size == YR_VALUE_REF_BYTES);
    fuzz_touch(row->tree_key.data, row->tree_key.size);
    fuzz_touch(row->value.data, row->value.size);
    fuzz_touch(row->meta.data, row->meta.size);
}

static void read_key(yr_segment *segment, yore_slice tree_key)
{
    static uint8_t key[1u << 16];
    yr_segment_versions versions;
    yr_segment_row row;
    yr_segment_hit hit = {0};
    const uint8_t *p = key;
    size_t size = tree_key.size;
    memcpy(key, tree_key.data, size);
    uint64_t seed = yr_segment_facts(segment)->hash_seed;
    uint64_t hash = yr_segment_hash_of(seed, yr_get_be32(p), p[4], yore_bytes(p + 5, size - 5));
    for (uint64_t cap = 1; cap && cap < 1000; cap *= 3) {
        if (yr_segment_find(segment, yore_bytes(key, size), hash, cap, &hit, NULL) != YORE_OK) continue;
        YR_ASSERT(hit.row.version <= cap);
        touch(&hit.row);
        yr_segment_hit_release(&hit);
    }
    if (yr_segment_versions_open(segment, yore_bytes(key, size), hash, UINT64_MAX, &versions, NULL) !=
        YORE_OK)
        return;
    uint64_t last = UINT64_MAX;
    while (yr_segment_versions_next(&versions, &row, NULL) == YORE_OK) {
        YR_ASSERT(row.version < last || last == UINT64_MAX);
        last = row.version;
        touch(&row);
    }
    yr_segment_versions_close(&versions);
}

static void read_order(yr_segment *segment, uint64_t cap, bool is_back)
{
    yr_segment_cursor cursor;
    yr_segment_row row;
    yr_segment_cursor_init(&cursor, segment, cap, yore_bytes("\0\0\0", 3));
    yore_status status = is_back ? yr_segment_cursor_seek_reverse(&cursor, yore_bytes(NULL, 0), &row, NULL)
                                 : yr_segment_cursor_seek(&cursor, yore_bytes(NULL, 0), &row, NULL);
    while (status == YORE_OK) {
        touch(&row);
        if (!is_back) read_key(segment, row.tree_key);
        status = is_back ? yr_segment_cursor_prev(&cursor, &row, NULL)
                         : yr_segment_cursor_next(&cursor, &row, NULL);
    }
    yr_segment_cursor_deinit(&cursor);
}

static void touch_commit(const yr_commit_head *head)
{
    fuzz_touch(head->note.data, head->note.size);
    fuzz_touch(head->author.data, head->author.size);
    fuzz_touch(head->source.data, head->source.size);
    fuzz_touch(head->parents, 8 * (size_t)head->parent_count);
}

static void read_lists(yr_segment *segment)
{
    yr_segment_changes changes;
    yr_segment_row row;
    uint64_t version;
    if (yr_segment_changes_open(segment, 2, &changes, NULL) == YORE_OK) {
        while (yr_segment_changes_next(&changes, &row, NULL) == YORE_OK) touch(&row);
    }
    yr_segment_changes_close(&changes);
    for (uint64_t v = 0; v < 40; v++) {
        yr_segment_commit commit;
        if (yr_segment_commit_find(segment, v, false, &commit, NULL) == YORE_OK) {
            YR_ASSERT(commit.head.version <= v);
            touch_commit(&commit.head);
            yr_segment_commit_release(&commit);
        }
        (void)!yr_segment_version_at(segment, (int64_t)v * 10, &version, NULL);
    }
    for (uint32_t i = 0; i < yr_segment_group_count(segment); i++) {
        yr_segment_group group;
        (void)!yr_segment_group_get(segment, i, &group, NULL);
    }
}

/* What only runs do. */
static void read_run(yr_run *run)
{
    yr_run_rows rows;
    yr_run_commits commits;
    yr_segment_row row;
    yr_segment_commit commit;
    uint64_t versions[40], head;
    int64_t times[40];
    uint32_t skips = 0;
    if (yr_run_rows_open(run, &rows, NULL) < 0) abort();
    for (yore_status status = YORE_OK; status != YORE_END && skips < 100; skips += status < 0) {
        status = yr_run_rows_next(&rows, &row, NULL);
        if (status == YORE_OK) touch(&row);
        if (status < 0) yr_run_rows_skip(&rows);
    }
    YR_ASSERT(skips < 100); /* the examples have no more blocks */
    yr_run_rows_close(&rows);
    if (yr_run_commits_open(run, &commits, NULL) < 0) abort();
    while (yr_run_commits_next(&commits, &commit, NULL) == YORE_OK) touch_commit(&commit.head);
    yr_run_commits_close(&commits);
    for (uint64_t v = 0; v < 40; v++) {
        versions[v] = v;
        for (uint32_t branch = 0; branch < 5; branch++) {
            if (yr_run_head_at(run, branch, v, &head, NULL) == YORE_OK) YR_ASSERT(head <= v);
        }
        (void)!yr_run_commit_time(run, v, &times[0], NULL);
    }
    for (uint32_t i = 0; i < 30; i++) (void)!yr_run_commit_times(run, versions + i, times, 10, NULL);
    for (uint32_t i = 0; i < yr_run_branch_count(run); i++) {
        const yr_run_branch *branch = yr_run_branch_at(run, i);
        YR_ASSERT(yr_run_has_branch(run, branch->branch) == (branch->rows > 0));
    }
    for (uint32_t i = 0; i < yr_segment_value_file_count(yr_run_file(run, 0)); i++) {
        yr_segment_value_file file;
        (void)!yr_segment_value_file_get(yr_run_file(run, 0), i, &file, NULL);
    }
}

static void read_all(yr_segment *segment)
{
    static uint8_t bound[YR_SEGMENT_TREE_KEY_MAX];
    size_t size;
    read_order(segment, UINT64_MAX, false);
    read_order(segment, 9, false);
    read_order(segment, UINT64_MAX, true);
    read_lists(segment);
    (void)!yr_segment_bound(segment, false, bound, &size, NULL);
    (void)!yr_segment_bound(segment, true, bound, &size, NULL);
}

/* Is it a segment, and sound? */
static bool read_input(const uint8_t *data, size_t size)
{
    const yore_env *env = yore_env_default();
    static yr_decoders *decoders;
    if (!decoders && yr_decoders_create(env, &decoders, NULL) < 0) abort();
    uint8_t *image = malloc(size + YR_FILE_HEADER_BYTES);
    yr_block_cache *cache;
    yr_segment *segment;
    if (!image || yr_block_cache_create(env, 1u << 20, &cache, NULL) < 0) abort();
    memcpy(image, header_bytes(), YR_FILE_HEADER_BYTES);
    if (size) memcpy(image + YR_FILE_HEADER_BYTES, data, size);
    yr_segment_open_options options = {
        .env = env, .cache = cache, .decoders = decoders, .is_unchecked = true};
    options.image = yore_bytes(image, size + YR_FILE_HEADER_BYTES);
    bool is_sound = yr_segment_open(&options, NULL, "fuzz", &segment, NULL) == YORE_OK;
    if (is_sound) {
        read_all(segment);
        is_sound = yr_segment_verify(segment, NULL) == YORE_OK;
        yr_run *run;
        if (yr_run_create(env, 1, &segment, 1, &run, NULL) == YORE_OK) {
            read_run(run);
            yr_run_unref(run);
        } else {
            is_sound = false;
            yr_segment_close(segment);
        }
    }
    yr_block_cache_destroy(cache);
    free(image);
    return is_sound;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)read_input(data, size);
    return 0;
}

/* -- examples -- */

static void add_rows(yr_segment_builder *builder, yr_rng *rng)
{
    uint8_t key[8] = {0, 0, 0, 1, YORE_KV}, value[60];
    uint32_t keys = 1 + (uint32_t)yr_rng_below(rng, 9);
    memset(value, 'v', sizeof value);
    for (uint32_t k = 0; k < keys; k++) {
        key[3] = (uint8_t)(1 + k / 4);
        key[5] = (uint8_t)('a' + k);
        uint64_t version = 30 - yr_rng_below(rng, 8);
        for (; version > 2; version -= 1 + yr_rng_below(rng, 20) % version) {
            yr_segment_row row = {.tree_key = {key, 6 + k % 3}, .version = version, .op = YORE_OP_PUT};
            row.value = yore_bytes(value, (size_t)yr_rng_below(rng, sizeof value));
            if (yr_rng_below(rng, 5) == 0) row.expiry_ns = 77;
            if (yr_rng_below(rng, 5) == 0) row.meta = yore_bytes("meta", 4);
            uint8_t reference[YR_VALUE_REF_BYTES];
            if (yr_rng_below(rng, 5) == 0) {
                yr_value_ref ref = {
                    .file_id = 1 + yr_rng_below(rng, 3), .off = 64, .bytes = 70000, .hash = 9};
                yr_value_ref_encode(&ref, reference);
                row.value = yore_bytes(reference, sizeof reference);
                row.is_reference = true;
            }
            if (yr_segment_builder_add(builder, &row, NULL) < 0) abort();
        }
    }
    uint64_t gap = 1 + yr_rng_below(rng, 3); /* 1: a commit for every version */
    uint64_t last[3] = {0};
    for (uint64_t v = 3; v <= 30; v += 1 + yr_rng_below(rng, gap)) {
        yr_commit_head head = {.version = v, .time_ns = (int64_t)v * 10, .kind = YORE_COMMIT_DATA};
        head.branch = (uint32_t)yr_rng_below(rng, 3);
        if (yr_rng_below(rng, 4) == 0) head.note = yore_bytes("a note", 6);
        if (yr_segment_builder_commit(builder, &head, last[head.branch], NULL) < 0) abort();
        last[head.branch] = v;
    }
}

/* A segment of a few rows, without its header. */
static size_t build(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    yr_sim *sim = yr_sim_create(yr_rng_next(rng));
    const yore_env *env = yr_sim_env(sim);
    yore_dir *dir;
    yr_segment_builder *builder;
    yr_segment_build_options options = {.file_id = 1, .after_version = 2, .last_version = 30, .hash_seed = 5};
    options.form = yr_rng_below(rng, 2) ? YR_SEGMENT_HOT : YR_SEGMENT_COLD;
    options.main_block_bytes = 128 + (uint32_t)yr_rng_below(rng, 400);
    options.history_block_bytes = 128 + (uint32_t)yr_rng_below(rng, 400);
    if (env->dir_open(env->ctx, "d", YORE_DIR_CREATE, NULL, &dir) < 0) abort();
    if (yr_segment_builder_create(env, &options, dir, "s", &builder, NULL) < 0) abort();
    add_rows(builder, rng);
    if (yr_segment_builder_finish(builder, NULL, NULL) < 0) abort();
    yr_segment_builder_destroy(builder);
    env->dir_close(env->ctx, dir);
    size_t size = (size_t)yr_sim_file_size(sim, "d/s") - YR_FILE_HEADER_BYTES;
    if (size > FUZZ_INPUT_MAX) {
        size = 0;
    } else if (!yr_sim_file_read(sim, "d/s", out, size, YR_FILE_HEADER_BYTES)) {
        abort();
    }
    yr_sim_destroy(sim);
    return size;
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static uint8_t made[EXAMPLES][FUZZ_INPUT_MAX];
    static size_t sizes[EXAMPLES];
    uint32_t i = (uint32_t)yr_rng_below(rng, EXAMPLES);
    while (sizes[i] == 0) {
        sizes[i] = build(rng, made[i]);
        YR_ASSERT(sizes[i] == 0 || read_input(made[i], sizes[i]));
    }
    memcpy(out, made[i], sizes[i]);
    return sizes[i];
}
