/* Reading and replacing MANIFEST, and its copy.
 *
 * Every generation is written twice: MANIFEST, and when that is durable MANIFEST.bak, the same bytes (F13). The copy is
 * for the day MANIFEST rots; that it could not be written is no failure, so it may be older, and then it must not be
 * believed. It proves itself (manifest_is_current) by the header of the damaged MANIFEST, if that is whole and is the
 * copy's own; or by the directory: a newer generation that took anything new into the store listed a file that the copy
 * does not know, and one that only dropped files is followed by their end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/base/yr_assert.h"
#include "engine/wal/wal_file.h"

void yr_manifest_deinit(yr_manifest *manifest, const yore_env *env)
{
    yr_free(env, manifest->entries, manifest->capacity * sizeof(yr_manifest_entry));
    yr_state_deinit(&manifest->state, env);
    *manifest = (yr_manifest){0};
}

bool yr_manifest_grow(yr_manifest *manifest, const yore_env *env, uint32_t extra)
{
    if (extra > YR_MANIFEST_FILES_MAX - manifest->count) return false;
    uint32_t want = manifest->count + extra;
    if (want <= manifest->capacity) return true;
    uint32_t capacity = want < 8 ? 8 : want + want / 2;
    yr_manifest_entry *entries = yr_realloc(env, manifest->entries, manifest->capacity * sizeof(*entries),
                                            capacity * sizeof(*entries));
    if (!entries) return false;
    manifest->entries = entries;
    manifest->capacity = capacity;
    return true;
}

bool yr_state_copy(yr_store_state *to, const yr_store_state *from, const yore_env *env)
{
    *to = *from;
    to->files = NULL;
    to->file_count = 0;
    if (from->file_count == 0) return true;
    size_t bytes = from->file_count * sizeof(*to->files);
    to->files = yr_alloc(env, bytes);
    if (!to->files) return false;
    memcpy(to->files, from->files, bytes);
    to->file_count = from->file_count;
    return true;
}

void yr_state_deinit(yr_store_state *state, const yore_env *env)
{
    yr_free(env, state->files, state->file_count * sizeof(*state->files));
    *state = (yr_store_state){0};
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* M1 for all kinds of files together: two files of one id may be one file taken for two. */
static yore_status check_ids(const yr_wal_place *place, const char *name, const yr_manifest *manifest,
                             yore_error *err)
{
    if (manifest->state.file_count == 0) return YORE_OK;
    size_t count = (size_t)manifest->count + manifest->state.file_count;
    uint64_t *ids = yr_alloc(place->env, count * sizeof(*ids));
    if (!ids) {
        return yr_fail(err, YORE_ERR_NOMEM, "no memory for %zu entries of '%s/%s'", count, place->path, name);
    }
    size_t n = 0;
    for (uint32_t i = 0; i < manifest->count; i++) ids[n++] = manifest->entries[i].id;
    for (uint32_t i = 0; i < manifest->state.file_count; i++) ids[n++] = manifest->state.files[i].file_id;
    qsort(ids, count, sizeof(*ids), compare_ids);
    bool twice = false;
    for (size_t i = 1; i < count; i++) twice = twice || ids[i] == ids[i - 1];
    yr_free(place->env, ids, count * sizeof(*ids));
    if (!twice) return YORE_OK;
    return yr_fail(err, YORE_ERR_CORRUPT, "'%s/%s': a file is listed twice", place->path, name);
}

