/* A commit as text and as the JSON record of CLI.md, section 4. */
#ifndef YORE_CLI_COMMIT_RECORD_H
#define YORE_CLI_COMMIT_RECORD_H

#include "cli/output.h"
#include "cli/locate.h"

/* What a commit wrote. */
typedef struct cli_commit_sums {
    uint64_t puts;
    uint64_t dels;
    uint64_t bytes;
} cli_commit_sums;

/* Count it. 0 or an exit code. */
int cli_commit_sum(cli *c, uint64_t version, cli_commit_sums *out);
/* Members into an open object. */
void cli_commit_members(cli *c, cli_json *j, const yore_commit_info *info);
const char *cli_commit_kind(uint32_t kind);

#endif
