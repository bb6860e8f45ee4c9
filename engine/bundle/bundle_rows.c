/* The frames of a bundle: the head, then the state of a point in as few commits as it takes, or the commits of a
 * branch.
 *
 * Where history was trimmed a commit cannot be told by what it wrote: the next one that can be read comes with what
 * differs from the last one that was put, or with its whole state. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/bundle/bundle_private.h"

#define STATE_FRAME_BYTES ((size_t)64 << 20)
#define FRAME_KEEP ((size_t)1 << 20)
#define ROWS 64u

/* -- one frame -- */

static yore_status no_memory(const yr_bundle_out *out, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the bundle '%s'", out->writer->place.path);
}

/* Begin the next frame. Its time is later than that of the one before. */
static yore_status begin(yr_bundle_out *out, yr_commit_head *head, yore_error *err)
{
    yr_buf_trim(&out->frame, FRAME_KEEP);
    yr_buf_clear(&out->frame);
    out->time_ns = out->number == 0 || head->time_ns > out->time_ns ? head->time_ns : out->time_ns + 1;
    head->version = ++out->number;
    head->time_ns = out->time_ns;
    head->branch = YR_BUNDLE_BRANCH;
    head->kind = YORE_COMMIT_DATA;
    head->row_count = 0;
    out->frame_rows = 0;
    return yr_frame_begin(&out->frame, head, &out->frame_at) ? YORE_OK : no_memory(out, err);
}

static yore_status add(yr_bundle_out *out, const yr_row *row, yore_error *err)
{
    out->frame_rows++;
    return out->frame_rows > 0 && yr_frame_row(&out->frame, row) ? YORE_OK : no_memory(out, err);
}

static yore_status end(yr_bundle_out *out, yore_error *err)
{
    yr_backup_manifest *manifest = &out->writer->manifest;
    yr_frame_finish(&out->frame, out->frame_at);
    yr_frame_set_rows(&out->frame, out->frame_at, out->frame_rows);
    manifest->rows += out->frame_rows;
    manifest->last_version = out->number;
    manifest->last_time_ns = out->time_ns;
    yr_hash128_of(out->frame.data, out->frame.size, manifest->last_hash);
    return yr_backup_writer_put(out->writer, out->frame.data, out->frame.size, err);
}

static yore_status tell(const yr_bundle_out *out, uint64_t done, uint64_t total, yore_error *err)
{
    const yore_backup_options options = {.progress = out->options->progress,
                                         .progress_arg = out->options->progress_arg};
    return yr_backup_progress(&options, done, total, err);
}

/* -- rows of a diff or a state -- */

typedef yore_status (*row_fn)(yr_bundle_out *out, const yr_row *row, yore_error *err);

/* Each commit of a state says where it came from; the newest one has all of it. */
static yr_commit_head state_head(const yr_bundle_out *out)
{
    return (yr_commit_head){
        .time_ns = out->head.time_ns, .note = yore_str(out->note), .source = yore_str(out->marker)};
}

/* Whole commits of a state: the next row may need a frame of its own. */
static yore_status add_to_state(yr_bundle_out *out, const yr_row *row, yore_error *err)
{
    yore_status status = YORE_OK;
    if (out->frame_rows > 0 && out->frame.size + (size_t)yr_row_bytes(row) > STATE_FRAME_BYTES) {
        yr_commit_head head = state_head(out);
        status = end(out, err);
        if (status == YORE_OK) status = tell(out, out->number, 0, err);
        if (status == YORE_OK) status = begin(out, &head, err);
    }
    return status == YORE_OK ? add(out, row, err) : status;
}

