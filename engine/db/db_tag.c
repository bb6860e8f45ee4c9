/* Tags: a name for (branch, version), one registry row each. */
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/branch/lineage_scan.h"
#include "engine/db/handle.h"

typedef struct tag_plan {
    yore_db *db;
    yore_slice name;
    yr_tag_record record;
    bool remove;
} tag_plan;

static yore_status plan_tag(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    tag_plan *plan = request->plan_arg;
    /* the leader judges against what is committed, published or not */
    yore_status found = yr_registry_get(plan->db, 't', plan->name, version, NULL, request->err);
    if (found < 0) return found;
    bool exists = found == YORE_OK;
    int size = (int)plan->name.size;
    const char *name = plan->name.data;
    if (exists && !plan->remove)
        return yr_fail(request->err, YORE_ERR_EXISTS, "there is a tag '%.*s' already", size, name);
    if (!exists && plan->remove) return yr_fail(request->err, YORE_ERR_NO_TAG, "no tag '%.*s'", size, name);

    if (!plan->remove) {
        const yr_branch *branch = yr_catalog_by_id(store->catalog, plan->record.branch);
        yore_status kept = yr_trim_check(plan->db, branch, plan->record.version, request->err);
        if (kept < 0) return kept;
    }
    uint8_t *key = yr_arena_alloc(&store->scratch, YR_REGISTRY_KEY_MAX);
    uint8_t *value = yr_arena_alloc(&store->scratch, YR_TAG_RECORD_BYTES);
    request->rows = yr_arena_alloc(&store->scratch, sizeof *request->rows);
    if (!key || !value || !request->rows)
        return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for a tag");
    plan->record.created_ns = wall_ns;
    yr_tag_record_encode(&plan->record, value);
    request->rows[0] = (yr_row){.key = {key, yr_registry_key('t', plan->name, key)},
                                .branch = YR_REGISTRY_BRANCH,
                                .primitive = YORE_SYSTEM,
                                .op = plan->remove ? YORE_OP_DEL : YORE_OP_PUT};
    if (!plan->remove) request->rows[0].value = yore_bytes(value, YR_TAG_RECORD_BYTES);
    request->row_count = 1;
    return YORE_OK;
}

static yore_status commit_tag(yore_db *db, tag_plan *plan, yore_where *where, yore_error *err)
{
    yr_request request = {.err = err, .plan = plan_tag, .plan_arg = plan, .kind = YORE_COMMIT_TAG};
    return yr_registry_commit(db, &request, YORE_SYNC_DEFAULT, where);
}

yore_status yore_tag_create(yore_db *db, yore_slice name, const yore_at *at, yore_where *where,
                            yore_error *err)
{
    yr_point_found found;
    yore_status status = yore_name_check(name, err);
    if (status == YORE_OK) status = yr_at_find(db, at, &found, err);
    if (status < 0) return status;
    yr_layers_unref(found.layers);
    tag_plan plan = {
        .db = db, .name = name, .record = {.branch = found.branch->id, .version = found.version}};
    status = commit_tag(db, &plan, where, err);
    if (status == YORE_OK && where) {
        where->branch_id = found.branch->id;
        snprintf(where->branch, sizeof where->branch, "%s", yr_branch_text(found.branch));
    }
    return status;
}

yore_status yore_tag_delete(yore_db *db, yore_slice name, yore_where *where, yore_error *err)
{
    if (name.size > YORE_BRANCH_NAME_MAX) return yr_fail(err, YORE_ERR_NO_TAG, "no tag of so long a name");
    tag_plan plan = {.db = db, .name = name, .remove = true};
    return commit_tag(db, &plan, where, err);
}

/* The tag of a registry row, when it is one behind `after`. */
static bool take_tag(const yore_db *db, const yore_row *row, yore_slice after, yore_tag_info *out)
{
    yr_tag_record record;
    const char *text = row->key.data;
    yore_slice name = yore_bytes(text + 1, row->key.size - 1);
    if (yr_slice_compare(name, after) <= 0 || !yr_tag_record_decode(row->value, &record)) return false;
    *out = (yore_tag_info){.struct_size = sizeof *out,
                           .branch_id = record.branch,
                           .version = record.version,
                           .created_ns = record.created_ns};
    snprintf(out->name, sizeof out->name, "%.*s", (int)name.size, (const char *)name.data);
    snprintf(out->branch, sizeof out->branch, "%s",
             yr_branch_text(yr_catalog_by_id(db->store.catalog, record.branch)));
    return true;
}

/* Tags are found by walking the registry's rows, which are in name order. */
yore_status yore_tag_next(yore_db *db, yore_slice after, yore_tag_info *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    if (after.size > YORE_BRANCH_NAME_MAX) return yr_fail(err, YORE_ERR_MISUSE, "no tag has so long a name");
    uint8_t from[YR_REGISTRY_KEY_MAX];
    yore_range range = YORE_RANGE_INIT;
    range.primitive = YORE_SYSTEM;
    range.prefix = yore_str("t");
    range.from = yore_bytes(from, yr_registry_key('t', after, from));
    uint64_t visible;
    yr_layers *layers = yr_store_now(&db->store, &visible);
    yr_view view = yr_store_view(&db->store, layers, &yr_registry_branch, visible, 0);
    yr_scan scan;
    yore_row row;
    size_t n = 1;
    bool found = false;
    yore_status status = yr_scan_init(&scan, &view, &range, err);
    while (status == YORE_OK && n && !found) {
        status = yr_scan_next(&scan, &row, sizeof row, 1, &n, err);
        if (status == YORE_OK && n) found = take_tag(db, &row, after, out);
    }
    if (found) status = yr_layers_commit_time(layers, out->version, &out->time_ns, err);
    yr_scan_deinit(&scan);
    yr_layers_unref(layers);
    return status == YORE_OK && !found ? YORE_END : status;
}
