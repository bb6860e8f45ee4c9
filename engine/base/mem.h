/* Memory through the environment. Sizes are given back at free, so an allocator needs no headers. */
#ifndef YR_MEM_H
#define YR_MEM_H

#include <yore/env.h>

static inline void *yr_alloc(const yore_env *env, size_t size)
{
    return env->alloc(env->ctx, size);
}
/* Zeroed. */
void *yr_alloc_zero(const yore_env *env, size_t size);
/* Zeroed and 128-aligned, for structs that keep hot fields on cache lines of their own. */
void *yr_alloc_lines(const yore_env *env, size_t size);
void yr_free_lines(const yore_env *env, void *block, size_t size);
static inline void *yr_realloc(const yore_env *env, void *old, size_t old_size, size_t size)
{
    return env->realloc(env->ctx, old, old_size, size);
}
static inline void yr_free(const yore_env *env, void *block, size_t size)
{
    if (block) env->free(env->ctx, block, size);
}
static inline void yr_point(const yore_env *env, const char *name)
{
    if (env->point) env->point(env->ctx, name);
}

#endif
