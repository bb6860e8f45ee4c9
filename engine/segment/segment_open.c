#include "engine/segment/segment_private.h"

#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/base/file_io.h"

yore_status yr_segment_bad(const yr_segment *segment, uint64_t off, const char *what, yore_error *err)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': %s at %" PRIu64, segment->name, what, off);
}

yore_status yr_segment_bytes_read(yr_segment *segment, uint64_t off, void *to, size_t size, yore_error *err)
{
    if (segment->image) {
        memcpy(to, segment->image + off, size);
        return YORE_OK;
    }
    int64_t n = yr_file_read_all(segment->env, segment->file, to, size, off);
    if (n < 0) return yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read segment '%s'", segment->name);
    if ((uint64_t)n < size) return yr_segment_bad(segment, off + (uint64_t)n, "truncated", err);
    return YORE_OK;
}

static yore_status header_read(yr_segment *segment, const yr_segment_open_options *options,
                               uint64_t file_bytes, yore_error *err)
{
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    if (file_bytes < YR_FILE_HEADER_BYTES + YR_SEGMENT_FOOTER_BYTES)
        return yr_segment_bad(segment, file_bytes, "truncated", err);
    yore_status status = yr_segment_bytes_read(segment, 0, bytes, sizeof bytes, err);
    if (status < 0) return status;
    yr_file_header *header = &segment->header;
    enum yr_header_verdict verdict = yr_file_header_decode(yore_bytes(bytes, sizeof bytes), header);
    if (verdict == YR_HEADER_NEWER)
        return yr_fail(err, YORE_ERR_FORMAT, "segment '%s' has format %u.%u, which this yore does not know",
                       segment->name, header->major, header->minor);
    if (verdict != YR_HEADER_OK) return yr_segment_bad(segment, 0, "damaged header", err);
    if (header->kind != YR_FILE_SEGMENT) return yr_segment_bad(segment, 8, "not a segment", err);
    if (options->uuid && memcmp(options->uuid, header->uuid, YR_UUID_BYTES) != 0)
        return yr_segment_bad(segment, 16, "a segment of another store", err);
    if (options->file_id && options->file_id != header->file_id)
        return yr_segment_bad(segment, 32, "a segment of another number", err);
    segment->seed = yr_file_seed(header);
    return YORE_OK;
}

static yore_status footer_read(yr_segment *segment, uint64_t file_bytes, yore_error *err)
{
    uint8_t bytes[YR_SEGMENT_FOOTER_BYTES];
    const char *why = NULL;
    uint64_t off = file_bytes - sizeof bytes;
    yore_status status = yr_segment_bytes_read(segment, off, bytes, sizeof bytes, err);
    if (status < 0) return status;
    if (!yr_segment_footer_decode(yore_bytes(bytes, sizeof bytes), file_bytes, segment->seed,
                                  segment->is_unchecked, &segment->footer, &segment->layout, &why)) {
        return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': footer at %" PRIu64 ": %s", segment->name, off,
                       why);
    }
    return YORE_OK;
}

static yore_status no_memory(const yr_segment *segment, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "no memory to open segment '%s'", segment->name);
}

/* The sums of the index pages, and the bits of an image. Both are in proportion to the file, which has the size its
 * footer says. */
static yore_status sums_read(yr_segment *segment, yore_error *err)
{
    const yr_segment_layout *layout = &segment->layout;
    size_t bytes = (size_t)layout->page_count * 8;
    segment->page_sums = yr_alloc(segment->env, bytes);
    if (!segment->page_sums) return no_memory(segment, err);
    yore_status status = yr_segment_bytes_read(segment, layout->sums_off, segment->page_sums, bytes, err);
    if (status < 0) return status;
    uint64_t sum = yr_segment_sum(segment->page_sums, bytes, segment->seed, layout->sums_off);
    /* salvage: pages whose sum is damaged are like damaged pages */
    if (!segment->is_unchecked && !segment->is_salvaged && sum != segment->footer.sums_sum)
        return yr_segment_bad(segment, layout->sums_off, "page sums: checksum mismatch", err);
    if (!segment->image) {
        segment->pages = yr_alloc_zero(segment->env, (size_t)layout->page_count * sizeof *segment->pages);
        return segment->pages ? YORE_OK : no_memory(segment, err);
    }
    uint64_t bits = layout->page_count;
    for (uint32_t i = 0; i < YR_STREAM_COUNT; i++) {
        segment->checked_block[i] = bits;
        bits += layout->block_count[i];
    }
    segment->checked_words = (size_t)(bits / 64 + 1);
    segment->checked = yr_alloc_zero(segment->env, segment->checked_words * sizeof(uint64_t));
    return segment->checked ? YORE_OK : no_memory(segment, err);
}

