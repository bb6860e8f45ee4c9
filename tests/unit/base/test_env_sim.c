/* The simulated environment does what a real one does, and fails exactly where it is told to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/rng.h"
#include "tests/support/env_sim.h"
#include "tests/unit/base/toy_store.h"

#define RW (YORE_OPEN_WRITE | YORE_OPEN_CREATE)

static yr_sim *sim;
static const yore_env *env;
static yore_dir *dir;

static int setup(void **state)
{
    (void)state;
    sim = yr_sim_create(1);
    env = yr_sim_env(sim);
    return env->dir_open(env->ctx, "db", YORE_DIR_CREATE, NULL, &dir);
}

static int teardown(void **state)
{
    (void)state;
    env->dir_close(env->ctx, dir);
    bool leaks = yr_sim_has_leaks(sim);
    yr_sim_destroy(sim);
    return leaks ? -1 : 0;
}

static yore_file *opened(const char *name, uint32_t flags)
{
    yore_file *file = NULL;
    assert_int_equal(env->open(env->ctx, dir, name, flags, &file), 0);
    return file;
}

/* Random writes, truncations and reads against a plain array. */
static void test_file_is_like_an_array(void **state)
{
    (void)state;
    enum { MAX = 40000 };
    static uint8_t model[MAX], got[MAX], bytes[MAX];
    yr_rng rng = {77};
    size_t size = 0;
    memset(model, 0, sizeof model);
    yore_file *file = opened("f", RW);
    for (int i = 0; i < 3000; i++) {
        uint64_t off = yr_rng_below(&rng, MAX);
        size_t length = (size_t)yr_rng_below(&rng, i % 10 ? 300 : MAX);
        if (length > MAX - off) length = (size_t)(MAX - off);
        if (i % 50 == 0) {
            assert_int_equal(env->truncate(env->ctx, file, off), 0);
            if (off < size) memset(model + off, 0, size - off);
            size = (size_t)off;
        } else if (length > 0) {
            for (size_t k = 0; k < length; k++) bytes[k] = (uint8_t)(i % 3 ? yr_rng_next(&rng) : 0);
            assert_int_equal(env->pwrite(env->ctx, file, bytes, length, off), length);
            memcpy(model + off, bytes, length);
            if (off + length > size) size = (size_t)off + length;
        }
        assert_int_equal(env->size(env->ctx, file), size);
        off = yr_rng_below(&rng, MAX);
        int64_t want = off >= size ? 0 : (int64_t)(size - off);
        assert_int_equal(env->pread(env->ctx, file, got, MAX, off), want);
        assert_memory_equal(got, model + off, (size_t)want);
        assert_int_equal(yr_sim_used_bytes(sim), (size + 4095) / 4096 * 4096);
    }
    env->close(env->ctx, file);
}

static void test_names_behave_like_names(void **state)
{
    (void)state;
    yore_file *file;
    yore_dir *sub;
    assert_int_equal(env->open(env->ctx, dir, "f", YORE_OPEN_WRITE, &file), -ENOENT);
    file = opened("f", RW | YORE_OPEN_EXCLUSIVE);
    assert_int_equal(env->pwrite(env->ctx, file, "one", 3, 0), 3);
    yore_file *again;
    assert_int_equal(env->open(env->ctx, dir, "f", RW | YORE_OPEN_EXCLUSIVE, &again), -EEXIST);
    env->close(env->ctx, opened("g", RW));
    assert_int_equal(env->rename(env->ctx, dir, "f", dir, "g"), 0); /* over another */
    assert_int_equal(env->rename(env->ctx, dir, "f", dir, "h"), -ENOENT);
    assert_int_equal(yr_sim_file_size(sim, "db/g"), 3);
    assert_int_equal(yr_sim_file_size(sim, "db/f"), -1);
    assert_int_equal(env->unlink(env->ctx, dir, "g"), 0);
    assert_int_equal(env->unlink(env->ctx, dir, "g"), -ENOENT);
    char got[3];
    assert_int_equal(env->pread(env->ctx, file, got, 3, 0), 3); /* still open */
    assert_memory_equal(got, "one", 3);
    assert_int_equal(yr_sim_used_bytes(sim), 4096);
    env->close(env->ctx, file);
    assert_int_equal(yr_sim_used_bytes(sim), 0);
    assert_int_equal(env->dir_open_at(env->ctx, dir, "sub", 0, &sub), -ENOENT);
    assert_int_equal(env->dir_open_at(env->ctx, dir, "sub", YORE_DIR_CREATE, &sub), 0);
    env->close(env->ctx, opened("sub2", RW));
    assert_int_equal(env->rename(env->ctx, dir, "sub2", sub, "x"), 0);
    assert_int_equal(env->unlink(env->ctx, dir, "sub"), -ENOTEMPTY);
    assert_int_equal(env->unlink(env->ctx, sub, "x"), 0);
    assert_int_equal(env->open(env->ctx, dir, "sub", 0, &file), -EINVAL);
    assert_int_equal(env->open(env->ctx, dir, "../x", RW, &file), -EINVAL);
    assert_int_equal(env->open(env->ctx, dir, "..", RW, &file), -EINVAL);
    env->dir_close(env->ctx, sub);
    assert_string_equal(yr_sim_dir_name(sim, "/db/", 0), "sub");
    assert_null(yr_sim_dir_name(sim, "db", 1));
    assert_int_equal(env->dir_open(env->ctx, "none/db", YORE_DIR_CREATE, NULL, &sub), -ENOENT);
}

