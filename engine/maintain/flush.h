/* Flushing: a frozen memtable becomes a run of one segment, and a value file when it has values over 64 KiB. */
#ifndef YR_FLUSH_H
#define YR_FLUSH_H

#include "engine/maintain/disk.h"
#include "engine/mem/memtable.h"

typedef struct yr_flush_files {
    yr_store_file segment;
    yr_store_file values; /* file_id 0: none */
} yr_flush_files;

typedef struct yr_flush_options {
    yr_disk *disk;
    uint64_t hash_seed;
    uint64_t last_version; /* the memtable's newest */
    uint64_t (*new_file_id)(void *arg);
    void *arg;
} yr_flush_options;

/* Write, verify, sync and name the files. The memtable is frozen and stays as it is. After a failure nothing is left,
 * as far as the disk lets it be removed. YORE_ERR_FULL, YORE_ERR_IO, YORE_ERR_NOMEM, YORE_ERR_CORRUPT (what was
 * written reads back differently), YORE_ERR_LIMIT. Memory: the builder's. */
yore_status yr_flush(const yr_flush_options *options, const yr_memtable *mem, yr_flush_files *out,
                     yore_error *err);

#endif
