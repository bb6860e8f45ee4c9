/* The index's parts on their own: the dictionary's order, counting a text, and layers against a model that counts
 * everything again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/hash.h"
#include "engine/base/rng.h"
#include "search/index/index.h"

enum { SECRET = 42 };

static yore_error err = YORE_ERROR_INIT;

static void ok(yore_status status)
{
    if (status != YORE_OK) print_error("%s\n", err.message);
    assert_int_equal(status, YORE_OK);
}

static uint64_t first_seed(void)
{
    const char *seed = getenv("YORE_TEST_SEED");
    return seed ? strtoull(seed, NULL, 0) : 1;
}

/* -- the dictionary -- */

static yr_counted counted(const char *word, const char *term)
{
    const uint8_t *text = (const uint8_t *)word;
    bool same = strcmp(word, term) == 0;
    return (yr_counted){.word = text,
                        .term = same ? text : (const uint8_t *)term,
                        .hash = yr_hash64(word, strlen(word), SECRET),
                        .tf = 1,
                        .word_size = (uint16_t)strlen(word),
                        .term_size = (uint16_t)strlen(term)};
}

typedef struct found {
    bool *seen;
    uint32_t count;
} found;

static bool note_word(void *context, uint32_t word)
{
    found *f = context;
    assert_false(f->seen[word]);
    f->seen[word] = true;
    f->count++;
    return true;
}

static void test_a_prefix_finds_each_word_once_while_the_dictionary_grows(void **state)
{
    (void)state;
    enum { WORDS = 20000 };
    yr_space space;
    yr_dictionary d;
    yr_rng rng = {first_seed()};
    static bool seen[WORDS];
    yr_space_init(&space, yore_env_default(), UINT64_MAX);
    yr_dictionary_init(&d, &space, SECRET);
    for (uint32_t i = 0; i < WORDS; i++) {
        char word[16];
        uint32_t id;
        snprintf(word, sizeof word, "%llx", (unsigned long long)yr_rng_below(&rng, 1u << 20));
        yr_counted c = counted(word, word);
        uint32_t before = d.word_count;
        assert_true(yr_dictionary_add(&d, &c, &id));
        assert_true(id == before || (id < before && d.word_count == before));
        assert_true(yr_dictionary_sort(&d));
        if (i % 997 != 0 && i != WORDS - 1) continue;
        static const char *const prefixes[] = {"", "a", "3f", "ffff", "0", "g"};
        for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0]; k++) {
            found f = {.seen = seen};
            memset(seen, 0, sizeof seen);
            yr_dictionary_prefix(&d, yore_str(prefixes[k]), note_word, &f);
            uint32_t wanted = 0;
            for (uint32_t w = 0; w < d.word_count; w++) {
                yore_slice text = yr_word_text(&d, w);
                wanted += text.size >= strlen(prefixes[k]) &&
                          memcmp(text.data, prefixes[k], strlen(prefixes[k])) == 0;
            }
            assert_int_equal(f.count, wanted);
        }
    }
    assert_true(d.sorted_count > 2048 && d.sorted_count < d.word_count + 1);
    for (uint32_t i = 1; i < d.sorted_count; i++)
        assert_true(yr_slice_order(yr_word_text(&d, d.sorted[i - 1]), yr_word_text(&d, d.sorted[i])) < 0);
    yr_dictionary_deinit(&d);
    assert_int_equal(space.bytes, 0);
}

static void test_words_of_one_term_are_listed_with_it(void **state)
{
    (void)state;
    yr_space space;
    yr_dictionary d;
    static const char *const words[] = {"running", "run", "runs", "storm"};
    yr_space_init(&space, yore_env_default(), UINT64_MAX);
    yr_dictionary_init(&d, &space, SECRET);
    for (uint32_t i = 0; i < 4; i++) {
        yr_counted c = counted(words[i], i < 3 ? "run" : "storm");
        uint32_t id;
        assert_true(yr_dictionary_add(&d, &c, &id));
        assert_int_equal(id, i);
    }
    uint32_t run = yr_dictionary_term(&d, yore_str("run")), count = 0;
    for (uint32_t w = d.terms[run].first_word; w != YR_NO_ID; w = d.words[w].next_of_term, count++)
        assert_int_equal(d.words[w].term, run);
    assert_int_equal(count, 3);
    assert_int_equal(yr_dictionary_term(&d, yore_str("running")), YR_NO_ID);
    yr_dictionary_deinit(&d);
}

