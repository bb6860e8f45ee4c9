/* Walking rows in batches. */
#ifndef YORE_CLI_LIST_H
#define YORE_CLI_LIST_H

#include "cli/cmd.h"

/* Called for each row; non-zero stops and is returned. CLI_STOP stops without being an error. */
typedef int (*cli_row_fn)(void *arg, const yore_row *row);
#define CLI_STOP (-1)

/* Rows of a scan. 0 or an exit code. */
int cli_scan(cli *c, yore_snap *snap, const yore_range *range, cli_row_fn each, void *arg);
/* Rows of an open iterator, which is closed. */
int cli_rows(cli *c, yore_iter *iter, cli_row_fn each, void *arg);

#endif
