#include "engine/branch/lineage_scan.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/branch/scan_source.h"
#include "engine/layers/layers_commits.h"

enum { BOUND_BYTES_MAX = YORE_KEY_BYTES_MAX + 1 };

size_t yr_prefix_end(uint8_t *prefix, size_t size)
{
    while (size > 0 && prefix[size - 1] == 0xFF) size--;
    if (size > 0) prefix[size - 1]++;
    return size;
}

void yr_row_store(void *rows, size_t row_size, size_t i, const yore_row *row)
{
    size_t bytes = row_size < sizeof *row ? row_size : sizeof *row;
    memcpy((uint8_t *)rows + i * row_size, row, bytes);
}

void yr_row_fill(const yr_memtable *mem, const yr_version *v, const yr_entry *entry, bool visible,
                 yore_row *row)
{
    *row = (yore_row){.key = yr_entry_user_key(entry),
                      .version = yr_memtable_version(mem, v),
                      .expiry_ns = yr_version_expiry(v),
                      .branch_id = yr_entry_branch(entry),
                      .primitive = yr_entry_primitive(entry),
                      .op = visible ? YORE_OP_PUT : YORE_OP_DEL,
                      .type = yr_version_type(v)};
    if (!visible) return;
    row->value = yr_version_value(v);
    row->meta = yr_version_meta(v);
}

/* Field by field: a literal would be made elsewhere and copied. */
void yr_row_fill_stored(const yr_segment_row *stored, bool visible, yore_row *row)
{
    const uint8_t *key = stored->tree_key.data;
    row->key = yore_bytes(key + YR_TREE_KEY_PREFIX, stored->tree_key.size - YR_TREE_KEY_PREFIX);
    row->value = visible ? stored->value : yore_bytes(NULL, 0);
    row->meta = visible ? stored->meta : yore_bytes(NULL, 0);
    row->version = stored->version;
    row->time_ns = 0;
    row->expiry_ns = stored->expiry_ns;
    row->branch_id = yr_get_be32(key);
    row->primitive = key[4];
    row->op = visible ? YORE_OP_PUT : YORE_OP_DEL;
    row->type = stored->type;
}

/* lower = max(prefix, from), upper = min(prefix end, to), as copies. */
enum { HEAP_FROM = 12 }; /* for fewer sources looking at all of them is as fast */

static yore_status copy_bounds(yr_scan *scan, const yore_range *range, yore_error *err)
{
    size_t room = 2 * range->prefix.size + range->from.size + range->to.size;
    /* user keys that are sought again, behind their 5-byte prefix */
    scan->bounds_bytes = room + YR_TREE_KEY_PREFIX + BOUND_BYTES_MAX;
    scan->bounds = yr_alloc(scan->env, scan->bounds_bytes);
    if (!scan->bounds) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a scan");
    scan->seek_key = scan->bounds + room;
    scan->lower = yr_slice_compare(range->prefix, range->from) > 0 ? range->prefix : range->from;
    uint8_t *p = scan->bounds;
    if (scan->lower.size) memcpy(p, scan->lower.data, scan->lower.size);
    scan->lower.data = p;
    p += scan->lower.size;
    if (range->prefix.size) {
        memcpy(p, range->prefix.data, range->prefix.size);
        scan->upper = yore_bytes(p, yr_prefix_end(p, range->prefix.size));
        scan->has_upper = scan->upper.size > 0;
        p += range->prefix.size;
    }
    if (range->to.size && (!scan->has_upper || yr_slice_compare(range->to, scan->upper) < 0)) {
        memcpy(p, range->to.data, range->to.size);
        scan->upper = yore_bytes(p, range->to.size);
        scan->has_upper = true;
    }
    /* no user key is as long as this, so what a longer bound has behind it cannot matter */
    if (scan->lower.size > BOUND_BYTES_MAX) scan->lower.size = BOUND_BYTES_MAX;
    if (scan->has_upper && scan->upper.size > BOUND_BYTES_MAX) scan->upper.size = BOUND_BYTES_MAX;
    return YORE_OK;
}

/* The layers of one hop that can have something of it. */
static void add_hop(yr_scan *scan, const yr_branch *hop, uint64_t cap)
{
    const yr_layers *layers = scan->view.layers;
    for (uint32_t i = 0; i < layers->mem_count; i++) {
        if (cap <= layers->mems[i]->base_version) continue;
        yr_scan_source *source = &scan->sources[scan->source_count++];
        source->branch = hop;
        yr_scan_leaves_init(source, layers->mems[i], cap);
    }
    for (uint32_t i = 0; i < layers->run_count; i++) {
        yr_run *run = layers->runs[i];
        if (cap <= yr_run_after(run) || !yr_run_has_branch(run, hop->id)) continue;
        yr_scan_source *source = &scan->sources[scan->source_count++];
        source->branch = hop;
        yr_scan_rows_init(source, run, scan->primitive, cap);
    }
}

