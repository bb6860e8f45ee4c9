#include "cli/undo_plan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/commit_record.h"
#include "cli/fail.h"
#include "cli/output.h"

/* -- rows -- */

static const char *op_name(uint32_t op)
{
    static const char *const names[] = {"clash", "add", "change", "del"};
    return names[op <= YORE_DIFF_DEL ? op : 0];
}

static void value_member(cli_json *j, const char *name, const yore_undo_state *state)
{
    if (state->version == 0) {
        cli_json_null(j, name);
    } else {
        cli_json_bytes(j, name, state->value);
    }
}

static void version_member(cli_json *j, const char *name, const yore_undo_state *state)
{
    if (state->version == 0) {
        cli_json_null(j, name);
    } else {
        cli_json_u64(j, name, state->version);
    }
}

static void side_member(cli_json *j, const char *name, const yore_undo_state *state)
{
    if (state->version == 0) {
        cli_json_null(j, name);
        return;
    }
    cli_json_object(j, name);
    cli_json_bytes(j, "value", state->value);
    cli_json_u64(j, "version", state->version);
    cli_json_object_end(j);
}

/* A diff row, or a conflict: docs/cli.md, "JSON records". */
static void write_record(const yore_undo_row *row)
{
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    if (!row->clash) cli_json_text(&j, "op", op_name(row->op));
    cli_json_bytes(&j, "key", row->key);
    if (row->primitive != YORE_KV) cli_json_text(&j, "primitive", cli_primitive_name(row->primitive));
    if (row->clash) {
        side_member(&j, "base", &row->base);
        side_member(&j, "ours", &row->now);
        side_member(&j, "theirs", &row->then);
    } else {
        value_member(&j, "old", &row->now);
        value_member(&j, "new", &row->then);
        version_member(&j, "old_version", &row->now);
        if (row->merged) {
            cli_json_null(&j, "new_version");
        } else {
            version_member(&j, "new_version", &row->then);
        }
    }
    cli_json_line(&j);
}

static void list_row(cli *c, cli_table *t, const yore_undo_row *row)
{
    yore_row named = {.key = row->key, .primitive = row->primitive};

    cli_table_cell_text(t, op_name(row->op));
    cli_table_cell(t, cli_key_cell(c, cli_branch(c), &named));
    cli_table_cell_version(t, row->now.version);
    if (row->merged) {
        cli_table_cell_text(t, "merged");
    } else {
        cli_table_cell_version(t, row->then.version);
    }
}

typedef struct tally {
    uint64_t changes;
    uint64_t clashes;
} tally;

/* List what the plan does, or only what stands in its way. 0 or an exit code. */
static int list_rows(cli *c, yore_undo *plan, bool clashes_only, tally *counts)
{
    static const char *const headers[] = {"OP", "KEY", "NOW", "THEN"};
    cli_table *t = c->json ? NULL : cli_table_create(c, headers, CMD_COUNT(headers));
    yore_error err = YORE_ERROR_INIT;
    yore_undo_row row;
    yore_status status;

    while ((status = yore_undo_next(plan, &row, &err)) == YORE_OK) {
        if (row.clash) {
            counts->clashes++;
        } else {
            counts->changes++;
        }
        if (!row.clash && clashes_only) continue;
        if (c->json) {
            write_record(&row);
        } else {
            list_row(c, t, &row);
        }
    }
    cli_table_destroy(t);
    return status < 0 ? cli_fail(c, &err) : 0;
}

/* -- words -- */

/* "undo v12", "restore from exp@v7": the default note, and the middle of the line that reports. free() it. */
static char *title_of(cli *c, const yore_undo_info *info)
{
    static const char *const words[] = {"",        "undo", "redo", "revert", "cherry-pick", "restore from",
                                        "reset to"};
    const char *word = words[info->kind < CMD_COUNT(words) ? info->kind : 0];

    if (info->source_id == info->branch_id) return cli_printf("%s v%" PRIu64, word, info->version);
    return cli_printf("%s %s@v%" PRIu64, word, cli_branch_name(c, info->source_id), info->version);
}

/* Without -m the note says what was done, with the first line of the commit's own note; not when that is such a note
 * itself, which every undo and redo would make longer. */
static void default_note(cli *c, const yore_undo_info *info, const char *title, cli_bytes *out)
{
    static yore_commit_info commit; /* large */

    cli_bytes_append(out, title, strlen(title));
    if (info->kind == YORE_UNDO_REDO || info->kind == YORE_UNDO_RESTORE || info->kind == YORE_UNDO_RESET)
        return;
    commit = (yore_commit_info){.struct_size = sizeof commit};
    if (yore_commit_get(c->db, info->version, &commit, NULL) != YORE_OK) return;
    yore_slice note = commit.note;
    const char *end = note.size > 0 ? memchr(note.data, '\n', note.size) : NULL;
    if (end != NULL) note.size = (size_t)(end - (const char *)note.data);
    if (note.size > 0 && note.size < YORE_NOTE_BYTES_MAX / 2 &&
        (commit.source.size == 0 || memchr(commit.source.data, ':', commit.source.size) == NULL)) {
        cli_bytes_append(out, ": ", 2);
        cli_bytes_append(out, note.data, note.size);
    }
    yore_commit_release(&commit);
}

