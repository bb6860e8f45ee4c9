/* The radix tree against a sorted array: every operation, keys of every shape, the check after steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "fixture.h"
#include "index/art.h"

#define REGION_BYTES (UINT64_C(1) << 30)

typedef struct model {
    const yore_env *env;
    yr_region region;
    yr_art *art;
    key_set keys;
    bool *present; /* by index in keys */
    uint32_t count;
    yr_rng rng;
} model;

static void model_open(model *m, uint32_t shape, uint32_t keys, uint64_t seed)
{
    *m = (model){.env = fixture_env(), .rng = {seed}};
    assert_true(yr_region_init(&m->region, m->env, REGION_BYTES));
    m->art = yr_art_create(m->env, &m->region);
    assert_non_null(m->art);
    m->keys = fixture_keys(&m->region, shape, keys, &m->rng);
    m->present = calloc(m->keys.count, sizeof *m->present);
    assert_non_null(m->present);
}

static void model_close(model *m)
{
    yr_art_destroy(m->art);
    yr_region_deinit(&m->region);
    fixture_keys_free(&m->keys);
    free(m->present);
    assert_int_equal(fixture_live_bytes, 0);
}

static void model_check(const model *m)
{
    const char *problem = NULL;
    if (!yr_art_check(m->art, &problem)) fail_msg("%s: %s", m->keys.name, problem);
    assert_int_equal(yr_art_count(m->art), m->count);
}

static void insert_key(model *m, uint32_t i)
{
    yore_status expected = m->present[i] ? YORE_EXISTS : YORE_OK;
    assert_int_equal(yr_art_insert(m->art, m->keys.entries[i]), expected);
    m->count += !m->present[i];
    m->present[i] = true;
}

static void remove_key(model *m, uint32_t i)
{
    yr_ref entry = 0;
    yore_status status = yr_art_remove(m->art, fixture_key(&m->keys, i), &entry);
    assert_int_equal(status, m->present[i] ? YORE_OK : YORE_NOT_FOUND);
    assert_int_equal(entry, m->present[i] ? m->keys.entries[i] : 0);
    m->count -= m->present[i];
    m->present[i] = false;
}

static void find_key(const model *m, uint32_t i)
{
    assert_int_equal(yr_art_find(m->art, fixture_key(&m->keys, i)), m->present[i] ? m->keys.entries[i] : 0);
}

/* The model's neighbours: the first present index >= i, the last one < i (as entries, 0 = none). */
static yr_ref up(const model *m, uint32_t i, uint32_t *at)
{
    while (i < m->keys.count && !m->present[i]) i++;
    *at = i;
    return i < m->keys.count ? m->keys.entries[i] : 0;
}
static yr_ref down(const model *m, uint32_t i, uint32_t *at)
{
    while (i > 0 && !m->present[i - 1]) i--;
    *at = i ? i - 1 : 0;
    return i ? m->keys.entries[i - 1] : 0;
}

/* A key to seek: one of ours, present or not, or one changed a little, cut or grown. */
static yore_slice seek_key(model *m, uint8_t *bytes)
{
    yore_slice key = fixture_key(&m->keys, (uint32_t)yr_rng_below(&m->rng, m->keys.count));
    memcpy(bytes, key.data, key.size);
    size_t size = key.size;
    uint64_t how = yr_rng_below(&m->rng, 6);
    if (how == 0) size = (size_t)yr_rng_below(&m->rng, size + 1);
    if (how == 1) bytes[size++] = (uint8_t)yr_rng_next(&m->rng);
    if (how == 2) bytes[yr_rng_below(&m->rng, size)] = (uint8_t)yr_rng_next(&m->rng);
    if (how == 3) bytes[yr_rng_below(&m->rng, size)] ^= 1;
    return yore_bytes(bytes, size);
}

/* Seek somewhere, then walk back and forth. */
static void walk(model *m)
{
    static uint8_t bytes[YORE_KEY_BYTES_MAX + 16];
    yore_slice key = seek_key(m, bytes);
    uint32_t bound = fixture_lower_bound(&m->keys, key);
    bool is_ours = bound < m->keys.count && yr_slice_equal(fixture_key(&m->keys, bound), key);
    yr_art_iter iter;
    yr_art_iter_init(&iter, m->art);
    uint32_t at = 0;
    yr_ref expected;
    if (yr_rng_below(&m->rng, 2)) {
        expected = up(m, bound, &at);
        assert_int_equal(yr_art_seek(&iter, key), expected);
    } else {
        expected = down(m, is_ours ? bound + 1 : bound, &at);
        assert_int_equal(yr_art_seek_reverse(&iter, key), expected);
    }
    for (uint64_t steps = yr_rng_below(&m->rng, 40); steps > 0 && expected; steps--) {
        if (yr_rng_below(&m->rng, 3)) {
            expected = up(m, at + 1, &at);
            assert_int_equal(yr_art_next(&iter), expected);
        } else {
            expected = down(m, at, &at);
            assert_int_equal(yr_art_prev(&iter), expected);
        }
    }
    assert_false(iter.failed);
    yr_art_iter_deinit(&iter);
}

