/* Random histories of branches, writes, forks and merges against maps: the base is the newest common ancestor in the
 * whole graph of commits, the outcome of every merge is the one of three maps key by key, a second merge finds nothing,
 * and no earlier state ever changes. On a simulated disk, flushed and merged all the time in half of the runs. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <yore.h>

#include "engine/base/planted.h"
#include "engine/base/rng.h"
#include "tests/support/env_sim.h"

enum { KEYS = 6, VERSIONS = 320, BRANCHES = 24, WORDS = VERSIONS / 64, STEPS = 150 };
enum { BASE, OURS, THEIRS };

typedef struct state {
    uint8_t value[KEYS];    /* 0 = absent */
    uint64_t written[KEYS]; /* the last put or delete */
} state;

typedef struct commit {
    uint64_t parent; /* 0 = none */
    uint32_t branch;
    uint64_t ancestors[WORDS]; /* itself, too */
    state after;
} commit;

typedef struct world {
    yr_sim *sim;
    yore_db *db;
    yr_rng rng;
    uint64_t seed;
    uint32_t every;
    commit commits[VERSIONS]; /* by version; branch 0 = no data commit */
    uint64_t version;
    struct {
        uint64_t head;
        uint32_t root;
    } branches[BRANCHES + 1]; /* by id */
    uint32_t branch_count;
    uint32_t merges, conflicts, nothings, deep; /* of the run: a test that meets none proves nothing */
} world;

static uint64_t seed_now;
static bool is_planted;

static void wrong(void)
{
    if (is_planted) _exit(1);
    fail();
}
static yore_error err = YORE_ERROR_INIT;

static void must(yore_status status, yore_status wanted, const char *what)
{
    if (status == wanted) return;
    print_error("seed %" PRIu64 ": %s: %s: %s\n", seed_now, what, yore_status_name(status),
                status == YORE_OK ? "" : err.message);
    wrong();
}

#define CHECK(fact)                                                                            \
    do {                                                                                       \
        if (!(fact)) {                                                                         \
            print_error("seed %" PRIu64 ": line %d: not so: %s\n", seed_now, __LINE__, #fact); \
            wrong();                                                                           \
        }                                                                                      \
    } while (0)

static uint32_t below(world *w, uint32_t n)
{
    return (uint32_t)yr_rng_below(&w->rng, n);
}

static void open_world(world *w)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = yr_sim_env(w->sim);
    options.create = true;
    options.sync = YORE_SYNC_OS;
    options.memory_bytes_max = 64 << 20;
    options.maintain_every = w->every;
    must(yore_open("db", &options, &w->db, &err), YORE_OK, "open");
}

static const state *state_of(const world *w, uint64_t version)
{
    static const state nothing;
    return version ? &w->commits[version].after : &nothing;
}

static void name_of(uint32_t branch, char out[16])
{
    (void)snprintf(out, 16, "id:%" PRIu32, branch);
}

static yore_key key_of(uint32_t k, char out[8])
{
    (void)snprintf(out, 8, "key%" PRIu32, k);
    return yore_str_key(out);
}

/* -- the model's commits -- */

static commit *new_commit(world *w, uint32_t branch, const state *after)
{
    commit *c = &w->commits[++w->version];
    uint64_t parent = w->branches[branch].head;
    *c = (commit){.parent = parent, .branch = branch, .after = *after};
    if (parent) memcpy(c->ancestors, w->commits[parent].ancestors, sizeof c->ancestors);
    c->ancestors[w->version / 64] |= UINT64_C(1) << (w->version % 64);
    w->branches[branch].head = w->version;
    return c;
}

static uint64_t common_of(const world *w, uint64_t a, uint64_t b)
{
    for (uint64_t v = a && b ? w->version : 0; v > 0; v--) {
        if (w->commits[a].ancestors[v / 64] & w->commits[b].ancestors[v / 64] & UINT64_C(1) << (v % 64))
            return v;
    }
    return 0;
}

/* -- steps -- */

