/* What the stress tests of index/ share: keys that are inserted one by one and stay, keys that come and go, and
 * what readers may conclude from the number of keys published so far. */
#ifndef YR_TEST_INDEX_STRESS_H
#define YR_TEST_INDEX_STRESS_H

#include "tests/unit/index/fixture.h"

#define STRESS_READERS 2u
#define STRESS_CHECKS \
    20000u /* the writer goes on until the readers have looked at so many entries beside it */

typedef struct stress {
    const yore_env *env;
    yr_region region;
    key_set keys;    /* ascending; an entry of a key that comes and goes is replaced each time */
    uint32_t *rank;  /* by key: when it is inserted for good; UINT32_MAX = comes and goes */
    uint32_t *order; /* the staying keys by rank */
    uint32_t staying;
    uint64_t seed;
    _Atomic uint32_t published; /* keys of lower rank are in the index */
    _Atomic bool done;
    _Atomic uint64_t checks; /* what the readers looked at */
} stress;

/* A third of the keys come and go. */
void stress_open(stress *s, uint32_t shape, uint32_t keys, uint64_t seed);
void stress_close(stress *s);
/* The entry of a fresh incarnation of a key that comes and goes; `newest` holds a sum of its key. */
yr_ref stress_incarnation(stress *s, uint32_t key);
/* Writer: has it more to do? Inserts the next staying key through `insert`, if there is one. */
bool stress_step(stress *s, void (*insert)(stress *s, uint32_t key));
/* Does the entry hold a whole key? */
bool stress_entry_whole(const stress *s, yr_ref entry);
/* Run `reader` in STRESS_READERS threads while `writer` runs here. */
void stress_run(stress *s, void (*reader)(void *arg), void (*writer)(stress *s));

#endif
