/* Single files of a log: making, opening and checking them, and MANIFEST. Used by the log's parts only. */
#ifndef YR_WAL_FILE_H
#define YR_WAL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/env.h>

#include "engine/base/file_io.h"
#include "engine/format/file_name.h"
#include "engine/format/manifest_format.h"
#include "engine/format/wal_format.h"
#include "engine/wal/wal.h"

#define YR_WAL_NAME_BYTES YR_FILE_NAME_BYTES
#define YR_WAL_MANIFEST_NAME "MANIFEST"
#define YR_WAL_MANIFEST_TMP "MANIFEST.tmp"
#define YR_WAL_MANIFEST_SPARE "MANIFEST.bak"
#define YR_WAL_SPARE_TMP "MANIFEST.bak.tmp"
#define YR_WAL_LOCK_NAME "LOCK"
#define YR_WAL_LOST_NAME "lost+found"

/* Where the files are: what most functions here need. */
typedef struct yr_wal_place {
    const yore_env *env;
    yore_dir *dir;
    const char *path;
} yr_wal_place;

/* "wal-00000001.log"; with `making`, the name it has until it is whole: "wal-00000001.tmp". */
static inline void yr_wal_file_name(uint64_t id, bool making, char to[YR_WAL_NAME_BYTES])
{
    yr_file_name(YR_FILE_WAL, id, making, to);
}

/* -- making a file -- */

/* A new log file under its temporary name. Records may be put in with write_all from YR_WAL_START_OFF on;
 * then `finish` writes zeros from `from_off` to its end, syncs, gives it its name and syncs the directory.
 * Until then, and when anything fails, no file of that name exists. */
typedef struct yr_wal_making {
    yr_wal_place place;
    yore_file *file; /* NULL once handed over */
    uint64_t id;
    uint64_t bytes;
    uint64_t seed;
    const yr_wal_pause *pause; /* may be NULL */
    bool sync_failed;          /* the failure was a sync that was no matter of space: F10 */
} yr_wal_making;

/* `link->bytes` is the size to make. Nothing may be kept when it fails: call abandon. */
yore_status yr_wal_make_begin(yr_wal_making *making, const yr_wal_place *place,
                              const uint8_t uuid[YR_UUID_BYTES], uint64_t id, const yr_wal_link *link,
                              yore_error *err);
yore_status yr_wal_make_finish(yr_wal_making *making, uint64_t from_off, yore_error *err);
/* Remove what was made, under either name; harmless after success if `file` was taken. */
void yr_wal_make_abandon(yr_wal_making *making);

/* -- opening -- */

typedef struct yr_wal_opened {
    yore_file *file;
    uint64_t id;
    uint64_t bytes; /* its size as its header says; the file has at least that */
    uint64_t seed;
    yr_wal_link link;
    bool is_held; /* the handle is the walk's, which closes it when it is past the file */
} yr_wal_opened;

/* Open and check header and link. A missing, short, foreign or damaged file is YORE_ERR_CORRUPT naming it; a
 * missing one sets *missing (which may be NULL) too, for readers that race with a writer. */
yore_status yr_wal_file_open(const yr_wal_place *place, const uint8_t uuid[YR_UUID_BYTES], uint64_t id,
                             bool write, yr_wal_opened *out, bool *missing, yore_error *err);

/* -- MANIFEST -- */

typedef struct yr_manifest {
    uint8_t uuid[YR_UUID_BYTES];
    uint32_t format_major, format_minor;
    uint64_t generation;         /* rewrites */
    uint8_t salt[YR_SALT_BYTES]; /* of this one */
    bool is_spare;               /* MANIFEST is damaged; this is its copy, which has proven itself */
    uint64_t next_id;
    uint64_t durable_lsn;
    uint64_t start_id, start_lsn, start_chain; /* M4 */
    yr_manifest_entry *entries;
    uint32_t count, capacity;
    yr_store_state state; /* its files are owned */
} yr_manifest;

void yr_manifest_deinit(yr_manifest *manifest, const yore_env *env);
/* Room for `extra` more entries. */
bool yr_manifest_grow(yr_manifest *manifest, const yore_env *env, uint32_t extra);
/* `to` gets files of its own; false when memory ran out. Free with yr_state_deinit. */
bool yr_state_copy(yr_store_state *to, const yr_store_state *from, const yore_env *env);
void yr_state_deinit(yr_store_state *state, const yore_env *env);
/* A damaged MANIFEST is replaced by its copy, if that proves to be the same: is_spare says so. */
yore_status yr_manifest_load(const yr_wal_place *place, yr_manifest *out, yore_error *err);
/* Look at both. */
yore_status yr_manifest_verify(const yr_wal_place *place, yore_error *err);
/* Make the copy again unless it is the same as MANIFEST, which `manifest` was read from. Failures are not reported. */
void yr_manifest_renew_spare(const yr_wal_place *place, const yr_manifest *manifest);

enum yr_manifest_outcome {
    YR_MANIFEST_SAME = 0, /* the old one is in place, and stays */
    YR_MANIFEST_NEW,      /* the new one is, durably */
    YR_MANIFEST_UNKNOWN   /* either may be found after a power cut: poison */
};
/* Write it as the next generation: temporary name, sync, rename, directory sync; then the copy. */
yore_status yr_manifest_store(const yr_wal_place *place, yr_manifest *manifest,
                              enum yr_manifest_outcome *outcome, yore_error *err);

/* Sync the directory (the one place, so that the tests can leave it out). */
int yr_wal_dir_sync(const yr_wal_place *place);

#endif
