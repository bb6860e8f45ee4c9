/* The node sizes of the radix tree, and how one word publishes each change. Private to index/art_*.c.
 *
 * A pointer (art_ptr) is a region reference shifted left by one; bit 0 says that it is an entry (a leaf).
 *
 *   all      off 0  type u8, count u8 (the writer's), prefix size u16, end u32
 *   N2        16 B  2 children; its key bytes sit in `count` and in the high byte of the prefix size
 *   N4        32 B  one word {4 key bytes | 4 order nibbles | count}, 4 children
 *   N8        56 B  8 key bytes as a word, order word of nibbles, 8 children
 *   N16       96 B  16 key bytes as 2 words, order word of 16 nibbles, 16 children
 *   N48      456 B  256 slot bytes (0 = none, else slot + 1) as 32 words, 48 children
 *   N256   1,032 B  256 children
 *   behind it       prefix bytes: none, 8 or 16 (all of a prefix up to 16, the first 8 of a longer one)
 *
 * `end` is the entry whose key ends at this node, after the prefix.
 *
 * A1 Type and prefix never change after the node is published. A longer or shorter prefix is a new node. An N2
 *    takes no further child.
 * A2 Slots are filled in the order 0, 1, 2 ... (N256: by byte) and never reused: removing a child replaces the
 *    node. So a key byte, once a reader has seen it, belongs to its slot for good, and only the child word in
 *    that slot changes (when the child is itself replaced).
 * A3 A child is stored before the word that makes it reachable: N4's only word, N8's and N16's key word (for
 *    lookups) and then their order word (for walks), N48's slot word; these are release stores, and readers
 *    acquire them. Child words are stored with release and loaded with acquire too, because replacing a child
 *    is one store.
 * A4 Unused key bytes of N4, N8 and N16 repeat slot 0's, and lookups take the lowest matching slot: so they need
 *    no count. Unused nibbles of an order word repeat the first one, so the word alone says how many children
 *    a walk may see, and a slot filled later cannot show up out of order.
 * A5 An inner node has at least two references (children and end), an N4 at least 3 children (unless its prefix
 *    is too long for an N2), an N8 4, an N16 7, an N48 13, an N256 38: so a key costs at most 40 bytes of nodes.
 * A6 A prefix longer than 16 bytes is compared against a leaf below the node; nodes are never chained for it.
 */
#ifndef YR_ART_NODE_H
#define YR_ART_NODE_H

#include "index/art.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

typedef uint32_t art_ptr;

#define ART_PREFIX_INLINE 16u /* longest prefix that is kept whole */
#define ART_PREFIX_START 8u   /* bytes kept of a longer one */
#define ART_N2_PREFIX_MAX 255u
#define ART_ONES UINT64_C(0x1111111111111111)

enum art_type { ART_N2, ART_N4, ART_N8, ART_N16, ART_N48, ART_N256 };

typedef struct art_node {
    uint8_t type;
    uint8_t count;        /* children modulo 256, only the writer looks; N2: the first key byte */
    uint16_t prefix_size; /* N2: the second key byte in the high byte */
    _Atomic yr_ref end;
} art_node;

typedef struct art_node2 {
    art_node head;
    _Atomic art_ptr child[2]; /* the second is 0 when there is one child (and an end) */
} art_node2;

typedef struct art_node4 {
    art_node head;
    _Atomic uint64_t word;
    _Atomic art_ptr child[4];
} art_node4;

typedef struct art_node8 {
    art_node head;
    _Atomic uint64_t order;
    _Atomic uint64_t keys[1];
    _Atomic art_ptr child[8];
} art_node8;

typedef struct art_node16 {
    art_node head;
    _Atomic uint64_t order;
    _Atomic uint64_t keys[2];
    _Atomic art_ptr child[16];
} art_node16;

typedef struct art_node48 {
    art_node head;
    _Atomic uint64_t slots[32];
    _Atomic art_ptr child[48];
} art_node48;

typedef struct art_node256 {
    art_node head;
    _Atomic art_ptr child[256];
} art_node256;

_Static_assert(sizeof(art_node) == 8, "node header");
_Static_assert(sizeof(art_node2) == 16, "N2");
_Static_assert(sizeof(art_node4) == 32, "N4");
_Static_assert(sizeof(art_node8) == 56, "N8");
_Static_assert(sizeof(art_node16) == 96, "N16");
_Static_assert(sizeof(art_node48) == 456, "N48");
_Static_assert(sizeof(art_node256) == 1032, "N256");
_Static_assert(offsetof(art_node8, keys) == offsetof(art_node16, keys), "N8 and N16 are handled alike");

