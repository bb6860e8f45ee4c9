/* Commits through all layers: what a version was, when it was made, what it wrote. */
#ifndef YR_LAYERS_COMMITS_H
#define YR_LAYERS_COMMITS_H

#include "engine/layers/layers.h"

/* A commit, and what keeps its texts where they are. */
typedef struct yr_found_commit {
    yr_commit_head head; /* slices borrow the layers, or the pin */
    uint64_t prev;       /* the branch's own commit before, 0 = none */
    yr_segment_commit held;
} yr_found_commit;

/* Versions 1 to the newest published one. All of these: YORE_OK or a run's failure. */
yore_status yr_layers_commit(const yr_layers *layers, uint64_t version, yr_found_commit *out,
                             yore_error *err);
void yr_layers_commit_release(yr_found_commit *commit);
yore_status yr_layers_commit_time(const yr_layers *layers, uint64_t version, int64_t *time_ns,
                                  yore_error *err);
/* Of many, in any order. `stride` bytes from one version, and from one time, to the next. */
yore_status yr_layers_commit_times(const yr_layers *layers, const void *versions, void *times_ns,
                                   size_t stride, size_t n, yore_error *err);

/* The newest commit of a branch in (low, high] that has further parents (a merge), `high` a published version;
 * *version = 0 when there is none. Costs what has to be looked at: of memtables only merges, of runs
 * yr_run_merge_find. *hint, zeroed at first, is for the next search with the same or a lower `high`. */
typedef struct yr_merge_hint {
    const yr_memtable *mem;
    yr_ref place;
} yr_merge_hint;
yore_status yr_layers_merge_find(const yr_layers *layers, uint32_t branch, uint64_t low, uint64_t high,
                                 yr_merge_hint *hint, uint64_t *version, yore_error *err);

/* The newest version <= newest whose time is <= time_ns, 0 when there is none. O(log n). */
yore_status yr_layers_version_at(const yr_layers *layers, uint64_t newest, int64_t time_ns, uint64_t *version,
                                 yore_error *err);

/* The newest own data commit of a branch at or before a version, 0 if none. `newest` is the branch's newest. It may be
 * above `known`, a version >= `version` that was visible before the layers were taken: then these need not have it. */
yore_status yr_layers_head_at(const yr_layers *layers, uint32_t branch, uint64_t newest, uint64_t known,
                              uint64_t version, uint64_t *head, yore_error *err);

#endif
