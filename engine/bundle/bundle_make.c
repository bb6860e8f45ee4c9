/* Making bundles. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/bundle/bundle_private.h"

yore_status yr_bundle_options_check(const yore_bundle_options **options, const yore_bundle_info *out,
                                    yore_error *err)
{
    static const yore_bundle_options defaults = YORE_BUNDLE_OPTIONS_INIT;
    if (!*options) *options = &defaults;
    if ((*options)->struct_size != sizeof defaults) {
        return yr_fail(err, YORE_ERR_MISUSE,
                       "bundle options are not initialised with YORE_BUNDLE_OPTIONS_INIT");
    }
    return out ? yr_out_check(out->struct_size, sizeof *out, err) : YORE_OK;
}

yore_at yr_bundle_point(uint32_t branch_id, uint64_t version)
{
    yore_at at = YORE_AT_INIT;
    at.kind = YORE_AT_VERSION;
    at.branch_id = branch_id;
    at.version = version;
    return at;
}

void yr_bundle_marker(const uint8_t store_id[YR_UUID_BYTES], uint64_t version, char out[YR_BUNDLE_MARKER_MAX])
{
    static const uint8_t none[YR_UUID_BYTES] = {0};
    size_t size = 0;
    out[0] = 0;
    if (memcmp(store_id, none, sizeof none) == 0) return;
    size = (size_t)snprintf(out, YR_BUNDLE_MARKER_MAX, "bundle:");
    for (size_t i = 0; i < YR_UUID_BYTES; i++)
        size += (size_t)snprintf(out + size, YR_BUNDLE_MARKER_MAX - size, "%02x", store_id[i]);
    (void)snprintf(out + size, YR_BUNDLE_MARKER_MAX - size, "@v%" PRIu64, version);
}

void yr_bundle_identity(const yore_commit_info *info, uint8_t out[YR_HASH128_BYTES])
{
    uint8_t texts[2 * YR_HASH128_BYTES];
    yr_hash128_of(info->author.data, info->author.size, texts);
    yr_hash128_of(info->source.data, info->source.size, texts + YR_HASH128_BYTES);
    yr_bundle_state_hash(YORE_COMMIT_DATA, info->note, yore_bytes(texts, sizeof texts), out);
}

/* Where a point is, by the newest commit there; version 0 = there is none. */
static yore_status resolve(yore_db *db, const yore_at *at, yore_where *where, yore_commit_info *newest,
                           yore_error *err)
{
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_iter *log = NULL;
    options.limit = 1;
    uint64_t version = 0;
    yore_status status = yore_at_resolve(db, at, where, err);
    if (status < 0) return status;
    const yore_at there = yr_bundle_point(where->branch_id, where->snap_version);
    status = yore_log(db, &there, &options, &log, err);
    if (status == YORE_OK) status = yore_log_next(log, newest, err);
    if (status == YORE_OK) version = newest->version;
    yore_iter_close(log);
    if (status < 0) return status;
    where->version = version;
    return version ? yore_commit_get(db, version, newest, err) : YORE_OK;
}

static yore_status resolve_tip(yr_bundle_out *out, yore_where *where, yore_error *err)
{
    yore_commit_info newest = {.struct_size = sizeof newest};
    yr_bundle_head *head = &out->head;
    yore_status status = resolve(out->db, out->options->at, where, &newest, err);
    if (status < 0) return status;
    out->tip = yr_bundle_point(where->branch_id, where->version ? where->version : where->snap_version);
    out->is_commit = where->version != 0;
    head->has_history = out->options->history;
    head->branch_id = where->branch_id;
    head->branch = yore_str(where->branch);
    head->version = where->version ? where->version : where->snap_version;
    head->time_ns = where->version ? newest.time_ns : where->snap_time_ns;
    yore_commit_release(&newest);
    return YORE_OK;
}

