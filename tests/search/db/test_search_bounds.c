/* Memory and threads of a search under load: what one text, one limit or one badly timed close may cost. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <yore.h>

#include "search/index/text_counts.h"

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

/* -- an environment that counts: memory, threads -- */

static struct {
    _Atomic uint64_t bytes, peak;
    _Atomic uint32_t threads;
    uint64_t fails_in; /* the n-th allocation from now fails, and those behind it; 0: none */
    yore_db *closes;   /* closed by the next look at the clock */
} counted;

static void count_bytes(uint64_t more, uint64_t less)
{
    uint64_t now = atomic_fetch_add(&counted.bytes, more - less) + more - less;
    uint64_t peak = atomic_load(&counted.peak);
    while (now > peak && !atomic_compare_exchange_weak(&counted.peak, &peak, now)) continue;
}

static bool fails(void)
{
    if (!counted.fails_in || --counted.fails_in) return false;
    counted.fails_in = 1;
    return true;
}

static void *counting_alloc(void *ctx, size_t size)
{
    if (fails()) return NULL;
    void *block = yore_env_default()->alloc(ctx, size);
    if (block) count_bytes(size, 0);
    return block;
}

static void *counting_realloc(void *ctx, void *old, size_t old_size, size_t size)
{
    if (fails()) return NULL;
    void *block = yore_env_default()->realloc(ctx, old, old_size, size);
    if (block) count_bytes(size, old ? old_size : 0);
    return block;
}

static void counting_free(void *ctx, void *block, size_t size)
{
    if (block) count_bytes(0, size);
    yore_env_default()->free(ctx, block, size);
}

static int no_threads(void *ctx, void (*run)(void *arg), void *arg, yore_thread **out)
{
    (void)ctx;
    (void)run;
    (void)arg;
    (void)out;
    return -ENOTSUP;
}

static yore_env counting_env(void)
{
    yore_env env = *yore_env_default();
    env.alloc = counting_alloc;
    env.realloc = counting_realloc;
    env.free = counting_free;
    env.thread_create = no_threads;
    return env;
}

static yore_db *open_in(const yore_env *env, uint64_t search_bytes_max)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db;
    options.env = env;
    options.search_bytes_max = search_bytes_max;
    ok(yore_open(":memory:", &options, &db, &err));
    return db;
}

static yore_status search_best(yore_db *db, const char *text, uint64_t *matches, double *best)
{
    yore_query query = YORE_QUERY_INIT;
    yore_search_info info = {.struct_size = sizeof info};
    yore_hit hit;
    yore_iter *iter;
    yore_snap *snap;
    size_t n;
    query.text = yore_str(text);
    query.wait_ns = -1;
    ok(yore_snap_open(db, NULL, &snap, NULL, &err));
    yore_status status = yore_search(snap, &query, &iter, &err);
    if (status == YORE_OK) {
        ok(yore_search_info_get(iter, &info, &err));
        *best = yore_search_next(iter, &hit, sizeof hit, 1, &n, &err) == YORE_OK ? hit.score : 0;
        yore_iter_close(iter);
    }
    yore_snap_close(snap);
    *matches = info.matches;
    return status;
}

static yore_status search(yore_db *db, const char *text, uint64_t *matches)
{
    double ignored;
    return search_best(db, text, matches, &ignored);
}

static double best_score(yore_db *db, const char *text, uint64_t *matches)
{
    double best = 0;
    ok(search_best(db, text, matches, &best));
    return best;
}

/* -- memory -- */

static void test_a_phrase_takes_no_memory_for_the_length_of_a_text(void **state)
{
    (void)state;
    enum { SIZE = 4 << 20 };
    yore_env env = counting_env();
    yore_db *db = open_in(&env, 0);
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < SIZE; i += 2) memcpy(text + i, i % 1024 ? "b " : "c ", 2);
    ok(yore_db_put(db, yore_str(""), yore_str_key("long"), yore_bytes(text, SIZE), NULL, &err));
    uint64_t matches;
    ok(search(db, "\"b c\"", &matches)); /* makes the index */
    assert_int_equal(matches, 1);
    static const struct {
        const char *query;
        uint64_t matches;
    } cases[] = {{"\"b b b\"", 1}, {"\"c c\"", 0}, {"\"c b b\" -\"c c\"", 1}, {"+\"b c b\" +\"b c c\"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t before = atomic_load(&counted.bytes);
        atomic_store(&counted.peak, before);
        ok(search(db, cases[i].query, &matches));
        assert_int_equal(matches, cases[i].matches);
        /* of which 1 MiB is the stemmer's cache */
        assert_in_range(atomic_load(&counted.peak) - before, 1, 2 << 20);
    }
    free(text);
    yore_close(db);
}

