/* kill -9 on the real file system: a child writes with 1 to 4 threads in mode os, group or commit and
 * reports every acknowledged commit through a pipe; it is killed at a random moment, or kills itself at a
 * given operation. All three modes promise to survive that, so the store must open and hold every
 * acknowledged commit, whole, in order, and of each thread at most one more.
 *     test_kill9 [--loops N] [--seed N]     a long run: --loops 100000 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <yore.h>

#include "engine/base/rng.h"

enum {
    THREADS_MAX = 4,
    KEYS = 3,            /* of a commit, all with one value */
    BRANCH_EVERY = 16,   /* commits of a thread */
    ROUNDS_A_STORE = 12, /* then a new one: creation is killed too */
    ACKS_MAX = 1 << 18,
    KILL_US_MAX = 8000,
    SCRIPT_COMMITS = 14 /* of the child that kills itself */
};

typedef struct ack {
    uint32_t thread;
    uint32_t is_branch;
    uint64_t seq;
    uint64_t version;
} ack;

typedef struct lab {
    char dir[64], path[96];
    uint32_t sync, threads;
    uint64_t version;           /* verified up to here */
    uint64_t seqs[THREADS_MAX]; /* of each thread's last commit in it */
    uint64_t script;            /* commits of a child that kills itself */
    bool exists;                /* a store that was acknowledged is there */
    yr_rng rng;
    ack *acks;
    size_t ack_count;
    uint64_t acked_total, begun_total;
} lab;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void remove_tree(const char *path)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0) die("rm", path);
}

/* -- the child -- */

typedef struct writer {
    yore_db *db;
    int pipe;
    uint32_t thread;
    uint64_t seq, count;
} writer;

static void must(const char *what, yore_status status, const yore_error *err)
{
    if (status != YORE_OK) die(what, err->message);
}

static void tell(const writer *w, const yore_where *where, bool is_branch)
{
    ack a = {.thread = w->thread, .is_branch = is_branch, .seq = w->seq, .version = where->version};
    if (write(w->pipe, &a, sizeof a) != sizeof a) die("pipe", strerror(errno)); /* atomic: below PIPE_BUF */
}

static void write_one(writer *w)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where where = YORE_WHERE_INIT;
    yore_txn *txn;
    char note[48], key[32];
    w->seq++;
    snprintf(note, sizeof note, "%u:%" PRIu64, w->thread, w->seq);
    must("begin", yore_begin(w->db, yore_str(""), NULL, &txn, &err), &err);
    for (int i = 0; i < KEYS; i++) {
        snprintf(key, sizeof key, "thread %u/%d/%" PRIu64, w->thread, i, w->seq % 50);
        must("put", yore_put(txn, yore_str_key(key), yore_str(note), NULL, &err), &err);
    }
    must("commit", yore_commit(txn, yore_str(note), &where, &err), &err);
    tell(w, &where, false);
    if (w->seq % BRANCH_EVERY) return;
    snprintf(key, sizeof key, "b%u-%" PRIu64, w->thread, w->seq);
    must("branch", yore_branch_create(w->db, yore_str(key), NULL, &where, &err), &err);
    tell(w, &where, true);
}

static void *write_always(void *arg)
{
    writer *w = arg;
    for (uint64_t i = 0; i < w->count; i++) write_one(w);
    return NULL;
}

static void run_child(const lab *l, int to, const yore_env *env, uint64_t count)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    writer writers[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    yore_db *db;
    options.env = env;
    options.create = !l->exists;
    options.sync = l->sync;
    options.memory_bytes_max = 1 << 30;
    options.wal_bytes_min = 8192;
    options.wal_bytes_max = 262144;
    must("open", yore_open(l->path, &options, &db, &err), &err);
    for (uint32_t t = 0; t < l->threads; t++) {
        writers[t] = (writer){.db = db, .pipe = to, .thread = t, .seq = l->seqs[t], .count = count};
        if (l->threads == 1)
            write_always(&writers[t]);
        else if (pthread_create(&threads[t], NULL, write_always, &writers[t]) != 0)
            die("pthread_create", "failed");
    }
    for (uint32_t t = 0; t < l->threads && l->threads > 1; t++) pthread_join(threads[t], NULL);
    yore_close(db);
}

