/* Reading a value file: large values that segments refer to, an immutable file.
 *
 *     yr_value_file_open(&options, file, "00000013.val", &values, &err)
 *     if (yr_value_file_get(values, &ref, &pin, &err) == YORE_OK) ... yr_block_pin_release(&pin)
 *     yr_value_file_unref(values)
 *
 * Read with pread through the block cache, a value an entry; one that is large for the cache leaves it with its last
 * pin. Every byte is checked on its way in.
 *
 * V1 a file never changes; all calls may run at once on any number of threads.   V2 any byte that is not what was
 * written, and any reference that is not one of the file's, gives YORE_ERR_CORRUPT, never other bytes.   V3 no more
 * memory is asked for than the largest value of the file takes, whatever a reference says. */
#ifndef YR_VALUE_FILE_H
#define YR_VALUE_FILE_H

#include "engine/format/value_format.h"
#include "engine/segment/block_cache.h"

typedef struct yr_value_file yr_value_file;

typedef struct yr_value_open_options {
    const yore_env *env;
    yr_block_cache *cache; /* both outlive the file */
    const uint8_t *uuid;   /* the store the file must be of; NULL = any */
    uint64_t file_id;      /* the number it must have; 0 = any */
    bool borrows_file;     /* closing leaves the file open */
    bool is_unchecked;     /* no checksums, for fuzzing */
} yr_value_open_options;

/* `file` becomes the value file's on success. `name` is for messages, and copied. Gives one reference.
 * YORE_ERR_CORRUPT, YORE_ERR_FORMAT (from a newer yore), YORE_ERR_IO, YORE_ERR_NOMEM. Reads 192 bytes. */
yore_status yr_value_file_open(const yr_value_open_options *options, yore_file *file, const char *name,
                               yr_value_file **out, yore_error *err);
void yr_value_file_ref(yr_value_file *values);
/* The last one closes the file; no pin of its values may be held then. NULL is allowed. */
void yr_value_file_unref(yr_value_file *values);

/* -- facts -- */
const yr_value_footer *yr_value_file_facts(const yr_value_file *values);
const yr_file_header *yr_value_file_header(const yr_value_file *values);
const char *yr_value_file_name(const yr_value_file *values);

/* -- values -- */
/* The whole value, pinned: pin->data and pin->size are its bytes. */
yore_status yr_value_file_get(yr_value_file *values, const yr_value_ref *ref, yr_block_pin *pin,
                              yore_error *err);
/* The value in parts of a chunk, in order and past the cache; a status other than YORE_OK ends it and is returned.
 * Each part was checked; that the parts are the whole value is known when the call returns YORE_OK. */
typedef yore_status (*yr_value_part)(void *arg, yore_slice part, yore_error *err);
yore_status yr_value_file_stream(yr_value_file *values, const yr_value_ref *ref, yr_value_part part,
                                 void *arg, yore_error *err);
/* All references to values of the file, in order of offset; ends as above. */
typedef yore_status (*yr_value_each)(void *arg, const yr_value_ref *ref, yore_error *err);
yore_status yr_value_file_list(yr_value_file *values, yr_value_each each, void *arg, yore_error *err);
/* Everything there is to check: each value, the directory, what the footer says, every byte. */
yore_status yr_value_file_verify(yr_value_file *values, yore_error *err);

/* Does the file have this size and footer, and hash as that says? What a writer does before it is believed. */
yore_status yr_value_file_verify_hash(const yore_env *env, yore_file *file, const char *name,
                                      const yr_value_footer *footer, uint64_t file_seed, yore_error *err);

#endif
