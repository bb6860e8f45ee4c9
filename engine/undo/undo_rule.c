#include "engine/undo/undo_rule.h"

#include "engine/base/bytes.h"

bool yr_undo_same(const yr_found *a, const yr_found *b)
{
    if (!a || !b) return !a && !b;
    return a->type == b->type && a->expiry_ns == b->expiry_ns && yr_slice_equal(a->meta, b->meta) &&
           yr_slice_equal(a->value, b->value);
}

yr_undo_verdict yr_undo_decide(const yr_found *now, const yr_found *base, const yr_found *then)
{
    if (yr_undo_same(now, then) || yr_undo_same(base, then)) return YR_UNDO_KEEP;
    return yr_undo_same(now, base) ? YR_UNDO_WRITE : YR_UNDO_CLASH;
}
