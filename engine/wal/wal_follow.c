/* Read-only logs: reading once, and following a writer in another process.
 *
 * A reader writes nothing. With a live writer (someone holds LOCK) it stops at the watermark published there:
 * what lies above it was not acknowledged. A record at or below it that is not whole yet is waited for shortly,
 * and MANIFEST is read again, since a writer that was restarted may have copied the log's tail to another file.
 * Without a writer the tail is judged as a writer would judge it, but the cut is only made here, in memory. */
#include "engine/wal/wal_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/format/lock_format.h"

#define ATTEMPTS_MAX 200 /* at a millisecond each */
#define ATTEMPTS_NO_WRITER_MAX 5
#define PAUSE_NS 1000000

typedef struct sight {
    bool is_live;       /* there is a writer */
    uint64_t watermark; /* how far it lets us look; 0 = it has not said (it is recovering) */
} sight;

static yore_status look(yr_wal *wal, sight *out, yore_error *err)
{
    const yore_env *env = wal->place.env;
    *out = (sight){0};
    if (!wal->lock_file && env->open(env->ctx, wal->place.dir, YR_WAL_LOCK_NAME, 0, &wal->lock_file) < 0) {
        wal->lock_file = NULL; /* nobody has written here since LOCK went */
        return YORE_OK;
    }
    out->is_live = env->lock_test(env->ctx, wal->lock_file) == YORE_LOCK_HELD;
    if (!out->is_live) return YORE_OK;
    uint8_t bytes[YR_LOCK_BYTES];
    int64_t n = yr_file_read_all(env, wal->lock_file, bytes, sizeof(bytes), 0);
    if (n < 0) {
        return yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read '%s/%s'", wal->place.path,
                             YR_WAL_LOCK_NAME);
    }
    out->watermark = yr_lock_watermark((yore_slice){bytes, (size_t)n}, wal->uuid);
    return YORE_OK;
}

/* Take a newer manifest: find the walk's place in it. */
static void reseat(yr_wal_walk *walk, yr_manifest *manifest)
{
    const yore_env *env = walk->place.env;
    uint64_t id = walk->manifest.entries[walk->index].id;
    uint64_t proven = manifest->durable_lsn;
    yr_manifest_deinit(&walk->manifest, env);
    walk->manifest = *manifest;
    *manifest = (yr_manifest){0};
    if (proven > walk->proven) walk->proven = proven;
    const yr_manifest_entry *entries = walk->manifest.entries;
    for (uint32_t i = 0; i < walk->manifest.count; i++) {
        if (entries[i].id != id || (entries[i].closed && entries[i].last_lsn < walk->lsn)) continue;
        walk->index = i; /* same file, same place */
        return;
    }
    /* Our file is gone, or ends before what we have read: the rest was copied. Closed files come first (M2), so
     * where the one after them begins is known; records read before are passed over (skip_lsn). */
    uint32_t index = 0;
    while (entries[index].closed && entries[index].last_lsn <= walk->lsn) index++;
    if (walk->opened.file) env->close(env->ctx, walk->opened.file);
    walk->opened.file = NULL;
    yr_wal_walk_forget(walk);
    walk->index = index;
    walk->lsn = index ? entries[index - 1].last_lsn : 0;
    walk->chain = index ? entries[index - 1].end_chain : 0;
}

/* *changed: there was a newer manifest, and the walk stands in it now. */
static yore_status reload(yr_wal_walk *walk, bool *changed, yore_error *err)
{
    yr_manifest manifest = {0};
    *changed = false;
    yore_status status = yr_manifest_load(&walk->place, &manifest, err);
    if (status < 0) return status;
    if (manifest.generation == walk->manifest.generation) {
        yr_manifest_deinit(&manifest, walk->place.env);
        return YORE_OK;
    }
    if (memcmp(manifest.uuid, walk->manifest.uuid, YR_UUID_BYTES) != 0) {
        yr_manifest_deinit(&manifest, walk->place.env);
        return yr_fail(err, YORE_ERR_CORRUPT, "'%s' holds another store now: open it again",
                       walk->place.path);
    }
    *changed = true;
    reseat(walk, &manifest);
    return YORE_OK;
}

/* Nothing of the kind can be done, or needs to be, on a file system that cannot be written. */
static bool may_skip_sync(int rc)
{
    return rc == -EROFS || rc == -EINVAL || rc == -ENOTSUP || rc == -EBADF || rc == -EACCES || rc == -EPERM;
}

/* F11: without a writer, what is served must not be in the page cache only. */
static yore_status sync_unproven(yr_wal_walk *walk, yore_error *err)
{
    const yore_env *env = walk->place.env;
    if (!yr_wal_walk_proves_manifest(walk)) {
        int rc = yr_wal_dir_sync(&walk->place);
        if (rc < 0 && !may_skip_sync(rc)) {
            return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync directory '%s'", walk->place.path);
        }
    }
    bool proven = walk->proven >= walk->lsn || (walk->is_sealed && walk->proven + 1 >= walk->lsn);
    if (proven) return YORE_OK;
    for (uint32_t i = 0; i <= walk->index; i++) {
        const yr_manifest_entry *entry = &walk->manifest.entries[i];
        if (i < walk->index && entry->last_lsn <= walk->proven) continue;
        yore_file *file = NULL;
        char name[YR_WAL_NAME_BYTES];
        yr_wal_file_name(entry->id, false, name);
        int rc = env->open(env->ctx, walk->place.dir, name, 0, &file);
        if (rc == 0) {
            rc = env->sync(env->ctx, file);
            env->close(env->ctx, file);
        }
        if (rc < 0 && !may_skip_sync(rc)) {
            return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync '%s/%s'", walk->place.path, name);
        }
    }
    walk->proven = walk->lsn;
    return YORE_OK;
}