static yore_status decode(const yr_wal_place *place, const char *name, yore_slice bytes, yr_manifest *out,
                          yore_error *err)
{
    yr_manifest_fixed fixed;
    const char *why;
    switch (yr_manifest_decode(bytes, &fixed, &why)) {
    case YR_HEADER_OK: break;
    case YR_HEADER_NEWER:
        return yr_fail(
            err, YORE_ERR_FORMAT, "store '%s' was made by a newer format (%u.%u), this is yore format %u.%u",
            place->path, fixed.header.major, fixed.header.minor, YR_FORMAT_MAJOR, YR_MANIFEST_MINOR);
    case YR_HEADER_BAD: return yr_fail(err, YORE_ERR_CORRUPT, "'%s/%s': %s", place->path, name, why);
    }
    memcpy(out->salt, fixed.header.salt, YR_SALT_BYTES);
    memcpy(out->uuid, fixed.header.uuid, YR_UUID_BYTES);
    out->format_major = fixed.header.major;
    out->format_minor = fixed.header.minor;
    out->generation = fixed.header.file_id;
    out->next_id = fixed.next_id;
    out->durable_lsn = fixed.durable_lsn;
    out->start_id = fixed.start_id;
    out->start_lsn = fixed.start_lsn;
    out->start_chain = fixed.start_chain;
    uint32_t files = fixed.state.file_count;
    out->state = fixed.state;
    if (files) out->state.files = yr_alloc(place->env, files * sizeof(*out->state.files));
    if (!out->state.files) out->state.file_count = 0;
    if (!yr_manifest_grow(out, place->env, fixed.count) || out->state.file_count < files) {
        return yr_fail(err, YORE_ERR_NOMEM, "no memory for %u entries of '%s/%s'", fixed.count + files,
                       place->path, name);
    }
    out->count = fixed.count;
    for (uint32_t i = 0; i < fixed.count; i++) yr_manifest_decode_entry(bytes, &fixed, i, &out->entries[i]);
    for (uint32_t i = 0; i < files; i++) yr_manifest_decode_file(bytes, &fixed, i, &out->state.files[i]);
    /* the log goes on there, whether or not it was known when that file was listed */
    if (out->entries[0].first_lsn == 0) out->entries[0].first_lsn = out->start_lsn + 1;
    return check_ids(place, name, out, err);
}

/* One of the two. `start` gets what there is of the first bytes. */
static yore_status load_named(const yr_wal_place *place, const char *name,
                              uint8_t start[YR_FILE_HEADER_BYTES], yr_manifest *out, bool *is_missing,
                              yore_error *err)
{
    const yore_env *env = place->env;
    yore_file *file = NULL;
    uint8_t *bytes = NULL;
    size_t capacity = 0;
    *out = (yr_manifest){0};
    memset(start, 0, YR_FILE_HEADER_BYTES);
    yore_status status = YORE_OK;
    int rc = env->open(env->ctx, place->dir, name, 0, &file);
    if (is_missing) *is_missing = rc == -ENOENT;
    if (rc == -ENOENT) {
        return yr_fail(err, YORE_ERR_CORRUPT, "'%s/%s' is missing", place->path, name);
    }
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open '%s/%s'", place->path, name);

    int64_t size = env->size(env->ctx, file);
    if (size >= 0 && (uint64_t)size > yr_manifest_bytes(YR_MANIFEST_FILES_MAX, YR_MANIFEST_FILES_MAX)) {
        status = yr_fail(err, YORE_ERR_CORRUPT, "'%s/%s': size does not fit its contents", place->path, name);
        goto out;
    }
    int64_t n = size;
    if (size > 0) {
        capacity = (size_t)size;
        bytes = yr_alloc(env, capacity);
        if (!bytes) {
            status = yr_fail(err, YORE_ERR_NOMEM, "no memory to read '%s/%s'", place->path, name);
            goto out;
        }
        n = yr_file_read_all(env, file, bytes, capacity, 0);
    }
    if (n < 0) {
        status = yr_fail_errno(err, YORE_ERR_IO, (int)-n, "cannot read '%s/%s'", place->path, name);
        goto out;
    }
    if (n > 0) memcpy(start, bytes, n < (int64_t)YR_FILE_HEADER_BYTES ? (size_t)n : YR_FILE_HEADER_BYTES);
    status = decode(place, name, (yore_slice){bytes, (size_t)n}, out, err);
    if (status < 0) yr_manifest_deinit(out, env);
out:
    yr_free(env, bytes, capacity);
    env->close(env->ctx, file);
    return status;
}

typedef struct strangers {
    const yr_manifest *manifest;
    bool any;
} strangers;

static bool is_listed(const yr_manifest *manifest, uint64_t id, enum yr_file_kind kind)
{
    for (uint32_t i = 0; kind == YR_FILE_WAL && i < manifest->count; i++) {
        if (manifest->entries[i].id == id) return true;
    }
    for (uint32_t i = 0; kind != YR_FILE_WAL && i < manifest->state.file_count; i++) {
        if (manifest->state.files[i].file_id == id) return manifest->state.files[i].kind == kind;
    }
    return false;
}

static int note_stranger(void *arg, const char *name)
{
    strangers *s = arg;
    enum yr_file_kind kind;
    bool making = false;
    uint64_t id = yr_file_name_id(name, &kind, &making);
    if (id && !making && !is_listed(s->manifest, id, kind)) s->any = true;
    return s->any;
}

/* Is the copy what MANIFEST was before it was damaged? See above. The files that it lists are looked at by who
 * opens them. */
