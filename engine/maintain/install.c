#include "engine/maintain/install.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/planted.h"
#include "engine/maintain/state.h"
#include "engine/segment/value_collect.h"

static const _Atomic bool never = false; /* loading what was just written is not cancelled */

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory while putting new segments in place");
}

uint64_t yr_image_bytes(const yr_layers *layers)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < layers->run_count; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(layers->runs[i]); k++) {
            bytes += yr_segment_image_bytes(yr_run_file(layers->runs[i], k));
        }
    }
    return bytes;
}

/* What is about to be. `install` is held from begin to end, so that nobody else changes runs or state meanwhile. */
typedef struct change {
    yr_maintainer *m;
    yr_draft draft;
    yr_layers *now;  /* a reference */
    yr_layers *next; /* reserved */
    yr_run **runs;   /* of the next layers, borrowed */
    uint32_t run_count, run_room;
    yr_run *fresh; /* one of them: a reference */
    yr_value_set *values;
    bool drops_memtable;              /* the oldest frozen one */
    int64_t waited_ns;                /* for the leader's turn */
    uint32_t merged_at, merged_count; /* runs of `now` that `fresh` was made from */
    yr_value_usage *usage;            /* of the value files */
    uint32_t usage_count;
} change;

static yore_status change_begin(change *c, yr_maintainer *m, uint32_t extra_files, yore_error *err)
{
    const yr_store_state *state;
    *c = (change){.m = m};
    yr_mutex_lock(&m->install);
    c->now = yr_store_layers_ref(m->store);
    yore_status status = yr_wal_state(m->wal, &state);
    if (status < 0) return status;
    if (!yr_draft_init(&c->draft, m->store->env, state, extra_files)) return no_memory(err);
    c->draft.state.hash_seed = m->store->secret;
    c->run_room = c->now->run_count + 1;
    c->runs = yr_alloc_zero(m->store->env, c->run_room * sizeof *c->runs);
    return c->runs ? YORE_OK : no_memory(err);
}

static void change_end(change *c)
{
    const yore_env *env = c->m->store->env;
    yr_run_unref(c->fresh);
    yr_value_set_unref(c->values);
    yr_layers_unref(c->next);
    yr_layers_unref(c->now);
    yr_draft_deinit(&c->draft);
    yr_free(env, c->usage, c->usage_count * sizeof *c->usage);
    yr_free(env, c->runs, c->run_room * sizeof *c->runs);
    yr_mutex_unlock(&c->m->install);
}

/* -- value files -- */

static yore_status count_references(change *c, yore_error *err)
{
    for (uint32_t i = 0; i < c->run_count; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(c->runs[i]); k++) {
            yr_segment *segment = yr_run_file(c->runs[i], k);
            for (uint32_t n = 0; n < yr_segment_value_file_count(segment); n++) {
                yr_segment_value_file used;
                yore_status status = yr_segment_value_file_get(segment, n, &used, err);
                if (status < 0) return status;
                if (!yr_value_usage_add(c->usage, c->usage_count, used.file_id, used.count, used.bytes))
                    return yr_fail(err, YORE_ERR_CORRUPT,
                                   "segment '%s' refers to value file %llu, which is missing",
                                   yr_segment_name(segment), (unsigned long long)used.file_id);
            }
        }
    }
    return YORE_OK;
}

/* The value files that something still refers to; what nothing refers to leaves the draft. */
static yore_status keep_used_values(change *c, yr_value_set *all, yore_error *err)
{
    const yore_env *env = c->m->store->env;
    uint32_t count = all ? yr_value_set_count(all) : 0, kept = 0;
    if (count == 0) return YORE_OK;
    c->usage = yr_alloc_zero(env, count * sizeof *c->usage);
    if (!c->usage) return no_memory(err);
    c->usage_count = count;
    yr_value_file **files = yr_alloc(env, count * sizeof *files);
    if (!files) return no_memory(err);
    for (uint32_t i = 0; i < count; i++)
        c->usage[i].file_id = yr_value_file_header(yr_value_set_at(all, i))->file_id;
    yore_status status = count_references(c, err);
    for (uint32_t i = 0; i < count && status == YORE_OK; i++) {
        if (c->usage[i].live_count)
            files[kept++] = yr_value_set_at(all, i);
        else
            yr_draft_remove(&c->draft, c->usage[i].file_id);
    }
    if (status == YORE_OK && kept) status = yr_value_set_create(env, files, kept, &c->values, err);
    yr_free(env, files, count * sizeof *files);
    return status;
}

static void remove_unused_values(const change *c)
{
    for (uint32_t i = 0; i < c->usage_count; i++) {
        if (!c->usage[i].live_count) yr_disk_remove(c->m->disk, YR_FILE_VALUES, c->usage[i].file_id, false);
    }
}

