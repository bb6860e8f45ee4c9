/* yore import: the flags, the format, and the summary. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/import.h"
#include "cli/import_atomic.h"
#include "cli/output.h"
#include "cli/locate.h"
#include "cli/write.h"

static int choose(const cli *c, const char *flag, const char *const *names, size_t count, size_t *out)
{
    const char *text = cli_value(c, flag);
    if (text == NULL) {
        return EXIT_DONE;
    }
    cli_bytes list = {0};
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            cli_bytes_deinit(&list);
            return EXIT_DONE;
        }
        cli_bytes_append(&list, i == 0 ? "" : ", ", i == 0 ? 0 : 2);
        cli_bytes_append(&list, names[i], strlen(names[i]));
    }
    int code = cli_usage_error(c, list.data, "flag '--%s' does not know '%s'", flag, text);
    cli_bytes_deinit(&list);
    return code;
}

/* stop, skip, or a file. A word one slip from the first two is not taken for a file: the import would go on past
 * errors without anybody having asked for that. */
static int read_on_error(cli *c, import *im)
{
    const char *what = cli_value(c, "on-error");
    if (what == NULL || strcmp(what, "stop") == 0) {
        return EXIT_DONE;
    }
    im->on_error = strcmp(what, "skip") == 0 ? IMPORT_SKIP : IMPORT_FILE;
    im->reject_path = what;
    bool slip = cli_edit_distance(what, "skip") == 1 || cli_edit_distance(what, "stop") == 1;
    if (*what == 0 || slip) {
        return cli_usage_error(c, "stop, skip, or a file as ./rejects",
                               "flag '--on-error' does not know '%s'", what);
    }
    return EXIT_DONE;
}

static int read_flags(cli *c, import *im)
{
    static const char *const formats[] = {"auto", "jsonl", "csv", "tsv", "git"};
    static const char *const times[] = {"", "strict", "shift", "now"};
    size_t format = IMPORT_AUTO;
    size_t time = IMPORT_TIMES_DEFAULT;
    int code = choose(c, "format", formats, CMD_COUNT(formats), &format);
    if (code == EXIT_DONE) {
        code = choose(c, "times", times, CMD_COUNT(times), &time);
    }
    if (code == EXIT_DONE) {
        code = cli_value_u64(c, "from-line", &im->from_line);
    }
    if (code == EXIT_DONE) {
        code = read_on_error(c, im);
    }
    im->format = (import_format)format;
    im->times = (import_times)time;
    im->path = c->args[0];
    im->key = cli_value(c, "key");
    im->prefix = cli_value(c, "prefix") != NULL ? cli_value(c, "prefix") : "";
    im->create = cli_has(c, "create");
    im->atomic = cli_has(c, "atomic");
    im->allow_future = cli_has(c, "allow-future");
    im->all_refs = cli_has(c, "all-refs");
    return code;
}

static bool ends_with(const char *path, const char *ending)
{
    size_t size = strlen(path);
    size_t wanted = strlen(ending);
    return size >= wanted && strcmp(path + size - wanted, ending) == 0;
}

static bool begins(const char *bytes, size_t size, const char *word)
{
    size_t wanted = strlen(word);
    return size >= wanted && memcmp(bytes, word, wanted) == 0;
}

/* By the name's ending, else by the first bytes. IMPORT_AUTO when neither tells. */
static import_format detect(import *im)
{
    static const char *const git_words[] = {"blob\n",   "commit refs/", "reset refs/",
                                            "feature ", "tag ",         "progress "};
    const char *bytes;
    size_t size = import_in_peek(&im->in, &bytes);
    if (begins(bytes, size, "\xEF\xBB\xBF")) {
        bytes += 3;
        size -= 3;
    }
    for (size_t i = 0; i < CMD_COUNT(git_words); i++) {
        if (begins(bytes, size, git_words[i])) {
            return IMPORT_GIT;
        }
    }
    if (ends_with(im->path, ".jsonl") || ends_with(im->path, ".ndjson") || (size > 0 && bytes[0] == '{')) {
        return IMPORT_JSONL;
    }
    if (ends_with(im->path, ".csv")) {
        return IMPORT_CSV;
    }
    if (ends_with(im->path, ".tsv")) {
        return IMPORT_TSV;
    }
    if (size == 0) {
        return IMPORT_JSONL; /* the export of a store without data is empty */
    }
    if (im->key == NULL) {
        return begins(bytes, size, "key,key_b64,value,") ? IMPORT_CSV : IMPORT_AUTO; /* an export's columns */
    }
    const char *lf = memchr(bytes, '\n', size);
    bool has_tab = memchr(bytes, '\t', lf == NULL ? size : (size_t)(lf - bytes)) != NULL;
    return has_tab ? IMPORT_TSV : IMPORT_CSV;
}

