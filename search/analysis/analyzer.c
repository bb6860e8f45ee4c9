/* The pipeline: segments (words.h), folded (fold.h), cut where a piece is too long, stopped or stemmed (stem.h). */
#include "search/analysis/analyzer.h"

#include <stdio.h>
#include <string.h>

#include <unistring/version.h>
#include <utf8proc.h>

#include "engine/base/bytes.h"
#include "engine/base/error.h"
#include "engine/base/mem.h"
#include "engine/base/text.h"
#include "engine/base/yr_assert.h"
#include "search/analysis/fold.h"
#include "search/analysis/language.h"
#include "search/analysis/stem.h"
#include "search/analysis/words.h"

/* Our own part of the recipe. Raise it with every change that makes other terms of the same text. */
#define RULES 2
#define DESCRIBE_SIZE 128u
#define CANCEL_EVERY 4096u /* words */

struct yr_analyzer {
    const yore_env *env;
    const yr_language *language;
    yr_language unlisted; /* where `language` points when only the library knows it */
    yr_stemmer stemmer;
    yr_folder folder;
    uint8_t piece[YR_TERM_BYTES_MAX];
    char describe[DESCRIBE_SIZE];
    const _Atomic uint32_t *cancel;
};

/* One call of yr_analyze. */
typedef struct run {
    yr_analyzer *analyzer;
    yr_token_fn emit;
    void *context;
    yore_error *err;
    uint32_t position;
} run;

/* -- opening -- */

static yore_status describe(yr_analyzer *analyzer, yore_error *err)
{
    char snowball[40] = "";
    if (analyzer->stemmer.snowball) {
        const yr_language *language = analyzer->language;
        const char *probes = language->stop_words ? language->stop_words : yr_stop_words_english;
        uint32_t fingerprint = 0;
        yore_status status =
            yr_stemmer_fingerprint(&analyzer->stemmer, probes, &analyzer->folder, &fingerprint, err);
        if (status < 0) return status;
        if (language->fingerprint && fingerprint == language->fingerprint)
            snprintf(snowball, sizeof snowball, ", snowball 2.2.0");
        else
            snprintf(snowball, sizeof snowball, ", snowball %08x", fingerprint);
    }
    const char *unicode = utf8proc_unicode_version(); /* "15.0.0" */
    const char *patch = strrchr(unicode, '.');
    int unicode_size = patch && patch != strchr(unicode, '.') ? (int)(patch - unicode) : (int)strlen(unicode);
    snprintf(analyzer->describe, sizeof analyzer->describe, "%s%s, unicode %.*s, unistring %d.%d, rules %d",
             analyzer->language->name, snowball, unicode_size, unicode, _libunistring_version >> 16,
             _libunistring_version >> 8 & 0xFF, RULES);
    return YORE_OK;
}

static yore_status unknown_language(yore_slice name, yore_error *err)
{
    char quoted[YR_QUOTE_SIZE], nearest[YR_LANGUAGE_NEAREST_SIZE];
    yr_language_nearest(name, nearest);
    yr_fail(err, YORE_ERR_NAME, "no stemmer for the language '%s'", yr_text_quote(name, quoted));
    if (nearest[0])
        yr_hint(err, "did you mean %s?", nearest);
    else
        yr_hint(err, "give a language as in 'english' or 'en', or 'none'");
    return YORE_ERR_NAME;
}

yore_status yr_analyzer_open(const yore_env *env, yore_slice language, yr_analyzer **out, yore_error *err)
{
    yr_language unlisted;
    const yr_language *found = yr_language_find(language, &unlisted);
    if (!found) return unknown_language(language, err);
    yr_analyzer *analyzer = yr_alloc_zero(env, sizeof *analyzer);
    if (!analyzer) return yr_fail(err, YORE_ERR_NOMEM, "cannot open an analyzer: out of memory");
    analyzer->env = env;
    analyzer->language = found;
    if (found == &unlisted) {
        analyzer->unlisted = unlisted;
        analyzer->language = &analyzer->unlisted;
    }
    analyzer->folder.is_turkic = found->is_turkic;
    yore_status status = yr_stemmer_init(&analyzer->stemmer, env, analyzer->language, &analyzer->folder, err);
    if (status == YORE_OK) status = describe(analyzer, err);
    if (status < 0) {
        yr_analyzer_close(analyzer);
        return status;
    }
    *out = analyzer;
    return YORE_OK;
}

