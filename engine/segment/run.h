/* A run: one or more segment files, disjoint in key, that together hold the versions of one range (I3). The store
 * reads runs, never single files.
 *
 *     yr_run_create(env, run_id, files, n, &run, &err)      files in key order; they are the run's from now on
 *     if (yr_run_find(run, tree_key, hash, cap, &hit, &err) == YORE_OK) ... yr_segment_hit_release(&hit)
 *     yr_run_unref(run)                                     the last one closes the files
 *
 * The first file alone carries the commits and heads of the whole run; each file has the change list of its own keys.
 * What is asked at every read (which file, which branches, the newest commits of branches) is in memory from the start.
 *
 * N1 a run never changes: every call may run at once on any number of threads, but cursors and iterators are one
 *    thread's.   N2 rows, hits and commits borrow what they came from, and everything borrows the run.   N3 damage is
 *    YORE_ERR_CORRUPT that names the file, never a shorter listing.   N4 after a failure an iterator may only be closed
 *    (a cursor may be placed anew). */
#ifndef YR_RUN_H
#define YR_RUN_H

#include "engine/format/segment_commits.h"
#include "engine/segment/block_stream.h"
#include "engine/segment/segment.h"

typedef struct yr_run yr_run;

/* `files`: n > 0 open segments of one version range and one hash seed, in key order, disjoint; only the first may have
 * commits. They become the run's on success, and stay the caller's on failure.
 * YORE_ERR_CORRUPT when they do not belong together, or cannot be read; YORE_ERR_IO, YORE_ERR_NOMEM.
 * Cost: one look at groups, bounds and heads of each file. One reference is the caller's. */
yore_status yr_run_create(const yore_env *env, uint64_t run_id, yr_segment **files, uint32_t n, yr_run **out,
                          yore_error *err);
/* For salvage: files as they are, in any number and whatever is wrong with them, as long as they could be opened. Only
 * rows and commits may be read (yr_run_rows_*, yr_run_commits_*), file by file in this order; nothing else may be
 * asked but yr_run_id, yr_run_file_count and yr_run_file. YORE_ERR_NOMEM. */
yore_status yr_run_create_for_salvage(const yore_env *env, uint64_t run_id, yr_segment **files, uint32_t n,
                                      yr_run **out, yore_error *err);
/* Any thread. NULL is allowed. */
void yr_run_ref(yr_run *run);
void yr_run_unref(yr_run *run);

/* -- facts: in memory -- */
uint64_t yr_run_id(const yr_run *run);
/* It holds the versions in (after, last]. */
uint64_t yr_run_after(const yr_run *run);
uint64_t yr_run_last(const yr_run *run);
uint32_t yr_run_file_count(const yr_run *run);
/* As it is read by now. */
yr_segment *yr_run_file(const yr_run *run, uint32_t i);
/* From now on read file i from `loaded`, the same file opened with yr_segment_load, which becomes the run's: whoever
 * reads the run already, or through an old list of layers, gets the use of it, too. Any thread. False when it has been
 * done already: it stays the caller's then. */
bool yr_run_promote(yr_run *run, uint32_t i, yr_segment *loaded);

/* What a run has of one branch: sums over files and primitives, and its oldest and newest commit (0 = none). */
typedef struct yr_run_branch {
    uint32_t branch;
    uint64_t keys;
    uint64_t rows;
    uint64_t deletes;     /* of rows */
    uint64_t key_bytes;   /* user keys, once each */
    uint64_t value_bytes; /* values and metadata of all rows; those in value files count in full */
    uint64_t first_commit;
    uint64_t last_commit;
} yr_run_branch;

/* Does the run have any row of a branch? A few ns: asked at every hop of every read. */
bool yr_run_has_branch(const yr_run *run, uint32_t branch);
/* Branches that have rows or commits, by ascending id. */
uint32_t yr_run_branch_count(const yr_run *run);
const yr_run_branch *yr_run_branch_at(const yr_run *run, uint32_t i);
/* NULL: nothing of it. */
const yr_run_branch *yr_run_branch_find(const yr_run *run, uint32_t branch);

/* -- one key -- */
/* The newest version <= cap. `hash` is yr_segment_hash_of with the store's seed. YORE_OK; YORE_NOT_FOUND (`hit`
 * untouched); failures. */
