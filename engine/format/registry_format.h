/* Registry rows: branches, tags and settings as values of the system primitive on branch 0.
 *
 *   key "b" + branch id (4, big endian)   a branch record
 *   key "t" + tag name                    a tag record
 *   key "c" + setting name                the setting's text
 *   key "p" + setting name                the setting's texts for keys with a prefix, all of them
 *   key "e" + version (8, big endian)     an erase record; the version is that of its commit
 *
 *   branch record  off size
 *                   0   1  record version: 1, or 2 when any of the fields at 40..63 says something
 *                   1   1  flags: 1 = deleted, 2 = hidden, 4 = purged (version 2 only)
 *                   2   2  name bytes
 *                   4   4  parent id, 0 = root
 *                   8   8  fork version
 *                  16   8  created, wall clock ns
 *                  24   8  time to live ns, 0 = none
 *                  32   8  version of the commit that deleted it, 0 = live
 *                  40      name; in version 2:
 *                  40   1  retention, YORE_RETENTION_...
 *                  41   7  zero
 *                  48   8  its amount: ns or commits; 0 for those that have none
 *                  56   8  trimmed version: of older ones only pinned ones can be read; 0 = nothing is trimmed
 *                  64      name
 *   tag record      0   1  record version, 1
 *                   1   3  zero
 *                   4   4  branch id
 *                   8   8  version
 *                  16   8  created, wall clock ns
 *   prefix table    0   1  record version, 1
 *                   1   1  zero
 *                   2   2  n, 1 .. 256
 *                   4   4  zero
 *                   8   8  version of the commit since which it says the same
 *                  16      n times, by ascending prefix: prefix bytes (2), text bytes (2), prefix, text
 *   erase record    0   1  record version, 1
 *                   1   1  flags: 1 = every key that begins with the pattern, else the key itself
 *                   2   1  primitive
 *                   3   1  zero
 *                   4   4  branch id, 0 = every branch
 *                   8   2  pattern bytes, 0 .. 32,768
 *                  10   6  zero
 *                  16   8  a random seed
 *                  24   8  XXH3-64 of the pattern with the seed
 *                  32   8  XXH3-64 of the pattern with the seed's complement
 *
 * The prefixes of a setting are one row, so that finding out whether they changed is one look at its version 8..15,
 * and all of them are read at one point: readers ask before every search.
 *
 * Branches without retention are written in version 1, as ever. An erase record knows its keys by their hash, because a
 * key may be what had to be erased.
 */
#ifndef YR_REGISTRY_FORMAT_H
#define YR_REGISTRY_FORMAT_H

#include "engine/base/bytes.h"

#include <yore/db.h>
#include <yore/upkeep.h>

#define YR_REGISTRY_BRANCH 0u /* the id of the branch that holds the registry */
#define YR_DEFAULT_BRANCH 1u  /* the id of `default` */

#define YR_BRANCH_DELETED 1u
#define YR_BRANCH_HIDDEN 2u
#define YR_BRANCH_PURGED 4u /* deleted for good: what nobody else reads of it is gone or going */

#define YR_BRANCH_RECORD_FIXED 64u
#define YR_BRANCH_RECORD_MAX (YR_BRANCH_RECORD_FIXED + YORE_BRANCH_NAME_MAX)
#define YR_BRANCH_KEY_BYTES 5u
#define YR_TAG_RECORD_BYTES 24u
#define YR_REGISTRY_KEY_MAX (1u + YORE_BRANCH_NAME_MAX)
#define YR_ERASE_KEY_BYTES 9u
#define YR_ERASE_RECORD_BYTES 40u

#define YR_SETTING_SIZE 64u /* of a setting's text and its NUL */
#define YR_PREFIX_TABLE_FIXED 16u
#define YR_PREFIX_VALUE_FIXED 4u

/* What a branch keeps of its history. */
typedef struct yr_retention {
    uint32_t kind;   /* YORE_RETENTION_... */
    uint64_t amount; /* ns for an age, commits for versions, else 0 */
} yr_retention;

/* Is it one of the kinds with an amount that it can have? */
bool yr_retention_is_legal(yr_retention retention);

typedef struct yr_branch_record {
    uint32_t parent;
    uint32_t flags;
    uint64_t fork_version;
    int64_t created_ns;
    int64_t ttl_ns;
    uint64_t deleted_version;
    yr_retention retention;
    uint64_t trimmed_version;
    yore_slice name;
} yr_branch_record;

typedef struct yr_tag_record {
    uint32_t branch;
    uint64_t version;
    int64_t created_ns;
} yr_tag_record;

size_t yr_branch_record_encode(const yr_branch_record *record, uint8_t out[YR_BRANCH_RECORD_MAX]);
bool yr_branch_record_decode(yore_slice bytes, yr_branch_record *record);
void yr_branch_key_encode(uint32_t id, uint8_t out[YR_BRANCH_KEY_BYTES]);
bool yr_branch_key_decode(yore_slice key, uint32_t *id);

void yr_tag_record_encode(const yr_tag_record *record, uint8_t out[YR_TAG_RECORD_BYTES]);
bool yr_tag_record_decode(yore_slice bytes, yr_tag_record *record);

/* Which keys were erased. */
typedef struct yr_erase_record {
    uint32_t branch;    /* 0 = every branch */
    uint32_t primitive; /* never YORE_SYSTEM */
    bool is_prefix;
    uint32_t pattern_bytes;
    uint64_t seed;
    uint64_t hash[2];
} yr_erase_record;

/* What tells whether a key is meant: of a key or a prefix, at most YORE_KEY_BYTES_MAX bytes. */
void yr_erase_record_make(yr_erase_record *record, yore_slice pattern, uint64_t seed);
bool yr_erase_record_has(const yr_erase_record *record, uint32_t branch, uint32_t primitive, yore_slice key);
void yr_erase_record_encode(const yr_erase_record *record, uint8_t out[YR_ERASE_RECORD_BYTES]);
bool yr_erase_record_decode(yore_slice bytes, yr_erase_record *record);
void yr_erase_key_encode(uint64_t version, uint8_t out[YR_ERASE_KEY_BYTES]);
bool yr_erase_key_decode(yore_slice key, uint64_t *version);

/* A setting's text for the keys that begin with a prefix. */
typedef struct yr_prefix_value {
    yore_slice prefix; /* 1 .. YORE_CONFIG_PREFIX_MAX bytes */
    yore_slice text;   /* 1 .. YR_SETTING_SIZE - 1 bytes */
} yr_prefix_value;

size_t yr_prefix_table_bytes(const yr_prefix_value *values, size_t count);
void yr_prefix_table_encode(const yr_prefix_value *values, size_t count, uint64_t since, uint8_t *out);
/* Is it one? What follows takes nothing else, but for an empty slice, which is a table without values. */
bool yr_prefix_table_check(yore_slice table);
uint64_t yr_prefix_table_since(yore_slice table);
/* The value at *at, which moves on to the next; 0 is the first. False at the end. */
bool yr_prefix_table_next(yore_slice table, size_t *at, yr_prefix_value *out);
/* The value with the longest prefix that `key` begins with. False when there is none. */
bool yr_prefix_table_find(yore_slice table, yore_slice key, yr_prefix_value *out);

/* "t", "c" or "p" and a name; the name must fit. Returns the key's bytes. */
size_t yr_registry_key(char kind, yore_slice name, uint8_t out[YR_REGISTRY_KEY_MAX]);

#endif
