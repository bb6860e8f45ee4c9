/* Readers in other processes beside a writer that flushes, merges and drops files all the time, and is killed or
 * closed at random moments.
 *
 * The writer moves amounts between accounts whose sum never changes, writes and deletes pairs of keys that always have
 * the same value (some of them in value files), counts its commits in a key, makes, renames and deletes branches, and
 * gives up history.
 * So every snapshot of every branch can be judged by itself. Each reader refreshes and reopens, compares what it reads
 * at a version with what it read there before, reads snapshots that it has kept open again, and must see everything
 * that was acknowledged before it asked. Half of them read with one thread while another refreshes.
 *     test_readers [--seconds N] [--seed N] */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <yore.h>

#include "engine/base/hash.h"
#include "engine/base/rng.h"

#if defined __SANITIZE_THREAD__
#define SLOWNESS 4 /* of this build */
#else
#define SLOWNESS 1
#endif

enum {
    READERS = 4,
    ACCOUNTS = 60,
    START_AMOUNT = 1000,
    PAIRS = 40,
    LARGE_BYTES = 70000, /* goes into a value file */
    CHILDREN_MAX = 5,
    KEPT = 4,                           /* snapshots a reader keeps open */
    MEMO = 1024,                        /* versions a reader remembers */
    LIFE_MS = 250 * SLOWNESS * SLOWNESS /* of a writer, at most */
};

typedef struct shared {
    _Atomic uint64_t acked; /* newest version the writer was told of */
    _Atomic uint64_t snapshots, refreshes, opens, switches, trimmed;
    _Atomic uint32_t stop;
} shared;

static shared *all;
static char path[96];
static char large[LARGE_BYTES];

static void die(const char *what, const char *why)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", what, why);
    _exit(1);
}

static void must(const char *what, yore_status status, const yore_error *err)
{
    if (status != YORE_OK) die(what, err->message);
}

static void sleep_us(uint64_t us)
{
    const struct timespec pause = {.tv_nsec = (long)us * 1000};
    nanosleep(&pause, NULL);
}

static bool is_over(void)
{
    return atomic_load(&all->stop) != 0;
}

/* -- the writer -- */

typedef struct writer {
    yore_db *db;
    yr_rng rng;
    uint64_t made; /* branches so far */
} writer;

static int64_t amount_of(yore_txn *txn, const char *key)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = {0};
    char text[32];
    must("an account", yore_txn_get(txn, yore_str_key(key), &pin, &err), &err);
    snprintf(text, sizeof text, "%.*s", (int)pin.value.size, (const char *)pin.value.data);
    yore_unpin(&pin);
    return strtoll(text, NULL, 10);
}

static void set_amount(yore_txn *txn, const char *key, int64_t amount)
{
    yore_error err = YORE_ERROR_INIT;
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, amount);
    must("put", yore_put(txn, yore_str_key(key), yore_str(text), NULL, &err), &err);
}

static void write_pair(writer *w, yore_txn *txn)
{
    yore_error err = YORE_ERROR_INIT;
    char a[32], b[32], text[48];
    uint64_t pair = yr_rng_below(&w->rng, PAIRS);
    snprintf(a, sizeof a, "pair/a/%" PRIu64, pair);
    snprintf(b, sizeof b, "pair/b/%" PRIu64, pair);
    yore_slice value = yore_str(text);
    uint64_t kind = yr_rng_below(&w->rng, 24);
    if (kind < 4) {
        must("delete", yore_del(txn, yore_str_key(a), NULL, &err), &err);
        must("delete", yore_del(txn, yore_str_key(b), NULL, &err), &err);
        return;
    }
    snprintf(text, sizeof text, "%" PRIu64, yr_rng_next(&w->rng));
    value = yore_str(text);
    if (kind == 4) {
        memcpy(large, text, strlen(text));
        value = yore_bytes(large, sizeof large);
    }
    must("put", yore_put(txn, yore_str_key(a), value, NULL, &err), &err);
    must("put", yore_put(txn, yore_str_key(b), value, NULL, &err), &err);
}

