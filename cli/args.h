/* Reading the command line: strict, options anywhere, `--` ends them, no abbreviations.
 *
 * A flag is looked up by its long name, which must be in the command's table or the global one (an
 * unknown name is a bug and aborts). All numbers and spans are parsed here, without locale.
 */
#ifndef YORE_CLI_ARGS_H
#define YORE_CLI_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cmd.h"

/* Parse argv into `c`. Returns 0, or the exit code of a reported error. c->command is NULL when no verb was given. */
int cli_args_parse(cli *c, int argc, char **argv);
void cli_args_deinit(cli *c);

bool cli_has(const cli *c, const char *flag);
/* A flag's value, NULL when it was not given. A valued flag given twice is a usage error. */
const char *cli_value(const cli *c, const char *flag);

/* Values of flags as numbers. Each leaves *out alone when the flag was not given; returns 0 or an exit code. */
int cli_value_u64(cli *c, const char *flag, uint64_t *out);
int cli_value_version(cli *c, const char *flag, uint64_t *out);    /* v12 */
int cli_value_duration_ns(cli *c, const char *flag, int64_t *out); /* a span, months counted from now */

/* Text as numbers: the whole text, decimal digits only (a leading '-' for i64). */
bool cli_parse_u64(const char *text, uint64_t *out);
bool cli_parse_i64(const char *text, int64_t *out);
bool cli_parse_version(const char *text, uint64_t *out);

/* Of `count` words the one nearest to `word`, by case-blind edits; one that `word` begins comes first. */
const char *cli_nearest(const char *word, const char *const *words, size_t count);

/* Edits (insert, delete, replace, swap) between two words: small = near. */
size_t cli_edit_distance(const char *a, const char *b);

#endif
