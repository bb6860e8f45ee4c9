/* A backup and the bases it stands on, found by their ids: beside it, and in the place of options->base. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/backup/backup_private.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

#define CHAIN_MAX 65536u

/* A backup file that was met in one of the directories. */
typedef struct known_file {
    uint8_t id[YR_SALT_BYTES];
    uint32_t dir;
    char *path; /* owned, "dir/name" */
    size_t path_bytes;
    const char *name; /* in path */
} known_file;

typedef struct chain_dir {
    yore_dir *dir;
    char *path; /* owned */
    size_t path_bytes;
} chain_dir;

/* One of the chain: closed, only its facts are kept. */
typedef struct chain_file {
    yr_backup_file file;
    size_t known; /* where it is */
} chain_file;

/* files[0] is the backup itself, the last one the full backup. */
struct yr_backup_chain {
    const yore_env *env;
    chain_dir dirs[2];
    uint32_t dir_count;
    known_file *known;
    size_t known_count, known_capacity;
    chain_file *files;
    uint32_t count, capacity;
    bool out_of_memory; /* while listing */
};

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the bases of a backup");
}

/* -- what is there -- */

static bool grow_known(yr_backup_chain *chain)
{
    if (chain->known_count < chain->known_capacity) return true;
    size_t capacity = chain->known_capacity ? 2 * chain->known_capacity : 16;
    known_file *known =
        yr_realloc(chain->env, chain->known, chain->known_capacity * sizeof *known, capacity * sizeof *known);
    if (!known) return false;
    chain->known = known;
    chain->known_capacity = capacity;
    return true;
}

static bool add_known(yr_backup_chain *chain, const char *dir_path, const char *name, uint32_t dir,
                      const uint8_t id[YR_SALT_BYTES])
{
    if (!grow_known(chain)) return false;
    size_t dir_size = strcmp(dir_path, ".") == 0 ? 0 : strlen(dir_path) + 1;
    known_file file = {.dir = dir, .path_bytes = dir_size + strlen(name) + 1};
    file.path = yr_alloc(chain->env, file.path_bytes);
    if (!file.path) return false;
    if (dir_size) (void)snprintf(file.path, file.path_bytes, "%s/", dir_path);
    file.name = file.path + dir_size;
    memcpy(file.path + dir_size, name, strlen(name) + 1);
    memcpy(file.id, id, YR_SALT_BYTES);
    chain->known[chain->known_count++] = file;
    return true;
}

static int note_name(void *arg, const char *name)
{
    yr_backup_chain *chain = arg;
    uint32_t dir = chain->dir_count - 1;
    uint8_t id[YR_SALT_BYTES];
    if (!yr_backup_file_peek(chain->env, chain->dirs[dir].dir, name, id)) return 0;
    chain->out_of_memory = !add_known(chain, chain->dirs[dir].path, name, dir, id);
    return chain->out_of_memory;
}

/* Take over a directory handle. */
static yore_status add_dir(yr_backup_chain *chain, yore_dir *dir, const char *path, yore_error *err)
{
    chain_dir *to = &chain->dirs[chain->dir_count++];
    to->dir = dir;
    to->path_bytes = strlen(path) + 1;
    to->path = yr_alloc(chain->env, to->path_bytes);
    if (!to->path) return no_memory(err);
    memcpy(to->path, path, to->path_bytes);
    return YORE_OK;
}

static yore_status list_dir(yr_backup_chain *chain, yore_error *err)
{
    const yore_env *env = chain->env;
    const chain_dir *dir = &chain->dirs[chain->dir_count - 1];
    int rc = env->dir_list(env->ctx, dir->dir, note_name, chain);
    if (chain->out_of_memory) return no_memory(err);
    return rc < 0 ? yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot list '%s'", dir->path) : YORE_OK;
}

