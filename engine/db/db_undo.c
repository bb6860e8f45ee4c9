/* Plans that bring back older states: which commit, which points. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/undo_private.h"
#include "engine/undo/undo_walk.h"

static yr_view view_of(const yore_undo *plan, const yr_branch *branch, uint64_t cap)
{
    return (yr_view){.layers = plan->layers,
                     .branch = branch,
                     .cap = cap,
                     .time_ns = plan->views[YR_UNDO_NOW].time_ns,
                     .past = cap < plan->visible};
}

/* -- one commit -- */

static yore_status find_commit(yore_undo *plan, uint64_t version, yore_error *err)
{
    yr_found_commit commit;
    if (version == 0 || version > plan->visible) return yr_no_version(version, plan->visible, err);
    yore_status status = yr_layers_commit(plan->layers, version, &commit, err);
    if (status < 0) return status;
    plan->mark.version = version;
    plan->source = yr_catalog_by_id(plan->db->store.catalog, commit.head.branch);
    if (commit.head.kind != YORE_COMMIT_DATA || !plan->source) {
        status = yr_fail(
            err, YORE_ERR_REFUSED,
            "v%" PRIu64 " is a commit of the store itself (a branch, tag or setting), not of data", version);
        yr_hint(err, "yore log --system");
    }
    yr_layers_commit_release(&commit);
    return status;
}

/* The states on both sides of the commit, as a branch sees them: `base` is after it when it is to be taken back. */
static yore_status take_sides(yore_undo *plan, const yr_branch *branch, bool back, yore_error *err)
{
    uint64_t version = plan->mark.version;
    plan->has_base = true;
    plan->views[YR_UNDO_BASE] = view_of(plan, branch, back ? version : version - 1);
    plan->views[YR_UNDO_THEN] = view_of(plan, branch, back ? version - 1 : version);
    yore_status status = yr_trim_check_commit(plan->db, plan->layers, version, err);
    return status < 0 ? status : yr_trim_check(plan->db, branch, version - 1, err);
}

static bool in_history(const yore_undo *plan)
{
    uint64_t cap;
    return yr_lineage_has(plan->branch, plan->visible, plan->source->id, &cap) && plan->mark.version <= cap;
}

static yore_status refuse_foreign(const yore_undo *plan, yore_error *err)
{
    yr_fail(err, YORE_ERR_REFUSED, "v%" PRIu64 " is a commit of branch '%s' and not in the history of '%s'",
            plan->mark.version, yr_branch_text(plan->source), yr_branch_text(plan->branch));
    yr_hint(err, "yore show v%" PRIu64, plan->mark.version);
    return YORE_ERR_REFUSED;
}

static yore_status refuse_inherited(const yore_undo *plan, yore_error *err)
{
    yr_fail(err, YORE_ERR_REFUSED,
            "v%" PRIu64
            " is a commit of '%s' that '%s' inherited at its fork: undo takes back a branch's own commits",
            plan->mark.version, yr_branch_text(plan->source), yr_branch_text(plan->branch));
    yr_hint(err, "yore -b %s revert v%" PRIu64, yr_branch_text(plan->branch), plan->mark.version);
    return YORE_ERR_REFUSED;
}

/* -- the stack -- */

/* A commit that was imported speaks of versions of the store it was made in: then it is one like any other. */
static yr_undo_mark mark_of(const yr_commit_head *head)
{
    if (head->source_time_ns) return (yr_undo_mark){0};
    return yr_undo_mark_parse(head->source);
}

/* The own commit that undo or redo takes back next; 0 when there is none. *newest: the branch's newest own commit. */
static yore_status walk_stack(yore_undo *plan, uint64_t *found, uint64_t *newest, yore_error *err)
{
    yr_undo_walk walk;
    yr_undo_step step = YR_UNDO_ON;
    uint64_t at;
    yore_status status =
        yr_branch_head_at(plan->layers, plan->visible, plan->branch, plan->visible, &at, err);
    *found = 0;
    *newest = at;
    yr_undo_walk_init(&walk, plan->db->env, plan->mark.kind);
    while (status == YORE_OK && at && step == YR_UNDO_ON) {
        yr_found_commit commit;
        status = yr_layers_commit(plan->layers, at, &commit, err);
        if (status < 0) break;
        step = yr_undo_walk_step(&walk, at, mark_of(&commit.head));
        if (step == YR_UNDO_FOUND) *found = at;
        at = commit.prev;
        yr_layers_commit_release(&commit);
    }
    if (step == YR_UNDO_NO_MEMORY) status = yr_fail(err, YORE_ERR_NOMEM, "out of memory for an undo");
    yr_undo_walk_deinit(&walk);
    return status;
}

