/* What branches keep, through the handle: whatever is written, forked, tagged, deleted, collected and reopened, a point
 * that can be read shows what it always showed, what a rule promises can be read, and what was lost stays lost. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "tests/support/env_sim.h"

#include <yore.h>

enum { BRANCHES = 8, VERSIONS = 120, KEYS = 3, TAGS = 4 };

typedef struct branch {
    uint32_t parent;
    uint64_t fork;
    bool is_deleted;
} branch;

/* One write: the value is its version. */
typedef struct write {
    uint32_t branch, key;
    uint64_t version;
    bool is_delete;
    bool is_erased;
} write;

typedef struct world {
    yr_sim *sim;
    yore_db *db;
    yr_rng rng;
    uint64_t every;                /* commits between flushes; 0 = by size */
    branch branches[BRANCHES + 1]; /* by id */
    uint32_t branch_count;
    write writes[VERSIONS];
    uint32_t write_count;
    uint64_t version;
    uint32_t tag_count;
    bool was_lost[BRANCHES + 1][VERSIONS + 1];
} world;

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static void open_db(world *w)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(w->sim);
    options.create = true;
    options.sync = YORE_SYNC_OS;
    options.memory_bytes_max = 64 << 20;
    options.wal_bytes_min = 16384;
    options.maintain_every = (uint32_t)w->every;
    ok(yore_open("db", &options, &w->db, &err));
}

static yore_slice id_name(uint32_t id, char text[16])
{
    snprintf(text, 16, "id:%u", id);
    return yore_str(text);
}

static uint32_t any(world *w, uint32_t n)
{
    return (uint32_t)yr_rng_below(&w->rng, n);
}

static uint32_t any_branch(world *w)
{
    return 1 + any(w, w->branch_count);
}

/* -- by definition -- */

/* The version of the write a point shows, 0 when it shows nothing. */
static uint64_t shown(const world *w, uint32_t id, uint64_t cap, uint32_t key)
{
    for (; id; id = w->branches[id].parent) {
        const write *best = NULL;
        for (uint32_t i = 0; i < w->write_count; i++) {
            const write *at = &w->writes[i];
            if (at->branch == id && at->key == key && at->version <= cap && !at->is_erased) best = at;
        }
        if (best) return best->is_delete ? 0 : best->version;
        if (w->branches[id].fork < cap) cap = w->branches[id].fork;
    }
    return 0;
}

/* -- and by the store -- */

static void expect_shown(const world *w, yore_snap *snap, uint32_t id, uint64_t cap)
{
    for (uint32_t key = 0; key < KEYS; key++) {
        char name[8], text[24] = "";
        yore_pin pin = YORE_PIN_INIT;
        uint64_t wanted = shown(w, id, cap, key);
        snprintf(name, sizeof name, "k%u", key);
        yore_status status = yore_get(snap, yore_str_key(name), &pin, &err);
        assert_true(status == YORE_OK || status == YORE_NOT_FOUND);
        if (status == YORE_OK)
            snprintf(text, sizeof text, "%.*s", (int)pin.value.size, (const char *)pin.value.data);
        if (strtoull(text, NULL, 10) != wanted)
            fail_msg("id:%u@v%" PRIu64 " k%u is '%s', not %" PRIu64, id, cap, key, text, wanted);
        yore_unpin(&pin);
    }
}

static bool is_readable(world *w, uint32_t id, uint64_t cap)
{
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    at.branch_id = id;
    at.kind = YORE_AT_VERSION;
    at.version = cap;
    yore_status status = yore_snap_open(w->db, &at, &snap, NULL, &err);
    if (status == YORE_ERR_TRIMMED) return false;
    ok(status);
    expect_shown(w, snap, id, cap);
    yore_snap_close(snap);
    return true;
}

static void expect_all(world *w)
{
    for (uint32_t id = 1; id <= w->branch_count; id++) {
        char text[16];
        yore_retention keep = YORE_RETENTION_INIT;
        yore_status status = yore_branch_retention_get(w->db, id_name(id, text), &keep, &err);
        bool purged = status == YORE_ERR_TRIMMED;
        if (!purged) ok(status);
        for (uint64_t v = 1; v <= w->version; v++) {
            bool readable = is_readable(w, id, v);
            if (readable) assert_false(w->was_lost[id][v]);
            if (!readable) w->was_lost[id][v] = true;
            if (!purged && v >= keep.oldest_version) assert_true(readable);
        }
    }
}

/* -- what happens -- */

