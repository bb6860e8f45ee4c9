/* Readers of every kind beside two writers, while memory is flushed and segments are merged under them: gets, scans
 * both ways, histories, transactions, commits, the change feed; snapshots and iterators that are kept for long, and
 * pins that outlive their snapshot and the store. The story (story.h) says what each must see, to the byte.
 *
 *   layers_stress [COMMITS]     YORE_TEST_SEED picks another run */
#define _DEFAULT_SOURCE /* mkdtemp */
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yore.h>

#include "engine/base/rng.h"
#include "tests/thread/story.h"

enum {
    COMMITS_MAX = 20000,
    FORK_AFTER = 80, /* commits of line 0 */
    READERS = 3,
    KEPT_SNAPS = 6,
    KEPT_PINS = 40,
    HISTORY_MAX = COMMITS_MAX * STORY_ROWS / STORY_KEYS * 2 + 2
};

typedef struct stress {
    yore_db *db;
    uint64_t commits; /* of each line */
    uint64_t parent;  /* of line 0, where line 1 leaves it */
    uint64_t forked;  /* the version that did */
    _Atomic uint64_t done[STORY_LINES];
    _Atomic uint64_t version[STORY_LINES][COMMITS_MAX + 2]; /* of a commit; 0: not known yet */
    _Atomic uint32_t writers_left;
    _Atomic uint64_t checks, feeds;
} stress;

typedef struct kept_pin {
    yore_pin pin;
    story_version version;
} kept_pin;

typedef struct kept_snap {
    yore_snap *snap;
    story_view view;
    yore_iter *iter; /* a scan that goes on now and then; NULL: none */
    uint32_t key;    /* keys of it up to this one were given */
} kept_snap;

typedef struct worker {
    stress *s;
    yr_rng rng;
    uint32_t id;
    kept_pin pins[KEPT_PINS];
    kept_snap snaps[KEPT_SNAPS];
    story_version *versions; /* room for HISTORY_MAX */
} worker;

_Noreturn static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "FAILED: %s: %s\n", what, why);
    abort();
}

static void expect(const char *what, yore_status got, yore_status want, const yore_error *err)
{
    if (got != want) give_up(what, got < 0 ? err->message : yore_status_name(got));
}

static uint64_t below(worker *w, uint64_t bound)
{
    return yr_rng_below(&w->rng, bound);
}

static bool is_over(const stress *s)
{
    return atomic_load(&s->writers_left) == 0;
}

/* -- writing -- */

static void write_row(yore_txn *txn, const story_version *version)
{
    char text[STORY_KEY_BYTES], value[STORY_VALUE_MAX];
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_key key = story_key(version->key, text);
    options.expiry_ns = version->op == STORY_PUT_EXPIRED ? 1 : 0;
    yore_status status = version->op == STORY_DELETE
                             ? yore_del(txn, key, NULL, &err)
                             : yore_put(txn, key, story_value(version, value), &options, &err);
    expect("write", status, YORE_OK, &err);
}

static void write_commit(stress *s, uint32_t line, uint64_t number)
{
    char text[24];
    yore_txn *txn = NULL;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    snprintf(text, sizeof text, "%" PRIu64, number);
    expect("begin", yore_begin(s->db, yore_str(line ? "fork" : ""), NULL, &txn, &err), YORE_OK, &err);
    expect("put", yore_put(txn, story_counter(line), yore_str(text), NULL, &err), YORE_OK, &err);
    for (uint32_t i = 0; i < STORY_ROWS; i++) {
        story_version version = story_row(line, number, i);
        write_row(txn, &version);
    }
    expect("commit", yore_commit(txn, yore_str("a commit of the story"), &where, &err), YORE_OK, &err);
    atomic_store(&s->version[line][number], where.version);
    atomic_store(&s->done[line], number);
}

