#include "engine/mvcc/commit.h"

#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/mvcc/apply.h"
#include "engine/mvcc/turn.h"

enum {
    YIELDS_TO_GATHER = 3,    /* before a synced group: lets other committers queue up */
    GATHER_NS_MAX = 1000000, /* and longer, while some who committed lately are missing: */
    GATHER_OF_SYNC = 4,      /*   that part of what the last sync took */
    PAUSES_TO_GATHER = 40,   /* the same before other groups, which are a matter of nanoseconds */
    PATIENCE = 60,           /* pauses in which the thread that led last may take the turn before others do */
    GROUP_BYTES_MAX = 16 << 20, /* a group past this is closed; a single larger commit is its own group */
    GROUP_BUFFER_KEEP = 1 << 20,
    FUTURE_SLACK_NS = 2000000000,
    GROUP_LATE_NS = 80000000
};

static const uint64_t GROUP_BUFFER_MAX = (UINT64_C(1) << 31) + (UINT64_C(1) << 28);

/* -- order before others wait -- */

bool yr_store_unsettled(const yr_store *store)
{
    yr_epoch_enter();
    bool waits = yr_art_waiting(yr_store_layers(store)->mems[0]->art) != 0;
    yr_epoch_exit();
    return waits;
}

yore_status yr_store_settle(yr_store *store)
{
    /* Whatever the caller may see was with the tree before it was published: it waits, or is in order by now (a
     * memtable is settled before it is frozen). */
    if (!yr_store_unsettled(store) || YR_BUG(UNSETTLED_SCAN)) return YORE_OK;
    yr_store_lead_briefly(store);
    yore_status status = yr_art_settle(store->mem->art);
    yr_store_unlead(store);
    return status;
}

/* The leader is about to wait for a disk: nobody who wants to scan should have to wait with it. */
static void settle_before_waiting(yr_store *store)
{
    yore_status ignored =
        yr_art_settle(store->mem->art); /* they are still found, and the next scan says so */
    (void)ignored;
}

/* -- one commit -- */

/* The request's time, or a refusal: times ascend with versions and are not in the future. */
static yore_status commit_time(const yr_store *store, const yr_request *request, int64_t now_ns, int64_t *out)
{
    int64_t least = store->last_time_ns + 1;
    const yore_txn_options *options = request->options;
    if (request->plan) { /* registry commits never stand in the way of old data */
        *out = least;
        return YORE_OK;
    }
    int64_t time = options->has_time || options->time_ns ? options->time_ns : now_ns;
    if (time > YR_TIME_LAST) {
        return yr_fail(request->err, YORE_ERR_TIME_RANGE,
                       "the commit's time %" PRId64 " ns is later than any can be", time);
    }
    bool given = options->has_time || options->time_ns;
    if (given && !options->allow_future && time > now_ns && time - now_ns > FUTURE_SLACK_NS) {
        return yr_fail(request->err, YORE_ERR_TIME_RANGE,
                       "the commit's time %" PRId64 " ns is later than now (%" PRId64 " ns)", time, now_ns);
    }
    if (given && options->times == YORE_TIMES_STRICT && time <= store->last_data_time_ns) {
        return yr_fail(request->err, YORE_ERR_TIME_ORDER,
                       "the commit's time %" PRId64 " ns is not later than the last commit's, %" PRId64 " ns",
                       time, store->last_data_time_ns);
    }
    *out = time > least ? time : least;
    return YORE_OK;
}

/* Further parents as the log keeps them; each must be a commit before this one. */
static yore_status further_parents(yr_store *store, const yr_request *request, yr_commit_head *head)
{
    const yore_txn_options *options = request->options;
    if (!options->parent_count) return YORE_OK;
    uint8_t *bytes = yr_arena_alloc(&store->scratch, 8u * (size_t)options->parent_count);
    if (!bytes) return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory while committing");
    for (uint32_t i = 0; i < options->parent_count; i++) {
        uint64_t parent = options->parents[i];
        if (parent == 0 || parent >= head->version) {
            return yr_fail(request->err, YORE_ERR_TIME_RANGE,
                           "the parent v%" PRIu64 " is not a commit before v%" PRIu64, parent, head->version);
        }
        yr_put_le64(bytes + 8u * (size_t)i, parent);
    }
    head->parent_count = options->parent_count;
    head->parents = bytes;
    return YORE_OK;
}

