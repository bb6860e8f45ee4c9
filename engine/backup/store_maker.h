/* A new store made of commit frames, as restoring and salvaging do it: in a directory of another name beside its place,
 * `.NAME.restore-` and 16 digits, which gets its name when it is whole, synced and closed. The frames go through
 * replay, as at every open, so bytes that no store would have written are refused.
 *
 *     yr_store_maker_begin(&maker, env, "new.yore", &err) ... yr_store_maker_put(&maker, frames, &err) ...
 *     yr_store_maker_finish(&maker, &err)
 *     yr_store_maker_abandon(&maker)       in any case
 */
#ifndef YR_STORE_MAKER_H
#define YR_STORE_MAKER_H

#include "engine/backup/backup_private.h"

typedef struct yr_store_maker {
    yr_backup_place place; /* of the store to be */
    char *path;            /* of the directory, "parent/name" */
    size_t path_bytes;
    const char *name; /* in path */
    yore_dir *dir;
    yore_db *db; /* NULL until the first commit is there */
} yr_store_maker;

/* YORE_ERR_EXISTS when there is anything at `new_path`, which must outlive the maker. */
yore_status yr_store_maker_begin(yr_store_maker *maker, const yore_env *env, const char *new_path,
                                 yore_error *err);
/* Whole frames that go on from the last ones; the very first is the store's first commit. */
yore_status yr_store_maker_put(yr_store_maker *maker, yore_slice frames, yore_error *err);
/* Sync and close the store, and give it its name. At least one frame was put. */
yore_status yr_store_maker_finish(yr_store_maker *maker, yore_error *err);
/* Free everything, and take away again what was not finished. A zeroed one is fine. */
void yr_store_maker_abandon(yr_store_maker *maker);

/* Append whole frames to a store nobody else writes to, as they are: to its log if it has one, and to memory. */
yore_status yr_store_ingest(yore_db *db, yore_slice frames, yore_error *err);

#endif
