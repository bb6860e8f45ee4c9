/* Finds anomalies in a recorded history of transactions, after Adya (1999) and Elle (Kingsbury, Alvaro 2020).
 *
 * Two kinds of data. Lists are appended to, and every element is unique in the whole history, so each read of a
 * list tells its order of versions by itself. Registers are written with unique values; their order of versions
 * is that of the commits' version numbers, which the store reports.
 *
 * From the order of versions come the edges between transactions
 *     ww   wrote the version before             wr   wrote the version that was read
 *     rw   read the version before              rt   was over before the other began
 * and an anomaly is a cycle. Which cycles a level allows:
 *     snapshot isolation    none, except those with two rw edges in a row (write skew, G2)
 *     serializable          none
 * Real time counts: a snapshot shows every commit acknowledged before it was taken. */
#ifndef YR_HISTORY_CHECKER_H
#define YR_HISTORY_CHECKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum history_op_kind { HISTORY_APPEND, HISTORY_READ_LIST, HISTORY_WRITE, HISTORY_READ };
enum history_outcome { HISTORY_COMMITTED, HISTORY_ABORTED };

typedef struct history_op {
    enum history_op_kind kind;
    uint32_t key;
    uint32_t value;  /* APPEND, WRITE: unique in the history, from 1. READ: what was read, 0 = nothing */
    uint32_t *elems; /* READ_LIST: what was read; the history's */
    size_t count;
} history_op;

typedef struct history_txn {
    enum history_outcome outcome;
    uint64_t begin, end; /* moments of one clock that all threads share */
    uint64_t version;    /* the commit's, 0 = none */
    history_op *ops;
    size_t op_count, op_cap;
} history_txn;

typedef struct history {
    history_txn *txns;
    size_t count, cap;
} history;

void history_init(history *h);
void history_deinit(history *h);
history_txn *history_add(history *h, enum history_outcome outcome, uint64_t begin, uint64_t end,
                         uint64_t version);
/* `elems` are copied; only for READ_LIST. */
void history_add_op(history_txn *txn, enum history_op_kind kind, uint32_t key, uint32_t value,
                    const uint32_t *elems, size_t count);
/* Move all transactions of `from` to the end of `to`. */
void history_join(history *to, history *from);

enum history_anomaly {
    HISTORY_INTERNAL,      /* a transaction does not see its own writes, or reads a key twice differently */
    HISTORY_GARBAGE,       /* what was read was never written */
    HISTORY_DUPLICATE,     /* an element twice in a list */
    HISTORY_ORDER,         /* two reads of a list disagree about its order */
    HISTORY_G1A,           /* read from a transaction that did not commit */
    HISTORY_G1B,           /* read what a transaction wrote before its last write of the key */
    HISTORY_LOST_UPDATE,   /* two committed transactions read the same version of a key and both wrote it */
    HISTORY_G0,            /* cycle of ww and rt */
    HISTORY_G1C,           /* cycle of ww, wr and rt */
    HISTORY_G_SINGLE,      /* cycle with one rw: read skew, stale reads */
    HISTORY_G_NONADJACENT, /* cycle with several rw, no two in a row */
    HISTORY_G2,            /* any other cycle: write skew and the like */
    HISTORY_ANOMALY_COUNT
};

typedef struct history_findings {
    uint32_t found; /* bit for each history_anomaly */
    size_t edges;
    size_t cyclic;    /* transactions in cycles */
    char first[512];  /* the first finding, in words */
    char cycle[1024]; /* the first cycle, in words */
} history_findings;

#define HISTORY_BIT(anomaly) (1u << (anomaly))
#define HISTORY_FORBIDDEN_BY_SERIALIZABLE ((1u << HISTORY_ANOMALY_COUNT) - 1)
#define HISTORY_FORBIDDEN_BY_SNAPSHOT (HISTORY_FORBIDDEN_BY_SERIALIZABLE & ~HISTORY_BIT(HISTORY_G2))

const char *history_anomaly_name(enum history_anomaly anomaly);
void history_check(const history *h, history_findings *out);

#endif