static bool manifest_is_current(const yr_wal_place *place, const yr_manifest *spare,
                                const uint8_t start[YR_FILE_HEADER_BYTES])
{
    yr_file_header header;
    if (yr_file_header_decode((yore_slice){start, YR_FILE_HEADER_BYTES}, &header) == YR_HEADER_OK) {
        return header.kind == YR_FILE_MANIFEST && header.file_id == spare->generation &&
               memcmp(header.uuid, spare->uuid, YR_UUID_BYTES) == 0 &&
               memcmp(header.salt, spare->salt, YR_SALT_BYTES) == 0;
    }
    strangers s = {.manifest = spare};
    return place->env->dir_list(place->env->ctx, place->dir, note_stranger, &s) == 0 && !s.any;
}

yore_status yr_manifest_load(const yr_wal_place *place, yr_manifest *out, yore_error *err)
{
    uint8_t start[YR_FILE_HEADER_BYTES];
    uint8_t unused[YR_FILE_HEADER_BYTES];
    yr_manifest spare;
    bool is_missing = false;
    yore_error why = YORE_ERROR_INIT;
    yore_status status = load_named(place, YR_WAL_MANIFEST_NAME, start, out, &is_missing, &why);
    if (status < 0 && status != YORE_ERR_CORRUPT && err) *err = why;
    if (status != YORE_ERR_CORRUPT) return status;
    bool has_spare = !is_missing &&
                     load_named(place, YR_WAL_MANIFEST_SPARE, unused, &spare, NULL, NULL) == YORE_OK;
    if (has_spare && manifest_is_current(place, &spare, start)) {
        *out = spare;
        out->is_spare = true;
        return YORE_OK;
    }
    if (has_spare) yr_manifest_deinit(&spare, place->env);
    yr_hint(&why, "yore check --salvage NEW");
    if (err) *err = why;
    return status;
}

yore_status yr_manifest_verify(const yr_wal_place *place, yore_error *err)
{
    uint8_t unused[YR_FILE_HEADER_BYTES];
    yr_manifest manifest;
    bool is_missing = false;
    yore_status status = load_named(place, YR_WAL_MANIFEST_NAME, unused, &manifest, NULL, err);
    if (status == YORE_OK) {
        yr_manifest_deinit(&manifest, place->env);
        status = load_named(place, YR_WAL_MANIFEST_SPARE, unused, &manifest, &is_missing, err);
        if (status == YORE_OK) yr_manifest_deinit(&manifest, place->env);
    }
    return is_missing ? YORE_OK : status; /* a copy there is no room for is no damage */
}

/* The temporary file, whole and synced. *poison: a sync failed for another reason than space. */
static yore_status write_tmp(const yr_wal_place *place, const char *name, yore_slice bytes, bool *poison,
                             yore_error *err)
{
    const yore_env *env = place->env;
    yore_file *file = NULL;
    int rc = env->unlink(env->ctx, place->dir, name);
    if (rc == 0 || rc == -ENOENT) {
        rc = env->open(env->ctx, place->dir, name, YORE_OPEN_WRITE | YORE_OPEN_CREATE | YORE_OPEN_EXCLUSIVE,
                       &file);
    }
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot make '%s/%s'", place->path, name);
    rc = yr_file_write_all(env, file, bytes.data, bytes.size, 0);
    if (rc == 0) {
        rc = YR_BUG(MANIFEST_NO_SYNC) ? 0 : env->sync(env->ctx, file);
        *poison = rc < 0 && !yr_errno_is_full(rc);
    }
    env->close(env->ctx, file);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot write '%s/%s'", place->path, name);
    return YORE_OK;
}

/* The copy, as good as it goes: see above. Its name is not synced; whichever it has after a power cut is whole. */
static void store_spare(const yr_wal_place *place, yore_slice bytes)
{
    const yore_env *env = place->env;
    bool unused;
    if (write_tmp(place, YR_WAL_SPARE_TMP, bytes, &unused, NULL) < 0 ||
        env->rename(env->ctx, place->dir, YR_WAL_SPARE_TMP, place->dir, YR_WAL_MANIFEST_SPARE) < 0) {
        (void)env->unlink(env->ctx, place->dir, YR_WAL_SPARE_TMP);
    }
}

