/* What a store is made of at a moment: memtables and runs, newest first, each with the versions in a range of its own
 * (I3). A list is immutable and reference counted; a change of the layers (a memtable is frozen, a run takes its place,
 * runs are merged) is a new list, and who holds the old one goes on reading that.
 *
 *     mems[0]            takes the writes
 *     mems[1..]          frozen: on their way into a run
 *     runs[0..]          on disk (engine/segment/run.h)
 *
 * L1 the ranges (after, last] of the layers, from the last run to the first memtable, follow each other without a gap.
 * L2 a list that was loaded after a version was seen visible has that version's rows.
 */
#ifndef YR_LAYERS_H
#define YR_LAYERS_H

#include "engine/mem/memtable.h"
#include "engine/segment/run.h"
#include "engine/segment/value_set.h"

#define YR_LAYERS_MEMS_MAX 8u

typedef struct yr_layers {
    _Atomic uint32_t refs;
    uint32_t mem_count; /* at least 1 */
    uint32_t run_count;
    const yore_env *env;
    void *owner;          /* whose they are: for those who have nothing but the list */
    uint64_t secret;      /* seeds the key hash of every layer */
    uint64_t shows;       /* a reader's, who was behind: they are for reading this version and later ones */
    yr_value_set *values; /* what rows of the runs refer to; NULL: there are no value files */
    yr_memtable *mems[YR_LAYERS_MEMS_MAX];
    yr_run *runs[];
} yr_layers;

/* An empty list with one reference and room for so many runs, which must be filled. NULL when memory is out. */
yr_layers *yr_layers_reserve(const yore_env *env, void *owner, uint32_t run_count);
/* Takes a reference on each layer and on `values` (may be NULL); as many runs as there is room for. Cannot fail. */
void yr_layers_fill(yr_layers *layers, yr_memtable *const *mems, uint32_t mem_count, yr_run *const *runs,
                    yr_value_set *values);
static inline void yr_layers_ref(yr_layers *layers)
{
    atomic_fetch_add_explicit(&layers->refs, 1,
                              memory_order_relaxed); /* the caller has one, or an epoch section */
}
/* NULL is allowed. */
void yr_layers_unref(yr_layers *layers);

static inline uint64_t yr_layers_key_hash(const yr_layers *layers, uint32_t primitive, yore_slice user_key)
{
    return yr_key_hash(layers->secret, primitive, user_key.data, user_key.size);
}

/* Everything at or below this version is in runs. */
static inline uint64_t yr_layers_flushed(const yr_layers *layers)
{
    return layers->mems[layers->mem_count - 1]->base_version;
}

/* The memtable that has a version, NULL when it is in a run. */
static inline const yr_memtable *yr_layers_mem_of(const yr_layers *layers, uint64_t version)
{
    for (uint32_t i = 0; i < layers->mem_count; i++) {
        if (version > layers->mems[i]->base_version) return layers->mems[i];
    }
    return NULL;
}
/* The run that has a version at or below yr_layers_flushed; NULL when none has. */
yr_run *yr_layers_run_of(const yr_layers *layers, uint64_t version);

/* A row of a run as it was written: its value, when that is in a value file, is pinned. *pin is zeroed else. */
yore_status yr_layers_value(const yr_layers *layers, const yr_segment_row *row, yore_slice *value,
                            yr_block_pin *pin, yore_error *err);

#endif