static void test_a_query_that_is_too_long_is_refused_unread(void **state)
{
    (void)state;
    enum { SIZE = 64 << 20 };
    yore_env env = counting_env();
    yore_db *db = open_in(&env, 0);
    yore_query query = YORE_QUERY_INIT;
    yore_iter *iter;
    yore_snap *snap;
    char *text = calloc(SIZE, 1);
    assert_non_null(text);
    query.text = yore_bytes(text, SIZE);
    ok(yore_snap_open(db, NULL, &snap, NULL, &err));
    uint64_t before = atomic_load(&counted.bytes);
    atomic_store(&counted.peak, before);
    assert_int_equal(yore_search(snap, &query, &iter, &err), YORE_ERR_LIMIT);
    assert_non_null(strstr(err.message, "4,096 bytes"));
    assert_in_range(atomic_load(&counted.peak) - before, 1, 1 << 20);
    free(text);
    yore_snap_close(snap);
    yore_close(db);
}

/* Long keys, long words or one long text: whatever the memory goes to, it is the one limit that ends it. */
static void test_the_memory_limit_counts_everything_the_index_holds(void **state)
{
    (void)state;
    enum { LIMIT = 8 << 20, TEXT = 12 << 20 };
    yore_env env = counting_env();
    char *text = malloc(TEXT);
    assert_non_null(text);
    for (int kind = 0; kind < 3; kind++) {
        yore_db *db = open_in(&env, LIMIT);
        for (int i = 0; i < (kind == 2 ? 1 : 1500); i++) {
            yore_key key = yore_str_key("k");
            size_t size;
            if (kind == 0) { /* keys of 16 KiB with words that are all the same */
                memset(text, 'k', 16384);
                snprintf(text + 16384, 64, "%d", i);
                key.user = yore_bytes(text, strlen(text));
                size = (size_t)snprintf(text + 20000, 64, "storm");
                ok(yore_db_put(db, yore_str(""), key, yore_bytes(text + 20000, size), NULL, &err));
                continue;
            }
            if (kind == 1) { /* 40 words of 250 bytes */
                size = 0;
                for (int w = 0; w < 40; w++) {
                    memset(text + size, 'w', 240);
                    size += 240;
                    size += (size_t)snprintf(text + size, 32, "%dx%d ", i, w);
                }
            } else { /* every word another one */
                size = 0;
                for (int w = 0; size + 16 < TEXT; w++) size += (size_t)snprintf(text + size, 16, "%x ", w);
            }
            ok(yore_db_put(db, yore_str(""), key, yore_bytes(text, size), NULL, &err));
        }
        uint64_t matches, before = atomic_load(&counted.bytes);
        atomic_store(&counted.peak, before);
        assert_int_equal(search(db, "storm", &matches), YORE_ERR_LIMIT);
        uint64_t taken = atomic_load(&counted.peak) - before;
        print_message("kind %d: %llu bytes of %d\n", kind, (unsigned long long)taken, LIMIT);
        /* beside the index there are analyzers; a chunk of an arena may stand out */
        assert_in_range(taken, LIMIT / 4, LIMIT + (2 << 20));
        ok(yore_config_set(db, "search.index", "none", NULL, &err));
        ok(search(db, "storm", &matches)); /* the way out */
        yore_close(db);
    }
    free(text);
}

/* A snippet that finds no memory takes no hits with it. */
static void test_hits_that_could_not_be_given_are_given_by_the_next_call(void **state)
{
    (void)state;
    enum { HITS = 40 };
    yore_env env = counting_env();
    char key[16], text[4096];
    memset(text, 0, sizeof text);
    for (size_t i = 0; i + 8 < sizeof text; i += 6) memcpy(text + i, "storm ", 6);
    yore_db *db = open_in(&env, 0);
    for (int i = 0; i < HITS; i++) {
        snprintf(key, sizeof key, "k%02d", i);
        ok(yore_db_put(db, yore_str(""), yore_str_key(key), yore_str(text), NULL, &err));
    }
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_str("storm");
    query.snippet_bytes = YORE_SNIPPET_FULL;
    query.k = HITS;
    yore_snap *snap;
    ok(yore_snap_open(db, NULL, &snap, NULL, &err));
    uint32_t failures = 0;
    for (uint64_t n = 1; n < 60; n++) {
        yore_iter *iter;
        yore_hit hits[HITS];
        size_t count = 0;
        ok(yore_search(snap, &query, &iter, &err));
        counted.fails_in = n;
        yore_status status = yore_search_next(iter, hits, sizeof hits[0], HITS, &count, &err);
        counted.fails_in = 0;
        if (status < 0) {
            failures++;
            assert_int_equal(status, YORE_ERR_NOMEM);
            ok(yore_search_next(iter, hits, sizeof hits[0], HITS, &count, &err));
        }
        assert_int_equal(count, HITS);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(hits[i].rank, i + 1);
            assert_int_equal(hits[i].value_span_count, (sizeof text - 8 + 5) / 6);
        }
        yore_iter_close(iter);
    }
    assert_in_range(failures, 3, 50);
    yore_snap_close(snap);
    yore_close(db);
}

