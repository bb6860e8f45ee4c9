/* From a backup to a store again: a new one on disk, or one in memory to look at.
 *
 * A store on disk is made in a directory of another name beside its place, `.NAME.restore-` and 16 digits, and gets its
 * name when it is whole, synced and closed. Its commits go through replay, as at every open, so bytes that no store
 * would have written are refused whatever their checksums say. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/backup/backup_private.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

/* -- taking commits -- */

typedef struct restore {
    const yore_env *env;
    const char *path;      /* of the backup */
    const char *dir_path;  /* of the store being made; NULL = in memory */
    yore_dir *dir;         /* the same, open */
    uint64_t last_version; /* to take */
    uint64_t version;      /* taken */
    int64_t time_ns;       /* of it */
    yore_db *db;           /* NULL until the first commit is there */
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

/* The first commit makes a store. */
static yore_status create_on_disk(restore *r, yore_slice first_frame, yore_error *err)
{
    const yr_wal_options log = {.env = r->env, .dir = r->dir, .path = r->dir_path};
    yore_status status = yr_wal_create(&log, first_frame, err);
    if (status < 0) return status;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = r->env;
    options.sync = YORE_SYNC_OS; /* synced once, at the end */
    return yore_open(r->dir_path, &options, &r->db, err);
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

/* Append whole frames to the store, as they are: to the log, and to memory. */
static yore_status ingest(yore_db *db, yore_slice frames, yore_error *err)
{
    yr_store *store = &db->store;
    yore_status status = YORE_OK;
    uint64_t lsn = 0;
    if (frames.size == 0) return YORE_OK;
    yr_store_lead(store);
    if (db->wal) status = yr_wal_reserve(db->wal, frames.size, false, err);
    if (status == YORE_OK) status = yr_store_replay(store, frames, err);
    if (status == YORE_OK && db->wal) status = yr_wal_append(db->wal, frames, &lsn, err);
    if (status == YORE_OK && store->after_group) store->after_group(store->after_group_arg);
    yr_store_unlead(store);
    return status;
}

static yore_status take_frames(void *arg, yore_slice frames, uint64_t first, uint64_t last, yore_error *err)
{
    restore *r = arg;
    yore_status status = YORE_OK;
    if (first > r->last_version)
        return YORE_OK; /* read on all the same: an altered backup is refused whole */
    frames.size = wanted_bytes(frames, first, last, r->last_version);
    if (!r->db) {
        yore_slice one = {frames.data, yr_get_le32(frames.data)};
        status = r->dir_path ? create_on_disk(r, one, err) : create_in_memory(r, one, err);
        frames = yore_bytes((const uint8_t *)frames.data + one.size, frames.size - one.size);
    }
    if (status == YORE_OK) status = ingest(r->db, frames, err);
    if (status == YORE_ERR_CORRUPT && err) { /* replay speaks of a log */
        const yore_error inner = *err;
        status = yr_fail(err, YORE_ERR_CORRUPT, "backup '%s' cannot be restored: %s", r->path, inner.message);
    }
    return status;
}

/* Read a chain into r->db, which is closed when anything fails. */
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
        yore_close(r->db);
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

/* -- a store on disk -- */

/* The directory a store is made in. */
typedef struct workshop {
    yr_backup_place place; /* of the store to be */
    char *path;            /* of the directory, "parent/name" */
    size_t path_bytes;
    const char *name; /* in path */
    yore_dir *dir;
} workshop;

static yore_status workshop_open(workshop *w, const yore_env *env, const char *new_path, yore_error *err)
{
    uint64_t random;
    yore_status status = yr_backup_place_init(&w->place, env, new_path, err);
    if (status == YORE_OK) status = yr_backup_place_is_free(&w->place, err);
    if (status < 0) return status;
    int rc = env->random(env->ctx, &random, sizeof random);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot get random bytes for '%s'", new_path);
    size_t parent_size = strlen(w->place.parent);
    w->path_bytes = parent_size + strlen(w->place.name) + 40;
    w->path = yr_alloc(env, w->path_bytes);
    if (!w->path) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for '%s'", new_path);
    (void)snprintf(w->path, w->path_bytes, "%s/.%s.restore-%016" PRIx64, w->place.parent, w->place.name,
                   random);
    w->name = w->path + parent_size + 1;
    bool created = false;
    rc = env->dir_open(env->ctx, w->path, YORE_DIR_CREATE, &created, &w->dir);
    if (rc < 0) {
        w->dir = NULL;
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot make a directory beside '%s'", new_path);
    }
    if (created) return YORE_OK;
    env->dir_close(env->ctx, w->dir); /* not ours to work in, or to remove */
    w->dir = NULL;
    return yr_fail(err, YORE_ERR_EXISTS, "there is something at '%s' already", w->path);
}

static int remove_name(void *arg, const char *name)
{
    const workshop *w = arg;
    (void)w->place.env->unlink(w->place.env->ctx, w->dir, name);
    return 0;
}

/* Take everything away again. */
static void workshop_remove(workshop *w)
{
    const yore_env *env = w->place.env;
    if (!w->dir) return;
    (void)env->dir_list(env->ctx, w->dir, remove_name, w);
    env->dir_close(env->ctx, w->dir);
    w->dir = NULL;
    (void)env->unlink(env->ctx, w->place.dir, w->name);
}

/* Give the finished store its name. */
static yore_status workshop_finish(workshop *w, yore_error *err)
{
    const yore_env *env = w->place.env;
    const char *path = w->place.path;
    int rc = env->dir_sync(env->ctx, w->dir);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync the directory '%s'", w->path);
    yore_status status =
        yr_backup_place_is_free(&w->place, err); /* a rename would replace an empty directory */
    if (status < 0) return status;
    rc = env->rename(env->ctx, w->place.dir, w->name, w->place.dir, w->place.name);
    if (rc < 0)
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot give the restored store its name '%s'", path);
    rc = env->dir_sync(env->ctx, w->place.dir);
    if (rc < 0) {
        status = yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync the directory of '%s'", path);
        if (env->rename(env->ctx, w->place.dir, w->place.name, w->place.dir, w->name) < 0)
            w->name = w->place.name;
        return status;
    }
    env->dir_close(env->ctx, w->dir);
    w->dir = NULL; /* it is a store now */
    return YORE_OK;
}

yore_status yore_backup_restore(const char *path, const char *new_path, const yore_backup_options *options,
                                yore_backup_info *out, yore_error *err)
{
    if (!path || !new_path)
        return yr_fail(err, YORE_ERR_MISUSE, "the path of a backup and one for the store are needed");
    yore_status status = yr_backup_options_check(&options, out, err);
    if (status < 0) return status;
    yore_backup_info info;
    workshop w = {0};
    restore r = {.env = yr_backup_env(options), .path = path};
    status = workshop_open(&w, r.env, new_path, err);
    if (status == YORE_OK) {
        r.dir_path = w.path;
        r.dir = w.dir;
        status = run(&r, options, &info, err);
    }
    if (status == YORE_OK) {
        status = yore_sync(r.db, err);
        yore_close(r.db);
    }
    if (status == YORE_OK) status = workshop_finish(&w, err);
    if (status == YORE_OK && out) *out = info;
    workshop_remove(&w);
    if (w.place.env) yr_free(w.place.env, w.path, w.path_bytes);
    yr_backup_place_deinit(&w.place);
    return status;
}
