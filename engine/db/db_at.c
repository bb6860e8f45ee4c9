/* Points in history: a SPEC to a yore_at, and a yore_at to a branch, a version and a time. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/branch/spec_parse.h"
#include "engine/db/handle.h"

enum { FUTURE_SLACK_NS = 2000000000 };

/* -- names -- */

/* A branch's name is taken when the branch's creation has been published. */
static yr_branch *live_branch(const yore_db *db, yore_slice name)
{
    yr_branch *branch = yr_catalog_by_name(db->store.catalog, name);
    return branch && branch->create_version <= yr_store_visible(&db->store) ? branch : NULL;
}

static bool parse_id(yore_slice text, uint32_t *id)
{
    const char *p = text.data;
    if (text.size < 4 || text.size > 13 || memcmp(p, "id:", 3) != 0) return false;
    uint64_t n = 0;
    for (size_t i = 3; i < text.size; i++) {
        if (p[i] < '0' || p[i] > '9') return false;
        n = n * 10 + (uint64_t)(p[i] - '0');
    }
    *id = (uint32_t)n;
    return n > 0 && n <= UINT32_MAX;
}

static bool branch_nearest(void *ctx, yore_slice name, char *out)
{
    const yore_db *db = ctx;
    size_t best = 3; /* a name more than two edits away is no help */
    for (uint32_t id = 1; id <= yr_catalog_last_id(db->store.catalog); id++) {
        const yr_branch *branch = yr_catalog_by_id(db->store.catalog, id);
        if (!branch || atomic_load_explicit(&branch->deleted_version, memory_order_acquire)) continue;
        const char *text = yr_branch_text(branch);
        size_t distance = yr_text_distance(name, yore_str(text), 2);
        if (distance >= best) continue;
        best = distance;
        snprintf(out, YORE_BRANCH_NAME_MAX + 1, "%s", text);
    }
    return best < 3;
}

yr_branch *yr_db_branch(const yore_db *db, yore_slice name, yore_error *err)
{
    uint32_t id;
    if (name.size == 0) return yr_catalog_by_id(db->store.catalog, YR_DEFAULT_BRANCH);
    yr_branch *branch = live_branch(db, name);
    if (!branch && parse_id(name, &id)) branch = yr_catalog_by_id(db->store.catalog, id);
    if (branch) return branch;
    char near[YORE_BRANCH_NAME_MAX + 1];
    int shown = name.size > YORE_BRANCH_NAME_MAX ? (int)YORE_BRANCH_NAME_MAX : (int)name.size;
    yr_fail(err, YORE_ERR_NO_BRANCH, "no branch '%.*s'", shown, (const char *)name.data);
    union {
        const yore_db *in;
        void *out;
    } ctx = {.in = db};
    if (branch_nearest(ctx.out, name, near))
        yr_hint(err, "did you mean '%s'?", near);
    else
        yr_hint(err, "yore branch list");
    return NULL;
}

static bool branch_exists(void *ctx, yore_slice name)
{
    return live_branch(ctx, name) != NULL;
}

static bool tag_exists(void *ctx, yore_slice name)
{
    const yore_db *db = ctx;
    yr_found found;
    return yr_registry_get(db, 't', name, yr_store_visible(&db->store), &found) == YORE_OK;
}

static bool tag_nearest(void *ctx, yore_slice name, char *out)
{
    yore_tag_info tag = {.struct_size = sizeof tag};
    size_t best = 3;
    out[0] = 0;
    for (yore_slice after = {0}; yore_tag_next(ctx, after, &tag, NULL) == YORE_OK;
         after = yore_str(tag.name)) {
        size_t distance = yr_text_distance(name, yore_str(tag.name), 2);
        if (distance >= best) continue;
        best = distance;
        snprintf(out, YORE_BRANCH_NAME_MAX + 1, "%s", tag.name);
    }
    return best < 3;
}

yore_status yore_at_parse(yore_db *db, const char *spec, int64_t now_ns, int32_t utc_offset_s, yore_at *out,
                          yore_error *err)
{
    if (!spec || !out || out->struct_size != sizeof *out) {
        return yr_fail(err, YORE_ERR_MISUSE, "a spec and a point initialised with YORE_AT_INIT are needed");
    }
    const yr_spec_names names = {.ctx = db,
                                 .branch_exists = branch_exists,
                                 .tag_exists = tag_exists,
                                 .branch_nearest = branch_nearest,
                                 .tag_nearest = tag_nearest};
    if (!now_ns) now_ns = db->env->wall_ns(db->env->ctx);
    return yr_spec_parse(spec, now_ns, utc_offset_s, &names, out, err);
}

