#include "search/analysis/language.h"

#include <stdio.h>
#include <string.h>

#include <libstemmer.h>

#include "engine/base/bytes.h"
#include "engine/base/text.h"
#include "search/analysis/analyzer.h"
#include "search/analysis/stop_words.h"

#define NAME_BYTES_MAX 32u

#define CATALAN_ELIDED "d l m n s t"
#define FRENCH_ELIDED "l m t qu n s j d c jusqu quoiqu lorsqu puisqu"
#define IRISH_ELIDED "b d m"
#define ITALIAN_ELIDED "c l all dall dell nell sull coll pell gl agl dagl degl negl sugl un m t s v d"

static const yr_language languages[] = {
    {"none", "", NULL, YR_APOSTROPHE_LETTER, NULL, false, 0},
    {"arabic", "ar ara", yr_stop_words_arabic, YR_APOSTROPHE_LETTER, NULL, false, 0xf9afa23f},
    {"armenian", "hy hye arm", yr_stop_words_armenian, YR_APOSTROPHE_LETTER, NULL, false, 0x3e99dc84},
    {"basque", "eu eus baq", yr_stop_words_basque, YR_APOSTROPHE_LETTER, NULL, false, 0xeacbb0ba},
    {"catalan", "ca cat", yr_stop_words_catalan, YR_APOSTROPHE_ELISION, CATALAN_ELIDED, false, 0xf57777d8},
    {"danish", "da dan", yr_stop_words_danish, YR_APOSTROPHE_LETTER, NULL, false, 0x3c60ed5d},
    {"dutch", "nl nld dut", yr_stop_words_dutch, YR_APOSTROPHE_LETTER, NULL, false, 0xc7f50167},
    {"english", "en eng", yr_stop_words_english, YR_APOSTROPHE_POSSESSIVE, NULL, false, 0x84153f85},
    {"finnish", "fi fin", yr_stop_words_finnish, YR_APOSTROPHE_LETTER, NULL, false, 0xbaf0f10c},
    {"french", "fr fra fre", yr_stop_words_french, YR_APOSTROPHE_ELISION, FRENCH_ELIDED, false, 0x224e99b3},
    {"german", "de deu ger", yr_stop_words_german, YR_APOSTROPHE_LETTER, NULL, false, 0x0cced984},
    {"greek", "el ell gre", yr_stop_words_greek, YR_APOSTROPHE_LETTER, NULL, false, 0x8d1c1141},
    {"hindi", "hi hin", yr_stop_words_hindi, YR_APOSTROPHE_LETTER, NULL, false, 0x3887c284},
    {"hungarian", "hu hun", yr_stop_words_hungarian, YR_APOSTROPHE_LETTER, NULL, false, 0x8df79347},
    {"indonesian", "id ind", yr_stop_words_indonesian, YR_APOSTROPHE_LETTER, NULL, false, 0xb713febb},
    {"irish", "ga gle", yr_stop_words_irish, YR_APOSTROPHE_ELISION, IRISH_ELIDED, false, 0xf6923c86},
    {"italian", "it ita", yr_stop_words_italian, YR_APOSTROPHE_ELISION, ITALIAN_ELIDED, false, 0xd8363eed},
    {"lithuanian", "lt lit", yr_stop_words_lithuanian, YR_APOSTROPHE_LETTER, NULL, false, 0xd22c52e8},
    {"nepali", "ne nep", yr_stop_words_nepali, YR_APOSTROPHE_LETTER, NULL, false, 0x8fa3893d},
    {"norwegian", "no nor nb nob nn nno", yr_stop_words_norwegian, YR_APOSTROPHE_LETTER, NULL, false,
     0xfc5fe790},
    {"porter", "", yr_stop_words_english, YR_APOSTROPHE_POSSESSIVE, NULL, false, 0xdf6651d0},
    {"portuguese", "pt por", yr_stop_words_portuguese, YR_APOSTROPHE_LETTER, NULL, false, 0x2ea7127e},
    {"romanian", "ro ron rum mo mol", yr_stop_words_romanian, YR_APOSTROPHE_LETTER, NULL, false, 0x82d05f9f},
    {"russian", "ru rus", yr_stop_words_russian, YR_APOSTROPHE_LETTER, NULL, false, 0x7c3d37d5},
    {"serbian", "sr srp", yr_stop_words_serbian, YR_APOSTROPHE_LETTER, NULL, false, 0x2281df5a},
    {"spanish", "es esl spa", yr_stop_words_spanish, YR_APOSTROPHE_LETTER, NULL, false, 0x5ce94a63},
    {"swedish", "sv swe", yr_stop_words_swedish, YR_APOSTROPHE_LETTER, NULL, false, 0x64dd249a},
    {"tamil", "ta tam", yr_stop_words_tamil, YR_APOSTROPHE_LETTER, NULL, false, 0x0fb50922},
    {"turkish", "tr tur", yr_stop_words_turkish, YR_APOSTROPHE_SUFFIX, NULL, true, 0x9334fb66},
    {"yiddish", "yi yid", yr_stop_words_yiddish, YR_APOSTROPHE_LETTER, NULL, false, 0x9b5e4a9f},
};
#define LANGUAGE_COUNT (sizeof languages / sizeof languages[0])

