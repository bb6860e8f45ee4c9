/* Iterators over rows: scans, histories of a key, the rows of one commit, the change feed. */
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/branch/lineage_scan.h"
#include "engine/db/handle.h"

void *yr_iter_create(yore_db *db, size_t bytes)
{
    yore_iter *iter = yr_alloc_zero(db->env, bytes);
    if (!iter) return NULL;
    yr_db_ref(db);
    iter->db = db;
    iter->bytes = bytes;
    return iter;
}

yore_status yore_next(yore_iter *iter, yore_row *rows, size_t row_size, size_t cap, size_t *n,
                      yore_error *err)
{
    if (!iter || !rows || !n || cap == 0 || row_size == 0) {
        return yr_fail(err, YORE_ERR_MISUSE, "an iterator, room for rows and a count are needed");
    }
    if (!iter->next)
        return yr_fail(err, YORE_ERR_MISUSE,
                       "this iterator lists no rows: use yore_log_next or yore_search_next");
    size_t count = 0;
    yore_status status = iter->next(iter, rows, row_size, cap, &count, err);
    if (status < 0) return status;
    if (count == 0) return YORE_END;
    *n = count;
    return YORE_OK;
}

void yore_iter_close(yore_iter *iter)
{
    if (!iter) return;
    yore_db *db = iter->db;
    if (iter->deinit) iter->deinit(iter);
    yr_free(db->env, iter, iter->bytes);
    yr_db_unref(db);
}

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for an iterator");
}

/* -- scans -- */

typedef struct scan_iter {
    yore_iter base;
    yr_scan scan;
} scan_iter;

static yore_status scan_next(yore_iter *iter, void *rows, size_t row_size, size_t cap, size_t *n,
                             yore_error *err)
{
    return yr_scan_next(&((scan_iter *)iter)->scan, rows, row_size, cap, n, err);
}

static void scan_deinit(yore_iter *iter)
{
    yr_scan_deinit(&((scan_iter *)iter)->scan);
}

yore_status yore_scan(yore_snap *snap, const yore_range *range, yore_iter **out, yore_error *err)
{
    if (range && range->struct_size != sizeof *range) {
        return yr_fail(err, YORE_ERR_MISUSE, "the range is not initialised with YORE_RANGE_INIT");
    }
    yore_status status = yr_db_settle(snap->db, err);
    if (status < 0) return status;
    scan_iter *iter = yr_iter_create(snap->db, sizeof *iter);
    if (!iter) return no_memory(err);
    status = yr_scan_init(&iter->scan, &snap->view, range, err);
    if (status < 0) {
        yore_iter_close(&iter->base);
        return status;
    }
    iter->base.next = scan_next;
    iter->base.deinit = scan_deinit;
    *out = &iter->base;
    return YORE_OK;
}

/* -- the history of a key -- */

typedef struct history_iter {
    yore_iter base;
    const yr_branch *hop;  /* NULL at the end */
    const yr_entry *entry; /* the hop's, NULL until looked up or when it has none */
    uint64_t cap;
    uint32_t left; /* versions of this hop not given yet, oldest first: the next is left - 1 */
    uint64_t key_hash;
    uint64_t limit, since;
    uint32_t primitive;
    size_t key_bytes;
    uint8_t key[];
} history_iter;

/* Look the key up on the hop. */
static void history_enter(history_iter *iter)
{
    const yr_memtable *mem = iter->base.db->store.mem;
    yore_slice key = yore_bytes(iter->key, iter->key_bytes);
    yr_epoch_enter();
    yr_ref ref = yr_memtable_find(mem, iter->key_hash, iter->hop->id, iter->primitive, key);
    iter->entry = ref ? yr_entry_at(&mem->region, ref) : NULL;
    iter->left = ref ? yr_chain_rank(&mem->region, iter->entry, yr_memtable_cap(mem, iter->cap)) : 0;
    yr_epoch_exit();
}

static void history_leave(history_iter *iter)
{
    iter->cap = yr_lineage_cap(iter->hop, iter->cap);
    iter->hop = iter->hop->parent;
    if (iter->hop) history_enter(iter);
}

