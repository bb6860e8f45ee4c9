/* The follower's work: a batch of the change feed into the index. */
#include <stdio.h>

#include "engine/base/error.h"
#include "search/db/follower_private.h"

enum { BATCH_ROWS = 64, BATCH_BYTES = 256 * 1024 };

/* A change with its texts counted. */
typedef struct prepared {
    yr_doc_change change;
    yr_text_counts text, hidden;
} prepared;

typedef struct batch {
    yore_row rows[BATCH_ROWS];
    size_t row_count;
    prepared items[BATCH_ROWS];
    size_t count;
    uint64_t whole; /* every version up to this one is in the index after the batch */
    bool ended;     /* the feed has no more */
} batch;

/* -- reading the feed -- */

static void close_feed(yr_follower *f)
{
    yore_iter_close(f->feed);
    f->feed = NULL;
}

/* The next rows, up to the version that was visible when the feed was opened. */
static yore_status read_rows(yr_follower *f, uint64_t indexed, batch *b, yore_error *err)
{
    if (!f->feed) {
        yore_range range = YORE_RANGE_INIT;
        range.with_gaps = true; /* what was trimmed is shown nowhere, so no search finds it */
        f->feed_end = yr_store_visible(&f->db->store);
        yore_status status = yore_changes(f->db, indexed, &range, &f->feed, err);
        if (status < 0) return status;
    }
    yore_status status = yore_next(f->feed, b->rows, sizeof b->rows[0], BATCH_ROWS, &b->row_count, err);
    if (status < 0) return status;
    b->whole = f->feed_end;
    if (status == YORE_END) b->row_count = 0;
    b->ended = status == YORE_END;
    for (size_t i = 0; i < b->row_count && !b->ended; i++) {
        /* versions that came after the feed was opened may be in it too: they are for the next one */
        b->ended = b->rows[i].version > f->feed_end;
        if (b->ended) b->row_count = i;
    }
    if (!b->ended) b->whole = b->rows[b->row_count - 1].version - 1; /* the last version may go on */
    return YORE_OK;
}

/* -- preparing -- */

static yore_status count_value(yr_follower *f, yore_slice value, yr_text_counts *out, yore_error *err)
{
    return yr_count_text(&f->counter, f->analyzer, value, &f->batch, out, err);
}

/* For a key that a branch with a parent writes for the first time: what the branch saw just before. Its own key space
 * had nothing, so that is what the parent shows at the fork, for ever. */
static yore_status prepare_hidden(yr_follower *f, const yore_row *row, prepared *p, yore_error *err)
{
    const yr_store *store = &f->db->store;
    const yr_branch *branch = yr_catalog_by_id(store->catalog, row->branch_id);
    if (!branch->parent || yr_index_has_key(&f->index, row->branch_id, row->key)) return YORE_OK;
    yr_layers *layers = yr_store_layers_ref(store);
    yr_view view = yr_store_view(store, layers, branch->parent, branch->fork_version, 0);
    const yr_lookup key = {.key_hash = yr_layers_key_hash(layers, row->primitive, row->key),
                           .user_key = row->key,
                           .primitive = row->primitive};
    yr_found found;
    yr_epoch_enter();
    yore_status status = yr_lineage_find(&view, &key, &found, err);
    yr_epoch_exit();
    if (status == YORE_OK) {
        if (found.op == YORE_OP_PUT) {
            p->change.hidden = &p->hidden;
            p->change.hidden_expiry_ns = found.expiry_ns;
            status = count_value(f, found.value, &p->hidden, err);
        }
        yr_found_release(&found);
    }
    yr_layers_unref(layers);
    return status < 0 ? status : YORE_OK;
}

static yore_status prepare(yr_follower *f, const yore_row *row, prepared *p, yore_error *err)
{
    *p = (prepared){0};
    p->change = (yr_doc_change){.branch = row->branch_id,
                                .version = row->version,
                                .key = row->key,
                                .text = &p->text,
                                .expiry_ns = row->expiry_ns};
    yore_status status = YORE_OK;
    if (row->op == YORE_OP_PUT) status = count_value(f, row->value, &p->text, err);
    return status == YORE_OK ? prepare_hidden(f, row, p, err) : status;
}

/* -- applying -- */

/* In the writer's turn. */
static yore_status apply(yr_follower *f, const batch *b, yore_error *err)
{
    yore_status status = YORE_OK;
    for (size_t i = 0; i < b->count && status == YORE_OK; i++) {
        status = yr_index_apply(&f->index, &b->items[i].change, err);
    }
    if (status == YORE_OK && !yr_dictionary_sort(&f->index.dictionary))
        status = yr_space_fail(&f->index.space, err);
    return status;
}

static void publish_locked(yr_follower *f, uint64_t indexed)
{
    if (indexed > f->indexed) f->indexed = indexed;
    f->stats.documents = f->index.documents;
    f->stats.postings = f->index.runs;
    f->stats.index_bytes = yr_index_bytes(&f->index);
    f->stats.lag_bytes = f->followed_bytes;
}

/* Settings hold for every moment, so a key that is not indexed is in no layer: neither as a document nor as one that
 * a child hides. */
