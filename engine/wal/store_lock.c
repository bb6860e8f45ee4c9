/* The writer's lock: an open-file-description lock on LOCK, which goes with the process whatever kills it.
 * The text in the file only says who holds it; the lock never depends on it. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/format/lock_format.h"
#include "engine/wal/wal.h"
#include "engine/wal/wal_file.h"

#define POLL_NS INT64_C(10000000)

struct yr_store_lock {
    const yore_env *env;
    yore_dir *dir;
    yore_file *file;
};

/* Spaces and bytes that do not print would end the word. */
static void make_word(char *text)
{
    for (; *text; text++) {
        if (*text <= ' ' || *text > '~') *text = '_';
    }
}

/* Sign the file, and take back what the last holder let readers see. Losing this loses no lock, so a full disk
 * is no reason to fail. */
static void sign(const yore_env *env, yore_file *file)
{
    yr_lock_holder holder = {.pid = env->process_id(env->ctx)};
    env->host_name(env->ctx, holder.host, sizeof(holder.host));
    env->boot_id(env->ctx, holder.boot_id, sizeof(holder.boot_id));
    if (env->program_name) env->program_name(env->ctx, holder.program, sizeof(holder.program));
    make_word(holder.host);
    make_word(holder.boot_id);
    make_word(holder.program);
    uint8_t bytes[YR_LOCK_BYTES] = {0};
    yr_lock_text_encode(&holder, bytes);
    (void)yr_file_write_all(env, file, bytes, sizeof(bytes), 0);
}

static yore_status fail_locked(const yore_env *env, yore_file *file, const char *path, yore_error *err)
{
    uint8_t bytes[YR_LOCK_TEXT_BYTES];
    yr_lock_holder holder;
    int64_t n = file ? yr_file_read_all(env, file, bytes, sizeof(bytes), 0) : 0;
    if (n > 0 && yr_lock_text_decode((yore_slice){bytes, (size_t)n}, &holder)) {
        (void)yr_fail(err, YORE_ERR_LOCKED, "store '%s' is being written by pid %" PRId64 " (%s on host %s)",
                      path, holder.pid, holder.program, holder.host);
    } else {
        (void)yr_fail(err, YORE_ERR_LOCKED, "store '%s' is being written by another process", path);
    }
    yr_hint(err, "wait for it with --wait, or open the store read-only");
    return YORE_ERR_LOCKED;
}

yore_status yr_store_lock_acquire(const yore_env *env, yore_dir *dir, const char *path, uint32_t wait_ms,
                                  yr_store_lock **out, yore_error *err)
{
    yr_store_lock *lock = yr_alloc_zero(env, sizeof(*lock));
    if (!lock) return yr_fail(err, YORE_ERR_NOMEM, "no memory to lock '%s'", path);
    *lock = (yr_store_lock){.env = env, .dir = dir};
    yore_status status = YORE_OK;
    int64_t deadline = env->monotonic_ns(env->ctx) + (int64_t)wait_ms * 1000000;
    uint32_t flags = YORE_OPEN_WRITE | YORE_OPEN_CREATE | (YR_BUG(LOCK_BY_EXCL) ? YORE_OPEN_EXCLUSIVE : 0);
    int rc = env->open(env->ctx, dir, YR_WAL_LOCK_NAME, flags, &lock->file);
    if (rc < 0) {
        lock->file = NULL;
        status = YR_BUG(LOCK_BY_EXCL) && rc == -EEXIST
                     ? fail_locked(env, NULL, path, err)
                     : yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open '%s/%s'", path, YR_WAL_LOCK_NAME);
        goto out;
    }
    for (;;) {
        rc = YR_BUG(LOCK_BY_EXCL) ? 0 : env->lock(env->ctx, lock->file);
        if (rc != YORE_LOCK_HELD || env->monotonic_ns(env->ctx) >= deadline) break;
        env->sleep_ns(env->ctx, POLL_NS);
    }
    if (rc == YORE_LOCK_HELD) {
        status = fail_locked(env, lock->file, path, err);
    } else if (rc < 0) {
        status = yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot lock '%s/%s'", path, YR_WAL_LOCK_NAME);
    } else {
        sign(env, lock->file);
    }
out:
    if (status < 0) {
        if (lock->file) env->close(env->ctx, lock->file);
        yr_free(env, lock, sizeof(*lock));
        return status;
    }
    *out = lock;
    return YORE_OK;
}

void yr_store_lock_release(yr_store_lock *lock)
{
    if (!lock) return;
    const yore_env *env = lock->env;
    if (YR_BUG(LOCK_BY_EXCL)) {
        (void)env->unlink(env->ctx, lock->dir, YR_WAL_LOCK_NAME);
    } else {
        env->unlock(env->ctx, lock->file);
    }
    env->close(env->ctx, lock->file);
    yr_free(env, lock, sizeof(*lock));
}

void yr_store_lock_abandon(yr_store_lock *lock)
{
    if (!lock) return;
    const yore_env *env = lock->env;
    env->close(env->ctx, lock->file);
    yr_free(env, lock, sizeof(*lock));
}
