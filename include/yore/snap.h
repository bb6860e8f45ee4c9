/* Reading: points in history, snapshots, point reads, scans, histories.
 *
 * A snapshot is one branch as of one moment. It never changes: two reads of it give the same bytes for
 * as long as it is open, whatever is committed meanwhile.
 *
 *     yore_at at = YORE_AT_INIT;
 *     status = yore_at_parse(db, "exp@2h ago", now_ns, 0, &at, &err);
 *     status = yore_snap_open(db, &at, &snap, NULL, &err);
 *     status = yore_get(snap, yore_str_key("config.theme"), &pin, &err);
 *     if (status == YORE_OK) use(pin.value);
 *     yore_unpin(&pin);
 *     yore_snap_close(snap);
 *
 * What is not in memory is read from the store's files. "Blocks on reads" means that and nothing else: never a writer.
 * Such calls may also return YORE_ERR_CORRUPT (names file and offset), YORE_ERR_IO and YORE_ERR_NOMEM.
 */
#ifndef YORE_SNAP_H
#define YORE_SNAP_H

#include <stdbool.h>

#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Read a SPEC ("exp@v1042", "@2h ago", "tag:rel-1", "2026-01-31 12:00"): docs/cli.md has the grammar.
 * spec          NUL-terminated.
 * now_ns        what "now", "2h ago", "today" are relative to; 0 = the clock.
 * utc_offset_s  the display zone: seconds east of UTC, for dates and times without a zone.
 * out           its `branch` on entry is the branch a spec without one means (empty = "default").
 * Returns YORE_OK; YORE_ERR_SPEC (message names the nearest form, err->offset the place),
 *         YORE_ERR_NO_BRANCH, YORE_ERR_NO_TAG.
 * Threads any.   Blocks on reads.   Cost O(length), and a look at its tag. */
YORE_API YORE_NODISCARD yore_status yore_at_parse(yore_db *db, const char *spec, int64_t now_ns,
                                                  int32_t utc_offset_s, yore_at *out, yore_error *err);

/* Find where a point is, without opening a snapshot.
 * Returns YORE_OK; YORE_ERR_NO_BRANCH, YORE_ERR_NO_TAG, YORE_ERR_TIME_RANGE, YORE_ERR_TRIMMED.
 * Threads any.   Blocks on reads.   Cost O(log versions + lineage depth). */
YORE_API YORE_NODISCARD yore_status yore_at_resolve(yore_db *db, const yore_at *at, yore_where *out,
                                                    yore_error *err);

/* Open a snapshot of a branch as of a point.
 * at        NULL = default@now.
 * out       set only on YORE_OK; close it with yore_snap_close. It may outlive the store's handle.
 * resolved  may be NULL; where the point turned out to be.
 * Returns YORE_OK; YORE_ERR_NO_BRANCH, YORE_ERR_NO_TAG, YORE_ERR_TIME_RANGE, YORE_ERR_TRIMMED, YORE_ERR_NOMEM.
 * Threads any.   Blocks on reads.   Cost O(log versions + lineage depth). */
YORE_API YORE_NODISCARD yore_status yore_snap_open(yore_db *db, const yore_at *at, yore_snap **out,
                                                   yore_where *resolved, yore_error *err);

/* Close a snapshot; pins that borrowed it end with it. NULL is allowed.
 * Returns nothing.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API void yore_snap_close(yore_snap *snap);

/* Read the value of `key` at the snapshot.
 * key      1..YORE_KEY_BYTES_MAX bytes; borrowed for the call.
 * out      set only on YORE_OK; borrows `snap`. Release it with yore_unpin (a pin that was not kept costs nothing).
 * Returns YORE_OK, YORE_NOT_FOUND (never written, deleted or expired); YORE_ERR_LIMIT, YORE_ERR_MISUSE.
 * Threads one at a time on one snap; any number of snaps.   Blocks on reads.
 * Cost O(key + log versions + lineage depth), a hop that has the key one look in each layer that may have it. */
YORE_API YORE_NODISCARD yore_status yore_get(yore_snap *snap, yore_key key, yore_pin *out, yore_error *err);

/* Read many keys, overlapping their memory latencies.
 * keys, n  any number.
 * out      n pins, set where each[i] == YORE_OK.
 * each     n statuses: YORE_OK, YORE_NOT_FOUND, YORE_ERR_LIMIT, or what reading that key failed with.
 * Returns YORE_OK; YORE_ERR_MISUSE.   Threads as yore_get.   Blocks on reads.   Cost as n gets, less the waiting. */
