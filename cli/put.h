/* What the two forms of `yore put` share. */
#ifndef YORE_CLI_PUT_H
#define YORE_CLI_PUT_H

#include "cli/cmd.h"

/* put --stdin: many keys. Returns an exit code. */
int cli_put_stdin(cli *c, const yore_put_options *options);

#endif
