/* yore put: one value, from the command line, a pipe or a file. */
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/fail.h"
#include "cli/json_in.h"
#include "cli/output.h"
#include "cli/put.h"
#include "cli/write.h"

static int read_type(cli *c, uint32_t *type)
{
    static const char *const names[] = {"bytes", "text", "json"};
    const char *text = cli_value(c, "type");

    if (text == NULL) return 0;
    for (uint32_t i = 0; i < CMD_COUNT(names); i++) {
        if (strcmp(names[i], text) == 0) {
            *type = i;
            return 0;
        }
    }
    return cli_usage_error(c, "bytes, text, json", "flag '--type' does not know '%s'", text);
}

static int read_options(cli *c, yore_put_options *options)
{
    int code = read_type(c, &options->type);

    if (code == 0) code = cli_value_duration_ns(c, "ttl", &options->ttl_ns);
    if (code == 0) code = cli_value_version(c, "if-version", &options->if_version);
    if (code != 0) return code;
    options->if_version_set = cli_has(c, "if-version");
    options->if_absent = cli_has(c, "if-absent");
    if (options->if_version_set && options->if_absent) {
        return cli_usage_error(c, NULL, "--if-version and --if-absent exclude each other");
    }
    if (cli_has(c, "ttl") && options->ttl_ns <= 0)
        return cli_usage_error(c, NULL, "flag '--ttl' needs more than 0");
    return 0;
}

/* The value's bytes: the argument, or all of stdin or a file. `held` owns what was read. */
static int read_value(cli *c, cli_bytes *held, yore_slice *value)
{
    const char *file = cli_value(c, "file");
    const char *text = c->arg_count > 1 ? c->args[1] : NULL;

    if (file != NULL && text != NULL)
        return cli_usage_error(c, NULL, "a value and --file exclude each other");
    if (file == NULL && text == NULL) {
        return cli_usage_error(c, "yore put KEY VALUE, yore put KEY -, yore put KEY -f FILE",
                               "'yore put' needs a value");
    }
    if (file == NULL && strcmp(text, "-") != 0) {
        *value = yore_str(text);
        return 0;
    }
    if (file == NULL) file = "-";
    if (strcmp(file, "-") == 0 && cli_refuse_terminal_input(c)) return EXIT_USAGE;
    int code = cli_read_all(c, file, YORE_VALUE_BYTES_MAX, held);
    *value = cli_bytes_slice(held);
    return code;
}

bool cli_type_fits(uint32_t type, yore_slice value, char text[CLI_TYPE_TEXT_SIZE])
{
    if (type == YORE_TYPE_TEXT && !cli_is_utf8(value)) {
        (void)snprintf(text, CLI_TYPE_TEXT_SIZE, "the value is not UTF-8, so it is not of type text");
        return false;
    }
    if (type != YORE_TYPE_JSON) return true;

    /* In an array any JSON text may stand, also a bare number or string. */
    cli_bytes wrapped = {0};
    json_in in = {0};
    json_problem problem;
    cli_bytes_append(&wrapped, "[", 1);
    cli_bytes_append(&wrapped, value.data, value.size);
    cli_bytes_append(&wrapped, "]", 1);
    bool read = json_in_read(&in, cli_bytes_slice(&wrapped), &problem);
    bool fits = read && in.count == 1;
    if (!read) {
        (void)snprintf(text, CLI_TYPE_TEXT_SIZE, "the value is not JSON: byte %zu: %s",
                       problem.off > 0 ? problem.off - 1 : 0, problem.message);
    } else if (!fits) {
        (void)snprintf(text, CLI_TYPE_TEXT_SIZE, "the value is not one JSON text");
    }
    json_in_deinit(&in);
    cli_bytes_deinit(&wrapped);
    return fits;
}

static int check_type(cli *c, uint32_t type, yore_slice value)
{
    char text[CLI_TYPE_TEXT_SIZE];

    return cli_type_fits(type, value, text) ? 0 : cli_error(c, YORE_ERR_INPUT, NULL, NULL, "%s", text);
}

