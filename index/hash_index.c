/* Owns the sharded hash table.
 *
 * Bucket, 64 bytes, on a cache line:
 *   off size
 *    0  20  10 tags of 16 bits, 0 = empty slot; stored and loaded as words (u64, u64, u32)
 *   20   4  overflow: how many keys passed this bucket on their way to a later one; the top bit says that
 *           some key whose home this is was spilled to the tree (it is never cleared: it only costs time)
 *   24  40  10 entry references
 *
 * A shard is one word: the address of its buckets, whose low 6 bits hold log2 of their number (a table is
 * 64-byte aligned), so a reader gets table and size in one atomic load. 0 = no table yet.
 *
 * H1 A slot's reference is stored before its tag, both with release; tag and reference are loaded with acquire.
 *    A freed slot may be reused at once: a reader that still holds the old tag finds another complete entry
 *    behind it and compares keys.
 * H2 overflow(b) = number of stored keys whose home is b or before and whose bucket is after b. It rises
 *    before the key's tag is published, and falls after the tag is cleared.
 * H3 A table never changes its size: a doubled copy is published in the shard's word, the old one retired.
 * H4 A stored key is at most YR_HASH_PROBE_MAX - 1 buckets after its home, when there is a tree.
 */
#include "index/hash_index.h"

#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define SLOTS YR_HASH_BUCKET_SLOTS
#define SHARD_SHIFT 54u
#define LINE 64u
#define SPILLED UINT32_C(0x80000000)
#define FIRST_SLAB 16u /* one-bucket tables come in slabs of so many */

typedef struct bucket {
    _Atomic uint64_t tags[2];
    _Atomic uint32_t tags_tail;
    _Atomic uint32_t overflow;
    _Atomic yr_ref refs[SLOTS];
} bucket;
_Static_assert(sizeof(bucket) == LINE, "a bucket is a cache line");
_Static_assert(UINT64_MAX >> SHARD_SHIFT == YR_HASH_SHARDS - 1, "the top bits pick the shard");

typedef struct table {
    bucket *buckets;
    uint64_t mask; /* buckets - 1 */
} table;

typedef struct slab {
    struct slab *next;
    uint32_t taken;
} slab;

struct yr_hash_index {
    /* Read by everyone; constant but for the shard words, which change when a shard doubles. */
    const yr_region *region;
    const yr_art *tree;
    uint64_t secret;
    _Atomic uintptr_t shards[YR_HASH_SHARDS];
    uint8_t pad[128];
    /* The writer's; count, spilled and bytes are loaded relaxed by stats threads. */
    const yore_env *env;
    _Atomic uint64_t count, spilled, bytes;
    slab *slabs;
    yr_retire_list retired;
    uint32_t stored[YR_HASH_SHARDS]; /* keys in the shard's table */
};

/* -- words -- */

/* 0 marks an empty slot; of the 65,536 tags only that one is folded onto another. */
static uint16_t tag_of(uint64_t hash)
{
    uint16_t tag = (uint16_t)(hash >> 32);
    return tag ? tag : 1;
}

static uint32_t shard_of(uint64_t hash)
{
    return (uint32_t)(hash >> SHARD_SHIFT);
}

static uintptr_t shard_word(bucket *buckets, uint32_t log2)
{
    return (uintptr_t)buckets | log2;
}

static table table_of(uintptr_t word)
{
    uint64_t size = UINT64_C(1) << (word & (LINE - 1));
    return (table){.buckets = (bucket *)(word & ~(uintptr_t)(LINE - 1)), .mask = size - 1};
}

/* The shard's table; its buckets are NULL when it has none yet. */
static table load_table(const yr_hash_index *index, uint64_t hash)
{
    /* acquire: pairs with the release in publish_table, so that the buckets are seen filled */
    return table_of(atomic_load_explicit(&index->shards[shard_of(hash)], memory_order_acquire));
}

/* One writer: no read-modify-write is needed. */
static void add_relaxed(_Atomic uint64_t *counter, uint64_t delta)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + delta, memory_order_relaxed);
}

static uint64_t probe_limit(const yr_hash_index *index, table t)
{
    return index->tree && t.mask >= YR_HASH_PROBE_MAX ? YR_HASH_PROBE_MAX : t.mask + 1;
}

