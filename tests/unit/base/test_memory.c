/* Buffers and arenas, over an allocator that counts, checks sizes given back, and can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/arena.h"
#include "engine/base/buf.h"
#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/base/rng.h"
#include "tests/support/env_sim.h"

static int setup(void **state)
{
    *state = yr_sim_create(1);
    return 0;
}

static int teardown(void **state)
{
    bool leaks = yr_sim_has_leaks(*state);
    yr_sim_destroy(*state);
    return leaks ? -1 : 0;
}

static void test_zeroed_memory_is_zero(void **state)
{
    const yore_env *env = yr_sim_env(*state);
    static const uint8_t zeros[100];
    uint8_t *block = yr_alloc_zero(env, sizeof zeros);
    assert_memory_equal(block, zeros, sizeof zeros);
    yr_free(env, block, sizeof zeros);
    yr_free(env, NULL, 5);
    yr_sim_fail_alloc(*state, 1, false);
    assert_null(yr_alloc_zero(env, 8));
}

static void test_buffer_keeps_what_was_appended(void **state)
{
    yr_buf buf;
    yr_buf_init(&buf, yr_sim_env(*state), 1 << 20);
    yr_rng rng = {3};
    uint8_t model[70000];
    size_t size = 0;
    while (size + 300 < sizeof model) {
        size_t part = (size_t)yr_rng_below(&rng, 300);
        for (size_t i = 0; i < part; i++) model[size + i] = (uint8_t)yr_rng_next(&rng);
        assert_true(yr_buf_append(&buf, model + size, part));
        size += part;
    }
    assert_true(yr_buf_append_le32(&buf, 0x01020304));
    assert_true(yr_buf_append_le64(&buf, 5));
    assert_int_equal(buf.size, size + 12);
    assert_memory_equal(buf.data, model, size);
    assert_int_equal(yr_get_le32(buf.data + size), 0x01020304);
    assert_int_equal(yr_get_le64(buf.data + size + 4), 5);
    yr_buf_deinit(&buf);
}

static void test_buffer_stops_at_its_maximum(void **state)
{
    static const uint8_t bytes[101];
    for (size_t max = 0; max <= 100; max++) {
        yr_buf buf;
        yr_buf_init(&buf, yr_sim_env(*state), max);
        for (size_t i = 0; i < max; i++) assert_true(yr_buf_append(&buf, "x", 1));
        assert_true(buf.capacity <= max);
        assert_false(yr_buf_append(&buf, "y", 1));
        assert_false(yr_buf_append(&buf, bytes, sizeof bytes));
        uint8_t *at;
        assert_false(yr_buf_reserve(&buf, SIZE_MAX, &at));
        assert_true(yr_buf_append(&buf, NULL, 0));
        assert_int_equal(buf.size, max);
        yr_buf_deinit(&buf);
    }
}

static void test_buffer_is_unchanged_when_memory_runs_out(void **state)
{
    yr_buf buf;
    yr_buf_init(&buf, yr_sim_env(*state), SIZE_MAX);
    assert_true(yr_buf_append(&buf, "abc", 3));
    size_t capacity = buf.capacity;
    uint8_t *at;
    yr_sim_fail_alloc(*state, 1, true);
    assert_false(yr_buf_reserve(&buf, 1000, &at));
    assert_int_equal(buf.size, 3);
    assert_int_equal(buf.capacity, capacity);
    assert_memory_equal(buf.data, "abc", 3);
    yr_sim_fail_alloc(*state, 0, false);
    assert_true(yr_buf_reserve(&buf, 1000, &at));
    memset(at, 1, 1000); /* room really is there */
    yr_buf_deinit(&buf);
}

static void test_trimmed_buffer_gives_memory_back_and_keeps_its_bytes(void **state)
{
    yr_buf buf;
    uint8_t *at;
    yr_buf_init(&buf, yr_sim_env(*state), 1 << 20);
    assert_true(yr_buf_append(&buf, "abc", 3));
    assert_true(yr_buf_reserve(&buf, 100000, &at));
    yr_buf_trim(&buf, 2); /* fewer than it holds: nothing happens */
    assert_true(buf.capacity > 100000);
    yr_buf_trim(&buf, 64);
    assert_int_equal(buf.capacity, 64);
    assert_memory_equal(buf.data, "abc", 3);
    yr_buf_clear(&buf);
    yr_buf_trim(&buf, 0);
    assert_int_equal(yr_sim_leaks_of(*state).blocks, 0);
    assert_true(yr_buf_append(&buf, "again", 5));
    yr_buf_deinit(&buf);
}

static void test_arena_blocks_are_aligned_and_do_not_overlap(void **state)
{
    enum { COUNT = 3000 };
    static uint8_t *blocks[COUNT];
    static size_t sizes[COUNT];
    yr_arena arena;
    yr_rng rng = {9};
    yr_arena_init(&arena, yr_sim_env(*state));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            sizes[i] = i % 100 == 7 ? 20000 : (size_t)yr_rng_below(&rng, 200);
            blocks[i] = yr_arena_alloc(&arena, sizes[i]);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % 8, 0);
            memset(blocks[i], i % 251, sizes[i]);
        }
        for (int i = 0; i < COUNT; i++) {
            for (size_t k = 0; k < sizes[i]; k++) assert_int_equal(blocks[i][k], i % 251);
        }
        yr_arena_reset(&arena);
        assert_int_equal(yr_sim_leaks_of(*state).blocks, 1); /* one chunk waits for the next round */
    }
    assert_string_equal(yr_arena_copy(&arena, "text", 5), "text");
    yr_arena_deinit(&arena);
}

static void test_arena_says_when_memory_is_out_and_stays_usable(void **state)
{
    yr_arena arena;
    yr_arena_init(&arena, yr_sim_env(*state));
    yr_sim_fail_alloc(*state, 1, false);
    assert_null(yr_arena_alloc(&arena, 10));
    assert_non_null(yr_arena_alloc(&arena, 10));
    yr_sim_fail_alloc(*state, 1, false);
    assert_null(yr_arena_alloc(&arena, 1 << 20));
    assert_null(yr_arena_alloc(&arena, SIZE_MAX));
    assert_null(yr_arena_alloc(&arena, SIZE_MAX - 8));
    assert_null(yr_arena_copy(&arena, "x", SIZE_MAX - 20));
    uint8_t *block = yr_arena_alloc(&arena, 10);
    assert_non_null(block);
    memset(block, 1, 10);
    yr_arena_deinit(&arena);
}

static void test_arena_reset_lets_a_huge_block_go(void **state)
{
    yr_arena arena;
    yr_arena_init(&arena, yr_sim_env(*state));
    assert_non_null(yr_arena_alloc(&arena, 50u << 20));
    yr_arena_reset(&arena);
    assert_int_equal(arena.bytes, 0);
    yr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_zeroed_memory_is_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buffer_keeps_what_was_appended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buffer_stops_at_its_maximum, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buffer_is_unchanged_when_memory_runs_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trimmed_buffer_gives_memory_back_and_keeps_its_bytes, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_arena_blocks_are_aligned_and_do_not_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arena_says_when_memory_is_out_and_stays_usable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arena_reset_lets_a_huge_block_go, setup, teardown),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
