/* yore merge: plan, show, apply. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/merge_answers.h"
#include "cli/output.h"
#include "cli/write.h"

#define PREVIEW_BYTES 60u
#define PLAN_TEXT_SIZE 48

static const char *const kind_names[] = {"", "both-added", "both-changed", "change-delete", "delete-change"};

/* What a plan is bound to: both heads. */
static void plan_text(const yore_merge_info *info, char out[PLAN_TEXT_SIZE])
{
    (void)snprintf(out, PLAN_TEXT_SIZE, "v%" PRIu64 "+v%" PRIu64, info->ours_version, info->theirs_version);
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* -- the command line -- */

static int read_policy(cli *c, uint32_t *out)
{
    static const char *const names[] = {"stop", "ours", "theirs", "newest"};
    const char *text = cli_value(c, "on-conflict");
    if (text == NULL) return 0;
    for (uint32_t i = 0; i < CMD_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    return cli_usage_error(c, "stop, ours, theirs, newest", "flag '--on-conflict' does not know '%s'", text);
}

static int read_into(cli *c, const char **into)
{
    *into = cli_value(c, "into");
    if (*into == NULL) *into = cli_branch(c);
    if (!c->branch_given || strcmp(*into, cli_branch(c)) == 0) return 0;
    return cli_usage_error(c, "leave one of them out", "--into says '%s', but -b says '%s'", *into,
                           c->branch);
}

static int check_flags(cli *c)
{
    const char *plan = cli_value(c, "plan");
    uint64_t version;
    if (cli_has(c, "resolve") && cli_has(c, "on-conflict"))
        return cli_usage_error(c, NULL, "--resolve and --on-conflict exclude each other");
    if (plan == NULL) return 0;
    const char *plus = strchr(plan, '+');
    char *first = cli_printf("%.*s", plus != NULL ? (int)(plus - plan) : 0, plan);
    bool good = (cli_parse_version(first, &version) || strcmp(first, "v0") == 0) && plus != NULL &&
                cli_parse_version(plus + 1, &version);
    free(first);
    return good ? 0 : cli_usage_error(c, "as --dry-run printed it: v12+v15", "'%s' is no plan", plan);
}

/* What is merged: the name of a branch, or a SPEC that names one. */
static int read_from(cli *c, yore_at *at)
{
    const char *text = c->args[0];
    if (strchr(text, '@') != NULL || strncmp(text, "tag:", 4) == 0) return cli_at_any(c, text, at);
    *at = (yore_at)YORE_AT_INIT;
    if (strlen(text) > YORE_BRANCH_NAME_MAX)
        return cli_error(c, YORE_ERR_NO_BRANCH, NULL, "yore branch list", "no branch has a name of %zu bytes",
                         strlen(text));
    (void)snprintf(at->branch, sizeof at->branch, "%s", text);
    return 0;
}

/* -- conflicts -- */

static void write_side(cli_json *j, const char *name, const yore_merge_side *side)
{
    if (side->version == 0) {
        cli_json_null(j, name);
        return;
    }
    cli_json_object(j, name);
    cli_json_bytes(j, "value", side->value);
    cli_json_u64(j, "version", side->version);
    if (side->type != YORE_TYPE_BYTES)
        cli_json_text(j, "type", side->type == YORE_TYPE_JSON ? "json" : "text");
    if (side->expiry_ns != 0) cli_json_time(j, "expires", side->expiry_ns);
    if (side->meta.size > 0) cli_json_bytes(j, "meta", side->meta);
    cli_json_object_end(j);
}

static void write_conflict(const yore_merge_conflict *conflict)
{
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_json_bytes(&j, "key", conflict->key);
    if (conflict->primitive != YORE_KV)
        cli_json_text(&j, "primitive", cli_primitive_name(conflict->primitive));
    cli_json_text(&j, "kind", kind_names[conflict->kind]);
    write_side(&j, "base", &conflict->base);
    write_side(&j, "ours", &conflict->ours);
    write_side(&j, "theirs", &conflict->theirs);
    if (conflict->path_count > 0) {
        cli_json_array(&j, "paths");
        for (size_t i = 0; i < conflict->path_count; i++) cli_json_bytes(&j, NULL, conflict->paths[i]);
        cli_json_array_end(&j);
    }
    cli_json_line(&j);
}

/* "v12 dark", or its size when it is long or no text. */
static void side_cell(cli_table *t, const yore_merge_side *side)
{
    char size[32] = "";
    if (side->version == 0) {
        cli_table_cell_text(t, "-");
        return;
    }
    bool shows = side->value.size <= PREVIEW_BYTES && cli_is_utf8(side->value);
    if (!shows) cli_size_text(side->value.size, size);
    cli_bytes cell = {0};
    char *version = cli_printf("v%" PRIu64 " %s", side->version, size);
    cli_bytes_append(&cell, version, strlen(version));
    if (shows) cli_bytes_append(&cell, side->value.data, side->value.size);
    cli_table_cell(t, cli_bytes_slice(&cell));
    cli_bytes_deinit(&cell);
    free(version);
}

static void conflict_row(cli_table *t, const yore_merge_conflict *conflict)
{
    cli_bytes paths = {0};
    cli_table_cell(t, conflict->key);
    cli_table_cell_text(t, kind_names[conflict->kind]);
    side_cell(t, &conflict->base);
    side_cell(t, &conflict->ours);
    side_cell(t, &conflict->theirs);
    for (size_t i = 0; i < conflict->path_count; i++) {
        if (i > 0) cli_bytes_append(&paths, " ", 1);
        cli_bytes_append(&paths, conflict->paths[i].data, conflict->paths[i].size);
    }
    cli_table_cell(t, paths.size > 0 ? cli_bytes_slice(&paths) : yore_str("-"));
    cli_bytes_deinit(&paths);
}

static int list_conflicts(cli *c, yore_merge_plan *plan)
{
    static const char *const headers[] = {"KEY", "KIND", "BASE", "OURS", "THEIRS", "PATHS"};
    yore_error err = YORE_ERROR_INIT;
    yore_merge_conflict conflict = {.struct_size = sizeof conflict};
    yore_status status = YORE_OK;
    cli_table *t = c->json ? NULL : cli_table_create(c, headers, CMD_COUNT(headers));
    for (size_t i = 0; (status = yore_merge_plan_conflict(plan, i, &conflict, &err)) == YORE_OK; i++) {
        if (c->json)
            write_conflict(&conflict);
        else
            conflict_row(t, &conflict);
    }
    cli_table_destroy(t);
    return status < 0 ? cli_fail(c, &err) : 0;
}

static int stop_at_conflicts(cli *c, yore_merge_plan *plan, const yore_merge_info *info)
{
    int code = list_conflicts(c, plan);
    if (code == 0) code = cli_out_finish(c);
    if (code != 0) return code;
    return cli_error(c, YORE_CONFLICT, "nothing was merged",
                     "decide them with --on-conflict ours|theirs|newest, or answer each with --resolve FILE",
                     "'%s' and '%s' both changed %" PRIu64 " key%s differently", info->theirs_branch,
                     info->ours_branch, info->open_conflicts, plural(info->open_conflicts));
}

/* -- a dry run -- */

static void write_old_or_new(cli_json *j, const char *name, const yore_merge_side *side, bool is_there)
{
    if (is_there)
        cli_json_bytes(j, name, side->value);
    else
        cli_json_null(j, name);
}

/* A diff row from ours to what it would be. */
static void write_change(const yore_merge_change *change)
{
    bool was = change->before.version != 0;
    bool becomes = change->op == YORE_OP_PUT;
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_json_text(&j, "op", !becomes ? "del" : was ? "change" : "add");
    cli_json_bytes(&j, "key", change->key);
    if (change->primitive != YORE_KV) cli_json_text(&j, "primitive", cli_primitive_name(change->primitive));
    write_old_or_new(&j, "old", &change->before, was);
    write_old_or_new(&j, "new", &change->after, becomes);
    if (was)
        cli_json_u64(&j, "old_version", change->before.version);
    else
        cli_json_null(&j, "old_version");
    if (change->after.version != 0)
        cli_json_u64(&j, "new_version", change->after.version);
    else
        cli_json_null(&j, "new_version");
    cli_json_bool(&j, "by_path", change->is_by_path);
    cli_json_bool(&j, "conflict", change->is_conflict);
    cli_json_line(&j);
}

static void change_row(cli_table *t, const yore_merge_change *change)
{
    bool was = change->before.version != 0;
    bool becomes = change->op == YORE_OP_PUT;
    cli_table_cell_text(t, !becomes ? "del" : was ? "change" : "add");
    cli_table_cell(t, change->key);
    cli_table_cell_version(t, change->before.version);
    cli_table_cell_version(t, change->after.version);
    cli_table_cell_text(t, change->is_conflict ? "decided" : change->is_by_path ? "by path" : "theirs");
}

static void write_facts(cli_json *j, const yore_merge_info *info)
{
    cli_json_text(j, "from", info->theirs_branch);
    if (info->base_version != 0)
        cli_json_u64(j, "base_version", info->base_version);
    else
        cli_json_null(j, "base_version");
    cli_json_u64(j, "ours_version", info->ours_version);
    cli_json_u64(j, "theirs_version", info->theirs_version);
    cli_json_u64(j, "keys", info->puts + info->dels);
    cli_json_u64(j, "puts", info->puts);
    cli_json_u64(j, "dels", info->dels);
    cli_json_u64(j, "by_path", info->by_path);
    cli_json_u64(j, "alike", info->alike);
    cli_json_u64(j, "conflicts", info->conflicts);
    cli_json_bool(j, "nothing", info->is_nothing);
}

static void write_plan(const yore_merge_info *info)
{
    char id[PLAN_TEXT_SIZE];
    cli_json j = {.to = stdout};
    plan_text(info, id);
    cli_json_begin(&j);
    cli_json_object(&j, "plan");
    cli_json_text(&j, "id", id);
    cli_json_text(&j, "branch", info->ours_branch);
    write_facts(&j, info);
    cli_json_object_end(&j);
    cli_json_line(&j);
}

/* What is or would be done, without the names. free() it. */
static char *counts_text(const yore_merge_info *info)
{
    char *by_path = info->by_path == 0 ? cli_strdup("") : cli_printf(", %" PRIu64 " by path", info->by_path);
    char *decided = info->conflicts == 0 ? cli_strdup("")
                                         : cli_printf(", %" PRIu64 " conflict%s decided", info->conflicts,
                                                      plural(info->conflicts));
    char *base = info->base_version == 0 ? cli_strdup("an empty base")
                                         : cli_printf("base v%" PRIu64, info->base_version);
    char *text = cli_printf("%" PRIu64 " key%s put%s, %" PRIu64 " deleted%s (%s)", info->puts,
                            plural(info->puts), by_path, info->dels, decided, base);
    free(by_path);
    free(decided);
    free(base);
    return text;
}

static void say_nothing_to_merge(cli *c, const yore_merge_info *info)
{
    cli_note(c, "%s v%" PRIu64 "  nothing to merge: it has all of %s", info->ours_branch, info->ours_version,
             info->theirs_branch);
}

static int show_plan(cli *c, yore_merge_plan *plan, const yore_merge_info *info)
{
    static const char *const headers[] = {"OP", "KEY", "OURS", "THEIRS", "FROM"};
    yore_error err = YORE_ERROR_INIT;
    yore_merge_change change = {.struct_size = sizeof change};
    yore_status status = YORE_OK;
    char id[PLAN_TEXT_SIZE];
    cli_table *t = c->json ? NULL : cli_table_create(c, headers, CMD_COUNT(headers));
    for (size_t i = 0; (status = yore_merge_plan_change(plan, i, &change, &err)) == YORE_OK; i++) {
        if (c->json)
            write_change(&change);
        else
            change_row(t, &change);
    }
    cli_table_destroy(t);
    if (status < 0) return cli_fail(c, &err);
    if (c->json) {
        write_plan(info);
    } else if (info->is_nothing) {
        say_nothing_to_merge(c, info);
    } else {
        int code = cli_out_finish(c); /* the words come behind the list */
        if (code != 0) return code;
        char *counts = counts_text(info);
        plan_text(info, id);
        cli_note(c, "%s v%" PRIu64 "  would merge %s v%" PRIu64 ": %s; --plan %s does it", info->ours_branch,
                 info->ours_version, info->theirs_branch, info->theirs_version, counts, id);
        free(counts);
    }
    return 0;
}

/* -- for real -- */

static void report(cli *c, const yore_merge_info *info, const yore_where *where, const char *note)
{
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "branch", where->branch);
        cli_json_u64(&j, "version", where->version);
        cli_json_time(&j, "time", where->time_ns);
        cli_json_text(&j, "op", "merge");
        write_facts(&j, info);
        cli_json_text(&j, "note", note);
        cli_json_line(&j);
    } else if (info->is_nothing) {
        say_nothing_to_merge(c, info);
    } else {
        char *counts = counts_text(info);
        cli_note(c, "%s v%" PRIu64 "  merged %s v%" PRIu64 ": %s", where->branch, where->version,
                 info->theirs_branch, info->theirs_version, counts);
        free(counts);
    }
}

