/* A blocked Bloom filter of the keys a branch wrote itself, so that a read through a deep lineage skips the
 * hops that cannot have the key without touching the hash index (F. Putze, P. Sanders, J. Singler,
 * "Cache-, Hash- and Space-Efficient Bloom Filters", 2007).
 *
 * One 64-byte block per 40 keys, two bits a key: 1.6 bytes a key. Root branches have none: they are the
 * last hop. One writer; a grown filter is a new one, rebuilt from the branch's own keys, and the old one is
 * retired through the epoch.
 */
#ifndef YR_BRANCH_FILTER_H
#define YR_BRANCH_FILTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <yore/env.h>

typedef struct yr_branch_filter {
    uint32_t block_count;                  /* power of two */
    uint32_t key_count;                    /* writer's */
    _Alignas(64) _Atomic uint64_t words[]; /* 8 a block */
} yr_branch_filter;

/* Sized for `keys` keys; NULL when memory is out. */
yr_branch_filter *yr_branch_filter_create(const yore_env *env, uint32_t keys);
uint64_t yr_branch_filter_bytes(const yr_branch_filter *filter);
void yr_branch_filter_destroy(const yore_env *env, yr_branch_filter *filter);
bool yr_branch_filter_is_full(const yr_branch_filter *filter);
/* Writer. key_hash is yr_key_hash, without the branch. */
void yr_branch_filter_add(yr_branch_filter *filter, uint64_t key_hash);

static inline bool yr_branch_filter_may_contain(const yr_branch_filter *filter, uint64_t key_hash)
{
    uint32_t block = (uint32_t)(key_hash >> 32) & (filter->block_count - 1);
    uint32_t one = (uint32_t)key_hash & 511u, two = (uint32_t)(key_hash >> 9) & 511u;
    /* relaxed: a bit is set before the version that needs it is published, and that version was acquired */
    uint64_t a = atomic_load_explicit(&filter->words[block * 8u + (one >> 6)], memory_order_relaxed);
    uint64_t b = atomic_load_explicit(&filter->words[block * 8u + (two >> 6)], memory_order_relaxed);
    return (a >> (one & 63) & b >> (two & 63) & 1u) != 0;
}

#endif
