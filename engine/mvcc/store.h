/* The store's core: layers, catalog and log, and the state of the commit path that binds them.
 *
 * Who may touch what
 *   visible        written by the commit leader (release), read by everyone (acquire)
 *   layers         replaced by the leader (release), read by everyone (acquire): after `visible`, so that it has
 *                  what is visible, and with a reference or inside an epoch section
 *   queue   the commit queue, see commit.c; leader and what follows it: turn.c
 *   "leader's"     only by the thread that holds `leader` (commit, replay, check, seal)
 */
#ifndef YR_STORE_H
#define YR_STORE_H

#include <stdatomic.h>

#include "engine/base/buf.h"
#include "engine/base/thread.h"
#include "engine/branch/lineage.h"
#include "engine/layers/layers_commits.h"
#include "engine/wal/wal.h"

#include <yore/db.h>

typedef struct yr_request yr_request;
struct yr_held;

typedef struct yr_store {
    /* immutable after open */
    const yore_env *env;
    void *owner;               /* the handle: of every list of layers */
    uint64_t secret;           /* seeds the key hash; of the store's runs as well */
    uint64_t memory_bytes_max; /* address space of a memtable */
    yr_catalog *catalog;
    yr_wal *wal;   /* NULL: nothing is logged (mode `none`, ":memory:") */
    uint32_t sync; /* durability of commits that ask for none in particular */
    bool read_only;

    _Alignas(128) _Atomic uint64_t visible; /* newest published version */
    _Atomic(yr_layers *) layers;            /* holds a reference */

    _Alignas(128) _Atomic(yr_request *) queue; /* newest first */

    _Alignas(128) _Atomic uint32_t leader; /* 1 while a thread leads */
    _Atomic uint32_t sleepers;             /* threads in yr_cond_wait on queue_cond */
    _Atomic uint32_t turns_wanted; /* threads that wait for the turn and want no commit to go before them */
    _Atomic uint64_t last_leader;  /* the thread that led the last group, as yr_turn_thread */
    _Atomic uint64_t writers;      /* the threads in the last groups; hints, both */
    yr_mutex queue_mutex;
    yr_cond queue_cond;

    /* leader's */
    _Alignas(128) yr_memtable *mem;   /* the first of layers: takes the writes */
    yr_retire_list retired;           /* lists of layers that were replaced */
    struct yr_held *held;             /* what this group's rows borrow */
    int64_t last_time_ns;             /* of the newest commit */
    int64_t last_data_time_ns;        /* of the newest data commit; INT64_MIN before the first */
    uint64_t last_version;            /* newest assigned */
    uint64_t groups_seen[3];          /* the threads in each of the last groups, newest first */
    int64_t sync_ns;                  /* what the last sync of a group took, where several threads commit */
    yr_buf group;                     /* the log record being put together */
    yore_error group_error;           /* why the last failed group failed */
    yr_arena scratch;                 /* rows resolved in this group */
    _Atomic uint32_t poisoned;        /* an append or a sync failed: no more commits */
    _Atomic uint64_t durable_version; /* newest commit on stable storage, as far as known */
    _Atomic int64_t group_since_ns;   /* when the oldest unsynced commit of mode `group` was made; 0 = none */
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

/* A store without layers: it must begin. */
yore_status yr_store_init(yr_store *store, const yore_env *env, uint64_t memory_bytes_max, yore_error *err);
/* What a store goes on from; all zero for an empty one. */
typedef struct yr_store_start {
    uint64_t secret; /* 0: the one drawn by init */
    yr_run *const *runs;
    uint32_t run_count;
    yr_value_set *values;
    uint64_t last_version; /* in the runs */
    int64_t last_time_ns, last_data_time_ns;
} yr_store_start;
/* A memtable above the runs; the caller keeps its references. Once, before anything is written or read. */
yore_status yr_store_begin(yr_store *store, const yr_store_start *start, yore_error *err);

/* After a begin that failed, or after which something failed: as before it. Nobody knows the store yet. */
yore_status yr_store_rewind(yr_store *store, yore_error *err);
/* Leader of a store that is only read: go on with the layers of `from`, which nobody else knows and which has all that
 * this one has. The catalog has been brought forward. Cannot fail; `from` may only be deinitialised. */
void yr_store_adopt(yr_store *store, yr_store *from);

/* Leader: freeze the memtable and go on in a new one. lsn: of the newest log record, 0 without a log.
 * YORE_ERR_LIMIT when too many wait to be flushed, YORE_ERR_NOMEM: nothing changed. */
yore_status yr_store_freeze(yr_store *store, uint64_t lsn, yore_error *err);
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

/* Become the leader: no commit runs until yr_store_unlead. Commits give way to a thread that has waited for some
 * microseconds; not for a moment's lead, of which scans need many. */
void yr_store_lead(yr_store *store);
void yr_store_lead_briefly(yr_store *store);
void yr_store_unlead(yr_store *store);

/* New keys of small commits may wait to be put in order (index/art.h). Everything that walks the tree calls this
 * first: what was visible before the call is in the tree afterwards. One load when nothing waits; else it leads for a
 * moment. Leaders settle before they wait for a disk, so this never does.
 * YORE_OK; YORE_ERR_NOMEM is not expected. */
yore_status yr_store_settle(yr_store *store);
bool yr_store_unsettled(const yr_store *store); /* would it have anything to do? */

/* replay.c: apply one record of the log, whose bytes are judged first. The caller leads, or nobody else is
 * there yet. Publishes. */
yore_status yr_store_replay(yr_store *store, yore_slice payload, yore_error *err);
/* What replay would have against a registry row of commit `version`, which is next; NULL: nothing. */
const char *yr_replay_judge_row(const yr_store *store, const yr_row *row, uint64_t version);

/* The layers of now: inside an epoch section, or by the leader. */
static inline yr_layers *yr_store_layers(const yr_store *store)
{
    return atomic_load_explicit(&store->layers, memory_order_acquire); /* pairs with yr_store_set_layers */
}
/* With a reference. Any thread. */
static inline yr_layers *yr_store_layers_ref(const yr_store *store)
{
    yr_epoch_enter(); /* the store gives its own reference up only after an epoch */
    yr_layers *layers = yr_store_layers(store);
    yr_layers_ref(layers);
    yr_epoch_exit();
    return layers;
}
/* The newest version, and layers with a reference that have it. Any thread. They may have been made for a version that
 * is published in a moment: what is older may be gone from them. */
static inline yr_layers *yr_store_now(const yr_store *store, uint64_t *visible)
{
    *visible = yr_store_visible(store);
    yr_layers *layers = yr_store_layers_ref(store);
    if (layers->shows > *visible) *visible = layers->shows;
    return layers;
}
/* Leader: publish other layers; takes over the caller's reference. The old ones go when no reader has them. */
void yr_store_set_layers(yr_store *store, yr_layers *layers);

static inline uint64_t yr_store_key_hash(const yr_store *store, uint32_t primitive, yore_slice user_key)
{
    return yr_key_hash(store->secret, primitive, user_key.data, user_key.size);
}

/* A view of a branch at a version; borrows the layers. */
static inline yr_view yr_store_view(const yr_store *store, yr_layers *layers, const yr_branch *branch,
                                    uint64_t version, int64_t time_ns)
{
    return (yr_view){.layers = layers,
                     .branch = branch,
                     .cap = version,
                     .time_ns = time_ns,
                     .past = version < yr_store_visible(store)};
}

/* The newest own data commit of a branch at or before a version, 0 if none. YORE_OK or a run's failure.
 * known  a version >= `version` that was visible before the layers were taken */
yore_status yr_branch_head_at(const yr_layers *layers, uint64_t known, const yr_branch *branch,
                              uint64_t version, uint64_t *head, yore_error *err);
/* The newest data commit of a lineage at or before a version, 0 if none; *hop (may be NULL) is where. */
yore_status yr_lineage_head_at(const yr_layers *layers, uint64_t known, const yr_branch *branch,
                               uint64_t version, const yr_branch **hop, uint64_t *head, yore_error *err);
/* Leader: keep what a found version borrows until the group's rows are applied. False when memory is out: then it was
 * released. */
bool yr_store_hold(yr_store *store, yr_found *found);
void yr_store_release_held(yr_store *store);

#endif
