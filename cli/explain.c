/* --explain of get and scan, and what that of search has in common with it. */
#include "cli/explain.h"

#include <inttypes.h>
#include <string.h>

#include "cli/fail.h"
#include "cli/memory.h"
#include "cli/output.h"

static int64_t clock_ns(void)
{
    const yore_env *env = yore_env_default();
    return env->monotonic_ns(env->ctx);
}

void cli_explain_begin(cli_explain *e, bool wanted)
{
    *e = (cli_explain){.wanted = wanted, .start_ns = clock_ns()};
}

void cli_explain_row(cli_explain *e, size_t key_bytes, size_t value_bytes)
{
    e->versions++;
    e->bytes += key_bytes + value_bytes;
}

/* One hop of the lineage: as words, or as an element of the array. */
static void put_hop(const cli *c, cli_json *j, const yore_branch_info *info, uint64_t cap)
{
    if (!c->json) {
        fprintf(stderr, "  lineage   %s (id:%u) up to v%" PRIu64 "\n", info->name, info->id, cap);
        return;
    }
    cli_json_object(j, NULL);
    cli_json_text(j, "branch", info->name);
    cli_json_u64(j, "id", info->id);
    cli_json_u64(j, "cap", cap);
    cli_json_object_end(j);
}

int cli_explain_lineage(const cli *c, cli_json *j, const yore_where *where)
{
    yore_branch_info info = {.struct_size = sizeof info};
    yore_error err = YORE_ERROR_INIT;
    uint64_t cap = where->snap_version;

    for (uint32_t id = where->branch_id; id != 0; id = info.parent_id) {
        char which[24];
        (void)snprintf(which, sizeof which, "id:%u", id);
        if (yore_branch_info_get(c->db, yore_str(which), &info, &err) < 0) return cli_fail(c, &err);
        put_hop(c, j, &info, cap);
        if (info.fork_version < cap) cap = info.fork_version;
    }
    return 0;
}

int64_t cli_explain_elapsed_ns(const cli_explain *e)
{
    return clock_ns() - e->start_ns;
}

int cli_explain_point(cli *c, cli_json *j, const yore_where *where)
{
    char time[YORE_TIME_TEXT_SIZE];

    if (!c->json) {
        (void)fflush(stdout); /* where both streams are one, this comes last */
        cli_time_text(c, where->time_ns, time);
        fprintf(stderr, "explain:\n  point     %s@v%" PRIu64 "  %s\n", where->branch, where->version, time);
        return cli_explain_lineage(c, NULL, where);
    }
    cli_json_begin(j);
    cli_json_object(j, "explain");
    cli_json_text(j, "branch", where->branch);
    cli_json_u64(j, "version", where->version);
    cli_json_time(j, "time", where->time_ns);
    cli_json_array(j, "lineage");
    int code = cli_explain_lineage(c, j, where);
    cli_json_array_end(j);
    return code;
}

void cli_explain_read(const cli *c, cli_json *j, const cli_explain *e)
{
    if (!c->json) {
        /* Until there are segments, everything is read from memory. */
        fprintf(stderr,
                "  segments  0 touched, 0 skipped\n  read      %" PRIu64 " version%s, %" PRIu64 " B\n",
                e->versions, e->versions == 1 ? "" : "s", e->bytes);
        return;
    }
    cli_json_u64(j, "segments_touched", 0);
    cli_json_u64(j, "segments_skipped", 0);
    cli_json_u64(j, "versions", e->versions);
    cli_json_u64(j, "bytes", e->bytes);
}

int cli_explain_end(cli *c, const cli_explain *e, const yore_where *where)
{
    int64_t elapsed_ns = cli_explain_elapsed_ns(e);
    cli_json j = {.to = stdout};

    if (!e->wanted) return 0;
    int code = cli_explain_point(c, &j, where);
    cli_explain_read(c, &j, e);
    if (!c->json) {
        fprintf(stderr, "  time      %" PRId64 " us\n", elapsed_ns / 1000);
        return code;
    }
    cli_json_i64(&j, "elapsed_ns", elapsed_ns);
    cli_json_object_end(&j);
    cli_json_line(&j);
    return code;
}
