#include "search/index/space.h"

#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"

void yr_space_init(yr_space *space, const yore_env *env, uint64_t bytes_max)
{
    *space = (yr_space){.env = env, .max = bytes_max};
}

void yr_space_watch(yr_space *space, const yr_arena *arena)
{
    YR_ASSERT(space->arena_count < YR_SPACE_ARENAS_MAX);
    space->arenas[space->arena_count++] = arena;
}

uint64_t yr_space_bytes(const yr_space *space)
{
    uint64_t bytes = space->bytes;
    for (uint32_t i = 0; i < space->arena_count; i++) bytes += space->arenas[i]->bytes;
    return bytes;
}

bool yr_space_fits(yr_space *space, uint64_t more)
{
    space->refused = more > space->max || yr_space_bytes(space) > space->max - more;
    return !space->refused;
}

void *yr_space_alloc(yr_space *space, size_t size)
{
    if (!yr_space_fits(space, size)) return NULL;
    void *block = yr_alloc(space->env, size);
    if (block) space->bytes += size;
    return block;
}

void yr_space_free(yr_space *space, void *block, size_t size)
{
    if (!block) return;
    space->bytes -= size;
    yr_free(space->env, block, size);
}

bool yr_space_grow(yr_space *space, void *array, uint32_t *capacity, uint64_t count, size_t size)
{
    if (count <= *capacity) return true;
    uint64_t wanted = *capacity ? (uint64_t)*capacity + *capacity / 4u + 4u : 1u;
    if (wanted < count) wanted = count;
    if (wanted > UINT32_MAX / 2u) wanted = count;
    if (wanted > UINT32_MAX || !yr_space_fits(space, (wanted - *capacity) * size)) return false;
    void *old, *grown;
    memcpy(&old, array, sizeof old); /* `array` is the address of a pointer to items of any type */
    grown = yr_realloc(space->env, old, *capacity * size, (size_t)wanted * size);
    if (!grown) return false;
    memcpy(array, &grown, sizeof grown);
    space->bytes += (wanted - *capacity) * size;
    *capacity = (uint32_t)wanted;
    return true;
}

yore_status yr_space_fail(const yr_space *space, yore_error *err)
{
    if (!space->refused) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for the search index");
    yr_fail(err, YORE_ERR_LIMIT,
            "the search index would take more than its %" PRIu64 " bytes (search_bytes_max)", space->max);
    yr_hint(err, "open the store with a larger search_bytes_max, or: yore config set search.index none");
    return YORE_ERR_LIMIT;
}
