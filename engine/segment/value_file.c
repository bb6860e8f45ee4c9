#include "engine/segment/value_file.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/file_io.h"
#include "engine/base/hash128.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"

#define READ_BYTES (256u << 10)
#define LIST_PAGES 32u /* read at once */

struct yr_value_file {
    /* Immutable after open. */
    const yore_env *env;
    yore_file *file;
    yr_block_cache *cache;
    char *name;
    size_t name_bytes;
    uint64_t cache_file;
    uint64_t seed;
    yr_file_header header;
    yr_value_footer footer;
    bool is_unchecked;
    bool owns_file;
    _Atomic uint32_t refs; /* rises from at least 1; the last to let go closes */
};

static yore_status bad(const char *name, uint64_t off, const char *what, yore_error *err)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "value file '%s': %s at %" PRIu64, name, what, off);
}

static yore_status no_memory(const char *name, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "no memory to read value file '%s'", name);
}

static yore_status read_at(const yr_value_file *values, uint64_t off, void *to, size_t size, yore_error *err)
{
    int64_t n = yr_file_read_all(values->env, values->file, to, size, off);
    if (n < 0) return yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read value file '%s'", values->name);
    return (uint64_t)n < size ? bad(values->name, off + (uint64_t)n, "truncated", err) : YORE_OK;
}

/* -- open, close -- */

static yore_status header_read(yr_value_file *values, const yr_value_open_options *options, yore_error *err)
{
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    yore_status status = read_at(values, 0, bytes, sizeof bytes, err);
    if (status < 0) return status;
    yr_file_header *header = &values->header;
    enum yr_header_verdict verdict = yr_file_header_decode(yore_bytes(bytes, sizeof bytes), header);
    if (verdict == YR_HEADER_NEWER)
        return yr_fail(err, YORE_ERR_FORMAT,
                       "value file '%s' has format %u.%u, which this yore does not know", values->name,
                       header->major, header->minor);
    if (verdict != YR_HEADER_OK) return bad(values->name, 0, "damaged header", err);
    if (header->kind != YR_FILE_VALUES) return bad(values->name, 8, "not a value file", err);
    if (options->uuid && memcmp(options->uuid, header->uuid, YR_UUID_BYTES) != 0)
        return bad(values->name, 16, "a value file of another store", err);
    if (options->file_id && options->file_id != header->file_id)
        return bad(values->name, 32, "a value file of another number", err);
    values->seed = yr_file_seed(header);
    return YORE_OK;
}

static yore_status footer_read(yr_value_file *values, yore_error *err)
{
    uint8_t bytes[YR_VALUE_FOOTER_BYTES];
    const char *why = NULL;
    int64_t size = values->env->size(values->env->ctx, values->file);
    if (size < 0)
        return yr_fail_errno(err, YORE_ERR_IO, (int)-size, "cannot read value file '%s'", values->name);
    if ((uint64_t)size < YR_FILE_HEADER_BYTES + sizeof bytes)
        return bad(values->name, (uint64_t)size, "truncated", err);
    uint64_t off = (uint64_t)size - sizeof bytes;
    yore_status status = read_at(values, off, bytes, sizeof bytes, err);
    if (status < 0) return status;
    if (!yr_value_footer_decode(yore_bytes(bytes, sizeof bytes), (uint64_t)size, values->seed,
                                values->is_unchecked, &values->footer, &why)) {
        return yr_fail(err, YORE_ERR_CORRUPT, "value file '%s': footer at %" PRIu64 ": %s", values->name, off,
                       why);
    }
    return YORE_OK;
}

static void values_close(yr_value_file *values)
{
    const yore_env *env = values->env;
    yr_block_cache_drop(values->cache, values->cache_file);
    if (values->owns_file) env->close(env->ctx, values->file);
    yr_free(env, values->name, values->name_bytes);
    yr_free(env, values, sizeof *values);
}

yore_status yr_value_file_open(const yr_value_open_options *options, yore_file *file, const char *name,
                               yr_value_file **out, yore_error *err)
{
    const yore_env *env = options->env;
    YR_ASSERT(file);
    size_t name_bytes = strlen(name) + 1;
    yr_value_file *values = yr_alloc_zero(env, sizeof *values);
    char *own_name = yr_alloc(env, name_bytes);
    if (!values || !own_name) {
        yr_free(env, values, sizeof *values);
        yr_free(env, own_name, name_bytes);
        return no_memory(name, err);
    }
    memcpy(own_name, name, name_bytes);
    values->env = env;
    values->file = file;
    values->cache = options->cache;
    values->name = own_name;
    values->name_bytes = name_bytes;
    values->is_unchecked = options->is_unchecked;
    values->cache_file = yr_block_cache_file(options->cache);
    atomic_init(&values->refs, 1);
    yore_status status = header_read(values, options, err);
    if (status == YORE_OK) status = footer_read(values, err);
    if (status < 0) {
        values_close(values);
        return status;
    }
    values->owns_file = !options->borrows_file;
    *out = values;
    return YORE_OK;
}