/* -- counting -- */

static void test_each_text_is_counted_by_itself(void **state)
{
    (void)state;
    yr_space space;
    yr_counter counter;
    yr_analyzer *analyzer;
    yr_arena arena;
    yr_rng rng = {first_seed()};
    yr_space_init(&space, yore_env_default(), UINT64_MAX);
    yr_counter_init(&counter, &space, SECRET);
    yr_arena_init(&arena, yore_env_default());
    yr_space_watch(&space, &arena);
    ok(yr_analyzer_open(yore_env_default(), yore_str("none"), &analyzer, &err));
    static char text[40000];
    for (int round = 0; round < 300; round++) {
        static uint32_t tf[2000];
        uint32_t length = 1 + (uint32_t)yr_rng_below(&rng, round % 50 ? 40 : 5000), distinct = 0;
        uint64_t bound = 1 + yr_rng_below(&rng, 2000);
        size_t used = 0;
        memset(tf, 0, sizeof tf);
        for (uint32_t i = 0; i < length; i++) {
            uint64_t word = yr_rng_below(&rng, bound);
            distinct += tf[word]++ == 0;
            used += (size_t)snprintf(text + used, sizeof text - used, "w%u ", (unsigned)word);
        }
        yr_text_counts counts;
        yr_arena_reset(&arena);
        ok(yr_count_text(&counter, analyzer, yore_bytes(text, used), &arena, &counts, &err));
        assert_int_equal(counts.length, length);
        assert_int_equal(counts.count, distinct);
        for (uint32_t i = 0; i < counts.count; i++) {
            char word[16] = "";
            memcpy(word, counts.words[i].word, counts.words[i].word_size);
            assert_int_equal(counts.words[i].tf, tf[strtoul(word + 1, NULL, 10)]);
            assert_true(yr_counted_is_stem(&counts.words[i]));
        }
    }
    yr_analyzer_close(analyzer);
    yr_arena_deinit(&arena);
    yr_counter_deinit(&counter);
    assert_int_equal(space.bytes, 0);
}

static void test_the_counts_of_a_text_have_a_limit(void **state)
{
    (void)state;
    yr_space space;
    yr_counter counter;
    yr_analyzer *analyzer;
    yr_arena arena;
    yr_text_counts counts;
    static char text[60000];
    size_t used = 0;
    for (unsigned i = 0; used + 10 < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "w%u ", i);
    yr_space_init(&space, yore_env_default(), 100000);
    yr_counter_init(&counter, &space, SECRET);
    yr_arena_init(&arena, yore_env_default());
    yr_space_watch(&space, &arena);
    ok(yr_analyzer_open(yore_env_default(), yore_str("none"), &analyzer, &err));
    yore_status status = yr_count_text(&counter, analyzer, yore_bytes(text, used), &arena, &counts, &err);
    assert_int_equal(status, YORE_ERR_LIMIT);
    assert_in_range(yr_space_bytes(&space), 20000, 100000 + 32768); /* a chunk of the arena may stand out */
    yr_arena_reset(&arena);
    ok(yr_count_text(&counter, analyzer, yore_str("a b a"), &arena, &counts, &err));
    assert_int_equal(counts.count, 2);
    yr_analyzer_close(analyzer);
    yr_arena_deinit(&arena);
    yr_counter_deinit(&counter);
}

/* -- what expires -- */

