/* Segments whose bytes lie although their checksums are right (here: are not looked at): a hash index that misses keys
 * or points elsewhere, sizes that are not those of the block, lists that differ from the rows. Reads give an error or
 * something well-formed, verify always an error; and a full bucket's keys are found by order. */
#include <inttypes.h>

#include "engine/format/segment_hash.h"
#include "tests/unit/segment/segment_kit.h"

static const kit_shape lie_shape = {"lies", 300, 200, 6, 20, 60, 2, 5, true, true, true};

typedef struct lie {
    kit k;
    kit_model model;
    yr_segment_footer footer;
    yr_segment_layout layout;
    uint8_t *whole;
} lie;

static void lie_init(lie *l, enum yr_segment_form form)
{
    yr_segment_build_options options;
    const char *why;
    kit_model_make(&l->model, &lie_shape, 21);
    kit_init(&l->k, 21, 1u << 20);
    kit_options(&l->model, form, &options);
    options.main_block_bytes = 2048;
    kit_ok(&l->k, kit_build(&l->k, &l->model, &options));
    kit_load(&l->k);
    size_t size = l->k.image_bytes;
    yore_slice last = yore_bytes(l->k.image + size - YR_SEGMENT_FOOTER_BYTES, YR_SEGMENT_FOOTER_BYTES);
    assert_true(yr_segment_footer_decode(last, size, 0, true, &l->footer, &l->layout, &why));
    l->whole = malloc(size);
    assert_non_null(l->whole);
    memcpy(l->whole, l->k.image, size);
}

static void lie_deinit(lie *l)
{
    free(l->whole);
    kit_deinit(&l->k);
    kit_model_free(&l->model);
}

static void undo(lie *l)
{
    memcpy(l->k.image, l->whole, l->k.image_bytes);
}

static yore_status open_unchecked(lie *l)
{
    kit *k = &l->k;
    yr_segment_open_options options = {.env = k->env, .cache = k->cache, .decoders = k->decoders};
    options.image = yore_bytes(k->image, k->image_bytes);
    options.is_unchecked = true;
    yore_status status = yr_segment_open(&options, NULL, KIT_NAME, &k->segment, &k->err);
    if (status < 0) return status;
    status = yr_run_create(k->env, 9, &k->segment, 1, &k->run, &k->err);
    if (status < 0) kit_close(k);
    return status;
}

static uint8_t *section(lie *l, uint32_t i)
{
    return l->k.image + l->layout.section_off[i];
}

/* Verify says CORRUPT; finds and a scan come to an end. */
static void expect_found_out(lie *l, const char *what)
{
    yr_segment_cursor cursor;
    yr_segment_row row;
    yore_status status = open_unchecked(l);
    if (status == YORE_OK) {
        for (uint32_t key = 0; key < l->model.key_count; key += 5) {
            yr_segment_hit hit = {0};
            yore_slice tree_key = l->model.rows[l->model.key_rows[key]].tree_key;
            status = yr_segment_find(l->k.segment, tree_key, kit_hash(&l->k, tree_key), UINT64_MAX, &hit,
                                     &l->k.err);
            assert_true(status == YORE_OK || status == YORE_NOT_FOUND || status == YORE_ERR_CORRUPT);
            yr_segment_hit_release(&hit);
        }
        yr_segment_cursor_init(&cursor, l->k.segment, l->model.after_version + 50, yore_bytes(NULL, 0));
        status = yr_segment_cursor_seek(&cursor, yore_bytes(NULL, 0), &row, &l->k.err);
        while (status == YORE_OK) status = yr_segment_cursor_next(&cursor, &row, &l->k.err);
        yr_segment_cursor_deinit(&cursor);
        status = yr_segment_verify(l->k.segment, &l->k.err);
        kit_close(&l->k);
    }
    if (status != YORE_ERR_CORRUPT) {
        print_error("%s: verify gave %s\n", what, yore_status_name(status));
        fail();
    }
    undo(l);
}

