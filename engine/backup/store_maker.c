#include "engine/backup/store_maker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

/* -- its directory -- */

static yore_status directory_make(yr_store_maker *maker, const yore_env *env, const char *new_path,
                                  yore_error *err)
{
    uint64_t random;
    yore_status status = yr_backup_place_init(&maker->place, env, new_path, err);
    if (status == YORE_OK) status = yr_backup_place_is_free(&maker->place, err);
    if (status < 0) return status;
    int rc = env->random(env->ctx, &random, sizeof random);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot get random bytes for '%s'", new_path);
    size_t parent_size = strlen(maker->place.parent);
    maker->path_bytes = parent_size + strlen(maker->place.name) + 40;
    maker->path = yr_alloc(env, maker->path_bytes);
    if (!maker->path) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for '%s'", new_path);
    (void)snprintf(maker->path, maker->path_bytes, "%s/.%s.restore-%016" PRIx64, maker->place.parent,
                   maker->place.name, random);
    maker->name = maker->path + parent_size + 1;
    bool created = false;
    rc = env->dir_open(env->ctx, maker->path, YORE_DIR_CREATE, &created, &maker->dir);
    if (rc < 0) {
        maker->dir = NULL;
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot make a directory beside '%s'", new_path);
    }
    if (created) return YORE_OK;
    env->dir_close(env->ctx, maker->dir); /* not ours to work in, or to remove */
    maker->dir = NULL;
    return yr_fail(err, YORE_ERR_EXISTS, "there is something at '%s' already", maker->path);
}

static int remove_name(void *arg, const char *name)
{
    const yr_store_maker *maker = arg;
    (void)maker->place.env->unlink(maker->place.env->ctx, maker->dir, name);
    return 0;
}

/* Take everything away again. */
static void directory_remove(yr_store_maker *maker)
{
    const yore_env *env = maker->place.env;
    if (!maker->dir) return;
    (void)env->dir_list(env->ctx, maker->dir, remove_name, maker);
    env->dir_close(env->ctx, maker->dir);
    maker->dir = NULL;
    (void)env->unlink(env->ctx, maker->place.dir, maker->name);
}

/* Give the finished store its name. */
static yore_status directory_name(yr_store_maker *maker, yore_error *err)
{
    const yore_env *env = maker->place.env;
    const char *path = maker->place.path;
    int rc = env->dir_sync(env->ctx, maker->dir);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync the directory '%s'", maker->path);
    yore_status status =
        yr_backup_place_is_free(&maker->place, err); /* a rename would replace an empty directory */
    if (status < 0) return status;
    rc = env->rename(env->ctx, maker->place.dir, maker->name, maker->place.dir, maker->place.name);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot give the new store its name '%s'", path);
    rc = env->dir_sync(env->ctx, maker->place.dir);
    if (rc < 0) {
        status = yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync the directory of '%s'", path);
        if (env->rename(env->ctx, maker->place.dir, maker->place.name, maker->place.dir, maker->name) < 0)
            maker->name = maker->place.name;
        return status;
    }
    env->dir_close(env->ctx, maker->dir);
    maker->dir = NULL; /* it is a store now */
    return YORE_OK;
}

/* -- its commits -- */

/* The first commit makes a store. */
static yore_status create(yr_store_maker *maker, yore_slice first_frame, yore_error *err)
{
    const yr_wal_options log = {.env = maker->place.env, .dir = maker->dir, .path = maker->path};
    yore_status status = yr_wal_create(&log, first_frame, err);
    if (status < 0) return status;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = maker->place.env;
    options.sync = YORE_SYNC_OS; /* synced once, at the end */
    return yore_open(maker->path, &options, &maker->db, err);
}

yore_status yr_store_ingest(yore_db *db, yore_slice frames, yore_error *err)
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

yore_status yr_store_maker_begin(yr_store_maker *maker, const yore_env *env, const char *new_path,
                                 yore_error *err)
{
    *maker = (yr_store_maker){0};
    return directory_make(maker, env, new_path, err);
}

yore_status yr_store_maker_put(yr_store_maker *maker, yore_slice frames, yore_error *err)
{
    if (!maker->db) {
        yore_slice first = {frames.data, yr_get_le32(frames.data)};
        yore_status status = create(maker, first, err);
        if (status < 0) return status;
        frames = yore_bytes((const uint8_t *)frames.data + first.size, frames.size - first.size);
    }
    return yr_store_ingest(maker->db, frames, err);
}

yore_status yr_store_maker_finish(yr_store_maker *maker, yore_error *err)
{
    yore_status status = yore_sync(maker->db, err);
    yore_close(maker->db);
    maker->db = NULL;
    return status == YORE_OK ? directory_name(maker, err) : status;
}

void yr_store_maker_abandon(yr_store_maker *maker)
{
    yore_close(maker->db);
    maker->db = NULL;
    directory_remove(maker);
    if (maker->place.env) yr_free(maker->place.env, maker->path, maker->path_bytes);
    yr_backup_place_deinit(&maker->place);
    *maker = (yr_store_maker){0};
}
