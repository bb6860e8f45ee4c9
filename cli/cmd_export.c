/* yore export: the flags, and a file that appears only when it is complete. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/export.h"
#include "cli/locate.h"

static int read_format(cli *c, export_run *run)
{
    const char *format = cli_value(c, "format");
    run->csv = format != NULL && strcmp(format, "csv") == 0;
    run->git = format != NULL && strcmp(format, "git") == 0;
    if (format == NULL || run->csv || run->git || strcmp(format, "jsonl") == 0) {
        return EXIT_DONE;
    }
    return cli_usage_error(c, "jsonl, csv, git", "flag '--format' does not know '%s'", format);
}

static int check_flags(cli *c, const export_run *run)
{
    bool all = cli_has(c, "all-versions");
    const char *on_error = cli_value(c, "on-error");
    if (on_error != NULL && strcmp(on_error, "stop") != 0 && strcmp(on_error, "skip") != 0) {
        return cli_usage_error(c, "stop, skip", "flag '--on-error' does not know '%s'", on_error);
    }
    if (on_error != NULL && !run->git) {
        return cli_usage_error(c, "--format git", "--on-error is for keys that git cannot have");
    }
    if (run->git && cli_has(c, "since")) {
        return cli_usage_error(c, "leave --since out",
                               "a git history is whole, so --since does not go with it");
    }
    if (all && (cli_has(c, "as-of") || cli_has(c, "since"))) {
        return cli_usage_error(c, NULL, "--all-versions goes with neither --as-of nor --since");
    }
    if (run->csv && (all || cli_has(c, "since"))) {
        return cli_usage_error(c, "--format jsonl",
                               "a history does not fit a table: csv is for one point in time");
    }
    return EXIT_DONE;
}

/* Only a plain file, or nothing, may be replaced: a device, a pipe or what a link leads to is written in place. */
static bool is_replaceable(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) != 0 || S_ISREG(facts.st_mode);
}

static int open_output(export_run *run)
{
    run->path = cli_value(run->c, "output");
    if (run->path == NULL || strcmp(run->path, "-") == 0) {
        run->path = NULL;
        run->to = stdout;
        return EXIT_DONE;
    }
    if (is_replaceable(run->path)) {
        run->part = cli_printf("%s.part-%ld", run->path, (long)getpid());
    }
    run->to = fopen(run->part != NULL ? run->part : run->path, "wb");
    return run->to == NULL ? cli_os_error(run->c, errno, "cannot write", run->path) : EXIT_DONE;
}

static int close_output(export_run *run, int code)
{
    if (run->path == NULL) {
        return code != EXIT_DONE ? code : cli_out_finish(run->c);
    }
    if (run->to != NULL) {
        bool bad = fflush(run->to) != 0 || ferror(run->to) ||
                   (run->part != NULL && fsync(fileno(run->to)) != 0);
        int error = errno;
        bad = fclose(run->to) != 0 || bad;
        if (bad && code == EXIT_DONE) {
            code = cli_os_error(run->c, error, "cannot write", run->path);
        }
    }
    if (run->to != NULL && run->part != NULL) {
        if (code == EXIT_DONE && rename(run->part, run->path) != 0) {
            code = cli_os_error(run->c, errno, "cannot write", run->path);
        }
        if (code != EXIT_DONE) {
            (void)unlink(run->part);
        }
    }
    free(run->part);
    return code;
}

/* The commits of one branch: after --since, or all of them. */
static int one_branch(export_run *run)
{
    cli *c = run->c;
    yore_error err = YORE_ERROR_INIT;
    yore_at upto = YORE_AT_INIT;
    yore_at since = YORE_AT_INIT;
    yore_where where = YORE_WHERE_INIT;
    const char *spec = cli_value(c, "since");
    int code = cli_at(c, cli_value(c, "as-of"), &upto);
    if (code == EXIT_DONE && spec != NULL) {
        code = cli_at(c, spec, &since);
        if (code == EXIT_DONE && yore_at_resolve(c->db, &since, &where, &err) < 0) {
            code = cli_fail(c, &err);
        }
        if (code == EXIT_DONE && !cli_has(c, "as-of")) {
            /* `--since exp@v12` means the branch exp, up to now. */
            (void)snprintf(upto.branch, sizeof upto.branch, "%s", where.branch);
        }
    }
    return code == EXIT_DONE ? export_lineage(run, &upto, where.version) : code;
}

