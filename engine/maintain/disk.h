/* A store's data files on disk: opening the runs and value files that a state names, and taking files away.
 *
 * Every file that is opened must be the one that MANIFEST means: its number, its range of versions, its size and the
 * hash of all its bytes, as its footer says, are compared with what MANIFEST says (F2). */
#ifndef YR_DISK_H
#define YR_DISK_H

#include "engine/format/manifest_format.h"
#include "engine/layers/layers.h"

typedef struct yr_disk {
    const yore_env *env;
    yore_dir *dir;    /* borrowed */
    const char *path; /* for messages, borrowed */
    uint8_t uuid[YR_UUID_BYTES];
    bool has_uuid;
    yr_block_cache *cache;
    uint64_t cache_bytes; /* its budget */
    yr_decoders *decoders;
} yr_disk;

/* `dir` and `path` must outlive it. */
yore_status yr_disk_init(yr_disk *disk, const yore_env *env, yore_dir *dir, const char *path,
                         uint64_t cache_bytes, yore_error *err);
/* Nothing of it may be open. A zeroed one is fine. */
void yr_disk_deinit(yr_disk *disk);

/* One segment. load: read whole into memory, which is for hot ones, unless *load turns true; NULL: not at all. */
yore_status yr_disk_open_segment(yr_disk *disk, const yr_store_file *file, const _Atomic bool *load,
                                 yr_segment **out, yore_error *err);
/* The files of one run, in key order, as a run with one reference. */
yore_status yr_disk_open_run(yr_disk *disk, const yr_store_file *files, uint32_t count,
                             const _Atomic bool *load, yr_run **out, yore_error *err);
yore_status yr_disk_open_value_file(yr_disk *disk, const yr_store_file *file, yr_value_file **out,
                                    yore_error *err);

/* Everything a state names. runs: an array from env of *run_count, newest first, to be freed by the caller, with one
 * reference each. values: with one reference, NULL when there are none.
 * open  layers of the same store: what is open there is not opened again. May be NULL */
yore_status yr_disk_open(yr_disk *disk, const yr_store_state *state, const yr_layers *open, yr_run ***runs,
                         uint32_t *run_count, yr_value_set **values, yore_error *err);
void yr_disk_free_runs(yr_disk *disk, yr_run **runs, uint32_t run_count);

/* Give a file its name and make that durable; YORE_ERR_FULL or _IO. */
yore_status yr_disk_publish(yr_disk *disk, enum yr_file_kind kind, uint64_t id, yore_error *err);
/* Unlink a file that no MANIFEST names; what fails is an orphan for the next open. */
void yr_disk_remove(yr_disk *disk, enum yr_file_kind kind, uint64_t id, bool making);

#endif
