/* Epoch-based reclamation; see epoch.h for what it is for.
 *
 * State: a global epoch number, and per thread a slot holding 0 (outside) or the epoch it read on entering.
 * Collecting does, in this order: add one to the global epoch (the old value g stamps everything unlinked
 * since the last collection), read every slot, release each block whose stamp is below the lowest epoch
 * found in a slot.
 *
 * Why no reader holds a released block. Let U be the store that unlinked block B, A the collector's add
 * that stamped B with g, R the collector's read of a reader's slot, E that reader's entering exchange with
 * value e, and L any load by which the reader would come upon B. U comes before A before R in the
 * collector's order (whoever retires is the one who unlinked, or took over from it under a lock).
 *
 *  P1 A reader with e > g does not hold B. Its load of the global epoch read A's value or a later one; adds
 *     are read-modify-writes, so that load (acquire) synchronises with A (release): U happens before L, and
 *     L finds B unlinked. So only a reader with e <= g may hold B, and while its slot is seen, B stays.
 *  P2 A reader that enters after R does not hold B. R is itself a read-modify-write (it adds 0) and E is an
 *     exchange, both on the slot: if E comes later in the slot's order it reads from R or from something
 *     later, synchronises with R, and U happens before L. A plain load for R would not do: nothing orders
 *     "unlink, then read the slot" against "write the slot, then load" without a fence.
 *     The same holds for a slot that is claimed, or a block of slots that is added, during the scan: both
 *     are found through a read-modify-write that the claim or the addition then reads from.
 *  P3 A reader that left before R is done with B: its accesses come before the store of 0 (release), which R
 *     (acquire) reads, or reads a later exchange of the same thread, which is a release as well.
 *  P4 A reader that loaded the global epoch long ago and only now exchanges has a small e: that only delays.
 *
 * So the condition is stamp < min(e of all slots in use): readers that entered in the very epoch of the
 * stamp still count. (YR_BUG_ONE_EPOCH leaves those out, and is wrong.)
 *
 * Slots are 128 bytes apart (adjacent-line prefetch), live in blocks that are never freed, and are claimed
 * through a bit mask. A thread that ends gives its slot back through a thread-specific-data destructor.
 */
#define _GNU_SOURCE
#include "engine/base/epoch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/thread.h"
#include "engine/base/yr_assert.h"

#define SLOTS_PER_BLOCK 32u
#define COLLECT_EVERY 64u
#define LIST_CAPACITY_MIN 128u

typedef struct epoch_slot {
    _Alignas(128) _Atomic uint64_t epoch; /* 0 = outside */
} epoch_slot;

typedef struct slot_block {
    epoch_slot slots[SLOTS_PER_BLOCK];
    _Alignas(128) _Atomic uint32_t claimed; /* bit i: slots[i] belongs to a thread */
    struct slot_block *_Atomic next;
} slot_block;

static struct {
    _Alignas(128) _Atomic uint64_t epoch;
    _Alignas(128) _Atomic uint64_t overflow; /* sections of threads without a slot */
} domain = {.epoch = 1};

static slot_block first_block;

/* initial-exec: a reader reaches its slot in one instruction, also from the shared library. */
static _Thread_local struct {
    epoch_slot *slot;
    uint32_t depth;
} here __attribute__((tls_model("initial-exec")));

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool has_key;

static void slot_give_back(void *arg)
{
    epoch_slot *slot = arg;
    here.slot = NULL;
    for (slot_block *block = &first_block; block;
         block = atomic_load_explicit(&block->next, memory_order_acquire)) {
        if (slot < block->slots || slot >= block->slots + SLOTS_PER_BLOCK) continue;
        uint32_t bit = UINT32_C(1) << (uint32_t)(slot - block->slots);
        /* release: pairs with the next claim, whose thread takes over a slot at rest */
        atomic_fetch_and_explicit(&block->claimed, ~bit, memory_order_release);
        return;
    }
}

static void key_create(void)
{
    has_key = pthread_key_create(&key, slot_give_back) == 0;
}

