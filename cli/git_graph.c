#include "cli/git_graph.h"

#include <stdlib.h>
#include <string.h>

#include "cli/git_path.h"
#include "cli/json_in.h"

/* A final ref that becomes a branch. */
typedef struct final_ref {
    yore_slice ref;
    uint32_t tip;
    int rank; /* HEAD, main, master, others, refs outside heads */
} final_ref;

void git_graph_add(git_graph *graph, uint32_t parent)
{
    if (graph->node_count == graph->node_cap) {
        graph->node_cap = graph->node_cap == 0 ? 1024 : graph->node_cap * 2;
        graph->nodes = cli_realloc(graph->nodes, graph->node_cap * sizeof *graph->nodes);
    }
    graph->nodes[graph->node_count++] = (git_node){parent, GIT_NO_BRANCH, 0};
}

static bool begins(yore_slice ref, const char *prefix)
{
    size_t size = strlen(prefix);
    return ref.size >= size && memcmp(ref.data, prefix, size) == 0;
}

static int by_rank(const void *a, const void *b)
{
    const final_ref *left = a;
    const final_ref *right = b;
    if (left->rank != right->rank) {
        return left->rank - right->rank;
    }
    size_t size = left->ref.size < right->ref.size ? left->ref.size : right->ref.size;
    int order = memcmp(left->ref.data, right->ref.data, size);
    return order != 0 ? order : (left->ref.size > right->ref.size) - (left->ref.size < right->ref.size);
}

/* A legal name no other branch of this import has; free() it. */
static char *free_name(git_graph *graph, const char *wanted)
{
    char *name = cli_strdup(wanted);
    for (unsigned i = 2; git_names_find(&graph->names, yore_str(name)) != GIT_NAME_NONE; i++) {
        free(name);
        name = cli_printf("%.*s#%u", (int)YORE_BRANCH_NAME_MAX - 11, wanted, i);
    }
    (void)git_names_set(&graph->names, yore_str(name), 0);
    return name;
}

static uint32_t add_branch(git_graph *graph, uint32_t tip)
{
    if (graph->branch_count == graph->branch_cap) {
        graph->branch_cap = graph->branch_cap == 0 ? 64 : graph->branch_cap * 2;
        graph->branches = cli_realloc(graph->branches, graph->branch_cap * sizeof *graph->branches);
    }
    git_branch *branch = &graph->branches[graph->branch_count];
    *branch = (git_branch){.tip = tip};
    return graph->branch_count++;
}

/* Own the chain from a tip down. Returns its first commit (the tip itself when it owns nothing). */
static uint32_t own_chain(git_graph *graph, uint32_t number)
{
    git_branch *branch = &graph->branches[number];
    uint32_t first = branch->tip;
    uint32_t at = branch->tip;
    while (at != GIT_NO_COMMIT && graph->nodes[at].branch == GIT_NO_BRANCH) {
        graph->nodes[at].branch = number;
        first = at;
        at = graph->nodes[at].parent;
    }
    branch->fork = at;
    return first;
}

static void add_tag(git_graph *graph, yore_slice ref, uint32_t commit)
{
    cli_bytes name = {0};
    if (graph->tag_count == graph->tag_cap) {
        graph->tag_cap = graph->tag_cap == 0 ? 64 : graph->tag_cap * 2;
        graph->tags = cli_realloc(graph->tags, graph->tag_cap * sizeof *graph->tags);
    }
    git_ref_name(ref, &name);
    graph->tags[graph->tag_count++] = (git_tag){name.data, cli_strdup_slice(ref), commit};
}

static int rank_of(yore_slice ref)
{
    if (json_is(ref, "HEAD")) {
        return 0;
    }
    if (json_is(ref, "refs/heads/main")) {
        return 1;
    }
    if (json_is(ref, "refs/heads/master")) {
        return 2;
    }
    return begins(ref, "refs/heads/") ? 3 : 4;
}

/* A detached HEAD that stands where a branch does is no branch of its own: it says which comes first. */
static size_t place_head(final_ref *refs, size_t count)
{
    if (count == 0 || refs[0].rank != 0) {
        return count;
    }
    for (size_t i = 1; i < count; i++) {
        if (refs[i].tip == refs[0].tip && refs[i].rank < 4) {
            final_ref first = refs[i];
            memmove(&refs[i], &refs[i + 1], (count - 1 - i) * sizeof *refs);
            refs[0] = first;
            return count - 1;
        }
    }
    return count;
}

