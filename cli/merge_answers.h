/* The file of `merge --resolve`: the conflicts that a merge printed with --json, each with "resolved" added.
 *
 * A line is a conflict record, of which key, primitive and the versions of base, ours and theirs count, and
 * `"resolved":{"value":...}` or `"resolved":null` (the key is deleted). A value that is no string is taken as its JSON
 * text. Blank lines are passed over. */
#ifndef YORE_CLI_MERGE_ANSWERS_H
#define YORE_CLI_MERGE_ANSWERS_H

#include "cli/cmd.h"
#include "cli/memory.h"

typedef struct merge_answer {
    cli_bytes key;
    cli_bytes value;
    uint64_t line;
} merge_answer;

typedef struct merge_answers {
    const char *path;
    cli_bytes text;
    merge_answer *list;
    yore_merge_resolution *resolutions; /* as many, for yore_merge_options */
    size_t count;
    size_t cap;
    uint64_t lines; /* of the file */
} merge_answers;

/* Read the file ("-" = stdin) into zeroed answers. 0, or the exit code of a reported error. */
int merge_answers_read(cli *c, const char *path, merge_answers *out);
void merge_answers_deinit(merge_answers *answers);
/* Report what the library refused: the resolution at `refused`, or, at `count`, that one is missing. */
int merge_answers_refused(cli *c, const merge_answers *answers, size_t refused, const yore_error *err);

#endif
