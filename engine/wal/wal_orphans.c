/* Files in the directory that MANIFEST does not name.
 *
 * Why none of them is needed. A record is acknowledged only in a file that a MANIFEST naming it was durable
 * for (written, renamed, directory synced) before the record was appended. So once the MANIFEST found at open
 * has verified, a file it does not name is one of:
 *   1. made, or being made, by a preparation, a creation or a recovery whose MANIFEST never became durable
 *      (id >= next_id): it took no append; a recovery's holds copies of records that are still in listed files;
 *   2. dropped by a later MANIFEST (id < next_id): an empty prepared file, or one whose records recovery
 *      copied or set aside before that MANIFEST became durable.
 * The argument leans on MANIFEST being the newest one. If an old MANIFEST was put back by hand, records in
 * such a file would be the store's newest. They betray themselves: records that went on after a recovery claim
 * a durable_lsn above everything the listed files hold, which the copies of case 1 and 2 never do (they claim
 * what was proven in the listed files). Then nothing is touched and the open fails.
 * Files with anything in them move to lost+found/; only empty and unfinished ones are deleted. */
#include "engine/wal/wal_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

#define ORPHANS_MAX 65536u

typedef struct found {
    const yore_env *env;
    const yr_manifest *manifest;
    uint64_t *ids; /* the lowest bit says: unfinished (.tmp) */
    uint32_t count, capacity;
    bool manifest_tmp;
    bool out_of_memory;
} found;

static bool is_listed(const yr_manifest *manifest, uint64_t id)
{
    uint32_t low = 0;
    uint32_t high = manifest->count;
    while (low < high) { /* ids ascend (M1) */
        uint32_t middle = low + (high - low) / 2;
        if (manifest->entries[middle].id == id) return true;
        if (manifest->entries[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static int note_name(void *arg, const char *name)
{
    found *f = arg;
    if (strcmp(name, YR_WAL_MANIFEST_TMP) == 0) f->manifest_tmp = true;
    bool making = false;
    uint64_t id = yr_wal_file_id(name, &making);
    if (id == 0 || (!making && is_listed(f->manifest, id)) || f->count >= ORPHANS_MAX) return 0;
    if (f->count == f->capacity) {
        uint32_t capacity = f->capacity ? f->capacity * 2 : 16;
        uint64_t *ids = yr_realloc(f->env, f->ids, f->capacity * sizeof(*ids), capacity * sizeof(*ids));
        f->out_of_memory = !ids;
        if (!ids) return 1;
        f->ids = ids;
        f->capacity = capacity;
    }
    f->ids[f->count++] = id << 1 | (making ? 1 : 0);
    return 0;
}

/* Look into a whole orphan. *empty: its header is fine and it holds nothing but zeros. */
static yore_status inspect(const yr_wal_place *place, const yr_manifest *manifest, uint64_t id,
                           uint64_t last_lsn, bool *empty, yore_error *err)
{
    const yore_env *env = place->env;
    yr_wal_opened opened;
    *empty = false;
    yore_status status = yr_wal_file_open(place, manifest->uuid, id, false, &opened, NULL, NULL);
    if (status == YORE_ERR_CORRUPT)
        return YORE_OK; /* no file of this store, or an unreadable one: set it aside */
    if (status == YORE_ERR_FORMAT || status < 0) {
        return yr_fail(err, status,
                       "cannot look into '%s/wal-%08" PRIu64 ".log', which MANIFEST does not list",
                       place->path, id);
    }
    yr_wal_window window = {0};
    yr_wal_tail tail;
    status = yr_wal_scan_opened(&window, place, &opened, YR_WAL_START_OFF, &tail, err);
    if (status == YORE_OK && tail.claim > last_lsn) {
        status = yr_fail(err, YORE_ERR_CORRUPT,
                         "'%s/wal-%08" PRIu64 ".log' says lsn %" PRIu64
                         " was durable, but the files MANIFEST lists end at lsn %" PRIu64
                         ": MANIFEST is older than the log",
                         place->path, id, tail.claim, last_lsn);
    }
    *empty = tail.cut_bytes == 0;
    yr_wal_window_deinit(&window, env);
    env->close(env->ctx, opened.file);
    return status;
}

static void put_away(const yr_wal_place *place, uint64_t id, bool making, bool empty)
{
    const yore_env *env = place->env;
    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(id, making, name);
    yore_dir *lost = NULL;
    if (making || empty) {
        (void)env->unlink(env->ctx, place->dir, name);
    } else if (env->dir_open_at(env->ctx, place->dir, YR_WAL_LOST_NAME, YORE_DIR_CREATE, &lost) == 0) {
        (void)env->rename(env->ctx, place->dir, name, lost, name);
        env->dir_close(env->ctx, lost);
    }
}

yore_status yr_wal_sweep_orphans(const yr_wal_place *place, yr_manifest *manifest, uint64_t last_lsn,
                                 bool remove, bool *found_any, yore_error *err)
{
    const yore_env *env = place->env;
    found f = {.env = env, .manifest = manifest};
    yore_status status = YORE_OK;
    int rc = env->dir_list(env->ctx, place->dir, note_name, &f);
    if (rc < 0) status = yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot list '%s'", place->path);
    if (f.out_of_memory) status = yr_fail(err, YORE_ERR_NOMEM, "no memory to list '%s'", place->path);
    for (uint32_t i = 0; status == YORE_OK && i < f.count; i++) {
        uint64_t id = f.ids[i] >> 1;
        bool making = (f.ids[i] & 1) != 0;
        bool empty = false;
        /* a name out of any store's reach must not use all numbers up */
        if (id >= manifest->next_id && id < YR_MANIFEST_ID_MAX / 2) manifest->next_id = id + 1;
        if (!making) status = inspect(place, manifest, id, last_lsn, &empty, err);
        if (status == YORE_OK && remove) put_away(place, id, making, empty);
    }
    if (status == YORE_OK && remove && f.manifest_tmp)
        (void)env->unlink(env->ctx, place->dir, YR_WAL_MANIFEST_TMP);
    *found_any = f.count > 0 || f.manifest_tmp;
    yr_free(env, f.ids, f.capacity * sizeof(*f.ids));
    return status;
}
