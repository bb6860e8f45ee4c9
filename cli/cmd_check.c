/* yore check: verify a store, or make a new one of what can be saved. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/check.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/work.h"

#define PROBLEMS_SHOWN 20u /* the others are counted */

/* -- check -- */

typedef struct problems {
    char *texts[PROBLEMS_SHOWN];
    size_t count;
} problems;

static void note_problem(void *arg, const yore_error *problem)
{
    problems *found = arg;
    if (found->count < PROBLEMS_SHOWN) found->texts[found->count++] = cli_strdup(problem->message);
}

static void check_record(const yore_check_report *report, const problems *found, bool deep)
{
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_json_bool(&j, "ok", report->problems == 0);
    cli_json_text(&j, "level", deep ? "deep" : "quick");
    cli_json_u64(&j, "problems", report->problems);
    if (found->count > 0) {
        cli_json_array(&j, "found");
        for (size_t i = 0; i < found->count; i++) cli_json_bytes(&j, NULL, yore_str(found->texts[i]));
        cli_json_array_end(&j);
    }
    for (size_t i = 0; i < cli_check_fields; i++)
        cli_json_u64(&j, cli_check_field(i), cli_check_number(report, i));
    cli_json_line(&j);
}

static void check_words(cli *c, const yore_check_report *report, const problems *found, bool deep)
{
    for (size_t i = 0; i < cli_check_fields; i++)
        printf("%s\t%" PRIu64 "\n", cli_check_field(i), cli_check_number(report, i));
    if (report->problems == 0) {
        cli_note(c, "%s: no problem found (%s check)", c->store_path, deep ? "deep" : "quick");
        return;
    }
    for (size_t i = 1; i < found->count; i++) { /* the first is the error */
        char *shown = cli_printable(found->texts[i]);
        cli_note(c, "problem: %s", shown);
        free(shown);
    }
    if (report->problems > found->count)
        cli_note(c, "and %" PRIu64 " more problems", (uint64_t)report->problems - found->count);
}

static int run_verify(cli *c)
{
    yore_check_options options = YORE_CHECK_OPTIONS_INIT;
    yore_check_report report = {.struct_size = sizeof report};
    yore_error err = YORE_ERROR_INIT;
    problems found = {.count = 0};
    cli_progress progress;
    bool deep = !cli_has(c, "quick");
    int code = cli_open_read(c);

    if (code != 0) return code;
    cli_work_begin(&progress, c, "checking", "bytes");
    options.level = deep ? YORE_CHECK_DEEP : YORE_CHECK_QUICK;
    options.problem = note_problem;
    options.problem_arg = &found;
    options.progress = cli_work_step;
    options.progress_arg = &progress;
    yore_status status = yore_check_run(c->db, &options, &report, &err);
    cli_progress_end(&progress);
    if (status >= 0 || report.problems > 0) {
        if (c->json) {
            check_record(&report, &found, deep);
        } else {
            check_words(c, &report, &found, deep);
        }
    }
    for (size_t i = 0; i < found.count; i++) free(found.texts[i]);
    return status < 0 ? cli_fail(c, &err) : 0;
}

static int run_check(cli *c)
{
    const char *new_path = cli_value(c, "salvage");

    if (cli_has(c, "quick") && cli_has(c, "deep"))
        return cli_usage_error(c, NULL, "--quick and --deep exclude each other");
    if (new_path != NULL && (cli_has(c, "quick") || cli_has(c, "deep")))
        return cli_usage_error(c, "salvage first, then check the new store",
                               "--salvage goes without --quick and --deep");
    return new_path != NULL ? cli_salvage(c, new_path) : run_verify(c);
}

static const cmd_flag check_flags[] = {
    {"quick", NULL, "structures in memory, and what files say of themselves, only", 0},
    {"deep", NULL, "read everything again and compare (the default)", 0},
    {"salvage", "NEWPATH", "make a new store there of what can still be proven; the damaged one is only read",
     0},
};

const cmd cmd_check_entry = {
    .name = "check",
    .usage = "[--quick|--deep|--salvage NEWPATH]",
    .summary = "verify the store; exit 5 and the first problem when it is damaged",
    .details =
        "A check does not end at the first problem: up to 20 are told. --salvage makes a new store of everything\n"
        "whose checksums are right, with the same versions and times, and tells what is lost: exit 0 when that is\n"
        "nothing, else 5. It works without MANIFEST, too. docs/salvage.md has it all.",
    CMD_ENTRY_FLAGS(check_flags),
    .run = run_check,
    .store = CMD_READS,
};
