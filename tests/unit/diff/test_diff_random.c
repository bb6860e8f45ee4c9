/* Diffs of random points of random stores against the two full scans they stand for: with forks of forks, deletes,
 * expiry, metadata, large values, trimmed and erased history, deleted branches, flushed and merged layers, more
 * written between opening a diff and reading it, and by readers in other processes that are behind. */
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
#include "engine/db/handle.h"
#include "engine/diff/view_diff.h"
#include "tests/support/env_sim.h"

#include <yore.h>

enum {
    BRANCHES = 10,
    VERSIONS = 160,
    KEYS = 24,
    TAGS = 4,
    LARGE = 70000,
    ROWS_MAX = 4 * KEYS,
    SECOND = 1000000000
};

static const uint32_t primitives[] = {YORE_KV, YORE_EVENT, 254};

typedef struct world {
    yr_sim *sim;
    yore_db *db;
    yore_db *reader; /* of another process, behind at times */
    yr_rng rng;
    uint64_t every; /* commits between flushes; 0 = by size */
    uint64_t version;
    uint32_t branch_count, tag_count;
    uint64_t diffs, rows, trimmed;
    uint8_t large[LARGE];
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
    options.create = false;
    options.read_only = true;
    ok(yore_open("db", &options, &w->reader, &err));
}

static void close_db(world *w)
{
    yore_close(w->reader);
    yore_close(w->db);
}

static uint32_t any(world *w, uint64_t n)
{
    return (uint32_t)yr_rng_below(&w->rng, n);
}

static yore_slice any_branch(world *w, char text[16])
{
    snprintf(text, 16, "id:%u", 1 + any(w, w->branch_count));
    return yore_str(text);
}

static yore_slice key_name(uint32_t n, char text[16])
{
    snprintf(text, 16, n % 3 ? "k%02u" : "key%02u", n);
    return yore_str(text);
}

/* -- what happens -- */

static void write_any(world *w, yore_txn *txn)
{
    char name[16], text[16];
    yore_put_options how = YORE_PUT_OPTIONS_INIT;
    const yore_key key = {.user = key_name(any(w, KEYS), name), .primitive = primitives[any(w, 8) % 3]};
    if (any(w, 4) == 0) {
        ok(yore_del(txn, key, NULL, &err));
        return;
    }
    snprintf(text, sizeof text, "%u", any(w, 3)); /* few, so that the same bytes come again */
    if (any(w, 4) == 0) how.meta = yore_str("meta");
    if (any(w, 5) == 0) how.ttl_ns = SECOND * (int64_t)(1 + any(w, 20));
    how.type = any(w, 6) == 0 ? YORE_TYPE_TEXT : YORE_TYPE_BYTES;
    yore_slice value = any(w, 12) ? yore_str(text) : yore_bytes(w->large, LARGE - any(w, 2));
    ok(yore_put(txn, key, value, &how, &err));
}

static void do_write(world *w)
{
    char text[16];
    yore_txn *txn;
    yore_where where = YORE_WHERE_INIT;
    yore_status status = yore_begin(w->db, any_branch(w, text), NULL, &txn, &err);
    if (status == YORE_ERR_NO_BRANCH) return; /* it has been deleted */
    ok(status);
    for (uint32_t n = 1 + any(w, 4); n > 0; n--) write_any(w, txn);
    status = yore_commit(txn, yore_str(""), &where, &err);
    if (status == YORE_ERR_NO_BRANCH) return;
    ok(status);
    yr_sim_advance_ns(w->sim, SECOND);
}

static yore_at any_point(world *w)
{
    yore_at at = YORE_AT_INIT;
    at.branch_id = 1 + any(w, w->branch_count);
    switch (any(w, 8)) {
    case 0:
    case 1: break;
    case 2: at.kind = YORE_AT_FORK; break;
    case 3: at.kind = YORE_AT_START; break;
    case 4:
        at.kind = YORE_AT_TAG;
        snprintf(at.tag, sizeof at.tag, "t%u", 1 + any(w, TAGS));
        if (any(w, 2)) at.branch_id = 0;
        break;
    case 5:
        at.kind = YORE_AT_TIME;
        at.time_ns = yr_sim_env(w->sim)->wall_ns(yr_sim_env(w->sim)->ctx) -
                     (int64_t)any(w, VERSIONS) * SECOND * 3 / 4;
        break;
    default: at.kind = YORE_AT_VERSION; at.version = 1 + any(w, w->version);
    }
    return at;
}

