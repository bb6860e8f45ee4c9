/* Checking a store: what db_check.c and check_runs.c share. */
#ifndef YR_CHECK_PRIVATE_H
#define YR_CHECK_PRIVATE_H

#include "engine/db/handle.h"

/* One check under way. Problems are counted, and the check goes on behind them. */
typedef struct yr_check {
    yore_db *db;
    const yore_check_options *options;
    yore_check_report *report;
    yore_error *err;      /* of the first problem; may be NULL */
    yore_status status;   /* of the first problem */
    bool is_over;         /* it cannot go on: no memory, or cancelled */
    uint64_t done, total; /* bytes of files, for progress */
} yr_check;

/* Note how a step ended; YORE_OK and positive answers are no problem. False when the check must stop. */
bool yr_check_note(yr_check *check, yore_status status, const yore_error *why);
/* So many bytes more are done. False when the check must stop. */
bool yr_check_progress(yr_check *check, uint64_t bytes);

/* The runs and value files of `layers` against `state`, which named them, and against the files in the directory; with
 * deep every byte and every row of them. Takes no turn and stops nobody. */
void yr_check_files(yr_check *check, const yr_layers *layers, const yr_store_state *state);

#endif
