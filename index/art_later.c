/* Owns entries that are in the tree's care but not in its nodes yet.
 *
 * Inserting one new key is a chain of cache misses, each waiting for the one before. A few keys at a time walk down
 * together and wait once a level (art_prefetch.c), so single inserts are collected first: up to YR_ART_LATER_MAX.
 *
 * L1 A slot is stored before the count that covers it (release); a lookup loads the count first (acquire), looks at
 *    the slots, and at the nodes last. An entry leaves the slots only after it is in the nodes.
 * L2 Memory for the nodes they will need is set aside in the region while entries wait, so settling cannot fail for
 *    want of it. */
#include "index/art_node.h"

#include "engine/base/bytes.h"

/* What inserting the waiting entries may take: a grown N256 and a split each, twice over. */
#define RESERVE_BYTES (UINT64_C(64) << 10)
_Static_assert(YR_ART_LATER_MAX * 2 * sizeof(art_node256) <= RESERVE_BYTES, "room for every waiting entry");

uint32_t yr_art_waiting(const yr_art *art)
{
    return atomic_load_explicit(&art->later_count, memory_order_acquire); /* L1 */
}

yore_status yr_art_insert_later(yr_art *art, yr_ref entry)
{
    uint32_t count = atomic_load_explicit(&art->later_count, memory_order_relaxed); /* the writer's own */
    if (count == YR_ART_LATER_MAX) {
        yore_status status = yr_art_settle(art);
        if (status != YORE_OK) return status;
        count = 0;
    }
    if (count == 0 && !yr_region_set_aside(art->region, RESERVE_BYTES)) return yr_art_insert(art, entry);
    atomic_store_explicit(&art->later[count], entry, memory_order_release);
    atomic_store_explicit(&art->later_count, count + 1, memory_order_release); /* L1 */
    return YORE_OK;
}

bool yr_art_cancel_later(yr_art *art, yr_ref entry)
{
    uint32_t count = atomic_load_explicit(&art->later_count, memory_order_relaxed);
    if (count == 0 || atomic_load_explicit(&art->later[count - 1], memory_order_relaxed) != entry)
        return false;
    atomic_store_explicit(&art->later_count, count - 1, memory_order_release);
    if (count == 1) yr_region_give_back(art->region); /* nobody else waits for it (L2) */
    return true;
}

yore_status yr_art_settle(yr_art *art)
{
    yr_art_ahead keys[YR_ART_LATER_MAX];
    uint32_t count = atomic_load_explicit(&art->later_count, memory_order_relaxed);
    if (count == 0) return YORE_OK;
    yr_region_give_back(art->region);
    for (uint32_t i = 0; i < count; i++) {
        const yr_entry *entry = art_entry_at(art, atomic_load_explicit(&art->later[i], memory_order_relaxed));
        yr_put_be32(keys[i].head, yr_entry_branch(entry));
        keys[i].head[4] = (uint8_t)yr_entry_primitive(entry);
        keys[i].user_key = yr_entry_user_key(entry);
    }
    yr_art_prefetch(art, keys, count);
    for (uint32_t i = 0; i < count; i++) {
        yore_status status = yr_art_insert(art, atomic_load_explicit(&art->later[i], memory_order_relaxed));
        /* one that is there already was inserted by a call that failed further on */
        if (status < 0) return status;
    }
    atomic_store_explicit(&art->later_count, 0, memory_order_release); /* L1 */
    return YORE_OK;
}

yr_ref yr_art_find_waiting(const yr_art *art, uint32_t branch, uint32_t primitive, yore_slice user_key)
{
    uint32_t count = yr_art_waiting(art);
    for (uint32_t i = 0; i < count; i++) {
        yr_ref ref = atomic_load_explicit(&art->later[i], memory_order_acquire); /* L1 */
        if (yr_entry_is(art_entry_at(art, ref), branch, primitive, user_key)) return ref;
    }
    return 0;
}
