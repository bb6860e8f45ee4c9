/* yore_bench: yore beside LMDB, RocksDB, SQLite, WiredTiger and Xapian, in one run, on the same data. */
#define _GNU_SOURCE
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/experiment.h"
#include "bench/stage.h"

#ifndef BENCH_HAVE_YORE
#define BENCH_HAVE_YORE 0
#endif
#ifndef BENCH_HAVE_LMDB
#define BENCH_HAVE_LMDB 0
#endif
#ifndef BENCH_HAVE_ROCKSDB
#define BENCH_HAVE_ROCKSDB 0
#endif
#ifndef BENCH_HAVE_SQLITE
#define BENCH_HAVE_SQLITE 0
#endif
#ifndef BENCH_HAVE_WIREDTIGER
#define BENCH_HAVE_WIREDTIGER 0
#endif
#ifndef BENCH_HAVE_XAPIAN
#define BENCH_HAVE_XAPIAN 0
#endif

/* Sets of engines. */
#define ENGINES_STORES ((1u << ENGINE_XAPIAN) - 1u)
#define ENGINES_DURABLE (ENGINES_STORES | 1u << ENGINE_BARE)
#define ENGINES_COMPACTING (1u << ENGINE_YORE | 1u << ENGINE_ROCKSDB | 1u << ENGINE_WIREDTIGER)
#define ENGINES_BRANCHING (1u << ENGINE_YORE | 1u << ENGINE_DOLTLITE)
#define ENGINES_SEARCH (1u << ENGINE_YORE | 1u << ENGINE_SQLITE | 1u << ENGINE_XAPIAN)

bench_options bench_opt = {
    .keys = 1000000,
    .durable_ops = 2000,
    .documents = 60000,
    .queries = 300,
    .fork_levels = {1, 1000, 100000},
    .load_keys = 10000000,
    .budget_bytes = 256ull << 20,
    .cold_reads = 20000,
    .rounds = 5,
    .mixed_ms = 300,
};

const bench_driver *const report_drivers[ENGINE_COUNT] = {
#if BENCH_HAVE_YORE
    [ENGINE_YORE] = &bench_driver_yore,
#endif
#if BENCH_HAVE_LMDB
    [ENGINE_LMDB] = &bench_driver_lmdb,
#endif
#if BENCH_HAVE_ROCKSDB
    [ENGINE_ROCKSDB] = &bench_driver_rocksdb,
#endif
#if BENCH_HAVE_SQLITE
    [ENGINE_SQLITE] = &bench_driver_sqlite,
#endif
#if BENCH_HAVE_WIREDTIGER
    [ENGINE_WIREDTIGER] = &bench_driver_wiredtiger,
#endif
#if BENCH_HAVE_XAPIAN
    [ENGINE_XAPIAN] = &bench_driver_xapian,
#endif
    [ENGINE_DOLTLITE] = &bench_driver_doltlite,
    [ENGINE_BARE] = &bench_driver_bare,
};

static char data_dir[3800];
static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

static void usage(FILE *out)
{
    fputs(
        "usage: yore_bench [--workload NAME,...] [--engines NAME,...] [--rounds N] [--keys N] [--reads N]\n"
        "                  [--documents N] [--load-keys N] [--budget MIB] [--quick] [--cpu-time] [--json FILE]\n"
        "                  [--dir DIR] [--list]\n"
        "  --workload  rows whose names start with one of these (default all; --list names them)\n"
        "  --engines   yore,lmdb,rocksdb,sqlite,wiredtiger,xapian,doltlite,bare (default all that were built in)\n"
        "  --rounds    rounds, engines alternating in each (default 5)\n"
        "  --keys      keys of 100 B values (default 1000000)\n"
        "  --reads     point reads a round (default as many as keys)\n"
        "  --documents documents of the search rows (default 60000)\n"
        "  --load-keys keys of the load_, big_ and walk_ rows and of open_large (default 10000000)\n"
        "  --budget    MiB of memory for them, where an engine has a budget (default 256)\n"
        "  --quick     100000 keys, 500000 to load, 5000 documents, 2 rounds: to see that it works, not to judge by\n"
        "  --cpu-time  rates by the CPU time of the measuring thread where there is one: for a busy machine\n"
        "  --json      also write everything to FILE\n"
        "  --dir       where to make a temporary directory (default beside this program)\n",
        out);
}

