#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/report.h"

#define NOTES_MAX 64u

/* The bars are the ones the project set itself; docs/bench.md explains each row. */
const report_row report_rows[M_COUNT] = {
    [M_PUT_RANDOM] = {"put_random", "k/s", false, BAR_BEST_PEER, 2.5, 0},
    [M_PUT_BATCH] = {"put_batch1000", "k/s", false, BAR_BEST_PEER, 2.5, 0},
    [M_GET_RANDOM] = {"get_random", "k/s", false, BAR_BEST_PEER, 2.0, 0},
    [M_GET_MANY] = {"get_many16", "k/s", false, BAR_BEST_PEER, 6.0, 0},
    [M_GET_MISSING] = {"get_missing", "k/s", false, BAR_BEST_PEER, 5.0, 0},
    [M_SCAN] = {"scan100", "k rows/s", false, BAR_LMDB, 0.9, 0},
    [M_VERSION_PUT] = {"version_put", "k/s", false, BAR_BEST_PEER, 8.0, 0},
    [M_ASOF_GET] = {"asof_get", "k/s", false, BAR_BEST_PEER, 1.5, 0},
    [M_LATEST_GET] = {"latest_get", "k/s", false, BAR_BEST_PEER, 3.0, 0},
    [M_DURABLE_1] = {"durable_put1", "/s", false, BAR_BARE, 0.9, 0},
    [M_DURABLE_16] = {"durable_put16", "/s", false, BAR_METRIC_MIN, 5.0, M_DURABLE_1},
    [M_MIXED_READ] = {"mixed_read", "k/s", false, BAR_NONE, 0, 0},
    [M_MIXED_WRITE] = {"mixed_write", "k/s", false, BAR_NONE, 0, 0},
    [M_FORK_FIRST] = {"fork_1", "us p50", true, BAR_AT_MOST, 5.0, 0},
    [M_FORK_SECOND] = {"fork_1000", "us p50", true, BAR_AT_MOST, 5.0, 0},
    [M_FORK_THIRD] = {"fork_100000", "us p50", true, BAR_AT_MOST, 5.0, 0},
    [M_FORK_FLAT] = {"fork_flat", "max/min", true, BAR_AT_MOST, 1.5, 0},
    [M_FORK_MEMORY] = {"fork_memory", "B/branch", true, BAR_AT_MOST, 1024.0, 0},
    [M_FORK_RSS] = {"fork_rss", "B/branch", true, BAR_NONE, 0, 0},
    [M_DEPTH_FOUND_1] = {"depth1_found", "ns", true, BAR_NONE, 0, 0},
    [M_DEPTH_FOUND_8] = {"depth8_found", "ns", true, BAR_METRIC_MAX, 1.3, M_DEPTH_FOUND_1},
    [M_DEPTH_FOUND_32] = {"depth32_found", "ns", true, BAR_METRIC_MAX, 1.6, M_DEPTH_FOUND_1},
    [M_DEPTH_MISSING_1] = {"depth1_missing", "ns", true, BAR_NONE, 0, 0},
    [M_DEPTH_MISSING_8] = {"depth8_missing", "ns", true, BAR_METRIC_MAX, 1.3, M_DEPTH_MISSING_1},
    [M_DEPTH_MISSING_32] = {"depth32_missing", "ns", true, BAR_METRIC_MAX, 1.6, M_DEPTH_MISSING_1},
    [M_MEMORY_FIRST + 0] = {"memory_decimal", "B over", true, BAR_AT_MOST, 96.0, 0},
    [M_MEMORY_FIRST + 1] = {"memory_base64", "B over", true, BAR_AT_MOST, 96.0, 0},
    [M_MEMORY_FIRST + 2] = {"memory_uuid", "B over", true, BAR_AT_MOST, 96.0, 0},
    [M_MEMORY_FIRST + 3] = {"memory_path", "B over", true, BAR_AT_MOST, 96.0, 0},
    [M_MEMORY_FIRST + 4] = {"memory_user", "B over", true, BAR_AT_MOST, 112.0, 0},
    [M_MEMORY_LATER + 0] = {"memory_decimal_later", "B over", true, BAR_AT_MOST, 48.0, 0},
    [M_MEMORY_LATER + 1] = {"memory_base64_later", "B over", true, BAR_AT_MOST, 48.0, 0},
    [M_MEMORY_LATER + 2] = {"memory_uuid_later", "B over", true, BAR_AT_MOST, 48.0, 0},
    [M_MEMORY_LATER + 3] = {"memory_path_later", "B over", true, BAR_AT_MOST, 48.0, 0},
    [M_MEMORY_LATER + 4] = {"memory_user_later", "B over", true, BAR_AT_MOST, 48.0, 0},
    [M_MEMORY_BATCH] = {"memory_user_batch1000", "B over", true, BAR_NONE, 0, 0},
    [M_MEMORY_SECOND] = {"memory_user_second", "B over", true, BAR_NONE, 0, 0},
    [M_MEMORY_RSS] = {"memory_rss", "rss/stats", true, BAR_NONE, 0, 0},
    [M_SPACE_PLAIN] = {"space_plain", "MB", true, BAR_NONE, 0, 0},
    [M_SPACE_VERSIONS] = {"space_versions", "MB", true, BAR_NONE, 0, 0},
    [M_SEARCH_INDEX] = {"search_index", "docs/s", false, BAR_NONE, 0, 0},
    [M_SEARCH_OR] = {"search_or10", "/s", false, BAR_NONE, 0, 0},
    [M_SEARCH_AND] = {"search_and10", "/s", false, BAR_NONE, 0, 0},
    [M_SEARCH_PHRASE] = {"search_phrase10", "/s", false, BAR_NONE, 0, 0},
    [M_SEARCH_PAST] = {"search_past10", "/s", false, BAR_METRIC, 0, M_SEARCH_OR},
    [M_SEARCH_FORK] = {"search_fork10", "/s", false, BAR_METRIC, 0, M_SEARCH_OR},
    [M_SEARCH_OPEN] = {"search_open", "docs/s", false, BAR_METRIC, 0, M_SEARCH_INDEX},
    [M_SEARCH_MEMORY] = {"search_memory", "B/doc", true, BAR_NONE, 0, 0},
    [M_SEARCH_20_SINGLE] = {"search_20_single", "/s", false, BAR_NONE, 0, 0},
    [M_SEARCH_20_NOW] = {"search_20_now", "/s", false, BAR_METRIC, 0, M_SEARCH_20_SINGLE},
    [M_SEARCH_20_PAST] = {"search_20_past", "/s", false, BAR_METRIC, 0, M_SEARCH_20_SINGLE},
    [M_SEARCH_20_MEMORY] = {"search_20_memory", "B/version", true, BAR_METRIC, 0, M_SEARCH_MEMORY},
    [M_REOPEN_GET] = {"reopen_get", "k/s", false, BAR_BEST_PEER, 2.0, 0},
    [M_REOPEN_MANY] = {"reopen_many16", "k/s", false, BAR_NONE, 0, 0},
    [M_REOPEN_MISSING] = {"reopen_missing", "k/s", false, BAR_BEST_PEER, 4.0, 0},
    [M_REOPEN_SCAN] = {"reopen_scan100", "k rows/s", false, BAR_BEST_PEER, 1.0, 0},
    [M_REOPEN_COLD] = {"reopen_cold_get", "k/s", false, BAR_ROCKSDB, 1.0, 0},
    [M_REOPEN_ASOF] = {"reopen_asof", "k/s", false, BAR_BEST_PEER, 2.0, 0},
    [M_REOPEN_LATEST] = {"reopen_latest", "k/s", false, BAR_NONE, 0, 0},
    [M_OPEN_SMALL] = {"open_small", "ms", true, BAR_AT_MOST, 2.0, 0},
    [M_OPEN_MEDIUM] = {"open_medium", "ms", true, BAR_AT_MOST, 2.0, 0},
    [M_OPEN_LARGE] = {"open_large", "ms", true, BAR_AT_MOST, 2.0, 0},
    [M_OPEN_COLD] = {"open_cold", "ms", true, BAR_AT_MOST, 5.0, 0},
    [M_LEFT_PLAIN] = {"left_plain", "MB", true, BAR_NONE, 0, 0},
    [M_LEFT_VERSIONS] = {"left_versions", "MB", true, BAR_NONE, 0, 0},
    [M_PACKED_PLAIN] = {"packed_plain", "MB", true, BAR_ROCKSDB, 1.0, 0},
    [M_PACKED_GET] = {"packed_get", "k/s", false, BAR_ROCKSDB, 1.0, 0},
    [M_PACKED_COLD] = {"packed_cold_get", "k/s", false, BAR_ROCKSDB, 1.0, 0},
    [M_PACKED_VERSIONS] = {"packed_versions", "MB", true, BAR_BEST_PEER, 0.25, 0},
    [M_PACKED_ASOF] = {"packed_asof", "k/s", false, BAR_NONE, 0, 0},
    [M_LOAD_PUT] = {"load_put", "k/s", false, BAR_BEST_PEER, 1.2, 0},
    [M_LOAD_SETTLED] = {"load_settled", "k/s", false, BAR_NONE, 0, 0},
    [M_LOAD_RSS] = {"load_rss", "MiB", true, BAR_AT_MOST, 320.0, 0},
    [M_LOAD_WRITES] = {"load_writes", "B/user B", true, BAR_NONE, 0, 0},
    [M_LOAD_SPACE] = {"load_space", "MB", true, BAR_NONE, 0, 0},
    [M_BIG_GET] = {"big_get", "k/s", false, BAR_NONE, 0, 0},
    [M_BIG_MISSING] = {"big_missing", "k/s", false, BAR_NONE, 0, 0},
    [M_BIG_SCAN] = {"big_scan100", "k rows/s", false, BAR_NONE, 0, 0},
    [M_BIG_RSS] = {"big_rss", "of budget", true, BAR_AT_MOST, 1.25, 0},
    [M_WALK_SCAN] = {"walk_scan", "k rows/s", false, BAR_NONE, 0, 0},
    [M_WALK_PAST] = {"walk_past", "k/s", false, BAR_NONE, 0, 0},
    [M_WALK_RSS] = {"walk_rss", "MiB", true, BAR_AT_MOST, 320.0, 0},
    [M_HISTORY_GET_1] = {"history_get_1", "k/s", false, BAR_NONE, 0, 0},
    [M_HISTORY_GET_20] = {"history_get_20", "k/s", false, BAR_METRIC_MIN, 0.8, M_HISTORY_GET_1},
    [M_HISTORY_SCAN_1] = {"history_scan_1", "k rows/s", false, BAR_NONE, 0, 0},
    [M_HISTORY_SCAN_20] = {"history_scan_20", "k rows/s", false, BAR_METRIC_MIN, 0.8, M_HISTORY_SCAN_1},
    [M_STALL_IDLE] = {"stall_idle", "us p99.9", true, BAR_NONE, 0, 0},
    [M_STALL_FULL] = {"stall_full", "us p99.9", true, BAR_METRIC_MAX, 5.0, M_STALL_IDLE},
    [M_STALL_PACED] = {"stall_paced", "us p99.9", true, BAR_METRIC_MAX, 5.0, M_STALL_IDLE},
    [M_STALL_WORST] = {"stall_worst", "us", true, BAR_NONE, 0, 0},
    [M_BACKUP_ALONE] = {"backup_alone", "k/s", false, BAR_NONE, 0, 0},
    [M_BACKUP_BESIDE] = {"backup_beside", "k/s", false, BAR_METRIC_MIN, 0.8, M_BACKUP_ALONE},
    [M_BRANCH_FORK_FIRST] = {"branch_fork_1", "us p50", true, BAR_NONE, 0, 0},
    [M_BRANCH_FORK_MANY] = {"branch_fork_10000", "us p50", true, BAR_BEST_PEER, 0.1, 0},
    [M_COMMIT_BYTES] = {"commit_bytes", "B/commit", true, BAR_NONE, 0, 0},
    [M_KEY_HISTORY] = {"key_history", "us", true, BAR_BEST_PEER, 0.1, 0},
    [M_DIFF_5000] = {"diff_5000", "us", true, BAR_BEST_PEER, 1.0 / 3, 0},
    [M_MERGE_10] = {"merge_10", "us p50", true, BAR_BEST_PEER, 0.1, 0},
    [M_TWO_WRITERS_COMMIT] = {"two_writers_commit", "/s", false, BAR_METRIC_MIN, 1.6, M_TWO_WRITERS_COMMIT_1},
    [M_TWO_WRITERS_COMMIT_1] = {"two_writers_commit_1", "/s", false, BAR_NONE, 0, 0},
    [M_TWO_WRITERS_OS] = {"two_writers_os", "k/s", false, BAR_METRIC_MIN, 1.2, M_TWO_WRITERS_OS_1},
    [M_TWO_WRITERS_OS_1] = {"two_writers_os_1", "k/s", false, BAR_NONE, 0, 0},
    [M_COMMIT_ALONE] = {"commit_alone", "us p99", true, BAR_NONE, 0, 0},
    [M_FORK_BESIDE] = {"fork_beside", "us added", true, BAR_AT_MOST, 1000.0, 0},
    [M_MERGE_BESIDE] = {"merge_beside", "us added", true, BAR_AT_MOST, 1000.0, 0},
    [M_OPEN_BRANCHES] = {"open_branches", "ms", true, BAR_AT_MOST, 20.0, 0},
    [M_CASCADE_DELETE] = {"cascade_delete", "ms", true, BAR_AT_MOST, 50.0, 0},
    [M_DIFF_SMALL] = {"diff_small", "ms p50", true, BAR_AT_MOST, 1.0, 0},
    [M_MERGE_SMALL] = {"merge_small", "ms p50", true, BAR_AT_MOST, 1.0, 0},
};

