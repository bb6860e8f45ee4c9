/* The commit path: requests queue, one thread leads, a group becomes one log record.
 *
 * Life of a group (leader):  take the queue -> for each request: resolve it against the newest versions,
 * reserve log space, encode its frame, put its rows into the memtable (not visible yet) -> append the
 * record -> sync if a member asks for it -> apply catalog changes -> publish -> answer everybody.
 *
 * I1 holds because versions above `visible` are never read and `visible` moves once a group.
 * A request that fails before the append leaves nothing behind: its rows are taken off again. A failed
 * append or sync poisons the store: nothing is published any more and the outcome is unknown until reopen.
 */
#ifndef YR_COMMIT_H
#define YR_COMMIT_H

#include "engine/mvcc/store.h"

#include <yore/txn.h>

enum yr_op_kind { YR_OP_PUT = 1, YR_OP_DEL, YR_OP_INCR, YR_OP_APPEND };

/* One operation of a transaction, as collected: at most one a key. */
typedef struct yr_op {
    yore_slice key;
    uint64_t key_hash;
    yore_slice value; /* PUT: the value. APPEND: the bytes */
    yore_slice meta;
    yore_slice expected; /* CAS: what the value must be */
    int64_t delta;       /* INCR */
    int64_t expiry_ns, ttl_ns;
    uint64_t if_version;
    uint8_t kind; /* enum yr_op_kind */
    uint8_t primitive;
    uint8_t type;
    bool has_expected;   /* value must equal `expected` */
    bool has_if_version; /* newest version must be if_version */
    bool if_absent;
    bool check_snapshot; /* first committer wins */
} yr_op;

/* A key or a range that was read, for serializable transactions. */
typedef struct yr_read {
    yore_slice key; /* a point, or the lower bound */
    yore_slice upper;
    uint64_t key_hash;
    uint8_t primitive;
    bool is_range;
    bool has_upper;
} yr_read;

/* What a registry request wants done; called by the leader. Fills `row` (bytes in store->scratch or owned by
 * the request) and `change`. */
typedef yore_status (*yr_registry_plan)(yr_store *store, yr_request *request, uint64_t version,
                                        int64_t wall_ns);

struct yr_request {
    yr_request *next;
    _Atomic uint32_t done;
    uint64_t thread; /* whose it is: yr_turn_thread */
    yore_status status;
    yore_error *err; /* the caller's; written by the leader before `done` */

    /* a data commit */
    yr_branch *branch;
    const yr_op *ops;
    uint32_t op_count;
    uint64_t snapshot; /* version the transaction read at; conflict checks are against it */
    const yr_read *reads;
    uint32_t read_count;
    const yore_txn_options *options; /* never NULL for data commits */
    yore_slice note;

    /* a registry commit */
    yr_registry_plan plan; /* NULL for data commits */
    void *plan_arg;
    uint8_t kind; /* YORE_COMMIT_... */
    yr_row *rows; /* filled by plan */
    uint32_t row_count;
    yr_catalog_change *changes; /* filled by plan; applied before publish */
    uint32_t change_count;

    uint32_t sync; /* YORE_SYNC_..., resolved */

    /* the answer */
    uint64_t version; /* 0 when nothing was written */
    int64_t time_ns;
};

/* Queue a request and wait for its answer (request->status). */
yore_status yr_commit_run(yr_store *store, yr_request *request);

/* -- resolve.c: operations to rows, by the leader -- */

/* Check preconditions and conflicts and turn the request's operations into rows in store->scratch.
 * YORE_OK, YORE_CONFLICT, YORE_EXISTS, or a failure; nothing is changed. */
yore_status yr_commit_resolve(yr_store *store, yr_request *request, int64_t time_ns, yr_row **rows,
                              uint64_t **key_hashes, uint32_t *row_count);

/* The value INCR gives: text in out. YORE_OK, YORE_ERR_TYPE. */
yore_status yr_incr_resolve(yore_slice old, bool has_old, int64_t delta, char out[24], size_t *size,
                            yore_error *err);

#endif
