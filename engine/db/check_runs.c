/* Checking runs and value files: against MANIFEST, against the files in the directory, and (deep) against themselves
 * and the catalog. Runs never change, so none of this needs a turn or a lock. */
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/check_private.h"
#include "engine/segment/segment_verify.h"
#include "engine/wal/wal_file.h"

#define WINDOW_VERSIONS (UINT64_C(1) << 22) /* whose rows are counted in one go */
#define PROGRESS_ROWS 65536u
#define CACHE_BYTES (UINT64_C(1) << 20)

/* -- what MANIFEST names -- */

static bool is_same_file(const yr_store_file *file, uint64_t file_id, uint64_t file_bytes,
                         const uint8_t hash[YR_FILE_HASH_BYTES])
{
    return file->file_id == file_id && file->file_bytes == file_bytes &&
           memcmp(file->file_hash, hash, YR_FILE_HASH_BYTES) == 0;
}

static bool is_named_segment(const yr_store_file *file, const yr_run *run, const yr_segment *segment)
{
    const yr_segment_footer *footer = yr_segment_facts(segment);
    return file->kind == YR_FILE_SEGMENT && file->run_id == yr_run_id(run) &&
           file->after_version == footer->after_version && file->last_version == footer->last_version &&
           is_same_file(file, yr_segment_header(segment)->file_id, footer->file_bytes, footer->file_hash);
}

/* The layers are what the state says, in its order. */
static yore_status compare_state(const yr_layers *layers, const yr_store_state *state, yore_error *err)
{
    uint32_t at = 0;
    uint32_t values = layers->values ? yr_value_set_count(layers->values) : 0;
    for (uint32_t i = 0; i < layers->run_count; i++) {
        yr_run *run = layers->runs[i];
        for (uint32_t k = 0; k < yr_run_file_count(run); k++, at++) {
            const yr_segment *segment = yr_run_file(run, k);
            if (at < state->file_count && is_named_segment(&state->files[at], run, segment)) continue;
            return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s' is read, but is not what MANIFEST names",
                           yr_segment_name(segment));
        }
    }
    for (uint32_t i = 0; i < values; i++) {
        const yr_value_file *file = yr_value_set_at(layers->values, i);
        const yr_value_footer *footer = yr_value_file_facts(file);
        uint64_t id = yr_value_file_header(file)->file_id;
        uint32_t k = at;
        while (k < state->file_count &&
               !is_same_file(&state->files[k], id, footer->file_bytes, footer->file_hash))
            k++;
        if (k < state->file_count) continue;
        return yr_fail(err, YORE_ERR_CORRUPT, "value file '%s' is read, but is not what MANIFEST names",
                       yr_value_file_name(file));
    }
    if (state->file_count == at + values) return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT, "MANIFEST names %" PRIu32 " files, but %" PRIu32 " are read",
                   state->file_count, at + values);
}

/* Is the file still named by the MANIFEST on disk? One that a merge has made needless meanwhile may be gone. */
static bool is_named_now(const yore_db *db, const yr_store_file *file)
{
    const yr_wal_place place = {.env = db->env, .dir = db->dir, .path = db->path};
    yr_manifest manifest = {0};
    bool found = false;
    if (yr_manifest_load(&place, &manifest, NULL) < 0) return true;
    for (uint32_t i = 0; i < manifest.state.file_count && !found; i++)
        found = manifest.state.files[i].file_id == file->file_id;
    yr_manifest_deinit(&manifest, db->env);
    return found;
}

/* The file is in the directory, with the header and the footer that MANIFEST means. */
static yore_status check_named(yr_check *check, yr_disk *disk, const yr_store_file *file, yore_error *err)
{
    yr_segment *segment = NULL;
    yr_value_file *values = NULL;
    yore_status status;
    if (file->kind == YR_FILE_SEGMENT) {
        status = yr_disk_open_segment(disk, file, false, &segment, err);
        yr_segment_close(segment);
    } else {
        status = yr_disk_open_value_file(disk, file, &values, err);
        yr_value_file_unref(values);
    }
    return status == YORE_ERR_CORRUPT && !is_named_now(check->db, file) ? YORE_OK : status;
}

