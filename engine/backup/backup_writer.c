/* Writing a backup file under a temporary name, `dest`.tmp, which is locked while it is being written: what a killed
 * process left is taken over, what a living one writes is not. */
#include <errno.h>

#include "engine/backup/backup_private.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/wal/wal_file.h"

#define STORED_BYTES (YR_BACKUP_CHUNK_HEADER + (size_t)YR_BACKUP_CHUNK_MAX)
/* Synced in steps, so that the store's own syncs on the same disk never wait for all of a large backup. */
#define LEVEL 1 /* of zstd: a writer beside the backup feels a higher one */
#define SYNC_BYTES (UINT64_C(32) << 20)

static yore_status io_failed(const yr_backup_writer *writer, int rc, const char *what, yore_error *err)
{
    return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot %s '%s'", what, writer->place.path);
}

static yore_status write_bytes(yr_backup_writer *writer, const void *bytes, size_t size, yore_error *err)
{
    const yore_env *env = writer->place.env;
    int rc = yr_file_write_all(env, writer->file, bytes, size, writer->off);
    if (rc < 0) return io_failed(writer, rc, "write", err);
    writer->off += size;
    if (writer->off - writer->synced_off < SYNC_BYTES) return YORE_OK;
    writer->synced_off = writer->off;
    rc = env->sync(env->ctx, writer->file);
    return rc < 0 ? io_failed(writer, rc, "sync", err) : YORE_OK;
}

static yore_status begin_memory(yr_backup_writer *writer, const yore_env *env, yore_error *err)
{
    static const char suffix[] = ".tmp";
    size_t name_size = strlen(writer->place.name);
    writer->tmp_bytes = name_size + sizeof suffix;
    writer->tmp_name = yr_alloc(env, writer->tmp_bytes);
    writer->raw = yr_alloc(env, YR_BACKUP_CHUNK_MAX);
    writer->stored = yr_alloc(env, STORED_BYTES);
    writer->hash = yr_hash128_create(env);
    if (!writer->tmp_name || !writer->raw || !writer->stored || !writer->hash) {
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the %s '%s'", writer->sort->noun,
                       writer->place.path);
    }
    memcpy(writer->tmp_name, writer->place.name, name_size);
    memcpy(writer->tmp_name + name_size, suffix, sizeof suffix);
    return yr_compressor_create(env, LEVEL, &writer->compressor, err);
}

static yore_status begin_file(yr_backup_writer *writer, yore_error *err)
{
    const yr_backup_place *place = &writer->place;
    const yore_env *env = place->env;
    yore_file *file = NULL;
    yore_status status = yr_backup_place_is_free(place, err);
    if (status < 0) return status;
    int rc = env->open(env->ctx, place->dir, writer->tmp_name, YORE_OPEN_WRITE | YORE_OPEN_CREATE, &file);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot make '%s.tmp'", place->path);
    rc = env->lock(env->ctx, file);
    if (rc != 0) {
        env->close(env->ctx, file);
        if (rc == YORE_LOCK_HELD)
            return yr_fail(err, YORE_ERR_LOCKED, "the %s '%s' is being made by another call",
                           writer->sort->noun, place->path);
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot lock '%s.tmp'", place->path);
    }
    writer->file = file;
    /* Who held the lock may have finished; then this may be the finished file, so nothing is done to it before. */
    status = yr_backup_place_is_free(place, err);
    if (status < 0) return status;
    rc = env->truncate(env->ctx, file, 0);
    return rc < 0 ? io_failed(writer, rc, "write", err) : YORE_OK;
}

yore_status yr_backup_writer_begin(yr_backup_writer *writer, const yr_backup_sort *sort, const yore_env *env,
                                   const char *dest, yore_error *err)
{
    writer->sort = sort;
    yore_status status = yr_backup_place_init(&writer->place, env, dest, err);
    if (status == YORE_OK) status = begin_memory(writer, env, err);
    if (status == YORE_OK) status = begin_file(writer, err);
    if (status < 0) return status;
    yr_file_header *header = &writer->header;
    header->major = YR_FORMAT_MAJOR;
    header->minor = YR_FORMAT_MINOR;
    header->kind = sort->kind;
    int rc = env->random(env->ctx, header->salt, YR_SALT_BYTES);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot get random bytes for a %s", sort->noun);
    writer->seed = yr_file_seed(header);
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    yr_file_header_encode(header, bytes);
    yr_hash128_update(writer->hash, bytes, sizeof bytes);
    return write_bytes(writer, bytes, sizeof bytes, err);
}

