/* Backups: the commits of a store in one file each, made while it is in use.
 *
 * A full backup holds every commit from the first to the newest at the moment it began; an incremental one those after
 * the last of its base, which may be incremental itself. A file says what it is, carries checksums over every
 * byte, and appears under its name only when it is whole. Restoring builds a new store with the same log, versions,
 * times, branches, tags, settings and answers, up to the end or to any version before it. What a backup holds is the
 * commit log, so it does not depend on how a store keeps its files.
 *
 *     yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
 *     status = yore_backup_make(db, "monday.ybk", &options, NULL, &err);
 *     options.base = "monday.ybk";
 *     status = yore_backup_make(db, "tuesday.ybk", &options, NULL, &err);
 *     ...
 *     options.base = NULL;                     // bases are found beside the backup, by their ids
 *     options.last_version = 1042;             // 0 = everything
 *     status = yore_backup_restore("tuesday.ybk", "again.yore", &options, NULL, &err);
 */
#ifndef YORE_BACKUP_H
#define YORE_BACKUP_H

#include <stdbool.h>

#include <yore/env.h>
#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YORE_BACKUP_ID_BYTES 16u

/* Called now and then from the calling thread: `done` of `total` commits. Non-zero stops: YORE_ERR_CANCELLED. */
typedef int (*yore_backup_progress)(void *arg, uint64_t done, uint64_t total);

typedef struct yore_backup_options {
    uint32_t struct_size;
    uint32_t reserved;
    /* make: the backup to go on from; NULL = a full one. Else: another place of bases, a backup or a directory, for
     * those that are not beside the backup */
    const char *base;
    uint64_t last_version;         /* restore and open: the last version to take; 0 = all */
    yore_db *compare;              /* verify: a store that must hold the same commits; NULL = none */
    yore_backup_progress progress; /* NULL = none */
    void *progress_arg;
    const yore_env *env; /* NULL = yore_env_default(); make uses the store's */
} yore_backup_options;

#define YORE_BACKUP_OPTIONS_INIT                                        \
    {                                                                   \
        sizeof(yore_backup_options), 0, NULL, 0, NULL, NULL, NULL, NULL \
    }

typedef struct yore_backup_info {
    uint32_t struct_size;
    uint32_t files; /* how many backups were read: 1 for one, with its bases for a chain */
    uint8_t id[YORE_BACKUP_ID_BYTES];
    uint8_t base_id[YORE_BACKUP_ID_BYTES];  /* zeros = a full backup */
    uint8_t store_id[YORE_BACKUP_ID_BYTES]; /* of the store it was made of; zeros for ":memory:" */
    uint64_t first_version;                 /* 1 for a full backup */
    uint64_t last_version;                  /* first_version - 1 when nothing was new */
    int64_t last_time_ns;                   /* of the commit of last_version */
    int64_t created_ns;                     /* wall clock when the backup was made */
    uint64_t commits;   /* in this file; in all of them for a chain. So the next three too */
    uint64_t rows;      /* puts and deletes, registry records included */
    uint64_t raw_bytes; /* of commits, before packing */
    uint64_t file_bytes;
    uint32_t format_major;
    uint32_t format_minor;
} yore_backup_info;