void yr_analyzer_close(yr_analyzer *analyzer)
{
    if (!analyzer) return;
    yr_stemmer_deinit(&analyzer->stemmer);
    yr_free(analyzer->env, analyzer, sizeof *analyzer);
}

void yr_analyzer_cancel_with(yr_analyzer *analyzer, const _Atomic uint32_t *cancel)
{
    analyzer->cancel = cancel;
}

const char *yr_analyzer_describe(const yr_analyzer *analyzer)
{
    return analyzer->describe;
}

bool yr_analyzer_is_stop(const yr_analyzer *analyzer, yore_slice word)
{
    return yr_stop_set_has(&analyzer->stemmer.stop, word);
}

/* -- words to terms -- */

/* What remains of a folded word once its language's apostrophes are seen to; never empty. */
static yore_slice without_apostrophe(const yr_language *language, yore_slice word)
{
    uint8_t rule = language->apostrophe;
    if (rule == YR_APOSTROPHE_LETTER) return word;
    const char *text = word.data, *first = memchr(text, '\'', word.size);
    if (!first) return word;
    size_t head = (size_t)(first - text), tail = word.size - head - 1;
    if (rule == YR_APOSTROPHE_POSSESSIVE) {
        bool is_possessive = word.size > 2 && text[word.size - 2] == '\'' && text[word.size - 1] == 's';
        return is_possessive ? yore_bytes(text, word.size - 2) : word;
    }
    if (rule == YR_APOSTROPHE_SUFFIX) return head ? yore_bytes(text, head) : word;
    bool is_elided = tail && yr_language_lists(language->elided, yore_bytes(text, head));
    return is_elided ? yore_bytes(first + 1, tail) : word;
}

static bool is_cancelled(const run *r)
{
    /* relaxed: nothing is read on the strength of it */
    return r->position % CANCEL_EVERY == 0 && r->analyzer->cancel &&
           atomic_load_explicit(r->analyzer->cancel, memory_order_relaxed);
}

/* `folded`: 1..YR_TERM_BYTES_MAX bytes. */
static yore_status emit_term(run *r, yore_slice folded, uint64_t from, uint64_t to)
{
    yr_analyzer *analyzer = r->analyzer;
    folded = without_apostrophe(analyzer->language, folded);
    yr_token token = {.folded = folded, .from = from, .to = to, .position = r->position++};
    if (is_cancelled(r)) return yr_fail(r->err, YORE_ERR_CANCELLED, "the store is being closed");
    yore_status status = yr_stemmer_stem(&analyzer->stemmer, folded, &token.term, r->err);
    if (status < 0 || !token.term.size) return status;
    return r->emit(r->context, &token, r->err);
}

/* How many of `limit` bytes of valid UTF-8 make whole characters. */
static size_t whole_characters(const uint8_t *text, size_t size, size_t limit)
{
    if (size <= limit) return size;
    while (limit && (text[limit] & 0xC0) == 0x80) limit--;
    return limit;
}

/* A folded text that may be too long, or hold spaces (some single characters stand for several words). */
static yore_status emit_folded(run *r, yore_slice folded, uint64_t from, uint64_t to)
{
    const uint8_t *text = folded.data;
    size_t left = folded.size;
    yore_status status = YORE_OK;
    while (left && status == YORE_OK) {
        const uint8_t *space = memchr(text, ' ', left);
        size_t part = whole_characters(text, space ? (size_t)(space - text) : left, YR_TERM_BYTES_MAX);
        if (part) status = emit_term(r, yore_bytes(text, part), from, to);
        part += space && text + part == space;
        text += part;
        left -= part;
    }
    return status;
}

