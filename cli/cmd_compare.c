/* yore compare: what several branches made of one baseline.
 *
 * Each branch's differences from the baseline come in key order, so they are walked side by side: of a key that several
 * have changed, the states are compared as they stand there, and nothing is kept but counts.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/csv_out.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/metric.h"
#include "cli/output.h"

#define POINTS_MAX 256u

typedef struct compared {
    yore_at at;
    yore_where where;
    char *label; /* the branch, with @vN where that is not enough */
    yore_iter *iter;
    yore_diff_row row;
    bool has_row;
    uint32_t group; /* of the key at hand: those with the same one agree; 0 = not changed here */
    uint64_t added;
    uint64_t edited;
    uint64_t deleted;
    uint64_t alone;
    uint64_t agree;
    uint64_t differ;
    uint64_t *with; /* per point: keys both changed to the same */
    bool has_metric;
    double metric;
    uint32_t rank;
} compared;

typedef struct compare_run {
    cli *c;
    compared base;
    compared *points;
    size_t count;
    yore_slice prefix;
    uint32_t primitive;
    cli_metric metric;
    bool keys;
    bool csv;
    bool least; /* the least metric is the best */
    cli_table *table;
} compare_run;

/* -- the points -- */

static int resolve(compare_run *run, const char *spec, compared *point)
{
    yore_error err = YORE_ERROR_INIT;
    point->at = (yore_at)YORE_AT_INIT;
    point->where = (yore_where)YORE_WHERE_INIT;
    int code = cli_at_any(run->c, spec, &point->at);
    if (code == EXIT_DONE && yore_at_resolve(run->c->db, &point->at, &point->where, &err) < 0) {
        code = cli_fail(run->c, &err);
    }
    return code;
}

static int resolve_all(compare_run *run)
{
    int code = resolve(run, run->c->args[0], &run->base);
    for (size_t i = 0; i < run->count && code == EXIT_DONE; i++) {
        run->points[i].with = cli_alloc(run->count * sizeof(uint64_t));
        code = resolve(run, run->c->args[i + 1], &run->points[i]);
    }
    for (size_t i = 0; i < run->count && code == EXIT_DONE; i++) {
        compared *point = &run->points[i];
        bool twice = false;
        for (size_t k = 0; k < run->count; k++) {
            twice = twice || (k != i && run->points[k].where.branch_id == point->where.branch_id);
        }
        point->label = twice ? cli_printf("%s@v%" PRIu64, point->where.branch, point->where.version)
                             : cli_strdup(point->where.branch);
    }
    return code;
}

static int step(compare_run *run, compared *point)
{
    yore_error err = YORE_ERROR_INIT;
    size_t n = 0;
    yore_status status = yore_diff_next(point->iter, &point->row, sizeof point->row, 1, &n, &err);
    point->has_row = status == YORE_OK;
    return status < 0 ? cli_fail(run->c, &err) : EXIT_DONE;
}

static int open_all(compare_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
    int code = EXIT_DONE;
    options.prefix = run->prefix;
    options.primitive = run->primitive;
    for (size_t i = 0; i < run->count && code == EXIT_DONE; i++) {
        compared *point = &run->points[i];
        yore_status status =
            yore_diff(run->c->db, &run->base.at, &point->at, &options, &point->iter, NULL, NULL, &err);
        code = status < 0 ? cli_fail(run->c, &err) : step(run, point);
    }
    return code;
}

/* -- one key -- */

