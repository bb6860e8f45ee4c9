/* Power cuts at every instant of making and of restoring: afterwards the backup, or the store, is whole or not there,
 * and when the call had returned it is there. What a cut left behind keeps nobody from doing it again. */
#include <stdlib.h>
#include <string.h>

#include "tests/backup/backup_kit.h"
#include "tests/support/crash_explorer.h"

typedef struct scenario {
    const char *name;
    const char *made; /* by `run` */
    const char *base; /* of the backup that is made; NULL = full. Of a restore: the backup that is restored */
    bool is_restore;
    bool over_leftovers; /* of an earlier cut */
} scenario;

static const scenario scenarios[] = {
    {"a full backup", "full2", NULL, false, false},
    {"a full backup over what a killed one left", "full2", NULL, false, true},
    {"an incremental backup", "more", "full", false, false},
    {"a restore", "again", "full1", true, false},
    {"a restore of a chain", "again", "more1", true, false},
};

static uint64_t want; /* the digest of the store, and of every restored one */

static bool complain(const scenario *s, const yr_crash_point *point, const char *what, const yore_error *err)
{
    fprintf(stderr, "%s: cut after operation %u (acknowledged %d): %s %s\n", s->name, point->op,
            (int)point->acked, what, err->message);
    return false;
}

static bool is_there(yr_sim *disk, const char *name)
{
    const char *found;
    for (uint32_t i = 0; (found = yr_sim_dir_name(disk, "", i)) != NULL; i++) {
        if (strcmp(found, name) == 0) return true;
    }
    return false;
}

static bool is_whole(yr_sim *disk, const scenario *s)
{
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = kit_options(yr_sim_env(disk));
    uint64_t digest = 0;
    if (s->is_restore) return kit_digest_of(options.env, s->made, &digest) && digest == want;
    yore_db *db;
    if (yore_backup_verify(s->made, &options, NULL, &err) < 0) return false;
    if (yore_backup_open(s->made, &options, &db, &err) < 0) return false;
    bool ok = kit_digest(db, &digest) && digest == want;
    yore_close(db);
    return ok;
}

static yore_status run(yr_sim *sim, const scenario *s, yore_db *db, yore_error *err)
{
    yore_backup_options options = kit_options(yr_sim_env(sim));
    if (s->is_restore) return yore_backup_restore(s->base, s->made, &options, NULL, err);
    options.base = s->base;
    return yore_backup_make(db, s->made, &options, NULL, err);
}

static bool verify(void *arg, yr_sim *disk, const yr_crash_point *point)
{
    const scenario *s = arg;
    yore_error err = YORE_ERROR_INIT;
    bool there = is_there(disk, s->made);
    if (!there && point->acked) return complain(s, point, "it is gone", &err);
    if (there && !is_whole(disk, s)) return complain(s, point, "it is there and not whole", &err);
    if (there) return true;
    yore_db *db = s->is_restore ? NULL : kit_open(disk, "db", true);
    bool ok = run(disk, s, db, &err) == YORE_OK && is_whole(disk, s);
    yore_close(db);
    return ok || complain(s, point, "it cannot be done again:", &err);
}

static bool explore(const scenario *s, yr_crash_report *total)
{
    yr_sim *sim = yr_sim_create(77);
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = kit_options(yr_sim_env(sim));
    yr_sim_trace trace;
    yore_db *db = kit_open(sim, "db", false);
    kit_fill(db, 1);
    kit_need(yore_backup_make(db, "full", &options, NULL, &err), &err);
    kit_need(yore_db_put(db, yore_str(""), yore_str_key("k"), yore_str("v"), NULL, &err), &err);
    kit_need(yore_backup_make(db, "full1", &options, NULL, &err), &err);
    options.base = "full";
    kit_need(yore_backup_make(db, "more1", &options, NULL, &err), &err);
    if (!kit_digest(db, &want)) abort();
    yore_close(db);
    if (s->over_leftovers) {
        static const char noise[6000] = "left by a killed process";
        if (!yr_sim_file_create(sim, "full2.tmp") ||
            !yr_sim_file_write(sim, "full2.tmp", noise, sizeof noise, 0))
            abort();
    }
    db = s->is_restore ? NULL : kit_open(sim, "db", true);
    yr_sim_trace_begin(sim);
    yr_sim_begin(sim, 1);
    kit_need(run(sim, s, db, &err), &err);
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
    return ok && total.distinct > 200 ? 0 : 1;
}