/* The slots whose tag is `tag`, as a bit set. */
static uint32_t match_tags(const bucket *b, uint16_t tag)
{
    /* acquire: pair with the release in store_tag (H1) */
    uint64_t low = atomic_load_explicit(&b->tags[0], memory_order_acquire);
    uint64_t high = atomic_load_explicit(&b->tags[1], memory_order_acquire);
    uint32_t tail = atomic_load_explicit(&b->tags_tail, memory_order_acquire);
    uint32_t found = (uint32_t)((uint16_t)tail == tag) << 8 | (uint32_t)((uint16_t)(tail >> 16) == tag) << 9;
#if defined(__SSE2__)
    __m128i words = _mm_set_epi64x((long long)high, (long long)low);
    __m128i equal = _mm_cmpeq_epi16(words, _mm_set1_epi16((short)tag));
    return found | ((uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128())) & 0xFF);
#else
    for (uint32_t i = 0; i < 4; i++) {
        found |= (uint32_t)((uint16_t)(low >> (16 * i)) == tag) << i;
        found |= (uint32_t)((uint16_t)(high >> (16 * i)) == tag) << (i + 4);
    }
    return found;
#endif
}

/* Writer: change one tag by storing its whole word (readers load whole words). */
static void store_tag(bucket *b, uint32_t slot, uint16_t tag, memory_order order)
{
    if (slot >= 8) {
        uint32_t shift = 16 * (slot - 8);
        uint32_t word = atomic_load_explicit(&b->tags_tail, memory_order_relaxed); /* own store */
        word = (word & ~(UINT32_C(0xFFFF) << shift)) | (uint32_t)tag << shift;
        atomic_store_explicit(&b->tags_tail, word, order);
        return;
    }
    uint32_t shift = 16 * (slot % 4);
    uint64_t word = atomic_load_explicit(&b->tags[slot / 4], memory_order_relaxed); /* own store */
    word = (word & ~(UINT64_C(0xFFFF) << shift)) | (uint64_t)tag << shift;
    atomic_store_explicit(&b->tags[slot / 4], word, order);
}

static yr_ref load_ref(const bucket *b, uint32_t slot)
{
    /* acquire: pairs with the release store in store_slot, also when the slot was reused (H1) */
    return atomic_load_explicit(&b->refs[slot], memory_order_acquire);
}

static void store_slot(const yr_hash_index *index, bucket *b, uint32_t slot, uint16_t tag, yr_ref entry)
{
    if (YR_BUG(HASH_BEFORE_ENTRY)) {
        store_tag(b, slot, tag, memory_order_relaxed);
        yr_point(index->env, "hash-insert");
        atomic_store_explicit(&b->refs[slot], entry, memory_order_relaxed);
        return;
    }
    atomic_store_explicit(&b->refs[slot], entry, memory_order_release); /* pairs with load_ref */
    yr_point(index->env, "hash-insert");
    store_tag(b, slot, tag, memory_order_release); /* pairs with match_tags */
}

static uint32_t load_overflow(const bucket *b)
{
    /* relaxed: a key that a reader must find was inserted before the commit that reader acquired, and so was
     * the count; any other key may be missed */
    return atomic_load_explicit(&b->overflow, memory_order_relaxed);
}

static uint64_t entry_hash(const yr_hash_index *index, const yr_entry *entry)
{
    yore_slice key = yr_entry_user_key(entry);
    return yr_branch_hash(yr_key_hash(index->secret, yr_entry_primitive(entry), key.data, key.size),
                          yr_entry_branch(entry));
}

/* -- lookups -- */

static void prefetch_value(const yr_entry *entry)
{
    __builtin_prefetch((const uint8_t *)entry + 64);
    __builtin_prefetch((const uint8_t *)entry + 128);
}

yr_ref yr_hash_index_find(const yr_hash_index *index, uint64_t hash, uint32_t branch, uint32_t primitive,
                          yore_slice user_key)
{
    table t = load_table(index, hash);
    if (!t.buckets) return 0;
    uint16_t tag = tag_of(hash);
    uint64_t limit = probe_limit(index, t);
    uint32_t strangers = 0;
    bool spilled = load_overflow(&t.buckets[hash & t.mask]) & SPILLED;
    for (uint64_t step = 0; step < limit; step++) {
        const bucket *b = &t.buckets[(hash + step) & t.mask];
        for (uint32_t found = match_tags(b, tag); found; found &= found - 1) {
            yr_ref ref = load_ref(b, (uint32_t)__builtin_ctz(found));
            YR_ASSERT(ref != 0); /* H1: a tag never shows before its reference */
            const yr_entry *entry = yr_entry_at(index->region, ref);
            prefetch_value(entry);
            if (YR_LIKELY(yr_entry_is(entry, branch, primitive, user_key))) return ref;
            if (++strangers == YR_HASH_FALSE_MAX && index->tree) goto tree;
        }
        if (!(load_overflow(b) & ~SPILLED)) break;
    }
    if (YR_LIKELY(!spilled)) return 0;
tree:
    return index->tree ? yr_art_find_key(index->tree, branch, primitive, user_key) : 0;
}

