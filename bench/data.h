/* The keys and values of every workload: computed, not stored, and cheap enough (a few ns) not to hide the engine.
 *
 * Key number i is "user:" and 16 hex digits of a bijective mix of i, so inserting 0, 1, 2 ... is inserting in
 * random order without repeats. A value is 100 bytes: 50 random for the key, 50 the same for all; version v of a
 * key differs from version v - 1 in its first 8 bytes.
 */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include "bench/bench.h"

#define DATA_KEY_BYTES 21u
#define DATA_VALUE_BYTES 100u
#define DATA_RANDOM_BYTES 50u
#define DATA_VERSIONED_KEY_BYTES (DATA_KEY_BYTES + 8u)
/* Key numbers from here on are never written. */
#define DATA_MISSING (1ull << 40)

/* A permutation of 64-bit numbers (the finaliser of splitmix64). */
static inline uint64_t data_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Eight hex digits of x, the most significant first in memory. */
static inline uint64_t data_hex8(uint32_t x)
{
    uint64_t v = x;
    v = ((v << 16) & 0x0000ffff00000000u) | (v & 0x000000000000ffffu);
    v = ((v << 8) & 0x00ff000000ff0000u) | (v & 0x000000ff000000ffu);
    v = ((v << 4) & 0x0f000f000f000f00u) | (v & 0x000f000f000f000fu);
    uint64_t letters = ((v + 0x0606060606060606u) >> 4) & 0x0101010101010101u;
    v += 0x3030303030303030u + letters * 39u;
    return __builtin_bswap64(v);
}

typedef struct data_key {
    unsigned char bytes[24];
} data_key;

static inline bench_slice data_key_make(data_key *key, uint64_t number)
{
    uint64_t mixed = data_mix(number);
    uint64_t high = data_hex8((uint32_t)(mixed >> 32));
    uint64_t low = data_hex8((uint32_t)mixed);
    memcpy(key->bytes, "user:", 5);
    memcpy(key->bytes + 5, &high, 8);
    memcpy(key->bytes + 13, &low, 8);
    return (bench_slice){key->bytes, DATA_KEY_BYTES};
}

typedef struct data_value {
    unsigned char bytes[104];
} data_value;

/* Once for each buffer: the half that is the same in all values. */
static inline void data_value_init(data_value *value)
{
    for (size_t i = 0; i < sizeof(value->bytes); i++) {
        value->bytes[i] = (unsigned char)('a' + i % 26u);
    }
}

static inline bench_slice data_value_make(data_value *value, uint64_t number, uint64_t version)
{
    uint64_t seed = data_mix(number ^ 0x5851f42d4c957f2du);
    uint64_t words[6];
    words[0] = data_mix(seed ^ version);
    for (uint64_t i = 1; i < 6; i++) {
        words[i] = data_mix(seed + i);
    }
    memcpy(value->bytes, words, sizeof(words));
    memcpy(value->bytes + 48, &seed, 2);
    return (bench_slice){value->bytes, DATA_VALUE_BYTES};
}

/* How the peers keep versions: the key and the complement of the version, big endian, so the newest version at or
 * before v is the first record at or after (key, ~v). */
static inline size_t data_versioned_key(unsigned char *out, bench_slice key, uint64_t version)
{
    uint64_t suffix = __builtin_bswap64(~version);
    memcpy(out, key.data, key.size);
    memcpy(out + key.size, &suffix, 8);
    return key.size + 8;
}

/* A shuffled 0..n-1, the same in every run; freed by the caller. */
uint32_t *data_order(uint64_t n, uint64_t seed);

#endif
