/* Reading a `git fast-export` stream: one top-level command at a time, checked, with its contents left in place.
 *
 * A stream is read twice in the same way: once for its commit graph, once to make the commits. Blob contents and
 * messages are spans of the input. Marks are resolved here; what a command means is the caller's.
 */
#ifndef YORE_CLI_GIT_STREAM_H
#define YORE_CLI_GIT_STREAM_H

#include "cli/git_map.h"
#include "cli/import.h"

#define GIT_MODE_FILE 0100644u
#define GIT_MODE_LINK 0120000u
#define GIT_MODE_SUBMODULE 0160000u
#define GIT_NO_COMMIT UINT32_MAX

/* A part of the input. */
typedef struct git_span {
    uint64_t off;
    uint64_t size;
} git_span;

/* A part of git_record.text. */
typedef struct git_text {
    size_t off;
    size_t size;
} git_text;

typedef enum git_op_kind { GIT_PUT, GIT_DELETE, GIT_DELETE_ALL, GIT_RENAME, GIT_COPY } git_op_kind;

typedef struct git_op {
    git_op_kind kind;
    uint32_t mode;  /* GIT_PUT */
    git_text path;  /* what changes; of a rename or copy: its source */
    git_text other; /* rename, copy: the new path; GIT_PUT of a submodule: its commit id */
    git_span data;  /* GIT_PUT: the contents */
} git_op;

typedef enum git_kind { GIT_COMMIT, GIT_TAG, GIT_RESET, GIT_END } git_kind;

/* What a `from` or `merge` names. */
typedef struct git_target {
    bool given;
    bool is_null;    /* no commit: 0000..., a branch that has none */
    bool not_commit; /* a tagged blob or tree */
    uint32_t commit;
} git_target;

/* The last command read. */
typedef struct git_record {
    git_kind kind;
    uint64_t line;
    cli_bytes text; /* every name and path of it */
    git_text ref;   /* commit and reset: the ref; tag: its name */
    git_text author;
    git_text oid;
    git_span message;
    bool has_mark;
    uint64_t mark;
    bool has_time;
    int64_t time_s;
    git_target from;
    uint32_t *merges; /* further parents */
    size_t merge_count;
    size_t merge_cap;
    git_op *ops;
    size_t op_count;
    size_t op_cap;
} git_record;

typedef struct git_stream {
    import *im;
    import_in *in;
    git_record record;
    git_numbers marks; /* mark -> what it is and where */
    git_span *blobs;
    size_t blob_count;
    size_t blob_cap;
    git_names oids; /* commit ids (original-oid) -> commit */
    git_names refs; /* ref -> commit + 1, 0 = none: as the stream moves them */
    uint32_t commit_count;
    bool must_be_done; /* `feature done`: the stream says when it is complete */
    import_problem *problem;
} git_stream;

void git_stream_init(git_stream *stream, import *im, import_problem *problem);
void git_stream_deinit(git_stream *stream);
/* Forget everything, for the second reading. The caller seeks. */
void git_stream_rewind(git_stream *stream);

/* Read the next commit, tag or reset into stream->record (GIT_END at the end). False with *problem filled, or when
 * the input failed. Commits are numbered in stream order from 0; call git_stream_add for each. */
bool git_stream_next(git_stream *stream);

/* Give the commit just read its number, move its ref, and let later commands find it. */
uint32_t git_stream_add_commit(git_stream *stream);
/* Move a ref as a reset or tag says. */
void git_stream_move_ref(git_stream *stream, yore_slice ref, const git_target *target);

yore_slice git_text_of(const git_stream *stream, git_text text);

#endif
