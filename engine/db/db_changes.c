/* The rows of commits: the change feed, and what one commit wrote. Oldest layer first. */
#include <inttypes.h>
#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/branch/lineage_scan.h"
#include "engine/db/handle.h"

typedef struct changes_iter {
    yore_iter base;
    uint64_t version, last; /* the next commit, and the one to stop after */
    uint64_t limit;
    uint32_t primitive; /* 0 = all */
    bool keys_only;
    /* in a run */
    bool is_open; /* `changes` is */
    uint64_t run_last;
    yr_run_changes changes;
    yr_block_pin value; /* of the last row, when it is in a value file */
    /* in a memtable: the entries of commit `version`, in key order, once `entry_version` is that */
    const yr_entry **entries;
    size_t entry_capacity;
    uint32_t entry_count, entry_at;
    uint64_t entry_version;
    size_t prefix_bytes;
    uint8_t prefix[];
} changes_iter;

static bool wants(const changes_iter *iter, yore_slice tree_key)
{
    const uint8_t *key = tree_key.data;
    if (iter->primitive && key[4] != iter->primitive) return false;
    return tree_key.size - YR_TREE_KEY_PREFIX >= iter->prefix_bytes &&
           memcmp(key + YR_TREE_KEY_PREFIX, iter->prefix, iter->prefix_bytes) == 0;
}

/* -- in a run -- */

/* The next row wanted of the run that has `version`. YORE_OK, YORE_END when the run has no more, failures. */
static yore_status run_step(changes_iter *iter, yore_row *row, yore_error *err)
{
    if (!iter->is_open) {
        yr_run *run = yr_layers_run_of(iter->base.layers, iter->version);
        if (!run || iter->version > yr_run_last(run)) {
            return yr_fail(err, YORE_ERR_CORRUPT, "no layer of the store has the commit v%llu",
                           (unsigned long long)iter->version);
        }
        yore_status status = yr_run_changes_open(run, iter->version - 1, &iter->changes, err);
        if (status < 0) return status;
        iter->is_open = true;
        iter->run_last = yr_run_last(run);
    }
    yr_segment_row stored;
    for (;;) {
        yore_status status = yr_run_changes_next(&iter->changes, &stored, err);
        if (status < 0) return status;
        if (status == YORE_END || stored.version > iter->last) break;
        iter->version = stored.version;
        if (!wants(iter, stored.tree_key)) continue;
        yr_row_fill_stored(&stored, stored.op == YORE_OP_PUT, row);
        if (!stored.is_reference || iter->keys_only) return YORE_OK;
        return yr_layers_value(iter->base.layers, &stored, &row->value, &iter->value, err);
    }
    yr_run_changes_close(&iter->changes);
    iter->is_open = false;
    iter->version = iter->run_last + 1;
    return YORE_END;
}

/* -- in a memtable -- */

static int compare_entries(const void *a, const void *b)
{
    return yr_slice_compare(yr_entry_tree_key(*(const yr_entry *const *)a),
                            yr_entry_tree_key(*(const yr_entry *const *)b));
}

/* What the commit wrote, in key order, as runs list it. */
static bool load_entries(changes_iter *iter, const yr_memtable *mem)
{
    yr_commit_head head;
    const yore_env *env = iter->base.db->env;
    yr_commit_describe(&mem->commits, iter->version, &head);
    if (head.row_count > iter->entry_capacity) {
        const yr_entry **grown = yr_realloc(env, iter->entries, iter->entry_capacity * sizeof *grown,
                                            head.row_count * sizeof *grown);
        if (!grown) return false;
        iter->entries = grown;
        iter->entry_capacity = head.row_count;
    }
    for (uint32_t i = 0; i < head.row_count; i++) {
        iter->entries[i] = yr_entry_at(&mem->region, yr_commit_entry(&mem->commits, iter->version, i));
    }
    if (head.row_count > 1) qsort(iter->entries, head.row_count, sizeof *iter->entries, compare_entries);
    iter->entry_count = head.row_count;
    iter->entry_at = 0;
    iter->entry_version = iter->version;
    return true;
}

