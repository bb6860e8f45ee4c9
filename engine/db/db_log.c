/* Commits: one, and the log of a lineage or of the whole store. */
#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/handle.h"

yore_status yr_no_version(uint64_t version, uint64_t visible, yore_error *err)
{
    return yr_fail(err, YORE_ERR_TIME_RANGE, "there is no v%" PRIu64 ": versions go from v1 to v%" PRIu64,
                   version, visible);
}

yore_status yr_db_commit_time(const yore_db *db, uint64_t version, int64_t *time_ns, yore_error *err)
{
    yr_layers *layers = yr_store_layers_ref(&db->store);
    yore_status status = yr_layers_commit_time(layers, version, time_ns, err);
    yr_layers_unref(layers);
    return status;
}

/* `known` as in yr_lineage_head_at. The texts borrow `commit`. */
static yore_status fill_commit(const yore_db *db, const yr_layers *layers, uint64_t known,
                               const yr_found_commit *commit, yore_commit_info *out, yore_error *err)
{
    const yr_commit_head *head = &commit->head;
    *out = (yore_commit_info){.struct_size = sizeof *out,
                              .kind = head->kind,
                              .version = head->version,
                              .time_ns = head->time_ns,
                              .source_time_ns = head->source_time_ns,
                              .wall_ns = head->wall_ns,
                              .branch_id = head->branch,
                              .key_count = head->row_count,
                              .note = head->note,
                              .author = head->author,
                              .source = head->source};
    yore_status status = YORE_OK;
    if (head->kind == YORE_COMMIT_DATA) {
        const yr_branch *branch = yr_catalog_by_id(db->store.catalog, head->branch);
        uint64_t prev = commit->prev;
        if (!prev && branch && branch->parent)
            status =
                yr_lineage_head_at(layers, known, branch->parent, branch->fork_version, NULL, &prev, err);
        if (prev) out->parents[out->parent_count++] = prev;
    }
    for (uint32_t i = 0; i < head->parent_count && out->parent_count < YORE_PARENTS_MAX; i++) {
        out->parents[out->parent_count++] = yr_get_le64((const uint8_t *)head->parents + 8u * (size_t)i);
    }
    return status;
}

/* Texts of a commit that was asked for alone: one block, released with yore_commit_release. */
typedef struct own_texts {
    const yore_env *env;
    size_t bytes;
    uint8_t text[];
} own_texts;

static bool own(yore_commit_info *info, const yore_env *env)
{
    yore_slice *texts[] = {&info->note, &info->author, &info->source};
    size_t size = info->note.size + info->author.size + info->source.size;
    if (size == 0) return true;
    own_texts *block = yr_alloc(env, sizeof *block + size);
    if (!block) return false;
    *block = (own_texts){.env = env, .bytes = sizeof *block + size};
    uint8_t *to = block->text;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i]->size) memcpy(to, texts[i]->data, texts[i]->size);
        texts[i]->data = to;
        to += texts[i]->size;
    }
    info->own = block;
    return true;
}

void yore_commit_release(yore_commit_info *info)
{
    own_texts *block = info ? info->own : NULL;
    if (!block) return;
    info->own = NULL;
    info->note = info->author = info->source = yore_bytes(NULL, 0);
    yr_free(block->env, block, block->bytes);
}

yore_status yore_commit_get(yore_db *db, uint64_t version, yore_commit_info *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    uint64_t visible = yr_store_visible(&db->store);
    if (version == 0 || version > visible) return yr_no_version(version, visible, err);
    yr_layers *layers = yr_store_layers_ref(&db->store);
    yr_found_commit commit;
    yore_status status = yr_layers_commit(layers, version, &commit, err);
    if (status == YORE_OK) {
        status = fill_commit(db, layers, visible, &commit, out, err);
        if (status == YORE_OK && !own(out, db->env))
            status = yr_fail(err, YORE_ERR_NOMEM, "out of memory for a commit");
        yr_layers_commit_release(&commit);
    }
    yr_layers_unref(layers);
    return status;
}

typedef struct log_iter {
    yore_iter base;
    uint64_t known;       /* the newest version when the layers were taken */
    const yr_branch *hop; /* by lineage; NULL at the end */
    uint64_t next;        /* version to look at; 0 at the end */
    uint64_t last;        /* all branches, oldest first: where to stop */
    bool by_version;      /* all branches or system commits: walk versions, not a lineage */
    bool ascending, system, own_only;
    uint64_t limit, since;
    const yr_branch *view_branch; /* system without all branches: data commits of this lineage only */
    uint64_t view_cap;
    yr_found_commit commit; /* the last one given, which borrows it */
    size_t prefix_bytes;
    uint8_t prefix[];
} log_iter;

