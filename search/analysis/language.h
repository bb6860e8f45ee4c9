/* The languages: what we know of each beyond its stemmer. */
#ifndef YR_SEARCH_LANGUAGE_H
#define YR_SEARCH_LANGUAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

/* What an apostrophe inside a word means. */
enum yr_apostrophe {
    YR_APOSTROPHE_LETTER,     /* nothing: it stays */
    YR_APOSTROPHE_POSSESSIVE, /* "dog's": what follows the last goes when it is an s */
    YR_APOSTROPHE_ELISION,    /* "l'homme": what stands before the first goes when it is one of `elided` */
    YR_APOSTROPHE_SUFFIX,     /* "Ankara'da": everything from the first on goes */
};

typedef struct yr_language {
    const char *name;       /* libstemmer's */
    const char *codes;      /* ISO 639 codes and other names that mean it, between spaces */
    const char *stop_words; /* NULL = none */
    uint8_t apostrophe;     /* yr_apostrophe */
    const char *elided;     /* articles and pronouns that lose their vowel before another */
    bool is_turkic;         /* I and i are different letters */
    uint32_t
        fingerprint; /* of the stems of its stop words and of pairs of them, by Snowball 2.2.0; 0 = not known */
} yr_language;

/* The language that `name` means, in any case; NULL when there is none. "none" is one. A language that only a newer
 * libstemmer knows gives an entry without stop words. */
const yr_language *yr_language_find(yore_slice name, yr_language *room);

/* Is `word` one of the words between spaces in `list` (NULL = none)? */
bool yr_language_lists(const char *list, yore_slice word);

/* Those most like `name`, comma-separated; `out` is empty when nothing comes near. */
#define YR_LANGUAGE_NEAREST_SIZE 96u
void yr_language_nearest(yore_slice name, char out[YR_LANGUAGE_NEAREST_SIZE]);

#endif
