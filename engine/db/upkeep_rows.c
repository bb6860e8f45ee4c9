/* Every version of every key, in key order: memtables and runs merged. Of one key the layers follow each other, the
 * youngest first (I3), so no versions are compared. */
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/upkeep_private.h"
#include "engine/format/value_format.h"

enum { BATCH = 128, KEYS_A_STEP = 4096 };

typedef struct source {
    yore_slice key; /* tree key of where it stands; empty at the end */
    /* a memtable: entries stay where they are, only the tree's cursor lasts no longer than an epoch section */
    const yr_memtable *mem;
    const yr_entry *batch[BATCH];
    uint32_t at, count;
    bool is_last; /* no entries behind the batch */
    /* a run */
    bool is_run, is_open;
    yr_run_rows rows;
    yr_segment_row row;
} source;

typedef struct row_merge {
    yr_layers *layers;
    uint64_t visible;
    source *sources; /* in the order of the layers */
    uint32_t count;
    bool (*wants)(void *arg, uint32_t branch);
    yr_upkeep_sink sink;
    void *arg;
    uint64_t run_bytes; /* of all runs that are read */
    uint8_t *key;       /* a copy of the key being given: a run's is gone with its next row */
    size_t key_capacity;
} row_merge;

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory while reading the store");
}

/* -- a memtable -- */

/* The next entries behind the ones there are. */
static yore_status fill_batch(source *s, yore_error *err)
{
    yr_ref refs[BATCH];
    yr_art_iter iter;
    uint8_t first[4];
    uint32_t n = 0;
    const yr_entry *last = s->count ? s->batch[s->count - 1] : NULL;
    yr_put_be32(first, YR_REGISTRY_BRANCH + 1);
    yr_art_iter_init(&iter, s->mem->art);
    yr_epoch_enter();
    yr_ref ref = yr_art_seek(&iter, last ? yr_entry_tree_key(last) : yore_bytes(first, sizeof first));
    if (ref && !last) refs[n++] = ref;
    if (ref) n += yr_art_next_many(&iter, refs + n, BATCH - n);
    for (uint32_t i = 0; i < n; i++) s->batch[i] = yr_entry_at(&s->mem->region, refs[i]);
    yr_epoch_exit();
    bool failed = iter.failed;
    yr_art_iter_deinit(&iter);
    s->at = 0;
    s->count = n;
    s->is_last = n == 0;
    return failed ? no_memory(err) : YORE_OK;
}

static yore_status stand_in_memtable(source *s, yore_error *err)
{
    yore_status status = YORE_OK;
    if (s->at == s->count && !s->is_last) status = fill_batch(s, err);
    s->key = s->at < s->count ? yr_entry_tree_key(s->batch[s->at]) : yore_bytes(NULL, 0);
    return status;
}

static yore_status give(row_merge *m, yr_upkeep_row *row, yore_error *err)
{
    yore_status status = m->sink(m->arg, row, err);
    row->is_newest = false;
    return status;
}

/* `row` has the key; its is_newest turns false with the first version given. */
static yore_status give_entry(row_merge *m, source *s, yr_upkeep_row *row, yore_error *err)
{
    const yr_memtable *mem = s->mem;
    const yr_entry *entry = s->batch[s->at++];
    yore_status status = YORE_OK;
    yr_epoch_enter();
    uint32_t left = yr_chain_rank(&mem->region, entry, yr_memtable_cap(mem, m->visible));
    while (left > 0 && status == YORE_OK) {
        const yr_version *v = yr_chain_at(&mem->region, entry, --left);
        row->version = yr_memtable_version(mem, v);
        row->expiry_ns = yr_version_expiry(v);
        row->value_bytes = (uint64_t)v->value_bytes + v->meta_bytes;
        row->op = yr_version_op(v);
        status = give(m, row, err);
    }
    yr_epoch_exit();
    return status == YORE_OK ? stand_in_memtable(s, err) : status;
}

/* -- a run -- */

static yore_status stand_in_run(source *s, yore_error *err)
{
    yore_status status = yr_run_rows_next(&s->rows, &s->row, err);
    s->key = status == YORE_OK ? s->row.tree_key : yore_bytes(NULL, 0);
    return status == YORE_END ? YORE_OK : status;
}

static void fill_value(const yr_segment_row *stored, yr_upkeep_row *row)
{
    yr_value_ref ref;
    bool is_elsewhere = stored->is_reference && yr_value_ref_decode(stored->value, &ref);
    row->value_bytes = (is_elsewhere ? ref.bytes : stored->value.size) + stored->meta.size;
    row->value_file = is_elsewhere ? ref.file_id : 0;
}

static yore_status give_rows(row_merge *m, source *s, yore_slice key, yr_upkeep_row *row, yore_error *err)
{
    yore_status status = YORE_OK;
    while (status == YORE_OK && yr_slice_equal(s->key, key)) {
        row->version = s->row.version;
        row->expiry_ns = s->row.expiry_ns;
        fill_value(&s->row, row);
        row->op = s->row.op;
        status = give(m, row, err);
        if (status == YORE_OK) status = stand_in_run(s, err);
    }
    return status;
}

/* -- all of them -- */

