/* yore ls and scan: keys in byte order. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/explain.h"
#include "cli/fail.h"
#include "cli/list.h"
#include "cli/output.h"
#include "cli/locate.h"

typedef struct listing {
    cli *c;
    yore_where where;
    cli_table *table; /* NULL with --json and --count */
    bool is_long;
    bool values;
    bool deleted;
    bool counting;
    bool explained;
    cli_explain explain;
    uint64_t limit; /* UINT64_MAX = none */
    uint64_t count;
    yore_slice after; /* skipped itself; empty = none */
} listing;

static int list_row(void *arg, const yore_row *row)
{
    listing *l = arg;

    if (l->after.size > 0 && row->key.size == l->after.size &&
        memcmp(row->key.data, l->after.data, l->after.size) == 0) {
        return 0;
    }
    if (l->count == l->limit) return CLI_STOP;
    l->count++;
    cli_explain_row(&l->explain, row->key.size, row->value.size);
    if (l->counting) return 0;
    if (l->c->json) {
        cli_record record = {.branch = l->where.branch,
                             .row = row,
                             .note = cli_note_of(l->c, row->version),
                             .has_value = l->values};
        cli_record_write(stdout, &record);
        return 0;
    }
    cli_table_cell(l->table, cli_key_cell(l->c, l->where.branch, row));
    if (l->is_long) {
        cli_table_cell_version(l->table, row->version);
        cli_table_cell_time(l->table, row->time_ns);
        cli_table_cell_u64(l->table, row->op == YORE_OP_PUT ? row->value.size : 0);
    }
    if (l->is_long || l->deleted) cli_table_cell_text(l->table, row->op == YORE_OP_DEL ? "del" : "put");
    if (l->values) cli_table_cell(l->table, row->value);
    return 0;
}

static int list(listing *l, yore_range *range)
{
    static const char *const all[] = {"KEY", "VERSION", "TIME", "BYTES", "OP", "VALUE"};
    const char *headers[CMD_COUNT(all)];
    size_t columns = 0;
    cli *c = l->c;
    yore_snap *snap = NULL;

    int code = cli_value_u64(c, "limit", &l->limit);
    if (code == 0) code = cli_open_read(c);
    cli_explain_begin(&l->explain, l->explained);
    if (code == 0) code = cli_snap(c, cli_value(c, "as-of"), &snap, &l->where);
    if (code != 0) return code;

    headers[columns++] = all[0];
    for (size_t i = 1; i <= 3 && l->is_long; i++) headers[columns++] = all[i];
    if (l->is_long || l->deleted) headers[columns++] = all[4];
    if (l->values) headers[columns++] = all[5];
    if (!c->json && !l->counting) l->table = cli_table_create(c, columns > 1 ? headers : NULL, columns);
    /* One row more may come for the key that `after` skips. */
    if (l->limit < UINT64_MAX - 1) range->limit = l->limit + 1;
    if (l->limit > 0) code = cli_scan(c, snap, range, list_row, l);
    cli_table_destroy(l->table);
    yore_snap_close(snap);
    if (code != 0) return code;

    if (l->counting && c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_u64(&j, "count", l->count);
        cli_json_line(&j);
    } else if (l->counting) {
        printf("%" PRIu64 "\n", l->count);
    }
    return cli_explain_end(c, &l->explain, &l->where);
}

static int run_ls(cli *c)
{
    listing l = {.c = c,
                 .is_long = cli_has(c, "long"),
                 .values = cli_has(c, "values"),
                 .deleted = cli_has(c, "deleted"),
                 .limit = UINT64_MAX};
    yore_range range = YORE_RANGE_INIT;
    cli_bytes prefix = {0};
    cli_bytes after = {0};
    uint32_t primitive;
    int code = 0;

    if (c->arg_count > 0) code = cli_key_part(c, c->args[0], &prefix, &range.primitive, &range.prefix);
    if (code == 0 && cli_has(c, "after")) {
        code = cli_key_part(c, cli_value(c, "after"), &after, &primitive, &l.after);
        if (c->arg_count == 0) range.primitive = primitive;
        range.from = l.after;
    }
    range.with_deleted = l.deleted;
    if (code == 0) code = list(&l, &range);
    cli_bytes_deinit(&prefix);
    cli_bytes_deinit(&after);
    return code;
}

static const cmd_flag ls_flags[] = {
    {"long", NULL, "version, time, size and kind of change too", 'l'},
    {"values", NULL, "the values too", 0},
    {"limit", "N", "N keys at most", 0},
    {"after", "KEY", "start behind this key: the last one of the page before", 0},
    {"as-of", "SPEC", "the keys there were then", 0},
    {"deleted", NULL, "also keys that are deleted or expired", 0},
};

const cmd cmd_ls_entry = {
    .name = "ls",
    .usage = "[PREFIX] [-l] [--values] [--limit N] [--after KEY] [--as-of SPEC] [--deleted]",
    .summary = "list keys, all or those under a prefix",
    CMD_ENTRY_FLAGS(ls_flags),
    .run = run_ls,
    .pages = true,
    .store = CMD_READS,
    .args_max = 1,
};

static int run_scan(cli *c)
{
    listing l = {.c = c,
                 .values = cli_has(c, "values"),
                 .counting = cli_has(c, "count"),
                 .explained = cli_has(c, "explain"),
                 .limit = UINT64_MAX};
    yore_range range = YORE_RANGE_INIT;
    cli_bytes from = {0};
    cli_bytes to = {0};
    uint32_t primitive;

    int code = cli_key_part(c, c->args[0], &from, &range.primitive, &range.from);
    if (code == 0) code = cli_key_part(c, c->args[1], &to, &primitive, &range.to);
    if (code == 0 && primitive != range.primitive)
        code = cli_usage_error(c, NULL, "FROM and TO are of two primitives");
    range.reverse = cli_has(c, "reverse");
    range.keys_only = l.counting;
    if (code == 0) code = list(&l, &range);
    cli_bytes_deinit(&from);
    cli_bytes_deinit(&to);
    return code;
}

static const cmd_flag scan_flags[] = {
    {"reverse", NULL, "last key first; FROM and TO keep their meaning", 0},
    {"values", NULL, "KEY TAB VALUE", 0},
    {"count", NULL, "only how many", 0},
    {"limit", "N", "N keys at most", 0},
    {"as-of", "SPEC", "as it was then", 0},
    {"explain", NULL, "how it was read: point, lineage, versions, bytes and time, on stderr", 0},
};

const cmd cmd_scan_entry = {
    .name = "scan",
    .usage = "FROM TO [--reverse] [--values] [--count] [--limit N] [--as-of SPEC] [--explain]",
    .summary = "list the keys from FROM (inclusive) to TO (exclusive); '' is an open end",
    CMD_ENTRY_FLAGS(scan_flags),
    .run = run_scan,
    .pages = true,
    .store = CMD_READS,
    .args_min = 2,
    .args_max = 2,
};
