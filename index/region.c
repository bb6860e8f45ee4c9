/* Owns a memtable's address space: the bump cursor, the pre-faulting ahead of it, and the free lists.
 *
 * A free block holds {next, units} in its first 8 bytes. Blocks up to 1,280 bytes have one list an exact
 * size; larger ones one list a power of two, list k holding blocks of 2^k units and more. What is left of
 * a large block that is too big goes back as a block of its own.
 *
 * The first pages are left to ordinary faults, so that a store with ten keys costs a few pages; from
 * PREFAULT_FROM on the step grows with what is in use, up to 2 MiB (first-touch faults halve the puts).
 */
#include "index/region.h"

#include <string.h>

#include "engine/base/mem.h"

#if defined(__SANITIZE_ADDRESS__)
#define REGION_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REGION_ASAN 1
#endif
#endif
#ifdef REGION_ASAN
#include <sanitizer/asan_interface.h>
#endif

#define PREFAULT_FROM (UINT64_C(64) << 10)
#define LARGE_TRIES 8u /* blocks of the same power of two looked at before a bigger one is cut */

typedef struct free_block {
    yr_ref next;
    uint32_t units;
} free_block;
_Static_assert(sizeof(free_block) == YR_REGION_UNIT, "a free block fits the smallest allocation");

static uint32_t units_of(uint64_t bytes)
{
    return (uint32_t)((bytes + YR_REGION_UNIT - 1) / YR_REGION_UNIT);
}

static uint32_t log2_floor(uint32_t units)
{
    return 31u - (uint32_t)__builtin_clz(units);
}

/* Plain load and store: the writer is the only one who changes these (stats threads load relaxed). */
static void add_relaxed(_Atomic uint64_t *counter, uint64_t delta)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + delta, memory_order_relaxed);
}

/* A block in a free list may not be read: readers of it would be the bug that epochs exist to prevent. */
static void poison(yr_region *region, yr_ref ref, uint32_t units)
{
    uint8_t *block = yr_region_at(region, ref);
    size_t rest = (size_t)(units - 1) * YR_REGION_UNIT;
#ifndef NDEBUG
    memset(block + YR_REGION_UNIT, 0xDD, rest);
#endif
#ifdef REGION_ASAN
    __asan_poison_memory_region(block + YR_REGION_UNIT, rest);
#else
    (void)block;
    (void)rest;
#endif
}

static void unpoison(void *block, uint64_t bytes)
{
#ifdef REGION_ASAN
    __asan_unpoison_memory_region(block, bytes);
#else
    (void)block;
    (void)bytes;
#endif
}

bool yr_region_init(yr_region *region, const yore_env *env, uint64_t bytes_max)
{
    YR_ASSERT(bytes_max > 0);
    *region = (yr_region){.env = env};
    if (bytes_max > YR_REGION_BYTES_MAX) bytes_max = YR_REGION_BYTES_MAX;
    bytes_max = (bytes_max + 4095) & ~UINT64_C(4095);
    region->base = env->vm_reserve(env->ctx, bytes_max);
    if (!region->base) return false;
    region->capacity = bytes_max;
    atomic_store_explicit(&region->used, YR_REGION_UNIT, memory_order_relaxed); /* reference 0 means none */
    yr_retire_init(&region->retired, env, region);
    return true;
}

void yr_region_deinit(yr_region *region)
{
    if (!region->base) return;
    yr_retire_deinit(&region->retired);
    uint64_t touched = atomic_load_explicit(&region->used, memory_order_relaxed);
    if (touched < region->prefaulted) touched = region->prefaulted;
    unpoison(region->base, touched);
    region->env->vm_release(region->env->ctx, region->base, region->capacity, touched);
    region->base = NULL;
}

static void prefault(yr_region *region, uint64_t used)
{
    uint64_t from = region->prefaulted > used ? region->prefaulted : used;
    uint64_t step = used < YR_REGION_PREFAULT ? used : YR_REGION_PREFAULT;
    if (step < PREFAULT_FROM) step = PREFAULT_FROM;
    if (from >= region->capacity) return;
    if (step > region->capacity - from) step = region->capacity - from;
    region->env->vm_prefault(region->env->ctx, region->base + from, step);
    region->prefaulted = from + step;
}

