/* yore put --stdin: many keys from a pipe, in one commit or in batches. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/json_in.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/put.h"
#include "cli/write.h"

typedef struct loader {
    cli *c;
    const yore_put_options *options;
    bool tsv;
    uint64_t batch; /* 0 = all in one */
    uint64_t line;
    yore_txn *txn;
    uint64_t open_keys; /* in txn */
    uint64_t done_keys; /* committed */
    uint64_t done_line; /* last line committed */
    uint64_t commits;
    cli_bytes key;
    cli_bytes value;
    uint32_t type; /* of the value at hand */
    json_in in;
} loader;

static int bad_line(const loader *l, size_t column, const char *message)
{
    char resume[80] = "nothing was written";

    if (l->commits > 0) {
        (void)snprintf(resume, sizeof resume,
                       "lines 1 to %" PRIu64 " are committed; go on from line %" PRIu64, l->done_line,
                       l->done_line + 1);
    }
    return cli_error(l->c, YORE_ERR_INPUT, resume, NULL, "standard input, line %" PRIu64 ", column %zu: %s",
                     l->line, column, message);
}

static int commit(loader *l)
{
    bool written = false;

    if (l->txn == NULL) return 0;
    int code = cli_commit_many(l->c, l->txn, "put", cli_value(l->c, "message"), &written);
    l->txn = NULL;
    if (code != 0) return code;
    l->commits++;
    l->done_keys += l->open_keys;
    l->done_line = l->line;
    l->open_keys = 0;
    return 0;
}

static int write_pair(loader *l, bool is_delete)
{
    yore_put_options options = *l->options;
    yore_error err = YORE_ERROR_INIT;
    yore_key key = {cli_bytes_slice(&l->key), YORE_KV};
    yore_status status;

    if (key.user.size == 0 || key.user.size > YORE_KEY_BYTES_MAX) {
        char text[80];
        (void)snprintf(text, sizeof text, "a key has 1 to %u bytes, not %zu", YORE_KEY_BYTES_MAX,
                       key.user.size);
        return bad_line(l, 1, text);
    }
    if (l->txn == NULL) {
        int code = cli_begin(l->c, &l->txn);
        if (code != 0) return code;
    }
    options.type = l->type;
    if (is_delete) {
        status = yore_del(l->txn, key, NULL, &err);
    } else {
        status = yore_put(l->txn, key, cli_bytes_slice(&l->value), &options, &err);
    }
    if (status < 0) return cli_fail(l->c, &err);
    l->open_keys++;
    return l->batch > 0 && l->open_keys >= l->batch ? commit(l) : 0;
}

/* Is the value what its type promises? */
static int check_value(loader *l)
{
    char text[CLI_TYPE_TEXT_SIZE];

    return cli_type_fits(l->type, cli_bytes_slice(&l->value), text) ? 0 : bad_line(l, 1, text);
}

static int tsv_line(loader *l, yore_slice line)
{
    const char *tab = memchr(line.data, '\t', line.size);

    if (tab == NULL) return bad_line(l, 1, "no TAB between key and value");
    size_t key_size = (size_t)(tab - (const char *)line.data);
    if (!cli_unescape(&l->key, yore_bytes(line.data, key_size)))
        return bad_line(l, 1, "malformed escape in the key");
    if (memchr(tab + 1, '\t', line.size - key_size - 1) != NULL) {
        return bad_line(l, key_size + 2, "a second TAB: inside a value it is written \\t");
    }
    if (!cli_unescape(&l->value, yore_bytes(tab + 1, line.size - key_size - 1))) {
        return bad_line(l, key_size + 2, "malformed escape in the value");
    }
    l->type = l->options->type;
    int code = check_value(l);
    return code != 0 ? code : write_pair(l, false);
}

/* `name` or `name_b64` of the line into `to`. *found says whether there was one. */
static int take_bytes(loader *l, yore_slice line, const char *name, const char *name_b64, cli_bytes *to,
                      bool *found)
{
    const json_member *plain = json_in_find(&l->in, name);
    const json_member *coded = json_in_find(&l->in, name_b64);
    char text[80];

    *found = plain != NULL || coded != NULL;
    if (plain != NULL && coded != NULL) {
        (void)snprintf(text, sizeof text, "%s and %s exclude each other", name, name_b64);
        return bad_line(l, json_column(line, coded->name_off), text);
    }
    if (coded != NULL && (coded->kind != JSON_STRING || !cli_b64_decode(to, coded->text))) {
        (void)snprintf(text, sizeof text, "%s is not base64 text", name_b64);
        return bad_line(l, json_column(line, coded->off), text);
    }
    if (plain != NULL) cli_bytes_append(to, plain->text.data, plain->text.size);
    return 0;
}

/* A member that would be passed over is refused, so that a misspelt or misplaced one is not lost data. Lines with a
 * "schema" are records yore printed: what more they have may go. */
static bool is_known(const loader *l, yore_slice name)
{
    static const char *const known[] = {"key", "key_b64", "value", "value_b64", "delete", "type"};

    for (size_t i = 0; i < CMD_COUNT(known); i++) {
        if (json_is(name, known[i])) return true;
    }
    return json_in_find(&l->in, "schema") != NULL;
}