/* Each character by itself, with the marks that did not melt into it. */
static yore_status emit_characters(run *r, yore_slice folded, uint64_t from, uint64_t to)
{
    yr_words characters = yr_words_of(folded);
    yr_word one;
    yore_status status = YORE_OK;
    while (status == YORE_OK && yr_words_next_cluster(&characters, &one)) {
        if (one.is_word)
            status = emit_folded(r, yore_bytes(characters.text + one.from, one.to - one.from), from, to);
    }
    return status;
}

/* A word collected from clusters. */
typedef struct piece {
    size_t size; /* of analyzer->piece */
    bool is_word;
    uint64_t from;
    uint64_t to;
} piece;

static yore_status flush(run *r, piece *p)
{
    size_t size = p->size;
    bool is_word = p->is_word;
    *p = (piece){.from = p->from, .to = p->to};
    return size && is_word ? emit_folded(r, yore_bytes(r->analyzer->piece, size), p->from, p->to) : YORE_OK;
}

static yore_status add_cluster(run *r, piece *p, const yr_word *cluster, yore_slice folded, uint64_t from)
{
    yore_status status = YORE_OK;
    if (p->size + folded.size > YR_TERM_BYTES_MAX) status = flush(r, p);
    if (status != YORE_OK) return status;
    if (folded.size > YR_TERM_BYTES_MAX) /* a character under a heap of marks */
        return cluster->is_word ? emit_folded(r, folded, from, from + (cluster->to - cluster->from))
                                : YORE_OK;
    if (!p->size) p->from = from;
    if (folded.size) memcpy(r->analyzer->piece + p->size, folded.data, folded.size);
    p->size += folded.size;
    p->to = from + (cluster->to - cluster->from);
    p->is_word |= cluster->is_word;
    return YORE_OK;
}

/* The long way, for words of any length: cluster by cluster, gathered into pieces of YR_TERM_BYTES_MAX at most. */
static yore_status emit_clusters(run *r, yore_slice text, uint64_t from)
{
    yr_words clusters = yr_words_of(text);
    yr_word cluster;
    piece p = {0};
    yore_status status = YORE_OK;
    while (status == YORE_OK && yr_words_next_cluster(&clusters, &cluster)) {
        yore_slice folded, source = yore_bytes(clusters.text + cluster.from, cluster.to - cluster.from);
        bool fits = yr_fold(&r->analyzer->folder, source, cluster.is_ascii, &folded);
        YR_ASSERT(fits);
        if (!cluster.is_syllabic) {
            status = add_cluster(r, &p, &cluster, folded, from + cluster.from);
            continue;
        }
        status = flush(r, &p);
        if (status == YORE_OK) status = emit_characters(r, folded, from + cluster.from, from + cluster.to);
    }
    return status == YORE_OK ? flush(r, &p) : status;
}

static yore_status emit_word(run *r, const yr_word *word, const uint8_t *text)
{
    yore_slice folded, source = yore_bytes(text + word->from, word->to - word->from);
    if (word->is_syllabic || source.size > YR_TERM_BYTES_MAX ||
        !yr_fold(&r->analyzer->folder, source, word->is_ascii, &folded))
        return emit_clusters(r, source, word->from);
    if (word->is_ascii && !r->analyzer->folder.is_turkic) return emit_term(r, folded, word->from, word->to);
    return emit_folded(r, folded, word->from, word->to);
}

yore_status yr_analyze(yr_analyzer *analyzer, yore_slice text, yr_token_fn emit, void *context,
                       yore_error *err)
{
    run r = {.analyzer = analyzer, .emit = emit, .context = context, .err = err};
    yr_words words = yr_words_of(text);
    yr_word word;
    yore_status status = YORE_OK;
    while (status == YORE_OK && yr_words_next_word(&words, &word)) status = emit_word(&r, &word, words.text);
    return status;
}
