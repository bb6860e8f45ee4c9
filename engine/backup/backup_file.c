/* Reading one backup file: its header and manifest, then all of it, chunk by chunk, frame by frame. */
#include <errno.h>
#include <inttypes.h>

#include "engine/backup/backup_private.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/wal/wal_file.h"

#define FRAMES_KEEP ((size_t)2 << 20)

static yore_status bad(const yr_backup_file *file, yore_error *err, const char *what)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "%s '%s': %s", file->sort->noun, file->path, what);
}

static yore_status bad_at(const yr_backup_file *file, yore_error *err, const char *what, uint64_t off)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "%s '%s': %s at offset %" PRIu64, file->sort->noun, file->path,
                   what, off);
}

/* All of `size` bytes, which the file has. */
static yore_status read_bytes(const yr_backup_file *file, void *to, size_t size, uint64_t off,
                              yore_error *err)
{
    int64_t n = yr_file_read_all(file->env, file->file, to, size, off);
    if (n < 0)
        return yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read the %s '%s'", file->sort->noun,
                             file->path);
    return (uint64_t)n < size ? bad_at(file, err, "it ends before its time", off + (uint64_t)n) : YORE_OK;
}

/* -- header and manifest -- */

static yore_status read_header(yr_backup_file *file, int64_t size, yore_error *err)
{
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    size_t have = size < (int64_t)sizeof bytes ? (size_t)size : sizeof bytes;
    yore_status status = read_bytes(file, bytes, have, 0, err);
    if (status < 0) return status;
    yr_file_header *header = &file->header;
    enum yr_header_verdict verdict = yr_file_header_decode(yore_bytes(bytes, have), header);
    if (!yr_file_header_has_magic(yore_bytes(bytes, have)))
        return yr_fail(err, YORE_ERR_NOT_STORE, "'%s' is not a %s", file->path, file->sort->noun);
    if (verdict == YR_HEADER_BAD) return bad(file, err, "its header is damaged");
    if (header->kind != file->sort->kind)
        return yr_fail(err, YORE_ERR_NOT_STORE, "'%s' is another file of yore's, not a %s", file->path,
                       file->sort->noun);
    if (verdict == YR_HEADER_NEWER) {
        return yr_fail(
            err, YORE_ERR_FORMAT, "%s '%s' was made by a newer format (%u.%u), this is yore format %u.%u",
            file->sort->noun, file->path, header->major, header->minor, YR_FORMAT_MAJOR, YR_FORMAT_MINOR);
    }
    file->seed = yr_file_seed(header);
    return YORE_OK;
}

static yore_status read_manifest(yr_backup_file *file, int64_t size, yore_error *err)
{
    uint8_t bytes[YR_BACKUP_MANIFEST_BYTES];
    const char *why;
    if (size < (int64_t)YR_BACKUP_BYTES_MIN)
        return bad(file, err, "it ends without its manifest: it is cut, or was never finished");
    uint64_t off = (uint64_t)size - sizeof bytes;
    yore_status status = read_bytes(file, bytes, sizeof bytes, off, err);
    if (status < 0) return status;
    if (!yr_backup_manifest_decode(bytes, &file->header, off, &file->manifest, &why))
        return bad(file, err, why);
    return YORE_OK;
}

const yr_backup_sort yr_sort_backup = {YR_FILE_BACKUP, "backup"};
const yr_backup_sort yr_sort_bundle = {YR_FILE_BUNDLE, "bundle"};

yore_status yr_backup_file_open(yr_backup_file *file, const yr_backup_sort *sort, const yore_env *env,
                                yore_dir *dir, const char *name, const char *path, yore_error *err)
{
    *file = (yr_backup_file){.env = env, .path = path, .sort = sort};
    int rc = env->open(env->ctx, dir, name, 0, &file->file);
    if (rc < 0) file->file = NULL;
    if (rc == -ENOENT) return yr_fail(err, YORE_ERR_NO_STORE, "no %s at '%s'", sort->noun, path);
    if (rc == -EINVAL || rc == -ELOOP)
        return yr_fail(err, YORE_ERR_NOT_STORE, "'%s' is not a regular file, so not a %s", path, sort->noun);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open the %s '%s'", sort->noun, path);
    int64_t size = env->size(env->ctx, file->file);
    yore_status status = YORE_OK;
    if (size < 0)
        status = yr_fail_errno(err, YORE_ERR_IO, (int)-size, "cannot read the %s '%s'", sort->noun, path);
    if (status == YORE_OK) status = read_header(file, size, err);
    if (status == YORE_OK) status = read_manifest(file, size, err);
    if (status < 0) yr_backup_file_close(file);
    return status;
}

void yr_backup_file_close(yr_backup_file *file)
{
    if (file->file) file->env->close(file->env->ctx, file->file);
    file->file = NULL;
}

