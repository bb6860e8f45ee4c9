/* yore tag: create, list, delete. */
#include <inttypes.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/output.h"
#include "cli/locate.h"

static void write_record(const yore_tag_info *info)
{
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_text(&j, "name", info->name);
    cli_json_text(&j, "branch", info->branch);
    cli_json_u64(&j, "version", info->version);
    cli_json_time(&j, "time", info->time_ns);
    cli_json_time(&j, "created", info->created_ns);
    cli_json_line(&j);
}

static int run_list(cli *c)
{
    static const char *const headers[] = {"NAME", "BRANCH", "VERSION", "TIME", "CREATED"};
    yore_tag_info info;
    yore_error err = YORE_ERROR_INIT;
    yore_status status;
    char after[YORE_BRANCH_NAME_MAX + 1] = "";
    int code = cli_open_read(c);

    if (code != 0) return code;
    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    cli_table *t = c->json ? NULL : cli_table_create(c, headers, CMD_COUNT(headers));
    while ((status = yore_tag_next(c->db, yore_str(after), &info, &err)) == YORE_OK) {
        if (c->json) {
            write_record(&info);
        } else {
            cli_table_cell_text(t, info.name);
            cli_table_cell_text(t, info.branch);
            cli_table_cell_version(t, info.version);
            cli_table_cell_time(t, info.time_ns);
            cli_table_cell_time(t, info.created_ns);
        }
        memcpy(after, info.name, sizeof after);
    }
    cli_table_destroy(t);
    return status < 0 ? cli_fail(c, &err) : 0;
}

static int run_create(cli *c)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_where point = YORE_WHERE_INIT;
    yore_at at;
    int code = 0;

    if (yore_name_check(yore_str(c->args[0]), &err) < 0) return cli_fail(c, &err);
    code = cli_open_write(c, false);
    if (code == 0) code = cli_resolve(c, c->arg_count > 1 ? c->args[1] : NULL, &at, &point);
    if (code != 0) return code;
    if (yore_tag_create(c->db, yore_str(c->args[0]), &at, &where, &err) < 0) return cli_fail(c, &err);
    if (!c->json) {
        cli_note(c, "%s v%" PRIu64 "  tag %s is %s@v%" PRIu64, point.branch, where.version, c->args[0],
                 point.branch, point.version);
        return 0;
    }
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_json_text(&j, "name", c->args[0]);
    cli_json_text(&j, "branch", point.branch);
    cli_json_u64(&j, "version", point.version);
    cli_json_time(&j, "time", point.time_ns);
    cli_json_line(&j);
    return 0;
}

static int run_delete(cli *c)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    int code = cli_open_write(c, false);

    if (code != 0) return code;
    if (yore_tag_delete(c->db, yore_str(c->args[0]), &where, &err) < 0) return cli_fail(c, &err);
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "name", c->args[0]);
        cli_json_u64(&j, "version", where.version);
        cli_json_bool(&j, "deleted", true);
        cli_json_line(&j);
    } else {
        cli_note(c, "v%" PRIu64 "  tag %s deleted", where.version, c->args[0]);
    }
    return 0;
}

static const cmd subs[] = {
    {.name = "create",
     .usage = "NAME [SPEC]",
     .summary = "name a point in history (else the tip)",
     .run = run_create,
     .store = CMD_WRITES,
     .args_min = 1,
     .args_max = 2},
    {.name = "list", .usage = "", .summary = "list the tags", .run = run_list, .store = CMD_READS},
    {.name = "delete",
     .usage = "NAME",
     .summary = "forget a tag",
     .run = run_delete,
     .store = CMD_WRITES,
     .args_min = 1,
     .args_max = 1},
};

const cmd cmd_tag_entry = {
    .name = "tag",
    .usage = "create|list|delete",
    .summary = "name points in history",
    .subs = subs,
    .sub_count = CMD_COUNT(subs),
};
