/* What branches keep: the rules, and which points can still be read. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/branch/registry_scan.h"
#include "engine/db/upkeep_private.h"

#include <yore/time.h>

/* -- facts -- */

yr_retention_branch *yr_retention_facts(const yore_db *db, yr_arena *arena, uint32_t *count)
{
    const yr_catalog *catalog = db->store.catalog;
    uint32_t last = yr_catalog_last_id(catalog);
    yr_retention_branch *facts = yr_arena_alloc(arena, (last + (size_t)1) * sizeof *facts);
    if (!facts) return NULL;
    for (uint32_t i = 0; i < last; i++) {
        const yr_branch *branch = yr_catalog_by_id(catalog, i + 1);
        facts[i] = (yr_retention_branch){
            .parent = branch->parent ? branch->parent->id : 0,
            .is_purged = yr_branch_is_purged(branch),
            .fork_version = branch->fork_version,
            .create_version = branch->create_version,
            .deleted_version = atomic_load_explicit(&branch->deleted_version, memory_order_acquire),
            .retention = yr_branch_retention(branch),
            .trimmed_version = yr_branch_trimmed(branch)};
    }
    *count = last;
    return facts;
}

/* What is gathered in an arena. */
typedef struct tag_list {
    yr_arena *arena;
    yr_retention_point *points;
    size_t room, count;
} tag_list;

static yore_status take_tag(void *arg, const yore_row *row, yore_error *err)
{
    tag_list *list = arg;
    yr_tag_record tag;
    if (!yr_tag_record_decode(row->value, &tag))
        return yr_fail(err, YORE_ERR_CORRUPT, "the record of a tag cannot be read");
    list->points = yr_arena_grow(list->arena, list->points, sizeof *list->points, list->count, &list->room);
    if (!list->points) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the tags");
    list->points[list->count++] = (yr_retention_point){.branch = tag.branch, .version = tag.version};
    return YORE_OK;
}

/* As of one version: what moves from one tag to another meanwhile is seen at one of them. */
yore_status yr_retention_tags(yore_db *db, yr_arena *arena, yr_retention_pins *pins, yore_error *err)
{
    tag_list list = {.arena = arena};
    uint64_t visible;
    yr_layers *layers = yr_store_now(&db->store, &visible);
    yore_status status = yr_registry_scan(layers, visible, 't', false, take_tag, &list, err);
    yr_layers_unref(layers);
    if (status < 0) return status;
    pins->tags = list.points;
    pins->tag_count = list.count;
    return YORE_OK;
}

/* -- may a point be read? -- */

uint64_t yr_trim_oldest(const yr_branch *branch)
{
    uint64_t oldest = 0, fork = UINT64_MAX;
    for (const yr_branch *hop = branch; hop; hop = hop->parent) {
        uint64_t first = yr_branch_is_purged(hop) ? UINT64_MAX : yr_branch_trimmed(hop);
        if (first > fork) first = fork; /* the fork's own point is kept */
        if (first > oldest) oldest = first;
        if (hop->fork_version < fork) fork = hop->fork_version;
    }
    return oldest;
}

static yore_status refuse(const yore_db *db, const yr_branch *branch, uint64_t cap, yore_error *err)
{
    char time[YORE_TIME_TEXT_SIZE];
    if (yr_branch_is_purged(branch)) {
        return yr_fail(err, YORE_ERR_TRIMMED, "the data of branch '%s' (id:%" PRIu32 ") has been collected",
                       yr_branch_text(branch), branch->id);
    }
    uint64_t oldest = yr_trim_oldest(branch);
    int64_t time_ns;
    snprintf(time, sizeof time, "not read yet"); /* by a reader that is being refreshed */
    if (oldest <= yr_store_visible(&db->store)) {
        yore_status status = yr_db_commit_time(db, oldest, &time_ns, err);
        if (status < 0) return status;
        yore_time_format(time_ns, 0, 9, time, sizeof time);
    }
    yr_fail(err, YORE_ERR_TRIMMED,
            "branch '%s' cannot be read at v%" PRIu64 ": its history before v%" PRIu64
            " (%s) is no longer kept",
            yr_branch_text(branch), cap, oldest, time);
    yr_hint(err, "the oldest point is %s@v%" PRIu64, yr_branch_text(branch), oldest);
    if (err) err->version = oldest;
    return YORE_ERR_TRIMMED;
}

/* A hop that lost something at its cap is still readable where a fork or a tag names it. */
static yore_status check_hops(yore_db *db, const yr_branch *branch, uint64_t cap, yore_error *err)
{
    yr_arena arena;
    yr_retention_pins pins = {.floor = UINT64_MAX};
    uint32_t count = 0;
    yr_arena_init(&arena, db->env);
    yore_status status = YORE_OK;
    const yr_retention_branch *facts = yr_retention_facts(db, &arena, &count);
    if (!facts) status = yr_fail(err, YORE_ERR_NOMEM, "out of memory for the branches");
    if (status == YORE_OK) status = yr_retention_tags(db, &arena, &pins, err);
    if (status == YORE_OK &&
        yr_retention_lost_hop(facts, count, &pins, (yr_retention_point){branch->id, cap}))
        status = refuse(db, branch, cap, err);
    yr_arena_deinit(&arena);
    return status;
}

