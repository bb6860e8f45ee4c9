#include "engine/maintain/maintainer.h"

#include <errno.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/compact/survey.h"
#include "engine/maintain/install.h"
#include "engine/maintain/pressure.h"
#include "engine/maintain/value_move.h"
#include "engine/segment/value_collect.h"

enum {
    RETRY_NS = 100000000,    /* after a failure; doubled each time */
    RETRY_DOUBLINGS_MAX = 6, /* 6.4 s */
    WARM_TICK_NS = 50000000, /* how often to look whether hot segments are read often */
    WARM_READS = 2000,       /* blocks asked for before that */
    QUIET_NS = 1000000000,
    COLLECT_NS = 1000000,
    EVERY_BYTES_MAX = 8 << 20 /* a store that merges all it has after every flush: beyond this as others do */
};

static uint64_t new_file_id(void *arg)
{
    const yr_maintainer *m = arg;
    return yr_wal_new_file_id(m->wal);
}

void yr_maintainer_init(yr_maintainer *m, yr_store *store, yr_disk *disk, yr_wal *wal,
                        const yr_maintainer_options *options)
{
    m->store = store;
    m->disk = disk;
    m->wal = wal;
    m->options = *options;
    yr_mutex_init(&m->flushing, YR_RANK_MAINTAIN);
    yr_mutex_init(&m->merging, YR_RANK_MAINTAIN);
    yr_mutex_init(&m->install, YR_RANK_INSTALL);
    yr_mutex_init(&m->mutex, YR_RANK_BACKGROUND);
    yr_cond_init(&m->cond);
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed); /* a statistic */
}

/* One more, or one less under way. */
static void at_work(yr_maintainer *m, int by)
{
    atomic_fetch_add_explicit(&m->stats.at_work, (uint32_t)by, memory_order_relaxed); /* a statistic */
}

/* -- flushing -- */

/* The oldest frozen memtable. YORE_END when there is none. */
static yore_status flush_oldest(yr_maintainer *m, bool is_leading, yore_error *err)
{
    yr_mutex_lock(&m->flushing);
    yr_layers *layers = yr_store_layers_ref(m->store);
    yore_status status = YORE_END;
    if (layers->mem_count > 1) {
        const yore_env *env = m->store->env;
        yr_memtable *mem = layers->mems[layers->mem_count - 1];
        const yr_flush_options options = {.disk = m->disk,
                                          .hash_seed = m->store->secret,
                                          .last_version = mem->end.version,
                                          .new_file_id = new_file_id,
                                          .arg = m};
        yr_flush_files files;
        at_work(m, 1);
        int64_t began = env->monotonic_ns(env->ctx), waited_ns = 0;
        status = yr_flush(&options, mem, &files, err);
        if (status == YORE_OK) status = yr_install_flush(m, mem, &files, is_leading, &waited_ns, err);
        if (status == YORE_OK) {
            count(&m->stats.flushes, 1);
            count(&m->stats.flushed_bytes, files.segment.file_bytes + files.values.file_bytes);
            /* without the wait for a leader who sleeps because flushing is slow: that would feed itself */
            yr_pressure_measured(m, yr_memtable_bytes(mem), env->monotonic_ns(env->ctx) - began - waited_ns);
        }
        at_work(m, -1);
    }
    yr_layers_unref(layers);
    yr_mutex_unlock(&m->flushing);
    return status;
}

/* -- merging -- */

/* One job, from the plan to its effect. */
typedef struct job {
    yr_maintainer *m;
    yr_layers *layers; /* a reference */
    yr_arena arena;
    yr_keep_set keep;
    bool has_keep;
    yr_compact_plan plan;
    yr_compact_all asked; /* of a job that was asked for */
    uint64_t total_bytes; /* of the keys and values of all runs */
    yr_value_move move;
} job;

