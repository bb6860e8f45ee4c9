/* A chunked bump arena: allocations live until the arena is reset or deinitialised, all at once. */
#ifndef YR_ARENA_H
#define YR_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include <yore/env.h>

typedef struct yr_arena_chunk yr_arena_chunk;

typedef struct yr_arena {
    const yore_env *env;
    yr_arena_chunk *chunks; /* newest first */
    uint8_t *at;
    uint8_t *end;
    size_t bytes; /* of all chunks */
} yr_arena;

void yr_arena_init(yr_arena *arena, const yore_env *env);
void yr_arena_deinit(yr_arena *arena);
/* 8-aligned, not zeroed; NULL when memory is out. */
void *yr_arena_alloc(yr_arena *arena, size_t size);
void *yr_arena_copy(yr_arena *arena, const void *bytes, size_t size);
/* A list with room for one more item: `items` where *room is above `count`, else twice as much room with them in it;
 * what is outgrown stays, as much again at most. NULL when memory is out. */
void *yr_arena_grow(yr_arena *arena, void *items, size_t item_bytes, size_t count, size_t *room);
/* Forget everything but keep one chunk for reuse. */
void yr_arena_reset(yr_arena *arena);

#endif
