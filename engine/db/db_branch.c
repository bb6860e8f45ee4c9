/* Branches: create, describe, rename, delete, recover. Each change is one registry commit, planned by the
 * commit leader so that it is judged against everything committed before it. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/branch/name.h"
#include "engine/db/handle.h"

/* One registry row that says what a branch is, in the leader's scratch memory. */
static yore_status plan_row(yr_store *store, uint32_t id, const yr_branch_record *record, yr_row *row,
                            yore_error *err)
{
    uint8_t *bytes = yr_arena_alloc(&store->scratch, YR_BRANCH_KEY_BYTES + YR_BRANCH_RECORD_MAX);
    if (!bytes) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a branch");
    yr_branch_key_encode(id, bytes);
    size_t size = yr_branch_record_encode(record, bytes + YR_BRANCH_KEY_BYTES);
    *row = (yr_row){.key = {bytes, YR_BRANCH_KEY_BYTES},
                    .value = {bytes + YR_BRANCH_KEY_BYTES, size},
                    .branch = YR_REGISTRY_BRANCH,
                    .primitive = YORE_SYSTEM,
                    .op = YORE_OP_PUT};
    return YORE_OK;
}

yore_status yr_branch_plan_room(yr_store *store, yr_request *request, size_t count)
{
    request->rows = yr_arena_alloc(&store->scratch, count * sizeof *request->rows);
    request->changes = yr_arena_alloc(&store->scratch, count * sizeof *request->changes);
    request->row_count = request->change_count = 0;
    if (request->rows && request->changes) return YORE_OK;
    return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for a branch");
}

/* Change an existing branch to `record`: one row, one catalog change. */
yore_status yr_branch_plan_change(yr_store *store, yr_request *request, yr_branch *branch,
                                  const yr_branch_record *record)
{
    yore_status status =
        plan_row(store, branch->id, record, &request->rows[request->row_count], request->err);
    if (status < 0) return status;
    if (!yr_catalog_prepare_change(store->catalog, branch, record,
                                   &request->changes[request->change_count])) {
        return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for a branch");
    }
    request->row_count++;
    request->change_count++;
    return YORE_OK;
}

static yore_status name_taken(yore_slice name, yore_error *err)
{
    return yr_fail(err, YORE_ERR_EXISTS, "there is a branch '%.*s' already", (int)name.size,
                   (const char *)name.data);
}

static yore_status gone(const yr_branch *branch, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NO_BRANCH, "branch '%s' (id:%" PRIu32 ") has been deleted",
                   yr_branch_text(branch), branch->id);
}

static bool is_deleted(const yr_branch *branch)
{
    return atomic_load_explicit(&branch->deleted_version, memory_order_acquire) != 0;
}

/* -- create -- */

typedef struct create_plan {
    yore_db *db;
    yore_slice name;
    yr_branch *parent; /* NULL: a root */
    uint64_t fork_version;
    int64_t ttl_ns;
    bool hidden;
    uint32_t id; /* out */
} create_plan;

static yore_status plan_create(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    create_plan *plan = request->plan_arg;
    if (yr_catalog_by_name(store->catalog, plan->name)) return name_taken(plan->name, request->err);
    if (plan->parent && is_deleted(plan->parent)) return gone(plan->parent, request->err);
    if (plan->parent) {
        yore_status kept = yr_trim_check(plan->db, plan->parent, plan->fork_version, request->err);
        if (kept < 0) return kept;
    }
    const yr_branch_record record = {.parent = plan->parent ? plan->parent->id : 0,
                                     .flags = plan->hidden ? YR_BRANCH_HIDDEN : 0,
                                     .fork_version = plan->fork_version,
                                     .created_ns = wall_ns,
                                     .ttl_ns = plan->ttl_ns,
                                     .name = plan->name};
    plan->id = yr_catalog_last_id(store->catalog) + 1;
    if (plan->id > YR_BRANCH_ID_MAX) {
        return yr_fail(request->err, YORE_ERR_LIMIT, "a store has at most %u branches, deleted ones included",
                       YR_BRANCH_ID_MAX);
    }
    yore_status status = yr_branch_plan_room(store, request, 1);
    if (status == YORE_OK) status = plan_row(store, plan->id, &record, &request->rows[0], request->err);
    if (status < 0) return status;
    if (!yr_catalog_prepare_create(store->catalog, plan->id, &record, version, &request->changes[0])) {
        return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for a branch");
    }
    request->row_count = request->change_count = 1;
    return YORE_OK;
}

