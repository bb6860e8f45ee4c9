/* yore check --salvage, and the numbers of check. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/check.h"
#include "cli/fail.h"
#include "cli/locate.h"
#include "cli/output.h"
#include "cli/work.h"

/* -- numbers -- */

static const struct {
    const char *name;
    size_t off;
} fields[] = {
    {"keys", offsetof(yore_check_report, keys)},
    {"versions", offsetof(yore_check_report, versions)},
    {"commits", offsetof(yore_check_report, commits)},
    {"branches", offsetof(yore_check_report, branches)},
    {"wal_files", offsetof(yore_check_report, wal_files)},
    {"wal_records", offsetof(yore_check_report, wal_records)},
    {"wal_bytes", offsetof(yore_check_report, wal_bytes)},
    {"tail_bytes_cut", offsetof(yore_check_report, tail_bytes_cut)},
    {"segments", offsetof(yore_check_report, segments)},
    {"segment_bytes", offsetof(yore_check_report, segment_bytes)},
    {"segment_rows", offsetof(yore_check_report, rows)},
    {"value_files", offsetof(yore_check_report, value_files)},
    {"value_file_bytes", offsetof(yore_check_report, value_file_bytes)},
    {"values", offsetof(yore_check_report, values)},
};
const size_t cli_check_fields = CMD_COUNT(fields);

const char *cli_check_field(size_t i)
{
    return fields[i].name;
}

uint64_t cli_check_number(const yore_check_report *report, size_t i)
{
    uint64_t number;
    memcpy(&number, (const char *)report + fields[i].off, sizeof number);
    return number;
}

/* -- losses -- */

static const char *kind_name(uint32_t kind)
{
    static const char *const names[] = {"?",       "manifest", "file",  "rows",   "history",
                                        "commits", "log",      "value", "branch", "row"};
    return kind < CMD_COUNT(names) ? names[kind] : names[0];
}

static bool has_keys(const yore_salvage_loss *loss)
{
    return loss->kind == YORE_LOSS_ROWS || loss->kind == YORE_LOSS_HISTORY || loss->kind == YORE_LOSS_VALUE ||
           loss->kind == YORE_LOSS_ROW;
}

static void loss_record(const yore_salvage_loss *loss)
{
    cli_json j = {.to = stdout};
    bool is_range = loss->kind == YORE_LOSS_ROWS;

    cli_json_begin(&j);
    cli_json_text(&j, "damage", kind_name(loss->kind));
    if (loss->file != NULL) cli_json_bytes(&j, "file", yore_str(loss->file));
    if (has_keys(loss) && (!is_range || loss->has_after)) {
        cli_json_u64(&j, "branch_id", loss->branch);
        cli_json_bytes(&j, is_range ? "after_key" : "key", loss->key);
    }
    if (is_range && loss->has_before) {
        cli_json_u64(&j, "before_branch_id", loss->last_branch);
        cli_json_bytes(&j, "before_key", loss->before);
    }
    if (loss->kind == YORE_LOSS_BRANCH) cli_json_u64(&j, "branch_id", loss->branch);
    if (loss->first_version != 0) {
        bool is_log = loss->kind == YORE_LOSS_LOG;
        cli_json_u64(&j, is_log ? "first_record" : "first_version", loss->first_version);
        cli_json_u64(&j, is_log ? "last_record" : "last_version", loss->last_version);
    }
    if (loss->rows != 0) cli_json_u64(&j, "rows", loss->rows);
    cli_json_bytes(&j, "text", yore_str(loss->text));
    cli_json_line(&j);
}

static void put_key(cli_bytes *to, uint32_t branch, yore_slice key)
{
    char *shown = cli_shown(key);
    char *text = cli_printf("id:%" PRIu32 " '%s'", branch, shown);
    cli_bytes_append(to, text, strlen(text));
    free(text);
    free(shown);
}