static void *write_line(void *arg)
{
    worker *w = arg;
    uint32_t line = w->id;
    for (uint64_t n = atomic_load(&w->s->done[line]) + 1; n <= w->s->commits; n++) {
        write_commit(w->s, line, n);
        if (below(w, 16) == 0) sched_yield();
    }
    atomic_fetch_sub(&w->s->writers_left, 1);
    return NULL;
}

/* -- what a snapshot shows -- */

static uint64_t number(yore_slice value)
{
    char text[24] = "";
    if (value.size >= sizeof text) give_up("a counter", "its value is too long");
    if (value.size) memcpy(text, value.data, value.size);
    return strtoull(text, NULL, 10);
}

static uint64_t count_of(yore_snap *snap, uint32_t line)
{
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_get(snap, story_counter(line), &pin, &err);
    if (status != YORE_NOT_FOUND) expect("a counter", status, YORE_OK, &err);
    uint64_t n = status == YORE_OK ? number(pin.value) : 0;
    yore_unpin(&pin);
    return n;
}

/* Is commit `n` the newest of its line at a version, as far as the writer has said? */
static void check_count(const stress *s, uint32_t line, uint64_t n, uint64_t version)
{
    uint64_t own = n ? atomic_load(&s->version[line][n]) : 0, next = atomic_load(&s->version[line][n + 1]);
    if (own > version) give_up("a snapshot", "it shows a commit of the future");
    if (next && next <= version) give_up("a snapshot", "it lacks a commit of its past");
}

static story_view view_of(const stress *s, yore_snap *snap, bool on_fork, uint64_t version)
{
    story_view view = {.on_fork = on_fork, .version = version};
    view.parent = count_of(snap, 0);
    view.own = on_fork ? count_of(snap, 1) : 0;
    if (on_fork && view.parent != s->parent) give_up("a fork", "its parent's counter moved");
    check_count(s, on_fork ? 1 : 0, on_fork ? view.own : view.parent, version);
    return view;
}

static void fail_key(const char *what, const story_view *view, uint32_t key)
{
    char why[160];
    snprintf(why, sizeof why, "key %u is wrong on %s with %" PRIu64 " and %" PRIu64 " commits", key,
             view->on_fork ? "the fork" : "default", view->parent, view->own);
    give_up(what, why);
}

static void check_get(worker *w, yore_snap *snap, const story_view *view)
{
    char text[STORY_KEY_BYTES];
    story_version wanted;
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    uint32_t key = (uint32_t)below(w, STORY_KEYS);
    bool is_there = story_find(view, key, &wanted);
    yore_status status = yore_get(snap, story_key(key, text), &pin, &err);
    if (status < 0) give_up("get", err.message);
    if ((status == YORE_OK) != is_there || (is_there && !story_is_value(&wanted, pin.value)))
        fail_key("get", view, key);
    if (is_there && pin.version > view->version) fail_key("a version", view, key);
    if (is_there && yore_pin_time(&pin) == 0) give_up("yore_pin_time", "no time");
    kept_pin *kept = &w->pins[below(w, KEPT_PINS)];
    if (!is_there || below(w, 4)) {
        yore_unpin(&pin);
        return;
    }
    if (kept->pin.value.data && !story_is_value(&kept->version, kept->pin.value))
        give_up("a kept pin", "its value has changed");
    yore_unpin(&kept->pin);
    expect("keep a pin", yore_pin_keep(&pin, &err), YORE_OK, &err);
    *kept = (kept_pin){.pin = pin, .version = wanted};
}

