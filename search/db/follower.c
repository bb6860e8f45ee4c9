/* The follower's life, its lock, and waiting for it. */
#include "search/db/follower.h"

#include <errno.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "search/db/follower_private.h"

enum { IDLE_NS = 20000000, IDLE_NS_MAX = 160000000 };

/* -- settings -- */

yore_status yr_search_settings_get(const yore_db *db, uint64_t version, yr_search_settings *out,
                                   yore_error *err)
{
    char text[YR_SETTING_SIZE];
    yr_buf prefixes;
    memset(out, 0, sizeof *out);
    yr_buf_init(&prefixes, db->env, SIZE_MAX);
    yore_status status = yr_setting_prefixes(db, "search.index", version, &prefixes, err);
    out->index.erasures = yr_catalog_erasures(db->store.catalog);
    out->index.prefixes_version = yr_prefix_table_since(yore_bytes(prefixes.data, prefixes.size));
    yr_buf_deinit(&prefixes);
    if (status == YORE_OK) status = yr_setting_get(db, "search.language", version, out->index.language, err);
    if (status == YORE_OK) status = yr_setting_get(db, "search.index", version, text, err);
    out->index.indexes_text = status == YORE_OK && strcmp(text, "none") != 0;
    /* values are judged when they are set; what a later version allowed counts as the default */
    if (status == YORE_OK) status = yr_setting_get(db, "search.k1", version, text, err);
    if (status < 0 || !yr_setting_number(text, 100, &out->k1)) out->k1 = 1.2;
    if (status == YORE_OK) status = yr_setting_get(db, "search.b", version, text, err);
    if (status < 0 || !yr_setting_number(text, 1, &out->b)) out->b = 0.75;
    return status;
}

bool yr_index_settings_equal(const yr_index_settings *a, const yr_index_settings *b)
{
    return a->indexes_text == b->indexes_text && a->prefixes_version == b->prefixes_version &&
           a->erasures == b->erasures && strcmp(a->language, b->language) == 0;
}

/* -- the thread -- */

static void run(void *arg)
{
    yr_follower *f = arg;
    int64_t idle_ns = IDLE_NS;
    yr_mutex_lock(&f->mutex);
    while (!f->stop) {
        bool more;
        uint64_t indexed = f->indexed;
        f->wake = false;
        yr_mutex_unlock(&f->mutex);
        yr_follower_step(f, &more);
        yr_mutex_lock(&f->mutex);
        bool was_idle = !more && !f->wake && indexed == f->indexed;
        idle_ns = !was_idle ? IDLE_NS : idle_ns < IDLE_NS_MAX ? idle_ns * 2 : idle_ns;
        if (!more && !f->wake && !f->stop) yr_cond_wait_ns(&f->wanted, &f->mutex, idle_ns);
    }
    yr_mutex_unlock(&f->mutex);
}

static void stop_follower(yr_companion *companion)
{
    yr_follower *f = (yr_follower *)companion;
    yr_mutex_lock(&f->mutex);
    f->stop = true;
    atomic_store_explicit(&f->cancel, 1, memory_order_relaxed); /* yr_analyze */
    yr_cond_broadcast(&f->wanted);
    yr_cond_broadcast(&f->changed);
    yore_thread *thread = f->thread;
    f->thread = NULL;
    while (f->working) yr_cond_wait(&f->changed, &f->mutex);
    yr_mutex_unlock(&f->mutex);
    if (thread) f->env->thread_join(f->env->ctx, thread);
    yore_iter_close(f->feed); /* it holds a reference to the store */
    f->feed = NULL;
}

static void destroy_follower(yr_companion *companion, bool abandoned)
{
    yr_follower *f = (yr_follower *)companion;
    if (abandoned) return;
    yr_follower_drop(f);
    yr_analyzer_close(f->analyzer);
    yr_buf_deinit(&f->prefixes);
    for (size_t i = 0; i < FOLLOWER_ANALYZERS; i++) yr_analyzer_close(f->analyzers[i].analyzer);
    yr_arena_deinit(&f->batch);
    yr_cond_deinit(&f->changed);
    yr_cond_deinit(&f->wanted);
    yr_mutex_deinit(&f->mutex);
    yr_free(f->env, f, sizeof *f);
}

