#include "cli/git_ref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IS_REF 1u
#define IS_FOLDER 2u

static int hex_digit(char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *at = c != 0 ? strchr(digits, c) : NULL;
    return at == NULL ? -1 : (int)(at - digits);
}

static void decode(const char *name, cli_bytes *to)
{
    cli_bytes_clear(to);
    for (const char *at = name; *at != 0; at++) {
        int high = at[0] == '%' ? hex_digit(at[1]) : -1;
        int low = high >= 0 ? hex_digit(at[2]) : -1;
        char c = low >= 0 ? (char)(unsigned char)(high * 16 + low) : *at;
        at += low >= 0 ? 2 : 0;
        cli_bytes_append(to, &c, 1);
    }
}

/* What `git check-ref-format` refuses of the byte at `i`. */
static bool is_refused(const char *at, size_t size, size_t i)
{
    unsigned char c = (unsigned char)at[i];
    bool begins = i == 0 || at[i - 1] == '/';
    size_t stop = i;
    while (stop < size && at[stop] != '/') stop++;
    if (c <= ' ' || c == 0x7F || strchr("~^:?*[\\", c) != NULL) return true;
    if (c == '/') return begins || i + 1 == size;
    if (c == '{') return i > 0 && at[i - 1] == '@';
    if (c != '.') return false;
    bool locks = stop - i == 5 && memcmp(at + i, ".lock", 5) == 0;
    return begins || i + 1 == size || at[i - 1] == '.' || locks;
}

/* `flat`: slashes too. */
static void make_legal(const cli_bytes *from, bool flat, cli_bytes *to)
{
    cli_bytes_clear(to);
    for (size_t i = 0; i < from->size; i++) {
        char text[4];
        if (is_refused(from->data, from->size, i) || (flat && from->data[i] == '/')) {
            (void)snprintf(text, sizeof text, "%%%02X", (unsigned)(unsigned char)from->data[i]);
            cli_bytes_append(to, text, 3);
        } else {
            cli_bytes_append(to, &from->data[i], 1);
        }
    }
}

static uint64_t facts_of(const git_names *taken, yore_slice ref)
{
    size_t entry = git_names_find(taken, ref);
    return entry == GIT_NAME_NONE ? 0 : taken->values[entry];
}

/* Give the name folder + rest away if it is free, as file and as folder. */
static bool take(git_names *taken, const char *folder, const cli_bytes *rest, cli_bytes *ref)
{
    size_t first = strlen(folder);
    cli_bytes_clear(ref);
    cli_bytes_append(ref, folder, first);
    cli_bytes_append(ref, rest->data, rest->size);
    bool is_free = facts_of(taken, cli_bytes_slice(ref)) == 0;
    for (size_t i = first; i < ref->size && is_free; i++) {
        is_free = ref->data[i] != '/' || (facts_of(taken, yore_bytes(ref->data, i)) & IS_REF) == 0;
    }
    if (!is_free) return false;
    for (size_t i = first; i < ref->size; i++) {
        if (ref->data[i] == '/') (void)git_names_set(taken, yore_bytes(ref->data, i), IS_FOLDER);
    }
    (void)git_names_set(taken, cli_bytes_slice(ref), IS_REF);
    return true;
}

char *git_ref_take(git_names *taken, const char *folder, const char *name)
{
    cli_bytes plain = {0};
    cli_bytes legal = {0};
    cli_bytes ref = {0};
    decode(name, &plain);
    make_legal(&plain, false, &legal);
    bool done = take(taken, folder, &legal, &ref);
    if (!done) {
        make_legal(&plain, true, &legal);
        done = take(taken, folder, &legal, &ref);
    }
    for (unsigned i = 2; !done; i++) {
        char *numbered = cli_printf("%s#%u", name, i);
        cli_bytes_clear(&plain);
        cli_bytes_append(&plain, numbered, strlen(numbered));
        make_legal(&plain, true, &legal);
        done = take(taken, folder, &legal, &ref);
        free(numbered);
    }
    cli_bytes_deinit(&plain);
    cli_bytes_deinit(&legal);
    return ref.data; /* with a NUL behind it */
}
