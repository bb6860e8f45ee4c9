/* yore diff: the keys that differ between two points in history. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/diff_patch.h"
#include "cli/explain.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/output.h"

#define BATCH 64u

typedef struct tally {
    uint64_t keys;
    uint64_t old_bytes;
    uint64_t new_bytes;
} tally;

typedef struct diff_view {
    cli *c;
    yore_where from;
    yore_where to;
    cli_table *table; /* of a list without --json */
    bool patch;
    bool stat;
    bool keys;
    bool since_fork;
    bool more; /* rows are left behind the limit */
    uint64_t limit;
    uint64_t count;
    yore_slice after; /* skipped itself; empty = none */
    cli_bytes last;   /* the last key shown */
    tally of[4];      /* by YORE_DIFF_... */
    cli_explain explain;
} diff_view;

/* -- one row -- */

static yore_slice key_cell(const diff_view *v, const yore_diff_row *row)
{
    yore_row named = {.key = row->key, .primitive = row->primitive};
    return cli_key_cell(v->c, v->to.branch, &named);
}

static void put_side(cli_json *j, const char *name, uint64_t version, yore_slice value)
{
    if (version == 0) {
        cli_json_null(j, name);
    } else {
        cli_json_bytes(j, name, value);
    }
}

static void put_version(cli_json *j, const char *name, uint64_t version)
{
    if (version == 0) {
        cli_json_null(j, name);
    } else {
        cli_json_u64(j, name, version);
    }
}

static void put_type(cli_json *j, const char *name, uint32_t type)
{
    if (type != YORE_TYPE_BYTES) cli_json_text(j, name, type == YORE_TYPE_JSON ? "json" : "text");
}

static void show_record(const diff_view *v, const yore_diff_row *row)
{
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_text(&j, "op", cli_diff_op(row->op));
    cli_json_bytes(&j, "key", row->key);
    if (!v->keys) {
        put_side(&j, "old", row->old_version, row->old_value);
        put_side(&j, "new", row->new_version, row->new_value);
    }
    put_version(&j, "old_version", row->old_version);
    put_version(&j, "new_version", row->new_version);
    if (row->primitive != YORE_KV) cli_json_text(&j, "primitive", cli_primitive_name(row->primitive));
    if (v->c->address) cli_json_bytes(&j, "address", key_cell(v, row));
    put_type(&j, "old_type", row->old_type);
    put_type(&j, "new_type", row->new_type);
    if (row->old_meta.size > 0) cli_json_bytes(&j, "old_meta", row->old_meta);
    if (row->new_meta.size > 0) cli_json_bytes(&j, "new_meta", row->new_meta);
    if (v->patch) cli_diff_patch_member(&j, row);
    cli_json_line(&j);
}

static void put_version_text(uint64_t version)
{
    if (version == 0) {
        (void)putchar('-');
    } else {
        printf("v%" PRIu64, version);
    }
}

static void show_patch(const diff_view *v, const yore_diff_row *row)
{
    const cli *c = v->c;

    if (c->color_out) fputs("\033[1m", stdout);
    printf("%s  ", cli_diff_op(row->op));
    cli_put_escaped(stdout, key_cell(v, row));
    fputs("  ", stdout);
    put_version_text(row->old_version);
    fputs(" -> ", stdout);
    put_version_text(row->new_version);
    fputs(c->color_out ? "\033[0m\n" : "\n", stdout);
    cli_diff_patch(c, row);
}

static void show_row(diff_view *v, const yore_diff_row *row)
{
    tally *t = &v->of[row->op];

    t->keys++;
    t->old_bytes += row->old_value.size;
    t->new_bytes += row->new_value.size;
    if (v->stat) return;
    if (v->c->json) {
        show_record(v, row);
    } else if (v->patch) {
        show_patch(v, row);
    } else {
        if (!v->keys) cli_table_cell_text(v->table, cli_diff_op(row->op));
        cli_table_cell(v->table, key_cell(v, row));
        if (v->keys) return;
        cli_table_cell_version(v->table, row->old_version);
        cli_table_cell_version(v->table, row->new_version);
        cli_table_cell_u64(v->table, row->old_value.size);
        cli_table_cell_u64(v->table, row->new_value.size);
    }
}