static report_cell cells[M_COUNT][ENGINE_COUNT];
static uint32_t round_now;
static int forward_fd = -1; /* of a stage: where its report goes */

static struct {
    char key[32];
    char text[512];
} notes[NOTES_MAX];
static size_t note_count;

static bool list_has_prefix_of(const char *list, const char *name)
{
    while (*list != '\0') {
        size_t length = strcspn(list, ",");
        if (length > 0 && strncmp(list, name, length) == 0) {
            return true;
        }
        list += length + (list[length] == ',');
    }
    return false;
}

bool bench_wants(enum report_metric metric)
{
    return bench_opt.workloads == NULL || list_has_prefix_of(bench_opt.workloads, report_rows[metric].name);
}

bool bench_wants_any(enum report_metric first, enum report_metric last)
{
    for (enum report_metric metric = first; metric <= last; metric++) {
        if (bench_wants(metric)) {
            return true;
        }
    }
    return false;
}

void report_round_set(uint32_t round)
{
    round_now = round;
}

uint32_t report_round_get(void)
{
    return round_now;
}

/* What a stage's process tells its parent. Smaller than PIPE_BUF, so each arrives whole. */
typedef struct report_record {
    enum { RECORD_VALUE, RECORD_ANSWERS, RECORD_NOTE } kind;
    int32_t engine;
    int32_t metric;
    double value;
    double p50; /* 0 = no latencies */
    double p99;
    uint64_t found;
    uint64_t sum;
    char key[32];
    char text[512];
} report_record;

