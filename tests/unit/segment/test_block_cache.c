/* The block cache: its budget, pins, failures; and threads that load, read, drop and resize at once. */
#include <inttypes.h>
#include <stdatomic.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/base/thread.h"
#include "engine/segment/block_cache.h"
#include "tests/support/env_sim.h"

typedef struct loader {
    uint64_t stamp; /* what the block is filled with */
    _Atomic uint64_t *loads;
    yore_status fails;
    const yore_env *env;
} loader;

static yore_status load(void *arg, uint8_t *to, size_t size, yore_error *err)
{
    (void)err;
    const loader *l = arg;
    if (l->loads) atomic_fetch_add(l->loads, 1);
    if (l->env) l->env->yield(l->env->ctx);
    if (l->fails < 0) return l->fails;
    for (size_t i = 0; i < size; i++) to[i] = (uint8_t)(l->stamp + i);
    return YORE_OK;
}

static bool is_right(const yr_block_pin *pin, uint64_t stamp, size_t size)
{
    if (pin->size != size) return false;
    for (size_t i = 0; i < size; i += 17) {
        if (pin->data[i] != (uint8_t)(stamp + i)) return false;
    }
    return true;
}

static yr_block_pin get(yr_block_cache *cache, uint64_t file, uint64_t block, size_t size)
{
    yr_block_pin pin = {0};
    loader l = {.stamp = file * 31 + block};
    assert_int_equal(yr_block_cache_get(cache, (yr_cache_key){file, block}, size, load, &l, &pin, NULL),
                     YORE_OK);
    assert_true(is_right(&pin, l.stamp, size));
    return pin;
}

static void check(yr_block_cache *cache)
{
    const char *problem;
    if (yr_block_cache_check(cache, &problem)) return;
    print_error("%s\n", problem);
    fail();
}

static void test_the_budget_holds_and_used_blocks_stay(void **state)
{
    (void)state;
    yr_block_cache *cache;
    yr_block_cache_stats stats;
    assert_int_equal(yr_block_cache_create(yore_env_default(), 1u << 20, &cache, NULL), YORE_OK);
    uint64_t file = yr_block_cache_file(cache);
    for (uint64_t i = 0; i < 2000; i++) {
        yr_block_pin often = get(cache, file, 1000000, 4000);
        yr_block_pin pin = get(cache, file, i, 1000 + i);
        yr_block_pin_release(&pin);
        yr_block_pin_release(&often);
        yr_block_cache_stats_get(cache, &stats);
        assert_true(stats.bytes <= 1u << 20);
    }
    check(cache);
    assert_int_equal(stats.misses, 2001); /* the one that is used often was loaded once */
    assert_int_equal(stats.hits, 1999);
    assert_true(stats.evictions > 1000);
    yr_block_cache_resize(cache, 0);
    yr_block_cache_stats_get(cache, &stats);
    assert_int_equal(stats.entries, 0);
    yr_block_cache_destroy(cache);
}

static void test_pinned_blocks_are_not_evicted(void **state)
{
    (void)state;
    yr_block_cache *cache;
    yr_block_pin pins[50];
    assert_int_equal(yr_block_cache_create(yore_env_default(), 1, &cache, NULL), YORE_OK);
    uint64_t file = yr_block_cache_file(cache);
    for (uint64_t i = 0; i < 50; i++) pins[i] = get(cache, file, i, 5000);
    for (uint64_t i = 0; i < 50; i++) {
        yr_block_pin again = get(cache, file, i, 5000);
        assert_ptr_equal(again.data, pins[i].data);
        assert_true(is_right(&pins[i], file * 31 + i, 5000));
        yr_block_pin_release(&again);
        yr_block_pin_release(&pins[i]);
    }
    check(cache);
    yr_block_cache_drop(cache, file);
    yr_block_cache_stats stats;
    yr_block_cache_stats_get(cache, &stats);
    assert_int_equal(stats.bytes, 0);
    yr_block_cache_destroy(cache);
}