static epoch_slot *claim_in(slot_block *block)
{
    uint32_t claimed = atomic_load_explicit(&block->claimed, memory_order_relaxed);
    while (~claimed) {
        uint32_t index = (uint32_t)__builtin_ctz(~claimed);
        /* acq_rel: acquire pairs with slot_give_back; the change itself with the scan (P2) */
        if (atomic_compare_exchange_weak_explicit(&block->claimed, &claimed, claimed | UINT32_C(1) << index,
                                                  memory_order_acq_rel, memory_order_relaxed)) {
            return &block->slots[index];
        }
    }
    return NULL;
}

/* The block behind `block`, made if there is none; NULL when memory is out. */
static slot_block *block_after(slot_block *block)
{
    slot_block *next =
        atomic_load_explicit(&block->next, memory_order_acquire); /* pairs with the exchange below */
    if (next) return next;
    /* Not from a store's environment: slots serve the whole process and outlive every store. */
    slot_block *fresh = aligned_alloc(_Alignof(slot_block), sizeof(slot_block));
    if (!fresh) return NULL;
    for (uint32_t i = 0; i < SLOTS_PER_BLOCK; i++) atomic_init(&fresh->slots[i].epoch, 0);
    atomic_init(&fresh->claimed, 0);
    atomic_init(&fresh->next, NULL);
    /* acq_rel: release publishes the fields set above to block_after and the scan; acquire pairs with the
     * scan's exchange of NULL for NULL (P2) */
    if (atomic_compare_exchange_strong_explicit(&block->next, &next, fresh, memory_order_acq_rel,
                                                memory_order_acquire)) {
        return fresh;
    }
    free(fresh);
    return next;
}

/* A slot of this thread's own, or NULL when memory or thread-specific keys are out. */
static epoch_slot *slot_claim(void)
{
    pthread_once(&key_once, key_create);
    if (!has_key) return NULL;
    epoch_slot *slot = NULL;
    for (slot_block *block = &first_block; block && !slot; block = slot ? block : block_after(block)) {
        slot = claim_in(block);
    }
    if (slot && pthread_setspecific(key, slot) != 0) {
        slot_give_back(slot);
        slot = NULL;
    }
    here.slot = slot;
    return slot;
}

void yr_epoch_enter(void)
{
    if (here.depth++ > 0) return;
    epoch_slot *slot = here.slot;
    if (YR_UNLIKELY(!slot)) slot = slot_claim();
    if (YR_UNLIKELY(!slot)) {
        /* acq_rel: pairs with lowest_active, as a slot's exchange does (P2) */
        atomic_fetch_add_explicit(&domain.overflow, 1, memory_order_acq_rel);
        return;
    }
    uint64_t epoch =
        atomic_load_explicit(&domain.epoch, memory_order_acquire); /* pairs with the add in collect (P1) */
    /* acq_rel by the proof; seq_cst costs the same on the machines at hand and keeps the stronger promise */
    atomic_exchange_explicit(&slot->epoch, epoch,
                             memory_order_seq_cst); /* pairs with lowest_active (P2, P3) */
}

void yr_epoch_exit(void)
{
    YR_DASSERT(here.depth > 0);
    if (--here.depth > 0) return;
    if (YR_UNLIKELY(!here.slot)) {
        atomic_fetch_sub_explicit(&domain.overflow, 1,
                                  memory_order_release); /* pairs with lowest_active (P3) */
        return;
    }
    atomic_store_explicit(&here.slot->epoch, 0, memory_order_release); /* pairs with lowest_active (P3) */
}

