/* Errors in words, and the exit codes of CLI.md. */
#define _POSIX_C_SOURCE 200809L
#include "cli/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

const cli_code cli_codes[] = {
    {YORE_NOT_FOUND, EXIT_NO,
     "the key has no value at that point (never written, deleted or expired), or nothing matches a search",
     "`yore history KEY` shows what happened to it; `--default V` gives a value instead"},
    {YORE_CONFLICT, EXIT_CONFLICT,
     "a precondition (`--if-version`, `cas`) or a transaction lost: nothing was written",
     "read the value again with `yore get KEY -V` and decide anew"},
    {YORE_EXISTS, EXIT_CONFLICT, "`--if-absent` met a value: nothing was written",
     "leave `--if-absent` out, or see the value with `yore get KEY -V`"},
    {YORE_TIMEOUT, EXIT_BUSY, "a wait ran out of time", "try again, or wait longer with `--wait 30s`"},
    {CLI_USAGE, EXIT_USAGE, "the command line is not understood: an unknown verb or flag, a missing argument",
     "`yore help VERB` shows what a verb takes"},
    {YORE_ERR_MISUSE, EXIT_INTERNAL, "the command called the library in a way it forbids: a bug in yore",
     "please report it with the command line"},
    {YORE_ERR_NOMEM, EXIT_INTERNAL, "there is not enough memory; nothing was changed",
     "free some memory, or write in smaller steps (`--batch N`)"},
    {YORE_ERR_IO, EXIT_INTERNAL,
     "the operating system failed a file operation; after a failed sync the last commit's outcome is unknown",
     "look at the disk, then `yore check --deep`"},
    {YORE_ERR_CORRUPT, EXIT_CORRUPT, "stored bytes fail their checks: the message names file and offset",
     "do not write to the store; copy it, then `yore check --deep` on the copy"},
    {YORE_ERR_FORMAT, EXIT_REFUSED, "the store was made by a newer yore; it was not touched",
     "use that version of yore, or a newer one"},
    {YORE_ERR_FULL, EXIT_INTERNAL, "the disk or quota is full; nothing was changed",
     "make room, then run the same command again"},
    {YORE_ERR_LOCKED, EXIT_BUSY, "another process is writing to the store; the message names it",
     "wait for it with `--wait 30s`; readers are never kept waiting"},
    {YORE_ERR_READONLY, EXIT_REFUSED, "the store or its file system is read-only",
     "check the permissions of the store's directory"},
    {YORE_ERR_POISONED, EXIT_INTERNAL,
     "an earlier write to this store failed half way, so no later one is accepted",
     "look at the disk, then run the command again: opening repairs the log"},
    {YORE_ERR_LIMIT, EXIT_USAGE,
     "a key (1 to 32,768 bytes), value (1 GiB), note (64 KiB), query (4,096 bytes) or another size is past its limit",
     "make it smaller"},
    {YORE_ERR_NO_STORE, EXIT_MISSING, "there is no store at that path", "`yore init PATH` makes one"},
    {YORE_ERR_NOT_STORE, EXIT_MISSING, "what is at that path is not a yore store; it was not touched",
     "name the store's directory with `-d PATH`"},
    {YORE_ERR_NO_BRANCH, EXIT_MISSING, "there is no branch of that name",
     "`yore branch list --all` names them; `yore branch create NAME` makes one"},
    {YORE_ERR_NO_TAG, EXIT_MISSING, "there is no tag of that name", "`yore tag list` names them"},
    {YORE_ERR_SPEC, EXIT_USAGE, "a point in history is misspelt or has two readings; it is never guessed",
     "`yore help spec` shows every form"},
    {YORE_ERR_TIME_RANGE, EXIT_HISTORY, "a version or time that is in the future or out of range",
     "`yore at @now` shows the newest point"},
    {YORE_ERR_TRIMMED, EXIT_HISTORY, "that part of history is no longer kept",
     "`yore at @start` shows the oldest point"},
    {YORE_ERR_NAME, EXIT_USAGE, "a branch, tag or setting name that is not legal or not known",
     "branch and tag names: a letter or _, then letters, digits and . _ / + # -, up to 128 bytes"},
    {YORE_ERR_HAS_CHILDREN, EXIT_REFUSED, "the branch has children, which read their older data through it",
     "delete the children first, or all at once with `--cascade`"},
    {YORE_ERR_EXISTS, EXIT_REFUSED, "a store, branch or tag of that name exists already",
     "choose another name, or delete the old one first"},
    {YORE_ERR_REFUSED, EXIT_REFUSED,
     "yore does not do that as asked: it needs `--yes`, or it is never allowed",
     "the message says what would work"},
    {YORE_ERR_INPUT, EXIT_USAGE, "malformed input: the message names line and column",
     "correct the input and run it again"},
    {YORE_ERR_CANCELLED, EXIT_INTERRUPTED, "the work was stopped from outside, by Ctrl-C",
     "run the command again; an import names the line to go on from"},
    {YORE_ERR_UNSUPPORTED, EXIT_INTERNAL, "this build of yore, or this file system, cannot do it",
     "use a local file system; `yore version` tells what was built"},
    {YORE_ERR_TIME_ORDER, EXIT_USAGE, "a commit time that is not later than the last commit's",
     "`--times shift` moves it forward by the least that keeps times increasing"},
    {YORE_ERR_TYPE, EXIT_USAGE,
     "the value is not of the type the operation needs (`incr` wants a decimal integer)",
     "look at it with `yore get KEY`"},
    {YORE_ERR_QUERY, EXIT_USAGE,
     "`search --strict` of a query that does not parse; the caret shows the place",
     "`yore help query` has the language; without `--strict` what does not parse is text"},
    {YORE_ERR_NOT_DELETED, EXIT_REFUSED, "`branch recover` of a branch that is not deleted",
     "`yore branch list --all` shows which are"},
};
const size_t cli_code_count = CMD_COUNT(cli_codes);

