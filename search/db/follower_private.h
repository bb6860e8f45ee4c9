/* The follower's own parts. */
#ifndef YR_SEARCH_FOLLOWER_PRIVATE_H
#define YR_SEARCH_FOLLOWER_PRIVATE_H

#include "search/db/follower.h"

enum { FOLLOWER_ANALYZERS = 4, FOLLOWER_DESCRIBE_SIZE = 128 };

typedef struct kept_analyzer {
    yr_analyzer *analyzer; /* NULL: a free place */
    char language[YR_SETTING_SIZE];
} kept_analyzer;

struct yr_follower {
    yr_companion companion; /* first: what the engine holds */
    /* immutable after it was made */
    yore_db *db;
    const yore_env *env;

    yr_mutex mutex;
    yr_cond changed; /* to searches and to the writer: something below changed */
    yr_cond wanted;  /* to the thread: there may be work */
    /* guarded by mutex */
    yore_thread *thread; /* NULL: not started, or an environment without threads: searches do the work */
    bool started;
    bool stop;
    bool wake;         /* a search asked since the thread last looked */
    bool working;      /* a search does the thread's work */
    bool writing;      /* the writer is in */
    bool writer_waits; /* F2 */
    uint32_t readers;
    bool has_index;
    yr_index_settings settings; /* of the index, or of the attempt that failed */
    uint64_t indexed;           /* F1 */
    yore_status failure;
    yore_error failure_words;
    yore_search_stats stats;
    char describe[FOLLOWER_DESCRIBE_SIZE];
    kept_analyzer analyzers[FOLLOWER_ANALYZERS];

    /* Changed by the writer in its turn, read by searches in theirs. */
    yr_index index;

    _Atomic uint32_t cancel; /* 1 with `stop`: a long text is not counted to its end */

    /* The writer's alone. */
    yr_analyzer *analyzer;
    yr_buf prefixes;    /* of search.index, as the index was made with: a table of registry_format.h */
    yr_counter counter; /* its memory is the index's, and goes with it */
    yr_arena batch;     /* the texts in hand; counts with the index */
    yore_iter *feed;
    uint64_t feed_end; /* the feed shows everything up to this version, at least */
    uint64_t followed_bytes;
};

/* follower_batch.c */

/* One batch. *more: there is more to do at once. A failure is the index's: it is dropped and the failure remembered. */
void yr_follower_step(yr_follower *follower, bool *more);
void yr_follower_drop(yr_follower *follower);

/* follower.c: the writer's turn. */
void yr_follower_begin_write(yr_follower *follower);
void yr_follower_end_write_locked(yr_follower *follower); /* the mutex is held */

#endif
