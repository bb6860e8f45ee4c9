/* Names of branches in memory: whatever is created, renamed, deleted and recovered, a name leads to the live branch
 * that has it, or to the one of that name that was deleted last; and so it does in a catalog made of what the records
 * say in the end, and in one that follows. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "engine/branch/catalog.h"

enum { NAMES = 12, BRANCHES = 300, STEPS = 3000, SEEDS = 20 };

typedef struct fact {
    uint32_t name;
    uint64_t deleted;
} fact;

typedef struct world {
    yr_catalog *catalog;
    yr_rng rng;
    uint64_t version;
    uint32_t count;
    fact facts[BRANCHES + 1];
} world;

static const yore_env *env(void)
{
    return yore_env_default();
}

static yore_slice name_text(uint32_t name, char text[16])
{
    snprintf(text, 16, "name%" PRIu32, name);
    return yore_str(text);
}

static uint32_t live_of(const world *w, uint32_t name)
{
    for (uint32_t id = 1; id <= w->count; id++)
        if (w->facts[id].name == name && !w->facts[id].deleted) return id;
    return 0;
}

static uint32_t deleted_of(const world *w, uint32_t name)
{
    uint32_t best = 0;
    for (uint32_t id = 1; id <= w->count; id++) {
        const fact *it = &w->facts[id];
        if (it->name == name && it->deleted && (!best || it->deleted > w->facts[best].deleted)) best = id;
    }
    return best;
}

static void compare(const world *w, const yr_catalog *catalog)
{
    char text[16];
    const char *problem = NULL;
    for (uint32_t name = 0; name < NAMES; name++) {
        const yr_branch *live = yr_catalog_by_name(catalog, name_text(name, text));
        const yr_branch *deleted = yr_catalog_deleted_by_name(catalog, name_text(name, text));
        assert_int_equal(live ? live->id : 0, live_of(w, name));
        assert_int_equal(deleted ? deleted->id : 0, deleted_of(w, name));
    }
    if (!yr_catalog_check(catalog, &problem)) fail_msg("%s", problem);
}

static yr_branch_record record_of(const world *w, uint32_t id, char text[16])
{
    const fact *it = &w->facts[id];
    return (yr_branch_record){.parent = id > 1 ? 1 : 0,
                              .fork_version = id > 1 ? id - 1 : 0,
                              .flags = it->deleted ? YR_BRANCH_DELETED : 0,
                              .deleted_version = it->deleted,
                              .name = name_text(it->name, text)};
}

static void tell(world *w, uint32_t id, bool is_new)
{
    char text[16];
    yr_catalog_change change;
    const yr_branch_record record = record_of(w, id, text);
    if (is_new) {
        assert_true(yr_catalog_prepare_create(w->catalog, id, &record, id, &change));
    } else {
        assert_true(
            yr_catalog_prepare_change(w->catalog, yr_catalog_by_id(w->catalog, id), &record, &change));
    }
    yr_catalog_apply(w->catalog, &change);
}

/* One change of some branch, if it may be made. */
static void step(world *w)
{
    uint32_t name = (uint32_t)yr_rng_below(&w->rng, NAMES);
    uint32_t id = w->count ? 1 + (uint32_t)yr_rng_below(&w->rng, w->count) : 0;
    fact *it = &w->facts[id];
    w->version++;
    switch (yr_rng_below(&w->rng, 5)) {
    case 0: /* create */
        if (w->count == BRANCHES || live_of(w, name)) return;
        w->facts[++w->count] = (fact){.name = name};
        tell(w, w->count, true);
        return;
    case 1: /* rename */
        if (!id || it->deleted || live_of(w, name)) return;
        it->name = name;
        break;
    case 2: /* delete */
    case 3:
        if (!id || it->deleted) return;
        it->deleted = w->version + BRANCHES;
        break;
    default: /* recover, under a name of its own or another */
        if (!id || !it->deleted) return;
        if (yr_rng_below(&w->rng, 2)) name = it->name;
        if (live_of(w, name)) return;
        *it = (fact){.name = name};
    }
    tell(w, id, false);
}

/* As a store that is opened makes it: by id, each as it is in the end. */
static yr_catalog *loaded(const world *w, bool is_reserved)
{
    world again = *w;
    again.catalog = yr_catalog_create(env());
    assert_non_null(again.catalog);
    if (is_reserved) assert_true(yr_catalog_reserve(again.catalog, 5000, 100));
    for (uint32_t id = 1; id <= w->count; id++) tell(&again, id, true);
    return again.catalog;
}

static void test_a_name_leads_to_its_branches(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        world w = {.catalog = yr_catalog_create(env()), .rng = {seed}};
        print_message("seed %" PRIu64 "\n", seed);
        for (uint32_t i = 0; i < STEPS; i++) {
            step(&w);
            compare(&w, w.catalog);
        }
        for (int is_reserved = 0; is_reserved < 2; is_reserved++) {
            yr_catalog *again = loaded(&w, is_reserved);
            compare(&w, again);
            yr_catalog_destroy(again);
        }
        yr_catalog_destroy(w.catalog);
    }
}

static void test_a_catalog_that_follows_knows_the_names(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        world w = {.catalog = yr_catalog_create(env()), .rng = {seed}};
        print_message("seed %" PRIu64 "\n", seed);
        yr_catalog *follower = yr_catalog_create(env());
        for (uint32_t round = 0; round < STEPS / 30; round++) {
            for (uint32_t i = yr_rng_below(&w.rng, 2) ? 3 : 60; i-- > 0;) step(&w);
            yr_catalog *newer = loaded(&w, false);
            yr_catalog_steps steps;
            yr_arena arena;
            yr_arena_init(&arena, env());
            assert_true(yr_catalog_prepare_follow(follower, newer, &arena, &steps));
            yr_catalog_follow(follower, newer, &steps, 0);
            yr_arena_deinit(&arena);
            yr_catalog_destroy(newer);
            compare(&w, follower);
        }
        yr_catalog_destroy(follower);
        yr_catalog_destroy(w.catalog);
    }
}

/* One name, taken and given up ever again: neither side may cost more each time. */
static void test_a_name_that_was_had_by_many_is_found_at_once(void **state)
{
    enum { MANY = 200000 };
    (void)state;
    static const yr_branch_record live = {.name = {"tmp", 3}};
    world w = {.catalog = yr_catalog_create(env())};
    for (uint32_t id = 1; id <= MANY; id++) {
        yr_branch_record deleted = live;
        yr_catalog_change change;
        assert_true(yr_catalog_prepare_create(w.catalog, id, &live, id, &change));
        yr_catalog_apply(w.catalog, &change);
        deleted.flags = YR_BRANCH_DELETED;
        deleted.deleted_version = id;
        assert_true(yr_catalog_prepare_change(w.catalog, yr_catalog_by_id(w.catalog, id), &deleted, &change));
        yr_catalog_apply(w.catalog, &change);
        assert_null(yr_catalog_by_name(w.catalog, live.name));
        assert_ptr_equal(yr_catalog_deleted_by_name(w.catalog, live.name), yr_catalog_by_id(w.catalog, id));
    }
    yr_catalog_destroy(w.catalog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_leads_to_its_branches),
        cmocka_unit_test(test_a_catalog_that_follows_knows_the_names),
        cmocka_unit_test(test_a_name_that_was_had_by_many_is_found_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
