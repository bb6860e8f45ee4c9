/* Cursors and lookups in the radix tree beside its writer: what is there throughout is always met, keys come
 * strictly ascending (or descending), and no reader ever meets a block that was reused. Once more with a writer that
 * leaves its keys to be put in order later: lookups find them at once, cursors once they are settled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "index/art.h"
#include "tests/thread/index_stress.h"

static yr_art *tree;
static bool is_later;
static _Atomic uint32_t settled; /* is_later: staying keys of lower rank are in the tree's nodes */

/* Staying keys of lower rank than this are met by a cursor that begins now. */
static uint32_t walkable(const stress *s)
{
    return atomic_load_explicit(is_later ? &settled : &s->published, memory_order_acquire);
}

/* Walk up from a random key; every published key on the way must be met. */
static void walk_up(stress *s, yr_rng *rng)
{
    uint32_t published = walkable(s);
    uint32_t key = (uint32_t)yr_rng_below(rng, s->keys.count);
    yr_art_iter iter;
    yr_art_iter_init(&iter, tree);
    yr_ref last = 0;
    yr_ref entry = yr_art_seek(&iter, fixture_key(&s->keys, key));
    for (uint32_t rows = 0; entry && rows < 300; rows++) {
        YR_ASSERT(stress_entry_whole(s, entry));
        yore_slice found = yr_entry_tree_key(yr_entry_at(&s->region, entry));
        YR_ASSERT(!last || yr_slice_compare(yr_entry_tree_key(yr_entry_at(&s->region, last)), found) < 0);
        for (; key < s->keys.count; key++) { /* what lies before `found` was not met */
            int order = yr_slice_compare(fixture_key(&s->keys, key), found);
            if (order >= 0) {
                key += order == 0;
                break;
            }
            YR_ASSERT(s->rank[key] >= published);
        }
        last = entry;
        entry = yr_art_next(&iter);
        atomic_fetch_add_explicit(&s->checks, 1, memory_order_relaxed);
    }
    if (!entry) {
        for (; key < s->keys.count; key++) YR_ASSERT(s->rank[key] >= published);
    }
    yr_art_iter_deinit(&iter);
}

static void walk_down(stress *s, yr_rng *rng)
{
    uint32_t published = walkable(s);
    uint32_t key = (uint32_t)yr_rng_below(rng, s->keys.count) + 1; /* keys below this one are still to come */
    yr_art_iter iter;
    yr_art_iter_init(&iter, tree);
    yr_ref last = 0;
    yr_ref entry = yr_art_seek_reverse(&iter, fixture_key(&s->keys, key - 1));
    for (uint32_t rows = 0; entry && rows < 300; rows++) {
        YR_ASSERT(stress_entry_whole(s, entry));
        yore_slice found = yr_entry_tree_key(yr_entry_at(&s->region, entry));
        YR_ASSERT(!last || yr_slice_compare(yr_entry_tree_key(yr_entry_at(&s->region, last)), found) > 0);
        for (; key > 0; key--) {
            int order = yr_slice_compare(fixture_key(&s->keys, key - 1), found);
            if (order <= 0) {
                key -= order == 0;
                break;
            }
            YR_ASSERT(s->rank[key - 1] >= published);
        }
        last = entry;
        entry = yr_art_prev(&iter);
        atomic_fetch_add_explicit(&s->checks, 1, memory_order_relaxed);
    }
    if (!entry) {
        for (; key > 0; key--) YR_ASSERT(s->rank[key - 1] >= published);
    }
    yr_art_iter_deinit(&iter);
}

static void look_up(stress *s, yr_rng *rng)
{
    uint32_t published = atomic_load_explicit(&s->published, memory_order_acquire);
    uint32_t key = (uint32_t)yr_rng_below(rng, s->keys.count);
    yr_ref entry = yr_art_find(tree, fixture_key(&s->keys, key));
    YR_ASSERT(entry || s->rank[key] >= published);
    if (!entry) return;
    YR_ASSERT(stress_entry_whole(s, entry));
    YR_ASSERT(s->rank[key] == UINT32_MAX || entry == s->keys.entries[key]);
    atomic_fetch_add_explicit(&s->checks, 1, memory_order_relaxed);
}