static void do_write(world *w)
{
    char name[8], value[24], text[16];
    uint32_t id = any_branch(w);
    if (w->branches[id].is_deleted) return;
    yore_txn *txn;
    yore_where where = YORE_WHERE_INIT;
    write next = {.branch = id, .key = any(w, KEYS), .version = w->version + 1};
    next.is_delete = any(w, 4) == 0 && shown(w, id, w->version, next.key) != 0;
    snprintf(name, sizeof name, "k%u", next.key);
    snprintf(value, sizeof value, "%" PRIu64, next.version);
    ok(yore_begin(w->db, id_name(id, text), NULL, &txn, &err));
    ok(next.is_delete ? yore_del(txn, yore_str_key(name), NULL, &err)
                      : yore_put(txn, yore_str_key(name), yore_str(value), NULL, &err));
    ok(yore_commit(txn, yore_str(""), &where, &err));
    assert_int_equal(where.version, next.version);
    w->writes[w->write_count++] = next;
    w->version++;
}

static void do_fork(world *w)
{
    char name[16];
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    uint32_t parent = any_branch(w);
    if (w->branch_count == BRANCHES || w->branches[parent].is_deleted) return;
    from.branch_id = parent;
    from.kind = YORE_AT_VERSION;
    from.version = any(w, 2) ? w->version : 1 + any(w, (uint32_t)w->version);
    options.from = &from;
    snprintf(name, sizeof name, "b%u", w->branch_count + 1);
    yore_status status = yore_branch_create(w->db, yore_str(name), &options, NULL, &err);
    assert_int_equal(status == YORE_OK, is_readable(w, parent, from.version));
    if (status != YORE_OK) return;
    w->branches[++w->branch_count] = (branch){.parent = parent, .fork = from.version};
    w->version++;
}

static void do_rule(world *w)
{
    char text[16];
    uint32_t id = any_branch(w);
    yore_retention keep = YORE_RETENTION_INIT;
    keep.kind = any(w, 4);
    keep.age_ns = 1 + any(w, 1000000);
    keep.versions = 1 + any(w, 5);
    yore_status status = yore_branch_retention_set(w->db, id_name(id, text), &keep, NULL, &err);
    assert_int_equal(status, w->branches[id].is_deleted ? YORE_ERR_NO_BRANCH : YORE_OK);
    w->version += status == YORE_OK;
}

static void do_tag(world *w)
{
    char name[16];
    yore_at at = YORE_AT_INIT;
    if (w->tag_count && any(w, 3) == 0) {
        snprintf(name, sizeof name, "t%u", w->tag_count--);
        ok(yore_tag_delete(w->db, yore_str(name), NULL, &err));
        w->version++;
        return;
    }
    at.branch_id = any_branch(w);
    at.kind = YORE_AT_VERSION;
    at.version = 1 + any(w, (uint32_t)w->version);
    if (w->tag_count == TAGS) return;
    snprintf(name, sizeof name, "t%u", w->tag_count + 1);
    yore_status status = yore_tag_create(w->db, yore_str(name), &at, NULL, &err);
    assert_int_equal(status == YORE_OK, is_readable(w, at.branch_id, at.version));
    w->tag_count += status == YORE_OK;
    w->version += status == YORE_OK;
}

static void do_delete(world *w)
{
    char text[16];
    uint32_t id = any_branch(w);
    if (id == 1) return;
    if (!w->branches[id].is_deleted) {
        yore_status status = yore_branch_delete(w->db, id_name(id, text), false, NULL, NULL, &err);
        w->branches[id].is_deleted = status == YORE_OK;
        w->version += status == YORE_OK;
        return;
    }
    yore_status status = yore_branch_recover(w->db, id_name(id, text), yore_str(""), NULL, &err);
    assert_true(status == YORE_OK || status == YORE_ERR_REFUSED || status == YORE_ERR_TRIMMED);
    if (status == YORE_OK) w->branches[id].is_deleted = false;
    w->version += status == YORE_OK;
}

static void count_branch(void *arg, const yore_gc_branch *told)
{
    (void)told;
    ++*(uint32_t *)arg;
}

static void do_collect(world *w)
{
    uint32_t told = 0;
    yore_gc_options options = YORE_GC_OPTIONS_INIT;
    yore_gc_report dry = YORE_GC_REPORT_INIT, real = YORE_GC_REPORT_INIT;
    options.now = any(w, 3) == 0;
    options.each = count_branch;
    options.each_arg = &told;
    options.dry_run = true;
    ok(yore_gc(w->db, &options, &dry, &err));
    assert_int_equal(told, dry.branches_trimmed + dry.branches_purged);
    assert_int_equal(dry.version, 0);
    options.dry_run = false;
    ok(yore_gc(w->db, &options, &real, &err));
    assert_true(real.branches_purged == dry.branches_purged);
    assert_true(real.branches_trimmed >= dry.branches_trimmed); /* the clock goes on */
    assert_true((real.version != 0) == (real.branches_trimmed + real.branches_purged != 0));
    if (real.version) assert_int_equal(real.version, ++w->version);
}

