/* Carrying out a plan: runs in, the files of one run out.
 *
 *     status = yr_merge_runs(&options, runs, n, &result, &err)      or yr_merge_file for one file of a run
 *     ... write the MANIFEST with result.files instead of the inputs, then unlink those ...
 *     yr_merge_result_deinit(env, &result)
 *
 *   G1 What is not dropped comes out as it went in, byte for byte, references to value files too unless they are
 *      moved (move_value). What is dropped is
 *      decided by the rules of keep.h alone.
 *   G2 The inputs are only read. Damage in any of them, or fewer rows or commits than they promise, stops the merge.
 *   G3 When it succeeds every output is written, synced, read back and compared, has its own name, and the directory is
 *      synced. When it fails or is cancelled nothing that it made is left, as far as the disk lets it be removed.
 *   G4 Commits go to the first file; files after the first begin with a new key.
 *
 * Memory: 2 MiB an input, and what the builder takes. One job is one thread's. */
#ifndef YR_COMPACT_MERGE_H
#define YR_COMPACT_MERGE_H

#include "engine/compact/keep.h"
#include "engine/segment/run.h"
#include "engine/segment/segment_builder.h"

#define YR_MERGE_STEP_BYTES (UINT64_C(1) << 20) /* between two calls of progress */
#define YR_MERGE_TARGET_BYTES (UINT64_C(256) << 20)

/* Questions about the store at large, asked once a key at most. `tree_key` is borrowed for the call. */
typedef struct yr_merge_questions {
    /* Does a layer older than the inputs hold any version of this key on its own branch? NULL: yes, unless
     * is_bottom says that there is no older layer. */
    yore_status (*has_older)(void *arg, yore_slice tree_key, bool *answer, yore_error *err);
    /* Would a read of the branch's parent, as of the fork and at the fork's own time, find a value of this key?
     * Not asked of roots. NULL: yes. */
    yore_status (*shows_below)(void *arg, uint32_t branch, yore_slice tree_key, bool *answer,
                               yore_error *err);
    void *arg;
} yr_merge_questions;

typedef struct yr_merge_progress {
    uint64_t rows_in;
    uint64_t bytes_in; /* keys, values and metadata of these rows */
    uint64_t bytes_out;
    uint32_t files_out; /* begun */
} yr_merge_progress;

typedef struct yr_merge_options {
    const yore_env *env;
    yore_dir *dir;
    yr_segment_build_options build; /* uuid, hash seed, form, level, sizes; the rest is filled in */
    uint64_t target_bytes;          /* begin another file at about this size; 0 = YR_MERGE_TARGET_BYTES */
    const yr_keep_set *keep;        /* NULL: everything is kept */
    bool is_bottom;
    bool is_dry_run; /* only count what would go: nothing is made; dir, build and new_file_id are not used */
    yr_merge_questions questions;
    uint64_t (*new_file_id)(void *arg);
    /* A row that stays and refers to a value file: may exchange row->value for another reference, which lasts until
     * the next call. NULL: references stay as they are. Not called in a dry run. */
    yore_status (*move_value)(void *arg, yr_segment_row *row, yore_error *err);
    /* About once a MiB of input; may wait, to leave the disk to others. YORE_OK, or what the job ends with
     * (YORE_ERR_CANCELLED). May be NULL. */
    yore_status (*progress)(void *arg, const yr_merge_progress *progress, yore_error *err);
    void *arg; /* of the three above */
} yr_merge_options;

typedef struct yr_merge_file {
    uint64_t file_id;
    yr_segment_footer footer;
} yr_merge_file;

typedef struct yr_merge_result {
    yr_merge_file *files; /* in key order */
    uint32_t file_count;
    uint32_t file_capacity;
    uint64_t rows_in;
    uint64_t rows_out;
    uint64_t row_bytes_in; /* keys, values (references as such) and metadata */
    uint64_t row_bytes_out;
    uint64_t commits;
    uint64_t
        hiding_in; /* of rows_in: deletes and expired versions that could go if nothing showed in their place */
    uint64_t hiding_out;
    uint64_t bytes_out; /* of the files */
} yr_merge_result;

/* Merge neighbours, newest first, into the files of one run that takes their place. *result is set only on YORE_OK.
 * There is at least one file, but for a dry run. YORE_ERR_CORRUPT, YORE_ERR_IO, YORE_ERR_FULL, YORE_ERR_NOMEM,
 * YORE_ERR_CANCELLED, YORE_ERR_MISUSE (not neighbours), YORE_ERR_LIMIT. */
yore_status yr_merge_runs(const yr_merge_options *options, yr_run *const *runs, uint32_t count,
                          yr_merge_result *result, yore_error *err);
/* Make one file of a run anew, in its place among the run's files: one file, or none when nothing of it is left and
 * it is not the first. */
yore_status yr_merge_one_file(const yr_merge_options *options, yr_run *run, uint32_t file,
                              yr_merge_result *result, yore_error *err);
void yr_merge_result_deinit(const yore_env *env, yr_merge_result *result);
/* Unlink the outputs: for an installation that failed before anything could refer to them. */
void yr_merge_result_remove(const yr_merge_options *options, const yr_merge_result *result);

#endif
