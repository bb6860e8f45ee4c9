/* The log, the change feed, reopening, read-only handles, and everything at once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "tests/model/model_world.h"

/* -- the log -- */

static void compare_commit(world *w, const yore_commit_info *got, const model_commit *want)
{
    char note[32] = "";
    if (want->note) snprintf(note, sizeof note, "note %u", want->note);
    if (got->version != want->version || got->time_ns != want->time_ns || got->kind != want->kind)
        world_fail(w, "log: v%" PRIu64 " kind %u, expected v%" PRIu64 " kind %u", got->version, got->kind,
                   want->version, want->kind);
    if (want->kind != YORE_COMMIT_DATA) return;
    const model_commit *parent = model_head(&w->m, want->branch, want->version - 1);
    if (got->branch_id != want->branch || got->key_count != want->row_count ||
        !yr_slice_equal(got->note, yore_str(note)) || got->source_time_ns != want->source_time_ns)
        world_fail(w,
                   "log: v%" PRIu64 " of branch %u with %" PRIu64
                   " keys, note '%.*s'; expected branch %u, %zu keys, '%s'",
                   got->version, got->branch_id, got->key_count, (int)got->note.size,
                   (const char *)got->note.data, want->branch, want->row_count, note);
    uint64_t first = got->parent_count ? got->parents[0] : 0;
    uint64_t second = got->parent_count > 1 ? got->parents[1] : 0;
    uint64_t wants[2] = {parent ? parent->version : want->merged, parent ? want->merged : 0};
    if (first != wants[0] || got->parent_count > 2 || second != wants[1])
        world_fail(
            w, "log: v%" PRIu64 " has the parents v%" PRIu64 " v%" PRIu64 ", expected v%" PRIu64 " v%" PRIu64,
            got->version, first, second, wants[0], wants[1]);
}

static void compare_log(world *w, yore_db *db, const point *at, const yore_log_options *options)
{
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_status status = yore_log(db, &at->at, options, &iter, &err);
    world_expect(w, status, at->status, "yore_log", &err);
    if (status < 0) return;
    const model_commit **want;
    size_t count = model_log(&w->m, at->branch, at->cap, options, &want), seen = 0;
    while ((status = yore_log_next(iter, &info, &err)) == YORE_OK) {
        if (seen == count)
            world_fail(w, "log: more than %zu commits, the next is v%" PRIu64, count, info.version);
        compare_commit(w, &info, want[seen++]);
    }
    world_expect(w, status, YORE_END, "yore_log_next", &err);
    if (seen != count)
        world_fail(w, "log: %zu commits, expected %zu, missing v%" PRIu64, seen, count, want[seen]->version);
    yore_iter_close(iter);
    free(want);
}

void step_log(world *w)
{
    point at;
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    world_pick_point(w, true, &at);
    options.own_only = chance(w, 4);
    options.system = chance(w, 4);
    if (chance(w, 4)) {
        options.all_branches = true;
        options.own_only = false;
        options.oldest_first = below(w, 2);
    }
    if (chance(w, 4)) options.limit = 1 + below(w, 10);
    if (chance(w, 4)) options.since_version = below(w, model_last_version(&w->m) + 1);
    if (chance(w, 4) && !options.system) options.prefix = yore_bytes("user:1", 1 + below(w, 6));
    world_say(w, "log on %s%s%s%s%s prefix '%.*s' limit %" PRIu64 " since v%" PRIu64, at.text,
              options.own_only ? " own" : "", options.system ? " system" : "",
              options.all_branches ? " all" : "", options.oldest_first ? " oldest-first" : "",
              (int)options.prefix.size, options.prefix.data ? (const char *)options.prefix.data : "",
              options.limit, options.since_version);
    compare_log(w, w->db, &at, &options);
}

/* -- the rows of commits -- */

static int by_primitive_and_key(const void *a, const void *b)
{
    const yore_row *x = a, *y = b;
    if (x->primitive != y->primitive) return x->primitive < y->primitive ? -1 : 1;
    return yr_slice_compare(x->key, y->key);
}

