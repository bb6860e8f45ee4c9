/* The hash index against a list of what is in it; flooding; memory that runs out; bulk lookups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "engine/base/hash.h"
#include "fixture.h"
#include "index/hash_index.h"

#define REGION_BYTES (UINT64_C(1) << 30)
#define SECRET UINT64_C(0x5EED5EED12345678)

typedef struct table {
    const yore_env *env;
    yr_region region;
    yr_hash_index *index;
} table;

static void table_open(table *t)
{
    *t = (table){.env = fixture_env()};
    assert_true(yr_region_init(&t->region, t->env, REGION_BYTES));
    t->index = yr_hash_index_create(t->env, &t->region, SECRET);
    assert_non_null(t->index);
}

static void table_close(table *t)
{
    yr_hash_index_destroy(t->index);
    yr_region_deinit(&t->region);
    assert_int_equal(fixture_live_bytes, 0);
}

static void table_check(const table *t)
{
    const char *problem = NULL;
    if (!yr_hash_index_check(t->index, &problem)) fail_msg("%s", problem);
}

static yr_ref find_entry(const table *t, yr_ref ref)
{
    const yr_entry *entry = yr_entry_at(&t->region, ref);
    return yr_hash_index_find(t->index, fixture_hash(&t->region, SECRET, ref), yr_entry_branch(entry),
                              yr_entry_primitive(entry), yr_entry_user_key(entry));
}

static bool insert_entry(table *t, yr_ref ref)
{
    return yr_hash_index_insert(t->index, fixture_hash(&t->region, SECRET, ref), ref);
}

static bool remove_entry(table *t, yr_ref ref)
{
    return yr_hash_index_remove(t->index, fixture_hash(&t->region, SECRET, ref), ref);
}

static void test_random_steps_equal_a_list(void **state)
{
    (void)state;
    uint64_t seed = fixture_seed("hash steps");
    for (uint32_t shape = 0; shape < KEY_SETS; shape++) {
        table t;
        yr_rng rng = {seed + shape};
        table_open(&t);
        key_set keys = fixture_keys(&t.region, shape, shape == 8 ? 300 : 20000, &rng);
        bool *present = calloc(keys.count, sizeof *present);
        assert_non_null(present);
        uint64_t count = 0;
        for (uint32_t step = 0; step < keys.count * 4; step++) {
            uint32_t i = (uint32_t)yr_rng_below(&rng, keys.count);
            assert_int_equal(find_entry(&t, keys.entries[i]), present[i] ? keys.entries[i] : 0);
            bool grow = step < keys.count * 2 ? yr_rng_below(&rng, 4) : !yr_rng_below(&rng, 4);
            if (grow == present[i]) continue;
            assert_true(grow ? insert_entry(&t, keys.entries[i]) : remove_entry(&t, keys.entries[i]));
            if (!grow) assert_false(remove_entry(&t, keys.entries[i]));
            present[i] = grow;
            count += grow ? 1 : UINT64_MAX;
            if (step % 10007 == 0) table_check(&t);
        }
        table_check(&t);
        assert_int_equal(yr_hash_index_count(t.index), count);
        for (uint32_t i = 0; i < keys.count; i++) {
            assert_int_equal(find_entry(&t, keys.entries[i]), present[i] ? keys.entries[i] : 0);
        }
        free(present);
        fixture_keys_free(&keys);
        table_close(&t);
    }
}

static void test_the_same_user_key_in_other_branches_and_primitives_is_another_key(void **state)
{
    (void)state;
    table t;
    table_open(&t);
    yr_ref refs[3][3];
    for (uint32_t branch = 0; branch < 3; branch++) {
        for (uint32_t primitive = 0; primitive < 3; primitive++) {
            refs[branch][primitive] = fixture_entry(&t.region, branch + 1, primitive + 1, "key", 3);
            assert_int_equal(find_entry(&t, refs[branch][primitive]), 0);
            assert_true(insert_entry(&t, refs[branch][primitive]));
        }
    }
    for (uint32_t branch = 0; branch < 3; branch++) {
        for (uint32_t primitive = 0; primitive < 3; primitive++) {
            assert_int_equal(find_entry(&t, refs[branch][primitive]), refs[branch][primitive]);
        }
    }
    table_close(&t);
}

/* Keys of 32 bytes with one and the same XXH3: with the seed known, the first 8 bytes can be chosen so that a
 * factor of the first product is 0, and then bytes 8..15 count for nothing. */