static yore_status on_progress(void *arg, const yr_merge_progress *progress, yore_error *err)
{
    const job *j = arg;
    const yr_compact_all *asked = &j->asked;
    bool is_stopped = asked->progress && asked->progress(asked->arg, progress->bytes_in, j->total_bytes);
    if (!is_stopped && !atomic_load_explicit(&j->m->cancel, memory_order_relaxed))
        return YORE_OK; /* a hint */
    return yr_fail(err, YORE_ERR_CANCELLED, "the merge of segments was interrupted");
}

static uint64_t job_file_id(void *arg)
{
    const job *j = arg;
    return yr_wal_new_file_id(j->m->wal);
}

/* Does a run below the inputs have any version of a key? */
static yore_status has_older(void *arg, yore_slice tree_key, bool *answer, yore_error *err)
{
    const job *j = arg;
    const uint8_t *key = tree_key.data;
    yore_slice user_key = yore_bytes(key + YR_TREE_KEY_PREFIX, tree_key.size - YR_TREE_KEY_PREFIX);
    uint32_t branch = yr_get_be32(key);
    uint64_t hash = yr_branch_hash(yr_layers_key_hash(j->layers, key[4], user_key), branch);
    *answer = false;
    for (uint32_t i = j->plan.last + 1; i < j->layers->run_count && !*answer; i++) {
        yr_segment_hit hit;
        yore_status status = yr_run_find(j->layers->runs[i], tree_key, hash, UINT64_MAX, &hit, err);
        if (status < 0) return status;
        *answer = status == YORE_OK;
        if (*answer) yr_segment_hit_release(&hit);
    }
    return YORE_OK;
}

/* Would the parent, as of the fork and its time, show a value? */
static yore_status shows_below(void *arg, uint32_t id, yore_slice tree_key, bool *answer, yore_error *err)
{
    const job *j = arg;
    const yr_store *store = j->m->store;
    const uint8_t *bytes = tree_key.data;
    const yr_branch *branch = yr_catalog_by_id(store->catalog, id);
    *answer = false;
    if (!branch || !branch->parent) return YORE_OK;
    yr_view view = yr_store_view(store, j->layers, branch->parent, branch->fork_version, 0);
    yore_status status = yr_layers_commit_time(j->layers, branch->fork_version, &view.time_ns, err);
    if (status < 0) return status;
    yr_lookup key = {.user_key = yore_bytes(bytes + YR_TREE_KEY_PREFIX, tree_key.size - YR_TREE_KEY_PREFIX),
                     .primitive = bytes[4]};
    key.key_hash = yr_layers_key_hash(j->layers, key.primitive, key.user_key);
    yr_found found;
    yr_epoch_enter();
    status = yr_lineage_find(&view, &key, &found, err);
    yr_epoch_exit();
    if (status != YORE_OK) return status < 0 ? status : YORE_OK;
    *answer = yr_found_is_visible(&found, view.time_ns);
    yr_found_release(&found);
    return YORE_OK;
}

static yore_status move_value(void *arg, yr_segment_row *row, yore_error *err)
{
    job *j = arg;
    return yr_value_move_row(&j->move, row, err);
}

static yr_merge_options merge_options(job *j)
{
    const yr_maintainer *m = j->m;
    yr_merge_options options = {.env = m->store->env,
                                .dir = m->disk->dir,
                                .build = {.hash_seed = m->store->secret,
                                          .form = j->plan.is_cold ? YR_SEGMENT_COLD : YR_SEGMENT_HOT,
                                          .level = j->plan.level},
                                .target_bytes = m->options.file_bytes,
                                .keep = j->has_keep ? &j->keep : NULL,
                                .is_bottom = j->plan.is_bottom,
                                .questions = {has_older, shows_below, j},
                                .new_file_id = job_file_id,
                                .move_value = move_value,
                                .progress = on_progress,
                                .arg = j};
    memcpy(options.build.uuid, m->disk->uuid, YR_UUID_BYTES);
    return options;
}