/* The log ends here and nobody writes: torn or rotten? */
static yore_status judge_end(yr_wal *wal, yore_error *err)
{
    yr_wal_walk *walk = &wal->walk;
    if (walk->lsn < walk->skip_lsn) {
        return yr_fail(err, YORE_ERR_CORRUPT,
                       "the log of '%s' ends at lsn %" PRIu64 ", but lsn %" PRIu64 " was read before",
                       walk->place.path, walk->lsn, walk->skip_lsn);
    }
    if (walk->lsn == 0)
        return yr_fail(err, YORE_ERR_CORRUPT, "the log of '%s' has no records", walk->place.path);
    if (wal->judged_lsn == walk->lsn) return YORE_OK;
    yr_wal_tail tail;
    yore_status status = yr_wal_walk_scan_tail(walk, &tail, err);
    if (status == YORE_OK) status = yr_wal_walk_judge(walk, &tail, err);
    if (status == YORE_OK) status = sync_unproven(walk, err);
    if (status == YORE_OK) wal->judged_lsn = walk->lsn;
    return status;
}

/* One look at the log. *again: worth another, after a pause. */
static yore_status follow_once(yr_wal *wal, yr_wal_apply apply, void *arg, bool *again, yore_error *err)
{
    yr_wal_walk *walk = &wal->walk;
    *again = false;
    sight now;
    yore_status status = look(wal, &now, err);
    if (status < 0) return status;
    walk->limit_lsn = now.watermark ? now.watermark : YR_WAL_LIMIT_NONE;
    if (walk->lsn >= walk->limit_lsn && walk->lsn >= walk->skip_lsn) return YORE_OK;
    yr_wal_walk_forget(walk);
    status = yr_wal_walk_run(walk, apply, arg, err);
    if (status == YORE_OK && walk->lsn >= walk->limit_lsn) return YORE_OK;
    if (walk->apply_failed || walk->is_rewritten) return status;
    if (status < 0 && status != YORE_ERR_CORRUPT) return status;

    bool changed;
    yore_status loaded = reload(walk, &changed, status < 0 ? NULL : err);
    if (loaded < 0) return status < 0 ? status : loaded;
    *again = true;
    if (changed) wal->judged_lsn = 0; /* it was the end of other files */
    if (changed || status < 0) return status;
    if (!now.is_live) return judge_end(wal, err);
    if (now.watermark == 0) return YORE_OK; /* recovering: what is whole so far will do if it takes long */
    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(walk->opened.id, false, name);
    return yr_fail(err, YORE_ERR_CORRUPT,
                   "log file '%s/%s': record lsn %" PRIu64 " at offset %" PRIu64
                   " is damaged; the writer has published lsn %" PRIu64,
                   walk->place.path, name, walk->lsn + 1, walk->off, now.watermark);
}

static yore_status follow(yr_wal *wal, yr_wal_apply apply, void *arg, yore_error *err)
{
    const yore_env *env = wal->place.env;
    yr_wal_walk *walk = &wal->walk;
    yore_status status = YORE_OK;
    yore_error why = YORE_ERROR_INIT;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        bool again;
        uint64_t before = walk->lsn;
        uint64_t generation = walk->manifest.generation;
        status = follow_once(wal, apply, arg, &again, &why);
        if (!again) break;
        bool moved = walk->lsn != before || walk->manifest.generation != generation;
        sight now;
        if (look(wal, &now, NULL) == YORE_OK && !now.is_live) {
            if (status == YORE_OK && wal->judged_lsn && wal->judged_lsn == walk->lsn) break;
            /* a writer may have come and gone between two looks; damage stays */
            if (!moved && attempt >= ATTEMPTS_NO_WRITER_MAX) break;
        }
        if (!moved) env->sleep_ns(env->ctx, PAUSE_NS);
    }
    if (status < 0 && err) *err = why;
    atomic_store_explicit(&wal->last_lsn, walk->skip_lsn, memory_order_release);
    atomic_store_explicit(&wal->durable_lsn, walk->proven < walk->lsn ? walk->proven : walk->lsn,
                          memory_order_release);
    atomic_store_explicit(&wal->is_sealed, walk->is_sealed, memory_order_relaxed);
    atomic_store_explicit(&wal->bytes, walk->bytes, memory_order_relaxed);
    atomic_store_explicit(&wal->files, walk->manifest.count, memory_order_relaxed);
    return status;
}

yore_status yr_wal_follow_open(yr_wal *wal, yr_wal_begin begin, yr_wal_apply apply, void *arg,
                               yore_error *err)
{
    yr_manifest manifest = {0};
    yore_status status = yr_manifest_load(&wal->place, &manifest, err);
    if (status < 0) return status;
    memcpy(wal->uuid, manifest.uuid, YR_UUID_BYTES);
    yr_wal_walk_init(&wal->walk, &wal->place, &manifest);
    wal->walk.is_follower = true;
    for (;;) {
        status = yr_wal_walk_check_files(&wal->walk, err);
        if (status != YORE_ERR_CORRUPT) break;
        bool changed; /* a writer may have dropped a file since the manifest was read */
        yore_status loaded = reload(&wal->walk, &changed, NULL);
        if (loaded < 0 || !changed) break;
    }
    if (status == YORE_OK && begin) status = begin(arg, &wal->walk.manifest.state, err);
    if (status < 0) return status;
    return follow(wal, apply, arg, err);
}

yore_status yr_wal_refresh(yr_wal *wal, yr_wal_apply apply, void *arg, yore_error *err)
{
    if (!wal->options.read_only)
        return yr_fail(err, YORE_ERR_MISUSE, "only a read-only log follows another writer");
    return follow(wal, apply, arg, err);
}
