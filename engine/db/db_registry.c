/* The registry: branches, tags and settings as versioned rows of branch 0, read and written here. */
#include "engine/base/error.h"
#include "engine/db/handle.h"

yore_status yr_registry_get(const yore_db *db, char kind, yore_slice name, uint64_t version, yr_buf *value,
                            yore_error *err)
{
    uint8_t bytes[YR_REGISTRY_KEY_MAX];
    if (name.size > YORE_BRANCH_NAME_MAX) return YORE_NOT_FOUND;
    yr_layers *layers = yr_store_layers_ref(&db->store);
    yore_slice key = yore_bytes(bytes, yr_registry_key(kind, name, bytes));
    const yr_lookup lookup = {
        .key_hash = yr_layers_key_hash(layers, YORE_SYSTEM, key), .user_key = key, .primitive = YORE_SYSTEM};
    yr_found found;
    yr_epoch_enter();
    yore_status status =
        yr_layers_find(layers, &lookup, YR_REGISTRY_BRANCH, version, UINT64_MAX, false, &found, err);
    yr_epoch_exit();
    if (status == YORE_OK) {
        if (found.op != YORE_OP_PUT)
            status = YORE_NOT_FOUND;
        else if (value && !yr_buf_append(value, found.value.data, found.value.size))
            status = yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the registry");
        yr_found_release(&found);
    }
    yr_layers_unref(layers);
    return status;
}

yore_status yr_registry_commit(yore_db *db, yr_request *request, uint32_t sync, yore_where *where)
{
    yore_status status = yr_db_writable(db, request->err);
    if (status == YORE_OK) status = yr_db_sync_check(db, sync, request->err);
    if (status < 0) return status;
    request->sync = yr_db_sync_mode(db, sync);
    status = yr_commit_run(&db->store, request);
    if (status == YORE_OK && where) {
        *where = (yore_where){.struct_size = sizeof *where,
                              .version = request->version,
                              .time_ns = request->time_ns,
                              .snap_version = request->version,
                              .snap_time_ns = request->time_ns};
    }
    return status;
}