static yr_ref flood_entry(table *t, uint64_t number)
{
    uint8_t key[32] = {0};
    uint64_t seed = SECRET + YORE_KV * UINT64_C(0x9E3779B97F4A7C15);
    yr_put_le64(key, UINT64_C(0xBE4BA423396CFEB8) + seed);
    yr_put_be64(key + 8, number);
    return fixture_entry(&t->region, 1, YORE_KV, key, sizeof key);
}

static void test_a_hundred_thousand_keys_of_one_hash_stay_right_and_bounded(void **state)
{
    (void)state;
    /* Enough ordinary keys that the flooded shard doubles, too. */
    enum { FLOOD = 100000, ORDINARY = 80000 };
    table t;
    table_open(&t);
    yr_art *tree = yr_art_create(t.env, &t.region);
    yr_hash_index_set_tree(t.index, tree);
    yr_rng rng = {fixture_seed("flood")};
    key_set keys = fixture_keys(&t.region, 10, ORDINARY, &rng);
    yr_ref *flood = calloc(FLOOD, sizeof *flood);
    assert_non_null(flood);
    for (uint32_t i = 0; i < FLOOD; i++) {
        flood[i] = flood_entry(&t, i);
        assert_int_equal(fixture_hash(&t.region, SECRET, flood[i]),
                         fixture_hash(&t.region, SECRET, flood[0]));
        assert_int_equal(find_entry(&t, flood[i]), 0);
        assert_int_equal(yr_art_insert(tree, flood[i]), YORE_OK);
        assert_true(insert_entry(&t, flood[i]));
        if (i < ORDINARY) {
            assert_int_equal(yr_art_insert(tree, keys.entries[i]), YORE_OK);
            assert_true(insert_entry(&t, keys.entries[i]));
        }
    }
    table_check(&t);
    assert_int_equal(yr_hash_index_count(t.index), FLOOD + ORDINARY);
    assert_true(yr_hash_index_spilled(t.index) >= FLOOD - YR_HASH_PROBE_MAX * YR_HASH_BUCKET_SLOTS);
    assert_true(yr_hash_index_bytes(t.index) < 20 * ORDINARY); /* no table doubled because of the flood */
    for (uint32_t i = 0; i < FLOOD; i++) assert_int_equal(find_entry(&t, flood[i]), flood[i]);
    for (uint32_t i = 0; i < ORDINARY; i++)
        assert_int_equal(find_entry(&t, keys.entries[i]), keys.entries[i]);
    for (uint32_t i = 0; i < FLOOD; i++) {
        assert_int_equal(yr_art_remove(tree, yr_entry_tree_key(yr_entry_at(&t.region, flood[i])), NULL),
                         YORE_OK);
        assert_true(remove_entry(&t, flood[i]));
        if (i % 97 == 0) assert_int_equal(find_entry(&t, flood[i]), 0);
    }
    for (uint32_t i = 0; i < ORDINARY; i++)
        assert_int_equal(find_entry(&t, keys.entries[i]), keys.entries[i]);
    table_check(&t);
    assert_int_equal(yr_hash_index_count(t.index), ORDINARY);
    /* an ordinary key may have found the flooded buckets full, too */
    assert_true(yr_hash_index_spilled(t.index) < ORDINARY / 100);
    free(flood);
    fixture_keys_free(&keys);
    yr_art_destroy(tree);
    table_close(&t);
}

static void test_a_flood_without_a_tree_is_slow_but_right(void **state)
{
    (void)state;
    enum { FLOOD = 2000 };
    table t;
    table_open(&t);
    yr_ref flood[FLOOD];
    for (uint32_t i = 0; i < FLOOD; i++) {
        flood[i] = flood_entry(&t, i);
        assert_true(insert_entry(&t, flood[i]));
    }
    table_check(&t);
    assert_int_equal(yr_hash_index_spilled(t.index), 0);
    for (uint32_t i = 0; i < FLOOD; i += 2) assert_true(remove_entry(&t, flood[i]));
    for (uint32_t i = 0; i < FLOOD; i++) assert_int_equal(find_entry(&t, flood[i]), i % 2 ? flood[i] : 0);
    table_check(&t);
    table_close(&t);
}

