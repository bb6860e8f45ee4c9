/* Changes after a version: the change list says version and key ordinal, the main blocks have the key. */
#include "engine/segment/segment_private.h"

#include "engine/base/yr_assert.h"

yore_status yr_segment_changes_open(yr_segment *segment, uint64_t after, yr_segment_changes *changes,
                                    yore_error *err)
{
    uint32_t rank = 0;
    *changes = (yr_segment_changes){.segment = segment, .after = after};
    /* The last block that begins at or below `after` may hold later versions as well. */
    yore_status status = yr_segment_table_rank(segment, YR_STREAM_CHANGES, false, after, &rank, err);
    changes->block = rank ? rank - 1 : 0;
    return status;
}

yore_status yr_segment_changes_skip(yr_segment_changes *changes, uint64_t after, yore_error *err)
{
    uint32_t rank;
    if (after <= changes->after) return YORE_OK;
    yore_status status = yr_segment_table_rank(changes->segment, YR_STREAM_CHANGES, false, after, &rank, err);
    if (status < 0) return status;
    changes->after = after;
    if (changes->is_peeked && changes->list.version <= after) changes->is_peeked = false;
    if (rank > 0 &&
        rank - 1 >= changes->block) { /* else the open one is, or comes before, the first that may do */
        changes->block = rank - 1;
        changes->is_open = false;
    }
    return YORE_OK;
}

void yr_segment_changes_close(yr_segment_changes *changes)
{
    yr_block_pin_release(&changes->list_pin);
    yr_block_pin_release(&changes->record_pin);
    yr_block_pin_release(&changes->older_pin);
    changes->is_open = false;
}

/* Have the main block of a key ordinal in record_pin; the one that is there may do. */
static yore_status block_get(yr_segment_changes *changes, uint32_t ordinal, uint32_t *number, yore_error *err)
{
    yr_segment *segment = changes->segment;
    uint32_t rank;
    yr_segment_entry entry;
    yore_status status = yr_segment_table_rank(segment, YR_STREAM_MAIN, true, ordinal, &rank, err);
    if (status < 0) return status;
    if (rank == 0)
        return yr_segment_bad(segment, segment->layout.section_off[0], "block table: no first key", err);
    *number = rank - 1;
    status = yr_segment_entry_get(segment, YR_STREAM_MAIN, rank - 1, &entry, err);
    if (status < 0) return status;
    yr_block_pin_release(&changes->record_pin);
    status = yr_segment_block_get(segment, YR_STREAM_MAIN, rank - 1, &changes->record_pin, err);
    if (status < 0) return status;
    changes->record_first = entry.first;
    yore_slice raw = yore_bytes(changes->record_pin.data, changes->record_pin.size);
    if (yr_block_open(raw, &changes->record_block) && ordinal - entry.first < changes->record_block.count)
        return YORE_OK;
    yr_block_pin_release(&changes->record_pin);
    return yr_segment_bad_block(segment, YR_STREAM_MAIN, rank - 1, "damaged block", err);
}

/* The record of a key ordinal. */
static yore_status record_get(yr_segment_changes *changes, uint32_t ordinal, yr_record *record,
                              yore_error *err)
{
    const yr_block *block = &changes->record_block;
    uint32_t number;
    if (!changes->record_pin.data || ordinal < changes->record_first ||
        ordinal - changes->record_first >= block->count) {
        yore_status status = block_get(changes, ordinal, &number, err);
        if (status < 0) return status;
    }
    uint32_t at = ordinal - changes->record_first;
    uint32_t off = yr_block_restart(block, at / YR_BLOCK_RESTART);
    for (uint32_t left = at % YR_BLOCK_RESTART;; left--) {
        if (!yr_record_take(yr_block_from(block, off), record)) break;
        if (left == 0) return YORE_OK;
        off += record->bytes;
    }
    yore_status status = block_get(changes, ordinal, &number, err); /* only for its number */
    if (status < 0) return status;
    return yr_segment_bad_block(changes->segment, YR_STREAM_MAIN, number, "damaged record", err);
}

/* The next block of the list. */
static yore_status list_open(yr_segment_changes *changes, yore_error *err)
{
    yr_segment *segment = changes->segment;
    yr_block_pin_release(&changes->list_pin);
    if (changes->block >= segment->layout.block_count[YR_STREAM_CHANGES]) return YORE_END;
    yore_status status =
        yr_segment_block_get(segment, YR_STREAM_CHANGES, changes->block, &changes->list_pin, err);
    if (status < 0) return status;
    if (!yr_changes_open(yore_bytes(changes->list_pin.data, changes->list_pin.size), &changes->list))
        return yr_segment_bad_block(segment, YR_STREAM_CHANGES, changes->block, "damaged change list", err);
    changes->is_open = true;
    changes->block++;
    return YORE_OK;
}

static yore_status row_get(yr_segment_changes *changes, yr_segment_row *row, yore_error *err)
{
    yr_segment *segment = changes->segment;
    uint64_t version = changes->list.version;
    yr_record record;
    if (changes->list.ordinal >= segment->footer.keys)
        return yr_segment_bad_block(segment, YR_STREAM_CHANGES, changes->block - 1, "damaged change list",
                                    err);
    yore_status status = record_get(changes, (uint32_t)changes->list.ordinal, &record, err);
    if (status < 0) return status;
    *row = record.row;
    if (changes->keys_only) {
        *row = (yr_segment_row){.tree_key = record.row.tree_key, .version = version};
    } else if (record.row.version > version) {
        uint32_t held = UINT32_MAX;
        yr_block_pin_release(&changes->older_pin);
        status = yr_segment_older_find(segment, &record, version, &held, &changes->older_pin, row, err);
        if (status < 0) return status;
    }
    if (status == YORE_OK && row->version == version) return YORE_OK;
    return yr_segment_bad_block(segment, YR_STREAM_CHANGES, changes->block - 1, "a change without a row",
                                err);
}

yore_status yr_segment_changes_peek(yr_segment_changes *changes, uint64_t *version, yore_error *err)
{
    while (!changes->is_peeked) {
        if (!changes->is_open) {
            yore_status status = list_open(changes, err);
            if (status != YORE_OK) return status;
        }
        enum yr_changes_step step = yr_changes_next(&changes->list);
        if (step == YR_CHANGES_BAD)
            return yr_segment_bad_block(changes->segment, YR_STREAM_CHANGES, changes->block - 1,
                                        "damaged change list", err);
        changes->is_open = step == YR_CHANGES_ONE;
        changes->is_peeked = step == YR_CHANGES_ONE && changes->list.version > changes->after;
    }
    *version = changes->list.version;
    return YORE_OK;
}

yore_status yr_segment_changes_next(yr_segment_changes *changes, yr_segment_row *row, yore_error *err)
{
    uint64_t version;
    yore_status status = yr_segment_changes_peek(changes, &version, err);
    if (status != YORE_OK) return status;
    changes->is_peeked = false;
    return row_get(changes, row, err);
}
