/* What to do with one key when a change is taken back or repeated somewhere: a decision on three states. */
#ifndef YR_UNDO_RULE_H
#define YR_UNDO_RULE_H

#include "engine/layers/found.h"

typedef enum yr_undo_verdict {
    YR_UNDO_KEEP,  /* it is as wanted already, or the change did nothing to it */
    YR_UNDO_WRITE, /* give it the wanted state */
    YR_UNDO_CLASH, /* it is neither as the change found it nor as it left it */
} yr_undo_verdict;

/* Are two states the same? NULL: absent. Value, type, metadata and expiry count, the version does not. */
bool yr_undo_same(const yr_found *a, const yr_found *b);

/* now   the key on the branch
 * base  the side of the change that the branch should be on
 * then  the other side, which is wanted */
yr_undo_verdict yr_undo_decide(const yr_found *now, const yr_found *base, const yr_found *then);

#endif
