#include "engine/wal/wal_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"

#define ZERO_CHUNK_BYTES (256u << 10)
/* With somebody who waits for a look in between, so much is synced at a time: a whole file would take longer than mode
 * `group` may wait. */
#define ZERO_PIECE_BYTES (UINT64_C(8) << 20)

int yr_wal_dir_sync(const yr_wal_place *place)
{
    if (YR_BUG(NO_DIR_SYNC)) return 0;
    return place->env->dir_sync(place->env->ctx, place->dir);
}

/* -- making -- */

static int write_zeros(const yore_env *env, yore_file *file, uint64_t off, uint64_t end)
{
    if (off >= end) return 0;
    size_t chunk = end - off < ZERO_CHUNK_BYTES ? (size_t)(end - off) : ZERO_CHUNK_BYTES;
    uint8_t *zeros = yr_alloc_zero(env, chunk);
    if (!zeros) return -ENOMEM;
    int rc = 0;
    while (rc == 0 && off < end) {
        size_t n = end - off < chunk ? (size_t)(end - off) : chunk;
        rc = yr_file_write_all(env, file, zeros, n, off);
        off += n;
    }
    yr_free(env, zeros, chunk);
    return rc;
}

yore_status yr_wal_make_begin(yr_wal_making *making, const yr_wal_place *place,
                              const uint8_t uuid[YR_UUID_BYTES], uint64_t id, const yr_wal_link *link,
                              yore_error *err)
{
    const yore_env *env = place->env;
    *making = (yr_wal_making){.place = *place, .id = id, .bytes = link->bytes};
    if (id >= YR_MANIFEST_ID_MAX) /* only a forged MANIFEST gets here; the next id must be one it may list */
        return yr_fail(err, YORE_ERR_LIMIT, "'%s' has no number left for another log file", place->path);
    yr_file_header header = {
        .major = YR_FORMAT_MAJOR, .minor = YR_FORMAT_MINOR, .kind = YR_FILE_WAL, .file_id = id};
    memcpy(header.uuid, uuid, YR_UUID_BYTES);
    int rc = env->random(env->ctx, header.salt, YR_SALT_BYTES);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot get random bytes for a new log file");
    making->seed = yr_file_seed(&header);

    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(id, true, name);
    rc = env->unlink(env->ctx, place->dir,
                     name); /* what an interrupted attempt left; never had the final name */
    if (rc == 0 || rc == -ENOENT) {
        rc = env->open(env->ctx, place->dir, name, YORE_OPEN_WRITE | YORE_OPEN_CREATE | YORE_OPEN_EXCLUSIVE,
                       &making->file);
    }
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot make '%s/%s'", place->path, name);

    uint8_t start[YR_WAL_START_OFF];
    yr_file_header_encode(&header, start);
    yr_wal_link_encode(link, making->seed, start + YR_FILE_HEADER_BYTES);
    rc = yr_file_write_all(env, making->file, start, sizeof(start), 0);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot write '%s/%s'", place->path, name);
    return YORE_OK;
}

yore_status yr_wal_make_finish(yr_wal_making *making, uint64_t from_off, yore_error *err)
{
    const yr_wal_place *place = &making->place;
    const yore_env *env = place->env;
    char tmp[YR_WAL_NAME_BYTES];
    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(making->id, true, tmp);
    yr_wal_file_name(making->id, false, name);

    for (uint64_t off = from_off;;) {
        bool whole = !making->pause || making->bytes <= off + ZERO_PIECE_BYTES;
        uint64_t end = whole ? making->bytes : off + ZERO_PIECE_BYTES;
        int rc = write_zeros(env, making->file, off, end);
        if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot fill '%s/%s'", place->path, tmp);
        rc = env->sync(env->ctx, making->file);
        if (rc < 0) {
            making->sync_failed = !yr_errno_is_full(rc);
            return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync '%s/%s'", place->path, tmp);
        }
        if (whole) break;
        off = end;
        making->pause->look(making->pause->arg);
    }
    int rc = env->rename(env->ctx, place->dir, tmp, place->dir, name);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot name '%s/%s'", place->path, name);
    rc = yr_wal_dir_sync(place);
    if (rc < 0) {
        making->sync_failed = !yr_errno_is_full(rc);
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync directory '%s'", place->path);
    }
    return YORE_OK;
}