static int order_of(yore_slice a, yore_slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size > 0 ? memcmp(a.data, b.data, size) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static bool is_same(const yore_diff_row *a, const yore_diff_row *b)
{
    bool is_gone = a->op == YORE_DIFF_DEL;
    if (is_gone != (b->op == YORE_DIFF_DEL)) return false;
    return is_gone || (a->new_type == b->new_type && order_of(a->new_value, b->new_value) == 0 &&
                       order_of(a->new_meta, b->new_meta) == 0);
}

/* Give each point that changed the key its group. Returns how many points and groups there are. */
static uint32_t group_all(compare_run *run, yore_slice key, uint32_t *changed)
{
    uint32_t groups = 0;
    *changed = 0;
    for (size_t i = 0; i < run->count; i++) {
        compared *point = &run->points[i];
        point->group = 0;
        if (!point->has_row || order_of(point->row.key, key) != 0) continue;
        for (size_t k = 0; k < i && point->group == 0; k++) {
            bool same = run->points[k].group != 0 && is_same(&run->points[k].row, &point->row);
            point->group = same ? run->points[k].group : 0;
        }
        if (point->group == 0) point->group = ++groups;
        (*changed)++;
    }
    return groups;
}

static void count_all(compare_run *run, uint32_t changed, uint32_t groups)
{
    for (size_t i = 0; i < run->count; i++) {
        compared *point = &run->points[i];
        if (point->group == 0) continue;
        point->added += point->row.op == YORE_DIFF_ADD;
        point->edited += point->row.op == YORE_DIFF_CHANGE;
        point->deleted += point->row.op == YORE_DIFF_DEL;
        point->alone += changed == 1;
        point->agree += changed > 1 && groups == 1;
        point->differ += groups > 1;
        for (size_t k = 0; k < run->count; k++) point->with[k] += run->points[k].group == point->group;
        if (point->row.op != YORE_DIFF_DEL)
            cli_metric_offer(&run->metric, point->row.key, point->row.new_value);
    }
}

static const char *op_name(uint32_t op)
{
    return op == YORE_DIFF_ADD ? "add" : op == YORE_DIFF_DEL ? "del" : "change";
}

static void write_key_json(const compare_run *run, yore_slice key, const char *verdict)
{
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_json_bytes(&j, "key", key);
    cli_json_text(&j, "verdict", verdict);
    cli_json_array(&j, "changes");
    for (size_t i = 0; i < run->count; i++) {
        const compared *point = &run->points[i];
        if (point->group == 0) continue;
        cli_json_object(&j, NULL);
        cli_json_text(&j, "branch", point->label);
        cli_json_text(&j, "op", op_name(point->row.op));
        cli_json_u64(&j, "group", point->group);
        if (point->row.op != YORE_DIFF_DEL) cli_json_bytes(&j, "value", point->row.new_value);
        if (point->row.new_version != 0) cli_json_u64(&j, "version", point->row.new_version);
        cli_json_object_end(&j);
    }
    cli_json_array_end(&j);
    cli_json_line(&j);
}

static void write_key(compare_run *run, yore_slice key, const char *verdict)
{
    if (run->c->json) {
        write_key_json(run, key, verdict);
        return;
    }
    if (run->csv) {
        csv_bytes(stdout, key);
        (void)fputs(verdict, stdout);
    } else {
        cli_table_cell(run->table, key);
        cli_table_cell_text(run->table, verdict);
    }
    for (size_t i = 0; i < run->count; i++) {
        const compared *point = &run->points[i];
        char cell[32];
        const char *op = point->group == 0 ? "-" : op_name(point->row.op);
        (void)snprintf(cell, sizeof cell, point->group == 0 ? "%s" : "%s %" PRIu32, op, point->group);
        if (run->csv) {
            (void)printf(",%s", cell);
        } else {
            cli_table_cell_text(run->table, cell);
        }
    }
    if (run->csv) (void)fputs("\r\n", stdout);
}

static int walk(compare_run *run)
{
    cli_bytes key = {0};
    int code = open_all(run);
    while (code == EXIT_DONE) {
        const compared *first = NULL;
        uint32_t changed;
        for (size_t i = 0; i < run->count; i++) {
            const compared *point = &run->points[i];
            bool is_less = first != NULL && point->has_row && order_of(point->row.key, first->row.key) < 0;
            if (point->has_row && (first == NULL || is_less)) first = point;
        }
        if (first == NULL) break;
        cli_bytes_clear(&key);
        cli_bytes_append(&key, first->row.key.data, first->row.key.size);
        uint32_t groups = group_all(run, cli_bytes_slice(&key), &changed);
        count_all(run, changed, groups);
        if (run->keys) {
            write_key(run, cli_bytes_slice(&key), changed == 1 ? "alone" : groups == 1 ? "agree" : "differ");
        }
        for (size_t i = 0; i < run->count && code == EXIT_DONE; i++) {
            if (run->points[i].group != 0) code = step(run, &run->points[i]);
        }
    }
    cli_bytes_deinit(&key);
    return code;
}

/* -- the metric -- */

static int find_metric(compare_run *run)
{
    yore_at *points = cli_alloc((run->count + 1) * sizeof *points);
    points[0] = run->base.at;
    for (size_t i = 0; i < run->count; i++) points[i + 1] = run->points[i].at;
    int code = cli_metric_find(run->c, &run->metric, points, run->count + 1);
    free(points);
    return code;
}

static int read_metrics(compare_run *run)
{
    int code = cli_metric_settle(run->c, &run->metric);
    if (code == EXIT_DONE) {
        code = cli_metric_get(run->c, &run->metric, &run->base.at, &run->base.has_metric, &run->base.metric);
    }
    for (size_t i = 0; i < run->count && code == EXIT_DONE; i++) {
        compared *point = &run->points[i];
        code = cli_metric_get(run->c, &run->metric, &point->at, &point->has_metric, &point->metric);
    }
    return code;
}

static bool is_better(const compare_run *run, const compared *a, const compared *b)
{
    if (!a->has_metric || !b->has_metric) return a->has_metric && !b->has_metric;
    return run->least ? a->metric < b->metric : a->metric > b->metric;
}

/* The order of rows: by rank, points of one rank as they were given. */
static void order_rows(compare_run *run, size_t *order)
{
    for (size_t i = 0; i < run->count; i++) {
        size_t at = i;
        for (; at > 0 && run->metric.text != NULL &&
               is_better(run, &run->points[i], &run->points[order[at - 1]]);
             at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
    for (size_t i = 0; i < run->count && run->metric.text != NULL; i++) {
        compared *point = &run->points[order[i]];
        bool tied = i > 0 && !is_better(run, &run->points[order[i - 1]], point);
        point->rank = tied ? run->points[order[i - 1]].rank : (uint32_t)i + 1;
    }
}

/* -- rows -- */

static void agrees_text(const compare_run *run, size_t self, cli_bytes *to)
{
    cli_bytes_clear(to);
    for (size_t i = 0; i < run->count; i++) {
        if (i == self || run->points[self].with[i] == 0) continue;
        char *one = cli_printf("%s%s:%" PRIu64, to->size > 0 ? " " : "", run->points[i].label,
                               run->points[self].with[i]);
        cli_bytes_append(to, one, strlen(one));
        free(one);
    }
    if (to->size == 0 && !run->csv) cli_bytes_append(to, "-", 1);
}

static uint64_t changed_of(const compared *point)
{
    return point->added + point->edited + point->deleted;
}

static void write_json(const compare_run *run, size_t self)
{
    const compared *point = &run->points[self];
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_json_text(&j, "branch", point->where.branch);
    cli_json_u64(&j, "version", point->where.version);
    cli_json_text(&j, "base", run->base.where.branch);
    cli_json_u64(&j, "base_version", run->base.where.version);
    cli_json_u64(&j, "changed", changed_of(point));
    cli_json_u64(&j, "added", point->added);
    cli_json_u64(&j, "edited", point->edited);
    cli_json_u64(&j, "deleted", point->deleted);
    cli_json_u64(&j, "alone", point->alone);
    cli_json_u64(&j, "agree", point->agree);
    cli_json_u64(&j, "differ", point->differ);
    cli_json_object(&j, "agrees_with");
    for (size_t i = 0; i < run->count; i++) {
        if (i != self) cli_json_u64(&j, run->points[i].label, point->with[i]);
    }
    cli_json_object_end(&j);
    if (run->metric.text != NULL) {
        if (point->has_metric) cli_json_double(&j, "metric", point->metric);
        if (!point->has_metric) cli_json_null(&j, "metric");
        if (run->base.has_metric) cli_json_double(&j, "base_metric", run->base.metric);
        if (!run->base.has_metric) cli_json_null(&j, "base_metric");
        cli_json_u64(&j, "rank", point->rank);
    }
    cli_json_line(&j);
}

static void metric_text(const compared *point, bool csv, char out[40])
{
    (void)snprintf(out, 40, csv ? "" : "-");
    for (int digits = 6; point->has_metric && digits <= 17; digits++) {
        (void)snprintf(out, 40, "%.*g", digits, point->metric);
        if (strtod(out, NULL) == point->metric) break;
    }
}

static void write_row(compare_run *run, size_t self, cli_bytes *scratch)
{
    const compared *point = &run->points[self];
    const uint64_t counts[] = {changed_of(point), point->added, point->edited, point->deleted,
                               point->alone,      point->agree, point->differ};
    bool ranked = run->metric.text != NULL;
    char metric[40];
    metric_text(point, run->csv, metric);
    agrees_text(run, self, scratch);
    if (run->csv) {
        csv_cell(stdout, yore_str(point->label));
        (void)printf(",v%" PRIu64, point->where.version);
        for (size_t i = 0; i < CMD_COUNT(counts); i++) (void)printf(",%" PRIu64, counts[i]);
        (void)putchar(',');
        csv_cell(stdout, cli_bytes_slice(scratch));
        if (ranked) (void)printf(",%s,%" PRIu32, metric, point->rank);
        (void)fputs("\r\n", stdout);
        return;
    }
    cli_table_cell_text(run->table, point->label);
    cli_table_cell_version(run->table, point->where.version);
    for (size_t i = 0; i < CMD_COUNT(counts); i++) cli_table_cell_u64(run->table, counts[i]);
    cli_table_cell(run->table, cli_bytes_slice(scratch));
    if (ranked) cli_table_cell_text(run->table, metric);
    if (ranked) cli_table_cell_u64(run->table, point->rank);
}

static void write_rows(compare_run *run)
{
    static const char *const headers[] = {"BRANCH", "VERSION", "CHANGED", "ADDED",       "EDITED", "DELETED",
                                          "ALONE",  "AGREE",   "DIFFER",  "AGREES_WITH", "METRIC", "RANK"};
    size_t columns = CMD_COUNT(headers) - (run->metric.text == NULL ? 2 : 0);
    size_t *order = cli_alloc((run->count + 1) * sizeof *order);
    cli_bytes scratch = {0};
    order_rows(run, order);
    if (run->csv) {
        (void)fputs("branch,version,changed,added,edited,deleted,alone,agree,differ,agrees_with", stdout);
        (void)fputs(run->metric.text != NULL ? ",metric,rank\r\n" : "\r\n", stdout);
    } else if (!run->c->json) {
        run->table = cli_table_create(run->c, headers, columns);
    }
    for (size_t i = 0; i < run->count; i++) {
        if (run->c->json) {
            write_json(run, order[i]);
        } else {
            write_row(run, order[i], &scratch);
        }
    }
    cli_bytes_deinit(&scratch);
    free(order);
}

/* The head of a list of keys: a column a point. */
static const char **begin_keys(compare_run *run)
{
    const char **headers = cli_alloc((run->count + 2) * sizeof *headers);
    headers[0] = "KEY";
    headers[1] = "VERDICT";
    for (size_t i = 0; i < run->count; i++) headers[i + 2] = run->points[i].label;
    if (run->csv) {
        (void)fputs("key,key_b64,verdict", stdout);
        for (size_t i = 0; i < run->count; i++) {
            (void)putchar(',');
            csv_cell(stdout, yore_str(run->points[i].label));
        }
        (void)fputs("\r\n", stdout);
    } else if (!run->c->json) {
        run->table = cli_table_create(run->c, headers, run->count + 2);
    }
    return headers;
}

static int compare(compare_run *run)
{
    const char **headers = NULL;
    int code = resolve_all(run);
    if (code == EXIT_DONE && run->metric.text != NULL) code = find_metric(run);
    if (code == EXIT_DONE && run->keys) headers = begin_keys(run);
    if (code == EXIT_DONE) code = walk(run);
    if (code == EXIT_DONE && run->metric.text != NULL) code = read_metrics(run);
    if (code == EXIT_DONE && !run->keys) write_rows(run);
    cli_table_destroy(run->table);
    free(headers);
    if (code == EXIT_DONE && run->base.has_metric && !run->c->json) {
        char metric[40];
        metric_text(&run->base, false, metric);
        cli_note(run->c, "%s@v%" PRIu64 ", the baseline: %s", run->base.where.branch, run->base.where.version,
                 metric);
    }
    return code == EXIT_DONE ? cli_out_finish(run->c) : code;
}

static int run_compare(cli *c)
{
    compare_run run = {
        .c = c, .keys = cli_has(c, "keys"), .csv = cli_has(c, "csv"), .least = cli_has(c, "least")};
    cli_bytes prefix = {0};
    run.metric.text = cli_value(c, "metric");
    run.count = c->arg_count - 1;
    if (run.count > POINTS_MAX)
        return cli_usage_error(c, NULL, "at most %u branches are compared at once", POINTS_MAX);
    if (run.csv && c->json) return cli_usage_error(c, NULL, "--csv and --json do not go together");
    if (run.keys && run.metric.text != NULL) {
        return cli_usage_error(c, "leave one of them out", "--keys lists keys, --metric ranks branches");
    }
    if (run.least && run.metric.text == NULL)
        return cli_usage_error(c, "--metric KEY", "--least needs --metric");
    if (run.metric.text != NULL && run.metric.text[0] == 0) {
        return cli_usage_error(c, "--metric result/acc", "--metric needs a key or a path");
    }
    int code = EXIT_DONE;
    if (cli_has(c, "prefix"))
        code = cli_key_part(c, cli_value(c, "prefix"), &prefix, &run.primitive, &run.prefix);
    if (code == EXIT_DONE) code = cli_open_read(c);
    run.points = cli_alloc(run.count * sizeof *run.points);
    if (code == EXIT_DONE) code = compare(&run);
    for (size_t i = 0; i < run.count; i++) {
        yore_iter_close(run.points[i].iter);
        free(run.points[i].label);
        free(run.points[i].with);
    }
    free(run.points);
    cli_metric_deinit(&run.metric);
    cli_bytes_deinit(&prefix);
    return code;
}

static const cmd_flag FLAGS[] = {
    {"metric", "KEY|/PATH",
     "rank by a number: a key, a key with a JSON path behind it (result/acc), a path (/acc)", 0},
    {"least", NULL, "the least metric is the best", 0},
    {"keys", NULL, "the changed keys, each with who changed it and who agrees", 0},
    {"prefix", "P", "only keys that begin with P", 0},
    {"csv", NULL, "comma-separated, with a header", 0},
};

const cmd cmd_compare_entry = {
    .name = "compare",
    .usage = "BASE A B C... [--metric KEY|/PATH [--least]] [--keys] [--prefix P] [--csv]",
    .summary = "what several branches made of one baseline",
    .details =
        "A row a branch: the keys it changed against BASE, and of those, how many no other branch changed (alone),\n"
        "how many all that changed them made the same (agree), how many came out in more than one way (differ), and\n"
        "with whom it agrees on how many. With --metric the best comes first; a branch without the number comes last.\n"
        "\n"
        "With --keys a row a key: alone, agree or differ, then for each branch what it did, and a number that is the\n"
        "same for branches that agree. Branches and BASE are SPECs: main@fork, exp@v12, 'exp@2h ago'.",
    CMD_ENTRY_FLAGS(FLAGS),
    .run = run_compare,
    .store = CMD_READS,
    .pages = true,
    .args_min = 2,
    .args_max = CMD_ARGS_ANY,
};
