/* Merging: a plan over two tips and their base, and the one commit that does what it says.
 *
 * The commit is judged against the moment the plan was made at: a key that the plan writes, or leaves because of what
 * it saw there, must not have been committed since (first committer wins, for keys that are only kept as reads of a
 * serializable transaction). So what is committed to other keys meanwhile cannot make it wrong. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/txn_handle.h"
#include "engine/json/json_merge.h"
#include "engine/merge/merge_base.h"
#include "engine/merge/merge_plan.h"

#define TRIES_MAX 16 /* of a merge in one call, while others commit the same keys */

struct yore_merge_plan {
    yore_db *db;       /* holds a reference */
    yr_layers *layers; /* likewise */
    yr_merge_base base;
    yr_merge_plan plan;
    yore_merge_info info;
    yore_where ours;
    yr_branch *into, *from;
    bool follows; /* `from` is a tip: the plan is stale when it moves */
    bool whole_values;
    /* what was given last */
    yr_merge_reads reads;
    yr_json_merged json;
    bool has_json;
    yr_arena scratch;
};

/* -- making a plan -- */

static yore_status check_live(const yr_branch *branch, yore_error *err)
{
    /* acquire pairs with the catalog's change */
    if (!atomic_load_explicit(&branch->deleted_version, memory_order_acquire)) return YORE_OK;
    yr_fail(err, YORE_ERR_NO_BRANCH, "branch '%s' has been deleted", yr_branch_text(branch));
    yr_hint(err, "yore branch recover id:%" PRIu32, branch->id);
    return YORE_ERR_NO_BRANCH;
}

static yore_status refuse_unrelated(const yore_merge_plan *p, yore_error *err)
{
    yr_fail(err, YORE_ERR_REFUSED, "'%s' and '%s' have no version in common", yr_branch_text(p->from),
            yr_branch_text(p->into));
    yr_hint(err, "merge them as if both had begun empty: --allow-unrelated");
    return YORE_ERR_REFUSED;
}

/* What there is to merge, and from where on. */
static yore_status find_base(yore_merge_plan *p, const yr_point_found *ours, const yr_point_found *theirs,
                             bool allow_unrelated, yore_error *err)
{
    const yr_merge_tip tips[2] = {{ours->branch, ours->cap}, {theirs->branch, theirs->cap}};
    yr_merge_base *base = &p->base;
    yore_status status = yr_merge_base_find(p->db->env, p->db->store.catalog, p->layers, ours->visible, tips,
                                            allow_unrelated, base, err);
    if (status < 0) return status;
    p->info.is_nothing = base->heads[1] == 0 || base->version == base->heads[1];
    if (!base->is_related && !p->info.is_nothing && !allow_unrelated) return refuse_unrelated(p, err);
    if (!base->is_related) { /* before the first commit of theirs */
        base->branch = theirs->branch;
        while (base->branch->parent) base->branch = base->branch->parent;
        base->cap = 0;
    }
    if (base->version == 0) return YORE_OK;
    status = yr_trim_check(p->db, base->branch, base->cap, err);
    if (status == YORE_ERR_TRIMMED && yr_branch_is_purged(base->branch))
        yr_hint(err, "both merged it before; merge from the version before that: --allow-unrelated");
    if (status < 0 && p->info.is_nothing) status = YORE_OK; /* nobody will read it */
    if (status == YORE_OK)
        status = yr_layers_commit_time(p->layers, base->version, &p->info.base_time_ns, err);
    return status;
}

static void fill_info(yore_merge_plan *p)
{
    const yr_merge_plan *plan = &p->plan;
    yore_merge_info *info = &p->info;
    info->struct_size = sizeof *info;
    info->base_branch_id = p->base.version ? p->base.branch->id : 0;
    info->base_version = p->base.version;
    info->ours_version = p->base.heads[0];
    info->theirs_version = p->base.heads[1];
    info->ours_branch_id = p->into->id;
    info->theirs_branch_id = p->from->id;
    info->puts = plan->puts;
    info->dels = plan->dels;
    info->by_path = plan->by_path;
    info->alike = plan->alike;
    info->conflicts = plan->conflict_count;
    info->open_conflicts = plan->open;
    info->base_steps = p->base.steps;
    snprintf(info->ours_branch, sizeof info->ours_branch, "%s", yr_branch_text(p->into));
    snprintf(info->theirs_branch, sizeof info->theirs_branch, "%s", yr_branch_text(p->from));
}