void yr_hash_index_prefetch_bucket(const yr_hash_index *index, uint64_t hash)
{
    table t = load_table(index, hash);
    if (t.buckets) __builtin_prefetch(&t.buckets[hash & t.mask]);
}

bool yr_hash_index_prefetch_entry(const yr_hash_index *index, uint64_t hash)
{
    table t = load_table(index, hash);
    if (!t.buckets) return false;
    const bucket *b = &t.buckets[hash & t.mask];
    uint32_t found = match_tags(b, tag_of(hash));
    if (!found) return false;
    const yr_entry *entry = yr_entry_at(index->region, load_ref(b, (uint32_t)__builtin_ctz(found)));
    __builtin_prefetch(entry);
    prefetch_value(entry);
    return true;
}

/* -- tables -- */

/* Aligned to a line; what lies before the first bucket is remembered in the byte in front of it. */
static bucket *alloc_buckets(const yore_env *env, uint64_t size)
{
    uint8_t *raw = yr_alloc_zero(env, (size_t)(size + 1) * LINE);
    if (!raw) return NULL;
    size_t skip = LINE - (uintptr_t)raw % LINE; /* 1 .. 64 */
    raw[skip - 1] = (uint8_t)skip;
    return (bucket *)(void *)(raw + skip);
}

static void free_buckets(void *owner, void *buckets, uint64_t size)
{
    yr_hash_index *index = owner;
    uint8_t *at = buckets;
    add_relaxed(&index->bytes, (uint64_t)0 - (size + 1) * LINE);
    yr_free(index->env, at - at[-1], (size_t)(size + 1) * LINE);
}

/* A shard's first table: one bucket out of a slab. Slabs live as long as the index. */
static bucket *first_bucket(yr_hash_index *index)
{
    if (!index->slabs || index->slabs->taken == FIRST_SLAB) {
        bucket *lines = alloc_buckets(index->env, FIRST_SLAB + 1);
        if (!lines) return NULL;
        slab *head = (slab *)(void *)lines;
        head->next = index->slabs;
        index->slabs = head;
        add_relaxed(&index->bytes, (FIRST_SLAB + 2) * LINE);
    }
    return (bucket *)(void *)index->slabs + ++index->slabs->taken;
}

static void publish_table(yr_hash_index *index, uint32_t shard, bucket *buckets, uint32_t log2)
{
    /* release: pairs with load_table */
    atomic_store_explicit(&index->shards[shard], shard_word(buckets, log2), memory_order_release);
}

/* Put an entry into a table, or spill it; true when it is stored. */
static bool place(const yr_hash_index *index, table t, uint64_t hash, yr_ref entry)
{
    uint64_t limit = probe_limit(index, t);
    uint64_t step = 0;
    uint32_t empty = 0;
    for (; step < limit; step++) {
        empty = match_tags(&t.buckets[(hash + step) & t.mask], 0);
        if (empty) break;
    }
    if (!empty) {
        bucket *home = &t.buckets[hash & t.mask];
        atomic_store_explicit(&home->overflow, load_overflow(home) | SPILLED, memory_order_relaxed);
        return false;
    }
    for (uint64_t i = 0; i < step; i++) { /* H2 */
        bucket *passed = &t.buckets[(hash + i) & t.mask];
        atomic_store_explicit(&passed->overflow, load_overflow(passed) + 1, memory_order_relaxed);
    }
    store_slot(index, &t.buckets[(hash + step) & t.mask], (uint32_t)__builtin_ctz(empty), tag_of(hash),
               entry);
    return true;
}

static void prefetch_bucket_entries(const yr_hash_index *index, const bucket *b)
{
    uint32_t empty = match_tags(b, 0);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (!(empty >> slot & 1)) __builtin_prefetch(yr_entry_at(index->region, load_ref(b, slot)));
    }
}

