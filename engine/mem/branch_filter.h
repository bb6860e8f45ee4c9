/* A blocked Bloom filter of the keys a branch wrote itself, so that a read through a deep lineage skips the
 * hops that cannot have the key without touching the hash index (F. Putze, P. Sanders, J. Singler,
 * "Cache-, Hash- and Space-Efficient Bloom Filters", 2007).
 *
 * One 64-byte block per 40 keys, two bits in each of two of its words a key: 1.6 bytes a key. A hop that is asked in
 * vain (0.8 % of the time; 2 % with one bit in each) costs as much as twenty that are skipped. Root branches have none:
 * they are the last hop. One writer; a grown filter is a new one, rebuilt from the branch's own keys, and the old one
 * is retired through the epoch.
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

/* A filter's address with its size in the low bits, so that a lookup that skips a hop touches one line of the filter
 * and not its head: 0 = none. */
typedef uintptr_t yr_filter_ref;

static inline yr_filter_ref yr_filter_ref_of(const yr_branch_filter *filter)
{
    return (uintptr_t)filter | (uintptr_t)__builtin_ctz(filter->block_count);
}

static inline yr_branch_filter *yr_filter_at(yr_filter_ref ref)
{
    return (yr_branch_filter *)(ref & ~(uintptr_t)63); /* lines are 128-aligned */
}

/* Where a key's bits are: two words of its block, two bits in each. */
typedef struct yr_filter_bits {
    uint32_t word[2];
    uint64_t mask[2];
} yr_filter_bits;

static inline yr_filter_bits yr_filter_bits_of(uint64_t h)
{
    return (yr_filter_bits){
        .word = {(uint32_t)h & 7u, (uint32_t)(h >> 3) & 7u},
        .mask = {UINT64_C(1) << (h >> 6 & 63) | UINT64_C(1) << (h >> 12 & 63),
                 UINT64_C(1) << (h >> 18 & 63) | UINT64_C(1) << (h >> 24 & 63)},
    };
}

static inline bool yr_branch_filter_may_contain(yr_filter_ref ref, uint64_t key_hash)
{
    const yr_branch_filter *filter = yr_filter_at(ref);
    const yr_filter_bits bits = yr_filter_bits_of(key_hash);
    uint32_t block = (uint32_t)(key_hash >> 32) & ((1u << (ref & 63)) - 1);
    const _Atomic uint64_t *words = &filter->words[block * 8u];
    /* relaxed: a bit is set before the version that needs it is published, and that version was acquired */
    uint64_t a = atomic_load_explicit(&words[bits.word[0]], memory_order_relaxed);
    uint64_t b = atomic_load_explicit(&words[bits.word[1]], memory_order_relaxed);
    return ((~a & bits.mask[0]) | (~b & bits.mask[1])) == 0;
}

#endif
