#include "engine/segment/segment_writer.h"

#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"

#define EXTENT_BYTES (256u << 10)
#define EXTENT_BYTES_MAX (4u << 20) /* and the block that filled it */
#define TABLE_BYTES_MAX (UINT64_C(1) << 31)
#define DICTIONARY_BYTES (32u << 10)
#define TRAIN_BYTES_MIN (8u * DICTIONARY_BYTES)
#define TRIAL_BLOCKS 64u
#define TRAIN_BLOCKS_MIN 16u

typedef struct held_block {
    uint64_t key;
    uint32_t first;
    uint32_t size;
    uint32_t stream;
    uint32_t zero;
} held_block;

static yore_status no_memory(const yr_segment_writer *writer, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "no memory to write segment '%s'", writer->name);
}

static yore_status write_out(yr_segment_writer *writer, const void *bytes, size_t size, yore_error *err)
{
    if (size > YR_SEGMENT_FILE_BYTES_MAX - writer->off)
        return yr_fail(err, YORE_ERR_LIMIT, "segment '%s' would be larger than 16 GiB", writer->name);
    int rc = yr_file_write_all(writer->env, writer->file, bytes, size, writer->off);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot write segment '%s'", writer->name);
    yr_hash128_update(writer->hash, bytes, size);
    writer->off += size;
    return YORE_OK;
}

yore_status yr_segment_writer_init(yr_segment_writer *writer, const yore_env *env, yore_file *file,
                                   const char *name, yr_file_header *header, enum yr_segment_form form,
                                   int level, uint64_t sample_bytes, yore_error *err)
{
    *writer = (yr_segment_writer){.env = env, .file = file, .name = name, .sample_bytes = sample_bytes};
    writer->footer.form = (uint16_t)form;
    for (uint32_t i = 0; i < YR_STREAM_COUNT; i++) {
        yr_buf_init(&writer->extent[i].bytes, env, EXTENT_BYTES_MAX);
        yr_buf_init(&writer->extent[i].table, env, TABLE_BYTES_MAX);
    }
    yr_buf_init(&writer->held, env, (size_t)sample_bytes + 2 * YR_SEGMENT_BLOCK_BYTES_MAX);
    yr_buf_init(&writer->held_index, env, TABLE_BYTES_MAX);
    yr_buf_init(&writer->dictionary, env, DICTIONARY_BYTES);
    yr_buf_init(&writer->scratch, env, YR_SEGMENT_BLOCK_BYTES_MAX);
    yr_buf_init(&writer->page, env, YR_SEGMENT_PAGE_BYTES);
    yr_buf_init(&writer->page_sums, env, TABLE_BYTES_MAX);
    writer->hash = yr_hash128_create(env);
    if (!writer->hash) return no_memory(writer, err);
    writer->is_trained = form == YR_SEGMENT_HOT || sample_bytes == 0;
    if (form == YR_SEGMENT_COLD) {
        yore_status status = yr_compressor_create(env, level, &writer->plain, err);
        if (status == YORE_OK) status = yr_compressor_create(env, level, &writer->compressor, err);
        if (status < 0) return status;
    }
    int rc = env->random(env->ctx, header->salt, YR_SALT_BYTES);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot get random bytes for segment '%s'", name);
    writer->seed = yr_file_seed(header);
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    yr_file_header_encode(header, bytes);
    return write_out(writer, bytes, sizeof bytes, err);
}

void yr_segment_writer_deinit(yr_segment_writer *writer)
{
    if (!writer->env) return;
    for (uint32_t i = 0; i < YR_STREAM_COUNT; i++) {
        yr_buf_deinit(&writer->extent[i].bytes);
        yr_buf_deinit(&writer->extent[i].table);
    }
    yr_buf_deinit(&writer->held);
    yr_buf_deinit(&writer->held_index);
    yr_buf_deinit(&writer->dictionary);
    yr_buf_deinit(&writer->scratch);
    yr_buf_deinit(&writer->page);
    yr_buf_deinit(&writer->page_sums);
    yr_compressor_destroy(writer->compressor);
    yr_compressor_destroy(writer->plain);
    yr_hash128_destroy(writer->env, writer->hash);
    *writer = (yr_segment_writer){0};
}

/* -- extents -- */

