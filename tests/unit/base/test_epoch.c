/* Epoch reclamation: nothing goes while a reader may hold it, everything goes in the end. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/epoch.h"
#include "tests/support/env_sim.h"
#include "tests/unit/base/epoch_reader.h"

static void count_release(void *owner, void *block, uint64_t size)
{
    uint64_t *counts = owner;
    counts[0]++;
    counts[1] += size;
    assert_true(block == NULL || (uintptr_t)block == counts[0]); /* oldest first */
}

static void test_reader_keeps_what_it_may_hold(void **state)
{
    (void)state;
    uint64_t counts[2] = {0};
    yr_retire_list list;
    yr_retire_init(&list, yore_env_default(), counts);
    epoch_reader reader;
    epoch_reader_start(&reader);
    for (int round = 0; round < 3; round++) {
        counts[0] = 0;
        epoch_reader_enter(&reader);
        yr_retire(&list, NULL, 8, count_release);
        for (int i = 0; i < 5; i++) assert_int_equal(yr_retire_collect(&list), 0);
        epoch_reader_exit(&reader);
        assert_int_equal(yr_retire_collect(&list), 1);
        assert_int_equal(counts[0], 1);
    }
    epoch_reader_stop(&reader);
    yr_retire_deinit(&list);
}

static void test_reader_that_came_later_keeps_nothing(void **state)
{
    (void)state;
    uint64_t counts[2] = {0};
    yr_retire_list list;
    yr_retire_init(&list, yore_env_default(), counts);
    epoch_reader early, late;
    epoch_reader_start(&early);
    epoch_reader_start(&late);
    epoch_reader_enter(&early);
    yr_retire(&list, NULL, 8, count_release);
    assert_int_equal(yr_retire_collect(&list), 0);
    epoch_reader_enter(&late); /* after the collection that stamped the block */
    epoch_reader_exit(&early);
    assert_int_equal(yr_retire_collect(&list), 1);
    epoch_reader_exit(&late);
    epoch_reader_stop(&early);
    epoch_reader_stop(&late);
    yr_retire_deinit(&list);
}

static void test_inner_section_does_not_end_the_outer_one(void **state)
{
    (void)state;
    uint64_t counts[2] = {0};
    yr_retire_list list;
    yr_retire_init(&list, yore_env_default(), counts);
    epoch_reader reader;
    epoch_reader_start(&reader);
    epoch_reader_enter(&reader);
    epoch_reader_enter(&reader);
    yr_retire(&list, NULL, 8, count_release);
    epoch_reader_exit(&reader);
    assert_int_equal(yr_retire_collect(&list), 0);
    epoch_reader_exit(&reader);
    assert_int_equal(yr_retire_collect(&list), 1);
    epoch_reader_stop(&reader);
    yr_retire_deinit(&list);
}

static void test_blocks_go_oldest_first_and_all_of_them(void **state)
{
    (void)state;
    uint64_t counts[2] = {0};
    yr_retire_list list;
    yr_retire_init(&list, yore_env_default(), counts);
    for (uintptr_t i = 1; i <= 10000; i++) yr_retire(&list, (void *)i, 16, count_release);
    assert_true(counts[0] >= 10000 - 128); /* collected on the way */
    yr_retire_deinit(&list);
    assert_int_equal(counts[0], 10000);
    assert_int_equal(counts[1], 160000);
}

static void test_list_grows_while_a_reader_stays(void **state)
{
    (void)state;
    uint64_t counts[2] = {0};
    yr_retire_list list;
    yr_retire_init(&list, yore_env_default(), counts);
    epoch_reader reader;
    epoch_reader_start(&reader);
    epoch_reader_enter(&reader);
    for (uintptr_t i = 1; i <= 5000; i++) yr_retire(&list, (void *)i, 1, count_release);
    assert_int_equal(counts[0], 0);
    assert_int_equal(list.count, 5000);
    epoch_reader_exit(&reader);
    assert_int_equal(yr_retire_collect(&list), 5000);
    epoch_reader_stop(&reader);
    yr_retire_deinit(&list);
}

