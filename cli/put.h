/* What the two forms of `yore put` share. */
#ifndef YORE_CLI_PUT_H
#define YORE_CLI_PUT_H

#include "cli/cmd.h"

#define CLI_TYPE_TEXT_SIZE 280u

/* put --stdin: many keys. Returns an exit code. */
int cli_put_stdin(cli *c, const yore_put_options *options);

/* Is a value what `type` promises of its bytes? False with the reason in `text`. */
bool cli_type_fits(uint32_t type, yore_slice value, char text[CLI_TYPE_TEXT_SIZE]);

#endif
