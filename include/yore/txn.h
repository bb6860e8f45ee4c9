/* Writing: transactions and one-call conveniences.
 *
 * A transaction belongs to one branch, sees its own writes over a snapshot taken when it began, and
 * commits as a whole or not at all. Under snapshot isolation (the default) the first committer of a key
 * wins; `serializable` also fails when something that was read has changed. A lost commit is
 * YORE_CONFLICT, an answer. `incr` and `append` are resolved when the commit is made, so they never lose.
 *
 *     yore_begin(db, yore_str("default"), NULL, &txn, &err);
 *     yore_put(txn, yore_str_key("a"), yore_str("1"), NULL, &err);
 *     yore_commit(txn, yore_str("first"), &where, &err);     // takes txn, whatever it returns
 */
#ifndef YORE_TXN_H
#define YORE_TXN_H

#include <stdbool.h>

#include <yore/snap.h>
#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YORE_ISOLATION_DEFAULT 0u
#define YORE_ISOLATION_SNAPSHOT 1u
#define YORE_ISOLATION_SERIALIZABLE 2u

#define YORE_TIMES_STRICT 0u /* a time_ns not later than the last data commit is YORE_ERR_TIME_ORDER */
#define YORE_TIMES_SHIFT 1u  /* it is moved forward by the least that keeps times increasing */

typedef struct yore_txn_options {
    uint32_t struct_size;
    uint32_t isolation;     /* YORE_ISOLATION_... */
    uint32_t sync;          /* YORE_SYNC_...; 0 = the store's */
    uint32_t times;         /* YORE_TIMES_..., for time_ns */
    int64_t time_ns;        /* the commit's time, 0 = the clock */
    int64_t source_time_ns; /* kept in the commit record, 0 = none */
    bool has_time;          /* time_ns is given (so that 0 can be a time) */
    bool allow_future;      /* time_ns may be later than the clock + 2 s */
    bool has_source_time;
    bool allow_empty;        /* commit even when nothing was written (imported histories) */
    uint32_t parent_count;   /* further parents, a merge's */
    const uint64_t *parents; /* borrowed until commit */
    yore_slice author;       /* borrowed until commit */
    yore_slice source;       /* where it came from (a git commit id ...); borrowed until commit */
} yore_txn_options;

#define YORE_TXN_OPTIONS_INIT                                                                 \
    {                                                                                         \
        sizeof(yore_txn_options), 0, 0, 0, 0, 0, false, false, false, false, 0, NULL, {0, 0}, \
        {                                                                                     \
            0, 0                                                                              \
        }                                                                                     \
    }

typedef struct yore_put_options {
    uint32_t struct_size;
    uint32_t type;       /* YORE_TYPE_... */
    int64_t ttl_ns;      /* expires this long after the commit's time; 0 = never */
    int64_t expiry_ns;   /* or at this time; 0 = never. Not both */
    yore_slice meta;     /* up to YORE_META_BYTES_MAX bytes kept with the version */
    bool if_absent;      /* YORE_EXISTS from the commit when the key has a value */
    bool if_version_set; /* YORE_CONFLICT from the commit unless the key's newest value is of this version */
    bool reserved[2];
    uint32_t reserved2;
    uint64_t if_version;
} yore_put_options;

#define YORE_PUT_OPTIONS_INIT                                                         \
    {                                                                                 \
        sizeof(yore_put_options), 0, 0, 0, {0, 0}, false, false, {false, false}, 0, 0 \
    }

/* Begin a transaction on a branch.
 * branch   name; empty = "default". Borrowed for the call.
 * options  NULL = defaults; what it borrows must live until commit or rollback.
 * out      set only on YORE_OK; ended by yore_commit or yore_rollback.
 * Returns YORE_OK; YORE_ERR_NO_BRANCH, YORE_ERR_READONLY, YORE_ERR_POISONED, YORE_ERR_NOMEM.
 * Threads any.   Blocks on reads (snap.h).   Cost O(lineage depth). */
YORE_API YORE_NODISCARD yore_status yore_begin(yore_db *db, yore_slice branch,
                                               const yore_txn_options *options, yore_txn **out,
                                               yore_error *err);

/* Write a value. key and value are copied.
 * Returns YORE_OK; YORE_EXISTS, YORE_CONFLICT when a precondition is on a key that this transaction itself has
 *         written and does not hold (the commit will give the same answer); YORE_ERR_LIMIT (key of 0 or over
 *         32,768 bytes, value or transaction over 1 GiB, metadata over 1 KiB), YORE_ERR_NOMEM: the transaction
 *         stays as it was.
 * Threads one at a time.   Blocks never.   Cost O(key + value). */
YORE_API YORE_NODISCARD yore_status yore_put(yore_txn *txn, yore_key key, yore_slice value,
                                             const yore_put_options *options, yore_error *err);

/* Delete a key. Deleting an absent key is no failure and writes nothing (unless a precondition fails).
 * options  if_version applies; NULL = none.
 * Returns as yore_put.   Threads one at a time.   Blocks never.   Cost O(key). */
