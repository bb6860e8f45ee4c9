/* yore branch: list, create, delete, recover, rename, info, reset, retention. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/branch_retention.h"
#include "cli/confirm.h"
#include "cli/fail.h"
#include "cli/output.h"
#include "cli/undo_plan.h"
#include "cli/write.h"

static yore_branch_info new_info(void)
{
    yore_branch_info info;

    memset(&info, 0, sizeof info);
    info.struct_size = sizeof info;
    return info;
}

static int64_t end_of(const yore_branch_info *info)
{
    bool is_far = info->created_ns > 0 && info->ttl_ns > INT64_MAX - info->created_ns;
    return is_far ? INT64_MAX : info->created_ns + info->ttl_ns;
}

static void write_record(const yore_branch_info *info)
{
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_text(&j, "name", info->name);
    cli_json_u64(&j, "id", info->id);
    if (info->parent_id != 0) {
        cli_json_text(&j, "parent", info->parent);
        cli_json_u64(&j, "fork_version", info->fork_version);
    } else {
        cli_json_null(&j, "parent");
        cli_json_null(&j, "fork_version");
    }
    cli_json_u64(&j, "head_version", info->head_version);
    cli_json_time(&j, "created", info->created_ns);
    cli_json_u64(&j, "own_keys", info->own_keys);
    cli_json_u64(&j, "own_bytes", info->own_bytes);
    cli_json_bool(&j, "deleted", info->deleted_version != 0);
    cli_json_bool(&j, "hidden", info->hidden);
    cli_json_u64(&j, "children", info->children);
    cli_json_u64(&j, "depth", info->depth);
    if (info->deleted_version != 0) cli_json_u64(&j, "deleted_version", info->deleted_version);
    if (info->ttl_ns != 0) cli_json_time(&j, "expires", end_of(info));
    cli_json_line(&j);
}

/* -- list -- */

static void list_row(cli_table *t, const yore_branch_info *info)
{
    cli_table_cell_text(t, info->name);
    cli_table_cell_u64(t, info->id);
    cli_table_cell_text(t, info->parent_id != 0 ? info->parent : "-");
    cli_table_cell_version(t, info->fork_version);
    cli_table_cell_version(t, info->head_version);
    cli_table_cell_time(t, info->created_ns);
    cli_table_cell_u64(t, info->own_keys);
    cli_table_cell_u64(t, info->own_bytes);
    cli_table_cell_text(t, info->deleted_version != 0 ? "deleted" : info->hidden ? "hidden" : "live");
    if (info->ttl_ns != 0) {
        cli_table_cell_time(t, end_of(info));
    } else {
        cli_table_cell_text(t, "-");
    }
}

static int run_list(cli *c)
{
    static const char *const headers[] = {"NAME",    "ID",       "PARENT",    "FORK",  "HEAD",
                                          "CREATED", "OWN KEYS", "OWN BYTES", "STATE", "ENDS"};
    bool all = cli_has(c, "all");
    yore_branch_info info = new_info();
    yore_error err = YORE_ERROR_INIT;
    yore_status status;
    int code = cli_open_read(c);

    if (code != 0) return code;
    cli_table *t = c->json ? NULL : cli_table_create(c, headers, CMD_COUNT(headers));
    while ((status = yore_branch_next(c->db, info.id, &info, &err)) == YORE_OK) {
        if (!all && (info.hidden || info.deleted_version != 0)) continue;
        if (c->json) {
            write_record(&info);
        } else {
            list_row(t, &info);
        }
    }
    cli_table_destroy(t);
    return status < 0 ? cli_fail(c, &err) : 0;
}

/* -- info -- */

static int run_info(cli *c)
{
    yore_branch_info info = new_info();
    yore_error err = YORE_ERROR_INIT;
    char time[YORE_TIME_TEXT_SIZE];
    int code = cli_open_read(c);

    if (code != 0) return code;
    if (yore_branch_info_get(c->db, yore_str(c->args[0]), &info, &err) < 0) return cli_fail(c, &err);
    if (c->json) {
        write_record(&info);
        return 0;
    }
    cli_time_text(c, info.created_ns, time);
    printf("name\t%s\nid\t%u\n", info.name, info.id);
    if (info.parent_id != 0)
        printf("parent\t%s\nfork_version\tv%" PRIu64 "\n", info.parent, info.fork_version);
    printf("head_version\tv%" PRIu64 "\ncreated\t%s\n", info.head_version, time);
    printf("own_keys\t%" PRIu64 "\nown_bytes\t%" PRIu64 "\n", info.own_keys, info.own_bytes);
    printf("children\t%" PRIu64 "\ndepth\t%u\n", info.children, info.depth);
    printf("state\t%s\n", info.deleted_version != 0 ? "deleted" : info.hidden ? "hidden" : "live");
    if (info.ttl_ns != 0) {
        cli_time_text(c, end_of(&info), time);
        printf("expires\t%s\n", time);
    }
    return 0;
}