static void check_many(worker *w, yore_snap *snap, const story_view *view)
{
    enum { MANY = 24 };
    char text[MANY][STORY_KEY_BYTES];
    uint32_t which[MANY];
    yore_key keys[MANY];
    yore_pin pins[MANY];
    yore_status each[MANY];
    yore_error err = YORE_ERROR_INIT;
    memset(pins, 0, sizeof pins);
    for (uint32_t i = 0; i < MANY; i++) {
        which[i] = (uint32_t)below(w, STORY_KEYS);
        keys[i] = story_key(which[i], text[i]);
    }
    expect("get_many", yore_get_many(snap, keys, MANY, pins, each, &err), YORE_OK, &err);
    for (uint32_t i = 0; i < MANY; i++) {
        story_version wanted;
        bool is_there = story_find(view, which[i], &wanted);
        if ((each[i] == YORE_OK) != is_there || (is_there && !story_is_value(&wanted, pins[i].value)))
            fail_key("get_many", view, which[i]);
        if (each[i] == YORE_OK) yore_unpin(&pins[i]);
    }
}

/* The next rows of a listing of the story's keys: *at is the key it has come to. */
static void check_row(const story_view *view, const yore_row *row, bool reverse, uint32_t *at)
{
    for (;;) {
        char text[STORY_KEY_BYTES];
        story_version wanted;
        if (*at >= STORY_KEYS) give_up("scan", "a key too many");
        uint32_t key = reverse ? STORY_KEYS - 1 - *at : *at;
        ++*at;
        if (!story_find(view, key, &wanted)) continue;
        yore_slice name = story_key(key, text).user;
        bool is_it = row->key.size == name.size && memcmp(row->key.data, text, name.size) == 0;
        if (!is_it || !story_is_value(&wanted, row->value) || row->time_ns == 0) fail_key("scan", view, key);
        return;
    }
}

/* Rows are looked at when all of a batch are there: they last until the next call. */
static bool check_batch(worker *w, yore_iter *iter, const story_view *view, bool reverse, uint32_t *at)
{
    yore_row rows[48];
    yore_error err = YORE_ERROR_INIT;
    size_t n = 0;
    yore_status status = yore_next(iter, rows, sizeof rows[0], 1 + (size_t)below(w, 48), &n, &err);
    for (size_t i = 0; i < n && status == YORE_OK; i++) check_row(view, &rows[i], reverse, at);
    if (status == YORE_OK) return true;
    expect("next", status, YORE_END, &err);
    for (; *at < STORY_KEYS; ++*at) {
        story_version wanted;
        uint32_t key = reverse ? STORY_KEYS - 1 - *at : *at;
        if (story_find(view, key, &wanted)) fail_key("the end of a scan", view, key);
    }
    return false;
}

static yore_iter *begin_scan(yore_snap *snap, bool reverse)
{
    yore_iter *iter = NULL;
    yore_range range = YORE_RANGE_INIT;
    yore_error err = YORE_ERROR_INIT;
    range.prefix = yore_str("k");
    range.reverse = reverse;
    expect("scan", yore_scan(snap, &range, &iter, &err), YORE_OK, &err);
    return iter;
}

static void check_scan(worker *w, yore_snap *snap, const story_view *view)
{
    uint32_t at = 0;
    bool reverse = below(w, 2) == 0;
    yore_iter *iter = begin_scan(snap, reverse);
    while (check_batch(w, iter, view, reverse, &at)) {}
    yore_iter_close(iter);
}

static void check_snapshot(worker *w, yore_snap *snap, const story_view *view)
{
    if (below(w, 2)) check_scan(w, snap, view);
    for (int i = 0; i < 20; i++) check_get(w, snap, view);
    if (below(w, 2)) check_many(w, snap, view);
    atomic_fetch_add(&w->s->checks, 1);
}

/* -- readers -- */

/* A point to read at: now, or any version since the fork. */
static yore_at pick_point(worker *w, bool on_fork)
{
    yore_at at = YORE_AT_INIT;
    yore_stats stats = {.struct_size = sizeof stats};
    yore_error err = YORE_ERROR_INIT;
    snprintf(at.branch, sizeof at.branch, "%s", on_fork ? "fork" : "default");
    if (below(w, 2)) return at;
    expect("stats", yore_stats_get(w->s->db, &stats, &err), YORE_OK, &err);
    at.kind = YORE_AT_VERSION;
    at.version = w->s->forked + below(w, stats.version - w->s->forked + 1);
    return at;
}

