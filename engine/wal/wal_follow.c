/* Read-only logs: reading once, and following a writer in another process.
 *
 * A reader writes nothing. With a live writer (someone holds LOCK) it stops at the watermark published there:
 * what lies above it was not acknowledged. A record at or below it that is not whole yet is waited for shortly,
 * and MANIFEST is read again, since a writer that was restarted may have copied the log's tail to another file.
 * Without a writer the tail is judged as a writer would judge it, but the cut is only made here, in memory.
 *
 * A writer drops log files whose records the segments have. A reader holds every file of the manifest it has read
 * open, so it can read them to their end all the same. Where the writer was so far ahead that the records after that
 * were in files the reader has never seen, it is behind: nothing is lost, but only the segments have them. */
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
#define STARTS_MAX 100 /* each with another MANIFEST */

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

/* Where in a newer manifest the walk goes on: *same when that is the file it is in. Else that file is gone, or ends
 * before what was read: the rest was copied, or the file was read to its end and dropped. Closed files come first
 * (M2), so where the one after them begins is known. */
static uint32_t find_place(const yr_wal_walk *walk, const yr_manifest *manifest, bool *same)
{
    uint64_t id = walk->manifest.entries[walk->index].id;
    const yr_manifest_entry *entries = manifest->entries;
    for (uint32_t i = 0; i < manifest->count; i++) {
        *same = entries[i].id == id && !(entries[i].closed && entries[i].last_lsn < walk->lsn);
        if (*same) return i;
    }
    uint32_t index = 0;
    while (entries[index].closed && entries[index].last_lsn <= walk->lsn) index++;
    return index;
}

/* Take a newer manifest, whose files are open before anything is changed. */
static yore_status reseat(yr_wal_walk *walk, yr_manifest *manifest, yore_error *err)
{
    bool same;
    uint32_t index = find_place(walk, manifest, &same);
    yore_status status = yr_wal_walk_hold(walk, manifest, index, err);
    if (status < 0) return status;
    yr_manifest_deinit(&walk->manifest, walk->place.env);
    walk->manifest = *manifest;
    *manifest = (yr_manifest){0};
    if (walk->manifest.durable_lsn > walk->proven) walk->proven = walk->manifest.durable_lsn;
    walk->index = index;
    if (!same) { /* records read before are passed over (skip_lsn) */
        const yr_manifest_entry *before = index ? &walk->manifest.entries[index - 1] : NULL;
        yr_wal_walk_leave_file(walk);
        yr_wal_walk_forget(walk);
        walk->lsn = before ? before->last_lsn : walk->manifest.start_lsn;
        walk->chain = before ? before->end_chain : walk->manifest.start_chain;
    }
    yr_wal_walk_let_go(walk);
    return YORE_OK;
}

static yore_status fail_other_store(const yr_wal_place *place, yore_error *err)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "'%s' holds another store now: open it again", place->path);
}