static int settle_format(import *im)
{
    cli *c = im->c;
    if (im->format == IMPORT_AUTO) {
        im->format = detect(im);
    }
    switch (im->format) {
    case IMPORT_AUTO:
        return cli_usage_error(c, "--format jsonl, csv, tsv or git", "cannot tell what format %s has",
                               im->in.name);
    case IMPORT_GIT:
        if (im->key != NULL || im->on_error != IMPORT_STOP || im->from_line != 0) {
            return cli_usage_error(c, NULL,
                                   "--key, --on-error and --from-line have no meaning for a git stream");
        }
        return EXIT_DONE;
    default: return EXIT_DONE;
    }
}

static void write_record(import *im)
{
    cli_json j = {.to = stdout};
    cli_json_begin(&j);
    cli_json_u64(&j, "commits", im->commits);
    cli_json_u64(&j, "puts", im->puts);
    cli_json_u64(&j, "dels", im->dels);
    cli_json_u64(&j, "bytes", im->bytes);
    cli_json_u64(&j, "branches", im->branches);
    cli_json_u64(&j, "hidden_branches", im->hidden_branches);
    cli_json_u64(&j, "tags", im->tags);
    cli_json_u64(&j, "settings", im->settings);
    cli_json_u64(&j, "merges", im->merges);
    cli_json_u64(&j, "skipped_records", im->skipped_records);
    cli_json_u64(&j, "skipped_refs", im->skipped_refs);
    cli_json_u64(&j, "skipped_tags", im->skipped_tags);
    cli_json_u64(&j, "cut_notes", im->cut_notes);
    cli_json_u64(&j, "cut_parents", im->cut_parents);
    cli_json_line(&j);
}

/* ", 3 tags" when there are some. */
static void count_words(cli_bytes *to, uint64_t count, const char *one, const char *many)
{
    if (count > 0) {
        char *text = cli_printf(", %" PRIu64 " %s", count, count == 1 ? one : many);
        cli_bytes_append(to, text, strlen(text));
        free(text);
    }
}

static void tell(import *im)
{
    char size[32];
    cli_bytes more = {0};
    if (im->c->json) {
        write_record(im);
    }
    cli_size_text(im->bytes, size);
    cli_bytes_append(&more, "", 0);
    count_words(&more, im->branches, "branch", "branches");
    count_words(&more, im->hidden_branches, "hidden side branch", "hidden side branches");
    count_words(&more, im->tags, "tag", "tags");
    count_words(&more, im->settings, "setting", "settings");
    count_words(&more, im->skipped_records, "record skipped", "records skipped");
    count_words(&more, im->skipped_refs, "ref outside heads and tags skipped",
                "refs outside heads and tags skipped (--all-refs takes them)");
    count_words(&more, im->skipped_tags, "tag of no commit skipped", "tags of no commit skipped");
    count_words(&more, im->cut_notes, "message cut to 64 KiB", "messages cut to 64 KiB");
    count_words(&more, im->cut_parents, "parent left out", "parents left out");
    cli_note(im->c, "imported %" PRIu64 " commit%s, %" PRIu64 " key%s, %s%s", im->commits,
             im->commits == 1 ? "" : "s", im->puts + im->dels, im->puts + im->dels == 1 ? "" : "s", size,
             more.data);
    cli_bytes_deinit(&more);
}

/* An import that brought nothing leaves no store behind, if it was this run that made it: the lock is held, and
 * version 1 is its creation. */
static void take_back_store(import *im)
{
    yore_stats stats = {.struct_size = sizeof stats};
    if (im->c->db == NULL || !im->store_made || import_kept_something(im) ||
        yore_stats_get(im->c->db, &stats, NULL) < 0 || stats.version > 1) {
        return;
    }
    yore_close(im->c->db);
    im->c->db = NULL;
    import_remove_tree(im->c->store_path);
}

/* Whatever happened: what was acknowledged is on the disk, and the rejects are written. */
static int finish(import *im, int code)
{
    yore_error err = YORE_ERROR_INIT;
    if (im->c->db != NULL && im->store_open && yore_sync(im->c->db, &err) < 0 && code == EXIT_DONE) {
        code = cli_fail(im->c, &err);
    }
    if (im->rejects != NULL && fclose(im->rejects) != 0 && code == EXIT_DONE) {
        code = cli_os_error(im->c, errno, "cannot write", im->reject_path);
    }
    if (code != EXIT_DONE) {
        take_back_store(im);
    }
    return code;
}