static void check_directory(yr_check *check, const yr_store_state *state)
{
    yore_db *db = check->db;
    yore_error why = YORE_ERROR_INIT;
    yr_disk disk = {.has_uuid = true};
    memcpy(disk.uuid, db->report.uuid, YR_UUID_BYTES);
    yore_status status = yr_disk_init(&disk, db->env, db->dir, db->path, CACHE_BYTES, &why);
    (void)yr_check_note(check, status, &why);
    for (uint32_t i = 0; status == YORE_OK && i < state->file_count && !check->is_over; i++) {
        why = (yore_error)YORE_ERROR_INIT;
        (void)yr_check_note(check, check_named(check, &disk, &state->files[i], &why), &why);
    }
    yr_disk_deinit(&disk);
}

/* -- what segments say of themselves -- */

static yore_status check_groups(yr_segment *segment, yore_error *err)
{
    const yr_segment_footer *footer = yr_segment_facts(segment);
    uint64_t keys = 0, rows = 0;
    for (uint32_t i = 0; i < yr_segment_group_count(segment); i++) {
        yr_segment_group group;
        yore_status status = yr_segment_group_get(segment, i, &group, err);
        if (status < 0) return status;
        keys += group.keys;
        rows += group.rows;
        if (group.rows < group.keys || group.deletes > group.rows)
            return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s': a group has fewer rows than keys or deletes",
                           yr_segment_name(segment));
    }
    if (keys == footer->keys && rows == footer->rows) return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT,
                   "segment '%s': groups have %" PRIu64 " keys and %" PRIu64 " rows, the footer %" PRIu64
                   " and %" PRIu64,
                   yr_segment_name(segment), keys, rows, footer->keys, footer->rows);
}

/* The value files it refers to are there, and have as much. */
static yore_status check_value_files(const yr_layers *layers, yr_segment *segment, yr_value_usage *usages,
                                     yore_error *err)
{
    uint32_t count = layers->values ? yr_value_set_count(layers->values) : 0;
    for (uint32_t i = 0; i < yr_segment_value_file_count(segment); i++) {
        yr_segment_value_file named;
        yore_status status = yr_segment_value_file_get(segment, i, &named, err);
        if (status < 0) return status;
        if (!yr_value_usage_add(usages, count, named.file_id, named.count, named.bytes))
            return yr_fail(err, YORE_ERR_CORRUPT,
                           "segment '%s' refers to value file %" PRIu64 ", which the store does not have",
                           yr_segment_name(segment), named.file_id);
    }
    return YORE_OK;
}

static void check_usages(yr_check *check, const yr_layers *layers, const yr_value_usage *usages)
{
    uint32_t count = layers->values ? yr_value_set_count(layers->values) : 0;
    for (uint32_t i = 0; i < count && !check->is_over; i++) {
        const yr_value_file *file = yr_value_set_at(layers->values, i);
        const yr_value_footer *footer = yr_value_file_facts(file);
        yore_error why = YORE_ERROR_INIT;
        yore_status status = YORE_OK;
        if (usages[i].live_bytes > footer->value_bytes || usages[i].live_count > footer->values)
            status = yr_fail(&why, YORE_ERR_CORRUPT,
                             "segments refer to %" PRIu64 " bytes of value file '%s', which has %" PRIu64,
                             usages[i].live_bytes, yr_value_file_name(file), footer->value_bytes);
        (void)yr_check_note(check, status, &why);
        check->report->value_files++;
        check->report->value_file_bytes += footer->file_bytes;
    }
}

/* Commits all stay (keep.h, K5), and times ascend from run to run. */
static yore_status check_run_commits(const yr_run *run, const yr_run *older, yore_error *err)
{
    const yr_segment *first = yr_run_file(run, 0);
    const yr_segment_footer *footer = yr_segment_facts(first);
    if (footer->commits != footer->last_version - footer->after_version)
        return yr_fail(
            err, YORE_ERR_CORRUPT, "segment '%s' has %" PRIu64 " commits for v%" PRIu64 " to v%" PRIu64,
            yr_segment_name(first), footer->commits, footer->after_version + 1, footer->last_version);
    if (older && footer->commits &&
        footer->first_time_ns <= yr_segment_facts(yr_run_file(older, 0))->last_time_ns)
        return yr_fail(err, YORE_ERR_CORRUPT, "segment '%s' begins before the one with older versions ends",
                       yr_segment_name(first));
    return YORE_OK;
}

