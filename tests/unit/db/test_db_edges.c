/* The public calls at their edges, each named for what once went wrong there. On the simulated disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/base/buf.h"
#include "engine/format/commit_format.h"
#include "engine/format/registry_format.h"
#include "engine/wal/wal.h"
#include "tests/support/env_sim.h"

#include <yore.h>

static yore_db *opened(yr_sim *sim, uint32_t sync)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db = NULL;
    options.env = yr_sim_env(sim);
    options.create = true;
    options.sync = sync;
    options.memory_bytes_max = 64 << 20;
    options.wal_bytes_min = 16384;
    assert_int_equal(yore_open("db", &options, &db, NULL), YORE_OK);
    return db;
}

static void put(yore_db *db, const char *key, const char *value)
{
    assert_int_equal(yore_db_put(db, yore_str(""), yore_str_key(key), yore_str(value), NULL, NULL), YORE_OK);
}

static yore_status get(yore_db *db, const char *branch, const char *key)
{
    yore_pin pin = YORE_PIN_INIT;
    yore_status status = yore_db_get(db, yore_str(branch), yore_str_key(key), &pin, NULL);
    yore_unpin(&pin);
    return status;
}

static void test_a_commit_time_that_no_later_one_could_follow_is_refused(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(1);
    yore_db *db = opened(sim, YORE_SYNC_COMMIT);
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_txn *txn;
    options.time_ns = INT64_MAX;
    options.allow_future = true;
    assert_int_equal(yore_begin(db, yore_str(""), &options, &txn, NULL), YORE_OK);
    assert_int_equal(yore_put(txn, yore_str_key("a"), yore_str("1"), NULL, NULL), YORE_OK);
    assert_int_equal(yore_commit(txn, yore_str(""), NULL, NULL), YORE_ERR_TIME_RANGE);
    put(db, "a", "2");
    yore_close(db);
    db = opened(sim, YORE_SYNC_COMMIT);
    assert_int_equal(get(db, "", "a"), YORE_OK);
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void test_a_scan_inside_a_transaction_survives_its_writes(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(2);
    yore_db *db = opened(sim, YORE_SYNC_OS);
    yore_txn *txn;
    yore_iter *iter;
    yore_row row;
    size_t n, rows = 0;
    put(db, "committed", "1");
    assert_int_equal(yore_begin(db, yore_str(""), NULL, &txn, NULL), YORE_OK);
    assert_int_equal(yore_put(txn, yore_str_key("own"), yore_str("1"), NULL, NULL), YORE_OK);
    assert_int_equal(yore_txn_scan(txn, NULL, &iter, NULL), YORE_OK);
    while (yore_next(iter, &row, sizeof row, 1, &n, NULL) == YORE_OK) {
        char key[32];
        for (int i = 0; i < 50; i++) {
            snprintf(key, sizeof key, "new/%zu/%d", rows, i);
            assert_int_equal(yore_put(txn, yore_str_key(key), yore_str("x"), NULL, NULL), YORE_OK);
        }
        rows++;
    }
    assert_int_equal(rows, 2);
    yore_iter_close(iter);
    yore_rollback(txn);
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void test_a_refused_precondition_refuses_the_commit_too(void **state)
{
    (void)state;
    yore_db *db;
    yore_txn *txn;
    yore_put_options absent = YORE_PUT_OPTIONS_INIT;
    absent.if_absent = true;
    assert_int_equal(yore_open(":memory:", NULL, &db, NULL), YORE_OK);
    assert_int_equal(yore_begin(db, yore_str(""), NULL, &txn, NULL), YORE_OK);
    assert_int_equal(yore_put(txn, yore_str_key("a"), yore_str("1"), NULL, NULL), YORE_OK);
    assert_int_equal(yore_put(txn, yore_str_key("a"), yore_str("2"), &absent, NULL), YORE_EXISTS);
    assert_int_equal(yore_commit(txn, yore_str(""), NULL, NULL), YORE_EXISTS);
    assert_int_equal(get(db, "", "a"), YORE_NOT_FOUND);
    yore_close(db);
}

static void test_incr_then_append_keep_the_expiry(void **state)
{
    (void)state;
    yore_db *db;
    yore_txn *txn;
    yore_pin pin = YORE_PIN_INIT;
    yore_put_options ttl = YORE_PUT_OPTIONS_INIT;
    ttl.ttl_ns = INT64_C(3600000000000);
    assert_int_equal(yore_open(":memory:", NULL, &db, NULL), YORE_OK);
    assert_int_equal(yore_begin(db, yore_str(""), NULL, &txn, NULL), YORE_OK);
    assert_int_equal(yore_put(txn, yore_str_key("n"), yore_str("1"), &ttl, NULL), YORE_OK);
    assert_int_equal(yore_commit(txn, yore_str(""), NULL, NULL), YORE_OK);
    assert_int_equal(yore_begin(db, yore_str(""), NULL, &txn, NULL), YORE_OK);
    assert_int_equal(yore_incr(txn, yore_str_key("n"), 1, NULL), YORE_OK);
    assert_int_equal(yore_append(txn, yore_str_key("n"), yore_str("0"), NULL), YORE_OK);
    assert_int_equal(yore_commit(txn, yore_str(""), NULL, NULL), YORE_OK);
    assert_int_equal(yore_db_get(db, yore_str(""), yore_str_key("n"), &pin, NULL), YORE_OK);
    assert_int_equal(pin.value.size, 2);
    assert_memory_equal(pin.value.data, "20", 2);
    assert_true(pin.expiry_ns != 0);
    yore_unpin(&pin);
    yore_close(db);
}

static void test_a_deleted_branch_gets_no_children(void **state)
{
    (void)state;
    yore_db *db;
    yore_at at = YORE_AT_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    assert_int_equal(yore_open(":memory:", NULL, &db, NULL), YORE_OK);
    assert_int_equal(yore_branch_create(db, yore_str("exp"), NULL, NULL, NULL), YORE_OK);
    assert_int_equal(yore_branch_delete(db, yore_str("exp"), false, NULL, NULL, NULL), YORE_OK);
    at.branch_id = 2;
    options.from = &at;
    assert_int_equal(yore_branch_create(db, yore_str("child"), &options, NULL, NULL), YORE_ERR_NO_BRANCH);
    yore_close(db);
}

static void test_mode_none_logs_nothing_and_promises_nothing(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(3);
    yore_db *db = opened(sim, YORE_SYNC_COMMIT);
    put(db, "kept", "1");
    yore_close(db);
    db = opened(sim, YORE_SYNC_NONE);
    put(db, "gone", "1");
    yore_txn_options options = YORE_TXN_OPTIONS_INIT;
    yore_txn *txn;
    options.sync = YORE_SYNC_COMMIT;
    assert_int_equal(yore_begin(db, yore_str(""), &options, &txn, NULL), YORE_ERR_UNSUPPORTED);
    yore_close(db);
    db = opened(sim, YORE_SYNC_COMMIT);
    assert_int_equal(get(db, "", "kept"), YORE_OK);
    assert_int_equal(get(db, "", "gone"), YORE_NOT_FOUND);
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void test_a_bound_longer_than_any_key_still_bounds(void **state)
{
    (void)state;
    static char longest[YORE_KEY_BYTES_MAX + 1];
    yore_db *db;
    yore_snap *snap;
    yore_iter *iter;
    yore_row row;
    size_t n;
    memset(longest, 'a', sizeof longest);
    assert_int_equal(yore_open(":memory:", NULL, &db, NULL), YORE_OK);
    yore_key key = yore_bytes_key(longest, YORE_KEY_BYTES_MAX);
    assert_int_equal(yore_db_put(db, yore_str(""), key, yore_str("v"), NULL, NULL), YORE_OK);
    assert_int_equal(yore_snap_open(db, NULL, &snap, NULL, NULL), YORE_OK);
    yore_range from = YORE_RANGE_INIT, to = YORE_RANGE_INIT;
    from.from = yore_bytes(longest, sizeof longest);
    to.to = yore_bytes(longest, sizeof longest);
    assert_int_equal(yore_scan(snap, &from, &iter, NULL), YORE_OK);
    assert_int_equal(yore_next(iter, &row, sizeof row, 1, &n, NULL), YORE_END);
    yore_iter_close(iter);
    assert_int_equal(yore_scan(snap, &to, &iter, NULL), YORE_OK);
    assert_int_equal(yore_next(iter, &row, sizeof row, 1, &n, NULL), YORE_OK);
    yore_iter_close(iter);
    yore_snap_close(snap);
    yore_close(db);
}

/* -- logs with valid checksums and impossible contents -- */

