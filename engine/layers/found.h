/* A version of a key that a read found, wherever it lies, and what keeps its bytes there.
 *
 * The slices borrow the layers they were read through. Bytes from the block cache are pinned besides: a found version
 * is released, or given to somebody who will release it. */
#ifndef YR_FOUND_H
#define YR_FOUND_H

#include "engine/mem/memtable.h"
#include "engine/segment/segment.h"

#define YR_FOUND_PINS 3u /* record, older version, value */

typedef struct yr_found {
    yore_slice value;
    yore_slice meta;
    uint64_t version;
    int64_t expiry_ns; /* 0 = never */
    uint32_t branch;   /* the key space it was found in */
    uint8_t op;        /* YORE_OP_... */
    uint8_t type;      /* YORE_TYPE_... */
    uint8_t pin_count; /* of pins; the rest is not set */
    yr_block_pin pins[YR_FOUND_PINS];
} yr_found;

/* I4: a delete, or an expiry at or before the snapshot's time, is absence. */
static inline bool yr_found_is_visible(const yr_found *found, int64_t time_ns)
{
    return found->op == YORE_OP_PUT && (!found->expiry_ns || found->expiry_ns > time_ns);
}

static inline void yr_found_release(yr_found *found)
{
    while (found->pin_count > 0) yr_block_pin_release(&found->pins[--found->pin_count]);
}

/* From a memtable: nothing to release. */
static inline void yr_found_in_memory(yr_found *found, const yr_memtable *mem, const yr_version *v,
                                      uint32_t branch)
{
    found->value = yr_version_value(v);
    found->meta = yr_version_meta(v);
    found->version = yr_memtable_version(mem, v);
    found->expiry_ns = yr_version_expiry(v);
    found->branch = branch;
    found->op = yr_version_op(v);
    found->type = yr_version_type(v);
    found->pin_count = 0;
}

#endif