/* Double a shard's table. False when memory is out; nothing has changed. */
static bool grow(yr_hash_index *index, uint32_t shard)
{
    uintptr_t word = atomic_load_explicit(&index->shards[shard], memory_order_relaxed); /* own store */
    table old = table_of(word);
    uint32_t log2 = (uint32_t)(word & (LINE - 1));
    if (!old.buckets) {
        bucket *first = first_bucket(index);
        if (first) publish_table(index, shard, first, 0);
        return first != NULL;
    }
    uint64_t size = old.mask + 1;
    table new = {.buckets = alloc_buckets(index->env, size * 2), .mask = size * 2 - 1};
    if (!new.buckets) return false;
    add_relaxed(&index->bytes, (size * 2 + 1) * LINE);
    uint32_t stored = 0;
    for (uint64_t i = 0; i < size; i++) {
        bucket *b = &old.buckets[i];
        if (i + 2 < size) prefetch_bucket_entries(index, &old.buckets[i + 2]);
        if (load_overflow(b) & SPILLED) { /* whose homes the spilled keys would have now is not known: both */
            atomic_store_explicit(&new.buckets[i].overflow, load_overflow(&new.buckets[i]) | SPILLED,
                                  memory_order_relaxed);
            atomic_store_explicit(&new.buckets[i + size].overflow,
                                  load_overflow(&new.buckets[i + size]) | SPILLED, memory_order_relaxed);
        }
        uint32_t empty = match_tags(b, 0);
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            if (empty >> slot & 1) continue;
            yr_ref ref = load_ref(b, slot);
            stored += place(index, new, entry_hash(index, yr_entry_at(index->region, ref)), ref);
        }
    }
    add_relaxed(&index->spilled, index->stored[shard] - stored);
    index->stored[shard] = stored;
    publish_table(index, shard, new.buckets, log2 + 1);
    if (log2 > 0) yr_retire(&index->retired, old.buckets, size, free_buckets);
    return true;
}

/* -- the writer -- */

bool yr_hash_index_insert(yr_hash_index *index, uint64_t hash, yr_ref entry)
{
    YR_ASSERT(entry != 0);
    uint32_t shard = shard_of(hash);
    table t = load_table(index, hash);
    uint64_t slots = t.buckets ? (t.mask + 1) * SLOTS : 0;
    if (((uint64_t)index->stored[shard] + 1) * 5 > slots * 4) { /* load 0.8 */
        /* Without memory the table may fill up to its last slot. */
        if (!grow(index, shard) && index->stored[shard] == slots) return false;
        t = load_table(index, hash);
    }
    bool stored = place(index, t, hash, entry);
    YR_ASSERT(stored || index->tree);
    index->stored[shard] += stored;
    add_relaxed(&index->spilled, !stored);
    add_relaxed(&index->count, 1);
    return true;
}

/* Where a stored entry is. */
static bool locate(const yr_hash_index *index, table t, uint64_t hash, yr_ref entry, uint64_t *step,
                   uint32_t *slot)
{
    uint64_t limit = probe_limit(index, t);
    for (*step = 0; *step < limit; ++*step) {
        const bucket *b = &t.buckets[(hash + *step) & t.mask];
        for (uint32_t found = match_tags(b, tag_of(hash)); found; found &= found - 1) {
            *slot = (uint32_t)__builtin_ctz(found);
            if (load_ref(b, *slot) == entry) return true;
        }
        if (!(load_overflow(b) & ~SPILLED)) break;
    }
    return false;
}

bool yr_hash_index_remove(yr_hash_index *index, uint64_t hash, yr_ref entry)
{
    table t = load_table(index, hash);
    if (!t.buckets) return false;
    uint64_t step;
    uint32_t slot;
    if (!locate(index, t, hash, entry, &step, &slot)) {
        uint64_t spilled = atomic_load_explicit(&index->spilled, memory_order_relaxed);
        if (!spilled || !(load_overflow(&t.buckets[hash & t.mask]) & SPILLED)) return false;
        add_relaxed(&index->spilled, UINT64_MAX);
        add_relaxed(&index->count, UINT64_MAX);
        return true;
    }
    /* relaxed would do: a reader may still find the entry until its epoch ends; the reference stays behind */
    store_tag(&t.buckets[(hash + step) & t.mask], slot, 0, memory_order_release);
    for (uint64_t i = 0; i < step; i++) { /* H2 */
        bucket *passed = &t.buckets[(hash + i) & t.mask];
        atomic_store_explicit(&passed->overflow, load_overflow(passed) - 1, memory_order_relaxed);
    }
    index->stored[shard_of(hash)]--;
    add_relaxed(&index->count, UINT64_MAX);
    return true;
}

