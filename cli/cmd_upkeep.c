/* yore gc: what is no longer kept goes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/confirm.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/work.h"

/* -- gc -- */

typedef struct gc_list {
    cli *c;
    cli_table *table; /* NULL: the branches are not listed, or as JSON */
    bool json;
} gc_list;

static void list_branch(void *arg, const yore_gc_branch *branch)
{
    const gc_list *list = arg;

    if (list->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "name", branch->name);
        cli_json_u64(&j, "id", branch->id);
        cli_json_bool(&j, "purged", branch->purged);
        if (!branch->purged) {
            cli_json_u64(&j, "oldest_version", branch->oldest_version);
            cli_json_time(&j, "oldest_time", branch->oldest_time_ns);
        }
        cli_json_u64(&j, "versions", branch->versions);
        cli_json_u64(&j, "bytes", branch->bytes);
        cli_json_line(&j);
    }
    if (list->table == NULL) return;
    cli_table_cell_text(list->table, branch->name);
    cli_table_cell_u64(list->table, branch->id);
    cli_table_cell_text(list->table, branch->purged ? "purge" : "trim");
    cli_table_cell_version(list->table, branch->oldest_version);
    if (branch->purged) {
        cli_table_cell_text(list->table, "-");
    } else {
        cli_table_cell_time(list->table, branch->oldest_time_ns);
    }
    cli_table_cell_u64(list->table, branch->versions);
    cli_table_cell_u64(list->table, branch->bytes);
}

static void gc_record(const yore_gc_report *report, bool dry)
{
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_object(&j, "gc");
    cli_json_bool(&j, "dry_run", dry);
    cli_json_u64(&j, "branches_trimmed", report->branches_trimmed);
    cli_json_u64(&j, "branches_purged", report->branches_purged);
    cli_json_u64(&j, "versions", report->versions);
    cli_json_u64(&j, "bytes", report->bytes);
    cli_json_u64(&j, "disk_before", report->disk_before);
    cli_json_u64(&j, "disk_after", report->disk_after);
    if (report->version != 0) cli_json_u64(&j, "version", report->version);
    cli_json_object_end(&j);
    cli_json_line(&j);
}

static void gc_words(const cli *c, const yore_gc_report *report, bool dry)
{
    char bytes[32], disk[32];
    uint64_t freed = report->disk_before > report->disk_after ? report->disk_before - report->disk_after : 0;

    cli_size_text(report->bytes, bytes);
    cli_size_text(freed, disk);
    if (report->versions == 0 && report->version == 0) {
        cli_note(c, "nothing to collect");
        return;
    }
    cli_note(c, "%s%" PRIu64 " version%s of %s %s, %s of disk; %u branch%s trimmed, %u purged",
             dry ? "dry run: " : "", report->versions, report->versions == 1 ? "" : "s", bytes,
             dry ? "would go" : "collected", disk, report->branches_trimmed,
             report->branches_trimmed == 1 ? "" : "es", report->branches_purged);
}

/* A dry run tells what there is to ask about. Without an answer to wait for, it would only be work done twice. */
static int gc_ask(cli *c, yore_gc_options *options, yore_gc_report *report)
{
    yore_error err = YORE_ERROR_INIT;
    char bytes[32];

    if (cli_has(c, "yes")) return 0;
    options->dry_run = true;
    if (yore_gc(c->db, options, report, &err) < 0) return cli_fail(c, &err);
    options->dry_run = false;
    if (report->branches_trimmed + report->branches_purged == 0) return 0;
    cli_size_text(report->bytes, bytes);
    char *question =
        cli_printf("collect %" PRIu64 " version%s of %s for good (%u branch%s trimmed, %u purged)",
                   report->versions, report->versions == 1 ? "" : "s", bytes, report->branches_trimmed,
                   report->branches_trimmed == 1 ? "" : "es", report->branches_purged);
    int code = cli_confirm(c, question);
    free(question);
    return code;
}

static int run_gc(cli *c)
{
    static const char *const headers[] = {"NAME", "ID", "WHAT", "OLDEST", "TIME", "VERSIONS", "BYTES"};
    bool dry = cli_has(c, "dry-run");
    yore_gc_options options = YORE_GC_OPTIONS_INIT;
    yore_gc_report report = YORE_GC_REPORT_INIT;
    yore_error err = YORE_ERROR_INIT;
    gc_list list = {.c = c, .json = c->json};
    cli_progress progress;
    int code = dry ? cli_open_read(c) : cli_open_write(c, false);

    if (code != 0) return code;
    options.now = cli_has(c, "now");
    if (!dry) code = gc_ask(c, &options, &report);
    if (code != 0) return code;
    options.dry_run = dry;
    options.each = list_branch;
    options.each_arg = &list;
    cli_work_begin(&progress, c, "collecting", "bytes");
    options.progress = cli_work_step;
    options.progress_arg = &progress;
    if (!c->json) list.table = cli_table_create(c, headers, CMD_COUNT(headers));
    yore_status status = yore_gc(c->db, &options, &report, &err);
    cli_progress_end(&progress);
    cli_table_destroy(list.table);
    if (status < 0) return cli_fail(c, &err);
    if (c->json) {
        gc_record(&report, dry);
    } else {
        gc_words(c, &report, dry);
    }
    return 0;
}

static const cmd_flag gc_flags[] = {
    {"dry-run", NULL, "list what would go and how much it frees, and change nothing", 0},
    {"now", NULL, "deleted branches at once, without their seven days of grace", 0},
    {"yes", NULL, "do not ask", 'y'},
};

const cmd cmd_gc_entry = {
    .name = "gc",
    .usage = "[--dry-run] [--now] [--yes]",
    .summary = "collect the history that no branch keeps, and deleted branches after seven days",
    .details =
        "What a branch keeps is said by `yore branch retention`; without it everything stays. Forks, tags and open\n"
        "snapshots keep the points they name. Reads of what went are exit 6 and name the oldest point there is.",
    CMD_ENTRY_FLAGS(gc_flags),
    .run = run_gc,
    .store = CMD_WRITES,
};