/* A further directory of bases: `base` itself, or where it is. */
static yore_status list_base(yr_backup_chain *chain, const char *base, yore_error *err)
{
    const yore_env *env = chain->env;
    yore_dir *dir = NULL;
    yr_backup_place place = {0};
    yore_status status;
    if (env->dir_open(env->ctx, base, 0, NULL, &dir) == 0) {
        status = add_dir(chain, dir, base, err);
    } else {
        status = yr_backup_place_init(&place, env, base, err);
        if (status == YORE_OK) {
            dir = place.dir;
            place.dir = NULL; /* the chain's now */
            status = add_dir(chain, dir, place.parent, err);
        }
        yr_backup_place_deinit(&place);
    }
    return status == YORE_OK ? list_dir(chain, err) : status;
}

/* -- the chain -- */

static bool grow_chain(yr_backup_chain *chain)
{
    if (chain->count < chain->capacity) return true;
    uint32_t capacity = chain->capacity ? 2 * chain->capacity : 16;
    chain_file *files =
        yr_realloc(chain->env, chain->files, chain->capacity * sizeof *files, capacity * sizeof *files);
    if (!files) return false;
    chain->files = files;
    chain->capacity = capacity;
    return true;
}

/* Is `base` what `file` was made on? NULL, or what is wrong. */
static const char *judge_base(const yr_backup_file *file, const yr_backup_file *base)
{
    const yr_backup_manifest *above = &file->manifest, *below = &base->manifest;
    if (memcmp(above->base_hash, below->hash, sizeof below->hash) != 0)
        return "its base is not the one it was made on";
    if (memcmp(above->uuid, below->uuid, sizeof below->uuid) != 0) return "its base is of another store";
    if (above->first_version != below->last_version + 1) return "its base does not end where it begins";
    if (above->last_version == below->last_version &&
        (memcmp(above->last_hash, below->last_hash, sizeof below->last_hash) != 0 ||
         above->last_time_ns != below->last_time_ns)) {
        return "its base does not end in the commit it names";
    }
    return NULL;
}

static void hex_of(const uint8_t *id, char out[2 * YR_SALT_BYTES + 1])
{
    for (size_t i = 0; i < YR_SALT_BYTES; i++) (void)snprintf(out + 2 * i, 3, "%02x", id[i]);
}

/* Add the base of the last file. Of several files of its id the first one that fits. */
static yore_status add_base(yr_backup_chain *chain, yore_error *err)
{
    const yr_backup_file *above;
    yore_status status = YORE_OK;
    bool found = false;
    if (chain->count == CHAIN_MAX)
        return yr_fail(err, YORE_ERR_LIMIT, "backup '%s' stands on too many bases",
                       chain->files[0].file.path);
    if (!grow_chain(chain)) return no_memory(err);
    above = &chain->files[chain->count - 1].file;
    for (size_t i = 0; i < chain->known_count; i++) {
        const known_file *known = &chain->known[i];
        if (memcmp(known->id, above->manifest.base_id, YR_SALT_BYTES) != 0) continue;
        yr_backup_file file;
        yore_status opened = yr_backup_file_open(&file, &yr_sort_backup, chain->env,
                                                 chain->dirs[known->dir].dir, known->name, known->path,
                                                 found ? NULL : err);
        yr_backup_file_close(&file);
        const char *problem = opened == YORE_OK ? judge_base(above, &file) : NULL;
        if (opened == YORE_OK && !problem) {
            chain->files[chain->count++] = (chain_file){.file = file, .known = i};
            return YORE_OK;
        }
        if (problem && !found)
            opened =
                yr_fail(err, YORE_ERR_CORRUPT, "backup '%s': %s ('%s')", above->path, problem, known->path);
        if (!found) status = opened;
        found = true;
    }
    if (found) return status;
    char id[2 * YR_SALT_BYTES + 1];
    hex_of(above->manifest.base_id, id);
    yr_fail(err, YORE_ERR_NO_STORE, "the base of backup '%s' is not there: the one with id %s", above->path,
            id);
    yr_hint(err, "put it beside the backup, or name its place with `--base`");
    return YORE_ERR_NO_STORE;
}