static void test_retiring_works_without_memory(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(1);
    uint64_t counts[2] = {0};
    yr_retire_list list;
    yr_retire_init(&list, yr_sim_env(sim), counts);
    yr_sim_fail_alloc(sim, 1, true);
    for (int i = 0; i < 100; i++) yr_retire(&list, NULL, 1, count_release);
    assert_int_equal(counts[0], 100);
    yr_retire_deinit(&list);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void test_many_threads_get_slots_and_give_them_back(void **state)
{
    (void)state;
    enum { READERS = 100 }; /* more than one block of slots */
    static epoch_reader readers[READERS];
    uint64_t counts[2] = {0};
    yr_retire_list list;
    yr_retire_init(&list, yore_env_default(), counts);
    for (int round = 0; round < 3; round++) {
        counts[0] = 0;
        for (int i = 0; i < READERS; i++) {
            epoch_reader_start(&readers[i]);
            epoch_reader_enter(&readers[i]);
        }
        yr_retire(&list, NULL, 1, count_release);
        for (int i = 0; i < READERS; i++) {
            assert_int_equal(yr_retire_collect(&list), 0);
            epoch_reader_exit(&readers[i]);
            epoch_reader_stop(&readers[i]);
        }
        assert_int_equal(yr_retire_collect(&list), 1);
    }
    yr_retire_deinit(&list);
}

/* -- stress: a cell whose block is replaced all the time; a freed block would be seen -- */

#define STRESS_READERS 4
#define STRESS_WORD UINT64_C(0x600D600D600D600D)

typedef struct stress {
    _Atomic(uint64_t *) cell;
    atomic_bool is_over;
    atomic_uint bad;
} stress;

static void poison_and_free(void *owner, void *block, uint64_t size)
{
    (void)owner;
    memset(block, 0xDD, (size_t)size);
    free(block);
}

static void *stress_read(void *arg)
{
    stress *s = arg;
    while (!atomic_load(&s->is_over)) {
        yr_epoch_enter();
        for (int i = 0; i < 3; i++) {
            const uint64_t *block = atomic_load_explicit(&s->cell, memory_order_acquire);
            if (block[0] != STRESS_WORD || block[1] != STRESS_WORD) atomic_fetch_add(&s->bad, 1);
        }
        yr_epoch_exit();
    }
    return NULL;
}

/* Short-lived readers: slots are claimed and given back while the collector scans. */
static void *stress_read_briefly(void *arg)
{
    stress *s = arg;
    for (int i = 0; i < 20; i++) {
        yr_epoch_enter();
        const uint64_t *block = atomic_load_explicit(&s->cell, memory_order_acquire);
        if (block[0] != STRESS_WORD || block[1] != STRESS_WORD) atomic_fetch_add(&s->bad, 1);
        yr_epoch_exit();
    }
    return NULL;
}

static void *stress_churn(void *arg)
{
    stress *s = arg;
    while (!atomic_load(&s->is_over)) {
        pthread_t brief[3];
        for (int i = 0; i < 3; i++) {
            if (pthread_create(&brief[i], NULL, stress_read_briefly, s) != 0) abort();
        }
        for (int i = 0; i < 3; i++) pthread_join(brief[i], NULL);
    }
    return NULL;
}

static uint64_t *stress_block(void)
{
    uint64_t *block = malloc(2 * sizeof *block);
    assert_non_null(block);
    block[0] = block[1] = STRESS_WORD;
    return block;
}

static void run_stress(void *(*reader)(void *arg), int rounds)
{
    stress s;
    atomic_init(&s.cell, stress_block());
    atomic_init(&s.is_over, false);
    atomic_init(&s.bad, 0);
    pthread_t readers[STRESS_READERS];
    yr_retire_list list;
    yr_retire_init(&list, yore_env_default(), NULL);
    for (int i = 0; i < STRESS_READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, reader, &s), 0);
    for (int i = 0; i < rounds; i++) {
        uint64_t *old = atomic_exchange_explicit(&s.cell, stress_block(), memory_order_acq_rel);
        yr_retire(&list, old, 2 * sizeof *old, poison_and_free);
    }
    atomic_store(&s.is_over, true);
    for (int i = 0; i < STRESS_READERS; i++) pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&s.bad), 0);
    yr_retire_deinit(&list);
    free(atomic_load(&s.cell));
}

static void test_readers_never_see_a_released_block(void **state)
{
    (void)state;
    run_stress(stress_read, 200000);
}

static void test_readers_that_come_and_go_never_see_a_released_block(void **state)
{
    (void)state;
    run_stress(stress_churn, 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader_keeps_what_it_may_hold),
        cmocka_unit_test(test_reader_that_came_later_keeps_nothing),
        cmocka_unit_test(test_inner_section_does_not_end_the_outer_one),
        cmocka_unit_test(test_blocks_go_oldest_first_and_all_of_them),
        cmocka_unit_test(test_list_grows_while_a_reader_stays),
        cmocka_unit_test(test_retiring_works_without_memory),
        cmocka_unit_test(test_many_threads_get_slots_and_give_them_back),
        cmocka_unit_test(test_readers_never_see_a_released_block),
        cmocka_unit_test(test_readers_that_come_and_go_never_see_a_released_block),
    };
    return cmocka_run_group_tests_name("epoch", tests, NULL, NULL);
}
