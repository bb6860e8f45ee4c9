#include "engine/mem/version_chain.h"

#include "engine/base/yr_assert.h"

/* A history array: `count` slots of {version, reference}. In an index array (kind INDEX) a slot is {first
 * version of the leaf, reference of the leaf array}. */
typedef struct history {
    _Atomic uint32_t count;
    uint16_t capacity_low; /* capacity, split so that the kind fits beside it */
    uint8_t capacity_high;
    uint8_t kind;
    _Atomic uint64_t slots[]; /* version in the high half: comparing slots compares versions */
} history;

enum { HISTORY_FLAT = 0, HISTORY_INDEX = 1, FIRST_CAPACITY = 2, LEAF_CAPACITY = 512, HISTORY_HEADER = 8 };

static uint32_t capacity_of(const history *h)
{
    return h->capacity_low | (uint32_t)h->capacity_high << 16;
}

static uint64_t history_bytes(uint32_t capacity)
{
    return HISTORY_HEADER + 8u * (uint64_t)capacity;
}

static uint64_t slot_of(uint32_t delta, yr_ref ref)
{
    return (uint64_t)delta << 32 | ref;
}

static uint64_t slot_load(const history *h, uint32_t i)
{
    /* relaxed: the acquire of `count` (or of the array's reference) ordered the slot before it */
    return atomic_load_explicit(&h->slots[i], memory_order_relaxed);
}

static yr_ref history_create(yr_region *region, uint32_t capacity, uint8_t kind)
{
    yr_ref ref = yr_region_alloc(region, history_bytes(capacity));
    if (!ref) return 0;
    history *h = yr_region_at(region, ref);
    atomic_store_explicit(&h->count, 0, memory_order_relaxed); /* not published yet */
    h->capacity_low = (uint16_t)capacity;
    h->capacity_high = (uint8_t)(capacity >> 16);
    h->kind = kind;
    return ref;
}

static void history_append(history *h, uint64_t slot)
{
    uint32_t n = atomic_load_explicit(&h->count, memory_order_relaxed); /* only the writer changes it */
    atomic_store_explicit(&h->slots[n], slot, memory_order_relaxed);
    atomic_store_explicit(&h->count, n + 1, memory_order_release); /* pairs with history_count: C1 */
}

static uint32_t history_count(const history *h)
{
    return atomic_load_explicit(&h->count, memory_order_acquire); /* pairs with history_append */
}

/* A copy with more room; the old one is retired after the caller has published the new one. */
static yr_ref history_grow(yr_region *region, const history *old, uint32_t capacity)
{
    yr_ref ref = history_create(region, capacity, old->kind);
    if (!ref) return 0;
    history *h = yr_region_at(region, ref);
    uint32_t n = history_count(old);
    for (uint32_t i = 0; i < n; i++)
        atomic_store_explicit(&h->slots[i], slot_load(old, i), memory_order_relaxed);
    atomic_store_explicit(&h->count, n, memory_order_relaxed); /* published with the reference to the array */
    return ref;
}

static uint32_t next_capacity(uint32_t capacity)
{
    uint32_t next = capacity + capacity / 2;
    return next > LEAF_CAPACITY && capacity < LEAF_CAPACITY ? LEAF_CAPACITY : next;
}

void yr_version_write(yr_version *to, const yr_row *row, uint32_t delta)
{
    to->delta = delta;
    to->value_bytes = (uint32_t)row->value.size;
    to->kind = (uint8_t)(row->op | row->type << 4);
    to->flags = row->expiry_ns ? YR_VERSION_EXPIRY : 0;
    to->meta_bytes = (uint16_t)row->meta.size;
    uint8_t *p = to->data;
    if (row->expiry_ns) {
        yr_put_le64(p, (uint64_t)row->expiry_ns);
        p += 8;
    }
    if (row->value.size) memcpy(p, row->value.data, row->value.size);
    if (row->meta.size) memcpy(p + row->value.size, row->meta.data, row->meta.size);
}

/* Publish an array (or its larger copy) as the entry's history. */
static void publish_history(yr_entry *entry, yr_ref ref)
{
    atomic_store_explicit(&entry->hist, ref, memory_order_release); /* pairs with load_history */
}

static const history *load_history(const yr_region *region, const yr_entry *entry)
{
    yr_ref ref = atomic_load_explicit(&entry->hist, memory_order_acquire); /* pairs with publish_history */
    return ref ? yr_region_at(region, ref) : NULL;
}

static const yr_version *version_at(const yr_region *region, yr_ref ref)
{
    return yr_region_at(region, ref);
}

/* The first history array: both versions, then published. */
static bool push_second(yr_region *region, yr_entry *entry, yr_ref newest, uint64_t slot)
{
    yr_ref ref = history_create(region, FIRST_CAPACITY, HISTORY_FLAT);
    if (!ref) return false;
    history *h = yr_region_at(region, ref);
    history_append(h, slot_of(version_at(region, newest)->delta, newest));
    history_append(h, slot);
    publish_history(entry, ref);
    return true;
}