static int apply(cli *c, yore_merge_plan *plan, const yore_merge_info *info)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_where where = YORE_WHERE_INIT;
    const char *message = cli_value(c, "message");
    char *note = message != NULL ? cli_strdup(message) : cli_printf("merge %s", info->theirs_branch);
    options.sync = c->sync;
    yore_status status = yore_merge_apply(plan, yore_str(note), &options, &where, &err);
    if (status == YORE_OK) report(c, info, &where, info->is_nothing ? "" : note);
    free(note);
    return status == YORE_OK ? 0 : cli_answer(c, status, &err, "the merge lost against another commit");
}

static int check_plan(cli *c, const yore_merge_info *info)
{
    char id[PLAN_TEXT_SIZE];
    const char *asked = cli_value(c, "plan");
    plan_text(info, id);
    if (asked == NULL || strcmp(asked, id) == 0) return 0;
    return cli_error(c, YORE_CONFLICT, "a branch has moved on since the plan was made; nothing was merged",
                     "look at it again with --dry-run", "the plan %s is stale: '%s' into '%s' is %s now",
                     asked, info->theirs_branch, info->ours_branch, id);
}

static int run_plan(cli *c, yore_merge_plan *plan)
{
    yore_error err = YORE_ERROR_INIT;
    yore_merge_info info = {.struct_size = sizeof info};
    if (yore_merge_plan_info(plan, &info, &err) < 0) return cli_fail(c, &err);
    int code = check_plan(c, &info);
    if (code != 0) return code;
    if (info.open_conflicts > 0) return stop_at_conflicts(c, plan, &info);
    return cli_has(c, "dry-run") ? show_plan(c, plan, &info) : apply(c, plan, &info);
}

