/* What the tests of index/ share: a region with entries in it, sets of keys of many shapes, an environment that
 * can refuse memory. */
#ifndef YR_TEST_INDEX_FIXTURE_H
#define YR_TEST_INDEX_FIXTURE_H

#include "engine/base/rng.h"
#include "index/entry.h"

#define KEY_SETS 11u

/* Distinct keys in ascending order, each with its entry in the region. */
typedef struct key_set {
    const char *name;
    yr_region *region;
    uint32_t count;
    yr_ref *entries; /* in the order of their tree keys */
} key_set;

/* An entry for a key, complete but in no index. */
yr_ref fixture_entry(yr_region *region, uint32_t branch, uint32_t primitive, const void *key, size_t size);
/* At most `count` keys of shape 0 .. KEY_SETS-1; there may be fewer where the shape repeats itself. */
key_set fixture_keys(yr_region *region, uint32_t shape, uint32_t count, yr_rng *rng);
void fixture_keys_free(key_set *set);
yore_slice fixture_key(const key_set *set, uint32_t index);
/* The first index whose tree key is >= key, `count` when there is none. */
uint32_t fixture_lower_bound(const key_set *set, yore_slice key);
uint64_t fixture_hash(const yr_region *region, uint64_t secret, yr_ref entry);

/* The seed: YORE_TEST_SEED, else one from the clock; printed. */
uint64_t fixture_seed(const char *test);

/* The default environment, whose alloc and realloc fail while fixture_memory_left is 0; each call takes one. */
extern int64_t fixture_memory_left;
extern int64_t fixture_live_bytes; /* given out and not given back */
const yore_env *fixture_env(void);

#endif
