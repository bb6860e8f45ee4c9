/* The region: blocks do not overlap, free blocks come back, a full region says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fixture.h"
#include "index/region.h"

typedef struct block {
    yr_ref ref;
    uint64_t bytes;
    uint8_t mark;
} block;

static void fill(const yr_region *region, const block *b)
{
    memset(yr_region_at(region, b->ref), b->mark, b->bytes);
}

static void assert_untouched(const yr_region *region, const block *b)
{
    const uint8_t *at = yr_region_at(region, b->ref);
    for (uint64_t i = 0; i < b->bytes; i++) assert_int_equal(at[i], b->mark);
}

static uint64_t random_size(yr_rng *rng)
{
    uint64_t how = yr_rng_below(rng, 10);
    if (how < 7) return 1 + yr_rng_below(rng, 200);
    if (how < 9) return 1 + yr_rng_below(rng, 3000);
    return 1 + yr_rng_below(rng, 50000);
}

static void test_blocks_never_overlap_and_space_is_reused(void **state)
{
    (void)state;
    enum { BLOCKS = 500, STEPS = 100000 };
    yr_rng rng = {fixture_seed("region")};
    yr_region region;
    assert_true(yr_region_init(&region, fixture_env(), UINT64_C(1) << 26));
    static block blocks[BLOCKS];
    uint64_t live = 0, live_max = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        block *b = &blocks[yr_rng_below(&rng, BLOCKS)];
        if (b->ref) {
            assert_untouched(&region, b);
            live -= b->bytes;
            if (yr_rng_below(&rng, 2)) {
                yr_region_free(&region, b->ref, b->bytes);
            } else {
                yr_region_retire(&region, b->ref, b->bytes);
            }
            b->ref = 0;
            continue;
        }
        *b = (block){.bytes = random_size(&rng), .mark = (uint8_t)yr_rng_next(&rng)};
        b->ref = yr_region_alloc(&region, b->bytes);
        assert_int_not_equal(b->ref, 0);
        assert_true(((uint64_t)b->ref * YR_REGION_UNIT) + b->bytes <= atomic_load(&region.used));
        fill(&region, b);
        live += b->bytes;
        if (live > live_max) live_max = live;
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (blocks[i].ref) assert_untouched(&region, &blocks[i]);
    }
    assert_true(live_max < atomic_load(&region.used));
    yr_region_deinit(&region);
    assert_int_equal(fixture_live_bytes, 0);
}

/* What a memtable does: nodes of four sizes, and arrays that grow by half. */
static void test_sizes_that_come_again_are_reused(void **state)
{
    (void)state;
    enum { ARRAYS = 300 };
    yr_rng rng = {fixture_seed("region reuse")};
    yr_region region;
    assert_true(yr_region_init(&region, fixture_env(), UINT64_C(1) << 26));
    block arrays[ARRAYS] = {{0}};
    uint64_t live = 0, live_max = 0, handed_out = 0;
    for (uint32_t step = 0; step < 200000; step++) {
        block *b = &arrays[yr_rng_below(&rng, ARRAYS)];
        uint64_t slots = b->ref ? (b->bytes - 16) / 8 : 0;
        uint64_t bytes = slots == 0 || slots > 2000 ? 16 + 8 * 4 : 16 + 8 * (slots + slots / 2);
        yr_ref ref = yr_region_alloc(&region, bytes);
        assert_int_not_equal(ref, 0);
        if (b->ref) yr_region_retire(&region, b->ref, b->bytes);
        live += bytes - b->bytes;
        handed_out += bytes;
        *b = (block){.ref = ref, .bytes = bytes};
        if (live > live_max) live_max = live;
    }
    assert_true(handed_out > live_max * 50);
    assert_true(atomic_load(&region.used) < live_max * 3);
    yr_region_deinit(&region);
    assert_int_equal(fixture_live_bytes, 0);
}

static void test_a_fresh_block_is_zero_and_aligned(void **state)
{
    (void)state;
    yr_region region;
    assert_true(yr_region_init(&region, fixture_env(), 1 << 20));
    for (uint64_t bytes = 1; bytes < 1300; bytes += 7) {
        yr_ref ref = yr_region_alloc(&region, bytes);
        const uint8_t *at = yr_region_at(&region, ref);
        assert_int_equal((uintptr_t)at % 8, 0);
        for (uint64_t i = 0; i < bytes; i++) assert_int_equal(at[i], 0);
    }
    yr_region_deinit(&region);
}

