#include "engine/segment/value_file_writer.h"

#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/hash128.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/segment/value_file.h"

#define FLUSH_BYTES (256u << 10)
#define SUMS_BYTES_MAX (8u * (YORE_VALUE_BYTES_MAX / YR_VALUE_CHUNK_BYTES))
/* At most what is not flushed yet, a chunk, and the end of a value. */
#define OUT_BYTES_MAX (FLUSH_BYTES + YR_VALUE_CHUNK_BYTES + 8 + SUMS_BYTES_MAX + YR_VALUE_TAIL_BYTES)
#define REFS_BYTES_MAX (SIZE_MAX / 2)

struct yr_value_writer {
    const yore_env *env;
    yore_dir *dir;
    yore_file *file;
    char *name;
    size_t name_bytes;
    yr_file_header header;
    uint64_t seed;
    yr_value_footer footer;
    yr_hash128 *hash;       /* of the file */
    yr_hash128 *value_hash; /* of the value so far */
    yr_buf out;             /* what comes next in the file, */
    uint64_t off;           /* which goes here */
    yr_buf refs;            /* yr_value_ref, of the values that are complete */
    /* The value that is being written. */
    yr_value_ref ref;
    yr_buf sums;       /* of its chunks that are complete */
    size_t chunk_from; /* in `out`: the chunk that is not */
    bool is_open;
    bool is_finished;
};

static yore_status no_memory(const yr_value_writer *writer, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "no memory to write value file '%s'", writer->name);
}

/* Write `out` up to here. */
static yore_status out_flush(yr_value_writer *writer, yore_error *err)
{
    yr_buf *out = &writer->out;
    int rc = yr_file_write_all(writer->env, writer->file, out->data, out->size, writer->off);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot write value file '%s'", writer->name);
    yr_hash128_update(writer->hash, out->data, out->size);
    writer->off += out->size;
    yr_buf_clear(out);
    return YORE_OK;
}

/* Where in the file the next byte goes. */
static uint64_t next_off(const yr_value_writer *writer)
{
    return writer->off + writer->out.size;
}

static yore_status writer_start(yr_value_writer *writer, const char *name, yore_error *err)
{
    const yore_env *env = writer->env;
    uint8_t *at;
    int rc = env->open(env->ctx, writer->dir, name, YORE_OPEN_WRITE | YORE_OPEN_CREATE | YORE_OPEN_EXCLUSIVE,
                       &writer->file);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot create value file '%s'", name);
    rc = env->random(env->ctx, writer->header.salt, YR_SALT_BYTES);
    if (rc < 0)
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot get random bytes for value file '%s'", name);
    writer->seed = yr_file_seed(&writer->header);
    writer->hash = yr_hash128_create(env);
    writer->value_hash = yr_hash128_create(env);
    if (!writer->hash || !writer->value_hash || !yr_buf_reserve(&writer->out, YR_FILE_HEADER_BYTES, &at))
        return no_memory(writer, err);
    yr_file_header_encode(&writer->header, at);
    writer->out.size = YR_FILE_HEADER_BYTES;
    return YORE_OK;
}

yore_status yr_value_writer_create(const yore_env *env, const yr_value_write_options *options, yore_dir *dir,
                                   const char *name, yr_value_writer **out, yore_error *err)
{
    YR_ASSERT(options->file_id);
    YR_ASSERT(options->after_version < options->last_version);
    size_t name_bytes = strlen(name) + 1;
    yr_value_writer *writer = yr_alloc_zero(env, sizeof *writer);
    char *own_name = yr_alloc(env, name_bytes);
    if (!writer || !own_name) {
        yr_free(env, writer, sizeof *writer);
        yr_free(env, own_name, name_bytes);
        return yr_fail(err, YORE_ERR_NOMEM, "no memory to write value file '%s'", name);
    }
    memcpy(own_name, name, name_bytes);
    writer->env = env;
    writer->dir = dir;
    writer->name = own_name;
    writer->name_bytes = name_bytes;
    writer->header = (yr_file_header){.major = YR_FORMAT_MAJOR,
                                      .minor = YR_FORMAT_MINOR,
                                      .kind = YR_FILE_VALUES,
                                      .file_id = options->file_id};
    memcpy(writer->header.uuid, options->uuid, YR_UUID_BYTES);
    writer->footer.after_version = options->after_version;
    writer->footer.last_version = options->last_version;
    yr_buf_init(&writer->out, env, OUT_BYTES_MAX);
    yr_buf_init(&writer->refs, env, REFS_BYTES_MAX);
    yr_buf_init(&writer->sums, env, SUMS_BYTES_MAX);
    yore_status status = writer_start(writer, name, err);
    if (status < 0) {
        yr_value_writer_destroy(writer);
        return status;
    }
    *out = writer;
    return YORE_OK;
}