/* Write an extent; now its blocks have offsets, and so sums. */
static yore_status extent_flush(yr_segment_writer *writer, yr_extent *extent, yore_error *err)
{
    if (extent->bytes.size == 0) return YORE_OK;
    uint32_t count = (uint32_t)(extent->table.size / YR_SEGMENT_ENTRY_BYTES);
    for (; extent->placed < count; extent->placed++) {
        uint8_t *at = extent->table.data + (size_t)extent->placed * YR_SEGMENT_ENTRY_BYTES;
        uint64_t within = 8 * (uint64_t)yr_get_le32(at + 16);
        uint64_t off = writer->off + within;
        uint64_t sum = yr_segment_sum(extent->bytes.data + within, yr_get_le32(at + 20), writer->seed, off);
        yr_put_le64(at + 0, sum);
        yr_put_le32(at + 16, (uint32_t)(off / 8));
    }
    yore_status status = write_out(writer, extent->bytes.data, extent->bytes.size, err);
    yr_buf_clear(&extent->bytes);
    return status;
}

static yore_status extent_add(yr_segment_writer *writer, yr_extent *extent, yore_slice stored,
                              uint32_t raw_bytes, uint64_t key, uint32_t first, yore_error *err)
{
    static const uint8_t zeros[8] = {0};
    uint8_t *entry;
    if (!yr_buf_reserve(&extent->table, YR_SEGMENT_ENTRY_BYTES, &entry)) return no_memory(writer, err);
    yr_segment_entry_encode(&(yr_segment_entry){.key = key,
                                                .off = extent->bytes.size,
                                                .stored_bytes = (uint32_t)stored.size,
                                                .raw_bytes = raw_bytes,
                                                .first = first},
                            entry);
    if (!yr_buf_append(&extent->bytes, stored.data, stored.size) ||
        !yr_buf_append(&extent->bytes, zeros, (8 - extent->bytes.size % 8) % 8)) {
        return no_memory(writer, err);
    }
    extent->table.size += YR_SEGMENT_ENTRY_BYTES;
    return extent->bytes.size >= EXTENT_BYTES ? extent_flush(writer, extent, err) : YORE_OK;
}

/* -- blocks -- */

/* Compress a block, or find that it is as well without (*size = 0). The result is in `scratch`. */
static yore_status squeeze(yr_segment_writer *writer, yr_compressor *compressor, yore_slice raw, size_t *size,
                           yore_error *err)
{
    uint8_t *to;
    yr_buf_clear(&writer->scratch);
    if (!yr_buf_reserve(&writer->scratch, raw.size, &to)) return no_memory(writer, err);
    return yr_compress(compressor, raw, to, size, err);
}

static yore_status block_store(yr_segment_writer *writer, uint32_t stream, yore_slice raw, uint64_t key,
                               uint32_t first, yore_error *err)
{
    yore_slice stored = raw;
    if (writer->footer.form == YR_SEGMENT_COLD) {
        size_t size;
        bool has_rows = stream == YR_STREAM_MAIN || stream == YR_STREAM_HISTORY;
        yore_status status = squeeze(writer, has_rows ? writer->compressor : writer->plain, raw, &size, err);
        if (status < 0) return status;
        if (size) stored = yore_bytes(writer->scratch.data, size);
    }
    return extent_add(writer, &writer->extent[stream], stored, (uint32_t)raw.size, key, first, err);
}

/* Is the dictionary worth its bytes? Some held blocks, spread over all, are compressed both ways. */
static yore_status dictionary_try(yr_segment_writer *writer, uint32_t count, bool *is_better, yore_error *err)
{
    uint64_t raw_bytes = 0, with = 0, without = 0;
    uint32_t step = count > TRIAL_BLOCKS ? count / TRIAL_BLOCKS : 1;
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        held_block block;
        memcpy(&block, writer->held_index.data + i * sizeof block, sizeof block);
        yore_slice raw = yore_bytes(writer->held.data + at, block.size);
        at += block.size;
        if (i % step) continue;
        size_t size;
        yore_status status = squeeze(writer, writer->compressor, raw, &size, err);
        if (status < 0) return status;
        with += size ? size : raw.size;
        status = squeeze(writer, writer->plain, raw, &size, err);
        if (status < 0) return status;
        without += size ? size : raw.size;
        raw_bytes += raw.size;
    }
    uint64_t saved = with < without ? without - with : 0;
    /* 5 % of what was tried, and more than itself over all that is held. */
    *is_better = saved * 20 >= without && raw_bytes > 0 &&
                 saved * (writer->held.size / raw_bytes) > writer->dictionary.size;
    return YORE_OK;
}

