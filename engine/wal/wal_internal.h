/* The log handle. Private to engine/wal/.
 *
 * Who touches what:
 *   leader      the one caller of reserve, append and seal; also open and close
 *   prepare     prepare_mutex: the manifest, making and changing files
 *   sync        sync_mutex: sync_from, syncing, closing files that are behind
 * prepare_mutex ranks below sync_mutex. Append and the common reserve take neither. */
#ifndef YR_WAL_INTERNAL_H
#define YR_WAL_INTERNAL_H

#include <stdatomic.h>

#include "engine/base/thread.h"
#include "engine/wal/wal.h"
#include "engine/wal/wal_file.h"
#include "engine/wal/wal_walk.h"

#define YR_WAL_BYTES_MIN_DEFAULT (UINT64_C(1) << 20)
#define YR_WAL_BYTES_MAX_DEFAULT (UINT64_C(64) << 20)
#define YR_WAL_SEAL_ROOM 64u             /* always kept for a seal */
#define YR_WAL_STAGING_BYTES (64u << 10) /* records up to this are written in one call */

/* A file that takes or took appends in this handle. */
typedef struct yr_wal_file {
    uint64_t id;
    uint64_t bytes;
    uint64_t seed;
    yore_file *file;
    bool has_map;      /* there is a mapping */
    bool mapped;       /* appends use it */
    uint64_t last_lsn; /* once ended; written before `next` */
    /* Set by the leader when it moves on. Release, pairs with the acquire in yr_wal_sync. */
    struct yr_wal_file *_Atomic next;
} yr_wal_file;

struct yr_wal {
    yr_wal_options options;
    yr_wal_place place;
    uint8_t uuid[YR_UUID_BYTES];

    /* leader only */
    uint64_t chain;
    uint8_t *staging;
    uint8_t seal_again[YR_WAL_RECORD_HEADER_BYTES]; /* see put_seal_again */
    uint64_t seal_again_off;                        /* 0 = nothing to do */
    bool is_manifest_unproven;                      /* see yr_wal_prove_manifest */
    bool has_data;                                  /* the current file has data records */
    uint64_t opened_lsn;                            /* the last record found at open; immutable */

    /* written by the leader, read by anyone */
    struct yr_wal_file *_Atomic tail; /* release; pairs with yr_wal_sync */
    atomic_uint_fast64_t off;         /* where the next record goes; relaxed: a hint to others */
    atomic_uint_fast64_t last_lsn;    /* release after the record's bytes; pairs with yr_wal_sync */
    atomic_uint_fast64_t prepare_off; /* from here on the next file should be made; relaxed hint */
    atomic_bool is_sealed;
    atomic_uint_fast64_t bytes;         /* of valid records; relaxed counter */
    atomic_uint_fast64_t dropped_bytes; /* of those, in files that an edit has dropped; relaxed counter */

    atomic_bool poisoned;             /* any thread; relaxed is enough: it only ever turns true */
    atomic_uint_fast64_t durable_lsn; /* written under sync_mutex, release; read by anyone, acquire */
    atomic_uint_fast64_t syncs;       /* relaxed counter */

    yr_mutex prepare_mutex;
    yr_manifest manifest;                 /* guarded by prepare_mutex */
    struct yr_wal_file *_Atomic prepared; /* written under prepare_mutex (release); read by the leader */
    atomic_uint_fast16_t manifest_claim; /* its generation once durable, 0 before; relaxed: only true facts */
    uint64_t prepared_bytes;             /* of the file made last: the next is larger; prepare_mutex */
    atomic_uint_fast64_t prepare_again_off; /* after a failure: not before this much is used; relaxed hint */
    atomic_uint_fast64_t files;             /* relaxed counter */

    yr_mutex sync_mutex;
    yr_wal_file *sync_from; /* oldest file that may hold unsynced records; guarded by sync_mutex */

    /* LOCK, for the watermark */
    yore_file *lock_file;
    bool lock_mapped, lock_ready;
    uint32_t publish_slot; /* of the two in LOCK, the one written next; the writer's */

    /* read-only handles: the place reading has come to; one caller at a time */
    yr_wal_walk walk;
    bool is_behind; /* the records after what was read are in segments only */
    uint64_t
        judged_lsn; /* the end of the log that was last looked at closely; 0 = not in this manifest's files */
};