bool yr_backup_file_peek(const yore_env *env, yore_dir *dir, const char *name, uint8_t id[YR_SALT_BYTES])
{
    yore_file *file = NULL;
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    yr_file_header header;
    if (env->open(env->ctx, dir, name, 0, &file) < 0) return false;
    int64_t n = yr_file_read_all(env, file, bytes, sizeof bytes, 0);
    env->close(env->ctx, file);
    if (n < (int64_t)sizeof bytes) return false;
    if (yr_file_header_decode(yore_bytes(bytes, sizeof bytes), &header) == YR_HEADER_BAD) return false;
    memcpy(id, header.salt, YR_SALT_BYTES);
    return header.kind == YR_FILE_BACKUP;
}

void yr_backup_info_fill(const yr_backup_file *file, yore_backup_info *out)
{
    const yr_backup_manifest *manifest = &file->manifest;
    *out = (yore_backup_info){.struct_size = sizeof *out,
                              .files = 1,
                              .first_version = manifest->first_version,
                              .last_version = manifest->last_version,
                              .last_time_ns = manifest->last_time_ns,
                              .created_ns = manifest->created_ns,
                              .commits = manifest->last_version + 1 - manifest->first_version,
                              .rows = manifest->rows,
                              .raw_bytes = manifest->raw_bytes,
                              .file_bytes = manifest->file_bytes,
                              .format_major = file->header.major,
                              .format_minor = file->header.minor};
    memcpy(out->id, file->header.salt, YORE_BACKUP_ID_BYTES);
    memcpy(out->base_id, manifest->base_id, YORE_BACKUP_ID_BYTES);
    memcpy(out->store_id, manifest->uuid, YORE_BACKUP_ID_BYTES);
}

/* -- frames -- */

/* Judge one frame and count it. */
static yore_status take_frame(yr_backup_reader *reader, const yr_backup_file *file, yore_slice bytes,
                              yore_error *err)
{
    yr_reader payload = yr_reader_of(bytes), rows;
    yr_commit_head head;
    yr_row row;
    bool good = yr_frame_take(&payload, &head, &rows) && head.version == reader->version + 1 &&
                (head.version == 1 || head.time_ns > reader->time_ns) &&
                head.version <= file->manifest.last_version;
    for (uint32_t i = 0; good && i < head.row_count; i++) good = yr_row_take(&rows, head.branch, &row);
    if (!good || rows.left) {
        return yr_fail(err, YORE_ERR_CORRUPT, "%s '%s': commit v%" PRIu64 " is not valid", file->sort->noun,
                       file->path, reader->version + 1);
    }
    reader->version = head.version;
    reader->time_ns = head.time_ns;
    reader->rows += head.row_count;
    if (head.version != file->manifest.last_version) return YORE_OK;
    uint8_t hash[YR_HASH128_BYTES];
    yr_hash128_of(bytes.data, bytes.size, hash);
    if (memcmp(hash, file->manifest.last_hash, sizeof hash) == 0) return YORE_OK;
    return bad(file, err, "its last commit is not the one its manifest names");
}

/* Give on all frames that are whole. */
static yore_status take_frames(yr_backup_reader *reader, const yr_backup_file *file, yore_error *err)
{
    yr_buf *frames = &reader->frames;
    uint64_t first = reader->version + 1;
    size_t at = 0;
    yore_status status = YORE_OK;
    while (status == YORE_OK && frames->size - at >= YR_FRAME_HEADER) {
        size_t size = yr_get_le32(frames->data + at);
        if (size < YR_FRAME_HEADER || size > YR_BACKUP_FRAME_MAX)
            return bad(file, err, "a commit has no legal size");
        if (size > frames->size - at) break;
        status = take_frame(reader, file, yore_bytes(frames->data + at, size), err);
        at += size;
    }
    if (status == YORE_OK && at > 0 && reader->sink)
        status = reader->sink(reader->sink_arg, yore_bytes(frames->data, at), first, reader->version, err);
    if (at > 0) {
        memmove(frames->data, frames->data + at, frames->size - at);
        frames->size -= at;
        if (frames->size == 0) yr_buf_trim(frames, FRAMES_KEEP);
    }
    return status;
}

/* -- chunks -- */

/* Into `raw`, which has room for the bytes that the chunk's checked header promises. */
static yore_status unpack(const yr_backup_reader *reader, const yr_backup_file *file,
                          const yr_backup_chunk *chunk, uint8_t *raw, uint64_t off, yore_error *err)
{
    const yore_slice stored = {reader->stored, chunk->stored_bytes};
    if (chunk->codec == YR_BACKUP_PLAIN) {
        memcpy(raw, stored.data, stored.size);
        return YORE_OK;
    }
    switch (yr_decode(reader->decoders, NULL, stored, raw, chunk->raw_bytes)) {
    case YR_DECODE_OK: return YORE_OK;
    case YR_DECODE_BAD: return bad_at(file, err, "a chunk cannot be unpacked", off);
    case YR_DECODE_NO_MEMORY: break;
    }
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the %s '%s'", file->sort->noun,
                   file->path);
}

