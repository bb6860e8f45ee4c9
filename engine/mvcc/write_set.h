/* What a transaction wants to write: at most one operation a key, later ones folded into earlier ones.
 * Bytes live in the transaction's arena. Pure data; nothing here looks at the store. */
#ifndef YR_WRITE_SET_H
#define YR_WRITE_SET_H

#include "engine/base/arena.h"
#include "engine/mvcc/commit.h"

typedef struct yr_write_set {
    yr_arena *arena;
    const yore_env *env;
    yr_op *ops;
    uint32_t count, capacity;
    uint32_t *slots; /* by key hash, once there are more than a few: index + 1, 0 = free */
    uint32_t slot_count;
    uint64_t bytes;
} yr_write_set;

void yr_write_set_init(yr_write_set *set, const yore_env *env, yr_arena *arena);
void yr_write_set_deinit(yr_write_set *set);
/* The operation on a key, or NULL. Valid until the next add. */
yr_op *yr_write_set_find(const yr_write_set *set, uint64_t key_hash, uint8_t primitive, yore_slice key);
/* Add an operation whose key is not in the set; its bytes are copied. NULL when memory is out. */
yr_op *yr_write_set_add(yr_write_set *set, const yr_op *op);
/* The keys of a primitive in order, allocated in the arena; they stay valid whatever is added later. NULL when
 * memory is out. */
yore_slice *yr_write_set_keys(const yr_write_set *set, uint8_t primitive, uint32_t *count);

#endif
