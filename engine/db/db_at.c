/* Points in history: a SPEC to a yore_at, and a yore_at to a branch, a version and a time. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/branch/spec_parse.h"
#include "engine/db/handle.h"

enum { FUTURE_SLACK_NS = 2000000000 };

/* -- names -- */

/* A branch is there when its creation has been published. */
static yr_branch *if_published(const yore_db *db, yr_branch *branch)
{
    return branch && branch->create_version <= yr_store_visible(&db->store) ? branch : NULL;
}

static yr_branch *live_branch(const yore_db *db, yore_slice name)
{
    return if_published(db, yr_catalog_by_name(db->store.catalog, name));
}

static yr_branch *branch_by_id(const yore_db *db, uint32_t id)
{
    return if_published(db, yr_catalog_by_id(db->store.catalog, id));
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
    if (!branch && parse_id(name, &id)) branch = branch_by_id(db, id);
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
    return yr_registry_get(db, 't', name, yr_store_visible(&db->store), NULL, NULL) == YORE_OK;
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
        out->branch = branch_by_id(db, at->branch_id);
        if (out->branch) return YORE_OK;
        return yr_fail(err, YORE_ERR_NO_BRANCH, "no branch id:%" PRIu32, at->branch_id);
    }
    out->branch = yr_db_branch(db, yore_str(at->branch), err);
    return out->branch ? YORE_OK : YORE_ERR_NO_BRANCH;
}

/* What the catalog says of a branch may be newer than the layers. */
static yore_status set_point(uint64_t version, yr_point_found *out, yore_error *err)
{
    if (version > out->visible) return yr_no_version(version, out->visible, err);
    out->cap = out->version = version;
    return yr_layers_commit_time(out->layers, version, &out->time_ns, err);
}

static yore_status no_tag(yore_db *db, const char *name, yore_error *err)
{
    char near[YORE_BRANCH_NAME_MAX + 1];
    yr_fail(err, YORE_ERR_NO_TAG, "no tag '%s'", name);
    if (tag_nearest(db, yore_str(name), near)) yr_hint(err, "did you mean 'tag:%s'?", near);
    return YORE_ERR_NO_TAG;
}

static yore_status find_tag(yore_db *db, const yore_at *at, yr_point_found *out, yore_error *err)
{
    yr_tag_record tag;
    yr_buf value;
    yr_buf_init(&value, db->env, SIZE_MAX);
    yore_status status = yr_registry_get(db, 't', yore_str(at->tag), out->visible, &value, err);
    bool is_sound = status != YORE_OK || yr_tag_record_decode(yore_bytes(value.data, value.size), &tag);
    yr_buf_deinit(&value);
    if (status == YORE_NOT_FOUND) return no_tag(db, at->tag, err);
    if (!is_sound) return yr_fail(err, YORE_ERR_CORRUPT, "the record of tag '%s' cannot be read", at->tag);
    if (status < 0) return status;
    if (!at->branch[0] && !at->branch_id) {
        out->branch = yr_catalog_by_id(db->store.catalog, tag.branch);
        if (!out->branch)
            return yr_fail(err, YORE_ERR_CORRUPT, "the branch of tag '%s' does not exist", at->tag);
    }
    return set_point(tag.version, out, err);
}

/* The commit a cap shows on a branch: its lineage's newest, else the branch's own creation. */
static yore_status show_version(yr_point_found *out, yore_error *err)
{
    const yr_branch *branch = out->branch;
    yore_status status =
        yr_lineage_head_at(out->layers, out->visible, branch, out->cap, NULL, &out->version, err);
    if (!out->version) out->version = branch->create_version <= out->cap ? branch->create_version : out->cap;
    return status;
}

static yore_status find_time(yore_db *db, int64_t time_ns, yr_point_found *out, yore_error *err)
{
    int64_t latest, now = db->env->wall_ns(db->env->ctx) + FUTURE_SLACK_NS;
    yore_status status = yr_layers_commit_time(out->layers, out->visible, &latest, err);
    if (status < 0) return status;
    if (time_ns > latest && time_ns > now) {
        return yr_fail(err, YORE_ERR_TIME_RANGE, "that time is in the future: %" PRId64 " s from now",
                       (time_ns - now + FUTURE_SLACK_NS) / 1000000000);
    }
    status = yr_layers_version_at(out->layers, out->visible, time_ns, &out->cap, err);
    if (status < 0) return status;
    if (out->cap == 0) out->cap = 1; /* before the first commit: as empty as that one, which can be named */
    out->time_ns = time_ns;
    return show_version(out, err);
}

yore_status yr_lineage_prev(const yr_layers *layers, uint64_t known, const yr_branch **hop, uint64_t *version,
                            yore_error *err)
{
    yr_found_commit commit;
    yore_status status = yr_layers_commit(layers, *version, &commit, err);
    if (status < 0) return status;
    *version = commit.prev;
    yr_layers_commit_release(&commit);
    if (*version || !(*hop)->parent) return YORE_OK;
    const yr_branch *at = *hop;
    return yr_lineage_head_at(layers, known, at->parent, at->fork_version, hop, version, err);
}

