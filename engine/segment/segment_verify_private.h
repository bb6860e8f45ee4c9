/* The two halves of yr_segment_verify. Private to segment_verify*.c. */
#ifndef YR_SEGMENT_VERIFY_PRIVATE_H
#define YR_SEGMENT_VERIFY_PRIVATE_H

#include "engine/segment/segment_private.h"

/* One change, in a sum over all of them: two lists with the same sum are the same but for chance. */
static inline uint64_t yr_segment_change_print(uint64_t version, uint64_t ordinal)
{
    uint64_t both[2] = {version, ordinal};
    return yr_hash64(both, sizeof both, 0);
}

/* Main and history blocks, and what is said of them: tables, fences, hash index, groups, bounds, counts. *print is the
 * sum over all rows. */
yore_status yr_segment_verify_rows(yr_segment *segment, uint64_t *print, yore_error *err);

#endif
