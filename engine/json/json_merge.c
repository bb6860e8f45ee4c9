/* json_merge.h: one walk over ours in source order, with its own stack. The result is ours' text with edits, which come
 * in rising order: E1. What is cut or put in at a member never reaches into another that stays. */
#include "engine/json/json_merge.h"

#include <string.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/json/json_tree.h"

#define NONE UINT32_MAX
#define GAP_BYTES_MAX 64u /* blanks copied in front of a member that is put in */

/* An object that both sides changed. */
typedef struct level {
    uint32_t base; /* NONE: there was none */
    uint32_t ours;
    uint32_t theirs;
    uint32_t next;    /* the member of ours, then of theirs, that comes next; 0 = none */
    bool in_theirs;   /* ours' members are done */
    bool has_kept;    /* a member of the result stands already */
    uint32_t end;     /* in ours' text: behind the last member that was gone through */
    size_t path_size; /* the path to the object */
} level;

typedef struct merge {
    yr_json_doc base;
    yr_json_doc ours;
    yr_json_doc theirs;
    bool has_base;
    yr_json_prefer prefer;
    yr_json_merged *out;
    yore_error *err;
    yr_buf path;
    size_t paths_bytes;
    size_t room;
    yr_json_conflict *list;
    uint32_t copied; /* ours' text up to here is in the result */
    bool is_edited;
    uint32_t depth;
    level levels[YR_JSON_DEPTH_MAX];
} merge;

static yore_status out_of_memory(merge *m)
{
    return yr_fail(m->err, YORE_ERR_NOMEM, "out of memory");
}

/* -- edits -- */

/* Put `text` in the place of ours' bytes [from, to). */
static yore_status edit(merge *m, uint32_t from, uint32_t to, yore_slice text)
{
    YR_ASSERT(from >= m->copied && to >= from); /* E1 */
    const uint8_t *ours = m->ours.text.data;
    if (!yr_buf_append(&m->out->buf, ours + m->copied, from - m->copied) ||
        !yr_buf_append(&m->out->buf, text.data, text.size)) {
        return out_of_memory(m);
    }
    m->copied = to;
    m->is_edited = true;
    return YORE_OK;
}

static void keep(merge *m, level *at, uint32_t member)
{
    const yr_json_node *node = yr_json_at(&m->ours, member);
    at->has_kept = true;
    at->end = node->off + node->size;
}

static yore_status replace(merge *m, level *at, uint32_t member, uint32_t by)
{
    const yr_json_node *node = yr_json_at(&m->ours, member);
    keep(m, at, member);
    return edit(m, node->off, node->off + node->size, yr_json_text(&m->theirs, by));
}

/* Cut a member, with the comma before it where one member stays there, else with the one behind it. */
static yore_status cut(merge *m, level *at, uint32_t member)
{
    const yr_json_node *node = yr_json_at(&m->ours, member);
    uint32_t from = at->has_kept ? at->end : node->name_off;
    uint32_t end = node->off + node->size;
    at->end = end;
    if (!at->has_kept && node->next) end = yr_json_at(&m->ours, node->next)->name_off;
    return edit(m, from, end, yore_bytes("", 0));
}

/* The blanks between a comma (or the brace that opens the object) and a member's name. */
static yore_slice gap_before(const yr_json_doc *doc, uint32_t member)
{
    const uint8_t *text = doc->text.data;
    uint32_t end = yr_json_at(doc, member)->name_off;
    uint32_t from = end;
    while (from > 0 && strchr(" \t\r\n", text[from - 1])) from--;
    return end - from > GAP_BYTES_MAX ? yore_bytes("", 0) : yore_bytes(text + from, end - from);
}

/* Put a member of theirs behind the members of ours, spaced as they are. */
static yore_status insert(merge *m, level *at, uint32_t member)
{
    const yr_json_node *node = yr_json_at(&m->theirs, member);
    const yr_json_node *object = yr_json_at(&m->ours, at->ours);
    yore_slice gap = gap_before(&m->theirs, member);
    if (object->count > 1) {
        gap = gap_before(&m->ours, yr_json_at(&m->ours, object->child)->next);
    } else if (object->count == 1 && gap_before(&m->ours, object->child).size > 0) {
        gap = gap_before(&m->ours, object->child);
    }
    uint32_t off = at->end ? at->end : object->off + 1;
    yore_status status = edit(m, off, off, yore_bytes(",", at->has_kept ? 1 : 0));
    if (status != YORE_OK) return status;
    const uint8_t *theirs = m->theirs.text.data;
    if ((at->has_kept && !yr_buf_append(&m->out->buf, gap.data, gap.size)) ||
        !yr_buf_append(&m->out->buf, theirs + node->name_off, node->off + node->size - node->name_off)) {
        return out_of_memory(m);
    }
    at->has_kept = true;
    return YORE_OK;
}

