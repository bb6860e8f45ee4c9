/* Segments of every format version, as they were once written: they must be read for ever. The rows are spelt out here
 * and not made by the kit, which may change. `test_segment_golden --write DIR` makes the files of this version. */
#include <inttypes.h>

#include "engine/format/value_format.h"
#include "tests/unit/segment/segment_kit.h"

enum { KEYS = 120, LAST = 400, AFTER = 100 };

static const char *const files[] = {"segment-1.0-hot.bin", "segment-1.0-cold.bin"};

typedef struct golden_row {
    uint8_t key[32];
    uint8_t value[100];
    uint8_t meta[8];
    yr_segment_row row;
} golden_row;

/* How many versions key k has, and which. */
static uint32_t versions_of(uint32_t k)
{
    return k % 10 == 3 ? 40 : 1 + k % 3;
}
static uint64_t version_of(uint32_t k, uint32_t i)
{
    return LAST - k % 50 - 5 * (uint64_t)i;
}

static void golden_make(golden_row *r, uint32_t k, uint32_t i)
{
    memset(r, 0, sizeof *r);
    yr_put_be32(r->key, 1 + k / 60);
    r->key[4] = k % 60 < 50 ? YORE_KV : YORE_JSON;
    int n = snprintf((char *)r->key + 5, sizeof r->key - 5, "key/%04u%s", k, k % 7 ? "" : "/more");
    r->row =
        (yr_segment_row){.tree_key = {r->key, 5 + (size_t)n}, .version = version_of(k, i), .op = YORE_OP_PUT};
    r->row.type = (uint8_t)(k % 3);
    if ((k + i) % 11 == 5) {
        r->row.op = YORE_OP_DEL;
        return;
    }
    size_t size = (k * 7 + i) % sizeof r->value;
    for (size_t b = 0; b < size; b++)
        r->value[b] = (uint8_t)("value of the key "[b % 17] + (b % 30 == k % 30));
    r->row.value = yore_bytes(r->value, size);
    if (k % 20 == 9) {
        yr_value_ref ref = {.file_id = 3 + i % 2, .off = 64 + 8 * (uint64_t)k, .bytes = 70000 + k, .hash = 5};
        yr_value_ref_encode(&ref, r->value);
        r->row.value = yore_bytes(r->value, YR_VALUE_REF_BYTES);
        r->row.is_reference = true;
    }
    if (k % 4 == 1) r->row.expiry_ns = 1000000 + k;
    memcpy(r->meta, "meta", 4);
    if (i % 5 == 2) r->row.meta = yore_bytes(r->meta, 4);
}

static void golden_head(uint64_t version, yr_commit_head *head)
{
    static const uint8_t parents[16] = {1, 0, 0, 0, 0, 0, 0, 0, 2};
    *head = (yr_commit_head){.version = version,
                             .time_ns = 1700000000000000000 + 1000003 * (int64_t)version,
                             .branch = 1 + (uint32_t)(version % 2),
                             .kind = YORE_COMMIT_DATA,
                             .row_count = (uint32_t)(version % 5)};
    if (version % 10) return;
    head->source_time_ns = 55;
    head->wall_ns = 66;
    head->parent_count = 2;
    head->parents = parents;
    head->note = yore_str("a note");
    head->author = yore_str("an author");
    head->source = yore_str("a source");
}

static void write_one(const char *dir_path, uint32_t f)
{
    kit k;
    yr_segment_builder *builder;
    golden_row r;
    yr_segment_build_options options = {.uuid = {1, 2, 3},
                                        .file_id = 7,
                                        .after_version = AFTER,
                                        .last_version = LAST,
                                        .hash_seed = 99,
                                        .form = f ? YR_SEGMENT_COLD : YR_SEGMENT_HOT,
                                        .level = 3,
                                        .main_block_bytes = 2048,
                                        .history_block_bytes = 1024};
    kit_init(&k, 1, 1u << 16);
    kit_ok(&k, yr_segment_builder_create(k.env, &options, k.dir, KIT_NAME, &builder, &k.err));
    for (uint32_t key = 0; key < KEYS; key++) {
        for (uint32_t i = 0; i < versions_of(key); i++) {
            golden_make(&r, key, i);
            kit_ok(&k, yr_segment_builder_add(builder, &r.row, &k.err));
        }
    }
    for (uint64_t v = AFTER + 1; v <= LAST; v++) {
        yr_commit_head head;
        golden_head(v, &head);
        kit_ok(&k, yr_segment_builder_commit(builder, &head, v - 2, &k.err));
    }
    kit_ok(&k, yr_segment_builder_finish(builder, NULL, &k.err));
    yr_segment_builder_destroy(builder);
    kit_load(&k);
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir_path, files[f]);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(k.image, 1, k.image_bytes, out), k.image_bytes);
    assert_int_equal(fclose(out), 0);
    kit_deinit(&k);
}

