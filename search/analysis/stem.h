/* What becomes of a folded word: nothing (a stop word) or its stem, with a cache of recent answers. */
#ifndef YR_SEARCH_STEM_H
#define YR_SEARCH_STEM_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/env.h>
#include <yore/types.h>

#include "search/analysis/language.h"
#include "search/analysis/stop_words.h"

struct sb_stemmer;
typedef struct yr_stem_slot yr_stem_slot;

typedef struct yr_stemmer {
    const yore_env *env;
    struct sb_stemmer *snowball; /* NULL: words stay as they are */
    yr_stop_set stop;
    yr_stem_slot *cache; /* made once enough words were seen to be worth it; NULL when memory was short */
    uint32_t misses_before_cache;
} yr_stemmer;

yore_status yr_stemmer_init(yr_stemmer *stemmer, const yore_env *env, const yr_language *language,
                            yr_folder *folder, yore_error *err);
void yr_stemmer_deinit(yr_stemmer *stemmer);

/* word  1..YR_TERM_BYTES_MAX bytes, folded.
 * stem  1..YR_TERM_BYTES_MAX bytes until the next call; empty for a stop word.
 * Returns YORE_OK, YORE_ERR_NOMEM. */
yore_status yr_stemmer_stem(yr_stemmer *stemmer, yore_slice word, yore_slice *stem, yore_error *err);

/* A number that tells releases of Snowball apart by what they make of this language's own words: the library does
 * not say its version, and the one that is loaded need not be the one we were built with. */
yore_status yr_stemmer_fingerprint(yr_stemmer *stemmer, const char *list, yr_folder *folder, uint32_t *out,
                                   yore_error *err);

#endif
