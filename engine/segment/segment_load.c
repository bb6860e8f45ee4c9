/* A hot segment in memory: the file is read from end to end and its hash compared, so reads need no sums. */
#include "engine/base/error.h"
#include "engine/base/hash128.h"
#include "engine/base/mem.h"
#include "engine/segment/segment_private.h"

#include <inttypes.h>
#include <string.h>

#define STEP_BYTES (UINT64_C(1) << 20)
/* Images are reserved in units of huge pages; small ones, which would waste most of one, are allocated. */
#define IMAGE_ALIGN (UINT64_C(2) << 20)
#define SMALL_BYTES (UINT64_C(1) << 20)

/* Read the whole file; `hash` takes all but what it is in itself. */
static yore_status image_read(yr_segment *segment, uint8_t *image, const _Atomic bool *cancel,
                              yr_hash128 *hash, yore_error *err)
{
    uint64_t size = segment->footer.file_bytes;
    uint64_t covered = size - YR_SEGMENT_FOOTER_BYTES + YR_SEGMENT_HASH_OFF;
    for (uint64_t off = 0; off < size;) {
        uint64_t n = size - off < STEP_BYTES ? size - off : STEP_BYTES;
        /* relaxed: only a wish to stop, nothing is read because of it */
        if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
            return yr_fail(err, YORE_ERR_CANCELLED, "reading segment '%s' was cancelled", segment->name);
        if (segment->own_image_reserved) segment->env->vm_prefault(segment->env->ctx, image + off, (size_t)n);
        yore_status status = yr_segment_bytes_read(segment, off, image + off, (size_t)n, err);
        if (status < 0) return status;
        if (off < covered)
            yr_hash128_update(hash, image + off, (size_t)(n < covered - off ? n : covered - off));
        off += n;
    }
    return YORE_OK;
}

static uint8_t *image_alloc(yr_segment *segment)
{
    const yore_env *env = segment->env;
    uint64_t bytes = segment->footer.file_bytes;
    if (bytes < SMALL_BYTES) {
        segment->own_image = yr_alloc(env, (size_t)bytes);
    } else {
        segment->own_image_reserved = yr_align_up(bytes, IMAGE_ALIGN);
        segment->own_image = env->vm_reserve(env->ctx, (size_t)segment->own_image_reserved);
    }
    return segment->own_image;
}

void yr_segment_image_free(yr_segment *segment)
{
    const yore_env *env = segment->env;
    size_t bytes = (size_t)segment->footer.file_bytes;
    if (segment->own_image && segment->own_image_reserved) {
        env->vm_release(env->ctx, segment->own_image, (size_t)segment->own_image_reserved, bytes);
    } else {
        yr_free(env, segment->own_image, bytes);
    }
}

/* The image is what was written, and what the segment was opened with is of it. */
static yore_status image_check(yr_segment *segment, const uint8_t *image, yr_hash128 *hash, yore_error *err)
{
    uint8_t found[16];
    const uint8_t *footer = image + segment->footer.file_bytes - YR_SEGMENT_FOOTER_BYTES;
    yr_hash128_digest(hash, found);
    if (memcmp(found, segment->footer.file_hash, sizeof found) == 0 &&
        memcmp(found, footer + YR_SEGMENT_HASH_OFF, sizeof found) == 0)
        return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': the hash of the whole file differs", segment->name);
}

/* -- tables -- */

static size_t times_bytes(const yr_segment *segment)
{
    return segment->layout.block_count[YR_STREAM_COMMITS] * sizeof *segment->times;
}

void yr_segment_refs_free(yr_segment *segment)
{
    for (uint32_t s = 0; s < YR_STREAM_COUNT; s++)
        yr_free(segment->env, segment->refs[s], segment->layout.block_count[s] * sizeof *segment->refs[s]);
    yr_free(segment->env, segment->fence_words,
            segment->layout.block_count[YR_STREAM_MAIN] * sizeof *segment->fence_words);
    yr_free(segment->env, segment->times, times_bytes(segment));
}

static yore_status no_memory(const yr_segment *segment, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "no memory for the tables of segment '%s'", segment->name);
}

static yore_status stream_make(yr_segment *segment, enum yr_segment_stream stream, yore_error *err)
{
    uint32_t count = segment->layout.block_count[stream];
    if (count == 0) return YORE_OK;
    yr_block_ref *refs = yr_alloc(segment->env, count * sizeof *refs);
    if (!refs) return no_memory(segment, err);
    for (uint32_t i = 0; i < count; i++) {
        yr_segment_entry entry;
        yore_status status = yr_segment_entry_get(segment, stream, i, &entry, err);
        if (status < 0) {
            yr_free(segment->env, refs, count * sizeof *refs);
            return status;
        }
        refs[i] = (yr_block_ref){.off = (uint32_t)(entry.off / 8)};
        if (entry.stored_bytes == entry.raw_bytes) refs[i].bytes = entry.raw_bytes;
        if (stream == YR_STREAM_MAIN) segment->fence_words[i] = entry.key;
    }
    segment->refs[stream] = refs;
    return YORE_OK;
}