static yore_status dictionary_make(yr_segment_writer *writer, uint32_t count, yore_error *err)
{
    uint8_t *to;
    bool is_better = false;
    /* training takes as long as packing many blocks: not where what it can save is hardly more than itself */
    if (count < TRAIN_BLOCKS_MIN || writer->held.size < TRAIN_BYTES_MIN) return YORE_OK;
    size_t *sizes = yr_alloc(writer->env, count * sizeof(size_t));
    if (!sizes || !yr_buf_reserve(&writer->dictionary, DICTIONARY_BYTES, &to)) {
        yr_free(writer->env, sizes, count * sizeof(size_t));
        return no_memory(writer, err);
    }
    for (uint32_t i = 0; i < count; i++) {
        held_block block;
        memcpy(&block, writer->held_index.data + i * sizeof block, sizeof block);
        sizes[i] = block.size;
    }
    writer->dictionary.size = yr_dictionary_train(writer->held.data, sizes, count, to, DICTIONARY_BYTES);
    yr_free(writer->env, sizes, count * sizeof(size_t));
    if (writer->dictionary.size == 0) return YORE_OK;
    yore_slice bytes = yore_bytes(writer->dictionary.data, writer->dictionary.size);
    yore_status status = yr_compressor_dictionary(writer->compressor, bytes, err);
    if (status == YORE_OK) status = dictionary_try(writer, count, &is_better, err);
    if (status < 0 || is_better) return status;
    yr_buf_clear(&writer->dictionary);
    return yr_compressor_dictionary(writer->compressor, yore_bytes(NULL, 0), err);
}

/* Decide about the dictionary and let the held blocks go. */
static yore_status held_release(yr_segment_writer *writer, yore_error *err)
{
    uint32_t count = (uint32_t)(writer->held_index.size / sizeof(held_block));
    if (writer->is_trained) return YORE_OK;
    writer->is_trained = true;
    yore_status status = dictionary_make(writer, count, err);
    size_t at = 0;
    for (uint32_t i = 0; i < count && status == YORE_OK; i++) {
        held_block block;
        memcpy(&block, writer->held_index.data + i * sizeof block, sizeof block);
        yore_slice raw = yore_bytes(writer->held.data + at, block.size);
        status = block_store(writer, block.stream, raw, block.key, block.first, err);
        at += block.size;
    }
    yr_buf_deinit(&writer->held);
    yr_buf_deinit(&writer->held_index);
    return status;
}

yore_status yr_segment_writer_add(yr_segment_writer *writer, enum yr_segment_stream stream, yore_slice raw,
                                  uint64_t key, uint32_t first, yore_error *err)
{
    YR_ASSERT(raw.size > 0 && raw.size <= YR_SEGMENT_BLOCK_BYTES_MAX);
    bool has_rows = stream == YR_STREAM_MAIN || stream == YR_STREAM_HISTORY;
    if (!has_rows || writer->is_trained) return block_store(writer, stream, raw, key, first, err);
    held_block block = {.key = key, .first = first, .size = (uint32_t)raw.size, .stream = stream};
    if (!yr_buf_append(&writer->held, raw.data, raw.size) ||
        !yr_buf_append(&writer->held_index, &block, sizeof block)) {
        return no_memory(writer, err);
    }
    return writer->held.size >= writer->sample_bytes ? held_release(writer, err) : YORE_OK;
}

uint64_t yr_segment_writer_bytes(const yr_segment_writer *writer)
{
    uint64_t bytes = writer->off + writer->held.size;
    for (uint32_t i = 0; i < YR_STREAM_COUNT; i++) {
        bytes += writer->extent[i].bytes.size + writer->extent[i].table.size;
    }
    return bytes;
}

/* -- index -- */

static yore_status page_flush(yr_segment_writer *writer, yore_error *err)
{
    uint64_t sum = yr_segment_sum(writer->page.data, writer->page.size, writer->seed, writer->off);
    if (!yr_buf_append_le64(&writer->page_sums, sum)) return no_memory(writer, err);
    yore_status status = write_out(writer, writer->page.data, writer->page.size, err);
    yr_buf_clear(&writer->page);
    return status;
}

