/* Many threads read value files of the real file system through one cache, and take and leave sets, while files come
 * and go: every value is the right one, and no file is closed under a reader. */
#define _GNU_SOURCE /* mkdtemp */
#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine/base/thread.h"
#include "tests/unit/segment/value_kit.h"

enum { THREADS = 4, ROUNDS = 300, FILES = 3, VALUES = 12, EPOCHS = 40 };

typedef struct world {
    const yore_env *env;
    yore_dir *dir;
    yr_block_cache *cache;
    vkit_value values[FILES][VALUES];
    yr_mutex lock;
    yr_value_set *set; /* guarded by lock: what the next reader takes */
    _Atomic uint32_t ready;
    _Atomic uint32_t wrong;
    _Atomic uint32_t reading; /* threads that are not done */
} world;

typedef struct member {
    world *world;
    uint64_t seed;
} member;

static void write_file(world *w, uint32_t f, yr_rng *rng)
{
    char name[16];
    yr_value_write_options options = vkit_options(f + 1);
    yr_value_writer *writer;
    (void)snprintf(name, sizeof name, "%08u.val", f + 1);
    assert_int_equal(yr_value_writer_create(w->env, &options, w->dir, name, &writer, NULL), YORE_OK);
    for (uint32_t i = 0; i < VALUES; i++) {
        vkit_value *value = &w->values[f][i];
        *value = (vkit_value){.stamp = 100 * f + i, .bytes = 1 + yr_rng_below(rng, 100000)};
        if (i == 3) value->bytes = (3u << 20) + f; /* large for the cache */
        uint8_t *bytes = vkit_bytes(value->stamp, value->bytes);
        yore_slice slice = yore_bytes(bytes, (size_t)value->bytes);
        assert_int_equal(yr_value_writer_add(writer, slice, &value->ref, NULL), YORE_OK);
        free(bytes);
    }
    assert_int_equal(yr_value_writer_finish(writer, NULL, NULL), YORE_OK);
    yr_value_writer_destroy(writer);
}

static yr_value_file *open_file(world *w, uint32_t f)
{
    char name[16];
    yore_file *file;
    yr_value_file *values = NULL;
    yr_value_open_options options = {.env = w->env, .cache = w->cache, .file_id = f + 1};
    (void)snprintf(name, sizeof name, "%08u.val", f + 1);
    assert_int_equal(w->env->open(w->env->ctx, w->dir, name, 0, &file), 0);
    assert_int_equal(yr_value_file_open(&options, file, name, &values, NULL), YORE_OK);
    return values;
}

/* Files in use go on from set to set; one of them is opened anew, so that the old one closes when its last reader
 * goes. */
static yr_value_set *next_set(world *w, const yr_value_set *before, uint32_t changed)
{
    yr_value_file *files[FILES];
    yr_value_set *set;
    for (uint32_t f = 0; f < FILES; f++) {
        files[f] = before && f != changed ? yr_value_set_at(before, f) : open_file(w, f);
    }
    assert_int_equal(yr_value_set_create(w->env, files, FILES, &set, NULL), YORE_OK);
    for (uint32_t f = 0; f < FILES; f++) {
        if (!before || f == changed) yr_value_file_unref(files[f]); /* the set has its own */
    }
    return set;
}

static void publish(world *w, yr_value_set *set)
{
    yr_mutex_lock(&w->lock);
    yr_value_set *old = w->set;
    w->set = set;
    yr_mutex_unlock(&w->lock);
    yr_value_set_unref(old);
}

static bool is_read(const yr_value_set *set, const vkit_value *value)
{
    yr_block_pin pin = {0}, copy;
    if (yr_value_set_get(set, &value->ref, &pin, NULL) != YORE_OK) return false;
    copy = yr_block_pin_copy(&pin);
    yr_block_pin_release(&pin);
    yr_rng rng = {value->stamp}; /* the beginning tells one from another */
    uint8_t first[8];
    yr_put_le64(first, yr_rng_next(&rng));
    bool is_right = copy.size == value->bytes && memcmp(first, copy.data, copy.size < 8 ? copy.size : 8) == 0;
    yr_block_pin_release(&copy);
    return is_right;
}

static void run_member(void *arg)
{
    member *m = arg;
    world *w = m->world;
    yr_rng rng = {m->seed};
    atomic_fetch_add(&w->ready, 1);
    while (atomic_load(&w->ready) < THREADS) w->env->yield(w->env->ctx);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        yr_mutex_lock(&w->lock);
        yr_value_set *set = w->set;
        yr_value_set_ref(set);
        yr_mutex_unlock(&w->lock);
        for (uint32_t n = 0; n < 3; n++) {
            /* now and then all want the same large one */
            uint32_t v = i % 16 == 0 ? 3 : (uint32_t)yr_rng_below(&rng, VALUES);
            uint32_t f = i % 16 == 0 ? 0 : (uint32_t)yr_rng_below(&rng, FILES);
            if (!is_read(set, &w->values[f][v])) atomic_fetch_add(&w->wrong, 1);
        }
        yr_value_set_unref(set);
    }
    atomic_fetch_sub(&w->reading, 1);
}

static void run_world(world *w)
{
    member members[THREADS];
    yore_thread *threads[THREADS];
    publish(w, next_set(w, NULL, 0));
    atomic_store(&w->reading, THREADS);
    for (uint32_t i = 0; i < THREADS; i++) {
        members[i] = (member){w, 70 + i};
        assert_int_equal(w->env->thread_create(w->env->ctx, run_member, &members[i], &threads[i]), 0);
    }
    for (uint32_t epoch = 0; epoch < EPOCHS && atomic_load(&w->reading) > 0; epoch++) {
        publish(w, next_set(w, w->set, epoch % FILES)); /* only this thread changes w->set */
        w->env->yield(w->env->ctx);
    }
    for (uint32_t i = 0; i < THREADS; i++) w->env->thread_join(w->env->ctx, threads[i]);
    publish(w, NULL);
}

static void test_threads_read_value_files_that_come_and_go(void **state)
{
    (void)state;
    static world w;
    char path[] = "/tmp/yore-values-XXXXXX";
    yr_rng rng = {9};
    const char *problem;
    yr_block_cache_stats stats;
    assert_non_null(mkdtemp(path));
    w.env = yore_env_default();
    assert_int_equal(w.env->dir_open(w.env->ctx, path, 0, NULL, &w.dir), 0);
    assert_int_equal(yr_block_cache_create(w.env, 1u << 20, &w.cache, NULL), YORE_OK);
    yr_mutex_init(&w.lock, YR_RANK_COMMIT);
    for (uint32_t f = 0; f < FILES; f++) write_file(&w, f, &rng);
    run_world(&w);
    assert_int_equal(atomic_load(&w.wrong), 0);
    assert_true(yr_block_cache_check(w.cache, &problem));
    yr_block_cache_stats_get(w.cache, &stats);
    assert_int_equal(stats.entries, 0); /* every file was closed */
    yr_block_cache_destroy(w.cache);
    yr_mutex_deinit(&w.lock);
    for (uint32_t f = 0; f < FILES; f++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%08u.val", f + 1);
        assert_int_equal(w.env->unlink(w.env->ctx, w.dir, name), 0);
    }
    w.env->dir_close(w.env->ctx, w.dir);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_read_value_files_that_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
