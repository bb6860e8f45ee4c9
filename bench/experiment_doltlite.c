/* Experiments in DoltLite, a SQLite with commits and branches, through its shell: a process that is sent statements
 * and answers, for as long as the store is open. The shell is found by YORE_BENCH_DOLTLITE (fetch_doltlite.py
 * gets one). One table of keys and values, not durable. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/data.h"
#include "bench/experiment.h"
#include "bench/report.h"

#define ANSWER_END "=end="
#define SQL_BYTES (4u << 20)
#define COMMIT_NAME_CHARS 40u /* what a merge answers that went well */
#define ROUND_TRIPS 200u

typedef struct store {
    pid_t shell;
    FILE *to, *from;
    char file[4200];
    char *sql; /* a batch of statements that is being put together */
    size_t size;
    char answer[1024]; /* the last line of it */
} store;

const char *experiment_doltlite_shell(void)
{
    const char *shell = getenv("YORE_BENCH_DOLTLITE");
    return shell != NULL && access(shell, X_OK) == 0 ? shell : NULL;
}

static void describe(bool durable, char *out, size_t size)
{
    (void)durable;
    const char *shell = experiment_doltlite_shell();
    snprintf(out, size, "%s",
             shell != NULL ? "through its shell; WITHOUT ROWID, synchronous=OFF: survives a killed process"
                           : "left out: YORE_BENCH_DOLTLITE names no shell (./dev bench --fetch-doltlite)");
}

/* Experiments only. */
const bench_driver bench_driver_doltlite = {.name = "doltlite", .describe = describe};

