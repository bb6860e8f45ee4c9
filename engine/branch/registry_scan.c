#include "engine/branch/registry_scan.h"

yore_status yr_registry_scan(yr_layers *layers, uint64_t version, char kind, bool is_reverse,
                             yr_registry_each each, void *arg, yore_error *err)
{
    yore_range range = YORE_RANGE_INIT;
    range.primitive = YORE_SYSTEM;
    range.prefix = yore_bytes(&kind, 1);
    range.without_times = true;
    range.reverse = is_reverse;
    const yr_view view = {.layers = layers, .branch = &yr_registry_branch, .cap = version, .past = true};
    yr_scan scan;
    yore_row rows[16];
    size_t n = 1;
    yore_status status = yr_scan_init(&scan, &view, &range, err);
    while (status == YORE_OK && n) {
        status = yr_scan_next(&scan, rows, sizeof rows[0], sizeof rows / sizeof rows[0], &n, err);
        for (size_t i = 0; i < n && status == YORE_OK; i++) status = each(arg, &rows[i], err);
    }
    yr_scan_deinit(&scan);
    return status;
}
