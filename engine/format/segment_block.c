#include "engine/format/segment_block.h"

#include "engine/base/yr_assert.h"

enum { FLAG_EXPIRY = YR_RECORD_EXPIRY, FLAG_META = YR_RECORD_META, FLAG_HISTORY = YR_RECORD_HISTORY };
enum { FLAG_REFERENCE = YR_RECORD_REFERENCE };
enum { FLAGS_ROW = 0xFFu | FLAG_EXPIRY | FLAG_META | FLAG_REFERENCE };

#define CHUNK_SLOT_BYTES 8u
#define CHUNK_VALUE_HEADER 4u
#define CHUNK_COUNT_MAX UINT16_MAX
/* Of a chunk or block under construction: one over the limit is refused by the decoder, so the builder cuts first. */
#define MAKER_BYTES_MAX YR_SEGMENT_BLOCK_BYTES_MAX

static uint32_t align4(uint32_t n)
{
    return (n + 3) & ~UINT32_C(3);
}

static uint16_t flags_of(const yr_segment_row *row)
{
    return (uint16_t)(row->op | row->type << 4 | (row->expiry_ns ? FLAG_EXPIRY : 0) |
                      (row->meta.size ? FLAG_META : 0) | (row->is_reference ? FLAG_REFERENCE : 0));
}

static uint8_t *put_bytes(uint8_t *to, yore_slice bytes)
{
    if (bytes.size) memcpy(to, bytes.data, bytes.size);
    return to + bytes.size;
}

uint32_t yr_record_bytes(const yr_segment_row *row, bool has_history)
{
    return align4((uint32_t)(YR_RECORD_HEADER + (row->expiry_ns ? 8u : 0u) +
                             (has_history ? YR_HISTORY_REF_BYTES : 0u) + (row->meta.size ? 4u : 0u) +
                             row->tree_key.size + row->value.size + row->meta.size));
}

bool yr_record_append(yr_buf *out, const yr_segment_row *row, const yr_history_ref *history)
{
    uint32_t padded = yr_record_bytes(row, history->older != 0);
    uint8_t *start;
    if (!yr_buf_reserve(out, padded, &start)) return false;
    uint8_t *p = start + YR_RECORD_HEADER;
    if (row->expiry_ns) {
        yr_put_le64(p, (uint64_t)row->expiry_ns); /* [8] expiry */
        p += 8;
    }
    if (history->older) {
        yr_put_le32(p + 0, history->older); /* [4] older versions */
        yr_put_le32(p + 4, history->block); /* [4] history block, */
        yr_put_le32(p + 8, history->off);   /* [4] offset of the chunk in it, */
        yr_put_le32(p + 12, history->span); /* [4] and how many further blocks go on with it */
        p += YR_HISTORY_REF_BYTES;
    }
    if (row->meta.size) {
        yr_put_le32(p, (uint32_t)row->meta.size); /* [4] metadata bytes */
        p += 4;
    }
    p = put_bytes(p, row->tree_key);
    p = put_bytes(p, row->value);
    p = put_bytes(p, row->meta);
    yr_put_le16(start + 0, (uint16_t)row->tree_key.size); /* 0  2  tree key bytes */
    yr_put_le16(start + 2, (uint16_t)(flags_of(row) | (history->older ? FLAG_HISTORY : 0))); /* 2  2  flags */
    yr_put_le32(start + 4, (uint32_t)(p - start));                                           /* 4  4  bytes */
    yr_put_le64(start + 8, row->version); /* 8  8  version */
    while (p < start + padded) *p++ = 0;
    out->size += padded;
    return true;
}

bool yr_record_take_rare(const uint8_t *p, uint32_t flags, yr_segment_row *row, yr_history_ref *history,
                         uint32_t *meta_bytes)
{
    if (flags & FLAG_EXPIRY) {
        row->expiry_ns = (int64_t)yr_get_le64(p);
        p += 8;
    }
    if (flags & FLAG_HISTORY) {
        *history = (yr_history_ref){.older = yr_get_le32(p),
                                    .block = yr_get_le32(p + 4),
                                    .off = yr_get_le32(p + 8),
                                    .span = yr_get_le32(p + 12)};
        p += YR_HISTORY_REF_BYTES;
        if (history->older == 0) return false;
    }
    if (flags & FLAG_META) *meta_bytes = yr_get_le32(p);
    return *meta_bytes <= YORE_META_BYTES_MAX;
}