YORE_API YORE_NODISCARD yore_status yore_del(yore_txn *txn, yore_key key, const yore_put_options *options,
                                             yore_error *err);

/* Add to an integer, resolved when the commit is made: an absent key counts as 0. The value is decimal text; its
 * type, metadata and expiry stay. As nothing conflicts with it, a transaction that reads one key and adds to
 * another may see anomalies that snapshot isolation otherwise excludes; `serializable` excludes them.
 * The commit returns YORE_ERR_TYPE when the value is not a decimal int64, or the sum does not fit one.
 * Returns as yore_put.   Threads one at a time.   Blocks never.   Cost O(key). */
YORE_API YORE_NODISCARD yore_status yore_incr(yore_txn *txn, yore_key key, int64_t delta, yore_error *err);

/* Append bytes to a value, resolved when the commit is made: an absent key counts as empty. As yore_incr.
 * Returns as yore_put.   Threads one at a time.   Blocks never.   Cost O(key + bytes). */
YORE_API YORE_NODISCARD yore_status yore_append(yore_txn *txn, yore_key key, yore_slice bytes,
                                                yore_error *err);

/* Replace a value only if it is `expected` when the commit is made; else the commit returns YORE_CONFLICT.
 * Returns as yore_put.   Threads one at a time.   Blocks never.   Cost O(key + values). */
YORE_API YORE_NODISCARD yore_status yore_cas(yore_txn *txn, yore_key key, yore_slice expected,
                                             yore_slice value, const yore_put_options *options,
                                             yore_error *err);

/* Read within the transaction: its own writes, else its snapshot. Own `incr` and `append` show their
 * provisional result.
 * out      borrows the transaction, until it ends.
 * Returns as yore_get.   Threads one at a time.   Blocks as yore_get.   Cost as yore_get. */
YORE_API YORE_NODISCARD yore_status yore_txn_get(yore_txn *txn, yore_key key, yore_pin *out, yore_error *err);

/* Scan the transaction's snapshot merged with its own writes; under `serializable` the range is validated at commit.
 * Returns as yore_scan; the iterator must be closed before the transaction ends.
 * Threads one at a time.   Blocks as yore_scan.   Cost as yore_scan. */
YORE_API YORE_NODISCARD yore_status yore_txn_scan(yore_txn *txn, const yore_range *range, yore_iter **out,
                                                  yore_error *err);

/* Commit and end a transaction. One with nothing to write succeeds without a new version (unless allow_empty).
 * note     up to YORE_NOTE_BYTES_MAX bytes, may be empty.
 * where    may be NULL; the branch, version and time it got.
 * Returns YORE_OK, YORE_CONFLICT, YORE_EXISTS (a precondition): nothing was written, err names the key;
 *         YORE_ERR_FULL, YORE_ERR_NOMEM, YORE_ERR_TYPE, YORE_ERR_TIME_ORDER, YORE_ERR_TIME_RANGE,
 *         YORE_ERR_NO_BRANCH (deleted meanwhile): nothing was written;
 *         YORE_ERR_IO, YORE_ERR_POISONED: the outcome is unknown until the store is reopened.
 * Threads any number of transactions at once.   Blocks by durability, on reads of what it is judged against, and for
 * moments while memory fills faster than it is flushed (yore_stats.stall_ns).   Cost O(writes) + the log. */
YORE_API YORE_NODISCARD yore_status yore_commit(yore_txn *txn, yore_slice note, yore_where *where,
                                                yore_error *err);

/* End a transaction without writing. NULL is allowed.
 * Returns nothing.   Threads one at a time.   Blocks never.   Cost O(writes). */
YORE_API void yore_rollback(yore_txn *txn);

/* -- one call, one commit -- */

/* Put one kv value on a branch (empty = "default").
 * Returns as yore_commit.   Threads any.   Blocks as a commit.   Cost one commit. */
YORE_API YORE_NODISCARD yore_status yore_db_put(yore_db *db, yore_slice branch, yore_key key,
                                                yore_slice value, yore_where *where, yore_error *err);

/* Delete one key on a branch.
 * Returns as yore_commit; YORE_NOT_FOUND when there was nothing to delete (no commit is made).
 * Threads any.   Blocks as a commit.   Cost one commit. */
YORE_API YORE_NODISCARD yore_status yore_db_del(yore_db *db, yore_slice branch, yore_key key,
                                                yore_where *where, yore_error *err);

/* Read the newest value on a branch into an owned pin: release it with yore_unpin.
 * Returns YORE_OK, YORE_NOT_FOUND; YORE_ERR_NO_BRANCH, YORE_ERR_LIMIT.
 * Threads any.   Blocks as yore_get.   Cost as yore_get. */
YORE_API YORE_NODISCARD yore_status yore_db_get(yore_db *db, yore_slice branch, yore_key key, yore_pin *out,
                                                yore_error *err);

#ifdef __cplusplus
}
#endif
#endif
