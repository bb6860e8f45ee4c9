/* Committing, forking and changing settings while searching from other threads: every answer must be that of one
 * snapshot, which is read whole and searched by definition for comparison.
 *
 *   test_search_threads     YORE_TEST_SEED picks another run */
#define _DEFAULT_SOURCE
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "tests/search/db/reference_search.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOW_DOWN 4u
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SLOW_DOWN 4u
#endif
#endif
#ifndef SLOW_DOWN
#define SLOW_DOWN 1u
#endif

enum {
    WRITERS = 2,
    SEARCHERS = 3,
    KEYS = 60,
    SEARCHES = 1200 / SLOW_DOWN,
    COMMITS = 3000 / SLOW_DOWN,
    BRANCHES_MAX = 12
};

static const char *const words[] = {"storm", "storms", "damage", "run",  "running", "runs", "the",
                                    "calm",  "sea",    "branch", "fork", "forks",   "tree", "trees"};
enum { WORDS = sizeof words / sizeof words[0] };

static const char *const languages[] = {"english", "none"};

/* What the prefix that comes and goes leaves out. */
static const reference_rule without_k1 = {.prefix = {"k1", 2}, .is_indexed = false};

typedef struct shared {
    yore_db *db;
    uint64_t seed;
    _Atomic uint32_t branches, searchers_left;
    _Atomic uint64_t commits, searches, hits;
} shared;

typedef struct worker {
    shared *s;
    yr_rng rng;
} worker;

_Noreturn static void give_up(const worker *w, const char *what, const yore_error *err)
{
    fprintf(stderr, "FAILED: seed %" PRIu64 ": %s: %s\n", w->s->seed, what, err ? err->message : "");
    abort();
}

static void need(const worker *w, yore_status status, const char *what, const yore_error *err)
{
    if (status != YORE_OK) give_up(w, what, err);
}

static bool still_searching(const shared *s)
{
    return atomic_load_explicit(&s->searchers_left, memory_order_acquire) > 0;
}

static uint32_t some_branch(worker *w)
{
    return 1 + (uint32_t)yr_rng_below(&w->rng, atomic_load_explicit(&w->s->branches, memory_order_acquire));
}

/* -- writing -- */

static void write_once(worker *w)
{
    yore_error err = YORE_ERROR_INIT;
    char branch[16], key[16], text[128] = "";
    yore_txn *txn;
    snprintf(branch, sizeof branch, "id:%u", some_branch(w));
    need(w, yore_begin(w->s->db, yore_str(branch), NULL, &txn, &err), "begin", &err);
    for (uint64_t left = 1 + yr_rng_below(&w->rng, 3); left; left--) {
        snprintf(key, sizeof key, "k%u", (unsigned)yr_rng_below(&w->rng, KEYS));
        if (yr_rng_below(&w->rng, 5) == 0) {
            need(w, yore_del(txn, yore_str_key(key), NULL, &err), "del", &err);
            continue;
        }
        text[0] = 0;
        for (uint64_t n = 1 + yr_rng_below(&w->rng, 8); n; n--) {
            size_t used = strlen(text);
            snprintf(text + used, sizeof text - used, "%s ", words[yr_rng_below(&w->rng, WORDS)]);
        }
        yore_put_options options = YORE_PUT_OPTIONS_INIT;
        if (yr_rng_below(&w->rng, 4) == 0) options.ttl_ns = 1 + (int64_t)yr_rng_below(&w->rng, 20000000);
        need(w, yore_put(txn, yore_str_key(key), yore_str(text), &options, &err), "put", &err);
    }
    yore_status status = yore_commit(txn, yore_str(""), NULL, &err);
    if (status != YORE_CONFLICT) need(w, status, "commit", &err);
    atomic_fetch_add_explicit(&w->s->commits, status == YORE_OK, memory_order_relaxed);
}

static void fork_once(worker *w)
{
    yore_error err = YORE_ERROR_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    char name[16];
    uint32_t count = atomic_load_explicit(&w->s->branches, memory_order_acquire);
    if (count == BRANCHES_MAX) return;
    from.branch_id = some_branch(w);
    options.from = &from;
    snprintf(name, sizeof name, "b%u", count + 1);
    need(w, yore_branch_create(w->s->db, yore_str(name), &options, NULL, &err), "fork", &err);
    atomic_store_explicit(&w->s->branches, count + 1, memory_order_release);
}

