#include "engine/segment/block_cache.h"

#include <stdatomic.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/thread.h"
#include "engine/base/yr_assert.h"

#define SHARDS_MAX 64u
#define SHARD_BYTES_AIM (4u << 20) /* a shard less than this is not worth having */
#define TABLE_START 64u
/* No block of a segment is larger; values may be, and one that takes up most of its shard is not kept. */
#define KEPT_BYTES (1u << 20)

enum entry_state { ENTRY_LOADING, ENTRY_READY };

typedef struct cache_shard cache_shard;

struct yr_cache_entry {
    yr_cache_key key;
    uint64_t hash;
    yr_cache_entry *next_in_slot; /* guarded by the shard's lock, as all below but `pins` and `data` */
    yr_cache_entry *ring_next;
    yr_cache_entry *ring_prev;
    size_t size;
    enum entry_state state;
    bool was_used;     /* since the hand came by */
    cache_shard *home; /* of a large entry its shard, NULL of others; immutable */
    /* Rises from zero under the lock; falls anywhere (release, pairs with the evictor's acquire load: the reader is
     * done), but of a large entry under the lock. */
    _Atomic uint32_t pins;
    uint8_t data[];
};

struct cache_shard {
    _Alignas(128) yr_mutex lock;
    const yore_env *env;    /* immutable */
    yr_cond loaded;         /* a load ended, well or badly */
    yr_cache_entry **slots; /* slot_count of them, a power of two */
    size_t slot_count;
    size_t count;
    yr_cache_entry *hand; /* the ring of ready entries that are not large; NULL = none */
    uint64_t bytes;
    uint64_t large_bytes; /* of `bytes` */
    uint64_t bytes_max;
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
};

struct yr_block_cache {
    const yore_env *env;
    uint32_t shard_count; /* immutable */
    _Atomic uint64_t next_file;
    cache_shard shards[];
};

static size_t entry_bytes(size_t size)
{
    return sizeof(yr_cache_entry) + size;
}

static uint32_t shards_for(uint64_t bytes_max)
{
    uint32_t n = 1;
    while (n < SHARDS_MAX && (uint64_t)n * 2 * SHARD_BYTES_AIM <= bytes_max) n *= 2;
    return n;
}

static size_t cache_bytes(uint32_t shard_count)
{
    return sizeof(yr_block_cache) + shard_count * sizeof(cache_shard);
}

yore_status yr_block_cache_create(const yore_env *env, uint64_t bytes_max, yr_block_cache **out,
                                  yore_error *err)
{
    uint32_t shard_count = shards_for(bytes_max);
    yr_block_cache *cache = yr_alloc_lines(env, cache_bytes(shard_count));
    if (!cache) return yr_fail(err, YORE_ERR_NOMEM, "no memory for a block cache");
    cache->env = env;
    cache->shard_count = shard_count;
    for (uint32_t i = 0; i < shard_count; i++) {
        cache_shard *shard = &cache->shards[i];
        yr_mutex_init(&shard->lock, YR_RANK_BLOCK_CACHE);
        yr_cond_init(&shard->loaded);
        shard->env = env;
        shard->bytes_max = bytes_max / shard_count;
    }
    for (uint32_t i = 0; i < shard_count; i++) {
        cache->shards[i].slot_count = TABLE_START;
        cache->shards[i].slots = yr_alloc_zero(env, TABLE_START * sizeof(yr_cache_entry *));
        if (!cache->shards[i].slots) {
            yr_block_cache_destroy(cache);
            return yr_fail(err, YORE_ERR_NOMEM, "no memory for a block cache");
        }
    }
    *out = cache;
    return YORE_OK;
}

/* -- table and ring; the shard is locked -- */

static yr_cache_entry **slot_of(cache_shard *shard, uint64_t hash)
{
    return &shard->slots[hash & (shard->slot_count - 1)];
}

static yr_cache_entry *shard_find(cache_shard *shard, yr_cache_key key, uint64_t hash)
{
    yr_cache_entry *entry = *slot_of(shard, hash);
    while (entry && (entry->key.file != key.file || entry->key.block != key.block))
        entry = entry->next_in_slot;
    return entry;
}