/* *touches: has the commit a kv row with the prefix? */
static yore_status touches_prefix(const log_iter *iter, uint64_t version, bool *touches, yore_error *err)
{
    yore_range range = YORE_RANGE_INIT;
    range.primitive = YORE_KV;
    range.prefix = yore_bytes(iter->prefix, iter->prefix_bytes);
    range.keys_only = true;
    yore_iter *rows;
    yore_row row;
    size_t n;
    yore_status status = yr_commit_rows(iter->base.db, iter->base.layers, version, &range, &rows, err);
    if (status < 0) return status;
    status = yore_next(rows, &row, sizeof row, 1, &n, err);
    yore_iter_close(rows);
    *touches = status == YORE_OK;
    return status < 0 ? status : YORE_OK;
}

static bool wants(const log_iter *iter, const yr_commit_head *head)
{
    if (!iter->by_version) return true;
    bool is_data = head->kind == YORE_COMMIT_DATA;
    if (!is_data && !iter->system) return false;
    if (!is_data || !iter->view_branch) return true;
    if (iter->own_only && head->branch != iter->view_branch->id) return false;
    uint64_t cap;
    return yr_lineage_has(iter->view_branch, iter->view_cap, head->branch, &cap) && head->version <= cap;
}

/* Go on to the version after `commit` in this log's order, 0 at the end. */
static yore_status step(log_iter *iter, const yr_found_commit *commit, yore_error *err)
{
    if (iter->by_version) {
        if (iter->ascending)
            iter->next = iter->next < iter->last ? iter->next + 1 : 0;
        else
            iter->next--;
        return YORE_OK;
    }
    iter->next = commit->prev;
    if (iter->next || iter->own_only || !iter->hop->parent) return YORE_OK;
    return yr_lineage_head_at(iter->base.layers, iter->known, iter->hop->parent, iter->hop->fork_version,
                              &iter->hop, &iter->next, err);
}

static yore_status log_next(yore_iter *base, yore_commit_info *out, yore_error *err)
{
    log_iter *iter = (log_iter *)base;
    while (iter->next && iter->limit) {
        uint64_t version = iter->next;
        if (version <= iter->since) break; /* only descending logs get here: ascending ones start behind it */
        yr_layers_commit_release(&iter->commit);
        yore_status status = yr_layers_commit(base->layers, version, &iter->commit, err);
        if (status == YORE_OK) status = step(iter, &iter->commit, err);
        if (status < 0) return status;
        bool wanted = wants(iter, &iter->commit.head);
        if (wanted && iter->prefix_bytes) status = touches_prefix(iter, version, &wanted, err);
        if (status < 0) return status;
        if (!wanted) continue;
        iter->limit--;
        return fill_commit(base->db, base->layers, iter->known, &iter->commit, out, err);
    }
    return YORE_END;
}

static void log_deinit(yore_iter *base)
{
    yr_layers_commit_release(&((log_iter *)base)->commit);
}

/* Where the log begins. */
static yore_status start(log_iter *iter, const yr_point_found *found, const yore_log_options *options,
                         yore_error *err)
{
    if (iter->by_version) {
        iter->last = iter->next = found->cap;
        if (iter->ascending)
            iter->next = options->since_version < found->cap ? options->since_version + 1 : 0;
        iter->view_branch = options->all_branches ? NULL : found->branch;
        iter->view_cap = found->cap;
        return YORE_OK;
    }
    iter->hop = found->branch;
    if (options->own_only)
        return yr_branch_head_at(found->layers, found->visible, found->branch, found->cap, &iter->next, err);
    return yr_lineage_head_at(found->layers, found->visible, found->branch, found->cap, &iter->hop,
                              &iter->next, err);
}

yore_status yore_log(yore_db *db, const yore_at *upto, const yore_log_options *options, yore_iter **out,
                     yore_error *err)
{
    static const yore_log_options defaults = YORE_LOG_OPTIONS_INIT;
    if (!options) options = &defaults;
    yr_point_found found;
    yore_status status = yr_at_find(db, upto, &found, err);
    if (status < 0) return status;
    log_iter *iter = yr_iter_create(db, found.layers, sizeof *iter + options->prefix.size);
    if (!iter) {
        yr_layers_unref(found.layers);
        return yr_iter_no_memory(err);
    }
    iter->base.next_commit = log_next;
    iter->base.deinit = log_deinit;
    iter->known = found.visible;
    iter->by_version = options->all_branches || options->system;
    iter->ascending = options->all_branches && options->oldest_first;
    iter->system = options->system;
    iter->own_only = options->own_only;
    iter->limit = options->limit ? options->limit : UINT64_MAX;
    iter->since = iter->ascending ? 0 : options->since_version;
    iter->prefix_bytes = options->prefix.size;
    if (options->prefix.size) memcpy(iter->prefix, options->prefix.data, options->prefix.size);
    status = start(iter, &found, options, err);
    yr_layers_unref(found.layers);
    if (status < 0) {
        yore_iter_close(&iter->base);
        return status;
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
