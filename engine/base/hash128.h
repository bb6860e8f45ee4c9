/* XXH3-128 of bytes that come piece by piece: what a whole file is known by. */
#ifndef YR_HASH128_H
#define YR_HASH128_H

#include <stdint.h>

#include <yore/env.h>
#include <yore/types.h>

#define YR_HASH128_BYTES 16u

typedef struct yr_hash128 yr_hash128;

/* NULL when memory is out. */
yr_hash128 *yr_hash128_create(const yore_env *env);
void yr_hash128_destroy(const yore_env *env, yr_hash128 *hash);
void yr_hash128_reset(yr_hash128 *hash);
void yr_hash128_update(yr_hash128 *hash, const void *bytes, size_t size);
/* The hash of everything since the last reset, which may go on. */
void yr_hash128_digest(const yr_hash128 *hash, uint8_t out[YR_HASH128_BYTES]);

/* Of bytes that are all there. */
void yr_hash128_of(const void *bytes, size_t size, uint8_t out[YR_HASH128_BYTES]);

#endif
