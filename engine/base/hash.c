/* XXH3 compiled into this one file, so no symbol of the hash library is exported or needed at run time. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/base/hash.h"

uint64_t yr_hash64(const void *bytes, size_t size, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, size, seed);
}