/* -- the child that kills itself: in the middle of the nth operation -- */

static yore_env mined;
static uint64_t mine_at, mine_seen;

static bool is_mined(void)
{
    return ++mine_seen == mine_at;
}

static void blow_up(void)
{
    raise(SIGKILL);
}

static int64_t mined_pwrite(void *ctx, yore_file *file, const void *from, size_t size, uint64_t off)
{
    const yore_env *env = yore_env_default();
    if (!is_mined()) return env->pwrite(ctx, file, from, size, off);
    (void)env->pwrite(ctx, file, from, mine_at % 3 * size / 2, off); /* none, half or all of it */
    blow_up();
    return -EIO;
}

static int mined_map_append(void *ctx, yore_file *file, const void *from, size_t size, uint64_t off)
{
    const yore_env *env = yore_env_default();
    if (!is_mined()) return env->map_append(ctx, file, from, size, off);
    (void)env->map_append(ctx, file, from, (mine_at % 3 * size / 2) & ~(size_t)7, off);
    blow_up();
    return -EIO;
}

static int mined_sync(void *ctx, yore_file *file)
{
    if (is_mined()) blow_up();
    return yore_env_default()->sync(ctx, file);
}

static int mined_rename(void *ctx, yore_dir *dir, const char *from, yore_dir *to_dir, const char *to)
{
    bool now = is_mined();
    if (now && mine_at % 2) blow_up();
    int rc = yore_env_default()->rename(ctx, dir, from, to_dir, to);
    if (now) blow_up();
    return rc;
}

static int mined_open(void *ctx, yore_dir *dir, const char *name, uint32_t flags, yore_file **out)
{
    bool now = is_mined();
    if (now && mine_at % 2) blow_up();
    int rc = yore_env_default()->open(ctx, dir, name, flags, out);
    if (now) blow_up();
    return rc;
}

static int mined_dir_open(void *ctx, const char *path, uint32_t flags, bool *created, yore_dir **out)
{
    int rc = yore_env_default()->dir_open(ctx, path, flags, created, out);
    if (is_mined()) blow_up();
    return rc;
}

static int mined_dir_sync(void *ctx, yore_dir *dir)
{
    if (is_mined()) blow_up();
    return yore_env_default()->dir_sync(ctx, dir);
}

static int mined_unlink(void *ctx, yore_dir *dir, const char *name)
{
    bool now = is_mined();
    if (now && mine_at % 2) blow_up();
    int rc = yore_env_default()->unlink(ctx, dir, name);
    if (now) blow_up();
    return rc;
}

static int mined_truncate(void *ctx, yore_file *file, uint64_t size)
{
    int rc = yore_env_default()->truncate(ctx, file, size);
    if (is_mined()) blow_up();
    return rc;
}

static void mined_point(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    if (is_mined()) blow_up();
}

/* No threads there: the operations come in the same order in every run. */
static int no_threads(void *ctx, void (*run)(void *arg), void *arg, yore_thread **out)
{
    (void)ctx;
    (void)run;
    (void)arg;
    (void)out;
    return -ENOTSUP;
}

static void lay_mine(uint64_t at)
{
    mined = *yore_env_default();
    mined.pwrite = mined_pwrite;
    mined.map_append = mined_map_append;
    mined.sync = mined_sync;
    mined.rename = mined_rename;
    mined.open = mined_open;
    mined.dir_open = mined_dir_open;
    mined.dir_sync = mined_dir_sync;
    mined.unlink = mined_unlink;
    mined.truncate = mined_truncate;
    mined.point = mined_point;
    mined.thread_create = no_threads;
    mine_at = at;
    mine_seen = 0;
}

/* -- the parent -- */