static void do_compact(world *w)
{
    yore_check_report report = {.struct_size = sizeof report};
    ok(yore_compact(w->db, NULL, NULL, &err));
    ok(yore_check(w->db, YORE_CHECK_DEEP, &report, &err));
}

/* What a parent shows through the fork would show instead. */
static bool would_rise(const world *w, uint32_t id, uint32_t key)
{
    for (uint32_t i = 0; i < w->write_count; i++) {
        const write *at = &w->writes[i];
        if (at->branch == id && at->key == key && !at->is_erased)
            return w->branches[id].parent && shown(w, w->branches[id].parent, w->branches[id].fork, key) != 0;
    }
    return false;
}

static void do_erase(world *w)
{
    char name[8], text[16];
    yore_erase_options options = YORE_ERASE_OPTIONS_INIT;
    yore_erase_report report = YORE_ERASE_REPORT_INIT;
    uint32_t id = any_branch(w), key = any(w, KEYS), erased = 0;
    options.all_branches = any(w, 2) != 0;
    options.prefix = any(w, 4) == 0; /* all keys: they begin with k */
    snprintf(name, sizeof name, options.prefix ? "k" : "k%u", key);
    bool refused = false;
    for (uint32_t k = 0; k < KEYS && !options.all_branches; k++)
        refused = refused || ((options.prefix || k == key) && would_rise(w, id, k));
    yore_status status = yore_erase(w->db, id_name(id, text), yore_str_key(name), &options, &report, &err);
    if (status == YORE_ERR_REFUSED && !refused) fail_msg("%s", err.message);
    if (status == YORE_ERR_REFUSED) return;
    ok(status);
    assert_false(refused && !w->branches[id].is_deleted); /* nothing of a purged one can rise */
    for (uint32_t i = 0; i < w->write_count; i++) {
        write *at = &w->writes[i];
        if (!options.all_branches && at->branch != id) continue;
        if (!options.prefix && at->key != key) continue;
        erased += !at->is_erased;
        at->is_erased = true;
    }
    assert_true(report.versions <= erased); /* what was trimmed is not there any more */
    assert_int_equal(report.version != 0, report.versions != 0);
    w->version += report.version != 0;
}

static void do_reopen(world *w)
{
    yore_close(w->db);
    open_db(w);
}

static void run_world(uint64_t seed)
{
    static world w;
    memset(&w, 0, sizeof w);
    w.rng.state = seed;
    w.sim = yr_sim_create(seed);
    w.every = any(&w, 3) ? 0 : 1 + any(&w, 6);
    open_db(&w);
    w.branch_count = 1;
    w.version = 1;
    while (w.version < VERSIONS - 2) {
        switch (any(&w, 16)) {
        case 0: do_fork(&w); break;
        case 1: do_rule(&w); break;
        case 2: do_tag(&w); break;
        case 3: do_delete(&w); break;
        case 4: do_reopen(&w); break;
        case 5: do_collect(&w); break;
        case 6: do_compact(&w); break;
        case 7:
            if (any(&w, 4) == 0) do_erase(&w);
            break;
        default: do_write(&w); break;
        }
        if (any(&w, 4) == 0) expect_all(&w);
    }
    yore_close(w.db);
    yr_sim_destroy(w.sim);
}