static uint64_t parse_count(const char *name, const char *text, uint64_t min, uint64_t max)
{
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value < min || value > max) {
        fprintf(stderr, "yore_bench: --%s wants a number from %llu to %llu, not '%s'\n", name,
                (unsigned long long)min, (unsigned long long)max, text);
        exit(2);
    }
    return value;
}

static void list_rows(void)
{
    for (int metric = 0; metric < M_COUNT; metric++) {
        puts(report_rows[metric].name);
    }
}

static void parse_options(int argc, char **argv, const char **parent_dir, const char **stage)
{
    static const struct option options[] = {{"workload", required_argument, NULL, 'w'},
                                            {"engines", required_argument, NULL, 'e'},
                                            {"rounds", required_argument, NULL, 'r'},
                                            {"keys", required_argument, NULL, 'k'},
                                            {"reads", required_argument, NULL, 'n'},
                                            {"documents", required_argument, NULL, 't'},
                                            {"load-keys", required_argument, NULL, 'o'},
                                            {"budget", required_argument, NULL, 'b'},
                                            {"stage", required_argument, NULL, 's'}, /* stage.c */
                                            {"quick", no_argument, NULL, 'q'},
                                            {"json", required_argument, NULL, 'j'},
                                            {"dir", required_argument, NULL, 'd'},
                                            {"cpu-time", no_argument, NULL, 'c'},
                                            {"list", no_argument, NULL, 'l'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'w': bench_opt.workloads = optarg; break;
        case 'e': bench_opt.engines = optarg; break;
        case 'r': bench_opt.rounds = (uint32_t)parse_count("rounds", optarg, 1, REPORT_ROUNDS_MAX); break;
        case 'k': bench_opt.keys = parse_count("keys", optarg, 1000, 100000000); break;
        case 'n': bench_opt.reads = parse_count("reads", optarg, 1000, 1000000000); break;
        case 't': bench_opt.documents = parse_count("documents", optarg, 1000, 10000000); break;
        case 'o': bench_opt.load_keys = parse_count("load-keys", optarg, 10000, 100000000); break;
        case 'b': bench_opt.budget_bytes = parse_count("budget", optarg, 16, 65536) << 20; break;
        case 's': *stage = optarg; break;
        case 'q':
            bench_opt.quick = true;
            bench_opt.keys = 100000;
            bench_opt.load_keys = 500000;
            bench_opt.budget_bytes = 32u << 20;
            bench_opt.cold_reads = 2000;
            bench_opt.rounds = 2;
            bench_opt.durable_ops = 300;
            bench_opt.documents = 5000;
            bench_opt.queries = 100;
            bench_opt.mixed_ms = 100;
            break;
        case 'c': bench_opt.cpu_time = true; break;
        case 'j': bench_opt.json_path = optarg; break;
        case 'd': *parent_dir = optarg; break;
        case 'l': list_rows(); exit(0);
        case 'h': usage(stdout); exit(0);
        default: usage(stderr); exit(2);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "yore_bench: unexpected argument '%s'\n", argv[optind]);
        exit(2);
    }
}

static void remove_data_dir(void)
{
    bench_dir_remove(data_dir);
}

