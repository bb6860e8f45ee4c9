#include "engine/layers/layers.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"

static size_t bytes_of(uint32_t run_count)
{
    return sizeof(yr_layers) + run_count * sizeof(yr_run *);
}

yr_layers *yr_layers_reserve(const yore_env *env, void *owner, uint32_t run_count)
{
    yr_layers *layers = yr_alloc_zero(env, bytes_of(run_count));
    if (!layers) return NULL;
    atomic_init(&layers->refs, 1);
    layers->env = env;
    layers->owner = owner;
    layers->run_count = run_count;
    return layers;
}

void yr_layers_fill(yr_layers *layers, yr_memtable *const *mems, uint32_t mem_count, yr_run *const *runs,
                    yr_value_set *values)
{
    YR_ASSERT(mem_count > 0 && mem_count <= YR_LAYERS_MEMS_MAX);
    layers->secret = mems[0]->secret;
    layers->mem_count = mem_count;
    for (uint32_t i = 0; i < mem_count; i++) {
        yr_memtable_ref(mems[i]);
        layers->mems[i] = mems[i];
    }
    for (uint32_t i = 0; i < layers->run_count; i++) {
        yr_run_ref(runs[i]);
        layers->runs[i] = runs[i];
    }
    if (values) yr_value_set_ref(values);
    layers->values = values;
}

void yr_layers_unref(yr_layers *layers)
{
    /* acq_rel: the last one sees everything the others did before they let go */
    if (!layers || atomic_fetch_sub_explicit(&layers->refs, 1, memory_order_acq_rel) != 1) return;
    for (uint32_t i = 0; i < layers->mem_count; i++) yr_memtable_unref(layers->mems[i]);
    /* one that was reserved in vain is empty */
    for (uint32_t i = 0; layers->mem_count && i < layers->run_count; i++) yr_run_unref(layers->runs[i]);
    yr_value_set_unref(layers->values);
    yr_free(layers->env, layers, bytes_of(layers->run_count));
}

yr_run *yr_layers_run_of(const yr_layers *layers, uint64_t version)
{
    for (uint32_t i = 0; i < layers->run_count; i++) {
        if (version > yr_run_after(layers->runs[i])) return layers->runs[i];
    }
    return NULL;
}

yore_status yr_layers_value(const yr_layers *layers, const yr_segment_row *row, yore_slice *value,
                            yr_block_pin *pin, yore_error *err)
{
    *pin = (yr_block_pin){0};
    *value = row->value;
    if (!row->is_reference) return YORE_OK;
    if (!layers->values)
        return yr_fail(err, YORE_ERR_CORRUPT, "a value is in a value file, but the store has none");
    yore_status status = yr_value_set_get_encoded(layers->values, row->value, pin, err);
    if (status == YORE_OK) *value = yore_bytes(pin->data, pin->size);
    return status;
}
