/* What yore_search promises beyond scores: snapshots, forks, settings, limits, lifetimes, environments. */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <yore.h>

#include "search/analysis/analyzer.h"
#include "search/score/score.h"

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static yore_db *open_memory(void)
{
    yore_db *db;
    ok(yore_open(":memory:", NULL, &db, &err));
    return db;
}

static uint64_t put(yore_db *db, const char *branch, const char *key, const char *value)
{
    yore_where where = YORE_WHERE_INIT;
    ok(yore_db_put(db, yore_str(branch), yore_str_key(key), yore_str(value), &where, &err));
    return where.version;
}

static void fork_of(yore_db *db, const char *name, const char *parent)
{
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    snprintf(from.branch, sizeof from.branch, "%s", parent);
    options.from = &from;
    ok(yore_branch_create(db, yore_str(name), &options, NULL, &err));
}

static yore_snap *snap_at(yore_db *db, const char *branch, uint64_t version)
{
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    snprintf(at.branch, sizeof at.branch, "%s", branch);
    at.kind = version ? YORE_AT_VERSION : YORE_AT_NOW;
    at.version = version;
    ok(yore_snap_open(db, &at, &snap, NULL, &err));
    return snap;
}

typedef struct answer {
    char keys[256]; /* "a b c", best first */
    double scores[16];
    yore_search_info info;
} answer;

static yore_status search_snap(yore_snap *snap, const yore_query *query, answer *out)
{
    yore_iter *iter;
    yore_hit hits[16];
    size_t n = 0;
    *out = (answer){.info = {.struct_size = sizeof out->info}};
    yore_status status = yore_search(snap, query, &iter, &err);
    if (status != YORE_OK) return status;
    ok(yore_search_info_get(iter, &out->info, &err));
    status = yore_search_next(iter, hits, sizeof hits[0], 16, &n, &err);
    assert_true(status == YORE_OK || status == YORE_END);
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(out->keys);
        snprintf(out->keys + used, sizeof out->keys - used, "%s%.*s", i ? " " : "",
                 (int)hits[i].key.user.size, (const char *)hits[i].key.user.data);
        out->scores[i] = hits[i].score;
    }
    yore_iter_close(iter);
    return YORE_OK;
}

static answer search(yore_db *db, const char *branch, uint64_t version, const char *text)
{
    answer out;
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_str(text);
    yore_snap *snap = snap_at(db, branch, version);
    ok(search_snap(snap, &query, &out));
    yore_snap_close(snap);
    return out;
}

static void finds(yore_db *db, const char *branch, uint64_t version, const char *text, const char *keys)
{
    answer found = search(db, branch, version, text);
    assert_string_equal(found.keys, keys);
}

/* -- snapshots and forks -- */

static void test_a_commit_is_found_at_once(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    char key[16];
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        put(db, "", key, "storm");
        assert_int_equal(search(db, "", 0, "storm").info.matches, (uint64_t)i + 1);
    }
    yore_close(db);
}

static void test_a_fresh_fork_sees_the_parents_documents_at_once(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "a", "storm damage");
    put(db, "", "b", "damage report");
    fork_of(db, "exp", "");
    answer parent = search(db, "", 0, "damage storm"), child = search(db, "exp", 0, "damage storm");
    assert_string_equal(child.keys, "a b");
    assert_memory_equal(parent.scores, child.scores, sizeof parent.scores);
    assert_int_equal(child.info.documents, 2);
    yore_close(db);
}

static void test_scores_of_a_fork_ignore_other_branches(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "a", "storm damage");
    put(db, "", "b", "damage report");
    fork_of(db, "exp", "");
    put(db, "exp", "c", "calm sea");
    answer before = search(db, "exp", 0, "damage storm");
    for (int i = 0; i < 20; i++) {
        char key[16];
        snprintf(key, sizeof key, "more%d", i);
        put(db, "", key, "storm storm storm");
        fork_of(db, key, "exp");
        put(db, key, "other", "damage storm");
    }
    put(db, "", "a", "something else");
    answer after = search(db, "exp", 0, "damage storm");
    assert_string_equal(after.keys, before.keys);
    assert_memory_equal(before.scores, after.scores, sizeof before.scores);
    assert_int_equal(after.info.documents, 3);
    yore_close(db);
}

