#include "engine/db/background.h"

#include <errno.h>

#include "engine/base/error.h"

enum { TICK_NS = 50000000, IDLE_TICKS = 10 };

/* The sync that mode `group` was promised, when one is due. False when it failed. */
static bool sync_group(yr_background *background)
{
    yr_store *store = background->store;
    /* Taken before the sync: a commit made during it is noted again, for the next tick. One made at the same time may
     * have found the mark still there although its record came too late for the sync: hence once more a tick later,
     * which costs nothing when there is nothing new. */
    /* acquire pairs with note_group_commit */
    bool asked = atomic_exchange_explicit(&store->group_since_ns, 0, memory_order_acquire) != 0;
    bool due = asked || background->was_asked;
    background->was_asked = asked;
    if (!due) return true;
    uint64_t version = yr_store_visible(store);
    if (yr_wal_sync(store->wal, NULL) < 0) return false;
    yr_store_durable(store, version);
    return true;
}

/* In the middle of making a log file, which can take as long as mode `group` may wait. A failure has poisoned the log,
 * which the tick then sees. */
static void look_in_between(void *arg)
{
    (void)sync_group(arg);
}

/* Sync or seal; returns false when nothing is left to do until somebody commits. */
static bool tick(yr_background *background, uint64_t *seen_lsn, uint32_t *idle)
{
    yr_store *store = background->store;
    yr_wal *wal = store->wal;
    if (yr_wal_is_poisoned(wal)) return false;
    uint64_t last = yr_wal_last_lsn(wal);
    *idle = last == *seen_lsn ? *idle + 1 : 0;
    *seen_lsn = last;
    bool failed = !sync_group(background);
    if (!failed && yr_wal_wants_prepare(wal)) {
        /* after the sync, which has a deadline; a full disk is reported by the commit that needs the space */
        const yr_wal_pause pause = {look_in_between, background};
        yore_status ignored = yr_wal_prepare(wal, &pause, NULL);
        (void)ignored;
        failed = yr_wal_is_poisoned(wal) || !sync_group(background); /* it may have taken a tick and more */
    }
    if (!failed && *idle >= IDLE_TICKS && !yr_wal_is_sealed(wal)) {
        yr_store_lead(store);
        (void)yr_art_settle(store->mem->art); /* a scan would wait for the seal otherwise */
        failed = yr_wal_seal(wal, NULL) < 0;
        if (!failed) {
            yr_store_durable(store, store->last_version);
            atomic_store_explicit(&background->dirty, 0, memory_order_relaxed); /* yr_background_wake */
        }
        yr_store_unlead(store);
    }
    if (failed) {
        yr_wal_poison(wal);
        atomic_store_explicit(&store->poisoned, 1, memory_order_release); /* pairs with yr_db_writable */
        return false;
    }
    return !yr_wal_is_sealed(wal);
}

static void run(void *arg)
{
    yr_background *background = arg;
    uint64_t seen_lsn = 0;
    uint32_t idle = 0;
    yr_mutex_lock(&background->mutex);
    while (!background->stop) {
        yr_mutex_unlock(&background->mutex);
        bool more = tick(background, &seen_lsn, &idle);
        yr_mutex_lock(&background->mutex);
        if (background->stop) break;
        /* Asked while the last file was being made, when that was news no longer. Before the look: who asks after it
         * comes to signal, for which it waits until we do. */
        atomic_store_explicit(&background->ahead_asked, 0, memory_order_relaxed);
        if (yr_wal_wants_prepare(background->store->wal)) continue;
        if (more) {
            yr_cond_wait_ns(&background->cond, &background->mutex, TICK_NS);
            continue;
        }
        idle = 0;
        /* Read-modify-writes of one word are totally ordered: either the waker's comes later and sees 0, or it
         * came first, and then this one acquires what the waker had appended, so the log is not clean. */
        (void)atomic_exchange_explicit(&background->awake, 0, memory_order_acq_rel);
        bool clean = yr_wal_is_poisoned(background->store->wal) ||
                     !atomic_load_explicit(&background->dirty, memory_order_relaxed);
        if (clean) yr_cond_wait(&background->cond, &background->mutex);
        atomic_store_explicit(&background->awake, 1, memory_order_relaxed); /* the next tick looks anyway */
    }
    yr_mutex_unlock(&background->mutex);
}

yore_status yr_background_start(yr_background *background, yr_store *store, yore_error *err)
{
    background->store = store;
    background->stop = false;
    /* a log that was not sealed at open is the first thing to do */
    atomic_store_explicit(&background->dirty, !yr_wal_is_sealed(store->wal), memory_order_relaxed);
    yr_mutex_init(&background->mutex, YR_RANK_BACKGROUND);
    yr_cond_init(&background->cond);
    atomic_store_explicit(&background->awake, 1, memory_order_relaxed); /* the thread does not exist yet */
    const yore_env *env = store->env;
    int failed = env->thread_create(env->ctx, run, background, &background->thread);
    if (failed) background->thread = NULL;
    if (!failed || failed == -ENOTSUP) return YORE_OK;
    return yr_fail_errno(err, YORE_ERR_IO, -failed, "cannot start the background thread");
}

void yr_background_stop(yr_background *background)
{
    if (!background->store) return;
    if (background->thread) {
        yr_mutex_lock(&background->mutex);
        background->stop = true;
        yr_cond_signal(&background->cond);
        yr_mutex_unlock(&background->mutex);
        background->store->env->thread_join(background->store->env->ctx, background->thread);
        background->thread = NULL;
    }
    yr_cond_deinit(&background->cond);
    yr_mutex_deinit(&background->mutex);
    background->store = NULL;
}

void yr_background_wake(void *arg)
{
    yr_background *background = arg;
    if (!background->thread) return;
    bool asleep = false, ahead = false;
    /* relaxed: the seal that cleared it was made by a leader too */
    if (!atomic_load_explicit(&background->dirty, memory_order_relaxed)) {
        atomic_store_explicit(&background->dirty, 1, memory_order_relaxed);
        /* see run(); later groups find the thread awake until it has sealed */
        asleep = !atomic_fetch_or_explicit(&background->awake, 0, memory_order_acq_rel);
    }
    /* relaxed: a hint; what is not ready in time is made by the commit that needs it */
    if (yr_wal_wants_prepare(background->store->wal)) {
        ahead = !atomic_load_explicit(&background->ahead_asked, memory_order_relaxed) &&
                !atomic_exchange_explicit(&background->ahead_asked, 1, memory_order_relaxed);
    }
    if (!ahead && !asleep) return;
    yr_mutex_lock(&background->mutex);
    yr_cond_signal(&background->cond);
    yr_mutex_unlock(&background->mutex);
}
