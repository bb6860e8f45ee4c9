/* A run under a listing. */
#include "engine/base/mem.h"
#include "engine/branch/scan_source.h"

void yr_scan_rows_init(yr_scan_source *source, yr_run *run, uint32_t primitive, uint64_t cap)
{
    yr_scan_rows *rows = &source->u.rows;
    source->is_run = true;
    yr_put_be32(rows->prefix, source->branch->id);
    rows->prefix[4] = (uint8_t)primitive;
    yr_run_cursor_init(&rows->cursor, run, cap, yore_bytes(rows->prefix, sizeof rows->prefix));
}

static yore_slice user_key(const yr_scan_rows *rows)
{
    yore_slice key = rows->row.tree_key;
    return yore_bytes((const uint8_t *)key.data + YR_TREE_KEY_PREFIX, key.size - YR_TREE_KEY_PREFIX);
}

/* Where a step led to. */
static yore_status stands(const yr_scan *scan, yr_scan_source *source, yore_status status)
{
    if (status < 0) return status;
    source->ended = status == YORE_END || !yr_scan_has(scan, user_key(&source->u.rows));
    return YORE_OK;
}

yore_status yr_scan_rows_step(const yr_scan *scan, yr_scan_source *source, yore_error *err)
{
    yr_scan_rows *rows = &source->u.rows;
    return stands(scan, source,
                  scan->reverse ? yr_run_cursor_prev(&rows->cursor, &rows->row, err)
                                : yr_run_cursor_next(&rows->cursor, &rows->row, err));
}

yore_status yr_scan_rows_start(yr_scan *scan, yr_scan_source *source, yore_error *err)
{
    yr_scan_rows *rows = &source->u.rows;
    uint32_t id = source->branch->id;
    if (rows->is_placed) return YORE_OK;
    rows->is_placed = true;
    if (!scan->reverse) {
        yore_slice from = yr_scan_tree_key(scan, id, scan->primitive, scan->lower);
        return stands(scan, source, yr_run_cursor_seek(&rows->cursor, from, &rows->row, err));
    }
    yore_slice upper = scan->has_upper ? yr_scan_tree_key(scan, id, scan->primitive, scan->upper)
                                       : yore_bytes(NULL, 0);
    yore_status status = yr_run_cursor_seek_reverse(&rows->cursor, upper, &rows->row, err);
    if (status == YORE_OK && scan->has_upper && yr_slice_equal(user_key(rows), scan->upper))
        return yr_scan_rows_step(scan, source, err);
    return stands(scan, source, status);
}

bool yr_scan_keep_pin(yr_scan *scan, yr_block_pin *pin)
{
    if (scan->pin_count == scan->pin_capacity) {
        size_t capacity = scan->pin_capacity ? scan->pin_capacity * 2 : 16;
        yr_block_pin *grown =
            yr_realloc(scan->env, scan->pins, scan->pin_capacity * sizeof *grown, capacity * sizeof *grown);
        if (!grown) {
            yr_block_pin_release(pin);
            return false;
        }
        scan->pins = grown;
        scan->pin_capacity = capacity;
    }
    scan->pins[scan->pin_count++] = *pin;
    return true;
}

bool yr_scan_rows_keep(yr_scan *scan, const yr_block_pin *held)
{
    if (scan->pin_count && scan->pins[scan->pin_count - 1].entry == held->entry) return true;
    yr_block_pin pin = yr_block_pin_copy(held);
    return yr_scan_keep_pin(scan, &pin);
}

void yr_scan_rows_hold(yr_scan *scan, const yr_block_pin *held)
{
    if (scan->hidden_pin.entry == held->entry) return;
    yr_block_pin_release(&scan->hidden_pin);
    scan->hidden_pin = yr_block_pin_copy(held);
}
