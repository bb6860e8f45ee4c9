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

void yr_segment_changes_close(yr_segment_changes *changes)
{
    yr_block_pin_release(&changes->list_pin);
    yr_block_pin_release(&changes->record_pin);
    yr_block_pin_release(&changes->older_pin);
    changes->is_open = false;
}

/* The record of a key ordinal. */
static yore_status record_get(yr_segment_changes *changes, uint32_t ordinal, yr_record *record,
                              yore_error *err)
{
    yr_segment *segment = changes->segment;
    uint32_t rank;
    yr_segment_entry entry;
    yr_block block;
    yore_status status = yr_segment_table_rank(segment, YR_STREAM_MAIN, true, ordinal, &rank, err);
    if (status < 0) return status;
    if (rank == 0)
        return yr_segment_bad(segment, segment->layout.section_off[0], "block table: no first key", err);
    status = yr_segment_entry_get(segment, YR_STREAM_MAIN, rank - 1, &entry, err);
    if (status < 0) return status;
    yr_block_pin_release(&changes->record_pin);
    status = yr_segment_block_get(segment, YR_STREAM_MAIN, rank - 1, &changes->record_pin, err);
    if (status < 0) return status;
    uint32_t at = ordinal - entry.first;
    if (!yr_block_open(yore_bytes(changes->record_pin.data, changes->record_pin.size), &block) ||
        at >= block.count)
        return yr_segment_bad_block(segment, YR_STREAM_MAIN, rank - 1, "damaged block", err);
    uint32_t off = yr_block_restart(&block, at / YR_BLOCK_RESTART);
    for (uint32_t left = at % YR_BLOCK_RESTART;; left--) {
        if (!yr_record_take(yr_block_from(&block, off), record))
            return yr_segment_bad_block(segment, YR_STREAM_MAIN, rank - 1, "damaged record", err);
        if (left == 0) return YORE_OK;
        off += record->bytes;
    }
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
    if (record.row.version > version) {
        uint32_t held = UINT32_MAX;
        yr_block_pin_release(&changes->older_pin);
        status = yr_segment_older_find(segment, &record, version, &held, &changes->older_pin, row, err);
        if (status < 0) return status;
    }
    if (status == YORE_OK && row->version == version) return YORE_OK;
    return yr_segment_bad_block(segment, YR_STREAM_CHANGES, changes->block - 1, "a change without a row",
                                err);
}

yore_status yr_segment_changes_next(yr_segment_changes *changes, yr_segment_row *row, yore_error *err)
{
    for (;;) {
        if (!changes->is_open) {
            yore_status status = list_open(changes, err);
            if (status != YORE_OK) return status;
        }
        enum yr_changes_step step = yr_changes_next(&changes->list);
        if (step == YR_CHANGES_BAD)
            return yr_segment_bad_block(changes->segment, YR_STREAM_CHANGES, changes->block - 1,
                                        "damaged change list", err);
        if (step == YR_CHANGES_END) {
            changes->is_open = false;
        } else if (changes->list.version > changes->after) {
            return row_get(changes, row, err);
        }
    }
}