static yore_status index_append(yr_segment_writer *writer, yore_slice bytes, yore_error *err)
{
    const uint8_t *p = bytes.data;
    size_t left = bytes.size;
    while (left > 0) {
        size_t room = YR_SEGMENT_PAGE_BYTES - writer->page.size;
        size_t n = left < room ? left : room;
        if (!yr_buf_append(&writer->page, p, n)) return no_memory(writer, err);
        p += n;
        left -= n;
        if (writer->page.size < YR_SEGMENT_PAGE_BYTES) break;
        yore_status status = page_flush(writer, err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

/* Zeros up to where the next section begins. */
static yore_status section_pad(yr_segment_writer *writer, yore_error *err)
{
    static const uint8_t zeros[YR_SEGMENT_SECTION_ALIGN] = {0};
    uint64_t bytes = writer->footer.section_bytes[writer->section];
    return index_append(writer, yore_bytes(zeros, yr_align_up(bytes, YR_SEGMENT_SECTION_ALIGN) - bytes), err);
}

yore_status yr_segment_writer_index(yr_segment_writer *writer, enum yr_segment_section section,
                                    yore_slice bytes, yore_error *err)
{
    YR_ASSERT((uint32_t)section >= writer->section);
    while (writer->section < (uint32_t)section) {
        yore_status status = section_pad(writer, err);
        if (status < 0) return status;
        writer->section++;
    }
    writer->footer.section_bytes[section] += bytes.size;
    return index_append(writer, bytes, err);
}

yore_status yr_segment_writer_begin_index(yr_segment_writer *writer, const uint64_t *fences, yore_error *err)
{
    yore_status status = held_release(writer, err);
    for (uint32_t i = 0; i < YR_STREAM_COUNT && status == YORE_OK; i++) {
        status = extent_flush(writer, &writer->extent[i], err);
    }
    static const uint8_t zeros[64] = {0};
    if (status == YORE_OK)
        status = write_out(writer, zeros, (size_t)(yr_align_up(writer->off, 64) - writer->off), err);
    writer->footer.index_off = writer->off;
    yr_buf *main_table = &writer->extent[YR_STREAM_MAIN].table;
    for (size_t i = 0; i < main_table->size / YR_SEGMENT_ENTRY_BYTES; i++) {
        yr_put_le64(main_table->data + i * YR_SEGMENT_ENTRY_BYTES + 8, fences[i]);
    }
    for (uint32_t i = 0; i < YR_STREAM_COUNT && status == YORE_OK; i++) {
        const yr_buf *table = &writer->extent[i].table;
        status = yr_segment_writer_index(writer, (enum yr_segment_section)i,
                                         yore_bytes(table->data, table->size), err);
    }
    return status;
}

yore_status yr_segment_writer_dictionary(yr_segment_writer *writer, yore_error *err)
{
    yore_slice bytes = yore_bytes(writer->dictionary.data, writer->dictionary.size);
    return yr_segment_writer_index(writer, YR_SECTION_DICTIONARY, bytes, err);
}

yore_status yr_segment_writer_finish(yr_segment_writer *writer, yore_error *err)
{
    uint8_t bytes[YR_SEGMENT_FOOTER_BYTES];
    yr_segment_layout layout;
    yr_segment_footer *footer = &writer->footer;
    yore_status status = section_pad(writer, err);
    if (status == YORE_OK && writer->page.size) status = page_flush(writer, err);
    if (status < 0) return status;
    footer->sums_sum =
        yr_segment_sum(writer->page_sums.data, writer->page_sums.size, writer->seed, writer->off);
    status = write_out(writer, writer->page_sums.data, writer->page_sums.size, err);
    if (status < 0) return status;
    footer->file_bytes = yr_segment_lay_out(footer, &layout);
    YR_ASSERT(footer->file_bytes == writer->off + YR_SEGMENT_FOOTER_BYTES);
    yr_segment_footer_encode(footer, writer->seed, bytes);
    yr_hash128_update(writer->hash, bytes, YR_SEGMENT_HASH_OFF);
    yr_hash128_digest(writer->hash, footer->file_hash);
    yr_segment_footer_encode(footer, writer->seed, bytes);
    int rc = yr_file_write_all(writer->env, writer->file, bytes, sizeof bytes, writer->off);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot write segment '%s'", writer->name);
    rc = YR_BUG(SEGMENT_NO_SYNC) ? 0 : writer->env->sync(writer->env->ctx, writer->file);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync segment '%s'", writer->name);
    writer->off += sizeof bytes;
    return YORE_OK;
}
