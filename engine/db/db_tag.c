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
    yr_found found;
    /* the leader judges against what is committed, published or not */
    bool exists = yr_registry_get(plan->db, 't', plan->name, version, &found) == YORE_OK;
    int size = (int)plan->name.size;
    const char *name = plan->name.data;
    if (exists && !plan->remove)
        return yr_fail(request->err, YORE_ERR_EXISTS, "there is a tag '%.*s' already", size, name);
    if (!exists && plan->remove) return yr_fail(request->err, YORE_ERR_NO_TAG, "no tag '%.*s'", size, name);

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

/* Tags are found by walking the registry's rows, which are in name order. */
yore_status yore_tag_next(yore_db *db, yore_slice after, yore_tag_info *out, yore_error *err)
{
    if (!out || yr_out_check(out->struct_size, sizeof *out, err) < 0) return YORE_ERR_MISUSE;
    const yr_memtable *mem = db->store.mem;
    uint64_t visible = yr_store_visible(&db->store);
    uint8_t seek[YR_TREE_KEY_PREFIX + YR_REGISTRY_KEY_MAX] = {0};
    if (after.size > YORE_BRANCH_NAME_MAX) return yr_fail(err, YORE_ERR_MISUSE, "no tag has so long a name");
    yr_put_be32(seek, YR_REGISTRY_BRANCH);
    seek[4] = YORE_SYSTEM;
    size_t size = YR_TREE_KEY_PREFIX + yr_registry_key('t', after, seek + YR_TREE_KEY_PREFIX);
    yr_art_iter iter;
    yore_status status = YORE_END;
    yr_art_iter_init(&iter, mem->art);
    yr_epoch_enter();
    for (yr_ref ref = yr_art_seek(&iter, yore_bytes(seek, size)); ref; ref = yr_art_next(&iter)) {
        const yr_entry *entry = yr_entry_at(&mem->region, ref);
        yore_slice key = yr_entry_user_key(entry);
        const char *text = key.data;
        if (yr_entry_branch(entry) != YR_REGISTRY_BRANCH || yr_entry_primitive(entry) != YORE_SYSTEM) break;
        if (text[0] != 't') break;
        yore_slice name = yore_bytes(text + 1, key.size - 1);
        if (yr_slice_compare(name, after) <= 0) continue;
        const yr_version *v = yr_chain_find(&mem->region, entry, yr_memtable_cap(mem, visible), false);
        yr_tag_record record;
        if (!v || yr_version_op(v) != YORE_OP_PUT || !yr_tag_record_decode(yr_version_value(v), &record))
            continue;
        *out = (yore_tag_info){.struct_size = sizeof *out,
                               .branch_id = record.branch,
                               .version = record.version,
                               .time_ns = yr_commit_time(&mem->commits, record.version),
                               .created_ns = record.created_ns};
        snprintf(out->name, sizeof out->name, "%.*s", (int)name.size, (const char *)name.data);
        snprintf(out->branch, sizeof out->branch, "%s",
                 yr_branch_text(yr_catalog_by_id(db->store.catalog, record.branch)));
        status = YORE_OK;
        break;
    }
    yr_epoch_exit();
    if (iter.failed) status = yr_fail(err, YORE_ERR_NOMEM, "out of memory while listing tags");
    yr_art_iter_deinit(&iter);
    return status;
}
