/* What the tests of bundles share: what a point of a store shows as one number, and its log as another. */
#ifndef YR_BUNDLE_KIT_H
#define YR_BUNDLE_KIT_H

#include "tests/backup/backup_kit.h"

yore_at kit_at(const char *branch);
yore_at kit_at_version(const char *branch, uint64_t version);
/* Keys, values, types, metadata and expiries of every primitive. Ends the test when it cannot be read. */
uint64_t kit_state(yore_db *db, const yore_at *at);
/* Of each commit of the lineage, oldest first: note, author, source time (else time), rows, and the state it left. */
uint64_t kit_history(yore_db *db, const yore_at *at, uint64_t *commits);
bool kit_has_branch(yore_db *db, const char *name);
/* How many branches there are, deleted ones not counted. */
uint32_t kit_branches(yore_db *db);
yore_bundle_options kit_bundle_options(const yore_env *env);

#endif