/* One of a batch. False when the limit is reached. */
static bool take_row(diff_view *v, const yore_diff_row *row)
{
    if (v->after.size > 0 && row->key.size == v->after.size &&
        memcmp(row->key.data, v->after.data, row->key.size) == 0) {
        return true;
    }
    if (v->count == v->limit) {
        v->more = true;
        return false;
    }
    v->count++;
    cli_explain_row(&v->explain, row->key.size, row->old_value.size + row->new_value.size);
    cli_bytes_clear(&v->last);
    cli_bytes_append(&v->last, row->key.data, row->key.size);
    show_row(v, row);
    return true;
}

static int walk(diff_view *v, yore_iter *iter)
{
    yore_diff_row rows[BATCH];
    yore_error err = YORE_ERROR_INIT;
    size_t count = 0;
    yore_status status;

    while ((status = yore_diff_next(iter, rows, sizeof rows[0], BATCH, &count, &err)) == YORE_OK) {
        for (size_t i = 0; i < count; i++) {
            if (!take_row(v, &rows[i])) return 0;
        }
    }
    return status < 0 ? cli_fail(v->c, &err) : 0;
}

/* -- words -- */

static void point_text(const yore_where *where, char out[YORE_BRANCH_NAME_MAX + 32])
{
    (void)snprintf(out, YORE_BRANCH_NAME_MAX + 32, "%s@v%" PRIu64, where->branch, where->version);
}

static void tell_direction(const diff_view *v)
{
    char from[YORE_BRANCH_NAME_MAX + 32];
    char to[YORE_BRANCH_NAME_MAX + 32];
    bool back = v->from.branch_id == v->to.branch_id && v->from.version > v->to.version;

    point_text(&v->from, from);
    point_text(&v->to, to);
    cli_note(v->c, "changes from %s%s to %s%s", from, v->since_fork ? " (its fork)" : "", to,
             back ? ", back in time" : "");
}

static void tell_totals(const diff_view *v)
{
    char from[YORE_BRANCH_NAME_MAX + 32];
    char to[YORE_BRANCH_NAME_MAX + 32];

    (void)fflush(stdout);
    if (v->more && v->count == 0) {
        cli_note(v->c, "there are differences");
    } else if (v->more) {
        char *key = cli_shown(cli_bytes_slice(&v->last));
        point_text(&v->from, from);
        point_text(&v->to, to);
        cli_note(v->c, "there are more behind '%s': yore diff %s %s%s --after KEY", key, from, to,
                 cli_has(v->c, "prefix") ? " --prefix P" : "");
        free(key);
    } else if (v->count == 0) {
        cli_note(v->c, "no difference");
    } else {
        cli_note(v->c, "%" PRIu64 " key%s: %" PRIu64 " added, %" PRIu64 " changed, %" PRIu64 " deleted",
                 v->count, v->count == 1 ? "" : "s", v->of[YORE_DIFF_ADD].keys, v->of[YORE_DIFF_CHANGE].keys,
                 v->of[YORE_DIFF_DEL].keys);
    }
}

static void put_point(cli_json *j, const char *name, const yore_where *where)
{
    cli_json_object(j, name);
    cli_json_text(j, "branch", where->branch);
    cli_json_u64(j, "version", where->version);
    cli_json_time(j, "time", where->time_ns);
}

static void show_stat(diff_view *v)
{
    static const char *const headers[] = {"OP", "KEYS", "OLD BYTES", "NEW BYTES"};
    static const char *const names[] = {"", "added", "changed", "deleted"};
    const uint32_t ops[] = {YORE_DIFF_ADD, YORE_DIFF_CHANGE, YORE_DIFF_DEL};
    cli_json j = {.to = stdout};

    if (v->c->json) {
        cli_json_begin(&j);
        put_point(&j, "from", &v->from);
        cli_json_object_end(&j);
        put_point(&j, "to", &v->to);
        cli_json_object_end(&j);
        cli_json_u64(&j, "keys", v->count);
        for (size_t i = 0; i < CMD_COUNT(ops); i++) cli_json_u64(&j, names[ops[i]], v->of[ops[i]].keys);
        cli_json_u64(&j, "old_bytes", v->of[1].old_bytes + v->of[2].old_bytes + v->of[3].old_bytes);
        cli_json_u64(&j, "new_bytes", v->of[1].new_bytes + v->of[2].new_bytes + v->of[3].new_bytes);
        cli_json_line(&j);
        return;
    }
    cli_table *t = cli_table_create(v->c, headers, CMD_COUNT(headers));
    for (size_t i = 0; i < CMD_COUNT(ops); i++) {
        cli_table_cell_text(t, cli_diff_op(ops[i]));
        cli_table_cell_u64(t, v->of[ops[i]].keys);
        cli_table_cell_u64(t, v->of[ops[i]].old_bytes);
        cli_table_cell_u64(t, v->of[ops[i]].new_bytes);
    }
    cli_table_destroy(t);
}