static bool is_indexed(const yr_follower *f, const yore_row *row)
{
    yr_prefix_value value;
    if (row->primitive != YORE_KV) return false;
    if (!yr_prefix_table_find(yore_bytes(f->prefixes.data, f->prefixes.size), row->key, &value))
        return f->settings.indexes_text;
    return !yr_slice_equal(value.text, yore_str("none"));
}

/* Count the texts of rows[*at..] and put them into the index; *at moves on. */
static yore_status take_rows(yr_follower *f, batch *b, size_t *at, yore_error *err)
{
    yore_status status = YORE_OK;
    uint64_t bytes = 0;
    b->count = 0;
    yr_arena_reset(&f->batch);
    for (; *at < b->row_count && bytes < BATCH_BYTES && status == YORE_OK; ++*at) {
        const yore_row *row = &b->rows[*at];
        bytes += row->value.size;
        if (!is_indexed(f, row)) continue;
        status = prepare(f, row, &b->items[b->count++], err);
    }
    if (status < 0) return status;
    f->followed_bytes += bytes;
    yr_follower_begin_write(f);
    status = apply(f, b, err);
    yr_mutex_lock(&f->mutex);
    if (status < 0) yr_follower_drop(f); /* half a change is in it: no search may look */
    if (status == YORE_OK && *at == b->row_count) publish_locked(f, b->whole);
    yr_follower_end_write_locked(f);
    yr_mutex_unlock(&f->mutex);
    return status;
}

static yore_status take_batch(yr_follower *f, uint64_t indexed, bool *more, yore_error *err)
{
    batch b;
    yore_status status = read_rows(f, indexed, &b, err);
    size_t at = 0;
    do {
        if (status == YORE_OK) status = take_rows(f, &b, &at, err);
    } while (status == YORE_OK && at < b.row_count);
    if (status < 0 || b.ended) close_feed(f);
    *more = status == YORE_OK && !b.ended;
    return status;
}

/* -- a step -- */

void yr_follower_drop(yr_follower *f)
{
    yr_counter_deinit(&f->counter);
    yr_arena_reset(&f->batch);
    if (f->has_index) yr_index_deinit(&f->index);
    f->has_index = false;
}

/* F3: begin again, with the settings in force. */
static yore_status begin_again(yr_follower *f, const yr_index_settings *settings, yore_error *err)
{
    close_feed(f);
    yr_analyzer_close(f->analyzer);
    f->analyzer = NULL;
    yr_buf_clear(&f->prefixes);
    yore_status status =
        yr_setting_prefixes(f->db, "search.index", settings->prefixes_version, &f->prefixes, err);
    if (status == YORE_OK) status = yr_analyzer_open(f->env, yore_str(settings->language), &f->analyzer, err);
    yr_follower_begin_write(f);
    yr_mutex_lock(&f->mutex);
    yr_follower_drop(f);
    f->settings = *settings;
    f->failure = YORE_OK;
    f->indexed = f->followed_bytes = 0;
    f->stats = (yore_search_stats){0};
    f->describe[0] = 0;
    if (status == YORE_OK) {
        yr_index_init(&f->index, f->env, f->db->store.secret, f->db->search_bytes_max);
        yr_space_watch(&f->index.space, &f->batch);
        yr_counter_init(&f->counter, &f->index.space, f->db->store.secret);
        f->counter.cancel = &f->cancel;
        f->has_index = true;
        snprintf(f->describe, sizeof f->describe, "%s", yr_analyzer_describe(f->analyzer));
    }
    yr_follower_end_write_locked(f);
    yr_mutex_unlock(&f->mutex);
    return status;
}

static void note_failure(yr_follower *f, yore_status status, const yore_error *words)
{
    yr_follower_begin_write(f);
    yr_mutex_lock(&f->mutex);
    yr_follower_drop(f);
    f->indexed = 0;
    f->stats = (yore_search_stats){0};
    f->failure = status;
    f->failure_words = *words;
    yr_follower_end_write_locked(f);
    yr_mutex_unlock(&f->mutex);
}

void yr_follower_step(yr_follower *f, bool *more)
{
    yore_error words = YORE_ERROR_INIT;
    uint64_t visible = yr_store_visible(&f->db->store);
    yr_search_settings settings;
    *more = false;
    if (yr_search_settings_get(f->db, visible, &settings, NULL) < 0)
        return; /* the search that waits meets it, too */
    yr_mutex_lock(&f->mutex);
    bool differs = !yr_index_settings_equal(&f->settings, &settings.index);
    bool is_failed = f->failure != YORE_OK && !differs;
    bool again = differs || (!f->has_index && !is_failed);
    uint64_t indexed = f->indexed;
    yr_mutex_unlock(&f->mutex);
    if (is_failed || (!again && indexed >= visible && !f->feed)) return;
    yore_status status = YORE_OK;
    if (again) {
        status = begin_again(f, &settings.index, &words);
        indexed = 0;
    }
    if (status == YORE_OK) status = take_batch(f, indexed, more, &words);
    if (status < 0) note_failure(f, status, &words);
}