#define YORE_BACKUP_INFO_INIT                                                    \
    {                                                                            \
        sizeof(yore_backup_info), 0, {0}, {0}, {0}, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/* Make a backup of everything that is visible when the call begins. Writers and readers go on meanwhile.
 * db       any handle, read-only ones too.
 * dest     a file that does not exist; its directory does. Written as `dest`.tmp, which a killed process may leave.
 * options  NULL = a full backup without progress. `base` must be a backup of this store's history.
 * out      may be NULL: what was made. struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_EXISTS when there is something at `dest`, YORE_ERR_REFUSED for a base that is not of this
 *         store's history, YORE_ERR_CANCELLED, YORE_ERR_FULL, YORE_ERR_CORRUPT (the base), YORE_ERR_NO_STORE,
 *         YORE_ERR_NOT_STORE (nothing, or something else, at `base`), YORE_ERR_LOCKED (another call makes `dest`),
 *         YORE_ERR_IO, YORE_ERR_NOMEM, YORE_ERR_MISUSE. On a failure there is nothing at `dest`.
 * Threads any.   Blocks on the disk, never on writers.   Cost O(commits); memory of the largest commit and 4 MiB. */
YORE_API YORE_NODISCARD yore_status yore_backup_make(yore_db *db, const char *dest,
                                                     const yore_backup_options *options,
                                                     yore_backup_info *out, yore_error *err);

/* Read what a backup says of itself: its header and manifest are checked, the rest is not read.
 * out      struct_size set by the caller; set only on YORE_OK.
 * Returns YORE_OK; YORE_ERR_NO_STORE, YORE_ERR_NOT_STORE, YORE_ERR_CORRUPT, YORE_ERR_FORMAT, YORE_ERR_IO,
 *         YORE_ERR_NOMEM, YORE_ERR_MISUSE.
 * Threads any.   Blocks on the disk.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_backup_info_get(const char *path, const yore_backup_options *options,
                                                         yore_backup_info *out, yore_error *err);

/* One file of a directory: `info` is NULL for one that begins as a backup and is not whole; `why` says the rest.
 * Non-zero stops the listing. */
typedef int (*yore_backup_each)(void *arg, const char *name, const yore_backup_info *info,
                                const yore_error *why);

/* Find the backups in a directory, in no particular order. Other files are passed over.
 * Returns YORE_OK; YORE_ERR_NO_STORE when there is no such directory, YORE_ERR_IO, YORE_ERR_NOMEM, YORE_ERR_MISUSE.
 * Threads any.   Blocks on the disk.   Cost O(files). */
YORE_API YORE_NODISCARD yore_status yore_backup_list(const char *dir, const yore_backup_options *options,
                                                     yore_backup_each each, void *arg, yore_error *err);

/* Read all of a backup and of its bases, and check every byte and every commit.
 * out      may be NULL: last version and time of `path`, counts of all files. struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_CORRUPT with file and place of the first problem, or the first commit in which
 *         options->compare differs; YORE_ERR_NO_STORE (also for a base that is not found), YORE_ERR_NOT_STORE,
 *         YORE_ERR_FORMAT, YORE_ERR_CANCELLED, YORE_ERR_IO, YORE_ERR_NOMEM, YORE_ERR_MISUSE.
 * Threads any.   Blocks on the disk.   Cost O(backup); memory of the largest commit and 4 MiB. */
YORE_API YORE_NODISCARD yore_status yore_backup_verify(const char *path, const yore_backup_options *options,
                                                       yore_backup_info *out, yore_error *err);

/* Build a new store from a backup and its bases.
 * new_path  must not exist; the directory it is to be in does. It appears when the store is whole. Until then
 *           everything is in a directory of another name beside it, which an interrupted process may leave.
 * out       may be NULL: counts of what was read; last_version and last_time_ns are the new store's.
 * Returns YORE_OK; YORE_ERR_EXISTS when there is something at `new_path`, YORE_ERR_TIME_RANGE when
 *         options->last_version is not in the backup; else as yore_backup_verify, and YORE_ERR_FULL. On a failure there
 *         is nothing at `new_path`.
 * Threads any.   Blocks on the disk.   Cost O(backup), memory as for opening the store. */
YORE_API YORE_NODISCARD yore_status yore_backup_restore(const char *path, const char *new_path,
                                                        const yore_backup_options *options,
                                                        yore_backup_info *out, yore_error *err);

/* Open a backup and its bases as a store in memory, to look at without restoring it: a read-only handle.
 * out      set only on YORE_OK; close it with yore_close. The backup's files are not needed any more.
 * Returns as yore_backup_restore.
 * Threads any.   Blocks on the disk.   Cost O(backup), memory as for opening the store. */
YORE_API YORE_NODISCARD yore_status yore_backup_open(const char *path, const yore_backup_options *options,
                                                     yore_db **out, yore_error *err);

#ifdef __cplusplus
}
#endif
#endif