static void test_search_before_the_fork_point_answers_from_the_parents_past(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    uint64_t first = put(db, "", "a", "storm");
    put(db, "", "b", "storm warning");
    fork_of(db, "exp", "");
    put(db, "exp", "a", "calm");
    finds(db, "exp", 0, "storm", "b");
    finds(db, "exp", first, "storm", "a");
    answer past = search(db, "exp", first, "storm"), parent = search(db, "", first, "storm");
    assert_memory_equal(past.scores, parent.scores, sizeof past.scores);
    yore_close(db);
}

static void test_a_child_hides_what_it_replaced_or_deleted_and_nothing_else(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "a", "storm one");
    put(db, "", "b", "storm two");
    put(db, "", "c", "storm three");
    fork_of(db, "exp", "");
    uint64_t forked = put(db, "exp", "a", "calm");
    ok(yore_db_del(db, yore_str("exp"), yore_str_key("b"), NULL, &err));
    fork_of(db, "deep", "exp");
    put(db, "deep", "c", "12345"); /* no text: no document */
    finds(db, "exp", 0, "storm", "c");
    finds(db, "exp", forked, "storm", "b c");
    finds(db, "deep", 0, "storm", "");
    finds(db, "", 0, "one OR two OR three", "a b c");
    assert_int_equal(search(db, "exp", 0, "storm").info.documents, 2);
    assert_int_equal(search(db, "deep", 0, "storm").info.documents, 1);
    yore_close(db);
}

static void test_a_branch_is_searched_by_id_whatever_its_name(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "a", "storm");
    fork_of(db, "exp", "");
    put(db, "exp", "b", "storm");
    ok(yore_branch_rename(db, yore_str("exp"), yore_str("other"), NULL, &err));
    finds(db, "other", 0, "storm", "a b");
    ok(yore_branch_delete(db, yore_str("other"), false, NULL, NULL, &err));
    finds(db, "id:2", 0, "storm", "a b");
    fork_of(db, "exp", "");
    finds(db, "exp", 0, "storm", "a");
    ok(yore_branch_recover(db, yore_str("id:2"), yore_str("back"), NULL, &err));
    finds(db, "back", 0, "storm", "a b");
    yore_close(db);
}

static void put_until(yore_db *db, const char *branch, const char *key, const char *value, int64_t time_ns,
                      int64_t expiry_ns)
{
    yore_txn *txn;
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_put_options how = YORE_PUT_OPTIONS_INIT;
    options.has_time = time_ns != 0;
    options.time_ns = time_ns;
    how.expiry_ns = expiry_ns;
    ok(yore_begin(db, yore_str(branch), &options, &txn, &err));
    ok(yore_put(txn, yore_str_key(key), yore_str(value), &how, &err));
    ok(yore_commit(txn, yore_str(""), NULL, &err));
}

static uint64_t documents_at_time(yore_db *db, const char *branch, int64_t time_ns, const char *keys)
{
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    answer out;
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_str("storm");
    snprintf(at.branch, sizeof at.branch, "%s", branch);
    at.kind = YORE_AT_TIME;
    at.time_ns = time_ns;
    ok(yore_snap_open(db, &at, &snap, NULL, &err));
    ok(search_snap(snap, &query, &out));
    yore_snap_close(snap);
    assert_string_equal(out.keys, keys);
    return out.info.documents;
}

static void test_expiry_between_commits_is_seen_at_its_time(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put_until(db, "", "a", "storm", 1000, 2000);
    put_until(db, "", "b", "storm again", 1100, 0);
    assert_int_equal(documents_at_time(db, "", 1999, "a b"), 2);
    assert_int_equal(documents_at_time(db, "", 2000, "b"), 1);
    put_until(db, "", "c", "calm", 5000, 0);
    assert_int_equal(documents_at_time(db, "", 1999, "a b"), 2);
    assert_int_equal(documents_at_time(db, "", 2000, "b"), 1);
    assert_int_equal(documents_at_time(db, "", 5000, "b"), 2);
    yore_close(db);
}

