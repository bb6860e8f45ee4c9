/* yore init, stats, check, upgrade: the store as a whole. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/output.h"
#include "cli/locate.h"

static const char *const sync_names[] = {"default", "commit", "group", "os", "none"};

static const char *sync_name(uint32_t sync)
{
    return sync < CMD_COUNT(sync_names) ? sync_names[sync] : "?";
}

/* -- init -- */

static int run_init(cli *c)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;

    if (c->arg_count > 0 && c->db_path != NULL && strcmp(c->args[0], c->db_path) != 0) {
        return cli_usage_error(c, "leave one of them out", "'%s' and --db '%s' are two stores", c->args[0],
                               c->db_path);
    }
    c->store_path = cli_strdup(c->arg_count > 0 ? c->args[0] : cli_create_path(c));
    if (c->store_path[0] == '\0') return cli_usage_error(c, NULL, "'yore init' needs a path, not ''");
    options.create = true;
    options.must_create = true;
    options.wait_ms = c->wait_ms;
    if (yore_open(c->store_path, &options, &c->db, &err) < 0) return cli_fail(c, &err);
    /* Written under the default durability: the mode asked for is the store's from the next open on. */
    if (c->sync != 0 && yore_config_set(c->db, "durability", sync_name(c->sync), NULL, &err) < 0) {
        return cli_fail(c, &err);
    }

    uint32_t format = yore_format_version();
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "path", c->store_path);
        cli_json_bool(&j, "created", true);
        cli_json_text(&j, "sync", sync_name(c->sync != 0 ? c->sync : YORE_SYNC_COMMIT));
        cli_json_u64(&j, "format_major", format / 1000);
        cli_json_u64(&j, "format_minor", format % 1000);
        cli_json_line(&j);
    } else {
        cli_note(c, "made a store at %s", c->store_path);
    }
    return 0;
}

const cmd cmd_init_entry = {
    .name = "init",
    .usage = "[PATH] [--sync commit|group|os|none]",
    .summary = "make a store at PATH (else -d, YORE_DB, ./.yore)",
    .details =
        "--sync becomes the store's durability: commit (on disk before a commit returns), group (at most the\n"
        "last 100 ms lost at a power cut), os (survives kill -9), none (gone when the store is closed).",
    .run = run_init,
    .store = CMD_WRITES,
    .args_max = 1,
};

/* -- stats -- */

typedef struct all_stats {
    yore_stats store;
    yore_search_stats search;
} all_stats;

typedef struct stats_field {
    const char *name;
    const char *help;
    size_t off; /* of a uint64_t in all_stats */
} stats_field;

#define FIELD(member, help)                              \
    {                                                    \
#member, help, offsetof(all_stats, store.member) \
    }
#define SEARCH_FIELD(name, member, help)               \
    {                                                  \
        name, help, offsetof(all_stats, search.member) \
    }
static const stats_field fields[] = {
    FIELD(version, "newest commit"),
    FIELD(branches, "live branches"),
    FIELD(keys, "entries over all branches"),
    FIELD(versions, "puts and deletes over all branches"),
    FIELD(commits, "data and system commits"),
    FIELD(key_bytes, "user key bytes"),
    FIELD(value_bytes, "value bytes, all versions"),
    FIELD(memory_bytes, "memory store in use"),
    FIELD(entry_bytes, "of which entries, values, commit records"),
    FIELD(hash_bytes, "of which the hash index"),
    FIELD(tree_bytes, "of which the radix tree"),
    FIELD(wal_bytes, "log bytes in use"),
    FIELD(wal_files, "log files"),
    FIELD(segment_bytes, "segment bytes"),
    SEARCH_FIELD("index_bytes", index_bytes, "search index in memory; built when a call first searches"),
    SEARCH_FIELD("search_indexed_version", indexed_version, "newest commit in the search index"),
    SEARCH_FIELD("search_lag_versions", lag_versions, "visible commits that are not yet indexed"),
    SEARCH_FIELD("search_lag_bytes", lag_bytes, "of values in them"),
    SEARCH_FIELD("search_documents", documents, "document versions in the search index"),
    SEARCH_FIELD("search_postings", postings, "places of terms in them"),
    FIELD(durable_version, "newest commit known to be on stable storage"),
    FIELD(groups, "log records written by this call"),
    FIELD(syncs, "syncs done by this call"),
};
#undef FIELD
#undef SEARCH_FIELD

static uint64_t field_of(const all_stats *stats, const stats_field *field)
{
    uint64_t number;
    memcpy(&number, (const char *)stats + field->off, sizeof number);
    return number;
}

