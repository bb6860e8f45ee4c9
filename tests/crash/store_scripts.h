/* Workload scripts on a whole store over the simulated disk, and the judge of what a power cut left of them.
 *
 * A script is any program of commits. While it runs, a digest of every commit (its record and its rows) is
 * chained to the digest of all before it. After a cut the recovered store's digests must be a prefix of the
 * script's, at least as long as what was acknowledged: so nothing acknowledged is lost, nothing is half
 * there, and nothing is out of order, whatever the script did.
 */
#ifndef YR_STORE_SCRIPTS_H
#define YR_STORE_SCRIPTS_H

#include <yore.h>

#include "tests/crash/state_memo.h"
#include "tests/support/crash_explorer.h"

enum { SCRIPT_VERSIONS_MAX = 4096 };

typedef struct script_run {
    yr_sim *sim;
    yore_db *db;
    uint32_t sync;                         /* YORE_SYNC_... of the store's handle */
    uint32_t maintain;                     /* flush after so many commits and merge then; 0 = never */
    uint64_t acked;                        /* highest version acknowledged as durable */
    uint64_t version;                      /* highest version asked for and not refused */
    uint64_t digests[SCRIPT_VERSIONS_MAX]; /* [v]: of commits 1..v */
    uint64_t views[SCRIPT_VERSIONS_MAX];   /* [v]: what every branch showed then */
    uint64_t content;                      /* as the last digest, without times */
    bool traces_creation;                  /* the trace begins before the store exists */
    bool nested;                           /* the verifier only recovers: it is being traced itself */
    bool quiet;                            /* violations are expected: do not describe them */
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

/* Chain the digests of commits (from..to] of a store behind `digest`. False when something cannot be read. */
bool script_digest(yore_db *db, uint64_t from, uint64_t to, uint64_t *digest);
/* The same of one commit, whatever the clock. */
bool script_content(yore_db *db, uint64_t version, uint64_t *content);
/* What scans and gets of every branch show at a version, which is the newest. */
bool script_view(yore_db *db, uint64_t version, uint64_t *view);

#endif
