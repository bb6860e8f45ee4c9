/* Writing JSON records (CLI.md, section 4). */
#include "cli/output.h"

#include <inttypes.h>
#include <stdlib.h>

void cli_json_string(FILE *to, yore_slice text)
{
    const unsigned char *data = text.data;
    size_t run = 0; /* first byte not yet written */

    (void)putc('"', to);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = data[i];
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        if (i > run) (void)fwrite(data + run, 1, i - run, to);
        run = i + 1;
        switch (c) {
        case '"': fputs("\\\"", to); break;
        case '\\': fputs("\\\\", to); break;
        case '\n': fputs("\\n", to); break;
        case '\r': fputs("\\r", to); break;
        case '\t': fputs("\\t", to); break;
        case '\b': fputs("\\b", to); break;
        case '\f': fputs("\\f", to); break;
        default: fprintf(to, "\\u%04x", c); break;
        }
    }
    if (text.size > run) (void)fwrite(data + run, 1, text.size - run, to);
    (void)putc('"', to);
}

static void member(cli_json *j, const char *name, const char *suffix)
{
    if (j->comma) (void)putc(',', j->to);
    j->comma = true;
    if (name == NULL) return;
    fprintf(j->to, "\"%s%s\":", name, suffix);
}

void cli_json_begin(cli_json *j)
{
    (void)putc('{', j->to);
    j->depth = 1;
    j->comma = false;
}

void cli_json_line(cli_json *j)
{
    fputs("}\n", j->to);
    (void)fflush(j->to);
    j->depth = 0;
    j->comma = false;
}

void cli_json_object(cli_json *j, const char *name)
{
    member(j, name, "");
    (void)putc('{', j->to);
    j->depth++;
    j->comma = false;
}

void cli_json_object_end(cli_json *j)
{
    (void)putc('}', j->to);
    j->depth--;
    j->comma = true;
}

void cli_json_array(cli_json *j, const char *name)
{
    member(j, name, "");
    (void)putc('[', j->to);
    j->depth++;
    j->comma = false;
}

void cli_json_array_end(cli_json *j)
{
    (void)putc(']', j->to);
    j->depth--;
    j->comma = true;
}

void cli_json_bytes(cli_json *j, const char *name, yore_slice bytes)
{
    if (cli_is_utf8(bytes)) {
        member(j, name, "");
        cli_json_string(j->to, bytes);
    } else {
        member(j, name, "_b64");
        (void)putc('"', j->to);
        cli_put_b64(j->to, bytes);
        (void)putc('"', j->to);
    }
}

void cli_json_text(cli_json *j, const char *name, const char *text)
{
    cli_json_bytes(j, name, yore_str(text));
}

void cli_json_u64(cli_json *j, const char *name, uint64_t number)
{
    member(j, name, "");
    fprintf(j->to, "%" PRIu64, number);
}

void cli_json_i64(cli_json *j, const char *name, int64_t number)
{
    member(j, name, "");
    fprintf(j->to, "%" PRId64, number);
}

void cli_json_double(cli_json *j, const char *name, double number)
{
    char text[40];

    for (int digits = 15; digits <= 17; digits++) { /* the fewest that do */
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    member(j, name, "");
    fputs(text, j->to);
}

void cli_json_bool(cli_json *j, const char *name, bool fact)
{
    member(j, name, "");
    fputs(fact ? "true" : "false", j->to);
}

void cli_json_null(cli_json *j, const char *name)
{
    member(j, name, "");
    fputs("null", j->to);
}

void cli_json_time(cli_json *j, const char *name, int64_t ns)
{
    char text[YORE_TIME_TEXT_SIZE];

    (void)yore_time_format(ns, 0, 9, text, sizeof text);
    cli_json_text(j, name, text);
}