static void commit_one(writer *w, const char *branch)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_txn *txn;
    char from[32], to[32];
    int64_t amount = (int64_t)yr_rng_below(&w->rng, 50);
    snprintf(from, sizeof from, "account/%02d", (int)yr_rng_below(&w->rng, ACCOUNTS));
    snprintf(to, sizeof to, "account/%02d", (int)yr_rng_below(&w->rng, ACCOUNTS));
    must("begin", yore_begin(w->db, yore_str(branch), NULL, &txn, &err), &err);
    set_amount(txn, from, amount_of(txn, from) - amount);
    set_amount(txn, to, amount_of(txn, to) + amount);
    set_amount(txn, "count", amount_of(txn, "count") + 1);
    if (yr_rng_below(&w->rng, 2)) write_pair(w, txn);
    must("commit", yore_commit(txn, yore_str(""), &where, &err), &err);
    atomic_store(&all->acked, where.version);
}

/* The live branches but `default`, by id. */
static uint32_t list_children(yore_db *db, char names[][YORE_BRANCH_NAME_MAX + 1], uint32_t room)
{
    yore_error err = YORE_ERROR_INIT;
    yore_branch_info info = {.struct_size = sizeof info};
    uint32_t count = 0, id = 0;
    yore_status status;
    while ((status = yore_branch_next(db, id, &info, &err)) == YORE_OK) {
        id = info.id;
        if (info.deleted_version || info.id == 1 || count == room) continue;
        memcpy(names[count++], info.name, sizeof names[0]);
    }
    if (status < 0) die("branches", err.message);
    return count;
}

static void change_branches(writer *w)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    char names[CHILDREN_MAX][YORE_BRANCH_NAME_MAX + 1], name[48];
    uint32_t count = list_children(w->db, names, CHILDREN_MAX);
    uint64_t what = yr_rng_below(&w->rng, 3);
    const char *some = count ? names[yr_rng_below(&w->rng, count)] : "default";
    snprintf(name, sizeof name, "c%" PRIu64 "-%x", ++w->made, (unsigned)yr_rng_next(&w->rng));
    if (count < 2 || (what == 0 && count < CHILDREN_MAX)) {
        memcpy(from.branch, some, strlen(some) + 1); /* some are grandchildren */
        options.from = &from;
        must("branch", yore_branch_create(w->db, yore_str(name), &options, &where, &err), &err);
    } else if (what == 1) {
        must("rename", yore_branch_rename(w->db, yore_str(some), yore_str(name), &where, &err), &err);
    } else {
        yore_status status = yore_branch_delete(w->db, yore_str(some), true, &where, NULL, &err);
        must("delete of a branch", status, &err);
    }
    if (where.version) atomic_store(&all->acked, where.version);
}

/* Give up history, and the space of it: files are rewritten without what snapshots of readers still show. */
static void collect(writer *w)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_retention keep = YORE_RETENTION_INIT;
    yore_gc_options options = YORE_GC_OPTIONS_INIT;
    yore_gc_report report = YORE_GC_REPORT_INIT;
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = 20 + yr_rng_below(&w->rng, 200);
    options.now = true;
    must("retention", yore_branch_retention_set(w->db, yore_str("default"), &keep, &where, &err), &err);
    atomic_store(&all->acked, where.version);
    must("collection", yore_gc(w->db, &options, &report, &err), &err);
    if (report.version) atomic_store(&all->acked, report.version);
}

static void open_options(yr_rng *rng, yore_open_options *options)
{
    static const uint32_t every[] = {0, 0, 5, 40};
    *options = (yore_open_options)YORE_OPEN_OPTIONS_INIT;
    options->sync = yr_rng_below(rng, 4) ? YORE_SYNC_OS : YORE_SYNC_GROUP;
    options->memory_bytes_max = 1 << 30;
    options->memory_budget = 16 << 20;
    options->memtable_bytes = UINT64_C(65536) << yr_rng_below(rng, 5);
    options->maintain_every = every[yr_rng_below(rng, 4)];
    options->wal_bytes_min = 8192;
    options->wal_bytes_max = 262144;
}

static void run_writer(uint64_t seed)
{
    yore_error err = YORE_ERROR_INIT;
    writer w = {0};
    yore_open_options options;
    w.rng.state = seed;
    open_options(&w.rng, &options);
    options.wait_ms = 5000;
    must("open of a writer", yore_open(path, &options, &w.db, &err), &err);
    uint64_t commits = yr_rng_below(&w.rng, 4) ? UINT64_MAX : yr_rng_below(&w.rng, 400); /* then it closes */
    for (uint64_t i = 0; i < commits; i++) {
        char names[CHILDREN_MAX][YORE_BRANCH_NAME_MAX + 1];
        uint32_t count = i % 4 == 0 ? list_children(w.db, names, CHILDREN_MAX) : 0;
        commit_one(&w, count ? names[yr_rng_below(&w.rng, count)] : "");
        if (i % 40 == 7) change_branches(&w);
        if (i % 150 == 90) collect(&w);
    }
    yore_close(w.db);
    _exit(0);
}

