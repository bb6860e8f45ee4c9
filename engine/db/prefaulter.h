/* The prefaulter: has the memory that a busy writer is about to use faulted in ahead of it.
 *
 * A thread of its own, because the first touch of memory is slow where a hypervisor has to find it (2 ms for 2 MiB has
 * been seen), as slow as the disk that the background thread waits for: one behind the other they cannot keep up with a
 * writer. Started at open, not by the first wake-up: a writer that pins itself to a processor afterwards does not pin
 * the prefaulter. Without threads, or without it, the writer faults its pages in itself.
 */
#ifndef YR_PREFAULTER_H
#define YR_PREFAULTER_H

#include <stdatomic.h>

#include "engine/base/thread.h"
#include "engine/mvcc/store.h"

typedef struct yr_prefaulter {
    yr_store *store;
    const yore_env *env;
    yore_thread *thread;    /* NULL: none */
    bool stop;              /* guarded by mutex */
    _Atomic uint32_t asked; /* 1 from a wake-up until the thread has looked */
    yr_mutex mutex;
    yr_cond cond;
} yr_prefaulter;

void yr_prefaulter_start(yr_prefaulter *prefaulter, yr_store *store);
/* Stop it and wait for it. Harmless when it was never started. */
void yr_prefaulter_stop(yr_prefaulter *prefaulter);
/* Called by the leader after each group; two loads when there is nothing to do. */
void yr_prefaulter_wake(yr_prefaulter *prefaulter);

#endif
