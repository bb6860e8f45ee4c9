/* The maintainer: keeps a store's memory small and its disk in order while others read and write.
 *
 *   flusher     turns frozen memtables into runs, the oldest first (freezing is the leader's: after_group)
 *   compactor   merges runs as the policy says, and holds hot segments in memory as the budget says
 *
 * What either has made takes effect in one place, install.c: MANIFEST first, then the layers. Where the environment has
 * no threads the work is done inside the commit that asks for it.
 *
 * Locks: `flushing` or `merging` while that work is done, `install` inside, the leader's turn inside that. Where
 * there are no threads the leader's turn comes first, and then no lock is ever waited for.
 */
#ifndef YR_MAINTAINER_H
#define YR_MAINTAINER_H

#include "engine/base/thread.h"
#include "engine/compact/keep.h"
#include "engine/compact/policy.h"
#include "engine/maintain/disk.h"
#include "engine/mvcc/store.h"

typedef struct yr_maintainer_options {
    uint64_t memtable_bytes;  /* freeze at this size */
    uint64_t image_bytes_max; /* of hot segments held in memory */
    uint64_t file_bytes;      /* of the files a merge makes */
    uint64_t every; /* for tests: flush after so many commits and merge everything then; 0 = by size */
    /* What must be kept: NULL = everything. The rules live in the arena. */
    yore_status (*keep_rules)(void *arg, yr_arena *arena, yr_keep_set *out, yore_error *err);
    void *arg;
} yr_maintainer_options;

/* Relaxed counters: statistics. */
typedef struct yr_maintainer_stats {
    _Atomic uint64_t flushes, flushed_bytes;
    _Atomic uint64_t compactions, compacted_bytes;
    _Atomic uint64_t files_retired;
    _Atomic uint64_t stall_ns;
    _Atomic uint32_t stall_reason; /* YORE_STALL_... */
    _Atomic uint32_t at_work;      /* flushes and merges under way */
} yr_maintainer_stats;

typedef struct yr_maintainer {
    yr_store *store;
    yr_disk *disk;
    yr_wal *wal;
    yr_maintainer_options options;
    yr_maintainer_stats stats;

    yr_mutex flushing, merging; /* one at a time of each */
    yr_mutex install;           /* one change of state and layers at a time */

    yr_mutex mutex;
    yr_cond cond;
    bool stop; /* guarded by mutex, as the next four */
    bool flush_asked, compact_asked;
    uint64_t rules_since;      /* files numbered from here on were made under the rules as they are */
    uint32_t compact_failures; /* in a row: it is tried again later and later */
    _Atomic bool cancel;       /* ends a job under way */
    _Atomic bool is_merging;   /* there is a compactor, and no damage in the way of its last job; a hint */
    bool is_inline; /* no thread could be had: for good, since the two ways cannot be mixed; under mutex */
    yore_thread *flusher, *compactor;

    /* the leader's: slowing writers down to what flushing keeps up with */
    int64_t debt_ns;
    uint64_t seen_bytes;
    _Atomic uint64_t flush_ns_per_mib, merge_ns_per_mib; /* measured; 0 = not yet */
} yr_maintainer;

/* Nothing is started. The store has begun. */
void yr_maintainer_init(yr_maintainer *maintainer, yr_store *store, yr_disk *disk, yr_wal *wal,
                        const yr_maintainer_options *options);
/* For a store that is read, too, but not written. Again whenever it has other layers. */
void yr_maintainer_start_reading(yr_maintainer *maintainer);
/* Cancel what is under way and wait for the threads. Harmless when nothing was started. */
void yr_maintainer_stop(yr_maintainer *maintainer);
void yr_maintainer_deinit(yr_maintainer *maintainer);

/* The leader's last step of every group: freeze a memtable that is full, have it flushed, and slow down if flushing
 * does not keep up. */
void yr_maintainer_after_group(yr_maintainer *maintainer);

/* Flush everything that is visible now, and wait. The caller does not lead.
 * drop_log: go on in a new log file, so that nothing of the old ones is left to replay. */
yore_status yr_maintainer_flush(yr_maintainer *maintainer, bool drop_log, yore_error *err);
typedef struct yr_compact_all {
    /* NULL, or called about once a MiB; non-zero stops it: YORE_ERR_CANCELLED. */
    int (*progress)(void *arg, uint64_t bytes, uint64_t total);
    void *arg;
    /* Value files to give up, in any order, besides those of which more than half is garbage. */
    const uint64_t *value_files;
    uint32_t value_file_count;
    uint64_t value_files_since; /* and all with this number or a greater one; 0 = none */
} yr_compact_all;

/* Merge all runs into one under the rules as they are, whatever the policy thinks. */
yore_status yr_maintainer_compact(yr_maintainer *maintainer, const yr_compact_all *options, yore_error *err);
/* The rules have changed: files may hold garbage they did not hold before. */
void yr_maintainer_rules_changed(yr_maintainer *maintainer);

#endif
