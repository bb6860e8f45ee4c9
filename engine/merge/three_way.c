#include "engine/merge/three_way.h"

bool yr_merge_same(const yr_merge_state *a, const yr_merge_state *b)
{
    if (!a->shows || !b->shows) return a->shows == b->shows;
    return a->type == b->type && yr_slice_equal(a->value, b->value) && yr_slice_equal(a->meta, b->meta);
}

yr_merge_verdict yr_three_way(const yr_merge_state sides[YR_SIDE_COUNT])
{
    const yr_merge_state *base = &sides[YR_SIDE_BASE], *ours = &sides[YR_SIDE_OURS];
    const yr_merge_state *theirs = &sides[YR_SIDE_THEIRS];
    if (yr_merge_same(base, theirs)) return YR_MERGE_OURS;
    if (yr_merge_same(base, ours)) return YR_MERGE_THEIRS;
    return yr_merge_same(ours, theirs) ? YR_MERGE_ALIKE : YR_MERGE_CONFLICT;
}

uint32_t yr_merge_conflict_kind(const yr_merge_state sides[YR_SIDE_COUNT])
{
    if (!sides[YR_SIDE_BASE].shows) return YORE_MERGE_BOTH_ADDED;
    if (!sides[YR_SIDE_THEIRS].shows) return YORE_MERGE_CHANGE_DELETE;
    return sides[YR_SIDE_OURS].shows ? YORE_MERGE_BOTH_CHANGED : YORE_MERGE_DELETE_CHANGE;
}

static bool looks_like_object(yore_slice value)
{
    const char *p = value.data;
    size_t i = 0;
    while (i < value.size && (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r')) i++;
    return i < value.size && p[i] == '{';
}

bool yr_merge_may_be_json(const yr_merge_state sides[YR_SIDE_COUNT])
{
    for (int i = 0; i < YR_SIDE_COUNT; i++) {
        if (!sides[i].shows || sides[i].type == YORE_TYPE_TEXT || !looks_like_object(sides[i].value))
            return false;
    }
    return true;
}

bool yr_merge_beside(const yr_merge_state sides[YR_SIDE_COUNT], uint32_t *type, yore_slice *meta)
{
    const yr_merge_state *base = &sides[YR_SIDE_BASE], *ours = &sides[YR_SIDE_OURS];
    const yr_merge_state *theirs = &sides[YR_SIDE_THEIRS];
    *type = ours->type == base->type ? theirs->type : ours->type;
    *meta = yr_slice_equal(ours->meta, base->meta) ? theirs->meta : ours->meta;
    return yr_slice_equal(*meta, theirs->meta) || yr_slice_equal(theirs->meta, base->meta);
}