/* -- taking effect -- */

static void count_branches(const yr_maintainer *m, const yr_run *run, bool adds)
{
    for (uint32_t i = 0; run && i < yr_run_branch_count(run); i++) {
        const yr_run_branch *facts = yr_run_branch_at(run, i);
        yr_branch *branch = yr_catalog_by_id(m->store->catalog, facts->branch);
        if (!branch) continue;
        uint64_t keys =
            atomic_load_explicit(&branch->own_keys, memory_order_relaxed); /* the leader writes them */
        uint64_t bytes = atomic_load_explicit(&branch->own_bytes, memory_order_relaxed);
        keys = adds ? keys + facts->keys : keys - facts->keys;
        bytes = adds ? bytes + facts->value_bytes : bytes - facts->value_bytes;
        atomic_store_explicit(&branch->own_keys, keys, memory_order_release); /* as yr_branch_note_key */
        atomic_store_explicit(&branch->own_bytes, bytes, memory_order_relaxed);
    }
}

/* A key counts once in each layer that has it, so there are fewer when layers become one. What is new is counted before
 * what is old is taken off: a branch that has keys must never look as if it had none. */
static void recount(const change *c)
{
    if (!c->merged_count) return;
    count_branches(c->m, c->fresh, true);
    for (uint32_t i = 0; i < c->merged_count; i++)
        count_branches(c->m, c->now->runs[c->merged_at + i], false);
}

/* The next layers, from those of this moment: the leader may have frozen a memtable since the change began. */
static void publish(change *c)
{
    const yr_layers *now = yr_store_layers(c->m->store);
    uint32_t mems = now->mem_count - (c->drops_memtable ? 1 : 0);
    yr_layers_fill(c->next, now->mems, mems, c->runs, c->values);
    c->next->shows = now->shows;
    recount(c);
    yr_store_set_layers(c->m->store, c->next);
    c->next = NULL; /* the store's */
    (void)yr_retire_collect(&c->m->store->retired);
}

static yore_status take_effect(change *c, bool is_leading, yore_error *err)
{
    yr_store *store = c->m->store;
    c->next = yr_layers_reserve(store->env, store->owner, c->run_count);
    if (!c->next) return no_memory(err);
    /* What is flushed must not be ahead of the log's proven end, or numbers of lost records would be used again. */
    yore_status status = YR_BUG(FLUSHED_UNPROVEN) ? YORE_OK : yr_wal_sync(c->m->wal, err);
    if (status == YORE_OK) status = yr_wal_edit(c->m->wal, &c->draft.state, err);
    if (status < 0) return status;
    if (is_leading) {
        publish(c);
        return YORE_OK;
    }
    int64_t began = store->env->monotonic_ns(store->env->ctx);
    yr_store_lead(store);
    c->waited_ns = store->env->monotonic_ns(store->env->ctx) - began;
    publish(c);
    yr_store_unlead(store);
    return YORE_OK;
}

/* -- a flush -- */

static yore_status add_values(change *c, const yr_store_file *file, yore_error *err)
{
    const yore_env *env = c->m->store->env;
    yr_value_set *all = c->now->values;
    uint32_t count = all ? yr_value_set_count(all) : 0;
    if (!file->file_id) {
        if (all) yr_value_set_ref(all);
        c->values = all;
        return YORE_OK;
    }
    yr_value_file *fresh;
    yore_status status = yr_disk_open_value_file(c->m->disk, file, &fresh, err);
    if (status < 0) return status;
    yr_value_file **files = yr_alloc(env, (count + 1) * sizeof *files);
    status = files ? YORE_OK : no_memory(err);
    for (uint32_t i = 0; files && i < count; i++) files[i] = yr_value_set_at(all, i);
    if (files) {
        files[count] = fresh;
        status = yr_value_set_create(env, files, count + 1, &c->values, err);
    }
    yr_draft_add_values(&c->draft, file);
    yr_free(env, files, (count + 1) * sizeof *files);
    yr_value_file_unref(fresh);
    return status;
}

