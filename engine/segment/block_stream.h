/* One stream of a segment's blocks, one behind the other: for those who read all of it (compaction, salvage, export)
 * and must neither push what readers need out of the block cache nor pay a system call a block.
 *
 * Neighbouring blocks are fetched by one pread, first of up to YR_BLOCK_STREAM_FIRST bytes, then of twice as many each
 * time up to YR_BLOCK_STREAM_BYTES; each is checked and decompressed into a buffer of the stream's own. With an image,
 * blocks that are not compressed are read where they are. */
#ifndef YR_BLOCK_STREAM_H
#define YR_BLOCK_STREAM_H

#include "engine/segment/segment.h"

#define YR_BLOCK_STREAM_FIRST (64u << 10) /* not more, for those who want the beginning only */
#define YR_BLOCK_STREAM_BYTES (512u << 10)

typedef struct yr_block_stream {
    yr_segment *segment;
    enum yr_segment_stream stream;
    uint32_t held; /* the block in `block`; UINT32_MAX = none */
    yore_slice block;
    uint8_t *raw; /* a decompressed block */
    size_t raw_bytes;
    uint8_t *window; /* stored bytes of the file from window_off on */
    size_t window_bytes;
    size_t window_wanted; /* at a time */
    size_t window_size;   /* of it filled */
    uint64_t window_off;
    uint64_t bytes_read; /* from the file, all in all */
} yr_block_stream;

void yr_block_stream_init(yr_block_stream *stream, yr_segment *segment, enum yr_segment_stream which);
void yr_block_stream_deinit(yr_block_stream *stream);
/* Block i; its bytes stay until the next call. Blocks may be asked for in any order, but reading ahead only pays in
 * theirs. YORE_OK; failures. */
yore_status yr_block_stream_get(yr_block_stream *stream, uint32_t i, yore_slice *block, yore_error *err);

#endif