static void *run_writer(void *arg)
{
    worker *w = arg;
    for (uint32_t n = 0; still_searching(w->s); n++) {
        /* slower than the index, or searches only wait */
        yore_env_default()->sleep_ns(NULL, n < COMMITS ? 300000 : 20000000);
        write_once(w);
    }
    return NULL;
}

/* Forks, and turns the settings about. */
static void *run_changer(void *arg)
{
    worker *w = arg;
    yore_error err = YORE_ERROR_INIT;
    yore_search_stats stats = {.struct_size = sizeof stats};
    for (uint64_t n = 0; still_searching(w->s); n++) {
        char number[16];
        yore_env_default()->sleep_ns(NULL, 3000000);
        if (n % 20 == 0) fork_once(w);
        snprintf(number, sizeof number, "%u.%u", (unsigned)yr_rng_below(&w->rng, 3),
                 (unsigned)yr_rng_below(&w->rng, 9));
        if (n % 4 == 0) need(w, yore_config_set(w->s->db, "search.k1", number, NULL, &err), "k1", &err);
        if (n % 60 == 59 && n < 400) { /* each makes the index again: for ever would be a race against it */
            const char *language = languages[yr_rng_below(&w->rng, 2)];
            need(w, yore_config_set(w->s->db, "search.language", language, NULL, &err), "language", &err);
        }
        if (n % 60 == 29 && n < 400) {
            const char *value = yr_rng_below(&w->rng, 2) ? "none" : "";
            need(w, yore_config_set_prefix(w->s->db, "search.index", without_k1.prefix, value, NULL, &err),
                 "prefix", &err);
        }
        need(w, yore_search_stats_get(w->s->db, &stats, &err), "stats", &err);
    }
    return NULL;
}

/* -- searching -- */

typedef struct searcher {
    worker w;
    yr_analyzer *analyzers[2];
} searcher;

/* Does the answer equal the definition's, in one language, with the rule or (0) without it? */
static bool is_answer(searcher *q, yore_snap *snap, yr_analyzer *analyzer, size_t rules,
                      const yore_search_info *info, yore_slice text, const yore_hit *hits, size_t count)
{
    yore_error err = YORE_ERROR_INIT;
    reference r;
    yr_arena arena;
    yr_query_node *root;
    reference_hit *wanted;
    const yr_query_options options = {0};
    reference_load(&r, snap, analyzer, &without_k1, rules);
    yr_arena_init(&arena, yore_env_default());
    need(&q->w, yr_query_parse(text, &options, analyzer, &arena, &root, &err), "parse", &err);
    const reference_question asked = {.root = root, .k1 = info->k1, .b = info->b};
    size_t matches = reference_search(&r, &asked, &wanted);
    bool same = info->documents == r.doc_count && info->total_length == r.total_length &&
                info->matches == matches && count == matches;
    for (size_t i = 0; i < count && same; i++) {
        same = hits[i].key.user.size == wanted[i].key.size &&
               memcmp(hits[i].key.user.data, wanted[i].key.data, wanted[i].key.size) == 0 &&
               fabs(hits[i].score - wanted[i].score) < 1e-9;
    }
    free(wanted);
    yr_arena_deinit(&arena);
    reference_close(&r);
    return same;
}

static void open_somewhere(searcher *q, yore_snap **snap)
{
    yore_error err = YORE_ERROR_INIT;
    yore_stats stats = {.struct_size = sizeof stats};
    yore_at at = YORE_AT_INIT;
    at.branch_id = some_branch(&q->w);
    if (yr_rng_below(&q->w.rng, 3) == 0) {
        need(&q->w, yore_stats_get(q->w.s->db, &stats, &err), "stats", &err);
        at.kind = YORE_AT_VERSION;
        at.version = 1 + yr_rng_below(&q->w.rng, stats.version);
    }
    need(&q->w, yore_snap_open(q->w.s->db, &at, snap, NULL, &err), "snapshot", &err);
}

