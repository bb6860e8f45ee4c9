/* Making a flush or a merge take effect: MANIFEST names the new files and no longer the old ones, then the store
 * reads the new layers, then the old files go. Private to engine/maintain/. */
#ifndef YR_INSTALL_H
#define YR_INSTALL_H

#include "engine/compact/compact_merge.h"
#include "engine/maintain/flush.h"
#include "engine/maintain/maintainer.h"

/* All: `is_leading` says that the caller holds the leader's turn. On failure the files that were to be installed are
 * removed, unless nobody knows whether MANIFEST names them (the log is poisoned then). */

/* A run for the oldest frozen memtable. *waited_ns: how long it waited for the leader's turn; as it was after a
 * failure. */
yore_status yr_install_flush(yr_maintainer *m, yr_memtable *mem, const yr_flush_files *files, bool is_leading,
                             int64_t *waited_ns, yore_error *err);
/* A run for the runs [first, last] of `layers`, and a value file that it refers to (file_id 0: none). */
yore_status yr_install_merge(yr_maintainer *m, const yr_layers *layers, uint32_t first, uint32_t last,
                             const yr_merge_result *result, const yr_store_file *values, uint16_t level,
                             bool is_leading, yore_error *err);
/* One file (or none) for file `file` of run `run`. */
yore_status yr_install_rewrite(yr_maintainer *m, const yr_layers *layers, uint32_t run, uint32_t file,
                               const yr_merge_result *result, uint16_t level, bool is_leading,
                               yore_error *err);
/* Bytes of hot segments in memory. */
uint64_t yr_image_bytes(const yr_layers *layers);

#endif
