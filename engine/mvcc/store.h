/* The store's core: memtable, catalog and log, and the state of the commit path that binds them.
 *
 * Who may touch what
 *   visible        written by the commit leader (release), read by everyone (acquire)
 *   queue, leader, sleepers   the commit queue, see commit.c
 *   "leader's"     only by the thread that holds `leader` (commit, replay, check, seal)
 */
#ifndef YR_STORE_H
#define YR_STORE_H

#include <stdatomic.h>

#include "engine/base/buf.h"
#include "engine/base/thread.h"
#include "engine/branch/lineage.h"
#include "engine/wal/wal.h"

#include <yore/db.h>

typedef struct yr_request yr_request;

typedef struct yr_store {
    /* immutable after open */
    const yore_env *env;
    yr_memtable *mem;
    yr_catalog *catalog;
    yr_wal *wal;   /* NULL: nothing is logged (mode `none`, ":memory:") */
    uint32_t sync; /* durability of commits that ask for none in particular */
    bool read_only;

    _Alignas(128) _Atomic uint64_t visible; /* newest published version */

    _Alignas(128) _Atomic(yr_request *) queue; /* newest first */
    _Atomic uint32_t leader;                   /* 1 while a thread leads */
    _Atomic uint32_t sleepers;                 /* threads in yr_cond_wait on queue_cond */
    yr_mutex queue_mutex;
    yr_cond queue_cond;

    /* leader's */
    _Alignas(128) int64_t last_time_ns; /* of the newest commit */
    int64_t last_data_time_ns;          /* of the newest data commit; INT64_MIN before the first */
    uint64_t last_version;              /* newest assigned */
    yr_buf group;                       /* the log record being put together */
    yore_error group_error;             /* why the last failed group failed */
    yr_arena scratch;                   /* rows resolved in this group */
    _Atomic uint32_t poisoned;          /* an append or a sync failed: no more commits */
    _Atomic uint64_t durable_version;   /* newest commit on stable storage, as far as known */
    _Atomic int64_t group_since_ns; /* when the oldest unsynced commit of mode `group` was made; 0 = none */
    _Atomic uint64_t groups;

    /* Called by the leader after each logged group; NULL for none. */
    void (*after_group)(void *arg);
    void *after_group_arg;
} yr_store;

/* Before the first commit the clock stands here, so that any representable time can be imported. */
#define YR_TIME_FIRST (INT64_MIN + 1)
/* The latest time a commit may be given (March 2262): later commits each need a later one, so there must be
 * room behind it. Replay accepts what such commits can have reached. */
#define YR_TIME_LAST (INT64_MAX - (INT64_C(1) << 52))
#define YR_TIME_REACHED_MAX (INT64_MAX - (INT64_C(1) << 51))

yore_status yr_store_init(yr_store *store, const yore_env *env, uint64_t memory_bytes_max, yore_error *err);
/* `abandoned`: in a forked child, whose parent's threads may hold or wait on the locks: leave those alone. */
void yr_store_deinit(yr_store *store, bool abandoned);

static inline uint64_t yr_store_visible(const yr_store *store)
{
    return atomic_load_explicit(&store->visible, memory_order_acquire); /* pairs with the leader's publish */
}

/* Everything up to a version is on stable storage. Any thread; never goes back. */
static inline void yr_store_durable(yr_store *store, uint64_t version)
{
    uint64_t now = atomic_load_explicit(&store->durable_version, memory_order_relaxed); /* a statistic */
    while (now < version &&
           !atomic_compare_exchange_weak_explicit(&store->durable_version, &now, version,
                                                  memory_order_relaxed, memory_order_relaxed)) {}
}

/* Become the leader: no commit runs until yr_store_unlead. */
void yr_store_lead(yr_store *store);
void yr_store_unlead(yr_store *store);

/* New keys of small commits may wait to be put in order (index/art.h). Everything that walks the tree calls this
 * first: what was visible before the call is in the tree afterwards. One load when nothing waits; else it leads for a
 * moment. Leaders settle before they wait for a disk, so this never does.
 * YORE_OK; YORE_ERR_NOMEM is not expected. */
yore_status yr_store_settle(yr_store *store);

/* replay.c: apply one record of the log, whose bytes are judged first. The caller leads, or nobody else is
 * there yet. Publishes. */
yore_status yr_store_replay(yr_store *store, yore_slice payload, yore_error *err);

/* A view of a branch at a version. */
static inline yr_view yr_store_view(const yr_store *store, const yr_branch *branch, uint64_t version,
                                    int64_t time_ns)
{
    return (yr_view){.mem = store->mem,
                     .branch = branch,
                     .cap = version,
                     .time_ns = time_ns,
                     .past = version < yr_store_visible(store)};
}

/* The newest own data commit of a branch at or before a version, 0 if none. */
uint64_t yr_branch_head_at(const yr_store *store, const yr_branch *branch, uint64_t version);
/* The newest data commit of a lineage at or before a version, 0 if none; *hop (may be NULL) is where. */
uint64_t yr_lineage_head_at(const yr_store *store, const yr_branch *branch, uint64_t version,
                            const yr_branch **hop);

#endif