/* Compare the rows of one commit, in any order, and forget them. */
static void compare_commit_rows(world *w, yore_row *rows, size_t count, const model_commit *commit,
                                const char *of)
{
    if (commit->kind != YORE_COMMIT_DATA) {
        for (size_t i = 0; i < count; i++) {
            if (rows[i].primitive != YORE_SYSTEM)
                world_fail(w, "%s: data in the system commit v%" PRIu64, of, commit->version);
        }
        if (!count) world_fail(w, "%s: the system commit v%" PRIu64 " has no rows", of, commit->version);
        return;
    }
    if (count != commit->row_count)
        world_fail(w, "%s: v%" PRIu64 " has %zu rows, expected %zu", of, commit->version, count,
                   commit->row_count);
    qsort(rows, count, sizeof *rows, by_primitive_and_key);
    for (size_t i = 0; i < count; i++) {
        const model_row *found = NULL;
        for (size_t j = commit->first_row; j < commit->first_row + commit->row_count; j++) {
            const model_row *row = &w->m.rows[j];
            if (row->primitive == rows[i].primitive && yr_slice_equal(row->key, rows[i].key)) found = row;
        }
        if (!found || found->op != rows[i].op || (i && by_primitive_and_key(&rows[i - 1], &rows[i]) == 0))
            world_fail(w, "%s: v%" PRIu64 " has an unexpected row", of, commit->version);
        world_compare_row(w, &rows[i], found, true, of);
    }
}

enum { COMMIT_ROWS_MAX = 512 };

/* Read rows grouped by version, ascending, and compare each group; every commit in (after, last] must come. */
static void compare_feed(world *w, yore_iter *iter, uint64_t after, uint64_t last, const char *of)
{
    yore_row group[COMMIT_ROWS_MAX], rows[8];
    yore_error err = YORE_ERROR_INIT;
    size_t count = 0, n = 0;
    yore_status status;
    uint64_t version = after;
    while ((status = yore_next(iter, rows, sizeof rows[0], 8, &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++) {
            if (count && rows[i].version != group[0].version) {
                compare_commit_rows(w, group, count, model_commit_at(&w->m, group[0].version), of);
                count = 0;
            }
            if (count == 0) {
                /* A commit without rows (allow_empty) leaves no trace here. */
                while (++version < rows[i].version && version <= last) {
                    if (model_commit_at(&w->m, version)->row_count ||
                        model_commit_at(&w->m, version)->kind != YORE_COMMIT_DATA)
                        world_fail(w, "%s: v%" PRIu64 " is missing", of, version);
                }
                if (rows[i].version != version || version > last)
                    world_fail(w, "%s: v%" PRIu64 " after v%" PRIu64, of, rows[i].version, version - 1);
            }
            if (count == COMMIT_ROWS_MAX) world_fail(w, "%s: too many rows", of);
            group[count++] = rows[i];
        }
    }
    world_expect(w, status, YORE_END, "yore_next", &err);
    if (count) compare_commit_rows(w, group, count, model_commit_at(&w->m, group[0].version), of);
    while (++version <= last) {
        if (model_commit_at(&w->m, version)->row_count ||
            model_commit_at(&w->m, version)->kind != YORE_COMMIT_DATA)
            world_fail(w, "%s: v%" PRIu64 " is missing at the end", of, version);
    }
    yore_iter_close(iter);
}

static void compare_changes(world *w, yore_db *db, uint64_t after)
{
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;
    world_expect(w, yore_changes(db, after, NULL, &iter, &err), YORE_OK, "yore_changes", &err);
    compare_feed(w, iter, after, model_last_version(&w->m), "changes");
}

void step_changes(world *w)
{
    uint64_t after = below(w, model_last_version(&w->m) + 1);
    world_say(w, "changes after v%" PRIu64, after);
    compare_changes(w, w->db, after);
}

void step_commit_rows(world *w)
{
    uint64_t version = 1 + below(w, model_last_version(&w->m));
    yore_iter *iter = NULL;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_error err = YORE_ERROR_INIT;
    world_say(w, "rows of v%" PRIu64, version);
    world_expect(w, yore_commit_get(w->db, version, &info, &err), YORE_OK, "yore_commit_get", &err);
    compare_commit(w, &info, model_commit_at(&w->m, version));
    yore_commit_release(&info);
    world_expect(w, yore_commit_rows(w->db, version, &iter, &err), YORE_OK, "yore_commit_rows", &err);
    compare_feed(w, iter, version - 1, version, "rows of a commit");
    uint64_t beyond = model_last_version(&w->m) + 1 + below(w, 2);
    world_expect(w, yore_commit_get(w->db, beyond, &info, &err), YORE_ERR_TIME_RANGE, "yore_commit_get",
                 &err);
    iter = NULL;
    world_expect(w, yore_commit_rows(w->db, beyond, &iter, &err), YORE_ERR_TIME_RANGE, "yore_commit_rows",
                 &err);
}

/* -- everything -- */

void world_compare_all(world *w, yore_db *db)
{
    yore_log_options every = YORE_LOG_OPTIONS_INIT;
    point at;
    for (size_t i = 0; i < w->m.branch_count; i++) {
        world_point_at_version(w->m.branches[i].id, model_last_version(&w->m), &w->m, &at);
        world_compare_point(w, db, &at);
        world_point_at_version(w->m.branches[i].id, 1 + below(w, model_last_version(&w->m)), &w->m, &at);
        world_compare_point(w, db, &at);
        compare_log(w, db, &at, &every);
    }
    every.all_branches = every.system = true;
    world_point_at_version(MODEL_DEFAULT_BRANCH, model_last_version(&w->m), &w->m, &at);
    compare_log(w, db, &at, &every);
    compare_changes(w, db, 0);
    world_compare_branches(w, db);
    world_compare_tags(w, db);
    world_compare_settings(w, db);
}

void step_check(world *w)
{
    yore_check_report report = {.struct_size = sizeof report};
    yore_error err = YORE_ERROR_INIT;
    world_say(w, "check, and compare everything");
    uint32_t level = chance(w, 2) ? YORE_CHECK_DEEP : YORE_CHECK_QUICK;
    world_expect(w, yore_check(w->db, level, &report, &err), YORE_OK, "yore_check", &err);
    if (report.problems || report.commits != model_last_version(&w->m))
        world_fail(w, "check: %u problems, %" PRIu64 " commits, expected %" PRIu64, report.problems,
                   report.commits, model_last_version(&w->m));
    world_compare_all(w, w->db);
}

/* -- other handles -- */

void step_reopen(world *w)
{
    if (!w->on_disk) return;
    world_say(w, "close and open again");
    yore_close(w->reader);
    w->reader = NULL;
    /* Some transactions are still there when the store closes; all they can do then is end. */
    bool keep = below(w, 2);
    if (!keep) world_rollback_all(w);
    yore_close(w->db);
    w->db = NULL;
    world_check_samples(w); /* snapshots and pins live on */
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        yore_txn *txn = w->slots[i].txn;
        yore_error err = YORE_ERROR_INIT;
        w->slots[i].txn = NULL;
        if (!txn) continue;
        if (below(w, 2))
            yore_rollback(txn);
        else
            world_expect(w, yore_commit(txn, yore_str(""), NULL, &err), YORE_ERR_MISUSE, "yore_commit", &err);
    }
    world_open(w);
    if (below(w, 2)) world_compare_all(w, w->db);
}

