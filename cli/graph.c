/* Drawing the commit graph, one lane for each line of history still open. */
#include "cli/graph.h"

#include <stdlib.h>
#include <string.h>

#include "cli/args.h"

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

/* -- what undo took back -- */

/* The commit that a source text "undo:v12" or "redo:v13" takes back, 0 for any other. An imported one names versions
 * of another store. */
static uint64_t taken_back(const yore_commit_info *info)
{
    yore_slice source = info->source;
    char text[32];
    uint64_t version = 0;

    if (source.size < 6 || source.size >= sizeof text || info->source_time_ns != 0) return 0;
    memcpy(text, source.data, source.size);
    text[source.size] = '\0';
    if (strncmp(text, "undo:", 5) != 0 && strncmp(text, "redo:", 5) != 0) return 0;
    return cli_parse_version(text + 5, &version) ? version : 0;
}

/* Ascending, so that the next one the log comes to is the last. */
static void add_gone(graph *g, uint64_t version)
{
    if (g->gone_count == g->gone_cap) {
        g->gone_cap = g->gone_cap > 0 ? g->gone_cap * 2 : 8;
        g->gone = cli_realloc(g->gone, g->gone_cap * sizeof *g->gone);
    }
    size_t at = g->gone_count++;
    for (; at > 0 && g->gone[at - 1] > version; at--) g->gone[at] = g->gone[at - 1];
    g->gone[at] = version;
}

/* Was this commit taken back by one that was shown before? If not, what it took back itself is. */
static bool is_gone(graph *g, const yore_commit_info *info)
{
    bool found = false;

    for (; g->gone_count > 0 && g->gone[g->gone_count - 1] >= info->version; g->gone_count--)
        found |= g->gone[g->gone_count - 1] == info->version;
    uint64_t version = found ? 0 : taken_back(info);
    if (version != 0) add_gone(g, version);
    return found;
}

void graph_step(graph *g, const yore_commit_info *info, cli_bytes *row, cli_bytes *below)
{
    size_t own = find_lane(g, info->version);

    cli_bytes_clear(row);
    cli_bytes_clear(below);
    if (own == g->count) add_lane(g, info->version);
    draw(row, g->count, own, is_gone(g, info) ? "x " : "* ");

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
    free(g->gone);
    *g = (graph){0};
}
