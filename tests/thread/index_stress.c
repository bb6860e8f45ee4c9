#include "tests/thread/index_stress.h"

#include <stdlib.h>

#include "engine/base/hash.h"

#define REGION_BYTES (UINT64_C(1) << 30)

static uint32_t key_sum(const yr_entry *entry)
{
    yore_slice key = yr_entry_tree_key(entry);
    return (uint32_t)yr_hash64(key.data, key.size, 1);
}

static void mark(stress *s, yr_ref ref)
{
    yr_entry *entry = yr_region_at(&s->region, ref);
    /* relaxed: published with the entry; a plain part of it as far as this test goes */
    atomic_store_explicit(&entry->newest, key_sum(entry), memory_order_relaxed);
}

void stress_open(stress *s, uint32_t shape, uint32_t keys, uint64_t seed)
{
    *s = (stress){.env = yore_env_default(), .seed = seed};
    YR_ASSERT(yr_region_init(&s->region, s->env, REGION_BYTES));
    yr_rng rng = {seed};
    s->keys = fixture_keys(&s->region, shape, keys, &rng);
    s->rank = calloc(s->keys.count, sizeof *s->rank);
    s->order = calloc(s->keys.count, sizeof *s->order);
    YR_ASSERT(s->rank && s->order);
    for (uint32_t i = 0; i < s->keys.count; i++) {
        mark(s, s->keys.entries[i]);
        s->rank[i] = UINT32_MAX;
        if (yr_rng_below(&rng, 3)) s->order[s->staying++] = i;
    }
    for (uint32_t i = s->staying; i > 1; i--) {
        uint32_t other = (uint32_t)yr_rng_below(&rng, i);
        uint32_t swap = s->order[i - 1];
        s->order[i - 1] = s->order[other];
        s->order[other] = swap;
    }
    for (uint32_t i = 0; i < s->staying; i++) s->rank[s->order[i]] = i;
}

void stress_close(stress *s)
{
    yr_region_deinit(&s->region);
    fixture_keys_free(&s->keys);
    free(s->rank);
    free(s->order);
}

yr_ref stress_incarnation(stress *s, uint32_t key)
{
    const yr_entry *old = yr_entry_at(&s->region, s->keys.entries[key]);
    yore_slice user = yr_entry_user_key(old);
    yr_ref ref =
        fixture_entry(&s->region, yr_entry_branch(old), yr_entry_primitive(old), user.data, user.size);
    mark(s, ref);
    return ref;
}

bool stress_step(stress *s, void (*insert)(stress *s, uint32_t key))
{
    uint32_t next = atomic_load_explicit(&s->published, memory_order_relaxed); /* own store */
    if (next == s->staying) return atomic_load_explicit(&s->checks, memory_order_relaxed) < STRESS_CHECKS;
    insert(s, s->order[next]);
    /* release: pairs with the readers' acquire, as a commit's visible version does */
    atomic_store_explicit(&s->published, next + 1, memory_order_release);
    return true;
}

bool stress_entry_whole(const stress *s, yr_ref ref)
{
    const yr_entry *entry = yr_entry_at(&s->region, ref);
    return atomic_load_explicit(&entry->newest, memory_order_relaxed) == key_sum(entry);
}

void stress_run(stress *s, void (*reader)(void *arg), void (*writer)(stress *s))
{
    yore_thread *threads[STRESS_READERS];
    for (uint32_t i = 0; i < STRESS_READERS; i++) {
        YR_ASSERT(s->env->thread_create(s->env->ctx, reader, s, &threads[i]) == 0);
    }
    writer(s);
    atomic_store(&s->done, true);
    for (uint32_t i = 0; i < STRESS_READERS; i++) s->env->thread_join(s->env->ctx, threads[i]);
}