static void load_golden(kit *k, const char *name)
{
    char path[512];
    const char *root = getenv("YORE_SOURCE_DIR");
    (void)snprintf(path, sizeof path, "%s/tests/unit/segment/golden/%s", root ? root : ".", name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    k->image = malloc(1u << 20);
    assert_non_null(k->image);
    k->image_bytes = fread(k->image, 1, 1u << 20, in);
    assert_int_equal(fclose(in), 0);
}

static void compare_keys(kit *k)
{
    golden_row want;
    yr_segment_row row;
    for (uint32_t key = 0; key < KEYS; key++) {
        yr_segment_versions versions;
        golden_make(&want, key, 0);
        uint64_t hash = kit_hash(k, want.row.tree_key);
        yore_status status =
            yr_segment_versions_open(k->segment, want.row.tree_key, hash, UINT64_MAX, &versions, &k->err);
        kit_ok(k, status);
        for (uint32_t i = 0; i < versions_of(key); i++) {
            yr_segment_hit hit = {0};
            golden_make(&want, key, i);
            kit_ok(k, yr_segment_versions_next(&versions, &row, &k->err));
            assert_true(kit_same_row(&want.row, &row));
            kit_ok(k, yr_segment_find(k->segment, want.row.tree_key, hash, version_of(key, i) + 4, &hit,
                                      &k->err));
            assert_true(kit_same_row(&want.row, &hit.row));
            yr_segment_hit_release(&hit);
        }
        assert_int_equal(yr_segment_versions_next(&versions, &row, &k->err), YORE_END);
        yr_segment_versions_close(&versions);
    }
}

static void compare_order(kit *k)
{
    golden_row want;
    yr_segment_row row;
    yr_segment_cursor cursor;
    yr_segment_cursor_init(&cursor, k->segment, UINT64_MAX, yore_bytes(NULL, 0));
    yore_status status = yr_segment_cursor_seek(&cursor, yore_bytes(NULL, 0), &row, &k->err);
    for (uint32_t key = 0; key < KEYS; key++) {
        kit_ok(k, status);
        golden_make(&want, key, 0);
        assert_true(kit_same_row(&want.row, &row));
        status = yr_segment_cursor_next(&cursor, &row, &k->err);
    }
    assert_int_equal(status, YORE_END);
    yr_segment_cursor_deinit(&cursor);
}

static void compare_commits(kit *k)
{
    for (uint64_t v = AFTER + 1; v <= LAST; v++) {
        yr_segment_commit commit;
        yr_commit_head want;
        golden_head(v, &want);
        kit_ok(k, yr_segment_commit_find(k->segment, v, true, &commit, &k->err));
        const yr_commit_head *got = &commit.head;
        assert_int_equal(commit.prev, v - 2);
        assert_true(got->time_ns == want.time_ns && got->branch == want.branch && got->kind == want.kind);
        assert_true(got->row_count == want.row_count && got->wall_ns == want.wall_ns);
        assert_true(got->source_time_ns == want.source_time_ns && got->parent_count == want.parent_count);
        assert_true(!want.parent_count || memcmp(got->parents, want.parents, 16) == 0);
        assert_true(yr_slice_equal(got->note, want.note) && yr_slice_equal(got->author, want.author));
        assert_true(yr_slice_equal(got->source, want.source));
        yr_segment_commit_release(&commit);
    }
}

/* What the rows of golden_make refer to, by file. */
static void compare_value_files(kit *k)
{
    yr_segment_value_file want[2] = {{.file_id = 3}, {.file_id = 4}}, got;
    golden_row r;
    for (uint32_t key = 0; key < KEYS; key++) {
        for (uint32_t i = 0; i < versions_of(key); i++) {
            golden_make(&r, key, i);
            if (!r.row.is_reference) continue;
            want[i % 2].count++;
            want[i % 2].bytes += 70000 + key;
        }
    }
    assert_int_equal(yr_segment_value_file_count(k->segment), 2);
    for (uint32_t i = 0; i < 2; i++) {
        kit_ok(k, yr_segment_value_file_get(k->segment, i, &got, &k->err));
        assert_memory_equal(&want[i], &got, sizeof got);
    }
}

static void test_segments_of_every_format_version_are_read(void **state)
{
    (void)state;
    for (uint32_t f = 0; f < sizeof files / sizeof *files; f++) {
        kit k;
        kit_init(&k, 1, 1u << 20);
        load_golden(&k, files[f]);
        kit_ok(&k, kit_open(&k, KIT_IMAGE));
        const yr_segment_footer *facts = yr_segment_facts(k.segment);
        assert_int_equal(facts->after_version, AFTER);
        assert_int_equal(facts->last_version, LAST);
        assert_int_equal(facts->keys, KEYS);
        assert_int_equal(facts->level, 3);
        compare_keys(&k);
        compare_order(&k);
        compare_commits(&k);
        compare_value_files(&k);
        kit_ok(&k, yr_segment_verify(k.segment, &k.err));
        kit_close(&k);
        kit_deinit(&k);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        for (uint32_t f = 0; f < sizeof files / sizeof *files; f++) write_one(argv[2], f);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments_of_every_format_version_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