yore_status yr_run_find(yr_run *run, yore_slice tree_key, uint64_t hash, uint64_t cap, yr_segment_hit *hit,
                        yore_error *err);
/* Have the memory that find will look at on its way into the cache (images only). */
void yr_run_prefetch(const yr_run *run, yore_slice tree_key, uint64_t hash);
/* When what that fetched has arrived, fetch the record it leads to: for those who look up many keys at once, who call
 * the first for all of them, then this, then find. */
void yr_run_prefetch_record(const yr_run *run, yore_slice tree_key, uint64_t hash);

/* All versions <= cap of a key, newest first. YORE_OK; YORE_NOT_FOUND (nothing to close); failures. */
typedef struct yr_segment_versions yr_run_versions;
yore_status yr_run_versions_open(yr_run *run, yore_slice tree_key, uint64_t hash, uint64_t cap,
                                 yr_run_versions *versions, yore_error *err);
/* YORE_OK, YORE_END, failures. The row is valid until the next call. */
yore_status yr_run_versions_next(yr_run_versions *versions, yr_segment_row *row, yore_error *err);
void yr_run_versions_close(yr_run_versions *versions);

/* -- keys in order -- */
typedef struct yr_run_cursor {
    yr_run *run;
    uint64_t cap;
    yore_slice prefix; /* borrowed */
    uint32_t file;     /* where `at` is */
    yr_segment_cursor at;
} yr_run_cursor;

/* Each key's newest version <= cap, deletes and expired ones too, of keys that begin with the prefix, which must stay
 * where it is. Costs nothing. */
void yr_run_cursor_init(yr_run_cursor *cursor, yr_run *run, uint64_t cap, yore_slice prefix);
void yr_run_cursor_deinit(yr_run_cursor *cursor);
/* Go to the first key >= tree_key (or the last one <= it); an empty key is the very first (the very last). YORE_OK with
 * its row, which is valid until the cursor moves; YORE_END; failures. After these two the cursor has no place. */
yore_status yr_run_cursor_seek(yr_run_cursor *cursor, yore_slice tree_key, yr_segment_row *row,
                               yore_error *err);
yore_status yr_run_cursor_seek_reverse(yr_run_cursor *cursor, yore_slice tree_key, yr_segment_row *row,
                                       yore_error *err);
/* One on, in either direction, whichever the last step was. YORE_END without a place. */
yore_status yr_run_cursor_next(yr_run_cursor *cursor, yr_segment_row *row, yore_error *err);
yore_status yr_run_cursor_prev(yr_run_cursor *cursor, yr_segment_row *row, yore_error *err);
/* The pin that the current row's bytes are under: a copy of it lets the row outlive the cursor's next move. NULL when
 * there is no row, or it is read in place and is as lasting as the run. */
static inline const yr_block_pin *yr_run_cursor_pin(const yr_run_cursor *cursor)
{
    const yr_segment_cursor *at = &cursor->at;
    const yr_block_pin *pin = at->is_older ? &at->older_pin : &at->block_pin;
    return at->is_placed && pin->entry ? pin : NULL;
}

/* -- changes -- */
typedef struct yr_run_changes {
    yr_run *run;
    yr_segment_changes *files; /* one a file */
    uint64_t *next;            /* version of each file's next change; UINT64_MAX = at its end */
    uint32_t at;               /* the file of the last row, */
    uint64_t version;          /* and its version */
    yore_status status;        /* of the last call */
} yr_run_changes;

/* Rows of versions > after, by version; those of one version in tree-key order. YORE_OK; failures (nothing to
 * close). */
yore_status yr_run_changes_open(yr_run *run, uint64_t after, yr_run_changes *changes, yore_error *err);
/* From now on rows have their key and version, and nothing else: no history is read. */
void yr_run_changes_keys_only(yr_run_changes *changes);
/* Go on with versions above `after`, without looking at the rows between. Back is no way. */
yore_status yr_run_changes_skip(yr_run_changes *changes, uint64_t after, yore_error *err);
/* The version of the next row, UINT64_MAX at the end. */
uint64_t yr_run_changes_peek(const yr_run_changes *changes);
/* YORE_OK, YORE_END, failures. The row is valid until the next call. */
yore_status yr_run_changes_next(yr_run_changes *changes, yr_segment_row *row, yore_error *err);
void yr_run_changes_close(yr_run_changes *changes);

