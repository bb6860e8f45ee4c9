#include "engine/branch/lineage_scan.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"

enum {
    CHUNK =
        16, /* entries judged together; the first leaves taken from the tree, so that reading starts early */
    TAKE = 48,       /* leaves taken at a time after that: walking the tree is fastest in long runs */
    AHEAD = 24,      /* leaves whose lines are on the way while one is read: fewer leave latency uncovered */
    REST_AHEAD = 12, /* by then an entry's first line has come, and says where the rest is */
    BOUND_BYTES_MAX = YORE_KEY_BYTES_MAX + 1
};

struct yr_scan_hop {
    const yr_branch *branch;
    uint32_t cap;
    uint32_t at, count; /* of refs */
    uint32_t asked;     /* refs below this have their lines on the way */
    bool drained;       /* the tree has no more behind `refs` */
    bool ended;         /* nor is there more inside the range */
    yr_ref refs[AHEAD + TAKE];
    yr_art_iter iter;
};

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

/* lower = max(prefix, from), upper = min(prefix end, to), as copies. */
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

static yore_status create_hops(yr_scan *scan, bool own_only, yore_error *err)
{
    uint32_t depth = own_only ? 1 : scan->view.branch->depth;
    scan->hops_bytes = depth * sizeof *scan->hops;
    scan->hops = yr_alloc(scan->env, scan->hops_bytes);
    if (!scan->hops) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a scan");
    uint64_t cap = scan->view.cap;
    uint32_t left = depth;
    for (const yr_branch *hop = scan->view.branch; hop && left; hop = hop->parent, left--) {
        if (atomic_load_explicit(&hop->own_keys, memory_order_acquire)) { /* pairs with yr_branch_note_key */
            yr_scan_hop *h = &scan->hops[scan->hop_count++];
            h->branch = hop;
            h->cap = yr_memtable_cap(scan->view.mem, cap);
            yr_art_iter_init(&h->iter, scan->view.mem->art);
        }
        cap = yr_lineage_cap(hop, cap);
    }
    return YORE_OK;
}

yore_status yr_scan_init(yr_scan *scan, const yr_view *view, const yore_range *range, yore_error *err)
{
    static const yore_range everything = YORE_RANGE_INIT;
    if (!range) range = &everything;
    *scan = (yr_scan){.view = *view,
                      .env = view->mem->env,
                      .primitive = range->primitive ? range->primitive : YORE_KV,
                      .reverse = range->reverse,
                      .keys_only = range->keys_only,
                      .with_deleted = range->with_deleted,
                      .left = range->limit ? range->limit : UINT64_MAX};
    yore_status status = copy_bounds(scan, range, err);
    if (status == YORE_OK) status = create_hops(scan, range->own_only, err);
    if (status < 0) yr_scan_deinit(scan);
    return status;
}

void yr_scan_deinit(yr_scan *scan)
{
    for (uint32_t i = 0; i < scan->hop_count; i++) yr_art_iter_deinit(&scan->hops[i].iter);
    yr_free(scan->env, scan->hops, scan->hops_bytes);
    yr_free(scan->env, scan->bounds, scan->bounds_bytes);
    *scan = (yr_scan){0};
}

static yore_slice tree_key(yr_scan *scan, uint32_t branch, uint32_t primitive, yore_slice user_key)
{
    yr_put_be32(scan->seek_key, branch);
    scan->seek_key[4] = (uint8_t)primitive;
    if (user_key.size) memcpy(scan->seek_key + YR_TREE_KEY_PREFIX, user_key.data, user_key.size);
    return yore_bytes(scan->seek_key, YR_TREE_KEY_PREFIX + user_key.size);
}

/* The key just behind everything of (branch, primitive). */
static yore_slice space_end(yr_scan *scan, uint32_t branch)
{
    if (scan->primitive < 255) return tree_key(scan, branch, scan->primitive + 1, yore_bytes(NULL, 0));
    return tree_key(scan, branch + 1, 0, yore_bytes(NULL, 0));
}

static bool is_in_range(const yr_scan *scan, const yr_scan_hop *hop, const yr_entry *entry)
{
    if (yr_entry_branch(entry) != hop->branch->id || yr_entry_primitive(entry) != scan->primitive)
        return false;
    yore_slice key = yr_entry_user_key(entry);
    if (scan->reverse) return yr_slice_compare(key, scan->lower) >= 0;
    return !scan->has_upper || yr_slice_compare(key, scan->upper) < 0;
}

