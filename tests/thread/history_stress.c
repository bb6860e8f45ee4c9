/* Accounts under stress: transfers on `default` and on branches, forks, deletes, renames, scans, as-of reads and a
 * follower of the change feed, all at once. The sum over the accounts of a branch is the same in every snapshot
 * that shows the opening, which is how half a commit, a lost update or a moving snapshot would come to light.
 *
 *   history_stress [--planted]     YORE_TEST_SEED picks another run */
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <yore.h>

#include "engine/base/planted.h"
#include "engine/base/rng.h"

#if defined(__SANITIZE_THREAD__)
#define SLOW_DOWN 4u
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SLOW_DOWN 4u
#endif
#endif
#ifndef SLOW_DOWN
#define SLOW_DOWN 1u
#endif

enum {
    ACCOUNTS = 24,
    EACH = 1000,
    TOTAL = ACCOUNTS * EACH,
    WRITERS = 2,
    READERS = 2,
    TRANSFERS = 12000 / SLOW_DOWN
};

typedef struct stress {
    const char *path;
    yore_db *db;
    uint64_t first; /* the version that opened the accounts */
    _Atomic uint32_t writers_left;
    _Atomic uint64_t transfers, conflicts, reads, forks, feeds;
    uint64_t seed;
} stress;

typedef struct worker {
    stress *s;
    yore_db *db; /* its handle */
    yr_rng rng;
    uint32_t id;
} worker;

_Noreturn static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "FAILED: %s: %s\n", what, why);
    abort();
}

static void expect(const char *what, yore_status got, yore_status want, const yore_error *err)
{
    if (got != want) give_up(what, got < 0 ? err->message : yore_status_name(got));
}

static yore_key account(uint32_t index, char text[16])
{
    snprintf(text, 16, "acct%02u", index);
    return yore_str_key(text);
}

static int64_t number(yore_slice value)
{
    char text[24] = "";
    if (value.size >= sizeof text) give_up("an account", "its value is too long");
    if (value.size) memcpy(text, value.data, value.size);
    return strtoll(text, NULL, 10);
}

static bool is_over(const stress *s)
{
    return atomic_load_explicit(&s->writers_left, memory_order_relaxed) == 0;
}

/* -- writing -- */

static yore_status move_by_put(worker *w, yore_txn *txn, uint32_t from, uint32_t to, int64_t amount)
{
    const uint32_t which[2] = {from, to};
    for (int i = 0; i < 2; i++) {
        char name[16], text[24];
        yore_pin pin = YORE_PIN_INIT;
        yore_error err = YORE_ERROR_INIT;
        expect("get in a transaction", yore_txn_get(txn, account(which[i], name), &pin, &err), YORE_OK, &err);
        snprintf(text, sizeof text, "%" PRId64, number(pin.value) + (i ? amount : -amount));
        yore_unpin(&pin);
        expect("put", yore_put(txn, account(which[i], name), yore_str(text), NULL, &err), YORE_OK, &err);
        if (yr_rng_below(&w->rng, 4) == 0) sched_yield();
    }
    return YORE_OK;
}

static void move_by_incr(yore_txn *txn, uint32_t from, uint32_t to, int64_t amount)
{
    char name[16];
    yore_error err = YORE_ERROR_INIT;
    expect("incr", yore_incr(txn, account(from, name), -amount, &err), YORE_OK, &err);
    expect("incr", yore_incr(txn, account(to, name), amount, &err), YORE_OK, &err);
}

/* Keys that come and go beside the accounts, some by themselves. */
static void make_noise(worker *w, yore_txn *txn)
{
    char name[24];
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    for (uint64_t i = yr_rng_below(&w->rng, 4); i; i--) {
        snprintf(name, sizeof name, "tmp%03u", (unsigned)yr_rng_below(&w->rng, 400) + 1000 * w->id);
        options.ttl_ns = yr_rng_below(&w->rng, 3) ? 0 : (int64_t)yr_rng_below(&w->rng, 1000000);
        yore_status status = yr_rng_below(&w->rng, 2)
                                 ? yore_put(txn, yore_str_key(name), yore_str(name), &options, &err)
                                 : yore_del(txn, yore_str_key(name), NULL, &err);
        expect("noise", status, YORE_OK, &err);
    }
}