yore_status yr_install_flush(yr_maintainer *m, yr_memtable *mem, const yr_flush_files *files, bool is_leading,
                             int64_t *waited_ns, yore_error *err)
{
    change c;
    yore_status status = change_begin(&c, m, 2, err);
    bool in_memory = status == YORE_OK &&
                     yr_image_bytes(c.now) + files->segment.file_bytes <= m->options.image_bytes_max;
    if (status == YORE_OK)
        status = yr_disk_open_run(m->disk, &files->segment, 1, in_memory ? &never : NULL, &c.fresh, err);
    if (status == YORE_OK) status = add_values(&c, &files->values, err);
    if (status == YORE_OK) {
        yr_store_state *state = &c.draft.state;
        yr_draft_add_run(&c.draft, &files->segment, 1);
        state->flushed_version = mem->end.version;
        if (mem->end.lsn > state->flushed_lsn) state->flushed_lsn = mem->end.lsn;
        state->last_time_ns = mem->end.time_ns;
        state->last_data_time_ns = mem->end.data_time_ns;
        c.drops_memtable = true;
        c.runs[c.run_count++] = c.fresh;
        for (uint32_t i = 0; i < c.now->run_count; i++) c.runs[c.run_count++] = c.now->runs[i];
        status = take_effect(&c, is_leading, err);
        *waited_ns = c.waited_ns;
    }
    if (status < 0 && !yr_wal_is_poisoned(m->wal)) {
        yr_disk_remove(m->disk, YR_FILE_SEGMENT, files->segment.file_id, false);
        if (files->values.file_id) yr_disk_remove(m->disk, YR_FILE_VALUES, files->values.file_id, false);
    }
    change_end(&c);
    return status;
}

/* -- a merge -- */

/* What MANIFEST will say of the outputs. */
static yr_store_file *describe(const yr_maintainer *m, const yr_merge_result *result, uint64_t run_id,
                               uint16_t level)
{
    yr_store_file *files = yr_alloc_zero(m->store->env, result->file_count * sizeof *files);
    for (uint32_t i = 0; files && i < result->file_count; i++) {
        const yr_segment_footer *footer = &result->files[i].footer;
        files[i] = (yr_store_file){.file_id = result->files[i].file_id,
                                   .run_id = run_id,
                                   .after_version = footer->after_version,
                                   .last_version = footer->last_version,
                                   .file_bytes = footer->file_bytes,
                                   .kind = YR_FILE_SEGMENT,
                                   .level = level};
        memcpy(files[i].file_hash, footer->file_hash, YR_FILE_HASH_BYTES);
    }
    return files;
}

static bool has_room_for_image(const change *c, const yr_merge_result *result, uint64_t leaving)
{
    uint64_t bytes = yr_image_bytes(c->now) - leaving;
    for (uint32_t i = 0; i < result->file_count; i++) {
        if (result->files[i].footer.form != YR_SEGMENT_HOT) return false;
        bytes += result->files[i].footer.file_bytes;
    }
    return bytes <= c->m->options.image_bytes_max;
}

static void remove_outputs(const yr_maintainer *m, const yr_merge_result *result)
{
    for (uint32_t i = 0; i < result->file_count && !yr_wal_is_poisoned(m->wal); i++) {
        yr_disk_remove(m->disk, YR_FILE_SEGMENT, result->files[i].file_id, false);
    }
}

/* The inputs' files, which go. */
typedef struct old_files {
    uint64_t *ids;
    uint32_t count;
    uint64_t image_bytes;
} old_files;

static bool list_old(const yr_maintainer *m, const yr_layers *layers, uint32_t first, uint32_t last,
                     old_files *old)
{
    *old = (old_files){0};
    for (uint32_t i = first; i <= last; i++) old->count += yr_run_file_count(layers->runs[i]);
    old->ids = yr_alloc(m->store->env, old->count * sizeof *old->ids);
    uint32_t n = 0;
    for (uint32_t i = first; old->ids && i <= last; i++) {
        for (uint32_t k = 0; k < yr_run_file_count(layers->runs[i]); k++) {
            yr_segment *segment = yr_run_file(layers->runs[i], k);
            old->ids[n++] = yr_segment_header(segment)->file_id;
            old->image_bytes += yr_segment_image_bytes(segment);
        }
    }
    return old->ids != NULL;
}

static void retire_old(yr_maintainer *m, const old_files *old)
{
    for (uint32_t i = 0; i < old->count; i++) yr_disk_remove(m->disk, YR_FILE_SEGMENT, old->ids[i], false);
    atomic_fetch_add_explicit(&m->stats.files_retired, old->count, memory_order_relaxed);
}

/* Where a run is in the layers of now: flushes put others before it. run_count when it is not there. */
static uint32_t place_of(const yr_layers *layers, const yr_run *run)
{
    uint32_t i = 0;
    while (i < layers->run_count && layers->runs[i] != run) i++;
    return i;
}

/* `fresh` (NULL: nothing) in the place of the runs [at, at + count). */
static void replace_runs(change *c, uint32_t at, uint32_t count)
{
    for (uint32_t i = 0; i < c->now->run_count; i++) {
        if (i == at && c->fresh) c->runs[c->run_count++] = c->fresh;
        if (i < at || i >= at + count) c->runs[c->run_count++] = c->now->runs[i];
    }
}

