/* Damaged value files: whatever is flipped, cut, swapped, stale or foreign is an error, or the answer is right all the
 * same; it is never another value. Everything but the zeros behind a value is found by the read that needs it, and
 * everything by verify. `test_value_rot N`: every N-th bit of the larger file. */
#include <inttypes.h>

#include "tests/unit/segment/value_kit.h"

static uint64_t stride = 1009;

enum { SMALL = 4, LARGE = 2 };
static const vkit_value small_values[SMALL] = {{.stamp = 1, .bytes = 3},
                                               {.stamp = 2, .bytes = 200},
                                               {.stamp = 3, .bytes = 8},
                                               {.stamp = 4, .bytes = 200}};
static const vkit_value large_values[LARGE] = {{.stamp = 5, .bytes = 65537},
                                               {.stamp = 6, .bytes = YR_VALUE_CHUNK_BYTES + 4099}};

typedef struct rot {
    vkit k;
    vkit_value values[SMALL];
    uint32_t count;
    uint64_t bytes; /* of the file */
} rot;

static void rot_init(rot *r, const vkit_value *values, uint32_t count)
{
    *r = (rot){.count = count};
    memcpy(r->values, values, count * sizeof *values);
    vkit_init(&r->k, 3, 1u << 16);
    vkit_ok(&r->k, vkit_write(&r->k, VKIT_NAME, VKIT_FILE_ID, r->values, count));
    r->bytes = (uint64_t)yr_sim_file_size(r->k.sim, VKIT_PATH);
}

typedef struct outcome {
    bool is_open;
    bool is_verified;
    uint32_t right; /* values that were read */
} outcome;

/* Open, read everything, verify. Failures must be YORE_ERR_CORRUPT that names the file. */
static outcome read_all(rot *r)
{
    outcome out = {0};
    vkit *k = &r->k;
    yore_status status = vkit_open(k);
    out.is_open = status == YORE_OK;
    for (uint32_t i = 0; i < r->count && out.is_open; i++) {
        status = vkit_get(k, &r->values[i]);
        if (status != YORE_OK) {
            assert_int_equal(status, YORE_ERR_CORRUPT);
            assert_non_null(strstr(k->err.message, VKIT_NAME));
        }
        out.right += status == YORE_OK;
    }
    if (out.is_open) status = yr_value_file_verify(k->values, &k->err);
    out.is_verified = out.is_open && status == YORE_OK;
    if (status != YORE_OK) {
        assert_int_equal(status, YORE_ERR_CORRUPT);
        assert_non_null(strstr(k->err.message, VKIT_NAME));
    }
    vkit_close(k);
    return out;
}

/* Which value a byte is of: r->count for what is no value's; -1 for zeros behind one. */
static int owner_of(const rot *r, uint64_t off)
{
    for (uint32_t i = 0; i < r->count; i++) {
        const yr_value_ref *ref = &r->values[i].ref;
        if (off < ref->off || off >= ref->off + yr_value_record_bytes(ref->bytes)) continue;
        bool is_filling = off >= ref->off + ref->bytes && off < ref->off + yr_value_tail_off(ref->bytes);
        return is_filling ? -1 : (int)i;
    }
    return (int)r->count;
}

static void flip_bits(const vkit_value *values, uint32_t count, uint64_t step)
{
    rot r;
    rot_init(&r, values, count);
    uint64_t bits = 8 * r.bytes;
    for (uint64_t bit = 0; bit < bits; bit += step) {
        assert_true(yr_sim_file_flip(r.k.sim, VKIT_PATH, bit));
        outcome out = read_all(&r);
        assert_true(yr_sim_file_flip(r.k.sim, VKIT_PATH, bit));
        assert_false(out.is_verified);
        uint64_t off = bit / 8, end = r.bytes - YR_VALUE_FOOTER_BYTES;
        int owner = owner_of(&r, off);
        assert_true(out.is_open == (off >= YR_FILE_HEADER_BYTES && off < end));
        if (out.is_open) assert_int_equal(out.right, count - (owner >= 0 && owner < (int)count));
    }
    assert_true(read_all(&r).is_verified);
    vkit_deinit(&r.k);
}

static void test_each_flipped_bit_of_a_small_file_is_found(void **state)
{
    (void)state;
    flip_bits(small_values, SMALL, 1);
}

static void test_flipped_bits_of_a_larger_file_are_found(void **state)
{
    (void)state;
    flip_bits(large_values, LARGE, stride);
}