yore_status yore_branch_create(yore_db *db, yore_slice name, const yore_branch_options *options,
                               yore_where *where, yore_error *err)
{
    static const yore_branch_options defaults = YORE_BRANCH_OPTIONS_INIT;
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options || options->ttl_ns < 0 || options->sync > YORE_SYNC_NONE) {
        return yr_fail(err, YORE_ERR_MISUSE,
                       "branch options are not initialised with YORE_BRANCH_OPTIONS_INIT");
    }
    yore_status status = yore_name_check(name, err);
    if (status < 0) return status;
    create_plan plan = {.db = db, .name = name, .ttl_ns = options->ttl_ns, .hidden = options->hidden};
    if (!options->empty) {
        yr_point_found from;
        status = yr_at_find(db, options->from, &from, err);
        if (status < 0) return status;
        yr_layers_unref(from.layers);
        if (from.branch->depth >= YORE_LINEAGE_DEPTH_MAX) {
            return yr_fail(err, YORE_ERR_LIMIT, "branch '%s' is %u forks deep, which is the limit",
                           yr_branch_text(from.branch), YORE_LINEAGE_DEPTH_MAX);
        }
        plan.parent = from.branch;
        plan.fork_version = from.version;
    }
    yr_request request = {.err = err, .plan = plan_create, .plan_arg = &plan, .kind = YORE_COMMIT_BRANCH};
    status = yr_registry_commit(db, &request, options->sync, where);
    if (status == YORE_OK && options->ttl_ns) yr_expirer_wake(&db->expirer);
    if (status == YORE_OK) yr_expirer_after_commit(&db->expirer);
    if (status == YORE_OK && where) {
        where->branch_id = plan.id;
        snprintf(where->branch, sizeof where->branch, "%.*s", (int)name.size, (const char *)name.data);
    }
    return status;
}

/* -- describe -- */

static yore_status describe(const yore_db *db, const yr_branch *branch, yore_branch_info *out,
                            yore_error *err)
{
    uint64_t visible, head;
    yr_layers *layers = yr_store_now(&db->store, &visible);
    yore_status status = yr_lineage_head_at(layers, visible, branch, visible, NULL, &head, err);
    *out = (yore_branch_info){
        .struct_size = sizeof *out,
        .id = branch->id,
        .parent_id = branch->parent ? branch->parent->id : 0,
        .depth = branch->depth,
        .fork_version = branch->fork_version,
        .head_version = head ? head : branch->create_version,
        .create_version = branch->create_version,
        .created_ns = branch->created_ns,
        .own_keys = atomic_load_explicit(&branch->own_keys, memory_order_relaxed),
        .own_bytes = atomic_load_explicit(&branch->own_bytes, memory_order_relaxed),
        .children = atomic_load_explicit(&branch->live_children, memory_order_relaxed),
        .ttl_ns = atomic_load_explicit(&branch->ttl_ns, memory_order_relaxed),
        .deleted_version = atomic_load_explicit(&branch->deleted_version, memory_order_acquire),
        .hidden = (branch->flags & YR_BRANCH_HIDDEN) != 0};
    if (status == YORE_OK) status = yr_layers_commit_time(layers, out->head_version, &out->head_time_ns, err);
    yr_layers_unref(layers);
    snprintf(out->name, sizeof out->name, "%s", yr_branch_text(branch));
    if (branch->parent) snprintf(out->parent, sizeof out->parent, "%s", yr_branch_text(branch->parent));
    return status;
}

yore_status yore_branch_info_get(yore_db *db, yore_slice name, yore_branch_info *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    const yr_branch *branch = yr_db_branch(db, name, err);
    if (!branch) return YORE_ERR_NO_BRANCH;
    return describe(db, branch, out, err);
}