static yore_status run_job(job *j, bool is_leading, yore_error *err)
{
    yr_maintainer *m = j->m;
    const yore_env *env = m->store->env;
    int64_t began = env->monotonic_ns(env->ctx);
    const yr_compact_plan *plan = &j->plan;
    const yr_merge_options options = merge_options(j);
    yr_merge_result result = {0};
    bool is_merge = plan->kind == YR_COMPACT_MERGE;
    yore_status status =
        is_merge ? yr_merge_runs(&options, j->layers->runs + plan->first, plan->last - plan->first + 1,
                                 &result, err)
                 : yr_merge_one_file(&options, j->layers->runs[plan->first], plan->file, &result, err);
    if (status == YORE_OK) {
        status = yr_value_move_finish(&j->move, err);
        if (status < 0) yr_merge_result_remove(&options, &result);
        if (status < 0) yr_merge_result_deinit(m->store->env, &result);
    }
    if (status < 0) {
        yr_value_move_undo(&j->move);
        return status;
    }
    status = is_merge ? yr_install_merge(m, j->layers, plan->first, plan->last, &result, &j->move.made,
                                         plan->level, is_leading, err)
                      : yr_install_rewrite(m, j->layers, plan->first, plan->file, &result, plan->level,
                                           is_leading, err);
    if (status == YORE_OK) {
        count(&m->stats.compactions, 1);
        count(&m->stats.compacted_bytes, result.bytes_out);
        yr_layers *now = yr_store_layers_ref(m->store);
        yr_pressure_merged(m, plan->bytes, env->monotonic_ns(env->ctx) - began, now->run_count);
        yr_layers_unref(now);
    }
    yr_merge_result_deinit(m->store->env, &result);
    return status;
}

static yore_status job_begin(job *j, yr_maintainer *m, yore_error *err)
{
    *j = (job){.m = m};
    yr_mutex_lock(&m->merging);
    at_work(m, 1);
    yr_arena_init(&j->arena, m->store->env);
    yore_status status = YORE_OK;
    /* The rules before the layers: what they allow to drop, nobody can ask for by the time the layers are taken. */
    if (m->options.keep_rules) {
        status = m->options.keep_rules(m->options.arg, &j->arena, &j->keep, err);
        j->has_keep = status == YORE_OK;
    }
    j->layers = yr_store_layers_ref(m->store);
    return status;
}

static void job_end(job *j)
{
    yr_value_move_deinit(&j->move);
    yr_layers_unref(j->layers);
    yr_arena_deinit(&j->arena);
    at_work(j->m, -1);
    yr_mutex_unlock(&j->m->merging);
}

/* What the policy wants to know, in the job's arena. */
static yore_status survey(job *j, yr_compact_run **out, yore_error *err)
{
    uint32_t count = j->layers->run_count;
    yr_mutex_lock(&j->m->mutex);
    uint64_t rules_since = j->m->rules_since;
    yr_mutex_unlock(&j->m->mutex);
    yr_compact_run *runs = yr_arena_alloc(&j->arena, (count + 1) * sizeof *runs);
    if (!runs) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a plan of merges");
    for (uint32_t i = 0; i < count; i++) {
        const yr_run *run = j->layers->runs[i];
        uint32_t files = yr_run_file_count(run);
        yr_compact_file *file = yr_arena_alloc(&j->arena, files * sizeof *file);
        if (!file) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a plan of merges");
        yore_status status = yr_compact_survey(run, j->has_keep ? &j->keep : NULL, file, &runs[i], err);
        if (status < 0) return status;
        for (uint32_t k = 0; k < files; k++) {
            file[k].is_tried = yr_segment_header(yr_run_file(run, k))->file_id >= rules_since;
        }
    }
    *out = runs;
    return YORE_OK;
}