static void test_each_truncation_is_found_at_open(void **state)
{
    (void)state;
    rot r;
    rot_init(&r, small_values, SMALL);
    for (uint64_t size = r.bytes; size-- > 0;) {
        assert_true(yr_sim_file_truncate(r.k.sim, VKIT_PATH, size));
        assert_int_equal(vkit_open(&r.k), YORE_ERR_CORRUPT);
    }
    vkit_deinit(&r.k);
}

static void test_a_file_that_grew_is_refused(void **state)
{
    (void)state;
    for (uint64_t more = 1; more < 400; more++) {
        rot r;
        uint8_t bytes[400];
        rot_init(&r, small_values, SMALL);
        assert_true(yr_sim_file_read(r.k.sim, VKIT_PATH, bytes, more, r.bytes - more));
        assert_true(yr_sim_file_write(r.k.sim, VKIT_PATH, bytes, more, r.bytes)); /* its own end once more */
        assert_int_equal(vkit_open(&r.k), YORE_ERR_CORRUPT);
        vkit_deinit(&r.k);
    }
}

static void test_a_file_that_shrinks_while_it_is_open_gives_errors(void **state)
{
    (void)state;
    rot r;
    rot_init(&r, small_values, SMALL);
    vkit_ok(&r.k, vkit_open(&r.k));
    vkit_ok(&r.k, vkit_get(&r.k, &r.values[0]));
    assert_true(yr_sim_file_truncate(r.k.sim, VKIT_PATH, r.values[1].ref.off + 10));
    vkit_ok(&r.k, vkit_get(&r.k, &r.values[0])); /* from the cache */
    assert_int_equal(vkit_get(&r.k, &r.values[1]), YORE_ERR_CORRUPT);
    assert_int_equal(vkit_get(&r.k, &r.values[3]), YORE_ERR_CORRUPT);
    assert_int_equal(yr_value_file_verify(r.k.values, &r.k.err), YORE_ERR_CORRUPT);
    vkit_deinit(&r.k);
}

static void copy_bytes(rot *r, uint64_t from, uint64_t to, uint64_t size)
{
    uint8_t *bytes = malloc((size_t)size);
    assert_true(yr_sim_file_read(r->k.sim, VKIT_PATH, bytes, (size_t)size, from));
    assert_true(yr_sim_file_write(r->k.sim, VKIT_PATH, bytes, (size_t)size, to));
    free(bytes);
}

/* A value with its tail in the place of another one of its size: what a misdirected write leaves. */
static void test_a_value_in_the_place_of_another_is_found(void **state)
{
    (void)state;
    rot r;
    rot_init(&r, small_values, SMALL);
    const yr_value_ref *a = &r.values[1].ref, *b = &r.values[3].ref;
    assert_int_equal(a->bytes, b->bytes);
    copy_bytes(&r, a->off, b->off, yr_value_record_bytes(a->bytes));
    vkit_ok(&r.k, vkit_open(&r.k));
    vkit_ok(&r.k, vkit_get(&r.k, &r.values[1]));
    assert_int_equal(vkit_get(&r.k, &r.values[3]), YORE_ERR_CORRUPT);
    yr_value_ref swapped = r.values[1].ref; /* a reference that says so does not make it right */
    swapped.off = b->off;
    yr_block_pin pin = {0};
    assert_int_equal(yr_value_file_get(r.k.values, &swapped, &pin, &r.k.err), YORE_ERR_CORRUPT);
    vkit_deinit(&r.k);
}

/* Sectors of the same file written again, under another salt. */
static void test_stale_sectors_are_found(void **state)
{
    (void)state;
    rot r;
    rot_init(&r, large_values, LARGE);
    uint64_t bytes = r.bytes;
    uint8_t *first = malloc((size_t)bytes), *kept = malloc((size_t)bytes);
    assert_true(yr_sim_file_read(r.k.sim, VKIT_PATH, first, (size_t)bytes, 0));
    assert_true(yr_sim_file_remove(r.k.sim, VKIT_PATH));
    vkit_ok(&r.k, vkit_write(&r.k, VKIT_NAME, VKIT_FILE_ID, r.values, LARGE));
    assert_int_equal(yr_sim_file_size(r.k.sim, VKIT_PATH), bytes);
    assert_true(yr_sim_file_read(r.k.sim, VKIT_PATH, kept, (size_t)bytes, 0));
    assert_memory_not_equal(first, kept, 64); /* the salt */
    uint32_t different = 0;
    for (uint64_t off = 0; off < bytes; off += 512) {
        size_t n = bytes - off < 512 ? (size_t)(bytes - off) : 512;
        bool is_same = memcmp(first + off, kept + off, n) == 0;
        different += !is_same;
        if (is_same && off % (512 * 64)) continue;
        assert_true(yr_sim_file_write(r.k.sim, VKIT_PATH, first + off, n, off));
        assert_true(read_all(&r).is_verified == is_same);
        assert_true(yr_sim_file_write(r.k.sim, VKIT_PATH, kept + off, n, off));
    }
    assert_true(different >= 4); /* header, both tails, directory and footer */
    free(first);
    free(kept);
    vkit_deinit(&r.k);
}

