#include "cli/git_path.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int octal(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 3) {
        return -1;
    }
    for (int i = 0; i < 3; i++) {
        if (at[i] < '0' || at[i] > '7') {
            return -1;
        }
        value = value * 8 + (at[i] - '0');
    }
    return value > 255 ? -1 : value;
}

/* One escape behind a backslash. Returns the bytes it took, 0 when it is none. */
static size_t escape(const char *at, const char *end, char *out)
{
    static const char letters[] = "abfnrtv\"\\";
    static const char bytes[] = "\a\b\f\n\r\t\v\"\\";
    const char *letter = at < end && *at != 0 ? strchr(letters, *at) : NULL;
    if (letter != NULL) {
        *out = bytes[letter - letters];
        return 1;
    }
    int value = octal(at, end);
    if (value < 0) {
        return 0;
    }
    *out = (char)(unsigned char)value;
    return 3;
}

static const char *read_quoted(const char **at, const char *end, cli_bytes *to)
{
    for ((*at)++; *at < end && **at != '"'; (*at)++) {
        char c = **at;
        if (c == '\\') {
            size_t used = escape(*at + 1, end, &c);
            if (used == 0) {
                return "an escape that C does not have";
            }
            *at += used;
        }
        cli_bytes_append(to, &c, 1);
    }
    if (*at == end) {
        return "a quoted path without its closing quote";
    }
    (*at)++;
    return NULL;
}

const char *git_path_read(const char **at, const char *end, bool last, cli_bytes *to)
{
    if (*at < end && **at == '"') {
        const char *reason = read_quoted(at, end, to);
        if (reason != NULL) {
            return reason;
        }
        if (last) {
            return *at == end ? NULL : "something behind the path";
        }
    } else {
        const char *stop = last ? NULL : memchr(*at, ' ', (size_t)(end - *at));
        stop = stop == NULL ? end : stop;
        cli_bytes_append(to, *at, (size_t)(stop - *at));
        *at = stop;
    }
    if (last) {
        return NULL;
    }
    if (*at == end || **at != ' ') {
        return "expected a second path";
    }
    (*at)++;
    return NULL;
}

void git_path_write(FILE *to, yore_slice path)
{
    static const char bytes[] = "\a\b\f\n\r\t\v\"\\";
    static const char letters[] = "abfnrtv\"\\";
    const unsigned char *at = path.data;
    bool quoted = path.size == 0;
    for (size_t i = 0; i < path.size && !quoted; i++) {
        quoted = at[i] < ' ' || at[i] >= 0x7F || at[i] == '"' || at[i] == '\\' || (i == 0 && at[i] == ' ');
    }
    if (!quoted) {
        (void)fwrite(at, 1, path.size, to);
        return;
    }
    (void)putc('"', to);
    for (size_t i = 0; i < path.size; i++) {
        const char *letter = at[i] != 0 ? strchr(bytes, at[i]) : NULL;
        if (letter != NULL) {
            (void)putc('\\', to);
            (void)putc(letters[letter - bytes], to);
        } else if (at[i] < ' ' || at[i] >= 0x7F) {
            (void)fprintf(to, "\\%03o", (unsigned)at[i]);
        } else {
            (void)putc(at[i], to);
        }
    }
    (void)putc('"', to);
}

static bool is_dot_git(const char *at)
{
    return at[0] == '.' && (at[1] | 32) == 'g' && (at[2] | 32) == 'i' && (at[3] | 32) == 't';
}

const char *git_path_problem(yore_slice path)
{
    const char *at = path.data;
    if (path.size == 0) return "it is empty";
    if (memchr(at, 0, path.size) != NULL) return "it has a NUL byte";
    for (size_t first = 0, i = 0; i <= path.size; i++) {
        if (i < path.size && at[i] != '/') continue;
        size_t size = i - first;
        if (size == 0) return "it has an empty part: a slash first or last, or two together";
        if (at[first] == '.' && (size == 1 || (size == 2 && at[first + 1] == '.')))
            return "it has a part '.' or '..'";
        if (size == 4 && is_dot_git(at + first)) return "it has a part '.git'";
        first = i + 1;
    }
    return NULL;
}

static void add_encoded(cli_bytes *to, unsigned char byte)
{
    char text[4];
    (void)snprintf(text, sizeof text, "%%%02X", (unsigned)byte);
    cli_bytes_append(to, text, 3);
}

static bool has_prefix(yore_slice ref, const char *prefix)
{
    size_t size = strlen(prefix);
    return ref.size > size && memcmp(ref.data, prefix, size) == 0;
}

static yore_slice without_prefix(yore_slice ref)
{
    static const char *const prefixes[] = {"refs/heads/", "refs/tags/", "refs/"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (has_prefix(ref, prefixes[i])) {
            size_t size = strlen(prefixes[i]);
            return yore_bytes((const char *)ref.data + size, ref.size - size);
        }
    }
    return ref;
}

static bool is_plain(unsigned char c, bool first, bool keep_high)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c >= 0x80 && keep_high);
    return letter || (!first && c != 0 && strchr("0123456789._/+#-", c) != NULL);
}

/* Encode what is illegal; `keep_high`: bytes of non-ASCII characters stay. */
static void encode(yore_slice name, bool keep_high, cli_bytes *to)
{
    const unsigned char *at = name.data;
    bool is_version = name.size > 1 && at[0] == 'v';
    cli_bytes_clear(to);
    for (size_t i = 1; i < name.size; i++) {
        is_version = is_version && at[i] >= '0' && at[i] <= '9';
    }
    for (size_t i = 0; i < name.size; i++) {
        bool doubled = i > 0 && ((at[i] == '.' && at[i - 1] == '.') || (at[i] == '/' && at[i - 1] == '/'));
        bool ends = i + 1 == name.size && at[i] == '/';
        if (!is_plain(at[i], i == 0, keep_high) || doubled || ends || (is_version && i == 0)) {
            add_encoded(to, at[i]);
        } else {
            cli_bytes_append(to, &at[i], 1);
        }
    }
}

/* Past the limit: as much as fits, and a hash of all of it. Never cuts a percent code or a character. */
static void shorten(cli_bytes *to)
{
    char tail[24];
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < to->size; i++) {
        hash = (hash ^ (unsigned char)to->data[i]) * UINT64_C(0x100000001B3);
    }
    int tail_size = snprintf(tail, sizeof tail, "#%016" PRIX64, hash);
    size_t size = YORE_BRANCH_NAME_MAX - (size_t)tail_size;
    while (size > 0 && ((to->data[size] & 0xC0) == 0x80 || to->data[size - 1] == '%' ||
                        (size > 1 && to->data[size - 2] == '%'))) {
        size--;
    }
    to->size = size;
    cli_bytes_append(to, tail, (size_t)tail_size);
}

void git_ref_name(yore_slice ref, cli_bytes *to)
{
    yore_slice name = without_prefix(ref);
    encode(name, true, to);
    if (yore_name_check(cli_bytes_slice(to), NULL) != YORE_OK) {
        encode(name, false, to);
    }
    if (to->size > YORE_BRANCH_NAME_MAX) {
        shorten(to);
    }
    cli_bytes_append(to, "", 1);
    to->size--;
}
