/* Random puts, deletes, forks, undos, redos, reverts, cherry-picks, restores and resets, against a model that keeps
 * every state of every branch and two plain stacks a branch. After every step the touched branch and some earlier
 * answers are read again (I10); at the end all of them, and once more after reopening.
 *
 *     test_undo_model [SEEDS [FIRST]] */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "tests/support/env_sim.h"

#include <yore.h>

enum { KEYS = 6, BRANCHES = 6, VERSIONS = 160, STEPS = 110, VALUES = 5 };

/* The state of one branch: 0 absent, else the number of a value. Few values, so that states come again. */
typedef struct shot {
    uint8_t value[KEYS];
} shot;

typedef struct made {
    uint32_t branch; /* 0: a commit of the registry */
    uint32_t keys;   /* bits: it wrote these */
} made;

typedef struct line {
    uint32_t parent;
    uint64_t fork, create;
    uint64_t done[VERSIONS], undone[VERSIONS]; /* what undo and redo take back, the next one last */
    size_t done_count, undone_count;
} line;

typedef struct world {
    yr_sim *sim;
    yore_db *db;
    yr_rng rng;
    uint32_t every; /* commits between flushes */
    line lines[BRANCHES + 1];
    uint32_t line_count;
    uint64_t version;
    uint32_t branch; /* of the last step, and which it was */
    uint64_t dice;
    made commits[VERSIONS + 1];
    shot shots[VERSIONS + 1][BRANCHES + 1]; /* [version][branch], from the branch's creation on */
} world;

static yore_error err = YORE_ERROR_INIT;
static uint64_t seed_first = 1, seed_count = 300, seed_now;
static uint32_t outcomes[8][3]; /* by kind: done, nothing to change, refused or clash */

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", status < 0 ? err.message : yore_status_name(status));
    assert_int_equal(status, YORE_OK);
}

static uint64_t below(world *w, uint64_t bound)
{
    return yr_rng_below(&w->rng, bound);
}

/* -- the store -- */

static void open_db(world *w)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(w->sim);
    options.create = true;
    options.memory_bytes_max = 64 << 20;
    options.wal_bytes_min = 16384;
    options.maintain_every = w->every;
    ok(yore_open("db", &options, &w->db, &err));
}

static yore_slice branch_name(uint32_t id, char name[16])
{
    snprintf(name, 16, "id:%u", id);
    return yore_str(name);
}

static yore_key key_of(uint32_t key)
{
    static const char *const names[KEYS] = {"p/a", "p/b", "p/c", "q", "q/x", "\xff"};
    return yore_str_key(names[key]);
}

/* The number says value, type and metadata. */
static yore_slice value_of(uint32_t number, yore_put_options *options)
{
    static const char *const values[VALUES + 1] = {"", "", "one", "two", "two", "two"};
    options->type = number == 4 ? YORE_TYPE_TEXT : YORE_TYPE_BYTES;
    options->meta = yore_str(number == 5 ? "meta" : "");
    return yore_str(values[number]);
}

static void expect_pin(const yore_pin *pin, uint32_t number)
{
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    yore_slice value = value_of(number, &options);
    assert_int_equal(pin->value.size, value.size);
    if (value.size) assert_memory_equal(pin->value.data, value.data, value.size);
    assert_int_equal(pin->type, options.type);
    assert_int_equal(pin->meta.size, options.meta.size);
}

/* -- the model's answers -- */

static const shot *shot_at(const world *w, uint32_t branch, uint64_t version)
{
    static const shot nothing;
    const line *l = &w->lines[branch];
    while (version < l->create && l->parent) {
        if (l->fork < version) version = l->fork;
        branch = l->parent;
        l = &w->lines[branch];
    }
    return version < l->create ? &nothing : &w->shots[version][branch];
}

static bool in_history(const world *w, uint32_t branch, uint64_t version)
{
    uint32_t of = w->commits[version].branch;
    uint64_t cap = w->version;
    for (; branch; branch = w->lines[branch].parent) {
        if (branch == of) return version <= cap;
        if (w->lines[branch].fork < cap) cap = w->lines[branch].fork;
    }
    return false;
}

static void expect_shot(world *w, uint32_t branch, uint64_t version)
{
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    const shot *wanted = shot_at(w, branch, version);
    at.branch_id = branch;
    at.kind = YORE_AT_VERSION;
    at.version = version;
    ok(yore_snap_open(w->db, &at, &snap, NULL, &err));
    for (uint32_t key = 0; key < KEYS; key++) {
        yore_pin pin = YORE_PIN_INIT;
        yore_status status = yore_get(snap, key_of(key), &pin, &err);
        assert_int_equal(status, wanted->value[key] ? YORE_OK : YORE_NOT_FOUND);
        if (status == YORE_OK) expect_pin(&pin, wanted->value[key]);
        yore_unpin(&pin);
    }
    yore_snap_close(snap);
}