static const yr_branch *next_hop(const yr_branch *hop, bool own_only)
{
    return own_only ? NULL : hop->parent;
}

/* Did it ever write? own_keys falls to 0 when a merge drops the last of them, which older layers still have. The
 * registry has no head. */
static bool has_keys(const yr_branch *hop)
{
    /* acquires pair with the releases in yr_branch_note_key and yr_apply */
    return atomic_load_explicit(&hop->own_keys, memory_order_acquire) != 0 ||
           atomic_load_explicit(&hop->head, memory_order_acquire) != 0;
}

/* Room for `hops` hops, and the hops put there. *fits is false when more have keys by now. */
static yore_status create_sources(yr_scan *scan, bool own_only, uint32_t hops, bool *fits, yore_error *err)
{
    const yr_layers *layers = scan->view.layers;
    const yr_branch *hop;
    size_t most = (size_t)hops * (layers->mem_count + layers->run_count);
    scan->sources_bytes = most * (sizeof *scan->sources + sizeof *scan->heap + sizeof *scan->equal);
    scan->sources = yr_alloc_zero(scan->env, scan->sources_bytes);
    if (!scan->sources) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a scan");
    scan->heap = (yr_scan_turn *)(void *)(scan->sources + most);
    scan->equal = (uint32_t *)(void *)(scan->heap + most);
    uint64_t cap = scan->view.cap;
    for (hop = scan->view.branch; hop && hops; hop = next_hop(hop, own_only)) {
        if (has_keys(hop)) {
            add_hop(scan, hop, cap);
            hops--;
        }
        cap = yr_lineage_cap(hop, cap);
    }
    *fits = !hop;
    return YORE_OK;
}

static void drop_sources(yr_scan *scan)
{
    for (uint32_t i = 0; i < scan->source_count; i++) {
        yr_scan_source *source = &scan->sources[i];
        if (source->is_run)
            yr_run_cursor_deinit(&source->u.rows.cursor);
        else
            yr_art_iter_deinit(&source->u.leaves.iter);
    }
    yr_free(scan->env, scan->sources, scan->sources_bytes);
    scan->sources = NULL;
    scan->source_count = 0;
}

static yore_status find_sources(yr_scan *scan, bool own_only, yore_error *err)
{
    yore_status status = YORE_OK;
    for (bool fits = false; !fits && status == YORE_OK;) {
        uint32_t hops = 1;
        drop_sources(scan);
        for (const yr_branch *hop = scan->view.branch; hop; hop = next_hop(hop, own_only))
            hops += has_keys(hop);
        status = create_sources(scan, own_only, hops, &fits, err);
    }
    return status;
}

yore_status yr_scan_init(yr_scan *scan, const yr_view *view, const yore_range *range, yore_error *err)
{
    static const yore_range everything = YORE_RANGE_INIT;
    if (!range) range = &everything;
    *scan = (yr_scan){.view = *view,
                      .env = view->layers->env,
                      .primitive = range->primitive ? range->primitive : YORE_KV,
                      .reverse = range->reverse,
                      .keys_only = range->keys_only,
                      .with_deleted = range->with_deleted,
                      .without_times = range->without_times,
                      .left = range->limit ? range->limit : UINT64_MAX};
    yore_status status = copy_bounds(scan, range, err);
    if (status == YORE_OK) status = find_sources(scan, range->own_only, err);
    if (status < 0) yr_scan_deinit(scan);
    return status;
}

static void release_pins(yr_scan *scan)
{
    while (scan->pin_count) yr_block_pin_release(&scan->pins[--scan->pin_count]);
    yr_block_pin_release(&scan->hidden_pin);
}

void yr_scan_deinit(yr_scan *scan)
{
    drop_sources(scan);
    release_pins(scan);
    yr_free(scan->env, scan->pins, scan->pin_capacity * sizeof *scan->pins);
    yr_free(scan->env, scan->last_bytes, YORE_KEY_BYTES_MAX);
    yr_free(scan->env, scan->bounds, scan->bounds_bytes);
    *scan = (yr_scan){0};
}