/* Doubling is a convenience: without memory the chains grow instead. */
static void shard_grow(const yore_env *env, cache_shard *shard)
{
    size_t wanted = shard->slot_count * 2;
    yr_cache_entry **slots = yr_alloc_zero(env, wanted * sizeof(yr_cache_entry *));
    if (!slots) return;
    for (size_t i = 0; i < shard->slot_count; i++) {
        for (yr_cache_entry *entry = shard->slots[i], *next; entry; entry = next) {
            next = entry->next_in_slot;
            entry->next_in_slot = slots[entry->hash & (wanted - 1)];
            slots[entry->hash & (wanted - 1)] = entry;
        }
    }
    yr_free(env, shard->slots, shard->slot_count * sizeof(yr_cache_entry *));
    shard->slots = slots;
    shard->slot_count = wanted;
}

static void shard_insert(const yore_env *env, cache_shard *shard, yr_cache_entry *entry)
{
    if (shard->count >= shard->slot_count) shard_grow(env, shard);
    yr_cache_entry **slot = slot_of(shard, entry->hash);
    entry->next_in_slot = *slot;
    *slot = entry;
    shard->count++;
    shard->bytes += entry_bytes(entry->size);
    if (entry->home) shard->large_bytes += entry_bytes(entry->size);
}

static void shard_remove(cache_shard *shard, yr_cache_entry *entry)
{
    yr_cache_entry **slot = slot_of(shard, entry->hash);
    while (*slot != entry) slot = &(*slot)->next_in_slot;
    *slot = entry->next_in_slot;
    shard->count--;
    shard->bytes -= entry_bytes(entry->size);
    if (entry->home) shard->large_bytes -= entry_bytes(entry->size);
}

/* In front of the hand: the last place it comes to. */
static void ring_add(cache_shard *shard, yr_cache_entry *entry)
{
    yr_cache_entry *hand = shard->hand;
    if (!hand) {
        entry->ring_next = entry->ring_prev = entry;
        shard->hand = entry;
        return;
    }
    entry->ring_next = hand;
    entry->ring_prev = hand->ring_prev;
    hand->ring_prev->ring_next = entry;
    hand->ring_prev = entry;
}

static void ring_remove(cache_shard *shard, yr_cache_entry *entry)
{
    if (shard->hand == entry) shard->hand = entry->ring_next == entry ? NULL : entry->ring_next;
    entry->ring_prev->ring_next = entry->ring_next;
    entry->ring_next->ring_prev = entry->ring_prev;
}

static void entry_drop(const yore_env *env, cache_shard *shard, yr_cache_entry *entry)
{
    ring_remove(shard, entry);
    shard_remove(shard, entry);
    yr_free(env, entry, entry_bytes(entry->size));
}

/* Evict until the budget holds, or everything left was pinned or spared twice. */
static void shard_shrink(const yore_env *env, cache_shard *shard)
{
    size_t looks = 2 * shard->count;
    while (shard->bytes - shard->large_bytes > shard->bytes_max && shard->hand && looks-- > 0) {
        yr_cache_entry *entry = shard->hand;
        /* acquire: pairs with yr_block_pin_release */
        bool is_pinned = atomic_load_explicit(&entry->pins, memory_order_acquire) != 0;
        if (is_pinned || entry->was_used) {
            entry->was_used = false;
            shard->hand = entry->ring_next;
            continue;
        }
        entry_drop(env, shard, entry);
        shard->evictions++;
    }
}

/* -- the interface -- */

static cache_shard *shard_of(yr_block_cache *cache, uint64_t hash)
{
    return &cache->shards[(hash >> 48) & (cache->shard_count - 1)];
}

static uint64_t key_hash(yr_cache_key key)
{
    uint64_t h = (key.block ^ key.file * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xBF58476D1CE4E5B9);
    h = (h ^ h >> 29) * UINT64_C(0x94D049BB133111EB);
    return h ^ h >> 32;
}

static void pin_take(yr_cache_entry *entry, yr_block_pin *pin)
{
    atomic_fetch_add_explicit(&entry->pins, 1, memory_order_relaxed); /* under the lock */
    *pin = (yr_block_pin){.data = entry->data, .size = entry->size, .entry = entry};
}

