#include "engine/mvcc/store.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"

/* Put a fresh memtable above the runs. */
static yore_status begin(yr_store *store, yr_run *const *runs, uint32_t run_count, uint64_t base_version,
                         yore_error *err)
{
    yr_memtable *mem;
    yore_status status =
        yr_memtable_create(store->env, store->memory_bytes_max, store->secret, base_version, &mem, err);
    if (status < 0) return status;
    yr_layers *layers = yr_layers_create(store->env, store->owner, &mem, 1, runs, run_count);
    yr_memtable_unref(mem);
    if (!layers) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a store");
    store->mem = mem;
    yr_store_set_layers(store, layers);
    return YORE_OK;
}

yore_status yr_store_init(yr_store *store, const yore_env *env, uint64_t memory_bytes_max, yore_error *err)
{
    store->env = env;
    store->memory_bytes_max = memory_bytes_max;
    store->last_time_ns = YR_TIME_FIRST - 1;
    store->last_data_time_ns = INT64_MIN;
    yr_mutex_init(&store->queue_mutex, YR_RANK_COMMIT);
    yr_cond_init(&store->queue_cond);
    yr_buf_init(&store->group, env, SIZE_MAX);
    yr_arena_init(&store->scratch, env);
    yr_retire_init(&store->retired, env, NULL);
    int failed = env->random(env->ctx, &store->secret, sizeof store->secret);
    if (failed) return yr_fail_errno(err, YORE_ERR_IO, -failed, "cannot get random bytes");
    yore_status status = begin(store, NULL, 0, 0, err);
    if (status < 0) return status;
    store->catalog = yr_catalog_create(env);
    return store->catalog ? YORE_OK : yr_fail(err, YORE_ERR_NOMEM, "out of memory for the branch catalog");
}

yore_status yr_store_begin_behind(yr_store *store, uint64_t secret, yr_run *const *runs, uint32_t run_count,
                                  uint64_t last_version, int64_t last_time_ns, int64_t last_data_time_ns,
                                  yore_error *err)
{
    YR_ASSERT(store->last_version == 0);
    if (secret) store->secret = secret;
    yore_status status = begin(store, runs, run_count, last_version, err);
    if (status < 0 || last_version == 0) return status;
    store->last_version = last_version;
    store->last_time_ns = last_time_ns;
    store->last_data_time_ns = last_data_time_ns;
    atomic_store_explicit(&store->visible, last_version,
                          memory_order_release); /* pairs with yr_store_visible */
    return YORE_OK;
}

void yr_store_deinit(yr_store *store, bool abandoned)
{
    yr_catalog_destroy(store->catalog);
    yr_retire_deinit(&store->retired);
    yr_layers_unref(atomic_load_explicit(&store->layers, memory_order_relaxed)); /* nobody else is left */
    yr_arena_deinit(&store->scratch);
    yr_buf_deinit(&store->group);
    if (abandoned) return;
    yr_cond_deinit(&store->queue_cond);
    yr_mutex_deinit(&store->queue_mutex);
}

static void release_layers(void *owner, void *block, uint64_t size)
{
    (void)owner;
    (void)size;
    yr_layers_unref(block);
}

void yr_store_set_layers(yr_store *store, yr_layers *layers)
{
    yr_layers *old = atomic_load_explicit(&store->layers, memory_order_relaxed); /* only leaders change it */
    atomic_store_explicit(&store->layers, layers, memory_order_release); /* pairs with yr_store_layers */
    if (old) yr_retire(&store->retired, old, 0, release_layers);
}

/* In the scratch arena, for the length of a group. */
struct yr_held {
    struct yr_held *next;
    yr_found found;
};

bool yr_store_hold(yr_store *store, yr_found *found)
{
    if (found->pin_count == 0) return true;
    struct yr_held *held = yr_arena_alloc(&store->scratch, sizeof *held);
    if (!held) {
        yr_found_release(found);
        return false;
    }
    *held = (struct yr_held){.next = store->held, .found = *found};
    store->held = held;
    return true;
}

void yr_store_release_held(yr_store *store)
{
    for (; store->held; store->held = store->held->next) yr_found_release(&store->held->found);
}

yore_status yr_branch_head_at(const yr_layers *layers, uint64_t known, const yr_branch *branch,
                              uint64_t version, uint64_t *head, yore_error *err)
{
    /* acquire pairs with the release in yr_apply */
    uint64_t newest = atomic_load_explicit(&branch->head, memory_order_acquire);
    return yr_layers_head_at(layers, branch->id, newest, known, version, head, err);
}

yore_status yr_lineage_head_at(const yr_layers *layers, uint64_t known, const yr_branch *branch,
                               uint64_t version, const yr_branch **hop, uint64_t *head, yore_error *err)
{
    yore_status status = YORE_OK;
    *head = 0;
    for (; branch && status == YORE_OK; branch = branch->parent) {
        status = yr_branch_head_at(layers, known, branch, version, head, err);
        if (*head) {
            if (hop) *hop = branch;
            return status;
        }
        version = yr_lineage_cap(branch, version);
    }
    return status;
}