static bool has_wanted(const row_merge *m, const yr_run *run)
{
    for (uint32_t i = 0; i < yr_run_branch_count(run); i++) {
        const yr_run_branch *branch = yr_run_branch_at(run, i);
        if (branch->branch != YR_REGISTRY_BRANCH && branch->rows &&
            (!m->wants || m->wants(m->arg, branch->branch)))
            return true;
    }
    return false;
}

static yore_status open_sources(row_merge *m, const yore_env *env, yore_error *err)
{
    const yr_layers *layers = m->layers;
    yore_status status = YORE_OK;
    m->sources = yr_alloc_zero(env, (layers->mem_count + layers->run_count) * sizeof *m->sources);
    if (!m->sources) return no_memory(err);
    for (uint32_t i = 0; i < layers->mem_count && status == YORE_OK; i++) {
        source *s = &m->sources[m->count++];
        s->mem = layers->mems[i];
        status = stand_in_memtable(s, err);
    }
    for (uint32_t i = 0; i < layers->run_count && status == YORE_OK; i++) {
        yr_run *run = layers->runs[i];
        if (!has_wanted(m, run)) continue;
        source *s = &m->sources[m->count++];
        s->is_run = true;
        status = yr_run_rows_open(run, &s->rows, err);
        s->is_open = status == YORE_OK;
        if (status == YORE_OK) status = stand_in_run(s, err);
        for (uint32_t k = 0; k < yr_run_file_count(run); k++)
            m->run_bytes += yr_segment_facts(yr_run_file(run, k))->file_bytes;
    }
    return status;
}

static void close_sources(row_merge *m, const yore_env *env)
{
    for (uint32_t i = 0; i < m->count; i++)
        if (m->sources[i].is_open) yr_run_rows_close(&m->sources[i].rows);
    if (m->sources)
        yr_free(env, m->sources, (m->layers->mem_count + m->layers->run_count) * sizeof *m->sources);
    yr_free(env, m->key, m->key_capacity);
}

/* The least key of all sources, copied. Empty at the end. */
static bool next_key(row_merge *m, const yore_env *env, yore_slice *out)
{
    yore_slice least = yore_bytes(NULL, 0);
    for (uint32_t i = 0; i < m->count; i++) {
        yore_slice key = m->sources[i].key;
        if (key.size && (!least.size || yr_slice_compare(key, least) < 0)) least = key;
    }
    if (least.size > m->key_capacity) {
        uint8_t *grown = yr_realloc(env, m->key, m->key_capacity, least.size * 2);
        if (!grown) return false;
        m->key = grown;
        m->key_capacity = least.size * 2;
    }
    if (least.size) memcpy(m->key, least.data, least.size);
    *out = yore_bytes(m->key, least.size);
    return true;
}

static yore_status skip_key(source *s, yore_slice key, yore_error *err)
{
    if (!s->is_run) {
        s->at++;
        return stand_in_memtable(s, err);
    }
    yore_status status = YORE_OK;
    while (status == YORE_OK && yr_slice_equal(s->key, key)) status = stand_in_run(s, err);
    return status;
}

static yore_status give_key(row_merge *m, yore_slice key, yore_error *err)
{
    const uint8_t *bytes = key.data;
    yr_upkeep_row row = {.key = {bytes + YR_TREE_KEY_PREFIX, key.size - YR_TREE_KEY_PREFIX},
                         .branch = yr_get_be32(bytes),
                         .primitive = bytes[4],
                         .is_newest = true};
    bool wanted = row.branch != YR_REGISTRY_BRANCH && (!m->wants || m->wants(m->arg, row.branch));
    yore_status status = YORE_OK;
    for (uint32_t i = 0; i < m->count && status == YORE_OK; i++) {
        source *s = &m->sources[i];
        if (!yr_slice_equal(s->key, key)) continue;
        if (!wanted) {
            status = skip_key(s, key, err);
        } else if (s->is_run) {
            status = give_rows(m, s, key, &row, err);
        } else {
            status = give_entry(m, s, &row, err);
        }
    }
    return status;
}

static uint64_t bytes_read(const row_merge *m)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->sources[i].is_open) bytes += yr_run_rows_bytes(&m->sources[i].rows);
    return bytes;
}

yore_status yr_upkeep_rows(yore_db *db, bool (*wants)(void *arg, uint32_t branch),
                           yore_upkeep_progress progress, void *progress_arg, yr_upkeep_sink sink, void *arg,
                           yore_error *err)
{
    row_merge m = {.visible = yr_store_visible(&db->store), .wants = wants, .sink = sink, .arg = arg};
    yore_slice key = yore_bytes(NULL, 0);
    yore_status status = yr_db_settle(db, err);
    if (status < 0) return status;
    m.layers = yr_store_layers_ref(&db->store);
    status = open_sources(&m, db->env, err);
    for (uint64_t keys = 0; status == YORE_OK; keys++) {
        if (!next_key(&m, db->env, &key)) status = no_memory(err);
        if (status < 0 || !key.size) break;
        status = give_key(&m, key, err);
        if (status == YORE_OK && keys % KEYS_A_STEP == 0 && progress &&
            progress(progress_arg, bytes_read(&m), m.run_bytes))
            status = yr_fail(err, YORE_ERR_CANCELLED, "stopped while reading the store");
    }
    close_sources(&m, db->env);
    yr_layers_unref(m.layers);
    return status;
}
