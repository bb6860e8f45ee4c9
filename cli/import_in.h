/* The input of an import: a file or a pipe, read in lines and blocks, with positions for messages.
 *
 * A pipe that must be read twice is first copied to a temporary file ($TMPDIR, else /tmp), which is unlinked at once.
 * Lines are counted by LF over everything read, so an editor shows the same numbers.
 */
#ifndef YORE_CLI_IMPORT_IN_H
#define YORE_CLI_IMPORT_IN_H

#include <stdbool.h>
#include <stdio.h> /* EOF */

#include "cli/memory.h"

struct cli;

/* The longest line: a value of 1 GiB, every byte of it escaped, and its names. */
#define IMPORT_LINE_BYTES_MAX ((size_t)7 << 30)

#define IMPORT_PEEK_BYTES ((size_t)256 << 10)

typedef struct import_in {
    int fd;
    const char *name; /* for messages: the path, or "standard input" */
    bool owned;       /* not stdin: closed by deinit */
    bool seekable;
    bool failed;       /* a read failed, or a line is too long; the error was reported */
    bool again;        /* the last line is given once more */
    uint64_t size;     /* bytes in all, 0 = not known */
    uint64_t off;      /* bytes consumed */
    uint64_t line;     /* number of the last line read, from 1 */
    uint64_t line_off; /* where it starts */
    yore_slice last;   /* the last line */
    char *buffer;
    size_t at; /* next byte of the buffer */
    size_t end;
    cli_bytes joined; /* a line that crosses buffers */
    const struct cli *c;
} import_in;

/* Open a path ("-" = stdin). 0 or the exit code of a reported error. */
int import_in_open(const struct cli *c, const char *path, import_in *in);
void import_in_deinit(import_in *in);

/* Look at what the buffer holds (up to IMPORT_PEEK_BYTES; some of the first line at least) without consuming it. */
size_t import_in_peek(import_in *in, const char **bytes);

/* The next line without its LF; false at the end, or when `failed`. *line is valid until the next read. */
bool import_in_line(import_in *in, yore_slice *line);

/* Take or skip exactly `size` bytes; false when the input ends before. */
bool import_in_take(import_in *in, size_t size, cli_bytes *to);
bool import_in_skip(import_in *in, uint64_t size);
/* The next byte without consuming it, EOF at the end. */
int import_in_next_byte(import_in *in);

/* Make the input readable twice, and go to a position whose line number is known. */
int import_in_make_seekable(import_in *in);
int import_in_seek(import_in *in, uint64_t off, uint64_t lines_before);

/* Read a part of a seekable input without moving the position. False when that fails (reported). */
bool import_in_read_at(import_in *in, uint64_t off, size_t size, char *to);

#endif
