/* Importing tables: each row becomes one key, named by --key.
 *
 *   csv   RFC 4180, first record = column names; the value is a JSON object of the row's columns, all strings
 *   tsv   the same with TABs between and the escapes of yore's own lists (\t \n \r \\ \xHH), no quotes
 *   jsonl one JSON object a line; the value is the line as it is, the key what the JSON pointer finds in it
 *
 * Rows are committed a thousand at a time (with --atomic all at once). A key that comes again begins a new commit, so
 * that both rows become versions.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/git_map.h"
#include "cli/import.h"
#include "cli/json_in.h"
#include "cli/output.h"
#include "cli/locate.h"

#define ROWS_PER_COMMIT 1000u
#define COLUMNS_MAX 100000u

typedef struct table_row {
    cli_bytes raw;  /* the record's own text */
    cli_bytes text; /* its fields, decoded, one after the other */
    size_t *ends;
    size_t count;
    size_t cap;
    uint64_t line;
} table_row;

typedef struct table_run {
    import *im;
    import_problem problem;
    char separator; /* 0 = JSON lines */
    table_row head;
    table_row row;
    size_t key_column;
    bool own; /* what `yore export --format csv` writes: rows are stored values */
    uint32_t type;
    cli_bytes key;
    char *pointer;
    json_in json;
    cli_bytes value;

    yore_txn *txn;
    import_change change;
    git_names keys; /* of the pending commit */
    cli_bytes raw;  /* its rows, for --on-error FILE */
    uint64_t first_line;
    uint64_t last_line;
    uint64_t rows;
    uint64_t bytes;
} table_run;

/* -- the pending commit -- */

static void forget_pending(table_run *run)
{
    run->txn = NULL;
    run->rows = 0;
    run->bytes = 0;
    cli_bytes_clear(&run->raw);
    git_names_deinit(&run->keys);
}

static int flush(table_run *run)
{
    import *im = run->im;
    int code = EXIT_DONE;
    if (run->txn == NULL) {
        return EXIT_DONE;
    }
    char *note = run->first_line == run->last_line
                     ? cli_printf("import of %s, line %" PRIu64, im->in.name, run->first_line)
                     : cli_printf("import of %s, lines %" PRIu64 " to %" PRIu64, im->in.name, run->first_line,
                                  run->last_line);
    run->change.note = yore_str(note);
    if (import_commit(im, run->txn, &run->change, NULL, &run->problem)) {
        im->puts += run->rows;
        im->resume_line = run->last_line + 1;
        im->bytes += run->bytes;
    } else {
        run->problem.line = run->first_line;
        im->skipped_records += run->rows - 1;
        code = import_reject(im, &run->problem, cli_bytes_slice(&run->raw));
    }
    free(note);
    forget_pending(run);
    return code != EXIT_DONE ? code : import_tick(im);
}

static bool begin_pending(table_run *run, uint64_t line)
{
    run->change = (import_change){.branch = cli_branch(run->im->c)};
    run->first_line = line;
    run->im->resume_line = line;
    if (!import_begin(run->im, &run->change, &run->txn, &run->problem)) {
        run->txn = NULL;
        return false;
    }
    return true;
}

/* Put one row. 0, or an exit code that stops the import. */
static int put_row(table_run *run, yore_slice key_text, yore_slice value, yore_slice raw, uint64_t line)
{
    import *im = run->im;
    yore_error err = YORE_ERROR_INIT;
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    int code = import_store(im);
    bool again = run->txn != NULL && git_names_find(&run->keys, key_text) != GIT_NAME_NONE;
    if (code == EXIT_DONE && !im->tables_in_one && (again || run->rows == ROWS_PER_COMMIT)) {
        code = flush(run);
    }
    if (code != EXIT_DONE) {
        return code;
    }
    run->problem.line = line;
    bool good = run->txn != NULL || begin_pending(run, line);
    if (good) {
        yore_key key = {import_key(im, key_text), YORE_KV};
        options.type = run->type;
        good = yore_put(run->txn, key, value, &options, &err) >= 0 ||
               import_refuse_error(&run->problem, &err);
    }
    if (!good) {
        return import_reject(im, &run->problem, raw);
    }
    if (!im->tables_in_one) {
        (void)git_names_set(&run->keys, key_text, 0);
    }
    if (im->on_error == IMPORT_FILE) {
        cli_bytes_append(&run->raw, raw.data, raw.size);
        cli_bytes_append(&run->raw, "\n", 1);
    }
    run->last_line = line;
    run->rows++;
    run->bytes += value.size;
    return EXIT_DONE;
}