static void compare_expiring(const yr_expiring_list *list, yr_rng *rng, uint32_t cap, int64_t time_ns)
{
    enum { SPAN = 400 };
    static uint32_t indexes[SPAN];
    int64_t signs = 0, length = 0, of = 0, got_signs, got_length;
    uint32_t count = 0, from = (uint32_t)yr_rng_below(rng, list->count),
             percent = (uint32_t)yr_rng_below(rng, 101);
    for (uint32_t i = 0; i < list->count; i++) {
        const yr_expiring *item = &list->items[i];
        bool counts = item->begin <= cap && item->end > cap && item->expiry_ns <= time_ns;
        bool is_taken = i >= from && count < SPAN && yr_rng_below(rng, 100) < percent;
        if (is_taken) indexes[count++] = i;
        signs += counts ? item->sign : 0;
        length += counts ? item->sign * (int64_t)item->length : 0;
        of += counts && is_taken ? item->sign : 0;
    }
    yr_expiring_sum(list, cap, time_ns, &got_signs, &got_length);
    assert_int_equal(got_signs, signs);
    assert_int_equal(got_length, length);
    assert_int_equal(yr_expiring_sum_of(list, indexes, count, cap, time_ns), of);
}

/* Stretches in which much is replaced and others in which nothing is, so that there are blocks of every kind. */
static void test_what_has_expired_is_counted_by_blocks_as_one_by_one(void **state)
{
    (void)state;
    enum { ITEMS = 2000 };
    yr_space space;
    yr_expiring_list list = {0};
    yr_rng rng = {first_seed()};
    yr_space_init(&space, yore_env_default(), UINT64_MAX);
    for (uint32_t version = 1; version <= ITEMS; version++) {
        bool replaces = version / 200 % 2, inherits = version / 400 % 2;
        const yr_expiring item = {.expiry_ns = version + (int64_t)yr_rng_below(&rng, 30),
                                  .begin = version,
                                  .end = YR_ALIVE,
                                  .length = 1 + (uint32_t)yr_rng_below(&rng, 9),
                                  .sign = inherits && yr_rng_below(&rng, 4) == 0 ? -1 : 1};
        assert_true(yr_expiring_add(&space, &list, &item));
        uint32_t old = (uint32_t)yr_rng_below(&rng, list.count);
        if (replaces && old > 150 && list.items[old].end == YR_ALIVE && old + 1 < list.count)
            yr_expiring_end(&list, old, version);
        if (version % 5 != 0) continue;
        assert_null(yr_expiring_check(&list));
        uint32_t cap = (uint32_t)yr_rng_below(&rng, 2 * version);
        compare_expiring(&list, &rng, cap, cap + (int64_t)yr_rng_below(&rng, 60));
        compare_expiring(&list, &rng, cap, (int64_t)yr_rng_below(&rng, 2 * ITEMS));
    }
    yr_expiring_free(&space, &list);
    assert_int_equal(space.bytes, 0);
}

/* -- layers against a model -- */

enum { KEYS_MAX = 500, TERMS = 300, FORMS = 3, DOC_WORDS = 30, BRANCHES = 4, CHANGES = 1500 };

/* One version of one key of one branch, as the model keeps it: all of them, for ever. */
typedef struct model_version {
    uint32_t branch, key, version;
    int64_t expiry_ns;
    uint32_t length;
    uint32_t tf[TERMS * FORMS];
} model_version;

typedef struct model {
    uint32_t keys; /* few: most versions are replaced; many: most are not */
    model_version *versions;
    size_t count;
    uint32_t fork[BRANCHES]; /* branch b's parent is b - 1, at this version */
} model;

/* What a branch shows of a key at (cap, time): its newest version on the first hop that has one. */
static const model_version *model_get(const model *m, uint32_t branch, uint32_t key, uint32_t cap)
{
    for (;; branch--) {
        for (size_t i = m->count; i-- > 0;) {
            const model_version *v = &m->versions[i];
            if (v->branch == branch && v->key == key && v->version <= cap) return v;
        }
        if (branch == 0) return NULL;
        if (m->fork[branch] < cap) cap = m->fork[branch];
    }
}

static bool is_live(const model_version *v, int64_t time_ns)
{
    return v && v->length && (!v->expiry_ns || v->expiry_ns > time_ns);
}

static void make_text(const model_version *v, yr_arena *arena, yr_text_counts *out)
{
    *out = (yr_text_counts){.length = v->length};
    out->words = yr_arena_alloc(arena, DOC_WORDS * sizeof *out->words);
    for (uint32_t w = 0; w < TERMS * FORMS; w++) {
        if (!v->tf[w]) continue;
        char *word = yr_arena_alloc(arena, 16), *term = yr_arena_alloc(arena, 16);
        snprintf(term, 16, "t%u", w / FORMS);
        snprintf(word, 16, "t%u%s", w / FORMS, w % FORMS == 0 ? "" : w % FORMS == 1 ? "s" : "ing");
        yr_counted c = counted(word, term);
        c.tf = v->tf[w];
        out->words[out->count++] = c;
    }
}

