/* The next state of a store, from the one before and what a flush or a merge has made. Pure but for the memory. */
#ifndef YR_STATE_H
#define YR_STATE_H

#include "engine/format/manifest_format.h"

#include <yore/env.h>

typedef struct yr_draft {
    const yore_env *env;
    yr_store_state state; /* owns its files */
    uint32_t room;        /* for files */
} yr_draft;

/* A copy with room for `extra` more files. False when memory is out. */
bool yr_draft_init(yr_draft *draft, const yore_env *env, const yr_store_state *from, uint32_t extra);
void yr_draft_deinit(yr_draft *draft);

/* There is room for what is added. */
/* The files of a new youngest run. */
void yr_draft_add_run(yr_draft *draft, const yr_store_file *files, uint32_t count);
/* The files that take the place of others, which stand together: old_ids, in any order. */
void yr_draft_replace(yr_draft *draft, const uint64_t *old_ids, uint32_t old_count,
                      const yr_store_file *files, uint32_t count);
void yr_draft_add_values(yr_draft *draft, const yr_store_file *file);
void yr_draft_remove(yr_draft *draft, uint64_t file_id);

#endif
