#define _POSIX_C_SOURCE 200809L
/* Several who write to one store, each to a branch of its own.
 *
 * two_writers_MODE: puts a second by two threads, and by one (two_writers_MODE_1), a commit each, all keys
 * new. commit_alone: p99 of such a put by one thread; fork_beside, merge_beside: what is added to it while
 * another thread makes one fork, or one branch with 10 changes and its merge, after the other. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <yore.h>

#include "bench/data.h"
#include "bench/workload.h"
#include "bench/yore_help.h"

#define WRITERS 2u
#define WARM_UP 20u
#define ROUND_TRIPS 20000u
#define ROUND_TRIP_TRIES 3u
#define CLOCK_MASK 15u
#define MERGE_KEYS 10u
#define LENGTHS 3u /* of a measurement, in bench_opt.mixed_ms */

typedef struct writer {
    yore_db *db;
    unsigned index;
    uint64_t puts;
    pthread_barrier_t *gate;
    uint64_t started_ns;
    uint64_t ended_ns;
} writer;

static void put_numbered(yore_db *db, const char *branch, data_value *value, uint64_t number)
{
    data_key key;
    bench_slice k = data_key_make(&key, number);
    bench_slice v = data_value_make(value, number, 0);
    yore_help_must(yore_db_put(db, yore_str(branch), yore_bytes_key(k.data, k.size),
                               yore_bytes(v.data, v.size), NULL, NULL),
                   NULL, "put");
}

static void *write_own_branch(void *argument)
{
    writer *self = argument;
    char branch[32];
    data_value value;
    data_value_init(&value);
    snprintf(branch, sizeof(branch), "writer-%u", self->index);
    bench_pin(WORKLOAD_CPU + self->index);
    for (uint64_t i = 0; i < self->puts + WARM_UP; i++) {
        if (i == WARM_UP) {
            pthread_barrier_wait(self->gate);
            self->started_ns = bench_now_ns();
        }
        put_numbered(self->db, branch, &value, ((uint64_t)self->index << 32) + i);
    }
    self->ended_ns = bench_now_ns();
    return NULL;
}

static void make_branch(yore_db *db, const char *name, const char *parent)
{
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    snprintf(from.branch, sizeof(from.branch), "%s", parent);
    options.from = &from;
    yore_help_must(yore_branch_create(db, yore_str(name), &options, NULL, NULL), NULL, "branch_create");
}

/* -- how far the processors are from each other -- */

/* One line that two threads write by turns. */
typedef struct ball {
    _Alignas(128) atomic_uint turn; /* release by who writes it, acquire by who waits for it */
    pthread_barrier_t *gate;
} ball;

static void play(ball *self, unsigned first, uint64_t *elapsed_ns)
{
    pthread_barrier_wait(self->gate);
    uint64_t start = bench_now_ns();
    for (unsigned i = 0; i < ROUND_TRIPS; i++) {
        while (atomic_load_explicit(&self->turn, memory_order_acquire) != 2 * i + first) {}
        atomic_store_explicit(&self->turn, 2 * i + first + 1, memory_order_release);
    }
    *elapsed_ns = bench_now_ns() - start;
}

static void *play_second(void *argument)
{
    uint64_t ignored = 0;
    bench_pin(WORKLOAD_CPU + 1);
    play(argument, 1, &ignored);
    return NULL;
}

/* Nanoseconds until a line comes back from the other processor, the fastest of some tries. A virtual
 * machine's processors may be near each other now and far apart a second later, and a put by the one for the
 * other is some twenty lines. */
static double line_round_trip(void)
{
    double best = 0;
    for (unsigned i = 0; i < ROUND_TRIP_TRIES; i++) {
        pthread_barrier_t gate;
        pthread_t thread;
        uint64_t elapsed = 0;
        ball shared = {.gate = &gate};
        pthread_barrier_init(&gate, NULL, 2);
        bench_pin(WORKLOAD_CPU);
        if (pthread_create(&thread, NULL, play_second, &shared) != 0) {
            bench_fatal("cannot start a thread");
        }
        play(&shared, 0, &elapsed);
        pthread_join(thread, NULL);
        pthread_barrier_destroy(&gate);
        bench_unpin();
        double each = (double)elapsed / ROUND_TRIPS;
        best = i == 0 || each < best ? each : best;
    }
    return best;
}

/* -- two writers -- */

/* `puts` by `count` threads together; thousands a second. */
static double run_writers(unsigned count, uint64_t puts, uint32_t sync)
{
    char path[4200];
    const char *dir = bench_dir_fresh("writers");
    snprintf(path, sizeof(path), "%s/store", dir);
    yore_db *db = yore_help_open(path, sync);
    writer writers[WRITERS];
    pthread_t threads[WRITERS];
    pthread_barrier_t gate;
    uint64_t started = UINT64_MAX;
    uint64_t ended = 0;
    pthread_barrier_init(&gate, NULL, count);
    for (unsigned i = 0; i < WRITERS; i++) {
        char name[32];
        snprintf(name, sizeof(name), "writer-%u", i);
        make_branch(db, name, "default");
    }
    for (unsigned i = 0; i < count; i++) {
        writers[i] = (writer){db, i, puts / count, &gate, 0, 0};
        if (pthread_create(&threads[i], NULL, write_own_branch, &writers[i]) != 0) {
            bench_fatal("cannot start a thread");
        }
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        started = writers[i].started_ns < started ? writers[i].started_ns : started;
        ended = writers[i].ended_ns > ended ? writers[i].ended_ns : ended;
    }
    pthread_barrier_destroy(&gate);
    yore_close(db);
    bench_dir_remove(dir);
    return workload_rate(puts / count * count, ended - started);
}

