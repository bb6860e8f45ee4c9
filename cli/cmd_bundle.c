/* yore bundle: make, info, import. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/work.h"

#define ID_TEXT_SIZE (2 * YORE_BACKUP_ID_BYTES + 1)

static void options_begin(cli *c, yore_bundle_options *options, cli_progress *progress, const char *what)
{
    cli_work_begin(progress, c, what, "commits");
    options->progress = cli_work_step;
    options->progress_arg = progress;
}

static void id_text(const uint8_t id[YORE_BACKUP_ID_BYTES], char out[ID_TEXT_SIZE])
{
    for (size_t i = 0; i < YORE_BACKUP_ID_BYTES; i++) (void)snprintf(out + 2 * i, 3, "%02x", id[i]);
}

/* Members, into an open record. */
static void write_members(cli_json *j, const char *path, const yore_bundle_info *info)
{
    char id[ID_TEXT_SIZE], store[ID_TEXT_SIZE];

    id_text(info->id, id);
    id_text(info->store_id, store);
    cli_json_bytes(j, "path", yore_str(path));
    cli_json_text(j, "id", id);
    cli_json_text(j, "store_id", store);
    cli_json_text(j, "branch", info->branch);
    cli_json_u64(j, "version", info->version);
    cli_json_time(j, "time", info->time_ns);
    if (info->has_base) {
        cli_json_text(j, "base_branch", info->base_branch);
        cli_json_u64(j, "base_version", info->base_version);
        cli_json_time(j, "base_time", info->base_time_ns);
    } else {
        cli_json_null(j, "base_branch");
    }
    cli_json_bool(j, "history", info->has_history);
    cli_json_time(j, "created", info->created_ns);
    cli_json_u64(j, "commits", info->commits);
    cli_json_u64(j, "rows", info->rows);
    cli_json_u64(j, "raw_bytes", info->raw_bytes);
    cli_json_u64(j, "bytes", info->file_bytes);
}

static void write_record(const char *path, const yore_bundle_info *info)
{
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    write_members(&j, path, info);
    cli_json_line(&j);
}

static int run_make(cli *c)
{
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_at at = YORE_AT_INIT, base = YORE_AT_INIT;
    cli_progress progress;
    char size[32];
    int code = cli_open_read(c);

    if (code == 0) code = cli_at_any(c, c->args[1], &at);
    if (code == 0 && cli_has(c, "base")) code = cli_at_any(c, cli_value(c, "base"), &base);
    if (code != 0) return code;
    options_begin(c, &options, &progress, "bundling");
    options.history = cli_has(c, "history");
    options.at = &at;
    options.base = cli_has(c, "base") ? &base : NULL;
    yore_status status = yore_bundle_make(c->db, c->args[0], &options, &info, &err);
    cli_progress_end(&progress);
    if (status < 0) return cli_fail(c, &err);
    if (c->json) {
        write_record(c->args[0], &info);
        return 0;
    }
    char *shown = cli_printable(c->args[0]);
    char *base_text = info.has_base ? cli_printf(" on %s@v%" PRIu64, info.base_branch, info.base_version)
                                    : cli_strdup("");
    cli_size_text(info.file_bytes, size);
    cli_note(c, "%s: %s@v%" PRIu64 "%s, %" PRIu64 " commit%s, %s", shown, info.branch, info.version,
             base_text, info.commits, info.commits == 1 ? "" : "s", size);
    free(base_text);
    free(shown);
    return 0;
}

static int run_info(cli *c)
{
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT;
    yore_error err = YORE_ERROR_INIT;
    cli_progress progress;

    options_begin(c, &options, &progress, "reading");
    yore_status status = yore_bundle_info_get(c->args[0], &options, &info, &err);
    cli_progress_end(&progress);
    if (status < 0) return cli_fail(c, &err);
    if (c->json) {
        write_record(c->args[0], &info);
        return 0;
    }
    char time[YORE_TIME_TEXT_SIZE];
    char store[ID_TEXT_SIZE];
    id_text(info.store_id, store);
    cli_time_text(c, info.time_ns, time);
    printf("branch\t%s@v%" PRIu64 "\ntime\t%s\nstore\t%s\n", info.branch, info.version, time, store);
    if (info.has_base) {
        printf("base\t%s@v%" PRIu64 "\n", info.base_branch, info.base_version);
    } else {
        printf("base\t-\n");
    }
    printf("history\t%s\ncommits\t%" PRIu64 "\nrows\t%" PRIu64 "\nbytes\t%" PRIu64 "\n",
           info.has_history ? "yes" : "no", info.commits, info.rows, info.file_bytes);
    (void)fflush(stdout);
    char *shown = cli_printable(c->args[0]);
    cli_note(c, "%s: no problem found", shown);
    free(shown);
    return 0;
}