/* -- changes of the registry -- */

/* A line for people, the branch's record with --json. */
static int report(cli *c, uint64_t version, const char *what, const char *name)
{
    yore_branch_info info = new_info();
    yore_error err = YORE_ERROR_INIT;

    if (!c->json) {
        cli_note(c, "%s v%" PRIu64 "  %s", name, version, what);
        return 0;
    }
    if (yore_branch_info_get(c->db, yore_str(name), &info, &err) < 0) return cli_fail(c, &err);
    write_record(&info);
    return 0;
}

static int run_create(cli *c)
{
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_at from;
    yore_where source = YORE_WHERE_INIT;
    const char *spec = cli_value(c, "from");

    options.empty = cli_has(c, "empty");
    options.hidden = cli_has(c, "hidden");
    if (options.empty && spec != NULL)
        return cli_usage_error(c, NULL, "--from and --empty exclude each other");
    int code = cli_value_duration_ns(c, "ttl", &options.ttl_ns);
    if (code == 0 && yore_name_check(yore_str(c->args[0]), &err) < 0) code = cli_fail(c, &err);
    if (code == 0) code = cli_open_write(c, false);
    if (code == 0 && !options.empty) code = cli_resolve(c, spec, &from, &source);
    if (code != 0) return code;

    options.from = &from;
    options.sync = c->sync;
    if (yore_branch_create(c->db, yore_str(c->args[0]), &options, &where, &err) < 0) return cli_fail(c, &err);
    char what[YORE_BRANCH_NAME_MAX + 64] = "created empty";
    if (!options.empty) {
        (void)snprintf(what, sizeof what, "forked from %s@v%" PRIu64, source.branch, source.snap_version);
    }
    return report(c, where.version, what, c->args[0]);
}

static int run_rename(cli *c)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    int code = 0;

    if (yore_name_check(yore_str(c->args[1]), &err) < 0) return cli_fail(c, &err);
    code = cli_open_write(c, false);
    if (code != 0) return code;
    if (yore_branch_rename(c->db, yore_str(c->args[0]), yore_str(c->args[1]), &where, &err) < 0) {
        return cli_fail(c, &err);
    }
    char *what = cli_printf("renamed from %s", c->args[0]);
    code = report(c, where.version, what, c->args[1]);
    free(what);
    return code;
}

static int run_recover(cli *c)
{
    const char *as = cli_value(c, "as");
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    int code = 0;

    if (as != NULL && yore_name_check(yore_str(as), &err) < 0) return cli_fail(c, &err);
    code = cli_open_write(c, false);
    if (code != 0) return code;
    if (yore_branch_recover(c->db, yore_str(c->args[0]), yore_str(as != NULL ? as : ""), &where, &err) < 0) {
        return cli_fail(c, &err);
    }
    const char *name = as != NULL ? as : strncmp(c->args[0], "id:", 3) == 0 ? where.branch : c->args[0];
    return report(c, where.version, "recovered", name);
}

/* -- delete -- */

enum { NAMED_MAX = 20 }; /* of the branches that stand in the way */

/* The names a delete takes: the branch and, below it, every live descendant. */
typedef struct subtree {
    uint32_t *ids;
    char **names;
    size_t count;
} subtree;

