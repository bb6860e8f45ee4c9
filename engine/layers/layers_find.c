#include "engine/layers/layers_find.h"

static yore_slice tree_key_of(const yr_lookup *key, uint32_t branch, uint8_t *bytes)
{
    yr_put_be32(bytes, branch);
    bytes[4] = (uint8_t)key->primitive;
    if (key->user_key.size) memcpy(bytes + YR_TREE_KEY_PREFIX, key->user_key.data, key->user_key.size);
    return yore_bytes(bytes, YR_TREE_KEY_PREFIX + key->user_key.size);
}

static yore_status take_hit(const yr_layers *layers, yr_segment_hit *hit, uint32_t branch, yr_found *out,
                            yore_error *err)
{
    const yr_segment_row *row = &hit->row;
    *out = (yr_found){.value = row->value,
                      .meta = row->meta,
                      .version = row->version,
                      .expiry_ns = row->expiry_ns,
                      .branch = branch,
                      .op = row->op,
                      .type = row->type};
    if (hit->record.entry) out->pins[out->pin_count++] = hit->record;
    if (hit->older.entry) out->pins[out->pin_count++] = hit->older;
    if (!row->is_reference) return YORE_OK;
    yr_block_pin pin;
    yore_status status = yr_layers_value(layers, row, &out->value, &pin, err);
    if (status < 0) yr_found_release(out);
    if (status == YORE_OK && pin.entry) out->pins[out->pin_count++] = pin;
    return status;
}

/* Where a key is looked for, run by run. */
typedef struct run_search {
    const yr_layers *layers;
    uint32_t branch;
    uint64_t cap, absent_from;
} run_search;

static inline yore_status search_runs(const run_search *at, const yr_lookup *key, uint8_t *bytes,
                                      yr_found *out, yore_error *err)
{
    yore_slice tree_key = tree_key_of(key, at->branch, bytes);
    uint64_t hash = yr_branch_hash(key->key_hash, at->branch);
    yr_segment_hit hit;
    for (uint32_t i = 0; i < at->layers->run_count; i++) {
        yr_run *run = at->layers->runs[i];
        uint64_t after = yr_run_after(run);
        if (at->cap <= after || after >= at->absent_from || !yr_run_has_branch(run, at->branch)) continue;
        yore_status status = yr_run_find(run, tree_key, hash, at->cap, &hit, err);
        if (status == YORE_OK) status = take_hit(at->layers, &hit, at->branch, out, err);
        if (status != YORE_NOT_FOUND) return status;
    }
    return YORE_NOT_FOUND;
}

/* Out of line: it has room for the longest key on the stack. */
static __attribute__((noinline)) yore_status search_runs_long(const run_search *at, const yr_lookup *key,
                                                              yr_found *out, yore_error *err)
{
    YR_SCRATCH uint8_t bytes[YR_SEGMENT_TREE_KEY_MAX];
    return search_runs(at, key, bytes, out, err);
}

static yore_status find_in_runs(const yr_layers *layers, const yr_lookup *key, uint32_t branch, uint64_t cap,
                                uint64_t absent_from, yr_found *out, yore_error *err)
{
    YR_SCRATCH uint8_t bytes[256];
    const run_search at = {layers, branch, cap, absent_from};
    if (YR_TREE_KEY_PREFIX + key->user_key.size > sizeof bytes) return search_runs_long(&at, key, out, err);
    return search_runs(&at, key, bytes, out, err);
}

yore_status yr_layers_find(const yr_layers *layers, const yr_lookup *key, uint32_t branch, uint64_t cap,
                           uint64_t absent_from, bool past, yr_found *out, yore_error *err)
{
    for (uint32_t i = 0; i < layers->mem_count; i++) {
        const yr_memtable *mem = layers->mems[i];
        if (cap <= mem->base_version || mem->base_version >= absent_from) continue;
        yr_ref ref = yr_memtable_find(mem, key->key_hash, branch, key->primitive, key->user_key);
        if (!ref) continue;
        const yr_version *v =
            yr_chain_find(&mem->region, yr_entry_at(&mem->region, ref), yr_memtable_cap(mem, cap), past);
        if (!v) continue;
        yr_found_in_memory(out, mem, v, branch);
        return YORE_OK;
    }
    if (layers->run_count == 0) return YORE_NOT_FOUND;
    return find_in_runs(layers, key, branch, cap, absent_from, out, err);
}

yore_status yr_layers_newest(const yr_layers *layers, const yr_lookup *key, uint32_t branch, uint64_t above,
                             uint64_t *version, yore_error *err)
{
    *version = 0;
    for (uint32_t i = 0; i < layers->mem_count; i++) {
        const yr_memtable *mem = layers->mems[i];
        yr_ref ref = yr_memtable_find(mem, key->key_hash, branch, key->primitive, key->user_key);
        uint32_t delta = ref ? yr_chain_newest_delta(&mem->region, yr_entry_at(&mem->region, ref)) : 0;
        if (delta) {
            *version = mem->base_version + delta;
            return YORE_OK;
        }
        if (mem->base_version <= above) return YORE_OK;
    }
    yr_found found;
    yore_status status = find_in_runs(layers, key, branch, UINT64_MAX, UINT64_MAX, &found, err);
    if (status < 0) return status;
    if (status == YORE_OK) {
        *version = found.version;
        yr_found_release(&found);
    }
    return YORE_OK;
}
