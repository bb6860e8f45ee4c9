/* Snippets are text of users: whatever is shown of them goes through an escape that fits its reader. */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include "cli/hits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/locate.h"
#include "cli/output.h"

#define CARET_BEFORE 60u /* bytes of a long query shown around the caret */
#define CARET_BEHIND 20u

/* -- the text of a snippet -- */

typedef struct painter {
    FILE *to;
    hits_mark mark;
    bool folds_blanks; /* on a terminal: a line end is as good as a space */
    bool after_blank;
} painter;

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* How many bytes a control character at `at` takes; 0 when it is none. C1 controls are two bytes of UTF-8. */
static size_t control_at(yore_slice text, size_t at)
{
    const unsigned char *bytes = text.data;

    if (bytes[at] < 0x20 || bytes[at] == 0x7F) return 1;
    return bytes[at] == 0xC2 && at + 1 < text.size && bytes[at + 1] < 0xA0 ? 2 : 0;
}

static void paint_html(FILE *to, yore_slice text)
{
    const char *bytes = text.data;

    for (size_t i = 0; i < text.size; i++) {
        size_t control = control_at(text, i);
        switch (bytes[i]) {
        case '&': fputs("&amp;", to); break;
        case '<': fputs("&lt;", to); break;
        case '>': fputs("&gt;", to); break;
        case '"': fputs("&quot;", to); break;
        case '\'': fputs("&#39;", to); break;
        case '\t':
        case '\n':
        case '\r': fprintf(to, "&#%d;", bytes[i]); break;
        default:
            if (control == 0) {
                (void)putc(bytes[i], to);
            } else { /* HTML has no way to write the others */
                fputs("&#xFFFD;", to);
                i += control - 1;
            }
        }
    }
}

static void paint_folded(painter *p, yore_slice text)
{
    const char *bytes = text.data;

    for (size_t i = 0, end; i < text.size; i = end) {
        end = i + 1;
        if (is_blank(bytes[i])) {
            if (!p->after_blank) (void)putc(' ', p->to);
            p->after_blank = true;
            continue;
        }
        while (end < text.size && !is_blank(bytes[end])) end++;
        cli_put_escaped(p->to, yore_bytes(bytes + i, end - i));
        p->after_blank = false;
    }
}

static void paint(painter *p, yore_slice text)
{
    if (text.size == 0) return;
    if (p->mark == HITS_HTML) {
        paint_html(p->to, text);
    } else if (p->folds_blanks) {
        paint_folded(p, text);
    } else {
        cli_put_escaped(p->to, text);
    }
}

static void paint_snippet(painter *p, const yore_hit *hit)
{
    static const char *const before[] = {
        [HITS_PLAIN] = "", [HITS_ANSI] = "\033[1;31m", [HITS_HTML] = "<mark>"};
    static const char *const behind[] = {[HITS_PLAIN] = "", [HITS_ANSI] = "\033[0m", [HITS_HTML] = "</mark>"};
    const char *text = hit->snippet.data;
    size_t at = 0;

    for (size_t i = 0; i < hit->snippet_span_count; i++) {
        size_t from = (size_t)hit->snippet_spans[i].from;
        size_t to = (size_t)hit->snippet_spans[i].to;
        paint(p, yore_bytes(text + at, from - at));
        fputs(before[p->mark], p->to);
        paint(p, yore_bytes(text + from, to - from));
        fputs(behind[p->mark], p->to);
        at = to;
    }
    if (at < hit->snippet.size) paint(p, yore_bytes(text + at, hit->snippet.size - at));
}

/* -- JSON -- */

static void json_spans(cli_json *j, const char *name, const yore_text_span *spans, size_t count)
{
    cli_json_array(j, name);
    for (size_t i = 0; i < count; i++) {
        cli_json_array(j, NULL);
        cli_json_u64(j, NULL, spans[i].from);
        cli_json_u64(j, NULL, spans[i].to);
        cli_json_array_end(j);
    }
    cli_json_array_end(j);
}

static void json_terms(cli_json *j, const yore_hit *hit)
{
    cli_json_u64(j, "length", hit->length);
    cli_json_array(j, "terms");
    for (size_t i = 0; i < hit->term_count; i++) {
        const yore_term_score *term = &hit->terms[i];
        cli_json_object(j, NULL);
        cli_json_bytes(j, "term", term->term);
        cli_json_u64(j, "tf", term->tf);
        cli_json_u64(j, "df", term->df);
        cli_json_double(j, "idf", term->idf);
        cli_json_double(j, "norm", term->norm);
        cli_json_double(j, "score", term->score);
        cli_json_object_end(j);
    }
    cli_json_array_end(j);
}

