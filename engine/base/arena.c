/* Bump allocation from chunks that double up to ARENA_CHUNK_MAX. A request too big for a shared chunk gets
 * one of its own behind the current one, so the room left in the current chunk is not lost. */
#include "engine/base/arena.h"

#include <assert.h>
#include <string.h>

#include "engine/base/bytes.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"

#define ARENA_ALIGN 8u
#define ARENA_CHUNK_MIN 4096u
#define ARENA_CHUNK_MAX (1u << 20)

/* Memory that was handed out and forgotten is poisoned, so that AddressSanitizer sees a late reader. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONS 1
#endif
#endif
#ifdef ARENA_POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

struct yr_arena_chunk {
    yr_arena_chunk *next;
    size_t size; /* with this header */
};

static_assert(sizeof(yr_arena_chunk) % ARENA_ALIGN == 0, "blocks start aligned");

static uint8_t *chunk_begin(yr_arena_chunk *chunk)
{
    return (uint8_t *)(chunk + 1);
}
static uint8_t *chunk_end(yr_arena_chunk *chunk)
{
    return (uint8_t *)chunk + chunk->size;
}

static void chunk_free(yr_arena *arena, yr_arena_chunk *chunk)
{
    ASAN_UNPOISON_MEMORY_REGION(chunk, chunk->size);
    arena->bytes -= chunk->size;
    yr_free(arena->env, chunk, chunk->size);
}

static yr_arena_chunk *chunk_create(yr_arena *arena, size_t size)
{
    yr_arena_chunk *chunk = yr_alloc(arena->env, size);
    if (!chunk) return NULL;
    chunk->size = size;
    arena->bytes += size;
    ASAN_POISON_MEMORY_REGION(chunk_begin(chunk), size - sizeof(yr_arena_chunk));
    return chunk;
}

void yr_arena_init(yr_arena *arena, const yore_env *env)
{
    *arena = (yr_arena){.env = env};
}

void yr_arena_deinit(yr_arena *arena)
{
    for (yr_arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        chunk_free(arena, chunk);
    }
    YR_ASSERT(arena->bytes == 0);
    *arena = (yr_arena){.env = arena->env};
}

/* The current chunk is full: make a new current one, or, for a big block, one behind it. */
static void *alloc_slow(yr_arena *arena, size_t rounded)
{
    size_t size;
    if (!yr_add_size(rounded, sizeof(yr_arena_chunk), &size)) return NULL;
    size_t regular = arena->chunks ? arena->chunks->size : ARENA_CHUNK_MIN / 2;
    regular = regular >= ARENA_CHUNK_MAX / 2 ? ARENA_CHUNK_MAX : regular * 2;
    bool is_big = size > regular / 2;
    yr_arena_chunk *chunk = chunk_create(arena, is_big ? size : regular);
    if (!chunk) return NULL;
    uint8_t *block = chunk_begin(chunk);
    ASAN_UNPOISON_MEMORY_REGION(block, rounded);
    if (is_big && arena->chunks) {
        chunk->next = arena->chunks->next;
        arena->chunks->next = chunk;
        return block;
    }
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->at = block + rounded;
    arena->end = chunk_end(chunk);
    return block;
}

void *yr_arena_alloc(yr_arena *arena, size_t size)
{
    size_t rounded;
    if (!yr_add_size(size ? size : 1, ARENA_ALIGN - 1, &rounded)) return NULL;
    rounded &= ~(size_t)(ARENA_ALIGN - 1);
    if (YR_UNLIKELY(rounded > (size_t)(arena->end - arena->at))) return alloc_slow(arena, rounded);
    void *block = arena->at;
    arena->at += rounded;
    ASAN_UNPOISON_MEMORY_REGION(block, rounded);
    return block;
}

void *yr_arena_copy(yr_arena *arena, const void *bytes, size_t size)
{
    void *copy = yr_arena_alloc(arena, size);
    if (copy && size) memcpy(copy, bytes, size);
    return copy;
}

void *yr_arena_grow(yr_arena *arena, void *items, size_t item_bytes, size_t count, size_t *room)
{
    if (count < *room) return items;
    size_t more = *room ? *room * 2 : 16;
    void *grown = yr_arena_alloc(arena, more * item_bytes);
    if (!grown) return NULL;
    if (count) memcpy(grown, items, count * item_bytes);
    *room = more;
    return grown;
}

void yr_arena_reset(yr_arena *arena)
{
    /* Keep the biggest regular chunk: the next use of the arena is likely to need as much. */
    yr_arena_chunk *keep = NULL;
    for (yr_arena_chunk *chunk = arena->chunks; chunk; chunk = chunk->next) {
        if (chunk->size <= ARENA_CHUNK_MAX && (!keep || chunk->size > keep->size)) keep = chunk;
    }
    for (yr_arena_chunk *chunk = arena->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        if (chunk != keep) chunk_free(arena, chunk);
    }
    arena->chunks = keep;
    arena->at = NULL;
    arena->end = NULL;
    if (!keep) return;
    keep->next = NULL;
    arena->at = chunk_begin(keep);
    arena->end = chunk_end(keep);
    ASAN_POISON_MEMORY_REGION(arena->at, (size_t)(arena->end - arena->at));
}
