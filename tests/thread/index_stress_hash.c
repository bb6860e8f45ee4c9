/* Lookups in the hash index beside its writer, through doublings, removals and a flooded bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "engine/base/hash.h"
#include "index/hash_index.h"
#include "tests/thread/index_stress.h"

#define SECRET UINT64_C(99)

static yr_hash_index *table;
static yr_art *tree;

static uint64_t hash_of(const stress *s, uint32_t key)
{
    return fixture_hash(&s->region, SECRET, s->keys.entries[key]);
}

static yr_ref find_key(const stress *s, uint32_t key)
{
    const yr_entry *entry = yr_entry_at(&s->region, s->keys.entries[key]);
    return yr_hash_index_find(table, hash_of(s, key), yr_entry_branch(entry), yr_entry_primitive(entry),
                              yr_entry_user_key(entry));
}

static void read_loop(void *arg)
{
    stress *s = arg;
    int dummy;
    yr_rng rng = {s->seed ^ (uint64_t)(uintptr_t)&dummy};
    while (!atomic_load(&s->done)) {
        yr_epoch_enter();
        uint32_t published = atomic_load_explicit(&s->published, memory_order_acquire);
        for (int i = 0; i < 50; i++) {
            uint32_t key = (uint32_t)yr_rng_below(&rng, s->keys.count);
            if (yr_rng_below(&rng, 4) == 0) {
                yr_hash_index_prefetch_bucket(table, hash_of(s, key));
                yr_hash_index_prefetch_entry(table, hash_of(s, key));
            }
            yr_ref entry = find_key(s, key);
            YR_ASSERT(entry || s->rank[key] >= published);
            if (!entry) continue;
            YR_ASSERT(stress_entry_whole(s, entry));
            YR_ASSERT(s->rank[key] == UINT32_MAX || entry == s->keys.entries[key]);
            YR_ASSERT(yr_slice_equal(yr_entry_tree_key(yr_entry_at(&s->region, entry)),
                                     fixture_key(&s->keys, key)));
            atomic_fetch_add_explicit(&s->checks, 1, memory_order_relaxed);
        }
        yr_epoch_exit();
    }
}

static void put(stress *s, uint32_t key, yr_ref entry)
{
    YR_ASSERT(yr_art_insert(tree, entry) == YORE_OK);
    YR_ASSERT(yr_hash_index_insert(table, hash_of(s, key), entry));
}

static void insert_staying(stress *s, uint32_t key)
{
    put(s, key, s->keys.entries[key]);
}

static void write_all(stress *s)
{
    yr_rng rng = {s->seed + 1};
    yr_ref *alive = calloc(s->keys.count, sizeof *alive);
    YR_ASSERT(alive != NULL);
    while (stress_step(s, insert_staying)) {
        for (int i = 0; i < 4; i++) {
            uint32_t key = (uint32_t)yr_rng_below(&rng, s->keys.count);
            if (s->rank[key] != UINT32_MAX) continue;
            if (alive[key]) {
                YR_ASSERT(yr_art_remove(tree, fixture_key(&s->keys, key), NULL) == YORE_OK);
                YR_ASSERT(yr_hash_index_remove(table, hash_of(s, key), alive[key]));
                uint16_t key_bytes = yr_entry_at(&s->region, alive[key])->key_bytes;
                yr_region_retire(&s->region, alive[key], YR_ENTRY_HEADER + key_bytes);
                alive[key] = 0;
            } else {
                alive[key] = stress_incarnation(s, key);
                put(s, key, alive[key]);
            }
        }
    }
    free(alive);
}

static void run(stress *s)
{
    table = yr_hash_index_create(s->env, &s->region, SECRET);
    tree = yr_art_create(s->env, &s->region);
    assert_non_null(table);
    assert_non_null(tree);
    yr_hash_index_set_tree(table, tree);
    stress_run(s, read_loop, write_all);
    const char *problem;
    if (!yr_hash_index_check(table, &problem)) fail_msg("%s", problem);
    yr_hash_index_destroy(table);
    yr_art_destroy(tree);
}

static void test_readers_beside_the_writer_find_every_published_key(void **state)
{
    (void)state;
    stress s;
    stress_open(&s, 10, 60000, fixture_seed("hash stress"));
    run(&s);
    stress_close(&s);
}

/* Every key gets one hash: as test_hash_index shows, the first 8 of 32 bytes can cancel the next 8. */
static void test_readers_of_a_flooded_bucket_find_every_published_key(void **state)
{
    (void)state;
    enum { FLOOD = 1500 };
    stress s;
    stress_open(&s, 10, FLOOD, fixture_seed("flood stress"));
    for (uint32_t i = 0; i < s.keys.count; i++) {
        uint8_t key[32] = {0};
        yr_put_le64(key, UINT64_C(0xBE4BA423396CFEB8) + SECRET + YORE_KV * UINT64_C(0x9E3779B97F4A7C15));
        yr_put_be64(key + 8, i);
        yr_ref plain = fixture_entry(&s.region, 1, YORE_KV, key, sizeof key);
        s.keys.entries[i] = plain;
        s.keys.entries[i] = stress_incarnation(&s, i);
    }
    run(&s);
    stress_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_readers_beside_the_writer_find_every_published_key),
        cmocka_unit_test(test_readers_of_a_flooded_bucket_find_every_published_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
