#define _POSIX_C_SOURCE 200809L
#include "tests/thread/history_run.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"

enum {
    LISTS = 5, /* keys of a window: lists first, then registers */
    WINDOW = 9,
    TXNS_A_WINDOW = 250, /* then the next keys, so that lists stay short */
    OPS_MAX = 5,
    LIST_MAX = 4096,
    PRELOADED_WINDOWS = 2
};

/* One clock for all threads: what ended before something began has the smaller number. */
static _Atomic uint64_t moments = 1;

static uint64_t moment_now(void)
{
    return atomic_fetch_add_explicit(&moments, 1, memory_order_seq_cst);
}

_Noreturn static void give_up(const char *what, yore_status status, const yore_error *err)
{
    fprintf(stderr, "%s: %s: %s\n", what, yore_status_name(status), err->message);
    abort();
}

static void expect_ok(const char *what, yore_status status, const yore_error *err)
{
    if (status != YORE_OK) give_up(what, status, err);
}

static bool is_list(uint32_t key)
{
    return key % WINDOW < LISTS;
}

static yore_key key_of(uint32_t key, char text[24])
{
    snprintf(text, 24, "%c%06u", is_list(key) ? 'l' : 'r', key);
    return yore_str_key(text);
}

/* "1,2,3" to numbers. */
static size_t parse_list(yore_slice text, uint32_t *elems)
{
    const char *p = text.data;
    size_t count = 0;
    uint32_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (p[i] != ',') {
            value = value * 10 + (uint32_t)(p[i] - '0');
            continue;
        }
        if (count == LIST_MAX) abort();
        elems[count++] = value;
        value = 0;
    }
    return count;
}

/* -- operations; each list element is followed by a comma -- */

static void record_value(history_txn *to, uint32_t key, yore_slice value)
{
    uint32_t elems[LIST_MAX];
    if (is_list(key)) {
        size_t count = parse_list(value, elems);
        history_add_op(to, HISTORY_READ_LIST, key, 0, elems, count);
        return;
    }
    char text[16] = "";
    if (value.size >= sizeof text) abort();
    if (value.size) memcpy(text, value.data, value.size);
    history_add_op(to, HISTORY_READ, key, (uint32_t)strtoul(text, NULL, 10), NULL, 0);
}

/* Read a key and record it; the value into `copy` when given. */
static size_t read_key(yore_txn *txn, history_txn *to, uint32_t key, char *copy)
{
    char text[24];
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_txn_get(txn, key_of(key, text), &pin, &err);
    if (status < 0) give_up("yore_txn_get", status, &err);
    if (status != YORE_OK) pin.value = yore_bytes("", 0);
    record_value(to, key, pin.value);
    if (copy) memcpy(copy, pin.value.data, pin.value.size);
    size_t size = pin.value.size;
    yore_unpin(&pin);
    return size;
}

void history_read_register(yore_txn *txn, history_txn *to, uint32_t key)
{
    read_key(txn, to, key, NULL);
}

void history_write_register(yore_txn *txn, history_txn *to, uint32_t key, uint32_t value)
{
    char text[24], number[16];
    yore_error err = YORE_ERROR_INIT;
    snprintf(number, sizeof number, "%u", value);
    expect_ok("yore_put", yore_put(txn, key_of(key, text), yore_str(number), NULL, &err), &err);
    history_add_op(to, HISTORY_WRITE, key, value, NULL, 0);
}

static void append_by_put(yore_txn *txn, history_txn *to, uint32_t key, uint32_t value)
{
    static _Thread_local char list[LIST_MAX * 8];
    char text[24];
    yore_error err = YORE_ERROR_INIT;
    size_t size = read_key(txn, to, key, list);
    size += (size_t)snprintf(list + size, sizeof list - size, "%u,", value);
    expect_ok("yore_put", yore_put(txn, key_of(key, text), yore_bytes(list, size), NULL, &err), &err);
    history_add_op(to, HISTORY_APPEND, key, value, NULL, 0);
}

static void append_blindly(yore_txn *txn, history_txn *to, uint32_t key, uint32_t value)
{
    char text[24], number[16];
    yore_error err = YORE_ERROR_INIT;
    snprintf(number, sizeof number, "%u,", value);
    expect_ok("yore_append", yore_append(txn, key_of(key, text), yore_str(number), &err), &err);
    history_add_op(to, HISTORY_APPEND, key, value, NULL, 0);
}

/* All lists of a window at once; those that are absent were read as empty too. */
static void scan_lists(yore_txn *txn, history_txn *to, uint32_t window)
{
    char first[24], last[24];
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;
    yore_row row;
    size_t n = 0;
    range.from = key_of(window * WINDOW, first).user;
    range.to = key_of(window * WINDOW + LISTS, last).user;
    last[0] = 'l';
    expect_ok("yore_txn_scan", yore_txn_scan(txn, &range, &iter, &err), &err);
    yore_status status = yore_next(iter, &row, sizeof row, 1, &n, &err);
    for (uint32_t key = window * WINDOW; key < window * WINDOW + LISTS; key++) {
        char text[24];
        yore_slice wanted = key_of(key, text).user;
        bool is_here = status == YORE_OK && row.key.size == wanted.size &&
                       memcmp(row.key.data, text, wanted.size) == 0;
        record_value(to, key, is_here ? row.value : yore_bytes("", 0));
        if (is_here) status = yore_next(iter, &row, sizeof row, 1, &n, &err);
    }
    if (status != YORE_END) give_up("yore_next of a scan", status, &err);
    yore_iter_close(iter);
}