static void test_lock_belongs_to_one_handle(void **state)
{
    (void)state;
    yore_file *a = opened("LOCK", RW), *b = opened("LOCK", RW);
    assert_int_equal(env->lock(env->ctx, a), 0);
    assert_int_equal(env->lock(env->ctx, b), YORE_LOCK_HELD);
    assert_int_equal(env->lock_test(env->ctx, b), YORE_LOCK_HELD);
    assert_int_equal(env->lock_test(env->ctx, a), YORE_LOCK_NONE);
    env->unlock(env->ctx, b); /* not its to give up */
    assert_int_equal(env->lock(env->ctx, b), YORE_LOCK_HELD);
    env->close(env->ctx, a);
    assert_int_equal(env->lock(env->ctx, b), 0);
    env->close(env->ctx, b);
}

static void test_mapped_appends_stay_inside(void **state)
{
    (void)state;
    static const char zeros[100];
    char got[3];
    yore_file *file = opened("f", RW);
    assert_int_equal(env->map(env->ctx, file, 100), -EINVAL);
    assert_int_equal(env->pwrite(env->ctx, file, zeros, 100, 0), 100);
    assert_int_equal(env->map(env->ctx, file, 100), 0);
    assert_int_equal(env->map_append(env->ctx, file, "abc", 3, 97), 0);
    assert_int_equal(env->map_append(env->ctx, file, "abc", 3, 98), -EINVAL);
    assert_int_equal(env->pread(env->ctx, file, got, 3, 97), 3);
    assert_memory_equal(got, "abc", 3);
    yr_sim_set_map_support(sim, false);
    assert_int_equal(env->map(env->ctx, file, 100), -ENOTSUP);
    env->close(env->ctx, file);
}

static void test_full_disk_writes_short_then_fails_and_recovers(void **state)
{
    (void)state;
    static uint8_t bytes[10000];
    yore_file *file = opened("f", RW);
    yr_sim_set_capacity(sim, 8192, EDQUOT);
    assert_int_equal(env->pwrite(env->ctx, file, bytes, sizeof bytes, 0), 8192);
    assert_int_equal(env->pwrite(env->ctx, file, bytes, 10, 8192), -EDQUOT);
    assert_int_equal(env->pwrite(env->ctx, file, bytes, 10, 0), 10); /* what is there can be written over */
    assert_int_equal(env->truncate(env->ctx, file, 9000), -EDQUOT);
    assert_int_equal(env->truncate(env->ctx, file, 100), 0);
    assert_int_equal(env->pwrite(env->ctx, file, bytes, 10, 8180), 10);
    yr_sim_set_capacity(sim, UINT64_MAX, ENOSPC);
    assert_int_equal(env->pwrite(env->ctx, file, bytes, sizeof bytes, 8192), sizeof bytes);
    env->close(env->ctx, file);
}

static void test_read_only_disk_refuses_every_change(void **state)
{
    (void)state;
    yore_file *file = opened("f", RW);
    yore_file *other;
    yore_dir *sub;
    yr_sim_set_read_only(sim, true);
    assert_int_equal(env->pwrite(env->ctx, file, "x", 1, 0), -EROFS);
    assert_int_equal(env->truncate(env->ctx, file, 0), -EROFS);
    assert_int_equal(env->open(env->ctx, dir, "g", RW, &other), -EROFS);
    assert_int_equal(env->open(env->ctx, dir, "f", YORE_OPEN_WRITE, &other), -EROFS);
    assert_int_equal(env->rename(env->ctx, dir, "f", dir, "g"), -EROFS);
    assert_int_equal(env->unlink(env->ctx, dir, "f"), -EROFS);
    assert_int_equal(env->dir_open_at(env->ctx, dir, "sub", YORE_DIR_CREATE, &sub), -EROFS);
    env->close(env->ctx, opened("f", 0));
    env->close(env->ctx, file);
}