void report_forward(int fd)
{
    forward_fd = fd;
}

static void send_record(const report_record *record)
{
    if (write(forward_fd, record, sizeof(*record)) != (ssize_t)sizeof(*record)) {
        bench_fatal("cannot report: %s", strerror(errno));
    }
}

static void take_value(const report_record *record)
{
    report_cell *cell = &cells[record->metric][record->engine];
    cell->value[round_now] = record->value;
    cell->p50[round_now] = record->p50;
    cell->p99[round_now] = record->p99;
    cell->count = round_now + 1;
}

static void take_answers(const report_record *record)
{
    report_cell *cell = &cells[record->metric][record->engine];
    cell->found[round_now] = record->found;
    cell->sum[round_now] = record->sum;
    cell->has_answers[round_now] = true;
    for (int other = 0; other < ENGINE_COUNT; other++) {
        const report_cell *theirs = &cells[record->metric][other];
        if (theirs->has_answers[round_now] &&
            (theirs->found[round_now] != record->found || theirs->sum[round_now] != record->sum)) {
            bench_fatal("%s: %s found %llu (sum %llx), %s found %llu (sum %llx): the answers differ",
                        report_rows[record->metric].name, report_drivers[record->engine]->name,
                        (unsigned long long)record->found, (unsigned long long)record->sum,
                        report_drivers[other]->name, (unsigned long long)theirs->found[round_now],
                        (unsigned long long)theirs->sum[round_now]);
        }
    }
}