/* All of it, in both directions, in batches of different sizes. */
static void walk_all(const model *m)
{
    yr_ref batch[50];
    yr_art_iter iter;
    yr_art_iter_init(&iter, m->art);
    uint32_t at;
    yr_ref expected = up(m, 0, &at);
    assert_int_equal(yr_art_seek(&iter, yore_bytes(NULL, 0)), expected);
    for (uint32_t cap = 1; expected; cap = cap % 50 + 1) {
        uint32_t got = yr_art_next_many(&iter, batch, cap);
        for (uint32_t i = 0; i < got; i++) assert_int_equal(batch[i], up(m, at + 1, &at));
        if (got == cap) continue;
        expected = up(m, at + 1, &at);
        assert_int_equal(expected, 0);
    }
    expected = down(m, m->keys.count, &at);
    assert_int_equal(yr_art_seek_last(&iter), expected);
    assert_int_equal(yr_art_seek_reverse(&iter, yore_bytes(NULL, 0)), 0);
    assert_int_equal(yr_art_seek_last(&iter), expected);
    while (expected) {
        uint32_t got = yr_art_prev_many(&iter, batch, 33);
        for (uint32_t i = 0; i < got; i++) assert_int_equal(batch[i], down(m, at, &at));
        if (got == 33) continue;
        expected = down(m, at, &at);
        assert_int_equal(expected, 0);
    }
    yr_art_iter_deinit(&iter);
}

static void random_steps(model *m, uint32_t steps, uint32_t check_every)
{
    uint64_t insert_share = 50;
    for (uint32_t step = 0; step < steps; step++) {
        /* waves of growing and shrinking, so that nodes change size both ways */
        if (step % 500 == 0) insert_share = yr_rng_below(&m->rng, 2) ? 75 : 25;
        uint32_t i = (uint32_t)yr_rng_below(&m->rng, m->keys.count);
        if (yr_rng_below(&m->rng, 100) < insert_share) {
            insert_key(m, i);
        } else {
            remove_key(m, i);
        }
        find_key(m, (uint32_t)yr_rng_below(&m->rng, m->keys.count));
        walk(m);
        if (step % check_every == 0) model_check(m);
    }
    model_check(m);
    walk_all(m);
}

static void test_small_trees_equal_a_sorted_array_after_every_step(void **state)
{
    (void)state;
    uint64_t seed = fixture_seed("small trees");
    for (uint32_t shape = 0; shape < KEY_SETS; shape++) {
        for (uint32_t round = 0; round < 20; round++) {
            model m;
            model_open(&m, shape, 2 + round * 3, seed + shape * 1000 + round);
            random_steps(&m, 150, 1);
            model_close(&m);
        }
    }
}

static void test_large_trees_equal_a_sorted_array(void **state)
{
    (void)state;
    uint64_t seed = fixture_seed("large trees");
    for (uint32_t shape = 0; shape < KEY_SETS; shape++) {
        model m;
        model_open(&m, shape, shape == 8 ? 300 : 3000, seed + shape);
        random_steps(&m, 6000, 997);
        for (uint32_t i = 0; i < m.keys.count; i++) insert_key(&m, i);
        model_check(&m);
        walk_all(&m);
        model_close(&m);
    }
}

static void test_removing_every_key_leaves_no_node(void **state)
{
    (void)state;
    uint64_t seed = fixture_seed("remove all");
    for (uint32_t shape = 0; shape < KEY_SETS; shape++) {
        model m;
        model_open(&m, shape, 2000, seed + shape);
        for (uint32_t i = 0; i < m.keys.count; i++) insert_key(&m, i);
        while (m.count) {
            uint32_t i = (uint32_t)yr_rng_below(&m.rng, m.keys.count);
            while (!m.present[i]) i = (i + 1) % m.keys.count;
            remove_key(&m, i);
            if (m.count % 101 == 0) model_check(&m);
        }
        model_check(&m);
        assert_int_equal(yr_art_bytes(m.art), 0);
        walk_all(&m);
        model_close(&m);
    }
}

/* Two keys that part after `size` bytes; a third that leaves their prefix at every place, comes and goes. */
static void split_and_merge(yr_region *region, yr_art *art, uint32_t size)
{
    const char *problem;
    uint8_t bytes[600];
    memset(bytes, 'p', sizeof bytes);
    yr_ref pair[2];
    for (uint32_t i = 0; i < 2; i++) {
        bytes[size] = (uint8_t)('a' + i);
        pair[i] = fixture_entry(region, 1, YORE_KV, bytes, size + 1);
        assert_int_equal(yr_art_insert(art, pair[i]), YORE_OK);
    }
    for (uint32_t at = 0; at < size; at++) {
        bytes[at] = 'q';
        yr_ref third = fixture_entry(region, 1, YORE_KV, bytes, at + 1 + (at & 1) * 4);
        bytes[at] = 'p';
        assert_int_equal(yr_art_insert(art, third), YORE_OK);
        if (!yr_art_check(art, &problem)) fail_msg("prefix %u split at %u: %s", size, at, problem);
        assert_int_equal(yr_art_remove(art, yr_entry_tree_key(yr_entry_at(region, third)), NULL), YORE_OK);
        if (!yr_art_check(art, &problem)) fail_msg("prefix %u merged at %u: %s", size, at, problem);
    }
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(yr_art_remove(art, yr_entry_tree_key(yr_entry_at(region, pair[i])), NULL), YORE_OK);
    }
    assert_int_equal(yr_art_bytes(art), 0);
}

