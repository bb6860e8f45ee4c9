/* Every record and every older version, in order. History blocks are filled in key order, so they must be used up by
 * the main blocks' records one chunk behind the other, with nothing between them and nothing left. */
#include "engine/segment/segment_verify_private.h"

#include <string.h>

#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/segment/segment_tally.h"

typedef struct row_walk {
    yr_segment *segment;
    yr_buf key; /* the last one */
    uint64_t keys;
    uint64_t rows;
    uint64_t print; /* of version and ordinal of all rows */
    /* history: where the next chunk must be */
    uint32_t history_block;
    uint32_t history_off;
    uint32_t history_chunks; /* of that block so far */
    uint32_t held;
    yr_block_pin older_pin;
    /* groups */
    yr_segment_group group; /* counted */
    uint32_t group_at;
    yr_buf value_files; /* counted */
} row_walk;

static yore_status bad_history(row_walk *walk, uint32_t block, const char *what, yore_error *err)
{
    if (block >= walk->segment->layout.block_count[YR_STREAM_HISTORY])
        return yr_segment_bad(walk->segment, walk->segment->layout.section_off[YR_STREAM_HISTORY], what, err);
    return yr_segment_bad_block(walk->segment, YR_STREAM_HISTORY, block, what, err);
}

/* -- groups -- */

static yore_status group_check(row_walk *walk, yore_error *err)
{
    yr_segment *segment = walk->segment;
    yr_segment_group told;
    uint64_t off = segment->layout.section_off[YR_SECTION_GROUPS];
    if (walk->group.keys == 0) return YORE_OK;
    if (walk->group_at >= segment->layout.group_count)
        return yr_segment_bad(segment, off, "groups differ", err);
    yore_status status = yr_segment_group_get(segment, walk->group_at++, &told, err);
    if (status < 0) return status;
    const yr_segment_group *found = &walk->group;
    bool is_same = told.branch == found->branch && told.primitive == found->primitive &&
                   told.keys == found->keys && told.rows == found->rows && told.deletes == found->deletes &&
                   told.key_bytes == found->key_bytes && told.value_bytes == found->value_bytes;
    walk->group = (yr_segment_group){0};
    return is_same ? YORE_OK : yr_segment_bad(segment, off, "groups differ", err);
}

static yore_status group_count_row(row_walk *walk, const yr_segment_row *row, yore_error *err)
{
    uint64_t value_bytes;
    yore_status status = yr_tally_value(&walk->value_files, row, &value_bytes);
    if (status == YORE_ERR_NOMEM)
        return yr_fail(err, status, "no memory to verify segment '%s'", walk->segment->name);
    if (status < 0) return yr_segment_bad(walk->segment, 0, "a damaged reference to a value file", err);
    walk->rows++;
    walk->print += yr_segment_change_print(row->version, walk->keys - 1);
    walk->group.rows++;
    walk->group.deletes += row->op == YORE_OP_DEL;
    walk->group.value_bytes += value_bytes + row->meta.size;
    return YORE_OK;
}

static yore_status group_count_key(row_walk *walk, const yr_segment_row *row, yore_error *err)
{
    const uint8_t *p = row->tree_key.data;
    if (walk->group.keys && (walk->group.branch != yr_get_be32(p) || walk->group.primitive != p[4])) {
        yore_status status = group_check(walk, err);
        if (status < 0) return status;
    }
    walk->group.branch = yr_get_be32(p);
    walk->group.primitive = p[4];
    walk->group.keys++;
    walk->group.key_bytes += row->tree_key.size - 5;
    return group_count_row(walk, row, err);
}

/* -- history -- */

/* The chunk is where the walk expects it; move behind it. */
static yore_status chunk_place(row_walk *walk, const yr_chunk *chunk, uint32_t block_at, uint32_t off,
                               yore_error *err)
{
    yr_block block;
    yr_segment_entry entry;
    if (block_at != walk->history_block || off != walk->history_off ||
        !yr_block_open(yore_bytes(walk->older_pin.data, walk->older_pin.size), &block)) {
        return bad_history(walk, block_at, "history out of place", err);
    }
    yore_status status = yr_segment_entry_get(walk->segment, YR_STREAM_HISTORY, block_at, &entry, err);
    if (status < 0) return status;
    if (off == 0 && (entry.key != chunk->version || entry.first != 0))
        return bad_history(walk, block_at, "not what its table says", err);
    uint32_t n = walk->history_chunks++;
    if (n % YR_BLOCK_RESTART == 0 && (n / YR_BLOCK_RESTART > (block.count - 1) / YR_BLOCK_RESTART ||
                                      yr_block_restart(&block, n / YR_BLOCK_RESTART) != off))
        return bad_history(walk, block_at, "wrong trailer", err);
    walk->history_off = off + chunk->bytes;
    if (walk->history_off < block.records_end) return YORE_OK;
    if (walk->history_chunks != block.count) return bad_history(walk, block_at, "wrong trailer", err);
    walk->history_block++;
    walk->history_off = 0;
    walk->history_chunks = 0;
    return YORE_OK;
}

