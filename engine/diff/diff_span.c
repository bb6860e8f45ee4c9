/* The spans between two lineages, and their keys in order. */
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/diff/diff_private.h"

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

static yore_status add_span(yr_diff *diff, const yr_branch *hop, uint64_t after, uint64_t cap,
                            yore_error *err)
{
    if (!may_have_written(hop, after, cap)) return YORE_OK;
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
    return status;
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

yore_status yr_diff_next_key(yr_diff *diff, yore_slice *key, yore_error *err)
{
    bool any = false;
    yore_slice last = diff->has_key ? yore_bytes(diff->key, diff->key_bytes) : yore_bytes(NULL, 0);
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
