/* Case and compatibility folding: NFKC_Casefold (utf8proc), with two rules of our own: typographic apostrophes become
 * the ASCII one, and Turkish keeps dotted and dotless i apart (the T lines of Unicode's CaseFolding.txt). */
#ifndef YR_SEARCH_FOLD_H
#define YR_SEARCH_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include <yore/types.h>

/* No character becomes more than 18, so a cluster of YR_CLUSTER_CODES_MAX always fits, and so does every word
 * of ordinary length. */
#define YR_FOLD_CODES_MAX (18u * 32u)

typedef struct yr_folder {
    bool is_turkic;
    int32_t codes[YR_FOLD_CODES_MAX + 1]; /* utf8proc ends it with a NUL */
} yr_folder;

/* Fold `text`, which is valid UTF-8; `is_ascii`: and nothing but ASCII.
 * folded  in the folder, until its next use; may be empty (a word of invisible characters).
 * Returns false when it may not fit in YR_FOLD_CODES_MAX characters; a cluster of yr_words_next_cluster always does. */
bool yr_fold(yr_folder *folder, yore_slice text, bool is_ascii, yore_slice *folded);

/* As yr_fold, for text that may be ASCII or not. */
bool yr_fold_any(yr_folder *folder, yore_slice text, yore_slice *folded);

#endif
