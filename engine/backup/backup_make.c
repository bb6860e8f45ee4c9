/* Making backups, and reading what they say of themselves. */
#include <errno.h>
#include <inttypes.h>

#include "engine/backup/backup_private.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

#define PROGRESS_COMMITS 1024u
#define PROGRESS_BYTES ((size_t)1 << 20)

/* -- make -- */

static yore_status not_our_base(yore_error *err, const yr_backup_file *base, const char *why)
{
    yr_fail(err, YORE_ERR_REFUSED, "'%s' is not a base of this store's backup: %s", base->path, why);
    yr_hint(err, "make a full backup, without a base");
    return YORE_ERR_REFUSED;
}

/* Is the base of this store's history up to its end? By the store's id and the commit that the base ends in: after a
 * power cut, or in a copy that went on alone, that version may be another commit. */
static yore_status check_base(yore_db *db, const yr_backup_file *base, uint64_t visible, yore_error *err)
{
    const yr_backup_manifest *manifest = &base->manifest;
    uint8_t hash[YR_HASH128_BYTES];
    if (memcmp(manifest->uuid, db->report.uuid, YR_UUID_BYTES) != 0)
        return not_our_base(err, base, "it was made of another store");
    if (manifest->last_version > visible)
        return not_our_base(err, base, "it holds commits that this store does not have");
    yr_backup_source source;
    yr_backup_source_init(&source, db, manifest->last_version - 1);
    yore_status status = yr_backup_source_next(&source, err);
    if (status == YORE_OK) {
        yr_hash128_of(source.frame.data, source.frame.size, hash);
        if (memcmp(hash, manifest->last_hash, sizeof hash) != 0)
            status =
                not_our_base(err, base, "its last commit is another one than this store's of that version");
    }
    yr_backup_source_deinit(&source);
    return status;
}

static yore_status open_base(yore_db *db, const char *path, uint64_t visible, yr_backup_file *base,
                             yore_error *err)
{
    yr_backup_place place;
    yore_status status = yr_backup_place_init(&place, db->env, path, err);
    if (status == YORE_OK)
        status = yr_backup_file_open(base, &yr_sort_backup, db->env, place.dir, place.name, path, err);
    yr_backup_place_deinit(&place);
    if (status < 0) return status;
    yr_backup_file_close(base);
    return check_base(db, base, visible, err);
}

/* Every commit up to `last` into the file; progress counts from the first. */
static yore_status write_commits(yr_backup_writer *writer, yr_backup_source *source,
                                 const yore_backup_options *options, uint64_t last, yore_error *err)
{
    uint64_t before = source->version, told = before;
    size_t bytes = 0;
    yore_status status = yr_backup_progress(options, 0, last - before, err);
    while (status == YORE_OK && source->version < last) {
        status = yr_backup_source_next(source, err);
        if (status == YORE_OK)
            status = yr_backup_writer_put(writer, source->frame.data, source->frame.size, err);
        if (status < 0) break;
        writer->manifest.rows += source->frame_rows;
        bytes += source->frame.size;
        if (source->version - told < PROGRESS_COMMITS && bytes < PROGRESS_BYTES && source->version < last)
            continue;
        told = source->version;
        bytes = 0;
        status = yr_backup_progress(options, told - before, last - before, err);
    }
    if (status == YORE_OK && last > before)
        yr_hash128_of(source->frame.data, source->frame.size, writer->manifest.last_hash);
    return status;
}

static yore_status make(yore_db *db, const char *dest, const yore_backup_options *options,
                        yr_backup_writer *writer, yore_error *err)
{
    yr_backup_manifest *manifest = &writer->manifest;
    yr_backup_file base = {0};
    uint64_t visible = yr_store_visible(&db->store);
    yore_status status = options->base ? open_base(db, options->base, visible, &base, err) : YORE_OK;
    if (status < 0) return status;
    if (options->base) {
        memcpy(manifest->base_id, base.header.salt, YR_SALT_BYTES);
        memcpy(manifest->base_hash, base.manifest.hash, YR_HASH128_BYTES);
        memcpy(manifest->last_hash, base.manifest.last_hash,
               YR_HASH128_BYTES); /* stays when nothing is new */
    }
    manifest->first_version = writer->header.file_id = base.manifest.last_version + 1;
    manifest->last_version = visible;
    status = yr_db_commit_time(db, visible, &manifest->last_time_ns, err);
    if (status < 0) return status;
    manifest->created_ns = db->env->wall_ns(db->env->ctx);
    memcpy(writer->header.uuid, db->report.uuid, YR_UUID_BYTES);
    status = yr_backup_writer_begin(writer, &yr_sort_backup, db->env, dest, err);
    if (status < 0) return status;
    yr_backup_source source;
    yr_backup_source_init(&source, db, base.manifest.last_version);
    status = write_commits(writer, &source, options, visible, err);
    yr_backup_source_deinit(&source);
    return status == YORE_OK ? yr_backup_writer_finish(writer, err) : status;
}

