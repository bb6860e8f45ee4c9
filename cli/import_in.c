/* import_in.h on file descriptors: stdio would wait for a full buffer where a pipe gives a little at a time.
 * Reading out of order (read_at) does not move the position of reading in order. */
#define _POSIX_C_SOURCE 200809L
#include "cli/import_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/fail.h"

#define BUFFER_BYTES IMPORT_PEEK_BYTES

int import_in_open(const struct cli *c, const char *path, import_in *in)
{
    memset(in, 0, sizeof *in);
    in->c = c;
    if (strcmp(path, "-") == 0) {
        in->fd = STDIN_FILENO;
        in->name = "standard input";
    } else {
        in->name = path;
        in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (in->fd < 0) {
            return cli_os_error(c, errno, "cannot open", path);
        }
        in->owned = true;
    }
    struct stat facts;
    if (fstat(in->fd, &facts) == 0) {
        if (S_ISDIR(facts.st_mode)) {
            return cli_os_error(c, EISDIR, "cannot read", in->name);
        }
        if (S_ISREG(facts.st_mode)) {
            in->size = facts.st_size > 0 ? (uint64_t)facts.st_size : 0;
            /* A redirected stdin may stand anywhere in its file; only a file opened here is read twice in place. */
            in->seekable = in->owned;
        }
    }
    in->buffer = cli_alloc(BUFFER_BYTES);
    return EXIT_DONE;
}

void import_in_deinit(import_in *in)
{
    if (in->owned) {
        (void)close(in->fd);
    }
    free(in->buffer);
    cli_bytes_deinit(&in->joined);
    memset(in, 0, sizeof *in);
}

/* Read more behind what the buffer holds. False at the end or on a failure. The only signals that interrupt a read
 * are those that stop the import: import_input_ended tells. */
static bool fill(import_in *in)
{
    if (in->failed) {
        return false;
    }
    if (in->at == in->end) {
        in->at = 0;
        in->end = 0;
    }
    ssize_t got = read(in->fd, in->buffer + in->end, BUFFER_BYTES - in->end);
    if (got < 0) {
        in->failed = true;
        if (errno != EINTR) {
            (void)cli_os_error(in->c, errno, "cannot read", in->name);
        }
        return false;
    }
    in->end += (size_t)got;
    return got > 0;
}

size_t import_in_peek(import_in *in, const char **bytes)
{
    /* A pipe gives a little at a time: go on until there is a line to look at. */
    while (memchr(in->buffer + in->at, '\n', in->end - in->at) == NULL && in->end - in->at < BUFFER_BYTES &&
           fill(in)) {}
    *bytes = in->buffer + in->at;
    return in->end - in->at;
}

int import_in_next_byte(import_in *in)
{
    if (in->at == in->end && !fill(in)) {
        return EOF;
    }
    return (unsigned char)in->buffer[in->at];
}

static void consume(import_in *in, size_t size)
{
    in->at += size;
    in->off += size;
}

/* A line whose end is not in the buffer: collect it piece by piece. */
static bool join_line(import_in *in, yore_slice *line)
{
    cli_bytes_clear(&in->joined);
    for (;;) {
        size_t rest = in->end - in->at;
        const char *start = in->buffer + in->at;
        const char *lf = rest == 0 ? NULL : memchr(start, '\n', rest);
        size_t size = lf == NULL ? rest : (size_t)(lf - start);
        if (in->joined.size + size > IMPORT_LINE_BYTES_MAX) {
            in->failed = true;
            (void)cli_error(in->c, YORE_ERR_LIMIT, NULL, NULL, "%s: line %llu is longer than 7 GiB", in->name,
                            (unsigned long long)in->line);
            return false;
        }
        cli_bytes_append(&in->joined, start, size);
        consume(in, size + (lf != NULL));
        if (lf != NULL || !fill(in)) {
            *line = cli_bytes_slice(&in->joined);
            return !in->failed && (lf != NULL || in->joined.size > 0);
        }
    }
}

