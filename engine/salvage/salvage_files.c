/* What is in the directory. With a MANIFEST that proves itself only the files it names count; without one, all that
 * say they are of the store most of them are of. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/salvage/salvage_private.h"

/* -- finding -- */

typedef struct listing {
    yr_buf *files;
    bool has_manifest, no_memory;
} listing;

static int note_name(void *arg, const char *name)
{
    listing *l = arg;
    bool making = false;
    yr_salvage_file file = {0};
    file.id = yr_file_name_id(name, &file.kind, &making);
    if (strcmp(name, YR_WAL_MANIFEST_NAME) == 0 || strcmp(name, YR_WAL_MANIFEST_SPARE) == 0)
        l->has_manifest = true;
    if (file.id == 0 || making) return 0;
    l->no_memory = !yr_buf_append(l->files, &file, sizeof file);
    return l->no_memory;
}

static int compare_files(const void *a, const void *b)
{
    const yr_salvage_file *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->kind < y->kind ? -1 : x->kind > y->kind;
}

static bool read_header(const yr_salvage *s, const yr_salvage_file *file, yr_file_header *header)
{
    const yore_env *env = s->env;
    char name[YR_FILE_NAME_BYTES];
    uint8_t bytes[YR_FILE_HEADER_BYTES];
    yore_file *handle;
    yr_file_name(file->kind, file->id, false, name);
    if (env->open(env->ctx, s->dir, name, 0, &handle) < 0) return false;
    int64_t n = yr_file_read_all(env, handle, bytes, sizeof bytes, 0);
    env->close(env->ctx, handle);
    return n == (int64_t)sizeof bytes &&
           yr_file_header_decode(yore_bytes(bytes, sizeof bytes), header) == YR_HEADER_OK;
}

/* The store that most files are of. */
static yore_status find_uuid(yr_salvage *s, yore_error *err)
{
    typedef struct vote {
        uint8_t uuid[YR_UUID_BYTES];
        uint32_t files;
    } vote;
    yr_buf votes;
    uint32_t most = 0;
    bool no_memory = false;
    yr_buf_init(&votes, s->env, YR_SALVAGE_LIST_MAX);
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->files, yr_salvage_file) && !no_memory; i++) {
        yr_file_header header;
        if (!read_header(s, YR_SALVAGE_AT(s->files, yr_salvage_file, i), &header)) continue;
        uint32_t k = 0, count = YR_SALVAGE_COUNT(votes, vote);
        while (k < count && memcmp(YR_SALVAGE_AT(votes, vote, k)->uuid, header.uuid, YR_UUID_BYTES) != 0) k++;
        vote fresh = {.files = 0};
        memcpy(fresh.uuid, header.uuid, YR_UUID_BYTES);
        if (k == count) no_memory = !yr_buf_append(&votes, &fresh, sizeof fresh);
        if (!no_memory && ++YR_SALVAGE_AT(votes, vote, k)->files > most) {
            most = YR_SALVAGE_AT(votes, vote, k)->files;
            memcpy(s->uuid, header.uuid, YR_UUID_BYTES);
        }
    }
    yr_buf_deinit(&votes);
    if (no_memory) return yr_salvage_no_memory(s, err);
    if (most) return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT, "no file of '%s' has a whole header: nothing can be proven",
                   s->path);
}

/* The files MANIFEST names take the place of those that were found. */
static yore_status take_named(yr_salvage *s, yore_error *err)
{
    const yr_manifest *m = &s->manifest;
    bool ok = true;
    yr_buf_clear(&s->files);
    for (uint32_t i = 0; i < m->count && ok; i++) {
        const yr_salvage_file file = {.id = m->entries[i].id, .kind = YR_FILE_WAL};
        ok = yr_buf_append(&s->files, &file, sizeof file);
    }
    for (uint32_t i = 0; i < m->state.file_count && ok; i++) {
        const yr_store_file *named = &m->state.files[i];
        const yr_salvage_file file = {
            .id = named->file_id, .kind = (enum yr_file_kind)named->kind, .named = named};
        ok = yr_buf_append(&s->files, &file, sizeof file);
    }
    memcpy(s->uuid, m->uuid, YR_UUID_BYTES);
    return ok ? YORE_OK : yr_salvage_no_memory(s, err);
}

