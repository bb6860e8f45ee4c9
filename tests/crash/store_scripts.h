/* Workload scripts on a whole store over the simulated disk, and the judge of what a power cut left of them.
 *
 * A script is any program of commits. While it runs, a digest of every commit (its record and its rows) is
 * noted. After a cut the recovered store's digests must be a prefix of the script's, at least as long as what was
 * acknowledged: so nothing acknowledged is lost, nothing is half there, and nothing is out of order, whatever the
 * script did.
 *
 * A collection or an erasure changes what older commits show. From its own commit on each of them may show either, till
 * that commit is acknowledged: then the call had returned, and they must show what they showed then.
 *
 * Backups, restored and salvaged stores that a script makes beside its store are whole or not there, and there once
 * a commit behind them is acknowledged.
 */
#ifndef YR_STORE_SCRIPTS_H
#define YR_STORE_SCRIPTS_H

#include <yore.h>

#include "tests/crash/state_memo.h"
#include "tests/support/crash_explorer.h"

enum { SCRIPT_VERSIONS_MAX = 256, SCRIPT_REWRITES_MAX = 4, SCRIPT_MADE_MAX = 4 };

/* What commits show from a collection or an erasure on. The first is how they were made. */
typedef struct script_history {
    uint64_t from; /* the commit of the collection or erasure; 0 for the first */
    uint64_t digests[SCRIPT_VERSIONS_MAX];
} script_history;

enum script_kind { SCRIPT_STORE = 1, SCRIPT_BACKUP, SCRIPT_BUNDLE };

/* A backup, a bundle, another store. */
typedef struct script_made {
    const char *path;
    enum script_kind kind;
    uint64_t version; /* the newest in it */
    uint64_t behind;  /* once a commit above this one is acknowledged it must be there */
} script_made;

typedef struct script_run {
    yr_sim *sim;
    yore_db *db;
    uint32_t sync;     /* YORE_SYNC_... of the store's handle */
    uint32_t maintain; /* flush after so many commits and merge then; 0 = never */
    uint64_t acked;    /* highest version acknowledged as durable */
    uint64_t version;  /* highest version asked for and not refused */
    script_history histories[SCRIPT_REWRITES_MAX];
    uint32_t history_count;
    script_made made[SCRIPT_MADE_MAX];
    uint32_t made_count;
    uint64_t views[SCRIPT_VERSIONS_MAX]; /* [v]: what every branch showed then */
    uint64_t content;                    /* as the last digest, without times */
    bool traces_creation;                /* the trace begins before the store exists */
    bool nested;                         /* the verifier only recovers: it is being traced itself */
    bool quiet;                          /* violations are expected: do not describe them */
    const char *script;
    int64_t end_ns;     /* the clock when it was over */
    yr_sim *disk;       /* the verifier's */
    state_memo *memo;   /* NULL: every disk is recovered */
    uint64_t recovered; /* disks that were */
} script_run;

typedef struct store_script {
    const char *name;
    void (*run)(script_run *run);
} store_script;

extern const store_script store_scripts[];
extern const size_t store_scripts_count;
/* Of the store's upkeep; the last of them. */
void script_gc(script_run *run);
void script_gc_branch(script_run *run);
void script_erase(script_run *run);
void script_compact(script_run *run);
void script_backup(script_run *run);
void script_bundle(script_run *run);
void script_restore(script_run *run);
void script_salvage(script_run *run);

/* Run a script on a fresh simulated disk, flushing and merging after every `maintain` commits (0 = never); `trace` is
 * the caller's. */
void script_trace(const store_script *script, uint32_t maintain, script_run *run, yr_sim_trace *trace);
/* yr_crash_verify over a script_run. */
bool script_verify(void *arg, yr_sim *disk, const yr_crash_point *point);

/* -- for scripts -- */
void script_open(script_run *run, yore_open_options *options);
void script_close(script_run *run);
/* Note the commit just made at `version`; acknowledged unless the store's mode says otherwise. */
void script_committed(script_run *run, uint64_t version);
void script_synced(script_run *run); /* everything so far is durable */
void script_begin(script_run *run);  /* the next commit is asked for now */
void script_put(script_run *run, const char *branch, const char *key, const char *value);
void script_put_number(script_run *run, const char *branch, int i);
void script_del(script_run *run, const char *branch, const char *key);
/* version  0 = the newest */
void script_fork(script_run *run, const char *name, const char *from, uint64_t version);
void script_sync(script_run *run);

#define SCRIPT_NEED(call, err)                                                                 \
    do {                                                                                       \
        yore_status status_ = (call);                                                          \
        if (status_ != YORE_OK) {                                                              \
            fprintf(stderr, "%s:%d: %s gave %d %s\n", __FILE__, __LINE__, #call, (int)status_, \
                    (err).message);                                                            \
            exit(1);                                                                           \
        }                                                                                      \
    } while (0)

/* The commit just noted was a collection or an erasure. */
void script_rewritten(script_run *run);
/* There is such a thing of everything up to `version` at `path` now. */
void script_made_it(script_run *run, const char *path, enum script_kind kind, uint64_t version);

/* Chain the records and rows of the commits (from..to] of a store behind `digest`. False when something cannot be read;
 * trimmed history counts as read. */
bool script_digest(yore_db *db, uint64_t from, uint64_t to, uint64_t *digest);
/* Do the commits 1..version show what they showed in the script? */
bool script_shows(const script_run *run, yore_db *db, const yr_crash_point *point, uint64_t version);
/* Are the backups and the other stores whole? NULL, or what is wrong. */
const char *script_look_at_made(const script_run *run, yr_sim *disk, const yr_crash_point *point);
/* The same of one commit, whatever the clock. */
bool script_content(yore_db *db, uint64_t version, uint64_t *content);
/* What scans and gets of every branch show at a version, which is the newest. */
bool script_view(yore_db *db, uint64_t version, uint64_t *view);

#endif
