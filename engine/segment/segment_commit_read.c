/* Commits by version and by time. */
#include "engine/segment/segment_private.h"

#include "engine/format/segment_commits.h"

static yore_status block_open(yr_segment *segment, uint32_t i, yr_block_pin *pin, yr_commits *commits,
                              yore_error *err)
{
    yore_status status = yr_segment_block_get(segment, YR_STREAM_COMMITS, i, pin, err);
    if (status < 0) return status;
    if (yr_commits_open(yore_bytes(pin->data, pin->size), commits)) return YORE_OK;
    yr_block_pin_release(pin);
    return yr_segment_bad_block(segment, YR_STREAM_COMMITS, i, "damaged commits", err);
}

/* The block and position of the newest commit at or below a version; *pin holds the block on YORE_OK. */
static yore_status commit_locate(yr_segment *segment, uint64_t version, yr_block_pin *pin,
                                 yr_commits *commits, uint32_t *block, uint32_t *at, yore_error *err)
{
    uint32_t rank;
    yore_status status = yr_segment_table_rank(segment, YR_STREAM_COMMITS, false, version, &rank, err);
    if (status < 0) return status;
    if (rank == 0) return YORE_NOT_FOUND;
    *block = rank - 1;
    status = block_open(segment, *block, pin, commits, err);
    if (status < 0) return status;
    rank = yr_commits_rank(commits, YR_COLUMN_VERSION, version);
    *at = rank - 1;
    if (rank) return YORE_OK;
    yr_block_pin_release(pin);
    return yr_segment_bad_block(segment, YR_STREAM_COMMITS, *block, "damaged commits", err);
}

yore_status yr_segment_commit_find(yr_segment *segment, uint64_t version, bool is_exact,
                                   yr_segment_commit *commit, yore_error *err)
{
    yr_segment_commit found = {0};
    yr_commits commits;
    uint32_t block, at;
    yore_status status = commit_locate(segment, version, &found.pin, &commits, &block, &at, err);
    if (status != YORE_OK) return status;
    if (!yr_commits_describe(&commits, at, &found.head, &found.prev)) {
        status = yr_segment_bad_block(segment, YR_STREAM_COMMITS, block, "damaged commit", err);
    } else if (is_exact && found.head.version != version) {
        status = YORE_NOT_FOUND;
    }
    if (status == YORE_OK) {
        *commit = found;
    } else {
        yr_segment_commit_release(&found);
    }
    return status;
}

void yr_segment_commit_release(yr_segment_commit *commit)
{
    yr_block_pin_release(&commit->pin);
}

yore_status yr_segment_commit_time(yr_segment *segment, uint64_t version, int64_t *time_ns, yore_error *err)
{
    yr_block_pin pin = {0};
    yr_commits commits;
    uint32_t block, at;
    yore_status status = commit_locate(segment, version, &pin, &commits, &block, &at, err);
    if (status != YORE_OK) return status;
    status = YORE_NOT_FOUND;
    if (yr_commits_get(&commits, YR_COLUMN_VERSION, at) == version) {
        *time_ns = (int64_t)yr_commits_get(&commits, YR_COLUMN_TIME, at);
        status = YORE_OK;
    }
    yr_block_pin_release(&pin);
    return status;
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
        status = block_open(segment, middle, &pin, &commits, err);
        if (status < 0) return status;
        if ((int64_t)yr_commits_get(&commits, YR_COLUMN_TIME, 0) <= time_ns) {
            low = middle;
        } else {
            high = middle;
        }
        yr_block_pin_release(&pin);
    }
    status = block_open(segment, low, &pin, &commits, err);
    if (status < 0) return status;
    uint32_t rank = yr_commits_rank(&commits, YR_COLUMN_TIME, (uint64_t)time_ns);
    if (rank) *version = yr_commits_get(&commits, YR_COLUMN_VERSION, rank - 1);
    yr_block_pin_release(&pin);
    return rank ? YORE_OK : yr_segment_bad_block(segment, YR_STREAM_COMMITS, low, "damaged commits", err);
}