/* A diff does not tell when a value expires. */
static yore_status put_changed(yr_bundle_out *out, yore_snap *snap, const yore_diff_row *row, row_fn each,
                               yore_error *err)
{
    yore_pin pin = YORE_PIN_INIT;
    const yore_key key = {row->key, row->primitive};
    yr_row out_row = {.key = row->key, .primitive = (uint8_t)row->primitive, .op = YORE_OP_DEL};
    yore_status status = row->op == YORE_DIFF_DEL ? YORE_NOT_FOUND : yore_get(snap, key, &pin, err);
    if (status < 0) return status;
    if (status == YORE_OK) {
        out_row.op = YORE_OP_PUT;
        out_row.value = pin.value;
        out_row.meta = pin.meta;
        out_row.type = (uint8_t)pin.type;
        out_row.expiry_ns = pin.expiry_ns;
    }
    status = each(out, &out_row, err);
    yore_unpin(&pin);
    return status;
}

static yore_status open_diff(yr_bundle_out *out, const yore_at *from, const yore_at *to, bool keys_only,
                             yore_iter **iter, yore_error *err)
{
    yore_diff_options options = YORE_DIFF_OPTIONS_INIT;
    options.primitive = YORE_ANY_PRIMITIVE;
    options.keys_only = keys_only;
    return yore_diff(out->db, from, to, &options, iter, NULL, NULL, err);
}

static yore_status put_diff(yr_bundle_out *out, const yore_at *from, const yore_at *to, row_fn each,
                            yore_error *err)
{
    yore_diff_row rows[ROWS];
    yore_iter *iter = NULL;
    yore_snap *snap = NULL;
    size_t n = 0;
    yore_status status = yore_snap_open(out->db, to, &snap, NULL, err);
    if (status == YORE_OK) status = open_diff(out, from, to, true, &iter, err);
    while (status == YORE_OK &&
           (status = yore_diff_next(iter, rows, sizeof *rows, ROWS, &n, err)) == YORE_OK) {
        for (size_t i = 0; i < n && status == YORE_OK; i++)
            status = put_changed(out, snap, &rows[i], each, err);
    }
    yore_iter_close(iter);
    yore_snap_close(snap);
    return status < 0 ? status : YORE_OK;
}

static yore_status put_primitive(yr_bundle_out *out, yore_snap *snap, uint32_t primitive, row_fn each,
                                 yore_error *err)
{
    yore_row rows[ROWS];
    yore_range range = YORE_RANGE_INIT;
    yore_iter *iter = NULL;
    size_t n = 0;
    range.primitive = primitive;
    range.without_times = true;
    yore_status status = yore_scan(snap, &range, &iter, err);
    while (status == YORE_OK && (status = yore_next(iter, rows, sizeof *rows, ROWS, &n, err)) == YORE_OK) {
        for (size_t i = 0; i < n && status == YORE_OK; i++) {
            const yr_row row = {.key = rows[i].key,
                                .value = rows[i].value,
                                .meta = rows[i].meta,
                                .expiry_ns = rows[i].expiry_ns,
                                .primitive = (uint8_t)primitive,
                                .op = YORE_OP_PUT,
                                .type = (uint8_t)rows[i].type};
            status = each(out, &row, err);
        }
    }
    yore_iter_close(iter);
    return status < 0 ? status : YORE_OK;
}

static yore_status put_whole(yr_bundle_out *out, const yore_at *at, row_fn each, yore_error *err)
{
    yore_snap *snap = NULL;
    yore_status status = yore_snap_open(out->db, at, &snap, NULL, err);
    for (uint32_t primitive = YORE_KV; primitive <= YORE_BLOB && status == YORE_OK; primitive++)
        status = put_primitive(out, snap, primitive, each, err);
    yore_snap_close(snap);
    return status;
}

/* -- the head -- */

static yore_status put_old_state(yr_bundle_out *out, const yore_diff_row *row, yore_error *err)
{
    uint8_t hash[YR_HASH128_BYTES];
    yr_row out_row = {.key = row->key, .primitive = (uint8_t)row->primitive, .op = YORE_OP_DEL};
    if (row->op != YORE_DIFF_ADD) {
        yr_bundle_state_hash(row->old_type, row->old_value, row->old_meta, hash);
        out_row.op = YORE_OP_PUT;
        out_row.value = yore_bytes(hash, sizeof hash);
    }
    return add(out, &out_row, err);
}

