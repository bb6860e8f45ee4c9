/* Owns a memtable's address space: the bump cursor, the pre-faulting ahead of it, and the free lists.
 *
 * A free block holds {next, units} in its first 8 bytes. Blocks up to 1,280 bytes have one list an exact
 * size; larger ones four lists a power of two, so that arrays which grow by half find their own sizes again.
 * A block that is too big is cut, and the rest goes back as a block of its own. Blocks are never joined.
 *
 * When no block has the size asked for and a sixteenth of the region is free, a larger one of the small blocks
 * is cut, but only so that the rest is still good for a tree node: the arrays that a growing history leaves
 * behind would otherwise cost as much as the histories.
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
#define AHEAD_FROM (UINT64_C(2) << 20) /* below this nobody runs ahead of the writer */
#define AHEAD_MIN (UINT64_C(4) << 20)
#define AHEAD_MAX (UINT64_C(16) << 20)
#define REST_UNITS_MIN 5u /* 40 bytes, the smallest tree node */
#define LARGE_TRIES 8u    /* blocks of about the same size looked at */
#define LARGE_LOG2 7u     /* of the smallest large block, in units */
_Static_assert(YR_REGION_CLASSES >> LARGE_LOG2 == 1, "the first large list");
_Static_assert((32 - LARGE_LOG2) * 4 <= YR_REGION_LARGE, "the last large list");

typedef struct free_block {
    yr_ref next;
    uint32_t units;
} free_block;
_Static_assert(sizeof(free_block) == YR_REGION_UNIT, "a free block fits the smallest allocation");

static uint32_t units_of(uint64_t bytes)
{
    return (uint32_t)((bytes + YR_REGION_UNIT - 1) / YR_REGION_UNIT);
}

/* The list of a large block: its highest bit and the two behind it. */
static uint32_t large_list(uint32_t units)
{
    uint32_t log2 = 31u - (uint32_t)__builtin_clz(units);
    return (log2 - LARGE_LOG2) * 4 + (units >> (log2 - 2) & 3);
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
    uint64_t asked = atomic_load_explicit(&region->prefaulted, memory_order_relaxed);
    if (touched < asked) touched = asked;
    unpoison(region->base, touched);
    region->env->vm_release(region->env->ctx, region->base, region->capacity, touched);
    region->base = NULL;
}

/* Ask for `step` bytes of pages behind `from`. Noted before it is done, so that writer and prefaulter, when both are at
 * it, work on different pages: a page that the writer reaches too early costs it a fault and no more. The mark only
 * rises. */
static void prefault_from(yr_region *region, uint64_t from, uint64_t step)
{
    if (from >= region->capacity) return;
    if (step > region->capacity - from) step = region->capacity - from;
    /* relaxed: the pages are the same for every thread; the mark only saves asking again */
    uint64_t mark = atomic_load_explicit(&region->prefaulted, memory_order_relaxed);
    while (mark < from + step &&
           !atomic_compare_exchange_weak_explicit(&region->prefaulted, &mark, from + step,
                                                  memory_order_relaxed, memory_order_relaxed)) {}
    region->env->vm_prefault(region->env->ctx, region->base + from, step);
}

static void prefault(yr_region *region, uint64_t used)
{
    uint64_t mark = atomic_load_explicit(&region->prefaulted, memory_order_relaxed);
    uint64_t step = used < YR_REGION_PREFAULT ? used : YR_REGION_PREFAULT;
    if (step < PREFAULT_FROM) step = PREFAULT_FROM;
    prefault_from(region, mark > used ? mark : used, step);
}

/* How far ahead of the cursor: nothing for small regions, then an eighth of what is used, within limits: what is ahead
 * is memory nobody uses yet. */
static uint64_t ahead_of(uint64_t used)
{
    if (used < AHEAD_FROM) return 0;
    uint64_t ahead = used / 8;
    if (ahead < AHEAD_MIN) return AHEAD_MIN;
    return ahead < AHEAD_MAX ? ahead : AHEAD_MAX;
}

bool yr_region_wants_pages(const yr_region *region)
{
    uint64_t used = atomic_load_explicit(&region->used, memory_order_relaxed);
    uint64_t ahead = ahead_of(used);
    uint64_t mark = atomic_load_explicit(&region->prefaulted, memory_order_relaxed);
    /* half of it gone: so that each wake-up is worth its cost */
    return ahead && used + ahead / 2 > mark && mark < region->capacity;
}

