#include "engine/mvcc/turn.h"

uint64_t yr_turn_thread(void)
{
    static _Atomic uint32_t count;
    static _Thread_local uint64_t bit;
    if (YR_UNLIKELY(!bit))
        bit = UINT64_C(1) << (atomic_fetch_add_explicit(&count, 1, memory_order_relaxed) & 63);
    return bit;
}

static bool try_lead(yr_store *store)
{
    uint32_t idle = 0;
    /* acquire pairs with the release half of yr_store_unlead: the leader's state follows the leader */
    return atomic_load_explicit(&store->leader, memory_order_relaxed) == 0 &&
           atomic_compare_exchange_strong_explicit(&store->leader, &idle, 1, memory_order_seq_cst,
                                                   memory_order_relaxed);
}

bool yr_turn_try(yr_store *store)
{
    /* relaxed: who looks too early takes one turn more */
    return atomic_load_explicit(&store->turns_wanted, memory_order_relaxed) == 0 && try_lead(store);
}

void yr_store_unlead(yr_store *store)
{
    /* Sequentially consistent against those who go to sleep: either they see leader == 0, or we see them among the
     * sleepers. */
    atomic_store_explicit(&store->leader, 0, memory_order_seq_cst);
    if (atomic_load_explicit(&store->sleepers, memory_order_seq_cst) == 0) return;
    yr_mutex_lock(&store->queue_mutex);
    yr_cond_broadcast(&store->queue_cond);
    yr_mutex_unlock(&store->queue_mutex);
}

static bool is_free(yr_store *store)
{
    return atomic_load_explicit(&store->leader, memory_order_seq_cst) == 0;
}

void yr_turn_sleep(yr_store *store, yr_request *request)
{
    yr_mutex_lock(&store->queue_mutex);
    atomic_fetch_add_explicit(&store->sleepers, 1, memory_order_seq_cst); /* pairs with yr_store_unlead */
    /* whoever wants the turn takes the wish back before it gives the turn up: that wakes us as well */
    while (!yr_turn_is_done(request) &&
           !(is_free(store) && atomic_load_explicit(&store->turns_wanted, memory_order_seq_cst) == 0)) {
        yr_cond_wait(&store->queue_cond, &store->queue_mutex);
    }
    atomic_fetch_sub_explicit(&store->sleepers, 1, memory_order_relaxed);
    yr_mutex_unlock(&store->queue_mutex);
}

/* Sleep until nobody leads. */
static void sleep_for_turn(yr_store *store)
{
    yr_mutex_lock(&store->queue_mutex);
    atomic_fetch_add_explicit(&store->sleepers, 1, memory_order_seq_cst); /* as above */
    while (!is_free(store)) yr_cond_wait(&store->queue_cond, &store->queue_mutex);
    atomic_fetch_sub_explicit(&store->sleepers, 1, memory_order_relaxed);
    yr_mutex_unlock(&store->queue_mutex);
}

static bool lead_soon(yr_store *store)
{
    for (int spins = 0; spins < YR_TURN_SPINS; spins++) {
        if (try_lead(store)) return true;
        yr_cpu_relax();
    }
    return false;
}

void yr_store_lead_briefly(yr_store *store)
{
    while (!lead_soon(store)) sleep_for_turn(store);
}

void yr_store_lead(yr_store *store)
{
    if (lead_soon(store)) return;
    /* A thread that commits without a pause takes the turn again long before this one is awake. */
    atomic_fetch_add_explicit(&store->turns_wanted, 1, memory_order_seq_cst);
    while (!try_lead(store)) sleep_for_turn(store);
    atomic_fetch_sub_explicit(&store->turns_wanted, 1,
                              memory_order_seq_cst); /* before the turn is given up */
}