/* The lowest epoch any reader is in, UINT64_MAX when all are outside. Reads by read-modify-write only (P2). */
static uint64_t lowest_active(void)
{
    uint64_t lowest = UINT64_MAX;
    if (atomic_fetch_add_explicit(&domain.overflow, 0, memory_order_seq_cst) > 0) return 0;
    slot_block *block = &first_block;
    while (block) {
        uint32_t claimed = atomic_fetch_or_explicit(&block->claimed, 0, memory_order_seq_cst);
        while (claimed) {
            uint32_t index = (uint32_t)__builtin_ctz(claimed);
            claimed &= claimed - 1;
            uint64_t epoch = atomic_fetch_add_explicit(&block->slots[index].epoch, 0, memory_order_seq_cst);
            if (epoch && epoch < lowest) lowest = epoch;
        }
        slot_block *next = NULL;
        bool is_last = atomic_compare_exchange_strong_explicit(&block->next, &next, NULL,
                                                               memory_order_seq_cst, memory_order_acquire);
        block = is_last ? NULL : next;
    }
    return lowest;
}

void yr_retire_init(yr_retire_list *list, const yore_env *env, void *owner)
{
    *list = (yr_retire_list){.env = env, .owner = owner};
}

static yr_retired *item_at(const yr_retire_list *list, uint32_t index)
{
    return &list->items[(list->head + index) & (list->capacity - 1)]; /* capacity is a power of two */
}

static void release_oldest(yr_retire_list *list)
{
    yr_retired item = *item_at(list, 0);
    list->head = (list->head + 1) & (list->capacity - 1);
    list->count--;
    item.release(list->owner, item.block, item.size);
}

void yr_retire_deinit(yr_retire_list *list)
{
    while (list->count > 0) release_oldest(list);
    yr_free(list->env, list->items, list->capacity * sizeof(yr_retired));
    *list = (yr_retire_list){.env = list->env, .owner = list->owner};
}

static bool may_release(uint64_t stamp, uint64_t lowest)
{
    if (YR_BUG(ONE_EPOCH))
        return stamp <= lowest; /* forgets the readers that entered in the stamp's own epoch */
    return stamp < lowest;
}

uint32_t yr_retire_collect(yr_retire_list *list)
{
    if (list->count == 0) return 0;
    /* release: the unlinking stores come before it for every reader that sees the new epoch (P1) */
    uint64_t stamp = atomic_fetch_add_explicit(&domain.epoch, 1, memory_order_seq_cst);
    for (uint32_t i = list->count - list->since_collect; i < list->count; i++)
        item_at(list, i)->stamp = stamp;
    list->since_collect = 0;

    uint64_t lowest = lowest_active();
    uint32_t released = 0;
    while (list->count > 0 && may_release(item_at(list, 0)->stamp, lowest)) {
        release_oldest(list);
        released++;
    }
    return released;
}

static bool list_grow(yr_retire_list *list)
{
    if (list->capacity > UINT32_MAX / 2) return false;
    uint32_t capacity = list->capacity ? list->capacity * 2 : LIST_CAPACITY_MIN;
    yr_retired *items = yr_alloc(list->env, capacity * sizeof(yr_retired));
    if (!items) return false;
    for (uint32_t i = 0; i < list->count; i++) items[i] = *item_at(list, i);
    yr_free(list->env, list->items, list->capacity * sizeof(yr_retired));
    list->items = items;
    list->capacity = capacity;
    list->head = 0;
    return true;
}

/* No memory to remember the block: wait until every reader of this moment has left. */
static void release_after_wait(yr_retire_list *list, void *block, uint64_t size, yr_epoch_release release)
{
    YR_ASSERT(here.depth == 0); /* it would wait for itself */
    uint64_t stamp = atomic_fetch_add_explicit(&domain.epoch, 1, memory_order_seq_cst); /* as in collect */
    while (!may_release(stamp, lowest_active())) list->env->yield(list->env->ctx);
    release(list->owner, block, size);
}

void yr_retire(yr_retire_list *list, void *block, uint64_t size, yr_epoch_release release)
{
    YR_DASSERT(here.depth == 0);
    if (list->since_collect >= COLLECT_EVERY) yr_retire_collect(list);
    if (list->count == list->capacity && !list_grow(list)) {
        release_after_wait(list, block, size, release);
        return;
    }
    list->count++;
    list->since_collect++;
    *item_at(list, list->count - 1) = (yr_retired){.block = block, .size = size, .release = release};
}
