/* yore get, exists. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/explain.h"
#include "cli/fail.h"
#include "cli/output.h"
#include "cli/locate.h"

/* The reason for an absence that people trip over: the point lies before anything was written. NULL when that is
 * not it; free() it. */
static char *birth_of(const cli *c, const yore_where *where)
{
    char text[YORE_TIME_TEXT_SIZE];

    if (where->first_data_version == 0 || where->snap_version >= where->first_data_version) return NULL;
    cli_time_text(c, where->first_data_time_ns, text);
    return cli_printf("the first data of '%s' is v%" PRIu64 " of %s", where->branch,
                      where->first_data_version, text);
}

static int absent(cli *c, const yore_where *where, yore_key key)
{
    char *shown = cli_shown(key.user);
    char *birth = birth_of(c, where);
    int code = cli_error(c, YORE_NOT_FOUND, c->json ? birth : NULL, NULL,
                         "no value for '%s' on %s as of v%" PRIu64, shown, where->branch,
                         where->snap_version);

    if (birth != NULL && !c->json) cli_note(c, "note: %s", birth);
    free(birth);
    free(shown);
    return code;
}

/* -- one value -- */

/* On a terminal: control bytes escaped, except line ends and tabs, so that text reads as text. */
static void put_for_terminal(yore_slice value)
{
    const char *data = value.data;
    size_t start = 0;

    for (size_t i = 0; i <= value.size; i++) {
        if (i < value.size && data[i] != '\n' && data[i] != '\t') continue;
        cli_bytes text = {0};
        cli_escape(&text, yore_bytes(data + start, i - start));
        if (text.size > 0) (void)fwrite(text.data, 1, text.size, stdout);
        cli_bytes_deinit(&text);
        if (i < value.size) (void)putchar(data[i]);
        start = i + 1;
    }
    if (value.size == 0 || data[value.size - 1] != '\n') (void)putchar('\n');
}

static void put_value(const cli *c, FILE *to, yore_slice value)
{
    if (cli_has(c, "hex")) {
        cli_put_hex(to, value);
        (void)putc('\n', to);
    } else if (cli_has(c, "b64")) {
        cli_put_b64(to, value);
        (void)putc('\n', to);
    } else if (to == stdout && c->tty_out) {
        put_for_terminal(value);
    } else if (value.size > 0) {
        (void)fwrite(value.data, 1, value.size, to);
    }
}

static int put_file(cli *c, const char *path, yore_slice value)
{
    FILE *to = fopen(path, "wb");

    if (to == NULL) return cli_os_error(c, errno, "cannot open", path);
    put_value(c, to, value);
    bool failed = ferror(to) != 0;
    errno = 0;
    if (fclose(to) != 0 || failed) return cli_os_error(c, errno != 0 ? errno : EIO, "cannot write", path);
    return 0;
}

/* What --default gives in place of a stored value has no version. */
static void put_default_record(const yore_where *where, yore_key key, yore_slice value)
{
    cli_json j = {.to = stdout};

    cli_json_begin(&j);
    cli_json_u64(&j, "schema", 1);
    cli_json_text(&j, "branch", where->branch);
    cli_json_text(&j, "primitive", cli_primitive_name(key.primitive));
    cli_json_bytes(&j, "key", key.user);
    cli_json_bytes(&j, "value", value);
    cli_json_u64(&j, "bytes", value.size);
    cli_json_null(&j, "version");
    cli_json_bool(&j, "default", true);
    cli_json_line(&j);
}

static void put_record(cli *c, const yore_where *where, yore_key key, const yore_pin *pin)
{
    if (pin->version == 0) {
        put_default_record(where, key, pin->value);
        return;
    }
    yore_row row = {
        .key = key.user,
        .value = pin->value,
        .meta = pin->meta,
        .version = pin->version,
        .time_ns = yore_pin_time(pin),
        .expiry_ns = pin->expiry_ns,
        .branch_id = pin->branch_id,
        .primitive = key.primitive,
        .op = YORE_OP_PUT,
        .type = pin->type,
    };
    cli_record record = {
        .branch = where->branch, .row = &row, .note = cli_note_of(c, pin->version), .has_value = true};
    cli_record_write(stdout, &record);
}