static void search_once(searcher *q)
{
    static const char *const queries[] = {"storm damage",           "run* calm",
                                          "\"storm damage\"",       "+sea -fork tree",
                                          "(run OR forks) +branch", "the storm"};
    yore_error err = YORE_ERROR_INIT;
    yore_hit hits[KEYS + 1];
    size_t count = 0;
    yore_snap *snap;
    yore_iter *iter;
    yore_query query = YORE_QUERY_INIT;
    yore_search_info info = {.struct_size = sizeof info};
    query.text = yore_str(queries[yr_rng_below(&q->w.rng, sizeof queries / sizeof queries[0])]);
    query.k = KEYS + 1;
    query.wait_ns = -1;
    open_somewhere(q, &snap);
    need(&q->w, yore_search(snap, &query, &iter, &err), "search", &err);
    need(&q->w, yore_search_info_get(iter, &info, &err), "info", &err);
    yore_status status = yore_search_next(iter, hits, sizeof hits[0], KEYS + 1, &count, &err);
    if (status != YORE_END) need(&q->w, status, "next", &err);
    /* which settings were in force when it was answered is not known here: one of four */
    bool same = false;
    for (size_t i = 0; i < 4 && !same; i++)
        same = is_answer(q, snap, q->analyzers[i % 2], i / 2, &info, query.text, hits, count);
    if (!same) give_up(&q->w, (const char *)query.text.data, NULL);
    yore_iter_close(iter);
    yore_snap_close(snap);
    atomic_fetch_add_explicit(&q->w.s->searches, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&q->w.s->hits, count, memory_order_relaxed);
}

static void *run_searcher(void *arg)
{
    searcher *q = arg;
    yore_error err = YORE_ERROR_INIT;
    for (int i = 0; i < 2; i++)
        need(&q->w, yr_analyzer_open(yore_env_default(), yore_str(languages[i]), &q->analyzers[i], &err),
             "analyzer", &err);
    for (uint32_t i = 0; i < SEARCHES; i++) search_once(q);
    for (int i = 0; i < 2; i++) yr_analyzer_close(q->analyzers[i]);
    atomic_fetch_sub_explicit(&q->w.s->searchers_left, 1, memory_order_acq_rel);
    return NULL;
}

int main(void)
{
    static shared s;
    static worker workers[WRITERS + 1];
    static searcher searchers[SEARCHERS];
    pthread_t threads[WRITERS + 1 + SEARCHERS];
    yore_error err = YORE_ERROR_INIT;
    const char *seed = getenv("YORE_TEST_SEED");
    s.seed = seed ? strtoull(seed, NULL, 0) : 1;
    printf("seed %" PRIu64 "\n", s.seed);
    fflush(stdout);
    worker first = {.s = &s};
    need(&first, yore_open(":memory:", NULL, &s.db, &err), "open", &err);
    atomic_store_explicit(&s.branches, 1, memory_order_relaxed);
    atomic_store_explicit(&s.searchers_left, SEARCHERS, memory_order_relaxed);
    int failed = 0;
    for (uint32_t i = 0; i < WRITERS + 1; i++) {
        workers[i] = (worker){.s = &s, .rng = {s.seed * 100 + i}};
        failed |= pthread_create(&threads[i], NULL, i < WRITERS ? run_writer : run_changer, &workers[i]);
    }
    for (uint32_t i = 0; i < SEARCHERS; i++) {
        searchers[i] = (searcher){.w = {.s = &s, .rng = {s.seed * 100 + 50 + i}}};
        failed |= pthread_create(&threads[WRITERS + 1 + i], NULL, run_searcher, &searchers[i]);
    }
    if (failed) give_up(&first, "pthread_create", NULL);
    for (uint32_t i = 0; i < WRITERS + 1 + SEARCHERS; i++) pthread_join(threads[i], NULL);
    printf("%" PRIu64 " searches with %" PRIu64 " hits beside %" PRIu64
           " commits on %u branches: each of one snapshot\n",
           s.searches, s.hits, s.commits, s.branches);
    yore_close(s.db);
    return s.hits > 0 ? 0 : 1;
}
