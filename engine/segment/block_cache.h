/* The block cache: decoded blocks of segments, shared by all of a store's readers, bounded by bytes.
 *
 *     status = yr_block_cache_get(cache, key, bytes, load, arg, &pin, err);
 *     use(pin.data, pin.size);
 *     yr_block_pin_release(&pin);
 *
 * Sharded by key; a shard is a hash table of entries and a ring for CLOCK (an entry that was used since the hand came
 * by gets another round). What is pinned stays, so the cache may exceed its budget by what is pinned and by the one
 * block a shard that was loaded last. A block that several threads ask for is loaded once: the others wait, and if the
 * load fails each of them tries for itself, so that each gets an error of its own. An entry (a value) of more than
 * 1 MiB and half a shard is large: it pushes nothing out, and goes with its last pin.
 *
 * B1 an entry is in exactly one shard's table and, when it is not large, ring; or nowhere.   B2 `pins` rises from zero
 * under the shard's lock only; an entry with pins is neither evicted nor moved, and a large one that is ready has some.
 * B3 data is immutable from the moment the entry is ready. */
#ifndef YR_BLOCK_CACHE_H
#define YR_BLOCK_CACHE_H

#include <stdint.h>

#include <yore/env.h>

typedef struct yr_block_cache yr_block_cache;
typedef struct yr_cache_entry yr_cache_entry;

typedef struct yr_cache_key {
    uint64_t file; /* from yr_block_cache_file */
    uint64_t block;
} yr_cache_key;

/* Bytes that stay where they are until released. A pin without an entry borrows something that outlives it. */
typedef struct yr_block_pin {
    const uint8_t *data;
    size_t size;
    yr_cache_entry *entry;
} yr_block_pin;

typedef struct yr_block_cache_stats {
    uint64_t hits;
    uint64_t misses; /* loads */
    uint64_t evictions;
    uint64_t bytes; /* held now */
    uint64_t entries;
} yr_block_cache_stats;

/* Fill exactly `size` bytes. Called without a lock. */
typedef yore_status (*yr_block_load)(void *arg, uint8_t *to, size_t size, yore_error *err);

yore_status yr_block_cache_create(const yore_env *env, uint64_t bytes_max, yr_block_cache **out,
                                  yore_error *err);
/* Nothing may be pinned. NULL is allowed. */
void yr_block_cache_destroy(yr_block_cache *cache);
/* A number for the blocks of one file; never used twice. */
uint64_t yr_block_cache_file(yr_block_cache *cache);
/* Forget a file's blocks, none of which may be pinned or asked for any more. */
void yr_block_cache_drop(yr_block_cache *cache, uint64_t file);
/* Shrink or raise the budget; takes hold at once for what is not pinned. */
void yr_block_cache_resize(yr_block_cache *cache, uint64_t bytes_max);
/* YORE_OK with a pin; the loader's failure; YORE_ERR_NOMEM. */
yore_status yr_block_cache_get(yr_block_cache *cache, yr_cache_key key, size_t size, yr_block_load load,
                               void *arg, yr_block_pin *pin, yore_error *err);
/* Another pin of the same bytes. Any thread that holds the first. */
yr_block_pin yr_block_pin_copy(const yr_block_pin *pin);
/* Release a pin (one of zeros is allowed) and zero it. */
void yr_block_pin_release(yr_block_pin *pin);
void yr_block_cache_stats_get(yr_block_cache *cache, yr_block_cache_stats *stats);
/* B1, byte counts. Quiet callers only. */
bool yr_block_cache_check(yr_block_cache *cache, const char **problem);

#endif