yore_status yore_branch_next(yore_db *db, uint32_t after_id, yore_branch_info *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    uint64_t visible = yr_store_visible(&db->store);
    for (uint32_t id = after_id; id < yr_catalog_last_id(db->store.catalog); id++) {
        const yr_branch *branch = yr_catalog_by_id(db->store.catalog, id + 1);
        if (!branch || branch->create_version > visible) continue;
        return describe(db, branch, out, err);
    }
    return YORE_END;
}

/* -- rename -- */

typedef struct rename_plan {
    yr_branch *branch;
    yore_slice name;
} rename_plan;

static yore_status plan_rename(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    (void)version;
    (void)wall_ns;
    const rename_plan *plan = request->plan_arg;
    if (is_deleted(plan->branch)) return gone(plan->branch, request->err);
    if (yr_catalog_by_name(store->catalog, plan->name)) return name_taken(plan->name, request->err);
    yr_branch_record record;
    yr_branch_record_of(plan->branch, &record);
    record.name = plan->name;
    yore_status status = yr_branch_plan_room(store, request, 1);
    return status < 0 ? status : yr_branch_plan_change(store, request, plan->branch, &record);
}

static yore_status refuse_default(const yr_branch *branch, const char *what, yore_error *err)
{
    if (branch->id != YR_DEFAULT_BRANCH) return YORE_OK;
    return yr_fail(err, YORE_ERR_REFUSED, "the branch 'default' cannot be %s: it always exists", what);
}

yore_status yore_branch_rename(yore_db *db, yore_slice from, yore_slice to, yore_where *where,
                               yore_error *err)
{
    rename_plan plan = {.branch = yr_db_branch(db, from, err), .name = to};
    if (!plan.branch) return YORE_ERR_NO_BRANCH;
    yore_status status = refuse_default(plan.branch, "renamed", err);
    if (status == YORE_OK) status = yore_name_check(to, err);
    if (status < 0) return status;
    yr_request request = {.err = err, .plan = plan_rename, .plan_arg = &plan, .kind = YORE_COMMIT_BRANCH};
    status = yr_registry_commit(db, &request, YORE_SYNC_DEFAULT, where);
    if (status == YORE_OK && where) {
        where->branch_id = plan.branch->id;
        snprintf(where->branch, sizeof where->branch, "%.*s", (int)to.size, (const char *)to.data);
    }
    return status;
}

/* -- delete -- */

typedef struct delete_plan {
    yr_branch *branch;
    bool cascade;
    uint64_t count; /* out */
} delete_plan;

static yore_status refuse_children(const yr_branch *branch, yore_error *err)
{
    char names[160];
    size_t used = 0;
    uint32_t left = atomic_load_explicit(&branch->live_children, memory_order_relaxed), total = left;
    for (const yr_branch *child = branch->first_child; child && used < sizeof names - 1;
         child = child->next_sibling) {
        if (is_deleted(child)) continue;
        const char *text = yr_branch_text(child);
        if (used + strlen(text) + 4 > sizeof names) break;
        used += (size_t)snprintf(names + used, sizeof names - used, "%s'%s'", used ? ", " : "", text);
        left--;
    }
    names[used] = 0;
    yr_fail(err, YORE_ERR_HAS_CHILDREN, "branch '%s' has %" PRIu32 " child%s: %s%s", yr_branch_text(branch),
            total, total == 1 ? "" : "ren", names, left ? ", ..." : "");
    yr_hint(err, "yore branch delete %s --cascade --yes", yr_branch_text(branch));
    return YORE_ERR_HAS_CHILDREN;
}

/* The next live branch of a subtree, parents before children, without recursion. NULL at the end. */
static yr_branch *subtree_next(const yr_branch *root, yr_branch *at)
{
    if (at->first_child) return at->first_child;
    while (at != root && !at->next_sibling) at = at->parent;
    return at == root ? NULL : at->next_sibling;
}

