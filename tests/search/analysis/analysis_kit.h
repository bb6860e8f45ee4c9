/* What the tests of analysis share: data files, random text, and the terms of a text as a list. */
#ifndef YR_ANALYSIS_KIT_H
#define YR_ANALYSIS_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/rng.h"
#include "search/analysis/analyzer.h"

#define KIT_PATH_SIZE 4096u

/* YORE_TEST_SEED, or `fallback`; printed. */
uint64_t kit_seed(uint64_t fallback);

/* The path of a data file. False when it is not there; kit_data_path then also prints "skipped: no data". */
bool kit_find_data(const char *name, char path[KIT_PATH_SIZE]);
bool kit_data_path(const char *name, char path[KIT_PATH_SIZE]);

/* Random text of at most `max` bytes at `out`: letters, digits, punctuation, marks, scripts, flags, emoji, joiners and,
 * when `broken`, bytes that are not UTF-8. */
size_t kit_random_text(yr_rng *rng, bool broken, uint8_t *out, size_t max);
size_t kit_random_ascii(yr_rng *rng, uint8_t *out, size_t max);

/* An analyzer of the default environment; fails the test when there is none. */
yr_analyzer *kit_open(const char *language);

/* The terms of `text` as "position:term@from-to" with spaces between, or the parts of that which `what` names; valid
 * until the next call. */
#define KIT_TERMS 1u
#define KIT_POSITIONS 2u
#define KIT_SPANS 4u
#define KIT_FOLDED 8u /* the folded word in place of the term */
const char *kit_terms(yr_analyzer *analyzer, const void *text, size_t size, unsigned what);

#endif
