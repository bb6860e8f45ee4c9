/* A pager for long lists: only on a terminal, and only the one that YORE_PAGER, else PAGER names. */
#ifndef YORE_CLI_PAGER_H
#define YORE_CLI_PAGER_H

#include "cli/cmd.h"

/* From here on stdout goes through the pager, if the verb is one that lists and there is a pager. */
void cli_pager_begin(const cli *c);
/* Everything is written: wait until the pager has been left. */
void cli_pager_end(void);

#endif