static yore_status find_back(uint64_t back, yr_point_found *out, yore_error *err)
{
    const yr_branch *hop = out->branch;
    uint64_t version, steps = 0;
    yore_status status =
        yr_lineage_head_at(out->layers, out->visible, out->branch, out->visible, &hop, &version, err);
    for (; status == YORE_OK && version && steps < back; steps++) {
        status = yr_lineage_prev(out->layers, out->visible, &hop, &version, err);
    }
    if (status < 0) return status;
    if (!version) {
        return yr_fail(err, YORE_ERR_TIME_RANGE,
                       "branch '%s' has only %" PRIu64 " commits, so back:%" PRIu64 " is before its first",
                       yr_branch_text(out->branch), steps, back);
    }
    return set_point(version, out, err);
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

static yore_status find_now(yore_db *db, yr_point_found *out, yore_error *err)
{
    int64_t now = db->env->wall_ns(db->env->ctx);
    yore_status status = set_point(out->visible, out, err);
    if (now > out->time_ns) out->time_ns = now;
    return status == YORE_OK ? show_version(out, err) : status;
}

static yore_status find_moment(yore_db *db, const yore_at *at, yr_point_found *out, yore_error *err)
{
    uint64_t visible = out->visible;
    switch (at->kind) {
    case YORE_AT_NOW: return find_now(db, out, err);
    case YORE_AT_VERSION:
        if (at->version == 0 || at->version > visible) {
            yr_fail(err, YORE_ERR_TIME_RANGE, "there is no v%" PRIu64 ": versions go from v1 to v%" PRIu64,
                    at->version, visible);
            return YORE_ERR_TIME_RANGE;
        }
        return set_point(at->version, out, err);
    case YORE_AT_TIME: return find_time(db, at->time_ns, out, err);
    case YORE_AT_BACK: return find_back(at->back, out, err);
    case YORE_AT_START: {
        uint64_t first = first_data(out->branch, visible), kept = yr_trim_oldest(out->branch);
        if (!first) first = out->branch->create_version;
        if (first < kept) first = kept < visible ? kept : visible; /* if that is trimmed, it is said below */
        return set_point(first, out, err);
    }
    case YORE_AT_FORK:
        if (!out->branch->parent) {
            return yr_fail(err, YORE_ERR_SPEC, "branch '%s' has no parent, so no fork point",
                           yr_branch_text(out->branch));
        }
        return set_point(out->branch->fork_version, out, err);
    default: return yr_fail(err, YORE_ERR_MISUSE, "a point of unknown kind %" PRIu32, at->kind);
    }
}

/* `beside` NULL: at the newest version. */
static yore_status find_point(yore_db *db, const yore_at *at, const yr_point_found *beside,
                              yr_point_found *out, yore_error *err)
{
    *out = (yr_point_found){0};
    bool tag_names_branch = at->kind == YORE_AT_TAG && !at->branch[0] && !at->branch_id;
    yore_status status = tag_names_branch ? YORE_OK : find_branch(db, at, out, err);
    if (status < 0) return status;
    /* after the branch: they have what it was forked from, unless it was forked since `beside` */
    if (beside) {
        yr_layers_ref(beside->layers);
        out->layers = beside->layers;
        out->visible = beside->visible;
    } else {
        out->layers = yr_store_now(&db->store, &out->visible);
    }
    status = at->kind == YORE_AT_TAG ? find_tag(db, at, out, err) : find_moment(db, at, out, err);
    if (status == YORE_OK) status = yr_trim_check(db, out->branch, out->cap, err);
    if (status < 0) yr_layers_unref(out->layers);
    return status;
}

static const yore_at at_now = YORE_AT_INIT;

static yore_status check_at(const yore_at *at, yore_error *err)
{
    if (at->struct_size == sizeof *at) return YORE_OK;
    return yr_fail(err, YORE_ERR_MISUSE, "the point is not initialised with YORE_AT_INIT");
}

yore_status yr_at_find_beside(yore_db *db, const yore_at *at, const yr_point_found *beside,
                              yr_point_found *out, yore_error *err)
{
    if (!at) at = &at_now;
    yore_status status = check_at(at, err);
    return status == YORE_OK ? find_point(db, at, beside, out, err) : status;
}

yore_status yr_at_find(yore_db *db, const yore_at *at, yr_point_found *out, yore_error *err)
{
    if (!at) at = &at_now;
    yore_status status = check_at(at, err);
    if (status == YORE_OK) status = find_point(db, at, NULL, out, err);
    if (status != YORE_ERR_TRIMMED || !db->store.read_only || out->cap < out->visible ||
        yr_db_usable(db, NULL) < 0)
        return status;
    /* A refresh under way has told the catalog what was trimmed, and has not published the versions it was trimmed up
     * to yet: what was the newest a moment ago is not any more. */
    yr_store_lead(&db->store);
    yr_store_unlead(&db->store);
    return find_point(db, at, NULL, out, err);
}

yore_status yr_where_fill(const yr_layers *layers, uint64_t visible, const yr_branch *branch,
                          uint64_t version, uint64_t cap, int64_t cap_time_ns, yore_where *out,
                          yore_error *err)
{
    uint64_t first = first_data(branch, visible);
    *out = (yore_where){.struct_size = sizeof *out,
                        .branch_id = branch->id,
                        .version = version,
                        .time_ns = cap_time_ns,
                        .snap_version = cap,
                        .snap_time_ns = cap_time_ns,
                        .first_data_version = first};
    snprintf(out->branch, sizeof out->branch, "%s", yr_branch_text(branch));
    yore_status status = YORE_OK;
    if (version) status = yr_layers_commit_time(layers, version, &out->time_ns, err);
    if (status == YORE_OK && first)
        status = yr_layers_commit_time(layers, first, &out->first_data_time_ns, err);
    return status;
}

yore_status yore_at_resolve(yore_db *db, const yore_at *at, yore_where *out, yore_error *err)
{
    yr_point_found found;
    yore_status status = yr_at_find(db, at, &found, err);
    if (status < 0) return status;
    status = yr_where_fill(found.layers, found.visible, found.branch, found.version, found.cap, found.time_ns,
                           out, err);
    yr_layers_unref(found.layers);
    return status;
}
