/* Scoring on an index made by hand: the parts a large query is cut into give the answer of one piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/rng.h"
#include "search/score/score.h"

enum { SECRET = 42, DOCS = 3000, WORDS = 40 };

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", err.message);
    assert_int_equal(status, YORE_OK);
}

typedef struct fixture {
    yr_index index;
    yr_analyzer *analyzer;
    yr_arena arena; /* of the query */
    yr_search_hop hops[2];
} fixture;

static void put(fixture *f, yr_counter *counter, uint32_t branch, uint64_t version, const char *key,
                const char *value, const char *hidden)
{
    yr_arena arena;
    yr_text_counts text, below;
    yr_arena_init(&arena, yore_env_default());
    ok(yr_count_text(counter, f->analyzer, yore_str(value), &arena, &text, &err));
    ok(yr_count_text(counter, f->analyzer, yore_str(hidden), &arena, &below, &err));
    const yr_doc_change change = {
        .branch = branch, .version = version, .key = yore_str(key), .text = &text, .hidden = &below};
    ok(yr_index_apply(&f->index, &change, &err));
    yr_arena_deinit(&arena);
}

/* A parent with DOCS documents, half of them written twice, and a child that replaced some. */
static void make(fixture *f)
{
    yr_counter counter;
    yr_rng rng = {7};
    static char texts[DOCS][128];
    char key[16];
    uint64_t version = 1;
    *f = (fixture){0};
    ok(yr_analyzer_open(yore_env_default(), yore_str("none"), &f->analyzer, &err));
    yr_index_init(&f->index, yore_env_default(), SECRET, UINT64_MAX);
    yr_counter_init(&counter, &f->index.space, SECRET);
    yr_arena_init(&f->arena, yore_env_default());
    for (uint32_t i = 0; i < DOCS * 3 / 2; i++) {
        char *text = texts[i % DOCS];
        text[0] = 0;
        for (uint64_t n = 1 + yr_rng_below(&rng, 12); n; n--)
            snprintf(text + strlen(text), 8, "w%u ",
                     (unsigned)yr_rng_below(&rng, 1 + yr_rng_below(&rng, WORDS)));
        snprintf(key, sizeof key, "k%u", i % DOCS);
        put(f, &counter, 1, version++, key, text, "");
    }
    f->hops[1].cap = (uint32_t)version - 1;
    for (uint32_t i = 0; i < DOCS; i += 7) {
        snprintf(key, sizeof key, "k%u", i);
        put(f, &counter, 2, version++, key, i % 2 ? "w1 w2 w3" : "1234", texts[i]);
    }
    f->hops[0] = (yr_search_hop){.layer = yr_index_layer(&f->index, 2), .cap = (uint32_t)version};
    f->hops[1].layer = yr_index_layer(&f->index, 1);
    yr_counter_deinit(&counter);
}

static void unmake(fixture *f)
{
    yr_arena_deinit(&f->arena);
    yr_index_deinit(&f->index);
    yr_analyzer_close(f->analyzer);
}

static void answer(fixture *f, const char *query, size_t gather_max, uint64_t k, yr_arena *out,
                   yr_score_answer *answer)
{
    yr_arena scratch;
    yr_query_node *root;
    const yr_query_options options = {0};
    yr_arena_init(&scratch, yore_env_default());
    ok(yr_query_parse(yore_str(query), &options, f->analyzer, &scratch, &root, &err));
    const yr_score_request request = {.view = {.index = &f->index, .hops = f->hops, .hop_count = 2},
                                      .root = root,
                                      .k1 = 1.2,
                                      .b = 0.75,
                                      .k = k,
                                      .explain = true,
                                      .gather_max = gather_max};
    ok(yr_score(&request, &scratch, out, answer, &err));
    yr_arena_deinit(&scratch);
}

static void test_a_query_in_parts_answers_like_one_piece(void **state)
{
    (void)state;
    static const char *const queries[] = {"w1",         "w0 w1 w2 w39",   "w* -w3",
                                          "+w1 +w2 w3", "(w1 w5) OR w30", "nothing"};
    static const size_t parts[] = {1, 3, 100, 1000, 5000};
    fixture f;
    make(&f);
    for (size_t q = 0; q < sizeof queries / sizeof queries[0]; q++) {
        for (size_t p = 0; p < 2 * sizeof parts / sizeof parts[0]; p++) {
            yr_arena out;
            yr_score_answer whole, cut;
            uint64_t k = p % 2 ? 10 : DOCS;
            yr_arena_init(&out, yore_env_default());
            answer(&f, queries[q], 0, k, &out, &whole);
            answer(&f, queries[q], parts[p / 2], k, &out, &cut);
            assert_int_equal(cut.matches, whole.matches);
            assert_int_equal(cut.hit_count, whole.hit_count);
            assert_true(q + 1 == sizeof queries / sizeof queries[0] || whole.matches > 20);
            for (size_t i = 0; i < whole.hit_count; i++) {
                const yr_score_hit *a = &whole.hits[i], *b = &cut.hits[i];
                assert_int_equal(yr_slice_order(a->key, b->key), 0);
                assert_true(a->score == b->score && a->length == b->length && a->term_count == b->term_count);
                double sum = 0;
                for (size_t t = 0; t < a->term_count; t++) {
                    assert_int_equal(a->terms[t].tf, b->terms[t].tf);
                    sum += b->terms[t].score;
                }
                assert_true(sum > b->score - 1e-9 && sum < b->score + 1e-9);
            }
            yr_arena_deinit(&out);
        }
    }
    unmake(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_query_in_parts_answers_like_one_piece)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
