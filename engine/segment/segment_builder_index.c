/* What a builder writes behind the rows: change list, fences, hash index, dictionary, groups, bounds, heads, value
 * files. */
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/format/segment_changes.h"
#include "engine/segment/segment_builder_private.h"

#define CHANGES_BLOCK_BYTES (16u << 10)
#define CHANGES_AT_ONCE 2048u

/* Sort by the high halves, keeping the order of equal ones: least significant byte first, bytes that are the same
 * everywhere skipped. Returns where the sorted list is. */
static uint64_t *sort_by_version(uint64_t *list, uint64_t *other, size_t n)
{
    for (uint32_t shift = 32; shift < 64; shift += 8) {
        size_t start[257] = {0};
        for (size_t i = 0; i < n; i++) start[(list[i] >> shift & 255) + 1]++;
        if (start[(list[0] >> shift & 255) + 1] == n) continue;
        for (uint32_t b = 0; b < 256; b++) start[b + 1] += start[b];
        for (size_t i = 0; i < n; i++) other[start[list[i] >> shift & 255]++] = list[i];
        uint64_t *swap = list;
        list = other;
        other = swap;
    }
    return list;
}

static yore_status changes_flush(yr_segment_builder *builder, uint64_t first, yore_error *err)
{
    yore_slice raw = yore_bytes(builder->block.data, builder->block.size);
    yore_status status = yr_segment_writer_add(&builder->writer, YR_STREAM_CHANGES, raw, first, 0, err);
    yr_buf_clear(&builder->block);
    return status;
}

