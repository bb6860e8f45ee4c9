/* yore log: commits, newest first. */
#include <stdlib.h>

#include "cli/args.h"
#include "cli/commit_record.h"
#include "cli/fail.h"
#include "cli/graph.h"

typedef struct log_view {
    cli *c;
    cli_table *table;
    bool stat;
    bool system;
    bool drawn;
    graph graph;
    cli_bytes row;
    cli_bytes below;
    size_t columns;
} log_view;

static void show_row(log_view *v, const yore_commit_info *info, const cli_commit_sums *sums)
{
    cli_table *t = v->table;

    if (v->drawn) cli_table_cell_drawn(t, cli_bytes_slice(&v->row));
    cli_table_cell_version(t, info->version);
    cli_table_cell_time(t, info->time_ns);
    cli_table_cell_text(t, cli_branch_name(v->c, info->branch_id));
    cli_table_cell_u64(t, info->key_count);
    if (v->stat) {
        cli_table_cell_u64(t, sums->puts);
        cli_table_cell_u64(t, sums->dels);
        cli_table_cell_u64(t, sums->bytes);
    }
    if (v->system) cli_table_cell_text(t, cli_commit_kind(info->kind));
    cli_table_cell(t, info->author);
    cli_table_cell(t, cli_note_cell(v->c, info->note));
    if (v->drawn && v->below.size > 0) {
        cli_table_cell_drawn(t, cli_bytes_slice(&v->below));
        for (size_t i = 1; i < v->columns; i++) cli_table_cell_text(t, "");
    }
}

static int show_commit(log_view *v, const yore_commit_info *info)
{
    cli_commit_sums sums = {0};
    int code = v->stat ? cli_commit_sum(v->c, info->version, &sums) : 0;

    if (code != 0) return code;
    if (v->drawn) graph_step(&v->graph, info, &v->row, &v->below);
    if (!v->c->json) {
        show_row(v, info, &sums);
        return 0;
    }
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_commit_members(v->c, &j, info);
    if (v->stat) {
        cli_json_u64(&j, "puts", sums.puts);
        cli_json_u64(&j, "dels", sums.dels);
        cli_json_u64(&j, "bytes", sums.bytes);
    }
    if (v->drawn) cli_json_bytes(&j, "graph", cli_bytes_slice(&v->row));
    cli_json_line(&j);
    return 0;
}

static void make_table(log_view *v)
{
    static const char *headers[12];
    size_t n = 0;

    if (v->drawn) headers[n++] = "";
    headers[n++] = "VERSION";
    headers[n++] = "TIME";
    headers[n++] = "BRANCH";
    headers[n++] = "KEYS";
    if (v->stat) {
        headers[n++] = "PUTS";
        headers[n++] = "DELS";
        headers[n++] = "BYTES";
    }
    if (v->system) headers[n++] = "KIND";
    headers[n++] = "AUTHOR";
    headers[n++] = "NOTE";
    v->columns = n;
    v->table = cli_table_create(v->c, headers, n);
}

static int walk(log_view *v, yore_iter *iter)
{
    static yore_commit_info info;
    yore_error err = YORE_ERROR_INIT;
    yore_status status;
    int code = 0;

    info.struct_size = sizeof info;
    while (code == 0 && (status = yore_log_next(iter, &info, &err)) != YORE_END) {
        code = status < 0 ? cli_fail(v->c, &err) : show_commit(v, &info);
    }
    return code;
}

static int run_log(cli *c)
{
    log_view v = {
        .c = c, .stat = cli_has(c, "stat"), .system = cli_has(c, "system"), .drawn = cli_has(c, "graph")};
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_iter *iter = NULL;
    yore_at at;
    cli_bytes prefix = {0};
    uint32_t primitive = YORE_KV;
    uint64_t limit = UINT64_MAX;

    int code = cli_value_u64(c, "number", &limit);
    if (code == 0 && cli_has(c, "prefix")) {
        code = cli_key_part(c, cli_value(c, "prefix"), &prefix, &primitive, &options.prefix);
    }
    if (code == 0) code = cli_open_read(c);
    if (code == 0) code = cli_at(c, c->arg_count > 0 ? c->args[0] : NULL, &at);
    if (code != 0 || limit == 0) goto out;

    options.system = v.system;
    options.all_branches = cli_has(c, "all");
    options.limit = limit == UINT64_MAX ? 0 : limit;
    v.graph.merges = options.all_branches;
    if (yore_log(c->db, &at, &options, &iter, &err) < 0) {
        code = cli_fail(c, &err);
        goto out;
    }
    if (!c->json) make_table(&v);
    code = walk(&v, iter);
    cli_table_destroy(v.table);

out:
    yore_iter_close(iter);
    graph_deinit(&v.graph);
    cli_bytes_deinit(&v.row);
    cli_bytes_deinit(&v.below);
    cli_bytes_deinit(&prefix);
    return code;
}

static const cmd_flag flags[] = {
    {"prefix", "P", "only commits that touched a key starting with P", 0},
    {"number", "N", "the newest N commits only", 'n'},
    {"all", NULL, "the commits of every branch", 0},
    {"graph", NULL, "draw the lines of history; x marks a commit that undo or redo took back", 0},
    {"stat", NULL, "puts, deletes and value bytes of each commit", 0},
    {"system", NULL, "also init, branch, tag and config commits", 0},
};

const cmd cmd_log_entry = {
    .name = "log",
    .usage = "[SPEC] [--prefix P] [-n N] [--all] [--graph] [--stat] [--system]",
    .summary = "list the commits of a branch, newest first",
    .details = "A branch shows its own commits, then its parent's at or before the fork.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_log,
    .pages = true,
    .store = CMD_READS,
    .args_max = 1,
};
