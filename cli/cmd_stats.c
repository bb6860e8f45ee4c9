/* yore stats: counters and sizes, of the store and of its branches. */
#include "cli/stats.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/output.h"

const char *cli_sync_name(uint32_t sync)
{
    static const char *const names[] = {"default", "commit", "group", "os", "none"};
    return sync < CMD_COUNT(names) ? names[sync] : "?";
}

static const char *stall_name(uint32_t reason)
{
    static const char *const names[] = {"none", "memory", "runs", "disk"};
    return reason < CMD_COUNT(names) ? names[reason] : "?";
}

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
    FIELD(keys, "keys over all branches, once in each layer that has them"),
    FIELD(versions, "puts and deletes over all branches"),
    FIELD(commits, "data and system commits"),
    FIELD(key_bytes, "user key bytes"),
    FIELD(value_bytes, "value bytes, all versions"),
    FIELD(memory_bytes, "memory of what no segment has yet, and of branches"),
    FIELD(entry_bytes, "of which entries, values, commit records"),
    FIELD(hash_bytes, "of which the hash index"),
    FIELD(tree_bytes, "of which the radix tree"),
    FIELD(wal_bytes, "log bytes in use"),
    FIELD(wal_files, "log files"),
    FIELD(segment_bytes, "segment bytes"),
    FIELD(segments, "segment files"),
    FIELD(runs, "sorted runs of segments that reads may have to look at"),
    FIELD(value_files, "files of values over 64 KiB"),
    FIELD(value_file_bytes, "bytes in them"),
    FIELD(cache_bytes, "blocks of segments kept in memory"),
    FIELD(cache_bytes_max, "at most"),
    FIELD(cache_hits, "blocks found there"),
    FIELD(cache_misses, "blocks read from disk"),
    FIELD(flushes, "times that memory was written to segments by this call"),
    FIELD(flushed_bytes, "bytes written by them"),
    FIELD(compactions, "merges of segments by this call"),
    FIELD(compacted_bytes, "bytes written by them"),
    FIELD(files_retired, "files that merges made needless"),
    FIELD(stall_ns, "time that commits were held up by lagging flushes and merges"),
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

/* Bytes written for each byte that left memory: 1 without merges, 0 when nothing was flushed. */
static double write_amplification(const yore_stats *stats)
{
    if (stats->flushed_bytes == 0) return 0;
    return (double)(stats->flushed_bytes + stats->compacted_bytes) / (double)stats->flushed_bytes;
}

/* Bytes on disk for each byte of keys and values, of all versions. */
static double space_amplification(const yore_stats *stats)
{
    uint64_t held = stats->key_bytes + stats->value_bytes;
    if (held == 0) return 0;
    return (double)(stats->segment_bytes + stats->value_file_bytes + stats->wal_bytes) / (double)held;
}

/* -- sizes by branch -- */

typedef struct size_field {
    const char *name;
    const char *help;
    size_t off; /* of a uint64_t in yore_branch_size */
} size_field;

static const size_field size_fields[] = {
    {"keys", "entries of the branch's own key space", offsetof(yore_branch_size, keys)},
    {"versions", "puts and deletes of its own", offsetof(yore_branch_size, versions)},
    {"deletes", "of which deletes", offsetof(yore_branch_size, deletes)},
    {"key_bytes", "user key bytes", offsetof(yore_branch_size, key_bytes)},
    {"value_bytes", "value bytes, all versions", offsetof(yore_branch_size, value_bytes)},
    {"disk_bytes", "its share of the segments", offsetof(yore_branch_size, disk_bytes)},
};

static uint64_t size_of(const yore_branch_size *size, const size_field *field)
{
    uint64_t number;
    memcpy(&number, (const char *)size + field->off, sizeof number);
    return number;
}

static void size_members(cli_json *j, const yore_branch_size *size)
{
    cli_json_text(j, "name", size->name);
    cli_json_u64(j, "id", size->id);
    for (size_t i = 0; i < CMD_COUNT(size_fields); i++)
        cli_json_u64(j, size_fields[i].name, size_of(size, &size_fields[i]));
}

static void size_row(cli_table *t, const yore_branch_size *size)
{
    cli_table_cell_text(t, size->name);
    cli_table_cell_u64(t, size->id);
    for (size_t i = 0; i < CMD_COUNT(size_fields); i++) cli_table_cell_u64(t, size_of(size, &size_fields[i]));
}

/* A label's value: names hold no control bytes, but may hold these two. */
static void put_label(const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') (void)putchar('\\');
        (void)putchar(*text);
    }
}

static void size_prometheus(const yore_branch_size *size)
{
    for (size_t i = 0; i < CMD_COUNT(size_fields); i++) {
        printf("yore_branch_%s{branch=\"", size_fields[i].name);
        put_label(size->name);
        printf("\",id=\"%u\"} %" PRIu64 "\n", size->id, size_of(size, &size_fields[i]));
    }
}

