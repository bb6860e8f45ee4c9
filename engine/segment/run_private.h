/* A run's state, shared by run*.c. Private to these. */
#ifndef YR_RUN_PRIVATE_H
#define YR_RUN_PRIVATE_H

#include <stdatomic.h>

#include "engine/segment/run.h"

struct yr_run {
    /* Immutable after creation but for `refs`. */
    const yore_env *env;
    uint64_t id;
    uint64_t after;
    uint64_t last;
    yr_segment **files;
    _Atomic(yr_segment *)
        *loaded; /* of file_count: the same files in memory, NULL at first; see yr_run_promote */
    uint32_t file_count;
    yr_run_branch *branches; /* by id */
    uint32_t branch_count;
    uint32_t branch_room;   /* allocated */
    uint32_t *row_branches; /* those of them that have rows */
    uint32_t row_branch_count;
    /* First keys of all files but the first, which takes what is below: as the fences of a segment. */
    uint8_t *keys;
    size_t key_room;       /* allocated */
    size_t *key_ends;      /* of file_count: where each file's first key ends in `keys` */
    uint64_t *words;       /* of file_count: 8 bytes of it behind the common ones */
    uint32_t key_skip;     /* bytes that all first keys share */
    _Atomic uint32_t refs; /* relaxed up, acquire and release down: the last one sees what all did */
};

/* A file as it is read by now: from memory, once it has been loaded. */
static inline yr_segment *yr_run_reads(const yr_run *run, uint32_t i)
{
    /* acquire pairs with yr_run_promote */
    yr_segment *loaded = atomic_load_explicit(&run->loaded[i], memory_order_acquire);
    return loaded ? loaded : run->files[i];
}

/* The file that a key is in if it is in any: the last one that begins at or below it. */
uint32_t yr_run_locate(const yr_run *run, yore_slice tree_key);
/* The first key of file i; empty for the first file. */
yore_slice yr_run_first_key(const yr_run *run, uint32_t i);

#endif