bool import_in_line(import_in *in, yore_slice *line)
{
    if (in->again) {
        in->again = false;
        *line = in->last;
        return true;
    }
    if (in->at == in->end && !fill(in)) {
        return false;
    }
    in->line++;
    in->line_off = in->off;
    size_t rest = in->end - in->at;
    const char *start = in->buffer + in->at;
    const char *lf = memchr(start, '\n', rest);
    bool got = true;
    if (lf != NULL) {
        *line = yore_bytes(start, (size_t)(lf - start));
        consume(in, line->size + 1);
    } else {
        got = join_line(in, line);
    }
    in->last = *line;
    return got;
}

static void count_lines(import_in *in, const char *bytes, size_t size)
{
    const char *end = bytes + size;
    for (const char *at = bytes; at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        in->line++;
    }
}

bool import_in_take(import_in *in, size_t size, cli_bytes *to)
{
    while (size > 0) {
        if (in->at == in->end && !fill(in)) {
            return false;
        }
        size_t part = in->end - in->at < size ? in->end - in->at : size;
        if (to != NULL) {
            cli_bytes_append(to, in->buffer + in->at, part);
        }
        count_lines(in, in->buffer + in->at, part);
        consume(in, part);
        size -= part;
    }
    return true;
}

bool import_in_skip(import_in *in, uint64_t size)
{
    while (size > 0) {
        size_t part = size < BUFFER_BYTES ? (size_t)size : BUFFER_BYTES;
        if (!import_in_take(in, part, NULL)) {
            return false;
        }
        size -= part;
    }
    return true;
}

/* A new file that has no name, so nothing is left behind whatever happens. -1 with errno set when there is none. */
static int temporary(void)
{
    const char *dir = getenv("TMPDIR");
    char *path = cli_printf("%s/yore-import-XXXXXX", dir == NULL || *dir == 0 ? "/tmp" : dir);
    int fd = mkstemp(path);
    if (fd >= 0) {
        (void)unlink(path);
    }
    free(path);
    return fd;
}

static bool write_all(int fd, const char *from, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, from, size);
        if (wrote < 0 && errno != EINTR) {
            return false;
        }
        from += wrote > 0 ? wrote : 0;
        size -= wrote > 0 ? (size_t)wrote : 0;
    }
    return true;
}

int import_in_make_seekable(import_in *in)
{
    if (in->seekable) {
        return EXIT_DONE;
    }
    int copy = temporary();
    if (copy < 0) {
        return cli_os_error(in->c, errno, "cannot create a temporary copy of", in->name);
    }
    uint64_t size = 0;
    while (in->at < in->end || fill(in)) {
        size += in->end - in->at;
        if (!write_all(copy, in->buffer + in->at, in->end - in->at)) {
            int error = errno;
            (void)close(copy);
            return cli_os_error(in->c, error, "cannot write a temporary copy of", in->name);
        }
        in->at = in->end;
    }
    if (in->failed) {
        (void)close(copy);
        return EXIT_INTERNAL;
    }
    if (in->owned) {
        (void)close(in->fd); /* stdin itself stays open, as it must */
    }
    in->fd = copy;
    in->owned = true;
    in->seekable = true;
    in->size = size;
    return import_in_seek(in, 0, 0);
}

int import_in_seek(import_in *in, uint64_t off, uint64_t lines_before)
{
    if (off > INT64_MAX || lseek(in->fd, (off_t)off, SEEK_SET) < 0) {
        return cli_os_error(in->c, errno, "cannot read again", in->name);
    }
    in->at = 0;
    in->end = 0;
    in->off = off;
    in->line = lines_before;
    in->again = false;
    return EXIT_DONE;
}

bool import_in_read_at(import_in *in, uint64_t off, size_t size, char *to)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(in->fd, to + done, size - done, (off_t)(off + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            in->failed = true;
            (void)cli_os_error(in->c, got < 0 ? errno : EIO, "cannot read again", in->name);
            return false;
        }
        done += (size_t)got;
    }
    return true;
}
