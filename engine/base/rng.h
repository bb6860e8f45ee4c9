/* A small seeded generator (splitmix64) for layout decisions and tests; never for secrets. */
#ifndef YR_RNG_H
#define YR_RNG_H

#include <stdint.h>

typedef struct yr_rng {
    uint64_t state;
} yr_rng;

static inline uint64_t yr_rng_next(yr_rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}
/* 0 .. bound-1; bound > 0. */
static inline uint64_t yr_rng_below(yr_rng *rng, uint64_t bound)
{
    return __extension__(uint64_t)(((unsigned __int128)yr_rng_next(rng) * bound) >> 64);
}

#endif