bool yr_region_prefault_ahead(yr_region *region)
{
    uint64_t used = atomic_load_explicit(&region->used, memory_order_relaxed);
    uint64_t mark = atomic_load_explicit(&region->prefaulted, memory_order_relaxed);
    uint64_t end = used + ahead_of(used);
    /* the writer has overtaken: it is in the huge page it uses, so go on behind that one */
    if (mark < used) mark = (used + YR_REGION_PREFAULT - 1) / YR_REGION_PREFAULT * YR_REGION_PREFAULT;
    if (mark >= end || mark >= region->capacity) return false;
    prefault_from(region, mark, YR_REGION_PREFAULT);
    return true;
}

/* Lines nobody has written yet are misses too: have those of the next block on their way, to be written. */
static inline void prefetch_next(const uint8_t *next)
{
    __builtin_prefetch(next, 1);
    __builtin_prefetch(next + 64, 1);
    __builtin_prefetch(next + 128, 1);
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

static yr_ref take_small(yr_region *region, uint32_t units, uint32_t want)
{
    yr_ref *link = &region->free_small[units];
    const free_block *block = yr_region_at(region, *link);
    if (!block->next) region->small_bits[units / 64] &= ~(UINT64_C(1) << (units % 64));
    return take(region, link, want);
}

/* A large block of about the right size, or (any) of any sufficient one. */
static yr_ref take_large(yr_region *region, uint32_t want, bool any)
{
    uint32_t list = want > YR_REGION_CLASSES ? large_list(want) : 0;
    yr_ref *link = &region->free_large[list];
    for (uint32_t i = 0; *link && i < LARGE_TRIES; i++) {
        free_block *block = yr_region_at(region, *link);
        if (block->units >= want) return take(region, link, want);
        link = &block->next;
    }
    for (list++; any && list < YR_REGION_LARGE; list++) {
        if (region->free_large[list]) return take(region, &region->free_large[list], want);
    }
    return 0;
}

/* `want` units cut from the smallest small block of at least `least` units. */
static yr_ref take_cut(yr_region *region, uint32_t least, uint32_t want)
{
    for (uint32_t word = least / 64; least <= YR_REGION_CLASSES && word <= YR_REGION_CLASSES / 64; word++) {
        uint64_t bits = region->small_bits[word];
        if (word == least / 64) bits &= UINT64_MAX << (least % 64);
        if (bits) return take_small(region, word * 64 + (uint32_t)__builtin_ctzll(bits), want);
    }
    return 0;
}

bool yr_region_set_aside(yr_region *region, uint64_t bytes)
{
    uint64_t used = atomic_load_explicit(&region->used, memory_order_relaxed);
    if (bytes > region->capacity - used) return false;
    region->aside = bytes;
    return true;
}

void yr_region_give_back(yr_region *region)
{
    region->aside = 0;
}

yr_ref yr_region_alloc(yr_region *region, uint64_t bytes)
{
    YR_ASSERT(bytes > 0);
    if (bytes > region->capacity) return 0;
    uint32_t units = units_of(bytes);
    uint64_t used = atomic_load_explicit(&region->used, memory_order_relaxed);
    uint64_t free_bytes = atomic_load_explicit(&region->free_bytes, memory_order_relaxed);
    if (units <= YR_REGION_CLASSES && region->free_small[units]) return take_small(region, units, units);
    if (free_bytes >= bytes && free_bytes > used / 16) {
        yr_ref ref = units > YR_REGION_CLASSES ? take_large(region, units, false)
                                               : take_cut(region, units + REST_UNITS_MIN, units);
        if (ref) return ref;
    }
    uint64_t size = (uint64_t)units * YR_REGION_UNIT;
    uint64_t end = region->capacity - region->aside;
    if (YR_UNLIKELY(used > end || size > end - used)) {
        (void)yr_retire_collect(&region->retired);
        yr_ref ref = take_cut(region, units, units);
        return ref ? ref : take_large(region, units, true);
    }
    atomic_store_explicit(&region->used, used + size, memory_order_relaxed);
    prefetch_next(region->base + used + size);
    if (YR_UNLIKELY(used + size > atomic_load_explicit(&region->prefaulted, memory_order_relaxed)) &&
        used + size > PREFAULT_FROM)
        prefault(region, used + size);
    return (yr_ref)(used / YR_REGION_UNIT);
}

void yr_region_free(yr_region *region, yr_ref ref, uint64_t bytes)
{
    uint32_t units = units_of(bytes);
    YR_ASSERT(ref != 0);
    YR_ASSERT(units != 0);
    yr_ref *list = units <= YR_REGION_CLASSES ? &region->free_small[units]
                                              : &region->free_large[large_list(units)];
    free_block *block = yr_region_at(region, ref);
    *block = (free_block){.next = *list, .units = units};
    *list = ref;
    if (units <= YR_REGION_CLASSES) region->small_bits[units / 64] |= UINT64_C(1) << (units % 64);
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
    yr_retire(&region->retired, (void *)(uintptr_t)ref, bytes, release_block);
}
