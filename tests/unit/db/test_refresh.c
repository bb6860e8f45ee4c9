/* A reader that was left behind by a writer: what it reads is what one that opens afresh reads, in every respect, and
 * what it cannot have for want of memory it does not have in part. On the simulated disk. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/buf.h"
#include "engine/db/handle.h"
#include "engine/db/refresh_policy.h"
#include "tests/support/env_sim.h"

#include <yore.h>

enum { EVERY = 7 };

static yore_db *opened(yr_sim *sim, bool read_only, uint64_t memtable_bytes)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_db *db = NULL;
    options.env = yr_sim_env(sim);
    options.create = !read_only;
    options.read_only = read_only;
    options.sync = YORE_SYNC_OS;
    options.memory_bytes_max = 64 << 20;
    options.wal_bytes_min = options.wal_bytes_max = 16384;
    options.maintain_every = read_only ? 0 : EVERY;
    options.memtable_bytes = memtable_bytes;
    assert_int_equal(yore_open("db", &options, &db, NULL), YORE_OK);
    return db;
}

static void put(yore_db *db, const char *branch, int key, const char *value)
{
    char name[32];
    snprintf(name, sizeof name, "key %d", key);
    assert_int_equal(yore_db_put(db, yore_str(branch), yore_str_key(name), yore_str(value), NULL, NULL),
                     YORE_OK);
}

static void put_many(yore_db *db, const char *branch, int first, int count, const char *value)
{
    for (int i = first; i < first + count; i++) put(db, branch, i, value);
}

static void fork_of(yore_db *db, const char *parent, const char *name)
{
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    snprintf(from.branch, sizeof from.branch, "%s", parent);
    options.from = &from;
    assert_int_equal(yore_branch_create(db, yore_str(name), &options, NULL, NULL), YORE_OK);
}

static void rename_branch(yore_db *db, const char *from, const char *to)
{
    assert_int_equal(yore_branch_rename(db, yore_str(from), yore_str(to), NULL, NULL), YORE_OK);
}

static void delete_branch(yore_db *db, const char *name)
{
    assert_int_equal(yore_branch_delete(db, yore_str(name), true, NULL, NULL, NULL), YORE_OK);
}

/* -- everything that can be read, as text -- */

