/* Erasing keys: every version, from everything that can be read and from the files. One commit says which keys, then
 * all segments are written anew without them, and the log that held them goes. */
#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/upkeep_private.h"

typedef struct erase_job {
    yore_db *db;
    yore_key key;            /* or the prefix */
    const yr_branch *branch; /* NULL: all of them */
    const yore_erase_options *options;
    yr_erase_record record;
    yore_erase_report report;
    uint32_t last_branch;  /* that had a key */
    uint64_t *value_files; /* that have values of the keys, in no order */
    uint32_t value_file_count, value_file_room;
} erase_job;

static bool is_meant(const erase_job *job, const yr_upkeep_row *row)
{
    yore_slice pattern = job->key.user;
    if (row->primitive != yr_key_primitive(job->key)) return false;
    if (job->options->prefix ? row->key.size < pattern.size : row->key.size != pattern.size) return false;
    return pattern.size == 0 || memcmp(row->key.data, pattern.data, pattern.size) == 0;
}

static bool wants_branch(void *arg, uint32_t id)
{
    const erase_job *job = arg;
    return !job->branch || job->branch->id == id;
}

/* Without its own versions the branch would show its parent's value, as if it had been there all the time. */
static yore_status refuse_risen(const erase_job *job, const yr_upkeep_row *row, yore_error *err)
{
    const yr_branch *branch = job->branch;
    bool shows = false;
    if (!branch || !branch->parent) return YORE_OK;
    yore_status status = yr_upkeep_shows_below(job->db, branch, row->primitive, row->key, &shows, err);
    if (status < 0 || !shows) return status;
    yr_fail(err, YORE_ERR_REFUSED,
            "erasing it on branch '%s' alone would let the value of its parent '%s' show",
            yr_branch_text(branch), yr_branch_text(branch->parent));
    yr_hint(err, "yore erase ... -b %s first, or --all-branches", yr_branch_text(branch->parent));
    return YORE_ERR_REFUSED;
}

/* The value goes with its file; what else is in there moves. */
static yore_status note_value_file(erase_job *job, uint64_t file_id, yore_error *err)
{
    const yore_env *env = job->db->env;
    for (uint32_t i = 0; i < job->value_file_count; i++)
        if (job->value_files[i] == file_id) return YORE_OK;
    if (job->value_file_count == job->value_file_room) {
        uint32_t room = job->value_file_room ? job->value_file_room * 2 : 16;
        uint64_t *grown =
            yr_realloc(env, job->value_files, job->value_file_room * sizeof *grown, room * sizeof *grown);
        if (!grown) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for an erasure");
        job->value_files = grown;
        job->value_file_room = room;
    }
    job->value_files[job->value_file_count++] = file_id;
    return YORE_OK;
}

static yore_status count_row(void *arg, const yr_upkeep_row *row, yore_error *err)
{
    erase_job *job = arg;
    if (!is_meant(job, row)) return YORE_OK;
    job->report.versions++;
    job->report.bytes += row->key.size + row->value_bytes;
    if (row->value_file) {
        yore_status status = note_value_file(job, row->value_file, err);
        if (status < 0) return status;
    }
    if (!row->is_newest) return YORE_OK;
    job->report.keys++;
    if (row->branch != job->last_branch) job->report.branches++;
    job->last_branch = row->branch;
    return refuse_risen(job, row, err);
}

static yore_status plan_erase(yr_store *store, yr_request *request, uint64_t version, int64_t wall_ns)
{
    const erase_job *job = request->plan_arg;
    (void)wall_ns;
    uint8_t *bytes = yr_arena_alloc(&store->scratch, YR_ERASE_KEY_BYTES + YR_ERASE_RECORD_BYTES);
    request->rows = yr_arena_alloc(&store->scratch, sizeof *request->rows);
    if (!bytes || !request->rows)
        return yr_fail(request->err, YORE_ERR_NOMEM, "out of memory for an erasure");
    yr_erase_key_encode(version, bytes);
    yr_erase_record_encode(&job->record, bytes + YR_ERASE_KEY_BYTES);
    request->rows[0] = (yr_row){.key = {bytes, YR_ERASE_KEY_BYTES},
                                .value = {bytes + YR_ERASE_KEY_BYTES, YR_ERASE_RECORD_BYTES},
                                .branch = YR_REGISTRY_BRANCH,
                                .primitive = YORE_SYSTEM,
                                .op = YORE_OP_PUT};
    request->row_count = 1;
    return YORE_OK;
}