/* A flat array is full: grow it, or put an index array over it. */
static bool push_full_flat(yr_region *region, yr_entry *entry, yr_ref old_ref, uint64_t slot)
{
    history *old = yr_region_at(region, old_ref);
    uint32_t capacity = capacity_of(old);
    if (capacity < LEAF_CAPACITY) {
        yr_ref ref = history_grow(region, old, next_capacity(capacity));
        if (!ref) return false;
        history_append(yr_region_at(region, ref), slot);
        publish_history(entry, ref);
        yr_region_retire(region, old_ref, history_bytes(capacity));
        return true;
    }
    yr_ref index = history_create(region, FIRST_CAPACITY, HISTORY_INDEX);
    yr_ref leaf = index ? history_create(region, LEAF_CAPACITY, HISTORY_FLAT) : 0;
    if (!leaf) {
        if (index) yr_region_free(region, index, history_bytes(FIRST_CAPACITY));
        return false;
    }
    history_append(yr_region_at(region, leaf), slot);
    history_append(yr_region_at(region, index), slot_of((uint32_t)(slot_load(old, 0) >> 32), old_ref));
    history_append(yr_region_at(region, index), slot_of((uint32_t)(slot >> 32), leaf));
    publish_history(entry, index);
    return true;
}

static bool push_index(yr_region *region, yr_entry *entry, yr_ref index_ref, uint64_t slot)
{
    history *index = yr_region_at(region, index_ref);
    uint32_t n = history_count(index);
    history *last = yr_region_at(region, (yr_ref)slot_load(index, n - 1));
    if (history_count(last) < LEAF_CAPACITY) {
        history_append(last, slot);
        return true;
    }
    yr_ref leaf = history_create(region, LEAF_CAPACITY, HISTORY_FLAT);
    if (!leaf) return false;
    uint64_t leaf_slot = slot_of((uint32_t)(slot >> 32), leaf);
    history_append(yr_region_at(region, leaf), slot);
    if (n < capacity_of(index)) {
        history_append(index, leaf_slot);
        return true;
    }
    yr_ref grown = history_grow(region, index, n + n / 2);
    if (!grown) {
        yr_region_free(region, leaf, history_bytes(LEAF_CAPACITY));
        return false;
    }
    history_append(yr_region_at(region, grown), leaf_slot);
    publish_history(entry, grown);
    yr_region_retire(region, index_ref, history_bytes(n));
    return true;
}

bool yr_chain_push(yr_region *region, yr_entry *entry, yr_ref version)
{
    /* relaxed: the writer reads its own stores */
    yr_ref newest = atomic_load_explicit(&entry->newest, memory_order_relaxed);
    yr_ref hist = atomic_load_explicit(&entry->hist, memory_order_relaxed);
    uint64_t slot = slot_of(version_at(region, version)->delta, version);
    bool done = true;
    if (!hist) {
        /* an entry whose first write was rolled back has no version: the next one is the first again */
        if (newest) done = push_second(region, entry, newest, slot);
    } else {
        history *h = yr_region_at(region, hist);
        uint32_t n = atomic_load_explicit(&h->count, memory_order_relaxed);
        if (h->kind == HISTORY_INDEX) {
            done = push_index(region, entry, hist, slot);
        } else if (n < capacity_of(h)) {
            history_append(h, slot);
        } else {
            done = push_full_flat(region, entry, hist, slot);
        }
    }
    /* release pairs with newest_of: a reader that sees this version sees its bytes and (C2) the array */
    if (done) atomic_store_explicit(&entry->newest, version, memory_order_release);
    return done;
}

void yr_chain_pop(yr_region *region, yr_entry *entry)
{
    yr_ref hist = atomic_load_explicit(&entry->hist, memory_order_relaxed);
    if (!hist) {
        atomic_store_explicit(&entry->newest, 0, memory_order_release); /* pairs with newest_of */
        return;
    }
    history *h = yr_region_at(region, hist);
    if (h->kind == HISTORY_INDEX) {
        uint32_t leaves = atomic_load_explicit(&h->count, memory_order_relaxed);
        history *leaf = yr_region_at(region, (yr_ref)slot_load(h, leaves - 1));
        if (atomic_load_explicit(&leaf->count, memory_order_relaxed) == 1) {
            /* the leaf itself was new: forget it; its block waits in the region until the store closes */
            atomic_store_explicit(&h->count, leaves - 1, memory_order_release); /* pairs with history_count */
            leaf = yr_region_at(region, (yr_ref)slot_load(h, leaves - 2));
        } else {
            atomic_fetch_sub_explicit(&leaf->count, 1, memory_order_release); /* pairs with history_count */
        }
        h = leaf;
    } else {
        atomic_fetch_sub_explicit(&h->count, 1, memory_order_release); /* pairs with history_count */
    }
    uint32_t n = atomic_load_explicit(&h->count, memory_order_relaxed);
    YR_ASSERT(n > 0); /* the first version of a key that has an array is older than the commit undone */
    atomic_store_explicit(&entry->newest, (yr_ref)slot_load(h, n - 1), memory_order_release); /* newest_of */
}