static int check_members(loader *l, yore_slice line)
{
    char text[160];
    int code = 0;

    for (size_t i = 0; i < l->in.count && code == 0; i++) {
        const json_member *member = &l->in.members[i];
        char *name = cli_strdup_slice(member->name);
        bool known = is_known(l, member->name);
        if (!known) {
            (void)snprintf(text, sizeof text, "unknown member '%.64s' (yore import takes more)", name);
        } else {
            (void)snprintf(text, sizeof text, "'%.64s' is given twice", name);
        }
        if (!known || json_in_find(&l->in, name) != member)
            code = bad_line(l, json_column(line, member->name_off), text);
        free(name);
    }
    return code;
}

static int take_type(loader *l, yore_slice line)
{
    static const char *const names[] = {"bytes", "text", "json"};
    const json_member *type = json_in_find(&l->in, "type");

    l->type = l->options->type;
    for (uint32_t i = 0; type != NULL && i < CMD_COUNT(names); i++) {
        if (type->kind != JSON_STRING || !json_is(type->text, names[i])) continue;
        l->type = i;
        type = NULL;
    }
    if (type == NULL) return 0;
    return bad_line(l, json_column(line, type->off), "'type' must be \"bytes\", \"text\" or \"json\"");
}

static int jsonl_line(loader *l, yore_slice line)
{
    json_problem problem;
    bool has_key;
    bool has_value;

    if (!json_in_read(&l->in, line, &problem))
        return bad_line(l, json_column(line, problem.off), problem.message);
    if (l->in.kind != JSON_OBJECT) return bad_line(l, 1, "not a JSON object");

    int code = check_members(l, line);
    if (code == 0) code = take_type(l, line);
    if (code == 0) code = take_bytes(l, line, "key", "key_b64", &l->key, &has_key);
    if (code == 0) code = take_bytes(l, line, "value", "value_b64", &l->value, &has_value);
    if (code != 0) return code;
    const json_member *key = json_in_find(&l->in, "key");
    if (!has_key) return bad_line(l, 1, "no \"key\" or \"key_b64\"");
    if (key != NULL && key->kind != JSON_STRING)
        return bad_line(l, json_column(line, key->off), "\"key\" is not a string");

    const json_member *deleted = json_in_find(&l->in, "delete");
    bool is_delete = deleted != NULL && deleted->kind == JSON_BOOL && json_is(deleted->raw, "true");
    if (deleted != NULL && deleted->kind != JSON_BOOL) {
        return bad_line(l, json_column(line, deleted->off), "\"delete\" is neither true nor false");
    }
    const json_member *op = json_in_find(&l->in, "op"); /* only records have one */
    is_delete = is_delete || (op != NULL && op->kind == JSON_STRING && json_is(op->text, "del"));
    if (is_delete && has_value) return bad_line(l, 1, "a value and \"delete\":true exclude each other");
    if (!is_delete && !has_value) return bad_line(l, 1, "no \"value\", \"value_b64\" or \"delete\":true");
    const json_member *value = json_in_find(&l->in, "value");
    if (value != NULL && value->kind != JSON_STRING) {
        l->type = YORE_TYPE_JSON;
    } else if (!is_delete) {
        code = check_value(l);
    }
    return code != 0 ? code : write_pair(l, is_delete);
}

static int one_line(loader *l, char *text, size_t size)
{
    l->line++;
    if (size > 0 && text[size - 1] == '\n') size--;
    if (size > 0 && text[size - 1] == '\r' && !l->tsv) size--;
    if (l->line == 1 && size >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3; /* a byte order mark */
        size -= 3;
    }
    if (size == 0 || (!l->tsv && strspn(text, " \t") == size)) return 0;
    cli_bytes_clear(&l->key);
    cli_bytes_clear(&l->value);
    cli_bytes_reserve(&l->key, 0);
    cli_bytes_reserve(&l->value, 0);
    yore_slice line = yore_bytes(text, size);
    return l->tsv ? tsv_line(l, line) : jsonl_line(l, line);
}

static int load(loader *l)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t size;
    cli_progress progress;
    int code = 0;

    cli_progress_begin(&progress, l->c, "putting", "keys", 0);
    while (code == 0 && (size = getline(&line, &cap, stdin)) >= 0) {
        code = one_line(l, line, (size_t)size);
        cli_progress_update(&progress, l->done_keys + l->open_keys);
    }
    cli_progress_end(&progress);
    if (code == 0 && ferror(stdin)) code = cli_os_error(l->c, errno, "cannot read", "standard input");
    free(line);
    return code == 0 ? commit(l) : code;
}

int cli_put_stdin(cli *c, const yore_put_options *options)
{
    loader l = {.c = c, .options = options};
    const char *format = cli_value(c, "from-format");

    if (format != NULL && strcmp(format, "jsonl") != 0 && strcmp(format, "tsv") != 0) {
        return cli_usage_error(c, "jsonl, tsv", "flag '--from-format' does not know '%s'", format);
    }
    l.tsv = format != NULL && strcmp(format, "tsv") == 0;
    int code = cli_value_u64(c, "batch", &l.batch);
    if (code != 0) return code;
    if (cli_has(c, "batch") && l.batch == 0)
        return cli_usage_error(c, NULL, "flag '--batch' needs at least 1");
    if (options->if_version_set)
        return cli_usage_error(c, NULL, "--if-version goes with one key, not with --stdin");
    if (cli_refuse_terminal_input(c)) return EXIT_USAGE;

    code = cli_open_write(c, cli_has(c, "create"));
    if (code == 0) code = load(&l);
    if (code == 0 && l.commits == 0) cli_note(c, "nothing to put: standard input held no keys");

    yore_rollback(l.txn);
    json_in_deinit(&l.in);
    cli_bytes_deinit(&l.key);
    cli_bytes_deinit(&l.value);
    return code;
}
