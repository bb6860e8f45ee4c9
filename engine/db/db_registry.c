/* The registry: branches, tags and settings as versioned rows of branch 0, read and written here. */
#include "engine/base/error.h"
#include "engine/db/handle.h"

yore_status yr_registry_get(const yore_db *db, char kind, yore_slice name, uint64_t version, yr_found *out)
{
    const yr_memtable *mem = db->store.mem;
    uint8_t key[YR_REGISTRY_KEY_MAX];
    if (name.size > YORE_BRANCH_NAME_MAX) return YORE_NOT_FOUND;
    yore_slice user_key = yore_bytes(key, yr_registry_key(kind, name, key));
    uint64_t hash = yr_memtable_key_hash(mem, YORE_SYSTEM, user_key);
    yr_epoch_enter();
    yr_ref ref = yr_memtable_find(mem, hash, YR_REGISTRY_BRANCH, YORE_SYSTEM, user_key);
    const yr_version *v = ref ? yr_chain_find(&mem->region, yr_entry_at(&mem->region, ref),
                                              yr_memtable_cap(mem, version), false)
                              : NULL;
    yr_epoch_exit();
    if (!v || yr_version_op(v) != YORE_OP_PUT) return YORE_NOT_FOUND;
    *out = (yr_found){.version = v, .entry = ref, .branch = YR_REGISTRY_BRANCH};
    return YORE_OK;
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
