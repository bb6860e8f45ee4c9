/* What differs between two points: keys, with both of their states.
 *
 *     yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
 *     status = yore_diff(db, &before, &after, &options, &iter, NULL, NULL, &err);
 *     while (yore_diff_next(iter, rows, sizeof *rows, 64, &n, &err) == YORE_OK) show(rows, n);
 *     yore_iter_close(iter);
 *
 * The points may be of one branch or of two, in either order. It costs what was changed on the way between them: what
 * both see alike is never looked at. A key that nobody changed but that has expired at one of the two points is not
 * listed, since nothing was done to it; a key that was changed is, as absent where it has expired.
 */
#ifndef YORE_DIFF_H
#define YORE_DIFF_H

#include <stdbool.h>

#include <yore/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define YORE_DIFF_ADD 1u    /* only b has it */
#define YORE_DIFF_CHANGE 2u /* both have it, with another value, type or metadata */
#define YORE_DIFF_DEL 3u    /* only a has it */

#define YORE_ANY_PRIMITIVE UINT32_MAX /* of a diff: every one but YORE_SYSTEM, in order */

typedef struct yore_diff_options {
    uint32_t struct_size;
    uint32_t primitive; /* 0 = YORE_KV; YORE_ANY_PRIMITIVE */
    yore_slice prefix;  /* keys that start with these bytes; empty = all */
    yore_slice from;    /* first key, inclusive; empty = the first one */
    yore_slice to;      /* end, exclusive; empty = open */
    uint64_t limit;     /* rows at most; 0 = all */
    bool keys_only;     /* leave values and metadata empty */
    bool reserved[7];
} yore_diff_options;

#define YORE_DIFF_OPTIONS_INIT                                          \
    {                                                                   \
        sizeof(yore_diff_options), 0, {0, 0}, {0, 0}, {0, 0}, 0, false, \
        {                                                               \
            false                                                       \
        }                                                               \
    }

/* One key. Where it is absent version and type are 0, and value and metadata empty. */
typedef struct yore_diff_row {
    yore_slice key;
    yore_slice old_value; /* at a */
    yore_slice new_value; /* at b */
    yore_slice old_meta;
    yore_slice new_meta;
    uint64_t old_version; /* the commit that wrote it */
    uint64_t new_version;
    uint32_t old_type; /* YORE_TYPE_... */
    uint32_t new_type;
    uint32_t primitive;
    uint32_t op; /* YORE_DIFF_... */
} yore_diff_row;

/* List the keys that differ between two points, by primitive and key.
 * a, b       NULL = default@now. Both are found at one moment: two points "now" see the same commits.
 * options    NULL = everything of kv; borrowed for the call.
 * out        set only on YORE_OK; close it with yore_iter_close.
 * at_a, at_b may be NULL; where the points turned out to be.
 * Returns YORE_OK; as yore_snap_open for each of the points; YORE_ERR_REFUSED for YORE_SYSTEM.
 * Threads any.   Blocks on reads, and for a commit group under way.
 * Cost O(changes between the points), or a scan of the changed branches' own keys where that is less. */
YORE_API YORE_NODISCARD yore_status yore_diff(yore_db *db, const yore_at *a, const yore_at *b,
                                              const yore_diff_options *options, yore_iter **out,
                                              yore_where *at_a, yore_where *at_b, yore_error *err);

/* Take the next rows. They last until the next call on the iterator.
 * rows      room for `cap` rows of `row_size` bytes each (sizeof(yore_diff_row)).
 * n         set to how many were written, on YORE_OK at least 1; fewer where their values come to 16 MiB.
 * Returns YORE_OK, YORE_END; YORE_ERR_MISUSE, YORE_ERR_NOMEM.
 * Threads one at a time.   Blocks on reads.   Cost O(depth + layers) a key that was changed. */
YORE_API YORE_NODISCARD yore_status yore_diff_next(yore_iter *iter, yore_diff_row *rows, size_t row_size,
                                                   size_t cap, size_t *n, yore_error *err);

/* How a diff was found. */
typedef struct yore_diff_info {
    uint32_t struct_size;
    uint32_t common_branch_id; /* the newest point that both have in their past; 0 = there is none */
    uint64_t common_version;
    uint64_t commits;      /* read, to learn which keys they wrote */
    uint64_t rows;         /* of theirs, and of the scans, so far */
    uint64_t keys;         /* compared so far */
    uint32_t hops_walked;  /* branches whose changes were found by their commits, */
    uint32_t hops_scanned; /* by a scan of their own keys, */
    uint32_t hops_shared;  /* and those that both points see alike */
    uint32_t reserved;
} yore_diff_info;

#define YORE_DIFF_INFO_INIT                               \
    {                                                     \
        sizeof(yore_diff_info), 0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

/* Describe a diff as far as it has been read.
 * out      struct_size set by the caller.
 * Returns YORE_OK, YORE_ERR_MISUSE.   Threads one at a time.   Blocks never.   Cost O(1). */
YORE_API YORE_NODISCARD yore_status yore_diff_info_get(const yore_iter *iter, yore_diff_info *out,
                                                       yore_error *err);

#ifdef __cplusplus
}
#endif
#endif
