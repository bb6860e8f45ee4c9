/* Collection: which history is given up, said in one commit, and then the space of it. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/upkeep_private.h"

enum { TRIES = 8 }; /* against changes of branches that come between deciding and committing */

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a collection");
}

/* -- deciding -- */

/* What goes from a value file. */
typedef struct gc_values {
    uint64_t file_id;
    uint64_t bytes;
} gc_values;

typedef struct gc_plan {
    yore_db *db;
    yr_arena arena;
    yr_retention_branch *facts;
    uint32_t count;
    yr_retention_change *changes;
    uint32_t change_count;
    uint64_t generation; /* of the catalog when the facts were taken */
    yr_layers *layers;   /* whose value files are counted; a reference */
    gc_values *values;   /* one a value file, by ascending number */
    uint32_t value_count;
} gc_plan;

/* When deleted branches were deleted: the wall clock of the commit that did it. */
static yore_status fill_deleted_ns(const yore_db *db, yr_retention_branch *facts, uint32_t count,
                                   yore_error *err)
{
    yr_layers *layers = yr_store_layers_ref(&db->store);
    yore_status status = YORE_OK;
    for (uint32_t i = 0; i < count && status == YORE_OK; i++) {
        yr_found_commit commit;
        if (!facts[i].deleted_version || facts[i].is_purged) continue;
        status = yr_layers_commit(layers, facts[i].deleted_version, &commit, err);
        if (status < 0) break;
        facts[i].deleted_ns = commit.head.wall_ns;
        yr_layers_commit_release(&commit);
    }
    yr_layers_unref(layers);
    return status;
}

static yore_status decide(gc_plan *plan, bool now, yore_error *err)
{
    yore_db *db = plan->db;
    const yr_retention_commits commits = yr_retention_commits_of(db);
    const yr_retention_clock clock = {.now_ns = db->env->wall_ns(db->env->ctx),
                                      .grace_ns = now ? 0 : YORE_GC_GRACE_NS};
    yr_arena_reset(&plan->arena);
    plan->generation = yr_catalog_changes(db->store.catalog);
    plan->facts = yr_retention_facts(db, &plan->arena, &plan->count);
    plan->changes = yr_arena_alloc(&plan->arena, (plan->count + (size_t)1) * sizeof *plan->changes);
    if (!plan->facts || !plan->changes) return no_memory(err);
    yore_status status = fill_deleted_ns(db, plan->facts, plan->count, err);
    if (status < 0) return status;
    return yr_retention_advance(db->env, plan->facts, plan->count, &clock, &commits, plan->changes,
                                &plan->change_count, err);
}

/* -- saying so -- */

/* By the leader: what was decided holds only for the branches as they were. */
static yore_status plan_gc(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    const gc_plan *plan = request->plan_arg;
    (void)version;
    (void)wall_ns;
    if (yr_catalog_changes(store->catalog) != plan->generation) return YORE_CONFLICT;
    yore_status status = yr_branch_plan_room(store, request, plan->change_count);
    for (uint32_t i = 0; i < plan->change_count && status == YORE_OK; i++) {
        yr_branch *branch = yr_catalog_by_id(store->catalog, plan->changes[i].branch);
        yr_branch_record record;
        yr_branch_record_of(branch, &record);
        record.trimmed_version = plan->changes[i].trimmed_version;
        if (plan->changes[i].is_purged) record.flags |= YR_BRANCH_PURGED;
        status = yr_branch_plan_change(store, request, branch, &record);
    }
    return status;
}

static yore_status say(gc_plan *plan, bool now, yore_where *where, yore_error *err)
{
    for (int tries = 0; tries < TRIES; tries++) {
        yore_status status = decide(plan, now, err);
        if (status < 0 || plan->change_count == 0) return status;
        yr_request request = {.err = err, .plan = plan_gc, .plan_arg = plan, .kind = YORE_COMMIT_BRANCH};
        status = yr_registry_commit(plan->db, &request, YORE_SYNC_DEFAULT, where);
        if (status != YORE_CONFLICT) return status;
    }
    return yr_fail(err, YORE_ERR_LOCKED,
                   "branches keep changing, so what to keep of them cannot be said; try again");
}