static yore_status history_check(row_walk *walk, const yr_record *record, yore_error *err)
{
    const yr_history_ref *ref = &record->history;
    uint64_t version = record->row.version, older = 0;
    if (ref->older == 0) return YORE_OK;
    for (uint32_t n = 0; n <= ref->span; n++) {
        yr_chunk chunk;
        yr_segment_row row;
        yore_status status =
            yr_segment_chunk_get(walk->segment, record, n, &walk->held, &walk->older_pin, &chunk, err);
        if (status < 0) return status;
        for (uint32_t i = 0; i < chunk.count; i++) {
            if (!yr_chunk_row(&chunk, i, &row) || row.version >= version)
                return bad_history(walk, ref->block + n, "damaged history", err);
            version = row.version;
            status = group_count_row(walk, &row, err);
            if (status < 0) return status;
        }
        older += chunk.count;
        status = chunk_place(walk, &chunk, ref->block + n, n ? 0 : ref->off, err);
        if (status < 0) return status;
    }
    if (older != ref->older || version <= walk->segment->footer.after_version)
        return bad_history(walk, ref->block, "history of another length or age", err);
    return YORE_OK;
}

/* -- main -- */

/* The hash index finds this record, and key order this block. */
static yore_status lookup_check(row_walk *walk, const yr_record *record, uint32_t block, bool is_edge,
                                yore_error *err)
{
    yr_segment *segment = walk->segment;
    yr_block_pin pin = {0};
    yr_record found;
    yore_slice key = record->row.tree_key;
    const uint8_t *p = key.data;
    uint64_t hash =
        yr_segment_hash_of(segment->footer.hash_seed, yr_get_be32(p), p[4], yore_bytes(p + 5, key.size - 5));
    yore_status status = yr_segment_record_find(segment, key, hash, &pin, &found, err);
    bool is_same = status == YORE_OK && found.row.version == record->row.version &&
                   memcmp(&found.history, &record->history, sizeof found.history) == 0;
    yr_block_pin_release(&pin);
    if (status < 0) return status;
    if (!is_same)
        return yr_segment_bad(segment, segment->layout.section_off[YR_SECTION_HASH],
                              "hash index: misses a key", err);
    if (!is_edge) return YORE_OK;
    uint32_t located;
    status = yr_segment_locate(segment, key, &located, err);
    if (status == YORE_OK && located != block)
        status = yr_segment_bad(segment, segment->layout.section_off[YR_SECTION_FENCES],
                                "fences out of order", err);
    return status;
}

static yore_status record_check(row_walk *walk, const yr_record *record, uint32_t block, bool is_edge,
                                yore_error *err)
{
    const yr_segment_footer *footer = &walk->segment->footer;
    const yr_segment_row *row = &record->row;
    yore_slice last = yore_bytes(walk->key.data, walk->key.size);
    if (row->version <= footer->after_version || row->version > footer->last_version)
        return yr_segment_bad_block(walk->segment, YR_STREAM_MAIN, block, "a version out of range", err);
    if (walk->keys && yr_slice_compare(last, row->tree_key) >= 0)
        return yr_segment_bad_block(walk->segment, YR_STREAM_MAIN, block, "keys out of order", err);
    yr_buf_clear(&walk->key);
    if (!yr_buf_append(&walk->key, row->tree_key.data, row->tree_key.size))
        return yr_fail(err, YORE_ERR_NOMEM, "no memory to verify segment '%s'", walk->segment->name);
    walk->keys++;
    yore_status status = group_count_key(walk, row, err);
    if (status == YORE_OK) status = history_check(walk, record, err);
    if (status == YORE_OK) status = lookup_check(walk, record, block, is_edge, err);
    return status;
}

static yore_status block_check(row_walk *walk, uint32_t i, const yr_block *block, yore_error *err)
{
    uint32_t off = 0;
    for (uint32_t n = 0; n < block->count; n++) {
        yr_record record;
        if (n % YR_BLOCK_RESTART == 0 && yr_block_restart(block, n / YR_BLOCK_RESTART) != off)
            return yr_segment_bad_block(walk->segment, YR_STREAM_MAIN, i, "wrong trailer", err);
        if (!yr_record_take(yr_block_from(block, off), &record))
            return yr_segment_bad_block(walk->segment, YR_STREAM_MAIN, i, "damaged record", err);
        yore_status status = record_check(walk, &record, i, n == 0 || n + 1 == block->count, err);
        if (status < 0) return status;
        off += record.bytes;
    }
    if (off == block->records_end) return YORE_OK;
    return yr_segment_bad_block(walk->segment, YR_STREAM_MAIN, i, "wrong trailer", err);
}

