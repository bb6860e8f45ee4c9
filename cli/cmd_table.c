/* The command table: every verb, in the order help shows them, and the flags that all verbs share. */
#include "cli/cmd.h"

const cmd *const cmd_table[] = {
    &cmd_init_entry,        &cmd_put_entry,     &cmd_get_entry,        &cmd_exists_entry, &cmd_del_entry,
    &cmd_cas_entry,         &cmd_incr_entry,    &cmd_mv_entry,         &cmd_cp_entry,     &cmd_ls_entry,
    &cmd_scan_entry,        &cmd_search_entry,  &cmd_history_entry,    &cmd_log_entry,    &cmd_diff_entry,
    &cmd_show_entry,        &cmd_at_entry,      &cmd_undo_entry,       &cmd_redo_entry,   &cmd_revert_entry,
    &cmd_cherry_pick_entry, &cmd_restore_entry, &cmd_compare_entry,    &cmd_branch_entry, &cmd_merge_entry,
    &cmd_tag_entry,         &cmd_config_entry,  &cmd_import_entry,     &cmd_export_entry, &cmd_stats_entry,
    &cmd_check_entry,       &cmd_gc_entry,      &cmd_compact_entry,    &cmd_erase_entry,  &cmd_backup_entry,
    &cmd_bundle_entry,      &cmd_upgrade_entry, &cmd_completion_entry, &cmd_help_entry,   &cmd_version_entry,
};
const size_t cmd_table_count = CMD_COUNT(cmd_table);

const cmd_flag cmd_global_flags[] = {
    {"db", "PATH", "the store (else YORE_DB, else the nearest .yore directory upward); :memory: is not kept",
     'd'},
    {"branch", "NAME", "the branch (else YORE_BRANCH, else default); id:N reaches deleted ones too", 'b'},
    {"json", NULL, "one JSON object a line; errors too, on stderr", 0},
    {"color", "WHEN", "auto, always or never", 0},
    {"sync", "MODE", "durability of this call's commits: commit, group, os or none", 0},
    {"memory", "SIZE", "how much memory the store may take, as in 256MiB (1GiB; 16MiB at least)", 0},
    {"wait", "SPAN",
     "how long to wait for another writer (5s; a bare number is seconds), a search for its index (no limit)",
     0},
    {"ok-if-none", NULL, "exit 0 where the answer no would be exit 1", 0},
    {"address", NULL, "keys are full branch:primitive:key addresses, in and out", 0},
    {"key-hex", NULL, "keys, prefixes and bounds are given as hexadecimal", 0},
    {"key-b64", NULL, "keys, prefixes and bounds are given as base64", 0},
    {"utc-offset", "ZONE", "display zone of times, as in +01:00 (else TZ)", 0},
    {"quiet", NULL, "no words on stderr but errors", 'q'},
    {"help", NULL, "show help and do nothing", 'h'},
    {"version", NULL, "show the version and do nothing", 0},
};
const size_t cmd_global_flag_count = CMD_COUNT(cmd_global_flags);
