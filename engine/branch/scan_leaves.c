/* A memtable under a listing: leaves of the tree, taken in long runs, their lines fetched ahead. */
#include "engine/branch/scan_source.h"

enum { REST_AHEAD = 12 /* by then an entry's first line has come, and says where the rest is */ };

void yr_scan_leaves_init(yr_scan_source *source, const yr_memtable *mem, uint64_t cap)
{
    yr_scan_leaves *leaves = &source->u.leaves;
    source->is_run = false;
    leaves->mem = mem;
    leaves->cap = yr_memtable_cap(mem, cap);
    yr_art_iter_init(&leaves->iter, mem->art);
}

/* The key just behind everything of (branch, primitive). */
static yore_slice space_end(yr_scan *scan, uint32_t branch)
{
    if (scan->primitive < 255)
        return yr_scan_tree_key(scan, branch, scan->primitive + 1, yore_bytes(NULL, 0));
    return yr_scan_tree_key(scan, branch + 1, 0, yore_bytes(NULL, 0));
}

static bool is_in_range(const yr_scan *scan, const yr_scan_source *source, const yr_entry *entry)
{
    return yr_entry_branch(entry) == source->branch->id && yr_entry_primitive(entry) == scan->primitive &&
           yr_scan_has(scan, yr_entry_user_key(entry));
}

void yr_scan_leaves_start(yr_scan *scan, yr_scan_source *source)
{
    yr_scan_leaves *leaves = &source->u.leaves;
    uint32_t id = source->branch->id;
    const yr_region *region = &leaves->mem->region;
    yore_slice skip = scan->last; /* exclusive: was given already */
    bool has_skip = scan->started;
    yr_ref ref;
    if (!scan->reverse) {
        yore_slice from = has_skip ? scan->last : scan->lower;
        ref = yr_art_seek(&leaves->iter, yr_scan_tree_key(scan, id, scan->primitive, from));
    } else {
        if (!has_skip && scan->has_upper) {
            skip = scan->upper;
            has_skip = true;
        }
        ref = yr_art_seek_reverse(&leaves->iter, has_skip ? yr_scan_tree_key(scan, id, scan->primitive, skip)
                                                          : space_end(scan, id));
    }
    if (ref && has_skip) {
        const yr_entry *entry = yr_entry_at(region, ref);
        if (yr_entry_is(entry, id, scan->primitive, skip)) {
            ref = scan->reverse ? yr_art_prev(&leaves->iter) : yr_art_next(&leaves->iter);
        }
    }
    leaves->at = leaves->asked = 0;
    leaves->count = ref ? 1 : 0;
    leaves->refs[0] = ref;
    leaves->drained = source->ended = ref == 0;
}

/* Take the next leaves. */
static void refill(const yr_scan *scan, yr_scan_leaves *leaves, uint32_t chunk)
{
    uint32_t left = leaves->count - leaves->at;
    memmove(leaves->refs, leaves->refs + leaves->at, left * sizeof leaves->refs[0]);
    leaves->asked -= leaves->at;
    leaves->at = 0;
    uint32_t more = scan->reverse ? yr_art_prev_many(&leaves->iter, leaves->refs + left, chunk)
                                  : yr_art_next_many(&leaves->iter, leaves->refs + left, chunk);
    leaves->count = left + more;
    leaves->drained = more < chunk;
}

/* Have the first lines of the next entries on their way: a few at each row, not many at once, which the processor
 * would queue up behind each other. */
static inline void ask(const yr_region *region, yr_scan_leaves *leaves)
{
    uint32_t end = leaves->at + YR_SCAN_AHEAD < leaves->count ? leaves->at + YR_SCAN_AHEAD : leaves->count;
    for (; leaves->asked < end; leaves->asked++) {
        const uint8_t *entry = yr_region_at(region, leaves->refs[leaves->asked]);
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
static void fill(const yr_scan *scan, yr_scan_source *source, uint64_t want)
{
    yr_scan_leaves *leaves = &source->u.leaves;
    /* no more than is wanted: what a short scan fetches beyond its end is memory traffic for nothing */
    while (leaves->count - leaves->at < YR_SCAN_AHEAD && leaves->count - leaves->at < want &&
           !leaves->drained && !source->ended) {
        uint64_t lacking = want - (leaves->count - leaves->at);
        uint32_t take = leaves->count == 1 ? YR_SCAN_CHUNK : YR_SCAN_TAKE;
        refill(scan, leaves, lacking < take ? (uint32_t)lacking : take);
    }
    ask(&leaves->mem->region, leaves);
}

const yr_entry *yr_scan_leaves_peek(const yr_scan *scan, yr_scan_source *source, uint64_t want)
{
    yr_scan_leaves *leaves = &source->u.leaves;
    const yr_region *region = &leaves->mem->region;
    fill(scan, source, want);
    if (source->ended || leaves->at == leaves->count) return NULL;
    if (leaves->count - leaves->at > REST_AHEAD) {
        prefetch_rest(region, yr_entry_at(region, leaves->refs[leaves->at + REST_AHEAD]));
    }
    const yr_entry *entry = yr_entry_at(region, leaves->refs[leaves->at]);
    if (is_in_range(scan, source, entry)) return entry;
    source->ended = true;
    return NULL;
}

/* The common case, a chunk at a time: when a chunk's last entry is in the range, all of it is. */
void yr_scan_leaves_run(yr_scan *scan, yr_scan_source *source, void *rows, size_t row_size, size_t cap,
                        size_t *n)
{
    yr_scan_leaves *leaves = &source->u.leaves;
    const yr_memtable *mem = leaves->mem;
    const yr_region *region = &mem->region;
    while (*n < cap && scan->left > 0) {
        uint64_t want = cap - *n < scan->left ? cap - *n : scan->left;
        fill(scan, source, want);
        uint32_t left = leaves->count - leaves->at;
        uint32_t chunk = left < YR_SCAN_CHUNK ? left : YR_SCAN_CHUNK;
        if (chunk > want) chunk = (uint32_t)want;
        if (chunk == 0 || source->ended) {
            scan->ended = true;
            return;
        }
        bool all = is_in_range(scan, source, yr_entry_at(region, leaves->refs[leaves->at + chunk - 1]));
        for (; chunk; chunk--, leaves->at++) {
            ask(region, leaves);
            if (leaves->count - leaves->at > REST_AHEAD) {
                prefetch_rest(region, yr_entry_at(region, leaves->refs[leaves->at + REST_AHEAD]));
            }
            const yr_entry *entry = yr_entry_at(region, leaves->refs[leaves->at]);
            if (!all && !is_in_range(scan, source, entry)) {
                source->ended = true;
                break;
            }
            const yr_version *v = yr_chain_find(region, entry, leaves->cap, scan->view.past);
            if (v) yr_scan_take_version(scan, mem, entry, v, rows, row_size, n);
        }
    }
}