static void do_fork(world *w)
{
    char name[16];
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at from = any_point(w);
    if (w->branch_count == BRANCHES) return;
    options.from = &from;
    options.empty = any(w, 8) == 0;
    snprintf(name, sizeof name, "b%u", w->branch_count + 1);
    yore_status status = yore_branch_create(w->db, yore_str(name), &options, NULL, &err);
    w->branch_count += status == YORE_OK;
}

static void do_delete(world *w)
{
    char text[16];
    yore_slice name = any_branch(w, text);
    yore_status status = yore_branch_delete(w->db, name, any(w, 2), NULL, NULL, &err);
    if (status < 0) status = yore_branch_recover(w->db, name, yore_str(""), NULL, &err);
    assert_int_not_equal(status, YORE_ERR_CORRUPT);
}

static void do_tag(world *w)
{
    char name[16];
    yore_at at = any_point(w);
    snprintf(name, sizeof name, "t%u", 1 + any(w, TAGS));
    yore_status status = yore_tag_delete(w->db, yore_str(name), NULL, &err);
    if (status < 0) status = yore_tag_create(w->db, yore_str(name), &at, NULL, &err);
    assert_int_not_equal(status, YORE_ERR_CORRUPT);
}

static void do_collect(world *w)
{
    char text[16];
    yore_retention keep = YORE_RETENTION_INIT;
    yore_gc_options options = YORE_GC_OPTIONS_INIT;
    keep.kind = any(w, 4);
    keep.age_ns = 1 + (int64_t)any(w, 30) * SECOND;
    keep.versions = 1 + any(w, 6);
    yore_status status = yore_branch_retention_set(w->db, any_branch(w, text), &keep, NULL, &err);
    assert_true(status == YORE_OK || status == YORE_ERR_NO_BRANCH);
    options.now = any(w, 4) == 0;
    if (any(w, 2)) ok(yore_gc(w->db, &options, NULL, &err));
}

static void do_erase(world *w)
{
    char name[16], text[16];
    yore_erase_options options = YORE_ERASE_OPTIONS_INIT;
    options.all_branches = any(w, 2);
    const yore_key key = {.user = key_name(any(w, KEYS), name), .primitive = primitives[any(w, 3)]};
    yore_status status = yore_erase(w->db, any_branch(w, text), key, &options, NULL, &err);
    assert_true(status == YORE_OK || status == YORE_ERR_REFUSED || status == YORE_ERR_NO_BRANCH);
}

static void do_any(world *w)
{
    switch (any(w, 24)) {
    case 0:
    case 1:
    case 2: do_fork(w); break;
    case 3: do_delete(w); break;
    case 4: do_tag(w); break;
    case 5: do_collect(w); break;
    case 6: ok(yore_compact(w->db, NULL, NULL, &err)); break;
    case 7:
        if (any(w, 4) == 0) do_erase(w);
        break;
    default: do_write(w); break;
    }
    w->version = yr_store_visible(&w->db->store);
}

/* -- by definition: two scans -- */

typedef struct seen {
    uint8_t primitive;
    char key[16];
    uint64_t version; /* of what it has there, 0 = nothing at all */
    bool shows;
    uint32_t type;
    uint64_t value_hash, meta_hash, value_size;
} seen;

typedef struct states {
    seen of[ROWS_MAX];
    uint32_t count;
} states;

static uint64_t hash_of(yore_slice bytes)
{
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < bytes.size; i++) hash = (hash ^ ((const uint8_t *)bytes.data)[i]) * 1099511628211u;
    return hash;
}

static void scan_all(yore_snap *snap, uint32_t primitive, states *out)
{
    yore_iter *iter;
    yore_row row;
    size_t n;
    yore_range range = YORE_RANGE_INIT;
    range.primitive = primitive;
    range.with_deleted = true;
    ok(yore_scan(snap, &range, &iter, &err));
    while (yore_next(iter, &row, sizeof row, 1, &n, &err) == YORE_OK) {
        assert_true(out->count < ROWS_MAX);
        seen *s = &out->of[out->count++];
        *s = (seen){.primitive = (uint8_t)primitive,
                    .version = row.version,
                    .shows = row.op == YORE_OP_PUT,
                    .type = row.type,
                    .value_hash = hash_of(row.value),
                    .value_size = row.value.size,
                    .meta_hash = hash_of(row.meta)};
        memcpy(s->key, row.key.data, row.key.size);
    }
    yore_iter_close(iter);
}

static int compare_states(const seen *a, const seen *b)
{
    return a->primitive != b->primitive ? (int)a->primitive - (int)b->primitive : strcmp(a->key, b->key);
}

typedef struct expected_row {
    uint32_t op;
    seen old, new_;
} expected_row;

typedef struct expectation {
    expected_row rows[ROWS_MAX];
    uint32_t count;
} expectation;

