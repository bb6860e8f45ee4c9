/* Memory through the environment. */
#include "engine/base/mem.h"

#include <stdint.h>
#include <string.h>

void *yr_alloc_zero(const yore_env *env, size_t size)
{
    void *block = yr_alloc(env, size);
    if (block) memset(block, 0, size);
    return block;
}

/* In front of an aligned block: where the environment's block starts. */
typedef struct lines_origin {
    void *block;
} lines_origin;

enum { LINES = 128 };

void *yr_alloc_lines(const yore_env *env, size_t size)
{
    uint8_t *block = yr_alloc_zero(env, size + sizeof(lines_origin) + LINES);
    if (!block) return NULL;
    uintptr_t start = (uintptr_t)block;
    uintptr_t at = (start + sizeof(lines_origin) + LINES - 1) & ~(uintptr_t)(LINES - 1);
    uint8_t *out = block + (at - start);
    memcpy(out - sizeof(lines_origin), &(lines_origin){block}, sizeof(lines_origin));
    return out;
}

void yr_free_lines(const yore_env *env, void *block, size_t size)
{
    if (!block) return;
    lines_origin origin;
    memcpy(&origin, (uint8_t *)block - sizeof origin, sizeof origin);
    yr_free(env, origin.block, size + sizeof(lines_origin) + LINES);
}