static yore_status open_first(yr_backup_chain *chain, const char *path, yore_error *err)
{
    yr_backup_place place;
    yr_backup_file file;
    yore_status status = yr_backup_place_init(&place, chain->env, path, err);
    if (status == YORE_OK)
        status =
            yr_backup_file_open(&file, &yr_sort_backup, chain->env, place.dir, place.name, place.path, err);
    if (status == YORE_OK) {
        yr_backup_file_close(&file);
        yore_dir *dir = place.dir;
        place.dir = NULL; /* the chain's now */
        status = add_dir(chain, dir, place.parent, err);
        if (status == YORE_OK &&
            (!grow_chain(chain) || !add_known(chain, place.parent, place.name, 0, file.header.salt))) {
            status = no_memory(err);
        }
    }
    if (status == YORE_OK) {
        file.path = chain->known[0].path;
        chain->files[chain->count++] = (chain_file){.file = file, .known = 0};
    }
    yr_backup_place_deinit(&place);
    return status;
}

yore_status yr_backup_chain_open(const char *path, const yore_backup_options *options, yr_backup_chain **out,
                                 yore_error *err)
{
    const yore_env *env = yr_backup_env(options);
    yr_backup_chain *chain = yr_alloc_zero(env, sizeof *chain);
    if (!chain) return no_memory(err);
    chain->env = env;
    yore_status status = open_first(chain, path, err);
    bool is_alone = status == YORE_OK && yr_backup_is_full(&chain->files[0].file.manifest);
    if (status == YORE_OK && !is_alone) status = list_dir(chain, err);
    if (status == YORE_OK && !is_alone && options->base) status = list_base(chain, options->base, err);
    while (status == YORE_OK && !yr_backup_is_full(&chain->files[chain->count - 1].file.manifest)) {
        status = add_base(chain, err);
    }
    if (status < 0) {
        yr_backup_chain_close(chain);
        return status;
    }
    *out = chain;
    return YORE_OK;
}

void yr_backup_chain_close(yr_backup_chain *chain)
{
    if (!chain) return;
    const yore_env *env = chain->env;
    for (size_t i = 0; i < chain->known_count; i++)
        yr_free(env, chain->known[i].path, chain->known[i].path_bytes);
    for (uint32_t i = 0; i < chain->dir_count; i++) {
        env->dir_close(env->ctx, chain->dirs[i].dir);
        yr_free(env, chain->dirs[i].path, chain->dirs[i].path_bytes);
    }
    yr_free(env, chain->known, chain->known_capacity * sizeof *chain->known);
    yr_free(env, chain->files, chain->capacity * sizeof *chain->files);
    yr_free(env, chain, sizeof *chain);
}

void yr_backup_chain_info(const yr_backup_chain *chain, yore_backup_info *out)
{
    yr_backup_info_fill(&chain->files[0].file, out);
    for (uint32_t i = 1; i < chain->count; i++) {
        yore_backup_info base;
        yr_backup_info_fill(&chain->files[i].file, &base);
        out->files++;
        out->commits += base.commits;
        out->rows += base.rows;
        out->raw_bytes += base.raw_bytes;
        out->file_bytes += base.file_bytes;
    }
}

yore_status yr_backup_chain_run(const yr_backup_chain *chain, const yore_backup_options *options,
                                yr_backup_sink sink, void *arg, yore_error *err)
{
    yr_backup_reader reader;
    yore_status status = yr_backup_reader_init(&reader, chain->env, err);
    reader.options = options;
    reader.total = chain->files[0].file.manifest.last_version;
    reader.sink = sink;
    reader.sink_arg = arg;
    for (uint32_t i = chain->count; status == YORE_OK && i-- > 0;) {
        const known_file *known = &chain->known[chain->files[i].known];
        yr_backup_file file;
        status = yr_backup_file_open(&file, &yr_sort_backup, chain->env, chain->dirs[known->dir].dir,
                                     known->name, known->path, err);
        if (status == YORE_OK &&
            memcmp(file.manifest.hash, chain->files[i].file.manifest.hash, sizeof file.manifest.hash) != 0) {
            status =
                yr_fail(err, YORE_ERR_CORRUPT, "backup '%s' was replaced while it was read", known->path);
        }
        if (status == YORE_OK) status = yr_backup_reader_run(&reader, &file, err);
        yr_backup_file_close(&file);
    }
    yr_backup_reader_deinit(&reader);
    return status;
}
