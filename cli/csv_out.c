#include "cli/csv_out.h"

#include "cli/output.h"

void csv_cell(FILE *to, yore_slice text)
{
    const char *at = text.data;
    bool quoted = false;
    for (size_t i = 0; i < text.size && !quoted; i++) {
        quoted = at[i] == '"' || at[i] == ',' || at[i] == '\n' || at[i] == '\r';
    }
    if (!quoted) {
        (void)fwrite(at, 1, text.size, to);
        return;
    }
    (void)putc('"', to);
    for (size_t i = 0; i < text.size; i++) {
        if (at[i] == '"') {
            (void)putc('"', to);
        }
        (void)putc(at[i], to);
    }
    (void)putc('"', to);
}

void csv_bytes(FILE *to, yore_slice bytes)
{
    if (cli_is_utf8(bytes)) {
        csv_cell(to, bytes);
        (void)putc(',', to);
    } else {
        (void)putc(',', to);
        cli_put_b64(to, bytes);
    }
    (void)putc(',', to);
}
