/* Salvage: a new store from what can still be proven of a damaged one.
 *
 * Every segment, value file and log file says what it is, and each part of it has a checksum; what fails its checks is
 * left out, the rest is put together again: the same versions, times, branches and rows. With a MANIFEST (or its copy)
 * the files it names are read, without one all files of the store that are there. The damaged store is only read, and
 * must not be in use by a writer.
 *
 * What is lost is told, and never made up for:
 *   - a row that is lost is not there: its key reads as it did before, or not at all;
 *   - a commit whose record is lost keeps its version. If rows of it are left they are in it; a time is put between
 *     those of its neighbours, and its note says that it was salvaged;
 *   - a branch whose records are all lost is there as `lost-N`, N its id, without its parent, with the rows that it
 *     wrote itself.
 */
#ifndef YORE_SALVAGE_H
#define YORE_SALVAGE_H

#include <stdbool.h>

#include <yore/env.h>
#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YORE_LOSS_MANIFEST 1u /* files were found by what they say of themselves */
#define YORE_LOSS_FILE 2u     /* a whole file */
#define YORE_LOSS_ROWS 3u     /* rows with keys of a range: newest versions, and what goes with them */
#define YORE_LOSS_HISTORY 4u  /* older versions of a key */
#define YORE_LOSS_COMMITS 5u  /* records of commits */
#define YORE_LOSS_LOG 6u      /* log records */
#define YORE_LOSS_VALUE 7u    /* a value over 64 KiB */
#define YORE_LOSS_BRANCH 8u   /* a branch's records */
#define YORE_LOSS_ROW 9u      /* a row that does not fit what is known of its commit or branch */

/* A damage that was found. That rows are named here does not mean they are lost: the log, or another segment, may have
 * them as well. What is lost in the end is counted in the report. */
typedef struct yore_salvage_loss {
    uint32_t kind;          /* YORE_LOSS_... */
    uint32_t branch;        /* ROWS, HISTORY, VALUE, BRANCH, ROW: of the first key */
    uint32_t last_branch;   /* ROWS: of the last key; UINT32_MAX = of whichever comes last */
    bool has_after;         /* ROWS: behind `key`, else from the first key on */
    bool has_before;        /* ROWS: in front of `before`, else to the last key */
    uint64_t first_version; /* of what may be lost; 0 = not known. LOG: the records' numbers */
    uint64_t last_version;  /* likewise */
    uint64_t rows;          /* 0 = not known */
    yore_slice key;         /* user keys; primitives are not told apart */
    yore_slice before;
    const char *file; /* NULL = none */
    const char *text; /* what was found */
} yore_salvage_loss;

typedef struct yore_salvage_options {
    uint32_t struct_size;
    uint32_t reserved;
    /* Called for every damage, from the calling thread; what it gets is valid during the call. NULL = none. */
    void (*loss)(void *arg, const yore_salvage_loss *loss);
    void *loss_arg;
    /* Called now and then: `done` of `total` commits. Non-zero stops: YORE_ERR_CANCELLED. NULL = none. */
    int (*progress)(void *arg, uint64_t done, uint64_t total);
    void *progress_arg;
    uint64_t memory_bytes; /* that rows being put in order may take; 0 = 256 MiB. Less means more passes */
    const yore_env *env;   /* NULL = yore_env_default() */
} yore_salvage_options;

#define YORE_SALVAGE_OPTIONS_INIT                                        \
    {                                                                    \
        sizeof(yore_salvage_options), 0, NULL, NULL, NULL, NULL, 0, NULL \
    }

typedef struct yore_salvage_report {
    uint32_t struct_size;
    bool complete;     /* nothing is lost */
    bool had_manifest; /* MANIFEST, or its copy, was whole */
    bool reserved[2];
    uint64_t last_version;
    uint64_t commits, commits_lost; /* lost: only the record, or all of it */
    uint64_t rows, rows_lost;       /* registry records included */
    uint64_t branches, branches_lost;
    uint64_t values_lost; /* of rows_lost: values over 64 KiB */
    uint64_t notes_lost; /* commits without their note, author, source and further parents; at most so many */
    uint64_t log_records, log_records_lost;
    uint64_t segments, segments_lost; /* lost: nothing of it could be read */
    uint64_t value_files, value_files_lost;
    uint64_t log_files, log_files_lost;
    uint64_t damages; /* how often `loss` was called */
} yore_salvage_report;

/* Make a new store at new_path of what can be proven of the one at `path`.
 * path     a directory that holds, or held, a store; never written to.
 * new_path nothing may be there; its directory exists. Appears when it is whole.
 * options  NULL = the defaults.
 * out      may be NULL: what was saved. struct_size set by the caller.
 * Returns YORE_OK when the new store was made: out->complete says whether anything is lost;
 *         YORE_ERR_EXISTS; YORE_ERR_NO_STORE (no directory), YORE_ERR_NOT_STORE (no files of a store);
 *         YORE_ERR_LOCKED (a writer has it open); YORE_ERR_FORMAT (a newer yore's); YORE_ERR_CORRUPT (nothing can be
 *         saved); YORE_ERR_CANCELLED, YORE_ERR_FULL, YORE_ERR_IO, YORE_ERR_NOMEM, YORE_ERR_MISUSE. On a failure there
 *         is nothing at new_path.
 * Threads any.   Blocks on the disk.   Cost O(store), as often as rows exceed memory_bytes. */
YORE_API YORE_NODISCARD yore_status yore_salvage(const char *path, const char *new_path,
                                                 const yore_salvage_options *options,
                                                 yore_salvage_report *out, yore_error *err);

#ifdef __cplusplus
}
#endif
#endif
