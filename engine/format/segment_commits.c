#include "engine/format/segment_commits.h"

#include "engine/base/yr_assert.h"

#define FIXED_BYTES 8u /* count, zero */
#define COLUMN_BYTES 16u
#define INFO_HEADER 12u

bool yr_commits_open(yore_slice raw, yr_commits *commits)
{
    yr_reader r = yr_reader_of(raw);
    *commits = (yr_commits){.count = yr_take_le32(&r)};
    uint32_t zero = yr_take_le32(&r);
    for (uint32_t i = 0; i < YR_COLUMN_COUNT; i++) {
        commits->base[i] = yr_take_le64(&r);
        uint64_t width = yr_take_le64(&r);
        if (!r.ok || width > 8) return false;
        commits->width[i] = (uint8_t)width;
    }
    if (commits->count == 0 || commits->count > YR_COMMITS_PER_BLOCK || zero) return false;
    for (uint32_t i = 0; i < YR_COLUMN_COUNT; i++) {
        commits->column[i] = yr_take(&r, (size_t)commits->width[i] * commits->count).data;
    }
    commits->end = r.p;
    return r.ok && r.left == 0;
}

uint64_t yr_commits_get(const yr_commits *commits, enum yr_commit_column column, uint32_t i)
{
    uint32_t width = commits->width[column];
    uint64_t base = commits->base[column] + (column == YR_COLUMN_VERSION ? i : 0);
    if (width == 0) return base;
    return base + yr_column_value(commits->column[column] + (size_t)width * i, width, commits->end);
}

uint32_t yr_commits_rank(const yr_commits *commits, enum yr_commit_column column, uint64_t limit)
{
    /* Times are signed: compared as distances from the base, which is the least. */
    uint64_t base = commits->base[column];
    if (column == YR_COLUMN_TIME ? (int64_t)limit < (int64_t)base : limit < base) return 0;
    uint32_t low = 0, high = commits->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (yr_commits_get(commits, column, middle) - base <= limit - base) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

uint32_t yr_commits_last_of(const yr_commits *commits, uint32_t branch, uint32_t end)
{
    const uint8_t *column = commits->column[YR_COLUMN_BRANCH];
    uint64_t base = commits->base[YR_COLUMN_BRANCH];
    uint32_t width = commits->width[YR_COLUMN_BRANCH];
    if (branch < base || (width < 8 && (branch - base) >> (8 * width))) return UINT32_MAX;
    if (width == 0) return end ? end - 1 : UINT32_MAX;
    while (end-- > 0) {
        bool is_same = width == 1 ? column[end] == (uint8_t)(branch - base)
                                  : yr_commits_get(commits, YR_COLUMN_BRANCH, end) == branch;
        if (is_same) return end;
    }
    return UINT32_MAX;
}

bool yr_commits_describe(const yr_commits *commits, uint32_t i, yr_commit_head *head, uint64_t *prev,
                         yr_info_ref *info)
{
    uint64_t kind = yr_commits_get(commits, YR_COLUMN_KIND, i);
    uint64_t branch = yr_commits_get(commits, YR_COLUMN_BRANCH, i);
    uint64_t rows = yr_commits_get(commits, YR_COLUMN_ROWS, i);
    uint64_t block = yr_commits_get(commits, YR_COLUMN_INFO_BLOCK, i);
    uint64_t off = yr_commits_get(commits, YR_COLUMN_INFO_OFF, i);
    *head = (yr_commit_head){.version = yr_commits_get(commits, YR_COLUMN_VERSION, i),
                             .time_ns = (int64_t)yr_commits_get(commits, YR_COLUMN_TIME, i),
                             .branch = (uint32_t)branch,
                             .kind = (uint8_t)kind,
                             .row_count = (uint32_t)rows};
    *info = (yr_info_ref){.block = (uint32_t)block, .off = (uint32_t)off};
    uint64_t back = yr_commits_get(commits, YR_COLUMN_BACK, i);
    if (kind > UINT8_MAX || branch > UINT32_MAX || rows > UINT32_MAX || back >= head->version) return false;
    if (block > UINT32_MAX || off > YR_SEGMENT_BLOCK_BYTES_MAX) return false;
    *prev = back ? head->version - back : 0;
    return true;
}

/* -- making -- */

void yr_commits_maker_add(yr_commits_maker *maker, const yr_commit_head *head, uint64_t prev,
                          yr_info_ref info)
{
    YR_ASSERT(maker->count < YR_COMMITS_PER_BLOCK);
    YR_ASSERT(prev < head->version);
    uint32_t i = maker->count++;
    maker->value[YR_COLUMN_VERSION][i] = head->version - i;
    maker->value[YR_COLUMN_TIME][i] = (uint64_t)head->time_ns;
    maker->value[YR_COLUMN_BRANCH][i] = head->branch;
    maker->value[YR_COLUMN_KIND][i] = head->kind;
    maker->value[YR_COLUMN_BACK][i] = prev ? head->version - prev : 0;
    maker->value[YR_COLUMN_ROWS][i] = head->row_count;
    maker->value[YR_COLUMN_INFO_BLOCK][i] = info.block;
    maker->value[YR_COLUMN_INFO_OFF][i] = info.off;
}

uint32_t yr_commits_maker_mask(const yr_commits_maker *maker)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < maker->count; i++)
        mask |= yr_branch_bit((uint32_t)maker->value[YR_COLUMN_BRANCH][i]);
    return mask;
}