void yr_value_writer_destroy(yr_value_writer *writer)
{
    if (!writer) return;
    const yore_env *env = writer->env;
    if (writer->file) {
        env->close(env->ctx, writer->file);
        if (!writer->is_finished) (void)env->unlink(env->ctx, writer->dir, writer->name);
    }
    yr_hash128_destroy(env, writer->hash);
    yr_hash128_destroy(env, writer->value_hash);
    yr_buf_deinit(&writer->out);
    yr_buf_deinit(&writer->refs);
    yr_buf_deinit(&writer->sums);
    yr_free(env, writer->name, writer->name_bytes);
    yr_free(env, writer, sizeof *writer);
}

/* -- values -- */

/* The size of the file with one more value, of so many bytes, and no further one. */
static uint64_t bytes_with(const yr_value_writer *writer, uint64_t bytes)
{
    uint64_t values = writer->footer.values + (bytes > 0);
    uint64_t record = bytes ? yr_value_record_bytes(bytes) : 0;
    uint64_t begin = writer->is_open ? writer->ref.off : next_off(writer);
    return begin + record + YR_VALUE_PAGE_BYTES * yr_value_pages(values) + YR_VALUE_FOOTER_BYTES;
}

static yore_status limit_check(const yr_value_writer *writer, uint64_t bytes, yore_error *err)
{
    if (bytes == 0 || bytes > YORE_VALUE_BYTES_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "a value file cannot hold a value of %llu bytes",
                       (unsigned long long)bytes);
    if (writer->footer.values >= YR_VALUE_COUNT_MAX || bytes_with(writer, bytes) > YR_VALUE_FILE_BYTES_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "value file '%s' is full", writer->name);
    return YORE_OK;
}

static yore_status chunk_close(yr_value_writer *writer, yore_error *err)
{
    const yr_buf *out = &writer->out;
    size_t size = out->size - writer->chunk_from;
    if (size == 0) return YORE_OK;
    const uint8_t *chunk = out->data + writer->chunk_from;
    yr_hash128_update(writer->value_hash, chunk, size);
    uint64_t sum = yr_value_sum(chunk, size, writer->seed, writer->off + writer->chunk_from);
    if (!yr_buf_append_le64(&writer->sums, sum)) return no_memory(writer, err);
    yore_status status = out->size >= FLUSH_BYTES ? out_flush(writer, err) : YORE_OK;
    writer->chunk_from = out->size;
    return status;
}

void yr_value_writer_begin(yr_value_writer *writer)
{
    YR_ASSERT(!writer->is_open && !writer->is_finished);
    writer->ref = (yr_value_ref){.file_id = writer->header.file_id, .off = next_off(writer)};
    writer->is_open = true;
    writer->chunk_from = writer->out.size;
    yr_buf_clear(&writer->sums);
    yr_hash128_reset(writer->value_hash);
}

