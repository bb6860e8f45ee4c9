/* Collects what the workloads measure, one value a round, and prints it: medians, ranges, ratios against the bars. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include <stdio.h>

#include "bench/bench.h"

#define REPORT_ROUNDS_MAX 64u

enum report_metric {
    M_PUT_RANDOM,
    M_PUT_BATCH,
    M_GET_RANDOM,
    M_GET_MANY,
    M_GET_MISSING,
    M_SCAN,
    M_VERSION_PUT,
    M_ASOF_GET,
    M_LATEST_GET,
    M_DURABLE_1,
    M_DURABLE_16,
    M_MIXED_READ,
    M_MIXED_WRITE,
    M_FORK_FIRST, /* three levels in a row */
    M_FORK_SECOND,
    M_FORK_THIRD,
    M_FORK_FLAT,
    M_FORK_MEMORY,
    M_FORK_RSS,
    M_DEPTH_FOUND_1,
    M_DEPTH_FOUND_8,
    M_DEPTH_FOUND_32,
    M_DEPTH_MISSING_1,
    M_DEPTH_MISSING_8,
    M_DEPTH_MISSING_32,
    M_MEMORY_FIRST,                      /* one a kind of key */
    M_MEMORY_LATER = M_MEMORY_FIRST + 5, /* one a kind of key */
    M_MEMORY_BATCH = M_MEMORY_LATER + 5,
    M_MEMORY_SECOND,
    M_MEMORY_RSS,
    M_SPACE_PLAIN,
    M_SPACE_VERSIONS,
    M_SEARCH_INDEX,
    M_SEARCH_OR,
    M_SEARCH_AND,
    M_SEARCH_PHRASE,
    M_SEARCH_MEMORY,
    M_SEARCH_PAST,
    M_SEARCH_FORK,
    M_SEARCH_OPEN,
    M_SEARCH_20_SINGLE,
    M_SEARCH_20_NOW,
    M_SEARCH_20_PAST,
    M_SEARCH_20_MEMORY,
    M_REOPEN_GET,
    M_REOPEN_MANY,
    M_REOPEN_MISSING,
    M_REOPEN_SCAN,
    M_REOPEN_COLD,
    M_REOPEN_ASOF,
    M_REOPEN_LATEST,
    M_OPEN_SMALL,
    M_OPEN_MEDIUM,
    M_OPEN_LARGE,
    M_OPEN_COLD,
    M_LEFT_PLAIN,
    M_LEFT_VERSIONS,
    M_PACKED_PLAIN,
    M_PACKED_GET,
    M_PACKED_COLD,
    M_PACKED_VERSIONS,
    M_PACKED_ASOF,
    M_LOAD_PUT,
    M_LOAD_SETTLED,
    M_LOAD_RSS,
    M_LOAD_WRITES,
    M_LOAD_SPACE,
    M_BIG_GET,
    M_BIG_MISSING,
    M_BIG_SCAN,
    M_BIG_RSS,
    M_WALK_SCAN,
    M_WALK_PAST,
    M_WALK_RSS,
    M_HISTORY_GET_1,
    M_HISTORY_GET_20,
    M_HISTORY_SCAN_1,
    M_HISTORY_SCAN_20,
    M_STALL_IDLE,
    M_STALL_FULL,
    M_STALL_PACED,
    M_STALL_WORST,
    M_BACKUP_ALONE,
    M_BACKUP_BESIDE,
    M_BRANCH_FORK_FIRST,
    M_BRANCH_FORK_MANY,
    M_COMMIT_BYTES,
    M_KEY_HISTORY,
    M_DIFF_5000,
    M_MERGE_10,
    M_TWO_WRITERS_COMMIT,
    M_TWO_WRITERS_COMMIT_1,
    M_TWO_WRITERS_OS,
    M_TWO_WRITERS_OS_1,
    M_COMMIT_ALONE,
    M_FORK_BESIDE,
    M_MERGE_BESIDE,
    M_OPEN_BRANCHES,
    M_CASCADE_DELETE,
    M_DIFF_SMALL,
    M_MERGE_SMALL,
    M_COUNT
};

enum report_bar {
    BAR_NONE,
    BAR_BEST_PEER,  /* at least `bar` times the best of the peers; at most, where lower is better */
    BAR_LMDB,       /* at least `bar` times LMDB */
    BAR_ROCKSDB,    /* at least `bar` times RocksDB; at most, where lower is better */
    BAR_BARE,       /* at least `bar` times the bare loop */
    BAR_METRIC_MIN, /* at least `bar` times yore's `reference` */
    BAR_METRIC_MAX, /* at most `bar` times yore's `reference` */
    BAR_METRIC,     /* no bar: the ratio to yore's `reference` */
    BAR_AT_MOST     /* at most `bar` */
};

typedef struct report_row {
    const char *name;
    const char *unit;
    bool lower_is_better;
    enum report_bar kind;
    double bar;
    enum report_metric reference;
} report_row;

extern const report_row report_rows[M_COUNT];
extern const bench_driver *const report_drivers[ENGINE_COUNT]; /* NULL = not built in */

/* Was this row asked for (--workload holds a prefix of its name, or is not given)? */
bool bench_wants(enum report_metric metric);
/* Any of the rows from `first` to `last`? */
bool bench_wants_any(enum report_metric first, enum report_metric last);

void report_round_set(uint32_t round);
uint32_t report_round_get(void);

/* Record this round's value; `latency` may be NULL. */
void report_add(enum bench_engine engine, enum report_metric metric, double value, bench_latency *latency);

/* Record what a workload found. Engines that did the same work in the same round must agree. */
void report_answers(enum bench_engine engine, enum report_metric metric, uint64_t found, uint64_t sum);

/* A line of words for the end of the report and the JSON file (one a key; the last one said wins). */
void report_note(const char *key, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* In a stage's process: send what the three functions above are told to `fd`. In its parent: read it until the end, as
 * of this round. */
void report_forward(int fd);
void report_receive(int fd);

void report_print_machine(FILE *out);
void report_print(FILE *out);
void report_write_json(const char *path);

/* -- for report_json.c -- */

typedef struct report_cell {
    double value[REPORT_ROUNDS_MAX];
    double p50[REPORT_ROUNDS_MAX];
    double p99[REPORT_ROUNDS_MAX];
    uint64_t found[REPORT_ROUNDS_MAX];
    uint64_t sum[REPORT_ROUNDS_MAX];
    bool has_answers[REPORT_ROUNDS_MAX];
    uint32_t count;
} report_cell;

typedef struct report_verdict {
    bool has_ratio;
    double ratio; /* of medians */
    double low;   /* of the rounds' ratios */
    double high;
    enum bench_engine against; /* ENGINE_COUNT when not an engine */
    bool has_bar;
    bool pass;
} report_verdict;

const report_cell *report_cell_get(enum report_metric metric, enum bench_engine engine);
double report_median(const double *values, uint32_t count);
report_verdict report_judge(enum report_metric metric);
size_t report_notes(const char **keys, const char **texts, size_t cap);
typedef struct report_machine {
    char cpu[128];
    unsigned cpus;
    unsigned long long memory_mib;
    char kernel[160];
    char thp[64];
    char filesystem[32];
} report_machine;
report_machine report_machine_read(void);

#endif