static void test_keys_that_found_no_bucket_are_found_by_order(void **state)
{
    (void)state;
    lie l;
    lie_init(&l, YR_SEGMENT_HOT);
    for (uint32_t b = 0; b < l.layout.bucket_count; b++) {
        uint8_t *bucket = section(&l, YR_SECTION_HASH) + (size_t)b * YR_BUCKET_BYTES;
        memset(bucket, 0, YR_BUCKET_BYTES);
        yr_put_le32(bucket + 20, 1);
    }
    kit_ok(&l.k, open_unchecked(&l));
    kit_compare(&l.k, &l.model, 5);
    kit_ok(&l.k, yr_segment_verify(l.k.segment, &l.k.err));
    kit_close(&l.k);
    undo(&l);
    lie_deinit(&l);
}

static void test_equal_hashes_fill_buckets_and_then_are_left_out(void **state)
{
    (void)state;
    enum { BUCKETS = 50 };
    uint8_t buckets[BUCKETS * YR_BUCKET_BYTES] = {0};
    uint64_t hash = UINT64_MAX - 77; /* the last bucket: probing goes round */
    uint32_t placed = 0;
    for (uint32_t i = 0; i < 1000; i++) placed += yr_bucket_put(buckets, BUCKETS, hash, i);
    assert_int_equal(placed, YR_BUCKET_PROBES * YR_BUCKET_SLOTS);
    for (uint32_t n = 0; n < BUCKETS; n++) {
        uint32_t at = (yr_bucket_home(hash, BUCKETS) + n) % BUCKETS;
        const uint8_t *bucket = buckets + (size_t)at * YR_BUCKET_BYTES;
        bool is_used = n < YR_BUCKET_PROBES;
        assert_int_equal(yr_bucket_overflow(bucket) != 0, is_used);
        assert_int_equal(yr_bucket_match(bucket, yr_bucket_fingerprint(hash)), is_used ? 1023 : 0);
    }
    assert_int_equal(yr_bucket_fingerprint(0), 1);
    assert_int_equal(yr_bucket_count_for(0), 0);
    assert_int_equal(yr_bucket_count_for(1), 1);
    assert_int_equal(yr_bucket_count_for(850), 100);
}

static void test_a_hash_index_that_lies_is_found_out(void **state)
{
    (void)state;
    lie l;
    lie_init(&l, YR_SEGMENT_HOT);
    for (uint32_t i = 0; i < l.layout.bucket_count; i++) {
        uint8_t *bucket = section(&l, YR_SECTION_HASH) + (size_t)i * YR_BUCKET_BYTES;
        if (!yr_get_le16(bucket)) continue;
        yr_put_le16(bucket, (uint16_t)(yr_get_le16(bucket) ^ 0x100));
        expect_found_out(&l, "a key under another fingerprint");
        yr_put_le32(bucket + 24, yr_get_le32(bucket + 24) + 1);
        expect_found_out(&l, "a location beside the record");
        yr_put_le32(bucket + 24, UINT32_MAX);
        expect_found_out(&l, "a location outside the file");
        uint32_t empty = yr_bucket_match(bucket, 0);
        if (!empty) continue;
        yr_put_le16(bucket + 2 * (size_t)__builtin_ctz(empty), 7);
        expect_found_out(&l, "a key too many");
    }
    lie_deinit(&l);
}

static void test_sizes_that_are_not_the_blocks_are_found_out(void **state)
{
    (void)state;
    for (int form = YR_SEGMENT_HOT; form <= YR_SEGMENT_COLD; form++) {
        lie l;
        lie_init(&l, (enum yr_segment_form)form);
        for (uint32_t s = 0; s < YR_STREAM_COUNT; s++) {
            for (uint32_t i = 0; i < l.layout.block_count[s]; i++) {
                uint8_t *entry = section(&l, s) + (size_t)i * YR_SEGMENT_ENTRY_BYTES;
                uint32_t stored = yr_get_le32(entry + 20), raw = yr_get_le32(entry + 24);
                const uint32_t sizes[] = {0,
                                          raw - 1,
                                          raw + 1,
                                          raw * 2,
                                          YR_SEGMENT_BLOCK_BYTES_MAX,
                                          1u << 31,
                                          UINT32_MAX,
                                          YR_SEGMENT_BLOCK_BYTES_MAX + 1};
                for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
                    yr_put_le32(entry + 24, sizes[n]);
                    expect_found_out(&l, "another size before compression");
                }
                yr_put_le32(entry + 20, stored - 1);
                yr_put_le32(entry + 24, raw - 1);
                expect_found_out(&l, "other sizes");
                yr_put_le32(entry + 16, UINT32_MAX);
                expect_found_out(&l, "an offset outside the file");
            }
        }
        lie_deinit(&l);
    }
}

