/* Long work: its progress is shown, and Ctrl-C ends it at its next step, so that it can put things in order. */
#ifndef YORE_CLI_WORK_H
#define YORE_CLI_WORK_H

#include "cli/progress.h"

/* `what` it does ("backing up") to how many of which `unit`. */
void cli_work_begin(cli_progress *progress, const cli *c, const char *what, const char *unit);
/* A progress callback of the library; its argument is the cli_progress. */
int cli_work_step(void *progress, uint64_t done, uint64_t total);

#endif