int import_jsonl(import *im)
{
    return im->key != NULL ? import_table(im) : import_events(im);
}

static int run_format(import *im)
{
    int (*format)(import *) = im->format == IMPORT_GIT     ? import_git
                              : im->format == IMPORT_JSONL ? import_jsonl
                                                           : import_table;
    im->tables_in_one = im->atomic && (format == import_table || (format == import_jsonl && im->key != NULL));
    if (!im->create) {
        int code = import_store(im); /* a store that is not there is said before a pipe is read */
        if (code != EXIT_DONE) {
            return code;
        }
    }
    cli_progress_begin(&im->progress, im->c, "importing", im->in.size > 0 ? "bytes" : "commits", im->in.size);
    int code = im->atomic ? import_atomic(im, format) : format(im);
    if (code == EXIT_DONE && !im->atomic) {
        code = import_store(im);
    }
    cli_progress_end(&im->progress);
    return finish(im, code);
}

static int run_import(cli *c)
{
import im = {.c = c };
    int code = read_flags(c, &im);
    if (code != EXIT_DONE) {
        return code;
    }
    if (strcmp(im.path, "-") == 0 && cli_refuse_terminal_input(c)) {
        return EXIT_USAGE;
    }
    code = import_in_open(c, im.path, &im.in);
    if (code == EXIT_DONE) {
        code = settle_format(&im);
    }
    if (code == EXIT_DONE) {
        code = run_format(&im);
    }
    if (code == EXIT_DONE) {
        tell(&im);
        code = cli_out_finish(c);
    }
    import_in_deinit(&im.in);
    cli_bytes_deinit(&im.key_text);
    return code;
}

static const cmd_flag FLAGS[] = {
    {"format", "FORMAT", "auto, jsonl, csv, tsv or git", 0},
    {"key", "COL|/path", "tables: the column (name or number from 1) or JSON pointer that gives the key", 0},
    {"prefix", "P", "put P before every key", 0},
    {"on-error", "WHAT", "stop (the default), skip, or a file the refused records are added to", 0},
    {"create", NULL, "create the store when there is none", 0},
    {"atomic", NULL, "all of the input or nothing of it", 0},
    {"times", "HOW",
     "strict (times must grow; the default), shift (forward by the least; git's default), now", 0},
    {"allow-future", NULL, "take times that lie in the future", 0},
    {"all-refs", NULL, "git: also refs outside heads and tags", 0},
    {"from-line", "N", "pass over the lines before N, which an earlier run has committed", 0},
};

const cmd cmd_import_entry = {
    .name = "import",
    .usage =
        "FILE|- [--format auto|jsonl|csv|tsv|git] [--key COL|/path] [--prefix P] [--on-error stop|skip|FILE] "
        "[--create] [--atomic] [--times strict|shift|now] [--allow-future] [--all-refs] [--from-line N]",
    .summary = "import change events, tables and whole git histories",
    .details =
        "jsonl  one event a line: {\"key\", \"value\"|\"value_b64\"|\"delete\":true, \"time\"?, \"branch\"?,\n"
        "       \"commit\"?, \"note\"?, \"author\"?, \"source\"?}; lines with the same commit are one atomic\n"
        "       commit. Also {\"fork\":\"exp\",\"from\":\"default@v12\"}, {\"merge\":\"exp\",\"into\":\"default\"},\n"
        "       {\"tag\":\"rel-1\"}, {\"config\":\"search.index\",\"prefix\":\"log/\",\"value\":\"none\"}, and what\n"
        "       `yore export` writes. With --key /path any JSON lines, each stored as it is.\n"
        "csv    RFC 4180 with column names; each row becomes a JSON object under the key in its\n"
        "       --key column. Without --key what `yore export --format csv` writes.\n"
        "tsv    the same with TABs and the escapes of yore's own lists.\n"
        "git    git fast-export --all --show-original-ids | yore import - --format git --create\n"
        "\n"
        "What was committed before an error stays; the message names the line to go on from. Ctrl-C\n"
        "stops between commits. docs/import.md has it all.",
    CMD_ENTRY_FLAGS(FLAGS),
    .run = run_import,
    .store = CMD_WRITES,
    .args_min = 1,
    .args_max = 1,
};