static size_t final_refs(git_graph *graph, const git_names *refs, bool all_refs, final_ref *out)
{
    size_t count = 0;
    for (size_t i = 0; i < refs->count; i++) {
        yore_slice ref = git_names_at(refs, i);
        bool is_tag = begins(ref, "refs/tags/");
        int rank = rank_of(ref);
        if (refs->values[i] == 0) {
            graph->skipped_tags += is_tag;
            continue;
        }
        uint32_t commit = (uint32_t)(refs->values[i] - 1);
        if (is_tag) {
            add_tag(graph, ref, commit);
        } else if (rank < 4 || all_refs) {
            out[count++] = (final_ref){ref, commit, rank};
        } else {
            graph->skipped_refs++;
        }
    }
    qsort(out, count, sizeof *out, by_rank);
    return place_head(out, count);
}

static void own_refs(git_graph *graph, const final_ref *refs, size_t count, const char *primary)
{
    cli_bytes name = {0};
    for (size_t i = 0; i < count; i++) {
        uint32_t number = add_branch(graph, refs[i].tip);
        git_branch *branch = &graph->branches[number];
        git_ref_name(refs[i].ref, &name);
        branch->ref = cli_strdup_slice(refs[i].ref);
        branch->name = free_name(graph, i == 0 && primary != NULL ? primary : name.data);
        (void)own_chain(graph, number);
    }
    cli_bytes_deinit(&name);
}

/* side/N with the next number no ref has taken; free() it. */
static char *side_name(git_graph *graph, uint32_t *next)
{
    char *name = cli_printf("side/%u", (unsigned)(*next)++);
    while (git_names_find(&graph->names, yore_str(name)) != GIT_NAME_NONE) {
        free(name);
        name = cli_printf("side/%u", (unsigned)(*next)++);
    }
    (void)git_names_set(&graph->names, yore_str(name), 0);
    return name;
}

/* Commits no ref owns, newest first, so that a chain is found from its tip. */
static void own_rest(git_graph *graph)
{
    uint32_t named = graph->branch_count;
    uint32_t *first_of; /* commit -> the side branch that starts there + 1 */
    first_of = cli_alloc(((size_t)graph->node_count + 1) * sizeof *first_of);
    for (uint32_t at = graph->node_count; at > 0; at--) {
        if (graph->nodes[at - 1].branch == GIT_NO_BRANCH) {
            uint32_t number = add_branch(graph, at - 1);
            graph->branches[number].hidden = true;
            first_of[own_chain(graph, number)] = number + 1;
        }
    }
    uint32_t next = 1;
    for (uint32_t at = 0; at < graph->node_count && graph->branch_count > named; at++) {
        if (first_of[at] != 0) {
            graph->branches[first_of[at] - 1].name = side_name(graph, &next);
        }
    }
    free(first_of);
}

/* Lineages may only be so deep. A branch that would be too far from its root starts anew, with the whole state of
 * the commit it leaves. Commits stand behind their parents, so one pass knows every depth it needs. */
static void cut_depth(git_graph *graph)
{
    uint32_t *depth = cli_alloc(((size_t)graph->branch_count + 1) * sizeof *depth);
    for (uint32_t at = 0; at < graph->node_count; at++) {
        uint32_t number = graph->nodes[at].branch;
        git_branch *branch = &graph->branches[number];
        if (depth[number] != 0) continue;
        depth[number] = branch->fork == GIT_NO_COMMIT ? 1 : depth[graph->nodes[branch->fork].branch] + 1;
        branch->starts_anew = depth[number] > GIT_DEPTH_MAX;
        if (branch->starts_anew) depth[number] = 1;
    }
    free(depth);
}

void git_graph_own(git_graph *graph, const git_names *refs, bool all_refs, const char *primary)
{
    final_ref *list = cli_alloc((refs->count + 1) * sizeof *list);
    size_t count = final_refs(graph, refs, all_refs, list);
    own_refs(graph, list, count, primary);
    own_rest(graph);
    cut_depth(graph);
    free(list);
}

void git_graph_deinit(git_graph *graph)
{
    for (uint32_t i = 0; i < graph->branch_count; i++) {
        free(graph->branches[i].name);
        free(graph->branches[i].ref);
    }
    for (size_t i = 0; i < graph->tag_count; i++) {
        free(graph->tags[i].name);
        free(graph->tags[i].ref);
    }
    free(graph->nodes);
    free(graph->branches);
    free(graph->tags);
    git_names_deinit(&graph->names);
    memset(graph, 0, sizeof *graph);
}
