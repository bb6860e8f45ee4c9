#include "engine/mvcc/store.h"

#include "engine/base/error.h"

yore_status yr_store_init(yr_store *store, const yore_env *env, uint64_t memory_bytes_max, yore_error *err)
{
    store->env = env;
    store->last_time_ns = YR_TIME_FIRST - 1;
    store->last_data_time_ns = INT64_MIN;
    yr_mutex_init(&store->queue_mutex, YR_RANK_COMMIT);
    yr_cond_init(&store->queue_cond);
    yr_buf_init(&store->group, env, SIZE_MAX);
    yr_arena_init(&store->scratch, env);
    yore_status status = yr_memtable_create(env, memory_bytes_max, &store->mem, err);
    if (status < 0) return status;
    store->catalog = yr_catalog_create(env);
    return store->catalog ? YORE_OK : yr_fail(err, YORE_ERR_NOMEM, "out of memory for the branch catalog");
}

void yr_store_deinit(yr_store *store, bool abandoned)
{
    yr_catalog_destroy(store->catalog);
    yr_memtable_destroy(store->mem);
    yr_arena_deinit(&store->scratch);
    yr_buf_deinit(&store->group);
    if (abandoned) return;
    yr_cond_deinit(&store->queue_cond);
    yr_mutex_deinit(&store->queue_mutex);
}

uint64_t yr_branch_head_at(const yr_store *store, const yr_branch *branch, uint64_t version)
{
    /* acquire pairs with the release in yr_apply. The head may be above `version`, even above the visible
     * one: its commit record is complete before the head is stored, so walking back is safe. */
    uint64_t head = atomic_load_explicit(&branch->head, memory_order_acquire);
    while (head > version) head = yr_commit_prev(&store->mem->commits, head);
    return head;
}

uint64_t yr_lineage_head_at(const yr_store *store, const yr_branch *branch, uint64_t version,
                            const yr_branch **hop)
{
    for (; branch; branch = branch->parent) {
        uint64_t head = yr_branch_head_at(store, branch, version);
        if (head) {
            if (hop) *hop = branch;
            return head;
        }
        version = yr_lineage_cap(branch, version);
    }
    return 0;
}