static yore_status refuse_redo(const yore_undo *plan, uint64_t newest, yore_error *err)
{
    const char *branch = yr_branch_text(plan->branch);
    if (newest) {
        yr_fail(err, YORE_ERR_REFUSED,
                "nothing to redo on branch '%s': v%" PRIu64
                " was not made by undo, and every undo before it stands",
                branch, newest);
    } else {
        yr_fail(err, YORE_ERR_REFUSED, "nothing to redo on branch '%s': it has no commits of its own",
                branch);
    }
    yr_hint(err, "yore -b %s log", branch);
    return YORE_ERR_REFUSED;
}

/* All own commits have been taken back: what comes before is the parent's. */
static yore_status refuse_undo(yore_undo *plan, yore_error *err)
{
    const yr_branch *branch = plan->branch;
    uint64_t before = 0;
    yore_status status = YORE_OK;
    if (branch->parent)
        status = yr_lineage_head_at(plan->layers, plan->visible, branch->parent, branch->fork_version,
                                    &plan->source, &before, err);
    if (status < 0) return status;
    plan->mark.version = before;
    if (before) return refuse_inherited(plan, err);
    yr_fail(err, YORE_ERR_REFUSED, "nothing to undo on branch '%s': it has no commits that are not undone",
            yr_branch_text(branch));
    yr_hint(err, "yore -b %s log", yr_branch_text(branch));
    return YORE_ERR_REFUSED;
}

static yore_status plan_stack(yore_undo *plan, yore_error *err)
{
    uint64_t found, newest;
    yore_status status = walk_stack(plan, &found, &newest, err);
    if (status < 0) return status;
    if (!found)
        return plan->mark.kind == YORE_UNDO_REDO ? refuse_redo(plan, newest, err) : refuse_undo(plan, err);
    plan->moves_stack = true;
    plan->mark.version = found;
    plan->source = plan->branch;
    return take_sides(plan, plan->branch, true, err);
}

/* -- the kinds -- */

static yore_status plan_back(yore_undo *plan, uint64_t version, yore_error *err)
{
    yore_status status = find_commit(plan, version, err);
    if (status < 0) return status;
    if (!in_history(plan)) return refuse_foreign(plan, err);
    if (plan->mark.kind == YORE_UNDO_UNDO && plan->source != plan->branch) return refuse_inherited(plan, err);
    return take_sides(plan, plan->branch, true, err);
}

/* Of a point, the newest commit of its branch's history. */
static yore_status plan_pick(yore_undo *plan, uint64_t version, const yr_point_found *point, yore_error *err)
{
    yore_status status = YORE_OK;
    if (!version)
        status =
            yr_lineage_head_at(plan->layers, plan->visible, point->branch, point->cap, NULL, &version, err);
    if (status == YORE_OK && !version) {
        return yr_fail(err, YORE_ERR_REFUSED, "branch '%s' has no commit at or before v%" PRIu64,
                       yr_branch_text(point->branch), point->cap);
    }
    if (status == YORE_OK) status = find_commit(plan, version, err);
    return status < 0 ? status : take_sides(plan, plan->source, false, err);
}

static yore_status check_keep_as(const yore_undo *plan, yore_error *err)
{
    if (plan->keep_as.size == 0) return YORE_OK;
    yore_status status = yore_name_check(plan->keep_as, err);
    if (status < 0 || !yr_catalog_by_name(plan->db->store.catalog, plan->keep_as)) return status;
    return yr_fail(err, YORE_ERR_EXISTS, "there is a branch '%.*s' already", (int)plan->keep_as.size,
                   (const char *)plan->keep_as.data);
}

static yore_status plan_point(yore_undo *plan, const yr_point_found *point, yore_error *err)
{
    plan->mark.version = point->version;
    plan->source = point->branch;
    plan->views[YR_UNDO_THEN] = view_of(plan, point->branch, point->cap);
    return check_keep_as(plan, err);
}

static yore_status plan_kind(yore_undo *plan, const yore_undo_options *options, const yr_point_found *point,
                             yore_error *err)
{
    switch (plan->mark.kind) {
    case YORE_UNDO_UNDO:
        return options->version ? plan_back(plan, options->version, err) : plan_stack(plan, err);
    case YORE_UNDO_REDO: return plan_stack(plan, err);
    case YORE_UNDO_REVERT: return plan_back(plan, options->version, err);
    case YORE_UNDO_PICK: return plan_pick(plan, options->version, point, err);
    default: return plan_point(plan, point, err);
    }
}

/* -- the handle -- */