YORE_API YORE_NODISCARD yore_status yore_get_many(yore_snap *snap, const yore_key *keys, size_t n,
                                                  yore_pin *out, yore_status *each, yore_error *err);

/* When the commit that wrote the pinned value was made. Not part of the pin, because looking it up is a
 * cache miss that most readers have no use for.
 * Returns the time in ns UTC; 0 for a transaction's own write, which has none yet, and when it cannot be read.
 * Threads as the snapshot.   Blocks on reads.   Cost O(1). */
YORE_API int64_t yore_pin_time(const yore_pin *pin);

/* Make a pin owned: valid after its snapshot and its store are closed, until yore_unpin.
 * It holds what it was read from: the files too, which keep their space on the disk for as long.
 * Returns YORE_OK; YORE_ERR_MISUSE for a pin that holds nothing.
 * Threads as the snapshot.   Blocks never.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_pin_keep(yore_pin *pin, yore_error *err);

/* Release a pin, before its store is closed unless it is kept. A zeroed or already released pin is allowed.
 * Returns nothing.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API void yore_unpin(yore_pin *pin);

/* What a scan or a history covers. Zeroed with struct_size set: everything of kv, forward. */
typedef struct yore_range {
    uint32_t struct_size;
    uint32_t primitive;     /* 0 = YORE_KV */
    yore_slice prefix;      /* keys that start with these bytes; empty = all */
    yore_slice from;        /* first key, inclusive; empty = the first one */
    yore_slice to;          /* end, exclusive; empty = open */
    uint64_t limit;         /* rows at most; 0 = all */
    uint64_t since_version; /* history and changes: only versions > this */
    bool reverse;           /* keys descending; `from`/`to` keep their meaning */
    bool keys_only;         /* leave `value` empty */
    bool with_deleted;      /* scans: also keys that are deleted or expired, as YORE_OP_DEL rows */
    bool own_only;          /* scans: only the branch's own key space, not its parents' */
    bool without_times;     /* scans: leave `time_ns` 0: saves a look at each row's commit */
    bool with_gaps;         /* changes: also where history was trimmed, of which rows are missing */
} yore_range;

#define YORE_RANGE_INIT                                                                               \
    {                                                                                                 \
        sizeof(yore_range), 0, {0, 0}, {0, 0}, {0, 0}, 0, 0, false, false, false, false, false, false \
    }

/* List keys in byte order at the snapshot.
 * range    NULL = everything; borrowed for the call.
 * out      set only on YORE_OK; close it with yore_iter_close. It keeps the snapshot's data alive.
 * Returns YORE_OK; YORE_ERR_NOMEM, YORE_ERR_MISUSE.
 * Threads as yore_get.   Blocks for a commit group under way at most, never for a disk.
 * Cost O(key) to start, O(lineage depth + layers) a row. */
YORE_API YORE_NODISCARD yore_status yore_scan(yore_snap *snap, const yore_range *range, yore_iter **out,
                                              yore_error *err);

/* List the versions of one key up to a point, newest first, deletes included, through the lineage
 * (a branch's own versions, then its parent's at or before the fork, and so on).
 * upto     NULL = default@now.
 * range    `limit` and `since_version` apply; NULL = all.
 * Where history was trimmed the listing ends with the version that the oldest kept state shows.
 * Returns YORE_OK; YORE_NOT_FOUND for a key that was never written there; as yore_snap_open.
 * Threads any.   Blocks on reads.   Cost O(versions). */
YORE_API YORE_NODISCARD yore_status yore_history(yore_db *db, const yore_at *upto, yore_key key,
                                                 const yore_range *range, yore_iter **out, yore_error *err);

/* The change feed: every put and delete of commits after a version, oldest commit first, all branches.
 * Rows of one version are one commit, in key order. System commits appear as rows of YORE_SYSTEM.
 * Returns YORE_OK; YORE_ERR_TRIMMED when some of them may be gone (range->with_gaps gives those that are not),
 *         YORE_ERR_NOMEM.
 * Threads any.   Blocks on reads.   Cost O(changes). */
YORE_API YORE_NODISCARD yore_status yore_changes(yore_db *db, uint64_t after_version, const yore_range *range,
                                                 yore_iter **out, yore_error *err);

