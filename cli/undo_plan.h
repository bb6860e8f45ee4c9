/* What undo, redo, revert, cherry-pick, restore and branch reset share: planning, showing or making the change. */
#ifndef YORE_CLI_UNDO_PLAN_H
#define YORE_CLI_UNDO_PLAN_H

#include "cli/cmd.h"
#include "cli/write.h"

/* The flags every one of them has; they come first in its table. */
#define CLI_FLAGS_UNDO                                                  \
    CLI_FLAG_MESSAGE,                                                   \
    {                                                                   \
        "dry-run", NULL, "show what would change and change nothing", 0 \
    }

/* Open the store as the call needs it: --dry-run only reads. 0 or an exit code. */
int cli_undo_store(cli *c);
/* Plan the change of the branch in force, then show it (--dry-run) or make it and report. Returns the exit code. */
int cli_undo_run(cli *c, const yore_undo_options *options);

/* The keys of arguments from `first` on: cli_undo_keys_deinit in any case. 0 or an exit code. */
typedef struct cli_undo_keys {
    yore_key *keys;
    cli_bytes *bytes;
    size_t count;
} cli_undo_keys;
int cli_undo_keys_take(cli *c, size_t first, cli_undo_keys *out);
void cli_undo_keys_deinit(cli_undo_keys *keys);

/* `yore branch reset` (cmd_branch.c has its entry). */
#define CLI_RESET_FLAGS 4
extern const cmd_flag cli_reset_flags[CLI_RESET_FLAGS];
int cli_branch_reset(cli *c);

#endif
