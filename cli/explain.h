/* --explain: how a read was answered, told behind the answer: on stderr, with --json as a last line
 * {"explain":{...}} on stdout. */
#ifndef YORE_CLI_EXPLAIN_H
#define YORE_CLI_EXPLAIN_H

#include "cli/cmd.h"
#include "cli/output.h"

typedef struct cli_explain {
    bool wanted;
    int64_t start_ns;
    uint64_t versions; /* rows read */
    uint64_t bytes;    /* of their keys and values */
} cli_explain;

void cli_explain_begin(cli_explain *e, bool wanted);
/* One version was read. */
void cli_explain_row(cli_explain *e, size_t key_bytes, size_t value_bytes);
/* Tell it, when it is wanted. 0 or an exit code. */
int cli_explain_end(cli *c, const cli_explain *e, const yore_where *where);

/* The beginning only, for a verb that goes on itself: point and lineage, into an object of `j` that stays open with
 * --json. 0 or an exit code. */
int cli_explain_point(cli *c, cli_json *j, const yore_where *where);
/* The branch itself, then its parent capped at the fork, and so on: a cap is the least on the way. Lines, or objects
 * into the array that is open. */
int cli_explain_lineage(const cli *c, cli_json *j, const yore_where *where);
/* What was read, into the same. */
void cli_explain_read(const cli *c, cli_json *j, const cli_explain *e);
int64_t cli_explain_elapsed_ns(const cli_explain *e);

#endif