static yore_status make(yore_merge_plan *p, const yr_point_found *ours, const yr_point_found *theirs,
                        const yore_merge_options *options, yore_error *err)
{
    yr_merge_plan *plan = &p->plan;
    yore_status status = find_base(p, ours, theirs, options->allow_unrelated, err);
    if (status == YORE_OK)
        status = yr_where_fill(p->layers, ours->visible, ours->branch, ours->version, ours->cap,
                               ours->time_ns, &p->ours, err);
    if (status < 0) return status;
    /* All at one time: what has expired by now is in none of them. */
    int64_t now = ours->time_ns;
    plan->views[YR_SIDE_OURS] = yr_point_view(ours);
    plan->views[YR_SIDE_THEIRS] = yr_point_view(theirs);
    plan->views[YR_SIDE_BASE] =
        (yr_view){.layers = p->layers, .branch = p->base.branch, .cap = p->base.cap, .past = true};
    plan->views[YR_SIDE_BASE].time_ns = plan->views[YR_SIDE_THEIRS].time_ns = now;
    if (p->info.is_nothing) {
        if (options->resolution_count == 0) return YORE_OK;
        plan->views[YR_SIDE_BASE] = plan->views[YR_SIDE_THEIRS]; /* no conflicts: they are refused */
    }
    status = yr_db_settle(p->db, err);
    return status == YORE_OK ? yr_merge_plan_make(plan, options, err) : status;
}

static yore_status check_ends(const yore_merge_plan *p, yore_error *err)
{
    yore_status status = check_live(p->into, err);
    if (status == YORE_OK) status = check_live(p->from, err);
    if (status < 0 || p->into != p->from || !p->follows) return status;
    yr_fail(err, YORE_ERR_REFUSED, "branch '%s' cannot be merged into itself", yr_branch_text(p->into));
    yr_hint(err, "name another branch with --into");
    return YORE_ERR_REFUSED;
}

static yore_status find_ends(yore_db *db, const yore_at *from, yore_slice into, yr_point_found *ours,
                             yr_point_found *theirs, yore_error *err)
{
    yore_at at = YORE_AT_INIT;
    if (into.size > YORE_BRANCH_NAME_MAX)
        return yr_fail(err, YORE_ERR_NO_BRANCH, "a branch name has at most %u bytes", YORE_BRANCH_NAME_MAX);
    if (into.size) memcpy(at.branch, into.data, into.size);
    yore_status status = yr_at_find(db, &at, ours, err);
    if (status < 0) return status;
    status = yr_at_find_beside(db, from, ours, theirs, err);
    if (status < 0) yr_layers_unref(ours->layers);
    return status;
}

yore_status yore_merge_plan_open(yore_db *db, const yore_at *from, yore_slice into,
                                 const yore_merge_options *options, yore_merge_plan **out, yore_error *err)
{
    static const yore_merge_options defaults = YORE_MERGE_OPTIONS_INIT;
    yr_point_found ours, theirs;
    if (!options) options = &defaults;
    yore_status status = find_ends(db, from, into, &ours, &theirs, err);
    if (status < 0) return status;
    yr_layers_unref(theirs.layers); /* they are those of ours */
    yore_merge_plan *p = yr_alloc_zero(db->env, sizeof *p);
    if (!p) {
        yr_layers_unref(ours.layers);
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a merge");
    }
    yr_db_ref(db);
    p->db = db;
    p->layers = ours.layers;
    p->into = ours.branch;
    p->from = theirs.branch;
    p->follows = !from || from->kind == YORE_AT_NOW;
    p->whole_values = options->whole_values;
    p->plan.env = db->env;
    yr_arena_init(&p->plan.arena, db->env);
    yr_arena_init(&p->scratch, db->env);
    status = check_ends(p, err);
    if (status == YORE_OK) status = make(p, &ours, &theirs, options, err);
    if (status < 0) {
        yore_merge_plan_close(p);
        return status;
    }
    fill_info(p);
    *out = p;
    return YORE_OK;
}

/* -- looking at it -- */

static void let_go(yore_merge_plan *p)
{
    yr_merge_unread(&p->reads);
    if (p->has_json) yr_json_merged_deinit(&p->json);
    p->has_json = false;
    yr_arena_reset(&p->scratch);
}

void yore_merge_plan_close(yore_merge_plan *p)
{
    if (!p) return;
    yore_db *db = p->db;
    let_go(p);
    yr_arena_deinit(&p->scratch);
    yr_merge_plan_deinit(&p->plan);
    yr_layers_unref(p->layers);
    yr_free(db->env, p, sizeof *p);
    yr_db_unref(db);
}

yore_status yore_merge_plan_info(const yore_merge_plan *p, yore_merge_info *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    *out = p->info;
    return YORE_OK;
}

static yore_merge_side side_of(const yr_merge_reads *reads, int side)
{
    const yr_found *found = &reads->found[side];
    if (!reads->states[side].shows) return (yore_merge_side){.version = 0};
    return (yore_merge_side){.value = found->value,
                             .meta = found->meta,
                             .version = found->version,
                             .expiry_ns = found->expiry_ns,
                             .type = found->type};
}