static yore_status transfer(worker *w, const char *branch)
{
    yore_txn *txn = NULL;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    uint32_t from = (uint32_t)yr_rng_below(&w->rng, ACCOUNTS),
             to = (uint32_t)yr_rng_below(&w->rng, ACCOUNTS - 1);
    int64_t amount = (int64_t)yr_rng_below(&w->rng, 100);
    if (to >= from) to++;
    options.isolation = yr_rng_below(&w->rng, 4) ? YORE_ISOLATION_SNAPSHOT : YORE_ISOLATION_SERIALIZABLE;
    yore_status status = yore_begin(w->db, yore_str(branch), &options, &txn, &err);
    if (status == YORE_ERR_NO_BRANCH) return status;
    expect("begin", status, YORE_OK, &err);
    if (yr_rng_below(&w->rng, 3))
        move_by_put(w, txn, from, to, amount);
    else
        move_by_incr(txn, from, to, amount);
    make_noise(w, txn);
    status = yore_commit(txn, yore_str(""), NULL, &err);
    if (status != YORE_CONFLICT && status != YORE_ERR_NO_BRANCH) expect("commit", status, YORE_OK, &err);
    atomic_fetch_add_explicit(status == YORE_OK ? &w->s->transfers : &w->s->conflicts, 1,
                              memory_order_relaxed);
    return status;
}

static void *write_always(void *arg)
{
    worker *w = arg;
    for (uint32_t i = 0; i < TRANSFERS; i++) (void)transfer(w, "default");
    atomic_fetch_sub_explicit(&w->s->writers_left, 1, memory_order_relaxed);
    return NULL;
}

/* -- reading -- */

static int64_t sum_by_scan(yore_snap *snap, bool reverse)
{
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter = NULL;
    yore_row rows[5];
    yore_error err = YORE_ERROR_INIT;
    size_t n = 0, count = 0;
    int64_t sum = 0;
    yore_status status;
    range.prefix = yore_str("acct");
    range.reverse = reverse;
    expect("scan", yore_scan(snap, &range, &iter, &err), YORE_OK, &err);
    while ((status = yore_next(iter, rows, sizeof rows[0], 5, &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++, count++) {
            char name[16];
            yore_slice wanted = account((uint32_t)(reverse ? ACCOUNTS - 1 - count : count), name).user;
            if (rows[i].key.size != wanted.size || memcmp(rows[i].key.data, name, wanted.size) != 0)
                give_up("scan", "an account is missing or out of order");
            sum += number(rows[i].value);
        }
    }
    expect("next", status, YORE_END, &err);
    if (count != ACCOUNTS) give_up("scan", "accounts are missing at the end");
    yore_iter_close(iter);
    return sum;
}

static int64_t sum_by_get(yore_snap *snap, bool many)
{
    yore_key keys[ACCOUNTS];
    char names[ACCOUNTS][16];
    yore_pin pins[ACCOUNTS];
    yore_status each[ACCOUNTS];
    yore_error err = YORE_ERROR_INIT;
    int64_t sum = 0;
    memset(pins, 0, sizeof pins);
    for (uint32_t i = 0; i < ACCOUNTS; i++) keys[i] = account(i, names[i]);
    if (many) expect("get_many", yore_get_many(snap, keys, ACCOUNTS, pins, each, &err), YORE_OK, &err);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        if (!many) each[i] = yore_get(snap, keys[i], &pins[i], &err);
        expect("get", each[i], YORE_OK, &err);
        sum += number(pins[i].value);
        yore_unpin(&pins[i]);
    }
    return sum;
}

