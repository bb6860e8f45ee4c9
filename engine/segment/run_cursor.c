/* Keys in order over the files of a run, one cursor at a time: files are disjoint and in key order. */
#include "engine/segment/run_private.h"
#include "engine/segment/segment_private.h"

#include <string.h>

void yr_run_cursor_init(yr_run_cursor *cursor, yr_run *run, uint64_t cap, yore_slice prefix)
{
    *cursor = (yr_run_cursor){.run = run, .cap = cap, .prefix = prefix};
    yr_segment_cursor_init(&cursor->at, yr_run_reads(run, 0), cap, prefix);
}

void yr_run_cursor_deinit(yr_run_cursor *cursor)
{
    yr_segment_cursor_deinit(&cursor->at);
}

static void file_set(yr_run_cursor *cursor, uint32_t file)
{
    if (cursor->file == file) return;
    yr_segment_cursor_deinit(&cursor->at);
    yr_segment_cursor_init(&cursor->at, yr_run_reads(cursor->run, file), cursor->cap, cursor->prefix);
    cursor->file = file;
}

/* Compare a key with all that begin with the prefix: below them (< 0), one of them (0), above. */
static int prefix_compare(yore_slice key, yore_slice prefix)
{
    size_t n = key.size < prefix.size ? key.size : prefix.size;
    int order = n ? memcmp(key.data, prefix.data, n) : 0;
    if (order == 0 && key.size < prefix.size) return -1;
    return order;
}

/* Nothing was left in the file the cursor is in: go on with the next ones. */
static yore_status files_forward(yr_run_cursor *cursor, yr_segment_row *row, yore_error *err)
{
    yore_status status = YORE_END;
    for (uint32_t i = cursor->file + 1; status == YORE_END && i < cursor->run->file_count; i++) {
        if (prefix_compare(yr_run_first_key(cursor->run, i), cursor->prefix) > 0) break;
        file_set(cursor, i);
        status = yr_segment_cursor_seek(&cursor->at, yore_bytes(NULL, 0), row, err);
    }
    return status;
}

static yore_status files_back(yr_run_cursor *cursor, yr_segment_row *row, yore_error *err)
{
    yore_status status = YORE_END;
    while (status == YORE_END && cursor->file > 0) {
        /* When this file begins below the prefix, so does all before it. */
        if (prefix_compare(yr_run_first_key(cursor->run, cursor->file), cursor->prefix) < 0) break;
        file_set(cursor, cursor->file - 1);
        status = yr_segment_cursor_seek_reverse(&cursor->at, yore_bytes(NULL, 0), row, err);
    }
    return status;
}

yore_status yr_run_cursor_seek(yr_run_cursor *cursor, yore_slice tree_key, yr_segment_row *row,
                               yore_error *err)
{
    if (yr_slice_compare(tree_key, cursor->prefix) < 0) tree_key = cursor->prefix;
    file_set(cursor, tree_key.size ? yr_run_locate(cursor->run, tree_key) : 0);
    yore_status status = yr_segment_cursor_seek(&cursor->at, tree_key, row, err);
    if (status == YORE_END) status = files_forward(cursor, row, err);
    if (status != YORE_OK || yr_slice_compare(row->tree_key, tree_key) >= 0) return status;
    /* whoever seeks behind what was found would find it again, for ever */
    cursor->at.is_placed = false;
    return yr_segment_bad_block(cursor->at.segment, YR_STREAM_MAIN, cursor->at.block_at, "keys out of order",
                                err);
}

/* The last file that may have a key with the prefix, or one below. */
static uint32_t last_file(const yr_run_cursor *cursor)
{
    uint32_t low = 1, high = cursor->run->file_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (prefix_compare(yr_run_first_key(cursor->run, middle), cursor->prefix) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

yore_status yr_run_cursor_seek_reverse(yr_run_cursor *cursor, yore_slice tree_key, yr_segment_row *row,
                                       yore_error *err)
{
    uint32_t file = last_file(cursor);
    if (tree_key.size) {
        uint32_t located = yr_run_locate(cursor->run, tree_key);
        if (located < file) file = located;
    }
    file_set(cursor, file);
    yore_status status = yr_segment_cursor_seek_reverse(&cursor->at, tree_key, row, err);
    return status == YORE_END ? files_back(cursor, row, err) : status;
}

yore_status yr_run_cursor_next(yr_run_cursor *cursor, yr_segment_row *row, yore_error *err)
{
    if (!cursor->at.is_placed) return YORE_END;
    yore_status status = yr_segment_cursor_next(&cursor->at, row, err);
    return status == YORE_END ? files_forward(cursor, row, err) : status;
}

yore_status yr_run_cursor_prev(yr_run_cursor *cursor, yr_segment_row *row, yore_error *err)
{
    if (!cursor->at.is_placed) return YORE_END;
    yore_status status = yr_segment_cursor_prev(&cursor->at, row, err);
    return status == YORE_END ? files_back(cursor, row, err) : status;
}