static void random_version(yr_rng *rng, const model *m, model_version *v)
{
    const model_version *old = model_get(m, v->branch, v->key, v->version);
    bool edits = old && yr_rng_below(rng, 2);
    memset(v->tf, 0, sizeof v->tf);
    v->length = 0;
    v->expiry_ns = 0;
    if (yr_rng_below(rng, 2) == 0) {
        bool soon = yr_rng_below(rng, 8) != 0; /* as most do; then blocks of them expire as one */
        v->expiry_ns = 1 + (int64_t)(soon ? v->version + yr_rng_below(rng, 50) : yr_rng_below(rng, CHANGES));
    }
    if (yr_rng_below(rng, 6) == 0) return; /* deleted, or no text */
    if (edits) {
        memcpy(v->tf, old->tf, sizeof v->tf);
        v->length = old->length;
    }
    uint32_t words = edits ? 2 : 1 + (uint32_t)yr_rng_below(rng, DOC_WORDS / 3);
    for (; words && v->length < DOC_WORDS; words--) {
        v->tf[yr_rng_below(rng, yr_rng_below(rng, 2) ? 12 : TERMS * FORMS)]++;
        v->length++;
    }
}

/* Put it into the index too. */
static void apply_version(yr_index *index, const model *m, const model_version *v)
{
    yr_arena arena;
    yr_text_counts text, hidden = {0};
    yr_arena_init(&arena, yore_env_default());
    char key[16];
    snprintf(key, sizeof key, "key%u", v->key);
    make_text(v, &arena, &text);
    yr_doc_change change = {.branch = v->branch + 1,
                            .version = v->version,
                            .key = yore_str(key),
                            .text = &text,
                            .expiry_ns = v->expiry_ns};
    const model_version *below = v->branch ? model_get(m, v->branch - 1, v->key, m->fork[v->branch]) : NULL;
    if (below && below->length) {
        make_text(below, &arena, &hidden);
        change.hidden = &hidden;
        change.hidden_expiry_ns = below->expiry_ns;
    }
    ok(yr_index_apply(index, &change, &err));
    yr_arena_deinit(&arena);
}

static int64_t index_df(const yr_index *index, const model *m, uint32_t branch, uint32_t cap, int64_t time_ns,
                        uint32_t term, uint32_t word)
{
    int64_t df = 0;
    for (;; branch--) {
        const yr_layer *layer = yr_index_layer(index, branch + 1);
        const yr_word_list *list = layer && word != YR_NO_ID ? yr_layer_list(layer, word) : NULL;
        if (list) df += yr_layer_word_df(layer, list, cap, time_ns);
        if (layer && word == YR_NO_ID) df += yr_layer_term_df(layer, &index->dictionary, term, cap, time_ns);
        if (branch == 0) return df;
        if (m->fork[branch] < cap) cap = m->fork[branch];
    }
}

static void index_totals(const yr_index *index, const model *m, uint32_t branch, uint32_t cap,
                         int64_t time_ns, int64_t *documents, int64_t *length)
{
    *documents = *length = 0;
    for (;; branch--) {
        const yr_layer *layer = yr_index_layer(index, branch + 1);
        int64_t here = 0, here_length = 0;
        if (layer) yr_layer_totals(layer, cap, time_ns, &here, &here_length);
        *documents += here;
        *length += here_length;
        if (branch == 0) return;
        if (m->fork[branch] < cap) cap = m->fork[branch];
    }
}

