/* Owns how nodes are built, extended in place and given back. The rules A1..A6 are in art_node.h. */
#include "index/art_node.h"

/* -- words -- */

static uint64_t low_nibbles(uint32_t count)
{
    return count >= 16 ? UINT64_MAX : (UINT64_C(1) << (4 * count)) - 1;
}

/* `order` of `count` nibbles with `slot` put in at `position`; the rest repeats the first nibble (A4). */
static uint64_t order_insert(uint64_t order, uint32_t count, uint32_t position, uint32_t slot)
{
    uint64_t below = order & low_nibbles(position);
    uint64_t above = (order & low_nibbles(count) & ~low_nibbles(position)) << 4;
    uint64_t used = below | (uint64_t)slot << (4 * position) | above;
    return used | ((used & 15) * ART_ONES & ~low_nibbles(count + 1));
}

static void set_byte(_Atomic uint64_t *words, uint32_t index, uint8_t byte, memory_order order)
{
    uint32_t shift = 8 * (index % 8);
    uint64_t word = art_own(&words[index / 8]);
    atomic_store_explicit(&words[index / 8], (word & ~(UINT64_C(0xFF) << shift)) | (uint64_t)byte << shift,
                          order);
}

static uint8_t key_in(const _Atomic uint64_t *words, uint32_t index)
{
    return (uint8_t)(art_own(&words[index / 8]) >> (8 * (index % 8)));
}

/* -- shapes -- */

static void shape_add(art_shape *shape, uint32_t byte, const _Atomic art_ptr *slot)
{
    shape->keys[shape->count] = (uint8_t)byte;
    shape->child[shape->count++] = art_own_ptr(slot);
}

/* N8 and N16 */
static void shape_ordered(const art_node *node, const _Atomic art_ptr *slots, art_shape *shape)
{
    const art_node16 *like = (const art_node16 *)node;
    uint64_t order = art_own(&like->order);
    for (uint32_t i = 0; i < node->count; i++) {
        uint32_t slot = art_nibble(order, i);
        shape_add(shape, key_in(like->keys, slot), &slots[slot]);
    }
}

void yr_art_node_shape(const art_node *node, art_shape *shape)
{
    shape->prefix = art_prefix(node);
    shape->prefix_size = art_prefix_size(node);
    shape->end = art_own_ptr(&node->end);
    shape->count = 0;
    switch (node->type) {
    case ART_N2: {
        const art_node2 *n2 = (const art_node2 *)node;
        shape_add(shape, node->count, &n2->child[0]);
        if (art_count(node) == 2) shape_add(shape, node->prefix_size >> 8, &n2->child[1]);
        break;
    }
    case ART_N4: {
        const art_node4 *n4 = (const art_node4 *)node;
        uint64_t word = art_own(&n4->word);
        for (uint32_t i = 0; i < art_word4_count(word); i++) {
            uint32_t slot = art_nibble(art_word4_order(word), i);
            shape_add(shape, (uint8_t)(word >> (8 * slot)), &n4->child[slot]);
        }
        break;
    }
    case ART_N8: shape_ordered(node, ((const art_node8 *)node)->child, shape); break;
    case ART_N16: shape_ordered(node, ((const art_node16 *)node)->child, shape); break;
    case ART_N48: {
        const art_node48 *n48 = (const art_node48 *)node;
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t slot = art_slot48(n48, byte);
            if (slot) shape_add(shape, byte, &n48->child[slot - 1]);
        }
        break;
    }
    default: {
        const art_node256 *n256 = (const art_node256 *)node;
        for (uint32_t byte = 0; byte < 256; byte++) {
            if (art_own_ptr(&n256->child[byte])) {
                shape_add(shape, byte, &n256->child[byte]);
            }
        }
    }
    }
}

enum art_type yr_art_node_fit(const art_shape *shape)
{
    enum art_type type = shape->prefix_size > ART_N2_PREFIX_MAX ? ART_N4 : ART_N2;
    while (shape->count > art_capacity[type]) type++;
    return type;
}

/* Everything below is stored relaxed: the node is published later, by art_store. */
static void fill(_Atomic art_ptr *to, uint32_t capacity, const art_shape *shape)
{
    for (uint32_t i = 0; i < capacity; i++) {
        atomic_store_explicit(&to[i], i < shape->count ? shape->child[i] : 0, memory_order_relaxed);
    }
}

static void build2(art_node2 *node, const art_shape *shape)
{
    uint32_t second = shape->keys[shape->count - 1]; /* the only byte again, when there is one (A4) */
    node->head.count = shape->keys[0];
    node->head.prefix_size = (uint16_t)(shape->prefix_size | second << 8);
    fill(node->child, 2, shape);
}

static void build4(art_node4 *node, const art_shape *shape)
{
    uint64_t word = (uint64_t)shape->count << 48;
    for (uint32_t slot = 0; slot < 4; slot++) {
        uint64_t byte = shape->keys[slot < shape->count ? slot : 0];
        word |= byte << (8 * slot) | (uint64_t)(slot < shape->count ? slot : 0) << (32 + 4 * slot);
    }
    atomic_store_explicit(&node->word, word, memory_order_relaxed);
    fill(node->child, 4, shape);
}

/* N8 and N16 */
static void build_ordered(art_node *node, _Atomic art_ptr *slots, uint32_t capacity, const art_shape *shape)
{
    art_node16 *like = (art_node16 *)node;
    uint64_t identity = UINT64_C(0xFEDCBA9876543210);
    atomic_store_explicit(&like->order, identity & low_nibbles(shape->count), memory_order_relaxed);
    for (uint32_t word = 0; word < capacity / 8; word++) {
        uint64_t keys = 0;
        for (uint32_t i = 0; i < 8; i++) {
            uint32_t slot = word * 8 + i;
            keys |= (uint64_t)shape->keys[slot < shape->count ? slot : 0] << (8 * i);
        }
        atomic_store_explicit(&like->keys[word], keys, memory_order_relaxed);
    }
    fill(slots, capacity, shape);
}

