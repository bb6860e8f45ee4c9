/* What the tests of backups share: a small store with everything in it, and all a store can say as one number. */
#ifndef YR_BACKUP_KIT_H
#define YR_BACKUP_KIT_H

#include <yore.h>

#include "tests/support/env_sim.h"

/* A hash of every commit (record and rows), every branch, tag and setting, and of what scans of every branch show at
 * the end and at versions on the way. False when something cannot be read. */
bool kit_digest(yore_db *db, uint64_t *digest);
/* The same of a store at a path, which is opened read-only and checked. */
bool kit_digest_of(const yore_env *env, const char *path, uint64_t *digest);

/* Open (and create) "db" on a simulated disk. Ends the test when it cannot. */
yore_db *kit_open(yr_sim *sim, const char *path, bool read_only);
/* Some dozens of commits of every kind: puts, deletes, batches, forks, renames, deleted and recovered branches, tags,
 * settings, expiries, types, binary keys and values, notes, times. `round` makes the next ones differ. */
void kit_fill(yore_db *db, int round);
uint64_t kit_version(yore_db *db);
/* End the test unless it is YORE_OK. */
void kit_need(yore_status status, const yore_error *err);

yore_backup_options kit_options(const yore_env *env);

#endif