static yr_follower *make_follower(yore_db *db)
{
    yr_follower *f = yr_alloc_zero(db->env, sizeof *f);
    if (!f) return NULL;
    f->companion = (yr_companion){.stop = stop_follower, .destroy = destroy_follower};
    f->db = db;
    f->env = db->env;
    yr_mutex_init(&f->mutex, YR_RANK_SEARCH);
    yr_cond_init(&f->changed);
    yr_cond_init(&f->wanted);
    yr_arena_init(&f->batch, db->env);
    yr_buf_init(&f->prefixes, db->env, SIZE_MAX);
    return f;
}

yr_follower *yr_follower_peek(const yore_db *db)
{
    return (yr_follower *)atomic_load_explicit(&db->companion,
                                               memory_order_acquire); /* pairs with yr_follower_of */
}

static yore_status start(yr_follower *f, yore_error *err)
{
    int failed = 0;
    yr_mutex_lock(&f->mutex);
    if (!f->started && !f->stop) {
        failed = f->env->thread_create(f->env->ctx, run, f, &f->thread);
        if (failed) f->thread = NULL;
        f->started = !failed || failed == -ENOTSUP; /* without threads: yr_follower_hold does the work */
    }
    bool started = f->started;
    yr_mutex_unlock(&f->mutex);
    if (started || !failed) return YORE_OK;
    return yr_fail_errno(err, YORE_ERR_IO, -failed, "cannot start the search thread");
}

yore_status yr_follower_of(yore_db *db, yr_follower **out, yore_error *err)
{
    yr_follower *f = yr_follower_peek(db);
    if (!f) {
        f = make_follower(db);
        if (!f) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the search index");
        yr_companion *first = NULL;
        /* whoever sees it sees it made; seq_cst for the look at `closed` behind it: see shut in db_open.c */
        if (!atomic_compare_exchange_strong_explicit(&db->companion, &first, &f->companion,
                                                     memory_order_seq_cst, memory_order_acquire)) {
            destroy_follower(&f->companion, false);
            f = (yr_follower *)first;
        }
    }
    if (atomic_load_explicit(&db->closed, memory_order_seq_cst)) return yr_db_usable(db, err);
    *out = f;
    return start(f, err);
}

/* -- readers and the writer -- */

void yr_follower_begin_write(yr_follower *f)
{
    yr_mutex_lock(&f->mutex);
    f->writer_waits = true;
    while (f->readers) yr_cond_wait(&f->changed, &f->mutex);
    f->writer_waits = false;
    f->writing = true;
    yr_mutex_unlock(&f->mutex);
}

void yr_follower_end_write_locked(yr_follower *f)
{
    f->writing = false;
    yr_cond_broadcast(&f->changed);
}

/* Without a thread of its own the work is done by who waits for it, one at a time. */
static void work(yr_follower *f)
{
    bool more;
    f->working = true;
    yr_mutex_unlock(&f->mutex);
    yr_follower_step(f, &more);
    yr_mutex_lock(&f->mutex);
    f->working = false;
    yr_cond_broadcast(&f->changed);
}

static yore_status failed(yr_follower *f, yore_error *err)
{
    yore_status status = f->failure;
    yr_fail(err, status, "%s", f->failure_words.message);
    if (f->failure_words.hint[0]) yr_hint(err, "%s", f->failure_words.hint);
    return status;
}

/* Everything but waiting: YORE_OK and in, YORE_NOT_FOUND when it is too early, or an answer. */
static yore_status try_hold(yr_follower *f, uint64_t version, const yr_index_settings *settings,
                            yore_error *err)
{
    if (f->stop) return yr_fail(err, YORE_ERR_MISUSE, "the store '%s' has been closed", f->db->path);
    yr_search_settings now;
    yore_status status = yr_search_settings_get(f->db, yr_store_visible(&f->db->store), &now, err);
    if (status < 0) return status;
    if (!yr_index_settings_equal(&now.index, settings)) return YORE_CONFLICT;
    if (yr_index_settings_equal(&f->settings, settings)) {
        if (f->failure) return failed(f, err);
        if (f->has_index && f->indexed >= version && !f->writing && !f->writer_waits) {
            f->readers++;
            return YORE_OK;
        }
    }
    return YORE_NOT_FOUND;
}

