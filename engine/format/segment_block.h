/* Main and history blocks: direct records. docs/format.md has the tables.
 *
 * A main record is a key with its newest version and where its older ones are; a history chunk is a run of older
 * versions of one key, newest first. Both are 4-aligned. A block ends with the offset of every 16th record and the
 * number of records, so that it can be searched without reading all of it.
 * Pure functions over bytes; decoders judge every length before they use it. */
#ifndef YR_SEGMENT_BLOCK_H
#define YR_SEGMENT_BLOCK_H

#include "engine/base/buf.h"
#include "engine/base/bytes.h"
#include "engine/format/segment_format.h"

#define YR_RECORD_HEADER 16u
#define YR_BLOCK_RESTART 16u

/* One version of a key. Slices borrow. */
typedef struct yr_segment_row {
    yore_slice tree_key; /* branch (4, big endian), primitive, user key */
    yore_slice value;
    yore_slice meta;
    uint64_t version;
    int64_t expiry_ns; /* 0 = never */
    uint8_t op;        /* YORE_OP_... */
    uint8_t type;      /* YORE_TYPE_... */
    bool is_reference; /* `value` is a yr_value_ref: the value is in a value file */
} yr_segment_row;

/* Can the value of a row that is_reference be one, by its size? */
static inline bool yr_row_is_reference_sound(const yr_segment_row *row)
{
    return row->op == YORE_OP_PUT && row->value.size == YR_REFERENCE_BYTES;
}

/* Where a key's older versions are: `older` of them, from the chunk at `off` of history block `block` on, through
 * `span` further blocks, each of which begins with the key's next chunk. */
typedef struct yr_history_ref {
    uint32_t older;
    uint32_t block;
    uint32_t off;
    uint32_t span;
} yr_history_ref;

typedef struct yr_record {
    yr_segment_row row;
    yr_history_ref history; /* older = 0: the key has one version */
    uint32_t bytes;         /* up to the next record */
} yr_record;

/* Bytes of a main record, padding included. */
uint32_t yr_record_bytes(const yr_segment_row *row, bool has_history);
bool yr_record_append(yr_buf *out, const yr_segment_row *row, const yr_history_ref *history);
/* Header flags of a record, over op and type: what stands in front of its key, and where its value is. */
enum {
    YR_RECORD_EXPIRY = 1u << 8,
    YR_RECORD_META = 1u << 9,
    YR_RECORD_HISTORY = 1u << 10,
    YR_RECORD_REFERENCE = 1u << 11,
    YR_RECORD_FLAGS = 0xFFFu,
};
#define YR_HISTORY_REF_BYTES 16u

static inline uint32_t yr_record_optional_bytes(uint32_t flags)
{
    return (flags & YR_RECORD_EXPIRY ? 8u : 0u) + (flags & YR_RECORD_HISTORY ? YR_HISTORY_REF_BYTES : 0u) +
           (flags & YR_RECORD_META ? 4u : 0u);
}

/* Branch, primitive, and a user key: readers copy keys to where there is room for the longest. */
static inline bool yr_tree_key_has_size(uint32_t bytes)
{
    return bytes > 5 && bytes <= YR_SEGMENT_TREE_KEY_MAX;
}

/* Only its key and size: what a search compares. Inline: listings and searches do it for every record. */
static inline bool yr_record_key(yore_slice bytes, yore_slice *tree_key, uint32_t *record_bytes)
{
    const uint8_t *p = bytes.data;
    if (bytes.size < YR_RECORD_HEADER) return false;
    uint32_t key_bytes = yr_get_le16(p), total = yr_get_le32(p + 4);
    uint32_t head = YR_RECORD_HEADER + yr_record_optional_bytes(yr_get_le16(p + 2));
    if (total > bytes.size || total < head + key_bytes || !yr_tree_key_has_size(key_bytes)) return false;
    *record_bytes = (total + 3) & ~UINT32_C(3);
    *tree_key = yore_bytes(p + head, key_bytes);
    return *record_bytes <= bytes.size;
}

/* Op, type and kind of value out of flags; the value is known. Patches are reserved: ops this code does not know. */
static inline bool yr_record_take_kind(uint32_t flags, yr_segment_row *row)
{
    row->op = flags & 15u;
    row->type = flags >> 4 & 15u;
    row->is_reference = (flags & YR_RECORD_REFERENCE) != 0;
    if (row->is_reference && !yr_row_is_reference_sound(row)) return false;
    return (row->op == YORE_OP_PUT || row->op == YORE_OP_DEL) && row->type <= YORE_TYPE_JSON;
}

