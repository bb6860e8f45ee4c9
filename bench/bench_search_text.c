/* Texts with the statistics of English: word frequencies after Zipf and Mandelbrot, 20 to 120 words in sentences, words
 * that like each other's company (so that phrases repeat), inflected forms.
 *
 * A word is a base of two or three syllables, or a base with s, ed or ing. A base ends in a vowel that is not e and one
 * of k m b p g d, behind another syllable: no rule of Porter's two stemmers touches that, and both take the endings
 * off. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench_search.h"
#include "bench/data.h"

#define WORDS 50000u
#define BASES (WORDS / 5u * 2u)
#define SHORT_BASES 2000u /* of two syllables */
#define ONSETS 20u
#define MIDDLES 14u
#define ENDS 24u
#define BASE_CODES (ONSETS * 5u * MIDDLES * ENDS)
/* The words that would be before these in English are stop words. */
#define RANK_OFFSET 50.0
#define WORDS_MIN 20u
#define WORDS_MAX 120u

typedef struct vocabulary {
    char words[WORDS][SEARCH_WORD_BYTES];
    double cumulative[WORDS]; /* frequencies of this word and those before it */
} vocabulary;

static const vocabulary *the_vocabulary;

/* Of every five words, three are forms of one base and two of the next. */
static uint32_t base_of(uint32_t word)
{
    return word / 5 * 2 + (word % 5 >= 3);
}

static void make_base(uint32_t base, uint32_t code, char *out, size_t size)
{
    static const char *const onsets[ONSETS] = {"b", "c", "d", "f",  "g",  "h",  "l",  "m",  "n",  "p",
                                               "r", "s", "t", "br", "cl", "st", "tr", "pl", "gr", "v"};
    static const char middles[MIDDLES + 1] = "bdfgklmnprstvz";
    static const char vowels[] = "aeiou";
    static const char end_vowels[] = "aiou";
    static const char end_consonants[] = "kmbpgd";
    uint32_t end = code / (ONSETS * 5 * MIDDLES);
    uint64_t more = data_mix(base);
    char syllable[3] = "";
    if (base >= SHORT_BASES) {
        syllable[0] = middles[more % MIDDLES];
        syllable[1] = vowels[more / MIDDLES % 5];
    }
    snprintf(out, size, "%s%c%s%c%c%c", onsets[code % ONSETS], vowels[code / ONSETS % 5], syllable,
             middles[code / (ONSETS * 5) % MIDDLES], end_vowels[end % 4], end_consonants[end / 4]);
}

static const vocabulary *vocabulary_get(void)
{
    static const char *const endings[5] = {"", "s", "ing", "", "ed"};
    if (the_vocabulary != NULL) {
        return the_vocabulary;
    }
    vocabulary *made = bench_alloc(sizeof(*made));
    uint32_t *codes = data_order(BASE_CODES, 11);
    double total = 0;
    for (uint32_t word = 0; word < WORDS; word++) {
        char base[SEARCH_WORD_BYTES - 4];
        make_base(base_of(word), codes[base_of(word)], base, sizeof(base));
        snprintf(made->words[word], sizeof(made->words[word]), "%s%s", base, endings[word % 5]);
        total += 1 / (RANK_OFFSET + word);
        made->cumulative[word] = total;
    }
    free(codes);
    the_vocabulary = made;
    return made;
}

/* A word by its frequency, from 64 random bits. */
static uint32_t pick_word(const vocabulary *words, uint64_t random)
{
    double at = (double)(random >> 11) * 0x1p-53 * words->cumulative[WORDS - 1];
    uint32_t low = 0;
    uint32_t high = WORDS - 1;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (words->cumulative[mid] > at) {
            high = mid;
        } else {
            low = mid + 1;
        }
    }
    return low;
}

/* The newest version up to `version` that changed this place. */
static uint64_t place_version(uint64_t place_seed, uint64_t version)
{
    while (version > 0 && data_mix(place_seed ^ version) % 10 != 0) {
        version--;
    }
    return version;
}

/* The words of a document, as numbers; returns how many. */
static size_t document_words(uint64_t document, uint64_t version, uint32_t words[WORDS_MAX])
{
    const vocabulary *known = vocabulary_get();
    uint64_t seed = data_mix(document + 0x7365617263680000u);
    size_t n = WORDS_MIN + seed % (WORDS_MAX - WORDS_MIN + 1);
    for (size_t i = 0; i < n; i++) {
        uint64_t place_seed = data_mix(seed + i + 1);
        uint64_t random = data_mix(place_seed + (place_version(place_seed, version) << 32));
        bool follows = i > 0 && random % 5 == 0;
        /* One of the four words that go with the one before. */
        words[i] = pick_word(known, follows ? data_mix(((uint64_t)words[i - 1] << 8) + random / 5 % 4)
                                            : data_mix(random));
    }
    return n;
}

static size_t document_text(uint64_t document, uint64_t version, char *out, size_t size)
{
    uint32_t words[WORDS_MAX];
    size_t n = document_words(document, version, words);
    size_t length = 0;
    size_t sentence = 0; /* words to its end */
    for (size_t i = 0; i < n; i++) {
        bool first = sentence == 0;
        sentence = first ? 7 + data_mix(document * WORDS_MAX + i) % 12 : sentence - 1;
        const char *mark = sentence == 0 || i + 1 == n ? "." : sentence == 5 ? "," : "";
        int more = snprintf(out + length, size - length, "%s%s%s", i > 0 ? " " : "",
                            vocabulary_get()->words[words[i]], mark);
        char *start = &out[length + (i > 0)];
        length += (size_t)more;
        if (length >= size) {
            bench_fatal("a document of over %zu bytes", size);
        }
        if (first) {
            *start = (char)(*start - 'a' + 'A');
        }
    }
    return length;
}

