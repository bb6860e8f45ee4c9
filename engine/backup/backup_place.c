/* Paths, options and progress: what all of the calls share. */
#include <errno.h>

#include "engine/backup/backup_private.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

#define NAME_MAX_BYTES 200u /* leaves room for what temporary names add */

yore_status yr_backup_options_check(const yore_backup_options **options, const yore_backup_info *out,
                                    yore_error *err)
{
    static const yore_backup_options defaults = YORE_BACKUP_OPTIONS_INIT;
    if (!*options) *options = &defaults;
    if ((*options)->struct_size != sizeof defaults) {
        return yr_fail(err, YORE_ERR_MISUSE,
                       "backup options are not initialised with YORE_BACKUP_OPTIONS_INIT");
    }
    return out ? yr_out_check(out->struct_size, sizeof *out, err) : YORE_OK;
}

const yore_env *yr_backup_env(const yore_backup_options *options)
{
    return options->env ? options->env : yore_env_default();
}

yore_status yr_backup_progress(const yore_backup_options *options, uint64_t done, uint64_t total,
                               yore_error *err)
{
    if (!options->progress || options->progress(options->progress_arg, done, total) == 0) return YORE_OK;
    return yr_fail(err, YORE_ERR_CANCELLED, "stopped after %llu of %llu commits", (unsigned long long)done,
                   (unsigned long long)total);
}

static bool is_name(const char *name, size_t size)
{
    return size > 0 && size <= NAME_MAX_BYTES && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

yore_status yr_backup_place_init(yr_backup_place *place, const yore_env *env, const char *path,
                                 yore_error *err)
{
    *place = (yr_backup_place){.env = env, .path = path ? path : ""};
    size_t end = strlen(place->path);
    while (end > 1 && path[end - 1] == '/') end--;
    size_t name_at = end;
    while (name_at > 0 && path[name_at - 1] != '/') name_at--;
    size_t parent_size = name_at;
    while (parent_size > 1 && path[parent_size - 1] == '/') parent_size--;

    place->text_bytes = parent_size + (end - name_at) + 3; /* "." and two NULs */
    place->text = yr_alloc_zero(env, place->text_bytes);
    if (!place->text) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the path '%s'", place->path);
    char *name = place->text + (parent_size ? parent_size : 1) + 1;
    if (parent_size) memcpy(place->text, path, parent_size);
    if (!parent_size) place->text[0] = '.';
    if (end > name_at) memcpy(name, path + name_at, end - name_at);
    place->parent = place->text;
    place->name = name;
    if (!is_name(name, end - name_at)) {
        return yr_fail(err, YORE_ERR_INPUT, "'%s' does not end in a name of 1 to %u bytes", place->path,
                       NAME_MAX_BYTES);
    }
    int rc = env->dir_open(env->ctx, place->parent, 0, NULL, &place->dir);
    if (rc == -ENOENT || rc == -ENOTDIR) {
        place->dir = NULL;
        return yr_fail(err, YORE_ERR_NO_STORE, "no directory '%s' for '%s'", place->parent, place->path);
    }
    if (rc < 0) {
        place->dir = NULL;
        return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open the directory '%s'", place->parent);
    }
    return YORE_OK;
}

void yr_backup_place_deinit(yr_backup_place *place)
{
    if (place->dir) place->env->dir_close(place->env->ctx, place->dir);
    if (place->env) yr_free(place->env, place->text, place->text_bytes);
    *place = (yr_backup_place){0};
}

yore_status yr_backup_place_is_free(const yr_backup_place *place, yore_error *err)
{
    const yore_env *env = place->env;
    yore_file *file = NULL;
    int rc = env->open(env->ctx, place->dir, place->name, 0, &file);
    if (rc == 0) env->close(env->ctx, file);
    if (rc == -ENOENT) return YORE_OK;
    bool is_there = rc == 0 || rc == -EINVAL || rc == -ELOOP || rc == -EACCES || rc == -ENXIO ||
                    rc == -EISDIR;
    if (is_there) return yr_fail(err, YORE_ERR_EXISTS, "there is something at '%s' already", place->path);
    return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot look at '%s'", place->path);
}
