/* Drawing the commit graph, one lane for each line of history still open. */
#include "cli/graph.h"

#include <stdlib.h>

static size_t find_lane(const graph *g, uint64_t version)
{
    size_t at = 0;

    while (at < g->count && g->lanes[at] != version) at++;
    return at;
}

static void add_lane(graph *g, uint64_t version)
{
    if (g->count == g->cap) {
        g->cap = g->cap > 0 ? g->cap * 2 : 8;
        g->lanes = cli_realloc(g->lanes, g->cap * sizeof *g->lanes);
    }
    g->lanes[g->count++] = version;
}

static void remove_lane(graph *g, size_t at)
{
    for (size_t i = at + 1; i < g->count; i++) g->lanes[i - 1] = g->lanes[i];
    g->count--;
}

static void draw(cli_bytes *to, size_t lanes, size_t special, const char *mark)
{
    for (size_t i = 0; i < lanes; i++) cli_bytes_append(to, i == special ? mark : "| ", 2);
}

void graph_step(graph *g, const yore_commit_info *info, cli_bytes *row, cli_bytes *below)
{
    size_t own = find_lane(g, info->version);

    cli_bytes_clear(row);
    cli_bytes_clear(below);
    if (own == g->count) add_lane(g, info->version);
    draw(row, g->count, own, "* ");

    /* Other lanes that waited for this commit end here. */
    for (size_t i = g->count; i-- > own + 1;) {
        if (g->lanes[i] != info->version) continue;
        if (below->size == 0) draw(below, g->count, i, "/ ");
        remove_lane(g, i);
    }
    if (info->parent_count == 0) {
        remove_lane(g, own);
        return;
    }
    g->lanes[own] = info->parents[0];
    for (uint32_t i = 1; i < info->parent_count && i < YORE_PARENTS_MAX && g->merges; i++) {
        if (find_lane(g, info->parents[i]) < g->count) continue;
        add_lane(g, info->parents[i]);
        cli_bytes_clear(below);
        draw(below, g->count, g->count - 1, "\\ ");
    }
}

void graph_deinit(graph *g)
{
    free(g->lanes);
    *g = (graph){0};
}
