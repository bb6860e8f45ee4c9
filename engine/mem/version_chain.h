/* Version chains: a key's versions, newest first.
 *
 * A version is 12 bytes and its value:
 *
 *   off size
 *    0   4  version, as the distance from the memtable's base version
 *    4   4  value bytes
 *    8   1  op in the low nibble, value type in the high one
 *    9   1  flags: 1 = expiry
 *   10   2  metadata bytes
 *   12      [expiry 8] value metadata
 *
 * The first version sits right behind its entry; from the second one on the entry also has a history array,
 * oldest first, that holds all of them: an append is a store and a release of the count. An array never
 * grows past 512 slots; longer histories are an index array over arrays of 512. So a read of the present
 * is one step, a read of the past O(log versions), and no append copies more than 511 slots.
 *
 * C1 slots are ascending in version, and complete before the count that covers them is released.
 * C2 `hist` is published before the `newest` that is not the first version (readers rely on the order).
 * C3 arrays replaced by larger ones are retired through the epoch; versions are never freed.
 */
#ifndef YR_VERSION_CHAIN_H
#define YR_VERSION_CHAIN_H

#include "engine/format/commit_format.h"
#include "index/entry.h"

typedef struct yr_version {
    uint32_t delta;
    uint32_t value_bytes;
    uint8_t kind;
    uint8_t flags;
    uint16_t meta_bytes;
    uint8_t data[];
} yr_version;

#define YR_VERSION_HEADER 12u
#define YR_VERSION_EXPIRY 1u

static inline uint8_t yr_version_op(const yr_version *v)
{
    return v->kind & 15u;
}
static inline uint8_t yr_version_type(const yr_version *v)
{
    return v->kind >> 4;
}
static inline int64_t yr_version_expiry(const yr_version *v)
{
    return v->flags & YR_VERSION_EXPIRY ? (int64_t)yr_get_le64(v->data) : 0;
}
static inline yore_slice yr_version_value(const yr_version *v)
{
    return yore_bytes(v->data + (v->flags & YR_VERSION_EXPIRY ? 8 : 0), v->value_bytes);
}
static inline yore_slice yr_version_meta(const yr_version *v)
{
    return yore_bytes(v->data + (v->flags & YR_VERSION_EXPIRY ? 8 : 0) + v->value_bytes, v->meta_bytes);
}
/* I4: a delete, or an expiry at or before the snapshot's time, is absence. */
static inline bool yr_version_is_visible(const yr_version *v, int64_t time_ns)
{
    if (yr_version_op(v) != YORE_OP_PUT) return false;
    return !(v->flags & YR_VERSION_EXPIRY) || (int64_t)yr_get_le64(v->data) > time_ns;
}

/* Bytes of the version of a row, and writing it (not yet published). */
static inline uint64_t yr_version_bytes(const yr_row *row)
{
    return YR_VERSION_HEADER + (row->expiry_ns ? 8u : 0u) + row->value.size + row->meta.size;
}
void yr_version_write(yr_version *to, const yr_row *row, uint32_t delta);

/* Writer: make `version` the newest one of an entry that has a version already.
 * False when the region is full; nothing changed. */
bool yr_chain_push(yr_region *region, yr_entry *entry, yr_ref version);
/* Writer: take the newest version off again. It was never visible to a reader. */
void yr_chain_pop(yr_region *region, yr_entry *entry);

/* Readers (inside an epoch section): the newest version <= cap, or NULL.
 * `past` says that the cap is older than the tip: then the array is asked first. */
const yr_version *yr_chain_find(const yr_region *region, const yr_entry *entry, uint32_t cap, bool past);
/* The newest version of all, published or not (the writer's view), or NULL. */
const yr_version *yr_chain_newest(const yr_region *region, const yr_entry *entry);

/* The number of that version (0: there is none), without touching the version itself when there is a history:
 * its slot is in the line that an append writes anyway. Writer only. */
uint32_t yr_chain_newest_delta(const yr_region *region, const yr_entry *entry);

/* How many versions there are, how many are <= cap, and the i-th oldest. */
uint32_t yr_chain_count(const yr_region *region, const yr_entry *entry);
uint32_t yr_chain_rank(const yr_region *region, const yr_entry *entry, uint32_t cap);
const yr_version *yr_chain_at(const yr_region *region, const yr_entry *entry, uint32_t i);

/* Every invariant of one chain. Writer must be quiet. */
bool yr_chain_check(const yr_region *region, const yr_entry *entry, const char **problem);

#endif
