/* yore backup: make, list, verify, restore. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/work.h"

#define ID_TEXT_SIZE (2 * YORE_BACKUP_ID_BYTES + 1)
#define ID_SHOWN 8 /* digits of an id for people */

/* -- what all of them share -- */

static void options_begin(cli *c, yore_backup_options *options, cli_progress *progress, const char *what)
{
    cli_work_begin(progress, c, what, "commits");
    options->base = cli_value(c, "base");
    options->progress = cli_work_step;
    options->progress_arg = progress;
}

static void id_text(const uint8_t id[YORE_BACKUP_ID_BYTES], char out[ID_TEXT_SIZE])
{
    for (size_t i = 0; i < YORE_BACKUP_ID_BYTES; i++) (void)snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static bool is_full(const yore_backup_info *info)
{
    return info->first_version == 1;
}

static void write_record(const char *path, const yore_backup_info *info)
{
    char id[ID_TEXT_SIZE], base[ID_TEXT_SIZE], store[ID_TEXT_SIZE];
    cli_json j = {.to = stdout};

    id_text(info->id, id);
    id_text(info->base_id, base);
    id_text(info->store_id, store);
    cli_json_begin(&j);
    cli_json_bytes(&j, "path", yore_str(path));
    cli_json_text(&j, "id", id);
    if (is_full(info)) {
        cli_json_null(&j, "base_id");
    } else {
        cli_json_text(&j, "base_id", base);
    }
    cli_json_text(&j, "store_id", store);
    cli_json_u64(&j, "first_version", info->first_version);
    cli_json_u64(&j, "last_version", info->last_version);
    cli_json_time(&j, "time", info->last_time_ns);
    cli_json_time(&j, "created", info->created_ns);
    cli_json_u64(&j, "files", info->files);
    cli_json_u64(&j, "commits", info->commits);
    cli_json_u64(&j, "rows", info->rows);
    cli_json_u64(&j, "raw_bytes", info->raw_bytes);
    cli_json_u64(&j, "bytes", info->file_bytes);
    cli_json_line(&j);
}

/* -- make -- */

static int run_make(cli *c)
{
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    yore_backup_info info = YORE_BACKUP_INFO_INIT;
    yore_error err = YORE_ERROR_INIT;
    cli_progress progress;
    char size[32];
    int code = cli_open_read(c);

    if (code != 0) return code;
    options_begin(c, &options, &progress, "backing up");
    yore_status status = yore_backup_make(c->db, c->args[0], &options, &info, &err);
    cli_progress_end(&progress);
    if (status < 0) return cli_fail(c, &err);
    if (c->json) {
        write_record(c->args[0], &info);
        return 0;
    }
    char *shown = cli_printable(c->args[0]);
    cli_size_text(info.file_bytes, size);
    if (info.commits == 0) {
        cli_note(c, "%s: nothing is new after v%" PRIu64 ", %s", shown, info.last_version, size);
    } else {
        cli_note(c, "%s: v%" PRIu64 " to v%" PRIu64 ", %s", shown, info.first_version, info.last_version,
                 size);
    }
    free(shown);
    return 0;
}

/* -- list -- */

typedef struct backup_row {
    char *name;
    yore_backup_info info;
} backup_row;

typedef struct backup_rows {
    cli *c;
    backup_row *rows;
    size_t count, capacity;
    int code; /* of the last one that is not whole */
} backup_rows;

static int add_row(void *arg, const char *name, const yore_backup_info *info, const yore_error *why)
{
    backup_rows *list = arg;

    if (info == NULL) {
        list->code = cli_fail(list->c, why);
        return 0;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity != 0 ? 2 * list->capacity : 16;
        list->rows = cli_realloc(list->rows, list->capacity * sizeof *list->rows);
    }
    list->rows[list->count++] = (backup_row){.name = cli_strdup(name), .info = *info};
    return 0;
}

/* By store, then along its history. */
static int compare_rows(const void *left, const void *right)
{
    const backup_row *a = left;
    const backup_row *b = right;
    int order = memcmp(a->info.store_id, b->info.store_id, YORE_BACKUP_ID_BYTES);

    if (order != 0) return order;
    if (a->info.last_version != b->info.last_version)
        return a->info.last_version < b->info.last_version ? -1 : 1;
    if (a->info.created_ns != b->info.created_ns) return a->info.created_ns < b->info.created_ns ? -1 : 1;
    return strcmp(a->name, b->name);
}

static const backup_row *row_by_id(const backup_rows *list, const uint8_t id[YORE_BACKUP_ID_BYTES])
{
    for (size_t i = 0; i < list->count; i++) {
        if (memcmp(list->rows[i].info.id, id, YORE_BACKUP_ID_BYTES) == 0) return &list->rows[i];
    }
    return NULL;
}

static void table_row(cli_table *t, const backup_rows *list, const backup_row *row)
{
    const yore_backup_info *info = &row->info;
    const backup_row *base = row_by_id(list, info->base_id);
    char id[ID_TEXT_SIZE];

    cli_table_cell_text(t, row->name);
    id_text(info->store_id, id);
    cli_table_cell(t, yore_bytes(id, ID_SHOWN));
    cli_table_cell_version(t, info->first_version);
    cli_table_cell_version(t, info->last_version);
    cli_table_cell_time(t, info->last_time_ns);
    cli_table_cell_time(t, info->created_ns);
    cli_table_cell_u64(t, info->file_bytes);
    if (is_full(info)) {
        cli_table_cell_text(t, "-");
    } else if (base != NULL) {
        cli_table_cell_text(t, base->name);
    } else {
        id_text(info->base_id, id);
        char *missing = cli_printf("not here: %.*s", ID_SHOWN, id);
        cli_table_cell_text(t, missing);
        free(missing);
    }
}

static int run_list(cli *c)
{
    static const char *const headers[] = {"FILE", "STORE", "FIRST", "LAST", "TIME", "MADE", "BYTES", "BASE"};
    backup_rows list = {.c = c};
    yore_error err = YORE_ERROR_INIT;
    yore_status status = yore_backup_list(c->arg_count > 0 ? c->args[0] : ".", NULL, add_row, &list, &err);

    if (status < 0) list.code = cli_fail(c, &err);
    if (list.count > 0) qsort(list.rows, list.count, sizeof *list.rows, compare_rows);
    cli_table *t = c->json ? NULL : cli_table_create(c, headers, CMD_COUNT(headers));
    for (size_t i = 0; i < list.count; i++) {
        if (c->json) {
            write_record(list.rows[i].name, &list.rows[i].info);
        } else {
            table_row(t, &list, &list.rows[i]);
        }
    }
    cli_table_destroy(t);
    for (size_t i = 0; i < list.count; i++) free(list.rows[i].name);
    free(list.rows);
    return list.code;
}

/* -- verify -- */

static int run_verify(cli *c)
{
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    yore_backup_info info = YORE_BACKUP_INFO_INIT;
    yore_error err = YORE_ERROR_INIT;
    cli_progress progress;
    /* only a store that was named: one that happens to be above is none of the backup's business */
    int code = c->db_path != NULL ? cli_open_read(c) : 0;

    if (code != 0) return code;
    options_begin(c, &options, &progress, "verifying");
    options.compare = c->db;
    yore_status status = yore_backup_verify(c->args[0], &options, &info, &err);
    cli_progress_end(&progress);
    if (status < 0) return cli_fail(c, &err);
    if (c->json) {
        write_record(c->args[0], &info);
        return 0;
    }
    const struct {
        const char *name;
        uint64_t number;
    } rows[] = {
        {"files", info.files},      {"commits", info.commits},     {"rows", info.rows},
        {"bytes", info.file_bytes}, {"raw_bytes", info.raw_bytes}, {"last_version", info.last_version},
    };
    for (size_t i = 0; i < CMD_COUNT(rows); i++) printf("%s\t%" PRIu64 "\n", rows[i].name, rows[i].number);
    (void)fflush(stdout);
    char *shown = cli_printable(c->args[0]);
    cli_note(c, "%s: no problem found%s", shown, c->db != NULL ? "; the store holds the same commits" : "");
    free(shown);
    return 0;
}

/* -- restore -- */

/* The version that --as-of names, 0 without it. Names, tags and times are looked up in the backup itself. */
static int read_as_of(cli *c, const yore_backup_options *shared, uint64_t *version)
{
    const char *spec = cli_value(c, "as-of");
    yore_backup_options options = *shared;
    yore_where where = YORE_WHERE_INIT;
    yore_error err = YORE_ERROR_INIT;
    yore_at at;

    *version = 0;
    if (spec == NULL || (c->branch == NULL && cli_parse_version(spec, version) && *version != 0)) return 0;
    if (yore_backup_open(c->args[0], &options, &c->db, &err) < 0) return cli_fail(c, &err);
    int code = cli_resolve(c, spec, &at, &where);
    if (code == 0) *version = where.snap_version;
    yore_close(c->db);
    c->db = NULL;
    return code;
}

static int run_restore(cli *c)
{
    yore_backup_options options = YORE_BACKUP_OPTIONS_INIT;
    yore_backup_info info = YORE_BACKUP_INFO_INIT;
    yore_error err = YORE_ERROR_INIT;
    cli_progress progress;

    options_begin(c, &options, &progress, "restoring");
    int code = read_as_of(c, &options, &options.last_version);
    if (code != 0) {
        cli_progress_end(&progress);
        return code;
    }
    yore_status status = yore_backup_restore(c->args[0], c->args[1], &options, &info, &err);
    cli_progress_end(&progress);
    if (status < 0) return cli_fail(c, &err);
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_bytes(&j, "path", yore_str(c->args[1]));
        cli_json_u64(&j, "version", info.last_version);
        cli_json_time(&j, "time", info.last_time_ns);
        cli_json_u64(&j, "files", info.files);
        cli_json_line(&j);
        return 0;
    }
    char time[YORE_TIME_TEXT_SIZE];
    char *shown = cli_printable(c->args[1]);
    cli_time_text(c, info.last_time_ns, time);
    cli_note(c, "%s: a store up to v%" PRIu64 " of %s", shown, info.last_version, time);
    free(shown);
    return 0;
}