yore_status yore_backup_make(yore_db *db, const char *dest, const yore_backup_options *options,
                             yore_backup_info *out, yore_error *err)
{
    if (!db || !dest) return yr_fail(err, YORE_ERR_MISUSE, "a store and a path for its backup are needed");
    yore_status status = yr_backup_options_check(&options, out, err);
    if (status == YORE_OK) status = yr_db_usable(db, err);
    if (status < 0) return status;
    yr_backup_writer *writer = yr_alloc_zero(db->env, sizeof *writer);
    if (!writer) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the backup '%s'", dest);
    status = make(db, dest, options, writer, err);
    if (status == YORE_OK && out) {
        const yr_backup_file made = {.header = writer->header, .manifest = writer->manifest};
        yr_backup_info_fill(&made, out);
    }
    yr_backup_writer_abandon(writer);
    yr_free(db->env, writer, sizeof *writer);
    return status;
}

/* -- info and list -- */

yore_status yore_backup_info_get(const char *path, const yore_backup_options *options, yore_backup_info *out,
                                 yore_error *err)
{
    yr_backup_place place;
    yr_backup_file file;
    if (!path || !out)
        return yr_fail(err, YORE_ERR_MISUSE, "the path of a backup and a place for its facts are needed");
    yore_status status = yr_backup_options_check(&options, out, err);
    if (status < 0) return status;
    const yore_env *env = yr_backup_env(options);
    status = yr_backup_place_init(&place, env, path, err);
    if (status == YORE_OK)
        status = yr_backup_file_open(&file, &yr_sort_backup, env, place.dir, place.name, path, err);
    if (status == YORE_OK) {
        yr_backup_info_fill(&file, out);
        yr_backup_file_close(&file);
    }
    yr_backup_place_deinit(&place);
    return status;
}

typedef struct listing {
    const yore_env *env;
    yore_dir *dir;
    yore_backup_each each;
    void *arg;
} listing;

static int list_one(void *arg, const char *name)
{
    const listing *list = arg;
    yr_backup_file file;
    yore_backup_info info;
    yore_error why = YORE_ERROR_INIT;
    uint8_t id[YR_SALT_BYTES];
    size_t size = strlen(name);
    if (size > 4 && strcmp(name + size - 4, ".tmp") == 0) return 0; /* being made, or left */
    if (!yr_backup_file_peek(list->env, list->dir, name, id)) return 0;
    yore_status status = yr_backup_file_open(&file, &yr_sort_backup, list->env, list->dir, name, name, &why);
    if (status < 0) return list->each(list->arg, name, NULL, &why);
    yr_backup_info_fill(&file, &info);
    yr_backup_file_close(&file);
    return list->each(list->arg, name, &info, NULL);
}

yore_status yore_backup_list(const char *dir, const yore_backup_options *options, yore_backup_each each,
                             void *arg, yore_error *err)
{
    if (!dir || !each)
        return yr_fail(err, YORE_ERR_MISUSE, "a directory and a function for its backups are needed");
    yore_status status = yr_backup_options_check(&options, NULL, err);
    if (status < 0) return status;
    const yore_env *env = yr_backup_env(options);
    listing list = {.env = env, .each = each, .arg = arg};
    int rc = env->dir_open(env->ctx, dir, 0, NULL, &list.dir);
    if (rc == -ENOENT || rc == -ENOTDIR) return yr_fail(err, YORE_ERR_NO_STORE, "no directory '%s'", dir);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open the directory '%s'", dir);
    rc = env->dir_list(env->ctx, list.dir, list_one, &list);
    env->dir_close(env->ctx, list.dir);
    return rc < 0 ? yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot list '%s'", dir) : YORE_OK;
}
