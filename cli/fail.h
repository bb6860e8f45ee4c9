/* From an error to a message and an exit code.
 *
 *     if (status < 0) return cli_fail(c, &err);
 *
 * Messages are `error[CODE]: what happened`, `why: ...`, `hint: ...` on stderr, or one {"error":{...}} object with
 * --json. Every CODE is in one table here, which `yore help CODE` prints.
 */
#ifndef YORE_CLI_FAIL_H
#define YORE_CLI_FAIL_H

#include "cli/cmd.h"

#define EXIT_DONE 0
#define EXIT_NO 1       /* the answer is no */
#define EXIT_USAGE 2    /* usage, SPEC, malformed input */
#define EXIT_INTERNAL 3 /* I/O, internal */
#define EXIT_CONFLICT 4
#define EXIT_CORRUPT 5
#define EXIT_HISTORY 6 /* trimmed, or out of range */
#define EXIT_BUSY 7
#define EXIT_MISSING 8 /* no such store, branch, tag */
#define EXIT_REFUSED 9
#define EXIT_INTERRUPTED 130 /* Ctrl-C, where what was done is told; elsewhere the signal ends the command */

/* The exit code of a status. */
int cli_exit_of(yore_status status);

/* Report a library failure. Returns its exit code. */
int cli_fail(const cli *c, const yore_error *err);
/* Report a status that may be an answer (YORE_CONFLICT ...), for which the library need not have found words. */
int cli_answer(const cli *c, yore_status status, const yore_error *err, const char *fallback);

/* Report an error of the command's own. `why` and `hint` may be NULL. Returns the code's exit. */
int cli_error(const cli *c, yore_status code, const char *why, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* A mistake on the command line: CODE is USAGE, exit 2. */
int cli_usage_error(const cli *c, const char *hint, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A failed system call on a user's file (never the store's): exit 3. */
int cli_os_error(const cli *c, int os_errno, const char *what, const char *path);

/* Codes, for help. */
typedef struct cli_code {
    yore_status status;
    int exit;
    const char *meaning;
    const char *remedy;
} cli_code;

#define CLI_USAGE ((yore_status)-1000) /* the command's own code, for mistakes on the command line */

/* yore_status_name, and "USAGE". */
const char *cli_code_name(yore_status status);

extern const cli_code cli_codes[];
extern const size_t cli_code_count;

#endif
