/* One fault in a run of the whole store, and what must hold then.
 *
 * A scenario is a program of public calls on a simulated machine. It runs once for every allocation and
 * every file operation it makes, with that one failing (once, or from then on). Every call's answer is
 * judged where it is made: it is the one the scenario expects, or a failure of a kind the fault allows, with
 * a message, and then the visible version has not moved. At the end the fault passes and the store must go
 * on, nothing may be left behind, and after reopening everything acknowledged must be there. */
#ifndef YR_FAULT_KIT_H
#define YR_FAULT_KIT_H

#include <yore.h>

#include "tests/support/crash_explorer.h"

enum { FAULT_NOTES_MAX = 1024 };

/* A value that was acknowledged. */
typedef struct fault_note {
    uint64_t version;
    uint64_t hash; /* of the value */
    uint32_t branch_id;
    bool is_deleted;
    char key[24];
} fault_note;

/* What fails in a run. */
typedef struct fault_plan {
    uint64_t alloc_nth; /* 0 = no allocation */
    bool is_sticky;     /* of the allocation */
    yr_sim_fault io;    /* kinds 0 = no operation */
    int keep;           /* 0 = reopen as is; else an enum yr_crash_keep: the power goes as well */
} fault_plan;

typedef struct fault_run {
    yr_sim *sim;
    yore_db *db; /* NULL when opening failed */
    const char *scenario;
    fault_plan plan;
    uint64_t acked;     /* the highest version that is certainly there */
    uint32_t unknown;   /* commits asked for whose outcome a failure left open */
    uint32_t sync;      /* YORE_SYNC_... to open with */
    uint64_t wal_bytes; /* of the first log file, 0 = 4096 */
    uint32_t maintain;  /* flush after so many commits and merge then; 0 = never */
    uint64_t failures;  /* calls that failed */
    bool is_failing;    /* failures are legitimate */
    bool is_poisoned;   /* the handle was when last seen */
    bool has_store;     /* there is a store for certain */
    bool is_power_safe; /* everything acknowledged was synced */
    bool is_recovered;  /* handle opened after the fault: judged without mercy */
    uint32_t note_count;
    fault_note notes[FAULT_NOTES_MAX];
} fault_run;

typedef struct fault_scenario {
    const char *name;
    void (*run)(fault_run *run);
    uint32_t sync;
    uint32_t maintain; /* flush after so many commits and merge then; 0 = never */
    bool from_nothing; /* starts on an empty disk, else on fault_base's */
    bool from_kill;    /* the base store's writer was killed: its log is not sealed */
} fault_scenario;

extern const fault_scenario fault_scenarios[];
extern const size_t fault_scenarios_count;

/* What the base store holds (fault_base_make): branch `default` with base/00..base/09 written twice, `exp`
 * forked between the two, `gone` deleted, tag `rel`, some settings, versions up to FAULT_BASE_VERSION. */
enum { FAULT_BASE_KEYS = 10, FAULT_BASE_VERSION = 28, FAULT_BASE_FORK = 11 };
/* With `maintain`, most of it is in segments. */
void fault_base_make(uint64_t wal_bytes, uint32_t maintain, yr_sim_image *closed, yr_sim_image *killed);

/* Run a scenario under a plan and judge it. Returns false when the plan's fault was never met. */
bool fault_run_plan(const fault_scenario *scenario, const yr_sim_image *base, const fault_plan *plan);

/* -- for scenarios -- */

/* The status is `want`, or a failure the plan allows; true when it is `want`. */
bool fault_is(fault_run *run, const char *what, yore_status want, yore_status status, const yore_error *err);
/* As fault_is with YORE_OK, for a call that commits. */
bool fault_committed(fault_run *run, const char *what, yore_status status, const yore_where *where,
                     const yore_error *err);
/* An acknowledged write at where->version. */
void fault_note_put(fault_run *run, const yore_where *where, const char *key, yore_slice value);
void fault_note_del(fault_run *run, const yore_where *where, const char *key);
/* The content is wrong: says where and fails the test. */
void fault_wrong(const fault_run *run, const char *what);

bool fault_open(fault_run *run);
void fault_close(fault_run *run);
void fault_options(const fault_run *run, yore_open_options *options);
uint64_t fault_visible(const fault_run *run, yore_db *db);
/* Every noted write up to `upto` reads back. */
void fault_check_notes(fault_run *run, yore_db *db, uint64_t upto);
bool fault_put(fault_run *run, const char *branch, const char *key, const char *value);
bool fault_del(fault_run *run, const char *branch, const char *key);

#endif
