/* The keys whose state differs between two views, in the order of primitives and keys.
 *
 * The lineages of two branches end in common: from the first branch that both have on they differ only in their caps,
 * and once the caps are equal in nothing. So what may differ was written
 *   - to the own key space of a hop that only one view has, at or below its cap there,
 *   - to a hop that both have, above the lower of its two caps and not above the higher one.
 * Each of these is a span (branch, after, cap]. Its keys come from its commits (from the cap back along the branch's
 * own ones), or, when those are many, from a scan of the branch's own key space at the cap, of which the rows above
 * `after` count. Every key found is then read at both views.
 *
 *   F1 A key differs when it shows in one view only, or its value, type or metadata differ. The same version is never
 *      a difference, since no span has it: what has only expired between the views is not listed. Nor is another
 *      expiry of the same bytes.
 *   F2 It is enough to know the spans' newest rows: history that was trimmed between two points that can still be read
 *      may lack others, but never the row that the higher cap shows, unless nothing shows there at either of the two
 *      (engine/compact/keep.h, K2 to K4).
 */
#ifndef YR_VIEW_DIFF_H
#define YR_VIEW_DIFF_H

#include "engine/branch/lineage.h"

#include <yore/diff.h>

typedef struct yr_diff yr_diff;

/* Valid until the next call. */
typedef struct yr_diff_row {
    yore_slice key;
    uint32_t primitive;
    uint32_t op;           /* YORE_DIFF_... */
    bool has_old, has_new; /* it shows there; else the found version is not set */
    yr_found old, new_;    /* what they borrow is the diff's */
} yr_diff_row;

/* The views read one list of layers (two: YORE_ERR_MISUSE; yr_at_find_beside finds points at one moment). The caller
 * keeps a reference on it for as long as the diff is open, and has settled the store (yr_db_settle) after taking it.
 * `options` may be NULL (kv, all keys), and its bytes are copied; limit and keys_only are not looked at.
 * YORE_OK, YORE_ERR_NOMEM, a run's failure. */
yore_status yr_diff_open(const yore_env *env, const yr_view *a, const yr_view *b,
                         const yore_diff_options *options, yr_diff **out, yore_error *err);
/* The same, reading at most so many commits and rows of theirs of a branch before its keys are scanned. */
yore_status yr_diff_open_within(const yore_env *env, const yr_view *a, const yr_view *b,
                                const yore_diff_options *options, uint64_t walk_max, yr_diff **out,
                                yore_error *err);
/* YORE_OK, YORE_END; YORE_ERR_NOMEM, a run's failure, which stays. */
yore_status yr_diff_next(yr_diff *diff, yr_diff_row *row, yore_error *err);
/* Another expiry of the same value is a difference too: for who is to write what a view shows. Before the first row. */
void yr_diff_mind_expiry(yr_diff *diff);
/* Take over what a row borrows (not its key): the caller releases its found versions. */
void yr_diff_take(yr_diff *diff);
void yr_diff_close(yr_diff *diff);
/* So far. */
const yore_diff_info *yr_diff_info(const yr_diff *diff);

/* The newest point that two views have in their past: a branch, and a version of it. NULL: there is none. */
const yr_branch *yr_diff_common(const yr_view *a, const yr_view *b, uint64_t *version);

#endif
