/* Bundles: one branch as one checksummed file, to be taken to another store.
 *
 * A bundle has the state of a branch at a point, or with `history` every commit that led there. With a `base` only
 * what differs from that point travels; the receiving store must have it, which import finds out. An import makes a
 * new branch, which is there when all of it is, and not before.
 *
 *     yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
 *     options.at = &exp;                               // NULL = default@now
 *     options.base = &fork;                            // NULL = everything
 *     status = yore_bundle_make(db, "exp.ybundle", &options, NULL, &err);
 *     ...
 *     status = yore_bundle_import(other, "exp.ybundle", yore_str("exp"), NULL, &where, NULL, &err);
 */
#ifndef YORE_BUNDLE_H
#define YORE_BUNDLE_H

#include <stdbool.h>

#include <yore/backup.h>
#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct yore_bundle_options {
    uint32_t struct_size;
    bool history; /* make: the commits, not just what they came to */
    bool reserved[3];
    const yore_at *at; /* make: what to bundle; NULL = default@now */
    /* make: a point that the receiving store has; NULL = none. With history it is in the past of `at`.
     * import: where that point is in this store; NULL = it is looked for */
    const yore_at *base;
    yore_backup_progress progress; /* NULL = none */
    void *progress_arg;
    const yore_env *env; /* info: NULL = yore_env_default(); the others use the store's */
} yore_bundle_options;

#define YORE_BUNDLE_OPTIONS_INIT                                                                \
    {                                                                                           \
        sizeof(yore_bundle_options), false, {false, false, false}, NULL, NULL, NULL, NULL, NULL \
    }

typedef struct yore_bundle_info {
    uint32_t struct_size;
    uint32_t format_major;
    uint32_t format_minor;
    bool has_history;
    bool has_base;
    bool reserved[2];
    uint8_t id[YORE_BACKUP_ID_BYTES];
    uint8_t store_id[YORE_BACKUP_ID_BYTES]; /* of the store it was made of; zeros for ":memory:" */
    uint64_t version;                       /* of its newest commit, there */
    int64_t time_ns;
    uint64_t base_version; /* 0 = no base */
    int64_t base_time_ns;
    int64_t created_ns; /* wall clock when it was made */
    uint64_t commits;   /* of its own: 0 when it is what its base is */
    uint64_t rows;      /* puts and deletes */
    uint64_t raw_bytes;
    uint64_t file_bytes;
    char branch[YORE_BRANCH_NAME_MAX + 1]; /* its name there */
    char base_branch[YORE_BRANCH_NAME_MAX + 1];
    char reserved2[6];
} yore_bundle_info;

#define YORE_BUNDLE_INFO_INIT                                                                              \
    {                                                                                                      \
        sizeof(yore_bundle_info), 0, 0, false, false, {false, false}, {0}, {0}, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
            {0}, {0},                                                                                      \
        {                                                                                                  \
            0                                                                                              \
        }                                                                                                  \
    }

/* Make a bundle. Writers and readers go on meanwhile.
 * db       any handle, read-only ones too.
 * dest     a file that does not exist; its directory does. Written as `dest`.tmp, which a killed process may leave.
 * options  NULL = the state of default@now.
 * out      may be NULL: what was made. struct_size set by the caller.
 * Returns YORE_OK; YORE_ERR_EXISTS when there is something at `dest`, YORE_ERR_REFUSED for a base that has no commit,
 *         or with history is not in the past of `at`; as yore_snap_open for each of the points; YORE_ERR_CANCELLED,
 *         YORE_ERR_FULL, YORE_ERR_LOCKED (another call makes `dest`), YORE_ERR_IO, YORE_ERR_NOMEM, YORE_ERR_MISUSE.
 *         On a failure there is nothing at `dest`.
 * Threads any.   Blocks on the disk, never on writers.
 * Cost O(keys), with a base O(changes since), with history O(commits); memory of the largest commit and 4 MiB. */
YORE_API YORE_NODISCARD yore_status yore_bundle_make(yore_db *db, const char *dest,
                                                     const yore_bundle_options *options,
                                                     yore_bundle_info *out, yore_error *err);

/* Read all of a bundle, check every byte and every commit, and describe it.
 * out      struct_size set by the caller; set only on YORE_OK.
 * Returns YORE_OK; YORE_ERR_NO_STORE when there is nothing at `path`, YORE_ERR_NOT_STORE for something else,
 *         YORE_ERR_CORRUPT with the place, YORE_ERR_FORMAT for one of a newer yore, YORE_ERR_CANCELLED, YORE_ERR_IO,
 *         YORE_ERR_NOMEM, YORE_ERR_MISUSE.
 * Threads any.   Blocks on the disk.   Cost O(bundle); memory of the largest commit and 4 MiB. */
YORE_API YORE_NODISCARD yore_status yore_bundle_info_get(const char *path, const yore_bundle_options *options,
                                                         yore_bundle_info *out, yore_error *err);

/* Make a branch of a bundle: of its base if it has one, else a root. Every byte is checked before anything is done.
 * The branch is called "importing/" and its name until it is complete; a killed process may leave one, which is to be
 * deleted. Commits keep their times where these are later than the store's last one, else they are moved forward by
 * the least; `source_time` has them in any case.
 * name     of the new branch; legal and unused.
 * where    may be NULL: the new branch and its newest commit.
 * out      may be NULL: what the bundle is. struct_size set by the caller.
 * Returns YORE_OK; as yore_bundle_info_get; YORE_ERR_NAME, YORE_ERR_EXISTS; YORE_ERR_NO_BRANCH when this store does not
 *         have the base, YORE_ERR_REFUSED when what is there is not what the bundle was made on; else as a commit. On a
 *         failure there is no branch of that name.
 * Threads any.   Blocks on the disk and as commits.   Cost O(bundle), read twice. */
YORE_API YORE_NODISCARD yore_status yore_bundle_import(yore_db *db, const char *path, yore_slice name,
                                                       const yore_bundle_options *options, yore_where *where,
                                                       yore_bundle_info *out, yore_error *err);

#ifdef __cplusplus
}
#endif
#endif
