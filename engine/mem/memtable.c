#include "engine/mem/memtable.h"

#include <inttypes.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"

static void destroy(yr_memtable *mem)
{
    if (mem->art) yr_art_destroy(mem->art);
    if (mem->hash) yr_hash_index_destroy(mem->hash);
    yr_region_deinit(&mem->region);
    yr_free_lines(mem->env, mem, sizeof *mem);
}

yore_status yr_memtable_create(const yore_env *env, uint64_t bytes_max, uint64_t secret,
                               uint64_t base_version, yr_memtable **out, yore_error *err)
{
    if (!bytes_max || bytes_max > YR_REGION_BYTES_MAX) bytes_max = YR_REGION_BYTES_MAX;
    yr_memtable *mem = yr_alloc_lines(env, sizeof *mem);
    if (!mem) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the memory store");
    mem->env = env;
    mem->secret = secret;
    mem->base_version = base_version;
    atomic_init(&mem->refs, 1);
    if (!yr_region_init(&mem->region, env, bytes_max)) {
        yr_free_lines(env, mem, sizeof *mem);
        return yr_fail(err, YORE_ERR_NOMEM, "cannot reserve %" PRIu64 " bytes of address space", bytes_max);
    }
    yr_commit_table_init(&mem->commits, &mem->region, base_version);
    mem->hash = yr_hash_index_create(env, &mem->region, mem->secret);
    mem->art = mem->hash ? yr_art_create(env, &mem->region) : NULL;
    if (mem->art) yr_hash_index_set_tree(mem->hash, mem->art);
    if (!mem->art) {
        destroy(mem);
        return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the indexes");
    }
    *out = mem;
    return YORE_OK;
}

void yr_memtable_ref(yr_memtable *mem)
{
    atomic_fetch_add_explicit(&mem->refs, 1, memory_order_relaxed); /* the caller holds one already */
}

void yr_memtable_unref(yr_memtable *mem)
{
    if (!mem) return;
    /* acq_rel: the last one sees everything the others did before they let go */
    if (atomic_fetch_sub_explicit(&mem->refs, 1, memory_order_acq_rel) == 1) destroy(mem);
}