struct yr_art {
    /* Constant. */
    const uint8_t *base; /* the region's */
    yr_region *region;
    const yore_env *env;
    uint8_t pad1[128];
    /* Loaded by everyone. */
    _Atomic art_ptr root; /* 0 = the tree is empty */
    _Atomic uint32_t later_count;
    _Atomic yr_ref later[YR_ART_LATER_MAX]; /* art_later.c */
    uint8_t pad2[128];
    /* The writer's; loaded relaxed by stats threads. */
    _Atomic uint64_t count, bytes;
};

/* One level of a cursor: the node, and the order its children had when the cursor came by. `at` is -1 on the
 * node's `end`; else a position in `order` (N2 to N16) or a key byte (N48, N256). */
typedef struct yr_art_step {
    uint64_t order;
    yr_ref node;
    int16_t at;
    uint8_t type;
    uint8_t count; /* N2 to N16 */
} art_step;

/* -- pointers -- */

static inline bool art_is_leaf(art_ptr ptr)
{
    return ptr & 1;
}
static inline art_ptr art_leaf(yr_ref entry)
{
    return entry << 1 | 1;
}
static inline yr_ref art_ref(art_ptr ptr)
{
    return ptr >> 1;
}
static inline art_node *art_node_at(const yr_art *art, yr_ref ref)
{
    return yr_region_at(art->region, ref);
}
static inline const yr_entry *art_entry_at(const yr_art *art, yr_ref ref)
{
    return (const yr_entry *)(const void *)(art->base + (uint64_t)ref * YR_REGION_UNIT);
}
static inline yore_slice art_key_at(const yr_art *art, yr_ref ref)
{
    return yr_entry_tree_key(art_entry_at(art, ref));
}
static inline art_ptr art_load(const _Atomic art_ptr *slot)
{
    return atomic_load_explicit(slot, memory_order_acquire); /* pairs with art_store */
}
static inline void art_store(_Atomic art_ptr *slot, art_ptr ptr)
{
    /* release: pairs with art_load; the node or entry behind `ptr` is complete */
    atomic_store_explicit(slot, ptr, memory_order_release);
}
/* The writer looks at what it stored itself. */
static inline art_ptr art_own_ptr(const _Atomic art_ptr *slot)
{
    return atomic_load_explicit(slot, memory_order_relaxed);
}
/* A publishing word, as a reader takes it: pairs with the release stores in yr_art_node_add (A3). */
static inline uint64_t art_word(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}
static inline uint64_t art_own(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* -- nodes -- */

static const uint16_t art_bytes[] = {sizeof(art_node2),  sizeof(art_node4),  sizeof(art_node8),
                                     sizeof(art_node16), sizeof(art_node48), sizeof(art_node256)};
static const uint16_t art_capacity[] = {2, 4, 8, 16, 48, 256};

static inline uint32_t art_prefix_size(const art_node *node)
{
    return node->type == ART_N2 ? node->prefix_size & 0xFF : node->prefix_size;
}
/* How many bytes of a prefix a node keeps. */
static inline uint32_t art_prefix_kept(uint32_t size)
{
    return size <= ART_PREFIX_INLINE ? size : ART_PREFIX_START;
}
static inline const uint8_t *art_prefix(const art_node *node)
{
    return (const uint8_t *)node + art_bytes[node->type];
}
static inline uint32_t art_node_bytes(enum art_type type, uint32_t prefix_size)
{
    return art_bytes[type] + ((art_prefix_kept(prefix_size) + 7) & ~UINT32_C(7));
}
static inline uint32_t art_count(const art_node *node)
{
    if (node->type == ART_N2) return ((const art_node2 *)node)->child[1] ? 2 : 1;
    return node->type == ART_N256 && node->count == 0 ? 256 : node->count;
}
/* The children of an N2, N4, N8 or N16, by slot. */
static inline _Atomic art_ptr *art_slots(art_node *node)
{
    static const uint8_t offset[] = {offsetof(art_node2, child), offsetof(art_node4, child),
                                     offsetof(art_node8, child), offsetof(art_node16, child)};
    return (_Atomic art_ptr *)(void *)((uint8_t *)node + offset[node->type]);
}

/* -- words -- */

static inline uint32_t art_nibble(uint64_t order, uint32_t position)
{
    return (uint32_t)(order >> (4 * position)) & 15;
}
static inline uint64_t art_word4_order(uint64_t word)
{
    return word >> 32 & 0xFFFF;
}
static inline uint32_t art_word4_count(uint64_t word)
{
    return (uint32_t)(word >> 48);
}
/* How many children an order word of an N8 or N16 shows (A4). */
static inline uint32_t art_order_count(uint64_t order)
{
    uint64_t differ = (order ^ (order & 15) * ART_ONES) | 1; /* a nibble of 0 repeats the first one */
    uint64_t repeats = (differ - ART_ONES) & ~differ & (ART_ONES << 3);
    return repeats ? (uint32_t)__builtin_ctzll(repeats) / 4 : 16;
}
/* The lowest slot of an N16 whose key byte is `byte`; 16 when there is none. */
static inline uint32_t art_slot16(uint64_t low, uint64_t high, uint8_t byte)
{
#if defined(__SSE2__)
    __m128i keys = _mm_set_epi64x((long long)high, (long long)low);
    uint32_t equal = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(keys, _mm_set1_epi8((char)byte)));
    return equal ? (uint32_t)__builtin_ctz(equal) : 16;
#else
    for (uint32_t slot = 0; slot < 8; slot++) {
        if ((uint8_t)(low >> (8 * slot)) == byte) return slot;
    }
    for (uint32_t slot = 0; slot < 8; slot++) {
        if ((uint8_t)(high >> (8 * slot)) == byte) return slot + 8;
    }
    return 16;
#endif
}
/* The slot + 1 of a byte in an N48, 0 when it has none. */
static inline uint32_t art_slot48(const art_node48 *node, uint32_t byte)
{
    return (uint32_t)(art_word(&node->slots[byte / 8]) >> (8 * (byte % 8))) & 0xFF;
}

