/* Whole reads and writes through an environment, which may do them in parts. */
#ifndef YR_FILE_IO_H
#define YR_FILE_IO_H

#include <stdbool.h>

#include <yore/env.h>

/* No space, no quota or too big a file: it may pass, so the store goes on. */
bool yr_errno_is_full(int rc);
/* All of it or a negative errno. */
int yr_file_write_all(const yore_env *env, yore_file *file, const void *from, size_t size, uint64_t off);
/* Bytes read, fewer only at the end of the file, or a negative errno. */
int64_t yr_file_read_all(const yore_env *env, yore_file *file, void *to, size_t size, uint64_t off);

#endif
