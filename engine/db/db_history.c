/* The versions of one key, newest first: hop by hop, and on each hop layer by layer. */
#include "engine/base/error.h"
#include "engine/branch/lineage_scan.h"
#include "engine/db/handle.h"

typedef struct history_iter {
    yore_iter base;
    const yr_branch *hop; /* NULL at the end */
    uint32_t layer;       /* of the hop: memtables, then runs */
    uint64_t cap;         /* of the hop */
    /* of the layer */
    const yr_memtable *mem; /* NULL: not in a memtable */
    const yr_entry *entry;
    uint32_t left; /* versions of the entry not given yet, oldest first: the next is left - 1 */
    bool is_open;  /* `versions` is */
    yr_run_versions versions;
    yr_block_pin value; /* of the last row, when it is in a value file */
    uint64_t key_hash;
    uint64_t limit, since;
    uint64_t kept;    /* of the hop: below it only what is shown there is listed; 0 = all */
    bool is_hop_done; /* no more of it is to be listed */
    uint32_t primitive;
    size_t key_bytes;
    uint8_t tree_key[]; /* room for the prefix, and the key */
} history_iter;

static yore_slice user_key(const history_iter *iter)
{
    return yore_bytes(iter->tree_key + YR_TREE_KEY_PREFIX, iter->key_bytes);
}

/* Below the hop's oldest kept cap, versions may be gone that nobody can read: all but the one shown there. A pinned cap
 * further down shows one, too. */
static void enter_hop(history_iter *iter)
{
    uint64_t kept = iter->hop ? yr_branch_trimmed(iter->hop) : 0;
    if (iter->hop && yr_branch_is_purged(iter->hop)) kept = UINT64_MAX;
    iter->kept = kept < iter->cap ? kept : iter->cap;
    if (kept == 0) iter->kept = 0;
    iter->layer = 0;
}

static void leave_layer(history_iter *iter)
{
    if (iter->is_open) yr_run_versions_close(&iter->versions);
    iter->is_open = false;
    iter->mem = NULL;
    iter->left = 0;
    iter->layer++;
}

static void enter_memtable(history_iter *iter, const yr_memtable *mem)
{
    if (iter->cap <= mem->base_version) return;
    yr_epoch_enter();
    yr_ref ref = yr_memtable_find(mem, iter->key_hash, iter->hop->id, iter->primitive, user_key(iter));
    if (ref) {
        iter->mem = mem;
        iter->entry = yr_entry_at(&mem->region, ref);
        iter->left = yr_chain_rank(&mem->region, iter->entry, yr_memtable_cap(mem, iter->cap));
    }
    yr_epoch_exit();
}

static yore_status enter_run(history_iter *iter, yr_run *run, yore_error *err)
{
    if (iter->cap <= yr_run_after(run) || !yr_run_has_branch(run, iter->hop->id)) return YORE_OK;
    yr_put_be32(iter->tree_key, iter->hop->id);
    iter->tree_key[4] = (uint8_t)iter->primitive;
    yore_slice key = yore_bytes(iter->tree_key, YR_TREE_KEY_PREFIX + iter->key_bytes);
    uint64_t hash = yr_branch_hash(iter->key_hash, iter->hop->id);
    yore_status status = yr_run_versions_open(run, key, hash, iter->cap, &iter->versions, err);
    iter->is_open = status == YORE_OK;
    return status < 0 ? status : YORE_OK;
}

/* Look the key up in the layer; when the hop has no more layers, go on to the next hop. */
static yore_status enter(history_iter *iter, yore_error *err)
{
    const yr_layers *layers = iter->base.layers;
    if (iter->layer < layers->mem_count) {
        enter_memtable(iter, layers->mems[iter->layer]);
        return YORE_OK;
    }
    uint32_t i = iter->layer - layers->mem_count;
    if (i < layers->run_count) return enter_run(iter, layers->runs[i], err);
    iter->cap = yr_lineage_cap(iter->hop, iter->cap);
    iter->hop = iter->hop->parent;
    enter_hop(iter);
    if (iter->hop) enter_memtable(iter, layers->mems[0]);
    return YORE_OK;
}

/* Pass over the layers that are left of the hop. */
static yore_status leave_hop(history_iter *iter, yore_error *err)
{
    leave_layer(iter);
    iter->layer = iter->base.layers->mem_count + iter->base.layers->run_count;
    iter->is_hop_done = false;
    return enter(iter, err);
}