static void expect_state(expectation *out, const seen *old, const seen *new_)
{
    static const seen none;
    expected_row row = {.old = old ? *old : none, .new_ = new_ ? *new_ : none};
    if (old && new_ && old->version == new_->version) return;
    if (row.old.shows && row.new_.shows) {
        if (row.old.type == row.new_.type && row.old.value_hash == row.new_.value_hash &&
            row.old.meta_hash == row.new_.meta_hash)
            return;
        row.op = YORE_DIFF_CHANGE;
    } else if (row.old.shows || row.new_.shows) {
        row.op = row.new_.shows ? YORE_DIFF_ADD : YORE_DIFF_DEL;
    } else {
        return;
    }
    out->rows[out->count++] = row;
}

static void expect_all(yore_snap *a, yore_snap *b, uint32_t primitive, expectation *out)
{
    static states of_a, of_b;
    of_a.count = of_b.count = 0;
    for (size_t i = 0; i < 3; i++) {
        if (primitive != YORE_ANY_PRIMITIVE && primitive != primitives[i]) continue;
        scan_all(a, primitives[i], &of_a);
        scan_all(b, primitives[i], &of_b);
    }
    out->count = 0;
    for (uint32_t i = 0, k = 0; i < of_a.count || k < of_b.count;) {
        int order = i == of_a.count ? 1 : k == of_b.count ? -1 : compare_states(&of_a.of[i], &of_b.of[k]);
        expect_state(out, order <= 0 ? &of_a.of[i] : NULL, order >= 0 ? &of_b.of[k] : NULL);
        i += order <= 0;
        k += order >= 0;
    }
}

/* Leave out what the options do not ask for. */
static void choose(expectation *rows, const yore_diff_options *options)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rows->count; i++) {
        const seen *s = rows->rows[i].old.shows ? &rows->rows[i].old : &rows->rows[i].new_;
        const char *from = options->from.data, *to = options->to.data;
        if (options->prefix.size && strncmp(s->key, options->prefix.data, options->prefix.size) != 0)
            continue;
        if (options->from.size && strcmp(s->key, from) < 0) continue;
        if (options->to.size && strcmp(s->key, to) >= 0) continue;
        if (options->limit && kept == options->limit) continue;
        rows->rows[kept++] = rows->rows[i];
    }
    rows->count = kept;
}

/* -- and by the diff -- */

static void expect_side(const seen *s, uint64_t version, uint32_t type, yore_slice value, yore_slice meta,
                        bool keys_only)
{
    assert_int_equal(version, s->shows ? s->version : 0);
    assert_int_equal(type, s->shows ? s->type : 0);
    if (!s->shows || keys_only) {
        assert_int_equal(value.size + meta.size, 0);
        return;
    }
    assert_int_equal(value.size, s->value_size);
    assert_true(hash_of(value) == s->value_hash);
    assert_true(hash_of(meta) == s->meta_hash);
}

static void expect_row(const expected_row *expected, const yore_diff_row *row, bool keys_only)
{
    const seen *s = expected->old.shows ? &expected->old : &expected->new_;
    assert_int_equal(row->key.size, strlen(s->key));
    assert_memory_equal(row->key.data, s->key, row->key.size);
    assert_int_equal(row->primitive, s->primitive);
    assert_int_equal(row->op, expected->op);
    expect_side(&expected->old, row->old_version, row->old_type, row->old_value, row->old_meta, keys_only);
    expect_side(&expected->new_, row->new_version, row->new_type, row->new_value, row->new_meta, keys_only);
}