static yore_status plan_delete(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    (void)wall_ns;
    delete_plan *plan = request->plan_arg;
    yr_branch *root = plan->branch;
    if (is_deleted(root)) return gone(root, request->err);
    if (!plan->cascade && atomic_load_explicit(&root->live_children, memory_order_relaxed)) {
        return refuse_children(root, request->err);
    }
    size_t count = 0;
    for (yr_branch *at = root; at; at = subtree_next(root, at)) count += !is_deleted(at);
    yore_status status = yr_branch_plan_room(store, request, count);
    for (yr_branch *at = root; at && status == YORE_OK; at = subtree_next(root, at)) {
        if (is_deleted(at)) continue;
        yr_branch_record record;
        yr_branch_record_of(at, &record);
        record.flags |= YR_BRANCH_DELETED;
        record.deleted_version = version;
        status = yr_branch_plan_change(store, request, at, &record);
    }
    plan->count = count;
    return status;
}

yore_status yore_branch_delete(yore_db *db, yore_slice name, bool cascade, yore_where *where, uint64_t *count,
                               yore_error *err)
{
    delete_plan plan = {.branch = yr_db_branch(db, name, err), .cascade = cascade};
    if (!plan.branch) return YORE_ERR_NO_BRANCH;
    yore_status status = refuse_default(plan.branch, "deleted", err);
    if (status < 0) return status;
    yr_request request = {.err = err, .plan = plan_delete, .plan_arg = &plan, .kind = YORE_COMMIT_BRANCH};
    status = yr_registry_commit(db, &request, YORE_SYNC_DEFAULT, where);
    if (status == YORE_OK && count) *count = plan.count;
    if (status == YORE_OK && where) {
        where->branch_id = plan.branch->id;
        snprintf(where->branch, sizeof where->branch, "%s", yr_branch_text(plan.branch));
    }
    return status;
}

/* -- recover -- */

static yore_status plan_recover(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    (void)version;
    const rename_plan *plan = request->plan_arg;
    yr_branch *branch = plan->branch;
    if (!is_deleted(branch)) {
        return yr_fail(request->err, YORE_ERR_NOT_DELETED, "branch '%s' is not deleted",
                       yr_branch_text(branch));
    }
    if (yr_branch_is_purged(branch)) {
        return yr_fail(request->err, YORE_ERR_TRIMMED,
                       "the data of branch '%s' (id:%" PRIu32 ") has been collected", yr_branch_text(branch),
                       branch->id);
    }
    if (branch->parent && is_deleted(branch->parent)) {
        yr_fail(request->err, YORE_ERR_REFUSED, "the parent of '%s', '%s' (id:%" PRIu32 "), is deleted too",
                yr_branch_text(branch), yr_branch_text(branch->parent), branch->parent->id);
        yr_hint(request->err, "yore branch recover id:%" PRIu32, branch->parent->id);
        return YORE_ERR_REFUSED;
    }
    yr_branch_record record;
    yr_branch_record_of(branch, &record);
    record.flags &= ~YR_BRANCH_DELETED;
    record.deleted_version = 0;
    if (yr_branch_end(branch) <= wall_ns) record.ttl_ns = 0; /* else it would go again at once */
    if (plan->name.size) record.name = plan->name;
    if (yr_catalog_by_name(store->catalog, record.name)) return name_taken(record.name, request->err);
    yore_status status = yr_branch_plan_room(store, request, 1);
    return status < 0 ? status : yr_branch_plan_change(store, request, branch, &record);
}

yore_status yore_branch_recover(yore_db *db, yore_slice which, yore_slice as, yore_where *where,
                                yore_error *err)
{
    rename_plan plan = {.branch = yr_catalog_deleted_by_name(db->store.catalog, which), .name = as};
    if (!plan.branch) plan.branch = yr_db_branch(db, which, err);
    if (!plan.branch) return YORE_ERR_NO_BRANCH;
    yore_status status = as.size ? yore_name_check(as, err) : YORE_OK;
    if (status < 0) return status;
    yr_request request = {.err = err, .plan = plan_recover, .plan_arg = &plan, .kind = YORE_COMMIT_BRANCH};
    status = yr_registry_commit(db, &request, YORE_SYNC_DEFAULT, where);
    if (status == YORE_OK && yr_branch_end(plan.branch) != INT64_MAX) yr_expirer_wake(&db->expirer);
    if (status == YORE_OK && where) {
        where->branch_id = plan.branch->id;
        snprintf(where->branch, sizeof where->branch, "%s", yr_branch_text(plan.branch));
    }
    return status;
}
