/* Searches: 60,000 documents indexed from nothing, then the best ten of 300 queries of each kind. Ahead of the first
 * round's searches the engines count the matches of every query, and must agree.
 *
 * yore alone: the same OR queries on the moment when half of the documents were there, and on a branch that has a
 * hundredth of them rewritten; the first search after the store was opened again (search_open: what making the index
 * anew costs); and a store of a twentieth of the documents with 20 versions each (search_20_now, search_20_past),
 * beside one that has only their newest version (search_20_single). */
#include <stdlib.h>

#include "bench/bench_search.h"
#include "bench/data.h"
#include "bench/workload.h"

#ifndef BENCH_HAVE_YORE
#define BENCH_HAVE_YORE 0
#endif
#ifndef BENCH_HAVE_SQLITE
#define BENCH_HAVE_SQLITE 0
#endif
#ifndef BENCH_HAVE_XAPIAN
#define BENCH_HAVE_XAPIAN 0
#endif

#define FORK_STEP 100u /* one document of so many is rewritten on the branch */
#define WARM_UP 16u

static const search_engine *const engines[ENGINE_COUNT] = {
#if BENCH_HAVE_YORE
    [ENGINE_YORE] = &search_engine_yore,
#endif
#if BENCH_HAVE_SQLITE
    [ENGINE_SQLITE] = &search_engine_sqlite,
#endif
#if BENCH_HAVE_XAPIAN
    [ENGINE_XAPIAN] = &search_engine_xapian,
#endif
};

#if BENCH_HAVE_XAPIAN
static void describe_xapian(bool durable, char *out, size_t size)
{
    (void)durable;
    snprintf(out, size, "only searches; its settings are below");
}

const bench_driver bench_driver_xapian = {.name = "xapian", .describe = describe_xapian};
#endif

static const enum report_metric mode_rows[SEARCH_MODES] = {M_SEARCH_OR, M_SEARCH_AND, M_SEARCH_PHRASE};

/* Made once: the same for all engines and rounds. */
static search_document *documents;
static char *texts;
static search_query *queries[SEARCH_MODES];

static void make_texts(void)
{
    uint64_t n = bench_opt.documents;
    uint64_t bytes = 0;
    if (documents != NULL) {
        return;
    }
    documents = search_documents_make(0, 1, n, 0, &texts);
    for (uint32_t mode = 0; mode < SEARCH_MODES; mode++) {
        queries[mode] = search_queries_make((enum search_mode)mode, n, bench_opt.queries);
    }
    for (uint64_t i = 0; i < n; i++) {
        bytes += documents[i].size;
    }
    report_note("search", "%llu documents of %.0f B on average, %llu queries of each kind",
                (unsigned long long)n, (double)bytes / (double)n, (unsigned long long)bench_opt.queries);
}

static double rate(uint64_t operations, uint64_t elapsed_ns)
{
    return workload_rate(operations, elapsed_ns) * 1000;
}

static void query_loop(enum bench_engine engine, void *store, enum search_mode mode, enum report_metric row)
{
    const search_engine *searcher = engines[engine];
    bench_latency latency;
    size_t n = bench_opt.queries;
    double score = 0;
    if (!bench_wants(row)) {
        return;
    }
    for (size_t i = 0; i < n / WARM_UP; i++) {
        searcher->search(store, &queries[mode][i], &score);
    }
    bench_latency_init(&latency, n);
    uint64_t start = bench_run_ns();
    for (size_t i = 0; i < n; i++) {
        uint64_t before = bench_now_ns();
        size_t found = searcher->search(store, &queries[mode][i], &score);
        bench_latency_add(&latency, bench_now_ns() - before);
        if (found > SEARCH_TOP || !(score >= 0)) {
            bench_fatal("%s: %zu hits, scores add up to %g", report_drivers[engine]->name, found, score);
        }
    }
    report_add(engine, row, rate(n, bench_run_ns() - start), &latency);
    bench_latency_deinit(&latency);
}

/* The sum depends on every query's count. */
static void count_matches(enum bench_engine engine, void *store, enum search_mode mode)
{
    static const char *const keys[SEARCH_MODES] = {"search_or10", "search_and10", "search_phrase10"};
    enum report_metric row = mode_rows[mode];
    uint64_t found = 0;
    uint64_t sum = 0;
    if (!bench_wants(row)) {
        return;
    }
    for (size_t i = 0; i < bench_opt.queries; i++) {
        uint64_t n = engines[engine]->count(store, &queries[mode][i]);
        found += n;
        sum = data_mix(sum ^ n);
    }
    report_answers(engine, row, found, sum);
    report_note(keys[mode], "%.1f documents match a query on average, the same in every engine",
                (double)found / (double)bench_opt.queries);
}

#if BENCH_HAVE_YORE
static void put_documents(void *store, const char *branch, uint64_t step, uint64_t version)
{
    char *own_texts = NULL;
    size_t n = (bench_opt.documents + step - 1) / step;
    search_document *own = search_documents_make(0, step, n, version, &own_texts);
    search_yore_put(store, branch, own, n);
    free(own);
    free(own_texts);
}