static void take_note(const report_record *record)
{
    size_t i = 0;
    while (i < note_count && strcmp(notes[i].key, record->key) != 0) {
        i++;
    }
    if (i == NOTES_MAX) {
        bench_fatal("too many notes");
    }
    note_count += i == note_count;
    memcpy(notes[i].key, record->key, sizeof(notes[i].key));
    memcpy(notes[i].text, record->text, sizeof(notes[i].text));
}

static void take_or_send(const report_record *record)
{
    if (forward_fd >= 0) {
        send_record(record);
        return;
    }
    switch (record->kind) {
    case RECORD_VALUE: take_value(record); break;
    case RECORD_ANSWERS: take_answers(record); break;
    case RECORD_NOTE: take_note(record); break;
    }
}

void report_receive(int fd)
{
    report_record record;
    size_t have = 0;
    for (;;) {
        ssize_t n = read(fd, (char *)&record + have, sizeof(record) - have);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        have += (size_t)n;
        if (have == sizeof(record)) {
            take_or_send(&record);
            have = 0;
        }
    }
}

void report_add(enum bench_engine engine, enum report_metric metric, double value, bench_latency *latency)
{
    report_record record;
    memset(&record, 0, sizeof(record));
    record.kind = RECORD_VALUE;
    record.engine = (int32_t)engine;
    record.metric = (int32_t)metric;
    record.value = value;
    if (latency != NULL) {
        record.p50 = bench_latency_at(latency, 0.50);
        record.p99 = bench_latency_at(latency, 0.99);
    }
    take_or_send(&record);
}

