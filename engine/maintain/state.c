#include "engine/maintain/state.h"

#include <string.h>

#include "engine/base/mem.h"

bool yr_draft_init(yr_draft *draft, const yore_env *env, const yr_store_state *from, uint32_t extra)
{
    *draft = (yr_draft){.env = env, .state = *from, .room = from->file_count + extra};
    draft->state.files = NULL;
    if (draft->room == 0) return true;
    draft->state.files = yr_alloc(env, draft->room * sizeof *from->files);
    if (!draft->state.files) return false;
    if (from->file_count) memcpy(draft->state.files, from->files, from->file_count * sizeof *from->files);
    return true;
}

void yr_draft_deinit(yr_draft *draft)
{
    yr_free(draft->env, draft->state.files, draft->room * sizeof *draft->state.files);
    *draft = (yr_draft){0};
}

static void insert(yr_store_state *state, uint32_t at, const yr_store_file *files, uint32_t count)
{
    memmove(state->files + at + count, state->files + at, (state->file_count - at) * sizeof *files);
    if (count) memcpy(state->files + at, files, count * sizeof *files);
    state->file_count += count;
}

void yr_draft_add_run(yr_draft *draft, const yr_store_file *files, uint32_t count)
{
    insert(&draft->state, 0, files, count);
}

void yr_draft_replace(yr_draft *draft, const uint64_t *old_ids, uint32_t old_count,
                      const yr_store_file *files, uint32_t count)
{
    yr_store_state *state = &draft->state;
    uint32_t at = state->file_count, kept = 0;
    for (uint32_t i = 0; i < state->file_count; i++) {
        bool is_old = false;
        for (uint32_t k = 0; k < old_count && !is_old; k++) is_old = old_ids[k] == state->files[i].file_id;
        if (is_old && at == state->file_count) at = kept;
        if (!is_old) state->files[kept++] = state->files[i];
    }
    state->file_count = kept;
    insert(state, at < kept ? at : kept, files, count);
}

void yr_draft_add_values(yr_draft *draft, const yr_store_file *file)
{
    insert(&draft->state, draft->state.file_count, file, 1);
}

void yr_draft_remove(yr_draft *draft, uint64_t file_id)
{
    yr_draft_replace(draft, &file_id, 1, NULL, 0);
}