/* Take what the pipe holds; false at its end. */
static bool take_acks(lab *l, int from)
{
    if (l->ack_count == ACKS_MAX) die("acknowledgements", "too many");
    ssize_t n = read(from, l->acks + l->ack_count, (ACKS_MAX - l->ack_count) * sizeof(ack));
    if (n < 0 && errno == EINTR) return true;
    if (n < 0) die("read", strerror(errno));
    if (n % (ssize_t)sizeof(ack)) die("read", "half an acknowledgement");
    l->ack_count += (size_t)n / sizeof(ack);
    return n > 0;
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Run a child; kill it after `kill_us` (0 = it does that itself, at operation `mine`), counted from its first
 * commit if it `works`. Returns whether it died of a kill. */
static bool run_and_kill(lab *l, int64_t kill_us, bool works, uint64_t mine)
{
    int ends[2], state = 0;
    if (pipe(ends) != 0) die("pipe", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) die("fork", strerror(errno));
    if (child == 0) {
        close(ends[0]);
        if (mine) lay_mine(mine);
        run_child(l, ends[1], mine ? &mined : NULL, mine ? l->script : UINT64_MAX);
        _exit(0);
    }
    close(ends[1]);
    l->ack_count = 0;
    struct pollfd poller = {.fd = ends[0], .events = POLLIN};
    for (int64_t end = now_us() + kill_us; kill_us && now_us() < end;) {
        bool first = works && l->ack_count == 0;
        if (poll(&poller, 1, first ? 10000 : 1) > 0 && !take_acks(l, ends[0])) break;
        if (first) end = now_us() + kill_us;
        if (l->ack_count > ACKS_MAX / 2) break;
    }
    if (kill_us) kill(child, SIGKILL);
    while (take_acks(l, ends[0])) continue;
    close(ends[0]);
    while (waitpid(child, &state, 0) < 0) continue;
    bool killed = WIFSIGNALED(state) && WTERMSIG(state) == SIGKILL;
    if (!killed && (!WIFEXITED(state) || WEXITSTATUS(state) != 0)) die("the child", "failed by itself");
    if (!killed && kill_us) die("the child", "came to an end");
    return killed;
}

/* One recovered commit: whole, and the next of its thread. */
static void check_commit(lab *l, yore_db *db, uint64_t version)
{
    yore_error err = YORE_ERROR_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_row rows[KEYS + 1];
    yore_iter *iter;
    size_t n = 0;
    unsigned thread;
    uint64_t seq;
    char note[48];
    must("a recovered commit", yore_commit_get(db, version, &info, &err), &err);
    if (info.kind != YORE_COMMIT_DATA) return;
    snprintf(note, sizeof note, "%.*s", (int)info.note.size, (const char *)info.note.data);
    yore_commit_release(&info);
    if (sscanf(note, "%u:%" SCNu64, &thread, &seq) != 2 || thread >= THREADS_MAX) die("a strange note", note);
    if (seq != l->seqs[thread] + 1) die("a hole before", note);
    l->seqs[thread] = seq;
    if (info.key_count != KEYS) die("half a commit", note);
    must("rows", yore_commit_rows(db, version, &iter, &err), &err);
    size_t count = 0;
    while (yore_next(iter, rows, sizeof rows[0], KEYS + 1, &n, &err) == YORE_OK) {
        for (size_t i = 0; i < n; i++, count++) {
            if (rows[i].value.size != strlen(note) ||
                memcmp(rows[i].value.data, note, rows[i].value.size) != 0)
                die("a wrong value in", note);
        }
    }
    if (count != KEYS) die("half a commit", note);
    yore_iter_close(iter);
}

static void check_acks(lab *l, yore_db *db, uint64_t version)
{
    yore_error err = YORE_ERROR_INIT;
    uint64_t newest[THREADS_MAX] = {0};
    for (size_t i = 0; i < l->ack_count; i++) {
        const ack *a = &l->acks[i];
        yore_commit_info info = {.struct_size = sizeof info};
        char note[48];
        int size = snprintf(note, sizeof note, "%u:%" PRIu64, a->thread, a->seq);
        if (a->version > version) die("an acknowledged commit is lost", note);
        must("an acknowledged commit", yore_commit_get(db, a->version, &info, &err), &err);
        bool same = a->is_branch
                        ? info.kind == YORE_COMMIT_BRANCH
                        : info.note.size == (size_t)size && memcmp(info.note.data, note, info.note.size) == 0;
        yore_commit_release(&info);
        if (!same) die("another commit in the place of an acknowledged one", note);
        if (a->seq > newest[a->thread]) newest[a->thread] = a->seq;
    }
    for (uint32_t t = 0; t < THREADS_MAX; t++) {
        if (newest[t] && l->seqs[t] > newest[t] + 1) die("more than one commit", "that nobody was told of");
    }
}

static void verify(lab *l, bool read_only)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_stats stats = {.struct_size = sizeof stats};
    yore_db *db;
    options.read_only = read_only;
    options.sync = l->sync;
    options.memory_bytes_max = 1 << 30;
    yore_status status = yore_open(l->path, &options, &db, &err);
    if (status == YORE_ERR_NO_STORE && !l->exists && l->ack_count == 0)
        return; /* killed before it was made */
    must("open after a kill", status, &err);
    must("stats", yore_stats_get(db, &stats, &err), &err);
    if (stats.version < l->version) die("open after a kill", "commits that were there are gone");
    for (uint64_t v = l->version + 1; v <= stats.version; v++) check_commit(l, db, v);
    check_acks(l, db, stats.version);
    must("check after a kill", yore_check(db, YORE_CHECK_DEEP, NULL, &err), &err);
    l->acked_total += l->ack_count;
    l->begun_total += stats.version - l->version;
    l->version = stats.version;
    l->exists = true;
    yore_close(db);
}