/* In a loaded store that has one version of each document. */
static void search_elsewhere(void *store)
{
    if (bench_wants(M_SEARCH_PAST)) {
        search_yore_look(store, "default", search_yore_half(store));
        query_loop(ENGINE_YORE, store, SEARCH_OR, M_SEARCH_PAST);
    }
    if (bench_wants(M_SEARCH_FORK)) {
        search_yore_fork(store, "rewritten");
        put_documents(store, "rewritten", FORK_STEP, 1);
        search_yore_look(store, "rewritten", 0);
        query_loop(ENGINE_YORE, store, SEARCH_OR, M_SEARCH_FORK);
    }
    if (bench_wants(M_SEARCH_OPEN)) {
        bench_unpin();
        search_yore_reopen(store);
        uint64_t start = bench_process_ns();
        search_yore_look(store, "default", 0);
        report_add(ENGINE_YORE, M_SEARCH_OPEN, rate(bench_opt.documents, bench_process_ns() - start), NULL);
    }
}

/* A store of documents 0, 20, 40 ... with versions `first` to the last one; *half: when half of those were there. */
static void *open_versions(const char *dir, uint64_t first, uint64_t *half)
{
    void *store = search_engine_yore.open(dir);
    bench_pin(WORKLOAD_CPU);
    for (uint64_t version = first; version < BENCH_VERSIONS_PER_KEY; version++) {
        char *own_texts = NULL;
        size_t n = (bench_opt.documents + BENCH_VERSIONS_PER_KEY - 1) / BENCH_VERSIONS_PER_KEY;
        search_document *own = search_documents_make(0, BENCH_VERSIONS_PER_KEY, n, version, &own_texts);
        uint64_t last = search_yore_put(store, "default", own, n);
        if (version == BENCH_VERSIONS_PER_KEY / 2 - 1) {
            *half = last;
        }
        free(own);
        free(own_texts);
    }
    search_yore_look(store, "default", 0);
    return store;
}

void workload_search_versions(void)
{
    uint64_t half = 0;
    make_texts();
    const char *dir = bench_dir_fresh("versions");
    void *store = open_versions(dir, BENCH_VERSIONS_PER_KEY - 1, &half);
    query_loop(ENGINE_YORE, store, SEARCH_OR, M_SEARCH_20_SINGLE);
    bench_unpin();
    search_engine_yore.close(store);
    bench_dir_remove(dir);

    dir = bench_dir_fresh("versions");
    store = open_versions(dir, 0, &half);
    query_loop(ENGINE_YORE, store, SEARCH_OR, M_SEARCH_20_NOW);
    search_yore_look(store, "default", half);
    query_loop(ENGINE_YORE, store, SEARCH_OR, M_SEARCH_20_PAST);
    if (bench_wants(M_SEARCH_20_MEMORY)) {
        uint64_t versions = bench_opt.documents / BENCH_VERSIONS_PER_KEY * BENCH_VERSIONS_PER_KEY;
        report_add(ENGINE_YORE, M_SEARCH_20_MEMORY,
                   (double)search_engine_yore.index_bytes(store) / (double)versions, NULL);
    }
    bench_unpin();
    search_engine_yore.close(store);
    bench_dir_remove(dir);
}
#endif

void workload_search(enum bench_engine engine, const bench_driver *driver)
{
    const search_engine *searcher = engines[engine];
    const char *dir = bench_dir_fresh(driver->name);
    char key[32];
    char settings[512];
    make_texts();
    snprintf(key, sizeof(key), "search, %s", driver->name);
    searcher->describe(settings, sizeof(settings));
    report_note(key, "%s", settings);
    void *store = searcher->open(dir);
    bench_pin(WORKLOAD_CPU);
    uint64_t start = bench_process_ns();
    searcher->index(store, documents, bench_opt.documents);
    uint64_t elapsed = bench_process_ns() - start;
    if (bench_wants(M_SEARCH_INDEX)) {
        report_add(engine, M_SEARCH_INDEX, rate(bench_opt.documents, elapsed), NULL);
    }
    searcher->settle(store);
    if (bench_wants(M_SEARCH_MEMORY)) {
        double bytes = (double)searcher->index_bytes(store);
        report_add(engine, M_SEARCH_MEMORY, bytes / (double)bench_opt.documents, NULL);
    }
    for (uint32_t mode = 0; mode < SEARCH_MODES; mode++) {
        if (report_round_get() == 0) {
            count_matches(engine, store, (enum search_mode)mode);
        }
        query_loop(engine, store, (enum search_mode)mode, mode_rows[mode]);
    }
#if BENCH_HAVE_YORE
    if (engine == ENGINE_YORE) {
        search_elsewhere(store);
    }
#endif
    bench_unpin();
    searcher->close(store);
    bench_dir_remove(dir);
}