yore_status yr_bundle_put_head(yr_bundle_out *out, yore_error *err)
{
    uint8_t bytes[YR_BUNDLE_HEAD_MAX];
    yore_diff_row rows[ROWS];
    yore_iter *iter = NULL;
    size_t n = 0;
    yr_commit_head head = {.time_ns = INT64_MIN};
    head.note = yore_bytes(bytes, yr_bundle_head_encode(&out->head, bytes));
    yore_status status = begin(out, &head, err);
    if (status < 0 || !out->head.has_base) return status < 0 ? status : end(out, err);
    status = open_diff(out, &out->base, &out->tip, false, &iter, err);
    while (status == YORE_OK &&
           (status = yore_diff_next(iter, rows, sizeof *rows, ROWS, &n, err)) == YORE_OK) {
        for (size_t i = 0; i < n && status == YORE_OK; i++) status = put_old_state(out, &rows[i], err);
    }
    yore_iter_close(iter);
    out->head_rows = out->frame_rows;
    return status < 0 ? status : end(out, err);
}

/* -- a state -- */

yore_status yr_bundle_put_state(yr_bundle_out *out, yore_error *err)
{
    if (out->is_commit && out->base.version == out->tip.version) return YORE_OK; /* it is its base */
    (void)snprintf(out->note, sizeof out->note, "bundle of %.*s@v%" PRIu64, (int)out->head.branch.size,
                   (const char *)out->head.branch.data, out->head.version);
    yr_bundle_marker(out->db->report.uuid, out->head.version, out->marker);
    yr_commit_head head = state_head(out);
    yore_status status = begin(out, &head, err);
    if (status == YORE_OK) {
        status = out->head.has_base ? put_diff(out, &out->base, &out->tip, add_to_state, err)
                                    : put_whole(out, &out->tip, add_to_state, err);
    }
    return status == YORE_OK ? end(out, err) : status;
}

/* -- a history -- */

typedef struct history {
    yr_bundle_out *out;
    yr_buf versions; /* newest first */
    size_t count;
    yore_at last; /* put; version 0 = none */
} history;

static uint64_t version_at(const history *h, size_t i)
{
    return yr_get_le64(h->versions.data + 8 * i);
}

static yore_status list_versions(history *h, yore_error *err)
{
    yr_bundle_out *out = h->out;
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *log = NULL;
    options.since_version = out->base.version;
    yore_status status = yore_log(out->db, &out->tip, &options, &log, err);
    while (status == YORE_OK && (status = yore_log_next(log, &info, err)) == YORE_OK) {
        if (!yr_buf_append_le64(&h->versions, info.version)) status = no_memory(out, err);
        h->count++;
    }
    yore_iter_close(log);
    return status < 0 ? status : YORE_OK;
}

/* The number in this file of a commit before it, 0 when it is not in it. The list is descending; its entries turn into
 * numbers as they are put, which are kept beside it. */
static uint64_t number_of(const history *h, const yr_buf *numbers, uint64_t version)
{
    size_t low = 0, high = h->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (version_at(h, middle) > version)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == h->count || version_at(h, low) != version) return 0;
    size_t from_oldest = h->count - 1 - low;
    return from_oldest < numbers->size / 8 ? yr_get_le64(numbers->data + 8 * from_oldest) : 0;
}

/* Further parents as numbers of this file; the previous commit of the lineage is understood. */
static uint32_t map_parents(const history *h, const yr_buf *numbers, const yore_commit_info *info,
                            uint8_t *to)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < info->parent_count; i++) {
        uint64_t number = number_of(h, numbers, info->parents[i]);
        bool is_previous = i == 0 && number != 0 && number == h->out->number;
        if (number == 0 || is_previous) continue;
        yr_put_le64(to + 8u * (size_t)count++, number);
    }
    return count;
}

