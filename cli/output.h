/* Writing: JSON records, escaped text, tables, times. Data goes to stdout, everything else to stderr.
 *
 * JSON: one record a line, flushed with the line. Bytes that are valid UTF-8 become `name`, others `name_b64`.
 * Text: piped lists are TAB-separated with \t \n \r \\ and \xHH escapes, never cut; tables on a terminal.
 * All output is binary-safe and knows no locale. Write errors are found by cli_out_finish.
 */
#ifndef YORE_CLI_OUTPUT_H
#define YORE_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/cmd.h"
#include "cli/memory.h"

/* Is this well-formed UTF-8 (no surrogates, no overlong forms)? */
bool cli_is_utf8(yore_slice text);

/* Bytes in a printable line: control bytes, backslash and what is not UTF-8 escaped. */
/* Words that may hold a user's bytes: escaped when they would not print as they are. free() it. */
char *cli_printable(const char *text);
/* A word as a shell reads it: quoted when it has to be. */
void cli_shell_word(cli_bytes *to, const char *word);
void cli_put_escaped(FILE *to, yore_slice bytes);
void cli_escape(cli_bytes *to, yore_slice bytes);
/* The reverse, for TSV input. Returns false at a malformed escape. */
bool cli_unescape(cli_bytes *to, yore_slice text);
void cli_put_hex(FILE *to, yore_slice bytes);
void cli_put_b64(FILE *to, yore_slice bytes);
/* Decoders append to `to`; false for text that is not well-formed (b64: padding required, no blanks). */
bool cli_hex_decode(cli_bytes *to, yore_slice text);
bool cli_b64_decode(cli_bytes *to, yore_slice text);

/* -- JSON -- */

/* A writer of one record after another. Zero it, set `to`. */
typedef struct cli_json {
    FILE *to;
    uint32_t depth;
    bool comma; /* the next member needs one */
} cli_json;

void cli_json_begin(cli_json *j);                    /* { at the top */
void cli_json_line(cli_json *j);                     /* } newline, flush */
void cli_json_object(cli_json *j, const char *name); /* "name":{ ; name NULL inside an array */
void cli_json_object_end(cli_json *j);
void cli_json_array(cli_json *j, const char *name);
void cli_json_array_end(cli_json *j);
void cli_json_bytes(cli_json *j, const char *name, yore_slice bytes); /* "name" or "name_b64" */
void cli_json_text(cli_json *j, const char *name, const char *text);
void cli_json_u64(cli_json *j, const char *name, uint64_t number);
void cli_json_i64(cli_json *j, const char *name, int64_t number);
/* A finite number, in as many digits as it takes to read back as the same. */
void cli_json_double(cli_json *j, const char *name, double number);
void cli_json_bool(cli_json *j, const char *name, bool fact);
void cli_json_null(cli_json *j, const char *name);
void cli_json_time(cli_json *j, const char *name, int64_t ns); /* RFC 3339, Z, nine digits */
/* A JSON string literal, quotes included. `text` must be UTF-8. */
void cli_json_string(FILE *to, yore_slice text);

/* -- times -- */

/* Seconds east of UTC of the display zone at a time (--utc-offset, else TZ). */
int32_t cli_zone_at(const cli *c, int64_t ns);
/* A time for people: display zone on a terminal, UTC when piped; nine digits, so it reads back exactly. */
void cli_time_text(const cli *c, int64_t ns, char out[YORE_TIME_TEXT_SIZE]);

/* -- tables -- */

/* Rows of cells: aligned under a header on a terminal, TAB-separated without header when piped. headers may be NULL. */
typedef struct cli_table cli_table;
cli_table *cli_table_create(cli *c, const char *const *headers, size_t columns);
void cli_table_cell(cli_table *t, yore_slice raw);        /* escaped by the table */
void cli_table_cell_drawn(cli_table *t, yore_slice text); /* as it is: our own drawing */
void cli_table_cell_text(cli_table *t, const char *text);
void cli_table_cell_u64(cli_table *t, uint64_t number);
void cli_table_cell_version(cli_table *t, uint64_t version); /* v12, "-" for 0 */
void cli_table_cell_time(cli_table *t, int64_t ns);
void cli_table_destroy(cli_table *t); /* writes what is held back */

/* -- words on stderr -- */

/* One line of words; nothing with --quiet. */
void cli_note(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "1.5 KiB", "4 B". */
void cli_size_text(uint64_t bytes, char out[32]);

/* Flush stdout and report a failed write: 0 or 3. Call it before a success is claimed. */
int cli_out_finish(cli *c);

#endif
