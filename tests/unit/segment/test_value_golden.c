/* Value files of every format version, as they were once written: they must be read for ever, by the references that
 * segments of their time hold. The values are spelt out here and not made by the kit, which may change.
 * `test_value_golden --write DIR` makes the file of this version and prints its references. */
#include <inttypes.h>

#include "tests/unit/segment/value_kit.h"

enum { COUNT = 4 };
static const uint64_t sizes[COUNT] = {1, 1000, 65537, YR_VALUE_CHUNK_BYTES + 11};

typedef struct golden {
    const char *name;
    const char *refs[COUNT]; /* as they were encoded */
} golden;

static const golden files[] = {
    {"value-1.0.bin",
     {"010000006cb9392a0d0000000000000040000000000000000100000000000000a96faf705af16834",
      "01000000d84c19980d000000000000006800000000000000e8030000000000005b58f336405d4c56",
      "01000000b81386740d000000000000007004000000000000010001000000000068e13f70a149db6c",
      "010000009401f0480d0000000000000098040100000000000b0004000000000025e0f9ec6d69f8f7"}},
};

static uint8_t *golden_value(uint32_t i)
{
    uint8_t *bytes = malloc((size_t)sizes[i]);
    assert_non_null(bytes);
    for (uint64_t b = 0; b < sizes[i]; b++)
        bytes[b] = (uint8_t)((uint64_t) "a large value, "[b % 15] + (b / 4096) % 3 + i);
    return bytes;
}

static void write_one(const char *dir_path)
{
    vkit k;
    yr_value_writer *writer;
    yr_value_write_options options = {
        .uuid = {1, 2, 3}, .file_id = VKIT_FILE_ID, .after_version = 100, .last_version = 400};
    vkit_init(&k, 1, 1u << 16);
    vkit_ok(&k, yr_value_writer_create(k.env, &options, k.dir, VKIT_NAME, &writer, &k.err));
    for (uint32_t i = 0; i < COUNT; i++) {
        yr_value_ref ref;
        uint8_t encoded[YR_VALUE_REF_BYTES], *bytes = golden_value(i);
        vkit_ok(&k, yr_value_writer_add(writer, yore_bytes(bytes, (size_t)sizes[i]), &ref, &k.err));
        free(bytes);
        yr_value_ref_encode(&ref, encoded);
        for (size_t b = 0; b < sizeof encoded; b++) printf("%02x", encoded[b]);
        printf("\n");
    }
    vkit_ok(&k, yr_value_writer_finish(writer, NULL, &k.err));
    yr_value_writer_destroy(writer);
    size_t size = (size_t)yr_sim_file_size(k.sim, VKIT_PATH);
    uint8_t *bytes = malloc(size);
    assert_true(yr_sim_file_read(k.sim, VKIT_PATH, bytes, size, 0));
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", dir_path, files[0].name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    free(bytes);
    vkit_deinit(&k);
}

static void load_golden(vkit *k, const char *name)
{
    char path[512];
    const char *root = getenv("YORE_SOURCE_DIR");
    uint8_t *bytes = malloc(1u << 20);
    assert_non_null(bytes);
    (void)snprintf(path, sizeof path, "%s/tests/unit/segment/golden/%s", root ? root : ".", name);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    size_t size = fread(bytes, 1, 1u << 20, in);
    assert_int_equal(fclose(in), 0);
    assert_true(yr_sim_file_create(k->sim, VKIT_PATH));
    assert_true(yr_sim_file_write(k->sim, VKIT_PATH, bytes, size, 0));
    free(bytes);
}

static yr_value_ref ref_of(const char *text)
{
    uint8_t bytes[YR_VALUE_REF_BYTES];
    yr_value_ref ref;
    assert_int_equal(strlen(text), 2 * sizeof bytes);
    for (size_t b = 0; b < sizeof bytes; b++) {
        char pair[3] = {text[2 * b], text[2 * b + 1], 0};
        bytes[b] = (uint8_t)strtoul(pair, NULL, 16);
    }
    assert_true(yr_value_ref_decode(yore_bytes(bytes, sizeof bytes), &ref));
    return ref;
}

static void test_value_files_of_every_format_version_are_read(void **state)
{
    (void)state;
    for (uint32_t f = 0; f < sizeof files / sizeof *files; f++) {
        vkit k;
        vkit_init(&k, 1, 1u << 20);
        load_golden(&k, files[f].name);
        vkit_ok(&k, vkit_open(&k));
        const yr_value_footer *facts = yr_value_file_facts(k.values);
        assert_int_equal(yr_value_file_header(k.values)->file_id, VKIT_FILE_ID);
        assert_int_equal(facts->values, COUNT);
        assert_int_equal(facts->value_bytes, sizes[0] + sizes[1] + sizes[2] + sizes[3]);
        assert_int_equal(facts->largest_bytes, sizes[3]);
        assert_int_equal(facts->after_version, 100);
        assert_int_equal(facts->last_version, 400);
        for (uint32_t i = 0; i < COUNT; i++) {
            yr_block_pin pin = {0};
            yr_value_ref ref = ref_of(files[f].refs[i]);
            uint8_t *want = golden_value(i);
            vkit_ok(&k, yr_value_file_get(k.values, &ref, &pin, &k.err));
            assert_int_equal(pin.size, sizes[i]);
            assert_memory_equal(pin.data, want, pin.size);
            yr_block_pin_release(&pin);
            free(want);
        }
        vkit_ok(&k, yr_value_file_verify(k.values, &k.err));
        vkit_deinit(&k);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        write_one(argv[2]);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_files_of_every_format_version_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