/* The name the temporary file gets, durably. */
static yore_status put_in_place(const yr_wal_place *place, enum yr_manifest_outcome *outcome, yore_error *err)
{
    const yore_env *env = place->env;
    int rc = env->rename(env->ctx, place->dir, YR_WAL_MANIFEST_TMP, place->dir, YR_WAL_MANIFEST_NAME);
    if (rc < 0) {
        if (yr_errno_is_full(rc)) {
            (void)env->unlink(env->ctx, place->dir, YR_WAL_MANIFEST_TMP);
        } else {
            *outcome = YR_MANIFEST_UNKNOWN;
        }
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot replace '%s/%s'", place->path,
                             YR_WAL_MANIFEST_NAME);
    }
    *outcome = YR_MANIFEST_UNKNOWN;
    rc = YR_BUG(MANIFEST_NO_DIR_SYNC) ? 0 : yr_wal_dir_sync(place);
    if (rc < 0) {
        (void)yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot sync directory '%s'", place->path);
        if (err) err->code = YORE_ERR_IO; /* not "full": the caller cannot go on */
        return YORE_ERR_IO;
    }
    *outcome = YR_MANIFEST_NEW;
    return YORE_OK;
}

yore_status yr_manifest_store(const yr_wal_place *place, yr_manifest *manifest,
                              enum yr_manifest_outcome *outcome, yore_error *err)
{
    const yore_env *env = place->env;
    *outcome = YR_MANIFEST_SAME;
    yr_manifest_fixed fixed = {
        .next_id = manifest->next_id,
        .durable_lsn = manifest->durable_lsn,
        .count = manifest->count,
        .start_id = manifest->start_id,
        .start_lsn = manifest->start_lsn,
        .start_chain = manifest->start_chain,
        .state = manifest->state,
        .header = {.major = YR_FORMAT_MAJOR, .kind = YR_FILE_MANIFEST, .file_id = manifest->generation + 1}};
    memcpy(fixed.header.uuid, manifest->uuid, YR_UUID_BYTES);
    int rc = env->random(env->ctx, fixed.header.salt, YR_SALT_BYTES);
    if (rc < 0)
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot get random bytes for '%s'", YR_WAL_MANIFEST_NAME);

    size_t size = (size_t)yr_manifest_bytes(manifest->count, manifest->state.file_count);
    uint8_t *bytes = yr_alloc(env, size);
    if (!bytes)
        return yr_fail(err, YORE_ERR_NOMEM, "no memory to write '%s/%s'", place->path, YR_WAL_MANIFEST_NAME);
    yr_manifest_encode(&fixed, manifest->entries, bytes);
    const char *why;
    YR_ASSERT(yr_manifest_decode((yore_slice){bytes, size}, &fixed, &why) == YR_HEADER_OK);
    bool poison = false;
    yore_slice whole = {bytes, size};
    yore_status status = write_tmp(place, YR_WAL_MANIFEST_TMP, whole, &poison, err);
    if (status < 0) {
        (void)env->unlink(env->ctx, place->dir, YR_WAL_MANIFEST_TMP);
        if (poison) *outcome = YR_MANIFEST_UNKNOWN;
    } else {
        status = put_in_place(place, outcome, err);
    }
    if (status == YORE_OK) {
        store_spare(place, whole);
        manifest->generation++;
        manifest->is_spare = false;
        memcpy(manifest->salt, fixed.header.salt, YR_SALT_BYTES);
    }
    yr_free(env, bytes, size);
    return status;
}

void yr_manifest_renew_spare(const yr_wal_place *place, const yr_manifest *manifest)
{
    const yore_env *env = place->env;
    uint8_t unused[YR_FILE_HEADER_BYTES];
    yr_manifest spare;
    if (load_named(place, YR_WAL_MANIFEST_SPARE, unused, &spare, NULL, NULL) == YORE_OK) {
        bool same = spare.generation == manifest->generation &&
                    memcmp(spare.salt, manifest->salt, YR_SALT_BYTES) == 0;
        yr_manifest_deinit(&spare, env);
        if (same) return;
    }
    size_t size = 0;
    uint8_t *bytes = NULL;
    yore_file *file = NULL;
    if (env->open(env->ctx, place->dir, YR_WAL_MANIFEST_NAME, 0, &file) < 0) return;
    int64_t n = env->size(env->ctx, file);
    if (n > 0) {
        size = (size_t)n;
        bytes = yr_alloc(env, size);
    }
    if (bytes && yr_file_read_all(env, file, bytes, size, 0) == n)
        store_spare(place, (yore_slice){bytes, size});
    yr_free(env, bytes, size);
    env->close(env->ctx, file);
}