/* -- where a point is -- */

static yore_status find_branch(yore_db *db, const yore_at *at, yr_point_found *out, yore_error *err)
{
    if (at->branch_id) {
        out->branch = yr_catalog_by_id(db->store.catalog, at->branch_id);
        if (out->branch) return YORE_OK;
        return yr_fail(err, YORE_ERR_NO_BRANCH, "no branch id:%" PRIu32, at->branch_id);
    }
    out->branch = yr_db_branch(db, yore_str(at->branch), err);
    return out->branch ? YORE_OK : YORE_ERR_NO_BRANCH;
}

static yore_status find_tag(yore_db *db, const yore_at *at, uint64_t visible, yr_point_found *out,
                            yore_error *err)
{
    yr_found found;
    yr_tag_record tag;
    if (yr_registry_get(db, 't', yore_str(at->tag), visible, &found) != YORE_OK) {
        char near[YORE_BRANCH_NAME_MAX + 1];
        yr_fail(err, YORE_ERR_NO_TAG, "no tag '%s'", at->tag);
        if (tag_nearest(db, yore_str(at->tag), near)) yr_hint(err, "did you mean 'tag:%s'?", near);
        return YORE_ERR_NO_TAG;
    }
    if (!yr_tag_record_decode(yr_version_value(found.version), &tag)) {
        return yr_fail(err, YORE_ERR_CORRUPT, "the record of tag '%s' cannot be read", at->tag);
    }
    if (!at->branch[0] && !at->branch_id) {
        out->branch = yr_catalog_by_id(db->store.catalog, tag.branch);
        if (!out->branch)
            return yr_fail(err, YORE_ERR_CORRUPT, "the branch of tag '%s' does not exist", at->tag);
    }
    out->version = out->cap = tag.version;
    out->time_ns = yr_commit_time(&db->store.mem->commits, tag.version);
    return YORE_OK;
}

/* The commit a cap shows on a branch: its lineage's newest, else the branch's own creation. */
static uint64_t shown_version(const yr_store *store, const yr_branch *branch, uint64_t cap)
{
    uint64_t head = yr_lineage_head_at(store, branch, cap, NULL);
    if (head) return head;
    return branch->create_version <= cap ? branch->create_version : cap;
}

static yore_status find_time(yore_db *db, int64_t time_ns, uint64_t visible, yr_point_found *out,
                             yore_error *err)
{
    const yr_store *store = &db->store;
    int64_t latest = yr_commit_time(&store->mem->commits, visible);
    int64_t now = db->env->wall_ns(db->env->ctx) + FUTURE_SLACK_NS;
    if (time_ns > latest && time_ns > now) {
        return yr_fail(err, YORE_ERR_TIME_RANGE, "that time is in the future: %" PRId64 " s from now",
                       (time_ns - now + FUTURE_SLACK_NS) / 1000000000);
    }
    out->cap = yr_commit_at_time(&store->mem->commits, visible, time_ns);
    if (out->cap == 0) out->cap = 1; /* before the first commit: as empty as that one, which can be named */
    out->time_ns = time_ns;
    out->version = shown_version(store, out->branch, out->cap);
    return YORE_OK;
}

static yore_status find_back(yore_db *db, uint64_t back, uint64_t visible, yr_point_found *out,
                             yore_error *err)
{
    const yr_store *store = &db->store;
    uint64_t version = yr_lineage_head_at(store, out->branch, visible, NULL), steps = 0;
    while (version && steps < back) {
        const yr_branch *hop =
            yr_catalog_by_id(store->catalog, yr_commit_branch(&store->mem->commits, version));
        uint64_t prev = yr_commit_prev(&store->mem->commits, version);
        if (!prev && hop->parent) prev = yr_lineage_head_at(store, hop->parent, hop->fork_version, NULL);
        version = prev;
        steps++;
    }
    if (!version) {
        return yr_fail(err, YORE_ERR_TIME_RANGE,
                       "branch '%s' has only %" PRIu64 " commits, so back:%" PRIu64 " is before its first",
                       yr_branch_text(out->branch), steps, back);
    }
    out->cap = out->version = version;
    out->time_ns = yr_commit_time(&store->mem->commits, version);
    return YORE_OK;
}

