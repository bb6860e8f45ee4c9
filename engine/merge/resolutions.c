#include "engine/merge/resolutions.h"

#include <inttypes.h>
#include <stdlib.h>

#include "engine/base/error.h"

static uint32_t primitive_of(const yore_merge_resolution *one)
{
    return one->key.primitive ? one->key.primitive : YORE_KV;
}

static int compare_keys(uint32_t primitive_a, yore_slice a, uint32_t primitive_b, yore_slice b)
{
    if (primitive_a != primitive_b) return primitive_a < primitive_b ? -1 : 1;
    return yr_slice_compare(a, b);
}

static int by_key(const void *a, const void *b)
{
    const yore_merge_resolution *left = *(const yore_merge_resolution *const *)a;
    const yore_merge_resolution *right = *(const yore_merge_resolution *const *)b;
    int order = compare_keys(primitive_of(left), left->key.user, primitive_of(right), right->key.user);
    return order ? order : (left > right) - (left < right); /* of two for one key the later is refused */
}

static int shown(yore_slice key)
{
    return key.size > 64 ? 64 : (int)key.size;
}

static yore_status refuse(const yr_resolutions *all, const yore_merge_resolution *one, yore_slice key,
                          const char *what, yore_error *err)
{
    if (all->refused) *all->refused = one ? (size_t)(one - all->list) : all->count;
    return yr_fail(err, YORE_ERR_INPUT, "%s: key '%.*s'", what, shown(key), (const char *)key.data);
}

yore_status yr_resolutions_open(yr_resolutions *all, const yore_merge_options *options, yr_arena *arena,
                                yore_error *err)
{
    size_t n = options->resolution_count;
    *all = (yr_resolutions){.list = options->resolutions, .count = n, .refused = options->refused};
    if (n == 0) return YORE_OK;
    if (n <= SIZE_MAX / sizeof *all->order) all->order = yr_arena_alloc(arena, n * sizeof *all->order);
    if (!all->order) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for resolutions");
    for (size_t i = 0; i < n; i++) all->order[i] = &all->list[i];
    qsort(all->order, n, sizeof *all->order, by_key);
    for (size_t i = 1; i < n; i++) {
        const yore_merge_resolution *a = all->order[i - 1], *b = all->order[i];
        if (compare_keys(primitive_of(a), a->key.user, primitive_of(b), b->key.user) == 0)
            return refuse(all, b, b->key.user, "a conflict is resolved twice", err);
    }
    return YORE_OK;
}

yore_status yr_resolutions_take(yr_resolutions *all, uint32_t primitive, yore_slice key,
                                const uint64_t versions[YR_SIDE_COUNT], const yore_merge_resolution **out,
                                yore_error *err)
{
    const yore_merge_resolution *one = all->next < all->count ? all->order[all->next] : NULL;
    int order = one ? compare_keys(primitive_of(one), one->key.user, primitive, key) : 1;
    if (order < 0) return refuse(all, one, one->key.user, "there is no such conflict", err);
    *out = NULL;
    if (order > 0) { /* told at the end: an answer to no conflict is the better hint */
        if (!all->is_missing) all->missing = key;
        all->is_missing = true;
        return YORE_OK;
    }
    const uint64_t named[YR_SIDE_COUNT] = {one->base_version, one->ours_version, one->theirs_version};
    static const char *const sides[YR_SIDE_COUNT] = {"base", "ours", "theirs"};
    for (int i = 0; i < YR_SIDE_COUNT; i++) {
        if (named[i] == versions[i]) continue;
        if (all->refused) *all->refused = (size_t)(one - all->list);
        return yr_fail(err, YORE_ERR_INPUT,
                       "a stale version: of key '%.*s' %s is v%" PRIu64 ", not v%" PRIu64 " (v0 = absent)",
                       shown(key), (const char *)key.data, sides[i], versions[i], named[i]);
    }
    all->next++;
    *out = one;
    return YORE_OK;
}

yore_status yr_resolutions_end(const yr_resolutions *all, yore_error *err)
{
    const yore_merge_resolution *one = all->next < all->count ? all->order[all->next] : NULL;
    if (one) return refuse(all, one, one->key.user, "there is no such conflict", err);
    return all->is_missing ? refuse(all, NULL, all->missing, "a conflict is not resolved", err) : YORE_OK;
}