static void test_nth_operation_fails_once_or_from_then_on(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        yore_file *file = opened("f", RW);
        yr_sim_fault fault = {.kinds = YR_SIM_OP_WRITE, .nth = 3, .os_errno = EIO, .sticky = sticky != 0};
        yr_sim_set_fault(sim, fault);
        for (int i = 1; i <= 6; i++) {
            bool fails = i == 3 || (sticky && i > 3);
            assert_int_equal(env->pwrite(env->ctx, file, "x", 1, 0), fails ? -EIO : 1);
            assert_int_equal(env->sync(env->ctx, file), 0); /* another kind */
        }
        assert_int_equal(yr_sim_fault_hits(sim), sticky ? 4 : 1);
        yr_sim_set_fault(sim, (yr_sim_fault){0});
        env->close(env->ctx, file);
    }
    yore_file *file = opened("f", RW);
    yr_sim_set_fault(sim, (yr_sim_fault){.kinds = YR_SIM_OP_WRITE, .nth = 1, .is_short = true});
    assert_int_equal(env->pwrite(env->ctx, file, "abcdefgh", 8, 0), 4);
    assert_int_equal(env->pwrite(env->ctx, file, "abcdefgh", 8, 0), 8);
    env->close(env->ctx, file);
}

/* Every operation of the toy, failed in turn: it reports, and leaves nothing behind. */
static void test_every_operation_of_a_store_can_be_failed(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {YR_SIM_OP_WRITE,  YR_SIM_OP_APPEND,   YR_SIM_OP_SYNC, YR_SIM_OP_OPEN,
                                     YR_SIM_OP_RENAME, YR_SIM_OP_DIR_SYNC, YR_SIM_OP_READ, YR_SIM_OP_DIR,
                                     YR_SIM_OP_MAP,    YR_SIM_OP_ANY};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        uint64_t nth = 0;
        bool was_hit = true;
        while (was_hit) {
            nth++;
            yr_sim *own = yr_sim_create(nth);
            yr_sim_set_fault(own,
                             (yr_sim_fault){.kinds = kinds[k], .nth = nth, .os_errno = EIO, .sticky = true});
            toy t;
            int failed = 0;
            for (int round = 0; round < 2 && !failed; round++) {
                failed = toy_open(&t, yr_sim_env(own), TOY_MAPPED);
                if (failed) break;
                failed = toy_append(&t, NULL);
                toy_close(&t);
            }
            was_hit = yr_sim_fault_hits(own) > 0;
            assert_int_equal(failed, was_hit ? -EIO : 0);
            assert_false(yr_sim_has_leaks(own));
            yr_sim_destroy(own);
        }
        assert_true(nth > 1); /* the kind occurs */
    }
}

static void test_nth_allocation_fails(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        yr_sim_fail_alloc(sim, 2, sticky);
        void *a = env->alloc(env->ctx, 10);
        assert_non_null(a);
        assert_null(env->realloc(env->ctx, a, 10, 20));
        void *b = env->vm_reserve(env->ctx, 1 << 20);
        assert_int_equal(b == NULL, sticky);
        env->vm_release(env->ctx, b, 1 << 20, 0);
        assert_int_equal(yr_sim_alloc_fault_hits(sim), 1 + sticky);
        yr_sim_fail_alloc(sim, 0, false);
        a = env->realloc(env->ctx, a, 10, 20);
        assert_int_equal(yr_sim_leaks_of(sim).bytes, 20);
        assert_int_equal(yr_sim_leaks_of(sim).blocks, 1);
        env->free(env->ctx, a, 20);
    }
    assert_int_equal(yr_sim_peak_bytes(sim), 20);
}

static void test_address_ranges_are_zero_again(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint8_t *base = env->vm_reserve(env->ctx, 1 << 24);
        for (size_t k = 0; k < 5000; k++) assert_int_equal(base[k], 0);
        memset(base, 1, 5000);
        assert_int_equal(yr_sim_leaks_of(sim).ranges, 1);
        env->vm_release(env->ctx, base, 1 << 24, 5000);
    }
}