static yore_status history_next(yore_iter *base, void *rows, size_t row_size, size_t cap, size_t *n,
                                yore_error *err)
{
    (void)err;
    history_iter *iter = (history_iter *)base;
    const yr_memtable *mem = base->db->store.mem;
    while (iter->hop && *n < cap && iter->limit) {
        if (iter->left == 0) {
            history_leave(iter);
            continue;
        }
        yore_row row;
        yr_epoch_enter();
        const yr_version *v = yr_chain_at(&mem->region, iter->entry, --iter->left);
        yr_row_fill(mem, v, iter->entry, yr_version_op(v) == YORE_OP_PUT, &row);
        yr_epoch_exit();
        if (row.version <= iter->since) {
            iter->hop = NULL;
            break;
        }
        yr_row_store(rows, row_size, (*n)++, &row);
        iter->limit--;
    }
    yr_rows_fill_times(mem, rows, row_size, *n);
    return YORE_OK;
}

yore_status yore_history(yore_db *db, const yore_at *upto, yore_key key, const yore_range *range,
                         yore_iter **out, yore_error *err)
{
    yr_point_found found;
    yore_status status = yr_key_check(key, err);
    if (status == YORE_OK) status = yr_at_find(db, upto, &found, err);
    if (status < 0) return status;
    history_iter *iter = yr_iter_create(db, sizeof *iter + key.user.size);
    if (!iter) return no_memory(err);
    iter->base.next = history_next;
    iter->hop = found.branch;
    iter->cap = found.cap;
    iter->primitive = yr_key_primitive(key);
    iter->limit = range && range->limit ? range->limit : UINT64_MAX;
    iter->since = range ? range->since_version : 0;
    iter->key_bytes = key.user.size;
    memcpy(iter->key, key.user.data, key.user.size);
    iter->key_hash = yr_memtable_key_hash(db->store.mem, iter->primitive, key.user);
    history_enter(iter);
    while (iter->hop && iter->left == 0) history_leave(iter);
    if (!iter->hop) {
        yore_iter_close(&iter->base);
        return YORE_NOT_FOUND;
    }
    *out = &iter->base;
    return YORE_OK;
}

/* -- the rows of commits -- */

typedef struct changes_iter {
    yore_iter base;
    uint64_t version, last; /* the next commit, and the one to stop after */
    uint32_t row;           /* of that commit */
    uint64_t limit;
    uint32_t primitive; /* 0 = all */
    bool keys_only;
    size_t prefix_bytes;
    uint8_t prefix[];
} changes_iter;

/* The version a commit wrote to an entry. */
static const yr_version *version_of(const yr_memtable *mem, const yr_entry *entry, uint64_t version)
{
    return yr_chain_find(&mem->region, entry, yr_memtable_cap(mem, version), true);
}

static bool changes_wants(const changes_iter *iter, const yr_entry *entry)
{
    if (iter->primitive && yr_entry_primitive(entry) != iter->primitive) return false;
    return entry->key_bytes >= iter->prefix_bytes &&
           memcmp(entry->tree_key + YR_TREE_KEY_PREFIX, iter->prefix, iter->prefix_bytes) == 0;
}

static yore_status changes_next(yore_iter *base, void *rows, size_t row_size, size_t cap, size_t *n,
                                yore_error *err)
{
    (void)err;
    changes_iter *iter = (changes_iter *)base;
    const yr_memtable *mem = base->db->store.mem;
    yr_commit_head head;
    while (iter->version <= iter->last && *n < cap && iter->limit) {
        yr_commit_describe(&mem->commits, iter->version, &head);
        for (; iter->row < head.row_count && *n < cap && iter->limit; iter->row++) {
            const yr_entry *entry =
                yr_entry_at(&mem->region, yr_commit_entry(&mem->commits, iter->version, iter->row));
            if (!changes_wants(iter, entry)) continue;
            yore_row row;
            yr_epoch_enter();
            const yr_version *v = version_of(mem, entry, iter->version);
            yr_row_fill(mem, v, entry, yr_version_op(v) == YORE_OP_PUT, &row);
            yr_epoch_exit();
            if (iter->keys_only) row.value = yore_bytes(NULL, 0);
            yr_row_store(rows, row_size, (*n)++, &row);
            iter->limit--;
        }
        if (iter->row < head.row_count) break;
        iter->version++;
        iter->row = 0;
    }
    yr_rows_fill_times(mem, rows, row_size, *n);
    return YORE_OK;
}

