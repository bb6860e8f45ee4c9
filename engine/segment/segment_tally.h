/* Lists that a builder counts up and the verifier counts again: heads by branch, value files by number. Elements are
 * three u64 of which the first is the id; ids ascend. */
#ifndef YR_SEGMENT_TALLY_H
#define YR_SEGMENT_TALLY_H

#include "engine/base/buf.h"
#include "engine/format/segment_block.h"
#include "engine/format/segment_format.h"

/* The element of an id, which is made with zeros when there is none. NULL: no memory. Stays where it is until the next
 * call. */
void *yr_tally_at(yr_buf *list, uint64_t id);
/* Count a commit; commits come in version order. False: no memory. */
bool yr_tally_head(yr_buf *heads, uint32_t branch, uint64_t version);
/* Count a row if it refers to a value file; *value_bytes is what its value has, wherever it is. YORE_OK;
 * YORE_ERR_NOMEM; YORE_ERR_CORRUPT when the reference is none. No message. */
yore_status yr_tally_value(yr_buf *value_files, const yr_segment_row *row, uint64_t *value_bytes);

#endif