static int export_to(export_run *run)
{
    cli *c = run->c;
    const char *on_error = cli_value(c, "on-error");
    if (run->git) {
        return export_git(run, on_error != NULL && strcmp(on_error, "skip") == 0);
    }
    if (cli_has(c, "since") || (cli_has(c, "all-versions") && c->branch_given)) {
        return one_branch(run);
    }
    return cli_has(c, "all-versions") ? export_everything(run) : export_snapshot(run, cli_value(c, "as-of"));
}

static int run_export(cli *c)
{
    export_run run = {.c = c};
    cli_bytes prefix = {0};
    char size[32];
    int code = read_format(c, &run);
    if (code == EXIT_DONE) {
        code = check_flags(c, &run);
    }
    if (code == EXIT_DONE && c->arg_count > 0) {
        code = cli_key_part(c, c->args[0], &prefix, &run.primitive, &run.prefix);
    }
    if (code == EXIT_DONE) {
        code = cli_open_read(c);
    }
    if (code == EXIT_DONE) {
        code = open_output(&run);
    }
    if (code == EXIT_DONE) {
        cli_progress_begin(&run.progress, c, "exporting", run.git ? "commits" : "rows", 0);
        run.progress.silent = run.to == stdout && c->tty_out; /* it would stand among the rows */
        code = export_to(&run);
        cli_progress_end(&run.progress);
    }
    if (run.to != NULL || run.path != NULL) {
        code = close_output(&run, code);
    }
    bool long_work = run.to != NULL && cli_progress_seconds(&run.progress) > 0.5;
    if (code == EXIT_DONE && !run.git && (run.path != NULL || c->tty_err || long_work)) {
        cli_size_text(run.bytes, size);
        cli_note(c, "exported %" PRIu64 " row%s, %s", run.rows, run.rows == 1 ? "" : "s", size);
    }
    cli_bytes_deinit(&prefix);
    return code;
}

static const cmd_flag FLAGS[] = {
    {"format", "FORMAT", "jsonl (the default; import reads it back), csv, or git (for git fast-import)", 0},
    {"as-of", "SPEC", "the keys and values of then", 0},
    {"all-versions", NULL,
     "every commit of every branch, with forks, tags and settings (with -b: of one branch)", 0},
    {"since", "SPEC", "the branch's commits after that point", 0},
    {"on-error", "WHAT", "git: stop at a key that is no path of git (the default), or skip it", 0},
    {"output", "FILE", "write to FILE, which appears when it is complete", 'o'},
};

const cmd cmd_export_entry = {
    .name = "export",
    .usage = "[PREFIX] [--format jsonl|csv|git] [--as-of SPEC|--all-versions|--since SPEC] [-o FILE]",
    .summary = "write keys and values, or the whole history, as JSON lines",
    .details =
        "One stored-value record a line, in key order. With --all-versions the store comes out commit by commit:\n"
        "`yore export --all-versions | yore -d NEW import - --create` gives the same log, the same answers as of any\n"
        "moment, the same branches, tags and settings.\n"
        "\n"
        "With --format git the commits of all branches and tags (with -b or --as-of of one branch) are a stream for\n"
        "`git fast-import`: a key is a path (behind PREFIX), a value a file, its metadata the mode.",
    CMD_ENTRY_FLAGS(FLAGS),
    .run = run_export,
    .store = CMD_READS,
    .args_min = 0,
    .args_max = 1,
};