/* The least value of a column and the bytes its largest distance from it takes. Times are signed, and their first is
 * their least. */
static uint32_t column_width(const uint64_t *values, uint32_t count, bool is_time, uint64_t *base)
{
    uint64_t least = values[0], most = 0;
    for (uint32_t i = 1; i < count && !is_time; i++) {
        if (values[i] < least) least = values[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] - least > most) most = values[i] - least;
    }
    *base = least;
    return most ? (71u - (uint32_t)__builtin_clzll(most)) / 8 : 0;
}

bool yr_commits_maker_finish(yr_commits_maker *maker, yr_buf *out)
{
    uint64_t base[YR_COLUMN_COUNT];
    uint32_t width[YR_COLUMN_COUNT];
    size_t bytes = YR_COMMITS_HEAD_BYTES;
    for (uint32_t c = 0; c < YR_COLUMN_COUNT; c++) {
        width[c] = column_width(maker->value[c], maker->count, c == YR_COLUMN_TIME, &base[c]);
        bytes += (size_t)width[c] * maker->count;
    }
    uint8_t *p;
    if (!yr_buf_reserve(out, bytes, &p)) return false;
    yr_put_le32(p + 0, maker->count); /* 0  4  commits */
    yr_put_le32(p + 4, 0);            /* 4  4  zero */
    p += FIXED_BYTES;
    for (uint32_t c = 0; c < YR_COLUMN_COUNT; c++, p += COLUMN_BYTES) {
        yr_put_le64(p + 0, base[c]);  /* 0  8  base */
        yr_put_le64(p + 8, width[c]); /* 8  8  bytes a value */
    }
    for (uint32_t c = 0; c < YR_COLUMN_COUNT; c++) {
        for (uint32_t i = 0; i < maker->count; i++) {
            uint64_t v = maker->value[c][i] - base[c];
            for (uint32_t k = 0; k < width[c]; k++) *p++ = (uint8_t)(v >> (8 * k));
        }
    }
    out->size += bytes;
    maker->count = 0;
    return true;
}

/* -- infos -- */

size_t yr_info_bytes(const yr_commit_head *head)
{
    size_t bytes = (size_t)yr_texts_bytes(head);
    return bytes ? bytes + INFO_HEADER : 0;
}

bool yr_info_block_begin(yr_buf *out, uint64_t first_version)
{
    return yr_buf_append_le64(out, first_version); /* 0  8  version of the first commit */
}

bool yr_info_append(yr_buf *out, const yr_commit_head *head)
{
    uint8_t *p;
    if (!yr_buf_reserve(out, yr_info_bytes(head), &p)) return false;
    yr_put_le16(p + 0, yr_texts_flags(head));         /* 0  2  flags: 1 = source time, 2 = wall clock */
    yr_put_le16(p + 2, (uint16_t)head->parent_count); /* 2  2  further parents */
    yr_put_le32(p + 4, (uint32_t)head->note.size);    /* 4  4  note bytes */
    yr_put_le16(p + 8, (uint16_t)head->author.size);  /* 8  2  author bytes */
    yr_put_le16(p + 10, (uint16_t)head->source.size); /* 10 2  source bytes */
    p = yr_texts_put(p + INFO_HEADER, head);
    out->size = (size_t)(p - out->data);
    return true;
}

bool yr_info_parents(yore_slice raw, uint32_t off, uint32_t *count)
{
    if (off < YR_INFO_BLOCK_HEADER || off >= raw.size || raw.size - off < INFO_HEADER) return false;
    *count = yr_get_le16((const uint8_t *)raw.data + off + 2);
    return true;
}

bool yr_info_take(yore_slice raw, uint32_t off, yr_commit_head *head, uint32_t *end)
{
    if (off < YR_INFO_BLOCK_HEADER || off >= raw.size) return false;
    yr_reader r = {.p = (const uint8_t *)raw.data + off, .left = raw.size - off, .ok = true};
    uint16_t flags = yr_take_le16(&r);
    head->parent_count = yr_take_le16(&r);
    yr_texts_sizes sizes = {.note = yr_take_le32(&r)};
    sizes.author = yr_take_le16(&r);
    sizes.source = yr_take_le16(&r);
    bool is_sound = yr_texts_take(&r, flags, sizes, head);
    *end = (uint32_t)(raw.size - r.left);
    return is_sound;
}