static uint8_t keys[8][8], records[8][YR_BRANCH_RECORD_MAX];
static int used;

static void frame(yr_buf *out, uint64_t version, uint32_t branch, uint8_t kind, const yr_row *rows,
                  uint32_t n)
{
    size_t at;
    const yr_commit_head head = {.version = version,
                                 .time_ns = 1000 + (int64_t)version,
                                 .branch = branch,
                                 .kind = kind,
                                 .row_count = n};
    assert_true(yr_frame_begin(out, &head, &at));
    for (uint32_t i = 0; i < n; i++) assert_true(yr_frame_row(out, &rows[i]));
    yr_frame_finish(out, at);
}

static yr_row branch_row(uint32_t id, const yr_branch_record *record)
{
    yr_branch_key_encode(id, keys[used]);
    size_t size = yr_branch_record_encode(record, records[used]);
    yr_row row = {.key = {keys[used], YR_BRANCH_KEY_BYTES},
                  .value = {records[used], size},
                  .primitive = YORE_SYSTEM,
                  .op = YORE_OP_PUT};
    used++;
    return row;
}

static yr_row tag_row(yore_slice key, uint32_t branch, uint64_t version)
{
    const yr_tag_record tag = {.branch = branch, .version = version};
    yr_tag_record_encode(&tag, records[used]);
    yr_row row = {.key = key,
                  .value = {records[used], YR_TAG_RECORD_BYTES},
                  .primitive = YORE_SYSTEM,
                  .op = YORE_OP_PUT};
    used++;
    return row;
}