static void expect_sample(world *w)
{
    for (int i = 0; i < 4; i++)
        expect_shot(w, (uint32_t)(1 + below(w, w->line_count)), 1 + below(w, w->version));
}

static void expect_everything(world *w)
{
    for (uint32_t branch = 1; branch <= w->line_count; branch++) {
        for (uint64_t version = 1; version <= w->version; version++) expect_shot(w, branch, version);
    }
}

/* -- the model's commits -- */

static void next_version(world *w)
{
    memcpy(w->shots[w->version + 1], w->shots[w->version], sizeof w->shots[0]);
    w->version++;
    assert_true(w->version < VERSIONS);
}

/* The branch gets a state; the keys written are those that differ, and `more`. */
static void model_commit(world *w, uint32_t branch, const shot *to, uint32_t more)
{
    next_version(w);
    made *commit = &w->commits[w->version];
    *commit = (made){.branch = branch, .keys = more};
    shot *at = &w->shots[w->version][branch];
    for (uint32_t key = 0; key < KEYS; key++) {
        if (at->value[key] != to->value[key]) commit->keys |= 1u << key;
    }
    *at = *to;
}

static void push(uint64_t *stack, size_t *count, uint64_t version)
{
    stack[(*count)++] = version;
}

static void ordinary(world *w, uint32_t branch)
{
    line *l = &w->lines[branch];
    push(l->done, &l->done_count, w->version);
    l->undone_count = 0;
}

static void note_branch(world *w, uint32_t parent, uint64_t fork)
{
    next_version(w);
    const shot *from = shot_at(w, parent, fork);
    uint32_t id = ++w->line_count;
    w->lines[id] = (line){.parent = parent, .fork = fork, .create = w->version};
    w->shots[w->version][id] = *from;
}

/* -- plain steps -- */

static void step_write(world *w, uint32_t branch)
{
    yore_txn *txn;
    char name[16];
    yore_where where = YORE_WHERE_INIT;
    shot to = w->shots[w->version][branch];
    uint32_t wrote = 0;
    ok(yore_begin(w->db, branch_name(branch, name), NULL, &txn, &err));
    for (uint64_t n = 1 + below(w, 3); n > 0; n--) {
        uint32_t key = (uint32_t)below(w, KEYS);
        uint32_t value = (uint32_t)below(w, VALUES + 2);
        if (wrote & 1u << key) continue;
        if (value > VALUES) value = 0;
        if (value) {
            yore_put_options options = YORE_PUT_OPTIONS_INIT;
            yore_slice bytes = value_of(value, &options);
            ok(yore_put(txn, key_of(key), bytes, &options, &err));
            wrote |= 1u << key;
        } else {
            ok(yore_del(txn, key_of(key), NULL, &err));
            if (to.value[key]) wrote |= 1u << key;
        }
        to.value[key] = (uint8_t)value;
    }
    ok(yore_commit(txn, yore_str(""), &where, &err));
    if (!wrote) return;
    model_commit(w, branch, &to, wrote);
    assert_int_equal(where.version, w->version);
    ordinary(w, branch);
}

static void step_fork(world *w, uint32_t branch)
{
    char name[16];
    yore_at at = YORE_AT_INIT;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    if (w->line_count == BRANCHES) return;
    snprintf(name, sizeof name, "b%u", w->line_count + 1);
    at.branch_id = branch;
    at.kind = YORE_AT_VERSION;
    at.version = 1 + below(w, w->version);
    options.from = &at;
    ok(yore_branch_create(w->db, yore_str(name), &options, NULL, &err));
    note_branch(w, branch, at.version);
}

/* -- the steps under test -- */

typedef struct step {
    uint32_t branch;
    yore_undo_options options;
    yore_at at;
    yore_key keys[KEYS];
    /* what the model says */
    bool is_refused, is_clash, is_stack, changes;
    shot to;
} step;