bool yr_language_lists(const char *list, yore_slice word)
{
    while (list && *list) {
        size_t size = strcspn(list, " ");
        if (size == word.size && memcmp(list, word.data, size) == 0) return true;
        list += size + (list[size] != 0);
    }
    return false;
}

/* The stemmers come from the library, in its order, so a newer one brings its new languages with it. */
const char *yr_analyzer_language(size_t n)
{
    if (n == 0) return "none";
    const char **list = sb_stemmer_list();
    for (size_t i = 0; list[i]; i++) {
        if (i + 1 == n) return list[i];
    }
    return NULL;
}

static const char *library_name(const char *name)
{
    const char *known;
    for (size_t n = 0; (known = yr_analyzer_language(n)); n++) {
        if (strcmp(known, name) == 0) return known;
    }
    return NULL;
}

const yr_language *yr_language_find(yore_slice name, yr_language *room)
{
    char lower[NAME_BYTES_MAX];
    if (!name.size || name.size >= sizeof lower || memchr(name.data, 0, name.size)) return NULL;
    for (size_t i = 0; i < name.size; i++) {
        char c = ((const char *)name.data)[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    lower[name.size] = '\0';
    const char *known = library_name(lower);
    for (size_t i = 0; i < LANGUAGE_COUNT; i++) {
        const yr_language *language = &languages[i];
        bool is_it = strcmp(language->name, lower) == 0 ||
                     yr_language_lists(language->codes, yore_str(lower));
        if (is_it && library_name(language->name)) return language;
    }
    if (!known) return NULL;
    *room = (yr_language){.name = known};
    return room;
}

void yr_language_nearest(yore_slice name, char out[YR_LANGUAGE_NEAREST_SIZE])
{
    unsigned best = name.size < 3 ? 1 : name.size < 6 ? 2 : 3;
    out[0] = '\0';
    if (!name.size) return;
    const char *known;
    for (size_t n = 0; (known = yr_analyzer_language(n)); n++) {
        bool begins = strlen(known) > name.size && memcmp(known, name.data, name.size) == 0;
        unsigned distance = begins ? 1 : yr_text_distance(name, yore_str(known), best);
        if (distance > best) continue;
        if (distance < best) out[0] = '\0';
        best = distance;
        size_t used = strlen(out);
        if (used + strlen(known) + 5 > YR_LANGUAGE_NEAREST_SIZE) continue;
        snprintf(out + used, YR_LANGUAGE_NEAREST_SIZE - used, "%s'%s'", used ? ", " : "", known);
    }
}