static yr_row prefixes_row(const char *key, uint64_t since)
{
    const yr_prefix_value value = {.prefix = yore_str("a"), .text = yore_str("none")};
    yr_prefix_table_encode(&value, 1, since, records[used]);
    yr_row row = {.key = yore_str(key),
                  .value = {records[used], yr_prefix_table_bytes(&value, 1)},
                  .primitive = YORE_SYSTEM,
                  .op = YORE_OP_PUT};
    used++;
    return row;
}

/* A second commit of these rows behind a good first one is refused at open. */
static void refused(uint32_t branch, uint8_t kind, const yr_row *rows, uint32_t n)
{
    yr_sim *sim = yr_sim_create(4);
    const yore_env *env = yr_sim_env(sim);
    yr_buf out;
    yore_dir *dir;
    yore_db *db;
    yore_error err = YORE_ERROR_INIT;
    const yr_branch_record first = {.name = yore_str("default")};
    yr_buf_init(&out, env, SIZE_MAX);
    yr_row init = branch_row(1, &first);
    frame(&out, 1, 0, YORE_COMMIT_INIT, &init, 1);
    frame(&out, 2, branch, kind, rows, n);
    assert_int_equal(env->dir_open(env->ctx, "db", YORE_DIR_CREATE, NULL, &dir), 0);
    const yr_wal_options log = {.env = env, .dir = dir, .path = "db"};
    assert_int_equal(yr_wal_create(&log, yore_bytes(out.data, out.size), &err), YORE_OK);
    env->dir_close(env->ctx, dir);
    yr_buf_deinit(&out);
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = env;
    options.memory_bytes_max = 64 << 20;
    assert_int_equal(yore_open("db", &options, &db, &err), YORE_ERR_CORRUPT);
    assert_true(err.message[0] != 0);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
    used = 0;
}

