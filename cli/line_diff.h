/* Which lines of two texts differ: the fewest that make one of the other (Myers, "An O(ND) Difference Algorithm",
 * 1986). Pure. Past LINE_DIFF_EDITS_MAX differing lines all between the first and the last of them count as changed. */
#ifndef YORE_CLI_LINE_DIFF_H
#define YORE_CLI_LINE_DIFF_H

#include <stdbool.h>

#include "cli/memory.h"

#define LINE_DIFF_EDITS_MAX 4000u

typedef struct lines {
    yore_slice *at;
    bool *is_changed; /* by line_diff: only this text has it */
    size_t count;
} lines;

/* Cut a text into lines; with `ends` each keeps its newline. `text` is borrowed. */
void lines_init(lines *l, yore_slice text, bool ends);
void lines_deinit(lines *l);

/* Set is_changed in both. The lines that are not changed are the same, in the same order. */
void line_diff(lines *a, lines *b);

#endif
