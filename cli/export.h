/* One run of `yore export`: where rows go and what they are made of.
 *
 * Rows are the stored-value records of CLI.md 4. Rows of a commit also carry what its log record has (author, source,
 * source_time, further parents), so that `import` can make the same commit again.
 */
#ifndef YORE_CLI_EXPORT_H
#define YORE_CLI_EXPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/cmd.h"
#include "cli/fail.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "cli/progress.h"

typedef struct export_run {
    cli *c;
    FILE *to;
    const char *path; /* NULL = stdout */
    char *part;       /* what it is called until it is complete */
    yore_slice prefix;
    uint32_t primitive; /* of the prefix, YORE_KV without one */
    bool csv;
    bool git;
    uint64_t rows;
    uint64_t commits;
    uint64_t bytes;
    cli_progress progress;
} export_run;

/* All rows of one commit, under a branch's name. */
int export_commit(export_run *run, const char *branch, const yore_commit_info *info);
/* End a record: cli_json_line without a flush a line. */
void export_end(export_run *run, cli_json *j);

/* The live keys of a snapshot, in key order. */
int export_snapshot(export_run *run, const char *spec);
/* Every commit of one branch's lineage up to `upto`, after `since_version`, oldest first. */
int export_lineage(export_run *run, const yore_at *upto, uint64_t since_version);
/* The whole store: commits of all branches, forks and tags, in the order of their versions. */
int export_everything(export_run *run);
/* The commit graph as `git fast-import` reads it: all branches and tags, or with -b or --as-of one branch.
 * skip  leave out keys git cannot have; else one is an error. */
int export_git(export_run *run, bool skip);

#endif