static void test_a_log_with_impossible_contents_is_refused(void **state)
{
    (void)state;
    static char long_tag[300];
    memset(long_tag, 'a', sizeof long_tag);
    long_tag[0] = 't';
    yr_row row = tag_row(yore_str("trel"), 77, 1);
    refused(0, YORE_COMMIT_TAG, &row, 1); /* a tag on no branch */
    row = tag_row(yore_str("trel"), 1, UINT64_C(1) << 60);
    refused(0, YORE_COMMIT_TAG, &row, 1); /* a tag on no version */
    row = tag_row(yore_bytes(long_tag, sizeof long_tag), 1, 1);
    refused(0, YORE_COMMIT_TAG, &row, 1); /* a tag with too long a name */
    row = branch_row(2, &(yr_branch_record){.parent = 1, .name = yore_str("x")});
    refused(0, YORE_COMMIT_BRANCH, &row, 1); /* a fork of no version */
    row = branch_row(2, &(yr_branch_record){.name = yore_str("default")});
    refused(0, YORE_COMMIT_BRANCH, &row, 1); /* a second `default` */
    row = branch_row(5, &(yr_branch_record){.name = yore_str("x")});
    refused(0, YORE_COMMIT_BRANCH, &row, 1); /* a gap in the ids */
    row = prefixes_row("psearch.index", 3);
    refused(0, YORE_COMMIT_CONFIG, &row, 1); /* a setting's prefixes of a later version */
    row = prefixes_row("p", 2);
    refused(0, YORE_COMMIT_CONFIG, &row, 1); /* of no setting */
    row = prefixes_row("psearch.index", 2);
    row.value.size--;
    refused(0, YORE_COMMIT_CONFIG, &row, 1); /* cut short */
    const yr_row twice[2] = {
        {.key = yore_str("k"), .value = yore_str("1"), .branch = 1, .primitive = YORE_KV, .op = YORE_OP_PUT},
        {.key = yore_str("k"), .value = yore_str("2"), .branch = 1, .primitive = YORE_KV, .op = YORE_OP_PUT}};
    refused(1, YORE_COMMIT_DATA, twice, 2); /* a key twice */
    refused(9, YORE_COMMIT_DATA, twice, 1); /* no such branch */
}

/* Memory runs out at each allocation of a refresh in turn. What was not applied at all can be asked for again. */
static void test_a_refresh_that_found_no_memory_to_read_with_can_be_repeated(void **state)
{
    (void)state;
    uint64_t repeated = 0;
    for (uint64_t nth = 1, hits = 1; hits > 0; nth++) {
        yr_sim *sim = yr_sim_create(9);
        yore_db *db = opened(sim, YORE_SYNC_OS), *reader = NULL;
        yore_open_options options = YORE_OPEN_OPTIONS_INIT;
        options.env = yr_sim_env(sim);
        options.read_only = true;
        options.memory_bytes_max = 64 << 20;
        assert_int_equal(yore_open("db", &options, &reader, NULL), YORE_OK);
        static char large[100000];
        memset(large, 'x', sizeof large - 1);
        put(db, "k", large);
        yr_sim_fail_alloc(sim, nth, false);
        yore_status status = yore_refresh(reader, NULL);
        hits = yr_sim_alloc_fault_hits(sim);
        yr_sim_fail_alloc(sim, 0, false);
        if (status == YORE_OK) {
            assert_int_equal(get(reader, "", "k"), YORE_OK);
        } else {
            assert_int_equal(status, YORE_ERR_NOMEM);
            status = yore_refresh(reader, NULL);
            assert_true(status == YORE_OK || status == YORE_ERR_POISONED);
            repeated += status == YORE_OK;
            assert_int_equal(get(reader, "", "k"), status == YORE_OK ? YORE_OK : YORE_NOT_FOUND);
        }
        yore_close(reader);
        yore_close(db);
        assert_false(yr_sim_has_leaks(sim));
        yr_sim_destroy(sim);
    }
    assert_true(repeated > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_commit_time_that_no_later_one_could_follow_is_refused),
        cmocka_unit_test(test_a_scan_inside_a_transaction_survives_its_writes),
        cmocka_unit_test(test_a_refused_precondition_refuses_the_commit_too),
        cmocka_unit_test(test_incr_then_append_keep_the_expiry),
        cmocka_unit_test(test_a_deleted_branch_gets_no_children),
        cmocka_unit_test(test_mode_none_logs_nothing_and_promises_nothing),
        cmocka_unit_test(test_a_bound_longer_than_any_key_still_bounds),
        cmocka_unit_test(test_a_log_with_impossible_contents_is_refused),
        cmocka_unit_test(test_a_refresh_that_found_no_memory_to_read_with_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
