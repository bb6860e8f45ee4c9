/* Reading a whole segment and checking everything there is to check. */
#ifndef YR_SEGMENT_VERIFY_H
#define YR_SEGMENT_VERIFY_H

#include "engine/segment/segment.h"

/* Every byte against the whole-file hash, every sum, every record; that keys ascend and versions descend; that the
 * hash index finds every key where it is; that tables, counts, groups, bounds, commits and change list say the same as
 * the rows. Reads the file through pread when it has one. YORE_OK or the first problem. */
yore_status yr_segment_verify(yr_segment *segment, yore_error *err);

/* As above for a file that is not open as a segment: what a builder calls on its output. What it says of itself must be
 * `expected`. */
yore_status yr_segment_verify_file(const yore_env *env, yore_file *file, const char *name,
                                   const yr_segment_footer *expected, yore_error *err);
/* Only the size and the whole-file hash. */
yore_status yr_segment_verify_hash(const yore_env *env, yore_file *file, const char *name,
                                   uint64_t file_bytes, const uint8_t file_hash[16], yore_error *err);

#endif