bool yr_record_take(yore_slice bytes, yr_record *record)
{
    return yr_record_take_row(bytes, &record->row, &record->history, &record->bytes);
}

/* -- chunks -- */

bool yr_chunk_take(yore_slice bytes, yr_chunk *chunk)
{
    yr_reader r = yr_reader_of(bytes);
    uint32_t key_bytes = yr_take_le16(&r);
    chunk->count = yr_take_le16(&r);
    uint32_t total = yr_take_le32(&r);
    chunk->version = yr_take_le64(&r);
    if (!r.ok || total > bytes.size || total < YR_RECORD_HEADER) return false;
    chunk->bytes = align4(total);
    r.left = total - YR_RECORD_HEADER;
    chunk->table = yr_take(&r, CHUNK_SLOT_BYTES * (size_t)chunk->count).data;
    chunk->tree_key = yr_take(&r, key_bytes);
    chunk->values = yore_bytes(r.p, r.left);
    return r.ok && chunk->count > 0 && yr_tree_key_has_size(key_bytes) && chunk->bytes <= bytes.size &&
           yr_get_le32(chunk->table) == 0;
}

static uint32_t slot_delta(const yr_chunk *chunk, uint32_t i)
{
    return yr_get_le32(chunk->table + CHUNK_SLOT_BYTES * (size_t)i);
}

