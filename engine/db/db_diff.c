/* What differs between two points: the public iterator over engine/diff. */
#include "engine/base/buf.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/db/handle.h"
#include "engine/diff/view_diff.h"

enum {
    HELD_MAX = 64,
    HELD_BYTES = 16 << 20 /* of values: a call ends with the row that comes to it */
};

typedef struct diff_iter {
    yore_iter base;
    yr_diff *diff;
    uint64_t left; /* rows still wanted */
    bool keys_only;
    yore_status failure;         /* of an earlier call: stays so */
    yr_buf keys;                 /* of the rows that were given last, */
    yr_found held[2 * HELD_MAX]; /* and what they borrow */
    uint32_t held_count;
} diff_iter;

static void release_held(diff_iter *iter)
{
    while (iter->held_count > 0) yr_found_release(&iter->held[--iter->held_count]);
    yr_buf_clear(&iter->keys);
}

static void diff_deinit(yore_iter *base)
{
    diff_iter *iter = (diff_iter *)base;
    release_held(iter);
    yr_buf_deinit(&iter->keys);
    yr_diff_close(iter->diff);
}

/* NULL after filling `err` when it is another kind of iterator. */
static const diff_iter *as_diff(const yore_iter *base, yore_error *err)
{
    if (base && base->deinit == diff_deinit) return (const diff_iter *)base;
    yr_fail(err, YORE_ERR_MISUSE, "an iterator of yore_diff is needed");
    return NULL;
}

/* Its key is put into iter->keys, which may move: set_keys says where. */
static yore_status take_row(diff_iter *iter, const yr_diff_row *from, yore_diff_row *to, yore_error *err)
{
    if (!yr_buf_append(&iter->keys, from->key.data, from->key.size)) return yr_iter_no_memory(err);
    *to = (yore_diff_row){.key = from->key, .primitive = from->primitive, .op = from->op};
    if (from->has_old) {
        to->old_version = from->old.version;
        to->old_type = from->old.type;
        if (!iter->keys_only) {
            to->old_value = from->old.value;
            to->old_meta = from->old.meta;
        }
        iter->held[iter->held_count++] = from->old;
    }
    if (from->has_new) {
        to->new_version = from->new_.version;
        to->new_type = from->new_.type;
        if (!iter->keys_only) {
            to->new_value = from->new_.value;
            to->new_meta = from->new_.meta;
        }
        iter->held[iter->held_count++] = from->new_;
    }
    yr_diff_take(iter->diff);
    return YORE_OK;
}

/* What it borrows may be in memory for this row alone. */
static uint64_t value_bytes(const yr_diff_row *row)
{
    return (row->has_old ? row->old.value.size : 0) + (uint64_t)(row->has_new ? row->new_.value.size : 0);
}

/* The buffer does not move any more. */
static void set_keys(const diff_iter *iter, void *rows, size_t row_size, size_t n)
{
    const uint8_t *key = iter->keys.data;
    for (size_t i = 0; i < n; i++) {
        yore_slice slice;
        uint8_t *row = (uint8_t *)rows + i * row_size;
        memcpy(&slice, row, sizeof slice);
        slice.data = key;
        key += slice.size;
        memcpy(row, &slice, sizeof slice);
    }
}

yore_status yore_diff_next(yore_iter *base, yore_diff_row *rows, size_t row_size, size_t cap, size_t *n,
                           yore_error *err)
{
    if (!as_diff(base, err)) return YORE_ERR_MISUSE;
    diff_iter *iter = (diff_iter *)base;
    if (!rows || !n || cap == 0 || row_size < sizeof rows->key)
        return yr_fail(err, YORE_ERR_MISUSE, "room for rows and a count are needed");
    if (iter->failure) return yr_fail(err, iter->failure, "this diff has failed before");
    size_t count = 0;
    uint64_t bytes = 0;
    yore_status status = YORE_OK;
    release_held(iter);
    while (count < cap && count < HELD_MAX && bytes < HELD_BYTES && iter->left > 0) {
        yr_diff_row found;
        yore_diff_row row;
        status = yr_diff_next(iter->diff, &found, err);
        if (status == YORE_OK) status = take_row(iter, &found, &row, err);
        if (status != YORE_OK) break;
        bytes += value_bytes(&found);
        memcpy((uint8_t *)rows + count * row_size, &row, row_size < sizeof row ? row_size : sizeof row);
        count++;
        iter->left--;
    }
    if (status < 0) return iter->failure = status; /* rows that were taken are lost */
    if (count == 0) return YORE_END;
    set_keys(iter, rows, row_size, count);
    *n = count;
    return YORE_OK;
}