/* -- conflicts -- */

static yore_slice side(const yr_json_doc *doc, uint32_t node)
{
    return node == NONE ? (yore_slice){NULL, 0} : yr_json_text(doc, node);
}

/* Both touched what stands at m->path. NONE = nothing stands there. */
static yore_status conflict(merge *m, uint32_t base, uint32_t ours, uint32_t theirs)
{
    yr_json_merged *out = m->out;
    out->conflict_count++;
    if (out->listed == YR_JSON_CONFLICTS_LISTED || m->path.size > YR_JSON_PATHS_BYTES_MAX - m->paths_bytes) {
        return YORE_OK;
    }
    yr_json_conflict *list = yr_arena_grow(&out->arena, m->list, sizeof *list, out->listed, &m->room);
    void *path = list ? yr_arena_copy(&out->arena, m->path.data, m->path.size) : NULL;
    if (!path) return out_of_memory(m);
    list[out->listed] = (yr_json_conflict){
        .path = yore_bytes(path, m->path.size),
        .at = {side(&m->base, base), side(&m->ours, ours), side(&m->theirs, theirs)},
    };
    m->list = list;
    out->conflicts = list;
    out->listed++;
    m->paths_bytes += m->path.size;
    return YORE_OK;
}

static yore_status set_path(merge *m, const level *at, yore_slice name)
{
    m->path.size = at->path_size;
    return yr_json_path_append(&m->path, name) ? YORE_OK : out_of_memory(m);
}

/* -- the walk -- */

static bool is_object(const yr_json_doc *doc, uint32_t node)
{
    return node != NONE && yr_json_at(doc, node)->kind == YR_JSON_OBJECT;
}

/* Two objects that both sides changed, or added: merged member by member. */
static bool merges_inside(const merge *m, uint32_t base, uint32_t ours, uint32_t theirs)
{
    return is_object(&m->ours, ours) && is_object(&m->theirs, theirs) &&
           (base == NONE || is_object(&m->base, base));
}

static void enter(merge *m, uint32_t base, uint32_t ours, uint32_t theirs)
{
    YR_ASSERT(m->depth < YR_JSON_DEPTH_MAX);
    m->levels[m->depth++] = (level){.base = base,
                                    .ours = ours,
                                    .theirs = theirs,
                                    .next = yr_json_at(&m->ours, ours)->child,
                                    .path_size = m->path.size};
}

static uint32_t find(const yr_json_doc *doc, uint32_t object, yore_slice name)
{
    uint32_t found = object == NONE ? 0 : yr_json_find(doc, object, name);
    return found ? found : NONE;
}

/* A member of ours. */
static yore_status merge_ours(merge *m, level *at, uint32_t ours)
{
    yore_slice name = yr_json_name(&m->ours, ours);
    uint32_t base = find(&m->base, at->base, name);
    uint32_t theirs = find(&m->theirs, at->theirs, name);
    bool is_ours_same = base != NONE && yr_json_at(&m->ours, ours)->is_same;
    bool is_theirs_same = base == NONE ? theirs == NONE
                                       : theirs != NONE && yr_json_at(&m->theirs, theirs)->is_same;

    if (is_theirs_same) {
        keep(m, at, ours);
        return YORE_OK;
    }
    if (is_ours_same) return theirs == NONE ? cut(m, at, ours) : replace(m, at, ours, theirs);
    if (theirs != NONE && !merges_inside(m, base, ours, theirs) &&
        yr_json_equal(&m->ours, ours, &m->theirs, theirs)) {
        keep(m, at, ours);
        return YORE_OK;
    }
    yore_status status = set_path(m, at, name);
    if (status != YORE_OK) return status;
    if (theirs != NONE && merges_inside(m, base, ours, theirs)) {
        keep(m, at, ours);
        enter(m, base, ours, theirs);
        return YORE_OK;
    }
    status = conflict(m, base, ours, theirs);
    if (status == YORE_OK && m->prefer == YR_JSON_THEIRS) {
        return theirs == NONE ? cut(m, at, ours) : replace(m, at, ours, theirs);
    }
    keep(m, at, ours);
    return status;
}

