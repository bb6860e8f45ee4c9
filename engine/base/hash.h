/* XXH3, keyed. Keys are hashed once with the store's random secret; the branch is mixed in afterwards, so
 * a lineage of any depth hashes the key bytes once (flooding a table needs the secret). */
#ifndef YR_HASH_H
#define YR_HASH_H

#include <stdint.h>

#include <yore/types.h>

/* XXH3-64 of `size` bytes with a seed. */
uint64_t yr_hash64(const void *bytes, size_t size, uint64_t seed);

/* The branch-independent hash of a key. */
static inline uint64_t yr_key_hash(uint64_t secret, uint32_t primitive, const void *key, size_t size)
{
    return yr_hash64(key, size, secret + primitive * UINT64_C(0x9E3779B97F4A7C15));
}

/* Mix a branch id into a key hash. */
static inline uint64_t yr_branch_hash(uint64_t key_hash, uint32_t branch)
{
    uint64_t h = (key_hash ^ branch * UINT64_C(0xD6E8FEB86659FD93)) * UINT64_C(0x9FB21C651E98DF25);
    return h ^ h >> 29;
}

#endif