static void read_loop(void *arg)
{
    stress *s = arg;
    int dummy;
    yr_rng rng = {s->seed ^ (uint64_t)(uintptr_t)&dummy};
    while (!atomic_load(&s->done)) {
        yr_epoch_enter();
        uint64_t how = yr_rng_below(&rng, 10);
        if (how < 4) walk_up(s, &rng);
        if (how >= 4 && how < 8) walk_down(s, &rng);
        for (int i = 0; how >= 8 && i < 50; i++) look_up(s, &rng);
        yr_epoch_exit();
    }
}

static void put(yr_ref entry)
{
    YR_ASSERT((is_later ? yr_art_insert_later(tree, entry) : yr_art_insert(tree, entry)) == YORE_OK);
}

static void insert_staying(stress *s, uint32_t key)
{
    put(s->keys.entries[key]);
}

static void settle(stress *s)
{
    YR_ASSERT(yr_art_settle(tree) == YORE_OK);
    /* release: pairs with walkable */
    atomic_store_explicit(&settled, atomic_load_explicit(&s->published, memory_order_relaxed),
                          memory_order_release);
}

static void take_off(stress *s, uint32_t key, yr_ref entry)
{
    yr_ref removed = entry;
    if (!yr_art_cancel_later(tree, entry)) {
        settle(s);
        YR_ASSERT(yr_art_remove(tree, fixture_key(&s->keys, key), &removed) == YORE_OK);
    }
    YR_ASSERT(removed == entry);
    yr_region_retire(&s->region, removed, YR_ENTRY_HEADER + yr_entry_at(&s->region, removed)->key_bytes);
}

/* Insert the staying keys one by one; in between let others come and go. */
static void write_all(stress *s)
{
    yr_rng rng = {s->seed + 1};
    yr_ref *alive = calloc(s->keys.count, sizeof *alive);
    YR_ASSERT(alive != NULL);
    while (stress_step(s, insert_staying)) {
        for (int i = 0; i < 30; i++) {
            uint32_t key = (uint32_t)yr_rng_below(&rng, s->keys.count);
            if (s->rank[key] != UINT32_MAX) continue;
            if (alive[key]) {
                take_off(s, key, alive[key]);
                alive[key] = 0;
            } else {
                alive[key] = stress_incarnation(s, key);
                put(alive[key]);
                if (yr_rng_below(&rng, 4)) continue;
                take_off(s, key, alive[key]);
                alive[key] = 0;
            }
        }
    }
    settle(s);
    free(alive);
}

static void run_shapes(const char *name, bool later)
{
    uint64_t seed = fixture_seed(name);
    is_later = later;
    for (uint32_t shape = 0; shape < KEY_SETS; shape++) {
        stress s;
        stress_open(&s, shape, shape == 8 ? 200 : 3000, seed + shape);
        atomic_store(&settled, 0);
        tree = yr_art_create(s.env, &s.region);
        assert_non_null(tree);
        stress_run(&s, read_loop, write_all);
        const char *problem;
        if (!yr_art_check(tree, &problem)) fail_msg("%s: %s", s.keys.name, problem);
        yr_art_destroy(tree);
        stress_close(&s);
    }
}

static void test_readers_beside_the_writer_meet_every_published_key_in_order(void **state)
{
    (void)state;
    run_shapes("tree stress", false);
}

static void test_lookups_find_what_waits_and_cursors_what_is_settled(void **state)
{
    (void)state;
    run_shapes("tree stress, later", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_beside_the_writer_meet_every_published_key_in_order),
        cmocka_unit_test(test_lookups_find_what_waits_and_cursors_what_is_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
