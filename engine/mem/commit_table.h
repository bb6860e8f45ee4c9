/* The commit table: one record a version above the memtable's base, dense. It is the in-memory form
 * of the versioned commit records (branch, system, version) of the log: what `log`, `show`, `back:N` and
 * time-to-version read.
 *
 * 20 bytes a commit in arrays of 1,024: time, branch, previous commit of that branch, info. `info` is either
 * (bit 31 set) the entry that a plain one-key commit wrote, or a reference to an info block with everything
 * else, or 0 (a commit that wrote nothing and has nothing to say).
 *
 * One writer appends; a reader may ask for any version above the base, at or below one it saw published.
 * Commits with further parents (merges) are also in a list, newest first, so that a walk over the graph of commits need
 * not look at the others.
 * T1 times are strictly ascending.   T2 prev[v] < v, maybe below the base, and 0 ends a branch's own commits.
 */
#ifndef YR_COMMIT_TABLE_H
#define YR_COMMIT_TABLE_H

#include "engine/format/commit_format.h"
#include "index/region.h"

#define YR_COMMIT_CHUNK 1024u
#define YR_COMMIT_MIDDLE 1024u
#define YR_COMMIT_TOP 4096u

typedef struct yr_commit_table {
    yr_region *region;
    uint64_t base;
    uint64_t last;         /* writer's: versions above base, up to this one, are filled */
    _Atomic yr_ref merges; /* the newest of the list of merges */
    _Atomic yr_ref top[YR_COMMIT_TOP];
} yr_commit_table;

void yr_commit_table_init(yr_commit_table *table, yr_region *region, uint64_t base);

/* Writer: record version last + 1. `entries` are the entries it wrote, in order; prev is the branch's last
 * own commit, 0 if none. False when the region is full. Nothing is visible before the version is published. */
bool yr_commit_table_append(yr_commit_table *table, const yr_commit_head *head, const yr_ref *entries,
                            uint32_t entry_count, uint64_t prev);

int64_t yr_commit_time(const yr_commit_table *table, uint64_t version);
uint32_t yr_commit_branch(const yr_commit_table *table, uint64_t version);
uint64_t yr_commit_prev(const yr_commit_table *table, uint64_t version);
/* Everything; slices and `parents` point into the region. Does not set row_count from rows: entry count. */
void yr_commit_describe(const yr_commit_table *table, uint64_t version, yr_commit_head *head);
/* The i-th entry it wrote, i < row_count. */
yr_ref yr_commit_entry(const yr_commit_table *table, uint64_t version, uint32_t i);
/* YORE_COMMIT_..., cheaper than describe. */
uint8_t yr_commit_kind(const yr_commit_table *table, uint64_t version);

/* The newest merge of a branch in (low, high], 0 when there is none. *place is where in the list a search was that
 * looked at or above `high` (0: it was nowhere); then where this one is. */
uint64_t yr_commit_merge_find(const yr_commit_table *table, uint32_t branch, uint64_t low, uint64_t high,
                              yr_ref *place);

/* The newest version in (base, newest] whose time is <= time_ns, base when there is none. O(log n). */
uint64_t yr_commit_at_time(const yr_commit_table *table, uint64_t newest, int64_t time_ns);

#endif
