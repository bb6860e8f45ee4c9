/* The entry: one per (branch, primitive, user key), shared by the hash index and the radix tree.
 *
 *   off size
 *    0   4  newest   reference of the newest version, atomic; 0 = no version (a rolled back first write)
 *    4   4  hist     reference of the history array, atomic; 0 until the second version
 *    8   2  key_bytes of the user key
 *   10   1  flags    immutable after publish
 *   11   4  branch id, big endian    \
 *   15   1  primitive                 > the tree key: contiguous, compares as bytes
 *   16   n  user key                 /
 *
 * Everything but `newest` and `hist` is immutable once the entry is published. The first version is
 * allocated right behind the entry, so that a point read touches adjacent lines.
 */
#ifndef YR_ENTRY_H
#define YR_ENTRY_H

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "index/region.h"

typedef struct yr_entry {
    _Atomic yr_ref newest;
    _Atomic yr_ref hist;
    uint16_t key_bytes;
    uint8_t flags;
    uint8_t tree_key[]; /* branch (4, big endian), primitive (1), user key */
} yr_entry;

/* What a check of either index says when it had no memory to look with: no verdict. */
#define YR_CHECK_NO_MEMORY "no memory to check"

#define YR_TREE_KEY_PREFIX 5u
#define YR_ENTRY_HEADER 16u
_Static_assert(offsetof(yr_entry, tree_key) == 11, "the tree key starts at byte 11");

static inline const yr_entry *yr_entry_at(const yr_region *region, yr_ref ref)
{
    return yr_region_at(region, ref);
}
static inline uint32_t yr_entry_branch(const yr_entry *entry)
{
    return yr_get_be32(entry->tree_key);
}
static inline uint8_t yr_entry_primitive(const yr_entry *entry)
{
    return entry->tree_key[4];
}
static inline yore_slice yr_entry_user_key(const yr_entry *entry)
{
    return yore_bytes(entry->tree_key + YR_TREE_KEY_PREFIX, entry->key_bytes);
}
static inline yore_slice yr_entry_tree_key(const yr_entry *entry)
{
    return yore_bytes(entry->tree_key, (size_t)entry->key_bytes + YR_TREE_KEY_PREFIX);
}
static inline bool yr_entry_is(const yr_entry *entry, uint32_t branch, uint32_t primitive,
                               yore_slice user_key)
{
    return entry->key_bytes == user_key.size && yr_entry_branch(entry) == branch &&
           yr_entry_primitive(entry) == primitive &&
           memcmp(entry->tree_key + YR_TREE_KEY_PREFIX, user_key.data, user_key.size) == 0;
}

#endif