static void test_a_child_takes_nothing_off_for_a_document_that_expired(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put_until(db, "", "a", "storm", 1000, 2000);
    put_until(db, "", "b", "storm again", 1100, 0);
    fork_of(db, "exp", "");
    put_until(db, "exp", "a", "calm", 3000, 0); /* "a" had expired by then */
    assert_int_equal(documents_at_time(db, "exp", 2500, "b"), 1);
    assert_int_equal(documents_at_time(db, "exp", 3000, "b"), 2);
    yore_close(db);
}

/* -- settings -- */

static void test_a_change_of_language_analyses_all_history_again(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    uint64_t first = put(db, "", "a", "the storms");
    put(db, "", "a", "calm");
    finds(db, "", first, "storming", "a");
    ok(yore_config_set(db, "search.language", "none", NULL, &err));
    finds(db, "", first, "storming", "");
    finds(db, "", first, "the", "a");
    ok(yore_config_set(db, "search.language", "german", NULL, &err));
    finds(db, "", first, "the", "a");
    ok(yore_config_set(db, "search.language", "", NULL, &err));
    finds(db, "", first, "storming", "a");
    finds(db, "", first, "the", "");
    yore_close(db);
}

static void test_k1_and_b_apply_at_once_and_to_the_past(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    uint64_t first = put(db, "", "a", "storm storm storm");
    put(db, "", "b", "storm and a lot of other text");
    answer usual = search(db, "", first, "storm");
    ok(yore_config_set(db, "search.k1", "0", NULL, &err));
    ok(yore_config_set(db, "search.b", "0.5", NULL, &err));
    answer flat = search(db, "", first, "storm");
    assert_true(flat.info.k1 == 0 && flat.info.b == 0.5 && usual.info.k1 == 1.2 && usual.info.b == 0.75);
    assert_true(flat.scores[0] > usual.scores[0]);
    yore_close(db);
}

static void test_index_none_holds_nothing(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "a", "storm");
    ok(yore_config_set(db, "search.index", "none", NULL, &err));
    assert_int_equal(search(db, "", 0, "storm").info.documents, 0);
    ok(yore_config_set(db, "search.index", "text", NULL, &err));
    finds(db, "", 0, "storm", "a");
    yore_close(db);
}

static void index_prefix(yore_db *db, const char *prefix, const char *value)
{
    ok(yore_config_set_prefix(db, "search.index", yore_str(prefix), value, NULL, &err));
}

static void test_what_is_indexed_may_differ_by_prefix_at_every_moment(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    uint64_t first = put(db, "", "log/1", "storm");
    put(db, "", "log/keep/1", "storm damage");
    uint64_t last = put(db, "", "doc/1", "the storm and the damage");
    put(db, "", "log/1", "calm");
    finds(db, "", last, "storm", "log/1 doc/1 log/keep/1");
    index_prefix(db, "log/", "none");
    finds(db, "", first, "storm", "");
    finds(db, "", last, "storm", "doc/1");
    index_prefix(db, "log/keep/", "text");
    finds(db, "", last, "storm", "doc/1 log/keep/1");
    answer some = search(db, "", last, "storm damage");
    assert_true(some.info.documents == 2 && some.info.total_length == 4);
    /* only what a prefix says */
    ok(yore_config_set(db, "search.index", "none", NULL, &err));
    finds(db, "", last, "storm", "log/keep/1");
    index_prefix(db, "log/keep/", "");
    finds(db, "", last, "storm", "");
    ok(yore_config_set(db, "search.index", "", NULL, &err));
    index_prefix(db, "log/", "");
    finds(db, "", last, "storm", "log/1 doc/1 log/keep/1");
    yore_close(db);
}