static void test_prefixes_split_and_merge_at_every_byte(void **state)
{
    (void)state;
    const yore_env *env = fixture_env();
    yr_region region;
    assert_true(yr_region_init(&region, env, REGION_BYTES));
    yr_art *art = yr_art_create(env, &region);
    assert_non_null(art);
    for (uint32_t size = 0; size < 40; size++) split_and_merge(&region, art, size);
    for (uint32_t size = 245; size < 270; size++) split_and_merge(&region, art, size);
    yr_art_destroy(art);
    yr_region_deinit(&region);
    assert_int_equal(fixture_live_bytes, 0);
}

/* a, aa, aaa, ...: a node for every byte, so the path outgrows the cursor's own memory. */
static void test_a_cursor_goes_down_thousands_of_levels(void **state)
{
    (void)state;
    enum { LEVELS = 5000 };
    const yore_env *env = fixture_env();
    yr_region region;
    assert_true(yr_region_init(&region, env, REGION_BYTES));
    yr_art *art = yr_art_create(env, &region);
    static uint8_t bytes[LEVELS + 1];
    memset(bytes, 'a', sizeof bytes);
    for (uint32_t i = 1; i <= LEVELS; i++) {
        assert_int_equal(yr_art_insert(art, fixture_entry(&region, 1, YORE_KV, bytes, i)), YORE_OK);
    }
    const char *problem;
    assert_true(yr_art_check(art, &problem));
    yr_art_iter iter;
    yr_art_iter_init(&iter, art);
    uint32_t seen = 0;
    for (yr_ref ref = yr_art_seek(&iter, yore_bytes(NULL, 0)); ref; ref = yr_art_next(&iter)) {
        assert_int_equal(yr_entry_at(&region, ref)->key_bytes, ++seen);
    }
    assert_int_equal(seen, LEVELS);
    for (yr_ref ref = yr_art_seek_last(&iter); ref; ref = yr_art_prev(&iter)) {
        assert_int_equal(yr_entry_at(&region, ref)->key_bytes, seen--);
    }
    assert_int_equal(seen, 0);
    yr_art_iter_deinit(&iter);

    /* and says so when there is no memory to grow the path */
    yr_art_iter_init(&iter, art);
    fixture_memory_left = 0;
    assert_int_equal(yr_art_seek_last(&iter), 0);
    assert_true(iter.failed);
    fixture_memory_left = INT64_MAX;
    assert_int_not_equal(yr_art_seek_last(&iter), 0);
    assert_false(iter.failed);
    yr_art_iter_deinit(&iter);
    yr_art_destroy(art);
    yr_region_deinit(&region);
    assert_int_equal(fixture_live_bytes, 0);
}

static void test_a_full_region_leaves_the_tree_as_it_was(void **state)
{
    (void)state;
    uint64_t seed = fixture_seed("full region");
    for (uint32_t shape = 0; shape < KEY_SETS; shape++) {
        model m;
        model_open(&m, shape, 800, seed + shape);
        /* The entries are there already: the nodes get little room behind them. */
        uint64_t capacity = m.region.capacity;
        m.region.capacity = atomic_load(&m.region.used) + 64 * (1 + yr_rng_below(&m.rng, 8));
        uint32_t refused = 0;
        for (uint32_t step = 0; step < 2000; step++) {
            uint32_t i = (uint32_t)yr_rng_below(&m.rng, m.keys.count);
            bool insert = yr_rng_below(&m.rng, 4);
            if (insert == m.present[i]) continue;
            yore_status status = insert ? yr_art_insert(m.art, m.keys.entries[i])
                                        : yr_art_remove(m.art, fixture_key(&m.keys, i), NULL);
            if (status == YORE_ERR_NOMEM) {
                refused++;
                if (refused < 50) model_check(&m);
                find_key(&m, i);
                continue;
            }
            assert_int_equal(status, YORE_OK);
            m.present[i] = insert;
            m.count += insert ? 1 : UINT32_MAX;
        }
        model_check(&m);
        walk_all(&m);
        assert_true(refused > 0);
        m.region.capacity = capacity;
        model_close(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_trees_equal_a_sorted_array_after_every_step),
        cmocka_unit_test(test_large_trees_equal_a_sorted_array),
        cmocka_unit_test(test_removing_every_key_leaves_no_node),
        cmocka_unit_test(test_prefixes_split_and_merge_at_every_byte),
        cmocka_unit_test(test_a_cursor_goes_down_thousands_of_levels),
        cmocka_unit_test(test_a_full_region_leaves_the_tree_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
