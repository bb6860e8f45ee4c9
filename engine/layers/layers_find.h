/* One key of one branch's own key space, through all layers. */
#ifndef YR_LAYERS_FIND_H
#define YR_LAYERS_FIND_H

#include "engine/layers/found.h"
#include "engine/layers/layers.h"

/* A key that is looked for: hashed once, and its tree key put together only when a run is asked. */
typedef struct yr_lookup {
    uint64_t key_hash; /* yr_layers_key_hash: without the branch */
    yore_slice user_key;
    uint32_t primitive;
} yr_lookup;

/* The newest version <= cap that the branch itself has. Inside an epoch section.
 * absent_from  layers that begin at or behind this version cannot have the key; UINT64_MAX = each may
 * past         the cap is older than the tip: chains are asked for their history first
 * YORE_OK with *out, YORE_NOT_FOUND; YORE_ERR_CORRUPT, YORE_ERR_IO, YORE_ERR_NOMEM from a run. */
yore_status yr_layers_find(const yr_layers *layers, const yr_lookup *key, uint32_t branch, uint64_t cap,
                           uint64_t absent_from, bool past, yr_found *out, yore_error *err);

/* The number of the newest version above `above` that the branch itself has of a key, 0 if there is none. Layers that
 * have no such versions are not asked. Inside an epoch section; only by the leader. YORE_OK or a run's failure. */
yore_status yr_layers_newest(const yr_layers *layers, const yr_lookup *key, uint32_t branch, uint64_t above,
                             uint64_t *version, yore_error *err);

#endif
