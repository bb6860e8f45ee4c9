/* Iterators: what all kinds share, and scans. */
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/branch/lineage_scan.h"
#include "engine/db/handle.h"

void *yr_iter_create(yore_db *db, yr_layers *layers, size_t bytes)
{
    yore_iter *iter = yr_alloc_zero(db->env, bytes);
    if (!iter) return NULL;
    yr_db_ref(db);
    if (layers) yr_layers_ref(layers);
    iter->db = db;
    iter->layers = layers;
    iter->bytes = bytes;
    return iter;
}

yore_status yore_next(yore_iter *iter, yore_row *rows, size_t row_size, size_t cap, size_t *n,
                      yore_error *err)
{
    if (!iter || !rows || !n || cap == 0 || row_size == 0) {
        return yr_fail(err, YORE_ERR_MISUSE, "an iterator, room for rows and a count are needed");
    }
    if (!iter->next)
        return yr_fail(err, YORE_ERR_MISUSE,
                       "this iterator lists no rows: use the call of its kind, as yore_log_next");
    size_t count = 0;
    yore_status status = iter->next(iter, rows, row_size, cap, &count, err);
    if (status < 0) return status;
    if (count == 0) return YORE_END;
    *n = count;
    return YORE_OK;
}

void yore_iter_close(yore_iter *iter)
{
    if (!iter) return;
    yore_db *db = iter->db;
    if (iter->deinit) iter->deinit(iter);
    yr_layers_unref(iter->layers);
    yr_free(db->env, iter, iter->bytes);
    yr_db_unref(db);
}

yore_status yr_iter_no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "out of memory for an iterator");
}

/* -- scans -- */

typedef struct scan_iter {
    yore_iter base;
    yr_scan scan;
} scan_iter;

static yore_status scan_next(yore_iter *iter, void *rows, size_t row_size, size_t cap, size_t *n,
                             yore_error *err)
{
    return yr_scan_next(&((scan_iter *)iter)->scan, rows, row_size, cap, n, err);
}

static void scan_deinit(yore_iter *iter)
{
    yr_scan_deinit(&((scan_iter *)iter)->scan);
}

yore_status yore_scan(yore_snap *snap, const yore_range *range, yore_iter **out, yore_error *err)
{
    if (range && range->struct_size != sizeof *range) {
        return yr_fail(err, YORE_ERR_MISUSE, "the range is not initialised with YORE_RANGE_INIT");
    }
    yore_status status = yr_db_settle(snap->reader.db, err);
    if (status < 0) return status;
    scan_iter *iter = yr_iter_create(snap->reader.db, snap->view.layers, sizeof *iter);
    if (!iter) return yr_iter_no_memory(err);
    status = yr_scan_init(&iter->scan, &snap->view, range, err);
    if (status < 0) {
        yore_iter_close(&iter->base);
        return status;
    }
    iter->base.next = scan_next;
    iter->base.deinit = scan_deinit;
    *out = &iter->base;
    return YORE_OK;
}
