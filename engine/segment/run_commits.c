/* Commits of a run: all are in its first file. */
#include "engine/base/error.h"
#include "engine/segment/run_private.h"
#include "engine/segment/segment_private.h"

/* Of the walk by the branch's own links, and of the one down over all commit blocks, before it is the other's turn; a
 * search in a block counts for so many steps over one. */
#define BACK_STEPS 32u
#define DOWN_STEPS 64u
#define DOWN_SEARCH 16u

yore_status yr_run_commit_find(yr_run *run, uint64_t version, bool is_exact, yr_segment_commit *commit,
                               yore_error *err)
{
    return yr_segment_commit_find(yr_run_reads(run, 0), version, is_exact, commit, err);
}

yore_status yr_run_commit_time(yr_run *run, uint64_t version, int64_t *time_ns, yore_error *err)
{
    /* Every look at a store that has nothing in memory asks for the newest: it costs no block, and cannot fail. */
    const yr_segment_footer *facts = yr_segment_facts(yr_run_file(run, 0));
    if (version == facts->last_version && facts->commits == version - facts->after_version) {
        *time_ns = facts->last_time_ns;
        return YORE_OK;
    }
    return yr_segment_commit_time(yr_run_reads(run, 0), version, time_ns, err);
}

yore_status yr_run_commit_times(yr_run *run, const uint64_t *versions, int64_t *times, size_t n,
                                yore_error *err)
{
    return yr_segment_commit_times(yr_run_reads(run, 0), versions, times, n, err);
}

yore_status yr_run_version_at(yr_run *run, int64_t time_ns, uint64_t *version, yore_error *err)
{
    return yr_segment_version_at(yr_run_reads(run, 0), time_ns, version, err);
}

/* -- heads -- */

/* One of the two walks. */
typedef struct head_walk {
    yr_segment *segment;
    uint32_t branch;
    uint64_t version; /* back: the branch's commit it is at */
    uint64_t limit;   /* the head is at or below */
    uint64_t head;    /* found, or 0 */
    bool is_over;     /* without finding */
    uint32_t block;   /* down: the block in `commits`, */
    uint32_t left;    /* whose first `left` commits are to be looked at */
    yr_block_pin pin;
    yr_commits commits;
} head_walk;

/* From a commit of the branch to the one before, a few times. A link that leads out of the run, or to a commit that is
 * no more, ends it: the other walk needs no links. */
static yore_status walk_back(head_walk *walk, yore_error *err)
{
    for (uint32_t n = 0; n < BACK_STEPS && !walk->is_over && !walk->head; n++) {
        uint32_t at;
        yr_commit_head commit;
        yr_info_ref info;
        uint64_t prev = 0;
        yr_block_pin_release(&walk->pin);
        yore_status status = yr_segment_commit_locate(walk->segment, walk->version, &walk->pin,
                                                      &walk->commits, &walk->block, &at, err);
        if (status < 0) return status;
        walk->is_over = status != YORE_OK ||
                        !yr_commits_describe(&walk->commits, at, &commit, &prev, &info) ||
                        commit.version != walk->version || commit.branch != walk->branch || prev == 0;
        if (!walk->is_over) walk->version = prev;
        if (!walk->is_over && prev <= walk->limit) {
            /* It is the head if it is here at all. */
            yr_block_pin pin = {0};
            yr_commits commits;
            uint32_t block;
            status = yr_segment_commit_locate(walk->segment, prev, &pin, &commits, &block, &at, err);
            if (status < 0) return status;
            walk->is_over = status != YORE_OK || yr_commits_get(&commits, YR_COLUMN_VERSION, at) != prev ||
                            yr_commits_get(&commits, YR_COLUMN_BRANCH, at) != walk->branch;
            if (!walk->is_over) walk->head = prev;
            yr_block_pin_release(&pin);
        }
    }
    return YORE_OK;
}

/* Down over the commit blocks, most of which their table entries rule out. */
static yore_status walk_down(head_walk *walk, yore_error *err)
{
    for (uint32_t n = 0; n < DOWN_STEPS && !walk->head && !walk->is_over; n++) {
        if (walk->left > 0) {
            uint32_t at = yr_commits_last_of(&walk->commits, walk->branch, walk->left);
            if (at != UINT32_MAX) walk->head = yr_commits_get(&walk->commits, YR_COLUMN_VERSION, at);
            walk->left = 0;
            n += DOWN_SEARCH;
            continue;
        }
        if (walk->block == 0) {
            walk->is_over = true;
            break;
        }
        yr_segment_entry entry;
        yore_status status =
            yr_segment_entry_get(walk->segment, YR_STREAM_COMMITS, --walk->block, &entry, err);
        if (status < 0) return status;
        if (!(entry.first & yr_branch_bit(walk->branch))) continue;
        yr_block_pin_release(&walk->pin);
        status = yr_segment_commits_get(walk->segment, walk->block, &walk->pin, &walk->commits, err);
        if (status < 0) return status;
        walk->left = walk->commits.count;
    }
    return YORE_OK;
}

