/* Ranked mutexes and condition variables on the monotonic clock. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "engine/base/thread.h"

#include <yore/env.h>

typedef struct shared {
    yr_mutex mutex;
    yr_cond cond;
    int turn;  /* guarded by mutex */
    int count; /* guarded by mutex */
} shared;

static void shared_init(shared *s)
{
    *s = (shared){0};
    yr_mutex_init(&s->mutex, YR_RANK_COMMIT);
    yr_cond_init(&s->cond);
}

static void shared_deinit(shared *s)
{
    yr_cond_deinit(&s->cond);
    yr_mutex_deinit(&s->mutex);
}

static void count_up(void *arg)
{
    shared *s = arg;
    for (int i = 0; i < 20000; i++) {
        yr_mutex_lock(&s->mutex);
        s->count++;
        yr_mutex_unlock(&s->mutex);
    }
}

static void test_mutex_excludes(void **state)
{
    (void)state;
    const yore_env *env = yore_env_default();
    shared s;
    yore_thread *threads[4];
    shared_init(&s);
    for (int i = 0; i < 4; i++) assert_int_equal(env->thread_create(env->ctx, count_up, &s, &threads[i]), 0);
    for (int i = 0; i < 4; i++) env->thread_join(env->ctx, threads[i]);
    assert_int_equal(s.count, 80000);
    assert_true(yr_mutex_trylock(&s.mutex));
    yr_mutex_unlock(&s.mutex);
    shared_deinit(&s);
}

static void take_odd_turns(void *arg)
{
    shared *s = arg;
    yr_mutex_lock(&s->mutex);
    while (s->turn < 1000) {
        if (s->turn % 2 == 0) {
            yr_cond_wait(&s->cond, &s->mutex);
            continue;
        }
        s->turn++;
        yr_cond_signal(&s->cond);
    }
    yr_cond_broadcast(&s->cond);
    yr_mutex_unlock(&s->mutex);
}

static void test_waiting_threads_take_turns(void **state)
{
    (void)state;
    const yore_env *env = yore_env_default();
    shared s;
    yore_thread *thread;
    shared_init(&s);
    assert_int_equal(env->thread_create(env->ctx, take_odd_turns, &s, &thread), 0);
    yr_mutex_lock(&s.mutex);
    while (s.turn < 1000) {
        if (s.turn % 2 == 1) {
            yr_cond_wait(&s.cond, &s.mutex);
            continue;
        }
        s.turn++;
        yr_cond_signal(&s.cond);
    }
    yr_mutex_unlock(&s.mutex);
    env->thread_join(env->ctx, thread);
    assert_int_equal(s.turn, 1000);
    shared_deinit(&s);
}

static void test_timed_wait_ends_and_not_early(void **state)
{
    (void)state;
    const yore_env *env = yore_env_default();
    static const int64_t timeouts_ns[] = {-5, 0, 1, 3000000, 1100000000};
    shared s;
    shared_init(&s);
    yr_mutex_lock(&s.mutex);
    for (size_t i = 0; i < sizeof timeouts_ns / sizeof timeouts_ns[0]; i++) {
        int64_t start = env->monotonic_ns(env->ctx);
        while (yr_cond_wait_ns(&s.cond, &s.mutex, timeouts_ns[i])) continue;
        assert_true(env->monotonic_ns(env->ctx) - start >= timeouts_ns[i]);
    }
    yr_mutex_unlock(&s.mutex);
    shared_deinit(&s);
}

static void wake(void *arg)
{
    shared *s = arg;
    yr_mutex_lock(&s->mutex);
    s->turn = 1;
    yr_cond_broadcast(&s->cond);
    yr_mutex_unlock(&s->mutex);
}

static void test_endless_timeout_is_woken(void **state)
{
    (void)state;
    const yore_env *env = yore_env_default();
    shared s;
    yore_thread *thread;
    shared_init(&s);
    yr_mutex_lock(&s.mutex);
    assert_int_equal(env->thread_create(env->ctx, wake, &s, &thread), 0);
    while (s.turn == 0) assert_true(yr_cond_wait_ns(&s.cond, &s.mutex, INT64_MAX));
    yr_mutex_unlock(&s.mutex);
    env->thread_join(env->ctx, thread);
    shared_deinit(&s);
}

#ifndef NDEBUG
static void lock_in_order(enum yr_rank first, enum yr_rank second)
{
    yr_mutex a, b;
    yr_mutex_init(&a, first);
    yr_mutex_init(&b, second);
    yr_mutex_lock(&a);
    yr_mutex_lock(&b);
    yr_mutex_unlock(&a); /* any order of unlocking is fine */
    yr_mutex_unlock(&b);
    yr_mutex_deinit(&a);
    yr_mutex_deinit(&b);
}

static void unlock_twice(enum yr_rank first, enum yr_rank second)
{
    (void)second;
    yr_mutex a;
    yr_mutex_init(&a, first);
    yr_mutex_lock(&a);
    yr_mutex_unlock(&a);
    yr_mutex_unlock(&a);
}

/* Does it end the process with an abort? */
static bool aborts(void (*run)(enum yr_rank first, enum yr_rank second), enum yr_rank first,
                   enum yr_rank second)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        run(first, second);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_locks_out_of_rank_abort(void **state)
{
    (void)state;
    assert_false(aborts(lock_in_order, YR_RANK_COMMIT, YR_RANK_WAL));
    assert_true(aborts(lock_in_order, YR_RANK_WAL, YR_RANK_COMMIT));
    assert_true(aborts(lock_in_order, YR_RANK_WAL, YR_RANK_WAL));
    assert_true(aborts(unlock_twice, YR_RANK_WAL, YR_RANK_WAL));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutex_excludes),
        cmocka_unit_test(test_waiting_threads_take_turns),
        cmocka_unit_test(test_timed_wait_ends_and_not_early),
        cmocka_unit_test(test_endless_timeout_is_woken),
#ifndef NDEBUG /* ranks are checked in debug builds only */
        cmocka_unit_test(test_locks_out_of_rank_abort),
#endif
    };
    return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