static void test_what_can_be_read_never_changes(void **state)
{
    (void)state;
    const char *text = getenv("YORE_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("YORE_TEST_SEED=%" PRIu64 "\n", seed);
    for (uint64_t i = 0; i < 12; i++) run_world(seed + i);
}

/* -- by hand -- */

static yore_db *memory_db(uint64_t commits)
{
    yore_db *db;
    ok(yore_open(":memory:", NULL, &db, &err));
    for (uint64_t i = 0; i < commits; i++)
        ok(yore_db_put(db, yore_str(""), yore_str_key("k"), yore_str("v"), NULL, &err));
    return db;
}

static uint64_t keep_and_collect(yore_db *db, uint64_t versions)
{
    yore_retention keep = YORE_RETENTION_INIT;
    yore_gc_report report = YORE_GC_REPORT_INIT;
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = versions;
    ok(yore_branch_retention_set(db, yore_str("default"), &keep, NULL, &err));
    ok(yore_gc(db, NULL, &report, &err));
    ok(yore_branch_retention_get(db, yore_str("default"), &keep, &err));
    return keep.oldest_version;
}

static void test_a_snapshot_that_is_open_stays_readable(void **state)
{
    (void)state;
    yore_db *db = memory_db(5);
    yore_at at = YORE_AT_INIT;
    yore_snap *snap, *again;
    yore_pin pin = YORE_PIN_INIT;
    at.kind = YORE_AT_VERSION;
    at.version = 3;
    ok(yore_snap_open(db, &at, &snap, NULL, &err));
    assert_int_equal(keep_and_collect(db, 1), 6);
    ok(yore_get(snap, yore_str_key("k"), &pin, &err));
    assert_int_equal(pin.version, 3);
    yore_unpin(&pin);
    assert_int_equal(yore_snap_open(db, &at, &again, NULL, &err), YORE_ERR_TRIMMED);
    assert_int_equal(err.version, 6);
    assert_non_null(strstr(err.hint, "default@v6"));
    yore_snap_close(snap);
    yore_close(db);
}

static void test_the_change_feed_says_where_it_has_gaps(void **state)
{
    (void)state;
    yore_db *db = memory_db(5);
    yore_iter *iter;
    yore_range range = YORE_RANGE_INIT;
    assert_int_equal(keep_and_collect(db, 2), 5);
    assert_int_equal(yore_changes(db, 0, NULL, &iter, &err), YORE_ERR_TRIMMED);
    assert_int_equal(yore_changes(db, 3, NULL, &iter, &err), YORE_ERR_TRIMMED);
    ok(yore_changes(db, 4, NULL, &iter, &err));
    yore_iter_close(iter);
    range.with_gaps = true;
    ok(yore_changes(db, 0, &range, &iter, &err));
    yore_iter_close(iter);
    assert_int_equal(yore_commit_rows(db, 4, &iter, &err), YORE_ERR_TRIMMED);
    ok(yore_commit_rows(db, 5, &iter, &err));
    yore_iter_close(iter);
    yore_close(db);
}

static void test_a_transaction_older_than_what_is_kept_conflicts(void **state)
{
    (void)state;
    yore_db *db = memory_db(3);
    yore_txn *old, *blind;
    ok(yore_begin(db, yore_str(""), NULL, &old, &err));
    ok(yore_begin(db, yore_str(""), NULL, &blind, &err));
    ok(yore_db_put(db, yore_str(""), yore_str_key("other"), yore_str("v"), NULL, &err));
    assert_int_equal(keep_and_collect(db, 1), 5);
    ok(yore_put(old, yore_str_key("k"), yore_str("mine"), NULL, &err));
    assert_int_equal(yore_commit(old, yore_str(""), NULL, &err), YORE_CONFLICT);
    ok(yore_incr(blind, yore_str_key("n"), 1, &err)); /* commutes: it asks for nothing */
    ok(yore_commit(blind, yore_str(""), NULL, &err));
    yore_close(db);
}

static void test_rules_that_keep_nothing_are_refused(void **state)
{
    (void)state;
    yore_db *db = memory_db(1);
    yore_retention keep = YORE_RETENTION_INIT;
    keep.kind = YORE_RETENTION_VERSIONS;
    assert_int_equal(yore_branch_retention_set(db, yore_str(""), &keep, NULL, &err), YORE_ERR_INPUT);
    keep.kind = YORE_RETENTION_AGE;
    keep.age_ns = -1;
    assert_int_equal(yore_branch_retention_set(db, yore_str(""), &keep, NULL, &err), YORE_ERR_INPUT);
    keep.kind = 4;
    assert_int_equal(yore_branch_retention_set(db, yore_str(""), &keep, NULL, &err), YORE_ERR_INPUT);
    keep.struct_size = 0;
    assert_int_equal(yore_branch_retention_set(db, yore_str(""), &keep, NULL, &err), YORE_ERR_MISUSE);
    assert_int_equal(yore_branch_retention_get(db, yore_str(""), &keep, &err), YORE_ERR_MISUSE);
    yore_gc_options options = YORE_GC_OPTIONS_INIT;
    options.struct_size = 0;
    assert_int_equal(yore_gc(db, &options, NULL, &err), YORE_ERR_MISUSE);
    yore_close(db);
}

static void test_the_size_of_a_branch_is_what_it_wrote_itself(void **state)
{
    (void)state;
    yore_db *db = memory_db(3);
    yore_branch_size size = {.struct_size = sizeof size};
    ok(yore_branch_create(db, yore_str("exp"), NULL, NULL, &err));
    ok(yore_db_put(db, yore_str("exp"), yore_str_key("longer"), yore_str("four"), NULL, &err));
    ok(yore_db_del(db, yore_str("exp"), yore_str_key("k"), NULL, &err));
    ok(yore_branch_size_next(db, 0, &size, &err));
    assert_string_equal(size.name, "default");
    assert_int_equal(size.keys, 1);
    assert_int_equal(size.versions, 3);
    assert_int_equal(size.value_bytes, 3);
    ok(yore_branch_size_next(db, size.id, &size, &err));
    assert_string_equal(size.name, "exp");
    assert_int_equal(size.keys, 2);
    assert_int_equal(size.versions, 2);
    assert_int_equal(size.deletes, 1);
    assert_int_equal(size.key_bytes, 7);
    assert_int_equal(size.value_bytes, 4);
    assert_int_equal(yore_branch_size_next(db, size.id, &size, &err), YORE_END);
    yore_close(db);
}

/* How many files of the store have these bytes. */
static uint32_t files_with(yr_sim *sim, const void *bytes, size_t size)
{
    uint32_t found = 0;
    const char *name;
    for (uint32_t i = 0; (name = yr_sim_dir_name(sim, "db", i)) != NULL; i++) {
        char path[80];
        snprintf(path, sizeof path, "db/%s", name);
        int64_t length = yr_sim_file_size(sim, path);
        if (length < (int64_t)size) continue;
        uint8_t *all = malloc((size_t)length);
        assert_non_null(all);
        assert_true(yr_sim_file_read(sim, path, all, (size_t)length, 0));
        bool has = false;
        for (size_t at = 0; at + size <= (size_t)length && !has; at++)
            has = memcmp(all + at, bytes, size) == 0;
        found += has;
        free(all);
    }
    return found;
}

static void put_bytes(yore_db *db, const char *key, const uint8_t *bytes, size_t size)
{
    ok(yore_db_put(db, yore_str(""), yore_str_key(key), yore_bytes(bytes, size), NULL, &err));
}

static void test_erased_bytes_are_in_no_file_of_the_store(void **state)
{
    (void)state;
    enum { SMALL = 48, LARGE = 100000 };
    static uint8_t bytes[LARGE], others[LARGE];
    world w = {.sim = yr_sim_create(5), .rng = {5}};
    for (size_t i = 0; i < LARGE; i++) {
        bytes[i] = (uint8_t)yr_rng_next(&w.rng);
        others[i] = (uint8_t)yr_rng_next(&w.rng);
    }
    open_db(&w);
    put_bytes(w.db, "secret", bytes, SMALL);
    put_bytes(w.db, "large", others, LARGE);
    put_bytes(w.db, "secret/large", bytes, LARGE); /* in one value file with the other */
    ok(yore_compact(w.db, NULL, NULL, &err));
    put_bytes(w.db, "secret", bytes, SMALL); /* in the log only */
    assert_true(files_with(w.sim, bytes, SMALL) >= 3);
    yore_erase_options options = YORE_ERASE_OPTIONS_INIT;
    yore_erase_report report = YORE_ERASE_REPORT_INIT;
    options.prefix = true;
    ok(yore_erase(w.db, yore_str(""), yore_str_key("secret"), &options, &report, &err));
    assert_int_equal(report.keys, 2);
    assert_int_equal(report.versions, 3);
    assert_int_equal(files_with(w.sim, bytes, SMALL), 0);
    assert_int_equal(files_with(w.sim, "secret", 6), 0);
    yore_pin pin = YORE_PIN_INIT;
    ok(yore_db_get(w.db, yore_str(""), yore_str_key("large"), &pin, &err));
    assert_int_equal(pin.value.size, LARGE);
    assert_memory_equal(pin.value.data, others, LARGE);
    yore_unpin(&pin);
    assert_int_equal(yore_db_get(w.db, yore_str(""), yore_str_key("secret"), &pin, &err), YORE_NOT_FOUND);
    put_bytes(w.db, "secret", others, SMALL); /* it may be written again, and stays then */
    ok(yore_compact(w.db, NULL, NULL, &err));
    ok(yore_db_get(w.db, yore_str(""), yore_str_key("secret"), &pin, &err));
    yore_unpin(&pin);
    yore_close(w.db);
    yr_sim_destroy(w.sim);
}

static size_t hits_of(yore_db *db, uint64_t version, const char *words)
{
    yore_at at = YORE_AT_INIT;
    yore_query query = YORE_QUERY_INIT;
    yore_snap *snap;
    yore_iter *iter;
    yore_hit hits[8];
    size_t n = 0;
    at.kind = version ? YORE_AT_VERSION : YORE_AT_NOW;
    at.version = version;
    query.text = yore_str(words);
    ok(yore_snap_open(db, &at, &snap, NULL, &err));
    ok(yore_search(snap, &query, &iter, &err));
    if (yore_search_next(iter, hits, sizeof hits[0], 8, &n, &err) != YORE_OK) n = 0;
    yore_iter_close(iter);
    yore_snap_close(snap);
    return n;
}

static void test_searches_do_not_find_what_was_erased_and_find_the_rest_of_what_is_kept(void **state)
{
    (void)state;
    world w = {.sim = yr_sim_create(9)};
    yore_retention keep = YORE_RETENTION_INIT;
    open_db(&w);
    put_bytes(w.db, "a", (const uint8_t *)"storm", 5); /* v2 */
    put_bytes(w.db, "b", (const uint8_t *)"storm", 5); /* v3 */
    put_bytes(w.db, "b", (const uint8_t *)"flood", 5); /* v4 */
    put_bytes(w.db, "c", (const uint8_t *)"flood", 5); /* v5 */
    assert_int_equal(hits_of(w.db, 3, "storm"), 2);
    ok(yore_erase(w.db, yore_str(""), yore_str_key("a"), NULL, NULL, &err));
    assert_int_equal(hits_of(w.db, 0, "storm"), 0);
    assert_int_equal(hits_of(w.db, 3, "storm"), 1);
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = 2;
    ok(yore_branch_retention_set(w.db, yore_str(""), &keep, NULL, &err));
    ok(yore_gc(w.db, NULL, NULL, &err));
    do_reopen(&w); /* the index is made of what is left */
    assert_int_equal(hits_of(w.db, 4, "flood"), 1);
    assert_int_equal(hits_of(w.db, 0, "flood"), 2);
    assert_int_equal(hits_of(w.db, 0, "storm"), 0);
    yore_close(w.db);
    assert_false(yr_sim_has_leaks(w.sim));
    yr_sim_destroy(w.sim);
}

/* Ten versions of a small key and of a large one, the last one alone to be kept; `secret` to be erased. */
static void fill_for_faults(world *w)
{
    enum { LARGE = 70000 };
    static uint8_t bytes[LARGE];
    yore_retention keep = YORE_RETENTION_INIT;
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = 1;
    open_db(w);
    for (uint8_t i = 0; i < 5; i++) {
        memset(bytes, i + 1, sizeof bytes);
        put_bytes(w->db, "k", bytes, 10);
        put_bytes(w->db, "large", bytes, LARGE);
        put_bytes(w->db, "secret", bytes, i % 2 ? 20 : LARGE);
    }
    ok(yore_branch_retention_set(w->db, yore_str(""), &keep, NULL, &err));
    ok(yore_compact(w->db, NULL, NULL, &err));
}

static void expect_filled(yore_db *db, bool has_secret)
{
    yore_pin pin = YORE_PIN_INIT;
    ok(yore_db_get(db, yore_str(""), yore_str_key("k"), &pin, &err));
    assert_int_equal(pin.value.size, 10);
    assert_int_equal(*(const uint8_t *)pin.value.data, 5);
    yore_unpin(&pin);
    ok(yore_db_get(db, yore_str(""), yore_str_key("large"), &pin, &err));
    assert_int_equal(pin.value.size, 70000);
    assert_int_equal(*(const uint8_t *)pin.value.data, 5);
    yore_unpin(&pin);
    yore_status status = yore_db_get(db, yore_str(""), yore_str_key("secret"), &pin, &err);
    assert_int_equal(status, has_secret ? YORE_OK : YORE_NOT_FOUND);
    yore_unpin(&pin);
}

static bool has_key(yore_db *db, const char *key)
{
    yore_pin pin = YORE_PIN_INIT;
    bool has = yore_db_get(db, yore_str(""), yore_str_key(key), &pin, &err) == YORE_OK;
    yore_unpin(&pin);
    return has;
}

static yore_status collect_and_erase(yore_db *db, bool *collected)
{
    yore_status status = yore_gc(db, NULL, NULL, &err);
    *collected = status == YORE_OK;
    if (status == YORE_OK) status = yore_erase(db, yore_str(""), yore_str_key("secret"), NULL, NULL, &err);
    return status;
}

/* Whatever fails while it collects and erases: the rest is there, and doing it again gets it done. */
static void fail_each(uint32_t kinds, int os_errno, bool sticky)
{
    for (uint64_t nth = 1;; nth++) {
        world w = {.sim = yr_sim_create(6)};
        yore_check_report report = {.struct_size = sizeof report};
        bool collected;
        fill_for_faults(&w);
        yr_sim_set_fault(w.sim,
                         (yr_sim_fault){.kinds = kinds, .nth = nth, .os_errno = os_errno, .sticky = sticky});
        yore_status status = collect_and_erase(w.db, &collected);
        bool struck = yr_sim_fault_hits(w.sim) > 0;
        yr_sim_set_fault(w.sim, (yr_sim_fault){0});
        if (status == YORE_OK) expect_filled(w.db, false);
        do_reopen(&w);
        ok(yore_check(w.db, YORE_CHECK_DEEP, &report, &err));
        expect_filled(w.db, status != YORE_OK && has_key(w.db, "secret"));
        ok(collect_and_erase(w.db, &collected));
        expect_filled(w.db, false);
        ok(yore_check(w.db, YORE_CHECK_DEEP, &report, &err));
        yore_close(w.db);
        if (yr_sim_has_leaks(w.sim)) {
            yr_sim_leaks leaks = yr_sim_leaks_of(w.sim);
            fail_msg("operation %" PRIu64 " of kinds %u: %" PRIu64 " blocks, %" PRIu64 " handles are left",
                     nth, kinds, leaks.blocks, leaks.handles);
        }
        yr_sim_destroy(w.sim);
        if (!struck) {
            assert_int_equal(status, YORE_OK);
            print_message("%" PRIu64 " operations\n", nth - 1);
            return;
        }
    }
}

static void test_a_disk_that_fails_loses_nothing(void **state)
{
    (void)state;
    fail_each(YR_SIM_OP_WRITE | YR_SIM_OP_APPEND, 28 /* ENOSPC */, false);
    fail_each(YR_SIM_OP_SYNC | YR_SIM_OP_DIR_SYNC, 5 /* EIO */, false);
    fail_each(YR_SIM_OP_OPEN | YR_SIM_OP_RENAME | YR_SIM_OP_UNLINK, 5, false);
    fail_each(YR_SIM_OP_READ, 5, false);
    fail_each(YR_SIM_OP_WRITE | YR_SIM_OP_APPEND, 28, true);
}

static void test_want_of_memory_loses_nothing(void **state)
{
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        world w = {.sim = yr_sim_create(7)};
        bool collected;
        fill_for_faults(&w);
        yr_sim_fail_alloc(w.sim, nth, false);
        yore_status status = collect_and_erase(w.db, &collected);
        bool struck = yr_sim_alloc_fault_hits(w.sim) > 0;
        yr_sim_fail_alloc(w.sim, 0, false);
        assert_true(status == YORE_OK || status == YORE_ERR_NOMEM);
        ok(collect_and_erase(w.db, &collected));
        expect_filled(w.db, false);
        yore_close(w.db);
        assert_false(yr_sim_has_leaks(w.sim));
        yr_sim_destroy(w.sim);
        if (struck) continue;
        print_message("%" PRIu64 " allocations\n", nth - 1);
        return;
    }
}

