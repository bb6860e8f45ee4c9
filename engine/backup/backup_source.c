/* A store's commits, one after the other, as the frames its log holds. What a commit wrote is read through the change
 * feed, so this depends neither on the log's files nor on where rows are kept. */
#include <inttypes.h>

#include "engine/backup/backup_private.h"
#include "engine/base/error.h"

#define FRAME_KEEP ((size_t)1 << 20)
#define ITER_COMMITS 1024u /* an iterator keeps what it gave alive: a new one now and then */

void yr_backup_source_init(yr_backup_source *source, yore_db *db, uint64_t after_version)
{
    source->db = db;
    source->iter = NULL;
    source->version = after_version;
    source->iter_commits = 0;
    source->row_count = source->row = 0;
    source->frame_rows = 0;
    yr_buf_init(&source->frame, db->env, YR_BACKUP_FRAME_MAX);
}

void yr_backup_source_deinit(yr_backup_source *source)
{
    yore_iter_close(source->iter);
    source->iter = NULL;
    yr_buf_deinit(&source->frame);
}

/* The next row of the change feed, when it is of `version`. YORE_END when the commit has no more: where history was
 * trimmed, or a key erased, it may have fewer than it counts. */
static yore_status next_row(yr_backup_source *source, uint64_t version, const yore_row **out, yore_error *err)
{
    if (source->row == source->row_count) {
        source->row = source->row_count = 0;
        yore_status status = yore_next(source->iter, source->rows, sizeof source->rows[0],
                                       YR_BACKUP_SOURCE_ROWS, &source->row_count, err);
        if (status < 0) return status;
    }
    if (source->row_count == 0 || source->rows[source->row].version != version) {
        if (yr_catalog_may_lack_rows(source->db->store.catalog, version)) return YORE_END;
        return yr_fail(err, YORE_ERR_CORRUPT, "v%" PRIu64 " of '%s' has fewer rows than it counts", version,
                       source->db->path);
    }
    *out = &source->rows[source->row++];
    return YORE_OK;
}

static yore_status open_iter(yr_backup_source *source, yore_error *err)
{
    yore_iter_close(source->iter);
    source->iter = NULL;
    source->row = source->row_count = 0;
    source->iter_commits = 0;
    yore_range range = YORE_RANGE_INIT;
    range.with_gaps = true;
    return yore_changes(source->db, source->version, &range, &source->iter, err);
}

/* A commit's frame: its head, and its rows from the change feed. */
static yore_status put_frame(yr_backup_source *source, const yr_commit_head *head, yore_error *err)
{
    yr_buf *out = &source->frame;
    size_t at;
    uint32_t rows = 0;
    bool fits = yr_frame_begin(out, head, &at);
    for (; fits && rows < head->row_count; rows++) {
        const yore_row *row;
        yore_status status = next_row(source, head->version, &row, err);
        if (status < 0) return status;
        if (status == YORE_END) break;
        const yr_row frame_row = {.key = row->key,
                                  .value = row->value,
                                  .meta = row->meta,
                                  .expiry_ns = row->expiry_ns,
                                  .branch = head->branch,
                                  .primitive = (uint8_t)row->primitive,
                                  .op = (uint8_t)row->op,
                                  .type = (uint8_t)row->type};
        fits = yr_frame_row(out, &frame_row);
    }
    if (!fits) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for commit v%" PRIu64, head->version);
    yr_frame_finish(out, at);
    yr_frame_set_rows(out, at, rows);
    source->frame_rows = rows;
    return YORE_OK;
}

yore_status yr_backup_source_next(yr_backup_source *source, yore_error *err)
{
    yr_buf *out = &source->frame;
    yr_buf_trim(out, FRAME_KEEP);
    yr_buf_clear(out);
    if (!source->iter || source->iter_commits == ITER_COMMITS) {
        yore_status status = open_iter(source, err);
        if (status < 0) return status;
    }
    uint64_t version = source->version + 1;
    yr_layers *layers = yr_store_layers_ref(&source->db->store);
    yr_found_commit commit;
    yore_status status = yr_layers_commit(layers, version, &commit, err);
    if (status == YORE_OK) {
        status = put_frame(source, &commit.head, err);
        yr_layers_commit_release(&commit);
    }
    yr_layers_unref(layers);
    if (status < 0) return status;
    source->version = version;
    source->iter_commits++;
    return YORE_OK;
}
