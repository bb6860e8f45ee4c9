/* The registry's rows of one kind ("b" branches, "t" tags, "e" erasures: registry_format.h), as of one version. */
#ifndef YR_REGISTRY_SCAN_H
#define YR_REGISTRY_SCAN_H

#include "engine/branch/lineage_scan.h"

/* One row, valid for the call. A status other than YORE_OK ends the scan and is returned. */
typedef yore_status (*yr_registry_each)(void *arg, const yore_row *row, yore_error *err);

/* In key order, or backwards. Rows have no times. YORE_OK, what `each` gave, or a scan's failure. */
yore_status yr_registry_scan(yr_layers *layers, uint64_t version, char kind, bool is_reverse,
                             yr_registry_each each, void *arg, yore_error *err);

#endif
