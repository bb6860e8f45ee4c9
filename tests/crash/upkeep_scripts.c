/* Scripts of a store's upkeep: collections, erasures, compactions, backups, restored and salvaged stores. */
#include <stdlib.h>
#include <string.h>

#include "tests/crash/store_scripts.h"

#define NEED SCRIPT_NEED

static void keep_last(script_run *run, const char *branch, uint64_t versions)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_retention keep = YORE_RETENTION_INIT;
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = versions;
    script_begin(run);
    NEED(yore_branch_retention_set(run->db, yore_str(branch), &keep, &where, &err), err);
    script_committed(run, where.version);
}

static void collect(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_gc_options options = YORE_GC_OPTIONS_INIT;
    yore_gc_report report = YORE_GC_REPORT_INIT;
    options.now = true;
    script_begin(run);
    NEED(yore_gc(run->db, &options, &report, &err), err);
    if (report.version == 0) exit(1); /* a script that collects nothing shows nothing */
    script_committed(run, report.version);
    script_rewritten(run);
}

static void compact(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    NEED(yore_compact(run->db, NULL, NULL, &err), err);
}

void script_gc(script_run *run)
{
    script_open(run, NULL);
    for (int i = 0; i < 4; i++) script_put(run, "", "hot", i % 2 ? "odd" : "even and a little longer");
    script_put(run, "", "cold", "kept");
    keep_last(run, "default", 2);
    collect(run);
    script_put(run, "", "hot", "after the collection");
    collect(run);
    script_put(run, "", "end", "1");
}

/* A deleted branch goes for good; a tag and a child keep what they name. */
void script_gc_branch(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    script_open(run, NULL);
    script_put(run, "", "a", "1");
    script_fork(run, "gone", "default", 0);
    script_put(run, "gone", "only/there", "a value that goes with its branch");
    script_fork(run, "child", "default", 2);
    script_put(run, "", "a", "2");
    script_begin(run);
    NEED(yore_branch_delete(run->db, yore_str("gone"), false, &where, NULL, &err), err);
    script_committed(run, where.version);
    keep_last(run, "default", 1);
    collect(run);
    script_put(run, "child", "a", "3");
}

void script_erase(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_erase_options options = YORE_ERASE_OPTIONS_INIT;
    options.all_branches = true;
    script_open(run, NULL);
    for (int i = 0; i < 3; i++) script_put(run, "", i % 2 ? "public" : "secret", i ? "twice" : "once");
    compact(run);
    script_put(run, "", "public", "more");
    for (int i = 0; i < 2; i++) {
        yore_erase_report report = YORE_ERASE_REPORT_INIT;
        script_begin(run);
        NEED(yore_erase(run->db, yore_str(""), yore_str_key("secret"), &options, &report, &err), err);
        if (report.version == 0) exit(1);
        script_committed(run, report.version);
        script_rewritten(run);
        script_put(run, "", "secret", "again");
    }
}

/* By hand, of a store that a flush every few commits may have worked on before. */
void script_compact(script_run *run)
{
    script_open(run, NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) script_put_number(run, "", i + round);
        script_del(run, "", "key/0002");
        compact(run);
    }
    script_close(run);
    script_open(run, NULL);
    script_put_number(run, "", 2);
}

static void back_up(script_run *run, const char *path, const char *base)
{
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    options.base = base;
    NEED(yore_backup_make(run->db, path, &options, NULL, &err), err);
    script_made_it(run, path, SCRIPT_BACKUP, run->version);
}

/* A full one, and one of what came behind. */
void script_backup(script_run *run)
{
    script_open(run, NULL);
    for (int i = 0; i < 2; i++) script_put_number(run, "", i);
    back_up(run, "full", NULL);
    script_put_number(run, "", 3);
    script_fork(run, "b", "default", 2);
    back_up(run, "more", "full");
    script_put_number(run, "b", 1);
}

/* One of all of a branch, and one on a base, with history. */
void script_bundle(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    yore_at at = YORE_AT_INIT, base = YORE_AT_INIT;
    script_open(run, NULL);
    for (int i = 0; i < 2; i++) script_put_number(run, "", i);
    NEED(yore_bundle_make(run->db, "whole", &options, NULL, &err), err);
    script_made_it(run, "whole", SCRIPT_BUNDLE, run->version);
    base.kind = YORE_AT_VERSION;
    base.version = run->version;
    script_fork(run, "b", "default", 0);
    for (int i = 0; i < 2; i++) script_put_number(run, "b", i + 1);
    snprintf(at.branch, sizeof at.branch, "b");
    options.at = &at;
    options.base = &base;
    options.history = true;
    NEED(yore_bundle_make(run->db, "more", &options, NULL, &err), err);
    script_made_it(run, "more", SCRIPT_BUNDLE, run->version);
    script_put_number(run, "", 3);
}

/* Beside the store it was made of, which goes on. */
void script_restore(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    options.env = yr_sim_env(run->sim);
    script_open(run, NULL);
    for (int i = 0; i < 3; i++) script_put_number(run, "", i);
    back_up(run, "full", NULL);
    script_put_number(run, "", 4);
    NEED(yore_backup_restore("full", "again", &options, NULL, &err), err);
    script_made_it(run, "again", SCRIPT_STORE, run->version - 1);
    script_put_number(run, "", 5);
    options.last_version = 3; /* a point in time */
    NEED(yore_backup_restore("full", "past", &options, NULL, &err), err);
    script_made_it(run, "past", SCRIPT_STORE, 3);
    script_put_number(run, "", 6);
}

void script_salvage(script_run *run)
{
    yore_error err = YORE_ERROR_INIT;
    yore_salvage_options options = YORE_SALVAGE_OPTIONS_INIT;
    yore_salvage_report report = {.struct_size = sizeof report};
    options.env = yr_sim_env(run->sim);
    script_open(run, NULL);
    for (int i = 0; i < 3; i++) script_put_number(run, "", i);
    compact(run);
    script_put_number(run, "", 3);
    script_close(run);
    NEED(yore_salvage("db", "saved", &options, &report, &err), err);
    if (!report.complete) exit(1);
    script_made_it(run, "saved", SCRIPT_STORE, run->version);
    script_open(run, NULL);
    script_put_number(run, "", 4);
}