/* A word is looked up once, however many prefixes of the query cover it. */
static void test_prefixes_that_cover_the_same_words_share_them(void **state)
{
    (void)state;
    enum { WORDS = 3000, TIMES = 200 }; /* so many that the dictionary puts them in order */
    yore_env env = counting_env();
    yore_db *db = open_in(&env, 0);
    char text[WORDS * 8] = "";
    size_t size = 0;
    for (int i = 0; i < WORDS; i++) size += (size_t)snprintf(text + size, sizeof text - size, "ab%d ", i);
    ok(yore_db_put(db, yore_str(""), yore_str_key("k"), yore_bytes(text, size), NULL, &err));
    ok(yore_db_put(db, yore_str(""), yore_str_key("l"), yore_str("ab7 b"), NULL, &err));
    size = 0;
    for (int i = 0; i < TIMES; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "ab%.*s* ", i % 3, "777");
    double once[3], sum = 0;
    const char *const prefixes[] = {"ab*", "ab7*", "ab77*"};
    uint64_t matches;
    for (int i = 0; i < 3; i++) {
        once[i] = best_score(db, prefixes[i], &matches);
        assert_int_equal(matches, i < 2 ? 2 : 1); /* a word begins with itself */
    }
    for (int i = 0; i < TIMES; i++) sum += once[i % 3];
    double all = best_score(db, text, &matches); /* 220,000 words if each were counted for itself */
    assert_int_equal(matches, 2);
    assert_true(all > sum * (1 - 1e-9) && all < sum * (1 + 1e-9));
    yore_close(db);
}

/* -- threads -- */

static int64_t closing_clock(void *ctx)
{
    yore_db *db = counted.closes;
    counted.closes = NULL;
    yore_close(db);
    return yore_env_default()->monotonic_ns(ctx);
}

static int counting_thread_create(void *ctx, void (*run)(void *arg), void *arg, yore_thread **out)
{
    atomic_fetch_add(&counted.threads, 1);
    return yore_env_default()->thread_create(ctx, run, arg, out);
}

static void counting_thread_join(void *ctx, yore_thread *thread)
{
    yore_env_default()->thread_join(ctx, thread);
    atomic_fetch_sub(&counted.threads, 1);
}

static _Atomic bool others_fail;
static _Thread_local bool is_main;

static void *alloc_of_main(void *ctx, size_t size)
{
    return atomic_load(&others_fail) && !is_main ? NULL : yore_env_default()->alloc(ctx, size);
}

/* Nobody searched when the index found no memory: whoever searches next, when there is some, never hears of it. */
static void test_a_search_does_not_fail_for_memory_that_is_there_again(void **state)
{
    (void)state;
    yore_env env = *yore_env_default();
    env.alloc = alloc_of_main;
    is_main = true;
    yore_db *db = open_in(&env, 0);
    yore_search_stats stats = {.struct_size = sizeof stats};
    uint64_t matches;
    ok(yore_db_put(db, yore_str(""), yore_str_key("a"), yore_str("storm"), NULL, &err));
    ok(search(db, "storm", &matches));
    atomic_store(&others_fail, true);
    ok(yore_db_put(db, yore_str(""), yore_str_key("b"), yore_str("storm"), NULL, &err));
    for (int i = 0; i < 2000; i++) {
        ok(yore_search_stats_get(db, &stats, &err));
        if (!stats.indexed_version) break; /* it was dropped */
        env.sleep_ns(env.ctx, 5000000);
    }
    assert_int_equal(stats.indexed_version, 0);
    atomic_store(&others_fail, false);
    ok(search(db, "storm", &matches));
    assert_int_equal(matches, 2);
    yore_close(db);
}

