/* The write-ahead log, and MANIFEST, which says what the log goes on from.
 *
 * A store's directory holds LOCK, MANIFEST, segments (NNNNNNNN.seg) and value files (NNNNNNNN.val), wal-NNNNNNNN.log
 * files and perhaps lost+found/. MANIFEST lists them all: its state (manifest_format.h) names the segments, and
 * which log records are not needed any more because the segments have them. The log begins in the file that the
 * first record still needed is in.
 *
 * A WAL file is one 64-byte file header and then records, each 8-byte aligned; it is written full of zeros and synced
 * before the first record goes in, so appending is overwriting. A record carries one commit group.
 *
 * W1  lsns are dense over all files; a file's header names its predecessor, that one's last lsn and
 *     the checksum chain at its end; where the first file's predecessor was dropped, MANIFEST says the same of it.
 * W2  durable_lsn in a record is the highest lsn whose sync had returned when the record was written, never more.
 * W3  every checksum covers the file's salt, its id, the offset and the bytes.
 * W4  nothing is ever appended behind a tail that was not proven: opening for write copies the unproven
 *     records into a new file and syncs it before anything is served (F7, F10, F11).
 * W5  a file that another process may read never shrinks.
 * W6  after a failed write or sync the log is poisoned: no append succeeds until reopen; a sync is never retried.
 *
 * Recovery (F5): at the first bad record X, scan everything behind it. A valid record there that says X was
 * durable means rot: YORE_ERR_CORRUPT, nothing changed. Otherwise the tail was torn: cut at X.
 */
#ifndef YR_WAL_H
#define YR_WAL_H

#include <yore/env.h>
#include <yore/types.h>

#include "engine/format/manifest_format.h"

typedef struct yr_wal yr_wal;

#define YR_WAL_RECORD_OVERHEAD 64u /* no record costs more than payload + this, padding included */

typedef struct yr_wal_options {
    const yore_env *env;
    yore_dir *dir;      /* borrowed, must outlive the log */
    const char *path;   /* for messages, borrowed as well */
    uint64_t bytes_min; /* first file, 0 = 1 MiB; then twice as large up to */
    uint64_t bytes_max; /* 0 = 64 MiB */
    bool read_only;
    bool mapped; /* append through a mapping where the file system allows (modes os and group) */
} yr_wal_options;

/* What is in a directory. */
enum yr_store_kind {
    YR_STORE_PRESENT = 1, /* a MANIFEST: open it */
    YR_STORE_EMPTY,       /* nothing, or what an interrupted creation left behind: create is fine */
    YR_STORE_DAMAGED,     /* files with data but no MANIFEST */
    YR_STORE_FOREIGN      /* other people's files */
};
yore_status yr_store_probe(const yore_env *env, yore_dir *dir, const char *path, enum yr_store_kind *kind,
                           yore_error *err);

/* Called once before the first record is applied: MANIFEST has been read and believed, and `state` is what the log
 * goes on from; the store opens its segments here. `state` is valid during the call. A negative status stops.
 * A reader's call that failed is made again, with the newer state, when a writer has put another MANIFEST in place
 * meanwhile: it may have dropped the files of the one before. So what a failed call has opened it has closed. */
typedef yore_status (*yr_wal_begin)(void *arg, const yr_store_state *state, yore_error *err);

/* Called for every record above the state's flushed_lsn but seals, in lsn order. `payload` is valid during the call. A
 * negative status stops. */
typedef yore_status (*yr_wal_apply)(void *arg, uint64_t lsn, yore_slice payload, yore_error *err);

typedef struct yr_wal_report {
    uint64_t records;
    uint64_t last_lsn;    /* of data records and seals */
    uint64_t durable_lsn; /* proven */
    uint64_t files;
    uint64_t bytes;     /* in valid records */
    uint64_t cut_bytes; /* of a torn tail, set aside in lost+found/ (writers only) */
    uint32_t format_major, format_minor;
    uint8_t uuid[16];
    bool sealed;               /* the last record is a seal: a clean close */
    bool manifest_was_damaged; /* its copy was used, and a writer has written it anew */
} yr_wal_report;

