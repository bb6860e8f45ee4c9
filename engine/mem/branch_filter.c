#include "engine/mem/branch_filter.h"

#include "engine/base/mem.h"

enum { KEYS_A_BLOCK = 40 };

static uint64_t filter_bytes(uint32_t block_count)
{
    return sizeof(yr_branch_filter) + 64u * (uint64_t)block_count;
}

yr_branch_filter *yr_branch_filter_create(const yore_env *env, uint32_t keys)
{
    uint32_t blocks = 1;
    while (blocks < (1u << 26) && (uint64_t)blocks * KEYS_A_BLOCK < keys) blocks *= 2;
    yr_branch_filter *filter = yr_alloc_lines(env, filter_bytes(blocks));
    if (filter) filter->block_count = blocks;
    return filter;
}

uint64_t yr_branch_filter_bytes(const yr_branch_filter *filter)
{
    return filter_bytes(filter->block_count);
}

void yr_branch_filter_destroy(const yore_env *env, yr_branch_filter *filter)
{
    if (filter) yr_free_lines(env, filter, filter_bytes(filter->block_count));
}

bool yr_branch_filter_is_full(const yr_branch_filter *filter)
{
    return filter->key_count >= (uint64_t)filter->block_count * KEYS_A_BLOCK;
}

void yr_branch_filter_add(yr_branch_filter *filter, uint64_t key_hash)
{
    uint32_t block = (uint32_t)(key_hash >> 32) & (filter->block_count - 1);
    const yr_filter_bits bits = yr_filter_bits_of(key_hash);
    for (int i = 0; i < 2; i++) {
        _Atomic uint64_t *word = &filter->words[block * 8u + bits.word[i]];
        uint64_t old = atomic_load_explicit(word, memory_order_relaxed); /* one writer */
        atomic_store_explicit(word, old | bits.mask[i], memory_order_relaxed);
    }
    filter->key_count++;
}