/* A newer manifest, if there is one: *has_newer. */
static yore_status load_newer(const yr_wal_walk *walk, yr_manifest *manifest, bool *has_newer,
                              yore_error *err)
{
    *has_newer = false;
    yore_status status = yr_manifest_load(&walk->place, manifest, err);
    if (status < 0) return status;
    if (memcmp(manifest->uuid, walk->manifest.uuid, YR_UUID_BYTES) != 0)
        status = fail_other_store(&walk->place, err);
    bool differs = manifest->generation != walk->manifest.generation;
    if (manifest->is_spare) differs = manifest->generation > walk->manifest.generation; /* it may be older */
    *has_newer = status == YORE_OK && differs;
    if (!*has_newer) yr_manifest_deinit(manifest, walk->place.env);
    return status;
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

/* There is a newer manifest: go on in it, unless the walk is behind where its log begins. */
static yore_status move_on(yr_wal *wal, yr_manifest *newer, yr_wal_apply apply, void *arg, bool *again,
                           yore_error *err)
{
    yr_wal_walk *walk = &wal->walk;
    yore_status status = YORE_OK;
    if (walk->lsn < newer->start_lsn) {
        /* What came between the last look and the drop is in files that are open still. Should they be damaged, what
         * the segments have is not: the failure is of no interest. */
        yore_error ignored = YORE_ERROR_INIT;
        yr_wal_walk_forget(walk);
        status = yr_wal_walk_run(walk, apply, arg, &ignored);
        if (walk->apply_failed || walk->is_rewritten || (status < 0 && status != YORE_ERR_CORRUPT)) {
            *again = false;
            if (err) *err = ignored;
            goto out;
        }
        status = YORE_OK;
        if (walk->lsn >= walk->limit_lsn) {
            *again = false;
            goto out;
        }
    }
    if (walk->lsn < newer->start_lsn) {
        wal->is_behind = true;
        *again = false;
        status = YORE_END;
        goto out;
    }
    status = reseat(walk, newer, err);
    if (status == YORE_OK) wal->judged_lsn = 0; /* it was the end of other files */
out:
    yr_manifest_deinit(newer, walk->place.env);
    return status;
}

/* One look at the log. *again: worth another, after a pause. */
static yore_status follow_once(yr_wal *wal, yr_wal_apply apply, void *arg, bool *again, yore_error *err)
{
    yr_wal_walk *walk = &wal->walk;
    *again = false;
    if (wal->is_behind) return YORE_END;
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

    yr_manifest newer;
    bool has_newer;
    yore_status loaded = load_newer(walk, &newer, &has_newer, status < 0 ? NULL : err);
    if (loaded < 0) return status < 0 ? status : loaded;
    *again = true;
    if (has_newer) return move_on(wal, &newer, apply, arg, again, err);
    if (status < 0) return status;
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

/* Read MANIFEST, open all its files, begin. A writer may drop some of them meanwhile: then there is a newer one. */
static yore_status start(yr_wal *wal, yr_wal_begin begin, void *arg, yore_error *err)
{
    yr_wal_walk *walk = &wal->walk;
    yr_manifest manifest;
    yore_status status = yr_manifest_load(&wal->place, &manifest, err);
    if (status == YORE_OK && walk->place.env && memcmp(wal->uuid, manifest.uuid, YR_UUID_BYTES) != 0) {
        yr_manifest_deinit(&manifest, wal->place.env);
        status = fail_other_store(&wal->place, err);
    }
    for (int attempt = 0; status == YORE_OK; attempt++) {
        yr_wal_walk_deinit(walk);
        yr_wal_walk_init(walk, &wal->place, &manifest);
        walk->is_follower = walk->holds_files = true;
        wal->judged_lsn = 0;
        yore_error why = YORE_ERROR_INIT;
        status = yr_wal_walk_check_files(walk, &why);
        if (status == YORE_OK && begin) status = begin(arg, &walk->manifest.state, &why);
        if (status >= 0) break;
        bool has_newer = false;
        yore_status loaded = YORE_OK;
        if (attempt < STARTS_MAX) loaded = load_newer(walk, &manifest, &has_newer, NULL);
        if (loaded == YORE_OK && has_newer) {
            status = YORE_OK;
        } else if (err) {
            *err = why;
        }
    }
    return status;
}

yore_status yr_wal_follow_open(yr_wal *wal, yr_wal_begin begin, yr_wal_apply apply, void *arg,
                               yore_error *err)
{
    yore_status status = start(wal, begin, arg, err);
    if (status < 0) return status;
    memcpy(wal->uuid, wal->walk.manifest.uuid, YR_UUID_BYTES);
    status = follow(wal, apply, arg, err);
    return status == YORE_END ? YORE_OK : status; /* it may be behind already */
}

static yore_status check_reader(const yr_wal *wal, yore_error *err)
{
    if (wal->options.read_only) return YORE_OK;
    return yr_fail(err, YORE_ERR_MISUSE, "only a read-only log follows another writer");
}

yore_status yr_wal_refresh(yr_wal *wal, yr_wal_apply apply, void *arg, yore_error *err)
{
    yore_status status = check_reader(wal, err);
    return status < 0 ? status : follow(wal, apply, arg, err);
}

yore_status yr_wal_restart(yr_wal *wal, yr_wal_begin begin, yr_wal_apply apply, void *arg, yore_error *err)
{
    yore_status status = check_reader(wal, err);
    if (status < 0) return status;
    wal->is_behind = true; /* of what the caller has, until this has succeeded */
    status = start(wal, begin, arg, err);
    if (status < 0) return status;
    wal->is_behind = false;
    status = follow(wal, apply, arg, err);
    if (status < 0) wal->is_behind = true;
    return status == YORE_END ? YORE_OK : status;
}

yore_status yr_wal_peek(yr_wal *wal, void (*look_at)(void *arg, const yr_store_state *state), void *arg,
                        yore_error *err)
{
    yr_manifest manifest;
    yore_status status = check_reader(wal, err);
    if (status == YORE_OK) status = yr_manifest_load(&wal->place, &manifest, err);
    if (status < 0) return status;
    if (memcmp(manifest.uuid, wal->uuid, YR_UUID_BYTES) == 0)
        look_at(arg, &manifest.state);
    else
        status = fail_other_store(&wal->place, err);
    yr_manifest_deinit(&manifest, wal->place.env);
    return status;
}

bool yr_wal_is_behind(const yr_wal *wal)
{
    return wal->is_behind;
}