/* "damaged rows behind id:1 'a', before id:1 'c' of v3 to v90: segment ..." */
static void loss_words(const cli *c, const yore_salvage_loss *loss)
{
    static const cli_bytes none = {0};
    cli_bytes words = none;
    char *shown = cli_printable(loss->text);
    bool is_range = loss->kind == YORE_LOSS_ROWS;

    if (has_keys(loss) && (!is_range || loss->has_after)) {
        cli_bytes_append(&words, is_range ? " behind " : " of ", is_range ? 8 : 4);
        put_key(&words, loss->branch, loss->key);
    }
    if (is_range && loss->has_before) {
        cli_bytes_append(&words, " before ", 8);
        put_key(&words, loss->last_branch, loss->before);
    }
    if (loss->kind == YORE_LOSS_BRANCH) {
        char *text = cli_printf(" id:%" PRIu32, loss->branch);
        cli_bytes_append(&words, text, strlen(text));
        free(text);
    }
    if (loss->first_version != 0) {
        const char *letter = loss->kind == YORE_LOSS_LOG ? "" : "v";
        char *text = loss->first_version == loss->last_version
                         ? cli_printf(" (%s%" PRIu64 ")", letter, loss->first_version)
                         : cli_printf(" (%s%" PRIu64 " to %s%" PRIu64 ")", letter, loss->first_version,
                                      letter, loss->last_version);
        cli_bytes_append(&words, text, strlen(text));
        free(text);
    }
    cli_note(c, "damaged %s%.*s: %s", kind_name(loss->kind), (int)words.size, (const char *)words.data,
             shown);
    cli_bytes_deinit(&words);
    free(shown);
}

static void tell_loss(void *arg, const yore_salvage_loss *loss)
{
    cli_progress *progress = arg;

    cli_progress_end(progress);
    if (progress->c->json) {
        loss_record(loss);
    } else {
        loss_words(progress->c, loss);
    }
}

/* -- the report -- */

static void report(cli *c, const char *new_path, const yore_salvage_report *r)
{
    const struct {
        const char *name;
        uint64_t number;
    } rows[] = {
        {"last_version", r->last_version},
        {"commits", r->commits},
        {"commits_lost", r->commits_lost},
        {"rows", r->rows},
        {"rows_lost", r->rows_lost},
        {"values_lost", r->values_lost},
        {"notes_lost", r->notes_lost},
        {"branches", r->branches},
        {"branches_lost", r->branches_lost},
        {"log_records", r->log_records},
        {"log_records_lost", r->log_records_lost},
        {"segments", r->segments},
        {"segments_lost", r->segments_lost},
        {"value_files", r->value_files},
        {"value_files_lost", r->value_files_lost},
        {"log_files", r->log_files},
        {"log_files_lost", r->log_files_lost},
        {"damages", r->damages},
    };

    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_bytes(&j, "path", yore_str(new_path));
        cli_json_bool(&j, "complete", r->complete);
        cli_json_bool(&j, "had_manifest", r->had_manifest);
        for (size_t i = 0; i < CMD_COUNT(rows); i++) cli_json_u64(&j, rows[i].name, rows[i].number);
        cli_json_line(&j);
        return;
    }
    for (size_t i = 0; i < CMD_COUNT(rows); i++) printf("%s\t%" PRIu64 "\n", rows[i].name, rows[i].number);
    char *shown = cli_printable(new_path);
    if (r->complete) {
        cli_note(c, "%s: everything was saved, up to v%" PRIu64, shown, r->last_version);
    } else {
        cli_note(c, "%s: a new store up to v%" PRIu64 "; what is lost is told above", shown, r->last_version);
    }
    free(shown);
}

int cli_salvage(cli *c, const char *new_path)
{
    yore_salvage_options options = YORE_SALVAGE_OPTIONS_INIT;
    yore_salvage_report made = {.struct_size = sizeof made};
    yore_error err = YORE_ERROR_INIT;
    cli_progress progress;
    int code = cli_find_store(c, &c->store_path);

    if (code != 0) return code;
    cli_work_begin(&progress, c, "salvaging", "commits");
    options.loss = tell_loss;
    options.loss_arg = &progress;
    options.progress = cli_work_step;
    options.progress_arg = &progress;
    yore_status status = yore_salvage(c->store_path, new_path, &options, &made, &err);
    cli_progress_end(&progress);
    if (status < 0) return cli_fail(c, &err);
    report(c, new_path, &made);
    return made.complete ? EXIT_DONE : EXIT_CORRUPT;
}