/* Make the files of a new store whose first record is `payload`. Atomic: a cut leaves a directory that
 * yr_store_probe calls EMPTY, or a whole store. The caller holds the lock. Syncs file, directory, MANIFEST. */
yore_status yr_wal_create(const yr_wal_options *options, yore_slice payload, yore_error *err);

/* Read MANIFEST and the log, begin with the state, apply every record it needs, and (for writers) make the tail safe to
 * append to. `begin` and `apply` may be NULL.
 * A read-only log that has a live writer stops quietly at the first record that is not whole or lies above
 * the writer's published watermark. */
yore_status yr_wal_open(const yr_wal_options *options, yr_wal_begin begin, yr_wal_apply apply, void *arg,
                        yr_wal **out, yr_wal_report *report, yore_error *err);
/* NULL is allowed. Does not seal. */
void yr_wal_close(yr_wal *wal);

/* -- writing: one caller at a time (the commit leader) unless said otherwise -- */

/* Leader: would yr_wal_reserve be done at once, without waiting for a disk? */
bool yr_wal_has_room(const yr_wal *wal, uint64_t payload_bytes, bool urgent);

/* Make sure an append of `payload_bytes` cannot fail for want of space, switching files when needed.
 * `urgent` may use the reserve kept for deletes, registry records and seals (F19).
 * YORE_OK; YORE_ERR_FULL (nothing changed, later calls may succeed); YORE_ERR_IO, YORE_ERR_POISONED. */
yore_status yr_wal_reserve(yr_wal *wal, uint64_t payload_bytes, bool urgent, yore_error *err);
/* Append through the mapping or with pwrite from here on (a sync of a mapped append costs more). For the time
 * between open and the first append, when the store's own setting decides. */
void yr_wal_set_mapped(yr_wal *wal, bool mapped);
/* Append one record; space must have been reserved. Not synced. YORE_ERR_IO poisons. */
yore_status yr_wal_append(yr_wal *wal, yore_slice payload, uint64_t *lsn, yore_error *err);
/* Sync everything appended before the call; afterwards durable_lsn covers it. Any thread; one sync at a time. */
yore_status yr_wal_sync(yr_wal *wal, yore_error *err);
/* Append a seal (an empty record) unless the last record is one, and sync, twice-proving the last group (F6). */
yore_status yr_wal_seal(yr_wal *wal, yore_error *err);
/* What the caller of long work wants to do in between: called every few milliseconds. It may sync the log but not
 * append. */
typedef struct yr_wal_pause {
    void (*look)(void *arg);
    void *arg;
} yr_wal_pause;

/* Get the next file ready when enough of the current one is used. Any thread (the background thread's work).
 * pause  may be NULL. */
yore_status yr_wal_prepare(yr_wal *wal, const yr_wal_pause *pause, yore_error *err);
/* Have a next file of the least size, in place of a larger one that was made ahead: before a rotation that may be the
 * last for long, since opening looks at all of the last file. The leader's. YORE_ERR_FULL: nothing changed. */
yore_status yr_wal_prepare_small(yr_wal *wal, yore_error *err);
/* Would yr_wal_prepare do anything? Any thread. */
bool yr_wal_wants_prepare(const yr_wal *wal);
/* Tell readers in other processes how far they may look: the lsn of the last acknowledged group, rising. The
 * appending caller's, like append; one at a time. */
void yr_wal_publish(yr_wal *wal, uint64_t lsn);
/* Refuse every later append with YORE_ERR_POISONED. Any thread. */
void yr_wal_poison(yr_wal *wal);

/* -- the store's state -- */

/* A number for a new segment or value file (yr_file_name, file_name.h), one sequence with the log files. No file has
 * ever had it, also not before a crash. Any thread. 0 = there are none left (only in a forged store). */