static void test_a_full_region_returns_0_and_works_again_after_a_free(void **state)
{
    (void)state;
    yr_region region;
    assert_true(yr_region_init(&region, fixture_env(), 65536));
    yr_ref refs[1000];
    uint32_t count = 0;
    while (count < 1000 && (refs[count] = yr_region_alloc(&region, 100))) count++;
    assert_int_equal(count, (65536 - 8) / 104);
    assert_int_equal(yr_region_alloc(&region, 100), 0);
    assert_int_equal(yr_region_alloc(&region, UINT64_C(1) << 40), 0);
    yr_region_free(&region, refs[7], 100);
    assert_int_equal(yr_region_alloc(&region, 97), refs[7]);
    assert_int_equal(yr_region_alloc(&region, 100), 0);
    /* a smaller block is cut from a larger one once nothing else is left, retired ones included */
    yr_region_retire(&region, refs[9], 100);
    while (yr_region_alloc(&region, 8)) count++;
    assert_true(count >= (65536 - 8) / 104 + 13);
    yr_region_deinit(&region);
    assert_int_equal(fixture_live_bytes, 0);
}

static _Atomic int reader_stage; /* 1 = inside, 2 = asked to leave, 3 = left */

static void stay_inside(void *arg)
{
    const yore_env *env = *(const yore_env **)arg;
    yr_epoch_enter();
    atomic_store(&reader_stage, 1);
    while (atomic_load(&reader_stage) != 2) env->yield(env->ctx);
    yr_epoch_exit();
}

static void test_a_retired_block_is_not_reused_while_a_reader_is_inside(void **state)
{
    (void)state;
    const yore_env *env = fixture_env();
    yr_region region;
    assert_true(yr_region_init(&region, env, UINT64_C(1) << 24));
    yr_ref ref = yr_region_alloc(&region, 64);
    yore_thread *reader;
    atomic_store(&reader_stage, 0);
    assert_int_equal(env->thread_create(env->ctx, stay_inside, &env, &reader), 0);
    while (atomic_load(&reader_stage) != 1) env->yield(env->ctx);
    yr_region_retire(&region, ref, 64);
    for (uint32_t i = 0; i < 1000; i++) {
        yr_ref other = yr_region_alloc(&region, 64);
        assert_int_not_equal(other, ref);
        yr_region_retire(&region, other, 64);
    }
    atomic_store(&reader_stage, 2);
    env->thread_join(env->ctx, reader);
    assert_true(yr_retire_collect(&region.retired) > 0);
    bool again = false;
    for (uint32_t i = 0; i < 1001; i++) again |= yr_region_alloc(&region, 64) == ref;
    assert_true(again);
    yr_region_deinit(&region);
}

static void test_a_refused_reservation_is_reported(void **state)
{
    (void)state;
    yr_region region = {0};
    yr_region_deinit(&region); /* harmless */
    yore_env env = *fixture_env();
    env.vm_reserve = (void *(*)(void *, size_t))env.alloc;
    fixture_memory_left = 0;
    assert_false(yr_region_init(&region, &env, 1 << 20));
    fixture_memory_left = INT64_MAX;
}

static const yr_region *asked_of;
static uint64_t asked_to; /* the end of the pages asked for */

static void note_pages(void *ctx, void *base, size_t size)
{
    (void)ctx;
    uint64_t from = (uint64_t)((uint8_t *)base - asked_of->base);
    assert_true(from < asked_of->capacity && size <= asked_of->capacity - from);
    if (from + size > asked_to) asked_to = from + size;
}

/* A store stays full for long: who looks after every commit must not find something to do each time. */
static void test_pages_are_asked_for_some_way_ahead_and_not_beyond_the_end(void **state)
{
    (void)state;
    const uint64_t capacity = UINT64_C(40) << 20, step = 4096;
    yr_region region;
    yore_env env = *fixture_env();
    env.vm_prefault = note_pages;
    asked_of = &region;
    asked_to = 0;
    assert_true(yr_region_init(&region, &env, capacity));
    while (yr_region_alloc(&region, step)) {
        uint64_t used = atomic_load(&region.used);
        if (yr_region_wants_pages(&region)) {
            while (yr_region_prefault_ahead(&region)) {}
            assert_true(asked_to > used);
        }
        assert_false(yr_region_wants_pages(&region));
        uint64_t most = used + (UINT64_C(7) << 20); /* an eighth or 4 MiB, and what one call asks for */
        assert_true(asked_to <= (most < capacity ? most : capacity));
    }
    assert_int_equal(asked_to, capacity);
    yr_region_deinit(&region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_never_overlap_and_space_is_reused),
        cmocka_unit_test(test_sizes_that_come_again_are_reused),
        cmocka_unit_test(test_a_fresh_block_is_zero_and_aligned),
        cmocka_unit_test(test_a_full_region_returns_0_and_works_again_after_a_free),
        cmocka_unit_test(test_a_retired_block_is_not_reused_while_a_reader_is_inside),
        cmocka_unit_test(test_a_refused_reservation_is_reported),
        cmocka_unit_test(test_pages_are_asked_for_some_way_ahead_and_not_beyond_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