/* Ids are collected in their order. */
static bool in_subtree(const subtree *s, uint32_t id)
{
    size_t low = 0, high = s->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->ids[middle] == id) return true;
        if (s->ids[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static void subtree_add(subtree *s, const yore_branch_info *info)
{
    s->ids = cli_realloc(s->ids, (s->count + 1) * sizeof *s->ids);
    s->names = cli_realloc(s->names, (s->count + 1) * sizeof *s->names);
    s->ids[s->count] = info->id;
    s->names[s->count++] = cli_strdup(info->name);
}

static void subtree_deinit(subtree *s)
{
    for (size_t i = 0; i < s->count; i++) free(s->names[i]);
    free(s->names);
    free(s->ids);
}

/* A child's id is always greater than its parent's, so one pass in id order finds all of them. */
static void subtree_collect(cli *c, const yore_branch_info *root, subtree *s)
{
    yore_branch_info info = new_info();

    subtree_add(s, root);
    info.id = root->id;
    while (yore_branch_next(c->db, info.id, &info, NULL) == YORE_OK) {
        if (info.deleted_version == 0 && info.parent_id != 0 && in_subtree(s, info.parent_id))
            subtree_add(s, &info);
    }
}

static void list_tags(cli *c, const subtree *s)
{
    yore_tag_info tag;

    memset(&tag, 0, sizeof tag);
    tag.struct_size = sizeof tag;
    while (yore_tag_next(c->db, yore_str(tag.name), &tag, NULL) == YORE_OK) {
        if (in_subtree(s, tag.branch_id))
            cli_note(c, "tag '%s' names a point of branch '%s'", tag.name, tag.branch);
    }
}

static void list_dry(cli *c, const subtree *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (c->json) {
            cli_json j = {.to = stdout};
            cli_json_begin(&j);
            cli_json_text(&j, "name", s->names[i]);
            cli_json_u64(&j, "id", s->ids[i]);
            cli_json_line(&j);
        } else {
            cli_put_escaped(stdout, yore_str(s->names[i]));
            (void)putchar('\n');
        }
    }
}

static int refuse_children(cli *c, const subtree *s)
{
    cli_bytes names = {0};

    for (size_t i = 1; i < s->count && i <= NAMED_MAX; i++) {
        if (i > 1) cli_bytes_append(&names, ", ", 2);
        cli_bytes_append(&names, s->names[i], strlen(s->names[i]));
    }
    if (s->count > NAMED_MAX + 1) cli_bytes_append(&names, ", ...", 5);
    char *hint = cli_printf("yore branch delete %s --cascade --yes", s->names[0]);
    char *why = cli_printf("they read their older data through it: %s", names.data);
    int code = cli_error(c, YORE_ERR_HAS_CHILDREN, why, hint, "branch '%s' has %zu branch%s below it",
                         s->names[0], s->count - 1, s->count == 2 ? "" : "es");
    free(hint);
    free(why);
    cli_bytes_deinit(&names);
    return code;
}

static int delete_now(cli *c, const subtree *s)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    uint64_t count = 0;

    if (yore_branch_delete(c->db, yore_str(c->args[0]), cli_has(c, "cascade"), &where, &count, &err) < 0) {
        return cli_fail(c, &err);
    }
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "name", s->names[0]);
        cli_json_u64(&j, "id", s->ids[0]);
        cli_json_u64(&j, "version", where.version);
        cli_json_time(&j, "time", where.time_ns);
        cli_json_u64(&j, "branches", count);
        cli_json_bool(&j, "deleted", true);
        cli_json_line(&j);
        return 0;
    }
    cli_note(
        c, "%s v%" PRIu64 "  deleted, %" PRIu64 " branch%s in all; yore branch recover id:%u brings it back",
        s->names[0], where.version, count, count == 1 ? "" : "es", s->ids[0]);
    return 0;
}

static int run_delete(cli *c)
{
    bool dry = cli_has(c, "dry-run");
    yore_branch_info info = new_info();
    yore_error err = YORE_ERROR_INIT;
    subtree s = {0};
    int code = dry ? cli_open_read(c) : cli_open_write(c, false);

    if (code != 0) return code;
    if (yore_branch_info_get(c->db, yore_str(c->args[0]), &info, &err) < 0) return cli_fail(c, &err);
    if (info.deleted_version != 0) {
        return cli_error(c, YORE_ERR_NO_BRANCH, NULL, NULL, "branch '%s' is deleted already", c->args[0]);
    }
    if (info.id == 1 || strcmp(info.name, "default") == 0) {
        return cli_error(c, YORE_ERR_REFUSED, NULL, NULL, "branch 'default' always exists");
    }
    subtree_collect(c, &info, &s);
    if (s.count > 1 && !cli_has(c, "cascade")) {
        code = refuse_children(c, &s);
    } else if (dry) {
        list_tags(c, &s);
        list_dry(c, &s);
    } else {
        list_tags(c, &s);
        char *question =
            cli_printf("delete branch '%s'%s", s.names[0], s.count > 1 ? " and all below it" : "");
        code = cli_confirm(c, question);
        free(question);
        if (code == 0) code = delete_now(c, &s);
    }
    subtree_deinit(&s);
    return code;
}

/* -- flatten -- */

static int run_flatten(cli *c)
{
    yore_flatten_report report = {.struct_size = sizeof report};
    yore_error err = YORE_ERROR_INIT;
    int code = cli_open_read(c);

    if (code != 0) return code;
    if (yore_branch_flatten(c->db, yore_str(c->args[0]), &report, &err) < 0) return cli_fail(c, &err);
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "name", c->args[0]);
        cli_json_u64(&j, "depth", report.depth);
        cli_json_u64(&j, "steps", report.steps);
        cli_json_u64(&j, "keys", report.keys);
        cli_json_u64(&j, "bytes", report.bytes);
        cli_json_line(&j);
        return 0;
    }
    printf("depth\t%u\nsteps\t%u\nkeys\t%" PRIu64 "\nbytes\t%" PRIu64 "\n", report.depth, report.steps,
           report.keys, report.bytes);
    return 0;
}