/* Every number of tables, fences, groups, bounds and footer, off by one or by much. */
static void test_each_number_of_the_index_is_checked(void **state)
{
    (void)state;
    lie l;
    lie_init(&l, YR_SEGMENT_HOT);
    for (uint32_t s = 0; s < YR_SECTION_COUNT; s++) {
        if (s == YR_SECTION_HASH) continue; /* above */
        for (uint64_t at = 0; at + 4 <= l.footer.section_bytes[s]; at += 4) {
            bool is_sum = s < YR_STREAM_COUNT && at % YR_SEGMENT_ENTRY_BYTES < 8; /* switched off */
            bool is_fence = s == YR_SECTION_FENCES &&
                            at >= 8 + 4 * (uint64_t)l.layout.block_count[YR_STREAM_MAIN];
            /* Another fence may part the keys as well. */
            is_fence |= s == YR_STREAM_MAIN && at % YR_SEGMENT_ENTRY_BYTES - 8 < 8;
            if (is_sum || is_fence) continue;
            uint8_t *p = section(&l, s) + at;
            uint32_t number = yr_get_le32(p);
            yr_put_le32(p, number + (1u << 30) + 1);
            if (s == YR_SECTION_FENCES && at == 0) yr_put_le32(p, 255);
            char what[64];
            (void)snprintf(what, sizeof what, "section %u, number at %" PRIu64, s, at);
            expect_found_out(&l, what);
        }
    }
    lie_deinit(&l);
}

/* A key that is less than the one it was found for would be found again by whoever seeks on from there. */
static void test_a_seek_gives_no_key_below_the_one_asked_for(void **state)
{
    (void)state;
    lie l;
    lie_init(&l, YR_SEGMENT_HOT);
    kit_ok(&l.k, open_unchecked(&l));
    uint32_t refused = 0;
    for (uint32_t i = 1; i < l.model.key_count; i++) {
        yore_slice before = l.model.rows[l.model.key_rows[i - 1]].tree_key;
        yore_slice key = l.model.rows[l.model.key_rows[i]].tree_key;
        uint8_t behind[64]; /* the least key behind the one before */
        yr_segment_hit hit = {0};
        kit_ok(&l.k, yr_segment_find(l.k.segment, key, kit_hash(&l.k, key), UINT64_MAX, &hit, &l.k.err));
        size_t off = (size_t)((const uint8_t *)hit.row.tree_key.data - l.k.image);
        yr_segment_hit_release(&hit);
        assert_true(off + key.size <= l.k.image_bytes && before.size < sizeof behind);
        memset(l.k.image + off, 0, key.size);
        memcpy(behind, before.data, before.size);
        behind[before.size] = 0;
        const yore_slice from = yore_bytes(behind, before.size + 1);
        yr_run_cursor cursor;
        yr_segment_row row;
        yr_run_cursor_init(&cursor, l.k.run, UINT64_MAX, yore_bytes(NULL, 0));
        yore_status status = yr_run_cursor_seek(&cursor, from, &row, &l.k.err);
        refused += status == YORE_ERR_CORRUPT;
        if (status == YORE_OK) assert_true(yr_slice_compare(row.tree_key, from) >= 0);
        if (status < 0) assert_int_equal(yr_run_cursor_next(&cursor, &row, &l.k.err), YORE_END);
        yr_run_cursor_deinit(&cursor);
        memcpy(l.k.image + off, l.whole + off, key.size);
    }
    assert_true(refused > 0);
    kit_close(&l.k);
    lie_deinit(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_that_found_no_bucket_are_found_by_order),
        cmocka_unit_test(test_equal_hashes_fill_buckets_and_then_are_left_out),
        cmocka_unit_test(test_a_hash_index_that_lies_is_found_out),
        cmocka_unit_test(test_sizes_that_are_not_the_blocks_are_found_out),
        cmocka_unit_test(test_each_number_of_the_index_is_checked),
        cmocka_unit_test(test_a_seek_gives_no_key_below_the_one_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
