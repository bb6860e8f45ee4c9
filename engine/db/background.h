/* The background thread of a writing store: prepares the next log file, syncs what
 * mode `group` left unsynced, and seals the log when it has been idle for half a second (F6).
 *
 * It sleeps without a time-out while there is nothing unsynced. Where the environment has no threads, the
 * same work is done inside calls: the log prepares its next file when it needs it and seals at close.
 */
#ifndef YR_BACKGROUND_H
#define YR_BACKGROUND_H

#include <stdatomic.h>

#include "engine/mvcc/store.h"

typedef struct yr_background {
    yr_store *store;
    yore_thread *thread; /* NULL: none */
    yr_mutex mutex;
    yr_cond cond;
    bool stop;                    /* guarded by mutex */
    bool was_asked;               /* the last tick synced for mode `group`; the thread's own */
    _Atomic uint32_t ahead_asked; /* 1 from a wake-up for the next file until the thread has looked */
    _Atomic uint32_t dirty;       /* 1 from the first group after a seal on; changed by leaders only */
    _Atomic uint32_t awake;       /* 0 while the thread sleeps without a time-out */
} yr_background;

/* Start the thread. YORE_OK also when the environment has none. */
yore_status yr_background_start(yr_background *background, yr_store *store, yore_error *err);
/* Stop it and wait for it. Harmless when it was never started. */
void yr_background_stop(yr_background *background);
/* A group was logged (called by the leader): wake the thread if it sleeps over a log that is not sealed any more, or
 * when the next log file should be made. */
void yr_background_wake(void *background);

#endif
