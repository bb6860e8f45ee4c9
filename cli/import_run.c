/* The steps every import format shares: opening the store late, refusing records, times, commits, Ctrl-C. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/import.h"
#include "cli/output.h"
#include "cli/locate.h"

#define SYNC_EVERY_NS INT64_C(1000000000)
#define FUTURE_SLACK_NS INT64_C(2000000000)

static volatile sig_atomic_t stop_signal;
static bool signals_wait;

static void on_signal(int number)
{
    stop_signal = number;
}

bool import_stopped(void)
{
    return stop_signal != 0;
}

/* Without SA_RESTART: a read that waits for a pipe ends, so Ctrl-C is heard at once. */
static void catch_signals(void)
{
    struct sigaction action = {0};
    if (signals_wait) {
        return;
    }
    action.sa_handler = on_signal;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

void import_hold_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    signals_wait = true;
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

static int64_t monotonic_ns(void)
{
    const yore_env *env = yore_env_default();
    return env->monotonic_ns(env->ctx);
}

static int64_t wall_ns(void)
{
    const yore_env *env = yore_env_default();
    return env->wall_ns(env->ctx);
}

/* The time of the newest data commit: strict times must be later. */
static int read_last_time(import *im)
{
    yore_error err = YORE_ERROR_INIT;
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *log = NULL;
    options.all_branches = true;
    options.limit = 1;
    yore_status status = yore_log(im->c->db, NULL, &options, &log, &err);
    if (status == YORE_OK) {
        status = yore_log_next(log, &info, &err);
    }
    if (status == YORE_OK) {
        im->has_last_data = true;
        im->last_data_ns = info.time_ns;
    }
    yore_iter_close(log);
    return status < 0 ? cli_fail(im->c, &err) : EXIT_DONE;
}

int import_store(import *im)
{
    if (im->store_open) {
        return EXIT_DONE;
    }
    if (im->c->sync == YORE_SYNC_DEFAULT) {
        im->c->sync = YORE_SYNC_OS; /* and a sync every second and at the end: import_tick, import_finish */
    }
    if (im->c->db == NULL) {
        struct stat facts;
        bool is_file = strcmp(cli_create_path(im->c), ":memory:") != 0;
        bool was_there = !im->create || !is_file || lstat(cli_create_path(im->c), &facts) == 0;
        int code = cli_open_write(im->c, im->create);
        if (code != EXIT_DONE) {
            return code;
        }
        /* The path may also have been found further up: only what was made here is ever removed again. */
        im->store_made = !was_there && strcmp(im->c->store_path, cli_create_path(im->c)) == 0;
    }
    im->store_open = true;
    im->synced_ns = monotonic_ns();
    catch_signals();
    return read_last_time(im);
}

bool import_refuse(import_problem *problem, yore_status code, uint32_t column, const char *format, ...)
{
    va_list args;
    problem->code = code;
    problem->column = column;
    problem->hint[0] = 0;
    va_start(args, format);
    (void)vsnprintf(problem->message, sizeof problem->message, format, args);
    va_end(args);
    return false;
}

bool import_refuse_error(import_problem *problem, const yore_error *err)
{
    (void)import_refuse(problem, err->code, 0, "%s", err->message);
    (void)snprintf(problem->hint, sizeof problem->hint, "%s", err->hint);
    return false;
}

/* Failures that have nothing to do with the record: skipping it would not help. */
static bool is_fatal(yore_status code)
{
    switch (code) {
    case YORE_ERR_IO:
    case YORE_ERR_NOMEM:
    case YORE_ERR_FULL:
    case YORE_ERR_POISONED:
    case YORE_ERR_CORRUPT:
    case YORE_ERR_READONLY:
    case YORE_ERR_MISUSE:
    case YORE_ERR_CANCELLED: return true;
    default: return false;
    }
}

/* Rejects added to the file they are read from would be read again, without end. */
static bool is_input(const import *im, FILE *file)
{
    struct stat in;
    struct stat out;
    return fstat(im->in.fd, &in) == 0 && fstat(fileno(file), &out) == 0 && S_ISREG(in.st_mode) &&
           in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static int write_reject(import *im, yore_slice raw)
{
    if (im->rejects == NULL) {
        im->rejects = fopen(im->reject_path, "ab");
        if (im->rejects == NULL) {
            return cli_os_error(im->c, errno, "cannot write", im->reject_path);
        }
        if (is_input(im, im->rejects)) {
            return cli_usage_error(im->c, "name another file", "--on-error: '%s' is the input itself",
                                   im->reject_path);
        }
    }
    bool good = fwrite(raw.data, 1, raw.size, im->rejects) == raw.size;
    const char *end = raw.data;
    if (raw.size > 0 && end[raw.size - 1] != '\n') {
        good = fputc('\n', im->rejects) != EOF && good;
    }
    return good ? EXIT_DONE : cli_os_error(im->c, errno, "cannot write", im->reject_path);
}

bool import_kept_something(const import *im)
{
    return !im->rehearsal && im->commits + im->branches + im->hidden_branches + im->tags + im->settings > 0;
}

/* ": line 3, column 7"; nothing for what is not about a line. free() it. */
static char *place_of(const import_problem *problem)
{
    unsigned long long line = problem->line;
    if (line == 0) {
        return cli_strdup("");
    }
    return problem->column == 0 ? cli_printf(": line %llu", line)
                                : cli_printf(": line %llu, column %u", line, (unsigned)problem->column);
}

static bool has_resume_line(const import *im)
{
    return im->format != IMPORT_GIT && !im->out_of_order;
}

/* What to do about it, up to the words that say how to go on. free() it. */
static char *remedy_of(const import_problem *problem)
{
    if (problem->hint[0] != 0) return cli_printf("%s; then", problem->hint);
    if (is_fatal(problem->code)) return cli_strdup("when that is settled");
    return problem->line == 0 ? cli_strdup("when that is changed")
                              : cli_printf("fix line %llu and", (unsigned long long)problem->line);
}

static int report_problem(import *im, const import_problem *problem)
{
    char *hint;
    char *place = place_of(problem);
    char *remedy = remedy_of(problem);

    cli_progress_end(&im->progress);
    if (!import_kept_something(im)) {
        hint = cli_printf("%s run it again: nothing was imported", remedy);
    } else if (!has_resume_line(im)) {
        hint = cli_printf("%s import it again into a new store", remedy);
    } else {
        hint = cli_printf("%s run again with --from-line %llu", remedy, (unsigned long long)im->resume_line);
    }
    int code = cli_error(im->c, problem->code, NULL, hint, "%s%s: %s", im->in.name, place, problem->message);
    free(hint);
    free(remedy);
    free(place);
    return code;
}

int import_reject(import *im, const import_problem *problem, yore_slice raw)
{
    if (im->in.failed) {
        return EXIT_INTERNAL; /* reported where it happened */
    }
    if (im->on_error == IMPORT_STOP || is_fatal(problem->code)) {
        return report_problem(im, problem);
    }
    im->skipped_records++;
    return im->on_error == IMPORT_FILE ? write_reject(im, raw) : EXIT_DONE;
}

yore_slice import_key(import *im, yore_slice key)
{
    if (im->prefix[0] == 0) {
        return key;
    }
    cli_bytes_clear(&im->key_text);
    cli_bytes_append(&im->key_text, im->prefix, strlen(im->prefix));
    cli_bytes_append(&im->key_text, key.data, key.size);
    return cli_bytes_slice(&im->key_text);
}

/* Refuse a time the store would not take, in words that name both times. */
static bool check_time(import *im, const import_change *change, import_problem *problem)
{
    char mine[YORE_TIME_TEXT_SIZE];
    char other[YORE_TIME_TEXT_SIZE];
    (void)yore_time_format(change->time_ns, 0, 9, mine, sizeof mine);
    if (im->times != IMPORT_TIMES_SHIFT && im->has_last_data && change->time_ns <= im->last_data_ns) {
        (void)yore_time_format(im->last_data_ns, 0, 9, other, sizeof other);
        (void)import_refuse(problem, YORE_ERR_TIME_ORDER, 0,
                            "its time %s is not later than the last commit's, %s", mine, other);
        (void)snprintf(problem->hint, sizeof problem->hint,
                       "use --times shift (forward by the least) or --times now (the clock)");
        return false;
    }
    if (!im->allow_future && change->time_ns > wall_ns() + FUTURE_SLACK_NS) {
        (void)yore_time_format(wall_ns(), 0, 9, other, sizeof other);
        (void)import_refuse(problem, YORE_ERR_TIME_RANGE, 0, "its time %s is in the future: now is %s", mine,
                            other);
        (void)snprintf(problem->hint, sizeof problem->hint, "use --allow-future to take it as it is");
        return false;
    }
    return true;
}

bool import_txn_options(import *im, const import_change *change, yore_txn_options *options,
                        import_problem *problem)
{
    bool use_time = change->has_time && im->times != IMPORT_TIMES_NOW;
    *options = (yore_txn_options)YORE_TXN_OPTIONS_INIT;
    if (use_time && !check_time(im, change, problem)) {
        return false;
    }
    options->times = im->times == IMPORT_TIMES_SHIFT ? YORE_TIMES_SHIFT : YORE_TIMES_STRICT;
    options->has_time = use_time;
    options->time_ns = use_time ? change->time_ns : 0;
    options->allow_future = im->allow_future;
    options->allow_empty = true;
    options->author = change->author;
    options->source = change->source;
    options->parents = change->parents;
    options->parent_count = change->parent_count;
    if (change->has_source_time) {
        options->has_source_time = true;
        options->source_time_ns = change->source_time_ns;
    } else if (change->has_time && !(change->keep_time && use_time)) {
        options->has_source_time = true;
        options->source_time_ns = change->time_ns;
    }
    return true;
}

bool import_begin(import *im, const import_change *change, yore_txn **txn, import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    yore_txn_options options;
    if (!import_txn_options(im, change, &options, problem)) {
        return false;
    }
    if (yore_begin(im->c->db, yore_str(change->branch), &options, txn, &err) < 0) {
        return import_refuse_error(problem, &err);
    }
    return true;
}

void import_note_commit(import *im, const yore_where *where)
{
    im->commits++;
    im->has_last_data = true;
    im->last_data_ns = where->time_ns;
}

bool import_commit(import *im, yore_txn *txn, const import_change *change, yore_where *where,
                   import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    yore_where own = YORE_WHERE_INIT;
    yore_status status = yore_commit(txn, change->note, &own, &err);
    if (status != YORE_OK) {
        if (status > 0) {
            return import_refuse(problem, status, 0, "the commit lost: %s", err.message);
        }
        return import_refuse_error(problem, &err);
    }
    import_note_commit(im, &own);
    if (where != NULL) {
        *where = own;
    }
    return true;
}

static int report_interrupted(import *im)
{
    unsigned long long kept = im->rehearsal ? 0 : (unsigned long long)im->commits;
    cli_progress_end(&im->progress);
    yore_error err = YORE_ERROR_INIT;
    if (im->store_open && yore_sync(im->c->db, &err) < 0) {
        (void)cli_fail(im->c, &err);
        return EXIT_INTERRUPTED;
    }
    char *hint = !has_resume_line(im) || !import_kept_something(im)
                     ? cli_printf("run it again%s", import_kept_something(im) ? " into a new store" : "")
                     : cli_printf("run again with --from-line %llu", (unsigned long long)im->resume_line);
    (void)cli_error(im->c, YORE_ERR_CANCELLED, NULL, hint,
                    "interrupted between commits: %llu commit%s kept whole", kept,
                    kept == 1 ? " is" : "s are");
    free(hint);
    return EXIT_INTERRUPTED;
}

int import_tick(import *im)
{
    if (import_stopped()) {
        return report_interrupted(im);
    }
    bool in_bytes = strcmp(im->progress.unit, "bytes") == 0;
    cli_progress_update(&im->progress, in_bytes ? im->in.off : im->commits);
    if (!im->store_open || im->c->sync != YORE_SYNC_OS || (im->commits & 63u) != 0) {
        return EXIT_DONE;
    }
    int64_t now_ns = monotonic_ns();
    if (now_ns - im->synced_ns < SYNC_EVERY_NS) {
        return EXIT_DONE;
    }
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_sync(im->c->db, &err);
    im->synced_ns = monotonic_ns();
    return status < 0 ? cli_fail(im->c, &err) : EXIT_DONE;
}

int import_input_ended(import *im)
{
    if (import_stopped()) {
        return report_interrupted(im);
    }
    return im->in.failed ? EXIT_INTERNAL : EXIT_DONE;
}
