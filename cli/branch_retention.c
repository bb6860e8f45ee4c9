#include "cli/branch_retention.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/output.h"

const cmd_flag cli_retention_flags[CLI_RETENTION_FLAGS] = {
    {"keep", "SPAN", "keep every state that was the present within SPAN of now: 30d, 1y", 0},
    {"keep-versions", "N", "keep the states after its own last N commits", 0},
    {"keep-all", NULL, "keep everything, and what it sees of its parents' history too", 0},
    {"unset", NULL, "take back what was said: its own history is kept, its parents' by their own rules", 0},
};

/* A length of time as a span that reads back: 30d, 1d12h, 90s as 1min30s. */
static void age_text(int64_t ns, cli_bytes *out)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"d", INT64_C(86400000000000)},
                 {"h", INT64_C(3600000000000)},
                 {"min", INT64_C(60000000000)},
                 {"s", 1000000000},
                 {"ms", 1000000},
                 {"us", 1000},
                 {"ns", 1}};
    for (size_t i = 0; i < CMD_COUNT(units); i++) {
        char part[32];
        if (ns < units[i].ns) continue;
        int size = snprintf(part, sizeof part, "%" PRId64 "%s", ns / units[i].ns, units[i].unit);
        cli_bytes_append(out, part, (size_t)size);
        ns %= units[i].ns;
    }
}

/* What a rule keeps, in words that follow "keeps". free() it. */
static char *keep_text(const yore_retention *keep)
{
    cli_bytes age = {0};

    switch (keep->kind) {
    case YORE_RETENTION_ALL: return cli_strdup("all, its parents' history too");
    case YORE_RETENTION_VERSIONS:
        return cli_printf("%" PRIu64 " version%s", keep->versions, keep->versions == 1 ? "" : "s");
    case YORE_RETENTION_AGE: age_text(keep->age_ns, &age); return age.data;
    default: return cli_strdup("all");
    }
}

static bool is_trimmed(const yore_retention *keep)
{
    return keep->oldest_version > 1;
}

static void write_record(const char *name, const yore_retention *keep, uint64_t version)
{
    static const char *const kinds[] = {"unset", "all", "age", "versions"};
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_text(&j, "name", name);
    cli_json_text(&j, "keep", keep->kind < CMD_COUNT(kinds) ? kinds[keep->kind] : "?");
    if (keep->kind == YORE_RETENTION_AGE) {
        cli_bytes age = {0};
        age_text(keep->age_ns, &age);
        cli_json_text(&j, "age", age.data);
        cli_json_i64(&j, "age_ns", keep->age_ns);
        cli_bytes_deinit(&age);
    }
    if (keep->kind == YORE_RETENTION_VERSIONS) cli_json_u64(&j, "versions", keep->versions);
    cli_json_bool(&j, "trimmed", is_trimmed(keep));
    cli_json_u64(&j, "oldest_version", keep->oldest_version);
    if (is_trimmed(keep)) cli_json_time(&j, "oldest_time", keep->oldest_time_ns);
    if (version != 0) cli_json_u64(&j, "version", version);
    cli_json_line(&j);
}

static int show(cli *c, const char *name)
{
    yore_retention keep = YORE_RETENTION_INIT;
    yore_error err = YORE_ERROR_INIT;
    char time[YORE_TIME_TEXT_SIZE];
    int code = cli_open_read(c);

    if (code != 0) return code;
    if (yore_branch_retention_get(c->db, yore_str(name), &keep, &err) < 0) return cli_fail(c, &err);
    if (c->json) {
        write_record(name, &keep, 0);
        return 0;
    }
    char *text = keep_text(&keep);
    printf("name\t%s\nkeep\t%s\n", name, text);
    if (is_trimmed(&keep)) {
        cli_time_text(c, keep.oldest_time_ns, time);
        printf("oldest_version\tv%" PRIu64 "\noldest_time\t%s\n", keep.oldest_version, time);
    }
    free(text);
    return 0;
}

static int set(cli *c, const char *name, yore_retention *keep)
{
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    int code = cli_open_write(c, false);

    if (code != 0) return code;
    if (yore_branch_retention_set(c->db, yore_str(name), keep, &where, &err) < 0) return cli_fail(c, &err);
    if (c->json) {
        if (yore_branch_retention_get(c->db, yore_str(name), keep, &err) < 0) return cli_fail(c, &err);
        write_record(name, keep, where.version);
        return 0;
    }
    char *text = keep_text(keep);
    bool shortens = keep->kind == YORE_RETENTION_AGE || keep->kind == YORE_RETENTION_VERSIONS;
    cli_note(c, "%s v%" PRIu64 "  keeps %s%s", name, where.version, text,
             shortens ? "; older history goes with `yore gc`" : "");
    free(text);
    return 0;
}

int cli_branch_retention(cli *c)
{
    yore_retention keep = YORE_RETENTION_INIT;
    bool age = cli_has(c, "keep"), versions = cli_has(c, "keep-versions");
    int given = age + versions + cli_has(c, "keep-all") + cli_has(c, "unset");

    if (given == 0) return show(c, c->args[0]);
    if (given > 1) {
        return cli_usage_error(c, NULL, "--keep, --keep-versions, --keep-all and --unset exclude each other");
    }
    keep.kind = age                      ? YORE_RETENTION_AGE
                : versions               ? YORE_RETENTION_VERSIONS
                : cli_has(c, "keep-all") ? YORE_RETENTION_ALL
                                         : YORE_RETENTION_UNSET;
    int code = cli_value_duration_ns(c, "keep", &keep.age_ns);
    if (code == 0) code = cli_value_u64(c, "keep-versions", &keep.versions);
    if (code != 0) return code;
    if ((age && keep.age_ns == 0) || (versions && keep.versions == 0)) {
        return cli_usage_error(c, "the newest state always stays: --keep-versions 1",
                               "a branch cannot keep nothing");
    }
    return set(c, c->args[0], &keep);
}
