/* What becomes of one key in a three-way merge. Pure: three states go in, a verdict comes out.
 *
 * A state is what shows at a point: nothing (never written, deleted, expired), or a value with its type and metadata.
 * When a value expires is no part of it: a merge takes over a value's expiry with the value, and no change of that
 * alone (as a diff shows none). */
#ifndef YR_THREE_WAY_H
#define YR_THREE_WAY_H

#include "engine/base/bytes.h"

#include <yore/merge.h>

typedef struct yr_merge_state {
    bool shows;
    uint32_t type; /* YORE_TYPE_... */
    yore_slice value;
    yore_slice meta;
} yr_merge_state;

/* [base, ours, theirs] */
enum { YR_SIDE_BASE, YR_SIDE_OURS, YR_SIDE_THEIRS, YR_SIDE_COUNT };

typedef enum yr_merge_verdict {
    YR_MERGE_OURS,    /* theirs did not change it: nothing to do */
    YR_MERGE_THEIRS,  /* only theirs did: take it over */
    YR_MERGE_ALIKE,   /* both did the same: nothing to do */
    YR_MERGE_CONFLICT /* both did, differently */
} yr_merge_verdict;

bool yr_merge_same(const yr_merge_state *a, const yr_merge_state *b);
yr_merge_verdict yr_three_way(const yr_merge_state sides[YR_SIDE_COUNT]);
/* Of a conflict: YORE_MERGE_BOTH_ADDED ... */
uint32_t yr_merge_conflict_kind(const yr_merge_state sides[YR_SIDE_COUNT]);

/* May the values of a conflict be merged by path? All three are objects, as far as their first byte tells, and nobody
 * said that one is text. */
bool yr_merge_may_be_json(const yr_merge_state sides[YR_SIDE_COUNT]);
/* What stands beside the value when both sides' values were merged: of type and metadata each what a side changed.
 * False when both changed the metadata differently. */
bool yr_merge_beside(const yr_merge_state sides[YR_SIDE_COUNT], uint32_t *type, yore_slice *meta);

#endif
