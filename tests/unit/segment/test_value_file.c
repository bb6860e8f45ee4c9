/* Value files: what is written is read, at every size; references; sets; what is refused. */
#include <inttypes.h>

#include "tests/unit/segment/value_kit.h"

#define CHUNK ((uint64_t)YR_VALUE_CHUNK_BYTES)

static uint32_t many = 400;

/* -- references -- */

static void test_a_reference_is_forty_bytes_and_any_changed_bit_is_seen(void **state)
{
    (void)state;
    yr_value_ref ref = {.file_id = 77, .off = 4096, .bytes = 70000, .hash = UINT64_C(0xfedcba9876543210)},
                 got;
    uint8_t bytes[YR_VALUE_REF_BYTES];
    yr_value_ref_encode(&ref, bytes);
    assert_true(yr_value_ref_decode(yore_bytes(bytes, sizeof bytes), &got));
    assert_memory_equal(&ref, &got, sizeof ref);
    for (uint32_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(yr_value_ref_decode(yore_bytes(bytes, sizeof bytes), &got));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t size = 0; size < sizeof bytes; size++)
        assert_false(yr_value_ref_decode(yore_bytes(bytes, size), &got));
}

static void test_references_that_cannot_be_are_refused(void **state)
{
    (void)state;
    const yr_value_ref bad[] = {{0, 64, 1, 0},
                                {1, 0, 1, 0},
                                {1, 65, 1, 0},
                                {1, 64, 0, 0},
                                {1, 64, (uint64_t)YORE_VALUE_BYTES_MAX + 1, 0},
                                {1, 64, UINT64_MAX, 0},
                                {1, UINT64_MAX - 7, 1, 0},
                                {1, YR_VALUE_FILE_BYTES_MAX, 1, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t bytes[YR_VALUE_REF_BYTES];
        yr_value_ref got;
        yr_value_ref_encode(&bad[i], bytes);
        assert_false(yr_value_ref_decode(yore_bytes(bytes, sizeof bytes), &got));
    }
}

/* -- round trips -- */

static yore_status collect_ref(void *arg, const yr_value_ref *ref, yore_error *err)
{
    (void)err;
    const vkit_value **next = arg;
    assert_memory_equal(&(*next)->ref, ref, sizeof *ref);
    ++*next;
    return YORE_OK;
}

typedef struct gather {
    uint8_t *to;
    uint64_t size;
    uint32_t parts;
} gather;

static yore_status gather_part(void *arg, yore_slice part, yore_error *err)
{
    (void)err;
    gather *g = arg;
    assert_true(part.size > 0 && part.size <= CHUNK);
    memcpy(g->to + g->size, part.data, part.size);
    g->size += part.size;
    g->parts++;
    return YORE_OK;
}

static void compare_all(vkit *k, const vkit_value *values, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        vkit_ok(k, vkit_get(k, &values[i]));
        gather g = {.to = malloc((size_t)values[i].bytes)};
        vkit_ok(k, yr_value_file_stream(k->values, &values[i].ref, gather_part, &g, &k->err));
        assert_true(vkit_is(&values[i], g.to, g.size));
        assert_int_equal(g.parts, yr_value_chunks(values[i].bytes));
        free(g.to);
    }
    const vkit_value *next = values;
    vkit_ok(k, yr_value_file_list(k->values, collect_ref, &next, &k->err));
    assert_ptr_equal(next, values + count);
    vkit_ok(k, yr_value_file_verify(k->values, &k->err));
}

