/* When a read-only handle that could go on reading the log should rather begin anew from the newest segments. Pure. */
#ifndef YR_REFRESH_POLICY_H
#define YR_REFRESH_POLICY_H

#include <stdbool.h>
#include <stdint.h>

typedef struct yr_refresh_facts {
    uint64_t base_version, last_version;         /* of the handle's memtable */
    uint64_t memtable_bytes, memtable_bytes_max; /* what it takes, and should take */
    uint64_t every;                              /* for tests: so many versions are large; 0 = by size */
    /* from the newest MANIFEST */
    uint64_t flushed_version;
    uint64_t listed_bytes;  /* of the handle's segments that are the store's still, */
    uint64_t dropped_bytes; /* and of those it alone keeps on the disk */
} yr_refresh_facts;

/* Is the memtable larger than it should be? */
bool yr_refresh_is_large(const yr_refresh_facts *facts);
/* It is large and segments have at least half of its versions; or most of what the handle keeps on the disk, and more
 * than a memtable's size, are files that the store has no use for any more. */
bool yr_refresh_pays(const yr_refresh_facts *facts);

#endif