/* The paths that conflict in JSON objects; none when the values are something else. */
static yore_status fill_paths(yore_merge_plan *p, yore_merge_conflict *out, yore_error *err)
{
    const yr_merge_state *states = p->reads.states;
    const yr_json_sides sides = {.base = states[YR_SIDE_BASE].value,
                                 .ours = states[YR_SIDE_OURS].value,
                                 .theirs = states[YR_SIDE_THEIRS].value};
    if (p->whole_values || !yr_merge_may_be_json(states)) return YORE_OK;
    yore_status status = yr_json_merge(p->db->env, &sides, YR_JSON_STOP, &p->json, err);
    if (status == YORE_ERR_INPUT || status == YORE_ERR_LIMIT) return YORE_OK;
    if (status < 0) return status;
    p->has_json = true;
    yore_slice *paths = yr_arena_alloc(&p->scratch, (p->json.listed + 1) * sizeof *paths);
    if (!paths) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a conflict");
    for (size_t i = 0; i < p->json.listed; i++) paths[i] = p->json.conflicts[i].path;
    out->paths = paths;
    out->path_count = p->json.listed;
    return YORE_OK;
}

yore_status yore_merge_plan_conflict(yore_merge_plan *p, size_t i, yore_merge_conflict *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    let_go(p);
    if (i >= p->plan.conflict_count) return YORE_END;
    const yr_merge_item *item = &p->plan.items[p->plan.conflicts[i]];
    yore_status status = yr_merge_read(&p->plan, item, (1u << YR_SIDE_COUNT) - 1, &p->reads, err);
    if (status < 0) return status;
    *out = (yore_merge_conflict){.struct_size = sizeof *out,
                                 .kind = item->kind,
                                 .primitive = item->primitive,
                                 .decided = item->decided,
                                 .key = item->key,
                                 .base = side_of(&p->reads, YR_SIDE_BASE),
                                 .ours = side_of(&p->reads, YR_SIDE_OURS),
                                 .theirs = side_of(&p->reads, YR_SIDE_THEIRS)};
    return fill_paths(p, out, err);
}

yore_status yore_merge_plan_change(yore_merge_plan *p, size_t i, yore_merge_change *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    let_go(p);
    if (i >= p->plan.change_count) return YORE_END;
    const yr_merge_item *item = &p->plan.items[p->plan.changes[i]];
    yore_status status =
        yr_merge_read(&p->plan, item, 1u << YR_SIDE_OURS | 1u << YR_SIDE_THEIRS, &p->reads, err);
    if (status < 0) return status;
    *out = (yore_merge_change){.struct_size = sizeof *out,
                               .op = item->fate == YR_FATE_DELETE ? YORE_OP_DEL : YORE_OP_PUT,
                               .primitive = item->primitive,
                               .is_by_path = item->is_by_path,
                               .is_conflict = item->kind != 0,
                               .key = item->key,
                               .before = side_of(&p->reads, YR_SIDE_OURS)};
    if (item->fate == YR_FATE_TAKE) out->after = side_of(&p->reads, YR_SIDE_THEIRS);
    if (item->fate == YR_FATE_WRITE)
        out->after = (yore_merge_side){
            .value = item->value, .meta = item->meta, .expiry_ns = item->expiry_ns, .type = item->type};
    return YORE_OK;
}

/* -- applying -- */

static yore_status stale(const yr_branch *branch, uint64_t head, uint64_t planned, yore_error *err)
{
    return yr_fail(err, YORE_CONFLICT,
                   "the plan is stale: branch '%s' is at v%" PRIu64 ", and was at v%" PRIu64
                   " when the plan was made",
                   yr_branch_text(branch), head, planned);
}

/* Are both branches where they were? */
static yore_status check_heads(const yore_merge_plan *p, yore_error *err)
{
    const yr_branch *const branches[2] = {p->into, p->from};
    uint64_t visible;
    yr_layers *layers = yr_store_now(&p->db->store, &visible);
    yore_status status = check_live(p->from, err);
    for (int i = 0; i < (p->follows ? 2 : 1) && status == YORE_OK; i++) {
        uint64_t head;
        status = yr_lineage_head_at(layers, visible, branches[i], visible, NULL, &head, err);
        if (status == YORE_OK && head != p->base.heads[i])
            status = stale(branches[i], head, p->base.heads[i], err);
    }
    yr_layers_unref(layers);
    return status;
}

