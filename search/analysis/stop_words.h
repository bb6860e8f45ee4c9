/* Words too common to tell one text from another. */
#ifndef YR_SEARCH_STOP_WORDS_H
#define YR_SEARCH_STOP_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include <yore/env.h>
#include <yore/types.h>

#include "search/analysis/fold.h"

/* The lists: words between spaces, as people write them (yr_stop_set_init folds them). */
extern const char yr_stop_words_arabic[];
extern const char yr_stop_words_armenian[];
extern const char yr_stop_words_basque[];
extern const char yr_stop_words_catalan[];
extern const char yr_stop_words_danish[];
extern const char yr_stop_words_dutch[];
extern const char yr_stop_words_english[];
extern const char yr_stop_words_finnish[];
extern const char yr_stop_words_french[];
extern const char yr_stop_words_german[];
extern const char yr_stop_words_greek[];
extern const char yr_stop_words_hindi[];
extern const char yr_stop_words_hungarian[];
extern const char yr_stop_words_indonesian[];
extern const char yr_stop_words_irish[];
extern const char yr_stop_words_italian[];
extern const char yr_stop_words_lithuanian[];
extern const char yr_stop_words_nepali[];
extern const char yr_stop_words_norwegian[];
extern const char yr_stop_words_portuguese[];
extern const char yr_stop_words_romanian[];
extern const char yr_stop_words_russian[];
extern const char yr_stop_words_serbian[];
extern const char yr_stop_words_spanish[];
extern const char yr_stop_words_swedish[];
extern const char yr_stop_words_tamil[];
extern const char yr_stop_words_turkish[];
extern const char yr_stop_words_yiddish[];

/* A set of folded words. Zero-initialised it is empty. */
typedef struct yr_stop_set {
    const yore_env *env;
    char *words; /* the folded words, one behind the other */
    size_t words_size;
    size_t words_capacity;
    uint32_t *slots;   /* 1 + the word's place in `words`, where a byte with its size stands; 0 = free */
    size_t slot_count; /* a power of two */
} yr_stop_set;

/* Fill an empty set with a list (NULL = no words). False when memory is out; deinit it all the same. */
bool yr_stop_set_init(yr_stop_set *set, const yore_env *env, const char *list, yr_folder *folder);
void yr_stop_set_deinit(yr_stop_set *set);
bool yr_stop_set_has(const yr_stop_set *set, yore_slice word);

#endif