yore_status yr_value_writer_append(yr_value_writer *writer, yore_slice part, yore_error *err)
{
    YR_ASSERT(writer->is_open);
    const uint8_t *p = part.data;
    size_t left = part.size;
    if (left == 0) return YORE_OK;
    yore_status status = limit_check(writer, writer->ref.bytes + left, err);
    if (status < 0) return status;
    writer->ref.bytes += left;
    while (left > 0) {
        size_t room = YR_VALUE_CHUNK_BYTES - (writer->out.size - writer->chunk_from);
        size_t n = left < room ? left : room;
        if (!yr_buf_append(&writer->out, p, n)) return no_memory(writer, err);
        p += n;
        left -= n;
        if (n == room) status = chunk_close(writer, err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

yore_status yr_value_writer_end(yr_value_writer *writer, yr_value_ref *ref, yore_error *err)
{
    static const uint8_t zeros[8] = {0};
    uint8_t digest[YR_HASH128_BYTES], *tail;
    yr_buf *out = &writer->out;
    YR_ASSERT(writer->is_open);
    uint64_t bytes = writer->ref.bytes;
    if (bytes == 0) return limit_check(writer, bytes, err);
    yore_status status = chunk_close(writer, err);
    if (status < 0) return status;
    YR_ASSERT(writer->sums.size == 8 * (size_t)yr_value_chunks(bytes));
    yr_hash128_digest(writer->value_hash, digest);
    writer->ref.hash = yr_value_hash_of(digest);
    if (!yr_buf_append(out, zeros, (size_t)(yr_value_tail_off(bytes) - bytes)) ||
        !yr_buf_reserve(out, yr_value_tail_bytes(bytes), &tail) ||
        !yr_buf_append(&writer->refs, &writer->ref, sizeof writer->ref)) {
        return no_memory(writer, err);
    }
    memcpy(tail, writer->sums.data, writer->sums.size);
    yr_value_tail_encode(&writer->ref, writer->seed, next_off(writer), tail);
    out->size += yr_value_tail_bytes(bytes);
    YR_ASSERT(next_off(writer) == writer->ref.off + yr_value_record_bytes(bytes));
    yr_value_footer *footer = &writer->footer;
    footer->values++;
    footer->value_bytes += bytes;
    if (footer->largest_bytes < bytes) footer->largest_bytes = bytes;
    writer->is_open = false;
    *ref = writer->ref;
    return out->size >= FLUSH_BYTES ? out_flush(writer, err) : YORE_OK;
}

yore_status yr_value_writer_add(yr_value_writer *writer, yore_slice value, yr_value_ref *ref, yore_error *err)
{
    yore_status status = limit_check(writer, value.size, err);
    if (status < 0) return status;
    yr_value_writer_begin(writer);
    status = yr_value_writer_append(writer, value, err);
    return status < 0 ? status : yr_value_writer_end(writer, ref, err);
}

static yore_status append_part(void *arg, yore_slice part, yore_error *err)
{
    return yr_value_writer_append(arg, part, err);
}

yore_status yr_value_writer_copy(yr_value_writer *writer, struct yr_value_file *from, const yr_value_ref *ref,
                                 yr_value_ref *copy, yore_error *err)
{
    yore_status status = limit_check(writer, ref->bytes, err);
    if (status < 0) return status;
    yr_value_writer_begin(writer);
    status = yr_value_file_stream(from, ref, append_part, writer, err);
    if (status == YORE_OK) status = yr_value_writer_end(writer, copy, err);
    /* The parts were right, and so were their order and number: the hash says it of the whole. */
    if (status == YORE_OK && copy->hash != ref->hash)
        status = yr_fail(err, YORE_ERR_CORRUPT, "value file '%s': a value with another hash at %llu",
                         yr_value_file_name(from), (unsigned long long)ref->off);
    return status;
}

uint64_t yr_value_writer_bytes(const yr_value_writer *writer)
{
    return bytes_with(writer, writer->is_open ? writer->ref.bytes : 0);
}

/* -- the end of the file -- */

static yore_status directory_write(yr_value_writer *writer, yore_error *err)
{
    const yr_value_ref *refs = (const yr_value_ref *)(const void *)writer->refs.data;
    uint64_t values = writer->footer.values;
    for (uint64_t i = 0; i < values; i += YR_VALUE_PAGE_ENTRIES) {
        uint64_t left = values - i;
        uint8_t *page;
        if (!yr_buf_reserve(&writer->out, YR_VALUE_PAGE_BYTES, &page)) return no_memory(writer, err);
        yr_value_page_encode(refs + i, left < YR_VALUE_PAGE_ENTRIES ? (uint32_t)left : YR_VALUE_PAGE_ENTRIES,
                             writer->seed, next_off(writer), page);
        writer->out.size += YR_VALUE_PAGE_BYTES;
        yore_status status = writer->out.size >= FLUSH_BYTES ? out_flush(writer, err) : YORE_OK;
        if (status < 0) return status;
    }
    return out_flush(writer, err);
}

static yore_status footer_write(yr_value_writer *writer, yore_error *err)
{
    const yore_env *env = writer->env;
    uint8_t bytes[YR_VALUE_FOOTER_BYTES];
    yr_value_footer *footer = &writer->footer;
    footer->file_bytes = writer->off + sizeof bytes;
    yr_value_footer_encode(footer, writer->seed, bytes);
    yr_hash128_update(writer->hash, bytes, YR_VALUE_HASH_OFF);
    yr_hash128_digest(writer->hash, footer->file_hash);
    yr_value_footer_encode(footer, writer->seed, bytes);
    int rc = yr_file_write_all(env, writer->file, bytes, sizeof bytes, writer->off);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot write value file '%s'", writer->name);
    rc = env->sync(env->ctx, writer->file);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync value file '%s'", writer->name);
    return YORE_OK;
}

yore_status yr_value_writer_finish(yr_value_writer *writer, yr_value_footer *footer, yore_error *err)
{
    YR_ASSERT(!writer->is_open && !writer->is_finished);
    writer->footer.directory_off = next_off(writer);
    yore_status status = directory_write(writer, err);
    if (status == YORE_OK) status = footer_write(writer, err);
    if (status == YORE_OK)
        status = yr_value_file_verify_hash(writer->env, writer->file, writer->name, &writer->footer,
                                           writer->seed, err);
    if (status < 0) return status;
    writer->is_finished = true;
    if (footer) *footer = writer->footer;
    return YORE_OK;
}