void yr_value_file_ref(yr_value_file *values)
{
    /* relaxed: whoever adds a reference has one */
    uint32_t before = atomic_fetch_add_explicit(&values->refs, 1, memory_order_relaxed);
    YR_ASSERT(before > 0);
}

void yr_value_file_unref(yr_value_file *values)
{
    if (!values) return;
    /* acq_rel: pairs with the other threads' unrefs; what they did with the file was before it closes */
    if (atomic_fetch_sub_explicit(&values->refs, 1, memory_order_acq_rel) == 1) values_close(values);
}

/* -- facts -- */

const yr_value_footer *yr_value_file_facts(const yr_value_file *values)
{
    return &values->footer;
}

const yr_file_header *yr_value_file_header(const yr_value_file *values)
{
    return &values->header;
}

const char *yr_value_file_name(const yr_value_file *values)
{
    return values->name;
}

/* -- one value -- */

static yore_status ref_check(const yr_value_file *values, const yr_value_ref *ref, yore_error *err)
{
    if (ref->file_id != values->header.file_id)
        return yr_fail(err, YORE_ERR_CORRUPT, "value file '%s' was asked for a value of value file %" PRIu64,
                       values->name, ref->file_id);
    if (!yr_value_ref_fits(ref, &values->footer))
        return bad(values->name, ref->off, "a reference to what cannot be a value", err);
    return YORE_OK;
}

static yore_status chunk_check(const yr_value_file *values, const yr_value_ref *ref, uint64_t at,
                               yore_slice chunk, const uint8_t *tail, yore_error *err)
{
    if (values->is_unchecked) return YORE_OK;
    uint64_t want = yr_get_le64(tail + 8 * (at / YR_VALUE_CHUNK_BYTES));
    if (yr_value_sum(chunk.data, chunk.size, values->seed, ref->off + at) != want)
        return bad(values->name, ref->off + at, "value: checksum mismatch", err);
    return YORE_OK;
}

static yore_status tail_check(const yr_value_file *values, const yr_value_ref *ref, const uint8_t *tail,
                              yore_error *err)
{
    uint64_t off = ref->off + yr_value_tail_off(ref->bytes);
    if (!yr_value_tail_check(ref, tail, values->seed, off, values->is_unchecked))
        return bad(values->name, off, "not the end of the value referred to", err);
    return YORE_OK;
}

static size_t chunk_size(const yr_value_ref *ref, uint64_t at)
{
    uint64_t left = ref->bytes - at;
    return left < YR_VALUE_CHUNK_BYTES ? (size_t)left : YR_VALUE_CHUNK_BYTES;
}

typedef struct value_load {
    const yr_value_file *values;
    const yr_value_ref *ref;
} value_load;

static yore_status load_value(void *arg, uint8_t *to, size_t size, yore_error *err)
{
    const value_load *load = arg;
    const yr_value_ref *ref = load->ref;
    const uint8_t *tail = to + yr_value_tail_off(ref->bytes);
    yore_status status = read_at(load->values, ref->off, to, size, err);
    if (status == YORE_OK) status = tail_check(load->values, ref, tail, err);
    for (uint64_t at = 0; at < ref->bytes && status == YORE_OK; at += YR_VALUE_CHUNK_BYTES) {
        status = chunk_check(load->values, ref, at, yore_bytes(to + at, chunk_size(ref, at)), tail, err);
    }
    return status;
}

yore_status yr_value_file_get(yr_value_file *values, const yr_value_ref *ref, yr_block_pin *pin,
                              yore_error *err)
{
    yore_status status = ref_check(values, ref, err);
    if (status < 0) return status;
    uint64_t size = yr_value_record_bytes(ref->bytes);
    value_load load = {values, ref};
    yr_block_pin got = {0};
    /* The size is part of the name (offsets / 8 are below 2^33, sizes / 8 below 2^28), so that a reference with another
     * one is looked at in the file. */
    yr_cache_key key = {values->cache_file, ref->off / 8 | size / 8 << 33};
    status = yr_block_cache_get(values->cache, key, (size_t)size, load_value, &load, &got, err);
    if (status < 0) return status;
    /* What was in the cache came by another reference: that its tail says what this one says is all there is to see. */
    if (!yr_value_tail_is_of(ref, got.data + yr_value_tail_off(ref->bytes))) {
        yr_block_pin_release(&got);
        return bad(values->name, ref->off, "another value than the one referred to", err);
    }
    got.size = (size_t)ref->bytes;
    *pin = got;
    return YORE_OK;
}

