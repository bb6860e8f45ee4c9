/* Threads that run random transactions on a store and record what they saw, for the history checker. */
#ifndef YR_HISTORY_RUN_H
#define YR_HISTORY_RUN_H

#include <pthread.h>

#include <yore.h>

#include "tests/thread/history_checker.h"

enum history_mix {
    HISTORY_READ_MODIFY_WRITE, /* lists by get and put, registers */
    HISTORY_WITH_APPENDS, /* also yore_append without a read; for serializable transactions, which validate the rest */
    HISTORY_APPEND_OR_READ /* a transaction only appends, or only reads a snapshot */
};

typedef struct history_run {
    yore_db *db;
    const char *branch;
    enum history_mix mix;
    uint32_t isolation;
    uint32_t threads;
    uint32_t txns; /* a thread */
    uint64_t seed;
    pthread_barrier_t start;
    /* results */
    history result;
    uint64_t commits, conflicts, rollbacks;
} history_run;

/* Two lists and two registers of each of the first keys, written by one transaction on `branch`, so that a fork of it
 * begins with data of its parent. */
void history_preload(history_run *run, yore_db *db, const char *branch);

/* Run the threads, then read everything once more in a last transaction. Ends the test when the store fails. */
void history_run_all(history_run *run);

/* One transaction each, by hand: get list or register, with the outcome recorded in `txn`. */
void history_read_register(yore_txn *txn, history_txn *to, uint32_t key);
void history_write_register(yore_txn *txn, history_txn *to, uint32_t key, uint32_t value);

#endif
