#include "engine/mvcc/apply.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"

static void count_step(_Atomic uint64_t *counter, uint64_t step)
{
    /* release: own_keys is read with acquire to decide whether a hop has anything; one writer */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + step,
                          memory_order_release);
}

/* Hash every key a branch has in a memtable. The writer is the caller, so the tree is quiet. */
static bool walk_memtable(const yr_memtable *mem, const yr_branch *branch, yr_key_hash_sink sink,
                          void *sink_arg)
{
    if (yr_art_settle(mem->art) != YORE_OK) return false;
    uint8_t first[YR_TREE_KEY_PREFIX];
    yr_put_be32(first, branch->id);
    first[4] = 0;
    yr_art_iter iter;
    yr_art_iter_init(&iter, mem->art);
    for (yr_ref ref = yr_art_seek(&iter, yore_bytes(first, sizeof first)); ref; ref = yr_art_next(&iter)) {
        const yr_entry *entry = yr_entry_at(&mem->region, ref);
        if (yr_entry_branch(entry) != branch->id) break;
        sink(sink_arg, yr_memtable_key_hash(mem, yr_entry_primitive(entry), yr_entry_user_key(entry)));
    }
    bool ok = !iter.failed;
    yr_art_iter_deinit(&iter);
    return ok;
}

/* For a filter that grows: what is in runs by now it will not know, nor what merges have dropped from them and older
 * layers still have. */
static bool walk_own_keys(void *arg, yr_branch *branch, yr_key_hash_sink sink, void *sink_arg)
{
    const yr_store *store = arg;
    const yr_layers *layers = yr_store_layers(store);
    bool ok = true;
    for (uint32_t i = 0; i < layers->mem_count && ok; i++) {
        ok = walk_memtable(layers->mems[i], branch, sink, sink_arg);
    }
    /* relaxed: the release of the grown filter, which comes next, orders it for whoever reads that */
    uint64_t flushed = yr_layers_flushed(layers);
    bool has_older = atomic_load_explicit(&branch->head, memory_order_relaxed) &&
                     atomic_load_explicit(&branch->first, memory_order_relaxed) <= flushed;
    if (ok && has_older && flushed > atomic_load_explicit(&branch->filtered_from, memory_order_relaxed))
        atomic_store_explicit(&branch->filtered_from, flushed, memory_order_relaxed);
    return ok;
}

static void undo_rows(yr_store *store, yr_branch *branch, const yr_row *rows, const yr_ref *entries,
                      const uint8_t *is_new, uint32_t count)
{
    while (count-- > 0) {
        yr_memtable_undo(store->mem, entries[count]);
        if (!branch) continue;
        count_step(&branch->own_bytes, (uint64_t)0 - rows[count].value.size - rows[count].meta.size);
        if (is_new[count]) count_step(&branch->own_keys, (uint64_t)-1);
    }
}

/* Put one row; on YR_PUT_NEW and YR_PUT_NEXT it went in. */
static enum yr_put put_row(yr_store *store, yr_branch *branch, const yr_row *row, uint64_t key_hash,
                           uint64_t version, bool alone, yr_ref *entry)
{
    enum yr_put put = yr_memtable_put(store->mem, row, key_hash, version, alone, entry);
    if (put == YR_PUT_DUPLICATE || put == YR_PUT_NO_MEMORY || !branch) return put;
    if (put == YR_PUT_NEW && !yr_branch_note_key(store->catalog, branch, key_hash, walk_own_keys, store)) {
        yr_memtable_undo(store->mem, *entry);
        return YR_PUT_NO_MEMORY;
    }
    count_step(&branch->own_bytes, row->value.size + row->meta.size);
    return put;
}

enum { AHEAD = 16 }; /* rows whose way through both indexes is fetched together */

/* Overlap the cache misses of some rows: hash buckets, then the entries that exist, then the tree's nodes for
 * those that do not. */
static void prefetch_rows(const yr_store *store, const yr_row *rows, const uint64_t *key_hashes, uint32_t n)
{
    const yr_memtable *mem = store->mem;
    yr_art_ahead fresh[AHEAD];
    uint32_t fresh_count = 0;
    for (uint32_t i = 0; i < n; i++) {
        yr_hash_index_prefetch_bucket(mem->hash, yr_branch_hash(key_hashes[i], rows[i].branch));
    }
    for (uint32_t i = 0; i < n; i++) {
        if (yr_hash_index_prefetch_entry(mem->hash, yr_branch_hash(key_hashes[i], rows[i].branch))) continue;
        yr_art_ahead *key = &fresh[fresh_count++];
        yr_put_be32(key->head, rows[i].branch);
        key->head[4] = rows[i].primitive;
        key->user_key = rows[i].key;
    }
    yr_art_prefetch(mem->art, fresh, fresh_count);
}

yore_status yr_apply(yr_store *store, yr_branch *branch, const yr_commit_head *head, const yr_row *rows,
                     const uint64_t *key_hashes, uint32_t row_count, yore_error *err)
{
    yr_ref few_entries[16] = {0};
    uint8_t few_new[16] = {0};
    yr_ref *entries = few_entries;
    uint8_t *is_new = few_new;
    uint32_t done = 0;
    bool alone = row_count == 1 && branch; /* registry rows are listed by readers that settle nothing */
    uint64_t prev = branch ? atomic_load_explicit(&branch->head, memory_order_relaxed) : 0; /* one writer */
    if (row_count > 16) {
        entries = yr_arena_alloc(&store->scratch, row_count * sizeof *entries);
        is_new = yr_arena_alloc(&store->scratch, row_count);
        if (!entries || !is_new) goto nomem;
    }
    for (; done < row_count; done++) {
        if (done % AHEAD == 0 && row_count > 1) {
            uint32_t n = row_count - done < AHEAD ? row_count - done : AHEAD;
            prefetch_rows(store, rows + done, key_hashes + done, n);
        }
        /* planted: the order in which a weaker machine may let a reader see the stores */
        if (YR_BUG(RELAXED_PUBLISH)) {
            atomic_store_explicit(&store->visible, head->version, memory_order_relaxed);
            yr_point(store->env, "published-early");
        }
        enum yr_put put =
            put_row(store, branch, &rows[done], key_hashes[done], head->version, alone, &entries[done]);
        if (put == YR_PUT_DUPLICATE) goto duplicate;
        if (put == YR_PUT_NO_MEMORY) goto nomem;
        is_new[done] = put == YR_PUT_NEW;
    }
    if (!yr_commit_table_append(&store->mem->commits, head, entries, row_count, prev)) goto nomem;
    /* release pairs with yr_branch_head_at; a head above the visible version is walked over there */
    if (branch) {
        if (!prev) atomic_store_explicit(&branch->first, head->version, memory_order_relaxed);
        atomic_store_explicit(&branch->head, head->version, memory_order_release);
    }
    return YORE_OK;
duplicate:
    undo_rows(store, branch, rows, entries, is_new, done);
    return yr_fail(err, YORE_ERR_CORRUPT, "commit v%llu writes a key twice",
                   (unsigned long long)head->version);
nomem:
    undo_rows(store, branch, rows, entries, is_new, done);
    return yr_fail(err, YORE_ERR_NOMEM,
                   "the memory store is full (%llu bytes); open with a larger memory limit",
                   (unsigned long long)yr_memtable_bytes(store->mem));
}

void yr_apply_advance(yr_store *store, const yr_commit_head *head)
{
    store->last_version = head->version;
    store->last_time_ns = head->time_ns;
    if (head->kind == YORE_COMMIT_DATA) store->last_data_time_ns = head->time_ns;
}
