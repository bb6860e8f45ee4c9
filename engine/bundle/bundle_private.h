/* Bundles, inside: making the frames of one, reading one, and finding its base in another store. Used by engine/bundle
 * only. Files are written and read as backups are (engine/backup), under another kind.
 *
 * N1  a bundle is checked whole, to the last byte, before a store is changed by it.
 * N2  a branch has its name only when it is complete.
 * N3  a base is one commit of known time, note and author, or one that a bundle of it brought here; and every key that
 *     the bundle changes has there the state that it had where the bundle was made.
 */
#ifndef YR_BUNDLE_PRIVATE_H
#define YR_BUNDLE_PRIVATE_H

#include "engine/backup/backup_private.h"
#include "engine/format/bundle_format.h"

#define YR_BUNDLE_BRANCH 1u            /* the id that all commits of a bundle have */
#define YR_BUNDLE_WORKING "importing/" /* a branch's name begins so until it is complete */
#define YR_BUNDLE_MARKER_MAX 80u       /* "bundle:<store>@v<version>" and a NUL */

/* options, or the defaults; YORE_ERR_MISUSE when they were not initialised. */
yore_status yr_bundle_options_check(const yore_bundle_options **options, const yore_bundle_info *out,
                                    yore_error *err);

/* The point (branch, version) as a SPEC that needs no names. */
yore_at yr_bundle_point(uint32_t branch_id, uint64_t version);

/* Where a commit of a bundle came from, kept as its source where it has none of its own. Empty for a store in memory,
 * which has no id. */
void yr_bundle_marker(const uint8_t store_id[YR_UUID_BYTES], uint64_t version,
                      char out[YR_BUNDLE_MARKER_MAX]);

/* What a commit is known by in another store, besides its time. */
void yr_bundle_identity(const yore_commit_info *info, uint8_t out[YR_HASH128_BYTES]);

/* -- bundle_rows.c: frames into a file that is being written -- */

typedef struct yr_bundle_out {
    yore_db *db;
    const yore_bundle_options *options;
    yr_backup_writer *writer;
    yr_bundle_head head;
    yore_at tip, base; /* base.version 0 = none */
    bool is_commit;    /* the tip is by its newest commit; else it has none */
    yr_buf frame;
    size_t frame_at;
    uint32_t frame_rows;
    uint32_t head_rows;                                                 /* of the first frame */
    uint64_t number;                                                    /* of the last frame begun */
    int64_t time_ns;                                                    /* its time */
    char note[YORE_BRANCH_NAME_MAX + 48], marker[YR_BUNDLE_MARKER_MAX]; /* of a state's commits */
} yr_bundle_out;

/* The first frame: the head, and what the base has of the keys that differ. */
yore_status yr_bundle_put_head(yr_bundle_out *out, yore_error *err);
yore_status yr_bundle_put_state(yr_bundle_out *out, yore_error *err);
yore_status yr_bundle_put_history(yr_bundle_out *out, yore_error *err);

/* -- bundle_file.c: reading one -- */

/* Each commit, behind the head. `rows` reads its rows, all of which are legal. */
typedef yore_status (*yr_bundle_each)(void *arg, const yr_commit_head *commit, yr_reader *rows,
                                      yore_error *err);

typedef struct yr_bundle_reading {
    const char *path;
    const yore_env *env;
    const yore_bundle_options *options;
    /* The head, and the rows that say what the base has. May be NULL, as `each`. */
    yore_status (*begin)(void *arg, const yr_bundle_head *head, const yr_commit_head *frame, yr_reader *rows,
                         yore_error *err);
    yr_bundle_each each;
    void *arg;
    yore_bundle_info info; /* when it is all read */
} yr_bundle_reading;

void yr_bundle_info_fill(yore_bundle_info *info, const yr_file_header *header,
                         const yr_backup_manifest *manifest, const yr_bundle_head *head, uint32_t head_rows);
/* Read all of it, checking every byte. */
yore_status yr_bundle_read(yr_bundle_reading *reading, yore_error *err);

/* -- bundle_base.c -- */

/* Find the point of this store that a bundle was made on; options->base says where, or NULL. */
yore_status yr_bundle_find_base(yore_db *db, const yr_bundle_reading *reading, const yr_bundle_head *head,
                                const uint8_t store_id[YR_UUID_BYTES], yore_at *out, yore_error *err);
/* Has it, of the keys that the bundle changes, what it should have? */
yore_status yr_bundle_check_base(yore_db *db, const char *path, const yore_at *base,
                                 const yr_commit_head *frame, yr_reader *rows, yore_error *err);

#endif
