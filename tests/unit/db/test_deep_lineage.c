/* Lineages of hundreds of hops: whatever was written where, forked from which point, flushed or flattened, a read shows
 * what a look at every write says, and goes through a few steps only. On the simulated disk, against a model. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/bytes.h"
#include "engine/base/rng.h"
#include "tests/support/env_sim.h"

#include <yore.h>

enum { BRANCHES = 420, WRITES = 6000, SHARED = 30, READS = 400 };

typedef struct branch {
    uint32_t parent, depth;
    uint64_t fork, created;
} branch;

typedef struct write {
    uint32_t branch, key;
    uint64_t version;
    bool is_delete;
    uint32_t before; /* 1 + the branch's write before it, 0 = none */
} write;

typedef struct world {
    yr_sim *sim;
    yore_db *db;
    yr_rng rng;
    uint32_t every;
    branch branches[BRANCHES + 1]; /* by id; 1 is the root */
    uint32_t branch_count, deepest;
    write writes[WRITES];
    uint32_t last[BRANCHES + 1]; /* 1 + a branch's last write */
    uint32_t write_count;
    uint64_t version;
} world;

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static uint32_t any(world *w, uint32_t n)
{
    return (uint32_t)yr_rng_below(&w->rng, n);
}

static void open_db(world *w)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(w->sim);
    options.create = true;
    options.sync = YORE_SYNC_OS;
    options.memory_bytes_max = 64 << 20;
    options.maintain_every = w->every;
    ok(yore_open("db", &options, &w->db, &err));
}

static yore_slice id_name(uint32_t id, char text[16])
{
    snprintf(text, 16, "id:%" PRIu32, id);
    return yore_str(text);
}

/* Some keys are written everywhere, others on one branch only. */
static yore_key key_of(uint32_t key, char text[16])
{
    snprintf(text, 16, "key%" PRIu32, key);
    return yore_str_key(text);
}

static void fork_one(world *w)
{
    char name[16];
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = YORE_AT_INIT;
    yore_where where = YORE_WHERE_INIT;
    bool is_deeper = any(w, 12) != 0;
    uint32_t parent = is_deeper ? w->deepest : 1 + any(w, w->branch_count);
    (void)id_name(parent, from.branch);
    if (any(w, 3) == 0) { /* from some point of its past, also from before it was made */
        from.kind = YORE_AT_VERSION;
        from.version = w->branches[parent].created +
                       any(w, (uint32_t)(w->version - w->branches[parent].created) + 1);
    }
    options.from = &from;
    snprintf(name, sizeof name, "b%" PRIu32, w->branch_count + 1);
    ok(yore_branch_create(w->db, yore_str(name), &options, &where, &err));
    yore_branch_info info = {.struct_size = sizeof info};
    ok(yore_branch_info_get(w->db, yore_str(name), &info, &err));
    w->version = where.version;
    w->branches[++w->branch_count] = (branch){.parent = parent,
                                              .depth = w->branches[parent].depth + 1,
                                              .fork = info.fork_version,
                                              .created = where.version};
    if (is_deeper) w->deepest = w->branch_count;
}

static void write_one(world *w, uint32_t id)
{
    char name[16], key[16], value[24];
    write *it = &w->writes[w->write_count++];
    yore_where where = YORE_WHERE_INIT;
    yore_txn *txn;
    *it = (write){.branch = id, .key = any(w, 2) ? any(w, SHARED) : 1000 + id, .is_delete = any(w, 4) == 0};
    ok(yore_begin(w->db, id_name(id, name), NULL, &txn, &err));
    snprintf(value, sizeof value, "%" PRIu64, w->version + 1);
    ok(it->is_delete ? yore_del(txn, key_of(it->key, key), NULL, &err)
                     : yore_put(txn, key_of(it->key, key), yore_str(value), NULL, &err));
    ok(yore_commit(txn, yore_str(""), &where, &err));
    it->version = w->version = where.version;
    it->before = w->last[id];
    w->last[id] = w->write_count;
}

