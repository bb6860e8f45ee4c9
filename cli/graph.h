/* Lanes beside a list of commits, newest first: which line of history each belongs to. */
#ifndef YORE_CLI_GRAPH_H
#define YORE_CLI_GRAPH_H

#include "cli/memory.h"

typedef struct graph {
    uint64_t *lanes; /* the version each lane waits for */
    size_t count;
    size_t cap;
    uint64_t *gone; /* commits further down that undo or redo took back */
    size_t gone_count;
    size_t gone_cap;
    bool merges; /* draw further parents as lanes of their own */
} graph;

/* The drawing of the next commit into `row`; what stands between it and the one after into `below`
 * (empty when nothing changes lanes). Both are cleared first. */
void graph_step(graph *g, const yore_commit_info *info, cli_bytes *row, cli_bytes *below);
void graph_deinit(graph *g);

#endif