static void count_add(_Atomic uint64_t *counter, uint64_t n)
{
    /* relaxed: one writer, and stats readers want no order */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static uint64_t entry_bytes(yore_slice user_key)
{
    return (YR_ENTRY_HEADER + user_key.size + 7) & ~UINT64_C(7);
}

/* A first write: entry and version in one block, complete before either index knows it (M2). */
static yr_ref put_first(yr_memtable *mem, const yr_row *row, uint64_t key_hash, uint32_t delta, bool alone)
{
    uint64_t head = entry_bytes(row->key), bytes = head + yr_version_bytes(row);
    yr_ref ref = yr_region_alloc(&mem->region, bytes);
    if (!ref) return 0;
    yr_entry *entry = yr_region_at(&mem->region, ref);
    yr_ref version = ref + (yr_ref)(head / YR_REGION_UNIT);
    atomic_store_explicit(&entry->newest, version, memory_order_relaxed); /* published by the indexes */
    atomic_store_explicit(&entry->hist, 0, memory_order_relaxed);
    entry->key_bytes = (uint16_t)row->key.size;
    entry->flags = 0;
    yr_put_be32(entry->tree_key, row->branch);
    entry->tree_key[4] = row->primitive;
    memcpy(entry->tree_key + YR_TREE_KEY_PREFIX, row->key.data, row->key.size);
    yr_version_write(yr_region_at(&mem->region, version), row, delta);

    if (mem->has_ghosts) alone = false; /* settling would take a ghost of this key for the key */
    yore_status inserted = alone ? yr_art_insert_later(mem->art, ref) : yr_art_insert(mem->art, ref);
    if (inserted != YORE_OK) {
        yr_region_free(&mem->region, ref, bytes);
        return 0;
    }
    if (!yr_hash_index_insert(mem->hash, yr_branch_hash(key_hash, row->branch), ref)) {
        /* Readers may have met the entry in the tree: it goes through the epoch. */
        yore_status removed = YORE_OK;
        if (!yr_art_cancel_later(mem->art, ref))
            removed = yr_art_remove(mem->art, yr_entry_tree_key(entry), NULL);
        if (removed == YORE_OK) {
            yr_region_retire(&mem->region, ref, bytes);
        } else {
            atomic_store_explicit(&entry->newest, 0,
                                  memory_order_release); /* stays, empty, in the tree only */
            mem->has_ghosts = true;
        }
        return 0;
    }
    return ref;
}

/* A further version of an entry. */
static enum yr_put put_next(yr_memtable *mem, const yr_row *row, yr_ref ref, uint32_t delta)
{
    yr_entry *entry = yr_region_at(&mem->region, ref);
    uint32_t newest = yr_chain_newest_delta(&mem->region, entry);
    if (newest >= delta) return YR_PUT_DUPLICATE;
    uint64_t bytes = yr_version_bytes(row);
    yr_ref v = yr_region_alloc(&mem->region, bytes);
    if (!v) return YR_PUT_NO_MEMORY;
    yr_version_write(yr_region_at(&mem->region, v), row, delta);
    if (!yr_chain_push(&mem->region, entry, v)) {
        yr_region_free(&mem->region, v, bytes);
        return YR_PUT_NO_MEMORY;
    }
    return newest ? YR_PUT_NEXT : YR_PUT_NEW; /* an entry whose only write was taken back is as good as new */
}

enum yr_put yr_memtable_put(yr_memtable *mem, const yr_row *row, uint64_t key_hash, uint64_t version,
                            bool alone, yr_ref *entry)
{
    YR_ASSERT(version > mem->base_version);
    if (version - mem->base_version >= UINT32_MAX) return YR_PUT_NO_MEMORY;
    uint32_t delta = (uint32_t)(version - mem->base_version);
    bool is_system = row->primitive == YORE_SYSTEM;
    yr_ref ref = yr_memtable_find(mem, key_hash, row->branch, row->primitive, row->key);
    enum yr_put put = YR_PUT_NEW;
    if (ref) {
        put = put_next(mem, row, ref, delta);
        if (put == YR_PUT_DUPLICATE || put == YR_PUT_NO_MEMORY) return put;
    } else {
        ref = put_first(mem, row, key_hash, delta, alone);
        if (!ref) return YR_PUT_NO_MEMORY;
        count_add(&mem->keys, 1);
        if (is_system) count_add(&mem->system_keys, 1);
        count_add(&mem->key_bytes, row->key.size);
    }
    count_add(&mem->versions, 1);
    if (is_system) count_add(&mem->system_versions, 1);
    count_add(&mem->value_bytes, row->value.size + row->meta.size);
    *entry = ref;
    return put;
}

void yr_memtable_undo(yr_memtable *mem, yr_ref entry_ref)
{
    yr_entry *entry = yr_region_at(&mem->region, entry_ref);
    const yr_version *v = yr_chain_newest(&mem->region, entry);
    YR_ASSERT(v != NULL);
    count_add(&mem->versions, (uint64_t)-1);
    if (yr_entry_primitive(entry) == YORE_SYSTEM) count_add(&mem->system_versions, (uint64_t)-1);
    count_add(&mem->value_bytes, (uint64_t)0 - v->value_bytes - v->meta_bytes);
    yr_chain_pop(&mem->region, entry); /* an entry left without a version reads as absent */
}

uint64_t yr_memtable_bytes(const yr_memtable *mem)
{
    /* relaxed: a statistic */
    return atomic_load_explicit(&mem->region.used, memory_order_relaxed) -
           atomic_load_explicit(&mem->region.free_bytes, memory_order_relaxed) +
           yr_hash_index_bytes(mem->hash) + sizeof *mem;
}

yore_status yr_memtable_check(const yr_memtable *mem, yore_error *err)
{
    const char *problem = NULL;
    if (!yr_hash_index_check(mem->hash, &problem) || !yr_art_check(mem->art, &problem)) {
        if (strcmp(problem, YR_CHECK_NO_MEMORY) == 0) return yr_fail(err, YORE_ERR_NOMEM, "%s", problem);
        return yr_fail(err, YORE_ERR_CORRUPT, "memory store: %s", problem);
    }
    uint64_t count = 0;
    yr_art_iter iter;
    yore_status status = YORE_OK;
    yr_art_iter_init(&iter, mem->art);
    yr_epoch_enter();
    for (yr_ref ref = yr_art_seek(&iter, yore_bytes(NULL, 0)); ref; ref = yr_art_next(&iter)) {
        const yr_entry *entry = yr_entry_at(&mem->region, ref);
        yore_slice key = yr_entry_user_key(entry);
        uint64_t h = yr_memtable_key_hash(mem, yr_entry_primitive(entry), key);
        yr_ref found = yr_memtable_find(mem, h, yr_entry_branch(entry), yr_entry_primitive(entry), key);
        if (found != ref) problem = "an entry of the tree is not in the hash index";
        if (problem || !yr_chain_check(&mem->region, entry, &problem)) break;
        count++;
    }
    yr_epoch_exit();
    if (!problem && iter.failed)
        status = yr_fail(err, YORE_ERR_NOMEM, "out of memory while walking the tree");
    yr_art_iter_deinit(&iter);
    if (!problem && status == YORE_OK && count != yr_hash_index_count(mem->hash)) {
        problem = "the two indexes hold different numbers of entries";
    }
    return problem ? yr_fail(err, YORE_ERR_CORRUPT, "memory store: %s", problem) : status;
}