static void test_same_seed_same_world(void **state)
{
    (void)state;
    uint8_t bytes[2][100];
    int64_t times[2][4];
    for (int i = 0; i < 2; i++) {
        yr_sim *own = yr_sim_create(5);
        const yore_env *world = yr_sim_env(own);
        world->random(world->ctx, bytes[i], sizeof bytes[i]);
        times[i][0] = world->wall_ns(world->ctx);
        world->sleep_ns(world->ctx, 500);
        times[i][1] = world->wall_ns(world->ctx);
        yr_sim_set_wall_ns(own, 42);
        yr_sim_set_tick_ns(own, 0);
        times[i][2] = world->wall_ns(world->ctx);
        times[i][3] = world->monotonic_ns(world->ctx);
        yr_sim_destroy(own);
    }
    assert_memory_equal(bytes[0], bytes[1], sizeof bytes[0]);
    assert_memory_equal(times[0], times[1], sizeof times[0]);
    assert_int_equal(times[0][1] - times[0][0], 1500);
    assert_int_equal(times[0][2], 42);
    assert_int_equal(env->thread_create(env->ctx, NULL, NULL, NULL), -ENOTSUP);
}

static void test_damage_from_the_outside(void **state)
{
    (void)state;
    char got[4];
    assert_true(yr_sim_file_create(sim, "db/f"));
    assert_false(yr_sim_file_create(sim, "db/f"));
    assert_true(yr_sim_file_write(sim, "db/f", "abcd", 4, 0));
    assert_true(yr_sim_file_flip(sim, "db/f", 8));
    assert_true(yr_sim_file_zero(sim, "db/f", 2, 1));
    assert_true(yr_sim_file_read(sim, "db/f", got, 4, 0));
    assert_memory_equal(got, "ac\0d", 4);
    assert_true(yr_sim_file_truncate(sim, "db/f", 3));
    assert_true(yr_sim_file_rename(sim, "db/f", "db/g"));
    assert_int_equal(yr_sim_file_size(sim, "db/g"), 3);
    assert_true(yr_sim_file_remove(sim, "db/g"));
    assert_false(yr_sim_file_remove(sim, "db/g"));
    assert_false(yr_sim_file_flip(sim, "db/g", 0));
}

typedef struct seen_calls {
    uint32_t kinds;
    int points;
    int64_t size_during_sync;
} seen_calls;

static void look(void *arg, yr_sim *at, uint32_t kind, const char *point)
{
    seen_calls *seen = arg;
    seen->kinds |= kind;
    if (point) seen->points++;
    if (kind == YR_SIM_OP_SYNC) {
        const yore_env *e = yr_sim_env(at);
        yore_file *file;
        if (e->open(e->ctx, dir, "f", 0, &file) != 0) return;
        seen->size_during_sync = e->size(e->ctx, file);
        e->close(e->ctx, file);
    }
}

static void test_hook_sees_operations_and_may_look_around(void **state)
{
    (void)state;
    seen_calls seen = {0};
    yr_sim_set_hook(sim, look, &seen);
    yore_file *file = opened("f", RW);
    assert_int_equal(env->pwrite(env->ctx, file, "abc", 3, 0), 3);
    assert_int_equal(env->sync(env->ctx, file), 0);
    env->point(env->ctx, "here");
    env->close(env->ctx, file);
    yr_sim_set_hook(sim, NULL, NULL);
    assert_int_equal(seen.kinds, YR_SIM_OP_OPEN | YR_SIM_OP_WRITE | YR_SIM_OP_SYNC);
    assert_int_equal(seen.points, 1);
    assert_int_equal(seen.size_during_sync, 3);
    assert_int_equal(yr_sim_op_count(sim, YR_SIM_OP_OPEN), 1); /* the hook's own do not count */
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_file_is_like_an_array),
        T(test_names_behave_like_names),
        T(test_lock_belongs_to_one_handle),
        T(test_mapped_appends_stay_inside),
        T(test_full_disk_writes_short_then_fails_and_recovers),
        T(test_read_only_disk_refuses_every_change),
        T(test_nth_operation_fails_once_or_from_then_on),
        T(test_every_operation_of_a_store_can_be_failed),
        T(test_nth_allocation_fails),
        T(test_address_ranges_are_zero_again),
        T(test_same_seed_same_world),
        T(test_damage_from_the_outside),
        T(test_hook_sees_operations_and_may_look_around),
    };
    return cmocka_run_group_tests_name("env_sim", tests, NULL, NULL);
}
