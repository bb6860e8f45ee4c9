/* Keys in order, forward and backward, each at the cap.
 *
 * A place is a block, a group of up to 16 records and a position in it; the offsets of the whole group are known, so
 * that going back is as cheap as going on. */
#include "engine/segment/segment_private.h"

#include <string.h>

#include "engine/base/yr_assert.h"

enum { PREFETCH_MAX = 4096 }; /* bytes asked for ahead of a listing */

void yr_segment_cursor_init(yr_segment_cursor *cursor, yr_segment *segment, uint64_t cap, yore_slice prefix)
{
    *cursor =
        (yr_segment_cursor){.segment = segment, .cap = cap, .prefix = prefix, .older_block = UINT32_MAX};
}

void yr_segment_cursor_deinit(yr_segment_cursor *cursor)
{
    yr_block_pin_release(&cursor->block_pin);
    yr_block_pin_release(&cursor->older_pin);
    cursor->older_block = UINT32_MAX;
    cursor->is_placed = false;
}

static yore_status damaged(yr_segment_cursor *cursor, yore_error *err)
{
    return yr_segment_bad_block(cursor->segment, YR_STREAM_MAIN, cursor->block_at, "damaged record", err);
}

static uint32_t group_count(const yr_segment_cursor *cursor)
{
    return (cursor->block.count + YR_BLOCK_RESTART - 1) / YR_BLOCK_RESTART;
}

/* Open a block; no group is loaded yet. */
static yore_status block_load(yr_segment_cursor *cursor, uint32_t i, yore_error *err)
{
    if (cursor->block_pin.data && cursor->block_at == i) return YORE_OK;
    yr_block_pin_release(&cursor->block_pin);
    cursor->block_at = i;
    yore_status status = yr_segment_block_get(cursor->segment, YR_STREAM_MAIN, i, &cursor->block_pin, err);
    if (status < 0) return status;
    if (yr_block_open(yore_bytes(cursor->block_pin.data, cursor->block_pin.size), &cursor->block))
        return YORE_OK;
    status = damaged(cursor, err);
    yr_block_pin_release(&cursor->block_pin);
    return status;
}

/* Ask for the lines of a group. Each record says where the next one begins, so that without it every record would be a
 * miss of its own. Damaged offsets may be anything up to the records' end, and do no harm. */
static void group_prefetch(const yr_segment_cursor *cursor, uint32_t group)
{
    const yr_block *block = &cursor->block;
    uint32_t off = yr_block_restart(block, group), end = block->records_end;
    if (group + 1 < group_count(cursor)) end = yr_block_restart(block, group + 1);
    if (end > off + PREFETCH_MAX) end = off + PREFETCH_MAX;
    for (; off < end; off += 64) __builtin_prefetch(block->data + off);
}

/* And of what is behind the open block, where it is in memory. */
static void block_prefetch_next(const yr_segment_cursor *cursor)
{
    const yr_segment *segment = cursor->segment;
    const yr_block_ref *refs = segment->refs[YR_STREAM_MAIN];
    uint32_t i = cursor->block_at + 1;
    if (!refs || i >= segment->layout.block_count[YR_STREAM_MAIN]) return;
    const uint8_t *at = segment->image + 8 * (uint64_t)refs[i].off;
    uint32_t bytes = refs[i].bytes < PREFETCH_MAX / 2 ? refs[i].bytes : PREFETCH_MAX / 2;
    if (refs[i].bytes) __builtin_prefetch(at + refs[i].bytes - 4); /* the number of its records */
    for (uint32_t off = 0; off < bytes; off += 64) __builtin_prefetch(at + off);
}

/* Find where the records of a group are. The last one of the block must end where the records do. */
static yore_status group_load(yr_segment_cursor *cursor, uint32_t group, yore_error *err)
{
    const yr_block *block = &cursor->block;
    uint32_t off = yr_block_restart(block, group);
    uint32_t size = block->count - group * YR_BLOCK_RESTART;
    if (group + 1 < group_count(cursor))
        group_prefetch(cursor, group + 1);
    else
        block_prefetch_next(cursor);
    if (size > YR_BLOCK_RESTART) size = YR_BLOCK_RESTART;
    if (group == 0 && off != 0) return damaged(cursor, err);
    for (uint32_t i = 0; i < size; i++) {
        yore_slice key;
        uint32_t bytes;
        cursor->offs[i] = off;
        if (off % 4 || !yr_record_key(yr_block_from(block, off), &key, &bytes)) return damaged(cursor, err);
        off += bytes;
    }
    uint32_t end = block->records_end;
    if (group + 1 < group_count(cursor)) end = yr_block_restart(block, group + 1);
    if (off != end) return damaged(cursor, err);
    cursor->group = group;
    cursor->group_size = size;
    return YORE_OK;
}

