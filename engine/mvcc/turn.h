/* The leader's turn: one thread at a time has it, and only that thread changes what store.h calls the leader's.
 * yr_store_lead and yr_store_unlead (store.h) are for everybody else; this is for the commit path. */
#ifndef YR_TURN_H
#define YR_TURN_H

#include "engine/mvcc/commit.h"

enum { YR_TURN_SPINS = 600 }; /* a group in mode `os` is done in a microsecond or two */

/* A bit for the calling thread; threads share them when there are more than 64. */
uint64_t yr_turn_thread(void);
/* For a commit: false as well while another thread wants the turn for something else. */
bool yr_turn_try(yr_store *store);
/* Sleep until the request is answered or a commit may lead. */
void yr_turn_sleep(yr_store *store, yr_request *request);

static inline bool yr_turn_is_done(const yr_request *request)
{
    return atomic_load_explicit(&request->done, memory_order_acquire); /* pairs with the leader's answer */
}

#endif
