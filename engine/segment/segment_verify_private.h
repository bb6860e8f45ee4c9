/* The two halves of yr_segment_verify. Private to segment_verify*.c. */
#ifndef YR_SEGMENT_VERIFY_PRIVATE_H
#define YR_SEGMENT_VERIFY_PRIVATE_H

#include "engine/segment/segment_private.h"

/* Main and history blocks, and what is said of them: tables, fences, hash index, groups, bounds, counts. */
yore_status yr_segment_verify_rows(yr_segment *segment, yore_error *err);

#endif
