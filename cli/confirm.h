/* Asking before something dangerous. */
#ifndef YORE_CLI_CONFIRM_H
#define YORE_CLI_CONFIRM_H

#include "cli/cmd.h"

/* --yes, or a yes typed on a terminal: 0. Otherwise the exit code of the reported refusal. */
int cli_confirm(cli *c, const char *question);

#endif