/* The snippet with its marks, as it would be shown. */
static void json_marked(cli_json *j, const hits_style *style, const yore_hit *hit)
{
    char *data = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&data, &size);
    painter p = {.to = to, .mark = style->mark};

    if (to != NULL) {
        paint_snippet(&p, hit);
        (void)fclose(to);
        cli_json_bytes(j, "marked", yore_bytes(data, size));
    }
    free(data);
}

static void write_json(cli *c, const hits_style *style, const yore_hit *hit)
{
    cli_json j = {.to = stdout};
    yore_row row = {.key = hit->key.user, .primitive = hit->key.primitive};

    cli_json_begin(&j);
    cli_json_u64(&j, "rank", hit->rank);
    cli_json_double(&j, "score", hit->score);
    if (c->address) cli_json_bytes(&j, "address", cli_key_cell(c, style->where->branch, &row));
    cli_json_bytes(&j, "key", hit->key.user);
    cli_json_u64(&j, "version", hit->version);
    cli_json_time(&j, "time", hit->time_ns);
    cli_json_text(&j, "branch", style->where->branch);
    if (!style->keys_only) {
        cli_json_bytes(&j, "snippet", hit->snippet);
        json_spans(&j, "snippet_spans", hit->snippet_spans, hit->snippet_span_count);
        json_spans(&j, "value_spans", hit->value_spans, hit->value_span_count);
        if (style->is_mark_asked && style->mark != HITS_PLAIN) json_marked(&j, style, hit);
    }
    if (style->explain) json_terms(&j, hit);
    cli_json_line(&j);
}

/* -- lines -- */

static void write_key(cli *c, const hits_style *style, const yore_hit *hit)
{
    yore_row row = {.key = hit->key.user, .primitive = hit->key.primitive};

    cli_put_escaped(stdout, cli_key_cell(c, style->where->branch, &row));
}

static void write_term(const yore_term_score *term, const char *format)
{
    cli_bytes text = {0};

    cli_bytes_reserve(&text, 0);
    cli_escape(&text, term->term);
    printf(format, text.data, term->tf, term->df, term->idf, term->norm, term->score);
    cli_bytes_deinit(&text);
}

/* For people: a line with rank, score and key, and the snippet under the key. */
static void write_block(cli *c, const hits_style *style, const yore_hit *hit)
{
    const char *bold = c->color_out ? "\033[1m" : "";
    const char *dim = c->color_out ? "\033[2m" : "";
    const char *off = c->color_out ? "\033[0m" : "";

    printf("%s%3" PRIu64 "  %7.4f%s  %s", dim, hit->rank, hit->score, off, bold);
    write_key(c, style, hit);
    printf("%s  %sv%" PRIu64 "%s\n", off, dim, hit->version, off);
    if (style->has_snippets && hit->snippet.size > 0) {
        uint64_t from = hit->snippet_span_count > 0 ? hit->value_spans[0].from - hit->snippet_spans[0].from
                                                    : 0;
        painter p = {.to = stdout, .mark = style->mark, .folds_blanks = true, .after_blank = true};
        fputs("              ", stdout);
        if (from > 0) fputs("\xE2\x80\xA6", stdout);
        paint_snippet(&p, hit);
        if (from + hit->snippet.size < hit->value.size) fputs("\xE2\x80\xA6", stdout);
        (void)putchar('\n');
    }
    for (size_t i = 0; style->explain && i < hit->term_count; i++) {
        write_term(&hit->terms[i],
                   "              %s: tf %" PRIu64 ", df %" PRIu64 ", idf %.4f, norm %.4f, score %.4f\n");
    }
}

/* For pipes: fields between TABs. A line of --explain begins with one. */
static void write_fields(cli *c, const hits_style *style, const yore_hit *hit)
{
    printf("%" PRIu64 "\t%.6f\t", hit->rank, hit->score);
    write_key(c, style, hit);
    if (style->has_snippets) {
        painter p = {.to = stdout, .mark = style->mark};
        (void)putchar('\t');
        paint_snippet(&p, hit);
    }
    (void)putchar('\n');
    for (size_t i = 0; style->explain && i < hit->term_count; i++)
        write_term(&hit->terms[i], "\t%s\t%" PRIu64 "\t%" PRIu64 "\t%.6f\t%.6f\t%.6f\n");
}