static void round_trip(vkit_value *values, uint32_t count, uint64_t cache_bytes)
{
    vkit k;
    vkit_init(&k, 1, cache_bytes);
    vkit_ok(&k, vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, values, count));
    vkit_ok(&k, vkit_open(&k));
    const yr_value_footer *facts = yr_value_file_facts(k.values);
    uint64_t bytes = 0, largest = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(values[i].ref.bytes, values[i].bytes);
        assert_int_equal(values[i].ref.file_id, VKIT_FILE_ID);
        bytes += values[i].bytes;
        if (largest < values[i].bytes) largest = values[i].bytes;
    }
    assert_int_equal(facts->value_bytes, bytes);
    assert_int_equal(facts->largest_bytes, largest);
    assert_int_equal(facts->after_version, 10);
    assert_int_equal(facts->last_version, 20);
    compare_all(&k, values, count);
    compare_all(&k, values, count); /* from the cache */
    vkit_deinit(&k);
}

static void test_values_of_sizes_around_every_boundary_are_read_back(void **state)
{
    (void)state;
    const uint64_t around[] = {8, 64, 512, 4096, 65536, CHUNK, 2 * CHUNK, 4 * CHUNK, 9 * CHUNK};
    vkit_value values[sizeof around / sizeof *around * 7];
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
        for (uint64_t d = 0; d < 7; d++, count++)
            values[count] = (vkit_value){.stamp = count, .bytes = around[i] + d - 3};
    }
    round_trip(values, count, 1u << 20);
    for (uint32_t i = 0; i < count; i++) round_trip(&values[i], 1, 1u << 16); /* alone in a file, too */
}

static void test_a_value_of_twenty_megabytes_is_read_back(void **state)
{
    (void)state;
    vkit_value values[] = {
        {.stamp = 1, .bytes = 70001}, {.stamp = 2, .bytes = 20u << 20}, {.stamp = 3, .bytes = 65537}};
    round_trip(values, 3, 1u << 20);
    round_trip(values, 3, 64u << 20);
}

static void test_many_values_are_read_back(void **state)
{
    (void)state;
    uint32_t counts[] = {0,
                         1,
                         YR_VALUE_PAGE_ENTRIES - 1,
                         YR_VALUE_PAGE_ENTRIES,
                         YR_VALUE_PAGE_ENTRIES + 1,
                         32 * YR_VALUE_PAGE_ENTRIES,
                         32 * YR_VALUE_PAGE_ENTRIES + 1,
                         20 * many};
    vkit_value *values = calloc(20 * (size_t)many + 1000, sizeof *values);
    yr_rng rng = {7};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        for (uint32_t i = 0; i < counts[c]; i++)
            values[i] = (vkit_value){.stamp = i, .bytes = 1 + yr_rng_below(&rng, 200)};
        round_trip(values, counts[c], 1u << 16);
    }
    for (uint32_t i = 0; i < many; i++)
        values[i] = (vkit_value){.stamp = i, .bytes = 65537 + yr_rng_below(&rng, 60000)};
    round_trip(values, many, 1u << 20);
    free(values);
}

/* However a value is cut into parts, the file is the same. */
static void test_parts_of_any_size_make_the_same_value(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        vkit k;
        yr_rng rng = {seed};
        vkit_value value = {.stamp = seed, .bytes = 1 + yr_rng_below(&rng, 5 * CHUNK)}, first;
        uint8_t *bytes = vkit_bytes(value.stamp, value.bytes);
        yr_value_write_options options = vkit_options(VKIT_FILE_ID);
        yr_value_writer *writer;
        vkit_init(&k, seed, 1u << 20);
        vkit_ok(&k, yr_value_writer_create(k.env, &options, k.dir, VKIT_NAME, &writer, &k.err));
        vkit_ok(&k, yr_value_writer_add(writer, yore_bytes(bytes, (size_t)value.bytes), &first.ref, &k.err));
        yr_value_writer_begin(writer);
        for (uint64_t at = 0; at < value.bytes;) {
            uint64_t n = yr_rng_below(&rng, yr_rng_below(&rng, 3) ? 100000 : 2 * CHUNK);
            if (n > value.bytes - at) n = value.bytes - at;
            vkit_ok(&k, yr_value_writer_append(writer, yore_bytes(bytes + at, (size_t)n), &k.err));
            at += n;
        }
        vkit_ok(&k, yr_value_writer_end(writer, &value.ref, &k.err));
        assert_int_equal(first.ref.hash, value.ref.hash);
        assert_int_equal(first.ref.off + yr_value_record_bytes(value.bytes), value.ref.off);
        vkit_ok(&k, yr_value_writer_finish(writer, NULL, &k.err));
        yr_value_writer_destroy(writer);
        vkit_ok(&k, vkit_open(&k));
        vkit_ok(&k, vkit_get(&k, &value));
        vkit_ok(&k, yr_value_file_verify(k.values, &k.err));
        free(bytes);
        vkit_deinit(&k);
    }
}

