#include "search/analysis/stem.h"

#include <assert.h>
#include <string.h>

#include <libstemmer.h>

#include "engine/base/error.h"
#include "engine/base/hash.h"
#include "engine/base/mem.h"
#include "engine/base/yr_assert.h"
#include "search/analysis/analyzer.h"

/* Direct-mapped: a slot is one cache line and holds the last word that fell there with its stem behind it. Words
 * that do not fit with their stem are stemmed each time. */
#define CACHE_SLOTS 16384u /* 1 MiB: the least that holds the words of ordinary text */
#define CACHE_TEXT_BYTES 62u
#define MISSES_BEFORE_CACHE 512u /* a query or a short value never pays for the cache */

struct yr_stem_slot {
    uint8_t word_size; /* 0 = free */
    uint8_t stem_size; /* 0 = a stop word */
    uint8_t text[CACHE_TEXT_BYTES];
};
static_assert(sizeof(yr_stem_slot) == 64, "a slot is one cache line");

/* Longer than any word and its stem, so that libstemmer's own buffer, which never shrinks, is as large at open as it
 * will ever be: after that it does not allocate. */
#define WARM_UP_BYTES 1024u

static yore_status no_memory(yore_error *err)
{
    return yr_fail(err, YORE_ERR_NOMEM, "cannot analyse text: out of memory");
}

yore_status yr_stemmer_init(yr_stemmer *stemmer, const yore_env *env, const yr_language *language,
                            yr_folder *folder, yore_error *err)
{
    *stemmer = (yr_stemmer){.env = env, .misses_before_cache = MISSES_BEFORE_CACHE};
    if (strcmp(language->name, "none") == 0) return YORE_OK;
    stemmer->snowball = sb_stemmer_new(language->name, "UTF_8");
    if (!stemmer->snowball || !yr_stop_set_init(&stemmer->stop, env, language->stop_words, folder))
        return no_memory(err);
    sb_symbol long_word[WARM_UP_BYTES];
    memset(long_word, 'b', sizeof long_word);
    if (!sb_stemmer_stem(stemmer->snowball, long_word, (int)sizeof long_word)) return no_memory(err);
    return YORE_OK;
}

void yr_stemmer_deinit(yr_stemmer *stemmer)
{
    sb_stemmer_delete(stemmer->snowball);
    yr_stop_set_deinit(&stemmer->stop);
    yr_free_lines(stemmer->env, stemmer->cache, CACHE_SLOTS * sizeof *stemmer->cache);
    *stemmer = (yr_stemmer){0};
}

static yr_stem_slot *cache_slot(yr_stemmer *stemmer, yore_slice word)
{
    if (!stemmer->cache) {
        if (stemmer->misses_before_cache) {
            stemmer->misses_before_cache--;
            return NULL;
        }
        stemmer->cache = yr_alloc_lines(stemmer->env, CACHE_SLOTS * sizeof *stemmer->cache);
        stemmer->misses_before_cache =
            MISSES_BEFORE_CACHE; /* when memory was short, until the next attempt */
        if (!stemmer->cache) return NULL;
    }
    return &stemmer->cache[yr_hash64(word.data, word.size, 0) & (CACHE_SLOTS - 1)];
}

static void remember(yr_stem_slot *slot, yore_slice word, yore_slice stem)
{
    if (word.size + stem.size > CACHE_TEXT_BYTES) return;
    slot->word_size = (uint8_t)word.size;
    slot->stem_size = (uint8_t)stem.size;
    memcpy(slot->text, word.data, word.size);
    if (stem.size) memcpy(slot->text + word.size, stem.data, stem.size);
}

yore_status yr_stemmer_stem(yr_stemmer *stemmer, yore_slice word, yore_slice *stem, yore_error *err)
{
    YR_ASSERT(word.size >= 1 && word.size <= YR_TERM_BYTES_MAX);
    if (!stemmer->snowball) {
        *stem = word;
        return YORE_OK;
    }
    yr_stem_slot *slot = cache_slot(stemmer, word);
    if (slot && slot->word_size == word.size && memcmp(slot->text, word.data, word.size) == 0) {
        *stem = yore_bytes(slot->text + word.size, slot->stem_size);
        return YORE_OK;
    }
    yore_slice out = {NULL, 0};
    if (!yr_stop_set_has(&stemmer->stop, word)) {
        out.data = sb_stemmer_stem(stemmer->snowball, word.data, (int)word.size);
        if (!out.data) return no_memory(err);
        int size = sb_stemmer_length(stemmer->snowball);
        /* A word that is all ending, or grows past the limit, stands for itself. */
        if (size > 0 && size <= (int)YR_TERM_BYTES_MAX)
            out.size = (size_t)size;
        else
            out = word;
    }
    if (slot) remember(slot, word, out);
    *stem = out;
    return YORE_OK;
}

/* Mix the stem of `word` into *hash. */
static yore_status mix_stem(yr_stemmer *stemmer, yr_folder *folder, yore_slice word, uint64_t *hash,
                            yore_error *err)
{
    yore_slice folded;
    if (!yr_fold_any(folder, word, &folded)) return YORE_OK;
    const sb_symbol *stem = sb_stemmer_stem(stemmer->snowball, folded.data, (int)folded.size);
    if (!stem) return no_memory(err);
    *hash = yr_hash64(stem, (size_t)sb_stemmer_length(stemmer->snowball), *hash);
    return YORE_OK;
}

/* How many words and pairs of words a fingerprint is made of: enough to tell, few enough to open quickly. */
#define PROBES_MAX 40u

yore_status yr_stemmer_fingerprint(yr_stemmer *stemmer, const char *list, yr_folder *folder, uint32_t *out,
                                   yore_error *err)
{
    uint64_t hash = 0;
    size_t count = 0;
    for (const char *at = list; at && *at; at++) count += *at == ' ';
    size_t stride = count / PROBES_MAX + 1;
    yore_status status = YORE_OK;
    /* Each word chosen, and the same with the next one stuck on: that is long enough to have endings. */
    for (size_t i = 0; status == YORE_OK && list && *list; i++) {
        size_t one = strcspn(list, " "), two = list[one] ? strcspn(list + one + 1, " ") : 0;
        if (i % stride == 0) {
            uint8_t both[2 * YR_TERM_BYTES_MAX];
            YR_ASSERT(one + two <= sizeof both);
            memcpy(both, list, one);
            if (two) memcpy(both + one, list + one + 1, two);
            status = mix_stem(stemmer, folder, yore_bytes(list, one), &hash, err);
            if (status == YORE_OK)
                status = mix_stem(stemmer, folder, yore_bytes(both, one + two), &hash, err);
        }
        list += one + (list[one] != 0);
    }
    *out = (uint32_t)(hash ^ hash >> 32);
    return status;
}
