/* What builder and reader of segments share about files: whole reads and writes, and the hash of a whole file. */
#ifndef YR_SEGMENT_FILE_H
#define YR_SEGMENT_FILE_H

#include <yore/env.h>

/* All of it or a negative errno. */
int yr_segment_write_all(const yore_env *env, yore_file *file, const void *from, size_t size, uint64_t off);
/* Bytes read (fewer only at the end of the file) or a negative errno. */
int64_t yr_segment_read_all(const yore_env *env, yore_file *file, void *to, size_t size, uint64_t off);

/* XXH3-128 of a stream. */
typedef struct yr_file_hash yr_file_hash;
yr_file_hash *yr_file_hash_create(const yore_env *env); /* NULL: no memory */
void yr_file_hash_destroy(const yore_env *env, yr_file_hash *hash);
void yr_file_hash_add(yr_file_hash *hash, const void *bytes, size_t size);
void yr_file_hash_get(const yr_file_hash *hash, uint8_t out[16]); /* canonical: big endian */

#endif
