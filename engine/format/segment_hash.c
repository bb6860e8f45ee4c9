#include "engine/format/segment_hash.h"

uint32_t yr_bucket_count_for(uint64_t keys)
{
    return (uint32_t)((keys * 100 + 849) / 850); /* 10 slots x 0.85 */
}

bool yr_bucket_put(uint8_t *buckets, uint32_t bucket_count, uint64_t hash, uint32_t location)
{
    uint32_t at = yr_bucket_home(hash, bucket_count);
    uint32_t probes = bucket_count < YR_BUCKET_PROBES ? bucket_count : YR_BUCKET_PROBES;
    for (uint32_t n = 0; n < probes; n++) {
        uint8_t *bucket = buckets + (size_t)at * YR_BUCKET_BYTES;
        uint32_t empty = yr_bucket_match(bucket, 0);
        if (empty) {
            uint32_t slot = (uint32_t)__builtin_ctz(empty);
            yr_put_le16(bucket + 2 * (size_t)slot, yr_bucket_fingerprint(hash));
            yr_put_le32(bucket + 24 + 4 * (size_t)slot, location);
            return true;
        }
        yr_put_le32(bucket + 20, yr_bucket_overflow(bucket) + 1);
        at = at + 1 == bucket_count ? 0 : at + 1;
    }
    return false;
}