static void test_a_value_is_copied_to_another_file(void **state)
{
    (void)state;
    vkit k;
    vkit_value values[] = {
        {.stamp = 1, .bytes = 65537}, {.stamp = 2, .bytes = 3 * CHUNK + 5}, {.stamp = 3, .bytes = 9}};
    yr_value_write_options options = vkit_options(14);
    yr_value_writer *writer;
    vkit_init(&k, 1, 1u << 20);
    vkit_ok(&k, vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, values, 3));
    vkit_ok(&k, vkit_open(&k));
    vkit_ok(&k, yr_value_writer_create(k.env, &options, k.dir, "00000014.val", &writer, &k.err));
    for (uint32_t i = 3; i-- > 0;) {
        yr_value_ref ref;
        vkit_ok(&k, yr_value_writer_copy(writer, k.values, &values[i].ref, &ref, &k.err));
        assert_int_equal(ref.hash, values[i].ref.hash);
        assert_int_equal(ref.file_id, 14);
        values[i].ref = ref;
    }
    vkit_ok(&k, yr_value_writer_finish(writer, NULL, &k.err));
    yr_value_writer_destroy(writer);
    vkit_close(&k);
    assert_true(yr_sim_file_remove(k.sim, VKIT_PATH));
    vkit_ok(&k, vkit_open_as(&k, "00000014.val", &k.values));
    for (uint32_t i = 0; i < 3; i++) vkit_ok(&k, vkit_get(&k, &values[i]));
    vkit_deinit(&k);
}

/* -- memory -- */

static void test_a_large_value_leaves_the_cache_with_its_last_pin(void **state)
{
    (void)state;
    vkit k;
    vkit_value values[] = {{.stamp = 1, .bytes = 70000}, {.stamp = 2, .bytes = 6u << 20}};
    yr_block_cache_stats stats;
    yr_block_pin a = {0}, b = {0}, c;
    vkit_init(&k, 1, 4u << 20);
    vkit_ok(&k, vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, values, 2));
    vkit_ok(&k, vkit_open(&k));
    vkit_ok(&k, vkit_get(&k, &values[0]));
    vkit_ok(&k, yr_value_file_get(k.values, &values[1].ref, &a, &k.err));
    vkit_ok(&k, yr_value_file_get(k.values, &values[1].ref, &b, &k.err));
    assert_ptr_equal(a.data, b.data); /* loaded once */
    c = yr_block_pin_copy(&b);
    yr_block_pin_release(&a);
    yr_block_pin_release(&b);
    assert_true(vkit_is(&values[1], c.data, c.size));
    yr_block_cache_stats_get(k.cache, &stats);
    assert_int_equal(stats.entries, 2);
    assert_true(stats.bytes > 6u << 20);
    yr_block_pin_release(&c);
    yr_block_cache_stats_get(k.cache, &stats);
    assert_int_equal(stats.entries, 1); /* the small one was not pushed out */
    assert_true(stats.bytes < 80000);
    assert_int_equal(stats.evictions, 0);
    vkit_deinit(&k);
}

