/* A log on a simulated disk whose n-th record has a payload that only depends on n, so that a replay can tell
 * exactly which records it was given. */
#ifndef WAL_KIT_H
#define WAL_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/format/file_name.h"
#include "engine/wal/wal.h"
#include "tests/support/env_sim.h"

#define KIT_PATH "db"
#define KIT_PAYLOAD_MAX 6000u
#define KIT_FILES_MAX 64u

typedef struct wal_kit {
    yr_sim *sim;
    const yore_env *env;
    yore_dir *dir;
    yr_store_lock *lock;
    yr_wal *wal;
    yr_wal_options options;
    yr_wal_report report;
    yore_error err;
    uint64_t appended; /* records so far; the next one's number */
    uint64_t replayed; /* records the last open (or refresh, added up) gave */
    uint64_t last_lsn; /* of the last one */
    /* what the log goes on from: record n is in a segment when n < flushed_version */
    yr_store_state state;
    yr_store_file files[KIT_FILES_MAX];
    uint64_t begins; /* calls of kit_begin */
    bool is_wrong;   /* one of them was not what it should be */
    const char *why;
} wal_kit;

/* An empty directory on a fresh disk; small files, so that a few records fill several. */
void kit_init(wal_kit *kit, uint64_t seed);
/* The same on a disk that is there already, as after a restart. */
void kit_restart(wal_kit *kit, const yr_sim_image *image);
void kit_deinit(wal_kit *kit);
/* On somebody else's simulated machine; detach gives back the handles. */
void kit_attach(wal_kit *kit, yr_sim *sim);
void kit_detach(wal_kit *kit);

/* Record n's payload. Returns its size. */
size_t kit_payload(uint64_t n, uint8_t to[KIT_PAYLOAD_MAX]);
yore_status kit_apply(void *arg, uint64_t lsn, yore_slice payload, yore_error *err);

/* Remembers the state, and looks at every file it names: YORE_ERR_CORRUPT when one is not there. */
yore_status kit_begin(void *arg, const yr_store_state *state, yore_error *err);

/* Take the lock and make a log whose first record is number 0. */
yore_status kit_create(wal_kit *kit);
/* Take the lock, open and replay; `appended` goes on from there. */
yore_status kit_open(wal_kit *kit);
/* Open read-only, without a lock. */
yore_status kit_open_reader(wal_kit *kit);
/* Close without a seal (as a kill would), or with one. */
void kit_close(wal_kit *kit);
yore_status kit_seal_and_close(wal_kit *kit);

yore_status kit_append(wal_kit *kit);
void kit_append_many(wal_kit *kit, uint64_t count);
/* Put a stand-in for a segment, or value file, in the directory: made, synced and named. */
yore_status kit_make_file(wal_kit *kit, yr_store_file *file);
/* What a store does: all records up to here into a new segment, and an edit that says so. */
yore_status kit_flush(wal_kit *kit, bool rotate);
/* The same with what was there at some earlier time. */
yore_status kit_flush_to(wal_kit *kit, uint64_t version, uint64_t lsn);
/* All segments into one, the old ones unlinked after the edit; a value file beside it. */
yore_status kit_compact(wal_kit *kit);
/* Bytes up to the last one that is not zero. */
uint64_t kit_used_bytes(const wal_kit *kit, const char *path);

#define assert_ok(kit, call)                                                                      \
    do {                                                                                          \
        yore_status kit_status = (call);                                                          \
        if (kit_status != YORE_OK) fail_msg("%s: %d: %s", #call, kit_status, (kit)->err.message); \
    } while (0)
#define assert_status(kit, expected, call)                                                                  \
    do {                                                                                                    \
        yore_status kit_status = (call);                                                                    \
        if (kit_status != (expected)) {                                                                     \
            fail_msg("%s: %s, not %s: %s", #call, yore_status_name(kit_status), yore_status_name(expected), \
                     (kit)->err.message);                                                                   \
        }                                                                                                   \
    } while (0)
#define assert_says(kit, text)                                                                               \
    do {                                                                                                     \
        if (!strstr((kit)->err.message, text)) fail_msg("'%s' does not say '%s'", (kit)->err.message, text); \
    } while (0)

#endif
