/* What a store has in memory beside its memtable, made from its runs at open: the branch catalog. */
#ifndef YR_LOAD_H
#define YR_LOAD_H

#include "engine/mvcc/store.h"

/* After yr_store_begin, before the log is replayed: branches from the registry's rows, and what the runs say of each.
 * Bytes from a disk are input: YORE_ERR_CORRUPT when they do not make sense. Cost O(branches * runs). */
yore_status yr_load_catalog(yr_store *store, yore_error *err);

#endif