static void make_store(void)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db;
    yore_txn *txn;
    options.create = true;
    must("open", yore_open(path, &options, &db, &err), &err);
    must("begin", yore_begin(db, yore_str(""), NULL, &txn, &err), &err);
    for (int i = 0; i < ACCOUNTS; i++) {
        char key[32];
        snprintf(key, sizeof key, "account/%02d", i);
        set_amount(txn, key, START_AMOUNT);
    }
    set_amount(txn, "count", 0);
    must("commit", yore_commit(txn, yore_str(""), &where, &err), &err);
    atomic_store(&all->acked, where.version);
    yore_close(db);
}

/* -- readers -- */

typedef struct kept {
    yore_snap *snap;
    uint64_t digest;
} kept;

typedef struct memo {
    uint64_t version, digest;
} memo;

typedef struct reader {
    yore_db *db;
    yr_rng rng;
    uint64_t first; /* version that can be read */
    uint64_t seen;
    uint64_t segment_bytes;
    int64_t count; /* newest value of `count` on default */
    kept kept[KEPT];
    memo memos[MEMO];
    _Atomic uint32_t done; /* of the reading thread */
} reader;

typedef struct judged {
    uint64_t digest;
    int64_t count;
} judged;

/* Read all of a snapshot and judge it. */
static judged judge(yore_snap *snap, const char *what)
{
    enum { AT_ONCE = 16 };
    yore_error err = YORE_ERROR_INIT;
    yore_range range = YORE_RANGE_INIT;
    yore_row rows[AT_ONCE];
    yore_iter *iter;
    judged out = {.count = -1};
    uint64_t pair_a = 0, pair_b = 0;
    int64_t sum = 0, accounts = 0;
    size_t n;
    must(what, yore_scan(snap, &range, &iter, &err), &err);
    yore_status status;
    while ((status = yore_next(iter, rows, sizeof rows[0], AT_ONCE, &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++) {
            char text[32], key[32];
            snprintf(text, sizeof text, "%.*s", (int)(rows[i].value.size < 30 ? rows[i].value.size : 0),
                     (const char *)rows[i].value.data);
            snprintf(key, sizeof key, "%.*s", (int)rows[i].key.size, (const char *)rows[i].key.data);
            uint64_t hash = yr_hash64(rows[i].value.data, rows[i].value.size, rows[i].version);
            out.digest = yr_hash64(key, strlen(key), out.digest ^ hash);
            if (strncmp(key, "account/", 8) == 0) {
                sum += strtoll(text, NULL, 10);
                accounts++;
            } else if (strcmp(key, "count") == 0) {
                out.count = strtoll(text, NULL, 10);
            } else if (strncmp(key, "pair/", 5) == 0) {
                *(key[5] == 'a' ? &pair_a : &pair_b) += yr_hash64(key + 6, strlen(key + 6), hash);
            }
        }
    }
    if (status < 0) die(what, err.message);
    yore_iter_close(iter);
    if (accounts != ACCOUNTS) die(what, "accounts are missing or come twice");
    if (sum != ACCOUNTS * START_AMOUNT) die(what, "the sum has changed");
    if (pair_a != pair_b) die(what, "half of a pair");
    if (out.count < 0) die(what, "the count is missing");
    atomic_fetch_add(&all->snapshots, 1);
    return out;
}

static yore_snap *open_snap(reader *r, const yore_at *at, yore_where *where)
{
    yore_error err = YORE_ERROR_INIT;
    yore_snap *snap;
    yore_status status = yore_snap_open(r->db, at, &snap, where, &err);
    if (at && status == YORE_ERR_TRIMMED) {
        atomic_fetch_add(&all->trimmed, 1);
        return NULL;
    }
    if (at && at->branch[0] && status == YORE_ERR_NO_BRANCH)
        return NULL; /* it was deleted or renamed in between */
    must("snapshot", status, &err);
    return snap;
}

static void read_newest(reader *r)
{
    yore_where where = YORE_WHERE_INIT;
    yore_snap *snap = open_snap(r, NULL, &where);
    judged now = judge(snap, "the newest snapshot");
    if (where.snap_version < r->seen) die("the newest snapshot", "is older than one before");
    if (now.count < r->count) die("the newest snapshot", "has lost commits");
    r->seen = where.snap_version;
    r->count = now.count;
    yore_snap_close(snap);
}

static void read_past(reader *r)
{
    yore_at at = YORE_AT_INIT;
    yore_where where = YORE_WHERE_INIT;
    at.kind = YORE_AT_VERSION;
    uint64_t back = yr_rng_below(&r->rng, 2) ? yr_rng_below(&r->rng, 50) : yr_rng_below(&r->rng, r->seen);
    at.version = r->seen > r->first + back ? r->seen - back : r->first;
    yore_snap *snap = open_snap(r, &at, &where);
    if (!snap) return;
    judged then = judge(snap, "a snapshot of the past");
    memo *known = &r->memos[at.version % MEMO];
    if (known->version == at.version && known->digest != then.digest)
        die("a snapshot of the past", "differs from what was read there before");
    *known = (memo){.version = at.version, .digest = then.digest};
    yore_snap_close(snap);
}

static void read_branch(reader *r)
{
    char names[CHILDREN_MAX][YORE_BRANCH_NAME_MAX + 1];
    yore_at at = YORE_AT_INIT;
    yore_where where = YORE_WHERE_INIT;
    uint32_t count = list_children(r->db, names, CHILDREN_MAX);
    if (!count) return;
    memcpy(at.branch, names[yr_rng_below(&r->rng, count)], sizeof at.branch);
    yore_snap *snap = open_snap(r, &at, &where);
    if (!snap) return;
    judged now = judge(snap, "a branch");
    kept *place = &r->kept[yr_rng_below(&r->rng, KEPT)];
    yore_snap_close(place->snap);
    *place = (kept){.snap = snap, .digest = now.digest};
}

static void read_kept(reader *r)
{
    kept *place = &r->kept[yr_rng_below(&r->rng, KEPT)];
    if (place->snap && judge(place->snap, "a snapshot kept open").digest != place->digest)
        die("a snapshot kept open", "has changed");
}

static void close_kept(reader *r)
{
    for (int i = 0; i < KEPT; i++) {
        yore_snap_close(r->kept[i].snap);
        r->kept[i] = (kept){0};
    }
}

static void read_one(reader *r)
{
    switch (yr_rng_below(&r->rng, 6)) {
    case 0:
    case 1: read_newest(r); break;
    case 2: read_past(r); break;
    case 3: read_branch(r); break;
    default: read_kept(r); break;
    }
}

static void *read_always(void *arg)
{
    reader *r = arg;
    while (!atomic_load(&r->done)) {
        read_one(r);
        sleep_us(500); /* others want to run as well */
    }
    return NULL;
}

static void expect_acked(reader *r, uint64_t acked, const char *what)
{
    yore_error err = YORE_ERROR_INIT;
    yore_stats stats = {.struct_size = sizeof stats};
    must("stats", yore_stats_get(r->db, &stats, &err), &err);
    if (stats.version < acked) die(what, "what was acknowledged before is missing");
    atomic_fetch_add(&all->switches, r->segment_bytes && r->segment_bytes != stats.segment_bytes);
    r->segment_bytes = stats.segment_bytes;
}

static void open_reader(reader *r)
{
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options;
    open_options(&r->rng, &options);
    options.read_only = true;
    uint64_t acked = atomic_load(&all->acked);
    must("open of a reader", yore_open(path, &options, &r->db, &err), &err);
    r->segment_bytes = 0;
    expect_acked(r, acked, "open");
    atomic_fetch_add(&all->opens, 1);
}

static void refresh(reader *r)
{
    yore_error err = YORE_ERROR_INIT;
    uint64_t acked = atomic_load(&all->acked);
    must("refresh", yore_refresh(r->db, &err), &err);
    expect_acked(r, acked, "refresh");
    atomic_fetch_add(&all->refreshes, 1);
}

static void run_reader(uint64_t seed, uint64_t first)
{
    reader *r = calloc(1, sizeof *r);
    if (!r) die("calloc", "failed");
    r->rng.state = seed;
    r->first = r->seen = first;
    bool has_thread = seed % 2;
    while (!is_over()) {
        pthread_t thread;
        open_reader(r);
        uint64_t rounds = 1 + yr_rng_below(&r->rng, yr_rng_below(&r->rng, 3) ? 400 : 4);
        yr_rng pace;
        pace.state = yr_rng_next(&r->rng);
        atomic_store(&r->done, 0);
        if (has_thread && pthread_create(&thread, NULL, read_always, r) != 0) die("pthread_create", "failed");
        for (uint64_t i = 0; i < rounds && !is_over(); i++) {
            refresh(r);
            if (!has_thread) read_one(r);
            sleep_us(i % 16 ? 500 : yr_rng_below(&pace, 50000)); /* so that it falls behind */
        }
        atomic_store(&r->done, 1);
        if (has_thread) pthread_join(thread, NULL);
        if (yr_rng_below(&r->rng, 2)) close_kept(r); /* else they outlive their handle */
        yore_close(r->db);
    }
    close_kept(r);
    free(r);
    _exit(0);
}

/* -- the parent -- */

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static pid_t start(void (*run)(uint64_t seed, uint64_t first), uint64_t seed, uint64_t first)
{
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) die("fork", strerror(errno));
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* when the test has failed nobody stays behind */
        run(seed, first);
    }
    return child;
}

