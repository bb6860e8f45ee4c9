/* Commits by version and by time. A segment that has a commit for every version finds one without a search: every
 * commit block but the last is full. */
#include "engine/segment/segment_private.h"

#define TIMES_AT_ONCE 16u

yore_status yr_segment_commits_get(yr_segment *segment, uint32_t i, yr_block_pin *pin, yr_commits *commits,
                                   yore_error *err)
{
    yore_status status = yr_segment_block_get(segment, YR_STREAM_COMMITS, i, pin, err);
    if (status < 0) return status;
    if (yr_commits_open(yore_bytes(pin->data, pin->size), commits)) return YORE_OK;
    yr_block_pin_release(pin);
    return yr_segment_bad_block(segment, YR_STREAM_COMMITS, i, "damaged commits", err);
}

/* Of a dense segment, and a version in its range. */
static uint32_t dense_block(const yr_segment *segment, uint64_t version)
{
    return (uint32_t)((version - segment->footer.after_version - 1) / YR_COMMITS_PER_BLOCK);
}

static bool has_version(const yr_segment *segment, uint64_t version)
{
    return version > segment->footer.after_version && version <= segment->footer.last_version;
}

yore_status yr_segment_commit_locate(yr_segment *segment, uint64_t version, yr_block_pin *pin,
                                     yr_commits *commits, uint32_t *block, uint32_t *at, yore_error *err)
{
    uint32_t rank;
    yore_status status;
    if (version > segment->footer.last_version) version = segment->footer.last_version;
    if (segment->footer.commits == 0 || !has_version(segment, version)) return YORE_NOT_FOUND;
    if (segment->is_dense) {
        *block = dense_block(segment, version);
    } else {
        status = yr_segment_table_rank(segment, YR_STREAM_COMMITS, false, version, &rank, err);
        if (status < 0) return status;
        if (rank == 0) return YORE_NOT_FOUND;
        *block = rank - 1;
    }
    status = yr_segment_commits_get(segment, *block, pin, commits, err);
    if (status < 0) return status;
    rank = yr_commits_rank(commits, YR_COLUMN_VERSION, version);
    *at = rank - 1;
    if (rank && (!segment->is_dense || yr_commits_get(commits, YR_COLUMN_VERSION, rank - 1) == version))
        return YORE_OK;
    yr_block_pin_release(pin);
    return yr_segment_bad_block(segment, YR_STREAM_COMMITS, *block, "damaged commits", err);
}

/* The info of a commit that was described; `pin` holds its block. */
static yore_status info_get(yr_segment *segment, yr_info_ref info, yr_commit_head *head, yr_block_pin *pin,
                            yore_error *err)
{
    uint32_t end;
    if (info.off == 0) return YORE_OK;
    if (info.block >= segment->layout.block_count[YR_STREAM_INFOS])
        return yr_segment_bad(segment, segment->layout.section_off[YR_STREAM_INFOS], "info out of range",
                              err);
    yore_status status = yr_segment_block_get(segment, YR_STREAM_INFOS, info.block, pin, err);
    if (status < 0) return status;
    if (yr_info_take(yore_bytes(pin->data, pin->size), info.off, head, &end)) return YORE_OK;
    yr_block_pin_release(pin);
    return yr_segment_bad_block(segment, YR_STREAM_INFOS, info.block, "damaged info", err);
}

yore_status yr_segment_commit_find(yr_segment *segment, uint64_t version, bool is_exact,
                                   yr_segment_commit *commit, yore_error *err)
{
    yr_segment_commit found = {0};
    yr_block_pin pin = {0};
    yr_commits commits;
    yr_info_ref info;
    uint32_t block, at;
    yore_status status = yr_segment_commit_locate(segment, version, &pin, &commits, &block, &at, err);
    if (status != YORE_OK) return status;
    bool is_sound = yr_commits_describe(&commits, at, &found.head, &found.prev, &info);
    yr_block_pin_release(&pin);
    if (!is_sound) return yr_segment_bad_block(segment, YR_STREAM_COMMITS, block, "damaged commit", err);
    if (is_exact && found.head.version != version) return YORE_NOT_FOUND;
    status = info_get(segment, info, &found.head, &found.pin, err);
    if (status == YORE_OK) *commit = found;
    return status;
}

