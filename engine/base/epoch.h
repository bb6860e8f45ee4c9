/* Epoch-based reclamation in C11 atomics (Fraser, "Practical lock-freedom", 2004; two epochs of grace).
 *
 * Readers bracket every walk over shared structures with enter and exit; they take no lock and write only
 * their own slot. A writer unlinks a block first and retires it afterwards; it is released once every
 * reader that could have seen it has left.
 *
 * One domain serves the process: a thread claims a slot on first use and gives it back when it ends.
 * Retire lists belong to their owner (a store's single writer), so no lock is needed there.
 *
 * No atomic_thread_fence is used: ThreadSanitizer does not model it. Entering is a sequentially consistent
 * exchange on the thread's own slot, which pairs with the collector's read-modify-writes of the same slots;
 * the argument is at the head of epoch.c.
 */
#ifndef YR_EPOCH_H
#define YR_EPOCH_H

#include <stdint.h>

#include <yore/env.h>

/* Enter a read section. Sections nest. Never fails: a thread that cannot get a slot of its own shares a
 * counted overflow slot, which only delays reclamation. */
void yr_epoch_enter(void);
void yr_epoch_exit(void);

typedef void (*yr_epoch_release)(void *owner, void *block, uint64_t size);

typedef struct yr_retired {
    uint64_t stamp;
    void *block; /* or any word the release function understands */
    uint64_t size;
    yr_epoch_release release;
} yr_retired;

/* The blocks one owner has unlinked and not yet released. One thread at a time. */
typedef struct yr_retire_list {
    const yore_env *env;
    void *owner;       /* handed to release */
    yr_retired *items; /* ring, oldest first */
    uint32_t head, count, capacity;
    uint32_t since_collect; /* the newest ones: they get their stamp when next collected */
} yr_retire_list;

void yr_retire_init(yr_retire_list *list, const yore_env *env, void *owner);
/* Releases everything: only when no reader can be inside any more. */
void yr_retire_deinit(yr_retire_list *list);
/* Call after the block is unlinked, and not from inside a read section. Collects every 64 retirements. When
 * the list cannot grow it waits for readers to leave and releases at once, so it never fails. */
void yr_retire(yr_retire_list *list, void *block, uint64_t size, yr_epoch_release release);
/* Release what no reader can hold any more; returns how many blocks went. */
uint32_t yr_retire_collect(yr_retire_list *list);

#endif
