/* Memory through the environment. */
#include "engine/base/mem.h"

#include <string.h>

void *yr_alloc_zero(const yore_env *env, size_t size)
{
    void *block = yr_alloc(env, size);
    if (block) memset(block, 0, size);
    return block;
}
