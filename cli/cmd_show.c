/* yore show, at: one commit, and where a SPEC is. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commit_record.h"
#include "cli/fail.h"
#include "cli/list.h"

/* -- show -- */

typedef struct shown {
    cli *c;
    cli_json *json; /* NULL for text */
    cli_table *table;
    const yore_commit_info *info;
    yore_key key; /* size 0 = every key */
    bool found;
} shown;

static int show_row(void *arg, const yore_row *row)
{
    shown *s = arg;
    bool one = s->key.user.size > 0;

    if (one && (row->primitive != s->key.primitive || row->key.size != s->key.user.size ||
                memcmp(row->key.data, s->key.user.data, row->key.size) != 0)) {
        return 0;
    }
    s->found = true;
    const char *branch = cli_branch_name(s->c, row->branch_id);
    if (s->json != NULL) {
        cli_record record = {.branch = branch, .row = row, .note = s->info->note, .has_value = true};
        cli_json_object(s->json, NULL);
        cli_record_members(s->json, &record);
        cli_json_object_end(s->json);
        return 0;
    }
    cli_table_cell_text(s->table, row->op == YORE_OP_DEL ? "del" : "put");
    cli_table_cell(s->table, cli_key_cell(s->c, branch, row));
    cli_table_cell_u64(s->table, row->op == YORE_OP_PUT ? row->value.size : 0);
    if (one) cli_table_cell(s->table, row->value);
    return 0;
}

/* The commit did not touch the key: what it had then came from an earlier one. */
static int show_inherited(shown *s, const yore_at *at)
{
    yore_snap *snap = NULL;
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    int code = 0;

    if (yore_snap_open(s->c->db, at, &snap, NULL, &err) < 0) return cli_fail(s->c, &err);
    yore_status status = yore_get(snap, s->key, &pin, &err);
    if (status < 0) {
        code = cli_fail(s->c, &err);
    } else {
        char *key = cli_shown(s->key.user);
        char then[48] = "it had no value then";
        if (status == YORE_OK)
            (void)snprintf(then, sizeof then, "its value then was of v%" PRIu64, pin.version);
        cli_note(s->c, "note: v%" PRIu64 " did not touch '%s'; %s", s->info->version, key, then);
        free(key);
    }
    yore_unpin(&pin);
    yore_snap_close(snap);
    return code;
}

static void show_head(cli *c, const yore_commit_info *info)
{
    char time[YORE_TIME_TEXT_SIZE];

    cli_time_text(c, info->time_ns, time);
    printf("version\tv%" PRIu64 "\ntime\t%s\nbranch\t%s\nkind\t%s\nparents\t", info->version, time,
           cli_branch_name(c, info->branch_id), cli_commit_kind(info->kind));
    for (uint32_t i = 0; i < info->parent_count && i < YORE_PARENTS_MAX; i++) {
        printf("%sv%" PRIu64, i > 0 ? " " : "", info->parents[i]);
    }
    fputs("\nauthor\t", stdout);
    cli_put_escaped(stdout, info->author);
    fputs("\nsource\t", stdout);
    cli_put_escaped(stdout, info->source);
    fputs("\nnote\t", stdout);
    cli_put_escaped(stdout, info->note);
    printf("\nkeys\t%" PRIu64 "\n\n", info->key_count);
}

static int show(shown *s, const yore_at *at)
{
    static const char *const headers[] = {"OP", "KEY", "BYTES", "VALUE"};
    cli_json j = {.to = stdout};
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;

    if (yore_commit_rows(s->c->db, s->info->version, &iter, &err) < 0) return cli_fail(s->c, &err);
    if (s->c->json) {
        s->json = &j;
        cli_json_begin(&j);
        cli_commit_members(s->c, &j, s->info);
        cli_json_array(&j, "changes");
    } else {
        show_head(s->c, s->info);
        s->table = cli_table_create(s->c, headers, s->key.user.size > 0 ? 4 : 3);
    }
    int code = cli_rows(s->c, iter, show_row, s);
    if (s->json != NULL) {
        cli_json_array_end(&j);
        cli_json_line(&j);
    }
    cli_table_destroy(s->table);
    if (code == 0 && s->key.user.size > 0 && !s->found) code = show_inherited(s, at);
    return code;
}

static int run_show(cli *c)
{
    static yore_commit_info info;
    shown s = {.c = c, .info = &info};
    cli_bytes bytes = {0};
    yore_error err = YORE_ERROR_INIT;
    yore_at at;
    yore_where where;
    int code = 0;

    if (c->arg_count > 1) code = cli_key(c, c->args[1], &bytes, &s.key);
    if (code == 0) code = cli_open_read(c);
    if (code == 0) code = cli_resolve(c, c->args[0], &at, &where);
    if (code != 0) goto out;

    /* An exact version shows that commit, whatever its kind or branch; any other point the branch's newest then. */
    uint64_t version = at.kind == YORE_AT_VERSION && strchr(c->args[0], '@') == NULL ? at.version
                                                                                     : where.version;
    info.struct_size = sizeof info;
    if (yore_commit_get(c->db, version, &info, &err) < 0) {
        code = cli_fail(c, &err);
    } else {
        code = show(&s, &at);
        yore_commit_release(&info);
    }

out:
    cli_bytes_deinit(&bytes);
    return code;
}

const cmd cmd_show_entry = {
    .name = "show",
    .usage = "SPEC [KEY]",
    .summary = "show a commit and what it wrote, or what it did to one key",
    .details = "A bare vN is that commit, of whatever branch; exp@vN is exp's newest commit at or before it.",
    .run = run_show,
    .pages = true,
    .store = CMD_READS,
    .args_min = 1,
    .args_max = 2,
};

/* -- at -- */

static int run_at(cli *c)
{
    static const char *const headers[] = {"BRANCH", "VERSION", "TIME"};
    yore_at at;
    yore_where where;
    int code = cli_open_read(c);

    if (code == 0) code = cli_resolve(c, c->args[0], &at, &where);
    if (code != 0) return code;
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "branch", where.branch);
        cli_json_u64(&j, "version", where.version);
        cli_json_time(&j, "time", where.time_ns);
        cli_json_line(&j);
        return 0;
    }
    cli_table *t = cli_table_create(c, headers, CMD_COUNT(headers));
    cli_table_cell_text(t, where.branch);
    cli_table_cell_version(t, where.version);
    cli_table_cell_time(t, where.time_ns);
    cli_table_destroy(t);
    return 0;
}

const cmd cmd_at_entry = {
    .name = "at",
    .usage = "SPEC",
    .summary = "tell which commit a point in history is",
    .run = run_at,
    .store = CMD_READS,
    .args_min = 1,
    .args_max = 1,
};