static yore_status resolve_base(yr_bundle_out *out, yore_where *where, yore_error *err)
{
    yore_commit_info newest = {.struct_size = sizeof newest};
    yr_bundle_head *head = &out->head;
    yore_status status = resolve(out->db, out->options->base, where, &newest, err);
    if (status < 0) return status;
    if (where->version == 0) {
        return yr_fail(err, YORE_ERR_REFUSED,
                       "branch '%s' is no base for a bundle at v%" PRIu64 ": nothing had been committed",
                       where->branch, where->snap_version);
    }
    out->base = yr_bundle_point(where->branch_id, where->version);
    head->has_base = true;
    head->base_branch_id = where->branch_id;
    head->base_branch = yore_str(where->branch);
    head->base_version = where->version;
    head->base_time_ns = newest.time_ns;
    head->base_source_time_ns = newest.source_time_ns;
    yr_bundle_identity(&newest, head->base_identity);
    yore_commit_release(&newest);
    return YORE_OK;
}

/* With its history a branch can only go on from its own past. */
static yore_status check_past(const yr_bundle_out *out, const yore_where *tip, const yore_where *base,
                              yore_error *err)
{
    const yr_branch *branch = yr_catalog_by_id(out->db->store.catalog, tip->branch_id);
    uint64_t cap = 0;
    if (branch && yr_lineage_has(branch, out->tip.version, base->branch_id, &cap) && base->version <= cap &&
        base->version <= out->tip.version) {
        return YORE_OK;
    }
    yr_fail(err, YORE_ERR_REFUSED, "%s@v%" PRIu64 " is not in the past of %s@v%" PRIu64, base->branch,
            base->version, tip->branch, out->tip.version);
    yr_hint(err, "take a base in its past (%s@%s), or leave the history out", tip->branch,
            branch && branch->parent ? "fork" : "start");
    return YORE_ERR_REFUSED;
}

static yore_status put_all(yr_bundle_out *out, const char *dest, yore_where *tip, yore_where *base,
                           yore_error *err)
{
    yr_backup_writer *writer = out->writer;
    const yore_env *env = out->db->env;
    yore_status status = resolve_tip(out, tip, err);
    if (status == YORE_OK && out->options->base) status = resolve_base(out, base, err);
    if (status == YORE_OK && out->options->base && out->options->history)
        status = check_past(out, tip, base, err);
    if (status < 0) return status;
    memcpy(writer->header.uuid, out->db->report.uuid, YR_UUID_BYTES);
    writer->header.file_id = writer->manifest.first_version = 1;
    writer->manifest.created_ns = env->wall_ns(env->ctx);
    status = yr_backup_writer_begin(writer, &yr_sort_bundle, env, dest, err);
    if (status == YORE_OK) status = yr_bundle_put_head(out, err);
    if (status == YORE_OK)
        status = out->options->history ? yr_bundle_put_history(out, err) : yr_bundle_put_state(out, err);
    return status == YORE_OK ? yr_backup_writer_finish(writer, err) : status;
}

yore_status yore_bundle_make(yore_db *db, const char *dest, const yore_bundle_options *options,
                             yore_bundle_info *out, yore_error *err)
{
    if (!db || !dest) return yr_fail(err, YORE_ERR_MISUSE, "a store and a path for the bundle are needed");
    yore_status status = yr_bundle_options_check(&options, out, err);
    if (status == YORE_OK) status = yr_db_usable(db, err);
    if (status < 0) return status;
    yore_where tip = YORE_WHERE_INIT, base = YORE_WHERE_INIT;
    yr_bundle_out making = {.db = db, .options = options};
    making.writer = yr_alloc_zero(db->env, sizeof *making.writer);
    if (!making.writer) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the bundle '%s'", dest);
    yr_buf_init(&making.frame, db->env, YR_BACKUP_FRAME_MAX);
    status = put_all(&making, dest, &tip, &base, err);
    if (status == YORE_OK && out)
        yr_bundle_info_fill(out, &making.writer->header, &making.writer->manifest, &making.head,
                            making.head_rows);
    yr_buf_deinit(&making.frame);
    yr_backup_writer_abandon(making.writer);
    yr_free(db->env, making.writer, sizeof *making.writer);
    return status;
}