/* The next version that is stored. YORE_OK, YORE_END, a run's failure. */
static yore_status step_stored(history_iter *iter, yore_row *row, yore_error *err)
{
    if (iter->is_hop_done) {
        yore_status status = leave_hop(iter, err);
        if (status < 0) return status;
    }
    while (iter->hop) {
        yore_status status = YORE_END;
        if (iter->left) {
            yr_epoch_enter();
            const yr_version *v = yr_chain_at(&iter->mem->region, iter->entry, --iter->left);
            yr_row_fill(iter->mem, v, iter->entry, yr_version_op(v) == YORE_OP_PUT, row);
            yr_epoch_exit();
            return YORE_OK;
        }
        if (iter->is_open) {
            yr_segment_row stored;
            status = yr_run_versions_next(&iter->versions, &stored, err);
            if (status == YORE_OK) yr_row_fill_stored(&stored, stored.op == YORE_OP_PUT, row);
            yr_block_pin_release(&iter->value); /* of a row that was hidden */
            if (status == YORE_OK && stored.is_reference)
                status = yr_layers_value(iter->base.layers, &stored, &row->value, &iter->value, err);
        }
        if (status != YORE_END) return status;
        leave_layer(iter);
        status = enter(iter, err);
        if (status < 0) return status;
    }
    return YORE_END;
}

/* A delete or an expired version may go earlier than others: where it is the last of a hop it is never listed. */
static yore_status hides(const history_iter *iter, const yore_row *row, bool *is_hidden, yore_error *err)
{
    int64_t time_ns;
    bool is_whole = !yr_branch_is_purged(iter->hop) && row->version >= yr_branch_trimmed(iter->hop);
    *is_hidden = !is_whole && row->op != YORE_OP_PUT;
    if (is_whole || *is_hidden || row->expiry_ns == 0) return YORE_OK;
    yore_status status = yr_layers_commit_time(iter->base.layers, iter->kept, &time_ns, err);
    *is_hidden = status == YORE_OK && row->expiry_ns <= time_ns;
    return status;
}

/* The next version that can be read. The same. */
static yore_status step(history_iter *iter, yore_row *row, yore_error *err)
{
    bool is_hidden = true;
    yore_status status = YORE_OK;
    while (status == YORE_OK && is_hidden) {
        status = step_stored(iter, row, err);
        if (status != YORE_OK || row->version > iter->kept) return status;
        status = hides(iter, row, &is_hidden, err);
        iter->is_hop_done = true;
    }
    return status;
}

static yore_status history_next(yore_iter *base, void *rows, size_t row_size, size_t cap, size_t *n,
                                yore_error *err)
{
    history_iter *iter = (history_iter *)base;
    yr_block_pin_release(&iter->value);
    while (*n < cap && iter->limit && iter->hop) {
        yore_row row;
        yore_status status = step(iter, &row, err);
        if (status < 0) return status;
        if (status == YORE_END || row.version <= iter->since) {
            iter->hop = NULL;
            break;
        }
        yr_row_store(rows, row_size, (*n)++, &row);
        iter->limit--;
        if (iter->is_open) break; /* a run's row lasts until the next step */
    }
    return yr_rows_fill_times(base->layers, rows, row_size, *n, err);
}

static void history_deinit(yore_iter *base)
{
    history_iter *iter = (history_iter *)base;
    if (iter->is_open) yr_run_versions_close(&iter->versions);
    yr_block_pin_release(&iter->value);
}

/* Is there any version at all? Stands before the first one then. */
static yore_status find_first(history_iter *iter, yore_error *err)
{
    yore_status status = enter(iter, err);
    while (status == YORE_OK && iter->hop && !iter->left && !iter->is_open) {
        leave_layer(iter);
        status = enter(iter, err);
    }
    return status == YORE_OK && !iter->hop ? YORE_NOT_FOUND : status;
}

yore_status yore_history(yore_db *db, const yore_at *upto, yore_key key, const yore_range *range,
                         yore_iter **out, yore_error *err)
{
    yr_point_found found;
    yore_status status = yr_key_check(key, err);
    if (status == YORE_OK) status = yr_at_find(db, upto, &found, err);
    if (status < 0) return status;
    history_iter *iter = yr_iter_create(db, found.layers, sizeof *iter + YR_TREE_KEY_PREFIX + key.user.size);
    yr_layers_unref(found.layers);
    if (!iter) return yr_iter_no_memory(err);
    iter->base.next = history_next;
    iter->base.deinit = history_deinit;
    iter->hop = found.branch;
    iter->cap = found.cap;
    enter_hop(iter);
    iter->primitive = yr_key_primitive(key);
    iter->limit = range && range->limit ? range->limit : UINT64_MAX;
    iter->since = range ? range->since_version : 0;
    iter->key_bytes = key.user.size;
    memcpy(iter->tree_key + YR_TREE_KEY_PREFIX, key.user.data, key.user.size);
    iter->key_hash = yr_layers_key_hash(iter->base.layers, iter->primitive, key.user);
    status = find_first(iter, err);
    if (status != YORE_OK) {
        yore_iter_close(&iter->base);
        return status;
    }
    *out = &iter->base;
    return YORE_OK;
}