static void test_writing_verifying_and_copying_a_large_value_takes_little_memory(void **state)
{
    (void)state;
    vkit k;
    vkit_value value = {.stamp = 1, .bytes = 12u << 20};
    yr_value_write_options options = vkit_options(14);
    yr_value_writer *writer;
    yr_value_ref ref;
    vkit_init(&k, 1, 1u << 20);
    vkit_ok(&k, vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, &value, 1));
    vkit_ok(&k, vkit_open(&k));
    vkit_ok(&k, yr_value_file_verify(k.values, &k.err));
    vkit_ok(&k, yr_value_writer_create(k.env, &options, k.dir, "00000014.val", &writer, &k.err));
    vkit_ok(&k, yr_value_writer_copy(writer, k.values, &value.ref, &ref, &k.err));
    vkit_ok(&k, yr_value_writer_finish(writer, NULL, &k.err));
    yr_value_writer_destroy(writer);
    assert_true(yr_sim_peak_bytes(k.sim) < 1500000);
    vkit_deinit(&k);
}

static void test_no_reference_makes_the_reader_ask_for_more_than_the_largest_value(void **state)
{
    (void)state;
    vkit k;
    vkit_value values[3] = {
        {.stamp = 1, .bytes = 65537}, {.stamp = 2, .bytes = 100}, {.stamp = 3, .bytes = 65537}};
    yr_block_pin pin = {0};
    vkit_init(&k, 1, 1u << 20);
    vkit_ok(&k, vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, values, 3));
    vkit_ok(&k, vkit_open(&k));
    uint64_t most = yr_sim_peak_bytes(k.sim), end = yr_value_file_facts(k.values)->directory_off;
    const uint64_t sizes[] = {0,     1,      99,       101,        65536,         65537,
                              65538, 100000, 1u << 30, UINT64_MAX, UINT64_MAX - 7};
    const uint64_t offs[] = {
        0, 8, 64, 72, values[1].ref.off, values[2].ref.off, end - 8, end, end + 8, UINT64_MAX - 7};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t o = 0; o < sizeof offs / sizeof *offs; o++) {
            yr_value_ref ref = {VKIT_FILE_ID, offs[o], sizes[s], values[1].ref.hash};
            if (ref.off == values[1].ref.off && ref.bytes == 100) continue;
            assert_int_equal(yr_value_file_get(k.values, &ref, &pin, &k.err), YORE_ERR_CORRUPT);
            assert_int_equal(yr_value_file_stream(k.values, &ref, gather_part, NULL, &k.err),
                             YORE_ERR_CORRUPT);
            assert_non_null(strstr(k.err.message, VKIT_NAME));
        }
    }
    assert_true(yr_sim_peak_bytes(k.sim) <= most + 2 * 65537 + 1000);
    vkit_deinit(&k);
}

static void test_a_reference_with_another_hash_or_file_is_refused_also_from_the_cache(void **state)
{
    (void)state;
    vkit k;
    vkit_value value = {.stamp = 1, .bytes = 70000};
    yr_block_pin pin = {0};
    vkit_init(&k, 1, 1u << 20);
    vkit_ok(&k, vkit_write(&k, VKIT_NAME, VKIT_FILE_ID, &value, 1));
    vkit_ok(&k, vkit_open(&k));
    for (uint32_t round = 0; round < 2; round++) {
        yr_value_ref other = value.ref;
        other.hash ^= 1;
        assert_int_equal(yr_value_file_get(k.values, &other, &pin, &k.err), YORE_ERR_CORRUPT);
        other = value.ref;
        other.file_id++;
        assert_int_equal(yr_value_file_get(k.values, &other, &pin, &k.err), YORE_ERR_CORRUPT);
        other = value.ref;
        other.bytes--; /* the tail begins at the same place */
        assert_int_equal(yr_value_file_get(k.values, &other, &pin, &k.err), YORE_ERR_CORRUPT);
        vkit_ok(&k, vkit_get(&k, &value));
    }
    vkit_deinit(&k);
}

/* -- the writer refuses -- */