void yr_wal_make_abandon(yr_wal_making *making)
{
    if (!making->file) return;
    const yore_env *env = making->place.env;
    env->close(env->ctx, making->file);
    making->file = NULL;
    /* No MANIFEST names it, so whichever of the two names it has may go; a failure leaves an orphan that
     * the next open for writing removes. */
    for (int i = 0; i < 2; i++) {
        char name[YR_WAL_NAME_BYTES];
        yr_wal_file_name(making->id, i == 0, name);
        (void)env->unlink(env->ctx, making->place.dir, name);
    }
}

/* -- opening -- */

static yore_status check_start(const yr_wal_place *place, const char *name, const uint8_t uuid[YR_UUID_BYTES],
                               yore_slice start, yr_wal_opened *out, yore_error *err)
{
    yr_file_header header;
    enum yr_header_verdict verdict = yr_file_header_decode(start, &header);
    if (verdict == YR_HEADER_NEWER) {
        return yr_fail(err, YORE_ERR_FORMAT,
                       "'%s/%s' was made by a newer format (%u.%u), this is yore format %u.%u", place->path,
                       name, header.major, header.minor, YR_FORMAT_MAJOR, YR_FORMAT_MINOR);
    }
    if (verdict != YR_HEADER_OK) {
        return yr_fail(err, YORE_ERR_CORRUPT, "log file '%s/%s': damaged header at offset 0", place->path,
                       name);
    }
    if (header.kind != YR_FILE_WAL || header.file_id != out->id) {
        return yr_fail(err, YORE_ERR_CORRUPT,
                       "log file '%s/%s': another file is in its place (kind %u, id %" PRIu64 ")",
                       place->path, name, header.kind, header.file_id);
    }
    if (memcmp(header.uuid, uuid, YR_UUID_BYTES) != 0) {
        return yr_fail(err, YORE_ERR_CORRUPT, "log file '%s/%s' belongs to another store", place->path, name);
    }
    out->seed = yr_file_seed(&header);
    yore_slice link = {(const uint8_t *)start.data + YR_FILE_HEADER_BYTES,
                       YR_WAL_START_OFF - YR_FILE_HEADER_BYTES};
    if (!yr_wal_link_decode(link, out->seed, &out->link)) {
        return yr_fail(err, YORE_ERR_CORRUPT, "log file '%s/%s': damaged link block at offset %u",
                       place->path, name, YR_FILE_HEADER_BYTES);
    }
    out->bytes = out->link.bytes;
    return YORE_OK;
}

yore_status yr_wal_file_open(const yr_wal_place *place, const uint8_t uuid[YR_UUID_BYTES], uint64_t id,
                             bool write, yr_wal_opened *out, bool *missing, yore_error *err)
{
    const yore_env *env = place->env;
    char name[YR_WAL_NAME_BYTES];
    yr_wal_file_name(id, false, name);
    *out = (yr_wal_opened){.id = id};
    if (missing) *missing = false;
    int rc = env->open(env->ctx, place->dir, name, write ? YORE_OPEN_WRITE : 0, &out->file);
    if (rc == -ENOENT) {
        if (missing) *missing = true;
        return yr_fail(err, YORE_ERR_CORRUPT, "log file '%s/%s' is missing", place->path, name);
    }
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open '%s/%s'", place->path, name);

    yore_status status;
    uint8_t start[YR_WAL_START_OFF];
    int64_t n = yr_file_read_all(env, out->file, start, sizeof(start), 0);
    int64_t size = n < 0 ? n : env->size(env->ctx, out->file);
    if (size < 0) {
        status = yr_fail_errno(err, YORE_ERR_IO, (int)-size, "cannot read '%s/%s'", place->path, name);
    } else if (n < (int64_t)sizeof(start)) {
        status = yr_fail(err, YORE_ERR_CORRUPT, "log file '%s/%s' is %s (%" PRId64 " bytes)", place->path,
                         name, size ? "truncated" : "empty", size);
    } else {
        status = check_start(place, name, uuid, (yore_slice){start, sizeof(start)}, out, err);
        if (status == YORE_OK && (uint64_t)size < out->bytes) {
            status = yr_fail(err, YORE_ERR_CORRUPT,
                             "log file '%s/%s' is truncated: %" PRId64 " of %" PRIu64 " bytes", place->path,
                             name, size, out->bytes);
        }
    }
    if (status < 0) {
        env->close(env->ctx, out->file);
        out->file = NULL;
    }
    return status;
}