yore_slice yr_scan_tree_key(yr_scan *scan, uint32_t branch, uint32_t primitive, yore_slice user_key)
{
    yr_put_be32(scan->seek_key, branch);
    scan->seek_key[4] = (uint8_t)primitive;
    if (user_key.size) memcpy(scan->seek_key + YR_TREE_KEY_PREFIX, user_key.data, user_key.size);
    return yore_bytes(scan->seek_key, YR_TREE_KEY_PREFIX + user_key.size);
}

yore_status yr_rows_fill_times(const yr_layers *layers, void *rows, size_t row_size, size_t n,
                               yore_error *err)
{
    if (row_size < offsetof(yore_row, time_ns) + sizeof(int64_t)) return YORE_OK;
    uint8_t *at = rows;
    return yr_layers_commit_times(layers, at + offsetof(yore_row, version), at + offsetof(yore_row, time_ns),
                                  row_size, n, err);
}

/* A row, built in place where the caller's struct is ours. */
static void emit(const yr_scan *scan, const yr_memtable *mem, const yr_version *v, const yr_entry *entry,
                 bool visible, void *rows, size_t row_size, size_t i)
{
    YR_SCRATCH yore_row other;
    yore_row *row = row_size == sizeof *row ? (yore_row *)rows + i : &other;
    yr_row_fill(mem, v, entry, visible, row);
    if (scan->keys_only) row->value = yore_bytes(NULL, 0);
    if (row == &other) yr_row_store(rows, row_size, i, row);
}

void yr_scan_take_version(yr_scan *scan, const yr_memtable *mem, const yr_entry *entry, const yr_version *v,
                          void *rows, size_t row_size, size_t *n)
{
    /* the key of a published version stays where it is for as long as the layers: no copy */
    scan->last = yr_entry_user_key(entry);
    scan->last_moves = false;
    scan->started = true;
    bool visible = yr_version_is_visible(v, scan->view.time_ns);
    if (!visible && !scan->with_deleted) return;
    emit(scan, mem, v, entry, visible, rows, row_size, (*n)++);
    scan->left--;
}

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory in a scan");
}

/* A value in a value file. */
static yore_status fetch_value(yr_scan *scan, const yr_segment_row *stored, yore_row *row, yore_error *err)
{
    yr_block_pin pin;
    yore_status status = yr_layers_value(scan->view.layers, stored, &row->value, &pin, err);
    if (status == YORE_OK && pin.entry && !yr_scan_keep_pin(scan, &pin)) status = no_memory(err);
    return status;
}

/* The same for the current row of a run. */
static yore_status take_stored(yr_scan *scan, const yr_scan_source *source, void *rows, size_t row_size,
                               size_t *n, yore_error *err)
{
    const yr_segment_row *stored = &source->u.rows.row;
    bool visible = stored->op == YORE_OP_PUT &&
                   (!stored->expiry_ns || stored->expiry_ns > scan->view.time_ns);
    bool shows = visible || scan->with_deleted;
    const yr_block_pin *pin = yr_run_cursor_pin(&source->u.rows.cursor);
    if (pin && shows && !yr_scan_rows_keep(scan, pin)) return no_memory(err);
    if (pin && !shows) yr_scan_rows_hold(scan, pin);
    scan->last = yore_bytes((const uint8_t *)stored->tree_key.data + YR_TREE_KEY_PREFIX,
                            stored->tree_key.size - YR_TREE_KEY_PREFIX);
    scan->last_moves = scan->started = true;
    if (!shows) return YORE_OK;
    YR_SCRATCH yore_row other;
    yore_row *row = row_size == sizeof *row ? (yore_row *)rows + *n : &other;
    yr_row_fill_stored(stored, visible, row);
    if (scan->keys_only) row->value = yore_bytes(NULL, 0);
    if (stored->is_reference && visible && !scan->keys_only) {
        yore_status status = fetch_value(scan, stored, row, err);
        if (status < 0) return status;
    }
    if (row == &other) yr_row_store(rows, row_size, *n, row);
    ++*n;
    scan->left--;
    return YORE_OK;
}

/* The current key of a source, NULL data when it has no more. */
static yore_slice peek(const yr_scan *scan, yr_scan_source *source, uint64_t want)
{
    if (!source->is_run) {
        const yr_entry *entry = yr_scan_leaves_peek(scan, source, want);
        return entry ? yr_entry_user_key(entry) : yore_bytes(NULL, 0);
    }
    if (source->ended) return yore_bytes(NULL, 0);
    yore_slice key = source->u.rows.row.tree_key;
    return yore_bytes((const uint8_t *)key.data + YR_TREE_KEY_PREFIX, key.size - YR_TREE_KEY_PREFIX);
}

