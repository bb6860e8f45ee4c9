/* yore undo, redo, revert, cherry-pick, restore, branch reset: what was comes back, as a new commit. */
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/undo_plan.h"

/* -- undo, redo, revert -- */

static int run_of_version(cli *c, uint32_t kind)
{
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;

    options.kind = kind;
    if (c->arg_count > 0 && (!cli_parse_version(c->args[0], &options.version) || options.version == 0)) {
        return cli_usage_error(c, "yore log", "'%s' is not a version: it is written v12", c->args[0]);
    }
    int code = cli_undo_store(c);
    return code != 0 ? code : cli_undo_run(c, &options);
}

static int run_undo(cli *c)
{
    return run_of_version(c, YORE_UNDO_UNDO);
}

static int run_redo(cli *c)
{
    return run_of_version(c, YORE_UNDO_REDO);
}

static int run_revert(cli *c)
{
    return run_of_version(c, YORE_UNDO_REVERT);
}

static const cmd_flag flags[] = {CLI_FLAGS_UNDO};

const cmd cmd_undo_entry = {
    .name = "undo",
    .usage = "[vN] [--dry-run] [-m NOTE]",
    .summary = "take back the branch's newest commit that is not undone, or vN, by a new commit",
    .details =
        "undo after undo goes on to the commit before; `yore redo` takes the undo back. Only the branch's own\n"
        "commits can be undone: of what it inherited, `yore revert` takes back one. With nothing left to undo\n"
        "it is refused, exit 9. A key that was changed since is a clash: nothing is done, the clashes are\n"
        "listed, exit 4. An older state that is no longer kept is exit 6.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_undo,
    .store = CMD_WRITES,
    .args_max = 1,
};

const cmd cmd_redo_entry = {
    .name = "redo",
    .usage = "[--dry-run] [-m NOTE]",
    .summary = "take back the newest undo that is not redone, by a new commit",
    .details = "Any commit that is neither undo nor redo leaves nothing to redo: then it is refused, exit 9.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_redo,
    .store = CMD_WRITES,
};

const cmd cmd_revert_entry = {
    .name = "revert",
    .usage = "vN [--dry-run] [-m NOTE]",
    .summary = "take back what one commit of the branch's history changed; later edits of other keys stay",
    .details =
        "Its keys get the state before vN. A key that was changed since is a clash: nothing is done, the clashes\n"
        "are listed, exit 4. `yore undo` takes a revert back like any other commit.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_revert,
    .store = CMD_WRITES,
    .args_min = 1,
    .args_max = 1,
};

/* -- cherry-pick -- */

static int run_pick(cli *c)
{
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    cli_undo_keys keys;
    yore_at at;

    int code = cli_undo_keys_take(c, 1, &keys);
    if (code == 0) code = cli_undo_store(c);
    if (code == 0) code = cli_at_any(c, c->args[0], &at);
    if (code == 0) {
        options.kind = YORE_UNDO_PICK;
        options.at = &at;
        options.keys = keys.keys;
        options.key_count = keys.count;
        /* A bare vN is that commit, of whatever branch: as in `yore show`. */
        if (at.kind == YORE_AT_VERSION && strchr(c->args[0], '@') == NULL) options.version = at.version;
        code = cli_undo_run(c, &options);
    }
    cli_undo_keys_deinit(&keys);
    return code;
}

const cmd cmd_cherry_pick_entry = {
    .name = "cherry-pick",
    .usage = "SPEC [KEY...] [--dry-run] [-m NOTE]",
    .summary = "make the change of one commit of any branch on the branch in force",
    .details =
        "A bare vN is that commit, of whatever branch; exp@vN is exp's newest commit at or before it. With keys only\n"
        "these of its keys. A key that is not here as the commit found it there is a clash: nothing is done, the\n"
        "clashes are listed, exit 4.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_pick,
    .store = CMD_WRITES,
    .args_min = 1,
    .args_max = CMD_ARGS_ANY,
};

/* -- restore -- */

static int run_restore(cli *c)
{
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    const char *from = cli_value(c, "from");
    const char *prefix = cli_value(c, "prefix");
    cli_bytes bytes = {0};
    cli_undo_keys keys;
    yore_at at;

    if (from == NULL)
        return cli_usage_error(c, "yore restore KEY --from @v12", "'yore restore' needs --from SPEC");
    if ((prefix != NULL) == (c->arg_count > 0)) {
        return cli_usage_error(c, NULL,
                               prefix != NULL ? "keys and --prefix exclude each other"
                                              : "'yore restore' needs KEY... or --prefix P");
    }
    int code = cli_undo_keys_take(c, 0, &keys);
    if (code == 0 && prefix != NULL)
        code = cli_key_part(c, prefix, &bytes, &options.primitive, &options.prefix);
    if (code == 0) code = cli_undo_store(c);
    if (code == 0) code = cli_at_any(c, from, &at);
    if (code == 0) {
        options.kind = YORE_UNDO_RESTORE;
        options.at = &at;
        options.keys = keys.keys;
        options.key_count = keys.count;
        code = cli_undo_run(c, &options);
    }
    cli_undo_keys_deinit(&keys);
    cli_bytes_deinit(&bytes);
    return code;
}

static const cmd_flag restore_flags[] = {
    CLI_FLAGS_UNDO,
    {"from", "SPEC", "the point whose state comes back, also of another branch", 0},
    {"prefix", "P", "every key that starts with P", 0},
};

const cmd cmd_restore_entry = {
    .name = "restore",
    .usage = "KEY... --from SPEC [--dry-run] [-m NOTE]\n--prefix P --from SPEC [--dry-run] [-m NOTE]",
    .summary = "give keys the state they had at a point, in one commit",
    .details =
        "A key that had no value there is deleted. What has expired since stays expired: `yore cp` takes its bytes.",
    CMD_ENTRY_FLAGS(restore_flags),
    .run = run_restore,
    .store = CMD_WRITES,
    .args_max = CMD_ARGS_ANY,
};

/* -- branch reset -- */

const cmd_flag cli_reset_flags[CLI_RESET_FLAGS] = {
    CLI_FLAGS_UNDO,
    {"to", "SPEC", "the point whose state it gets; a bare point is one of the branch itself", 0},
    {"keep-as", "OLD", "first fork the branch as it is under this name", 0},
};

int cli_branch_reset(cli *c)
{
    yore_undo_options options = YORE_UNDO_OPTIONS_INIT;
    const char *to = cli_value(c, "to");
    const char *keep_as = cli_value(c, "keep-as");
    yore_error err = YORE_ERROR_INIT;
    yore_at at;

    if (to == NULL) {
        return cli_usage_error(c, "yore branch reset NAME --to back:1",
                               "'yore branch reset' needs --to SPEC");
    }
    if (c->branch_given && strcmp(c->branch, c->args[0]) != 0) {
        return cli_usage_error(c, "leave one of them out", "the branch to reset is '%s', but -b says '%s'",
                               c->args[0], c->branch);
    }
    if (keep_as != NULL && yore_name_check(yore_str(keep_as), &err) < 0) return cli_fail(c, &err);
    c->branch = c->args[0];
    int code = cli_undo_store(c);
    if (code == 0) code = cli_at_any(c, to, &at);
    if (code != 0) return code;
    options.kind = YORE_UNDO_RESET;
    options.at = &at;
    if (keep_as != NULL) options.keep_as = yore_str(keep_as);
    return cli_undo_run(c, &options);
}