static void check_footers(yr_check *check, const yr_layers *layers)
{
    uint32_t count = layers->values ? yr_value_set_count(layers->values) : 0;
    yr_value_usage *usages = yr_alloc_zero(check->db->env, (count + 1) * sizeof *usages);
    yore_error why = YORE_ERROR_INIT;
    if (!usages) {
        (void)yr_check_note(check, yr_fail(&why, YORE_ERR_NOMEM, "out of memory for a check"), &why);
        return;
    }
    if (layers->values) yr_value_set_usages(layers->values, usages);
    for (uint32_t i = 0; i < layers->run_count && !check->is_over; i++) {
        const yr_run *older = i + 1 < layers->run_count ? layers->runs[i + 1] : NULL;
        why = (yore_error)YORE_ERROR_INIT;
        (void)yr_check_note(check, check_run_commits(layers->runs[i], older, &why), &why);
        for (uint32_t k = 0; k < yr_run_file_count(layers->runs[i]) && !check->is_over; k++) {
            yr_segment *segment = yr_run_file(layers->runs[i], k);
            why = (yore_error)YORE_ERROR_INIT;
            (void)yr_check_note(check, check_groups(segment, &why), &why);
            why = (yore_error)YORE_ERROR_INIT;
            if (!check->is_over)
                (void)yr_check_note(check, check_value_files(layers, segment, usages, &why), &why);
            check->report->segments++;
            check->report->segment_bytes += yr_segment_facts(segment)->file_bytes;
            check->report->rows += yr_segment_facts(segment)->rows;
        }
    }
    if (!check->is_over) check_usages(check, layers, usages);
    yr_free(check->db->env, usages, (count + 1) * sizeof *usages);
}

/* -- deep -- */

/* How many rows of each version in (after, after + count] there are, and of which branch. */
typedef struct window {
    uint64_t after, count;
    struct {
        uint32_t rows, branch;
    } of[];
} window;

static yore_status check_row(yr_check *check, const yr_layers *layers, const yr_segment_row *row, window *w,
                             yore_error *err)
{
    if (row->version <= w->after || row->version > w->after + w->count) return YORE_OK;
    uint32_t branch = yr_get_be32(row->tree_key.data);
    uint64_t at = row->version - w->after - 1;
    if (branch != YR_REGISTRY_BRANCH && !yr_catalog_by_id(check->db->store.catalog, branch))
        return yr_fail(err, YORE_ERR_CORRUPT,
                       "v%" PRIu64 " has a row of branch id:%" PRIu32 ", which does not exist", row->version,
                       branch);
    if (w->of[at].rows && w->of[at].branch != branch)
        return yr_fail(err, YORE_ERR_CORRUPT, "v%" PRIu64 " has rows of two branches", row->version);
    w->of[at].branch = branch;
    w->of[at].rows++;
    if (!row->is_reference) return YORE_OK;
    yr_block_pin pin = {0};
    yore_slice value;
    yore_status status = yr_layers_value(layers, row, &value, &pin, err);
    yr_block_pin_release(&pin);
    check->report->values += status == YORE_OK;
    return status;
}

/* Each commit has the rows it counts, but where history was trimmed or keys were erased. */
static yore_status check_commit(const yr_check *check, const window *w, const yr_commit_head *head,
                                yore_error *err)
{
    if (head->version <= w->after || head->version > w->after + w->count) return YORE_OK;
    uint64_t at = head->version - w->after - 1;
    uint32_t rows = w->of[at].rows;
    if (rows && w->of[at].branch != head->branch)
        return yr_fail(err, YORE_ERR_CORRUPT,
                       "v%" PRIu64 " is a commit of branch id:%" PRIu32 ", but has rows of id:%" PRIu32,
                       head->version, head->branch, w->of[at].branch);
    if (rows == head->row_count) return YORE_OK;
    if (rows < head->row_count && yr_catalog_may_lack_rows(check->db->store.catalog, head->version))
        return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT, "v%" PRIu64 " has %" PRIu32 " rows, but counts %" PRIu32,
                   head->version, rows, head->row_count);
}