static void start_writer(uint64_t seed, uint64_t first)
{
    (void)first;
    run_writer(seed);
}

/* Let a child live so long, counted from its first commit if it `works`, and kill it then. Whether it was killed. */
static bool end_writer(pid_t child, int64_t life_ms, bool works)
{
    int state = 0;
    pid_t done = 0;
    uint64_t acked = atomic_load(&all->acked);
    int64_t began = now_ms(), end = began + life_ms;
    while (done == 0 && now_ms() < end) {
        sleep_us(2000);
        done = waitpid(child, &state, WNOHANG);
        bool waits = works && atomic_load(&all->acked) == acked && now_ms() < began + 10000;
        if (waits) end = now_ms() + life_ms;
    }
    if (done == 0) {
        kill(child, SIGKILL);
        while (waitpid(child, &state, 0) < 0) continue;
    }
    bool killed = WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL;
    if (!killed && (!WIFEXITED(state) || WEXITSTATUS(state) != 0)) die("a writer", "failed by itself");
    return killed;
}

static bool has_ended(pid_t child, int options)
{
    int state = 0;
    if (waitpid(child, &state, options) == 0) return false;
    if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) die("a reader", "failed");
    return true;
}

static void last_look(void)
{
    yore_error err = YORE_ERROR_INIT;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db;
    options.read_only = true;
    must("open", yore_open(path, &options, &db, &err), &err);
    must("check", yore_check(db, YORE_CHECK_DEEP, NULL, &err), &err);
    yore_close(db);
}

