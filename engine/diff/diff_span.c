/* The spans between two lineages, and their keys in order. */
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/diff/diff_private.h"

enum { WALK_LEAST = 4096, WALK_MOST = 1 << 18, WALK_SHARE = 8, SCANS_AT_ONCE = 16 };

/* The first hop that both lineages have, and the caps there. NULL when they have none in common. */
static const yr_branch *meet(const yr_view *a, const yr_view *b, uint64_t *cap_a, uint64_t *cap_b)
{
    const yr_branch *of_a = a->branch, *of_b = b->branch;
    *cap_a = a->cap;
    *cap_b = b->cap;
    while (of_a != of_b) { /* a parent's id is smaller than its child's (B1) */
        bool is_a = of_a->id > of_b->id;
        const yr_branch **deeper = is_a ? &of_a : &of_b;
        uint64_t *cap = is_a ? cap_a : cap_b;
        if (!(*deeper)->parent) return NULL;
        *cap = yr_lineage_cap(*deeper, *cap);
        *deeper = (*deeper)->parent;
    }
    return of_a;
}

const yr_branch *yr_diff_common(const yr_view *a, const yr_view *b, uint64_t *version)
{
    uint64_t cap_a, cap_b;
    const yr_branch *hop = meet(a, b, &cap_a, &cap_b);
    *version = cap_a < cap_b ? cap_a : cap_b;
    for (; hop && hop->parent && *version <= hop->create_version; hop = hop->parent) {
        *version = yr_lineage_cap(hop, *version);
    }
    if (!hop) *version = 0;
    return hop;
}

/* Did the branch write anything in (after, cap]? Only "no" is certain. */
static bool may_have_written(const yr_branch *hop, uint64_t after, uint64_t cap)
{
    if (cap <= after || cap <= hop->create_version) return false;
    uint64_t head = atomic_load_explicit(&hop->head, memory_order_acquire); /* pairs with yr_apply */
    return head > after && atomic_load_explicit(&hop->first, memory_order_relaxed) <= cap;
}

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a diff");
}

/* Is (after, cap] all that the branch ever wrote? */
static bool is_all(const yr_branch *hop, uint64_t after, uint64_t cap)
{
    return after < atomic_load_explicit(&hop->first, memory_order_relaxed) &&
           cap >= atomic_load_explicit(&hop->head, memory_order_acquire); /* pairs with yr_apply */
}

/* How many commits, and rows of theirs, are read rather than all keys of a branch: a few at any rate. A key takes
 * longer to find by its commit than in a scan, and has to be kept in memory. */
static uint64_t walk_max(const yr_diff *diff, const yr_branch *hop)
{
    if (diff->walk_max) return diff->walk_max;
    uint64_t most = atomic_load_explicit(&hop->own_keys, memory_order_acquire) / WALK_SHARE;
    if (most < WALK_LEAST) return WALK_LEAST;
    return most < WALK_MOST ? most : WALK_MOST;
}

static yore_status add_scan(yr_diff *diff, const yr_branch *hop, uint64_t after, uint64_t cap,
                            yore_error *err)
{
    yr_diff_span **grown =
        yr_arena_grow(&diff->arena, diff->spans, sizeof *grown, diff->span_count, &diff->span_room);
    if (!grown) return no_memory(err);
    diff->spans = grown;
    yr_diff_span *span = yr_arena_alloc(&diff->arena, sizeof *span);
    if (!span) return no_memory(err);
    span->hop = hop;
    span->after = after;
    span->cap = cap;
    span->is_open = false;
    diff->spans[diff->span_count++] = span;
    diff->info.hops_scanned++;
    return YORE_OK;
}

static yore_status add_span(yr_diff *diff, const yr_branch *hop, uint64_t after, uint64_t cap,
                            yore_error *err)
{
    yore_status status = YORE_END;
    if (!may_have_written(hop, after, cap)) return YORE_OK;
    if (!is_all(hop, after, cap) || diff->span_count >= SCANS_AT_ONCE)
        status = yr_diff_walk(diff, hop, after, cap, walk_max(diff, hop), err);
    if (status == YORE_END) return add_scan(diff, hop, after, cap, err);
    if (status == YORE_OK) diff->info.hops_walked++;
    return status;
}