static yore_status changes_emit(yr_segment_builder *builder, const uint64_t *list, size_t n, yore_error *err)
{
    yr_changes_maker maker = {0};
    uint32_t ordinals[CHANGES_AT_ONCE];
    uint64_t first = 0;
    yr_buf_clear(&builder->block);
    for (size_t i = 0; i < n;) {
        uint64_t delta = list[i] >> 32, version = builder->options.after_version + delta;
        uint32_t take = 0;
        while (i + take < n && take < CHANGES_AT_ONCE && list[i + take] >> 32 == delta) {
            ordinals[take] = (uint32_t)list[i + take];
            take++;
        }
        i += take;
        if (builder->block.size == 0) {
            first = version;
            if (!yr_changes_maker_begin(&maker, &builder->block, version))
                return yr_builder_no_memory(builder, err);
        }
        if (!yr_changes_maker_add(&maker, version, ordinals, take)) return yr_builder_no_memory(builder, err);
        /* A version that goes on does so at the start of a block. */
        bool goes_on = i < n && list[i] >> 32 == delta;
        if (!goes_on && builder->block.size < CHANGES_BLOCK_BYTES && i < n) continue;
        yore_status status = changes_flush(builder, first, err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

yore_status yr_builder_write_changes(yr_segment_builder *builder, yore_error *err)
{
    size_t n = builder->changes.size / sizeof(uint64_t);
    if (n == 0) return YORE_OK;
    uint64_t *list = (uint64_t *)(void *)builder->changes.data;
    uint64_t *other = yr_alloc(builder->env, n * sizeof *other);
    if (!other) return yr_builder_no_memory(builder, err);
    yore_status status = changes_emit(builder, sort_by_version(list, other, n), n, err);
    yr_free(builder->env, other, n * sizeof *other);
    yr_buf_deinit(&builder->changes);
    return status;
}

/* -- fences -- */

static yore_slice fence_at(const yr_segment_builder *builder, uint32_t i)
{
    const uint8_t *p = builder->fences.data + yr_get_le32(builder->fence_offs.data + 4 * (size_t)i);
    return yore_bytes(p + 1, *p);
}

/* How many bytes all fences but the first, empty one share: as many as the first and the last of them. */
static uint32_t fences_common(const yr_segment_builder *builder)
{
    if (builder->main_blocks < 2) return 0;
    yore_slice low = fence_at(builder, 1), high = fence_at(builder, builder->main_blocks - 1);
    uint32_t n = 0;
    while (n < YR_SEGMENT_FENCE_SKIP_MAX && n < low.size && n < high.size &&
           ((const uint8_t *)low.data)[n] == ((const uint8_t *)high.data)[n])
        n++;
    return n;
}

static yore_status fences_begin(yr_segment_builder *builder, uint32_t skip, yore_error *err)
{
    uint32_t n = builder->main_blocks;
    uint64_t *words = n ? yr_alloc(builder->env, n * sizeof *words) : NULL;
    if (n && !words) return yr_builder_no_memory(builder, err);
    for (uint32_t i = 0; i < n; i++) {
        words[i] = i ? yr_segment_fence_word(fence_at(builder, i), skip) : 0;
    }
    yore_status status = yr_segment_writer_begin_index(&builder->writer, words, err);
    yr_free(builder->env, words, n * sizeof *words);
    return status;
}

static yore_status fences_write(yr_segment_builder *builder, uint32_t skip, yore_error *err)
{
    yr_segment_writer *writer = &builder->writer;
    uint8_t head[8];
    if (builder->main_blocks == 0) return YORE_OK;
    uint32_t base = (uint32_t)(sizeof head + builder->fence_offs.size);
    for (uint32_t i = 0; i < builder->main_blocks; i++) {
        uint8_t *off = builder->fence_offs.data + 4 * (size_t)i;
        yr_put_le32(off, yr_get_le32(off) + base);
    }
    yr_put_le32(head + 0, skip); /* 0  4  bytes all fences share */
    yr_put_le32(head + 4, 0);    /* 4  4  zero */
    yore_status status =
        yr_segment_writer_index(writer, YR_SECTION_FENCES, yore_bytes(head, sizeof head), err);
    if (status == YORE_OK) {
        yore_slice offs = yore_bytes(builder->fence_offs.data, builder->fence_offs.size);
        status = yr_segment_writer_index(writer, YR_SECTION_FENCES, offs, err);
    }
    if (status < 0) return status;
    yore_slice bytes = yore_bytes(builder->fences.data, builder->fences.size);
    return yr_segment_writer_index(writer, YR_SECTION_FENCES, bytes, err);
}

/* -- the rest -- */

static yore_status hash_write(yr_segment_builder *builder, yore_error *err)
{
    uint32_t bucket_count = yr_bucket_count_for(builder->keys);
    size_t bytes = (size_t)bucket_count * YR_BUCKET_BYTES;
    if (bucket_count == 0) return YORE_OK;
    uint8_t *buckets = yr_alloc_zero(builder->env, bytes);
    if (!buckets) return yr_builder_no_memory(builder, err);
    const uint64_t *hashes = (const uint64_t *)(const void *)builder->hashes.data;
    for (size_t i = 0; i < builder->keys; i++) {
        uint32_t location = yr_get_le32(builder->locations.data + 4 * i);
        if (i + 16 < builder->keys)
            __builtin_prefetch(
                buckets + (size_t)yr_bucket_home(hashes[i + 16], bucket_count) * YR_BUCKET_BYTES, 1);
        (void)yr_bucket_put(buckets, bucket_count, hashes[i], location);
    }
    yore_status status =
        yr_segment_writer_index(&builder->writer, YR_SECTION_HASH, yore_bytes(buckets, bytes), err);
    yr_free(builder->env, buckets, bytes);
    return status;
}

static yore_status groups_write(yr_segment_builder *builder, yore_error *err)
{
    yore_status status = YORE_OK;
    for (size_t at = 0; at < builder->groups.size && status == YORE_OK; at += sizeof(yr_segment_group)) {
        yr_segment_group group;
        uint8_t bytes[YR_SEGMENT_GROUP_BYTES];
        memcpy(&group, builder->groups.data + at, sizeof group);
        yr_segment_group_encode(&group, bytes);
        status = yr_segment_writer_index(&builder->writer, YR_SECTION_GROUPS, yore_bytes(bytes, sizeof bytes),
                                         err);
    }
    return status;
}

static yore_status bound_write(yr_segment_builder *builder, const yr_buf *key, yore_error *err)
{
    uint8_t size[4];
    yr_put_le32(size, (uint32_t)key->size);
    yr_segment_writer *writer = &builder->writer;
    yore_status status =
        yr_segment_writer_index(writer, YR_SECTION_BOUNDS, yore_bytes(size, sizeof size), err);
    if (status < 0) return status;
    return yr_segment_writer_index(writer, YR_SECTION_BOUNDS, yore_bytes(key->data, key->size), err);
}

/* The list holds what either encoder takes: three u64 an element. */
static yore_status tally_write(yr_segment_builder *builder, enum yr_segment_section section,
                               const yr_buf *list, yore_error *err)
{
    yore_status status = YORE_OK;
    for (size_t at = 0; at < list->size && status == YORE_OK; at += YR_SEGMENT_TALLY_BYTES) {
        uint8_t bytes[YR_SEGMENT_TALLY_BYTES];
        if (section == YR_SECTION_HEADS) {
            yr_segment_head_encode((const yr_segment_head *)(const void *)(list->data + at), bytes);
        } else {
            yr_segment_value_file_encode((const yr_segment_value_file *)(const void *)(list->data + at),
                                         bytes);
        }
        status = yr_segment_writer_index(&builder->writer, section, yore_bytes(bytes, sizeof bytes), err);
    }
    return status;
}

yore_status yr_builder_write_index(yr_segment_builder *builder, yore_error *err)
{
    uint32_t skip = fences_common(builder);
    yore_status status = fences_begin(builder, skip, err);
    if (status == YORE_OK) status = fences_write(builder, skip, err);
    if (status == YORE_OK) status = hash_write(builder, err);
    if (status == YORE_OK) status = yr_segment_writer_dictionary(&builder->writer, err);
    if (status == YORE_OK) status = groups_write(builder, err);
    if (status == YORE_OK) status = bound_write(builder, &builder->first_key, err);
    if (status == YORE_OK) status = bound_write(builder, &builder->placed_key, err);
    if (status == YORE_OK) status = tally_write(builder, YR_SECTION_HEADS, &builder->heads, err);
    if (status == YORE_OK) status = tally_write(builder, YR_SECTION_VALUE_FILES, &builder->value_files, err);
    return status;
}
