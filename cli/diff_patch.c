/* diff_patch.h. Body lines begin with one of " +-~@\", so that they are never taken for a key's line. */
#include "cli/diff_patch.h"

#include <inttypes.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cli/line_diff.h"

#define LINES_BYTES_MAX (16u << 20) /* a longer value is told by size and hash */
#define CONTEXT 3u

const char *cli_diff_op(uint32_t op)
{
    return op == YORE_DIFF_ADD ? "add" : op == YORE_DIFF_DEL ? "del" : "change";
}

static void begin_line(const cli *c, char sign)
{
    if (c->color_out && sign != ' ') {
        fputs(sign == '-' ? "\033[31m" : sign == '+' ? "\033[32m" : "\033[36m", stdout);
    }
    (void)putchar(sign);
}

static void end_line(const cli *c, char sign)
{
    fputs(c->color_out && sign != ' ' ? "\033[0m\n" : "\n", stdout);
}

/* -- JSON objects -- */

static bool is_object(yore_slice text)
{
    const char *at = text.data;
    size_t i = 0;

    while (i < text.size && memchr(" \t\r\n", at[i], 4) != NULL) i++;
    return i < text.size && at[i] == '{';
}

/* NULL when the values are not two JSON objects. */
static yore_json_diff *open_json(const yore_diff_row *row)
{
    yore_json_diff *diff = NULL;

    if (row->op != YORE_DIFF_CHANGE || !is_object(row->old_value) || !is_object(row->new_value)) return NULL;
    return yore_json_diff_open(NULL, row->old_value, row->new_value, &diff, NULL) == YORE_OK ? diff : NULL;
}

static void show_path(const cli *c, const yore_json_change *change)
{
    char sign = change->op == YORE_DIFF_ADD ? '+' : change->op == YORE_DIFF_DEL ? '-' : '~';

    begin_line(c, sign);
    (void)putchar(' ');
    cli_put_escaped(stdout, change->path);
    fputs("  ", stdout);
    if (change->old_text.data != NULL) cli_put_escaped(stdout, change->old_text);
    if (change->op == YORE_DIFF_CHANGE) fputs(" -> ", stdout);
    if (change->new_text.data != NULL) cli_put_escaped(stdout, change->new_text);
    end_line(c, sign);
}

static void show_paths(const cli *c, yore_json_diff *diff)
{
    yore_json_change change = YORE_JSON_CHANGE_INIT;
    uint64_t count = 0;

    for (; yore_json_diff_next(diff, &change, NULL) == YORE_OK; count++) show_path(c, &change);
    if (count == 0) puts("~ the same JSON, written in another way");
}

/* A value as it stands, on one line: blanks between tokens are the only place where a newline may be. */
static void put_raw(cli_json *j, const char *name, yore_slice text)
{
    const char *at = text.data;

    fprintf(j->to, ",\"%s\":", name);
    for (size_t i = 0; i < text.size; i++)
        (void)putc(memchr("\t\r\n", at[i], 3) != NULL ? ' ' : at[i], j->to);
}

void cli_diff_patch_member(cli_json *j, const yore_diff_row *row)
{
    yore_json_change change = YORE_JSON_CHANGE_INIT;
    yore_json_diff *diff = open_json(row);

    if (diff == NULL) return;
    cli_json_array(j, "patch");
    while (yore_json_diff_next(diff, &change, NULL) == YORE_OK) {
        cli_json_object(j, NULL);
        cli_json_text(j, "op", cli_diff_op(change.op));
        cli_json_bytes(j, "path", change.path);
        if (change.old_text.data != NULL) put_raw(j, "old", change.old_text);
        if (change.new_text.data != NULL) put_raw(j, "new", change.new_text);
        cli_json_object_end(j);
    }
    cli_json_array_end(j);
    yore_json_diff_close(diff);
}

/* -- text -- */

typedef struct hunks {
    const cli *c;
    lines a;
    lines b;
    bool ends_differ; /* one of the texts ends with a newline, the other does not */
} hunks;

static void show_line(const hunks *h, char sign, yore_slice line)
{
    const char *at = line.data;
    bool has_newline = line.size > 0 && at[line.size - 1] == '\n';

    begin_line(h->c, sign);
    cli_put_escaped(stdout, yore_bytes(at, line.size - (has_newline ? 1 : 0)));
    end_line(h->c, sign);
    if (h->ends_differ && !has_newline) puts("\\ no newline at the end");
}