static int explain_point(cli *c, cli_json *j, const char *name, const yore_where *where)
{
    char time[YORE_TIME_TEXT_SIZE];
    int code;

    if (!c->json) {
        cli_time_text(c, where->time_ns, time);
        fprintf(stderr, "  %-8s  %s@v%" PRIu64 "  %s\n", name, where->branch, where->version, time);
        return cli_explain_lineage(c, j, where);
    }
    put_point(j, name, where);
    cli_json_array(j, "lineage");
    code = cli_explain_lineage(c, j, where);
    cli_json_array_end(j);
    cli_json_object_end(j);
    return code;
}

static void explain_text(const diff_view *v, const yore_diff_info *info)
{
    if (info->common_branch_id != 0) {
        fprintf(stderr, "  common    %s@v%" PRIu64 "\n", cli_branch_name(v->c, info->common_branch_id),
                info->common_version);
    } else {
        fputs("  common    nothing: two roots\n", stderr);
    }
    fprintf(stderr,
            "  branches  %u by their commits, %u by a scan of their own keys, %u shared and skipped\n"
            "  read      %" PRIu64 " commits, %" PRIu64 " rows, %" PRIu64 " keys compared, %" PRIu64
            " B listed\n"
            "  time      %" PRId64 " us\n",
            info->hops_walked, info->hops_scanned, info->hops_shared, info->commits, info->rows, info->keys,
            v->explain.bytes, cli_explain_elapsed_ns(&v->explain) / 1000);
}

static int tell_explanation(diff_view *v, const yore_iter *iter)
{
    cli *c = v->c;
    yore_diff_info info = YORE_DIFF_INFO_INIT;
    yore_error err = YORE_ERROR_INIT;
    cli_json j = {.to = stdout};

    if (!v->explain.wanted) return 0;
    if (yore_diff_info_get(iter, &info, &err) < 0) return cli_fail(c, &err);
    if (c->json) {
        cli_json_begin(&j);
        cli_json_object(&j, "explain");
    } else {
        fputs("explain:\n", stderr);
    }
    int code = explain_point(c, &j, "from", &v->from);
    if (code == 0) code = explain_point(c, &j, "to", &v->to);
    if (!c->json) {
        explain_text(v, &info);
        return code;
    }
    if (info.common_branch_id != 0) {
        cli_json_object(&j, "common");
        cli_json_text(&j, "branch", cli_branch_name(c, info.common_branch_id));
        cli_json_u64(&j, "version", info.common_version);
        cli_json_object_end(&j);
    } else {
        cli_json_null(&j, "common");
    }
    cli_json_u64(&j, "branches_walked", info.hops_walked);
    cli_json_u64(&j, "branches_scanned", info.hops_scanned);
    cli_json_u64(&j, "branches_shared", info.hops_shared);
    cli_json_u64(&j, "commits", info.commits);
    cli_json_u64(&j, "versions", info.rows);
    cli_json_u64(&j, "keys", info.keys);
    cli_json_u64(&j, "bytes", v->explain.bytes);
    cli_json_i64(&j, "elapsed_ns", cli_explain_elapsed_ns(&v->explain));
    cli_json_object_end(&j);
    cli_json_line(&j);
    return code;
}

/* -- the two points -- */

/* The branch of a point, as a point of its own kind: FORK, or NOW, or the state before `version`. */
static yore_at on_branch_of(const yore_at *at, uint32_t kind, uint64_t version)
{
    yore_at out = YORE_AT_INIT;

    out.kind = kind;
    out.version = version;
    out.branch_id = at->branch_id;
    memcpy(out.branch, at->branch, sizeof out.branch);
    return out;
}

