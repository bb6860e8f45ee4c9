/* Whole reads and writes. */
#ifndef YR_SEGMENT_FILE_H
#define YR_SEGMENT_FILE_H

#include <yore/env.h>

/* All of it or a negative errno. */
int yr_segment_write_all(const yore_env *env, yore_file *file, const void *from, size_t size, uint64_t off);
/* Bytes read (fewer only at the end of the file) or a negative errno. */
int64_t yr_segment_read_all(const yore_env *env, yore_file *file, void *to, size_t size, uint64_t off);

#endif