static void test_sizes_out_of_range_are_refused_and_change_nothing(void **state)
{
    (void)state;
    vkit k;
    vkit_value value = {.stamp = 1, .bytes = 65537};
    yr_value_write_options options = vkit_options(VKIT_FILE_ID);
    yr_value_writer *writer, *second;
    yr_value_ref ref;
    uint8_t *bytes = vkit_bytes(1, value.bytes);
    vkit_init(&k, 1, 1u << 20);
    vkit_ok(&k, yr_value_writer_create(k.env, &options, k.dir, VKIT_NAME, &writer, &k.err));
    assert_int_equal(yr_value_writer_add(writer, yore_bytes(bytes, 0), &ref, &k.err), YORE_ERR_LIMIT);
    /* no byte of it is read */
    yore_slice huge = yore_bytes(bytes, (size_t)YORE_VALUE_BYTES_MAX + 1);
    assert_int_equal(yr_value_writer_add(writer, huge, &ref, &k.err), YORE_ERR_LIMIT);
    vkit_ok(&k, yr_value_writer_add(writer, yore_bytes(bytes, (size_t)value.bytes), &value.ref, &k.err));
    assert_int_equal(yr_value_writer_create(k.env, &options, k.dir, VKIT_NAME, &second, &k.err), YORE_ERR_IO);
    vkit_ok(&k, yr_value_writer_finish(writer, NULL, &k.err));
    yr_value_writer_destroy(writer);
    vkit_ok(&k, vkit_open(&k));
    vkit_ok(&k, vkit_get(&k, &value));
    vkit_ok(&k, yr_value_file_verify(k.values, &k.err));
    free(bytes);
    vkit_deinit(&k);
}

static void test_a_writer_that_is_given_up_leaves_no_file(void **state)
{
    (void)state;
    vkit k;
    yr_value_write_options options = vkit_options(VKIT_FILE_ID);
    yr_value_writer *writer;
    yr_value_ref ref;
    vkit_init(&k, 1, 1u << 20);
    vkit_ok(&k, yr_value_writer_create(k.env, &options, k.dir, "a.tmp", &writer, &k.err));
    vkit_ok(&k, yr_value_writer_add(writer, yore_str("a value"), &ref, &k.err));
    yr_value_writer_begin(writer);
    vkit_ok(&k, yr_value_writer_append(writer, yore_str("and a half"), &k.err));
    assert_non_null(yr_sim_dir_name(k.sim, "db", 0));
    yr_value_writer_destroy(writer);
    assert_null(yr_sim_dir_name(k.sim, "db", 0));
    yr_value_writer_destroy(NULL);
    vkit_deinit(&k);
}

/* -- sets -- */