/* What a fork hides of its parent is not counted where it was never counted in the parent. */
static void test_a_fork_counts_by_prefix_as_a_fresh_store_would(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "log/1", "storm storm");
    put(db, "", "doc/1", "storm damage");
    fork_of(db, "exp", "");
    put(db, "exp", "log/1", "storm");
    put(db, "exp", "doc/1", "storm and more damage");
    index_prefix(db, "log/", "none");
    answer exp = search(db, "exp", 0, "storm");
    assert_string_equal(exp.keys, "doc/1");
    assert_true(exp.info.documents == 1 && exp.info.total_length == 3);
    index_prefix(db, "log/", "text");
    exp = search(db, "exp", 0, "storm");
    assert_true(exp.info.documents == 2 && exp.info.total_length == 4);
    yore_close(db);
}

static void test_settings_take_only_what_search_understands(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    static const char *const bad[][2] = {
        {"search.language", "klingon"}, {"search.language", "en"}, {"search.language", "english french"},
        {"search.language", " "},       {"search.k1", "-1"},       {"search.k1", "100.1"},
        {"search.k1", "1e1"},           {"search.k1", "."},        {"search.k1", "1.2.3"},
        {"search.k1", "1.0000000001"},  {"search.b", "1.1"},       {"search.b", "nan"},
        {"search.index", "all"},        {"durability", "text"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(yore_config_set(db, bad[i][0], bad[i][1], NULL, &err), YORE_ERR_INPUT);
        assert_non_null(strstr(err.message, bad[i][0]));
    }
    static const char *const good[][2] = {{"search.k1", "100"}, {"search.k1", "0.123456789"},
                                          {"search.k1", "2."},  {"search.b", "0"},
                                          {"search.b", ".5"},   {"search.b", "1"}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ok(yore_config_set(db, good[i][0], good[i][1], NULL, &err));
    yore_close(db);
}

/* The engine's list of languages and the analyzer's are two; neither layer can see the other's. */
static void test_every_language_of_the_analyzer_is_a_setting_and_the_other_way_round(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    size_t count = 0;
    for (const char *name; (name = yr_analyzer_language(count)) != NULL; count++)
        ok(yore_config_set(db, "search.language", name, NULL, &err));
    assert_true(count > 20);
    assert_int_equal(yore_config_set(db, "search.language", "klingon", NULL, &err), YORE_ERR_INPUT);
    size_t listed = 0;
    char list[sizeof err.hint], *rest = NULL;
    memcpy(list, err.hint, sizeof list);
    for (char *name = strtok_r(list, " ", &rest); name; name = strtok_r(NULL, " ", &rest), listed++) {
        yr_analyzer *analyzer;
        ok(yr_analyzer_open(yore_env_default(), yore_str(name), &analyzer, &err));
        yr_analyzer_close(analyzer);
    }
    assert_int_equal(listed, count);
    yore_close(db);
}

/* -- lifetimes -- */

static void test_hits_outlive_snapshot_and_store(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "a", "storm damage");
    put(db, "", "b", "more storm damage");
    yore_snap *snap = snap_at(db, "", 0);
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_str("storm");
    query.snippet_bytes = 100;
    query.explain = true;
    yore_iter *iter;
    ok(yore_search(snap, &query, &iter, &err));
    yore_snap_close(snap);
    yore_close(db);
    yore_hit hits[4];
    size_t n;
    ok(yore_search_next(iter, hits, sizeof hits[0], 4, &n, &err));
    assert_int_equal(n, 2);
    assert_memory_equal(hits[0].value.data, "storm damage", 12);
    assert_memory_equal(hits[1].snippet.data, "more storm damage", 17);
    assert_int_equal(hits[1].snippet_span_count, 1);
    assert_int_equal(hits[1].snippet_spans[0].from, 5);
    assert_int_equal(hits[0].term_count, 1);
    assert_memory_equal(hits[0].terms[0].term.data, "storm", 5);
    assert_true(hits[0].time_ns != 0 && hits[0].version == 2);
    assert_int_equal(yore_search_next(iter, hits, sizeof hits[0], 4, &n, &err), YORE_END);
    yore_iter_close(iter);
}

static void test_a_snapshot_of_a_closed_store_is_read_but_not_searched(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "a", "storm");
    finds(db, "", 0, "storm", "a");
    yore_snap *snap = snap_at(db, "", 0);
    yore_close(db);
    answer out;
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_str("storm");
    assert_int_equal(search_snap(snap, &query, &out), YORE_ERR_MISUSE);
    yore_pin pin = YORE_PIN_INIT;
    ok(yore_get(snap, yore_str_key("a"), &pin, &err));
    yore_snap_close(snap);
}