static yr_commit_head head_of(const yr_request *request, uint64_t version, int64_t time_ns, int64_t wall_ns)
{
    yr_commit_head head = {.version = version,
                           .time_ns = time_ns,
                           .branch = request->plan ? YR_REGISTRY_BRANCH : request->branch->id,
                           .kind = request->plan ? request->kind : YORE_COMMIT_DATA,
                           .note = request->note};
    if (request->plan) {
        head.wall_ns = wall_ns;
    } else {
        const yore_txn_options *options = request->options;
        head.source_time_ns = options->has_source_time || options->source_time_ns ? options->source_time_ns
                                                                                  : 0;
        head.author = options->author;
        head.source = options->source;
    }
    return head;
}

/* Append the frame to the group's record. */
static bool encode(yr_store *store, const yr_commit_head *head, const yr_row *rows)
{
    size_t at;
    bool ok = yr_frame_begin(&store->group, head, &at);
    for (uint32_t i = 0; ok && i < head->row_count; i++) ok = yr_frame_row(&store->group, &rows[i]);
    if (!ok) {
        store->group.size = at;
        return false;
    }
    yr_frame_finish(&store->group, at);
    return true;
}

static bool is_urgent(const yr_commit_head *head, const yr_row *rows)
{
    if (head->kind != YORE_COMMIT_DATA) return true;
    for (uint32_t i = 0; i < head->row_count; i++) {
        if (rows[i].op != YORE_OP_DEL) return false;
    }
    return true; /* only deletes: they must work on a full disk (F19) */
}

static yore_status log_frame(yr_store *store, const yr_commit_head *head, const yr_row *rows, yore_error *err)
{
    if (!store->wal) return YORE_OK;
    uint64_t bytes = store->group.size + yr_frame_bytes(head);
    for (uint32_t i = 0; i < head->row_count; i++) bytes += yr_row_bytes(&rows[i]);
    if (bytes > GROUP_BUFFER_MAX) {
        return yr_fail(err, YORE_ERR_LIMIT,
                       "the transaction takes %" PRIu64 " bytes of log, more than a commit may", bytes);
    }
    bool urgent = is_urgent(head, rows);
    if (YR_UNLIKELY(!yr_wal_has_room(store->wal, bytes, urgent))) settle_before_waiting(store);
    yore_status status = yr_wal_reserve(store->wal, bytes, urgent, err);
    if (status < 0) return status;
    return encode(store, head, rows) ? YORE_OK
                                     : yr_fail(err, YORE_ERR_NOMEM, "out of memory for the log record");
}

/* Resolve, log and apply one request. Its answer is provisional until the group is durable. */
static yore_status commit_one(yr_store *store, yr_request *request, int64_t now_ns)
{
    yore_error *err = request->err;
    yr_row *rows = NULL;
    uint64_t *hashes = NULL;
    uint32_t row_count = 0;
    int64_t time_ns = 0;
    uint64_t version = store->last_version + 1;
    size_t group_size = store->group.size;

    yore_status status = commit_time(store, request, now_ns, &time_ns);
    if (status != YORE_OK) return status;
    if (request->plan) {
        status = request->plan(store, request, version, now_ns);
        if (status != YORE_OK) return status;
        rows = request->rows;
        row_count = request->row_count;
        hashes = yr_arena_alloc(&store->scratch, (row_count + 1) * sizeof *hashes);
        if (!hashes) return yr_fail(err, YORE_ERR_NOMEM, "out of memory while committing");
        for (uint32_t i = 0; i < row_count; i++) {
            hashes[i] = yr_store_key_hash(store, YORE_SYSTEM, rows[i].key);
        }
    } else {
        if (atomic_load_explicit(&request->branch->deleted_version, memory_order_acquire)) {
            return yr_fail(err, YORE_ERR_NO_BRANCH, "branch '%s' has been deleted",
                           yr_branch_text(request->branch));
        }
        status = yr_commit_resolve(store, request, time_ns, &rows, &hashes, &row_count);
        if (status != YORE_OK) return status;
        if (row_count == 0 && !request->options->allow_empty) return YORE_OK; /* version stays 0 */
    }
    yr_commit_head head = head_of(request, version, time_ns, now_ns);
    head.row_count = row_count;
    if (!request->plan) status = further_parents(store, request, &head);
    if (status == YORE_OK) status = log_frame(store, &head, rows, err);
    if (status == YORE_OK) {
        status = yr_apply(store, request->plan ? NULL : request->branch, &head, rows, hashes, row_count, err);
    }
    if (status != YORE_OK) {
        store->group.size = group_size;
        return status;
    }
    yr_apply_advance(store, &head);
    request->version = version;
    request->time_ns = time_ns;
    return YORE_OK;
}

