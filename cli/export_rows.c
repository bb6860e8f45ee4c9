/* Rows of an export, and the two forms that follow one branch: a snapshot, and a lineage's commits. */
#include "cli/export.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/csv_out.h"
#include "cli/list.h"
#include "cli/locate.h"

static bool wants(const export_run *run, const yore_row *row)
{
    bool typed = run->prefix.size == 0 ? row->primitive != YORE_SYSTEM : row->primitive == run->primitive;
    return typed && row->key.size >= run->prefix.size &&
           (run->prefix.size == 0 || memcmp(row->key.data, run->prefix.data, run->prefix.size) == 0);
}

void export_end(export_run *run, cli_json *j)
{
    (void)fputs("}\n", run->to);
    j->depth = 0;
    j->comma = false;
    cli_progress_update(&run->progress, ++run->rows);
}

static void commit_members(cli_json *j, const yore_commit_info *info, uint32_t first_parent)
{
    if (info->author.size > 0) {
        cli_json_bytes(j, "author", info->author);
    }
    if (info->source.size > 0) {
        cli_json_bytes(j, "source", info->source);
    }
    if (info->source_time_ns != 0) {
        cli_json_time(j, "source_time", info->source_time_ns);
    }
    if (info->parent_count > first_parent) {
        cli_json_array(j, "parents");
        for (uint32_t i = first_parent; i < info->parent_count; i++) {
            cli_json_u64(j, NULL, info->parents[i]);
        }
        cli_json_array_end(j);
    }
}

/* One row. `info`: its commit, NULL = without the commit's own members. */
static void write_row(export_run *run, const char *branch, const yore_row *row, const yore_commit_info *info,
                      uint32_t first_parent)
{
    cli_json j = {.to = run->to};
    cli_record record = {.branch = branch, .row = row, .has_value = true};
    record.note = info != NULL ? info->note : cli_note_of(run->c, row->version);
    cli_json_begin(&j);
    cli_record_members(&j, &record);
    if (info != NULL) {
        commit_members(&j, info, first_parent);
    }
    export_end(run, &j);
    run->bytes += row->value.size;
}

/* A commit that wrote nothing is a row too. */
static void write_empty(export_run *run, const char *branch, const yore_commit_info *info,
                        uint32_t first_parent)
{
    cli_json j = {.to = run->to};
    cli_json_begin(&j);
    cli_json_u64(&j, "schema", 1);
    cli_json_text(&j, "branch", branch);
    cli_json_u64(&j, "version", info->version);
    cli_json_time(&j, "time", info->time_ns);
    cli_json_text(&j, "op", "none");
    cli_json_bytes(&j, "note", info->note);
    commit_members(&j, info, first_parent);
    export_end(run, &j);
}

/* Is `version` of branch `id` part of what the branch `of` reads? */
static bool is_in_lineage(cli *c, uint32_t of, uint32_t id, uint64_t version)
{
    uint64_t cap = UINT64_MAX;
    for (uint32_t depth = 0; of != 0 && depth <= YORE_LINEAGE_DEPTH_MAX; depth++) {
        char name[32];
        yore_branch_info info = {.struct_size = sizeof info};
        if (of == id) {
            return version <= cap;
        }
        (void)snprintf(name, sizeof name, "id:%u", (unsigned)of);
        if (yore_branch_info_get(c->db, yore_str(name), &info, NULL) < 0) {
            return false;
        }
        cap = info.fork_version < cap ? info.fork_version : cap;
        of = info.parent_id;
    }
    return false;
}

/* Which of a commit's parents is the first that is not the previous commit of its lineage: 0 or 1. */
static uint32_t further_parent(cli *c, const yore_commit_info *info)
{
    static yore_commit_info parent; /* large */
    if (info->parent_count == 0) {
        return 0;
    }
    parent.struct_size = sizeof parent;
    if (yore_commit_get(c->db, info->parents[0], &parent, NULL) < 0) {
        return 0;
    }
    yore_commit_release(&parent);
    return is_in_lineage(c, info->branch_id, parent.branch_id, info->parents[0]) ? 1 : 0;
}