/* A member of theirs, once ours' are done. */
static yore_status merge_theirs(merge *m, level *at, uint32_t theirs)
{
    yore_slice name = yr_json_name(&m->theirs, theirs);
    if (find(&m->ours, at->ours, name) != NONE) return YORE_OK;
    uint32_t base = find(&m->base, at->base, name);
    if (base == NONE) return insert(m, at, theirs);
    if (yr_json_at(&m->theirs, theirs)->is_same) return YORE_OK; /* ours deleted it */
    yore_status status = set_path(m, at, name);
    if (status == YORE_OK) status = conflict(m, base, NONE, theirs);
    return status == YORE_OK && m->prefer == YR_JSON_THEIRS ? insert(m, at, theirs) : status;
}

static yore_status walk(merge *m)
{
    yore_status status = YORE_OK;
    while (status == YORE_OK && m->depth > 0) {
        level *at = &m->levels[m->depth - 1];
        uint32_t member = at->next;
        if (member == 0 && at->in_theirs) {
            m->depth--;
        } else if (member == 0) {
            at->in_theirs = true;
            at->next = yr_json_at(&m->theirs, at->theirs)->child;
        } else if (at->in_theirs) {
            at->next = yr_json_at(&m->theirs, member)->next;
            status = merge_theirs(m, at, member);
        } else {
            at->next = yr_json_at(&m->ours, member)->next;
            status = merge_ours(m, at, member);
        }
    }
    return status;
}

static bool same_bytes(yore_slice a, yore_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* The whole texts. *out gets the side that is the result, and stays empty where ours is edited. */
static yore_status merge_roots(merge *m, yore_slice *out)
{
    uint32_t base = m->has_base ? 0 : NONE;
    yore_slice ours = m->ours.text;
    yore_slice theirs = m->theirs.text;
    *out = ours;
    if (m->has_base) {
        yr_json_mark(&m->base, &m->ours);
        yr_json_mark(&m->base, &m->theirs);
        if (same_bytes(theirs, m->base.text)) return YORE_OK;
        if (same_bytes(ours, m->base.text)) {
            *out = theirs;
            return YORE_OK;
        }
        if (m->theirs.nodes[0].is_same) return YORE_OK;
        if (m->ours.nodes[0].is_same) {
            *out = theirs;
            return YORE_OK;
        }
    }
    if (yr_json_equal(&m->ours, 0, &m->theirs, 0)) return YORE_OK;
    if (!merges_inside(m, base, 0, 0)) {
        if (m->prefer == YR_JSON_THEIRS) *out = theirs;
        return conflict(m, base, 0, 0);
    }
    enter(m, base, 0, 0);
    yore_status status = walk(m);
    if (status != YORE_OK || !m->is_edited) return status;
    status = edit(m, (uint32_t)ours.size, (uint32_t)ours.size, yore_bytes("", 0));
    *out = yore_bytes(m->out->buf.data, m->out->buf.size);
    return status;
}

static yore_status parse_sides(const yore_env *env, const yr_json_sides *sides, merge *m)
{
    m->has_base = sides->base.data != NULL;
    yore_status status = m->has_base ? yr_json_parse(env, sides->base, &m->base, m->err) : YORE_OK;
    if (status == YORE_OK) status = yr_json_parse(env, sides->ours, &m->ours, m->err);
    return status == YORE_OK ? yr_json_parse(env, sides->theirs, &m->theirs, m->err) : status;
}

yore_status yr_json_merge(const yore_env *env, const yr_json_sides *sides, yr_json_prefer prefer,
                          yr_json_merged *out, yore_error *err)
{
    yr_json_merged merged = {.listed = 0};
    merge *m = yr_alloc_zero(env, sizeof *m);
    if (!m) return yr_fail(err, YORE_ERR_NOMEM, "out of memory");
    m->prefer = prefer;
    m->out = &merged;
    m->err = err;
    yr_arena_init(&merged.arena, env);
    yr_buf_init(&merged.buf, env, 2 * (size_t)YR_JSON_BYTES_MAX + (size_t)YR_JSON_BYTES_MAX * GAP_BYTES_MAX);
    yr_buf_init(&m->path, env, 8 * (size_t)YR_JSON_BYTES_MAX);

    yore_slice text;
    yore_status status = parse_sides(env, sides, m);
    if (status == YORE_OK) status = merge_roots(m, &text);
    yr_json_deinit(&m->base);
    yr_json_deinit(&m->ours);
    yr_json_deinit(&m->theirs);
    yr_buf_deinit(&m->path);
    yr_free(env, m, sizeof *m);
    if (status != YORE_OK) {
        yr_json_merged_deinit(&merged);
        return status;
    }
    if (merged.conflict_count == 0 || prefer != YR_JSON_STOP) merged.text = text;
    *out = merged;
    return YORE_OK;
}

void yr_json_merged_deinit(yr_json_merged *out)
{
    yr_buf_deinit(&out->buf);
    yr_arena_deinit(&out->arena);
}