static yore_status stream_chunks(const yr_value_file *values, const yr_value_ref *ref, const uint8_t *tail,
                                 uint8_t *buffer, yr_value_part part, void *arg, yore_error *err)
{
    for (uint64_t at = 0; at < ref->bytes; at += YR_VALUE_CHUNK_BYTES) {
        yore_slice chunk = yore_bytes(buffer, chunk_size(ref, at));
        yore_status status = read_at(values, ref->off + at, buffer, chunk.size, err);
        if (status == YORE_OK) status = chunk_check(values, ref, at, chunk, tail, err);
        if (status == YORE_OK) status = part(arg, chunk, err);
        if (status != YORE_OK) return status;
    }
    return YORE_OK;
}

yore_status yr_value_file_stream(yr_value_file *values, const yr_value_ref *ref, yr_value_part part,
                                 void *arg, yore_error *err)
{
    yore_status status = ref_check(values, ref, err);
    if (status < 0) return status;
    const yore_env *env = values->env;
    size_t tail_bytes = yr_value_tail_bytes(ref->bytes), bytes = tail_bytes + chunk_size(ref, 0);
    uint8_t *buffer = yr_alloc(env, bytes);
    if (!buffer) return no_memory(values->name, err);
    status = read_at(values, ref->off + yr_value_tail_off(ref->bytes), buffer, tail_bytes, err);
    if (status == YORE_OK) status = tail_check(values, ref, buffer, err);
    if (status == YORE_OK) status = stream_chunks(values, ref, buffer, buffer + tail_bytes, part, arg, err);
    yr_free(env, buffer, bytes);
    return status;
}

/* -- all values -- */

static yore_status list_pages(const yr_value_file *values, uint64_t page, uint32_t count, uint8_t *buffer,
                              yr_value_each each, void *arg, yore_error *err)
{
    uint64_t off = values->footer.directory_off + page * YR_VALUE_PAGE_BYTES;
    yore_status status = read_at(values, off, buffer, (size_t)count * YR_VALUE_PAGE_BYTES, err);
    if (status < 0) return status;
    for (uint32_t i = 0; i < count; i++) {
        yr_value_ref refs[YR_VALUE_PAGE_ENTRIES];
        uint64_t left = values->footer.values - (page + i) * YR_VALUE_PAGE_ENTRIES;
        uint32_t n = left < YR_VALUE_PAGE_ENTRIES ? (uint32_t)left : YR_VALUE_PAGE_ENTRIES;
        const uint8_t *at = buffer + (size_t)i * YR_VALUE_PAGE_BYTES;
        uint64_t at_off = off + (uint64_t)i * YR_VALUE_PAGE_BYTES;
        if (!yr_value_page_decode(at, n, values->header.file_id, values->seed, at_off, values->is_unchecked,
                                  refs))
            return bad(values->name, at_off, "directory: checksum mismatch", err);
        for (uint32_t r = 0; r < n; r++) {
            status = each(arg, &refs[r], err);
            if (status != YORE_OK) return status;
        }
    }
    return YORE_OK;
}

yore_status yr_value_file_list(yr_value_file *values, yr_value_each each, void *arg, yore_error *err)
{
    uint64_t pages = yr_value_pages(values->footer.values);
    uint32_t step = pages < LIST_PAGES ? (uint32_t)pages : LIST_PAGES;
    size_t bytes = (size_t)step * YR_VALUE_PAGE_BYTES;
    if (pages == 0) return YORE_OK;
    uint8_t *buffer = yr_alloc(values->env, bytes);
    if (!buffer) return no_memory(values->name, err);
    yore_status status = YORE_OK;
    for (uint64_t page = 0; page < pages && status == YORE_OK; page += step) {
        uint64_t left = pages - page;
        status = list_pages(values, page, left < step ? (uint32_t)left : step, buffer, each, arg, err);
    }
    yr_free(values->env, buffer, bytes);
    return status;
}

/* -- verify -- */

typedef struct verify_walk {
    yr_value_file *values;
    yr_hash128 *hash;
    uint64_t off; /* where the next value must be */
    uint64_t count;
    uint64_t bytes;
    uint64_t largest;
} verify_walk;

