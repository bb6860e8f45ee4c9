/* Power cuts at every instant of making and of importing: afterwards the file, or the branch, is whole or not there,
 * and when the call had returned it is there. What a cut left behind is a branch `importing/NAME`, and when that is
 * deleted the same can be done again. */
#include <stdlib.h>
#include <string.h>

#include "tests/bundle/bundle_kit.h"
#include "tests/support/crash_explorer.h"

typedef struct scenario {
    const char *name;
    const char *file;
    bool is_import;
} scenario;

static const scenario scenarios[] = {
    {"a bundle made", "made", false},
    {"a state imported", "state", true},
    {"a history imported", "history", true},
    {"a history imported on its base", "more", true},
};

static uint64_t want;

static bool complain(const scenario *s, const yr_crash_point *point, const char *what, const yore_error *err)
{
    fprintf(stderr, "%s: cut after operation %u (acknowledged %d): %s %s\n", s->name, point->op,
            (int)point->acked, what, err->message);
    return false;
}

static yore_status run(const scenario *s, yore_db *db, yore_error *err)
{
    const yore_at exp = kit_at("other-1");
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    if (s->is_import) return yore_bundle_import(db, s->file, yore_str("x"), NULL, NULL, NULL, err);
    options.at = &exp;
    options.history = true;
    return yore_bundle_make(db, s->file, &options, NULL, err);
}

static bool is_whole(yr_sim *disk, const scenario *s, yore_db *db)
{
    const yore_at same = kit_at("x");
    yore_error err = YORE_ERROR_INIT;
    yore_bundle_options options = kit_bundle_options(yr_sim_env(disk));
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT;
    if (s->is_import) return kit_state(db, &same) == want;
    return yore_bundle_info_get(s->file, &options, &info, &err) == YORE_OK;
}

static bool verify(void *arg, yr_sim *disk, const yr_crash_point *point)
{
    const scenario *s = arg;
    yore_error err = YORE_ERROR_INIT;
    yore_db *db = kit_open(disk, "db", false);
    bool there = s->is_import ? kit_has_branch(db, "x") : yr_sim_file_size(disk, s->file) >= 0;
    bool ok = true;
    if (!there && point->acked) ok = complain(s, point, "it is gone", &err);
    if (there && !is_whole(disk, s, db)) ok = complain(s, point, "it is there and not whole", &err);
    if (ok && !there) {
        if (kit_has_branch(db, "importing/x"))
            kit_need(yore_branch_delete(db, yore_str("importing/x"), false, NULL, NULL, &err), &err);
        ok = run(s, db, &err) == YORE_OK && is_whole(disk, s, db);
        if (!ok) (void)complain(s, point, "it cannot be done again:", &err);
    }
    yore_close(db);
    return ok;
}

static bool explore(const scenario *s, yr_crash_report *total)
{
    yr_sim *sim = yr_sim_create(78);
    yore_error err = YORE_ERROR_INIT;
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    const yore_at exp = kit_at("other-1"), base = kit_at_version("", 3);
    yr_sim_trace trace;
    yore_db *db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    kit_need(yore_config_set(db, "durability", "commit", NULL, &err), &err);
    options.at = &exp;
    kit_need(yore_bundle_make(db, "state", &options, NULL, &err), &err);
    options.history = true;
    kit_need(yore_bundle_make(db, "history", &options, NULL, &err), &err);
    options.base = &base;
    kit_need(yore_bundle_make(db, "more", &options, NULL, &err), &err);
    want = kit_state(db, &exp);
    yore_close(db);
    db = kit_open(sim, "db", false);
    yr_sim_trace_begin(sim);
    yr_sim_begin(sim, 1);
    kit_need(run(s, db, &err), &err);
    yr_sim_ack(sim, 1);
    yr_sim_trace_take(sim, &trace);
    yore_close(db);
    bool leaks = yr_sim_has_leaks(sim);
    yr_sim_destroy(sim);

    union {
        const scenario *in;
        void *out;
    } arg = {.in = s};
    yr_crash_options how = {.name = s->name, .seed = 3};
    yr_crash_report report = {0};
    bool ok = yr_crash_explore(&trace, &how, verify, arg.out, &report) && !leaks;
    yr_crash_report_print(s->name, &report, stdout);
    yr_sim_trace_deinit(&trace);
    total->distinct += report.distinct;
    return ok;
}

int main(void)
{
    yr_crash_report total = {0};
    bool ok = true;
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
        ok = explore(&scenarios[i], &total) && ok;
    printf("%u states\n", (unsigned)total.distinct);
    return ok && total.distinct > 100 ? 0 : 1;
}
