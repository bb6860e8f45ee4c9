/* From marks to the text that is shown.
 *
 * While marks arrive, a window slides over them: from mark `front` as far as the snippet may reach. The one with the
 * most different words so far is the best. The walk ends when no better one can come, or it has gone far enough. */
#include "search/snippet/snippet.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/base/yr_assert.h"
#include "search/snippet/grapheme.h"
#include "search/snippet/snippet_plan.h"

#define WINDOW_MARKS_MAX 4096u /* gathered for a window: 96 KiB */

typedef struct gathering {
    const yr_snippet_plan *plan;
    yr_arena *arena;
    yr_mark *marks;
    uint32_t count, capacity, max;
    uint64_t reach; /* bytes of the snippet; UINT64_MAX for the whole value */
    /* the window that ends at the newest mark */
    uint32_t front;
    uint32_t words; /* different ones in it */
    uint32_t seen[YR_QUERY_TERMS_MAX];
    /* the best one so far */
    uint32_t best_front;
    uint32_t best_words;
} gathering;

static void count_word(gathering *g, uint16_t word)
{
    if (word != YR_NO_WORD && g->seen[word]++ == 0) g->words++;
}

static void uncount_word(gathering *g, uint16_t word)
{
    if (word != YR_NO_WORD && --g->seen[word] == 0) g->words--;
}

static void slide(gathering *g, const yr_mark *newest)
{
    count_word(g, newest->term);
    count_word(g, newest->prefix);
    while (&g->marks[g->front] != newest && newest->span.to - g->marks[g->front].span.from > g->reach) {
        uncount_word(g, g->marks[g->front].term);
        uncount_word(g, g->marks[g->front].prefix);
        g->front++;
    }
    if (g->words <= g->best_words) return;
    g->best_words = g->words;
    g->best_front = g->front;
}

static yore_status take_mark(void *context, const yr_mark *mark, yore_error *err)
{
    gathering *g = context;

    if (g->count == g->max) return YORE_END;
    if (g->count == g->capacity) {
        uint32_t capacity = g->capacity ? 2 * g->capacity : 32;
        yr_mark *marks = yr_arena_alloc(g->arena, capacity * sizeof *marks);
        if (!marks) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a snippet");
        for (uint32_t i = 0; i < g->count; i++) marks[i] = g->marks[i];
        g->marks = marks;
        g->capacity = capacity;
    }
    g->marks[g->count++] = *mark;
    slide(g, &g->marks[g->count - 1]);
    return YORE_OK;
}

static bool goes_on(void *context, uint64_t from)
{
    const gathering *g = context;

    if (g->reach == UINT64_MAX || g->count == 0) return true;
    uint64_t best = g->marks[g->best_front].span.from;
    if (g->best_words == g->plan->word_count) return from <= best + g->reach;
    return from <= g->marks[0].span.from + g->reach + YR_SNIPPET_MORE_BYTES;
}

/* -- where to cut -- */

static size_t blank_at(yore_slice text, size_t at)
{
    const char *bytes = text.data;
    return at < text.size && (bytes[at] == ' ' || (bytes[at] >= '\t' && bytes[at] <= '\r')) ? 1 : 0;
}

/* The start of the snippet: not before `at`, but not behind `least`, which has to be shown. A quarter of the snippet
 * may go for a whole first word. */
static size_t cut_start(yore_slice value, size_t at, size_t least, size_t bytes)
{
    size_t stop = least - at > bytes / 4 ? at + bytes / 4 : least;

    if (at > 0 && !blank_at(value, at - 1)) {
        size_t word = at;
        while (word < stop && !blank_at(value, word)) word++;
        if (blank_at(value, word)) at = word;
    }
    while (at < least && blank_at(value, at)) at++;
    at = yr_grapheme_ceil(value, at);
    return at <= least ? at : yr_grapheme_floor(value, least);
}

/* The end: not behind `at`, but not before `least`. */
static size_t cut_end(yore_slice value, size_t at, size_t least, size_t bytes)
{
    size_t stop = at - least > bytes / 4 ? at - bytes / 4 : least;

    if (at < value.size && !blank_at(value, at)) {
        size_t word = at;
        while (word > stop && !blank_at(value, word - 1)) word--;
        if (word > stop) at = word;
    }
    while (at > least && blank_at(value, at - 1)) at--;
    at = yr_grapheme_floor(value, at);
    return at >= least ? at : yr_grapheme_ceil(value, least);
}