/* The version that shows, 0 = none. */
static uint64_t expected(const world *w, uint32_t id, uint64_t cap, uint32_t key)
{
    for (; id; id = w->branches[id].parent) {
        const write *best = NULL;
        for (uint32_t i = w->last[id]; i && !best; i = w->writes[i - 1].before) {
            const write *it = &w->writes[i - 1];
            if (it->key == key && it->version <= cap) best = it;
        }
        if (best) return best->is_delete ? 0 : best->version;
        if (w->branches[id].fork < cap) cap = w->branches[id].fork;
    }
    return 0;
}

static uint32_t any_key(world *w)
{
    return any(w, 2) ? any(w, SHARED + 2) : 1000 + 1 + any(w, w->branch_count + 2);
}

static uint32_t number_of(yore_slice key)
{
    char text[16];
    assert_true(key.size > 3 && key.size < sizeof text);
    memcpy(text, key.data, key.size);
    text[key.size] = 0;
    return (uint32_t)strtoul(text + 3, NULL, 10);
}

/* Everything a snapshot lists is what single reads would show, in either direction. */
static void list_all(world *w, yore_snap *snap, uint32_t id, uint64_t cap, bool is_reverse)
{
    char text[16];
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter;
    yore_row rows[7];
    yore_slice last = {NULL, 0};
    char kept[16];
    size_t n = 1, listed = 0, expect = 0;
    range.reverse = is_reverse;
    ok(yore_scan(snap, &range, &iter, &err));
    while (yore_next(iter, rows, sizeof rows[0], 1 + any(w, 7), &n, &err) == YORE_OK && n) {
        for (size_t i = 0; i < n; i++) {
            uint32_t number = number_of(rows[i].key);
            snprintf(text, sizeof text, "key%" PRIu32, number);
            assert_true(yr_slice_equal(rows[i].key, yore_str(text)));
            assert_int_equal(rows[i].version, expected(w, id, cap, number));
            int order = last.data ? yr_slice_compare(rows[i].key, last) : is_reverse ? -1 : 1;
            assert_true(is_reverse ? order < 0 : order > 0);
            snprintf(kept, sizeof kept, "%s", text);
            last = yore_str(kept);
            listed++;
        }
    }
    yore_iter_close(iter);
    for (uint32_t number = 0; number <= 1000 + w->branch_count; number++) {
        if (number == SHARED) number = 1000;
        expect += expected(w, id, cap, number) != 0;
    }
    assert_int_equal(listed, expect);
}

static void read_some(world *w)
{
    char key[16], value[24];
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    uint32_t id = any(w, 2) ? w->deepest : 1 + any(w, w->branch_count);
    uint64_t cap = w->version;
    (void)id_name(id, at.branch);
    if (any(w, 3) == 0) {
        at.kind = YORE_AT_VERSION;
        at.version = cap = 1 + any(w, (uint32_t)w->version);
    }
    ok(yore_snap_open(w->db, &at, &snap, NULL, &err));
    for (uint32_t i = 0; i < READS; i++) {
        yore_pin pins[2] = {YORE_PIN_INIT, YORE_PIN_INIT};
        uint32_t number = any_key(w);
        uint64_t version = expected(w, id, cap, number);
        yore_key keys[2] = {key_of(number, key), key_of(number, key)};
        yore_status each[2] = {yore_get(snap, keys[0], &pins[0], &err), YORE_OK};
        if (i % 8 == 0) ok(yore_get_many(snap, keys, 2, pins, each, &err));
        snprintf(value, sizeof value, "%" PRIu64, version);
        if (each[0] != (version ? YORE_OK : YORE_NOT_FOUND) ||
            (version && !yr_slice_equal(pins[0].value, yore_str(value))))
            fail_msg("%s of id:%u at v%" PRIu64 " is not what v%" PRIu64 " wrote", key, id, cap, version);
        yore_unpin(&pins[0]);
        yore_unpin(&pins[1]);
    }
    list_all(w, snap, id, cap, any(w, 2) != 0);
    yore_snap_close(snap);
}

static yore_flatten_report flatten(world *w, uint32_t id)
{
    char name[16];
    yore_flatten_report report = {.struct_size = sizeof report};
    ok(yore_branch_flatten(w->db, id_name(id, name), &report, &err));
    assert_int_equal(report.depth, w->branches[id].depth);
    return report;
}

