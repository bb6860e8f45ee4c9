/* Transactions of one verb, and their reports. */
#include "cli/write.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/fail.h"
#include "cli/help.h"
#include "cli/output.h"

int cli_begin(cli *c, yore_txn **txn)
{
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;

    options.sync = c->sync;
    if (yore_begin(c->db, yore_str(cli_branch(c)), &options, txn, &err) < 0) return cli_fail(c, &err);
    return 0;
}

int cli_commit(cli *c, yore_txn *txn, const char *note, yore_where *where)
{
    yore_error err = YORE_ERROR_INIT;

    *where = (yore_where)YORE_WHERE_INIT;
    yore_status status = yore_commit(txn, yore_str(note != NULL ? note : ""), where, &err);
    if (status == YORE_OK) return 0;
    return cli_answer(c, status, &err, "the commit lost: a key was changed meanwhile or is not as asked for");
}

int cli_commit_many(cli *c, yore_txn *txn, const char *op, const char *note, bool *written)
{
    static yore_commit_info info; /* large */
    yore_error err = YORE_ERROR_INIT;
    yore_at tip = YORE_AT_INIT;
    yore_where before = YORE_WHERE_INIT;
    yore_where where;

    if (yore_at_resolve(c->db, &tip, &before, &err) < 0) {
        yore_rollback(txn);
        return cli_fail(c, &err);
    }
    int code = cli_commit(c, txn, note, &where);
    if (code != 0) return code;
    info = (yore_commit_info){.struct_size = sizeof info};
    *written = where.version > before.snap_version;
    if (*written && yore_commit_get(c->db, where.version, &info, &err) < 0) return cli_fail(c, &err);
    if (!*written) {
        where = (yore_where)YORE_WHERE_INIT;
        (void)snprintf(where.branch, sizeof where.branch, "%s", cli_branch(c));
    }
    cli_report_commit(c, &where, op, info.key_count, note);
    yore_commit_release(&info);
    return 0;
}

uint64_t cli_version_before(yore_txn *txn, yore_key key)
{
    yore_pin pin = YORE_PIN_INIT;
    uint64_t version = 0;

    if (yore_txn_get(txn, key, &pin, NULL) == YORE_OK) version = pin.version;
    yore_unpin(&pin);
    return version;
}

static void report_record(const cli_change *change)
{
    cli_json j = {.to = stdout};
    yore_row row = {
        .key = change->key.user,
        .value = change->value,
        .version = change->where->version,
        .time_ns = change->where->time_ns,
        .expiry_ns = change->expiry_ns,
        .branch_id = change->where->branch_id,
        .primitive = change->key.primitive,
        .op = change->op,
        .type = change->type,
    };
    cli_record record = {
        .branch = change->where->branch,
        .row = &row,
        .note = yore_str(change->note != NULL ? change->note : ""),
        .has_value = change->show_value,
    };

    cli_json_begin(&j);
    cli_record_members(&j, &record);
    if (change->was != 0) {
        cli_json_u64(&j, "was", change->was);
    } else {
        cli_json_null(&j, "was");
    }
    cli_json_line(&j);
}

void cli_report_change(cli *c, const cli_change *change)
{
    char was[40] = "(new)";
    char size[32] = "deleted";

    if (c->json) {
        report_record(change);
        return;
    }
    if (change->was != 0) (void)snprintf(was, sizeof was, "(was v%" PRIu64 ")", change->was);
    if (change->op == YORE_OP_PUT) cli_size_text(change->value.size, size);
    char *key = cli_shown(change->key.user);
    cli_note(c, "%s v%" PRIu64 "  %s  %s  %s", change->where->branch, change->where->version, key, size, was);
    free(key);
}

void cli_report_commit(cli *c, const yore_where *where, const char *op, uint64_t keys, const char *note)
{
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "branch", where->branch);
        if (where->version != 0) {
            cli_json_u64(&j, "version", where->version);
            cli_json_time(&j, "time", where->time_ns);
        } else {
            cli_json_null(&j, "version");
            cli_json_null(&j, "time");
        }
        cli_json_text(&j, "op", op);
        cli_json_u64(&j, "keys", keys);
        cli_json_text(&j, "note", note != NULL ? note : "");
        cli_json_line(&j);
        return;
    }
    if (where->version == 0) {
        cli_note(c, "%s  nothing to change", where->branch);
        return;
    }
    cli_note(c, "%s v%" PRIu64 "  %s  %" PRIu64 " key%s", where->branch, where->version, op, keys,
             keys == 1 ? "" : "s");
}

bool cli_refuse_terminal_input(cli *c)
{
    if (!c->tty_in) return false;
    (void)cli_help_command(c, stderr, c->parent, c->command);
    return true;
}
