#include "engine/layers/layers.h"

#include "engine/base/mem.h"

static size_t bytes_of(uint32_t run_count)
{
    return sizeof(yr_layers) + run_count * sizeof(yr_run *);
}

yr_layers *yr_layers_create(const yore_env *env, void *owner, yr_memtable *const *mems, uint32_t mem_count,
                            yr_run *const *runs, uint32_t run_count)
{
    YR_ASSERT(mem_count > 0 && mem_count <= YR_LAYERS_MEMS_MAX);
    yr_layers *layers = yr_alloc_zero(env, bytes_of(run_count));
    if (!layers) return NULL;
    atomic_init(&layers->refs, 1);
    layers->env = env;
    layers->owner = owner;
    layers->secret = mems[0]->secret;
    layers->mem_count = mem_count;
    layers->run_count = run_count;
    for (uint32_t i = 0; i < mem_count; i++) {
        yr_memtable_ref(mems[i]);
        layers->mems[i] = mems[i];
    }
    for (uint32_t i = 0; i < run_count; i++) {
        yr_run_ref(runs[i]);
        layers->runs[i] = runs[i];
    }
    return layers;
}

void yr_layers_unref(yr_layers *layers)
{
    /* acq_rel: the last one sees everything the others did before they let go */
    if (!layers || atomic_fetch_sub_explicit(&layers->refs, 1, memory_order_acq_rel) != 1) return;
    for (uint32_t i = 0; i < layers->mem_count; i++) yr_memtable_unref(layers->mems[i]);
    for (uint32_t i = 0; i < layers->run_count; i++) yr_run_unref(layers->runs[i]);
    yr_free(layers->env, layers, bytes_of(layers->run_count));
}

yr_run *yr_layers_run_of(const yr_layers *layers, uint64_t version)
{
    for (uint32_t i = 0; i < layers->run_count; i++) {
        if (version > yr_run_after(layers->runs[i])) return layers->runs[i];
    }
    return NULL;
}

bool yr_layers_runs_have(const yr_layers *layers, uint32_t branch)
{
    for (uint32_t i = 0; i < layers->run_count; i++) {
        if (yr_run_has_branch(layers->runs[i], branch)) return true;
    }
    return false;
}