/* Plan and apply, and compare what came of it. True when a commit was made. */
static bool perform(world *w, step *s)
{
    char name[16];
    yore_undo *plan = NULL;
    yore_where where = YORE_WHERE_INIT;
    bool keeps = s->options.keep_as.size > 0;
    uint64_t before = w->version;
    yore_status status = yore_undo_open(w->db, branch_name(s->branch, name), &s->options, &plan, &err);
    if (status == YORE_OK) status = yore_undo_apply(plan, NULL, yore_str("n"), &where, &err);
    if (plan) yore_undo_close(plan);
    uint32_t *outcome = outcomes[s->options.kind];
    yore_status wanted = s->is_refused ? YORE_ERR_REFUSED : s->is_clash ? YORE_CONFLICT : YORE_OK;
    if (status != wanted) print_error("kind %u: %s\n", s->options.kind, err.message);
    assert_int_equal(status, wanted);
    outcome[status != YORE_OK ? 2 : s->changes ? 0 : 1]++;
    if (status != YORE_OK) return false;
    if (keeps) note_branch(w, s->branch, before);
    if (!s->changes && !s->is_stack) {
        assert_int_equal(where.version, 0);
        return false;
    }
    model_commit(w, s->branch, &s->to, 0);
    assert_int_equal(where.version, w->version);
    return true;
}

static void judge_key(step *s, uint32_t key, uint8_t base, uint8_t then)
{
    uint8_t now = s->to.value[key];
    if (now == then || base == then) return;
    if (now == base) {
        s->to.value[key] = then;
        s->changes = true;
    } else {
        s->is_clash = true;
    }
}

/* The keys of a commit from one side to the other, as seen by `branch`. */
static void judge_commit(const world *w, step *s, uint64_t version, uint32_t branch, bool back)
{
    const shot *before = shot_at(w, branch, version - 1), *after = shot_at(w, branch, version);
    for (uint32_t key = 0; key < KEYS; key++) {
        if (!(w->commits[version].keys & 1u << key)) continue;
        if (back)
            judge_key(s, key, after->value[key], before->value[key]);
        else
            judge_key(s, key, before->value[key], after->value[key]);
    }
}

static step begin_step(const world *w, uint32_t branch, uint32_t kind)
{
    step s = {.branch = branch, .options = YORE_UNDO_OPTIONS_INIT, .at = YORE_AT_INIT};
    s.options.kind = kind;
    s.to = w->shots[w->version][branch];
    return s;
}

static void drop(uint64_t *stack, size_t *count, uint64_t version)
{
    size_t at = 0;
    while (stack[at] != version) at++;
    memmove(stack + at, stack + at + 1, (*count - at - 1) * sizeof *stack);
    --*count;
}

static void step_undo(world *w, uint32_t branch)
{
    step s = begin_step(w, branch, YORE_UNDO_UNDO);
    line *l = &w->lines[branch];
    s.is_refused = l->done_count == 0;
    s.is_stack = true;
    uint64_t version = s.is_refused ? 0 : l->done[l->done_count - 1];
    if (version && below(w, 4) == 0) { /* one by its number */
        version = l->done[below(w, l->done_count)];
        s.options.version = version;
        s.is_stack = false;
    }
    if (version) judge_commit(w, &s, version, branch, true);
    if (!perform(w, &s)) return;
    drop(l->done, &l->done_count, version);
    push(l->undone, &l->undone_count, w->version);
}

static void step_redo(world *w, uint32_t branch)
{
    step s = begin_step(w, branch, YORE_UNDO_REDO);
    line *l = &w->lines[branch];
    s.is_refused = l->undone_count == 0;
    s.is_stack = true;
    uint64_t version = s.is_refused ? 0 : l->undone[l->undone_count - 1];
    if (version) judge_commit(w, &s, version, branch, true);
    if (!perform(w, &s)) return;
    l->undone_count--;
    push(l->done, &l->done_count, w->version);
}

static void step_revert(world *w, uint32_t branch)
{
    step s = begin_step(w, branch, YORE_UNDO_REVERT);
    uint64_t version = 1 + below(w, w->version);
    s.options.version = version;
    s.is_refused = !w->commits[version].branch || !in_history(w, branch, version);
    if (!s.is_refused) judge_commit(w, &s, version, branch, true);
    if (perform(w, &s)) ordinary(w, branch);
}

static void step_pick(world *w, uint32_t branch)
{
    step s = begin_step(w, branch, YORE_UNDO_PICK);
    uint64_t version = 1 + below(w, w->version);
    const made *commit = &w->commits[version];
    s.options.version = version;
    s.is_refused = !commit->branch;
    if (!s.is_refused && below(w, 2)) { /* one of its keys, or one that it did not write */
        uint32_t key = (uint32_t)below(w, KEYS);
        s.keys[0] = key_of(key);
        s.options.keys = s.keys;
        s.options.key_count = 1;
        s.is_refused = !(commit->keys & 1u << key);
        if (!s.is_refused)
            judge_key(&s, key, shot_at(w, commit->branch, version - 1)->value[key],
                      shot_at(w, commit->branch, version)->value[key]);
    } else if (!s.is_refused) {
        judge_commit(w, &s, version, commit->branch, false);
    }
    if (perform(w, &s)) ordinary(w, branch);
}