/* The next row wanted of commits from `version` on. YORE_OK, YORE_END, YORE_ERR_NOMEM. */
static yore_status memtable_step(changes_iter *iter, yore_row *row, yore_error *err)
{
    for (; iter->version <= iter->last; iter->version++) {
        const yr_memtable *mem = yr_layers_mem_of(iter->base.layers, iter->version);
        if (iter->entry_version != iter->version && !load_entries(iter, mem)) return yr_iter_no_memory(err);
        while (iter->entry_at < iter->entry_count) {
            const yr_entry *entry = iter->entries[iter->entry_at++];
            if (!wants(iter, yr_entry_tree_key(entry))) continue;
            yr_epoch_enter();
            const yr_version *v =
                yr_chain_find(&mem->region, entry, yr_memtable_cap(mem, iter->version), true);
            yr_row_fill(mem, v, entry, yr_version_op(v) == YORE_OP_PUT, row);
            yr_epoch_exit();
            return YORE_OK;
        }
    }
    return YORE_END;
}

/* -- both -- */

static yore_status changes_next(yore_iter *base, void *rows, size_t row_size, size_t cap, size_t *n,
                                yore_error *err)
{
    changes_iter *iter = (changes_iter *)base;
    uint64_t flushed = yr_layers_flushed(base->layers);
    yr_block_pin_release(&iter->value);
    while (iter->version <= iter->last && *n < cap && iter->limit) {
        yore_row row;
        bool in_run = iter->is_open || iter->version <= flushed;
        yore_status status = in_run ? run_step(iter, &row, err) : memtable_step(iter, &row, err);
        if (status < 0) return status;
        if (status == YORE_END) continue; /* of this layer */
        if (iter->keys_only) row.value = yore_bytes(NULL, 0);
        yr_row_store(rows, row_size, (*n)++, &row);
        iter->limit--;
        if (in_run) break; /* a run's row lasts until the next step */
    }
    return yr_rows_fill_times(base->layers, rows, row_size, *n, err);
}

static void changes_deinit(yore_iter *base)
{
    changes_iter *iter = (changes_iter *)base;
    if (iter->is_open) yr_run_changes_close(&iter->changes);
    yr_block_pin_release(&iter->value);
    yr_free(base->db->env, iter->entries, iter->entry_capacity * sizeof *iter->entries);
}

/* `layers` were taken after `last` was visible. */
static yore_status open_changes(yore_db *db, yr_layers *layers, uint64_t first, uint64_t last,
                                const yore_range *range, yore_iter **out, yore_error *err)
{
    yore_slice prefix = range ? range->prefix : yore_bytes(NULL, 0);
    changes_iter *iter = yr_iter_create(db, layers, sizeof *iter + prefix.size);
    if (!iter) return yr_iter_no_memory(err);
    iter->base.next = changes_next;
    iter->base.deinit = changes_deinit;
    iter->version = first;
    iter->last = last;
    iter->limit = range && range->limit ? range->limit : UINT64_MAX;
    iter->keys_only = range && range->keys_only;
    iter->primitive = range ? range->primitive : 0;
    iter->prefix_bytes = prefix.size;
    if (prefix.size) memcpy(iter->prefix, prefix.data, prefix.size);
    *out = &iter->base;
    return YORE_OK;
}

yore_status yore_changes(yore_db *db, uint64_t after_version, const yore_range *range, yore_iter **out,
                         yore_error *err)
{
    uint64_t visible;
    yr_layers *layers = yr_store_now(&db->store, &visible);
    if (range && range->since_version > after_version) after_version = range->since_version;
    if (after_version > visible) after_version = visible;
    if (!(range && range->with_gaps) && after_version + 1 < yr_catalog_trimmed(db->store.catalog)) {
        yr_layers_unref(layers);
        return yr_fail(err, YORE_ERR_TRIMMED, "changes before v%" PRIu64 " are no longer kept",
                       yr_catalog_trimmed(db->store.catalog));
    }
    yore_status status = open_changes(db, layers, after_version + 1, visible, range, out, err);
    yr_layers_unref(layers);
    return status;
}

yore_status yr_commit_rows(yore_db *db, yr_layers *layers, uint64_t version, const yore_range *range,
                           yore_iter **out, yore_error *err)
{
    return open_changes(db, layers, version, version, range, out, err);
}

yore_status yore_commit_rows(yore_db *db, uint64_t version, yore_iter **out, yore_error *err)
{
    uint64_t visible = yr_store_visible(&db->store);
    if (version == 0 || version > visible) return yr_no_version(version, visible, err);
    yr_layers *layers = yr_store_layers_ref(&db->store);
    yore_status status = yr_trim_check_commit(db, layers, version, err);
    if (status == YORE_OK) status = yr_commit_rows(db, layers, version, NULL, out, err);
    yr_layers_unref(layers);
    return status;
}