static const cmd_flag make_flags[] = {
    {"base", "B", "only what came after this backup, which restoring needs too", 0},
};
static const cmd_flag verify_flags[] = {
    {"base", "PLACE", "where bases are that are not beside BK: a backup or a directory", 0},
};
static const cmd_flag restore_flags[] = {
    {"as-of", "SPEC", "cut the history of the whole store behind this point", 0},
    {"base", "PLACE", "where bases are that are not beside BK: a backup or a directory", 0},
};

static const cmd subs[] = {
    {.name = "make",
     .usage = "DEST [--base B]",
     .summary = "back up every commit into the new file DEST, while the store is in use",
     CMD_ENTRY_FLAGS(make_flags),
     .run = run_make,
     .store = CMD_READS,
     .args_min = 1,
     .args_max = 1},
    {.name = "list",
     .usage = "[DIR]",
     .summary = "list the backups in a directory (else the current one)",
     .run = run_list,
     .args_max = 1},
    {.name = "verify",
     .usage = "BK [--base PLACE]",
     .summary = "check all of a backup and its bases; with -d also that the store holds the same commits",
     CMD_ENTRY_FLAGS(verify_flags),
     .run = run_verify,
     .args_min = 1,
     .args_max = 1},
    {.name = "restore",
     .usage = "BK NEWPATH [--as-of SPEC] [--base PLACE]",
     .summary = "make a new store of a backup and its bases",
     CMD_ENTRY_FLAGS(restore_flags),
     .run = run_restore,
     .args_min = 2,
     .args_max = 2},
};

const cmd cmd_backup_entry = {
    .name = "backup",
    .usage = "make|list|verify|restore",
    .summary = "copy the history of a store into files, and make stores of them",
    .details =
        "A backup is a file: a full one has every commit, one with --base those that came after its base. Restoring\n"
        "finds the bases by their ids, beside the backup or in the place that --base names. What exists already is\n"
        "never written over, and what was not finished is not there. docs/backup.md has it all.",
    .subs = subs,
    .sub_count = CMD_COUNT(subs),
};
