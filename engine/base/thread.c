/* Mutexes, condition variables, and the check that locks are taken in ascending rank.
 *
 * In debug builds every thread keeps the ranks it holds. Taking a rank that is not above all of them is a
 * deadlock waiting for its second thread, so it aborts at once, on the first run that does it. */
#define _GNU_SOURCE
#include "engine/base/thread.h"

#include <errno.h>
#include <time.h>

#include "engine/base/yr_assert.h"

#ifndef NDEBUG
#define HELD_MAX 16

static _Thread_local struct {
    const yr_mutex *mutex[HELD_MAX];
    int count;
} held;

static void held_check(const yr_mutex *mutex)
{
    for (int i = 0; i < held.count; i++) {
        bool is_ascending = held.mutex[i]->rank < mutex->rank;
        YR_ASSERT(is_ascending);
    }
}

static void held_add(const yr_mutex *mutex)
{
    YR_ASSERT(held.count < HELD_MAX);
    held.mutex[held.count++] = mutex;
}

static void held_expect(const yr_mutex *mutex)
{
    int i = held.count - 1;
    while (i >= 0 && held.mutex[i] != mutex) i--;
    bool is_held = i >= 0;
    YR_ASSERT(is_held);
}

static void held_remove(const yr_mutex *mutex)
{
    int i = held.count - 1;
    while (i >= 0 && held.mutex[i] != mutex) i--;
    bool is_held = i >= 0;
    YR_ASSERT(is_held);
    for (held.count--; i < held.count; i++) held.mutex[i] = held.mutex[i + 1];
}
#else
static void held_check(const yr_mutex *mutex)
{
    (void)mutex;
}
static void held_add(const yr_mutex *mutex)
{
    (void)mutex;
}
static void held_expect(const yr_mutex *mutex)
{
    (void)mutex;
}
static void held_remove(const yr_mutex *mutex)
{
    (void)mutex;
}
#endif

void yr_mutex_init(yr_mutex *mutex, enum yr_rank rank)
{
    int failed = pthread_mutex_init(&mutex->raw, NULL);
    YR_ASSERT(!failed); /* a plain mutex needs no resource */
    mutex->rank = (int)rank;
}

void yr_mutex_deinit(yr_mutex *mutex)
{
    int failed = pthread_mutex_destroy(&mutex->raw);
    YR_ASSERT(!failed); /* else someone holds it */
}

void yr_mutex_lock(yr_mutex *mutex)
{
    held_check(mutex);
    int failed = pthread_mutex_lock(&mutex->raw);
    YR_ASSERT(!failed);
    held_add(mutex);
}

bool yr_mutex_trylock(yr_mutex *mutex)
{
    /* No rank check: a try never waits, so it cannot be part of a deadlock. */
    int failed = pthread_mutex_trylock(&mutex->raw);
    YR_ASSERT(!failed || failed == EBUSY);
    if (failed) return false;
    held_add(mutex);
    return true;
}

void yr_mutex_unlock(yr_mutex *mutex)
{
    held_remove(mutex);
    int failed = pthread_mutex_unlock(&mutex->raw);
    YR_ASSERT(!failed);
}

void yr_cond_init(yr_cond *cond)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);
    if (!failed) failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!failed) failed = pthread_cond_init(&cond->raw, &attributes);
    YR_ASSERT(!failed);
    pthread_condattr_destroy(&attributes);
}

void yr_cond_deinit(yr_cond *cond)
{
    int failed = pthread_cond_destroy(&cond->raw);
    YR_ASSERT(!failed);
}

void yr_cond_wait(yr_cond *cond, yr_mutex *mutex)
{
    held_expect(mutex);
    int failed = pthread_cond_wait(&cond->raw, &mutex->raw);
    YR_ASSERT(!failed);
}

bool yr_cond_wait_ns(yr_cond *cond, yr_mutex *mutex, int64_t timeout_ns)
{
    held_expect(mutex);
    const int64_t second_ns = INT64_C(1000000000);
    struct timespec now;
    int failed = clock_gettime(CLOCK_MONOTONIC, &now);
    YR_ASSERT(!failed);
    /* A wait of a hundred years stands for ever and cannot overflow the sum. */
    const int64_t longest_ns = INT64_C(100) * 365 * 86400 * second_ns;
    if (timeout_ns > longest_ns) timeout_ns = longest_ns;
    if (timeout_ns < 0) timeout_ns = 0;
    int64_t nanoseconds = now.tv_nsec + timeout_ns % second_ns;
    struct timespec until = {
        .tv_sec = now.tv_sec + (time_t)(timeout_ns / second_ns + nanoseconds / second_ns),
        .tv_nsec = (long)(nanoseconds % second_ns),
    };
    failed = pthread_cond_timedwait(&cond->raw, &mutex->raw, &until);
    YR_ASSERT(!failed || failed == ETIMEDOUT);
    return !failed;
}

void yr_cond_signal(yr_cond *cond)
{
    int failed = pthread_cond_signal(&cond->raw);
    YR_ASSERT(!failed);
}

void yr_cond_broadcast(yr_cond *cond)
{
    int failed = pthread_cond_broadcast(&cond->raw);
    YR_ASSERT(!failed);
}

static uint32_t fork_generation; /* written only in a child that has one thread yet */
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    fork_generation++;
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, count_fork);
}

uint32_t yr_fork_generation(void)
{
    pthread_once(&fork_once, watch_forks);
    return fork_generation;
}