/* The lowest byte of `word` that is `byte`, as 0 .. 7; 8 when there is none. */
static inline uint32_t art_byte_in(uint64_t word, uint8_t byte)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t differ = word ^ byte * ones;
    uint64_t equal = (differ - ones) & ~differ & ones << 7;
    return equal ? (uint32_t)__builtin_ctzll(equal) / 8 : 8;
}

/* The slot where the child for `byte` is, NULL when the node has none. In an N256 the slot may hold 0. */
static inline _Atomic art_ptr *art_child(art_node *node, uint8_t byte)
{
    switch (node->type) {
    case ART_N2: {
        art_node2 *n2 = (art_node2 *)node;
        if (node->count == byte) return &n2->child[0];
        return node->prefix_size >> 8 == byte ? &n2->child[1] : NULL;
    }
    case ART_N4: {
        art_node4 *n4 = (art_node4 *)node;
        uint64_t keys = art_word(&n4->word) & UINT32_MAX;
        uint32_t slot = art_byte_in(keys, byte);
        return slot < 4 ? &n4->child[slot] : NULL;
    }
    case ART_N8: {
        art_node8 *n8 = (art_node8 *)node;
        uint32_t slot = art_byte_in(art_word(&n8->keys[0]), byte);
        return slot < 8 ? &n8->child[slot] : NULL;
    }
    case ART_N16: {
        art_node16 *n16 = (art_node16 *)node;
        uint32_t slot = art_slot16(art_word(&n16->keys[0]), art_word(&n16->keys[1]), byte);
        return slot < 16 ? &n16->child[slot] : NULL;
    }
    case ART_N48: {
        art_node48 *n48 = (art_node48 *)node;
        uint32_t slot = art_slot48(n48, byte);
        return slot ? &n48->child[slot - 1] : NULL;
    }
    default: return &((art_node256 *)node)->child[byte];
    }
}

/* -- across files -- */

/* A node in the open: what yr_art_node_build makes a node of, children in ascending order of key byte. */
typedef struct art_shape {
    const uint8_t *prefix; /* art_prefix_kept(prefix_size) bytes at least */
    uint32_t prefix_size;
    yr_ref end;
    uint32_t count;
    uint8_t keys[256];
    art_ptr child[256];
} art_shape;

/* Writer. The shape of a node; `prefix` points into the node. */
void yr_art_node_shape(const art_node *node, art_shape *shape);
/* The smallest type for a shape. */
enum art_type yr_art_node_fit(const art_shape *shape);
/* Writer. A new, unpublished node; 0 when the region is full. */
art_ptr yr_art_node_build(yr_art *art, enum art_type type, const art_shape *shape);
/* Writer. Add a child in place; false when the node cannot take one. The byte must not be there. */
bool yr_art_node_add(art_node *node, uint8_t byte, art_ptr child);
/* Writer. Give back a node that is not reachable any more, or (free) never was. */
void yr_art_node_retire(yr_art *art, art_ptr ptr);
void yr_art_node_free(yr_art *art, art_ptr ptr);

/* Any entry below `ptr`: they all share the prefix of the node. */
yr_ref yr_art_any_leaf(const yr_art *art, art_ptr ptr);
/* How many bytes of the node's prefix agree with the key from `depth` on. *prefix is the whole prefix. */
uint32_t yr_art_prefix_match(const yr_art *art, art_ptr ptr, yore_slice key, size_t depth,
                             const uint8_t **prefix);

/* Put a node on a cursor's path, standing on its `end`. False when memory is out (iter->failed). */
bool yr_art_push(yr_art_iter *iter, art_ptr ptr);
/* Move a step to its next child; 0 when there is none. */
art_ptr yr_art_step_next(const yr_art *art, art_step *step);

/* One writer: no read-modify-write is needed. */
static inline void art_add_relaxed(_Atomic uint64_t *counter, uint64_t delta)
{
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + delta, memory_order_relaxed);
}

#endif