static void test_a_value_file_goes_with_the_versions_that_were_in_it(void **state)
{
    (void)state;
    world w = {.sim = yr_sim_create(8)};
    yore_stats before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    yore_gc_report report = YORE_GC_REPORT_INIT;
    fill_for_faults(&w);
    ok(yore_stats_get(w.db, &before, &err));
    assert_true(before.value_file_bytes > 8 * 70000);
    ok(yore_gc(w.db, NULL, &report, &err));
    ok(yore_stats_get(w.db, &after, &err));
    assert_int_equal(report.versions, 12); /* of 15, three are shown */
    assert_true(after.value_file_bytes < 3 * 70000);
    assert_true(report.disk_after + 6 * 70000 <= report.disk_before);
    expect_filled(w.db, true);
    yore_close(w.db);
    yr_sim_destroy(w.sim);
}

static void test_the_start_of_a_branch_that_was_collected_is_refused(void **state)
{
    (void)state;
    yore_db *db = memory_db(3);
    yore_gc_options options = YORE_GC_OPTIONS_INIT;
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    options.now = true;
    ok(yore_branch_create(db, yore_str("b"), NULL, NULL, &err));
    ok(yore_db_put(db, yore_str("b"), yore_str_key("k"), yore_str("v"), NULL, &err));
    ok(yore_branch_delete(db, yore_str("b"), false, NULL, NULL, &err));
    ok(yore_gc(db, &options, NULL, &err));
    at.kind = YORE_AT_START;
    at.branch_id = 2;
    assert_int_equal(yore_snap_open(db, &at, &snap, NULL, &err), YORE_ERR_TRIMMED);
    yore_close(db);
}

