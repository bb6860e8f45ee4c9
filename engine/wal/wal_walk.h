/* Reading a log: a cursor over the records of one file, a walk over the files of a manifest, and the scan
 * behind the last record that tells a torn tail from rot (F5).
 *
 * Reads are preads into one window buffer; nothing is mapped, so a file that changes underneath gives a
 * status, never a signal. Nothing is allocated by a length that was not verified and does not fit the file. */
#ifndef YR_WAL_WALK_H
#define YR_WAL_WALK_H

#include "engine/wal/wal.h"
#include "engine/wal/wal_file.h"

typedef struct yr_wal_window {
    uint8_t *data;
    size_t capacity;
    size_t size;
    uint64_t off;     /* of data[0] in the file; a multiple of 8 */
    size_t next_fill; /* grows while the reading goes on, so a short look stays cheap */
} yr_wal_window;

/* Make `size` bytes at `off` available; *at has fewer only where the file ends before its time. */
yore_status yr_wal_window_get(yr_wal_window *window, const yr_wal_place *place, const yr_wal_opened *opened,
                              uint64_t off, size_t size, yore_slice *at, yore_error *err);
void yr_wal_window_deinit(yr_wal_window *window, const yore_env *env);

typedef struct yr_wal_record {
    yr_wal_record_header header;
    yore_slice payload; /* in the window: valid until the next step */
    uint64_t off;
} yr_wal_record;

#define YR_WAL_LIMIT_NONE UINT64_MAX

/* A walk stands behind record `lsn` of file entries[index]; `off` is where the next one would begin. */
typedef struct yr_wal_walk {
    yr_wal_place place;
    yr_manifest manifest; /* owned; entries get first_lsn and ends filled in as they are passed */
    yr_wal_window window;
    yr_wal_opened opened; /* file NULL = entries[index] is not open */
    yr_wal_opened *held;  /* files from entries[index] on, open all the time */
    uint32_t held_count, held_capacity;
    uint32_t index;
    uint64_t off;
    uint64_t lsn;
    uint64_t chain;
    uint64_t proven;       /* highest durable_lsn met, MANIFEST's included */
    uint64_t limit_lsn;    /* stop behind this record */
    uint64_t flushed_lsn;  /* records up to here are read and checked but not applied */
    uint64_t data_lsn;     /* the last record that was no seal */
    bool holds_files;      /* somebody else may unlink them: check_files leaves them open */
    bool is_follower;      /* may be put back to records it has applied: the next two tell */
    uint64_t skip_lsn;     /* applied up to here */
    uint64_t payload_hash; /* unsalted, of that record */
    uint64_t records, bytes;
    uint64_t seal_off;
    uint16_t manifest_claim; /* the last record's: which MANIFEST was durable when it was written */
    bool is_sealed;          /* the last record is a seal, at seal_off */
    bool file_missing;       /* the failure was a file that is not there */
    bool apply_failed;       /* the failure was the callback's */
    bool is_rewritten;       /* another record has the number of one that was applied: for good */
} yr_wal_walk;

/* Takes over `manifest`. */
void yr_wal_walk_init(yr_wal_walk *walk, const yr_wal_place *place, yr_manifest *manifest);
void yr_wal_walk_deinit(yr_wal_walk *walk);
/* Open every file once and check its header: F8 before anything is believed. Leaves them open with holds_files. */
yore_status yr_wal_walk_check_files(yr_wal_walk *walk, yore_error *err);
/* The same for the files of another manifest from entry `from` on, before the walk moves into it. */
yore_status yr_wal_walk_hold(yr_wal_walk *walk, const yr_manifest *manifest, uint32_t from, yore_error *err);
/* Close held files that the walk will not come to. */
void yr_wal_walk_let_go(yr_wal_walk *walk);
/* Close the file the walk is in, if it is the walk's to close. */
void yr_wal_walk_leave_file(yr_wal_walk *walk);
/* The next record, in the next file too: YORE_OK and stands behind it, or YORE_END. */
yore_status yr_wal_walk_step(yr_wal_walk *walk, yr_wal_record *record, yore_error *err);
/* Go on to the limit or to the first place where no record continues the log. `apply` may be NULL. */
yore_status yr_wal_walk_run(yr_wal_walk *walk, yr_wal_apply apply, void *arg, yore_error *err);
/* Place the walk behind record `lsn` of entry `index`, whose file it opens. */
yore_status yr_wal_walk_enter(yr_wal_walk *walk, uint32_t index, yore_error *err);
/* Does the last record prove that the manifest read is durable? It may be in the page cache only: a process
 * killed between rename and directory sync leaves it so. */
bool yr_wal_walk_proves_manifest(const yr_wal_walk *walk);
/* Forget what was read: a live file may have changed. */
void yr_wal_walk_forget(yr_wal_walk *walk);

/* What lies behind the walk's place, in its file and all later ones. */
typedef struct yr_wal_tail {
    uint64_t claim;                          /* highest durable_lsn in a whole record header there */
    uint64_t claim_lsn, claim_off, claim_id; /* that record */
    uint64_t cut_bytes;          /* from the first byte that is not zero to the last, summed over files */
    uint64_t first_off, end_off; /* of them in the walk's own file; equal when there are none */
    uint64_t later_bytes;        /* of them in later files */
    uint64_t bad_id, bad_off;    /* where the damage seems to be */
} yr_wal_tail;
yore_status yr_wal_walk_scan_tail(yr_wal_walk *walk, yr_wal_tail *tail, yore_error *err);
/* The same over one file from `off` on: claims and cut_bytes only. */
yore_status yr_wal_scan_opened(yr_wal_window *window, const yr_wal_place *place, const yr_wal_opened *opened,
                               uint64_t off, yr_wal_tail *tail, yore_error *err);
/* YORE_ERR_CORRUPT when the missing record was durable; YORE_OK when the tail may be cut. */
yore_status yr_wal_walk_judge(const yr_wal_walk *walk, const yr_wal_tail *tail, yore_error *err);

#endif