/* Load into an entry that is in the table as loading, unlocked; then say how it went. */
static yore_status entry_load(yr_block_cache *cache, cache_shard *shard, yr_cache_entry *entry,
                              yr_block_load load, void *arg, yr_block_pin *pin, yore_error *err)
{
    yore_status status = load(arg, entry->data, entry->size, err);
    yr_mutex_lock(&shard->lock);
    if (status == YORE_OK) {
        entry->state = ENTRY_READY;
        if (!entry->home) ring_add(shard, entry);
        pin_take(entry, pin);
        shard_shrink(cache->env, shard);
    } else {
        shard_remove(shard, entry);
    }
    yr_cond_broadcast(&shard->loaded);
    yr_mutex_unlock(&shard->lock);
    if (status != YORE_OK) yr_free(cache->env, entry, entry_bytes(entry->size));
    return status;
}

yore_status yr_block_cache_get(yr_block_cache *cache, yr_cache_key key, size_t size, yr_block_load load,
                               void *arg, yr_block_pin *pin, yore_error *err)
{
    uint64_t hash = key_hash(key);
    cache_shard *shard = shard_of(cache, hash);
    yr_cache_entry *fresh = NULL; /* allocated without the lock, then looked again */
    yr_mutex_lock(&shard->lock);
    for (;;) {
        yr_cache_entry *entry = shard_find(shard, key, hash);
        if (entry && entry->state == ENTRY_LOADING) {
            yr_cond_wait(&shard->loaded, &shard->lock);
        } else if (entry && entry->size != size) { /* the table that says so was read twice, and differs */
            yr_mutex_unlock(&shard->lock);
            yr_free(cache->env, fresh, entry_bytes(size));
            return yr_fail(err, YORE_ERR_CORRUPT, "a block changed from %zu to %zu bytes", entry->size, size);
        } else if (entry) {
            entry->was_used = true;
            shard->hits++;
            pin_take(entry, pin);
            break;
        } else if (fresh) {
            shard->misses++;
            *fresh = (yr_cache_entry){.key = key, .hash = hash, .size = size, .state = ENTRY_LOADING};
            if (size > KEPT_BYTES && size > shard->bytes_max / 2) fresh->home = shard;
            shard_insert(cache->env, shard, fresh);
            yr_mutex_unlock(&shard->lock);
            return entry_load(cache, shard, fresh, load, arg, pin, err);
        } else {
            yr_mutex_unlock(&shard->lock);
            fresh = yr_alloc(cache->env, entry_bytes(size));
            if (!fresh) return yr_fail(err, YORE_ERR_NOMEM, "no memory for a block of %zu bytes", size);
            yr_mutex_lock(&shard->lock);
        }
    }
    yr_mutex_unlock(&shard->lock);
    yr_free(cache->env, fresh, entry_bytes(size));
    return YORE_OK;
}

yr_block_pin yr_block_pin_copy(const yr_block_pin *pin)
{
    /* relaxed: the copied pin keeps the entry from the evictor, so nobody decides on this number meanwhile */
    if (pin->entry) atomic_fetch_add_explicit(&pin->entry->pins, 1, memory_order_relaxed);
    return *pin;
}

/* A large entry goes with its last pin. */
static void large_release(yr_cache_entry *entry)
{
    cache_shard *shard = entry->home;
    yr_mutex_lock(&shard->lock);
    /* acq_rel: pairs with the other threads' releases; their reads were before the memory is given back */
    bool is_last = atomic_fetch_sub_explicit(&entry->pins, 1, memory_order_acq_rel) == 1;
    if (is_last) shard_remove(shard, entry);
    yr_mutex_unlock(&shard->lock);
    if (is_last) yr_free(shard->env, entry, entry_bytes(entry->size));
}

void yr_block_pin_release(yr_block_pin *pin)
{
    yr_cache_entry *entry = pin->entry;
    if (entry && entry->home) {
        large_release(entry);
    } else if (entry) {
        /* release: pairs with the evictor's load; what was read here was read before */
        atomic_fetch_sub_explicit(&entry->pins, 1, memory_order_release);
    }
    *pin = (yr_block_pin){0};
}

uint64_t yr_block_cache_file(yr_block_cache *cache)
{
    return atomic_fetch_add_explicit(&cache->next_file, 1, memory_order_relaxed) + 1; /* only unique */
}