static void do_write(world *w)
{
    uint32_t branch = 1 + below(w, w->branch_count);
    state after = *state_of(w, w->branches[branch].head);
    char name[16], text[8];
    yore_txn *txn;
    yore_where where = YORE_WHERE_INIT;
    bool writes = false;
    name_of(branch, name);
    must(yore_begin(w->db, yore_str(name), NULL, &txn, &err), YORE_OK, "begin");
    for (uint32_t left = 1 + below(w, 3); left > 0; left--) {
        uint32_t k = below(w, KEYS);
        uint8_t value = (uint8_t)below(w, 4);
        char shown[2] = {(char)('0' + value), 0};
        if (after.written[k] > w->version) continue; /* once a commit */
        if (value == 0 && after.value[k] == 0) continue;
        yore_status status = value ? yore_put(txn, key_of(k, text), yore_str(shown), NULL, &err)
                                   : yore_del(txn, key_of(k, text), NULL, &err);
        must(status, YORE_OK, "write");
        after.value[k] = value;
        after.written[k] = w->version + 1;
        writes = true;
    }
    if (!writes) {
        yore_rollback(txn);
        return;
    }
    must(yore_commit(txn, yore_str(below(w, 2) ? "" : "noted"), &where, &err), YORE_OK, "commit");
    (void)new_commit(w, branch, &after);
    CHECK(where.version == w->version);
}

static void do_fork(world *w)
{
    if (w->branch_count == BRANCHES) return;
    uint32_t from = 1 + below(w, w->branch_count), id = w->branch_count + 1;
    yore_branch_options options = YORE_BRANCH_OPTIONS_INIT;
    yore_at at = YORE_AT_INIT;
    char name[16];
    (void)snprintf(name, sizeof name, "b%" PRIu32, id);
    at.branch_id = from;
    if (below(w, 2)) {
        at.kind = YORE_AT_VERSION;
        at.version = 1 + below(w, (uint32_t)w->version);
    }
    options.from = &at;
    options.empty = below(w, 8) == 0;
    must(yore_branch_create(w->db, yore_str(name), &options, NULL, &err), YORE_OK, "fork");
    w->version++;
    w->branch_count = id;
    uint64_t head = options.empty ? 0 : w->branches[from].head;
    while (at.kind == YORE_AT_VERSION && head > at.version) head = w->commits[head].parent;
    w->branches[id].head = head;
    w->branches[id].root = options.empty ? id : w->branches[from].root;
}

static void check_point(world *w, uint32_t branch, uint64_t version, const state *wanted)
{
    yore_at at = YORE_AT_INIT;
    yore_snap *snap;
    char text[8];
    at.branch_id = branch;
    at.kind = version ? YORE_AT_VERSION : YORE_AT_NOW;
    at.version = version;
    must(yore_snap_open(w->db, &at, &snap, NULL, &err), YORE_OK, "snapshot");
    for (uint32_t k = 0; k < KEYS; k++) {
        yore_pin pin = YORE_PIN_INIT;
        yore_status status = yore_get(snap, key_of(k, text), &pin, &err);
        must(status, wanted->value[k] ? YORE_OK : YORE_NOT_FOUND, "get");
        if (status == YORE_OK) {
            CHECK(*(const char *)pin.value.data == '0' + wanted->value[k]);
            CHECK(pin.version == wanted->written[k]);
        }
        yore_unpin(&pin);
    }
    yore_snap_close(snap);
}

static void do_look_back(world *w)
{
    for (int i = 0; i < 3; i++) {
        uint64_t version = 1 + below(w, (uint32_t)w->version);
        const commit *c = &w->commits[version];
        if (c->branch) check_point(w, c->branch, version, &c->after);
    }
}

/* -- merges -- */

typedef struct wanted {
    state after;
    uint64_t base, puts, dels, alike, conflicts;
    uint8_t kinds[KEYS]; /* YORE_MERGE_BOTH_ADDED ... */
} wanted;

