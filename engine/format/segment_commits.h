/* Commit blocks: the commits of a segment in columns, so that the time of a version and the version at a time are one
 * look into an array and a plain commit costs a few bytes; and info blocks, which hold the notes, authors ... of those
 * that have any, so that long texts do not stand between the columns. docs/format.md has the tables.
 *
 * Each column stores base + an integer of its own width (0 to 8 bytes): width 0 is a column of equal values. Versions
 * are stored as what they are above base + position: width 0 is a block of neighbouring versions. Every block but a
 * segment's last has YR_COMMITS_PER_BLOCK commits.
 * Pure functions over bytes. */
#ifndef YR_SEGMENT_COMMITS_H
#define YR_SEGMENT_COMMITS_H

#include "engine/base/buf.h"
#include "engine/base/bytes.h"
#include "engine/format/commit_format.h"
#include "engine/format/segment_format.h"

#define YR_COMMITS_PER_BLOCK 512u
#define YR_INFO_BLOCK_AIM (16u << 10) /* an info block ends when it has as much */
#define YR_INFO_BLOCK_HEADER 8u       /* so that no info is at offset 0 */

enum yr_commit_column {
    YR_COLUMN_VERSION,
    YR_COLUMN_TIME,
    YR_COLUMN_BRANCH,
    YR_COLUMN_KIND,
    YR_COLUMN_BACK, /* distance to the branch's own commit before, 0 = none */
    YR_COLUMN_ROWS,
    YR_COLUMN_INFO_BLOCK, /* where its info is: block */
    YR_COLUMN_INFO_OFF,   /* and offset in it; 0 = it has none */
    YR_COLUMN_COUNT
};

#define YR_COMMITS_HEAD_BYTES (8u + 16u * YR_COLUMN_COUNT)

typedef struct yr_commits {
    uint32_t count;
    const uint8_t *column[YR_COLUMN_COUNT];
    uint64_t base[YR_COLUMN_COUNT];
    uint8_t width[YR_COLUMN_COUNT];
    const uint8_t *end; /* of the block */
} yr_commits;

/* Where a commit's info is. off = 0: it has none. */
typedef struct yr_info_ref {
    uint32_t block;
    uint32_t off;
} yr_info_ref;

static inline uint64_t yr_commits_blocks(uint64_t commits)
{
    return (commits + YR_COMMITS_PER_BLOCK - 1) / YR_COMMITS_PER_BLOCK;
}

/* The bit of a branch in the mask of the branches of a commit block, which is in its table entry. */
static inline uint32_t yr_branch_bit(uint32_t branch)
{
    return UINT32_C(1) << (branch * UINT32_C(0x9E3779B1) >> 27);
}

bool yr_commits_open(yore_slice raw, yr_commits *commits);
/* Value i of a column; i < count. */
uint64_t yr_commits_get(const yr_commits *commits, enum yr_commit_column column, uint32_t i);
/* How many commits have a version (or time) <= limit; these columns ascend. */
uint32_t yr_commits_rank(const yr_commits *commits, enum yr_commit_column column, uint64_t limit);
/* The last commit of a branch before position `end`: its position, or UINT32_MAX. */
uint32_t yr_commits_last_of(const yr_commits *commits, uint32_t branch, uint32_t end);
/* Everything of commit i but its info. *prev is the version of the branch's commit before, 0 = none. False when it is
 * damaged. */
bool yr_commits_describe(const yr_commits *commits, uint32_t i, yr_commit_head *head, uint64_t *prev,
                         yr_info_ref *info);

/* `size` <= 8 bytes at p, little endian. `end` is where what may be read ends. */
static inline uint64_t yr_column_value(const uint8_t *p, uint32_t size, const uint8_t *end)
{
    if (__builtin_expect(size > 0 && (size_t)(end - p) >= 8, 1))
        return yr_get_le64(p) & (UINT64_MAX >> (64 - 8 * size));
    uint64_t v = 0;
    for (uint32_t k = 0; k < size; k++) v |= (uint64_t)p[k] << (8 * k);
    return v;
}

/* Has no commit of a block an info? */
static inline bool yr_commits_are_plain(const yr_commits *commits)
{
    return commits->width[YR_COLUMN_INFO_OFF] == 0 && commits->base[YR_COLUMN_INFO_OFF] == 0;
}

/* The time of a version in a block of neighbouring versions, looking at its first line and at the number only. False:
 * not such a block, or not in it; what is wrong, if anything, yr_commits_open will say. */
static inline bool yr_commits_time(yore_slice raw, uint64_t version, int64_t *time_ns)
{
    const uint8_t *p = raw.data;
    if (raw.size < YR_COMMITS_HEAD_BYTES) return false;
    uint64_t at = version - yr_get_le64(p + 8), width = yr_get_le64(p + 32);
    if (yr_get_le64(p + 16) != 0 || at >= yr_get_le32(p) || width > 8) return false;
    if (at >= YR_COMMITS_PER_BLOCK || raw.size - YR_COMMITS_HEAD_BYTES < width * (at + 1)) return false;
    const uint8_t *value = p + YR_COMMITS_HEAD_BYTES + width * at;
    *time_ns = (int64_t)(yr_get_le64(p + 24) + yr_column_value(value, (uint32_t)width, p + raw.size));
    return true;
}

/* A block being made. */
typedef struct yr_commits_maker {
    uint32_t count;
    uint64_t value[YR_COLUMN_COUNT][YR_COMMITS_PER_BLOCK];
} yr_commits_maker;

static inline bool yr_commits_maker_is_full(const yr_commits_maker *maker)
{
    return maker->count == YR_COMMITS_PER_BLOCK;
}
void yr_commits_maker_add(yr_commits_maker *maker, const yr_commit_head *head, uint64_t prev,
                          yr_info_ref info);
/* The bits of all branches. */
uint32_t yr_commits_maker_mask(const yr_commits_maker *maker);
/* Append the block to `out` and start over. */
bool yr_commits_maker_finish(yr_commits_maker *maker, yr_buf *out);

/* -- infos -- */

/* What the info of a commit takes; 0: it has none. */
size_t yr_info_bytes(const yr_commit_head *head);
/* Begin an info block in an empty buffer. */
bool yr_info_block_begin(yr_buf *out, uint64_t first_version);
/* Append the info of a commit that has one. */
bool yr_info_append(yr_buf *out, const yr_commit_head *head);
/* How many further parents the info at `off` of a block has. False when it is damaged. */
bool yr_info_parents(yore_slice raw, uint32_t off, uint32_t *count);
/* Take the info at `off` of a block into a commit that was described; slices point into the block. *end is where the
 * next one begins. False when it is damaged. */
bool yr_info_take(yore_slice raw, uint32_t off, yr_commit_head *head, uint32_t *end);

#endif