static yore_status hash_part(void *arg, yore_slice part, yore_error *err)
{
    (void)err;
    yr_hash128_update(arg, part.data, part.size);
    return YORE_OK;
}

static yore_status verify_value(void *arg, const yr_value_ref *ref, yore_error *err)
{
    verify_walk *walk = arg;
    uint8_t digest[YR_HASH128_BYTES];
    if (ref->off != walk->off) return bad(walk->values->name, walk->off, "not where the directory says", err);
    yr_hash128_reset(walk->hash);
    yore_status status = yr_value_file_stream(walk->values, ref, hash_part, walk->hash, err);
    if (status < 0) return status;
    yr_hash128_digest(walk->hash, digest);
    if (yr_value_hash_of(digest) != ref->hash)
        return bad(walk->values->name, ref->off, "a value with another hash", err);
    walk->off += yr_value_record_bytes(ref->bytes);
    walk->count++;
    walk->bytes += ref->bytes;
    if (walk->largest < ref->bytes) walk->largest = ref->bytes;
    return YORE_OK;
}

yore_status yr_value_file_verify(yr_value_file *values, yore_error *err)
{
    const yore_env *env = values->env;
    const yr_value_footer *footer = &values->footer;
    verify_walk walk = {.values = values, .off = YR_FILE_HEADER_BYTES, .hash = yr_hash128_create(env)};
    if (!walk.hash) return no_memory(values->name, err);
    yore_status status = yr_value_file_list(values, verify_value, &walk, err);
    yr_hash128_destroy(env, walk.hash);
    if (status < 0) return status;
    if (walk.off != footer->directory_off || walk.count != footer->values ||
        walk.bytes != footer->value_bytes || walk.largest != footer->largest_bytes)
        return bad(values->name, footer->directory_off, "other values than the footer says", err);
    if (values->is_unchecked) return YORE_OK;
    return yr_value_file_verify_hash(env, values->file, values->name, footer, values->seed, err);
}

/* The hash of the first `bytes` of the file. */
static yore_status hash_file(const yore_env *env, yore_file *file, const char *name, uint64_t bytes,
                             uint8_t digest[YR_HASH128_BYTES], yore_error *err)
{
    yr_hash128 *hash = yr_hash128_create(env);
    uint8_t *buffer = yr_alloc(env, READ_BYTES);
    yore_status status = hash && buffer ? YORE_OK : no_memory(name, err);
    for (uint64_t off = 0; off < bytes && status == YORE_OK;) {
        size_t n = bytes - off < READ_BYTES ? (size_t)(bytes - off) : READ_BYTES;
        int64_t got = yr_file_read_all(env, file, buffer, n, off);
        if (got < 0) {
            status = yr_fail_errno(err, YORE_ERR_IO, (int)-got, "cannot read value file '%s'", name);
        } else if ((uint64_t)got < n) {
            status = bad(name, off + (uint64_t)got, "truncated", err);
        } else {
            yr_hash128_update(hash, buffer, n);
            off += n;
        }
    }
    if (status == YORE_OK) yr_hash128_digest(hash, digest);
    yr_free(env, buffer, READ_BYTES);
    yr_hash128_destroy(env, hash);
    return status;
}

yore_status yr_value_file_verify_hash(const yore_env *env, yore_file *file, const char *name,
                                      const yr_value_footer *footer, uint64_t file_seed, yore_error *err)
{
    uint8_t want[YR_VALUE_FOOTER_BYTES], end[YR_VALUE_FOOTER_BYTES], digest[YR_HASH128_BYTES];
    uint64_t off = footer->file_bytes - sizeof end;
    int64_t size = env->size(env->ctx, file);
    if (size < 0) return yr_fail_errno(err, YORE_ERR_IO, (int)-size, "cannot read value file '%s'", name);
    if ((uint64_t)size != footer->file_bytes) return bad(name, (uint64_t)size, "truncated or grown", err);
    int64_t got = yr_file_read_all(env, file, end, sizeof end, off);
    if (got < 0) return yr_fail_errno(err, YORE_ERR_IO, (int)-got, "cannot read value file '%s'", name);
    yr_value_footer_encode(footer, file_seed, want);
    if (got < (int64_t)sizeof end || memcmp(end, want, sizeof end) != 0)
        return bad(name, off, "another footer than was written", err);
    yore_status status = hash_file(env, file, name, off + YR_VALUE_HASH_OFF, digest, err);
    if (status < 0) return status;
    if (memcmp(digest, footer->file_hash, YR_HASH128_BYTES) != 0)
        return yr_fail(err, YORE_ERR_CORRUPT, "value file '%s': the hash of the file does not match", name);
    return YORE_OK;
}