/* The rows in the window. A damaged block ends it: the segment's own check has said where it is. */
static bool check_window_rows(yr_check *check, const yr_layers *layers, yr_run *run, window *w,
                              bool *is_whole)
{
    yr_run_rows rows;
    yr_segment_row row;
    yore_error why = YORE_ERROR_INIT;
    uint64_t n = 0, told = 0;
    yore_status status = yr_run_rows_open(run, &rows, &why);
    while (status == YORE_OK && !check->is_over) {
        status = yr_run_rows_next(&rows, &row, &why);
        if (status != YORE_OK) break;
        yore_error problem = YORE_ERROR_INIT;
        (void)yr_check_note(check, check_row(check, layers, &row, w, &problem), &problem);
        if (++n % PROGRESS_ROWS || check->is_over) continue;
        uint64_t bytes = yr_run_rows_bytes(&rows);
        (void)yr_check_progress(check, bytes - told);
        told = bytes;
    }
    yr_run_rows_close(&rows);
    *is_whole = status == YORE_END;
    if (status == YORE_ERR_NOMEM) (void)yr_check_note(check, status, &why);
    return !check->is_over;
}

static void check_window(yr_check *check, const yr_layers *layers, yr_run *run, window *w)
{
    yr_run_commits commits;
    yr_segment_commit commit;
    yore_error why = YORE_ERROR_INIT;
    bool is_whole;
    if (!check_window_rows(check, layers, run, w, &is_whole) || !is_whole) return;
    yore_status status = yr_run_commits_open(run, &commits, &why);
    while (status == YORE_OK && !check->is_over) {
        status = yr_run_commits_next(&commits, &commit, &why);
        yore_error problem = YORE_ERROR_INIT;
        if (status == YORE_OK)
            (void)yr_check_note(check, check_commit(check, w, &commit.head, &problem), &problem);
    }
    yr_run_commits_close(&commits);
    if (status == YORE_ERR_NOMEM) (void)yr_check_note(check, status, &why);
}

/* Rows against commits, catalog and value files, so many versions at a time. */
static void check_run_rows(yr_check *check, const yr_layers *layers, yr_run *run)
{
    const yore_env *env = check->db->env;
    uint64_t after = yr_run_after(run), last = yr_run_last(run);
    uint64_t room = last - after < WINDOW_VERSIONS ? last - after : WINDOW_VERSIONS;
    size_t bytes = sizeof(window) + (size_t)room * sizeof(((window *)0)->of[0]);
    window *w = yr_alloc(env, bytes);
    yore_error why = YORE_ERROR_INIT;
    if (!w) {
        (void)yr_check_note(check, yr_fail(&why, YORE_ERR_NOMEM, "out of memory for a check"), &why);
        return;
    }
    for (; after < last && !check->is_over; after += room) {
        memset(w, 0, bytes);
        w->after = after;
        w->count = last - after < room ? last - after : room;
        check_window(check, layers, run, w);
    }
    yr_free(env, w, bytes);
}

static void check_bytes(yr_check *check, const yr_layers *layers)
{
    yore_error why = YORE_ERROR_INIT;
    uint32_t values = layers->values ? yr_value_set_count(layers->values) : 0;
    for (uint32_t i = 0; i < layers->run_count && !check->is_over; i++) {
        yr_run *run = layers->runs[i];
        for (uint32_t k = 0; k < yr_run_file_count(run) && !check->is_over; k++) {
            yr_segment *segment = yr_run_file(run, k);
            why = (yore_error)YORE_ERROR_INIT;
            (void)yr_check_note(check, yr_segment_verify(segment, &why), &why);
            if (!check->is_over) (void)yr_check_progress(check, yr_segment_facts(segment)->file_bytes);
        }
        if (!check->is_over) check_run_rows(check, layers, run);
    }
    for (uint32_t i = 0; i < values && !check->is_over; i++) {
        yr_value_file *file = yr_value_set_at(layers->values, i);
        why = (yore_error)YORE_ERROR_INIT;
        (void)yr_check_note(check, yr_value_file_verify(file, &why), &why);
        if (!check->is_over) (void)yr_check_progress(check, yr_value_file_facts(file)->file_bytes);
    }
}

void yr_check_files(yr_check *check, const yr_layers *layers, const yr_store_state *state)
{
    yore_error why = YORE_ERROR_INIT;
    /* a reader's state may be ahead of what it reads */
    if (!check->db->store.read_only) (void)yr_check_note(check, compare_state(layers, state, &why), &why);
    if (!check->is_over) check_directory(check, state);
    if (!check->is_over) check_footers(check, layers);
    if (check->is_over || check->options->level != YORE_CHECK_DEEP) return;
    check->total += 2 * check->report->segment_bytes + check->report->value_file_bytes;
    check_bytes(check, layers);
}