int main(int argc, char **argv)
{
    uint64_t seconds = 4 * SLOWNESS, seed = 1, kills = 0, writers = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0) seconds = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 10);
    }
    printf("seed %" PRIu64 "\n", seed);
    all = mmap(NULL, sizeof *all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) die("mmap", strerror(errno));
    char dir[] = "/tmp/yore-readers-XXXXXX", command[160];
    if (!mkdtemp(dir)) die("mkdtemp", strerror(errno));
    snprintf(path, sizeof path, "%s/s", dir);
    memset(large, 'x', sizeof large);
    make_store();
    uint64_t first = atomic_load(&all->acked);
    pid_t readers[READERS];
    yr_rng rng;
    rng.state = seed;
    for (uint64_t i = 0; i < READERS; i++) readers[i] = start(run_reader, seed * READERS + i, first);
    for (int64_t end = now_ms() + (int64_t)seconds * 1000; now_ms() < end; writers++) {
        pid_t child = start(start_writer, yr_rng_next(&rng), 0);
        kills += end_writer(child, 1 + (int64_t)yr_rng_below(&rng, LIFE_MS), writers % 4);
        for (int i = 0; i < READERS; i++) {
            if (has_ended(readers[i], WNOHANG)) die("a reader", "came to an end");
        }
    }
    atomic_store(&all->stop, 1);
    for (int i = 0; i < READERS; i++) (void)has_ended(readers[i], 0);
    last_look();
    printf("%" PRIu64 " writers, %" PRIu64 " killed, v%" PRIu64 "; %" PRIu64 " opens, %" PRIu64
           " refreshes, %" PRIu64 " of them to newer segments, %" PRIu64 " snapshots, %" PRIu64
           " of what was trimmed\n",
           writers, kills, atomic_load(&all->acked), atomic_load(&all->opens), atomic_load(&all->refreshes),
           atomic_load(&all->switches), atomic_load(&all->snapshots), atomic_load(&all->trimmed));
    if (!kills || !atomic_load(&all->switches)) die("the test", "has tested nothing");
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) != 0;
}