static void test_a_failed_load_leaves_nothing_and_may_be_tried_again(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(1);
    yr_block_cache *cache;
    yr_block_pin pin = {0};
    loader l = {.fails = YORE_ERR_IO};
    assert_int_equal(yr_block_cache_create(yr_sim_env(sim), 1u << 16, &cache, NULL), YORE_OK);
    yr_cache_key key = {yr_block_cache_file(cache), 7};
    assert_int_equal(yr_block_cache_get(cache, key, 100, load, &l, &pin, NULL), YORE_ERR_IO);
    assert_null(pin.data);
    check(cache);
    l.fails = YORE_OK;
    yr_sim_fail_alloc(sim, 1, false);
    assert_int_equal(yr_block_cache_get(cache, key, 100, load, &l, &pin, NULL), YORE_ERR_NOMEM);
    assert_int_equal(yr_block_cache_get(cache, key, 100, load, &l, &pin, NULL), YORE_OK);
    yr_block_pin_release(&pin);
    /* The same block with another size: what said so was damaged between two reads. */
    assert_int_equal(yr_block_cache_get(cache, key, 101, load, &l, &pin, NULL), YORE_ERR_CORRUPT);
    yr_block_cache_destroy(cache);
    for (uint64_t nth = 1; nth < 4; nth++) {
        yr_sim_fail_alloc(sim, nth, false);
        yore_status status = yr_block_cache_create(yr_sim_env(sim), UINT64_C(16) << 20, &cache, NULL);
        assert_int_equal(status, YORE_ERR_NOMEM);
    }
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

/* A block of more than 1 MiB and half a shard pushes nothing out, is shared while it is pinned, and goes with its last
 * pin; one that fits is kept. */
static void test_a_large_block_goes_with_its_last_pin(void **state)
{
    (void)state;
    const size_t large = 3u << 20;
    yr_sim *sim = yr_sim_create(1);
    yr_block_cache *cache;
    yr_block_cache_stats stats;
    yr_block_pin small[20];
    assert_int_equal(yr_block_cache_create(yr_sim_env(sim), 4u << 20, &cache, NULL), YORE_OK);
    uint64_t file = yr_block_cache_file(cache);
    for (uint64_t i = 0; i < 20; i++) {
        small[i] = get(cache, file, i, 100000);
        yr_block_pin_release(&small[i]);
    }
    yr_block_pin one = get(cache, file, 100, large), two = get(cache, file, 100, large);
    yr_block_pin three = yr_block_pin_copy(&two), other = get(cache, file, 101, large);
    assert_ptr_equal(one.data, two.data);
    check(cache);
    yr_block_pin_release(&one);
    yr_block_pin_release(&two);
    check(cache);
    assert_true(is_right(&three, file * 31 + 100, large));
    yr_block_pin_release(&three);
    yr_block_pin_release(&other);
    check(cache);
    yr_block_cache_stats_get(cache, &stats);
    assert_int_equal(stats.entries, 20);
    assert_int_equal(stats.evictions, 0);
    assert_true(stats.bytes < 2100000);
    one = get(cache, file, 100, large); /* loaded again */
    yr_block_pin_release(&one);
    yr_block_cache_stats_get(cache, &stats);
    assert_int_equal(stats.misses, 23);
    one = get(cache, file, 102, 2u << 20); /* as large as may be kept */
    yr_block_pin_release(&one);
    yr_block_cache_stats_get(cache, &stats);
    assert_int_equal(stats.entries, 21);
    yr_block_pin pin = {0};
    loader l = {.fails = YORE_ERR_IO};
    yr_cache_key key = {file, 103};
    assert_int_equal(yr_block_cache_get(cache, key, large, load, &l, &pin, NULL), YORE_ERR_IO);
    check(cache);
    yr_block_cache_drop(cache, file);
    yr_block_cache_stats_get(cache, &stats);
    assert_int_equal(stats.bytes, 0);
    yr_block_cache_destroy(cache);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

/* -- threads -- */

enum { THREADS = 4, ROUNDS = 4000, BLOCKS = 64 };

typedef struct crowd {
    yr_block_cache *cache;
    uint64_t shared_file;
    _Atomic uint64_t loads[BLOCKS];
    _Atomic uint64_t wrong;
    _Atomic uint32_t ready;
    bool is_once; /* everything fits: each block may be loaded once */
} crowd;

typedef struct member {
    crowd *crowd;
    uint64_t seed;
} member;

static void read_shared(crowd *c, yr_rng *rng)
{
    uint64_t block = yr_rng_below(rng, BLOCKS);
    size_t size = 500 + 10 * (size_t)block;
    yr_block_pin pin = {0};
    loader l = {.stamp = block, .loads = &c->loads[block], .env = yore_env_default()};
    if (!c->is_once && yr_rng_below(rng, 16) == 0) l.fails = YORE_ERR_IO;
    yore_status status =
        yr_block_cache_get(c->cache, (yr_cache_key){c->shared_file, block}, size, load, &l, &pin, NULL);
    if (status == YORE_OK ? !is_right(&pin, block, size) : l.fails == YORE_OK) atomic_fetch_add(&c->wrong, 1);
    yr_block_pin_release(&pin);
}

static void run_member(void *arg)
{
    member *m = arg;
    crowd *c = m->crowd;
    yr_rng rng = {m->seed};
    uint64_t own = yr_block_cache_file(c->cache);
    atomic_fetch_add(&c->ready, 1);
    while (atomic_load(&c->ready) < THREADS) yore_env_default()->yield(NULL);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        read_shared(c, &rng);
        if (c->is_once || i % 50) continue;
        loader l = {.stamp = i};
        yr_block_pin pin = {0};
        if (yr_block_cache_get(c->cache, (yr_cache_key){own, i}, 300, load, &l, &pin, NULL) != YORE_OK ||
            !is_right(&pin, i, 300)) {
            atomic_fetch_add(&c->wrong, 1);
        }
        yr_block_pin_release(&pin);
        if (i % 500 == 0) yr_block_cache_drop(c->cache, own);
        if (i % 1000 == 0) yr_block_cache_resize(c->cache, 1000 + yr_rng_below(&rng, 40000));
    }
}

/* All want the same few large blocks, which come and go. */
static void run_large_member(void *arg)
{
    member *m = arg;
    crowd *c = m->crowd;
    yr_rng rng = {m->seed};
    atomic_fetch_add(&c->ready, 1);
    while (atomic_load(&c->ready) < THREADS) yore_env_default()->yield(NULL);
    for (uint32_t i = 0; i < ROUNDS / 40; i++) {
        uint64_t block = yr_rng_below(&rng, 2);
        size_t size = (1u << 20) + 1 + (size_t)block;
        yr_block_pin pin = {0}, copy;
        loader l = {.stamp = block, .env = yore_env_default()};
        yr_cache_key key = {c->shared_file, block};
        if (yr_rng_below(&rng, 16) == 0) l.fails = YORE_ERR_IO;
        yore_status status = yr_block_cache_get(c->cache, key, size, load, &l, &pin, NULL);
        copy = yr_block_pin_copy(&pin);
        yr_block_pin_release(&pin);
        if (status == YORE_OK ? !is_right(&copy, block, size) : l.fails == YORE_OK)
            atomic_fetch_add(&c->wrong, 1);
        yr_block_pin_release(&copy);
    }
}

static void test_threads_share_large_blocks_that_come_and_go(void **state)
{
    (void)state;
    const yore_env *env = yore_env_default();
    static crowd c;
    member members[THREADS];
    yore_thread *threads[THREADS];
    yr_block_cache_stats stats;
    assert_int_equal(yr_block_cache_create(env, 1u << 20, &c.cache, NULL), YORE_OK);
    c.shared_file = yr_block_cache_file(c.cache);
    for (uint32_t i = 0; i < THREADS; i++) {
        members[i] = (member){&c, 200 + i};
        assert_int_equal(env->thread_create(env->ctx, run_large_member, &members[i], &threads[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) env->thread_join(env->ctx, threads[i]);
    assert_int_equal(atomic_load(&c.wrong), 0);
    check(c.cache);
    yr_block_cache_stats_get(c.cache, &stats);
    assert_int_equal(stats.entries, 0);
    assert_true(stats.misses > 1);
    yr_block_cache_destroy(c.cache);
}

static void run_crowd(uint64_t bytes_max, bool is_once)
{
    const yore_env *env = yore_env_default();
    crowd *c = calloc(1, sizeof *c);
    member members[THREADS];
    yore_thread *threads[THREADS];
    assert_non_null(c);
    c->is_once = is_once;
    assert_int_equal(yr_block_cache_create(env, bytes_max, &c->cache, NULL), YORE_OK);
    c->shared_file = yr_block_cache_file(c->cache);
    for (uint32_t i = 0; i < THREADS; i++) {
        members[i] = (member){c, 100 + i};
        assert_int_equal(env->thread_create(env->ctx, run_member, &members[i], &threads[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) env->thread_join(env->ctx, threads[i]);
    assert_int_equal(atomic_load(&c->wrong), 0);
    for (uint32_t i = 0; i < BLOCKS && is_once; i++) assert_int_equal(atomic_load(&c->loads[i]), 1);
    check(c->cache);
    yr_block_cache_destroy(c->cache);
    free(c);
}

static void test_threads_that_want_a_block_load_it_once(void **state)
{
    (void)state;
    run_crowd(64u << 20, true);
}

static void test_threads_read_right_bytes_while_blocks_come_and_go(void **state)
{
    (void)state;
    run_crowd(20000, false);
    run_crowd(1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_budget_holds_and_used_blocks_stay),
        cmocka_unit_test(test_pinned_blocks_are_not_evicted),
        cmocka_unit_test(test_a_failed_load_leaves_nothing_and_may_be_tried_again),
        cmocka_unit_test(test_a_large_block_goes_with_its_last_pin),
        cmocka_unit_test(test_threads_share_large_blocks_that_come_and_go),
        cmocka_unit_test(test_threads_that_want_a_block_load_it_once),
        cmocka_unit_test(test_threads_read_right_bytes_while_blocks_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
