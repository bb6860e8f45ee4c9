#include "engine/segment/block_stream.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/segment/segment_private.h"

void yr_block_stream_init(yr_block_stream *stream, yr_segment *segment, enum yr_segment_stream which)
{
    *stream = (yr_block_stream){
        .segment = segment, .stream = which, .held = UINT32_MAX, .window_wanted = YR_BLOCK_STREAM_FIRST};
}

void yr_block_stream_deinit(yr_block_stream *stream)
{
    if (!stream->segment) return;
    yr_free(stream->segment->env, stream->raw, stream->raw_bytes);
    yr_free(stream->segment->env, stream->window, stream->window_bytes);
    *stream = (yr_block_stream){.held = UINT32_MAX};
}

/* A buffer of at least `wanted` bytes; what was in it is gone. */
static yore_status buffer_grow(yr_block_stream *stream, uint8_t **buffer, size_t *bytes, size_t wanted,
                               yore_error *err)
{
    const yr_segment *segment = stream->segment;
    if (*bytes >= wanted) return YORE_OK;
    yr_free(segment->env, *buffer, *bytes);
    *bytes = 0;
    *buffer = yr_alloc(segment->env, wanted);
    if (!*buffer) return yr_fail(err, YORE_ERR_NOMEM, "no memory to read segment '%s'", segment->name);
    *bytes = wanted;
    return YORE_OK;
}

/* Where the blocks end that lie right behind block i, and with it fit a window. */
static uint64_t window_end(yr_block_stream *stream, uint32_t i, const yr_segment_entry *entry)
{
    uint64_t end = entry->off + entry->stored_bytes;
    for (uint32_t j = i + 1; j < stream->segment->layout.block_count[stream->stream]; j++) {
        yr_segment_entry next;
        /* What is wrong with it will be said when it is its turn. */
        if (yr_segment_entry_get(stream->segment, stream->stream, j, &next, NULL) < 0) break;
        if (next.off != yr_align_up(end, 8)) break;
        if (next.off + next.stored_bytes - entry->off > stream->window_wanted) break;
        end = next.off + next.stored_bytes;
    }
    return end;
}

/* Have the stored bytes of block i in the window. */
static yore_status window_read(yr_block_stream *stream, uint32_t i, const yr_segment_entry *entry,
                               yore_error *err)
{
    uint64_t end = entry->off + entry->stored_bytes;
    if (stream->window_size && entry->off >= stream->window_off &&
        end <= stream->window_off + stream->window_size)
        return YORE_OK;
    size_t wanted = (size_t)(window_end(stream, i, entry) - entry->off);
    stream->window_size = 0;
    if (stream->window_wanted < YR_BLOCK_STREAM_BYTES) stream->window_wanted *= 2;
    yore_status status = buffer_grow(stream, &stream->window, &stream->window_bytes, wanted, err);
    if (status < 0) return status;
    status = yr_segment_bytes_read(stream->segment, entry->off, stream->window, wanted, err);
    if (status < 0 && wanted > entry->stored_bytes) { /* a fault behind it is not this block's */
        wanted = entry->stored_bytes;
        status = yr_segment_bytes_read(stream->segment, entry->off, stream->window, wanted, err);
    }
    if (status < 0) return status;
    stream->window_off = entry->off;
    stream->window_size = wanted;
    stream->bytes_read += wanted;
    return YORE_OK;
}

static yore_status block_read(yr_block_stream *stream, uint32_t i, const yr_segment_entry *entry,
                              yore_error *err)
{
    yr_segment *segment = stream->segment;
    const uint8_t *stored = segment->image ? segment->image + entry->off : NULL;
    yore_status status = YORE_OK;
    if (!stored) {
        status = window_read(stream, i, entry, err);
        if (status < 0) return status;
        stored = stream->window + (entry->off - stream->window_off);
    }
    status = yr_segment_block_check(segment, stream->stream, i, entry, stored, err);
    if (status < 0) return status;
    stream->block = yore_bytes(stored, entry->stored_bytes);
    if (entry->stored_bytes == entry->raw_bytes) return YORE_OK;
    status = buffer_grow(stream, &stream->raw, &stream->raw_bytes, entry->raw_bytes, err);
    if (status == YORE_OK)
        status = yr_segment_block_expand(segment, stream->stream, i, entry, stored, stream->raw, err);
    stream->block = yore_bytes(stream->raw, entry->raw_bytes);
    return status;
}

yore_status yr_block_stream_get(yr_block_stream *stream, uint32_t i, yore_slice *block, yore_error *err)
{
    yr_segment_entry entry;
    if (stream->held != i) {
        stream->held = UINT32_MAX;
        yore_status status = yr_segment_entry_get(stream->segment, stream->stream, i, &entry, err);
        if (status == YORE_OK) status = block_read(stream, i, &entry, err);
        if (status < 0) return status;
        stream->held = i;
    }
    *block = stream->block;
    return YORE_OK;
}
