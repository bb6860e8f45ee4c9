/* From a backup to a store again: a new one on disk (store_maker.h), or one in memory to look at. */
#include <inttypes.h>

#include "engine/backup/store_maker.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

/* -- taking commits -- */

typedef struct restore {
    const yore_env *env;
    const char *path;      /* of the backup */
    yr_store_maker *maker; /* NULL = in memory */
    uint64_t last_version; /* to take */
    yore_db *db;           /* NULL until the first commit is there; the maker's, if there is one */
} restore;

/* How many of the bytes are frames up to `last_version`; more follow when it is fewer than all. */
static size_t wanted_bytes(yore_slice frames, uint64_t first, uint64_t last, uint64_t last_version)
{
    const uint8_t *p = frames.data;
    size_t size = 0;
    if (last <= last_version) return frames.size;
    for (uint64_t version = first; version <= last_version; version++) size += yr_get_le32(p + size);
    return size;
}

static yore_status create_in_memory(restore *r, yore_slice first_frame, yore_error *err)
{
    const yore_env *env = r->env;
    yore_db *db = yr_alloc_lines(env, sizeof *db);
    if (!db) return yr_fail(err, YORE_ERR_NOMEM, "out of memory while opening '%s'", r->path);
    db->env = env;
    db->store.read_only = true;
    db->store.owner = db;
    yr_mutex_init(&db->stray_mutex, YR_RANK_STRAY);
    db->search_bytes_max = UINT64_C(4) << 30;
    db->fork_generation = yr_fork_generation();
    atomic_store_explicit(&db->refs, 1, memory_order_relaxed); /* nobody else knows it yet */
    r->db = db;
    yore_status status = yr_store_init(&db->store, env, 0, err);
    if (status == YORE_OK) status = yr_store_begin(&db->store, &(yr_store_start){0}, err);
    if (status < 0) return status;
    db->store.sync = YORE_SYNC_NONE;
    db->path_bytes = strlen(r->path) + 1;
    db->path = yr_alloc(env, db->path_bytes);
    if (!db->path) {
        db->path_bytes = 0;
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory while opening '%s'", r->path);
    }
    memcpy(db->path, r->path, db->path_bytes);
    return yr_store_replay(&db->store, first_frame, err);
}

static yore_status take_frames(void *arg, yore_slice frames, uint64_t first, uint64_t last, yore_error *err)
{
    restore *r = arg;
    yore_status status = YORE_OK;
    if (first > r->last_version)
        return YORE_OK; /* read on all the same: an altered backup is refused whole */
    frames.size = wanted_bytes(frames, first, last, r->last_version);
    if (r->maker) {
        status = yr_store_maker_put(r->maker, frames, err);
        r->db = r->maker->db;
    } else {
        size_t first_bytes = r->db ? 0 : yr_get_le32(frames.data);
        if (!r->db) status = create_in_memory(r, yore_bytes(frames.data, first_bytes), err);
        frames = yore_bytes((const uint8_t *)frames.data + first_bytes, frames.size - first_bytes);
        if (status == YORE_OK) status = yr_store_ingest(r->db, frames, err);
    }
    if (status == YORE_ERR_CORRUPT && err) { /* replay speaks of a log */
        const yore_error inner = *err;
        status = yr_fail(err, YORE_ERR_CORRUPT, "backup '%s' cannot be restored: %s", r->path, inner.message);
    }
    return status;
}

/* Read a chain into r->db, which is closed when anything fails, unless it is the maker's. */
static yore_status run(restore *r, const yore_backup_options *options, yore_backup_info *out, yore_error *err)
{
    yr_backup_chain *chain = NULL;
    yore_backup_info info;
    yore_status status = yr_backup_chain_open(r->path, options, &chain, err);
    if (status < 0) return status;
    yr_backup_chain_info(chain, &info);
    r->last_version = options->last_version ? options->last_version : info.last_version;
    if (r->last_version > info.last_version) {
        status = yr_fail(err, YORE_ERR_TIME_RANGE,
                         "there is no v%" PRIu64 " in backup '%s': it ends at v%" PRIu64, r->last_version,
                         r->path, info.last_version);
    }
    if (status == YORE_OK) status = yr_backup_chain_run(chain, options, take_frames, r, err);
    yr_backup_chain_close(chain);
    if (status < 0) {
        if (!r->maker) yore_close(r->db);
        r->db = NULL;
        return status;
    }
    if (out) {
        *out = info;
        out->last_version = yr_store_visible(&r->db->store);
        (void)yr_db_commit_time(r->db, out->last_version, &out->last_time_ns,
                                NULL); /* a memtable's: no failure */
    }
    return YORE_OK;
}

yore_status yore_backup_open(const char *path, const yore_backup_options *options, yore_db **out,
                             yore_error *err)
{
    if (!path || !out)
        return yr_fail(err, YORE_ERR_MISUSE, "the path of a backup and a place for the handle are needed");
    yore_status status = yr_backup_options_check(&options, NULL, err);
    if (status < 0) return status;
    restore r = {.env = yr_backup_env(options), .path = path};
    status = run(&r, options, NULL, err);
    if (status == YORE_OK) *out = r.db;
    return status;
}

yore_status yore_backup_restore(const char *path, const char *new_path, const yore_backup_options *options,
                                yore_backup_info *out, yore_error *err)
{
    if (!path || !new_path)
        return yr_fail(err, YORE_ERR_MISUSE, "the path of a backup and one for the store are needed");
    yore_status status = yr_backup_options_check(&options, out, err);
    if (status < 0) return status;
    yore_backup_info info;
    yr_store_maker maker = {0};
    restore r = {.env = yr_backup_env(options), .path = path, .maker = &maker};
    status = yr_store_maker_begin(&maker, r.env, new_path, err);
    if (status == YORE_OK) status = run(&r, options, &info, err);
    if (status == YORE_OK) status = yr_store_maker_finish(&maker, err);
    if (status == YORE_OK && out) *out = info;
    yr_store_maker_abandon(&maker);
    return status;
}
