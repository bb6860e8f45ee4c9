#include "engine/branch/skip.h"

#include "engine/base/epoch.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"

enum { NEAR = 32, FAR = 7 * NEAR };

_Static_assert(FAR < (1 << YR_SKIP_HOP_BITS), "hops of a span can be numbered");

/* The depth at which a span ends; 1 more than the root's at least. */
static uint32_t span_end(uint32_t depth)
{
    uint32_t step = depth % NEAR ? NEAR : FAR;
    uint32_t end = (depth - 1) / step * step;
    return end < 2 ? 2 : end;
}

static uint32_t span_hops(const yr_branch *branch)
{
    return branch->depth - span_end(branch->depth);
}

uint64_t yr_skip_estimate(const yr_branch *branch)
{
    uint64_t keys = 0;
    uint32_t left = span_hops(branch);
    for (const yr_branch *hop = branch->parent; left-- > 0; hop = hop->parent)
        keys += atomic_load_explicit(&hop->own_keys, memory_order_relaxed);
    return keys;
}

/* -- making one -- */

typedef struct skip_build {
    const yr_layers *layers;
    const yore_env *env;
    yr_skip *skip;
} skip_build;

static uint64_t skip_bytes(uint32_t slots)
{
    return sizeof(yr_skip) + slots * sizeof(uint32_t);
}

static yr_skip *table_create(const yore_env *env, uint32_t slots)
{
    yr_skip *skip = yr_alloc_zero(env, skip_bytes(slots));
    if (!skip) return NULL;
    skip->slot_count = slots;
    skip->bytes = skip_bytes(slots);
    return skip;
}

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory while flattening a lineage");
}

static void put_slot(yr_skip *skip, uint32_t at, uint32_t slot)
{
    uint32_t mask = skip->slot_count - 1;
    while (skip->slots[at & mask]) at++;
    skip->slots[at & mask] = slot;
}

/* The index bits of a slot's key are not in it, so a table that is full is left and the hops are read again into a
 * larger one: estimates are seldom wrong. */
static yore_status add_key(skip_build *build, uint64_t key_hash, uint32_t hop)
{
    yr_skip *skip = build->skip;
    if (yr_skip_find(skip, key_hash)) return YORE_OK; /* a younger hop has it, or one that looks the same */
    if ((skip->key_count + 1) * 4 > skip->slot_count * (uint64_t)3) return YORE_CONFLICT;
    skip->key_count++;
    uint32_t tag = (uint32_t)(key_hash >> 32) >> YR_SKIP_HOP_BITS;
    put_slot(skip, (uint32_t)key_hash, tag << YR_SKIP_HOP_BITS | (hop + 1));
    return YORE_OK;
}

static yore_status add_memtable(skip_build *build, const yr_memtable *mem, uint32_t hop, yore_error *err)
{
    const yr_skip_hop *at = &build->skip->hops[hop];
    if (at->cap <= mem->base_version) return YORE_OK;
    yore_status status = YORE_OK;
    yr_art_iter iter;
    uint8_t first[YR_TREE_KEY_PREFIX] = {0};
    yr_put_be32(first, at->branch->id);
    yr_art_iter_init(&iter, mem->art);
    yr_epoch_enter();
    for (yr_ref ref = yr_art_seek(&iter, yore_bytes(first, sizeof first)); ref && status == YORE_OK;
         ref = yr_art_next(&iter)) {
        const yr_entry *entry = yr_entry_at(&mem->region, ref);
        if (yr_entry_branch(entry) != at->branch->id) break;
        status = add_key(build,
                         yr_memtable_key_hash(mem, yr_entry_primitive(entry), yr_entry_user_key(entry)), hop);
    }
    yr_epoch_exit();
    if (iter.failed) status = no_memory(err);
    yr_art_iter_deinit(&iter);
    return status;
}

static yore_status add_run(skip_build *build, yr_run *run, uint32_t hop, yore_error *err)
{
    const yr_skip_hop *at = &build->skip->hops[hop];
    uint8_t prefix[4];
    yr_run_cursor cursor;
    yr_segment_row row;
    if (at->cap <= yr_run_after(run) || !yr_run_has_branch(run, at->branch->id)) return YORE_OK;
    yr_put_be32(prefix, at->branch->id);
    yr_run_cursor_init(&cursor, run, at->cap, yore_bytes(prefix, sizeof prefix));
    yore_status status = yr_run_cursor_seek(&cursor, yore_bytes(prefix, sizeof prefix), &row, err);
    while (status == YORE_OK) {
        const uint8_t *key = row.tree_key.data;
        yore_slice user_key = yore_bytes(key + YR_TREE_KEY_PREFIX, row.tree_key.size - YR_TREE_KEY_PREFIX);
        status = add_key(build, yr_layers_key_hash(build->layers, key[4], user_key), hop);
        if (status == YORE_OK) status = yr_run_cursor_next(&cursor, &row, err);
    }
    yr_run_cursor_deinit(&cursor);
    return status == YORE_END ? YORE_OK : status;
}