/* Everything into one. */
static yr_compact_plan plan_all(const yr_layers *layers)
{
    if (layers->run_count == 0) return (yr_compact_plan){.kind = YR_COMPACT_NOTHING};
    return (yr_compact_plan){.kind = YR_COMPACT_MERGE,
                             .last = layers->run_count - 1,
                             .level = 1,
                             .is_cold = true,
                             .is_bottom = true};
}

static uint64_t run_bytes(const yr_layers *layers)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < layers->run_count; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(layers->runs[i]); k++) {
            bytes += yr_segment_facts(yr_run_file(layers->runs[i], k))->file_bytes;
        }
    }
    return bytes;
}

/* One merge if the policy wants one. YORE_END when it wants none. */
static yore_status compact_once(yr_maintainer *m, bool is_leading, bool is_idle, yore_error *err)
{
    job j;
    yr_compact_run *runs = NULL;
    yore_status status = job_begin(&j, m, err);
    if (status == YORE_OK && m->options.every && run_bytes(j.layers) <= EVERY_BYTES_MAX) {
        j.plan = j.layers->run_count > 1 ? plan_all(j.layers) : (yr_compact_plan){.kind = YR_COMPACT_NOTHING};
        /* both forms get their share of the tests */
        j.plan.is_cold = atomic_load_explicit(&m->stats.compactions, memory_order_relaxed) % 2;
    } else if (status == YORE_OK) {
        status = survey(&j, &runs, err);
        yr_compact_options options = {
            .budget_bytes = UINT64_MAX / 4, .hot_bytes = m->options.image_bytes_max, .is_idle = is_idle};
        options.is_pressed = !is_idle &&
                             (j.layers->mem_count > 1 || j.layers->run_count > YR_COMPACT_RUNS_MAX);
        /* what fits in memory is soon merged, and fastest to read as one */
        if (run_bytes(j.layers) <= m->options.image_bytes_max) options.idle_runs = 1;
        if (status == YORE_OK) j.plan = yr_compact_next(runs, j.layers->run_count, &options);
    }
    if (status == YORE_OK)
        status = j.plan.kind == YR_COMPACT_NOTHING ? YORE_END : run_job(&j, is_leading, err);
    job_end(&j);
    return status;
}

/* -- images: hot segments that are read often are held in memory -- */

/* The first hot file that is not, and fits. False when there is none. */
static bool find_unloaded(const yr_maintainer *m, const yr_layers *layers, uint32_t *run, uint32_t *file)
{
    uint64_t left = m->options.image_bytes_max, held = yr_image_bytes(layers);
    left = held < left ? left - held : 0;
    for (uint32_t i = 0; i < layers->run_count; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(layers->runs[i]); k++) {
            const yr_segment *segment = yr_run_file(layers->runs[i], k);
            const yr_segment_footer *facts = yr_segment_facts(segment);
            if (facts->form != YR_SEGMENT_HOT || yr_segment_image_bytes(segment) || facts->file_bytes > left)
                continue;
            *run = i;
            *file = k;
            return true;
        }
    }
    return false;
}

static yore_status load_one(yr_maintainer *m, yore_error *err)
{
    yr_layers *layers = yr_store_layers_ref(m->store);
    uint32_t at, k;
    yore_status status = YORE_END;
    if (find_unloaded(m, layers, &at, &k)) {
        yr_run *run = layers->runs[at];
        yr_segment *segment = yr_run_file(run, k), *loaded;
        const yr_segment_footer *facts = yr_segment_facts(segment);
        yr_store_file file = {.file_id = yr_segment_header(segment)->file_id,
                              .run_id = yr_run_id(run),
                              .after_version = facts->after_version,
                              .last_version = facts->last_version,
                              .file_bytes = facts->file_bytes,
                              .kind = YR_FILE_SEGMENT,
                              .level = facts->level};
        memcpy(file.file_hash, facts->file_hash, YR_FILE_HASH_BYTES);
        status = yr_disk_open_segment(m->disk, &file, &m->cancel, &loaded, err);
        if (status == YORE_OK && !yr_run_promote(run, k, loaded)) yr_segment_close(loaded);
    }
    yr_layers_unref(layers);
    return status;
}