static void test_a_set_finds_its_files_and_names_the_missing_one(void **state)
{
    (void)state;
    enum { FILES = 5 };
    static const uint64_t ids[FILES] = {9, 2, 1000, 5, 7};
    vkit k;
    vkit_value values[FILES];
    yr_value_file *files[FILES + 1];
    yr_value_set *set, *larger;
    yr_block_pin pin = {0};
    uint8_t encoded[YR_VALUE_REF_BYTES];
    vkit_init(&k, 1, 1u << 20);
    for (uint32_t i = 0; i < FILES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%08u.val", (unsigned)ids[i]);
        values[i] = (vkit_value){.stamp = i, .bytes = 1000 + i};
        vkit_ok(&k, vkit_write(&k, name, ids[i], &values[i], 1));
        vkit_ok(&k, vkit_open_as(&k, name, &files[i]));
    }
    vkit_ok(&k, yr_value_set_create(k.env, files, FILES - 1, &set, &k.err));
    vkit_ok(&k, yr_value_set_create(k.env, files, FILES, &larger, &k.err));
    for (uint32_t i = 0; i < FILES; i++) yr_value_file_unref(files[i]); /* the sets have their own */
    assert_int_equal(yr_value_set_count(larger), FILES);
    for (uint32_t i = 0; i < FILES; i++) {
        vkit_ok(&k, yr_value_set_get(larger, &values[i].ref, &pin, &k.err));
        assert_true(vkit_is(&values[i], pin.data, pin.size));
        yr_block_pin_release(&pin);
        yr_value_ref_encode(&values[i].ref, encoded);
        vkit_ok(&k, yr_value_set_get_encoded(larger, yore_bytes(encoded, sizeof encoded), &pin, &k.err));
        assert_true(vkit_is(&values[i], pin.data, pin.size));
        yr_block_pin_release(&pin);
        assert_int_equal(yr_value_file_header(yr_value_set_find(larger, ids[i]))->file_id, ids[i]);
        uint64_t before = i ? yr_value_file_header(yr_value_set_at(larger, i - 1))->file_id : 0;
        assert_true(before < yr_value_file_header(yr_value_set_at(larger, i))->file_id);
    }
    yr_value_usage usages[FILES];
    yr_value_set_usages(larger, usages);
    assert_true(yr_value_usage_add(usages, FILES, ids[4], 1, values[4].bytes));
    assert_int_equal(usages[2].file_id, ids[4]); /* 2 5 7 9 1000 */
    assert_int_equal(usages[2].live_bytes, usages[2].value_bytes);
    assert_true(usages[2].file_bytes > usages[2].value_bytes);
    assert_int_equal(usages[1].live_count, 0);
    values[0].ref.file_id = 8;
    assert_int_equal(yr_value_set_get(larger, &values[0].ref, &pin, &k.err), YORE_ERR_CORRUPT);
    assert_non_null(strstr(k.err.message, "'00000008.val' is missing"));
    encoded[20] ^= 1;
    assert_int_equal(yr_value_set_get_encoded(larger, yore_bytes(encoded, sizeof encoded), &pin, &k.err),
                     YORE_ERR_CORRUPT);
    yr_value_set_ref(set);
    yr_value_set_unref(set);
    yr_value_set_unref(larger);
    assert_null(yr_value_set_find(set, 7));
    vkit_ok(&k, yr_value_set_get(set, &values[1].ref, &pin, &k.err)); /* files of both sets stay open */
    yr_block_pin_release(&pin);
    files[0] = files[1] = yr_value_set_at(set, 0);
    assert_int_equal(yr_value_set_create(k.env, files, 2, &larger, &k.err), YORE_ERR_CORRUPT); /* twice */
    yr_value_set_unref(set);
    yr_value_set_unref(NULL);
    vkit_ok(&k, yr_value_set_create(k.env, NULL, 0, &set, &k.err));
    assert_int_equal(yr_value_set_count(set), 0);
    yr_value_set_unref(set);
    vkit_deinit(&k);
}

int main(int argc, char **argv)
{
    if (argc > 1) many = (uint32_t)strtoul(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reference_is_forty_bytes_and_any_changed_bit_is_seen),
        cmocka_unit_test(test_references_that_cannot_be_are_refused),
        cmocka_unit_test(test_values_of_sizes_around_every_boundary_are_read_back),
        cmocka_unit_test(test_a_value_of_twenty_megabytes_is_read_back),
        cmocka_unit_test(test_many_values_are_read_back),
        cmocka_unit_test(test_parts_of_any_size_make_the_same_value),
        cmocka_unit_test(test_a_value_is_copied_to_another_file),
        cmocka_unit_test(test_a_large_value_leaves_the_cache_with_its_last_pin),
        cmocka_unit_test(test_writing_verifying_and_copying_a_large_value_takes_little_memory),
        cmocka_unit_test(test_no_reference_makes_the_reader_ask_for_more_than_the_largest_value),
        cmocka_unit_test(test_a_reference_with_another_hash_or_file_is_refused_also_from_the_cache),
        cmocka_unit_test(test_sizes_out_of_range_are_refused_and_change_nothing),
        cmocka_unit_test(test_a_writer_that_is_given_up_leaves_no_file),
        cmocka_unit_test(test_a_set_finds_its_files_and_names_the_missing_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