/* The name it has there, when no other was given. */
static int default_name(cli *c, const char **name, yore_bundle_info *info)
{
    yore_error err = YORE_ERROR_INIT;

    *name = cli_value(c, "as");
    if (*name != NULL) return 0;
    if (yore_bundle_info_get(c->args[0], NULL, info, &err) < 0) return cli_fail(c, &err);
    *name = info->branch;
    return 0;
}

static int run_import(cli *c)
{
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT, named = YORE_BUNDLE_INFO_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_at base = YORE_AT_INIT;
    cli_progress progress;
    const char *name = NULL;
    int code = default_name(c, &name, &named);

    if (code == 0) code = cli_open_write(c, false);
    if (code == 0 && cli_has(c, "base")) code = cli_at_any(c, cli_value(c, "base"), &base);
    if (code != 0) return code;
    options_begin(c, &options, &progress, "importing");
    options.base = cli_has(c, "base") ? &base : NULL;
    yore_status status = yore_bundle_import(c->db, c->args[0], yore_str(name), &options, &where, &info, &err);
    cli_progress_end(&progress);
    if (status < 0) return cli_fail(c, &err);
    if (!c->json) {
        cli_note(c, "%s v%" PRIu64 "  imported %s@v%" PRIu64 ", %" PRIu64 " commit%s", name, where.version,
                 info.branch, info.version, info.commits, info.commits == 1 ? "" : "s");
        return 0;
    }
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_json_text(&j, "name", name);
    cli_json_u64(&j, "head_version", where.version);
    cli_json_object(&j, "bundle");
    write_members(&j, c->args[0], &info);
    cli_json_object_end(&j);
    cli_json_line(&j);
    return 0;
}

static const cmd_flag make_flags[] = {
    {"history", NULL, "every commit that led there, not just what they came to", 0},
    {"base", "SPEC", "only what differs from this point, which the receiving store has", 0},
};
static const cmd_flag import_flags[] = {
    {"as", "NAME", "the new branch (else as it was called where it comes from)", 0},
    {"base", "SPEC", "where the bundle's base is in this store, if it is not found", 0},
};

static const cmd subs[] = {
    {.name = "make",
     .usage = "FILE BRANCH [--history] [--base SPEC]",
     .summary = "write one branch (or a point of it, as a SPEC) into the new file FILE",
     CMD_ENTRY_FLAGS(make_flags),
     .run = run_make,
     .store = CMD_READS,
     .args_min = 2,
     .args_max = 2},
    {.name = "import",
     .usage = "FILE [--as NAME] [--base SPEC]",
     .summary = "make a branch of a bundle; it is there when all of it is",
     CMD_ENTRY_FLAGS(import_flags),
     .run = run_import,
     .store = CMD_WRITES,
     .args_min = 1,
     .args_max = 1},
    {.name = "info",
     .usage = "FILE",
     .summary = "check all of a bundle and tell what it is",
     .run = run_info,
     .args_min = 1,
     .args_max = 1},
};

const cmd cmd_bundle_entry = {
    .name = "bundle",
    .usage = "make|import|info",
    .summary = "take one branch to another store as a file",
    .details =
        "A bundle has what a branch came to, or with --history its commits. With --base only the difference to a\n"
        "point travels that the other store has already: a copy of the store, a git history that both imported, or a\n"
        "bundle that was taken over before. Import finds that point, and says so when it is not there.\n"
        "docs/branches.md has more.",
    .subs = subs,
    .sub_count = CMD_COUNT(subs),
};