static bool takes_theirs(uint32_t how, const state *ours, const state *theirs, uint32_t k)
{
    if (how == YORE_MERGE_NEWEST) return theirs->written[k] > ours->written[k];
    return how == YORE_MERGE_THEIRS;
}

/* `resolved`: what conflicts become, NULL = as `how` says. */
static void expect(world *w, uint64_t ours_head, uint64_t theirs_head, uint32_t how, const uint8_t *resolved,
                   wanted *out)
{
    *out = (wanted){.base = common_of(w, ours_head, theirs_head)};
    const state *base = state_of(w, out->base), *ours = state_of(w, ours_head);
    const state *theirs = state_of(w, theirs_head);
    out->after = *ours;
    for (uint32_t k = 0; k < KEYS; k++) {
        uint8_t b = base->value[k], o = ours->value[k], t = theirs->value[k], becomes = t;
        if (t == b) continue;
        if (o == t) {
            out->alike++;
            continue;
        }
        if (o != b) {
            out->conflicts++;
            out->kinds[k] = (uint8_t)(!b   ? YORE_MERGE_BOTH_ADDED
                                      : !t ? YORE_MERGE_CHANGE_DELETE
                                      : !o ? YORE_MERGE_DELETE_CHANGE
                                           : YORE_MERGE_BOTH_CHANGED);
            if (resolved)
                becomes = resolved[k];
            else if (!takes_theirs(how, ours, theirs, k))
                becomes = o;
        }
        if (becomes == o) continue;
        out->puts += becomes != 0;
        out->dels += becomes == 0;
        out->after.value[k] = becomes;
        out->after.written[k] = w->version + 1;
    }
}

static void check_side(const yore_merge_side *side, const state *s, uint32_t k)
{
    CHECK(side->version == (s->value[k] ? s->written[k] : 0));
    CHECK(side->value.size == (s->value[k] ? 1 : 0));
    if (s->value[k]) CHECK(*(const char *)side->value.data == '0' + s->value[k]);
}

static void check_conflicts(world *w, yore_merge_plan *plan, const wanted *e, const state *const sides[3])
{
    yore_merge_conflict c = {.struct_size = sizeof c};
    size_t i = 0;
    char text[8];
    for (uint32_t k = 0; k < KEYS; k++) {
        if (!e->kinds[k]) continue;
        must(yore_merge_plan_conflict(plan, i++, &c, &err), YORE_OK, "conflict");
        yore_slice key = key_of(k, text).user;
        CHECK(c.key.size == key.size && memcmp(c.key.data, key.data, key.size) == 0);
        CHECK(c.kind == e->kinds[k]);
        check_side(&c.base, sides[BASE], k);
        check_side(&c.ours, sides[OURS], k);
        check_side(&c.theirs, sides[THEIRS], k);
    }
    must(yore_merge_plan_conflict(plan, i, &c, &err), YORE_END, "the last conflict");
    w->conflicts += (uint32_t)i;
}

static size_t answers(const wanted *e, const state *const sides[3], const uint8_t resolved[KEYS],
                      yore_merge_resolution out[KEYS], char keys[KEYS][8])
{
    static const char digits[] = "01234";
    size_t n = 0;
    for (uint32_t k = KEYS; k-- > 0;) { /* in any order */
        if (!e->kinds[k]) continue;
        uint64_t versions[3];
        for (int s = 0; s < 3; s++) versions[s] = sides[s]->value[k] ? sides[s]->written[k] : 0;
        out[n++] = (yore_merge_resolution){.key = key_of(k, keys[k]),
                                           .base_version = versions[BASE],
                                           .ours_version = versions[OURS],
                                           .theirs_version = versions[THEIRS],
                                           .value = yore_bytes(&digits[resolved[k]], 1),
                                           .is_delete = resolved[k] == 0};
    }
    return n;
}

