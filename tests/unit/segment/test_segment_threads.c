/* Many threads read one segment: blocks and pages are checked, the dictionary is made and blocks are loaded by whoever
 * comes first; every answer is the model's. */
#include <inttypes.h>
#include <stdatomic.h>

#include "tests/unit/segment/segment_kit.h"

enum { THREADS = 4, ROUNDS = 1500 };

static const kit_shape thread_shape = {"threads", 600, 800, 6, 20, 200, 2, 20, false, false, true};

typedef struct crowd {
    yr_segment *segment;
    const kit_model *model;
    _Atomic uint32_t ready;
    _Atomic uint32_t wrong;
} crowd;

typedef struct member {
    crowd *crowd;
    uint64_t seed;
} member;

static bool find_is_right(crowd *c, yr_rng *rng)
{
    const kit_model *model = c->model;
    uint32_t key = (uint32_t)yr_rng_below(rng, model->key_count);
    uint64_t cap = model->after_version + yr_rng_below(rng, model->last_version - model->after_version + 1);
    yore_slice tree_key = model->rows[model->key_rows[key]].tree_key;
    const uint8_t *p = tree_key.data;
    uint64_t hash = yr_segment_hash_of(yr_segment_facts(c->segment)->hash_seed, yr_get_be32(p), p[4],
                                       yore_bytes(p + 5, tree_key.size - 5));
    yr_segment_hit hit = {0};
    yore_status status = yr_segment_find(c->segment, tree_key, hash, cap, &hit, NULL);
    uint32_t want = kit_model_find(model, key, cap);
    bool is_right = want == UINT32_MAX ? status == YORE_NOT_FOUND
                                       : status == YORE_OK && kit_same_row(&hit.row, &model->rows[want]);
    yr_segment_hit_release(&hit);
    return is_right;
}

static bool scan_is_right(crowd *c, yr_rng *rng)
{
    const kit_model *model = c->model;
    yr_segment_cursor cursor;
    yr_segment_row row;
    uint32_t key = (uint32_t)yr_rng_below(rng, model->key_count);
    bool is_right = true;
    yr_segment_cursor_init(&cursor, c->segment, UINT64_MAX, yore_bytes(NULL, 0));
    yore_slice tree_key = model->rows[model->key_rows[key]].tree_key;
    yore_status status = yr_segment_cursor_seek(&cursor, tree_key, &row, NULL);
    for (uint32_t i = 0; i < 20 && key < model->key_count && is_right; i++, key++) {
        is_right = status == YORE_OK && kit_same_row(&row, &model->rows[model->key_rows[key]]);
        status = yr_segment_cursor_next(&cursor, &row, NULL);
    }
    yr_segment_cursor_deinit(&cursor);
    return is_right;
}

static void run_member(void *arg)
{
    member *m = arg;
    crowd *c = m->crowd;
    yr_rng rng = {m->seed};
    atomic_fetch_add(&c->ready, 1);
    while (atomic_load(&c->ready) < THREADS) yore_env_default()->yield(NULL);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        bool is_right = i % 8 ? find_is_right(c, &rng) : scan_is_right(c, &rng);
        if (!is_right) atomic_fetch_add(&c->wrong, 1);
    }
}

static void run_form(enum yr_segment_form form)
{
    const yore_env *env = yore_env_default();
    kit k;
    kit_model model;
    yr_segment_build_options options;
    yr_block_cache *cache;
    yr_decoders *decoders;
    kit_model_make(&model, &thread_shape, 3);
    kit_init(&k, 3, 1u << 16);
    kit_options(&model, form, &options);
    options.main_block_bytes = options.history_block_bytes = 512; /* small blocks gain from a dictionary */
    kit_ok(&k, kit_build(&k, &model, &options));
    kit_load(&k);
    kit_ok(&k, yr_block_cache_create(env, 100000, &cache, &k.err)); /* the simulated machine has one thread */
    kit_ok(&k, yr_decoders_create(env, &decoders, &k.err));
    yr_segment_open_options open = {.env = env, .cache = cache, .decoders = decoders};
    open.image = yore_bytes(k.image, k.image_bytes);
    crowd c = {.model = &model};
    kit_ok(&k, yr_segment_open(&open, NULL, KIT_NAME, &c.segment, &k.err));
    if (form == YR_SEGMENT_COLD)
        assert_true(yr_segment_facts(c.segment)->section_bytes[YR_SECTION_DICTIONARY] > 0);
    member members[THREADS];
    yore_thread *threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        members[i] = (member){&c, 40 + i};
        assert_int_equal(env->thread_create(env->ctx, run_member, &members[i], &threads[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) env->thread_join(env->ctx, threads[i]);
    assert_int_equal(atomic_load(&c.wrong), 0);
    yr_segment_close(c.segment);
    yr_decoders_destroy(decoders);
    yr_block_cache_destroy(cache);
    kit_deinit(&k);
    kit_model_free(&model);
}

static void test_threads_read_one_segment_in_place(void **state)
{
    (void)state;
    run_form(YR_SEGMENT_HOT);
}

static void test_threads_read_one_compressed_segment(void **state)
{
    (void)state;
    run_form(YR_SEGMENT_COLD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_read_one_segment_in_place),
        cmocka_unit_test(test_threads_read_one_compressed_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