static void build48(art_node48 *node, const art_shape *shape)
{
    uint64_t slots[32] = {0};
    for (uint32_t i = 0; i < shape->count; i++) {
        slots[shape->keys[i] / 8] |= (uint64_t)(i + 1) << (8 * (shape->keys[i] % 8));
    }
    for (uint32_t i = 0; i < 32; i++) atomic_store_explicit(&node->slots[i], slots[i], memory_order_relaxed);
    fill(node->child, 48, shape);
}

static void build256(art_node256 *node, const art_shape *shape)
{
    for (uint32_t i = 0; i < 256; i++) atomic_store_explicit(&node->child[i], 0, memory_order_relaxed);
    for (uint32_t i = 0; i < shape->count; i++) {
        atomic_store_explicit(&node->child[shape->keys[i]], shape->child[i], memory_order_relaxed);
    }
}

art_ptr yr_art_node_build(yr_art *art, enum art_type type, const art_shape *shape)
{
    YR_ASSERT(shape->count > 0);
    YR_ASSERT(shape->count <= art_capacity[type]);
    YR_ASSERT(shape->prefix_size <= (type == ART_N2 ? ART_N2_PREFIX_MAX : UINT16_MAX));
    uint32_t bytes = art_node_bytes(type, shape->prefix_size);
    yr_ref ref = yr_region_alloc(art->region, bytes);
    if (!ref) return 0;
    art_node *node = art_node_at(art, ref);
    node->type = (uint8_t)type;
    node->count = (uint8_t)shape->count;
    node->prefix_size = (uint16_t)shape->prefix_size;
    atomic_store_explicit(&node->end, shape->end, memory_order_relaxed);
    memcpy((uint8_t *)node + art_bytes[type], shape->prefix, art_prefix_kept(shape->prefix_size));
    switch (type) {
    case ART_N2: build2((art_node2 *)node, shape); break;
    case ART_N4: build4((art_node4 *)node, shape); break;
    case ART_N8: build_ordered(node, ((art_node8 *)node)->child, 8, shape); break;
    case ART_N16: build_ordered(node, ((art_node16 *)node)->child, 16, shape); break;
    case ART_N48: build48((art_node48 *)node, shape); break;
    case ART_N256: build256((art_node256 *)node, shape); break;
    }
    art_add_relaxed(&art->bytes, bytes);
    return ref << 1;
}

static uint32_t forget_bytes(yr_art *art, art_ptr ptr)
{
    const art_node *node = art_node_at(art, art_ref(ptr));
    uint32_t bytes = art_node_bytes(node->type, art_prefix_size(node));
    art_add_relaxed(&art->bytes, (uint64_t)0 - bytes);
    return bytes;
}

void yr_art_node_retire(yr_art *art, art_ptr ptr)
{
    yr_region_retire(art->region, art_ref(ptr), forget_bytes(art, ptr));
}

void yr_art_node_free(yr_art *art, art_ptr ptr)
{
    yr_region_free(art->region, art_ref(ptr), forget_bytes(art, ptr));
}

/* -- in place -- */

static void add4(art_node4 *node, uint8_t byte, art_ptr child)
{
    uint64_t word = art_own(&node->word);
    uint32_t count = art_word4_count(word);
    uint32_t position = 0;
    while (position < count && (uint8_t)(word >> (8 * art_nibble(art_word4_order(word), position))) < byte)
        position++;
    uint32_t keys = ((uint32_t)word & ~(UINT32_C(0xFF) << (8 * count))) | (uint32_t)byte << (8 * count);
    uint64_t order = order_insert(art_word4_order(word), count, position, count) & 0xFFFF;
    art_store(&node->child[count], child);
    /* release: pairs with art_word in lookups and cursors (A3) */
    atomic_store_explicit(&node->word, keys | order << 32 | (uint64_t)(count + 1) << 48,
                          memory_order_release);
}

/* N8 and N16 */
static void add_ordered(art_node *node, _Atomic art_ptr *slots, uint8_t byte, art_ptr child)
{
    art_node16 *like = (art_node16 *)node;
    uint64_t order = art_own(&like->order);
    uint32_t count = node->count;
    uint32_t position = 0;
    while (position < count && key_in(like->keys, art_nibble(order, position)) < byte) position++;
    art_store(&slots[count], child);
    set_byte(like->keys, count, byte, memory_order_release); /* pairs with art_word in lookups (A3) */
    /* release: pairs with art_word in cursors (A3) */
    atomic_store_explicit(&like->order, order_insert(order, count, position, count), memory_order_release);
}

bool yr_art_node_add(art_node *node, uint8_t byte, art_ptr child)
{
    uint32_t count = art_count(node);
    if (node->type == ART_N2 || count == art_capacity[node->type]) return false;
    switch (node->type) {
    case ART_N4: add4((art_node4 *)node, byte, child); break;
    case ART_N8: add_ordered(node, ((art_node8 *)node)->child, byte, child); break;
    case ART_N16: add_ordered(node, ((art_node16 *)node)->child, byte, child); break;
    case ART_N48: {
        art_node48 *n48 = (art_node48 *)node;
        art_store(&n48->child[count], child);
        /* release: pairs with art_slot48 (A3) */
        set_byte(n48->slots, byte, (uint8_t)(count + 1), memory_order_release);
        break;
    }
    default: art_store(&((art_node256 *)node)->child[byte], child);
    }
    node->count = (uint8_t)(count + 1);
    return true;
}