/* -- one thread -- */

typedef struct worker {
    history_run *run;
    uint32_t id;
    yr_rng rng;
    history seen;
    uint64_t commits, conflicts, rollbacks;
    uint32_t next_value;
} worker;

static uint32_t new_value(worker *w)
{
    return w->id + w->run->threads * w->next_value++ + 1;
}

static void do_op(worker *w, yore_txn *txn, history_txn *to, uint32_t window, bool reads_only)
{
    uint32_t key = window * WINDOW + (uint32_t)yr_rng_below(&w->rng, WINDOW);
    uint64_t shape = yr_rng_below(&w->rng, 100);
    if (w->run->mix == HISTORY_APPEND_OR_READ) {
        key = window * WINDOW + key % LISTS;
        if (reads_only)
            read_key(txn, to, key, NULL);
        else
            append_blindly(txn, to, key, new_value(w));
    } else if (reads_only || shape < 40) {
        if (shape < 6)
            scan_lists(txn, to, window);
        else
            read_key(txn, to, key, NULL);
    } else if (!is_list(key)) {
        if (shape < 70) read_key(txn, to, key, NULL); /* read, modify, write; else a blind write */
        history_write_register(txn, to, key, new_value(w));
    } else if (w->run->mix == HISTORY_WITH_APPENDS && shape < 70) {
        append_blindly(txn, to, key, new_value(w));
    } else {
        append_by_put(txn, to, key, new_value(w));
    }
}

static void run_txn(worker *w, uint32_t window)
{
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_txn *txn = NULL;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    bool reads_only = yr_rng_below(&w->rng, 4) == 0;
    options.isolation = w->run->isolation;
    history_txn *to = history_add(&w->seen, HISTORY_ABORTED, moment_now(), 0, 0);
    expect_ok("yore_begin", yore_begin(w->run->db, yore_str(w->run->branch), &options, &txn, &err), &err);
    for (uint64_t ops = 1 + yr_rng_below(&w->rng, OPS_MAX); ops; ops--) {
        do_op(w, txn, to, window, reads_only);
        /* Let others in: a transaction is over in microseconds, and then there would be nothing to find. */
        if (yr_rng_below(&w->rng, 2)) sched_yield();
    }
    if (yr_rng_below(&w->rng, 20) == 0) {
        yore_rollback(txn);
        to->end = moment_now();
        w->rollbacks++;
        return;
    }
    yore_status status = yore_commit(txn, yore_str(""), &where, &err);
    to->end = moment_now();
    if (status < 0) give_up("yore_commit", status, &err);
    if (status == YORE_CONFLICT) {
        w->conflicts++;
        return;
    }
    expect_ok("yore_commit", status, &err);
    to->outcome = HISTORY_COMMITTED;
    to->version = where.version;
    w->commits++;
}

static void *work(void *arg)
{
    worker *w = arg;
    pthread_barrier_wait(&w->run->start);
    for (uint32_t i = 0; i < w->run->txns; i++) {
        /* A few of the older keys too. */
        uint32_t window = i * w->run->threads / TXNS_A_WINDOW;
        if (window && yr_rng_below(&w->rng, 8) == 0) window--;
        run_txn(w, window);
    }
    return NULL;
}

/* -- a run -- */

void history_preload(history_run *run, yore_db *db, const char *branch)
{
    yore_txn *txn = NULL;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    uint32_t value = UINT32_C(1) << 20; /* apart from the threads' values */
    history_txn *to = history_add(&run->result, HISTORY_COMMITTED, moment_now(), 0, 0);
    expect_ok("yore_begin", yore_begin(db, yore_str(branch), NULL, &txn, &err), &err);
    for (uint32_t key = 0; key < PRELOADED_WINDOWS * WINDOW; key += 2) {
        if (is_list(key))
            append_blindly(txn, to, key, value++);
        else
            history_write_register(txn, to, key, value++);
    }
    expect_ok("yore_commit", yore_commit(txn, yore_str(""), &where, &err), &err);
    to->end = moment_now();
    to->version = where.version;
}

static void read_everything(history_run *run, uint32_t windows)
{
    yore_txn *txn = NULL;
    yore_error err = YORE_ERROR_INIT;
    history_txn *to = history_add(&run->result, HISTORY_COMMITTED, moment_now(), 0, 0);
    expect_ok("yore_begin", yore_begin(run->db, yore_str(run->branch), NULL, &txn, &err), &err);
    for (uint32_t key = 0; key < windows * WINDOW; key++) read_key(txn, to, key, NULL);
    yore_rollback(txn);
    to->end = moment_now();
}

void history_run_all(history_run *run)
{
    enum { THREADS_MAX = 16 };
    static worker workers[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    memset(workers, 0, sizeof workers);
    if (pthread_barrier_init(&run->start, NULL, run->threads) != 0) abort();
    for (uint32_t i = 0; i < run->threads; i++) {
        workers[i].run = run;
        workers[i].id = i;
        workers[i].rng.state = run->seed * 1000 + i;
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) abort();
    }
    for (uint32_t i = 0; i < run->threads; i++) {
        pthread_join(threads[i], NULL);
        history_join(&run->result, &workers[i].seen);
        run->commits += workers[i].commits;
        run->conflicts += workers[i].conflicts;
        run->rollbacks += workers[i].rollbacks;
    }
    pthread_barrier_destroy(&run->start);
    read_everything(run, run->txns * run->threads / TXNS_A_WINDOW + 1);
}