static void check_sum(worker *w, const yore_at *at, const char *what)
{
    yore_snap *snap = NULL;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    char why[160];
    yore_status status = yore_snap_open(w->db, at, &snap, &where, &err);
    if (status == YORE_ERR_NO_BRANCH) return;
    expect(what, status, YORE_OK, &err);
    for (int pass = 0; pass < 2; pass++) { /* twice: a snapshot does not move */
        uint64_t way = yr_rng_below(&w->rng, 4);
        int64_t sum = way < 2 ? sum_by_scan(snap, way == 1) : sum_by_get(snap, way == 3);
        snprintf(why, sizeof why,
                 "the sum on branch %u at v%" PRIu64 " is %" PRId64 ", not %d (way %u, pass %d)",
                 where.branch_id, where.snap_version, sum, TOTAL, (unsigned)way, pass);
        if (sum != TOTAL) give_up(what, why);
        if (yr_rng_below(&w->rng, 8) == 0) sched_yield();
    }
    yore_snap_close(snap);
    atomic_fetch_add_explicit(&w->s->reads, 1, memory_order_relaxed);
}

static uint64_t newest(yore_db *db)
{
    yore_stats stats = {.struct_size = sizeof stats};
    yore_error err = YORE_ERROR_INIT;
    expect("stats", yore_stats_get(db, &stats, &err), YORE_OK, &err);
    return stats.version;
}

static uint64_t pick_version(worker *w)
{
    return w->s->first + yr_rng_below(&w->rng, newest(w->db) - w->s->first + 1);
}

