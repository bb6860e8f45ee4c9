/* All versions of one key, newest first. */
#include "engine/segment/segment_private.h"

#include "engine/base/yr_assert.h"

enum state { STATE_RECORD, STATE_CHUNK, STATE_END };

yore_status yr_segment_versions_open(yr_segment *segment, yore_slice tree_key, uint64_t hash, uint64_t cap,
                                     yr_segment_versions *versions, yore_error *err)
{
    *versions = (yr_segment_versions){.segment = segment, .cap = cap, .state = STATE_RECORD};
    if (cap <= segment->footer.after_version) return YORE_NOT_FOUND;
    return yr_segment_record_find(segment, tree_key, hash, &versions->record_pin, &versions->record, err);
}

void yr_segment_versions_close(yr_segment_versions *versions)
{
    yr_block_pin_release(&versions->record_pin);
    yr_block_pin_release(&versions->older_pin);
    versions->state = STATE_END;
}

/* Where the first version <= cap of the older ones is. */
static yore_status chunk_first(yr_segment_versions *v, uint32_t *held, yore_error *err)
{
    yr_segment_row row;
    yore_status status =
        yr_segment_older_find(v->segment, &v->record, v->cap, held, &v->older_pin, &row, err);
    if (status == YORE_NOT_FOUND) v->state = STATE_END;
    if (status != YORE_OK) return status;
    v->block = *held - v->record.history.block;
    status = yr_segment_chunk_get(v->segment, &v->record, v->block, held, &v->older_pin, &v->chunk, err);
    v->at = status == YORE_OK ? yr_chunk_seek(&v->chunk, v->cap) : 0;
    return status;
}

static yore_status versions_step(yr_segment_versions *v, yr_segment_row *row, yore_error *err)
{
    yore_status status = YORE_OK;
    uint32_t held = UINT32_MAX;
    if (v->state == STATE_RECORD) {
        v->state = STATE_CHUNK;
        if (v->record.history.older == 0) v->state = STATE_END;
        if (v->record.row.version <= v->cap) {
            *row = v->record.row;
            v->cap = row->version - 1;
            return YORE_OK;
        }
    }
    if (v->state == STATE_END) return YORE_END;
    if (!v->older_pin.data) {
        status = chunk_first(v, &held, err);
        if (status == YORE_NOT_FOUND) return YORE_END;
    } else if (v->at == v->chunk.count) {
        if (v->block == v->record.history.span) {
            v->state = STATE_END;
            return YORE_END;
        }
        status =
            yr_segment_chunk_get(v->segment, &v->record, ++v->block, &held, &v->older_pin, &v->chunk, err);
        v->at = 0;
    }
    if (status < 0) return status;
    if (!yr_chunk_row(&v->chunk, v->at, row) || row->version > v->cap)
        return yr_segment_bad_block(v->segment, YR_STREAM_HISTORY, v->record.history.block + v->block,
                                    "damaged history", err);
    v->cap = row->version - 1;
    v->at++;
    return YORE_OK;
}

yore_status yr_segment_versions_next(yr_segment_versions *versions, yr_segment_row *row, yore_error *err)
{
    yore_status status = versions_step(versions, row, err);
    if (status < 0) versions->state = STATE_END; /* after a failure nothing more is promised */
    return status;
}
