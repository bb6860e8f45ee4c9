/* What can be read of a segment: rows in key order, commits in version order. */
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/salvage/salvage_private.h"

/* -- rows -- */

/* Where damage began, till the next row that can be read says where it ends. */
typedef struct gap {
    bool is_open, has_key;
    uint8_t key[YR_SEGMENT_TREE_KEY_MAX]; /* the last one in front of it */
    size_t key_size;
    yore_error why;
} gap;

static yore_slice user_key(yore_slice tree_key)
{
    return tree_key.size > 5 ? yore_bytes((const uint8_t *)tree_key.data + 5, tree_key.size - 5)
                             : yore_bytes(NULL, 0);
}

static void close_gap(yr_salvage *s, const yr_salvage_segment *segment, gap *g, const yore_slice *before)
{
    yore_slice after = yore_bytes(g->key, g->key_size);
    yore_salvage_loss loss = {.kind = YORE_LOSS_ROWS,
                              .branch = g->has_key ? yr_get_be32(g->key) : 0,
                              .last_branch = before ? yr_get_be32(before->data) : UINT32_MAX,
                              .has_after = g->has_key,
                              .has_before = before != NULL,
                              .first_version = yr_run_after(segment->run) + 1,
                              .last_version = yr_run_last(segment->run),
                              .file = yr_segment_name(yr_run_file(segment->run, 0)),
                              .text = g->why.message};
    if (g->has_key) loss.key = user_key(after);
    if (before) loss.before = user_key(*before);
    if (g->is_open) yr_salvage_tell(s, &loss);
    g->is_open = false;
}

/* Older versions of the record's key. */
static void tell_history(yr_salvage *s, const yr_salvage_segment *segment, const yr_run_rows *rows,
                         const yore_error *why)
{
    yore_slice key = rows->record.row.tree_key;
    yr_salvage_tell(s, &(yore_salvage_loss){.kind = YORE_LOSS_HISTORY,
                                            .branch = yr_get_be32(key.data),
                                            .last_branch = yr_get_be32(key.data),
                                            .first_version = yr_run_after(segment->run) + 1,
                                            .last_version = yr_run_last(segment->run),
                                            .rows = rows->older_left,
                                            .key = user_key(key),
                                            .file = yr_segment_name(yr_run_file(segment->run, 0)),
                                            .text = why->message});
}

static bool is_sound(const yr_segment_row *row)
{
    return row->tree_key.size > 5 && row->tree_key.size <= YR_SEGMENT_TREE_KEY_MAX;
}

yore_status yr_salvage_rows(yr_salvage *s, yr_salvage_segment *segment, yr_salvage_row_sink sink, void *arg,
                            yore_error *err)
{
    yr_run_rows rows;
    yr_segment_row row;
    uint64_t read = 0;
    bool tells = !segment->was_told;
    gap *g = yr_alloc_zero(s->env, sizeof *g);
    if (!g) return yr_salvage_no_memory(s, err);
    yore_status status = yr_run_rows_open(segment->run, &rows, err);
    while (status == YORE_OK) {
        yore_error why = YORE_ERROR_INIT;
        status = yr_run_rows_next(&rows, &row, &why);
        if (yr_salvage_is_damage(status)) {
            if (tells && rows.older_left > 0) tell_history(s, segment, &rows, &why);
            if (rows.older_left == 0 && !g->is_open) g->why = why;
            g->is_open = g->is_open || rows.older_left == 0;
            yr_run_rows_skip(&rows);
            status = YORE_OK;
            continue;
        }
        if (status < 0 && err) *err = why;
        if (status != YORE_OK || !is_sound(&row)) continue;
        read++;
        if (tells && g->is_open) close_gap(s, segment, g, &row.tree_key);
        g->is_open = false;
        g->has_key = true;
        g->key_size = row.tree_key.size;
        memcpy(g->key, row.tree_key.data, row.tree_key.size);
        status = sink(arg, &row, err);
        if (status == YORE_END) break; /* the sink has seen enough; the segment is not read to its end */
    }
    bool is_end = status == YORE_END && rows.status == YORE_END;
    yr_run_rows_close(&rows);
    if (status == YORE_END) status = YORE_OK;
    if (is_end && tells) {
        const yr_segment_footer *footer = yr_segment_facts(yr_run_file(segment->run, 0));
        close_gap(s, segment, g, NULL);
        segment->was_told = true;
        segment->rows_bad = footer->rows > read ? footer->rows - read : 0;
        if (segment->rows_bad && !yr_salvage_note_range(s, footer->after_version, footer->last_version))
            status = yr_salvage_no_memory(s, err);
    }
    yr_free(s->env, g, sizeof *g);
    return status;
}