static yore_status open_changes(yore_db *db, uint64_t first, uint64_t last, const yore_range *range,
                                yore_iter **out, yore_error *err)
{
    yore_slice prefix = range ? range->prefix : yore_bytes(NULL, 0);
    changes_iter *iter = yr_iter_create(db, sizeof *iter + prefix.size);
    if (!iter) return no_memory(err);
    iter->base.next = changes_next;
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
    uint64_t visible = yr_store_visible(&db->store);
    if (range && range->since_version > after_version) after_version = range->since_version;
    if (after_version > visible) after_version = visible;
    return open_changes(db, after_version + 1, visible, range, out, err);
}

static yore_status no_version(yore_db *db, uint64_t version, yore_error *err)
{
    return yr_fail(err, YORE_ERR_TIME_RANGE, "there is no v%llu: versions go from v1 to v%llu",
                   (unsigned long long)version, (unsigned long long)yr_store_visible(&db->store));
}

yore_status yore_commit_rows(yore_db *db, uint64_t version, yore_iter **out, yore_error *err)
{
    if (version == 0 || version > yr_store_visible(&db->store)) return no_version(db, version, err);
    return open_changes(db, version, version, NULL, out, err);
}

/* -- commits -- */

static void fill_commit(const yore_db *db, uint64_t version, yore_commit_info *out)
{
    const yr_store *store = &db->store;
    yr_commit_head head;
    yr_commit_describe(&store->mem->commits, version, &head);
    *out = (yore_commit_info){.struct_size = sizeof *out,
                              .kind = head.kind,
                              .version = version,
                              .time_ns = head.time_ns,
                              .source_time_ns = head.source_time_ns,
                              .wall_ns = head.wall_ns,
                              .branch_id = head.branch,
                              .key_count = head.row_count,
                              .note = head.note,
                              .author = head.author,
                              .source = head.source};
    if (head.kind == YORE_COMMIT_DATA) {
        const yr_branch *branch = yr_catalog_by_id(store->catalog, head.branch);
        uint64_t prev = yr_commit_prev(&store->mem->commits, version);
        if (!prev && branch->parent)
            prev = yr_lineage_head_at(store, branch->parent, branch->fork_version, NULL);
        if (prev) out->parents[out->parent_count++] = prev;
    }
    for (uint32_t i = 0; i < head.parent_count && out->parent_count < YORE_PARENTS_MAX; i++) {
        out->parents[out->parent_count++] = yr_get_le64((const uint8_t *)head.parents + 8u * (size_t)i);
    }
}

yore_status yore_commit_get(yore_db *db, uint64_t version, yore_commit_info *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    if (version == 0 || version > yr_store_visible(&db->store)) return no_version(db, version, err);
    fill_commit(db, version, out);
    return YORE_OK;
}

typedef struct log_iter {
    yore_iter base;
    const yr_branch *hop; /* by lineage; NULL at the end */
    uint64_t next;        /* version to look at; 0 at the end */
    uint64_t last;        /* all branches, oldest first: where to stop */
    bool by_version;      /* all branches or system commits: walk versions, not a lineage */
    bool ascending, system, own_only;
    uint64_t limit, since;
    const yr_branch *view_branch; /* system without all branches: data commits of this lineage only */
    uint64_t view_cap;
    size_t prefix_bytes;
    uint8_t prefix[];
} log_iter;

static bool log_touches_prefix(const log_iter *iter, uint64_t version)
{
    const yr_memtable *mem = iter->base.db->store.mem;
    yr_commit_head head;
    yr_commit_describe(&mem->commits, version, &head);
    for (uint32_t i = 0; i < head.row_count; i++) {
        const yr_entry *entry = yr_entry_at(&mem->region, yr_commit_entry(&mem->commits, version, i));
        if (yr_entry_primitive(entry) == YORE_KV && entry->key_bytes >= iter->prefix_bytes &&
            memcmp(entry->tree_key + YR_TREE_KEY_PREFIX, iter->prefix, iter->prefix_bytes) == 0) {
            return true;
        }
    }
    return false;
}

