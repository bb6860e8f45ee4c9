/* The judge of what a script made beside its store: backups, bundles, restored and salvaged stores. */
#include <string.h>

#include "tests/crash/store_scripts.h"

static bool is_there(const yr_sim *disk, const char *path)
{
    return yr_sim_image_find(yr_sim_image_of(disk), YR_SIM_ROOT, path) != YR_SIM_NONE;
}

static yore_status open_made(const script_made *made, yr_sim *disk, yore_db **db)
{
    yore_backup_options backup = YORE_BACKUP_OPTIONS_INIT;
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    options.env = backup.env = yr_sim_env(disk);
    options.read_only = true;
    options.memory_bytes_max = 64 << 20;
    options.memory_budget = 16 << 20;
    if (made->kind == SCRIPT_STORE) return yore_open(made->path, &options, db, NULL);
    yore_status status = yore_backup_verify(made->path, &backup, NULL, NULL);
    return status == YORE_OK ? yore_backup_open(made->path, &backup, db, NULL) : status;
}

static const char *look_at_bundle(const script_made *made, yr_sim *disk)
{
    yore_bundle_options options = YORE_BUNDLE_OPTIONS_INIT;
    yore_bundle_info info = YORE_BUNDLE_INFO_INIT;
    options.env = yr_sim_env(disk);
    bool is_whole = yore_bundle_info_get(made->path, &options, &info, NULL) == YORE_OK;
    return is_whole && info.version == made->version ? NULL : "a bundle is there and not whole";
}

static const char *look_at(const script_run *run, const script_made *made, yr_sim *disk,
                           const yr_crash_point *point)
{
    yore_db *db;
    yore_stats stats = {.struct_size = sizeof stats};
    const char *wrong = NULL;
    if (!is_there(disk, made->path))
        return point->acked > made->behind ? "what was made beside the store is lost" : NULL;
    if (made->kind == SCRIPT_BUNDLE) return look_at_bundle(made, disk);
    if (open_made(made, disk, &db) != YORE_OK) return "what was made beside the store is there and not whole";
    if (yore_stats_get(db, &stats, NULL) != YORE_OK || stats.version != made->version) {
        wrong = "what was made beside the store has another number of commits";
    } else if (!script_shows(run, db, point, made->version)) {
        wrong = "what was made beside the store has other commits";
    } else if (yore_check(db, YORE_CHECK_DEEP, NULL, NULL) != YORE_OK) {
        wrong = "what was made beside the store does not pass its check";
    }
    yore_close(db);
    return wrong;
}

const char *script_look_at_made(const script_run *run, yr_sim *disk, const yr_crash_point *point)
{
    const char *wrong = NULL;
    for (uint32_t i = 0; i < run->made_count && !wrong; i++) wrong = look_at(run, &run->made[i], disk, point);
    return wrong;
}
