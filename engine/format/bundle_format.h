/* What a bundle says of itself. Pure encode and decode, no I/O.
 *
 * A bundle has the shape of a full backup (backup_format.h): header of kind 6, chunks, manifest. Its commit frames
 * (commit_format.h) are numbered from 1. The first one is no commit: its note is the head below, and its rows say what
 * the base has of the keys that the bundle changes: a put of 16 bytes, the hash of that state, or a delete where the
 * base has no such key. The others are commits of branch 1, whose further parents are numbers of this file.
 *
 *   head      off  size
 *              0     4  "bndl"
 *              4     1  version, 1
 *              5     1  flags: 1 = with history, 2 = on a base
 *              6     2  zero
 *              8     4  id of the branch
 *             12     4  id of the base's branch
 *             16     8  version of the branch's newest commit
 *             24     8  its time
 *             32     8  version of the base's newest commit, 0 = no base
 *             40     8  its time
 *             48     8  its source time, 0 = none
 *             56    16  XXH3-128 of its note, author and source: what it is known by, with one of its times
 *             72     2  bytes of the branch's name
 *             74     2  bytes of the base branch's name
 *             76     4  zero
 *             80        the two names
 */
#ifndef YR_BUNDLE_FORMAT_H
#define YR_BUNDLE_FORMAT_H

#include <stdbool.h>

#include "engine/base/hash128.h"

#include <yore/types.h>

#define YR_BUNDLE_HEAD_FIXED 80u
#define YR_BUNDLE_HEAD_MAX (YR_BUNDLE_HEAD_FIXED + 2u * YORE_BRANCH_NAME_MAX)

typedef struct yr_bundle_head {
    bool has_history, has_base;
    uint32_t branch_id, base_branch_id;
    uint64_t version, base_version;
    int64_t time_ns, base_time_ns, base_source_time_ns;
    uint8_t base_identity[YR_HASH128_BYTES];
    yore_slice branch, base_branch; /* names, borrowed */
} yr_bundle_head;

size_t yr_bundle_head_encode(const yr_bundle_head *head, uint8_t out[YR_BUNDLE_HEAD_MAX]);
/* False when the bytes are no head; *newer tells that they are one of a later version. */
bool yr_bundle_head_decode(yore_slice bytes, yr_bundle_head *head, bool *newer);

/* The hash of one state of a key. */
void yr_bundle_state_hash(uint32_t type, yore_slice value, yore_slice meta, uint8_t out[YR_HASH128_BYTES]);

#endif