void workload_writers(void)
{
    bool one_first = report_round_get() % 2 == 0;
    for (unsigned i = 0; i < 2; i++) {
        unsigned count = (i == 0) == one_first ? 1 : 2;
        if (bench_wants_any(M_TWO_WRITERS_COMMIT, M_TWO_WRITERS_COMMIT_1)) {
            double rate = run_writers(count, bench_opt.durable_ops * 2, YORE_SYNC_COMMIT) * 1e3;
            report_add(ENGINE_YORE, count == 1 ? M_TWO_WRITERS_COMMIT_1 : M_TWO_WRITERS_COMMIT, rate, NULL);
        }
        if (bench_wants_any(M_TWO_WRITERS_OS, M_TWO_WRITERS_OS_1)) {
            double before = count == 2 && bench_cpu_count() > 1 ? line_round_trip() : 0;
            double rate = run_writers(count, bench_opt.keys, YORE_SYNC_OS);
            report_add(ENGINE_YORE, count == 1 ? M_TWO_WRITERS_OS_1 : M_TWO_WRITERS_OS, rate, NULL);
            if (before > 0) {
                char key[32];
                snprintf(key, sizeof(key), "two_writers_os, round %u", report_round_get() + 1);
                report_note(key,
                            "a cache line to the other processor and back: %.0f ns before, %.0f ns after",
                            before, line_round_trip());
            }
        }
    }
}

/* -- commits beside forks and merges -- */

typedef struct brancher {
    yore_db *db;
    bool merges;
    atomic_bool stop; /* relaxed: only says when */
    uint64_t done;
    uint64_t names; /* taken, over all measurements */
} brancher;

static void fork_once(brancher *self, bool merges)
{
    char name[32];
    snprintf(name, sizeof(name), "exp-%llu", (unsigned long long)self->names++);
    make_branch(self->db, name, merges ? "sink" : "default");
    if (!merges) {
        return;
    }
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn = NULL;
    yore_at from = YORE_AT_INIT;
    data_key key;
    yore_help_must(yore_begin(self->db, yore_str(name), NULL, &txn, &err), &err, "begin");
    for (uint64_t i = 0; i < MERGE_KEYS; i++) {
        bench_slice k = data_key_make(&key, self->names * MERGE_KEYS + i);
        yore_help_must(yore_put(txn, yore_bytes_key(k.data, k.size), yore_str("changed"), NULL, &err), &err,
                       "put");
    }
    yore_help_must(yore_commit(txn, yore_str(""), NULL, &err), &err, "commit");
    snprintf(from.branch, sizeof(from.branch), "%s", name);
    yore_help_must(yore_merge(self->db, &from, yore_str("sink"), NULL, yore_str(""), NULL, NULL, NULL, &err),
                   &err, "merge");
}

static void *run_brancher(void *argument)
{
    brancher *self = argument;
    bench_pin(WORKLOAD_CPU + 1);
    while (!atomic_load_explicit(&self->stop, memory_order_relaxed)) {
        fork_once(self, self->merges);
        self->done++;
    }
    return NULL;
}

/* p99 of puts in microseconds, each timed; *number is the next key's. */
static double put_for_a_while(yore_db *db, uint64_t *number)
{
    bench_latency latency;
    data_value value;
    data_value_init(&value);
    uint64_t puts = bench_opt.keys;
    bench_latency_init(&latency, puts);
    uint64_t end = bench_now_ns() + bench_opt.mixed_ms * LENGTHS * 1000000ull;
    uint64_t now = 0;
    for (uint64_t i = 0; i < puts && now < end; i++) {
        uint64_t before = bench_now_ns();
        put_numbered(db, "", &value, (*number)++);
        now = bench_now_ns();
        bench_latency_add(&latency, now - before);
    }
    double p99 = bench_latency_at(&latency, 0.99) / 1e3;
    bench_latency_deinit(&latency);
    return p99;
}

static double put_beside(brancher *other, bool merges, uint64_t *number)
{
    pthread_t thread;
    other->merges = merges;
    other->done = 0;
    atomic_store_explicit(&other->stop, false, memory_order_relaxed);
    if (pthread_create(&thread, NULL, run_brancher, other) != 0) {
        bench_fatal("cannot start a thread");
    }
    double p99 = put_for_a_while(other->db, number);
    atomic_store_explicit(&other->stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    report_note(merges ? "merge_beside" : "fork_beside", "%llu %s meanwhile; p99 of a put %.2f us",
                (unsigned long long)other->done, merges ? "merges of 10 changes" : "forks", p99);
    return p99;
}

void workload_beside(void)
{
    char path[4200];
    const char *dir = bench_dir_fresh("beside");
    uint64_t number = 0;
    snprintf(path, sizeof(path), "%s/store", dir);
    yore_db *db = yore_help_open(path, YORE_SYNC_OS);
    brancher other = {.db = db};
    make_branch(db, "sink", "default");
    bench_pin(WORKLOAD_CPU);
    (void)put_for_a_while(db, &number); /* to warm up */
    double alone = put_for_a_while(db, &number);
    double forks = put_beside(&other, false, &number);
    double merges = put_beside(&other, true, &number);
    double again = put_for_a_while(db, &number);
    alone = again < alone ? again : alone;
    report_add(ENGINE_YORE, M_COMMIT_ALONE, alone, NULL);
    report_add(ENGINE_YORE, M_FORK_BESIDE, forks > alone ? forks - alone : 0, NULL);
    report_add(ENGINE_YORE, M_MERGE_BESIDE, merges > alone ? merges - alone : 0, NULL);
    bench_unpin();
    yore_close(db);
    bench_dir_remove(dir);
}
