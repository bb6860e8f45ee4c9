/* The query language: any text within the limits parses, a tree keeps the promises of query.h, and strict gives the
 * same one or refuses at a byte of the text. */
#include "tests/fuzz/fuzz_target.h"

#include <string.h>

#include "engine/base/yr_assert.h"
#include "search/query/query.h"

static yr_analyzer *analyzer_of(const char *language)
{
    yr_analyzer *analyzer = NULL;
    yore_status status = yr_analyzer_open(yore_env_default(), yore_str(language), &analyzer, NULL);
    YR_ASSERT(status == YORE_OK);
    return analyzer;
}

/* How many terms; asserts on the way. */
static uint32_t check(const yr_query_node *node, size_t size, uint32_t depth)
{
    uint32_t terms = 0;
    YR_ASSERT(depth <= YR_QUERY_NODE_DEPTH_MAX);
    YR_ASSERT(node->occur <= YR_MUST_NOT && node->from <= node->to && node->to <= size);
    if (node->kind == YR_QUERY_TERM || node->kind == YR_QUERY_PREFIX) {
        YR_ASSERT(node->term.size > 0 && node->term.size <= YR_TERM_BYTES_MAX && node->child_count == 0);
        fuzz_touch(node->term.data, node->term.size);
        return 1;
    }
    YR_ASSERT(node->kind == YR_QUERY_PHRASE || node->kind == YR_QUERY_GROUP);
    YR_ASSERT(depth == 0 || node->child_count > 0);
    YR_ASSERT(node->kind == YR_QUERY_GROUP || (node->child_count > 1 && node->children[0].offset == 0));
    for (uint32_t i = 0; i < node->child_count; i++) {
        if (node->kind == YR_QUERY_PHRASE) {
            YR_ASSERT(node->children[i].kind == YR_QUERY_TERM);
            YR_ASSERT(i == 0 || node->children[i].offset > node->children[i - 1].offset);
        }
        terms += check(&node->children[i], size, depth + 1);
    }
    return terms;
}

static void check_same(const yr_query_node *a, const yr_query_node *b)
{
    YR_ASSERT(a->kind == b->kind && a->occur == b->occur && a->offset == b->offset);
    YR_ASSERT(a->from == b->from && a->to == b->to && a->child_count == b->child_count);
    YR_ASSERT(a->term.size == b->term.size);
    YR_ASSERT(a->term.size == 0 || memcmp(a->term.data, b->term.data, a->term.size) == 0);
    for (uint32_t i = 0; i < a->child_count; i++) check_same(&a->children[i], &b->children[i]);
}

static void run(yore_slice text, yr_query_options options, yr_analyzer *analyzer)
{
    yr_arena arena;
    yr_query_node *lenient = NULL, *strict = NULL;
    yore_error err = YORE_ERROR_INIT;

    yr_arena_init(&arena, yore_env_default());
    yore_status status = yr_query_parse(text, &options, analyzer, &arena, &lenient, &err);
    if (status == YORE_OK) {
        YR_ASSERT(check(lenient, text.size, 0) <= YR_QUERY_TERMS_MAX);
    } else {
        YR_ASSERT(status == YORE_ERR_LIMIT && strstr(err.message, "256 terms"));
    }
    options.strict = true;
    yore_status second = yr_query_parse(text, &options, analyzer, &arena, &strict, &err);
    if (second == YORE_OK) {
        YR_ASSERT(status == YORE_OK);
        check_same(lenient, strict);
    } else if (second == YORE_ERR_QUERY) {
        YR_ASSERT(!options.plain && err.offset < text.size && err.message[0] != 0);
    } else {
        YR_ASSERT(second == YORE_ERR_LIMIT);
    }
    yr_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static yr_analyzer *english, *none;
    if (size > FUZZ_INPUT_MAX) return 0;
    if (!english) {
        english = analyzer_of("english");
        none = analyzer_of("none");
    }
    yore_slice text = yore_bytes(data, size);
    run(text, (yr_query_options){.all = false}, none);
    run(text, (yr_query_options){.all = true}, english);
    run(text, (yr_query_options){.plain = true}, english);
    return 0;
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static const char *const pieces[] = {
        "storm",
        "the",
        "of",
        "a",
        "state-of-the-art",
        "OR",
        "\"",
        "(",
        ")",
        "+",
        "-",
        "*",
        " ",
        " ",
        " ",
        "\xE6\x9D\xB1\xE4\xBA\xAC",
        "\xE3\x80\x80",
        "\xF0\x9F\x98\x80",
        "\xFF",
        "\xCC\x81",
        "x:y",
        "~1",
        "^2",
        "\"storm damage\"",
        "pre*",
        "(a OR b)",
        "\t",
        "12.5",
        "c++",
    };
    size_t size = 0;
    for (uint64_t count = 1 + yr_rng_below(rng, 40); count > 0; count--) {
        const char *piece = pieces[yr_rng_below(rng, sizeof pieces / sizeof *pieces)];
        memcpy(out + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return size;
}