static bool log_wants(const log_iter *iter, uint64_t version)
{
    const yr_commit_table *commits = &iter->base.db->store.mem->commits;
    if (iter->by_version) {
        bool is_data = yr_commit_kind(commits, version) == YORE_COMMIT_DATA;
        if (!is_data && !iter->system) return false;
        if (is_data && iter->own_only && iter->view_branch &&
            yr_commit_branch(commits, version) != iter->view_branch->id) {
            return false;
        }
        uint64_t cap;
        if (is_data && iter->view_branch &&
            !(yr_lineage_has(iter->view_branch, iter->view_cap, yr_commit_branch(commits, version), &cap) &&
              version <= cap)) {
            return false;
        }
    }
    return iter->prefix_bytes == 0 || log_touches_prefix(iter, version);
}

/* The version after `next` in this log's order, 0 at the end. */
static uint64_t log_step(log_iter *iter)
{
    const yr_store *store = &iter->base.db->store;
    if (iter->by_version) {
        if (iter->ascending) return iter->next < iter->last ? iter->next + 1 : 0;
        return iter->next - 1;
    }
    uint64_t prev = yr_commit_prev(&store->mem->commits, iter->next);
    if (prev || iter->own_only || !iter->hop->parent) return prev;
    return yr_lineage_head_at(store, iter->hop->parent, iter->hop->fork_version, &iter->hop);
}

static yore_status log_next(yore_iter *base, yore_commit_info *out, yore_error *err)
{
    (void)err;
    log_iter *iter = (log_iter *)base;
    while (iter->next && iter->limit) {
        uint64_t version = iter->next;
        if (version <= iter->since) break; /* only descending logs get here: ascending ones start behind it */
        iter->next = log_step(iter);
        if (!log_wants(iter, version)) continue;
        fill_commit(base->db, version, out);
        iter->limit--;
        return YORE_OK;
    }
    return YORE_END;
}

yore_status yore_log(yore_db *db, const yore_at *upto, const yore_log_options *options, yore_iter **out,
                     yore_error *err)
{
    static const yore_log_options defaults = YORE_LOG_OPTIONS_INIT;
    if (!options) options = &defaults;
    yr_point_found found;
    yore_status status = yr_at_find(db, upto, &found, err);
    if (status < 0) return status;
    log_iter *iter = yr_iter_create(db, sizeof *iter + options->prefix.size);
    if (!iter) return no_memory(err);
    iter->base.next_commit = log_next;
    iter->by_version = options->all_branches || options->system;
    iter->ascending = options->all_branches && options->oldest_first;
    iter->system = options->system;
    iter->own_only = options->own_only;
    iter->limit = options->limit ? options->limit : UINT64_MAX;
    iter->since = iter->ascending ? 0 : options->since_version;
    iter->prefix_bytes = options->prefix.size;
    if (options->prefix.size) memcpy(iter->prefix, options->prefix.data, options->prefix.size);
    if (iter->by_version) {
        iter->last = found.cap;
        iter->next = iter->ascending ? (options->since_version < found.cap ? options->since_version + 1 : 0)
                                     : found.cap;
        iter->view_branch = options->all_branches ? NULL : found.branch;
        iter->view_cap = found.cap;
    } else if (options->own_only) {
        iter->hop = found.branch;
        iter->next = yr_branch_head_at(&db->store, found.branch, found.cap);
    } else {
        iter->next = yr_lineage_head_at(&db->store, found.branch, found.cap, &iter->hop);
    }
    *out = &iter->base;
    return YORE_OK;
}

yore_status yore_log_next(yore_iter *iter, yore_commit_info *out, yore_error *err)
{
    if (!iter || !out || !iter->next_commit) {
        return yr_fail(err, YORE_ERR_MISUSE,
                       "yore_log_next needs an iterator of yore_log and room for a commit");
    }
    if (yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    return iter->next_commit(iter, out, err);
}
