/* Allocation, formatted strings and growing bytes of the command. */
#include "cli/memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *checked(void *block)
{
    if (block == NULL) {
        fputs("error[NOMEM]: out of memory\n", stderr);
        exit(3);
    }
    return block;
}

void *cli_alloc(size_t size)
{
    return checked(calloc(1, size > 0 ? size : 1));
}

void *cli_realloc(void *old, size_t size)
{
    return checked(realloc(old, size > 0 ? size : 1));
}

char *cli_strdup_slice(yore_slice text)
{
    char *copy = cli_alloc(text.size + 1);

    if (text.size > 0) memcpy(copy, text.data, text.size);
    return copy;
}

char *cli_strdup(const char *text)
{
    return cli_strdup_slice(yore_str(text));
}

char *cli_vprintf(const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    char *text = cli_alloc((size_t)(size > 0 ? size : 0) + 1);
    (void)vsnprintf(text, (size_t)(size > 0 ? size : 0) + 1, format, again);
    va_end(again);
    return text;
}

char *cli_printf(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *text = cli_vprintf(format, args);
    va_end(args);
    return text;
}

void cli_bytes_reserve(cli_bytes *bytes, size_t more)
{
    if (more >= SIZE_MAX / 2 - bytes->size) checked(NULL);
    size_t need = bytes->size + more + 1;
    if (need <= bytes->cap) return;

    size_t cap = bytes->cap < 64 ? 64 : bytes->cap;
    while (cap < need) cap *= 2;
    bytes->data = cli_realloc(bytes->data, cap);
    bytes->cap = cap;
}

void cli_bytes_append(cli_bytes *bytes, const void *data, size_t size)
{
    cli_bytes_reserve(bytes, size);
    if (size > 0) memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    bytes->data[bytes->size] = '\0';
}

void cli_bytes_clear(cli_bytes *bytes)
{
    bytes->size = 0;
    if (bytes->data != NULL) bytes->data[0] = '\0';
}

void cli_bytes_deinit(cli_bytes *bytes)
{
    free(bytes->data);
    *bytes = (cli_bytes){0};
}

yore_slice cli_bytes_slice(const cli_bytes *bytes)
{
    return yore_bytes(bytes->data, bytes->size);
}