static void lineages_agree(uint64_t seed, uint32_t every, bool asks)
{
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->sim = yr_sim_create(seed);
    w->rng.state = seed;
    w->every = every;
    w->branches[1] = (branch){.depth = 1, .created = 1};
    w->branch_count = w->deepest = 1;
    w->version = 1;
    print_message("seed %" PRIu64 ", flush every %u, %s\n", seed, every,
                  asks ? "flattened" : "readers flatten");
    open_db(w);
    for (uint32_t i = 0; w->branch_count < BRANCHES; i++) {
        fork_one(w);
        for (uint32_t k = any(w, 6); k-- > 0;)
            write_one(w, any(w, 3) ? w->deepest : 1 + any(w, w->branch_count));
        if (i % 7 == 0) read_some(w);
        if (asks && i % 20 == 0) (void)flatten(w, 1 + any(w, w->branch_count));
        if (i % 90 == 80) {
            yore_close(w->db);
            open_db(w);
        }
    }
    for (uint32_t i = 0; i < 40; i++) read_some(w);
    yore_flatten_report report = flatten(w, w->deepest);
    assert_true(report.depth > 230); /* more than one span of the longest kind */
    assert_true(report.steps < 12);
    assert_true(asks || report.made < report.skips); /* the readers made some */
    for (uint32_t i = 0; i < 40; i++) read_some(w);
    yore_close(w->db);
    assert_false(yr_sim_has_leaks(w->sim));
    yr_sim_destroy(w->sim);
    free(w);
}

static void test_reads_of_deep_lineages_are_what_was_written(void **state)
{
    (void)state;
    lineages_agree(1, 0, true);
    lineages_agree(2, 300, true);
    lineages_agree(3, 40, false);
    lineages_agree(4, 0, false);
}

static void test_a_lineage_is_no_deeper_than_the_limit(void **state)
{
    (void)state;
    yore_db *db;
    yore_flatten_report report = {.struct_size = sizeof report};
    char name[16];
    ok(yore_open(":memory:", NULL, &db, &err));
    for (uint32_t id = 2; id <= YORE_LINEAGE_DEPTH_MAX + 1; id++) {
        yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
        yore_at from = YORE_AT_INIT;
        (void)id_name(id - 1, from.branch);
        options.from = &from;
        snprintf(name, sizeof name, "b%" PRIu32, id);
        yore_status status = yore_branch_create(db, yore_str(name), &options, NULL, &err);
        if (id <= YORE_LINEAGE_DEPTH_MAX)
            ok(status);
        else
            assert_int_equal(status, YORE_ERR_LIMIT);
    }
    assert_non_null(strstr(err.message, "1024 forks deep, which is the limit"));
    ok(yore_branch_flatten(db, yore_str("b1024"), &report, &err));
    assert_int_equal(report.depth, YORE_LINEAGE_DEPTH_MAX);
    assert_true(report.steps < 12);
    ok(yore_branch_flatten(db, yore_str("b3"), &report, &err)); /* nothing to do */
    assert_int_equal(report.skips, 0);
    assert_int_equal(report.steps, 3);
    assert_int_equal(yore_branch_flatten(db, yore_str("none"), &report, &err), YORE_ERR_NO_BRANCH);
    yore_close(db);
}

/* Skips have their share of the budget and no more; without one a read takes longer, that is all. */
static void test_skips_stay_within_their_budget(void **state)
{
    enum { DEPTH = 40, KEYS = 6000 };
    (void)state;
    yore_db *db;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_stats before = {.struct_size = sizeof before}, after = before;
    yore_flatten_report report = {.struct_size = sizeof report};
    char name[16], key[24];
    options.memory_budget = 16 << 20;
    ok(yore_open(":memory:", &options, &db, &err));
    for (uint32_t id = 2; id <= DEPTH; id++) {
        yore_branch_options create = YORE_BRANCH_OPTIONS_INIT;
        yore_at from = YORE_AT_INIT;
        yore_txn *txn;
        (void)id_name(id - 1, from.branch);
        create.from = &from;
        snprintf(name, sizeof name, "b%" PRIu32, id);
        ok(yore_branch_create(db, yore_str(name), &create, NULL, &err));
        ok(yore_begin(db, yore_str(name), NULL, &txn, &err));
        for (uint32_t i = 0; i < KEYS; i++) {
            snprintf(key, sizeof key, "%" PRIu32 "/%" PRIu32, id, i);
            ok(yore_put(txn, yore_str_key(key), yore_str("x"), NULL, &err));
        }
        ok(yore_commit(txn, yore_str(""), NULL, &err));
    }
    ok(yore_stats_get(db, &before, &err));
    assert_int_equal(yore_branch_flatten(db, yore_str(name), &report, &err), YORE_ERR_LIMIT);
    ok(yore_stats_get(db, &after, &err));
    assert_true(after.memory_bytes - before.memory_bytes <= (16 << 20) / 32);
    yore_pin pin = YORE_PIN_INIT;
    ok(yore_db_get(db, yore_str(name), yore_str_key("2/77"), &pin, &err));
    yore_unpin(&pin);
    yore_close(db);
}