static yore_status check_options(const yore_undo_options *options, yore_error *err)
{
    if (options->struct_size != sizeof *options || options->kind > YORE_UNDO_RESET) {
        return yr_fail(err, YORE_ERR_MISUSE, "undo options are not initialised with YORE_UNDO_OPTIONS_INIT");
    }
    if (options->key_count && options->kind != YORE_UNDO_PICK && options->kind != YORE_UNDO_RESTORE)
        return yr_fail(err, YORE_ERR_MISUSE, "keys are given to a cherry-pick or a restore only");
    if (options->primitive > YORE_BLOB)
        return yr_fail(err, YORE_ERR_MISUSE, "there is no primitive %" PRIu32 " to restore",
                       options->primitive);
    for (size_t i = 0; i < options->key_count; i++) {
        yore_status status = yr_key_check(options->keys[i], err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

/* The branch as it is, in layers that the plan takes over. */
static yore_status take_branch(yore_undo *plan, yore_slice name, yr_point_found *now, yore_error *err)
{
    yore_at at = YORE_AT_INIT;
    plan->branch = yr_db_branch(plan->db, name, err);
    if (!plan->branch) return YORE_ERR_NO_BRANCH;
    if (atomic_load_explicit(&plan->branch->deleted_version, memory_order_acquire)) {
        return yr_fail(err, YORE_ERR_NO_BRANCH, "branch '%s' has been deleted", yr_branch_text(plan->branch));
    }
    at.branch_id = plan->branch->id;
    yore_status status = yr_at_find(plan->db, &at, now, err);
    if (status < 0) return status;
    plan->layers = now->layers;
    plan->visible = now->visible;
    plan->views[YR_UNDO_NOW] = yr_point_view(now);
    return YORE_OK;
}

/* Where `at` is at that moment; its layers are the plan's. */
static yore_status take_point(const yore_undo *plan, const yore_undo_options *options,
                              const yr_point_found *now, yr_point_found *point, yore_error *err)
{
    if (options->kind < YORE_UNDO_PICK || options->version) return YORE_OK;
    yore_status status = yr_at_find_beside(plan->db, options->at, now, point, err);
    if (status == YORE_OK) yr_layers_unref(point->layers);
    return status;
}

static yore_undo *create_plan(yore_db *db, const yore_undo_options *options)
{
    yore_undo *plan = yr_alloc_zero(db->env, sizeof *plan + options->prefix.size);
    if (!plan) return NULL;
    uint8_t *prefix = (uint8_t *)(plan + 1);
    if (options->prefix.size) memcpy(prefix, options->prefix.data, options->prefix.size);
    yr_db_ref(db);
    plan->db = db;
    plan->bytes = sizeof *plan + options->prefix.size;
    plan->prefix = yore_bytes(prefix, options->prefix.size);
    plan->primitive = options->primitive ? options->primitive : YORE_KV;
    plan->keys = options->key_count ? options->keys : NULL;
    plan->key_count = options->key_count;
    plan->keep_as = options->keep_as;
    plan->mark.kind = options->kind ? options->kind : YORE_UNDO_UNDO;
    return plan;
}

yore_status yore_undo_open(yore_db *db, yore_slice branch, const yore_undo_options *options, yore_undo **out,
                           yore_error *err)
{
    static const yore_undo_options defaults = YORE_UNDO_OPTIONS_INIT;
    yr_point_found now, point = {0};
    if (!options) options = &defaults;
    yore_status status = check_options(options, err);
    if (status < 0) return status;
    yore_undo *plan = create_plan(db, options);
    if (!plan) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for an undo");
    status = take_branch(plan, branch, &now, err);
    if (status == YORE_OK) status = take_point(plan, options, &now, &point, err);
    if (status == YORE_OK) status = plan_kind(plan, options, &point, err);
    if (status < 0) {
        yore_undo_close(plan);
        return status;
    }
    *out = plan;
    return YORE_OK;
}

void yore_undo_close(yore_undo *plan)
{
    if (!plan) return;
    yore_db *db = plan->db;
    yr_undo_rewind(plan);
    if (plan->layers) yr_layers_unref(plan->layers);
    yr_free(db->env, plan, plan->bytes);
    yr_db_unref(db);
}

yore_status yore_undo_info_get(const yore_undo *plan, yore_undo_info *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    *out = (yore_undo_info){.struct_size = sizeof *out,
                            .kind = plan->mark.kind,
                            .version = plan->mark.version,
                            .snap_version = plan->views[YR_UNDO_NOW].cap,
                            .branch_id = plan->branch->id,
                            .source_id = plan->source->id};
    yr_undo_mark_format(plan->mark, out->source);
    snprintf(out->branch, sizeof out->branch, "%s", yr_branch_text(plan->branch));
    return YORE_OK;
}
