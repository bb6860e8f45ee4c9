/* yore cas, incr, mv, cp: changes that depend on what is there. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/output.h"
#include "cli/write.h"

/* -- cas -- */

static int run_cas(cli *c)
{
    cli_bytes bytes = {0};
    cli_change change = {.op = YORE_OP_PUT, .value = yore_str(c->args[2]), .note = cli_value(c, "message")};
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn = NULL;
    yore_where where;

    int code = cli_key(c, c->args[0], &bytes, &change.key);
    if (code == 0) code = cli_open_write(c, false);
    if (code == 0) code = cli_begin(c, &txn);
    if (code != 0) goto out;

    change.was = cli_version_before(txn, change.key);
    if (yore_cas(txn, change.key, yore_str(c->args[1]), change.value, NULL, &err) < 0) {
        code = cli_fail(c, &err);
        goto out;
    }
    code = cli_commit(c, txn, change.note, &where);
    txn = NULL; /* ended by the commit */
    if (code != 0) goto out;
    change.where = &where;
    cli_report_change(c, &change);

out:
    yore_rollback(txn);
    cli_bytes_deinit(&bytes);
    return code;
}

static const cmd_flag note_flags[] = {CLI_FLAG_MESSAGE};

const cmd cmd_cas_entry = {
    .name = "cas",
    .usage = "KEY OLD NEW [-m NOTE]",
    .summary = "replace a value only if it is OLD; exit 4 when it is not",
    CMD_ENTRY_FLAGS(note_flags),
    .run = run_cas,
    .store = CMD_WRITES,
    .args_min = 3,
    .args_max = 3,
};

/* -- incr -- */

/* Print what the commit made of the number: it was resolved there, not here. */
static int report_number(cli *c, cli_change *change)
{
    yore_at at = YORE_AT_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_snap *snap = NULL;
    yore_pin pin = YORE_PIN_INIT;
    int code = 0;

    at.kind = YORE_AT_VERSION;
    at.branch_id = change->where->branch_id;
    at.version = change->where->version;
    if (yore_snap_open(c->db, &at, &snap, NULL, &err) < 0 || yore_get(snap, change->key, &pin, &err) < 0) {
        code = cli_fail(c, &err);
    } else {
        change->value = pin.value;
        if (!c->json) printf("%.*s\n", (int)pin.value.size, (const char *)pin.value.data);
        cli_report_change(c, change);
    }
    yore_unpin(&pin);
    yore_snap_close(snap);
    return code;
}

static int run_incr(cli *c)
{
    cli_bytes bytes = {0};
    cli_change change = {.op = YORE_OP_PUT, .show_value = true, .note = cli_value(c, "message")};
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn = NULL;
    yore_where where;
    int64_t by = 1;

    if (c->arg_count > 1 && !cli_parse_i64(c->args[1], &by)) {
        return cli_usage_error(c, NULL, "'%s' is not a whole number of 64 bits", c->args[1]);
    }
    int code = cli_key(c, c->args[0], &bytes, &change.key);
    if (code == 0) code = cli_open_write(c, false);
    if (code == 0) code = cli_begin(c, &txn);
    if (code != 0) goto out;

    change.was = cli_version_before(txn, change.key);
    if (yore_incr(txn, change.key, by, &err) < 0) {
        code = cli_fail(c, &err);
        goto out;
    }
    code = cli_commit(c, txn, change.note, &where);
    txn = NULL; /* ended by the commit */
    if (code != 0) goto out;
    change.where = &where;
    code = report_number(c, &change);

out:
    yore_rollback(txn);
    cli_bytes_deinit(&bytes);
    return code;
}

const cmd cmd_incr_entry = {
    .name = "incr",
    .usage = "KEY [N] [-m NOTE]",
    .summary = "add N (1 when left out, may be negative) to a decimal number and print it",
    .details = "A key without a value counts as 0.",
    CMD_ENTRY_FLAGS(note_flags),
    .run = run_incr,
    .store = CMD_WRITES,
    .args_min = 1,
    .args_max = 2,
};

/* -- mv, cp -- */