/* Youngest hop first, so that the first one that has a key is the one that stays. */
static yore_status add_hops(skip_build *build, yore_error *err)
{
    const yr_layers *layers = build->layers;
    yore_status status = YORE_OK;
    for (uint32_t hop = 0; hop < build->skip->hop_count && status == YORE_OK; hop++) {
        for (uint32_t i = 0; i < layers->mem_count && status == YORE_OK; i++)
            status = add_memtable(build, layers->mems[i], hop, err);
        for (uint32_t i = 0; i < layers->run_count && status == YORE_OK; i++)
            status = add_run(build, layers->runs[i], hop, err);
    }
    return status;
}

static bool add_span(skip_build *build, const yr_branch *branch)
{
    yr_skip *skip = build->skip;
    uint32_t hops = span_hops(branch);
    skip->hops = yr_alloc(build->env, hops * sizeof *skip->hops);
    if (!skip->hops) return false;
    skip->hop_count = hops;
    skip->bytes += hops * sizeof *skip->hops;
    uint64_t cap = UINT64_MAX;
    const yr_branch *hop = branch;
    for (uint32_t i = 0; i < hops; i++) {
        cap = yr_lineage_cap(hop, cap);
        hop = hop->parent;
        skip->hops[i] = (yr_skip_hop){hop, cap};
    }
    return true;
}

/* Asked when the layers are held: what is not trimmed by now is all in them. */
static bool is_whole(const yr_skip *skip)
{
    bool whole = true;
    for (uint32_t i = 0; i < skip->hop_count && whole; i++) {
        const yr_branch *hop = skip->hops[i].branch;
        whole = yr_branch_trimmed(hop) == 0 && !yr_branch_is_purged(hop);
    }
    return whole;
}

void yr_skip_destroy(const yore_env *env, yr_skip *skip)
{
    if (!skip) return;
    yr_free(env, skip->hops, skip->hop_count * sizeof *skip->hops);
    yr_free(env, skip, skip_bytes(skip->slot_count));
}

yore_status yr_skip_build(yr_catalog *catalog, const yr_layers *layers, yr_branch *branch, uint64_t bytes_max,
                          yore_error *err)
{
    skip_build build = {.layers = layers, .env = layers->env};
    uint64_t keys = yr_skip_estimate(branch), used = yr_catalog_skip_bytes(catalog);
    uint32_t slots = 16;
    while (slots * (uint64_t)3 < keys * 4 && slots < UINT32_MAX / 8) slots *= 2;
    yore_status status = YORE_CONFLICT;
    while (status == YORE_CONFLICT) { /* more keys than was thought */
        yr_skip_destroy(build.env, build.skip);
        build.skip = NULL;
        if (slots >= UINT32_MAX / 8 || used + skip_bytes(slots) > bytes_max)
            return yr_fail(err, YORE_ERR_LIMIT, "there is no room in memory for flattening more lineages");
        build.skip = table_create(build.env, slots);
        status = build.skip && add_span(&build, branch) ? add_hops(&build, err) : no_memory(err);
        slots *= 2;
    }
    if (status == YORE_OK) build.skip->is_complete = is_whole(build.skip);
    /* another thread may have given one meanwhile, as good as this */
    if (status != YORE_OK || !yr_catalog_give_skip(catalog, branch, build.skip))
        yr_skip_destroy(build.env, build.skip);
    return status;
}

/* -- counting -- */

void yr_skip_note(const yr_branch *reader, const yr_branch *start, uint32_t cost)
{
    /* Counts are no part of what a branch is; they may miss some of what threads add at once. */
    yr_branch *from = (yr_branch *)(uintptr_t)start, *asker = (yr_branch *)(uintptr_t)reader;
    uint32_t limit = atomic_load_explicit(&from->skip_limit, memory_order_relaxed);
    if (limit == YR_SKIP_NEVER || start->depth < YR_SKIP_DEPTH_MIN) return;
    uint32_t spent = atomic_load_explicit(&from->skip_cost, memory_order_relaxed);
    if (spent < limit) {
        atomic_store_explicit(&from->skip_cost, spent + cost, memory_order_relaxed);
    } else {
        atomic_store_explicit(&asker->skip_wanted, start->id, memory_order_relaxed);
    }
}