static int run_merge(cli *c)
{
    yore_error err = YORE_ERROR_INIT;
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    yore_merge_plan *plan = NULL;
    merge_answers answers = {0};
    const char *into = NULL, *file = cli_value(c, "resolve");
    size_t refused = SIZE_MAX;
    yore_at from;
    int code = check_flags(c);
    if (code == 0) code = read_policy(c, &options.on_conflict);
    if (code == 0) code = read_into(c, &into);
    if (code == 0) code = cli_has(c, "dry-run") ? cli_open_read(c) : cli_open_write(c, false);
    if (code == 0) code = read_from(c, &from);
    if (code == 0 && file != NULL) code = merge_answers_read(c, file, &answers);
    if (code == 0) {
        options.allow_unrelated = cli_has(c, "allow-unrelated");
        options.whole_values = cli_has(c, "whole");
        options.resolutions = answers.resolutions;
        options.resolution_count = answers.count;
        options.refused = &refused;
        yore_status status = yore_merge_plan_open(c->db, &from, yore_str(into), &options, &plan, &err);
        if (status < 0 && refused <= answers.count)
            code = merge_answers_refused(c, &answers, refused, &err);
        else if (status < 0)
            code = cli_fail(c, &err);
    }
    if (code == 0) code = run_plan(c, plan);
    yore_merge_plan_close(plan);
    merge_answers_deinit(&answers);
    return code;
}

