#include "engine/db/expirer.h"

#include "engine/base/error.h"
#include "engine/db/handle.h"

#define SECOND INT64_C(1000000000)
#define AGAIN_NS (10 * SECOND)
#define LOOK_NS (60 * SECOND) /* the clock may be set */

static bool is_live(const yr_branch *branch)
{
    return atomic_load_explicit(&branch->deleted_version, memory_order_acquire) == 0;
}

/* -- deleting -- */

enum { GO_MAX = 4096 }; /* with one commit, so that others need not wait long for it */

typedef struct expire_plan {
    uint32_t *gone; /* by id: children that go with this commit */
    uint32_t last;
    uint32_t count; /* out */
} expire_plan;

static bool may_go(const yr_branch *branch, const expire_plan *plan, int64_t now)
{
    return is_live(branch) && yr_branch_end(branch) <= now &&
           atomic_load_explicit(&branch->open_writes, memory_order_acquire) ==
               0 && /* yore_begin, yore_rollback */
           atomic_load_explicit(&branch->live_children, memory_order_relaxed) == plan->gone[branch->id];
}

/* Children have greater ids than their parents, so they are looked at first. */
static void choose(const yr_catalog *catalog, expire_plan *plan, int64_t now)
{
    for (uint32_t id = plan->last; id > YR_DEFAULT_BRANCH && plan->count < GO_MAX; id--) {
        const yr_branch *branch = yr_catalog_by_id(catalog, id);
        if (!may_go(branch, plan, now)) continue;
        if (branch->parent) plan->gone[branch->parent->id]++;
        plan->gone[id] = UINT32_MAX; /* itself */
        plan->count++;
    }
}

static yore_status plan_expire(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    const yr_catalog *catalog = store->catalog;
    expire_plan *plan = request->plan_arg;
    plan->last = yr_catalog_last_id(catalog);
    plan->count = 0;
    size_t bytes = (plan->last + (size_t)1) * sizeof *plan->gone;
    plan->gone = yr_arena_alloc(&store->scratch, bytes);
    if (!plan->gone) return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for branches that end");
    memset(plan->gone, 0, bytes);
    choose(catalog, plan, wall_ns);
    if (plan->count == 0) return YORE_CONFLICT; /* nothing to say */
    yore_status status = yr_branch_plan_room(store, request, plan->count);
    for (uint32_t id = 1; id <= plan->last && status == YORE_OK; id++) {
        yr_branch_record record;
        yr_branch *branch = yr_catalog_by_id(catalog, id);
        if (plan->gone[id] != UINT32_MAX) continue;
        yr_branch_record_of(branch, &record);
        record.flags |= YR_BRANCH_DELETED;
        record.deleted_version = version;
        status = yr_branch_plan_change(store, request, branch, &record);
    }
    return status;
}

/* When to look again. False when nothing has ended. */
static bool look(yore_db *db, int64_t now)
{
    yr_catalog *catalog = db->store.catalog;
    bool any = false;
    yr_catalog_forget_ends(catalog);
    for (uint32_t id = yr_catalog_last_id(catalog); id > YR_DEFAULT_BRANCH; id--) {
        const yr_branch *branch = yr_catalog_by_id(catalog, id);
        int64_t end = branch && is_live(branch) ? yr_branch_end(branch) : INT64_MAX;
        if (end == INT64_MAX) continue;
        any |= end <= now;
        yr_catalog_note_end(catalog, end <= now ? now + AGAIN_NS : end);
    }
    return any;
}

static void expire(yore_db *db)
{
    const yore_env *env = db->env;
    int64_t now = env->wall_ns(env->ctx);
    if (yr_catalog_next_end(db->store.catalog) > now || !look(db, now)) return;
    yore_status status = YORE_OK; /* a failure is tried again */
    for (bool more = true; more && status == YORE_OK;) {
        expire_plan plan = {0};
        yr_request request = {.plan = plan_expire,
                              .plan_arg = &plan,
                              .kind = YORE_COMMIT_BRANCH,
                              .note = yore_str("their time to live is over")};
        status = yr_registry_commit(db, &request, YORE_SYNC_DEFAULT, NULL);
        more = plan.count == GO_MAX;
    }
    (void)look(db, now);
}

/* -- when -- */

static void run(void *arg)
{
    yr_expirer *expirer = arg;
    const yore_env *env = expirer->db->env;
    yr_mutex_lock(&expirer->mutex);
    while (!expirer->stop) {
        int64_t next = yr_catalog_next_end(expirer->db->store.catalog), now = env->wall_ns(env->ctx);
        expirer->waits_for = next;
        if (next == INT64_MAX) {
            yr_cond_wait(&expirer->cond, &expirer->mutex);
        } else if (next > now) {
            int64_t left = now < 0 || next - now > LOOK_NS ? LOOK_NS : next - now;
            yr_cond_wait_ns(&expirer->cond, &expirer->mutex, left);
        } else {
            yr_mutex_unlock(&expirer->mutex);
            expire(expirer->db);
            yr_mutex_lock(&expirer->mutex);
        }
    }
    yr_mutex_unlock(&expirer->mutex);
}

void yr_expirer_start(yr_expirer *expirer, yore_db *db)
{
    expirer->db = db;
    yr_mutex_init(&expirer->mutex, YR_RANK_EXPIRER);
    yr_cond_init(&expirer->cond);
    if (yr_catalog_next_end(db->store.catalog) == INT64_MAX) return;
    expire(db);
    yr_expirer_wake(expirer);
}

void yr_expirer_stop(yr_expirer *expirer)
{
    if (!expirer->db) return;
    const yore_env *env = expirer->db->env;
    yr_mutex_lock(&expirer->mutex);
    expirer->stop = true;
    yore_thread *thread = expirer->thread;
    yr_cond_signal(&expirer->cond);
    yr_mutex_unlock(&expirer->mutex);
    if (thread) env->thread_join(env->ctx, thread);
    yr_cond_deinit(&expirer->cond);
    yr_mutex_deinit(&expirer->mutex);
    expirer->db = NULL;
}

void yr_expirer_wake(yr_expirer *expirer)
{
    const yore_env *env = expirer->db->env;
    yr_mutex_lock(&expirer->mutex);
    bool is_inline = atomic_load_explicit(&expirer->is_inline, memory_order_relaxed);
    if (!expirer->thread && !expirer->stop && !is_inline &&
        env->thread_create(env->ctx, run, expirer, &expirer->thread) != 0) {
        expirer->thread = NULL;
        atomic_store_explicit(&expirer->is_inline, true, memory_order_relaxed);
    }
    if (yr_catalog_next_end(expirer->db->store.catalog) < expirer->waits_for) yr_cond_signal(&expirer->cond);
    yr_mutex_unlock(&expirer->mutex);
}

void yr_expirer_after_commit(yr_expirer *expirer)
{
    if (!atomic_load_explicit(&expirer->is_inline, memory_order_relaxed)) return;
    if (yr_catalog_next_end(expirer->db->store.catalog) != INT64_MAX) expire(expirer->db);
}