static yore_status open_with(rot *r, const yr_value_open_options *options)
{
    yore_file *file;
    yr_value_file *values = NULL;
    assert_int_equal(r->k.env->open(r->k.env->ctx, r->k.dir, VKIT_NAME, 0, &file), 0);
    yore_status status = yr_value_file_open(options, file, VKIT_NAME, &values, &r->k.err);
    assert_true((status == YORE_OK) == (values != NULL));
    yr_value_file_unref(values);
    if (status < 0) r->k.env->close(r->k.env->ctx, file);
    return status;
}

static void header_change(rot *r, const yr_file_header *header)
{
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    yr_file_header_encode(header, bytes);
    assert_true(yr_sim_file_write(r->k.sim, VKIT_PATH, bytes, sizeof bytes, 0));
}

static void test_foreign_files_and_newer_formats_are_refused(void **state)
{
    (void)state;
    rot r;
    rot_init(&r, small_values, SMALL);
    static const uint8_t other_uuid[YR_UUID_BYTES] = {9};
    yr_value_open_options options = {.env = r.k.env, .cache = r.k.cache};
    vkit_ok(&r.k, open_with(&r, &options));
    options.uuid = other_uuid;
    assert_int_equal(open_with(&r, &options), YORE_ERR_CORRUPT);
    options.uuid = NULL;
    options.file_id = VKIT_FILE_ID + 1;
    assert_int_equal(open_with(&r, &options), YORE_ERR_CORRUPT);
    options.file_id = VKIT_FILE_ID;
    vkit_ok(&r.k, open_with(&r, &options));
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    yr_file_header header, changed;
    assert_true(yr_sim_file_read(r.k.sim, VKIT_PATH, bytes, sizeof bytes, 0));
    assert_int_equal(yr_file_header_decode(yore_bytes(bytes, sizeof bytes), &header), YR_HEADER_OK);
    changed = header, changed.must_understand = UINT32_C(1) << 31, header_change(&r, &changed);
    assert_int_equal(open_with(&r, &options), YORE_ERR_FORMAT);
    changed = header, changed.major = YR_FORMAT_MAJOR + 1, header_change(&r, &changed);
    assert_int_equal(open_with(&r, &options), YORE_ERR_FORMAT);
    changed = header, changed.kind = YR_FILE_SEGMENT, header_change(&r, &changed);
    assert_int_equal(open_with(&r, &options), YORE_ERR_CORRUPT);
    changed = header, changed.salt[3] ^= 1, header_change(&r, &changed);
    assert_int_equal(open_with(&r, &options), YORE_ERR_CORRUPT);
    changed = header, changed.minor = YR_FORMAT_MINOR + 1, changed.may_ignore = 0xffff,
    header_change(&r, &changed);
    vkit_ok(&r.k, open_with(&r, &options));
    vkit_deinit(&r.k);
}

/* -- files whose sums are right and which lie -- */

/* A directory that says something else, in place of the file's own. */
static void directory_lies(rot *r, const yr_value_ref *refs, uint64_t seed)
{
    uint8_t page[YR_VALUE_PAGE_BYTES];
    uint64_t off = r->bytes - YR_VALUE_FOOTER_BYTES - sizeof page;
    yr_value_page_encode(refs, r->count, seed, off, page);
    assert_true(yr_sim_file_write(r->k.sim, VKIT_PATH, page, sizeof page, off));
}

static void footer_lies(rot *r, const yr_value_footer *footer, uint64_t seed)
{
    uint8_t bytes[YR_VALUE_FOOTER_BYTES];
    yr_value_footer_encode(footer, seed, bytes);
    assert_true(yr_sim_file_write(r->k.sim, VKIT_PATH, bytes, sizeof bytes, r->bytes - sizeof bytes));
}

