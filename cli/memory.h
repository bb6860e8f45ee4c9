/* Memory of the command: allocation that ends the process with exit 3 when there is none, and a growing
 * byte buffer. A command lives for one call, so running out of memory has no better answer than a message. */
#ifndef YORE_CLI_MEMORY_H
#define YORE_CLI_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

#include <yore.h>

void *cli_alloc(size_t size); /* zeroed */
void *cli_realloc(void *old, size_t size);
char *cli_strdup(const char *text);
char *cli_strdup_slice(yore_slice text); /* with a NUL added */
char *cli_vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0))); /* free() it */
char *cli_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));           /* free() it */

/* Growing bytes. Zeroed = empty; data is never NULL after a first append and has a NUL past its end. */
typedef struct cli_bytes {
    char *data;
    size_t size;
    size_t cap;
} cli_bytes;

void cli_bytes_append(cli_bytes *bytes, const void *data, size_t size);
void cli_bytes_reserve(cli_bytes *bytes, size_t more); /* room for `more` bytes past size */
void cli_bytes_clear(cli_bytes *bytes);                /* size 0, memory kept */
void cli_bytes_deinit(cli_bytes *bytes);
yore_slice cli_bytes_slice(const cli_bytes *bytes);

#endif
