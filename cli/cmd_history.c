/* yore history: the versions of one key, newest first. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/list.h"
#include "cli/output.h"
#include "cli/locate.h"

typedef struct versions {
    cli *c;
    cli_table *table;
    yore_key key;
    bool values;
    uint64_t limit; /* UINT64_MAX = none */
    uint64_t count;
} versions;

static int show_version(void *arg, const yore_row *given)
{
    versions *v = arg;
    yore_row row = *given;
    const char *branch = cli_branch_name(v->c, row.branch_id);

    if (v->count++ == v->limit) return CLI_STOP;
    row.key = v->key.user;
    row.primitive = v->key.primitive;
    yore_slice note = cli_note_of(v->c, row.version);
    if (v->c->json) {
        cli_record record = {.branch = branch, .row = &row, .note = note, .has_value = true};
        cli_record_write(stdout, &record);
        return 0;
    }
    cli_table_cell_version(v->table, row.version);
    cli_table_cell_time(v->table, row.time_ns);
    cli_table_cell_text(v->table, branch);
    cli_table_cell_text(v->table, row.op == YORE_OP_DEL ? "del" : "put");
    cli_table_cell_u64(v->table, row.op == YORE_OP_PUT ? row.value.size : 0);
    cli_table_cell(v->table, cli_note_cell(v->c, note));
    if (v->values) cli_table_cell(v->table, row.value);
    return 0;
}

static int never_seen(cli *c, yore_key key, const yore_at *at)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;

    if (yore_at_resolve(c->db, at, &where, &err) < 0) return cli_fail(c, &err);
    char *shown = cli_shown(key.user);
    char *then = cli_has(c, "until") ? cli_printf(" as of v%" PRIu64, where.snap_version) : cli_strdup("");
    int code =
        cli_error(c, YORE_NOT_FOUND, NULL, NULL, "'%s' was never written on %s%s", shown, where.branch, then);
    free(then);
    free(shown);
    return code;
}

static int run_history(cli *c)
{
    static const char *const headers[] = {"VERSION", "TIME", "BRANCH", "OP", "BYTES", "NOTE", "VALUE"};
    versions v = {.c = c, .values = cli_has(c, "patch"), .limit = UINT64_MAX};
    cli_bytes bytes = {0};
    yore_range range = YORE_RANGE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_iter *iter = NULL;
    yore_at at;
    yore_where where;

    int code = cli_value_u64(c, "number", &v.limit);
    if (code == 0) code = cli_key(c, c->args[0], &bytes, &v.key);
    if (code == 0) code = cli_open_read(c);
    if (code == 0 && cli_has(c, "since")) {
        code = cli_resolve(c, cli_value(c, "since"), &at, &where);
        range.since_version = where.snap_version;
    }
    if (code == 0) code = cli_at(c, cli_value(c, "until"), &at);
    if (code != 0) goto out;

    if (v.limit < UINT64_MAX && v.limit > 0) range.limit = v.limit;
    yore_status status = yore_history(c->db, &at, v.key, &range, &iter, &err);
    if (status != YORE_OK) {
        code = status < 0 ? cli_fail(c, &err) : never_seen(c, v.key, &at);
        goto out;
    }
    if (!c->json) v.table = cli_table_create(c, headers, CMD_COUNT(headers) - (v.values ? 0 : 1));
    code = cli_rows(c, iter, show_version, &v);
    cli_table_destroy(v.table);

out:
    cli_bytes_deinit(&bytes);
    return code;
}

static const cmd_flag flags[] = {
    {"number", "N", "the newest N versions only", 'n'},
    {"since", "SPEC", "only versions after this point", 0},
    {"until", "SPEC", "only versions at or before this point", 0},
    {"patch", NULL, "the values too", 'p'},
};

const cmd cmd_history_entry = {
    .name = "history",
    .usage = "KEY [-n N] [--since SPEC] [--until SPEC] [-p]",
    .summary = "list the versions of a key, newest first, deletes included",
    .details =
        "A branch shows its own versions, then its parent's at or before the fork. Exit 1 for a key never written.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_history,
    .pages = true,
    .store = CMD_READS,
    .args_min = 1,
    .args_max = 1,
};
