#include "engine/mvcc/store.h"

#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/mvcc/apply.h"

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

void yr_store_deinit(yr_store *store)
{
    yr_catalog_destroy(store->catalog);
    yr_memtable_destroy(store->mem);
    yr_arena_deinit(&store->scratch);
    yr_buf_deinit(&store->group);
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

/* -- replay -- */

static yore_status bad_record(yore_error *err, const char *what, uint64_t version)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "the log's commit v%" PRIu64 " is not valid: %s", version, what);
}

/* A registry row changes the catalog too. Tags and settings are read from the rows themselves. */
static yore_status replay_registry_row(yr_store *store, const yr_row *row, uint64_t version, yore_error *err)
{
    uint32_t id;
    if (!yr_branch_key_decode(row->key, &id)) return YORE_OK;
    yr_branch_record record;
    if (row->op != YORE_OP_PUT || !yr_branch_record_decode(row->value, &record)) {
        return bad_record(err, "a branch record cannot be read", version);
    }
    yr_branch *known = yr_catalog_by_id(store->catalog, id);
    const yr_branch *parent = record.parent ? yr_catalog_by_id(store->catalog, record.parent) : NULL;
    bool valid = id != YR_REGISTRY_BRANCH && (record.parent == 0 || parent != NULL);
    if (known) {
        valid = valid && known->parent == parent && known->fork_version == record.fork_version;
    } else {
        valid = valid && id == yr_catalog_last_id(store->catalog) + 1 && record.fork_version < version;
    }
    if (!valid) return bad_record(err, "a branch record contradicts the registry", version);
    yr_catalog_change change;
    bool ready = known ? yr_catalog_prepare_change(store->catalog, known, &record, &change)
                       : yr_catalog_prepare_create(store->catalog, id, &record, version, &change);
    if (!ready) return yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the branch registry");
    yr_catalog_apply(store->catalog, &change);
    return YORE_OK;
}

static yore_status replay_frame(yr_store *store, const yr_commit_head *head, yr_reader *reader,
                                yore_error *err)
{
    yr_branch *branch = NULL;
    if (head->version != store->last_version + 1 || head->time_ns <= store->last_time_ns) {
        return bad_record(err, "versions or times are not ascending", head->version);
    }
    if ((head->kind == YORE_COMMIT_DATA) != (head->branch != YR_REGISTRY_BRANCH)) {
        return bad_record(err, "its kind does not fit its branch", head->version);
    }
    if (head->branch != YR_REGISTRY_BRANCH) {
        branch = yr_catalog_by_id(store->catalog, head->branch);
        if (!branch) return bad_record(err, "its branch does not exist", head->version);
    }
    yr_row *rows = yr_arena_alloc(&store->scratch, (head->row_count + (size_t)1) * sizeof *rows);
    uint64_t *hashes = yr_arena_alloc(&store->scratch, (head->row_count + (size_t)1) * sizeof *hashes);
    if (!rows || !hashes) return yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the log");
    for (uint32_t i = 0; i < head->row_count; i++) {
        if (!yr_row_take(reader, head->branch, &rows[i]) ||
            (rows[i].primitive == YORE_SYSTEM) != (head->branch == YR_REGISTRY_BRANCH)) {
            return bad_record(err, "a row cannot be read", head->version);
        }
        hashes[i] = yr_memtable_key_hash(store->mem, rows[i].primitive, rows[i].key);
    }
    if (reader->left) return bad_record(err, "it is longer than its rows", head->version);
    yore_status status = yr_apply(store, branch, head, rows, hashes, head->row_count, err);
    if (status < 0) return status;
    yr_apply_advance(store, head);
    for (uint32_t i = 0; !branch && status == YORE_OK && i < head->row_count; i++) {
        status = replay_registry_row(store, &rows[i], head->version, err);
    }
    return status;
}

yore_status yr_store_replay(yr_store *store, yore_slice payload, yore_error *err)
{
    yr_reader reader = yr_reader_of(payload), rows;
    yr_commit_head head;
    yore_status status = YORE_OK;
    while (status == YORE_OK && reader.left) {
        if (!yr_frame_take(&reader, &head, &rows)) {
            status = bad_record(err, "its frame cannot be read", store->last_version + 1);
        } else {
            status = replay_frame(store, &head, &rows, err);
        }
        yr_arena_reset(&store->scratch);
    }
    if (status == YORE_OK) {
        atomic_store_explicit(&store->visible, store->last_version,
                              memory_order_release); /* yr_store_visible */
    }
    return status;
}
