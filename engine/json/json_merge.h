/* Three-way merge of JSON texts: objects by path, arrays and scalars as a whole.
 *
 * What only one side changed is taken from that side, what both changed to the same is no conflict, whatever its
 * spelling. Everything else both touched is a conflict: both changed a value in different ways (a value that is an
 * object on one side only included), one changed what the other deleted, both added different values under one name.
 * Two objects added under one name are merged as if an empty one had stood there.
 *
 * The bytes: where only one side changed anything, the result is that side's text to the byte. Else it is ours with
 * theirs' changes put in: order of members and blanks of ours, new members of theirs behind those of the object. */
#ifndef YR_JSON_MERGE_H
#define YR_JSON_MERGE_H

#include "engine/base/arena.h"
#include "engine/base/buf.h"

#include <yore/status.h>

#define YR_JSON_CONFLICTS_LISTED 1000u
#define YR_JSON_PATHS_BYTES_MAX (1u << 20)

/* What a conflict becomes. */
typedef enum yr_json_prefer { YR_JSON_STOP, YR_JSON_OURS, YR_JSON_THEIRS } yr_json_prefer;

typedef struct yr_json_sides {
    yore_slice base; /* data NULL = there was none: both added the text */
    yore_slice ours;
    yore_slice theirs;
} yr_json_sides;

typedef struct yr_json_conflict {
    yore_slice path;  /* RFC 6901; "" = the whole text */
    yr_json_sides at; /* source texts, borrowed from the input; data NULL where the path leads nowhere */
} yr_json_conflict;

typedef struct yr_json_merged {
    yore_slice text; /* the result when nothing stopped it: borrowed from a side or from `buf`; else empty */
    uint64_t conflict_count; /* with YR_JSON_OURS and _THEIRS those that were decided so */
    size_t listed; /* the first of them: YR_JSON_CONFLICTS_LISTED and YR_JSON_PATHS_BYTES_MAX at most */
    const yr_json_conflict *conflicts;
    yr_buf buf;     /* private */
    yr_arena arena; /* private */
} yr_json_merged;

/* The inputs are borrowed for as long as *out is used. `out` is filled by YORE_OK only, conflicts or not, and then
 * needs its deinit. YORE_ERR_INPUT when a side is not JSON and YORE_ERR_LIMIT when one is too big (json_tree.h): treat
 * the values as a whole then. YORE_ERR_NOMEM. O(the three texts). */
yore_status yr_json_merge(const yore_env *env, const yr_json_sides *sides, yr_json_prefer prefer,
                          yr_json_merged *out, yore_error *err);
void yr_json_merged_deinit(yr_json_merged *out);

#endif