void yr_block_cache_drop(yr_block_cache *cache, uint64_t file)
{
    for (uint32_t s = 0; s < cache->shard_count; s++) {
        cache_shard *shard = &cache->shards[s];
        yr_mutex_lock(&shard->lock);
        for (size_t i = 0; i < shard->slot_count; i++) {
            for (yr_cache_entry *entry = shard->slots[i], *next; entry; entry = next) {
                next = entry->next_in_slot;
                if (entry->key.file != file) continue;
                YR_ASSERT(entry->state == ENTRY_READY);
                /* acquire: pairs with yr_block_pin_release */
                YR_ASSERT(atomic_load_explicit(&entry->pins, memory_order_acquire) == 0);
                entry_drop(cache->env, shard, entry);
            }
        }
        yr_mutex_unlock(&shard->lock);
    }
}

void yr_block_cache_resize(yr_block_cache *cache, uint64_t bytes_max)
{
    for (uint32_t s = 0; s < cache->shard_count; s++) {
        cache_shard *shard = &cache->shards[s];
        yr_mutex_lock(&shard->lock);
        shard->bytes_max = bytes_max / cache->shard_count;
        shard_shrink(cache->env, shard);
        yr_mutex_unlock(&shard->lock);
    }
}

void yr_block_cache_stats_get(yr_block_cache *cache, yr_block_cache_stats *stats)
{
    *stats = (yr_block_cache_stats){0};
    for (uint32_t s = 0; s < cache->shard_count; s++) {
        cache_shard *shard = &cache->shards[s];
        yr_mutex_lock(&shard->lock);
        stats->hits += shard->hits;
        stats->misses += shard->misses;
        stats->evictions += shard->evictions;
        stats->bytes += shard->bytes;
        stats->entries += shard->count;
        yr_mutex_unlock(&shard->lock);
    }
}

static const char *shard_check(cache_shard *shard)
{
    uint64_t bytes = 0, large_bytes = 0;
    size_t count = 0, ready = 0, ring = 0;
    for (size_t i = 0; i < shard->slot_count; i++) {
        for (yr_cache_entry *entry = shard->slots[i]; entry; entry = entry->next_in_slot) {
            if ((entry->hash & (shard->slot_count - 1)) != i) return "an entry in the wrong slot";
            if (shard_find(shard, entry->key, entry->hash) != entry) return "a key twice";
            bytes += entry_bytes(entry->size);
            count++;
            if (entry->home) {
                large_bytes += entry_bytes(entry->size);
            } else {
                ready += entry->state == ENTRY_READY;
            }
        }
    }
    for (yr_cache_entry *entry = shard->hand; entry; entry = entry->ring_next) {
        if (entry->ring_next->ring_prev != entry) return "a broken ring";
        ring++;
        if (entry->ring_next == shard->hand || ring > count) break;
    }
    if (count != shard->count || ring != ready) return "wrong count";
    return bytes == shard->bytes && large_bytes == shard->large_bytes ? NULL : "wrong bytes";
}

bool yr_block_cache_check(yr_block_cache *cache, const char **problem)
{
    *problem = NULL;
    for (uint32_t s = 0; s < cache->shard_count && !*problem; s++) {
        cache_shard *shard = &cache->shards[s];
        yr_mutex_lock(&shard->lock);
        *problem = shard_check(shard);
        yr_mutex_unlock(&shard->lock);
    }
    return !*problem;
}

void yr_block_cache_destroy(yr_block_cache *cache)
{
    if (!cache) return;
    const yore_env *env = cache->env;
    for (uint32_t s = 0; s < cache->shard_count; s++) {
        cache_shard *shard = &cache->shards[s];
        while (shard->hand) {
            /* acquire: pairs with yr_block_pin_release */
            YR_ASSERT(atomic_load_explicit(&shard->hand->pins, memory_order_acquire) == 0);
            entry_drop(env, shard, shard->hand);
        }
        YR_ASSERT(shard->count == 0);
        yr_free(env, shard->slots, shard->slot_count * sizeof(yr_cache_entry *));
        yr_cond_deinit(&shard->loaded);
        yr_mutex_deinit(&shard->lock);
    }
    yr_free_lines(env, cache, cache_bytes(cache->shard_count));
}
