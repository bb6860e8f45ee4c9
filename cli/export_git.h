/* The changes of one commit as `git fast-import` reads them. Two steps a commit, as what cannot be read any more must
 * be known before anything of it is written. */
#ifndef YORE_CLI_EXPORT_GIT_H
#define YORE_CLI_EXPORT_GIT_H

#include "cli/export.h"
#include "cli/git_map.h"

/* Where a commit stands. */
typedef struct git_place {
    uint32_t branch_id;
    uint64_t version; /* 0 = nowhere: no parent */
    int64_t time_ns;
} git_place;

typedef struct git_expiring {
    int64_t expiry_ns;
    char *key;
    size_t size;
} git_expiring;

/* Zero it, set run and skip. */
typedef struct git_trees {
    export_run *run;
    bool skip;       /* leave out what git cannot have; else it is an error */
    bool overlaps;   /* some path has been a file in one state and a directory in another */
    git_names paths; /* every path there was: a file, a directory, or both */
    git_names left_out;
    uint64_t other_meta;    /* values whose metadata is no mode of git */
    git_expiring *expiring; /* by time */
    size_t expiring_count;
    size_t expiring_cap;

    /* the commit being written */
    git_place at;
    git_place parent;
    bool whole; /* write the whole state, not what changed against the parent */
    yore_snap *snap;
    yore_snap *parent_snap;
    yore_iter *rows;
} git_trees;

/* Look at a commit. *readable tells whether its state is still kept. 0 or an exit code. */
int git_trees_open(git_trees *trees, const git_place *at, const git_place *parent, bool whole,
                   bool *readable);
/* Write what it changed. 0 or an exit code. */
int git_trees_write(git_trees *trees);
void git_trees_close(git_trees *trees); /* this commit */
void git_trees_deinit(git_trees *trees);

/* `data N`, and the bytes on lines of their own. */
void git_write_data(FILE *to, yore_slice data);

#endif