/* A directory of our own below `parent`, or beside the program. */
static void make_data_dir(const char *parent)
{
    char self[3600];
    if (parent == NULL) {
        ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (length <= 0) {
            bench_fatal("cannot find this program's directory; give one with --dir");
        }
        self[length] = '\0';
        *strrchr(self, '/') = '\0';
        parent = self;
    }
    snprintf(data_dir, sizeof(data_dir), "%.3600s/bench-data-%ld", parent, (long)getpid());
    if (mkdir(data_dir, 0755) != 0) {
        bench_fatal("cannot make '%s'", data_dir);
    }
    bench_opt.data_dir = data_dir;
    atexit(remove_data_dir);
}

static bool engine_selected(enum bench_engine engine)
{
    const char *list = bench_opt.engines;
    const char *name = report_drivers[engine] == NULL ? NULL : report_drivers[engine]->name;
    if (engine == ENGINE_DOLTLITE && experiment_doltlite_shell() == NULL) {
        return false; /* describe says so */
    }
    if (name == NULL || list == NULL) {
        return name != NULL;
    }
    size_t length = strlen(name);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static void progress(uint32_t round, const char *group, const char *engine)
{
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[Kround %u of %u: %s, %s", round + 1, bench_opt.rounds, group, engine);
    }
}

typedef void (*group_run)(enum bench_engine engine, const bench_driver *driver);

/* One group of workloads on each engine of a set in turn; every round starts with another engine. */
static void run_group(uint32_t round, const char *name, group_run run, unsigned set)
{
    for (uint32_t i = 0; i < ENGINE_COUNT && !interrupted; i++) {
        enum bench_engine engine = (enum bench_engine)((i + round) % ENGINE_COUNT);
        if (engine_selected(engine) && (set >> engine & 1u) != 0) {
            progress(round, name, report_drivers[engine]->name);
            run(engine, report_drivers[engine]);
        }
    }
}

/* The groups that run in stages. */
static void run_round_on_disk(uint32_t round)
{
    if (bench_wants_any(M_REOPEN_GET, M_REOPEN_COLD) || bench_wants(M_OPEN_MEDIUM) ||
        bench_wants(M_OPEN_COLD)) {
        run_group(round, "after a reopen", workload_reopen, ENGINES_STORES);
    }
    if (bench_wants_any(M_REOPEN_ASOF, M_REOPEN_LATEST)) {
        run_group(round, "versions after a reopen", workload_past, ENGINES_STORES);
    }
    if (bench_wants(M_OPEN_SMALL)) {
        run_group(round, "open", workload_small, ENGINES_STORES);
    }
    if (bench_wants_any(M_LEFT_PLAIN, M_PACKED_ASOF)) {
        run_group(round, "compressed", workload_packed, ENGINES_STORES);
    }
    if (bench_wants_any(M_LOAD_PUT, M_BIG_RSS) || bench_wants(M_OPEN_LARGE)) {
        run_group(round, "larger than memory", workload_large, ENGINES_STORES);
    } else if (bench_wants_any(M_WALK_SCAN, M_WALK_RSS)) {
        run_group(round, "larger than memory", workload_large, 1u << ENGINE_YORE);
    }
    if (bench_wants_any(M_HISTORY_GET_1, M_HISTORY_SCAN_20)) {
        run_group(round, "history", workload_history, 1u << ENGINE_YORE);
    }
    if (bench_wants_any(M_STALL_IDLE, M_STALL_WORST)) {
        run_group(round, "stalls", workload_stall, ENGINES_COMPACTING);
    }
    if (bench_wants_any(M_BACKUP_ALONE, M_BACKUP_BESIDE)) {
        run_group(round, "backup", workload_backup, 1u << ENGINE_YORE);
    }
    if (bench_wants_any(M_OPEN_BRANCHES, M_CASCADE_DELETE)) {
        run_group(round, "many branches", workload_many, 1u << ENGINE_YORE);
    }
    if (bench_wants_any(M_DIFF_SMALL, M_MERGE_SMALL)) {
        run_group(round, "few changes", workload_few_changes, 1u << ENGINE_YORE);
    }
}

static void run_round(uint32_t round)
{
    bool point = bench_wants_any(M_PUT_RANDOM, M_PUT_RANDOM) || bench_wants_any(M_GET_RANDOM, M_SCAN) ||
                 bench_wants_any(M_MIXED_READ, M_MIXED_WRITE) || bench_wants(M_SPACE_PLAIN);
    report_round_set(round);
    if (point) {
        run_group(round, "point reads and writes", workload_point, ENGINES_STORES);
    }
    if (bench_wants(M_PUT_BATCH)) {
        run_group(round, "batches", workload_batch, ENGINES_STORES);
    }
    if (bench_wants_any(M_VERSION_PUT, M_LATEST_GET) || bench_wants(M_SPACE_VERSIONS)) {
        run_group(round, "versions", workload_versions, ENGINES_STORES);
    }
    if (bench_wants_any(M_DURABLE_1, M_DURABLE_16)) {
        run_group(round, "durable", workload_durable, ENGINES_DURABLE);
    }
    if (bench_wants_any(M_SEARCH_INDEX, M_SEARCH_MEMORY)) {
        run_group(round, "search", workload_search, ENGINES_SEARCH);
    } else if (bench_wants_any(M_SEARCH_PAST, M_SEARCH_OPEN)) {
        run_group(round, "search", workload_search, 1u << ENGINE_YORE);
    }
    if (bench_wants_any(M_BRANCH_FORK_FIRST, M_MERGE_10)) {
        run_group(round, "experiments", workload_experiments, ENGINES_BRANCHING);
    }
    run_round_on_disk(round);
#if BENCH_HAVE_YORE
    if (!engine_selected(ENGINE_YORE) || interrupted) {
        return;
    }
    if (bench_wants_any(M_FORK_FIRST, M_FORK_RSS)) {
        progress(round, "forks", "yore");
        workload_forks();
    }
    if (bench_wants_any(M_DEPTH_FOUND_1, M_DEPTH_MISSING_32)) {
        progress(round, "lineage", "yore");
        workload_lineage();
    }
    if (bench_wants_any(M_TWO_WRITERS_COMMIT, M_TWO_WRITERS_OS_1)) {
        progress(round, "two writers", "yore");
        workload_writers();
    }
    if (bench_wants_any(M_COMMIT_ALONE, M_MERGE_BESIDE)) {
        progress(round, "commits beside", "yore");
        workload_beside();
    }
    if (bench_wants_any(M_SEARCH_20_SINGLE, M_SEARCH_20_MEMORY)) {
        progress(round, "search in versions", "yore");
        workload_search_versions();
    }
    /* Counts of bytes do not vary from round to round. */
    if (round == 0 && bench_wants_any(M_MEMORY_FIRST, M_MEMORY_RSS)) {
        progress(round, "memory", "yore");
        workload_memory();
    }
#endif
}

int main(int argc, char **argv)
{
    const char *parent_dir = NULL;
    const char *stage = NULL;
    struct sigaction action;
    parse_options(argc, argv, &parent_dir, &stage);
    bench_opt.reads = bench_opt.reads == 0 ? bench_opt.keys : bench_opt.reads;
    bench_opt.version_keys = bench_opt.keys / BENCH_VERSIONS_PER_KEY;
    bench_opt.memory_keys = bench_opt.keys;
    stage_arguments_set(argv);
    if (stage != NULL) {
        return stage_main(stage);
    }
    make_data_dir(parent_dir);
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    action.sa_flags = (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    report_print_machine(stdout);
    fflush(stdout);
    for (uint32_t round = 0; round < bench_opt.rounds && !interrupted; round++) {
        run_round(round);
    }
    if (isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }
    if (interrupted) {
        puts("interrupted: what was measured until then\n");
    }
    report_print(stdout);
    if (bench_opt.json_path != NULL) {
        report_write_json(bench_opt.json_path);
    }
    return interrupted ? 128 + (int)interrupted : 0;
}