yore_status yr_salvage_find_files(yr_salvage *s, yore_error *err)
{
    const yr_wal_place place = {.env = s->env, .dir = s->dir, .path = s->path};
    listing l = {.files = &s->files};
    yore_error why = YORE_ERROR_INIT;
    int rc = s->env->dir_list(s->env->ctx, s->dir, note_name, &l);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot list '%s'", s->path);
    if (l.no_memory) return yr_salvage_no_memory(s, err);
    if (!l.has_manifest && s->files.size == 0)
        return yr_fail(err, YORE_ERR_NOT_STORE, "the directory '%s' holds no files of a store", s->path);
    yore_status status = yr_manifest_load(&place, &s->manifest, &why);
    s->has_manifest = s->report.had_manifest = status == YORE_OK;
    if (status == YORE_OK) {
        status = take_named(s, err);
    } else if (status == YORE_ERR_CORRUPT || status == YORE_ERR_IO) {
        yr_salvage_tell(s, &(yore_salvage_loss){.kind = YORE_LOSS_MANIFEST, .text = why.message});
        status = find_uuid(s, err);
    } else if (err) {
        *err = why;
    }
    if (status < 0) return status;
    uint32_t count = YR_SALVAGE_COUNT(s->files, yr_salvage_file);
    if (count) qsort(s->files.data, count, sizeof(yr_salvage_file), compare_files);
    return YORE_OK;
}

/* -- opening -- */

static yore_status open_handle(const yr_salvage *s, const char *name, yore_file **out, yore_error *err)
{
    int rc = s->env->open(s->env->ctx, s->dir, name, 0, out);
    if (rc == -ENOENT) return yr_fail(err, YORE_ERR_CORRUPT, "'%s/%s' is missing", s->path, name);
    return rc < 0 ? yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open '%s/%s'", s->path, name) : YORE_OK;
}

static yore_status other_file(const char *name, yore_error *err)
{
    return yr_fail(err, YORE_ERR_CORRUPT, "'%s' is another file than the one MANIFEST names", name);
}

static yore_status open_segment(yr_salvage *s, const yr_salvage_file *file, const char *name,
                                yr_salvage_segment *out, yore_error *err)
{
    const yr_segment_open_options options = {.env = s->env,
                                             .cache = s->cache,
                                             .decoders = s->decoders,
                                             .is_salvaged = true,
                                             .uuid = s->uuid,
                                             .file_id = file->id};
    yore_file *handle;
    yr_segment *segment = NULL;
    yore_status status = open_handle(s, name, &handle, err);
    if (status < 0) return status;
    status = yr_segment_open(&options, handle, name, &segment, err);
    if (status < 0) {
        s->env->close(s->env->ctx, handle);
        return status;
    }
    const yr_segment_footer *footer = yr_segment_facts(segment);
    if (file->named && memcmp(footer->file_hash, file->named->file_hash, YR_FILE_HASH_BYTES) != 0)
        status = other_file(name, err);
    *out = (yr_salvage_segment){.file_id = file->id};
    if (status == YORE_OK) status = yr_run_create_for_salvage(s->env, file->id, &segment, 1, &out->run, err);
    if (status < 0) yr_segment_close(segment);
    return status;
}

static yore_status open_values(yr_salvage *s, const yr_salvage_file *file, const char *name,
                               yr_value_file **out, yore_error *err)
{
    const yr_value_open_options options = {
        .env = s->env, .cache = s->cache, .uuid = s->uuid, .file_id = file->id};
    yore_file *handle;
    yore_status status = open_handle(s, name, &handle, err);
    if (status < 0) return status;
    status = yr_value_file_open(&options, handle, name, out, err);
    if (status < 0) s->env->close(s->env->ctx, handle);
    return status;
}

