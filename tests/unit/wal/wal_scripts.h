/* Small histories of a log, traced on a simulated disk, and what must hold of the disk after a power cut
 * anywhere in them. Shared by the crash tests and the planted-bug tests.
 *
 * Mark n is the n-th record (the one that creation writes is the first). It is begun before the append and
 * acknowledged after the sync, or after an open that served it (F11). */
#ifndef WAL_SCRIPTS_H
#define WAL_SCRIPTS_H

#include "tests/support/crash_explorer.h"
#include "tests/unit/wal/wal_kit.h"

typedef struct wal_script {
    const char *name;
    bool (*run)(wal_kit *kit); /* the trace is on; all but the first begin with a log of one record, open */
} wal_script;

extern const wal_script wal_scripts[];
extern const size_t wal_scripts_count;

/* Run a script and hand over its trace. False when the script itself failed (says why on stderr). */
bool wal_script_trace(const wal_script *script, yr_sim_trace *trace);

/* A yr_crash_verify: opens, counts and compares records, goes on writing, opens again. */
bool wal_script_verify(void *arg, yr_sim *disk, const yr_crash_point *point);

#endif
