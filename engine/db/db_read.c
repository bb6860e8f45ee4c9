/* Snapshots and point reads. */
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/handle.h"

yore_status yr_out_check(uint32_t struct_size, size_t wanted, yore_error *err)
{
    if (struct_size == wanted) return YORE_OK;
    return yr_fail(err, YORE_ERR_MISUSE, "set struct_size of the struct to fill first (%u given, %zu wanted)",
                   struct_size, wanted);
}

yore_status yr_key_check(yore_key key, yore_error *err)
{
    if (key.user.size == 0)
        return yr_fail(err, YORE_ERR_LIMIT, "a key is empty: keys are 1 to %u bytes", YORE_KEY_BYTES_MAX);
    if (key.user.size > YORE_KEY_BYTES_MAX) {
        return yr_fail(err, YORE_ERR_LIMIT, "a key of %zu bytes is too long: keys are 1 to %u bytes",
                       key.user.size, YORE_KEY_BYTES_MAX);
    }
    if (key.primitive > YORE_SYSTEM)
        return yr_fail(err, YORE_ERR_MISUSE, "there is no primitive %u", key.primitive);
    return YORE_OK;
}

yore_status yore_snap_open(yore_db *db, const yore_at *at, yore_snap **out, yore_where *resolved,
                           yore_error *err)
{
    yr_point_found found;
    yore_status status = yr_at_find(db, at, &found, err);
    if (status < 0) return status;
    yore_snap *snap = yr_alloc(db->env, sizeof *snap);
    if (!snap) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a snapshot");
    yr_db_ref(db);
    snap->db = db;
    snap->view = yr_store_view(&db->store, found.branch, found.cap, found.time_ns);
    if (resolved) yr_where_fill(db, found.branch, found.version, found.cap, found.time_ns, resolved);
    *out = snap;
    return YORE_OK;
}

void yore_snap_close(yore_snap *snap)
{
    if (!snap) return;
    yore_db *db = snap->db;
    yr_free(db->env, snap, sizeof *snap);
    yr_db_unref(db);
}

void yr_pin_fill(yore_db *db, const yr_found *found, yore_pin *out)
{
    const yr_memtable *mem = db->store.mem;
    const yr_version *v = found->version;
    out->value = yr_version_value(v);
    out->meta = yr_version_meta(v);
    out->version = yr_memtable_version(mem, v);
    out->expiry_ns = yr_version_expiry(v);
    out->branch_id = found->branch;
    out->type = yr_version_type(v);
    out->own[0] = db;
    out->own[1] = NULL;
}

/* Values stay where they are for as long as the store's memory: only the walk needs the epoch. */
static yore_status get(yore_db *db, const yr_view *view, yore_key key, uint64_t key_hash, yore_pin *out)
{
    yr_found found;
    yr_epoch_enter();
    bool any = yr_lineage_find(view, key_hash, yr_key_primitive(key), key.user, &found);
    yr_epoch_exit();
    int64_t time_ns = YR_BUG(EXPIRY_WALL_CLOCK) ? db->env->wall_ns(db->env->ctx) : view->time_ns;
    if (!any || !yr_version_is_visible(found.version, time_ns)) return YORE_NOT_FOUND;
    yr_pin_fill(db, &found, out);
    return YORE_OK;
}

yore_status yore_get(yore_snap *snap, yore_key key, yore_pin *out, yore_error *err)
{
    yore_status status = yr_key_check(key, err);
    if (status < 0) return status;
    uint64_t key_hash = yr_memtable_key_hash(snap->view.mem, yr_key_primitive(key), key.user);
    return get(snap->db, &snap->view, key, key_hash, out);
}

/* The hop a lookup will start at: where its first bucket is. */
static const yr_branch *first_hop(const yr_view *view, uint64_t key_hash)
{
    const yr_branch *hop = view->branch;
    while (hop->parent && !yr_branch_may_hold(hop, key_hash)) hop = hop->parent;
    return hop;
}

yore_status yore_get_many(yore_snap *snap, const yore_key *keys, size_t n, yore_pin *out, yore_status *each,
                          yore_error *err)
{
    enum { BATCH = 16 }; /* buckets, then entries, then reads: each round of misses overlaps */
    const yr_view *view = &snap->view;
    if (n && (!keys || !out || !each))
        return yr_fail(err, YORE_ERR_MISUSE, "get_many needs keys, pins and statuses");
    for (size_t start = 0; start < n; start += BATCH) {
        size_t count = n - start < BATCH ? n - start : BATCH;
        uint64_t hash[BATCH], bucket[BATCH];
        yr_epoch_enter();
        for (size_t i = 0; i < count; i++) {
            yore_key key = keys[start + i];
            each[start + i] = yr_key_check(key, NULL);
            if (each[start + i] < 0) continue;
            hash[i] = yr_memtable_key_hash(view->mem, yr_key_primitive(key), key.user);
            bucket[i] = yr_branch_hash(hash[i], first_hop(view, hash[i])->id);
            yr_hash_index_prefetch_bucket(view->mem->hash, bucket[i]);
        }
        for (size_t i = 0; i < count; i++) {
            if (each[start + i] == YORE_OK) yr_hash_index_prefetch_entry(view->mem->hash, bucket[i]);
        }
        for (size_t i = 0; i < count; i++) {
            if (each[start + i] < 0) continue;
            each[start + i] = get(snap->db, view, keys[start + i], hash[i], &out[start + i]);
        }
        yr_epoch_exit();
    }
    return YORE_OK;
}

int64_t yore_pin_time(const yore_pin *pin)
{
    const yore_db *db = pin->own[0];
    return db ? yr_commit_time(&db->store.mem->commits, pin->version) : 0;
}

yore_status yore_pin_keep(yore_pin *pin, yore_error *err)
{
    if (!pin->own[0]) return yr_fail(err, YORE_ERR_MISUSE, "the pin holds nothing");
    if (pin->own[1]) return YORE_OK;
    yr_db_ref(pin->own[0]);
    pin->own[1] = pin->own[0];
    return YORE_OK;
}

void yore_unpin(yore_pin *pin)
{
    yore_db *owner = pin->own[1];
    static const yore_pin released = YORE_PIN_INIT;
    *pin = released;
    if (owner) yr_db_unref(owner);
}

yore_status yore_db_get(yore_db *db, yore_slice branch_name, yore_key key, yore_pin *out, yore_error *err)
{
    yore_status status = yr_key_check(key, err);
    if (status < 0) return status;
    const yr_branch *branch = yr_db_branch(db, branch_name, err);
    if (!branch) return YORE_ERR_NO_BRANCH;
    uint64_t visible = yr_store_visible(&db->store);
    int64_t now = db->env->wall_ns(db->env->ctx), latest = yr_commit_time(&db->store.mem->commits, visible);
    yr_view view = yr_store_view(&db->store, branch, visible, now > latest ? now : latest);
    uint64_t key_hash = yr_memtable_key_hash(db->store.mem, yr_key_primitive(key), key.user);
    status = get(db, &view, key, key_hash, out);
    return status == YORE_OK ? yore_pin_keep(out, err) : status;
}