static uint64_t write_key(yore_db *db, const char *at, const char *key, bool is_delete)
{
    yore_where where = YORE_WHERE_INIT;
    yore_txn *txn;
    ok(yore_begin(db, yore_str(at), NULL, &txn, &err));
    ok(is_delete ? yore_del(txn, yore_str_key(key), NULL, &err)
                 : yore_put(txn, yore_str_key(key), yore_str("x"), NULL, &err));
    ok(yore_commit(txn, yore_str(""), &where, &err));
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

/* A key that was deleted before the fork goes from its hop altogether when history is trimmed, and so it is in no skip
 * made afterwards. Who opened a snapshot of the time before still has it. */
static void test_a_skip_made_after_a_trim_hides_nothing_from_older_snapshots(void **state)
{
    (void)state;
    world w = {.sim = yr_sim_create(5)};
    yore_retention keep = YORE_RETENTION_INIT;
    yore_gc_options gc = YORE_GC_OPTIONS_INIT;
    yore_flatten_report report = {.struct_size = sizeof report};
    yore_at past = YORE_AT_INIT;
    yore_snap *snap;
    yore_pin pin = YORE_PIN_INIT;
    open_db(&w);
    fork_of(w.db, "a", "default");
    past.kind = YORE_AT_VERSION;
    past.version = write_key(w.db, "a", "k", false);
    (void)write_key(w.db, "a", "k", true);
    (void)write_key(w.db, "a", "other", false);
    fork_of(w.db, "b", "a");
    fork_of(w.db, "c", "b");
    snprintf(past.branch, sizeof past.branch, "c");
    ok(yore_snap_open(w.db, &past, &snap, NULL, &err));
    keep.kind = YORE_RETENTION_VERSIONS;
    keep.versions = 1;
    ok(yore_branch_retention_set(w.db, yore_str("a"), &keep, NULL, &err));
    gc.now = true;
    ok(yore_gc(w.db, &gc, NULL, &err));
    ok(yore_compact(w.db, NULL, NULL, &err));
    ok(yore_branch_flatten(w.db, yore_str("c"), &report, &err));
    assert_int_equal(report.skips, 1);
    assert_int_equal(report.keys, 1); /* "other" */
    ok(yore_get(snap, yore_str_key("k"), &pin, &err));
    yore_unpin(&pin);
    yore_snap_close(snap);
    ok(yore_db_get(w.db, yore_str("c"), yore_str_key("other"), &pin, &err));
    yore_unpin(&pin);
    assert_int_equal(yore_db_get(w.db, yore_str("c"), yore_str_key("k"), &pin, &err), YORE_NOT_FOUND);
    /* of one that is deleted there may be less than was read of it */
    ok(yore_branch_delete(w.db, yore_str("c"), false, NULL, NULL, &err));
    ok(yore_branch_flatten(w.db, yore_str("id:4"), &report, &err));
    assert_int_equal(report.skips, 0);
    yore_close(w.db);
    assert_false(yr_sim_has_leaks(w.sim));
    yr_sim_destroy(w.sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_of_deep_lineages_are_what_was_written),
        cmocka_unit_test(test_a_lineage_is_no_deeper_than_the_limit),
        cmocka_unit_test(test_skips_stay_within_their_budget),
        cmocka_unit_test(test_a_skip_made_after_a_trim_hides_nothing_from_older_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