yore_status yore_diff_info_get(const yore_iter *base, yore_diff_info *out, yore_error *err)
{
    const diff_iter *iter = as_diff(base, err);
    if (!iter) return YORE_ERR_MISUSE;
    if (!out) return yr_fail(err, YORE_ERR_MISUSE, "room for what is known of the diff is needed");
    yore_status status = yr_out_check(out->struct_size, sizeof *out, err);
    if (status == YORE_OK) *out = *yr_diff_info(iter->diff);
    return status;
}

static yore_status check_options(const yore_diff_options *options, yore_error *err)
{
    if (!options) return YORE_OK;
    if (options->struct_size != sizeof *options)
        return yr_fail(err, YORE_ERR_MISUSE, "the options are not initialised with YORE_DIFF_OPTIONS_INIT");
    if (options->primitive == YORE_SYSTEM)
        return yr_fail(err, YORE_ERR_REFUSED,
                       "system keys are the whole store's: no two points of it differ in them");
    if (options->primitive > YORE_SYSTEM && options->primitive != YORE_ANY_PRIMITIVE)
        return yr_fail(err, YORE_ERR_MISUSE, "there is no primitive %u", options->primitive);
    return YORE_OK;
}

static yore_status open_diff(yore_db *db, const yr_point_found *a, const yr_point_found *b,
                             const yore_diff_options *options, yore_iter **out, yore_error *err)
{
    diff_iter *iter = yr_iter_create(db, a->layers, sizeof *iter);
    if (!iter) return yr_iter_no_memory(err);
    iter->base.deinit = diff_deinit;
    iter->left = options && options->limit ? options->limit : UINT64_MAX;
    iter->keys_only = options && options->keys_only;
    yr_buf_init(&iter->keys, db->env, SIZE_MAX);
    const yr_view view_a = yr_point_view(a), view_b = yr_point_view(b);
    yore_status status = yr_diff_open(db->env, &view_a, &view_b, options, &iter->diff, err);
    if (status < 0) {
        yore_iter_close(&iter->base);
        return status;
    }
    *out = &iter->base;
    return YORE_OK;
}

static yore_status fill_where(const yr_point_found *found, yore_where *out, yore_error *err)
{
    if (!out) return YORE_OK;
    return yr_where_fill(found->layers, found->visible, found->branch, found->version, found->cap,
                         found->time_ns, out, err);
}

/* Both at one moment, with a reference each on its layers. */
static yore_status find_both(yore_db *db, const yore_at *a, const yore_at *b, yr_point_found *found_a,
                             yr_point_found *found_b, yore_error *err)
{
    yore_status status = yr_at_find(db, a, found_a, err);
    if (status < 0) return status;
    status = yr_at_find_beside(db, b, found_a, found_b, err);
    if (status < 0) yr_layers_unref(found_a->layers);
    return status;
}

yore_status yore_diff(yore_db *db, const yore_at *a, const yore_at *b, const yore_diff_options *options,
                      yore_iter **out, yore_where *at_a, yore_where *at_b, yore_error *err)
{
    yr_point_found found_a, found_b;
    yore_status status = check_options(options, err);
    if (status == YORE_OK) status = find_both(db, a, b, &found_a, &found_b, err);
    if (status ==
        YORE_ERR_TRIMMED) { /* maybe the moment was trimmed away, or a refresh is on its way to another */
        if (db->store.read_only && yr_db_usable(db, NULL) == YORE_OK) {
            yr_store_lead(&db->store);
            yr_store_unlead(&db->store);
        }
        status = find_both(db, a, b, &found_a, &found_b, err);
    }
    if (status < 0) return status;
    status = yr_db_settle(db, err);
    if (status == YORE_OK) status = fill_where(&found_a, at_a, err);
    if (status == YORE_OK) status = fill_where(&found_b, at_b, err);
    if (status == YORE_OK) status = open_diff(db, &found_a, &found_b, options, out, err);
    yr_layers_unref(found_b.layers);
    yr_layers_unref(found_a.layers);
    return status;
}