static void start_shell(store *self)
{
    int in[2];
    int out[2];
    const char *shell = experiment_doltlite_shell();
    if (shell == NULL || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        bench_fatal("doltlite: cannot start its shell: %s", strerror(errno));
    }
    self->shell = fork();
    if (self->shell < 0) {
        bench_fatal("doltlite: cannot start a process: %s", strerror(errno));
    }
    if (self->shell == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        execl(shell, shell, "-batch", self->file, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    self->to = fdopen(in[1], "w");
    self->from = fdopen(out[0], "r");
    if (self->to == NULL || self->from == NULL) {
        bench_fatal("doltlite: out of memory");
    }
}

static void say(store *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds to the batch. */
static void say(store *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(self->sql + self->size, SQL_BYTES - self->size, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= SQL_BYTES - self->size) {
        bench_fatal("doltlite: a batch of statements is too long");
    }
    self->size += (size_t)length;
}

/* Sends the batch and waits for the answer, of which the last line is kept. */
static void ask(store *self)
{
    char line[sizeof(self->answer)];
    say(self, "\n.print %s\n", ANSWER_END);
    if (fwrite(self->sql, 1, self->size, self->to) != self->size || fflush(self->to) != 0) {
        bench_fatal("doltlite: its shell has ended: %s", self->answer);
    }
    self->size = 0;
    self->answer[0] = '\0';
    for (;;) {
        if (fgets(line, sizeof(line), self->from) == NULL) {
            bench_fatal("doltlite: its shell has ended: %s", self->answer);
        }
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, ANSWER_END) == 0) {
            return;
        }
        if (strstr(line, "rror") != NULL || strstr(line, "onflict") != NULL) {
            bench_fatal("doltlite: %s", line);
        }
        memcpy(self->answer, line, sizeof(line));
    }
}

static void *open_store(const char *dir)
{
    store *self = bench_alloc(sizeof(*self));
    self->sql = bench_alloc(SQL_BYTES);
    snprintf(self->file, sizeof(self->file), "%s/store.db", dir);
    signal(SIGPIPE, SIG_IGN); /* a shell that ended is told by what it said */
    start_shell(self);
    say(self, "PRAGMA synchronous=OFF; CREATE TABLE kv(k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID;");
    ask(self);
    bench_latency latency;
    bench_latency_init(&latency, ROUND_TRIPS);
    for (unsigned i = 0; i < ROUND_TRIPS; i++) {
        uint64_t start = bench_now_ns();
        say(self, "SELECT 1;");
        ask(self);
        bench_latency_add(&latency, bench_now_ns() - start);
    }
    report_note("doltlite", "of each figure the way to its shell and back is %.0f us (p50)",
                bench_latency_at(&latency, 0.5) / 1e3);
    bench_latency_deinit(&latency);
    return self;
}

static void close_store(void *handle)
{
    store *self = handle;
    fclose(self->to);
    fclose(self->from);
    while (waitpid(self->shell, NULL, 0) < 0 && errno == EINTR) {}
    free(self->sql);
    free(self);
}

static void say_hex(store *self, bench_slice bytes)
{
    const unsigned char *at = bytes.data;
    for (size_t i = 0; i < bytes.size; i++) {
        say(self, "%02x", at[i]);
    }
}

static void put(store *self, uint64_t number, uint64_t version)
{
    data_key key;
    data_value value;
    data_value_init(&value);
    bench_slice k = data_key_make(&key, number);
    say(self, "REPLACE INTO kv VALUES('%.*s',x'", (int)k.size, (const char *)k.data);
    say_hex(self, data_value_make(&value, number, version));
    say(self, "');");
}

static void say_commit(store *self)
{
    say(self, "SELECT dolt_commit('-A','-m','-');");
}

static void load(void *handle)
{
    store *self = handle;
    say(self, "BEGIN;");
    for (uint64_t i = 0; i < EXPERIMENT_KEYS; i++) {
        put(self, i, 0);
    }
    say(self, "COMMIT;");
    say_commit(self);
    say(self, "SELECT dolt_tag('loaded');");
    ask(self);
}

static void commit(void *handle, uint64_t number, uint64_t other)
{
    store *self = handle;
    say(self, "BEGIN;");
    put(self, 0, number);
    put(self, other, number);
    say(self, "COMMIT;");
    say_commit(self);
    ask(self);
}

static void fork_main(void *handle, const char *name)
{
    store *self = handle;
    say(self, "SELECT dolt_branch('%s');", name);
    ask(self);
}

static void change(void *handle, const char *name, uint64_t first, uint64_t n)
{
    store *self = handle;
    say(self, "SELECT dolt_checkout('%s'); BEGIN;", name);
    for (uint64_t i = 0; i < n; i++) {
        put(self, first + i, UINT64_MAX);
    }
    say(self, "COMMIT;");
    say_commit(self);
    say(self, "SELECT dolt_checkout('main');");
    ask(self);
}

static void checkout(void *handle, const char *name)
{
    store *self = handle;
    say(self, "SELECT dolt_checkout('%s');", name);
    ask(self);
}

static void merge(void *handle, const char *from, const char *into)
{
    store *self = handle;
    (void)into; /* it is checked out */
    say(self, "SELECT dolt_merge('%s');", from);
    ask(self);
    if (strlen(self->answer) != COMMIT_NAME_CHARS) {
        bench_fatal("doltlite: a merge said '%s'", self->answer);
    }
}

/* The answer "count|bytes". */
static uint64_t two_numbers(const store *self, uint64_t *bytes)
{
    uint64_t count = 0;
    if (sscanf(self->answer, "%" SCNu64 "|%" SCNu64, &count, bytes) != 2) {
        bench_fatal("doltlite: '%s' is not two numbers", self->answer);
    }
    return count;
}

static uint64_t history(void *handle, uint64_t *bytes)
{
    store *self = handle;
    data_key key;
    bench_slice k = data_key_make(&key, 0);
    say(self, "SELECT count(*), sum(length(v)) FROM dolt_history_kv WHERE k='%.*s';", (int)k.size,
        (const char *)k.data);
    ask(self);
    return two_numbers(self, bytes);
}

static uint64_t diff(void *handle, uint64_t commits, uint64_t *bytes)
{
    store *self = handle;
    (void)commits; /* all there are on main */
    say(self, "SELECT count(*), sum(length(to_v)) FROM dolt_diff_kv('loaded','main');");
    ask(self);
    return two_numbers(self, bytes);
}

static uint64_t stored_bytes(void *handle)
{
    const store *self = handle;
    struct stat info;
    if (stat(self->file, &info) != 0) {
        bench_fatal("doltlite: no file '%s'", self->file);
    }
    return (uint64_t)info.st_size;
}

const experiment_driver experiment_doltlite = {.open = open_store,
                                               .close = close_store,
                                               .load = load,
                                               .commit = commit,
                                               .fork = fork_main,
                                               .change = change,
                                               .checkout = checkout,
                                               .merge = merge,
                                               .history = history,
                                               .diff = diff,
                                               .stored_bytes = stored_bytes};