static bool is_read_often(const yr_maintainer *m)
{
    yr_block_cache_stats stats;
    yr_block_cache_stats_get(m->disk->cache, &stats);
    return stats.hits + stats.misses > WARM_READS;
}

static bool wants_loading(const yr_maintainer *m)
{
    yr_layers *layers = yr_store_layers_ref(m->store);
    uint32_t run, file;
    bool wants = find_unloaded(m, layers, &run, &file);
    yr_layers_unref(layers);
    return wants;
}

/* -- the threads -- */

/* Lists of layers that were replaced go when the readers of their time have left: soon. */
static void collect(yr_maintainer *m)
{
    const yore_env *env = m->store->env;
    for (int i = 0; i < 20; i++) {
        yr_store_lead(m->store);
        (void)yr_retire_collect(&m->store->retired);
        bool done = m->store->retired.count == 0;
        yr_store_unlead(m->store);
        if (done) return;
        env->sleep_ns(env->ctx, COLLECT_NS);
    }
}

static void note_trouble(yr_maintainer *m, yore_status status)
{
    uint32_t reason = status == YORE_ERR_FULL || status == YORE_ERR_IO ? YORE_STALL_DISK : YORE_STALL_NONE;
    atomic_store_explicit(&m->stats.stall_reason, reason, memory_order_relaxed); /* a statistic */
}

static int64_t retry_ns(uint32_t failures)
{
    uint32_t doublings = failures - 1 < RETRY_DOUBLINGS_MAX ? failures - 1 : RETRY_DOUBLINGS_MAX;
    return (int64_t)RETRY_NS << doublings;
}

static void run_flusher(void *arg)
{
    yr_maintainer *m = arg;
    uint32_t failures = 0;
    yr_mutex_lock(&m->mutex);
    while (!m->stop) {
        if (!m->flush_asked) {
            yr_cond_wait(&m->cond, &m->mutex);
            continue;
        }
        m->flush_asked = false;
        yr_mutex_unlock(&m->mutex);
        yore_status status;
        while ((status = flush_oldest(m, false, NULL)) == YORE_OK) {
            yr_mutex_lock(&m->mutex);
            m->compact_asked = true;
            yr_cond_broadcast(&m->cond);
            yr_mutex_unlock(&m->mutex);
        }
        collect(m);
        yr_mutex_lock(&m->mutex);
        failures = status < 0 ? failures + 1 : 0;
        if (status >= 0) continue;
        note_trouble(m, status);
        m->flush_asked = !yr_wal_is_poisoned(m->wal);
        if (!m->stop) yr_cond_wait_ns(&m->cond, &m->mutex, retry_ns(failures));
    }
    yr_mutex_unlock(&m->mutex);
}

