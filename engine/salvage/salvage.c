/* Salvaging: from a damaged store to a new one. */
#include <errno.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/salvage/salvage_private.h"

#define CACHE_BYTES (UINT64_C(16) << 20)

/* -- what the parts share -- */

yore_status yr_salvage_no_memory(const yr_salvage *s, yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory while salvaging '%s'", s->path);
}

void yr_salvage_tell(yr_salvage *s, const yore_salvage_loss *loss)
{
    s->report.damages++;
    if (s->options->loss) s->options->loss(s->options->loss_arg, loss);
}

bool yr_salvage_note_range(yr_salvage *s, uint64_t after, uint64_t last)
{
    const yr_salvage_range range = {after, last};
    return yr_buf_append(&s->damaged, &range, sizeof range);
}

/* -- -- */

/* Is a writer at work? Only looked at: nothing in the directory is changed. */
static yore_status check_lock(const yr_salvage *s, yore_error *err)
{
    const yore_env *env = s->env;
    yore_file *file;
    if (env->open(env->ctx, s->dir, YR_WAL_LOCK_NAME, 0, &file) < 0) return YORE_OK;
    int rc = env->lock_test(env->ctx, file);
    env->close(env->ctx, file);
    if (rc != YORE_LOCK_HELD) return YORE_OK;
    return yr_fail(err, YORE_ERR_LOCKED, "a writer has '%s' open: it is not salvaged meanwhile", s->path);
}

static yore_status begin(yr_salvage *s, yore_error *err)
{
    yr_buf *const lists[] = {&s->files,    &s->segments,       &s->logs,     &s->records,
                             &s->branches, &s->branch_records, &s->erasures, &s->damaged};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        yr_buf_init(lists[i], s->env, YR_SALVAGE_LIST_MAX);
    int rc = s->env->dir_open(s->env->ctx, s->path, 0, NULL, &s->dir);
    if (rc < 0) s->dir = NULL;
    if (rc == -ENOENT) return yr_fail(err, YORE_ERR_NO_STORE, "no store at '%s'", s->path);
    if (rc == -ENOTDIR || rc == -ELOOP)
        return yr_fail(err, YORE_ERR_NOT_STORE, "'%s' is not a directory, so not a store", s->path);
    if (rc < 0) return yr_fail_errno(err, YORE_ERR_IO, -rc, "cannot open the directory '%s'", s->path);
    yore_status status = check_lock(s, err);
    if (status == YORE_OK) status = yr_block_cache_create(s->env, CACHE_BYTES, &s->cache, err);
    if (status == YORE_OK) status = yr_decoders_create(s->env, &s->decoders, err);
    return status;
}

static void end(yr_salvage *s)
{
    const yore_env *env = s->env;
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->segments, yr_salvage_segment); i++)
        yr_run_unref(YR_SALVAGE_AT(s->segments, yr_salvage_segment, i)->run);
    for (uint32_t i = 0; i < YR_SALVAGE_COUNT(s->logs, yr_salvage_log_file); i++)
        env->close(env->ctx, YR_SALVAGE_AT(s->logs, yr_salvage_log_file, i)->opened.file);
    yr_value_set_unref(s->values);
    yr_wal_window_deinit(&s->window, env);
    yr_manifest_deinit(&s->manifest, env);
    if (s->decoders) yr_decoders_destroy(s->decoders);
    yr_block_cache_destroy(s->cache);
    if (s->dir) env->dir_close(env->ctx, s->dir);
    yr_buf *const lists[] = {&s->files,    &s->segments,       &s->logs,     &s->records,
                             &s->branches, &s->branch_records, &s->erasures, &s->damaged};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) yr_buf_deinit(lists[i]);
}

static yore_status read_all(yr_salvage *s, yr_store_maker *maker, yore_error *err)
{
    yore_status status = yr_salvage_find_files(s, err);
    if (status == YORE_OK) status = yr_salvage_open_files(s, err);
    if (status == YORE_OK) status = yr_salvage_read_logs(s, err);
    if (status == YORE_OK) status = yr_salvage_survey(s, err);
    if (status == YORE_OK) status = yr_salvage_build(s, maker, err);
    return status;
}

yore_status yore_salvage(const char *path, const char *new_path, const yore_salvage_options *options,
                         yore_salvage_report *out, yore_error *err)
{
    static const yore_salvage_options defaults = YORE_SALVAGE_OPTIONS_INIT;
    if (!path || !new_path)
        return yr_fail(err, YORE_ERR_MISUSE, "the path of a store and one for the new store are needed");
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options)
        return yr_fail(err, YORE_ERR_MISUSE,
                       "salvage options are not initialised with YORE_SALVAGE_OPTIONS_INIT");
    yr_salvage s = {
        .env = options->env ? options->env : yore_env_default(), .path = path, .options = options};
    yr_store_maker maker = {0};
    s.report.struct_size = sizeof s.report;
    yore_status status = begin(&s, err);
    if (status == YORE_OK) status = yr_store_maker_begin(&maker, s.env, new_path, err);
    if (status == YORE_OK) status = read_all(&s, &maker, err);
    if (status == YORE_OK) status = yr_store_maker_finish(&maker, err);
    yr_store_maker_abandon(&maker);
    s.report.complete = !s.is_unsure && s.report.rows_lost == 0 && s.report.commits_lost == 0 &&
                        s.report.branches_lost == 0 && s.report.log_records_lost == 0 &&
                        s.report.notes_lost == 0;
    if (status == YORE_OK && out) *out = s.report;
    end(&s);
    return status;
}