/* The least key of all sources (the greatest, in reverse), and which have it. Returns how many. */
static uint32_t next_key(yr_scan *scan, uint64_t want)
{
    yore_slice best = {NULL, 0};
    uint32_t equal = 0;
    for (uint32_t i = 0; i < scan->source_count; i++) {
        yore_slice key = peek(scan, &scan->sources[i], want);
        if (!key.data) continue;
        int order = equal ? yr_slice_compare(key, best) : -1;
        if (equal && (scan->reverse ? order < 0 : order > 0)) continue;
        if (order != 0) {
            equal = 0;
            best = key;
        }
        scan->equal[equal++] = i;
    }
    return equal;
}

/* -- many sources: a heap of them by their current keys, of equal ones the younger first, so that a key costs a few
 * looks and not one at every hop of a deep lineage -- */

static bool turn_before(const yr_scan *scan, const yr_scan_turn *a, const yr_scan_turn *b)
{
    int order = yr_slice_compare(a->key, b->key);
    if (order == 0) return a->source < b->source;
    return scan->reverse ? order > 0 : order < 0;
}

static void heap_sink(yr_scan *scan, uint32_t at)
{
    yr_scan_turn *heap = scan->heap, turn = heap[at];
    for (;;) {
        uint32_t child = at * 2 + 1;
        if (child >= scan->heap_count) break;
        if (child + 1 < scan->heap_count && turn_before(scan, &heap[child + 1], &heap[child])) child++;
        if (!turn_before(scan, &heap[child], &turn)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = turn;
}

static void heap_rise(yr_scan *scan, uint32_t at)
{
    yr_scan_turn *heap = scan->heap, turn = heap[at];
    while (at > 0 && turn_before(scan, &turn, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = turn;
}

static void heap_make(yr_scan *scan, uint64_t want)
{
    scan->heap_count = 0;
    for (uint32_t i = 0; i < scan->source_count; i++) {
        yore_slice key = peek(scan, &scan->sources[i], want);
        if (key.data) scan->heap[scan->heap_count++] = (yr_scan_turn){.key = key, .source = i};
    }
    for (uint32_t i = scan->heap_count / 2; i-- > 0;) heap_sink(scan, i);
}

/* The sources that have the next key, taken out of the heap. Returns how many. */
static uint32_t heap_take(yr_scan *scan)
{
    uint32_t equal = 0;
    yore_slice key = scan->heap[0].key;
    while (scan->heap_count && yr_slice_equal(scan->heap[0].key, key)) {
        scan->equal[equal++] = scan->heap[0].source;
        scan->heap[0] = scan->heap[--scan->heap_count];
        heap_sink(scan, 0);
    }
    return equal;
}

/* They have moved on: back with them. */
static void heap_give(yr_scan *scan, uint32_t equal, uint64_t want)
{
    for (uint32_t i = 0; i < equal; i++) {
        yore_slice key = peek(scan, &scan->sources[scan->equal[i]], want);
        if (!key.data) continue;
        scan->heap[scan->heap_count] = (yr_scan_turn){.key = key, .source = scan->equal[i]};
        heap_rise(scan, scan->heap_count++);
    }
}

/* One key from all sources that have it: the first with a version decides. */
static yore_status take_key(yr_scan *scan, uint32_t equal, void *rows, size_t row_size, size_t *n,
                            yore_error *err)
{
    bool found = false;
    for (uint32_t k = 0; k < equal && !found; k++) {
        yr_scan_source *source = &scan->sources[scan->equal[k]];
        if (source->is_run) {
            yore_status status = take_stored(scan, source, rows, row_size, n, err);
            if (status < 0) return status;
            found = true;
            continue;
        }
        const yr_scan_leaves *leaves = &source->u.leaves;
        const yr_entry *entry = yr_entry_at(&leaves->mem->region, leaves->refs[leaves->at]);
        const yr_version *v = yr_chain_find(&leaves->mem->region, entry, leaves->cap, scan->view.past);
        if (v) yr_scan_take_version(scan, leaves->mem, entry, v, rows, row_size, n);
        found = v != NULL;
    }
    for (uint32_t k = 0; k < equal; k++) {
        yr_scan_source *source = &scan->sources[scan->equal[k]];
        if (!source->is_run) {
            source->u.leaves.at++;
            continue;
        }
        yore_status status = yr_scan_rows_step(scan, source, err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

static yore_status scan_merged(yr_scan *scan, void *rows, size_t row_size, size_t cap, size_t *n,
                               yore_error *err)
{
    while (*n < cap && scan->left > 0) {
        uint64_t want = cap - *n < scan->left ? cap - *n : scan->left;
        uint32_t equal = next_key(scan, want);
        scan->ended = equal == 0;
        if (scan->ended) return YORE_OK;
        yore_status status = take_key(scan, equal, rows, row_size, n, err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

static yore_status scan_many(yr_scan *scan, void *rows, size_t row_size, size_t cap, size_t *n,
                             yore_error *err)
{
    yore_status status = YORE_OK;
    heap_make(scan, cap < scan->left ? cap : scan->left);
    while (*n < cap && scan->left > 0 && scan->heap_count && status == YORE_OK) {
        uint32_t equal = heap_take(scan);
        status = take_key(scan, equal, rows, row_size, n, err);
        uint64_t want = cap - *n < scan->left ? cap - *n : scan->left;
        if (status == YORE_OK && want > 0) heap_give(scan, equal, want);
    }
    if (*n < cap && scan->left > 0) scan->ended = scan->heap_count == 0;
    return status;
}

/* The common case of a store that was opened: one run has all of the branch. */
static yore_status scan_one_run(yr_scan *scan, void *rows, size_t row_size, size_t cap, size_t *n,
                                yore_error *err)
{
    yr_scan_source *source = &scan->sources[0];
    yore_status status = YORE_OK;
    while (*n < cap && scan->left > 0 && !source->ended && status == YORE_OK) {
        status = take_stored(scan, source, rows, row_size, n, err);
        if (status == YORE_OK) status = yr_scan_rows_step(scan, source, err);
    }
    scan->ended = source->ended;
    return status;
}

static yore_status start(yr_scan *scan, yore_error *err)
{
    for (uint32_t i = 0; i < scan->source_count; i++) {
        yr_scan_source *source = &scan->sources[i];
        if (!source->is_run) {
            yr_scan_leaves_start(scan, source);
            continue;
        }
        yore_status status = yr_scan_rows_start(scan, source, err);
        if (status < 0) return status;
    }
    return YORE_OK;
}

static yore_status take_rows(yr_scan *scan, void *rows, size_t row_size, size_t cap, size_t *n,
                             yore_error *err)
{
    yr_epoch_enter();
    yore_status status = start(scan, err);
    if (status == YORE_OK && scan->source_count == 1 && !scan->sources[0].is_run) {
        yr_scan_leaves_run(scan, &scan->sources[0], rows, row_size, cap, n);
    } else if (status == YORE_OK && scan->source_count == 1) {
        status = scan_one_run(scan, rows, row_size, cap, n, err);
    } else if (status == YORE_OK && scan->source_count > HEAP_FROM) {
        status = scan_many(scan, rows, row_size, cap, n, err);
    } else if (status == YORE_OK) {
        status = scan_merged(scan, rows, row_size, cap, n, err);
    }
    yr_epoch_exit();
    for (uint32_t i = 0; i < scan->source_count && status == YORE_OK; i++) {
        const yr_scan_source *source = &scan->sources[i];
        if (!source->is_run && source->u.leaves.iter.failed) status = no_memory(err);
    }
    if (status == YORE_OK && !scan->without_times)
        status = yr_rows_fill_times(scan->view.layers, rows, row_size, *n, err);
    return status;
}

/* Runs keep their place. */
static bool has_leaves(const yr_scan *scan)
{
    bool any = false;
    for (uint32_t i = 0; i < scan->source_count && !any; i++) any = !scan->sources[i].is_run;
    return any;
}

/* Memtables are read on from the last key: it must outlive the batch that gave it. */
static bool keep_last(yr_scan *scan)
{
    if (!scan->started || !scan->last_moves || !has_leaves(scan)) return true;
    if (!scan->last_bytes) scan->last_bytes = yr_alloc(scan->env, YORE_KEY_BYTES_MAX);
    if (!scan->last_bytes) return false;
    memcpy(scan->last_bytes, scan->last.data, scan->last.size);
    scan->last.data = scan->last_bytes;
    scan->last_moves = false;
    return true;
}

yore_status yr_scan_next(yr_scan *scan, void *rows, size_t row_size, size_t cap, size_t *n, yore_error *err)
{
    *n = 0;
    if (scan->failure) return yr_fail(err, scan->failure, "this scan has failed before");
    if (scan->ended || scan->left == 0) return YORE_OK;
    yore_status status = keep_last(scan) ? YORE_OK : no_memory(err);
    release_pins(scan);
    if (status == YORE_OK) status = take_rows(scan, rows, row_size, cap, n, err);
    if (status < 0) {
        *n = 0; /* a scan that goes on after this would be a shorter one */
        scan->failure = status;
    }
    return status;
}