/* -- commits -- */

static void tell_commits(yr_salvage *s, const yr_segment *segment, const yore_error *why)
{
    const yr_segment_footer *footer = yr_segment_facts(segment);
    yr_salvage_tell(s, &(yore_salvage_loss){.kind = YORE_LOSS_COMMITS,
                                            .first_version = footer->after_version + 1,
                                            .last_version = footer->last_version,
                                            .file = yr_segment_name(segment),
                                            .text = why->message});
}

typedef struct commit_reader {
    yr_segment *segment;
    yr_block_stream blocks, infos;
    uint64_t info_blocks;
    yore_error why; /* of the last damage */
} commit_reader;

/* Its note and the like; without them when they cannot be read: then reader->why says so. */
static yore_status take_info(commit_reader *reader, yr_info_ref info, yr_commit_head *head)
{
    yore_slice raw;
    uint32_t end;
    const yr_commit_head plain = *head;
    yore_status status = YORE_ERR_CORRUPT;
    if (info.off == 0) return YORE_OK;
    reader->why = (yore_error)YORE_ERROR_INIT;
    if (info.block < reader->info_blocks)
        status = yr_block_stream_get(&reader->infos, info.block, &raw, &reader->why);
    if (status == YORE_OK && yr_info_take(raw, info.off, head, &end)) return YORE_OK;
    *head = plain;
    return status == YORE_OK ? YORE_ERR_CORRUPT : status;
}

static yore_status read_block(yr_salvage *s, commit_reader *reader, uint32_t block, bool tells,
                              yr_salvage_commit_sink sink, void *arg, yore_error *err)
{
    yore_slice raw;
    yr_commits commits;
    yore_status status = yr_block_stream_get(&reader->blocks, block, &raw, &reader->why);
    if (status < 0) return status;
    if (!yr_commits_open(raw, &commits))
        return yr_fail(&reader->why, YORE_ERR_CORRUPT, "segment '%s': damaged commits",
                       yr_segment_name(reader->segment));
    const yr_segment_footer *footer = yr_segment_facts(reader->segment);
    for (uint32_t i = 0; i < commits.count; i++) {
        yr_commit_head head;
        yr_info_ref info;
        uint64_t prev;
        if (!yr_commits_describe(&commits, i, &head, &prev, &info) || head.version <= footer->after_version ||
            head.version > footer->last_version)
            continue;
        status = take_info(reader, info, &head);
        if (yr_salvage_is_damage(status)) {
            if (tells) tell_commits(s, reader->segment, &reader->why);
            if (tells) s->report.notes_lost++;
            s->is_unsure = true; /* a disk may refuse now what it gave a moment ago */
            status = YORE_OK;
        }
        if (status == YORE_OK) status = sink(arg, &head, err);
        if (status != YORE_OK) break;
    }
    return status;
}

yore_status yr_salvage_commits(yr_salvage *s, yr_salvage_segment *segment, bool tells,
                               yr_salvage_commit_sink sink, void *arg, yore_error *err)
{
    yr_segment *file = yr_run_file(segment->run, 0);
    const yr_segment_footer *footer = yr_segment_facts(file);
    uint64_t blocks = footer->section_bytes[YR_STREAM_COMMITS] / YR_SEGMENT_ENTRY_BYTES;
    commit_reader reader = {.segment = file,
                            .info_blocks = footer->section_bytes[YR_STREAM_INFOS] / YR_SEGMENT_ENTRY_BYTES};
    yore_status status = YORE_OK;
    yr_block_stream_init(&reader.blocks, file, YR_STREAM_COMMITS);
    yr_block_stream_init(&reader.infos, file, YR_STREAM_INFOS);
    for (uint32_t b = 0; b < blocks && status == YORE_OK; b++) {
        reader.why = (yore_error)YORE_ERROR_INIT;
        status = read_block(s, &reader, b, tells, sink, arg, err);
        if (yr_salvage_is_damage(status)) {
            if (tells) tell_commits(s, file, &reader.why);
            status = YORE_OK;
        } else if (status < 0 && err && err->code == YORE_OK) { /* memory: not the sink's words */
            *err = reader.why;
        }
    }
    yr_block_stream_deinit(&reader.blocks);
    yr_block_stream_deinit(&reader.infos);
    return status == YORE_END ? YORE_OK : status;
}