static void run_compactor(void *arg)
{
    yr_maintainer *m = arg;
    bool may_load = true;
    /* Nothing was flushed for a while: time for what is not needed, but good to have; and when that is done, too. */
    bool is_quiet = false, is_settled = false;
    yr_mutex_lock(&m->mutex);
    while (!m->stop) {
        if (!m->compact_asked) {
            yr_mutex_unlock(&m->mutex);
            bool loading = may_load && wants_loading(m);
            bool loads = loading && is_read_often(m);
            if (loads) may_load = load_one(m, NULL) >= 0; /* a damaged one is for the read that meets it */
            yr_mutex_lock(&m->mutex);
            if (m->stop || m->compact_asked || loads) continue;
            if (loading) {
                yr_cond_wait_ns(&m->cond, &m->mutex, WARM_TICK_NS);
            } else if (is_settled || m->store->read_only) {
                yr_cond_wait(&m->cond, &m->mutex);
            } else {
                is_quiet = !yr_cond_wait_ns(&m->cond, &m->mutex, QUIET_NS) && !m->compact_asked;
                m->compact_asked |= is_quiet;
            }
            continue;
        }
        m->compact_asked = false;
        yr_mutex_unlock(&m->mutex);
        yore_status status = YORE_END;
        is_settled = is_quiet;
        while (!m->store->read_only && (status = compact_once(m, false, is_settled, NULL)) == YORE_OK)
            collect(m);
        atomic_store_explicit(&m->is_merging, status != YORE_ERR_CORRUPT, memory_order_relaxed); /* a hint */
        yr_mutex_lock(&m->mutex);
        is_quiet = false;
        may_load = true;
        if (m->store->read_only || status >= 0) {
            m->compact_failures = 0;
            continue;
        }
        m->compact_failures++;
        note_trouble(m, status);
        m->compact_asked = !yr_wal_is_poisoned(m->wal) && status != YORE_ERR_CORRUPT;
        if (!m->stop) yr_cond_wait_ns(&m->cond, &m->mutex, retry_ns(m->compact_failures));
    }
    yr_mutex_unlock(&m->mutex);
}

/* Under mutex. */
static bool start_thread(yr_maintainer *m, void (*run)(void *arg), yore_thread **thread)
{
    const yore_env *env = m->store->env;
    if (*thread) return true;
    if (env->thread_create(env->ctx, run, m, thread) != 0) *thread = NULL;
    return *thread != NULL;
}

/* Under mutex, of a writer: the flusher first, and the compactor only beside it. False: the leader works inline. */
static bool start_threads(yr_maintainer *m)
{
    if (!m->is_inline) m->is_inline = !start_thread(m, run_flusher, &m->flusher);
    if (!m->is_inline && !m->compactor &&
        start_thread(m, run_compactor, &m->compactor))                     /* else nothing is merged */
        atomic_store_explicit(&m->is_merging, true, memory_order_relaxed); /* a hint */
    return !m->is_inline;
}

void yr_maintainer_start_reading(yr_maintainer *m)
{
    yr_mutex_lock(&m->mutex);
    if (m->store->read_only)
        (void)start_thread(m, run_compactor, &m->compactor); /* without it segments are read from the file */
    else
        (void)start_threads(m);
    m->compact_asked = true; /* of a reader: to look at what there is */
    yr_cond_broadcast(&m->cond);
    yr_mutex_unlock(&m->mutex);
}

/* Have frozen memtables flushed. False where there are no threads. */
static bool wake_flusher(yr_maintainer *m)
{
    yr_mutex_lock(&m->mutex);
    bool started = start_threads(m);
    m->flush_asked = true;
    yr_cond_broadcast(&m->cond);
    yr_mutex_unlock(&m->mutex);
    return started;
}

static bool is_inline(yr_maintainer *m)
{
    yr_mutex_lock(&m->mutex);
    bool is = m->is_inline;
    yr_mutex_unlock(&m->mutex);
    return is;
}

void yr_maintainer_stop(yr_maintainer *m)
{
    if (!m->store) return;
    if (!m->flusher && !m->compactor) { /* nobody else is there: no lock is asked for */
        m->stop = true;
        return;
    }
    const yore_env *env = m->store->env;
    atomic_store_explicit(&m->cancel, true, memory_order_relaxed); /* a hint, for whoever looks */
    yr_mutex_lock(&m->mutex);
    m->stop = true;
    yr_cond_broadcast(&m->cond);
    yr_mutex_unlock(&m->mutex);
    if (m->flusher) env->thread_join(env->ctx, m->flusher);
    if (m->compactor) env->thread_join(env->ctx, m->compactor);
    m->flusher = m->compactor = NULL;
    atomic_store_explicit(&m->cancel, false, memory_order_relaxed);
}