static void read_diff(world *w, yore_iter *iter, const expectation *expected, bool keys_only)
{
    yore_diff_row rows[40];
    size_t n, cap = any(w, 2) ? 40 : 1 + any(w, 3);
    uint32_t at = 0;
    yore_status status;
    while ((status = yore_diff_next(iter, rows, sizeof rows[0], cap, &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++, at++) {
            assert_true(at < expected->count);
            expect_row(&expected->rows[at], &rows[i], keys_only);
        }
    }
    assert_int_equal(status, YORE_END);
    assert_int_equal(at, expected->count);
    yore_iter_close(iter);
}

static yore_diff_options any_options(world *w, char text[3][16])
{
    yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
    options.primitive = any(w, 2) ? YORE_ANY_PRIMITIVE : primitives[any(w, 3)];
    options.keys_only = any(w, 8) == 0;
    if (any(w, 3) == 0) options.prefix = yore_str(any(w, 2) ? "key" : "k");
    if (any(w, 6) == 0) options.from = key_name(any(w, KEYS), text[0]);
    if (any(w, 6) == 0) options.to = key_name(any(w, KEYS), text[1]);
    if (any(w, 6) == 0) options.limit = 1 + any(w, 4);
    return options;
}

/* The same with a chosen limit of what is read of commits. */
static void compare_within(yore_db *db, const yore_at *a, const yore_at *b, const expectation *expected,
                           uint32_t primitive)
{
    const uint64_t limits[] = {1, 6, 40, UINT64_MAX};
    yr_point_found at_a, at_b;
    yr_diff *diff;
    yr_diff_row row;
    yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
    options.primitive = primitive;
    ok(yr_at_find(db, a, &at_a, &err));
    ok(yr_at_find_beside(db, b, &at_a, &at_b, &err));
    ok(yr_db_settle(db, &err));
    const yr_view view_a = yr_point_view(&at_a), view_b = yr_point_view(&at_b);
    for (size_t i = 0; i < 4; i++) {
        uint32_t at = 0;
        ok(yr_diff_open_within(db->env, &view_a, &view_b, &options, limits[i], &diff, &err));
        while (yr_diff_next(diff, &row, &err) == YORE_OK) {
            assert_true(at < expected->count);
            const expected_row *wanted = &expected->rows[at++];
            assert_int_equal(row.op, wanted->op);
            assert_int_equal(row.has_old ? row.old.version : 0, wanted->old.shows ? wanted->old.version : 0);
            assert_int_equal(row.has_new ? row.new_.version : 0,
                             wanted->new_.shows ? wanted->new_.version : 0);
        }
        assert_int_equal(at, expected->count);
        yr_diff_close(diff);
    }
    yr_layers_unref(at_a.layers);
    yr_layers_unref(at_b.layers);
}

static void compare_any(world *w)
{
    static expectation expected;
    char text[3][16];
    yore_at a = any_point(w), b = any_point(w);
    yore_snap *snap_a, *snap_b;
    yore_iter *iter;
    yore_db *db = any(w, 4) ? w->db : w->reader;
    if (db == w->reader && any(w, 2)) ok(yore_refresh(db, &err));
    const yore_diff_options options = any_options(w, text);
    yore_status of_a = yore_snap_open(db, &a, &snap_a, NULL, &err), of_b = YORE_OK;
    if (of_a == YORE_OK) of_b = yore_snap_open(db, &b, &snap_b, NULL, &err);
    if (of_a < 0 || of_b < 0) {
        assert_int_equal(yore_diff(db, &a, &b, &options, &iter, NULL, NULL, &err), of_a < 0 ? of_a : of_b);
        w->trimmed += of_a == YORE_ERR_TRIMMED || of_b == YORE_ERR_TRIMMED;
        if (of_a == YORE_OK) yore_snap_close(snap_a);
        return;
    }
    ok(yore_diff(db, &a, &b, &options, &iter, NULL, NULL, &err));
    expect_all(snap_a, snap_b, options.primitive, &expected);
    yore_snap_close(snap_a);
    yore_snap_close(snap_b);
    w->diffs++;
    w->rows += expected.count;
    compare_within(db, &a, &b, &expected, options.primitive);
    choose(&expected, &options);
    if (any(w, 4) == 0)
        for (uint32_t n = any(w, 8); n > 0; n--) do_any(w);
    read_diff(w, iter, &expected, options.keys_only);
}

static void run_world(uint64_t seed)
{
    static world w;
    memset(&w, 0, sizeof w);
    w.rng.state = seed;
    w.sim = yr_sim_create(seed);
    w.every = any(&w, 3) ? 0 : 1 + any(&w, 6);
    w.branch_count = 1;
    open_db(&w);
    w.version = 1;
    while (w.version < VERSIONS) {
        do_any(&w);
        if (any(&w, 40) == 0) {
            close_db(&w);
            open_db(&w);
        }
        for (uint32_t n = any(&w, 4); n > 0; n--) compare_any(&w);
    }
    close_db(&w);
    yr_sim_destroy(w.sim);
    printf("seed %" PRIu64 ": %u branches, %" PRIu64 " diffs of %" PRIu64 " rows, %" PRIu64 " trimmed\n",
           seed, w.branch_count, w.diffs, w.rows, w.trimmed);
    assert_true(w.diffs > 0 && w.rows > 0);
}

static void a_diff_lists_what_two_scans_differ_in(void **state)
{
    (void)state;
    const char *text = getenv("YORE_TEST_SEED"), *worlds = getenv("YORE_TEST_WORLDS");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("YORE_TEST_SEED=%" PRIu64 "\n", seed);
    for (uint64_t i = 0; i < (worlds ? strtoull(worlds, NULL, 10) : 12); i++) run_world(seed + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_diff_lists_what_two_scans_differ_in)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
