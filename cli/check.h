/* What `yore check` says: shared by cmd_check.c and check_salvage.c. */
#ifndef YORE_CLI_CHECK_H
#define YORE_CLI_CHECK_H

#include "cli/cmd.h"

/* The numbers of a report, in the order they are shown. */
extern const size_t cli_check_fields;
const char *cli_check_field(size_t i);
uint64_t cli_check_number(const yore_check_report *report, size_t i);

/* check --salvage: its exit code. */
int cli_salvage(cli *c, const char *new_path);

#endif