/* -- a snapshot -- */

typedef struct snapshot_run {
    export_run *run;
    const char *branch;
} snapshot_run;

static int snapshot_row(void *arg, const yore_row *row)
{
    snapshot_run *snapshot = arg;
    export_run *run = snapshot->run;
    static const char *const types[] = {"bytes", "text", "json"};
    char time[YORE_TIME_TEXT_SIZE];
    if (!run->csv) {
        write_row(run, snapshot->branch, row, NULL, 0);
        return 0;
    }
    (void)yore_time_format(row->time_ns, 0, 9, time, sizeof time);
    csv_bytes(run->to, row->key);
    csv_bytes(run->to, row->value);
    fprintf(run->to, "%s,v%" PRIu64 ",%s\r\n", types[row->type < 3 ? row->type : 0], row->version, time);
    run->bytes += row->value.size;
    cli_progress_update(&run->progress, ++run->rows);
    return 0;
}

int export_snapshot(export_run *run, const char *spec)
{
    yore_snap *snap = NULL;
    yore_where where = YORE_WHERE_INIT;
    yore_range range = YORE_RANGE_INIT;
    int code = cli_snap(run->c, spec, &snap, &where);
    if (code == EXIT_DONE) {
        snapshot_run snapshot = {run, where.branch};
        range.prefix = run->prefix;
        range.primitive = run->primitive;
        if (run->csv) {
            (void)fputs("key,key_b64,value,value_b64,type,version,time\r\n", run->to);
        }
        code = cli_scan(run->c, snap, &range, snapshot_row, &snapshot);
    }
    yore_snap_close(snap);
    return code;
}

/* -- a lineage -- */

typedef struct commit_run {
    export_run *run;
    const char *branch;
    const yore_commit_info *info;
    uint32_t first_parent;
    uint64_t written;
} commit_run;

static int commit_row(void *arg, const yore_row *row)
{
    commit_run *commit = arg;
    if (wants(commit->run, row)) {
        write_row(commit->run, commit->branch, row, commit->info, commit->first_parent);
        commit->written++;
    }
    return 0;
}

int export_commit(export_run *run, const char *branch, const yore_commit_info *info)
{
    yore_error err = YORE_ERROR_INIT;
    yore_iter *iter = NULL;
    commit_run commit = {.run = run, .branch = branch, .info = info};
    commit.first_parent = further_parent(run->c, info);
    int code = yore_commit_rows(run->c->db, info->version, &iter, &err) < 0
                   ? cli_fail(run->c, &err)
                   : cli_rows(run->c, iter, commit_row, &commit);
    if (code == EXIT_DONE && commit.written == 0 && info->key_count == 0 && run->prefix.size == 0) {
        write_empty(run, branch, info, commit.first_parent);
        commit.written = 1;
    }
    run->commits += commit.written > 0;
    return code;
}

int export_lineage(export_run *run, const yore_at *upto, uint64_t since_version)
{
    cli *c = run->c;
    yore_error err = YORE_ERROR_INIT;
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *log = NULL;
    cli_bytes versions = {0};
    int code = EXIT_DONE;
    options.since_version = since_version;
    yore_status status = yore_at_resolve(c->db, upto, &where, &err);
    if (status >= 0) {
        status = yore_log(c->db, upto, &options, &log, &err);
    }
    while (status == YORE_OK && (status = yore_log_next(log, &info, &err)) == YORE_OK) {
        cli_bytes_append(&versions, &info.version, sizeof info.version);
    }
    if (status < 0) {
        code = cli_fail(c, &err);
    }
    for (size_t at = versions.size; at > 0 && code == EXIT_DONE; at -= sizeof info.version) {
        uint64_t version;
        memcpy(&version, versions.data + at - sizeof version, sizeof version);
        code = yore_commit_get(c->db, version, &info, &err) < 0 ? cli_fail(c, &err)
                                                                : export_commit(run, where.branch, &info);
        yore_commit_release(&info);
    }
    yore_iter_close(log);
    cli_bytes_deinit(&versions);
    return code;
}
