/* Every row of a run once, in order, past the block cache. History blocks were filled in key order, so both streams of
 * a file are read from end to end. */
#include "engine/base/error.h"
#include "engine/segment/run_private.h"
#include "engine/segment/segment_private.h"

static yr_segment *segment_of(const yr_run_rows *rows)
{
    return rows->run->files[rows->file];
}

static void file_open(yr_run_rows *rows, uint32_t file)
{
    rows->file = file;
    yr_block_stream_init(&rows->main, segment_of(rows), YR_STREAM_MAIN);
    yr_block_stream_init(&rows->history, segment_of(rows), YR_STREAM_HISTORY);
    rows->block_at = UINT32_MAX; /* in front of the first */
    rows->block = (yr_block){0};
    rows->record_at = 0;
    rows->older_left = 0;
}

static void file_close(yr_run_rows *rows)
{
    rows->bytes_read += rows->main.bytes_read + rows->history.bytes_read;
    yr_block_stream_deinit(&rows->main);
    yr_block_stream_deinit(&rows->history);
}

yore_status yr_run_rows_open(yr_run *run, yr_run_rows *rows, yore_error *err)
{
    (void)err;
    *rows = (yr_run_rows){.run = run};
    file_open(rows, 0);
    return YORE_OK;
}

void yr_run_rows_close(yr_run_rows *rows)
{
    file_close(rows);
    rows->status = YORE_END;
}

uint64_t yr_run_rows_bytes(const yr_run_rows *rows)
{
    return rows->bytes_read + rows->main.bytes_read + rows->history.bytes_read;
}

static yore_status bad_main(yr_run_rows *rows, yore_error *err)
{
    return yr_segment_bad_block(segment_of(rows), YR_STREAM_MAIN, rows->block_at, "damaged record", err);
}

/* -- older versions of `record` -- */

/* Open the next chunk. */
static yore_status chunk_open(yr_run_rows *rows, yore_error *err)
{
    yr_segment *segment = segment_of(rows);
    const yr_history_ref *ref = &rows->record.history;
    uint64_t i = (uint64_t)ref->block + rows->chunk_number;
    uint32_t off = rows->chunk_number ? 0 : ref->off;
    yore_slice raw;
    if (rows->chunk_number > ref->span || i >= segment->layout.block_count[YR_STREAM_HISTORY])
        return yr_segment_bad(segment, segment->layout.section_off[YR_STREAM_HISTORY], "history out of range",
                              err);
    yore_status status = yr_block_stream_get(&rows->history, (uint32_t)i, &raw, err);
    if (status < 0) return status;
    if (off >= raw.size || off % 4 ||
        !yr_chunk_take(yore_bytes((const uint8_t *)raw.data + off, raw.size - off), &rows->chunk) ||
        !yr_slice_equal(rows->chunk.tree_key, rows->record.row.tree_key))
        return yr_segment_bad_block(segment, YR_STREAM_HISTORY, (uint32_t)i, "damaged history", err);
    rows->chunk_number++;
    rows->chunk_at = 0;
    return YORE_OK;
}

static yore_status older_next(yr_run_rows *rows, yr_segment_row *row, yore_error *err)
{
    if (rows->chunk_at == rows->chunk.count) {
        yore_status status = chunk_open(rows, err);
        if (status < 0) return status;
    }
    bool is_sound = yr_chunk_row(&rows->chunk, rows->chunk_at++, row) && row->version < rows->last_version &&
                    row->version > segment_of(rows)->footer.after_version;
    rows->last_version = row->version;
    /* With the last one the last chunk is used up, too. */
    if (rows->older_left == 1 &&
        (rows->chunk_at != rows->chunk.count || rows->chunk_number != rows->record.history.span + 1))
        is_sound = false;
    if (!is_sound)
        return yr_segment_bad_block(segment_of(rows), YR_STREAM_HISTORY, rows->history.held,
                                    "damaged history", err);
    rows->older_left--;
    return YORE_OK;
}

/* -- records -- */

static yore_status record_next(yr_run_rows *rows, yr_segment_row *row, yore_error *err)
{
    const yr_segment_footer *footer = &segment_of(rows)->footer;
    if (!yr_record_take(yr_block_from(&rows->block, rows->off), &rows->record)) return bad_main(rows, err);
    rows->off += rows->record.bytes;
    rows->record_at++;
    *row = rows->record.row;
    if (row->version <= footer->after_version || row->version > footer->last_version)
        return bad_main(rows, err);
    /* The last record ends where the records do: nothing of the block was passed over. */
    if (rows->record_at == rows->block.count && rows->off != rows->block.records_end)
        return bad_main(rows, err);
    rows->last_version = row->version;
    rows->older_left = rows->record.history.older;
    rows->chunk = (yr_chunk){0};
    rows->chunk_number = 0;
    rows->chunk_at = 0;
    return YORE_OK;
}

/* The next main block, in the next file if need be. YORE_END: there is none. */
static yore_status block_next(yr_run_rows *rows, yore_error *err)
{
    yore_slice raw;
    rows->block_at++;
    rows->record_at = 0;
    rows->off = 0;
    rows->block = (yr_block){0};
    while (rows->block_at >= segment_of(rows)->layout.block_count[YR_STREAM_MAIN]) {
        if (rows->file + 1 == rows->run->file_count) return YORE_END;
        file_close(rows);
        file_open(rows, rows->file + 1);
        rows->block_at = 0;
    }
    yore_status status = yr_block_stream_get(&rows->main, rows->block_at, &raw, err);
    if (status < 0) return status;
    return yr_block_open(raw, &rows->block) ? YORE_OK : bad_main(rows, err);
}

yore_status yr_run_rows_next(yr_run_rows *rows, yr_segment_row *row, yore_error *err)
{
    if (rows->status < 0) return yr_fail(err, rows->status, "reading rows failed before");
    if (rows->status == YORE_OK && rows->older_left > 0) {
        rows->status = older_next(rows, row, err);
        return rows->status;
    }
    if (rows->status == YORE_OK && rows->record_at == rows->block.count) rows->status = block_next(rows, err);
    if (rows->status == YORE_OK) rows->status = record_next(rows, row, err);
    return rows->status;
}

void yr_run_rows_skip(yr_run_rows *rows)
{
    if (rows->status != YORE_ERR_CORRUPT && rows->status != YORE_ERR_IO) return;
    rows->status = YORE_OK;
    if (rows->older_left > 0) {
        rows->older_left = 0;
    } else {
        rows->record_at = rows->block.count;
    }
}