void yr_maintainer_deinit(yr_maintainer *m)
{
    if (!m->store) return;
    yr_cond_deinit(&m->cond);
    yr_mutex_deinit(&m->mutex);
    yr_mutex_deinit(&m->install);
    yr_mutex_deinit(&m->merging);
    yr_mutex_deinit(&m->flushing);
    m->store = NULL;
}

/* -- asked for -- */

static bool is_empty(const yr_memtable *mem)
{
    return mem->commits.last == mem->base_version;
}

static uint64_t last_lsn(const yr_maintainer *m)
{
    return yr_wal_last_lsn(m->wal);
}

/* Where there are no threads: everything, at once, by the leader. */
static void work_inline(yr_maintainer *m)
{
    yore_status status = YORE_OK;
    while (status == YORE_OK) status = flush_oldest(m, true, NULL);
    if (status >= 0) status = YORE_OK;
    while (status == YORE_OK) status = compact_once(m, true, false, NULL);
    note_trouble(m, status);
}

void yr_maintainer_after_group(yr_maintainer *m)
{
    yr_store *store = m->store;
    if (!store->wal) return; /* what is not logged is gone at the end: it stays in memory */
    yr_pressure_slow_down(m);
    uint64_t used =
        atomic_load_explicit(&store->mem->region.used, memory_order_relaxed); /* the leader's own */
    uint64_t commits = store->mem->commits.last - store->mem->base_version;
    bool is_due = m->options.every ? commits >= m->options.every : used >= m->options.memtable_bytes;
    if (!is_due || is_empty(store->mem)) return;
    if (yr_store_layers(store)->mem_count > YR_PRESSURE_FROZEN_MAX) {
        /* it goes on growing; a flusher that failed wakes up by itself, but where there is none it is tried here */
        if (is_inline(m)) work_inline(m);
        return;
    }
    if (yr_store_freeze(store, last_lsn(m), NULL) < 0) return; /* it goes on growing, and is tried again */
    if (!wake_flusher(m)) work_inline(m);
}

/* Leader, which is given up for a while where there are threads. */
static yore_status make_room_to_freeze(yr_maintainer *m, bool is_threaded, yore_error *err)
{
    yore_status status = YORE_OK;
    while (status >= 0 && yr_store_layers(m->store)->mem_count == YR_LAYERS_MEMS_MAX) {
        if (is_threaded) yr_store_unlead(m->store);
        status = flush_oldest(m, !is_threaded, err);
        if (is_threaded) yr_store_lead(m->store);
    }
    if (status < 0) return status;
    /* what a failed group left in memory was never promised */
    if (atomic_load_explicit(&m->store->poisoned, memory_order_relaxed)) /* the leader's */
        return yr_fail(err, YORE_ERR_POISONED, "the store refuses writes since an earlier write failed");
    return YORE_OK;
}

yore_status yr_maintainer_flush(yr_maintainer *m, bool drop_log, yore_error *err)
{
    yr_store *store = m->store;
    if (!store->wal) return YORE_OK; /* as above */
    bool is_threaded = wake_flusher(m);
    yr_store_lead(store);
    yore_status status = make_room_to_freeze(m, is_threaded, err);
    if (status == YORE_OK && drop_log && !yr_wal_is_poisoned(m->wal)) {
        status = yr_wal_prepare_small(m->wal, err);
        if (status == YORE_OK) status = yr_wal_rotate(m->wal, err);
    }
    if (status == YORE_OK && !is_empty(store->mem)) status = yr_store_freeze(store, last_lsn(m), err);
    if (is_threaded) yr_store_unlead(store);
    while (status == YORE_OK) status = flush_oldest(m, !is_threaded, err);
    if (!is_threaded) yr_store_unlead(store);
    return status < 0 ? status : YORE_OK;
}

static uint64_t bytes_of(const yr_layers *layers)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < layers->run_count; i++) {
        for (uint32_t k = 0; k < yr_run_branch_count(layers->runs[i]); k++) {
            const yr_run_branch *branch = yr_run_branch_at(layers->runs[i], k);
            bytes += branch->key_bytes + branch->value_bytes;
        }
    }
    return bytes;
}