/* What stands between header and key. False when it is damaged. */
bool yr_record_take_rare(const uint8_t *p, uint32_t flags, yr_segment_row *row, yr_history_ref *history,
                         uint32_t *meta_bytes);

/* Take the record at the beginning of `bytes`, which reach to the end of the block's records. Inline, and its parts by
 * themselves, for listings. */
static inline bool yr_record_take_row(yore_slice bytes, yr_segment_row *row, yr_history_ref *history,
                                      uint32_t *record_bytes)
{
    const uint8_t *p = bytes.data;
    yore_slice key;
    if (!yr_record_key(bytes, &key, record_bytes)) return false;
    uint32_t flags = yr_get_le16(p + 2), total = yr_get_le32(p + 4), meta_bytes = 0;
    const uint8_t *value = (const uint8_t *)key.data + key.size;
    uint32_t left = total - (uint32_t)(value - p);
    row->tree_key = key;
    row->version = yr_get_le64(p + 8);
    row->expiry_ns = 0;
    *history = (yr_history_ref){0};
    if (flags & (YR_RECORD_EXPIRY | YR_RECORD_HISTORY | YR_RECORD_META)) {
        if (!yr_record_take_rare(p + YR_RECORD_HEADER, flags, row, history, &meta_bytes)) return false;
        if (meta_bytes > left) return false;
    }
    row->value = yore_bytes(value, left - meta_bytes);
    row->meta = yore_bytes(value + left - meta_bytes, meta_bytes);
    return yr_record_take_kind(flags, row) && !(flags & ~(uint32_t)YR_RECORD_FLAGS);
}
bool yr_record_take(yore_slice bytes, yr_record *record);

/* A chunk that decoded. */
typedef struct yr_chunk {
    yore_slice tree_key;
    uint64_t version; /* the newest */
    uint32_t count;
    uint32_t bytes;       /* up to the next chunk */
    const uint8_t *table; /* count x {newest minus version u32, end of value u32} */
    yore_slice values;
} yr_chunk;

bool yr_chunk_take(yore_slice bytes, yr_chunk *chunk);
/* The position of the newest version <= cap; count when there is none. Damage may make the answer wrong, never the
 * position out of range. */
uint32_t yr_chunk_seek(const yr_chunk *chunk, uint64_t cap);
/* Version i (0 = newest). False when its bytes are damaged. */
bool yr_chunk_row(const yr_chunk *chunk, uint32_t i, yr_segment_row *row);

/* A chunk being made: versions are added newest first. */
typedef struct yr_chunk_maker {
    yr_buf table;
    yr_buf values;
    uint64_t version;
    uint32_t count;
} yr_chunk_maker;

void yr_chunk_maker_init(yr_chunk_maker *maker, const yore_env *env);
void yr_chunk_maker_deinit(yr_chunk_maker *maker);
/* Bytes of the chunk if this row (NULL: none) were added. */
uint32_t yr_chunk_maker_bytes(const yr_chunk_maker *maker, size_t key_bytes, const yr_segment_row *row);
/* False when memory is out. The row's version is below all versions added, by less than 2^32 from the first. */
bool yr_chunk_maker_add(yr_chunk_maker *maker, const yr_segment_row *row);
/* Append the chunk to a block and start over. */
bool yr_chunk_maker_append(yr_chunk_maker *maker, yore_slice tree_key, yr_buf *out);

/* A block of records. */
typedef struct yr_block {
    const uint8_t *data;
    uint32_t records_end;
    uint32_t count;
} yr_block;

/* False when the trailer is damaged. */
bool yr_block_open(yore_slice raw, yr_block *block);
/* The offset of record 16 * i; i <= (count - 1) / 16. May be anything up to records_end. */
uint32_t yr_block_restart(const yr_block *block, uint32_t i);
static inline yore_slice yr_block_from(const yr_block *block, uint32_t off)
{
    return yore_bytes(block->data + off, block->records_end - off);
}

/* A block being made. */
typedef struct yr_block_maker {
    yr_buf body;
    yr_buf restarts;
    uint32_t count;
} yr_block_maker;

void yr_block_maker_init(yr_block_maker *maker, const yore_env *env);
void yr_block_maker_deinit(yr_block_maker *maker);
/* Call before each record is appended to `body`: notes where it begins. False when memory is out. */
bool yr_block_maker_begin(yr_block_maker *maker);
/* Append the trailer: `body` is the block then. */
bool yr_block_maker_finish(yr_block_maker *maker);
void yr_block_maker_clear(yr_block_maker *maker);

#endif
