/* yore del: keys, or everything under a prefix, in one commit. */
#include <stdlib.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/list.h"
#include "cli/output.h"
#include "cli/write.h"

/* Deleting what has no value writes nothing; so the count says what really went. */
typedef struct deletion {
    cli *c;
    yore_snap *snap;
    yore_txn *txn;   /* NULL in a dry run */
    cli_table *list; /* of a dry run */
    uint64_t count;
    uint64_t was; /* of the last key */
} deletion;

static void list_key(const deletion *d, yore_key key)
{
    if (!d->c->json) {
        yore_row row = {.key = key.user, .primitive = key.primitive};
        cli_table_cell(d->list, cli_key_cell(d->c, cli_branch(d->c), &row));
        cli_table_cell_version(d->list, d->was);
        return;
    }
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_json_bytes(&j, "key", key.user);
    cli_json_u64(&j, "version", d->was);
    cli_json_line(&j);
}

static int delete_key(deletion *d, yore_key key)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = YORE_PIN_INIT;
    yore_status status = yore_get(d->snap, key, &pin, &err);

    if (status < 0) return cli_fail(d->c, &err);
    if (status == YORE_NOT_FOUND) return 0;
    d->was = pin.version;
    d->count++;
    yore_unpin(&pin);
    if (d->txn == NULL) {
        list_key(d, key);
        return 0;
    }
    return yore_del(d->txn, key, NULL, &err) < 0 ? cli_fail(d->c, &err) : 0;
}

static int delete_keys(deletion *d)
{
    cli_bytes bytes = {0};
    int code = 0;

    for (size_t i = 0; i < d->c->arg_count && code == 0; i++) {
        yore_key key;
        code = cli_key(d->c, d->c->args[i], &bytes, &key);
        if (code == 0) code = delete_key(d, key);
    }
    cli_bytes_deinit(&bytes);
    return code;
}

static int delete_row(void *arg, const yore_row *row)
{
    yore_key key = {row->key, row->primitive};
    return delete_key(arg, key);
}

static int delete_prefix(deletion *d, yore_range *range)
{
    range->keys_only = true;
    return cli_scan(d->c, d->snap, range, delete_row, d);
}

static int finish(deletion *d)
{
    cli *c = d->c;
    cli_change change = {.op = YORE_OP_DEL, .was = d->was, .note = cli_value(c, "message")};
    cli_bytes bytes = {0};
    yore_where where = YORE_WHERE_INIT;

    if (d->txn == NULL) {
        cli_note(c, "dry run: %llu key%s would be deleted", (unsigned long long)d->count,
                 d->count == 1 ? "" : "s");
        return 0;
    }
    if (d->count == 0) {
        (void)snprintf(where.branch, sizeof where.branch, "%s", cli_branch(c));
        if (c->json) {
            cli_report_commit(c, &where, "del", 0, NULL);
        } else {
            cli_note(c, "nothing to delete on %s", where.branch);
        }
        return 0;
    }
    yore_txn *txn = d->txn;
    d->txn = NULL; /* ended by the commit */
    if (c->arg_count != 1) {
        bool written;
        return cli_commit_many(c, txn, "del", change.note, &written);
    }
    int code = cli_commit(c, txn, change.note, &where);
    if (code == 0 && cli_key(c, c->args[0], &bytes, &change.key) == 0) {
        change.where = &where;
        cli_report_change(c, &change);
    }
    cli_bytes_deinit(&bytes);
    return code;
}

static int run_del(cli *c)
{
    static const char *const headers[] = {"KEY", "VERSION"};
    const char *prefix = cli_value(c, "prefix");
    deletion d = {.c = c};
    cli_bytes bytes = {0};
    yore_range range = YORE_RANGE_INIT;
    yore_where where;
    int code = 0;

    if (prefix != NULL && c->arg_count > 0)
        return cli_usage_error(c, NULL, "keys and --prefix exclude each other");
    if (prefix == NULL && c->arg_count == 0) {
        return cli_usage_error(c, "yore del KEY, yore del --prefix P --dry-run",
                               "'yore del' needs KEY... or --prefix P");
    }
    /* Bad keys are found before anything is opened, and an address names the branch. */
    for (size_t i = 0; i < c->arg_count && code == 0; i++) {
        yore_key key;
        code = cli_key(c, c->args[i], &bytes, &key);
    }
    if (prefix != NULL) code = cli_key_part(c, prefix, &bytes, &range.primitive, &range.prefix);
    bool dry = cli_has(c, "dry-run");
    if (code == 0) code = dry ? cli_open_read(c) : cli_open_write(c, false);
    if (code == 0) code = cli_snap(c, NULL, &d.snap, &where);
    if (code == 0 && !dry) code = cli_begin(c, &d.txn);
    if (code == 0 && dry && !c->json) d.list = cli_table_create(c, headers, CMD_COUNT(headers));
    if (code == 0) code = prefix != NULL ? delete_prefix(&d, &range) : delete_keys(&d);
    if (code == 0) code = finish(&d);

    cli_table_destroy(d.list);
    yore_rollback(d.txn);
    yore_snap_close(d.snap);
    cli_bytes_deinit(&bytes);
    return code;
}

static const cmd_flag flags[] = {
    {"prefix", "P", "every key that starts with P", 0},
    {"dry-run", NULL, "list what would go and change nothing", 0},
    CLI_FLAG_MESSAGE,
};

const cmd cmd_del_entry = {
    .name = "del",
    .usage = "KEY... [-m NOTE]\n--prefix P [--dry-run] [-m NOTE]",
    .summary = "delete keys in one commit; their history stays",
    .details = "Deleting a key without a value writes nothing and is no error.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_del,
    .store = CMD_WRITES,
    .args_max = CMD_ARGS_ANY,
};