yore_status yr_install_merge(yr_maintainer *m, const yr_layers *layers, uint32_t first, uint32_t last,
                             const yr_merge_result *result, const yr_store_file *values, uint16_t level,
                             bool is_leading, yore_error *err)
{
    change c;
    yr_value_set *all = NULL;
    old_files old = {0};
    yr_store_file *files = describe(m, result, result->files[0].file_id, level);
    yore_status status = change_begin(&c, m, result->file_count + 1, err);
    if (status == YORE_OK && (!files || !list_old(m, layers, first, last, &old))) status = no_memory(err);
    if (status == YORE_OK) {
        bool in_memory = has_room_for_image(&c, result, old.image_bytes);
        status =
            yr_disk_open_run(m->disk, files, result->file_count, in_memory ? &never : NULL, &c.fresh, err);
    }
    if (status == YORE_OK) {
        c.merged_at = place_of(c.now, layers->runs[first]);
        c.merged_count = last - first + 1;
        replace_runs(&c, c.merged_at, c.merged_count);
        yr_draft_replace(&c.draft, old.ids, old.count, files, result->file_count);
        status = add_values(&c, values, err);
        all = c.values;
        c.values = NULL;
    }
    if (status == YORE_OK) status = keep_used_values(&c, all, err);
    if (YR_BUG(EARLY_UNLINK) && status == YORE_OK) retire_old(m, &old);
    if (status == YORE_OK) status = take_effect(&c, is_leading, err);
    if (status == YORE_OK) {
        retire_old(m, &old);
        remove_unused_values(&c);
    } else {
        remove_outputs(m, result);
        if (values->file_id && !yr_wal_is_poisoned(m->wal))
            yr_disk_remove(m->disk, YR_FILE_VALUES, values->file_id, false);
    }
    yr_value_set_unref(all);
    change_end(&c);
    yr_free(m->store->env, old.ids, old.count * sizeof *old.ids);
    yr_free(m->store->env, files, result->file_count * sizeof *files);
    return status;
}

/* The run with one file exchanged: the others are shared with it. */
static yore_status exchange_file(yr_maintainer *m, yr_run *run, uint32_t file, const yr_store_file *fresh,
                                 bool in_memory, yr_run **out, yore_error *err)
{
    uint32_t count = yr_run_file_count(run), n = 0;
    yr_segment **segments = yr_alloc_zero(m->store->env, count * sizeof *segments);
    yore_status status = segments ? YORE_OK : no_memory(err);
    for (uint32_t i = 0; i < count && status == YORE_OK; i++) {
        if (i != file) {
            segments[n++] = yr_segment_ref(yr_run_file(run, i));
        } else if (fresh) {
            status = yr_disk_open_segment(m->disk, fresh, in_memory ? &never : NULL, &segments[n], err);
            if (status == YORE_OK) n++;
        }
    }
    if (status == YORE_OK) status = yr_run_create(m->store->env, yr_run_id(run), segments, n, out, err);
    for (uint32_t i = 0; status < 0 && segments && i < n; i++) yr_segment_close(segments[i]);
    yr_free(m->store->env, segments, count * sizeof *segments);
    return status;
}

yore_status yr_install_rewrite(yr_maintainer *m, const yr_layers *layers, uint32_t run, uint32_t file,
                               const yr_merge_result *result, uint16_t level, bool is_leading,
                               yore_error *err)
{
    change c;
    yr_run *old_run = layers->runs[run];
    uint64_t old_id = yr_segment_header(yr_run_file(old_run, file))->file_id;
    const old_files old = {.ids = &old_id, .count = 1};
    yr_store_file *files = result->file_count ? describe(m, result, yr_run_id(old_run), level) : NULL;
    yore_status status = change_begin(&c, m, result->file_count, err);
    if (status == YORE_OK && result->file_count && !files) status = no_memory(err);
    if (status == YORE_OK) {
        uint64_t leaving = yr_segment_image_bytes(yr_run_file(old_run, file));
        bool in_memory = has_room_for_image(&c, result, leaving);
        status = exchange_file(m, old_run, file, files, in_memory, &c.fresh, err);
    }
    if (status == YORE_OK) {
        c.merged_at = place_of(c.now, old_run);
        c.merged_count = 1;
        replace_runs(&c, c.merged_at, 1);
        yr_draft_replace(&c.draft, &old_id, 1, files, result->file_count);
        status = keep_used_values(&c, c.now->values, err);
    }
    if (YR_BUG(EARLY_UNLINK) && status == YORE_OK) retire_old(m, &old);
    if (status == YORE_OK) status = take_effect(&c, is_leading, err);
    if (status == YORE_OK) {
        retire_old(m, &old);
        remove_unused_values(&c);
    } else {
        remove_outputs(m, result);
    }
    change_end(&c);
    yr_free(m->store->env, files, result->file_count * sizeof *files);
    return status;
}
