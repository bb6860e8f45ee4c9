/* Salvaging, inside.
 *
 *   salvage_files    what is in the directory: MANIFEST or a look around; segments and value files that can be opened
 *   salvage_log      whole records of the log, and which of them are the store's
 *   salvage_survey   what must be known before the first commit: branches, erasures, the last version
 *   salvage_spool    rows, heads and frames of the next versions, put in order
 *   salvage_build    one version after the other, as a frame that replay accepts
 *
 * Y1 nothing is believed but bytes whose checksum is right; what is believed is judged again by replay.
 * Y2 sources with a higher rank win; the rows of a frame of the log are all there are of its version.
 * Y3 every version up to the last one known gets a commit. */
#ifndef YR_SALVAGE_PRIVATE_H
#define YR_SALVAGE_PRIVATE_H

#include "engine/backup/store_maker.h"
#include "engine/compact/keep.h"
#include "engine/segment/run.h"
#include "engine/segment/value_set.h"
#include "engine/wal/wal_file.h"
#include "engine/wal/wal_walk.h"

#include <yore/salvage.h>

#define YR_SALVAGE_LIST_MAX ((size_t)1 << 36) /* of lists and spools: no limit but memory */

/* A segment that was opened. */
typedef struct yr_salvage_segment {
    uint64_t file_id;
    yr_run *run;       /* of this one file; what it says of branches is not read */
    bool was_told;     /* its damages were */
    uint64_t rows_bad; /* of the footer's that could not be read */
} yr_salvage_segment;

typedef struct yr_salvage_file {
    uint64_t id;
    enum yr_file_kind kind;
    const yr_store_file *named; /* by MANIFEST, NULL = found */
} yr_salvage_file;

typedef struct yr_salvage_log_file {
    yr_wal_opened opened; /* file NULL = unreadable */
    uint64_t end_off;     /* records of it that count end here */
} yr_salvage_log_file;

typedef struct yr_salvage_record {
    uint32_t file;
    uint64_t lsn;
    uint64_t off;
    uint64_t payload_bytes;
    uint64_t durable_lsn;
} yr_salvage_record;

/* A version range that a damage may have taken rows of. */
typedef struct yr_salvage_range {
    uint64_t after, last;
} yr_salvage_range;

/* What is known of a branch before it is made. */
typedef struct yr_salvage_branch {
    uint64_t oldest;                 /* version of its oldest record that was found; UINT64_MAX = none */
    uint64_t first_use;              /* of its oldest commit; likewise */
    bool is_late;                    /* that record cannot be the one that made it */
    size_t record_off, record_bytes; /* that record, in branch_records */
} yr_salvage_branch;

typedef struct yr_salvage {
    const yore_env *env;
    const char *path;
    yore_dir *dir;
    const yore_salvage_options *options;
    yore_salvage_report report;
    bool has_manifest;
    yr_manifest manifest;
    uint8_t uuid[YR_UUID_BYTES];
    yr_block_cache *cache;
    yr_decoders *decoders;
    yr_buf files;    /* yr_salvage_file, by id */
    yr_buf segments; /* yr_salvage_segment, the newest file first: by rank */
    yr_value_set *values;
    yr_buf logs;    /* yr_salvage_log_file, by id */
    yr_buf records; /* yr_salvage_record, by lsn */
    yr_wal_window window;
    uint32_t window_file; /* the log file in it */
    /* the survey */
    yr_buf branches; /* yr_salvage_branch by id */
    yr_buf branch_records;
    yr_buf erasures; /* yr_keep_erasure */
    yr_buf damaged;  /* yr_salvage_range */
    uint64_t floor;  /* below this version rows may be missing because they were trimmed */
    uint64_t last_version;
    bool is_unsure; /* a file is unreadable, and nobody knows what it held */
} yr_salvage;

static inline uint32_t yr_salvage_count(const yr_buf *list, size_t item_bytes)
{
    return (uint32_t)(list->size / item_bytes);
}
#define YR_SALVAGE_COUNT(list, type) yr_salvage_count(&(list), sizeof(type))
#define YR_SALVAGE_AT(list, type, i) (&((type *)(void *)(list).data)[i])

yore_status yr_salvage_no_memory(const yr_salvage *s, yore_error *err);
/* Is the failure one to go on behind? Damage, and what a disk refuses to give. */
static inline bool yr_salvage_is_damage(yore_status status)
{
    return status == YORE_ERR_CORRUPT || status == YORE_ERR_IO || status == YORE_ERR_FORMAT;
}
void yr_salvage_tell(yr_salvage *s, const yore_salvage_loss *loss);
/* Rows of these versions may be gone. False when memory is out. */
bool yr_salvage_note_range(yr_salvage *s, uint64_t after, uint64_t last);

/* salvage_files.c */
yore_status yr_salvage_find_files(yr_salvage *s, yore_error *err);
yore_status yr_salvage_open_files(yr_salvage *s, yore_error *err);

/* salvage_log.c */
yore_status yr_salvage_read_logs(yr_salvage *s, yore_error *err);
/* A record's payload; valid until the next call. */
yore_status yr_salvage_payload(yr_salvage *s, const yr_salvage_record *record, yore_slice *payload,
                               yore_error *err);

/* salvage_rows.c: every row of a segment that can be read. The first time through it tells the damages. */
typedef yore_status (*yr_salvage_row_sink)(void *arg, const yr_segment_row *row, yore_error *err);
/* YORE_END from the sink ends it early: YORE_OK. */
yore_status yr_salvage_rows(yr_salvage *s, yr_salvage_segment *segment, yr_salvage_row_sink sink, void *arg,
                            yore_error *err);
typedef yore_status (*yr_salvage_commit_sink)(void *arg, const yr_commit_head *head, yore_error *err);
/* Every commit; a note that is damaged is left out. `tells` damages. */
yore_status yr_salvage_commits(yr_salvage *s, yr_salvage_segment *segment, bool tells,
                               yr_salvage_commit_sink sink, void *arg, yore_error *err);

/* salvage_survey.c */
yore_status yr_salvage_survey(yr_salvage *s, yore_error *err);

/* salvage_spool.c */
enum yr_salvage_kind { YR_SALVAGE_FRAME, YR_SALVAGE_HEAD, YR_SALVAGE_ROW };
typedef struct yr_salvage_entry {
    uint64_t version;
    size_t off; /* of its bytes in the spool */
    size_t bytes;
    uint32_t rank;     /* the lower the better */
    uint32_t rows;     /* HEAD: that the commit counts */
    uint8_t kind;      /* enum yr_salvage_kind */
    bool is_reference; /* ROW */
    uint32_t branch;   /* ROW */
} yr_salvage_entry;

typedef struct yr_salvage_spool {
    const yore_env *env;
    uint64_t after, last; /* it has all there is of the versions in (after, last] */
    size_t bytes_max;
    yr_buf entries; /* yr_salvage_entry, by version, kind and rank */
    yr_buf bytes;
} yr_salvage_spool;

void yr_salvage_spool_init(yr_salvage_spool *spool, const yore_env *env, size_t bytes_max);
void yr_salvage_spool_deinit(yr_salvage_spool *spool);
/* Fill it with what follows on version `after`, as far as it has room, but with one version at least. */
yore_status yr_salvage_spool_fill(yr_salvage *s, yr_salvage_spool *spool, uint64_t after, yore_error *err);

/* salvage_build.c */
yore_status yr_salvage_build(yr_salvage *s, yr_store_maker *maker, yore_error *err);

#endif
