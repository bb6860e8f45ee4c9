/* Rows of scans and histories, a batch at a time. */
#include "cli/list.h"

#include "cli/fail.h"

#define BATCH 64u

int cli_rows(cli *c, yore_iter *iter, cli_row_fn each, void *arg)
{
    yore_row rows[BATCH];
    yore_error err = YORE_ERROR_INIT;
    yore_status status;
    size_t count = 0;
    int code = 0;

    while (code == 0 && (status = yore_next(iter, rows, sizeof rows[0], BATCH, &count, &err)) != YORE_END) {
        if (status < 0) code = cli_fail(c, &err);
        for (size_t i = 0; i < count && code == 0; i++) code = each(arg, &rows[i]);
    }
    yore_iter_close(iter);
    return code == CLI_STOP ? 0 : code;
}

int cli_scan(cli *c, yore_snap *snap, const yore_range *range, cli_row_fn each, void *arg)
{
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;

    if (yore_scan(snap, range, &iter, &err) < 0) return cli_fail(c, &err);
    return cli_rows(c, iter, each, arg);
}
