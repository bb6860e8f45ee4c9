/* The hash index of a segment: 64-byte buckets of 10 fingerprints, an overflow count and 10 locations.
 *
 *   off size
 *    0   20  10 x u16 fingerprint: the low bits of the hash, 1 for 0; 0 = slot is empty
 *   20    4  how many keys that belong here or before went on to a later bucket
 *   24   40  10 x u32 location: main block (20 bits), offset in it / 4 (12 bits)
 *
 * A key's bucket is the high bits of hash * buckets; it sits there or in one of the next buckets (round the end),
 * as long as each before it overflowed, at most YR_BUCKET_PROBES on. One that found no place there is not in the
 * index: its search ends on a bucket that overflowed and must go by key order then.
 * Pure functions over bytes. */
#ifndef YR_SEGMENT_HASH_H
#define YR_SEGMENT_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/bytes.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define YR_BUCKET_BYTES 64u
#define YR_BUCKET_SLOTS 10u
#define YR_BUCKET_PROBES 32u
#define YR_LOCATION_OFF_BITS 12u
#define YR_LOCATION_BLOCKS_MAX (1u << 20)

static inline uint32_t yr_bucket_home(uint64_t hash, uint32_t bucket_count)
{
    return (uint32_t)((hash >> 32) * bucket_count >> 32);
}
static inline uint16_t yr_bucket_fingerprint(uint64_t hash)
{
    return (uint16_t)((uint16_t)hash ? hash : 1);
}
static inline uint32_t yr_location(uint32_t block, uint32_t off)
{
    return block << YR_LOCATION_OFF_BITS | off / 4;
}
static inline uint32_t yr_location_block(uint32_t location)
{
    return location >> YR_LOCATION_OFF_BITS;
}
static inline uint32_t yr_location_off(uint32_t location)
{
    return (location & ((1u << YR_LOCATION_OFF_BITS) - 1)) * 4;
}

/* A bit for each slot whose fingerprint is this. */
static inline uint32_t yr_bucket_match(const uint8_t *bucket, uint16_t fingerprint)
{
#if defined(__SSE2__)
    __m128i want = _mm_set1_epi16((short)fingerprint);
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)bucket);
    uint32_t bits =
        (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(_mm_cmpeq_epi16(low, want), _mm_setzero_si128()));
    bits |= (uint32_t)(yr_get_le16(bucket + 16) == fingerprint) << 8;
    bits |= (uint32_t)(yr_get_le16(bucket + 18) == fingerprint) << 9;
    return bits;
#else
    uint32_t bits = 0;
    for (uint32_t i = 0; i < YR_BUCKET_SLOTS; i++) {
        bits |= (uint32_t)(yr_get_le16(bucket + 2 * (size_t)i) == fingerprint) << i;
    }
    return bits;
#endif
}
static inline uint32_t yr_bucket_overflow(const uint8_t *bucket)
{
    return yr_get_le32(bucket + 20);
}
static inline uint32_t yr_bucket_location(const uint8_t *bucket, uint32_t slot)
{
    return yr_get_le32(bucket + 24 + 4 * (size_t)slot);
}

/* Buckets for so many keys at a load of 0.85; 0 for none. */
uint32_t yr_bucket_count_for(uint64_t keys);
/* Put a key into zeroed buckets. False when it found no place (it is left out, and the search will know). */
bool yr_bucket_put(uint8_t *buckets, uint32_t bucket_count, uint64_t hash, uint32_t location);

#endif
