#include "cli/line_diff.h"

#include <stdlib.h>
#include <string.h>

void lines_init(lines *l, yore_slice text, bool ends)
{
    const char *at = text.data;
    const char *end = at == NULL ? NULL : at + text.size;
    size_t room = 0;

    *l = (lines){.count = 0};
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline == NULL ? end : newline + (ends ? 1 : 0);
        if (l->count == room) {
            room = room == 0 ? 64 : room * 2;
            l->at = cli_realloc(l->at, room * sizeof *l->at);
        }
        l->at[l->count++] = yore_bytes(at, (size_t)(stop - at));
        at = newline == NULL ? end : newline + 1;
    }
    l->is_changed = cli_alloc(l->count + 1);
}

void lines_deinit(lines *l)
{
    free(l->at);
    free(l->is_changed);
}

static bool same(const lines *a, size_t i, const lines *b, size_t k)
{
    return a->at[i].size == b->at[k].size &&
           (a->at[i].size == 0 || memcmp(a->at[i].data, b->at[k].data, a->at[i].size) == 0);
}

/* Two spans of lines that begin and end with a difference, and how far each number of edits came on each diagonal. */
typedef struct search {
    const lines *a;
    const lines *b;
    size_t from; /* first line of the spans in both */
    size_t n;
    size_t m;
    uint32_t *reach; /* row d has d + 1 cells: diagonals -d, -d + 2 ... d, as lines of `a` gone through */
} search;

static uint32_t *row(const search *s, size_t d)
{
    return s->reach + d * (d + 1) / 2;
}

/* Where d edits end on a diagonal, before what is alike there: one step from a neighbour of d - 1. Down the better
 * neighbour is that above (an insertion), else that below (a deletion). Cell i is diagonal 2 * i - d. */
static bool comes_by_insertion(const search *s, size_t d, size_t i)
{
    const uint32_t *before = row(s, d - 1);
    return i == 0 || (i < d && before[i - 1] < before[i]);
}

static uint32_t step(const search *s, size_t d, size_t i)
{
    if (d == 0) return 0;
    const uint32_t *before = row(s, d - 1);
    return comes_by_insertion(s, d, i) ? before[i] : before[i - 1] + 1;
}

/* The number of edits it takes; SIZE_MAX when they are too many. */
static size_t count_edits(search *s, size_t edits_max)
{
    for (size_t d = 0; d <= edits_max; d++) {
        for (size_t i = 0; i <= d; i++) {
            size_t x = step(s, d, i);
            ptrdiff_t y = (ptrdiff_t)x - (2 * (ptrdiff_t)i - (ptrdiff_t)d);
            while (y >= 0 && x < s->n && (size_t)y < s->m &&
                   same(s->a, s->from + x, s->b, s->from + (size_t)y)) {
                x++;
                y++;
            }
            row(s, d)[i] = (uint32_t)x;
            if (x == s->n && y == (ptrdiff_t)s->m) return d;
        }
    }
    return SIZE_MAX;
}

/* Go back from the end and mark the edits. */
static void mark_edits(const search *s, lines *a, lines *b, size_t d)
{
    size_t i = (size_t)(((ptrdiff_t)s->n - (ptrdiff_t)s->m + (ptrdiff_t)d) / 2);
    for (; d > 0; d--) {
        size_t x = step(s, d, i);
        size_t y = (size_t)((ptrdiff_t)x - (2 * (ptrdiff_t)i - (ptrdiff_t)d));
        if (comes_by_insertion(s, d, i)) {
            b->is_changed[s->from + y - 1] = true;
        } else {
            a->is_changed[s->from + x - 1] = true;
            i--;
        }
    }
}

void line_diff(lines *a, lines *b)
{
    search s = {.a = a, .b = b, .n = a->count, .m = b->count};

    while (s.from < a->count && s.from < b->count && same(a, s.from, b, s.from)) s.from++;
    s.n -= s.from;
    s.m -= s.from;
    while (s.n > 0 && s.m > 0 && same(a, s.from + s.n - 1, b, s.from + s.m - 1)) {
        s.n--;
        s.m--;
    }
    size_t edits = SIZE_MAX;
    if (s.n > 0 && s.m > 0 && s.n < UINT32_MAX - 1) {
        size_t most = s.n + s.m < LINE_DIFF_EDITS_MAX ? s.n + s.m : LINE_DIFF_EDITS_MAX;
        s.reach = cli_alloc((most + 1) * (most + 2) / 2 * sizeof *s.reach);
        edits = count_edits(&s, most);
        if (edits != SIZE_MAX) mark_edits(&s, a, b, edits);
        free(s.reach);
    }
    if (edits == SIZE_MAX) {
        memset(a->is_changed + s.from, true, s.n);
        memset(b->is_changed + s.from, true, s.m);
    }
}