/* Closing waits for the text in hand: not for the end of it, whatever it is made of. */
static void test_counting_a_text_of_stop_words_can_be_cancelled(void **state)
{
    (void)state;
    enum { SIZE = 4 * 10000 };
    static char text[SIZE];
    const _Atomic uint32_t cancel = 1;
    yr_analyzer *analyzer;
    yr_space space;
    yr_counter counter;
    yr_arena arena;
    yr_text_counts counts;
    for (size_t i = 0; i < SIZE; i += 4) memcpy(text + i, "the ", 4);
    ok(yr_analyzer_open(yore_env_default(), yore_str("english"), &analyzer, &err));
    yr_space_init(&space, yore_env_default(), UINT64_MAX);
    yr_arena_init(&arena, yore_env_default());
    yr_counter_init(&counter, &space, 0);
    ok(yr_count_text(&counter, analyzer, yore_bytes(text, SIZE), &arena, &counts, &err));
    assert_int_equal(counts.length, 0);
    counter.cancel = &cancel;
    assert_int_equal(yr_count_text(&counter, analyzer, yore_bytes(text, SIZE), &arena, &counts, &err),
                     YORE_ERR_CANCELLED);
    yr_counter_deinit(&counter);
    yr_arena_deinit(&arena);
    yr_analyzer_close(analyzer);
}

/* The close comes after the search has seen the store open, and before there is anything that could be stopped. */
static void test_a_first_search_that_is_overtaken_by_a_close_leaves_no_thread(void **state)
{
    (void)state;
    yore_env env = *yore_env_default();
    env.thread_create = counting_thread_create;
    env.thread_join = counting_thread_join;
    env.monotonic_ns = closing_clock;
    yore_db *db = open_in(&env, 0);
    yore_query query = YORE_QUERY_INIT;
    yore_iter *iter;
    yore_snap *snap;
    query.text = yore_str("storm");
    ok(yore_db_put(db, yore_str(""), yore_str_key("a"), yore_str("storm"), NULL, &err));
    ok(yore_snap_open(db, NULL, &snap, NULL, &err));
    counted.closes = db;
    assert_int_equal(yore_search(snap, &query, &iter, &err), YORE_ERR_MISUSE);
    assert_null(counted.closes);
    assert_int_equal(atomic_load(&counted.threads), 0);
    yore_snap_close(snap);
}

static _Atomic bool has_begun;

static int64_t telling_clock(void *ctx)
{
    atomic_store(&has_begun, true);
    return yore_env_default()->monotonic_ns(ctx);
}

static void *search_for_a_phrase(void *snap)
{
    static yore_status status;
    yore_query query = YORE_QUERY_INIT;
    yore_iter *iter;
    query.text = yore_str("\"b c\"");
    status = yore_search(snap, &query, &iter, NULL);
    if (status == YORE_OK) yore_iter_close(iter);
    return &status;
}

/* A search that reads a long text for a phrase ends when the store is closed, and keeps nobody waiting until then. */
static void test_a_close_ends_the_search_for_a_phrase(void **state)
{
    (void)state;
    enum { SIZE = 16 << 20 };
    yore_env env = *yore_env_default();
    env.monotonic_ns = telling_clock;
    yore_db *db = open_in(&env, 0);
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < SIZE; i += 2) memcpy(text + i, i + 2 < SIZE ? "b " : "c ", 2);
    ok(yore_db_put(db, yore_str(""), yore_str_key("long"), yore_bytes(text, SIZE), NULL, &err));
    uint64_t matches;
    ok(search(db, "b", &matches)); /* makes the index */
    yore_snap *snap;
    pthread_t thread;
    void *status;
    ok(yore_snap_open(db, NULL, &snap, NULL, &err));
    atomic_store(&has_begun, false);
    assert_int_equal(pthread_create(&thread, NULL, search_for_a_phrase, snap), 0);
    while (!atomic_load(&has_begun)) env.sleep_ns(env.ctx, 100000);
    yore_close(db);
    assert_int_equal(pthread_join(thread, &status), 0);
    assert_int_equal(*(yore_status *)status, YORE_ERR_MISUSE);
    yore_snap_close(snap);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_phrase_takes_no_memory_for_the_length_of_a_text),
        cmocka_unit_test(test_a_query_that_is_too_long_is_refused_unread),
        cmocka_unit_test(test_the_memory_limit_counts_everything_the_index_holds),
        cmocka_unit_test(test_hits_that_could_not_be_given_are_given_by_the_next_call),
        cmocka_unit_test(test_prefixes_that_cover_the_same_words_share_them),
        cmocka_unit_test(test_a_search_does_not_fail_for_memory_that_is_there_again),
        cmocka_unit_test(test_a_close_ends_the_search_for_a_phrase),
        cmocka_unit_test(test_counting_a_text_of_stop_words_can_be_cancelled),
        cmocka_unit_test(test_a_first_search_that_is_overtaken_by_a_close_leaves_no_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