static void add(yr_buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(yr_buf *out, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    assert_in_range(size, 0, sizeof line - 1);
    assert_true(yr_buf_append(out, line, (size_t)size));
}

static void dump_snap(yr_buf *out, yore_snap *snap)
{
    yore_range range = YORE_RANGE_INIT;
    yore_row rows[16];
    yore_iter *iter;
    size_t n;
    assert_int_equal(yore_scan(snap, &range, &iter, NULL), YORE_OK);
    while (yore_next(iter, rows, sizeof rows[0], 16, &n, NULL) == YORE_OK) {
        for (size_t i = 0; i < n; i++) {
            yore_pin pin = YORE_PIN_INIT;
            add(out, "  %.*s=%.*s (%zu) v%" PRIu64 " of %u\n", (int)rows[i].key.size,
                (const char *)rows[i].key.data, (int)(rows[i].value.size < 20 ? rows[i].value.size : 20),
                (const char *)rows[i].value.data, rows[i].value.size, rows[i].version, rows[i].branch_id);
            assert_int_equal(yore_get(snap, (yore_key){.user = rows[i].key}, &pin, NULL), YORE_OK);
            assert_int_equal(pin.version, rows[i].version);
            assert_int_equal(pin.value.size, rows[i].value.size);
            yore_unpin(&pin);
        }
    }
    yore_iter_close(iter);
}

static void dump_branch(yr_buf *out, yore_db *db, uint32_t id)
{
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    at.branch_id = id;
    yore_status status = yore_snap_open(db, &at, &snap, NULL, NULL);
    add(out, " now: %d\n", status);
    if (status < 0) return;
    dump_snap(out, snap);
    yore_snap_close(snap);
}

/* The filter is not the same in both, so keys that are not there are asked for as well. */
static void ask_for_absent_keys(yore_db *db, const char *branch)
{
    for (int i = 0; i < 50; i++) {
        char name[32];
        yore_pin pin = YORE_PIN_INIT;
        snprintf(name, sizeof name, "absent %d", i);
        assert_int_equal(yore_db_get(db, yore_str(branch), yore_str_key(name), &pin, NULL), YORE_NOT_FOUND);
    }
}

static void dump(yr_buf *out, yore_db *db)
{
    yore_branch_info info = {.struct_size = sizeof info};
    yore_stats stats = {.struct_size = sizeof stats};
    yr_buf_clear(out);
    assert_int_equal(yore_stats_get(db, &stats, NULL), YORE_OK);
    add(out, "v%" PRIu64 " %" PRIu64 " live\n", stats.version, stats.branches);
    for (uint32_t id = 0; yore_branch_next(db, id, &info, NULL) == YORE_OK; id = info.id) {
        yore_branch_info named = {.struct_size = sizeof named};
        add(out,
            "%s %u of %s depth %u: fork %" PRIu64 " head %" PRIu64 " made %" PRIu64 " children %" PRIu64
            " deleted %" PRIu64 "\n",
            info.name, info.id, info.parent, info.depth, info.fork_version, info.head_version,
            info.create_version, info.children, info.deleted_version);
        dump_branch(out, db, info.id);
        if (info.deleted_version) continue;
        assert_int_equal(yore_branch_info_get(db, yore_str(info.name), &named, NULL), YORE_OK);
        assert_int_equal(named.id, info.id);
        ask_for_absent_keys(db, info.name);
    }
    const char *problem = "";
    if (!yr_catalog_check(db->store.catalog, &problem)) fail_msg("%s", problem);
}

static void expect_equal(const yr_buf *a, const yr_buf *b)
{
    if (a->size == b->size && memcmp(a->data, b->data, a->size) == 0) return;
    fprintf(stderr, "%.*s\n-- and --\n%.*s\n", (int)a->size, (const char *)a->data, (int)b->size,
            (const char *)b->data);
    fail_msg("two readers differ");
}

/* The reader reads what one that opens now reads. */
static void expect_as_opened_now(yr_sim *sim, yore_db *reader)
{
    yr_buf one, other;
    yr_buf_init(&one, yr_sim_env(sim), SIZE_MAX);
    yr_buf_init(&other, yr_sim_env(sim), SIZE_MAX);
    yore_db *fresh = opened(sim, true, 0);
    dump(&one, reader);
    dump(&other, fresh);
    expect_equal(&one, &other);
    yore_close(fresh);
    yr_buf_deinit(&one);
    yr_buf_deinit(&other);
}

/* -- the writer's life -- */

static char large[70000]; /* goes into a value file */
static char some[400];

static void early_life(yore_db *db)
{
    memset(large, 'l', sizeof large - 1);
    memset(some, 's', sizeof some - 1);
    put_many(db, "", 0, 10, "first");
    fork_of(db, "default", "a");
    fork_of(db, "a", "b");
    put_many(db, "a", 5, 10, "of a");
    put_many(db, "b", 8, 3, "of b");
    fork_of(db, "default", "gone");
    put(db, "gone", 1, "nobody reads this");
}

/* More than a reader's log files hold; names change hands, and a branch of a branch that is new is new. */
static void late_life(yore_db *db)
{
    rename_branch(db, "a", "x");
    rename_branch(db, "b", "a");
    rename_branch(db, "x", "b");
    put_many(db, "a", 100, 5, "the second a");
    delete_branch(db, "gone");
    fork_of(db, "a", "child");
    fork_of(db, "child", "gone"); /* another one */
    put_many(db, "child", 0, 4, "of child");
    put(db, "", 3, large);
    fork_of(db, "default", "short");
    put(db, "short", 1, "lived");
    delete_branch(db, "short");
    put_many(db, "", 200, 300, some);
    put_many(db, "gone", 300, 3, "of the new gone");
    assert_int_equal(yore_db_del(db, yore_str("b"), yore_str_key("key 6"), NULL, NULL), YORE_OK);
    put_many(db, "b", 400, EVERY, "of b");
    put(db, "", 1, "last");
}

static void test_a_reader_that_was_left_behind_reads_what_a_new_one_reads(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(3);
    yore_db *db = opened(sim, false, 0);
    yore_snap *old;
    yr_buf before, after;
    yr_buf_init(&before, yr_sim_env(sim), SIZE_MAX);
    yr_buf_init(&after, yr_sim_env(sim), SIZE_MAX);
    early_life(db);
    yore_db *reader = opened(sim, true, 0);
    yore_at at = YORE_AT_INIT;
    snprintf(at.branch, sizeof at.branch, "b");
    assert_int_equal(yore_snap_open(reader, &at, &old, NULL, NULL), YORE_OK);
    dump_snap(&before, old);
    late_life(db);
    assert_false(yr_wal_is_behind(reader->wal));
    uint64_t flushed = yr_layers_flushed(yr_store_layers(&reader->store));
    assert_int_equal(yore_refresh(reader, NULL), YORE_OK);
    assert_true(yr_layers_flushed(yr_store_layers(&reader->store)) > flushed); /* it did begin anew */
    expect_as_opened_now(sim, reader);
    dump_snap(&after, old);
    expect_equal(&before, &after);
    /* and goes on by the log, growing filters on the way */
    put_many(db, "b", 600, 5, "more");
    assert_int_equal(yore_refresh(reader, NULL), YORE_OK);
    expect_as_opened_now(sim, reader);
    yr_buf_clear(&after);
    dump_snap(&after, old);
    expect_equal(&before, &after);
    yore_close(db); /* which flushes, and drops the log */
    assert_int_equal(yore_refresh(reader, NULL), YORE_OK);
    expect_as_opened_now(sim, reader);
    yore_snap_close(old);
    yore_close(reader);
    yr_buf_deinit(&before);
    yr_buf_deinit(&after);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

typedef struct trouble {
    bool is_memory;
    uint32_t kinds;
} trouble;

static void make_trouble(yr_sim *sim, trouble what, uint64_t nth)
{
    if (what.is_memory)
        yr_sim_fail_alloc(sim, nth, false);
    else
        yr_sim_set_fault(sim, (yr_sim_fault){.kinds = nth ? what.kinds : 0, .nth = nth, .os_errno = EIO});
}

static uint64_t trouble_hits(const yr_sim *sim, trouble what)
{
    return what.is_memory ? yr_sim_alloc_fault_hits(sim) : yr_sim_fault_hits(sim);
}

/* Each of the allocations, reads and opens of a refresh in turn fails. */
static void test_a_refresh_that_fails_leaves_everything_as_it_was(void **state)
{
    static const trouble kinds[] = {
        {.is_memory = true}, {.kinds = YR_SIM_OP_READ}, {.kinds = YR_SIM_OP_OPEN}};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        uint64_t failures = 0;
        yr_sim *sim = yr_sim_create(4);
        yore_db *db = opened(sim, false, 0);
        yr_buf before, after;
        yr_buf_init(&before, yr_sim_env(sim), SIZE_MAX);
        yr_buf_init(&after, yr_sim_env(sim), SIZE_MAX);
        early_life(db);
        yore_db *reader = opened(sim, true, 0);
        dump(&before, reader);
        late_life(db);
        uint64_t visible = yr_store_visible(&reader->store);
        for (uint64_t nth = 1, hits = 1; hits > 0; nth++) {
            make_trouble(sim, kinds[k], nth);
            yore_status status = yore_refresh(reader, NULL);
            hits = trouble_hits(sim, kinds[k]);
            make_trouble(sim, kinds[k], 0);
            if (status == YORE_OK) break;
            assert_true(hits > 0);
            assert_int_equal(status, kinds[k].is_memory ? YORE_ERR_NOMEM : YORE_ERR_IO);
            failures++;
            uint64_t now = yr_store_visible(&reader->store);
            assert_true(now >= visible && now < yr_store_visible(&db->store));
            dump(now > visible ? &before : &after, reader); /* what the log still had was read, and stays */
            if (now == visible) expect_equal(&before, &after);
            visible = now;
        }
        assert_true(failures > 0);
        assert_int_equal(yore_refresh(reader, NULL), YORE_OK);
        expect_as_opened_now(sim, reader);
        yr_buf_deinit(&before);
        yr_buf_deinit(&after);
        yore_close(reader);
        yore_close(db);
        assert_false(yr_sim_has_leaks(sim));
        yr_sim_destroy(sim);
    }
}

static uint64_t memtable_bytes(const yore_db *db)
{
    return yr_memtable_bytes(yr_store_layers(&db->store)->mems[0]);
}

/* One that could go on reading the log for ever does not grow for ever. */
static void test_a_reader_that_keeps_up_gives_its_memory_back(void **state)
{
    (void)state;
    static char value[4000];
    yr_sim *sim = yr_sim_create(5);
    yore_db *db = opened(sim, false, 0);
    memset(value, 'v', sizeof value - 1);
    put(db, "", 0, value);
    yore_db *reader = opened(sim, true, 256 << 10);
    uint64_t most = 0, first = memtable_bytes(reader);
    for (int i = 0; i < 1000; i++) { /* 4 MB */
        put(db, "", i % 50, value);
        yr_sim_advance_ns(sim, 30000000);
        assert_int_equal(yore_refresh(reader, NULL), YORE_OK);
        if (memtable_bytes(reader) > most) most = memtable_bytes(reader);
    }
    assert_true(most < first + (768 << 10));
    expect_as_opened_now(sim, reader);
    yore_close(reader);
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

/* Segments the reader has open already are not opened again. */
static void test_files_that_are_open_are_shared(void **state)
{
    (void)state;
    yr_sim *sim = yr_sim_create(6);
    yore_db *db = opened(sim, false, 0);
    put_many(db, "", 0, 3 * EVERY, "x");
    yore_db *reader = opened(sim, true, 0);
    const yr_layers *layers = yr_store_layers(&reader->store);
    assert_true(layers->run_count > 0);
    yr_run *run = layers->runs[layers->run_count - 1];
    yore_snap *keeps_it;
    assert_int_equal(yore_snap_open(reader, NULL, &keeps_it, NULL, NULL), YORE_OK);
    reader->refresh_failed = true; /* as after a record that was applied in part */
    assert_int_equal(yore_refresh(reader, NULL), YORE_OK);
    layers = yr_store_layers(&reader->store);
    assert_ptr_not_equal(layers, keeps_it->reader.layers);
    assert_ptr_equal(layers->runs[layers->run_count - 1], run);
    expect_as_opened_now(sim, reader);
    yore_snap_close(keeps_it);
    yore_close(reader);
    yore_close(db);
    assert_false(yr_sim_has_leaks(sim));
    yr_sim_destroy(sim);
}

static void test_when_a_reader_begins_anew(void **state)
{
    (void)state;
    const yr_refresh_facts small = {.base_version = 100,
                                    .last_version = 200,
                                    .memtable_bytes = 1000,
                                    .memtable_bytes_max = 1000,
                                    .flushed_version = 200};
    yr_refresh_facts facts = small;
    assert_false(yr_refresh_pays(&facts)); /* nothing is too large */
    facts.memtable_bytes = 1001;
    assert_true(yr_refresh_pays(&facts));
    facts.flushed_version = 150;
    assert_true(yr_refresh_pays(&facts));
    facts.flushed_version = 149; /* too little would go */
    assert_false(yr_refresh_pays(&facts));
    facts.flushed_version = 0;
    assert_false(yr_refresh_pays(&facts));
    facts = small;
    facts.listed_bytes = 5000;
    facts.dropped_bytes = 5000;
    assert_false(yr_refresh_pays(&facts));
    facts.dropped_bytes = 5001; /* most of what it keeps on the disk is of no use to others */
    assert_true(yr_refresh_pays(&facts));
    facts.listed_bytes = 0;
    facts.dropped_bytes = 1000; /* but it is not much */
    assert_false(yr_refresh_pays(&facts));
    facts.every = 100;
    assert_true(yr_refresh_is_large(&facts));
    facts.every = 101;
    assert_false(yr_refresh_is_large(&facts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reader_that_was_left_behind_reads_what_a_new_one_reads),
        cmocka_unit_test(test_a_refresh_that_fails_leaves_everything_as_it_was),
        cmocka_unit_test(test_a_reader_that_keeps_up_gives_its_memory_back),
        cmocka_unit_test(test_files_that_are_open_are_shared),
        cmocka_unit_test(test_when_a_reader_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
