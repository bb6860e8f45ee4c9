/* Merges of a run: its commits with further parents. */
#include "engine/segment/run_private.h"
#include "engine/segment/segment_private.h"

/* The newest merge of a branch among commits [0, end) of a block that are above `low`. */
static yore_status find_in_block(yr_run *run, const yr_commits *commits, uint32_t end, uint32_t branch,
                                 uint64_t low, uint64_t *version, yore_error *err)
{
    while ((end = yr_commits_last_of(commits, branch, end)) != UINT32_MAX) {
        uint64_t at = yr_commits_get(commits, YR_COLUMN_VERSION, end);
        if (at <= low) return YORE_OK;
        if (yr_commits_get(commits, YR_COLUMN_INFO_OFF, end) == 0) continue;
        yr_segment_commit commit;
        yore_status status = yr_run_commit_find(run, at, true, &commit, err);
        if (status < 0) return status;
        if (status != YORE_OK) continue;
        bool is_merge = commit.head.parent_count > 0;
        yr_segment_commit_release(&commit);
        if (is_merge) {
            *version = at;
            return YORE_OK;
        }
    }
    return YORE_OK;
}

yore_status yr_run_merge_find(yr_run *run, uint32_t branch, uint64_t low, uint64_t high, uint64_t *version,
                              yore_error *err)
{
    const yr_run_branch *known = yr_run_branch_find(run, branch);
    yr_segment *segment = yr_run_reads(run, 0);
    yr_commits commits;
    yr_block_pin pin = {0};
    uint32_t block, at;
    *version = 0;
    if (!known || known->first_commit == 0 || high < known->first_commit || low >= known->last_commit)
        return YORE_OK;
    if (high > known->last_commit) high = known->last_commit;
    yore_status status = yr_segment_commit_locate(segment, high, &pin, &commits, &block, &at, err);
    if (status != YORE_OK) return status < 0 ? status : YORE_OK;
    status = find_in_block(run, &commits, at + 1, branch, low, version, err);
    while (status == YORE_OK && *version == 0 && block > 0 &&
           yr_commits_get(&commits, YR_COLUMN_VERSION, 0) > low + 1) {
        yr_segment_entry entry;
        status = yr_segment_entry_get(segment, YR_STREAM_COMMITS, --block, &entry, err);
        if (status < 0) break;
        if (!(entry.first & yr_branch_bit(branch))) continue;
        yr_block_pin_release(&pin);
        status = yr_segment_commits_get(segment, block, &pin, &commits, err);
        if (status == YORE_OK)
            status = find_in_block(run, &commits, commits.count, branch, low, version, err);
    }
    yr_block_pin_release(&pin);
    return status;
}