/* All that a view has above the branch `end`. */
static yore_status add_own_hops(yr_diff *diff, const yr_view *view, const yr_branch *end, yore_error *err)
{
    yore_status status = YORE_OK;
    uint64_t cap = view->cap;
    for (const yr_branch *hop = view->branch; hop != end && status == YORE_OK; hop = hop->parent) {
        status = add_span(diff, hop, 0, cap, err);
        cap = yr_lineage_cap(hop, cap);
    }
    return status;
}

yore_status yr_diff_find_spans(yr_diff *diff, yore_error *err)
{
    uint64_t cap_a, cap_b;
    const yr_branch *hop = meet(&diff->a, &diff->b, &cap_a, &cap_b);
    const yr_branch *common = yr_diff_common(&diff->a, &diff->b, &diff->info.common_version);
    diff->info.common_branch_id = common ? common->id : 0;
    yore_status status = add_own_hops(diff, &diff->a, hop, err);
    if (status == YORE_OK) status = add_own_hops(diff, &diff->b, hop, err);
    for (; hop && cap_a != cap_b && status == YORE_OK; hop = hop->parent) {
        bool is_a_newer = cap_a > cap_b;
        status = add_span(diff, hop, is_a_newer ? cap_b : cap_a, is_a_newer ? cap_a : cap_b, err);
        cap_a = yr_lineage_cap(hop, cap_a);
        cap_b = yr_lineage_cap(hop, cap_b);
    }
    if (hop) diff->info.hops_shared = hop->depth;
    if (status == YORE_OK) yr_diff_sort_keys(diff);
    return status;
}

/* -- primitives -- */

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The first primitive at or above `from` of which a branch has a key in a memtable, UINT32_MAX when there is none. */
static yore_status primitive_in_memory(const yr_memtable *mem, yore_slice from, uint32_t *primitive,
                                       yore_error *err)
{
    yr_art_iter iter;
    *primitive = UINT32_MAX;
    yr_art_iter_init(&iter, mem->art);
    yr_epoch_enter();
    yr_ref ref = yr_art_seek(&iter, from);
    const yr_entry *entry = ref ? yr_entry_at(&mem->region, ref) : NULL;
    if (entry && yr_entry_branch(entry) == yr_get_be32(from.data)) *primitive = yr_entry_primitive(entry);
    yr_epoch_exit();
    bool has_failed = iter.failed;
    yr_art_iter_deinit(&iter);
    return has_failed ? no_memory(err) : YORE_OK;
}

static yore_status primitive_in_run(yr_run *run, yore_slice from, uint32_t *primitive, yore_error *err)
{
    yr_run_cursor cursor;
    yr_segment_row row;
    *primitive = UINT32_MAX;
    yr_run_cursor_init(&cursor, run, UINT64_MAX, yore_bytes(from.data, sizeof(uint32_t)));
    yore_status status = yr_run_cursor_seek(&cursor, from, &row, err);
    if (status == YORE_OK) *primitive = ((const uint8_t *)row.tree_key.data)[4];
    yr_run_cursor_deinit(&cursor);
    return status < 0 ? status : YORE_OK;
}

/* The same of all layers, lowering *primitive. */
static yore_status find_primitive(const yr_layers *layers, const yr_diff_span *span, uint32_t from,
                                  uint32_t *primitive, yore_error *err)
{
    uint8_t bytes[YR_TREE_KEY_PREFIX];
    const yore_slice key = yore_bytes(bytes, sizeof bytes);
    yore_status status = YORE_OK;
    uint32_t found;
    yr_put_be32(bytes, span->hop->id);
    bytes[4] = (uint8_t)from;
    for (uint32_t i = 0; i < layers->mem_count && status == YORE_OK; i++) {
        status = primitive_in_memory(layers->mems[i], key, &found, err);
        *primitive = lesser(*primitive, found);
    }
    for (uint32_t i = 0; i < layers->run_count && status == YORE_OK; i++) {
        if (!yr_run_has_branch(layers->runs[i], span->hop->id)) continue;
        status = primitive_in_run(layers->runs[i], key, &found, err);
        *primitive = lesser(*primitive, found);
    }
    return status;
}