static int no_source(cli *c, yore_key key, const yore_where *where)
{
    char *shown = cli_shown(key.user);
    int code = cli_error(c, YORE_ERR_REFUSED, NULL, NULL,
                         "there is no value of '%s' on %s as of v%" PRIu64 " to take", shown, where->branch,
                         where->snap_version);
    free(shown);
    return code;
}

/* Put what `from` held at the snapshot under another key, with its type, metadata and remaining life. */
static int put_copy(cli *c, yore_txn *txn, const yore_pin *pin, cli_change *change)
{
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;

    options.type = pin->type;
    options.meta = pin->meta;
    options.if_absent = cli_has(c, "if-absent");
    if (pin->expiry_ns > c->now_ns) options.expiry_ns = pin->expiry_ns;
    change->was = cli_version_before(txn, change->key);
    change->value = pin->value;
    change->type = pin->type;
    change->expiry_ns = options.expiry_ns;
    return yore_put(txn, change->key, pin->value, &options, &err) < 0 ? cli_fail(c, &err) : 0;
}

static int transfer(cli *c, const char *spec, bool move)
{
    cli_bytes from_bytes = {0};
    cli_bytes to_bytes = {0};
    yore_key from;
    cli_change change = {.op = YORE_OP_PUT, .note = cli_value(c, "message")};
    yore_error err = YORE_ERROR_INIT;
    yore_snap *snap = NULL;
    yore_pin pin = YORE_PIN_INIT;
    yore_txn *txn = NULL;
    yore_where seen;
    yore_where where;

    int code = cli_key(c, c->args[0], &from_bytes, &from);
    if (code == 0) code = cli_key(c, c->args[1], &to_bytes, &change.key);
    if (code == 0 && spec == NULL && from.primitive == change.key.primitive &&
        from.user.size == change.key.user.size &&
        memcmp(from.user.data, change.key.user.data, from.user.size) == 0) {
        code = cli_usage_error(c, NULL, "'%s' and '%s' are the same key", c->args[0], c->args[1]);
    }
    if (code == 0) code = cli_open_write(c, false);
    if (code == 0) code = cli_snap_from(c, spec, &snap, &seen);
    if (code == 0) code = cli_begin(c, &txn);
    if (code != 0) goto out;

    yore_status status = yore_get(snap, from, &pin, &err);
    if (status != YORE_OK) {
        code = status < 0 ? cli_fail(c, &err) : no_source(c, from, &seen);
        goto out;
    }
    code = put_copy(c, txn, &pin, &change);
    if (code == 0 && move && yore_del(txn, from, NULL, &err) < 0) code = cli_fail(c, &err);
    if (code != 0) goto out;
    code = cli_commit(c, txn, change.note, &where);
    txn = NULL; /* ended by the commit */
    if (code != 0) goto out;
    change.where = &where;
    cli_report_change(c, &change);

out:
    yore_rollback(txn);
    yore_unpin(&pin);
    yore_snap_close(snap);
    cli_bytes_deinit(&from_bytes);
    cli_bytes_deinit(&to_bytes);
    return code;
}

static int run_mv(cli *c)
{
    return transfer(c, NULL, true);
}

static int run_cp(cli *c)
{
    return transfer(c, cli_value(c, "from"), false);
}

static const cmd_flag mv_flags[] = {
    {"if-absent", NULL, "only if NEW has no value", 0},
    CLI_FLAG_MESSAGE,
};

const cmd cmd_mv_entry = {
    .name = "mv",
    .usage = "OLD NEW [--if-absent] [-m NOTE]",
    .summary = "give a value another key, in one commit",
    CMD_ENTRY_FLAGS(mv_flags),
    .run = run_mv,
    .store = CMD_WRITES,
    .args_min = 2,
    .args_max = 2,
};

static const cmd_flag cp_flags[] = {
    {"from", "SPEC", "the value it had at that point, which may be on another branch", 0},
    {"if-absent", NULL, "only if NEW has no value", 0},
    CLI_FLAG_MESSAGE,
};

const cmd cmd_cp_entry = {
    .name = "cp",
    .usage = "OLD NEW [--from SPEC] [--if-absent] [-m NOTE]",
    .summary = "copy a value to another key, also from the past or another branch",
    CMD_ENTRY_FLAGS(cp_flags),
    .run = run_cp,
    .store = CMD_WRITES,
    .args_min = 2,
    .args_max = 2,
};