static yore_status segment_read(yr_segment *segment, const yr_segment_open_options *options, yore_error *err)
{
    int64_t file_bytes = (int64_t)options->image.size;
    if (!segment->image) file_bytes = segment->env->size(segment->env->ctx, segment->file);
    if (file_bytes < 0)
        return yr_fail_errno(err, YORE_ERR_IO, (int)-file_bytes, "cannot read segment '%s'", segment->name);
    yore_status status = header_read(segment, options, (uint64_t)file_bytes, err);
    if (status == YORE_OK) status = footer_read(segment, (uint64_t)file_bytes, err);
    if (status == YORE_OK) status = sums_read(segment, err);
    segment->is_dense = segment->footer.commits ==
                        segment->footer.last_version - segment->footer.after_version;
    if (status == YORE_OK && segment->footer.form == YR_SEGMENT_COLD && !segment->decoders)
        status = yr_fail(err, YORE_ERR_MISUSE, "segment '%s' is compressed", segment->name);
    return status;
}

yore_status yr_segment_open(const yr_segment_open_options *options, yore_file *file, const char *name,
                            yr_segment **out, yore_error *err)
{
    const yore_env *env = options->env;
    YR_ASSERT(file || options->image.data);
    yr_segment *segment = yr_alloc_zero(env, sizeof *segment);
    size_t name_bytes = strlen(name) + 1;
    char *own_name = yr_alloc(env, name_bytes);
    if (!segment || !own_name) {
        yr_free(env, segment, sizeof *segment);
        yr_free(env, own_name, name_bytes);
        return yr_fail(err, YORE_ERR_NOMEM, "no memory to open segment '%s'", name);
    }
    memcpy(own_name, name, name_bytes);
    segment->env = env;
    segment->file = file;
    segment->name = own_name;
    segment->name_bytes = name_bytes;
    segment->cache = options->cache;
    segment->decoders = options->decoders;
    segment->image = options->image.data;
    segment->is_unchecked = options->is_unchecked;
    segment->is_salvaged = options->is_salvaged;
    segment->is_trusted = options->is_unchecked;
    segment->cache_file = yr_block_cache_file(options->cache);
    atomic_init(&segment->owners, 1);
    yore_status status = segment_read(segment, options, err);
    if (status < 0) {
        yr_segment_close(segment);
        return status;
    }
    segment->owns_file = !options->borrows_file;
    *out = segment;
    return YORE_OK;
}

yr_segment *yr_segment_ref(yr_segment *segment)
{
    atomic_fetch_add_explicit(&segment->owners, 1, memory_order_relaxed); /* the caller owns it already */
    return segment;
}

void yr_segment_close(yr_segment *segment)
{
    /* release: what this owner did with it is over; acquire, by the last: so is what all others did */
    if (!segment || atomic_fetch_sub_explicit(&segment->owners, 1, memory_order_acq_rel) > 1) return;
    const yore_env *env = segment->env;
    /* Dropping looks at the whole cache; a hot segment in memory has nothing there. */
    bool is_in_memory = segment->own_image && segment->footer.form == YR_SEGMENT_HOT;
    if (!is_in_memory) yr_block_cache_drop(segment->cache, segment->cache_file);
    if (segment->file && segment->owns_file) env->close(env->ctx, segment->file);
    /* acquire: pairs with dictionary_get; a quiet segment has one or none */
    yr_dictionary_destroy(atomic_load_explicit(&segment->dictionary, memory_order_acquire));
    yr_segment_image_free(segment);
    yr_segment_refs_free(segment);
    for (uint64_t i = 0; segment->pages && i < segment->layout.page_count; i++) {
        /* acquire: pairs with page_keep; a quiet segment has it or not */
        uint8_t *page = atomic_load_explicit(&segment->pages[i], memory_order_acquire);
        uint64_t left = segment->layout.index_bytes - i * YR_SEGMENT_PAGE_BYTES;
        yr_free(env, page, left < YR_SEGMENT_PAGE_BYTES ? (size_t)left : YR_SEGMENT_PAGE_BYTES);
    }
    yr_free(env, segment->pages, (size_t)segment->layout.page_count * sizeof *segment->pages);
    yr_free(env, segment->page_sums, (size_t)segment->layout.page_count * 8);
    yr_free(env, segment->checked, segment->checked_words * sizeof(uint64_t));
    yr_free(env, segment->name, segment->name_bytes);
    yr_free(env, segment, sizeof *segment);
}

