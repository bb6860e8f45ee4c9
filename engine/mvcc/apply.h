/* Putting a commit's rows into memory, by the leader and by replay alike. */
#ifndef YR_APPLY_H
#define YR_APPLY_H

#include "engine/mvcc/store.h"

/* Apply rows and the commit record of head->version = last_version + 1. `branch` is where the rows go, NULL
 * for the registry. On YORE_ERR_NOMEM, and on
 * YORE_ERR_CORRUPT when the rows hold a key twice, everything is taken off again. Does not publish. */
yore_status yr_apply(yr_store *store, yr_branch *branch, const yr_commit_head *head, const yr_row *rows,
                     const uint64_t *key_hashes, uint32_t row_count, yore_error *err);

/* The newest commit was applied and is durable: move the leader's clock over it. */
void yr_apply_advance(yr_store *store, const yr_commit_head *head);

#endif