yore_status yr_follower_hold(yr_follower *f, uint64_t version, const yr_index_settings *settings,
                             int64_t until_ns, const yr_index **index, yore_error *err)
{
    yore_status status;
    yr_mutex_lock(&f->mutex);
    /* what failed for an earlier search, or when none was there: memory may be there by now */
    if (f->failure == YORE_ERR_NOMEM) f->failure = YORE_OK;
    while ((status = try_hold(f, version, settings, err)) == YORE_NOT_FOUND) {
        int64_t left = until_ns < 0 ? INT64_MAX : until_ns - f->env->monotonic_ns(f->env->ctx);
        if (left <= 0) {
            status = YORE_TIMEOUT;
            break;
        }
        if (f->thread) {
            f->wake = true;
            yr_cond_signal(&f->wanted);
        } else if (!f->working) {
            work(f);
            continue;
        }
        /* settings can change without a word to anyone here, so no wait is for ever */
        yr_cond_wait_ns(&f->changed, &f->mutex, left < IDLE_NS ? left : IDLE_NS);
    }
    yr_mutex_unlock(&f->mutex);
    *index = &f->index;
    return status;
}

void yr_follower_release(yr_follower *f)
{
    yr_mutex_lock(&f->mutex);
    YR_ASSERT(f->readers > 0);
    f->readers--;
    if (!f->readers && f->writer_waits) yr_cond_broadcast(&f->changed);
    yr_mutex_unlock(&f->mutex);
}

/* -- analyzers for searches -- */

yore_status yr_follower_take_analyzer(yr_follower *f, const char *language, yr_analyzer **out,
                                      yore_error *err)
{
    *out = NULL;
    yr_mutex_lock(&f->mutex);
    for (size_t i = 0; i < FOLLOWER_ANALYZERS && !*out; i++) {
        kept_analyzer *kept = &f->analyzers[i];
        if (!kept->analyzer || strcmp(kept->language, language) != 0) continue;
        *out = kept->analyzer;
        kept->analyzer = NULL;
    }
    yr_mutex_unlock(&f->mutex);
    yore_status status = *out ? YORE_OK : yr_analyzer_open(f->env, yore_str(language), out, err);
    if (status == YORE_OK) yr_analyzer_cancel_with(*out, &f->cancel); /* a phrase in a long text */
    return status;
}

void yr_follower_give_analyzer(yr_follower *f, const char *language, yr_analyzer *analyzer)
{
    yr_analyzer *surplus = analyzer;
    yr_mutex_lock(&f->mutex);
    for (size_t i = 0; i < FOLLOWER_ANALYZERS && surplus == analyzer && analyzer; i++) {
        kept_analyzer *kept = &f->analyzers[i];
        if (kept->analyzer && strcmp(kept->language, language) == 0) continue;
        surplus = kept->analyzer; /* of a language that was */
        kept->analyzer = analyzer;
        memcpy(kept->language, language, strlen(language) + 1);
    }
    yr_mutex_unlock(&f->mutex);
    yr_analyzer_close(surplus);
}

/* -- statistics -- */

void yr_follower_stats(yr_follower *f, yore_search_stats *out)
{
    yr_mutex_lock(&f->mutex);
    *out = f->stats;
    out->running = f->started && !f->stop;
    out->indexed_version = f->indexed;
    memcpy(out->analyzer, f->describe, sizeof out->analyzer);
    yr_mutex_unlock(&f->mutex);
    out->struct_size = sizeof *out;
    uint64_t visible = yr_store_visible(&f->db->store), followed = out->lag_bytes;
    yore_stats store = {.struct_size = sizeof store};
    uint64_t bytes = yore_stats_get(f->db, &store, NULL) == YORE_OK ? store.value_bytes : 0;
    out->lag_versions = visible > out->indexed_version ? visible - out->indexed_version : 0;
    out->lag_bytes = out->lag_versions && bytes > followed ? bytes - followed : 0;
}