static yore_status put_rows(yr_bundle_out *out, yore_iter *iter, yore_error *err)
{
    yore_row rows[ROWS];
    size_t n = 0;
    yore_status status;
    while ((status = yore_next(iter, rows, sizeof *rows, ROWS, &n, err)) == YORE_OK) {
        for (size_t i = 0; i < n && status == YORE_OK; i++) {
            const yr_row row = {.key = rows[i].key,
                                .value = rows[i].value,
                                .meta = rows[i].meta,
                                .expiry_ns = rows[i].expiry_ns,
                                .primitive = (uint8_t)rows[i].primitive,
                                .op = (uint8_t)rows[i].op,
                                .type = (uint8_t)rows[i].type};
            status = add(out, &row, err);
        }
        if (status < 0) return status;
    }
    return status < 0 ? status : YORE_OK;
}

/* One commit. `iter`: its rows; NULL = by what differs from the last one. */
static yore_status put_commit(history *h, const yr_buf *numbers, const yore_commit_info *info,
                              const yore_at *at, yore_iter *iter, yore_error *err)
{
    yr_bundle_out *out = h->out;
    uint8_t parents[8 * YORE_PARENTS_MAX];
    char marker[YR_BUNDLE_MARKER_MAX];
    yr_bundle_marker(out->db->report.uuid, info->version, marker);
    yr_commit_head head = {.time_ns = info->time_ns,
                           .source_time_ns = info->source_time_ns,
                           .note = info->note,
                           .author = info->author,
                           .source = info->source.size ? info->source : yore_str(marker),
                           .parents = parents};
    head.parent_count = map_parents(h, numbers, info, parents);
    yore_status status = begin(out, &head, err);
    if (status < 0) return status;
    if (iter)
        status = put_rows(out, iter, err);
    else if (h->last.version)
        status = put_diff(out, &h->last, at, add, err);
    else
        status = put_whole(out, at, add, err);
    if (status < 0) return status;
    h->last = *at;
    return end(out, err);
}

/* The commit `version`, when all of it, or its state, is still kept; else it is passed over. */
static yore_status take_commit(history *h, yr_buf *numbers, uint64_t version, bool *gap, yore_error *err)
{
    yr_bundle_out *out = h->out;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *iter = NULL;
    yore_snap *snap = NULL;
    yore_error why = YORE_ERROR_INIT;
    yore_status status = yore_commit_get(out->db, version, &info, err);
    if (status < 0) return status;
    const yore_at at = yr_bundle_point(info.branch_id, version);
    if (!*gap) {
        status = yore_commit_rows(out->db, version, &iter, &why);
        *gap = status == YORE_ERR_TRIMMED;
    }
    if (*gap) {
        status = yore_snap_open(out->db, &at, &snap, NULL, &why);
        yore_snap_close(snap);
    }
    uint64_t number = 0;
    if (status == YORE_OK) {
        status = put_commit(h, numbers, &info, &at, iter, err);
        number = out->number;
        *gap = false;
    } else if (status == YORE_ERR_TRIMMED) {
        status = YORE_OK;
    } else if (err) {
        *err = why;
    }
    if (status == YORE_OK && !yr_buf_append_le64(numbers, number)) status = no_memory(out, err);
    yore_iter_close(iter);
    yore_commit_release(&info);
    return status;
}

yore_status yr_bundle_put_history(yr_bundle_out *out, yore_error *err)
{
    history h = {.out = out, .last = out->base};
    yr_buf numbers;
    bool gap = false;
    yr_buf_init(&h.versions, out->db->env, SIZE_MAX / 2);
    yr_buf_init(&numbers, out->db->env, SIZE_MAX / 2);
    yore_status status = list_versions(&h, err);
    for (size_t i = h.count; i > 0 && status == YORE_OK; i--) {
        status = take_commit(&h, &numbers, version_at(&h, i - 1), &gap, err);
        if (status == YORE_OK && (i % 256 == 0 || i == 1)) status = tell(out, h.count - i, h.count, err);
    }
    yr_buf_deinit(&numbers);
    yr_buf_deinit(&h.versions);
    return status;
}
