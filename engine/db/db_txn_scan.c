/* A scan inside a transaction: its snapshot merged with the keys it had written when the scan was opened.
 * What it writes to those keys meanwhile shows; keys it adds meanwhile do not. */
#include "engine/base/error.h"
#include "engine/branch/lineage_scan.h"
#include "engine/db/txn_handle.h"

enum { AHEAD = 64 }; /* rows fetched at a time: each fetch seeks anew */

typedef struct txn_scan_iter {
    yore_iter base;
    yore_txn *txn;
    yr_scan scan;          /* of the snapshot, without a limit */
    yore_row ahead[AHEAD]; /* rows of it not merged yet: [ahead_at, ahead_count) */
    size_t ahead_at, ahead_count;
    bool ahead_gave;            /* rows of this call are among those: they last until the next fetch */
    yore_slice *own;            /* keys in order */
    uint32_t own_count, own_at; /* own_at counts those given, from the end when reverse */
    uint32_t primitive;
    bool reverse, keys_only;
    uint64_t left;
} txn_scan_iter;

/* The snapshot's next row, NULL at its end. */
static yore_status peek_row(txn_scan_iter *iter, const yore_row **row, yore_error *err)
{
    yore_status status = YORE_OK;
    if (iter->ahead_at == iter->ahead_count) {
        iter->ahead_gave = false;
        iter->ahead_at = iter->ahead_count = 0;
        size_t want = iter->left < AHEAD ? (size_t)iter->left : AHEAD;
        status = yr_scan_next(&iter->scan, iter->ahead, sizeof iter->ahead[0], want, &iter->ahead_count, err);
    }
    *row = iter->ahead_at < iter->ahead_count ? &iter->ahead[iter->ahead_at] : NULL;
    return status;
}

static const yore_slice *peek_own(const txn_scan_iter *iter)
{
    if (iter->own_at == iter->own_count) return NULL;
    return &iter->own[iter->reverse ? iter->own_count - 1 - iter->own_at : iter->own_at];
}

/* The row of an own write; *shown is false when it deletes. */
static yore_status own_row(const txn_scan_iter *iter, yore_slice key, yore_row *row, bool *shown,
                           yore_error *err)
{
    yore_pin pin = YORE_PIN_INIT;
    yore_status status = yore_txn_get(iter->txn, (yore_key){key, iter->primitive}, &pin, err);
    *shown = status == YORE_OK;
    if (!*shown) return status < 0 ? status : YORE_OK;
    *row = (yore_row){.key = key,
                      .value = iter->keys_only ? yore_bytes(NULL, 0) : pin.value,
                      .meta = pin.meta,
                      .branch_id = pin.branch_id,
                      .primitive = iter->primitive,
                      .op = YORE_OP_PUT,
                      .type = pin.type};
    return YORE_OK;
}

/* Which comes first: < 0 the snapshot's row, > 0 the own key, 0 both are one key. */
static int first_of(const txn_scan_iter *iter, const yore_row *row, const yore_slice *own)
{
    if (!own) return -1;
    if (!row) return 1;
    int order = yr_slice_compare(row->key, *own);
    return iter->reverse ? -order : order;
}

static yore_status txn_scan_next(yore_iter *base, void *rows, size_t row_size, size_t cap, size_t *n,
                                 yore_error *err)
{
    txn_scan_iter *iter = (txn_scan_iter *)base;
    iter->ahead_gave = false;
    while (*n < cap && iter->left) {
        if (iter->ahead_gave && iter->ahead_at == iter->ahead_count) break;
        const yore_row *ahead;
        yore_status status = peek_row(iter, &ahead, err);
        if (status < 0) return status;
        const yore_slice *own = peek_own(iter);
        if (!own && !ahead) break;
        int order = first_of(iter, ahead, own);
        yore_row row;
        bool shown = true;
        if (order <= 0) {
            row = *ahead;
            iter->ahead_gave |= order < 0;
            iter->ahead_at++; /* taken, or hidden by the own write of the same key */
        }
        if (order >= 0) {
            iter->own_at++;
            status = own_row(iter, *own, &row, &shown, err);
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
        yore_slice key = iter->own[i];
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
    yore_status status = yr_db_settle(txn->db, err);
    if (status < 0) return status;
    txn_scan_iter *iter = yr_iter_create(txn->db, txn->view.layers, sizeof *iter);
    if (!iter) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for an iterator");
    status = yr_scan_init(&iter->scan, &txn->view, &inner, err);
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
    iter->primitive = primitive;
    iter->own = yr_write_set_keys(&txn->writes, primitive, &iter->own_count);
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