yore_status yr_run_head_at(yr_run *run, uint32_t branch, uint64_t version, uint64_t *head, yore_error *err)
{
    const yr_run_branch *known = yr_run_branch_find(run, branch);
    yr_segment *segment = yr_run_reads(run, 0);
    *head = 0;
    if (!known || known->first_commit == 0 || version < known->first_commit) return YORE_OK;
    *head = known->last_commit;
    if (version >= known->last_commit) return YORE_OK;
    head_walk back = {.segment = segment, .branch = branch, .limit = version, .version = known->last_commit};
    head_walk down = {.segment = segment, .branch = branch, .limit = version};
    uint32_t at;
    yore_status status =
        yr_segment_commit_locate(segment, version, &down.pin, &down.commits, &down.block, &at, err);
    if (status == YORE_OK) down.left = at + 1;
    if (status == YORE_NOT_FOUND) {
        down.is_over = true;
        status = YORE_OK;
    }
    while (status == YORE_OK && !back.head && !down.head && !down.is_over) {
        status = walk_down(&down, err);
        if (status == YORE_OK && !down.head) status = walk_back(&back, err);
    }
    *head = back.head ? back.head : down.head;
    yr_block_pin_release(&back.pin);
    yr_block_pin_release(&down.pin);
    if (status == YORE_OK && (*head == 0 || *head > version)) /* but its first commit is at or below */
        status = yr_segment_bad(segment, segment->layout.section_off[YR_SECTION_HEADS],
                                "heads differ from the commits", err);
    return status;
}

/* -- all of them -- */

static void commits_file_open(yr_run_commits *commits, uint32_t file)
{
    commits->file = file;
    commits->block = 0;
    commits->at = 0;
    commits->commits = (yr_commits){0};
    yr_block_stream_init(&commits->blocks, commits->run->files[file], YR_STREAM_COMMITS);
    yr_block_stream_init(&commits->infos, commits->run->files[file], YR_STREAM_INFOS);
}

static void commits_file_close(yr_run_commits *commits)
{
    yr_block_stream_deinit(&commits->blocks);
    yr_block_stream_deinit(&commits->infos);
}

yore_status yr_run_commits_open(yr_run *run, yr_run_commits *commits, yore_error *err)
{
    (void)err;
    *commits = (yr_run_commits){.run = run};
    commits_file_open(commits, 0);
    return YORE_OK;
}

void yr_run_commits_close(yr_run_commits *commits)
{
    commits_file_close(commits);
    commits->status = YORE_END;
}

/* The next commit block, in the next file if need be. YORE_END: there is none. */
static yore_status commits_block_next(yr_run_commits *c, yore_error *err)
{
    yore_slice raw;
    while (c->block == c->run->files[c->file]->layout.block_count[YR_STREAM_COMMITS]) {
        if (c->file + 1 == c->run->file_count) return YORE_END;
        commits_file_close(c);
        commits_file_open(c, c->file + 1);
    }
    c->commits = (yr_commits){0};
    c->at = 0;
    yore_status status = yr_block_stream_get(&c->blocks, c->block++, &raw, err);
    if (status < 0 || yr_commits_open(raw, &c->commits)) return status;
    c->commits = (yr_commits){0};
    return yr_segment_bad_block(c->run->files[c->file], YR_STREAM_COMMITS, c->block - 1, "damaged commits",
                                err);
}

static yore_status commits_step(yr_run_commits *c, yr_segment_commit *commit, yore_error *err)
{
    yore_slice raw;
    yr_info_ref info;
    uint32_t end;
    yore_status status = YORE_OK;
    if (c->at == c->commits.count) status = commits_block_next(c, err);
    if (status != YORE_OK) return status;
    yr_segment *segment = c->run->files[c->file];
    *commit = (yr_segment_commit){0};
    if (!yr_commits_describe(&c->commits, c->at++, &commit->head, &commit->prev, &info))
        return yr_segment_bad_block(segment, YR_STREAM_COMMITS, c->block - 1, "damaged commit", err);
    if (info.off == 0) return YORE_OK;
    if (info.block >= segment->layout.block_count[YR_STREAM_INFOS])
        return yr_segment_bad(segment, segment->layout.section_off[YR_STREAM_INFOS], "info out of range",
                              err);
    status = yr_block_stream_get(&c->infos, info.block, &raw, err);
    if (status < 0) return status;
    if (yr_info_take(raw, info.off, &commit->head, &end)) return YORE_OK;
    return yr_segment_bad_block(segment, YR_STREAM_INFOS, info.block, "damaged info", err);
}

yore_status yr_run_commits_next(yr_run_commits *commits, yr_segment_commit *commit, yore_error *err)
{
    if (commits->status == YORE_OK) {
        commits->status = commits_step(commits, commit, err);
    } else if (commits->status < 0) {
        return yr_fail(err, commits->status, "reading commits failed before");
    }
    return commits->status;
}

void yr_run_commits_skip(yr_run_commits *commits)
{
    /* What failed was passed over already: a block, a commit, or the info of one. */
    if (commits->status == YORE_ERR_CORRUPT) commits->status = YORE_OK;
}