/* Position a hop at its first key of this batch. */
static void hop_start(yr_scan *scan, yr_scan_hop *hop)
{
    uint32_t id = hop->branch->id;
    const yr_region *region = &scan->view.mem->region;
    yore_slice skip = scan->last; /* exclusive: was given already */
    bool has_skip = scan->started;
    yr_ref ref;
    if (!scan->reverse) {
        yore_slice from = has_skip ? scan->last : scan->lower;
        ref = yr_art_seek(&hop->iter, tree_key(scan, id, scan->primitive, from));
    } else {
        if (!has_skip && scan->has_upper) {
            skip = scan->upper;
            has_skip = true;
        }
        ref = yr_art_seek_reverse(&hop->iter,
                                  has_skip ? tree_key(scan, id, scan->primitive, skip) : space_end(scan, id));
    }
    if (ref && has_skip) {
        const yr_entry *entry = yr_entry_at(region, ref);
        if (yr_entry_is(entry, id, scan->primitive, skip)) {
            ref = scan->reverse ? yr_art_prev(&hop->iter) : yr_art_next(&hop->iter);
        }
    }
    hop->at = hop->asked = 0;
    hop->count = ref ? 1 : 0;
    hop->refs[0] = ref;
    hop->drained = hop->ended = ref == 0;
}

/* Take the next leaves. */
static void hop_refill(const yr_scan *scan, yr_scan_hop *hop, uint32_t chunk)
{
    uint32_t left = hop->count - hop->at;
    memmove(hop->refs, hop->refs + hop->at, left * sizeof hop->refs[0]);
    hop->asked -= hop->at;
    hop->at = 0;
    uint32_t more = scan->reverse ? yr_art_prev_many(&hop->iter, hop->refs + left, chunk)
                                  : yr_art_next_many(&hop->iter, hop->refs + left, chunk);
    hop->count = left + more;
    hop->drained = more < chunk;
}

/* Have the first lines of the next entries on their way: a few at each row, not many at once, which the processor
 * would queue up behind each other. */
static inline void ask(const yr_region *region, yr_scan_hop *hop)
{
    uint32_t end = hop->at + AHEAD < hop->count ? hop->at + AHEAD : hop->count;
    for (; hop->asked < end; hop->asked++) {
        const uint8_t *entry = yr_region_at(region, hop->refs[hop->asked]);
        __builtin_prefetch(entry);
        __builtin_prefetch(entry + 64);
    }
}

/* Have the rest of an entry's newest version on the way, once the entry itself is there. */
static void prefetch_rest(const yr_region *region, const yr_entry *entry)
{
    const uint8_t *at = (const uint8_t *)entry;
    /* acquire pairs with the push that published it: its size is looked at */
    yr_ref newest = atomic_load_explicit(&entry->newest, memory_order_acquire);
    const yr_version *v = yr_region_at(region, newest);
    if ((const uint8_t *)v > at && (const uint8_t *)v < at + 128) {
        const uint8_t *end = v->data + v->value_bytes; /* its first lines came with the entry */
        __builtin_prefetch(end - 64);
        __builtin_prefetch(end);
    } else if (newest) {
        __builtin_prefetch(v);
        __builtin_prefetch((const uint8_t *)v + 64);
    }
}

/* Have up to `want` entries on the way, as far as that helps. */
static void hop_fill(const yr_scan *scan, yr_scan_hop *hop, uint64_t want)
{
    /* no more than is wanted: what a short scan fetches beyond its end is memory traffic for nothing */
    while (hop->count - hop->at < AHEAD && hop->count - hop->at < want && !hop->drained && !hop->ended) {
        uint64_t lacking = want - (hop->count - hop->at);
        uint32_t take = hop->count == 1 ? CHUNK : TAKE;
        hop_refill(scan, hop, lacking < take ? (uint32_t)lacking : take);
    }
    ask(&scan->view.mem->region, hop);
}

/* The hop's current entry inside the range, or NULL when it has no more. */
static const yr_entry *hop_peek(const yr_scan *scan, yr_scan_hop *hop, uint64_t want)
{
    const yr_region *region = &scan->view.mem->region;
    hop_fill(scan, hop, want);
    if (hop->ended || hop->at == hop->count) return NULL;
    if (hop->count - hop->at > REST_AHEAD) {
        prefetch_rest(region, yr_entry_at(region, hop->refs[hop->at + REST_AHEAD]));
    }
    const yr_entry *entry = yr_entry_at(region, hop->refs[hop->at]);
    if (is_in_range(scan, hop, entry)) return entry;
    hop->ended = true;
    return NULL;
}

/* One key from all hops that have it: the youngest with a version decides. */
static const yr_version *take_key(yr_scan *scan, uint64_t want, const yr_entry **from, bool *any)
{
    const yr_memtable *mem = scan->view.mem;
    const yr_entry *best = NULL;
    for (uint32_t i = 0; i < scan->hop_count; i++) {
        const yr_entry *entry = hop_peek(scan, &scan->hops[i], want);
        if (!entry) continue;
        int order = best ? yr_slice_compare(yr_entry_user_key(entry), yr_entry_user_key(best)) : -1;
        if (!best || (scan->reverse ? order > 0 : order < 0)) best = entry;
    }
    *any = best != NULL;
    if (!best) return NULL;
    const yr_version *found = NULL;
    *from = best;
    for (uint32_t i = 0; i < scan->hop_count; i++) {
        const yr_entry *entry = hop_peek(scan, &scan->hops[i], want);
        if (!entry || !yr_slice_equal(yr_entry_user_key(entry), yr_entry_user_key(best))) continue;
        scan->hops[i].at++;
        if (found) continue;
        found = yr_chain_find(&mem->region, entry, scan->hops[i].cap, scan->view.past);
        if (found) *from = entry;
    }
    return found;
}

