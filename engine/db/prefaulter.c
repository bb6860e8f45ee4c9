#include "engine/db/prefaulter.h"

/* The memtable that takes the writes now: it may be frozen, and go, meanwhile. */
static bool prefault_ahead(const yr_store *store)
{
    yr_layers *layers = yr_store_layers_ref(store);
    bool more = yr_region_prefault_ahead(&layers->mems[0]->region);
    yr_layers_unref(layers);
    return more;
}

static void run(void *arg)
{
    yr_prefaulter *prefaulter = arg;
    yr_mutex_lock(&prefaulter->mutex);
    while (!prefaulter->stop) {
        /* before the work: what is asked for during it is looked at again */
        atomic_store_explicit(&prefaulter->asked, 0, memory_order_relaxed);
        yr_mutex_unlock(&prefaulter->mutex);
        bool more = prefault_ahead(prefaulter->store);
        yr_mutex_lock(&prefaulter->mutex);
        if (more || prefaulter->stop || atomic_load_explicit(&prefaulter->asked, memory_order_relaxed))
            continue;
        yr_cond_wait(&prefaulter->cond, &prefaulter->mutex);
    }
    yr_mutex_unlock(&prefaulter->mutex);
}

void yr_prefaulter_start(yr_prefaulter *prefaulter, yr_store *store)
{
    const yore_env *env = store->env;
    prefaulter->store = store;
    prefaulter->env = env;
    prefaulter->stop = false;
    atomic_store_explicit(&prefaulter->asked, 0, memory_order_relaxed);
    yr_mutex_init(&prefaulter->mutex, YR_RANK_BACKGROUND);
    yr_cond_init(&prefaulter->cond);
    if (env->thread_create(env->ctx, run, prefaulter, &prefaulter->thread) != 0) prefaulter->thread = NULL;
}

void yr_prefaulter_stop(yr_prefaulter *prefaulter)
{
    if (!prefaulter->env) return;
    if (prefaulter->thread) {
        yr_mutex_lock(&prefaulter->mutex);
        prefaulter->stop = true;
        yr_cond_signal(&prefaulter->cond);
        yr_mutex_unlock(&prefaulter->mutex);
        prefaulter->env->thread_join(prefaulter->env->ctx, prefaulter->thread);
        prefaulter->thread = NULL;
    }
    yr_cond_deinit(&prefaulter->cond);
    yr_mutex_deinit(&prefaulter->mutex);
    prefaulter->env = NULL;
}

void yr_prefaulter_wake(yr_prefaulter *prefaulter)
{
    if (!prefaulter->thread || !yr_region_wants_pages(&prefaulter->store->mem->region)) return;
    if (atomic_load_explicit(&prefaulter->asked, memory_order_relaxed)) return;
    atomic_store_explicit(&prefaulter->asked, 1,
                          memory_order_relaxed); /* before the lock: run() looks under it */
    yr_mutex_lock(&prefaulter->mutex);
    yr_cond_signal(&prefaulter->cond);
    yr_mutex_unlock(&prefaulter->mutex);
}