static const cmd_flag flags[] = {
    {"into", "DST", "the branch that gets it (else -b, else default)", 0},
    {"dry-run", NULL, "show what would be written, and the plan's name; change nothing", 0},
    {"plan", "ID", "only if both branches are where they were when --dry-run printed ID", 0},
    {"on-conflict", "HOW", "stop (merge nothing), ours, theirs or newest (the later commit wins)", 0},
    {"resolve", "FILE", "the conflicts as --json printed them, each with \"resolved\" added; - = stdin", 0},
    {"whole", NULL, "JSON values as a whole, not by path", 0},
    {"allow-unrelated", NULL, "also branches without a version in common, as if both had begun empty", 0},
    CLI_FLAG_MESSAGE,
};

const cmd cmd_merge_entry = {
    .name = "merge",
    .usage =
        "SRC [--into DST] [--dry-run] [--plan ID] [--on-conflict HOW] [--resolve FILE] [--whole] [-m NOTE]",
    .summary = "put what another branch changed into this one",
    .details =
        "What SRC (a branch, or a point of one) changed since the two had last the same goes into DST in one "
        "commit with both as parents. That base is their nearest common version; a merge counts, so the next one "
        "starts where it ended.\n\n"
        "A key that both changed differently is a conflict: both-added, both-changed, change-delete (DST changed "
        "it, SRC deleted it) or delete-change. Then nothing is merged, all conflicts are printed, and the exit "
        "status is 4. Changes that are the same on both sides are none. Values that are JSON objects (of any type "
        "but text) are merged by path, arrays as a whole; --on-conflict then decides path by path.\n\n"
        "To answer conflicts one by one: print them with --json, add \"resolved\":{\"value\":...} to each line, or "
        "\"resolved\":null to delete the key, and give the file to --resolve. A file that misses a conflict, "
        "answers what is none, or names other versions is refused.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_merge,
    .store = CMD_WRITES,
    .args_min = 1,
    .args_max = 1,
};
