/* yore: a branching, versioned key-value store. This is the umbrella header; the parts:
 *
 *   yore/status.h   status codes, yore_error
 *   yore/types.h    slices, keys, points in history, pins, rows
 *   yore/db.h       open, close, settings, stats, check
 *   yore/snap.h     snapshots: get, scan, history, log, change feed
 *   yore/txn.h      transactions: put, del, incr, append, cas, commit
 *   yore/branch.h   branches and tags
 *   yore/diff.h     what differs between two points
 *   yore/merge.h    three-way merge of branches
 *   yore/json.h     what differs between two JSON texts, by path
 *   yore/undo.h     undo, redo, revert, cherry-pick, restore, reset
 *   yore/backup.h   backups: make, verify, restore
 *   yore/bundle.h   bundles: one branch as a file
 *   yore/upkeep.h   retention, collection, erasing, compaction, sizes
 *   yore/search.h   search: ranked hits on any branch as of any moment
 *   yore/time.h     times and spans as text
 *   yore/env.h      the environment: files, clock, memory, threads
 *
 * Threads: a yore_db is free-threaded; snapshots, transactions and iterators are for one thread at a time
 * and may move between threads. Handles may be closed in any order.
 */
#ifndef YORE_H
#define YORE_H

#include <yore/backup.h>
#include <yore/branch.h>
#include <yore/bundle.h>
#include <yore/db.h>
#include <yore/diff.h>
#include <yore/env.h>
#include <yore/json.h>
#include <yore/merge.h>
#include <yore/salvage.h>
#include <yore/search.h>
#include <yore/snap.h>
#include <yore/status.h>
#include <yore/time.h>
#include <yore/txn.h>
#include <yore/types.h>
#include <yore/undo.h>
#include <yore/upkeep.h>

#endif
