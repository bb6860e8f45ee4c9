/* Commit blocks: the commits of a segment in columns, so that the time of a version and the version at a time are one
 * look into an array and a plain commit costs a few bytes. docs/format.md has the table.
 *
 * Each column stores base + an integer of its own width (0 to 8 bytes): width 0 is a column of equal values.
 * Pure functions over bytes. */
#ifndef YR_SEGMENT_COMMITS_H
#define YR_SEGMENT_COMMITS_H

#include "engine/base/buf.h"
#include "engine/format/commit_format.h"
#include "engine/format/segment_format.h"

#define YR_COMMITS_PER_BLOCK 512u

enum yr_commit_column {
    YR_COLUMN_VERSION,
    YR_COLUMN_TIME,
    YR_COLUMN_BRANCH,
    YR_COLUMN_KIND,
    YR_COLUMN_BACK, /* distance to the branch's own commit before, 0 = none */
    YR_COLUMN_ROWS,
    YR_COLUMN_INFO, /* where its info (note, author, ...) ends */
    YR_COLUMN_COUNT
};

typedef struct yr_commits {
    uint32_t count;
    const uint8_t *column[YR_COLUMN_COUNT];
    uint64_t base[YR_COLUMN_COUNT];
    uint8_t width[YR_COLUMN_COUNT];
    yore_slice info;
} yr_commits;

bool yr_commits_open(yore_slice raw, yr_commits *commits);
/* i < count. */
uint64_t yr_commits_get(const yr_commits *commits, enum yr_commit_column column, uint32_t i);
/* How many commits have a version (or time) <= limit; these columns ascend. */
uint32_t yr_commits_rank(const yr_commits *commits, enum yr_commit_column column, uint64_t limit);
/* Everything of commit i; slices point into the block. *prev is the version of the branch's commit before, 0 = none.
 * False when it is damaged. */
bool yr_commits_describe(const yr_commits *commits, uint32_t i, yr_commit_head *head, uint64_t *prev);

/* A block being made. */
typedef struct yr_commits_maker {
    uint32_t count;
    yr_buf info;
    uint64_t value[YR_COLUMN_COUNT][YR_COMMITS_PER_BLOCK];
} yr_commits_maker;

void yr_commits_maker_init(yr_commits_maker *maker, const yore_env *env);
void yr_commits_maker_deinit(yr_commits_maker *maker);
/* Is there room for one more? A block takes at least one. */
bool yr_commits_maker_fits(const yr_commits_maker *maker, const yr_commit_head *head);
bool yr_commits_maker_add(yr_commits_maker *maker, const yr_commit_head *head, uint64_t prev);
/* Append the block to `out` and start over. */
bool yr_commits_maker_finish(yr_commits_maker *maker, yr_buf *out);

#endif
