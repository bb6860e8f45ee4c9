/* Reading bundles: as backups are read, and then by what a bundle's frames must be. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/base/error.h"
#include "engine/bundle/bundle_private.h"

typedef struct taking {
    yr_bundle_reading *reading;
    const yr_backup_file *file;
} taking;

static yore_status bad(const taking *t, yore_error *err, const char *what)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "bundle '%s': %s", t->reading->path, what);
}

void yr_bundle_info_fill(yore_bundle_info *info, const yr_file_header *header,
                         const yr_backup_manifest *manifest, const yr_bundle_head *head, uint32_t head_rows)
{
    *info = (yore_bundle_info){.struct_size = sizeof *info,
                               .format_major = header->major,
                               .format_minor = header->minor,
                               .has_history = head->has_history,
                               .has_base = head->has_base,
                               .version = head->version,
                               .time_ns = head->time_ns,
                               .base_version = head->base_version,
                               .base_time_ns = head->base_time_ns,
                               .created_ns = manifest->created_ns,
                               .commits = manifest->last_version - 1,
                               .rows = manifest->rows - head_rows,
                               .raw_bytes = manifest->raw_bytes,
                               .file_bytes = manifest->file_bytes};
    memcpy(info->id, header->salt, YORE_BACKUP_ID_BYTES);
    memcpy(info->store_id, header->uuid, YORE_BACKUP_ID_BYTES);
    (void)snprintf(info->branch, sizeof info->branch, "%.*s", (int)head->branch.size,
                   (const char *)head->branch.data);
    (void)snprintf(info->base_branch, sizeof info->base_branch, "%.*s", (int)head->base_branch.size,
                   head->base_branch.size ? (const char *)head->base_branch.data : "");
}

/* The rows of the head say what the base has: the hash of a state, or that there is none. */
static bool are_old_states(const yr_bundle_head *head, const yr_commit_head *frame, yr_reader rows)
{
    yr_row row;
    if (frame->row_count > 0 && !head->has_base) return false;
    for (uint32_t i = 0; i < frame->row_count; i++) {
        if (!yr_row_take(&rows, frame->branch, &row) || row.primitive > YORE_BLOB || row.meta.size ||
            row.expiry_ns || row.value.size != (row.op == YORE_OP_PUT ? YR_HASH128_BYTES : 0u)) {
            return false;
        }
    }
    return true;
}

static yore_status take_head(taking *t, const yr_commit_head *frame, yr_reader *rows, yore_error *err)
{
    yr_bundle_reading *reading = t->reading;
    yr_bundle_head head;
    bool newer;
    if (!yr_bundle_head_decode(frame->note, &head, &newer)) {
        if (newer) {
            return yr_fail(err, YORE_ERR_FORMAT, "bundle '%s' was made by a newer yore", reading->path);
        }
        return bad(t, err, "it does not say what it is");
    }
    if (yore_name_check(head.branch, NULL) < 0 ||
        (head.has_base && yore_name_check(head.base_branch, NULL) < 0) ||
        !are_old_states(&head, frame, *rows)) {
        return bad(t, err, "its head is not valid");
    }
    yr_bundle_info_fill(&reading->info, &t->file->header, &t->file->manifest, &head, frame->row_count);
    return reading->begin ? reading->begin(reading->arg, &head, frame, rows, err) : YORE_OK;
}

static yore_status take_commit(taking *t, const yr_commit_head *commit, yr_reader *rows, yore_error *err)
{
    yr_reader copy = *rows;
    yr_row row;
    bool good = commit->branch == YR_BUNDLE_BRANCH && commit->kind == YORE_COMMIT_DATA &&
                commit->parent_count < YORE_PARENTS_MAX;
    for (uint32_t i = 0; good && i < commit->parent_count; i++) {
        uint64_t parent = yr_get_le64((const uint8_t *)commit->parents + 8u * (size_t)i);
        good = parent > 1 && parent < commit->version;
    }
    for (uint32_t i = 0; good && i < commit->row_count; i++)
        good = yr_row_take(&copy, commit->branch, &row) && row.primitive <= YORE_BLOB;
    if (!good) {
        return yr_fail(err, YORE_ERR_CORRUPT, "bundle '%s': its commit %" PRIu64 " is not valid",
                       t->reading->path, commit->version - 1);
    }
    return t->reading->each ? t->reading->each(t->reading->arg, commit, rows, err) : YORE_OK;
}

static yore_status take_frames(void *arg, yore_slice frames, uint64_t first, uint64_t last, yore_error *err)
{
    taking *t = arg;
    yr_reader payload = yr_reader_of(frames), rows;
    yr_commit_head head;
    yore_status status = YORE_OK;
    (void)first;
    (void)last;
    while (payload.left && status == YORE_OK) {
        if (!yr_frame_take(&payload, &head, &rows)) return bad(t, err, "a commit is not valid");
        status = head.version == 1 ? take_head(t, &head, &rows, err) : take_commit(t, &head, &rows, err);
    }
    return status;
}

static yore_status read_file(taking *t, const yr_backup_file *file, yore_error *err)
{
    const yr_bundle_reading *reading = t->reading;
    const yore_backup_options options = {.progress = reading->options->progress,
                                         .progress_arg = reading->options->progress_arg};
    yr_backup_reader reader;
    if (file->manifest.first_version != 1) return bad(t, err, "its manifest names versions that cannot be");
    yore_status status = yr_backup_reader_init(&reader, reading->env, err);
    reader.options = &options;
    reader.total = file->manifest.last_version;
    reader.sink = take_frames;
    reader.sink_arg = t;
    t->file = file;
    if (status == YORE_OK) status = yr_backup_reader_run(&reader, file, err);
    yr_backup_reader_deinit(&reader);
    return status;
}

yore_status yr_bundle_read(yr_bundle_reading *reading, yore_error *err)
{
    yr_backup_place place;
    yr_backup_file file = {0};
    taking t = {.reading = reading};
    yore_status status = yr_backup_place_init(&place, reading->env, reading->path, err);
    if (status == YORE_OK)
        status = yr_backup_file_open(&file, &yr_sort_bundle, reading->env, place.dir, place.name,
                                     reading->path, err);
    if (status == YORE_OK) {
        status = read_file(&t, &file, err);
        yr_backup_file_close(&file);
    }
    yr_backup_place_deinit(&place);
    return status;
}

yore_status yore_bundle_info_get(const char *path, const yore_bundle_options *options, yore_bundle_info *out,
                                 yore_error *err)
{
    if (!path || !out)
        return yr_fail(err, YORE_ERR_MISUSE, "the path of a bundle and a place for its facts are needed");
    yore_status status = yr_bundle_options_check(&options, out, err);
    if (status < 0) return status;
    yr_bundle_reading reading = {
        .path = path, .options = options, .env = options->env ? options->env : yore_env_default()};
    status = yr_bundle_read(&reading, err);
    if (status == YORE_OK) *out = reading.info;
    return status;
}
