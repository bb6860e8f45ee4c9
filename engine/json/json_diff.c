/* yore/json.h: one walk over two trees, level by level, with its own stack. */
#include <yore/json.h>

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "engine/json/json_tree.h"

typedef struct level {
    uint32_t old_node; /* two objects */
    uint32_t new_node;
    uint32_t i; /* the next of each by name */
    uint32_t j;
    size_t path_size; /* the path to them */
} level;

struct yore_json_diff {
    const yore_env *env;
    yr_json_doc old_doc;
    yr_json_doc new_doc;
    yr_buf path;
    uint32_t depth;
    bool is_begun;
    level levels[YR_JSON_DEPTH_MAX];
};

yore_status yore_json_diff_open(const yore_env *env, yore_slice old_text, yore_slice new_text,
                                yore_json_diff **out, yore_error *err)
{
    if (!env) env = yore_env_default();
    yore_json_diff *diff = yr_alloc_zero(env, sizeof *diff);
    if (!diff) return yr_fail(err, YORE_ERR_NOMEM, "out of memory");
    diff->env = env;
    yr_buf_init(&diff->path, env, 8 * (size_t)YR_JSON_BYTES_MAX);
    yore_status status = yr_json_parse(env, old_text, &diff->old_doc, err);
    if (status == YORE_OK) status = yr_json_parse(env, new_text, &diff->new_doc, err);
    if (status != YORE_OK) {
        yore_json_diff_close(diff);
        return status;
    }
    *out = diff;
    return YORE_OK;
}

void yore_json_diff_close(yore_json_diff *diff)
{
    if (!diff) return;
    yr_json_deinit(&diff->old_doc);
    yr_json_deinit(&diff->new_doc);
    yr_buf_deinit(&diff->path);
    yr_free(diff->env, diff, sizeof *diff);
}

/* Compare two values at the path. True when they make a row; two objects become the level to go on in. */
static bool compare(yore_json_diff *d, uint32_t o, uint32_t n, yore_json_change *change)
{
    if (d->old_doc.nodes[o].kind == YR_JSON_OBJECT && d->new_doc.nodes[n].kind == YR_JSON_OBJECT) {
        YR_ASSERT(d->depth < YR_JSON_DEPTH_MAX);
        d->levels[d->depth++] = (level){.old_node = o, .new_node = n, .path_size = d->path.size};
        return false;
    }
    if (yr_json_equal(&d->old_doc, o, &d->new_doc, n)) return false;
    *change = (yore_json_change){.struct_size = sizeof *change,
                                 .old_text = yr_json_text(&d->old_doc, o),
                                 .new_text = yr_json_text(&d->new_doc, n),
                                 .op = YORE_DIFF_CHANGE};
    return true;
}

/* One step inside a level. *has_row when it gave one. */
static yore_status step(yore_json_diff *d, level *at, yore_json_change *change, bool *has_row,
                        yore_error *err)
{
    uint32_t o =
        at->i < d->old_doc.nodes[at->old_node].count ? yr_json_member(&d->old_doc, at->old_node, at->i) : 0;
    uint32_t n =
        at->j < d->new_doc.nodes[at->new_node].count ? yr_json_member(&d->new_doc, at->new_node, at->j) : 0;
    int order = !n   ? -1
                : !o ? 1
                     : yr_json_compare_literals(yr_json_name(&d->old_doc, o), yr_json_name(&d->new_doc, n));
    d->path.size = at->path_size;
    yore_slice name = order <= 0 ? yr_json_name(&d->old_doc, o) : yr_json_name(&d->new_doc, n);
    if (!yr_json_path_append(&d->path, name)) return yr_fail(err, YORE_ERR_NOMEM, "out of memory");
    if (order <= 0) at->i++;
    if (order >= 0) at->j++;
    *has_row = true;
    if (order == 0) {
        *has_row = compare(d, o, n, change);
    } else if (order < 0) {
        *change = (yore_json_change){
            .struct_size = sizeof *change, .old_text = yr_json_text(&d->old_doc, o), .op = YORE_DIFF_DEL};
    } else {
        *change = (yore_json_change){
            .struct_size = sizeof *change, .new_text = yr_json_text(&d->new_doc, n), .op = YORE_DIFF_ADD};
    }
    return YORE_OK;
}

yore_status yore_json_diff_next(yore_json_diff *d, yore_json_change *change, yore_error *err)
{
    if (change->struct_size < sizeof *change) {
        return yr_fail(err, YORE_ERR_MISUSE, "yore_json_change of %u bytes", change->struct_size);
    }
    bool has_row = false;
    if (!d->is_begun) {
        d->is_begun = true;
        has_row = compare(d, 0, 0, change);
    }
    while (!has_row && d->depth > 0) {
        level *at = &d->levels[d->depth - 1];
        if (at->i == d->old_doc.nodes[at->old_node].count && at->j == d->new_doc.nodes[at->new_node].count) {
            d->depth--;
            continue;
        }
        yore_status status = step(d, at, change, &has_row, err);
        if (status != YORE_OK) return status;
    }
    if (!has_row) return YORE_END;
    change->path = yore_bytes(d->path.data, d->path.size);
    return YORE_OK;
}