static void *search_until_closed(void *arg)
{
    yore_snap *snap = arg;
    yore_query query = YORE_QUERY_INIT;
    yore_error mine = YORE_ERROR_INIT;
    yore_iter *iter;
    yore_status status;
    query.text = yore_str("storm");
    query.wait_ns = -1;
    while ((status = yore_search(snap, &query, &iter, &mine)) == YORE_OK) yore_iter_close(iter);
    yore_snap_close(snap);
    return status == YORE_ERR_MISUSE ? NULL : arg;
}

/* The snapshots are theirs, the handle is ours. */
static void test_closing_ends_the_searches_of_other_threads(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        yore_db *db = open_memory();
        pthread_t threads[2];
        char key[16];
        for (int i = 0; i < 300; i++) {
            snprintf(key, sizeof key, "k%d", i);
            put(db, "", key, "storm damage");
        }
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, search_until_closed, snap_at(db, "", 0)), 0);
        yore_env_default()->sleep_ns(NULL, round % 20 * 200000);
        yore_close(db);
        for (int i = 0; i < 2; i++) {
            void *failed;
            assert_int_equal(pthread_join(threads[i], &failed), 0);
            assert_null(failed);
        }
    }
}

static void test_a_forked_process_does_not_search(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "a", "storm");
    finds(db, "", 0, "storm", "a");
    yore_snap *snap = snap_at(db, "", 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        answer out;
        yore_query query = YORE_QUERY_INIT;
        query.text = yore_str("storm");
        bool refused = search_snap(snap, &query, &out) == YORE_ERR_MISUSE;
        yore_snap_close(snap);
        yore_close(db);
        _exit(refused ? 0 : 1);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    yore_snap_close(snap);
    finds(db, "", 0, "storm", "a");
    yore_close(db);
}

static void test_a_reader_finds_what_the_writer_wrote_after_a_refresh(void **state)
{
    (void)state;
    char dir[] = "/tmp/yore-search-XXXXXX", path[64], command[96];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/store", dir);
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *writer, *reader;
    options.create = true;
    ok(yore_open(path, &options, &writer, &err));
    put(writer, "", "a", "storm");
    options = (yore_open_options)YORE_OPEN_OPTIONS_INIT;
    options.read_only = true;
    ok(yore_open(path, &options, &reader, &err));
    finds(reader, "", 0, "storm", "a");
    put(writer, "", "b", "storm");
    fork_of(writer, "exp", "");
    put(writer, "exp", "a", "calm");
    ok(yore_config_set(writer, "search.k1", "2", NULL, &err));
    finds(reader, "", 0, "storm", "a");
    ok(yore_refresh(reader, &err));
    finds(reader, "", 0, "storm", "a b");
    finds(reader, "exp", 0, "storm", "b");
    assert_true(search(reader, "", 0, "storm").info.k1 == 2);
    yore_close(reader);
    yore_close(writer);
    ok(yore_open(path, NULL, &writer, &err));
    finds(writer, "exp", 0, "storm", "b");
    yore_close(writer);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    assert_int_equal(system(command), 0);
}

/* -- limits -- */