void hits_write(cli *c, const hits_style *style, const yore_hit *hit)
{
    if (c->json) {
        write_json(c, style, hit);
    } else if (style->keys_only) {
        write_key(c, style, hit);
        (void)putchar('\n');
    } else if (c->tty_out) {
        write_block(c, style, hit);
    } else {
        write_fields(c, style, hit);
    }
}

int hits_explain(cli *c, const hits_style *style, const hits_totals *totals)
{
    const yore_search_info *info = totals->info;
    int64_t elapsed_ns = cli_explain_elapsed_ns(totals->explain);
    cli_json j = {.to = stdout};
    int code = cli_explain_point(c, &j, style->where);

    if (!c->json) {
        fprintf(stderr, "  documents %" PRIu64 " of %" PRIu64 " match, average length %.4f\n", info->matches,
                info->documents, info->average_length);
        fprintf(stderr, "  ranking   k1 %g, b %g\n  analyzer  %s\n", info->k1, info->b,
                totals->stats->analyzer);
        fprintf(stderr, "  index     %" PRIu64 " B at v%" PRIu64 "\n", totals->stats->index_bytes,
                totals->stats->indexed_version);
        cli_explain_read(c, &j, totals->explain);
        fprintf(stderr, "  time      %" PRId64 " us\n", elapsed_ns / 1000);
        return code;
    }
    cli_json_u64(&j, "docs", info->documents);
    cli_json_double(&j, "avgdl", info->average_length);
    cli_json_u64(&j, "matches", info->matches);
    cli_json_u64(&j, "hits", totals->shown);
    cli_json_double(&j, "k1", info->k1);
    cli_json_double(&j, "b", info->b);
    cli_json_text(&j, "analyzer", totals->stats->analyzer);
    cli_json_u64(&j, "indexed_version", totals->stats->indexed_version);
    cli_json_u64(&j, "index_bytes", totals->stats->index_bytes);
    cli_explain_read(c, &j, totals->explain);
    cli_json_i64(&j, "elapsed_ns", elapsed_ns);
    cli_json_object_end(&j);
    cli_json_line(&j);
    return code;
}

/* -- a query that does not parse -- */

/* Columns a terminal gives a character: none to combining marks, two to East Asian ones and to most emoji. */
static size_t columns_of(uint32_t code)
{
    if (code >= 0x300 && code <= 0x36F) return 0;
    if (code < 0x1100) return 1;
    bool is_wide = code <= 0x115F || (code >= 0x2E80 && code <= 0xA4CF) ||
                   (code >= 0xAC00 && code <= 0xD7A3) || (code >= 0xF900 && code <= 0xFAFF) ||
                   (code >= 0xFE30 && code <= 0xFE6F) || (code >= 0xFF00 && code <= 0xFF60) ||
                   (code >= 0x1F300 && code <= 0x1FAFF) || code >= 0x20000;
    return is_wide ? 2 : 1;
}

/* Of escaped text, which is UTF-8. */
static size_t width_of(yore_slice text)
{
    const unsigned char *bytes = text.data;
    size_t width = 0;

    for (size_t i = 0; i < text.size;) {
        uint32_t code = bytes[i] < 0x80 ? bytes[i] : bytes[i] < 0xE0 ? bytes[i] & 0x1Fu : bytes[i] & 0x0Fu;
        for (i++; i < text.size && (bytes[i] & 0xC0) == 0x80; i++) code = code << 6 | (bytes[i] & 0x3Fu);
        width += columns_of(code);
    }
    return width;
}

void hits_caret(yore_slice query, size_t offset)
{
    const char *bytes = query.data;
    size_t from = offset > CARET_BEFORE ? offset - CARET_BEFORE : 0;
    size_t to = query.size - offset > CARET_BEHIND ? offset + CARET_BEHIND : query.size;
    cli_bytes before = {0}, behind = {0};

    while (from > 0 && from < offset && (bytes[from] & 0xC0) == 0x80) from++;
    while (to < query.size && (bytes[to] & 0xC0) == 0x80) to++;
    cli_bytes_reserve(&before, 0);
    cli_bytes_reserve(&behind, 0);
    if (from > 0) cli_bytes_append(&before, "...", 3);
    cli_escape(&before, yore_bytes(bytes + from, offset - from));
    cli_escape(&behind, yore_bytes(bytes + offset, to - offset));
    if (to < query.size) cli_bytes_append(&behind, "...", 3);
    fprintf(stderr, "  %.*s%.*s\n", (int)before.size, before.data, (int)behind.size, behind.data);
    fprintf(stderr, "  %*s^\n", (int)width_of(cli_bytes_slice(&before)), "");
    cli_bytes_deinit(&before);
    cli_bytes_deinit(&behind);
}