/* Cut `want` units off a free block of `units`, which is out of its list already. */
static yr_ref cut(yr_region *region, yr_ref ref, uint32_t units, uint32_t want)
{
    YR_ASSERT(units >= want);
    unpoison(yr_region_at(region, ref), (uint64_t)units * YR_REGION_UNIT);
    add_relaxed(&region->free_bytes, (uint64_t)0 - (uint64_t)units * YR_REGION_UNIT);
    if (units > want) yr_region_free(region, ref + want, (uint64_t)(units - want) * YR_REGION_UNIT);
    return ref;
}

static yr_ref take(yr_region *region, yr_ref *link, uint32_t want)
{
    yr_ref ref = *link;
    const free_block *block = yr_region_at(region, ref);
    *link = block->next;
    return cut(region, ref, block->units, want);
}

static yr_ref take_large(yr_region *region, uint32_t want)
{
    uint32_t list = log2_floor(want);
    yr_ref *link = &region->free_large[list];
    for (uint32_t i = 0; *link && i < LARGE_TRIES; i++) {
        free_block *block = yr_region_at(region, *link);
        if (block->units >= want) return take(region, link, want);
        link = &block->next;
    }
    for (list++; list < YR_REGION_LARGE; list++) {
        if (region->free_large[list]) return take(region, &region->free_large[list], want);
    }
    return 0;
}

/* The region is full: cut any free block that is big enough. */
static yr_ref take_any(yr_region *region, uint32_t want)
{
    for (uint32_t units = want; units <= YR_REGION_CLASSES; units++) {
        if (region->free_small[units]) return take(region, &region->free_small[units], want);
    }
    return take_large(region, want);
}

yr_ref yr_region_alloc(yr_region *region, uint64_t bytes)
{
    YR_ASSERT(bytes > 0);
    if (bytes > region->capacity) return 0;
    uint32_t units = units_of(bytes);
    if (units <= YR_REGION_CLASSES) {
        if (region->free_small[units]) return take(region, &region->free_small[units], units);
    } else if (atomic_load_explicit(&region->free_bytes, memory_order_relaxed) >= bytes) {
        yr_ref ref = take_large(region, units);
        if (ref) return ref;
    }
    uint64_t used = atomic_load_explicit(&region->used, memory_order_relaxed);
    uint64_t size = (uint64_t)units * YR_REGION_UNIT;
    if (YR_UNLIKELY(size > region->capacity - used)) {
        (void)yr_retire_collect(&region->retired);
        return take_any(region, units);
    }
    atomic_store_explicit(&region->used, used + size, memory_order_relaxed);
    if (YR_UNLIKELY(used + size > region->prefaulted) && used + size > PREFAULT_FROM) prefault(region, used + size);
    return (yr_ref)(used / YR_REGION_UNIT);
}

void yr_region_free(yr_region *region, yr_ref ref, uint64_t bytes)
{
    uint32_t units = units_of(bytes);
    YR_ASSERT(ref != 0);
    YR_ASSERT(units != 0);
    yr_ref *list = units <= YR_REGION_CLASSES ? &region->free_small[units] : &region->free_large[log2_floor(units)];
    free_block *block = yr_region_at(region, ref);
    *block = (free_block){.next = *list, .units = units};
    *list = ref;
    poison(region, ref, units);
    add_relaxed(&region->free_bytes, (uint64_t)units * YR_REGION_UNIT);
}

static void release_block(void *owner, void *block, uint64_t bytes)
{
    yr_region_free(owner, (yr_ref)(uintptr_t)block, bytes);
}

void yr_region_retire(yr_region *region, yr_ref ref, uint64_t bytes)
{
    YR_ASSERT(ref != 0);
    yr_retire(&region->retired, (void *)(uintptr_t)ref, bytes, release_block); // NOLINT: a word, not an address
}
