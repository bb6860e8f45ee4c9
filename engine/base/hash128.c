#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/base/hash128.h"

#include <string.h>

#include "engine/base/mem.h"

struct yr_hash128 {
    XXH3_state_t state;
};

yr_hash128 *yr_hash128_create(const yore_env *env)
{
    yr_hash128 *hash = yr_alloc_lines(env, sizeof *hash); /* the state wants 64-byte alignment */
    if (hash) yr_hash128_reset(hash);
    return hash;
}

void yr_hash128_destroy(const yore_env *env, yr_hash128 *hash)
{
    if (hash) yr_free_lines(env, hash, sizeof *hash);
}

void yr_hash128_reset(yr_hash128 *hash)
{
    XXH3_INITSTATE(&hash->state);
    (void)XXH3_128bits_reset(&hash->state);
}

void yr_hash128_update(yr_hash128 *hash, const void *bytes, size_t size)
{
    (void)XXH3_128bits_update(&hash->state, bytes, size);
}

static void put(XXH128_hash_t value, uint8_t out[YR_HASH128_BYTES])
{
    XXH128_canonical_t canonical; /* the same bytes on every machine */
    XXH128_canonicalFromHash(&canonical, value);
    memcpy(out, canonical.digest, YR_HASH128_BYTES);
}

void yr_hash128_digest(const yr_hash128 *hash, uint8_t out[YR_HASH128_BYTES])
{
    put(XXH3_128bits_digest(&hash->state), out);
}

void yr_hash128_of(const void *bytes, size_t size, uint8_t out[YR_HASH128_BYTES])
{
    put(XXH3_128bits(bytes, size), out);
}