static void put_verbose(cli *c, const yore_where *where, yore_key key, const yore_pin *pin)
{
    char time[YORE_TIME_TEXT_SIZE];
    char size[32];
    char *shown = cli_shown(key.user);

    cli_time_text(c, yore_pin_time(pin), time);
    cli_size_text(pin->value.size, size);
    fprintf(stderr, "%s:%s:%s  v%" PRIu64 "  %s  %s", where->branch, cli_primitive_name(key.primitive), shown,
            pin->version, time, size);
    if (pin->expiry_ns != 0) {
        cli_time_text(c, pin->expiry_ns, time);
        fprintf(stderr, "  expires %s", time);
    }
    if (pin->branch_id != where->branch_id)
        fprintf(stderr, "  from branch %s", cli_branch_name(c, pin->branch_id));
    (void)putc('\n', stderr);
    free(shown);
}

static int get_one(cli *c, yore_snap *snap, const yore_where *where, yore_key key, cli_explain *explain)
{
    yore_error err = YORE_ERROR_INIT;
    yore_pin pin = YORE_PIN_INIT;
    const char *path = cli_value(c, "output");
    if (path != NULL && strcmp(path, "-") == 0) path = NULL; /* stdout, as everywhere */
    const char *fallback = cli_value(c, "default");
    yore_status status = yore_get(snap, key, &pin, &err);
    int code = 0;

    if (status < 0) return cli_fail(c, &err);
    if (status == YORE_NOT_FOUND && fallback == NULL) return absent(c, where, key);
    if (status == YORE_NOT_FOUND) {
        pin.value = yore_str(fallback);
    } else {
        cli_explain_row(explain, key.user.size, pin.value.size);
        if (cli_has(c, "verbose")) put_verbose(c, where, key, &pin);
    }
    if (path != NULL) {
        code = put_file(c, path, pin.value);
    } else if (c->json) {
        put_record(c, where, key, &pin);
    } else {
        put_value(c, stdout, pin.value);
    }
    yore_unpin(&pin);
    return code;
}

/* -- several -- */

static void put_line(cli *c, const yore_where *where, yore_key key, yore_slice value)
{
    yore_row row = {.key = key.user, .primitive = key.primitive};

    cli_put_escaped(stdout, cli_key_cell(c, where->branch, &row));
    (void)putchar('\t');
    if (cli_has(c, "hex")) {
        cli_put_hex(stdout, value);
    } else if (cli_has(c, "b64")) {
        cli_put_b64(stdout, value);
    } else {
        cli_put_escaped(stdout, value);
    }
    (void)putchar('\n');
}

static int get_several(cli *c, yore_snap *snap, const yore_where *where, const yore_key *keys, size_t count,
                       cli_explain *explain)
{
    yore_pin *pins = cli_alloc(count * sizeof *pins);
    yore_status *each = cli_alloc(count * sizeof *each);
    yore_error err = YORE_ERROR_INIT;
    const char *fallback = cli_value(c, "default");
    int code = 0;

    if (yore_get_many(snap, keys, count, pins, each, &err) < 0) {
        code = cli_fail(c, &err);
        goto out;
    }
    for (size_t i = 0; i < count; i++) {
        if (each[i] == YORE_NOT_FOUND && fallback == NULL) {
            code = absent(c, where, keys[i]);
            continue;
        }
        if (each[i] == YORE_NOT_FOUND) pins[i].value = yore_str(fallback);
        if (each[i] == YORE_OK) cli_explain_row(explain, keys[i].user.size, pins[i].value.size);
        if (each[i] == YORE_OK && cli_has(c, "verbose")) put_verbose(c, where, keys[i], &pins[i]);
        if (c->json) {
            put_record(c, where, keys[i], &pins[i]);
        } else {
            put_line(c, where, keys[i], pins[i].value);
        }
        if (each[i] == YORE_OK) yore_unpin(&pins[i]);
    }

out:
    free(pins);
    free(each);
    return code;
}

