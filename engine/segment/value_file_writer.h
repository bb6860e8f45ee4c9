/* Making a value file: large values in, a reference for each and one verified, synced file out.
 *
 *     create -> add ... (or begin, append ..., end; or copy) -> finish -> destroy
 *
 * As with segments, the file is written under the name it is given (a temporary one), and its name, the directory's
 * sync and the manifest are the caller's. destroy closes the file, and removes it unless finish succeeded. A
 * reference holds once the file is in the manifest. After a failure other than YORE_ERR_LIMIT of add and copy only
 * destroy may be called.
 *
 * Memory: 600 KB and 32 bytes a value, however large that is. */
#ifndef YR_VALUE_FILE_WRITER_H
#define YR_VALUE_FILE_WRITER_H

#include <yore/env.h>

#include "engine/format/value_format.h"

typedef struct yr_value_writer yr_value_writer;
struct yr_value_file;

typedef struct yr_value_write_options {
    uint8_t uuid[YR_UUID_BYTES]; /* of the store */
    uint64_t file_id;
    uint64_t after_version; /* the rows that the values belong to are in (after_version, last_version] */
    uint64_t last_version;
} yr_value_write_options;

yore_status yr_value_writer_create(const yore_env *env, const yr_value_write_options *options, yore_dir *dir,
                                   const char *name, yr_value_writer **out, yore_error *err);
/* Of 1 to YORE_VALUE_BYTES_MAX bytes; the store puts those over YR_SEGMENT_VALUE_BYTES_MAX here. YORE_ERR_LIMIT:
 * another size, or the file is full (finish it and begin another one); nothing was changed. */
yore_status yr_value_writer_add(yr_value_writer *writer, yore_slice value, yr_value_ref *ref,
                                yore_error *err);
/* A value in parts: begin, append of at least one byte in all, end. */
void yr_value_writer_begin(yr_value_writer *writer);
yore_status yr_value_writer_append(yr_value_writer *writer, yore_slice part, yore_error *err);
yore_status yr_value_writer_end(yr_value_writer *writer, yr_value_ref *ref, yore_error *err);
/* The value of another file, checked on the way, in little memory. */
yore_status yr_value_writer_copy(yr_value_writer *writer, struct yr_value_file *from, const yr_value_ref *ref,
                                 yr_value_ref *copy, yore_error *err);
/* How large the file would be if it ended now. */
uint64_t yr_value_writer_bytes(const yr_value_writer *writer);
/* Write the rest, sync, read everything back and compare. *footer (may be NULL) says what is in it. */
yore_status yr_value_writer_finish(yr_value_writer *writer, yr_value_footer *footer, yore_error *err);
void yr_value_writer_destroy(yr_value_writer *writer);

#endif
