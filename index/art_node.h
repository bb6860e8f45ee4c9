/* The four node sizes of the radix tree, and how one word publishes each change. Private to index/art_*.c.
 *
 * A pointer (art_ptr) is a region reference shifted left by one; bit 0 says that it is an entry (a leaf).
 *
 *   all    off 0  type u8, count u8 (the writer's), prefix size u16, end u32, the first 8 prefix bytes
 *   N4      40 B  one word {4 key bytes | 4 order nibbles | count}, 4 children
 *   N16    104 B  16 key bytes as 2 words, order word of 16 nibbles, 16 children
 *   N48    464 B  256 slot bytes (0 = none, else slot + 1) as 32 words, 48 children
 *   N256 1,040 B  256 children
 *
 * `end` is the entry whose key ends at this node, after the prefix.
 *
 * A1 Type and prefix never change after the node is published. A longer or shorter prefix is a new node.
 * A2 In N4, N16 and N48 slots are filled in the order 0, 1, 2 ... and never reused: removing a child replaces
 *    the node. So a key byte, once a reader has seen it, belongs to its slot for good, and only the child
 *    word in that slot changes (when the child is itself replaced).
 * A3 A child is stored before the word that makes it reachable: N4's only word, N16's key word (for lookups)
 *    and then its order word (for walks), N48's slot word; these are release stores, and readers acquire them.
 *    Child words are stored with release and loaded with acquire too, because replacing a child is one store.
 * A4 Unused key bytes of N4 and N16 repeat slot 0's, and lookups take the lowest matching slot: so they need
 *    no count. Unused nibbles of N16's order repeat the first one, so the order word alone says how many
 *    children a walk may see, and a slot filled later cannot show up out of order.
 * A5 An inner node has at least two references (children and end), an N16 at least 4 children, an N48 13, an
 *    N256 38: so a key costs at most 40 bytes of nodes.
 * A6 A prefix longer than 8 bytes is compared against a leaf below the node; nodes are never chained for it.
 */
#ifndef YR_ART_NODE_H
#define YR_ART_NODE_H

#include "index/art.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

typedef uint32_t art_ptr;

#define ART_PREFIX 8u
#define ART_ONES UINT64_C(0x1111111111111111)

enum art_type { ART_N4, ART_N16, ART_N48, ART_N256 };

typedef struct art_node {
    uint8_t type;
    uint8_t count; /* children modulo 256; only the writer looks */
    uint16_t prefix_size;
    _Atomic yr_ref end;
    uint8_t prefix[ART_PREFIX];
} art_node;

typedef struct art_node4 {
    art_node head;
    _Atomic uint64_t word;
    _Atomic art_ptr child[4];
} art_node4;

typedef struct art_node16 {
    art_node head;
    _Atomic uint64_t keys[2];
    _Atomic uint64_t order;
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

_Static_assert(sizeof(art_node) == 16, "node header");
_Static_assert(sizeof(art_node4) == 40, "N4");
_Static_assert(sizeof(art_node16) == 104, "N16");
_Static_assert(sizeof(art_node48) == 464, "N48");
_Static_assert(sizeof(art_node256) == 1040, "N256");

struct yr_art {
    /* Constant. */
    const uint8_t *base; /* the region's */
    yr_region *region;
    const yore_env *env;
    uint8_t pad1[128];
    /* Loaded by everyone. */
    _Atomic art_ptr root; /* 0 = the tree is empty */
    uint8_t pad2[128];
    /* The writer's; loaded relaxed by stats threads. */
    _Atomic uint64_t count, bytes;
};

/* One level of a cursor: the node, and the order its children had when the cursor came by. `at` is -1 on the
 * node's `end`; else a position in `order` (N4, N16) or a key byte (N48, N256). */
typedef struct yr_art_step {
    uint64_t order;
    yr_ref node;
    int16_t at;
    uint8_t type;
    uint8_t count; /* N4, N16 */
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
/* A publishing word, as a reader takes it: pairs with the release stores in yr_art_node_add (A3). */
static inline uint64_t art_word(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}
/* The writer looks at what it stored itself. */
static inline uint64_t art_own(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}
static inline uint32_t art_count(const art_node *node)
{
    return node->type == ART_N256 && node->count == 0 ? 256 : node->count;
}

/* -- N4 and N16 words -- */

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
/* How many children an order word of an N16 shows (A4). */
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

/* The slot where the child for `byte` is, NULL when the node has none. In an N256 the slot may hold 0. */
static inline _Atomic art_ptr *art_child(art_node *node, uint8_t byte)
{
    switch (node->type) {
    case ART_N4: {
        art_node4 *n4 = (art_node4 *)node;
        uint32_t differ = (uint32_t)art_word(&n4->word) ^ byte * UINT32_C(0x01010101);
        uint32_t equal = (differ - UINT32_C(0x01010101)) & ~differ & UINT32_C(0x80808080);
        return equal ? &n4->child[(uint32_t)__builtin_ctz(equal) / 8] : NULL;
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
    default:
        return &((art_node256 *)node)->child[byte];
    }
}

/* -- across files -- */

/* A node in the open: what yr_art_node_build makes a node of, children in ascending order of key byte. */
typedef struct art_shape {
    const uint8_t *prefix; /* min(prefix_size, 8) bytes at least */
    uint32_t prefix_size;
    yr_ref end;
    uint32_t count;
    uint8_t keys[256];
    art_ptr child[256];
} art_shape;

/* Writer. The shape of a node; `prefix` points into the node. */
void yr_art_node_shape(const art_node *node, art_shape *shape);
/* Writer. A new, unpublished node; 0 when the region is full. */
art_ptr yr_art_node_build(yr_art *art, enum art_type type, const art_shape *shape);
/* Writer. Add a child in place; false when the node is full. The byte must not be there. */
bool yr_art_node_add(art_node *node, uint8_t byte, art_ptr child);
/* Writer. Give back a node that is not reachable any more, or (free) never was. */
void yr_art_node_retire(yr_art *art, art_ptr ptr);
void yr_art_node_free(yr_art *art, art_ptr ptr);
uint32_t yr_art_node_bytes(enum art_type type);

/* Any entry below `ptr`: they all share the prefix of the node. */
yr_ref yr_art_any_leaf(const yr_art *art, art_ptr ptr);
/* How many bytes of the node's prefix agree with the key from `depth` on. *prefix is the whole prefix. */
uint32_t yr_art_prefix_match(const yr_art *art, art_ptr ptr, yore_slice key, size_t depth, const uint8_t **prefix);

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
