/* Lists for people and for pipes: aligned columns on a terminal, TAB-separated lines otherwise.
 *
 * On a terminal the first rows are held back to measure the columns; later rows use those widths. */
#include "cli/output.h"

#include <inttypes.h>
#include <stdlib.h>

#define ROWS_HELD 256u
#define WIDTH_MAX 60u /* a longer cell is shown whole, but does not move the columns of all others */

struct cli_table {
    cli *c;
    const char *const *headers;
    size_t columns;
    size_t column; /* of the next cell */
    size_t rows;   /* held */
    size_t *widths;
    cli_bytes *cells; /* columns * ROWS_HELD on a terminal */
    cli_bytes scratch;
    bool flowing; /* the header is out */
};

cli_table *cli_table_create(cli *c, const char *const *headers, size_t columns)
{
    cli_table *t = cli_alloc(sizeof *t);

    t->c = c;
    t->headers = headers;
    t->columns = columns;
    t->widths = cli_alloc(columns * sizeof *t->widths);
    if (c->tty_out) t->cells = cli_alloc(columns * ROWS_HELD * sizeof *t->cells);
    return t;
}

/* Characters a terminal shows for well-formed UTF-8 of single-width letters. */
static size_t display_width(const char *text, size_t size)
{
    size_t width = 0;

    for (size_t i = 0; i < size; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80) width++;
    }
    return width;
}

static void write_padded(const cli_table *t, size_t column, const char *text, size_t size)
{
    if (size > 0) (void)fwrite(text, 1, size, stdout);
    if (column + 1 == t->columns) {
        (void)putchar('\n');
        return;
    }
    size_t width = display_width(text, size);
    size_t pad = (width < t->widths[column] ? t->widths[column] - width : 0) + 2;
    for (size_t i = 0; i < pad; i++) (void)putchar(' ');
}

static void flush_rows(cli_table *t)
{
    if (!t->flowing && t->rows > 0 && t->headers != NULL) {
        for (size_t k = 0; k < t->columns; k++) {
            t->widths[k] = display_width(t->headers[k], strlen(t->headers[k]));
        }
    }
    for (size_t i = 0; i < t->rows * t->columns; i++) {
        size_t width = display_width(t->cells[i].data, t->cells[i].size);
        if (width > WIDTH_MAX) width = WIDTH_MAX;
        if (width > t->widths[i % t->columns]) t->widths[i % t->columns] = width;
    }
    if (!t->flowing && t->rows > 0 && t->headers != NULL) {
        if (t->c->color_out) fputs("\033[1m", stdout);
        for (size_t k = 0; k < t->columns; k++) {
            if (t->c->color_out && k + 1 == t->columns) {
                printf("%s\033[0m\n",
                       t->headers[k]); /* before the line ends, so that `head -1` leaves nothing on */
            } else {
                write_padded(t, k, t->headers[k], strlen(t->headers[k]));
            }
        }
    }
    t->flowing = t->flowing || t->rows > 0;
    for (size_t i = 0; i < t->rows * t->columns; i++) {
        write_padded(t, i % t->columns, t->cells[i].data, t->cells[i].size);
        cli_bytes_clear(&t->cells[i]);
    }
    t->rows = 0;
}

static void put_cell(cli_table *t, yore_slice text, bool escape)
{
    cli_bytes *cell = t->cells != NULL ? &t->cells[t->rows * t->columns + t->column] : &t->scratch;

    cli_bytes_clear(cell);
    if (escape) {
        cli_escape(cell, text);
    } else {
        cli_bytes_append(cell, text.data, text.size);
    }
    if (t->cells == NULL) {
        if (t->column > 0) (void)putchar('\t');
        if (cell->size > 0) (void)fwrite(cell->data, 1, cell->size, stdout);
    }
    if (++t->column < t->columns) return;
    t->column = 0;
    if (t->cells == NULL) {
        (void)putchar('\n');
    } else if (++t->rows == ROWS_HELD) {
        flush_rows(t);
    }
}

void cli_table_cell(cli_table *t, yore_slice raw)
{
    put_cell(t, raw, true);
}

void cli_table_cell_drawn(cli_table *t, yore_slice text)
{
    put_cell(t, text, false);
}

void cli_table_cell_text(cli_table *t, const char *text)
{
    cli_table_cell(t, yore_str(text));
}

void cli_table_cell_u64(cli_table *t, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    cli_table_cell_text(t, text);
}

void cli_table_cell_version(cli_table *t, uint64_t version)
{
    char text[24];

    if (version == 0) {
        cli_table_cell_text(t, "-");
        return;
    }
    (void)snprintf(text, sizeof text, "v%" PRIu64, version);
    cli_table_cell_text(t, text);
}

void cli_table_cell_time(cli_table *t, int64_t ns)
{
    char text[YORE_TIME_TEXT_SIZE];

    cli_time_text(t->c, ns, text);
    cli_table_cell_text(t, text);
}

void cli_table_destroy(cli_table *t)
{
    if (t == NULL) return;
    if (t->cells != NULL) {
        flush_rows(t);
        for (size_t i = 0; i < t->columns * ROWS_HELD; i++) cli_bytes_deinit(&t->cells[i]);
    }
    free(t->cells);
    free(t->widths);
    cli_bytes_deinit(&t->scratch);
    free(t);
}
