/* A scan inside a transaction: its snapshot merged with its own writes. */
#include "engine/base/error.h"
#include "engine/branch/lineage_scan.h"
#include "engine/db/txn_handle.h"

typedef struct txn_scan_iter {
    yore_iter base;
    yore_txn *txn;
    yr_scan scan; /* of the snapshot, without a limit */
    yore_row row; /* the snapshot's next row */
    bool has_row;
    const yr_op **own;          /* in key order */
    uint32_t own_count, own_at; /* own_at counts those given, from the end when reverse */
    bool reverse, keys_only;
    uint64_t left;
} txn_scan_iter;

static yore_status pull(txn_scan_iter *iter, yore_error *err)
{
    size_t n = 0;
    if (iter->has_row) return YORE_OK;
    yore_status status = yr_scan_next(&iter->scan, &iter->row, sizeof iter->row, 1, &n, err);
    iter->has_row = status == YORE_OK && n == 1;
    return status;
}

static const yr_op *own_peek(const txn_scan_iter *iter)
{
    if (iter->own_at == iter->own_count) return NULL;
    return iter->own[iter->reverse ? iter->own_count - 1 - iter->own_at : iter->own_at];
}

/* The row of an own write; false when it deletes. */
static yore_status own_row(txn_scan_iter *iter, const yr_op *op, yore_row *row, bool *shown, yore_error *err)
{
    yore_pin pin = YORE_PIN_INIT;
    const yore_key key = {op->key, op->primitive};
    yore_status status = yore_txn_get(iter->txn, key, &pin, err);
    *shown = status == YORE_OK;
    if (status < 0 || !*shown) return status < 0 ? status : YORE_OK;
    *row = (yore_row){.key = op->key,
                      .value = iter->keys_only ? yore_bytes(NULL, 0) : pin.value,
                      .meta = pin.meta,
                      .branch_id = iter->txn->branch->id,
                      .primitive = op->primitive,
                      .op = YORE_OP_PUT,
                      .type = op->type};
    return YORE_OK;
}

static yore_status txn_scan_next(yore_iter *base, void *rows, size_t row_size, size_t cap, size_t *n,
                                 yore_error *err)
{
    txn_scan_iter *iter = (txn_scan_iter *)base;
    while (*n < cap && iter->left) {
        yore_status status = pull(iter, err);
        if (status < 0) return status;
        const yr_op *op = own_peek(iter);
        if (!op && !iter->has_row) break;
        int order = !op ? -1 : !iter->has_row ? 1 : yr_slice_compare(iter->row.key, op->key);
        if (iter->reverse && op && iter->has_row) order = -order;
        if (order <= 0) iter->has_row = false; /* taken, or hidden by the own write of the same key */
        yore_row row = iter->row;
        bool shown = true;
        if (order >= 0) {
            iter->own_at++;
            status = own_row(iter, op, &row, &shown, err);
            if (status < 0) return status;
        }
        if (!shown) continue;
        yr_row_store(rows, row_size, (*n)++, &row);
        iter->left--;
    }
    return YORE_OK;
}

static void txn_scan_deinit(yore_iter *base)
{
    yr_scan_deinit(&((txn_scan_iter *)base)->scan);
}

/* Keep only the own writes inside the scan's bounds. */
static void clip_own(txn_scan_iter *iter)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < iter->own_count; i++) {
        yore_slice key = iter->own[i]->key;
        if (yr_slice_compare(key, iter->scan.lower) < 0) continue;
        if (iter->scan.has_upper && yr_slice_compare(key, iter->scan.upper) >= 0) continue;
        iter->own[kept++] = iter->own[i];
    }
    iter->own_count = kept;
}

yore_status yore_txn_scan(yore_txn *txn, const yore_range *range, yore_iter **out, yore_error *err)
{
    static const yore_range everything = YORE_RANGE_INIT;
    if (!range) range = &everything;
    yore_range inner = *range;
    inner.limit = 0;
    inner.with_deleted = false;
    txn_scan_iter *iter = yr_iter_create(txn->db, sizeof *iter);
    if (!iter) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for an iterator");
    yore_status status = yr_scan_init(&iter->scan, &txn->view, &inner, err);
    if (status < 0) {
        yore_iter_close(&iter->base);
        return status;
    }
    iter->base.next = txn_scan_next;
    iter->base.deinit = txn_scan_deinit;
    iter->txn = txn;
    iter->reverse = range->reverse;
    iter->keys_only = range->keys_only;
    iter->left = range->limit ? range->limit : UINT64_MAX;
    const uint8_t primitive = (uint8_t)(range->primitive ? range->primitive : YORE_KV);
    iter->own = yr_write_set_sorted(&txn->writes, primitive, &iter->own_count);
    const yr_read read = {.key = iter->scan.lower,
                          .upper = iter->scan.upper,
                          .primitive = primitive,
                          .is_range = true,
                          .has_upper = iter->scan.has_upper};
    status = iter->own ? yr_txn_note_read(txn, &read, err)
                       : yr_fail(err, YORE_ERR_NOMEM, "out of memory for an iterator");
    if (status < 0) {
        yore_iter_close(&iter->base);
        return status;
    }
    clip_own(iter);
    *out = &iter->base;
    return YORE_OK;
}