/* Past the changes at (i, k), and on while no more than two contexts of equal lines lie before the next. */
static void find_end(const hunks *h, size_t *i, size_t *k)
{
    size_t alike = 0;
    size_t x = *i;
    size_t y = *k;

    while (x < h->a.count || y < h->b.count) {
        bool gone = x < h->a.count && h->a.is_changed[x];
        bool fresh = y < h->b.count && h->b.is_changed[y];
        if (gone || !fresh) x++;
        if (!gone) y++;
        if (!gone && !fresh) {
            if (++alike > 2 * CONTEXT) break;
            continue;
        }
        alike = 0;
        *i = x;
        *k = y;
    }
}

static void show_hunk(const hunks *h, size_t from_a, size_t from_b, size_t to_a, size_t to_b)
{
    size_t i = from_a;
    size_t k = from_b;

    begin_line(h->c, '@');
    printf("@ -%zu,%zu +%zu,%zu @@", from_a + (to_a > from_a ? 1 : 0), to_a - from_a,
           from_b + (to_b > from_b ? 1 : 0), to_b - from_b);
    end_line(h->c, '@');
    while (i < to_a || k < to_b) {
        if (i < to_a && h->a.is_changed[i]) {
            show_line(h, '-', h->a.at[i++]);
        } else if (k < to_b && h->b.is_changed[k]) {
            show_line(h, '+', h->b.at[k++]);
        } else {
            show_line(h, ' ', h->a.at[i++]);
            k++;
        }
    }
}

static void show_hunks(const hunks *h)
{
    size_t i = 0;
    size_t k = 0;

    while (i < h->a.count || k < h->b.count) {
        bool gone = i < h->a.count && h->a.is_changed[i];
        bool fresh = k < h->b.count && h->b.is_changed[k];
        if (!gone && !fresh) {
            i++;
            k++;
            continue;
        }
        size_t lead = i < CONTEXT ? i : CONTEXT;
        if (lead > k) lead = k;
        size_t from_a = i - lead;
        size_t from_b = k - lead;
        find_end(h, &i, &k);
        size_t tail = h->a.count - i < CONTEXT ? h->a.count - i : CONTEXT;
        show_hunk(h, from_a, from_b, i + tail, k + tail);
        i += tail;
        k += tail;
    }
}

static bool ends_with_newline(yore_slice text)
{
    return text.size > 0 && ((const char *)text.data)[text.size - 1] == '\n';
}

static void show_lines(const cli *c, const yore_diff_row *row)
{
    hunks h = {.c = c};

    h.ends_differ = row->op == YORE_DIFF_CHANGE && row->old_value.size > 0 && row->new_value.size > 0 &&
                    ends_with_newline(row->old_value) != ends_with_newline(row->new_value);
    lines_init(&h.a, row->old_value, h.ends_differ);
    lines_init(&h.b, row->new_value, h.ends_differ);
    line_diff(&h.a, &h.b);
    show_hunks(&h);
    lines_deinit(&h.a);
    lines_deinit(&h.b);
}

/* -- anything -- */

static bool is_text(yore_slice value)
{
    return value.size <= LINES_BYTES_MAX && (value.size == 0 || memchr(value.data, 0, value.size) == NULL) &&
           cli_is_utf8(value);
}

static void show_bytes(const cli *c, char sign, const char *what, yore_slice bytes)
{
    char size[32];
    XXH128_hash_t hash = XXH3_128bits(bytes.data, bytes.size);

    cli_size_text(bytes.size, size);
    begin_line(c, sign);
    printf(" %s  %s  xxh3:%016" PRIx64 "%016" PRIx64, what, size, hash.high64, hash.low64);
    end_line(c, sign);
}

static const char *type_name(uint32_t type)
{
    return type == YORE_TYPE_JSON ? "json" : type == YORE_TYPE_TEXT ? "text" : "bytes";
}

static bool same_bytes(yore_slice a, yore_slice b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void show_sides(const cli *c, const yore_diff_row *row, const char *what, yore_slice old,
                       yore_slice new)
{
    if (row->op != YORE_DIFF_ADD) show_bytes(c, '-', what, old);
    if (row->op != YORE_DIFF_DEL) show_bytes(c, '+', what, new);
}

void cli_diff_patch(const cli *c, const yore_diff_row *row)
{
    yore_json_diff *json = open_json(row);

    if (json != NULL) {
        show_paths(c, json);
    } else if (!is_text(row->old_value) || !is_text(row->new_value)) {
        show_sides(c, row, "binary", row->old_value, row->new_value);
    } else if (!same_bytes(row->old_value, row->new_value)) {
        show_lines(c, row);
    }
    yore_json_diff_close(json);
    if (row->op != YORE_DIFF_CHANGE) return;
    if (row->old_type != row->new_type) {
        printf("~ type  %s -> %s\n", type_name(row->old_type), type_name(row->new_type));
    }
    if (!same_bytes(row->old_meta, row->new_meta)) {
        show_sides(c, row, "metadata", row->old_meta, row->new_meta);
    }
}
