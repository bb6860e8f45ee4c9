/* Memory with an account and a ceiling: what the search index holds is counted, and a store with more text than the
 * ceiling allows is refused in words instead of taking the program's memory. */
#ifndef YR_SEARCH_SPACE_H
#define YR_SEARCH_SPACE_H

#include <stdbool.h>

#include "engine/base/arena.h"

#include <yore.h>

#define YR_SPACE_ARENAS_MAX 3u

typedef struct yr_space {
    const yore_env *env;
    uint64_t bytes; /* taken and not given back */
    uint64_t max;
    const yr_arena *arenas[YR_SPACE_ARENAS_MAX]; /* what these hold counts too */
    uint32_t arena_count;
    bool refused; /* the last failure was the ceiling, not the allocator */
} yr_space;

void yr_space_init(yr_space *space, const yore_env *env, uint64_t bytes_max);
/* From now on the arena's bytes count. Who allocates from it asks yr_space_fits first. */
void yr_space_watch(yr_space *space, const yr_arena *arena);

/* All that counts. */
uint64_t yr_space_bytes(const yr_space *space);

/* NULL when the ceiling or the allocator says no. */
void *yr_space_alloc(yr_space *space, size_t size);
void yr_space_free(yr_space *space, void *block, size_t size);

/* Room for `count` items of `size` bytes in an array of *capacity; the array moves. False when there is none; nothing
 * changed then. Grows by a quarter, from 4 items: most lists are short, and the long ones are the memory. */
bool yr_space_grow(yr_space *space, void *array, uint32_t *capacity, uint64_t count, size_t size);

/* May an arena take so many bytes? False past the ceiling. */
bool yr_space_fits(yr_space *space, uint64_t more);

/* YORE_ERR_LIMIT or YORE_ERR_NOMEM, in words. */
yore_status yr_space_fail(const yr_space *space, yore_error *err);

#endif
