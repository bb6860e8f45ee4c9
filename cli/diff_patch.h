/* One row of a diff in full: what changed inside the value. */
#ifndef YORE_CLI_DIFF_PATCH_H
#define YORE_CLI_DIFF_PATCH_H

#include "cli/cmd.h"
#include "cli/output.h"

/* JSON objects by path, text by lines, anything else by size and hash. */
void cli_diff_patch(const cli *c, const yore_diff_row *row);

/* Two JSON objects as "patch":[{"op","path","old","new"}...] into an open record; nothing for other values. */
void cli_diff_patch_member(cli_json *j, const yore_diff_row *row);

/* "add", "change", "del". */
const char *cli_diff_op(uint32_t op);

#endif
