/* One run of `yore import`: what was asked, what was done, and the steps every format shares.
 *
 * The formats (import_events.c, import_table.c, import_git.c) read records and call import_begin, put, and
 * import_commit. A record that is refused goes through import_reject, which stops, skips or writes it to a file as
 * --on-error says. Functions return 0 or the exit code of an error that has been reported.
 */
#ifndef YORE_CLI_IMPORT_H
#define YORE_CLI_IMPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/cmd.h"
#include "cli/fail.h"
#include "cli/import_in.h"
#include "cli/memory.h"
#include "cli/progress.h"

typedef enum import_format { IMPORT_AUTO, IMPORT_JSONL, IMPORT_CSV, IMPORT_TSV, IMPORT_GIT } import_format;
typedef enum import_on_error { IMPORT_STOP, IMPORT_SKIP, IMPORT_FILE } import_on_error;
typedef enum import_times {
    IMPORT_TIMES_DEFAULT,
    IMPORT_TIMES_STRICT,
    IMPORT_TIMES_SHIFT,
    IMPORT_TIMES_NOW
} import_times;

typedef struct import {
    cli *c;
    /* what was asked */
    import_format format;
    import_on_error on_error;
    import_times times;
    const char *path;
    const char *key;         /* --key, NULL = none */
    const char *prefix;      /* --prefix, "" = none */
    const char *reject_path; /* --on-error FILE */
    bool create;
    bool atomic;
    bool allow_future;
    bool all_refs;
    uint64_t from_line; /* lines before it are passed over */

    /* the run */
    import_in in;
    FILE *rejects;
    bool store_open;
    bool store_made;      /* by this run: there was none */
    bool rehearsal;       /* against a copy: nothing here lasts */
    bool tables_in_one;   /* --atomic for tables: all rows in one transaction */
    int64_t last_data_ns; /* time of the store's newest data commit */
    bool has_last_data;
    uint64_t resume_line; /* first line that is not committed yet */
    bool out_of_order;    /* lines are not taken in the order they stand in: there is no line to go on from */
    int64_t synced_ns;    /* the clock at the last sync */
    cli_progress progress;
    cli_bytes key_text; /* prefix + key of the record at hand */

    /* what was done */
    uint64_t commits;
    uint64_t puts;
    uint64_t dels;
    uint64_t bytes;
    uint64_t branches;
    uint64_t hidden_branches;
    uint64_t tags;
    uint64_t settings;
    uint64_t merges;
    uint64_t skipped_records;
    uint64_t skipped_refs;
    uint64_t skipped_tags;
    uint64_t cut_notes;
    uint64_t cut_parents;
} import;

/* One commit to make. What it points to must live until import_commit. */
typedef struct import_change {
    const char *branch;
    bool has_time;
    bool has_source_time;
    bool keep_time; /* the time is the store's own (a row of an export), not a source's */
    int64_t time_ns;
    int64_t source_time_ns;
    yore_slice author;
    yore_slice source;
    yore_slice note;
    const uint64_t *parents; /* further ones */
    uint32_t parent_count;
} import_change;

/* Why a record was refused. */
typedef struct import_problem {
    yore_status code;
    uint64_t line;
    uint32_t column; /* 0 = the whole line */
    char message[512];
    char hint[256]; /* "" = where to resume */
} import_problem;

int import_jsonl(import *im);
int import_events(import *im);
int import_table(import *im);
int import_git(import *im);

/* -- import_run.c -- */

/* Open the store when it is not open yet (with --create that waits for the first good record). */
int import_store(import *im);

/* Fill *problem; returns false, so that parsers can `return import_refuse(...)`. */
bool import_refuse(import_problem *problem, yore_status code, uint32_t column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same from a library error. */
bool import_refuse_error(import_problem *problem, const yore_error *err);

/* Do with a refused record what --on-error says: 0 = it was passed over, else stop with this exit code.
 * raw  the record's own text, for --on-error FILE. */
int import_reject(import *im, const import_problem *problem, yore_slice raw);

/* The user key of a record: --prefix before it. Valid until the next call. */
yore_slice import_key(import *im, yore_slice key);

/* What a commit is made with. False with *problem filled when its time is refused. */
bool import_txn_options(import *im, const import_change *change, yore_txn_options *options,
                        import_problem *problem);
/* Count a commit. */
void import_note_commit(import *im, const yore_where *where);
/* Begin a commit. False with *problem filled when it is refused (times, branch). */
bool import_begin(import *im, const import_change *change, yore_txn **txn, import_problem *problem);
/* Commit `txn`. False with *problem filled. */
bool import_commit(import *im, yore_txn *txn, const import_change *change, yore_where *where,
                   import_problem *problem);

/* Between commits: progress, a sync every second, Ctrl-C. 0, or the exit code of the reported interruption. */
int import_tick(import *im);
bool import_stopped(void);
/* From here on signals that ask to stop are not heard: what has begun is finished. */
void import_hold_signals(void);
/* Is there anything of this run that lasts? */
bool import_kept_something(const import *im);
/* After import_in_line said there is no more: the end, a failed read, or Ctrl-C. */
int import_input_ended(import *im);

/* -- import_merge.c -- */

/* Merge branch `from` into change->branch as yore_merge does; what has nothing in common is merged, too. Without
 * anything to merge no commit is made. False with *problem filled, also for a conflict. */
bool import_merge(import *im, const char *from, const import_change *change, yore_where *where,
                  import_problem *problem);

#endif