const char *cli_code_name(yore_status status)
{
    return status == CLI_USAGE ? "USAGE" : yore_status_name(status);
}

int cli_exit_of(yore_status status)
{
    for (size_t i = 0; i < cli_code_count; i++) {
        if (cli_codes[i].status == status) return cli_codes[i].exit;
    }
    return status == YORE_OK || status == YORE_END ? EXIT_DONE : EXIT_INTERNAL;
}

static void line(const char *before, const char *text)
{
    char *shown = cli_printable(text);

    fprintf(stderr, "%s%s\n", before, shown);
    free(shown);
}

static int report(const cli *c, yore_status code, const char *message, const char *why, const char *hint)
{
    int exit_code = cli_exit_of(code);
    const char *name = cli_code_name(code);

    if (c->json) {
        cli_json j = {.to = stderr};
        cli_json_begin(&j);
        cli_json_object(&j, "error");
        cli_json_text(&j, "code", name);
        cli_json_i64(&j, "exit", exit_code);
        char *shown = cli_printable(message);
        cli_json_text(&j, "message", shown);
        free(shown);
        if (why != NULL) cli_json_text(&j, "why", why);
        shown = cli_printable(hint != NULL ? hint : "");
        cli_json_text(&j, "hint", shown);
        free(shown);
        cli_json_object_end(&j);
        cli_json_line(&j);
        return exit_code;
    }
    if (exit_code == EXIT_NO && c->quiet) return exit_code;
    if (c->color_err) fputs("\033[31m", stderr);
    fprintf(stderr, "error[%s]:", name);
    if (c->color_err) fputs("\033[0m", stderr);
    line(" ", message);
    if (why != NULL) line("why: ", why);
    if (hint != NULL && hint[0] != '\0') line("hint: ", hint);
    return exit_code;
}

int cli_fail(const cli *c, const yore_error *err)
{
    return report(c, err->code, err->message[0] ? err->message : cli_code_name(err->code), NULL, err->hint);
}

int cli_answer(const cli *c, yore_status status, const yore_error *err, const char *fallback)
{
    bool told = err->code == status && err->message[0] != '\0';
    return report(c, status, told ? err->message : fallback, NULL, told ? err->hint : NULL);
}

int cli_error(const cli *c, yore_status code, const char *why, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *message = cli_vprintf(format, args);
    va_end(args);
    int exit_code = report(c, code, message, why, hint);
    free(message);
    return exit_code;
}

int cli_usage_error(const cli *c, const char *hint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *message = cli_vprintf(format, args);
    va_end(args);
    int exit_code = report(c, CLI_USAGE, message, NULL, hint);
    free(message);
    return exit_code;
}

int cli_os_error(const cli *c, int os_errno, const char *what, const char *path)
{
    return cli_error(c, YORE_ERR_IO, NULL, NULL, "%s '%s': %s", what, path, strerror(os_errno));
}
