/* Comparing two views key by key. */
#include "engine/diff/view_diff.h"

#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/diff/diff_private.h"

static bool copy_slice(yr_arena *arena, yore_slice *slice)
{
    if (slice->size == 0) return true;
    slice->data = yr_arena_copy(arena, slice->data, slice->size);
    return slice->data != NULL;
}

static yore_status copy_options(yr_diff *diff, const yore_diff_options *options, yore_error *err)
{
    static const yore_diff_options defaults = YORE_DIFF_OPTIONS_INIT;
    diff->options = options ? *options : defaults;
    uint32_t primitive = diff->options.primitive;
    diff->last_primitive = YORE_SYSTEM - 1;
    if (primitive != YORE_ANY_PRIMITIVE) diff->primitive = primitive ? primitive : YORE_KV;
    if (diff->primitive) diff->last_primitive = diff->primitive;
    if (copy_slice(&diff->arena, &diff->options.prefix) && copy_slice(&diff->arena, &diff->options.from) &&
        copy_slice(&diff->arena, &diff->options.to))
        return YORE_OK;
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a diff");
}

yore_status yr_diff_open(const yore_env *env, const yr_view *a, const yr_view *b,
                         const yore_diff_options *options, yr_diff **out, yore_error *err)
{
    return yr_diff_open_within(env, a, b, options, 0, out, err);
}

yore_status yr_diff_open_within(const yore_env *env, const yr_view *a, const yr_view *b,
                                const yore_diff_options *options, uint64_t walk_max, yr_diff **out,
                                yore_error *err)
{
    if (a->layers != b->layers)
        return yr_fail(err, YORE_ERR_MISUSE, "the points of a diff are read from two lists of layers");
    yr_diff *diff = yr_alloc_zero(env, sizeof *diff);
    if (!diff) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a diff");
    diff->env = env;
    diff->a = *a;
    diff->b = *b;
    diff->walk_max = walk_max;
    diff->info.struct_size = sizeof diff->info;
    yr_arena_init(&diff->arena, env);
    diff->key = yr_alloc(env, YORE_KEY_BYTES_MAX);
    yore_status status = diff->key ? copy_options(diff, options, err)
                                   : yr_fail(err, YORE_ERR_NOMEM, "out of memory for a diff");
    if (status == YORE_OK) status = yr_diff_find_spans(diff, err);
    if (status == YORE_OK && diff->primitive) status = yr_diff_start_spans(diff, err);
    if (status < 0) {
        yr_diff_close(diff);
        return status;
    }
    *out = diff;
    return YORE_OK;
}

void yr_diff_mind_expiry(yr_diff *diff)
{
    diff->minds_expiry = true;
}

void yr_diff_take(yr_diff *diff)
{
    diff->row.has_old = diff->row.has_new = false;
}

static void release_row(yr_diff *diff)
{
    if (diff->row.has_old) yr_found_release(&diff->row.old);
    if (diff->row.has_new) yr_found_release(&diff->row.new_);
    yr_diff_take(diff);
}

void yr_diff_close(yr_diff *diff)
{
    if (!diff) return;
    release_row(diff);
    yr_diff_end_spans(diff);
    yr_arena_deinit(&diff->arena);
    yr_free(diff->env, diff->key, YORE_KEY_BYTES_MAX);
    yr_free(diff->env, diff, sizeof *diff);
}

const yore_diff_info *yr_diff_info(const yr_diff *diff)
{
    return &diff->info;
}

/* -- one key -- */

static yore_status find(const yr_view *view, const yr_lookup *key, yr_found *found, bool *has,
                        yore_error *err)
{
    yr_epoch_enter();
    yore_status status = yr_lineage_find(view, key, found, err);
    yr_epoch_exit();
    *has = status == YORE_OK;
    return status == YORE_NOT_FOUND ? YORE_OK : status;
}

/* What shows of it; the rest is let go. */
static bool show(const yr_view *view, yr_found *found, bool has)
{
    if (!has || yr_found_is_visible(found, view->time_ns)) return has;
    yr_found_release(found);
    return false;
}

static uint32_t judge(const yr_diff_row *row, bool minds_expiry)
{
    if (!row->has_old) return row->has_new ? YORE_DIFF_ADD : 0;
    if (!row->has_new) return YORE_DIFF_DEL;
    bool is_same = row->old.type == row->new_.type && yr_slice_equal(row->old.value, row->new_.value) &&
                   yr_slice_equal(row->old.meta, row->new_.meta) &&
                   !(minds_expiry && row->old.expiry_ns != row->new_.expiry_ns);
    return is_same ? 0 : YORE_DIFF_CHANGE;
}

/* Read diff->key at both views; row.op is 0 where they agree (F1). They never find the same version: a span's newest
 * row of a key is above what the other view can see there. */
static yore_status compare(yr_diff *diff, yore_error *err)
{
    yr_diff_row *row = &diff->row;
    const yore_slice key = yore_bytes(diff->key, diff->key_bytes);
    const yr_lookup lookup = {.key_hash = yr_layers_key_hash(diff->a.layers, diff->primitive, key),
                              .user_key = key,
                              .primitive = diff->primitive};
    row->key = key;
    row->primitive = diff->primitive;
    diff->info.keys++;
    yore_status status = find(&diff->a, &lookup, &row->old, &row->has_old, err);
    if (status == YORE_OK) status = find(&diff->b, &lookup, &row->new_, &row->has_new, err);
    if (status < 0) return status;
    row->has_old = show(&diff->a, &row->old, row->has_old);
    row->has_new = show(&diff->b, &row->new_, row->has_new);
    row->op = judge(row, diff->minds_expiry);
    return YORE_OK;
}

/* The next key that may differ, in diff->key. */
static yore_status next_key(yr_diff *diff, yore_error *err)
{
    yore_slice key;
    yore_status status = diff->primitive ? yr_diff_next_key(diff, &key, err) : YORE_END;
    while (status == YORE_END) {
        status = yr_diff_next_primitive(diff, err);
        if (status != YORE_OK) return status;
        status = yr_diff_next_key(diff, &key, err);
    }
    if (status < 0) return status;
    memcpy(diff->key, key.data, key.size);
    diff->key_bytes = key.size;
    diff->has_key = true;
    return YORE_OK;
}

yore_status yr_diff_next(yr_diff *diff, yr_diff_row *row, yore_error *err)
{
    if (diff->failure) return yr_fail(err, diff->failure, "this diff has failed before");
    yore_status status;
    do {
        release_row(diff);
        status = next_key(diff, err);
        if (status == YORE_OK) status = compare(diff, err);
    } while (status == YORE_OK && diff->row.op == 0);
    if (status < 0) diff->failure = status;
    if (status == YORE_OK) *row = diff->row;
    return status;
}