/* -- one group -- */

static void answer(yr_request *request, yore_status status)
{
    request->status = status;
    atomic_store_explicit(&request->done, 1,
                          memory_order_release); /* pairs with is_done; request is gone now */
}

static void publish(yr_store *store, uint64_t version)
{
    if (YR_BUG(RELAXED_PUBLISH)) {
        atomic_store_explicit(&store->visible, version, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(&store->visible, version, memory_order_release); /* pairs with yr_store_visible */
}

static bool is_one_bit(uint64_t bits)
{
    return (bits & (bits - 1)) == 0;
}

/* How long it takes matters only where others may be waited for. */
static yore_status sync_log(yr_store *store, yore_error *err)
{
    const yore_env *env = store->env;
    if (is_one_bit(atomic_load_explicit(&store->writers, memory_order_relaxed)))
        return yr_wal_sync(store->wal, err);
    int64_t start = env->monotonic_ns(env->ctx);
    yore_status status = yr_wal_sync(store->wal, err);
    store->sync_ns = env->monotonic_ns(env->ctx) - start;
    return status;
}

/* Append the group's record and sync it when a member asks for that. */
static yore_status make_durable(yr_store *store, bool sync, yore_error *err)
{
    uint64_t lsn;
    yore_status status =
        yr_wal_append(store->wal, yore_bytes(store->group.data, store->group.size), &lsn, err);
    if (status < 0) return status;
    yr_point(store->env, "commit.appended");
    /* a statistic with one writer: no read-modify-write */
    uint64_t groups = atomic_load_explicit(&store->groups, memory_order_relaxed);
    atomic_store_explicit(&store->groups, groups + 1, memory_order_relaxed);
    if (YR_BUG(PUBLISH_BEFORE_SYNC)) publish(store, store->last_version);
    if (sync && !YR_BUG(ACK_BEFORE_SYNC)) {
        settle_before_waiting(store);
        status = sync_log(store, err);
        if (status < 0) return status;
        yr_store_durable(store, store->last_version);
    }
    yr_wal_publish(store->wal, lsn);
    return YORE_OK;
}

/* -- the queue -- */

/* Requests on their way into a group, oldest first. */
typedef struct waiting {
    yr_request *first, **end;
    uint64_t threads; /* whose they are: a bit each */
} waiting;

static void join(waiting *all, yr_request *request)
{
    request->next = NULL;
    *all->end = request;
    all->end = &request->next;
    all->threads |= request->thread;
}

/* Take the queue. */
static void take_queue(yr_store *store, waiting *all)
{
    /* acquire pairs with the release of enqueue */
    yr_request *newest = atomic_exchange_explicit(&store->queue, NULL, memory_order_acquire), *oldest = NULL;
    while (newest) {
        yr_request *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        yr_request *next = oldest->next;
        join(all, oldest);
        oldest = next;
    }
}

static void enqueue(yr_store *store, yr_request *request)
{
    yr_request *head = atomic_load_explicit(&store->queue, memory_order_relaxed);
    do {
        request->next = head;
        /* release: the leader that takes it sees its fields */
    } while (!atomic_compare_exchange_weak_explicit(&store->queue, &head, request, memory_order_release,
                                                    memory_order_relaxed));
}

static void take_more(yr_store *store, waiting *all)
{
    if (atomic_load_explicit(&store->queue, memory_order_relaxed)) take_queue(store, all);
}

/* Threads of the last groups that have no request here yet. */
static bool lacks_company(const yr_store *store, const waiting *all)
{
    return (store->groups_seen[0] | store->groups_seen[1] | store->groups_seen[2]) & ~all->threads;
}

static void wait_before_sync(yr_store *store, waiting *all)
{
    const yore_env *env = store->env;
    for (int i = 0; i < YIELDS_TO_GATHER; i++) env->yield(env->ctx);
    take_more(store, all);
    if (!lacks_company(store, all)) return;
    int64_t longest = store->sync_ns / GATHER_OF_SYNC;
    if (longest > GATHER_NS_MAX) longest = GATHER_NS_MAX;
    settle_before_waiting(store);
    int64_t end = env->monotonic_ns(env->ctx) + longest;
    while (lacks_company(store, all) && env->monotonic_ns(env->ctx) < end) {
        env->yield(env->ctx);
        take_more(store, all);
    }
}

/* Wait a moment for those who were in one of the last groups: they were answered when this thread was, and one record
 * for all costs less than one each. Whoever stopped is forgotten after three groups. True when somebody came. */
static bool wait_for_company(yr_store *store, waiting *all)
{
    yr_request **end = all->end;
    take_more(store, all);
    for (int i = 0; lacks_company(store, all) && i < PAUSES_TO_GATHER; i++) {
        yr_cpu_relax();
        take_more(store, all);
    }
    return all->end != end;
}

static void note_company(yr_store *store, uint64_t threads)
{
    store->groups_seen[2] = store->groups_seen[1];
    store->groups_seen[1] = store->groups_seen[0];
    store->groups_seen[0] = threads;
    uint64_t lately = store->groups_seen[0] | store->groups_seen[1] | store->groups_seen[2];
    if (lately != atomic_load_explicit(&store->writers, memory_order_relaxed))
        atomic_store_explicit(&store->writers, lately, memory_order_relaxed); /* a hint */
}

/* The requests of one group, and what they ask of it. */
typedef struct group {
    yr_request *first, *end; /* [first, end) of the queue */
    yr_request *registry;    /* its registry change, if any: the last member */
    bool wrote;
    bool lacks_memory;     /* a member failed for want of it: a new memtable may help the next one */
    bool wants_sync;       /* a member is in mode `commit` */
    bool wants_group_sync; /* a member is in mode `group` */
} group;

/* Commit as many of the requests as belong in one group. */
static group gather(yr_store *store, waiting *all, int64_t now_ns)
{
    group g = {.first = all->first, .end = all->first};
    while (store->group.size < GROUP_BYTES_MAX) {
        if (!g.end) { /* those who come now are in it as well; later than when the time was read */
            yr_request **end = all->end;
            if (!lacks_company(store, all) || g.wants_sync || !wait_for_company(store, all)) break;
            g.end = *end;
            now_ns = store->env->wall_ns(store->env->ctx);
        }
        yr_request *request = g.end;
        g.end = request->next;
        request->status = atomic_load_explicit(&store->poisoned, memory_order_relaxed)
                              ? yr_fail(request->err, YORE_ERR_POISONED,
                                        "the store refuses writes since an earlier write failed; reopen it")
                              : commit_one(store, request, now_ns);
        g.lacks_memory |= request->status == YORE_ERR_NOMEM;
        if (!request->version) continue;
        g.wrote = true;
        g.wants_sync |= request->sync == YORE_SYNC_COMMIT;
        g.wants_group_sync |= request->sync == YORE_SYNC_GROUP;
        if (request->plan) {
            g.registry = request; /* a registry change closes the group: later requests must see it */
            break;
        }
    }
    return g;
}

/* Mode `group` promises 100 ms: the background thread sees to it, and the leader when that is late. */
static bool is_group_sync_late(const yr_store *store, int64_t now_ns)
{
    int64_t since = atomic_load_explicit(&store->group_since_ns, memory_order_relaxed); /* a hint */
    return since != 0 && now_ns - since > GROUP_LATE_NS;
}

/* Ask for a sync of what was just appended. */
static void note_group_commit(yr_store *store, int64_t now_ns)
{
    if (atomic_load_explicit(&store->group_since_ns, memory_order_relaxed)) return;
    /* release pairs with the background thread's exchange: it syncs what was appended before this */
    atomic_store_explicit(&store->group_since_ns, now_ns, memory_order_release);
}

/* The leader has synced everything: its own notes are settled, or it would be late from now on where no thread
 * settles them. */
static void forget_group_commits(yr_store *store)
{
    if (!atomic_load_explicit(&store->group_since_ns, memory_order_relaxed)) return;
    atomic_store_explicit(&store->group_since_ns, 0, memory_order_relaxed);
}

/* Log, apply to the catalog, publish. A failure poisons the store: nothing more is published. */
static yore_status complete(yr_store *store, const group *g, int64_t now_ns, yore_error *err)
{
    yore_status status = YORE_OK;
    if (store->wal) {
        bool sync = g->wants_sync || (g->wants_group_sync && is_group_sync_late(store, now_ns));
        status = make_durable(store, sync, err);
        if (status == YORE_OK && sync) forget_group_commits(store);
        if (status == YORE_OK && g->wants_group_sync && !sync) note_group_commit(store, now_ns);
    }
    if (status < 0) {
        atomic_store_explicit(&store->poisoned, 1, memory_order_release); /* pairs with yr_db_writable */
        yr_wal_poison(store->wal);
        return status;
    }
    for (uint32_t i = 0; g->registry && i < g->registry->change_count; i++) {
        yr_catalog_apply(store->catalog, &g->registry->changes[i]);
    }
    publish(store, store->last_version);
    return YORE_OK;
}

/* When the group failed, every member that was accepted fails, and so does one whose answer (a conflict, a key
 * that exists, nothing to do) may rest on what the others had written. */
static void answer_all(const group *g, yore_status status, const yore_error *err)
{
    for (yr_request *request = g->first, *next; request != g->end; request = next) {
        next = request->next; /* the request is its thread's again once answered */
        if (status < 0 && request->status >= 0) {
            if (request->err) *request->err = *err;
            request->version = 0;
            request->status = status;
        }
        answer(request, request->status);
    }
}

/* One group from the head of the requests; the rest stays. */
static void commit_group(yr_store *store, waiting *all)
{
    yore_error *err =
        &store->group_error; /* not on the stack: clearing it would cost as much as a small commit */
    int64_t now_ns = store->env->wall_ns(store->env->ctx);
    group g = gather(store, all, now_ns);
    yore_status status = g.wrote ? complete(store, &g, now_ns, err) : YORE_OK;
    answer_all(&g, status, err);
    yr_store_release_held(store); /* before segments it may pin are closed */
    if ((g.wrote || g.lacks_memory) && status == YORE_OK && store->after_group)
        store->after_group(store->after_group_arg);
    yr_arena_reset(&store->scratch);
    yr_buf_clear(&store->group);
    yr_buf_trim(&store->group, GROUP_BUFFER_KEEP);
    all->first = g.end;
}

/* The buckets of small commits arrive while the group is put together: they would be its longest waits. */
static void prefetch_buckets(const yr_store *store, const yr_request *requests)
{
    for (; requests; requests = requests->next) {
        if (requests->op_count != 1) continue;
        yr_hash_index_prefetch_bucket(store->mem->hash,
                                      yr_branch_hash(requests->ops->key_hash, requests->branch->id));
    }
}

/* The leader, with a request that is in the queue, or (`apart`) is not. */
static void lead_once(yr_store *store, yr_request *own, bool apart)
{
    waiting all = {.first = NULL, .end = &all.first};
    if (apart) join(&all, own);
    take_more(store, &all);
    if (own->sync == YORE_SYNC_COMMIT && store->wal) wait_before_sync(store, &all);
    prefetch_buckets(store, all.first);
    while (all.first) commit_group(store, &all);
    note_company(store, all.threads);
}

/* Does another thread lead one group after the other? Then it takes this request along with its next one, and what it
 * writes stays in its processor's cache. */
static bool is_led_by_another(const yr_store *store, const yr_request *request)
{
    uint64_t last = atomic_load_explicit(&store->last_leader, memory_order_relaxed); /* a hint */
    return last && last != request->thread;
}

static bool try_to_lead(yr_store *store, const yr_request *request)
{
    if (!yr_turn_try(store)) return false;
    if (is_led_by_another(store, request) || YR_UNLIKELY(!store->last_leader))
        atomic_store_explicit(&store->last_leader, request->thread, memory_order_relaxed);
    return true;
}

yore_status yr_commit_run(yr_store *store, yr_request *request)
{
    atomic_store_explicit(&request->done, 0, memory_order_relaxed); /* published by enqueue */
    request->version = 0;
    request->thread = yr_turn_thread();
    bool is_patient = is_led_by_another(store, request);
    /* where nobody leads a request need not go through the queue: its atomics would be a good part of a small commit */
    if (!is_patient && try_to_lead(store, request)) {
        lead_once(store, request, true);
        yr_store_unlead(store);
        return request->status;
    }
    /* a synced group's members sleep at once: awake they would be in the way of the kernel's own threads */
    int spins = request->sync == YORE_SYNC_COMMIT && store->wal ? 0 : YR_TURN_SPINS;
    enqueue(store, request);
    for (int pauses = 0; !yr_turn_is_done(request); pauses++) {
        if ((!is_patient || pauses >= PATIENCE) && try_to_lead(store, request)) {
            if (!yr_turn_is_done(request)) lead_once(store, request, false);
            yr_store_unlead(store);
        } else if (pauses < spins) {
            yr_cpu_relax();
        } else {
            yr_turn_sleep(store, request);
            is_patient = false;
        }
    }
    return request->status;
}
