/* What differs between two JSON texts, by path: objects member by member, arrays and scalars as a whole.
 *
 *     status = yore_json_diff_open(NULL, old_text, new_text, &diff, &err);
 *     if (status == YORE_ERR_INPUT) ...                       // not JSON: compare the bytes
 *     yore_json_change change = YORE_JSON_CHANGE_INIT;
 *     while (yore_json_diff_next(diff, &change, &err) == YORE_OK) show(&change);
 *     yore_json_diff_close(diff);
 *
 * Rows come in the byte order of the names of each level. Texts that differ in blanks, in the order of members or in
 * how strings are escaped only give none. Numbers are compared as they are written: 1 and 1.0 differ.
 */
#ifndef YORE_JSON_H
#define YORE_JSON_H

#include <yore/diff.h>
#include <yore/env.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YORE_JSON_BYTES_MAX (16u << 20) /* a longer text is not taken apart */
#define YORE_JSON_DEPTH_MAX 512u

typedef struct yore_json_diff yore_json_diff;

typedef struct yore_json_change {
    uint32_t struct_size;
    uint32_t op;         /* YORE_DIFF_ADD, _CHANGE, _DEL */
    yore_slice path;     /* RFC 6901; empty = the whole text */
    yore_slice old_text; /* as it stands in the text; data NULL where there is none */
    yore_slice new_text;
} yore_json_change;

#define YORE_JSON_CHANGE_INIT                        \
    {                                                \
        sizeof(yore_json_change), 0, {0, 0}, {0, 0}, \
        {                                            \
            0, 0                                     \
        }                                            \
    }

/* Compare two texts.
 * env      where memory comes from; NULL = yore_env_default().
 * old_text, new_text  borrowed until the diff is closed.
 * out      set only on YORE_OK; close it with yore_json_diff_close.
 * Returns YORE_OK; YORE_ERR_INPUT when one is not JSON (RFC 8259 in UTF-8, no name twice in an object, no half of a
 *         surrogate pair; err->offset is the place), YORE_ERR_LIMIT past the limits above, YORE_ERR_NOMEM.
 * Threads any.   Blocks never.   Cost O(both texts). */
YORE_API YORE_NODISCARD yore_status yore_json_diff_open(const yore_env *env, yore_slice old_text,
                                                        yore_slice new_text, yore_json_diff **out,
                                                        yore_error *err);

/* Take the next difference.
 * change   struct_size set by the caller. The path lasts until the next call, the texts as long as the inputs.
 * Returns YORE_OK, YORE_END; YORE_ERR_MISUSE, YORE_ERR_NOMEM.
 * Threads one at a time.   Blocks never.   Cost O(what is alike on the way). */
YORE_API YORE_NODISCARD yore_status yore_json_diff_next(yore_json_diff *diff, yore_json_change *change,
                                                        yore_error *err);

/* Give a diff back.
 * diff     may be NULL.
 * Returns nothing.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API void yore_json_diff_close(yore_json_diff *diff);

#ifdef __cplusplus
}
#endif
#endif