static void test_keys_outlive_refused_memory_and_nothing_changes(void **state)
{
    (void)state;
    enum { KEYS = 30000 };
    table t;
    table_open(&t);
    yr_rng rng = {fixture_seed("hash without memory")};
    key_set keys = fixture_keys(&t.region, 10, KEYS, &rng);
    bool *present = calloc(keys.count, sizeof *present);
    assert_non_null(present);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < keys.count; i++) {
        fixture_memory_left = yr_rng_below(&rng, 3) ? 0 : INT64_MAX;
        uint64_t count = yr_hash_index_count(t.index);
        present[i] = insert_entry(&t, keys.entries[i]);
        refused += !present[i];
        assert_int_equal(yr_hash_index_count(t.index), count + present[i]);
        assert_int_equal(find_entry(&t, keys.entries[i]), present[i] ? keys.entries[i] : 0);
    }
    assert_true(refused > 0);
    fixture_memory_left = INT64_MAX;
    table_check(&t);
    for (uint32_t i = 0; i < keys.count; i++) {
        assert_int_equal(find_entry(&t, keys.entries[i]), present[i] ? keys.entries[i] : 0);
        if (!present[i]) assert_true(insert_entry(&t, keys.entries[i]));
    }
    table_check(&t);
    free(present);
    fixture_keys_free(&keys);
    table_close(&t);
}

static void test_an_empty_index_is_small_and_prefetching_in_it_harmless(void **state)
{
    (void)state;
    table t;
    table_open(&t);
    assert_true(yr_hash_index_bytes(t.index) < 16384);
    yr_ref ref = fixture_entry(&t.region, 1, YORE_KV, "a", 1);
    uint64_t hash = fixture_hash(&t.region, SECRET, ref);
    yr_hash_index_prefetch_bucket(t.index, hash);
    yr_hash_index_prefetch_entry(t.index, hash);
    assert_int_equal(find_entry(&t, ref), 0);
    assert_false(remove_entry(&t, ref));
    assert_true(insert_entry(&t, ref));
    assert_true(yr_hash_index_bytes(t.index) < 20000); /* one slab of 16 first buckets */
    yr_hash_index_prefetch_bucket(t.index, hash);
    yr_hash_index_prefetch_entry(t.index, hash);
    assert_int_equal(find_entry(&t, ref), ref);
    table_check(&t);
    table_close(&t);
}

/* The yield point lies between the two stores of an insert; a reader that comes by there finds nothing yet. */
static const table *observed;
static yr_ref observed_entry;
static uint32_t observed_points;

static void look_for_entry(void *ctx, const char *name)
{
    (void)ctx;
    if (strcmp(name, "hash-insert") != 0) return;
    observed_points++;
    assert_int_equal(find_entry(observed, observed_entry), 0);
}

static void test_an_entry_is_found_only_after_its_reference_is_in_place(void **state)
{
    (void)state;
    table t = {.env = fixture_env()};
    yore_env env = *t.env;
    env.point = look_for_entry;
    assert_true(yr_region_init(&t.region, &env, REGION_BYTES));
    t.index = yr_hash_index_create(&env, &t.region, SECRET);
    assert_non_null(t.index);
    observed = &t;
    for (uint32_t i = 0; i < 500; i++) {
        uint8_t key[4];
        yr_put_be32(key, i);
        observed_entry = fixture_entry(&t.region, 1, YORE_KV, key, sizeof key);
        assert_true(insert_entry(&t, observed_entry));
        assert_int_equal(find_entry(&t, observed_entry), observed_entry);
    }
    assert_true(observed_points >= 500);
    table_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_steps_equal_a_list),
        cmocka_unit_test(test_the_same_user_key_in_other_branches_and_primitives_is_another_key),
        cmocka_unit_test(test_a_hundred_thousand_keys_of_one_hash_stay_right_and_bounded),
        cmocka_unit_test(test_a_flood_without_a_tree_is_slow_but_right),
        cmocka_unit_test(test_keys_outlive_refused_memory_and_nothing_changes),
        cmocka_unit_test(test_an_empty_index_is_small_and_prefetching_in_it_harmless),
        cmocka_unit_test(test_an_entry_is_found_only_after_its_reference_is_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