/* -- the table -- */

static const cmd_flag list_flags[] = {{"all", NULL, "hidden and deleted ones too", 0}};
static const cmd_flag create_flags[] = {
    {"from", "SPEC", "where to fork: any point of any branch (else the tip of the branch in force)", 0},
    {"empty", NULL, "a root branch: no parent, no keys", 0},
    {"ttl", "SPAN", "delete it when it is so old, unless it has children then; recoverable as ever", 0},
    {"hidden", NULL, "left out of `branch list`", 0},
};
static const cmd_flag delete_flags[] = {
    {"cascade", NULL, "the branches below it too", 0},
    {"dry-run", NULL, "list what would go and change nothing", 0},
    {"yes", NULL, "do not ask", 'y'},
};
static const cmd_flag recover_flags[] = {{"as", "NEW", "under another name", 0}};

static const cmd subs[] = {
    {.name = "list",
     .usage = "[--all]",
     .summary = "list the branches",
     CMD_ENTRY_FLAGS(list_flags),
     .run = run_list,
     .store = CMD_READS},
    {.name = "create",
     .usage = "NAME [--from SPEC|--empty] [--ttl SPAN] [--hidden]",
     .summary = "fork a branch: one record, however much data",
     CMD_ENTRY_FLAGS(create_flags),
     .run = run_create,
     .store = CMD_WRITES,
     .args_min = 1,
     .args_max = 1},
    {.name = "delete",
     .usage = "NAME [--cascade] [--dry-run] [--yes]",
     .summary = "delete a branch; its data stays recoverable",
     CMD_ENTRY_FLAGS(delete_flags),
     .run = run_delete,
     .store = CMD_WRITES,
     .args_min = 1,
     .args_max = 1},
    {.name = "recover",
     .usage = "NAME|id:N [--as NEW]",
     .summary = "bring a deleted branch back",
     CMD_ENTRY_FLAGS(recover_flags),
     .run = run_recover,
     .store = CMD_WRITES,
     .args_min = 1,
     .args_max = 1},
    {.name = "rename",
     .usage = "OLD NEW",
     .summary = "give a branch another name",
     .run = run_rename,
     .store = CMD_WRITES,
     .args_min = 2,
     .args_max = 2},
    {.name = "info",
     .usage = "NAME|id:N",
     .summary = "describe one branch, also a deleted one",
     .run = run_info,
     .store = CMD_READS,
     .args_min = 1,
     .args_max = 1},
    {.name = "flatten",
     .usage = "NAME|id:N",
     .summary = "show in how many steps a read passes through a branch's lineage",
     .details =
         "A process that reads a deep lineage often makes itself tables that let it pass over up to 224 hops at once;\n"
         "this makes them all, and says how many keys they know and what memory they take. They end with the process.",
     .run = run_flatten,
     .store = CMD_READS,
     .args_min = 1,
     .args_max = 1},
    {.name = "reset",
     .usage = "NAME --to SPEC [--keep-as OLD] [--dry-run] [-m NOTE]",
     .summary = "give a branch the state of a point, by one commit; its history stays",
     .details =
         "Also of another branch's point. Any commit to the branch meanwhile wins, exit 4. A point that is no longer\n"
         "kept is exit 6. `yore undo` takes a reset back.",
     .flags = cli_reset_flags,
     .flag_count = CLI_RESET_FLAGS,
     .run = cli_branch_reset,
     .store = CMD_WRITES,
     .args_min = 1,
     .args_max = 1},
    {.name = "retention",
     .usage = "NAME [--keep SPAN|--keep-versions N|--keep-all|--unset]",
     .summary = "show or say how much of its history a branch keeps",
     .details =
         "Nothing goes before `yore gc`. Branches that share history keep it as long as the longest rule that was\n"
         "set among them says; forks, tags and open snapshots keep the points they name whatever the rule.",
     .flags = cli_retention_flags,
     .flag_count = CLI_RETENTION_FLAGS,
     .run = cli_branch_retention,
     .store = CMD_WRITES,
     .args_min = 1,
     .args_max = 1},
};

const cmd cmd_branch_entry = {
    .name = "branch",
    .usage = "list|create|delete|recover|rename|info|reset|retention",
    .summary = "list, fork, delete, recover, rename, reset and describe branches, and what they keep",
    .subs = subs,
    .sub_count = CMD_COUNT(subs),
};
