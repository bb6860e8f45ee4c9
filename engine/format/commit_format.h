/* Commit frames: what a log record's payload holds. Pure encode and decode, no I/O.
 *
 * A payload is one commit group: frames back to back. All numbers little endian.
 *
 *   frame  off size
 *           0   4  bytes of this frame, header included
 *           4   4  row count
 *           8   8  version
 *          16   8  time, ns UTC
 *          24   4  branch id (0 = the registry)
 *          28   1  kind (YORE_COMMIT_...)
 *          29   1  flags: 1 = source time, 2 = wall clock
 *          30   2  further parents, count
 *          32   4  note bytes
 *          36   2  author bytes
 *          38   2  source bytes
 *          40      [source time 8] [wall clock 8] [parent 8]... note author source, then the rows
 *   row     0   1  op in the low nibble, value type in the high one
 *           1   1  flags: 1 = expiry
 *           2   2  user key bytes
 *           4   4  value bytes
 *           8   2  metadata bytes
 *          10   1  primitive
 *          11   1  zero
 *          12      [expiry 8] key value metadata
 */
#ifndef YR_COMMIT_FORMAT_H
#define YR_COMMIT_FORMAT_H

#include "engine/base/buf.h"
#include "engine/base/bytes.h"

#include <yore/snap.h>

#define YR_FRAME_HEADER 40u
#define YR_ROW_HEADER 12u

/* One write. Slices borrow. */
typedef struct yr_row {
    yore_slice key; /* user key */
    yore_slice value;
    yore_slice meta;
    int64_t expiry_ns; /* 0 = never */
    uint32_t branch;
    uint8_t primitive;
    uint8_t op;   /* YORE_OP_... */
    uint8_t type; /* YORE_TYPE_... */
} yr_row;

/* What a commit is besides its rows. Slices borrow. */
typedef struct yr_commit_head {
    uint64_t version;
    int64_t time_ns;
    int64_t source_time_ns; /* 0 = none */
    int64_t wall_ns;        /* 0 = none */
    uint32_t branch;
    uint32_t row_count;
    uint8_t kind;
    uint32_t parent_count; /* further parents */
    const void *parents;   /* parent_count little-endian u64, unaligned */
    yore_slice note;
    yore_slice author;
    yore_slice source;
} yr_commit_head;

/* Bytes a frame or a row takes; the caller has checked the limits of its parts. */
uint64_t yr_frame_bytes(const yr_commit_head *head);
uint64_t yr_row_bytes(const yr_row *row);

/* Append a frame's head, then its rows; close it with yr_frame_finish at the offset begin gave.
 * False when the buffer refuses; cut it back to *at then. */
bool yr_frame_begin(yr_buf *out, const yr_commit_head *head, size_t *at);
bool yr_frame_row(yr_buf *out, const yr_row *row);
void yr_frame_finish(yr_buf *out, size_t at);
/* It has fewer rows than its head said. */
void yr_frame_set_rows(yr_buf *out, size_t at, uint32_t row_count);

/* Take one frame from a payload; *rows reads its rows. False when the bytes are not a frame. */
bool yr_frame_take(yr_reader *payload, yr_commit_head *head, yr_reader *rows);
/* Take one row. False when the bytes are not a row (limits included). */
bool yr_row_take(yr_reader *rows, uint32_t branch, yr_row *row);

/* What a commit may have beside its fixed fields, the same in a frame and in a segment: source time and wall clock
 * where the flags say so, parents, note, author, source. */
#define YR_TEXTS_SOURCE_TIME 1u
#define YR_TEXTS_WALL 2u

typedef struct yr_texts_sizes {
    uint32_t note;
    uint16_t author, source;
} yr_texts_sizes;

static inline uint8_t yr_texts_flags(const yr_commit_head *head)
{
    return (uint8_t)((head->source_time_ns ? YR_TEXTS_SOURCE_TIME : 0u) |
                     (head->wall_ns ? YR_TEXTS_WALL : 0u));
}
uint64_t yr_texts_bytes(const yr_commit_head *head);
/* Returns where they end. */
uint8_t *yr_texts_put(uint8_t *to, const yr_commit_head *head);
/* head->parent_count is known. False when they are damaged or there is an unknown flag. */
bool yr_texts_take(yr_reader *from, uint32_t flags, yr_texts_sizes sizes, yr_commit_head *head);

#endif