/* -- counting -- */

typedef struct gc_count {
    const yr_keep_set *set;
    const yr_keep_rules *rules; /* of the branch of the last row */
    yore_gc_report *report;
    const gc_plan *plan;
    yore_gc_branch *branches; /* one a change */
    uint32_t branch;          /* of the last row */
    uint64_t newer;           /* version of the row above it, of the same key */
} gc_count;

static yore_gc_branch *branch_of(const gc_count *count, uint32_t id)
{
    for (uint32_t low = 0, high = count->plan->change_count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t at = count->plan->changes[middle].branch;
        if (at == id) return &count->branches[middle];
        if (at < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static bool has_rules(void *arg, uint32_t branch)
{
    const gc_count *count = arg;
    return yr_keep_find(count->set, branch)->branch == branch;
}

/* Its value goes, too. Files that came since are for the next collection. */
static void count_value(const gc_plan *plan, const yr_upkeep_row *row)
{
    uint32_t low = 0, high = plan->value_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (plan->values[middle].file_id < row->value_file) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < plan->value_count && plan->values[low].file_id == row->value_file)
        plan->values[low].bytes += row->value_bytes;
}

static yore_status count_row(void *arg, const yr_upkeep_row *row, yore_error *err)
{
    gc_count *count = arg;
    (void)err;
    if (row->branch != count->branch) {
        count->branch = row->branch;
        count->rules = yr_keep_find(count->set, row->branch);
    }
    uint64_t newer = row->is_newest ? 0 : count->newer;
    count->newer = row->version;
    if (yr_keep_judge(count->rules, row->version, newer, row->op, row->expiry_ns) != YR_KEEP_NOT)
        return YORE_OK;
    yore_gc_branch *branch = branch_of(count, row->branch);
    uint64_t bytes = row->key.size + row->value_bytes;
    count->report->versions++;
    count->report->bytes += bytes;
    if (row->value_file) count_value(count->plan, row);
    if (branch) {
        branch->versions++;
        branch->bytes += bytes;
    }
    return YORE_OK;
}

/* What would go once the changes hold. */
static yore_status count_rows(gc_plan *plan, const yore_gc_options *options, yore_gc_branch *branches,
                              yore_gc_report *report, yore_error *err)
{
    yore_db *db = plan->db;
    yr_keep_set set;
    yr_retention_pins pins = {.floor = UINT64_MAX};
    const yr_retention_commits commits = yr_retention_commits_of(db);
    for (uint32_t i = 0; i < plan->change_count; i++) {
        yr_retention_branch *facts = &plan->facts[plan->changes[i].branch - 1];
        facts->trimmed_version = plan->changes[i].trimmed_version;
        facts->is_purged = plan->changes[i].is_purged;
    }
    yore_status status = yr_retention_tags(db, &plan->arena, &pins, err);
    if (status == YORE_OK)
        status = yr_retention_rules(&plan->arena, plan->facts, plan->count, &pins, &commits, &set, err);
    if (status < 0 || set.count == 0) return status;
    bool is_on_disk = db->maintainer.store != NULL; /* in memory nothing goes */
    if (!is_on_disk && !options->dry_run) return YORE_OK;
    gc_count count = {
        .set = &set, .report = report, .plan = plan, .branches = branches, .branch = UINT32_MAX};
    return yr_upkeep_rows(db, has_rules, options->progress, options->progress_arg, count_row, &count, err);
}

/* -- value files -- */

static yore_status begin_values(gc_plan *plan, yore_error *err)
{
    plan->layers = yr_store_layers_ref(&plan->db->store);
    const yr_value_set *values = plan->layers->values;
    uint32_t count = values ? yr_value_set_count(values) : 0;
    plan->values = yr_arena_alloc(&plan->arena, (count + (size_t)1) * sizeof *plan->values);
    if (!plan->values) return no_memory(err);
    for (uint32_t i = 0; i < count; i++)
        plan->values[i] = (gc_values){.file_id = yr_value_file_header(yr_value_set_at(values, i))->file_id};
    plan->value_count = count;
    return YORE_OK;
}

/* The files that lose more than half of what is in them: what is left in these moves. Puts their numbers into
 * `files`. */
static uint32_t choose_values(const gc_plan *plan, uint64_t *files)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->value_count; i++) {
        uint64_t all = yr_value_file_facts(yr_value_set_at(plan->layers->values, i))->value_bytes;
        if (plan->values[i].bytes > all / 2) files[n++] = plan->values[i].file_id;
    }
    return n;
}

