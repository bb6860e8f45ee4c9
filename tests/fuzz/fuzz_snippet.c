/* Snippets of any bytes: the first byte is the size, up to the first line end is the query, the rest is the value.
 * What is shown is valid UTF-8 inside the value, cut at boundaries; its spans are ascending and disjoint. */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "engine/base/text.h"
#include "engine/base/yr_assert.h"
#include "search/snippet/grapheme.h"
#include "search/snippet/snippet.h"

static void check(const yr_snippet *snippet, yore_slice value)
{
    uint32_t code;
    uint64_t last = 0;

    YR_ASSERT(snippet->from <= value.size && snippet->text.size <= value.size - snippet->from);
    for (size_t at = 0, bytes; at < snippet->text.size; at += bytes) {
        bytes = yr_utf8_next((const char *)snippet->text.data + at, snippet->text.size - at, &code);
        YR_ASSERT(bytes > 0);
    }
    for (size_t i = 0; i < snippet->span_count; i++) {
        const yore_text_span *span = &snippet->spans[i], *in_value = &snippet->value_spans[i];
        YR_ASSERT(span->from >= last && span->from < span->to && span->to <= snippet->text.size);
        YR_ASSERT(in_value->from == span->from + snippet->from && in_value->to == span->to + snippet->from);
        last = span->to;
    }
    YR_ASSERT(yr_grapheme_is_break(value, (size_t)snippet->from));
    YR_ASSERT(yr_grapheme_is_break(value, (size_t)snippet->from + snippet->text.size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static yr_analyzer *analyzer;
    yr_arena arena;
    yr_query_node *root = NULL;
    yr_snippet_plan *plan = NULL;
    yr_snippet snippet;

    if (size < 2 || size > FUZZ_INPUT_MAX) return 0;
    const uint8_t *end = memchr(data + 1, '\n', size - 1);
    if (!end) return 0;
    if (!analyzer) {
        yore_status opened = yr_analyzer_open(yore_env_default(), yore_str("english"), &analyzer, NULL);
        YR_ASSERT(opened == YORE_OK);
    }
    yore_slice query = yore_bytes(data + 1, (size_t)(end - data) - 1);
    yore_slice value = yore_bytes(end + 1, size - (size_t)(end + 1 - data));
    yr_query_options options = {.all = false};

    yr_arena_init(&arena, yore_env_default());
    yore_status status = yr_query_parse(query, &options, analyzer, &arena, &root, NULL);
    if (status == YORE_OK) status = yr_snippet_plan_create(root, &arena, &plan, NULL);
    if (status == YORE_OK) {
        status = yr_snippet_make(plan, analyzer, value, data[0], &arena, &snippet, NULL);
        YR_ASSERT(status == YORE_OK);
        check(&snippet, value);
        status = yr_snippet_make(plan, analyzer, value, YORE_SNIPPET_FULL, &arena, &snippet, NULL);
        YR_ASSERT(status == YORE_OK);
        check(&snippet, value);
    }
    yr_arena_deinit(&arena);
    return 0;
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static const char *const queries[] = {"storm\n", "\"storm damage\" da*\n", "+storm -damage (e OR f)\n",
                                          "\n", "\xE6\x9D\xB1 storm\n"};
    static const char *const pieces[] = {"storm",
                                         "damage",
                                         " ",
                                         "\n",
                                         ". ",
                                         "\xE6\x9D\xB1",
                                         "\xCC\x81",
                                         "\xF0\x9F\x91\xA8\xE2\x80\x8D",
                                         "\xF0\x9F\x87\xA9",
                                         "\xE1\x84\x80",
                                         "e "};
    const char *query = queries[yr_rng_below(rng, sizeof queries / sizeof *queries)];
    size_t size = 1;

    out[0] = (uint8_t)yr_rng_next(rng);
    memcpy(out + size, query, strlen(query));
    size += strlen(query);
    for (uint64_t count = yr_rng_below(rng, 100); count > 0; count--) {
        const char *piece = pieces[yr_rng_below(rng, sizeof pieces / sizeof *pieces)];
        memcpy(out + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return size;
}