/* The one that hides it is in a value file as well: it is looked at, and not given. */
static void test_history_passes_over_a_large_value_that_hides_its_parents(void **state)
{
    (void)state;
    enum { LARGE = 100000 };
    static uint8_t bytes[LARGE];
    world w = {.sim = yr_sim_create(9)};
    yore_retention keep = YORE_RETENTION_INIT;
    yore_put_options put = YORE_PUT_OPTIONS_INIT;
    yore_at at = YORE_AT_INIT;
    yore_txn *txn;
    yore_iter *iter;
    yore_row rows[4];
    size_t n = 0;
    open_db(&w);
    put_bytes(w.db, "k", bytes, LARGE);
    ok(yore_branch_create(w.db, yore_str("b"), NULL, NULL, &err));
    ok(yore_begin(w.db, yore_str("b"), NULL, &txn, &err));
    put.ttl_ns = 1;
    ok(yore_put(txn, yore_str_key("k"), yore_bytes(bytes, LARGE), &put, &err));
    ok(yore_commit(txn, yore_str(""), NULL, &err));
    for (int i = 0; i < 3; i++)
        ok(yore_db_put(w.db, yore_str("b"), yore_str_key("other"), yore_str("v"), NULL, &err));
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = 1;
    ok(yore_branch_retention_set(w.db, yore_str("b"), &keep, NULL, &err));
    ok(yore_gc(w.db, NULL, NULL, &err));
    snprintf(at.branch, sizeof at.branch, "b");
    ok(yore_history(w.db, &at, yore_str_key("k"), NULL, &iter, &err));
    ok(yore_next(iter, rows, sizeof rows[0], 4, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].branch_id, 1);
    assert_int_equal(rows[0].value.size, LARGE);
    assert_int_equal(yore_next(iter, rows, sizeof rows[0], 4, &n, &err), YORE_END);
    yore_iter_close(iter);
    yore_close(w.db); /* nothing borrows the cache any more */
    yr_sim_destroy(w.sim);
}