void yr_rows_fill_times(const yr_memtable *mem, void *rows, size_t row_size, size_t n)
{
    uint8_t *at = rows;
    if (row_size < offsetof(yore_row, time_ns) + sizeof(int64_t)) return;
    for (size_t i = 0; i < n; i++, at += row_size) {
        uint64_t version;
        memcpy(&version, at + offsetof(yore_row, version), sizeof version);
        int64_t time_ns = yr_commit_time(&mem->commits, version);
        memcpy(at + offsetof(yore_row, time_ns), &time_ns, sizeof time_ns);
    }
}

static void fill_row(const yr_scan *scan, const yr_version *v, const yr_entry *entry, bool visible,
                     yore_row *row)
{
    yr_row_fill(scan->view.mem, v, entry, visible, row);
    if (scan->keys_only) row->value = yore_bytes(NULL, 0);
}

/* A row, built in place where the caller's struct is ours. */
static void emit(const yr_scan *scan, const yr_version *v, const yr_entry *entry, bool visible, void *rows,
                 size_t row_size, size_t i)
{
    if (row_size == sizeof(yore_row)) {
        fill_row(scan, v, entry, visible, (yore_row *)rows + i);
        return;
    }
    yore_row row = {0};
    fill_row(scan, v, entry, visible, &row);
    yr_row_store(rows, row_size, i, &row);
}

/* A key with a version: where a next batch goes on, and a row if it shows. */
static void take_version(yr_scan *scan, const yr_entry *entry, const yr_version *v, void *rows,
                         size_t row_size, size_t *n)
{
    /* the key of a published version stays where it is for as long as the store: no copy */
    scan->last = yr_entry_user_key(entry);
    scan->started = true;
    bool visible = yr_version_is_visible(v, scan->view.time_ns);
    if (!visible && !scan->with_deleted) return;
    emit(scan, v, entry, visible, rows, row_size, (*n)++);
    scan->left--;
}

static void scan_merged(yr_scan *scan, void *rows, size_t row_size, size_t cap, size_t *n)
{
    while (*n < cap && scan->left > 0) {
        const yr_entry *entry;
        bool any;
        uint64_t want = cap - *n < scan->left ? cap - *n : scan->left;
        const yr_version *v = take_key(scan, want, &entry, &any);
        if (!any) {
            scan->ended = true;
            return;
        }
        if (v) take_version(scan, entry, v, rows, row_size, n);
    }
}

/* The common case, a chunk at a time: when a chunk's last entry is in the range, all of it is. */
static void scan_one_hop(yr_scan *scan, void *rows, size_t row_size, size_t cap, size_t *n)
{
    const yr_region *region = &scan->view.mem->region;
    yr_scan_hop *hop = &scan->hops[0];
    while (*n < cap && scan->left > 0) {
        uint64_t want = cap - *n < scan->left ? cap - *n : scan->left;
        hop_fill(scan, hop, want);
        uint32_t chunk = hop->count - hop->at < CHUNK ? hop->count - hop->at : CHUNK;
        if (chunk > want) chunk = (uint32_t)want;
        if (chunk == 0 || hop->ended) {
            scan->ended = true;
            return;
        }
        bool all = is_in_range(scan, hop, yr_entry_at(region, hop->refs[hop->at + chunk - 1]));
        for (; chunk; chunk--, hop->at++) {
            ask(region, hop);
            if (hop->count - hop->at > REST_AHEAD) {
                prefetch_rest(region, yr_entry_at(region, hop->refs[hop->at + REST_AHEAD]));
            }
            const yr_entry *entry = yr_entry_at(region, hop->refs[hop->at]);
            if (!all && !is_in_range(scan, hop, entry)) {
                hop->ended = true;
                break;
            }
            const yr_version *v = yr_chain_find(region, entry, hop->cap, scan->view.past);
            if (v) take_version(scan, entry, v, rows, row_size, n);
        }
    }
}

yore_status yr_scan_next(yr_scan *scan, void *rows, size_t row_size, size_t cap, size_t *n, yore_error *err)
{
    *n = 0;
    if (scan->failed) return yr_fail(err, YORE_ERR_NOMEM, "out of memory in a scan");
    if (scan->ended || scan->left == 0) return YORE_OK;
    yr_epoch_enter();
    for (uint32_t i = 0; i < scan->hop_count; i++) hop_start(scan, &scan->hops[i]);
    if (scan->hop_count == 1) {
        scan_one_hop(scan, rows, row_size, cap, n);
    } else {
        scan_merged(scan, rows, row_size, cap, n);
    }
    yr_epoch_exit();
    yr_rows_fill_times(scan->view.mem, rows, row_size, *n);
    for (uint32_t i = 0; i < scan->hop_count; i++) {
        scan->failed |= scan->hops[i].iter.failed;
    }
    if (scan->failed) {
        *n = 0; /* a scan that goes on after this would be a shorter one */
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory in a scan");
    }
    return YORE_OK;
}
