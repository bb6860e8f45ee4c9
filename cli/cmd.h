/* The command table and the state of one call.
 *
 * One `cmd` entry defines a verb: its name, usage, summary, flags and function. Parsing, `help`, `--help`, the
 * man page, shell completion and the nearest-name hints all read this table and nothing else. A verb with
 * subcommands (`branch`, `tag`, `config`) has `subs` and no function.
 *
 * A verb's function returns the process's exit code (cli/fail.h). It opens the store itself (cli/locate.h),
 * because only it knows whether it reads, writes or creates.
 */
#ifndef YORE_CLI_CMD_H
#define YORE_CLI_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yore.h>

typedef struct cli cli;

typedef struct cmd_flag {
    const char *name; /* long name without the dashes */
    const char *arg;  /* name of its value in help ("SPEC"), NULL for a switch */
    const char *help;
    char letter; /* short name, 0 = none */
} cmd_flag;

/* What a command does to the store: for help and the man page. */
typedef enum cmd_store { CMD_NO_STORE, CMD_READS, CMD_WRITES } cmd_store;

typedef struct cmd {
    const char *name;
    const char *usage;   /* what follows the name; alternatives on lines of their own */
    const char *summary; /* one line, no full stop */
    const char *details; /* paragraphs for --help and the man page, NULL = none */
    const cmd_flag *flags;
    size_t flag_count;
    int (*run)(cli *c);
    const struct cmd *subs;
    size_t sub_count;
    cmd_store store;
    bool pages;        /* its output may be long: through a pager on a terminal */
    uint16_t args_min; /* positional arguments */
    uint16_t args_max; /* CMD_ARGS_ANY = no limit */
} cmd;

#define CMD_ARGS_ANY UINT16_MAX
#define CMD_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CMD_ENTRY_FLAGS(array) .flags = (array), .flag_count = CMD_COUNT(array)

/* The tables (cmd_table.c). */
extern const cmd *const cmd_table[];
extern const size_t cmd_table_count;
extern const cmd_flag cmd_global_flags[];
extern const size_t cmd_global_flag_count;

/* The entries: each lives in the file of its verb (cmd_get.c has cmd_get_entry), related small verbs together. */
extern const cmd cmd_at_entry;
extern const cmd cmd_backup_entry;
extern const cmd cmd_branch_entry;
extern const cmd cmd_bundle_entry;
extern const cmd cmd_cas_entry;
extern const cmd cmd_check_entry;
extern const cmd cmd_cherry_pick_entry;
extern const cmd cmd_compact_entry;
extern const cmd cmd_compare_entry;
extern const cmd cmd_completion_entry;
extern const cmd cmd_config_entry;
extern const cmd cmd_cp_entry;
extern const cmd cmd_del_entry;
extern const cmd cmd_diff_entry;
extern const cmd cmd_erase_entry;
extern const cmd cmd_exists_entry;
extern const cmd cmd_export_entry;
extern const cmd cmd_gc_entry;
extern const cmd cmd_get_entry;
extern const cmd cmd_help_entry;
extern const cmd cmd_history_entry;
extern const cmd cmd_import_entry;
extern const cmd cmd_incr_entry;
extern const cmd cmd_init_entry;
extern const cmd cmd_log_entry;
extern const cmd cmd_ls_entry;
extern const cmd cmd_merge_entry;
extern const cmd cmd_mv_entry;
extern const cmd cmd_put_entry;
extern const cmd cmd_redo_entry;
extern const cmd cmd_restore_entry;
extern const cmd cmd_revert_entry;
extern const cmd cmd_scan_entry;
extern const cmd cmd_search_entry;
extern const cmd cmd_show_entry;
extern const cmd cmd_stats_entry;
extern const cmd cmd_tag_entry;
extern const cmd cmd_undo_entry;
extern const cmd cmd_upgrade_entry;
extern const cmd cmd_version_entry;

/* One parsed flag or positional argument; see cli/args.h. */
typedef struct cli_arg {
    const cmd_flag *flag;
    const char *value; /* NULL for a switch */
} cli_arg;

/* The state of one call. */
struct cli {
    const cmd *parent; /* `branch` of `branch list`, else NULL */
    const cmd *command;
    char **args; /* positional arguments after the verb (and subcommand) */
    size_t arg_count;
    cli_arg *given; /* flags as given, global ones too */
    size_t given_count;

    const char *db_path;  /* -d, NULL = not given */
    const char *branch;   /* -b or YORE_BRANCH, NULL = neither */
    bool branch_given;    /* by -b or an address */
    char *address_branch; /* owned: the branch of a --address key */
    bool json;
    bool quiet;
    bool color_out;
    bool color_err;
    bool tty_in;
    bool tty_out;
    bool tty_err;
    bool ok_if_none;
    bool address; /* keys are full addresses */
    bool key_hex; /* keys are given as hex */
    bool key_b64;
    bool zone_given; /* by --utc-offset */
    int32_t zone_s;
    uint32_t sync; /* YORE_SYNC_..., 0 = the store's */
    uint32_t wait_ms;
    uint64_t memory_budget; /* bytes; 0 = the library's default */
    int64_t now_ns;         /* the clock when the call began */

    yore_db *db;      /* set by cli_open_...; closed by main */
    char *store_path; /* the path it was opened at */
};

#endif
