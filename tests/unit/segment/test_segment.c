/* Runs of one to five segments of many shapes, in both forms, read every way: every answer is the model's. The seed is
 * printed; arguments: first seed, how many. */
#include <inttypes.h>

#include "tests/unit/segment/segment_kit.h"

static uint64_t first_seed = 1;
static uint64_t seed_count = 2;

static void run_shape(const kit_shape *shape, uint64_t seed, enum yr_segment_form form, uint32_t files)
{
    kit k;
    kit_model model;
    yr_segment_build_options options;
    uint64_t cache_bytes = seed % 3 == 0 ? 1 : 1u << 20; /* also one that keeps nothing */
    kit_model_make(&model, shape, seed);
    kit_init(&k, seed, cache_bytes);
    kit_options(&model, form, &options);
    k.file_count = files;
    if (seed % 2) options.history_block_bytes = 512;
    if (seed % 5 == 0) options.main_block_bytes = 256;
    if (seed % 4 == 0) options.sample_bytes = 4096;
    kit_ok(&k, kit_build(&k, &model, &options));
    kit_load(&k);
    for (int way = 0; way < KIT_WAY_COUNT; way++) {
        kit_ok(&k, kit_open(&k, (enum kit_way)way));
        kit_compare(&k, &model, seed + (uint64_t)way);
        for (uint32_t i = 0; i < k.file_count; i++)
            kit_ok(&k, yr_segment_verify(yr_run_file(k.run, i), &k.err));
        kit_close(&k);
    }
    kit_deinit(&k);
    kit_model_free(&model);
}

static void test_reads_give_what_the_model_gives(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++) {
        for (size_t i = 0; i < kit_shape_count; i++) {
            print_message("seed %" PRIu64 ": %s\n", seed, kit_shapes[i].name);
            uint32_t files = 1 + (uint32_t)((seed + i) % KIT_FILES_MAX);
            run_shape(&kit_shapes[i], seed, YR_SEGMENT_HOT, files);
            run_shape(&kit_shapes[i], seed, YR_SEGMENT_COLD, 1 + files % KIT_FILES_MAX);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) first_seed = strtoull(argv[1], NULL, 10);
    if (argc > 2) seed_count = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_give_what_the_model_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