/* The first data commit of a lineage, 0 if it has none at or before the cap. */
static uint64_t first_data(const yr_branch *branch, uint64_t cap)
{
    uint64_t first = 0;
    for (; branch; branch = branch->parent) {
        if (atomic_load_explicit(&branch->head, memory_order_acquire)) { /* pairs with yr_apply */
            uint64_t own = atomic_load_explicit(&branch->first, memory_order_relaxed);
            if (own <= cap) first = own;
        }
        cap = yr_lineage_cap(branch, cap);
    }
    return first;
}

static void set_point(const yr_store *store, uint64_t version, yr_point_found *out)
{
    out->cap = out->version = version;
    out->time_ns = yr_commit_time(&store->mem->commits, version);
}

static yore_status find_moment(yore_db *db, const yore_at *at, uint64_t visible, yr_point_found *out,
                               yore_error *err)
{
    const yr_store *store = &db->store;
    switch (at->kind) {
    case YORE_AT_NOW: {
        int64_t now = db->env->wall_ns(db->env->ctx), latest = yr_commit_time(&store->mem->commits, visible);
        out->cap = visible;
        out->time_ns = now > latest ? now : latest;
        out->version = shown_version(store, out->branch, visible);
        return YORE_OK;
    }
    case YORE_AT_VERSION:
        if (at->version == 0 || at->version > visible) {
            yr_fail(err, YORE_ERR_TIME_RANGE, "there is no v%" PRIu64 ": versions go from v1 to v%" PRIu64,
                    at->version, visible);
            return YORE_ERR_TIME_RANGE;
        }
        set_point(store, at->version, out);
        return YORE_OK;
    case YORE_AT_TIME: return find_time(db, at->time_ns, visible, out, err);
    case YORE_AT_BACK: return find_back(db, at->back, visible, out, err);
    case YORE_AT_START: {
        uint64_t first = first_data(out->branch, visible);
        set_point(store, first ? first : out->branch->create_version, out);
        return YORE_OK;
    }
    case YORE_AT_FORK:
        if (!out->branch->parent) {
            return yr_fail(err, YORE_ERR_SPEC, "branch '%s' has no parent, so no fork point",
                           yr_branch_text(out->branch));
        }
        set_point(store, out->branch->fork_version, out);
        return YORE_OK;
    default: return yr_fail(err, YORE_ERR_MISUSE, "a point of unknown kind %" PRIu32, at->kind);
    }
}

yore_status yr_at_find(yore_db *db, const yore_at *at, yr_point_found *out, yore_error *err)
{
    static const yore_at now = YORE_AT_INIT;
    if (!at) at = &now;
    if (at->struct_size != sizeof *at) {
        return yr_fail(err, YORE_ERR_MISUSE, "the point is not initialised with YORE_AT_INIT");
    }
    *out = (yr_point_found){0};
    uint64_t visible = yr_store_visible(&db->store);
    bool tag_names_branch = at->kind == YORE_AT_TAG && !at->branch[0] && !at->branch_id;
    if (!tag_names_branch) {
        yore_status status = find_branch(db, at, out, err);
        if (status < 0) return status;
    }
    return at->kind == YORE_AT_TAG ? find_tag(db, at, visible, out, err)
                                   : find_moment(db, at, visible, out, err);
}

void yr_where_fill(const yore_db *db, const yr_branch *branch, uint64_t version, uint64_t cap,
                   int64_t cap_time_ns, yore_where *out)
{
    const yr_commit_table *commits = &db->store.mem->commits;
    uint64_t first = first_data(branch, yr_store_visible(&db->store));
    *out = (yore_where){.struct_size = sizeof *out,
                        .branch_id = branch->id,
                        .version = version,
                        .time_ns = version ? yr_commit_time(commits, version) : cap_time_ns,
                        .snap_version = cap,
                        .snap_time_ns = cap_time_ns,
                        .first_data_version = first,
                        .first_data_time_ns = first ? yr_commit_time(commits, first) : 0};
    snprintf(out->branch, sizeof out->branch, "%s", yr_branch_text(branch));
}

yore_status yore_at_resolve(yore_db *db, const yore_at *at, yore_where *out, yore_error *err)
{
    yr_point_found found;
    yore_status status = yr_at_find(db, at, &found, err);
    if (status == YORE_OK) yr_where_fill(db, found.branch, found.version, found.cap, found.time_ns, out);
    return status;
}