static yore_status main_check(row_walk *walk, yore_error *err)
{
    yr_segment *segment = walk->segment;
    for (uint32_t i = 0; i < segment->layout.block_count[YR_STREAM_MAIN]; i++) {
        yr_segment_entry entry;
        yr_block_pin pin = {0};
        yr_block block;
        yore_status status = yr_segment_entry_get(segment, YR_STREAM_MAIN, i, &entry, err);
        if (status == YORE_OK) status = yr_segment_block_get(segment, YR_STREAM_MAIN, i, &pin, err);
        if (status < 0) return status;
        if (entry.first != walk->keys || !yr_block_open(yore_bytes(pin.data, pin.size), &block)) {
            status = yr_segment_bad_block(segment, YR_STREAM_MAIN, i, "not what its table says", err);
        } else {
            status = block_check(walk, i, &block, err);
        }
        yr_block_pin_release(&pin);
        if (status < 0) return status;
    }
    return group_check(walk, err);
}

static yore_status bound_check(row_walk *walk, bool is_last, yore_slice key, yore_error *err)
{
    yr_segment *segment = walk->segment;
    uint8_t bound[YR_SEGMENT_TREE_KEY_MAX];
    size_t size;
    yore_status status = yr_segment_bound(segment, is_last, bound, &size, err);
    if (status < 0 || yr_slice_equal(key, yore_bytes(bound, size))) return status;
    return yr_segment_bad(segment, segment->layout.section_off[YR_SECTION_BOUNDS], "bounds differ", err);
}

static yore_status value_files_check(row_walk *walk, yore_error *err)
{
    yr_segment *segment = walk->segment;
    uint64_t off = segment->layout.section_off[YR_SECTION_VALUE_FILES];
    if (walk->value_files.size != (uint64_t)segment->layout.value_file_count * YR_SEGMENT_TALLY_BYTES)
        return yr_segment_bad(segment, off, "value files differ from the rows", err);
    for (uint32_t i = 0; i < segment->layout.value_file_count; i++) {
        yr_segment_value_file file;
        yore_status status = yr_segment_value_file_get(segment, i, &file, err);
        if (status < 0) return status;
        if (memcmp(walk->value_files.data + i * sizeof file, &file, sizeof file) != 0)
            return yr_segment_bad(segment, off, "value files differ from the rows", err);
    }
    return YORE_OK;
}

/* What the footer and the bounds say of all rows. */
static yore_status totals_check(row_walk *walk, yore_error *err)
{
    yr_segment *segment = walk->segment;
    if (walk->keys != segment->footer.keys || walk->rows != segment->footer.rows ||
        walk->history_block != segment->layout.block_count[YR_STREAM_HISTORY] || walk->history_off != 0 ||
        walk->group_at != segment->layout.group_count) {
        return yr_segment_bad(segment, segment->footer.file_bytes, "counts differ from the footer", err);
    }
    yore_status status = bound_check(walk, true, yore_bytes(walk->key.data, walk->key.size), err);
    if (status < 0 || walk->keys == 0) return status;
    yr_segment_cursor cursor;
    yr_segment_row row;
    yr_segment_cursor_init(&cursor, segment, UINT64_MAX, yore_bytes(NULL, 0));
    status = yr_segment_cursor_seek(&cursor, yore_bytes(NULL, 0), &row, err);
    if (status == YORE_OK) status = bound_check(walk, false, row.tree_key, err);
    yr_segment_cursor_deinit(&cursor);
    return status;
}

yore_status yr_segment_verify_rows(yr_segment *segment, uint64_t *print, yore_error *err)
{
    row_walk walk = {.segment = segment, .held = UINT32_MAX};
    yr_buf_init(&walk.key, segment->env, YR_SEGMENT_TREE_KEY_MAX);
    yr_buf_init(&walk.value_files, segment->env, YR_SEGMENT_FILE_BYTES_MAX);
    yore_status status = main_check(&walk, err);
    yr_block_pin_release(&walk.older_pin);
    if (status == YORE_OK) status = totals_check(&walk, err);
    if (status == YORE_OK) status = value_files_check(&walk, err);
    yr_buf_deinit(&walk.key);
    yr_buf_deinit(&walk.value_files);
    *print = walk.print;
    return status;
}
