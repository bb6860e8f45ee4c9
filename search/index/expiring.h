/* Documents that expire by themselves, between commits: which of them have, at a version and a time.
 *
 * Events and totals count such a document from its begin to the version that replaces it, whatever the time. A reader
 * at a time past its expiry takes it off again. The list grows with history, so it is looked at in blocks of 32, which
 * say of themselves when nobody or everybody in them is to be taken off: that is nearly always so, for what was
 * replaced before the reader's version, and for what has long expired.
 *
 * E1 begins are ascending.   E2 an end changes once, from YR_ALIVE to a version above everything published.
 * E3 a block is the sum of its items. */
#ifndef YR_SEARCH_EXPIRING_H
#define YR_SEARCH_EXPIRING_H

#include "search/index/space.h"

#define YR_ALIVE UINT32_MAX
#define YR_EXPIRING_BLOCK 32u

typedef struct yr_expiring {
    int64_t expiry_ns;
    uint32_t begin;
    uint32_t end; /* YR_ALIVE, or the version that replaced it */
    uint32_t length;
    int32_t
        sign; /* -1: a document of the parent that a child replaced, which was going to expire by itself */
} yr_expiring;

typedef struct yr_expiring_block {
    int64_t expiry_min, expiry_max;
    int64_t length;   /* the sum of sign * length */
    int32_t sign;     /* the sum of signs */
    uint32_t alive;   /* how many have no end */
    uint32_t end_max; /* of those that have one */
} yr_expiring_block;

typedef struct yr_expiring_list {
    yr_expiring *items;
    yr_expiring_block *blocks;
    uint32_t count, capacity;
    uint32_t block_capacity;
} yr_expiring_list;

void yr_expiring_free(yr_space *space, yr_expiring_list *list);
/* False when memory is out. */
bool yr_expiring_add(yr_space *space, yr_expiring_list *list, const yr_expiring *item);
void yr_expiring_end(yr_expiring_list *list, uint32_t index, uint32_t version);

/* The sums of sign, and of sign * length, over all that began at or before `cap`, did not end by it, and have expired
 * at `time_ns`. */
void yr_expiring_sum(const yr_expiring_list *list, uint32_t cap, int64_t time_ns, int64_t *signs,
                     int64_t *length);
/* The sum of sign over those of them at `indexes`, which are ascending. */
int64_t yr_expiring_sum_of(const yr_expiring_list *list, const uint32_t *indexes, uint32_t count,
                           uint32_t cap, int64_t time_ns);

/* E1 to E3. NULL, or what is wrong. */
const char *yr_expiring_check(const yr_expiring_list *list);

#endif