/* The span of the value to show: the best window's marks with the text around them. */
static yore_text_span place(const gathering *g, yore_slice value)
{
    size_t bytes = (size_t)g->reach, from = 0, to = 0;

    if (g->count > 0) {
        from = (size_t)g->marks[g->best_front].span.from;
        to = (size_t)g->marks[g->best_front].span.to;
        for (uint32_t i = g->best_front + 1; i < g->count && g->marks[i].span.to - from <= bytes; i++)
            to = (size_t)g->marks[i].span.to;
    }
    size_t spare = to - from < bytes ? bytes - (to - from) : 0;
    size_t start = from > spare / 2 ? from - spare / 2 : 0;
    size_t end = value.size - start > bytes ? start + bytes : value.size;
    if (end == value.size) start = value.size > bytes ? value.size - bytes : 0;
    if (start > from) start = from; /* one word longer than the snippet */
    if (end < to) end = to;
    return (yore_text_span){cut_start(value, start, from, bytes), cut_end(value, end, to, bytes)};
}

/* What is stored as text is UTF-8. Should it not be, keep the part around `inside` that is. */
static yore_text_span valid_part(yore_slice value, yore_text_span shown, uint64_t inside)
{
    const char *bytes = value.data;
    uint32_t code;

    for (size_t at = (size_t)shown.from, size; at < shown.to; at += size) {
        size = yr_utf8_next(bytes + at, (size_t)shown.to - at, &code);
        if (size > 0) continue;
        size = 1;
        if (at >= inside) {
            shown.to = at;
        } else {
            shown.from = at + 1;
        }
    }
    return shown;
}

/* The marks inside `shown` to spans. One character may be two words (U+334B is two Katakana): they share a span. */
static yore_status give(const gathering *g, yore_slice value, yore_text_span shown, yr_snippet *out,
                        yore_error *err)
{
    uint32_t first = 0, end;

    while (first < g->count && g->marks[first].span.from < shown.from) first++;
    for (end = first; end < g->count && g->marks[end].span.to <= shown.to;) end++;
    yore_text_span *in_value = yr_arena_alloc(g->arena, (end - first) * sizeof *in_value);
    yore_text_span *in_text = yr_arena_alloc(g->arena, (end - first) * sizeof *in_text);
    if (!in_value || !in_text) return yr_fail(err, YORE_ERR_NOMEM, "out of memory for a snippet");
    size_t count = 0;
    for (uint32_t i = first; i < end; i++) {
        yore_text_span span = g->marks[i].span;
        if (count > 0 && span.from < in_value[count - 1].to) {
            span.from = in_value[--count].from;
            if (span.to < in_value[count].to) span.to = in_value[count].to;
        }
        in_value[count] = span;
        in_text[count] = (yore_text_span){span.from - shown.from, span.to - shown.from};
        count++;
    }
    *out = (yr_snippet){
        .text = yore_bytes((const char *)value.data + shown.from, (size_t)(shown.to - shown.from)),
        .from = shown.from,
        .spans = in_text,
        .value_spans = in_value,
        .span_count = count,
    };
    return YORE_OK;
}

yore_status yr_snippet_make(const yr_snippet_plan *plan, yr_analyzer *analyzer, yore_slice value,
                            uint32_t bytes, yr_arena *arena, yr_snippet *out, yore_error *err)
{
    bool is_whole = bytes == YORE_SNIPPET_FULL;
    gathering g = {.plan = plan,
                   .arena = arena,
                   .max = is_whole ? YR_SNIPPET_SPANS_MAX : WINDOW_MARKS_MAX,
                   .reach = is_whole ? UINT64_MAX : bytes};
    yr_mark_sink sink = {&g, take_mark, goes_on};

    *out = (yr_snippet){0};
    if (bytes == YORE_SNIPPET_NONE || value.size == 0) return YORE_OK;
    yore_status status = yr_snippet_mark(plan, analyzer, value, arena, &sink, err);
    if (status < 0) return status;

    yore_text_span shown = is_whole ? (yore_text_span){0, value.size} : place(&g, value);
    YR_ASSERT(shown.from <= shown.to);
    uint64_t inside = g.count > 0 ? g.marks[g.best_front].span.from : shown.from;
    return give(&g, value, valid_part(value, shown, inside), out, err);
}
