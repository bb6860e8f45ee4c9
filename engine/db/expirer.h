/* The expirer: deletes branches whose time to live is over, by an ordinary commit, so that they can be recovered.
 *
 * A branch stays as long as it has live children that do not end as well, or a transaction is open on it; that is
 * looked at again every ten seconds. Done when a writer opens, and then by a thread that is started with the first
 * branch that ends; where there are no threads, inside commits. What fails is tried again. */
#ifndef YR_EXPIRER_H
#define YR_EXPIRER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "engine/base/thread.h"

#include <yore/env.h>
#include <yore/types.h>

typedef struct yr_expirer {
    yore_db *db;         /* NULL: it was not started, or has been stopped */
    yore_thread *thread; /* NULL: none yet, or none can be had; under mutex, as the next one */
    bool stop;
    int64_t waits_for;      /* the end the thread sleeps until, or works at */
    _Atomic bool is_inline; /* no thread can be had */
    yr_mutex mutex;
    yr_cond cond;
} yr_expirer;

/* For a store that is written: deletes what has ended by now. */
void yr_expirer_start(yr_expirer *expirer, yore_db *db);
/* Harmless when it was never started. */
void yr_expirer_stop(yr_expirer *expirer);
/* There is another branch that ends. The caller does not lead. */
void yr_expirer_wake(yr_expirer *expirer);
/* After a commit, by a caller who does not lead: two loads where nothing ends. */
void yr_expirer_after_commit(yr_expirer *expirer);

#endif