/* The filter of a branch's keys is made anew from what it has by then: less than an older snapshot has. */
static void test_an_open_snapshot_has_keys_that_the_branch_lost_and_then_wrote_many_more(void **state)
{
    (void)state;
    world w = {.sim = yr_sim_create(10)};
    yore_retention keep = YORE_RETENTION_INIT;
    yore_txn_options empty = YORE_TXN_OPTIONS_INIT;
    yore_at at = YORE_AT_INIT;
    yore_pin pin = YORE_PIN_INIT;
    yore_branch_size size = {.struct_size = sizeof size};
    yore_snap *snap;
    yore_txn *txn;
    char key[16];
    open_db(&w);
    ok(yore_branch_create(w.db, yore_str("b"), NULL, NULL, &err));
    ok(yore_db_put(w.db, yore_str("b"), yore_str_key("k"), yore_str("v"), NULL, &err));
    snprintf(at.branch, sizeof at.branch, "b");
    ok(yore_snap_open(w.db, &at, &snap, NULL, &err));
    ok(yore_db_del(w.db, yore_str("b"), yore_str_key("k"), NULL, &err));
    empty.allow_empty = true;
    ok(yore_begin(w.db, yore_str("b"), &empty, &txn, &err));
    ok(yore_commit(txn, yore_str(""), NULL, &err));
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = 1;
    ok(yore_branch_retention_set(w.db, yore_str("b"), &keep, NULL, &err));
    ok(yore_gc(w.db, NULL, NULL, &err));
    ok(yore_branch_size_next(w.db, 1, &size, &err));
    assert_int_equal(size.versions, 0); /* the branch has nothing on disk now */
    for (int i = 0; i < 60; i++) {
        snprintf(key, sizeof key, "new%d", i);
        ok(yore_db_put(w.db, yore_str("b"), yore_str_key(key), yore_str("v"), NULL, &err));
    }
    ok(yore_get(snap, yore_str_key("k"), &pin, &err));
    yore_unpin(&pin);
    yore_snap_close(snap);
    yore_close(w.db);
    yr_sim_destroy(w.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_snapshot_that_is_open_stays_readable),
        cmocka_unit_test(test_the_change_feed_says_where_it_has_gaps),
        cmocka_unit_test(test_a_transaction_older_than_what_is_kept_conflicts),
        cmocka_unit_test(test_rules_that_keep_nothing_are_refused),
        cmocka_unit_test(test_the_start_of_a_branch_that_was_collected_is_refused),
        cmocka_unit_test(test_an_open_snapshot_has_keys_that_the_branch_lost_and_then_wrote_many_more),
        cmocka_unit_test(test_history_passes_over_a_large_value_that_hides_its_parents),
        cmocka_unit_test(test_the_size_of_a_branch_is_what_it_wrote_itself),
        cmocka_unit_test(test_erased_bytes_are_in_no_file_of_the_store),
        cmocka_unit_test(test_a_value_file_goes_with_the_versions_that_were_in_it),
        cmocka_unit_test(test_searches_do_not_find_what_was_erased_and_find_the_rest_of_what_is_kept),
        cmocka_unit_test(test_a_disk_that_fails_loses_nothing),
        cmocka_unit_test(test_want_of_memory_loses_nothing),
        cmocka_unit_test(test_what_can_be_read_never_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
