/* The point of a store that a bundle was made on. The same version is looked at first, which it is in a copy of the
 * store that it was made of; then the log, for the commit with its time (imported histories keep it as source time),
 * note, author and source, or for one that a bundle of that very point has brought. */
#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/bundle/bundle_private.h"

typedef struct wanted {
    const yr_bundle_head *head;
    char marker[YR_BUNDLE_MARKER_MAX];
} wanted;

/* Of a branch that is there, and complete? */
static bool is_usable(const yore_db *db, const yore_commit_info *info)
{
    const yr_branch *branch = yr_catalog_by_id(db->store.catalog, info->branch_id);
    return branch && atomic_load_explicit(&branch->deleted_version, memory_order_acquire) == 0 &&
           strncmp(yr_branch_text(branch), YR_BUNDLE_WORKING, sizeof YR_BUNDLE_WORKING - 1) != 0;
}

/* By the time it was first made at: where it was imported that is its source time. */
static bool is_base(const yore_db *db, const wanted *w, const yore_commit_info *info)
{
    uint8_t identity[YR_HASH128_BYTES];
    const yr_bundle_head *head = w->head;
    if (info->kind != YORE_COMMIT_DATA || !is_usable(db, info)) return false;
    int64_t base_origin_ns = head->base_source_time_ns ? head->base_source_time_ns : head->base_time_ns;
    int64_t origin_ns = info->source_time_ns ? info->source_time_ns : info->time_ns;
    if (origin_ns != base_origin_ns) return false;
    yr_bundle_identity(info, identity);
    return memcmp(identity, head->base_identity, sizeof identity) == 0;
}

/* Did a bundle of the base bring it? Of a state that came as several commits the newest is met first. */
static bool is_brought(const yore_db *db, const wanted *w, const yore_commit_info *info)
{
    return w->marker[0] && yr_slice_equal(info->source, yore_str(w->marker)) &&
           info->kind == YORE_COMMIT_DATA && is_usable(db, info);
}

static yore_status look_at_version(yore_db *db, const wanted *w, yore_at *out, bool *found, yore_error *err)
{
    yore_commit_info info = {.struct_size = sizeof info};
    uint64_t version = w->head->base_version;
    *found = false;
    if (version > yr_store_visible(&db->store)) return YORE_OK;
    yore_status status = yore_commit_get(db, version, &info, err);
    if (status < 0) return status;
    *found = is_base(db, w, &info);
    if (*found) *out = yr_bundle_point(info.branch_id, version);
    yore_commit_release(&info);
    return YORE_OK;
}

static yore_status look_at_log(yore_db *db, const wanted *w, yore_at *out, bool *found, yore_error *err)
{
    yore_log_options options = YORE_LOG_OPTIONS_INIT;
    yore_commit_info info = {.struct_size = sizeof info};
    yore_iter *log = NULL;
    options.all_branches = true;
    yore_status status = yore_log(db, NULL, &options, &log, err);
    while (status == YORE_OK && !*found && (status = yore_log_next(log, &info, err)) == YORE_OK) {
        *found = is_base(db, w, &info) || is_brought(db, w, &info);
        if (*found) *out = yr_bundle_point(info.branch_id, info.version);
    }
    yore_iter_close(log);
    return status < 0 ? status : YORE_OK;
}

yore_status yr_bundle_find_base(yore_db *db, const yr_bundle_reading *reading, const yr_bundle_head *head,
                                const uint8_t store_id[YR_UUID_BYTES], yore_at *out, yore_error *err)
{
    wanted w = {.head = head};
    bool found = false;
    if (reading->options->base) {
        yore_where where = YORE_WHERE_INIT;
        yore_status status = yore_at_resolve(db, reading->options->base, &where, err);
        if (status == YORE_OK) *out = yr_bundle_point(where.branch_id, where.snap_version);
        return status;
    }
    yr_bundle_marker(store_id, head->base_version, w.marker);
    yore_status status = look_at_version(db, &w, out, &found, err);
    if (status == YORE_OK && !found) status = look_at_log(db, &w, out, &found, err);
    if (status < 0 || found) return status;
    yr_fail(err, YORE_ERR_NO_BRANCH,
            "bundle '%s' goes on from %.*s@v%" PRIu64 " of its store, which is not in this one",
            reading->path, (int)head->base_branch.size, (const char *)head->base_branch.data,
            head->base_version);
    yr_hint(err,
            "bring that point here first, say with --base where it is, or make the bundle without a base");
    return YORE_ERR_NO_BRANCH;
}

yore_status yr_bundle_check_base(yore_db *db, const char *path, const yore_at *base,
                                 const yr_commit_head *frame, yr_reader *rows, yore_error *err)
{
    yore_snap *snap = NULL;
    yore_where where = YORE_WHERE_INIT;
    yr_row row;
    yore_status status = yore_snap_open(db, base, &snap, &where, err);
    for (uint32_t i = 0; i < frame->row_count && status == YORE_OK && yr_row_take(rows, frame->branch, &row);
         i++) {
        uint8_t hash[YR_HASH128_BYTES];
        yore_pin pin = YORE_PIN_INIT;
        const yore_key key = {row.key, row.primitive};
        status = yore_get(snap, key, &pin, err);
        if (status < 0) break;
        bool same = (status == YORE_OK) == (row.op == YORE_OP_PUT);
        if (same && status == YORE_OK) {
            yr_bundle_state_hash(pin.type, pin.value, pin.meta, hash);
            same = memcmp(hash, row.value.data, sizeof hash) == 0;
        }
        yore_unpin(&pin);
        status = YORE_OK;
        if (same) continue;
        char quoted[YR_QUOTE_SIZE];
        status = yr_fail(err, YORE_ERR_REFUSED,
                         "%s@v%" PRIu64 " is not what bundle '%s' was made on: the key '%s' is another there",
                         where.branch, where.version, path, yr_text_quote(row.key, quoted));
    }
    yore_snap_close(snap);
    return status;
}