void yr_segment_commit_release(yr_segment_commit *commit)
{
    yr_block_pin_release(&commit->pin);
}

/* -- times -- */

/* With a search, or to say what is wrong. */
static yore_status time_by_search(yr_segment *segment, uint64_t version, int64_t *time_ns, yore_error *err)
{
    yr_block_pin pin = {0};
    yr_commits commits;
    uint32_t block, at;
    yore_status status = yr_segment_commit_locate(segment, version, &pin, &commits, &block, &at, err);
    if (status != YORE_OK) return status;
    status = YORE_NOT_FOUND;
    if (yr_commits_get(&commits, YR_COLUMN_VERSION, at) == version) {
        *time_ns = (int64_t)yr_commits_get(&commits, YR_COLUMN_TIME, at);
        status = YORE_OK;
    }
    yr_block_pin_release(&pin);
    return status;
}

/* Where a time is in an image whose tables are in memory, and bytes it takes. */
static const uint8_t *time_at(const yr_segment *segment, uint64_t version, const yr_time_ref **ref)
{
    uint64_t n = version - segment->footer.after_version - 1;
    *ref = &segment->times[n / YR_COMMITS_PER_BLOCK];
    return (*ref)->column + (n % YR_COMMITS_PER_BLOCK) * (*ref)->width;
}

static int64_t time_take(const yr_segment *segment, uint64_t version)
{
    const yr_time_ref *ref;
    const uint8_t *p = time_at(segment, version, &ref);
    /* Behind a column there are others, and behind the blocks the index: 8 bytes can always be read. */
    return (int64_t)(ref->base + yr_column_value(p, ref->width, p + 8));
}

yore_status yr_segment_commit_time(yr_segment *segment, uint64_t version, int64_t *time_ns, yore_error *err)
{
    if (!has_version(segment, version)) return YORE_NOT_FOUND;
    if (segment->times) {
        *time_ns = time_take(segment, version);
        return YORE_OK;
    }
    if (!segment->is_dense) return time_by_search(segment, version, time_ns, err);
    yr_block_pin pin = {0};
    yore_status status =
        yr_segment_block_get(segment, YR_STREAM_COMMITS, dense_block(segment, version), &pin, err);
    if (status < 0) return status;
    bool is_found = yr_commits_time(yore_bytes(pin.data, pin.size), version, time_ns);
    yr_block_pin_release(&pin);
    return is_found ? YORE_OK : time_by_search(segment, version, time_ns, err);
}

/* Fetch what yr_segment_commit_time of these will look at: the table's entries, the blocks' first lines, the numbers.
 * Nothing here was checked yet, so nothing is believed but what is inside the image. */
static void times_prefetch(const yr_segment *segment, const uint64_t *versions, size_t n)
{
    const uint8_t *block[TIMES_AT_ONCE] = {0};
    const uint8_t *table = segment->image + segment->layout.section_off[YR_STREAM_COMMITS];
    for (size_t i = 0; i < n; i++) {
        if (!has_version(segment, versions[i])) continue;
        block[i] = table + (size_t)dense_block(segment, versions[i]) * YR_SEGMENT_ENTRY_BYTES;
        __builtin_prefetch(block[i]);
    }
    for (size_t i = 0; i < n; i++) {
        yr_segment_entry entry;
        if (block[i] && yr_segment_entry_decode(block[i], segment->footer.index_off, &entry) &&
            entry.stored_bytes == entry.raw_bytes && entry.raw_bytes >= YR_COMMITS_HEAD_BYTES) {
            block[i] = segment->image + entry.off;
            __builtin_prefetch(block[i]);
        } else {
            block[i] = NULL;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!block[i]) continue;
        uint64_t at = (versions[i] - segment->footer.after_version - 1) % YR_COMMITS_PER_BLOCK;
        __builtin_prefetch(block[i] + YR_COMMITS_HEAD_BYTES + (yr_get_le64(block[i] + 32) & 15) * at);
    }
}

