/* Which branch owns which commit of a git stream, decided once the whole graph is known.
 *
 * Each final ref owns its first-parent chain, down to a commit that is owned already: HEAD's, main's and master's
 * first, then by name. What is left (branches that were merged and deleted) is owned by hidden branches side/N,
 * numbered in the order of their first commits.
 */
#ifndef YORE_CLI_GIT_GRAPH_H
#define YORE_CLI_GIT_GRAPH_H

#include "cli/git_stream.h"

#define GIT_NO_BRANCH UINT32_MAX
#define GIT_DEPTH_MAX 1000u /* below YORE_LINEAGE_DEPTH_MAX, so that people can fork from the last one */

typedef struct git_node {
    uint32_t parent;  /* first parent, GIT_NO_COMMIT = a root */
    uint32_t branch;  /* owner */
    uint64_t version; /* in the store, once it is committed */
} git_node;

typedef struct git_branch {
    char *name; /* in the store */
    char *ref;  /* in git, NULL for side branches */
    uint32_t tip;
    uint32_t fork; /* the commit it leaves, GIT_NO_COMMIT = a root branch */
    bool hidden;
    bool exists;      /* in the store */
    bool starts_anew; /* a root branch although it has a fork point: see git_graph.c */
} git_branch;

typedef struct git_tag {
    char *name;
    char *ref;
    uint32_t commit;
} git_tag;

typedef struct git_graph {
    git_node *nodes;
    uint32_t node_count;
    uint32_t node_cap;
    git_branch *branches;
    uint32_t branch_count;
    uint32_t branch_cap;
    git_tag *tags;
    size_t tag_count;
    size_t tag_cap;
    git_names names; /* of branches */
    uint64_t skipped_refs;
    uint64_t skipped_tags; /* tags of no commit */
} git_graph;

void git_graph_add(git_graph *graph, uint32_t parent);

/* Give every commit its owner. `refs` as git_stream keeps them.
 * primary  a name for the first branch, NULL = its own. */
void git_graph_own(git_graph *graph, const git_names *refs, bool all_refs, const char *primary);
void git_graph_deinit(git_graph *graph);

#endif
