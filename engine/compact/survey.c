#include "engine/compact/survey.h"

static yore_status survey_file(yr_segment *segment, const yr_keep_set *keep, yr_compact_file *file,
                               yore_error *err)
{
    const yr_segment_footer *facts = yr_segment_facts(segment);
    double all = 0, garbage = 0;
    uint32_t groups = yr_segment_group_count(segment);
    *file = (yr_compact_file){.bytes = facts->file_bytes, .is_hot = facts->form == YR_SEGMENT_HOT};
    for (uint32_t i = 0; i < groups; i++) {
        yr_segment_group group;
        yore_status status = yr_segment_group_get(segment, i, &group, err);
        if (status < 0) return status;
        const yr_keep_facts sums = {.keys = group.keys,
                                    .rows = group.rows,
                                    .deletes = group.deletes,
                                    .key_bytes = group.key_bytes,
                                    .value_bytes = group.value_bytes};
        all += (double)group.key_bytes + (double)group.value_bytes;
        garbage += (double)yr_keep_garbage(yr_keep_find(keep, group.branch), &sums, facts->after_version,
                                           facts->last_version);
    }
    /* The file has other bytes than those of rows, and may be compressed: its share of garbage is the rows'. */
    if (garbage >= all) {
        file->garbage_bytes = all > 0 ? facts->file_bytes : 0;
    } else {
        file->garbage_bytes = (uint64_t)((double)facts->file_bytes * (garbage / all));
    }
    return YORE_OK;
}

yore_status yr_compact_survey(const yr_run *run, const yr_keep_set *keep, yr_compact_file *files,
                              yr_compact_run *out, yore_error *err)
{
    *out = (yr_compact_run){.after_version = yr_run_after(run),
                            .last_version = yr_run_last(run),
                            .files = files,
                            .file_count = yr_run_file_count(run)};
    for (uint32_t i = 0; i < out->file_count; i++) {
        yr_segment *segment = yr_run_file(run, i);
        const yr_segment_footer *facts = yr_segment_facts(segment);
        yore_status status = survey_file(segment, keep, &files[i], err);
        if (status < 0) return status;
        if (facts->level > out->level) out->level = facts->level;
    }
    return YORE_OK;
}
