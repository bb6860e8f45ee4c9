#include "tests/unit/base/toy_store.h"

#include <errno.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/hash.h"

#define TOY_PAYLOAD_BYTES 48u
#define TOY_RECORD_BYTES (16u + TOY_PAYLOAD_BYTES) /* number, checksum, payload */
#define TOY_LOG_BYTES 4096u                        /* of a mapped log */

static void record_encode(uint8_t to[TOY_RECORD_BYTES], uint64_t number)
{
    yr_put_le64(to, number);
    memset(to + 16, (int)(number % 250 + 1), TOY_PAYLOAD_BYTES);
    uint64_t checksum = yr_hash64(to + 16, TOY_PAYLOAD_BYTES, number);
    yr_put_le64(to + 8, checksum);
}

static bool record_is_good(const uint8_t *from, uint64_t number, unsigned ways)
{
    if (yr_get_le64(from) != number) return false;
    if (ways & TOY_NO_CHECKSUM) return true;
    return yr_get_le64(from + 8) == yr_hash64(from + 16, TOY_PAYLOAD_BYTES, number);
}

static int sync_file(const toy *t, yore_file *file)
{
    int failed = t->env->sync(t->env->ctx, file);
    if (failed && t->ways & TOY_RETRY_SYNC) failed = t->env->sync(t->env->ctx, file);
    return failed;
}

static int write_all(const toy *t, yore_file *file, const void *from, size_t size, uint64_t off)
{
    int64_t wrote = t->env->pwrite(t->env->ctx, file, from, size, off);
    if (wrote < 0) return (int)wrote;
    return (size_t)wrote == size ? 0 : -ENOSPC;
}

static int record_copy(const toy *t, yore_file *fresh, uint64_t off)
{
    uint8_t record[TOY_RECORD_BYTES];
    int64_t got = t->env->pread(t->env->ctx, t->log, record, sizeof record, off);
    if (got < 0) return (int)got;
    return write_all(t, fresh, record, sizeof record, off);
}

/* Copy the first `records` records under another name, then let that take the place of the old log. */
static int log_replace(toy *t, uint64_t records)
{
    const yore_env *env = t->env;
    yore_file *fresh = NULL;
    int failed = env->open(env->ctx, t->dir, "log.new", YORE_OPEN_WRITE | YORE_OPEN_CREATE, &fresh);
    if (!failed) failed = env->truncate(env->ctx, fresh, 0);
    if (!failed && t->ways & TOY_MAPPED) {
        static const uint8_t zeros[TOY_LOG_BYTES];
        failed = write_all(t, fresh, zeros, sizeof zeros, 0);
    }
    for (uint64_t n = 1; n <= records && !failed; n++) {
        failed = record_copy(t, fresh, (n - 1) * TOY_RECORD_BYTES);
    }
    if (!failed && !(t->ways & TOY_RENAME_BEFORE_SYNC)) failed = sync_file(t, fresh);
    if (!failed && t->log && t->ways & TOY_UNLINK_FIRST) failed = env->unlink(env->ctx, t->dir, "log");
    if (!failed) failed = env->rename(env->ctx, t->dir, "log.new", t->dir, "log");
    if (!failed && !(t->ways & TOY_NO_DIR_SYNC)) failed = env->dir_sync(env->ctx, t->dir);
    if (!failed && t->ways & TOY_MAPPED) failed = env->map(env->ctx, fresh, TOY_LOG_BYTES);
    if (failed) {
        env->close(env->ctx, fresh);
        return failed;
    }
    env->close(env->ctx, t->log);
    t->log = fresh;
    t->records = records;
    t->end = records * TOY_RECORD_BYTES;
    return 0;
}

static int log_read(toy *t)
{
    int64_t size = t->env->size(t->env->ctx, t->log);
    if (size < 0) return (int)size;
    for (;;) {
        uint8_t record[TOY_RECORD_BYTES];
        int64_t got = t->env->pread(t->env->ctx, t->log, record, sizeof record, t->end);
        if (got < 0) return (int)got;
        if (got < (int64_t)sizeof record || !record_is_good(record, t->records + 1, t->ways)) break;
        t->records++;
        t->end += sizeof record;
    }
    if (t->ways & TOY_KEEP_TORN_TAIL) {
        t->end = (uint64_t)size;
        return 0;
    }
    return log_replace(t, t->records); /* cuts the tail, and makes sure of what was read */
}

int toy_open(toy *t, const yore_env *env, unsigned ways)
{
    *t = (toy){.env = env, .ways = ways};
    bool created;
    int failed = env->dir_open(env->ctx, "toy", YORE_DIR_CREATE, &created, &t->dir);
    if (failed) return failed;
    if (!(ways & TOY_NO_PARENT_SYNC)) failed = env->dir_sync_parent(env->ctx, "toy");
    if (!failed) failed = env->open(env->ctx, t->dir, "log", YORE_OPEN_WRITE, &t->log);
    if (!failed) {
        failed = log_read(t);
    } else if (failed == -ENOENT) {
        failed = log_replace(t, 0);
    }
    if (failed) toy_close(t);
    return failed;
}

void toy_close(toy *t)
{
    t->env->close(t->env->ctx, t->log);
    t->env->dir_close(t->env->ctx, t->dir);
    t->log = NULL;
    t->dir = NULL;
}

int toy_append(toy *t, yr_sim *sim)
{
    uint8_t record[TOY_RECORD_BYTES];
    record_encode(record, t->records + 1);
    if (sim) yr_sim_begin(sim, t->records + 1);
    int failed = t->ways & TOY_MAPPED ? t->env->map_append(t->env->ctx, t->log, record, sizeof record, t->end)
                                      : write_all(t, t->log, record, sizeof record, t->end);
    if (failed) return failed;
    if (sim && t->ways & TOY_ACK_BEFORE_SYNC) yr_sim_ack(sim, t->records + 1);
    if (!(t->ways & TOY_NO_SYNC)) failed = sync_file(t, t->log);
    if (failed) return failed;
    t->records++;
    t->end += sizeof record;
    if (sim) yr_sim_ack(sim, t->records);
    return 0;
}

static int rewrite_in_place(toy *t)
{
    uint8_t records[TOY_LOG_BYTES];
    int64_t got = t->env->pread(t->env->ctx, t->log, records, sizeof records, 0);
    if (got < 0) return (int)got;
    int failed = t->env->truncate(t->env->ctx, t->log, 0);
    if (!failed) failed = write_all(t, t->log, records, (size_t)got, 0);
    return failed ? failed : sync_file(t, t->log);
}

int toy_rewrite(toy *t)
{
    if (t->ways & TOY_REWRITE_IN_PLACE) return rewrite_in_place(t);
    return log_replace(t, t->records);
}