yr_hash_index *yr_hash_index_create(const yore_env *env, const yr_region *region, uint64_t secret)
{
    yr_hash_index *index = yr_alloc_zero(env, sizeof *index);
    if (!index) return NULL;
    index->env = env;
    index->region = region;
    index->secret = secret;
    yr_retire_init(&index->retired, env, index);
    atomic_store_explicit(&index->bytes, sizeof *index, memory_order_relaxed);
    return index;
}

void yr_hash_index_destroy(yr_hash_index *index)
{
    if (!index) return;
    const yore_env *env = index->env;
    yr_retire_deinit(&index->retired);
    for (uint32_t shard = 0; shard < YR_HASH_SHARDS; shard++) {
        uintptr_t word = atomic_load_explicit(&index->shards[shard], memory_order_relaxed);
        if (!word) continue;
        table t = table_of(word);
        if (t.mask > 0) free_buckets(index, t.buckets, t.mask + 1);
    }
    while (index->slabs) {
        slab *head = index->slabs;
        index->slabs = head->next;
        free_buckets(index, head, FIRST_SLAB + 1);
    }
    yr_free(env, index, sizeof *index);
}

void yr_hash_index_set_tree(yr_hash_index *index, const yr_art *tree)
{
    YR_ASSERT(yr_hash_index_count(index) == 0);
    index->tree = tree;
}

uint64_t yr_hash_index_count(const yr_hash_index *index)
{
    return atomic_load_explicit(&index->count, memory_order_relaxed);
}

uint64_t yr_hash_index_spilled(const yr_hash_index *index)
{
    return atomic_load_explicit(&index->spilled, memory_order_relaxed);
}

uint64_t yr_hash_index_bytes(const yr_hash_index *index)
{
    return atomic_load_explicit(&index->bytes, memory_order_relaxed);
}

/* -- check -- */

/* One shard: fills `passed` (one count a bucket, zeroed) with what H2 says the overflow counts are. */
static const char *check_shard(const yr_hash_index *index, uint32_t shard, table t, uint32_t *passed)
{
    uint32_t stored = 0;
    for (uint64_t i = 0; i <= t.mask; i++) {
        uint32_t empty = match_tags(&t.buckets[i], 0);
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            if (empty >> slot & 1) continue;
            yr_ref ref = load_ref(&t.buckets[i], slot);
            if (!ref) return "hash index: a tag without a reference";
            const yr_entry *entry = yr_entry_at(index->region, ref);
            uint64_t hash = entry_hash(index, entry);
            uint64_t step = (i - hash) & t.mask;
            if (shard_of(hash) != shard) return "hash index: an entry in another shard's table";
            if (!(match_tags(&t.buckets[i], tag_of(hash)) >> slot & 1)) return "hash index: a wrong tag";
            if (step >= probe_limit(index, t)) return "hash index: an entry too far from its bucket (H4)";
            if (yr_hash_index_find(index, hash, yr_entry_branch(entry), yr_entry_primitive(entry),
                                   yr_entry_user_key(entry)) != ref) {
                return "hash index: an entry is not found, or twice there";
            }
            for (uint64_t j = 0; j < step; j++) passed[(hash + j) & t.mask]++;
            stored++;
        }
    }
    if (stored != index->stored[shard]) return "hash index: a shard's count is wrong";
    for (uint64_t i = 0; i <= t.mask; i++) {
        if ((load_overflow(&t.buckets[i]) & ~SPILLED) != passed[i])
            return "hash index: a wrong overflow count (H2)";
    }
    return NULL;
}

bool yr_hash_index_check(const yr_hash_index *index, const char **problem)
{
    uint64_t stored = 0;
    *problem = NULL;
    for (uint32_t shard = 0; shard < YR_HASH_SHARDS && !*problem; shard++) {
        uintptr_t word = atomic_load_explicit(&index->shards[shard], memory_order_acquire); /* load_table */
        if (!word) {
            if (index->stored[shard]) *problem = "hash index: a count without a table";
            continue;
        }
        table t = table_of(word);
        size_t size = (size_t)(t.mask + 1) * sizeof(uint32_t);
        uint32_t *passed = yr_alloc_zero(index->env, size);
        if (!passed) {
            *problem = YR_CHECK_NO_MEMORY;
            break;
        }
        *problem = check_shard(index, shard, t, passed);
        yr_free(index->env, passed, size);
        stored += index->stored[shard];
    }
    if (!*problem && stored + yr_hash_index_spilled(index) != yr_hash_index_count(index)) {
        *problem = "hash index: the count is not the sum of the shards";
    }
    return !*problem;
}
