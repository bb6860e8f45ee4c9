/* yore check: verify a store. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/output.h"

static void check_report(cli *c, const yore_check_report *report, bool deep)
{
    const struct {
        const char *name;
        uint64_t number;
    } rows[] = {
        {"keys", report->keys},           {"versions", report->versions},
        {"commits", report->commits},     {"branches", report->branches},
        {"wal_files", report->wal_files}, {"wal_records", report->wal_records},
        {"wal_bytes", report->wal_bytes}, {"tail_bytes_cut", report->tail_bytes_cut},
    };

    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_bool(&j, "ok", report->problems == 0);
        cli_json_text(&j, "level", deep ? "deep" : "quick");
        cli_json_u64(&j, "problems", report->problems);
        for (size_t i = 0; i < CMD_COUNT(rows); i++) cli_json_u64(&j, rows[i].name, rows[i].number);
        cli_json_line(&j);
        return;
    }
    for (size_t i = 0; i < CMD_COUNT(rows); i++) printf("%s\t%" PRIu64 "\n", rows[i].name, rows[i].number);
    cli_note(c, "%s: no problem found (%s check)", c->store_path, deep ? "deep" : "quick");
}

static int run_check(cli *c)
{
    yore_check_report report;
    yore_error err = YORE_ERROR_INIT;
    bool deep = !cli_has(c, "quick");

    if (cli_has(c, "quick") && cli_has(c, "deep")) {
        return cli_usage_error(c, NULL, "--quick and --deep exclude each other");
    }
    int code = cli_open_read(c);
    if (code != 0) return code;
    memset(&report, 0, sizeof report);
    report.struct_size = sizeof report;
    if (yore_check(c->db, deep ? YORE_CHECK_DEEP : YORE_CHECK_QUICK, &report, &err) < 0)
        return cli_fail(c, &err);
    check_report(c, &report, deep);
    return 0;
}

static const cmd_flag check_flags[] = {
    {"quick", NULL, "structures in memory and log headers only", 0},
    {"deep", NULL, "read everything again and compare (the default)", 0},
};

const cmd cmd_check_entry = {
    .name = "check",
    .usage = "[--quick|--deep]",
    .summary = "verify the store; exit 5 and the first problem when it is damaged",
    CMD_ENTRY_FLAGS(check_flags),
    .run = run_check,
    .store = CMD_READS,
};
