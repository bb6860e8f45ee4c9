/* {"merge":"exp","into":"default"}: a merge of two branches as they are at that place of the file. */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/import.h"

#define NAMES_SHOWN 3u

/* "'a', 'b', ...": the first keys that conflict. */
static void name_conflicts(yore_merge_plan *plan, uint64_t count, cli_bytes *to)
{
    yore_merge_conflict conflict = {.struct_size = sizeof conflict};
    for (size_t i = 0; i < NAMES_SHOWN && yore_merge_plan_conflict(plan, i, &conflict, NULL) == YORE_OK;
         i++) {
        if (i > 0) cli_bytes_append(to, ", ", 2);
        cli_bytes_append(to, "'", 1);
        cli_bytes_append(to, conflict.key.data, conflict.key.size < 60 ? conflict.key.size : 60);
        cli_bytes_append(to, "'", 1);
    }
    if (count > NAMES_SHOWN) cli_bytes_append(to, ", ...", 5);
}

static bool refuse_conflicts(yore_merge_plan *plan, const yore_merge_info *info, import_problem *problem)
{
    cli_bytes names = {0};
    name_conflicts(plan, info->open_conflicts, &names);
    (void)import_refuse(problem, YORE_CONFLICT, 0,
                        "'%s' and '%s' both changed %" PRIu64 " key%s differently (%s): nothing was merged",
                        info->theirs_branch, info->ours_branch, info->open_conflicts,
                        info->open_conflicts == 1 ? "" : "s", names.data);
    cli_bytes_deinit(&names);
    return false;
}

static bool apply(import *im, yore_merge_plan *plan, const import_change *change, yore_where *where,
                  import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    yore_merge_info info = {.struct_size = sizeof info};
    yore_txn_options options;
    yore_where own = YORE_WHERE_INIT;
    if (yore_merge_plan_info(plan, &info, &err) < 0) return import_refuse_error(problem, &err);
    if (info.open_conflicts > 0) return refuse_conflicts(plan, &info, problem);
    if (info.is_nothing) return true;
    if (!import_txn_options(im, change, &options, problem)) return false;
    if (yore_merge_apply(plan, change->note, &options, &own, &err) != YORE_OK)
        return import_refuse_error(problem, &err);
    import_note_commit(im, &own);
    im->merges++;
    im->puts += info.puts + info.dels;
    if (where != NULL) *where = own;
    return true;
}

bool import_merge(import *im, const char *from, const import_change *change, yore_where *where,
                  import_problem *problem)
{
    yore_error err = YORE_ERROR_INIT;
    yore_merge_options options = YORE_MERGE_OPTIONS_INIT;
    yore_merge_plan *plan = NULL;
    yore_at at = YORE_AT_INIT;
    options.allow_unrelated = true;
    (void)snprintf(at.branch, sizeof at.branch, "%s", from);
    if (yore_merge_plan_open(im->c->db, &at, yore_str(change->branch), &options, &plan, &err) < 0)
        return import_refuse_error(problem, &err);
    bool good = apply(im, plan, change, where, problem);
    yore_merge_plan_close(plan);
    return good;
}