static int run_get(cli *c)
{
    yore_snap *snap = NULL;
    yore_where where;
    cli_bytes *bytes = cli_alloc(c->arg_count * sizeof *bytes);
    yore_key *keys = cli_alloc(c->arg_count * sizeof *keys);
    cli_explain explain;
    int code = 0;

    if (cli_has(c, "hex") && cli_has(c, "b64"))
        code = cli_usage_error(c, NULL, "--hex and --b64 exclude each other");
    if (code == 0 && cli_has(c, "output") && (c->arg_count > 1 || c->json)) {
        code = cli_usage_error(c, NULL, "--output goes with one key and without --json");
    }
    for (size_t i = 0; i < c->arg_count && code == 0; i++) code = cli_key(c, c->args[i], &bytes[i], &keys[i]);
    if (code == 0) code = cli_open_read(c);
    cli_explain_begin(&explain, cli_has(c, "explain"));
    if (code == 0) code = cli_snap(c, cli_value(c, "as-of"), &snap, &where);
    if (code == 0) {
        code = c->arg_count == 1 ? get_one(c, snap, &where, keys[0], &explain)
                                 : get_several(c, snap, &where, keys, c->arg_count, &explain);
        int told = code == EXIT_DONE || code == EXIT_NO ? cli_explain_end(c, &explain, &where) : 0;
        if (told != 0) code = told;
    }

    yore_snap_close(snap);
    for (size_t i = 0; i < c->arg_count; i++) cli_bytes_deinit(&bytes[i]);
    free(bytes);
    free(keys);
    return code;
}

static const cmd_flag get_flags[] = {
    {"as-of", "SPEC", "the value it had then (yore help spec)", 0},
    {"verbose", NULL, "address, version, time and size on stderr", 'V'},
    {"default", "V", "print this and exit 0 when there is no value", 0},
    {"output", "FILE", "write the bytes to a file", 'o'},
    {"hex", NULL, "print the value as hexadecimal", 0},
    {"b64", NULL, "print the value as base64", 0},
    {"explain", NULL, "how it was read: point, lineage, versions, bytes and time, on stderr", 0},
};

const cmd cmd_get_entry = {
    .name = "get",
    .usage = "KEY... [--as-of SPEC] [-V] [--default V] [-o FILE] [--hex|--b64] [--explain]",
    .summary = "print a value, now or as of any moment",
    .details =
        "Into a pipe one value is written exactly, without a newline. Several keys give one line each:\n"
        "KEY TAB VALUE, escaped. Exit 1 when a key has no value.",
    CMD_ENTRY_FLAGS(get_flags),
    .run = run_get,
    .store = CMD_READS,
    .args_min = 1,
    .args_max = CMD_ARGS_ANY,
};

static int run_exists(cli *c)
{
    yore_snap *snap = NULL;
    yore_where where;
    cli_bytes bytes = {0};
    yore_key key;
    yore_pin pin = YORE_PIN_INIT;
    yore_error err = YORE_ERROR_INIT;
    int code = cli_key(c, c->args[0], &bytes, &key);

    if (code == 0) code = cli_open_read(c);
    if (code == 0) code = cli_snap(c, cli_value(c, "as-of"), &snap, &where);
    if (code != 0) goto out;

    yore_status status = yore_get(snap, key, &pin, &err);
    if (status < 0) {
        code = cli_fail(c, &err);
        goto out;
    }
    code = status == YORE_OK ? EXIT_DONE : EXIT_NO;
    char *birth = status == YORE_NOT_FOUND ? birth_of(c, &where) : NULL;
    if (c->json) {
        cli_json j = {.to = stdout};
        cli_json_begin(&j);
        cli_json_text(&j, "branch", where.branch);
        cli_json_bytes(&j, "key", key.user);
        cli_json_bool(&j, "exists", status == YORE_OK);
        if (birth != NULL) cli_json_text(&j, "why", birth);
        cli_json_line(&j);
    } else {
        puts(status == YORE_OK ? "yes" : "no");
    }
    if (birth != NULL && !c->json) cli_note(c, "note: %s", birth);
    free(birth);
    yore_unpin(&pin);

out:
    yore_snap_close(snap);
    cli_bytes_deinit(&bytes);
    return code;
}

static const cmd_flag exists_flags[] = {
    {"as-of", "SPEC", "whether it existed then", 0},
};

const cmd cmd_exists_entry = {
    .name = "exists",
    .usage = "KEY [--as-of SPEC]",
    .summary = "tell whether a key has a value: exit 0 or 1",
    CMD_ENTRY_FLAGS(exists_flags),
    .run = run_exists,
    .store = CMD_READS,
    .args_min = 1,
    .args_max = 1,
};