static yore_slice key_of(const yr_segment_cursor *cursor, uint32_t off, bool *is_sound)
{
    yore_slice key = {NULL, 0};
    uint32_t bytes;
    if (!yr_record_key(yr_block_from(&cursor->block, off), &key, &bytes)) *is_sound = false;
    return key;
}

/* Place the cursor on the last record of the open block that is <= key (is_below), or < key. False in *is_placed: the
 * block begins above. */
static yore_status block_seek(yr_segment_cursor *cursor, yore_slice tree_key, bool or_equal, bool *is_placed,
                              yore_error *err)
{
    uint32_t low = 0, high = group_count(cursor);
    bool is_sound = true;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        yore_slice key = key_of(cursor, yr_block_restart(&cursor->block, middle), &is_sound);
        if (!is_sound) return damaged(cursor, err);
        int order = yr_slice_compare(key, tree_key);
        if (order < 0 || (or_equal && order == 0)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *is_placed = low > 0;
    if (low == 0) return YORE_OK;
    group_prefetch(cursor, low - 1);
    yore_status status = group_load(cursor, low - 1, err);
    if (status < 0) return status;
    cursor->at = 0;
    for (uint32_t i = 1; i < cursor->group_size; i++) {
        int order = yr_slice_compare(key_of(cursor, cursor->offs[i], &is_sound), tree_key);
        if (order > 0 || (order == 0 && !or_equal)) break;
        cursor->at = i;
    }
    return YORE_OK;
}

/* -- steps: YORE_OK or YORE_END -- */

static yore_status step_forward(yr_segment_cursor *cursor, yore_error *err)
{
    if (cursor->at + 1 < cursor->group_size) {
        cursor->at++;
        return YORE_OK;
    }
    cursor->at = 0;
    if (cursor->group + 1 < group_count(cursor)) return group_load(cursor, cursor->group + 1, err);
    if (cursor->block_at + 1 >= cursor->segment->layout.block_count[YR_STREAM_MAIN]) return YORE_END;
    yore_status status = block_load(cursor, cursor->block_at + 1, err);
    return status < 0 ? status : group_load(cursor, 0, err);
}

static yore_status step_back(yr_segment_cursor *cursor, yore_error *err)
{
    if (cursor->at > 0) {
        cursor->at--;
        return YORE_OK;
    }
    yore_status status;
    if (cursor->group > 0) {
        status = group_load(cursor, cursor->group - 1, err);
    } else {
        if (cursor->block_at == 0) return YORE_END;
        status = block_load(cursor, cursor->block_at - 1, err);
        if (status == YORE_OK) status = group_load(cursor, group_count(cursor) - 1, err);
    }
    if (status == YORE_OK) cursor->at = cursor->group_size - 1;
    return status;
}

/* Listings stay in a branch's keys of one primitive: five bytes, which need no call. */
static inline bool has_prefix(yore_slice key, yore_slice prefix)
{
    if (key.size < prefix.size) return false;
    const uint8_t *k = key.data, *p = prefix.data;
    if (prefix.size == 5) return yr_get_le32(k) == yr_get_le32(p) && k[4] == p[4];
    return prefix.size == 0 || memcmp(k, p, prefix.size) == 0;
}

/* The row at the place. YORE_NOT_FOUND: none at the cap; YORE_END: the key is outside the prefix. */
static yore_status row_here(yr_segment_cursor *cursor, yr_segment_row *row, yore_error *err)
{
    YR_SCRATCH yr_record record;
    if (!yr_record_take_row(yr_block_from(&cursor->block, cursor->offs[cursor->at]), row, &record.history,
                            &record.bytes))
        return damaged(cursor, err);
    if (!has_prefix(row->tree_key, cursor->prefix)) return YORE_END;
    cursor->is_older = row->version > cursor->cap;
    if (YR_LIKELY(!cursor->is_older)) return YORE_OK;
    record.row = *row;
    return yr_segment_older_find(cursor->segment, &record, cursor->cap, &cursor->older_block,
                                 &cursor->older_pin, row, err);
}

/* From the place on (or, `moves`, the one behind it) to the next key with a row. */
static yore_status advance(yr_segment_cursor *cursor, bool is_back, bool moves, yr_segment_row *row,
                           yore_error *err)
{
    yore_status status = YORE_OK;
    cursor->is_placed = false;
    for (;; moves = true) {
        if (moves) status = is_back ? step_back(cursor, err) : step_forward(cursor, err);
        if (status == YORE_OK) status = row_here(cursor, row, err);
        if (status == YORE_NOT_FOUND) continue;
        cursor->is_placed = status == YORE_OK;
        return status;
    }
}

static bool is_empty(const yr_segment_cursor *cursor)
{
    return cursor->segment->footer.keys == 0 || cursor->cap <= cursor->segment->footer.after_version;
}

yore_status yr_segment_cursor_seek(yr_segment_cursor *cursor, yore_slice tree_key, yr_segment_row *row,
                                   yore_error *err)
{
    uint32_t i;
    bool is_behind = false;
    cursor->is_placed = false;
    if (is_empty(cursor)) return YORE_END;
    if (yr_slice_compare(tree_key, cursor->prefix) < 0) tree_key = cursor->prefix;
    yore_status status = yr_segment_locate(cursor->segment, tree_key, &i, err);
    if (status == YORE_OK) status = block_load(cursor, i, err);
    if (status == YORE_OK) status = block_seek(cursor, tree_key, false, &is_behind, err);
    if (status == YORE_OK && !is_behind) {
        status = group_load(cursor, 0, err);
        cursor->at = 0;
    }
    return status < 0 ? status : advance(cursor, false, is_behind, row, err);
}

/* Place on the last record of a block. */
static yore_status place_last(yr_segment_cursor *cursor, uint32_t i, yore_error *err)
{
    yore_status status = block_load(cursor, i, err);
    if (status == YORE_OK) status = group_load(cursor, group_count(cursor) - 1, err);
    if (status == YORE_OK) cursor->at = cursor->group_size - 1;
    return status;
}

/* Place on the last record at or below (or_equal), or below a key. YORE_END: there is none. */
static yore_status place_below(yr_segment_cursor *cursor, yore_slice tree_key, bool or_equal, yore_error *err)
{
    uint32_t i;
    bool is_placed = false;
    yore_status status = yr_segment_locate(cursor->segment, tree_key, &i, err);
    if (status == YORE_OK) status = block_load(cursor, i, err);
    if (status == YORE_OK) status = block_seek(cursor, tree_key, or_equal, &is_placed, err);
    if (status < 0 || is_placed) return status;
    /* The block begins above: its fence may lie below its first key. */
    return i ? place_last(cursor, i - 1, err) : YORE_END;
}

/* Is the key above every key with the prefix (or unbounded)? */
static bool is_above_prefix(yore_slice tree_key, yore_slice prefix)
{
    if (tree_key.size == 0) return true;
    size_t n = tree_key.size < prefix.size ? tree_key.size : prefix.size;
    return n && memcmp(tree_key.data, prefix.data, n) > 0;
}

/* Place on the last key that begins with the prefix, or lies below: the one before the prefix's successor, which is
 * the prefix without its trailing 0xFF bytes and with one added to the last that remains. */
static yore_status place_prefix_end(yr_segment_cursor *cursor, yore_error *err)
{
    YR_SCRATCH uint8_t bytes[YR_SEGMENT_TREE_KEY_MAX];
    size_t n = cursor->prefix.size < sizeof bytes ? cursor->prefix.size : sizeof bytes; /* no key is longer */
    if (n) memcpy(bytes, cursor->prefix.data, n);
    while (n && bytes[n - 1] == 255) n--;
    if (n == 0) return place_last(cursor, cursor->segment->layout.block_count[YR_STREAM_MAIN] - 1, err);
    bytes[n - 1]++;
    return place_below(cursor, yore_bytes(bytes, n), false, err);
}

yore_status yr_segment_cursor_seek_reverse(yr_segment_cursor *cursor, yore_slice tree_key,
                                           yr_segment_row *row, yore_error *err)
{
    yore_status status;
    cursor->is_placed = false;
    if (is_empty(cursor)) return YORE_END;
    if (is_above_prefix(tree_key, cursor->prefix)) {
        status = place_prefix_end(cursor, err);
    } else {
        status = place_below(cursor, tree_key, true, err);
    }
    return status == YORE_OK ? advance(cursor, true, false, row, err) : status;
}

yore_status yr_segment_cursor_next(yr_segment_cursor *cursor, yr_segment_row *row, yore_error *err)
{
    return cursor->is_placed ? advance(cursor, false, true, row, err) : YORE_END;
}

yore_status yr_segment_cursor_prev(yr_segment_cursor *cursor, yr_segment_row *row, yore_error *err)
{
    return cursor->is_placed ? advance(cursor, true, true, row, err) : YORE_END;
}
