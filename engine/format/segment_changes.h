/* Change blocks: which keys each version wrote, as ordinals in key order. docs/format.md has the table.
 *
 * LEB128 numbers: a version's distance from the one before, how many keys, the first ordinal, then distances. A
 * version with more keys than a block holds goes on in the next block, with distance 0.
 * Pure functions over bytes. */
#ifndef YR_SEGMENT_CHANGES_H
#define YR_SEGMENT_CHANGES_H

#include "engine/base/buf.h"
#include "engine/base/bytes.h"
#include "engine/format/segment_format.h"

/* Reads a block change by change. */
typedef struct yr_changes {
    yr_reader bytes;
    uint64_t version;
    uint64_t ordinal;
    uint64_t left; /* of this version, in this block */
    bool is_started;
} yr_changes;

bool yr_changes_open(yore_slice raw, yr_changes *changes);
enum yr_changes_step { YR_CHANGES_END = 0, YR_CHANGES_ONE = 1, YR_CHANGES_BAD = -1 };
/* The next change: its version and ordinal are in `changes`. Within a version ordinals ascend. */
enum yr_changes_step yr_changes_next(yr_changes *changes);

/* A block being made. Changes are added in order of version, then ordinal. */
typedef struct yr_changes_maker {
    yr_buf *out;
    uint64_t version;
    uint32_t ordinal;
} yr_changes_maker;

/* Begin a block in an empty buffer. */
bool yr_changes_maker_begin(yr_changes_maker *maker, yr_buf *out, uint64_t first_version);
/* Add ordinals of one version: n of them, ascending. */
bool yr_changes_maker_add(yr_changes_maker *maker, uint64_t version, const uint32_t *ordinals, uint32_t n);
/* At most this many bytes are added by a call. */
static inline size_t yr_changes_bytes_max(uint32_t n)
{
    return 20 + 5 * (size_t)n;
}

#endif
