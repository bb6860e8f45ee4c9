/* What is in a directory: a store, nothing, a store without its MANIFEST, or other people's files.
 *
 * Creation makes wal-00000001.log whole (written and synced under a temporary name) before MANIFEST. So without
 * a MANIFEST the one state that a cut creation can leave is: no .log at all, or that one with its first record
 * and zeros behind. Anything more, a segment for instance, has been a store. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/format/wal_format.h"
#include "engine/wal/wal.h"
#include "engine/wal/wal_walk.h"

typedef struct names {
    bool manifest;
    bool first_log;
    bool others; /* log files, segments, value files, the copy of MANIFEST */
    bool foreign;
} names;

static int note_name(void *arg, const char *name)
{
    names *n = arg;
    bool making = false;
    enum yr_file_kind kind;
    uint64_t id = yr_file_name_id(name, &kind, &making);
    if (id && making) return 0;
    if (id == 1 && kind == YR_FILE_WAL) {
        n->first_log = true;
    } else if (id) {
        n->others = true;
    } else if (strcmp(name, YR_WAL_MANIFEST_NAME) == 0) {
        n->manifest = true;
    } else if (strcmp(name, YR_WAL_MANIFEST_SPARE) == 0) { /* made when there was a MANIFEST */
        n->others = true;
    } else if (strcmp(name, YR_WAL_LOCK_NAME) != 0 && strcmp(name, YR_WAL_MANIFEST_TMP) != 0 &&
               strcmp(name, YR_WAL_SPARE_TMP) != 0 && strcmp(name, YR_WAL_LOST_NAME) != 0) {
        n->foreign = true;
    }
    return 0;
}

/* Does MANIFEST begin as ours do? A rotten one of ours has log files beside it. */
static yore_status has_our_manifest(const yr_wal_place *place, bool *ours, yore_error *err)
{
    const yore_env *env = place->env;
    yore_file *file = NULL;
    int rc = env->open(env->ctx, place->dir, YR_WAL_MANIFEST_NAME, 0, &file);
    if (rc < 0)
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open '%s/%s'", place->path, YR_WAL_MANIFEST_NAME);
    uint8_t bytes[4];
    int64_t n = yr_file_read_all(env, file, bytes, sizeof(bytes), 0);
    env->close(env->ctx, file);
    if (n < 0)
        return yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read '%s/%s'", place->path,
                             YR_WAL_MANIFEST_NAME);
    *ours = yr_file_header_has_magic((yore_slice){bytes, (size_t)n}) != 0;
    return YORE_OK;
}

/* Is wal-00000001.log what creation leaves: one record, then zeros? */
static yore_status is_fresh(const yr_wal_place *place, bool *fresh, yore_error *err)
{
    const yore_env *env = place->env;
    yr_wal_opened opened = {0};
    yr_wal_window window = {0};
    yr_wal_tail tail;
    *fresh = false;
    uint8_t start[YR_FILE_HEADER_BYTES];
    yr_file_header header;
    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(1, false, name);
    int rc = env->open(env->ctx, place->dir, name, 0, &opened.file);
    if (rc == -ENOENT) { /* whoever was creating it has given up, or gone on: MANIFEST tells */
        *fresh = true;
        return YORE_OK;
    }
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open '%s/%s'", place->path, name);
    int64_t n = yr_file_read_all(env, opened.file, start, sizeof(start), 0);
    env->close(env->ctx, opened.file);
    if (n < 0) return yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read '%s/%s'", place->path, name);
    if (yr_file_header_decode((yore_slice){start, (size_t)n}, &header) != YR_HEADER_OK) return YORE_OK;

    yore_status status = yr_wal_file_open(place, header.uuid, 1, false, &opened, NULL, err);
    if (status == YORE_ERR_CORRUPT) return YORE_OK;
    if (status < 0) return status;
    yore_slice at = {0};
    yr_wal_record_header record = {0};
    if (opened.bytes >= YR_WAL_START_OFF + YR_WAL_RECORD_HEADER_BYTES) {
        status = yr_wal_window_get(&window, place, &opened, YR_WAL_START_OFF, YR_WAL_RECORD_HEADER_BYTES, &at,
                                   err);
    }
    if (status == YORE_OK && yr_wal_record_decode(at, opened.seed, YR_WAL_START_OFF, &record) &&
        record.lsn == 1) {
        uint64_t size = yr_wal_record_bytes(record.payload_bytes);
        if (size <= opened.bytes - YR_WAL_START_OFF) {
            status = yr_wal_scan_opened(&window, place, &opened, YR_WAL_START_OFF + size, &tail, err);
            *fresh = status == YORE_OK && tail.cut_bytes == 0;
        }
    }
    yr_wal_window_deinit(&window, env);
    env->close(env->ctx, opened.file);
    return status;
}

/* Names were listed without a lock: somebody may have finished creating the store since. */
static bool has_manifest_now(const yr_wal_place *place)
{
    const yore_env *env = place->env;
    yore_file *file = NULL;
    if (env->open(env->ctx, place->dir, YR_WAL_MANIFEST_NAME, 0, &file) < 0) return false;
    env->close(env->ctx, file);
    return true;
}

yore_status yr_store_probe(const yore_env *env, yore_dir *dir, const char *path, enum yr_store_kind *kind,
                           yore_error *err)
{
    yr_wal_place place = {.env = env, .dir = dir, .path = path};
    names n = {0};
    int rc = env->dir_list(env->ctx, dir, note_name, &n);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot list '%s'", path);
    bool ours = true;
    bool fresh = true;
    yore_status status = YORE_OK;
    if (n.manifest && !n.first_log && !n.others) status = has_our_manifest(&place, &ours, err);
    if (!n.manifest && !n.others && n.first_log) status = is_fresh(&place, &fresh, err);
    if (status < 0) return status;
    if (n.manifest) {
        *kind = ours ? YR_STORE_PRESENT : YR_STORE_FOREIGN;
    } else if (n.others || !fresh) {
        *kind = has_manifest_now(&place) ? YR_STORE_PRESENT : YR_STORE_DAMAGED;
    } else {
        *kind = n.foreign ? YR_STORE_FOREIGN : YR_STORE_EMPTY;
    }
    return YORE_OK;
}
