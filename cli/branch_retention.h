/* yore branch retention: what a branch keeps of its history. */
#ifndef YORE_CLI_BRANCH_RETENTION_H
#define YORE_CLI_BRANCH_RETENTION_H

#include "cli/cmd.h"

#define CLI_RETENTION_FLAGS 4u
extern const cmd_flag cli_retention_flags[CLI_RETENTION_FLAGS];
int cli_branch_retention(cli *c);

#endif
