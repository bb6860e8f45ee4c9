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
    if (resolved) {
        status = yr_where_fill(found.layers, found.visible, found.branch, found.version, found.cap,
                               found.time_ns, resolved, err);
    }
    yore_snap *snap = status == YORE_OK ? yr_alloc(db->env, sizeof *snap) : NULL;
    if (status == YORE_OK && !snap) status = yr_fail(err, YORE_ERR_NOMEM, "out of memory for a snapshot");
    if (status == YORE_OK) {
        yr_pin_source_init(&snap->reader, db, found.layers);
        snap->view = yr_point_view(&found);
        *out = snap;
    }
    yr_layers_unref(found.layers);
    return status;
}

void yore_snap_close(yore_snap *snap)
{
    if (!snap) return;
    yore_db *db = snap->reader.db;
    yr_db_ref(db); /* the environment is wanted a moment longer */
    yr_pin_source_deinit(&snap->reader);
    yr_free(db->env, snap, sizeof *snap);
    yr_db_unref(db);
}

/* Bytes stay where they are for as long as the layers (or the pinned block): only the walk needs the epoch. */
static yore_status get(yr_pin_source *reader, const yr_view *view, const yr_lookup *key, yore_pin *out,
                       yore_error *err)
{
    yr_found found;
    yr_epoch_enter();
    yore_status status = yr_lineage_find(view, key, &found, err);
    yr_epoch_exit();
    if (status != YORE_OK) return status;
    int64_t time_ns = view->time_ns;
    if (YR_BUG(EXPIRY_WALL_CLOCK)) time_ns = reader->db->env->wall_ns(reader->db->env->ctx);
    if (!yr_found_is_visible(&found, time_ns)) {
        yr_found_release(&found);
        return YORE_NOT_FOUND;
    }
    return yr_pin_fill(reader, &found, out, err);
}

static yr_lookup lookup_of(const yr_layers *layers, yore_key key)
{
    uint32_t primitive = yr_key_primitive(key);
    return (yr_lookup){.key_hash = yr_layers_key_hash(layers, primitive, key.user),
                       .user_key = key.user,
                       .primitive = primitive};
}

yore_status yore_get(yore_snap *snap, yore_key key, yore_pin *out, yore_error *err)
{
    yore_status status = yr_key_check(key, err);
    if (status < 0) return status;
    const yr_lookup lookup = lookup_of(snap->view.layers, key);
    status = get(&snap->reader, &snap->view, &lookup, out, err);
    yr_flatten_if_wanted(snap->reader.db, snap->view.branch);
    return status;
}

/* What a lookup will touch first in the youngest layers, on its way into the cache. */
static void prefetch(const yr_view *view, const yr_lookup *key, uint64_t hash)
{
    const yr_layers *layers = view->layers;
    yr_hash_index_prefetch_bucket(layers->mems[0]->hash, hash);
    if (layers->run_count == 0) return;
    uint8_t bytes[YR_TREE_KEY_PREFIX + 64]; /* a run of one file needs no key, others only its beginning */
    size_t size = key->user_key.size < 64 ? key->user_key.size : 64;
    yr_put_be32(bytes, view->branch->id);
    bytes[4] = (uint8_t)key->primitive;
    memcpy(bytes + YR_TREE_KEY_PREFIX, key->user_key.data, size);
    for (uint32_t i = 0; i < layers->run_count && i < 4; i++) {
        yr_run_prefetch(layers->runs[i], yore_bytes(bytes, YR_TREE_KEY_PREFIX + size), hash);
    }
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
        uint64_t bucket[BATCH];
        yr_lookup lookup[BATCH];
        yr_epoch_enter();
        for (size_t i = 0; i < count; i++) {
            yore_key key = keys[start + i];
            each[start + i] = yr_key_check(key, NULL);
            if (each[start + i] < 0) continue;
            lookup[i] = lookup_of(view->layers, key);
            bucket[i] =
                yr_branch_hash(lookup[i].key_hash, yr_lineage_first(view->branch, lookup[i].key_hash)->id);
            prefetch(view, &lookup[i], bucket[i]);
        }
        for (size_t i = 0; i < count; i++) {
            if (each[start + i] == YORE_OK)
                yr_hash_index_prefetch_entry(view->layers->mems[0]->hash, bucket[i]);
        }
        for (size_t i = 0; i < count; i++) {
            if (each[start + i] < 0) continue;
            each[start + i] = get(&snap->reader, view, &lookup[i], &out[start + i], NULL);
        }
        yr_epoch_exit();
        yr_flatten_if_wanted(snap->reader.db, view->branch);
    }
    return YORE_OK;
}

yore_status yore_db_get(yore_db *db, yore_slice branch_name, yore_key key, yore_pin *out, yore_error *err)
{
    yore_status status = yr_key_check(key, err);
    if (status < 0) return status;
    const yr_branch *branch = yr_db_branch(db, branch_name, err);
    if (!branch) return YORE_ERR_NO_BRANCH;
    uint64_t visible;
    yr_pin_source reader = {.db = db, .layers = yr_store_now(&db->store, &visible)};
    int64_t now = db->env->wall_ns(db->env->ctx), latest;
    status = yr_layers_commit_time(reader.layers, visible, &latest, err);
    if (status == YORE_OK) {
        yr_view view = yr_store_view(&db->store, reader.layers, branch, visible, now > latest ? now : latest);
        const yr_lookup lookup = lookup_of(reader.layers, key);
        status = get(&reader, &view, &lookup, out, err);
    }
    if (status == YORE_OK) status = yore_pin_keep(out, err);
    yr_flatten_if_wanted(db, branch);
    yr_layers_unref(reader.layers);
    return status;
}
