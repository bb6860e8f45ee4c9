/* Names of a store's numbered files: wal-00000012.log, 00000013.seg, 00000014.val. While a file is being made it
 * has another name, wal-00000012.tmp or 00000013.seg.tmp, and nobody reads it. All kinds share one sequence of
 * numbers. Pure functions. */
#ifndef YR_FILE_NAME_H
#define YR_FILE_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/format/file_header.h"

#define YR_FILE_NAME_BYTES 40u

/* kind  YR_FILE_WAL, YR_FILE_SEGMENT or YR_FILE_VALUES */
void yr_file_name(enum yr_file_kind kind, uint64_t id, bool making, char out[YR_FILE_NAME_BYTES]);

/* The id in exactly such a name, 0 when it is none; *kind and *making are set only for an id. */
uint64_t yr_file_name_id(const char *name, enum yr_file_kind *kind, bool *making);

#endif