/* Totals, and the df of every term and word, at one (branch, cap, time). */
static void compare(const yr_index *index, const model *m, uint32_t branch, uint32_t cap, int64_t time_ns)
{
    static uint32_t word_df[TERMS * FORMS], term_df[TERMS];
    int64_t documents, length, wanted_documents = 0, wanted_length = 0;
    memset(word_df, 0, sizeof word_df);
    memset(term_df, 0, sizeof term_df);
    for (uint32_t key = 0; key < m->keys; key++) {
        const model_version *v = model_get(m, branch, key, cap);
        if (!is_live(v, time_ns)) continue;
        wanted_documents++;
        wanted_length += v->length;
        for (uint32_t t = 0; t < TERMS; t++) {
            bool any = false;
            for (uint32_t f = 0; f < FORMS; f++) {
                word_df[t * FORMS + f] += v->tf[t * FORMS + f] > 0;
                any = any || v->tf[t * FORMS + f] > 0;
            }
            term_df[t] += any;
        }
    }
    index_totals(index, m, branch, cap, time_ns, &documents, &length);
    assert_int_equal(documents, wanted_documents);
    assert_int_equal(length, wanted_length);
    const yr_dictionary *d = &index->dictionary;
    for (uint32_t id = 0; id < d->term_count; id++) {
        char term[16] = "";
        memcpy(term, d->terms[id].text, d->terms[id].size);
        unsigned long t = strtoul(term + 1, NULL, 10);
        assert_int_equal(index_df(index, m, branch, cap, time_ns, id, YR_NO_ID), term_df[t]);
    }
    for (uint32_t id = 0; id < d->word_count; id++) {
        yore_slice text = yr_word_text(d, id);
        char word[16] = "";
        memcpy(word, text.data, text.size);
        unsigned long t = strtoul(word + 1, NULL, 10);
        uint32_t form = word[text.size - 1] == 's' ? 1 : word[text.size - 1] == 'g' ? 2 : 0;
        assert_int_equal(index_df(index, m, branch, cap, time_ns, d->words[id].term, id),
                         word_df[t * FORMS + form]);
    }
}

static void compare_with_model(uint64_t seed, uint32_t keys)
{
    yr_index index;
    yr_rng rng = {seed};
    model m = {.keys = keys};
    const char *problem;
    m.versions = calloc(CHANGES, sizeof *m.versions);
    assert_non_null(m.versions);
    yr_index_init(&index, yore_env_default(), SECRET, UINT64_MAX);
    for (uint32_t b = 1; b < BRANCHES; b++) m.fork[b] = UINT32_MAX; /* not yet */
    for (uint32_t version = 1; version <= CHANGES; version++) {
        uint32_t branches = 1;
        while (branches < BRANCHES && m.fork[branches] != UINT32_MAX) branches++;
        if (branches < BRANCHES && version % (CHANGES / 6) == 0) {
            m.fork[branches] = (uint32_t)(version / 2 + yr_rng_below(&rng, version / 2)); /* the past, too */
            continue;
        }
        model_version *v = &m.versions[m.count];
        v->branch = (uint32_t)yr_rng_below(&rng, branches);
        v->key = (uint32_t)yr_rng_below(&rng, keys);
        v->version = version;
        random_version(&rng, &m, v);
        apply_version(&index, &m, v);
        m.count++;
        if (version % 25 != 0) continue;
        assert_true(yr_index_check(&index, &problem));
        for (int i = 0; i < 4; i++) {
            uint32_t branch = (uint32_t)yr_rng_below(&rng, branches),
                     cap = (uint32_t)yr_rng_below(&rng, version + 2);
            compare(&index, &m, branch, cap, (int64_t)yr_rng_below(&rng, CHANGES + 10));
        }
    }
    yr_index_deinit(&index);
    assert_int_equal(index.space.bytes, 0);
    free(m.versions);
}

static void test_layers_count_like_a_model_that_counts_everything_again(void **state)
{
    (void)state;
    print_message("seed %llu\n", (unsigned long long)first_seed());
    compare_with_model(first_seed(), 40);
    compare_with_model(first_seed() + 1, KEYS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_prefix_finds_each_word_once_while_the_dictionary_grows),
        cmocka_unit_test(test_words_of_one_term_are_listed_with_it),
        cmocka_unit_test(test_each_text_is_counted_by_itself),
        cmocka_unit_test(test_the_counts_of_a_text_have_a_limit),
        cmocka_unit_test(test_what_has_expired_is_counted_by_blocks_as_one_by_one),
        cmocka_unit_test(test_layers_count_like_a_model_that_counts_everything_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
