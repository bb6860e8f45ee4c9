/* The SPEC grammar: text to a point in history (docs/cli.md, "SPEC"). Pure: what exists is asked through callbacks.
 *
 *     spec   = branch ["@" point] | "@" point | point
 *     branch = name | "id:" DIGITS
 *     point  = "v" DIGITS | "tag:" name | "back:" DIGITS | "now" | "start" | "fork" | "today" | "yesterday"
 *            | date [("T"|" ") hh:mm[:ss[.f]] [zone]] | span [" ago"] | "epoch:" ["-"] seconds ["." fraction]
 *
 * A text without '@' is read as a point first, then as a branch. Nothing is guessed: what is neither is refused,
 * with the nearest form that would be right. Where a text is wrong in itself that is said before anything is
 * looked up. */
#ifndef YR_SPEC_PARSE_H
#define YR_SPEC_PARSE_H

#include <stdbool.h>

#include <yore/types.h>

/* What exists now. `ctx` is handed to each; names are not NUL-terminated. */
typedef struct yr_spec_names {
    void *ctx;
    bool (*branch_exists)(void *ctx, yore_slice name); /* live branches by name */
    bool (*tag_exists)(void *ctx, yore_slice name);
    /* The existing name most like this one, NUL-terminated into `out` of YORE_BRANCH_NAME_MAX + 1 bytes; false when
     * none is near. Both may be NULL. yr_text_distance with limit 2 is a good measure. */
    bool (*branch_nearest)(void *ctx, yore_slice name, char *out);
    bool (*tag_nearest)(void *ctx, yore_slice name, char *out);
} yr_spec_names;

/* Read `spec`. On YORE_OK all of *out but its struct_size is set: `branch` to the branch named, or as it was on entry
 * when the spec names none, or emptied for a tag without a branch, which selects its own; `branch_id` when the
 * branch was given as id:N (whether it exists is for the caller). A time before 1677 becomes INT64_MIN.
 * Returns YORE_OK; YORE_ERR_SPEC (err->offset is the place), YORE_ERR_NO_BRANCH, YORE_ERR_NO_TAG,
 * YORE_ERR_TIME_RANGE for a version or a time later than any can be. *out is unchanged on failure. */
yore_status yr_spec_parse(const char *spec, int64_t now_ns, int32_t utc_offset_s, const yr_spec_names *names,
                          yore_at *out, yore_error *err);

#endif
