/* Cells of RFC 4180. */
#ifndef YORE_CLI_CSV_OUT_H
#define YORE_CLI_CSV_OUT_H

#include <stdio.h>

#include <yore.h>

void csv_cell(FILE *to, yore_slice text); /* quoted where it has to be */
/* Two cells and the comma behind them: text in the first, or base64 in the second. */
void csv_bytes(FILE *to, yore_slice bytes);

#endif
