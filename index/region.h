/* A region: one reserved range of address space from which a memtable allocates, addressed by 32-bit
 * references in units of 8 bytes (16 GiB at most, because the tree keeps one bit of a reference).
 *
 * Bump allocation; blocks that die one by one (tree nodes, history arrays) come back through size-class
 * free lists, after the epoch says no reader can hold them. One writer; readers only dereference.
 */
#ifndef YR_REGION_H
#define YR_REGION_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/base/epoch.h"
#include "engine/base/yr_assert.h"

typedef uint32_t yr_ref; /* 0 = none */

#define YR_REGION_UNIT 8u
#define YR_REGION_BYTES_MAX (UINT64_C(1) << 34)
#define YR_REGION_CLASSES 160u                 /* free lists for blocks of 8, 16, ... up to 1,280 bytes */
#define YR_REGION_LARGE 100u                   /* for larger ones, four to each power of two */
#define YR_REGION_PREFAULT (UINT64_C(2) << 20) /* how far ahead of the cursor pages are asked for */

typedef struct yr_region {
    /* Read by everyone, written never after init. The padding keeps it off the writer's cache lines wherever
     * the struct is allocated (128: neighbouring lines are fetched in pairs). */
    uint8_t *base;
    uint64_t capacity; /* bytes */
    uint8_t pad[112];
    /* The writer's. The atomics have one writer; stats threads read them relaxed, as plain numbers. */
    _Atomic uint64_t used;       /* bytes handed out from the start, free blocks included */
    _Atomic uint64_t free_bytes; /* in free lists */
    /* Pages below this offset were asked for or touched. The writer's, and of the one thread that may run ahead
     * of it with yr_region_prefault_ahead. */
    _Atomic uint64_t prefaulted;
    uint64_t aside; /* bytes at the end that are kept for a promise; the writer's */
    yr_ref free_small[YR_REGION_CLASSES + 1];
    yr_ref free_large[YR_REGION_LARGE];
    uint64_t small_bits[YR_REGION_CLASSES / 64 + 1]; /* which of free_small are not empty */
    const yore_env *env;
    yr_retire_list retired;
} yr_region;

/* First touch of memory is a good part of what a small write costs, so another thread may do it ahead of the
 * writer. Is it time to? (Any thread; a hint.) */
bool yr_region_wants_pages(const yr_region *region);
/* Ask for the next few pages beyond what is used; false when there are enough. One thread at a time, beside the
 * writer. */
bool yr_region_prefault_ahead(yr_region *region);

/* False when the address space is refused. */
bool yr_region_init(yr_region *region, const yore_env *env, uint64_t bytes_max);
/* No reader may be inside any more. A zeroed region is fine. */
void yr_region_deinit(yr_region *region);
/* Writer: keep `bytes` out of every allocation until yr_region_give_back. False when they are not there. */
bool yr_region_set_aside(yr_region *region, uint64_t bytes);
void yr_region_give_back(yr_region *region);

/* 8-aligned, zeroed on first use but NOT after reuse from a free list; 0 when the region is full. */
yr_ref yr_region_alloc(yr_region *region, uint64_t bytes);
/* Give a block back once no reader can hold it. `bytes` as asked for. */
void yr_region_retire(yr_region *region, yr_ref ref, uint64_t bytes);
/* Give a block back now: it was never published. */
void yr_region_free(yr_region *region, yr_ref ref, uint64_t bytes);

static inline void *yr_region_at(const yr_region *region, yr_ref ref)
{
    return region->base + (uint64_t)ref * YR_REGION_UNIT;
}

#endif