/* -- commits -- */
/* The commit of a version, or the newest one at or below it (is_exact false). YORE_OK (release it with
 * yr_segment_commit_release), YORE_NOT_FOUND, failures. */
yore_status yr_run_commit_find(yr_run *run, uint64_t version, bool is_exact, yr_segment_commit *commit,
                               yore_error *err);
/* Only its time: one look into an array when the run has a commit for every version, as runs of flushes have. */
yore_status yr_run_commit_time(yr_run *run, uint64_t version, int64_t *time_ns, yore_error *err);
/* The times of n versions in any order; the misses overlap. YORE_NOT_FOUND when one of them has no commit here (`times`
 * is in no particular state then). */
yore_status yr_run_commit_times(yr_run *run, const uint64_t *versions, int64_t *times, size_t n,
                                yore_error *err);
/* The newest commit of a branch in (low, high] that has further parents (a merge); *version = 0 when there is none.
 * Looks at the commit blocks in between, newest first, and at those commits of the branch that have a note or the
 * like. */
yore_status yr_run_merge_find(yr_run *run, uint32_t branch, uint64_t low, uint64_t high, uint64_t *version,
                              yore_error *err);
/* The newest commit at or before a time. YORE_OK, YORE_NOT_FOUND, failures. */
yore_status yr_run_version_at(yr_run *run, int64_t time_ns, uint64_t *version, yore_error *err);
/* The newest commit of a branch at or below `version` in this run; *head = 0 when there is none. In memory at the run's
 * end and for a branch without commits; else the less of two walks: back from the branch's newest one, and down from
 * `version`. */
yore_status yr_run_head_at(yr_run *run, uint32_t branch, uint64_t version, uint64_t *head, yore_error *err);

/* -- everything, once, in order: compaction, salvage -- */
typedef struct yr_run_rows {
    yr_run *run;
    uint32_t file; /* being read */
    yr_block_stream main;
    yr_block_stream history;
    yr_block block; /* of main */
    uint32_t block_at;
    uint32_t record_at; /* the next record: its number in the block, */
    uint32_t off;       /* and where it begins */
    yr_record record;   /* whose older versions are coming */
    yr_chunk chunk;
    uint32_t chunk_number; /* of `record`; the next one when chunk_at is at the end */
    uint32_t chunk_at;
    uint32_t older_left;
    uint64_t last_version; /* of the row before, if it was the same key's */
    uint64_t bytes_read;   /* from files that are done */
    yore_status status;    /* of the last failure */
} yr_run_rows;

/* All versions of all keys: keys in tree-key order, a key's versions newest first. Reads ahead by large preads past the
 * block cache. Takes up to about 2 MiB. */
yore_status yr_run_rows_open(yr_run *run, yr_run_rows *rows, yore_error *err);
/* YORE_OK, YORE_END, failures. The row is valid until the next call. */
yore_status yr_run_rows_next(yr_run_rows *rows, yr_segment_row *row, yore_error *err);
/* After YORE_ERR_CORRUPT or YORE_ERR_IO: go on with the next record that can be found (the next key after damaged
 * history, the next block after a damaged one). For salvage, which says what it left out; everybody else stops. */
void yr_run_rows_skip(yr_run_rows *rows);
/* Bytes read from the files so far: for progress and throttling. */
uint64_t yr_run_rows_bytes(const yr_run_rows *rows);
void yr_run_rows_close(yr_run_rows *rows);

typedef struct yr_run_commits {
    yr_run *run;
    yr_block_stream blocks;
    yr_block_stream infos;
    yr_commits commits;
    uint32_t file;  /* being read: the first one, unless for salvage */
    uint32_t block; /* the next one */
    uint32_t at;
    yore_status status; /* of the last call */
} yr_run_commits;

/* All commits in version order. */
yore_status yr_run_commits_open(yr_run *run, yr_run_commits *commits, yore_error *err);
/* YORE_OK, YORE_END, failures. The commit is valid until the next call, and holds nothing to release. */
yore_status yr_run_commits_next(yr_run_commits *commits, yr_segment_commit *commit, yore_error *err);
/* After YORE_ERR_CORRUPT: go on behind what is damaged, as yr_run_rows_skip. */
void yr_run_commits_skip(yr_run_commits *commits);
void yr_run_commits_close(yr_run_commits *commits);

#endif
