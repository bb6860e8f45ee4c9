/* What must be known before the first commit is made again: which branches there were, what was erased, how far history
 * was trimmed, and where it ends. */
#include "engine/base/error.h"
#include "engine/branch/catalog.h"
#include "engine/salvage/salvage_private.h"

typedef struct survey {
    yr_salvage *s;
    bool no_memory;
    uint64_t commits_missing; /* of those that segments should have */
} survey;

static yr_salvage_branch *branch_of(survey *v, uint32_t id)
{
    yr_salvage *s = v->s;
    const yr_salvage_branch none = {.oldest = UINT64_MAX, .first_use = UINT64_MAX};
    if (id > YR_BRANCH_ID_MAX) return NULL;
    while (YR_SALVAGE_COUNT(s->branches, yr_salvage_branch) <= id && !v->no_memory)
        v->no_memory = !yr_buf_append(&s->branches, &none, sizeof none);
    return v->no_memory ? NULL : YR_SALVAGE_AT(s->branches, yr_salvage_branch, id);
}

static void note_use(survey *v, uint32_t id, uint64_t version)
{
    yr_salvage_branch *branch = id == YR_REGISTRY_BRANCH ? NULL : branch_of(v, id);
    if (branch && version < branch->first_use) branch->first_use = version;
}

static void note_branch(survey *v, uint32_t id, yore_slice bytes, uint64_t version)
{
    yr_salvage *s = v->s;
    yr_branch_record record;
    if (!yr_branch_record_decode(bytes, &record)) return;
    uint64_t floor = record.flags & YR_BRANCH_PURGED ? record.deleted_version : record.trimmed_version;
    if (floor > s->floor) s->floor = floor;
    if (record.parent) note_use(v, record.parent, version);
    yr_salvage_branch *branch = branch_of(v, id);
    if (!branch || version >= branch->oldest) return;
    branch->oldest = version;
    branch->is_late = (record.flags & YR_BRANCH_DELETED) != 0;
    branch->record_off = s->branch_records.size;
    branch->record_bytes = bytes.size;
    v->no_memory = !yr_buf_append(&s->branch_records, bytes.data, bytes.size);
}

/* A row of the registry. */
static void note_row(survey *v, yore_slice key, uint8_t op, yore_slice value, uint64_t version)
{
    uint32_t id;
    uint64_t said;
    yr_keep_erasure erasure = {.version = version};
    if (op != YORE_OP_PUT) return;
    if (yr_branch_key_decode(key, &id)) {
        if (id != YR_REGISTRY_BRANCH) note_branch(v, id, value, version);
    } else if (yr_erase_key_decode(key, &said) && said == version &&
               yr_erase_record_decode(value, &erasure.record)) {
        if (version > v->s->floor) v->s->floor = version;
        v->no_memory = !yr_buf_append(&v->s->erasures, &erasure, sizeof erasure);
    }
}

static yore_status row_sink(void *arg, const yr_segment_row *row, yore_error *err)
{
    survey *v = arg;
    const uint8_t *key = row->tree_key.data;
    if (yr_get_be32(key) != YR_REGISTRY_BRANCH) return YORE_END;
    if (!row->is_reference)
        note_row(v, yore_bytes(key + 5, row->tree_key.size - 5), row->op, row->value, row->version);
    return v->no_memory ? yr_salvage_no_memory(v->s, err) : YORE_OK;
}

/* Where records of commits are lost only the rows know of some branches. */
static yore_status use_sink(void *arg, const yr_segment_row *row, yore_error *err)
{
    survey *v = arg;
    note_use(v, yr_get_be32(row->tree_key.data), row->version);
    return v->no_memory ? yr_salvage_no_memory(v->s, err) : YORE_OK;
}

static yore_status commit_sink(void *arg, const yr_commit_head *head, yore_error *err)
{
    survey *v = arg;
    v->commits_missing--;
    note_use(v, head->branch, head->version);
    return v->no_memory ? yr_salvage_no_memory(v->s, err) : YORE_OK;
}

static yore_status survey_segment(survey *v, yr_salvage_segment *segment, yore_error *err)
{
    yr_segment *file = yr_run_file(segment->run, 0);
    v->commits_missing += yr_segment_facts(file)->commits;
    yore_status status = yr_salvage_rows(v->s, segment, row_sink, v, err);
    if (status == YORE_OK) status = yr_salvage_commits(v->s, segment, true, commit_sink, v, err);
    for (uint32_t i = 0; i < yr_segment_group_count(file) && status == YORE_OK; i++) {
        yr_segment_group group;
        if (yr_segment_group_get(file, i, &group, NULL) == YORE_OK && group.branch != YR_REGISTRY_BRANCH)
            (void)branch_of(v, group.branch); /* there is one of that number */
        if (v->no_memory) status = yr_salvage_no_memory(v->s, err);
    }
    if (yr_run_last(segment->run) > v->s->last_version) v->s->last_version = yr_run_last(segment->run);
    return status;
}

static void survey_frames(survey *v, yore_slice payload)
{
    yr_reader reader = yr_reader_of(payload), rows;
    yr_commit_head head;
    while (reader.left && yr_frame_take(&reader, &head, &rows)) {
        yr_row row;
        if (head.version > v->s->last_version) v->s->last_version = head.version;
        note_use(v, head.branch, head.version);
        for (uint32_t i = 0; head.branch == YR_REGISTRY_BRANCH && i < head.row_count; i++) {
            if (yr_row_take(&rows, head.branch, &row)) note_row(v, row.key, row.op, row.value, head.version);
        }
    }
}

yore_status yr_salvage_survey(yr_salvage *s, yore_error *err)
{
    survey v = {.s = s};
    yore_status status = YORE_OK;
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->segments, yr_salvage_segment) && status == YORE_OK; i++)
        status = survey_segment(&v, YR_SALVAGE_AT(s->segments, yr_salvage_segment, i), err);
    bool knows_all = v.commits_missing == 0 && s->report.segments_lost == 0;
    for (uint32_t i = 0; !knows_all && i < YR_SALVAGE_COUNT(s->segments, yr_salvage_segment); i++) {
        if (status == YORE_OK)
            status = yr_salvage_rows(s, YR_SALVAGE_AT(s->segments, yr_salvage_segment, i), use_sink, &v, err);
    }
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->records, yr_salvage_record) && status == YORE_OK; i++) {
        yore_slice payload;
        status = yr_salvage_payload(s, YR_SALVAGE_AT(s->records, yr_salvage_record, i), &payload, err);
        if (status == YORE_OK) survey_frames(&v, payload);
        if (v.no_memory) status = yr_salvage_no_memory(s, err);
    }
    if (status == YORE_OK && s->last_version == 0)
        return yr_fail(err, YORE_ERR_CORRUPT, "nothing of '%s' can be proven", s->path);
    return status;
}