/* What the segments of all runs refer to in each value file. */
static yore_status survey_values(const yr_layers *layers, yr_value_usage *usage, uint32_t count,
                                 yore_error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        const yr_value_file *file = yr_value_set_at(layers->values, i);
        usage[i] = (yr_value_usage){.file_id = yr_value_file_header(file)->file_id,
                                    .file_bytes = yr_value_file_facts(file)->file_bytes,
                                    .value_bytes = yr_value_file_facts(file)->value_bytes};
    }
    for (uint32_t i = 0; i < layers->run_count; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(layers->runs[i]); k++) {
            yr_segment *segment = yr_run_file(layers->runs[i], k);
            for (uint32_t n = 0; n < yr_segment_value_file_count(segment); n++) {
                yr_segment_value_file used;
                yore_status status = yr_segment_value_file_get(segment, n, &used, err);
                if (status < 0) return status;
                (void)yr_value_usage_add(usage, count, used.file_id, used.count, used.bytes);
            }
        }
    }
    return YORE_OK;
}

static bool is_asked(const yr_compact_all *asked, uint64_t file_id)
{
    if (asked->value_files_since && file_id >= asked->value_files_since) return true;
    for (uint32_t i = 0; i < asked->value_file_count; i++)
        if (asked->value_files[i] == file_id) return true;
    return false;
}

/* The value files that are given up with a merge of everything. */
static yore_status choose_values(job *j, yore_error *err)
{
    const yr_layers *layers = j->layers;
    uint32_t count = layers->values ? yr_value_set_count(layers->values) : 0, n = 0;
    j->move = (yr_value_move){.disk = j->m->disk,
                              .values = layers->values,
                              .last_version = yr_layers_flushed(layers),
                              .new_file_id = job_file_id,
                              .arg = j};
    if (count == 0) return YORE_OK;
    yr_value_usage *usage = yr_arena_alloc(&j->arena, count * sizeof *usage);
    enum yr_value_fate *fates = yr_arena_alloc(&j->arena, count * sizeof *fates);
    uint64_t *files = yr_arena_alloc(&j->arena, count * sizeof *files);
    if (!usage || !fates || !files) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a plan of merges");
    yore_status status = survey_values(layers, usage, count, err);
    if (status < 0) return status;
    yr_value_plan plan;
    yr_value_collect(usage, count, &(yr_value_policy){0}, fates, &plan);
    for (uint32_t i = 0; i < count; i++) {
        if (fates[i] == YR_VALUES_REWRITE || is_asked(&j->asked, usage[i].file_id))
            files[n++] = usage[i].file_id;
    }
    j->move.files = files;
    j->move.file_count = n;
    return YORE_OK;
}

yore_status yr_maintainer_compact(yr_maintainer *m, const yr_compact_all *options, yore_error *err)
{
    job j;
    bool is_threaded = wake_flusher(m);
    if (!is_threaded) yr_store_lead(m->store);
    yore_status status = job_begin(&j, m, err);
    if (status == YORE_OK) {
        j.asked = *options;
        j.total_bytes = bytes_of(j.layers);
        j.plan = plan_all(j.layers);
        status = choose_values(&j, err);
    }
    if (status == YORE_OK && j.plan.kind != YR_COMPACT_NOTHING) status = run_job(&j, !is_threaded, err);
    job_end(&j);
    if (!is_threaded) yr_store_unlead(m->store);
    return status;
}

void yr_maintainer_rules_changed(yr_maintainer *m)
{
    uint64_t id = yr_wal_new_file_id(m->wal);
    yr_mutex_lock(&m->mutex);
    m->rules_since = id;
    m->compact_asked = true;
    yr_cond_broadcast(&m->cond);
    yr_mutex_unlock(&m->mutex);
}
