#include "engine/maintain/load.h"

#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
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

/* -- the registry's rows of branches, all versions of them, of all runs: read from end to end and past the cache, since
 * each is looked at once -- */

typedef struct source {
    yr_run_rows rows;
    yr_segment_row row; /* where it stands */
    bool is_open;
    uint32_t id; /* of the row's branch; 0 = it has no more of them */
} source;

/* A branch, put together from its rows. */
typedef struct loaded_branch {
    uint32_t id;
    uint64_t created; /* the oldest version of its record, */
    uint64_t version; /* and the newest, which says: */
    yr_branch_record record;
    uint8_t name[YORE_BRANCH_NAME_MAX];
} loaded_branch;

enum { BATCH = 16 }; /* branches whose names are looked up together, so that the cache misses overlap */

typedef struct branch_merge {
    source *sources; /* the newest run first */
    uint32_t count;
    uint32_t pending_count;
    loaded_branch pending[BATCH];
} branch_merge;

static yore_status step(source *s, yore_error *err)
{
    static const uint8_t kind[YR_TREE_KEY_PREFIX + 1] = {0, 0, 0, YR_REGISTRY_BRANCH, YORE_SYSTEM, 'b'};
    yore_status status;
    int order = -1;
    while ((status = yr_run_rows_next(&s->rows, &s->row, err)) == YORE_OK) {
        yore_slice key = s->row.tree_key;
        order = memcmp(key.data, kind, key.size < sizeof kind ? key.size : sizeof kind);
        if (order >= 0) break;
    }
    s->id = 0;
    if (status != YORE_OK || order > 0) return status < 0 ? status : YORE_OK;
    yore_slice key = yore_bytes((const uint8_t *)s->row.tree_key.data + YR_TREE_KEY_PREFIX,
                                s->row.tree_key.size - YR_TREE_KEY_PREFIX);
    if (!yr_branch_key_decode(key, &s->id) || s->id == 0) return bad_branch(0, "its key cannot be read", err);
    return YORE_OK;
}

static yore_status open_sources(branch_merge *merge, const yr_layers *layers, yore_error *err)
{
    yore_status status = YORE_OK;
    merge->sources = yr_alloc_zero(layers->env, layers->run_count * sizeof *merge->sources);
    if (!merge->sources)
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the branch registry");
    merge->count = layers->run_count;
    for (uint32_t i = 0; i < layers->run_count && status == YORE_OK; i++) {
        source *s = &merge->sources[i];
        if (!yr_run_has_branch(layers->runs[i], YR_REGISTRY_BRANCH)) continue;
        status = yr_run_rows_open(layers->runs[i], &s->rows, err);
        s->is_open = status == YORE_OK;
        if (status == YORE_OK) status = step(s, err);
    }
    return status;
}

static void close_sources(branch_merge *merge, const yore_env *env)
{
    for (uint32_t i = 0; i < merge->count; i++)
        if (merge->sources[i].is_open) yr_run_rows_close(&merge->sources[i].rows);
    yr_free(env, merge->sources, merge->count * sizeof *merge->sources);
}

/* What the newest row of a branch says. */
static yore_status take_record(const source *s, loaded_branch *branch, yore_error *err)
{
    const yr_segment_row *row = &s->row;
    if (row->op != YORE_OP_PUT || row->is_reference || !yr_branch_record_decode(row->value, &branch->record))
        return bad_branch(s->id, "it cannot be read", err);
    branch->version = row->version;
    memcpy(branch->name, branch->record.name.data, branch->record.name.size);
    branch->record.name.data = branch->name; /* the row goes with the next step */
    return YORE_OK;
}

/* The next branch of all. id = 0: there is none. */
static yore_status next_branch(branch_merge *merge, loaded_branch *branch, yore_error *err)
{
    yore_status status = YORE_OK;
    uint32_t id = 0;
    for (uint32_t i = 0; i < merge->count; i++) {
        uint32_t its = merge->sources[i].id;
        if (its && (!id || its < id)) id = its;
    }
    branch->id = id;
    branch->version = 0;
    for (uint32_t i = 0; i < merge->count && id && status == YORE_OK; i++) {
        source *s = &merge->sources[i];
        while (s->id == id && status == YORE_OK) {
            if (!branch->version) status = take_record(s, branch, err);
            branch->created = s->row.version;
            if (status == YORE_OK) status = step(s, err);
        }
    }
    return status;
}

static yore_status load_branch(yr_store *store, const loaded_branch *branch, yore_error *err)
{
    yr_catalog_change change;
    const char *problem =
        judge(store->catalog, &branch->record, branch->id, branch->created, branch->version);
    if (problem) return bad_branch(branch->id, problem, err);
    if (!yr_catalog_prepare_create(store->catalog, branch->id, &branch->record, branch->created, &change))
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the branch registry");
    yr_catalog_apply(store->catalog, &change);
    return YORE_OK;
}

static yore_status load_batch(yr_store *store, branch_merge *merge, bool *more, yore_error *err)
{
    yore_status status = YORE_OK;
    for (merge->pending_count = 0; merge->pending_count < BATCH; merge->pending_count++) {
        loaded_branch *branch = &merge->pending[merge->pending_count];
        status = next_branch(merge, branch, err);
        *more = status == YORE_OK && branch->id;
        if (!*more) break;
        yr_catalog_prefetch(store->catalog, branch->record.name);
    }
    for (uint32_t i = 0; i < merge->pending_count && status == YORE_OK; i++)
        status = load_branch(store, &merge->pending[i], err);
    return status;
}

/* Before the first of them: about as many as will come, and about as much of names. */
static bool reserve(yr_catalog *catalog, const yr_layers *layers)
{
    uint64_t most = 0, bytes = 0;
    for (uint32_t i = 0; i < layers->run_count; i++) {
        const yr_run_branch *registry = yr_run_branch_find(layers->runs[i], YR_REGISTRY_BRANCH);
        if (registry && registry->keys > most) most = registry->keys;
        if (registry) bytes += registry->value_bytes;
    }
    if (most > YR_BRANCH_ID_MAX) most = YR_BRANCH_ID_MAX;
    return yr_catalog_reserve(catalog, (uint32_t)most, bytes);
}

static yore_status load_branches(yr_store *store, const yr_layers *layers, yore_error *err)
{
    branch_merge merge = {0};
    bool more = true;
    yore_status status = open_sources(&merge, layers, err);
    if (status == YORE_OK && !reserve(store->catalog, layers))
        status = yr_fail(err, YORE_ERR_NOMEM, "out of memory for the branches");
    while (status == YORE_OK && more) status = load_batch(store, &merge, &more, err);
    close_sources(&merge, layers->env);
    return status;
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
    yore_status status = load_branches(store, layers, err);
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
