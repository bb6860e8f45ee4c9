/* Answers to conflicts, looked up by key. Each must answer a conflict, and no conflict may lack one. */
#ifndef YR_RESOLUTIONS_H
#define YR_RESOLUTIONS_H

#include "engine/base/arena.h"
#include "engine/merge/three_way.h"

typedef struct yr_resolutions {
    const yore_merge_resolution *list; /* borrowed */
    size_t count;
    size_t *refused;                     /* the caller's, may be NULL */
    const yore_merge_resolution **order; /* by primitive and key; in the arena */
    size_t next;                         /* of `order`: conflicts come in that order, too */
    yore_slice missing;                  /* the first key that has none; borrowed from the conflict */
    bool is_missing;
} yr_resolutions;

/* YORE_OK; YORE_ERR_INPUT when a key is answered twice; YORE_ERR_NOMEM. */
yore_status yr_resolutions_open(yr_resolutions *all, const yore_merge_options *options, yr_arena *arena,
                                yore_error *err);
/* The answer to the next conflict, NULL when it has none. versions: as the conflict has them, 0 where it is absent.
 * YORE_OK; YORE_ERR_INPUT when an answer before it was to no conflict, or this one names other versions. */
yore_status yr_resolutions_take(yr_resolutions *all, uint32_t primitive, yore_slice key,
                                const uint64_t versions[YR_SIDE_COUNT], const yore_merge_resolution **out,
                                yore_error *err);
/* After the last conflict: YORE_ERR_INPUT when there are answers left, or one was missing. */
yore_status yr_resolutions_end(const yr_resolutions *all, yore_error *err);

#endif
