/* What differs between two JSON texts, by path (RFC 6901): objects member by member, arrays and scalars as a whole.
 *
 *     status = yr_json_diff_open(env, old_text, new_text, &diff, &err);   // YORE_ERR_INPUT: not JSON, compare bytes
 *     while ((status = yr_json_diff_next(diff, &change, &err)) == YORE_OK) ...
 *     yr_json_diff_close(diff);
 *
 * Rows come in the byte order of the names of each level; a member that is no object on both sides is one row. Equal
 * texts, and texts that differ in blanks, in the order of members or in how strings are escaped only, give none. */
#ifndef YR_JSON_DIFF_H
#define YR_JSON_DIFF_H

#include <yore/env.h>
#include <yore/types.h>

#define YR_JSON_ADD 1u
#define YR_JSON_CHANGE 2u
#define YR_JSON_DEL 3u

typedef struct yr_json_diff yr_json_diff;

typedef struct yr_json_change {
    yore_slice path;     /* "" for the whole text; valid until the next call */
    yore_slice old_text; /* source text, borrowed from the input; data NULL where there is none */
    yore_slice new_text;
    uint32_t op; /* YR_JSON_ADD ... */
    uint32_t reserved;
} yr_json_change;

/* Both texts stay the caller's until close. YORE_ERR_INPUT, YORE_ERR_LIMIT: as yr_json_parse. */
yore_status yr_json_diff_open(const yore_env *env, yore_slice old_text, yore_slice new_text,
                              yr_json_diff **out, yore_error *err);
/* YORE_OK, YORE_END; YORE_ERR_NOMEM. Memory: two trees and the longest path. */
yore_status yr_json_diff_next(yr_json_diff *diff, yr_json_change *change, yore_error *err);
void yr_json_diff_close(yr_json_diff *diff); /* NULL is fine */

#endif
