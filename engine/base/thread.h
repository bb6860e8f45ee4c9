/* Mutexes with ranks, condition variables, once. A thread may take locks only in ascending rank; taking
 * a lower or equal rank aborts in debug builds. Ranks of the engine are listed here, lowest first. */
#ifndef YR_THREAD_H
#define YR_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum yr_rank {
    YR_RANK_SEARCH = 5,   /* the search index: held for moments only */
    YR_RANK_EXPIRER = 7,  /* when branches end: held for moments only */
    YR_RANK_MAINTAIN = 8, /* one flush at a time, and one merge; held while they work */
    YR_RANK_INSTALL = 10, /* one change of layers and MANIFEST at a time; the commit turn is taken inside */
    YR_RANK_COMMIT = 20,  /* the commit leader's turn */
    YR_RANK_BACKGROUND = 30, /* the background thread's work list */
    YR_RANK_WAL = 40,        /* rotation and preparation of log files */
    YR_RANK_WAL_SYNC = 50,   /* one sync at a time */
    YR_RANK_STRAY = 60,      /* pins whose readers have ended: held for moments only */
    YR_RANK_BLOCK_CACHE = 70 /* a shard of the block cache: held for moments only */
};

typedef struct yr_mutex {
    pthread_mutex_t raw;
    int rank;
} yr_mutex;

typedef struct yr_cond {
    pthread_cond_t raw; /* on the monotonic clock */
} yr_cond;

void yr_mutex_init(yr_mutex *mutex, enum yr_rank rank);
void yr_mutex_deinit(yr_mutex *mutex);
void yr_mutex_lock(yr_mutex *mutex);
bool yr_mutex_trylock(yr_mutex *mutex);
void yr_mutex_unlock(yr_mutex *mutex);

void yr_cond_init(yr_cond *cond);
void yr_cond_deinit(yr_cond *cond);
void yr_cond_wait(yr_cond *cond, yr_mutex *mutex);
/* False when `timeout_ns` went by first. */
bool yr_cond_wait_ns(yr_cond *cond, yr_mutex *mutex, int64_t timeout_ns);
void yr_cond_signal(yr_cond *cond);
void yr_cond_broadcast(yr_cond *cond);

/* How many forks lie between the program's start and this process: a handle remembers it, and one from
 * another process is not used. Counted from the first call on. */
uint32_t yr_fork_generation(void);

/* Tell the processor that this is a spin loop. */
static inline void yr_cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

#endif