static void take_state(step *s, const shot *from, uint32_t key)
{
    if (s->to.value[key] != from->value[key]) s->changes = true;
    s->to.value[key] = from->value[key];
}

static const shot *any_point(world *w, step *s)
{
    s->at.branch_id = (uint32_t)(1 + below(w, w->line_count));
    s->at.kind = YORE_AT_VERSION;
    s->at.version = 1 + below(w, w->version);
    s->options.at = &s->at;
    return shot_at(w, s->at.branch_id, s->at.version);
}

static void step_restore(world *w, uint32_t branch)
{
    step s = begin_step(w, branch, YORE_UNDO_RESTORE);
    const shot *from = any_point(w, &s);
    if (below(w, 2)) {
        s.options.prefix = yore_str("p/");
        for (uint32_t key = 0; key < 3; key++) take_state(&s, from, key);
    } else {
        s.options.keys = s.keys;
        for (uint64_t n = 1 + below(w, 2); n > 0; n--) {
            uint32_t key = (uint32_t)below(w, KEYS);
            s.keys[s.options.key_count++] = key_of(key);
            take_state(&s, from, key);
        }
    }
    if (perform(w, &s)) ordinary(w, branch);
}

static void step_reset(world *w, uint32_t branch)
{
    step s = begin_step(w, branch, YORE_UNDO_RESET);
    char kept[16];
    const shot *from = any_point(w, &s);
    for (uint32_t key = 0; key < KEYS; key++) take_state(&s, from, key);
    snprintf(kept, sizeof kept, "b%u", w->line_count + 1);
    if (w->line_count < BRANCHES && below(w, 3) == 0) s.options.keep_as = yore_str(kept);
    if (perform(w, &s)) ordinary(w, branch);
}

static void step_upkeep(world *w)
{
    if (below(w, 2)) {
        ok(yore_compact(w->db, NULL, NULL, &err));
        return;
    }
    yore_close(w->db);
    open_db(w);
}

/* -- a run -- */

static void run_step(world *w)
{
    /* a while on one branch, and in runs of undos and redos, so that the stacks get deep */
    if (below(w, 3) == 0) w->branch = (uint32_t)(1 + below(w, w->line_count));
    const uint32_t branch = w->branch;
    if (below(w, 3)) w->dice = below(w, 100);
    const uint64_t dice = w->dice;
    if (dice < 34)
        step_write(w, branch);
    else if (dice < 50)
        step_undo(w, branch);
    else if (dice < 62)
        step_redo(w, branch);
    else if (dice < 71)
        step_revert(w, branch);
    else if (dice < 79)
        step_pick(w, branch);
    else if (dice < 87)
        step_restore(w, branch);
    else if (dice < 92)
        step_reset(w, branch);
    else if (dice < 97)
        step_fork(w, branch);
    else
        step_upkeep(w);
    expect_shot(w, branch, w->version);
    expect_sample(w);
}

static void run_seed(uint64_t seed)
{
    static world w;
    static const uint32_t every[] = {0, 0, 3, 17};
    memset(&w, 0, sizeof w);
    w.rng.state = seed;
    w.sim = yr_sim_create(seed);
    w.every = every[seed % 4];
    open_db(&w);
    w.version = 1;
    w.line_count = w.branch = 1;
    w.lines[1].create = 1;
    for (int i = 0; i < STEPS && w.version + 3 < VERSIONS; i++) run_step(&w);
    expect_everything(&w);
    yore_close(w.db);
    open_db(&w);
    expect_everything(&w);
    yore_close(w.db);
    assert_false(yr_sim_has_leaks(w.sim));
    yr_sim_destroy(w.sim);
}

static void test_every_branch_shows_what_the_model_says_and_always_said(void **state)
{
    (void)state;
    static const char *const names[] = {"", "undo", "redo", "revert", "cherry-pick", "restore", "reset"};
    for (uint64_t seed = seed_first; seed < seed_first + seed_count; seed++) {
        seed_now = seed;
        run_seed(seed);
    }
    for (uint32_t kind = YORE_UNDO_UNDO; kind <= YORE_UNDO_RESET; kind++) {
        const uint32_t *n = outcomes[kind];
        print_message("%s: %u done, %u with nothing to change, %u refused or clashes\n", names[kind], n[0],
                      n[1], n[2]);
        assert_true(n[0] > 0 && n[1] > 0);
        assert_true(n[2] > 0 || kind == YORE_UNDO_RESTORE || kind == YORE_UNDO_RESET);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) seed_count = strtoull(argv[1], NULL, 10);
    if (argc > 2) seed_first = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_branch_shows_what_the_model_says_and_always_said),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed) print_error("failed at seed %" PRIu64 "\n", seed_now);
    return failed;
}