static void test_verify_finds_a_directory_or_footer_that_lies_under_a_right_sum(void **state)
{
    (void)state;
    rot r;
    rot_init(&r, small_values, SMALL);
    vkit_ok(&r.k, vkit_open(&r.k));
    uint64_t seed = yr_file_seed(yr_value_file_header(r.k.values));
    yr_value_footer footer = *yr_value_file_facts(r.k.values), lie;
    vkit_close(&r.k);
    yr_value_ref refs[SMALL], right[SMALL];
    for (uint32_t i = 0; i < SMALL; i++) right[i] = r.values[i].ref;
    for (uint32_t c = 0; c < 6; c++) {
        memcpy(refs, right, sizeof refs);
        switch (c) {
        case 0: refs[1] = right[3], refs[3] = right[1]; break; /* out of order */
        case 1: refs[1].hash++; break;
        case 2: refs[2].bytes--; break;
        case 3: refs[0].off += 8; break;
        case 4: refs[3].bytes = UINT64_MAX; break;
        default: refs[3] = refs[2]; break;
        }
        directory_lies(&r, refs, seed);
        outcome out = read_all(&r);
        assert_true(out.is_open && !out.is_verified);
        assert_int_equal(out.right, SMALL); /* reading needs no directory */
    }
    directory_lies(&r, right, seed);
    assert_true(read_all(&r).is_verified);
    lie = footer, lie.values--, footer_lies(&r, &lie, seed);
    assert_false(read_all(&r).is_verified);
    lie = footer, lie.value_bytes++, footer_lies(&r, &lie, seed);
    assert_false(read_all(&r).is_verified);
    lie = footer, lie.largest_bytes++, footer_lies(&r, &lie, seed);
    assert_false(read_all(&r).is_verified);
    lie = footer, lie.file_hash[5] ^= 1, footer_lies(&r, &lie, seed);
    assert_false(read_all(&r).is_verified);
    footer_lies(&r, &footer, seed);
    assert_true(read_all(&r).is_verified);
    vkit_deinit(&r.k);
}

/* Tail and directory agree on a hash that is not the value's: nobody but a writer with a fault can have made it. */
static void test_verify_and_copy_find_a_wrong_hash_under_right_sums(void **state)
{
    (void)state;
    rot r;
    uint8_t tail[8 + YR_VALUE_TAIL_BYTES];
    yr_value_ref refs[SMALL], copy;
    yr_value_write_options options = vkit_options(14);
    yr_value_writer *writer;
    rot_init(&r, small_values, SMALL);
    vkit_ok(&r.k, vkit_open(&r.k));
    uint64_t seed = yr_file_seed(yr_value_file_header(r.k.values));
    for (uint32_t i = 0; i < SMALL; i++) refs[i] = r.values[i].ref;
    refs[1].hash++;
    uint64_t off = refs[1].off + yr_value_tail_off(refs[1].bytes);
    assert_true(yr_sim_file_read(r.k.sim, VKIT_PATH, tail, sizeof tail, off));
    yr_value_tail_encode(&refs[1], seed, off, tail);
    assert_true(yr_sim_file_write(r.k.sim, VKIT_PATH, tail, sizeof tail, off));
    directory_lies(&r, refs, seed);
    assert_int_equal(vkit_get(&r.k, &r.values[1]), YORE_ERR_CORRUPT);
    assert_int_equal(yr_value_file_verify(r.k.values, &r.k.err), YORE_ERR_CORRUPT);
    assert_non_null(strstr(r.k.err.message, "another hash"));
    vkit_ok(&r.k, yr_value_writer_create(r.k.env, &options, r.k.dir, "a.tmp", &writer, &r.k.err));
    vkit_ok(&r.k, yr_value_writer_copy(writer, r.k.values, &refs[0], &copy, &r.k.err));
    assert_int_equal(yr_value_writer_copy(writer, r.k.values, &refs[1], &copy, &r.k.err), YORE_ERR_CORRUPT);
    yr_value_writer_destroy(writer);
    vkit_deinit(&r.k);
}

int main(int argc, char **argv)
{
    if (argc > 1) stride = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_flipped_bit_of_a_small_file_is_found),
        cmocka_unit_test(test_flipped_bits_of_a_larger_file_are_found),
        cmocka_unit_test(test_each_truncation_is_found_at_open),
        cmocka_unit_test(test_a_file_that_grew_is_refused),
        cmocka_unit_test(test_a_file_that_shrinks_while_it_is_open_gives_errors),
        cmocka_unit_test(test_a_value_in_the_place_of_another_is_found),
        cmocka_unit_test(test_stale_sectors_are_found),
        cmocka_unit_test(test_foreign_files_and_newer_formats_are_refused),
        cmocka_unit_test(test_verify_finds_a_directory_or_footer_that_lies_under_a_right_sum),
        cmocka_unit_test(test_verify_and_copy_find_a_wrong_hash_under_right_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