static yr_ref newest_of(const yr_entry *entry)
{
    return atomic_load_explicit(&entry->newest, memory_order_acquire); /* pairs with yr_chain_push */
}

/* How many of the first `n` slots have a version <= cap. Branch-free: the loop's length depends on n only. */
static uint32_t upper_bound(const history *h, uint32_t n, uint32_t cap)
{
    const uint64_t limit = (uint64_t)cap << 32 | UINT32_MAX;
    uint32_t low = 0;
    while (n > 1) {
        uint32_t half = n / 2;
        low = slot_load(h, low + half - 1) <= limit ? low + half : low;
        n -= half;
    }
    return low + (n == 1 && slot_load(h, low) <= limit);
}

static const yr_version *find_in_history(const yr_region *region, const history *h, uint32_t cap)
{
    __builtin_prefetch((const uint8_t *)h + 64);
    uint32_t n = history_count(h);
    uint32_t i = upper_bound(h, n, cap);
    if (i == 0) return NULL;
    if (h->kind == HISTORY_INDEX) {
        h = yr_region_at(region, (yr_ref)slot_load(h, i - 1));
        i = upper_bound(h, history_count(h), cap);
        if (i == 0) return NULL;
    }
    return version_at(region, (yr_ref)slot_load(h, i - 1));
}

const yr_version *yr_chain_find(const yr_region *region, const yr_entry *entry, uint32_t cap, bool past)
{
    const history *h;
    if (past && (h = load_history(region, entry)) != NULL) return find_in_history(region, h, cap);
    yr_ref newest = newest_of(entry);
    if (!newest) return NULL;
    const yr_version *v = version_at(region, newest);
    if (v->delta <= cap) return v;
    /* the array is loaded after `newest`: if this was not the first version the array is there (C2) */
    h = load_history(region, entry);
    return h ? find_in_history(region, h, cap) : NULL;
}

const yr_version *yr_chain_newest(const yr_region *region, const yr_entry *entry)
{
    yr_ref newest = newest_of(entry);
    return newest ? version_at(region, newest) : NULL;
}

uint32_t yr_chain_newest_delta(const yr_region *region, const yr_entry *entry)
{
    const history *h = load_history(region, entry);
    if (!h) {
        const yr_version *only = yr_chain_newest(region, entry);
        return only ? only->delta : 0;
    }
    if (h->kind == HISTORY_INDEX) h = yr_region_at(region, (yr_ref)slot_load(h, history_count(h) - 1));
    return (uint32_t)(slot_load(h, history_count(h) - 1) >> 32);
}

uint32_t yr_chain_count(const yr_region *region, const yr_entry *entry)
{
    const history *h = load_history(region, entry);
    if (!h) return newest_of(entry) ? 1 : 0;
    uint32_t n = history_count(h);
    if (h->kind == HISTORY_FLAT) return n;
    const history *last = yr_region_at(region, (yr_ref)slot_load(h, n - 1));
    return (n - 1) * LEAF_CAPACITY + history_count(last);
}

uint32_t yr_chain_rank(const yr_region *region, const yr_entry *entry, uint32_t cap)
{
    const history *h = load_history(region, entry);
    if (!h) {
        const yr_version *only = yr_chain_newest(region, entry);
        h = load_history(region, entry); /* a second version may have come in between (C2) */
        if (!h) return only && only->delta <= cap;
    }
    uint32_t i = upper_bound(h, history_count(h), cap);
    if (h->kind == HISTORY_FLAT || i == 0) return i;
    const history *leaf = yr_region_at(region, (yr_ref)slot_load(h, i - 1));
    return (i - 1) * LEAF_CAPACITY + upper_bound(leaf, history_count(leaf), cap);
}

const yr_version *yr_chain_at(const yr_region *region, const yr_entry *entry, uint32_t i)
{
    /* `newest` first: when the array is still missing after it, it is the only version (C2) */
    yr_ref only = newest_of(entry);
    const history *h = load_history(region, entry);
    if (!h) return version_at(region, only);
    if (h->kind == HISTORY_INDEX) h = yr_region_at(region, (yr_ref)slot_load(h, i / LEAF_CAPACITY));
    return version_at(region, (yr_ref)slot_load(h, i % LEAF_CAPACITY));
}

bool yr_chain_check(const yr_region *region, const yr_entry *entry, const char **problem)
{
    uint32_t n = yr_chain_count(region, entry);
    const yr_version *before = NULL;
    for (uint32_t i = 0; i < n; i++) {
        const yr_version *v = yr_chain_at(region, entry, i);
        if (before && before->delta >= v->delta) {
            *problem = "versions of a key are not ascending";
            return false;
        }
        before = v;
    }
    if (before != yr_chain_newest(region, entry)) {
        *problem = "a key's newest version is not the last of its history";
        return false;
    }
    return true;
}
