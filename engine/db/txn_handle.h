/* The transaction object: a view to read at, a write set, and (serializable) what was read. */
#ifndef YR_TXN_HANDLE_H
#define YR_TXN_HANDLE_H

#include "engine/db/handle.h"
#include "engine/mvcc/write_set.h"

struct yore_txn {
    yore_db *db;
    yr_pin_source reader; /* what its reads borrow */
    yr_branch *branch;
    bool holds_branch; /* the branch ends one day, but not while it is being written */
    yr_view view;
    yore_txn_options options;
    yr_arena arena;           /* bytes of writes and reads; dies with the transaction */
    struct yr_txn_held *held; /* what values folded into writes borrow */
    yr_write_set writes;
    yr_read *reads;
    uint32_t read_count, read_capacity;
    yore_status lost; /* a write was refused with CONFLICT or EXISTS: so will the commit be */
    char lost_message[256];
};

/* Remember a read, if the isolation level asks for it. */
yore_status yr_txn_note_read(yore_txn *txn, const yr_read *read, yore_error *err);

/* What is written was worked out as of `version`, at or before the transaction's snapshot: conflicts are judged from
 * there on. Before it reads or writes anything. */
static inline void yr_txn_judge_from(yore_txn *txn, uint64_t version)
{
    txn->view.cap = version;
}

#endif
