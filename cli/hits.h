/* Hits of a search as lines: for people, for pipes, as JSON records. */
#ifndef YORE_CLI_HITS_H
#define YORE_CLI_HITS_H

#include "cli/cmd.h"
#include "cli/explain.h"

/* How the words that matched are shown. */
typedef enum hits_mark { HITS_PLAIN, HITS_ANSI, HITS_HTML } hits_mark;

typedef struct hits_style {
    const yore_where *where;
    hits_mark mark;
    bool is_mark_asked; /* by --highlight: JSON gets a marked snippet too */
    bool has_snippets;
    bool keys_only;
    bool explain;
} hits_style;

void hits_write(cli *c, const hits_style *style, const yore_hit *hit);

/* What a search went through: with --json a last record, else words on stderr. */
typedef struct hits_totals {
    const yore_search_info *info;
    const yore_search_stats *stats;
    const cli_explain *explain;
    uint64_t shown;
} hits_totals;
/* 0 or an exit code. */
int hits_explain(cli *c, const hits_style *style, const hits_totals *totals);

/* The line of a query that does not parse, with a caret under the byte. */
void hits_caret(yore_slice query, size_t offset);

#endif
