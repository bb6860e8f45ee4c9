/* Times, sizes, words on stderr, and the end of stdout. */
#define _POSIX_C_SOURCE 200809L
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "cli/fail.h"

int32_t cli_zone_at(const cli *c, int64_t ns)
{
    if (c->zone_given) return c->zone_s;

    time_t seconds = (time_t)(ns / YORE_NS_PER_S - (ns % YORE_NS_PER_S < 0 ? 1 : 0));
    struct tm local;
    struct tm utc;
    if (localtime_r(&seconds, &local) == NULL || gmtime_r(&seconds, &utc) == NULL) return 0;

    /* tm_gmtoff is not in C17: the difference of the two calendars, at most a day apart. */
    int days = local.tm_yday - utc.tm_yday;
    if (local.tm_year != utc.tm_year) days = local.tm_year > utc.tm_year ? 1 : -1;
    int offset_s = ((days * 24 + local.tm_hour - utc.tm_hour) * 60 + local.tm_min - utc.tm_min) * 60 +
                   local.tm_sec - utc.tm_sec;
    return (int32_t)offset_s;
}

void cli_time_text(const cli *c, int64_t ns, char out[YORE_TIME_TEXT_SIZE])
{
    int32_t zone_s = c->tty_out || c->zone_given ? cli_zone_at(c, ns) : 0;

    (void)yore_time_format(ns, zone_s, 9, out, YORE_TIME_TEXT_SIZE);
}

void cli_note(const cli *c, const char *format, ...)
{
    va_list args;

    if (c->quiet) return;
    va_start(args, format);
    char *text = cli_vprintf(format, args);
    va_end(args);
    char *shown = cli_printable(text);
    fprintf(stderr, "%s\n", shown);
    free(shown);
    free(text);
}

void cli_size_text(uint64_t bytes, char out[32])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

    if (bytes < 1024) {
        (void)snprintf(out, 32, "%" PRIu64 " B", bytes);
        return;
    }
    size_t unit = 0;
    uint64_t whole = bytes;
    while (whole >= 1024 * 1024 && unit + 1 < CMD_COUNT(units)) {
        whole /= 1024;
        unit++;
    }
    (void)snprintf(out, 32, "%" PRIu64 ".%" PRIu64 " %s", whole / 1024, whole % 1024 * 10 / 1024,
                   units[unit]);
}

int cli_out_finish(cli *c)
{
    bool failed = ferror(stdout) != 0; /* earlier; its errno is gone */

    errno = 0;
    if (fflush(stdout) == 0 && !failed) return EXIT_DONE;
    int os_errno = errno;
    clearerr(stdout);
    if (os_errno == EPIPE) return EXIT_INTERNAL; /* a reader that left wants no words about it */
    if (os_errno != 0) return cli_os_error(c, os_errno, "cannot write", "standard output");
    return cli_error(c, YORE_ERR_IO, NULL, NULL, "cannot write 'standard output'");
}