static void check_history(worker *w)
{
    char name[16];
    yore_iter *iter = NULL;
    yore_row rows[16];
    yore_error err = YORE_ERROR_INIT;
    uint64_t last = UINT64_MAX;
    size_t n = 0;
    yore_status status;
    yore_key key = account((uint32_t)yr_rng_below(&w->rng, ACCOUNTS), name);
    expect("history", yore_history(w->db, NULL, key, NULL, &iter, &err), YORE_OK, &err);
    while ((status = yore_next(iter, rows, sizeof rows[0], 16, &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++) {
            if (rows[i].version >= last) give_up("history", "versions do not fall");
            last = rows[i].version;
        }
    }
    expect("next of a history", status, YORE_END, &err);
    yore_iter_close(iter);
}

static void *read_always(void *arg)
{
    worker *w = arg;
    while (!is_over(w->s)) {
        yore_at at = YORE_AT_INIT;
        check_sum(w, NULL, "the present");
        at.kind = YORE_AT_VERSION;
        at.version = pick_version(w);
        check_sum(w, &at, "the past");
        if (yr_rng_below(&w->rng, 16) == 0) check_history(w);
    }
    return NULL;
}

/* A read-only handle beside the writer: it catches up, never goes back, and shows whole commits. */
static void *follow_read_only(void *arg)
{
    worker *w = arg;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    uint64_t last = 0;
    options.read_only = true;
    options.memory_bytes_max = UINT64_C(4) << 30;
    expect("open read-only", yore_open(w->s->path, &options, &w->db, &err), YORE_OK, &err);
    while (!is_over(w->s)) {
        uint64_t published = newest(w->s->db);
        yore_at at = YORE_AT_INIT;
        expect("refresh", yore_refresh(w->db, &err), YORE_OK, &err);
        uint64_t now = newest(w->db);
        if (now < last || now < published) give_up("refresh", "older than what was published before it");
        last = now;
        check_sum(w, NULL, "the present of a read-only handle");
        at.kind = YORE_AT_VERSION;
        at.version = pick_version(w);
        check_sum(w, &at, "the past of a read-only handle");
    }
    yore_close(w->db);
    return NULL;
}

/* -- branches -- */

static void fork_one(worker *w, uint32_t round)
{
    char name[32], other[32];
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT, at = YORE_AT_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_branch_info info = {.struct_size = sizeof info};
    snprintf(name, sizeof name, "exp/%u", round);
    snprintf(other, sizeof other, "renamed/%u", round);
    from.kind = yr_rng_below(&w->rng, 2) ? YORE_AT_NOW : YORE_AT_VERSION;
    from.version = pick_version(w);
    options.from = &from;
    expect("create", yore_branch_create(w->db, yore_str(name), &options, &where, &err), YORE_OK, &err);
    snprintf(at.branch, sizeof at.branch, "%s", name);
    check_sum(w, &at, "a new branch");
    for (int i = 0; i < 6; i++) (void)transfer(w, name);
    check_sum(w, &at, "a branch");
    snprintf(from.branch, sizeof from.branch, "%s", name);
    from.kind = YORE_AT_NOW;
    char child[40];
    snprintf(child, sizeof child, "%s/child", name);
    expect("create", yore_branch_create(w->db, yore_str(child), &options, &where, &err), YORE_OK, &err);
    (void)transfer(w, child);
    (void)transfer(w, name);
    snprintf(at.branch, sizeof at.branch, "%s", child);
    check_sum(w, &at, "a child");
    expect("rename", yore_branch_rename(w->db, yore_str(name), yore_str(other), &where, &err), YORE_OK, &err);
    expect("info", yore_branch_info_get(w->db, yore_str(other), &info, &err), YORE_OK, &err);
    uint64_t count = 0;
    expect("delete", yore_branch_delete(w->db, yore_str(other), true, &where, &count, &err), YORE_OK, &err);
    if (count != 2) give_up("delete", "not two branches");
    memset(at.branch, 0, sizeof at.branch);
    at.branch_id = info.id;
    check_sum(w, &at, "a deleted branch");
    if (yr_rng_below(&w->rng, 4) == 0) {
        expect("recover", yore_branch_recover(w->db, yore_str(other), yore_str(""), &where, &err), YORE_OK,
               &err);
        check_sum(w, &at, "a recovered branch");
    }
    atomic_fetch_add_explicit(&w->s->forks, 1, memory_order_relaxed);
}

static void *fork_always(void *arg)
{
    worker *w = arg;
    for (uint32_t round = 0; !is_over(w->s); round++) fork_one(w, round);
    return NULL;
}

/* -- the change feed -- */

static void *follow_always(void *arg)
{
    worker *w = arg;
    int64_t balances[ACCOUNTS] = {0}, sum = 0;
    uint64_t after = 0;
    bool last = false;
    do {
        yore_iter *iter = NULL;
        yore_row rows[32];
        yore_error err = YORE_ERROR_INIT;
        size_t n = 0;
        yore_status status;
        last = is_over(w->s);
        expect("changes", yore_changes(w->db, after, NULL, &iter, &err), YORE_OK, &err);
        while ((status = yore_next(iter, rows, sizeof rows[0], 32, &n, &err)) == YORE_OK) {
            for (size_t i = 0; i < n; i++) {
                if (rows[i].version < after) give_up("changes", "versions do not rise");
                if (rows[i].version > after && after >= w->s->first && sum != TOTAL)
                    give_up("changes", "half a commit");
                after = rows[i].version;
                if (rows[i].primitive != YORE_KV || rows[i].branch_id != 1 ||
                    memcmp(rows[i].key.data, "acct", 4) != 0)
                    continue;
                uint32_t index = (uint32_t)number(yore_bytes((const char *)rows[i].key.data + 4, 2));
                sum += number(rows[i].value) - balances[index];
                balances[index] = number(rows[i].value);
            }
        }
        expect("next of changes", status, YORE_END, &err);
        yore_iter_close(iter);
        atomic_fetch_add_explicit(&w->s->feeds, 1, memory_order_relaxed);
        sched_yield();
    } while (!last);
    if (sum != TOTAL) give_up("changes", "the sum at the end");
    return NULL;
}

/* -- a run -- */

/* The engine's named points are where another thread may get in between. */
static void let_others_in(void *ctx, const char *name)
{
    static _Thread_local uint32_t calls;
    (void)ctx;
    (void)name;
    if (++calls % 8 == 0) sched_yield();
}

static void open_accounts(stress *s)
{
    yore_txn *txn = NULL;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    expect("begin", yore_begin(s->db, yore_str(""), NULL, &txn, &err), YORE_OK, &err);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        char name[16];
        expect("put", yore_put(txn, account(i, name), yore_str("1000"), NULL, &err), YORE_OK, &err);
    }
    expect("commit", yore_commit(txn, yore_str("open the accounts"), &where, &err), YORE_OK, &err);
    s->first = where.version;
}