/* Read the chunk at *off behind the frames that wait. */
static yore_status take_chunk(yr_backup_reader *reader, const yr_backup_file *file, uint64_t *off,
                              uint64_t end, yore_error *err)
{
    uint8_t bytes[YR_BACKUP_CHUNK_HEADER];
    yr_backup_chunk chunk;
    uint8_t *raw;
    if (end - *off < sizeof bytes) return bad_at(file, err, "a chunk is cut", *off);
    yore_status status = read_bytes(file, bytes, sizeof bytes, *off, err);
    if (status < 0) return status;
    if (!yr_backup_chunk_decode(bytes, file->seed, *off, &chunk))
        return bad_at(file, err, "a chunk's header is damaged", *off);
    if (chunk.stored_bytes > end - *off - sizeof bytes) return bad_at(file, err, "a chunk is cut", *off);
    status = read_bytes(file, reader->stored, chunk.stored_bytes, *off + sizeof bytes, err);
    if (status < 0) return status;
    const yore_slice stored = {reader->stored, chunk.stored_bytes};
    if (chunk.checksum != yr_backup_chunk_checksum(file->seed, *off, stored))
        return bad_at(file, err, "a chunk does not match its checksum", *off);
    if (!yr_buf_reserve(&reader->frames, chunk.raw_bytes, &raw))
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the %s '%s'", file->sort->noun,
                       file->path);
    status = unpack(reader, file, &chunk, raw, *off, err);
    if (status < 0) return status;
    reader->frames.size += chunk.raw_bytes;
    reader->raw_bytes += chunk.raw_bytes;
    yr_hash128_update(reader->hash, bytes, sizeof bytes);
    yr_hash128_update(reader->hash, reader->stored, chunk.stored_bytes);
    *off += sizeof bytes + chunk.stored_bytes;
    return YORE_OK;
}

/* Everything was read: is it what the manifest says? */
static yore_status check_end(const yr_backup_reader *reader, const yr_backup_file *file, uint64_t chunks,
                             yore_error *err)
{
    const yr_backup_manifest *manifest = &file->manifest;
    uint8_t bytes[YR_BACKUP_MANIFEST_BYTES], hash[YR_HASH128_BYTES];
    yr_backup_manifest_encode(manifest, bytes);
    yr_hash128_update(reader->hash, bytes, YR_BACKUP_MANIFEST_HASH_OFF);
    yr_hash128_digest(reader->hash, hash);
    if (memcmp(hash, manifest->hash, sizeof hash) != 0) return bad(file, err, "it does not match its hash");
    if (reader->frames.size) return bad(file, err, "its last commit is cut");
    if (reader->version != manifest->last_version || reader->time_ns != manifest->last_time_ns)
        return bad(file, err, "it does not end in the commit its manifest names");
    if (reader->rows != manifest->rows || reader->raw_bytes != manifest->raw_bytes ||
        chunks != manifest->chunks)
        return bad(file, err, "it does not hold what its manifest counts");
    return YORE_OK;
}

yore_status yr_backup_reader_run(yr_backup_reader *reader, const yr_backup_file *file, yore_error *err)
{
    uint8_t header[YR_FILE_HEADER_BYTES];
    uint64_t off = sizeof header, end = file->manifest.file_bytes - YR_BACKUP_MANIFEST_BYTES, chunks = 0;
    yr_buf_clear(&reader->frames);
    yr_hash128_reset(reader->hash);
    reader->rows = reader->raw_bytes = 0;
    yore_status status = read_bytes(file, header, sizeof header, 0, err);
    yr_hash128_update(reader->hash, header, sizeof header);
    while (status == YORE_OK && off < end) {
        status = take_chunk(reader, file, &off, end, err);
        if (status == YORE_OK) status = take_frames(reader, file, err);
        if (status == YORE_OK)
            status = yr_backup_progress(reader->options, reader->version, reader->total, err);
        chunks++;
    }
    return status == YORE_OK ? check_end(reader, file, chunks, err) : status;
}

yore_status yr_backup_reader_init(yr_backup_reader *reader, const yore_env *env, yore_error *err)
{
    *reader = (yr_backup_reader){.env = env};
    yr_buf_init(&reader->frames, env, YR_BACKUP_FRAME_MAX + 2 * (size_t)YR_BACKUP_CHUNK_MAX);
    reader->stored = yr_alloc(env, YR_BACKUP_CHUNK_MAX);
    reader->hash = yr_hash128_create(env);
    if (!reader->stored || !reader->hash)
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory for reading a backup");
    return yr_decoders_create(env, &reader->decoders, err);
}

void yr_backup_reader_deinit(yr_backup_reader *reader)
{
    yr_buf_deinit(&reader->frames);
    yr_free(reader->env, reader->stored, YR_BACKUP_CHUNK_MAX);
    yr_hash128_destroy(reader->env, reader->hash);
    yr_decoders_destroy(reader->decoders);
}