/* Take the next rows. They last until the next call on the iterator.
 * rows      room for `cap` rows of `row_size` bytes each (sizeof(yore_row)).
 * n         set to how many were written, on YORE_OK at least 1.
 * Returns YORE_OK, YORE_END; YORE_ERR_MISUSE, YORE_ERR_NOMEM.
 * Threads one at a time.   Blocks on reads.   Cost O(rows). */
YORE_API YORE_NODISCARD yore_status yore_next(yore_iter *iter, yore_row *rows, size_t row_size, size_t cap,
                                              size_t *n, yore_error *err);

/* Close an iterator; its rows end with it. NULL is allowed.
 * Returns nothing.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API void yore_iter_close(yore_iter *iter);

/* -- the log: commits -- */

#define YORE_COMMIT_DATA 1u
#define YORE_COMMIT_INIT 2u
#define YORE_COMMIT_BRANCH 3u /* create, rename, delete, recover, what is kept */
#define YORE_COMMIT_TAG 4u
#define YORE_COMMIT_CONFIG 5u
#define YORE_COMMIT_ERASE 6u

#define YORE_PARENTS_MAX 64u

/* One commit. Texts of one that yore_log_next gave last until the iterator's next step; those of yore_commit_get until
 * yore_commit_release. */
typedef struct yore_commit_info {
    uint32_t struct_size;
    uint32_t kind; /* YORE_COMMIT_... */
    uint64_t version;
    int64_t time_ns;
    int64_t source_time_ns; /* the time the source gave, 0 = none */
    int64_t wall_ns;        /* system commits: the clock when it was made; data commits: 0 */
    uint32_t branch_id;
    uint32_t parent_count;
    uint64_t key_count;
    yore_slice note;
    yore_slice author;
    yore_slice source;
    uint64_t parents[YORE_PARENTS_MAX]; /* versions; the first is the previous commit of the lineage */
    void *own;                          /* the library's */
} yore_commit_info;

typedef struct yore_log_options {
    uint32_t struct_size;
    bool system;            /* also init, branch, tag and config commits, of the whole store */
    bool own_only;          /* stop at the fork point */
    bool all_branches;      /* every branch's commits, newest first */
    bool oldest_first;      /* with all_branches: ascending versions */
    uint64_t limit;         /* 0 = all */
    uint64_t since_version; /* only versions > this */
    yore_slice prefix;      /* only commits that touched a kv key with this prefix; empty = all */
} yore_log_options;

#define YORE_LOG_OPTIONS_INIT                                       \
    {                                                               \
        sizeof(yore_log_options), false, false, false, false, 0, 0, \
        {                                                           \
            0, 0                                                    \
        }                                                           \
    }

/* List the commits of a branch's lineage at or before a point, newest first.
 * Returns YORE_OK; as yore_snap_open.   Threads any.   Blocks on reads.   Cost O(1) to start. */
YORE_API YORE_NODISCARD yore_status yore_log(yore_db *db, const yore_at *upto,
                                             const yore_log_options *options, yore_iter **out,
                                             yore_error *err);

/* Take the next commit of a log.
 * out      struct_size set by the caller.
 * Returns YORE_OK, YORE_END; YORE_ERR_MISUSE.
 * Threads one at a time.   Blocks on reads.   Cost O(1) a commit passed. */
YORE_API YORE_NODISCARD yore_status yore_log_next(yore_iter *iter, yore_commit_info *out, yore_error *err);

/* Describe one commit. Release it with yore_commit_release.
 * Returns YORE_OK; YORE_ERR_TIME_RANGE for a version that does not exist.
 * Threads any.   Blocks on reads.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_commit_get(yore_db *db, uint64_t version, yore_commit_info *out,
                                                    yore_error *err);

/* Release the texts of a commit from yore_commit_get. Others, zeroed and released ones are allowed.
 * Returns nothing.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API void yore_commit_release(yore_commit_info *info);

/* List what one commit wrote, in key order.
 * Returns YORE_OK; YORE_ERR_TIME_RANGE; YORE_ERR_TRIMMED when some of it may be gone.
 * Threads any.   Blocks on reads.   Cost O(1) to start, O(1) a row. */
YORE_API YORE_NODISCARD yore_status yore_commit_rows(yore_db *db, uint64_t version, yore_iter **out,
                                                     yore_error *err);

#ifdef __cplusplus
}
#endif
#endif
