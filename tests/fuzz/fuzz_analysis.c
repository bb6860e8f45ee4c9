/* Text to terms: any bytes give words that lie in the text, in order, whose terms are valid UTF-8 within bounds; the
 * boundaries are those of libunistring wherever the text is UTF-8. The first byte picks the language. */
#include "tests/fuzz/fuzz_target.h"

#include <stdlib.h>
#include <string.h>

#include <unistr.h>
#include <uniwbrk.h>

#include "engine/base/yr_assert.h"
#include "search/analysis/analyzer.h"
#include "search/analysis/words.h"

#define LANGUAGES_MAX 64u

typedef struct seen {
    const uint8_t *text;
    size_t size;
    uint64_t from;
    uint32_t next_position;
} seen;

static void check_text(yore_slice text)
{
    YR_ASSERT(text.size >= 1 && text.size <= YR_TERM_BYTES_MAX);
    YR_ASSERT(u8_check(text.data, text.size) == NULL);
}

static yore_status check_token(void *context, const yr_token *token, yore_error *err)
{
    (void)err;
    seen *s = context;
    check_text(token->term);
    check_text(token->folded);
    YR_ASSERT(token->from < token->to && token->to <= s->size);
    YR_ASSERT(token->from >= s->from);
    YR_ASSERT(token->position >= s->next_position);
    YR_ASSERT(u8_check(s->text + token->from, (size_t)(token->to - token->from)) == NULL);
    s->from = token->from;
    s->next_position = token->position + 1;
    return YORE_OK;
}

static void check_boundaries(const uint8_t *text, size_t size)
{
    static char theirs[FUZZ_INPUT_MAX];
    if (size > sizeof theirs || u8_check(text, size)) return;
    u8_wordbreaks(text, size, theirs);
    yr_words words = yr_words_of(yore_bytes(text, size));
    yr_word word;
    while (yr_words_next(&words, &word)) {
        YR_ASSERT(word.from == 0 || theirs[word.from]);
        for (size_t i = word.from + 1; i < word.to; i++) YR_ASSERT(!theirs[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static yr_analyzer
        *analyzers[LANGUAGES_MAX]; /* opened once: what one text leaves behind must not hurt the next */
    if (!size) return 0;
    size_t count = 0;
    while (yr_analyzer_language(count)) count++;
    YR_ASSERT(count <= LANGUAGES_MAX);
    yr_analyzer **analyzer = &analyzers[data[0] % count];
    if (!*analyzer) {
        yore_slice language = yore_str(yr_analyzer_language(data[0] % count));
        YR_ASSERT(yr_analyzer_open(yore_env_default(), language, analyzer, NULL) == YORE_OK);
    }
    seen s = {.text = data + 1, .size = size - 1};
    YR_ASSERT(yr_analyze(*analyzer, yore_bytes(data + 1, size - 1), check_token, &s, NULL) == YORE_OK);
    check_boundaries(data + 1, size - 1);
    bool is_text = yr_is_text(yore_bytes(data + 1, size - 1));
    YR_ASSERT(!is_text || (size > 1 && !u8_check(data + 1, size - 1) && !memchr(data + 1, 0, size - 1)));
    return 0;
}

size_t fuzz_example(yr_rng *rng, uint8_t out[FUZZ_INPUT_MAX])
{
    static const char *const texts[] = {
        "The dog's bones, 3.14 of them: can't stop",
        "l'homme qu’il aujourd'hui",
        "Straße ﬁne ＡＢＣ Ⅷ ①",
        "ISPARTA İzmir'de ışık",
        "हिन्दी लड़कियों தமிழ்",
        "漢字カタカナひらがなｶﾞ㌀",
        "한국어 \xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB",
        "שלום צה\"ל مرحبا \xEF\xB7\xBA",
        "👨‍👩‍👧🇩🇪🇫 ❤️ x",
        "a\xCC\x81\xCC\x96\xCD\x85 \xE2\x80\x8D\xEF\xBB\xBF",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "caf\xE9 \xED\xA0\x80 \xF4\x90\x80\x80",
    };
    size_t size = 1;
    out[0] = (uint8_t)yr_rng_next(rng);
    for (uint64_t parts = 1 + yr_rng_below(rng, 12); parts > 0; parts--) {
        const char *text = texts[yr_rng_below(rng, sizeof texts / sizeof *texts)];
        size_t length = strlen(text);
        if (size + length > FUZZ_INPUT_MAX) break;
        memcpy(out + size, text, length);
        size += length;
    }
    return size;
}