static yore_status give_back(gc_plan *plan, const yore_gc_options *options, yore_error *err)
{
    uint64_t *files = yr_arena_alloc(&plan->arena, (plan->value_count + (size_t)1) * sizeof *files);
    if (!files) return no_memory(err);
    const yr_compact_all all = {.progress = options->progress,
                                .arg = options->progress_arg,
                                .value_files = files,
                                .value_file_count = choose_values(plan, files)};
    return yr_upkeep_compact(plan->db, &all, err);
}

/* -- telling -- */

static yore_status describe(const gc_plan *plan, yore_gc_branch *branches, yore_gc_report *report,
                            yore_error *err)
{
    const yore_db *db = plan->db;
    for (uint32_t i = 0; i < plan->change_count; i++) {
        const yr_retention_change *change = &plan->changes[i];
        const yr_branch *branch = yr_catalog_by_id(db->store.catalog, change->branch);
        branches[i] = (yore_gc_branch){
            .struct_size = sizeof branches[i], .id = change->branch, .purged = change->is_purged};
        if (change->is_purged) {
            report->branches_purged++;
        } else {
            report->branches_trimmed++;
            branches[i].oldest_version = change->trimmed_version;
            yore_status status =
                yr_db_commit_time(db, change->trimmed_version, &branches[i].oldest_time_ns, err);
            if (status < 0) return status;
        }
        snprintf(branches[i].name, sizeof branches[i].name, "%s", yr_branch_text(branch));
    }
    return YORE_OK;
}

static yore_status run(gc_plan *plan, const yore_gc_options *options, yore_gc_report *report, yore_error *err)
{
    yore_where where = YORE_WHERE_INIT;
    yore_status status = options->dry_run ? decide(plan, options->now, err)
                                          : say(plan, options->now, &where, err);
    if (status < 0) return status;
    yore_gc_branch *branches =
        yr_arena_alloc(&plan->arena, (plan->change_count + (size_t)1) * sizeof *branches);
    if (!branches) return no_memory(err);
    status = describe(plan, branches, report, err);
    if (status < 0) return status;
    report->version = plan->change_count && !options->dry_run ? where.version : 0;
    report->disk_before = report->disk_after = yr_upkeep_disk_bytes(plan->db);
    status = begin_values(plan, err);
    if (status == YORE_OK) status = count_rows(plan, options, branches, report, err);
    if (status == YORE_OK && !options->dry_run && report->versions) {
        status = give_back(plan, options, err);
        report->disk_after = yr_upkeep_disk_bytes(plan->db);
    }
    if (status == YORE_OK && options->dry_run)
        report->disk_after -= yr_upkeep_disk_share(plan->db, report->bytes);
    for (uint32_t i = 0; i < plan->change_count && status == YORE_OK && options->each; i++)
        options->each(options->each_arg, &branches[i]);
    return status;
}

yore_status yore_gc(yore_db *db, const yore_gc_options *options, yore_gc_report *out, yore_error *err)
{
    static const yore_gc_options defaults = YORE_GC_OPTIONS_INIT;
    yore_gc_report report = YORE_GC_REPORT_INIT;
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options ||
        (out && yr_out_check(out->struct_size, sizeof *out, err) < 0)) {
        return yr_fail(err, YORE_ERR_MISUSE,
                       "options and report of a collection are not initialised with YORE_GC_..._INIT");
    }
    yore_status status = options->dry_run ? yr_db_usable(db, err) : yr_db_writable(db, err);
    if (status < 0) return status;
    gc_plan plan = {.db = db};
    yr_arena_init(&plan.arena, db->env);
    status = run(&plan, options, &report, err);
    yr_layers_unref(plan.layers);
    yr_arena_deinit(&plan.arena);
    if (status == YORE_OK && out) *out = report;
    return status;
}
