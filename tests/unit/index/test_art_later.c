/* Entries that wait outside the tree's nodes: found at once, met by cursors once settled, never lost for want of
 * memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fixture.h"
#include "index/art.h"

static uint64_t cursor_count(const yr_art *art)
{
    yr_art_iter iter;
    yr_art_iter_init(&iter, art);
    uint64_t count = 0;
    for (yr_ref ref = yr_art_seek(&iter, yore_bytes(NULL, 0)); ref; ref = yr_art_next(&iter)) count++;
    yr_art_iter_deinit(&iter);
    return count;
}

static void find_first(const yr_art *art, const key_set *keys, const uint32_t *order, uint32_t count)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        yr_ref found = yr_art_find(art, fixture_key(keys, order[i]));
        assert_int_equal(found, i < count ? keys->entries[order[i]] : 0);
    }
}

/* Every shape of keys, in random order, later and at once mixed, settled at random moments. */
static void test_what_waits_is_found_and_settling_puts_it_in_order(void **state)
{
    (void)state;
    yr_rng rng = {fixture_seed("art_later")};
    for (uint32_t shape = 0; shape < KEY_SETS; shape++) {
        yr_region region;
        assert_true(yr_region_init(&region, fixture_env(), UINT64_C(1) << 30));
        yr_art *art = yr_art_create(fixture_env(), &region);
        key_set keys = fixture_keys(&region, shape, 300, &rng);
        uint32_t *order = calloc(keys.count, sizeof *order);
        assert_non_null(order);
        for (uint32_t i = 0; i < keys.count; i++) {
            uint32_t j = (uint32_t)yr_rng_below(&rng, i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        uint64_t waited = 0;
        for (uint32_t i = 0; i < keys.count; i++) {
            bool later = yr_rng_below(&rng, 4) != 0;
            yr_ref entry = keys.entries[order[i]];
            assert_int_equal(later ? yr_art_insert_later(art, entry) : yr_art_insert(art, entry), YORE_OK);
            assert_int_equal(yr_art_find(art, fixture_key(&keys, order[i])), entry);
            assert_in_range(yr_art_waiting(art), 0, YR_ART_LATER_MAX);
            waited += yr_art_waiting(art);
            if (i % 37 == 0) find_first(art, &keys, order, i + 1);
            if (yr_rng_below(&rng, 20)) continue;
            assert_int_equal(yr_art_settle(art), YORE_OK);
            assert_int_equal(yr_art_waiting(art), 0);
            assert_int_equal(cursor_count(art), i + 1);
        }
        assert_true(waited > keys.count); /* else nothing was tested */
        assert_int_equal(yr_art_settle(art), YORE_OK);
        const char *problem = NULL;
        if (!yr_art_check(art, &problem)) fail_msg("%s: %s", keys.name, problem);
        assert_int_equal(cursor_count(art), keys.count);
        free(order);
        yr_art_destroy(art);
        yr_region_deinit(&region);
        fixture_keys_free(&keys);
    }
    assert_int_equal(fixture_live_bytes, 0);
}

static void test_the_last_one_can_be_taken_back_until_it_is_settled(void **state)
{
    (void)state;
    yr_region region;
    assert_true(yr_region_init(&region, fixture_env(), UINT64_C(1) << 24));
    yr_art *art = yr_art_create(fixture_env(), &region);
    yr_ref a = fixture_entry(&region, 1, YORE_KV, "a", 1), b = fixture_entry(&region, 1, YORE_KV, "b", 1);
    assert_int_equal(yr_art_insert_later(art, a), YORE_OK);
    assert_int_equal(yr_art_insert_later(art, b), YORE_OK);
    assert_false(yr_art_cancel_later(art, a)); /* not the last */
    assert_true(yr_art_cancel_later(art, b));
    assert_int_equal(yr_art_find_key(art, 1, YORE_KV, yore_bytes("b", 1)), 0);
    assert_int_equal(yr_art_settle(art), YORE_OK);
    assert_false(yr_art_cancel_later(art, a));
    assert_int_equal(cursor_count(art), 1);
    yr_art_destroy(art);
    yr_region_deinit(&region);
}

static void test_room_is_not_kept_for_what_was_taken_back(void **state)
{
    (void)state;
    yr_region region;
    assert_true(yr_region_init(&region, fixture_env(), UINT64_C(1) << 20));
    yr_art *art = yr_art_create(fixture_env(), &region);
    yr_ref a = fixture_entry(&region, 1, YORE_KV, "a", 1);
    assert_int_equal(yr_art_insert_later(art, a), YORE_OK);
    uint64_t left = region.capacity - atomic_load(&region.used);
    assert_int_equal(yr_region_alloc(&region, left), 0);
    assert_true(yr_art_cancel_later(art, a));
    assert_true(yr_region_alloc(&region, left) != 0);
    yr_art_destroy(art);
    yr_region_deinit(&region);
}

/* Fill a small region with entries: whatever was taken can be settled, up to the last byte. */
static void test_a_full_region_settles_what_it_took(void **state)
{
    (void)state;
    yr_rng rng = {fixture_seed("art_later_full")};
    for (int round = 0; round < 20; round++) {
        yr_region region;
        assert_true(yr_region_init(&region, fixture_env(), UINT64_C(1) << 20));
        yr_art *art = yr_art_create(fixture_env(), &region);
        uint64_t taken = 0;
        for (;;) {
            uint8_t key[24];
            size_t size = 8 + (size_t)yr_rng_below(&rng, 16);
            for (size_t i = 0; i < size; i++) key[i] = (uint8_t)yr_rng_below(&rng, 1u << (1 + round % 8));
            yr_put_be32(key + size - 4, (uint32_t)taken);  /* distinct */
            uint64_t extra = yr_rng_below(&rng, 3000) + 1; /* values, which take room as well */
            uint64_t bytes = (YR_ENTRY_HEADER + size + 7) & ~UINT64_C(7);
            if (!yr_region_alloc(&region, extra)) break;
            yr_ref room = yr_region_alloc(&region, bytes);
            if (!room) break;
            yr_region_free(&region, room, bytes); /* the fixture insists on what it asks for */
            yr_ref entry = fixture_entry(&region, 1, YORE_KV, key, size);
            if (yr_art_insert_later(art, entry) != YORE_OK) break;
            taken++;
        }
        while (yr_region_alloc(&region, 8)) {} /* to the last byte that is to be had */
        assert_int_equal(yr_art_settle(art), YORE_OK);
        assert_int_equal(cursor_count(art), taken);
        assert_true(taken > 100);
        yr_art_destroy(art);
        yr_region_deinit(&region);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_waits_is_found_and_settling_puts_it_in_order),
        cmocka_unit_test(test_the_last_one_can_be_taken_back_until_it_is_settled),
        cmocka_unit_test(test_room_is_not_kept_for_what_was_taken_back),
        cmocka_unit_test(test_a_full_region_settles_what_it_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