/* Is it a file of another store, of which there happen to be some beside ours? */
static bool is_foreign(const yr_salvage *s, const yr_salvage_file *file)
{
    yr_file_header header;
    return !s->has_manifest && read_header(s, file, &header) &&
           memcmp(header.uuid, s->uuid, YR_UUID_BYTES) != 0;
}

static yore_status lose_file(yr_salvage *s, const yr_salvage_file *file, const char *name,
                             const yore_error *why, yore_error *err)
{
    yore_salvage_loss loss = {.kind = YORE_LOSS_FILE, .file = name, .text = why->message};
    bool ok = true;
    if (file->kind == YR_FILE_SEGMENT) {
        s->is_unsure = true;
        if (file->named) {
            loss.first_version = file->named->after_version + 1;
            loss.last_version = file->named->last_version;
        }
        ok = yr_salvage_note_range(s, file->named ? file->named->after_version : 0,
                                   file->named ? file->named->last_version : UINT64_MAX);
    }
    yr_salvage_tell(s, &loss);
    return ok ? YORE_OK : yr_salvage_no_memory(s, err);
}

static yore_status take_segment(yr_salvage *s, const yr_salvage_file *file, const char *name, yore_error *err)
{
    yr_salvage_segment segment;
    yore_error why = YORE_ERROR_INIT;
    yore_status status = open_segment(s, file, name, &segment, &why);
    if (yr_salvage_is_damage(status)) {
        s->report.segments_lost++;
        return lose_file(s, file, name, &why, err);
    }
    if (status < 0) {
        if (err) *err = why;
        return status;
    }
    s->report.segments++;
    if (yr_buf_append(&s->segments, &segment, sizeof segment)) return YORE_OK;
    yr_run_unref(segment.run);
    return yr_salvage_no_memory(s, err);
}

static yore_status take_values(yr_salvage *s, const yr_salvage_file *file, const char *name, yr_buf *values,
                               yore_error *err)
{
    yr_value_file *opened;
    yore_error why = YORE_ERROR_INIT;
    yore_status status = open_values(s, file, name, &opened, &why);
    if (yr_salvage_is_damage(status)) {
        s->report.value_files_lost++;
        return lose_file(s, file, name, &why, err);
    }
    if (status < 0) {
        if (err) *err = why;
        return status;
    }
    s->report.value_files++;
    if (yr_buf_append(values, &opened, sizeof(yr_value_file *))) return YORE_OK;
    yr_value_file_unref(opened);
    return yr_salvage_no_memory(s, err);
}

yore_status yr_salvage_open_files(yr_salvage *s, yore_error *err)
{
    yr_buf values;
    yore_status status = YORE_OK;
    yr_buf_init(&values, s->env, YR_SALVAGE_LIST_MAX);
    /* the newest first: what was written later is the better */
    for (uint32_t i = YR_SALVAGE_COUNT(s->files, yr_salvage_file); i-- > 0 && status == YORE_OK;) {
        const yr_salvage_file *file = YR_SALVAGE_AT(s->files, yr_salvage_file, i);
        char name[YR_FILE_NAME_BYTES];
        if (file->kind == YR_FILE_WAL || is_foreign(s, file)) continue;
        yr_file_name(file->kind, file->id, false, name);
        if (file->kind == YR_FILE_SEGMENT) {
            status = take_segment(s, file, name, err);
        } else {
            status = take_values(s, file, name, &values, err);
        }
    }
    uint32_t count = YR_SALVAGE_COUNT(values, yr_value_file *);
    if (status == YORE_OK)
        status =
            yr_value_set_create(s->env, (yr_value_file *const *)(void *)values.data, count, &s->values, err);
    for (uint32_t i = 0; i < count; i++) yr_value_file_unref(*YR_SALVAGE_AT(values, yr_value_file *, i));
    yr_buf_deinit(&values);
    return status;
}