static void test_the_memory_limit_is_an_error_that_names_it(void **state)
{
    (void)state;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.search_bytes_max = 100000;
    yore_db *db;
    ok(yore_open(":memory:", &options, &db, &err));
    put(db, "", "a", "storm");
    finds(db, "", 0, "storm", "a");
    char text[64];
    for (int i = 0; i < 3000; i++) {
        snprintf(text, sizeof text, "word%d other%d third%d", i, i, i);
        put(db, "", text, text);
    }
    answer out;
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_str("storm");
    for (int i = 0; i < 3; i++) {
        yore_snap *snap = snap_at(db, "", 0);
        assert_int_equal(search_snap(snap, &query, &out), YORE_ERR_LIMIT);
        assert_non_null(strstr(err.message, "search_bytes_max"));
        yore_snap_close(snap);
    }
    ok(yore_config_set(db, "search.index", "none", NULL, &err));
    finds(db, "", 0, "storm", "");
    yore_close(db);
}

static int no_threads(void *ctx, void (*run)(void *arg), void *arg, yore_thread **out)
{
    (void)ctx;
    (void)run;
    (void)arg;
    (void)out;
    return -ENOTSUP;
}

/* Without threads nothing is indexed before the search looks at its clock. */
static void test_a_wait_has_a_limit(void **state)
{
    (void)state;
    yore_env env = *yore_env_default();
    env.thread_create = no_threads;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = &env;
    yore_db *db;
    ok(yore_open(":memory:", &options, &db, &err));
    put(db, "", "a", "storm");
    yore_snap *snap = snap_at(db, "", 0);
    answer out;
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_str("storm");
    query.wait_ns = 1;
    assert_int_equal(search_snap(snap, &query, &out), YORE_TIMEOUT);
    query.wait_ns = -1;
    ok(search_snap(snap, &query, &out));
    assert_int_equal(out.info.matches, 1);
    yore_snap_close(snap);
    yore_close(db);
}

static void test_a_prefix_of_too_many_words_is_refused_and_fewer_are_not(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    yore_txn *txn;
    char key[16];
    ok(yore_begin(db, yore_str(""), NULL, &txn, &err));
    for (unsigned i = 0; i < YR_EXPANSIONS_MAX; i++) {
        snprintf(key, sizeof key, "w%u", i);
        ok(yore_put(txn, yore_str_key(key), yore_str(key), NULL, &err));
    }
    ok(yore_commit(txn, yore_str(""), NULL, &err));
    assert_int_equal(search(db, "", 0, "w*").info.matches, YR_EXPANSIONS_MAX);
    fork_of(db, "exp", "");
    put(db, "exp", "one more", "wone");
    assert_int_equal(search(db, "", 0, "w*").info.matches, YR_EXPANSIONS_MAX); /* not of this branch */
    answer out;
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_str("w*");
    yore_snap *snap = snap_at(db, "exp", 0);
    assert_int_equal(search_snap(snap, &query, &out), YORE_ERR_LIMIT);
    assert_non_null(strstr(err.message, "'w*'"));
    yore_snap_close(snap);
    yore_close(db);
}