static int resolve(cli *c, const yore_at *at, yore_where *where)
{
    yore_error err = YORE_ERROR_INIT;

    *where = (yore_where)YORE_WHERE_INIT;
    return yore_at_resolve(c->db, at, where, &err) < 0 ? cli_fail(c, &err) : 0;
}

/* A tag's point has no branch of its own: it is that of where it is. */
static int name_branch(cli *c, yore_at *at)
{
    yore_where where;
    int code = at->kind == YORE_AT_TAG ? resolve(c, at, &where) : 0;

    if (code == 0 && at->kind == YORE_AT_TAG) at->branch_id = where.branch_id;
    return code;
}

/* Nothing is given: since the fork, or on a root branch what the last commit did. */
static int points_of_branch(cli *c, yore_at *a, yore_at *b)
{
    yore_branch_info info = {.struct_size = sizeof info};
    yore_error err = YORE_ERROR_INIT;
    yore_where where;
    char id[24];

    int code = cli_at(c, NULL, b);
    if (code == 0) code = resolve(c, b, &where);
    if (code != 0) return code;
    (void)snprintf(id, sizeof id, "id:%u", where.branch_id);
    if (yore_branch_info_get(c->db, yore_str(id), &info, &err) < 0) return cli_fail(c, &err);
    *a = info.parent_id != 0 ? on_branch_of(b, YORE_AT_FORK, 0)
                             : on_branch_of(b, YORE_AT_VERSION, where.version > 1 ? where.version - 1 : 1);
    return 0;
}

/* What is left out is now: of the branch in force, else of A's. A tip is compared with the branch in force, as with
 * itself it could only be the same. */
static int points_of_one(cli *c, yore_at *a, yore_at *b)
{
    int code = cli_at_any(c, c->args[0], a);

    if (code == 0) code = name_branch(c, a);
    if (code != 0) return code;
    if (c->branch != NULL || a->kind == YORE_AT_NOW) return cli_at_any(c, NULL, b);
    *b = on_branch_of(a, YORE_AT_NOW, 0);
    return 0;
}

static int find_points(cli *c, yore_at *a, yore_at *b)
{
    if (cli_has(c, "since-fork")) {
        int code = c->arg_count > 0 ? cli_at(c, c->args[0], b) : cli_at(c, NULL, b);
        if (code == 0) code = name_branch(c, b);
        if (code == 0) *a = on_branch_of(b, YORE_AT_FORK, 0);
        return code;
    }
    if (c->arg_count == 0) return points_of_branch(c, a, b);
    if (c->arg_count == 1) return points_of_one(c, a, b);
    int code = cli_at_any(c, c->args[0], a);
    return code == 0 ? cli_at_any(c, c->args[1], b) : code;
}

/* With -b one of the points must be of that branch: else it was given for nothing, by mistake. */
static int check_branch(const diff_view *v)
{
    cli *c = v->c;
    yore_branch_info info = {.struct_size = sizeof info};
    yore_error err = YORE_ERROR_INIT;

    if (!c->branch_given) return 0;
    if (yore_branch_info_get(c->db, yore_str(c->branch), &info, &err) < 0) return cli_fail(c, &err);
    if (info.id == v->from.branch_id || info.id == v->to.branch_id) return 0;
    return cli_usage_error(c, "leave -b out", "'%s' is on branch '%s' and '%s' on '%s', but -b says '%s'",
                           c->args[0], v->from.branch, c->args[1], v->to.branch, c->branch);
}

/* -- the verb -- */

static int check_args(cli *c)
{
    static const char *const shapes[] = {"patch", "stat", "keys"};
    const char *shape = NULL;

    for (size_t i = 0; i < CMD_COUNT(shapes); i++) {
        if (!cli_has(c, shapes[i])) continue;
        if (shape != NULL)
            return cli_usage_error(c, NULL, "--%s and --%s exclude each other", shape, shapes[i]);
        shape = shapes[i];
    }
    if (cli_has(c, "since-fork") && c->arg_count > 1) {
        return cli_usage_error(c, "yore diff A B",
                               "--since-fork starts at the fork point, so it takes one point only");
    }
    return 0;
}

static void make_table(diff_view *v)
{
    static const char *const headers[] = {"OP", "KEY", "OLD", "NEW", "OLD BYTES", "NEW BYTES"};

    if (v->c->json || v->patch || v->stat) return;
    v->table = cli_table_create(v->c, v->keys ? NULL : headers, v->keys ? 1 : CMD_COUNT(headers));
}

