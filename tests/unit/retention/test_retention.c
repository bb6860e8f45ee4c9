/* What branches keep: random histories of branches, tags, policies, deletions and collections. After every collection
 * the rows it left are compared with all that were ever written: a point that may be read shows what it always showed,
 * and what every rule promises may be read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/retention/retention.h"

enum { BRANCHES = 9, VERSIONS = 160, KEYS = 4, TAGS = 6, SNAPS = 3, ROWS = VERSIONS * 3 };

typedef struct row {
    uint32_t branch;
    uint32_t key;
    uint64_t version;
    uint8_t op;
    bool is_gone; /* compaction dropped it */
} row;

typedef struct world {
    yr_rng rng;
    yr_retention_branch branches[BRANCHES];
    uint32_t branch_count;
    uint64_t version;
    int64_t times[VERSIONS + 1];
    uint32_t owner[VERSIONS + 1]; /* of a data commit, 0 = a system commit */
    row rows[ROWS];
    size_t row_count;
    yr_retention_point tags[TAGS];
    size_t tag_count;
    yr_retention_point snaps[SNAPS];
    size_t snap_count;
    bool was_lost[BRANCHES][VERSIONS + 1]; /* the point could not be read once */
} world;

static uint64_t seed_of_run(void)
{
    const char *text = getenv("YORE_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
    printf("YORE_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

/* -- what the callbacks say -- */

static yore_status at_time(void *arg, int64_t time_ns, uint64_t *version, yore_error *err)
{
    const world *w = arg;
    (void)err;
    *version = w->version;
    while (*version && w->times[*version] > time_ns) --*version;
    return YORE_OK;
}

static yore_status time_of(void *arg, uint64_t version, int64_t *time_ns, yore_error *err)
{
    const world *w = arg;
    (void)err;
    assert_true(version >= 1 && version <= w->version);
    *time_ns = w->times[version];
    return YORE_OK;
}

static yore_status own_at(void *arg, uint32_t branch, uint64_t version, uint64_t *commit, yore_error *err)
{
    const world *w = arg;
    (void)err;
    *commit = version < w->version ? version : w->version;
    while (*commit && w->owner[*commit] != branch) --*commit;
    return YORE_OK;
}

static yore_status own_back(void *arg, uint32_t branch, uint64_t n, uint64_t *commit, yore_error *err)
{
    const world *w = arg;
    (void)err;
    for (*commit = w->version; *commit; --*commit)
        if (w->owner[*commit] == branch && --n == 0) break;
    return YORE_OK;
}

static yr_retention_commits commits_of(world *w)
{
    return (yr_retention_commits){
        .arg = w, .at_time = at_time, .time_of = time_of, .own_at = own_at, .own_back = own_back};
}

static yr_retention_pins pins_of(const world *w)
{
    return (yr_retention_pins){.tags = w->tags,
                               .tag_count = w->tag_count,
                               .snaps = w->snaps,
                               .snap_count = w->snap_count,
                               .floor = UINT64_MAX};
}

/* -- reading, by definition -- */

/* The row that a point shows for a key, deletes included: index + 1, 0 = none. `all`: of every row ever written. */
static size_t read_point(const world *w, uint32_t branch, uint64_t cap, uint32_t key, bool all)
{
    for (uint32_t id = branch; id; id = w->branches[id - 1].parent) {
        size_t best = 0;
        for (size_t i = 0; i < w->row_count; i++) {
            const row *r = &w->rows[i];
            if (r->branch == id && r->key == key && r->version <= cap && (all || !r->is_gone)) best = i + 1;
        }
        if (best) return best;
        if (w->branches[id - 1].fork_version < cap) cap = w->branches[id - 1].fork_version;
    }
    return 0;
}

static bool is_readable(const world *w, uint32_t branch, uint64_t cap)
{
    const yr_retention_pins pins = pins_of(w);
    return yr_retention_lost_hop(w->branches, w->branch_count, &pins, (yr_retention_point){branch, cap}) == 0;
}

/* A delete that nothing would rise behind may be gone: both are absent. */
static bool is_absent(const world *w, size_t found)
{
    return found == 0 || w->rows[found - 1].op == YORE_OP_DEL;
}

static void expect_same(const world *w, uint32_t branch, uint64_t cap)
{
    for (uint32_t key = 0; key < KEYS; key++) {
        size_t was = read_point(w, branch, cap, key, true), is = read_point(w, branch, cap, key, false);
        if (is_absent(w, was) && is_absent(w, is)) continue;
        if (was != is) fail_msg("branch %u at v%" PRIu64 ": key %u changed", branch, cap, key);
    }
}

/* -- the world moves -- */

static uint64_t next_version(world *w)
{
    w->version++;
    w->times[w->version] = w->times[w->version - 1] + 1 + (int64_t)yr_rng_below(&w->rng, 20);
    w->owner[w->version] = 0;
    return w->version;
}

static bool is_live(const world *w, uint32_t id)
{
    return w->branches[id - 1].deleted_version == 0;
}

static bool has_live_child(const world *w, uint32_t id)
{
    for (uint32_t i = 0; i < w->branch_count; i++)
        if (w->branches[i].parent == id && is_live(w, i + 1)) return true;
    return false;
}

static uint32_t any_branch(world *w)
{
    return 1 + (uint32_t)yr_rng_below(&w->rng, w->branch_count);
}

static void do_write(world *w)
{
    uint32_t id = any_branch(w);
    if (!is_live(w, id)) return;
    uint64_t version = next_version(w);
    w->owner[version] = id;
    uint32_t key = (uint32_t)yr_rng_below(&w->rng, KEYS), n = 1 + (uint32_t)yr_rng_below(&w->rng, 2);
    for (uint32_t i = 0; i < n; i++) {
        w->rows[w->row_count++] = (row){.branch = id,
                                        .key = (key + i) % KEYS,
                                        .version = version,
                                        .op = yr_rng_below(&w->rng, 4) ? YORE_OP_PUT : YORE_OP_DEL};
    }
}

static void do_fork(world *w)
{
    uint32_t parent = yr_rng_below(&w->rng, 8) ? any_branch(w) : 0;
    uint64_t fork = 0;
    if (w->branch_count == BRANCHES || (parent && !is_live(w, parent))) return;
    if (parent) fork = yr_rng_below(&w->rng, 2) ? w->version : 1 + yr_rng_below(&w->rng, w->version);
    if (parent && !is_readable(w, parent, fork)) return;
    w->branches[w->branch_count++] =
        (yr_retention_branch){.parent = parent, .fork_version = fork, .create_version = next_version(w)};
}

static void do_policy(world *w)
{
    uint32_t kind = (uint32_t)yr_rng_below(&w->rng, 4);
    uint64_t amount = kind == YORE_RETENTION_AGE        ? 1 + yr_rng_below(&w->rng, 600)
                      : kind == YORE_RETENTION_VERSIONS ? 1 + yr_rng_below(&w->rng, 6)
                                                        : 0;
    w->branches[any_branch(w) - 1].retention = (yr_retention){.kind = kind, .amount = amount};
    next_version(w);
}

static void do_tag(world *w)
{
    if (w->tag_count && yr_rng_below(&w->rng, 3) == 0) {
        w->tags[yr_rng_below(&w->rng, w->tag_count)] = w->tags[w->tag_count - 1];
        w->tag_count--;
        next_version(w);
        return;
    }
    yr_retention_point tag = {any_branch(w), 1 + yr_rng_below(&w->rng, w->version)};
    if (w->tag_count == TAGS || !is_live(w, tag.branch) || !is_readable(w, tag.branch, tag.version)) return;
    w->tags[w->tag_count++] = tag;
    next_version(w);
}

static void do_snap(world *w)
{
    if (w->snap_count && yr_rng_below(&w->rng, 2)) {
        w->snaps[yr_rng_below(&w->rng, w->snap_count)] = w->snaps[w->snap_count - 1];
        w->snap_count--;
        return;
    }
    yr_retention_point snap = {any_branch(w), 1 + yr_rng_below(&w->rng, w->version)};
    if (w->snap_count == SNAPS || !is_readable(w, snap.branch, snap.version)) return;
    w->snaps[w->snap_count++] = snap;
}

static void do_delete(world *w)
{
    uint32_t id = any_branch(w);
    yr_retention_branch *branch = &w->branches[id - 1];
    if (id == 1) return;
    if (is_live(w, id)) {
        if (has_live_child(w, id)) return;
        branch->deleted_version = next_version(w);
        branch->deleted_ns = w->times[w->version];
    } else if (!branch->is_purged && (!branch->parent || is_live(w, branch->parent))) {
        next_version(w);
        branch->deleted_version = 0; /* recovered */
    }
}

/* -- collecting -- */

/* Drop what the rules let go, as compaction would that sees all rows of a key. */
static void drop_rows(world *w, const yr_keep_set *set)
{
    for (size_t i = 0; i < w->row_count; i++) {
        row *r = &w->rows[i];
        uint64_t newer = 0;
        for (size_t k = i + 1; k < w->row_count && !newer; k++) {
            const row *later = &w->rows[k];
            if (later->branch == r->branch && later->key == r->key && !later->is_gone) newer = later->version;
        }
        const yr_keep_rules *rules = yr_keep_find(set, r->branch);
        if (!r->is_gone && yr_keep_judge(rules, r->version, newer, r->op, 0) == YR_KEEP_NOT)
            r->is_gone = true;
    }
}

/* T2: what the branch's own rule promises, where it was readable before. */
static void expect_promised(const world *w, uint32_t id, int64_t now_ns, bool before[BRANCHES][VERSIONS + 1])
{
    const yr_retention_branch *branch = &w->branches[id - 1];
    uint64_t from = branch->create_version, left = branch->retention.amount;
    if (branch->is_purged) return;
    if (branch->retention.kind == YORE_RETENTION_ALL) from = 1;
    if (branch->retention.kind == YORE_RETENTION_AGE) {
        uint64_t then;
        union {
            const world *in;
            void *out;
        } arg = {.in = w};
        (void)at_time(arg.out, now_ns - (int64_t)branch->retention.amount, &then, NULL);
        from = then ? then : 1;
    }
    if (branch->retention.kind == YORE_RETENTION_VERSIONS) {
        for (from = w->version; from > branch->create_version; from--)
            if (w->owner[from] == id && --left == 0) break;
    }
    for (uint64_t cap = from; cap <= w->version; cap++) {
        if (before[id - 1][cap] && !is_readable(w, id, cap))
            fail_msg("branch %u at v%" PRIu64 " is lost though its rule keeps it", id, cap);
    }
}

/* T1, and that no more is kept than the rules and pins ask for: a branch without children keeps of its own states
 * exactly those of its rule. */
static void expect_trimmed(const world *w, uint32_t id, uint64_t old_trimmed)
{
    const yr_retention_branch *branch = &w->branches[id - 1];
    uint64_t trimmed = branch->trimmed_version, kept = 0;
    assert_true(trimmed >= old_trimmed);
    assert_true(trimmed == 0 || w->owner[trimmed] == id);
    if (branch->is_purged || branch->retention.kind != YORE_RETENTION_VERSIONS) return;
    for (uint32_t i = 0; i < w->branch_count; i++)
        if (w->branches[i].parent == id) return;
    for (uint64_t v = trimmed ? trimmed : 1; v <= w->version; v++) kept += w->owner[v] == id;
    assert_true(kept <= branch->retention.amount);
}

static void do_collect(world *w)
{
    static bool before[BRANCHES][VERSIONS + 1];
    yr_retention_change changes[BRANCHES];
    uint32_t change_count = 0;
    uint64_t old_trimmed[BRANCHES];
    const yr_retention_commits commits = commits_of(w);
    const yr_retention_clock clock = {.now_ns = w->times[w->version] + (int64_t)yr_rng_below(&w->rng, 5),
                                      .grace_ns = yr_rng_below(&w->rng, 4) ? 300 : 0};
    assert_int_equal(yr_retention_advance(yore_env_default(), w->branches, w->branch_count, &clock, &commits,
                                          changes, &change_count, NULL),
                     YORE_OK);
    for (uint32_t i = 0; i < change_count; i++) {
        assert_true(i == 0 || changes[i].branch > changes[i - 1].branch);
        yr_retention_branch *branch = &w->branches[changes[i].branch - 1];
        assert_true(!changes[i].is_purged || branch->deleted_version);
        branch->is_purged = changes[i].is_purged; /* and its pins are none any more */
    }
    for (uint32_t id = 1; id <= w->branch_count; id++) {
        old_trimmed[id - 1] = w->branches[id - 1].trimmed_version;
        for (uint64_t v = 1; v <= w->version; v++) before[id - 1][v] = is_readable(w, id, v);
    }
    for (uint32_t i = 0; i < change_count; i++)
        w->branches[changes[i].branch - 1].trimmed_version = changes[i].trimmed_version;
    for (uint32_t id = 1; id <= w->branch_count; id++) {
        expect_promised(w, id, clock.now_ns, before);
        expect_trimmed(w, id, old_trimmed[id - 1]);
    }
    if (change_count) next_version(w);
}

static void do_compact(world *w)
{
    yr_arena arena;
    yr_keep_set set;
    yr_retention_pins pins = pins_of(w);
    const yr_retention_commits commits = commits_of(w);
    yr_arena_init(&arena, yore_env_default());
    if (yr_rng_below(&w->rng, 3) == 0) pins.floor = yr_rng_below(&w->rng, w->version + 1);
    assert_int_equal(yr_retention_rules(&arena, w->branches, w->branch_count, &pins, &commits, &set, NULL),
                     YORE_OK);
    assert_null(yr_keep_set_problem(&set));
    for (uint32_t i = 0; i < set.count; i++)
        assert_true(set.rules[i].is_dead || set.rules[i].horizon <= pins.floor);
    drop_rows(w, &set);
    yr_arena_deinit(&arena);
}

/* I2, I6, I10: what may be read is what it always was; what was lost stays lost. */
static void expect_all(world *w)
{
    for (uint32_t id = 1; id <= w->branch_count; id++) {
        uint64_t oldest = yr_retention_oldest(w->branches, id);
        for (uint64_t v = 1; v <= w->version; v++) {
            bool readable = is_readable(w, id, v);
            if (readable) {
                assert_false(w->was_lost[id - 1][v]);
                expect_same(w, id, v);
            } else {
                w->was_lost[id - 1][v] = true;
            }
            if (oldest && v >= oldest) assert_true(readable);
        }
    }
    for (size_t i = 0; i < w->snap_count; i++) expect_same(w, w->snaps[i].branch, w->snaps[i].version);
    for (size_t i = 0; i < w->tag_count; i++) {
        if (!w->branches[w->tags[i].branch - 1].is_purged)
            assert_true(is_readable(w, w->tags[i].branch, w->tags[i].version));
    }
}

static void run_world(uint64_t seed)
{
    static world w;
    memset(&w, 0, sizeof w);
    w.rng.state = seed;
    w.branches[0] = (yr_retention_branch){.create_version = next_version(&w)};
    w.branch_count = 1;
    while (w.version < VERSIONS - 1) {
        switch (yr_rng_below(&w.rng, 16)) {
        case 0: do_fork(&w); break;
        case 1: do_policy(&w); break;
        case 2: do_tag(&w); break;
        case 3: do_snap(&w); break;
        case 4: do_delete(&w); break;
        case 5:
            do_collect(&w);
            expect_all(&w);
            break;
        case 6:
            do_compact(&w);
            expect_all(&w);
            break;
        default: do_write(&w); break;
        }
    }
}

static void test_what_may_be_read_never_changes(void **state)
{
    (void)state;
    uint64_t seed = seed_of_run();
    for (uint64_t i = 0; i < 80; i++) run_world(seed + i);
}

/* -- small cases by hand -- */

/* Branch 1 with commits v2 .. v11, ten ns apart, and what else the case wants. */
static void ten_commits(world *w)
{
    memset(w, 0, sizeof *w);
    w->branches[0].create_version = 1;
    w->branch_count = 1;
    for (uint64_t v = 1; v <= 11; v++) {
        w->times[v] = (int64_t)v * 10;
        w->owner[v] = v > 1;
    }
    w->version = 11;
}

static uint64_t trimmed_to(world *w, uint32_t id, int64_t now_ns)
{
    yr_retention_change changes[BRANCHES];
    uint32_t n = 0;
    const yr_retention_commits commits = commits_of(w);
    const yr_retention_clock clock = {.now_ns = now_ns, .grace_ns = 100};
    assert_int_equal(yr_retention_advance(yore_env_default(), w->branches, w->branch_count, &clock, &commits,
                                          changes, &n, NULL),
                     YORE_OK);
    for (uint32_t i = 0; i < n; i++)
        if (changes[i].branch == id) return changes[i].is_purged ? UINT64_MAX : changes[i].trimmed_version;
    return 0;
}

static void test_an_age_keeps_the_state_that_was_the_present_then(void **state)
{
    (void)state;
    world w;
    ten_commits(&w);
    w.branches[0].retention = (yr_retention){YORE_RETENTION_AGE, 30};
    assert_int_equal(trimmed_to(&w, 1, 115), 8); /* at 85 the commit of 80 was the present */
    assert_int_equal(trimmed_to(&w, 1, 1000), 11);
    assert_int_equal(trimmed_to(&w, 1, 40), 0);
    assert_int_equal(trimmed_to(&w, 1, INT64_MIN), 0);
    w.branches[0].retention.amount = INT64_MAX;
    assert_int_equal(trimmed_to(&w, 1, -5), 0);
}

static void test_a_number_of_versions_counts_own_commits(void **state)
{
    (void)state;
    world w;
    ten_commits(&w);
    w.branches[0].retention = (yr_retention){YORE_RETENTION_VERSIONS, 3};
    w.owner[10] = 0;
    assert_int_equal(trimmed_to(&w, 1, 0), 8); /* v8, v9, v11 */
    w.branches[0].retention.amount = 100;
    assert_int_equal(trimmed_to(&w, 1, 0), 0);
}

static void test_the_longest_rule_that_was_set_wins_where_history_is_shared(void **state)
{
    (void)state;
    world w;
    ten_commits(&w);
    w.branches[0].retention = (yr_retention){YORE_RETENTION_AGE, 20};
    w.branches[1] = (yr_retention_branch){.parent = 1, .fork_version = 9, .create_version = 10};
    w.branch_count = 2;
    assert_int_equal(trimmed_to(&w, 1, 120), 10); /* nothing was said to the child */
    w.branches[1].retention = (yr_retention){YORE_RETENTION_AGE, 60};
    assert_int_equal(trimmed_to(&w, 1, 120), 6);
    assert_int_equal(trimmed_to(&w, 1, 155), 11); /* the fork is older than what the child keeps */
    w.branches[1].retention = (yr_retention){YORE_RETENTION_ALL, 0};
    assert_int_equal(trimmed_to(&w, 1, 120), 0);
    w.branches[1].retention = (yr_retention){YORE_RETENTION_VERSIONS, 50};
    assert_int_equal(trimmed_to(&w, 1, 120), 10);
}

static void test_a_deleted_branch_goes_when_its_time_of_grace_is_over(void **state)
{
    (void)state;
    world w;
    ten_commits(&w);
    w.branches[1] = (yr_retention_branch){
        .parent = 1, .fork_version = 5, .create_version = 6, .deleted_version = 9, .deleted_ns = 90};
    w.branch_count = 2;
    assert_int_equal(trimmed_to(&w, 2, 189), 0);
    assert_int_equal(trimmed_to(&w, 2, 190), UINT64_MAX);
    w.branches[1].deleted_ns = INT64_MIN; /* clocks may be anything */
    assert_int_equal(trimmed_to(&w, 2, INT64_MAX), UINT64_MAX);
    w.branches[1].deleted_ns = INT64_MAX;
    assert_int_equal(trimmed_to(&w, 2, INT64_MIN), 0);
}

static void test_a_purged_branch_keeps_what_a_child_reads_and_no_more(void **state)
{
    (void)state;
    world w;
    yr_arena arena;
    yr_keep_set set;
    ten_commits(&w);
    w.branches[0].is_purged = true;
    w.branches[0].deleted_version = 9;
    w.branches[1] = (yr_retention_branch){.parent = 1, .fork_version = 5, .create_version = 8};
    w.branches[2] = (yr_retention_branch){
        .parent = 1, .fork_version = 6, .create_version = 7, .deleted_version = 8, .is_purged = true};
    w.branch_count = 3;                     /* the third is purged itself: its fork is no pin */
    w.tags[0] = (yr_retention_point){1, 7}; /* a tag on the purged branch itself */
    w.tags[1] = (yr_retention_point){2, 3}; /* before the fork: the parent's state */
    w.tag_count = 2;
    const yr_retention_commits commits = commits_of(&w);
    const yr_retention_pins pins = pins_of(&w);
    yr_arena_init(&arena, yore_env_default());
    assert_int_equal(yr_retention_rules(&arena, w.branches, 3, &pins, &commits, &set, NULL), YORE_OK);
    assert_int_equal(set.count, 2);
    assert_true(set.rules[1].is_dead && set.rules[1].pin_count == 0);
    assert_true(set.rules[0].is_dead && set.rules[0].is_root);
    assert_int_equal(set.rules[0].pin_count, 2);
    assert_int_equal(set.rules[0].pins[0].version, 3);
    assert_int_equal(set.rules[0].pins[1].version, 5);
    assert_int_equal(set.rules[0].pins[1].time_ns, 50);
    yr_arena_deinit(&arena);
}

static bool refuses;

static void *scarce_alloc(void *ctx, size_t size)
{
    return refuses ? NULL : yore_env_default()->alloc(ctx, size);
}

static void test_want_of_memory_is_said(void **state)
{
    (void)state;
    world w;
    yore_env env = *yore_env_default();
    yr_arena arena;
    yr_keep_set set;
    yr_retention_change changes[BRANCHES];
    uint32_t n;
    yore_error err = YORE_ERROR_INIT;
    env.alloc = scarce_alloc;
    ten_commits(&w);
    w.branches[0].trimmed_version = 5;
    const yr_retention_commits commits = commits_of(&w);
    const yr_retention_pins pins = pins_of(&w);
    const yr_retention_clock clock = {.now_ns = 0, .grace_ns = 1};
    yr_arena_init(&arena, &env);
    refuses = true;
    assert_int_equal(yr_retention_advance(&env, w.branches, 1, &clock, &commits, changes, &n, &err),
                     YORE_ERR_NOMEM);
    assert_int_equal(yr_retention_rules(&arena, w.branches, 1, &pins, &commits, &set, &err), YORE_ERR_NOMEM);
    refuses = false;
    assert_int_equal(yr_retention_rules(&arena, w.branches, 1, &pins, &commits, &set, &err), YORE_OK);
    yr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_age_keeps_the_state_that_was_the_present_then),
        cmocka_unit_test(test_a_number_of_versions_counts_own_commits),
        cmocka_unit_test(test_the_longest_rule_that_was_set_wins_where_history_is_shared),
        cmocka_unit_test(test_a_deleted_branch_goes_when_its_time_of_grace_is_over),
        cmocka_unit_test(test_a_purged_branch_keeps_what_a_child_reads_and_no_more),
        cmocka_unit_test(test_want_of_memory_is_said),
        cmocka_unit_test(test_what_may_be_read_never_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
