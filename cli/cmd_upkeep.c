/* yore gc, compact, erase: what is collected, rewritten, removed for good. */
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

/* -- compact -- */

static uint64_t disk_bytes(const yore_stats *stats)
{
    return stats->segment_bytes + stats->value_file_bytes + stats->wal_bytes;
}

static int run_compact(cli *c)
{
    yore_stats before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    yore_error err = YORE_ERROR_INIT;
    cli_progress progress;
    char was[32], is[32];
    int code = cli_open_write(c, false);

    if (code != 0) return code;
    if (yore_stats_get(c->db, &before, &err) < 0) return cli_fail(c, &err);
    cli_work_begin(&progress, c, "compacting", "bytes");
    yore_status status = yore_compact(c->db, cli_work_step, &progress, &err);
    cli_progress_end(&progress);
    if (status < 0 || yore_stats_get(c->db, &after, &err) < 0) return cli_fail(c, &err);
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_u64(&j, "disk_before", disk_bytes(&before));
        cli_json_u64(&j, "disk_after", disk_bytes(&after));
        cli_json_u64(&j, "segments", after.segments);
        cli_json_u64(&j, "runs", after.runs);
        cli_json_line(&j);
        return 0;
    }
    cli_size_text(disk_bytes(&before), was);
    cli_size_text(disk_bytes(&after), is);
    cli_note(c, "%s in %" PRIu64 " segment%s (was %s)", is, after.segments, after.segments == 1 ? "" : "s",
             was);
    return 0;
}

const cmd cmd_compact_entry = {
    .name = "compact",
    .usage = "",
    .summary = "write memory to segments and merge them, as far as that helps reads and space",
    .details = "Yore does this by itself in the background; nothing that can be read changes.",
    .run = run_compact,
    .store = CMD_WRITES,
};

/* -- erase -- */

static int erase_report(cli *c, const yore_erase_report *report, bool dry)
{
    char bytes[32];

    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "op", "erase");
        cli_json_bool(&j, "dry_run", dry);
        cli_json_u64(&j, "branches", report->branches);
        cli_json_u64(&j, "keys", report->keys);
        cli_json_u64(&j, "versions", report->versions);
        cli_json_u64(&j, "bytes", report->bytes);
        if (report->version != 0) cli_json_u64(&j, "version", report->version);
        cli_json_line(&j);
        return 0;
    }
    cli_size_text(report->bytes, bytes);
    if (report->versions == 0) {
        cli_note(c, "nothing to erase");
        return 0;
    }
    cli_note(c, "%s%" PRIu64 " version%s of %" PRIu64 " key%s, %s, on %u branch%s %s", dry ? "dry run: " : "",
             report->versions, report->versions == 1 ? "" : "s", report->keys, report->keys == 1 ? "" : "s",
             bytes, report->branches, report->branches == 1 ? "" : "es", dry ? "would be erased" : "erased");
    return 0;
}

/* Asked on a terminal only: scripts name the key, and the verb says what it does. */
static int erase_ask(cli *c, yore_slice key, const yore_erase_options *options)
{
    if (!c->tty_in || !c->tty_err) return 0;
    char *shown = cli_shown(key);
    char *question = cli_printf("erase %s'%s'%s, all versions, for good",
                                options->prefix ? "every key under " : "", shown,
                                options->all_branches ? " on all branches" : "");
    int code = cli_confirm(c, question);
    free(question);
    free(shown);
    return code;
}

static int run_erase(cli *c)
{
    const char *prefix = cli_value(c, "prefix");
    yore_erase_options options = YORE_ERASE_OPTIONS_INIT;
    yore_erase_report report = YORE_ERASE_REPORT_INIT;
    yore_error err = YORE_ERROR_INIT;
    cli_bytes bytes = {0};
    yore_key key = {0};
    cli_progress progress;
    int code;

    if ((prefix != NULL) == (c->arg_count > 0)) {
        return cli_usage_error(c, "yore erase KEY, yore erase --prefix P --dry-run",
                               "'yore erase' needs KEY or --prefix P%s", prefix != NULL ? ", not both" : "");
    }
    options.prefix = prefix != NULL;
    options.all_branches = cli_has(c, "all-branches");
    options.dry_run = cli_has(c, "dry-run");
    code = prefix != NULL ? cli_key_part(c, prefix, &bytes, &key.primitive, &key.user)
                          : cli_key(c, c->args[0], &bytes, &key);
    if (code == 0 && options.all_branches && c->branch_given)
        code = cli_usage_error(c, NULL, "--all-branches and a branch exclude each other");
    if (code == 0) code = options.dry_run ? cli_open_read(c) : cli_open_write(c, false);
    if (code == 0 && !options.dry_run) code = erase_ask(c, key.user, &options);
    if (code == 0) {
        cli_work_begin(&progress, c, "erasing", "bytes");
        options.progress = cli_work_step;
        options.progress_arg = &progress;
        yore_status status = yore_erase(c->db, yore_str(cli_branch(c)), key, &options, &report, &err);
        cli_progress_end(&progress);
        code = status < 0 ? cli_fail(c, &err) : erase_report(c, &report, options.dry_run);
    }
    cli_bytes_deinit(&bytes);
    return code;
}

static const cmd_flag erase_flags[] = {
    {"prefix", "P", "every key that starts with P", 0},
    {"all-branches", NULL, "on every branch, deleted ones too; else only what the branch itself wrote", 0},
    {"dry-run", NULL, "count what would go and change nothing", 0},
    {"yes", NULL, "do not ask on a terminal", 'y'},
};

const cmd cmd_erase_entry = {
    .name = "erase",
    .usage = "KEY|--prefix P [--all-branches] [--dry-run] [--yes]",
    .summary = "remove every version of a key from history and from the store's files",
    .details =
        "Reads then find the key absent at every point before, as if never written. Backups and copies made before\n"
        "still have it, and so does the free space of the disk. A key that the branch's parent shows too is\n"
        "refused, since the parent's value would show: erase it there, or with --all-branches.",
    CMD_ENTRY_FLAGS(erase_flags),
    .run = run_erase,
    .store = CMD_WRITES,
    .args_max = 1,
};
