/* Writing a segment file: blocks in, a whole file out. Knows nothing of what is in a block.
 *
 * Finished blocks gather in an extent a stream (256 KiB) before they are written, so that a scan of the main
 * blocks does not step over history. In the cold form the first main and history blocks are held back until there
 * is enough to train a dictionary on, and to see whether it is worth having.
 *
 *     init -> add block ... -> begin_index -> append to sections in order -> finish   (any failure -> deinit) */
#ifndef YR_SEGMENT_WRITER_H
#define YR_SEGMENT_WRITER_H

#include "engine/base/buf.h"
#include "engine/base/hash128.h"
#include "engine/format/segment_format.h"
#include "engine/segment/segment_codec.h"
#include "engine/base/file_io.h"

typedef struct yr_extent {
    yr_buf bytes; /* stored blocks, each padded to 8 */
    yr_buf table; /* entries; those from `placed` on have offsets within the extent, and no sum yet */
    uint32_t placed;
} yr_extent;

typedef struct yr_segment_writer {
    const yore_env *env;
    yore_file *file; /* borrowed */
    const char *name;
    uint64_t seed;
    uint64_t off; /* bytes written */
    yr_segment_footer footer;
    yr_hash128 *hash;
    yr_extent extent[YR_STREAM_COUNT];
    /* cold */
    yr_compressor *compressor; /* with the dictionary, once there is one */
    yr_compressor *plain;      /* without: commits and changes, and trials */
    yr_buf held;               /* raw blocks waiting for the dictionary, */
    yr_buf held_index;         /* and what they are */
    bool is_trained;
    uint64_t sample_bytes;
    yr_buf dictionary;
    yr_buf scratch;
    /* index */
    yr_buf page;
    yr_buf page_sums;
    uint32_t section; /* the one being appended to */
} yr_segment_writer;

/* header->salt is drawn here. `name` must outlive the writer. sample_bytes 0: no dictionary. */
yore_status yr_segment_writer_init(yr_segment_writer *writer, const yore_env *env, yore_file *file,
                                   const char *name, yr_file_header *header, enum yr_segment_form form,
                                   int level, uint64_t sample_bytes, yore_error *err);
void yr_segment_writer_deinit(yr_segment_writer *writer);
/* The blocks of a stream are numbered in the order of the calls. */
yore_status yr_segment_writer_add(yr_segment_writer *writer, enum yr_segment_stream stream, yore_slice raw,
                                  uint64_t key, uint32_t first, yore_error *err);
/* What the file would be at the least if it ended now. */
uint64_t yr_segment_writer_bytes(const yr_segment_writer *writer);

/* No more blocks. Tables of the streams are written; fences[i] become the keys of the main blocks. */
yore_status yr_segment_writer_begin_index(yr_segment_writer *writer, const uint64_t *fences, yore_error *err);
/* Append to a section; sections come in their order. */
yore_status yr_segment_writer_index(yr_segment_writer *writer, enum yr_segment_section section,
                                    yore_slice bytes, yore_error *err);
yore_status yr_segment_writer_dictionary(yr_segment_writer *writer, yore_error *err);
/* Page sums and footer, whose fields but sizes, sums and offsets are the caller's; then sync. */
yore_status yr_segment_writer_finish(yr_segment_writer *writer, yore_error *err);

#endif
