/* Progress of long work: one line on a stderr terminal after half a second, at most ten times a second, with
 * rate and time left, erased at the end. Nothing when stderr is not a terminal or with --quiet. */
#ifndef YORE_CLI_PROGRESS_H
#define YORE_CLI_PROGRESS_H

#include "cli/cmd.h"

typedef struct cli_progress {
    const cli *c;
    const char *what; /* "importing" */
    const char *unit; /* "events" */
    uint64_t total;   /* 0 = unknown */
    int64_t start_ns;
    int64_t shown_ns;
    bool silent; /* set behind begin: no line is to be shown */
    bool shown;
} cli_progress;

void cli_progress_begin(cli_progress *p, const cli *c, const char *what, const char *unit, uint64_t total);
void cli_progress_update(cli_progress *p, uint64_t done);
void cli_progress_end(cli_progress *p); /* erases the line */
double cli_progress_seconds(const cli_progress *p);

#endif
