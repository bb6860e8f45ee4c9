/* One number of each of several points, to rank them by.
 *
 * It is named by a key, or by a key with a path into its JSON value behind it, as in `result/acc` or
 * `runs/7/scores/0`: the longest beginning that is a key at one of the points is the key. A path alone (`/acc`) means
 * the one key among those that the points changed whose value has a number there.
 */
#ifndef YORE_CLI_METRIC_H
#define YORE_CLI_METRIC_H

#include <stdbool.h>

#include "cli/cmd.h"
#include "cli/memory.h"

/* Zero it, set text. */
typedef struct cli_metric {
    const char *text;
    cli_bytes key;
    const char *path; /* "" = the whole value */
    bool found;
    bool is_ambiguous; /* two keys have a number at the path: `key` and `other` */
    cli_bytes other;
} cli_metric;

/* Find the key among the points. 0 or an exit code. */
int cli_metric_find(cli *c, cli_metric *metric, const yore_at *points, size_t count);
/* A key that was changed, for a path that stands alone. */
void cli_metric_offer(cli_metric *metric, yore_slice key, yore_slice value);
/* Report one that was not found, or found twice. 0 or an exit code. */
int cli_metric_settle(cli *c, const cli_metric *metric);
/* The number at a point. *has is false when there is none. 0 or an exit code. */
int cli_metric_get(cli *c, const cli_metric *metric, const yore_at *point, bool *has, double *out);
void cli_metric_deinit(cli_metric *metric);

#endif
