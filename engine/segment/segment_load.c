/* A hot segment in memory: the file is read from end to end and its hash compared, so reads need no sums. */
#include "engine/base/error.h"
#include "engine/base/hash128.h"
#include "engine/base/mem.h"
#include "engine/segment/segment_private.h"

#include <inttypes.h>
#include <string.h>

#define STEP_BYTES (UINT64_C(1) << 20)
#define IMAGE_ALIGN (UINT64_C(2) << 20) /* reserved in units of huge pages */

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
        segment->env->vm_prefault(segment->env->ctx, image + off, (size_t)n);
        yore_status status = yr_segment_bytes_read(segment, off, image + off, (size_t)n, err);
        if (status < 0) return status;
        if (off < covered)
            yr_hash128_update(hash, image + off, (size_t)(n < covered - off ? n : covered - off));
        off += n;
    }
    return YORE_OK;
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
    uint64_t reserved = yr_align_up(bytes, IMAGE_ALIGN);
    uint8_t *image = env->vm_reserve(env->ctx, (size_t)reserved);
    hash = yr_hash128_create(env);
    if (image && hash) {
        status = image_read(segment, image, cancel, hash, err);
        if (status == YORE_OK && !options->is_unchecked) status = image_check(segment, image, hash, err);
    } else {
        status =
            yr_fail(err, YORE_ERR_NOMEM, "no memory for the %" PRIu64 " bytes of segment '%s'", bytes, name);
    }
    yr_hash128_destroy(env, hash);
    segment->own_image = image;
    segment->own_image_bytes = reserved;
    if (status < 0) {
        yr_segment_close(segment);
        return status;
    }
    segment->image = image;
    segment->is_trusted = true;
    segment->owns_file = !options->borrows_file;
    *out = segment;
    return YORE_OK;
}

uint64_t yr_segment_image_bytes(const yr_segment *segment)
{
    return segment->own_image ? segment->footer.file_bytes : 0;
}
