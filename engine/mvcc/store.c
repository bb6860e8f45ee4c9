#include "engine/mvcc/store.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the layers of a store");
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
    store->catalog = yr_catalog_create(env);
    return store->catalog ? YORE_OK : yr_fail(err, YORE_ERR_NOMEM, "out of memory for the branch catalog");
}

yore_status yr_store_begin(yr_store *store, const yr_store_start *start, yore_error *err)
{
    YR_ASSERT(store->last_version == 0 && !store->mem);
    if (start->secret) store->secret = start->secret;
    yr_memtable *mem;
    yr_layers *layers = yr_layers_reserve(store->env, store->owner, start->run_count);
    if (!layers) return no_memory(err);
    yore_status status = yr_memtable_create(store->env, store->memory_bytes_max, store->secret,
                                            start->last_version, &mem, err);
    if (status < 0) {
        yr_layers_unref(layers);
        return status;
    }
    mem->base_time_ns = start->last_time_ns;
    mem->has_base_time = start->last_version != 0;
    yr_layers_fill(layers, &mem, 1, start->runs, start->values);
    yr_memtable_unref(mem);
    store->mem = mem;
    yr_store_set_layers(store, layers);
    if (start->last_version == 0) return YORE_OK;
    store->last_version = start->last_version;
    store->last_time_ns = start->last_time_ns;
    store->last_data_time_ns = start->last_data_time_ns;
    atomic_store_explicit(&store->visible, start->last_version, memory_order_release); /* yr_store_visible */
    return YORE_OK;
}

yore_status yr_store_rewind(yr_store *store, yore_error *err)
{
    yr_catalog *catalog = yr_catalog_create(store->env);
    if (!catalog) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the branch catalog");
    yr_catalog_destroy(store->catalog);
    store->catalog = catalog;
    /* relaxed: nobody else is there */
    yr_layers_unref(atomic_exchange_explicit(&store->layers, NULL, memory_order_relaxed));
    atomic_store_explicit(&store->visible, 0, memory_order_relaxed);
    store->mem = NULL;
    store->last_version = 0;
    store->last_time_ns = YR_TIME_FIRST - 1;
    store->last_data_time_ns = INT64_MIN;
    return YORE_OK;
}

void yr_store_adopt(yr_store *store, yr_store *from)
{
    /* relaxed: nobody else knows it */
    yr_layers *layers = atomic_exchange_explicit(&from->layers, NULL, memory_order_relaxed);
    layers->shows = from->last_version;
    store->mem = from->mem;
    store->last_version = from->last_version;
    store->last_time_ns = from->last_time_ns;
    store->last_data_time_ns = from->last_data_time_ns;
    yr_store_set_layers(store, layers); /* before `visible`: L2 */
    atomic_store_explicit(&store->visible, from->last_version, memory_order_release); /* yr_store_visible */
    from->mem = NULL;
}

yore_status yr_store_freeze(yr_store *store, uint64_t lsn, yore_error *err)
{
    yr_layers *now = yr_store_layers(store);
    yr_memtable *mems[YR_LAYERS_MEMS_MAX];
    if (now->mem_count == YR_LAYERS_MEMS_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "%u memtables wait to be flushed", now->mem_count - 1);
    if (yr_art_settle(store->mem->art) != YORE_OK) return no_memory(err);
    yr_layers *next = yr_layers_reserve(store->env, store->owner, now->run_count);
    if (!next) return no_memory(err);
    yore_status status = yr_memtable_create(store->env, store->memory_bytes_max, store->secret,
                                            store->last_version, &mems[0], err);
    if (status < 0) {
        yr_layers_unref(next);
        return status;
    }
    store->mem->end.version = store->last_version;
    store->mem->end.lsn = lsn;
    store->mem->end.time_ns = store->last_time_ns;
    store->mem->end.data_time_ns = store->last_data_time_ns;
    mems[0]->base_time_ns = store->last_time_ns;
    mems[0]->has_base_time = true;
    memcpy(mems + 1, now->mems, now->mem_count * sizeof *mems);
    yr_layers_fill(next, mems, now->mem_count + 1, now->runs, now->values);
    yr_memtable_unref(mems[0]);
    store->mem = mems[0];
    yr_store_set_layers(store, next);
    return YORE_OK;
}

void yr_store_deinit(yr_store *store, bool abandoned)
{
    yr_layers *layers = atomic_load_explicit(&store->layers, memory_order_relaxed); /* nobody else is left */
    bool has_runs = layers && layers->run_count;
    yr_catalog_destroy(store->catalog);
    if (!abandoned || !has_runs) { /* segments that are closed take their cache's locks */
        yr_retire_deinit(&store->retired);
        yr_layers_unref(layers);
    }
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