/* -- making it -- */

static void write_commit(const yore_undo_info *info, const yore_where *where, uint64_t keys, yore_slice note)
{
    cli_json j = {.to = stdout};
    const char *end = strchr(info->source, ':');

    cli_json_begin(&j);
    cli_json_text(&j, "branch", info->branch);
    if (where->version != 0) {
        cli_json_u64(&j, "version", where->version);
        cli_json_time(&j, "time", where->time_ns);
    } else {
        cli_json_null(&j, "version");
        cli_json_null(&j, "time");
    }
    cli_json_bytes(&j, "op", yore_bytes(info->source, (size_t)(end - info->source)));
    cli_json_u64(&j, "keys", keys);
    cli_json_bytes(&j, "note", where->version != 0 ? note : yore_str(""));
    cli_json_text(&j, "source", info->source);
    cli_json_line(&j);
}

static int report(cli *c, const yore_undo_info *info, const char *title, const yore_where *where,
                  yore_slice note)
{
    cli_commit_sums sums = {0};
    char deleted[40] = "";
    int code = where->version != 0 ? cli_commit_sum(c, where->version, &sums) : 0;
    uint64_t keys = sums.puts + sums.dels;

    if (code != 0) return code;
    if (c->json) {
        write_commit(info, where, keys, note);
        return 0;
    }
    if (where->version == 0) {
        cli_note(c, "%s  %s: nothing to change", info->branch, title);
        return 0;
    }
    if (sums.dels > 0) (void)snprintf(deleted, sizeof deleted, " (%" PRIu64 " deleted)", sums.dels);
    cli_note(c, "%s v%" PRIu64 "  %s  %" PRIu64 " key%s%s", info->branch, where->version, title, keys,
             keys == 1 ? "" : "s", deleted);
    return 0;
}

static int make(cli *c, yore_undo *plan, const yore_undo_info *info, const char *title)
{
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    const char *given = cli_value(c, "message");
    cli_bytes text = {0};
    tally counts = {0};

    if (given == NULL) default_note(c, info, title, &text);
    yore_slice note = given != NULL ? yore_str(given) : cli_bytes_slice(&text);
    options.sync = c->sync;
    yore_status status = yore_undo_apply(plan, &options, note, &where, &err);
    int code = status == YORE_OK ? report(c, info, title, &where, note) : 0;
    if (status == YORE_CONFLICT) code = list_rows(c, plan, true, &counts);
    if (status != YORE_OK && code == 0)
        code = cli_answer(c, status, &err, "the commit lost: a key was changed meanwhile");
    cli_bytes_deinit(&text);
    return code;
}

static int show(cli *c, yore_undo *plan, const char *title)
{
    tally counts = {0};
    int code = list_rows(c, plan, false, &counts);

    if (code != 0) return code;
    if (counts.clashes > 0) {
        return cli_error(c, YORE_CONFLICT, NULL, NULL, "dry run: %s would stop at %" PRIu64 " clash%s", title,
                         counts.clashes, counts.clashes == 1 ? "" : "es");
    }
    cli_note(c, "dry run: %s would change %" PRIu64 " key%s", title, counts.changes,
             counts.changes == 1 ? "" : "s");
    return 0;
}

int cli_undo_store(cli *c)
{
    return cli_has(c, "dry-run") ? cli_open_read(c) : cli_open_write(c, false);
}

int cli_undo_run(cli *c, const yore_undo_options *options)
{
    yore_error err = YORE_ERROR_INIT;
    yore_undo *plan = NULL;
    yore_undo_info info;

    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    if (yore_undo_open(c->db, yore_str(cli_branch(c)), options, &plan, &err) < 0 ||
        yore_undo_info_get(plan, &info, &err) < 0) {
        yore_undo_close(plan);
        return cli_fail(c, &err);
    }
    char *title = title_of(c, &info);
    int code = cli_has(c, "dry-run") ? show(c, plan, title) : make(c, plan, &info, title);
    free(title);
    yore_undo_close(plan);
    return code;
}

/* -- arguments -- */

int cli_undo_keys_take(cli *c, size_t first, cli_undo_keys *out)
{
    int code = 0;

    *out = (cli_undo_keys){.count = c->arg_count > first ? c->arg_count - first : 0};
    out->keys = cli_alloc((out->count + 1) * sizeof *out->keys);
    out->bytes = cli_alloc((out->count + 1) * sizeof *out->bytes);
    for (size_t i = 0; i < out->count && code == 0; i++)
        code = cli_key(c, c->args[first + i], &out->bytes[i], &out->keys[i]);
    return code;
}

void cli_undo_keys_deinit(cli_undo_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) cli_bytes_deinit(&keys->bytes[i]);
    free(keys->keys);
    free(keys->bytes);
    *keys = (cli_undo_keys){0};
}