static void stats_json(cli *c, const all_stats *all)
{
    const yore_stats *stats = &all->store;
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_text(&j, "path", c->store_path);
    cli_json_u64(&j, "format_major", stats->format_major);
    cli_json_u64(&j, "format_minor", stats->format_minor);
    cli_json_text(&j, "sync", sync_name(stats->sync));
    cli_json_time(&j, "time", stats->time_ns);
    for (size_t i = 0; i < CMD_COUNT(fields); i++)
        cli_json_u64(&j, fields[i].name, field_of(all, &fields[i]));
    cli_json_bool(&j, "read_only", stats->read_only);
    cli_json_bool(&j, "poisoned", stats->poisoned);
    cli_json_line(&j);
}

static void stats_prometheus(const all_stats *all)
{
    for (size_t i = 0; i < CMD_COUNT(fields); i++) {
        printf("# HELP yore_%s %s\n# TYPE yore_%s gauge\nyore_%s %" PRIu64 "\n", fields[i].name,
               fields[i].help, fields[i].name, fields[i].name, field_of(all, &fields[i]));
    }
}

static void stats_text(cli *c, const all_stats *all)
{
    const yore_stats *stats = &all->store;
    char time[YORE_TIME_TEXT_SIZE];
    static const char *const headers[] = {"NAME", "VALUE", "MEANING"};
    cli_table *t = cli_table_create(c, headers, CMD_COUNT(headers));
    char format[32];

    (void)snprintf(format, sizeof format, "%u.%u", stats->format_major, stats->format_minor);
    cli_time_text(c, stats->time_ns, time);
    const char *const texts[][3] = {
        {"path", c->store_path, "the store"},
        {"format", format, "store format"},
        {"sync", sync_name(stats->sync), "durability in force"},
        {"time", time, "time of the newest commit"},
    };
    for (size_t i = 0; i < CMD_COUNT(texts); i++) {
        for (size_t k = 0; k < 3; k++) cli_table_cell_text(t, texts[i][k]);
    }
    for (size_t i = 0; i < CMD_COUNT(fields); i++) {
        cli_table_cell_text(t, fields[i].name);
        cli_table_cell_u64(t, field_of(all, &fields[i]));
        cli_table_cell_text(t, fields[i].help);
    }
    cli_table_destroy(t);
}

static int run_stats(cli *c)
{
    all_stats all;
    yore_error err = YORE_ERROR_INIT;
    if (c->json && cli_has(c, "prometheus"))
        return cli_usage_error(c, NULL, "--json and --prometheus exclude each other");
    int code = cli_open_read(c);

    if (code != 0) return code;
    memset(&all, 0, sizeof all);
    all.store.struct_size = sizeof all.store;
    all.search.struct_size = sizeof all.search;
    if (yore_stats_get(c->db, &all.store, &err) < 0 || yore_search_stats_get(c->db, &all.search, &err) < 0)
        return cli_fail(c, &err);
    if (c->json) {
        stats_json(c, &all);
    } else if (cli_has(c, "prometheus")) {
        stats_prometheus(&all);
    } else {
        stats_text(c, &all);
    }
    return 0;
}

static const cmd_flag stats_flags[] = {{"prometheus", NULL, "in the text format of Prometheus", 0}};

const cmd cmd_stats_entry = {
    .name = "stats",
    .usage = "[--json|--prometheus]",
    .summary = "show counters and sizes of the store",
    CMD_ENTRY_FLAGS(stats_flags),
    .run = run_stats,
    .store = CMD_READS,
};

/* -- check -- */

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

/* -- upgrade -- */

static int run_upgrade(cli *c)
{
    yore_open_options options = YORE_OPEN_OPTIONS_INIT;
    yore_error err = YORE_ERROR_INIT;
    uint32_t from = 0;
    uint32_t to = 0;
    int code = cli_find_store(c, &c->store_path);

    if (code != 0) return code;
    options.wait_ms = c->wait_ms;
    if (yore_upgrade(c->store_path, &options, &from, &to, &err) < 0) return cli_fail(c, &err);
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_u64(&j, "from_major", from / 1000);
        cli_json_u64(&j, "from_minor", from % 1000);
        cli_json_u64(&j, "to_major", to / 1000);
        cli_json_u64(&j, "to_minor", to % 1000);
        cli_json_line(&j);
    } else if (from == to) {
        cli_note(c, "%s is of format %u.%u already", c->store_path, to / 1000, to % 1000);
    } else {
        cli_note(c, "%s: format %u.%u is now %u.%u", c->store_path, from / 1000, from % 1000, to / 1000,
                 to % 1000);
    }
    return 0;
}

const cmd cmd_upgrade_entry = {
    .name = "upgrade",
    .usage = "",
    .summary = "bring a store of an older format to this version's",
    .run = run_upgrade,
    .store = CMD_WRITES,
};