static void start_over(lab *l)
{
    remove_tree(l->path);
    l->version = 0;
    l->exists = false;
    memset(l->seqs, 0, sizeof l->seqs);
}

static void kill_at_random(lab *l, uint64_t loops)
{
    uint64_t killed_early = 0;
    for (uint64_t i = 0; i < loops; i++) {
        if (i % ROUNDS_A_STORE == 0) start_over(l);
        l->sync = YORE_SYNC_COMMIT + (uint32_t)yr_rng_below(&l->rng, 3);
        l->threads = 1 + (uint32_t)yr_rng_below(&l->rng, THREADS_MAX);
        bool works = i % 3 > 0; /* the others may die creating or opening the store */
        int64_t kill_us = 1 + (int64_t)yr_rng_below(&l->rng, KILL_US_MAX);
        if (!run_and_kill(l, kill_us, works, 0)) die("the child", "was not killed");
        killed_early += l->ack_count == 0;
        verify(l, yr_rng_below(&l->rng, 2));
    }
    printf("%" PRIu64 " kills at random: %" PRIu64 " commits recovered, %" PRIu64
           " acknowledged, none lost; %" PRIu64 " kills before the first\n",
           loops, l->begun_total, l->acked_total, killed_early);
}

/* A kill in the middle of every operation (or every `step`th) of a short life, and of the recovery that
 * follows. */
static void kill_inside_operations(lab *l, uint64_t step)
{
    uint64_t kills = 0;
    l->threads = 1;
    for (uint32_t mode = 0; mode < 3; mode++) {
        l->sync = YORE_SYNC_COMMIT + mode;
        bool more = true;
        for (uint64_t at = 1 + mode % step; more; at += step) {
            start_over(l);
            l->script = SCRIPT_COMMITS;
            more = run_and_kill(l, 0, false, at);
            kills += more;
            if (at % 2)
                verify(l, true); /* without a trace: the log stays as the kill left it */
            else
                l->script = 0; /* it would not know where to go on */
            uint64_t again = 1 + yr_rng_below(&l->rng, 24);
            kills += run_and_kill(l, 0, false, again);
            verify(l, false);
        }
    }
    printf("%" PRIu64 " kills in the middle of an operation\n", kills);
}

int main(int argc, char **argv)
{
    static lab l;
    const char *text = getenv("YORE_TEST_SEED");
    uint64_t loops = 120, seed = text ? strtoull(text, NULL, 10) : 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--loops") == 0)
            loops = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else
            die("unknown argument", argv[i]);
    }
    printf("seed %" PRIu64 "\n", seed);
    setvbuf(stdout, NULL, _IOLBF, 0);
    l.rng.state = seed;
    snprintf(l.dir, sizeof l.dir, "/tmp/yore-kill9-XXXXXX");
    if (!mkdtemp(l.dir)) die("mkdtemp", strerror(errno));
    snprintf(l.path, sizeof l.path, "%s/store", l.dir);
    l.acks = malloc(ACKS_MAX * sizeof *l.acks);
    if (!l.acks) die("malloc", "no memory");
    kill_inside_operations(&l, loops < 1000 ? 4 : 1);
    kill_at_random(&l, loops);
    free(l.acks);
    remove_tree(l.dir);
    return 0;
}