static int show(diff_view *v, const yore_diff_options *options)
{
    cli *c = v->c;
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;
    yore_at a;
    yore_at b;

    int code = find_points(c, &a, &b);
    if (code != 0) return code;
    v->since_fork = a.kind == YORE_AT_FORK;
    cli_explain_begin(&v->explain, cli_has(c, "explain"));
    v->from = (yore_where)YORE_WHERE_INIT;
    v->to = (yore_where)YORE_WHERE_INIT;
    if (yore_diff(c->db, &a, &b, options, &iter, &v->from, &v->to, &err) < 0) return cli_fail(c, &err);
    code = check_branch(v);
    if (code == 0) {
        tell_direction(v);
        make_table(v);
        code = walk(v, iter);
        cli_table_destroy(v->table);
    }
    if (code == 0 && v->stat) show_stat(v);
    if (code == 0) tell_totals(v);
    if (code == 0) code = tell_explanation(v, iter);
    yore_iter_close(iter);
    return code;
}

static int run_diff(cli *c)
{
    diff_view v = {.c = c,
                   .patch = cli_has(c, "patch"),
                   .stat = cli_has(c, "stat"),
                   .keys = cli_has(c, "keys"),
                   .limit = UINT64_MAX};
    yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
    cli_bytes prefix = {0};
    cli_bytes after = {0};
    uint32_t primitive;

    int code = check_args(c);
    if (code == 0) code = cli_value_u64(c, "limit", &v.limit);
    if (code == 0 && cli_has(c, "prefix")) {
        code = cli_key_part(c, cli_value(c, "prefix"), &prefix, &options.primitive, &options.prefix);
    }
    if (code == 0 && cli_has(c, "after")) {
        code = cli_key_part(c, cli_value(c, "after"), &after, &primitive, &v.after);
        if (code == 0 && cli_has(c, "prefix") && primitive != options.primitive) {
            code = cli_usage_error(c, NULL, "--prefix has keys of '%s', but --after has one of '%s'",
                                   cli_primitive_name(options.primitive), cli_primitive_name(primitive));
        }
        options.primitive = primitive;
        options.from = v.after;
    }
    options.keys_only = v.keys;
    /* One row more for the key that `after` skips, one to see whether there are any behind the limit. */
    if (v.limit < UINT64_MAX - 2) options.limit = v.limit + 2;
    if (code == 0) code = cli_open_read(c);
    if (code == 0) code = show(&v, &options);
    if (code == 0 && cli_has(c, "exit-code") && (v.count > 0 || v.more)) code = EXIT_NO;
    cli_bytes_deinit(&prefix);
    cli_bytes_deinit(&after);
    cli_bytes_deinit(&v.last);
    return code;
}

static const cmd_flag flags[] = {
    {"prefix", "P", "only keys that start with P", 0},
    {"since-fork", NULL, "from where the branch left its parent, to A or to now", 0},
    {"patch", NULL, "what changed in each value: JSON by path, text by lines, bytes by size and hash", 'p'},
    {"stat", NULL, "only how many keys and bytes", 0},
    {"keys", NULL, "only the keys", 0},
    {"limit", "N", "N keys at most", 0},
    {"after", "KEY", "start behind this key: the last one of the page before", 0},
    {"exit-code", NULL, "exit 1 when anything differs", 0},
    {"explain", NULL, "how it was found: points, lineages, what was read and skipped, on stderr", 0},
};

const cmd cmd_diff_entry = {
    .name = "diff",
    .usage =
        "[A] [B] [--since-fork] [-p|--stat|--keys] [--prefix P] [--limit N] [--after KEY] [--exit-code] [--explain]",
    .summary = "list the keys that differ between two points in history",
    .details =
        "What would make B of A: a key is an add when only B has it, a del when only A has it. A and B are points\n"
        "of one branch or of two, in either order.\n\n"
        "Without B it is A to now: of the branch in force (-b, YORE_BRANCH) where there is one, else of A's branch. A\n"
        "bare branch name as A is compared with the branch in force, else with default. Without A as well it is\n"
        "what the branch changed since it left its parent, or on a branch without parent in its last commit.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_diff,
    .pages = true,
    .store = CMD_READS,
    .args_max = 2,
};