static void run(const char *path, uint32_t sync, uint32_t flush_every, uint64_t seed)
{
    static void *(*const roles[])(void *) = {write_always, write_always,  read_always,     read_always,
                                             fork_always,  follow_always, follow_read_only};
    enum { THREADS = sizeof roles / sizeof roles[0] };
    bool on_disk = strcmp(path, ":memory:") != 0;
    uint32_t count = on_disk ? THREADS : THREADS - 1; /* the last role needs files */
    pthread_t threads[THREADS];
    worker workers[THREADS];
    stress s = {.path = path, .seed = seed, .writers_left = WRITERS};
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_check_report report = {.struct_size = sizeof report};
    yore_error err = YORE_ERROR_INIT;
    options.create = true;
    options.sync = sync;
    options.memory_bytes_max = UINT64_C(4) << 30;
    if (flush_every) { /* small layers, which are flushed and merged under everybody */
        options.memory_bytes_max = UINT64_C(256) << 20;
        options.memory_budget = UINT64_C(16) << 20;
        options.maintain_every = flush_every;
    }
    yore_env env = *yore_env_default();
    env.point = let_others_in;
    options.env = &env;
    expect("open", yore_open(path, &options, &s.db, &err), YORE_OK, &err);
    open_accounts(&s);
    for (uint32_t i = 0; i < count; i++) {
        workers[i] = (worker){.s = &s, .db = s.db, .rng = {seed * 100 + i}, .id = i};
        if (pthread_create(&threads[i], NULL, roles[i], &workers[i]) != 0)
            give_up("pthread_create", "failed");
    }
    for (uint32_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
    expect("check", yore_check(s.db, YORE_CHECK_DEEP, &report, &err), YORE_OK, &err);
    check_sum(&workers[0], NULL, "the end");
    yore_close(s.db);
    if (on_disk) {
        expect("open again", yore_open(path, &options, &s.db, &err), YORE_OK, &err);
        workers[0].db = s.db;
        check_sum(&workers[0], NULL, "after opening again");
        yore_close(s.db);
    }
    printf("%s: seed %" PRIu64 ", %" PRIu64 " transfers, %" PRIu64 " refused, %" PRIu64 " sums, %" PRIu64
           " forks, %" PRIu64 " looks at the feed, %" PRIu64 " commits; every sum right\n",
           path[0] == ':' ? "in memory"
           : flush_every  ? "in small layers"
                          : "on disk",
           seed, s.transfers, s.conflicts, s.reads, s.forks, s.feeds, report.commits);
}

static void remove_store(const char *path)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0) give_up("rm", path);
}

#ifdef YORE_PLANTED_BUGS
/* Each planted bug must make a run fail, in a process of its own. */
static int run_planted(uint64_t seed)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) give_up("fork", "failed");
    if (pid == 0) {
        yr_planted_bug = YR_BUG_RELAXED_PUBLISH;
        run(":memory:", 0, 0, seed);
        _exit(0);
    }
    int state = 0;
    while (waitpid(pid, &state, 0) < 0) continue;
    bool caught = !WIFEXITED(state) || WEXITSTATUS(state) != 0;
    printf("planted, relaxed publish: %s\n", caught ? "caught" : "NOT CAUGHT");
    return caught ? 0 : 1;
}
#endif

int main(int argc, char **argv)
{
    const char *text = getenv("YORE_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;
    char dir[] = "/tmp/yore-stress-XXXXXX", path[64];
    bool planted = argc > 1 && strcmp(argv[1], "--planted") == 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
#ifdef YORE_PLANTED_BUGS
    if (planted) return run_planted(seed);
#else
    if (planted) give_up("--planted", "this build has no planted bugs");
#endif
    run(":memory:", 0, 0, seed);
    if (!mkdtemp(dir)) give_up("mkdtemp", "failed");
    snprintf(path, sizeof path, "%s/store", dir);
    run(path, YORE_SYNC_OS, 0, seed + 1);
    snprintf(path, sizeof path, "%s/layers", dir);
    run(path, YORE_SYNC_OS, 20, seed + 2);
    remove_store(dir);
    return 0;
}