static void check_commit(world *w, uint64_t ours_head, uint64_t theirs_head, const wanted *e)
{
    yore_commit_info info = {.struct_size = sizeof info};
    must(yore_commit_get(w->db, w->version, &info, &err), YORE_OK, "commit get");
    uint32_t own = ours_head != 0;
    CHECK(info.parent_count == own + 1);
    if (own) CHECK(info.parents[0] == ours_head);
    CHECK(info.parents[own] == theirs_head);
    CHECK(info.key_count == e->puts + e->dels);
    yore_commit_release(&info);
}

/* After a merge there is nothing left to merge. */
static void check_nothing(world *w, const yore_at *from, const char *into)
{
    yore_merge_info info = {.struct_size = sizeof info};
    yore_where where = YORE_WHERE_INIT;
    must(yore_merge(w->db, from, yore_str(into), NULL, yore_str(""), NULL, &info, &where, &err), YORE_OK,
         "merge again");
    CHECK(info.is_nothing);
    CHECK(info.conflicts == 0 && info.puts == 0 && info.dels == 0);
}

static void merge_with(world *w, uint32_t from, uint32_t into, yore_merge_options *options,
                       const uint8_t *resolved)
{
    uint64_t heads[2] = {w->branches[into].head, w->branches[from].head};
    yore_merge_info info = {.struct_size = sizeof info};
    yore_merge_resolution list[KEYS];
    char keys[KEYS][8], name[16];
    yore_merge_plan *plan;
    yore_where where = YORE_WHERE_INIT;
    yore_at at = YORE_AT_INIT;
    wanted e;
    expect(w, heads[0], heads[1], options->on_conflict, resolved, &e);
    const state *const sides[3] = {state_of(w, e.base), state_of(w, heads[0]), state_of(w, heads[1])};
    bool nothing = heads[1] == 0 || e.base == heads[1];
    bool related = e.base || w->branches[from].root == w->branches[into].root;
    if (resolved && e.conflicts) {
        options->resolutions = list;
        options->resolution_count = answers(&e, sides, resolved, list, keys);
    }
    at.branch_id = from;
    name_of(into, name);
    yore_status status = yore_merge_plan_open(w->db, &at, yore_str(name), options, &plan, &err);
    if (from == into || (!nothing && !related && !options->allow_unrelated)) {
        must(status, YORE_ERR_REFUSED, "a merge that makes no sense");
        return;
    }
    must(status, YORE_OK, "plan");
    must(yore_merge_plan_info(plan, &info, &err), YORE_OK, "info");
    CHECK(info.is_nothing == nothing);
    CHECK(info.base_version == e.base);
    CHECK(info.ours_version == heads[0] && info.theirs_version == heads[1]);
    CHECK(info.puts == (nothing ? 0 : e.puts) && info.dels == (nothing ? 0 : e.dels));
    CHECK(info.conflicts == (nothing ? 0 : e.conflicts));
    if (!nothing) CHECK(info.alike == e.alike);
    if (!nothing) check_conflicts(w, plan, &e, sides);
    bool open = !nothing && e.conflicts && !options->on_conflict && !options->resolutions;
    status = yore_merge_apply(plan, yore_str(""), NULL, &where, &err);
    must(status, open ? YORE_CONFLICT : YORE_OK, "apply");
    w->nothings += nothing;
    if (!open && !nothing) {
        commit *c = new_commit(w, into, &e.after);
        for (int i = 0; i < WORDS; i++) c->ancestors[i] |= w->commits[heads[1]].ancestors[i];
        w->merges++;
        w->deep += e.base && w->commits[e.base].branch != w->branches[from].root;
        CHECK(where.version == w->version);
        check_commit(w, heads[0], heads[1], &e);
        must(yore_merge_apply(plan, yore_str(""), NULL, NULL, &err), YORE_CONFLICT, "apply twice");
        check_nothing(w, &at, name);
    }
    yore_merge_plan_close(plan);
    check_point(w, into, 0, state_of(w, w->branches[into].head));
}

