#include "engine/undo/undo_walk.h"

void yr_undo_walk_init(yr_undo_walk *walk, const yore_env *env, uint32_t kind)
{
    walk->kind = kind;
    yr_buf_init(&walk->passed, env, SIZE_MAX);
}

void yr_undo_walk_deinit(yr_undo_walk *walk)
{
    yr_buf_deinit(&walk->passed);
}

static uint64_t get(const yr_undo_walk *walk, size_t at)
{
    uint64_t version;
    memcpy(&version, walk->passed.data + at * sizeof version, sizeof version);
    return version;
}

static void set(yr_undo_walk *walk, size_t at, uint64_t version)
{
    memcpy(walk->passed.data + at * sizeof version, &version, sizeof version);
}

/* Undos in a row name ever older commits, which the walk meets ascending: so the place is near the end. */
static bool pass(yr_undo_walk *walk, uint64_t version)
{
    size_t at = walk->passed.size / sizeof version;
    if (!yr_buf_append(&walk->passed, &version, sizeof version)) return false;
    for (; at > 0 && get(walk, at - 1) > version; at--) set(walk, at, get(walk, at - 1));
    set(walk, at, version);
    return true;
}

static bool is_passed(yr_undo_walk *walk, uint64_t version)
{
    bool found = false;
    while (walk->passed.size > 0) {
        uint64_t next = get(walk, walk->passed.size / sizeof next - 1);
        if (next < version) break;
        found |= next == version;
        walk->passed.size -= sizeof next;
    }
    return found;
}

yr_undo_step yr_undo_walk_step(yr_undo_walk *walk, uint64_t version, yr_undo_mark mark)
{
    if (is_passed(walk, version)) return YR_UNDO_ON;
    if (mark.version >= version) mark.kind = 0; /* of another store's versions */
    bool for_redo = walk->kind == YORE_UNDO_REDO;
    if (mark.kind == YORE_UNDO_UNDO && for_redo) return YR_UNDO_FOUND;
    if (mark.kind == YORE_UNDO_UNDO || (mark.kind == YORE_UNDO_REDO && for_redo))
        return pass(walk, mark.version) ? YR_UNDO_ON : YR_UNDO_NO_MEMORY;
    return for_redo ? YR_UNDO_NOTHING : YR_UNDO_FOUND;
}