static void test_odd_values_and_queries_are_answered(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    size_t size = 1u << 20;
    char *big = malloc(size);
    assert_non_null(big);
    memset(big, 'q', size);
    ok(yore_db_put(db, yore_str(""), yore_str_key("one word"), yore_bytes(big, size), NULL, &err));
    for (size_t i = 0; i + 8 < size; i += 8)
        memcpy(big + i, "\xd7\xa9\xd7\x9c \xf0\x9f\x98", 8); /* cut emoji */
    ok(yore_db_put(db, yore_str(""), yore_str_key("bad"), yore_bytes(big, size), NULL, &err));
    ok(yore_db_put(db, yore_str(""), yore_str_key("nul"), yore_bytes("storm\0damage", 12), NULL, &err));
    ok(yore_db_put(db, yore_str(""), yore_str_key("empty"), yore_str(""), NULL, &err));
    put(db, "", "hebrew", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x98\x80");
    static const char *const queries[] = {
        "",          "*",   "\"",    "\"storm",  "((((",  "+", "- -", "\xff\xfe", "\xf0\x9f\x98\x80",
        "+-+-\"*\"", "a:b", "storm", "OR OR OR", "-storm"};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) (void)search(db, "", 0, queries[i]);
    finds(db, "", 0, "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "hebrew");
    assert_int_equal(search(db, "", 0, "storm").info.documents, 2);
    answer out;
    yore_query query = YORE_QUERY_INIT;
    query.text = yore_bytes(big, size);
    yore_snap *snap = snap_at(db, "", 0);
    assert_int_equal(search_snap(snap, &query, &out), YORE_ERR_LIMIT);
    yore_snap_close(snap);
    free(big);
    yore_close(db);
}

static void test_misuse_is_said(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    put(db, "", "a", "storm");
    yore_snap *snap = snap_at(db, "", 0);
    yore_query query = YORE_QUERY_INIT;
    yore_iter *iter;
    yore_hit hit;
    yore_row row;
    yore_search_info info = {.struct_size = 3};
    size_t n;
    query.text = yore_str("storm");
    query.struct_size--;
    assert_int_equal(yore_search(snap, &query, &iter, &err), YORE_ERR_MISUSE);
    query.struct_size++;
    assert_int_equal(yore_search(NULL, &query, &iter, &err), YORE_ERR_MISUSE);
    ok(yore_search(snap, &query, &iter, &err));
    assert_int_equal(yore_next(iter, &row, sizeof row, 1, &n, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_search_next(iter, NULL, sizeof hit, 1, &n, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_search_info_get(iter, &info, &err), YORE_ERR_MISUSE);
    yore_iter_close(iter);
    ok(yore_scan(snap, NULL, &iter, &err));
    assert_int_equal(yore_search_next(iter, &hit, sizeof hit, 1, &n, &err), YORE_ERR_MISUSE);
    yore_iter_close(iter);
    yore_snap_close(snap);
    yore_close(db);
}

static void test_stats_say_how_far_the_index_is(void **state)
{
    (void)state;
    yore_db *db = open_memory();
    yore_search_stats stats = {.struct_size = sizeof stats};
    uint64_t last = put(db, "", "a", "storm damage");
    ok(yore_search_stats_get(db, &stats, &err));
    assert_false(stats.running);
    assert_int_equal(stats.indexed_version, 0);
    finds(db, "", 0, "storm", "a");
    ok(yore_search_stats_get(db, &stats, &err));
    assert_true(stats.running);
    assert_int_equal(stats.indexed_version, last);
    assert_int_equal(stats.lag_versions, 0);
    assert_int_equal(stats.lag_bytes, 0);
    assert_int_equal(stats.documents, 1);
    assert_int_equal(stats.postings, 2);
    assert_true(stats.index_bytes > 100);
    assert_non_null(strstr(stats.analyzer, "english"));
    yore_close(db);
}

/* -- environments -- */

static void test_without_threads_a_search_does_the_work_itself(void **state)
{
    (void)state;
    yore_env env = *yore_env_default();
    env.thread_create = no_threads;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = &env;
    yore_db *db;
    ok(yore_open(":memory:", &options, &db, &err));
    char key[16];
    for (int i = 0; i < 300; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        put(db, "", key, "storm");
        if (i % 100 == 0) assert_int_equal(search(db, "", 0, "storm").info.matches, (uint64_t)i + 1);
    }
    ok(yore_config_set(db, "search.language", "none", NULL, &err));
    assert_int_equal(search(db, "", 0, "storm").info.matches, 300);
    yore_close(db);
}

/* Allocations fail one by one. There are no threads, so all of them are of the call that is tried. */
static struct {
    bool armed;
    uint64_t left;
} fault;

static bool fails(void)
{
    if (!fault.armed) return false;
    if (fault.left) {
        fault.left--;
        return false;
    }
    return true;
}

static void *failing_alloc(void *ctx, size_t size)
{
    return fails() ? NULL : yore_env_default()->alloc(ctx, size);
}

static void *failing_realloc(void *ctx, void *old, size_t old_size, size_t size)
{
    return fails() ? NULL : yore_env_default()->realloc(ctx, old, old_size, size);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    yore_env env = *yore_env_default();
    env.thread_create = no_threads;
    env.alloc = failing_alloc;
    env.realloc = failing_realloc;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = &env;
    uint64_t n = 0;
    for (bool reached_the_end = false; !reached_the_end; n++) {
        yore_db *db;
        ok(yore_open(":memory:", &options, &db, &err));
        put(db, "", "a", "running storms");
        put(db, "", "b", "the storm ran; a run");
        put_until(db, "", "c", "storm", 0, INT64_C(4100000000000000000));
        fork_of(db, "exp", "");
        put(db, "exp", "a", "runs \"storm damage\"");
        put(db, "exp", "c", "calm");
        yore_snap *snap = snap_at(db, "exp", 0);
        answer out;
        yore_query query = YORE_QUERY_INIT;
        query.text = yore_str("run* \"storm damage\" (storm OR calm)");
        query.explain = true;
        query.snippet_bytes = 20;
        fault.armed = true;
        fault.left = n;
        yore_iter *iter = NULL;
        yore_hit hits[4];
        size_t count = 0;
        yore_status status = yore_search(snap, &query, &iter, &err);
        if (status == YORE_OK) status = yore_search_next(iter, hits, sizeof hits[0], 4, &count, &err);
        reached_the_end = status == YORE_OK;
        if (!reached_the_end) assert_int_equal(status, YORE_ERR_NOMEM);
        fault.armed = false;
        yore_iter_close(iter);
        ok(search_snap(snap, &query, &out)); /* whatever failed, the next one works */
        assert_string_equal(out.keys, "a b c");
        yore_snap_close(snap);
        yore_close(db);
    }
    print_message("%u allocations failed one after another\n", (unsigned)n - 1);
    assert_true(n > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_commit_is_found_at_once),
        cmocka_unit_test(test_a_fresh_fork_sees_the_parents_documents_at_once),
        cmocka_unit_test(test_scores_of_a_fork_ignore_other_branches),
        cmocka_unit_test(test_search_before_the_fork_point_answers_from_the_parents_past),
        cmocka_unit_test(test_a_child_hides_what_it_replaced_or_deleted_and_nothing_else),
        cmocka_unit_test(test_a_branch_is_searched_by_id_whatever_its_name),
        cmocka_unit_test(test_expiry_between_commits_is_seen_at_its_time),
        cmocka_unit_test(test_a_child_takes_nothing_off_for_a_document_that_expired),
        cmocka_unit_test(test_a_change_of_language_analyses_all_history_again),
        cmocka_unit_test(test_k1_and_b_apply_at_once_and_to_the_past),
        cmocka_unit_test(test_index_none_holds_nothing),
        cmocka_unit_test(test_what_is_indexed_may_differ_by_prefix_at_every_moment),
        cmocka_unit_test(test_a_fork_counts_by_prefix_as_a_fresh_store_would),
        cmocka_unit_test(test_settings_take_only_what_search_understands),
        cmocka_unit_test(test_every_language_of_the_analyzer_is_a_setting_and_the_other_way_round),
        cmocka_unit_test(test_hits_outlive_snapshot_and_store),
        cmocka_unit_test(test_a_snapshot_of_a_closed_store_is_read_but_not_searched),
        cmocka_unit_test(test_closing_ends_the_searches_of_other_threads),
        cmocka_unit_test(test_a_forked_process_does_not_search),
        cmocka_unit_test(test_a_reader_finds_what_the_writer_wrote_after_a_refresh),
        cmocka_unit_test(test_the_memory_limit_is_an_error_that_names_it),
        cmocka_unit_test(test_a_wait_has_a_limit),
        cmocka_unit_test(test_a_prefix_of_too_many_words_is_refused_and_fewer_are_not),
        cmocka_unit_test(test_odd_values_and_queries_are_answered),
        cmocka_unit_test(test_misuse_is_said),
        cmocka_unit_test(test_stats_say_how_far_the_index_is),
        cmocka_unit_test(test_without_threads_a_search_does_the_work_itself),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
