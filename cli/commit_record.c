/* Commits in records. */
#include "cli/commit_record.h"

#include "cli/fail.h"
#include "cli/list.h"

const char *cli_commit_kind(uint32_t kind)
{
    static const char *const names[] = {"data", "init", "branch", "tag", "config", "erase"};
    return kind >= 1 && kind <= CMD_COUNT(names) ? names[kind - 1] : "system";
}

static int add_row(void *arg, const yore_row *row)
{
    cli_commit_sums *sums = arg;

    if (row->op == YORE_OP_DEL) {
        sums->dels++;
    } else {
        sums->puts++;
        sums->bytes += row->value.size;
    }
    return 0;
}

int cli_commit_sum(cli *c, uint64_t version, cli_commit_sums *out)
{
    yore_iter *iter = NULL;
    yore_error err = YORE_ERROR_INIT;

    *out = (cli_commit_sums){0};
    if (yore_commit_rows(c->db, version, &iter, &err) < 0) return cli_fail(c, &err);
    return cli_rows(c, iter, add_row, out);
}

void cli_commit_members(cli *c, cli_json *j, const yore_commit_info *info)
{
    cli_json_u64(j, "version", info->version);
    cli_json_time(j, "time", info->time_ns);
    cli_json_text(j, "branch", cli_branch_name(c, info->branch_id));
    cli_json_bytes(j, "note", info->note);
    cli_json_bytes(j, "author", info->author);
    cli_json_array(j, "parents");
    for (uint32_t i = 0; i < info->parent_count && i < YORE_PARENTS_MAX; i++)
        cli_json_u64(j, NULL, info->parents[i]);
    cli_json_array_end(j);
    cli_json_u64(j, "keys", info->key_count);
    cli_json_bytes(j, "source", info->source);
    if (info->source_time_ns != 0) cli_json_time(j, "source_time", info->source_time_ns);
    if (info->kind != YORE_COMMIT_DATA) {
        cli_json_text(j, "kind", cli_commit_kind(info->kind));
        if (info->wall_ns != 0) cli_json_time(j, "wall_time", info->wall_ns);
    }
}