/* How much of ended, unsynced files is left behind in the modes that do not sync: 256 MiB by default. */
static inline uint64_t yr_wal_behind_max(const yr_wal *wal)
{
    return wal->options.bytes_max * 4; /* a file is 2^40 bytes at most */
}

static inline uint64_t yr_wal_spare_bytes(uint64_t file_bytes)
{
    uint64_t spare = file_bytes / 16;
    return spare < (64u << 10) ? spare : 64u << 10;
}

/* When to make the next file: early, since a busy writer fills the rest while it is being made; but a store that
 * never outgrows its first file should not get a larger one at once. */
static inline uint64_t yr_wal_prepare_off(const yr_wal *wal, uint64_t file_bytes)
{
    return file_bytes <= wal->options.bytes_min ? file_bytes / 2 : file_bytes / 8;
}

/* wal_write.c */
/* Before anything is written after open: MANIFEST is proven. The leader's. */
yore_status yr_wal_get_ready(yr_wal *wal, yore_error *err);
yore_status yr_wal_fail_poisoned(const yr_wal *wal, yore_error *err);
yore_status yr_wal_fail_read_only(const yr_wal *wal, yore_error *err);
/* See wal_write.c; before the log moves on to another file. The leader's. */
yore_status yr_wal_settle_seal(yr_wal *wal, yore_error *err);
int yr_wal_file_put(const yr_wal *wal, const yr_wal_file *file, const void *bytes, size_t size, uint64_t off);

/* wal_prepare.c */
/* Wrap an open file; on failure it stays the caller's. Maps it when the options ask and the system can. */
yore_status yr_wal_adopt_file(yr_wal *wal, uint64_t id, yore_file *file, uint64_t bytes, uint64_t seed,
                              yr_wal_file **out, yore_error *err);
void yr_wal_drop_file(yr_wal *wal, yr_wal_file *file);
/* Before the first append of a handle that found MANIFEST without proof that it is durable: it may name files
 * that a power cut would take it back from. Written once more it is. The leader's. */
yore_status yr_wal_prove_manifest(yr_wal *wal, yore_error *err);
/* MANIFEST was just made durable: records may say so. prepare_mutex held. */
void yr_wal_note_manifest(yr_wal *wal);
/* What has ended and is durable is closed. prepare_mutex held. */
void yr_wal_close_durable(yr_wal *wal);
/* FULL promises that nothing was changed, which a poisoned log cannot. */
yore_status yr_wal_not_full_when_poisoned(const yr_wal *wal, yore_status status, yore_error *err);
/* Go on in a file with room for `need` bytes of record. The leader's. */
yore_status yr_wal_switch(yr_wal *wal, uint64_t need, bool urgent, yore_error *err);
/* Sync files from sync_from up to `last`; sync_mutex held. Poisons on failure. */
yore_status yr_wal_sync_files(yr_wal *wal, const yr_wal_file *last, yore_error *err);

/* wal_tail.c */
typedef struct yr_wal_recovery {
    yr_wal_walk walk;
    yr_wal_tail tail;
    yr_wal_opened current; /* where appends go on; file is owned until taken */
    uint64_t current_off;
    uint64_t chain;
    uint64_t durable_lsn;
    uint64_t prepared_id; /* a listed file without records behind the current one, 0 = none */
    bool rewrite_seal;
    bool is_copied; /* MANIFEST was or may have been replaced */
} yr_wal_recovery;
/* Make the tail safe to append to: W4. Fills in current... */
yore_status yr_wal_settle_tail(const yr_wal_options *options, yr_wal_recovery *recovery, yore_error *err);

/* wal_orphans.c */
typedef struct yr_wal_orphans {
    bool any;
    bool
        is_above; /* a segment or value file had a number at or above next_id, which MANIFEST should outgrow first */
} yr_wal_orphans;
/* Files no MANIFEST knows. With `remove` false only look: for proof that MANIFEST is too old, and for the
 * highest id (manifest->next_id is put above it, so that no number is used twice). */
yore_status yr_wal_sweep_orphans(const yr_wal_place *place, yr_manifest *manifest, uint64_t last_lsn,
                                 bool remove, yr_wal_orphans *out, yore_error *err);

/* wal_follow.c */
yore_status yr_wal_follow_open(yr_wal *wal, yr_wal_begin begin, yr_wal_apply apply, void *arg,
                               yore_error *err);
void yr_wal_lock_attach(yr_wal *wal);

#endif