static yore_status write_item(yore_merge_plan *p, yore_txn *txn, const yr_merge_item *item, yore_error *err)
{
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    const yore_key key = {item->key, item->primitive};
    const yr_read kept = {.key = item->key, .key_hash = item->key_hash, .primitive = item->primitive};
    yr_merge_reads reads;
    yore_status status;
    switch (item->fate) {
    case YR_FATE_TAKE:
        status = yr_merge_read(&p->plan, item, 1u << YR_SIDE_THEIRS, &reads, err);
        if (status == YORE_OK) {
            const yr_found *theirs = &reads.found[YR_SIDE_THEIRS];
            options.type = theirs->type;
            options.meta = theirs->meta;
            options.expiry_ns = theirs->expiry_ns;
            status = yore_put(txn, key, theirs->value, &options, err);
        }
        yr_merge_unread(&reads);
        return status;
    case YR_FATE_WRITE:
        options.type = item->type;
        options.meta = item->meta;
        options.expiry_ns = item->expiry_ns;
        return yore_put(txn, key, item->value, &options, err);
    case YR_FATE_DELETE: return yore_del(txn, key, NULL, err);
    default: return yr_txn_note_read(txn, &kept, err);
    }
}

static yore_status commit(yore_merge_plan *p, const yore_txn_options *options, yore_slice note,
                          yore_where *where, yore_error *err)
{
    char into[24], said[2 * YORE_BRANCH_NAME_MAX], source[2 * YORE_BRANCH_NAME_MAX];
    uint64_t parents[YORE_PARENTS_MAX];
    yore_txn_options own = *options;
    yore_txn *txn;
    if (options->parent_count >= YORE_PARENTS_MAX - 1)
        return yr_fail(err, YORE_ERR_LIMIT, "a commit has at most %u parents", YORE_PARENTS_MAX);
    parents[0] = p->base.heads[1];
    if (options->parent_count) memcpy(parents + 1, options->parents, options->parent_count * sizeof *parents);
    snprintf(into, sizeof into, "id:%" PRIu32, p->into->id);
    snprintf(said, sizeof said, "merge %s", p->info.theirs_branch);
    snprintf(source, sizeof source, "merge:%s@v%" PRIu64, p->info.theirs_branch, parents[0]);
    own.parents = parents;
    own.parent_count = options->parent_count + 1;
    own.isolation = YORE_ISOLATION_SERIALIZABLE;
    own.allow_empty = true;
    if (own.source.size == 0) own.source = yore_str(source);
    yore_status status = yore_begin(p->db, yore_str(into), &own, &txn, err);
    if (status < 0) return status;
    if (!YR_BUG(MERGE_UNWATCHED))
        txn->view.cap = p->plan.views[YR_SIDE_OURS].cap; /* what it is judged against */
    txn->view.past = true;
    for (size_t i = 0; i < p->plan.count && status == YORE_OK; i++)
        status = write_item(p, txn, &p->plan.items[i], err);
    if (status == YORE_OK) return yore_commit(txn, note.size ? note : yore_str(said), where, err);
    yore_rollback(txn);
    return status;
}

static yore_status apply(yore_merge_plan *p, bool is_strict, yore_slice note, const yore_txn_options *options,
                         yore_where *where, yore_error *err)
{
    static const yore_txn_options defaults = YORE_TXN_OPTIONS_INIT;
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options)
        return yr_fail(err, YORE_ERR_MISUSE,
                       "transaction options are not initialised with YORE_TXN_OPTIONS_INIT");
    yore_status status = is_strict ? check_heads(p, err) : YORE_OK;
    if (status != YORE_OK) return status;
    if (p->info.open_conflicts)
        return yr_fail(err, YORE_CONFLICT, "'%s' and '%s' both changed %" PRIu64 " key%s differently",
                       p->info.theirs_branch, p->info.ours_branch, p->info.open_conflicts,
                       p->info.open_conflicts == 1 ? "" : "s");
    if (!p->info.is_nothing) return commit(p, options, note, where, err);
    if (where) *where = p->ours;
    return YORE_OK;
}

yore_status yore_merge_apply(yore_merge_plan *plan, yore_slice note, const yore_txn_options *options,
                             yore_where *where, yore_error *err)
{
    return apply(plan, true, note, options, where, err);
}

yore_status yore_merge(yore_db *db, const yore_at *from, yore_slice into, const yore_merge_options *options,
                       yore_slice note, const yore_txn_options *txn_options, yore_merge_info *info,
                       yore_where *where, yore_error *err)
{
    yore_status status = YORE_CONFLICT;
    bool is_open = false;
    if (info && yr_out_check(info->struct_size, sizeof *info, err) < 0) return YORE_ERR_MISUSE;
    for (int i = 0; i < TRIES_MAX && status == YORE_CONFLICT && !is_open; i++) {
        yore_merge_plan *plan;
        status = yore_merge_plan_open(db, from, into, options, &plan, err);
        if (status < 0) return status;
        if (info) *info = plan->info;
        is_open = plan->info.open_conflicts > 0;
        yr_point(db->env, "merge-planned");
        status = apply(plan, false, note, txn_options, where, err);
        yore_merge_plan_close(plan);
    }
    return status;
}