void step_reader(world *w)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_stats stats = {.struct_size = sizeof stats};
    if (!w->on_disk) return;
    options.read_only = true;
    options.env = yr_sim_env(w->sim);
    options.memory_bytes_max = UINT64_C(1) << 30;
    if (!w->reader) {
        world_say(w, "open a read-only handle");
        world_expect(w, yore_open("store", &options, &w->reader, &err), YORE_OK, "yore_open read-only", &err);
    } else if (chance(w, 6)) {
        world_say(w, "close the read-only handle");
        yore_close(w->reader);
        w->reader = NULL;
        return;
    } else {
        /* What it saw before it still sees, as it was then; then it catches up. */
        point at;
        world_say(w, "refresh the read-only handle");
        world_expect(w, yore_stats_get(w->reader, &stats, &err), YORE_OK, "yore_stats_get", &err);
        if (stats.version > model_last_version(&w->m))
            world_fail(w, "the reader is at v%" PRIu64, stats.version);
        world_point_at_version(MODEL_DEFAULT_BRANCH, 1 + below(w, stats.version), &w->m, &at);
        world_compare_point(w, w->reader, &at);
        world_expect(w, yore_refresh(w->reader, &err), YORE_OK, "yore_refresh", &err);
    }
    world_expect(w, yore_stats_get(w->reader, &stats, &err), YORE_OK, "yore_stats_get", &err);
    if (stats.version != model_last_version(&w->m))
        world_fail(w, "the reader is at v%" PRIu64 ", the store at v%" PRIu64, stats.version,
                   model_last_version(&w->m));
    world_expect(w, yore_db_put(w->reader, yore_str(""), yore_str_key("a"), yore_str("b"), NULL, &err),
                 YORE_ERR_READONLY, "yore_db_put on a read-only handle", &err);
    if (chance(w, 4)) {
        world_compare_all(w, w->reader);
        return;
    }
    point at;
    world_point_at_version(w->m.branches[below(w, w->m.branch_count)].id, 1 + below(w, stats.version), &w->m,
                           &at);
    world_compare_point(w, w->reader, &at);
    world_compare_branches(w, w->reader);
}