/* -- facts -- */

const yr_segment_footer *yr_segment_facts(const yr_segment *segment)
{
    return &segment->footer;
}

const yr_file_header *yr_segment_header(const yr_segment *segment)
{
    return &segment->header;
}

const char *yr_segment_name(const yr_segment *segment)
{
    return segment->name;
}

uint32_t yr_segment_group_count(const yr_segment *segment)
{
    return segment->layout.group_count;
}

yore_status yr_segment_group_get(yr_segment *segment, uint32_t i, yr_segment_group *group, yore_error *err)
{
    uint8_t scratch[YR_SEGMENT_GROUP_BYTES];
    const uint8_t *at;
    yr_block_pin pin = {0};
    YR_ASSERT(i < segment->layout.group_count);
    uint64_t off = segment->layout.section_off[YR_SECTION_GROUPS] + (uint64_t)i * sizeof scratch;
    yore_status status = yr_segment_index_read(segment, off, sizeof scratch, scratch, &pin, &at, err);
    if (status == YORE_OK) yr_segment_group_decode(at, group);
    yr_block_pin_release(&pin);
    return status;
}

uint32_t yr_segment_value_file_count(const yr_segment *segment)
{
    return segment->layout.value_file_count;
}

/* Element i of a section of tallies. */
static yore_status tally_read(yr_segment *segment, enum yr_segment_section section, uint32_t i,
                              uint8_t to[YR_SEGMENT_TALLY_BYTES], yore_error *err)
{
    const uint8_t *at;
    yr_block_pin pin = {0};
    uint64_t off = segment->layout.section_off[section] + (uint64_t)i * YR_SEGMENT_TALLY_BYTES;
    yore_status status = yr_segment_index_read(segment, off, YR_SEGMENT_TALLY_BYTES, to, &pin, &at, err);
    if (status == YORE_OK && at != to) memcpy(to, at, YR_SEGMENT_TALLY_BYTES);
    yr_block_pin_release(&pin);
    return status;
}

yore_status yr_segment_value_file_get(yr_segment *segment, uint32_t i, yr_segment_value_file *file,
                                      yore_error *err)
{
    uint8_t bytes[YR_SEGMENT_TALLY_BYTES];
    YR_ASSERT(i < segment->layout.value_file_count);
    yore_status status = tally_read(segment, YR_SECTION_VALUE_FILES, i, bytes, err);
    if (status == YORE_OK) yr_segment_value_file_decode(bytes, file);
    return status;
}

yore_status yr_segment_head_get(yr_segment *segment, uint32_t i, yr_segment_head *head, yore_error *err)
{
    uint8_t bytes[YR_SEGMENT_TALLY_BYTES];
    YR_ASSERT(i < segment->layout.head_count);
    yore_status status = tally_read(segment, YR_SECTION_HEADS, i, bytes, err);
    if (status == YORE_OK) yr_segment_head_decode(bytes, head);
    return status;
}

/* A size and so many bytes at `off` of the bounds. */
static yore_status bound_read(yr_segment *segment, uint64_t off, uint8_t *to, size_t *size, yore_error *err)
{
    uint8_t head[4];
    const uint8_t *at;
    yr_block_pin pin = {0};
    uint64_t start = segment->layout.section_off[YR_SECTION_BOUNDS];
    uint64_t bytes = segment->footer.section_bytes[YR_SECTION_BOUNDS];
    if (off + sizeof head > bytes) return yr_segment_bad(segment, start + off, "bounds out of range", err);
    yore_status status = yr_segment_index_read(segment, start + off, sizeof head, head, &pin, &at, err);
    if (status < 0) return status;
    *size = yr_get_le32(at);
    yr_block_pin_release(&pin);
    if (*size > YR_SEGMENT_TREE_KEY_MAX || *size > bytes - off - sizeof head)
        return yr_segment_bad(segment, start + off, "bounds out of range", err);
    if (*size == 0) return YORE_OK;
    status = yr_segment_index_read(segment, start + off + sizeof head, *size, to, &pin, &at, err);
    if (status == YORE_OK && at != to) memcpy(to, at, *size);
    yr_block_pin_release(&pin);
    return status;
}

yore_status yr_segment_bound(yr_segment *segment, bool is_last, uint8_t *to, size_t *size, yore_error *err)
{
    yore_status status = bound_read(segment, 0, to, size, err);
    if (status < 0 || !is_last) return status;
    return bound_read(segment, 4 + *size, to, size, err);
}