uint32_t yr_chunk_seek(const yr_chunk *chunk, uint64_t cap)
{
    if (cap >= chunk->version) return 0;
    uint64_t least = chunk->version - cap; /* the first slot with at least this delta */
    uint32_t low = 0, high = chunk->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (slot_delta(chunk, middle) < least) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool yr_chunk_row(const yr_chunk *chunk, uint32_t i, yr_segment_row *row)
{
    uint32_t delta = slot_delta(chunk, i);
    uint32_t start = i ? yr_get_le32(chunk->table + CHUNK_SLOT_BYTES * (size_t)i - 4) : 0;
    uint32_t end = yr_get_le32(chunk->table + CHUNK_SLOT_BYTES * (size_t)i + 4);
    if (delta >= chunk->version || start > end || end > chunk->values.size) return false;
    yr_reader r = {.p = (const uint8_t *)chunk->values.data + start, .left = end - start, .ok = true};
    uint16_t flags = yr_take_le16(&r);
    uint16_t meta_bytes = yr_take_le16(&r);
    *row = (yr_segment_row){.tree_key = chunk->tree_key, .version = chunk->version - delta};
    if (flags & FLAG_EXPIRY) row->expiry_ns = (int64_t)yr_take_le64(&r);
    if (!r.ok || meta_bytes > r.left || meta_bytes > YORE_META_BYTES_MAX) return false;
    row->value = yr_take(&r, r.left - meta_bytes);
    row->meta = yr_take(&r, meta_bytes);
    return yr_record_take_kind(flags, row) && !(flags & ~FLAGS_ROW);
}

void yr_chunk_maker_init(yr_chunk_maker *maker, const yore_env *env)
{
    *maker = (yr_chunk_maker){0};
    yr_buf_init(&maker->table, env, MAKER_BYTES_MAX);
    yr_buf_init(&maker->values, env, MAKER_BYTES_MAX);
}

void yr_chunk_maker_deinit(yr_chunk_maker *maker)
{
    yr_buf_deinit(&maker->table);
    yr_buf_deinit(&maker->values);
}

static uint32_t chunk_value_bytes(const yr_segment_row *row)
{
    return (uint32_t)(CHUNK_VALUE_HEADER + (row->expiry_ns ? 8u : 0u) + row->value.size + row->meta.size);
}

uint32_t yr_chunk_maker_bytes(const yr_chunk_maker *maker, size_t key_bytes, const yr_segment_row *row)
{
    size_t bytes = YR_RECORD_HEADER + maker->table.size + key_bytes + maker->values.size;
    if (row) bytes += CHUNK_SLOT_BYTES + chunk_value_bytes(row);
    if (row && maker->count >= CHUNK_COUNT_MAX) return YR_SEGMENT_BLOCK_BYTES_MAX;
    return align4((uint32_t)bytes);
}

bool yr_chunk_maker_add(yr_chunk_maker *maker, const yr_segment_row *row)
{
    uint8_t *p, *slot;
    if (maker->count == 0) maker->version = row->version;
    YR_ASSERT(row->version <= maker->version && maker->version - row->version <= UINT32_MAX);
    if (!yr_buf_reserve(&maker->table, CHUNK_SLOT_BYTES, &slot)) return false;
    if (!yr_buf_reserve(&maker->values, chunk_value_bytes(row), &p)) return false;
    yr_put_le16(p + 0, flags_of(row));            /* 0  2  flags */
    yr_put_le16(p + 2, (uint16_t)row->meta.size); /* 2  2  metadata bytes */
    p += CHUNK_VALUE_HEADER;
    if (row->expiry_ns) {
        yr_put_le64(p, (uint64_t)row->expiry_ns); /* [8] expiry */
        p += 8;
    }
    p = put_bytes(p, row->value);
    p = put_bytes(p, row->meta);
    maker->values.size = (size_t)(p - maker->values.data);
    yr_put_le32(slot + 0, (uint32_t)(maker->version - row->version)); /* 0  4  newest minus version */
    yr_put_le32(slot + 4, (uint32_t)maker->values.size);              /* 4  4  where its value ends */
    maker->table.size += CHUNK_SLOT_BYTES;
    maker->count++;
    return true;
}

bool yr_chunk_maker_append(yr_chunk_maker *maker, yore_slice tree_key, yr_buf *out)
{
    uint32_t padded = yr_chunk_maker_bytes(maker, tree_key.size, NULL);
    uint8_t *start;
    if (!yr_buf_reserve(out, padded, &start)) return false;
    uint8_t *p = start + YR_RECORD_HEADER;
    p = put_bytes(p, yore_bytes(maker->table.data, maker->table.size));
    p = put_bytes(p, tree_key);
    p = put_bytes(p, yore_bytes(maker->values.data, maker->values.size));
    yr_put_le16(start + 0, (uint16_t)tree_key.size); /* 0  2  tree key bytes */
    yr_put_le16(start + 2, (uint16_t)maker->count);  /* 2  2  versions */
    yr_put_le32(start + 4, (uint32_t)(p - start));   /* 4  4  bytes */
    yr_put_le64(start + 8, maker->version);          /* 8  8  the newest version */
    while (p < start + padded) *p++ = 0;
    out->size += padded;
    yr_buf_clear(&maker->table);
    yr_buf_clear(&maker->values);
    maker->count = 0;
    return true;
}

/* -- blocks -- */

bool yr_block_open(yore_slice raw, yr_block *block)
{
    const uint8_t *p = raw.data;
    if (raw.size < 4 || raw.size > YR_SEGMENT_BLOCK_BYTES_MAX || raw.size % 4) return false;
    uint32_t count = yr_get_le32(p + raw.size - 4);
    if (count == 0 || count > raw.size / YR_RECORD_HEADER) return false;
    uint32_t trailer = 4 + 4 * ((count + YR_BLOCK_RESTART - 1) / YR_BLOCK_RESTART);
    if (trailer > raw.size) return false;
    *block = (yr_block){.data = p, .records_end = (uint32_t)raw.size - trailer, .count = count};
    return true;
}

uint32_t yr_block_restart(const yr_block *block, uint32_t i)
{
    YR_DASSERT(i <= (block->count - 1) / YR_BLOCK_RESTART);
    uint32_t off = yr_get_le32(block->data + block->records_end + 4 * (size_t)i);
    return off < block->records_end ? off : block->records_end;
}

void yr_block_maker_init(yr_block_maker *maker, const yore_env *env)
{
    *maker = (yr_block_maker){0};
    yr_buf_init(&maker->body, env, MAKER_BYTES_MAX);
    yr_buf_init(&maker->restarts, env, MAKER_BYTES_MAX);
}

void yr_block_maker_deinit(yr_block_maker *maker)
{
    yr_buf_deinit(&maker->body);
    yr_buf_deinit(&maker->restarts);
}

bool yr_block_maker_begin(yr_block_maker *maker)
{
    bool is_restart = maker->count % YR_BLOCK_RESTART == 0;
    if (is_restart && !yr_buf_append_le32(&maker->restarts, (uint32_t)maker->body.size)) return false;
    maker->count++;
    return true;
}

bool yr_block_maker_finish(yr_block_maker *maker)
{
    return yr_buf_append(&maker->body, maker->restarts.data, maker->restarts.size) &&
           yr_buf_append_le32(&maker->body, maker->count);
}

void yr_block_maker_clear(yr_block_maker *maker)
{
    yr_buf_clear(&maker->body);
    yr_buf_clear(&maker->restarts);
    maker->count = 0;
}
