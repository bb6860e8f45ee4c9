/* Many threads read one run: blocks and pages are checked and kept, the dictionary is made and blocks are loaded by
 * whoever comes first; every answer is the model's. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine/base/file_io.h"
#include "tests/unit/segment/segment_kit.h"

enum { THREADS = 4, ROUNDS = 1500 };

static const kit_shape thread_shape = {"threads", 600, 800, 6, 20, 200, 2, 20, false, false, true};

typedef struct crowd {
    yr_run *run;
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
    uint64_t hash = yr_segment_hash_of(yr_segment_facts(yr_run_file(c->run, 0))->hash_seed, yr_get_be32(p),
                                       p[4], yore_bytes(p + 5, tree_key.size - 5));
    yr_segment_hit hit = {0};
    yore_status status = yr_run_find(c->run, tree_key, hash, cap, &hit, NULL);
    uint32_t want = kit_model_find(model, key, cap);
    bool is_right = want == UINT32_MAX ? status == YORE_NOT_FOUND
                                       : status == YORE_OK && kit_same_row(&hit.row, &model->rows[want]);
    yr_segment_hit_release(&hit);
    return is_right;
}

static bool scan_is_right(crowd *c, yr_rng *rng)
{
    const kit_model *model = c->model;
    yr_run_cursor cursor;
    yr_segment_row row;
    uint32_t key = (uint32_t)yr_rng_below(rng, model->key_count);
    bool is_right = true;
    yr_run_cursor_init(&cursor, c->run, UINT64_MAX, yore_bytes(NULL, 0));
    yore_slice tree_key = model->rows[model->key_rows[key]].tree_key;
    yore_status status = yr_run_cursor_seek(&cursor, tree_key, &row, NULL);
    for (uint32_t i = 0; i < 20 && key < model->key_count && is_right; i++, key++) {
        is_right = status == YORE_OK && kit_same_row(&row, &model->rows[model->key_rows[key]]);
        status = yr_run_cursor_next(&cursor, &row, NULL);
    }
    yr_run_cursor_deinit(&cursor);
    return is_right;
}

/* A row pinned while others make the cache forget its block; a commit's time and its branch's head. */
static bool rest_is_right(crowd *c, yr_rng *rng)
{
    const kit_model *model = c->model;
    uint32_t key = (uint32_t)yr_rng_below(rng, model->key_count);
    yr_run_cursor cursor;
    yr_segment_row row, other;
    yr_block_pin pin = {0};
    yr_run_cursor_init(&cursor, c->run, UINT64_MAX, yore_bytes(NULL, 0));
    const yr_segment_row *want = &model->rows[model->key_rows[key]];
    bool is_right = yr_run_cursor_seek(&cursor, want->tree_key, &row, NULL) == YORE_OK;
    const yr_block_pin *held = yr_run_cursor_pin(&cursor);
    if (held) pin = yr_block_pin_copy(held);
    for (uint32_t i = 0; i < 30 && yr_run_cursor_next(&cursor, &other, NULL) == YORE_OK; i++) continue;
    yr_run_cursor_deinit(&cursor);
    is_right = is_right && kit_same_row(&row, want);
    yr_block_pin_release(&pin);
    const yr_commit_head *commit = &model->commits[yr_rng_below(rng, model->commit_count)].head;
    uint64_t head = 0;
    int64_t time_ns = 0;
    return is_right && yr_run_head_at(c->run, commit->branch, commit->version, &head, NULL) == YORE_OK &&
           head == commit->version &&
           yr_run_commit_time(c->run, commit->version, &time_ns, NULL) == YORE_OK &&
           time_ns == commit->time_ns;
}

static void run_member(void *arg)
{
    member *m = arg;
    crowd *c = m->crowd;
    yr_rng rng = {m->seed};
    atomic_fetch_add(&c->ready, 1);
    while (atomic_load(&c->ready) < THREADS) yore_env_default()->yield(NULL);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        bool is_right = i % 4   ? find_is_right(c, &rng)
                        : i % 8 ? rest_is_right(c, &rng)
                                : scan_is_right(c, &rng);
        if (!is_right) atomic_fetch_add(&c->wrong, 1);
    }
}