yore_status yr_trim_check(yore_db *db, const yr_branch *branch, uint64_t cap, yore_error *err)
{
    uint64_t trimmed = yr_catalog_trimmed(db->store.catalog), hop_cap = cap;
    /* The newest points of a branch read its parents where its fork pins them. */
    if (trimmed == 0 || (cap >= trimmed && !yr_branch_is_purged(branch))) return YORE_OK;
    for (const yr_branch *hop = branch; hop; hop = hop->parent) {
        bool is_whole = hop_cap <= hop->create_version ||
                        (!yr_branch_is_purged(hop) && hop_cap >= yr_branch_trimmed(hop));
        if (!is_whole) return check_hops(db, branch, cap, err);
        if (hop->fork_version < hop_cap) hop_cap = hop->fork_version;
    }
    return YORE_OK;
}

yore_status yr_trim_check_commit(yore_db *db, const yr_layers *layers, uint64_t version, yore_error *err)
{
    yr_found_commit commit;
    if (version >= yr_catalog_trimmed(db->store.catalog)) return YORE_OK;
    yore_status status = yr_layers_commit(layers, version, &commit, err);
    if (status < 0) return status;
    const yr_branch *branch = yr_catalog_by_id(db->store.catalog, commit.head.branch);
    if (branch && (version < yr_branch_trimmed(branch) || yr_branch_is_purged(branch)))
        status = refuse(db, branch, version, err);
    yr_layers_commit_release(&commit);
    return status;
}

/* -- rules -- */

typedef struct keep_plan {
    yr_branch *branch;
    yr_retention keep;
} keep_plan;

static yore_status plan_keep(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    const keep_plan *plan = request->plan_arg;
    yr_branch_record record;
    (void)version;
    (void)wall_ns;
    if (atomic_load_explicit(&plan->branch->deleted_version, memory_order_acquire)) {
        return yr_fail(request->err, YORE_ERR_NO_BRANCH, "branch '%s' (id:%" PRIu32 ") has been deleted",
                       yr_branch_text(plan->branch), plan->branch->id);
    }
    yr_branch_record_of(plan->branch, &record);
    record.retention = plan->keep;
    yore_status status = yr_branch_plan_room(store, request, 1);
    return status < 0 ? status : yr_branch_plan_change(store, request, plan->branch, &record);
}

yore_status yore_branch_retention_set(yore_db *db, yore_slice name, const yore_retention *keep,
                                      yore_where *where, yore_error *err)
{
    if (!keep || keep->struct_size != sizeof *keep)
        return yr_fail(err, YORE_ERR_MISUSE, "what to keep is not initialised with YORE_RETENTION_INIT");
    keep_plan plan = {.keep = {.kind = keep->kind}};
    if (keep->kind == YORE_RETENTION_AGE && keep->age_ns > 0) plan.keep.amount = (uint64_t)keep->age_ns;
    if (keep->kind == YORE_RETENTION_VERSIONS) plan.keep.amount = keep->versions;
    if (!yr_retention_is_legal(plan.keep))
        return yr_fail(err, YORE_ERR_INPUT,
                       "a branch cannot keep that: an age or a number of versions is at least 1");
    plan.branch = yr_db_branch(db, name, err);
    if (!plan.branch) return YORE_ERR_NO_BRANCH;
    yr_request request = {.err = err, .plan = plan_keep, .plan_arg = &plan, .kind = YORE_COMMIT_BRANCH};
    yore_status status = yr_registry_commit(db, &request, YORE_SYNC_DEFAULT, where);
    if (status == YORE_OK && where) {
        where->branch_id = plan.branch->id;
        snprintf(where->branch, sizeof where->branch, "%s", yr_branch_text(plan.branch));
    }
    return status;
}

yore_status yore_branch_retention_get(yore_db *db, yore_slice name, yore_retention *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    const yr_branch *branch = yr_db_branch(db, name, err);
    if (!branch) return YORE_ERR_NO_BRANCH;
    if (yr_branch_is_purged(branch)) return refuse(db, branch, 0, err);
    yr_retention said = yr_branch_retention(branch);
    uint64_t oldest = yr_trim_oldest(branch);
    if (oldest > yr_store_visible(&db->store)) return refuse(db, branch, yr_store_visible(&db->store), err);
    *out = (yore_retention){.struct_size = sizeof *out,
                            .kind = said.kind,
                            .age_ns = said.kind == YORE_RETENTION_AGE ? (int64_t)said.amount : 0,
                            .versions = said.kind == YORE_RETENTION_VERSIONS ? said.amount : 0,
                            .oldest_version = oldest ? oldest : 1};
    return yr_db_commit_time(db, out->oldest_version, &out->oldest_time_ns, err);
}