/* Of a segment with a commit for every version, and no compressed commit block: the times of all. */
static yore_status times_make(yr_segment *segment, yore_error *err)
{
    uint32_t count = segment->layout.block_count[YR_STREAM_COMMITS];
    for (uint32_t i = 0; i < count; i++) {
        if (segment->refs[YR_STREAM_COMMITS][i].bytes == 0) return YORE_OK;
    }
    if (count == 0 || !segment->is_dense) return YORE_OK;
    yr_time_ref *times = yr_alloc(segment->env, times_bytes(segment));
    if (!times) return no_memory(segment, err);
    uint64_t version = segment->footer.after_version + 1;
    for (uint32_t i = 0; i < count; i++, version += YR_COMMITS_PER_BLOCK) {
        yr_commits commits;
        yr_block_pin pin = {0};
        yore_status status = yr_segment_commits_get(segment, i, &pin, &commits, err);
        uint64_t left = segment->footer.last_version + 1 - version;
        if (status == YORE_OK &&
            (commits.width[YR_COLUMN_VERSION] || commits.base[YR_COLUMN_VERSION] != version ||
             commits.count != (left < YR_COMMITS_PER_BLOCK ? left : YR_COMMITS_PER_BLOCK)))
            status = yr_segment_bad_block(segment, YR_STREAM_COMMITS, i, "damaged commits", err);
        if (status < 0) {
            yr_free(segment->env, times, times_bytes(segment));
            return status;
        }
        times[i] = (yr_time_ref){.column = commits.column[YR_COLUMN_TIME],
                                 .base = commits.base[YR_COLUMN_TIME],
                                 .width = commits.width[YR_COLUMN_TIME]};
    }
    segment->times = times;
    return YORE_OK;
}

yore_status yr_segment_refs_make(yr_segment *segment, yore_error *err)
{
    uint32_t blocks = segment->layout.block_count[YR_STREAM_MAIN];
    if (blocks) segment->fence_words = yr_alloc(segment->env, blocks * sizeof *segment->fence_words);
    yore_status status = YORE_OK;
    if (blocks && !segment->fence_words) status = no_memory(segment, err);
    for (uint32_t s = 0; s < YR_STREAM_COUNT && status == YORE_OK; s++)
        status = stream_make(segment, (enum yr_segment_stream)s, err);
    return status == YORE_OK ? times_make(segment, err) : status;
}

yore_status yr_segment_load(const yr_segment_open_options *options, yore_file *file, const char *name,
                            const _Atomic bool *cancel, yr_segment **out, yore_error *err)
{
    const yore_env *env = options->env;
    yr_segment *segment = NULL;
    yr_hash128 *hash = NULL;
    yr_segment_open_options opened = *options;
    opened.image = yore_bytes(NULL, 0);
    opened.borrows_file = true; /* until all is well */
    yore_status status = yr_segment_open(&opened, file, name, &segment, err);
    if (status < 0) return status;
    uint64_t bytes = segment->footer.file_bytes;
    uint8_t *image = image_alloc(segment);
    hash = yr_hash128_create(env);
    if (image && hash) {
        status = image_read(segment, image, cancel, hash, err);
        if (status == YORE_OK && !options->is_unchecked) status = image_check(segment, image, hash, err);
    } else {
        status =
            yr_fail(err, YORE_ERR_NOMEM, "no memory for the %" PRIu64 " bytes of segment '%s'", bytes, name);
    }
    yr_hash128_destroy(env, hash);
    if (status == YORE_OK) {
        segment->image = image;
        segment->is_trusted = true;
        status = yr_segment_refs_make(segment, err);
    }
    if (status < 0) {
        yr_segment_close(segment);
        return status;
    }
    segment->owns_file = !options->borrows_file;
    *out = segment;
    return YORE_OK;
}

uint64_t yr_segment_index_bytes(const yr_segment *segment)
{
    uint64_t bytes = 8 * segment->layout.page_count;
    if (segment->pages) bytes += segment->layout.page_count * sizeof *segment->pages;
    bytes += atomic_load_explicit(&segment->page_bytes_held, memory_order_relaxed); /* a count */
    for (uint32_t s = 0; s < YR_STREAM_COUNT; s++)
        if (segment->refs[s]) bytes += segment->layout.block_count[s] * sizeof *segment->refs[s];
    if (segment->fence_words) bytes += 8 * (uint64_t)segment->layout.block_count[YR_STREAM_MAIN];
    return bytes + (segment->times ? times_bytes(segment) : 0);
}

uint64_t yr_segment_image_bytes(const yr_segment *segment)
{
    return segment->own_image ? segment->footer.file_bytes : 0;
}