/* -- records of csv and tsv -- */

static bool wrong(table_run *run, const table_row *row, size_t off, const char *message)
{
    /* The position is in the record's text, which may span lines. */
    const char *text = row->raw.data;
    uint64_t line = row->line;
    size_t start = 0;
    for (size_t i = 0; i < off && i < row->raw.size; i++) {
        if (text[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    run->problem.line = line;
    return import_refuse(&run->problem, YORE_ERR_INPUT,
                         json_column(yore_bytes(text + start, row->raw.size - start), off - start), "%s",
                         message);
}

static void end_field(table_row *row)
{
    if (row->count == row->cap) {
        row->cap = row->cap == 0 ? 32 : row->cap * 2;
        row->ends = cli_realloc(row->ends, row->cap * sizeof *row->ends);
    }
    row->ends[row->count++] = row->text.size;
}

static yore_slice field_at(const table_row *row, size_t i)
{
    size_t start = i == 0 ? 0 : row->ends[i - 1];
    return yore_bytes(row->text.data == NULL ? "" : row->text.data + start, row->ends[i] - start);
}

/* The record's next line into its raw text. False at the end of the input. */
static bool more_text(table_run *run, table_row *row)
{
    yore_slice line;
    bool first = row->raw.size == 0;
    if (!import_in_line(&run->im->in, &line)) {
        return false;
    }
    if (first) {
        row->line = run->im->in.line;
    }
    if (row->line == 1 && first && line.size >= 3 && memcmp(line.data, "\xEF\xBB\xBF", 3) == 0) {
        line = yore_bytes((const char *)line.data + 3, line.size - 3);
    }
    cli_bytes_append(&row->raw, line.data, line.size);
    return true;
}

/* Where the record's last line ends, without its CR. */
static size_t text_end(const table_row *row)
{
    return row->raw.size > 0 && row->raw.data[row->raw.size - 1] == '\r' ? row->raw.size - 1 : row->raw.size;
}

/* A quoted field from its opening quote at `at`; the position behind its closing one into *next. */
static bool read_quoted(table_run *run, table_row *row, size_t at, size_t *next)
{
    size_t open = at++;
    for (;;) {
        if (at >= row->raw.size) {
            cli_bytes_append(&row->raw, "\n", 1);
            if (!more_text(run, row)) {
                row->raw.size--;
                return wrong(run, row, open, "a quoted field that never ends");
            }
            cli_bytes_append(&row->text, "\n", 1);
            at++;
            continue;
        }
        if (row->raw.data[at] != '"') {
            cli_bytes_append(&row->text, &row->raw.data[at++], 1);
        } else if (at + 1 < row->raw.size && row->raw.data[at + 1] == '"') {
            cli_bytes_append(&row->text, "\"", 1);
            at += 2;
        } else {
            *next = at + 1;
            return true;
        }
    }
}

static bool read_plain(table_run *run, table_row *row, size_t at, size_t *next)
{
    size_t end = text_end(row);
    size_t start = at;
    while (at < end && row->raw.data[at] != run->separator) {
        if (run->separator == ',' && row->raw.data[at] == '"') {
            return wrong(run, row, at, "a quote inside a field that does not begin with one");
        }
        at++;
    }
    *next = at;
    yore_slice field = yore_bytes(row->raw.data + start, at - start);
    if (run->separator == ',') {
        cli_bytes_append(&row->text, field.data, field.size);
        return true;
    }
    return cli_unescape(&row->text, field) ||
           wrong(run, row, start, "an escape other than \\t \\n \\r \\\\ \\xHH");
}

/* *got = false at the end of the input. */
static bool read_row(table_run *run, table_row *row, bool *got)
{
    size_t at = 0;
    cli_bytes_clear(&row->raw);
    cli_bytes_clear(&row->text);
    row->count = 0;
    *got = more_text(run, row);
    while (*got) {
        bool quoted = run->separator == ',' && at < row->raw.size && row->raw.data[at] == '"';
        if (!(quoted ? read_quoted(run, row, at, &at) : read_plain(run, row, at, &at))) {
            return false;
        }
        end_field(row);
        if (at >= text_end(row)) {
            return true;
        }
        if (row->raw.data[at] != run->separator) {
            return wrong(run, row, at, "something between a closing quote and the next separator");
        }
        at++;
        if (row->count == COLUMNS_MAX) {
            return wrong(run, row, at, "more than 100,000 columns");
        }
    }
    return true;
}

static bool is_blank_row(const table_row *row)
{
    return row->count == 1 && row->ends[0] == 0 && text_end(row) == 0;
}

static void quote(cli_bytes *to, yore_slice text)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *at = text.data;
    cli_bytes_append(to, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        if (at[i] == '"' || at[i] == '\\') {
            cli_bytes_append(to, "\\", 1);
        }
        if (at[i] >= 0x20) {
            cli_bytes_append(to, &at[i], 1);
            continue;
        }
        const char *letter = strchr("\bb\ff\nn\rr\tt", at[i]);
        if (at[i] != 0 && letter != NULL) {
            char code[2] = {'\\', letter[1]};
            cli_bytes_append(to, code, 2);
        } else {
            char code[6] = {'\\', 'u', '0', '0', hex[at[i] >> 4], hex[at[i] & 15]};
            cli_bytes_append(to, code, 6);
        }
    }
    cli_bytes_append(to, "\"", 1);
}

static bool make_value(table_run *run)
{
    cli_bytes_clear(&run->value);
    for (size_t i = 0; i < run->head.count; i++) {
        cli_bytes_append(&run->value, i == 0 ? "{" : ",", 1);
        quote(&run->value, field_at(&run->head, i));
        cli_bytes_append(&run->value, ":", 1);
        quote(&run->value, field_at(&run->row, i));
    }
    cli_bytes_append(&run->value, "}", 1);
    return cli_is_utf8(cli_bytes_slice(&run->value)) || wrong(run, &run->row, 0, "a row that is not UTF-8");
}

/* -- the columns of `yore export --format csv` -- */

enum { OWN_KEY, OWN_KEY_B64, OWN_VALUE, OWN_VALUE_B64, OWN_TYPE, OWN_VERSION, OWN_TIME, OWN_COUNT };
static const char *const OWN_NAMES[OWN_COUNT] = {"key",  "key_b64", "value", "value_b64",
                                                 "type", "version", "time"};

static bool is_own_head(const table_row *head)
{
    bool same = head->count == OWN_COUNT;
    for (size_t i = 0; i < OWN_COUNT && same; i++) {
        same = json_is(field_at(head, i), OWN_NAMES[i]);
    }
    return same;
}

/* Text from its column, or bytes from the base64 one behind it. */
static bool take_own_bytes(table_run *run, size_t column, cli_bytes *to)
{
    yore_slice text = field_at(&run->row, column);
    yore_slice coded = field_at(&run->row, column + 1);
    cli_bytes_clear(to);
    cli_bytes_append(to, text.data, text.size);
    return (text.size == 0 || coded.size == 0) && cli_b64_decode(to, coded);
}

static bool take_own_row(table_run *run)
{
    static const char *const types[] = {"bytes", "text", "json"};
    run->type = CMD_COUNT(types);
    for (uint32_t i = 0; i < CMD_COUNT(types); i++) {
        run->type = json_is(field_at(&run->row, OWN_TYPE), types[i]) ? i : run->type;
    }
    if (run->type == CMD_COUNT(types)) {
        return wrong(run, &run->row, 0, "a type other than bytes, text and json");
    }
    return (take_own_bytes(run, OWN_KEY, &run->key) && take_own_bytes(run, OWN_VALUE, &run->value)) ||
           wrong(run, &run->row, 0, "a key or value that is neither text nor base64");
}

static bool check_row(table_run *run)
{
    if (run->row.count != run->head.count) {
        run->problem.line = run->row.line;
        return import_refuse(&run->problem, YORE_ERR_INPUT, 1, "%zu column%s, but line %" PRIu64 " names %zu",
                             run->row.count, run->row.count == 1 ? "" : "s", run->head.line, run->head.count);
    }
    return run->own ? take_own_row(run) : make_value(run);
}

/* Find --key among the columns: by name, else by number from 1. */
static bool find_key_column(table_run *run)
{
    uint64_t number = 0;
    git_names seen = {0};
    bool found = false;
    bool twice = false;
    for (size_t i = 0; i < run->head.count; i++) {
        yore_slice name = field_at(&run->head, i);
        twice = twice || git_names_find(&seen, name) != GIT_NAME_NONE;
        (void)git_names_set(&seen, name, 0);
        if (!found && json_is(name, run->im->key)) {
            run->key_column = i;
            found = true;
        }
    }
    git_names_deinit(&seen);
    if (twice) {
        return wrong(run, &run->head, 0, "two columns have the same name");
    }
    if (!cli_is_utf8(cli_bytes_slice(&run->head.text))) {
        return wrong(run, &run->head, 0, "column names that are not UTF-8");
    }
    if (!found && cli_parse_u64(run->im->key, &number) && number >= 1 && number <= run->head.count) {
        run->key_column = (size_t)number - 1;
        found = true;
    }
    if (!found) {
        run->problem.line = run->head.line;
        (void)import_refuse(&run->problem, YORE_ERR_INPUT, 1, "no column '%.100s' (--key)", run->im->key);
        (void)snprintf(run->problem.hint, sizeof run->problem.hint,
                       "the first line names the columns: %.180s", run->head.raw.data);
    }
    return found;
}

static int import_rows(table_run *run)
{
    import *im = run->im;
    bool got = false;
    int code = EXIT_DONE;
    im->resume_line = 1;
    bool head_good = read_row(run, &run->head, &got);
    run->own = im->key == NULL && head_good && got && is_own_head(&run->head);
    if (im->key == NULL && !run->own) {
        return cli_usage_error(im->c, "--key NAME: the column whose cells are the keys",
                               "a table needs --key");
    }
    if (!head_good || (got && !run->own && !find_key_column(run))) {
        import_on_error asked = im->on_error;
        im->on_error = IMPORT_STOP; /* without column names no row means anything */
        code = import_reject(im, &run->problem, cli_bytes_slice(&run->head.raw));
        im->on_error = asked;
        return code;
    }
    while (code == EXIT_DONE && got) {
        bool good = read_row(run, &run->row, &got);
        if (!got) {
            break;
        }
        if (run->txn == NULL) {
            im->resume_line = run->row.line;
        }
        if (run->row.line < im->from_line || (good && is_blank_row(&run->row))) {
            continue;
        }
        yore_slice raw = cli_bytes_slice(&run->row.raw);
        if (!good || !check_row(run)) {
            code = import_reject(im, &run->problem, raw);
        } else {
            yore_slice key = run->own ? cli_bytes_slice(&run->key) : field_at(&run->row, run->key_column);
            code = put_row(run, key, cli_bytes_slice(&run->value), raw, run->row.line);
        }
    }
    return code;
}

/* -- JSON lines -- */

static bool find_key(table_run *run, yore_slice line, yore_slice *key)
{
    json_problem json = {0};
    json_member member;
    if (!json_in_pointer(&run->json, line, run->pointer, &member, &json)) {
        return import_refuse(&run->problem, YORE_ERR_INPUT, json_column(line, json.off), "%s", json.message);
    }
    if (member.kind == JSON_OBJECT || member.kind == JSON_ARRAY || member.kind == JSON_NULL) {
        return import_refuse(&run->problem, YORE_ERR_INPUT, json_column(line, member.off),
                             "'%.100s' must be a string, a number, true or false to be a key", run->pointer);
    }
    *key = member.text;
    return true;
}

static int import_json_rows(table_run *run)
{
    import *im = run->im;
    yore_slice line;
    int code = EXIT_DONE;
    run->pointer = im->key[0] == '/' ? cli_strdup(im->key) : cli_printf("/%s", im->key);
    while (code == EXIT_DONE && import_in_line(&im->in, &line)) {
        yore_slice key;
        const char *text = line.data;
        line.size -= line.size > 0 && text[line.size - 1] == '\r';
        if (im->in.line == 1 && line.size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
            line = yore_bytes(text + 3, line.size - 3);
        }
        if (run->txn == NULL) {
            im->resume_line = im->in.line;
        }
        if (im->in.line < im->from_line || line.size == 0) {
            continue;
        }
        if (find_key(run, line, &key)) {
            code = put_row(run, key, line, line, im->in.line);
        } else {
            run->problem.line = im->in.line;
            code = import_reject(im, &run->problem, line);
        }
    }
    return code;
}

static void row_deinit(table_row *row)
{
    cli_bytes_deinit(&row->raw);
    cli_bytes_deinit(&row->text);
    free(row->ends);
}

int import_table(import *im)
{
    table_run run = {.im = im, .type = YORE_TYPE_JSON};
    run.separator = im->format == IMPORT_CSV ? ',' : im->format == IMPORT_TSV ? '\t' : 0;
    int code = run.separator != 0 ? import_rows(&run) : import_json_rows(&run);
    if (code == EXIT_DONE) {
        code = import_input_ended(im);
    }
    if (code == EXIT_DONE) {
        code = flush(&run);
    }
    yore_rollback(run.txn);
    row_deinit(&run.head);
    row_deinit(&run.row);
    json_in_deinit(&run.json);
    free(run.pointer);
    cli_bytes_deinit(&run.value);
    cli_bytes_deinit(&run.key);
    cli_bytes_deinit(&run.raw);
    git_names_deinit(&run.keys);
    return code;
}