yore_status yr_diff_next_primitive(yr_diff *diff, yore_error *err)
{
    yore_status status = YORE_OK;
    uint32_t next = diff->key_at < diff->key_count ? diff->keys[diff->key_at].primitive : UINT32_MAX;
    if (diff->primitive >= diff->last_primitive) return YORE_END;
    for (size_t i = 0; i < diff->span_count && status == YORE_OK; i++) {
        status = find_primitive(diff->a.layers, diff->spans[i], diff->primitive + 1, &next, err);
    }
    if (status < 0) return status;
    if (next > diff->last_primitive) return YORE_END;
    diff->primitive = next;
    diff->has_key = false;
    return yr_diff_start_spans(diff, err);
}

/* -- keys in order -- */

void yr_diff_end_spans(yr_diff *diff)
{
    for (size_t i = 0; i < diff->span_count; i++) {
        if (diff->spans[i]->is_open) yr_scan_deinit(&diff->spans[i]->scan);
        diff->spans[i]->is_open = false;
    }
}

yore_status yr_diff_start_spans(yr_diff *diff, yore_error *err)
{
    yr_diff_end_spans(diff);
    for (size_t i = 0; i < diff->span_count; i++) {
        yr_diff_span *span = diff->spans[i];
        const yr_view own = {.layers = diff->a.layers, .branch = span->hop, .cap = span->cap, .past = true};
        const yore_range range = {.struct_size = sizeof range,
                                  .primitive = diff->primitive,
                                  .prefix = diff->options.prefix,
                                  .from = diff->options.from,
                                  .to = diff->options.to,
                                  .keys_only = true,
                                  .with_deleted = true,
                                  .own_only = true,
                                  .without_times = true};
        yore_status status = yr_scan_init(&span->scan, &own, &range, err);
        if (status < 0) return status;
        span->is_open = true;
        span->at = span->count = 0;
    }
    return YORE_OK;
}

/* Stand on the next row that counts; at == count at the end. */
static yore_status settle_span(yr_diff *diff, yr_diff_span *span, yore_error *err)
{
    for (;;) {
        while (span->at < span->count && span->rows[span->at].version <= span->after) span->at++;
        if (span->at < span->count || !span->is_open) return YORE_OK;
        size_t n;
        yore_status status =
            yr_scan_next(&span->scan, span->rows, sizeof span->rows[0], YR_DIFF_BATCH, &n, err);
        if (status < 0) return status;
        span->at = 0;
        span->count = (uint32_t)n;
        diff->info.rows += n;
        if (n > 0) continue;
        yr_scan_deinit(&span->scan);
        span->is_open = false;
    }
}

/* The same in the list of keys that commits wrote, which may have a key more than once. */
static bool settle_list(yr_diff *diff, yore_slice last)
{
    for (; diff->key_at < diff->key_count; diff->key_at++) {
        const yr_diff_key *key = &diff->keys[diff->key_at];
        if (key->primitive != diff->primitive) return false;
        if (!diff->has_key || !yr_slice_equal(key->key, last)) return true;
    }
    return false;
}

yore_status yr_diff_next_key(yr_diff *diff, yore_slice *key, yore_error *err)
{
    yore_slice last = diff->has_key ? yore_bytes(diff->key, diff->key_bytes) : yore_bytes(NULL, 0);
    bool any = settle_list(diff, last);
    if (any) *key = diff->keys[diff->key_at].key;
    for (size_t i = 0; i < diff->span_count; i++) {
        yr_diff_span *span = diff->spans[i];
        if (diff->has_key && span->at < span->count && yr_slice_equal(span->rows[span->at].key, last))
            span->at++;
        yore_status status = settle_span(diff, span, err);
        if (status < 0) return status;
        if (span->at == span->count) continue;
        if (!any || yr_slice_compare(span->rows[span->at].key, *key) < 0) *key = span->rows[span->at].key;
        any = true;
    }
    return any ? YORE_OK : YORE_END;
}