static yore_status say(erase_job *job, yore_error *err)
{
    yore_where where = YORE_WHERE_INIT;
    const yore_env *env = job->db->env;
    uint64_t seed = 0;
    int failed = env->random(env->ctx, &seed, sizeof seed);
    if (failed) return yr_fail_errno(err, YORE_ERR_IO, -failed, "cannot get random bytes");
    job->record = (yr_erase_record){.branch = job->branch ? job->branch->id : 0,
                                    .primitive = yr_key_primitive(job->key),
                                    .is_prefix = job->options->prefix};
    yr_erase_record_make(&job->record, job->key.user, seed);
    yr_request request = {.err = err, .plan = plan_erase, .plan_arg = job, .kind = YORE_COMMIT_ERASE};
    yore_status status = yr_registry_commit(job->db, &request, YORE_SYNC_DEFAULT, &where);
    if (status == YORE_OK) job->report.version = where.version;
    return status;
}

/* What was written before is in segments by the time it is counted, so that the value files are known that it is in.
 * What is written until the erasure is committed may be in any that is made from now on. */
static yore_status settle(const erase_job *job, uint64_t *values_since, yore_error *err)
{
    yore_db *db = job->db;
    *values_since = 0;
    if (job->options->dry_run) return YORE_OK;
    if (!db->maintainer.store)
        return yr_fail(err, YORE_ERR_UNSUPPORTED,
                       "a store in memory cannot erase: it is gone when it is closed");
    yore_status status = yr_maintainer_flush(&db->maintainer, false, err);
    /* a merge under way may move values to a file whose number is drawn already */
    yr_mutex_lock(&db->maintainer.merging);
    *values_since = yr_wal_new_file_id(db->wal);
    yr_mutex_unlock(&db->maintainer.merging);
    return status;
}

static yore_status run(erase_job *job, yore_error *err)
{
    const yore_erase_options *options = job->options;
    uint64_t values_since;
    yore_status status = settle(job, &values_since, err);
    if (status == YORE_OK)
        status = yr_upkeep_rows(job->db, wants_branch, options->progress, options->progress_arg, count_row,
                                job, err);
    if (status < 0 || options->dry_run || job->report.versions == 0) return status;
    status = say(job, err);
    const yr_compact_all all = {.progress = options->progress,
                                .arg = options->progress_arg,
                                .value_files = job->value_files,
                                .value_file_count = job->value_file_count,
                                .value_files_since = values_since};
    if (status == YORE_OK) {
        yr_catalog_note_erased(job->db->store.catalog, job->report.version);
        status = yr_upkeep_compact(job->db, &all, err);
        yr_catalog_note_erased(job->db->store.catalog,
                               job->report.version); /* now searches find them no more */
    }
    return status;
}

yore_status yore_erase(yore_db *db, yore_slice branch, yore_key key, const yore_erase_options *options,
                       yore_erase_report *out, yore_error *err)
{
    static const yore_erase_options defaults = YORE_ERASE_OPTIONS_INIT;
    if (!options) options = &defaults;
    if (options->struct_size != sizeof *options || (out && out->struct_size != sizeof *out)) {
        return yr_fail(err, YORE_ERR_MISUSE,
                       "options and report of an erasure are not initialised with YORE_ERASE_..._INIT");
    }
    yore_status status = options->dry_run ? yr_db_usable(db, err) : yr_db_writable(db, err);
    if (status < 0) return status;
    if (yr_key_primitive(key) == YORE_SYSTEM)
        return yr_fail(err, YORE_ERR_REFUSED, "what the system keeps cannot be erased");
    bool is_empty_prefix = options->prefix && key.user.size == 0;
    status = is_empty_prefix ? YORE_OK : yr_key_check(key, err);
    erase_job job = {.db = db, .key = key, .options = options, .report = YORE_ERASE_REPORT_INIT};
    if (status == YORE_OK && !options->all_branches) {
        job.branch = yr_db_branch(db, branch, err);
        if (!job.branch) status = YORE_ERR_NO_BRANCH;
    }
    if (status == YORE_OK) status = run(&job, err);
    yr_free(db->env, job.value_files, job.value_file_room * sizeof *job.value_files);
    if (status == YORE_OK && out) *out = job.report;
    return status;
}
