/* Backups, inside: where files are, reading and writing one, following a chain of them, and the store as a source of
 * commit frames. Used by engine/backup only.
 *
 * B1  a file is at its name only when it is whole and synced; a store likewise.
 * B2  nothing that was there is written over.
 * B3  bytes are believed only after their checksum, and their sizes are within limits before memory is asked for.
 * B4  commits are given on in order, without holes, each one judged as the log's are at replay.
 */
#ifndef YR_BACKUP_PRIVATE_H
#define YR_BACKUP_PRIVATE_H

#include "engine/base/buf.h"
#include "engine/db/handle.h"
#include "engine/format/backup_format.h"
#include "engine/segment/segment_codec.h"

/* Of one commit: what the commit path may put together, too. */
#define YR_BACKUP_FRAME_MAX ((size_t)(1u << 31) + (1u << 28))

/* What a file of this shape is: a backup, or a bundle of one branch (engine/bundle). */
typedef struct yr_backup_sort {
    uint16_t kind; /* enum yr_file_kind */
    const char *noun;
} yr_backup_sort;
extern const yr_backup_sort yr_sort_backup, yr_sort_bundle;

/* -- backup_place.c: a path as directory and name -- */

typedef struct yr_backup_place {
    const yore_env *env;
    char *text; /* "parent\0name\0" */
    size_t text_bytes;
    const char *parent; /* "." when the path has none */
    const char *name;
    const char *path; /* as given, for messages; borrowed */
    yore_dir *dir;    /* the parent */
} yr_backup_place;

/* Split and open the parent. Deinit in any case. */
yore_status yr_backup_place_init(yr_backup_place *place, const yore_env *env, const char *path,
                                 yore_error *err);
void yr_backup_place_deinit(yr_backup_place *place);
/* Is there anything of that name? YORE_ERR_EXISTS when there is, YORE_OK when not, or the failure to tell. */
yore_status yr_backup_place_is_free(const yr_backup_place *place, yore_error *err);

/* options, or the defaults; YORE_ERR_MISUSE when they were not initialised. */
yore_status yr_backup_options_check(const yore_backup_options **options, const yore_backup_info *out,
                                    yore_error *err);
const yore_env *yr_backup_env(const yore_backup_options *options);
/* Tell how far it is. YORE_OK or YORE_ERR_CANCELLED. */
yore_status yr_backup_progress(const yore_backup_options *options, uint64_t done, uint64_t total,
                               yore_error *err);

/* -- backup_file.c: reading one file -- */

typedef struct yr_backup_file {
    const yore_env *env;
    yore_file *file;  /* NULL = not open */
    const char *path; /* for messages, borrowed */
    const yr_backup_sort *sort;
    yr_file_header header;
    uint64_t seed;
    yr_backup_manifest manifest;
} yr_backup_file;

/* Open, check header and manifest. */
yore_status yr_backup_file_open(yr_backup_file *file, const yr_backup_sort *sort, const yore_env *env,
                                yore_dir *dir, const char *name, const char *path, yore_error *err);
void yr_backup_file_close(yr_backup_file *file);
void yr_backup_info_fill(const yr_backup_file *file, yore_backup_info *out);
/* The start of a file: is it a backup, and which? False when not, or when it cannot be read. */
bool yr_backup_file_peek(const yore_env *env, yore_dir *dir, const char *name, uint8_t id[YR_SALT_BYTES]);

/* Whole frames, of the versions first..last. */
typedef yore_status (*yr_backup_sink)(void *arg, yore_slice frames, uint64_t first, uint64_t last,
                                      yore_error *err);

/* What goes on from one file of a chain to the next. */
typedef struct yr_backup_reader {
    const yore_env *env;
    const yore_backup_options *options; /* for progress */
    uint64_t total;                     /* commits, for progress */
    yr_backup_sink sink;                /* may be NULL */
    void *sink_arg;
    uint64_t version; /* the last one read */
    int64_t time_ns;
    uint64_t rows, raw_bytes;
    yr_buf frames;   /* not given on yet */
    uint8_t *stored; /* of one chunk */
    yr_decoders *decoders;
    yr_hash128 *hash;
} yr_backup_reader;

yore_status yr_backup_reader_init(yr_backup_reader *reader, const yore_env *env, yore_error *err);
void yr_backup_reader_deinit(yr_backup_reader *reader);
/* Read all of a file and give its commits on. */
yore_status yr_backup_reader_run(yr_backup_reader *reader, const yr_backup_file *file, yore_error *err);

/* -- backup_chain.c: a backup and its bases -- */

typedef struct yr_backup_chain yr_backup_chain;
/* Find and check the headers and manifests of a backup and all its bases. */
yore_status yr_backup_chain_open(const char *path, const yore_backup_options *options, yr_backup_chain **out,
                                 yore_error *err);
void yr_backup_chain_close(yr_backup_chain *chain);
/* The newest one's facts, and the sums of all. */
void yr_backup_chain_info(const yr_backup_chain *chain, yore_backup_info *out);
/* Read everything from the full backup on. */
yore_status yr_backup_chain_run(const yr_backup_chain *chain, const yore_backup_options *options,
                                yr_backup_sink sink, void *arg, yore_error *err);

/* -- backup_source.c: a store's commits as frames -- */

#define YR_BACKUP_SOURCE_ROWS 128u

typedef struct yr_backup_source {
    yore_db *db;
    yore_iter *iter;
    uint64_t version;      /* the last one given */
    uint64_t iter_commits; /* given since the iterator was opened */
    size_t row_count, row;
    yore_row rows[YR_BACKUP_SOURCE_ROWS];
    yr_buf frame;
    uint32_t frame_rows;
} yr_backup_source;

void yr_backup_source_init(yr_backup_source *source, yore_db *db, uint64_t after_version);
void yr_backup_source_deinit(yr_backup_source *source);
/* The next commit as source->frame. There must be one: version < the visible one. */
yore_status yr_backup_source_next(yr_backup_source *source, yore_error *err);

/* -- backup_writer.c: writing one file -- */

typedef struct yr_backup_writer {
    yr_backup_place place;
    const yr_backup_sort *sort;
    char *tmp_name;
    size_t tmp_bytes;
    yore_file *file; /* the temporary one, locked; NULL = none */
    uint64_t seed;
    uint64_t off;
    uint64_t synced_off;
    uint8_t *raw; /* of the chunk being filled */
    size_t raw_size;
    uint8_t *stored; /* header and bytes of a chunk */
    yr_compressor *compressor;
    yr_hash128 *hash;
    yr_file_header header;
    yr_backup_manifest manifest; /* the caller fills in what it knows */
} yr_backup_writer;

/* Make the temporary file and begin it. writer->header has uuid and file id. Abandon in any case. */
yore_status yr_backup_writer_begin(yr_backup_writer *writer, const yr_backup_sort *sort, const yore_env *env,
                                   const char *dest, yore_error *err);
yore_status yr_backup_writer_put(yr_backup_writer *writer, const void *bytes, size_t size, yore_error *err);
/* Write the manifest and give the file its name. */
yore_status yr_backup_writer_finish(yr_backup_writer *writer, yore_error *err);
/* Free everything; removes the file unless it was finished. */
void yr_backup_writer_abandon(yr_backup_writer *writer);

#endif