/* Write what is in `raw` as a chunk. */
static yore_status flush(yr_backup_writer *writer, yore_error *err)
{
    if (writer->raw_size == 0) return YORE_OK;
    uint8_t *bytes = writer->stored + YR_BACKUP_CHUNK_HEADER;
    size_t packed;
    yore_status status =
        yr_compress(writer->compressor, yore_bytes(writer->raw, writer->raw_size), bytes, &packed, err);
    if (status < 0) return status;
    if (packed == 0) memcpy(bytes, writer->raw, writer->raw_size);
    yr_backup_chunk chunk = {.codec = packed ? YR_BACKUP_ZSTD : YR_BACKUP_PLAIN,
                             .raw_bytes = (uint32_t)writer->raw_size,
                             .stored_bytes = (uint32_t)(packed ? packed : writer->raw_size)};
    const yore_slice stored = {bytes, chunk.stored_bytes};
    chunk.checksum = yr_backup_chunk_checksum(writer->seed, writer->off, stored);
    yr_backup_chunk_encode(&chunk, writer->seed, writer->off, writer->stored);
    size_t size = YR_BACKUP_CHUNK_HEADER + (size_t)chunk.stored_bytes;
    yr_hash128_update(writer->hash, writer->stored, size);
    writer->manifest.chunks++;
    writer->manifest.raw_bytes += writer->raw_size;
    writer->raw_size = 0;
    return write_bytes(writer, writer->stored, size, err);
}

yore_status yr_backup_writer_put(yr_backup_writer *writer, const void *bytes, size_t size, yore_error *err)
{
    const uint8_t *from = bytes;
    while (size > 0) {
        size_t room = YR_BACKUP_CHUNK_MAX - writer->raw_size;
        size_t some = size < room ? size : room;
        memcpy(writer->raw + writer->raw_size, from, some);
        writer->raw_size += some;
        from += some;
        size -= some;
        if (writer->raw_size < YR_BACKUP_CHUNK_MAX) break;
        yore_status status = flush(writer, err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

static yore_status write_manifest(yr_backup_writer *writer, yore_error *err)
{
    yr_backup_manifest *manifest = &writer->manifest;
    uint8_t bytes[YR_BACKUP_MANIFEST_BYTES];
    yore_status status = flush(writer, err);
    if (status < 0) return status;
    memcpy(manifest->uuid, writer->header.uuid, YR_UUID_BYTES);
    manifest->file_bytes = writer->off + YR_BACKUP_MANIFEST_BYTES;
    yr_backup_manifest_encode(manifest, bytes);
    yr_hash128_update(writer->hash, bytes, YR_BACKUP_MANIFEST_HASH_OFF);
    yr_hash128_digest(writer->hash, manifest->hash);
    yr_backup_manifest_seal(manifest, writer->seed, writer->off, bytes);
    return write_bytes(writer, bytes, sizeof bytes, err);
}

yore_status yr_backup_writer_finish(yr_backup_writer *writer, yore_error *err)
{
    const yr_backup_place *place = &writer->place;
    const yore_env *env = place->env;
    yore_status status = write_manifest(writer, err);
    if (status < 0) return status;
    int rc = YR_BUG(BACKUP_NO_SYNC) ? 0 : env->sync(env->ctx, writer->file);
    if (rc < 0) return io_failed(writer, rc, "sync", err);
    status = yr_backup_place_is_free(place, err); /* a rename would replace what has come since */
    if (status < 0) return status;
    rc = env->rename(env->ctx, place->dir, writer->tmp_name, place->dir, place->name);
    if (rc < 0) return io_failed(writer, rc, "give its name to", err);
    rc = env->dir_sync(env->ctx, place->dir);
    if (rc < 0) {
        (void)env->unlink(env->ctx, place->dir, place->name);
        status = io_failed(writer, rc, "sync the directory of", err);
    }
    env->close(env->ctx, writer->file);
    writer->file = NULL; /* it has its name now: nothing to remove */
    return status;
}

void yr_backup_writer_abandon(yr_backup_writer *writer)
{
    const yore_env *env = writer->place.env;
    if (env) {
        if (writer->file) {
            (void)env->unlink(env->ctx, writer->place.dir, writer->tmp_name);
            env->close(env->ctx, writer->file);
        }
        yr_free(env, writer->tmp_name, writer->tmp_bytes);
        yr_free(env, writer->raw, YR_BACKUP_CHUNK_MAX);
        yr_free(env, writer->stored, STORED_BYTES);
        yr_hash128_destroy(env, writer->hash);
        yr_compressor_destroy(writer->compressor);
    }
    yr_backup_place_deinit(&writer->place);
    *writer = (yr_backup_writer){0};
}