static int put_one(cli *c, const yore_put_options *options)
{
    cli_bytes key_bytes = {0};
    cli_bytes held = {0};
    yore_error err = YORE_ERROR_INIT;
    yore_txn *txn = NULL;
    cli_change change = {.op = YORE_OP_PUT, .type = options->type, .note = cli_value(c, "message")};
    yore_where where;

    int code = cli_key(c, c->args[0], &key_bytes, &change.key);
    if (code == 0) code = read_value(c, &held, &change.value);
    if (code == 0) code = check_type(c, options->type, change.value);
    if (code == 0) code = cli_open_write(c, cli_has(c, "create"));
    if (code == 0) code = cli_begin(c, &txn);
    if (code != 0) goto out;

    change.was = cli_version_before(txn, change.key);
    if (yore_put(txn, change.key, change.value, options, &err) < 0) {
        code = cli_fail(c, &err);
        goto out;
    }
    code = cli_commit(c, txn, change.note, &where);
    txn = NULL; /* ended by the commit */
    if (code != 0) goto out;
    change.where = &where;
    if (options->ttl_ns > 0) change.expiry_ns = where.time_ns + options->ttl_ns;
    cli_report_change(c, &change);

out:
    yore_rollback(txn);
    cli_bytes_deinit(&held);
    cli_bytes_deinit(&key_bytes);
    return code;
}

static int run_put(cli *c)
{
    yore_put_options options = YORE_PUT_OPTIONS_INIT;
    int code = read_options(c, &options);

    if (code != 0) return code;
    if (cli_has(c, "stdin")) {
        if (c->arg_count > 0)
            return cli_usage_error(c, NULL, "--stdin takes its keys from stdin, not '%s'", c->args[0]);
        if (cli_has(c, "file")) return cli_usage_error(c, NULL, "--stdin and --file exclude each other");
        return cli_put_stdin(c, &options);
    }
    if (cli_has(c, "batch") || cli_has(c, "from-format")) {
        return cli_usage_error(c, "yore put --stdin", "--batch and --from-format go with --stdin");
    }
    if (c->arg_count == 0) return cli_usage_error(c, "yore put --help", "'yore put' needs KEY VALUE");
    return put_one(c, &options);
}

static const cmd_flag flags[] = {
    {"file", "FILE", "the value is this file's bytes", 'f'},
    CLI_FLAG_MESSAGE,
    {"if-version", "vN", "only if the key's newest value is of this version", 0},
    {"if-absent", NULL, "only if the key has no value", 0},
    {"ttl", "SPAN", "the value expires this long after the commit", 0},
    {"type", "TYPE", "bytes, text or json: kept with the value, checked now", 0},
    {"create", NULL, "make the store when there is none", 0},
    {"stdin", NULL, "many keys from stdin, one atomic commit unless --batch", 0},
    {"from-format", "FORMAT", "of --stdin: jsonl (the default) or tsv", 0},
    {"batch", "N", "with --stdin: a commit every N keys", 0},
};

const cmd cmd_put_entry = {
    .name = "put",
    .usage =
        "KEY VALUE|-|-f FILE [-m NOTE] [--if-version vN|--if-absent] [--ttl SPAN] [--type TYPE] [--create]\n"
        "--stdin [--from-format jsonl|tsv] [--batch N]",
    .summary = "store a value",
    .details =
        "VALUE is stored exactly; - reads stdin, -f FILE a file, byte for byte.\n"
        "jsonl: {\"key\":..,\"value\":..} a line, key_b64 and value_b64 for bytes, \"delete\":true deletes,\n"
        "\"type\" as --type; a value that is no string is stored as its JSON text. The records of ls and get\n"
        "--json are taken too. tsv: KEY TAB VALUE a line, with the escapes\n"
        "\\t \\n \\r \\\\ \\xHH that piped lists use.",
    CMD_ENTRY_FLAGS(flags),
    .run = run_put,
    .store = CMD_WRITES,
    .args_max = 2,
};