search_document *search_documents_make(uint64_t first, uint64_t step, size_t n, uint64_t version,
                                       char **texts)
{
    search_document *documents = bench_alloc(n * sizeof(*documents));
    size_t *offsets = bench_alloc(n * sizeof(*offsets));
    size_t cap = n * 600 + SEARCH_TEXT_BYTES;
    size_t used = 0;
    *texts = bench_alloc(cap);
    for (size_t i = 0; i < n; i++) {
        uint64_t number = first + i * step;
        if (cap - used < SEARCH_TEXT_BYTES) {
            cap += cap / 4 + SEARCH_TEXT_BYTES;
            *texts = realloc(*texts, cap);
            if (*texts == NULL) {
                bench_fatal("out of memory for %zu bytes", cap);
            }
        }
        snprintf(documents[i].key, sizeof(documents[i].key), "doc/%08llu", (unsigned long long)number);
        documents[i].size = document_text(number, version, *texts + used, SEARCH_TEXT_BYTES);
        offsets[i] = used;
        used += documents[i].size;
    }
    for (size_t i = 0; i < n; i++) {
        documents[i].text = *texts + offsets[i];
    }
    free(offsets);
    return documents;
}

/* How many documents hold each base. */
static uint32_t *count_documents(uint64_t documents)
{
    uint32_t *df = bench_alloc(BASES * sizeof(*df));
    uint64_t *last = bench_alloc(BASES * sizeof(*last));
    for (uint64_t document = 0; document < documents; document++) {
        uint32_t words[WORDS_MAX];
        size_t n = document_words(document, 0, words);
        for (size_t i = 0; i < n; i++) {
            uint32_t base = base_of(words[i]);
            df[base] += last[base] != document + 1;
            last[base] = document + 1;
        }
    }
    free(last);
    return df;
}

/* 0: in under 0.2 % of the documents, 2: in over 2 %. */
static uint32_t band_of(uint32_t df, uint64_t documents)
{
    return (uint64_t)df * 50 >= documents ? 2u : (uint64_t)df * 500 >= documents ? 1u : 0u;
}

static bool has_base(const uint32_t *words, size_t n, uint32_t word)
{
    for (size_t i = 0; i < n; i++) {
        if (base_of(words[i]) == base_of(word)) {
            return true;
        }
    }
    return false;
}

/* `count` words of the document with different bases: a quarter rare, half of the middle band, a quarter frequent, as
 * far as the document has such. */
static void choose_words(const uint32_t *words, size_t n, const uint32_t *df, uint64_t documents,
                         uint64_t random, uint32_t *chosen, size_t count)
{
    static const uint32_t bands[4] = {0, 1, 1, 2};
    size_t done = 0;
    for (size_t tries = 0; done < count; tries++) {
        uint32_t band = bands[(random >> (2 * done)) % 4];
        size_t start = data_mix(random + tries) % n;
        for (size_t i = 0; i < n; i++) {
            uint32_t word = words[(start + i) % n];
            bool fits = tries >= count || band_of(df[base_of(word)], documents) == band;
            if (fits && !has_base(chosen, done, word)) {
                chosen[done] = word;
                done++;
                break;
            }
        }
        if (tries > count + SEARCH_QUERY_WORDS) {
            bench_fatal("a document without %zu different words", count);
        }
    }
}

search_query *search_queries_make(enum search_mode mode, uint64_t documents, size_t n)
{
    search_query *queries = bench_alloc(n * sizeof(*queries));
    uint32_t *df = count_documents(documents);
    for (size_t q = 0; q < n; q++) {
        uint64_t random = data_mix(((uint64_t)mode << 32) + q + 0x7175657279u);
        uint32_t words[WORDS_MAX];
        uint32_t chosen[SEARCH_QUERY_WORDS];
        size_t length = document_words(data_mix(random) % documents, 0, words);
        /* 1 to 4 words; all of them: 2 to 4; a phrase: 2 or 3. */
        size_t count = mode == SEARCH_OR ? 1 + random % 4 : 2 + random % (mode == SEARCH_AND ? 3 : 2);
        if (mode == SEARCH_PHRASE) {
            memcpy(chosen, words + random / 7 % (length - count + 1), count * sizeof(*chosen));
        } else {
            choose_words(words, length, df, documents, random >> 8, chosen, count);
        }
        queries[q].mode = mode;
        queries[q].count = count;
        for (size_t i = 0; i < count; i++) {
            memcpy(queries[q].words[i], vocabulary_get()->words[chosen[i]], SEARCH_WORD_BYTES);
        }
    }
    free(df);
    return queries;
}

void search_text(const search_query *query, const char *before, const char *between, const char *after,
                 char *out, size_t size)
{
    size_t length = (size_t)snprintf(out, size, "%s", before);
    for (size_t i = 0; i < query->count && length < size; i++) {
        length +=
            (size_t)snprintf(out + length, size - length, "%s%s", i > 0 ? between : "", query->words[i]);
    }
    if (length < size) {
        length += (size_t)snprintf(out + length, size - length, "%s", after);
    }
    if (length >= size) {
        bench_fatal("a query of over %zu bytes", size);
    }
}

void search_fatal(const char *engine, const char *what)
{
    bench_fatal("%s: %s", engine, what);
}