static yore_snap *open_point(worker *w, const yore_at *at, bool on_fork, story_view *view)
{
    yore_snap *snap = NULL;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    uint64_t done = atomic_load(&w->s->done[on_fork ? 1 : 0]);
    expect("snapshot", yore_snap_open(w->s->db, at, &snap, &where, &err), YORE_OK, &err);
    *view = view_of(w->s, snap, on_fork, where.snap_version);
    if (at->kind == YORE_AT_NOW && (on_fork ? view->own : view->parent) < done)
        give_up("the present", "it is older than what was committed before it");
    return snap;
}

/* A key's versions at a point, to the byte. */
static void check_history(worker *w, const yore_at *at, const story_view *view)
{
    char text[STORY_KEY_BYTES];
    uint32_t key = (uint32_t)below(w, STORY_KEYS);
    uint64_t count = story_history(view, key, w->versions, HISTORY_MAX), given = 0, last = UINT64_MAX;
    yore_iter *iter = NULL;
    yore_row rows[16];
    yore_error err = YORE_ERROR_INIT;
    size_t n = 0;
    yore_status status = yore_history(w->s->db, at, story_key(key, text), NULL, &iter, &err);
    if (status == YORE_NOT_FOUND && count == 0) return;
    expect("history", status, YORE_OK, &err);
    while ((status = yore_next(iter, rows, sizeof rows[0], 1 + (size_t)below(w, 16), &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++, given++) {
            const story_version *wanted = &w->versions[given];
            if (given == count || rows[i].version >= last) fail_key("history", view, key);
            last = rows[i].version;
            if (rows[i].branch_id != (wanted->line ? 2u : 1u)) fail_key("a branch in a history", view, key);
            if (wanted->op == STORY_DELETE && rows[i].op != YORE_OP_DEL)
                fail_key("a delete in a history", view, key);
            if (wanted->op == STORY_PUT && !story_is_value(wanted, rows[i].value))
                fail_key("a value in a history", view, key);
        }
    }
    expect("next of a history", status, YORE_END, &err);
    if (given != count) fail_key("the end of a history", view, key);
    yore_iter_close(iter);
}

/* A transaction sees its own writes over its snapshot. */
static void check_txn(worker *w, bool on_fork)
{
    char text[STORY_KEY_BYTES];
    yore_txn *txn = NULL;
    yore_iter *iter = NULL;
    yore_row rows[7];
    yore_range range = YORE_RANGE_INIT;
    yore_error err = YORE_ERROR_INIT;
    uint32_t gone = (uint32_t)below(w, STORY_KEYS);
    size_t n = 0, own = 0;
    yore_status status;
    range.prefix = yore_str("k");
    range.reverse = below(w, 2) == 0;
    expect("begin", yore_begin(w->s->db, yore_str(on_fork ? "fork" : ""), NULL, &txn, &err), YORE_OK, &err);
    expect("put", yore_put(txn, yore_str_key("k00150+"), yore_str("own"), NULL, &err), YORE_OK, &err);
    expect("del", yore_del(txn, story_key(gone, text), NULL, &err), YORE_OK, &err);
    expect("scan in a transaction", yore_txn_scan(txn, &range, &iter, &err), YORE_OK, &err);
    while ((status = yore_next(iter, rows, sizeof rows[0], 7, &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++) {
            own += rows[i].key.size == 7 && memcmp(rows[i].key.data, "k00150+", 7) == 0;
            if (memcmp(rows[i].key.data, text, 6) == 0 && rows[i].key.size == 6)
                give_up("a transaction", "it sees what it deleted");
        }
    }
    expect("next in a transaction", status, YORE_END, &err);
    if (own != 1) give_up("a transaction", "it does not see its own write once");
    yore_iter_close(iter);
    yore_rollback(txn);
}

/* A commit that the writer has named, and what it wrote. */
static void check_commit(worker *w)
{
    uint32_t line = (uint32_t)below(w, STORY_LINES);
    uint64_t done = atomic_load(&w->s->done[line]), rows_of = 0;
    if (done == 0) return;
    uint64_t version = atomic_load(&w->s->version[line][1 + below(w, done)]);
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *iter = NULL;
    yore_row rows[STORY_ROWS + 2];
    yore_error err = YORE_ERROR_INIT;
    size_t n = 0;
    expect("commit_get", yore_commit_get(w->s->db, version, &info, &err), YORE_OK, &err);
    if (info.branch_id != line + 1 || info.note.size != 21) give_up("a commit", "it is another");
    expect("commit_rows", yore_commit_rows(w->s->db, version, &iter, &err), YORE_OK, &err);
    while (yore_next(iter, rows, sizeof rows[0], STORY_ROWS + 2, &n, &err) == YORE_OK) rows_of += n;
    if (rows_of != info.key_count) give_up("a commit", "not as many rows as it says");
    yore_iter_close(iter);
    yore_commit_release(&info);
}

static void *read_always(void *arg)
{
    worker *w = arg;
    while (!is_over(w->s)) {
        bool on_fork = below(w, 2) == 0;
        story_view view;
        yore_at at = pick_point(w, on_fork);
        yore_snap *snap = open_point(w, &at, on_fork, &view);
        check_snapshot(w, snap, &view);
        at.kind = YORE_AT_VERSION; /* what the snapshot saw, to ask for its history */
        at.version = view.version;
        yore_snap_close(snap);
        for (int i = 0; i < 3; i++) check_history(w, &at, &view);
        if (below(w, 4) == 0) check_txn(w, on_fork);
        check_commit(w);
    }
    return NULL;
}

/* -- kept for long -- */

static void end_kept(worker *w, kept_snap *kept)
{
    if (!kept->snap) return;
    check_snapshot(w, kept->snap, &kept->view);
    if (kept->iter) {
        while (check_batch(w, kept->iter, &kept->view, false, &kept->key)) {}
    }
    yore_iter_close(kept->iter);
    yore_snap_close(kept->snap);
    *kept = (kept_snap){0};
}

/* Opens one snapshot after the other and closes them in no order, so that layers of all ages are in use. */
static void *keep_always(void *arg)
{
    worker *w = arg;
    while (!is_over(w->s)) {
        kept_snap *kept = &w->snaps[below(w, KEPT_SNAPS)];
        if (kept->snap && below(w, 4)) {
            check_snapshot(w, kept->snap, &kept->view);
            if (kept->iter && !check_batch(w, kept->iter, &kept->view, false, &kept->key)) {
                yore_iter_close(kept->iter);
                kept->iter = NULL;
            }
            continue;
        }
        end_kept(w, kept);
        bool on_fork = below(w, 2) == 0;
        yore_at at = pick_point(w, on_fork);
        kept->snap = open_point(w, &at, on_fork, &kept->view);
        if (below(w, 2)) kept->iter = begin_scan(kept->snap, false);
    }
    return NULL;
}

/* -- the change feed -- */

typedef struct feed {
    uint64_t after; /* the version that was read to its end, or is being read */
    uint32_t line, rows, wanted;
    uint64_t number; /* of the commit that is being read; 0: another commit */
} feed;

static void begin_feed_commit(const stress *s, feed *f, const yore_row *row)
{
    f->after = row->version;
    f->number = 0;
    if (row->primitive != YORE_KV) return;
    f->line = row->branch_id - 1;
    f->number = number(row->value); /* the counter comes before the keys */
    f->rows = f->wanted = 0;
    story_view before = {.on_fork = f->line == 1, .parent = f->line ? s->parent : f->number - 1};
    before.own = f->line ? f->number - 1 : 0;
    for (uint32_t i = 0; i < STORY_ROWS; i++) {
        story_version now = story_row(f->line, f->number, i), then;
        f->wanted += now.op != STORY_DELETE || story_find(&before, now.key, &then);
    }
}

static void check_feed_row(feed *f, const yore_row *row)
{
    for (uint32_t i = 0; i < STORY_ROWS; i++) {
        char text[STORY_KEY_BYTES];
        story_version wanted = story_row(f->line, f->number, i);
        yore_slice name = story_key(wanted.key, text).user;
        if (row->key.size != name.size || memcmp(row->key.data, text, name.size) != 0) continue;
        if (wanted.op == STORY_PUT && !story_is_value(&wanted, row->value))
            give_up("changes", "a value is wrong");
        f->rows++;
        return;
    }
    give_up("changes", "a key that the commit did not write");
}

static void read_feed(stress *s, feed *f)
{
    yore_iter *iter = NULL;
    yore_row rows[20];
    yore_error err = YORE_ERROR_INIT;
    size_t n = 0;
    yore_status status;
    expect("changes", yore_changes(s->db, f->after, NULL, &iter, &err), YORE_OK, &err);
    while ((status = yore_next(iter, rows, sizeof rows[0], 20, &n, &err)) == YORE_OK) {
        for (size_t i = 0; i < n; i++) {
            if (rows[i].version < f->after) give_up("changes", "versions do not rise");
            if (rows[i].version == f->after) {
                if (f->number) check_feed_row(f, &rows[i]);
                continue;
            }
            if (f->number && f->rows != f->wanted) give_up("changes", "half a commit");
            begin_feed_commit(s, f, &rows[i]);
        }
    }
    expect("next of changes", status, YORE_END, &err);
    if (f->number && f->rows != f->wanted) give_up("changes", "half a commit at the end");
    yore_iter_close(iter);
    atomic_fetch_add(&s->feeds, 1);
}

static void *follow_always(void *arg)
{
    worker *w = arg;
    feed f = {0};
    bool last = false;
    while (!last) {
        last = is_over(w->s);
        read_feed(w->s, &f);
        if (below(w, 64) == 0 && !last) f = (feed){0}; /* from the beginning: through all segments */
    }
    return NULL;
}

/* -- a run -- */

typedef struct store_shape {
    const char *name;
    uint64_t memtable_bytes;
    uint32_t every;
} store_shape;

static yore_db *open_store(const char *path, const store_shape *shape, bool read_only)
{
    yore_db *db = NULL;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    options.create = !read_only;
    options.read_only = read_only;
    options.sync = YORE_SYNC_OS;
    options.memory_bytes_max = UINT64_C(256) << 20;
    options.memory_budget = UINT64_C(16) << 20;
    options.memtable_bytes = shape->memtable_bytes;
    options.maintain_every = shape->every;
    options.wal_bytes_max = UINT64_C(1) << 20;
    expect("open", yore_open(path, &options, &db, &err), YORE_OK, &err);
    return db;
}

static void begin_story(stress *s)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    for (uint64_t n = 1; n <= FORK_AFTER; n++) write_commit(s, 0, n);
    expect("fork", yore_branch_create(s->db, yore_str("fork"), NULL, &where, &err), YORE_OK, &err);
    s->parent = FORK_AFTER;
    s->forked = where.version;
}

static void run_threads(stress *s, worker *workers)
{
    static void *(*const roles[])(void *) = {write_line, write_line, keep_always, follow_always};
    enum { FEW = sizeof roles / sizeof roles[0], THREADS = FEW + READERS };
    pthread_t threads[THREADS];
    atomic_store(&s->writers_left, STORY_LINES);
    for (uint32_t i = 0; i < THREADS; i++) {
        void *(*role)(void *) = i < FEW ? roles[i] : read_always;
        if (pthread_create(&threads[i], NULL, role, &workers[i]) != 0) give_up("pthread_create", "failed");
    }
    for (uint32_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

/* Everything of both branches, at some versions. */
static void check_all(worker *w)
{
    for (int i = 0; i < 12; i++) {
        bool on_fork = i % 2 == 1;
        story_view view;
        yore_at at = pick_point(w, on_fork);
        yore_snap *snap = open_point(w, &at, on_fork, &view);
        check_scan(w, snap, &view);
        check_snapshot(w, snap, &view);
        at.kind = YORE_AT_VERSION;
        at.version = view.version;
        yore_snap_close(snap);
        for (int k = 0; k < 10; k++) check_history(w, &at, &view);
        check_commit(w);
    }
}

static void drop_pins(worker *w)
{
    for (uint32_t i = 0; i < KEPT_PINS; i++) {
        if (w->pins[i].pin.value.data && !story_is_value(&w->pins[i].version, w->pins[i].pin.value))
            give_up("a pin kept after the store was closed", "its value has changed");
        yore_unpin(&w->pins[i].pin);
    }
}

static void run(const char *path, const store_shape *shape, uint64_t commits, uint64_t seed)
{
    enum { WORKERS = 16 };
    stress *s = calloc(1, sizeof *s);
    worker *workers = calloc(WORKERS, sizeof *workers);
    yore_check_report report = {.struct_size = sizeof report};
    yore_stats stats = {.struct_size = sizeof stats};
    yore_error err = YORE_ERROR_INIT;
    feed whole = {0};
    if (!s || !workers) give_up("calloc", "failed");
    s->commits = commits;
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = (worker){.s = s, .rng = {seed * 100 + i}, .id = i};
        workers[i].versions = calloc(HISTORY_MAX, sizeof *workers[i].versions);
        if (!workers[i].versions) give_up("calloc", "failed");
    }
    s->db = open_store(path, shape, false);
    begin_story(s);
    run_threads(s, workers);
    expect("check", yore_check(s->db, YORE_CHECK_DEEP, &report, &err), YORE_OK, &err);
    expect("stats", yore_stats_get(s->db, &stats, &err), YORE_OK, &err);
    check_all(&workers[0]);
    yore_close(s->db);
    for (uint32_t i = 0; i < WORKERS; i++) {
        for (uint32_t k = 0; k < KEPT_SNAPS; k++) end_kept(&workers[i], &workers[i].snaps[k]);
        drop_pins(&workers[i]);
    }
    for (int read_only = 0; read_only < 2; read_only++) {
        s->db = open_store(path, shape, read_only != 0);
        check_all(&workers[0]);
        whole = (feed){0};
        read_feed(s, &whole);
        drop_pins(&workers[0]);
        yore_close(s->db);
    }
    if (stats.segment_bytes == 0) give_up(shape->name, "nothing was flushed");
    printf("%s: seed %" PRIu64 ", %" PRIu64 " commits, %" PRIu64 " bytes of segments, %" PRIu64
           " snapshots checked, %" PRIu64 " looks at the feed\n",
           shape->name, seed, stats.commits, stats.segment_bytes, s->checks, s->feeds);
    for (uint32_t i = 0; i < WORKERS; i++) free(workers[i].versions);
    free(workers);
    free(s);
}

int main(int argc, char **argv)
{
    static const store_shape shapes[] = {{"as needed", UINT64_C(64) << 10, 0}, {"every 20 commits", 0, 20}};
    const char *text = getenv("YORE_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : 1;
    uint64_t commits = argc > 1 ? strtoull(argv[1], NULL, 10) : 500;
    char dir[] = "/tmp/yore-layers-XXXXXX", path[64], command[96];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (commits < FORK_AFTER || commits > COMMITS_MAX) give_up("COMMITS", "out of range");
    if (!mkdtemp(dir)) give_up("mkdtemp", "failed");
    for (uint32_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        snprintf(path, sizeof path, "%s/store%u", dir, i);
        run(path, &shapes[i], commits, seed + i);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command) != 0;
}