/* Through the cache: neighbouring versions share a block, which is looked up once. */
static yore_status times_by_block(yr_segment *segment, const uint64_t *versions, int64_t *times, size_t n,
                                  yore_error *err)
{
    yr_block_pin pin = {0};
    uint32_t held = UINT32_MAX;
    yore_status status = YORE_OK;
    for (size_t i = 0; i < n && status == YORE_OK; i++) {
        if (!has_version(segment, versions[i])) {
            status = YORE_NOT_FOUND;
            break;
        }
        uint32_t block = dense_block(segment, versions[i]);
        if (block != held) {
            yr_block_pin_release(&pin);
            held = UINT32_MAX;
            status = yr_segment_block_get(segment, YR_STREAM_COMMITS, block, &pin, err);
            if (status < 0) break;
            held = block;
        }
        if (!yr_commits_time(yore_bytes(pin.data, pin.size), versions[i], &times[i]))
            status = time_by_search(segment, versions[i], &times[i], err);
    }
    yr_block_pin_release(&pin);
    return status;
}

static yore_status times_in_memory(const yr_segment *segment, const uint64_t *versions, int64_t *times,
                                   size_t n)
{
    for (size_t start = 0; start < n; start += TIMES_AT_ONCE) {
        size_t end = n - start < TIMES_AT_ONCE ? n : start + TIMES_AT_ONCE;
        for (size_t i = start; i < end; i++) {
            const yr_time_ref *ref;
            if (!has_version(segment, versions[i])) return YORE_NOT_FOUND;
            __builtin_prefetch(time_at(segment, versions[i], &ref));
        }
        for (size_t i = start; i < end; i++) times[i] = time_take(segment, versions[i]);
    }
    return YORE_OK;
}

yore_status yr_segment_commit_times(yr_segment *segment, const uint64_t *versions, int64_t *times, size_t n,
                                    yore_error *err)
{
    if (segment->times) return times_in_memory(segment, versions, times, n);
    if (segment->is_dense && !segment->image) return times_by_block(segment, versions, times, n, err);
    for (size_t i = 0; i < n; i++) {
        if (segment->is_dense && i % TIMES_AT_ONCE == 0)
            times_prefetch(segment, versions + i, n - i < TIMES_AT_ONCE ? n - i : TIMES_AT_ONCE);
        yore_status status = yr_segment_commit_time(segment, versions[i], &times[i], err);
        if (status != YORE_OK) return status;
    }
    return YORE_OK;
}

yore_status yr_segment_version_at(yr_segment *segment, int64_t time_ns, uint64_t *version, yore_error *err)
{
    uint32_t low = 0, high = segment->layout.block_count[YR_STREAM_COMMITS];
    yr_block_pin pin = {0};
    yr_commits commits;
    yore_status status;
    if (high == 0 || time_ns < segment->footer.first_time_ns) return YORE_NOT_FOUND;
    /* The last block that begins at or before the time: the tables have versions, so each is asked for its first. */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        status = yr_segment_commits_get(segment, middle, &pin, &commits, err);
        if (status < 0) return status;
        if ((int64_t)yr_commits_get(&commits, YR_COLUMN_TIME, 0) <= time_ns) {
            low = middle;
        } else {
            high = middle;
        }
        yr_block_pin_release(&pin);
    }
    status = yr_segment_commits_get(segment, low, &pin, &commits, err);
    if (status < 0) return status;
    uint32_t rank = yr_commits_rank(&commits, YR_COLUMN_TIME, (uint64_t)time_ns);
    if (rank) *version = yr_commits_get(&commits, YR_COLUMN_VERSION, rank - 1);
    yr_block_pin_release(&pin);
    return rank ? YORE_OK : yr_segment_bad_block(segment, YR_STREAM_COMMITS, low, "damaged commits", err);
}