/* `--by-branch`: each branch that has something of its own. */
static int run_branches(cli *c)
{
    static const char *const headers[] = {"NAME",    "ID",        "KEYS",        "VERSIONS",
                                          "DELETES", "KEY BYTES", "VALUE BYTES", "DISK BYTES"};
    yore_branch_size size;
    yore_error err = YORE_ERROR_INIT;
    yore_status status;
    bool prometheus = cli_has(c, "prometheus");

    memset(&size, 0, sizeof size);
    size.struct_size = sizeof size;
    cli_table *t = c->json || prometheus ? NULL : cli_table_create(c, headers, CMD_COUNT(headers));
    for (size_t i = 0; prometheus && i < CMD_COUNT(size_fields); i++) {
        printf("# HELP yore_branch_%s %s\n# TYPE yore_branch_%s gauge\n", size_fields[i].name,
               size_fields[i].help, size_fields[i].name);
    }
    while ((status = yore_branch_size_next(c->db, size.id, &size, &err)) == YORE_OK) {
        if (size.versions == 0) continue;
        if (prometheus) {
            size_prometheus(&size);
        } else if (c->json) {
            cli_json j = {.to = stdout};
            cli_json_begin(&j);
            size_members(&j, &size);
            cli_json_line(&j);
        } else {
            size_row(t, &size);
        }
    }
    cli_table_destroy(t);
    return status < 0 ? cli_fail(c, &err) : 0;
}

/* -- of the store -- */

static int json_branches(cli *c, cli_json *j)
{
    yore_branch_size size;
    yore_error err = YORE_ERROR_INIT;
    yore_status status;

    memset(&size, 0, sizeof size);
    size.struct_size = sizeof size;
    cli_json_array(j, "by_branch");
    while ((status = yore_branch_size_next(c->db, size.id, &size, &err)) == YORE_OK) {
        if (size.versions == 0) continue;
        cli_json_object(j, NULL);
        size_members(j, &size);
        cli_json_object_end(j);
    }
    cli_json_array_end(j);
    return status < 0 ? cli_fail(c, &err) : 0;
}

static int stats_json(cli *c, const all_stats *all)
{
    const yore_stats *stats = &all->store;
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_text(&j, "path", c->store_path);
    cli_json_u64(&j, "format_major", stats->format_major);
    cli_json_u64(&j, "format_minor", stats->format_minor);
    cli_json_text(&j, "sync", cli_sync_name(stats->sync));
    cli_json_time(&j, "time", stats->time_ns);
    for (size_t i = 0; i < CMD_COUNT(fields); i++)
        cli_json_u64(&j, fields[i].name, field_of(all, &fields[i]));
    cli_json_double(&j, "write_amplification", write_amplification(stats));
    cli_json_double(&j, "space_amplification", space_amplification(stats));
    cli_json_text(&j, "stall_reason", stall_name(stats->stall_reason));
    cli_json_bool(&j, "read_only", stats->read_only);
    cli_json_bool(&j, "poisoned", stats->poisoned);
    int code = json_branches(c, &j);
    cli_json_line(&j);
    return code;
}

static void put_gauge(const char *name, const char *help, double value)
{
    printf("# HELP yore_%s %s\n# TYPE yore_%s gauge\nyore_%s %.6g\n", name, help, name, name, value);
}

static void stats_prometheus(const all_stats *all)
{
    put_gauge("write_amplification", "bytes written for each byte that left memory",
              write_amplification(&all->store));
    put_gauge("space_amplification", "bytes on disk for each byte of keys and values",
              space_amplification(&all->store));
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
    char format[32], written[32], space[32];

    (void)snprintf(written, sizeof written, "%.2f", write_amplification(stats));
    (void)snprintf(space, sizeof space, "%.2f", space_amplification(stats));
    (void)snprintf(format, sizeof format, "%u.%u", stats->format_major, stats->format_minor);
    cli_time_text(c, stats->time_ns, time);
    const char *const texts[][3] = {
        {"path", c->store_path, "the store"},
        {"format", format, "store format"},
        {"sync", cli_sync_name(stats->sync), "durability in force"},
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
    const char *const last[][3] = {
        {"write_amplification", written, "bytes written for each byte that left memory"},
        {"space_amplification", space, "bytes on disk for each byte of keys and values"},
        {"stall_reason", stall_name(stats->stall_reason), "why commits are held up now"},
    };
    for (size_t i = 0; i < CMD_COUNT(last); i++) {
        for (size_t k = 0; k < 3; k++) cli_table_cell_text(t, last[i][k]);
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
    if (cli_has(c, "by-branch")) return run_branches(c);
    memset(&all, 0, sizeof all);
    all.store.struct_size = sizeof all.store;
    all.search.struct_size = sizeof all.search;
    if (yore_stats_get(c->db, &all.store, &err) < 0 || yore_search_stats_get(c->db, &all.search, &err) < 0)
        return cli_fail(c, &err);
    if (c->json) return stats_json(c, &all);
    if (cli_has(c, "prometheus")) {
        stats_prometheus(&all);
    } else {
        stats_text(c, &all);
    }
    return 0;
}

static const cmd_flag stats_flags[] = {
    {"prometheus", NULL, "in the text format of Prometheus", 0},
    {"by-branch", NULL, "the sizes of each branch that wrote something instead", 0},
};

const cmd cmd_stats_entry = {
    .name = "stats",
    .usage = "[--by-branch] [--json|--prometheus]",
    .summary = "show counters and sizes of the store, or of its branches",
    .details = "With --json the sizes of the branches are there too, as `by_branch`.",
    CMD_ENTRY_FLAGS(stats_flags),
    .run = run_stats,
    .store = CMD_READS,
};
