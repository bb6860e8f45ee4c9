#include "engine/maintain/load.h"

#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/branch/registry_scan.h"
#include "engine/branch/name.h"

static yore_status bad_branch(uint32_t id, const char *what, yore_error *err)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "the registry's record of branch id:%" PRIu32 " is not valid: %s",
                   id, what);
}

static const char *judge(const yr_catalog *catalog, const yr_branch_record *record, uint32_t id,
                         uint64_t created, uint64_t version)
{
    const yr_branch *parent = record->parent ? yr_catalog_by_id(catalog, record->parent) : NULL;
    bool deleted = (record->flags & YR_BRANCH_DELETED) != 0;
    bool is_default = yr_slice_equal(record->name, yore_str("default"));
    if (id != yr_catalog_last_id(catalog) + 1) return "branch ids are not in order";
    if (yore_name_check(record->name, NULL) != YORE_OK) return "its name is not legal";
    if ((record->parent != 0) != (parent != NULL) || (record->parent != 0) != (record->fork_version != 0))
        return "there is no such parent";
    if (record->fork_version >= created) return "it leaves its parent in the future";
    if (parent && parent->depth >= YORE_LINEAGE_DEPTH_MAX) return "its lineage is too deep";
    if (deleted != (record->deleted_version != 0) || record->deleted_version > version)
        return "it is deleted at no version";
    if (record->trimmed_version > version || ((record->flags & YR_BRANCH_PURGED) && !deleted))
        return "it is trimmed at no version";
    if (is_default != (id == YR_DEFAULT_BRANCH) || (is_default && deleted))
        return "`default` is another branch";
    return !deleted && yr_catalog_by_name(catalog, record->name) ? "its name is taken" : NULL;
}

/* The version that made a branch: the oldest of its record. */
static yore_status oldest_version(const yr_layers *layers, uint32_t id, uint64_t *version, yore_error *err)
{
    uint8_t key[YR_TREE_KEY_PREFIX + YR_BRANCH_KEY_BYTES];
    yr_put_be32(key, YR_REGISTRY_BRANCH);
    key[4] = YORE_SYSTEM;
    yr_branch_key_encode(id, key + YR_TREE_KEY_PREFIX);
    yore_slice user_key = yore_bytes(key + YR_TREE_KEY_PREFIX, YR_BRANCH_KEY_BYTES);
    uint64_t hash = yr_branch_hash(yr_layers_key_hash(layers, YORE_SYSTEM, user_key), YR_REGISTRY_BRANCH);
    for (uint32_t i = layers->run_count; i-- > 0;) {
        yr_run_versions versions;
        yr_segment_row row;
        yore_status status = yr_run_versions_open(layers->runs[i], yore_bytes(key, sizeof key), hash,
                                                  UINT64_MAX, &versions, err);
        if (status == YORE_NOT_FOUND) continue;
        if (status < 0) return status;
        while ((status = yr_run_versions_next(&versions, &row, err)) == YORE_OK) *version = row.version;
        yr_run_versions_close(&versions);
        return status < 0 ? status : YORE_OK;
    }
    return bad_branch(id, "it has no first version", err);
}

static yore_status load_branch(yr_store *store, const yr_layers *layers, const yore_row *row, yore_error *err)
{
    uint32_t id;
    uint64_t created = 0;
    yr_branch_record record;
    if (!yr_branch_key_decode(row->key, &id)) return bad_branch(0, "its key cannot be read", err);
    if (!yr_branch_record_decode(row->value, &record)) return bad_branch(id, "it cannot be read", err);
    yore_status status = oldest_version(layers, id, &created, err);
    if (status < 0) return status;
    const char *problem = judge(store->catalog, &record, id, created, row->version);
    if (problem) return bad_branch(id, problem, err);
    yr_catalog_change change;
    bool ready = yr_catalog_prepare_create(store->catalog, id, &record, created, &change);
    if (ready) yr_catalog_apply(store->catalog, &change);
    if (ready && record.deleted_version) {
        ready =
            yr_catalog_prepare_change(store->catalog, yr_catalog_by_id(store->catalog, id), &record, &change);
        if (ready) yr_catalog_apply(store->catalog, &change);
    }
    return ready ? YORE_OK : yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the branch registry");
}

static yore_status load_branch_row(void *arg, const yore_row *row, yore_error *err)
{
    yr_store *store = arg;
    return load_branch(store, yr_store_layers(store), row, err);
}

/* Rows come newest first, and the last erasure is all that is wanted. */
static yore_status load_erased_row(void *arg, const yore_row *row, yore_error *err)
{
    yr_store *store = arg;
    uint64_t version;
    if (!yr_erase_key_decode(row->key, &version) || version > store->last_version)
        return yr_fail(err, YORE_ERR_CORRUPT, "the registry's record of an erasure is not valid");
    yr_catalog_note_erased(store->catalog, version);
    return YORE_END;
}

static yore_status load_registry(yr_store *store, yr_layers *layers, yore_error *err)
{
    yore_status status =
        yr_registry_scan(layers, store->last_version, 'b', false, load_branch_row, store, err);
    if (status == YORE_OK)
        status = yr_registry_scan(layers, store->last_version, 'e', true, load_erased_row, store, err);
    return status < 0 ? status : YORE_OK;
}

/* relaxed throughout: nobody else is there yet */
static void add_facts(yr_branch *branch, const yr_run_branch *facts, uint64_t flushed)
{
    uint64_t keys = atomic_load_explicit(&branch->own_keys, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&branch->own_bytes, memory_order_relaxed);
    uint64_t head = atomic_load_explicit(&branch->head, memory_order_relaxed);
    atomic_store_explicit(&branch->own_keys, keys + facts->keys, memory_order_relaxed);
    atomic_store_explicit(&branch->own_bytes, bytes + facts->value_bytes, memory_order_relaxed);
    atomic_store_explicit(&branch->filtered_from, flushed, memory_order_relaxed);
    if (!facts->last_commit) return;
    /* runs come newest first */
    if (!head) atomic_store_explicit(&branch->head, facts->last_commit, memory_order_relaxed);
    atomic_store_explicit(&branch->first, facts->first_commit, memory_order_relaxed);
}

yore_status yr_load_catalog(yr_store *store, yore_error *err)
{
    yr_layers *layers = yr_store_layers(store);
    if (layers->run_count == 0) return YORE_OK;
    yore_status status = load_registry(store, layers, err);
    for (uint32_t i = 0; i < layers->run_count && status == YORE_OK; i++) {
        const yr_run *run = layers->runs[i];
        for (uint32_t k = 0; k < yr_run_branch_count(run) && status == YORE_OK; k++) {
            const yr_run_branch *facts = yr_run_branch_at(run, k);
            if (facts->branch == YR_REGISTRY_BRANCH) continue;
            yr_branch *branch = yr_catalog_by_id(store->catalog, facts->branch);
            if (branch)
                add_facts(branch, facts, yr_layers_flushed(layers));
            else
                status = bad_branch(facts->branch, "there is none, but a segment has rows of it", err);
        }
    }
    if (status == YORE_OK && !yr_catalog_by_id(store->catalog, YR_DEFAULT_BRANCH))
        status = bad_branch(YR_DEFAULT_BRANCH, "there is none", err);
    return status;
}