void report_answers(enum bench_engine engine, enum report_metric metric, uint64_t found, uint64_t sum)
{
    report_record record;
    memset(&record, 0, sizeof(record));
    record.kind = RECORD_ANSWERS;
    record.engine = (int32_t)engine;
    record.metric = (int32_t)metric;
    record.found = found;
    record.sum = sum;
    take_or_send(&record);
}

void report_note(const char *key, const char *format, ...)
{
    report_record record;
    va_list args;
    memset(&record, 0, sizeof(record));
    record.kind = RECORD_NOTE;
    snprintf(record.key, sizeof(record.key), "%s", key);
    va_start(args, format);
    vsnprintf(record.text, sizeof(record.text), format, args);
    va_end(args);
    take_or_send(&record);
}

size_t report_notes(const char **keys, const char **texts, size_t cap)
{
    size_t n = note_count < cap ? note_count : cap;
    for (size_t i = 0; i < n; i++) {
        keys[i] = notes[i].key;
        texts[i] = notes[i].text;
    }
    return n;
}

const report_cell *report_cell_get(enum report_metric metric, enum bench_engine engine)
{
    return &cells[metric][engine];
}

static int compare_double(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

double report_median(const double *values, uint32_t count)
{
    double sorted[REPORT_ROUNDS_MAX];
    if (count == 0) {
        return 0;
    }
    memcpy(sorted, values, count * sizeof(double));
    qsort(sorted, count, sizeof(double), compare_double);
    return count % 2 == 1 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

static double median_of(enum report_metric metric, enum bench_engine engine)
{
    const report_cell *cell = &cells[metric][engine];
    return report_median(cell->value, cell->count);
}

static bool has_values(enum report_metric metric, enum bench_engine engine)
{
    return cells[metric][engine].count > 0;
}

/* The engine with the best median among the peers, ENGINE_COUNT when none ran. */
static enum bench_engine best_peer(enum report_metric metric)
{
    enum bench_engine best = ENGINE_COUNT;
    for (enum bench_engine engine = ENGINE_LMDB; engine <= ENGINE_DOLTLITE; engine++) {
        if (!has_values(metric, engine)) {
            continue;
        }
        if (best == ENGINE_COUNT ||
            (median_of(metric, engine) > median_of(metric, best)) != report_rows[metric].lower_is_better) {
            best = engine;
        }
    }
    return best;
}

static void judge_against(report_verdict *verdict, const report_cell *ours, const report_cell *theirs)
{
    uint32_t rounds = ours->count < theirs->count ? ours->count : theirs->count;
    verdict->has_ratio = true;
    verdict->ratio = report_median(ours->value, ours->count) / report_median(theirs->value, theirs->count);
    verdict->low = verdict->ratio;
    verdict->high = verdict->ratio;
    for (uint32_t i = 0; i < rounds; i++) {
        double ratio = ours->value[i] / theirs->value[i];
        verdict->low = fmin(verdict->low, ratio);
        verdict->high = fmax(verdict->high, ratio);
    }
}

report_verdict report_judge(enum report_metric metric)
{
    const report_row *row = &report_rows[metric];
    const report_cell *ours = &cells[metric][ENGINE_YORE];
    report_verdict verdict = {.against = ENGINE_COUNT};
    if (ours->count == 0) {
        return verdict;
    }
    if (row->kind == BAR_AT_MOST) {
        verdict.has_bar = true;
        verdict.pass = report_median(ours->value, ours->count) <= row->bar;
        return verdict;
    }
    if (row->kind == BAR_METRIC_MIN || row->kind == BAR_METRIC_MAX || row->kind == BAR_METRIC) {
        if (has_values(row->reference, ENGINE_YORE)) {
            judge_against(&verdict, ours, &cells[row->reference][ENGINE_YORE]);
            verdict.has_bar = row->kind != BAR_METRIC;
            verdict.pass = row->kind == BAR_METRIC_MIN ? verdict.ratio >= row->bar
                                                       : verdict.ratio <= row->bar;
        }
        return verdict;
    }
    verdict.against = row->kind == BAR_LMDB      ? ENGINE_LMDB
                      : row->kind == BAR_ROCKSDB ? ENGINE_ROCKSDB
                      : row->kind == BAR_BARE    ? ENGINE_BARE
                                                 : best_peer(metric);
    if (verdict.against == ENGINE_COUNT || !has_values(metric, verdict.against)) {
        verdict.against = ENGINE_COUNT;
        return verdict;
    }
    judge_against(&verdict, ours, &cells[metric][verdict.against]);
    verdict.has_bar = row->kind != BAR_NONE;
    verdict.pass = row->lower_is_better ? verdict.ratio <= row->bar : verdict.ratio >= row->bar;
    return verdict;
}