/* A real file with these bytes, without a name: the simulated machine has one thread. */
static yore_file *real_file(const yore_env *env, yore_slice bytes)
{
    yore_dir *dir;
    yore_file *file;
    char path[] = "/tmp/yore-segment-XXXXXX";
    assert_non_null(mkdtemp(path));
    assert_int_equal(env->dir_open(env->ctx, path, 0, NULL, &dir), 0);
    assert_int_equal(env->open(env->ctx, dir, "s", YORE_OPEN_WRITE | YORE_OPEN_CREATE, &file), 0);
    assert_int_equal(yr_file_write_all(env, file, bytes.data, bytes.size, 0), 0);
    assert_int_equal(env->unlink(env->ctx, dir, "s"), 0);
    env->dir_close(env->ctx, dir);
    assert_int_equal(rmdir(path), 0);
    return file;
}

static void open_files(kit *k, enum kit_way way, const yr_segment_open_options *options, yr_segment **files)
{
    for (uint32_t i = 0; i < k->file_count; i++) {
        yore_slice bytes = i ? k->more_images[i] : yore_bytes(k->image, k->image_bytes);
        yr_segment_open_options open = *options;
        yore_file *file = NULL;
        if (way == KIT_IMAGE) {
            open.image = bytes;
        } else {
            file = real_file(open.env, bytes);
        }
        kit_ok(k, way == KIT_LOAD ? yr_segment_load(&open, file, "s", NULL, &files[i], &k->err)
                                  : yr_segment_open(&open, file, "s", &files[i], &k->err));
    }
}

static void run_form(enum yr_segment_form form, enum kit_way way)
{
    const yore_env *env = yore_env_default();
    kit k;
    kit_model model;
    yr_segment_build_options options;
    yr_block_cache *cache;
    yr_decoders *decoders;
    yr_segment *files[KIT_FILES_MAX];
    kit_model_make(&model, &thread_shape, 3);
    kit_init(&k, 3, 1u << 16);
    k.file_count = form == YR_SEGMENT_COLD ? 1 : 3;
    kit_options(&model, form, &options);
    options.main_block_bytes = options.history_block_bytes = 512; /* small blocks gain from a dictionary */
    kit_ok(&k, kit_build(&k, &model, &options));
    kit_load(&k);
    kit_ok(&k, yr_block_cache_create(env, 100000, &cache, &k.err));
    kit_ok(&k, yr_decoders_create(env, &decoders, &k.err));
    yr_segment_open_options open = {.env = env, .cache = cache, .decoders = decoders};
    open_files(&k, way, &open, files);
    crowd c = {.model = &model};
    kit_ok(&k, yr_run_create(env, 1, files, k.file_count, &c.run, &k.err));
    if (form == YR_SEGMENT_COLD)
        assert_true(yr_segment_facts(files[0])->section_bytes[YR_SECTION_DICTIONARY] > 0);
    member members[THREADS];
    yore_thread *threads[THREADS];
    for (uint32_t i = 0; i < THREADS; i++) {
        members[i] = (member){&c, 40 + i};
        assert_int_equal(env->thread_create(env->ctx, run_member, &members[i], &threads[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) env->thread_join(env->ctx, threads[i]);
    assert_int_equal(atomic_load(&c.wrong), 0);
    yr_run_unref(c.run);
    yr_decoders_destroy(decoders);
    yr_block_cache_destroy(cache);
    kit_deinit(&k);
    kit_model_free(&model);
}

static void test_threads_read_one_run_in_place(void **state)
{
    (void)state;
    run_form(YR_SEGMENT_HOT, KIT_IMAGE);
    run_form(YR_SEGMENT_HOT, KIT_LOAD);
}

static void test_threads_read_one_compressed_segment(void **state)
{
    (void)state;
    run_form(YR_SEGMENT_COLD, KIT_IMAGE);
}

static void test_threads_read_one_run_through_a_small_cache(void **state)
{
    (void)state;
    run_form(YR_SEGMENT_HOT, KIT_PREAD);
    run_form(YR_SEGMENT_COLD, KIT_PREAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_read_one_run_in_place),
        cmocka_unit_test(test_threads_read_one_compressed_segment),
        cmocka_unit_test(test_threads_read_one_run_through_a_small_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
