/* Merges of a run: its commits with further parents, which infos tell. */
#include "engine/segment/run_private.h"
#include "engine/segment/segment_private.h"

/* The info block that was looked at last: neighbours have theirs side by side. */
typedef struct info_held {
    yr_block_pin pin;
    uint32_t block;
    bool is_held;
} info_held;

static yore_status is_merge(yr_segment *segment, const yr_commits *commits, uint32_t at, info_held *held,
                            bool *is, yore_error *err)
{
    uint64_t off = yr_commits_get(commits, YR_COLUMN_INFO_OFF, at);
    uint64_t block = yr_commits_get(commits, YR_COLUMN_INFO_BLOCK, at);
    uint32_t parents;
    *is = false;
    if (off == 0) return YORE_OK;
    if (block >= segment->layout.block_count[YR_STREAM_INFOS] || off > UINT32_MAX)
        return yr_segment_bad(segment, segment->layout.section_off[YR_STREAM_INFOS], "info out of range",
                              err);
    if (!held->is_held || held->block != block) {
        yr_block_pin_release(&held->pin);
        held->is_held = false;
        held->block = (uint32_t)block;
        yore_status status = yr_segment_block_get(segment, YR_STREAM_INFOS, held->block, &held->pin, err);
        if (status < 0) return status;
        held->is_held = true;
    }
    if (!yr_info_parents(yore_bytes(held->pin.data, held->pin.size), (uint32_t)off, &parents))
        return yr_segment_bad_block(segment, YR_STREAM_INFOS, held->block, "damaged info", err);
    *is = parents > 0;
    return YORE_OK;
}

/* The newest merge of a branch among commits [0, end) of a block that are above `low`. */
static yore_status find_in_block(yr_segment *segment, const yr_commits *commits, uint32_t end,
                                 uint32_t branch, uint64_t low, info_held *held, uint64_t *version,
                                 yore_error *err)
{
    yore_status status = YORE_OK;
    if (yr_commits_are_plain(commits)) return YORE_OK;
    while (status == YORE_OK && *version == 0 &&
           (end = yr_commits_last_of(commits, branch, end)) != UINT32_MAX) {
        uint64_t at = yr_commits_get(commits, YR_COLUMN_VERSION, end);
        bool is;
        if (at <= low) break;
        status = is_merge(segment, commits, end, held, &is, err);
        if (status == YORE_OK && is) *version = at;
    }
    return status;
}

yore_status yr_run_merge_find(yr_run *run, uint32_t branch, uint64_t low, uint64_t high, uint64_t *version,
                              yore_error *err)
{
    const yr_run_branch *known = yr_run_branch_find(run, branch);
    yr_segment *segment = yr_run_reads(run, 0);
    info_held held = {.is_held = false};
    yr_commits commits;
    yr_block_pin pin = {0};
    uint32_t block, at;
    *version = 0;
    if (!known || known->first_commit == 0 || high < known->first_commit || low >= known->last_commit)
        return YORE_OK;
    if (high > known->last_commit) high = known->last_commit;
    yore_status status = yr_segment_commit_locate(segment, high, &pin, &commits, &block, &at, err);
    if (status != YORE_OK) return status < 0 ? status : YORE_OK;
    status = find_in_block(segment, &commits, at + 1, branch, low, &held, version, err);
    while (status == YORE_OK && *version == 0 && block > 0 &&
           yr_commits_get(&commits, YR_COLUMN_VERSION, 0) > low + 1) {
        yr_segment_entry entry;
        status = yr_segment_entry_get(segment, YR_STREAM_COMMITS, --block, &entry, err);
        if (status < 0) break;
        if (!(entry.first & yr_branch_bit(branch))) continue;
        yr_block_pin_release(&pin);
        status = yr_segment_commits_get(segment, block, &pin, &commits, err);
        if (status == YORE_OK)
            status = find_in_block(segment, &commits, commits.count, branch, low, &held, version, err);
    }
    yr_block_pin_release(&pin);
    yr_block_pin_release(&held.pin);
    return status;
}