static void do_merge(world *w)
{
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    uint8_t resolved[KEYS];
    uint32_t from = 1 + below(w, w->branch_count), into = 1 + below(w, w->branch_count);
    options.on_conflict = below(w, 4);
    options.allow_unrelated = below(w, 2);
    for (int k = 0; k < KEYS; k++) resolved[k] = (uint8_t)below(w, 5);
    merge_with(w, from, into, &options, options.on_conflict == 0 && below(w, 2) ? resolved : NULL);
}

static void run_world(uint64_t seed, world *w)
{
    *w = (world){.seed = seed, .version = 1, .branch_count = 1};
    w->sim = yr_sim_create(seed);
    w->rng = (yr_rng){.state = seed};
    w->every = seed % 2 ? 1 + (uint32_t)(seed / 2 % 9) : 0;
    w->branches[1].root = 1;
    seed_now = seed;
    open_world(w);
    w->version = 0;
    yore_where where = YORE_WHERE_INIT;
    must(yore_at_resolve(w->db, NULL, &where, &err), YORE_OK, "tip");
    w->version = where.snap_version;
    for (int i = 0; i < STEPS && w->version + 4 < VERSIONS; i++) {
        uint32_t what = below(w, 100);
        if (what < 45)
            do_write(w);
        else if (what < 58)
            do_fork(w);
        else if (what < 90)
            do_merge(w);
        else if (what < 97)
            do_look_back(w);
        else {
            yore_close(w->db);
            open_world(w);
        }
    }
    for (uint32_t id = 1; id <= w->branch_count; id++)
        check_point(w, id, 0, state_of(w, w->branches[id].head));
    yore_close(w->db);
    CHECK(!yr_sim_has_leaks(w->sim));
    yr_sim_destroy(w->sim);
}

static uint64_t seeds = 60, first_seed = 1;

#ifdef YORE_PLANTED_BUGS
/* Of how many worlds does the first go wrong? Each in a process of its own, which may fail. */
static void wrong_bases_are_caught(void **unused)
{
    static const struct {
        enum yr_bug bug;
        const char *name;
    } bugs[] = {{YR_BUG_MERGE_FIRST_PARENT, "base along first parents"},
                {YR_BUG_MERGE_OLD_BASE, "an older base"}};
    (void)unused;
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++) {
        uint64_t seed = 0;
        int status = 0;
        while (status == 0 && ++seed <= 50) {
            fflush(NULL);
            pid_t child = fork();
            if (child == 0) {
                world *w = malloc(sizeof *w);
                is_planted = true;
                yr_planted_bug = bugs[i].bug;
                run_world(seed, w);
                _exit(0);
            }
            assert_int_equal(waitpid(child, &status, 0), child);
        }
        assert_true(status != 0);
        printf("%s: caught in world %" PRIu64 "\n", bugs[i].name, seed);
    }
}
#endif

static void merges_are_those_of_maps(void **unused)
{
    (void)unused;
    world *w = malloc(sizeof *w);
    uint64_t merges = 0, conflicts = 0, nothings = 0, deep = 0;
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        run_world(seed, w);
        merges += w->merges;
        conflicts += w->conflicts;
        nothings += w->nothings;
        deep += w->deep;
    }
    free(w);
    print_message("seeds %" PRIu64 "..%" PRIu64 ": %" PRIu64 " merges, %" PRIu64
                  " of them with a base elsewhere, %" PRIu64 " conflicts, %" PRIu64 " times nothing\n",
                  first_seed, first_seed + seeds - 1, merges, deep, conflicts, nothings);
    assert_true(seeds == 1 || (merges > seeds && conflicts > seeds && nothings > 0 && deep > 0));
}

int main(int argc, char **argv)
{
#ifdef YORE_PLANTED_BUGS
    if (argc > 1 && strcmp(argv[1], "--planted") == 0) {
        const struct CMUnitTest planted[] = {cmocka_unit_test(wrong_bases_are_caught)};
        return cmocka_run_group_tests(planted, NULL, NULL);
    }
#endif
    if (argc > 1) seeds = strtoull(argv[1], NULL, 10);
    if (argc > 2) first_seed = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(merges_are_those_of_maps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
