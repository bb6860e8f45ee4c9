/* Filling a caller's yore_error, and the names of the statuses.
 *
 * A message is one line whatever bytes a name in it holds: control bytes become '?', and a message that
 * had to be cut is cut between characters. */
#define _GNU_SOURCE
#include "engine/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *yore_status_name(yore_status status)
{
    switch (status) {
    case YORE_OK: return "OK";
    case YORE_NOT_FOUND: return "NOT_FOUND";
    case YORE_END: return "END";
    case YORE_CONFLICT: return "CONFLICT";
    case YORE_EXISTS: return "EXISTS";
    case YORE_TIMEOUT: return "TIMEOUT";
    case YORE_ERR_MISUSE: return "MISUSE";
    case YORE_ERR_NOMEM: return "NOMEM";
    case YORE_ERR_IO: return "IO";
    case YORE_ERR_CORRUPT: return "CORRUPT";
    case YORE_ERR_FORMAT: return "FORMAT";
    case YORE_ERR_FULL: return "FULL";
    case YORE_ERR_LOCKED: return "LOCKED";
    case YORE_ERR_READONLY: return "READONLY";
    case YORE_ERR_POISONED: return "POISONED";
    case YORE_ERR_LIMIT: return "LIMIT";
    case YORE_ERR_NO_STORE: return "NO_STORE";
    case YORE_ERR_NOT_STORE: return "NOT_STORE";
    case YORE_ERR_NO_BRANCH: return "NO_BRANCH";
    case YORE_ERR_NO_TAG: return "NO_TAG";
    case YORE_ERR_SPEC: return "SPEC";
    case YORE_ERR_TIME_RANGE: return "TIME_RANGE";
    case YORE_ERR_TRIMMED: return "TRIMMED";
    case YORE_ERR_NAME: return "NAME";
    case YORE_ERR_HAS_CHILDREN: return "HAS_CHILDREN";
    case YORE_ERR_EXISTS: return "ERR_EXISTS"; /* "EXISTS" is the answer */
    case YORE_ERR_REFUSED: return "REFUSED";
    case YORE_ERR_INPUT: return "INPUT";
    case YORE_ERR_CANCELLED: return "CANCELLED";
    case YORE_ERR_UNSUPPORTED: return "UNSUPPORTED";
    case YORE_ERR_TIME_ORDER: return "TIME_ORDER";
    case YORE_ERR_TYPE: return "TYPE";
    case YORE_ERR_NOT_DELETED: return "NOT_DELETED";
    case YORE_ERR_QUERY: return "QUERY";
    default: return "UNKNOWN";
    }
}

/* Drop a character that the cut left incomplete. */
static void cut_between_characters(char *text, size_t length)
{
    size_t start = length;
    while (start > 0 && length - start < 4 && ((unsigned char)text[start - 1] & 0xC0) == 0x80) start--;
    if (start == 0) return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (length - (start - 1) < want) text[start - 1] = '\0';
}

static void format_line(char *to, size_t size, const char *format, va_list args)
{
    int wrote = vsnprintf(to, size, format, args);
    if (wrote < 0) to[0] = '\0';
    if (wrote >= 0 && (size_t)wrote >= size) cut_between_characters(to, size - 1);
    for (char *p = to; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F) *p = '?';
    }
}

static void record(yore_error *err, yore_status code, int os_errno, const char *format, va_list args)
{
    err->code = code;
    err->os_errno = os_errno;
    err->offset = 0;
    err->version = 0;
    err->hint[0] = '\0';
    format_line(err->message, sizeof err->message, format, args);
}

yore_status yr_fail(yore_error *err, yore_status code, const char *format, ...)
{
    if (!err) return code;
    va_list args;
    va_start(args, format);
    record(err, code, 0, format, args);
    va_end(args);
    return code;
}

static yore_status code_of_errno(yore_status code, int os_errno)
{
    if (code != YORE_ERR_IO) return code;
    switch (os_errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return YORE_ERR_FULL;
    case EROFS: return YORE_ERR_READONLY;
    case ENOMEM: return YORE_ERR_NOMEM;
    default: return code;
    }
}

yore_status yr_fail_errno(yore_error *err, yore_status code, int os_errno, const char *format, ...)
{
    code = code_of_errno(code, os_errno);
    if (!err) return code;
    va_list args;
    va_start(args, format);
    record(err, code, os_errno, format, args);
    va_end(args);

    /* Not strerror: that one speaks the user's language, and messages are compared and searched for. */
    const char *text = strerrordesc_np(os_errno);
    size_t used = strlen(err->message);
    if (!text) {
        snprintf(err->message + used, sizeof err->message - used, ": error %d", os_errno);
        return code;
    }
    bool is_word = text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z';
    char first = is_word ? (char)(text[0] - 'A' + 'a') : text[0];
    snprintf(err->message + used, sizeof err->message - used, ": %c%s", first, text + (text[0] != '\0'));
    return code;
}

void yr_hint(yore_error *err, const char *format, ...)
{
    if (!err) return;
    va_list args;
    va_start(args, format);
    format_line(err->hint, sizeof err->hint, format, args);
    va_end(args);
}