uint64_t yr_wal_new_file_id(yr_wal *wal);
/* Write MANIFEST anew with this state, which is copied. Log files that end at or below its flushed_lsn are dropped: not
 * listed any more, and unlinked once the new MANIFEST is durable; never the one being written, nor the one prepared.
 * flushed_lsn is what yr_wal_last_lsn was, in the leader's turn, when the records above it were none of the flush's;
 * after yr_wal_rotate it is the end of the file before. What stays in listed files up to there is synced first.
 * Any thread but one at a time; the segments and value files it names are whole, synced and have their names.
 * Afterwards, and only then, the files that only the state before named may be unlinked.
 * YORE_OK; YORE_ERR_FULL or YORE_ERR_NOMEM: nothing changed; YORE_ERR_IO: nothing changed, or unknown, in which
 * case the log is poisoned (yr_wal_is_poisoned tells); YORE_ERR_POISONED. */
yore_status yr_wal_edit(yr_wal *wal, const yr_store_state *next, yore_error *err);
/* If the current file has data records, go on in the next file, made now when none is prepared, so that an edit can
 * drop the whole current one. The leader's. YORE_ERR_FULL: nothing changed. */
yore_status yr_wal_rotate(yr_wal *wal, yore_error *err);
/* What the log goes on from: the last one edited, or read. Valid until the next edit, refresh or restart. */
yore_status yr_wal_state(yr_wal *wal, const yr_store_state **out);

uint64_t yr_wal_last_lsn(const yr_wal *wal);    /* any thread */
uint64_t yr_wal_durable_lsn(const yr_wal *wal); /* any thread */
bool yr_wal_is_poisoned(const yr_wal *wal);     /* any thread */
bool yr_wal_is_sealed(const yr_wal *wal);       /* the last record is a seal */
void yr_wal_stats(const yr_wal *wal, uint64_t *files, uint64_t *bytes, uint64_t *syncs); /* any thread */

/* -- reading -- */

/* Read-only logs: apply what the writer has published since.
 * YORE_END: the log is behind (as yr_wal_is_behind says). The records after the last one applied were dropped by the
 * writer, in files this log has not seen: segments have them. What was applied stays right. To get on, make a new
 * store and fill it with yr_wal_restart; till that has succeeded every refresh gives YORE_END. */
yore_status yr_wal_refresh(yr_wal *wal, yr_wal_apply apply, void *arg, yore_error *err);
/* Read-only logs: start again with the newest MANIFEST, as yr_wal_open does: begin with its state, apply the records it
 * needs. When it fails the log is behind, or can be called again. */
yore_status yr_wal_restart(yr_wal *wal, yr_wal_begin begin, yr_wal_apply apply, void *arg, yore_error *err);
/* Read-only logs: the state that the newest MANIFEST has, which the log need not have come to. `look` is called with
 * it; it is valid during the call. Changes nothing. The caller of refresh's. */
yore_status yr_wal_peek(yr_wal *wal, void (*look)(void *arg, const yr_store_state *state), void *arg,
                        yore_error *err);
/* A reader's: see yr_wal_refresh. It may be so right after open or restart, when the writer was very fast: what was
 * read is right, and old. The caller of refresh's. */
bool yr_wal_is_behind(const yr_wal *wal);
/* Read every record of every file again and check it, up to the last appended one. */
yore_status yr_wal_verify(yr_wal *wal, uint64_t *records, uint64_t *bytes, yore_error *err);

/* -- the writer's lock (store_lock.c): LOCK, an open-file-description lock naming its holder -- */

typedef struct yr_store_lock yr_store_lock;
/* YORE_OK; YORE_ERR_LOCKED naming pid, host and program after waiting wait_ms; YORE_ERR_IO. */
yore_status yr_store_lock_acquire(const yore_env *env, yore_dir *dir, const char *path, uint32_t wait_ms,
                                  yr_store_lock **out, yore_error *err);
void yr_store_lock_release(yr_store_lock *lock);
/* In a forked child: close the inherited handle; the lock stays the parent's. */
void yr_store_lock_abandon(yr_store_lock *lock);

#endif
