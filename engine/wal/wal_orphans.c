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
 * Log files with anything in them move to lost+found/; only empty and unfinished ones are deleted, and those in front
 * of where the log begins.
 *
 * A segment or value file that MANIFEST does not name was never named by a durable one (it was being made), or is
 * no longer (its rows are in other files, or gone for good). It is deleted, but only once MANIFEST's next_id is above
 * its number: till then a MANIFEST that has been lost might name it. */
#include "engine/wal/wal_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

#define ORPHANS_MAX 65536u

typedef struct named {
    uint64_t id;
    enum yr_file_kind kind;
    bool making;
} named;

typedef struct found {
    const yore_env *env;
    const named *listed; /* by id and kind */
    size_t listed_count;
    named *files;
    uint32_t count, capacity;
    bool manifest_tmp;
    bool out_of_memory;
} found;

static int compare_named(const void *a, const void *b)
{
    const named *x = a;
    const named *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->kind < y->kind ? -1 : x->kind > y->kind;
}

/* What MANIFEST lists, sorted. NULL = out of memory. */
static named *list_named(const yr_manifest *manifest, const yore_env *env, size_t *count)
{
    *count = (size_t)manifest->count + manifest->state.file_count;
    named *listed = yr_alloc(env, *count * sizeof(*listed));
    if (!listed) return NULL;
    named *to = listed;
    for (uint32_t i = 0; i < manifest->count; i++) {
        *to++ = (named){.id = manifest->entries[i].id, .kind = YR_FILE_WAL};
    }
    for (uint32_t i = 0; i < manifest->state.file_count; i++) {
        const yr_store_file *file = &manifest->state.files[i];
        *to++ = (named){.id = file->file_id, .kind = (enum yr_file_kind)file->kind};
    }
    qsort(listed, *count, sizeof(*listed), compare_named);
    return listed;
}

static int note_name(void *arg, const char *name)
{
    found *f = arg;
    if (strcmp(name, YR_WAL_MANIFEST_TMP) == 0 || strcmp(name, YR_WAL_SPARE_TMP) == 0) f->manifest_tmp = true;
    named file = {0};
    file.id = yr_file_name_id(name, &file.kind, &file.making);
    if (file.id == 0 || f->count >= ORPHANS_MAX) return 0;
    if (!file.making && bsearch(&file, f->listed, f->listed_count, sizeof(file), compare_named)) return 0;
    if (f->count == f->capacity) {
        uint32_t capacity = f->capacity ? f->capacity * 2 : 16;
        named *files = yr_realloc(f->env, f->files, f->capacity * sizeof(*files), capacity * sizeof(*files));
        f->out_of_memory = !files;
        if (!files) return 1;
        f->files = files;
        f->capacity = capacity;
    }
    f->files[f->count++] = file;
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

static void put_away(const yr_wal_place *place, const named *file, bool keep)
{
    const yore_env *env = place->env;
    char name[YR_FILE_NAME_BYTES];
    yr_file_name(file->kind, file->id, file->making, name);
    yore_dir *lost = NULL;
    if (!keep) {
        (void)env->unlink(env->ctx, place->dir, name);
    } else if (env->dir_open_at(env->ctx, place->dir, YR_WAL_LOST_NAME, YORE_DIR_CREATE, &lost) == 0) {
        (void)env->rename(env->ctx, place->dir, name, lost, name);
        env->dir_close(env->ctx, lost);
    }
}

static yore_status judge(const yr_wal_place *place, yr_manifest *manifest, const named *file,
                         uint64_t last_lsn, bool remove, yr_wal_orphans *out, yore_error *err)
{
    bool is_log = file->kind == YR_FILE_WAL;
    bool keep = false;
    if (is_log && !file->making) {
        bool empty = false;
        yore_status status = inspect(place, manifest, file->id, last_lsn, &empty, err);
        if (status < 0) return status;
        keep = !empty && file->id > manifest->start_id; /* else dropped: the segments have its records */
    }
    /* a name out of any store's reach must not use all numbers up */
    if (file->id >= manifest->next_id && file->id < YR_MANIFEST_ID_MAX / 2) {
        manifest->next_id = file->id + 1;
        out->is_above = out->is_above || !is_log;
    }
    if (remove && (is_log || file->id < manifest->next_id)) put_away(place, file, keep);
    return YORE_OK;
}

yore_status yr_wal_sweep_orphans(const yr_wal_place *place, yr_manifest *manifest, uint64_t last_lsn,
                                 bool remove, yr_wal_orphans *out, yore_error *err)
{
    const yore_env *env = place->env;
    found f = {.env = env};
    yore_status status = YORE_OK;
    int rc = 0;
    named *listed = list_named(manifest, env, &f.listed_count);
    f.listed = listed;
    f.out_of_memory = !listed;
    if (listed) rc = env->dir_list(env->ctx, place->dir, note_name, &f);
    if (rc < 0) status = yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot list '%s'", place->path);
    if (f.out_of_memory) status = yr_fail(err, YORE_ERR_NOMEM, "no memory to list '%s'", place->path);
    for (uint32_t i = 0; status == YORE_OK && i < f.count; i++) {
        status = judge(place, manifest, &f.files[i], last_lsn, remove, out, err);
    }
    if (status == YORE_OK && remove && f.manifest_tmp) {
        (void)env->unlink(env->ctx, place->dir, YR_WAL_MANIFEST_TMP);
        (void)env->unlink(env->ctx, place->dir, YR_WAL_SPARE_TMP);
    }
    out->any = f.count > 0 || f.manifest_tmp;
    yr_free(env, f.files, f.capacity * sizeof(*f.files));
    yr_free(env, listed, f.listed_count * sizeof(*listed));
    return status;
}
